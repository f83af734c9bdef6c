/*
 * unit: security of what came in fragments, RFC 9172 5.2: nothing is checked in a fragment, all of it
 * when the unit is whole. Its bundle is put together as it was before it was cut (primary block
 * without the fragment's fields, extension blocks of the fragment at offset 0) in memory of our own, at
 * most security.max_bytes of payload, and goes through the same examination as a bundle that arrived
 * whole. What passes becomes a stored bundle of its own; larger units are refused, never delivered
 * unchecked. Start reading at security_unit().
 */
#include "dtn/agent/bpsec.h"

static int put_together(struct agent *a, const struct bundle_entry *e, struct bundle *whole);
static int primary_before(const struct bundle *piece, struct buf *room, struct view *primary);

bool security_concerns(const struct agent *a, const struct bundle_entry *e)
{
	struct record r = entry_record(a, e);
	struct bundle b;

	if (!entry_bundle(a, e, &b))
		return false;
	if (r.prev_node == NODE_NONE && b.source.node == a->self.node)
		return false;       /* from an application of this node: it never left */
	if (a->security->n_in == 0) /* no key: ciphertext is of no use, a BIB as good as none */
		return bundle_block(&b, BLOCK_BCB) ||
		       (!a->cfg.security.keep_unverified && bundle_block(&b, BLOCK_BIB));
	if (security_is_secured(&b))
		return true;
	for (size_t i = 0; i < a->security->n_rules; i++) {
		const struct security_rule *rule = &a->security->rule[i].is;

		if (rule->role != ROLE_SOURCE && eid_pattern_has(&rule->source, &b.source) &&
			eid_pattern_has(&rule->destination, &b.dest))
			return true;
	}
	return false;
}

enum reason security_unit(struct agent *a, mono now, const struct bundle_entry *e, bool *stored)
{
	struct record r = entry_record(a, e);
	struct bundle b;
	struct arrival in = {.b = &b,
		.from = r.prev_node,
		.age_ms = r.age_ms,
		.expiry = e->expiry,
		.is_override = (e->flags & E_OVERRIDE) != 0,
		.is_local = true};
	enum reason reason;
	int err;

	*stored = false;
	if (a->security->n_in == 0) {
		trace_point(
			a->trace, now, security_checked, 0, WHY_SEC_UNKNOWN, r.source_node, 0, 1);
		return REASON_SECURITY_UNKNOWN;
	}
	err = put_together(a, e, &b);
	if (err) {
		trace_point(
			a->trace, now, security_checked, 0, WHY_SEC_TOO_BIG, r.source_node, 0, 1);
		return err == -E_TOO_BIG ? REASON_DEPLETED_STORAGE : REASON_UNINTELLIGIBLE;
	}
	bundle_uid(&b, in.uid);
	bundle_adu_uid(&b, in.uid, in.adu_uid);
	in.party = party_find(a, now, b.source.node);
	in.size = b.head.n + b.payload.n + b.tail.n;
	reason = security_arrived(a, now, &b, &in);
	if (reason != REASON_NONE)
		return reason;
	if (a->is_restoring && (eid_is_admin(&b.dest) || echo_is_service(a, &b.dest)))
		return REASON_NONE; /* not served twice: who sent it asks again */
	receive_unit(a, now, &in);
	*stored = entry_by_uid(a, in.uid) != NULL;
	return REASON_NONE;
}

/* The bundle as its source cut it, in our room; its payload without a CRC. */
static int put_together(struct agent *a, const struct bundle_entry *e, struct bundle *whole)
{
	struct security *s = a->security;
	uint64_t total = reassemble_size(e);
	uint8_t primary_room[BPSEC_ROOM];
	struct buf primary = buf_of(primary_room, sizeof primary_room);
	struct buf w = buf_of(s->room[ROOM_ARRIVED], s->cap);
	struct bundle_rewrite edit = {.set_payload = true, .payload_len = total};
	struct bundle_fault fault;
	struct bundle piece;
	uint32_t crc;
	int err;

	if (total > a->cfg.security.max_bytes)
		return -E_TOO_BIG;
	if (!entry_bundle(a, e, &piece))
		return -E_CORRUPT;
	err = primary_before(&piece, &primary, &edit.primary);
	err = err ? err : bundle_rewrite_head(&w, &piece, &edit, &crc);
	for (uint64_t off = 0; !err && off < total;) {
		struct slice at = reassemble_slice(e, off, total - off);
		struct view bytes;

		if (at.len == 0 || store_payload(a->store, at, &bytes) != 0)
			return -E_CORRUPT;
		buf_put(&w, bytes);
		off += at.len;
	}
	err = err ? err : bundle_rewrite_tail(&w, &piece, &edit, crc);
	err = err ? err : buf_finish(&w);
	return err ? err
		   : bundle_read(
			     whole, buf_view(&w), &a->rules_own[a->cfg.custody_profile], &fault);
}

/* The primary block of the bundle that was fragmented, RFC 9171 5.9: written as its source wrote it. */
static int primary_before(const struct bundle *piece, struct buf *room, struct view *primary)
{
	const struct bundle_spec spec = {.flags = piece->flags & ~(uint64_t)BUNDLE_FRAGMENT,
		.crc_type = piece->crc_type,
		.dest = piece->dest,
		.source = piece->source,
		.report_to = piece->report_to,
		.created_ms = piece->created_ms,
		.seq = piece->seq,
		.lifetime_ms = piece->lifetime_ms,
		.has_age = true};
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct bundle b;
	uint32_t crc;
	int err = bundle_build_head(room, &spec, 0, &crc);

	rules.allow_no_primary_crc = rules.allow_short_dtn = true;
	err = err ? err : bundle_read_head(&b, buf_view(room), &rules, &fault);
	*primary = b.primary;
	return err;
}
