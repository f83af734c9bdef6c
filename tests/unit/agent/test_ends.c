/* Where custody, pieces, security and known bundles meet: nothing is stuck, forgotten or told wrong. */
#include "tests/unit/agent/hand.h"

#include "bundle/bpsec.h"

#include <criterion/criterion.h>

#define DAY_MS (24 * HOUR_MS)

/* A custody block that a BIB speaks of can't be changed without breaking that: who asks stays custodian. */
Test(ends, a_custody_block_that_is_signed)
{
	struct bundle_spec spec = hand_spec(3);
	uint8_t asb_room[64];
	struct buf asb = buf_of(asb_room, sizeof asb_room), out;
	struct flight plain, f;
	struct bundle x;
	struct side s;
	const struct block *k;
	/* targets [custody block], context 1, no parameters, source ipn:1.0, one result */
	static const uint8_t tail[] = {
		0x01, 0x00, 0x82, 0x02, 0x82, 0x01, 0x00, 0x81, 0x81, 0x82, 0x01, 0x44, 1, 2, 3, 4};

	hand_relay(&s);
	spec.has_cteb = true;
	spec.cteb = (struct cteb){.seq_no = 7, .seq_id = 4, .custodian = eid_ipn(1, 0)};
	hand_make(&plain, &spec, view_text("four"));
	hand_read(&plain, &x);
	k = bundle_block(&x, custody_codes_ccsds().cteb_type);
	cr_assert(k);
	buf_u8(&asb, 0x81);
	cr_assert_lt(k->number, 24);
	buf_u8(&asb, (uint8_t)k->number);
	buf_put(&asb, view_of(tail, sizeof tail));
	out = buf_of(f.bytes, sizeof f.bytes);
	buf_put(&out, view_of(plain.bytes, (size_t)(x.block[0].whole.p - plain.bytes)));
	/* [11, 9, 0, no CRC, bytes] */
	buf_put(&out, view_of((const uint8_t[]){0x85, 0x0b, 0x09, 0x00, 0x00}, 5));
	buf_u8(&out, (uint8_t)(0x40 + asb.len));
	cr_assert_lt(asb.len, 24);
	buf_put(&out, buf_view(&asb));
	buf_put(&out,
		view_of(x.block[0].whole.p, plain.n - (size_t)(x.block[0].whole.p - plain.bytes)));
	f.n = out.len;
	side_in(&s, 1, &f);
	side_commit(&s, 0);
	side_commit(&s, 0);
	cr_assert_eq(count(&s, EV_bundle_rejected), 0);
	cr_assert_eq(count(&s, EV_custody_taken), 0);
	cr_assert(side_out(&s, 3, &f));
	hand_read(&f, &x);
	cr_assert_eq(x.cteb.custodian.node, 1);
	cr_assert_eq(x.cteb.seq_no, 7);
	side_fini(&s);
}

/* A piece of a bundle has left when the bundle comes again and asks for custody: all of it leaves then. */
Test(ends, custody_of_what_left_in_pieces)
{
	static char payload[400];
	struct bundle_spec spec = hand_spec(3);
	uint8_t room[4096];
	struct buf b = buf_of(room, sizeof room);
	struct agent_offer o = {.max_bytes = 250, .max_ever = 4096, .room = &b};
	struct flight f;
	struct bundle x;
	struct side s;

	hand_relay(&s);
	hand_make(&f, &spec, view_of((uint8_t *)payload, sizeof payload));
	side_in(&s, 1, &f);
	o.neighbour = (unsigned)agent_neighbour(s.agent, 3);
	cr_assert(agent_next(s.agent, s.now, &o), "a piece fits");
	agent_sent(s.agent, s.now, &(struct agent_sent){.id = o.id, .tx_end = s.now});
	agent_contact(s.agent, s.now, o.neighbour, false, 0);
	side_commit(&s, 0);
	spec.has_cteb = true;
	spec.cteb = (struct cteb){.seq_no = 7, .seq_id = 4, .custodian = eid_ipn(1, 0)};
	hand_make(&f, &spec, view_of((uint8_t *)payload, sizeof payload));
	side_in(&s, 1, &f);
	side_commit(&s, 0);
	side_commit(&s, 0);
	cr_assert_eq(count(&s, EV_custody_taken), 1);
	agent_contact(s.agent, s.now, o.neighbour, true, MONO_NEVER);
	agent_changed(s.agent, s.now);
	cr_assert(side_out(&s, 3, &f), "it is in our custody and never leaves");
	hand_read(&f, &x);
	cr_assert_eq(x.payload.n, sizeof payload);
	cr_assert(x.has_cteb);
	cr_assert_eq(x.cteb.custodian.node, 2);
	side_fini(&s);
}

/* Our own limit (agent.max_lifetime) ends bundles here and not elsewhere: a copy that comes when the limit is
 * over is no new bundle. */
