/*
 * extents: which bytes of an ADU are here and in which stored fragment: disjoint runs in order of
 * offset. Finding, adding and dropping cost the logarithm of their number, in whatever order and
 * overlap fragments come.
 */
#ifndef OWLT_AGENT_EXTENTS_H
#define OWLT_AGENT_EXTENTS_H

#include "bundle/base/pool.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes [off, off + len) of the ADU are bytes `at` and following of the stored payload `id`. */
struct extent {
	struct extent *left, *right;
	uint64_t off, len, id, at;
};

struct extents {
	struct extent *root;
	uint64_t salt; /* peers choose offsets: they shall not choose the tree's shape */
	uint64_t bytes;
	uint64_t n;
};

/* The first extent that ends behind `off`; NULL: none. */
const struct extent *extents_from(const struct extents *s, uint64_t off);
/* How many bytes of [off, off + len) are missing. */
uint64_t extents_missing(const struct extents *s, uint64_t off, uint64_t len);
/* Adds what is missing of a fragment's place ("the earlier bytes stand", RFC 9171 5.9/d1). How many
 * bytes that were. The pool has room: at most two extents a fragment are ever needed. */
uint64_t extents_add(struct extents *s, struct pool *pool, uint64_t off, uint64_t len, uint64_t id);
/* Drops what stored fragment `id` gave within its place. */
void extents_drop(struct extents *s, struct pool *pool, uint64_t off, uint64_t len, uint64_t id);
void extents_clear(struct extents *s, struct pool *pool);

#endif
