/* Compressed reports: CCSDS 734.6. Out: node 2 between 1 and 3, reports go to node 4. In: node 1. */
#include "tests/unit/agent/hand.h"

#include "bundle/ccs.h"
#include "bundle/cbor.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const node_id n2[] = {2}, n1[] = {1};

/* The next bundle for node 4 as "kind:id:from-to ..."; "" for none. */
static const char *signal_out(struct side *s, node_id to)
{
	static char text[256];
	static struct flight f;
	struct custody_codes codes =
		s->cfg.custody_profile ? custody_codes_bplib() : custody_codes_ccsds();
	struct range run[16];
	struct ccs_sequence q = {.numbers = ranges_of(run, 16)};
	struct ccs_reader r;
	struct bundle b;
	size_t n = 0;

	text[0] = 0;
	side_commit(s, 0);
	if (!side_out(s, to, &f))
		return text;
	hand_read(&f, &b);
	cr_expect(b.flags == BUNDLE_ADMIN && eid_is_null(&b.report_to) && !b.has_cteb);
	cr_expect(b.source.node == 2 && eid_is_admin(&b.source));
	if (crs_open(&r, b.payload, &codes) != 0)
		return "another record";
	while (ccs_next(&r, &q)) {
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%d:%d", n ? " " : "",
			(int)q.kind, (int)q.seq_id);
		for (size_t i = 0; i < q.numbers.n; i++)
			n += (size_t)snprintf(text + n, sizeof text - n, ":%d-%d",
				(int)q.numbers.run[i].from, (int)q.numbers.run[i].to - 1);
		if (q.has_source)
			n += (size_t)snprintf(text + n, sizeof text - n, "@%d", (int)q.source.node);
	}
	cr_expect(cursor_ok(&r.c));
	return text;
}

static struct bundle_spec asking(node_id to, uint64_t no, uint64_t flags)
{
	struct bundle_spec s = hand_spec(to);

	s.flags = BUNDLE_NO_FRAGMENT | flags;
	s.has_creb = true;
	s.creb = (struct creb){.seq_no = no, .seq_id = 1};
	return s;
}

/* Runs of numbers, when the time is over; nothing before. */
Test(crs, gathered)
{
	struct side s;

	hand_relay(&s);
	for (uint64_t no = 10; no < 16; no++) {
		struct bundle_spec spec = asking(5, no, BUNDLE_REPORT_RECEPTION);

		if (no != 13)
			hand_in(&s, &spec);
	}
	cr_expect_str_eq(signal_out(&s, 4), "");
	cr_expect_eq(count(&s, EV_report_tx), 0);
	side_at(&s, 5 * SEC);
	cr_expect_str_eq(signal_out(&s, 4), "0:1:10-12:14-15@1");
	cr_expect_str_eq(signal_out(&s, 4), "");
	cr_expect_eq(count(&s, EV_report_tx), 5);
	cr_expect_eq(count(&s, EV_crs_tx), 1);
	side_fini(&s);
}

/* The bytes: the example of D.5 with its block source, which is not who gets it. */
Test(crs, bytes)
{
	struct bundle_spec spec;
	struct flight f;
	struct bundle b;
	struct side s;

	hand_relay(&s);
	for (uint64_t no = 0; no < 5; no++) {
		spec = asking(3, no, 0);
		spec.dest = eid_ipn(3, 1);
		spec.creb.seq_id = 0;
		spec.creb.has_flags = true;
		spec.creb.flags = CREB_RECEPTION;
		hand_in(&s, &spec);
	}
	side_commit(&s, 0);
	side_at(&s, 5 * SEC);
	side_commit(&s, 0);
	cr_assert(side_out(&s, 4, &f));
	hand_read(&f, &b);
	cr_assert_eq(b.payload.n, 18);
	cr_expect_arr_eq(b.payload.p,
		"\x82\x0e\xa1\x00\x81\x84\x82\x02\x82\x03\x01\x00\x05\x82\x02\x82\x01\x00", 18);
	side_fini(&s);
}

