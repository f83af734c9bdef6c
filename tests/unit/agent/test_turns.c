/* What many bundles want in one moment is done in several turns. */
#include "tests/unit/agent/chain.h"

#include <criterion/criterion.h>

#define MANY 1300u
#define TURN 512u /* of state.h */

static void start_with_many(struct side *s, uint64_t lifetime_ms)
{
	side_init(s, 1, chain_n2, 1, NODE_NONE);
	s->cfg.max_bundles = 4096;
	side_start(s, chain_n2, 1);
	for (unsigned i = 0; i < MANY; i++)
		cr_assert_eq(side_send(s, 2, 5, lifetime_ms, false), 0);
	side_commit(s, 0);
	side_listen(s);
	cr_assert_eq(agent_queued(s->agent, 0), MANY);
}

/* RFC 9171 5.5/2: and none of them leaves after its time. */
Test(turns, expiry)
{
	struct flight f;
	struct side s;
	unsigned turns = 0;

	start_with_many(&s, 1000);
	s.now = 2 * SEC;
	agent_tick(s.agent, s.now);
	cr_assert_eq(count(&s, EV_bundle_deleted), TURN);
	cr_assert_leq(agent_deadline(s.agent), s.now, "the rest is due now");
	cr_assert_not(side_out(&s, 2, &f), "expired, although it is still there");
	cr_assert_lt(count(&s, EV_bundle_deleted), MANY);
	for (; agent_deadline(s.agent) <= s.now && turns < 10; turns++)
		agent_tick(s.agent, s.now);
	cr_assert_leq(turns, 2);
	cr_assert_eq(count(&s, EV_bundle_deleted), MANY);
	cr_assert_eq(count(&s, EV_bundle_forwarded), 0);
	cr_assert_eq(stats(&s).n_bundles, 0);
	side_fini(&s);
}

Test(turns, contact_that_closes)
{
	struct flight f;
	struct side s;

	start_with_many(&s, HOUR_MS);
	agent_contact(s.agent, s.now, 0, false, s.now);
	cr_assert_eq(count(&s, EV_bundle_rerouted), TURN);
	cr_assert_leq(agent_deadline(s.agent), s.now);
	side_at(&s, s.now);
	side_at(&s, s.now);
	cr_assert_eq(count(&s, EV_bundle_rerouted), MANY);
	cr_assert_gt(agent_deadline(s.agent), s.now);
	cr_assert_eq(agent_queued(s.agent, 0), MANY);
	cr_assert(side_out(&s, 2, &f));
	cr_assert_eq(f.id, 1, "the order stays");
	side_fini(&s);
}

/* Both at once: what waits for its turn may expire or be asked for meanwhile. */
Test(turns, expiry_of_what_is_routed_again)
{
	struct side s;

	start_with_many(&s, 1000);
	agent_contact(s.agent, s.now, 0, false, s.now);
	agent_changed(s.agent, s.now);
	for (unsigned turn = 0; turn < 5; turn++)
		side_at(&s, 2 * SEC);
	cr_assert_eq(stats(&s).n_bundles, 0);
	cr_assert_gt(agent_deadline(s.agent), s.now);
	side_fini(&s);
}

/* RFC 9171 5.5/2 */
Test(turns, expired_before_it_was_handed_over)
{
	struct side s;

	side_init(&s, 2, chain_n13, 2, NODE_NONE);
	side_start(&s, chain_n13, 2);
	side_register(&s, 5, 2);
	cr_assert_eq(side_send(&s, 2, 5, 1000, false), 0);
	cr_assert_eq(side_send(&s, 2, 5, HOUR_MS, false), 0);
	settle(&s);
	s.now = 2 * SEC; /* no tick came between */
	side_listen(&s);
	cr_assert_eq(heard(&s, AGENT_DELIVERY), 1);
	cr_assert_eq(s.last_id, 2);
	cr_assert_eq(count(&s, EV_bundle_deleted), 1);
	side_fini(&s);
}

/* Sent again comes before what is younger, whatever arrives between. */
Test(turns, order_of_a_long_queue)
{
	struct flight f;
	struct side s;
	uint64_t last = 0;

	side_init(&s, 1, chain_n2, 1, NODE_NONE);
	s.cfg.max_bundles = 4096;
	s.cfg.custody_max_sends = 2;
	side_start(&s, chain_n2, 1);
	for (unsigned i = 0; i < 300; i++)
		cr_assert_eq(side_send(&s, 2, 5, HOUR_MS, true), 0);
	side_commit(&s, 0);
	for (unsigned i = 0; i < 250; i++) {
		s.now += SEC / 10;
		cr_assert(side_out(&s, 2, &f));
	}
	while (s.now < 100 * SEC) { /* retransmissions and arrivals by turns */
		side_at(&s, s.now + SEC / 10);
		if (s.now % SEC == 0)
			cr_assert_eq(side_send(&s, 2, 5, HOUR_MS, true), 0);
		side_commit(&s, 0);
	}
	cr_assert_eq(count(&s, EV_custody_retx), 250);
	for (; side_out(&s, 2, &f); last = f.id)
		cr_assert_gt(f.id, last);
	cr_assert_eq(count(&s, EV_bundle_forwarded), 250 + stats(&s).n_bundles);
	side_fini(&s);
}

/* Custody signals that name much and say nothing: a budget bounds what they cost, and who names what is there
 * is heard all the same. */
Test(turns, signals_that_cost_much)
{
	enum { SENT = 3000 };
	struct flight f, sig;
	struct side s;
	uint64_t first;

	side_init(&s, 1, chain_n2, 1, NODE_NONE);
	s.cfg.max_bundles = 4096;
	side_start(&s, chain_n2, 1);
	for (unsigned i = 0; i < SENT; i++)
		cr_assert_eq(side_send(&s, 2, 5, HOUR_MS, true), 0);
	side_commit(&s, 0);
	first = chain_held(&s).custody_seq_no;
	while (side_out(&s, 2, &f))
		;
	signal_make(&sig, 2, 1, true, 9, (const uint64_t[2]){0, UINT64_C(1) << 60});
	for (unsigned i = 0; i < 1000; i++)
		side_in(&s, 2, &sig);
	cr_assert_eq(count(&s, EV_custody_released), 0);
	signal_make(&sig, 2, 1, true, 1, (const uint64_t[2]){first, 100});
	side_in(&s, 2, &sig);
	cr_assert_eq(count(&s, EV_custody_released), 100);
	signal_make(&sig, 2, 1, true, 1, (const uint64_t[2]){first, SENT});
	side_in(&s, 2, &sig);
	cr_assert_eq(count(&s, EV_custody_released), 100, "the budget is used up");
	side_at(&s, SEC);
	side_in(&s, 2, &sig);
	cr_assert_eq(count(&s, EV_custody_released), SENT);
	side_fini(&s);
}
