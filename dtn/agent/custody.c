/*
 * custody: what a custodian does (CCSDS 734.6, procedures). A bundle in our custody gets a pair of our own
 * (sequence identifier, number), which is never used for another one, also not after a crash: a
 * reused one would let an old signal release a new bundle. HELD is ENTRY_QUEUED or ENTRY_WAITING
 * with E_CUSTODY, and:
 *
 *   HELD --sent--> AWAIT --CCS{1}--> released (tombstone)
 *     ^              |---timer-----> HELD, same pair
 *     |              `--CCS{-1}----> HELD, another way; none: after the interval
 *
 * Where the pair comes from is the next custodian's setting (owlt-custody(7)). By destination and
 * fixed it is there when custody is accepted, durable with the bundle; by contact it is given with
 * the first transmission. A pair that was given so late need not be durable: its identifier never
 * comes again, so after a crash the bundle is HELD under its older pair, or none, and a signal for
 * the late one is unknown. Each of its pairs stands for this bundle only, until the bundle comes back
 * to us: then the old pair is durably gone before we accept (duplicate.c).
 *
 * The timer is the earliest moment at which a signal can be here: end of transmission, light time,
 * the next custodian's aggregation, the earliest way back by the plan, a margin. Time in which the
 * way is closed does not count, because the way back is over the plan.
 */
#include "dtn/agent/break.h"
#include "bundle/block.h"
#include "dtn/agent/state.h"

/* Counters of destinations: a fixed number of them, found by a hash that never changes. Two
 * destinations that share one leave gaps in their numbers, which is all. */
#define DESTINATION_COUNTERS 4096u
#define REFUSALS_MAX 2u /* ways tried in one interval */
#define SKIPS_MAX 1024u /* numbers in use that are passed over for one bundle */

static int number(struct agent *a, unsigned sequence, struct record *r, uint64_t *seq);
static int number_of_contact(struct agent *a, struct neighbour *n, struct record *r);
static bool fits(unsigned sequence, const struct record *r);
static void number_again(struct agent *a, struct bundle_entry *e);
static bool is_spent(const struct agent *a, const struct bundle_entry *e);
static mono signal_expected(
	const struct agent *a, const struct bundle_entry *e, const struct agent_sent *s);
static bool is_secured(const struct agent *a, const struct arrival *in);
static bool listed(const struct custody_list *l, const struct eid *e);

/* Not of fragments (D.2), not under our own pair, not from a custodian that can't be addressed, not under a
 * number that no range holds (ranges end before 2^64), and not where a security block speaks of the custody
 * block: with another custodian in it the bundle would be refused by whoever has the key. */
enum why custody_accepts(const struct agent *a, const struct arrival *in, struct pair *p)
{
	const struct bundle *b = in->b;
	uint64_t uid[2] = {in->uid[0], in->uid[1]};

	if (!b->has_cteb || b->flags & BUNDLE_FRAGMENT || b->cteb.custodian.node == a->self.node ||
		b->cteb.seq_no == UINT64_MAX || is_secured(a, in))
		return WHY_OTHER;
	if (eid_is_null(&b->source)) /* it has another one each time it comes, arrival_uid() */
		bundle_uid(b, uid);
	*p = (struct pair){.seq_id = b->cteb.seq_id,
		.seq_no = b->cteb.seq_no,
		.profile = in->profile,
		.via = in->from,
		.about = uid[0]};
	if (!eid_keep(&p->custodian, &b->cteb.custodian) ||
		(p->seq_id == 0 && !eid_keep(&p->dest, &b->dest)))
		return WHY_OTHER;
	if (!a->cfg.custody_accept || !custodian_find(a, in->from)->accept)
		return WHY_CUSTODY_OFF;
	if (!listed(&a->custody_from, &b->cteb.custodian))
		return WHY_CUSTODIAN_POLICY;
	return listed(&a->custody_sources, &b->source) ? WHY_NONE : WHY_SOURCE_POLICY;
}

