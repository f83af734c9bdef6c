/*
 * deliver: RFC 9171 5.7 and registrations. An application is given bundles as long as fewer than
 * its credit are unacknowledged. Before a bundle is handed over, "handed" is in its record and
 * durable, so that after a restart it comes again marked `redelivered`; delivered means that the
 * acknowledgement is durable.
 *
 *   FOR_APP --credit--> HANDING --commit--> READY --event--> HANDED --ack--> ACKED --commit--> gone
 *   on arrival with credit: the record says "handed" from the start (STAGED, then READY)
 *
 * Bundles for endpoints that nobody has registered wait until they expire.
 */
#include "dtn/agent/break.h"
#include "dtn/agent/state.h"

#include <inttypes.h>
#include <stdio.h>

#define ENDPOINT_TEXT 128

static struct registration *find(struct agent *a, uint32_t id);
static mono known_until(
	const struct agent *a, const struct bundle_entry *e, const struct record *rec);
static struct registration *endpoint_find(const struct agent *a, const struct eid *e);
static int endpoint_choose(struct agent *a, char text[ENDPOINT_TEXT], struct eid *e);
static bool is_for(
	const struct agent *a, const struct bundle_entry *e, const struct registration *r);
static void fill(struct agent *a, mono now, struct registration *r);
static void claim(struct agent *a, mono now, struct registration *r, struct bundle_entry *e);
static void make_ready(struct agent *a, struct bundle_entry *e);
static bool is_alive(struct agent *a, mono now, struct registration *r);
static void hand_over(struct agent *a, mono now, struct registration *r, struct agent_event *ev);
static uint64_t payload_size(const struct agent *a, const struct bundle_entry *e);
static void unclaim(struct agent *a, struct bundle_entry *e);
static void from_ourselves(struct agent *a, mono now, struct bundle_entry *e, struct bundle *b);
static void leave(struct agent *a, struct bundle_entry *e);
static void answer_acked(struct agent *a, struct promise *p);

/* RFC 9171 4.2.5.2/d2; RFC 9758 5.1/3 */
int agent_register(struct agent *a, mono now, struct eid *endpoint, uint32_t *registration)
{
	struct registration *r = NULL;
	struct link_node *n, *next;
	char chosen[ENDPOINT_TEXT];
	int err;

	name_local(a, endpoint);
	if (endpoint->node != a->self.node || endpoint->group || endpoint->ssp.n > sizeof r->ssp)
		return -E_NOT_OURS; /* groups have no members here */
	if (endpoint->scheme == EID_SCHEME_IPN && endpoint->service == 0) {
		err = endpoint_choose(a, chosen, endpoint);
		if (err != 0)
			return err;
	}
	if (eid_is_admin(endpoint) || echo_is_service(a, endpoint))
		return -E_TAKEN;
	if (endpoint_find(a, endpoint))
		return -E_DUPLICATE;
	for (size_t i = 0; i < a->cfg.max_registrations && !r; i++)
		r = a->registration[i].id == 0 ? &a->registration[i] : NULL;
	if (!r)
		return -E_FULL;
	do /* it comes round on a node that lives for long */
		a->last_registration++;
	while (a->last_registration == 0 || find(a, a->last_registration));
	*r = (struct registration){.id = a->last_registration, .endpoint = *endpoint};
	if (endpoint->ssp.n > 0) {
		memcpy(r->ssp, endpoint->ssp.p, endpoint->ssp.n);
		r->endpoint.ssp.p = endpoint->ssp.p = (const uint8_t *)r->ssp;
	}
	list_init(&r->waiting);
	list_init(&r->ready);
	list_init(&r->handed);
	a->n_registrations++;
	trace_point(a->trace, now, app_registered, r->id, endpoint->node, endpoint->service);
	for (n = a->unclaimed.next; n != &a->unclaimed; n = next) {
		struct bundle_entry *e = container_of(n, struct bundle_entry, link);

		next = n->next;
		if (!is_for(a, e, r))
			continue;
		list_remove(n);
		list_push_back(&r->waiting, n);
		e->registration = (uint16_t)(r - a->registration);
	}
	*registration = r->id;
	return 0;
}

