/*
 * transmission: the sending side of custodial tunnels (draft-ietf-dtn-bibect; owlt-bibe(7)). To
 * the rest of the agent such a tunnel is a convergence layer that takes its time: what was put in is
 * SENDING until the far end has answered for its number, then it was sent, or it was not:
 *
 *   SENDING --answer 0, 3---> sent: released, as by a plain link; a piece: that much of it has left
 *      |-----other answer---> another custodial tunnel; none: again after custody.interval
 *      `-----no answer------> another custodial tunnel, or this one again, under a new number
 *
 * A bundle in our custody (custody.c) is AWAIT once the bundle around it is durable: its own signal releases
 * it, an answer only says early that it was refused.
 *
 * Numbers are reserved in committed blocks and never come again; which bundle one was for is known in
 * memory only. So after a restart, and when a bundle has come back, an old answer releases nothing.
 * Answers count from the far end alone, for what was given to a link; with its signature where it has a key.
 * Start reading at transmission_add() and transmission_receive().
 */
#include "dtn/agent/break.h"
#include "dtn/agent/state.h"

#define UNIX_2000_S UINT64_C(946684800) /* DTN time begins there */

static uint64_t give_up_time(const struct agent *a, mono now, mono due, uint64_t record);
static void watch(struct agent *a, mono now, struct transmission *x);
static void drop(struct agent *a, struct transmission *x);
static struct transmission *find(const struct hash_table *t, uint64_t id, size_t node_at);
static enum why doubt(const struct agent *a, const struct arrival *in);
static uint64_t apply(
	struct agent *a, mono now, const struct arrival *in, const struct bibe_signal *s);
static bool answered(struct agent *a, mono now, struct transmission *x, node_id by, uint64_t what);
static bool is_out(const struct agent *a, const struct transmission *x);
static void taken(struct agent *a, mono now, const struct transmission *x);
static void failed(struct agent *a, mono now, const struct transmission *x, enum why why);
static bool is_sending(
	const struct agent *a, const struct bundle_entry *e, const struct transmission *x);

#define BY(node) offsetof(struct transmission, node)

int transmission_init(struct agent *a)
{
	struct transmissions *t = &a->bibe.sent;
	size_t n = 0;
	int err;

	hash_init(&t->by_id);
	hash_init(&t->by_bundle);
	hash_init(&t->by_outer);
	heap_init(&t->timers);
	for (size_t i = 0; i < a->bibe.n_tunnels; i++)
		n += a->bibe.tunnel[i].custody ? a->cfg.bibe.max_unanswered : 0;
	if (n == 0)
		return 0;
	err = pool_init(&t->pool, n, sizeof(struct transmission));
	err = err ? err : hash_reserve(&t->by_id, n);
	err = err ? err : hash_reserve(&t->by_bundle, n);
	err = err ? err : hash_reserve(&t->by_outer, n);
	return err ? err : heap_reserve(&t->timers, n);
}

void transmission_fini(struct agent *a)
{
	struct transmissions *t = &a->bibe.sent;

	hash_fini(&t->by_id);
	hash_fini(&t->by_bundle);
	hash_fini(&t->by_outer);
	heap_fini(&t->timers);
	pool_fini(&t->pool);
}

/* -- out */

bool transmission_room(const struct agent *a, unsigned tunnel)
{
	return a->bibe.tunnel[tunnel].n_waiting < a->cfg.bibe.max_unanswered;
}

/* It may use all steps of the room (admit.c) and half of the entries that are kept for signals: a node that is
 * full of bundles for a tunnel drains by it. */
bool transmission_fits(const struct agent *a, uint64_t bytes)
{
	return a->entries.n_free > entry_reserve(a->entries.n) / 2 &&
	       store_has_room(a->store, bytes, 0);
}

