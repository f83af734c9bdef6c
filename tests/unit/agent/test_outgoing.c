/* Data that comes in pieces, outgoing.c: fragments at the source (RFC 9171 5.8) while it comes in. */
#include "tests/unit/agent/kit.h"

#include <criterion/criterion.h>

static const node_id n2[] = {2};
static uint8_t data[2100];

static void open_side(struct side *s)
{
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	side_init(s, 1, n2, 1, 2);
	side_start(s, n2, 1);
	cr_assert_eq(side_send(s, 1, 99, HOUR_MS, false), 0); /* takes the first block of numbers */
	side_commit(s, 0);
	side_listen(s);
	s->heard = 0;
}

static struct agent_send request(bool custody)
{
	return (struct agent_send){.source = eid_ipn(1, 9),
		.dest = eid_ipn(2, 5),
		.report_to = eid_null(),
		.lifetime_ms = HOUR_MS,
		.priority = 1,
		.custody = custody,
		.crc_type = CRC_32C};
}

static int start(struct side *s, uint64_t total, bool custody, uint64_t *number)
{
	struct agent_send a = request(custody);

	return agent_send_open(s->agent, s->now, &a, total, number);
}

/* Bytes [off, off + n) of data; how many were taken. */
static size_t part(struct side *s, uint64_t number, size_t off, size_t n, int want)
{
	struct view v = view_of(data + off, n);

	cr_assert_eq(agent_send_part(s->agent, s->now, number, &v), want, "part at %zu", off);
	return n - v.n;
}

static void read_flight(const struct flight *f, struct bundle *b)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;

	cr_assert_eq(bundle_read(b, view_of(f->bytes, f->n), &rules, &fault), 0);
}

/* RFC 9171 5.8: one timestamp, consecutive offsets, the total in each; blocks made here in all. */
Test(outgoing, leaves_as_fragments_while_it_comes_in)
{
	struct side s;
	struct flight f;
	struct bundle b;
	uint64_t number, seq = 0, off = 0;

	open_side(&s);
	cr_assert_eq(start(&s, 350, false, &number), 0);
	for (size_t at = 0; at < 350; at += 70) {
		cr_assert_eq(part(&s, number, at, 70, 0), 70);
		side_listen(&s);
		cr_assert_eq(heard(&s, AGENT_ACCEPTED), 0);
		while (side_out(&s, 2, &f)) {
			read_flight(&f, &b);
			cr_assert(b.flags & BUNDLE_FRAGMENT);
			cr_assert_eq(b.frag_off, off);
			cr_assert_eq(b.total_len, 350);
			cr_assert_eq(b.payload.n, off == 300 ? 50 : 100);
			cr_assert_eq(memcmp(b.payload.p, data + off, b.payload.n), 0);
			cr_assert(off == 0 || b.seq == seq);
			cr_assert(b.has_hop);
			for (unsigned i = 0; i < b.n_blocks; i++)
				cr_assert(b.block[i].type != BLOCK_HOP_COUNT ||
					  b.block[i].flags & BLOCK_REPLICATE);
			seq = b.seq;
			off += b.payload.n;
		}
	}
	cr_assert_eq(off, 350);
	side_listen(&s);
	cr_assert_eq(heard(&s, AGENT_ACCEPTED), 1, "all left: nothing is to be committed");
	cr_assert_eq(count(&s, EV_bundle_fragment), 4);
	side_fini(&s);
}

Test(outgoing, accepted_after_the_last_commit)
{
	struct side s;
	uint64_t number;

	open_side(&s);
	agent_contact(s.agent, s.now, 0, false, s.now);
	cr_assert_eq(start(&s, 200, false, &number), 0);
	part(&s, number, 0, 150, 0);
	side_commit(&s, 0);
	part(&s, number, 150, 50, 0);
	side_listen(&s);
	cr_assert_eq(heard(&s, AGENT_ACCEPTED), 0);
	side_commit(&s, 0);
	side_listen(&s);
	cr_assert_eq(heard(&s, AGENT_ACCEPTED), 1);
	cr_assert_eq(stats(&s).n_bundles, 3, "two fragments, and the first bundle of the test");
	part(&s, number, 0, 1, -E_UNKNOWN);
	side_fini(&s);
}

