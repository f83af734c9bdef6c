/* Every rule of rule.def: a bundle made from G1 that breaks just this one; and what must be
 * accepted. */
#include "tests/unit/bundle/vectors.h"

#include <criterion/criterion.h>

#define ENDPOINTS "820282020182028201018202820100"
#define TIMES "821b000000beebcf080000 1a0036ee80"
#define P "+89070001" ENDPOINTS TIMES
#define Y "+8601010001 4568656c6c6f"
#define FLAGS(n, flags) "+" n "07" flags "01" ENDPOINTS TIMES
#define EXT(type, number, data) "+86" type number "0001" data
#define FROM(source) "+8907" source TIMES

struct row {
	const char *name;
	unsigned rule;
	const char *item[ITEMS_MAX];
	unsigned allow; /* bits: see read_row */
};

#define OUTSIDE 1u
#define NO_CRC 2u
#define NO_AGE 4u
#define DEFINITE 8u
#define SHORT_DTN 16u
#define FOREIGN 32u

static int read_row(const struct row *row, struct bundle *b, struct bundle_fault *fault,
	uint8_t *bytes, size_t *n)
{
	struct bundle_rules rules = bundle_rules_default();

	rules.from_outside = row->allow & OUTSIDE;
	rules.allow_no_primary_crc = row->allow & NO_CRC;
	rules.allow_no_age = row->allow & NO_AGE;
	rules.allow_definite = row->allow & DEFINITE;
	rules.allow_short_dtn = row->allow & SHORT_DTN;
	rules.allow_foreign = row->allow & FOREIGN;
	*n = compose(row->item, bytes);
	return bundle_read(b, view_of(bytes, *n), &rules, fault);
}

