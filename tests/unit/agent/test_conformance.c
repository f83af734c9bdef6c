/* RFC 9171 section 5 and 6 at one agent: a bundle is made by hand, goes in, and what happens is read
 * from the trace and from what comes out. The tags are ids of docs/rfc9171.req. Names and records:
 * test_conformance_names.c; limits of abuse and leniencies: test_limits.c. */
#include "tests/unit/agent/hand.h"

#include "bundle/admin.h"
#include "bundle/rule.h"

#include <criterion/criterion.h>

#define ROWS(t) (sizeof(t) / sizeof *(t))

/* RFC 9171 5.1/1, 5.1/d1, 5.1/d2, 5.6-2, 5.4-5/2, 5.4-5/3, 5.10-1, 5.7-3, 6.2-2: each report only where it is
 * asked for and reports are on, with its one assertion and reason */
Test(conformance, reports_as_asked)
{
	static const struct {
		uint64_t flag;
		enum status_kind status;
		unsigned reason;
	} t[] = {{BUNDLE_REPORT_RECEPTION, STATUS_RECEIVED, REASON_NONE},
		{BUNDLE_REPORT_FORWARDING, STATUS_FORWARDED, REASON_NONE},
		{BUNDLE_REPORT_DELIVERY, STATUS_DELIVERED, REASON_NONE},
		{BUNDLE_REPORT_DELETION, STATUS_DELETED, REASON_EXPIRED}};

	for (size_t i = 0; i < ROWS(t); i++)
		for (unsigned k = 0; k < 3; k++) { /* asked and on, asked and off, not asked */
			struct bundle_spec spec =
				hand_spec(t[i].status == STATUS_FORWARDED ? 3 : 2);
			struct status_report r;
			struct flight f;
			struct bundle b;
			struct side s;
			uint32_t reg;

			side_init(&s, 2, hand_neighbours, 3, NODE_NONE);
			s.cfg.reports = k != 1;
			side_start(&s, hand_neighbours, 3);
			reg = side_register(&s, 5, 1);
			spec.flags = k < 2 ? t[i].flag | BUNDLE_STATUS_TIME : 0;
			hand_in(&s, &spec);
			side_commit(&s, 0);
			side_listen(&s);
			if (t[i].status == STATUS_FORWARDED)
				cr_assert(side_out(&s, 3, &f));
			else if (t[i].status == STATUS_DELIVERED)
				cr_assert_eq(agent_ack(s.agent, s.now, reg, s.last_id), 0);
			else if (t[i].status == STATUS_DELETED)
				side_at(&s, (mono)(HOUR_MS + 1) * US_PER_MS);
			cr_assert_eq(hand_report(&s, &b, &r), k == 0, "row %zu, %u", i, k);
			for (unsigned j = 0; k == 0 && j < STATUS_KINDS; j++)
				cr_expect(r.asserted[j] == (j == t[i].status) &&
					  r.has_time[j] == r.asserted[j]);
			if (k == 0) {
				cr_expect_eq(r.reason, t[i].reason);
				cr_expect(eid_equal(&r.source, &spec.source) && r.seq == spec.seq &&
					  r.created_ms == spec.created_ms && !r.is_fragment);
				cr_expect(eid_equal(&b.dest, &spec.report_to));
				cr_expect_not(hand_report(&s, &b, &r), "one");
			}
			side_fini(&s);
		}
}

/* RFC 9171 6.2-1: about a fragment with its offset and length. 6.1.1/7: time of our clock */
Test(conformance, report_about_a_fragment)
{
	struct bundle_spec spec = hand_spec(3);
	struct status_report r;
	struct bundle b;
	struct side s;

	hand_relay(&s);
	s.now = 7 * SEC;
	spec.flags = BUNDLE_FRAGMENT | BUNDLE_REPORT_RECEPTION | BUNDLE_STATUS_TIME;
	spec.frag_off = 10;
	spec.total_len = 100;
	hand_in(&s, &spec);
	cr_assert(hand_report(&s, &b, &r));
	cr_expect(r.is_fragment && r.frag_off == 10 && r.frag_len == 4);
	cr_expect_eq(r.at_ms[STATUS_RECEIVED], KIT_DTN + 7000);
	cr_expect(r.has_time[STATUS_RECEIVED]);
	side_fini(&s);
}

