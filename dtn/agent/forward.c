/*
 * forward: RFC 9171 5.4. A bundle gets its next hop from the router when it may move, and waits in
 * that neighbour's queue (priority first, then age: the local id); when the contact it was meant
 * for closes, what is left is routed again. Without a way it waits (5.4.1) and is tried at every
 * change.
 *
 * agent_next() writes the head as it leaves, at the last moment: previous node, age, hop count, our
 * custody pair; all other bytes stay as they came. Start reading at forward_entry().
 */
#include "dtn/agent/state.h"

static void enqueue(struct agent *a, struct bundle_entry *e, unsigned neighbour);
static bool offer(struct agent *a, mono now, struct bundle_entry *e, struct agent_offer *o);
static bool may_name_us(const struct agent *a, const struct bundle_entry *e);
static int outbound_read(struct agent *a, mono now, struct bundle_entry *e, struct outbound *x);
static void outbound_profile(
	const struct agent *a, const struct bundle_entry *e, struct outbound *x);
static int outbound_custody(struct agent *a, mono now, struct bundle_entry *e, struct outbound *x);
static int compose(
	struct agent *a, struct bundle_entry *e, const struct outbound *x, struct agent_offer *o);
static struct link_node *place_of(const struct neighbour *n, unsigned priority, uint64_t id);
static uint64_t id_at(const struct link_node *at, const struct link_node *q, bool is_before);
static bool is_candidate(
	const struct agent *a, const struct bundle_entry *e, const struct agent_offer *o);

int agent_neighbour(struct agent *a, node_id node)
{
	unsigned k = neighbour_find(a, node);

	if (k != NO_NEIGHBOUR)
		return (int)k;
	if (a->n_neighbours == NEIGHBOURS_MAX)
		return -E_FULL;
	k = (unsigned)a->n_neighbours++;
	a->neighbour[k] = (struct neighbour){.node = node};
	custodian_add(a, node)->neighbour = (uint16_t)k;
	for (unsigned p = 0; p < PRIORITIES; p++)
		list_init(&a->neighbour[k].queue[p]);
	return (int)k;
}

int forward_tunnel(struct agent *a, node_id node)
{
	struct neighbour *n = &a->neighbour[a->n_neighbours];

	if (a->n_neighbours == NEIGHBOURS_MAX)
		return -E_FULL;
	*n = (struct neighbour){
		.node = node, .is_tunnel = true, .is_open = true, .until = MONO_NEVER};
	for (unsigned p = 0; p < PRIORITIES; p++)
		list_init(&n->queue[p]);
	custodian_add(a, node);
	return (int)a->n_neighbours++;
}

/* RFC 9758 3.4.3/1 */
void agent_border(struct agent *a, unsigned neighbour, bool is_border)
{
	a->neighbour[neighbour].is_border = is_border;
	a->has_border |= is_border;
	ways_forget(a);
}

void agent_light(struct agent *a, unsigned neighbour, int64_t owlt_us)
{
	a->neighbour[neighbour].light_us = owlt_us;
}

uint64_t flight_ms(const struct agent *a, node_id from)
{
	unsigned k = neighbour_find(a, from);

	return k == NO_NEIGHBOUR ? 0 : (uint64_t)((a->neighbour[k].light_us + 500) / US_PER_MS);
}

bool is_border(const struct agent *a, node_id node)
{
	unsigned k = a->has_border ? neighbour_find(a, node) : NO_NEIGHBOUR;

	return k != NO_NEIGHBOUR && a->neighbour[k].is_border;
}

void agent_contact(struct agent *a, mono now, unsigned neighbour, bool open, mono until)
{
	struct neighbour *n = &a->neighbour[neighbour];

	if (!n->is_open)
		n->seq_id = 0; /* a new contact, custody.c */
	n->is_open = open;
	n->until = until;
	ways_forget(a);
	if (open)
		return;
	/* What should have left in this contact: all of the queue, routed again in its order. */
	for (unsigned p = PRIORITIES; p-- > 0;)
		while (!list_empty(&n->queue[p])) {
			struct bundle_entry *e =
				container_of(n->queue[p].next, struct bundle_entry, link);

			fragment_pause(a, e);
			entry_set_state(a, e, ENTRY_WAITING);
			list_push_back(&a->again, &e->link);
		}
	forward_tick(a, now);
}

