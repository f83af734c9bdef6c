/*
 * slabs: cells of fixed sizes in 64 KiB slabs.
 *
 * A slab lies at an address divisible by its size and begins with its header, so a cell finds its slab
 * by masking its address. Sizes have four steps per doubling (32, 40, 48, 56, 64, 80, ...), so at most a
 * fifth is wasted. Cells are carved from a fresh slab only when they are needed: untouched pages cost nothing.
 * Under AddressSanitizer free cells are poisoned, so a view that is read after its turn is found.
 * Start reading at slabs_take().
 */
#include "dtn/store/slabs.h"

#include <stdlib.h>
#include <sys/mman.h>

#define REGION_SLABS 16u
#define REGION_HUGE 32u /* of all regions but the first: one page of 2 MiB, where there are such */

struct slab_region {
	struct slab_region *next;
	void *mem;
	unsigned n_slabs;
};

static size_t class_size(unsigned class);
static uint32_t cell_size(unsigned class);
static struct slab *slab_start(struct slabs *s, unsigned class);
static int region_add(struct slabs *s);

void slabs_init(struct slabs *s, uint64_t big_most)
{
	_Static_assert(sizeof(struct slab) <= SLAB_HEADER, "slab header");
	*s = (struct slabs){.big_most = big_most};
	for (unsigned i = 0; i < SLAB_CLASSES; i++)
		list_init(&s->partial[i]);
	list_init(&s->empty);
}

void slabs_fini(struct slabs *s)
{
	for (unsigned i = 0; i < SLAB_BIG_CLASSES; i++)
		for (void *p; (p = s->big[i]);) {
			ASAN_UNPOISON_MEMORY_REGION(p, sizeof(void *));
			s->big[i] = *(void **)p;
			free(p);
		}
	while (s->regions) {
		struct slab_region *r = s->regions;

		s->regions = r->next;
		ASAN_UNPOISON_MEMORY_REGION(r->mem, r->n_slabs * SLAB_SIZE);
		free(r->mem);
		free(r);
	}
	slabs_init(s, s->big_most);
}

void *slabs_take_class(struct slabs *s, unsigned class)
{
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

void slabs_give_class(struct slabs *s, void *p)
{
	struct slab *slab = slab_of(p);

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

size_t slabs_size(size_t n)
{
	return n > SLAB_CELL_MAX ? class_size(slabs_class(n)) : cell_size(slabs_class(n));
}

size_t slabs_bytes(const struct slabs *s)
{
	size_t n = 0;

	for (const struct slab_region *r = s->regions; r; r = r->next)
		n += r->n_slabs * SLAB_SIZE;
	return n;
}

/* -- cells beyond a slab */

static unsigned big_class(size_t n)
{
	return slabs_class(n) - slabs_class(SLAB_CELL_MAX);
}

void *slabs_take_big(struct slabs *s, size_t n)
{
	unsigned class = big_class(n);
	void *p = class < SLAB_BIG_CLASSES ? s->big[class] : NULL;

	if (!p)
		return malloc(class < SLAB_BIG_CLASSES ? slabs_size(n) : n);
	ASAN_UNPOISON_MEMORY_REGION(p, slabs_size(n));
	s->big[class] = *(void **)p;
	s->big_kept -= slabs_size(n);
	return p;
}

void slabs_give_big(struct slabs *s, void *p, size_t n)
{
	unsigned class = big_class(n);

	if (class >= SLAB_BIG_CLASSES || s->big_kept + slabs_size(n) > s->big_most) {
		free(p);
		return;
	}
	*(void **)p = s->big[class];
	s->big[class] = p;
	s->big_kept += slabs_size(n);
	ASAN_POISON_MEMORY_REGION(p, slabs_size(n));
}

/* -- sizes */

/* The last one fills a slab. */
static size_t class_size(unsigned class)
{
	if (class == 0)
		return SLAB_CELL_MIN;
	unsigned b = 5 + (class - 1) / 4, quarter = (class - 1) % 4;

	return ((size_t)1 << b) + ((size_t)(quarter + 1) << (b - 2));
}

static uint32_t cell_size(unsigned class)
{
	size_t size = class_size(class);

	return size > SLAB_CELL_MAX ? SLAB_CELL_MAX : (uint32_t)size;
}

static struct slab *slab_start(struct slabs *s, unsigned class)
{
	if (list_empty(&s->empty) && region_add(s))
		return NULL;
	struct slab *slab = container_of(list_pop_front(&s->empty), struct slab, link);

	slab->free = NULL;
	slab->n_used = slab->n_carved = 0;
	slab->class = class;
	slab->cell = cell_size(class);
	slab->n_cells = SLAB_CELL_MAX / slab->cell;
	ASAN_POISON_MEMORY_REGION((char *)slab + SLAB_HEADER, SLAB_CELL_MAX);
	list_push_front(&s->partial[class], &slab->link);
	return slab;
}

/* The first one is small, for stores that stay so; a fault for each 4 KiB of the others would cost
 * more than what is put there. */
static int region_add(struct slabs *s)
{
	unsigned n = s->regions ? REGION_HUGE : REGION_SLABS;
	struct slab_region *r = malloc(sizeof *r);
	char *mem = aligned_alloc(s->regions ? n * SLAB_SIZE : SLAB_SIZE, n * SLAB_SIZE);

	if (!r || !mem) {
		free(r);
		free(mem);
		return -ENOMEM;
	}
	if (s->regions)
		(void)madvise(mem, n * SLAB_SIZE, MADV_HUGEPAGE); /* a wish */
	*r = (struct slab_region){.next = s->regions, .mem = mem, .n_slabs = n};
	s->regions = r;
	for (unsigned i = 0; i < n; i++) {
		struct slab *slab = (struct slab *)(void *)(mem + i * SLAB_SIZE);

		list_init(&slab->link);
		list_push_back(&s->empty, &slab->link);
	}
	return 0;
}
