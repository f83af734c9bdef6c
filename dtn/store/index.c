/*
 * index: rows of the index (kv.h) and entries in memory.
 *
 * Row (0, 0): version, boot counter, log position. Row (kind, id): the value. Row (PLACE, id): where the
 * bundle's record is. The layout is in owlt-store(5).
 */
#include "bundle/base/bytes.h"
#include "dtn/store/disk.h"

#define INDEX_VERSION 1u
#define INDEX_META 0
#define INDEX_PLACE 0x40
#define META_SIZE 36
#define PLACE_SIZE 36

static int load_row(void *arg, uint8_t kind, uint64_t id, struct view value);
static int load_value(struct store *st, uint8_t kind, uint64_t id, struct view value);
static int load_place(struct disk *d, uint64_t id, struct view v);

int index_meta_get(struct disk *d, struct index_meta *meta)
{
	struct view v;
	int err = kv_get(d->kv, INDEX_META, 0, &v);

	if (err)
		return err;
	if (v.n < 4 || be32_get(v.p) != INDEX_VERSION)
		return -E_VERSION;
	if (v.n != META_SIZE)
		return -E_CORRUPT;
	*meta = (struct index_meta){
		be64_get(v.p + 4), be64_get(v.p + 12), be64_get(v.p + 20), be64_get(v.p + 28)};
	return 0;
}

int index_meta_put(struct disk *d)
{
	const struct segment *s = d->log.active;
	uint8_t v[META_SIZE];

	be32_put(v, INDEX_VERSION);
	be64_put(v + 4, d->base.stats.boot);
	be64_put(v + 12, s ? s->generation : 0);
	be64_put(v + 20, s ? s->end : 0);
	be64_put(v + 28, d->log.last_batch);
	return kv_put(d->kv, INDEX_META, 0, view_of(v, sizeof v));
}

int index_put_op(struct disk *d, const struct op *op)
{
	int err = 0;

	if (op->type == OP_DELETE) {
		err = kv_delete(d->kv, op->kind, op->id);
		if (!err && op->kind == STORE_BUNDLE)
			err = kv_delete(d->kv, INDEX_PLACE, op->id);
		return err;
	}
	if (op->type == OP_PUT || op->type == OP_SET)
		err = kv_put(d->kv, op->kind, op->id, view_of(op->value->bytes, op->value->n));
	if (!err && (op->type == OP_PUT || op->type == OP_MOVE) && op->to.segment)
		err = index_put_place(d, op->id, &op->to, op->head.n, op->payload.n);
	return err;
}

int index_put_place(
	struct disk *d, uint64_t id, const struct place *at, uint64_t head, uint64_t payload)
{
	uint8_t v[PLACE_SIZE];

	be64_put(v, at->segment->generation);
	be64_put(v + 8, at->off);
	be64_put(v + 16, at->len);
	be32_put(v + 24, (uint32_t)head);
	be64_put(v + 28, payload);
	return kv_put(d->kv, INDEX_PLACE, id, view_of(v, sizeof v));
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
	if (kind == INDEX_PLACE)
		return load_place(d, id, value);
	if (kind >= STORE_KINDS || value.n > STORE_VALUE_MAX)
		return -E_CORRUPT;
	return load_value(&d->base, kind, id, value);
}

static int load_value(struct store *st, uint8_t kind, uint64_t id, struct view value)
{
	struct entry *e = table_add(st, kind, id);
	struct cell *c = store_cell_of(st, value);

	if (!e || !c)
		return -ENOMEM;
	e->value = c;
	e->saved = store_cell_ref(c);
	e->is_here = e->is_durable = true;
	return 0;
}

/* The segment may have been used again since: then the log's tail says where the record went. */
static int load_place(struct disk *d, uint64_t id, struct view v)
{
	struct entry *e = table_find(&d->base, STORE_BUNDLE, id);

	if (!e || v.n != PLACE_SIZE)
		return -E_CORRUPT;
	e->place.off = be64_get(v.p + 8);
	e->place.len = be64_get(v.p + 16);
	e->head.n = be32_get(v.p + 24);
	e->payload.n = be64_get(v.p + 28);
	if (!d->found || d->found->generation != be64_get(v.p))
		d->found = log_find(&d->log, be64_get(v.p));
	e->place.segment = d->found;
	return 0;
}