/* RFC 9171 5.4.1-2/d1 */
void agent_changed(struct agent *a, mono now)
{
	ways_forget(a);
	list_move_all(&a->again, &a->waiting);
	forward_tick(a, now);
}

/* Bundles that are routed anew, in the order in which they came to wait; a search for each may be needed. */
void forward_tick(struct agent *a, mono now)
{
	for (unsigned n = 0; n < TURN_MAX && !list_empty(&a->again); n++) {
		struct bundle_entry *e = container_of(a->again.next, struct bundle_entry, link);

		if (e->due !=
			MONO_NEVER) { /* refused by the next custodian: its interval decides */
			list_remove(&e->link);
			list_push_back(&a->waiting, &e->link);
			continue;
		}
		if (e->neighbour != NO_NEIGHBOUR)
			trace_point(a->trace, now, bundle_rerouted, entry_id(e),
				a->neighbour[e->neighbour].node, WHY_CONTACT_MISSED);
		forward_entry(a, now, e, NODE_NONE);
	}
}

uint64_t agent_queued(const struct agent *a, unsigned neighbour)
{
	return a->neighbour[neighbour].n_queued;
}

unsigned neighbour_find(const struct agent *a, node_id node)
{
	return custodian_find(a, node)->neighbour;
}

void forward_entry(struct agent *a, mono now, struct bundle_entry *e, node_id not_to)
{
	struct record r = entry_record(a, e);

	forward_with(a, now, e, &r, not_to);
}

/* RFC 9171 5.4-2: finds the next node (not `not_to`, if there is another) and queues, or waits.
 * RFC 9171 5.4-1, 5.4-1b, 5.4-2/2, 5.4-2/d1, 5.4-2/d2 */
void forward_with(
	struct agent *a, mono now, struct bundle_entry *e, const struct record *r, node_id not_to)
{
	struct route_choice way;
	unsigned k;
	int err;

	if (bibe_way(a, e, not_to, &k)) {
		if (k == NO_NEIGHBOUR) {
			forward_wait(a, now, e, WHY_SIGNAL_REFUSED);
			return;
		}
		enqueue(a, e, k);
		a->bibe.due = now;
		trace_point(a->trace, now, bundle_queued, entry_id(e), a->neighbour[k].node, 0,
			(uint64_t)now, a->neighbour[k].n_queued);
		return;
	}
	err = ways_choose(a, now, &(struct way_for){e, r, not_to}, &way);
	k = err == 0 ? neighbour_find(a, way.next) : NO_NEIGHBOUR;

	if (k == NO_NEIGHBOUR) {
		forward_wait(a, now, e, err == -E_NO_CONTACT ? WHY_NO_CONTACT : WHY_NO_ROUTE);
		return;
	}
	enqueue(a, e, k);
	trace_point(a->trace, now, bundle_queued, entry_id(e), way.next, way.contact,
		(uint64_t)mono_add(way.arrival, a->deps.plan_zero), a->neighbour[k].n_queued);
}

mono route_earliest(const struct agent *a, node_id from, node_id to, mono at)
{
	struct route *r = a->deps.route;
	mono t = r->ops->earliest(r, from, to, at - a->deps.plan_zero);

	return t == MONO_NEVER ? t : mono_add(t, a->deps.plan_zero);
}

