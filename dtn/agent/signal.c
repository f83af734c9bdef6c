/*
 * signal: compressed custody signals, out and in. Out: what is accepted or refused is gathered per
 * custodian (gather.c) and sent in the profile in which the pair came, signed where that custodian
 * has a key. A signal is an ordinary bundle without custody; a lost one is repaired by the
 * retransmission of the data (CCSDS 734.6, addressing).
 *
 * In, of either profile: only pairs that we gave and sent count. From a node with a key only a signed
 * signal is believed, and what was sent towards a custodian with a key is released by signed signals
 * only, whoever they come from; else that we sent the pair is all we know. A signal may claim
 * [1, 2^60): we walk the smaller of its range and our own pairs. What a walk does not find counts against a
 * budget that grows with time, beyond a little that each signal has: whoever sends one datagram after the
 * other costs us no more than that. Start reading at signal_receive().
 */
#include "dtn/agent/break.h"
#include "dtn/agent/state.h"

#define KIND_ACCEPTED 0u
#define KIND_REFUSED 1u
#define LOOK_UPS_MIN                                                                               \
	1024u /* of a signal, in vain: more than gathers in one (custody.signal_count) */
#define LOOK_UPS_PER_S 262144

/* A signal being read. */
struct hearing {
	struct agent *a;
	mono now;
	const struct arrival *in;
	uint64_t left;            /* look-ups that are its own */
	uint64_t n[2], n_unknown; /* refused, accepted; numbers that are none of ours */
	uint64_t n_doubted;       /* ours, but this signal is not believed about them */
	dtntime made;             /* the signal itself, by its source's clock */
};

static gather_send send_signal;
static bool is_reachable(const struct agent *a, mono now, const struct eid *to);
static bool signal_read(
	struct agent *a, mono now, uint64_t id, const struct arrival *in, unsigned profile);
static void sequence_apply(struct hearing *h, const struct ccs_sequence *s);
static bool budget_take(struct hearing *h, uint64_t n);
static bool sequence_has(const struct ccs_sequence *s, const struct own_pair *p);
static bool entry_answered(struct hearing *h, struct bundle_entry *e, bool accepted);
static dtntime made_ms(const struct agent *a, mono now, const struct arrival *in);
static bool is_older(const struct hearing *h, const struct bundle_entry *e);

int signal_init(struct agent *a)
{
	a->look_ups = a->cfg.max_bundles + LOOK_UPS_PER_S;
	return gather_init(&a->signals, send_signal, a->cfg.signal_count);
}

/* When its list is full and can't be sent (a full store), it is dropped: the custodian asks again. */
void signal_add(struct agent *a, mono now, const struct pair *p, bool accepted, uint64_t id)
{
	struct gather_key key = {
		.to = p->custodian, .about = p->custodian, .profile = p->profile, .via = p->via};
	struct gather_item item = {.kind = accepted ? KIND_ACCEPTED : KIND_REFUSED,
		.seq_id = p->seq_id,
		.seq_no = p->seq_no,
		.id = id,
		.dest = p->dest};

	if (!gather_has_room(a, now, &a->signals, &key))
		return;
	trace_point(a->trace, now, custody_signalled, id, p->custodian.node, accepted, p->seq_id,
		p->seq_no);
	if (accepted)
		custodian_find(a, p->custodian.node)->n_taken++;
	gather_add(a, now, &a->signals, &key, &item);
}

bool signal_receive(struct agent *a, mono now, uint64_t id, const struct arrival *in)
{
	struct cursor c;
	uint64_t type;

	if (admin_open(in->b->payload, &type, &c) != 0)
		return false;
	for (unsigned profile = 0; profile < PROFILES; profile++)
		if (type == a->codes[profile].ccs_type)
			return signal_read(a, now, id, in, profile);
	return false;
}

/* -- out */

