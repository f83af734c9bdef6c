/* The agent without custody: send, forward, deliver, duplicates, expiry, limits, restart, echo. */
#include "tests/unit/agent/kit.h"

#include <criterion/criterion.h>

static const node_id n1[] = {1}, n2[] = {2}, n13[] = {1, 3};

static void pair_init(struct side *a, struct side *b)
{
	side_init(a, 1, n2, 1, 2);
	side_start(a, n2, 1);
	side_init(b, 2, n1, 1, 1);
	side_start(b, n1, 1);
}

/* The first use of the number counter waits for its block: get that over with. */
static void warm(struct side *s)
{
	cr_assert_eq(side_send(s, s->node, 99, HOUR_MS, false), 0);
	side_commit(s, 0);
	side_listen(s);
	s->heard = 0;
}

Test(agent, two_nodes_deliver)
{
	struct side a, b;
	uint32_t r;

	pair_init(&a, &b);
	r = side_register(&b, 5, 10);
	cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, false), 0);
	cr_assert_eq(side_pass(&a, &b), 0, "the first number waits for its commit");
	side_commit(&a, 0);
	side_listen(&a);
	cr_assert_eq(heard(&a, AGENT_ACCEPTED), 1);
	cr_assert_eq(side_pass(&a, &b), 1);
	cr_assert_eq(count(&a, EV_bundle_forwarded), 1);
	cr_assert_eq(stats(&a).n_bundles, 0);
	side_listen(&b);
	cr_assert_eq(heard(&b, AGENT_DELIVERY), 0, "not before the commit");
	side_commit(&b, 0);
	side_listen(&b);
	cr_assert_eq(heard(&b, AGENT_DELIVERY), 1);
	cr_assert_not(b.redelivered);
	cr_assert_eq(agent_ack(b.agent, b.now, r, b.last_id), 0);
	cr_assert_neq(agent_ack(b.agent, b.now, r, b.last_id), 0, "twice");
	side_listen(&b);
	cr_assert_eq(heard(&b, AGENT_ACKED), 0);
	side_commit(&b, 0);
	side_listen(&b);
	cr_assert_eq(heard(&b, AGENT_ACKED), 1);
	cr_assert_eq(count(&b, EV_bundle_delivered), 1);
	cr_assert_eq(stats(&b).n_bundles, 0);
	side_fini(&a);
	side_fini(&b);
}

Test(agent, cut_through_needs_no_commit)
{
	struct side a, b;

	pair_init(&a, &b);
	warm(&a);
	cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, false), 0);
	cr_assert_eq(side_pass(&a, &b), 1);
	side_listen(&a);
	cr_assert_eq(heard(&a, AGENT_ACCEPTED), 1, "it left: nothing is to be committed");
	cr_assert_not(store_is_dirty(a.store));
	cr_assert_eq(side_send(&a, 9, 5, HOUR_MS, false), 0);
	agent_contact(a.agent, a.now, 0, false, a.now);
	side_listen(&a);
	cr_assert_eq(heard(&a, AGENT_ACCEPTED), 1, "it is here: not before the commit");
	side_commit(&a, 0);
	side_listen(&a);
	cr_assert_eq(heard(&a, AGENT_ACCEPTED), 2);
	side_fini(&a);
	side_fini(&b);
}

Test(agent, duplicate_by_identity)
{
	struct side a, b;
	struct flight f;

	pair_init(&a, &b);
	warm(&a);
	cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, false), 0);
	cr_assert(side_out(&a, 2, &f));
	side_in(&b, 1, &f);
	side_in(&b, 1, &f);
	cr_assert_eq(count(&b, EV_bundle_duplicate), 1, "while it is here");
	side_commit(&b, 0);
	{
		uint32_t r = side_register(&b, 5, 1);

		side_commit(&b, 0);
		side_listen(&b);
		cr_assert_eq(agent_ack(b.agent, b.now, r, b.last_id), 0);
		side_commit(&b, 0);
	}
	side_in(&b, 1, &f);
	cr_assert_eq(count(&b, EV_bundle_duplicate), 2, "after delivery");
	side_crash(&b, false, n1, 1);
	side_in(&b, 1, &f);
	cr_assert_eq(count(&b, EV_bundle_duplicate), 3, "after a restart");
	side_at(&b, (mono)(HOUR_MS + 10) * US_PER_MS);
	cr_assert_eq(stats(&b).n_tombstones, 0, "until it expires");
	side_fini(&a);
	side_fini(&b);
}