/* What the block says comes before the primary block; what it leaves out comes from there. */
Test(crs, which)
{
	static const struct {
		uint64_t primary, flags; /* of the block, 0x100: it has none */
		const char *text;        /* signal after reception and forwarding */
		unsigned n_single;
	} rows[] = {{BUNDLE_REPORT_RECEPTION | BUNDLE_REPORT_FORWARDING, 0x100,
			    "0:1:7-7@1 1:1:7-7@1", 0},
		{0, CREB_FORWARDING | CREB_DELIVERY, "1:1:7-7@1", 0},
		{BUNDLE_REPORT_RECEPTION, CREB_FORWARDING, "1:1:7-7@1", 1},
		{BUNDLE_REPORT_RECEPTION | BUNDLE_REPORT_FORWARDING, CREB_DELETION, "", 2},
		{0, 0x100, "", 0}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bundle_spec spec = asking(3, 7, rows[i].primary);
		struct status_report r;
		struct flight f;
		struct bundle b;
		struct side s;

		hand_relay(&s);
		spec.creb.has_flags = rows[i].flags != 0x100;
		spec.creb.flags = rows[i].flags & 0xff;
		hand_in(&s, &spec);
		cr_assert(side_out(&s, 3, &f));
		for (unsigned k = 0; k < rows[i].n_single; k++)
			cr_expect(hand_report(&s, &b, &r), "row %zu", i);
		cr_expect_str_eq(signal_out(&s, 4), "");
		side_at(&s, 5 * SEC);
		cr_expect_str_eq(signal_out(&s, 4), rows[i].text);
		/* the block went on as it came */
		hand_read(&f, &b);
		cr_expect(b.has_creb && b.creb.seq_no == 7 &&
			  b.creb.has_flags == spec.creb.has_flags);
		side_fini(&s);
	}
}

/* Full lists go at once; one for each addressee, block source and profile. */
Test(crs, lists)
{
	struct bundle_spec spec;
	struct side s;

	hand_relay(&s);
	for (uint64_t no = 0; no < 21; no++) {
		spec = asking(5, no, BUNDLE_REPORT_RECEPTION);
		hand_in(&s, &spec);
	}
	cr_expect_str_eq(signal_out(&s, 4), "0:1:0-9@1");
	cr_expect_str_eq(signal_out(&s, 4), "0:1:10-19@1");
	spec = asking(5, 30, BUNDLE_REPORT_RECEPTION);
	spec.creb.has_flags = spec.creb.has_reporter = spec.creb.has_report_to = true;
	spec.creb.flags = CREB_RECEPTION;
	spec.creb.reporter = spec.creb.report_to = eid_ipn(3, 0);
	hand_in(&s, &spec);
	side_at(&s, 5 * SEC);
	cr_expect_str_eq(signal_out(&s, 4), "0:1:20-20@1");
	cr_expect_str_eq(signal_out(&s, 3), "0:1:30-30", "who gets it is the block source");
	side_fini(&s);
}

/* At the end of the contact to the addressee, and at the end of the node. */
Test(crs, in_time)
{
	struct bundle_spec spec = asking(5, 1, BUNDLE_REPORT_RECEPTION);
	struct side s;

	hand_relay(&s);
	agent_contact(s.agent, 0, (unsigned)agent_neighbour(s.agent, 4), true, 6 * SEC);
	hand_in(&s, &spec);
	side_at(&s, 4 * SEC); /* custody.margin is 2 s */
	cr_expect_str_eq(signal_out(&s, 4), "0:1:1-1@1");
	spec = asking(5, 2, BUNDLE_REPORT_RECEPTION);
	hand_in(&s, &spec);
	cr_expect(!agent_drain(s.agent, s.now));
	cr_expect_str_eq(signal_out(&s, 4), "0:1:2-2@1");
	cr_expect(agent_drain(s.agent, s.now));
	side_fini(&s);
}

