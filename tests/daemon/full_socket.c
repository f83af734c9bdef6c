/*
 * full_socket: LD_PRELOAD for owltd in full_socket.sh: the first FULL_SOCKET calls that send find no room, by turns as
 * the kernel says it of a full socket and of want of memory.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

int sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	static int left = -1;
	int (*real)(int, struct mmsghdr *, unsigned, int);

	*(void **)&real = dlsym(RTLD_NEXT, "sendmmsg");
	if (left < 0)
		left = getenv("FULL_SOCKET") ? atoi(getenv("FULL_SOCKET")) : 0;
	if (left == 0)
		return real(fd, m, n, flags);
	errno = left-- % 2 ? EAGAIN : ENOBUFS;
	return -1;
}