Test(agent, late_registration_and_credit)
{
	struct side a, b;
	uint32_t r;

	pair_init(&a, &b);
	warm(&a);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, false), 0);
	cr_assert_eq(side_pass(&a, &b), 3);
	side_commit(&b, 0);
	side_listen(&b);
	cr_assert_eq(stats(&b).n_for_apps, 3);
	r = side_register(&b, 5, 2);
	side_listen(&b);
	cr_assert_eq(heard(&b, AGENT_DELIVERY), 0, "handed is made durable first");
	side_commit(&b, 0);
	side_listen(&b);
	cr_assert_eq(heard(&b, AGENT_DELIVERY), 2, "credit 2");
	cr_assert_eq(agent_ack(b.agent, b.now, r, b.last_id), 0);
	side_commit(&b, 0);
	side_commit(&b, 0);
	side_listen(&b);
	cr_assert_eq(heard(&b, AGENT_DELIVERY), 3);
	side_fini(&a);
	side_fini(&b);
}

Test(agent, redelivered_after_restart_and_unregister)
{
	struct side a, b;
	uint32_t r;

	pair_init(&a, &b);
	warm(&a);
	r = side_register(&b, 5, 4);
	cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, false), 0);
	side_pass(&a, &b);
	side_commit(&b, 0);
	side_listen(&b);
	cr_assert_eq(heard(&b, AGENT_DELIVERY), 1);
	side_crash(&b, false, n1, 1);
	r = side_register(&b, 5, 4);
	side_listen(&b);
	cr_assert_eq(heard(&b, AGENT_DELIVERY), 2);
	cr_assert(b.redelivered);
	agent_unregister(b.agent, b.now, r);
	cr_assert_neq(agent_ack(b.agent, b.now, r, b.last_id), 0);
	r = side_register(&b, 5, 4);
	side_listen(&b);
	cr_assert_eq(heard(&b, AGENT_DELIVERY), 3);
	cr_assert(b.redelivered);
	cr_assert_eq(agent_ack(b.agent, b.now, r, b.last_id), 0);
	side_crash(&b, false, n1, 1);
	r = side_register(&b, 5, 4);
	side_listen(&b);
	cr_assert_eq(heard(&b, AGENT_DELIVERY), 4, "the acknowledgement was not durable");
	side_fini(&a);
	side_fini(&b);
}

Test(agent, failed_commit_takes_back_what_was_new)
{
	struct side a, b;
	uint32_t r;

	pair_init(&a, &b);
	warm(&a);
	cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, true), 0);
	side_commit(&a, -ENOSPC);
	side_listen(&a);
	cr_assert_eq(heard(&a, AGENT_REFUSED), 1);
	cr_assert_eq(a.last_err, -ENOSPC);
	cr_assert_eq(stats(&a).n_bundles, 1, "only the one of warm()");
	/* An acknowledgement is not lost by a failed batch. */
	r = side_register(&b, 5, 4);
	cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, false), 0);
	side_pass(&a, &b);
	side_commit(&b, 0);
	side_listen(&b);
	cr_assert_eq(agent_ack(b.agent, b.now, r, b.last_id), 0);
	side_commit(&b, -ENOSPC);
	side_listen(&b);
	cr_assert_eq(heard(&b, AGENT_ACKED), 0);
	side_commit(&b, 0);
	side_listen(&b);
	cr_assert_eq(heard(&b, AGENT_ACKED), 1);
	cr_assert_eq(stats(&b).n_bundles, 0);
	side_fini(&a);
	side_fini(&b);
}

