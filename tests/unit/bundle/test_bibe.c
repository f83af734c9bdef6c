/* Encapsulation records of bibect, encoding: read and written byte for byte, cut, malformed. */
#include "tests/unit/bundle/vectors.h"

#include "bundle/bibe.h"
#include "bundle/limits.h"

#include <criterion/criterion.h>

Test(bibe, bpdu)
{
	static const struct {
		const char *hex, *again; /* NULL: the same */
		uint64_t type, id, when;
	} rows[] = {{"8203 83 00 00 43 9f01ff", NULL, 3, 0, 0},
		{"8207 83 05 1a65432100 43 9f01ff", NULL, 7, 5, 0x65432100},
		{"82 19fbbb 83 1818 1903e8 43 9f01ff", NULL, 64443, 24, 1000},
		{"9f07 9f 05 06 43 9f01ff ff ff", "8207830506439f01ff", 7, 5, 6}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t bytes[VECTOR_MAX], out[64];
		size_t n = hex_bytes(rows[i].hex, bytes);
		struct buf b = buf_of(out, sizeof out);
		struct bpdu p;
		int err = bpdu_read(view_of(bytes, n), &p);
		cr_assert_eq(err, 0, "%s: %s", rows[i].hex, err ? err_name(err) : "");
		cr_expect(p.type == rows[i].type && p.id == rows[i].id && p.when == rows[i].when);
		expect_hex(p.bundle, "9f01ff", rows[i].hex);
		bpdu_write_head(&b, &p, p.bundle.n);
		buf_put(&b, p.bundle);
		expect_hex(buf_view(&b), rows[i].again ? rows[i].again : rows[i].hex, "bpdu");
		for (size_t cut = 0; cut < n; cut++)
			cr_expect_lt(bpdu_read(view_of(bytes, cut), &p), 0, "cut at %zu", cut);
	}
}

Test(bibe, signal)
{
	static const struct {
		const char *hex, *again;
		uint64_t type, disposition, n_ids;
	} rows[] = {{"8208 82 00 82 820105 820902", NULL, 8, BIBE_ACCEPTED, 7},
		{"8204 82 00 82 820105 820902", NULL, 4, BIBE_ACCEPTED, 7},
		{"82 19fbbc 82 04 81 821903e801", NULL, 64444, BIBE_DEPLETED, 1},
		{"8208 82 03 82 820902 820105", "8208820382820105820902", 8, BIBE_REDUNDANT, 7},
		{"8208 82 00 82 820102 820301", "8208820081820103", 8, BIBE_ACCEPTED, 3},
		{"8208 82 1818 81 820101", NULL, 8, 24, 1}, /* a word of the future */
		{"9f08 9f 00 9f 9f0105ff ff ff ff", "8208820081820105", 8, BIBE_ACCEPTED, 5}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct range run[BIBE_RUNS_MAX];
		uint8_t bytes[VECTOR_MAX], out[64];
		size_t n = hex_bytes(rows[i].hex, bytes);
		struct buf b = buf_of(out, sizeof out);
		struct bibe_signal s = {.ids = ranges_of(run, BIBE_RUNS_MAX)};
		int err = bibe_signal_read(view_of(bytes, n), &s);
		cr_assert_eq(err, 0, "%s: %s", rows[i].hex, err ? err_name(err) : "");
		cr_expect(s.type == rows[i].type && s.disposition == rows[i].disposition &&
			  ranges_count(&s.ids) == rows[i].n_ids);
		bibe_signal_write(&b, &s);
		expect_hex(buf_view(&b), rows[i].again ? rows[i].again : rows[i].hex, "signal");
		for (size_t cut = 0; cut < n; cut++)
			cr_expect_lt(
				bibe_signal_read(view_of(bytes, cut), &s), 0, "cut at %zu", cut);
	}
}

/* One record is never taken for another: not a bplib CCS or CRS (maps of types 3 and 4), not each other. */
Test(bibe, refused)
{
	static const struct {
		const char *hex;
		int bpdu, signal;
	} rows[] = {{"8203 a1 01 83 01 0c 8101", -E_TYPE, -E_TYPE},
		{"8204 a1 01 83 01 0c 8101", -E_TYPE, -E_TYPE},
		{"820d a1 01 81 83 01 0c 01", -E_TYPE, -E_TYPE},
		{"8200 83 00 00 41 00", -E_TYPE, -E_TYPE}, {"8201 82 00 80", -E_TYPE, -E_TYPE},
		{"8207 82 00 00", -E_FORM, -E_TYPE}, {"8207 84 00 00 40 00", -E_FORM, -E_TYPE},
		{"8207 83 00 00 60", -E_TYPE, -E_TYPE},
		{"8207 83 00 00 5f 4100 ff", -E_FORM, -E_TYPE},
		{"8207 83 20 00 40", -E_TYPE, -E_TYPE},
		{"8207 83 00 00 40 00", -E_TRAILING, -E_TRAILING},
		{"8208 82 00 80", -E_TYPE, -E_FORM}, {"8208 82 00 9f ff", -E_TYPE, -E_FORM},
		{"8208 82 00 81 820005", -E_TYPE, -E_RANGE},
		{"8208 82 00 81 820100", -E_TYPE, -E_RANGE},
		{"8208 82 00 81 82 1bffffffffffffffff 01", -E_TYPE, -E_RANGE},
		{"8208 82 00 81 83 010101", -E_TYPE, -E_FORM},
		{"8208 83 00 81 820101 00", -E_TYPE, -E_FORM},
		{"8208 82 00 85 820101 820301 820501 820701 820901", -E_TYPE, -E_LIMIT}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct range run[4];
		uint8_t bytes[VECTOR_MAX];
		size_t n = hex_bytes(rows[i].hex, bytes);
		struct bibe_signal s = {.ids = ranges_of(run, 4)};
		struct bpdu p;
		int err = bpdu_read(view_of(bytes, n), &p);
		cr_expect_eq(err, rows[i].bpdu, "%s: bpdu %s", rows[i].hex, err_name(err));
		err = bibe_signal_read(view_of(bytes, n), &s);
		cr_expect_eq(err, rows[i].signal, "%s: signal %s", rows[i].hex, err_name(err));
	}
}