void agent_credit(struct agent *a, mono now, uint32_t registration, uint64_t credit)
{
	struct registration *r = find(a, registration);

	if (!r)
		return;
	r->credit = credit;
	fill(a, now, r);
}

int agent_read(struct agent *a, uint32_t registration, uint64_t id, uint64_t offset, uint64_t n,
	struct view *bytes)
{
	struct registration *r = find(a, registration);
	struct bundle_entry *e = entry_by_id(a, id);
	uint64_t size;

	if (!r || !e || e->state != ENTRY_HANDED || &a->registration[e->registration] != r)
		return -E_UNKNOWN;
	size = payload_size(a, e);
	if (offset > size)
		return -E_RANGE;
	if (n > size - offset)
		n = size - offset;
	*bytes = (struct view){0};
	if (n == 0)
		return 0;
	if (reassemble_is_part(e))
		return store_payload(a->store, reassemble_slice(e, offset, n), bytes);
	return store_payload(a->store, (struct slice){id, offset, n}, bytes);
}

int agent_ack(struct agent *a, mono now, uint32_t registration, uint64_t id)
{
	struct registration *r = find(a, registration);
	struct bundle_entry *e = entry_by_id(a, id);
	struct promise *p;
	struct record rec;
	struct known *k;
	bool is_unit;

	if (!r || !e || e->state != ENTRY_HANDED || &a->registration[e->registration] != r)
		return -E_UNKNOWN;
	if (!promise_room(a))
		return -E_AGAIN;
	rec = entry_record(a, e);
	is_unit = reassemble_uid(e, rec.uid);
	k = known_add(a, KNOWN_DELIVERED, (const uint64_t[4]){rec.uid[0], rec.uid[1], 0, 0},
		known_until(a, e, &rec));
	k->bundle_id = id;
	if (!BREAK_NO_TOMBSTONE && !known_write(a, k)) {
		known_forget(a, k);
		return -E_AGAIN; /* no memory for its row: delivered is what is known for good */
	}
	if (is_unit)
		reassemble_acked(a, e); /* its fragments go in the same batch */
	report_entry(a, now, e, STATUS_DELIVERED,
		REASON_NONE); /* it reads the head, which is gone below */
	entry_set_state(a, e, ENTRY_ACKED);
	list_push_back(&r->handed, &e->link);
	e->expiry = MONO_NEVER; /* its life is over: only the commit is missing */
	entry_set_due(a, e, MONO_NEVER);
	p = promise_add(a, PROMISE_ACKED, store_seq(a->store), id);
	p->registration = registration;
	if (BREAK_ACKED_EARLY)
		answer_acked(a, p);
	store_delete(a->store, id);
	return 0;
}

/* How long it is known that it was delivered: as long as a copy of it can be alive. That may say that it is
 * younger, by as much as was not counted on its way; and where our own limit ends bundles here, others have them
 * for as long as they say. */
static mono known_until(
	const struct agent *a, const struct bundle_entry *e, const struct record *rec)
{
	mono until = agent_mono(a, u64_add_sat(rec->expiry_ms, rec->age_ms));
	struct bundle b;

	if (e->flags & E_OVERRIDE && entry_bundle(a, e, &b))
		until = agent_mono(a, u64_add_sat(rec->received_ms, b.lifetime_ms));
	return until > e->expiry ? until : e->expiry;
}

void agent_unregister(struct agent *a, mono now, uint32_t registration)
{
	struct registration *r = find(a, registration);
	uint64_t n = 0;

	if (!r)
		return;
	for (size_t i = 0; i < 3; i++) {
		struct link_node *list = i == 0 ? &r->handed : i == 1 ? &r->ready : &r->waiting;

		for (; !list_empty(list); n++)
			leave(a, container_of(list->next, struct bundle_entry, link));
	}
	trace_point(a->trace, now, app_gone, registration, n);
	a->n_registrations--;
	r->id = 0;
}