/* RFC 9171 5.5, 4.4.2: alive while age == lifetime. */
Test(agent, expiry)
{
	struct side a;

	side_init(&a, 1, n2, 1, NODE_NONE);
	side_start(&a, n2, 1);
	cr_assert_eq(side_send(&a, 3, 5, 1000, false), 0);
	side_commit(&a, 0);
	cr_assert_eq(stats(&a).n_waiting, 1);
	side_at(&a, 1000 * US_PER_MS);
	cr_assert_eq(stats(&a).n_bundles, 1);
	cr_assert_eq(agent_deadline(a.agent), 1001 * US_PER_MS);
	side_at(&a, 1001 * US_PER_MS);
	cr_assert_eq(stats(&a).n_bundles, 0);
	cr_assert_eq(count(&a, EV_bundle_deleted), 1);
	side_fini(&a);
}

/* A node without a clock: creation time 0, and the age block tells (RFC 9171 4.4.2). */
Test(agent, age_without_clock)
{
	struct side a, b;
	struct flight f;
	struct bundle bundle;
	struct bundle_fault fault;
	struct bundle_rules rules = bundle_rules_default();

	side_init(&a, 1, n2, 1, 2);
	a.no_clock = true;
	side_start(&a, n2, 1);
	side_init(&b, 2, n1, 1, 1);
	side_start(&b, n1, 1);
	cr_assert_eq(side_send(&a, 2, 5, 5000, false), 0);
	side_commit(&a, 0);
	a.now = 3 * SEC;
	cr_assert(side_out(&a, 2, &f));
	cr_assert_eq(bundle_read(&bundle, view_of(f.bytes, f.n), &rules, &fault), 0);
	cr_assert_eq(bundle.created_ms, 0);
	cr_assert_eq(bundle.age_ms, 3000);
	cr_assert_eq(bundle.hop_count, 1);
	cr_assert(bundle.has_prev && bundle.prev.node == 1);
	side_in(&b, 1, &f);
	side_at(&b, 2001 * US_PER_MS);
	cr_assert_eq(count(&b, EV_bundle_deleted), 1);
	side_fini(&a);
	side_fini(&b);
}

/* RFC 9171 4.4.3: three nodes in a ring of routes; the hop count ends it. */
Test(agent, hop_limit_ends_a_loop)
{
	struct side a, b;
	unsigned n = 0;

	/* Both believe that node 9 is behind the other. */
	side_init(&a, 1, n2, 1, 2);
	side_init(&b, 2, n1, 1, 1);
	a.cfg.max_tombstones = b.cfg.max_tombstones = 16;
	side_start(&a, n2, 1);
	side_start(&b, n1, 1);
	warm(&a);
	cr_assert_eq(side_send(&a, 9, 5, HOUR_MS, true), 0);
	side_commit(&a, 0);
	for (; n < 40 && count(&a, EV_bundle_deleted) + count(&b, EV_bundle_deleted) == 0; n++) {
		side_pass(&a, &b);
		side_commit(&b, 0);
		side_pass(&b, &a);
		side_commit(&a, 0);
		side_at(&a, a.now + 6 * SEC);
		side_at(&b, a.now);
	}
	cr_assert_eq(
		count(&a, EV_bundle_deleted) + count(&b, EV_bundle_deleted), 1, "%u rounds", n);
	side_fini(&a);
	side_fini(&b);
}

Test(agent, three_nodes_by_a_relay)
{
	struct side a, b, c;
	uint32_t r;

	side_init(&a, 1, n2, 1, 2);
	side_init(&b, 2, n13, 2, NODE_NONE);
	side_init(&c, 3, n2, 1, 2);
	side_start(&a, n2, 1);
	side_start(&b, n13, 2);
	side_start(&c, n2, 1);
	warm(&a);
	r = side_register(&c, 5, 1);
	(void)r;
	cr_assert_eq(side_send(&a, 3, 5, HOUR_MS, false), 0);
	cr_assert_eq(side_pass(&a, &b), 1);
	cr_assert_eq(side_pass(&b, &c), 1, "from the stage");
	side_commit(&c, 0);
	side_listen(&c);
	cr_assert_eq(heard(&c, AGENT_DELIVERY), 1);
	side_fini(&a);
	side_fini(&b);
	side_fini(&c);
}

