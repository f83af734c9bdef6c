/* Custody of what is done with at once: records for this node and echoes; and of records with a bundle inside.
 * Node 2; custody is asked for by node 1, or by one beyond it. RFC 9171 5.7, 6; CCSDS 734.6, procedures. */
#include "bundle/bibe.h"
#include "tests/unit/agent/hand.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct bundle_spec record_spec(uint64_t seq_no)
{
	struct bundle_spec spec = hand_spec(2);

	spec.source = eid_ipn(1, 0);
	spec.dest = eid_ipn(2, 0);
	spec.report_to = eid_null();
	spec.flags = BUNDLE_ADMIN | BUNDLE_NO_FRAGMENT;
	spec.has_cteb = true;
	spec.cteb = (struct cteb){.seq_no = seq_no, .seq_id = 1, .custodian = eid_ipn(1, 0)};
	return spec;
}

static void node_init(struct side *s)
{
	side_init(s, 2, hand_neighbours, 3, NODE_NONE);
	trace_fini(&s->trace);
	cr_assert_eq(trace_init(&s->trace, 1024), 0);
	s->cfg.signal_delay_us = 0;
	s->cfg.bibe.n_peers = 1;
	strcpy(s->cfg.bibe.peer[0].text, "ipn:1.*");
	s->cfg.bibe.max_bytes = 1000;
	s->cfg.bibe.max_depth = 2;
	side_start(s, hand_neighbours, 3);
	cr_assert_eq(side_send(s, 2, 99, HOUR_MS, false), 0); /* takes the first block of numbers */
	side_commit(s, 0);
	side_listen(s);
}

/* A record with this bundle inside, under a number of a tunnel, 0: none. */
static void wrap(struct flight *f, const struct bundle_spec *around, uint64_t id,
	const struct flight *inside)
{
	struct bpdu p = {.type = BIBE_ION, .id = id};
	uint8_t room[4096];
	struct buf b = buf_of(room, sizeof room);

	bpdu_write_head(&b, &p, inside->n);
	buf_put(&b, view_of(inside->bytes, inside->n));
	hand_make(f, around, buf_view(&b));
}

/* The next record for node 1 has these bytes; NULL: there is none. */
static void expect_said(struct side *s, const char *hex)
{
	struct flight f;
	struct bundle b;
	char text[256] = "";

	side_at(s, s->now);
	if (!side_out(s, 1, &f)) {
		cr_expect_null(hex, "nothing was said");
		return;
	}
	hand_read(&f, &b);
	for (size_t i = 0; i < b.payload.n && i < 100; i++)
		snprintf(text + 2 * i, 3, "%02x", b.payload.p[i]);
	cr_expect_str_eq(text, hex ? hex : "nothing");
}

/* A record, readable or not, is delivered by being read: accepted when that is durable, again under the same
 * pair, and still known after a restart. A bundle that is no record can't be delivered: refused. */
