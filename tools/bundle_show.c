/*
 * Showing a bundle: primary block, canonical blocks in order, and what the payload of an
 * administrative bundle says. The JSON keys are a contract (docs/man/owlt-bundle.1).
 */
#include "tools/bundle_show.h"

#include "bundle/admin.h"
#include "bundle/bibe.h"
#include "bundle/block.h"
#include "bundle/ccs.h"
#include "bundle/limits.h"
#include "tools/bundle.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define SHOWN_BYTES 64 /* of data in text; JSON has all */

static void primary_show(struct out *o, const struct bundle *b);
static void block_show(struct out *o, const struct bundle *b, const struct block *k,
	const struct custody_codes *codes);
static void record_show(struct out *o, const struct bundle *b, const struct custody_codes *codes);

void bundle_show(struct out *o, const struct bundle *b, const struct custody_codes *codes,
	const struct unlocked *unlocked)
{
	if (o->json)
		jw_object(&o->w, NULL);
	primary_show(o, b);
	if (o->json)
		jw_array(&o->w, "blocks");
	for (unsigned i = 0; i < b->n_blocks; i++)
		block_show(o, b, &b->block[i], codes);
	if (o->json)
		jw_array_end(&o->w);
	if (b->flags & BUNDLE_ADMIN)
		record_show(o, b, codes);
	if (unlocked)
		verdicts_show(o, unlocked);
	if (o->json)
		jw_object_end(&o->w);
}

static const char *crc_text(enum crc_type type)
{
	return type == CRC_32C ? "32c" : type == CRC_16 ? "16" : "0";
}

static void eid_show(struct out *o, const char *key, const char *label, const struct eid *e)
{
	char text[EID_TEXT_MAX];

	out_eid(o, key, e);
	eid_print(e, text, sizeof text);
	out_text(o, "  %-12s %s\n", label, text);
}

void time_text(dtntime ms, char out[TIME_TEXT])
{
	time_t s = (time_t)(ms / 1000 + (uint64_t)DTN_EPOCH_UNIX_S);
	struct tm tm;

	if (ms == 0 || !gmtime_r(&s, &tm) || tm.tm_year > 8099) {
		snprintf(out, TIME_TEXT, "%s", ms ? "far away" : "no clock");
		return;
	}
	size_t n = strftime(out, TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, TIME_TEXT - n, ".%03uZ", (unsigned)(ms % 1000));
}

static void flags_show(struct out *o, uint64_t flags)
{
	out_text(o, "  %-12s 0x%" PRIx64, "flags", flags);
	if (o->json) {
		jw_u64(&o->w, "flags", flags);
		jw_array(&o->w, "flag_names");
	}
	for (const struct flag_name *f = bundle_flag_names; f->name; f++) {
		if (!(flags & f->flag))
			continue;
		out_text(o, " %s", f->name);
		out_string(o, NULL, f->name);
	}
	if (o->json)
		jw_array_end(&o->w);
	out_text(o, "\n");
}

static void primary_show(struct out *o, const struct bundle *b)
{
	char when[40];

	time_text(b->created_ms, when);
	out_text(o, "bundle %zu bytes: head %zu, payload %zu, tail %zu\n",
		b->head.n + b->payload.n + b->tail.n, b->head.n, b->payload.n, b->tail.n);
	out_text(o, "primary block, CRC %s, %zu bytes\n", crc_text(b->crc_type), b->primary.n);
	if (o->json) {
		jw_u64(&o->w, "bytes", b->head.n + b->payload.n + b->tail.n);
		out_string(o, "crc", crc_text(b->crc_type));
	}
	flags_show(o, b->flags);
	eid_show(o, "destination", "destination", &b->dest);
	eid_show(o, "source", "source", &b->source);
	eid_show(o, "report_to", "report-to", &b->report_to);
	out_text(o, "  %-12s %" PRIu64 " ms (%s), sequence %" PRIu64 "\n", "created", b->created_ms,
		when, b->seq);
	out_text(o, "  %-12s %" PRIu64 " ms\n", "lifetime", b->lifetime_ms);
	if (o->json) {
		jw_u64(&o->w, "creation_ms", b->created_ms);
		jw_u64(&o->w, "seq", b->seq);
		jw_u64(&o->w, "lifetime_ms", b->lifetime_ms);
	}
	if (!(b->flags & BUNDLE_FRAGMENT))
		return;
	out_text(o, "  %-12s %zu bytes at %" PRIu64 " of %" PRIu64 "\n", "fragment", b->payload.n,
		b->frag_off, b->total_len);
	if (o->json) {
		jw_u64(&o->w, "fragment_offset", b->frag_off);
		jw_u64(&o->w, "total_bytes", b->total_len);
	}
}

static void data_show(struct out *o, struct view data)
{
	out_hex(o, "data_hex", data);
	if (o->json)
		return;
	out_text(o, "  data         ");
	for (size_t i = 0; i < data.n && i < SHOWN_BYTES; i++)
		out_text(o, "%02x", data.p[i]);
	out_text(o, "%s (%zu bytes)\n", data.n > SHOWN_BYTES ? "..." : "", data.n);
}

