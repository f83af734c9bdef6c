/* Custodial tunnels, the near end: bibect, owlt-bibe(7). Node 2 with such tunnels to 3, and in some tests to 4,
 * for bundles to node 5; the far ends' answers are made by hand. */
#include "bundle/bibe.h"
#include "tests/unit/agent/hand.h"

#include <criterion/criterion.h>
#include <stdio.h>

static void tunnel_add(struct side *s, const char *to)
{
	struct bibe_tunnel_cfg *t = &s->cfg.bibe.tunnel[s->cfg.bibe.n_tunnels++];

	strcpy(t->to, to);
	strcpy(t->match[0].text, "ipn:5.*");
	t->n_match = 1;
	t->custody = true;
}

static void near_init(struct side *s)
{
	side_init(s, 2, hand_neighbours, 3, NODE_NONE);
	trace_fini(&s->trace);
	cr_assert_eq(trace_init(&s->trace, 1024), 0);
	tunnel_add(s, "ipn:3.0");
	s->cfg.bibe.n_peers = 1;
	strcpy(s->cfg.bibe.peer[0].text, "ipn:1.*");
	s->cfg.bibe.max_bytes = 2000;
	s->cfg.bibe.max_depth = 2;
	s->cfg.bibe.max_unanswered = 8;
}

static void near_start(struct side *s)
{
	side_start(s, hand_neighbours, 3);
	cr_assert_eq(side_send(s, 2, 99, HOUR_MS, false), 0); /* takes the first block of numbers */
	side_commit(s, 0);
	side_listen(s);
}

static void put_in(struct side *s)
{
	struct bundle_spec spec = hand_spec(5);

	spec.has_hop = true;
	spec.hop_limit = 9;
	spec.hop_count = 1;
	hand_in(s, &spec);
	side_commit(s, 0);
	side_at(s, s->now);
	side_commit(s, 0);
}

/* What leaves for `to`: the record, whose bundle inside is for node 5. */
static struct bpdu left(struct side *s, node_id to)
{
	static struct flight f;
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct bundle b, inside;
	struct bpdu p;

	cr_assert(side_out(s, to, &f));
	hand_read(&f, &b);
	cr_assert(b.flags & BUNDLE_ADMIN && b.source.node == 2 && b.dest.node == to);
	cr_assert_eq(bpdu_read(b.payload, &p), 0);
	cr_assert_eq(bundle_read(&inside, p.bundle, &rules, &fault), 0);
	cr_assert_eq(inside.dest.node, 5);
	return p;
}

