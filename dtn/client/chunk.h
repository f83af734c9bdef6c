/*
 * chunk: the payload of one numbered bundle of a file, owlt-chunk(5): one CBOR array
 * ["owlt-chunk", 1, name, size, SHA-256 of the file, offset, data]. Only what stands before the data is
 * read and written here; the data may be larger than memory should hold.
 */
#ifndef OWLT_CLIENT_CHUNK_H
#define OWLT_CLIENT_CHUNK_H

#include "bundle/base/buf.h"
#include "bundle/crypto.h"

#define CHUNK_HEAD_MAX 400 /* bytes before the data; names are at most 255 */

struct chunk {
	struct view name;
	uint64_t size;
	uint8_t sum[SHA256_BYTES];
	uint64_t offset;
	struct view data;
};

/* Reads what stands before the data; `front` is at least the first CHUNK_HEAD_MAX bytes of a payload of `size` bytes,
 * or all of it. The data begins at *data_at; c->data has its length, and no pointer. 0, or negative: the
 * payload is no chunk. Views into `front`. */
int chunk_read(struct view front, uint64_t size, struct chunk *c, uint64_t *data_at) MUST_USE;
/* What stands before the data. */
void chunk_write_head(struct buf *b, const struct chunk *c);

#endif
