/* Endpoint IDs: RFC 9171 4.2.5, RFC 9758; administrative records: RFC 9171 6.1. A family of rules a
 * test; the tags are ids of docs/rfc9171.req. */
#include "tests/unit/bundle/vectors.h"

#include "bundle/admin.h"
#include "bundle/base/err.h"

#include <criterion/criterion.h>

#define ROWS(t) (sizeof(t) / sizeof *(t))
#define FQNN(allocator, node) (UINT64_C(allocator) << 32 | (node))

static int read_hex(const char *hex, struct eid *e)
{
	static uint8_t bytes[4][VECTOR_MAX]; /* what e->ssp points into */
	static unsigned turn;
	uint8_t *p = bytes[turn++ % 4];
	struct cursor c = cursor_of(view_of(p, hex_bytes(hex, p)));

	eid_read(&c, e, NULL);
	return cursor_finish(&c);
}

struct form {
	const char *hex;
	int err;
};

static void expect_forms(const struct form *t, size_t n)
{
	struct eid e;

	for (size_t i = 0; i < n; i++)
		cr_expect_eq(read_hex(t[i].hex, &e), t[i].err, "%s", t[i].hex);
}

/* RFC 9171 4.2.5.1/2, 4.2.5.1/3, 4.2.5.1/4, 4.2.5.1/5: [scheme, SSP]; unknown schemes are kept */
Test(conformance, eid_is_a_pair)
{
	static const struct form t[] = {{"8202820201", 0}, {"9f02820201ff", 0}, {"8102", -E_FORM},
		{"830282020100", -E_FORM}, {"822082020100", -E_TYPE}, {"82616e820201", -E_TYPE},
		{"a102820201", -E_TYPE}, {"8202", -E_TRUNCATED}, {"82031903e8", 0},
		{"821a00010000a20164736f6d65181943626967", 0}};
	uint8_t out[64];
	struct buf w = buf_of(out, sizeof out);
	struct eid e;

	expect_forms(t, ROWS(t));
	cr_assert_eq(read_hex(t[9].hex, &e), 0);
	cr_expect(e.scheme == 65536 && e.node == NODE_NONE && !eid_is_null(&e));
	eid_write(&w, &e);
	expect_hex(buf_view(&w), t[9].hex, "as it came");
}

/* RFC 9171 4.2.5.1.1/d1, 4.2.5.1.1/d2, 4.2.5.1.1/2, 4.2.5.1.1/2b */
Test(conformance, dtn_form)
{
	static const struct form t[] = {{"820100", 0}, {"8201642f2f6e2f", 0},
		{"8201672f2f6e2f212f7e", 0}, {"8201682f2f6e253265 2f61", 0},
		{"8201646e6f6e65", -E_FORM}, {"820101", -E_RANGE}, {"8201420000", -E_TYPE},
		{"8201632f2f6e", -E_FORM}, {"8201632f6e2f", -E_FORM}, {"8201622f2f", -E_FORM},
		{"8201652f2f6e2f20", -E_FORM}, {"8201652f2f6e2f7f", -E_FORM},
		{"8201662f2f6ec3a92f", -E_FORM}, {"8201652f2f6e402f", -E_FORM},
		{"8201682f2f6e253967 2f61", -E_FORM}, {"8201682f2f6e257a39 2f61", -E_FORM},
		{"8201682f2f6e253966 2f61", 0}, {"8201682f2f6e254161 2f61", 0},
		{"8201682f2f6e254746 2f61", -E_FORM}, {"8201682f2f6e253a30 2f61", -E_FORM}};
	struct eid e;

	expect_forms(t, ROWS(t));
	cr_assert_eq(read_hex("820100", &e), 0);
	cr_expect(eid_is_null(&e) && e.node == NODE_NONE);
}

