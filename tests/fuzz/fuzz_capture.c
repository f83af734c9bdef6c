/*
 * Files that a program of ours reads again: a lab's capture, also one that still grows, and the clock
 * line of run.json. They are opened by path, so the bytes are put into a memory file.
 */
#include "dtn/io/clock.h"
#include "netns/capture.h"

#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void capture(const char *path, size_t size)
{
	struct capture_reader *r;
	struct capture_frame f;
	size_t n = 0;

	if (capture_open(&r, path) != 0)
		return;
	while (capture_read(r, &f) == 1) {
		assert(f.bytes.n <= size && n++ <= size);
		assert(f.bytes.n == 0 || f.bytes.p[0] + f.bytes.p[f.bytes.n - 1] >= 0);
	}
	capture_reader_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct clock c;
	mono last = 0;
	char path[64];

	assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	capture(path, size);
	if (clock_init_lab(&c, path) == 0)
		assert(c.speed > 0 && clock_now(&c, &last) >= 0);
	close(fd);
	return 0;
}
