/* Limits of abuse (admit.c, party.c, echo.c, report.c) and the leniencies of rules.allow_*: what each
 * admits, and nothing else; that one source's flood costs the others nothing. */
#include "tests/unit/agent/hand.h"

#include "bundle/base/bytes.h"
#include "bundle/rule.h"

#include <criterion/criterion.h>

#define ROWS(t) (sizeof(t) / sizeof *(t))

static const node_id n13[] = {1, 3};

static void prepare(struct side *s)
{
	side_init(s, 2, n13, 2, NODE_NONE);
	trace_fini(&s->trace);
	cr_assert_eq(trace_init(&s->trace, 4096), 0);
}

static struct bundle_spec spec_of(uint64_t seq)
{
	return (struct bundle_spec){.crc_type = CRC_32C,
		.block_crc_type = CRC_16,
		.dest = eid_ipn(3, 5),
		.source = eid_ipn(1, 9),
		.report_to = eid_null(),
		.created_ms = KIT_DTN,
		.seq = seq,
		.lifetime_ms = HOUR_MS,
		.custody = custody_codes_ccsds()};
}

static void arrive(struct side *s, const struct bundle_spec *spec)
{
	struct flight f;
	struct buf out = buf_of(f.bytes, sizeof f.bytes);

	cr_assert_eq(bundle_build(&out, spec, view_text("payload")), 0);
	f.n = out.len;
	side_in(s, 1, &f);
}

/* The word of the last refusal since the last call; WHY_NONE: there was none. */
static enum why refused(struct side *s)
{
	enum why why = WHY_NONE;
	struct trace_rec r;

	while (trace_next(&s->trace, &r))
		if (r.ev == EV_bundle_refused)
			why = (enum why)r.a[1];
	return why;
}

/* Asks for custody as pair (1, n) of node 1, so that refusals can be told. */
static void ask_custody(struct bundle_spec *spec, uint64_t n)
{
	spec->has_cteb = true;
	spec->flags |= BUNDLE_NO_FRAGMENT;
	spec->cteb = (struct cteb){.seq_no = n, .seq_id = 1, .custodian = eid_ipn(1, 0)};
}

/* Each limit by its word, at its edge; what the previous custodian is told. RFC 9171 5.4-2, 5.4.2-2/2b */
Test(limits, each_has_its_word)
{
	static const uint8_t ssp[] = {0x61, 'x'};
	static const enum why t[] = {WHY_NULL_DESTINATION, WHY_UNKNOWN_SCHEME,
		WHY_GROUP_DESTINATION, WHY_NONE, WHY_FROM_FUTURE, WHY_NONE, WHY_TOO_MANY_BLOCKS};
	struct block_spec block[8];

	for (size_t i = 0; i < ROWS(t); i++) {
		struct bundle_spec spec = spec_of(i);
		bool accepted = false;
		struct trace_rec r;
		struct side s;

		prepare(&s);
		s.cfg.max_blocks = 6; /* four others, custody, payload */
		s.cfg.reports = true;
		side_start(&s, n13, 2);
		for (unsigned k = 0; k < 8; k++)
			block[k] = (struct block_spec){.type = 200};
		spec.block = block;
		ask_custody(&spec, i);
		if (i == 0)
			spec.dest = eid_null();
		else if (i == 1)
			spec.dest = (struct eid){.scheme = 99, .ssp = view_of(ssp, 2)};
		else if (i == 2)
			cr_assert_eq(eid_parse("dtn://n/~all", &spec.dest), 0);
		else if (i <= 4)
			spec.created_ms = KIT_DTN + HOUR_MS + (i == 4);
		else
			spec.n_blocks = i == 5 ? 4 : 5;
		arrive(&s, &spec);
		cr_expect_eq(refused(&s), t[i], "row %zu", i);
		cr_expect_eq(stats(&s).n_bundles, t[i] == WHY_NONE);
		side_commit(&s, 0);
		while (trace_next(&s.trace, &r))
			if (r.ev == EV_custody_signalled)
				accepted = r.a[2] == 1;
		cr_expect_eq(count(&s, EV_custody_signalled), 1, "row %zu", i);
		cr_expect(t[i] != WHY_NONE || accepted, "row %zu", i);
		side_fini(&s);
	}
}

/* Without an accurate clock nobody comes from the future. */
Test(limits, future_needs_a_clock)
{
	struct bundle_spec spec = spec_of(1);
	struct side s;

	prepare(&s);
	s.no_clock = true;
	side_start(&s, n13, 2);
	spec.created_ms = KIT_DTN + 1000 * HOUR_MS;
	spec.has_age = true;
	arrive(&s, &spec);
	cr_expect_eq(refused(&s), WHY_NONE);
	side_fini(&s);
}

