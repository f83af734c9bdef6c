/*
 * out: see out.h. One copy less for what is large; one call for hundreds of records.
 */
#include "dtn/store/out.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUT_EARLY (1u << 20)
#define OUT_MOST (4u << 20) /* that wait */

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
	if (o->n_parts == OUT_PARTS || o->n >= OUT_MOST) {
		int err = out_write(o);

		if (err)
			return err;
	}
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

	/* Much is on its way to the disk while the next is put together; whether it arrives, the flush says. */
	if (o->n >= OUT_EARLY)
		(void)sync_file_range(o->fd, (off_t)o->at, (off_t)o->n, SYNC_FILE_RANGE_WRITE);
	out_seek(o, o->fd, o->at + o->n);
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
	if (o->n_room + n > OUT_ROOM || o->n_parts == OUT_PARTS) {
		int err = out_write(o);

		if (err)
			return err;
	}
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
