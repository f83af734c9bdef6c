/* Custodial tunnels, the far end: bibect, owlt-bibe(7). Node 2 takes bundles out that node 1, or node 3, sends
 * inside others under a number, and answers when it has them. */
#include "bundle/bibe.h"
#include "tests/unit/agent/hand.h"

#include <criterion/criterion.h>
#include <stdio.h>

static void far_init(struct side *s)
{
	side_init(s, 2, hand_neighbours, 3, NODE_NONE);
	trace_fini(&s->trace);
	cr_assert_eq(trace_init(&s->trace, 1024), 0);
	s->cfg.bibe.n_peers = 2;
	strcpy(s->cfg.bibe.peer[0].text, "ipn:1.*");
	strcpy(s->cfg.bibe.peer[1].text, "ipn:3.*");
	s->cfg.bibe.max_bytes = 1000;
	s->cfg.bibe.max_depth = 1;
}

static void far_start(struct side *s)
{
	side_start(s, hand_neighbours, 3);
	cr_assert_eq(side_send(s, 2, 99, HOUR_MS, false), 0); /* takes the first block of numbers */
	side_commit(s, 0);
	side_listen(s);
}

/* n bytes of a bundle inside one of node `from`, under a number. */
static void give(struct side *s, node_id from, const struct bpdu *p, struct view inside)
{
	static uint64_t seq = 1000;
	struct bundle_spec spec = hand_spec(2);
	uint8_t room[2048];
	struct buf b = buf_of(room, sizeof room);
	struct flight f;

	spec.source = eid_ipn(from, 0);
	spec.dest = eid_ipn(2, 0);
	spec.report_to = eid_null();
	spec.flags = BUNDLE_ADMIN;
	spec.seq = ++seq;
	bpdu_write_head(&b, p, inside.n);
	buf_put(&b, inside);
	hand_make(&f, &spec, buf_view(&b));
	side_in(s, from, &f);
}

static void give_spec(struct side *s, uint64_t id, const struct bundle_spec *spec)
{
	struct bpdu p = {.type = BIBE_ION, .id = id};
	struct flight f;

	hand_make(&f, spec, view_text("data"));
	give(s, 1, &p, view_of(f.bytes, f.n));
}

/* The next signal for `to` has these bytes; NULL: there is none. */
static void expect_said(struct side *s, node_id to, const char *hex)
{
	struct flight f;
	struct bundle b;
	char text[256] = "";

	if (!side_out(s, to, &f)) {
		cr_expect_null(hex, "nothing was said");
		return;
	}
	hand_read(&f, &b);
	cr_expect(b.flags & BUNDLE_ADMIN && b.source.node == 2 && b.dest.node == to &&
		  eid_is_admin(&b.dest));
	for (size_t i = 0; i < b.payload.n && i < 100; i++)
		snprintf(text + 2 * i, 3, "%02x", b.payload.p[i]);
	cr_expect_str_eq(text, hex ? hex : "nothing");
}

static void later(struct side *s)
{
	side_at(s, s->now + 6 * SEC);
	side_commit(s, 0);
}

/* Answered when it is durable, in the type that belongs to the question, byte for byte. */
Test(answer, accepted)
{
	static const struct {
		uint64_t type;
		const char *answer;
	} rows[] = {{BIBE_OLD, "8204820081820501"}, {BIBE_ION, "8208820081820501"},
		{BIBE_NEW, "8219fbbc820081820501"}};

	for (size_t i = 0; i < 3; i++)
		for (int local = 0; local < 2; local++) {
			struct bundle_spec spec = hand_spec(local ? 2 : 4);
			struct bpdu p = {.type = rows[i].type, .id = 5};
			struct flight f, out;
			struct side s;

			far_init(&s);
			far_start(&s);
			hand_make(&f, &spec, view_text("data"));
			give(&s, 1, &p, view_of(f.bytes, f.n));
			side_at(&s, 6 * SEC);
			cr_expect(!side_out(&s, 4, &out), "no cut-through: it is promised");
			expect_said(&s, 1, NULL);
			side_commit(&s, 0);
			cr_expect_eq(count(&s, EV_tunnel_told), 1);
			later(&s);
			expect_said(&s, 1, rows[i].answer);
			cr_expect_eq(side_out(&s, 4, &out), !local);
			side_fini(&s);
		}
}