static int send_signal(struct agent *a, mono now, const struct gather_list *l,
	const struct gather_sequence *s, size_t n, size_t n_items)
{
	struct ccs_sequence out[CCS_SEQUENCES_MAX];
	uint8_t room[16384];
	struct buf record = buf_of(room, sizeof room);
	uint64_t id, n_accepted = 0;
	struct own_bundle o = {.s = {.dest = eid_kept(&l->key.to),
				       .priority = PRIORITY_EXPEDITED,
				       .is_signal = true},
		.urgent = true};
	int err;

	if (!is_reachable(a, now, &o.s.dest)) {
		custodian_find(a, l->key.to.node)->declined[WHY_NO_ROUTE] += (uint32_t)n_items;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = (struct ccs_sequence){.accepted = s[i].kind == KIND_ACCEPTED,
			.seq_id = s[i].seq_id,
			.dest = s[i].dest,
			.numbers = s[i].numbers};
	ccs_write(&record, &a->codes[l->key.profile], out, n);
	err = send_record(a, now, &o, &record, &id);
	if (err != 0)
		return err;
	for (size_t i = 0; i < n_items; i++)
		n_accepted += l->item[i].kind == KIND_ACCEPTED;
	custodian_find(a, l->key.to.node)->n_signals_tx++;
	trace_point(a->trace, now, custody_signal_tx, id, l->key.to.node, n_accepted,
		n_items - n_accepted);
	return 0;
}

/* A custodian whom no way leads to, now or ever, is not told: who makes us take custody in many invented
 * names does not fill the room that is kept for signals. */
static bool is_reachable(const struct agent *a, mono now, const struct eid *to)
{
	struct route *r = a->deps.route;
	struct route_query q = {.from = a->self.node,
		.to = to->node,
		.at = now - a->deps.plan_zero,
		.expiry = MONO_NEVER,
		.priority = PRIORITY_EXPEDITED};
	struct route_choice way;

	return r->ops->find(r, &q, &way) != -E_NO_ROUTE || bibe_reaches(a, to);
}

/* -- in */

static bool signal_read(
	struct agent *a, mono now, uint64_t id, const struct arrival *in, unsigned profile)
{
	const struct bundle *b = in->b;
	struct custodian *from = custodian_find(a, b->source.node);
	struct hearing h = {
		.a = a, .now = now, .in = in, .made = made_ms(a, now, in), .left = LOOK_UPS_MIN};
	enum why why = signal_doubt(in, from);
	struct range runs[CCS_RUNS_MAX];
	struct ccs_sequence s = {.numbers = ranges_of(runs, CCS_RUNS_MAX)};
	struct ccs_reader reader;
	uint64_t n = 0;

	/* Read it whole before any of it is believed. */
	if (ccs_open(&reader, b->payload, &a->codes[profile]) != 0)
		return false;
	while (ccs_next(&reader, &s)) {
		n = u64_add_sat(n, ranges_count(&s.numbers));
		s.numbers = ranges_of(runs, CCS_RUNS_MAX);
	}
	if (!cursor_ok(&reader.c))
		return false;
	from->n_signals_rx++;
	if (why == WHY_NONE && ccs_open(&reader, b->payload, &a->codes[profile]) == 0)
		while (s.numbers = ranges_of(runs, CCS_RUNS_MAX), ccs_next(&reader, &s))
			sequence_apply(&h, &s);
	if (why == WHY_NONE && h.n_doubted > 0)
		why = WHY_SIGNAL_UNSIGNED;
	if (why != WHY_NONE) {
		from->n_not_believed++;
		trace_point(a->trace, now, custody_signal_refused, id, b->source.node, why,
			h.n_doubted ? h.n_doubted : n);
	}
	if (why == WHY_NONE || h.n_doubted > 0)
		trace_point(a->trace, now, custody_signal_rx, id, b->source.node, h.n[1], h.n[0],
			h.n_unknown);
	return true;
}

/* A signal of somebody whose key we know says nothing without his signature. */
enum why signal_doubt(const struct arrival *in, const struct custodian *c)
{
	if (!c->key || in->is_signed == SIGNED_ALL || BREAK_UNSIGNED_RELEASES)
		return WHY_NONE;
	return in->is_signed || bundle_block(in->b, BLOCK_BIB) ? WHY_SIGNAL_FORGED
							       : WHY_SIGNAL_UNSIGNED;
}

static void sequence_apply(struct hearing *h, const struct ccs_sequence *s)
{
	struct agent *a = h->a;
	uint64_t all = ranges_count(&s->numbers), known = 0, doubted = h->n_doubted;
	bool by_number = all <= a->by_pair.n;

	if (!budget_take(h, by_number ? all : a->by_pair.n)) { /* its custodian is asked again */
		h->n_unknown = u64_add_sat(h->n_unknown, all);
		return;
	}
	if (by_number) {
		for (size_t i = 0; i < s->numbers.n; i++)
			for (uint64_t v = s->numbers.run[i].from; v < s->numbers.run[i].to; v++) {
				struct bundle_entry *e = entry_by_pair(
					a, &(struct own_pair){s->seq_id, v, s->dest.scheme,
						   s->dest.service, s->dest.node});

				known += e && entry_answered(h, e, s->accepted);
			}
	} else {
		struct hash_node *at = hash_next(&a->by_pair, NULL), *next;

		for (; at; at = next) {
			struct bundle_entry *e = container_of(at, struct bundle_entry, by_pair);
			struct record r = entry_record(a, e);
			struct own_pair p;

			next = hash_next(&a->by_pair, at);
			if (custody_own(&r, &p) && sequence_has(s, &p))
				known += entry_answered(h, e, s->accepted);
		}
	}
	h->n[s->accepted] += known - (h->n_doubted - doubted);
	h->n_unknown = u64_add_sat(h->n_unknown, all - known);
	if (s->accepted) /* these are gone: nobody can name them twice */
		a->look_ups += known - (h->n_doubted - doubted);
}

/* Look-ups: first those that the signal has by itself, then of those that all share. */
static bool budget_take(struct hearing *h, uint64_t n)
{
	struct agent *a = h->a;
	uint64_t most = a->cfg.max_bundles + LOOK_UPS_PER_S, own = n < h->left ? n : h->left;
	uint64_t more = (uint64_t)muldiv_i64(h->now - a->looked_at, LOOK_UPS_PER_S, US_PER_S);

	if (more > 0) {
		a->look_ups = u64_add_sat(a->look_ups, more);
		a->looked_at = h->now;
	}
	a->look_ups = a->look_ups < most ? a->look_ups : most;
	if (n - own > a->look_ups)
		return false;
	h->left -= own;
	a->look_ups -= n - own;
	return true;
}

static bool sequence_has(const struct ccs_sequence *s, const struct own_pair *p)
{
	return p->seq_id == s->seq_id && ranges_has(&s->numbers, p->seq_no) &&
	       (p->seq_id != 0 ||
		       (p->dest_scheme == s->dest.scheme && p->dest_node == s->dest.node &&
			       p->dest_service == s->dest.service));
}

/* The pair is one of ours; was it ever sent, and may this signal speak of it? A link may tell later than the
 * next custodian that it is there. */
static bool entry_answered(struct hearing *h, struct bundle_entry *e, bool accepted)
{
	bool is_out = e->state == ENTRY_SENDING, has_key = e->custody & C_SIGNED;

	if (!(e->flags & E_SENT || is_out) || is_older(h, e))
		return false;
	if (is_out && custodian_find(h->a, h->a->neighbour[e->neighbour].node)->key)
		has_key = true;
	if (has_key && h->in->is_signed != SIGNED_ALL && !BREAK_UNSIGNED_RELEASES) {
		h->n_doubted++;
		return true;
	}
	custody_answer(h->a, h->now, e, accepted, h->in->b->source.node);
	return true;
}

static dtntime made_ms(const struct agent *a, mono now, const struct arrival *in)
{
	dtntime clock = agent_dtn(a, now);

	if (in->b->created_ms != 0)
		return in->b->created_ms;
	return clock > in->age_ms ? clock - in->age_ms : 0;
}

/* Where numbers come again (custody.counter_bits), a signal for the earlier bundle of this number may
 * still be on its way: what was said before the bundle came here is not about it. A source whose clock
 * is behind is asked again by the retransmission, until its clock is past that moment. */
static bool is_older(const struct hearing *h, const struct bundle_entry *e)
{
	const struct agent *a = h->a;
	dtntime came;

	if (custody_number_max(a) == UINT64_MAX || !a->deps.clock_is_accurate)
		return false;
	came = entry_record(a, e).received_ms;
	return h->made < came && came <= agent_dtn(a, h->now); /* else our clock was set back */
}
