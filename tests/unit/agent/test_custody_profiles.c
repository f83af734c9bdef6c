/* Profiles and sequences per neighbour (owlt-custody(7)): what is on the wire, bridging, the numbers of
 * each sequence, what policy passes on. */
#include "dtn/agent/break.h"
#include "tests/unit/agent/chain.h"
#include "tests/unit/agent/hand.h"

#include "bundle/ccs.h"

#include <criterion/criterion.h>
#include <stdio.h>

static bool has_block(const struct bundle *b, uint64_t type)
{
	return bundle_block(b, type) != NULL;
}

/* Record type of a signal in flight. */
static uint64_t record_type(const struct flight *f)
{
	struct bundle b = chain_read(f, PROFILE_CCSDS);
	struct cursor c;
	uint64_t type;

	cr_assert_eq(admin_open(b.payload, &type, &c), 0);
	return type;
}

/* The next bundle; the first block of a counter needs a commit. */
static void leave(struct side *s, node_id to, struct flight *f)
{
	if (side_out(s, to, f))
		return;
	side_commit(s, 0);
	cr_assert(side_out(s, to, f));
}

/* 1 speaks one profile, 3 the other, 2 both: custody goes through, each hears its own dialect. */
Test(custody_profiles, bridge)
{
	for (unsigned first = 0; first < PROFILES; first++) {
		unsigned last = !first;
		struct custody_codes codes[PROFILES] = {
			custody_codes_ccsds(), custody_codes_bplib()};
		struct chain x;
		struct flight f, sig;
		struct bundle b;

		chain_make(&x);
		x.a.cfg.custody_profile = first;
		x.c.cfg.custody_profile = last;
		x.b.cfg.custody_profile = first;
		chain_neighbour(&x.b, "ipn:3.0")->profile = 1 + last;
		chain_start(&x);
		chain_send(&x);
		leave(&x.a, 2, &f);
		b = chain_read(&f, first);
		cr_assert(b.has_cteb && b.cteb.custodian.node == 1);
		cr_assert_eq(b.cteb.seq_id > CUSTODY_FIXED_MAX, first == PROFILE_BPLIB);
		cr_assert_eq(b.cteb.seq_no, 0);
		side_in(&x.b, 1, &f);
		settle(&x.b);
		cr_assert(side_out(&x.b, 1, &sig));
		cr_assert_eq(record_type(&sig), codes[first].ccs_type);
		side_in(&x.a, 2, &sig);
		cr_assert_eq(count(&x.a, EV_custody_released), 1, "first %u", first);
		/* onwards in the other one, and nothing is left of the first */
		leave(&x.b, 3, &f);
		b = chain_read(&f, last);
		cr_assert(b.has_cteb && b.cteb.custodian.node == 2);
		cr_assert_not(has_block(&b, codes[first].cteb_type));
		cr_assert_eq(b.cteb.seq_id > CUSTODY_FIXED_MAX, last == PROFILE_BPLIB);
		side_in(&x.c, 2, &f);
		settle(&x.c);
		cr_assert_eq(count(&x.c, EV_custody_taken), 1);
		cr_assert(side_out(&x.c, 2, &sig));
		cr_assert_eq(record_type(&sig), codes[last].ccs_type);
		side_in(&x.b, 3, &sig);
		cr_assert_eq(count(&x.b, EV_custody_released), 1);
		cr_assert_eq(stats(&x.b).n_bundles, 0);
		chain_fini(&x);
	}
}

/* The custody block of what leaves next. */
static struct cteb leaves(struct side *s, node_id to, unsigned profile)
{
	struct flight f;
	struct bundle b;

	leave(s, to, &f);
	b = chain_read(&f, profile);
	cr_assert(b.has_cteb);
	return b.cteb;
}

static void send_to(struct side *s, node_id to, uint64_t service)
{
	cr_assert_eq(side_send(s, to, service, HOUR_MS, true), 0);
	side_commit(s, 0);
}

static void open_contact(struct side *s, node_id to, bool open)
{
	agent_contact(s->agent, s->now, (unsigned)agent_neighbour(s->agent, to), open, MONO_NEVER);
	if (open)
		agent_changed(s->agent, s->now);
}

