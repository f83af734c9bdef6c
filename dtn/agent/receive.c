/*
 * receive: bundles from outside, RFC 9171 5.6: read and check (step 3), unprocessable blocks by
 * their flags (step 4), expiry (4.4.2), then by what it is: a record for our administrative
 * endpoint, an echo request, a duplicate (duplicate.c), or a bundle that is staged in the store and
 * promised.
 *
 * What is refused is told to the previous custodian (CCS{-1}) where there is one; anything else
 * that is not taken is counted and traced. Custody bundles and bundles for applications move only
 * after their commit; others may leave from the stage. Start reading at agent_receive().
 */
#include "dtn/agent/break.h"
#include "bundle/cbor.h"
#include "bundle/fragment.h"
#include "bundle/rule.h"
#include "dtn/agent/state.h"

#define CBOR_ARRAY_OPEN 0x9f

static void arrival_uid(struct agent *a, struct arrival *in);
static bool conformed(struct agent *a, const struct arrival *in, struct bundle *b,
	struct view bytes, struct bundle_fault *fault);
static void unintelligible(
	struct agent *a, mono now, const struct bundle *b, const struct bundle_fault *fault);
static void unsafe(struct agent *a, mono now, const struct arrival *in, enum reason reason);
static bool blocks_allow(struct agent *a, mono now, struct arrival *in);
static bool for_administration(struct agent *a, mono now, const struct arrival *in);
static void echo_arrived(struct agent *a, mono now, const struct arrival *in);
static void custody_done(struct agent *a, mono now, const struct arrival *in, uint64_t id);
static void serve_or_take(struct agent *a, mono now, struct arrival *in);
static void take(struct agent *a, mono now, struct arrival *in);
static int put(struct agent *a, struct arrival *in, struct record *r, uint64_t *id);
static bool is_part(const struct arrival *in);
static bool is_plain(const struct arrival *in);
static void refuse(struct agent *a, mono now, const struct arrival *in, enum why why);
static void no_custody(
	struct agent *a, mono now, const struct arrival *in, uint64_t id, enum why why);
static enum why why_not(int err);
static void promise_arrival(struct agent *a, mono now, const struct arrival *in,
	struct bundle_entry *e, const struct record *r);
static void trace_received(struct agent *a, mono now, const struct arrival *in, uint64_t id);
static uint64_t passing(struct agent *a, mono now, const struct arrival *in);

void agent_receive(struct agent *a, mono now, unsigned link, node_id from, struct view bytes)
{
	struct arrival in = {
		.link = link, .from = from, .flight_ms = flight_ms(a, from) + a->import_age_ms};

	receive_inside(a, now, &in, bytes);
}

void receive_inside(struct agent *a, mono now, struct arrival *in, struct view bytes)
{
	struct bundle_fault fault;
	enum reason reason;
	enum why why;
	struct bundle b;

	in->b = &b;
	in->size = bytes.n;
	in->profile = custodian_find(a, in->from)->profile;
	if (bundle_read(&b, bytes, &a->rules_in[in->profile], &fault) != 0 ||
		!conformed(a, in, &b, bytes, &fault)) {
		trace_point(
			a->trace, now, bundle_rejected, in->link, fault.rule, bytes.n, fault.at);
		unintelligible(a, now, &b, &fault);
		answer_refused(a, now, in, WHY_NOT_A_BUNDLE);
		return;
	}
	arrival_uid(a, in);
	bundle_adu_uid(&b, in->uid, in->adu_uid);
	in->party = party_find(a, now, b.source.node);
	in->is_local = b.dest.node == a->self.node && !b.dest.group;
	why = custody_accepts(a, in, &in->pair);
	in->takes_custody = why == WHY_NONE;
	in->is_own_promise = a->is_importing && in->b->has_cteb && !in->is_local &&
			     in->b->cteb.custodian.node == a->self.node &&
			     !(in->b->flags & BUNDLE_FRAGMENT);
	in->passes_custody = why == WHY_OTHER ? WHY_NONE : why;
	why = admit(a, now, in);
	if (why != WHY_NONE) {
		refuse(a, now, in, why);
		return;
	}
	reason = security_arrived(a, now, &b, in);
	if (reason != REASON_NONE) {
		unsafe(a, now, in, reason);
		return;
	}
	if (b.has_age)
		in->age_ms = u64_add_sat(b.age_ms, in->flight_ms); /* RFC 9171 4.4.2/d2 */
	in->expiry = expiry_of(a, now, in, &in->is_override);
	if (in->expiry <= now) {
		/* RFC 9171 5.5 */
		drop_passing(a, now, passing(a, now, in), &b,
			in->is_override ? REASON_TRAFFIC_PARED : REASON_EXPIRED);
		answer_refused(a, now, in, WHY_EXPIRED);
		return;
	}
	if (!blocks_allow(a, now, in) || for_administration(a, now, in))
		return;
	if (duplicate_handled(a, now, in))
		return;
	serve_or_take(a, now, in);
}

