/* CBOR: shortest form, nesting, wrapping. */
#include "tests/unit/bundle/vectors.h"

#include "bundle/base/rng.h"
#include "bundle/cbor.h"
#include "bundle/limits.h"

#include <criterion/criterion.h>

Test(cbor, numbers_are_shortest)
{
	static const struct {
		uint64_t v;
		const char *hex;
	} rows[] = {{0, "00"}, {23, "17"}, {24, "1818"}, {255, "18ff"}, {256, "190100"},
		{65535, "19ffff"}, {65536, "1a00010000"}, {UINT32_MAX, "1affffffff"},
		{UINT64_C(1) << 32, "1b0000000100000000"}, {UINT64_MAX, "1bffffffffffffffff"}};
	static const char *const longer[] = {
		"1800", "1817", "190017", "1900ff", "1a0000ffff", "1b00000000ffffffff"};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t out[16];
		struct buf b = buf_of(out, sizeof out);
		cbor_put_uint(&b, rows[i].v);
		expect_hex(buf_view(&b), rows[i].hex, "uint");
		cr_expect_eq(cbor_head_size(rows[i].v), b.len);
		struct cursor c = cursor_of(buf_view(&b));
		cr_expect_eq(cbor_uint(&c), rows[i].v);
		cr_expect_eq(cursor_finish(&c), 0);
		for (size_t cut = 0; cut < b.len; cut++) {
			c = cursor_of(view_of(out, cut));
			cr_expect_eq(cbor_uint(&c), 0);
			cr_expect_eq(c.err, -E_TRUNCATED);
			cr_expect_eq(c.err_at, 0);
		}
	}
	for (size_t i = 0; i < 6; i++) {
		uint8_t bytes[VECTOR_MAX];
		struct cursor c = cursor_of(view_of(bytes, hex_bytes(longer[i], bytes)));
		(void)cbor_uint(&c);
		cr_expect_eq(c.err, -E_NOT_SHORTEST, "%s", longer[i]);
	}
}

Test(cbor, signed_numbers)
{
	static const int64_t rows[] = {0, -1, -24, -25, INT64_MAX, INT64_MIN};
	uint8_t bytes[VECTOR_MAX];
	struct cursor c;

	for (size_t i = 0; i < 6; i++) {
		struct buf b = buf_of(bytes, sizeof bytes);
		cbor_put_int(&b, rows[i]);
		c = cursor_of(buf_view(&b));
		cr_expect_eq(cbor_int(&c), rows[i]);
		cr_expect_eq(cursor_finish(&c), 0);
	}
	c = cursor_of(view_of(bytes, hex_bytes("3bffffffffffffffff", bytes)));
	(void)cbor_int(&c);
	cr_expect_eq(c.err, -E_RANGE);
}

Test(cbor, skip)
{
	static const struct {
		const char *hex;
		int err;
	} rows[] = {{"00", 0}, {"4161", 0}, {"5f4161ff", 0}, {"5fff", 0}, {"7f6161ff", 0},
		{"80", 0}, {"a0", 0}, {"9fff", 0}, {"bfff", 0}, {"bf0102ff", 0}, {"8201a10203", 0},
		{"c100", 0}, {"f6", 0}, {"f97e00", 0}, {"fb0000000000000000", 0},
		{"8181818181818181 00", 0}, {"818181818181818181 00", -E_LIMIT},
		{"bf01ff", -E_FORM}, {"5f6161ff", -E_FORM}, {"5f5f4161ffff", -E_FORM},
		{"ff", -E_FORM}, {"81ff", -E_FORM}, {"1c", -E_FORM}, {"f800", -E_FORM},
		{"3f", -E_FORM}, {"df00", -E_FORM}, {"9bffffffffffffffff00", -E_TRUNCATED},
		{"bbffffffffffffffff00", -E_TRUNCATED}, {"5bffffffffffffffff00", -E_TRUNCATED},
		{"a101", -E_TRUNCATED}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t bytes[VECTOR_MAX];
		size_t n = hex_bytes(rows[i].hex, bytes);
		struct cursor c = cursor_of(view_of(bytes, n));
		struct view v = cbor_skip(&c);
		cr_expect_eq(
			c.err, rows[i].err, "%s: %s", rows[i].hex, c.err ? err_name(c.err) : "ok");
		cr_expect_eq(v.n, rows[i].err ? 0 : n, "%s", rows[i].hex);
	}
}

Test(cbor, wrapped_lengths)
{
	static const size_t rows[] = {0, 1, 23, 24, 255, 256, 3000};

	for (size_t i = 0; i < 7; i++) {
		uint8_t out[VECTOR_MAX];
		struct buf b = buf_of(out, sizeof out), count = {0};
		for (unsigned pass = 0; pass < 2; pass++) {
			struct buf *w = pass ? &count : &b;
			size_t mark = cbor_wrap_begin(w);
			for (size_t k = 0; k < rows[i]; k++)
				buf_u8(w, (uint8_t)k);
			cbor_wrap_end(w, mark);
			buf_u8(w, 0xee);
		}
		cr_expect_eq(count.len, b.len);
		struct cursor c = cursor_of(buf_view(&b));
		struct view v = cbor_bytes(&c);
		cr_expect_eq(v.n, rows[i]);
		cr_expect(v.n == 0 || v.p[v.n - 1] == (uint8_t)(v.n - 1));
		cr_expect_eq(cursor_u8(&c), 0xee);
	}
}