/* Each destination has its counter, from 0; they go on after a crash and never repeat. */
Test(custody_profiles, by_destination)
{
	static const struct {
		uint64_t service, seq_no;
	} t[] = {{5, 0}, {6, 0}, {5, 1}, {5, 2}, {6, 1}};
	struct side a;

	side_init(&a, 1, chain_n2, 1, 2);
	a.cfg.custody_sequence = SEQUENCE_DESTINATION;
	side_start(&a, chain_n2, 1);
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct cteb c;

		send_to(&a, 3, t[i].service);
		c = leaves(&a, 2, PROFILE_CCSDS);
		cr_assert_eq(c.seq_id, 0);
		cr_assert_eq(c.seq_no, t[i].seq_no, "row %zu", i);
	}
	/* the signal names the destination; one for another service is about others */
	{
		uint8_t room[64];
		struct range run[] = {{0, 100}};
		struct ccs_sequence s = {
			.accepted = true, .dest = eid_ipn(3, 6), .numbers = {run, 1, 1}};
		struct buf record = buf_of(room, sizeof room);
		struct custody_codes codes = custody_codes_ccsds();
		struct bundle_spec spec = {.flags = BUNDLE_ADMIN,
			.crc_type = CRC_32C,
			.dest = eid_ipn(1, 0),
			.source = eid_ipn(2, 0),
			.report_to = eid_null(),
			.created_ms = KIT_DTN,
			.lifetime_ms = HOUR_MS};
		struct flight f;

		ccs_write(&record, &codes, &s, 1);
		hand_make(&f, &spec, buf_view(&record));
		side_in(&a, 2, &f);
	}
	cr_assert_eq(count(&a, EV_custody_released), 2);
	cr_assert_eq(stats(&a).n_bundles, 3);
	side_crash(&a, false, chain_n2, 1);
	if (!BREAK_NUMBERS_REPEAT) {
		send_to(&a, 3, 6);
		while (stats(&a).n_queued > 1)
			leaves(&a, 2, PROFILE_CCSDS);
		cr_assert_geq(leaves(&a, 2, PROFILE_CCSDS).seq_no, 65536, "a block is skipped");
	}
	side_fini(&a);
}

/* A new identifier for each contact, numbers from 0, the pair is kept for retransmissions, also in
 * later contacts; after a crash identifiers do not come again. */
Test(custody_profiles, by_contact)
{
	struct side a;
	struct cteb first, second, again;

	side_init(&a, 1, chain_n2, 1, 2);
	a.cfg.custody_sequence = SEQUENCE_CONTACT;
	side_start(&a, chain_n2, 1);
	send_to(&a, 3, 5);
	send_to(&a, 3, 5);
	cr_assert_eq(count(&a, EV_custody_paired), 0, "not before it is sent");
	{
		struct flight f;

		cr_assert_not(side_out(&a, 2, &f), "the identifier is not durable yet");
	}
	side_commit(&a, 0);
	first = leaves(&a, 2, PROFILE_CCSDS);
	second = leaves(&a, 2, PROFILE_CCSDS);
	cr_assert_gt(first.seq_id, CUSTODY_FIXED_MAX);
	cr_assert_eq(second.seq_id, first.seq_id);
	cr_assert(first.seq_no == 0 && second.seq_no == 1);
	open_contact(&a, 2, false);
	open_contact(&a, 2, true);
	side_at(&a, agent_deadline(a.agent));
	again = leaves(&a, 2, PROFILE_CCSDS);
	cr_assert(again.seq_id == first.seq_id && again.seq_no == 0, "sent before: the same pair");
	again = leaves(&a, 2, PROFILE_CCSDS);
	cr_assert(again.seq_id == first.seq_id && again.seq_no == 1);
	send_to(&a, 3, 5);
	again = leaves(&a, 2, PROFILE_CCSDS);
	cr_assert(again.seq_id == first.seq_id + 1 && again.seq_no == 0, "first sent in this one");
	/* its row was not written again before the crash: another pair, and its old one is unknown */
	side_crash(&a, false, chain_n2, 1);
	for (int i = 0; i < 3; i++) {
		struct cteb c = leaves(&a, 2, PROFILE_CCSDS);

		if (i < 2)
			cr_assert_eq(c.seq_id, first.seq_id, "bundle %d kept its pair", i);
		else if (!BREAK_CONTACTS_REPEAT)
			cr_assert_gt(c.seq_id, again.seq_id);
	}
	{
		struct flight sig;

		signal_make(&sig, 2, 1, true, again.seq_id, (const uint64_t[2]){again.seq_no, 1});
		side_in(&a, 2, &sig);
	}
	cr_assert_eq(count(&a, EV_custody_released), BREAK_CONTACTS_REPEAT,
		"a late signal for it is about nothing");
	side_fini(&a);
}

