/* RFC 9758 5, RFC 9713, and what is never encoded again, at one agent as in test_conformance.c. */
#include "tests/unit/agent/hand.h"

#include "bundle/admin.h"
#include "bundle/rule.h"

#include <criterion/criterion.h>

#define ROWS(t) (sizeof(t) / sizeof *(t))

/* RFC 9171 4.2.5.2/d1, RFC 9171 4.2.5.2/1: the administrative endpoint is always there, and nobody else's */
Test(conformance, administrative_endpoint)
{
	struct eid e = eid_ipn(2, 0);
	struct bundle_spec spec = hand_spec(2);
	struct side s;
	uint32_t reg;

	hand_relay(&s);
	cr_assert_eq(agent_register(s.agent, s.now, &e, &reg), 0);
	cr_expect_neq(e.service, 0, "an application gets another one");
	spec.dest = eid_ipn(2, 0);
	spec.flags = BUNDLE_ADMIN;
	hand_in(&s, &spec);
	side_commit(&s, 0);
	side_listen(&s);
	cr_expect_eq(heard(&s, AGENT_DELIVERY), 0);
	cr_expect_eq(count(&s, EV_bundle_released), 1);
	side_fini(&s);
}

/* RFC 9171 4.2.5.2/d1: reports to this node itself, and what its applications send to it, are read and gone */
Test(conformance, administrative_endpoint_from_within)
{
	struct view p = view_text("x");
	struct agent_send a = {.source = eid_ipn(2, 9),
		.report_to = eid_null(),
		.lifetime_ms = HOUR_MS,
		.priority = 1,
		.crc_type = CRC_16,
		.payload = &p,
		.n_payload = 1};
	struct bundle_spec spec = hand_spec(3);
	uint64_t number, n;
	struct side s;

	hand_relay(&s);
	n = stats(&s).n_bundles;
	spec.flags = BUNDLE_REPORT_RECEPTION;
	spec.report_to = eid_ipn(2, 0);
	hand_in(&s, &spec);
	side_commit(&s, 0);
	cr_expect_eq(count(&s, EV_report_rx), 1);
	for (uint64_t service = 0; service <= 7; service += 7) {
		a.dest = eid_ipn(2, service);
		cr_assert_eq(agent_send(s.agent, s.now, &a, &number), 0);
	}
	side_commit(&s, 0);
	cr_expect_eq(stats(&s).n_bundles, n + 1, "the bundle for node 3");
	cr_expect_eq(count(&s, EV_echo_answered), 0);
	side_fini(&s);
}

/* RFC 9713 2/1, 2/2, 2/d1, 4.1/d1: unknown and malformed records are ignored; the bundle was delivered */
Test(conformance, records_that_are_ignored)
{
	static const struct {
		uint8_t record[8];
		size_t n;
	} t[] = {{{0x82, 0x00, 0x80}, 3}, {{0x82, 0x02, 0x80}, 3}, {{0x82, 0x03, 0x80}, 3},
		{{0x82, 0x04, 0x80}, 3}, {{0x82, 0x0f, 0x80}, 3},
		{{0x82, 0x19, 0xfb, 0xc0, 0x80}, 5}, {{0x82, 0x19, 0xff, 0xff, 0x80}, 5},
		{{0x82, 0x01, 0x80}, 3}, {{0x82, 0x01}, 2}, {{0xff}, 1}, {{0}, 0}};

	for (size_t i = 0; i < ROWS(t); i++) {
		struct bundle_spec spec = hand_spec(2);
		uint64_t a[TRACE_ARGS];
		struct flight f;
		struct side s;

		hand_relay(&s);
		spec.dest = eid_ipn(2, 0);
		spec.flags = BUNDLE_ADMIN;
		hand_make(&f, &spec, view_of(t[i].record, t[i].n));
		side_in(&s, 1, &f);
		cr_expect_eq(count(&s, EV_report_rx) + count(&s, EV_custody_signal_rx), 0);
		cr_expect_eq(count(&s, EV_bundle_refused), 1, "row %zu is counted", i);
		cr_assert(hand_last(&s, EV_bundle_released, a), "row %zu", i);
		cr_expect_eq(a[1], WHY_ADMIN_DONE);
		side_fini(&s);
	}
}