void custody_declined(struct agent *a, mono now, const struct pair *p, enum why why)
{
	struct custodian *c = custodian_find(a, p->custodian.node);

	c->declined[why]++;
	trace_point(a->trace, now, custody_declined, p->custodian.node, p->seq_id, p->seq_no, why);
}

/* On resources: the custodian still has it, and may try another way. */
void custody_refuse(struct agent *a, mono now, const struct pair *p, uint64_t id, enum why why)
{
	custody_declined(a, now, p, why);
	signal_add(a, now, p, false, id);
}

bool custody_requested(const struct agent *a, const struct eid *dest)
{
	return a->custody_request.n > 0 && listed(&a->custody_request, dest);
}

int custody_begin(struct agent *a, struct record *r, uint64_t *seq)
{
	unsigned sequence = a->custodian[0].sequence;

	r->flags |= RECORD_CUSTODY;
	*seq = 0;
	if (sequence != SEQUENCE_CONTACT) {
		r->flags &= ~(uint64_t)RECORD_UNPAIRED;
		return number(a, sequence, r, seq);
	}
	r->flags |= RECORD_UNPAIRED;
	r->own_seq_id = r->own_seq_no = 0;
	return 0;
}

bool custody_own(const struct record *r, struct own_pair *p)
{
	if (!(r->flags & RECORD_CUSTODY) || r->flags & RECORD_UNPAIRED)
		return false;
	*p = (struct own_pair){.seq_id = r->own_seq_id, .seq_no = r->own_seq_no};
	if (p->seq_id == 0) {
		p->dest_scheme = r->dest_scheme;
		p->dest_node = r->dest_node;
		p->dest_service = r->dest_service;
	}
	return true;
}

int custody_bind(struct agent *a, mono now, struct bundle_entry *e, struct record *r)
{
	struct neighbour *n = &a->neighbour[e->neighbour];
	unsigned sequence = custodian_find(a, n->node)->sequence;
	struct own_pair p;
	uint64_t seq = 0;
	int err;

	if (e->custody & C_PAIR && fits(sequence, r))
		return 0;
	err = sequence == SEQUENCE_CONTACT ? number_of_contact(a, n, r)
					   : number(a, sequence, r, &seq);
	if (err != 0 || seq != 0)
		return -E_AGAIN; /* the next number is durable with the batch being staged */
	r->flags &= ~(uint64_t)RECORD_UNPAIRED;
	(void)custody_own(r, &p);
	entry_set_custody(a, e, &p);
	entry_save(a, e, r);
	trace_point(a->trace, now, custody_paired, entry_id(e), n->node, p.seq_id, p.seq_no);
	return 0;
}

/* An accepted pair is known until the bundle expires, as a row of the batch being staged. */
struct known *custody_remember(struct agent *a, const struct pair *p, uint64_t id, mono expiry)
{
	uint64_t key[4];
	struct known *k;

	pair_key(p, key);
	k = known_add(a, KNOWN_PAIR, key, expiry);
	k->bundle_id = id;
	k->about = p->about;
	known_write(a, k);
	return k;
}

/* HELD -> AWAIT */
void custody_sent(struct agent *a, mono now, struct bundle_entry *e, const struct agent_sent *s)
{
	node_id next = a->neighbour[e->neighbour].node;

	if (e->n_sent < UINT16_MAX)
		e->n_sent++;
	e->flags |= E_SENT;
	e->custody = (uint8_t)(custodian_find(a, next)->key ? e->custody | C_SIGNED
							    : e->custody & ~C_SIGNED);
	entry_set_state(a, e, ENTRY_AWAIT);
	if (is_spent(a, e))
		entry_set_due(a, e, MONO_NEVER); /* held until it expires or a signal comes */
	else
		entry_set_due(a, e, signal_expected(a, e, s));
	trace_point(a->trace, now, custody_timer, entry_id(e), next, e->n_sent, (uint64_t)e->due);
}

