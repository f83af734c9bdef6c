/* The examples of CCSDS 734.6, byte for byte, as an agent writes them and as it takes them, in both
 * profiles. */
#include "tests/unit/agent/chain.h"
#include "tests/unit/agent/hand.h"

#include "bundle/base/bytes.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct view bytes_of(const char *hex, uint8_t out[256])
{
	size_t n = 0;

	for (; *hex; hex += 2) {
		const char pair[3] = {hex[0], hex[1], 0};

		out[n++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return view_of(out, n);
}

static void expect(struct view got, const char *hex, size_t row)
{
	char text[512];

	for (size_t i = 0; i < got.n && i < 255; i++)
		snprintf(text + 2 * i, 3, "%02x", got.p[i]);
	cr_assert_str_eq(text, hex, "row %zu", row);
}

/* D.3: number 12 of sequence 1, custodian ipn:1.0; and the same of a contact in block 15. */
Test(custody_wire, custody_block)
{
	struct side a;
	struct flight f;
	struct bundle b;
	uint64_t n, seq;

	side_init(&a, 1, chain_n2, 1, 2);
	side_start(&a, chain_n2, 1);
	cr_assert_eq(store_reserve(a.store, COUNTER_CUSTODY, 12, &n, &seq), 0);
	side_commit(&a, 0);
	cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, true), 0);
	side_commit(&a, 0);
	cr_assert(side_out(&a, 2, &f));
	b = chain_read(&f, PROFILE_CCSDS);
	expect(bundle_block(&b, 13)->data, "830c018202820100", 0);
	cr_assert_eq(
		bundle_block(&b, 13)->flags, BLOCK_REPLICATE, "in every fragment, else ignored");
	cr_assert(b.flags & BUNDLE_NO_FRAGMENT);
	side_fini(&a);
}

/* A custody bundle of node 1 for 3 as it comes to 2: its pair, and whether its hops are used up. */
static void arrive(struct side *b, const struct bundle_spec *from, uint64_t id, uint64_t no)
{
	struct bundle_spec spec = *from;
	struct flight f;

	spec.has_cteb = true;
	spec.cteb.seq_id = id;
	spec.cteb.seq_no = no;
	spec.flags = BUNDLE_NO_FRAGMENT;
	hand_make(&f, &spec, view_text("x"));
	side_in(b, 1, &f);
}

/* D.5: what is said of pairs that were taken and refused. */
Test(custody_wire, signals_out)
{
	static const uint64_t list[] = {12, 13, 18, 19, 20, 21, 22};
	static const struct {
		unsigned profile;
		size_t n_yes, n_no; /* of list, for identifiers 1 and 3 */
		bool by_dest;
		const char *hex[2];
	} t[] = {
		{PROFILE_CCSDS, 1, 0, false, {"820da1018183010c01"}},
		{PROFILE_CCSDS, 7, 2, false, {"820da2018183010c83020405208183030c02"}},
		{PROFILE_CCSDS, 1, 0, true, {"820da101818382028202010c01"}},
		{PROFILE_BPLIB, 1, 0, false, {"8204a10183010c8101"}},
		/* one sequence a signal, D.8 */
		{PROFILE_BPLIB, 7, 7, false, {"8204a10183010c83020405", "8204a12083030c83020405"}},
	};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct side b;
		struct flight f;
		struct bundle s;

		side_init(&b, 2, chain_n13, 2, NODE_NONE);
		b.cfg.custody_profile = t[i].profile;
		b.cfg.signal_count = t[i].n_yes + t[i].n_no;
		side_start(&b, chain_n13, 2);
		for (size_t k = 0; k < t[i].n_yes + t[i].n_no; k++) {
			bool yes = k < t[i].n_yes;
			struct bundle_spec spec = hand_spec(t[i].by_dest ? 2 : 3);

			spec.dest.service = t[i].by_dest ? 1 : 5;
			spec.has_hop = !yes;
			spec.hop_limit = spec.hop_count = 3; /* at its limit: refused */
			spec.cteb.custodian = eid_ipn(1, 0);
			if (t[i].profile == PROFILE_BPLIB)
				spec.custody = custody_codes_bplib();
			arrive(&b, &spec,
				t[i].by_dest ? 0
				: yes        ? 1
					     : 3,
				list[yes ? k : k - t[i].n_yes]);
		}
		settle(&b);
		for (size_t k = 0; k < 2 && t[i].hex[k]; k++) {
			cr_assert(side_out(&b, 1, &f), "row %zu", i);
			s = chain_read(&f, t[i].profile);
			expect(s.payload, t[i].hex[k], i);
			cr_assert(eid_is_admin(&s.source) && eid_is_admin(&s.dest));
			cr_assert(s.flags == BUNDLE_ADMIN && eid_is_null(&s.report_to));
		}
		cr_assert_not(side_out(&b, 1, &f), "row %zu", i);
		side_fini(&b);
	}
}