bool agent_next(struct agent *a, mono now, struct agent_offer *o)
{
	struct neighbour *n = &a->neighbour[o->neighbour];
	unsigned looked = 0;

	for (unsigned p = PRIORITIES; p-- > 0;) {
		struct link_node *at = n->queue[p].next, *next;

		for (; at != &n->queue[p] && looked < SCAN_MAX; at = next, looked++) {
			struct bundle_entry *e = container_of(at, struct bundle_entry, link);

			next = at->next;
			if (e->expiry <= now) {
				expire_entry(a, now, e);
				continue;
			}
			if (!is_candidate(a, e, o))
				continue;
			if (!offer(a, now, e, o))
				continue;
			if (n->n_ahead-- == 0)
				agent_ahead(a, o->neighbour);
			return true;
		}
	}
	return false;
}

/* As the queue gets shorter the next ones are asked for, half of them anew each time. */
void agent_ahead(struct agent *a, unsigned neighbour)
{
	struct neighbour *n = &a->neighbour[neighbour];
	uint64_t id[AHEAD_MAX];
	size_t k = 0;

	n->n_ahead = AHEAD_MAX / 2;
	if (!store_reads_ahead(a->store))
		return;
	for (unsigned p = PRIORITIES; p-- > 0;)
		for (struct link_node *at = n->queue[p].next; at != &n->queue[p] && k < AHEAD_MAX;
			at = at->next)
			id[k++] = entry_id(container_of(at, struct bundle_entry, link));
	store_ahead(a->store, id, k);
}

/* Is it worth making its head? The new one may be a little shorter than the stored one, but not by
 * more; what is larger may fit in pieces. */
static bool is_candidate(
	const struct agent *a, const struct bundle_entry *e, const struct agent_offer *o)
{
	return e->size <= u64_add_sat(o->max_bytes, 64) || e->size > o->max_ever ||
	       e->flags & E_SPLIT || (!(e->flags & E_CUSTODY) && o->max_bytes > a->cfg.min_bytes);
}

/* RFC 9171 5.4-5/d1, 5.4-5/2, 5.4-5/3, 5.4-5/5 */
void agent_sent(struct agent *a, mono now, const struct agent_sent *s)
{
	struct bundle_entry *e;

	if (fragment_sent(a, now, s))
		return;
	e = entry_by_id(a, s->id);
	if (!e || e->state != ENTRY_SENDING)
		return; /* it expired, or came back under another pair, meanwhile */
	trace_point(a->trace, now, bundle_forwarded, s->id, a->neighbour[e->neighbour].node,
		s->link, s->frame_bytes, (uint64_t)s->tx_end);
	report_entry(a, now, e, STATUS_FORWARDED, REASON_NONE); /* RFC 9171 5.4-5 */
	if (e->flags & E_CUSTODY) {
		custody_sent(a, now, e, s);
		return;
	}
	transmission_left(
		a, now, s->id, a->neighbour[e->neighbour].node, mono_add(s->tx_end, s->owlt_us));
	release_entry(a, now, e, WHY_FORWARDED);
}

/* RFC 9171 5.4-5, 5.4.1-2, 5.4.2-2/2b */
void agent_send_failed(struct agent *a, mono now, uint64_t id)
{
	struct bundle_entry *e = fragment_failed(a, now, id);

	if (!e) {
		e = entry_by_id(a, id);
		if (!e || e->state != ENTRY_SENDING)
			return;
		trace_point(a->trace, now, bundle_rerouted, id, a->neighbour[e->neighbour].node,
			WHY_SEND_FAILED);
	}
	if (a->cfg.max_tries != 0 && !(e->flags & E_CUSTODY) && ++e->n_sent >= a->cfg.max_tries) {
		delete_entry(a, now, e, REASON_NO_CONTACT); /* RFC 9171 5.4-5/d2, 5.4.2-2/2 */
		return;
	}
	forward_wait(a, now, e, WHY_LINK_CLOSED);
	entry_set_due(
		a, e, mono_add(now, RETRY_US)); /* a link that goes on failing must not spin */
}

