/* Reassembly, reassemble.c: RFC 9171 5.9; fragments in any order and overlap, limits, restarts. */
#include "tests/unit/agent/kit.h"

#include "bundle/base/rng.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const node_id n1[] = {1};
static uint8_t data[3000];

struct part {
	uint64_t off, n, total, seq;
	node_id to;
	uint64_t service;
	uint64_t lifetime_ms;
	uint8_t flip; /* other bytes than data */
};

static void open_side(struct side *s)
{
	struct rng r;

	rng_init(&r, 5, 5);
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)rng_u64(&r);
	side_init(s, 2, n1, 1, 1);
	side_start(s, n1, 1);
}

static struct part part_of(uint64_t off, uint64_t n, uint64_t total)
{
	return (struct part){.off = off,
		.n = n,
		.total = total,
		.seq = 3,
		.to = 2,
		.service = 5,
		.lifetime_ms = HOUR_MS};
}

/* n == total: the whole bundle. */
static void make(struct flight *f, const struct part *p)
{
	struct buf out = buf_of(f->bytes, sizeof f->bytes);
	uint8_t bytes[3000];
	struct bundle_spec spec = {.flags = p->n < p->total ? BUNDLE_FRAGMENT : 0,
		.crc_type = CRC_32C,
		.block_crc_type = CRC_32C,
		.dest = eid_ipn(p->to, p->service),
		.source = eid_ipn(1, 9),
		.report_to = eid_null(),
		.created_ms = KIT_DTN,
		.seq = p->seq,
		.lifetime_ms = p->lifetime_ms,
		.frag_off = p->off,
		.total_len = p->total};

	for (uint64_t i = 0; i < p->n; i++)
		bytes[i] = data[p->off + i] ^ p->flip;
	cr_assert_eq(bundle_build(&out, &spec, view_of(bytes, p->n)), 0);
	f->n = out.len;
}

static void arrive(struct side *s, const struct part *p)
{
	struct flight f;

	make(&f, p);
	side_in(s, 1, &f);
}

/* [off, off + n) of `total` arrives. */
static void in(struct side *s, uint64_t off, uint64_t n, uint64_t total)
{
	struct part p = part_of(off, n, total);

	arrive(s, &p);
}

/* What was handed over, read in pieces of `step`. */
static void expect_bytes(struct side *s, uint32_t r, uint64_t total, uint64_t step)
{
	uint64_t at = 0;
	struct view v;

	while (at < total) {
		cr_assert_eq(agent_read(s->agent, r, s->last_id, at, step, &v), 0);
		cr_assert(v.n > 0 && v.n <= step && v.n <= total - at);
		cr_assert_eq(memcmp(v.p, data + at, v.n), 0, "bytes at %d", (int)at);
		at += v.n;
	}
	cr_assert_eq(agent_read(s->agent, r, s->last_id, total, step, &v), 0);
	cr_assert_eq(v.n, 0);
	cr_assert_eq(agent_read(s->agent, r, s->last_id, total + 1, step, &v), -E_RANGE);
}

static bool next_delivery(struct side *s, struct agent_event *ev)
{
	bool got = false;

	s->heard = 0;
	while (!got && agent_event(s->agent, s->now, ev))
		got = ev->type == AGENT_DELIVERY;
	if (got)
		s->last_id = ev->id;
	return got;
}

/* RFC 9171 5.7-1, 5.7-1/d1, 5.7-1/2, 5.7-1/2b, 5.9/d2, 5.9/1, 5.9/2: whole when they join; it goes by the
 * name of the fragment at offset 0. */
