/*
 * bibe: bundles in bundles (draft-ietf-dtn-bibect; owlt-bibe(7)).
 *
 * In: a record with a bundle inside, addressed to this node by a configured peer, is opened and the
 * bundle received as from a link of its own: every check of receive.c, every limit. What a peer puts
 * in is that peer's word: who may not send it to us directly should not be a peer's client. Others'
 * records are refused, and so is what is too large or nested too deep.
 *
 * Out: a tunnel is a neighbour row of its own with a queue like a link's; forward.c puts into it what
 * matches, instead of asking the router, and here it leaves as the payload of a bundle to the far end,
 * which is routed like any. Priority and lifetime go along. So custody, fragments and expiry of the
 * bundle inside are as on a link: it counts as sent when the bundle around it is durable; of a custodial
 * tunnel, when the far end has answered (transmission.c; answer.c is the other end). A tunnel never takes
 * records for the far end of one: its own output would go in again.
 * Start reading at bibe_receive() and bibe_output().
 */
#include "dtn/agent/state.h"

#include <stdlib.h>

#define PER_TURN 64u

static int tunnel_init(struct agent *a, struct bibe_tunnel *t, const struct bibe_tunnel_cfg *cfg);
static int rooms_init(struct agent *a);
static bool is_peer(const struct agent *a, const struct eid *e);
static uint64_t age_of(const struct agent *a, mono now, const struct arrival *in);
static bool send_next(struct agent *a, mono now, struct bibe_tunnel *t);
static int encapsulate(
	struct agent *a, mono now, const struct bibe_tunnel *t, const struct agent_offer *o);
static bool is_matched(const struct bibe_tunnel *t, const struct eid *dest);
static bool is_for_a_tunnel(const struct agent *a, const struct eid *dest);

int bibe_init(struct agent *a)
{
	const struct bibe_cfg *cfg = &a->cfg.bibe;
	struct bibe *w = &a->bibe;
	int err = 0;

	w->due = MONO_NEVER;
	for (; !err && w->n_tunnels < cfg->n_tunnels; w->n_tunnels++)
		err = tunnel_init(a, &w->tunnel[w->n_tunnels], &cfg->tunnel[w->n_tunnels]);
	for (; !err && w->n_peers < cfg->n_peers; w->n_peers++)
		err = eid_pattern_parse(cfg->peer[w->n_peers].text, &w->peer[w->n_peers]);
	if (err || w->n_tunnels + w->n_peers == 0)
		return err;
	err = rooms_init(a);
	err = err ? err : answer_init(a);
	return err ? err : transmission_init(a);
}

static int tunnel_init(struct agent *a, struct bibe_tunnel *t, const struct bibe_tunnel_cfg *cfg)
{
	static const uint64_t type[] = {BIBE_ION, BIBE_OLD, BIBE_NEW}; /* as record_words */
	int err = eid_parse_node(cfg->to, &t->to), row;

	if (err || t->to.node == a->self.node || t->to.node == NODE_NONE)
		return -E_CONFIG;
	t->record = type[cfg->record];
	t->custody = cfg->custody;
	t->fallback = cfg->fallback;
	for (; !err && t->n_match < cfg->n_match; t->n_match++)
		err = eid_pattern_parse(cfg->match[t->n_match].text, &t->match[t->n_match]);
	row = forward_tunnel(a, t->to.node);
	t->neighbour = (unsigned)row;
	return err ? err : row < 0 ? row : 0;
}

static int rooms_init(struct agent *a)
{
	a->bibe.room = malloc(BUNDLE_HEAD_MAX + BUNDLE_TAIL_MAX);
	if (!a->bibe.room)
		return -ENOMEM;
	for (uint64_t i = 0; i < a->cfg.bibe.max_depth; i++) {
		a->bibe.inside[i] = malloc(a->cfg.bibe.max_bytes);
		if (!a->bibe.inside[i])
			return -ENOMEM;
	}
	return 0;
}

void bibe_fini(struct agent *a)
{
	free(a->bibe.room);
	for (size_t i = 0; i < BIBE_DEPTH_MAX; i++)
		free(a->bibe.inside[i]);
	gather_fini(&a->bibe.answers);
	transmission_fini(a);
}

/* -- in */