/* Nothing is told of reports, nor to nobody. RFC 9171 4.2.3/1: and none asks for any */
Test(conformance, no_reports_about_reports)
{
	struct bundle_spec spec = hand_spec(3);
	struct status_report r;
	struct bundle b;
	struct side s;

	hand_relay(&s);
	spec.flags = BUNDLE_REPORT_RECEPTION;
	spec.report_to = eid_null();
	hand_in(&s, &spec);
	cr_expect_not(hand_report(&s, &b, &r));
	spec = hand_spec(3);
	spec.flags = BUNDLE_REPORT_RECEPTION;
	hand_in(&s, &spec);
	cr_assert(hand_report(&s, &b, &r));
	cr_expect_eq(b.flags & BUNDLE_REPORTS, 0);
	cr_expect(eid_is_null(&b.report_to));
	cr_expect_not(r.has_time[STATUS_RECEIVED], "no time was asked for");
	side_fini(&s);
}

/* RFC 9171 5.2-1, 5.2-1/2, 5.2-2, 4.4.1/2, 4.4.3/2b, 4.2.7/2, 4.2.7/3 */
Test(conformance, transmission)
{
	struct view p = view_text("x");
	struct agent_send a = {.source = eid_ipn(2, 9),
		.dest = eid_ipn(3, 5),
		.report_to = eid_null(),
		.lifetime_ms = HOUR_MS,
		.priority = 1,
		.crc_type = CRC_16,
		.payload = &p,
		.n_payload = 1};
	static const struct {
		node_id node;
		uint64_t service;
		int err;
	} t[] = {{2, 9, 0}, {2, 0, 0}, {3, 9, -E_NOT_OURS}, {NODE_NONE, 0, 0}};
	uint64_t seq = 0, number;
	struct side s;

	hand_relay(&s);
	s.now = 5 * SEC;
	for (size_t i = 0; i < ROWS(t); i++) {
		struct flight f;
		struct bundle b;

		a.source = t[i].node ? eid_ipn(t[i].node, t[i].service) : eid_null();
		cr_expect_eq(agent_send(s.agent, s.now, &a, &number), t[i].err, "row %zu", i);
		if (t[i].err)
			continue;
		cr_assert(side_out(&s, 3, &f), "forwarded at once");
		hand_read(&f, &b);
		cr_expect(eid_equal(&b.source, &a.source) && eid_equal(&b.dest, &a.dest));
		cr_expect_eq(b.created_ms, KIT_DTN + 5000);
		cr_expect_gt(b.seq, seq);
		seq = b.seq;
		cr_expect_eq(b.hop_count, 1, "0, and one hop");
		cr_expect_eq((b.flags & BUNDLE_NO_FRAGMENT) != 0, t[i].node == NODE_NONE);
	}
	/* what is stored at its source has no previous node block */
	a.dest = eid_ipn(2, 5);
	cr_assert_eq(agent_send(s.agent, s.now, &a, &number), 0);
	{
		struct agent_event ev;
		struct bundle_rules rules = bundle_rules_default();
		struct bundle_fault fault;
		struct bundle b;
		bool seen = false;

		(void)side_register(&s, 5, 1);
		side_commit(&s, 0);
		side_commit(&s, 0);
		while (agent_event(s.agent, s.now, &ev))
			if (ev.type == AGENT_DELIVERY) {
				cr_assert_eq(bundle_read_head(&b, ev.head, &rules, &fault), 0);
				cr_expect(!b.has_prev && b.hop_count == 0);
				seen = true;
			}
		cr_expect(seen);
	}
	side_fini(&s);
}

/* RFC 9171 4.2.7/d1, 4.2.7/d2, 4.2.7/4: without a clock the time is 0, and the counter never goes back,
 * over restarts and failed commits */