/* bplib's block of its tests: the answer goes to the endpoint that it names. */
Test(custody_wire, bplib_block_in)
{
	struct side b;
	struct flight f;
	struct bundle s;
	struct bundle_spec spec = hand_spec(3);

	side_init(&b, 2, chain_n13, 2, 1);
	b.cfg.signal_count = 1;
	b.cfg.custody_profile = PROFILE_BPLIB;
	side_start(&b, chain_n13, 2);
	spec.custody = custody_codes_bplib();
	spec.cteb.custodian = eid_ipn(303, 1);
	arrive(&b, &spec, 2, 10);
	settle(&b);
	cr_assert(side_out(&b, 1, &f));
	s = chain_read(&f, PROFILE_BPLIB);
	cr_assert(s.dest.node == 303 && s.dest.service == 1);
	expect(s.payload, "8204a10183020a8101", 0);
	side_fini(&b);
}

/* D.5 the other way: node 1 has sent numbers 0 to 22 of sequence 1, or the destination's. */
Test(custody_wire, signals_in)
{
	static const struct {
		const char *hex;
		bool by_dest;
		uint64_t released, refused, unknown;
	} t[] = {
		{"820da1018183010c01", false, 1, 0, 0},
		{"820da2018183010c83020405208183030c02", false, 7, 0, 2},
		{"820da1208183010c83020405", false, 0, 7, 0},
		{"8204a20183010c830204052083030c83020405", false, 7, 0, 7},
		{"8204a12083010c8102", false, 0, 2, 0},
		{"820da101818382028202010c01", true, 1, 0, 0},
		{"820da101818382028202020c01", true, 0, 0, 1},
		{"820da1018183010c01", true, 0, 0, 1},
		/* numbers that were never given, and the tag of an earlier draft */
		{"820dcda10181830116 02", false, 1, 0, 1},
	};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct side a;
		struct flight f;
		struct bundle_spec spec = hand_spec(1);
		uint8_t room[256];
		char hex[128];
		size_t n = 0;
		uint64_t arg[TRACE_ARGS];

		for (const char *p = t[i].hex; *p; p++)
			if (*p != ' ')
				hex[n++] = *p;
		hex[n] = 0;
		side_init(&a, 1, chain_n2, 1, 2);
		if (t[i].by_dest)
			a.cfg.custody_sequence = SEQUENCE_DESTINATION;
		side_start(&a, chain_n2, 1);
		for (int k = 0; k < 23; k++)
			cr_assert_eq(side_send(&a, 2, 1, HOUR_MS, true), 0);
		side_commit(&a, 0);
		while (side_out(&a, 2, &f))
			;
		chain_listen(&a);
		spec.source = eid_ipn(2, 0);
		spec.dest = eid_ipn(1, 0);
		spec.report_to = eid_null();
		spec.flags = BUNDLE_ADMIN;
		hand_make(&f, &spec, bytes_of(hex, room));
		side_in(&a, 2, &f);
		cr_assert_eq(count(&a, EV_custody_released), t[i].released, "row %zu", i);
		cr_assert_eq(count(&a, EV_custody_refused), t[i].refused, "row %zu", i);
		cr_assert_eq(stats(&a).n_bundles, 23 - t[i].released);
		cr_assert(hand_last(&a, EV_custody_signal_rx, arg), "row %zu", i);
		cr_assert_eq(arg[4], t[i].unknown, "row %zu", i);
		side_fini(&a);
	}
}
