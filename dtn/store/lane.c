/*
 * lane: records of bundles beside the log: what compaction moves (it has outlived its neighbours), and
 * bundles put with STORE_LONG when a batch has enough of them to be worth a flush of their own. The lane's
 * segments hold bundles only; the log says where each is (RECORD_PLACE), after the lane was flushed, so
 * recovery reads the log alone, and segments of short-lived bundles become empty as a whole.
 *
 * A record is moved with its bytes checked; a damaged one stays where it is, its segment is marked and
 * not compacted again. Start reading at lane_write().
 */
#include "dtn/store/segment.h"

#include "bundle/base/bytes.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#define WORTH (UINT64_C(1) << 20) /* bytes of long-lived bundles in a batch */

static bool is_worth(const struct link_node *ops);
static int lane_room(struct log *log, struct op *op, uint64_t batch, enum log_use use);
static int move_record(struct log *log, struct op *op, uint64_t batch);
static int move_short(struct log *log, struct op *op, const struct record *to);
static int move_pieces(struct log *log, struct op *op, const struct record *to);

/* Bytes of a record behind its value. */
static uint64_t op_bytes(const struct op *op)
{
	return record_size(op->value ? op->value->n : 0, op->head.n, op->payload.n);
}

int lane_write(struct log *log, struct link_node *ops, uint64_t batch)
{
	const struct segment *before = log->lane;
	bool with_long = is_worth(ops), is_written = false;
	int err = 0;

	for (struct link_node *l = ops->next; l != ops && !err; l = l->next) {
		struct op *op = container_of(l, struct op, link);

		if (op->type == OP_MOVE) {
			err = lane_room(log, op, batch, LOG_USE_MOVE);
			if (err == -ENOSPC) { /* it stays where it is, and the batch goes on */
				op->to = (struct place){0};
				err = 0;
			} else if (!err) {
				err = move_record(log, op, batch);
			}
		} else if (op->type == OP_PUT && op->flags & STORE_LONG && with_long) {
			err = lane_room(log, op, batch, LOG_USE_PUT);
			err = err ? err : log_put_bundle(log, op, batch);
		}
		if (!err && op->to.segment) {
			is_written = true;
			log->lane->end += op->to.len;
		}
	}
	/* A segment that was begun needs its first record, also when the move it was begun for failed. */
	is_written |= log->lane != before;
	return err || !is_written ? err : log_flush(log);
}

static bool is_worth(const struct link_node *ops)
{
	uint64_t n = 0;

	for (const struct link_node *l = ops->next; l != ops && n < WORTH; l = l->next) {
		const struct op *op =
			container_of((struct link_node *)(uintptr_t)l, struct op, link);

		if (op->type == OP_PUT && op->flags & STORE_LONG)
			n += op_bytes(op);
	}
	return n >= WORTH;
}

/* A place in the lane, where `out` then stands. */
static int lane_room(struct log *log, struct op *op, uint64_t batch, enum log_use use)
{
	struct segment *s = log->lane;
	uint64_t size = op_bytes(op);
	int err = 0;

	if (!s || size > s->size - s->end) {
		if (s && log->out.fd == s->fd)
			err = log_flush(log);
		s = err ? NULL : log_take(log, SEGMENT_HEAD + size, use);
		if (!s)
			return err ? err : -ENOSPC;
		s->is_lane = true;
		log->lane = s;
		out_seek(&log->out, s->fd, 0);
		err = log_put_start(log, s, batch);
	} else if (log->out.fd != s->fd || log->out.at + log->out.n != s->end) {
		out_seek(&log->out, s->fd, s->end);
	}
	op->to = (struct place){s, s->end, size};
	return err;
}

/* -- moving */

static int move_record(struct log *log, struct op *op, uint64_t batch)
{
	struct record to = {.type = RECORD_PUT,
		.kind = op->kind,
		.generation = op->to.segment->generation,
		.batch = batch,
		.id = op->id,
		.value = view_of(op->value->bytes, op->value->n)};
	int err = op->from.len <= LOG_PIECE ? move_short(log, op, &to) : move_pieces(log, op, &to);

	if (err != -E_CORRUPT)
		return err;
	op->from.segment->is_bad = true;
	op->to = (struct place){0};
	return 0;
}

static bool is_same(const struct record *from, const struct op *op)
{
	return from->id == op->id && from->head.n == op->head.n &&
	       from->payload.n == op->payload.n && from->generation == op->from.segment->generation;
}

/* A sector that can't be read is damage; one that can't be written is not. */
static int old_read(const struct op *op, uint64_t off, void *buf, uint64_t n)
{
	int err = segment_read(op->from.segment, off, buf, n);

	return err == -EIO ? -E_CORRUPT : err;
}

static int move_short(struct log *log, struct op *op, const struct record *to)
{
	struct record from, r = *to;
	uint8_t header[RECORD_HEADER], sums[LOG_PIECE / RECORD_CHUNK * 4 + 4];
	uint64_t size;
	int err = old_read(op, op->from.off, log->piece, op->from.len);

	if (!err && (record_read(view_of(log->piece, op->from.len), &from, &size) ||
			    !is_same(&from, op)))
		err = -E_CORRUPT;
	if (err)
		return err;
	size_t n_sums = (size_t)record_sums(from.payload.n);
	size_t n = r.value.n + from.head.n + from.payload.n + n_sums;

	r.head = from.head;
	r.payload = from.payload;
	if (n_sums)
		record_sum(r.payload.p, r.payload.n, 0, r.payload.n, sums);
	record_write(&r, header, sums);
	/* The piece is used again: `out` has to take a copy. */
	err = out_copy(&log->out, header, sizeof header);
	err = err ? err : out_copy(&log->out, r.value.p, r.value.n);
	err = err ? err : out_copy(&log->out, r.head.p, r.head.n + r.payload.n);
	err = err ? err : out_copy(&log->out, sums, n_sums);
	return err ? err : out_zeros(&log->out, (size_t)op->to.len - RECORD_HEADER - n);
}