Test(conformance, no_timestamp_comes_twice)
{
	uint64_t seen[16];
	size_t n = 0;
	struct flight f;
	struct bundle b;
	struct side s;

	side_init(&s, 2, hand_neighbours, 3, NODE_NONE);
	s.no_clock = true;
	side_start(&s, hand_neighbours, 3);
	for (unsigned i = 0; i < 6; i++) {
		cr_assert_eq(side_send(&s, 3, 5, HOUR_MS, false), 0);
		side_commit(&s, i == 3 ? -ENOSPC : 0);
		while (side_out(&s, 3, &f)) {
			hand_read(&f, &b);
			cr_expect_eq(b.created_ms, 0);
			cr_expect(b.has_age);
			for (size_t k = 0; k < n; k++)
				cr_expect_neq(b.seq, seen[k], "round %u", i);
			seen[n++] = b.seq;
		}
		side_commit(&s, 0); /* what left stays gone */
		if (i == 1 || i == 4)
			side_crash(&s, i == 4, hand_neighbours, 3);
	}
	cr_expect_geq(n, 4);
	side_fini(&s);
}

/* RFC 9171 5.3/d1, 5.3-1, 5.3-1b, 5.3-1c, 5.3-2, 5.4.2-2, 5.6-5: for this node it is delivered and
 * forwarded to nobody; for others it is forwarded */
Test(conformance, dispatch)
{
	for (node_id to = 2; to <= 3; to++) {
		struct bundle_spec spec = hand_spec(to);
		struct flight f;
		struct side s;

		hand_relay(&s);
		(void)side_register(&s, 5, 1);
		hand_in(&s, &spec);
		side_commit(&s, 0);
		side_listen(&s);
		cr_expect_eq(heard(&s, AGENT_DELIVERY), to == 2);
		for (size_t i = 0; i < 3; i++)
			cr_expect_eq(side_out(&s, hand_neighbours[i], &f),
				to == 3 && hand_neighbours[i] == 3);
		cr_expect_eq(stats(&s).n_queued, 0);
		side_fini(&s);
	}
}

/* RFC 9171 5.4-1, 5.4-1b, 5.4-2, 5.4-2/d1, 5.4-2/3, 5.4-2/d2, 5.4-3, 5.4-3/d1, 5.4.1-1, 5.4.1-2/d1, 5.4-4: with no
 * way it waits, and goes when there is one */
Test(conformance, contraindicated)
{
	struct bundle_spec spec = hand_spec(9);
	uint64_t a[TRACE_ARGS];
	struct flight f;
	struct side s;

	hand_relay(&s);
	hand_in(&s, &spec);
	side_commit(&s, 0);
	cr_assert(hand_last(&s, EV_bundle_waiting, a));
	cr_expect_eq(a[1], WHY_NO_ROUTE);
	cr_expect_eq(stats(&s).n_waiting, 1);
	for (size_t i = 0; i < 3; i++)
		cr_expect_not(side_out(&s, hand_neighbours[i], &f));
	cr_expect_geq(agent_neighbour(s.agent, 9), 0);
	s.route->ops->free(s.route);
	s.route = route_static_new((struct static_row[]){{9, 9}}, 1);
	side_crash(&s, false, (const node_id[]){9}, 1);
	cr_expect(side_out(&s, 9, &f));
	side_fini(&s);
}

/* RFC 9171 5.4-4/2, 5.4-4/3, 4.4.1/3, 4.4/2 */
Test(conformance, previous_node_on_the_way)
{
	for (unsigned configured = 0; configured < 2; configured++)
		for (unsigned had = 0; had < 2; had++) {
			struct bundle_spec spec = hand_spec(3);
			struct flight f;
			struct bundle b;
			struct side s;

			side_init(&s, 2, hand_neighbours, 3, NODE_NONE);
			s.cfg.add_previous_node = configured;
			side_start(&s, hand_neighbours, 3);
			spec.has_prev = had;
			spec.prev = eid_ipn(1, 0);
			hand_in(&s, &spec);
			cr_assert(side_out(&s, 3, &f));
			hand_read(&f, &b);
			cr_expect_eq(b.has_prev, configured);
			cr_expect(!configured || b.prev.node == 2);
			side_fini(&s);
		}
}

