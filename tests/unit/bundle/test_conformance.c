/* RFC 9171 section 4, a family of rules a test: bundles made from G1 with one thing changed. The
 * tags are ids of docs/rfc9171.req. EIDs and administrative records: test_conformance_eid.c. */
#include "tests/unit/bundle/vectors.h"

#include "bundle/admin.h"
#include "bundle/cbor.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define ENDPOINTS "820282020182028201018202820100"
#define TIMES "821b000000beebcf080000 1a0036ee80"
#define P "+89070001" ENDPOINTS TIMES
#define Y "+8601010001 4568656c6c6f"
#define FLAGS(flags) "+8907" flags "01" ENDPOINTS TIMES
#define ANONYMOUS(flags) "+8907" flags "01 8202820201 820100 820100" TIMES
#define EXT(type, number, data) "+86" type number "0001" data
#define BIB "+860b020001 4f 8100 01 00 8202820100 818182014100"
#define OK 0u
#define ROWS(t) (sizeof(t) / sizeof *(t))

struct row {
	unsigned rule; /* that refuses it; OK: taken */
	const char *item[ITEMS_MAX];
};

static unsigned judge(const char *const item[ITEMS_MAX], struct bundle *b, uint8_t *bytes)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	size_t n = compose(item, bytes);

	return bundle_read(b, view_of(bytes, n), &rules, &fault) ? fault.rule : OK;
}

static void expect_rows(const struct row *row, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t bytes[VECTOR_MAX];
		struct bundle b;
		unsigned rule = judge(row[i].item, &b, bytes);

		cr_expect_eq(rule, row[i].rule, "row %zu: %s, want %s", i, rule_name(rule),
			rule_name(row[i].rule));
	}
}

static const struct bundle_spec good = {.dest = {.scheme = 2, .node = 2, .service = 1},
	.source = {.scheme = 2, .node = 1, .service = 1},
	.report_to = {.scheme = 2, .node = 1},
	.created_ms = T0,
	.lifetime_ms = 3600000,
	.crc_type = CRC_16,
	.block_crc_type = CRC_16,
	.custody = {.cteb_type = 13, .creb_type = 14}};

static struct view build(const struct bundle_spec *s, uint8_t out[VECTOR_MAX])
{
	struct buf b = buf_of(out, VECTOR_MAX);

	cr_assert_eq(bundle_build(&b, s, view_text("hello")), 0);
	return buf_view(&b);
}

/* RFC 9171 4.1/3, 4.1/4, 4.1/4b, 4.1/5, 4.1/6, 4.1/7, 4.1/7b, 4.1/8, 4.1/9 */
Test(conformance, framing)
{
	static const struct row t[] = {{OK, {"9f", P, Y, "ff"}},
		{RULE_OUTER_DEFINITE, {"82", P, Y}}, {RULE_PRIMARY_MISSING, {"9fff"}},
		{RULE_PAYLOAD_MISSING, {"9f", P, "ff"}}, {RULE_VERSION, {"9f", Y, P, "ff"}},
		{RULE_ITEM_TYPE, {"9f", P, P, Y, "ff"}}, {RULE_ITEM_TYPE, {"9f", P, "00", Y, "ff"}},
		{RULE_ITEM_TYPE, {"9f", P, "a0", Y, "ff"}},
		{RULE_PAYLOAD_NOT_LAST, {"9f", P, Y, EXT("18c0", "02", "4100"), "ff"}},
		{RULE_PAYLOAD_TWICE, {"9f", P, Y, Y, "ff"}}, {RULE_TRUNCATED, {"9f", P, Y}},
		{RULE_TRAILING, {"9f", P, Y, "ffff"}}, {RULE_NOT_BUNDLE, {"bf", P, Y, "ff"}}};
	uint8_t out[VECTOR_MAX];
	struct view made = build(&good, out);

	expect_rows(t, ROWS(t));
	cr_expect(made.p[0] == 0x9f && made.p[made.n - 1] == 0xff);
}

