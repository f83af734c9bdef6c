/*
 * send: transmission requests, RFC 9171 5.2: bundles made here, for applications and for the agent
 * itself (signals, reports, echoes). The creation sequence number always comes from the store's
 * reserved counter, so (source, time, sequence) never repeats, with or without a clock. Custody
 * bundles, and the first one after a new block of numbers was reserved, move after their commit; an
 * application's "accepted" always waits for it.
 */
#include "dtn/agent/break.h"
#include "dtn/agent/state.h"

static int own_pair(struct agent *a, struct making *m);
static int allow_part(const struct agent *a, const struct making *m);
static void mark_fragment(struct making *m);
static int build_and_put(
	struct agent *a, const struct own_bundle *o, struct making *m, uint64_t *id);
static uint64_t payload_size(const struct agent_send *s);

int agent_send(struct agent *a, mono now, const struct agent_send *s, uint64_t *request)
{
	struct own_bundle o;
	uint64_t id;
	int err = send_allow(a, s, &o);

	if (err != 0)
		return err;
	o.request = a->last_request + 1;
	err = send_own(a, now, &o, &id);
	if (err == 0)
		*request = ++a->last_request;
	return err;
}

int send_allow(const struct agent *a, const struct agent_send *s, struct own_bundle *o)
{
	bool anonymous = eid_is_null(&s->source);

	*o = (struct own_bundle){.s = *s};
	if (a->is_draining)
		return -E_CLOSED;
	name_local(a, &o->s.source);
	name_local(a, &o->s.dest);
	name_local(a, &o->s.report_to);
	if (!anonymous && o->s.source.node != a->self.node)
		return -E_NOT_OURS; /* RFC 9171 5.2-1/2 */
	if (is_local_node(&o->s.dest) || is_local_node(&o->s.report_to))
		return -E_NO_RECEIVER; /* a dtn node has no ipn number */
	if (s->dest.node == NODE_NONE || s->dest.group)
		return -E_NO_RECEIVER;
	if (s->priority >= PRIORITIES || s->n_payload > 15)
		return -E_REFUSED;
	if (anonymous && (s->custody || s->flags & BUNDLE_REPORTS))
		return -E_ANONYMOUS; /* RFC 9171 4.2.3 */
	o->s.custody |= !anonymous && custody_requested(a, &o->s.dest);
	o->s.flags &=
		BUNDLE_NO_FRAGMENT | BUNDLE_ACK_REQUESTED | BUNDLE_STATUS_TIME | BUNDLE_REPORTS;
	if (anonymous || o->s.custody)
		o->s.flags |= BUNDLE_NO_FRAGMENT; /* RFC 9171 4.2.3; CCSDS 734.6, sequences */
	o->is_compressed = crs_asked(a, &o->s);
	if (o->is_compressed)
		o->s.flags |= BUNDLE_NO_FRAGMENT; /* CCSDS 734.6, sequences */
	return 0;
}

/* LocalNode is a word of this node's applications; what leaves, and what is stored, says which node
 * that is (RFC 9758 5.4/1, 5.4/2, 5.4/4). The form of ipn that is written: RFC 9758 6.1.2/1,
 * 6.1.2/2. */
void name_local(const struct agent *a, struct eid *e)
{
	if (is_local_node(e) && a->self.scheme == EID_SCHEME_IPN)
		*e = eid_ipn(a->self.node, e->service);
	e->three = a->cfg.ipn_three && e->scheme == EID_SCHEME_IPN && e->node >> 32 != 0;
}

/* RFC 9171 5.2-1, 5.2-2 */
int send_own(struct agent *a, mono now, const struct own_bundle *o, uint64_t *id)
{
	struct making m;
	int err;

	if (!(o->urgent ? promise_room(a) : promise_spare(a)))
		return -E_FULL;
	if (!(o->transmission ? transmission_fits(a, payload_size(&o->s))
			      : entry_room(a, o->urgent)))
		return -E_FULL;
	if (!o->urgent && !o->transmission && !admit_room(a, payload_size(&o->s), 0))
		return -E_FULL;
	err = send_prepare(a, now, o, &m);
	return err ? err : send_made(a, now, o, &m, id);
}

int send_record(
	struct agent *a, mono now, const struct own_bundle *o, struct buf *record, uint64_t *id)
{
	struct view payload = buf_view(record);
	struct own_bundle whole = *o;
	int err = buf_finish(record);

	whole.s.source = a->self;
	whole.s.report_to = eid_null();
	whole.s.flags = BUNDLE_ADMIN;
	whole.s.lifetime_ms = (uint64_t)(a->cfg.signal_lifetime_us / US_PER_MS);
	whole.s.crc_type = a->cfg.crc_type;
	whole.s.payload = &payload;
	whole.s.n_payload = 1;
	return err ? err : send_own(a, now, &whole, id);
}

/* What is secured here is secured before it is cut (RFC 9172 5.2). */
bool send_is_whole(const struct agent *a, const struct own_bundle *o)
{
	return o->s.flags & BUNDLE_NO_FRAGMENT || a->cfg.source_bytes == 0 ||
	       security_adds(a, &o->s);
}

