/*
 * slabs: memory of a store in cells of some forty sizes, cut from 64 KiB slabs. Taking and giving back
 * costs a few instructions; the system is asked for memory once per region of sixteen slabs. A slab
 * whose cells are all free serves any size again, so changing sizes do not make the store grow.
 * Cells beyond a slab come from the heap; some of them are kept for the next that need their size,
 * because memory that is fresh from the system costs more than filling it. One thread only (the loop).
 */
#ifndef OWLT_STORE_SLABS_H
#define OWLT_STORE_SLABS_H

#include "bundle/base/err.h"
#include "bundle/base/list.h"

#include <stdint.h>

#define SLAB_SIZE 65536u
#define SLAB_HEADER 64u
#define SLAB_CELL_MIN 32u
#define SLAB_CELL_MAX (SLAB_SIZE - SLAB_HEADER)
#define SLAB_CLASSES 48
#define SLAB_BIG_CLASSES 64

struct slab_region;

struct slabs {
	struct link_node partial[SLAB_CLASSES]; /* slabs with a free cell, by class */
	struct link_node empty;                 /* slabs in use by no class */
	struct slab_region *regions;
	void *big[SLAB_BIG_CLASSES]; /* free cells beyond a slab */
	uint64_t big_kept, big_most; /* bytes of these; at most */
};

/* big_most: bytes of cells beyond a slab that may wait for their next use. */
void slabs_init(struct slabs *s, uint64_t big_most);
/* Frees all memory, also of cells that were not given back. */
void slabs_fini(struct slabs *s);
/* Cells for so many bytes: four classes a doubling, class 0 is 32 bytes, 1 is 40, 2 is 48 ... Here, for most
 * sizes are known to the compiler. */
static inline unsigned slabs_class(size_t n)
{
	if (n <= SLAB_CELL_MIN)
		return 0;
	unsigned b = 63 - (unsigned)__builtin_clzll(n - 1);

	return 1 + (b - 5) * 4 + (unsigned)((n - 1) >> (b - 2) & 3);
}
void *slabs_take_class(struct slabs *s, unsigned class);
void *slabs_take_big(struct slabs *s, size_t n);
/* n bytes at an address divisible by 8; NULL when there is no memory. */
static inline void *slabs_take(struct slabs *s, size_t n)
{
	return n > SLAB_CELL_MAX ? slabs_take_big(s, n) : slabs_take_class(s, slabs_class(n));
}
/* Gives back what slabs_take(s, n) gave; the same n. */
void slabs_give(struct slabs *s, void *p, size_t n);
/* Bytes that a cell for n bytes has; of a cell that lies in a slab, its own (the n of slabs_give()). */
size_t slabs_size(size_t n);
size_t slabs_room(const void *p);
/* Bytes taken from the system for slabs. */
size_t slabs_bytes(const struct slabs *s);

#endif