/* A contact closes: what is left is routed again, and waits when there is no way. */
Test(agent, missed_contact_is_routed_again)
{
	struct side a;

	side_init(&a, 1, n2, 1, 2);
	side_start(&a, n2, 1);
	warm(&a);
	cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, false), 0);
	cr_assert_eq(agent_queued(a.agent, 0), 1);
	agent_contact(a.agent, a.now, 0, false, a.now);
	cr_assert_eq(count(&a, EV_bundle_rerouted), 1);
	cr_assert_eq(agent_queued(a.agent, 0), 1);
	side_fini(&a);
}

Test(agent, priority_then_age)
{
	static const unsigned priority[] = {0, 1, 2, 1};
	static const unsigned order[] = {2, 1, 3, 0};
	uint64_t first[4];
	struct side a;
	struct flight f;

	side_init(&a, 1, n2, 1, 2);
	side_start(&a, n2, 1);
	warm(&a);
	for (unsigned i = 0; i < 4; i++) {
		struct view p = view_text("x");
		struct agent_send s = {.source = eid_ipn(1, 9),
			.dest = eid_ipn(2, 5),
			.report_to = eid_null(),
			.lifetime_ms = HOUR_MS,
			.priority = priority[i],
			.crc_type = CRC_16,
			.payload = &p,
			.n_payload = 1};
		uint64_t id = 0;
		struct agent_bundle b;

		cr_assert_eq(agent_send(a.agent, a.now, &s, &a.last_request), 0);
		while (agent_next_bundle(a.agent, &id, &b))
			first[i] = id;
	}
	for (unsigned i = 0; i < 4; i++) {
		cr_assert(side_out(&a, 2, &f));
		cr_assert_eq(f.id, first[order[i]], "place %u", i);
	}
	side_fini(&a);
}

Test(agent, refused_when_full)
{
	static const struct {
		uint64_t bundles, entries;
	} limit[] = {{3, 64}, {1000, 16}};

	for (size_t k = 0; k < 2; k++) {
		struct side a, b;

		side_init(&a, 1, n2, 1, 2);
		side_init(&b, 2, n1, 1, 1);
		b.limits.max_bundles = limit[k].bundles;
		b.cfg.max_bundles = limit[k].entries;
		side_start(&a, n2, 1);
		side_start(&b, n1, 1);
		warm(&a);
		for (int i = 0; i < 20; i++) {
			cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, false), 0);
			side_pass(&a, &b);
		}
		cr_assert_gt(count(&b, EV_bundle_refused), 0);
		cr_assert_eq(count(&b, EV_bundle_refused) + stats(&b).n_bundles, 20);
		side_fini(&a);
		side_fini(&b);
	}
}

/* Echo: answered, limited, never for an echo service or an administrative endpoint. */
Test(agent, echo)
{
	static const struct {
		uint64_t source;
		unsigned answers;
	} t[] = {{9, 1}, {7, 0}, {0, 0}};
	struct side b;

	side_init(&b, 2, n1, 1, 1);
	side_start(&b, n1, 1);
	warm(&b);
	for (size_t i = 0; i < 3; i++) {
		struct flight f;
		struct buf out = buf_of(f.bytes, sizeof f.bytes);
		struct bundle_spec spec = {.crc_type = CRC_32C,
			.dest = eid_ipn(2, 7),
			.source = eid_ipn(1, t[i].source),
			.report_to = eid_null(),
			.created_ms = KIT_DTN,
			.seq = i,
			.lifetime_ms = HOUR_MS};
		uint64_t before = count(&b, EV_echo_answered);

		cr_assert_eq(bundle_build(&out, &spec, view_text("ping")), 0);
		f.n = out.len;
		side_in(&b, 1, &f);
		cr_assert_eq(count(&b, EV_echo_answered) - before, t[i].answers, "row %zu", i);
		side_in(&b, 1, &f);
		cr_assert_eq(count(&b, EV_echo_answered) - before, t[i].answers,
			"duplicate, row %zu", i);
	}
	side_fini(&b);
}

