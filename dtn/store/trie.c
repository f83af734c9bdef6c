/*
 * trie: see trie.h. A node is a map of its children and their pointers in order, in a cell of the slabs
 * that has room for as many; it moves to another cell when it outgrows that, or fits a smaller one. In a cell
 * with room for all of them (a wide one) each pointer has its own place. A node without children does not
 * stay. Inserting makes the missing nodes below the last one on the way first, then hangs them in, so a
 * failed allocation changes nothing. Start reading at trie_find().
 */
#include "dtn/store/trie.h"

#include "dtn/store/slabs.h"

#include <assert.h>
#include <string.h>

#define BITS 6u
#define LEVELS 11u /* of 64-bit keys */
#define WIDE (sizeof(struct trie_node) + (sizeof(void *) << BITS))
#define RISEN 8u /* children that came in order */

struct trie_node {
	uint64_t map;
	void *slot[];
};

static struct trie_node *chain_new(struct slabs *s, unsigned levels, uint64_t key, void *thing);
static void chain_free(struct slabs *s, struct trie_node *n, unsigned levels);
static bool is_wide(const struct trie_node *n);
static int node_add(struct slabs *s, struct trie_node **at, unsigned digit, void *child);
static bool node_remove(struct slabs *s, struct trie_node **at, unsigned digit);
static size_t grown(const struct trie_node *n, unsigned digit);
static int node_move(struct slabs *s, struct trie_node **at, size_t bytes);
static bool has_room(const struct trie_node *n);
static bool is_roomy(const struct trie_node *n);
static void slot_add(struct trie_node *n, unsigned digit, void *child);
static void slot_remove(struct trie_node *n, unsigned digit);

static unsigned digit_of(uint64_t key, unsigned level)
{
	return key >> (BITS * level) & 63;
}