/* RFC 9171 4.2.5.1.1/d3, 4.2.5.1.1/1, 4.2.5.1.1/d4, 4.2.5.2/d2, 4.2.5.2/1 */
Test(conformance, dtn_meaning)
{
	static const struct {
		const char *text;
		bool is_admin, is_group;
	} t[] = {{"dtn://n/", true, false}, {"dtn://n/a", false, false},
		{"dtn://n/~g", false, true}, {"dtn://n/a~", false, false},
		{"dtn://n//", false, false}};
	struct eid first, e;

	cr_assert_eq(eid_parse(t[0].text, &first), 0);
	for (size_t i = 0; i < ROWS(t); i++) {
		cr_assert_eq(eid_parse(t[i].text, &e), 0, "%s", t[i].text);
		cr_expect_eq(eid_is_admin(&e), t[i].is_admin, "%s", t[i].text);
		cr_expect_eq(e.group, t[i].is_group, "%s", t[i].text);
		cr_expect_eq(e.node, first.node, "one node");
	}
	cr_assert_eq(eid_parse("dtn://m/", &e), 0);
	cr_expect_neq(e.node, first.node);
}

/* RFC 9171 4.2.5.1.1/d5, 4.2.5.1.2/d4: text is US-ASCII */
Test(conformance, text_is_ascii)
{
	static const char *const t[] = {"dtn://n\xc3\xa9/a", "dtn://n/\xc3\xa9", "ipn:\xd9\xa1.1",
		"ipn:1.\xef\xbc\x91", "dtn://n/a\n"};
	struct eid e;

	for (size_t i = 0; i < ROWS(t); i++)
		cr_expect_lt(eid_parse(t[i], &e), 0, "%s", t[i]);
}

/* RFC 9171 4.2.5.1.2/2, 4.2.5.1.2/3, 4.2.5.1.2/4; RFC 9758 6.1/1, 6.1/2, 6.3/1, 3.2/d1, 3.3/2 */
Test(conformance, ipn_form)
{
	static const struct form t[] = {{"8202820201", 0}, {"820283000201", 0}, {"82029f0201ff", 0},
		{"82029f000201ff", 0}, {"82028102", -E_FORM}, {"82028400000201", -E_FORM},
		{"820202", -E_TYPE}, {"8202422001", -E_TYPE}, {"8202822001", -E_TYPE},
		{"8202820220", -E_TYPE}, {"820283200201", -E_TYPE}, {"82028300f401", -E_TYPE},
		{"8202821bffffffffffffffff1bffffffffffffffff", 0},
		{"8202831affffffff1affffffff1bffffffffffffffff", 0},
		{"8202831b00000001000000000201", -E_RANGE},
		{"8202830 01b000000010000000001", -E_RANGE}};

	for (size_t i = 0; i < ROWS(t); i++) {
		char hex[64];
		size_t n = 0;
		struct eid e;

		for (const char *p = t[i].hex; *p; p++)
			if (*p != ' ')
				hex[n++] = *p;
		hex[n] = 0;
		cr_expect_eq(read_hex(hex, &e), t[i].err, "%s", hex);
	}
}

/* RFC 9758 3/1, 6.1.1/1, 6.1.1/2, 6.1.1/3, 6.1.1/d1, 6.1.2/d1, 6.2/d1, 3.2.2/1, 7.1/1, 7.1/2 */
Test(conformance, ipn_decodes)
{
	static const struct {
		const char *hex;
		node_id node;
		uint64_t service;
	} t[] = {{"8202821b000ee8680000006401", FQNN(977000, 100), 1},
		{"8202831a000ee868186401", FQNN(977000, 100), 1}, {"8202820507", FQNN(0, 5), 7},
		{"820283000507", FQNN(0, 5), 7}, {"8202831affffffff0001", FQNN(0xffffffff, 0), 1},
		{"8202821bffffffff0000000001", FQNN(0xffffffff, 0), 1}};
	struct eid e;

	for (size_t i = 0; i < ROWS(t); i++) {
		cr_assert_eq(read_hex(t[i].hex, &e), 0);
		cr_expect(e.node == t[i].node && e.service == t[i].service, "%s", t[i].hex);
	}
}

