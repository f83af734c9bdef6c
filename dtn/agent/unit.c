/*
 * unit: security of what came in fragments, RFC 9172 5.2: nothing is checked in a fragment, all of it
 * when the unit is whole. Its head is put together as it was before it was cut (primary block without
 * the fragment's fields, extension blocks of the fragment at offset 0). A small unit is then gathered in
 * memory of our own and goes through the same examination as a bundle that arrived whole; of a large one
 * (security.step_bytes) the payload stays where it is stored, and steps.c takes it from here. What passes
 * becomes a stored bundle of its own; units above security.max_bytes are refused, never delivered
 * unchecked. Start reading at security_unit().
 */
#include "dtn/agent/bpsec.h"

static int gather(struct agent *a, const struct bundle_entry *first, struct bundle *whole);
static int primary_before(const struct bundle *piece, struct buf *room, struct view *primary);
static bool is_own(const struct agent *a, const struct bundle_entry *first);
static enum unit_end refused(struct agent *a, mono now, const struct record *r, enum why why);

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

enum unit_end security_unit(
	struct agent *a, mono now, struct bundle_entry *first, enum reason *reason)
{
	struct record r = entry_record(a, first);
	uint64_t total = reassemble_size(first);
	struct arrival in;
	struct bundle b;
	int err;

	*reason = REASON_SECURITY_UNKNOWN;
	if (a->security->n_in == 0)
		return refused(a, now, &r, WHY_SEC_UNKNOWN);
	*reason = REASON_DEPLETED_STORAGE;
	if (total > a->cfg.security.max_bytes)
		return refused(a, now, &r, WHY_SEC_TOO_BIG);
	if (total > a->cfg.security.step_bytes && !is_own(a, first))
		return steps_begin(a, now, first, reason);
	*reason = REASON_UNINTELLIGIBLE;
	err = gather(a, first, &b);
	if (err)
		return refused(a, now, &r, WHY_SEC_TOO_BIG);
	in = unit_arrival(a, first, &b);
	bundle_uid(&b, in.uid);
	bundle_adu_uid(&b, in.uid, in.adu_uid);
	in.party = party_find(a, now, b.source.node);
	in.size = b.head.n + b.payload.n + b.tail.n;
	*reason = security_arrived(a, now, &b, &in);
	if (*reason != REASON_NONE)
		return UNIT_REFUSED;
	if (a->is_restoring && is_own(a, first))
		return UNIT_OVER; /* not served twice: who sent it asks again */
	receive_unit(a, now, &in);
	return entry_by_uid(a, in.uid) ? UNIT_STORED : UNIT_OVER;
}

struct arrival unit_arrival(
	const struct agent *a, const struct bundle_entry *first, const struct bundle *b)
{
	struct record r = entry_record(a, first);

	return (struct arrival){.b = b,
		.from = r.prev_node,
		.age_ms = r.age_ms,
		.expiry = first->expiry,
		.is_override = (first->flags & E_OVERRIDE) != 0,
		.is_local = true,
		.is_unit = true};
}

int unit_head(struct agent *a, const struct bundle_entry *first, struct buf *head)
{
	uint8_t room[BPSEC_ROOM];
	struct buf primary = buf_of(room, sizeof room);
	struct bundle_rewrite edit = {.set_payload = true, .payload_len = reassemble_size(first)};
	struct bundle piece;
	uint32_t crc;
	int err;

	if (!entry_bundle(a, first, &piece))
		return -E_CORRUPT;
	err = primary_before(&piece, &primary, &edit.primary);
	return err ? err : bundle_rewrite_head(head, &piece, &edit, &crc);
}

/* For the node itself; never above ADMIN_RECORD_MAX, see reassemble_allow(). */
static bool is_own(const struct agent *a, const struct bundle_entry *first)
{
	struct bundle b;

	return entry_bundle(a, first, &b) && (eid_is_admin(&b.dest) || echo_is_service(a, &b.dest));
}

static enum unit_end refused(struct agent *a, mono now, const struct record *r, enum why why)
{
	trace_point(a->trace, now, security_checked, 0, why, r->source_node, 0, 1);
	return UNIT_REFUSED;
}

/* The bundle as its source cut it, in our room; its payload without a CRC. */
static int gather(struct agent *a, const struct bundle_entry *first, struct bundle *whole)
{
	struct security *s = a->security;
	struct buf w = buf_of(s->room[ROOM_ARRIVED], s->cap[ROOM_ARRIVED]);
	uint64_t total = reassemble_size(first);
	struct bundle_fault fault;
	int err = unit_head(a, first, &w);

	for (uint64_t off = 0; !err && off < total;) {
		struct slice at = reassemble_slice(first, off, total - off);
		struct view bytes;

		if (at.len == 0 || store_payload(a->store, at, &bytes) != 0)
			return -E_CORRUPT;
		buf_put(&w, bytes);
		off += at.len;
	}
	err = err ? err : bundle_build_tail(&w, &(struct bundle_spec){0}, 0);
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