/* RFC 9171 5.4.2-2/2b: deleted for the reason for which it can't go on */
Test(limits, refusals_are_reported)
{
	static const enum reason t[] = {
		REASON_DEST_UNAVAILABLE, REASON_TRAFFIC_PARED, REASON_DEPLETED_STORAGE};

	for (unsigned i = 0; i < 3; i++) {
		struct bundle_spec spec = hand_spec(i == 0 ? NODE_NONE : 3);
		struct status_report r;
		struct bundle b;
		struct side s;

		hand_relay(&s);
		spec.flags = BUNDLE_REPORT_DELETION;
		if (i == 1)
			spec.created_ms += 2 * HOUR_MS;
		else if (i == 2)
			s.cfg.source_percent = 1; /* less than one bundle of 64 */
		if (i == 2)
			side_crash(&s, true, hand_neighbours, 3);
		hand_in(&s, &spec);
		cr_assert(hand_report(&s, &b, &r), "row %u", i);
		cr_expect(r.asserted[STATUS_DELETED] && r.reason == t[i], "row %u: %u", i,
			(unsigned)r.reason);
		side_fini(&s);
	}
}

/* A source beyond its rate is refused and counted; the others lose nothing, and it goes on later. */
Test(limits, rate_of_a_source)
{
	uint64_t taken[2] = {0};
	uint64_t seq = 0;
	struct side s;

	prepare(&s);
	s.cfg.source_per_s = 10;
	side_start(&s, n13, 2);
	for (unsigned ms = 0; ms < 2000; ms += 10) { /* 500/s from node 7, 10/s from node 8 */
		s.now = ms * US_PER_MS;
		for (unsigned k = 0; k < 5 + (ms % 100 == 0); k++) {
			struct bundle_spec spec = spec_of(++seq);
			unsigned other = k == 5;
			struct flight f;

			spec.source = eid_ipn(7 + other, 9);
			arrive(&s, &spec);
			if (side_out(&s, 3, &f))
				taken[other]++;
			else
				cr_expect_eq(refused(&s), WHY_SOURCE_RATE);
		}
	}
	cr_expect_eq(taken[1], 20, "node 8 lost nothing");
	cr_expect(taken[0] >= 28 && taken[0] <= 31, "%lu", (unsigned long)taken[0]);
	cr_expect_eq(count(&s, EV_bundle_refused), 1000 - taken[0]);
	side_fini(&s);
}

/* A source can't fill the store: half of it, in bundles or in bytes, and others find room; its own
 * room comes back with what leaves. Told to the previous custodian. */
Test(limits, share_of_a_source)
{
	for (unsigned bytes = 0; bytes < 2; bytes++) {
		uint64_t n = 0, seq = 0;
		struct side s;

		prepare(&s);
		s.cfg.source_percent = 50;
		s.cfg.signal_count = 1;
		if (bytes)
			s.limits.max_bytes = 2048, s.limits.reserved_bytes = 0;
		side_start(&s, n13, 2);
		agent_contact(s.agent, 0, 1, false, 0);
		while (refused(&s) == WHY_NONE && seq < 100) {
			struct bundle_spec spec = spec_of(++seq);

			spec.dest = eid_ipn(9, 1); /* no way: it stays */
			arrive(&s, &spec);
		}
		n = stats(&s).n_bundles;
		cr_expect(bytes ? n > 5 && n < 32 : n == 32, "%lu", (unsigned long)n);
		struct bundle_spec spec = spec_of(++seq);
		ask_custody(&spec, 5);
		arrive(&s, &spec);
		cr_expect_eq(refused(&s), WHY_SOURCE_QUOTA);
		cr_expect_eq(count(&s, EV_custody_signal_tx), 1, "CCS{-1}");
		/* another one, after a restart, too */
		side_commit(&s, 0);
		side_crash(&s, false, n13, 2);
		spec = spec_of(++seq);
		arrive(&s, &spec);
		cr_expect_eq(refused(&s), WHY_SOURCE_QUOTA);
		spec.source = eid_ipn(7, 1);
		arrive(&s, &spec);
		cr_expect_eq(refused(&s), WHY_NONE);
		side_at(&s, (mono)(HOUR_MS + 1) * US_PER_MS);
		spec = spec_of(++seq);
		spec.created_ms += HOUR_MS;
		arrive(&s, &spec);
		cr_expect_eq(refused(&s), WHY_NONE, "room again");
		side_fini(&s);
	}
}

