/*
 * report: status reports, RFC 9171 6.1. Off by default (5.1: generation MUST be off by default),
 * limited in number, never about administrative or anonymous bundles (their flags forbid it), and
 * themselves ordinary bundles from our administrative endpoint without any request. What a bundle
 * wants in compressed form goes that way (crs.c).
 */
#include "dtn/agent/state.h"

static bool may_report(const struct agent *a, const struct bundle *b);
static uint64_t wanted(enum status_kind status);
static void send_report(
	struct agent *a, mono now, uint64_t id, const struct bundle *b, struct status_report *r);

void report_entry(struct agent *a, mono now, const struct bundle_entry *e, enum status_kind status,
	enum reason reason)
{
	struct bundle b;

	if (!a->cfg.reports || !entry_bundle(a, e, &b))
		return;
	if (status == STATUS_DELIVERED)
		b.flags &= ~(uint64_t)BUNDLE_FRAGMENT; /* it is the whole ADU that was delivered */
	report_bundle(a, now, entry_id(e), &b, status, reason);
}

/* RFC 9171 5.1/d1, 5.1/d2, 6.2-1, 6.1.1/7 */
void report_bundle(struct agent *a, mono now, uint64_t id, const struct bundle *b,
	enum status_kind status, enum reason reason)
{
	struct status_report r = {.reason = reason,
		.source = b->source,
		.created_ms = b->created_ms,
		.seq = b->seq,
		.is_fragment = (b->flags & BUNDLE_FRAGMENT) != 0,
		.frag_off = b->frag_off,
		.frag_len = b->payload.n};
	struct party *party;
	bool asked = (b->flags & wanted(status)) != 0 ||
		     (status == STATUS_RECEIVED && reason == REASON_BLOCK_UNSUPPORTED);

	if (!may_report(a, b))
		return;
	if (reason != REASON_BLOCK_UNSUPPORTED && crs_wanted(b, (enum crs_kind)status) &&
		crs_add(a, now, id, b, (enum crs_kind)status))
		return;
	if (!asked || b->report_to.node == NODE_NONE || b->report_to.group ||
		is_local_node(&b->report_to))
		return;
	party = &a->party[party_find(a, now, b->report_to.node)];
	if (!party_rate(&party->reported, now, a->report_each) ||
		!rate_take(&a->report_rate, now)) {
		trace_point(a->trace, now, report_kept_back, id, status, b->report_to.node);
		return;
	}
	r.asserted[status] = true;
	r.has_time[status] = (b->flags & BUNDLE_STATUS_TIME) != 0;
	r.at_ms[status] = agent_clock(a, now);
	send_report(a, now, id, b, &r);
	for (unsigned k = 0; k < STATUS_KINDS; k++)
		r.asserted[k] = false;
}

void report_custody(struct agent *a, mono now, uint64_t id, const struct bundle *b, bool accepted)
{
	enum crs_kind kind = accepted ? CRS_ACCEPTED : CRS_REFUSED;

	if (may_report(a, b) && crs_wanted(b, kind))
		(void)crs_add(a, now, id, b, kind);
}

void report_taken(struct agent *a, mono now, const struct bundle_entry *e)
{
	struct bundle b;

	if (a->cfg.reports && entry_bundle(a, e, &b))
		report_custody(a, now, entry_id(e), &b, true);
}

static bool may_report(const struct agent *a, const struct bundle *b)
{
	return a->cfg.reports && !(b->flags & BUNDLE_ADMIN) && !eid_is_null(&b->source);
}

/* RFC 9171 6.2-2 */
static void send_report(
	struct agent *a, mono now, uint64_t id, const struct bundle *b, struct status_report *r)
{
	uint8_t room[2048];
	struct buf record = buf_of(room, sizeof room);
	struct own_bundle o = {.s = {.dest = b->report_to, .priority = PRIORITY_STANDARD},
		.after_commit = true}; /* it tells what the same batch makes true */
	uint64_t report;

	status_report_write(&record, r);
	if (send_record(a, now, &o, &record, &report) != 0)
		return; /* at the node's discretion, RFC 9171 6.1 */
	for (unsigned k = 0; k < STATUS_KINDS; k++)
		if (r->asserted[k])
			trace_point(a->trace, now, report_tx, report, id, k, r->reason,
				b->report_to.node);
}

static uint64_t wanted(enum status_kind status)
{
	switch (status) {
	case STATUS_RECEIVED:
		return BUNDLE_REPORT_RECEPTION;
	case STATUS_FORWARDED:
		return BUNDLE_REPORT_FORWARDING;
	case STATUS_DELIVERED:
		return BUNDLE_REPORT_DELIVERY;
	default:
		return BUNDLE_REPORT_DELETION;
	}
}
