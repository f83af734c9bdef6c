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

#define GENERATION_SHIFT 12 /* more segments than one start can leave half made */

static int first_start(struct disk *d);
static int replay_tail(struct disk *d, const struct index_meta *meta);
static int settle_tail(struct segment *s, uint64_t from);
static int apply(void *arg, const struct replay_op *op);
static int apply_row(struct disk *d, const struct replay_op *op, struct entry *e);
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
	/* What a failed batch began may be free here and still be on the disk: its numbers must not return. */
	d->log.next_generation += d->base.stats.boot << GENERATION_SHIFT;
	if (!err)
		err = settle_counters(d);
	if (!err)
		err = index_meta_put(
			d, &(struct index_meta){.boot = d->base.stats.boot,
				   .generation = d->log.active ? d->log.active->generation : 0,
				   .end = d->log.active ? d->log.active->end : 0,
				   .batch = d->log.last_batch});
	if (err) {
		kv_abort(d->kv);
		return err;
	}
	err = kv_commit(d->kv);
	if (!err)
		err = kv_refresh(d->kv);
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

	if (d->log.next_generation > 1)
		return -E_CORRUPT; /* segments without their index */
	if (getrandom(&random, sizeof random, 0) != sizeof random)
		return -errno;
	d->log.next_generation = ((uint64_t)(random >> 1) << 32) + 1;
	return 0;
}

/* From `off` on, in memory that serves all segments of the tail. */
static int read_segment(struct replay *r, struct segment *s, uint64_t off, struct view *room)
{
	uint8_t *bytes = (uint8_t *)(uintptr_t)room->p;

	if (room->n < s->size) {
		free(bytes);
		bytes = malloc(s->size);
		*room = view_of(bytes, bytes ? s->size : 0);
	}
	int err = bytes ? segment_read(s, off, bytes + off, s->size - off) : -ENOMEM;

	return err ? err : replay_segment(r, s, s->generation, view_of(bytes, s->size), off);
}

static uint64_t tail_start(const struct segment *s, uint64_t off)
{
	return s->is_headless && off < SEGMENT_HEAD ? SEGMENT_HEAD : off;
}

static int replay_tail(struct disk *d, const struct index_meta *meta)
{
	struct replay r = {.last = meta->batch, .apply = apply, .arg = d};
	struct segment *first = meta->generation ? log_find(&d->log, meta->generation) : NULL;
	int err = meta->generation && (!first || meta->end > first->size) ? -E_CORRUPT : 0;
	struct view room = {0};

	for (struct segment *s = log_after(&d->log, meta->generation); s && !err;
		s = log_after(&d->log, s->generation + 1))
		err = read_segment(&r, s, tail_start(s, s == first ? meta->end : 0), &room);
	free((void *)(uintptr_t)room.p);
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

	if (op->type == RECORD_DELETE) {
		if (e)
			table_drop(&d->base, e);
		return index_delete(d, (uint8_t)op->kind, op->id);
	}
	if (op->type == RECORD_SET && op->kind == STORE_BUNDLE && !e)
		return -E_CORRUPT;
	return apply_row(d, op, e);
}

static int apply_row(struct disk *d, const struct replay_op *op, struct entry *e)
{
	struct record_place at = {op->generation, op->off, op->len, op->head_len, op->payload_len};
	struct view value = view_of(op->value, op->value_len);

	if (!e)
		e = table_add(&d->base, op->kind, op->id);
	if (!e)
		return -ENOMEM;
	e->is_here = e->is_durable = e->is_indexed = true;
	if (op->kind == STORE_RESERVED) {
		store_cell_unref(&d->base, e->value);
		e->value = store_cell_of(&d->base, value);
		if (!e->value)
			return -ENOMEM;
	}
	if (op->kind == STORE_BUNDLE && op->type == RECORD_SET) {
		struct place was = compact_place_of(e);

		at = (struct record_place){was.segment ? was.segment->generation : 0, was.off,
			was.len, bundle_of(e)->head_len, bundle_of(e)->payload_len};
	} else if (op->kind == STORE_BUNDLE) {
		index_place(d, e, &at);
	}
	return index_put(d, (uint8_t)op->kind, op->id, value, &at);
}

/* A bundle without a record where a segment is was damaged; whoever reads it is told so. The lane goes on
 * behind its last record. */
static int settle_bundles(struct disk *d)
{
	struct store *st = &d->base;

	for (size_t i = 0; i < d->log.n; i++)
		if (d->log.segment[i]->is_lane)
			d->log.segment[i]->end = SEGMENT_HEAD;
	for (struct entry *e = table_after(st, STORE_BUNDLE, 0); e;
		e = table_after(st, STORE_BUNDLE, e->id)) {
		struct place at = compact_place_of(e);

		if (!at.segment)
			quarantine_mark(st, e);
		else if (at.segment->is_lane && at.segment->end < at.off + at.len)
			at.segment->end = at.off + at.len;
		st->stats.n_bundles++;
		st->stats.bytes += bundle_of(e)->head_len + bundle_of(e)->payload_len;
	}
	for (size_t i = 0; i < d->log.n; i++) {
		struct segment *s = d->log.segment[i];

		if (s->is_lane && s->generation && s->live > 0 &&
			(!d->log.lane || s->generation > d->log.lane->generation))
			d->log.lane = s;
	}
	for (unsigned kind = STORE_BUNDLE + 1; kind < STORE_KINDS; kind++)
		if (kind != STORE_RESERVED)
			st->stats.n_rows += st->table[kind].n;
	return 0;
}

static int settle_counters(struct disk *d)
{
	struct store *st = &d->base;

	for (struct entry *e = trie_from(&st->table[STORE_RESERVED], 0); e;
		e = table_after(st, STORE_RESERVED, e->id))
		if (!reserve_restore(st, e->id, reserve_end(e->value)))
			return -ENOMEM;
	struct entry *ids = table_find(st, STORE_RESERVED, STORE_ID_COUNTER);
	int err = reserve_open(st, reserve_end(ids ? ids->value : NULL));
	if (err)
		return err;
	struct cell *end = st->ids->value;
	st->ids->is_indexed = true;
	return index_put(d, STORE_RESERVED, STORE_ID_COUNTER, view_of(end->bytes, end->n), NULL);
}
