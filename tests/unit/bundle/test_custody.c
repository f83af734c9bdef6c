/* Blocks of CCSDS 734.6, custody and reporting block, both profiles; administrative records of RFC 9171 6.1. */
#include "tests/unit/bundle/vectors.h"

#include "bundle/admin.h"
#include "bundle/block.h"

#include <criterion/criterion.h>

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

/* The block as bplib's test has it, written: type 15, number 4, CRC-16. */
Test(cteb, bplib_block_written)
{
	uint8_t out[64], data[32];
	struct buf b = buf_of(out, sizeof out), d = buf_of(data, sizeof data);

	cteb_write(&d, &(struct cteb){.seq_no = 10, .seq_id = 2, .custodian = eid_ipn(303, 1)});
	block_write(&b, &(struct block_spec){.type = custody_codes_bplib().cteb_type,
				.number = 4,
				.flags = 2,
				.crc_type = CRC_16,
				.data = buf_view(&d)});
	expect_hex(buf_view(&b), "860f0402014a830a0282028219012f014225c7", "block 15");
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

/* In a bundle: read and written, passed on byte for byte, carried unread in a fragment (D.2). */
Test(creb, in_bundle)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_spec spec = {.flags = BUNDLE_NO_FRAGMENT,
		.crc_type = CRC_32C,
		.block_crc_type = CRC_16,
		.dest = eid_ipn(2, 1),
		.source = eid_ipn(1, 1),
		.report_to = eid_ipn(1, 1),
		.created_ms = T0,
		.lifetime_ms = 1000,
		.has_cteb = true,
		.cteb = {.seq_no = 3, .seq_id = 1, .custodian = eid_ipn(1, 0)},
		.has_creb = true,
		.creb = {.seq_no = 7, .seq_id = 1, .flags = 0x3f, .has_flags = true},
		.custody = rules.custody};
	uint8_t bytes[256], head[256];
	struct buf b = buf_of(bytes, sizeof bytes), h = buf_of(head, sizeof head);
	struct bundle_fault fault;
	struct bundle g, on;

	cr_assert_eq(bundle_build(&b, &spec, view_text("hello")), 0);
	cr_assert_eq(bundle_read(&g, buf_view(&b), &rules, &fault), 0, "%s", rule_name(fault.rule));
	cr_assert(g.has_cteb && g.has_creb);
	cr_expect(g.creb.seq_no == 7 && g.creb.seq_id == 1 && g.creb.flags == 0x3f &&
		  !g.creb.has_reporter);
	cr_assert_eq(bundle_forward_head(&h, &g,
			     &(struct bundle_edit){.set_cteb = true,
				     .cteb = {.seq_no = 9, .custodian = eid_ipn(2, 0)},
				     .custody = rules.custody}),
		0);
	cr_assert_eq(bundle_read_head(&on, buf_view(&h), &rules, &fault), 0);
	const struct block *was = bundle_block(&g, 14), *is = bundle_block(&on, 14);
	cr_assert(was && is && was->whole.n == is->whole.n);
	cr_expect_arr_eq(was->whole.p, is->whole.p, was->whole.n);
	cr_expect(on.has_creb && on.cteb.seq_no == 9);

	spec.flags = BUNDLE_FRAGMENT;
	spec.total_len = 100;
	b.len = 0;
	cr_assert_eq(bundle_build(&b, &spec, view_text("hello")), 0);
	cr_assert_eq(bundle_read(&g, buf_view(&b), &rules, &fault), 0, "%s", rule_name(fault.rule));
	cr_expect(!g.has_creb && bundle_block(&g, 14));
}

/* Between profiles: the code points change, the data, numbers, flags and CRC types do not; back again it is
 * byte for byte the same. Not where that would harm: the type is taken, a security block speaks of it, a
 * fragment. */
