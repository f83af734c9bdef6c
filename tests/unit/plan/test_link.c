#include "bundle/base/heap.h"
#include "dtn/plan/link.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static struct plan *plan_of(const char *text)
{
	struct plan_note note[2];
	struct plan_notes notes = {note, 0, 2};
	struct plan *p;

	cr_assert_eq(plan_read(view_text(text), PLAN_AUTO, &p, &notes), 0, "%s", note[0].text);
	return p;
}

static struct link_dir link_of(const struct plan *p, struct link_params *params, uint64_t seed)
{
	struct link_dir l;

	link_init(&l, p, 1, 2, params, seed, 1);
	return l;
}

Test(link, fate_of_single_frames)
{
	/* 8 kbit/s = 1 ms a byte; light time grows from 1 s to 2 s within the contact */
	struct plan *p =
		plan_of("{\"contacts\":[{\"from\":1,\"to\":2,\"start\":10,\"end\":20,\"rate\":8000,"
			"\"owlt\":[[10,1],[20,2]]}]}");
	struct link_params params = link_params_default();
	struct link_fate f;
	static const struct {
		double at;
		size_t n;
		enum link_drop drop;
		double tx_end, deliver;
	} rows[] = {{9.9, 10, LINK_CLOSED, 0, 0}, {10, 1000, LINK_PASSED, 11, 12.1},
		{10, 1000, LINK_PASSED, 12, 13.2}, {13, 1000, LINK_PASSED, 14, 15.4},
		{13.5, 6001, LINK_NO_TIME, 0, 0}, {13.5, 3501, LINK_QUEUE, 0, 0},
		{14, 6000, LINK_PASSED, 20, 22}, {19.9, 1, LINK_NO_TIME, 0, 0},
		{20, 1, LINK_CLOSED, 0, 0}, {20, 65550, LINK_MTU, 0, 0}};

	params.queue_bytes = 4000;
	struct link_dir l = link_of(p, &params, 1);
	l.params.queue_bytes = 1 << 20;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		l.params.queue_bytes = rows[i].drop == LINK_QUEUE ? 4000 : 1 << 20;
		link_send(&l, (mono)(rows[i].at * 1e6), rows[i].n, &f);
		cr_expect_eq(f.drop, rows[i].drop, "row %zu: %s", i, link_drop_name(f.drop));
		if (f.drop)
			continue;
		cr_expect_eq(f.tx_end, (mono)(rows[i].tx_end * 1e6), "row %zu", i);
		cr_expect_eq(f.deliver_at[0], (mono)round(rows[i].deliver * 1e6), "row %zu", i);
	}
	cr_expect(link_balanced(&l));
	plan_free(p);
}

Test(link, a_full_link_runs_at_its_rate)
{
	struct link_params params = link_params_default();
	struct link_fate f;

	params.rate_bps = 3000000000;
	params.queue_bytes = 1 << 30;
	struct link_dir l = link_of(NULL, &params, 1);
	for (int i = 0; i < 300000; i++) /* 100 B last 0.2667 us each */
		link_send(&l, 0, 100, &f);
	cr_expect_eq(f.tx_end, 80000);
}

Test(link, loss_models_keep_their_means)
{
	struct link_params params = link_params_default();
	struct link_fate f;
	const unsigned n = 200000;

	params.loss = LOSS_UNIFORM;
	params.loss_p = 0.2;
	params.bit_error_rate = 1e-4;
	struct link_dir l = link_of(NULL, &params, 7);
	for (unsigned i = 0; i < n; i++)
		link_send(&l, i, 125, &f);
	cr_expect_float_eq((double)l.counts.dropped[LINK_LOSS] / n, 0.2, 0.005);
	cr_expect_float_eq((double)l.counts.bit_errors / (n * 0.8), 1 - pow(1 - 1e-4, 1000), 0.003);

	params.loss = LOSS_GILBERT; /* a quarter of the time bad: 0.25 * 0.8 + 0.75 * 0.01 */
	params.ge_p = 0.01;
	params.ge_r = 0.03;
	params.ge_good = 0.01;
	params.ge_bad = 0.8;
	l = link_of(NULL, &params, 7);
	for (unsigned i = 0; i < n; i++)
		link_send(&l, i, 125, &f);
	cr_expect_float_eq((double)l.counts.dropped[LINK_LOSS] / n, 0.2075, 0.01);
}

Test(link, every_bit_flips_at_rate_one)
{
	struct link_params params = link_params_default();
	struct link_fate f;

	params.bit_error_rate = 1;
	struct link_dir l = link_of(NULL, &params, 7);
	link_send(&l, 0, 125, &f);
	cr_expect_eq(f.n_flips, 8);
	for (unsigned i = 0; i < 8; i++)
		cr_expect_eq(f.flip[i], i);
}

/* Fates of n random frames, folded into one number; the balance is checked after every step. */
static uint64_t random_run(uint64_t seed, unsigned n)
{
	struct plan *p = plan_of("{\"contacts\":[{\"from\":1,\"to\":2,\"start\":1,\"end\":200,"
				 "\"rate\":\"5M\",\"owlt\":1},"
				 "{\"from\":1,\"to\":2,\"start\":300,\"end\":2000,\"rate\":\"4M\","
				 "\"owlt\":[[300,1],[900,5]]}]}");
	struct link_params params = link_params_default();
	struct rng r;
	struct heap_node *pool = calloc(n, 2 * sizeof *pool), *e;
	struct heap air;
	uint64_t sum = 0, n_pool = 0;
	mono now = 0;

	params.loss = LOSS_GILBERT;
	params.ge_p = 0.05;
	params.ge_r = 0.2;
	params.bit_error_rate = 1e-6;
	params.duplicate_p = 0.1;
	params.reorder_p = 0.1;
	params.reorder_us = 100000;
	params.queue_bytes = 10000;
	params.mtu_bytes = 1900;
	struct link_dir l = link_of(p, &params, seed);
	rng_init(&r, seed, 99);
	heap_init(&air);
	for (unsigned i = 0; i < n; i++) {
		struct link_fate f;
		now += (mono)rng_below(&r, 4000);
		while ((e = heap_min(&air)) && e->key <= now) {
			heap_remove(&air, e);
			link_arrived(&l, 60);
		}
		link_send(&l, now, 60 + rng_below(&r, 1900), &f);
		for (unsigned k = 0; k < f.n; k++) {
			cr_assert(f.deliver_at[k] > f.tx_end && f.tx_end > now);
			heap_node_init(&pool[n_pool]);
			cr_assert_eq(heap_push(&air, &pool[n_pool], f.deliver_at[k], n_pool), 0);
			n_pool++;
		}
		cr_assert(link_balanced(&l));
		cr_assert_eq(l.counts.in_flight, air.n);
		sum = sum * 31 + (uint64_t)f.drop + (uint64_t)f.deliver_at[0] + f.deliver_at[1] +
		      f.n_flips;
	}
	for (unsigned k = LINK_CLOSED; k < LINK_DROPS; k++)
		cr_expect(l.counts.dropped[k] > 0 || k == LINK_NO_TIME, "%s", link_drop_name(k));
	cr_expect(l.counts.duplicated > 0 && l.counts.bit_errors > 0);
	heap_fini(&air);
	free(pool);
	plan_free(p);
	return sum;
}

Test(link, balance_over_a_million_frames)
{
	random_run(1, 1000000);
}

Test(link, runs_repeat_from_their_seed)
{
	cr_expect_eq(random_run(2, 100000), random_run(2, 100000));
	cr_expect_neq(random_run(2, 100000), random_run(3, 100000));
}