/* Several sequences live side by side: equal numbers of different identifiers are different pairs. */
Test(custody_profiles, side_by_side)
{
	static const node_id n24[] = {2, 4};
	struct side a;
	struct cteb c;
	struct flight sig;

	side_init(&a, 1, n24, 2, NODE_NONE);
	chain_neighbour(&a, "ipn:4.0")->sequence = SEQUENCE_DESTINATION;
	side_start(&a, n24, 2);
	send_to(&a, 2, 5);
	send_to(&a, 4, 5);
	c = leaves(&a, 2, PROFILE_CCSDS);
	cr_assert(c.seq_id == 1 && c.seq_no == 0);
	{
		struct flight f;

		if (!BREAK_NUMBERS_REPEAT)
			cr_assert_not(side_out(&a, 4, &f), "the counter's first block");
	}
	side_commit(&a, 0);
	c = leaves(&a, 4, PROFILE_CCSDS);
	cr_assert_eq(c.seq_id, 0);
	cr_assert_eq(count(&a, EV_custody_paired), 1, "the neighbour's own sequence");
	signal_make(&sig, 2, 1, true, 1, (const uint64_t[2]){0, 1000});
	side_in(&a, 2, &sig);
	cr_assert_eq(count(&a, EV_custody_released), 1);
	cr_assert_eq(stats(&a).n_custody_sent, 1, "that to 4 is another pair");
	side_fini(&a);
}

/* Numbers begin again behind the largest of the counter; what is in use is left out. */
Test(custody_profiles, counters_wrap)
{
	struct side a;
	struct cteb c;
	uint64_t n, seq;

	if (BREAK_NUMBERS_REPEAT)
		cr_skip_test("a build that is broken on purpose");
	side_init(&a, 1, chain_n2, 1, 2);
	a.cfg.custody_counter = COUNTER_16;
	side_start(&a, chain_n2, 1);
	send_to(&a, 3, 5);
	c = leaves(&a, 2, PROFILE_CCSDS);
	cr_assert_eq(c.seq_no, 0);
	cr_assert_eq(store_reserve(a.store, COUNTER_CUSTODY, 65534, &n, &seq), 0);
	side_commit(&a, 0);
	send_to(&a, 3, 5);
	cr_assert_eq(leaves(&a, 2, PROFILE_CCSDS).seq_no, 65535);
	send_to(&a, 3, 5);
	cr_assert_eq(leaves(&a, 2, PROFILE_CCSDS).seq_no, 1, "0 is still in use");
	side_fini(&a);
}

/* Policy: the block stays as it is, the bundle goes on, and the next custodian answers the one before
 * across us. */
Test(custody_profiles, policy_passes_on)
{
	enum { OFF, NEIGHBOUR, CUSTODIANS, SOURCES, ALLOWED, WAYS };
	static const enum why whys[] = {
		WHY_CUSTODY_OFF, WHY_CUSTODY_OFF, WHY_CUSTODIAN_POLICY, WHY_SOURCE_POLICY};

	for (int way = 0; way < WAYS; way++) {
		struct chain x;
		struct flight f, g;
		struct bundle before, after;
		uint64_t a[TRACE_ARGS];

		chain_make(&x);
		x.b.cfg.custody_accept = way != OFF;
		if (way == NEIGHBOUR)
			chain_neighbour(&x.b, "ipn:1.0")->accept = false;
		if (way == CUSTODIANS || way == ALLOWED)
			snprintf(x.b.cfg.custody_from[x.b.cfg.n_custody_from++].text, 64, "%s",
				way == ALLOWED ? "ipn:1.*" : "ipn:3.*");
		if (way == SOURCES || way == ALLOWED)
			snprintf(x.b.cfg.custody_sources[x.b.cfg.n_custody_sources++].text, 64,
				"%s", way == ALLOWED ? "ipn:1.9" : "ipn:1.8");
		chain_start(&x);
		chain_listen(&x.b);
		chain_send(&x);
		cr_assert(side_out(&x.a, 2, &f));
		side_in(&x.b, 1, &f);
		if (way == ALLOWED) {
			settle(&x.b);
			cr_assert_eq(count(&x.b, EV_custody_taken), 1);
			chain_fini(&x);
			continue;
		}
		cr_assert(hand_last(&x.b, EV_custody_declined, a), "way %d", way);
		cr_assert(a[0] == 1 && a[3] == whys[way]);
		cr_assert(side_out(&x.b, 3, &g));
		before = chain_read(&f, PROFILE_CCSDS);
		after = chain_read(&g, PROFILE_CCSDS);
		cr_assert(view_equal(
			bundle_block(&before, 13)->whole, bundle_block(&after, 13)->whole));
		cr_assert_eq(count(&x.b, EV_custody_signalled), 0, "neither yes nor no");
		side_in(&x.c, 2, &g);
		settle(&x.c);
		cr_assert_eq(side_pass(&x.c, &x.b), 1, "to 1, across 2");
		cr_assert_eq(count(&x.b, EV_custody_signal_rx), 0);
		cr_assert_eq(side_pass(&x.b, &x.a), 1);
		cr_assert_eq(count(&x.a, EV_custody_released), 1, "way %d", way);
		cr_assert_eq(stats(&x.a).n_bundles + stats(&x.b).n_bundles, 0);
		chain_fini(&x);
	}
}