/* vectors.md 3, and the rules that it does not name. */
static const struct row refused[] = {
	{"empty array", RULE_PRIMARY_MISSING, {"9fff"}, 0},
	{"no bytes", RULE_EMPTY, {""}, 0},
	{"version 6 bundle", RULE_NOT_BUNDLE, {"0600"}, 0},
	{"definite outer", RULE_OUTER_DEFINITE, {"82", P, Y}, 0},
	{"primary only", RULE_PAYLOAD_MISSING, {"9f", P, "ff"}, 0},
	{"no payload", RULE_PAYLOAD_MISSING, {"9f", P, EXT("18c0", "02", "4100"), "ff"}, 0},
	{"payload number 2", RULE_PAYLOAD_NUMBER, {"9f", P, "+8601020001 4100", "ff"}, 0},
	{"payload not last", RULE_PAYLOAD_NOT_LAST, {"9f", P, Y, EXT("18c0", "02", "4100"), "ff"},
		0},
	{"two payloads", RULE_PAYLOAD_TWICE, {"9f", P, Y, Y, "ff"}, 0},
	{"two payloads, empty first", RULE_PAYLOAD_TWICE, {"9f", P, "+8601010001 40", Y, "ff"}, 0},
	{"number twice", RULE_BLOCK_NUMBER_TWICE,
		{"9f", P, EXT("18c0", "02", "4100"), EXT("18c1", "02", "4100"), Y, "ff"}, 0},
	{"number of the payload", RULE_BLOCK_NUMBER_TWICE,
		{"9f", P, EXT("18c0", "01", "4100"), Y, "ff"}, 0},
	{"block type 0", RULE_BLOCK_TYPE_ZERO, {"9f", P, EXT("00", "02", "4100"), Y, "ff"}, 0},
	{"block number 0", RULE_BLOCK_NUMBER_ZERO, {"9f", P, EXT("18c0", "00", "4100"), Y, "ff"},
		0},
	{"bad CRC", RULE_CRC_MISMATCH, {"9f", P, "8601010001 4568656c6c6f 424bf2", "ff"}, 0},
	{"bad primary CRC", RULE_CRC_MISMATCH, {"9f", "89070001" ENDPOINTS TIMES "420000", Y, "ff"},
		0},
	{"CRC of three bytes", RULE_CRC_FIELD, {"9f", P, "8601010001 4568656c6c6f 434bf300", "ff"},
		0},
	{"CRC is a number", RULE_CRC_FIELD, {"9f", P, "8601010001 4568656c6c6f 00", "ff"}, 0},
	{"no break", RULE_TRUNCATED, {"9f", P, Y}, 0},
	{"byte behind", RULE_TRAILING, {"9f", P, Y, "ff00"}, 0},
	{"long number", RULE_NOT_SHORTEST,
		{"9f", "+89070001" ENDPOINTS "821b000000beebcf080000 190017", Y, "ff"}, 0},
	{"long length", RULE_NOT_SHORTEST, {"9f", P, "+8601010001 580568656c6c6f", "ff"}, 0},
	{"long number in a block", RULE_NOT_SHORTEST, {"9f", P, EXT("07", "02", "421800"), Y, "ff"},
		0},
	{"hop limit 0", RULE_HOP_RANGE, {"9f", P, EXT("0a", "02", "43820000"), Y, "ff"}, 0},
	{"hop limit 256", RULE_HOP_RANGE, {"9f", P, EXT("0a", "02", "458219010000"), Y, "ff"}, 0},
	{"hop count of one number", RULE_HOP_FORM, {"9f", P, EXT("0a", "02", "43811818"), Y, "ff"},
		0},
	{"two previous nodes", RULE_BLOCK_TYPE_TWICE,
		{"9f", P, EXT("06", "02", "458202820900"), EXT("06", "03", "458202820900"), Y,
			"ff"},
		0},
	{"two ages", RULE_BLOCK_TYPE_TWICE,
		{"9f", P, EXT("07", "02", "4100"), EXT("07", "03", "4100"), Y, "ff"}, 0},
	{"two hop counts", RULE_BLOCK_TYPE_TWICE,
		{"9f", P, EXT("0a", "02", "43820100"), EXT("0a", "03", "43820100"), Y, "ff"}, 0},
	{"two custody blocks", RULE_BLOCK_TYPE_TWICE,
		{"9f", P, EXT("0d", "02", "48830c018202820100"),
			EXT("0d", "03", "48830c018202820100"), Y, "ff"},
		0},
	{"two custody blocks and another one", RULE_BLOCK_TYPE_TWICE,
		{"9f", P, EXT("0d", "02", "48830c018202820100"), EXT("0d", "04", "4100"),
			EXT("0d", "03", "48830c018202820100"), Y, "ff"},
		FOREIGN},
	{"bad CRC of somebody's block", RULE_CRC_MISMATCH,
		{"9f", P, "860d02000141ff424bf2", Y, "ff"}, FOREIGN},
	{"custody without custodian", RULE_CTEB_FORM,
		{"9f", P, EXT("0d", "02", "46830c01820100"), Y, "ff"}, 0},
	{"custody of two items", RULE_CTEB_FORM,
		{"9f", P, EXT("0d", "02", "47820c8202820100"), Y, "ff"}, 0},
	{"reporting block of no items", RULE_CREB_FORM, {"9f", P, EXT("0e", "02", "4180"), Y, "ff"},
		0},
	{"reporting block of six items", RULE_CREB_FORM,
		{"9f", P, EXT("0e", "02", "4f86 0701 0f 8202820100 8202820100 00"), Y, "ff"}, 0},
	{"two reporting blocks", RULE_BLOCK_TYPE_TWICE,
		{"9f", P, EXT("0e", "02", "428107"), EXT("0e", "03", "428107"), Y, "ff"}, 0},
	{"previous node is a number", RULE_PREVIOUS_NODE,
		{"9f", P, EXT("06", "02", "43000000"), Y, "ff"}, 0},
	{"previous node and more", RULE_PREVIOUS_NODE,
		{"9f", P, EXT("06", "02", "46820282090000"), Y, "ff"}, 0},
	{"age is text", RULE_AGE_FORM, {"9f", P, EXT("07", "02", "426161"), Y, "ff"}, 0},
	{"no clock, no age", RULE_AGE_MISSING,
		{"9f", "+89070001" ENDPOINTS "820007 1a0036ee80", Y, "ff"}, 0},
	{"admin asks for reports", RULE_ADMIN_REPORTS, {"9f", FLAGS("89", "194002"), Y, "ff"}, 0},
	{"anonymous asks for reports", RULE_ANONYMOUS_REPORTS,
		{"9f", FROM("19400401 8202820201 820100 8202820100"), Y, "ff"}, 0},
	{"anonymous may be cut", RULE_ANONYMOUS_FRAGMENT,
		{"9f", FROM("0001 8202820201 820100 8202820100"), Y, "ff"}, 0},
	{"ipn:0.5 is anonymous", RULE_ANONYMOUS_FRAGMENT,
		{"9f", FROM("0001 8202820201 8202820005 8202820100"), Y, "ff"}, 0},
	{"block of admin asks for report", RULE_BLOCK_REPORT_FLAG,
		{"9f", FLAGS("89", "02"), "+8618c002 0201 4100", Y, "ff"}, 0},
	{"version 6", RULE_VERSION, {"9f", "+89060001" ENDPOINTS TIMES, Y, "ff"}, 0},
	{"version 8", RULE_VERSION, {"9f", "+89080001" ENDPOINTS TIMES, Y, "ff"}, 0},
	{"CRC type 3", RULE_CRC_TYPE, {"9f", "+89070003" ENDPOINTS TIMES, Y, "ff"}, 0},
	{"CRC type 3 of a block", RULE_CRC_TYPE, {"9f", P, "+8601010003 4100", "ff"}, 0},
	{"ten items, no fragment", RULE_PRIMARY_LENGTH, {"9f", FLAGS("8a", "00"), Y, "ff"}, 0},
	{"open primary, one item more", RULE_PRIMARY_LENGTH,
		{"9f", "9f070001" ENDPOINTS TIMES "42000000ff", Y, "ff"}, 0},
	{"seven items in a block", RULE_BLOCK_LENGTH, {"9f", P, "+8701010001 4100", "ff"}, 0},
	{"payload is text", RULE_BLOCK_DATA, {"9f", P, "+8601010001 6568656c6c6f", "ff"}, 0},
	{"payload in chunks", RULE_BLOCK_DATA, {"9f", P, "+8601010001 5f4568656c6c6fff", "ff"}, 0},
	{"fragment beyond the end", RULE_FRAGMENT_RANGE,
		{"9f", "+8b070101" ENDPOINTS TIMES "183c1840", Y, "ff"}, 0},
	{"empty fragment", RULE_FRAGMENT_EMPTY,
		{"9f", "+8b070101" ENDPOINTS TIMES "183c1840", "+8601010001 40", "ff"}, 0},
	{"LocalNode as destination", RULE_LOCAL_NODE,
		{"9f", FROM("0001 8202821affffffff01 8202820101 8202820100"), Y, "ff"}, OUTSIDE},
	{"LocalNode as source", RULE_LOCAL_NODE,
		{"9f", FROM("0001 8202820101 820283001affffffff01 8202820100"), Y, "ff"}, OUTSIDE},
	{"no CRC at all", RULE_PRIMARY_CRC_MISSING, {"9f", "88070000" ENDPOINTS TIMES, Y, "ff"}, 0},
	{"flags are text", RULE_ITEM_TYPE, {"9f", FLAGS("89", "60"), Y, "ff"}, 0},
	{"flags are broken CBOR", RULE_CBOR_FORM, {"9f", FLAGS("89", "1c"), Y, "ff"}, 0},
	{"dtn none as text", RULE_EID_FORM,
		{"9f", FROM("0001 8201646e6f6e65 8202820101 8202820100"), Y, "ff"}, 0},
	{"short dtn", RULE_EID_FORM,
		{"9f", FROM("0001 8201646e322f61 8202820101 8202820100"), Y, "ff"}, 0},
	{"group as source", RULE_SOURCE_GROUP,
		{"9f", FROM("0001 8202820101 8201662f2f612f7e67 8202820100"), Y, "ff"}, 0},
};