Test(reassemble, any_order)
{
	static const uint64_t order[][3] = {
		{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	for (size_t k = 0; k < 6; k++) {
		struct agent_event ev;
		struct side s;
		uint64_t id;
		uint32_t r;

		open_side(&s);
		r = side_register(&s, 5, 1);
		for (size_t i = 0; i < 3; i++) {
			cr_assert_not(next_delivery(&s, &ev));
			in(&s, order[k][i] * 400, order[k][i] == 2 ? 200 : 400, 1000);
			cr_assert_not(next_delivery(&s, &ev), "before its commit");
			side_commit(&s, 0);
			cr_assert_eq(stats(&s).n_bundles, i + 1);
		}
		side_commit(&s, 0); /* "handed" is in the record */
		cr_assert(next_delivery(&s, &ev));
		cr_assert_eq(ev.size_bytes, 1000);
		cr_assert_eq(ev.payload.len, 0);
		id = ev.id;
		expect_bytes(&s, r, 1000, 64);
		expect_bytes(&s, r, 1000, 5000);
		cr_assert_eq(agent_ack(s.agent, s.now, r, id), 0);
		in(&s, 0, 400, 1000);
		cr_assert_eq(count(&s, EV_bundle_duplicate), 1, "acknowledged, not yet durable");
		cr_assert_eq(count(&s, EV_bundle_delivered), 0);
		side_commit(&s, 0);
		cr_assert_eq(count(&s, EV_bundle_delivered), 1);
		cr_assert_eq(count(&s, EV_bundle_released), 3);
		cr_assert_eq(stats(&s).n_bundles, 0);
		in(&s, 400, 400, 1000);
		in(&s, 0, 1000, 1000);
		cr_assert_eq(count(&s, EV_bundle_duplicate), 3, "delivered: late fragment, bundle");
		cr_assert_eq(stats(&s).n_tombstones, 1, "one for all");
		side_fini(&s);
	}
}

/* RFC 9171 5.9/d1: the byte that was received first stands. */
Test(reassemble, first_byte_stands)
{
	struct part p = part_of(300, 500, 1000);
	struct agent_event ev;
	struct side s;
	uint32_t r;

	open_side(&s);
	r = side_register(&s, 5, 1);
	in(&s, 0, 400, 1000);
	in(&s, 600, 400, 1000);
	p.flip = 0x55; /* 400 to 600 are new */
	for (size_t i = 400; i < 600; i++)
		data[i] ^= 0x55;
	p.flip = 0;
	arrive(&s, &p);
	p = part_of(500, 300, 1000);
	p.flip = 1;
	arrive(&s, &p); /* nothing new, and other bytes */
	cr_assert_eq(count(&s, EV_bundle_duplicate), 1);
	side_commit(&s, 0);
	side_commit(&s, 0);
	cr_assert(next_delivery(&s, &ev));
	for (size_t i = 0; i < 1000; i += 7) {
		struct view v;

		cr_assert_eq(agent_read(s.agent, r, ev.id, i, 1, &v), 0);
		cr_assert_eq(v.p[0], data[i], "byte %zu", i);
	}
	side_fini(&s);
}

/* The process dies anywhere: the same id again, marked, until the acknowledgement is durable. */
Test(reassemble, redelivered_with_the_same_id)
{
	struct agent_event ev;
	struct side s;
	uint64_t id;
	uint32_t r;

	open_side(&s);
	in(&s, 500, 500, 1000);
	side_commit(&s, 0);
	in(&s, 0, 500, 1000);
	side_crash(&s, false, n1, 1); /* its batch did not begin */
	cr_assert_eq(stats(&s).n_bundles, 1);
	in(&s, 0, 500, 1000);
	side_commit(&s, 0);
	side_crash(&s, false, n1, 1);
	r = side_register(&s, 5, 1);
	side_commit(&s, 0);
	cr_assert(next_delivery(&s, &ev));
	cr_assert_not(ev.redelivered);
	id = ev.id;
	for (int lost = 0; lost < 3; lost++) {
		cr_assert_eq(agent_ack(s.agent, s.now, r, id), 0);
		side_crash(&s, false, n1, 1);
		cr_assert_eq(stats(&s).n_bundles, 2);
		r = side_register(&s, 5, 1);
		side_commit(&s, 0);
		cr_assert(next_delivery(&s, &ev));
		cr_assert_eq(ev.id, id);
		cr_assert(ev.redelivered);
		cr_assert_eq(ev.size_bytes, 1000);
		expect_bytes(&s, r, 1000, 300);
	}
	cr_assert_eq(agent_ack(s.agent, s.now, r, id), 0);
	cr_assert(store_commit_begin(s.store) != NULL);
	side_crash(&s, true, n1, 1); /* the batch was written, nobody was told */
	cr_assert_eq(stats(&s).n_bundles, 0);
	in(&s, 0, 500, 1000);
	cr_assert_eq(count(&s, EV_bundle_duplicate), 1);
	side_fini(&s);
}

struct limit_case {
	const char *what;
	struct part p;
	uint64_t refused;
};

Test(reassemble, limits)
{
	struct side s;

	open_side(&s);
	s.cfg.max_adu_fragments = 3;
	s.cfg.max_adus = 2;
	s.cfg.max_adu_bytes = 2000;
	agent_free(s.agent);
	side_start(&s, n1, 1);
	in(&s, 0, 10, 1000);
	in(&s, 20, 10, 1001);
	cr_assert_eq(count(&s, EV_bundle_refused), 1, "another total length");
	in(&s, 20, 10, 1000);
	in(&s, 40, 10, 1000);
	in(&s, 60, 10, 1000);
	cr_assert_eq(count(&s, EV_bundle_refused), 2, "fragments");
	for (uint64_t seq = 10; seq < 13; seq++) {
		struct part p = part_of(0, 10, seq == 10 ? 2001 : 2000);

		p.seq = seq;
		arrive(&s, &p);
	}
	cr_assert_eq(count(&s, EV_bundle_refused), 4, "total length, data units");
	for (uint64_t seq = 20; seq < 22; seq++) {
		struct part p = part_of(0, 10, 100);

		p.seq = seq;
		arrive(&s, &p);
	}
	cr_assert_eq(count(&s, EV_bundle_refused), 6, "data units");
	cr_assert_eq(stats(&s).n_bundles, 4);
	in(&s, 0, 500, 500);
	cr_assert_eq(stats(&s).n_bundles, 5, "whole bundles come all the same");
	side_fini(&s);
}

/* The bundle itself comes while fragments of it wait. */
Test(reassemble, whole_bundle_wins)
{
	for (int late = 0; late < 2; late++) {
		struct agent_event ev;
		struct side s;
		uint32_t r;

		open_side(&s);
		r = side_register(&s, 5, 3);
		in(&s, 0, 400, 1000);
		side_commit(&s, 0);
		in(&s, 0, 1000, 1000);
		if (late == 0)
			in(&s, 400, 600, 1000); /* the same batch would make it whole twice */
		side_commit(&s, 0);
		side_commit(&s, 0);
		cr_assert(next_delivery(&s, &ev));
		cr_assert_eq(ev.payload.len, 1000);
		cr_assert_not(next_delivery(&s, &ev));
		cr_assert_eq(stats(&s).n_bundles, 1);
		in(&s, 400, 600, 1000);
		cr_assert_eq(stats(&s).n_bundles, 1);
		s.last_id = ev.id;
		expect_bytes(&s, r, 1000, 700);
		cr_assert_eq(agent_ack(s.agent, s.now, r, ev.id), 0);
		side_commit(&s, 0);
		in(&s, 400, 600, 1000);
		cr_assert_eq(stats(&s).n_bundles, 0);
		side_fini(&s);
	}
}

/* ... or after the fragments were whole: it is a duplicate of them. */
Test(reassemble, whole_bundle_after_all_fragments)
{
	struct side s;

	open_side(&s);
	in(&s, 0, 400, 1000);
	in(&s, 400, 600, 1000);
	side_commit(&s, 0);
	in(&s, 0, 1000, 1000);
	in(&s, 300, 200, 1000);
	cr_assert_eq(count(&s, EV_bundle_duplicate), 2);
	cr_assert_eq(count(&s, EV_adu_whole), 1);
	cr_assert_eq(stats(&s).n_bundles, 2);
	side_fini(&s);
}

Test(reassemble, time_runs_out)
{
	struct part p = part_of(0, 400, 1000);
	struct side s;

	open_side(&s);
	s.cfg.max_adu_us = 600 * SEC;
	agent_free(s.agent);
	side_start(&s, n1, 1);
	p.lifetime_ms = 20 * HOUR_MS;
	arrive(&s, &p);
	side_at(&s, 300 * SEC);
	p = part_of(600, 10, 1000);
	p.lifetime_ms = 20 * HOUR_MS;
	arrive(&s, &p);
	side_commit(&s, 0);
	side_crash(&s, false, n1, 1); /* counted from the first fragment, also then */
	cr_assert_eq(agent_deadline(s.agent), 600 * SEC);
	side_at(&s, 600 * SEC);
	cr_assert_eq(count(&s, EV_adu_given_up), 1);
	cr_assert_eq(count(&s, EV_bundle_deleted), 2);
	cr_assert_eq(stats(&s).n_bundles, 0);
	arrive(&s, &p);
	cr_assert_eq(count(&s, EV_bundle_duplicate), 1, "the rest is known as gone");
	side_fini(&s);
}

/* One fragment is older than the others: what it had brought first comes from another. */
Test(reassemble, one_fragment_expires)
{
	struct part p = part_of(0, 600, 1000);
	struct agent_event ev;
	struct side s;
	uint32_t r;

	open_side(&s);
	r = side_register(&s, 5, 1);
	p.lifetime_ms = 1000;
	arrive(&s, &p);
	in(&s, 300, 500, 1000);
	side_commit(&s, 0);
	side_at(&s, 2 * SEC);
	cr_assert_eq(count(&s, EV_bundle_deleted), 1);
	in(&s, 800, 200, 1000);
	in(&s, 0, 300, 1000);
	side_commit(&s, 0);
	side_commit(&s, 0);
	cr_assert(next_delivery(&s, &ev), "300 to 600 were in the second one, too");
	expect_bytes(&s, r, 1000, 1000);
	side_at(&s, (mono)HOUR_MS * US_PER_MS + 3 * SEC);
	cr_assert_eq(stats(&s).n_bundles, 0, "all of it expires with its head");
	cr_assert_eq(agent_ack(s.agent, s.now, r, ev.id), -E_UNKNOWN);
	side_fini(&s);
}

Test(reassemble, a_commit_fails)
{
	struct agent_event ev;
	struct side s;
	uint32_t r;

	open_side(&s);
	r = side_register(&s, 5, 1);
	in(&s, 0, 600, 1000);
	side_commit(&s, 0);
	in(&s, 600, 400, 1000);
	side_commit(&s, -ENOSPC);
	cr_assert_eq(stats(&s).n_bundles, 1);
	side_commit(&s, 0);
	cr_assert_not(next_delivery(&s, &ev));
	in(&s, 600, 400, 1000);
	side_commit(&s, 0);
	side_commit(&s, -ENOSPC);
	side_commit(&s, 0);
	cr_assert(next_delivery(&s, &ev));
	cr_assert_eq(agent_ack(s.agent, s.now, r, ev.id), 0);
	side_commit(&s, -ENOSPC);
	cr_assert_eq(count(&s, EV_bundle_delivered), 0);
	side_commit(&s, 0);
	cr_assert_eq(count(&s, EV_bundle_delivered), 1);
	cr_assert_eq(stats(&s).n_bundles, 0);
	side_fini(&s);
}

/* A custody signal and an echo request that were cut on the way. RFC 9713 4 */
Test(reassemble, for_the_node_itself)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct flight f, whole;
	struct part p = part_of(0, 300, 500);
	struct side s;
	struct bundle b;

	open_side(&s);
	p.service = 7;
	arrive(&s, &p);
	p.off = 300;
	p.n = 200;
	arrive(&s, &p);
	side_commit(&s, 0);
	cr_assert_eq(count(&s, EV_echo_answered), 1);
	side_commit(&s, 0);
	while (side_out(&s, 1, &f)) {
		cr_assert_eq(bundle_read(&b, view_of(f.bytes, f.n), &rules, &fault), 0);
		cr_assert_eq(b.payload.n, 500);
		cr_assert_eq(memcmp(b.payload.p, data, 500), 0);
	}
	signal_make(&whole, 1, 2, true, 1, (const uint64_t[2]){900, 3});
	cr_assert_eq(bundle_read(&b, view_of(whole.bytes, whole.n), &rules, &fault), 0);
	for (uint64_t off = 0; off < b.payload.n; off += 4) {
		struct buf out = buf_of(f.bytes, sizeof f.bytes);
		struct bundle_spec spec = {.flags = BUNDLE_ADMIN | BUNDLE_FRAGMENT,
			.crc_type = CRC_32C,
			.dest = eid_ipn(2, 0),
			.source = eid_ipn(1, 0),
			.report_to = eid_null(),
			.created_ms = b.created_ms,
			.seq = b.seq,
			.lifetime_ms = HOUR_MS,
			.frag_off = off,
			.total_len = b.payload.n};
		uint64_t n = b.payload.n - off < 4 ? b.payload.n - off : 4;

		cr_assert_eq(bundle_build(&out, &spec, view_of(b.payload.p + off, n)), 0);
		f.n = out.len;
		cr_assert_eq(count(&s, EV_custody_signal_rx), 0);
		side_in(&s, 1, &f);
	}
	side_commit(&s, 0);
	cr_assert_eq(count(&s, EV_custody_signal_rx), 1);
	side_commit(&s, 0);
	cr_assert_eq(stats(&s).n_bundles, 0);
	side_fini(&s);
}

/* Data in pieces from an application to one of the same node. */
Test(reassemble, from_this_node)
{
	struct agent_send a = {.source = eid_ipn(2, 9),
		.dest = eid_ipn(2, 5),
		.report_to = eid_null(),
		.lifetime_ms = HOUR_MS,
		.priority = 1,
		.crc_type = CRC_32C};
	struct view all;
	struct agent_event ev;
	struct side s;
	uint64_t number;
	uint32_t r;

	open_side(&s);
	all = view_of(data, 950);
	r = side_register(&s, 5, 1);
	cr_assert_eq(agent_send_open(s.agent, s.now, &a, 950, &number), 0);
	cr_assert_eq(agent_send_part(s.agent, s.now, number, &all), 0);
	side_commit(&s, 0);
	side_commit(&s, 0);
	cr_assert(next_delivery(&s, &ev));
	cr_assert_eq(ev.size_bytes, 950);
	expect_bytes(&s, r, 950, 100);
	side_fini(&s);
}

/* Random cuts, overlaps, duplicates, in any order; the process dies between any two. */
Test(reassemble, random)
{
	for (uint64_t seed = 1; seed <= 150; seed++) {
		struct agent_event ev = {0};
		struct side s;
		struct rng r;
		uint64_t total, id = 0;
		uint32_t reg;
		bool whole = false;

		open_side(&s);
		rng_init(&r, seed, 1);
		total = 2 + rng_below(&r, 2900);
		for (int i = 0; i < 4000 && !whole; i++) {
			uint64_t off = rng_below(&r, total), most = total - off,
				 n = 1 + rng_below(&r, most < 700 ? most : 700);

			if (i > 30) /* to an end: what is missing, from the front */
				off = (uint64_t)(i - 31) * total / 8, n = total / 8 + 1;
			if (off >= total)
				break;
			n = n < total - off ? n : total - off;
			if (n == total)
				n--;
			if (n == 0)
				continue;
			in(&s, off, n, total);
			if (rng_below(&r, 3) == 0)
				side_commit(&s, 0);
			if (rng_below(&r, 8) == 0)
				side_crash(&s, rng_below(&r, 2), n1, 1);
			if (i > 30 && off + n == total)
				in(&s, total - 1, 1, total);
			whole = count(&s, EV_adu_whole) > 0;
		}
		for (uint64_t off = 0; off < total; off += total / 2)
			in(&s, off, off + total / 2 < total ? total / 2 : total - off, total);
		reg = side_register(&s, 5, 1);
		side_commit(&s, 0);
		side_commit(&s, 0);
		cr_assert(next_delivery(&s, &ev), "seed %d: whole", (int)seed);
		id = ev.id;
		cr_assert_eq(ev.size_bytes, total);
		expect_bytes(&s, reg, total, 1 + rng_below(&r, 500));
		cr_assert_not(next_delivery(&s, &ev));
		if (seed % 2) {
			side_crash(&s, false, n1, 1);
			reg = side_register(&s, 5, 1);
			side_commit(&s, 0);
			cr_assert(next_delivery(&s, &ev));
			cr_assert_eq(ev.id, id);
		}
		cr_assert_eq(agent_ack(s.agent, s.now, reg, id), 0);
		side_commit(&s, 0);
		cr_assert_eq(stats(&s).n_bundles, 0, "seed %d", (int)seed);
		side_fini(&s);
	}
}
