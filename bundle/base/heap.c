/*
 * heap: see heap.h. Sift up and down move the entry's own record of its place along.
 */
#include "bundle/base/heap.h"

#include <assert.h>
#include <stdlib.h>

static bool less(const struct heap_node *a, const struct heap_node *b);
static void place(struct heap *h, size_t at, struct heap_node *e);
static void sift_up(struct heap *h, size_t at);
static void sift_down(struct heap *h, size_t at);

void heap_init(struct heap *h)
{
	*h = (struct heap){0};
}

void heap_fini(struct heap *h)
{
	free(h->slot);
	heap_init(h);
}

int heap_reserve(struct heap *h, size_t n)
{
	struct heap_node **slot;

	if (n <= h->cap)
		return 0;
	slot = reallocarray(h->slot, n, sizeof(struct heap_node *));
	if (!slot)
		return -ENOMEM;
	h->slot = slot;
	h->cap = n;
	return 0;
}

void heap_node_init(struct heap_node *e)
{
	e->at = HEAP_OUT;
}

bool heap_has(const struct heap_node *e)
{
	return e->at != HEAP_OUT;
}

struct heap_node *heap_min(const struct heap *h)
{
	return h->n ? h->slot[0] : NULL;
}

int heap_push(struct heap *h, struct heap_node *e, int64_t key, uint64_t tie)
{
	assert(!heap_has(e));
	if (h->n == h->cap) {
		int err = heap_reserve(h, h->cap ? 2 * h->cap : 64);
		if (err)
			return err;
	}
	e->key = key;
	e->tie = tie;
	place(h, h->n++, e);
	sift_up(h, e->at);
	return 0;
}

void heap_move(struct heap *h, struct heap_node *e, int64_t key)
{
	bool earlier = key < e->key;

	assert(e->at < h->n && h->slot[e->at] == e);
	if (key == e->key)
		return;
	e->key = key;
	if (earlier)
		sift_up(h, e->at);
	else
		sift_down(h, e->at);
}

void heap_remove(struct heap *h, struct heap_node *e)
{
	size_t at = e->at;

	if (at == HEAP_OUT)
		return;
	assert(at < h->n && h->slot[at] == e);
	e->at = HEAP_OUT;
	if (at == --h->n)
		return;
	place(h, at, h->slot[h->n]);
	sift_up(h, at);
	sift_down(h, at);
}

static bool less(const struct heap_node *a, const struct heap_node *b)
{
	return a->key != b->key ? a->key < b->key : a->tie < b->tie;
}

static void place(struct heap *h, size_t at, struct heap_node *e)
{
	h->slot[at] = e;
	e->at = at;
}

static void sift_up(struct heap *h, size_t at)
{
	struct heap_node *e = h->slot[at];

	while (at > 0 && less(e, h->slot[(at - 1) / 2])) {
		place(h, at, h->slot[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	place(h, at, e);
}

static void sift_down(struct heap *h, size_t at)
{
	struct heap_node *e = h->slot[at];

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= h->n)
			break;
		if (child + 1 < h->n && less(h->slot[child + 1], h->slot[child]))
			child++;
		if (!less(h->slot[child], e))
			break;
		place(h, at, h->slot[child]);
		at = child;
	}
	place(h, at, e);
}
