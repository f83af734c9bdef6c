/* A system's clock that is set between two runs of a node: no bundle ends too early or gets too old for it. */
#include "tests/unit/agent/hand.h"

#include <criterion/criterion.h>

#define ROWS(t) (sizeof(t) / sizeof *(t))
#define MINUTE (60 * SEC)

/* How the clock is wrong in the first run and in the second, ms. */
static const struct {
	const char *what;
	int64_t first, second;
} jump[] = {
	{"as it was", 0, 0},
	{"an hour back", 0, -3600000},
	{"back by ten years", 0, -INT64_C(315360000000)},
	{"lost: 2000-01-01", 0, -(int64_t)KIT_DTN},
	{"set for the first time", -(int64_t)KIT_DTN, 0},
	{"set for the first time, after a day", -(int64_t)KIT_DTN + 86400000, 0},
};

/* From node 1, which has no clock, for `to`; custody asked for. */
static void make(struct flight *f, node_id to, uint64_t age_ms)
{
	struct bundle_spec spec = hand_spec(to);

	spec.flags |= BUNDLE_NO_FRAGMENT;
	spec.created_ms = 0;
	spec.has_age = true;
	spec.age_ms = age_ms;
	spec.has_cteb = true;
	spec.cteb = (struct cteb){.seq_no = 7, .seq_id = 4, .custodian = eid_ipn(1, 0)};
	hand_make(f, &spec, view_text("four"));
}

static void begin(struct side *s, int64_t clock_ms)
{
	side_init(s, 2, hand_neighbours, 3, NODE_NONE);
	s->no_clock = true;
	s->clock_ms = clock_ms;
	side_start(s, hand_neighbours, 3);
	cr_assert_eq(side_send(s, 2, 99, HOUR_MS, false), 0); /* takes the first block of numbers */
	side_commit(s, 0);
	side_listen(s);
}

/* RFC 9171 4.4.2/d1, 5.5/d1: what waited in our custody leaves with an age that it can have, and ends when the
 * lifetime that it had left when it came is over. */
Test(clock, custody_over_a_jump)
{
	for (size_t i = 0; i < ROWS(jump); i++)
		for (unsigned late = 0; late < 2; late++) {
			struct flight f;
			struct bundle b;
			struct side s;
			uint64_t n;

			begin(&s, jump[i].first);
			s.now = 5 * MINUTE;
			n = stats(&s).n_bundles;
			make(&f, 3, 600000);
			side_in(&s, 1, &f);
			side_commit(&s, 0);
			side_commit(&s, 0);
			cr_assert_eq(count(&s, EV_custody_taken), 1);
			s.clock_ms = jump[i].second;
			side_crash(&s, false, hand_neighbours, 3);
			cr_assert_eq(stats(&s).n_bundles, n + 1, "%s: it is gone", jump[i].what);
			if (!late) {
				s.now += 10 * MINUTE;
				cr_assert(side_out(&s, 3, &f), "%s", jump[i].what);
				hand_read(&f, &b);
				cr_assert_geq(b.age_ms, 600000, "%s", jump[i].what);
				cr_assert_leq(b.age_ms, 1200000, "%s: age %llu ms", jump[i].what,
					(unsigned long long)b.age_ms);
			}
			side_at(&s, 5 * MINUTE + 49 * MINUTE);
			cr_assert_geq(stats(&s).n_custody_held + stats(&s).n_custody_sent, 1, "%s",
				jump[i].what);
			side_at(&s, 5 * MINUTE + 51 * MINUTE);
			cr_assert_eq(stats(&s).n_custody_held + stats(&s).n_custody_sent, 0,
				"%s: it should have ended", jump[i].what);
			side_fini(&s);
		}
}

/* What was delivered before is not delivered again after. */
Test(clock, tombstones_over_a_jump)
{
	for (size_t i = 0; i < ROWS(jump); i++) {
		struct flight f;
		uint32_t r;
		struct side s;

		begin(&s, jump[i].first);
		r = side_register(&s, 5, 1);
		make(&f, 2, 600000);
		side_in(&s, 1, &f);
		side_commit(&s, 0);
		side_commit(&s, 0);
		side_listen(&s);
		cr_assert_eq(heard(&s, AGENT_DELIVERY), 1);
		cr_assert_eq(agent_ack(s.agent, s.now, r, s.last_id), 0);
		side_commit(&s, 0);
		side_listen(&s);
		cr_assert_eq(heard(&s, AGENT_ACKED), 1);
		s.clock_ms = jump[i].second;
		side_crash(&s, false, hand_neighbours, 3);
		side_at(&s, 10 * MINUTE);
		side_register(&s, 5, 1);
		side_in(&s, 1, &f);
		side_commit(&s, 0);
		side_listen(&s);
		cr_assert_eq(heard(&s, AGENT_DELIVERY), 1, "%s: delivered twice", jump[i].what);
		side_fini(&s);
	}
}