Test(ends, a_copy_after_the_override)
{
	struct bundle_spec spec = hand_spec(2);
	struct flight f;
	struct side s;
	uint32_t r;

	side_init(&s, 2, hand_neighbours, 3, NODE_NONE);
	s.cfg.max_lifetime_us = 2 * 3600 * SEC;
	side_start(&s, hand_neighbours, 3);
	r = side_register(&s, 5, 1);
	spec.lifetime_ms = DAY_MS;
	hand_make(&f, &spec, view_text("once"));
	side_in(&s, 1, &f);
	side_commit(&s, 0);
	side_listen(&s);
	cr_assert_eq(heard(&s, AGENT_DELIVERY), 1);
	cr_assert_eq(agent_ack(s.agent, s.now, r, s.last_id), 0);
	side_commit(&s, 0);
	side_listen(&s);
	for (unsigned h = 1; h < 23; h++) {
		side_at(&s, h * 3600 * SEC);
		side_in(&s, 1, &f);
		side_commit(&s, 0);
		side_listen(&s);
		cr_assert_eq(heard(&s, AGENT_DELIVERY), 1, "delivered again after %u h", h);
	}
	side_fini(&s);
}

/* A copy that says less of its age, because somebody on its way did not count: it is known as long as it can
 * be alive. */
Test(ends, a_copy_that_is_younger)
{
	struct bundle_spec spec = hand_spec(2);
	struct flight f;
	struct side s;
	uint32_t r;

	hand_relay(&s);
	r = side_register(&s, 5, 1);
	spec.created_ms = 0;
	spec.has_age = true;
	spec.age_ms = HOUR_MS / 2;
	hand_make(&f, &spec, view_text("once"));
	side_in(&s, 1, &f);
	side_commit(&s, 0);
	side_listen(&s);
	cr_assert_eq(agent_ack(s.agent, s.now, r, s.last_id), 0);
	side_commit(&s, 0);
	side_listen(&s);
	side_at(&s, 2400 * SEC);
	spec.age_ms = HOUR_MS / 2 + 1000;
	hand_make(&f, &spec, view_text("once"));
	side_in(&s, 1, &f);
	side_commit(&s, 0);
	side_listen(&s);
	cr_assert_eq(heard(&s, AGENT_DELIVERY), 1, "delivered twice");
	side_fini(&s);
}

/* As many rows as there may be: what is acknowledged is still known after a restart. */
Test(ends, an_acknowledgement_when_rows_are_full)
{
	struct side s;
	struct flight f;
	uint32_t r;

	side_init(&s, 2, hand_neighbours, 3, NODE_NONE);
	s.limits.max_rows = 8;
	side_start(&s, hand_neighbours, 3);
	r = side_register(&s, 5, 1);
	for (unsigned i = 0; i < 20; i++) {
		struct bundle_spec spec = hand_spec(2);

		spec.lifetime_ms += i * 1000;
		hand_make(&f, &spec, view_text("once"));
		side_in(&s, 1, &f);
		side_commit(&s, 0);
		side_listen(&s);
		cr_assert_eq(heard(&s, AGENT_DELIVERY), i + 1);
		cr_assert_eq(agent_ack(s.agent, s.now, r, s.last_id), 0);
		side_commit(&s, 0);
		side_listen(&s);
	}
	cr_assert_eq(heard(&s, AGENT_ACKED), 20);
	cr_assert_gt(stats(&s).n_evicted, 0, "and those that went for it are counted");
	side_crash(&s, false, hand_neighbours, 3);
	side_register(&s, 5, 1);
	side_in(&s, 1, &f);
	side_commit(&s, 0);
	side_listen(&s);
	cr_assert_eq(heard(&s, AGENT_DELIVERY), 20, "the last one is delivered twice");
	side_fini(&s);
}

/* Its bytes turn out to be damaged while its acknowledgement is being made durable: it is delivered all the same, and
 * not again when it comes under another pair. */
Test(ends, damaged_while_acknowledged)
{
	struct bundle_spec spec = hand_spec(2);
	struct side s;
	uint32_t r;

	hand_relay(&s);
	r = side_register(&s, 5, 1);
	spec.has_cteb = true;
	for (unsigned i = 0; i < 2; i++) {
		spec.cteb = (struct cteb){.seq_no = i, .seq_id = 4, .custodian = eid_ipn(1, 0)};
		hand_in(&s, &spec);
		side_commit(&s, 0);
		side_listen(&s);
		cr_assert_eq(heard(&s, AGENT_DELIVERY), 1, "delivered twice");
		if (i > 0)
			break;
		cr_assert_eq(agent_ack(s.agent, s.now, r, s.last_id), 0);
		store_spoil(s.store, s.last_id);
		side_at(&s, SEC);
		side_commit(&s, 0);
		side_listen(&s);
		cr_assert_eq(heard(&s, AGENT_ACKED), 1);
		cr_assert_eq(count(&s, EV_bundle_deleted), 0, "delivered and deleted");
	}
	side_fini(&s);
}