/* RFC 9171 5.4-4/4, 4.4.2/d2, 4.4.3/2, 4.4.3/2c: at the last moment, not when it is queued */
Test(conformance, age_and_hops_on_the_way)
{
	struct bundle_spec spec = hand_spec(3);
	struct flight f;
	struct bundle b;
	struct side s;

	hand_relay(&s);
	agent_light(s.agent, (unsigned)agent_neighbour(s.agent, 1), 3 * SEC);
	spec.has_age = spec.has_hop = true;
	spec.age_ms = 1000;
	spec.hop_limit = 30;
	spec.hop_count = 4;
	hand_in(&s, &spec);
	s.now += 250 * US_PER_MS;
	cr_assert(side_out(&s, 3, &f));
	hand_read(&f, &b);
	cr_expect_eq(b.age_ms, 4250, "light time counts");
	cr_expect(b.hop_limit == 30 && b.hop_count == 5);
	side_fini(&s);
}

/* RFC 9171 4.4.3/3: deleted when the count would exceed the limit; at its destination it counts no
 * further hop */
Test(conformance, hop_limit)
{
	static const struct {
		node_id to;
		uint64_t limit, count;
		bool dies;
	} t[] = {{3, 5, 4, false}, {3, 5, 5, true}, {3, 5, UINT64_MAX, true}, {2, 5, 5, false},
		{3, 255, 254, false}};

	for (size_t i = 0; i < ROWS(t); i++) {
		struct bundle_spec spec = hand_spec(t[i].to);
		uint64_t a[TRACE_ARGS];
		struct side s;

		hand_relay(&s);
		spec.has_hop = true;
		spec.hop_limit = t[i].limit;
		spec.hop_count = t[i].count;
		hand_in(&s, &spec);
		cr_expect_eq(hand_last(&s, EV_bundle_deleted, a), t[i].dies, "row %zu", i);
		cr_expect(!t[i].dies || a[1] == REASON_HOP_LIMIT);
		side_fini(&s);
	}
}

/* RFC 9171 5.4-5, 5.4-5/d1, 5.4-5/d2, 5.4.1-2, 5.4.2-2/2, 5.4.2-2/2b, 5.4-5/5: as often as configured, then it is
 * deleted; no forwarding report for what did not leave */
Test(conformance, failed_sending)
{
	for (unsigned tries = 0; tries < 4; tries++) {
		struct bundle_spec spec = hand_spec(3);
		uint64_t a[TRACE_ARGS];
		struct side s;
		unsigned n = 0;

		side_init(&s, 2, hand_neighbours, 3, NODE_NONE);
		trace_fini(&s.trace);
		cr_assert_eq(trace_init(&s.trace, 256), 0);
		s.cfg.max_tries = tries;
		side_start(&s, hand_neighbours, 3);
		hand_in(&s, &spec);
		for (; n < 10 && stats(&s).n_bundles > 0; n++) {
			uint8_t room[1024];
			struct buf b = buf_of(room, sizeof room);
			struct agent_offer o = {.neighbour = (unsigned)agent_neighbour(s.agent, 3),
				.max_bytes = 1024,
				.max_ever = 1024,
				.room = &b};

			cr_assert(agent_next(s.agent, s.now, &o), "try %u", n);
			cr_expect_eq(stats(&s).n_bundles, 1, "kept until the layer has told");
			agent_send_failed(s.agent, s.now, o.id);
			side_at(&s, s.now + SEC);
		}
		cr_expect_eq(n, tries ? tries : 10);
		cr_expect_eq(hand_last(&s, EV_bundle_deleted, a), tries > 0);
		cr_expect(tries == 0 || a[1] == REASON_NO_CONTACT);
		cr_expect_eq(count(&s, EV_bundle_forwarded), 0);
		side_fini(&s);
	}
}

/* RFC 9171 5.6-1, 5.4-5/5, 5.10-2, 5.11/1: kept until it is sent, then it is gone from the store */
Test(conformance, sent_and_discarded)
{
	struct bundle_spec spec = hand_spec(3);
	struct store_stats st;
	struct flight f;
	struct side s;

	side_init(&s, 2, hand_neighbours, 3, NODE_NONE);
	side_start(&s, hand_neighbours, 3);
	hand_in(&s, &spec);
	side_commit(&s, 0);
	store_stats(s.store, &st);
	cr_assert_eq(st.n_bundles, 1);
	cr_assert(side_out(&s, 3, &f));
	side_commit(&s, 0);
	store_stats(s.store, &st);
	cr_expect_eq(st.n_bundles, 0);
	cr_expect_eq(stats(&s).n_bundles, 0);
	side_fini(&s);
}