/* RFC 9171 4.1/1, 4.1/2: each kind of number and length, in each place, one octet too long */
Test(conformance, shortest_form)
{
	static const struct row t[] = {
		{RULE_NOT_SHORTEST, {"9f", "+8918070001" ENDPOINTS TIMES, Y, "ff"}},
		{RULE_NOT_SHORTEST, {"9f", "+8907180001" ENDPOINTS TIMES, Y, "ff"}},
		{RULE_NOT_SHORTEST, {"9f", "+89070018 01" ENDPOINTS TIMES, Y, "ff"}},
		{RULE_NOT_SHORTEST, {"9f",
					    "+8907000182 1802820201"
					    "8202820101820282 0100" TIMES,
					    Y, "ff"}},
		{RULE_NOT_SHORTEST,
			{"9f", "+89070001 8202821802 01 8202820101 8202820100" TIMES, Y, "ff"}},
		{RULE_NOT_SHORTEST,
			{"9f", "+89070001" ENDPOINTS "821b000000beebcf08001800 1a0036ee80", Y,
				"ff"}},
		{RULE_NOT_SHORTEST,
			{"9f", "+89070001" ENDPOINTS "821b000000beebcf080000 1b000000000036ee80", Y,
				"ff"}},
		{RULE_NOT_SHORTEST, {"9f", P, "+86180101 0001 4568656c6c6f", "ff"}},
		{RULE_NOT_SHORTEST, {"9f", P, "+860118010001 4568656c6c6f", "ff"}},
		{RULE_NOT_SHORTEST, {"9f", P, "+860101180001 4568656c6c6f", "ff"}},
		{RULE_NOT_SHORTEST, {"9f", P, "+8601010001 580568656c6c6f", "ff"}},
		{RULE_NOT_SHORTEST, {"9f", P, EXT("07", "02", "421801"), Y, "ff"}},
		{RULE_NOT_SHORTEST, {"9f", P, EXT("0a", "02", "4482181e00"), Y, "ff"}},
		{RULE_CBOR_FORM, {"9f", "+89071c01" ENDPOINTS TIMES, Y, "ff"}},
		/* indefinite arrays and text are the exception */
		{OK, {"9f", "~9f070001" ENDPOINTS TIMES, Y, "ff"}},
		{OK, {"9f", P, "~9f01010001 4568656c6c6f", "ff"}},
		{OK, {"9f", "+89070001 82017f632f2f6e622f61ff 8202820101 8202820100" TIMES, Y,
			     "ff"}}};
	static const struct row limit = {OK, {"9f", P, EXT("0a", "02", "4482181e00"), Y, "ff"}};

	for (size_t i = 0; i < ROWS(t); i++)
		if (i != 12)
			expect_rows(&t[i], 1);
	expect_rows(&limit, 1); /* 30 does need two octets */
}

/* RFC 9171 4.1/d1, 4.1/d2, 4.1/d3, 4.1/d4, 4.3.2/3 */
Test(conformance, block_numbers)
{
	static const struct row t[] = {
		{OK, {"9f", P, EXT("18c0", "09", "4100"), EXT("18c0", "02", "4100"), Y, "ff"}},
		{OK, {"9f", P, EXT("18c0", "1bffffffffffffffff", "4100"), Y, "ff"}},
		{RULE_BLOCK_NUMBER_TWICE,
			{"9f", P, EXT("18c0", "02", "4100"), EXT("18c1", "02", "4100"), Y, "ff"}},
		{RULE_BLOCK_NUMBER_TWICE, {"9f", P, EXT("18c0", "01", "4100"), Y, "ff"}},
		{RULE_BLOCK_NUMBER_ZERO, {"9f", P, EXT("18c0", "00", "4100"), Y, "ff"}},
		{RULE_PAYLOAD_NUMBER, {"9f", P, "+8601020001 4568656c6c6f", "ff"}},
		{RULE_ITEM_TYPE, {"9f", P, EXT("18c0", "20", "4100"), Y, "ff"}},
		{RULE_ITEM_TYPE, {"9f", P, EXT("18c0", "4102", "4100"), Y, "ff"}}};

	expect_rows(t, ROWS(t));
}