bool bibe_receive(
	struct agent *a, mono now, uint64_t id, const struct arrival *in, const struct bpdu *p)
{
	bool is_carried;
	enum why why = !is_peer(a, &in->b->source)           ? WHY_NO_PEER
		       : in->depth >= a->cfg.bibe.max_depth  ? WHY_NESTED
		       : p->bundle.n > a->cfg.bibe.max_bytes ? WHY_OVERSIZE
							     : WHY_NONE;
	struct arrival inner = {.link = EVENT_LINK_TUNNEL,
		.from = in->b->source.node,
		.depth = in->depth + 1,
		.flight_ms = age_of(a, now, in)};

	if (why != WHY_NO_PEER)
		inner.outer = answer_to(a, now, in, p);
	is_carried = inner.outer.id == 0;
	if (is_carried)
		inner.outer = in->takes_custody ? answer_custody(in) : in->outer;
	if (why != WHY_NONE) {
		answer_refused(a, now, &inner, why);
		trace_point(a->trace, now, bundle_refused, in->link, why, p->bundle.n,
			in->b->source.node, in->b->seq);
		return is_carried;
	}
	trace_point(a->trace, now, tunnel_rx, id, in->b->source.node, p->type, p->id, p->bundle.n);
	/* Where it lies now the checks of the bundle inside may need room of their own. */
	if (p->bundle.n > 0)
		memcpy(a->bibe.inside[in->depth], p->bundle.p, p->bundle.n);
	receive_inside(a, now, &inner, view_of(a->bibe.inside[in->depth], p->bundle.n));
	return is_carried;
}

static bool is_peer(const struct agent *a, const struct eid *e)
{
	const struct bibe *w = &a->bibe;

	for (size_t i = 0; i < w->n_tunnels; i++)
		if (w->tunnel[i].to.node == e->node)
			return true;
	for (size_t i = 0; i < w->n_peers; i++)
		if (eid_pattern_has(&w->peer[i], e))
			return true;
	return false;
}

/* How long it was inside: what the bundle around it took. RFC 9171 4.4.2/d2 */
static uint64_t age_of(const struct agent *a, mono now, const struct arrival *in)
{
	dtntime clock = agent_clock(a, now);

	if (in->b->created_ms == 0 || !a->deps.clock_is_accurate || clock <= in->b->created_ms ||
		clock - in->b->created_ms <= in->age_ms)
		return in->age_ms;
	return clock - in->b->created_ms;
}

/* -- out */

/* What is for a custodial tunnel does not leave without that: it waits when the far end has just refused it. */
bool bibe_way(
	const struct agent *a, const struct bundle_entry *e, node_id not_to, unsigned *neighbour)
{
	const struct bibe *w = &a->bibe;
	bool must_wait = false;
	struct bundle b;

	*neighbour = NO_NEIGHBOUR;
	if (w->n_tunnels == 0 || !entry_bundle(a, e, &b) ||
		(b.flags & BUNDLE_ADMIN && is_for_a_tunnel(a, &b.dest)))
		return false;
	for (size_t i = 0; i < w->n_tunnels; i++) {
		const struct bibe_tunnel *t = &w->tunnel[i];

		/* back to where it came from, or was refused: the router knows better */
		if (!is_matched(t, &b.dest) || t->to.node == entry_record(a, e).prev_node ||
			(must_wait && !t->custody))
			continue;
		if (t->to.node != not_to) {
			*neighbour = t->neighbour;
			return true;
		}
		must_wait = must_wait || (t->custody && !t->fallback && !(e->flags & E_CUSTODY));
	}
	return must_wait;
}

bool bibe_reaches(const struct agent *a, const struct eid *dest)
{
	for (size_t i = 0; i < a->bibe.n_tunnels; i++)
		if (is_matched(&a->bibe.tunnel[i], dest))
			return true;
	return false;
}

static bool is_matched(const struct bibe_tunnel *t, const struct eid *dest)
{
	for (size_t k = 0; k < t->n_match; k++)
		if (eid_pattern_has(&t->match[k], dest))
			return true;
	return false;
}

static bool is_for_a_tunnel(const struct agent *a, const struct eid *dest)
{
	for (size_t i = 0; i < a->bibe.n_tunnels; i++)
		if (a->bibe.tunnel[i].to.node == dest->node)
			return true;
	return false;
}

void bibe_output(struct agent *a, mono now)
{
	struct bibe *w = &a->bibe;
	unsigned n = 0;

	w->due = MONO_NEVER;
	w->first++; /* another one first in each turn: they share what a turn may */
	for (size_t i = 0; i < w->n_tunnels; i++) {
		struct bibe_tunnel *t = &w->tunnel[(w->first + i) % w->n_tunnels];

		while (agent_queued(a, t->neighbour) > 0 && n < PER_TURN && send_next(a, now, t))
			n++;
		if (agent_queued(a, t->neighbour) > 0)
			w->due = n == PER_TURN ? now : mono_min(w->due, mono_add(now, RETRY_US));
	}
}

