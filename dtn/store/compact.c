/*
 * compact: which records of bundles live in which segment, and moving the last ones out of a segment that
 * is mostly garbage into the lane, when free segments run short. With a batch moves about as much as it
 * brings, and at least half a segment, so that room is made as fast as it is taken.
 */
#include "dtn/store/disk.h"

#define MOVE_MOST (UINT64_C(16) << 20)

static bool move_out(
	struct disk *d, struct store_batch *b, struct segment *s, uint64_t most, uint64_t *moved);
static struct segment *emptiest(const struct log *log, uint64_t seq);
static bool add_move(struct store *st, struct store_batch *b, struct entry *e);

void compact_begin(struct disk *d, struct store_batch *b)
{
	uint64_t staged = d->base.stats.staged_bytes, moved = 0, made = 0;
	uint64_t most = staged < d->log.segment_size / 2 ? d->log.segment_size / 2
			: staged > MOVE_MOST             ? MOVE_MOST
							 : staged;

	if (!log_is_short(&d->log, staged))
		return;
	for (struct segment *s; moved < most && made <= 2 * staged;) {
		s = emptiest(&d->log, b->seq);
		if (!s)
			return;
		s->moved_with = b->seq;
		made += s->size - s->live;
		if (!move_out(d, b, s, most, &moved))
			return;
	}
}

/* Its records join the batch, as far as `most` bytes go. */
static bool move_out(
	struct disk *d, struct store_batch *b, struct segment *s, uint64_t most, uint64_t *moved)
{
	for (struct link_node *l = s->entries.next; l != &s->entries && *moved < most;
		l = l->next) {
		struct entry *e = &container_of(l, struct bundle, in_segment)->row;

		if (e->is_running)
			continue;
		if (!add_move(&d->base, b, e))
			return false;
		*moved += compact_place_of(e).len;
	}
	return true;
}

bool compact_is_due(const struct disk *d)
{
	return log_is_short(&d->log, 0) && emptiest(&d->log, 0) != NULL;
}

struct place compact_place_of(const struct entry *e)
{
	const struct bundle *b = bundle_of(e);

	return (struct place){b->segment, b->off, (uint64_t)b->units * RECORD_ALIGN};
}

void compact_place(struct entry *e, const struct place *at)
{
	struct bundle *b = bundle_of(e);

	if (b->segment) {
		b->segment->live -= (uint64_t)b->units * RECORD_ALIGN;
		list_remove(&b->in_segment);
	}
	b->segment = at->segment;
	b->off = at->off;
	b->units = (uint32_t)(at->len / RECORD_ALIGN);
	if (!b->segment)
		return;
	b->segment->live += at->len;
	list_push_back(&b->segment->entries, &b->in_segment);
}

/* Half empty at least: else moving costs more room than it makes. One that is not in this batch yet. */
static struct segment *emptiest(const struct log *log, uint64_t seq)
{
	struct segment *best = NULL;

	for (size_t i = 0; i < log->n; i++) {
		struct segment *s = log->segment[i];

		if (s->generation == 0 || s == log->active || s == log->lane || s->is_bad ||
			s->live == 0 || s->live > s->size / 2 || s->moved_with == seq ||
			(!s->is_lane && s->generation >= log->kept_generation))
			continue;
		if (!best || s->live < best->live)
			best = s;
	}
	return best;
}

static bool add_move(struct store *st, struct store_batch *b, struct entry *e)
{
	struct op *op = stage_op(st, e, OP_MOVE);
	struct view v;

	if (op && !op->value && index_value(st, e, &v) == 0)
		op->value = store_cell_of(st, v);
	if (op && !op->value) {
		stage_op_free(st, op);
		return false;
	}
	if (!op)
		return false;
	op->from = compact_place_of(e);
	op->head.n = bundle_of(e)->head_len;
	op->payload.n = bundle_of(e)->payload_len;
	list_push_back(&b->ops, &op->link);
	b->has_lane = true;
	e->is_running = true;
	return true;
}
