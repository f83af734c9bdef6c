/*
 * duplicate: is this bundle known, and what is answered. Without custody it is decided by identity;
 * with custody by the custody pair (custodian, sequence, number) and never by identity alone,
 * because two nodes that hand a bundle back and forth would otherwise both be told "I have it" and
 * both release it (CCSDS 734.6, procedures):
 *
 *   same pair, accepted and durable      CCS{1} again, drop       (same pair, commit pending: drop)
 *   other pair, delivered here           CCS{1}, drop
 *   other pair, here and not released    new number of our own, commit, then CCS{1}
 *   other pair, released                 a new bundle; the hop count bounds a loop
 *
 * A pair is the same only with the same bundle under it: a counter of 16 bits comes round within a
 * lifetime, and a custodian may lose its count. What then comes under a number that we know is another
 * bundle, and nobody else may have it.
 *
 * The same holds where the tunnel has custody (owlt-bibe(7)), whose sender deletes his copy on our answer: a bundle
 * that was released here is a new one, and one that waits for another far end's answer is sent anew, so
 * that the old answer releases nothing.
 */
#include "dtn/agent/break.h"
#include "dtn/agent/state.h"

static bool asks_others(const struct agent *a, const struct arrival *in);
static bool gathered(struct agent *a, mono now, const struct arrival *in);
static bool by_identity(struct agent *a, mono now, const struct arrival *in);
static bool by_pair(struct agent *a, mono now, const struct arrival *in);
static void other_pair(struct agent *a, mono now, const struct arrival *in, struct bundle_entry *e);
static bool is_spent(const struct arrival *in);
static void sent_anew(struct agent *a, mono now, const struct arrival *in, struct bundle_entry *e);
static void redundant(struct agent *a, mono now, const struct arrival *in, uint64_t id);
static void redundant_tomb(
	struct agent *a, mono now, const struct arrival *in, const struct known *k);
static void told(struct agent *a, mono now, const struct arrival *in, uint64_t id, enum why why);
static bool pair_is_old(const struct agent *a, const struct pair *p);

bool duplicate_handled(struct agent *a, mono now, const struct arrival *in)
{
	if (in->is_local && gathered(a, now, in))
		return true;
	if (in->takes_custody)
		return by_pair(a, now, in);
	if (!in->is_local && asks_others(a, in) && !entry_by_uid(a, in->uid))
		return false; /* custody not taken here: a retransmission must pass */
	return by_identity(a, now, in);
}

/* Custody that somebody else may take; also by a block of the profile that is not read here. */
static bool asks_others(const struct agent *a, const struct arrival *in)
{
	const struct bundle *b = in->b;

	if (b->has_cteb)
		return b->cteb.custodian.node != a->self.node;
	for (unsigned profile = 0; profile < PROFILES; profile++)
		for (unsigned i = 0; i < b->n_blocks; i++) {
			struct cursor c = cursor_of(b->block[i].data);
			struct cteb t = {0};

			if (profile == in->profile ||
				b->block[i].type != a->codes[profile].cteb_type)
				continue;
			cteb_read(&c, &t);
			if (cursor_finish(&c) == 0)
				return true;
		}
	return false;
}

/* What a fragment brings may be here in other pieces, in the whole bundle, or delivered already. */
static bool gathered(struct agent *a, mono now, const struct arrival *in)
{
	uint64_t id;
	enum why why = reassemble_known(a, in, &id);
	struct bundle_entry *e;
	struct known *k = NULL;

	if (why == WHY_NONE && !(in->b->flags & BUNDLE_FRAGMENT))
		return false;
	if (why == WHY_NONE) {
		e = entry_by_uid(a, in->adu_uid);
		k = e ? NULL : known_tomb(a, in->adu_uid);
		why = e ? WHY_STORED : k ? WHY_TOMBSTONE : WHY_NONE;
		id = e ? entry_id(e) : k ? k->bundle_id : 0;
	}
	if (why == WHY_NONE)
		return false;
	told(a, now, in, id, why);
	if (k)
		redundant_tomb(a, now, in, k);
	else
		redundant(a, now, in, id);
	return true;
}

static bool by_identity(struct agent *a, mono now, const struct arrival *in)
{
	struct bundle_entry *e = entry_by_uid(a, in->uid);
	struct known *k = e ? NULL : known_tomb(a, in->uid);

	if (!e && (!k || (in->outer.id != 0 && k->kind != KNOWN_DELIVERED)))
		return false;
	if (e && is_spent(in)) {
		told(a, now, in, entry_id(e), WHY_HOP_LIMIT);
		answer_refused(a, now, in, WHY_HOP_LIMIT);
	} else if (e) {
		told(a, now, in, entry_id(e), WHY_STORED);
		sent_anew(a, now, in, e);
		redundant(a, now, in, entry_id(e));
	} else {
		told(a, now, in, k->bundle_id, WHY_TOMBSTONE);
		redundant_tomb(a, now, in, k);
	}
	return true;
}

/* It has gone round as often as it may: whoever brought it looks for another way, or they would go on for ever. */
static bool is_spent(const struct arrival *in)
{
	return in->outer.id != 0 && !in->is_local && in->b->has_hop &&
	       in->b->hop_count >= in->b->hop_limit;
}

/* A custodial tunnel's answer is awaited for it, and it comes back: whoever brought it may rely on us now. A
 * copy without such a promise is a loop only if it has come further than ours. */
