/*
 * table: the rows of a store in memory: for each kind a trie (trie.h) by id, which finds one and walks
 * them in order. Ids are our own or the agent's, not a peer's choice, and lie close together. What a
 * stored row costs is its entry; a bundle's bytes hang beside it only while they are in memory.
 * Start reading at table_add().
 */
#include "dtn/store/impl.h"

#include <assert.h>

static size_t entry_size(enum store_kind kind)
{
	return kind == STORE_BUNDLE ? sizeof(struct bundle) : sizeof(struct entry);
}

struct entry *table_find(const struct store *st, enum store_kind kind, uint64_t id)
{
	return trie_find(
		(struct trie *)(uintptr_t)&st->table[kind], id); /* it keeps where it was */
}

struct entry *table_after(const struct store *st, enum store_kind kind, uint64_t id)
{
	return id == UINT64_MAX ? NULL : trie_from(&st->table[kind], id + 1);
}

struct entry *table_add(struct store *st, enum store_kind kind, uint64_t id)
{
	struct entry *e = slabs_take(&st->slabs, entry_size(kind));

	if (!e)
		return NULL;
	memset(e, 0, entry_size(kind));
	e->id = id;
	e->kind = (uint8_t)kind;
	if (kind == STORE_BUNDLE)
		list_init(&bundle_of(e)->in_segment);
	if (trie_insert(&st->table[kind], &st->slabs, id, e)) {
		slabs_give(&st->slabs, e, entry_size(kind));
		return NULL;
	}
	return e;
}

void table_drop(struct store *st, struct entry *e)
{
	assert(!e->op && !e->is_running);
	store_cell_unref(st, e->value);
	if (e->kind == STORE_BUNDLE) {
		table_unload(st, e);
		list_remove(&bundle_of(e)->in_segment);
	}
	if (e->kind == STORE_RESERVED && e->counter) {
		slabs_give(&st->slabs, e->counter, sizeof *e->counter);
		st->n_counters--;
	}
	trie_remove(&st->table[e->kind], &st->slabs, e->id);
	slabs_give(&st->slabs, e, entry_size(e->kind));
}

struct body *table_body(struct store *st, struct entry *e)
{
	if (e->body)
		return e->body;
	e->body = slabs_take(&st->slabs, sizeof *e->body);
	if (!e->body)
		return NULL;
	*e->body = (struct body){.entry = e};
	list_init(&e->body->cached);
	return e->body;
}

void table_unload(struct store *st, struct entry *e)
{
	struct body *b = e->body;

	if (!b)
		return;
	stage_uncache(st, e);
	store_cell_unref(st, b->head_cell);
	store_cell_unref(st, b->payload_cell);
	slabs_give(&st->slabs, b, sizeof *b);
	e->body = NULL;
	e->is_whole = false;
}