void receive_unit(struct agent *a, mono now, struct arrival *in)
{
	if (blocks_allow(a, now, in) && !for_administration(a, now, in))
		serve_or_take(a, now, in);
}

static void serve_or_take(struct agent *a, mono now, struct arrival *in)
{
	if (in->is_local && echo_is_service(a, &in->b->dest) && !(in->b->flags & BUNDLE_FRAGMENT))
		echo_arrived(a, now, in);
	else
		take(a, now, in);
}

/* A bundle without source cannot be told from another by its timestamp: nothing may rely on its
 * identity (RFC 9171 4.2.3), so it gets one of its own and is no duplicate. */
static void arrival_uid(struct agent *a, struct arrival *in)
{
	bundle_uid(in->b, in->uid);
	if (eid_is_null(&in->b->source)) {
		in->uid[0] ^= hash_mix(a->boot);
		in->uid[1] ^= hash_mix(++a->n_anonymous);
	}
}

/* RFC 9171 4.1/10: a definite outer array is made indefinite before anything else is done. */
static bool conformed(struct agent *a, const struct arrival *in, struct bundle *b,
	struct view bytes, struct bundle_fault *fault)
{
	struct buf w = buf_of(a->scratch, a->scratch ? SCRATCH : 0);
	size_t skip = (size_t)(b->primary.p - bytes.p);

	if (b->primary.p[-1] == CBOR_ARRAY_OPEN)
		return true;
	cbor_put_array_open(&w);
	buf_put(&w, view_sub(bytes, skip, bytes.n - skip));
	cbor_put_break(&w);
	if (buf_finish(&w) == 0)
		return bundle_read(b, buf_view(&w), &a->rules_in[in->profile], fault) == 0;
	*fault = (struct bundle_fault){.rule = RULE_OUTER_DEFINITE, .err = -E_RULE};
	return false;
}

/* RFC 9171 5.6-3/2, 5.6-3/3, 5.6-3/3b: deleted for reason 8, and nothing more is done with it. It
 * can be reported only where the primary block is good; LocalNode is discarded without a word. */
static void unintelligible(
	struct agent *a, mono now, const struct bundle *b, const struct bundle_fault *fault)
{
	if (fault->primary_ok && fault->rule != RULE_LOCAL_NODE && !(b->flags & BUNDLE_FRAGMENT))
		report_bundle(a, now, 0, b, STATUS_DELETED, REASON_UNINTELLIGIBLE);
}

/* RFC 9172 5.1: a security operation is not as policy wants it. Custody of it is refused. */
static void unsafe(struct agent *a, mono now, const struct arrival *in, enum reason reason)
{
	uint64_t id = passing(a, now, in);

	drop_passing(a, now, id, in->b, reason);
	answer_refused(a, now, in, WHY_SEC_FAILED);
	if (in->takes_custody)
		no_custody(a, now, in, id, WHY_SEC_FAILED);
}

