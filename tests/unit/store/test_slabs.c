/* Cells of all sizes: apart from each other, aligned, and sizes may change without the slabs growing. */
#include "dtn/store/slabs.h"

#include "bundle/base/rng.h"

#include <criterion/criterion.h>
#include <string.h>

enum { CELLS = 300 };

struct held {
	uint8_t *p;
	size_t n;
	uint8_t mark;
};

static void give(struct slabs *s, struct held *h)
{
	for (size_t i = 0; i < h->n; i++)
		cr_assert_eq(h->p[i], h->mark);
	slabs_give(s, h->p, h->n);
	h->p = NULL;
}

static size_t count_empty(const struct slabs *s)
{
	size_t n = 0;

	for (const struct link_node *l = s->empty.next; l != &s->empty; l = l->next)
		n++;
	return n;
}

Test(slabs, cells_do_not_overlap)
{
	static struct held held[CELLS];
	struct slabs s;
	struct rng r;

	slabs_init(&s, 1 << 20);
	rng_init(&r, 3, 4);
	for (unsigned step = 0; step < 20000; step++) {
		struct held *h = &held[rng_below(&r, CELLS)];

		if (h->p) {
			give(&s, h);
			continue;
		}
		h->n = 1 + rng_below(&r, rng_below(&r, 20) ? 2000 : 80000);
		h->mark = (uint8_t)step;
		h->p = slabs_take(&s, h->n);
		cr_assert(h->p);
		cr_assert_eq((uintptr_t)h->p % 8, 0);
		memset(h->p, h->mark, h->n);
	}
	for (unsigned i = 0; i < CELLS; i++)
		if (held[i].p)
			give(&s, &held[i]);
	slabs_fini(&s);
}

Test(slabs, empty_slabs_serve_other_sizes)
{
	static void *cell[1000];
	struct slabs s;
	size_t empty = 0;

	slabs_init(&s, 1 << 20);
	for (size_t size = 32; size <= 49152; size += size / 2) {
		size_t n = 1000000 / size < 1000 ? 1000000 / size : 1000;

		for (size_t i = 0; i < n; i++)
			cr_assert(cell[i] = slabs_take(&s, size));
		for (size_t i = 0; i < n; i++)
			slabs_give(&s, cell[i], size);
		cr_assert(count_empty(&s) <= 48, "%zu", count_empty(&s));
		empty = count_empty(&s);
	}
	cr_assert_eq(empty % 16, 0, "all slabs are empty again");
	slabs_fini(&s);
}