/* A layer had no room for it: it goes back to its place, and leaves when the layer is asked again. */
void agent_send_again(struct agent *a, mono now, uint64_t id)
{
	struct bundle_entry *e = fragment_failed(a, now, id);

	e = e ? e : entry_by_id(a, id);
	if (!e || e->state != ENTRY_SENDING)
		return; /* another piece of it is still to be sent; or it has gone, or came back, meanwhile */
	if (a->neighbour[e->neighbour].is_open)
		enqueue(a, e, e->neighbour);
	else
		forward_entry(a, now, e, NODE_NONE);
}

/* Priority first; within it by local id, so what is sent again comes before what is younger. */
static void enqueue(struct agent *a, struct bundle_entry *e, unsigned neighbour)
{
	struct neighbour *n = &a->neighbour[neighbour];
	struct link_node *at;

	entry_set_state(a, e, ENTRY_QUEUED);
	at = place_of(n, e->priority, entry_id(e));
	list_insert_before(at->next, &e->link);
	n->last[e->priority] = &e->link;
	e->neighbour = (uint16_t)neighbour;
	n->n_queued++;
	n->queued_bytes[e->priority] += e->size + FRAME_BYTES;
}

/* Behind which link it belongs. Many come in order; what is sent again comes near the front while others
 * arrive at the end: three searches go in step, from both ends and from where the one before went. */
static struct link_node *place_of(const struct neighbour *n, unsigned priority, uint64_t id)
{
	struct link_node *q = (struct link_node *)(uintptr_t)&n->queue[priority];
	struct link_node *front = q, *back = q->prev, *near = n->last[priority];

	near = near ? near : back;
	for (;;) {
		if (id_at(back, q, true) < id)
			return back;
		if (id_at(front->next, q, false) > id)
			return front;
		if (id_at(near, q, true) < id && id_at(near->next, q, false) > id)
			return near;
		back = back->prev;
		front = front->next;
		near = id_at(near, q, true) > id ? near->prev : near->next;
	}
}

/* The id at a place of a queue; before its first it is 0, behind its last the largest. */
static uint64_t id_at(const struct link_node *at, const struct link_node *q, bool is_before)
{
	if (at == q)
		return is_before ? 0 : UINT64_MAX;
	return entry_id(container_of((struct link_node *)(uintptr_t)at, struct bundle_entry, link));
}

/* It leaves its queue; entry_set_state() takes it out of the list. */
void forward_dequeue(struct agent *a, struct bundle_entry *e)
{
	struct neighbour *n = &a->neighbour[e->neighbour];
	struct link_node **last = &n->last[e->priority];

	if (*last == &e->link)
		*last = e->link.prev == &n->queue[e->priority] ? NULL : e->link.prev;
	n->n_queued--;
	n->queued_bytes[e->priority] -= e->size + FRAME_BYTES;
}

/* RFC 9171 5.4-3, 5.4-3/d1, 5.4.1-1 */
void forward_wait(struct agent *a, mono now, struct bundle_entry *e, enum why why)
{
	bool is_new = e->state != ENTRY_WAITING;

	entry_set_state(a, e, ENTRY_WAITING);
	list_push_back(&a->waiting, &e->link);
	e->neighbour = NO_NEIGHBOUR;
	if (is_new)
		trace_point(a->trace, now, bundle_waiting, entry_id(e), why);
}

/* True when the bundle, or a piece of it, was put into *o; false: it does not fit now, can never, or is
 * gone. */
static bool offer(struct agent *a, mono now, struct bundle_entry *e, struct agent_offer *o)
{
	size_t mark = o->room->len;
	struct outbound x;
	int err = outbound_read(a, now, e, &x);
	bool in_pieces = e->flags & E_SPLIT || x.r.sent_bytes > 0, fits_ever = false;

	if (err == 0 && !in_pieces) {
		err = compose(a, e, &x, o);
		if (err == 0 && o->size_bytes <= o->max_bytes) {
			entry_set_state(a, e, ENTRY_SENDING);
			return true;
		}
		fits_ever = err == 0 && o->size_bytes <= o->max_ever;
		o->room->len = mark;
	}
	if (err == 0)
		err = fragment_offer(a, now, e, &x, o);
	if (err == 0)
		return true;
	o->room->len = mark;
	if (err == -E_OVERFLOW || err == -E_AGAIN || store_is_damaged(a->store, entry_id(e)))
		return false; /* no room in this turn; or damaged.c has it next */
	if (err != -E_TOO_BIG)
		delete_entry(
			a, now, e, REASON_UNINTELLIGIBLE); /* its bytes can't be read any more */
	else if (!fits_ever)
		forward_wait(a, now, e, WHY_TOO_BIG);
	return false;
}

