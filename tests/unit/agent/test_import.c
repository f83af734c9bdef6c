/* Bundles that a tool put into the store: received after the next start as from nobody (import.c). */
#include "tests/unit/agent/kit.h"

#include "dtn/agent/record.h"

#include <criterion/criterion.h>

static const node_id n3[] = {3};

static uint64_t import(struct side *s, struct view bytes, dtntime now)
{
	struct bundle_rules rules = bundle_rules_default();
	uint8_t room[STORE_VALUE_MAX];
	struct buf value = buf_of(room, sizeof room);
	struct bundle_fault fault;
	struct record r;
	struct bundle b;
	uint64_t id;

	cr_assert_eq(bundle_read(&b, bytes, &rules, &fault), 0, "%s", rule_name(fault.rule));
	record_import(&r, &b, now);
	record_encode(&value, &r);
	struct store_bundle put = {.value = buf_view(&value), .payload = &bytes, .n_payload = 1};
	cr_assert_eq(store_put(s->store, &put, &id), 0);
	return id;
}

static struct view make(uint8_t *room, size_t cap, struct eid source, struct eid dest, uint64_t seq)
{
	static const uint8_t bytes[600];
	struct buf out = buf_of(room, cap);
	struct bundle_spec spec = {.crc_type = CRC_32C,
		.block_crc_type = CRC_32C,
		.source = source,
		.dest = dest,
		.report_to = eid_null(),
		.created_ms = KIT_DTN,
		.seq = seq,
		.flags = eid_is_null(&source) ? BUNDLE_NO_FRAGMENT : 0,
		.lifetime_ms = HOUR_MS,
		.custody = custody_codes_ccsds()};

	cr_assert_eq(bundle_build(&out, &spec, view_of(bytes, sizeof bytes)), 0);
	return buf_view(&out);
}

static unsigned n_imported(struct side *s)
{
	uint64_t id = 0;
	unsigned n = 0;
	struct record r;
	struct view v;

	while (store_next(s->store, STORE_BUNDLE, &id, &v))
		n += record_decode(v, &r) == 0 && r.flags & RECORD_IMPORTED;
	return n;
}

static void ready(struct side *s)
{
	side_init(s, 2, n3, 1, NODE_NONE);
	side_start(s, n3, 1);
}

static void start_again(struct side *s)
{
	side_commit(s, 0);
	side_crash(s, false, n3, 1);
}

Test(import, is_received_at_the_next_start)
{
	struct side s;
	struct flight f;
	uint8_t room[2048];

	ready(&s);
	import(&s, make(room, sizeof room, eid_ipn(1, 9), eid_ipn(3, 5), 1), KIT_DTN);
	import(&s, make(room, sizeof room, eid_ipn(1, 9), eid_ipn(2, 5), 2), KIT_DTN);
	import(&s, make(room, sizeof room, eid_ipn(1, 9), eid_ipn(3, 5), 1), KIT_DTN);
	start_again(&s);
	cr_assert_eq(n_imported(&s), 3);
	cr_assert_leq(agent_deadline(s.agent), s.now, "due at once");
	side_at(&s, s.now);
	cr_assert_eq(count(&s, EV_bundle_received), 2);
	cr_assert_eq(count(&s, EV_bundle_duplicate), 1);
	cr_assert_eq(n_imported(&s), 0);
	side_commit(&s, 0);
	cr_assert(side_out(&s, 3, &f));
	cr_assert_not(side_out(&s, 3, &f));
	uint32_t r = side_register(&s, 5, 1);
	side_commit(&s, 0);
	side_listen(&s);
	cr_assert_eq(heard(&s, AGENT_DELIVERY), 1);
	cr_assert_gt(r, 0);
	side_fini(&s);
}