/* What applications send to listed destinations asks for custody by itself. */
Test(custody_profiles, request_for)
{
	struct side a;
	struct flight f;

	side_init(&a, 1, chain_n2, 1, 2);
	snprintf(a.cfg.custody_request[0].text, 64, "ipn:3.*");
	a.cfg.n_custody_request = 1;
	side_start(&a, chain_n2, 1);
	cr_assert_eq(side_send(&a, 3, 5, HOUR_MS, false), 0);
	side_commit(&a, 0);
	cr_assert_eq(leaves(&a, 2, PROFILE_CCSDS).custodian.node, 1);
	cr_assert_eq(side_send(&a, 4, 5, HOUR_MS, false), 0);
	side_commit(&a, 0);
	cr_assert(side_out(&a, 2, &f));
	cr_assert_not(chain_read(&f, PROFILE_CCSDS).has_cteb);
	side_fini(&a);
}

/* What `owlt status custody` shows. */
Test(custody_profiles, status)
{
	struct chain x;
	struct custodian_stats c[CUSTODIANS_MAX];
	size_t n;

	chain_make(&x);
	chain_neighbour(&x.b, "ipn:3.0")->profile = 1 + PROFILE_BPLIB;
	x.b.cfg.custody_accept = true;
	chain_start(&x);
	chain_send(&x);
	side_pass(&x.a, &x.b);
	settle(&x.b);
	side_pass(&x.b, &x.a);
	n = agent_custodians(x.b.agent, c);
	cr_assert_eq(n, 3, "others, 3 by its setting, 1 by its link");
	cr_assert_eq(c[1].node, 3);
	cr_assert_str_eq(c[1].profile, "bplib");
	cr_assert_str_eq(c[1].sequence, "contact");
	cr_assert(c[1].n_held == 1 && c[1].n_awaiting == 0 && !c[1].authenticated);
	cr_assert(c[2].node == 1 && c[2].n_taken == 1 && c[2].n_signals_tx == 1);
	side_commit(&x.b, 0);
	settle(&x.b);
	while (side_pass(&x.b, &x.c))
		;
	settle(&x.b);
	side_pass(&x.b, &x.c);
	n = agent_custodians(x.b.agent, c);
	cr_assert(c[1].n_held == 0 && c[1].n_awaiting == 1);
	side_pass(&x.c, &x.b);
	chain_fini(&x);
}

/* As many neighbours as there can be, one of them with settings: each has one row and one index. */
Test(custody_profiles, all_neighbours)
{
	struct custodian_stats c[CUSTODIANS_MAX];
	const unsigned most = 256; /* NEIGHBOURS_MAX */
	struct side s;

	side_init(&s, 1, chain_n2, 0, 2);
	chain_neighbour(&s, "ipn:9.0")->profile = 1 + PROFILE_BPLIB;
	side_start(&s, chain_n2, 0);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned k = 0; k < most; k++)
			cr_assert_eq(agent_neighbour(s.agent, 2 + k), (int)k, "%u", k);
	cr_assert_eq(agent_neighbour(s.agent, 2 + most), -E_FULL);
	cr_assert_eq(agent_custodians(s.agent, c), 1 + most);
	cr_assert(c[0].node == NODE_NONE && c[1].node == 9 && c[2].node == 2);
	cr_assert_eq(c[most].node, 1 + most);
	side_fini(&s);
}

