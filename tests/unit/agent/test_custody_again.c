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

/* Ranges of signals end before 2^64: the last number can be told to nobody, and must not end the node. */
Test(custody_again, the_last_number)
{
	struct bundle_spec spec = hand_spec(3);
	struct flight f;
	struct bundle b;
	struct side s;

	hand_relay(&s);
	s.cfg.signal_count = 1;
	spec.flags |= BUNDLE_NO_FRAGMENT | BUNDLE_REPORT_RECEPTION;
	spec.has_cteb = true;
	spec.cteb = (struct cteb){.seq_no = UINT64_MAX, .seq_id = 4, .custodian = eid_ipn(1, 0)};
	spec.has_creb = true;
	spec.creb = (struct creb){.seq_no = UINT64_MAX};
	hand_in(&s, &spec);
	side_commit(&s, 0);
	side_at(&s, 10 * SEC);
	cr_assert_eq(count(&s, EV_custody_taken), 0);
	cr_assert_eq(count(&s, EV_custody_signalled), 0);
	cr_assert_eq(count(&s, EV_report_tx), 1, "in its plain form");
	cr_assert(side_out(&s, 3, &f), "it goes on, its custodian stays who it was");
	hand_read(&f, &b);
	cr_assert(b.has_cteb);
	cr_assert_eq(b.cteb.seq_no, UINT64_MAX);
	cr_assert_eq(b.cteb.custodian.node, 1);
	side_fini(&s);
}
