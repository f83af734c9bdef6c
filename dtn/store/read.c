/*
 * read: what the loop sees of the store: the newest version of every row, staged or durable. Views live
 * until store_turn(): a cell that is replaced or deleted stays in memory till then.
 */
#include "dtn/store/impl.h"

static int find_bundle(struct store *st, uint64_t id, struct entry **out);

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
	int err = find_bundle(st, id, &e);

	if (!err && !e->head_cell) {
		stage_uncache(st, e);
		err = st->ops->load_head(st, e);
		if (err == -EIO) /* a disk's error is tried once more */
			err = st->ops->load_head(st, e);
		stage_cache(st, e);
		if (err == -E_CORRUPT || err == -EIO)
			quarantine_mark(st, e);
	}
	if (err)
		return err;
	*head = e->head;
	return 0;
}

/* Is the slice in memory? */
static bool has_slice(const struct entry *e, const struct slice *s)
{
	if (e->payload.p || s->len == 0)
		return true;
	return e->payload_cell && s->off >= e->window && s->off - e->window <= e->payload_cell->n &&
	       s->len <= e->payload_cell->n - (s->off - e->window);
}

int store_payload(struct store *st, struct slice s, struct view *bytes)
{
	struct entry *e;
	int err = find_bundle(st, s.handle, &e);

	if (!err && (s.off > e->payload.n || s.len > e->payload.n - s.off))
		err = -E_RANGE;
	if (!err && !has_slice(e, &s)) {
		stage_uncache(st, e);
		err = st->ops->load_payload(st, e, s.off, s.len);
		if (err == -EIO)
			err = st->ops->load_payload(st, e, s.off, s.len);
		stage_cache(st, e);
		if (err == -E_CORRUPT || err == -EIO)
			quarantine_mark(st, e);
	}
	if (err)
		return err;
	if (e->payload.p)
		*bytes = view_sub(e->payload, s.off, s.len);
	else if (s.len == 0)
		*bytes = (struct view){0};
	else
		*bytes = view_of(e->payload_cell->bytes + (s.off - e->window), s.len);
	return 0;
}

bool store_is_committed(const struct store *st, uint64_t id)
{
	const struct entry *e = table_find(st, STORE_BUNDLE, id);

	return e && e->is_here && e->is_durable;
}

bool store_is_durable(const struct store *st, uint64_t id)
{
	const struct entry *e = table_find(st, STORE_BUNDLE, id);

	return e && e->is_durable;
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

/* A bundle that is to be read; if it is cached it was read last. */
static int find_bundle(struct store *st, uint64_t id, struct entry **out)
{
	struct entry *e = table_find(st, STORE_BUNDLE, id);

	if (!e || !e->is_here || e->is_open)
		return -E_UNKNOWN;
	if (!list_empty(&e->cached)) {
		list_remove(&e->cached);
		list_push_back(&st->cached, &e->cached);
	}
	*out = e;
	return 0;
}