int transmission_number(struct agent *a, mono now, unsigned tunnel, struct bpdu *p, uint64_t *seq)
{
	node_id to = a->bibe.tunnel[tunnel].to.node;
	mono there = route_earliest(a, a->self.node, to, now);
	int err = 0;

	*seq = 0;
	if (BREAK_TRANSMISSIONS_REPEAT)
		p->id = ++a->custody_break;
	else
		err = store_reserve(a->store, COUNTER_TUNNEL, 1, &p->id, seq);
	p->when = give_up_time(a, now, custody_expected(a, to, there, now), p->type);
	return err;
}

/* ION counts Unix seconds, the draft DTN time (bibect, encoding). Without a clock: 0. */
static uint64_t give_up_time(const struct agent *a, mono now, mono due, uint64_t record)
{
	dtntime t = agent_clock(a, now) + (uint64_t)((due - now + US_PER_MS - 1) / US_PER_MS);

	if (!a->deps.clock_is_accurate || due == MONO_NEVER)
		return 0;
	return record == BIBE_ION ? t / 1000 + UNIX_2000_S : t;
}

void transmission_add(struct agent *a, const struct transmission *new)
{
	struct transmissions *t = &a->bibe.sent;
	struct transmission *x = find(&t->by_bundle, new->bundle, BY(by_bundle));

	if (x)
		drop(a, x); /* of an earlier try: nothing waits for it */
	x = pool_take(&t->pool);
	assert(x);
	*x = *new;
	x->due = MONO_NEVER;
	heap_node_init(&x->timer);
	/* Buckets and slots were reserved for the whole pool, so these can't fail. */
	(void)!hash_insert(&t->by_id, &x->by_id, hash_mix(x->id));
	(void)!hash_insert(&t->by_bundle, &x->by_bundle, hash_mix(x->bundle));
	(void)!hash_insert(&t->by_outer, &x->by_outer, hash_mix(x->outer));
	(void)!heap_push(&t->timers, &x->timer, x->expiry, x->id);
	a->bibe.tunnel[x->tunnel].n_waiting++;
	a->bibe.tunnel[x->tunnel].n_sent++;
}

void transmission_settled(struct agent *a, mono now, const struct promise *p, int err)
{
	struct transmission *x = find(&a->bibe.sent.by_id, p->transmission, BY(by_id));
	const struct bundle_entry *e = x ? entry_by_id(a, x->bundle) : NULL;
	struct transmission last;
	node_id to;

	if (!x)
		return; /* answered already; or nobody waits for it any more */
	if (err != 0) {
		last = *x;
		drop(a, x);
		if (!e || is_sending(a, e, &last))
			agent_send_failed(a, now, last.bundle);
		return;
	}
	x->is_durable = true;
	to = a->bibe.tunnel[x->tunnel].to.node;
	if (!x->has_left)
		x->due = custody_expected(a, to, route_earliest(a, a->self.node, to, now), now);
	if (e && e->flags & E_CUSTODY)
		taken(a, now, x);
	watch(a, now, x);
}

void transmission_left(struct agent *a, mono now, uint64_t outer, node_id next, mono there)
{
	struct transmission *x = find(&a->bibe.sent.by_outer, outer, BY(by_outer));
	node_id to;

	if (!x)
		return;
	x->has_left = true;
	to = a->bibe.tunnel[x->tunnel].to.node;
	x->due = custody_expected(a, to, next == to ? there : route_earliest(a, next, to, there),
		mono_min(there, mono_add(now, a->cfg.custody_interval_us)));
	watch(a, now, x);
}

/* Before its batch has ended the bundle around is sure to be looked at again. */
static void watch(struct agent *a, mono now, struct transmission *x)
{
	if (!x->is_durable)
		return;
	heap_remove(&a->bibe.sent.timers, &x->timer);
	(void)!heap_push(&a->bibe.sent.timers, &x->timer, mono_min(x->due, x->expiry), x->id);
	if (x->has_left)
		trace_point(a->trace, now, tunnel_waits, x->bundle,
			a->bibe.tunnel[x->tunnel].to.node, x->id, (uint64_t)x->due);
}

