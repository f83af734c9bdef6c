/*
 * slow_disk: LD_PRELOAD for owltd in tests/lab/torture.py: every flush takes a time between 0 and twice
 * SLOW_DISK_US, as on a worn flash card, so that kills find bundles that wait for their batch. What is written is in
 * the kernel's hands either way, which is all that outlives a SIGKILL.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void wait_long(void);

int fdatasync(int fd)
{
	(void)fd;
	wait_long();
	return 0;
}

int fsync(int fd)
{
	(void)fd;
	wait_long();
	return 0;
}

int msync(void *at, size_t n, int flags)
{
	(void)at, (void)n, (void)flags;
	wait_long();
	return 0;
}

static void wait_long(void)
{
	const char *text = getenv("SLOW_DISK_US");
	long most = text ? 2 * atol(text) : 0;
	struct timespec now, nap = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (most > 0)
		nap.tv_nsec = now.tv_nsec / 64 % most * 1000;
	while (nap.tv_nsec >= 1000000000) {
		nap.tv_nsec -= 1000000000;
		nap.tv_sec++;
	}
	nanosleep(&nap, NULL);
}
