/*
 * links: the node's convergence layers. The plan becomes link cues here and nowhere else:
 * transmission is open while a contact to the peer is, reception while a contact from the peer is,
 * shifted by the light time; between two edges of the plan nothing changes. Without a plan a link
 * is always open.
 *
 * One output pass: what a layer has ready goes out first; then, while it takes more, the agent is
 * asked for the next bundle that fits. Heads are written into a room that is emptied once per turn.
 * Start reading at node_output.
 */
#include "dtn/node/node_state.h"

#include <assert.h>
#include <stdlib.h>

#define AHEAD_US (2 * US_PER_S) /* before an edge of the plan */

static int link_new(struct node *n, struct node_link *l, const struct node_link_cfg *cfg);

static mono ahead_at(const struct node *n);
static void read_ahead(struct node *n);
static void update_cue(struct node *n, unsigned at, mono now);
static struct link_cue cue_of_plan(
	const struct node *n, const struct node_link *l, mono now, int64_t *light_us);
static bool rx_is_open(const struct node *n, const struct node_link *l, mono t, int64_t *owlt_us);
static void tell_edge(struct node *n, unsigned at, mono now, bool was_open);
static void tell_totals(struct node *n, unsigned at, mono now);
static void tell_neighbour(struct node *n, unsigned neighbour, mono now);
static bool offer_next(struct node *n, mono now, struct node_link *l);
static void resolve(struct node *n, struct pkt *p);
static void take_events(struct node *n, mono now, unsigned at);
static int64_t owlt_now(const struct node *n, const struct node_link *l, mono now);

int links_new(struct node *n, const struct node_cfg *cfg, mono now)
{
	n->link = calloc(cfg->n_links ? cfg->n_links : 1, sizeof n->link[0]);
	if (!n->link)
		return -ENOMEM;
	for (; n->n_links < cfg->n_links; n->n_links++) {
		int err = link_new(n, &n->link[n->n_links], &cfg->link[n->n_links]);
		if (err)
			return err;
	}
	for (unsigned i = 0; i < n->n_links; i++)
		update_cue(n, i, now);
	n->next_edge = MONO_NEVER;
	if (n->plan) {
		mono edge = plan_next_edge(n->plan, n->self.node, now - n->deps.plan_zero);
		n->next_edge = edge == MONO_NEVER ? MONO_NEVER : edge + n->deps.plan_zero;
	}
	return 0;
}

void links_free(struct node *n)
{
	for (unsigned i = 0; i < n->n_links; i++)
		n->link[i].cl->ops->free(n->link[i].cl);
	free(n->link);
}

void links_totals(struct node *n)
{
	for (unsigned i = 0; i < n->n_links; i++)
		tell_totals(n, i, n->last_now);
}

void links_tick(struct node *n, mono now)
{
	bool changed = false;

	n->room.len = 0;
	n->is_due_again = false;
	while (n->next_edge <= now) {
		mono edge = plan_next_edge(n->plan, n->self.node, n->next_edge - n->deps.plan_zero);

		n->next_edge = edge == MONO_NEVER ? MONO_NEVER : edge + n->deps.plan_zero;
		changed = true;
	}
	if (ahead_at(n) <= now)
		read_ahead(n);
	for (unsigned i = 0; i < n->n_links; i++) {
		if (changed)
			update_cue(n, i, now);
		n->link[i].cl->ops->tick(n->link[i].cl, now);
		take_events(n, now, i);
	}
	if (changed)
		agent_changed(n->agent, now);
}

/* When to look ahead of the next edge of the plan; once for each, and where it is of use. */
static mono ahead_at(const struct node *n)
{
	if (n->next_edge == MONO_NEVER || n->ahead_of == n->next_edge ||
		!store_reads_ahead(n->store))
		return MONO_NEVER;
	return n->next_edge - AHEAD_US;
}

/* A contact may be about to open: what waits for it comes near, so that its turn need not wait for it. */
static void read_ahead(struct node *n)
{
	n->ahead_of = n->next_edge;
	for (unsigned i = 0; i < n->n_links; i++)
		if (!n->link[i].cue.tx_open)
			agent_ahead(n->agent, n->link[i].neighbour);
}

mono links_deadline(const struct node *n)
{
	mono at = n->is_due_again ? n->last_now : mono_min(n->next_edge, ahead_at(n));

	for (unsigned i = 0; i < n->n_links; i++)
		at = mono_min(at, n->link[i].cl->ops->deadline(n->link[i].cl));
	return at;
}

