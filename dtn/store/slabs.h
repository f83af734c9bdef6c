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
#define SLAB_CLASSES 48
#define SLAB_BIG_CLASSES 64
#define SLAB_BIG_KEPT (UINT64_C(128) << 20) /* bytes of cells beyond a slab that wait for use */

struct slab_region;

struct slabs {
	struct link_node partial[SLAB_CLASSES]; /* slabs with a free cell, by class */
	struct link_node empty;                 /* slabs in use by no class */
	struct slab_region *regions;
	void *big[SLAB_BIG_CLASSES]; /* free cells beyond a slab */
	uint64_t big_kept;
};

void slabs_init(struct slabs *s);
/* Frees all memory, also of cells that were not given back. */
void slabs_fini(struct slabs *s);
/* n bytes at an address divisible by 8; NULL when there is no memory. */
void *slabs_take(struct slabs *s, size_t n);
/* Gives back what slabs_take(s, n) gave; the same n. */
void slabs_give(struct slabs *s, void *p, size_t n);
/* Bytes that a cell for n bytes has; of a cell that lies in a slab, its own (the n of slabs_give()). */
size_t slabs_size(size_t n);
size_t slabs_room(const void *p);
/* Bytes taken from the system for slabs. */
size_t slabs_bytes(const struct slabs *s);

#endif
