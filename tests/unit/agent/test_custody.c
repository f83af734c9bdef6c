/* Custody, CCSDS 734.6, procedures: acceptance after commit, signals, retransmission, duplicates by pair,
 * restarts. */
#include "dtn/agent/break.h"
#include "tests/unit/agent/chain.h"

#include <criterion/criterion.h>

Test(custody, handed_from_node_to_node)
{
	struct chain x;
	uint32_t r;

	chain_init(&x);
	r = side_register(&x.c, 5, 1);
	chain_send(&x);
	cr_assert_eq(side_pass(&x.a, &x.b), 1);
	cr_assert_eq(count(&x.b, EV_custody_signalled), BREAK_SPEAK_EARLY, "not before the commit");
	cr_assert_eq(side_pass(&x.b, &x.c), 0, "custody bundles wait for their commit");
	settle(&x.b);
	cr_assert_eq(count(&x.b, EV_custody_taken), 1);
	cr_assert_eq(side_pass(&x.b, &x.a), 1, "the signal");
	cr_assert_eq(count(&x.a, EV_custody_released), 1);
	cr_assert_eq(stats(&x.a).n_bundles, 0);
	cr_assert_eq(side_pass(&x.b, &x.c), 1);
	settle(&x.c);
	cr_assert_eq(side_pass(&x.c, &x.b), 1);
	cr_assert_eq(count(&x.b, EV_custody_released), 1);
	cr_assert_eq(stats(&x.b).n_bundles, 0);
	side_listen(&x.c);
	cr_assert_eq(heard(&x.c, AGENT_DELIVERY), 1);
	cr_assert_eq(agent_ack(x.c.agent, x.c.now, r, x.c.last_id), 0);
	side_commit(&x.c, 0);
	side_listen(&x.c);
	cr_assert_eq(heard(&x.c, AGENT_ACKED), 1);
	chain_fini(&x);
}

/* The signal may be here before the link tells that the bundle was sent: it proves that. */
Test(custody, signalled_before_the_link_tells)
{
	for (int accepted = 0; accepted < 2; accepted++) {
		struct flight f, sig, none;
		struct chain x;

		chain_init(&x);
		chain_send(&x);
		signal_make(&sig, 2, 1, accepted, 1, (const uint64_t[2]){0, 1});
		side_in(&x.a, 2, &sig);
		cr_expect_eq(stats(&x.a).n_bundles, 1, "nobody can have it");
		cr_assert(side_give(&x.a, 2, &f));
		side_in(&x.a, 2, &sig);
		cr_expect_eq(count(&x.a, EV_custody_released), accepted);
		side_sent(&x.a, &f);
		cr_expect_eq(stats(&x.a).n_bundles, !accepted);
		side_at(&x.a, 70 * SEC);
		cr_expect_eq(count(&x.a, EV_custody_retx), !accepted);
		cr_expect_eq(side_out(&x.a, 2, &none), !accepted);
		chain_fini(&x);
	}
}

Test(custody, crash_between_stage_and_commit)
{
	struct chain x;

	chain_init(&x);
	chain_send(&x);
	side_pass(&x.a, &x.b);
	side_crash(&x.b, false, chain_n13, 2);
	cr_assert_eq(stats(&x.b).n_bundles, 0);
	cr_assert_eq(stats(&x.a).n_custody_sent, 1, "the custodian keeps it");
	side_at(&x.a, 70 * SEC);
	cr_assert_eq(count(&x.a, EV_custody_retx), 1);
	side_pass(&x.a, &x.b);
	settle(&x.b);
	side_pass(&x.b, &x.a);
	cr_assert_eq(stats(&x.a).n_bundles, 0);
	chain_fini(&x);
}