/* RFC 9758 6.4/1, 6.4/2, 6.4/3, 3.2/1 */
Test(conformance, ipn_is_matched_by_value)
{
	static const struct {
		const char *x, *y;
		bool same;
	} t[] = {{"8202831a000ee868186401", "8202821b000ee8680000006401", true},
		{"820283000201", "8202820201", true}, {"82029f0201ff", "8202820201", true},
		{"820283010201", "8202820201", false}, {"8202820202", "8202820201", false},
		{"8202820301", "8202820201", false}, {"8202820000", "820100", true},
		{"820283000000", "820100", true}};

	for (size_t i = 0; i < ROWS(t); i++) {
		struct bundle x = {.created_ms = T0}, y = {.created_ms = T0};

		cr_assert(read_hex(t[i].x, &x.source) == 0 && read_hex(t[i].y, &y.source) == 0);
		cr_expect_eq(eid_equal(&x.source, &y.source), t[i].same, "%s %s", t[i].x, t[i].y);
		cr_expect_eq(bundle_id_hash(&x, 1, 2) == bundle_id_hash(&y, 1, 2), t[i].same,
			"a bundle's identity, too");
	}
}

/* RFC 9171 4.2.5.1.2/d2, 4.2.5.1.2/1, 4.2.5.1.2/d3; RFC 9758 5/1, 5.1/1, 5.1/2, 5.1/3, 5.1/4, 5.1/5, 5.3/d1, 5.7/1, 5.7/2 */
Test(conformance, ipn_meaning)
{
	struct eid e;

	for (uint64_t service = 0; service < 4; service++) {
		e = eid_ipn(FQNN(977000, 100), service);
		cr_expect_not(e.group);
		cr_expect_eq(eid_is_admin(&e), service == 0);
		cr_expect_eq(e.node, FQNN(977000, 100), "services of one node");
	}
}

/* RFC 9758 3.1/d1, 3.4.1/d1, 3.4.1/1, 3.4.1/1b, 5.2/d1 */
Test(conformance, null_endpoint)
{
	static const char *const null[] = {
		"820100", "8202820000", "820283000000", "8202820005", "820283000007"};
	struct eid first, e;

	cr_assert_eq(read_hex(null[0], &first), 0);
	for (size_t i = 0; i < ROWS(null); i++) {
		uint8_t out[16];
		struct buf w = buf_of(out, sizeof out);

		cr_assert_eq(read_hex(null[i], &e), 0);
		cr_expect(eid_is_null(&e) && eid_equal(&e, &first) && !eid_is_admin(&e), "%s",
			null[i]);
		eid_write(&w, &e);
		cr_expect_eq(out[w.len - 1], 0, "a service is not written");
	}
	e = eid_ipn(NODE_NONE, 5);
	cr_expect_eq(e.service, 0);
	cr_expect_eq(eid_parse("ipn:0.5", &e), -E_RANGE);
	cr_expect_eq(eid_parse("ipn:0.0.5", &e), -E_RANGE);
	cr_assert_eq(read_hex("820283010005", &e), 0);
	cr_expect_not(eid_is_null(&e), "node 0 of another allocator is a node");
}

