/* CRC-16/X.25 and CRC-32C, RFC 9171 4.2.1: check values (vectors.md 1), and every way against the
 * polynomial, bit by bit. */
#include "bundle/base/rng.h"
#include "bundle/crc_block.h"

#include <criterion/criterion.h>

Test(crc, check_values)
{
	cr_expect_eq(crc16_x25(0, view_text("")), 0);
	cr_expect_eq(crc32c(0, view_text("")), 0);
	cr_expect_eq(crc16_x25(0, view_text("123456789")), 0x906e);
	cr_expect_eq(crc32c(0, view_text("123456789")), 0xe3069283);
	cr_expect_eq(crc_update(CRC_NONE, 0, view_text("123456789")), 0);
}

/* One bit at a time, straight from the polynomial. */
static uint32_t crc_slow(uint32_t poly, uint32_t mask, struct view v)
{
	uint32_t crc = mask;

	for (size_t i = 0; i < v.n; i++) {
		crc ^= v.p[i];
		for (unsigned k = 0; k < 8; k++)
			crc = crc & 1 ? crc >> 1 ^ poly : crc >> 1;
	}
	return crc ^ mask;
}

/* Any length, any alignment, in pieces or at once, hardware or tables: the same. */
Test(crc, all_ways_agree)
{
	static uint8_t bytes[6000];
	struct rng rng;

	rng_init(&rng, 7, 7);
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)rng_u64(&rng);
	for (unsigned k = 0; k < 600; k++) {
		size_t n = k < 80 ? k : rng_below(&rng, sizeof bytes - 8);
		size_t off = rng_below(&rng, 8), cut = rng_below(&rng, n + 1);
		struct view v = view_of(bytes + off, n);
		uint32_t want32 = crc_slow(0x82f63b78, UINT32_MAX, v),
			 want16 = crc_slow(0x8408, UINT16_MAX, v);
		cr_expect_eq(crc32c(0, v), want32, "%zu at %zu", n, off);
		cr_expect_eq(crc32c_table(0, v), want32, "%zu at %zu", n, off);
		cr_expect_eq(crc16_x25(0, v), want16);
		cr_expect_eq(
			crc32c(crc32c(0, view_sub(v, 0, cut)), view_sub(v, cut, n - cut)), want32);
		cr_expect_eq(
			crc16_x25(crc16_x25(0, view_sub(v, 0, cut)), view_sub(v, cut, n - cut)),
			want16);
	}
}

#if defined(__x86_64__)
/* Lengths around every border of the long ways, against the tables. */
Test(crc, long_runs_agree)
{
	static const size_t around[] = {192, 224, 352, 768, 1024, 1344, 3488, 3500, 3680, 4096,
		24576, 26000, 49152, 114592, 114592 + 192, 2 * 114592};
	static uint8_t bytes[240000];
	struct rng rng;

	if (!crc_has_instruction())
		cr_skip_test("this processor has no crc32 instruction");
	rng_init(&rng, 8, 7);
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)rng_u64(&rng);
	for (size_t k = 0; k < 700; k++) {
		bool border = k < sizeof around / sizeof around[0] * 30;
		size_t n = border ? around[k / 30] - 15 + k % 30 : 192 + 3 * k;
		n = n < CRC32C_LONG ? CRC32C_LONG : n;
		struct view v = view_of(bytes + k % 9, n);
		uint32_t want = crc32c_table(77, v);
		cr_expect_eq(crc32c(77, v), want, "%zu", n);
		cr_expect_eq(~crc32c_streams(~77u, v.p, n), want, "%zu", n);
		if (crc_has_folding())
			cr_expect_eq(~crc32c_folded(~77u, v.p, n), want, "%zu", n);
		cr_expect_eq(crc16_x25(77, v), crc16_x25_table(77, v), "%zu", n);
	}
}
#endif

/* A block's field: its bytes, then the value's own as zeros. */
Test(crc, of_a_block)
{
	uint8_t bytes[600];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * i >> 3);
	for (enum crc_type type = CRC_NONE; type <= CRC_32C; type++) {
		for (size_t n = 8; n < sizeof bytes - 4; n++) {
			uint8_t keep[4];
			memcpy(keep, bytes + n, 4);
			memset(bytes + n, 0, 4);
			uint32_t want = crc_update(type, 0, view_of(bytes, n + crc_size(type)));
			memcpy(bytes + n, keep, 4);
			cr_expect_eq(crc_block(type, view_of(bytes, n)), want);
			cr_expect_eq(crc_block_value(type, bytes, n), want);
		}
	}
}