/* RFC 9171 5.6-4: what is done with blocks that can't be processed. */
Test(agent, unprocessable_blocks)
{
	static const struct {
		uint64_t flags;
		unsigned deleted, blocks_out;
	} t[] = {{0, 0, 1}, {BLOCK_DELETE_BUNDLE, 1, 0}, {BLOCK_DISCARD, 0, 0},
		{BLOCK_DELETE_BUNDLE | BLOCK_DISCARD, 1, 0}};

	for (size_t i = 0; i < 4; i++) {
		struct side b;
		struct flight f;
		struct buf out = buf_of(f.bytes, sizeof f.bytes);
		struct block_spec k = {.type = 200,
			.number = 9,
			.flags = t[i].flags,
			.crc_type = CRC_16,
			.data = view_text("?")};
		struct bundle_spec spec = {.crc_type = CRC_32C,
			.dest = eid_ipn(3, 5),
			.source = eid_ipn(1, 9),
			.report_to = eid_null(),
			.created_ms = KIT_DTN,
			.lifetime_ms = HOUR_MS,
			.block = &k,
			.n_blocks = 1};
		struct bundle_rules rules = bundle_rules_default();
		struct bundle_fault fault;
		struct bundle got;

		side_init(&b, 2, n13, 2, NODE_NONE);
		side_start(&b, n13, 2);
		cr_assert_eq(bundle_build(&out, &spec, view_text("data")), 0);
		f.n = out.len;
		side_in(&b, 1, &f);
		cr_assert_eq(count(&b, EV_bundle_deleted), t[i].deleted, "row %zu", i);
		if (!t[i].deleted) {
			cr_assert(side_out(&b, 3, &f));
			cr_assert_eq(bundle_read(&got, view_of(f.bytes, f.n), &rules, &fault), 0);
			cr_assert_eq(
				bundle_block(&got, 200) != NULL, t[i].blocks_out, "row %zu", i);
		}
		side_fini(&b);
	}
}

Test(agent, every_prefix_and_garbage_is_rejected)
{
	struct side a, b;
	struct flight f, cut;
	uint64_t n;

	pair_init(&a, &b);
	warm(&a);
	cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, false), 0);
	cr_assert(side_out(&a, 2, &f));
	for (cut = f, n = 0; n < f.n; n++) {
		cut.n = n;
		side_in(&b, 1, &cut);
	}
	cr_assert_eq(count(&b, EV_bundle_rejected), f.n);
	cr_assert_eq(stats(&b).n_bundles, 0);
	side_fini(&a);
	side_fini(&b);
}

/* RFC 9171 5.1: reports are off unless configured; then as asked for. */
Test(agent, reports)
{
	for (int on = 0; on < 2; on++) {
		struct side a, b;
		struct view p = view_text("x");
		struct agent_send s = {.source = eid_ipn(1, 9),
			.dest = eid_ipn(2, 5),
			.report_to = eid_ipn(1, 0),
			.lifetime_ms = HOUR_MS,
			.priority = 1,
			.crc_type = CRC_16,
			.payload = &p,
			.n_payload = 1,
			.flags = BUNDLE_REPORT_RECEPTION | BUNDLE_STATUS_TIME};

		side_init(&a, 1, n2, 1, 2);
		side_init(&b, 2, n1, 1, 1);
		b.cfg.reports = on;
		side_start(&a, n2, 1);
		side_start(&b, n1, 1);
		warm(&a);
		warm(&b);
		cr_assert_eq(agent_send(a.agent, a.now, &s, &a.last_request), 0);
		side_pass(&a, &b);
		cr_assert_eq(count(&b, EV_report_tx), on);
		cr_assert_eq(side_pass(&b, &a), 0, "not before the commit");
		side_commit(&b, 0);
		side_pass(&b, &a);
		cr_assert_eq(count(&a, EV_report_rx), on);
		side_fini(&a);
		side_fini(&b);
	}
}

Test(agent, own_limit_expires_with_its_reason)
{
	struct side a;

	side_init(&a, 1, n2, 1, NODE_NONE);
	a.cfg.max_lifetime_us = 2 * SEC;
	side_start(&a, n2, 1);
	cr_assert_eq(side_send(&a, 3, 5, HOUR_MS, false), 0);
	side_commit(&a, 0);
	side_at(&a, 2 * SEC + US_PER_MS);
	cr_assert_eq(count(&a, EV_bundle_deleted), 1);
	side_fini(&a);
}

