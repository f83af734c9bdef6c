/*
 * commit: batches. store_commit_begin() takes the stage as it is, store_commit_run() (another thread)
 * makes it durable by the implementation, store_commit_end() applies it to the durable side of the
 * entries, or stages it again if it failed.
 *
 * A failed batch is not undone: readers go on seeing its changes, they are staged again and go with the
 * next batch. Who refuses what had not been spoken deletes it, and then it is never written. So the
 * store and what the agent believes cannot part. ENOSPC and EDQUOT leave the store open; after any other
 * error it is closed, because a second flush after a failed one may lie (fsync(2) reports an error once).
 * Start reading at store_commit_begin().
 */
#include "dtn/store/impl.h"

#include <assert.h>

static void apply_op(struct store *st, struct op *op);
static void restage_op(struct store *st, struct op *op);
static void merge_newer(struct store *st, struct op *old, struct op *newer);
static void event_push(struct store *st, struct store_event ev);

struct store_batch *store_commit_begin(struct store *st)
{
	struct store_batch *b = &st->batch;

	if (st->is_running || st->stats.is_closed || !store_wants_commit(st) ||
		st->n_events == STORE_EVENTS)
		return NULL;
	b->seq = st->seq++;
	b->has_lane = false;
	for (struct link_node *l = st->stage.next; l != &st->stage; l = l->next) {
		struct op *op = container_of(l, struct op, link);

		op->entry->op = NULL;
		op->entry->is_running = true;
		b->has_lane |= op->flags & STORE_LONG;
	}
	list_move_all(&b->ops, &st->stage);
	st->is_running = true;
	if (st->ops->begin)
		st->ops->begin(st, b);
	return b;
}

int store_commit_run(struct store_batch *b)
{
	return b->st->ops->run(b->st, b);
}

void store_commit_end(struct store *st, struct store_batch *b, int err)
{
	assert(st->is_running && b == &st->batch);
	if (err)
		commit_restage(st, b);
	else
		commit_apply(st, b);
	if (err) {
		st->stats.commits_failed++;
		st->stats.last_err = err;
		if (err != -ENOSPC && err != -EDQUOT)
			store_shut(st, err);
	} else {
		st->stats.batches++;
	}
	event_push(st, (struct store_event){
			       .type = err ? STORE_COMMIT_FAILED : STORE_COMMITTED,
			       .seq = b->seq,
			       .err = err,
		       });
}

bool store_event(struct store *st, struct store_event *ev)
{
	if (st->n_events == 0)
		return false;
	*ev = st->event[st->event_at];
	st->event_at = (st->event_at + 1) % STORE_EVENTS;
	st->n_events--;
	return true;
}

void commit_apply(struct store *st, struct store_batch *b)
{
	while (!list_empty(&b->ops))
		apply_op(st, container_of(list_pop_front(&b->ops), struct op, link));
	st->is_running = false;
	if (st->ops->ended)
		st->ops->ended(st);
}

void commit_restage(struct store *st, struct store_batch *b)
{
	/* From the last to the first, each to the front: the order stays. */
	while (!list_empty(&b->ops)) {
		struct op *op = container_of(b->ops.prev, struct op, link);

		list_remove(&op->link);
		restage_op(st, op);
	}
	st->is_running = false;
	if (st->ops->ended)
		st->ops->ended(st);
}

static void apply_op(struct store *st, struct op *op)
{
	struct entry *e = op->entry;

	e->is_running = false;
	if (op->type != OP_MOVE)
		e->is_durable = op->type != OP_DELETE;
	if (e->kind == STORE_RESERVED)
		reserve_applied(st, op);
	stage_op_applied(st, op);
	if (!st->ops->applied(st, op))
		stage_op_free(st, op);
	stage_settle(st, e);
}

static void restage_op(struct store *st, struct op *op)
{
	struct entry *e = op->entry;

	e->is_running = false;
	op->to = (struct place){0};
	if (op->type == OP_MOVE) {
		stage_op_free(st, op);
	} else if (e->op) {
		merge_newer(st, op, e->op);
	} else {
		e->op = op;
		list_push_front(&st->stage, &op->link);
		if (e->kind == STORE_RESERVED)
			e->counter->staged_seq = st->seq;
	}
	stage_settle(st, e);
}

/* The row was changed again while its failed batch ran: one operation remains, or none. */
static void merge_newer(struct store *st, struct op *old, struct op *newer)
{
	struct entry *e = old->entry;

	stage_op_free(st, old);
	if (newer->type == OP_DELETE && !e->is_durable) {
		stage_forget(st, e);
	} else if (newer->type == OP_SET && e->kind == STORE_BUNDLE && !e->is_durable) {
		newer->type = OP_PUT;
		stage_op_bytes(st, newer);
	}
}

static void event_push(struct store *st, struct store_event ev)
{
	assert(st->n_events < STORE_EVENTS);
	st->event[(st->event_at + st->n_events++) % STORE_EVENTS] = ev;
}
