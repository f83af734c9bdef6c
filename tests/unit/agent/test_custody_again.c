/* Numbers that a custodian gives again: its counter came round, or it lost its count. */
#include "tests/unit/agent/hand.h"

#include <criterion/criterion.h>

/* Bundle `seq` of node 1 for node 3 under pair (4, 7). */
static void under_the_pair(struct flight *f, uint64_t seq)
{
	struct bundle_spec spec = hand_spec(3);

	spec.flags |= BUNDLE_NO_FRAGMENT;
	spec.seq = seq;
	spec.has_cteb = true;
	spec.cteb = (struct cteb){.seq_no = 7, .seq_id = 4, .custodian = eid_ipn(1, 0)};
	spec.custody = custody_codes_ccsds();
	hand_make(f, &spec, view_text("four"));
}

/* RFC 9171 knows no custody; CCSDS 734.6, sequences: numbers wrap to 0 after a configured maximum. */
Test(custody_again, another_bundle_under_a_known_pair)
{
	static const node_id n[] = {1, 3, 4};

	for (unsigned state = 0; state < 3; state++) {
		struct flight one, two, f;
		struct side s;
		uint64_t n_before;

		hand_relay(&s);
		n_before = stats(&s).n_bundles;
		under_the_pair(&one, 1);
		under_the_pair(&two, 2);
		side_in(&s, 1, &one);
		side_commit(&s, 0);
		side_commit(&s, 0);
		if (state > 0)
			cr_assert(side_out(&s, 3, &f));
		if (state > 1)
			side_crash(&s, false, n, 3);
		side_in(&s, 1, &two);
		cr_assert_eq(
			count(&s, EV_bundle_duplicate), 0, "state %u: it is another one", state);
		cr_assert_eq(count(&s, EV_custody_signalled), 1, "state %u: early", state);
		side_commit(&s, 0);
		side_commit(&s, 0);
		cr_assert_eq(count(&s, EV_custody_taken), 2, "state %u", state);
		cr_assert_eq(count(&s, EV_custody_signalled), 2, "state %u", state);
		cr_assert_eq(stats(&s).n_bundles, n_before + 2, "state %u", state);
		side_in(&s, 1, &two);
		cr_assert_eq(count(&s, EV_bundle_duplicate), 1, "state %u", state);
		cr_assert_eq(count(&s, EV_custody_signalled), 3, "state %u: said again", state);
		cr_assert_eq(stats(&s).n_bundles, n_before + 2, "state %u", state);
		side_fini(&s);
	}
}
