/*
 * chunk: files cut into numbered bundles, owlt-chunk(5). A chunk's payload is one CBOR array
 * ["owlt-chunk", 1, name, size, SHA-256 of the file, offset, data].
 */
#ifndef OWLT_TOOLS_CHUNK_H
#define OWLT_TOOLS_CHUNK_H

#include "bundle/base/buf.h"
#include "bundle/crypto.h"

#include <limits.h>

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

/* A name without what could leave the folder: other characters than A-Za-z0-9._- as %XX, a leading dot
 * too. Always fits in cap > 3 * bytes. */
void chunk_file_name(struct view name, char *out, size_t cap);

/* Puts bytes of a chunk's data, from `off` in it, into DIR/.NAME-SUM.part. */
int chunk_put(const char *dir, const struct chunk *c, uint64_t off, struct view bytes) MUST_USE;
/* All of the chunk was put: notes it in DIR/.NAME-SUM.have; part and note are on disk before this returns. 1 and the path when the file is complete, verified and renamed to DIR/NAME; 0 when more is to
 * come; -E_CRC when it is complete and its sum is wrong (it is thrown away), or -errno. */
int chunk_done(const char *dir, const struct chunk *c, char path[PATH_MAX]) MUST_USE;

#endif