/* Off by default; not of what may not be reported on; nobody to tell. */
Test(crs, none)
{
	for (int i = 0; i < 4; i++) {
		struct bundle_spec spec = asking(5, 1, i == 1 ? 0 : BUNDLE_REPORT_RECEPTION);
		struct side s;

		hand_relay(&s);
		if (i == 0) {
			agent_free(s.agent);
			s.cfg.reports = false;
			side_start(&s, hand_neighbours, 3);
		} else if (i == 1) {
			spec.source = eid_null();
			spec.creb.has_flags = true;
			spec.creb.flags = 0x3f;
		} else if (i == 2) {
			spec.report_to = eid_null();
		} else {
			spec.flags = BUNDLE_ADMIN | BUNDLE_NO_FRAGMENT;
		}
		hand_in(&s, &spec);
		side_at(&s, 5 * SEC);
		cr_expect_str_eq(signal_out(&s, 4), "", "row %d", i);
		cr_expect_eq(count(&s, EV_crs_tx), 0);
		side_fini(&s);
	}
}

/* A signal counts as one report. What its rate holds back waits in its list, and no longer than that is
 * short; then reports are kept back, and told. */
Test(crs, rate)
{
	struct bundle_spec spec;
	struct side s;

	hand_relay(&s);
	agent_free(s.agent);
	s.cfg.reports_per_s = 2;
	s.cfg.reports_per_node_s = 1;
	side_start(&s, hand_neighbours, 3);
	for (uint64_t no = 0; no < 25; no++) {
		spec = asking(5, no, BUNDLE_REPORT_RECEPTION);
		hand_in(&s, &spec);
	}
	cr_expect_str_eq(signal_out(&s, 4), "0:1:0-9@1");
	cr_expect_str_eq(signal_out(&s, 4), "");
	cr_expect_eq(count(&s, EV_report_kept_back), 5);
	side_at(&s, 1 * SEC);
	cr_expect_str_eq(signal_out(&s, 4), "0:1:10-19@1");
	side_fini(&s);
}

/* 0x10, 0x20: custody taken, told after its commit; custody refused. */
Test(crs, custody)
{
	struct bundle_spec spec = asking(5, 3, 0);
	struct side s;

	hand_relay(&s);
	spec.creb.has_flags = true;
	spec.creb.flags = CREB_ACCEPTANCE | CREB_REFUSAL;
	spec.has_cteb = true;
	spec.cteb = (struct cteb){.seq_no = 1, .seq_id = 1, .custodian = eid_ipn(1, 0)};
	hand_in(&s, &spec);
	side_at(&s, 5 * SEC);
	cr_expect_eq(count(&s, EV_crs_tx), 0, "custody is not ours yet");
	side_commit(&s, 0);
	side_at(&s, 10 * SEC);
	cr_expect_str_eq(signal_out(&s, 4), "4:1:3-3@1");
	spec.creb.seq_no = spec.cteb.seq_no = 4;
	spec.seq += 1000;
	spec.has_hop = true;
	spec.hop_limit = spec.hop_count = 5;
	hand_in(&s, &spec);
	side_at(&s, 15 * SEC);
	cr_expect_str_eq(signal_out(&s, 4), "5:1:4-4@1");
	side_fini(&s);
}

/* Profile bplib: block 16, record 3, one sequence a signal. */
Test(crs, bplib)
{
	struct bundle_spec spec;
	struct side s;

	hand_relay(&s);
	agent_free(s.agent);
	s.cfg.custody_profile = PROFILE_BPLIB;
	side_start(&s, hand_neighbours, 3);
	for (uint64_t no = 0; no < 2; no++) {
		struct flight f;

		spec = asking(3, no, BUNDLE_REPORT_RECEPTION | BUNDLE_REPORT_FORWARDING);
		spec.custody = custody_codes_bplib();
		hand_in(&s, &spec);
		cr_assert(side_out(&s, 3, &f));
	}
	side_at(&s, 5 * SEC);
	cr_expect_str_eq(signal_out(&s, 4), "0:1:0-1@1");
	side_at(&s, 6 * SEC);
	cr_expect_str_eq(signal_out(&s, 4), "1:1:0-1@1");
	side_fini(&s);
}

/* -- the source of the bundles */