/* RFC 9171 5.12/1, 5.12/2 */
Test(conformance, cancel)
{
	struct status_report r;
	struct view p = view_text("x");
	struct agent_send a = {.source = eid_ipn(2, 9),
		.dest = eid_ipn(9, 5),
		.report_to = REPORTS_TO,
		.lifetime_ms = HOUR_MS,
		.priority = 1,
		.crc_type = CRC_16,
		.payload = &p,
		.n_payload = 1,
		.flags = BUNDLE_REPORT_DELETION};
	struct eid other = eid_ipn(1, 9);
	struct agent_event ev;
	uint64_t number, t[TRACE_ARGS];
	struct bundle b;
	struct side s;

	hand_relay(&s);
	cr_assert_eq(agent_send(s.agent, s.now, &a, &number), 0);
	side_commit(&s, 0);
	cr_assert(agent_event(s.agent, s.now, &ev));
	cr_assert_eq(ev.type, AGENT_ACCEPTED);
	cr_expect_eq(agent_cancel(s.agent, s.now, &other, ev.created_ms, ev.seq), -E_NOT_OURS);
	cr_expect_eq(
		agent_cancel(s.agent, s.now, &a.source, ev.created_ms, ev.seq + 1), -E_UNKNOWN);
	cr_assert_eq(agent_cancel(s.agent, s.now, &a.source, ev.created_ms, ev.seq), 0);
	cr_assert(hand_last(&s, EV_bundle_deleted, t));
	cr_expect_eq(t[1], REASON_CANCELLED);
	cr_assert(hand_report(&s, &b, &r));
	cr_expect(r.asserted[STATUS_DELETED] && r.reason == REASON_CANCELLED && r.seq == ev.seq);
	cr_expect_eq(agent_cancel(s.agent, s.now, &a.source, ev.created_ms, ev.seq), -E_UNKNOWN);
	side_fini(&s);
}

/* RFC 9758 5.4/1, 5.4/2, 5.4/3, 5.4/4: LocalNode stays within; from outside it is discarded without a word */
Test(conformance, local_node)
{
	const struct eid local = eid_ipn(NODE_LOCAL, 5);
	struct view p = view_text("x");
	struct agent_send a = {.source = eid_ipn(NODE_LOCAL, 9),
		.dest = eid_ipn(3, 5),
		.report_to = eid_ipn(NODE_LOCAL, 9),
		.lifetime_ms = HOUR_MS,
		.priority = 1,
		.crc_type = CRC_16,
		.payload = &p,
		.n_payload = 1};
	struct flight f;
	struct bundle b;
	uint64_t number;
	struct side s;

	hand_relay(&s);
	for (unsigned i = 0; i < 4; i++) {
		struct bundle_spec spec = hand_spec(3);
		struct status_report r;

		spec.flags = BUNDLE_REPORT_DELETION | BUNDLE_REPORT_RECEPTION;
		if (i == 0)
			spec.dest = local;
		else if (i == 1)
			spec.source = local;
		else if (i == 2)
			spec.report_to = local;
		else
			spec = (struct bundle_spec){.flags = BUNDLE_NO_FRAGMENT,
				.crc_type = CRC_16,
				.dest = spec.dest,
				.source = spec.source,
				.report_to = spec.report_to,
				.created_ms = KIT_DTN,
				.lifetime_ms = HOUR_MS,
				.has_cteb = true,
				.cteb = {.seq_no = 1, .seq_id = 1, .custodian = local},
				.custody = spec.custody};
		hand_in(&s, &spec);
		cr_expect_eq(count(&s, EV_bundle_rejected) + count(&s, EV_bundle_refused), i + 1);
		cr_expect_not(hand_report(&s, &b, &r), "%u", i);
		cr_expect_not(side_out(&s, 3, &f), "%u", i);
	}
	/* an application may say it; what leaves names the node */
	cr_assert_eq(agent_send(s.agent, s.now, &a, &number), 0);
	cr_assert(side_out(&s, 3, &f));
	hand_read(&f, &b);
	cr_expect(b.source.node == 2 && b.report_to.node == 2);
	a.dest = local;
	(void)side_register(&s, 5, 1);
	cr_assert_eq(agent_send(s.agent, s.now, &a, &number), 0);
	side_commit(&s, 0);
	side_commit(&s, 0);
	side_listen(&s);
	cr_expect_eq(heard(&s, AGENT_DELIVERY), 1);
	side_fini(&s);
}

