/*
 * table: the rows of a store in memory: a hash table to find one, and a treap for each kind to walk them
 * in order of id.
 *
 * Treap: a binary search tree by id that is a heap by hash_mix(id), so its shape depends only on what is
 * in it and its depth is about 2 ln n. Ids are our own or the agent's, not a peer's choice; the hash is
 * without a key for the same reason, so a run is the same everywhere. All functions walk with loops, not
 * by recursion. Start reading at table_add().
 */
#include "dtn/store/impl.h"

#include <assert.h>

struct key {
	enum store_kind kind;
	uint64_t id;
};

static uint64_t key_hash(enum store_kind kind, uint64_t id);
static bool key_equal(const struct hash_node *n, const void *key);
static void treap_insert(struct entry **at, struct entry *e);
static void treap_remove(struct entry **at, struct entry *e);

struct entry *table_find(const struct store *st, enum store_kind kind, uint64_t id)
{
	struct key key = {kind, id};
	struct hash_node *n = hash_find(&st->table, key_hash(kind, id), key_equal, &key);

	return n ? container_of(n, struct entry, node) : NULL;
}

struct entry *table_add(struct store *st, enum store_kind kind, uint64_t id)
{
	struct entry *e = slabs_take(&st->slabs, sizeof *e);

	if (!e)
		return NULL;
	*e = (struct entry){.id = id, .kind = (uint8_t)kind};
	list_init(&e->in_segment);
	list_init(&e->cached);
	if (hash_insert(&st->table, &e->node, key_hash(kind, id))) {
		slabs_give(&st->slabs, e, sizeof *e);
		return NULL;
	}
	treap_insert(&st->root[kind], e);
	return e;
}

void table_drop(struct store *st, struct entry *e)
{
	assert(!e->op && !e->is_running);
	stage_uncache(st, e);
	store_cell_unref(st, e->value);
	store_cell_unref(st, e->saved);
	store_cell_unref(st, e->head_cell);
	store_cell_unref(st, e->payload_cell);
	list_remove(&e->in_segment);
	hash_remove(&st->table, &e->node);
	treap_remove(&st->root[e->kind], e);
	if (e->counter) {
		slabs_give(&st->slabs, e->counter, sizeof *e->counter);
		st->n_counters--;
	}
	slabs_give(&st->slabs, e, sizeof *e);
}

struct entry *table_after(const struct store *st, enum store_kind kind, uint64_t id)
{
	struct entry *best = NULL;

	for (struct entry *e = st->root[kind]; e;) {
		if (e->id > id) {
			best = e;
			e = e->left;
		} else {
			e = e->right;
		}
	}
	return best;
}

struct entry *table_first(const struct store *st, enum store_kind kind)
{
	struct entry *e = st->root[kind];

	while (e && e->left)
		e = e->left;
	return e;
}

static uint64_t key_hash(enum store_kind kind, uint64_t id)
{
	return hash_mix(id + ((uint64_t)kind << 56));
}

static bool key_equal(const struct hash_node *n, const void *key)
{
	const struct entry *e = container_of(n, struct entry, node);
	const struct key *k = key;

	return e->kind == k->kind && e->id == k->id;
}

static uint64_t priority(const struct entry *e)
{
	return hash_mix(e->id ^ UINT64_C(0x9e3779b97f4a7c15));
}

/* Goes down to the first node of lower priority, puts e there and splits that subtree below it. */
static void treap_insert(struct entry **at, struct entry *e)
{
	uint64_t p = priority(e);

	while (*at && priority(*at) >= p)
		at = e->id < (*at)->id ? &(*at)->left : &(*at)->right;

	struct entry *rest = *at, **less = &e->left, **more = &e->right;
	*at = e;
	while (rest) {
		if (rest->id < e->id) {
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

/* Finds e by its id and puts its two subtrees, merged, into its place. */
static void treap_remove(struct entry **at, struct entry *e)
{
	while (*at != e) {
		assert(*at);
		at = e->id < (*at)->id ? &(*at)->left : &(*at)->right;
	}
	struct entry *a = e->left, *b = e->right;
	while (a && b) {
		if (priority(a) >= priority(b)) {
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
