/*
 * pool: a free list threaded through the entries that were given back; those never taken follow from
 * `fresh` on, so that a large pool costs no memory before it is used.
 */
#include "bundle/base/pool.h"

#include <assert.h>
#include <stdlib.h>

int pool_init(struct pool *p, size_t n, size_t size)
{
	size_t step = (size + 15) & ~(size_t)15;

	*p = (struct pool){.mem = calloc(n, step)};
	if (!p->mem)
		return -ENOMEM;
	p->n = p->n_free = n;
	p->step = step;
	return 0;
}

void pool_fini(struct pool *p)
{
	free(p->mem);
	*p = (struct pool){0};
}

void *pool_take(struct pool *p)
{
	void **entry = p->free;

	if (p->n_free == 0)
		return NULL;
	p->n_free--;
	if (!entry)
		return (char *)p->mem + p->fresh++ * p->step;
	p->free = *entry;
	return entry;
}

void pool_give(struct pool *p, void *entry)
{
	assert(entry);
	*(void **)entry = p->free;
	p->free = entry;
	p->n_free++;
}
