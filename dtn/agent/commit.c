/*
 * commit: promises, the things that are done only when a batch is durable ("commit before you
 * speak"). Each names its batch; STORE_COMMITTED keeps the promises up to that batch in the order
 * in which they were made, STORE_COMMIT_FAILED breaks them: nothing of them was said to anybody, so
 * what they were about is refused or dropped as if it had never been taken.
 *
 * Answers for applications wait in a->done until agent_event() takes them.
 */
#include "dtn/agent/break.h"
#include "dtn/agent/state.h"

static void keep(struct agent *a, mono now, struct promise *p);
static void keep_new(struct agent *a, mono now, struct promise *p);
static void keep_pair(struct agent *a, mono now, struct promise *p);
static void dispatch(struct agent *a, mono now, struct bundle_entry *e, const struct record *r);
static void broken(struct agent *a, mono now, struct promise *p, int err);
static void broken_new(struct agent *a, mono now, struct promise *p, int err);
static void break_pair(struct agent *a, mono now, struct promise *p);
static void answer_later(struct agent *a, struct promise *p, int err);
static void promise_end(struct agent *a, struct promise *p);

bool entry_room(const struct agent *a, bool urgent)
{
	return a->entries.n_free > (urgent ? 0 : entry_reserve(a->entries.n));
}

bool promise_spare(const struct agent *a)
{
	return a->promises.n_free > a->promises.n / 16;
}

bool promise_room(const struct agent *a)
{
	return a->promises.n_free > 0;
}

/* The caller has asked promise_room(). */
struct promise *promise_add(struct agent *a, enum promise_kind kind, uint64_t seq, uint64_t id)
{
	struct promise *p = pool_take(&a->promises);

	assert(p);
	memset(p, 0, sizeof *p);
	list_init(&p->link);
	p->kind = (uint8_t)kind;
	p->seq = seq;
	p->id = id;
	list_push_back(&a->promised, &p->link);
	a->n_pair_promises += kind == PROMISE_PAIR;
	return p;
}

static void promise_end(struct agent *a, struct promise *p)
{
	a->n_pair_promises -= p->kind == PROMISE_PAIR;
	pool_give(&a->promises, p);
}

void agent_stored(struct agent *a, mono now)
{
	struct store_event ev;

	while (store_event(a->store, &ev)) {
		struct link_node *n = a->promised.next, *next;

		if (ev.type == STORE_COMMIT_FAILED)
			outgoing_again(a, ev.seq);
		a->committed = ev.seq;
		a->import_waits = false;
		security_stored(a);
		for (; n != &a->promised; n = next) {
			struct promise *p = container_of(n, struct promise, link);

			/* What is kept now may promise anew at the end of the list: later batches.
			 * */
			next = n->next;
			if (p->seq > ev.seq)
				continue;
			list_remove(n);
			p->is_again = false;
			if (ev.type == STORE_COMMITTED)
				keep(a, now, p);
			else
				broken(a, now, p, ev.err);
			if (!p->is_done && !p->is_again)
				promise_end(a, p);
		}
		if (a->retry) {
			a->retry = false;
			gather_retry(a, now, &a->signals);
			gather_retry(a, now, &a->crs.out);
			gather_retry(a, now, &a->bibe.answers);
		}
	}
}

/* What was staged and released again leaves nothing to commit: no batch will come that could keep
 * its promises, so they hold as they are. */
void promise_settle(struct agent *a, mono now)
{
	struct link_node *n = a->promised.next, *next;

	if (list_empty(&a->promised) || store_is_dirty(a->store))
		return;
	/* In order of their batches: mostly the last one tells that all wait for one that runs. */
	if (container_of(a->promised.prev, struct promise, link)->seq < store_seq(a->store))
		return;
	for (; n != &a->promised; n = next) {
		struct promise *p = container_of(n, struct promise, link);

		next = n->next;
		if (p->seq < store_seq(a->store))
			continue;
		list_remove(n);
		keep(a, now, p);
		if (!p->is_done)
			promise_end(a, p);
	}
}

static void keep(struct agent *a, mono now, struct promise *p)
{
	switch (p->kind) {
	case PROMISE_NEW:
		keep_new(a, now, p);
		break;
	case PROMISE_PAIR:
		keep_pair(a, now, p);
		break;
	case PROMISE_HANDING:
		deliver_committed(a, now, p);
		break;
	case PROMISE_ACKED:
		deliver_acked(a, now, p);
		break;
	case PROMISE_ANSWER:
		answer_kept(a, now, p);
		break;
	}
}

/* A new bundle is durable: now custody is ours, the application is answered, and the bundle may
 * move. */
