/*
 * local: what only this folder's files share: growing arrays and the nodes' local bundle ids.
 */
#ifndef OWLT_DATASET_LOCAL_H
#define OWLT_DATASET_LOCAL_H

#include "dtn/dataset/dataset.h"

#include <stddef.h>

static inline struct ds_bundle *container_of_bundle(const struct hash_node *n)
{
	return (struct ds_bundle *)(void *)((char *)(uintptr_t)n -
					    offsetof(struct ds_bundle, in_table));
}

/* Room for one more element of `size` bytes behind the n there are. 0 or -ENOMEM. */
int local_grow(void **array, size_t *cap, size_t n, size_t size) MUST_USE;
/* Widens the span of everything seen. */
void local_saw(struct dataset *d, int64_t t);
/* Frees what log.c keeps by local id. */
void local_free_all(struct dataset *d);

#endif
