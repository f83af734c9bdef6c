/* Compressed signals of CCSDS 734.6, signals and reports: custody and reporting, both profiles, every example both ways. */
#include "tests/unit/bundle/vectors.h"

#include "bundle/ccs.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* A signal as text: "+1:12-12 +1:18-22 -3:12-13" ("*EID" for id 0; a CRS has its kind for + and -, and
 * "@EID" of a block source behind). Error of the reader. */
static int signal_text(struct view record, const struct custody_codes *codes, bool is_report,
	char *out, size_t cap)
{
	struct range run[8];
	struct ccs_sequence s = {.numbers = ranges_of(run, 8)};
	struct ccs_reader r;
	char to[EID_TEXT_MAX];
	size_t n = 0;
	int err = is_report ? crs_open(&r, record, codes) : ccs_open(&r, record, codes);

	out[0] = 0;
	while (!err && ccs_next(&r, &s)) {
		for (size_t i = 0; i < s.numbers.n; i++) {
			eid_print(&s.dest, to, sizeof to);
			n += (size_t)snprintf(out + n, cap - n, "%s%c", n ? " " : "",
				is_report    ? '0' + (char)s.kind
				: s.accepted ? '+'
					     : '-');
			n += s.seq_id ? (size_t)snprintf(out + n, cap - n, "%u", (unsigned)s.seq_id)
				      : (size_t)snprintf(out + n, cap - n, "*%s", to);
			n += (size_t)snprintf(out + n, cap - n, ":%u-%u",
				(unsigned)s.numbers.run[i].from, (unsigned)s.numbers.run[i].to - 1);
			eid_print(&s.source, to, sizeof to);
			n += s.has_source ? (size_t)snprintf(out + n, cap - n, "@%s", to) : 0;
		}
	}
	return err ? err : r.c.err;
}

Test(ccs, read)
{
	static const struct {
		const char *hex, *text;
		bool bplib;
	} rows[] = {{"820d a1 01 81 83 01 0c 01", "+1:12-12", false},
		{"820d a2 01 81 83 01 0c 83 02 04 05 20 81 83 03 0c 02",
			"+1:12-13 +1:18-22 -3:12-13", false},
		{"8204 a2 01 83 01 0c 83 020405 20 83 03 0c 83 020405",
			"+1:12-13 +1:18-22 -3:12-13 -3:18-22", true},
		{"8204 a1 01 81 83 01 0c 8101", "+1:12-12",
			true},                                 /* a list where bplib writes none */
		{"820d a1 01 83 01 0c 01", "+1:12-12", false}, /* and the other way round */
		{"820d a1 01 81 83 8202820201 0c 01", "+*ipn:2.1:12-12", false},
		{"820d a1 01 83 8202820201 0c 01", "+*ipn:2.1:12-12", false},
		{"820d cd a1 01 81 83 01 0c 01", "+1:12-12",
			false}, /* tag 13 of an earlier draft */
		{"820d a1 01 82 83 01 0c 01 83 02 00 03", "+1:12-12 +2:0-2", false},
		{"9f 0d bf 01 9f 9f 01 0c 9f 02 04 05 ff ff ff ff ff", "+1:12-13 +1:18-22", false},
		{"820d bf 01 9f 9f 9f 02 82 02 01 ff 0c 01 ff ff ff", "+*ipn:2.1:12-12", false}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct custody_codes codes =
			rows[i].bplib ? custody_codes_bplib() : custody_codes_ccsds();
		uint8_t bytes[VECTOR_MAX];
		char text[256];
		size_t n = hex_bytes(rows[i].hex, bytes);
		int err = signal_text(view_of(bytes, n), &codes, false, text, sizeof text);
		cr_expect_eq(err, 0, "%s: %s", rows[i].hex, err ? err_name(err) : "");
		cr_expect_str_eq(text, rows[i].text);
		for (size_t cut = 0; cut < n; cut++)
			cr_expect_lt(
				signal_text(view_of(bytes, cut), &codes, false, text, sizeof text),
				0, "%s cut at %zu", rows[i].hex, cut);
	}
}

