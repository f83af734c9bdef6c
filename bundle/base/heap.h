/*
 * heap: intrusive binary min-heap in an array of pointers. Entries know their place, so any entry
 * can be moved or removed. Order: (key, tie); equal pairs must not exist where order matters.
 */
#ifndef OWLT_BASE_HEAP_H
#define OWLT_BASE_HEAP_H

#include "bundle/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAP_OUT SIZE_MAX

struct heap_node {
	int64_t key;  /* usually a time, us */
	uint64_t tie; /* decides between equal keys */
	size_t at;    /* place in the array; HEAP_OUT when in no heap */
};

struct heap {
	struct heap_node **slot;
	size_t n, cap;
};

void heap_init(struct heap *h);
void heap_fini(struct heap *h);
/* Room for n entries, so that heap_push can't fail up to there. -ENOMEM. */
int heap_reserve(struct heap *h, size_t n) MUST_USE;
void heap_node_init(struct heap_node *e);
bool heap_has(const struct heap_node *e);
/* The least entry, borrowed; NULL when empty. */
struct heap_node *heap_min(const struct heap *h);
/* Puts in an entry that is in no heap. 0 or -ENOMEM. */
int heap_push(struct heap *h, struct heap_node *e, int64_t key, uint64_t tie) MUST_USE;
/* Another key for an entry that is in; its tie stays. */
void heap_move(struct heap *h, struct heap_node *e, int64_t key);
/* Takes out an entry; nothing happens if it is not in. */
void heap_remove(struct heap *h, struct heap_node *e);

#endif