static void number_show(struct out *o, const char *key, const char *label, uint64_t v)
{
	if (o->json)
		jw_u64(&o->w, key, v);
	out_text(o, "  %-12s %" PRIu64 "\n", label, v);
}

static void reporting_show(struct out *o, const struct creb *r)
{
	number_show(o, "seq_no", "number", r->seq_no);
	number_show(o, "seq_id", "sequence", r->seq_id);
	if (r->has_flags)
		number_show(o, "report_flags", "reports", r->flags);
	if (r->has_reporter)
		eid_show(o, "reporter", "reporter", &r->reporter);
	if (r->has_report_to)
		eid_show(o, "report_to", "report to", &r->report_to);
}

/* What a known block says; its bundle has only one of the kind. */
static void values_show(struct out *o, const struct bundle *b, enum block_kind kind)
{
	if (kind == KIND_PREVIOUS_NODE && b->has_prev) {
		eid_show(o, "previous_node", "node", &b->prev);
	} else if (kind == KIND_AGE && b->has_age) {
		number_show(o, "age_ms", "age ms", b->age_ms);
	} else if (kind == KIND_HOP_COUNT && b->has_hop) {
		number_show(o, "hop_limit", "limit", b->hop_limit);
		number_show(o, "hop_count", "count", b->hop_count);
	} else if (kind == KIND_CTEB && b->has_cteb) {
		number_show(o, "seq_no", "number", b->cteb.seq_no);
		number_show(o, "seq_id", "sequence", b->cteb.seq_id);
		eid_show(o, "custodian", "custodian", &b->cteb.custodian);
	} else if (kind == KIND_CREB && b->has_creb) {
		reporting_show(o, &b->creb);
	}
}

static void block_show(struct out *o, const struct bundle *b, const struct block *k,
	const struct custody_codes *codes)
{
	const char *name = block_type_name(k->type, codes);

	out_text(o, "block %" PRIu64 ", type %" PRIu64 " (%s), flags 0x%" PRIx64 ", CRC %s\n",
		k->number, k->type, name ? name : "unknown", k->flags, crc_text(k->crc_type));
	if (o->json) {
		jw_object(&o->w, NULL);
		jw_u64(&o->w, "number", k->number);
		jw_u64(&o->w, "type", k->type);
		out_string(o, "name", name ? name : "unknown");
		jw_u64(&o->w, "flags", k->flags);
		out_string(o, "crc", crc_text(k->crc_type));
		jw_u64(&o->w, "data_bytes", k->data.n);
	}
	values_show(o, b, block_kind_of(k->type, codes));
	if (k->type == BLOCK_BIB || k->type == BLOCK_BCB)
		asb_show(o, k->data);
	data_show(o, k->data);
	if (o->json)
		jw_object_end(&o->w);
}

/* -- administrative records ------------------------------------------------------------------ */

static void report_show(struct out *o, struct cursor *content)
{
	static const char *const kind[STATUS_KINDS] = {
		"received", "forwarded", "delivered", "deleted"};
	static const char *const kind_ms[STATUS_KINDS] = {
		"received_ms", "forwarded_ms", "delivered_ms", "deleted_ms"};
	struct status_report r;

	status_report_read(content, &r);
	if (!cursor_ok(content)) {
		out_text(o, "  %-12s %s\n", "malformed", err_text(content->err));
		return;
	}
	for (unsigned k = 0; k < STATUS_KINDS; k++) {
		char when[40];
		time_text(r.at_ms[k], when);
		if (o->json)
			jw_bool(&o->w, kind[k], r.asserted[k]);
		if (o->json && r.has_time[k])
			jw_u64(&o->w, kind_ms[k], r.at_ms[k]);
		if (r.asserted[k])
			out_text(o, "  %-12s %s\n", kind[k], r.has_time[k] ? when : "yes");
	}
	if (o->json)
		jw_u64(&o->w, "reason", r.reason);
	out_text(o, "  %-12s %" PRIu64 " (%s)\n", "reason", r.reason,
		reason_name(r.reason > 255 ? 255 : (unsigned)r.reason));
	eid_show(o, "subject_source", "source", &r.source);
	number_show(o, "subject_creation_ms", "created ms", r.created_ms);
	number_show(o, "subject_seq", "sequence", r.seq);
	if (r.is_fragment) {
		number_show(o, "subject_fragment_offset", "offset", r.frag_off);
		number_show(o, "subject_fragment_bytes", "bytes", r.frag_len);
	}
}

