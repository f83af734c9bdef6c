/*
 * chunk: joining the numbered bundles of a file, owlt-chunk(5).
 */
#ifndef OWLT_TOOLS_CHUNK_H
#define OWLT_TOOLS_CHUNK_H

#include "dtn/client/chunk.h"

#include <limits.h>

/* A name without what could leave the folder: other characters than A-Za-z0-9._- as %XX, a leading dot
 * too. Always fits in cap > 3 * bytes. */
void chunk_file_name(struct view name, char *out, size_t cap);

/* Puts bytes of a chunk's data, from `off` in it, into DIR/.NAME-SUM.part. */
int chunk_put(const char *dir, const struct chunk *c, uint64_t off, struct view bytes) MUST_USE;
/* All of the chunk was put: notes it in DIR/.NAME-SUM.have; part and note are on disk before this returns. *got:
 * the file's bytes that are here. 1 and the path when the file is complete, verified and renamed to DIR/NAME; 0 when more is to come; -E_CRC when
 * it is complete and its sum is wrong (it is thrown away), or -errno. */
int chunk_done(const char *dir, const struct chunk *c, char path[PATH_MAX], uint64_t *got) MUST_USE;

#endif
