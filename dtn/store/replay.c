/*
 * replay: recovery of the log's tail.
 *
 * Records are collected until the end record of their batch; only then are they applied, so a batch
 * counts whole or not at all. What is not a whole record of this generation ends the segment: the tail
 * was torn there, or an earlier use of the file begins. Numbers of batches only rise; one that is not
 * above the last applied is left over from a failed attempt. Each end record names the batch before it,
 * so that a batch that was begun when the damaged one was durable is noticed, also by looking ahead in
 * what would be dropped: that is not a torn tail but a damaged disk, and going on would forget what was
 * promised. Bytes that a peer sent can't pose as records: generations begin at a random number.
 * Start reading at replay_segment().
 */
#include "dtn/store/replay.h"

#include "bundle/base/bytes.h"

#include <stdlib.h>

static bool is_ours(const struct replay *r, const struct record *rec, uint64_t generation);
static int look_ahead(const struct replay *r, uint64_t generation, struct view bytes, uint64_t off);
static int collect(struct replay *r, const struct record *rec, const struct replay_op *place);
static int complete(struct replay *r, const struct record *end);

int replay_segment(
	struct replay *r, struct segment *s, uint64_t generation, struct view bytes, uint64_t off)
{
	struct record rec;
	uint64_t size;
	int err = 0;

	for (; off <= bytes.n && !err; off += size) {
		struct view rest = view_sub(bytes, off, bytes.n - off);
		struct replay_op place = {.segment = s, .generation = generation, .off = off};

		if (record_read(rest, &rec, &size) || !is_ours(r, &rec, generation))
			return look_ahead(r, generation, bytes, off);
		place.len = size;
		if (rec.type == RECORD_SEGMENT)
			continue;
		if (rec.type != RECORD_END) {
			err = collect(r, &rec, &place);
			continue;
		}
		err = complete(r, &rec);
		r->at = s;
		r->end = off + size;
	}
	return err;
}

void replay_fini(struct replay *r)
{
	free(r->op);
	r->op = NULL;
	r->n = r->cap = 0;
}

static bool record_is_bundle(const struct record *r)
{
	return r->type == RECORD_PUT || r->type == RECORD_LONG || r->type == RECORD_PLACE;
}

static bool is_ours(const struct replay *r, const struct record *rec, uint64_t generation)
{
	if (rec->generation != generation || rec->batch <= r->last || rec->batch < r->batch)
		return false;
	if (rec->type == RECORD_END)
		return rec->batch == r->batch && rec->value.n == 8 &&
		       be64_get(rec->value.p) == r->n;
	if (rec->type == RECORD_SEGMENT)
		return true;
	if (rec->type == RECORD_PLACE && rec->head.n != RECORD_PLACE_SIZE)
		return false;
	return rec->kind > 0 && rec->kind < STORE_KINDS &&
	       (!record_is_bundle(rec) || rec->kind == STORE_BUNDLE);
}

/* An end record that follows on a batch we do not have: it was durable once. */
static int look_ahead(const struct replay *r, uint64_t generation, struct view bytes, uint64_t off)
{
	struct record rec;
	uint64_t size;

	for (; off + RECORD_HEADER <= bytes.n; off += 8) {
		if (be64_get(bytes.p + off + 8) != generation || bytes.p[off + 24] != RECORD_END)
			continue;
		if (record_read(view_sub(bytes, off, bytes.n - off), &rec, &size) == 0 &&
			rec.id > r->last)
			return -E_CORRUPT;
	}
	return 0;
}

static int collect(struct replay *r, const struct record *rec, const struct replay_op *place)
{
	if (rec->batch != r->batch) {
		r->batch = rec->batch;
		r->n = 0;
	}
	if (r->n == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 64;
		struct replay_op *more = realloc(r->op, cap * sizeof *more);

		if (!more)
			return -ENOMEM;
		r->op = more;
		r->cap = cap;
	}
	struct replay_op *op = &r->op[r->n++];
	*op = *place;
	op->type = rec->type == RECORD_LONG ? RECORD_PUT : rec->type;
	op->kind = rec->kind;
	op->id = rec->id;
	op->head_len = rec->head.n;
	op->payload_len = rec->payload.n;
	if (rec->type == RECORD_PLACE) {
		struct record_place at = record_place_read(rec->head);

		op->segment = NULL;
		op->generation = at.generation;
		op->off = at.off;
		op->len = at.len;
		op->head_len = at.head;
		op->payload_len = at.payload;
	}
	op->value_len = rec->value.n;
	if (rec->value.n)
		memcpy(op->value, rec->value.p, rec->value.n);
	return 0;
}

static int complete(struct replay *r, const struct record *end)
{
	int err = end->id == r->last ? 0 : -E_CORRUPT;

	for (size_t i = 0; i < r->n && !err; i++)
		err = r->apply(r->arg, &r->op[i]);
	r->last = end->batch;
	r->n = 0;
	return err;
}