Test(agent, registrations)
{
	struct side a;
	struct eid e;
	uint32_t r, r2;

	side_init(&a, 1, n2, 1, 2);
	side_start(&a, n2, 1);
	e = eid_ipn(1, 5);
	cr_assert_eq(agent_register(a.agent, 0, &e, &r), 0);
	cr_assert_eq(agent_register(a.agent, 0, &e, &r2), -E_DUPLICATE);
	e = eid_ipn(2, 5);
	cr_assert_eq(agent_register(a.agent, 0, &e, &r2), -E_NOT_OURS, "another node's");
	e = eid_ipn(1, 7);
	cr_assert_eq(agent_register(a.agent, 0, &e, &r2), -E_TAKEN, "echo");
	for (int i = 0; i < 3; i++) {
		e = eid_ipn(1, 0);
		cr_assert_eq(agent_register(a.agent, 0, &e, &r2), 0);
		cr_assert_geq(e.service, 0x10000);
	}
	e = eid_ipn(1, 0);
	cr_assert_eq(agent_register(a.agent, 0, &e, &r2), -E_FULL);
	agent_unregister(a.agent, 0, r);
	cr_assert_eq(agent_register(a.agent, 0, &e, &r2), 0);
	side_fini(&a);
}

/* What is known is limited by kind: a flood that passes through costs no delivered bundle its
 * tombstone, and the tables never need more than their pools hold. */
Test(agent, tombstones_are_limited_by_kind)
{
	struct side a, b;
	struct flight delivered;
	uint32_t r;

	side_init(&a, 1, n2, 1, 2);
	side_init(&b, 2, n13, 2, NODE_NONE);
	b.cfg.max_tombstones = 16;
	side_start(&a, n2, 1);
	side_start(&b, n13, 2);
	warm(&a);
	r = side_register(&b, 5, 1);
	cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, false), 0);
	cr_assert(side_out(&a, 2, &delivered));
	side_in(&b, 1, &delivered);
	side_commit(&b, 0);
	side_listen(&b);
	cr_assert_eq(agent_ack(b.agent, b.now, r, b.last_id), 0);
	side_commit(&b, 0);
	for (int i = 0; i < 100; i++) {
		struct flight f;

		cr_assert_eq(side_send(&a, 3, 5, 2 * HOUR_MS, i % 2), 0);
		side_commit(&a, 0);
		cr_assert_eq(side_pass(&a, &b), 1);
		side_commit(&b, 0);
		cr_assert(side_out(&b, 3, &f));
		if (i % 2) { /* custody is passed on at once, with everything */
			struct flight all;

			signal_make(&all, 2, 1, true, 1, (const uint64_t[2]){0, UINT64_C(1) << 40});
			side_in(&a, 2, &all);
			signal_make(&all, 3, 2, true, 1, (const uint64_t[2]){0, UINT64_C(1) << 40});
			side_in(&b, 3, &all);
		}
	}
	cr_assert_gt(stats(&b).n_evicted, 0);
	cr_assert_leq(stats(&b).n_tombstones, 17);
	side_in(&b, 1, &delivered);
	cr_assert_eq(count(&b, EV_bundle_duplicate), 1);
	side_fini(&a);
	side_fini(&b);
}