Test(ccs, refused)
{
	static const struct {
		const char *hex;
		int err;
	} rows[] = {{"820e a1 01 81 83 01 0c 01", -E_TYPE}, {"820d a0", -E_FORM},
		{"820d a1 01 80", -E_FORM}, {"820d a1 02 81 83 01 0c 01", -E_RANGE},
		{"820d a1 21 81 83 01 0c 01", -E_RANGE},
		{"820d a2 01 81 83 01 0c 01 01 81 83 01 0d 01", -E_DUPLICATE},
		{"820d a1 01 81 83 00 0c 01", -E_RANGE}, {"820d a1 01 81 83 01 0c 00", -E_RANGE},
		{"820d a1 01 81 83 01 0c 80", -E_FORM},
		{"820d a1 01 81 83 01 0c 82 02 04", -E_FORM},
		{"820d a1 01 81 83 01 0c 83 02 00 04", -E_RANGE},
		{"820d a1 01 81 83 01 1bffffffffffffffff 01", -E_RANGE},
		{"820d a1 01 81 83 01 01 83 02 1bffffffffffffffff 04", -E_RANGE},
		{"820d a1 01 81 84 01 0c 01 8202820100",
			-E_FORM}, /* block source is the receiver, never written */
		{"820d a1 01 81 83 01 0c 01 00", -E_TRAILING}, {"820d a1 01 81 82 01 0c", -E_FORM},
		{"820d a1 01 81 83 01 0c 93 01010101010101010101010101010101010101", -E_LIMIT},
		{"830d a1 01 81 83 01 0c 01 00", -E_FORM}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct custody_codes codes = custody_codes_ccsds();
		uint8_t bytes[VECTOR_MAX];
		char text[256];
		size_t n = hex_bytes(rows[i].hex, bytes);
		int err = signal_text(view_of(bytes, n), &codes, false, text, sizeof text);
		cr_expect_eq(
			err, rows[i].err, "%s: %s", rows[i].hex, err ? err_name(err) : "accepted");
	}
}

Test(ccs, written)
{
	struct range a[] = {{12, 14}, {18, 23}}, one[] = {{12, 13}}, two[] = {{12, 14}};
	struct custody_codes ccsds = custody_codes_ccsds(), bplib = custody_codes_bplib();
	struct ccs_sequence mixed[] = {{.accepted = false, .seq_id = 3, .numbers = {two, 1, 1}},
		{.accepted = true, .seq_id = 1, .numbers = {a, 2, 2}}};
	struct ccs_sequence single = {.accepted = true, .seq_id = 1, .numbers = {one, 1, 1}};
	struct ccs_sequence dest = {
		.accepted = true, .dest = eid_ipn(2, 1), .numbers = {one, 1, 1}};
	struct ccs_sequence both[] = {{.accepted = true, .seq_id = 1, .numbers = {a, 2, 2}},
		{.accepted = false, .seq_id = 3, .numbers = {a, 2, 2}}};
	uint8_t out[256];
	struct buf b = buf_of(out, sizeof out);

	ccs_write(&b, &ccsds, &single, 1);
	expect_hex(buf_view(&b), "820da1018183010c01", "one");
	b.len = 0;
	ccs_write(&b, &ccsds, mixed, 2);
	expect_hex(buf_view(&b), "820da2018183010c83020405208183030c02", "mixed");
	b.len = 0;
	ccs_write(&b, &ccsds, &dest, 1);
	expect_hex(buf_view(&b), "820da101818382028202010c01", "by destination");
	b.len = 0;
	ccs_write(&b, &bplib, both, 2);
	expect_hex(buf_view(&b), "8204a20183010c830204052083030c83020405", "bplib");
	b.len = 0;
	ccs_write(&b, &bplib, &single, 1);
	expect_hex(buf_view(&b), "8204a10183010c8101", "bplib, one");
}

/* The rule of D.5: which signal it is, and which dialect, is told by what is there. */
Test(crs, read)
{
	static const struct {
		const char *hex, *text;
		bool bplib;
	} rows[] = {{"820e a1 00 81 83 8202820201 00 05", "0*ipn:2.1:0-4", false},
		{"820e a1 02 81 83 01 07 01", "21:7-7", false},
		{"820e a2 00 81 83 01 07 02 03 81 83 01 09 01", "01:7-8 31:9-9", false},
		{"820e a2 04 81 83 01 00 01 05 81 83 01 01 01", "41:0-0 51:1-1", false},
		{"820e a1 02 81 84 01 07 01 8202820100", "21:7-7@ipn:1.0", false},
		{"820e a1 02 84 01 07 01 8202820100", "21:7-7@ipn:1.0", false},
		{"820e a1 02 81 84 8202820201 07 83 010101 8202820100",
			"2*ipn:2.1:7-7@ipn:1.0 2*ipn:2.1:9-9@ipn:1.0", false},
		{"8203 a1 01 83 01 0c 83 020405", "11:12-13 11:18-22", true},
		{"8203 a2 00 83 01 0c 8101 01 83 02 00 8103", "01:12-12 12:0-2", true},
		{"820e ce a1 02 81 83 01 07 01", "21:7-7", false},
		{"9f0e bf 02 9f 9f 01 07 01 9f 02 82 01 00 ff ff ff ff ff", "21:7-7@ipn:1.0",
			false},
		{"9f0e bf 02 9f 9f 01 07 01 ff ff ff ff", "21:7-7", false}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct custody_codes codes =
			rows[i].bplib ? custody_codes_bplib() : custody_codes_ccsds();
		uint8_t bytes[VECTOR_MAX];
		char text[256];
		size_t n = hex_bytes(rows[i].hex, bytes);
		int err = signal_text(view_of(bytes, n), &codes, true, text, sizeof text);
		cr_expect_eq(err, 0, "%s: %s", rows[i].hex, err ? err_name(err) : "");
		cr_expect_str_eq(text, rows[i].text);
		for (size_t cut = 0; cut < n; cut++)
			cr_expect_lt(
				signal_text(view_of(bytes, cut), &codes, true, text, sizeof text),
				0, "%s cut at %zu", rows[i].hex, cut);
	}
}

