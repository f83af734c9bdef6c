/*
 * recover: from what is on disk to a running store.
 *
 * The index is complete up to the log position in its first row (a checkpoint); the log's tail behind it
 * is replayed into the entries and, in the same transaction that counts the boot and reserves a block of
 * bundle ids, into the index. So after every open the index is complete, and a crash in here changes
 * nothing. Then the log goes on behind its last complete batch. Start reading at disk_recover().
 */
#include "dtn/store/break.h"
#include "dtn/store/disk.h"
#include "dtn/store/replay.h"

#include <stdlib.h>
#include <sys/random.h>

static int first_start(struct disk *d);
static int replay_tail(struct disk *d, const struct index_meta *meta);
static int settle_tail(struct segment *s, uint64_t from);
static int apply(void *arg, const struct replay_op *op);
static int apply_value(struct disk *d, const struct replay_op *op, struct entry **out);
static int settle_bundles(struct disk *d);
static int settle_counters(struct disk *d);

int disk_recover(struct disk *d)
{
	struct index_meta meta = {0};
	int err = kv_begin(d->kv);

	if (!err)
		err = index_meta_get(d, &meta);
	if (err == -E_UNKNOWN)
		err = first_start(d);
	if (!err)
		err = index_load(d);
	if (!err)
		err = replay_tail(d, &meta);
	if (!err)
		err = settle_bundles(d);
	d->base.stats.boot = meta.boot + 1;
	if (!err)
		err = settle_counters(d);
	if (!err)
		err = index_meta_put(d);
	if (err) {
		kv_abort(d->kv);
		return err;
	}
	err = kv_commit(d->kv);
	d->log.next_batch = (d->base.stats.boot << BATCH_BOOT_SHIFT) + 1;
	d->log.kept_generation = UINT64_MAX; /* the index knows all: what is not live is free */
	log_free_dead(&d->log);
	d->log.kept_generation = d->log.active ? d->log.active->generation : d->log.next_generation;
	return err;
}

/* Generations go up from a random number, so that nobody who does not read this folder can make a payload
 * that looks like records of a segment. */
static int first_start(struct disk *d)
{
	uint32_t random;

	if (log_after(&d->log, 1))
		return -E_CORRUPT; /* segments without their index */
	if (getrandom(&random, sizeof random, 0) != sizeof random)
		return -errno;
	d->log.next_generation = ((uint64_t)(random >> 1) << 32) + 1;
	return 0;
}

static int read_segment(struct replay *r, struct segment *s, uint64_t off)
{
	uint8_t *bytes = malloc(s->size + 1);
	int err = bytes ? segment_read(s, 0, bytes, s->size) : -ENOMEM;

	if (!err)
		err = replay_segment(r, s, s->generation, view_of(bytes, s->size), off);
	free(bytes);
	return err;
}

static int replay_tail(struct disk *d, const struct index_meta *meta)
{
	struct replay r = {.last = meta->batch, .apply = apply, .arg = d};
	struct segment *first = meta->generation ? log_find(&d->log, meta->generation) : NULL;
	int err = meta->generation && !first ? -E_CORRUPT : 0;

	for (struct segment *s = log_after(&d->log, meta->generation); s && !err;
		s = log_after(&d->log, s->generation + 1))
		err = read_segment(&r, s, s == first ? meta->end : 0);
	d->log.last_batch = r.last;
	d->log.active = r.at ? r.at : first;
	if (d->log.active)
		d->log.active->end = r.at ? r.end : meta->end;
	if (d->log.active && d->log.active->end > d->log.active->size)
		err = -E_CORRUPT;
	if (!err && r.at && !BREAK_TAIL_LOOSE)
		err = settle_tail(r.at, r.at == first ? meta->end : 0);
	replay_fini(&r);
	return err;
}

/* The last batch may stand in the page cache only: its process was killed before the flush, or the flush
 * failed and the kernel calls the pages clean. From now on it counts, so its bytes are written again. */
static int settle_tail(struct segment *s, uint64_t from)
{
	uint8_t *bytes = malloc(s->end - from);
	int err = bytes ? segment_read(s, from, bytes, s->end - from) : -ENOMEM;

	if (!err)
		err = segment_write(s, from, view_of(bytes, s->end - from));
	free(bytes);
	return err;
}

static int apply(void *arg, const struct replay_op *op)
{
	struct disk *d = arg;
	struct entry *e = table_find(&d->base, op->kind, op->id);
	struct op row = {.type = OP_DELETE, .kind = (uint8_t)op->kind, .id = op->id};

	if (op->type == RECORD_DELETE) {
		if (e)
			table_drop(&d->base, e);
		return index_put_op(d, &row);
	}
	if (op->type == RECORD_SET && op->kind == STORE_BUNDLE && !e)
		return -E_CORRUPT;
	int err = apply_value(d, op, &e);
	if (err)
		return err;
	row.type = op->type == RECORD_PUT ? OP_PUT : OP_SET;
	row.value = e->value;
	if (op->type == RECORD_PUT) {
		e->head.n = row.head.n = op->head_len;
		e->payload.n = row.payload.n = op->payload_len;
		e->place = row.to = (struct place){op->segment, op->off, op->len};
	}
	return index_put_op(d, &row);
}

static int apply_value(struct disk *d, const struct replay_op *op, struct entry **out)
{
	struct store *st = &d->base;
	struct entry *e = *out ? *out : table_add(st, op->kind, op->id);
	struct cell *c = store_cell_of(st, view_of(op->value, op->value_len));

	if (!e || !c)
		return -ENOMEM;
	store_cell_unref(st, e->value);
	store_cell_unref(st, e->saved);
	e->value = c;
	e->saved = store_cell_ref(c);
	e->is_here = e->is_durable = true;
	*out = e;
	return 0;
}

/* A bundle without a record where a segment is was damaged; whoever reads it is told so. */
static int settle_bundles(struct disk *d)
{
	struct store *st = &d->base;

	for (struct entry *e = table_first(st, STORE_BUNDLE); e;
		e = table_after(st, STORE_BUNDLE, e->id)) {
		struct place at = e->place;

		e->place.segment = NULL;
		if (at.segment && at.len <= at.segment->size && at.off <= at.segment->size - at.len)
			compact_place(e, &at);
		else
			quarantine_mark(st, e);
		st->stats.n_bundles++;
		st->stats.bytes += e->head.n + e->payload.n;
	}
	for (unsigned kind = STORE_BUNDLE + 1; kind < STORE_KINDS; kind++)
		for (struct entry *e = table_first(st, kind); e && kind != STORE_RESERVED;
			e = table_after(st, kind, e->id))
			st->stats.n_rows++;
	return 0;
}

static int settle_counters(struct disk *d)
{
	struct store *st = &d->base;

	for (struct entry *e = table_first(st, STORE_RESERVED); e;
		e = table_after(st, STORE_RESERVED, e->id))
		if (!reserve_restore(st, e->id, reserve_end(e->saved)))
			return -ENOMEM;
	struct entry *ids = table_find(st, STORE_RESERVED, STORE_ID_COUNTER);
	int err = reserve_open(st, reserve_end(ids ? ids->saved : NULL));
	if (err)
		return err;
	struct op row = {.type = OP_SET,
		.kind = STORE_RESERVED,
		.id = STORE_ID_COUNTER,
		.value = st->ids->saved};
	return index_put_op(d, &row);
}