/* Number 0 asks for no answer, and goes through at once. */
Test(answer, unasked)
{
	struct bundle_spec spec = hand_spec(4);
	struct flight out;
	struct side s;

	far_init(&s);
	far_start(&s);
	give_spec(&s, 0, &spec);
	cr_expect(side_out(&s, 4, &out));
	later(&s);
	expect_said(&s, 1, NULL);
	side_fini(&s);
}

/* bibect, encoding: 1 to 5, and 9 and 10, in one signal; another answer in another. */
Test(answer, runs)
{
	static const uint64_t ids[] = {3, 10, 1, 2, 9, 5, 4};
	struct bundle_spec null = hand_spec(4);
	struct side s;

	far_init(&s);
	far_start(&s);
	for (size_t i = 0; i < 7; i++) {
		struct bundle_spec spec = hand_spec(4);

		give_spec(&s, ids[i], &spec);
	}
	null.dest = eid_null();
	give_spec(&s, 11, &null);
	side_commit(&s, 0);
	later(&s);
	expect_said(&s, 1, "8208820082820105820902");
	expect_said(&s, 1, "8208820581820b01");
	expect_said(&s, 1, NULL);
	cr_expect_eq(count(&s, EV_tunnel_signal_tx), 2);
	side_fini(&s);
}

/* As many as custody.signal_count at once. */
Test(answer, by_count)
{
	struct side s;

	far_init(&s);
	far_start(&s);
	for (uint64_t id = 1; id <= 10; id++) {
		struct bundle_spec spec = hand_spec(4);

		give_spec(&s, id, &spec);
	}
	side_commit(&s, 0);
	expect_said(&s, 1, "820882008182010a");
	side_fini(&s);
}

/* Before the sender gives up, whichever unit its record counts in; a time that makes no sense does not matter. */
Test(answer, in_time)
{
	static const struct {
		uint64_t when;
		mono by;
	} rows[] = {{0, 5 * SEC}, {KIT_DTN + 4000, 2 * SEC}, {KIT_DTN / 1000 + 946684804, 2 * SEC},
		{KIT_DTN + 1000, 1}, {KIT_DTN + 60000, 5 * SEC}, {KIT_DTN - 1, 5 * SEC},
		{UINT64_MAX, 5 * SEC}, {5, 5 * SEC}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bundle_spec spec = hand_spec(4);
		struct bpdu p = {.type = BIBE_NEW, .id = 5, .when = rows[i].when};
		struct flight f;
		struct side s;

		far_init(&s);
		far_start(&s);
		hand_make(&f, &spec, view_text("data"));
		give(&s, 1, &p, view_of(f.bytes, f.n));
		side_commit(&s, 0);
		cr_expect_eq(agent_deadline(s.agent), rows[i].by, "row %zu: %lld", i,
			(long long)agent_deadline(s.agent));
		side_at(&s, rows[i].by);
		expect_said(&s, 1, "8219fbbc820081820501");
		side_fini(&s);
	}
}

/* What was not taken, and what is said of it. */
Test(answer, refused)
{
	enum { NULL_DEST, ADMIN_DEST, HOPS, EXPIRED, BLOCKS, DELETE_ME, BAD, LARGE, FULL, ROWS };
	static const char *const answer[ROWS] = {"8208820581820501", "8208820581820501",
		"8208820681820501", "8208820781820501", "8208820881820501", "8208820881820501",
		"8208820881820501", "8208820481820501", "8208820481820501"};

	for (unsigned i = 0; i < ROWS; i++) {
		struct bundle_spec spec = hand_spec(4);
		struct bpdu p = {.type = BIBE_ION, .id = 5};
		uint8_t data[1100] = {0};
		struct flight f;
		struct side s;

		far_init(&s);
		if (i == FULL)
			s.cfg.max_bundles = 16;
		if (i == BLOCKS)
			s.cfg.max_blocks = 1;
		far_start(&s);
		if (i == FULL)
			side_fill(&s, 9, false);
		side_commit(&s, 0);
		if (i == NULL_DEST)
			spec.dest = eid_null();
		if (i == ADMIN_DEST)
			spec.dest = eid_ipn(2, 0);
		if (i == HOPS || i == BLOCKS) {
			spec.has_hop = true;
			spec.hop_limit = spec.hop_count = i == HOPS ? 3 : 1;
			spec.hop_limit += i == BLOCKS;
		}
		if (i == EXPIRED)
			spec.created_ms = KIT_DTN - 2 * HOUR_MS;
		hand_make(&f, &spec, view_of(data, i == LARGE ? 1100 : 4));
		if (i == BAD)
			f.bytes[f.n / 2] ^= 1;
		if (i == DELETE_ME) {
			/* block type 200, delete the bundle if it can't be processed */
			static const uint8_t block[] = {0x85, 0x18, 200, 7, 4, 0, 0x40};
			struct bundle b;

			hand_read(&f, &b);
			size_t at = (size_t)(b.head.p - f.bytes) + 1 + b.primary.n;

			memmove(f.bytes + at + sizeof block, f.bytes + at, f.n - at);
			memcpy(f.bytes + at, block, sizeof block);
			f.n += sizeof block;
		}
		give(&s, 1, &p, view_of(f.bytes, f.n));
		later(&s);
		expect_said(&s, 1, answer[i]);
		cr_expect_eq(count(&s, EV_tunnel_told), 1, "row %u", i);
		side_fini(&s);
	}
}