static const struct row accepted[] = {
	{"G1 as composed", 0, {"9f", P, Y, "ff"}, 0},
	{"unknown bundle flags", 0, {"9f", FLAGS("89", "1b8000000000100018"), Y, "ff"}, 0},
	{"unknown block and flags", 0, {"9f", P, "+8618c002 18e0 01 4100", Y, "ff"}, 0},
	{"three-element ipn", 0, {"9f", FROM("0001 820283000201 8202820101 8202820100"), Y, "ff"},
		0},
	{"open primary", 0, {"9f", "~9f070001" ENDPOINTS TIMES, Y, "ff"}, 0},
	{"open payload block", 0, {"9f", P, "~9f01010001 4568656c6c6f", "ff"}, 0},
	{"open endpoint ID and times", 0,
		{"9f",
			"+89070001 9f02 9f0201ffff 8202820101 8202820100 9f1b000000beebcf080000ff "
			"1a0036ee80",
			Y, "ff"},
		0},
	{"dtn in chunked text", 0,
		{"9f", FROM("0001 8201 7f 632f2f6e 60 632f6170 ff 8202820101 8202820100"), Y, "ff"},
		0},
	{"tag 55799", 0, {"d9d9f7 9f", P, Y, "ff"}, 0},
	{"definite outer", 0, {"82", P, Y}, DEFINITE},
	{"no CRC on the primary block", 0, {"9f", "88070000" ENDPOINTS TIMES, Y, "ff"}, NO_CRC},
	{"integrity block over the primary", 0,
		{"9f", "88070000" ENDPOINTS TIMES, EXT("0b", "02", "498100010082028201 00"), Y,
			"ff"},
		0},
	{"no clock, no age", 0, {"9f", "+89070001" ENDPOINTS "820007 1a0036ee80", Y, "ff"}, NO_AGE},
	{"short dtn", 0, {"9f", FROM("0001 8201646e322f61 8202820101 8202820100"), Y, "ff"},
		SHORT_DTN},
	{"LocalNode inside", 0,
		{"9f", FROM("0001 8202821affffffff01 8202820101 8202820100"), Y, "ff"}, 0},
	{"anonymous, not to be cut", 0, {"9f", FROM("0401 8202820201 820100 820100"), Y, "ff"}, 0},
	{"unknown scheme as report-to", 0,
		{"9f", FROM("0001 8202820201 8202820101 82186341aa"), Y, "ff"}, 0},
	{"encrypted hop count", 0,
		{"9f", P, EXT("0a", "02", "44deadbeef"), EXT("0c", "03", "498102010082028201 00"),
			Y, "ff"},
		0},
	{"custody block in a fragment", 0,
		{"9f", "+8b070101" ENDPOINTS TIMES "00183c", EXT("0d", "02", "41ff"), Y, "ff"}, 0},
	{"empty payload", 0, {"9f", P, "+8601010001 40", "ff"}, 0},
	{"somebody's block of type 13", 0, {"9f", P, EXT("0d", "02", "4100"), Y, "ff"}, FOREIGN},
	{"somebody's two blocks of type 14", 0,
		{"9f", P, EXT("0e", "02", "40"), EXT("0e", "03", "431818ff"), Y, "ff"}, FOREIGN},
};