/* More sources than rows: what stores keeps its row, the others share one and its limits; nothing grows
 * and nobody is forgotten who fills the store. */
Test(limits, more_sources_than_rows)
{
	uint64_t seq = 0, n = 0;
	struct side s;

	prepare(&s);
	s.cfg.max_parties = 4;
	s.cfg.source_percent = 10; /* 6 bundles */
	side_start(&s, n13, 2);
	for (unsigned source = 10; source < 200; source++)
		for (unsigned k = 0; k < 10; k++) {
			struct bundle_spec spec = spec_of(++seq);

			spec.source = eid_ipn(source, 1);
			spec.dest = eid_ipn(9, 1);
			arrive(&s, &spec);
		}
	n = stats(&s).n_bundles;
	cr_expect_eq(n, 5 * 6, "four rows and the shared one: %lu", (unsigned long)n);
	side_at(&s, (mono)(HOUR_MS + 1) * US_PER_MS);
	cr_expect_eq(stats(&s).n_bundles, 0);
	side_fini(&s);
}

/* Reports to one node are limited by themselves; a report never asks for one, and none is made about one. */
Test(limits, reports_to_one_node)
{
	uint64_t seq = 0;
	struct side s;

	prepare(&s);
	s.cfg.reports = true;
	s.cfg.reports_per_s = 100;
	s.cfg.reports_per_node_s = 3;
	side_start(&s, n13, 2);
	for (unsigned k = 0; k < 40; k++) {
		struct bundle_spec spec = spec_of(++seq);

		spec.report_to = eid_ipn(k < 30 ? 77 : 78, 1); /* a third node */
		spec.flags = BUNDLE_REPORT_RECEPTION | BUNDLE_REPORT_FORWARDING;
		arrive(&s, &spec);
	}
	cr_expect_eq(count(&s, EV_report_tx), 6, "three to each");
	cr_expect_eq(count(&s, EV_report_kept_back), 40 - 6);
	s.now = SEC;
	struct bundle_spec spec = spec_of(++seq);
	spec.report_to = eid_ipn(77, 1);
	spec.flags = BUNDLE_REPORT_RECEPTION;
	arrive(&s, &spec);
	cr_expect_eq(count(&s, EV_report_tx), 7);
	side_fini(&s);
}

/* Echoes: to one node, of one size. Never to itself or an echo service: test_agent.c. */
Test(limits, echoes_to_one_node)
{
	uint64_t seq = 0;
	struct side s;

	prepare(&s);
	s.cfg.echo_per_s = 100;
	s.cfg.echo_per_node_s = 4;
	s.cfg.echo_max_bytes = 7;
	side_start(&s, n13, 2);
	for (unsigned k = 0; k < 30; k++) {
		struct bundle_spec spec = spec_of(++seq);

		spec.dest = eid_ipn(2, 7);
		spec.source = eid_ipn(k < 20 ? 1 : 3, 9);
		arrive(&s, &spec);
	}
	cr_expect_eq(count(&s, EV_echo_answered), 8);
	cr_expect_eq(count(&s, EV_echo_kept_back), 30 - 8);
	s.now = SEC;
	s.cfg.echo_max_bytes = 6;
	side_crash(&s, true, n13, 2);
	struct bundle_spec spec = spec_of(++seq);
	spec.dest = eid_ipn(2, 7);
	arrive(&s, &spec);
	cr_expect_eq(count(&s, EV_echo_answered), 8, "too large");
	cr_expect_eq(count(&s, EV_echo_kept_back), 30 - 8 + 1);
	side_fini(&s);
}

static void crc16_put(uint8_t *block, size_t n)
{
	uint16_t crc = crc16_x25(0, view_of(block, n));

	be16_put(block + n - 2, crc);
}

