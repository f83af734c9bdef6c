/*
 * admit: what a well-formed bundle from outside may be. Refused are, each with its word and reason:
 * what nobody can deliver (the null endpoint, group endpoints, unknown schemes: RFC 9171 5.4-2,
 * reason 5), LocalNode in a field that would have to leave again (RFC 9758 5.4), private-use node
 * numbers at the border of a domain (RFC 9758 5.5), and abuse: too many blocks, a creation time in
 * the future, a source that brings more than its rate or fills more than its share of the store.
 *
 * The previous custodian is told CCS{-1} and may try another way; not of a source beyond its rate,
 * where each answer would feed the flood: there its timer repeats. Nothing here allocates.
 *
 * Nodes that are full of bundles for each other must not refuse each other for ever. So the last
 * part of the store is cut into HOP_STEPS steps, and a bundle may use as many of them as it has hops
 * behind it, all if it ends here. Above step k a node then holds bundles that have come further than
 * k: of all bundles that wait, the one that has come furthest always finds room at the next node
 * (the structured buffer pool of packet networks).
 * Start reading at admit().
 */
#include "dtn/agent/state.h"

#define HOP_STEPS 7u
#define HOP_STEP_BYTES (128u << 10) /* at least, for one large bundle */

static bool urgent_room(const struct agent *a, uint64_t bytes);

/* RFC 9171 4.2.5.1.1/d2, 5.4-2, 5.4.1-1, 5.4.1-2 */
enum why admit(struct agent *a, mono now, const struct arrival *in)
{
	const struct bundle *b = in->b;

	if (!a->is_importing && !party_rate(&a->party[in->party].arrived, now, a->source_each))
		return WHY_SOURCE_RATE;
	if (b->n_blocks > a->cfg.max_blocks)
		return WHY_TOO_MANY_BLOCKS;
	if (a->cfg.max_future_us != 0 && a->deps.clock_is_accurate &&
		b->created_ms > u64_add_sat(agent_clock(a, now),
					(uint64_t)(a->cfg.max_future_us / US_PER_MS)))
		return WHY_FROM_FUTURE;
	if (b->dest.node == NODE_NONE)
		return eid_is_null(&b->dest) ? WHY_NULL_DESTINATION : WHY_UNKNOWN_SCHEME;
	if (b->dest.group)
		return WHY_GROUP_DESTINATION;
	if (is_local_node(&b->report_to) || (b->has_cteb && is_local_node(&b->cteb.custodian)))
		return WHY_LOCAL_NODE; /* RFC 9758 5.4/4: it could not leave again */
	if (is_border(a, in->from) && names_private(&b->source, &b->dest, &b->report_to))
		return WHY_DOMAIN_BORDER;
	return WHY_NONE;
}

/* The steps, once the limits are known. */
void admit_init(struct agent *a, const struct store_stats *st)
{
	uint64_t most = st->max_bundles < a->cfg.max_bundles ? st->max_bundles : a->cfg.max_bundles;

	a->hop_bytes = st->max_bytes / 64;
	if (a->hop_bytes < HOP_STEP_BYTES)
		a->hop_bytes =
			st->max_bytes / 32 < HOP_STEP_BYTES ? st->max_bytes / 32 : HOP_STEP_BYTES;
	a->hop_bundles = most < 128 ? 1 : most / 128; /* a small node has its steps, too */
	a->room_bundles = most - entry_reserve(most);
}

/* Room for a bundle with so many hops behind it, among those that may not use the reserve. */
bool admit_room(const struct agent *a, uint64_t bytes, unsigned hops)
{
	uint64_t steps = hops < HOP_STEPS ? HOP_STEPS - hops : 0;
	uint64_t used = a->entries.n - a->entries.n_free;

	return used + steps * a->hop_bundles < a->room_bundles &&
	       store_has_room(a->store, u64_add_sat(bytes, steps * a->hop_bytes), 0);
}

/* One that came in: without a hop count it has one hop behind it. */
bool admit_arrival(const struct agent *a, const struct arrival *in)
{
	uint64_t hops = in->b->has_hop && in->b->hop_count > 0 ? in->b->hop_count : 1;

	if (in->b->flags & BUNDLE_ADMIN && urgent_room(a, in->size))
		return true;
	if (admit_room(a, in->size, hops < HOP_STEPS ? (unsigned)hops : HOP_STEPS))
		return true;
	return in->is_local && deliver_is_registered(a, &in->b->dest) &&
	       admit_room(a, in->size, HOP_STEPS);
}

/* Administrative records of others may use the reserve, but not all of it: whoever calls his bundles so shall
 * not keep our own signals from being made. */
static bool urgent_room(const struct agent *a, uint64_t bytes)
{
	return a->entries.n_free > entry_reserve(a->entries.n) / 2 &&
	       store_has_room(a->store, u64_add_sat(bytes, a->hop_bytes / 2), STORE_URGENT);
}

/* RFC 9171 5.4.2-2/2b */
enum reason admit_reason(enum why why)
{
	switch (why) {
	case WHY_NULL_DESTINATION:
	case WHY_UNKNOWN_SCHEME:
	case WHY_GROUP_DESTINATION:
		return REASON_DEST_UNAVAILABLE;
	case WHY_SOURCE_QUOTA:
		return REASON_DEPLETED_STORAGE;
	case WHY_SOURCE_RATE:
	case WHY_TOO_MANY_BLOCKS:
	case WHY_FROM_FUTURE:
		return REASON_TRAFFIC_PARED;
	default:
		return REASON_NONE;
	}
}

/* RFC 9758 3.4.2/d1 */
bool is_local_node(const struct eid *e)
{
	return e->scheme == EID_SCHEME_IPN && e->node == NODE_LOCAL;
}

/* RFC 9758 5.5: a number that means one node here and another elsewhere, in a field that is acted
 * on beyond this domain. */
bool names_private(const struct eid *source, const struct eid *dest, const struct eid *report_to)
{
	return is_private(source) || is_private(dest) || is_private(report_to);
}

/* Node numbers 1 to 0x3fff of the default allocator, RFC 9758 9.2/d1 */
bool is_private(const struct eid *e)
{
	return e->scheme == EID_SCHEME_IPN && e->node >= 1 && e->node <= 0x3fff;
}