/* RFC 9171 4.2.5.1.2/d1; RFC 9758 4/1, 4/2, 4/3, 4.1/1, 3.4.2/d1 */
Test(conformance, ipn_text)
{
	static const struct {
		const char *text;
		int err;
		node_id node;
		const char *printed;
	} t[] = {{"ipn:2.1", 0, 2, "ipn:2.1"}, {"ipn:0.2.1", 0, 2, "ipn:2.1"},
		{"ipn:977000.100.1", 0, FQNN(977000, 100), "ipn:977000.100.1"},
		{"ipn:!.7", 0, NODE_LOCAL, "ipn:!.7"},
		{"ipn:4294967295.7", 0, NODE_LOCAL, "ipn:!.7"},
		{"ipn:0.4294967295.7", 0, NODE_LOCAL, "ipn:!.7"}, {"ipn:0.0.0", 0, 0, "ipn:0.0"},
		{"ipn:02.1", -E_SYNTAX, 0, NULL}, {"ipn:2.01", -E_SYNTAX, 0, NULL},
		{"ipn:00.2.1", -E_SYNTAX, 0, NULL}, {"ipn:2", -E_SYNTAX, 0, NULL},
		{"ipn:+2.1", -E_SYNTAX, 0, NULL}, {"ipn:0x2.1", -E_SYNTAX, 0, NULL},
		{"ipn:0.!.1", -E_SYNTAX, 0, NULL}, {"ipn:!.1.1", -E_SYNTAX, 0, NULL},
		{"ipn:1.2.3.4", -E_SYNTAX, 0, NULL}, {"ipn:.1", -E_SYNTAX, 0, NULL}};

	for (size_t i = 0; i < ROWS(t); i++) {
		char out[EID_TEXT_MAX];
		struct eid e;

		cr_expect_eq(eid_parse(t[i].text, &e), t[i].err, "%s", t[i].text);
		if (t[i].err)
			continue;
		cr_expect_eq(e.node, t[i].node, "%s", t[i].text);
		eid_print(&e, out, sizeof out);
		cr_expect_str_eq(out, t[i].printed);
	}
}

/* RFC 9758 6.1.2/1, 6.1.2/2: two items for the default allocator; three where they were read or asked for */
Test(conformance, ipn_written)
{
	struct eid e = eid_ipn(FQNN(0, 5), 7);
	uint8_t out[32];
	struct buf w = buf_of(out, sizeof out);

	eid_write(&w, &e);
	expect_hex(buf_view(&w), "8202820507", "default allocator");
	e = eid_ipn(FQNN(977000, 100), 1);
	e.three = true;
	w.len = 0;
	eid_write(&w, &e);
	expect_hex(buf_view(&w), "8202831a000ee868186401", "another");
}

static int record_read(const char *hex, uint64_t *type, struct status_report *r)
{
	uint8_t bytes[VECTOR_MAX];
	struct cursor c;
	int err = admin_open(view_of(bytes, hex_bytes(hex, bytes)), type, &c);

	if (err == 0)
		status_report_read(&c, r);
	return err ? err : c.err;
}

/* RFC 9171 6.1/1, 6.1/2, 6.1/2b, 6.1/3 */
Test(conformance, administrative_record)
{
	static const struct {
		const char *hex;
		bool opens;
	} t[] = {{"82 01 f6", true}, {"82 19fc00 4100", true}, {"81 01", false},
		{"83 01 00 00", false}, {"82 20 00", false}, {"82 61 31 00", false},
		{"a1 01 00", false}, {"82 01 00 00", false}, {"01", false}};

	for (size_t i = 0; i < ROWS(t); i++) {
		uint8_t bytes[VECTOR_MAX];
		struct cursor c;
		uint64_t type;

		cr_expect_eq(admin_open(view_of(bytes, hex_bytes(t[i].hex, bytes)), &type, &c) == 0,
			t[i].opens, "%s", t[i].hex);
	}
}

/* RFC 9171 6.1.1/1, 6.1.1/2, 6.1.1/3, 6.1.1/d1, 6.1.1/4, 6.1.1/5, 6.1.1/6, 6.1.1/7, 6.1.1/8, 6.1.1/9, 6.1.1/10, 6.1.1/11,
 * 6.1.1/12, 6.1.1/13, 6.1.1/14 */