/* A long record: its header and checksums are written last, when all of it was seen. */
struct mover {
	struct record from;
	uint64_t from_at, to_at; /* of what follows the value */
	uint32_t old, sum, crc;  /* as it should be and is; of the new one */
	uint8_t header[RECORD_HEADER];
	uint8_t *sums, *old_sums;
};

static int mover_open(struct log *log, struct op *op, const struct record *to, struct mover *m);
static int mover_head(struct log *log, struct op *op, struct mover *m);
static int mover_payload(struct log *log, struct op *op, struct mover *m);
static int mover_end(struct op *op, struct mover *m);

static int move_pieces(struct log *log, struct op *op, const struct record *to)
{
	struct mover m = {0};
	int err = out_write(&log->out);

	if (err)
		return err;
	err = mover_open(log, op, to, &m);
	err = err ? err : mover_head(log, op, &m);
	err = err ? err : mover_payload(log, op, &m);
	err = err ? err : mover_end(op, &m);
	free(m.sums);
	if (!err)
		out_seek(&log->out, op->to.segment->fd, op->to.off + op->to.len);
	return err;
}

static int mover_open(struct log *log, struct op *op, const struct record *to, struct mover *m)
{
	struct record r = *to;
	uint64_t n_sums = record_sums(op->payload.n);
	int err = old_read(op, op->from.off, m->header, RECORD_HEADER);

	if (!err && record_start(m->header, &m->from, &m->old, &m->sum))
		err = -E_CORRUPT;
	if (!err && (!is_same(&m->from, op) || m->from.value.n > STORE_VALUE_MAX))
		err = -E_CORRUPT;
	if (err)
		return err;
	m->sums = malloc(2 * n_sums + 1);
	if (!m->sums)
		return -ENOMEM;
	m->old_sums = m->sums + n_sums;
	m->from_at = op->from.off + RECORD_HEADER;
	m->to_at = op->to.off + RECORD_HEADER + r.value.n;
	err = old_read(op, m->from_at, log->piece, m->from.value.n);
	m->old = record_check(m->old, view_of(log->piece, m->from.value.n));
	m->from_at += m->from.value.n;
	r.type = record_sums(op->payload.n) ? RECORD_LONG : RECORD_PUT;
	r.head.n = op->head.n;
	r.payload.n = op->payload.n;
	m->crc = record_check(record_begin(&r, m->header), r.value);
	if (!err)
		err = out_write_at(
			op->to.segment->fd, r.value.p, r.value.n, op->to.off + RECORD_HEADER);
	if (!err && m->from.type == RECORD_LONG)
		err = old_read(op, m->from_at + op->head.n + op->payload.n, m->old_sums, n_sums);
	return err;
}

/* The next n bytes, into log->piece and to their new place. */
static int mover_step(struct log *log, struct op *op, struct mover *m, uint64_t n)
{
	int err = old_read(op, m->from_at, log->piece, n);

	if (!err)
		err = out_write_at(op->to.segment->fd, log->piece, n, m->to_at);
	m->from_at += n;
	m->to_at += n;
	return err;
}

static int mover_head(struct log *log, struct op *op, struct mover *m)
{
	int err = 0;

	for (uint64_t left = op->head.n, step; left > 0 && !err; left -= step) {
		step = left < LOG_PIECE ? left : LOG_PIECE;
		err = mover_step(log, op, m, step);
		m->old = record_check(m->old, view_of(log->piece, step));
		m->crc = record_check(m->crc, view_of(log->piece, step));
	}
	return err;
}

static int mover_payload(struct log *log, struct op *op, struct mover *m)
{
	bool has_sums = m->from.type == RECORD_LONG;
	uint64_t n_sums = record_sums(op->payload.n);
	int err = 0;

	for (uint64_t at = 0, step; at < op->payload.n && !err; at += step) {
		uint64_t left = op->payload.n - at;

		step = left < RECORD_CHUNK ? left : RECORD_CHUNK;
		err = mover_step(log, op, m, step);
		if (n_sums)
			be32_put(m->sums + at / RECORD_CHUNK * 4,
				record_check(0, view_of(log->piece, step)));
		else
			m->crc = record_check(m->crc, view_of(log->piece, step));
		if (!has_sums)
			m->old = record_check(m->old, view_of(log->piece, step));
	}
	if (err)
		return err;
	if (has_sums && memcmp(m->sums, m->old_sums, n_sums) != 0)
		return -E_CORRUPT;
	if (has_sums)
		m->old = record_check(m->old, view_of(m->old_sums, n_sums));
	m->crc = record_check(m->crc, view_of(m->sums, n_sums));
	return m->old == m->sum ? 0 : -E_CORRUPT;
}

static int mover_end(struct op *op, struct mover *m)
{
	uint64_t n_sums = record_sums(op->payload.n);
	int err = out_write_at(op->to.segment->fd, m->sums, n_sums, m->to_at);

	record_seal(m->header, m->crc);
	return err ? err : out_write_at(op->to.segment->fd, m->header, RECORD_HEADER, op->to.off);
}
