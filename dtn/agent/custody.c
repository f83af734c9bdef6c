/*
 * custody: what a custodian does (custody.md D.7). A bundle in our custody has a number of our own
 * from the store's reserved counter, so a number is never used twice, also not after a crash: a
 * reused one would let an old signal release a new bundle. HELD is ENTRY_QUEUED or ENTRY_WAITING
 * with E_CUSTODY, and:
 *
 *   HELD --sent--> AWAIT --CCS{1}--> released (tombstone)
 *     ^              |---timer-----> HELD, same number
 *     |              `--CCS{-1}----> HELD, another way; none: after the interval
 *
 * The timer is the earliest moment at which a signal can be here: end of transmission, light time,
 * the next custodian's aggregation, the earliest way back by the plan, a margin. Time in which the
 * way is closed does not count, because the way back is over the plan.
 */
#include "dtn/agent/break.h"
#include "dtn/agent/state.h"

static void number_again(struct agent *a, struct bundle_entry *e);
static mono signal_expected(
	const struct agent *a, const struct bundle_entry *e, const struct agent_sent *s);

/* A number of our own; *seq: the batch that must be durable before it is used (0: it is). */
int custody_number(struct agent *a, uint64_t *seq_no, uint64_t *seq)
{
	*seq = 0;
	if (BREAK_NUMBERS_REPEAT) {
		*seq_no = a->custody_break++;
		return 0;
	}
	return store_reserve(a->store, COUNTER_CUSTODY, 1, seq_no, seq);
}

/* The pair of a bundle that asks for custody; false when it does not, or we can't: fragments (D.2),
 * our own pair, a custodian that can't be addressed. */
bool custody_pair(const struct agent *a, const struct bundle *b, struct pair *p)
{
	if (!b->has_cteb || b->flags & BUNDLE_FRAGMENT || b->cteb.custodian.node == a->self.node)
		return false;
	*p = (struct pair){.seq_id = b->cteb.seq_id, .seq_no = b->cteb.seq_no};
	return eid_keep(&p->custodian, &b->cteb.custodian) &&
	       (p->seq_id != 0 || eid_keep(&p->dest, &b->dest));
}

/* An accepted pair is known until the bundle expires, as a row of the batch being staged. */
struct known *custody_remember(struct agent *a, const struct pair *p, uint64_t id, mono expiry)
{
	uint64_t key[4];
	struct known *k;

	pair_key(p, key);
	k = known_add(a, KNOWN_PAIR, key, expiry);
	k->bundle_id = id;
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
	entry_set_state(a, e, ENTRY_AWAIT);
	if (a->cfg.custody_max_sends != 0 && e->n_sent >= a->cfg.custody_max_sends)
		entry_set_due(a, e, MONO_NEVER); /* held until it expires or a signal comes */
	else
		entry_set_due(a, e, signal_expected(a, e, s));
	trace_point(a->trace, now, custody_timer, entry_id(e), next, e->n_sent, (uint64_t)e->due);
}

/* The timer ran out, or the interval after a refusal is over: AWAIT or WAITING -> HELD, same
 * number. */
void custody_due(struct agent *a, mono now, struct bundle_entry *e)
{
	enum why why = e->state == ENTRY_AWAIT ? WHY_SIGNAL_LATE : WHY_SIGNAL_REFUSED;
	node_id last = e->neighbour == NO_NEIGHBOUR ? NODE_NONE : a->neighbour[e->neighbour].node;

	entry_set_due(a, e, MONO_NEVER);
	if (e->state != ENTRY_AWAIT && e->state != ENTRY_WAITING)
		return;
	if (e->flags & E_SENT)
		trace_point(a->trace, now, custody_retx, entry_id(e), last, e->n_sent, why);
	if (BREAK_NUMBER_UNSAVED)
		number_again(a, e);
	forward_entry(a, now, e, NODE_NONE);
}

/* break.h 7 only. */
static void number_again(struct agent *a, struct bundle_entry *e)
{
	struct record r = entry_record(a, e);
	uint64_t seq;

	if (custody_number(a, &r.own_seq_no, &seq) != 0)
		return;
	entry_set_pair(a, e, r.own_seq_no);
	entry_save(a, e, &r);
}

/* A signal speaks of our pair. */
void custody_answer(struct agent *a, mono now, struct bundle_entry *e, bool accepted, node_id by)
{
	struct record r = entry_record(a, e);

	if (accepted) {
		trace_point(a->trace, now, custody_released, entry_id(e), by, r.own_seq_id,
			r.own_seq_no);
		release_entry(a, now, e, WHY_CUSTODY_PASSED);
		return;
	}
	trace_point(a->trace, now, custody_refused, entry_id(e), by, r.own_seq_id, r.own_seq_no);
	if (e->state != ENTRY_AWAIT)
		return; /* already on its way again */
	forward_entry(a, now, e, by);
	if (e->state == ENTRY_WAITING)
		entry_set_due(a, e, mono_add(now, a->cfg.custody_interval_us));
}

static mono signal_expected(
	const struct agent *a, const struct bundle_entry *e, const struct agent_sent *s)
{
	node_id next = a->neighbour[e->neighbour].node;
	mono there = mono_add(mono_add(s->tx_end, s->owlt_us), a->cfg.signal_delay_us);
	mono back = route_earliest(a, next, a->self.node, there);

	if (back == MONO_NEVER)
		return mono_add(s->tx_end, a->cfg.custody_interval_us);
	return mono_add(back, a->cfg.custody_margin_us);
}