static void sequence_show(struct out *o, const struct ccs_sequence *s, bool is_report)
{
	static const char *const kinds[CRS_KINDS] = {
		"received", "forwarded", "delivered", "deleted", "accepted", "refused"};
	const char *what = is_report ? kinds[s->kind] : s->accepted ? "accepted" : "refused";
	char to[EID_TEXT_MAX] = "";

	if (o->json) {
		jw_object(&o->w, NULL);
		if (is_report)
			out_string(o, "kind", what);
		else
			jw_bool(&o->w, "accepted", s->accepted);
		jw_u64(&o->w, "seq_id", s->seq_id);
		if (!s->seq_id)
			out_eid(o, "destination", &s->dest);
		if (s->has_source)
			out_eid(o, "block_source", &s->source);
		jw_array(&o->w, "ranges");
	}
	eid_print(&s->dest, to, sizeof to);
	out_text(o, "  %-12s sequence %" PRIu64 "%s%s, numbers", what, s->seq_id,
		s->seq_id ? "" : " to ", s->seq_id ? "" : to);
	for (size_t i = 0; i < s->numbers.n; i++) {
		uint64_t first = s->numbers.run[i].from, last = s->numbers.run[i].to - 1;
		out_text(o, " %" PRIu64, first);
		if (last > first)
			out_text(o, "-%" PRIu64, last);
		if (o->json) {
			jw_array(&o->w, NULL);
			jw_u64(&o->w, NULL, first);
			jw_u64(&o->w, NULL, last);
			jw_array_end(&o->w);
		}
	}
	eid_print(&s->source, to, sizeof to);
	out_text(o, "%s%s\n", s->has_source ? " of " : "", s->has_source ? to : "");
	if (o->json) {
		jw_array_end(&o->w);
		jw_object_end(&o->w);
	}
}

static void signal_show(struct out *o, struct ccs_reader *r)
{
	struct range run[CCS_RUNS_MAX];
	struct ccs_sequence s = {.numbers = ranges_of(run, CCS_RUNS_MAX)};

	if (o->json)
		jw_array(&o->w, "sequences");
	while (ccs_next(r, &s))
		sequence_show(o, &s, r->is_report);
	if (o->json)
		jw_array_end(&o->w);
	if (r->c.err)
		out_text(o, "  %-12s %s\n", "malformed", err_text(r->c.err));
	if (r->c.err && o->json)
		out_string(o, "malformed", err_name(r->c.err));
}

static void bpdu_show(struct out *o, const struct bpdu *p)
{
	number_show(o, "transmission", "transmission", p->id);
	number_show(o, "retransmission_time", "time", p->when);
	number_show(o, "bundle_bytes", "bundle bytes", p->bundle.n);
}

static void answer_show(struct out *o, const struct bibe_signal *s)
{
	number_show(o, "disposition", "disposition", s->disposition);
	if (o->json)
		jw_array(&o->w, "transmissions");
	for (size_t i = 0; i < s->ids.n; i++) {
		uint64_t first = s->ids.run[i].from, last = s->ids.run[i].to - 1;

		out_text(o, "  %-12s %" PRIu64 "-%" PRIu64 "\n", "transmissions", first, last);
		if (!o->json)
			continue;
		jw_array(&o->w, NULL);
		jw_u64(&o->w, NULL, first);
		jw_u64(&o->w, NULL, last);
		jw_array_end(&o->w);
	}
	if (o->json)
		jw_array_end(&o->w);
}

/* The records that are told by their content; the name of what it is. */
static const char *content_show(
	struct out *o, struct view record, const struct custody_codes *codes, bool is_shown)
{
	struct range run[BIBE_RUNS_MAX];
	struct bibe_signal answer = {.ids = ranges_of(run, BIBE_RUNS_MAX)};
	struct ccs_reader r;
	struct bpdu p;

	if (ccs_open(&r, record, codes) == 0 || crs_open(&r, record, codes) == 0) {
		if (is_shown)
			signal_show(o, &r);
		return r.is_report ? "reporting-signal" : "custody-signal";
	}
	if (bpdu_read(record, &p) == 0) {
		if (is_shown)
			bpdu_show(o, &p);
		return "encapsulated-bundle";
	}
	if (bibe_signal_read(record, &answer) != 0)
		return "unknown";
	if (is_shown)
		answer_show(o, &answer);
	return "encapsulation-signal";
}

static void record_show(struct out *o, const struct bundle *b, const struct custody_codes *codes)
{
	struct cursor content;
	uint64_t type;

	if (o->json)
		jw_object(&o->w, "record");
	if (admin_open(b->payload, &type, &content)) {
		out_text(o, "administrative record: malformed, it will be ignored (RFC 9713)\n");
		out_string(o, "malformed", "FORM");
	} else {
		const char *name = type == ADMIN_STATUS_REPORT
					   ? "status-report"
					   : content_show(o, b->payload, codes, false);
		out_text(o, "administrative record, type %" PRIu64 " (%s)\n", type, name);
		if (o->json)
			jw_u64(&o->w, "type", type);
		out_string(o, "name", name);
		if (type == ADMIN_STATUS_REPORT)
			report_show(o, &content);
		else
			(void)content_show(o, b->payload, codes, true);
	}
	if (o->json)
		jw_object_end(&o->w);
}