static int send_asking(struct side *s, uint64_t flags, uint64_t custody_reports, bool compressed)
{
	struct view p = view_text("x");
	struct agent_send a = {.source = eid_ipn(1, 9),
		.dest = eid_ipn(2, 5),
		.report_to = eid_ipn(1, 0),
		.lifetime_ms = HOUR_MS,
		.priority = 1,
		.crc_type = CRC_16,
		.payload = &p,
		.n_payload = 1,
		.flags = flags,
		.compressed = compressed,
		.custody_reports = custody_reports};

	return agent_send(s->agent, s->now, &a, &s->last_request);
}

/* Numbers from 0 that go on after a crash and are told to the application. */
Test(crs, source)
{
	static const struct {
		uint64_t flags, custody;
		bool compressed, by_default, has;
	} rows[] = {{BUNDLE_REPORT_DELIVERY, 0, true, false, true},
		{BUNDLE_REPORT_DELIVERY, 0, false, true, true},
		{BUNDLE_REPORT_DELIVERY, 0, false, false, false}, {0, 0, true, true, false},
		{0, CREB_ACCEPTANCE, true, false, true},
		{BUNDLE_REPORT_DELETION, CREB_REFUSAL, true, false, true}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct agent_event ev;
		struct flight f;
		struct bundle b;
		struct side a;

		side_init(&a, 1, n2, 1, 2);
		a.cfg.compressed_reports = rows[i].by_default;
		side_start(&a, n2, 1);
		for (uint64_t no = 0; no < 2; no++) {
			cr_assert_eq(
				send_asking(&a, rows[i].flags, rows[i].custody, rows[i].compressed),
				0);
			side_commit(&a, 0);
			cr_assert(agent_event(a.agent, a.now, &ev));
			cr_expect(ev.type == AGENT_ACCEPTED && ev.report_id == rows[i].has);
			cr_expect_eq(ev.report_no, rows[i].has ? no : 0);
			cr_assert(side_out(&a, 2, &f));
			hand_read(&f, &b);
			cr_expect_eq(b.has_creb, rows[i].has, "row %zu", i);
			cr_expect_eq((b.flags & BUNDLE_NO_FRAGMENT) != 0, rows[i].has);
			if (!rows[i].has)
				continue;
			cr_expect(b.creb.seq_no == no && b.creb.seq_id == 1);
			cr_expect_eq(b.creb.has_flags, rows[i].custody != 0);
			cr_expect(!rows[i].custody ||
				  b.creb.flags ==
					  (rows[i].custody | (rows[i].flags ? CREB_DELETION : 0)));
		}
		side_crash(&a, false, n2, 1);
		cr_assert_eq(
			send_asking(&a, rows[i].flags, rows[i].custody, rows[i].compressed), 0);
		side_commit(&a, 0);
		cr_assert(agent_event(a.agent, a.now, &ev));
		cr_expect(!rows[i].has || ev.report_no > 1, "a number never comes again");
		side_fini(&a);
	}
}

/* From end to end: two nodes, the report is told for the bundle it names. */
Test(crs, told)
{
	uint64_t arg[TRACE_ARGS], id;
	struct side a, b;

	side_init(&a, 1, n2, 1, 2);
	trace_fini(&a.trace);
	cr_assert_eq(trace_init(&a.trace, 256), 0);
	side_init(&b, 2, n1, 1, 1);
	b.cfg.reports = true;
	side_start(&a, n2, 1);
	side_start(&b, n1, 1);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(send_asking(&a, BUNDLE_REPORT_RECEPTION, 0, true), 0);
	side_commit(&a, 0);
	side_listen(&a);
	id = a.last_id;
	cr_assert_eq(side_pass(&a, &b), 3);
	side_commit(&b, 0);
	side_at(&b, 5 * SEC);
	side_commit(&b, 0);
	cr_assert_eq(side_pass(&b, &a), 1, "one signal about three");
	cr_expect_eq(count(&a, EV_report_rx), 3);
	cr_assert(hand_last(&a, EV_report_rx, arg));
	cr_expect(arg[0] == id && arg[1] == 2 && arg[2] == CRS_RECEIVED);
	side_fini(&a);
	side_fini(&b);
}