bool transmission_forget(struct agent *a, const struct bundle_entry *e)
{
	struct transmission *x = find(&a->bibe.sent.by_bundle, entry_id(e), BY(by_bundle));

	if (BREAK_TRANSMISSION_KEPT || !x || e->flags & E_CUSTODY || !is_sending(a, e, x))
		return false;
	drop(a, x);
	return true;
}

/* -- in */

bool transmission_receive(struct agent *a, mono now, uint64_t id, const struct arrival *in)
{
	struct range runs[BIBE_RUNS_MAX];
	struct bibe_signal s = {.ids = ranges_of(runs, BIBE_RUNS_MAX)};
	node_id from = in->b->source.node;
	uint64_t n, n_known;
	enum why why;

	if (bibe_signal_read(in->b->payload, &s) != 0)
		return false;
	n = ranges_count(&s.ids);
	why = doubt(a, in);
	if (why != WHY_NONE) {
		trace_point(a->trace, now, tunnel_signal_refused, id, from, why, n);
		return true;
	}
	n_known = apply(a, now, in, &s);
	trace_point(a->trace, now, tunnel_signal_rx, id, from, s.disposition, n_known, n - n_known);
	return true;
}

/* Only far ends of custodial tunnels are heard; one with a key says nothing without his signature. */
static enum why doubt(const struct agent *a, const struct arrival *in)
{
	node_id from = in->b->source.node;

	for (size_t i = 0; i < a->bibe.n_tunnels; i++)
		if (a->bibe.tunnel[i].custody && a->bibe.tunnel[i].to.node == from)
			return signal_doubt(in, custodian_find(a, from));
	return WHY_NO_PEER;
}

/* A signal may claim [1, 2^60): the smaller of its ids and ours are walked. How many are ours. */
static uint64_t apply(
	struct agent *a, mono now, const struct arrival *in, const struct bibe_signal *s)
{
	struct hash_table *t = &a->bibe.sent.by_id;
	node_id by = in->b->source.node;
	uint64_t n_known = 0;

	if (ranges_count(&s->ids) <= t->n) {
		for (size_t i = 0; i < s->ids.n; i++)
			for (uint64_t v = s->ids.run[i].from; v < s->ids.run[i].to; v++)
				n_known +=
					answered(a, now, find(t, v, BY(by_id)), by, s->disposition);
		return n_known;
	}
	for (struct hash_node *at = hash_next(t, NULL), *next; at; at = next) {
		struct transmission *x = container_of(at, struct transmission, by_id);

		next = hash_next(t, at);
		if (ranges_has(&s->ids, x->id))
			n_known += answered(a, now, x, by, s->disposition);
	}
	return n_known;
}

/* False: nothing that was sent to `by` waits under that number. */
static bool answered(struct agent *a, mono now, struct transmission *x, node_id by, uint64_t what)
{
	bool is_good = what == BIBE_ACCEPTED || what == BIBE_REDUNDANT;
	struct bibe_tunnel *w = x ? &a->bibe.tunnel[x->tunnel] : NULL;
	struct transmission last;

	if (!x || !is_out(a, x) || w->to.node != by)
		return false;
	last = *x;
	drop(a, x);
	trace_point(a->trace, now, tunnel_answered, last.bundle, by, last.id, what);
	w->n_answered += is_good;
	w->n_refused += !is_good;
	if (is_good)
		taken(a, now, &last);
	else
		failed(a, now, &last, WHY_SIGNAL_REFUSED);
	return true;
}

/* A link has it, at least in part, and may tell later than the far end that it is there. */
static bool is_out(const struct agent *a, const struct transmission *x)
{
	const struct bundle_entry *e = x->has_left ? NULL : entry_by_id(a, x->outer);

	return x->has_left || (e && (e->state == ENTRY_SENDING || e->flags & E_SPLIT));
}