/* RFC 9171 5.4-2/2, 5.4.2-1, 5.4.2-1/2, 5.4.2-1/2b: by others, and back only where there is no other way */
Test(conformance, back_to_the_previous_node)
{
	for (unsigned other = 0; other < 2; other++) {
		struct static_row row[] = {{1, 1}, {3, 3}, {9, 1}, {NODE_NONE, 3}};
		struct bundle_spec spec = hand_spec(9);
		struct flight f;
		struct side s;

		side_init(&s, 2, hand_neighbours, 3, NODE_NONE);
		s.route->ops->free(s.route);
		s.route = route_static_new(row, 3 + other);
		side_start(&s, hand_neighbours, 3);
		hand_in(&s, &spec);
		cr_expect_eq(side_out(&s, 3, &f), other);
		cr_expect_eq(side_out(&s, 1, &f), !other);
		cr_expect_not(side_out(&s, 4, &f));
		side_fini(&s);
	}
}

/* RFC 9171 5.5/d1, 5.5/2, 5.5/3, 5.5/3b, 4.3.1/7, 4.3.1/8, 4.3.1/8b, 4.3.1/8c: strictly beyond its lifetime, or beyond our
 * limit with reason 10; the lifetime that leaves is the one that came */
Test(conformance, expiration)
{
	static const struct {
		int64_t limit_ms;
		mono last_ms;
		unsigned reason;
	} t[] = {{100000, 5000, REASON_EXPIRED}, {2000, 2000, REASON_TRAFFIC_PARED}};

	for (size_t i = 0; i < ROWS(t); i++) {
		struct bundle_spec spec = hand_spec(3);
		uint64_t a[TRACE_ARGS];
		struct flight f;
		struct bundle b;
		struct side s;

		side_init(&s, 2, hand_neighbours, 3, NODE_NONE);
		trace_fini(&s.trace);
		cr_assert_eq(trace_init(&s.trace, 256), 0);
		s.cfg.max_lifetime_us = t[i].limit_ms * US_PER_MS;
		side_start(&s, hand_neighbours, 3);
		spec.lifetime_ms = 5000;
		hand_in(&s, &spec);
		side_at(&s, t[i].last_ms * US_PER_MS);
		cr_assert_eq(stats(&s).n_bundles, 1, "row %zu", i);
		side_at(&s, (t[i].last_ms + 1) * US_PER_MS);
		cr_assert_eq(stats(&s).n_bundles, 0, "row %zu", i);
		cr_assert(hand_last(&s, EV_bundle_deleted, a));
		cr_expect_eq(a[1], t[i].reason);
		spec = hand_spec(3);
		spec.lifetime_ms = 50000;
		hand_in(&s, &spec);
		cr_assert(side_out(&s, 3, &f));
		hand_read(&f, &b);
		cr_expect_eq(b.lifetime_ms, 50000);
		side_fini(&s);
	}
}

/* RFC 9171 5.5/1, 5.5/1b, 4.3.1/d2: by the clock only where both have one, else by the age block */
Test(conformance, age)
{
	static const struct {
		bool clock, created, aged;
		mono alive_ms; /* lifetime 5 s, 1 s after creation, age block of 3 s */
	} t[] = {{true, true, false, 4000}, {true, true, true, 2000}, {false, true, true, 2000},
		{true, false, true, 2000}, {false, false, true, 2000}, {false, true, false, 5000}};

	for (size_t i = 0; i < ROWS(t); i++) {
		struct bundle_spec spec = hand_spec(3);
		struct side s;

		side_init(&s, 2, hand_neighbours, 3, NODE_NONE);
		s.no_clock = !t[i].clock;
		s.now = SEC;
		side_start(&s, hand_neighbours, 3);
		spec.created_ms = t[i].created ? KIT_DTN : 0;
		spec.has_age = t[i].aged;
		spec.age_ms = 3000;
		spec.lifetime_ms = 5000;
		hand_in(&s, &spec);
		side_at(&s, SEC + t[i].alive_ms * US_PER_MS);
		cr_expect_eq(stats(&s).n_bundles, 1, "row %zu", i);
		side_at(&s, SEC + (t[i].alive_ms + 1) * US_PER_MS);
		cr_expect_eq(stats(&s).n_bundles, 0, "row %zu", i);
		side_fini(&s);
	}
}

