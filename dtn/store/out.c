/*
 * out: see out.h. One copy less for what is large; one call for hundreds of records.
 */
#include "dtn/store/out.h"

#include <assert.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUT_MOST (4u << 20) /* that wait */
#ifndef OUT_WINDOW          /* less in tests/run-store-faults, whose batches are small */
#define OUT_WINDOW (UINT64_C(256) << 10)
#endif
#define WINDOW_LEAST (OUT_WINDOW / 2)

static int out_begin(struct out_file *o);
static int write_parts(struct out_file *o, struct iovec *part, int n);

int out_open(struct out_file *o)
{
	*o = (struct out_file){.fd = -1, .room = malloc(OUT_ROOM)};
	return o->room ? 0 : -ENOMEM;
}

void out_close(struct out_file *o)
{
	free(o->room);
	o->room = NULL;
}

void out_seek(struct out_file *o, int fd, uint64_t at)
{
	o->fd = fd;
	o->at = at;
	o->n = o->n_room = 0;
	o->n_parts = 0;
}

int out_put(struct out_file *o, const void *p, size_t n)
{
	if (n <= OUT_COPY)
		return out_copy(o, p, n);
	int err = o->n_parts == OUT_PARTS || o->n >= OUT_MOST ? out_write(o) : out_begin(o);
	if (err)
		return err;
	o->part[o->n_parts++] = (struct iovec){(void *)(uintptr_t)p, n};
	o->n += n;
	return 0;
}

int out_zeros(struct out_file *o, size_t n)
{
	static const uint8_t zero[8];

	return out_put(o, zero, n);
}

int out_write(struct out_file *o)
{
	int err = write_parts(o, o->part, o->n_parts);

	out_seek(o, o->fd, o->at + o->n);
	return err;
}

/* What fills a window of the file begins its way to the disk while the next is put together; whether it
 * arrives, the flush says. Not beyond the window: the kernel keeps what is written by one call in pages as large
 * as that call allows, and one that is on its way would have to arrive before the rest of it can follow. */
static int out_begin(struct out_file *o)
{
	uint64_t end = o->at + o->n, cut = end & ~(OUT_WINDOW - 1), from = o->at;
	size_t rest = (size_t)(end - cut);

	if (cut < from + WINDOW_LEAST)
		return 0;
	/* Each part is looked at when it is the last, so that is where the window ends. */
	struct iovec *last = &o->part[o->n_parts - 1];
	const uint8_t *left = (uint8_t *)last->iov_base + last->iov_len - rest;
	bool in_room = left >= o->room && left < o->room + OUT_ROOM;
	assert(rest <= last->iov_len);
	last->iov_len -= rest;
	int err = write_parts(o, o->part, o->n_parts);

	(void)sync_file_range(o->fd, (off_t)from, (off_t)(cut - from), SYNC_FILE_RANGE_WRITE);
	out_seek(o, o->fd, cut);
	if (rest == 0)
		return err;
	if (in_room) {
		left = memmove(o->room, left, rest);
		o->n_room = rest;
	}
	o->part[o->n_parts++] = (struct iovec){(void *)(uintptr_t)left, rest};
	o->n = rest;
	return err;
}

int out_write_at(int fd, const void *p, size_t n, uint64_t at)
{
	struct out_file o = {.fd = fd, .at = at};
	struct iovec part = {(void *)(uintptr_t)p, n};

	return write_parts(&o, &part, n > 0);
}

int out_copy(struct out_file *o, const void *p, size_t n)
{
	uint8_t *room;
	int err = n > 0 ? out_room(o, n, &room) : 0;

	if (!err && n > 0)
		memcpy(room, p, n);
	return err;
}

/* Behind the last one, if nothing came between. */
int out_room(struct out_file *o, size_t n, uint8_t **room)
{
	int err = o->n_room + n > OUT_ROOM || o->n_parts == OUT_PARTS ? out_write(o) : out_begin(o);
	if (err)
		return err;
	struct iovec *last = o->n_parts ? &o->part[o->n_parts - 1] : NULL;
	*room = o->room + o->n_room;
	if (last && (uint8_t *)last->iov_base + last->iov_len == *room)
		last->iov_len += n;
	else
		o->part[o->n_parts++] = (struct iovec){*room, n};
	o->n_room += n;
	o->n += n;
	return 0;
}

static int write_parts(struct out_file *o, struct iovec *part, int n)
{
	uint64_t at = o->at;

	while (n > 0) {
		ssize_t put = n == 1 ? pwrite(o->fd, part->iov_base, part->iov_len, (off_t)at)
				     : pwritev(o->fd, part, n, (off_t)at);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		at += (uint64_t)put;
		while (n > 0 && (size_t)put >= part->iov_len) {
			put -= (ssize_t)part->iov_len;
			part++;
			n--;
		}
		if (n > 0) {
			part->iov_base = (uint8_t *)part->iov_base + put;
			part->iov_len -= (size_t)put;
		}
	}
	return 0;
}