/* G1 for node 3 with one thing odd. */
static void odd_make(unsigned which, struct flight *f)
{
	static const uint8_t tail[] = {0x85, 0x01, 0x01, 0x00, 0x00, 0x41, 'x', 0xff};
	uint8_t *p = f->bytes, *block;

	*p++ = which == 2 ? 0x82 : 0x9f;
	block = p;
	*p++ = which == 0 ? 0x88 : 0x89;
	*p++ = 7;
	*p++ = 0;
	*p++ = which == 0 ? 0 : 1;
	memcpy(p, "\x82\x02\x82\x03\x05", 5);
	p += 5;
	if (which == 3) {
		memcpy(p, "\x82\x01\x64n1/a", 7);
		p += 7;
	} else {
		memcpy(p, "\x82\x02\x82\x01\x09", 5);
		p += 5;
	}
	memcpy(p, "\x82\x01\x00\x82", 4);
	p += 4;
	if (which == 1) {
		*p++ = 0;
	} else {
		*p++ = 0x1b;
		be64_put(p, KIT_DTN);
		p += 8;
	}
	memcpy(p, "\x07\x1a\x00\x36\xee\x80", 6);
	p += 6;
	if (which != 0) {
		memcpy(p, "\x42\0\0", 3);
		p += 3;
		crc16_put(block, (size_t)(p - block));
	}
	memcpy(p, tail, sizeof tail - (which == 2));
	p += sizeof tail - (which == 2);
	f->n = (size_t)(p - f->bytes);
}

/* Each switch of rules.allow_* admits exactly its leniency; the bundle then leaves as one that can be read.
 * RFC 9171 4.3.1/6b, 4.4.2/2, 4.1/10, 4.2.5.1.1/d1 */
Test(limits, each_leniency_by_its_switch)
{
	static const unsigned rule[] = {
		RULE_PRIMARY_CRC_MISSING, RULE_AGE_MISSING, RULE_OUTER_DEFINITE, RULE_EID_FORM};

	for (unsigned on = 0; on <= 4; on++) { /* 4: none */
		struct trace_rec r;
		struct flight f, out;
		struct side s;

		prepare(&s);
		s.cfg.allow_no_primary_crc = on == 0;
		s.cfg.allow_no_age = on == 1;
		s.cfg.allow_definite = on == 2;
		s.cfg.allow_short_dtn = on == 3;
		side_start(&s, n13, 2);
		for (unsigned which = 0; which < 4; which++) {
			unsigned told = RULE_NONE;

			odd_make(which, &f);
			side_in(&s, 1, &f);
			while (trace_next(&s.trace, &r))
				if (r.ev == EV_bundle_rejected)
					told = (unsigned)r.a[1];
			cr_expect_eq(told, which == on ? RULE_NONE : rule[which], "%u with %u: %s",
				which, on, rule_name(told));
			cr_expect_eq(side_out(&s, 3, &out), which == on, "%u with %u", which, on);
			if (which == on) {
				struct bundle_rules rules = bundle_rules_default();
				struct bundle_fault fault;
				struct bundle b;

				rules.allow_no_primary_crc = on == 0;
				rules.allow_no_age = on == 1;
				rules.allow_short_dtn = on == 3;
				cr_expect_eq(
					bundle_read(&b, view_of(out.bytes, out.n), &rules, &fault),
					0, "%u: %s", on, rule_name(fault.rule));
			}
		}
		side_fini(&s);
	}
}

/* Of the last of the room each step is for bundles that have come further, and all for what ends here: nodes that
 * are full of bundles for each other go on. */
Test(limits, room_for_what_came_further)
{
	struct bundle_spec spec = spec_of(1000);
	uint64_t made = 0, most = 1024 - 1024 / 16, step = 1024 / 128;
	struct side s;

	prepare(&s);
	s.cfg.max_bundles = 1024;
	side_start(&s, NULL, 0);
	while (side_send(&s, 3, 5, HOUR_MS, true) == 0) {
		made++;
		side_commit(&s, 0);
	}
	cr_assert_eq(made, most - 7 * step, "made here");
	for (uint64_t hops = 1; hops <= 9; hops++) {
		spec.hop_limit = 30;
		spec.hop_count = hops;
		spec.has_hop = true;
		for (uint64_t i = 0; i < 2 * step; i++) {
			uint64_t left = 7 * step - (stats(&s).n_bundles - made);
			bool fits = left > (hops < 7 ? 7 - hops : 0) * step;

			spec.seq++;
			arrive(&s, &spec);
			cr_assert_eq(refused(&s),
				fits   ? WHY_NONE
				: left ? WHY_STORE_FULL
				       : WHY_TABLE_FULL,
				"hops %u, %u", (unsigned)hops, (unsigned)i);
		}
	}
	cr_assert_eq(stats(&s).n_bundles, most);
	side_fini(&s);
}