/* The application goes between arrival and commit, and another endpoint gets its place in the table. */
Test(agent, unregister_before_the_commit)
{
	struct side a, b;
	uint32_t r;

	pair_init(&a, &b);
	warm(&a);
	r = side_register(&b, 5, 4);
	cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, false), 0);
	side_pass(&a, &b);
	agent_unregister(b.agent, b.now, r);
	(void)side_register(&b, 6, 4);
	side_commit(&b, 0);
	side_listen(&b);
	cr_assert_eq(heard(&b, AGENT_DELIVERY), 0, "not for service 6");
	r = side_register(&b, 5, 4);
	side_commit(&b, 0);
	side_listen(&b);
	cr_assert_eq(heard(&b, AGENT_DELIVERY), 1);
	cr_assert_eq(agent_ack(b.agent, b.now, r, b.last_id), 0);
	/* And between credit and the commit of "handed". */
	cr_assert_eq(side_send(&a, 2, 7777, HOUR_MS, false), 0);
	side_pass(&a, &b);
	side_commit(&b, 0);
	r = side_register(&b, 7777, 1);
	agent_unregister(b.agent, b.now, r);
	r = side_register(&b, 7777, 1);
	side_listen(&b);
	cr_assert_eq(heard(&b, AGENT_DELIVERY), 1);
	side_commit(&b, 0);
	side_listen(&b);
	cr_assert_eq(heard(&b, AGENT_DELIVERY), 2);
	side_fini(&a);
	side_fini(&b);
}

/* A layer that can't send: tried again after a second, not in a loop. */
Test(agent, failed_transmission_waits)
{
	struct side a;
	uint8_t room[1024];
	struct buf b = buf_of(room, sizeof room);
	struct agent_offer o = {.max_bytes = 1024, .max_ever = 1024, .room = &b};

	side_init(&a, 1, n2, 1, 2);
	side_start(&a, n2, 1);
	warm(&a);
	cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, false), 0);
	cr_assert(agent_next(a.agent, a.now, &o));
	agent_send_failed(a.agent, a.now, o.id);
	cr_assert_not(agent_next(a.agent, a.now, &o));
	cr_assert_eq(agent_deadline(a.agent), a.now + SEC);
	side_at(&a, a.now + SEC);
	cr_assert(agent_next(a.agent, a.now, &o));
	cr_assert_eq(count(&a, EV_custody_retx), 0);
	side_fini(&a);
}

/* A layer without room: it keeps its place, whole or in pieces, and nothing waits for a time; where its contact has
 * closed meanwhile it is routed again. */
Test(agent, turned_away_for_now)
{
	struct flight f[3], g;
	struct side a;

	side_init(&a, 1, n2, 1, 2);
	side_start(&a, n2, 1);
	warm(&a);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, i == 1), 0);
	side_commit(&a, 0);
	for (int i = 0; i < 3; i++)
		cr_assert(side_give(&a, 2, &f[i]));
	cr_assert_not(side_give(&a, 2, &g));
	for (int i = 3; i-- > 0;)
		agent_send_again(a.agent, a.now, f[i].id);
	agent_send_again(a.agent, a.now, f[0].id);
	for (int i = 0; i < 3; i++) {
		cr_assert(side_out(&a, 2, &g));
		cr_assert_eq(g.id, f[i].id, "in order");
		cr_assert(g.n == f[i].n && memcmp(g.bytes, f[i].bytes, g.n) == 0);
	}
	cr_assert_eq(stats(&a).n_custody_sent, 1);
	cr_assert_eq(count(&a, EV_bundle_rerouted), 0);
	cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, false), 0);
	cr_assert(side_give(&a, 2, &g));
	agent_contact(a.agent, a.now, 0, false, a.now);
	agent_send_again(a.agent, a.now, g.id);
	agent_contact(a.agent, a.now, 0, true, MONO_NEVER);
	agent_changed(a.agent, a.now);
	side_at(&a, a.now);
	cr_assert(side_out(&a, 2, &g));
	side_fini(&a);
}

/* Any octet changed: refused or taken, never a crash, and nothing is kept beyond the limits. */
Test(agent, mutations)
{
	struct side a, b;
	struct flight f, m;

	pair_init(&a, &b);
	warm(&a);
	for (int custody = 0; custody < 2; custody++) {
		cr_assert_eq(side_send(&a, 2, 7, HOUR_MS, custody), 0);
		side_commit(&a, 0);
		cr_assert(side_out(&a, 2, &f));
		for (size_t i = 0; i < f.n; i++)
			for (unsigned bit = 0; bit < 8; bit++) {
				m = f;
				m.bytes[i] ^= (uint8_t)(1u << bit);
				side_in(&b, 1, &m);
			}
	}
	side_commit(&b, 0);
	side_commit(&b, 0);
	cr_assert_gt(count(&b, EV_bundle_rejected), 1000);
	cr_assert_leq(stats(&b).n_bundles, 64);
	side_fini(&a);
	side_fini(&b);
}