/* Bits that are set. The compiler's own is a call where a processor might lack the instruction. */
static inline unsigned count_of(uint64_t map)
{
	const uint64_t pairs = UINT64_C(0x3333333333333333);

	map -= map >> 1 & UINT64_C(0x5555555555555555);
	map = (map & pairs) + (map >> 2 & pairs);
	map = (map + (map >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return (unsigned)(map * UINT64_C(0x0101010101010101) >> 56);
}

/* Does the key lie below a root of so many levels? */
static bool is_below(uint64_t key, unsigned height)
{
	return height >= LEVELS || key >> (BITS * height) == 0;
}

static size_t node_bytes(const struct trie_node *n)
{
	return sizeof *n + (size_t)count_of(n->map) * sizeof n->slot[0];
}

/* Where one with this digit is, or would be. Often all before it are there. */
static unsigned index_of(const struct trie_node *n, unsigned digit)
{
	uint64_t all = (UINT64_C(1) << digit) - 1, before = n->map & all;

	return before == all || is_wide(n) ? digit : count_of(before);
}

static bool has(const struct trie_node *n, unsigned digit)
{
	return n->map >> digit & 1;
}

static void *child_of(const struct trie_node *n, unsigned digit)
{
	return has(n, digit) ? n->slot[index_of(n, digit)] : NULL;
}

/* The node with the key's place, if it was used lately: neighbours come, are looked for and go together. */
static struct trie_node *near(const struct trie *t, uint64_t key)
{
	const struct trie_near *at = &t->near[key >> BITS & (TRIE_NEAR - 1)];

	return at->key == key >> BITS ? at->leaf : NULL;
}

static void keep_near(struct trie *t, uint64_t key, struct trie_node *leaf)
{
	t->near[key >> BITS & (TRIE_NEAR - 1)] = (struct trie_near){leaf, key >> BITS};
}

void *trie_find(struct trie *t, uint64_t key)
{
	struct trie_node *n = near(t, key);

	if (n)
		return child_of(n, digit_of(key, 0));
	if (!t->root || !is_below(key, t->height))
		return NULL;
	n = t->root;
	for (unsigned level = t->height - 1; n && level > 0; level--)
		n = child_of(n, digit_of(key, level));
	if (!n)
		return NULL;
	keep_near(t, key, n);
	return child_of(n, digit_of(key, 0));
}

void *trie_from(const struct trie *t, uint64_t key)
{
	struct trie_node *path[LEVELS];
	unsigned level = t->height - 1;

	if (!t->root || !is_below(key, t->height))
		return NULL;
	path[level] = t->root;
	for (;;) {
		unsigned digit = digit_of(key, level);
		uint64_t rest = path[level]->map >> digit << digit;

		while (rest == 0) { /* nothing more here: the next child of one above */
			if (++level == t->height)
				return NULL;
			digit = digit_of(key, level);
			rest = digit == 63 ? 0 : path[level]->map >> (digit + 1) << (digit + 1);
		}
		unsigned least = (unsigned)__builtin_ctzll(rest);
		void *child = path[level]->slot[index_of(path[level], least)];

		if (level == 0)
			return child;
		if (least != digit)
			key = 0; /* below it, the least of all */
		path[--level] = child;
	}
}

int trie_insert(struct trie *t, struct slabs *s, uint64_t key, void *thing)
{
	struct trie_node **at = &t->root, *leaf = near(t, key);

	if (leaf && has_room(leaf)) {
		slot_add(leaf, digit_of(key, 0), thing);
		t->n++;
		return 0;
	}
	while (t->root && !is_below(key, t->height)) {
		struct trie_node *up = slabs_take(s, sizeof *up + sizeof up->slot[0]);

		if (!up)
			return -ENOMEM;
		up->map = 1;
		up->slot[0] = t->root;
		t->root = up;
		t->height++;
	}
	if (!t->root) {
		unsigned height = 1;

		while (!is_below(key, height))
			height++;
		t->root = chain_new(s, height, key, thing);
		t->height = t->root ? height : 0;
		keep_near(t, key, NULL);
		t->n += t->root != NULL;
		return t->root ? 0 : -ENOMEM;
	}
	unsigned level = t->height - 1;

	for (; level > 0 && has(*at, digit_of(key, level)); level--)
		at = (void *)&(*at)->slot[index_of(*at, digit_of(key, level))];
	void *child = level > 0 ? chain_new(s, level, key, thing) : thing;
	int err = child ? node_add(s, at, digit_of(key, level), child) : -ENOMEM;

	if (err && child && level > 0)
		chain_free(s, child, level);
	t->n += !err;
	keep_near(t, key, level > 0 ? NULL : *at);
	return err;
}

void trie_remove(struct trie *t, struct slabs *s, uint64_t key)
{
	struct trie_node **path[LEVELS], *leaf = near(t, key);
	unsigned level = t->height - 1;

	if (leaf && (leaf->map & (leaf->map - 1)) && !is_roomy(leaf)) {
		slot_remove(leaf, digit_of(key, 0));
		t->n--;
		return;
	}
	path[level] = &t->root;
	for (; level > 0; level--) {
		struct trie_node *n = *path[level];

		path[level - 1] = (void *)&n->slot[index_of(n, digit_of(key, level))];
	}
	t->n--;
	keep_near(t, key, NULL);
	while (node_remove(s, path[level], digit_of(key, level)))
		if (++level == t->height) {
			*t = (struct trie){0};
			return;
		}
	if (level == 0)
		keep_near(t, key, *path[0]);
}

/* Nodes with one child each: `levels` of them above the thing. */
static struct trie_node *chain_new(struct slabs *s, unsigned levels, uint64_t key, void *thing)
{
	void *below = thing;

	for (unsigned level = 0; level < levels; level++) {
		struct trie_node *n = slabs_take(s, sizeof *n + sizeof n->slot[0]);

		if (!n) {
			chain_free(s, below, level);
			return NULL;
		}
		n->map = UINT64_C(1) << digit_of(key, level);
		n->slot[0] = below;
		below = n;
	}
	return below;
}

static void chain_free(struct slabs *s, struct trie_node *n, unsigned levels)
{
	while (levels-- > 0) {
		struct trie_node *below = n->slot[0];

		slabs_give(s, n, slabs_room(n));
		n = below;
	}
}

static int node_add(struct slabs *s, struct trie_node **at, unsigned digit, void *child)
{
	if (!has_room(*at) && node_move(s, at, grown(*at, digit)))
		return -ENOMEM;
	slot_add(*at, digit, child);
	return 0;
}

/* Bytes for one more. Keys mostly rise one by one: a node of such is wide soon. */
static size_t grown(const struct trie_node *n, unsigned digit)
{
	bool rises = digit >= RISEN && n->map == (UINT64_C(1) << digit) - 1;

	return rises ? WIDE : node_bytes(n) + sizeof n->slot[0];
}

/* For one child more. */
static bool has_room(const struct trie_node *n)
{
	return is_wide(n) || node_bytes(n) + sizeof n->slot[0] <= slabs_room(n);
}

/* It may fit a smaller cell when one is gone. */
static bool is_roomy(const struct trie_node *n)
{
	return node_bytes(n) - sizeof n->slot[0] <= slabs_room(n) / 2;
}

static void slot_add(struct trie_node *n, unsigned digit, void *child)
{
	unsigned k = index_of(n, digit);

	assert(!has(n, digit));
	if (n->map >> digit && !is_wide(n))
		memmove(n->slot + k + 1, n->slot + k, (count_of(n->map) - k) * sizeof child);
	n->slot[k] = child;
	n->map |= UINT64_C(1) << digit;
}

static void slot_remove(struct trie_node *n, unsigned digit)
{
	unsigned k = index_of(n, digit);

	assert(has(n, digit));
	n->map &= ~(UINT64_C(1) << digit);
	if (n->map >> digit && !is_wide(n))
		memmove(n->slot + k, n->slot + k + 1, (count_of(n->map) - k) * sizeof n->slot[0]);
}

/* True: it had no other child and is gone. */
static bool node_remove(struct slabs *s, struct trie_node **at, unsigned digit)
{
	struct trie_node *n = *at;

	slot_remove(n, digit);
	if (n->map == 0) {
		slabs_give(s, n, slabs_room(n));
		return true;
	}
	if (slabs_size(node_bytes(n)) <= slabs_room(n) / 2)
		node_move(s, at, node_bytes(n));
	return false;
}

/* Into a cell for so many bytes. */
static int node_move(struct slabs *s, struct trie_node **at, size_t bytes)
{
	struct trie_node *from = *at, *to = slabs_take(s, bytes);

	if (!to)
		return -ENOMEM;
	bool was_wide = is_wide(from), wide = is_wide(to);
	unsigned i = 0;

	to->map = from->map;
	for (uint64_t rest = from->map; rest; rest &= rest - 1, i++) {
		unsigned digit = (unsigned)__builtin_ctzll(rest);

		to->slot[wide ? digit : i] = from->slot[was_wide ? digit : i];
	}
	slabs_give(s, from, slabs_room(from));
	*at = to;
	return 0;
}

static bool is_wide(const struct trie_node *n)
{
	return slabs_room(n) >= WIDE;
}
