/*
 * append: a batch becomes part of the log.
 *
 * Records that belong beside the log go to the lane first (lane.c). Then the batch is placed (every
 * operation gets its segment and offset, segments are taken as needed), so running out of room is known
 * before the log is touched. Then the records are gathered and written by few calls, and flushed; a
 * segment is flushed before the next one is written, so a batch whose end record is whole is whole. The
 * number of a batch is used once, also when it failed: what a failed one left behind can't be taken for
 * a later one. Start reading at log_append().
 */
#include "dtn/store/segment.h"

#include "bundle/base/bytes.h"
#include "dtn/store/break.h"

#include <unistd.h>

#define END_SIZE 56u

static int place_all(struct log *log, struct link_node *ops, struct segment **last, uint64_t *end);
static int write_batch(struct log *log, struct link_node *ops, struct segment *last);
static int log_sync(int fd);
static int no_space(int err);
static int write_op(struct log *log, struct op *op, uint64_t batch);
static int put_record(struct log *log, const struct record *r);
static void wipe(struct log *log, const struct segment *before, uint64_t generation);

int log_append(struct log *log, struct link_node *ops, bool has_lane)
{
	struct segment *before = log->active, *lane = log->lane, *last;
	uint64_t lane_end = lane ? lane->end : 0, first_new = log->next_generation, end;
	int err = has_lane ? lane_write(log, ops, log->next_batch) : 0;

	if (!err)
		err = place_all(log, ops, &last, &end);
	if (!err) {
		err = write_batch(log, ops, last);
		log->next_batch++;
		if (err)
			wipe(log, before, first_new);
	}
	if (err) {
		log_give_back(log, first_new);
		log->lane = lane;
		if (lane)
			lane->end = lane_end;
		return err;
	}
	log->last_batch = log->next_batch - 1;
	log->active = last;
	last->end = end;
	return 0;
}

struct record_place log_place(const struct op *op)
{
	return (struct record_place){.generation = op->to.segment ? op->to.segment->generation : 0,
		.off = op->to.off,
		.len = op->to.len,
		.head = op->head.n,
		.payload = op->payload.n};
}

int log_flush(struct log *log)
{
	int err = out_write(&log->out);

	return err ? no_space(err) : log_sync(log->out.fd);
}

static int log_sync(int fd)
{
	if (BREAK_NO_FLUSH || BREAK_INDEX_FIRST || fdatasync(fd) == 0)
		return 0;
	return no_space(-errno);
}

/* Space was allocated before: a file that says there is none has lost something. */
static int no_space(int err)
{
	return err == -ENOSPC || err == -EDQUOT ? -EIO : err;
}

/* Is its record in the lane, and named in the log? */
static bool is_beside(const struct op *op)
{
	return (op->type == OP_PUT || op->type == OP_MOVE) && op->to.segment &&
	       op->to.segment->is_lane;
}

/* Its record in the log. */
static uint64_t op_size(const struct op *op)
{
	uint64_t value = op->value ? op->value->n : 0;

	if (is_beside(op))
		return record_size(value, RECORD_PLACE_SIZE, 0);
	return op->type == OP_PUT ? record_size(value, op->head.n, op->payload.n)
				  : record_size(value, 0, 0);
}

static enum log_use use_of(const struct link_node *ops)
{
	enum log_use use = LOG_USE_FREE;

	for (const struct link_node *l = ops->next; l != ops && use < LOG_USE_PUT; l = l->next) {
		const struct op *op =
			container_of((struct link_node *)(uintptr_t)l, struct op, link);

		if (op->type == OP_PUT)
			use = op->flags & STORE_URGENT ? LOG_USE_MOVE : LOG_USE_PUT;
	}
	return use;
}

/* A place for each record; there is always room for the end record behind the last one. */
static int place_all(struct log *log, struct link_node *ops, struct segment **last, uint64_t *end)
{
	struct segment *s = log->active;
	uint64_t at = s ? s->end : 0;

	for (struct link_node *l = ops->next; l != ops; l = l->next) {
		struct op *op = container_of(l, struct op, link);
		uint64_t size = op_size(op);

		if (!s || size + END_SIZE > s->size - at) {
			s = log_take(log, SEGMENT_HEAD + size + END_SIZE, use_of(ops));
			if (!s)
				return -ENOSPC;
			at = SEGMENT_HEAD;
		}
		op->in_log = s;
		if (op->type == OP_PUT && !is_beside(op))
			op->to = (struct place){s, at, size};
		at += size;
		log->tail += size;
	}
	*last = s;
	*end = at + END_SIZE;
	return 0;
}