Test(custody, crash_after_commit_before_signal)
{
	struct chain x;

	chain_init(&x);
	x.b.cfg.signal_count = 10;
	side_crash(&x.b, false, chain_n13, 2);
	chain_send(&x);
	side_pass(&x.a, &x.b);
	settle(&x.b);
	cr_assert_eq(count(&x.b, EV_custody_signal_tx), 0);
	side_crash(&x.b, false, chain_n13, 2);
	cr_assert_eq(stats(&x.b).n_custody_held, 1);
	/* The retransmission has the same pair: known, and answered again. */
	side_at(&x.a, 70 * SEC);
	side_at(&x.b, 70 * SEC);
	side_pass(&x.a, &x.b);
	cr_assert_eq(count(&x.b, EV_bundle_duplicate), 1);
	cr_assert_eq(count(&x.b, EV_custody_signalled), 2);
	side_at(&x.b, 76 * SEC);
	settle(&x.b);
	side_pass(&x.b, &x.a);
	cr_assert_eq(stats(&x.a).n_bundles, 0);
	cr_assert_eq(stats(&x.b).n_bundles, 1);
	chain_fini(&x);
}

Test(custody, retransmission_keeps_its_pair_until_max_sends)
{
	struct side a;
	struct flight f, g;

	side_init(&a, 1, chain_n2, 1, 2);
	a.cfg.custody_max_sends = 2;
	side_start(&a, chain_n2, 1);
	cr_assert_eq(side_send(&a, 3, 5, HOUR_MS, true), 0);
	side_commit(&a, 0);
	cr_assert(side_out(&a, 2, &f));
	cr_assert_eq(stats(&a).n_custody_sent, 1);
	cr_assert_not(side_out(&a, 2, &g));
	side_at(&a, agent_deadline(a.agent));
	cr_assert(side_out(&a, 2, &g));
	cr_assert_eq(f.n, g.n);
	cr_assert_eq(memcmp(f.bytes, g.bytes, f.n), 0, "same head, same pair");
	cr_assert_eq(count(&a, EV_custody_retx), 1);
	side_at(&a, 3000 * SEC);
	cr_assert_eq(count(&a, EV_custody_retx), 1);
	cr_assert_eq(stats(&a).n_custody_sent, 1, "held until expiry");
	side_at(&a, 3601 * SEC);
	cr_assert_eq(stats(&a).n_bundles, 0);
	side_fini(&a);
}

/* Duplicates by pair, one row each: what is known of the bundle, which pair comes, what is said. */
enum known_as { HELD, AWAITED, RELEASED, DELIVERED };

static void bring_to(struct chain *x, enum known_as as, struct flight *f)
{
	cr_assert(side_out(&x->a, 2, f));
	side_in(&x->b, 1, f);
	settle(&x->b);
	if (as == HELD)
		return;
	cr_assert_eq(side_pass(&x->b, &x->c), 1);
	if (as != RELEASED)
		return;
	settle(&x->c);
	side_pass(&x->c, &x->b);
	cr_assert_eq(count(&x->b, EV_custody_released), 1);
	side_commit(&x->b, 0);
}

/* The same bundle under another pair, as if node 3 had it and sent it back. */
static void repair(struct flight *f, uint64_t seq_no)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_edit edit = {.set_cteb = true,
		.cteb = {.seq_no = seq_no, .seq_id = 4},
		.custody = rules.custody,
		.crc_type = CRC_32C,
		.set_hop = true};
	uint8_t room[4096];
	struct buf out = buf_of(room, sizeof room);
	struct bundle_fault fault;
	struct bundle b;

	cr_assert_eq(bundle_read(&b, view_of(f->bytes, f->n), &rules, &fault), 0);
	edit.cteb.custodian = eid_ipn(3, 0);
	edit.hop_count = b.hop_count + 1;
	cr_assert_eq(bundle_forward_head(&out, &b, &edit), 0);
	buf_put(&out, b.payload);
	buf_put(&out, b.tail);
	memcpy(f->bytes, room, out.len);
	f->n = out.len;
}