/* When the bundle's lifetime ends here: by the clock if source and we have one, by its age, and
 * never later than our own limit. Strictly after: age == lifetime is alive (RFC 9171 4.4.2).
 * RFC 9171 4.3.1/8, 4.3.1/8b, 4.3.1/8c, 4.3.1/d1, 4.3.1/d2, 5.5/d1, 5.5/1, 5.5/1b */
mono expiry_of(const struct agent *a, mono now, const struct arrival *in, bool *override)
{
	const struct bundle *b = in->b;
	dtntime clock = agent_clock(a, now);
	uint64_t age = in->age_ms, left, most = (uint64_t)(a->cfg.max_lifetime_us / US_PER_MS);

	if (b->created_ms != 0 && a->deps.clock_is_accurate && clock > b->created_ms &&
		clock - b->created_ms > age)
		age = clock - b->created_ms;
	*override = false;
	if (age > b->lifetime_ms)
		return now;
	left = b->lifetime_ms - age;
	if (left > most) {
		left = most;
		*override = true;
	}
	if (left > (uint64_t)(MONO_NEVER / US_PER_MS) - 1)
		return MONO_NEVER;
	return mono_add(now, ((int64_t)left + 1) * US_PER_MS);
}

/* RFC 9171 5.6-4: extension blocks that we can't process, also those that have the type of a custody or
 * reporting block and are none. False: the bundle is gone.
 * RFC 9171 4.4/d1, 5.6-4/2, 5.6-4/2b, 5.6-4/2c, 5.6-4/3, 5.6-4/d1 */
static bool blocks_allow(struct agent *a, mono now, struct arrival *in)
{
	const struct bundle *b = in->b;
	bool wants_report = false, deletes = false;

	for (unsigned i = 0; i < b->n_blocks; i++) {
		const struct block *k = &b->block[i];

		if (k->type == BLOCK_PAYLOAD || k->type == BLOCK_PREVIOUS_NODE ||
			k->type == BLOCK_AGE || k->type == BLOCK_HOP_COUNT ||
			k->type == BLOCK_BIB || k->type == BLOCK_BCB)
			continue;
		if (b->foreign >> i & 1)
			trace_point(a->trace, now, block_foreign, in->link, k->type, b->source.node,
				b->seq);
		else if (k->type == a->codes[in->profile].cteb_type ||
			 k->type == a->codes[in->profile].creb_type)
			continue;
		wants_report |= (k->flags & BLOCK_REPORT) != 0;
		deletes |= (k->flags & BLOCK_DELETE_BUNDLE) != 0;
		if (k->flags & BLOCK_DISCARD)
			in->discard |= UINT64_C(1) << i;
	}
	if (deletes) {
		uint64_t id = passing(a, now, in);

		if (wants_report)
			report_bundle(a, now, id, b, STATUS_RECEIVED, REASON_BLOCK_UNSUPPORTED);
		drop_passing(a, now, id, b, REASON_BLOCK_UNSUPPORTED);
		answer_refused(a, now, in, WHY_BLOCK_UNSUPPORTED);
		return false;
	}
	if (wants_report)
		report_bundle(a, now, 0, b, STATUS_RECEIVED, REASON_BLOCK_UNSUPPORTED);
	return true;
}

/* Signals, reports and other records for this node are read from the receive buffer: a full store
 * never stops them. A record is delivered by being read: custody of it is accepted when what that changed is
 * durable; of one with a bundle inside, as that is taken. RFC 9171 4.2.5.2/d1, 4.2.5.2/1; RFC 9713 2/2, 2/d1 */