/* Who is no peer gets no answer. */
Test(answer, no_peer)
{
	struct bundle_spec spec = hand_spec(4);
	struct bpdu p = {.type = BIBE_ION, .id = 5};
	struct flight f;
	struct side s;

	far_init(&s);
	far_start(&s);
	hand_make(&f, &spec, view_text("data"));
	give(&s, 4, &p, view_of(f.bytes, f.n));
	later(&s);
	cr_expect_eq(count(&s, EV_tunnel_told), 0);
	expect_said(&s, 4, NULL);
	side_fini(&s);
}

/* Its batch fails: it was never taken, and that is said. */
Test(answer, commit_failed)
{
	struct bundle_spec spec = hand_spec(4);
	struct side s;

	far_init(&s);
	far_start(&s);
	give_spec(&s, 5, &spec);
	side_commit(&s, -ENOSPC);
	cr_expect_eq(stats(&s).n_bundles, 1);
	later(&s);
	expect_said(&s, 1, "8208820481820501");
	give_spec(&s, 6, &spec);
	side_commit(&s, 0);
	later(&s);
	expect_said(&s, 1, "8208820081820601");
	side_fini(&s);
}

/* It is here: answered again when it is durable; it was passed on and comes again: a new bundle. */
Test(answer, known)
{
	struct bundle_spec spec = hand_spec(4);
	struct flight f;
	struct side s;

	far_init(&s);
	s.cfg.signal_delay_us = 0;
	far_start(&s);
	agent_contact(s.agent, 0, (unsigned)agent_neighbour(s.agent, 4), false, 0);
	give_spec(&s, 5, &spec);
	give_spec(&s, 6, &spec);
	side_at(&s, 0);
	expect_said(&s, 1, NULL);
	side_commit(&s, 0);
	side_at(&s, 0);
	expect_said(&s, 1, "8208820081820501");
	expect_said(&s, 1, "8208820381820601");
	give_spec(&s, 7, &spec);
	side_at(&s, 0);
	expect_said(&s, 1, "8208820381820701");
	cr_expect(side_out(&s, 4, &f), "once");
	cr_expect(!side_out(&s, 4, &f));
	side_commit(&s, 0);
	give_spec(&s, 8, &spec);
	side_commit(&s, 0);
	side_at(&s, 0);
	expect_said(&s, 1, "8208820081820801");
	cr_expect(side_out(&s, 4, &f), "whoever brought it has deleted it");
	side_fini(&s);
}

/* The first one's batch fails: the second, which relied on it, is not answered. */
Test(answer, known_failed)
{
	struct bundle_spec spec = hand_spec(4);
	struct side s;

	far_init(&s);
	s.cfg.signal_delay_us = 0;
	far_start(&s);
	give_spec(&s, 5, &spec);
	give_spec(&s, 6, &spec);
	side_commit(&s, -ENOSPC);
	side_at(&s, 0);
	side_commit(&s, 0);
	side_at(&s, 0);
	expect_said(&s, 1, "8208820481820501");
	expect_said(&s, 1, NULL);
	side_fini(&s);
}