/* RFC 9171 4.2.1/d1, 4.2.1/1, 4.2.2/1, 4.2.2/2, 4.3.1/15, 4.3.2/5, 4.3.2/d3 */
Test(conformance, crc_types)
{
	static const struct row t[] = {
		{RULE_CRC_TYPE, {"9f", "+89070003" ENDPOINTS TIMES, Y, "ff"}},
		{RULE_CRC_TYPE, {"9f", P, "+8601010003 4568656c6c6f", "ff"}},
		{RULE_ITEM_TYPE, {"9f", "+89070020" ENDPOINTS TIMES, Y, "ff"}},
		{RULE_ITEM_TYPE, {"9f", P, "+8601010041 4568656c6c6f", "ff"}},
		{RULE_PRIMARY_LENGTH, {"9f", "88070001" ENDPOINTS TIMES, Y, "ff"}},
		{RULE_PRIMARY_LENGTH, {"9f", "+89070000" ENDPOINTS TIMES, BIB, Y, "ff"}},
		{RULE_BLOCK_LENGTH, {"9f", P, "8501010001 4568656c6c6f", "ff"}},
		{RULE_BLOCK_LENGTH, {"9f", P, "+8601010000 4568656c6c6f", "ff"}},
		{OK, {"9f", P, "8501010000 4568656c6c6f", "ff"}},
		{RULE_CRC_FIELD, {"9f", P, "8601010001 4568656c6c6f 4400000000", "ff"}},
		{RULE_CRC_FIELD, {"9f", P, "8601010002 4568656c6c6f 420000", "ff"}},
		{RULE_CRC_FIELD, {"9f", P, "8601010001 4568656c6c6f 19f3f3", "ff"}},
		{RULE_CRC_FIELD, {"9f", P, "8601010001 4568656c6c6f 62f3f3", "ff"}}};

	expect_rows(t, ROWS(t));
}

/* RFC 9171 4.2.2/2b, 4.3.1/16, 4.3.1/16b, 4.3.2/5b, 4.3.2/5c: the CRC over all bytes, the field's
 * own as zero, breaks counted, lowest octet last */
Test(conformance, crc_values)
{
	static const char *const open[ITEMS_MAX] = {
		"9f", "~9f070001" ENDPOINTS TIMES, "~9f01010001 4568656c6c6f", "ff"};
	struct bundle b;
	uint8_t bytes[VECTOR_MAX], out[VECTOR_MAX];
	struct bundle_spec s = good;

	cr_expect_eq(judge(open, &b, bytes), OK);
	for (unsigned type = CRC_16; type <= CRC_32C; type++) {
		uint8_t copy[VECTOR_MAX];
		uint32_t value = 0;
		size_t n = crc_size((enum crc_type)type);

		s.crc_type = s.block_crc_type = (enum crc_type)type;
		struct view made = build(&s, out);
		uint8_t *field = copy + made.n - 1 - n;
		/* the payload block is the last: 5 octets of head, head of the data, data, field */
		uint8_t *block = field - 1 - 5 - 6;
		memcpy(copy, made.p, made.n);
		for (size_t i = 0; i < n; i++)
			value = value << 8 | field[i];
		memset(field, 0, n);
		cr_expect_eq(
			crc_update((enum crc_type)type, 0, view_of(block, 5 + 6 + 1 + n)), value);
	}
}

/* Every octet of every block with a CRC counts: any one changed, with the CRCs as they were, is
 * refused. RFC 9171 5.6-3, 5.6-3/2 */
Test(conformance, every_octet_counts)
{
	uint8_t bytes[VECTOR_MAX];
	size_t n = vector_load("g2", bytes);
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct bundle b;

	for (size_t i = 0; i < n; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes[i] ^= (uint8_t)(1u << bit);
			cr_expect_lt(bundle_read(&b, view_of(bytes, n), &rules, &fault), 0,
				"octet %zu bit %u", i, bit);
			bytes[i] ^= (uint8_t)(1u << bit);
		}
}