Test(custody, duplicates_by_pair)
{
	static const struct {
		enum known_as as;
		bool other_pair;
		unsigned duplicates; /* told as duplicate */
		unsigned taken;      /* custody taken anew */
		unsigned signalled;  /* CCS{1} */
	} t[] = {
		{HELD, false, 1, 0, 1},
		{AWAITED, false, 1, 0, 1},
		{RELEASED, false, 1, 0, 1},
		{HELD, true, 1, 1, 1},
		{AWAITED, true, 1, 1, 1},
		{RELEASED, true, 0, 1, 1},
	};

	if (BREAK_DUPLICATE_BY_ID)
		cr_skip_test("a build that is broken on purpose");
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct chain x;
		struct flight f;
		uint64_t dup, taken, said;

		chain_init(&x);
		chain_send(&x);
		bring_to(&x, t[i].as, &f);
		dup = count(&x.b, EV_bundle_duplicate);
		taken = count(&x.b, EV_custody_taken);
		said = count(&x.b, EV_custody_signalled);
		if (t[i].other_pair)
			repair(&f, 17);
		side_in(&x.b, t[i].other_pair ? 3 : 1, &f);
		if (t[i].other_pair)
			cr_assert_eq(count(&x.b, EV_custody_signalled), said + BREAK_SPEAK_EARLY,
				"row %zu: early", i);
		settle(&x.b);
		cr_assert_eq(count(&x.b, EV_bundle_duplicate) - dup, t[i].duplicates, "row %zu", i);
		cr_assert_eq(count(&x.b, EV_custody_taken) - taken, t[i].taken, "row %zu", i);
		cr_assert_eq(
			count(&x.b, EV_custody_signalled) - said, t[i].signalled, "row %zu", i);
		chain_fini(&x);
	}
}

/* It came back while we waited for a signal: the old number releases nothing any more. */
Test(custody, old_pair_releases_nothing)
{
	struct chain x;
	struct flight f, sig;
	struct agent_bundle b;
	uint64_t id = 0, old;

	if (BREAK_DUPLICATE_BY_ID)
		cr_skip_test("a build that is broken on purpose");
	chain_init(&x);
	chain_send(&x);
	bring_to(&x, AWAITED, &f);
	while (agent_next_bundle(x.b.agent, &id, &b) && !b.custody)
		;
	old = b.custody_seq_no;
	repair(&f, 17);
	side_in(&x.b, 3, &f);
	settle(&x.b);
	signal_make(&sig, 3, 2, true, 1, (const uint64_t[2]){old, 1});
	side_in(&x.b, 3, &sig);
	cr_assert_eq(count(&x.b, EV_custody_released), 0);
	cr_assert_eq(stats(&x.b).n_custody_held, 1, "to be sent again under the new number");
	chain_fini(&x);
}

Test(custody, delivered_here_and_another_pair)
{
	struct chain x;
	struct flight f;
	uint32_t r;

	chain_init(&x);
	r = side_register(&x.c, 5, 1);
	chain_send(&x);
	side_pass(&x.a, &x.b);
	settle(&x.b);
	side_pass(&x.b, &x.a);
	cr_assert(side_out(&x.b, 3, &f));
	side_in(&x.c, 2, &f);
	settle(&x.c);
	side_listen(&x.c);
	cr_assert_eq(agent_ack(x.c.agent, x.c.now, r, x.c.last_id), 0);
	side_commit(&x.c, 0);
	repair(&f, 17); /* custodian 3 is c itself: use another */
	{
		struct side *c = &x.c;
		uint64_t said = count(c, EV_custody_signalled);

		side_in(c, 2, &f);
		cr_assert_eq(count(c, EV_bundle_duplicate), 1);
		cr_assert_eq(
			count(c, EV_custody_signalled), said, "our own pair is nobody's to answer");
	}
	side_listen(&x.c);
	cr_assert_eq(heard(&x.c, AGENT_DELIVERY), 1);
	chain_fini(&x);
}