Test(outgoing, waits_while_the_stage_is_full)
{
	struct side s;
	uint64_t number;
	size_t off = 0;
	unsigned commits = 0;

	side_init(&s, 1, n2, 1, 2);
	s.limits.stage_bytes = 700;
	side_start(&s, n2, 1);
	agent_contact(s.agent, s.now, 0, false, s.now);
	cr_assert_eq(start(&s, 1000, false, &number), 0);
	while (off < 1000) {
		struct view v = view_of(data + off, 1000 - off);
		int err = agent_send_part(s.agent, s.now, number, &v);

		off = 1000 - v.n;
		cr_assert(err == 0 || err == -E_AGAIN);
		cr_assert(err == 0 || off % 100 == 0);
		side_commit(&s, 0);
		cr_assert_lt(++commits, 20);
	}
	side_commit(&s, 0);
	side_listen(&s);
	cr_assert_eq(heard(&s, AGENT_ACCEPTED), 1);
	cr_assert_gt(commits, 2);
	cr_assert_eq(stats(&s).n_bundles, 10);
	side_fini(&s);
}

/* RFC 9171 5.12/1 */
Test(outgoing, what_is_given_up_is_deleted)
{
	struct side s;
	uint64_t number, more;

	open_side(&s);
	agent_contact(s.agent, s.now, 0, false, s.now);
	cr_assert_eq(start(&s, 1000, false, &number), 0);
	part(&s, number, 0, 250, 0);
	side_commit(&s, 0);
	part(&s, number, 250, 250, 0);
	cr_assert_eq(stats(&s).n_bundles, 6);
	agent_send_cancel(s.agent, s.now, number);
	cr_assert_eq(stats(&s).n_bundles, 1);
	cr_assert_eq(count(&s, EV_bundle_deleted), 5);
	side_commit(&s, 0);
	side_listen(&s);
	cr_assert_eq(heard(&s, AGENT_ACCEPTED) + heard(&s, AGENT_REFUSED), 0);
	cr_assert_eq(start(&s, 300, false, &more), 0);
	cr_assert_neq(number, more);
	part(&s, more, 0, 200, 0);
	part(&s, more, 200, 101, -E_RANGE); /* more than announced ends it */
	cr_assert_eq(stats(&s).n_bundles, 1);
	part(&s, more, 0, 1, -E_UNKNOWN);
	side_fini(&s);
}

Test(outgoing, a_failed_commit_refuses_all)
{
	struct side s;
	uint64_t number;

	for (unsigned late = 0; late < 3; late++) {
		open_side(&s);
		agent_contact(s.agent, s.now, 0, false, s.now);
		cr_assert_eq(start(&s, 300, false, &number), 0);
		part(&s, number, 0, 100, 0);
		if (late == 2)
			part(&s, number, 100, 200, 0);
		if (late == 1) { /* the rest comes while the batch runs */
			struct store_batch *b = store_commit_begin(s.store);

			part(&s, number, 100, 200, 0);
			store_commit_end(s.store, b, -ENOSPC);
			agent_stored(s.agent, s.now);
			side_commit(&s, 0);
		} else {
			side_commit(&s, -ENOSPC);
		}
		if (late == 0)
			part(&s, number, 100, 1, -ENOSPC);
		side_listen(&s);
		cr_assert_eq(heard(&s, AGENT_ACCEPTED), 0);
		cr_assert_eq(heard(&s, AGENT_REFUSED), late > 0);
		cr_assert(late == 0 || s.last_err == -ENOSPC);
		cr_assert_eq(stats(&s).n_bundles, 1, "case %u", late);
		side_fini(&s);
	}
}

/* What was durable goes out, what was not is gone; nobody was told "accepted". */
Test(outgoing, a_crash_between_two_fragments)
{
	struct side s;
	struct flight f;
	struct bundle b;
	uint64_t number;

	open_side(&s);
	agent_contact(s.agent, s.now, 0, false, s.now);
	cr_assert_eq(start(&s, 300, false, &number), 0);
	part(&s, number, 0, 100, 0);
	side_commit(&s, 0);
	part(&s, number, 100, 200, 0);
	side_crash(&s, false, n2, 1);
	cr_assert(side_out(&s, 2, &f));
	read_flight(&f, &b);
	cr_assert(b.frag_off == 0 && b.payload.n == 100 && b.total_len == 300);
	cr_assert_not(side_out(&s, 2, &f));
	part(&s, number, 100, 1, -E_UNKNOWN);
	side_listen(&s);
	cr_assert_eq(heard(&s, AGENT_ACCEPTED), 0);
	side_fini(&s);
}