/* What nobody sent to us: numbers we never gave, of other sequences, of other nodes, all of them. */
Test(crs, forged)
{
	static const struct {
		uint64_t seq_id, from, n;
		node_id source; /* 0: none */
		unsigned n_told;
	} rows[] = {{1, 0, 3, NODE_NONE, 3}, {1, 3, 5, NODE_NONE, 0}, {2, 0, 3, NODE_NONE, 0},
		{1, 0, 3, 7, 0}, {1, 0, 3, 1, 3}, {1, 0, UINT64_C(1) << 60, NODE_NONE, 3},
		{1, 64, 3, NODE_NONE, 0}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct custody_codes codes = custody_codes_ccsds();
		struct range run = {rows[i].from, rows[i].from + rows[i].n};
		struct ccs_sequence q = {.kind = CRS_DELIVERED,
			.seq_id = rows[i].seq_id,
			.has_source = rows[i].source != NODE_NONE,
			.source = eid_ipn(rows[i].source, 0),
			.numbers = {&run, 1, 1}};
		struct bundle_spec spec = hand_spec(1);
		uint8_t room[256];
		struct buf record = buf_of(room, sizeof room);
		struct flight f;
		struct side a;
		uint64_t held;

		side_init(&a, 1, n2, 1, 2);
		side_start(&a, n2, 1);
		for (int k = 0; k < 3; k++)
			cr_assert_eq(send_asking(&a, BUNDLE_REPORT_DELIVERY, 0, true), 0);
		side_commit(&a, 0);
		held = stats(&a).n_bundles;
		spec.source = eid_ipn(66, 0);
		spec.dest = eid_ipn(1, 0);
		spec.flags = BUNDLE_ADMIN;
		crs_write(&record, &codes, &q, 1);
		hand_make(&f, &spec, buf_view(&record));
		side_in(&a, 2, &f);
		cr_expect_eq(count(&a, EV_report_rx), rows[i].n_told, "row %zu", i);
		cr_expect_eq(count(&a, EV_crs_rx), 1);
		cr_expect_eq(stats(&a).n_bundles, held, "it releases nothing");
		room[1] = 15; /* another record; a cut one */
		for (size_t n = 0; n <= record.len; n++) {
			spec.seq += 1000;
			hand_make(&f, &spec, view_of(room, n));
			side_in(&a, 2, &f);
		}
		cr_expect_eq(count(&a, EV_crs_rx), 1);
		side_fini(&a);
	}
}

/* Numbers begin again behind the largest of custody.counter_bits. */
Test(crs, counters_wrap)
{
	struct view payload = view_text("data");
	struct agent_send send = {.source = eid_ipn(1, 9),
		.dest = eid_ipn(2, 5),
		.report_to = eid_ipn(1, 9),
		.lifetime_ms = HOUR_MS,
		.flags = BUNDLE_REPORT_DELIVERY,
		.priority = 1,
		.compressed = true,
		.crc_type = CRC_32C,
		.payload = &payload,
		.n_payload = 1};
	uint64_t request, n, seq, want[] = {0, 65535, 0};
	struct side s;

	side_init(&s, 1, n2, 1, NODE_NONE);
	s.cfg.custody_counter = COUNTER_16;
	side_start(&s, n2, 1);
	for (size_t i = 0; i < 3; i++) {
		struct flight f;
		struct bundle b;

		cr_assert_eq(agent_send(s.agent, s.now, &send, &request), 0);
		side_commit(&s, 0);
		cr_assert(side_out(&s, 2, &f));
		hand_read(&f, &b);
		cr_assert(b.has_creb);
		cr_expect_eq(b.creb.seq_no, want[i], "bundle %zu", i);
		if (i == 0)
			cr_assert_eq(store_reserve(s.store, COUNTER_REPORTING, 65534, &n, &seq), 0);
		side_commit(&s, 0);
	}
	side_fini(&s);
}