/* A fragment for this node waits for the others (RFC 9171 5.9), one for others passes. */
Test(agent, fragments)
{
	struct side b;

	side_init(&b, 2, n13, 2, NODE_NONE);
	side_start(&b, n13, 2);
	for (node_id to = 2; to <= 3; to++) {
		struct flight f;
		struct buf out = buf_of(f.bytes, sizeof f.bytes);
		struct bundle_spec spec = {.flags = BUNDLE_FRAGMENT,
			.crc_type = CRC_32C,
			.dest = eid_ipn(to, 5),
			.source = eid_ipn(1, 9),
			.report_to = eid_null(),
			.created_ms = KIT_DTN,
			.seq = to,
			.lifetime_ms = HOUR_MS,
			.frag_off = 10,
			.total_len = 100};

		cr_assert_eq(bundle_build(&out, &spec, view_text("part")), 0);
		f.n = out.len;
		side_in(&b, 1, &f);
		cr_assert_eq(side_out(&b, 3, &f), to == 3);
	}
	cr_assert_eq(count(&b, EV_adu_begun), 1);
	cr_assert_eq(count(&b, EV_bundle_fragment), 2);
	side_fini(&b);
}

/* A relay whose disk is slow: what leaves from the stage does not run out of promises. */
Test(agent, slow_disk_does_not_stop_cut_through)
{
	struct side a, b;
	struct flight f;

	side_init(&a, 1, n2, 1, 2);
	side_init(&b, 2, n13, 2, NODE_NONE);
	side_start(&a, n2, 1);
	side_start(&b, n13, 2);
	warm(&a);
	cr_assert_eq(side_send(&a, 3, 5, HOUR_MS, true), 0);
	side_commit(&a, 0);
	cr_assert_eq(side_pass(&a, &b), 1, "staged, and no commit comes");
	for (int i = 0; i < 300; i++) {
		cr_assert_eq(side_send(&a, 3, 5, HOUR_MS, false), 0);
		cr_assert_eq(side_pass(&a, &b), 1);
		cr_assert(side_out(&b, 3, &f), "bundle %d", i);
		side_listen(&a);
		side_listen(&b);
	}
	cr_assert_eq(count(&b, EV_bundle_refused), 0);
	side_commit(&b, 0);
	cr_assert_eq(count(&b, EV_custody_taken), 1);
	side_fini(&a);
	side_fini(&b);
}

/* What a younger release wrote is not given up: the node does not start. */
Test(agent, a_store_of_a_younger_release)
{
	static const enum store_kind kind[] = {STORE_BUNDLE, STORE_TOMB, STORE_PAIR};

	for (size_t i = 0; i < 3; i++) {
		struct agent_deps deps = {.self = eid_ipn(1, 0), .dtn_at_zero = KIT_DTN};
		struct store_bundle b = {.value = view_text("\x7f"), .head = view_text("h")};
		struct agent_cfg cfg = kit_cfg();
		struct agent *a;
		struct side s;
		struct view v;
		uint64_t id = 1;

		side_init(&s, 1, n2, 1, 2);
		cr_assert_eq(store_mem_open(&s.limits, &s.store), 0);
		if (kind[i] == STORE_BUNDLE)
			cr_assert_eq(store_put(s.store, &b, &id), 0);
		else
			cr_assert_eq(store_row_set(s.store, kind[i], 1, view_text("\x7f")), 0);
		deps.store = s.store;
		deps.route = s.route;
		deps.trace = &s.trace;
		cr_assert_eq(agent_new(&cfg, &deps, 0, &a), -E_VERSION);
		cr_assert_eq(store_value(s.store, kind[i], id, &v), 0, "it is still there");
		cr_assert_eq(count(&s, EV_bundle_deleted), 0);
		store_close(s.store);
		s.route->ops->free(s.route);
		trace_fini(&s.trace);
	}
}