/* What `owlt store export --remove' took out of our custody comes back into it, under a new number. */
Test(import, a_promise_of_ours_is_ours_again)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct side s;
	struct flight f;
	struct bundle b;
	uint8_t room[2048];
	static const uint8_t bytes[600];
	struct buf out = buf_of(room, sizeof room);
	struct bundle_spec spec = {.crc_type = CRC_32C,
		.block_crc_type = CRC_32C,
		.source = eid_ipn(1, 9),
		.dest = eid_ipn(3, 5),
		.report_to = eid_null(),
		.created_ms = KIT_DTN,
		.seq = 1,
		.flags = BUNDLE_NO_FRAGMENT,
		.lifetime_ms = HOUR_MS,
		.has_cteb = true,
		.cteb = {.seq_no = 77, .seq_id = 1, .custodian = eid_ipn(2, 0)},
		.custody = custody_codes_ccsds()};

	cr_assert_eq(bundle_build(&out, &spec, view_of(bytes, sizeof bytes)), 0);
	ready(&s);
	import(&s, buf_view(&out), KIT_DTN);
	start_again(&s);
	side_at(&s, s.now);
	cr_assert_not(side_out(&s, 3, &f), "not before its number is durable");
	side_commit(&s, 0);
	cr_assert(side_out(&s, 3, &f));
	cr_assert_eq(bundle_read(&b, view_of(f.bytes, f.n), &rules, &fault), 0);
	cr_assert(b.has_cteb && b.cteb.custodian.node == 2 && b.cteb.seq_no != 77);
	cr_assert_eq(stats(&s).n_bundles, 1, "kept until somebody else has it");
	side_fini(&s);
}

/* One batch takes the new bundle and its file's row away: a crash leaves exactly one of them. */
Test(import, a_crash_loses_and_doubles_nothing)
{
	for (int survives = 0; survives < 2; survives++) {
		struct side s;
		struct flight f;
		uint8_t room[2048];

		ready(&s);
		import(&s, make(room, sizeof room, eid_ipn(1, 9), eid_ipn(3, 5), 1), KIT_DTN);
		start_again(&s);
		side_at(&s, s.now);
		cr_assert(store_commit_begin(s.store));
		side_crash(&s, survives, n3, 1);
		cr_assert_eq(n_imported(&s), !survives);
		side_at(&s, s.now);
		side_commit(&s, 0);
		cr_assert(side_out(&s, 3, &f));
		cr_assert_not(side_out(&s, 3, &f));
		side_fini(&s);
	}
}

Test(import, what_has_no_room_in_the_stage_waits)
{
	enum { N = 12 };
	struct side s;
	uint8_t room[2048];

	side_init(&s, 2, n3, 1, NODE_NONE);
	s.limits.stage_bytes = 3000;
	side_start(&s, n3, 1);
	for (uint64_t k = 1; k <= N; k++) {
		import(&s, make(room, sizeof room, eid_ipn(1, 9), eid_ipn(4, 5), k), KIT_DTN);
		side_commit(&s, 0);
	}
	start_again(&s);
	unsigned rounds = 0, before = N;
	while (n_imported(&s) > 0) {
		side_at(&s, s.now);
		unsigned left = n_imported(&s);
		cr_assert_lt(left, before, "round %u", rounds);
		before = left;
		if (left)
			cr_assert_gt(agent_deadline(s.agent), s.now, "it waits for the commit");
		side_commit(&s, 0);
		cr_assert_lt(++rounds, N);
	}
	cr_assert_gt(rounds, 1);
	cr_assert_eq(stats(&s).n_bundles, N);
	side_fini(&s);
}

Test(import, what_is_refused_stays_until_it_expires)
{
	struct side s;
	uint8_t room[2048];

	ready(&s);
	import(&s, make(room, sizeof room, eid_ipn(1, 9), eid_null(), 1), KIT_DTN);
	import(&s, make(room, sizeof room, eid_null(), eid_ipn(4, 5), 1), KIT_DTN);
	start_again(&s);
	side_at(&s, s.now);
	side_commit(&s, 0);
	cr_assert_eq(count(&s, EV_bundle_refused), 1);
	cr_assert_eq(stats(&s).n_bundles, 1, "one without a source is taken once");
	side_at(&s, s.now);
	cr_assert_eq(count(&s, EV_bundle_refused), 1, "not asked again in this run");
	cr_assert_eq(n_imported(&s), 1);
	s.now = (mono)(HOUR_MS + 10) * US_PER_MS;
	start_again(&s);
	side_at(&s, s.now);
	side_commit(&s, 0);
	cr_assert_eq(n_imported(&s), 0, "expired");
	side_fini(&s);
}