/* The far end has it; or, in our custody, it is on its way. */
static void taken(struct agent *a, mono now, const struct transmission *x)
{
	const struct bundle_entry *e = entry_by_id(a, x->bundle);
	mono there = route_earliest(a, a->self.node, a->bibe.tunnel[x->tunnel].to.node, now);
	struct agent_sent sent = {.id = x->bundle,
		.link = EVENT_LINK_TUNNEL,
		.frame_bytes = x->bytes,
		.tx_end = now,
		.owlt_us = there == MONO_NEVER ? 0 : there - now};

	if (!e || is_sending(a, e, x)) /* no entry: a piece, or nothing */
		agent_sent(a, now, &sent);
}

static void failed(struct agent *a, mono now, const struct transmission *x, enum why why)
{
	node_id to = a->bibe.tunnel[x->tunnel].to.node;
	struct bundle_entry *e = fragment_failed(a, now, x->bundle);

	if (!e) {
		e = entry_by_id(a, x->bundle);
		if (e && e->flags & E_CUSTODY) {
			taken(a, now, x);
			if (why == WHY_SIGNAL_REFUSED && e->state == ENTRY_AWAIT &&
				a->bibe.tunnel[x->tunnel].neighbour == e->neighbour)
				custody_answer(a, now, e, false, to);
			return;
		}
		if (!e || !is_sending(a, e, x))
			return;
		trace_point(a->trace, now, bundle_rerouted, x->bundle, to, why);
	}
	if (why == WHY_SIGNAL_REFUSED) {
		custody_elsewhere(a, now, e, to);
		return;
	}
	forward_entry(a, now, e, to);
	if (e->state == ENTRY_WAITING)
		forward_entry(a, now, e, NODE_NONE); /* there is no other way */
}

/* Is it this transmission that the bundle is given to? It may have come back meanwhile. */
static bool is_sending(
	const struct agent *a, const struct bundle_entry *e, const struct transmission *x)
{
	return e->state == ENTRY_SENDING && e->neighbour == a->bibe.tunnel[x->tunnel].neighbour;
}

/* -- time */

mono transmission_deadline(const struct agent *a)
{
	const struct heap_node *h = heap_min(&a->bibe.sent.timers);

	return h ? h->key : MONO_NEVER;
}

void transmission_tick(struct agent *a, mono now)
{
	struct heap_node *h;

	for (unsigned n = 0; n < TURN_MAX && (h = heap_min(&a->bibe.sent.timers)) && h->key <= now;
		n++) {
		struct transmission *x = container_of(h, struct transmission, timer), last = *x;
		struct bibe_tunnel *w = &a->bibe.tunnel[x->tunnel];

		if (x->expiry > now && !x->has_left && entry_by_id(a, x->outer)) {
			/* It waits for a contact: closed time does not count. */
			x->due = custody_expected(a, w->to.node,
				route_earliest(a, a->self.node, w->to.node, now), now);
			if (x->due <= now)
				x->due = mono_add(now, RETRY_US);
			watch(a, now, x);
			continue;
		}
		drop(a, x);
		if (last.expiry <= now)
			continue; /* it ends by itself */
		w->n_late++;
		trace_point(a->trace, now, tunnel_late, last.bundle, w->to.node, last.id);
		failed(a, now, &last, WHY_SIGNAL_LATE);
	}
}

/* -- small helpers */

static void drop(struct agent *a, struct transmission *x)
{
	struct transmissions *t = &a->bibe.sent;

	heap_remove(&t->timers, &x->timer);
	hash_remove(&t->by_id, &x->by_id);
	hash_remove(&t->by_bundle, &x->by_bundle);
	hash_remove(&t->by_outer, &x->by_outer);
	a->bibe.tunnel[x->tunnel].n_waiting--;
	a->bibe.due = 0; /* another one may wait for its place */
	pool_give(&t->pool, x);
}

/* hash_mix() is one to one: equal hashes are equal ids. */
static bool any(const struct hash_node *n, const void *key)
{
	(void)n;
	(void)key;
	return true;
}

static struct transmission *find(const struct hash_table *t, uint64_t id, size_t node_at)
{
	struct hash_node *n = t->n > 0 ? hash_find(t, hash_mix(id), any, NULL) : NULL;

	return n ? (struct transmission *)(void *)((char *)n - node_at) : NULL;
}