/* RFC 9171 4.2.3/1, 4.2.3/2, 4.2.3/2b, 4.2.4/3 */
Test(conformance, flags_that_exclude_each_other)
{
	static const char *const report[] = {"194002", "1a00010002", "1a00020002", "1a00040002"};
	static const char *const anonymous[] = {"194004", "1a00010004", "1a00020004", "1a00040004"};
	static const struct row t[] = {{OK, {"9f", FLAGS("1842"), Y, "ff"}},
		{OK, {"9f", ANONYMOUS("04"), Y, "ff"}},
		{RULE_ANONYMOUS_FRAGMENT, {"9f", ANONYMOUS("00"), Y, "ff"}},
		{RULE_BLOCK_REPORT_FLAG, {"9f", FLAGS("02"), "+8618c0020201 4100", Y, "ff"}},
		{RULE_BLOCK_REPORT_FLAG, {"9f", FLAGS("02"), "+8601010201 4568656c6c6f", "ff"}},
		{RULE_BLOCK_REPORT_FLAG, {"9f", ANONYMOUS("04"), "+8618c0020201 4100", Y, "ff"}},
		{OK, {"9f", P, "+8618c0020201 4100", Y, "ff"}}};
	uint8_t bytes[VECTOR_MAX];
	struct bundle b;

	expect_rows(t, ROWS(t));
	for (size_t i = 0; i < 4; i++) {
		char admin[96], none[96];
		const char *const a[ITEMS_MAX] = {"9f", admin, Y, "ff"};
		const char *const n[ITEMS_MAX] = {"9f", none, Y, "ff"};

		snprintf(admin, sizeof admin, "+8907%s01%s%s", report[i], ENDPOINTS, TIMES);
		snprintf(none, sizeof none, "+8907%s01 8202820201 820100 820100%s", anonymous[i],
			TIMES);
		cr_expect_eq(judge(a, &b, bytes), RULE_ADMIN_REPORTS, "%s", report[i]);
		cr_expect_eq(judge(n, &b, bytes), RULE_ANONYMOUS_REPORTS, "%s", anonymous[i]);
	}
}

/* RFC 9171 4.2.3/3, 4.2.3/4, 4.2.3/4b, 4.2.3/d1, 4.2.3/d2: every bit alone is read as such, and the
 * unknown ones change nothing */
Test(conformance, bundle_flags)
{
	static const uint64_t known[] = {BUNDLE_FRAGMENT, BUNDLE_ADMIN, BUNDLE_NO_FRAGMENT,
		BUNDLE_ACK_REQUESTED, BUNDLE_STATUS_TIME, BUNDLE_REPORT_RECEPTION,
		BUNDLE_REPORT_FORWARDING, BUNDLE_REPORT_DELIVERY, BUNDLE_REPORT_DELETION};
	static const unsigned bit[] = {0, 1, 2, 5, 6, 14, 16, 17, 18};
	static const struct row text = {RULE_ITEM_TYPE, {"9f", FLAGS("60"), Y, "ff"}};
	uint64_t all = 0;

	expect_rows(&text, 1);
	for (size_t i = 0; i < ROWS(bit); i++) {
		cr_expect_eq(known[i], UINT64_C(1) << bit[i]);
		all |= known[i];
	}
	for (unsigned k = 0; k < 64; k++) {
		char primary[96];
		const char *const item[ITEMS_MAX] = {"9f", primary, Y, "ff"};
		uint8_t bytes[VECTOR_MAX], flags[9];
		struct buf w = buf_of(flags, sizeof flags);
		struct bundle b;
		char hex[19] = "";

		if (all >> k & 1)
			continue;
		cbor_put_uint(&w, UINT64_C(1) << k);
		for (size_t i = 0; i < w.len; i++)
			snprintf(hex + 2 * i, 3, "%02x", flags[i]);
		snprintf(primary, sizeof primary, "+8907%s01%s%s", hex, ENDPOINTS, TIMES);
		cr_expect_eq(judge(item, &b, bytes), OK, "bit %u", k);
		cr_expect_eq(b.flags, UINT64_C(1) << k);
	}
}