Test(conformance, status_report_form)
{
#define SUBJECT "8202820101 820001"
#define NONE4 "84 81f4 81f4 81f4 81f4"
	static const struct {
		const char *hex;
		bool reads;
	} t[] = {{"82 01 84" NONE4 "00" SUBJECT, true},
		{"82 01 86" NONE4 "00" SUBJECT "00 18ff", true},
		{"82 01 84 85 81f4 81f4 81f4 81f4 81f5 00" SUBJECT, true},
		{"82 01 84 84 82f500 81f4 81f4 81f4 00" SUBJECT, true},
		{"82 01 a1" NONE4 "00" SUBJECT, false}, {"82 01 85" NONE4 "00" SUBJECT "00", false},
		{"82 01 83" NONE4 "00 8202820101", false},
		{"82 01 84 83 81f4 81f4 81f4 00" SUBJECT, false},
		{"82 01 84 84 f4 81f4 81f4 81f4 00" SUBJECT, false},
		{"82 01 84 84 8100 81f4 81f4 81f4 00" SUBJECT, false},
		{"82 01 84 84 82f400 81f4 81f4 81f4 00" SUBJECT, false},
		{"82 01 84 84 82f520 81f4 81f4 81f4 00" SUBJECT, false},
		{"82 01 84 84 83f50000 81f4 81f4 81f4 00" SUBJECT, false},
		{"82 01 84" NONE4 "20" SUBJECT, false}, {"82 01 84" NONE4 "00 01 820001", false},
		{"82 01 84" NONE4 "00 8202820101 8100", false},
		{"82 01 86" NONE4 "00" SUBJECT "20 00", false},
		{"82 01 86" NONE4 "00" SUBJECT "00 20", false}};
	struct status_report r;
	uint64_t type;

	for (size_t i = 0; i < ROWS(t); i++)
		cr_expect_eq(record_read(t[i].hex, &type, &r) == 0, t[i].reads, "%s", t[i].hex);
	/* the order of the four, and what is told of the subject */
	for (unsigned k = 0; k < STATUS_KINDS; k++) {
		struct status_report s = {.reason = 9,
			.source = eid_ipn(3, 4),
			.created_ms = T0 - 1,
			.seq = 17,
			.is_fragment = k == 1,
			.frag_off = 100,
			.frag_len = 50};
		uint8_t out[128];
		struct buf w = buf_of(out, sizeof out);
		struct cursor c;

		s.asserted[k] = s.has_time[k] = true;
		s.at_ms[k] = T0;
		status_report_write(&w, &s);
		cr_assert_eq(admin_open(buf_view(&w), &type, &c), 0);
		status_report_read(&c, &r);
		cr_assert(cursor_ok(&c));
		for (unsigned j = 0; j < STATUS_KINDS; j++)
			cr_expect(r.asserted[j] == (j == k) && r.has_time[j] == (j == k));
		cr_expect(r.at_ms[k] == T0 && r.reason == 9 && eid_equal(&r.source, &s.source) &&
			  r.created_ms == T0 - 1 && r.seq == 17 && r.is_fragment == (k == 1));
		cr_expect(k != 1 || (r.frag_off == 100 && r.frag_len == 50));
	}
}

/* RFC 9171 6.1.1/d2: the reasons of the registry have names, the others have none of their own */
Test(conformance, reason_codes)
{
	for (unsigned i = 0; i <= 16; i++)
		for (unsigned k = 0; k < i; k++)
			cr_expect_str_neq(reason_name(i), reason_name(k));
	for (unsigned i = 17; i < 256; i++)
		cr_expect_str_eq(reason_name(i), "unassigned");
	cr_expect(REASON_EXPIRED == 1 && REASON_CANCELLED == 3 && REASON_DEPLETED_STORAGE == 4 &&
		  REASON_DEST_UNAVAILABLE == 5 && REASON_NO_ROUTE == 6 && REASON_NO_CONTACT == 7 &&
		  REASON_UNINTELLIGIBLE == 8 && REASON_HOP_LIMIT == 9 &&
		  REASON_TRAFFIC_PARED == 10 && REASON_BLOCK_UNSUPPORTED == 11);
}