/* The timer ran out, or the interval after a refusal is over: AWAIT or WAITING -> HELD, same
 * pair. */
void custody_due(struct agent *a, mono now, struct bundle_entry *e)
{
	enum why why = e->state == ENTRY_AWAIT ? WHY_SIGNAL_LATE : WHY_SIGNAL_REFUSED;
	node_id last = e->neighbour == NO_NEIGHBOUR ? NODE_NONE : a->neighbour[e->neighbour].node;

	entry_set_due(a, e, MONO_NEVER);
	if (e->state != ENTRY_AWAIT && e->state != ENTRY_WAITING)
		return;
	e->custody &= (uint8_t)~C_REFUSALS;
	if (e->flags & E_SENT)
		trace_point(a->trace, now, custody_retx, entry_id(e), last, e->n_sent, why);
	if (BREAK_NUMBER_UNSAVED)
		number_again(a, e);
	forward_entry(a, now, e, NODE_NONE);
}

/* A signal speaks of our pair. */
void custody_answer(struct agent *a, mono now, struct bundle_entry *e, bool accepted, node_id by)
{
	struct record r = entry_record(a, e);
	node_id last;

	if (accepted) {
		trace_point(a->trace, now, custody_released, entry_id(e), by, r.own_seq_id,
			r.own_seq_no);
		release_entry(a, now, e, WHY_CUSTODY_PASSED);
		return;
	}
	trace_point(a->trace, now, custody_refused, entry_id(e), by, r.own_seq_id, r.own_seq_no);
	if (e->state != ENTRY_AWAIT)
		return; /* already on its way again */
	if (is_spent(a, e)) {
		entry_set_due(a, e, MONO_NEVER);
		return;
	}
	last = a->neighbour[e->neighbour].node; /* `by` may be beyond it */
	custody_elsewhere(a, now, e, last);
}

void custody_elsewhere(struct agent *a, mono now, struct bundle_entry *e, node_id last)
{
	if ((e->custody & C_REFUSALS) != C_REFUSALS) /* pieces are refused one by one */
		e->custody = (uint8_t)(e->custody + C_REFUSED_ONE);
	if ((e->custody & C_REFUSALS) >= REFUSALS_MAX * C_REFUSED_ONE)
		forward_wait(
			a, now, e, WHY_SIGNAL_REFUSED); /* both ways are full: not to and fro */
	else
		forward_entry(a, now, e, last);
	if (e->state == ENTRY_WAITING)
		entry_set_due(a, e, mono_add(now, a->cfg.custody_interval_us));
}

/* -- numbers */

/* RFC 9171 knows none of this: CCSDS 734.6, sequences. *seq: the batch that must be durable before the number
 * is used. */
static int number(struct agent *a, unsigned sequence, struct record *r, uint64_t *seq)
{
	const uint64_t dest[3] = {r->dest_scheme, r->dest_node, r->dest_service};
	uint64_t mask = custody_number_max(a), counter = COUNTER_CUSTODY, n;
	unsigned n_skipped = 0;
	struct own_pair p;
	int err;

	r->own_seq_id = a->cfg.custody_seq_id;
	if (sequence == SEQUENCE_DESTINATION) {
		r->own_seq_id = 0;
		counter = COUNTER_DESTINATION +
			  hash_u64s((struct hash_key){1, 2}, dest, 3) % DESTINATION_COUNTERS;
	}
	if (BREAK_NUMBERS_REPEAT) {
		r->own_seq_no = a->custody_break++;
		return 0;
	}
	do { /* never one that is in use; where too many are, custody is refused for now */
		if (n_skipped++ == SKIPS_MAX)
			return -E_FULL;
		err = store_reserve(a->store, counter, 1, &n, seq);
		r->own_seq_no = (n - 1) & mask;
		p = (struct own_pair){r->own_seq_id, r->own_seq_no, r->dest_scheme, r->dest_service,
			r->dest_node};
	} while (err == 0 && mask != UINT64_MAX && entry_by_pair(a, &p));
	return err;
}

