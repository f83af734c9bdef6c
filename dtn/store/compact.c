/*
 * compact: which records of bundles live in which segment, and moving the last ones out of a segment that
 * is mostly garbage, when free segments run short. At most 1 MiB moves with a batch.
 */
#include "dtn/store/disk.h"

#define MOVE_MAX (UINT64_C(1) << 20)
#define FREE_WANTED 4

static struct segment *emptiest(const struct log *log);
static bool add_move(struct store *st, struct store_batch *b, struct entry *e);

void compact_begin(struct disk *d, struct store_batch *b)
{
	if (log_n_available(&d->log) >= FREE_WANTED)
		return;
	struct segment *s = emptiest(&d->log);
	uint64_t moved = 0;

	if (!s)
		return;
	for (struct link_node *l = s->entries.next; l != &s->entries && moved < MOVE_MAX;
		l = l->next) {
		struct entry *e = container_of(l, struct entry, in_segment);

		if (e->is_running)
			continue;
		if (!add_move(&d->base, b, e))
			return;
		moved += e->place.len;
	}
}

void compact_place(struct entry *e, const struct place *at)
{
	if (e->place.segment) {
		e->place.segment->live -= e->place.len;
		list_remove(&e->in_segment);
		e->place.segment = NULL;
	}
	if (!at || !at->segment)
		return;
	e->place = *at;
	at->segment->live += at->len;
	list_push_back(&at->segment->entries, &e->in_segment);
}

/* Half empty at least: else moving costs more room than it makes. */
static struct segment *emptiest(const struct log *log)
{
	struct segment *best = NULL;

	for (size_t i = 0; i < log->n; i++) {
		struct segment *s = log->segment[i];

		if (s->generation == 0 || s == log->active || s->is_bad || s->live == 0 ||
			s->live > s->size / 2 || s->generation >= log->kept_generation)
			continue;
		if (!best || s->live < best->live)
			best = s;
	}
	return best;
}

static bool add_move(struct store *st, struct store_batch *b, struct entry *e)
{
	struct op *op = slabs_take(&st->slabs, sizeof *op);

	if (!op)
		return false;
	*op = (struct op){.entry = e,
		.type = OP_MOVE,
		.kind = e->kind,
		.id = e->id,
		.from = e->place,
		.value = store_cell_ref(e->saved),
		.head.n = e->head.n,
		.payload.n = e->payload.n};
	list_init(&op->link);
	list_push_back(&b->ops, &op->link);
	e->is_running = true;
	st->stats.staged_bytes += stage_op_charge(op);
	return true;
}