/* RFC 9171 4.2.4/1, 4.2.4/2, 4.2.4/2b, 4.2.4/d1, 4.2.4/d2 */
Test(conformance, block_flags)
{
	static const struct row t[] = {{OK, {"9f", P, "+8618c002 08 01 4100", Y, "ff"}},
		{OK, {"9f", P, "+8618c002 1820 01 4100", Y, "ff"}},
		{OK, {"9f", P, "+8618c002 1840 01 4100", Y, "ff"}},
		{OK, {"9f", P, "+8618c002 1880 01 4100", Y, "ff"}},
		{OK, {"9f", P, "+8618c002 1bffffffffffffff00 01 4100", Y, "ff"}},
		{RULE_ITEM_TYPE, {"9f", P, "+8618c002 20 01 4100", Y, "ff"}},
		{RULE_ITEM_TYPE, {"9f", P, "+8618c002 f4 01 4100", Y, "ff"}}};
	static const char *const four[ITEMS_MAX] = {"9f", P, "+8618c002 17 01 4100", Y, "ff"};
	uint8_t bytes[VECTOR_MAX];
	struct bundle b;

	expect_rows(t, ROWS(t));
	cr_assert_eq(judge(four, &b, bytes), OK);
	cr_expect_eq(b.block[0].flags,
		BLOCK_REPLICATE | BLOCK_REPORT | BLOCK_DELETE_BUNDLE | BLOCK_DISCARD);
	cr_expect(BLOCK_REPLICATE == 1 && BLOCK_REPORT == 2 && BLOCK_DELETE_BUNDLE == 4 &&
		  BLOCK_DISCARD == 16);
}

/* RFC 9171 4.2.6/d1, 4.2.6/1, 4.2.6/d2, 4.2.6/d3, 4.2.7/1, 4.2.7/2, 4.2.7/3, 4.3.1/9, 4.3.1/d1 */
Test(conformance, times)
{
#define TIMED(times)                                                                               \
	{                                                                                          \
		"9f", "+89070001" ENDPOINTS times, EXT("07", "02", "4100"), Y, "ff"                \
	}
	static const struct row t[] = {{OK, TIMED("8200 00 00")},
		{OK, TIMED("82 1bffffffffffffffff 1bffffffffffffffff 1bffffffffffffffff")},
		{RULE_ITEM_TYPE, TIMED("82 20 00 00")}, {RULE_ITEM_TYPE, TIMED("82 00 20 00")},
		{RULE_ITEM_TYPE, TIMED("82 00 00 20")}, {RULE_ITEM_TYPE, TIMED("00 00")},
		{RULE_CBOR_FORM, TIMED("8100 00")}, {RULE_CBOR_FORM, TIMED("83000000 00")},
		{RULE_ITEM_TYPE, TIMED("82 fb4267d779e1000000 00 00")}};
	uint8_t bytes[VECTOR_MAX];
	struct bundle b;

	expect_rows(t, ROWS(t));
	cr_assert_eq(judge(t[1].item, &b, bytes), OK);
	cr_expect(b.created_ms == UINT64_MAX && b.seq == UINT64_MAX && b.lifetime_ms == UINT64_MAX);
	/* 2025-12-25T17:46:40Z is 1766684800 s of Unix time; the epoch is 2000-01-01T00:00:00Z */
	cr_expect_eq(T0, (UINT64_C(1766684800) - DTN_EPOCH_UNIX_S) * 1000);
}

