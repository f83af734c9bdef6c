/* The emulator's parts: frames under way, lateness, addresses, what a topology asks of the machine. */
#include "netns/address.h"
#include "netns/emulator.h"
#include "netns/flights.h"
#include "netns/lateness.h"

#include <criterion/criterion.h>

Test(flights, land_in_order_of_time_then_start)
{
	static const int64_t due[] = {50, 10, 30, 10, 20, 10};
	static const uint8_t order[] = {1, 3, 5, 4, 2, 0};
	struct flights f;
	struct flight *x;

	flights_init(&f, 1 << 20);
	for (uint8_t k = 0; k < 6; k++) {
		x = flights_get(&f, 100);
		cr_assert_not_null(x);
		x->bytes[0] = k;
		cr_assert_eq(flights_start(&f, x, due[k]), 0);
	}
	for (unsigned k = 0; k < 6; k++) {
		x = flights_first(&f);
		cr_assert_eq(x->bytes[0], order[k]);
		flights_land(&f, x);
		flights_put(&f, x);
	}
	cr_assert_null(flights_first(&f));
	flights_fini(&f);
}

Test(flights, keep_their_limit_and_reuse_memory)
{
	struct flight *kept[64];
	struct flights f;
	unsigned n = 0;

	flights_init(&f, 1 << 20);
	while (n < 64 && (kept[n] = flights_get(&f, 60000)))
		n++;
	cr_assert_eq(n, (1 << 20) / 65536 * 65536 / 65536);
	cr_assert_leq(f.used_bytes, f.limit_bytes);
	flights_put(&f, kept[--n]);
	cr_assert_not_null(kept[n] = flights_get(&f, 59000));
	cr_assert_null(flights_get(&f, 60000));
	cr_assert_null(flights_get(&f, 1 << 20)); /* larger than any frame */
	for (unsigned k = 0; k <= n; k++)
		flights_put(&f, kept[k]);
	flights_put(&f, NULL);
	flights_fini(&f);
}

Test(lateness, gives_quantiles_within_a_sixteenth)
{
	struct lateness l = {0};

	cr_assert_eq(lateness_quantile_ns(&l, 0.5), 0);
	for (int64_t k = 1; k <= 1000; k++)
		lateness_add(&l, k * 1000);
	lateness_add(&l, -5);
	cr_assert(
		lateness_quantile_ns(&l, 0.5) >= 480000 && lateness_quantile_ns(&l, 0.5) <= 540000);
	cr_assert(lateness_quantile_ns(&l, 0.99) >= 980000 &&
		  lateness_quantile_ns(&l, 0.99) <= 1000000);
	cr_assert_eq(lateness_quantile_ns(&l, 1), 1000000);
	lateness_add(&l, INT64_MAX);
	cr_assert_eq(l.max_ns, (uint64_t)INT64_MAX);
}

Test(address, is_one_network_a_link)
{
	static const struct {
		unsigned link;
		enum side side;
		uint32_t ip;
	} row[] = {{0, SIDE_A, 0x0a010001}, {0, SIDE_B, 0x0a010002}, {249, SIDE_A, 0x0a01f901},
		{250, SIDE_A, 0x0a020001}, {16383, SIDE_B, 0x0a428502}};

	for (size_t k = 0; k < sizeof row / sizeof *row; k++)
		cr_assert_eq(address_ip(row[k].link, row[k].side), row[k].ip, "row %zu", k);
}

Test(clock, goes_to_lab_time_and_back)
{
	static const double speed[] = {0.5, 1, 10, 120, 3600};

	for (size_t k = 0; k < 5; k++) {
		const struct lab_clock c = {.mono0_ns = 5000000000, .speed = speed[k]};

		cr_assert_eq(lab_clock_us(&c, 5000000000), 0);
		cr_assert_lt(lab_clock_us(&c, 4000000000), 0);
		for (mono t = -1000000; t < 100000000; t += 777777)
			cr_assert_geq(lab_clock_us(&c, lab_clock_mono_ns(&c, t) + 1),
				t); /* never early */
	}
}

Test(measure, adds_what_is_open_at_one_moment)
{
	struct contact contact[] = {{.start = 0, .end = 10, .rate_bps = 11200000},
		{.start = 5, .end = 20, .rate_bps = 11200000},
		{.start = 10, .end = 30, .rate_bps = 11200000},
		{.start = 20, .end = 40, .rate_bps = 11200000}};
	struct plan plan = {.contact = contact, .n_contacts = 4};
	struct topo topo = {.plan = &plan};

	cr_assert_float_eq(measure_need(&topo, 1), 2000, 0.001);
	cr_assert_float_eq(measure_need(&topo, 60), 120000, 0.001);
	topo.plan = NULL;
	cr_assert_float_eq(measure_need(&topo, 60), 0, 0.001);
}