size_t agent_tunnels(const struct agent *a, struct tunnel_stats *out)
{
	for (size_t i = 0; i < a->bibe.n_tunnels; i++) {
		const struct bibe_tunnel *t = &a->bibe.tunnel[i];

		out[i] = (struct tunnel_stats){.to = t->to.node,
			.record = t->record,
			.custody = t->custody,
			.fallback = t->fallback,
			.authenticated = custodian_find(a, t->to.node)->key != NULL,
			.n_queued = agent_queued(a, t->neighbour),
			.n_sent = t->n_sent,
			.n_waiting = t->n_waiting,
			.n_answered = t->n_answered,
			.n_refused = t->n_refused,
			.n_late = t->n_late};
	}
	return a->bibe.n_tunnels;
}

mono bibe_deadline(const struct agent *a)
{
	return a->bibe.due;
}

/* False: nothing more that could leave now; a commit makes room. */
static bool send_next(struct agent *a, mono now, struct bibe_tunnel *t)
{
	struct buf room = buf_of(a->bibe.room, BUNDLE_HEAD_MAX + BUNDLE_TAIL_MAX);
	struct agent_offer o = {.neighbour = t->neighbour,
		.max_bytes = a->cfg.bibe.max_bytes,
		.max_ever = a->cfg.bibe.max_bytes,
		.room = &room};

	if (!(t->custody ? transmission_fits(a, 0) : entry_room(a, false)) || !promise_spare(a) ||
		(t->custody && !transmission_room(a, (unsigned)(t - a->bibe.tunnel))) ||
		!agent_next(a, now, &o))
		return false;
	if (encapsulate(a, now, t, &o) == 0)
		return true;
	agent_send_failed(a, now, o.id);
	return false;
}

void bibe_settled(struct agent *a, mono now, const struct promise *p, int err)
{
	const struct bibe_tunnel *t = &a->bibe.tunnel[p->tunnel];

	if (p->transmission != 0) {
		transmission_settled(a, now, p, err);
		return;
	}
	mono there = route_earliest(a, a->self.node, t->to.node, now);
	struct agent_sent sent = {.id = p->inside,
		.link = EVENT_LINK_TUNNEL,
		.frame_bytes = p->inside_bytes,
		.tx_end = now,
		.owlt_us = there == MONO_NEVER ? 0 : there - now};

	if (err == 0)
		agent_sent(a, now, &sent);
	else
		agent_send_failed(a, now, p->inside);
}

static int encapsulate(
	struct agent *a, mono now, const struct bibe_tunnel *t, const struct agent_offer *o)
{
	const struct bundle_entry *e = entry_by_id(a, o->payload.handle);
	struct bpdu p = {.type = t->record};
	uint8_t head[64];
	struct buf b = buf_of(head, sizeof head);
	struct view part[4] = {[1] = o->head, [3] = o->tail};
	struct own_bundle w = {.s = {.source = a->self,
				       .dest = t->to,
				       .report_to = eid_null(),
				       .flags = BUNDLE_ADMIN,
				       .crc_type = a->cfg.crc_type,
				       .payload = part,
				       .n_payload = 4},
		.inside = o->id,
		.inside_bytes = o->size_bytes,
		.tunnel = (unsigned)(t - a->bibe.tunnel)};
	struct transmission x = {.bundle = o->id, .bytes = o->size_bytes, .expiry = e->expiry};
	uint64_t seq = 0;
	int err = 0;

	if (t->custody)
		err = transmission_number(a, now, w.tunnel, &p, &seq);
	if (err != 0)
		return err;
	bpdu_write_head(&b, &p, o->size_bytes);
	part[0] = buf_view(&b);
	w.transmission = x.id = p.id;
	w.after_commit = seq != 0; /* the number's block is in the same batch */
	x.tunnel = (uint16_t)w.tunnel;
	w.s.priority = e->priority;
	w.s.lifetime_ms = (uint64_t)((e->expiry - now - 1) / US_PER_MS);
	err = store_payload(a->store, o->payload, &part[2]);
	err = err ? err : send_own(a, now, &w, &x.outer);
	if (err != 0)
		return err;
	trace_point(a->trace, now, tunnel_tx, x.outer, o->id, t->to.node, p.type, p.id);
	if (t->custody)
		transmission_add(a, &x);
	return 0;
}