static void sent_anew(struct agent *a, mono now, const struct arrival *in, struct bundle_entry *e)
{
	struct record r = entry_record(a, e);
	uint64_t hops = in->b->has_hop ? in->b->hop_count : 0;
	bool is_back = in->b->has_hop ? hops > r.hop_count : in->from != r.prev_node;

	if ((in->outer.id == 0 && !is_back) || !transmission_forget(a, e))
		return;
	r.prev_node = in->from;
	if (hops > r.hop_count)
		r.hop_count = hops; /* else it could go to and fro for ever */
	entry_save(a, e, &r);
	trace_point(a->trace, now, bundle_rerouted, entry_id(e), a->neighbour[e->neighbour].node,
		WHY_RETURNED);
	forward_entry(a, now, e, NODE_NONE);
}

/* In a custodial tunnel came what is here: that is answered as soon as it is durable. */
static void redundant(struct agent *a, mono now, const struct arrival *in, uint64_t id)
{
	const struct bundle_entry *e = entry_by_id(a, id);

	if (in->outer.id == 0 || !e)
		return;
	if (store_is_committed(a->store, id))
		answer_add(a, now, &in->outer, id, BIBE_REDUNDANT);
	else
		answer_promise(a, in, entry_is_durable(a, e) ? store_seq(a->store) : e->seq, id);
}

/* What was delivered here; an ADU that was given up will not come to be. */
static void redundant_tomb(
	struct agent *a, mono now, const struct arrival *in, const struct known *k)
{
	if (k->kind != KNOWN_DELIVERED)
		answer_add(a, now, &in->outer, k->bundle_id, BIBE_DEPLETED);
	else if (k->seq <= a->committed)
		answer_add(a, now, &in->outer, k->bundle_id, BIBE_REDUNDANT);
}

static bool by_pair(struct agent *a, mono now, const struct arrival *in)
{
	struct bundle_entry *e = entry_by_uid(a, in->uid);
	struct known *tomb = e ? NULL : known_tomb(a, in->uid), *pair = known_pair(a, &in->pair);

	bool is_old = !pair && pair_is_old(a, &in->pair);

	if (pair && pair->about != 0 && pair->about != in->pair.about)
		pair = NULL; /* its custodian gave the number again: it stands for this one now */
	if (BREAK_DUPLICATE_BY_ID && (e || tomb)) {
		told(a, now, in, e ? entry_id(e) : tomb->bundle_id, WHY_STORED);
		signal_add(a, now, &in->pair, true, e ? entry_id(e) : tomb->bundle_id);
		return true;
	}
	if (pair) {
		told(a, now, in, pair->bundle_id, WHY_CUSTODY_PAIR);
		if (pair->seq <= a->committed) {
			signal_add(a, now, &in->pair, true, pair->bundle_id);
			answer_add(a, now, &in->outer, pair->bundle_id, BIBE_REDUNDANT);
		} else {
			redundant(a, now, in, pair->bundle_id);
		}
		return true;
	}
	if (is_old) {
		uint64_t id = e ? entry_id(e) : tomb ? tomb->bundle_id : 0;

		told(a, now, in, id, WHY_CUSTODY_PAIR);
		signal_add(a, now, &in->pair, true, id);
		return true;
	}
	if (tomb && tomb->kind == KNOWN_DELIVERED) {
		told(a, now, in, tomb->bundle_id, WHY_TOMBSTONE);
		if (tomb->seq <= a->committed)
			signal_add(a, now, &in->pair, true, tomb->bundle_id);
		redundant_tomb(a, now, in, tomb);
		return true;
	}
	if (!e)
		return false;
	other_pair(a, now, in, e);
	return true;
}

/* It came back, or by another way, under another pair, and we hold it: we become its custodian once
 * more under a new number of our own, so that signals for the old one release nothing. */
static void other_pair(struct agent *a, mono now, const struct arrival *in, struct bundle_entry *e)
{
	struct record r = entry_record(a, e);
	struct own_pair own;
	uint64_t seq = 0;
	struct promise *p;
	struct known *k;

	told(a, now, in, entry_id(e), WHY_CUSTODY_RETURNED);
	if (e->state == ENTRY_ACKED || !promise_room(a))
		return; /* an acknowledgement is being committed; the custodian will ask again */
	if (!(e->flags & E_LOCAL)) {
		if (!BREAK_NUMBER_KEPT && custody_begin(a, &r, &seq) != 0)
			return;
		r.prev_node = in->from;
		r.sent_bytes = 0; /* custody is of all of it: pieces that left count no more */
		if (in->b->has_hop && in->b->hop_count > r.hop_count)
			r.hop_count = in->b->hop_count; /* else it could go to and fro for ever */
		entry_set_custody(a, e, custody_own(&r, &own) ? &own : NULL);
		entry_save(a, e, &r);
		entry_set_due(a, e, MONO_NEVER);
		entry_set_state(a, e, ENTRY_STAGED);
	}
	k = custody_remember(a, &in->pair, entry_id(e), e->expiry);
	if (k->seq < seq)
		k->seq = seq;
	if (!(e->flags & E_LOCAL))
		e->seq = k->seq;
	p = promise_add(a, PROMISE_PAIR, k->seq, entry_id(e));
	p->has_pair = true;
	p->pair = in->pair;
	p->has_outer = in->outer.id != 0;
	p->outer = in->outer;
	if (BREAK_SPEAK_EARLY)
		signal_add(a, now, &in->pair, true, entry_id(e));
}

static void told(struct agent *a, mono now, const struct arrival *in, uint64_t id, enum why why)
{
	trace_point(a->trace, now, bundle_duplicate, id, in->link, why);
}

/* Accepted so many pairs ago that it has no row of its own any more. */
static bool pair_is_old(const struct agent *a, const struct pair *p)
{
	uint64_t key[4];

	pair_key(p, key);
	return pairmap_has(a, key, p->about);
}