Test(limits, full_but_for_what_ends_here)
{
	struct bundle_spec spec = spec_of(1000);
	struct side s;

	prepare(&s);
	s.cfg.max_bundles = 1024;
	side_start(&s, NULL, 0);
	while (side_send(&s, 3, 5, HOUR_MS, true) == 0)
		side_commit(&s, 0);
	cr_assert_eq(refused(&s), WHY_NONE);
	for (unsigned registered = 0; registered < 2; registered++) {
		spec.dest = eid_ipn(2, 5);
		for (unsigned i = 0; i < 10; i++) { /* a step is eight */
			spec.seq++;
			arrive(&s, &spec);
		}
		cr_assert_eq(refused(&s), registered ? WHY_NONE : WHY_STORE_FULL, "%u, %u here",
			registered, (unsigned)stats(&s).n_bundles);
		if (!registered)
			side_register(&s, 5, 1);
	}
	side_fini(&s);
}

/* So do small nodes: whatever their size, what ends here has room beside what was made here, and what is put into
 * tunnels and records of others leave an entry for our signals. */
Test(limits, small_nodes_have_steps_too)
{
	static const uint64_t sizes[] = {16, 17, 31, 32, 63, 64, 100, 127, 128};

	for (size_t i = 0; i < ROWS(sizes); i++) {
		struct bundle_spec spec = spec_of(1000);
		uint64_t reserve = sizes[i] < 32 ? 2 : sizes[i] / 16, made;
		struct side s;

		prepare(&s);
		s.cfg.max_bundles = sizes[i];
		side_start(&s, NULL, 0);
		while (side_send(&s, 3, 5, HOUR_MS, true) == 0)
			side_commit(&s, 0);
		made = stats(&s).n_bundles;
		cr_expect_eq(made, sizes[i] - reserve - 7, "%zu", i);
		side_register(&s, 5, 1);
		spec.dest = eid_ipn(2, 5);
		do {
			spec.seq++;
			arrive(&s, &spec);
		} while (refused(&s) == WHY_NONE);
		cr_expect_eq(stats(&s).n_bundles, made + 7, "%zu", i);
		do {
			spec.dest = eid_ipn(3, 0);
			spec.source = eid_ipn(1, 0);
			spec.flags = BUNDLE_ADMIN;
			spec.seq++;
			arrive(&s, &spec);
		} while (refused(&s) == WHY_NONE);
		cr_expect_eq(stats(&s).n_bundles, sizes[i] - reserve / 2, "%zu", i);
		side_fini(&s);
	}
}

/* Whoever calls his bundles administrative records may not take all that is kept for signals. */
Test(limits, records_of_others_leave_room_for_our_signals)
{
	struct bundle_spec record = spec_of(1), data = spec_of(1);
	enum why why = WHY_NONE;
	struct side s;

	prepare(&s);
	s.cfg.max_bundles = 1024;
	s.cfg.signal_count = 1;
	side_start(&s, NULL, 0);
	while (side_send(&s, 3, 5, HOUR_MS, true) == 0)
		side_commit(&s, 0);
	record.source = eid_ipn(1, 0);
	record.flags = BUNDLE_ADMIN;
	for (; why == WHY_NONE && record.seq < 2000; record.seq++) {
		arrive(&s, &record);
		side_commit(&s, 0);
		why = refused(&s);
	}
	cr_assert_eq(why, WHY_STORE_FULL);
	cr_assert_gt(stats(&s).n_bundles, 1024 - 1024 / 16, "more than others may have");
	ask_custody(&data, 1);
	arrive(&s, &data);
	cr_assert_eq(count(&s, EV_custody_signal_tx), 1, "it is told that there is no room");
	side_fini(&s);
}

/* Custody in the name of custodians that are nowhere makes no signals, which would lie here until they expire. */
Test(limits, custodians_that_nobody_reaches)
{
	struct bundle_spec spec = spec_of(1);
	uint64_t before;
	struct side s;

	prepare(&s);
	s.cfg.max_bundles = 1024;
	s.cfg.signal_count = 1;
	side_start(&s, n13, 2);
	side_register(&s, 5, 1);
	before = stats(&s).n_bundles;
	spec.dest = eid_ipn(2, 5);
	for (uint64_t n = 1; n <= 100; n++) {
		ask_custody(&spec, n);
		spec.cteb.custodian = eid_ipn(1000 + n, 0);
		spec.seq = n;
		arrive(&s, &spec);
		side_commit(&s, 0);
	}
	cr_assert_eq(count(&s, EV_custody_taken), 100);
	cr_assert_eq(count(&s, EV_custody_signal_tx), 0);
	cr_assert_eq(stats(&s).n_bundles - before, 100);
	ask_custody(&spec, 1);
	spec.seq = 101;
	arrive(&s, &spec);
	side_commit(&s, 0);
	side_commit(&s, 0);
	cr_assert_eq(count(&s, EV_custody_signal_tx), 1, "node 1 is a neighbour");
	side_fini(&s);
}
