/*
 * out: bytes on their way to one place of one file, gathered and written by few calls. What is large is
 * taken from where it lies and must stay there until out_write(); what is small is copied.
 */
#ifndef OWLT_STORE_OUT_H
#define OWLT_STORE_OUT_H

#include "bundle/base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define OUT_PARTS 512
#define OUT_ROOM (2u << 20) /* what is not used stays no memory */
#define OUT_COPY 4096u /* up to so many bytes are copied: one part is written faster than many */

struct out_file {
	int fd;
	uint64_t at; /* where the first byte that waits goes */
	uint64_t n;  /* bytes that wait */
	struct iovec part[OUT_PARTS];
	int n_parts;
	uint8_t *room; /* OUT_ROOM */
	size_t n_room;
};

int out_open(struct out_file *o) MUST_USE;
void out_close(struct out_file *o);
/* What waits is dropped; the next bytes go there. */
void out_seek(struct out_file *o, int fd, uint64_t at);
int out_put(struct out_file *o, const void *p, size_t n) MUST_USE;
int out_copy(struct out_file *o, const void *p, size_t n) MUST_USE; /* up to OUT_ROOM */
/* Room for the next n bytes, up to OUT_ROOM, that the caller fills before anything else is put. */
int out_room(struct out_file *o, size_t n, uint8_t **room) MUST_USE;
int out_zeros(struct out_file *o, size_t n) MUST_USE; /* up to eight */
int out_write(struct out_file *o) MUST_USE;
/* All of it, at one place. */
int out_write_at(int fd, const void *p, size_t n, uint64_t at) MUST_USE;

#endif