/* A private-use node does not name itself beyond its domain, RFC 9758 5.5/3. */
static bool may_name_us(const struct agent *a, const struct bundle_entry *e)
{
	return a->cfg.add_previous_node &&
	       !(a->neighbour[e->neighbour].is_border && is_private(&a->self));
}

/* RFC 9171 5.4-4, 5.4-4/2, 5.4-4/3, 5.4-4/4, 4.4.1/3, 4.4.2/d2, 4.4.3/2c */
static int outbound_read(struct agent *a, mono now, struct bundle_entry *e, struct outbound *x)
{
	struct record *r = &x->r;

	*r = entry_record(a, e);
	if (!entry_bundle(a, e, &x->b)) {
		struct view head;

		return damaged_err(store_head(a->store, entry_id(e), &head));
	}
	x->edit = (struct bundle_edit){.set_prev = may_name_us(a, e),
		.prev = a->self,
		.set_age = x->b.has_age,
		.age_ms = u64_add_sat(r->age_ms, clock_elapsed(a, now, r->received_ms)),
		.set_hop = x->b.has_hop,
		.hop_count = r->hop_count + 1,
		.custody = a->codes[PROFILE_CCSDS],
		.crc_type = a->cfg.crc_type,
		.discard = r->discard};
	if (x->b.has_cteb || x->b.has_creb || e->flags & E_CUSTODY)
		outbound_profile(a, e, x);
	return e->flags & E_CUSTODY ? outbound_custody(a, now, e, x) : 0;
}

/* Custody and reporting blocks go out as the neighbour reads them, ours and those that only pass. */
static void outbound_profile(
	const struct agent *a, const struct bundle_entry *e, struct outbound *x)
{
	unsigned profile = custodian_find(a, a->neighbour[e->neighbour].node)->profile;

	x->edit.from = &a->codes[e->custody & C_BPLIB ? PROFILE_BPLIB : PROFILE_CCSDS];
	x->edit.custody = a->codes[profile];
}

static int outbound_custody(struct agent *a, mono now, struct bundle_entry *e, struct outbound *x)
{
	int err = custody_bind(a, now, e, &x->r);

	x->edit.set_cteb = true;
	x->edit.cteb = (struct cteb){
		.seq_no = x->r.own_seq_no, .seq_id = x->r.own_seq_id, .custodian = a->self};
	return err;
}

/* The whole bundle as it leaves. */
static int compose(
	struct agent *a, struct bundle_entry *e, const struct outbound *x, struct agent_offer *o)
{
	const struct record *r = &x->r;
	struct slice tail_at = {entry_id(e), r->payload_bytes, r->tail_bytes};
	struct buf room = buf_of(o->room->p + o->room->len, o->room->cap - o->room->len);
	struct view tail;
	int err = bundle_forward_head(&room, &x->b, &x->edit);

	if (err != 0)
		return err;
	err = store_payload(a->store, tail_at, &tail);
	if (err != 0)
		return damaged_err(err);
	o->head = buf_view(&room);
	buf_put(&room, tail);
	if (buf_finish(&room) != 0)
		return -E_OVERFLOW;
	o->tail = view_of(room.p + o->head.n, tail.n);
	o->room->len += room.len;
	o->id = entry_id(e);
	o->payload = (struct slice){entry_id(e), 0, r->payload_bytes};
	o->size_bytes = o->head.n + r->payload_bytes + tail.n;
	return 0;
}