/* RFC 9758 3.4.3/1, 5.5/1, 5.5/2, 5.5/3, 9.2/d1: a border, both ways; numbers just beside the private range pass */
Test(conformance, domain_border)
{
	static const struct {
		node_id source, dest, report_to;
		bool crosses;
	} t[] = {{0x4000, 0x5000, 0, true}, {0x3fff, 0x5000, 0, false}, {0x4000, 3, 0, false},
		{0x4000, 0x5000, 1, false}, {UINT64_C(7) << 32 | 1, 0x5000, 0x4000, true}};
	static const node_id near[] = {0x4001, 0x4002};

	for (unsigned outwards = 0; outwards < 2; outwards++)
		for (size_t i = 0; i < ROWS(t); i++) {
			struct bundle_spec spec = hand_spec(3);
			struct flight f;
			struct side s;

			side_init(&s, 2, near, 2, near[1]);
			side_start(&s, near, 2);
			agent_border(s.agent, outwards,
				true); /* the neighbour it comes from, or goes to */
			spec.source = eid_ipn(t[i].source, 1);
			spec.dest = eid_ipn(t[i].dest, 5);
			spec.report_to = t[i].report_to ? eid_ipn(t[i].report_to, 0) : eid_null();
			hand_make(&f, &spec, view_text("data"));
			side_in(&s, near[0], &f);
			cr_expect_eq(count(&s, EV_bundle_refused), !outwards && !t[i].crosses);
			cr_expect_eq(side_out(&s, near[1], &f), t[i].crosses, "row %zu", i);
			if (t[i].crosses) {
				struct bundle b;

				hand_read(&f, &b);
				cr_expect_eq(b.has_prev, !outwards, "node 2 does not name itself");
			}
			side_fini(&s);
		}
}

/* RFC 9758 9.3/d1: a free service is one for private use */
Test(conformance, free_services)
{
	struct eid e = eid_ipn(NODE_LOCAL, 0);
	struct side s;
	uint32_t reg;

	hand_relay(&s);
	cr_assert_eq(agent_register(s.agent, s.now, &e, &reg), 0);
	cr_expect(e.node == 2 && e.service >= 0x10000 && e.service <= 0xffffffff);
	side_fini(&s);
}

/* RFC 9171 4.3.1/2, 4.3.1/3; RFC 9758 7.2/d1: through a relay the primary block and all blocks that
 * are not changed are the same bytes: indefinite inner arrays, chunked text, three-element ipn, unknown
 * schemes and flags, payload without CRC */
Test(conformance, nothing_is_encoded_again)
{
	static const uint8_t primary[] = {0x9f, 0x07, 0x19, 0x01, 0x88, 0x02, 0x9f, 0x02, 0x9f,
		0x00, 0x03, 0x05, 0xff, 0xff, 0x82, 0x01, 0x7f, 0x63, '/', '/', 'n', 0x60, 0x62,
		'/', 'a', 0xff, 0x82, 0x18, 0x63, 0x81, 0x61, 'x', 0x9f, 0x1b, 0, 0, 0, 0xbe, 0xeb,
		0xcf, 0x08, 0x00, 0x00, 0xff, 0x1a, 0x00, 0x36, 0xee, 0x80, 0x44, 0, 0, 0, 0, 0xff};
	static const uint8_t rest[] = {0x9f, 0x18, 0xc8, 0x09, 0x18, 0x80, 0x00, 0x43, 1, 2, 3,
		0xff, 0x9f, 0x01, 0x01, 0x00, 0x00, 0x44, 'd', 'a', 't', 'a', 0xff, 0xff};
	struct flight f = {.bytes = {0x9f}};
	uint8_t *p = f.bytes + 1;
	uint32_t crc;
	struct side s;
	struct bundle b;
	const size_t n = sizeof primary;

	memcpy(p, primary, n);
	crc = crc_update(CRC_32C, 0, view_of(p, n));
	for (unsigned i = 0; i < 4; i++)
		p[n - 5 + i] = (uint8_t)(crc >> (24 - 8 * i));
	memcpy(p + n, rest, sizeof rest);
	f.n = 1 + n + sizeof rest;
	hand_relay(&s);
	for (unsigned restart = 0; restart < 2; restart++) {
		struct flight in = f, out;

		in.bytes[1 + 42] = (uint8_t)restart; /* another sequence number */
		memset(in.bytes + 1 + n - 5, 0, 4);
		crc = crc_update(CRC_32C, 0, view_of(in.bytes + 1, n));
		for (unsigned i = 0; i < 4; i++)
			in.bytes[1 + n - 5 + i] = (uint8_t)(crc >> (24 - 8 * i));
		side_in(&s, 1, &in);
		cr_assert_eq(count(&s, EV_bundle_rejected) + count(&s, EV_bundle_refused), 0);
		side_commit(&s, 0);
		if (restart)
			side_crash(&s, true, hand_neighbours, 3);
		cr_assert(side_out(&s, 3, &out));
		hand_read(&out, &b);
		cr_assert_eq(b.primary.n, n);
		cr_expect_arr_eq(b.primary.p, in.bytes + 1, n);
		const struct block *k = bundle_block(&b, 200);
		cr_assert(k && k->whole.n == 12);
		cr_expect_arr_eq(k->whole.p, rest, 12);
		cr_expect_arr_eq(out.bytes + out.n - 12, rest + 12, 12, "payload block and break");
		cr_expect(b.has_prev && b.prev.node == 2);
	}
	side_fini(&s);
}