Test(crs, refused)
{
	static const struct {
		const char *hex;
		int err;
	} rows[] = {{"820d a1 01 81 83 01 0c 01", -E_TYPE}, {"820e a0", -E_FORM},
		{"820e a1 06 81 83 01 0c 01", -E_RANGE}, {"820e a1 20 81 83 01 0c 01", -E_RANGE},
		{"820e a2 02 81 83 01 0c 01 02 81 83 01 0d 01", -E_DUPLICATE},
		{"820e a1 02 81 85 01 0c 01 8202820100 00", -E_FORM},
		{"820e a1 02 81 84 01 0c 01 07", -E_TYPE}, {"820e a1 02 81 82 01 0c", -E_FORM},
		{"820e a1 02 81 83 01 0c 00", -E_RANGE},
		{"820e 83 00 00 40", -E_TYPE} /* a BPDU's shape */};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct custody_codes codes = custody_codes_ccsds();
		uint8_t bytes[VECTOR_MAX];
		char text[256];
		size_t n = hex_bytes(rows[i].hex, bytes);
		int err = signal_text(view_of(bytes, n), &codes, true, text, sizeof text);
		cr_expect_eq(
			err, rows[i].err, "%s: %s", rows[i].hex, err ? err_name(err) : "accepted");
	}
}

Test(crs, written)
{
	struct range five[] = {{0, 5}}, one[] = {{7, 8}}, gap[] = {{12, 14}, {18, 23}};
	struct custody_codes ccsds = custody_codes_ccsds(), bplib = custody_codes_bplib();
	struct ccs_sequence dest = {.dest = eid_ipn(2, 1), .numbers = {five, 1, 1}};
	struct ccs_sequence kinds[] = {{.kind = CRS_DELETED, .seq_id = 1, .numbers = {one, 1, 1}},
		{.kind = CRS_DELIVERED, .seq_id = 1, .numbers = {gap, 2, 2}},
		{.kind = CRS_DELIVERED,
			.seq_id = 2,
			.has_source = true,
			.source = eid_ipn(1, 0),
			.numbers = {one, 1, 1}}};
	uint8_t out[256];
	struct buf b = buf_of(out, sizeof out);

	crs_write(&b, &ccsds, &dest, 1);
	expect_hex(buf_view(&b), "820ea1008183820282020100 05", "by destination");
	b.len = 0;
	crs_write(&b, &ccsds, kinds, 3);
	expect_hex(buf_view(&b), "820ea20282 83010c83020405 8402070182028201 00 0381 83010701",
		"three sequences");
	b.len = 0;
	crs_write(&b, &bplib, kinds, 2);
	expect_hex(buf_view(&b), "8203a202 83010c83020405 03 8301078101", "bplib");
}

/* CCS_SEQUENCES_MAX, and the runs that the caller has room for. */
Test(ccs, limits)
{
	struct custody_codes codes = custody_codes_ccsds();
	struct range one[] = {{0, 1}}, gaps[8], run[8];
	struct ccs_sequence s[65], back = {.numbers = ranges_of(run, 8)};
	uint8_t out[1024];
	struct buf b = buf_of(out, sizeof out);
	struct ccs_reader r;

	for (unsigned i = 0; i < 65; i++)
		s[i] = (struct ccs_sequence){
			.accepted = true, .seq_id = i + 1, .numbers = {one, 1, 1}};
	ccs_write(&b, &codes, s, 65);
	cr_assert_eq(ccs_open(&r, buf_view(&b), &codes), 0);
	while (ccs_next(&r, &back))
		;
	cr_expect(r.n_seqs == 65 && r.c.err == -E_LIMIT);
	for (unsigned i = 0; i < 8; i++)
		gaps[i] = (struct range){2 * i, 2 * i + 1};
	s[0].numbers = (struct ranges){gaps, 8, 8};
	for (size_t room = 0; room <= 8; room++) {
		b.len = 0;
		ccs_write(&b, &codes, s, 1);
		back.numbers = ranges_of(run, room);
		cr_assert_eq(ccs_open(&r, buf_view(&b), &codes), 0);
		cr_expect_eq(ccs_next(&r, &back), room == 8);
		cr_expect_eq(r.c.err, room == 8 ? 0 : -E_LIMIT);
	}
	b.len = 0;
	s[0].numbers = (struct ranges){one, 1, 1};
	ccs_write(&b, &codes, s, 1);
	back.numbers = ranges_of(run, 0);
	cr_assert_eq(ccs_open(&r, buf_view(&b), &codes), 0);
	cr_expect(!ccs_next(&r, &back) && r.c.err == -E_LIMIT, "the short form");
}