/* RFC 9171 4.3.1/1, 4.3.1/1b, 4.3.1/4, 4.3.1/4b, 4.3.1/5, 4.3.1/10, 4.3.1/11, 4.3.1/12, 4.3.1/13 */
Test(conformance, primary_block)
{
#define FRAGMENT(n, more) n "070101" ENDPOINTS TIMES more
	static const struct row t[] = {{OK, {"9f", FRAGMENT("+8b", "0a183c"), Y, "ff"}},
		{RULE_PRIMARY_LENGTH, {"9f", FRAGMENT("+89", ""), Y, "ff"}},
		{RULE_PRIMARY_LENGTH, {"9f", FRAGMENT("+8a", "0a"), Y, "ff"}},
		{RULE_PRIMARY_LENGTH, {"9f", FRAGMENT("+8c", "0a183c00"), Y, "ff"}},
		{RULE_PRIMARY_LENGTH, {"9f", "+8b070001" ENDPOINTS TIMES "0a183c", Y, "ff"}},
		{RULE_ITEM_TYPE, {"9f", FRAGMENT("+8b", "20183c"), Y, "ff"}},
		{RULE_ITEM_TYPE, {"9f", FRAGMENT("+8b", "0a20"), Y, "ff"}},
		{RULE_FRAGMENT_RANGE, {"9f", FRAGMENT("+8b", "183b183c"), Y, "ff"}},
		{RULE_VERSION, {"9f", "+89060001" ENDPOINTS TIMES, Y, "ff"}},
		{RULE_ITEM_TYPE, {"9f", "+8941070001" ENDPOINTS TIMES, Y, "ff"}},
		{RULE_ITEM_TYPE, {"9f", "a107000182", Y, "ff"}},
		{RULE_ITEM_TYPE, {"9f", "+8907" ENDPOINTS "0001" TIMES, Y, "ff"}}};
	struct bundle_spec s = good;
	uint8_t out[VECTOR_MAX];

	expect_rows(t, ROWS(t));
	for (unsigned fragment = 0; fragment < 2; fragment++)
		for (unsigned crc = CRC_NONE; crc <= CRC_32C; crc++) {
			s.flags = fragment ? BUNDLE_FRAGMENT : 0;
			s.total_len = fragment ? 100 : 0;
			s.crc_type = (enum crc_type)crc;
			cr_expect_eq(build(&s, out).p[1], 0x88 + 2 * fragment + (crc != 0));
		}
}

/* RFC 9171 4.3.1/6, 4.3.1/6b, 4.3.1/14, 4.3.1/14b */
Test(conformance, primary_without_crc)
{
	static const struct row t[] = {
		{RULE_PRIMARY_CRC_MISSING, {"9f", "88070000" ENDPOINTS TIMES, Y, "ff"}},
		{OK, {"9f", "88070000" ENDPOINTS TIMES, BIB, Y, "ff"}},
		{OK, {"9f", P, BIB, Y, "ff"}},
		/* an integrity block over the payload alone, and a confidentiality block */
		{RULE_PRIMARY_CRC_MISSING,
			{"9f", "88070000" ENDPOINTS TIMES,
				"+860b020001 4f 8101 01 00 8202820100 818182014100", Y, "ff"}}};

	expect_rows(t, ROWS(t));
}

/* RFC 9171 4.3.2/1, 4.3.2/1b, 4.3.2/2, 4.3.2/2b, 4.3.2/d1, 4.3.2/d2, 4.3.2/4, 4.2.8/1 */
Test(conformance, canonical_blocks)
{
	static const struct row t[] = {
		{RULE_BLOCK_LENGTH, {"9f", P, "+8701010001 4568656c6c6f 00", "ff"}},
		{RULE_BLOCK_LENGTH, {"9f", P, "8401010000", "ff"}},
		{RULE_BLOCK_DATA, {"9f", P, "+8601010001 6568656c6c6f", "ff"}},
		{RULE_BLOCK_DATA, {"9f", P, "+8601010001 5f4568656c6c6fff", "ff"}},
		{RULE_BLOCK_DATA, {"9f", P, EXT("18c0", "02", "5f4100ff"), Y, "ff"}},
		{RULE_BLOCK_DATA, {"9f", P, EXT("18c0", "02", "8100"), Y, "ff"}},
		{RULE_BLOCK_DATA, {"9f", P, "+8601010001 d8184568656c6c6f", "ff"}},
		{RULE_BLOCK_TYPE_ZERO, {"9f", P, EXT("00", "02", "4100"), Y, "ff"}},
		{RULE_ITEM_TYPE, {"9f", P, EXT("20", "02", "4100"), Y, "ff"}},
		{OK, {"9f", P, EXT("18ff", "02", "40"), Y, "ff"}},
		{OK, {"9f", P, EXT("1bffffffffffffffff", "02", "40"), Y, "ff"}}};

	expect_rows(t, ROWS(t));
}