/* Delivered and acknowledged here: redundant. */
Test(answer, delivered)
{
	struct bundle_spec spec = hand_spec(2);
	struct side s;
	uint32_t r;

	far_init(&s);
	s.cfg.signal_delay_us = 0;
	far_start(&s);
	r = side_register(&s, 5, 4);
	side_commit(&s, 0);
	side_listen(&s);
	give_spec(&s, 5, &spec);
	side_commit(&s, 0);
	side_listen(&s);
	cr_assert_eq(heard(&s, AGENT_DELIVERY), 1);
	cr_assert_eq(agent_ack(s.agent, 0, r, s.last_id), 0);
	give_spec(&s, 6, &spec); /* the acknowledgement is not durable yet */
	side_commit(&s, 0);
	side_listen(&s);
	give_spec(&s, 7, &spec);
	side_at(&s, 0);
	side_at(&s, 0);
	expect_said(&s, 1, "8208820081820501");
	expect_said(&s, 1, "8208820381820701");
	side_listen(&s);
	cr_expect_eq(heard(&s, AGENT_DELIVERY), 1);
	side_fini(&s);
}

/* What is done with at once is answered when what that made is durable: an echo, a record for us. */
Test(answer, done_with)
{
	struct bundle_spec echo = hand_spec(2), record = hand_spec(2);
	struct side s;

	far_init(&s);
	far_start(&s);
	echo.dest = eid_ipn(2, 7);
	record.dest = eid_ipn(2, 0);
	record.flags = BUNDLE_ADMIN;
	record.report_to = eid_null();
	give_spec(&s, 5, &echo);
	give_spec(&s, 6, &record); /* nobody can read it, but it has arrived */
	cr_expect_eq(count(&s, EV_tunnel_told), 0);
	side_commit(&s, 0);
	cr_expect_eq(count(&s, EV_tunnel_told), 2);
	side_fini(&s);
}

/* Custody of the bundle inside and the tunnel's are two things: both are answered. */
Test(answer, custody_inside)
{
	struct bundle_spec spec = hand_spec(4);
	struct flight f;
	struct side s;

	far_init(&s);
	far_start(&s);
	spec.flags = BUNDLE_NO_FRAGMENT;
	spec.has_cteb = true;
	spec.cteb = (struct cteb){.seq_no = 3, .seq_id = 1, .custodian = eid_ipn(1, 0)};
	give_spec(&s, 5, &spec);
	give_spec(&s, 6, &spec); /* the same pair, not durable */
	side_commit(&s, 0);
	give_spec(&s, 7, &spec); /* the same pair again */
	spec.cteb.seq_no = 4;
	give_spec(&s, 8, &spec); /* it comes back under another */
	side_commit(&s, 0);
	cr_expect_eq(count(&s, EV_custody_signalled), 3);
	cr_expect_eq(count(&s, EV_tunnel_told), 4);
	later(&s);
	cr_expect(side_out(&s, 1, &f), "the custody signal");
	expect_said(&s, 1, "8208820081820501");
	expect_said(&s, 1, "8208820381820603");
	side_fini(&s);
}

/* A crash before the commit: no answer, the sender sends again; after it: the answer may be lost, too. */
Test(answer, crash)
{
	for (int committed = 0; committed < 2; committed++) {
		struct bundle_spec spec = hand_spec(4);
		struct side s;

		far_init(&s);
		far_start(&s);
		agent_contact(s.agent, 0, (unsigned)agent_neighbour(s.agent, 4), false, 0);
		give_spec(&s, 5, &spec);
		if (committed)
			side_commit(&s, 0);
		side_crash(&s, false, hand_neighbours, 3);
		cr_expect_eq(stats(&s).n_bundles, 1 + (unsigned)committed);
		give_spec(&s, 6, &spec);
		side_commit(&s, 0);
		later(&s);
		expect_said(&s, 1, committed ? "8208820381820601" : "8208820081820601");
		side_fini(&s);
	}
}

/* The last answers leave before the node stops. */
Test(answer, drain)
{
	struct bundle_spec spec = hand_spec(4);
	struct side s;

	far_init(&s);
	far_start(&s);
	give_spec(&s, 5, &spec);
	cr_expect(!agent_drain(s.agent, s.now));
	side_commit(&s, 0);
	(void)agent_drain(s.agent, s.now);
	side_commit(&s, 0);
	cr_expect(agent_drain(s.agent, s.now));
	expect_said(&s, 1, "8208820081820501");
	side_fini(&s);
}

/* No range of a signal holds the last number: no answer, and the bundle is taken all the same. */
Test(answer, the_last_number)
{
	struct bundle_spec spec = hand_spec(3);
	struct side s;

	far_init(&s);
	far_start(&s);
	give_spec(&s, UINT64_MAX, &spec);
	side_commit(&s, 0);
	later(&s);
	expect_said(&s, 1, NULL);
	cr_assert_eq(agent_queued(s.agent, (unsigned)agent_neighbour(s.agent, 3)), 1);
	side_fini(&s);
}