Test(creb, another_profile)
{
	struct custody_codes ccsds = custody_codes_ccsds(), bplib = custody_codes_bplib();
	static const uint8_t bib[] = {0x81, 3, 1, 0, 0x82, 2, 0x82, 1, 0, 0x80}; /* on block 3 */
	const struct block_spec taken = {.type = 16, .number = 9, .data = view_text("x")},
				sealed = {.type = BLOCK_BIB,
					.number = 9,
					.data = view_of(bib, sizeof bib)};
	struct bundle_spec spec = {.flags = BUNDLE_NO_FRAGMENT,
		.crc_type = CRC_32C,
		.block_crc_type = CRC_16,
		.dest = eid_ipn(2, 1),
		.source = eid_ipn(1, 1),
		.report_to = eid_ipn(1, 1),
		.created_ms = T0,
		.lifetime_ms = 1000,
		.has_cteb = true,
		.cteb = {.seq_no = 3, .seq_id = 1, .custodian = eid_ipn(1, 0)},
		.has_creb = true,
		.creb = {.seq_no = 7, .seq_id = 1},
		.custody = ccsds};
	struct bundle_edit there = {.custody = bplib, .from = &ccsds},
			   back = {.custody = ccsds, .from = &bplib};

	for (int way = 0; way < 4; way++) {
		struct bundle_rules rules = bundle_rules_default();
		uint8_t bytes[256], head[256], again[256];
		struct buf b = buf_of(bytes, sizeof bytes), h = buf_of(head, sizeof head),
			   r = buf_of(again, sizeof again);
		struct bundle_fault fault;
		struct bundle g, on;

		spec.block = way == 1 ? &taken : &sealed;
		spec.n_blocks = way == 1 || way == 2;
		spec.flags = way == 3 ? BUNDLE_FRAGMENT : BUNDLE_NO_FRAGMENT;
		spec.total_len = 5;
		cr_assert_eq(bundle_build(&b, &spec, view_text("hello")), 0);
		cr_assert_eq(bundle_read(&g, buf_view(&b), &rules, &fault), 0, "%d: %s", way,
			rule_name(fault.rule));
		cr_assert_eq(bundle_forward_head(&h, &g, &there), 0);
		rules.custody = bplib;
		rules.allow_foreign = true;
		cr_assert_eq(bundle_read_head(&on, buf_view(&h), &rules, &fault), 0, "%d: %s", way,
			rule_name(fault.rule));
		cr_expect_eq(on.has_cteb, way < 3, "%d", way);
		cr_expect_eq(on.has_creb, way == 0, "%d", way);
		cr_expect_eq(bundle_block(&on, 14) != NULL, way != 0, "%d", way);
		if (way != 0)
			continue;
		cr_expect(on.cteb.seq_no == 3 && on.creb.seq_no == 7);
		cr_assert_eq(bundle_forward_head(&r, &on, &back), 0);
		cr_expect(view_equal(buf_view(&r), g.head));
	}
}

/* Our custody block beside somebody's of the same type, which stays. */
Test(creb, beside_a_foreign_one)
{
	const struct block_spec other = {.type = 13, .number = 9, .data = view_text("x")};
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_spec spec = {.crc_type = CRC_32C,
		.dest = eid_ipn(2, 1),
		.source = eid_ipn(1, 1),
		.report_to = eid_ipn(1, 1),
		.created_ms = T0,
		.lifetime_ms = 1000,
		.block = &other,
		.n_blocks = 1};
	uint8_t bytes[256], head[256];
	struct buf b = buf_of(bytes, sizeof bytes), h = buf_of(head, sizeof head);
	struct bundle_fault fault;
	struct bundle g, on;

	rules.allow_foreign = true;
	cr_assert_eq(bundle_build(&b, &spec, view_text("hello")), 0);
	cr_assert_eq(bundle_read(&g, buf_view(&b), &rules, &fault), 0);
	cr_assert_eq(g.foreign, 1);
	cr_assert_eq(bundle_forward_head(&h, &g,
			     &(struct bundle_edit){.set_cteb = true,
				     .cteb = {.seq_no = 9, .custodian = eid_ipn(2, 0)},
				     .custody = rules.custody}),
		0);
	cr_assert_eq(bundle_read_head(&on, buf_view(&h), &rules, &fault), 0);
	cr_expect(on.has_cteb && on.cteb.seq_no == 9 && on.n_blocks == 3 && on.foreign == 1);
	cr_expect(view_equal(on.block[0].whole, g.block[0].whole));
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
