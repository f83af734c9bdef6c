/*
 * pool: a free list threaded through the unused entries.
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
	p->n = n;
	for (size_t i = n; i-- > 0;)
		pool_give(p, (char *)p->mem + i * step);
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

	if (!entry)
		return NULL;
	p->free = *entry;
	p->n_free--;
	return entry;
}

void pool_give(struct pool *p, void *entry)
{
	assert(entry);
	*(void **)entry = p->free;
	p->free = entry;
	p->n_free++;
}
