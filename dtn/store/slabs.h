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

#include <assert.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

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
void slabs_give_class(struct slabs *s, void *p);
void slabs_give_big(struct slabs *s, void *p, size_t n);

/* The first bytes of each slab. */
struct slab {
	struct link_node link; /* partial list of its class, empty list, or out (full) */
	void *free;            /* cells given back */
	uint32_t n_used, n_carved, n_cells;
	uint32_t class, cell;
};

static inline struct slab *slab_of(const void *p)
{
	return (struct slab *)((uintptr_t)p & ~(uintptr_t)(SLAB_SIZE - 1));
}

/* n bytes at an address divisible by 8; NULL when there is no memory. Here is what mostly happens: a cell that
 * was given back, in a slab that has more. */
static inline void *slabs_take(struct slabs *s, size_t n)
{
	if (n > SLAB_CELL_MAX)
		return slabs_take_big(s, n);
	unsigned class = slabs_class(n);
	struct link_node *first = s->partial[class].next;
	struct slab *slab = container_of(first, struct slab, link);

	if (first == &s->partial[class] || !slab->free || slab->n_used + 1 == slab->n_cells)
		return slabs_take_class(s, class);
	void **cell = slab->free;

	ASAN_UNPOISON_MEMORY_REGION(cell, slab->cell);
	slab->free = *cell;
	slab->n_used++;
	/* The next one was given back long ago, and its first lines are written at once. Where there is
	 * none, a null pointer: nothing may be added to it, so these are numbers. */
	for (uintptr_t line = (uintptr_t)*cell; line < (uintptr_t)*cell + 192; line += 64)
		__builtin_prefetch((const void *)line, 1);
	return cell;
}

/* Gives back what slabs_take(s, n) gave; the same n. */
static inline void slabs_give(struct slabs *s, void *p, size_t n)
{
	if (n > SLAB_CELL_MAX) {
		slabs_give_big(s, p, n);
		return;
	}
	struct slab *slab = slab_of(p);

	assert(slab->class == slabs_class(n) && slab->n_used > 0);
	if (slab->n_used == slab->n_cells || slab->n_used == 1) {
		slabs_give_class(s, p);
		return;
	}
	*(void **)p = slab->free;
	slab->free = p;
	slab->n_used--;
	ASAN_POISON_MEMORY_REGION(p, slab->cell);
}

/* Bytes that a cell for n bytes has; of a cell that lies in a slab, its own (the n of slabs_give()). */
size_t slabs_size(size_t n);
static inline size_t slabs_room(const void *p)
{
	return slab_of(p)->cell;
}
/* Bytes taken from the system for slabs. */
size_t slabs_bytes(const struct slabs *s);

#endif
