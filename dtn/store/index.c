/*
 * index: rows of the index (kv.h) and entries in memory.
 *
 * Row (0, 0): version, boot counter, log position. Row (0x41, id): where a bundle's record is, then its value;
 * any other row (kind, id): the value. The layout is in owlt-store(5). At open the rows become entries
 * without their values, which stay in the index until they change. In version 1 a bundle's value was a row
 * (1, id) and its place a row (0x40, id): index_upgrade() joins the two, in the transaction of the opening.
 */
#include "dtn/store/disk.h"

#include "bundle/base/bytes.h"

#include <stdlib.h>

#define INDEX_VERSION 2u
#define INDEX_META 0
#define INDEX_PLACE 0x40  /* version 1 */
#define INDEX_BUNDLE 0x41 /* behind all other rows, so that new ones are appended */
#define META_SIZE 36
#define ROW_MAX (RECORD_PLACE_SIZE + STORE_VALUE_MAX)

static int load_row(void *arg, uint8_t kind, uint64_t id, struct view value);
static int load_bundle(struct disk *d, uint64_t id, struct view v);
static int collect_place(void *arg, uint8_t kind, uint64_t id, struct view value);
static int join(struct disk *d, uint64_t id, const uint8_t *place);

int index_meta_get(struct disk *d, struct index_meta *meta)
{
	struct view v;
	int err = kv_get(d->kv, INDEX_META, 0, &v);

	if (err)
		return err;
	if (v.n < 4 || be32_get(v.p) == 0 || be32_get(v.p) > INDEX_VERSION)
		return -E_VERSION;
	if (v.n != META_SIZE)
		return -E_CORRUPT;
	*meta = (struct index_meta){
		be64_get(v.p + 4), be64_get(v.p + 12), be64_get(v.p + 20), be64_get(v.p + 28)};
	return be32_get(v.p) < INDEX_VERSION ? index_upgrade(d) : 0;
}

int index_meta_put(struct disk *d, const struct index_meta *meta)
{
	uint8_t v[META_SIZE];

	be32_put(v, INDEX_VERSION);
	be64_put(v + 4, meta->boot);
	be64_put(v + 12, meta->generation);
	be64_put(v + 20, meta->end);
	be64_put(v + 28, meta->batch);
	return kv_put(d->kv, INDEX_META, 0, view_of(v, sizeof v));
}

int index_put(
	struct disk *d, uint8_t kind, uint64_t id, struct view value, const struct record_place *at)
{
	uint8_t row[ROW_MAX];

	if (kind != STORE_BUNDLE)
		return kv_put(d->kv, kind, id, value);
	record_place_write(at, row);
	if (value.n)
		memcpy(row + RECORD_PLACE_SIZE, value.p, value.n);
	return kv_append(d->kv, INDEX_BUNDLE, id, view_of(row, RECORD_PLACE_SIZE + value.n));
}

int index_delete(struct disk *d, uint8_t kind, uint64_t id)
{
	return kv_delete(d->kv, kind == STORE_BUNDLE ? INDEX_BUNDLE : kind, id);
}

int index_put_op(struct disk *d, const struct op *op)
{
	struct record_place at = {0};

	if (op->type == OP_DELETE)
		return index_delete(d, op->kind, op->id);
	if (op->kind == STORE_BUNDLE)
		at = log_place(op);
	return index_put(d, op->kind, op->id, view_of(op->value->bytes, op->value->n), &at);
}

int index_value(struct store *st, const struct entry *e, struct view *value)
{
	struct disk *d = container_of(st, struct disk, base);
	uint8_t kind = e->kind == STORE_BUNDLE ? INDEX_BUNDLE : e->kind;
	int err = kv_read(d->kv, kind, e->id, value);

	if (err == -E_UNKNOWN || (!err && e->kind == STORE_BUNDLE && value->n < RECORD_PLACE_SIZE))
		return -E_CORRUPT;
	if (!err && e->kind == STORE_BUNDLE)
		*value = view_sub(*value, RECORD_PLACE_SIZE, value->n - RECORD_PLACE_SIZE);
	return err;
}