Test(custody_admin, answered)
{
	static const struct {
		const char *payload; /* of 4 bytes */
		uint64_t flags, service;
		const char *said;
	} rows[] = {
		{"\x82\x0d\xa0\xf6", BUNDLE_ADMIN, 0,
			"820da10181830106"
			"01"},
		{"data", BUNDLE_ADMIN, 0,
			"820da10181830106"
			"01"},
		{"data", 0, 0, "820da1208183010601"},
		{"data", 0, 7,
			"820da10181830106"
			"01"},
		{"data", BUNDLE_ADMIN, 7, "820da1208183010601"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bundle_spec spec = record_spec(6);
		bool is_good = strstr(rows[i].said, "a101") != NULL;
		struct flight f;
		struct side s;

		node_init(&s);
		spec.flags = rows[i].flags | BUNDLE_NO_FRAGMENT;
		spec.dest = eid_ipn(2, rows[i].service);
		spec.source = eid_ipn(1, rows[i].service);
		hand_make(&f, &spec, view_of((const uint8_t *)rows[i].payload, 4));
		side_in(&s, 1, &f);
		cr_expect_eq(count(&s, EV_custody_signalled), !is_good, "row %zu: early", i);
		side_in(&s, 1, &f); /* it is on its way to the disk, or refused once more */
		side_commit(&s, 0);
		cr_expect_eq(count(&s, EV_custody_signalled), is_good ? 1 : 2, "row %zu", i);
		side_at(&s, s.now);
		side_commit(&s, 0);
		expect_said(&s, rows[i].said);
		side_crash(&s, false, hand_neighbours, 3);
		side_in(&s, 1, &f);
		side_commit(&s, 0);
		expect_said(&s, rows[i].said);
		side_fini(&s);
	}
}

/* A signal in custody: what it releases is released once, and custody of it is accepted in the batch that says so;
 * when that fails, with the next one. */
Test(custody_admin, signal_in_custody)
{
	struct bundle_spec spec = record_spec(6);
	struct flight data, f;
	struct side s;

	node_init(&s);
	cr_assert_eq(side_send(&s, 1, 5, HOUR_MS, true), 0);
	side_commit(&s, 0);
	cr_assert(side_out(&s, 1, &data));
	hand_make(&f, &spec, view_of((const uint8_t *)"\x82\x0d\xa1\x01\x81\x83\x01\x00\x01", 9));
	side_in(&s, 1, &f);
	cr_expect_eq(count(&s, EV_custody_released), 1);
	cr_expect_eq(count(&s, EV_custody_signalled), 0);
	side_commit(&s, -ENOSPC);
	cr_expect_eq(count(&s, EV_custody_signalled), 0);
	side_commit(&s, 0);
	cr_expect_eq(count(&s, EV_custody_signalled), 1);
	expect_said(&s, "820da1018183010601");
	side_fini(&s);
}

/* Of a record with a bundle inside custody is accepted when that is durable here, else refused: then its custodian
 * still has it. What the tunnel asks for itself is answered by its own signal. */
Test(custody_admin, bundle_inside)
{
	enum { GOOD, FAILED, FULL, NO_PEER, NUMBERED };
	static const char accepted[] = "820da1018183010601", refused[] = "820da1208183010601";
	static const char *said[] = {accepted, refused, refused, refused, accepted};

	for (int i = GOOD; i <= NUMBERED; i++) {
		struct bundle_spec around = record_spec(6), inside = hand_spec(4);
		struct flight in, f;
		struct side s;

		node_init(&s);
		agent_contact(s.agent, 0, (unsigned)agent_neighbour(s.agent, 4), false, 0);
		if (i == NO_PEER)
			around.source = eid_ipn(3, 0);
		if (i == FULL)
			side_fill(&s, 4, true);
		hand_make(&in, &inside, view_text("data"));
		wrap(&f, &around, i == NUMBERED ? 9 : 0, &in);
		side_in(&s, 1, &f);
		cr_expect_eq(
			count(&s, EV_custody_signalled), i == FULL || i == NO_PEER, "row %d", i);
		side_commit(&s, i == FAILED ? -ENOSPC : 0);
		side_at(&s, s.now);
		side_commit(&s, 0);
		cr_expect_eq(stats(&s).n_bundles,
			i == FAILED || i == NO_PEER ? 2
			: i == FULL                 ? 60 + 1
			: i == NUMBERED             ? 4
						    : 3,
			"row %d: %zu", i, (size_t)stats(&s).n_bundles);
		expect_said(&s, said[i]);
		expect_said(&s, i == NUMBERED ? "8208820081820901" : NULL);
		side_fini(&s);
	}
}

/* The same record again, and the same bundle in another one: accepted once it is durable, kept once. Was it let go
 * of meanwhile, it is taken anew: whoever brought it relies on us. */
Test(custody_admin, bundle_inside_again)
{
	struct bundle_spec first = record_spec(6), other = record_spec(7), inside = hand_spec(4);
	struct flight in, f, g, out;
	struct side s;

	node_init(&s);
	agent_contact(s.agent, 0, (unsigned)agent_neighbour(s.agent, 4), false, 0);
	hand_make(&in, &inside, view_text("data"));
	wrap(&f, &first, 0, &in);
	wrap(&g, &other, 0, &in);
	side_in(&s, 1, &f);
	side_in(&s, 1, &f);
	side_in(&s, 1, &g);
	cr_expect_eq(count(&s, EV_custody_signalled), 0);
	side_commit(&s, 0);
	cr_expect_eq(count(&s, EV_custody_signalled), 3);
	side_at(&s, s.now);
	side_commit(&s, 0);
	agent_contact(s.agent, 0, (unsigned)agent_neighbour(s.agent, 4), true, MONO_NEVER);
	agent_changed(s.agent, 0);
	cr_expect(side_out(&s, 4, &out));
	cr_expect(!side_out(&s, 4, &out), "once");
	side_commit(&s, 0);
	side_in(&s, 1, &g);
	side_commit(&s, 0);
	cr_expect(side_out(&s, 4, &out), "taken anew");
	side_fini(&s);
}

/* In a tunnel with custody a record that carries a bundle is answered as that is, not as the record. */
Test(custody_admin, nested)
{
	for (int fails = 0; fails < 2; fails++) {
		struct bundle_spec outer = record_spec(6), middle = record_spec(7);
		struct bundle_spec inside = hand_spec(4);
		struct flight in, mid, f;
		struct side s;

		node_init(&s);
		outer.has_cteb = middle.has_cteb = false;
		agent_contact(s.agent, 0, (unsigned)agent_neighbour(s.agent, 4), false, 0);
		hand_make(&in, &inside, view_text("data"));
		wrap(&mid, &middle, 0, &in);
		wrap(&f, &outer, 5, &mid);
		side_in(&s, 1, &f);
		side_commit(&s, fails ? -ENOSPC : 0);
		side_at(&s, s.now);
		side_commit(&s, 0);
		expect_said(&s, fails ? "8208820481820501" : "8208820081820501");
		expect_said(&s, NULL);
		side_fini(&s);
	}
}