bool agent_event(struct agent *a, mono now, struct agent_event *ev)
{
	struct link_node *n;
	struct promise *p;

	promise_settle(a, now);
	n = list_pop_front(&a->done);
	if (!n)
		return deliver_event(a, now, ev);
	p = container_of(n, struct promise, link);
	*ev = (struct agent_event){
		.id = p->id, .request = p->request, .registration = p->registration, .err = p->err};
	if (p->kind == PROMISE_ACKED) {
		ev->type = AGENT_ACKED;
	} else {
		struct bundle_entry *e = entry_by_id(a, p->id);
		struct bundle b;

		ev->type = p->err ? AGENT_REFUSED : AGENT_ACCEPTED;
		a->told = p->source; /* the bundle may be gone: sent and released */
		ev->source = e && entry_bundle(a, e, &b) ? b.source : eid_kept(&a->told);
		ev->created_ms = p->created_ms;
		ev->seq = p->sequence;
		ev->report_id = p->report_id;
		ev->report_no = p->report_no;
	}
	pool_give(&a->promises, p);
	return true;
}

/* Somebody is there, or will be, who takes it. */
bool deliver_is_registered(const struct agent *a, const struct eid *dest)
{
	return endpoint_find(a, dest) != NULL;
}

/* May a bundle for this endpoint be handed over right after its commit? */
bool deliver_claim(struct agent *a, const struct eid *dest, unsigned *registration)
{
	struct registration *r = endpoint_find(a, dest);

	if (!r || r->n_claimed >= r->credit || !list_empty(&r->waiting))
		return false;
	*registration = (unsigned)(r - a->registration);
	return true;
}

/* It is claimed from its arrival on, and waits for its commit. */
void deliver_staged(struct agent *a, struct bundle_entry *e, unsigned registration)
{
	struct registration *r = &a->registration[registration];

	e->registration = (uint16_t)registration;
	e->flags |= E_CLAIMED;
	r->n_claimed++;
	list_push_back(&r->handed, &e->link);
}

/* A bundle for this node may move. RFC 9171 5.7-2, 5.7-2/3, 5.7-2/4 */
void deliver_arrived(struct agent *a, mono now, struct bundle_entry *e)
{
	struct registration *r = NULL;
	struct bundle b;

	if (e->flags & E_CLAIMED) {
		make_ready(a, e);
		return;
	}
	if (entry_bundle(a, e, &b)) {
		if (eid_is_admin(&b.dest) || echo_is_service(a, &b.dest)) {
			from_ourselves(a, now, e, &b);
			return;
		}
		r = endpoint_find(a, &b.dest);
	}
	entry_set_state(a, e, ENTRY_FOR_APP);
	if (!r) {
		list_push_back(&a->unclaimed, &e->link);
		trace_point(a->trace, now, bundle_waiting, entry_id(e), WHY_NO_REGISTRATION);
		return;
	}
	e->registration = (uint16_t)(r - a->registration);
	list_push_back(&r->waiting, &e->link);
	if (r->n_claimed >= r->credit)
		trace_point(a->trace, now, bundle_waiting, entry_id(e), WHY_NO_CREDIT);
	fill(a, now, r);
}

/* For the administrative element or an echo service, and made here: what comes from outside for them
 * is dealt with on arrival (receive.c). */
static void from_ourselves(struct agent *a, mono now, struct bundle_entry *e, struct bundle *b)
{
	struct slice all = {entry_id(e), 0, b->payload.n};
	bool is_carried;

	if (!eid_is_admin(&b->dest)) {
		echo_answer(a, now, entry_id(e), b);
		release_entry(a, now, e, WHY_ECHO_DONE);
		return;
	}
	if (!(b->flags & BUNDLE_ADMIN) || b->payload.n > ADMIN_RECORD_MAX ||
		store_payload(a->store, all, &b->payload) != 0 ||
		!admin_receive(a, now, entry_id(e), &(struct arrival){.b = b}, &is_carried))
		trace_point(a->trace, now, bundle_refused, 0, WHY_ADMIN_UNREADABLE, e->size,
			b->source.node, b->seq);
	release_entry(a, now, e, WHY_ADMIN_DONE);
}

