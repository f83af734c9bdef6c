/*
 * read: what the loop sees of the store: the newest version of every row, staged or durable. Views live
 * until store_turn(): a cell that is replaced or deleted stays in memory till then.
 */
#include "dtn/store/impl.h"

static int find_bytes(struct store *st, uint64_t id, struct entry **out);

int store_value(struct store *st, enum store_kind kind, uint64_t id, struct view *value)
{
	struct entry *e = table_find(st, kind, id);

	if (!e || !e->is_here || e->is_open)
		return -E_UNKNOWN;
	*value = view_of(e->value->bytes, e->value->n);
	return 0;
}

int store_head(struct store *st, uint64_t id, struct view *head)
{
	struct entry *e;
	int err = find_bytes(st, id, &e);

	if (err)
		return err;
	*head = e->head;
	return 0;
}

int store_payload(struct store *st, struct slice s, struct view *bytes)
{
	struct entry *e;
	int err = find_bytes(st, s.handle, &e);

	if (err)
		return err;
	if (s.off > e->payload.n || s.len > e->payload.n - s.off)
		return -E_RANGE;
	*bytes = view_sub(e->payload, s.off, s.len);
	return 0;
}

bool store_is_committed(const struct store *st, uint64_t id)
{
	const struct entry *e = table_find(st, STORE_BUNDLE, id);

	return e && e->is_here && e->is_durable;
}

bool store_next(struct store *st, enum store_kind kind, uint64_t *id, struct view *value)
{
	struct entry *e = table_after(st, kind, *id);

	while (e && (!e->is_here || e->is_open))
		e = table_after(st, kind, e->id);
	if (!e)
		return false;
	*id = e->id;
	*value = view_of(e->value->bytes, e->value->n);
	return true;
}

/* The bundle with head and payload in memory. */
static int find_bytes(struct store *st, uint64_t id, struct entry **out)
{
	struct entry *e = table_find(st, STORE_BUNDLE, id);

	if (!e || !e->is_here || e->is_open)
		return -E_UNKNOWN;
	*out = e;
	if (e->head_cell) {
		if (!list_empty(&e->cached))
			stage_cache(st, e);
		return 0;
	}
	int err = st->ops->load(st, e);
	if (!err)
		stage_cache(st, e);
	return err;
}
