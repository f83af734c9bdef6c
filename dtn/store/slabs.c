/*
 * slabs: cells of fixed sizes in 64 KiB slabs.
 *
 * A slab lies at an address divisible by its size and begins with its header, so a cell finds its slab
 * by masking its address. Sizes have two steps per doubling (32, 48, 64, 96, ...), so at most a third is
 * wasted. Cells are carved from a fresh slab only when they are needed: untouched pages cost nothing.
 * Under AddressSanitizer free cells are poisoned, so a view that is read after its turn is found.
 * Start reading at slabs_take().
 */
#include "dtn/store/slabs.h"

#include <assert.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define SLAB_HEADER 64u
#define CELL_MIN 32u
#define CELL_MAX (SLAB_SIZE - SLAB_HEADER)
#define REGION_SLABS 16u

struct slab {
	struct link_node link; /* partial list of its class, empty list, or out (full) */
	void *free;            /* cells given back */
	uint32_t n_used, n_carved, n_cells;
	uint32_t class, cell;
};

struct slab_region {
	struct slab_region *next;
	void *mem;
};

static unsigned class_of(size_t n);
static uint32_t class_size(unsigned class);
static struct slab *slab_start(struct slabs *s, unsigned class);
static int region_add(struct slabs *s);

void slabs_init(struct slabs *s)
{
	_Static_assert(sizeof(struct slab) <= SLAB_HEADER, "slab header");
	*s = (struct slabs){0};
	for (unsigned i = 0; i < SLAB_CLASSES; i++)
		list_init(&s->partial[i]);
	list_init(&s->empty);
}

void slabs_fini(struct slabs *s)
{
	while (s->regions) {
		struct slab_region *r = s->regions;

		s->regions = r->next;
		ASAN_UNPOISON_MEMORY_REGION(r->mem, REGION_SLABS * SLAB_SIZE);
		free(r->mem);
		free(r);
	}
	slabs_init(s);
}

void *slabs_take(struct slabs *s, size_t n)
{
	if (n > CELL_MAX)
		return malloc(n);
	unsigned class = class_of(n);
	struct link_node *first = s->partial[class].next;
	struct slab *slab = first != &s->partial[class] ? container_of(first, struct slab, link)
							: slab_start(s, class);
	if (!slab)
		return NULL;

	void **cell = slab->free;
	if (cell) {
		ASAN_UNPOISON_MEMORY_REGION(cell, slab->cell);
		slab->free = *cell;
	} else {
		cell = (void *)((char *)slab + SLAB_HEADER + slab->n_carved++ * slab->cell);
		ASAN_UNPOISON_MEMORY_REGION(cell, slab->cell);
	}
	if (++slab->n_used == slab->n_cells)
		list_remove(&slab->link);
	return cell;
}

void slabs_give(struct slabs *s, void *p, size_t n)
{
	if (n > CELL_MAX) {
		free(p);
		return;
	}
	struct slab *slab = (struct slab *)((uintptr_t)p & ~(uintptr_t)(SLAB_SIZE - 1));

	assert(slab->class == class_of(n) && slab->n_used > 0);
	*(void **)p = slab->free;
	slab->free = p;
	ASAN_POISON_MEMORY_REGION(p, slab->cell);
	if (slab->n_used-- == slab->n_cells)
		list_push_front(&s->partial[slab->class], &slab->link);
	if (slab->n_used == 0) {
		list_remove(&slab->link);
		list_push_front(&s->empty, &slab->link);
	}
}

/* Two classes a doubling: class 0 is 32 bytes, 1 is 48, 2 is 64 ...; the last one fills a slab. */
static unsigned class_of(size_t n)
{
	size_t size = CELL_MIN;
	unsigned class = 0;

	while (size < n) {
		size = class % 2 == 0 ? size + size / 2 : size / 3 * 4;
		class ++;
	}
	return class;
}

static uint32_t class_size(unsigned class)
{
	uint32_t size = CELL_MIN << (class / 2);

	size = class % 2 == 0 ? size : size + size / 2;
	return size > CELL_MAX ? CELL_MAX : size;
}

static struct slab *slab_start(struct slabs *s, unsigned class)
{
	if (list_empty(&s->empty) && region_add(s))
		return NULL;
	struct slab *slab = container_of(list_pop_front(&s->empty), struct slab, link);

	slab->free = NULL;
	slab->n_used = slab->n_carved = 0;
	slab->class = class;
	slab->cell = class_size(class);
	slab->n_cells = CELL_MAX / slab->cell;
	ASAN_POISON_MEMORY_REGION((char *)slab + SLAB_HEADER, CELL_MAX);
	list_push_front(&s->partial[class], &slab->link);
	return slab;
}

static int region_add(struct slabs *s)
{
	struct slab_region *r = malloc(sizeof *r);
	char *mem = aligned_alloc(SLAB_SIZE, REGION_SLABS * SLAB_SIZE);

	if (!r || !mem) {
		free(r);
		free(mem);
		return -ENOMEM;
	}
	*r = (struct slab_region){.next = s->regions, .mem = mem};
	s->regions = r;
	for (unsigned i = 0; i < REGION_SLABS; i++) {
		struct slab *slab = (struct slab *)(void *)(mem + i * SLAB_SIZE);

		list_init(&slab->link);
		list_push_back(&s->empty, &slab->link);
	}
	return 0;
}