static unsigned digit(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

/* A signal of `from` with these bytes as its record. */
static void say(struct side *s, node_id from, const char *hex)
{
	static uint64_t seq = 500;
	struct bundle_spec spec = hand_spec(2);
	uint8_t bytes[256];
	struct flight f;
	size_t n = 0;

	for (; hex[2 * n]; n++)
		bytes[n] = (uint8_t)(digit(hex[2 * n]) << 4 | digit(hex[2 * n + 1]));
	spec.source = eid_ipn(from, 0);
	spec.dest = eid_ipn(2, 0);
	spec.report_to = eid_null();
	spec.flags = BUNDLE_ADMIN;
	spec.seq = ++seq;
	hand_make(&f, &spec, view_of(bytes, n));
	side_in(s, from, &f);
}

/* The bundle stays until it is answered, byte for byte, in each of the three types. */
Test(transmission, answered)
{
	static const struct {
		unsigned record; /* of the setting */
		const char *answer;
		uint64_t type, when;
	} rows[] = {{0, "8208820081820101", BIBE_ION, KIT_DTN / 1000 + 946684800 + 60},
		{1, "8204820081820101", BIBE_OLD, KIT_DTN + 60000},
		{2, "8219fbbc820081820101", BIBE_NEW, KIT_DTN + 60000}};

	for (size_t i = 0; i < 3; i++) {
		struct bpdu p;
		struct side s;

		near_init(&s);
		s.cfg.bibe.tunnel[0].record = rows[i].record;
		near_start(&s);
		put_in(&s);
		cr_expect_eq(stats(&s).n_bundles, 3, "ours, the bundle, the one around");
		p = left(&s, 3);
		cr_expect(p.type == rows[i].type && p.id == 1);
		cr_expect_eq(p.when, rows[i].when);
		side_commit(&s, 0);
		cr_expect_eq(stats(&s).n_bundles, 2, "it stays");
		cr_expect_eq(count(&s, EV_tunnel_waits), 1);
		say(&s, 3, rows[i].answer);
		cr_expect_eq(stats(&s).n_bundles, 1);
		cr_expect_eq(count(&s, EV_tunnel_answered), 1);
		cr_expect_eq(count(&s, EV_bundle_forwarded), 2);
		side_fini(&s);
	}
}

/* What each answer does. */
Test(transmission, dispositions)
{
	static const struct {
		const char *answer;
		bool released;
	} rows[] = {{"8208820081820101", true}, {"8208820381820101", true},
		{"8208820481820101", false}, {"8208820581820101", false},
		{"8208820681820101", false}, {"8208820781820101", false},
		{"8208820881820101", false}, {"820882181881820101", false}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct flight f;
		struct side s;

		near_init(&s);
		near_start(&s);
		put_in(&s);
		(void)left(&s, 3);
		say(&s, 3, rows[i].answer);
		cr_expect_eq(stats(&s).n_bundles, rows[i].released ? 1 : 2, "row %zu", i);
		side_at(&s, 59 * SEC);
		side_commit(&s, 0);
		cr_expect(!side_out(&s, 3, &f), "not at once, and not elsewhere");
		side_at(&s, 61 * SEC);
		side_at(&s, 61 * SEC);
		side_commit(&s, 0);
		cr_expect_eq(side_out(&s, 3, &f), !rows[i].released, "row %zu", i);
		cr_expect_eq(count(&s, EV_tunnel_tx), rows[i].released ? 1 : 2);
		side_fini(&s);
	}
}

/* No answer: again under a new number, and the old one says nothing any more. */
Test(transmission, late)
{
	struct bpdu p;
	struct side s;

	near_init(&s);
	near_start(&s);
	put_in(&s);
	cr_expect_eq(left(&s, 3).id, 1);
	side_at(&s, 59 * SEC);
	cr_expect_eq(count(&s, EV_tunnel_late), 0);
	cr_expect_leq(agent_deadline(s.agent), 60 * SEC);
	side_at(&s, 60 * SEC);
	cr_expect_eq(count(&s, EV_tunnel_late), 1);
	side_commit(&s, 0);
	p = left(&s, 3);
	cr_expect_eq(p.id, 2);
	say(&s, 3, "8208820081820101");
	cr_expect_eq(stats(&s).n_bundles, 2, "the old number");
	say(&s, 3, "8208820081820201");
	cr_expect_eq(stats(&s).n_bundles, 1);
	side_fini(&s);
}

/* Closed time does not count: nothing is late while the bundle around is still here. */
Test(transmission, not_left)
{
	struct side s;

	near_init(&s);
	near_start(&s);
	put_in(&s);
	for (int i = 1; i < 10; i++)
		side_at(&s, i * 61 * SEC);
	cr_expect_eq(count(&s, EV_tunnel_tx), 1);
	cr_expect_eq(count(&s, EV_tunnel_late), 0);
	say(&s, 3, "8208820081820101");
	cr_expect_eq(stats(&s).n_bundles, 3, "nobody can have it");
	(void)left(&s, 3);
	say(&s, 3, "8208820081820101");
	cr_expect_eq(stats(&s).n_bundles, 1);
	side_fini(&s);
}

/* The answer may be here before the link tells that the bundle around was sent: it proves that. */
Test(transmission, answered_before_the_link_tells)
{
	for (int fails = 0; fails < 2; fails++) {
		struct flight f;
		struct side s;

		near_init(&s);
		near_start(&s);
		put_in(&s);
		cr_assert(side_give(&s, 3, &f));
		say(&s, 4, "8208820081820101");
		cr_expect_eq(stats(&s).n_bundles, 3, "not the far end");
		say(&s, 3, "8208820081820101");
		cr_expect_eq(count(&s, EV_tunnel_answered), 1);
		cr_expect_eq(stats(&s).n_bundles, 2, "the one inside is released");
		if (fails)
			agent_send_failed(s.agent, s.now, f.id);
		else
			side_sent(&s, &f);
		cr_expect_eq(stats(&s).n_bundles, 1 + (unsigned)fails);
		side_at(&s, 300 * SEC);
		cr_expect_eq(count(&s, EV_tunnel_tx), 1, "not put in again");
		side_fini(&s);
	}
}

/* Signals that release nothing, each counted; the work for a huge claim is bounded by what waits. */
Test(transmission, not_believed)
{
	static const struct {
		node_id from;
		const char *hex;
		uint64_t n_unknown; /* UINT64_MAX: refused as a whole */
	} rows[] = {{4, "8208820081820101", UINT64_MAX}, {1, "8208820081820101", UINT64_MAX},
		{3, "8208820081820201", 1}, {3, "820882008182021affffffff", UINT64_C(0xffffffff)},
		{3, "8208820082820203820709", 12}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t arg[TRACE_ARGS];
		struct side s;

		near_init(&s);
		near_start(&s);
		put_in(&s);
		(void)left(&s, 3);
		while (hand_last(&s, EV_tunnel_tx, arg)) {
		}
		say(&s, rows[i].from, rows[i].hex);
		cr_expect_eq(stats(&s).n_bundles, 2, "row %zu", i);
		if (rows[i].n_unknown == UINT64_MAX) {
			cr_expect_eq(count(&s, EV_tunnel_signal_refused), 1, "row %zu", i);
		} else {
			cr_assert(hand_last(&s, EV_tunnel_signal_rx, arg));
			cr_expect(arg[3] == 0 && arg[4] == rows[i].n_unknown, "row %zu", i);
		}
		say(&s, 3, "820882008182011b0fffffffffffffff");
		cr_expect_eq(stats(&s).n_bundles, 1, "a claim that holds ours too");
		side_fini(&s);
	}
}

/* Each truncated signal is no signal. */
Test(transmission, cut)
{
	static const char hex[] = "8208820082820105820902";
	struct side s;

	near_init(&s);
	near_start(&s);
	put_in(&s);
	(void)left(&s, 3);
	for (size_t n = 2; n < sizeof hex - 1; n += 2) {
		char part[sizeof hex];

		memcpy(part, hex, n);
		part[n] = 0;
		say(&s, 3, part);
		cr_expect_eq(stats(&s).n_bundles, 2);
	}
	cr_expect_eq(count(&s, EV_tunnel_signal_rx), 0);
	say(&s, 3, hex);
	cr_expect_eq(stats(&s).n_bundles, 1);
	side_fini(&s);
}

/* Two tunnels: what one refuses goes into the other; what both refuse waits. */
Test(transmission, elsewhere)
{
	struct flight f;
	struct side s;

	near_init(&s);
	tunnel_add(&s, "ipn:4.0");
	near_start(&s);
	put_in(&s);
	(void)left(&s, 3);
	say(&s, 3, "8208820481820101");
	side_at(&s, s.now);
	side_commit(&s, 0);
	cr_expect_eq(left(&s, 4).id, 2);
	say(&s, 3, "8208820081820201");
	cr_expect_eq(stats(&s).n_bundles, 2, "only 4 has seen that number");
	say(&s, 4, "8208820481820201");
	side_at(&s, s.now);
	side_commit(&s, 0);
	cr_expect(!side_out(&s, 3, &f) && !side_out(&s, 4, &f));
	side_at(&s, 61 * SEC);
	side_commit(&s, 0);
	cr_expect_eq(left(&s, 3).id, 3);
	side_at(&s, 121 * SEC); /* no answer: the other way first */
	side_commit(&s, 0);
	cr_expect_eq(left(&s, 4).id, 4);
	say(&s, 4, "8208820081820401");
	cr_expect_eq(stats(&s).n_bundles, 1);
	side_fini(&s);
}

/* Only with fallback does it leave without custody, after it was refused. */
Test(transmission, fallback)
{
	for (int i = 0; i < 2; i++) {
		struct flight f;
		struct bundle b;
		struct side s;

		near_init(&s);
		s.route->ops->free(s.route);
		s.route = route_static_new(
			(const struct static_row[]){{3, 3}, {4, 4}, {5, 4}, {1, 1}}, 4);
		s.cfg.bibe.tunnel[0].fallback = i;
		near_start(&s);
		put_in(&s);
		(void)left(&s, 3);
		say(&s, 3, "8208820481820101");
		cr_assert_eq(side_out(&s, 4, &f), i);
		if (i) {
			hand_read(&f, &b);
			cr_expect(b.dest.node == 5 && !(b.flags & BUNDLE_ADMIN));
		}
		cr_expect_eq(stats(&s).n_bundles, i ? 1 : 2);
		side_fini(&s);
	}
}

/* After a restart what waited is sent anew, under a number that was never used. */
Test(transmission, crash)
{
	for (int survives = 0; survives < 2; survives++) {
		struct bpdu p;
		struct side s;

		near_init(&s);
		near_start(&s);
		put_in(&s);
		(void)left(&s, 3);
		side_commit(&s, 0);
		side_crash(&s, survives, hand_neighbours, 3);
		side_at(&s, s.now);
		cr_expect_eq(stats(&s).n_bundles, 3);
		side_commit(&s, 0);
		p = left(&s, 3);
		cr_expect_gt(p.id, 1);
		say(&s, 3, "8208820081820101");
		cr_expect_eq(stats(&s).n_bundles, 2, "the number of the life before");
		say(&s, 3, "820882008182011a00100000");
		cr_expect_eq(stats(&s).n_bundles, 1);
		side_fini(&s);
	}
}

/* It comes back while it waits: who brought it may rely on us, so the old answer releases nothing. */
Test(transmission, returned)
{
	struct bundle_spec spec = hand_spec(5), around = hand_spec(2);
	struct bpdu p = {.type = BIBE_ION, .id = 77};
	uint8_t room[1024];
	struct buf b = buf_of(room, sizeof room);
	struct flight f, out;
	struct side s;

	near_init(&s);
	near_start(&s);
	spec.has_hop = true;
	spec.hop_limit = 9;
	spec.hop_count = 1;
	hand_make(&f, &spec, view_text("data"));
	side_in(&s, 1, &f);
	side_commit(&s, 0);
	side_at(&s, 0);
	side_commit(&s, 0);
	cr_expect_eq(left(&s, 3).id, 1);
	side_in(&s, 1, &f); /* a copy on a link, no further than ours: nothing */
	cr_expect_eq(count(&s, EV_bundle_rerouted), 0);
	around.source = eid_ipn(1, 0);
	around.dest = eid_ipn(2, 0);
	around.flags = BUNDLE_ADMIN;
	bpdu_write_head(&b, &p, f.n);
	buf_put(&b, view_of(f.bytes, f.n));
	hand_make(&out, &around, buf_view(&b));
	side_in(&s, 1, &out);
	cr_expect_eq(count(&s, EV_bundle_rerouted), 1);
	say(&s, 3, "8208820081820101");
	cr_expect_eq(stats(&s).n_bundles, 2, "kept");
	side_at(&s, 10 * SEC);
	side_commit(&s, 0);
	cr_expect_eq(count(&s, EV_tunnel_told), 1, "77 is answered");
	cr_expect_eq(left(&s, 3).id, 2);
	spec.hop_count = 4; /* a copy on a link that has come further */
	hand_make(&f, &spec, view_text("data"));
	side_in(&s, 4, &f);
	cr_expect_eq(count(&s, EV_bundle_rerouted), 2);
	say(&s, 3, "8208820081820201");
	side_at(&s, 10 * SEC);
	side_commit(&s, 0);
	cr_expect_eq(left(&s, 3).id, 3);
	say(&s, 3, "8208820081820301");
	side_commit(&s, 0);
	side_pass(&s, &s); /* nothing to itself */
	cr_expect_eq(count(&s, EV_tunnel_answered), 1);
	side_fini(&s);
}

/* It has gone round as often as it may: refused, and still waited for. */
Test(transmission, spent)
{
	struct bundle_spec spec = hand_spec(5), around = hand_spec(2);
	struct bpdu p = {.type = BIBE_ION, .id = 77};
	uint8_t room[1024];
	struct buf b = buf_of(room, sizeof room);
	uint64_t arg[TRACE_ARGS];
	struct flight f, out;
	struct side s;

	near_init(&s);
	near_start(&s);
	spec.has_hop = true;
	spec.hop_limit = 3;
	hand_make(&f, &spec, view_text("data"));
	side_in(&s, 1, &f);
	side_commit(&s, 0);
	side_at(&s, 0);
	side_commit(&s, 0);
	(void)left(&s, 3);
	spec.hop_count = 3;
	hand_make(&f, &spec, view_text("data"));
	around.source = eid_ipn(1, 0);
	around.dest = eid_ipn(2, 0);
	around.flags = BUNDLE_ADMIN;
	bpdu_write_head(&b, &p, f.n);
	buf_put(&b, view_of(f.bytes, f.n));
	hand_make(&out, &around, buf_view(&b));
	side_in(&s, 1, &out);
	cr_assert(hand_last(&s, EV_tunnel_told, arg));
	cr_expect(arg[2] == 77 && arg[3] == BIBE_NO_ROUTE);
	say(&s, 3, "8208820081820101");
	cr_expect_eq(count(&s, EV_tunnel_answered), 1);
	side_fini(&s);
}

/* What waits is limited; another one goes when there is room. */
Test(transmission, limit)
{
	struct flight f;
	struct side s;

	near_init(&s);
	s.cfg.bibe.max_unanswered = 1;
	near_start(&s);
	put_in(&s);
	put_in(&s);
	cr_expect_eq(left(&s, 3).id, 1);
	cr_expect(!side_out(&s, 3, &f));
	say(&s, 3, "8208820081820101");
	cr_expect_leq(agent_deadline(s.agent), s.now);
	side_at(&s, s.now);
	side_commit(&s, 0);
	cr_expect_eq(left(&s, 3).id, 2);
	side_fini(&s);
}

/* Too large for one encapsulation: each piece is answered for itself, and sent again for itself. */
Test(transmission, pieces)
{
	struct bundle_spec spec = hand_spec(5);
	uint8_t data[900] = {0};
	struct flight f;
	struct side s;

	near_init(&s);
	s.cfg.bibe.max_bytes = 400;
	near_start(&s);
	hand_make(&f, &spec, view_of(data, sizeof data));
	side_in(&s, 1, &f);
	side_commit(&s, 0);
	side_at(&s, 0);
	side_commit(&s, 0);
	for (uint64_t id = 1; id <= 3; id++)
		cr_expect_eq(left(&s, 3).id, id);
	say(&s, 3, "8208820082820101820301");
	cr_expect_eq(stats(&s).n_bundles, 2);
	side_at(&s, 60 * SEC);
	side_commit(&s, 0);
	cr_expect_eq(left(&s, 3).id, 4);
	cr_expect(!side_out(&s, 3, &f), "the other two are there");
	say(&s, 3, "8208820081820401");
	cr_expect_eq(stats(&s).n_bundles, 1);
	cr_expect_eq(count(&s, EV_tunnel_answered), 3);
	side_fini(&s);
}

/* A bundle in our custody: an answer does not release it, a refusal is heard, its own signal releases it. */
Test(transmission, custody_inside)
{
	const uint64_t numbers[2] = {0, 1};
	struct flight f;
	struct side s;

	near_init(&s);
	near_start(&s);
	cr_assert_eq(side_send(&s, 5, 1, HOUR_MS, true), 0);
	side_commit(&s, 0);
	side_at(&s, 0);
	side_commit(&s, 0);
	cr_expect_eq(stats(&s).n_custody_sent, 1);
	(void)left(&s, 3);
	say(&s, 3, "8208820081820101");
	cr_expect_eq(stats(&s).n_custody_sent, 1, "not by that");
	side_at(&s, 60 * SEC);
	side_at(&s, 60 * SEC);
	side_commit(&s, 0);
	cr_expect_eq(left(&s, 3).id, 2);
	say(&s, 3, "8208820481820201");
	cr_expect_eq(stats(&s).n_custody_held, 1, "another way is looked for");
	cr_expect_eq(count(&s, EV_custody_refused), 1);
	signal_make(&f, 3, 2, true, 1, numbers);
	side_in(&s, 3, &f);
	cr_expect_eq(stats(&s).n_bundles, 1);
	side_fini(&s);
}

/* It expires while it waits: that ends it, and nothing is left behind. */
Test(transmission, expired)
{
	struct bundle_spec spec = hand_spec(5);
	struct side s;

	near_init(&s);
	s.cfg.bibe.max_unanswered = 1;
	near_start(&s);
	spec.lifetime_ms = 20000;
	hand_in(&s, &spec);
	side_commit(&s, 0);
	side_at(&s, 0);
	side_commit(&s, 0);
	(void)left(&s, 3);
	side_at(&s, 21 * SEC);
	cr_expect_eq(stats(&s).n_bundles, 1);
	cr_expect_eq(count(&s, EV_tunnel_late), 0);
	say(&s, 3, "8208820081820101");
	put_in(&s);
	cr_expect_eq(left(&s, 3).id, 2, "its place is free");
	side_fini(&s);
}

/* The batch of the bundle around fails: it was not sent, and goes again. */
Test(transmission, commit_failed)
{
	struct bundle_spec spec = hand_spec(5);
	struct flight f;
	struct side s;

	near_init(&s);
	near_start(&s);
	hand_in(&s, &spec);
	side_commit(&s, 0);
	side_at(&s, 0);
	side_commit(&s, -ENOSPC);
	cr_expect_eq(stats(&s).n_bundles, 2);
	cr_expect(!side_out(&s, 3, &f));
	side_at(&s, 2 * SEC);
	side_at(&s, 2 * SEC);
	side_commit(&s, 0);
	cr_expect_eq(left(&s, 3).id, 2);
	say(&s, 3, "8208820081820201");
	cr_expect_eq(stats(&s).n_bundles, 1);
	side_fini(&s);
}

/* Bundles for the far end's own endpoints go in; records for it do not. */
Test(transmission, for_the_far_end)
{
	for (int admin = 0; admin < 2; admin++) {
		struct bundle_spec spec = hand_spec(3);
		struct side s;

		near_init(&s);
		strcpy(s.cfg.bibe.tunnel[0].match[0].text, "ipn:3.*");
		near_start(&s);
		spec.flags = admin ? BUNDLE_ADMIN : 0;
		if (admin)
			spec.report_to = eid_null();
		hand_in(&s, &spec);
		side_at(&s, 0);
		cr_expect_eq(count(&s, EV_tunnel_tx), !admin);
		side_fini(&s);
	}
}

static void key(struct side *s, const char *node, char digit)
{
	struct security_lab_key *k = &s->cfg.security.lab_key[0];
	struct custody_neighbour *n = &s->cfg.custody_neighbour[0];

	s->cfg.security.n_lab_keys = s->cfg.n_custody_neighbours = 1;
	*k = (struct security_lab_key){.id = "k", .kind = "hmac", .sha = 256};
	memset(k->secret, digit, 64);
	s->cfg.security.failures_per_s = 1000;
	s->cfg.security.max_bytes = 65536;
	*n = (struct custody_neighbour){.accept = true, .key = "k"};
	snprintf(n->node, sizeof n->node, "%s", node);
}

/* A far end with a key is believed only with its signature, and signs by itself. */
Test(transmission, signed_answers)
{
	static const struct {
		char key; /* of the far end, 0: none */
		enum why why;
	} rows[] = {{0, WHY_SIGNAL_UNSIGNED}, {'2', WHY_SIGNAL_FORGED}, {'1', WHY_NONE}};

	for (size_t i = 0; i < 3; i++) {
		static const node_id two = 2;
		uint64_t arg[TRACE_ARGS];
		struct side s, far;

		near_init(&s);
		key(&s, "ipn:3.0", '1');
		near_start(&s);
		side_init(&far, 3, &two, 1, NODE_NONE);
		if (rows[i].key)
			key(&far, "ipn:2.0", rows[i].key);
		far.cfg.signal_delay_us = 0;
		far.cfg.bibe.n_peers = 1;
		strcpy(far.cfg.bibe.peer[0].text, "ipn:2.0");
		far.cfg.bibe.max_bytes = 2000;
		far.cfg.bibe.max_depth = 1;
		side_start(&far, &two, 1);
		put_in(&s);
		cr_assert_eq(side_pass(&s, &far), 1);
		side_commit(&far, 0);
		side_at(&far, 0);
		side_commit(&far, 0);
		cr_assert_eq(side_pass(&far, &s), 1);
		cr_expect_eq(stats(&s).n_bundles, rows[i].why ? 2 : 1, "row %zu", i);
		cr_expect_eq(hand_last(&s, EV_tunnel_signal_refused, arg), rows[i].why != WHY_NONE);
		cr_expect(!rows[i].why || arg[2] == rows[i].why, "row %zu", i);
		side_fini(&s);
		side_fini(&far);
	}
}