/* The caller has asked for room of an entry and a promise. */
int send_made(struct agent *a, mono now, const struct own_bundle *o, struct making *m, uint64_t *id)
{
	struct bundle_entry *e;
	struct promise *p;
	struct bundle shown = {0};
	int err = allow_part(a, m);

	*id = 0;
	if (!err && o->sealing)
		err = protect_close(a, o, m, id);
	else if (!err && security_adds(a, &o->s))
		err = security_put(a, o, m, id);
	else if (!err)
		err = build_and_put(a, o, m, id);
	if (err != 0)
		return err;
	e = entry_add(a, now, *id, &m->r);
	assert(e);
	if (m->seq > e->seq)
		e->seq = m->seq;
	shown = (struct bundle){.source = m->spec.source,
		.dest = m->spec.dest,
		.created_ms = m->spec.created_ms,
		.seq = m->spec.seq,
		.lifetime_ms = m->spec.lifetime_ms,
		.crc_type = m->spec.crc_type,
		.flags = m->spec.flags,
		.frag_off = m->spec.frag_off,
		.total_len = m->spec.total_len,
		.payload = {.n = m->r.payload_bytes}};
	seen_emit(a, now, *id, &shown, e->priority, m->r.size_bytes);
	trace_point(a->trace, now, bundle_sourced, *id, o->s.registration, o->s.custody);
	security_tell(a, now, *id, m);
	p = promise_add(a, PROMISE_NEW, e->seq, *id);
	p->request = o->request;
	p->piece_of = o->piece_of;
	p->registration = o->s.registration;
	p->created_ms = m->spec.created_ms;
	p->sequence = m->spec.seq;
	p->inside = o->inside;
	p->inside_bytes = o->inside_bytes;
	p->tunnel = o->tunnel;
	p->transmission = o->transmission;
	p->report_id = m->spec.creb.seq_id;
	p->report_no = m->spec.creb.seq_no;
	crs_made(a, *id, m);
	if (!eid_keep(&p->source, &m->spec.source) && !eid_is_null(&m->spec.source))
		m->needs_commit = true; /* a long name: known only while the bundle is here */
	entry_set_state(a, e, ENTRY_STAGED);
	if (m->is_local && m->r.flags & RECORD_FRAGMENT) {
		/* allow_part() let it in; somebody else may have sent these bytes in our name */
		if (reassemble_join(a, now, e, &m->r) != 0) {
			release_entry(a, now, e, WHY_COVERED);
			return 0;
		}
	}
	if (!m->needs_commit && !o->after_commit)
		forward_entry(a, now, e, NODE_NONE);
	return 0;
}

/* Data in pieces for an endpoint of this node comes together like any other. */
static int allow_part(const struct agent *a, const struct making *m)
{
	struct bundle_spec whole = m->spec;
	uint64_t uid[2];

	if (!m->is_local || !(m->spec.flags & BUNDLE_FRAGMENT))
		return 0;
	whole.flags &= ~(uint64_t)BUNDLE_FRAGMENT;
	send_uid(&whole, 0, uid);
	return reassemble_allow(a, &m->spec.dest, uid, m->spec.total_len) == WHY_NONE ? 0 : -E_FULL;
}

/* What the record says of fragments, RFC 9171 5.8. */
static void mark_fragment(struct making *m)
{
	struct bundle_spec whole = m->spec;

	if (!(m->spec.flags & BUNDLE_NO_FRAGMENT) && !m->spec.has_cteb && m->r.payload_bytes > 1)
		m->r.flags |= RECORD_MAY_CUT;
	if (!(m->spec.flags & BUNDLE_FRAGMENT))
		return;
	whole.flags &= ~(uint64_t)BUNDLE_FRAGMENT;
	send_uid(&whole, 0, m->r.adu_uid);
	m->r.flags |= RECORD_FRAGMENT;
	m->r.frag_off = m->spec.frag_off;
	m->r.total_len = m->spec.total_len;
}

/* Everything but the bytes.
 * RFC 9171 4.2.7/2, 4.2.7/3, 4.2.7/4, 4.2.7/d1, 4.2.7/d2, 4.4.1/2, 4.4.3/2b; RFC 9758 5.3/d1 */
