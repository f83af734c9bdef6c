/*
 * seen: a bundle's identity: its 128-bit digest for duplicate tables, the events that map a local
 * id to it (bundle_seen, bundle_shape, bundle_class, bundle_fragment: once per id, before all
 * others), and two small helpers: EIDs that are kept, and rates.
 */
#include "dtn/agent/state.h"

#include <inttypes.h>

/* Constants, not secrets: the digest is stored and must mean the same after a restart. Tables hash
 * it again with the node's own key. */
void bundle_uid(const struct bundle *b, uint64_t uid[2])
{
	uid[0] = bundle_id_hash(b, UINT64_C(0x6f776c7462756e64), UINT64_C(0x6c65206964656e74));
	uid[1] = bundle_id_hash(b, UINT64_C(0x697479207365636f), UINT64_C(0x6e642068616c6600));
}

/* Of the bundle that a fragment was cut from: what that would have; `uid`: the fragment's own. */
void bundle_adu_uid(const struct bundle *b, const uint64_t uid[2], uint64_t adu[2])
{
	adu[0] = uid[0];
	adu[1] = uid[1];
	if (b->flags & BUNDLE_FRAGMENT) {
		struct bundle whole = {
			.source = b->source, .created_ms = b->created_ms, .seq = b->seq};

		bundle_uid(&whole, adu);
	}
}

void seen_emit(struct agent *a, mono now, uint64_t id, const struct bundle *b, unsigned priority,
	uint64_t size)
{
	struct trace *t = a->trace;

	trace_point(
		t, now, bundle_seen, id, b->source.node, b->source.service, b->created_ms, b->seq);
	trace_point(t, now, bundle_shape, id, b->dest.node, b->dest.service, size, b->payload.n);
	trace_point(t, now, bundle_class, id, b->lifetime_ms, b->crc_type, priority, b->flags);
	if (b->flags & BUNDLE_FRAGMENT)
		trace_point(t, now, bundle_fragment, id, b->frag_off, b->payload.n, b->total_len);
}

/* An id for what is never stored. */
uint64_t seen_number(struct agent *a)
{
	return ID_PASSING | (a->boot & 0xfff) << 40 |
	       (++a->last_passing & ((UINT64_C(1) << 40) - 1));
}

/* A bundle that is never stored: an id of its own, and its events. */
uint64_t seen_passing(struct agent *a, mono now, const struct bundle *b, uint64_t size)
{
	uint64_t id = seen_number(a);

	seen_emit(a, now, id, b, b->flags & BUNDLE_ADMIN ? PRIORITY_EXPEDITED : PRIORITY_STANDARD,
		size);
	return id;
}

bool eid_keep(struct kept_eid *k, const struct eid *e)
{
	*k = (struct kept_eid){.scheme = e->scheme, .service = e->service, .node = e->node};
	if (e->ssp.n > sizeof k->ssp || e->node == NODE_NONE)
		return false;
	k->n = (uint8_t)e->ssp.n;
	if (e->ssp.n > 0)
		memcpy(k->ssp, e->ssp.p, e->ssp.n);
	return true;
}

/* The EID again; its ssp points into *k. */
struct eid eid_kept(const struct kept_eid *k)
{
	return (struct eid){.scheme = k->scheme,
		.service = k->service,
		.node = k->node,
		.ssp = k->n > 0 ? view_of(k->ssp, k->n) : (struct view){0}};
}

/* One more now? At most one second's worth at once. */
bool rate_take(struct bucket *k, mono now)
{
	uint64_t most = k->per_s * 1000, add;

	if (now > k->at) {
		add = (uint64_t)muldiv_i64(now - k->at, (int64_t)most, US_PER_S);
		k->level = u64_add_sat(k->level, add) > most ? most : k->level + add;
		if (add > 0)
			k->at = now;
	}
	if (k->level < 1000)
		return false;
	k->level -= 1000;
	return true;
}