void node_input(struct node *n, mono now, unsigned link, struct view packet)
{
	struct node_link *l = &n->link[link];

	assert(link < n->n_links);
	n->last_now = now;
	l->stats.frames_rx++;
	l->stats.bytes_rx += packet.n;
	if (l->cl->ops->input(l->cl, now, packet) == 0)
		take_events(n, now, link);
}

bool node_output(struct node *n, mono now, unsigned link, struct pkt *p)
{
	struct node_link *l = &n->link[link];

	assert(link < n->n_links);
	n->last_now = now;
	do {
		if (l->cl->ops->output(l->cl, now, p)) {
			resolve(n, p);
			return true;
		}
		take_events(n, now, link);
	} while (offer_next(n, now, l));
	return false;
}

void node_sent(struct node *n, mono now, unsigned link, uint64_t cookie, int err)
{
	struct node_link *l = &n->link[link];

	assert(link < n->n_links);
	n->last_now = now;
	l->cl->ops->sent(l->cl, now, cookie, err);
	take_events(n, now, link);
}

void node_link_stats(const struct node *n, unsigned link, struct node_link_stats *out)
{
	const struct node_link *l = &n->link[link];

	*out = l->stats;
	out->tx_open = l->cue.tx_open;
	out->rx_open = l->cue.rx_open;
	out->until = l->cue.until;
	out->n_queued = agent_queued(n->agent, l->neighbour);
}

static int link_new(struct node *n, struct node_link *l, const struct node_link_cfg *cfg)
{
	const struct cl_ops *ops = cl_find(cfg->cl);
	struct eid peer;
	int neighbour;

	if (!ops || eid_parse_node(cfg->peer, &peer) || peer.node == NODE_NONE ||
		peer.node == NODE_LOCAL)
		return -E_CONFIG;
	neighbour = agent_neighbour(n->agent, peer.node);
	if (neighbour < 0)
		return neighbour;
	l->neighbour = (unsigned)neighbour;
	if (cfg->border)
		agent_border(n->agent, l->neighbour, true);
	l->peer = peer.node;
	l->owlt_us = cfg->owlt_us;
	l->rate_bps = cfg->rate_bps;
	l->cl = ops->new (&cfg->cl_cfg);
	return l->cl ? 0 : -ENOMEM;
}

static void update_cue(struct node *n, unsigned at, mono now)
{
	struct node_link *l = &n->link[at];
	bool was_open = l->cue.tx_open;
	mono was_until = l->cue.until;
	int64_t light_us = l->owlt_us; /* of what arrives; kept while nothing does */

	if (n->plan)
		l->cue = cue_of_plan(n, l, now, &light_us);
	else
		l->cue = (struct link_cue){.tx_open = true,
			.rx_open = true,
			.rate_bps = l->rate_bps,
			.owlt_us = l->owlt_us,
			.owlt_max_us = l->owlt_us,
			.until = MONO_NEVER};
	if (l->cue.rx_open)
		agent_light(n->agent, l->neighbour, light_us);
	l->cl->ops->cue(l->cl, now, &l->cue);
	take_events(n, now, at);
	if (was_open != l->cue.tx_open || was_until != l->cue.until)
		tell_edge(n, at, now, was_open);
}

static struct link_cue cue_of_plan(
	const struct node *n, const struct node_link *l, mono now, int64_t *light_us)
{
	mono t = now - n->deps.plan_zero;
	const struct contact *c = plan_contact_at(n->plan, n->self.node, l->peer, t);
	struct link_cue cue = {.rx_open = rx_is_open(n, l, t, light_us)};

	if (!c)
		return cue;
	cue.tx_open = true;
	cue.rate_bps = c->rate_bps;
	cue.owlt_us = contact_owlt_us(n->plan, c, t);
	cue.owlt_max_us = contact_owlt_max_us(n->plan, c);
	cue.until = c->end == MONO_NEVER ? MONO_NEVER : c->end + n->deps.plan_zero;
	return cue;
}

/* Contact times are the transmitter's: at the receiver they are shifted by the light time. */
static bool rx_is_open(const struct node *n, const struct node_link *l, mono t, int64_t *owlt_us)
{
	struct contact_span s = plan_contacts_from(n->plan, l->peer);

	for (size_t i = 0; i < s.n && s.c[i]->start <= t; i++) {
		const struct contact *c = s.c[i];

		if (c->to == n->self.node &&
			t >= c->start + contact_owlt_us(n->plan, c, c->start) &&
			t < mono_add(c->end, contact_owlt_us(n->plan, c, c->end))) {
			*owlt_us = contact_owlt_us(n->plan, c, t);
			return true;
		}
	}
	return false;
}