static bool for_administration(struct agent *a, mono now, const struct arrival *in)
{
	const struct bundle *b = in->b;
	bool is_carried = false;
	uint64_t id;

	if (!in->is_local || !eid_is_admin(&b->dest) ||
		(b->flags & BUNDLE_FRAGMENT && b->flags & BUNDLE_ADMIN))
		return false;
	if (in->takes_custody && duplicate_handled(a, now, in))
		return true;
	id = passing(a, now, in);
	if (!(b->flags & BUNDLE_ADMIN)) {
		drop_passing(a, now, id, b, REASON_DEST_UNAVAILABLE);
		answer_refused(a, now, in, WHY_POLICY);
		if (in->takes_custody)
			no_custody(a, now, in, id, WHY_POLICY);
		return true;
	}
	if (!admin_receive(a, now, id, in,
		    &is_carried)) /* RFC 9713 4: ignored, the bundle counts as delivered */
		trace_point(a->trace, now, bundle_refused, in->link, WHY_ADMIN_UNREADABLE, in->size,
			b->source.node, b->seq);
	trace_point(a->trace, now, bundle_released, id, WHY_ADMIN_DONE);
	if (!is_carried)
		custody_done(a, now, in, id);
	if (!is_carried || in->takes_custody)
		answer_promise(a, in, store_seq(a->store), id);
	return true;
}

/* Echo requests are answered from the receive buffer too; only their custody waits for a commit. */
static void echo_arrived(struct agent *a, mono now, const struct arrival *in)
{
	struct known *k;
	uint64_t id;

	if (in->b->flags & BUNDLE_ADMIN) {
		refuse(a, now, in, WHY_POLICY);
		return;
	}
	id = passing(a, now, in);
	k = known_add(
		a, KNOWN_DELIVERED, (const uint64_t[4]){in->uid[0], in->uid[1], 0, 0}, in->expiry);
	k->bundle_id = id;
	custody_done(a, now, in, id);
	echo_answer(a, now, id, in->b);
	report_bundle(a, now, id, in->b, STATUS_DELIVERED, REASON_NONE); /* RFC 9171 5.7-3 */
	trace_point(a->trace, now, bundle_released, id, WHY_ECHO_DONE);
	answer_promise(a, in, store_seq(a->store), id);
}

/* What was done with at once: its custody waits for the batch of what that changed. */
static void custody_done(struct agent *a, mono now, const struct arrival *in, uint64_t id)
{
	struct known *pair;
	struct promise *p;

	if (!in->takes_custody)
		return;
	if (!promise_room(a)) {
		no_custody(a, now, in, id, WHY_TABLE_FULL);
		return;
	}
	pair = custody_remember(a, &in->pair, id, in->expiry);
	p = promise_add(a, PROMISE_PAIR, pair->seq, id);
	p->has_pair = true;
	p->pair = in->pair;
	if (BREAK_SPEAK_EARLY)
		signal_add(a, now, &in->pair, true, id);
}