/* RFC 9171 5.6-3, 5.6-3/2, 5.6-3/3, 5.6-3/3b: reason 8, told only where the primary block is good */
Test(conformance, unintelligible)
{
	for (unsigned where = 0; where < 2; where++) {
		struct bundle_spec spec = hand_spec(3);
		struct status_report r;
		struct flight f;
		struct bundle b;
		struct side s;

		hand_relay(&s);
		spec.flags = BUNDLE_REPORT_DELETION;
		hand_make(&f, &spec, view_text("data"));
		f.bytes[where ? f.n - 2 : 5] ^= 1; /* payload's CRC; destination */
		side_in(&s, 1, &f);
		cr_expect_eq(count(&s, EV_bundle_rejected), 1);
		cr_expect_eq(count(&s, EV_bundle_received), 0);
		cr_assert_eq(hand_report(&s, &b, &r), where);
		cr_expect(!where ||
			  (r.asserted[STATUS_DELETED] && r.reason == REASON_UNINTELLIGIBLE));
		cr_expect_not(side_out(&s, 3, &f));
		side_fini(&s);
	}
}

/* RFC 9171 5.6-4, 5.6-4/2, 5.6-4/2b, 5.6-4/2c, 5.6-4/3, 5.6-4/d1, 4.4/d1: all eight combinations of the three flags */
Test(conformance, unprocessable_block)
{
	for (unsigned k = 0; k < 8; k++) {
		bool report = k & 1, deletes = k & 2, discard = k & 4;
		struct block_spec block = {.type = 200,
			.number = 9,
			.crc_type = CRC_16,
			.flags = (report ? BLOCK_REPORT : 0) | (deletes ? BLOCK_DELETE_BUNDLE : 0) |
				 (discard ? BLOCK_DISCARD : 0),
			.data = view_text("?")};
		struct bundle_spec spec = hand_spec(3);
		uint64_t a[TRACE_ARGS];
		struct status_report r;
		struct flight f;
		struct bundle b;
		struct side s;

		hand_relay(&s);
		spec.block = &block;
		spec.n_blocks = 1;
		hand_in(&s, &spec);
		cr_expect_eq(hand_last(&s, EV_bundle_deleted, a), deletes);
		cr_expect(!deletes || a[1] == REASON_BLOCK_UNSUPPORTED);
		cr_assert_eq(hand_report(&s, &b, &r), report, "%u", k);
		cr_expect(!report ||
			  (r.asserted[STATUS_RECEIVED] && r.reason == REASON_BLOCK_UNSUPPORTED));
		cr_expect_not(hand_report(&s, &b, &r), "%u: no deletion report was asked for", k);
		cr_assert_eq(side_out(&s, 3, &f), !deletes);
		if (!deletes) {
			hand_read(&f, &b);
			cr_expect_eq(bundle_block(&b, 200) == NULL, discard);
		}
		side_fini(&s);
	}
}

/* RFC 9171 5.7-2, 5.7-2/2, 5.7-2/3, 5.7-2/4: without credit a registration is passive: what comes is
 * deferred, and handed over in order of reception, one for each credit */
Test(conformance, delivery)
{
	struct side s;
	uint64_t id = 0;
	uint32_t reg;

	hand_relay(&s);
	reg = side_register(&s, 5, 0);
	for (unsigned i = 0; i < 3; i++) {
		struct bundle_spec spec = hand_spec(2);

		hand_in(&s, &spec);
	}
	side_commit(&s, 0);
	side_listen(&s);
	cr_assert_eq(heard(&s, AGENT_DELIVERY), 0);
	cr_assert_eq(stats(&s).n_for_apps, 4, "one of hand_relay()");
	for (unsigned i = 1; i <= 3; i++) {
		agent_credit(s.agent, s.now, reg, 1);
		side_commit(&s, 0);
		side_listen(&s);
		cr_assert_eq(heard(&s, AGENT_DELIVERY), i);
		cr_expect_gt(s.last_id, id, "in order of reception");
		id = s.last_id;
		agent_credit(s.agent, s.now, reg, 0);
		cr_assert_eq(agent_ack(s.agent, s.now, reg, id), 0);
		side_commit(&s, 0);
		side_listen(&s);
	}
	side_fini(&s);
}