static void keep_new(struct agent *a, mono now, struct promise *p)
{
	struct bundle_entry *e;
	struct record r;

	if (p->request != 0)
		answer_later(a, p, p->piece_of ? outgoing_settle(a, now, p, 0) : 0);
	if (p->inside != 0)
		bibe_settled(a, now, p, 0);
	e = entry_by_id(a, p->id);
	if (!e)
		return; /* cut through: it left and was released before its batch began */
	trace_point(a->trace, now, bundle_committed, p->id, p->seq);
	r = entry_record(a, e);
	if (p->has_pair) {
		trace_point(a->trace, now, custody_taken, p->id, r.own_seq_id, r.own_seq_no,
			p->pair.custodian.node, p->pair.seq_no);
		if (!BREAK_SPEAK_EARLY)
			signal_add(a, now, &p->pair, true, p->id);
		report_taken(a, now, e);
	}
	if (p->has_outer && !BREAK_ANSWER_EARLY)
		answer_add(a, now, &p->outer, p->id, BIBE_ACCEPTED);
	dispatch(a, now, e, &r);
}

/* Another pair of a bundle that is here (CCSDS 734.6, procedures): accepted now; what was on its way under
 * our old number is sent again under the new one. */
static void keep_pair(struct agent *a, mono now, struct promise *p)
{
	struct bundle_entry *e = entry_by_id(a, p->id);
	struct record r;

	if (!p->has_pair)
		return; /* the bundle's own batch failed: refused by then */
	if (e) {
		r = entry_record(a, e);
		trace_point(a->trace, now, custody_taken, p->id, r.own_seq_id, r.own_seq_no,
			p->pair.custodian.node, p->pair.seq_no);
	}
	if (!BREAK_SPEAK_EARLY)
		signal_add(a, now, &p->pair, true, p->id);
	if (p->has_outer)
		answer_add(a, now, &p->outer, p->id, BIBE_REDUNDANT);
	if (e)
		dispatch(a, now, e, &r);
}

/* RFC 9171 5.3, once all that was staged of it is durable: another promise may still be open.
 * RFC 9171 5.3/d1, 5.3-1, 5.3-1b, 5.3-1c, 5.3-2, 5.4.2-2, 5.6-5 */
static void dispatch(struct agent *a, mono now, struct bundle_entry *e, const struct record *r)
{
	if (e->state != ENTRY_STAGED || !entry_is_durable(a, e))
		return;
	if (reassemble_is_part(e)) {
		reassemble_committed(a, now, e); /* RFC 9171 5.7-1 */
	} else if (e->flags & E_LOCAL) {
		reassemble_replaced(a, now, e);
		deliver_arrived(a, now, e);
	} else
		forward_with(a, now, e, r, NODE_NONE);
}

/* A failed batch is not undone by the store, it goes again with the next one: so only what was new
 * is taken back, and everything else is promised again. */
static void broken(struct agent *a, mono now, struct promise *p, int err)
{
	struct known *k;

	if (p->kind == PROMISE_NEW) {
		broken_new(a, now, p, err);
		return;
	}
	p->seq = store_seq(a->store);
	k = p->has_pair ? known_pair(a, &p->pair) : NULL;
	if (k)
		k->seq = p->seq;
	if (entry_by_id(a, p->id) && p->kind == PROMISE_PAIR)
		entry_by_id(a, p->id)->seq = p->seq;
	p->is_again = true;
	list_push_back(&a->promised, &p->link);
}

/* As if it had never been taken. */
static void broken_new(struct agent *a, mono now, struct promise *p, int err)
{
	struct bundle_entry *e;
	struct record r;

	if (p->piece_of != 0)
		err = outgoing_settle(a, now, p, err);
	if (p->request != 0)
		answer_later(a, p, err);
	if (p->inside != 0)
		bibe_settled(a, now, p, err);
	e = entry_by_id(a, p->id);
	if (p->has_pair)
		break_pair(a, now, p);
	if (p->has_outer)
		answer_add(a, now, &p->outer, p->id, BIBE_DEPLETED);
	if (!e)
		return;
	/* It may have come under other pairs meanwhile: they go with it. */
	bool may_have = a->n_pair_promises > 0 && !BREAK_ONE_PAIR;

	for (struct link_node *n = a->promised.next; may_have && n != &a->promised; n = n->next) {
		struct promise *other = container_of(n, struct promise, link);

		if (other->kind == PROMISE_PAIR && other->id == p->id && other->has_pair)
			break_pair(a, now, other);
	}
	trace_point(a->trace, now, bundle_deleted, p->id, REASON_DEPLETED_STORAGE);
	r = entry_record(a, e);
	entry_forget(a, now, e);
	store_delete(a->store, p->id);
	entry_free(a, e);
	reassemble_again(a, now, r.uid);
}

/* The pair is refused, and its promise has nothing to keep any more. */
static void break_pair(struct agent *a, mono now, struct promise *p)
{
	struct known *k = known_pair(a, &p->pair);

	if (k)
		known_forget(a, k);
	custody_refuse(a, now, &p->pair, p->id, WHY_COMMIT_FAILED);
	p->has_pair = false;
}

static void answer_later(struct agent *a, struct promise *p, int err)
{
	p->err = err;
	p->is_done = true;
	list_push_back(&a->done, &p->link);
}