/* RFC 9171 4.4/1, 4.4.1/d1, 4.4.1/1, 4.4.1/3b */
Test(conformance, previous_node)
{
	static const struct row t[] = {{OK, {"9f", P, EXT("06", "02", "458202820900"), Y, "ff"}},
		{OK, {"9f", P, EXT("06", "02", "4a 8201672f2f6e2f617070"), Y, "ff"}},
		{RULE_BLOCK_TYPE_TWICE, {"9f", P, EXT("06", "02", "458202820900"),
						EXT("06", "03", "458202820900"), Y, "ff"}},
		{RULE_PREVIOUS_NODE, {"9f", P, EXT("06", "02", "4100"), Y, "ff"}},
		{RULE_PREVIOUS_NODE, {"9f", P, EXT("06", "02", "4682028209 0000"), Y, "ff"}},
		/* no group can be a node's name, nor can nobody's */
		{RULE_PREVIOUS_NODE, {"9f", P, EXT("06", "02", "49 8201662f2f6e2f7e67"), Y, "ff"}},
		{RULE_PREVIOUS_NODE, {"9f", P, EXT("06", "02", "43820100"), Y, "ff"}}};
	uint8_t bytes[VECTOR_MAX];
	struct bundle b;

	expect_rows(t, ROWS(t));
	cr_assert_eq(judge(t[0].item, &b, bytes), OK);
	cr_expect(b.has_prev && b.prev.node == 9);
}

/* RFC 9171 4.4.2/d1, 4.4.2/1, 4.4.2/2, 4.4.2/2b, 4.4.2/3 */
Test(conformance, bundle_age)
{
#define NO_CLOCK "+89070001" ENDPOINTS "820007 1a0036ee80"
	static const struct row t[] = {{OK, {"9f", NO_CLOCK, EXT("07", "02", "43190400"), Y, "ff"}},
		{OK, {"9f", P, EXT("07", "02", "43190400"), Y, "ff"}}, {OK, {"9f", P, Y, "ff"}},
		{RULE_AGE_MISSING, {"9f", NO_CLOCK, Y, "ff"}},
		{RULE_BLOCK_TYPE_TWICE,
			{"9f", P, EXT("07", "02", "4100"), EXT("07", "03", "4100"), Y, "ff"}},
		{RULE_AGE_FORM, {"9f", P, EXT("07", "02", "4120"), Y, "ff"}},
		{RULE_AGE_FORM, {"9f", P, EXT("07", "02", "428100"), Y, "ff"}}};
	uint8_t bytes[VECTOR_MAX];
	struct bundle b;

	expect_rows(t, ROWS(t));
	cr_assert_eq(judge(t[0].item, &b, bytes), OK);
	cr_expect(b.has_age && b.age_ms == 1024);
}

/* RFC 9171 4.4.3/d1, 4.4.3/1, 4.4.3/4, 4.4.3/5, 4.4.3/6, 4.4.3/7, 4.4.3/7b */
Test(conformance, hop_count)
{
	static const struct row t[] = {{OK, {"9f", P, EXT("0a", "02", "43820100"), Y, "ff"}},
		{OK, {"9f", P, EXT("0a", "02", "4482 18ff 00"), Y, "ff"}},
		{RULE_HOP_RANGE, {"9f", P, EXT("0a", "02", "43820000"), Y, "ff"}},
		{RULE_HOP_RANGE, {"9f", P, EXT("0a", "02", "4582 190100 00"), Y, "ff"}},
		{RULE_HOP_FORM, {"9f", P, EXT("0a", "02", "43810100"), Y, "ff"}},
		{RULE_HOP_FORM, {"9f", P, EXT("0a", "02", "4483010000"), Y, "ff"}},
		{RULE_HOP_FORM, {"9f", P, EXT("0a", "02", "43822000"), Y, "ff"}},
		{RULE_HOP_FORM, {"9f", P, EXT("0a", "02", "43820120"), Y, "ff"}},
		{RULE_BLOCK_TYPE_TWICE, {"9f", P, EXT("0a", "02", "43820100"),
						EXT("0a", "03", "43820100"), Y, "ff"}}};
	uint8_t bytes[VECTOR_MAX];
	struct bundle b;

	expect_rows(t, ROWS(t));
	cr_assert_eq(judge(t[1].item, &b, bytes), OK);
	cr_expect(b.has_hop && b.hop_limit == 255 && b.hop_count == 0);
}