/* 5.6-3/2 is about what "this specification" says of a block; types 13 and 14 it does not know. Such a
 * block is told from ours, wherever it stands. RFC 9171 5.6-3/2, 5.6-4/d1 */
Test(rules, foreign_blocks)
{
	static const struct {
		const char *block[3];
		uint64_t foreign;
		bool has_cteb, has_creb;
	} t[] = {
		{{EXT("0d", "02", "4100"), EXT("0d", "03", "48830c018202820100"),
			 EXT("0e", "04", "428107")},
			1, true, true},
		{{EXT("0d", "02", "48830c018202820100"), EXT("0d", "03", "48830c018202820000"),
			 EXT("0e", "04", "4180")},
			6, true, false},
		{{EXT("0d", "02", "46830c01820100"), EXT("0e", "03", "428107"),
			 EXT("0e", "04", "431818ff")},
			5, false, true},
		{{EXT("0d", "02", "49831800018202820100"), EXT("0e", "03", "40"),
			 EXT("0f", "04", "40")},
			3, false, false},
	};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		const char *const item[ITEMS_MAX] = {
			"9f", P, t[i].block[0], t[i].block[1], t[i].block[2], Y, "ff"};
		struct bundle_rules rules = bundle_rules_default();
		uint8_t bytes[VECTOR_MAX];
		size_t n = compose(item, bytes);
		struct bundle_fault fault;
		struct bundle b;

		cr_expect_lt(bundle_read(&b, view_of(bytes, n), &rules, &fault), 0);
		rules.allow_foreign = true;
		cr_assert_eq(bundle_read(&b, view_of(bytes, n), &rules, &fault), 0, "row %zu: %s",
			i, rule_name(fault.rule));
		cr_expect(fault.rule == RULE_NONE && fault.err == 0);
		cr_expect_eq(b.foreign, t[i].foreign, "row %zu", i);
		cr_expect_eq(b.has_cteb, t[i].has_cteb, "row %zu", i);
		cr_expect_eq(b.has_creb, t[i].has_creb, "row %zu", i);
		cr_expect(!b.has_cteb || (b.cteb.seq_no == 12 && b.cteb.custodian.node == 1));
		cr_expect(b.has_cteb || b.cteb.seq_no == 0);
		cr_expect(!b.has_creb || b.creb.seq_no == 7);
	}
}