/* "Handed" is durable. */
void deliver_committed(struct agent *a, mono now, const struct promise *p)
{
	struct bundle_entry *e = entry_by_id(a, p->id);

	(void)now;
	if (e && e->state == ENTRY_HANDING)
		make_ready(a, e);
}

/* The acknowledgement is durable: delivered for good. */
void deliver_acked(struct agent *a, mono now, struct promise *p)
{
	struct bundle_entry *e = entry_by_id(a, p->id);
	struct registration *r = find(a, p->registration);

	trace_point(a->trace, now, bundle_delivered, p->id, p->registration);
	trace_point(a->trace, now, bundle_released, p->id, WHY_DELIVERED);
	if (e) {
		unclaim(a, e);
		if (reassemble_is_part(e))
			reassemble_done(a, now, e);
		entry_free(a, e);
	}
	if (!r)
		return;
	fill(a, now, r);
	if (!BREAK_ACKED_EARLY)
		answer_acked(a, p);
}

/* break.h 5: the promise goes on waiting, a copy of it answers. */
static void answer_acked(struct agent *a, struct promise *p)
{
	struct promise *told = p;

	if (BREAK_ACKED_EARLY) {
		told = pool_take(&a->promises);
		assert(told);
		*told = *p;
		list_init(&told->link);
	}
	told->is_done = true;
	list_push_back(&a->done, &told->link);
}

/* The next hand-over, round robin over registrations. */
bool deliver_event(struct agent *a, mono now, struct agent_event *ev)
{
	unsigned n = (unsigned)a->cfg.max_registrations;

	if (a->n_state[ENTRY_READY] == 0)
		return false;
	for (unsigned i = 0; i < n; i++) {
		struct registration *r = &a->registration[(a->next_ready + i) % n];

		if (r->id == 0 || !is_alive(a, now, r))
			continue;
		a->next_ready = (a->next_ready + i + 1) % n;
		hand_over(a, now, r, ev);
		return true;
	}
	return false;
}

/* Is anything to be handed over? What has expired meanwhile is not. */
static bool is_alive(struct agent *a, mono now, struct registration *r)
{
	while (!list_empty(&r->ready)) {
		struct bundle_entry *e = container_of(r->ready.next, struct bundle_entry, link);

		if (e->expiry > now)
			return true;
		expire_entry(a, now, e);
	}
	return false;
}

/* The entry goes: it no longer counts against a credit. */
void deliver_forget(struct agent *a, struct bundle_entry *e)
{
	unclaim(a, e);
}

static void hand_over(struct agent *a, mono now, struct registration *r, struct agent_event *ev)
{
	struct bundle_entry *e = container_of(r->ready.next, struct bundle_entry, link);
	bool again = (e->flags & E_REDELIVERED) != 0;

	*ev = (struct agent_event){.type = AGENT_DELIVERY,
		.id = entry_id(e),
		.registration = r->id,
		.redelivered = again,
		.size_bytes = payload_size(a, e)};
	if (!reassemble_is_part(e)) /* else its bytes are in several places: agent_read() */
		ev->payload = (struct slice){entry_id(e), 0, ev->size_bytes};
	if (store_head(a->store, entry_id(e), &ev->head) != 0)
		ev->head = (struct view){0};
	entry_set_state(a, e, ENTRY_HANDED);
	list_push_back(&r->handed, &e->link);
	e->flags |= E_REDELIVERED; /* should it be handed over again */
	trace_point(a->trace, now, bundle_handed, entry_id(e), r->id, again);
}

static uint64_t payload_size(const struct agent *a, const struct bundle_entry *e)
{
	return reassemble_is_part(e) ? reassemble_size(e) : entry_record(a, e).payload_bytes;
}