static void tell_edge(struct node *n, unsigned at, mono now, bool was_open)
{
	struct node_link *l = &n->link[at];

	if (l->cue.tx_open)
		trace_point(n->trace, now, link_open, at, l->peer, l->cue.rate_bps,
			(uint64_t)l->cue.owlt_us, (uint64_t)l->cue.until);
	else if (was_open) {
		trace_point(n->trace, now, link_close, at, l->peer,
			agent_queued(n->agent, l->neighbour));
		tell_totals(n, at, now);
	}
	tell_neighbour(n, l->neighbour, now);
}

static void tell_totals(struct node *n, unsigned at, mono now)
{
	const struct node_link_stats *s = &n->link[at].stats;

	trace_point(n->trace, now, link_totals, at, s->frames_tx, s->frames_rx, s->bundles_tx,
		s->bundles_rx);
}

/* A neighbour can be reached while any link to it is open. */
static void tell_neighbour(struct node *n, unsigned neighbour, mono now)
{
	bool open = false;
	mono until = now;

	for (unsigned i = 0; i < n->n_links; i++) {
		const struct node_link *l = &n->link[i];

		if (l->neighbour != neighbour || !l->cue.tx_open)
			continue;
		open = true;
		until = l->cue.until > until ? l->cue.until : until;
	}
	agent_contact(n->agent, now, neighbour, open, until);
}

/* Gives the layer the agent's next bundle that fits. False when there is none, or no room for its
 * head. */
static bool offer_next(struct node *n, mono now, struct node_link *l)
{
	struct agent_offer o = {.neighbour = l->neighbour,
		.room = &n->room,
		.max_ever = l->cl->ops->max_bundle(l->cl)};
	struct cl_bundle b;

	if (agent_queued(n->agent, l->neighbour) == 0 ||
		!l->cl->ops->ready(l->cl, now, &o.max_bytes))
		return false;
	if (n->room.cap - n->room.len < BUNDLE_HEAD_MAX + BUNDLE_TAIL_MAX) {
		n->is_due_again = true;
		return false;
	}
	if (!agent_next(n->agent, now, &o))
		return false;
	b = (struct cl_bundle){.id = o.id,
		.head = o.head,
		.tail = o.tail,
		.payload = o.payload,
		.size_bytes = o.size_bytes};
	if (l->cl->ops->send(l->cl, now, &b) == 0)
		return true;
	agent_send_failed(n->agent, now, o.id);
	return false;
}

/* Slices of stored payload become views; what cannot be read any more goes out as nothing and the
 * receiver's CRC tells. */
static void resolve(struct node *n, struct pkt *p)
{
	for (unsigned i = 0; i < p->n_parts; i++) {
		struct pkt_part *part = &p->part[i];

		if (part->slice.len == 0)
			continue;
		if (store_payload(n->store, part->slice, &part->bytes))
			part->bytes = (struct view){0};
		part->slice = (struct slice){0};
	}
}

static void take_events(struct node *n, mono now, unsigned at)
{
	struct node_link *l = &n->link[at];
	struct cl_event ev;

	while (l->cl->ops->event(l->cl, &ev)) {
		switch (ev.type) {
		case CL_BUNDLE:
			l->stats.bundles_rx++;
			agent_receive(n->agent, now, at, l->peer, ev.bytes);
			break;
		case CL_SENT:
			l->stats.frames_tx++;
			l->stats.bundles_tx++;
			l->stats.bytes_tx += ev.frame_bytes;
			agent_sent(n->agent, now,
				&(struct agent_sent){.id = ev.id,
					.link = at,
					.frame_bytes = ev.frame_bytes,
					.tx_end = ev.tx_end,
					.owlt_us = owlt_now(n, l, now)});
			break;
		case CL_SEND_FAILED:
			if (ev.is_full)
				agent_send_again(n->agent, now, ev.id);
			else
				agent_send_failed(n->agent, now, ev.id);
			break;
		case CL_IGNORED:
			trace_point(
				n->trace, now, frame_ignored, at, why_find(ev.why), ev.frame_bytes);
			break;
		case CL_KEEPALIVE:
			l->stats.keepalives_rx++;
			break;
		}
	}
}

static int64_t owlt_now(const struct node *n, const struct node_link *l, mono now)
{
	mono t = now - n->deps.plan_zero;
	const struct contact *c =
		n->plan ? plan_contact_at(n->plan, n->self.node, l->peer, t) : NULL;

	return c ? contact_owlt_us(n->plan, c, t) : l->cue.owlt_us;
}
