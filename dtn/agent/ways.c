/*
 * ways: which neighbour a bundle is queued for. The router names the best way; what is queued for its
 * first contact already counts: where the contact's volume is promised, the next best way is asked for,
 * so that two open contacts are both used, and a long queue is spread over the contacts to come. If
 * none has room, the best one takes it all the same: what is left when the contact closes is routed
 * again (forward.c).
 *
 * A bundle that may be cut (fragment.c) goes where all of it has room, else where a piece has, so that
 * contacts smaller than itself count as ways. The answers for one question are kept while time stands still: a contact that
 * closes on 10 000 bundles of one destination costs a few searches. Start reading at ways_choose().
 */
#include "dtn/agent/state.h"

static int pick(struct agent *a, const struct bundle_entry *e, const struct route_query *q,
	bool is_private, struct route_choice *out);
static uint64_t room(const struct agent *a, const struct ways *w, unsigned i, unsigned priority);
static void remember(struct agent *a, const struct route_query *q, bool is_private);
static bool is_same(const struct ways *w, const struct route_query *q, bool is_private);
static bool next_way(struct agent *a, struct ways *w);
static int ask(struct agent *a, const struct ways *w, struct route_choice *out);

/* RFC 9171 5.4-2/3. The best way by a neighbour of ours: not to `not_to`, and not back to where it
 * came from, unless that is the only one (RFC 9171 5.4.2-1, 5.4.2-1/2, 5.4.2-1/2b). 0, -E_NO_ROUTE,
 * -E_NO_CONTACT. */
int ways_choose(struct agent *a, mono now, const struct way_for *f, struct route_choice *out)
{
	const struct bundle_entry *e = f->e;
	const struct record *r = f->r;
	node_id not_to = f->not_to;
	struct route_query q = {.from = a->self.node,
		.to = r->dest_node,
		.at = now - a->deps.plan_zero,
		.expiry = MONO_NEVER,
		.size_bytes = ways_least(a, r),
		.priority = e->priority};
	int err;

	if (r->dest_node == NODE_NONE)
		return -E_NO_ROUTE;
	if (not_to != NODE_NONE)
		q.exclude[q.n_exclude++] = not_to;
	if (r->prev_node != NODE_NONE && r->prev_node != not_to && r->prev_node != r->dest_node)
		q.exclude[q.n_exclude++] = r->prev_node;
	err = pick(a, e, &q, r->flags & RECORD_PRIVATE, out);
	if (err == 0 || q.n_exclude == 0)
		return err;
	q.n_exclude = not_to != NODE_NONE; /* by the previous node after all */
	return pick(a, e, &q, r->flags & RECORD_PRIVATE, out);
}

/* Something changed that answers depend on. */
void ways_forget(struct agent *a)
{
	a->ways.is_set = false;
}

/* Bytes that must fit a contact at once. */
uint64_t ways_least(const struct agent *a, const struct record *r)
{
	uint64_t head = r->size_bytes - r->payload_bytes, n = a->cfg.min_bytes;

	if (!(r->flags & RECORD_MAY_CUT) || r->flags & RECORD_CUSTODY || n >= r->payload_bytes)
		return r->size_bytes;
	return head + FRAGMENT_GROWTH + n < r->size_bytes ? head + FRAGMENT_GROWTH + n
							  : r->size_bytes;
}

static int pick(struct agent *a, const struct bundle_entry *e, const struct route_query *q,
	bool is_private, struct route_choice *out)
{
	struct ways *w = &a->ways;
	mono expiry = e->expiry == MONO_NEVER ? MONO_NEVER : e->expiry - a->deps.plan_zero;
	bool has_piece = false; /* *out has room for a piece of it at least */

	if (!is_same(w, q, is_private))
		remember(a, q, is_private);
	for (unsigned i = 0; i < w->n || next_way(a, w); i++) {
		const struct way *y = &w->way[i];
		uint64_t left = room(a, w, i, e->priority);

		if (y->choice.arrival > expiry)
			return i == 0 ? -E_NO_CONTACT : 0;
		if (i == 0 || left >= e->size || (!has_piece && left >= q->size_bytes))
			*out = y->choice;
		if (left >= e->size)
			return 0;
		has_piece = has_piece || left >= q->size_bytes;
	}
	return w->n == 0 ? w->err : 0;
}

/* What way i's contact can carry beside what is queued for its neighbour: those before it to the same
 * neighbour carry some of that. */
static uint64_t room(const struct agent *a, const struct ways *w, unsigned i, unsigned priority)
{
	const struct neighbour *n = &a->neighbour[w->way[i].neighbour];
	uint64_t volume = w->way[i].choice.volume_bytes, queued = 0;

	for (unsigned k = 0; k < i; k++)
		if (w->way[k].neighbour == w->way[i].neighbour)
			volume = u64_add_sat(volume, w->way[k].choice.volume_bytes);
	for (unsigned p = priority; p < PRIORITIES; p++)
		queued += n->queued_bytes[p];
	return volume > queued ? volume - queued : 0;
}

static void remember(struct agent *a, const struct route_query *q, bool is_private)
{
	a->ways = (struct ways){.is_set = true, .is_private = is_private, .q = *q};
}

static bool is_same(const struct ways *w, const struct route_query *q, bool is_private)
{
	if (!w->is_set || w->is_private != is_private || w->q.to != q->to || w->q.at != q->at ||
		w->q.size_bytes != q->size_bytes || w->q.priority != q->priority ||
		w->q.n_exclude != q->n_exclude)
		return false;
	for (unsigned i = 0; i < q->n_exclude; i++)
		if (w->q.exclude[i] != q->exclude[i])
			return false;
	return true;
}

/* The next best, as if the contacts of those before were closed. */
static bool next_way(struct agent *a, struct ways *w)
{
	struct way *y = &w->way[w->n];

	if (w->err != 0 || w->n == WAYS_MAX || (w->n > 0 && w->way[w->n - 1].choice.contact == 0))
		return false;
	if (w->n > 0)
		w->q.closed[w->q.n_closed++] = w->way[w->n - 1].choice.contact;
	w->err = ask(a, w, &y->choice);
	if (w->err != 0)
		return false;
	y->neighbour = neighbour_find(a, y->choice.next);
	w->n++;
	return true;
}

/* The router may name a node that is no neighbour of ours, or one beyond the border of our domain
 * for a bundle that must not cross it (RFC 9758 5.5/1): the next best, then. */
static int ask(struct agent *a, const struct ways *w, struct route_choice *out)
{
	struct route *r = a->deps.route;
	struct route_query q = w->q;
	unsigned k;
	int err;

	for (;;) {
		err = r->ops->find(r, &q, out);
		k = err == 0 ? neighbour_find(a, out->next) : NO_NEIGHBOUR;
		if (err != 0 ||
			(k != NO_NEIGHBOUR && !(w->is_private && a->neighbour[k].is_border)))
			return err;
		if (q.n_exclude == ROUTE_EXCLUDE_MAX)
			return -E_NO_ROUTE;
		q.exclude[q.n_exclude++] = out->next;
	}
}
