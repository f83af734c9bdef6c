/*
 * checkpoint: the index follows the log.
 *
 * What has become durable waits in `kept`, one operation a row: the newest. A bundle that comes and goes
 * between two checkpoints never reaches the index. When enough has gathered, or the log has grown enough,
 * or free segments run short, all of it is handed to the writer (`todo`) with the log's position. The
 * writer puts a part of it into the index with each batch, so that no batch waits for all, and at the end
 * the position, in one transaction. Then the loop lets go of the values, a part a turn: the index has
 * them. A checkpoint that failed is tried again with the same rows; the log keeps what it did not get.
 *
 * A row that changes while it is in `todo` gets a new operation for the next checkpoint. Start reading at
 * checkpoint_keep().
 */
#include "dtn/store/disk.h"

#include <assert.h>

#define PART_LEAST 128u /* rows with a batch */
#define PARTS 8u        /* ... or so many parts of a checkpoint */
#define RETRY 64u       /* batches */

static void detach(struct disk *d, struct entry *e);
static int write_part(struct disk *d, size_t most);
static void splice(struct link_node *to, struct link_node *from);

void checkpoint_init(struct checkpoint *c, size_t every, uint64_t every_bytes)
{
	*c = (struct checkpoint){.every = every, .every_bytes = every_bytes};
	list_init(&c->kept);
	list_init(&c->todo);
	list_init(&c->done);
	list_init(&c->spent);
}

bool checkpoint_keep(struct disk *d, struct op *op)
{
	struct entry *e = op->entry;

	detach(d, e);
	if (op->type == OP_DELETE) {
		op->entry = NULL;
		if (!e->is_indexed)
			return false;
	} else {
		op->type = OP_SET;
		e->kept = op;
	}
	if (e->kind == STORE_BUNDLE && op->type == OP_SET) {
		op->to = compact_place_of(e);
		op->head.n = bundle_of(e)->head_len;
		op->payload.n = bundle_of(e)->payload_len;
	}
	list_push_back(&d->point.kept, &op->link);
	d->point.n_kept++;
	return true;
}

/* The change that waits for the index is not the newest any more. */
static void detach(struct disk *d, struct entry *e)
{
	struct op *old = e->kept;

	e->kept = NULL;
	if (!old)
		return;
	old->entry = NULL;
	if (old->is_indexing)
		return;
	d->point.n_kept--;
	stage_op_free(&d->base, old);
}

void checkpoint_begin(struct disk *d)
{
	struct checkpoint *c = &d->point;

	/* One that frees no segment is no help. */
	c->is_forced = log_is_short(&d->log, d->base.stats.staged_bytes) && d->log.active &&
		       d->log.active->generation > d->log.kept_generation;
	if (c->is_begun || (c->n_kept < c->every && d->log.tail < c->every_bytes && !c->is_forced))
		return;
	for (struct link_node *l = c->kept.next; l != &c->kept; l = l->next) {
		struct op *op = container_of(l, struct op, link);

		op->is_indexing = true;
		if (op->entry)
			op->entry->is_indexed = true;
	}
	splice(&c->todo, &c->kept);
	c->n_kept = 0;
	c->is_begun = true;
	c->wait = 0;
	c->mark = (struct index_meta){.boot = d->base.stats.boot,
		.generation = d->log.active ? d->log.active->generation : 0,
		.end = d->log.active ? d->log.active->end : 0,
		.batch = d->log.last_batch};
	d->log.tail = 0;
}

void checkpoint_run(struct disk *d)
{
	struct checkpoint *c = &d->point;
	size_t part = c->every / PARTS < PART_LEAST ? PART_LEAST : c->every / PARTS;
	int err;

	if (!c->is_begun || (c->wait > 0 && --c->wait > 0 && !c->is_forced))
		return;
	err = c->is_writing ? 0 : kv_begin(d->kv);
	c->is_writing = !err;
	if (!err)
		err = write_part(d, c->is_forced ? SIZE_MAX : part);
	if (!err && list_empty(&c->todo)) {
		err = index_meta_put(d, &c->mark);
		if (!err) {
			err = kv_commit(d->kv);
			c->is_writing = false;
			c->is_committed = !err;
			if (!err) {
				d->log.kept_generation = c->mark.generation;
				kv_room(d->kv, c->room);
			}
		}
	}
	if (!err)
		return;
	if (c->is_writing)
		kv_abort(d->kv);
	c->is_writing = false;
	splice(&c->done, &c->todo);
	splice(&c->todo, &c->done);
	c->wait = RETRY;
	if (err != -ENOSPC && err != -EDQUOT)
		c->err = err;
}

void checkpoint_ended(struct disk *d)
{
	struct checkpoint *c = &d->point;

	if (c->is_committed) {
		int err = kv_refresh(d->kv);

		if (err) {
			store_shut(&d->base, err);
			return;
		}
		splice(&c->spent, &c->done);
		c->is_committed = c->is_begun = false;
	}
}

void checkpoint_settle(struct disk *d, size_t most)
{
	struct store *st = &d->base;

	for (; most > 0 && !list_empty(&d->point.spent); most--) {
		struct op *op = container_of(list_pop_front(&d->point.spent), struct op, link);
		struct entry *e = op->entry;

		if (e) {
			assert(e->kept == op);
			e->kept = NULL;
		}
		if (e && e->value == op->value && !e->op && !e->is_running &&
			e->kind != STORE_RESERVED) {
			store_cell_unref(st, e->value);
			e->value = NULL;
		}
		stage_op_free(st, op);
	}
}

static int write_part(struct disk *d, size_t most)
{
	struct checkpoint *c = &d->point;

	for (; most > 0 && !list_empty(&c->todo); most--) {
		struct op *op = container_of(c->todo.next, struct op, link);
		int err = index_put_op(d, op);

		if (err)
			return err;
		list_remove(&op->link);
		list_push_back(&c->done, &op->link);
	}
	return 0;
}

/* All of `from` behind what is in `to`. */
static void splice(struct link_node *to, struct link_node *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}