static int write_batch(struct log *log, struct link_node *ops, struct segment *last)
{
	uint64_t batch = log->next_batch, n = 0;
	struct segment *s = log->active;
	uint8_t count[8];
	int err = 0;

	if (s)
		out_seek(&log->out, s->fd, s->end);
	for (struct link_node *l = ops->next; l != ops && !err; l = l->next) {
		struct op *op = container_of(l, struct op, link);

		if (op->in_log != s) { /* what is in the old one is flushed first */
			err = s && n > 0 ? log_flush(log) : 0;
			s = op->in_log;
			out_seek(&log->out, s->fd, 0);
			if (!err)
				err = log_put_start(log, s, batch);
		}
		if (!err)
			err = write_op(log, op, batch);
		n++;
	}
	if (err)
		return err;
	be64_put(count, n);
	struct record end = {.type = RECORD_END,
		.generation = last->generation,
		.batch = batch,
		.id = log->last_batch,
		.value = view_of(count, sizeof count)};
	err = put_record(log, &end);
	return err ? err : log_flush(log);
}

static int write_op(struct log *log, struct op *op, uint64_t batch)
{
	uint8_t place[RECORD_PLACE_SIZE];
	struct record r = {.type = RECORD_SET,
		.kind = op->kind,
		.generation = op->in_log->generation,
		.batch = batch,
		.id = op->id};

	if (op->type == OP_PUT && !is_beside(op))
		return log_put_bundle(log, op, batch);
	if (op->value)
		r.value = view_of(op->value->bytes, op->value->n);
	if (op->type == OP_DELETE)
		r.type = RECORD_DELETE;
	if (is_beside(op)) {
		r.type = RECORD_PLACE;
		struct record_place at = log_place(op);

		record_place_write(&at, place);
		r.head = view_of(place, sizeof place);
	}
	return put_record(log, &r);
}

int log_put_bundle(struct log *log, struct op *op, uint64_t batch)
{
	struct record r = {.type = RECORD_PUT,
		.kind = op->kind,
		.generation = op->to.segment->generation,
		.batch = batch,
		.id = op->id,
		.value = view_of(op->value->bytes, op->value->n),
		.head = op->head,
		.payload = op->payload};
	/* Room for the header is the operation's own, beside bytes that do not change. */
	const uint8_t *sums = op->payload.p + op->payload.n;
	uint8_t header[RECORD_HEADER];
	uint8_t *start = op->is_whole ? op->head_cell->bytes : header;
	size_t n = RECORD_HEADER + r.value.n + r.head.n + r.payload.n + record_sums(r.payload.n);
	size_t pad = (size_t)op->to.len - n;
	int err;

	if (op->is_whole) {
		r.value.p = start + RECORD_HEADER;
		record_write(&r, start, sums);
		memset(start + n, 0, pad);
		return out_put(&log->out, start, n + pad);
	}
	record_write(&r, header, sums);
	err = out_put(&log->out, header, sizeof header);
	if (!err)
		err = out_put(&log->out, r.value.p, r.value.n);
	if (!err)
		err = out_put(&log->out, r.head.p, r.head.n);
	if (!err)
		err = out_put(&log->out, r.payload.p, r.payload.n + record_sums(r.payload.n));
	return err ? err : out_zeros(&log->out, pad);
}

int log_put_start(struct log *log, const struct segment *s, uint64_t batch)
{
	uint8_t version[4];

	be32_put(version, RECORD_VERSION);
	struct record head = {.type = RECORD_SEGMENT,
		.kind = s->is_lane ? RECORD_LANE : 0,
		.generation = s->generation,
		.batch = batch,
		.id = log->last_batch,
		.value = view_of(version, 4)};
	return put_record(log, &head);
}

/* A record without payload: small, so it is put together where it is written from. */
static int put_record(struct log *log, const struct record *r)
{
	size_t n = RECORD_HEADER + r->value.n + r->head.n;
	size_t size = (size_t)record_size(r->value.n, r->head.n, 0);
	struct record here = *r;
	uint8_t *p;
	int err = out_room(&log->out, size, &p);

	if (err)
		return err;
	here.value.p = p + RECORD_HEADER;
	here.head.p = here.value.p + r->value.n;
	here.payload.p = p + n;
	if (r->value.n)
		memcpy(p + RECORD_HEADER, r->value.p, r->value.n);
	if (r->head.n)
		memcpy(p + RECORD_HEADER + r->value.n, r->head.p, r->head.n);
	memset(p + n, 0, size - n);
	record_write(&here, p, NULL);
	return 0;
}

/* A failed batch must not come back at recovery: its first header goes, and in a segment of its own the one behind
 * the segment's, which would speak for it. Best effort; the store is closed after anything but a lack of
 * space. */
static void wipe(struct log *log, const struct segment *before, uint64_t generation)
{
	static const uint8_t zero[SEGMENT_HEAD + RECORD_HEADER];

	if (before)
		(void)!pwrite(before->fd, zero, RECORD_HEADER, (off_t)before->end);
	for (size_t i = 0; i < log->n; i++)
		if (log->segment[i]->generation >= generation)
			(void)!pwrite(log->segment[i]->fd, zero, sizeof zero, 0);
}
