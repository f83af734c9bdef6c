/*
 * read: what the loop sees of the store: the newest version of every row, staged or durable. Views live
 * until store_turn(): a cell that is replaced or deleted stays in memory till then.
 */
#include "dtn/store/impl.h"

static int find_bundle(struct store *st, uint64_t id, struct entry **out);
static int value_of(struct store *st, const struct entry *e, struct view *value);

int store_value(struct store *st, enum store_kind kind, uint64_t id, struct view *value)
{
	struct entry *e = table_find(st, kind, id);

	if (!e || !e->is_here || e->is_open)
		return -E_UNKNOWN;
	return value_of(st, e, value);
}

int store_head(struct store *st, uint64_t id, struct view *head)
{
	struct entry *e;
	int err = find_bundle(st, id, &e);

	if (!err && !(e->body && e->body->head)) {
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
	*head = view_of(e->body->head, bundle_of(e)->head_len);
	return 0;
}

/* Is the slice in memory? */
static bool has_slice(const struct body *b, const struct slice *s)
{
	if (s->len == 0 || (b && b->payload))
		return true;
	return b && b->payload_cell && s->off >= b->window &&
	       s->off - b->window <= b->payload_cell->n &&
	       s->len <= b->payload_cell->n - (s->off - b->window);
}

int store_payload(struct store *st, struct slice s, struct view *bytes)
{
	struct entry *e;
	int err = find_bundle(st, s.handle, &e);
	uint64_t size = err ? 0 : bundle_of(e)->payload_len;

	if (!err && (s.off > size || s.len > size - s.off))
		err = -E_RANGE;
	if (!err && !has_slice(e->body, &s)) {
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
	struct body *b = e->body;
	if (s.len == 0)
		*bytes = (struct view){0};
	else if (b->payload)
		*bytes = view_of(b->payload + s.off, s.len);
	else
		*bytes = view_of(b->payload_cell->bytes + (s.off - b->window), s.len);
	return 0;
}

bool store_reads_ahead(const struct store *st)
{
	return st->ops->ahead != NULL;
}

void store_ahead(struct store *st, const uint64_t *id, size_t n)
{
	struct entry *asked[32];
	size_t n_asked = 0;

	for (size_t i = 0; st->ops->ahead && i < n; i++) {
		struct entry *e = table_find(st, STORE_BUNDLE, id[i]);

		if (!e || !e->is_here || e->is_open || e->is_ahead || table_has_payload(e))
			continue;
		asked[n_asked++] = e;
		if (n_asked == sizeof asked / sizeof asked[0]) {
			st->ops->ahead(st, asked, n_asked);
			n_asked = 0;
		}
	}
	if (n_asked > 0)
		st->ops->ahead(st, asked, n_asked);
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
	int err = value_of(st, e, value);
	if (err) { /* going on would forget a row that is there */
		store_shut(st, err);
		return false;
	}
	*id = e->id;
	return true;
}

static int value_of(struct store *st, const struct entry *e, struct view *value)
{
	if (!e->value)
		return st->ops->load_value(st, e, value);
	*value = view_of(e->value->bytes, e->value->n);
	return 0;
}

/* A bundle that is to be read; if it is cached it was read last. */
static int find_bundle(struct store *st, uint64_t id, struct entry **out)
{
	struct entry *e = table_find(st, STORE_BUNDLE, id);

	if (!e || !e->is_here || e->is_open)
		return -E_UNKNOWN;
	if (e->body && !list_empty(&e->body->cached)) {
		list_remove(&e->body->cached);
		list_push_back(&st->cached, &e->body->cached);
	}
	*out = e;
	return 0;
}