/* Forged, unknown and far too large claims release nothing but what was sent. */
Test(custody, signals_that_are_not_believed)
{
	static const struct {
		uint64_t seq_id, first, n;
		unsigned released;
	} t[] = {{1, 1000, 5, 0}, {2, 0, UINT64_C(1) << 60, 0}, {0x77, 1, 1, 0},
		{1, 0, UINT64_C(1) << 60, 1}};

	for (size_t i = 0; i < 4; i++) {
		struct side a;
		struct flight f, sig;

		side_init(&a, 1, chain_n2, 1, 2);
		side_start(&a, chain_n2, 1);
		cr_assert_eq(side_send(&a, 3, 5, HOUR_MS, true), 0);
		cr_assert_eq(side_send(&a, 3, 5, HOUR_MS, true), 0);
		side_commit(&a, 0);
		cr_assert(side_out(&a, 2, &f)); /* the other one was never sent */
		signal_make(&sig, 2, 1, true, t[i].seq_id, (const uint64_t[2]){t[i].first, t[i].n});
		side_in(&a, 2, &sig);
		cr_assert_eq(count(&a, EV_custody_released), t[i].released, "row %zu", i);
		cr_assert_eq(count(&a, EV_custody_signal_rx), 1);
		cr_assert_eq(stats(&a).n_bundles, 2 - t[i].released);
		side_fini(&a);
	}
}

/* Refusal: another way if there is one, else again after the interval. */
Test(custody, refused)
{
	struct chain x;
	struct flight f, sig;
	struct agent_bundle b;
	uint64_t id = 0;

	chain_init(&x);
	chain_send(&x);
	cr_assert(side_out(&x.a, 2, &f));
	cr_assert(agent_next_bundle(x.a.agent, &id, &b));
	signal_make(&sig, 2, 1, false, 1, (const uint64_t[2]){b.custody_seq_no, 1});
	side_in(&x.a, 2, &sig);
	cr_assert_eq(count(&x.a, EV_custody_refused), 1);
	cr_assert_eq(stats(&x.a).n_waiting, 1);
	cr_assert_not(side_out(&x.a, 2, &f));
	agent_changed(x.a.agent, x.a.now);
	cr_assert_not(side_out(&x.a, 2, &f), "the interval decides, not the next edge");
	side_at(&x.a, 60 * SEC);
	cr_assert(side_out(&x.a, 2, &f));
	chain_fini(&x);
}

Test(custody, full_store_and_failed_commit_refuse)
{
	for (int fails = 0; fails < 2; fails++) {
		struct chain x;

		chain_init(&x);
		if (!fails) {
			x.b.cfg.max_bundles = 16;
			side_crash(&x.b, false, chain_n13, 2);
			side_fill(&x.b, 2, false);
			cr_assert_eq(stats(&x.b).n_bundles, 14, "two are kept for signals");
		}
		chain_send(&x);
		side_pass(&x.a, &x.b);
		cr_assert_eq(count(&x.b, EV_bundle_refused), fails ? 0 : 2, "and the last filler");
		side_commit(&x.b, fails ? -ENOSPC : 0);
		settle(&x.b);
		cr_assert_eq(count(&x.b, EV_custody_taken), 0);
		side_pass(&x.b, &x.a);
		cr_assert_eq(count(&x.a, EV_custody_refused), 1, "fails %d", fails);
		cr_assert_eq(stats(&x.a).n_bundles, 1);
		chain_fini(&x);
	}
}

/* Many numbers in one signal: by count, by time, and when the node drains. */
Test(custody, signals_are_aggregated)
{
	struct chain x;

	chain_init(&x);
	x.b.cfg.signal_count = 4;
	side_crash(&x.b, false, chain_n13, 2);
	for (int i = 0; i < 6; i++) {
		chain_send(&x);
		cr_assert_eq(side_pass(&x.a, &x.b), 1);
	}
	settle(&x.b);
	cr_assert_eq(count(&x.b, EV_custody_signal_tx), 1, "four of six");
	side_at(&x.b, 4 * SEC);
	cr_assert_eq(count(&x.b, EV_custody_signal_tx), 1);
	side_at(&x.b, 5 * SEC);
	cr_assert_eq(count(&x.b, EV_custody_signal_tx), 2);
	side_pass(&x.b, &x.a);
	cr_assert_eq(stats(&x.a).n_bundles, 0);
	chain_send(&x);
	side_pass(&x.a, &x.b);
	settle(&x.b);
	cr_assert_not(agent_drain(x.b.agent, x.b.now));
	settle(&x.b);
	cr_assert(agent_drain(x.b.agent, x.b.now));
	cr_assert_eq(count(&x.b, EV_custody_signal_tx), 3);
	chain_fini(&x);
}

