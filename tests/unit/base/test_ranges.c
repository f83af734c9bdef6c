#include "bundle/base/ranges.h"
#include "bundle/base/rng.h"

#include <criterion/criterion.h>
#include <string.h>

Test(ranges, merges_touching_and_overlapping_runs)
{
	struct range run[4];
	struct ranges s = ranges_of(run, 4);

	cr_assert_eq(ranges_add(&s, 10, 20), 0);
	cr_assert_eq(ranges_add(&s, 30, 40), 0);
	cr_assert_eq(ranges_add(&s, 20, 25), 0);
	cr_assert_eq(s.n, 2);
	cr_assert_eq(s.run[0].to, 25);
	cr_assert_eq(ranges_add(&s, 5, 35), 0);
	cr_assert_eq(s.n, 1);
	cr_assert_eq(s.run[0].from, 5);
	cr_assert_eq(s.run[0].to, 40);
	cr_assert_eq(ranges_count(&s), 35);
}

Test(ranges, refuses_one_run_too_many)
{
	struct range run[2];
	struct ranges s = ranges_of(run, 2);

	cr_assert_eq(ranges_add(&s, 1, 2), 0);
	cr_assert_eq(ranges_add(&s, 5, 6), 0);
	cr_assert_eq(ranges_add(&s, 9, 10), -E_LIMIT);
	cr_assert_eq(s.n, 2);
}

/* Against a bitmap: the same members whatever the order of additions. */
Test(ranges, agrees_with_a_bitmap)
{
	struct rng r;

	rng_init(&r, 1, 2);
	for (int round = 0; round < 200; round++) {
		struct range run[64];
		struct ranges s = ranges_of(run, 64);
		unsigned char has[128] = {0};

		for (int k = 0; k < 30; k++) {
			uint64_t from = rng_below(&r, 120);
			uint64_t to = from + 1 + rng_below(&r, 127 - from);

			cr_assert_eq(ranges_add(&s, from, to), 0);
			memset(has + from, 1, to - from);
		}
		for (uint64_t v = 0; v < 128; v++)
			cr_assert_eq(ranges_has(&s, v), has[v]);
	}
}