/* RFC 9171 5.6-1, 4.4.3/3 */
static void take(struct agent *a, mono now, struct arrival *in)
{
	const struct bundle *b = in->b;
	bool custody = in->takes_custody;
	struct record r = {.uid = {in->uid[0], in->uid[1]},
		.dest_scheme = b->dest.scheme,
		.dest_node = b->dest.node,
		.dest_service = b->dest.service};
	uint64_t id, number_seq = 0;
	struct bundle_entry *e;
	unsigned reg = 0;
	int err = 0;

	if (!in->is_local && b->has_hop && b->hop_count >= b->hop_limit) {
		id = passing(a, now, in); /* RFC 9171 4.4.3 */
		drop_passing(a, now, id, b, REASON_HOP_LIMIT);
		answer_refused(a, now, in, WHY_HOP_LIMIT);
		if (custody)
			no_custody(a, now, in, id, WHY_HOP_LIMIT);
		return;
	}
	if (is_part(in)) {
		enum why why = reassemble_allow(a, &b->dest, in->adu_uid, b->total_len);

		if (why != WHY_NONE) {
			refuse(a, now, in, why);
			return;
		}
	}
	if (!entry_room(a, b->flags & BUNDLE_ADMIN) || !(is_plain(in) || promise_spare(a))) {
		refuse(a, now, in, WHY_TABLE_FULL);
		return;
	}
	if (!in->is_unit && !admit_arrival(a, in)) {
		refuse(a, now, in, WHY_STORE_FULL);
		return;
	}
	if (!in->is_unit && !party_has_room(a, in->party, in->size)) {
		refuse(a, now, in, WHY_SOURCE_QUOTA);
		return;
	}
	r.flags = (in->is_local ? RECORD_LOCAL : 0) | (in->is_override ? RECORD_OVERRIDE : 0) |
		  (names_private(&b->source, &b->dest, &b->report_to) ? RECORD_PRIVATE : 0);
	if (in->is_local && !is_part(in) && deliver_claim(a, &b->dest, &reg))
		r.flags |= RECORD_HANDED;
	if (in->profile == PROFILE_BPLIB) /* by which its blocks are read here, then as now */
		r.flags |= RECORD_BPLIB;
	if ((custody && !in->is_local) || in->is_own_promise)
		err = custody_begin(a, &r, &number_seq);
	r.received_ms = agent_dtn(a, now);
	r.expiry_ms = in->expiry == MONO_NEVER ? UINT64_MAX : agent_dtn(a, in->expiry);
	err = err ? err : put(a, in, &r, &id);
	if (err != 0) {
		refuse(a, now, in, why_not(err));
		return;
	}
	e = entry_add(a, now, id, &r);
	assert(e);
	if (number_seq > e->seq)
		e->seq = number_seq;
	seen_emit(a, now, id, b, e->priority, in->size);
	trace_received(a, now, in, id);
	if (in->passes_custody != WHY_NONE)
		custody_declined(a, now, &in->pair, in->passes_custody);
	promise_arrival(a, now, in, e, &r);
	if (r.flags & RECORD_HANDED)
		deliver_staged(a, e, reg);
	if (is_part(in)) {
		err = reassemble_join(a, now, e, &r);
		assert(err == 0); /* reassemble_known(), reassemble_allow() */
	}
	report_bundle(a, now, id, b, STATUS_RECEIVED, REASON_NONE);
	if (in->is_local && b->flags & BUNDLE_ADMIN)
		(void)crs_receive(a, now, id, in); /* for an application: it asked for them */
}

/* Stages the bundle: head, then payload and tail as one. */
static int put(struct agent *a, struct arrival *in, struct record *r, uint64_t *id)
{
	const struct bundle *b = in->b;
	uint8_t room[STORE_VALUE_MAX];
	struct buf value = buf_of(room, sizeof room);
	struct view parts[2] = {b->payload, b->tail};
	bool is_long = in->expiry == MONO_NEVER || r->expiry_ms - r->received_ms > 3600000;
	struct store_bundle s = {.head = b->head,
		.payload = parts,
		.n_payload = 2,
		.flags = (b->flags & BUNDLE_ADMIN ? STORE_URGENT : 0) | (is_long ? STORE_LONG : 0)};

	r->age_ms = in->age_ms;
	r->prev_node = in->from != NODE_NONE ? in->from : b->has_prev ? b->prev.node : NODE_NONE;
	r->size_bytes = in->size;
	r->payload_bytes = b->payload.n;
	r->tail_bytes = b->tail.n;
	r->discard = in->discard;
	r->hop_limit = b->has_hop ? b->hop_limit : 0;
	r->hop_count = b->has_hop ? b->hop_count : 0;
	r->priority = b->flags & BUNDLE_ADMIN ? PRIORITY_EXPEDITED : PRIORITY_STANDARD;
	r->source_node = b->source.node;
	if (fragment_allowed(b))
		r->flags |= RECORD_MAY_CUT;
	if (b->flags & BUNDLE_FRAGMENT) {
		r->flags |= RECORD_FRAGMENT;
		r->frag_off = b->frag_off;
		r->total_len = b->total_len;
		r->adu_uid[0] = in->adu_uid[0];
		r->adu_uid[1] = in->adu_uid[1];
	}
	record_encode(&value, r);
	s.value = buf_view(&value);
	if (!in->open)
		return store_put(a->store, &s, id);
	*id = in->open;
	return store_seal(a->store, in->open, &s);
}

