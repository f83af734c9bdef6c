/* Custody formats of custody.md D.3 to D.5, both profiles; administrative records of RFC 9171 6.1.
 * */
#include "tests/unit/bundle/vectors.h"

#include "bundle/admin.h"
#include "bundle/cbor.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* A signal as text: "+1:12 +1:18-22 -3:12-13" ("*EID" for id 0). Error of the reader. */
static int signal_text(struct view record, const struct custody_codes *codes, char *out, size_t cap)
{
	struct range run[8];
	struct ccs_sequence s = {.numbers = ranges_of(run, 8)};
	struct ccs_reader r;
	char to[EID_TEXT_MAX];
	size_t n = 0;
	int err = ccs_open(&r, record, codes);

	out[0] = 0;
	while (!err && ccs_next(&r, &s)) {
		for (size_t i = 0; i < s.numbers.n; i++) {
			eid_print(&s.dest, to, sizeof to);
			n += (size_t)snprintf(
				out + n, cap - n, "%s%c", n ? " " : "", s.accepted ? '+' : '-');
			n += s.seq_id ? (size_t)snprintf(out + n, cap - n, "%u", (unsigned)s.seq_id)
				      : (size_t)snprintf(out + n, cap - n, "*%s", to);
			n += (size_t)snprintf(out + n, cap - n, ":%u-%u",
				(unsigned)s.numbers.run[i].from, (unsigned)s.numbers.run[i].to - 1);
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
		int err = signal_text(view_of(bytes, n), &codes, text, sizeof text);
		cr_expect_eq(err, 0, "%s: %s", rows[i].hex, err ? err_name(err) : "");
		cr_expect_str_eq(text, rows[i].text);
		for (size_t cut = 0; cut < n; cut++)
			cr_expect_lt(signal_text(view_of(bytes, cut), &codes, text, sizeof text), 0,
				"%s cut at %zu", rows[i].hex, cut);
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
		int err = signal_text(view_of(bytes, n), &codes, text, sizeof text);
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

Test(cteb, both_profiles)
{
	uint8_t bytes[VECTOR_MAX], out[64];
	struct cursor c = cursor_of(view_of(bytes, hex_bytes("830c018202820100", bytes)));
	struct buf b = buf_of(out, sizeof out);
	struct cteb t;

	cteb_read(&c, &t);
	cr_assert_eq(cursor_finish(&c), 0);
	cr_expect(t.seq_no == 12 && t.seq_id == 1 && t.custodian.node == 1);
	cteb_write(&b, &t);
	expect_hex(buf_view(&b), "830c018202820100", "cteb");

	/* bplib's block 15 as its test has it; G1 around it */
	static const char *const item[ITEMS_MAX] = {"9f",
		"+89070001820282020182028201018202820100821b000000beebcf0800001a0036ee80",
		"860f0402014a830a02820282 19012f01 4225c7", "+86010100014568656c6c6f", "ff"};
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct bundle g;
	size_t n = compose(item, bytes);
	cr_assert_eq(
		bundle_read(&g, view_of(bytes, n), &rules, &fault), 0, "%s", rule_name(fault.rule));
	cr_expect(!g.has_cteb, "block 15 is unknown to profile ccsds");
	rules.custody = custody_codes_bplib();
	cr_assert_eq(
		bundle_read(&g, view_of(bytes, n), &rules, &fault), 0, "%s", rule_name(fault.rule));
	cr_expect(g.has_cteb && g.cteb.seq_no == 10 && g.cteb.seq_id == 2 &&
		  g.cteb.custodian.node == 303);
}

Test(creb, examples)
{
	static const char *const rows[] = {
		"8107", "820702", "830700183f", "8507010f82028201008202820100"};
	static const char *const open[] = {"9f07ff", "9f0702ff", "9f070018 3fff"};
	struct creb o;

	for (size_t i = 0; i < 3; i++) {
		uint8_t bytes[VECTOR_MAX];
		struct cursor c = cursor_of(view_of(bytes, hex_bytes(open[i], bytes)));
		creb_read(&c, &o);
		cr_expect_eq(cursor_finish(&c), 0, "%s", open[i]);
	}
	for (size_t i = 0; i < 4; i++) {
		uint8_t bytes[VECTOR_MAX], out[64];
		size_t n = hex_bytes(rows[i], bytes);
		struct cursor c = cursor_of(view_of(bytes, n));
		struct buf b = buf_of(out, sizeof out);
		struct creb r;
		creb_read(&c, &r);
		cr_expect_eq(cursor_finish(&c), 0, "%s", rows[i]);
		cr_expect_eq(r.seq_no, 7);
		cr_expect(i < 3 ||
			  (r.has_report_to && eid_is_admin(&r.report_to) && r.flags == 0x0f));
		creb_write(&b, &r);
		expect_hex(buf_view(&b), rows[i], "creb");
		for (size_t cut = 0; cut < n; cut++) {
			c = cursor_of(view_of(bytes, cut));
			creb_read(&c, &r);
			cr_expect_neq(c.err, 0, "%s cut at %zu", rows[i], cut);
		}
	}
}

/* RFC 9171 6.1.1, the sample of our notes and one about a fragment. */
Test(admin, status_report)
{
	static const char *const rows[] = {"8201848482f51b000000beebcf080581f482f51b000000beebcf080"
					   "981f4008202820101821b000000beebcf080001",
		"8201868481f481f481f481f50182028201018207183c183c1828"};

	for (size_t i = 0; i < 2; i++) {
		uint8_t bytes[VECTOR_MAX], out[128];
		size_t n = hex_bytes(rows[i], bytes);
		struct buf b = buf_of(out, sizeof out);
		struct status_report r;
		struct cursor c;
		uint64_t type;
		cr_assert_eq(admin_open(view_of(bytes, n), &type, &c), 0);
		cr_expect_eq(type, ADMIN_STATUS_REPORT);
		status_report_read(&c, &r);
		cr_assert_eq(c.err, 0);
		cr_expect(r.asserted[STATUS_RECEIVED] == (i == 0) &&
			  r.asserted[STATUS_DELETED] == (i == 1));
		cr_expect_eq(r.is_fragment, i == 1);
		cr_expect(i == 0 ? r.at_ms[STATUS_DELIVERED] == T0 + 9
				 : r.reason == REASON_EXPIRED && r.frag_len == 40);
		status_report_write(&b, &r);
		expect_hex(buf_view(&b), rows[i], "report");
		for (size_t cut = 0; cut < n; cut++)
			cr_expect_lt(
				admin_open(view_of(bytes, cut), &type, &c), 0, "cut at %zu", cut);
	}
}

Test(admin, records)
{
	static const struct {
		const char *hex;
		bool opens, reads;
	} rows[] = {{"8218634101", true, false}, {"80", false, false}, {"8101", false, false},
		{"82200 0", false, false}, {"8201f6", true, false},
		{"820184848 1f481f481f481f4008202820101820001", true, true},
		/* more assertions than four are skipped */
		{"8201848 581f481f481f481f481f5008202820101820001", true, true},
		/* a time without its assertion */
		{"820184848 2f40081f481f481f4008202820101820001", true, false},
		{"820184838 1f481f481f4008202820101820001", true, false},
		{"8201858481f481f481f481f400820282010182000100", true, false}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t bytes[VECTOR_MAX];
		char hex[128];
		size_t n = 0;
		struct status_report r;
		struct cursor c;
		uint64_t type;
		for (const char *p = rows[i].hex; *p; p++)
			if (*p != ' ')
				hex[n++] = *p;
		hex[n] = 0;
		n = hex_bytes(hex, bytes);
		int err = admin_open(view_of(bytes, n), &type, &c);
		cr_expect_eq(err == 0, rows[i].opens, "%s", hex);
		if (err)
			continue;
		status_report_read(&c, &r);
		cr_expect_eq(
			c.err == 0, rows[i].reads, "%s: %s", hex, c.err ? err_name(c.err) : "read");
	}
}