/* What is made here and what comes from others counts in the same counter of a destination. */
Test(custody_profiles, one_counter_for_a_destination)
{
	struct chain x;

	if (BREAK_NUMBERS_REPEAT)
		cr_skip_test("a build that is broken on purpose");
	chain_make(&x);
	x.b.cfg.custody_sequence = SEQUENCE_DESTINATION;
	chain_start(&x);
	chain_send(&x);
	side_pass(&x.a, &x.b);
	send_to(&x.b, 3, 5);
	cr_assert_eq(leaves(&x.b, 3, PROFILE_CCSDS).seq_no, 0);
	cr_assert_eq(leaves(&x.b, 3, PROFILE_CCSDS).seq_no, 1);
	chain_fini(&x);
}

/* 2 takes no custody and stands between both profiles: 1 gets its answer from 3, which reads the block,
 * and a compressed report, too. */
Test(custody_profiles, passes_between_profiles)
{
	for (unsigned first = 0; first < PROFILES; first++) {
		unsigned last = !first;
		struct custody_codes codes[PROFILES] = {
			custody_codes_ccsds(), custody_codes_bplib()};
		struct chain x;
		struct flight f, g;
		struct bundle b;

		chain_make(&x);
		x.a.cfg.custody_profile = x.b.cfg.custody_profile = first;
		x.c.cfg.custody_profile = last;
		x.a.cfg.compressed_reports = x.c.cfg.reports = true;
		x.b.cfg.custody_accept = false;
		chain_neighbour(&x.b, "ipn:3.0")->profile = 1 + last;
		chain_start(&x);
		{
			struct view payload = view_text("data");
			struct agent_send s = {.source = eid_ipn(1, 9),
				.dest = eid_ipn(3, 5),
				.report_to = eid_ipn(1, 9),
				.lifetime_ms = HOUR_MS,
				.flags = BUNDLE_REPORT_RECEPTION,
				.priority = 1,
				.custody = true,
				.crc_type = CRC_32C,
				.payload = &payload,
				.n_payload = 1};
			uint64_t request;

			cr_assert_eq(agent_send(x.a.agent, x.a.now, &s, &request), 0);
			side_commit(&x.a, 0);
		}
		leave(&x.a, 2, &f);
		side_in(&x.b, 1, &f);
		cr_assert(side_out(&x.b, 3, &g));
		b = chain_read(&g, last);
		cr_assert(b.has_cteb && b.cteb.custodian.node == 1 && b.has_creb);
		cr_expect_not(has_block(&b, codes[first].cteb_type) ||
			      has_block(&b, codes[first].creb_type));
		side_in(&x.c, 2, &g);
		settle(&x.c);
		side_at(&x.c, 6 * SEC);
		settle(&x.c);
		cr_assert_eq(side_pass(&x.c, &x.b), 2, "a signal and a report");
		cr_assert_eq(side_pass(&x.b, &x.a), 2);
		cr_expect_eq(count(&x.a, EV_custody_released), 1, "first %u", first);
		chain_fini(&x);
	}
}

/* 2 reads one profile only and stands between two of the other: it leaves the block alone, and lets pass what comes
 * again, because 1 waits for the answer of 3. */
Test(custody_profiles, passes_what_it_does_not_read)
{
	for (unsigned profile = 0; profile < PROFILES; profile++) {
		struct flight f, lost, again;
		struct chain x;

		chain_make(&x);
		x.a.cfg.custody_profile = x.c.cfg.custody_profile = profile;
		x.b.cfg.custody_profile = !profile;
		chain_neighbour(&x.a, "ipn:2.0")->passes = true;
		chain_start(&x);
		send_to(&x.a, 3, 5);
		leave(&x.a, 2, &f);
		side_in(&x.b, 1, &f);
		cr_assert(side_out(&x.b, 3, &lost));
		side_at(&x.a, 100 * SEC);
		cr_assert_eq(count(&x.a, EV_custody_retx), 1);
		cr_assert(side_out(&x.a, 2, &again));
		side_in(&x.b, 1, &again);
		cr_expect_eq(count(&x.b, EV_bundle_duplicate), 0);
		cr_assert_eq(side_pass(&x.b, &x.c), 1, "profile %u: it passes again", profile);
		settle(&x.c);
		cr_expect_eq(count(&x.c, EV_custody_signalled), 1, "profile %u", profile);
		cr_expect_eq(count(&x.c, EV_custody_signal_tx), 1, "profile %u", profile);
		cr_expect_eq(side_pass(&x.c, &x.b), 1, "profile %u", profile);
		cr_expect_eq(side_pass(&x.b, &x.a), 1, "profile %u", profile);
		cr_expect_eq(count(&x.a, EV_custody_released), 1, "profile %u", profile);
		chain_fini(&x);
	}
}