Test(outgoing, custody_goes_as_one_bundle_or_is_refused)
{
	struct side s;
	struct flight f;
	struct bundle b;
	uint64_t number;

	open_side(&s);
	cr_assert_eq(start(&s, 2001, true, &number), -E_TOO_BIG);
	cr_assert_eq(start(&s, 2000, true, &number), 0);
	part(&s, number, 0, 1999, 0);
	cr_assert_eq(stats(&s).n_bundles, 1);
	part(&s, number, 1999, 1, 0);
	side_commit(&s, 0);
	side_listen(&s);
	cr_assert_eq(heard(&s, AGENT_ACCEPTED), 1);
	cr_assert(side_out(&s, 2, &f));
	read_flight(&f, &b);
	cr_assert(!(b.flags & BUNDLE_FRAGMENT) && b.has_cteb);
	cr_assert_eq(b.payload.n, 2000);
	cr_assert_eq(memcmp(b.payload.p, data, 2000), 0);
	side_fini(&s);
}

Test(outgoing, limits)
{
	struct side s;
	uint64_t number[4];
	struct agent_send foreign = request(false);

	open_side(&s);
	foreign.source = eid_ipn(7, 1);
	cr_assert_eq(agent_send_open(s.agent, s.now, &foreign, 500, number), -E_NOT_OURS);
	cr_assert_eq(start(&s, 0, false, number), -E_RANGE);
	cr_assert_eq(start(&s, (1 << 20) + 1, false, number), -E_TOO_BIG);
	cr_assert_eq(start(&s, 64 * 100, false, number), -E_FULL, "more fragments than entries");
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(start(&s, 300, false, &number[i]), 0);
	cr_assert_eq(start(&s, 300, false, &number[3]), -E_LIMIT);
	part(&s, number[0], 0, 300, 0);
	cr_assert_eq(start(&s, 300, false, &number[3]), -E_LIMIT, "not before its answer");
	side_commit(&s, 0);
	cr_assert_eq(start(&s, 300, false, &number[3]), 0);
	agent_send_cancel(s.agent, s.now, 12345);
	agent_send_cancel(s.agent, s.now, number[0]);
	(void)agent_drain(s.agent, s.now);
	part(&s, number[1], 0, 10, -E_CLOSED);
	side_fini(&s);
}

/* Somebody sends the rest of it in our name: nothing new is left to be stored, and nothing falls over. */
Test(outgoing, bytes_that_another_sent_in_our_name)
{
	struct bundle_spec spec = {.flags = BUNDLE_FRAGMENT,
		.crc_type = CRC_32C,
		.block_crc_type = CRC_32C,
		.dest = eid_ipn(1, 5),
		.source = eid_ipn(1, 9),
		.report_to = eid_null(),
		.lifetime_ms = HOUR_MS,
		.frag_off = 100,
		.total_len = 350};
	struct agent_send a = request(false);
	struct buf out;
	struct agent_bundle b;
	struct flight f;
	struct side s;
	uint64_t number, id = 1;

	open_side(&s);
	a.dest = eid_ipn(1, 5);
	cr_assert_eq(agent_send_open(s.agent, s.now, &a, 350, &number), 0);
	cr_assert_eq(part(&s, number, 0, 100, 0), 100);
	cr_assert(agent_next_bundle(s.agent, &id, &b));
	spec.created_ms = b.created_ms;
	spec.seq = b.seq;
	out = buf_of(f.bytes, sizeof f.bytes);
	cr_assert_eq(bundle_build(&out, &spec, view_of(data, 250)), 0);
	f.n = out.len;
	side_in(&s, 2, &f);
	side_commit(&s, 0);
	cr_assert_eq(part(&s, number, 100, 250, 0), 250);
	side_commit(&s, 0);
	side_listen(&s);
	cr_assert_eq(heard(&s, AGENT_ACCEPTED), 1);
	side_fini(&s);
}

/* A number may be used when its block is durable, which a batch that failed did not make it. */
Test(outgoing, the_batch_of_its_number_fails)
{
	struct side s;
	struct flight f;
	uint64_t number;

	side_init(&s, 1, n2, 1, 2);
	s.no_clock = true; /* identity is by number alone */
	side_start(&s, n2, 1);
	cr_assert_eq(start(&s, 350, false, &number), 0);
	side_commit(&s, -ENOSPC);
	cr_assert_eq(part(&s, number, 0, 100, 0), 100);
	cr_assert_not(side_out(&s, 2, &f), "a crash now, and the number comes again");
	side_commit(&s, 0);
	cr_assert(side_out(&s, 2, &f));
	cr_assert_eq(part(&s, number, 100, 100, 0), 100);
	cr_assert(side_out(&s, 2, &f), "from now on it may leave from the stage");
	side_fini(&s);
}