/* Claims what waits, as far as the credit goes. RFC 9171 5.7-2/2 */
static void fill(struct agent *a, mono now, struct registration *r)
{
	while (r->n_claimed < r->credit && !list_empty(&r->waiting) && promise_room(a))
		claim(a, now, r, container_of(r->waiting.next, struct bundle_entry, link));
}

static void claim(struct agent *a, mono now, struct registration *r, struct bundle_entry *e)
{
	struct record rec;

	(void)now;
	e->flags |= E_CLAIMED;
	r->n_claimed++;
	if (e->flags & E_HANDED) {
		make_ready(a, e); /* durable already */
		return;
	}
	rec = entry_record(a, e);
	rec.flags |= RECORD_HANDED;
	entry_save(a, e, &rec);
	e->flags |= E_HANDED;
	entry_set_state(a, e, ENTRY_HANDING);
	list_push_back(&r->handed, &e->link);
	promise_add(a, PROMISE_HANDING, store_seq(a->store), entry_id(e));
}

static void make_ready(struct agent *a, struct bundle_entry *e)
{
	entry_set_state(a, e, ENTRY_READY);
	list_push_back(&a->registration[e->registration].ready, &e->link);
}

static void unclaim(struct agent *a, struct bundle_entry *e)
{
	if (!(e->flags & E_CLAIMED))
		return;
	a->registration[e->registration].n_claimed--;
	e->flags &= (uint8_t)~E_CLAIMED;
}

/* Its application went: the bundle waits for the next one. A late acknowledgement still ends it. */
static void leave(struct agent *a, struct bundle_entry *e)
{
	unclaim(a, e);
	e->registration = NO_REGISTRATION;
	if (e->state == ENTRY_ACKED || e->state == ENTRY_STAGED) {
		list_remove(&e->link); /* its commit decides what comes next */
		return;
	}
	if (e->state == ENTRY_HANDING)
		e->flags &=
			(uint8_t)~E_HANDED; /* not durable yet: written again for the next one */
	entry_set_state(a, e, ENTRY_FOR_APP);
	list_push_back(&a->unclaimed, &e->link);
}

static struct registration *find(struct agent *a, uint32_t id)
{
	for (size_t i = 0; i < a->cfg.max_registrations && id != 0; i++)
		if (a->registration[i].id == id)
			return &a->registration[i];
	return NULL;
}

static struct registration *endpoint_find(const struct agent *a, const struct eid *e)
{
	for (size_t i = 0; i < a->cfg.max_registrations && a->n_registrations > 0; i++)
		if (a->registration[i].id != 0 && eid_equal(&a->registration[i].endpoint, e))
			return &a->registration[i];
	return NULL;
}

/* A free service: numbers go on after a restart, so a new application does not get an old one's
 * bundles. RFC 9758 9.3/d1 */
static int endpoint_choose(struct agent *a, char text[ENDPOINT_TEXT], struct eid *e)
{
	uint64_t n, seq;
	int err = store_reserve(a->store, COUNTER_REGISTRATION, 1, &n, &seq);

	if (err != 0)
		return err;
	if (a->self.scheme == EID_SCHEME_IPN) {
		*e = eid_ipn(a->self.node, 0x10000 + n); /* private use, RFC 9758 9.3 */
		return 0;
	}
	snprintf(text, ENDPOINT_TEXT, "dtn:%.*s%" PRIu64, (int)a->self.ssp.n,
		(const char *)a->self.ssp.p, 0x10000 + n);
	return eid_parse(text, e);
}

static bool is_for(
	const struct agent *a, const struct bundle_entry *e, const struct registration *r)
{
	struct record rec = entry_record(a, e);
	const struct eid *to = &r->endpoint;
	struct bundle b;

	/* Its head may be on disk: it is read only where it matters. */
	if (rec.dest_scheme != to->scheme || rec.dest_node != to->node ||
		rec.dest_service != to->service)
		return false;
	return to->scheme == EID_SCHEME_IPN || (entry_bundle(a, e, &b) && eid_equal(&b.dest, to));
}