/* Numbers are never used twice, also not after a crash: a stale signal would release another
 * bundle. */
Test(custody, numbers_do_not_repeat)
{
	struct side a;
	struct agent_bundle b;
	uint64_t id = 0, first;

	side_init(&a, 1, chain_n2, 1, 2);
	side_start(&a, chain_n2, 1);
	cr_assert_eq(side_send(&a, 3, 5, HOUR_MS, true), 0);
	side_commit(&a, 0);
	cr_assert(agent_next_bundle(a.agent, &id, &b));
	first = b.custody_seq_no;
	side_crash(&a, false, chain_n2, 1);
	cr_assert_eq(side_send(&a, 3, 5, HOUR_MS, true), 0);
	side_commit(&a, 0);
	cr_assert(agent_next_bundle(a.agent, &id, &b));
	if (BREAK_NUMBERS_REPEAT)
		cr_assert_eq(b.custody_seq_no, first);
	else
		cr_assert_gt(b.custody_seq_no, first);
	side_fini(&a);
}

/* A node that does not take custody passes the block on, and lets a retransmission pass too. */
Test(custody, not_accepted_passes_through)
{
	struct chain x;

	chain_init(&x);
	x.b.cfg.custody_accept = false;
	side_crash(&x.b, false, chain_n13, 2);
	chain_send(&x);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(side_pass(&x.a, &x.b), 1);
		cr_assert_eq(side_pass(&x.b, &x.c), 1, "copy %d", i);
		side_at(&x.a, (i + 1) * 70 * SEC);
	}
	settle(&x.c);
	cr_assert_eq(count(&x.c, EV_bundle_duplicate), 1);
	cr_assert_eq(side_pass(&x.c, &x.b), 1);
	cr_assert_eq(side_pass(&x.b, &x.a), 1, "the signal crosses the relay");
	cr_assert_eq(stats(&x.a).n_bundles, 0);
	chain_fini(&x);
}

/* Sequence 0: the destination's counter; the signal names the destination. */
Test(custody, by_destination)
{
	struct chain x;

	chain_init(&x);
	x.a.cfg.custody_sequence = SEQUENCE_DESTINATION;
	side_crash(&x.a, false, chain_n2, 1);
	chain_send(&x);
	side_pass(&x.a, &x.b);
	settle(&x.b);
	side_pass(&x.b, &x.a);
	cr_assert_eq(count(&x.a, EV_custody_released), 1);
	chain_fini(&x);
}

/* A signal leaves before the contact to its custodian closes, not at the end of its delay. */
Test(custody, signal_before_the_contact_closes)
{
	struct chain x;

	chain_init(&x);
	x.b.cfg.signal_count = 10;
	side_crash(&x.b, false, chain_n13, 2);
	agent_contact(x.b.agent, x.b.now, (unsigned)agent_neighbour(x.b.agent, 1), true, 5 * SEC);
	chain_send(&x);
	side_pass(&x.a, &x.b);
	settle(&x.b);
	cr_assert_eq(agent_deadline(x.b.agent), 3 * SEC, "margin of 2 s before the end");
	side_at(&x.b, 3 * SEC);
	cr_assert_eq(count(&x.b, EV_custody_signal_tx), 1);
	chain_fini(&x);
}

