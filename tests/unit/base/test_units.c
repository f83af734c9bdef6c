#include "bundle/base/units.h"

#include <criterion/criterion.h>

Test(units, durations)
{
	static const struct {
		const char *text;
		int err;
		int64_t us;
	} rows[] = {{"250ms", 0, 250000}, {"10s", 0, 10000000}, {"5m", 0, 300000000},
		{"1h", 0, 3600000000}, {"2d", 0, 172800000000}, {"7", 0, 7000000},
		{"0.5", 0, 500000}, {"", -E_SYNTAX, 0}, {"5x", -E_SYNTAX, 0}, {"-1", -E_SYNTAX, 0},
		{"1e30", -E_RANGE, 0}, {"0x5", -E_SYNTAX, 0}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t us = 0;
		cr_expect_eq(units_duration(rows[i].text, &us), rows[i].err, "%s", rows[i].text);
		cr_expect_eq(us, rows[i].us, "%s", rows[i].text);
	}
}

Test(units, sizes_and_rates)
{
	uint64_t v;

	cr_assert_eq(units_bytes("64Ki", &v), 0);
	cr_assert_eq(v, 65536);
	cr_assert_eq(units_bytes("1M", &v), 0);
	cr_assert_eq(v, 1000000);
	cr_assert_eq(units_rate("256k", &v), 0);
	cr_assert_eq(v, 256000);
	cr_assert_eq(units_rate("256Ki", &v), -E_SYNTAX);
}