/* Identifiers are durable before they are used and never come again, so the numbers may live in
 * memory. */
static int number_of_contact(struct agent *a, struct neighbour *n, struct record *r)
{
	uint64_t id, seq = 0;
	int err = 0;

	if (n->seq_id == 0 || n->next_no > custody_number_max(a)) {
		if (BREAK_CONTACTS_REPEAT)
			id = ++a->custody_break;
		else
			err = store_reserve(a->store, COUNTER_CONTACT, 1, &id, &seq);
		if (err != 0 || seq != 0)
			return -E_AGAIN;
		n->seq_id = CUSTODY_FIXED_MAX + id;
		n->next_no = 0;
	}
	r->own_seq_id = n->seq_id;
	r->own_seq_no = n->next_no++;
	return 0;
}

uint64_t custody_number_max(const struct agent *a)
{
	return a->cfg.custody_counter == COUNTER_16   ? UINT16_MAX
	       : a->cfg.custody_counter == COUNTER_32 ? UINT32_MAX
						      : UINT64_MAX;
}

/* Is the pair of the kind that this sequence gives? One of an earlier contact stays good. */
static bool fits(unsigned sequence, const struct record *r)
{
	switch (sequence) {
	case SEQUENCE_DESTINATION:
		return r->own_seq_id == 0;
	case SEQUENCE_CONTACT:
		return r->own_seq_id > CUSTODY_FIXED_MAX;
	default:
		return r->own_seq_id != 0 && r->own_seq_id <= CUSTODY_FIXED_MAX;
	}
}

/* break.h 7 only. */
static void number_again(struct agent *a, struct bundle_entry *e)
{
	struct record r = entry_record(a, e);
	struct own_pair p;
	uint64_t seq;

	if (custody_begin(a, &r, &seq) != 0)
		return;
	entry_set_custody(a, e, custody_own(&r, &p) ? &p : NULL);
	entry_save(a, e, &r);
}

/* -- small helpers */

static bool is_spent(const struct agent *a, const struct bundle_entry *e)
{
	return a->cfg.custody_max_sends != 0 && e->n_sent >= a->cfg.custody_max_sends;
}

/* Who takes custody next is the neighbour, or beyond one that only passes it on, the destination. */
static mono signal_expected(
	const struct agent *a, const struct bundle_entry *e, const struct agent_sent *s)
{
	node_id next = a->neighbour[e->neighbour].node;
	mono there = mono_add(s->tx_end, s->owlt_us);

	if (custodian_find(a, next)->passes) {
		node_id dest = entry_record(a, e).dest_node;

		if (dest != next)
			there = route_earliest(a, next, dest, there);
		next = dest;
	}
	return custody_expected(a, next, there, s->tx_end);
}

mono custody_expected(const struct agent *a, node_id far, mono there, mono sent)
{
	mono back = MONO_NEVER;

	if (there != MONO_NEVER)
		back = route_earliest(
			a, far, a->self.node, mono_add(there, a->cfg.signal_delay_us));
	if (back == MONO_NEVER)
		return mono_add(sent, a->cfg.custody_interval_us);
	return mono_add(back, a->cfg.custody_margin_us);
}

static bool is_secured(const struct agent *a, const struct arrival *in)
{
	const struct block *k = bundle_block(in->b, a->codes[in->profile].cteb_type);

	return k && !in->is_local &&
	       (block_is_target(in->b, BLOCK_BIB, k->number) ||
		       block_is_target(in->b, BLOCK_BCB, k->number));
}

static bool listed(const struct custody_list *l, const struct eid *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (eid_pattern_has(&l->pattern[i], e))
			return true;
	return l->n == 0;
}
