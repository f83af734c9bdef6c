/*
 * packet: SCM_RIGHTS and memfds (packet.h). A document is mapped only when all seals are there: otherwise
 * its owner could change it, or shrink it under our feet (SIGBUS), while we read.
 */
#include "dtn/client/packet.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define SEALS_NEEDED (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define FDS_MAX 4

union control {
	char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	struct cmsghdr align;
};

static int put(int fd, struct view v)
{
	while (v.n > 0) {
		ssize_t n = write(fd, v.p, v.n);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			v = view_sub(v, (size_t)n, v.n - (size_t)n);
	}
	return 0;
}

int packet_memfd(struct view bytes)
{
	int fd = memfd_create("owlt-payload", MFD_CLOEXEC | MFD_ALLOW_SEALING), err;

	if (fd < 0)
		return -errno;
	err = put(fd, bytes);
	if (!err && fcntl(fd, F_ADD_SEALS, SEALS))
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

int packet_send(int fd, struct view packet, int memfd)
{
	struct iovec iov = {(void *)(uintptr_t)packet.p, packet.n};
	union control c = {{0}};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	if (memfd >= 0) {
		struct cmsghdr *m;

		h.msg_control = c.bytes;
		h.msg_controllen = CMSG_SPACE(sizeof(int));
		m = CMSG_FIRSTHDR(&h);
		m->cmsg_level = SOL_SOCKET;
		m->cmsg_type = SCM_RIGHTS;
		m->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(m), &memfd, sizeof memfd);
	}
	while (sendmsg(fd, &h, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static void take_fds(struct msghdr *h, int *memfd)
{
	for (struct cmsghdr *m = CMSG_FIRSTHDR(h); m; m = CMSG_NXTHDR(h, m)) {
		if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t k = 0; CMSG_LEN((k + 1) * sizeof(int)) <= m->cmsg_len; k++) {
			int fd;

			memcpy(&fd, CMSG_DATA(m) + k * sizeof fd, sizeof fd);
			if (*memfd < 0)
				*memfd = fd;
			else
				close(fd);
		}
	}
}

int packet_receive(int fd, uint8_t *room, size_t cap, int *memfd)
{
	struct iovec iov = {room, cap};
	union control c;
	struct msghdr h = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = c.bytes,
		.msg_controllen = sizeof c.bytes};
	ssize_t n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC);

	*memfd = -1;
	if (n < 0)
		return -errno;
	take_fds(&h, memfd);
	if (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		if (*memfd >= 0)
			close(*memfd);
		*memfd = -1;
		return -EMSGSIZE;
	}
	return (int)n;
}

int packet_payload_map(struct packet_payload *p, size_t max)
{
	struct stat st;
	int seals = fcntl(p->fd, F_GET_SEALS);
	void *at;

	if (seals < 0 || (seals & SEALS_NEEDED) != SEALS_NEEDED)
		return -E_REFUSED;
	if (fstat(p->fd, &st))
		return -errno;
	if ((uint64_t)st.st_size > max)
		return -E_TOO_BIG;
	if (st.st_size == 0)
		return 0;
	at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, p->fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	p->bytes = view_of(at, (size_t)st.st_size);
	return 0;
}

void packet_payload_close(struct packet_payload *p)
{
	if (p->bytes.p)
		munmap((void *)(uintptr_t)p->bytes.p, p->bytes.n);
	if (p->fd >= 0)
		close(p->fd);
	*p = (struct packet_payload){.fd = -1};
}
