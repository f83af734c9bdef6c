/*
 * extents: a treap: a search tree by offset that is a heap by a salted hash of the offset, so that its
 * depth is about 2 ln n whatever the order. Loops, no recursion.
 *
 * k fragments have at most 2k - 1 extents: each extent begins where a fragment begins or where an
 * earlier one ends. Start reading at extents_add().
 */
#include "dtn/agent/extents.h"

#include "bundle/base/hash.h"

#include <assert.h>

static void insert(struct extents *s, struct extent *x);
static void take_out(struct extents *s, struct extent *x);
static uint64_t priority(const struct extents *s, const struct extent *x);

const struct extent *extents_from(const struct extents *s, uint64_t off)
{
	const struct extent *best = NULL;

	for (const struct extent *x = s->root; x;) {
		if (x->off + x->len > off) {
			best = x;
			x = x->left;
		} else {
			x = x->right;
		}
	}
	return best;
}

uint64_t extents_missing(const struct extents *s, uint64_t off, uint64_t len)
{
	uint64_t end = off + len, missing = len;

	while (off < end) {
		const struct extent *x = extents_from(s, off);
		uint64_t from, to;

		if (!x || x->off >= end)
			break;
		from = x->off > off ? x->off : off;
		to = x->off + x->len < end ? x->off + x->len : end;
		missing -= to - from;
		off = to;
	}
	return missing;
}

uint64_t extents_add(struct extents *s, struct pool *pool, uint64_t off, uint64_t len, uint64_t id)
{
	uint64_t end = off + len, before = s->bytes;

	for (uint64_t at = off; at < end;) {
		const struct extent *next = extents_from(s, at);
		uint64_t to = next && next->off < end ? next->off : end;

		if (to > at) {
			struct extent *x = pool_take(pool);

			assert(x);
			*x = (struct extent){.off = at, .len = to - at, .id = id, .at = at - off};
			insert(s, x);
			s->bytes += x->len;
			s->n++;
		}
		at = next && next->off < end ? next->off + next->len : end;
	}
	return s->bytes - before;
}

void extents_drop(struct extents *s, struct pool *pool, uint64_t off, uint64_t len, uint64_t id)
{
	uint64_t end = off + len;

	while (off < end) {
		struct extent *x = (struct extent *)(uintptr_t)extents_from(s, off);

		if (!x || x->off >= end)
			break;
		off = x->off + x->len;
		if (x->id != id)
			continue;
		take_out(s, x);
		s->bytes -= x->len;
		s->n--;
		pool_give(pool, x);
	}
}

void extents_clear(struct extents *s, struct pool *pool)
{
	while (s->root) {
		struct extent *x = s->root, *less = x->left;

		if (less) { /* turned to the right until the least is on top */
			x->left = less->right;
			less->right = x;
			s->root = less;
		} else {
			s->root = x->right;
			pool_give(pool, x);
		}
	}
	s->bytes = s->n = 0;
}

/* Down to the first node of lower priority; that subtree is split below x. */
static void insert(struct extents *s, struct extent *x)
{
	struct extent **at = &s->root, **less = &x->left, **more = &x->right, *rest;
	uint64_t p = priority(s, x);

	while (*at && priority(s, *at) >= p)
		at = x->off < (*at)->off ? &(*at)->left : &(*at)->right;
	rest = *at;
	*at = x;
	while (rest) {
		if (rest->off < x->off) {
			*less = rest;
			less = &rest->right;
			rest = rest->right;
		} else {
			*more = rest;
			more = &rest->left;
			rest = rest->left;
		}
	}
	*less = *more = NULL;
}

static void take_out(struct extents *s, struct extent *x)
{
	struct extent **at = &s->root, *a = x->left, *b = x->right;

	while (*at != x)
		at = x->off < (*at)->off ? &(*at)->left : &(*at)->right;
	while (a && b) {
		if (priority(s, a) >= priority(s, b)) {
			*at = a;
			at = &a->right;
			a = a->right;
		} else {
			*at = b;
			at = &b->left;
			b = b->left;
		}
	}
	*at = a ? a : b;
}

static uint64_t priority(const struct extents *s, const struct extent *x)
{
	return hash_mix(x->off ^ s->salt);
}