int index_load(struct disk *d)
{
	return kv_each(d->kv, load_row, d);
}

static int load_row(void *arg, uint8_t kind, uint64_t id, struct view value)
{
	struct disk *d = arg;

	if (kind == INDEX_META)
		return 0;
	if (kind == INDEX_BUNDLE)
		return load_bundle(d, id, value);
	if (kind == STORE_BUNDLE || kind >= STORE_KINDS || value.n > STORE_VALUE_MAX)
		return -E_CORRUPT;
	struct entry *e = table_add(&d->base, kind, id);
	if (!e)
		return -ENOMEM;
	e->is_here = e->is_durable = e->is_indexed = true;
	if (kind == STORE_RESERVED)
		e->value = store_cell_of(&d->base, value);
	return kind == STORE_RESERVED && !e->value ? -ENOMEM : 0;
}

/* The segment may have been used again since: then the log's tail says where the record went. */
static int load_bundle(struct disk *d, uint64_t id, struct view v)
{
	if (v.n < RECORD_PLACE_SIZE || v.n > ROW_MAX)
		return -E_CORRUPT;
	struct record_place at = record_place_read(v);
	struct entry *e = table_add(&d->base, STORE_BUNDLE, id);
	if (!e)
		return -ENOMEM;
	e->is_here = e->is_durable = e->is_indexed = true;
	index_place(d, e, &at);
	return 0;
}

void index_place(struct disk *d, struct entry *e, const struct record_place *at)
{
	struct bundle *b = bundle_of(e);

	if (!d->found || d->found->generation != at->generation)
		d->found = log_find(&d->log, at->generation);
	b->head_len = (uint32_t)at->head;
	b->payload_len = at->payload;
	bool fits = d->found && at->len <= d->found->size && at->off <= d->found->size - at->len &&
		    at->len % RECORD_ALIGN == 0 && at->len / RECORD_ALIGN <= UINT32_MAX;
	compact_place(e, &(struct place){fits ? d->found : NULL, at->off, at->len});
}

/* -- from version 1 */

struct place_row {
	uint64_t id;
	uint8_t place[RECORD_PLACE_SIZE];
};

struct upgrade {
	struct place_row *row;
	size_t n, cap, n_bundles;
};

int index_upgrade(struct disk *d)
{
	struct upgrade u = {0};
	int err = kv_each(d->kv, collect_place, &u);

	if (!err && u.n != u.n_bundles)
		err = -E_CORRUPT;
	for (size_t i = 0; i < u.n && !err; i++)
		err = join(d, u.row[i].id, u.row[i].place);
	free(u.row);
	return err;
}

static int collect_place(void *arg, uint8_t kind, uint64_t id, struct view value)
{
	struct upgrade *u = arg;

	u->n_bundles += kind == STORE_BUNDLE;
	if (kind != INDEX_PLACE)
		return 0;
	if (value.n != RECORD_PLACE_SIZE)
		return -E_CORRUPT;
	if (u->n == u->cap) {
		size_t cap = u->cap ? 2 * u->cap : 1024;
		struct place_row *more = reallocarray(u->row, cap, sizeof *more);

		if (!more)
			return -ENOMEM;
		u->row = more;
		u->cap = cap;
	}
	u->row[u->n].id = id;
	memcpy(u->row[u->n++].place, value.p, RECORD_PLACE_SIZE);
	return 0;
}

static int join(struct disk *d, uint64_t id, const uint8_t *place)
{
	struct record_place at = record_place_read(view_of(place, RECORD_PLACE_SIZE));
	uint8_t value[STORE_VALUE_MAX];
	struct view v;
	int err = kv_get(d->kv, STORE_BUNDLE, id, &v);

	if (err || v.n > sizeof value)
		return err && err != -E_UNKNOWN ? err : -E_CORRUPT;
	memcpy(value, v.p, v.n); /* LMDB's pages move */
	err = index_put(d, STORE_BUNDLE, id, view_of(value, v.n), &at);
	if (!err)
		err = kv_delete(d->kv, INDEX_PLACE, id);
	return err ? err : kv_delete(d->kv, STORE_BUNDLE, id);
}
