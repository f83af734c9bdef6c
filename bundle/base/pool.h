/*
 * pool: a fixed number of equal entries, allocated once; take and give cost a few instructions.
 */
#ifndef OWLT_BASE_POOL_H
#define OWLT_BASE_POOL_H

#include "bundle/base/err.h"

#include <stddef.h>

struct pool {
	void *mem;
	void *free;
	size_t n_free, n;
	size_t step, fresh; /* bytes of an entry; how many were ever taken */
};

/* n entries of `size` bytes each (rounded up to 16), all zero. 0 or -ENOMEM. */
int pool_init(struct pool *p, size_t n, size_t size) MUST_USE;
void pool_fini(struct pool *p);
/* An entry with unspecified contents; NULL when the pool is empty. */
void *pool_take(struct pool *p);
/* Gives back what pool_take gave. */
void pool_give(struct pool *p, void *entry);

#endif