/* The writer is slow: what is staged while a batch runs belongs to the next one. */
Test(custody, staged_while_a_batch_runs)
{
	struct chain x;
	struct store_batch *batch;

	if (BREAK_SPEAK_EARLY)
		cr_skip_test("a build that is broken on purpose");
	chain_init(&x);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(side_send(&x.a, 3, 5, HOUR_MS, true), 0);
	side_commit(&x.a, 0);
	{
		struct flight f;

		cr_assert(side_out(&x.a, 2, &f));
		side_in(&x.b, 1, &f);
		batch = store_commit_begin(x.b.store);
		cr_assert(batch);
		cr_assert(side_out(&x.a, 2, &f));
		side_in(&x.b, 1, &f);
		cr_assert_null(store_commit_begin(x.b.store), "one at a time");
		side_listen(&x.b);
		cr_assert_eq(count(&x.b, EV_custody_signalled), 0);
		store_commit_end(x.b.store, batch, store_commit_run(batch));
		agent_stored(x.b.agent, x.b.now);
		cr_assert_eq(count(&x.b, EV_custody_signalled), 1, "the first, not the second");
		/* The second dies with its batch, the first survives. */
		batch = store_commit_begin(x.b.store);
		cr_assert(batch);
		side_crash(&x.b, false, chain_n13, 2);
		cr_assert_eq(count(&x.b, EV_custody_signalled), 1);
		cr_assert_eq(stats(&x.b).n_custody_held, 1);
	}
	chain_fini(&x);
}

/* A bundle's batch fails while the same bundle, come again under another pair, is staged with it or
 * waits for the next one: both custodians are refused, and keep it. */
Test(custody, failed_batch_refuses_every_pair)
{
	if (BREAK_SPEAK_EARLY || BREAK_DUPLICATE_BY_ID)
		cr_skip_test("a build that is broken on purpose");
	for (int runs = 0; runs < 2; runs++) {
		struct store_batch *batch = NULL;
		struct chain x;
		struct flight f;

		chain_init(&x);
		chain_send(&x);
		cr_assert(side_out(&x.a, 2, &f));
		side_in(&x.b, 1, &f);
		if (runs)
			batch = store_commit_begin(x.b.store);
		repair(&f, 17);
		side_in(&x.b, 3, &f);
		if (runs) {
			store_commit_end(x.b.store, batch, -ENOSPC);
			agent_stored(x.b.agent, x.b.now);
		} else {
			side_commit(&x.b, -ENOSPC);
		}
		side_commit(&x.b, 0);
		side_commit(&x.b, 0);
		cr_assert_eq(count(&x.b, EV_custody_signalled), 2, "case %d", runs);
		cr_assert_eq(count(&x.b, EV_custody_taken), 0, "case %d", runs);
		cr_assert_eq(stats(&x.b).n_custody_held + stats(&x.b).n_custody_sent, 0);
		/* Asked again, it is taken. */
		side_in(&x.b, 3, &f);
		side_commit(&x.b, 0);
		cr_assert_eq(count(&x.b, EV_custody_taken), 1, "case %d", runs);
		chain_fini(&x);
	}
}

/* An I/O error closes the store: everything is refused from then on, nothing is said. */
Test(custody, closed_store_refuses)
{
	struct chain x;

	if (BREAK_SPEAK_EARLY)
		cr_skip_test("a build that is broken on purpose");
	chain_init(&x);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(side_send(&x.a, 3, 5, HOUR_MS, true), 0);
	side_commit(&x.a, 0);
	{
		struct flight f;

		cr_assert(side_out(&x.a, 2, &f));
		side_in(&x.b, 1, &f);
		side_commit(&x.b, -EIO);
		cr_assert(side_out(&x.a, 2, &f));
		side_in(&x.b, 1, &f);
	}
	cr_assert_eq(count(&x.b, EV_bundle_refused), 1);
	cr_assert_eq(count(&x.b, EV_custody_taken), 0);
	cr_assert_eq(stats(&x.a).n_custody_sent, 2, "the custodian keeps both");
	cr_assert_neq(side_send(&x.b, 3, 5, HOUR_MS, false), 0);
	chain_fini(&x);
}
