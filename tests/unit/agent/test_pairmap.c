/* Custody pairs that no longer find room one by one (pairmap.c): many custody bundles, and every one of them
 * again under its old pair, exactly one delivery each. */
#include "tests/unit/agent/hand.h"

#include "bundle/ccs.h"

#include <criterion/criterion.h>

#define BUNDLES 3000u

static const node_id n1[] = {1};

/* Bundle k of node 1 for node 2 under a pair of node 1; `turn` tells bundles with the same pair apart. */
static void under_pair(struct flight *f, uint64_t k, uint64_t turn)
{
	struct bundle_spec spec = hand_spec(2);

	spec.flags |= BUNDLE_NO_FRAGMENT;
	spec.seq = k + turn * BUNDLES;
	spec.has_cteb = true;
	spec.cteb = (struct cteb){.seq_no = k, .seq_id = 4, .custodian = eid_ipn(1, 0)};
	hand_make(f, &spec, view_text("four"));
}

/* Signals leave; how many numbers they accept. */
static uint64_t signalled(struct side *s)
{
	struct custody_codes codes = custody_codes_ccsds();
	struct range runs[64];
	struct ccs_sequence q;
	struct ccs_reader reader;
	struct flight f;
	struct bundle b;
	uint64_t n = 0;

	while (side_out(s, 1, &f)) {
		hand_read(&f, &b);
		cr_assert_eq(ccs_open(&reader, b.payload, &codes), 0);
		while (q.numbers = ranges_of(runs, 64), ccs_next(&reader, &q))
			n += q.accepted ? ranges_count(&q.numbers) : 0;
	}
	return n;
}

/* A batch; what it delivers is acknowledged. How many numbers were accepted to node 1. */
static uint64_t go_on(struct side *s, uint32_t r, int err)
{
	struct agent_event ev;

	side_commit(s, err);
	while (agent_event(s->agent, s->now, &ev))
		if (ev.type == AGENT_DELIVERY)
			cr_assert_eq(agent_ack(s->agent, s->now, r, ev.id), 0);
	return signalled(s);
}

static uint32_t begin(struct side *s, uint64_t max_old_pairs)
{
	uint32_t r;

	side_init(s, 2, n1, 1, 1);
	s->cfg.max_tombstones = 64;
	s->cfg.max_old_pairs = max_old_pairs;
	s->cfg.signal_count = 10;
	side_start(s, n1, 1);
	r = side_register(s, 5, 10);
	return r;
}

/* Bundles from, from + step, ... come; how many were accepted. */
static uint64_t take(struct side *s, uint32_t r, uint64_t from, uint64_t step, uint64_t turn)
{
	struct flight f;
	uint64_t n = 0;

	for (uint64_t k = from; k < BUNDLES; k += step) {
		under_pair(&f, k, turn);
		side_in(s, 1, &f);
		if (k % 5 == 0)
			n += go_on(s, r, 0);
	}
	for (int i = 0; i < 4; i++) {
		side_at(s, s->now + 5 * SEC);
		n += go_on(s, r, 0);
	}
	return n;
}

/* Tombstones hold 64 of 3000; after a crash as before it, each old pair is accepted again and dropped. */
Test(pairmap, retransmission_of_old_pairs)
{
	struct side s;
	uint32_t r = begin(&s, 4096);
	uint64_t n, row = 0;
	struct view v;

	n = take(&s, r, 0, 2, 0);
	n += take(&s, r, 1, 2,
		0); /* every other one first, as from a custodian with two neighbours */
	cr_assert_eq(count(&s, EV_bundle_delivered), BUNDLES);
	cr_expect_eq(n, BUNDLES);
	cr_expect_eq(stats(&s).n_pairs, BUNDLES);
	for (unsigned crash = 0; crash < 2; crash++) {
		if (crash) {
			s.cfg.max_tombstones = 16; /* less than before: the rest joins the maps */
			side_crash(&s, false, n1, 1);
			r = side_register(&s, 5, 10);
			cr_expect_eq(stats(&s).n_pairs, BUNDLES);
		}
		n = count(&s, EV_bundle_delivered);
		cr_expect_eq(take(&s, r, 0, 1, 0), BUNDLES, "crash %u: said again", crash);
		cr_assert_eq(count(&s, EV_bundle_delivered), n, "crash %u", crash);
		cr_expect_eq(stats(&s).n_bundles, 0);
	}
	/* the same numbers for other bundles: new ones */
	n = count(&s, EV_bundle_delivered);
	take(&s, r, 0, 1, 1);
	cr_expect_eq(count(&s, EV_bundle_delivered) - n, BUNDLES);
	/* all expires, and so do the maps */
	side_at(&s, s.now + 3 * 3600 * SEC);
	side_commit(&s, 0);
	cr_expect_eq(stats(&s).n_pairs, 0);
	cr_expect_not(store_next(s.store, STORE_PAIR, &row, &v), "no row is left");
	side_fini(&s);
}

/* Without maps, or beyond them, what is forgotten is counted: this is what they are for. */
Test(pairmap, limits)
{
	static const uint64_t most[] = {0, 320, 4096};
	uint64_t forgotten[3];

	for (size_t i = 0; i < 3; i++) {
		struct side s;
		uint32_t r = begin(&s, most[i]);

		take(&s, r, 0, 1, 0);
		forgotten[i] = stats(&s).n_evicted; /* of bundles, too */
		cr_expect_leq(stats(&s).n_pairs, 64 + most[i]);
		cr_expect_geq(stats(&s).n_pairs, most[i] < BUNDLES ? 32 + most[i] / 2 : BUNDLES);
		side_fini(&s);
	}
	cr_expect_geq(forgotten[0] - forgotten[2], BUNDLES - 64);
	cr_expect_geq(forgotten[1] - forgotten[2], BUNDLES - 64 - 320);
}

/* A batch that fails while pairs are on their way into maps: nothing is forgotten, nothing said early. */
Test(pairmap, failed_batches)
{
	struct side s;
	uint32_t r = begin(&s, 4096);
	struct flight f;
	uint64_t n_taken = 0;

	for (uint64_t k = 0; k < 600; k++) {
		under_pair(&f, k, 0);
		side_in(&s, 1, &f);
		if (k % 7 == 0)
			go_on(&s, r, k % 3 ? 0 : -ENOSPC);
	}
	go_on(&s, r, 0);
	n_taken = count(&s, EV_custody_taken);
	cr_assert(n_taken > 0 && n_taken < 600);
	cr_expect_eq(stats(&s).n_pairs, n_taken);
	take(&s, r, 0, 1, 0); /* those that were refused come again, and others */
	cr_expect_eq(count(&s, EV_custody_taken), BUNDLES);
	cr_expect_eq(count(&s, EV_bundle_delivered), BUNDLES);
	side_fini(&s);
}