/* What is done with it when it is durable; what needs no commit moves at once (cut-through). */
static void promise_arrival(struct agent *a, mono now, const struct arrival *in,
	struct bundle_entry *e, const struct record *r)
{
	struct promise *p;

	entry_set_state(a, e, ENTRY_STAGED);
	if (is_plain(in) && a->promises.n_free < a->promises.n / 2) {
		forward_with(a, now, e, r, NODE_NONE); /* the slow disk's promises are for others */
		return;
	}
	p = promise_add(a, PROMISE_NEW, e->seq, entry_id(e));
	p->has_outer = in->outer.id != 0;
	p->outer = in->outer;
	if (BREAK_ANSWER_EARLY)
		answer_add(a, now, &in->outer, entry_id(e), BIBE_ACCEPTED);
	if (in->takes_custody) {
		struct known *k = custody_remember(a, &in->pair, entry_id(e), e->expiry);

		k->seq = e->seq;
		p->has_pair = true;
		p->pair = in->pair;
		if (BREAK_SPEAK_EARLY)
			signal_add(a, now, &in->pair, true, entry_id(e));
	}
	if (is_plain(in))
		forward_with(a, now, e, r, NODE_NONE);
}

/* A fragment for this node. */
static bool is_part(const struct arrival *in)
{
	return in->is_local && in->b->flags & BUNDLE_FRAGMENT;
}

/* For others and without a promise to anybody. */
static bool is_plain(const struct arrival *in)
{
	return !in->is_local && !in->takes_custody && !in->is_own_promise && in->outer.id == 0;
}

static void refuse(struct agent *a, mono now, const struct arrival *in, enum why why)
{
	a->import_refused = why;
	trace_point(a->trace, now, bundle_refused, in->link, why, in->size, in->b->source.node,
		in->b->seq);
	if (admit_reason(why) != REASON_NONE && why != WHY_SOURCE_RATE)
		report_bundle(a, now, 0, in->b, STATUS_DELETED, admit_reason(why));
	answer_refused(a, now, in, why);
	if (!in->takes_custody)
		return;
	if (why == WHY_SOURCE_RATE)
		custody_declined(a, now, &in->pair, why);
	else
		no_custody(a, now, in, 0, why);
}

/* The custodian is told; and who asked for such reports. */
static void no_custody(
	struct agent *a, mono now, const struct arrival *in, uint64_t id, enum why why)
{
	custody_refuse(a, now, &in->pair, id, why);
	report_custody(a, now, id, in->b, false);
}

static enum why why_not(int err)
{
	switch (err) {
	case -E_FULL:
	case -ENOSPC:
		return WHY_STORE_FULL;
	case -E_AGAIN:
		return WHY_STAGE_FULL;
	case -ENOMEM:
		return WHY_NO_MEMORY;
	default:
		return WHY_STORE_CLOSED;
	}
}

static void trace_received(struct agent *a, mono now, const struct arrival *in, uint64_t id)
{
	trace_point(a->trace, now, bundle_received, id, in->link, in->from, in->b->hop_count,
		in->b->has_cteb);
}

/* Identity and reception of a bundle that will not be stored. */
static uint64_t passing(struct agent *a, mono now, const struct arrival *in)
{
	uint64_t id = seen_passing(a, now, in->b, in->size);

	trace_received(a, now, in, id);
	report_bundle(a, now, id, in->b, STATUS_RECEIVED, REASON_NONE); /* RFC 9171 5.6-2 */
	return id;
}
