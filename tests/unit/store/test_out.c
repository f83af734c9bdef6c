/* Bytes gathered from small and large pieces, wherever the file's windows end, are what is in the file. */
#include "dtn/store/out.h"

#include "bundle/base/rng.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES = 12 << 20, PIECES = 2500 };

struct model {
	struct out_file out;
	struct rng rng;
	uint8_t *file, *source, *back;
	uint64_t at;
};

/* Lengths from a few bytes to some beyond a window. */
static size_t some_length(struct model *m)
{
	switch (rng_below(&m->rng, 40)) {
	case 0:
		return 1 + (size_t)rng_below(&m->rng, 700000);
	case 1:
	case 2:
		return 1 + (size_t)rng_below(&m->rng, 70000);
	default:
		return 1 + (size_t)rng_below(&m->rng, 4096);
	}
}

/* Nothing changes while it waits, so pieces are taken from one place that stays. */
static void put_some(struct model *m)
{
	size_t n = some_length(m);
	const uint8_t *p = m->source + rng_below(&m->rng, 1000000);
	uint8_t *room;

	memcpy(m->file + m->at, p, n);
	if (n > 65536 || rng_below(&m->rng, 3) > 0) {
		cr_assert_eq(out_put(&m->out, p, n), 0);
	} else if (rng_below(&m->rng, 2)) {
		cr_assert_eq(out_copy(&m->out, p, n), 0);
	} else {
		cr_assert_eq(out_room(&m->out, n, &room), 0);
		memcpy(room, p, n);
	}
	m->at += n;
	if (rng_below(&m->rng, 100) == 0)
		cr_assert_eq(out_write(&m->out), 0);
}

Test(out, gathers_over_windows)
{
	struct model m = {.file = calloc(1, FILE_BYTES + (1 << 20)),
		.source = malloc(2 << 20),
		.back = malloc(FILE_BYTES + (1 << 20))};
	char name[] = "/tmp/owlt-out-XXXXXX";
	int fd = mkstemp(name);

	cr_assert_geq(fd, 0);
	unlink(name);
	rng_init(&m.rng, 7, 8);
	for (size_t i = 0; i < 2 << 20; i++)
		m.source[i] = (uint8_t)rng_below(&m.rng, 256);
	cr_assert_eq(out_open(&m.out), 0);
	for (unsigned round = 0; round < 8; round++) {
		m.at = rng_below(&m.rng, 1 << 20);
		out_seek(&m.out, fd, m.at);
		for (unsigned i = 0; i < PIECES && m.at < FILE_BYTES; i++)
			put_some(&m);
		cr_assert_eq(out_write(&m.out), 0);
		cr_assert_eq(m.out.n, 0);
		cr_assert_geq(pread(fd, m.back, FILE_BYTES + (1 << 20), 0), (ssize_t)m.at);
		cr_assert_eq(memcmp(m.back, m.file, m.at), 0);
	}
	out_close(&m.out);
	close(fd);
	free(m.file);
	free(m.source);
	free(m.back);
}

/* What could not be written early is told by the next piece, not only at the end. */
Test(out, tells_that_a_window_failed)
{
	struct out_file out;
	uint8_t *bytes = calloc(1, 1 << 20);
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	cr_assert(fd >= 0 && bytes);
	cr_assert_eq(out_open(&out), 0);
	out_seek(&out, fd, 0);
	cr_assert_eq(out_put(&out, bytes, 1 << 20), 0);
	cr_assert_eq(out_put(&out, bytes, 1), -ENOSPC);
	out_seek(&out, fd, 0);
	cr_assert_eq(out_put(&out, bytes, 1 << 20), 0);
	cr_assert_eq(out_write(&out), -ENOSPC);
	out_close(&out);
	close(fd);
	free(bytes);
}