/* Somebody's block with the type of a custody or reporting block: what its flags say is done with it. */
Test(custody_profiles, foreign_blocks)
{
	static const struct {
		uint64_t flags;
		unsigned n_out, n_blocks;
	} t[] = {{0, 1, 3}, {BLOCK_DISCARD, 1, 2}, {BLOCK_DELETE_BUNDLE, 0, 0}};

	for (size_t i = 0; i < 2 * sizeof t / sizeof t[0]; i++) {
		const struct block_spec other = {.type = 13 + i % 2,
			.number = 7,
			.flags = t[i / 2].flags,
			.data = view_text("not ours")};
		struct bundle_spec spec = hand_spec(3);
		uint64_t a[TRACE_ARGS];
		struct flight f;
		struct side s;

		hand_relay(&s);
		spec.block = &other;
		spec.n_blocks = 1;
		hand_in(&s, &spec);
		cr_expect(hand_last(&s, EV_block_foreign, a) && a[1] == other.type);
		cr_expect_eq(count(&s, EV_bundle_rejected), 0);
		cr_assert_eq(side_out(&s, 3, &f), t[i / 2].n_out, "row %zu", i);
		if (t[i / 2].n_out) {
			struct bundle_rules rules = bundle_rules_default();
			struct bundle_fault fault;
			struct bundle b;

			rules.allow_foreign = true;
			cr_assert_eq(bundle_read(&b, view_of(f.bytes, f.n), &rules, &fault), 0);
			cr_expect_eq(b.n_blocks, t[i / 2].n_blocks, "row %zu", i);
		}
		side_fini(&s);
	}
}

/* A signal that was made before the bundle came here is about an earlier one of the same number. */
Test(custody_profiles, old_signals)
{
	static const enum custody_counter widths[] = {COUNTER_64, COUNTER_16};

	for (size_t i = 0; i < 2; i++) {
		struct flight f, sig;
		struct side a;

		side_init(&a, 1, chain_n2, 1, 2);
		a.cfg.custody_counter = widths[i];
		side_start(&a, chain_n2, 1);
		side_at(&a, 10 * SEC);
		signal_make(&sig, 2, 1, true, 1, (const uint64_t[2]){0, 1}); /* at 0 */
		send_to(&a, 3, 5);
		cr_assert(side_out(&a, 2, &f));
		side_in(&a, 2, &sig);
		cr_expect_eq(count(&a, EV_custody_released), widths[i] == COUNTER_64);
		side_fini(&a);
	}
}

/* More in custody than there are numbers: refused, not given out twice, and never searched for ever. */
Test(custody_profiles, all_numbers_in_use)
{
	struct side a;
	uint64_t n, seq;

	if (BREAK_NUMBERS_REPEAT)
		cr_skip_test("a build that is broken on purpose");
	side_init(&a, 1, chain_n2, 1, 2);
	a.cfg.custody_counter = COUNTER_16;
	a.cfg.max_bundles = 2000;
	side_start(&a, chain_n2, 1);
	for (int i = 0; i < 1030; i++)
		send_to(&a, 3, 5);
	cr_assert_eq(store_reserve(a.store, COUNTER_CUSTODY, 65536 - 1030, &n, &seq), 0);
	side_commit(&a, 0);
	cr_assert_eq(side_send(&a, 3, 5, HOUR_MS, true), -E_FULL, "0 to 1023 are in use");
	send_to(&a, 3, 5); /* behind those it goes on */
	cr_assert_eq(stats(&a).n_bundles, 1031);
	side_fini(&a);
}