int send_prepare(struct agent *a, mono now, const struct own_bundle *o, struct making *m)
{
	const struct agent_send *s = &o->s;
	uint64_t left = s->lifetime_ms, most = (uint64_t)(a->cfg.max_lifetime_us / US_PER_MS);
	bool accurate = a->deps.clock_is_accurate;
	uint64_t seq_no;
	int err;

	*m = (struct making){.spec = {.flags = s->flags,
				     .crc_type = s->crc_type ? s->crc_type : CRC_32C,
				     .block_crc_type = s->crc_type,
				     .dest = s->dest,
				     .source = s->source,
				     .report_to = s->report_to,
				     .lifetime_ms = s->lifetime_ms,
				     .created_ms = accurate ? agent_clock(a, now) : 0,
				     .replicate = !(s->flags & BUNDLE_NO_FRAGMENT),
				     .has_age = a->cfg.add_age || !accurate,
				     .has_hop = a->cfg.hop_limit > 0,
				     .hop_limit = a->cfg.hop_limit,
				     .custody = a->codes[a->cfg.custody_profile]}};
	m->is_local = s->dest.node == a->self.node && !s->dest.group;
	err = store_reserve(a->store, COUNTER_CREATION, 1, &seq_no, &m->seq);
	if (err != 0)
		return err;
	m->spec.seq = seq_no;
	m->needs_commit = m->is_local || m->seq != 0;
	if (left > most) {
		left = most;
		m->r.flags |= RECORD_OVERRIDE;
	}
	m->r.received_ms = agent_dtn(a, now);
	m->r.expiry_ms = u64_add_sat(m->r.received_ms, left + 1);
	m->r.dest_scheme = s->dest.scheme;
	m->r.dest_node = s->dest.node;
	m->r.dest_service = s->dest.service;
	m->r.priority = s->priority;
	m->r.hop_limit = a->cfg.hop_limit;
	m->r.source_node = s->source.node;
	if (m->is_local)
		m->r.flags |= RECORD_LOCAL;
	if (names_private(&s->source, &s->dest, &s->report_to))
		m->r.flags |= RECORD_PRIVATE;
	err = s->custody && !m->is_local ? own_pair(a, m) : 0;
	err = err ? err : crs_prepare(a, o, m);
	if (a->cfg.custody_profile == PROFILE_BPLIB && (m->spec.has_cteb || m->spec.has_creb))
		m->r.flags |= RECORD_BPLIB;
	return err;
}

/* CCSDS 734.6, procedures of a source */
static int own_pair(struct agent *a, struct making *m)
{
	uint64_t seq = 0;
	int err = custody_begin(a, &m->r, &seq);

	if (err != 0)
		return err;
	m->spec.has_cteb = true; /* as it is stored: forward.c writes the one that leaves */
	m->spec.cteb = (struct cteb){
		.seq_no = m->r.own_seq_no, .seq_id = m->r.own_seq_id, .custodian = a->self};
	m->needs_commit = true;
	if (seq > m->seq)
		m->seq = seq;
	return 0;
}

static int build_and_put(
	struct agent *a, const struct own_bundle *o, struct making *m, uint64_t *id)
{
	uint8_t head_room[HEAD_MADE_MAX], tail_room[BUNDLE_TAIL_MAX];
	struct buf head = buf_of(head_room, sizeof head_room),
		   tail = buf_of(tail_room, sizeof tail_room);
	struct view part[16];
	struct store_bundle s = {.payload = part, .n_payload = o->s.n_payload + 1};
	uint32_t crc;
	int err;

	m->r.payload_bytes = payload_size(&o->s);
	err = bundle_build_head(&head, &m->spec, m->r.payload_bytes, &crc);
	if (err != 0)
		return err;
	for (size_t i = 0; i < o->s.n_payload; i++) {
		part[i] = o->s.payload[i];
		crc = crc_update(m->spec.block_crc_type, crc, part[i]);
	}
	err = bundle_build_tail(&tail, &m->spec, crc);
	if (err != 0)
		return err;
	part[o->s.n_payload] = buf_view(&tail);
	m->r.tail_bytes = tail.len;
	m->r.size_bytes = head.len + m->r.payload_bytes + tail.len;
	s.head = buf_view(&head);
	return send_put(a, o, m, &s, id);
}

/* Stages head, payload and tail with their record, whose sizes are there. */
int send_put(struct agent *a, const struct own_bundle *o, struct making *m,
	const struct store_bundle *parts, uint64_t *id)
{
	uint8_t room[STORE_VALUE_MAX];
	struct buf value = buf_of(room, sizeof room);
	struct store_bundle s = *parts;

	send_uid(&m->spec, m->r.payload_bytes, m->r.uid);
	mark_fragment(m);
	record_encode(&value, &m->r);
	s.value = buf_view(&value);
	s.flags = send_flags(o, m);
	return *id ? store_seal(a->store, *id, &s) : store_put(a->store, &s, id);
}

unsigned send_flags(const struct own_bundle *o, const struct making *m)
{
	return (o->urgent ? STORE_URGENT : 0) | (o->piece_of ? STORE_PATIENT : 0) |
	       (m->spec.lifetime_ms > 3600000 ? STORE_LONG : 0);
}

void send_uid(const struct bundle_spec *spec, uint64_t payload_bytes, uint64_t uid[2])
{
	struct bundle b = {.source = spec->source,
		.created_ms = spec->created_ms,
		.seq = spec->seq,
		.flags = spec->flags,
		.frag_off = spec->frag_off,
		.payload = {.n = payload_bytes}};

	bundle_uid(&b, uid);
}

static uint64_t payload_size(const struct agent_send *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->n_payload; i++)
		n = u64_add_sat(n, s->payload[i].n);
	return n;
}
