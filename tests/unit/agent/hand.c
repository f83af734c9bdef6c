/* Bundles made by hand, for one agent: see hand.h. */
#include "tests/unit/agent/hand.h"

#include "bundle/rule.h"

#include <criterion/criterion.h>

const node_id hand_neighbours[3] = {1, 3, 4};

/* Node 2 with neighbours 1, 3 and 4, and a trace that keeps its records; reports are on. */
void hand_relay(struct side *s)
{
	side_init(s, 2, hand_neighbours, 3, NODE_NONE);
	trace_fini(&s->trace);
	cr_assert_eq(trace_init(&s->trace, 256), 0);
	s->cfg.reports = true;
	s->cfg.reports_per_s = 1000;
	side_start(s, hand_neighbours, 3);
	cr_assert_eq(side_send(s, 2, 99, HOUR_MS, false), 0); /* takes the first block of numbers */
	side_commit(s, 0);
	side_listen(s);
}

/* A bundle of node 1 for `to`, changed by the test before it is made. */
struct bundle_spec hand_spec(node_id to)
{
	static uint64_t seq;

	return (struct bundle_spec){.crc_type = CRC_32C,
		.block_crc_type = CRC_16,
		.dest = eid_ipn(to, 5),
		.source = eid_ipn(1, 9),
		.report_to = REPORTS_TO,
		.created_ms = KIT_DTN,
		.seq = ++seq,
		.lifetime_ms = HOUR_MS,
		.custody = custody_codes_ccsds()};
}

void hand_make(struct flight *f, const struct bundle_spec *s, struct view payload)
{
	struct buf out = buf_of(f->bytes, sizeof f->bytes);

	cr_assert_eq(bundle_build(&out, s, payload), 0);
	f->n = out.len;
}

void hand_in(struct side *s, const struct bundle_spec *spec)
{
	struct flight f;

	hand_make(&f, spec, view_text("data"));
	side_in(s, 1, &f);
}

void hand_read(const struct flight *f, struct bundle *b)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;

	rules.allow_no_age = rules.allow_no_primary_crc = true;
	cr_assert_eq(bundle_read(b, view_of(f->bytes, f->n), &rules, &fault), 0, "%s",
		rule_name(fault.rule));
}

/* The last record of an event since the last call; false when there was none. */
bool hand_last(struct side *s, enum trace_ev ev, uint64_t a[TRACE_ARGS])
{
	struct trace_rec r;
	bool found = false;

	while (trace_next(&s->trace, &r))
		if (r.ev == ev) {
			memcpy(a, r.a, sizeof r.a);
			found = true;
		}
	return found;
}

/* The next report that node 2 sends to node 4; false: none. */
bool hand_report(struct side *s, struct bundle *b, struct status_report *r)
{
	static struct flight f;
	struct cursor c;
	uint64_t type;

	side_commit(s, 0);
	if (!side_out(s, 4, &f))
		return false;
	hand_read(&f, b);
	cr_assert(b->flags & BUNDLE_ADMIN);
	cr_assert_eq(admin_open(b->payload, &type, &c), 0);
	cr_assert_eq(type, ADMIN_STATUS_REPORT);
	status_report_read(&c, r);
	cr_assert(cursor_ok(&c));
	return true;
}
