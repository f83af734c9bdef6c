/*
 * slabs: memory of a store in cells of some thirty sizes, cut from 64 KiB slabs. Taking and giving back
 * costs a few instructions; the system is asked for memory once per region of sixteen slabs. A slab
 * whose cells are all free serves any size again, so changing sizes do not make the store grow.
 * One thread only (the loop).
 */
#ifndef OWLT_STORE_SLABS_H
#define OWLT_STORE_SLABS_H

#include "bundle/base/err.h"
#include "bundle/base/list.h"

#include <stdint.h>

#define SLAB_SIZE 65536u
#define SLAB_CLASSES 32

struct slab_region;

struct slabs {
	struct link_node partial[SLAB_CLASSES]; /* slabs with a free cell, by class */
	struct link_node empty;                 /* slabs in use by no class */
	struct slab_region *regions;
};

void slabs_init(struct slabs *s);
/* Frees all memory, also of cells that were not given back. */
void slabs_fini(struct slabs *s);
/* n bytes at an address divisible by 16; NULL when there is no memory. Beyond a slab: the heap. */
void *slabs_take(struct slabs *s, size_t n);
/* Gives back what slabs_take(s, n) gave; the same n. */
void slabs_give(struct slabs *s, void *p, size_t n);

#endif