Test(rules, each_refusal_has_its_own)
{
	bool told[RULES] = {0};

	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		uint8_t bytes[VECTOR_MAX];
		struct bundle b;
		struct bundle_fault fault;
		size_t n;
		int err = read_row(&refused[i], &b, &fault, bytes, &n);
		cr_expect_lt(err, 0, "%s", refused[i].name);
		cr_expect_eq(fault.rule, refused[i].rule, "%s: %s, want %s", refused[i].name,
			rule_name(fault.rule), rule_name(refused[i].rule));
		cr_expect_leq(fault.at, n, "%s", refused[i].name);
		told[fault.rule] = true;
	}
	/* the two limits have a test of their own below, those of BPSec are in test_bpsec_rules.c */
	for (unsigned k = 1; k < RULES; k++)
		cr_expect(told[k] || k == RULE_BLOCKS_LIMIT || k == RULE_HEAD_LIMIT ||
				  (k >= RULE_SECURITY_FORM && k <= RULE_BCB_DISCARD),
			"no case for %s", rule_name(k));
}

Test(rules, what_must_be_accepted)
{
	for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
		uint8_t bytes[VECTOR_MAX];
		struct bundle b;
		struct bundle_fault fault;
		size_t n;
		int err = read_row(&accepted[i], &b, &fault, bytes, &n);
		cr_expect_eq(
			err, 0, "%s: %s at %zu", accepted[i].name, rule_name(fault.rule), fault.at);
		for (size_t cut = 0; cut < n; cut++) {
			struct bundle_rules rules = bundle_rules_default();
			cr_expect_lt(bundle_read(&b, view_of(bytes, cut), &rules, &fault), 0,
				"%s cut at %zu", accepted[i].name, cut);
		}
	}
}

Test(rules, limits)
{
	static uint8_t bytes[2 * BUNDLE_HEAD_MAX];
	static const uint8_t data[BUNDLE_HEAD_MAX];
	struct block_spec block[BUNDLE_BLOCKS_MAX + 1];
	struct bundle_spec spec = {.dest = eid_ipn(2, 1),
		.source = eid_ipn(1, 1),
		.report_to = eid_null(),
		.created_ms = T0,
		.crc_type = CRC_16,
		.block_crc_type = CRC_NONE,
		.block = block};
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct bundle b;
	struct buf out;

	for (unsigned k = 0; k <= BUNDLE_BLOCKS_MAX; k++)
		block[k] = (struct block_spec){.type = 200};
	spec.n_blocks = BUNDLE_BLOCKS_MAX - 1;
	out = buf_of(bytes, sizeof bytes);
	cr_assert_eq(bundle_build(&out, &spec, view_text("x")), 0);
	cr_expect_eq(bundle_read(&b, buf_view(&out), &rules, &fault), 0);
	cr_expect_eq(b.n_blocks, BUNDLE_BLOCKS_MAX);
	spec.n_blocks = BUNDLE_BLOCKS_MAX;
	out.len = 0;
	cr_expect_eq(bundle_build(&out, &spec, view_text("x")), -E_RULE);
	/* one more by hand: the last extension block once again in front of the payload block */
	uint8_t extra[] = {0x85, 0x18, 0xc8, 0x18, 0x63, 0x00, 0x00, 0x40};
	memmove(bytes + b.head.n + sizeof extra - b.block[63].whole.n,
		bytes + b.head.n - b.block[63].whole.n,
		b.block[63].whole.n + b.payload.n + b.tail.n);
	memcpy(bytes + b.head.n - b.block[63].whole.n, extra, sizeof extra);
	size_t n = b.head.n + b.payload.n + b.tail.n + sizeof extra;
	cr_expect_lt(bundle_read(&b, view_of(bytes, n), &rules, &fault), 0);
	cr_expect_eq(fault.rule, RULE_BLOCKS_LIMIT, "%s", rule_name(fault.rule));

	/* a head that is one block too large */
	spec.n_blocks = 1;
	block[0].data = view_of(data, sizeof data);
	out.len = 0;
	cr_expect_eq(bundle_build(&out, &spec, view_text("x")), -E_RULE);
	buf_put(&out, view_text("x"));
	uint32_t crc = 0;
	cr_expect_eq(bundle_build_tail(&out, &spec, crc), 0);
	cr_expect_lt(bundle_read(&b, buf_view(&out), &rules, &fault), 0);
	cr_expect_eq(fault.rule, RULE_HEAD_LIMIT, "%s", rule_name(fault.rule));
}