/* An EID of an unknown scheme is kept where it is no destination (RFC 9171 4.2.5.1/5): above as report-to,
 * here as source and previous node; as source of two bundles it tells them apart. */
Test(conformance, unknown_scheme_is_kept)
{
	static const uint8_t one[] = {0x61, 'x'}, two[] = {0x61, 'y'};
	struct bundle_spec spec = hand_spec(3);
	struct flight f;
	struct bundle b;
	struct side s;

	hand_relay(&s);
	spec.source = (struct eid){.scheme = 99, .ssp = view_of(one, 2)};
	spec.has_prev = true;
	spec.prev = (struct eid){.scheme = 99, .ssp = view_of(two, 2)};
	hand_in(&s, &spec);
	cr_assert(side_out(&s, 3, &f));
	hand_read(&f, &b);
	cr_expect(b.source.scheme == 99 && view_equal(b.source.ssp, view_of(one, 2)));
	spec.source.ssp = view_of(two, 2);
	hand_in(&s, &spec);
	cr_expect_eq(count(&s, EV_bundle_duplicate), 0);
	hand_in(&s, &spec);
	cr_expect_eq(count(&s, EV_bundle_duplicate), 1);
	side_fini(&s);
}

/* RFC 9758 6.1.2/1, 6.1.2/2: which form of ipn a node writes */
Test(conformance, form_of_own_names)
{
	struct view p = view_text("x");

	for (unsigned three = 0; three < 2; three++) {
		struct agent_send a = {.source = eid_ipn(2, 9),
			.dest = eid_ipn(UINT64_C(977000) << 32 | 100, 5),
			.report_to = eid_ipn(3, 1),
			.lifetime_ms = HOUR_MS,
			.priority = 1,
			.crc_type = CRC_16,
			.payload = &p,
			.n_payload = 1};
		struct flight f;
		struct bundle b;
		uint64_t number;
		struct side s;

		side_init(&s, 2, hand_neighbours, 3, 3);
		s.cfg.ipn_three = three;
		side_start(&s, hand_neighbours, 3);
		cr_assert_eq(agent_send(s.agent, s.now, &a, &number), 0);
		side_commit(&s, 0);
		cr_assert(side_out(&s, 3, &f));
		hand_read(&f, &b);
		cr_expect_eq(b.dest.three, three);
		cr_expect_not(b.source.three || b.report_to.three, "default allocator");
		side_fini(&s);
	}
}

/* Bundles without source are not identified (RFC 9171 4.2.3): equal timestamps make no duplicate. */
Test(conformance, anonymous_bundles_are_all_different)
{
	struct bundle_spec spec = hand_spec(3);
	struct flight f;
	struct side s;

	hand_relay(&s);
	spec.source = eid_null();
	spec.flags = BUNDLE_NO_FRAGMENT;
	for (unsigned i = 0; i < 3; i++)
		hand_in(&s, &spec);
	cr_expect_eq(count(&s, EV_bundle_duplicate), 0);
	for (unsigned i = 0; i < 3; i++)
		cr_expect(side_out(&s, 3, &f));
	side_fini(&s);
}
