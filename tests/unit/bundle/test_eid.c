/* Endpoint IDs: RFC 9171 4.2.5, RFC 9758, boundary vectors of our notes. */
#include "tests/unit/bundle/vectors.h"

#include "bundle/base/rng.h"

#include <criterion/criterion.h>

static int read_hex(const char *hex, struct eid *e, uint8_t *bytes, size_t *n)
{
	*n = hex_bytes(hex, bytes);
	struct cursor c = cursor_of(view_of(bytes, *n));
	eid_read(&c, e, NULL);
	return cursor_finish(&c);
}

Test(eid, read_print_write)
{
	static const struct {
		const char *hex, *text;
		const char *written; /* NULL: as read */
	} rows[] = {{"820100", "dtn:none", NULL}, {"8202820000", "ipn:0.0", NULL},
		{"8202820005", "ipn:0.0", "8202820000"}, {"820283000000", "ipn:0.0", NULL},
		{"82028217182a", "ipn:23.42", NULL},
		{"8202831a000ee868186401", "ipn:977000.100.1", NULL},
		{"8202821b000ee8680000006401", "ipn:977000.100.1", NULL},
		{"8202821affffffff01", "ipn:!.1", NULL},
		{"82016c2f2f6e6f6465312f74657374", "dtn://node1/test", NULL},
		{"8201642f2f6e2f", "dtn://n/", NULL},
		{"82017f632f2f6e622f61ff", "dtn://n/a", "8201652f2f6e2f61"},
		{"8201662f2f6e2f7e67", "dtn://n/~g", NULL},
		{"8202821bffffffffffffffff1bffffffffffffffff",
			"ipn:4294967295.4294967295.18446744073709551615", NULL},
		{"8202831affffffff1affffffff1bffffffffffffffff",
			"ipn:4294967295.4294967295.18446744073709551615", NULL},
		{"8202830b0a0a", "ipn:11.10.10", NULL}, {"8202820b0a", "ipn:11.10", NULL},
		{"821a00010000a20164736f6d65181943626967",
			"scheme-65536:a20164736f6d65181943626967", NULL},
		{"8200f6", "scheme-0:f6", NULL}, {"9f029f0201ffff", "ipn:2.1", "8202820201"}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t bytes[VECTOR_MAX], out[VECTOR_MAX];
		char text[EID_TEXT_MAX];
		struct eid e;
		size_t n;
		cr_expect_eq(read_hex(rows[i].hex, &e, bytes, &n), 0, "%s", rows[i].hex);
		cr_expect_eq(eid_print(&e, text, sizeof text), strlen(rows[i].text));
		cr_expect_str_eq(text, rows[i].text);
		struct buf b = buf_of(out, sizeof out);
		eid_write(&b, &e);
		expect_hex(buf_view(&b), rows[i].written ? rows[i].written : rows[i].hex,
			rows[i].text);
		for (size_t cut = 0; cut < n; cut++) {
			struct cursor c = cursor_of(view_of(bytes, cut));
			eid_read(&c, &e, NULL);
			cr_expect_neq(c.err, 0, "%s cut at %zu", rows[i].hex, cut);
		}
	}
}

Test(eid, refused)
{
	static const struct {
		const char *hex;
		int err;
	} rows[] = {{"8201646e6f6e65", -E_FORM}, {"820101", -E_RANGE}, {"8201612f", -E_FORM},
		{"8201622f2f", -E_FORM}, {"8201632f2f6e", -E_FORM}, {"8201662f2f6e2f6120", -E_FORM},
		{"8201662f2f2025612f", -E_FORM}, {"82028101", -E_FORM}, {"82028401010101", -E_FORM},
		{"8202831b000000010000000001 01", -E_RANGE}, {"8302820101", -E_FORM},
		{"81820101", -E_FORM}, {"82022001", -E_TYPE}, {"820282180101", -E_NOT_SHORTEST},
		{"820282012001", -E_TYPE}, {"8201416e", -E_TYPE}, {"820282020100", -E_TRAILING},
		{"820a1c", -E_FORM}, {"820a8181818181818181818100", -E_LIMIT}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t bytes[VECTOR_MAX];
		struct eid e;
		size_t n;
		cr_expect_eq(read_hex(rows[i].hex, &e, bytes, &n), rows[i].err, "%s: %s",
			rows[i].hex, err_name(read_hex(rows[i].hex, &e, bytes, &n)));
	}
}

Test(eid, text_of_people)
{
	static const struct {
		const char *text;
		int err;
		node_id node;
		uint64_t service;
	} rows[] = {{"ipn:2.1", 0, 2, 1}, {"ipn:977000.100.1", 0, UINT64_C(977000) << 32 | 100, 1},
		{"ipn:!.7", 0, NODE_LOCAL, 7}, {"ipn:4294967295.7", 0, NODE_LOCAL, 7},
		{"ipn:0.0", 0, 0, 0}, {"ipn:0.2.1", 0, 2, 1}, {"dtn:none", 0, 0, 0},
		{"ipn:0.5", -E_RANGE, 0, 0}, {"ipn:01.5", -E_SYNTAX, 0, 0},
		{"ipn:1", -E_SYNTAX, 0, 0}, {"ipn:", -E_SYNTAX, 0, 0},
		{"ipn:1.2.3.4", -E_SYNTAX, 0, 0}, {"ipn:1.", -E_SYNTAX, 0, 0},
		{"ipn:!.1.1", -E_SYNTAX, 0, 0}, {"ipn:4294967296.1", -E_RANGE, 0, 0},
		{"ipn:1.4294967296.1", -E_RANGE, 0, 0},
		{"ipn:1.18446744073709551616", -E_RANGE, 0, 0}, {"ipn:1.1 ", -E_SYNTAX, 0, 0},
		{"dtn:", -E_SYNTAX, 0, 0}, {"dtn://n", -E_SYNTAX, 0, 0},
		{"http://n/", -E_SYNTAX, 0, 0}, {"", -E_SYNTAX, 0, 0}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct eid e;
		int err = eid_parse(rows[i].text, &e);
		cr_expect_eq(err, rows[i].err, "%s: %s", rows[i].text, err ? err_name(err) : "ok");
		if (err)
			continue;
		cr_expect_eq(e.node, rows[i].node, "%s", rows[i].text);
		cr_expect_eq(e.service, rows[i].service, "%s", rows[i].text);
	}
}

Test(eid, nodes_of_people)
{
	struct eid e;

	cr_assert_eq(eid_parse_node("7", &e), 0);
	cr_expect(eid_is_admin(&e) && e.node == 7);
	cr_assert_eq(eid_parse_node("ipn:7.0", &e), 0);
	cr_assert_eq(eid_parse_node("dtn://n/", &e), 0);
	cr_expect_eq(eid_parse_node("ipn:7.1", &e), -E_RANGE);
	cr_expect_eq(eid_parse_node("0", &e), -E_RANGE);
	cr_expect_eq(eid_parse_node("7x", &e), -E_SYNTAX);
	cr_expect_eq(eid_parse_node("dtn:none", &e), -E_RANGE);
}

Test(eid, equal_by_value)
{
	static const char *const same[][2] = {{"820100", "820283000000"}, {"820100", "8202820005"},
		{"8202831a000ee868186401", "8202821b000ee8680000006401"},
		{"8201652f2f6e2f61", "82017f632f2f6e622f61ff"}};
	static const char *const other[][2] = {{"8202820201", "8202820202"},
		{"8202820201", "8202820301"}, {"8201652f2f6e2f61", "8201652f2f6e2f62"},
		{"8200f6", "8200f5"}, {"8200f6", "8203f6"}, {"820100", "8200f6"}};
	uint8_t x[VECTOR_MAX], y[VECTOR_MAX];
	struct eid a, b;
	size_t n;

	for (size_t i = 0; i < 4; i++) {
		cr_assert_eq(read_hex(same[i][0], &a, x, &n) | read_hex(same[i][1], &b, y, &n), 0);
		cr_expect(eid_equal(&a, &b), "%s %s", same[i][0], same[i][1]);
	}
	for (size_t i = 0; i < 6; i++) {
		cr_assert_eq(
			read_hex(other[i][0], &a, x, &n) | read_hex(other[i][1], &b, y, &n), 0);
		cr_expect(!eid_equal(&a, &b), "%s %s", other[i][0], other[i][1]);
	}
}

Test(eid, chunks_are_joined)
{
	uint8_t bytes[VECTOR_MAX], room[32];
	struct buf join = buf_of(room, sizeof room);
	struct cursor c = cursor_of(view_of(bytes, hex_bytes("82017f632f2f6e622f61ff", bytes)));
	struct eid e;

	eid_read(&c, &e, &join);
	cr_assert_eq(cursor_finish(&c), 0);
	cr_expect(view_equal(e.ssp, view_text("//n/a")));
	cr_expect_eq(e.ssp.p, room);
}

/* RFC 9171 names no limit; ours is EID_SSP_MAX, for one text and for the sum of chunks. */
Test(eid, long_names)
{
	uint8_t bytes[VECTOR_MAX];
	char text[EID_TEXT_MAX];

	for (size_t len = EID_SSP_MAX; len <= EID_SSP_MAX + 1; len++) {
		struct buf b = buf_of(bytes, sizeof bytes);
		struct eid e;
		buf_put(&b, view_of("\x82\x01\x7f", 3));
		buf_put(&b, view_of("\x79\x02\x00", 3));
		for (size_t i = 0; i < 512; i++)
			buf_u8(&b, i < 2 || i == 3 ? '/' : 'a');
		buf_put(&b, view_of("\x79", 1));
		buf_u8(&b, (uint8_t)((len - 512) >> 8));
		buf_u8(&b, (uint8_t)(len - 512));
		for (size_t i = 512; i < len; i++)
			buf_u8(&b, 'b');
		buf_u8(&b, 0xff);
		struct cursor c = cursor_of(buf_view(&b));
		eid_read(&c, &e, NULL);
		cr_expect_eq(cursor_finish(&c), len == EID_SSP_MAX ? 0 : -E_LIMIT);
		if (len == EID_SSP_MAX)
			cr_expect_eq(eid_print(&e, text, sizeof text), len + 4);
	}
}

Test(eid, node_text)
{
	char text[64], small[6];

	node_print(5, text, sizeof text);
	cr_expect_str_eq(text, "ipn:5.0");
	node_print(NODE_NONE, text, sizeof text);
	cr_expect_str_eq(text, "dtn:none");
	node_print(NODE_DTN_BIT | 1, text, sizeof text);
	cr_expect_str_eq(text, "dtn-node:8000000000000001");
	cr_expect_eq(node_print(12345, small, sizeof small), 5);
	cr_expect_str_eq(small, "ipn:1");
}

Test(eid, administrative_endpoint_of_the_node)
{
	static const char *const text[][2] = {{"ipn:2.7", "ipn:2.0"}, {"ipn:2.0", "ipn:2.0"},
		{"dtn:none", "dtn:none"}, {"dtn://node/a/b", "dtn://node/"},
		{"dtn://node/", "dtn://node/"}, {"dtn://node/~all", "dtn://node/"}};

	for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) {
		struct eid e, expected;
		cr_assert_eq(eid_parse(text[i][0], &e), 0);
		cr_assert_eq(eid_parse(text[i][1], &expected), 0);
		struct eid admin = eid_admin(&e);
		cr_expect(eid_equal(&admin, &expected), "%s", text[i][0]);
		cr_expect(i == 2 || eid_is_admin(&admin), "%s", text[i][0]);
	}
}

/* RFC 9171 4.2.5.1.1/d4, 4.2.5.1.2/d3: the administrative endpoint of the same node */
Test(eid, admin_of_node)
{
	static const char *const rows[][2] = {{"ipn:2.1", "ipn:2.0"}, {"ipn:2.0", "ipn:2.0"},
		{"ipn:977000.100.7", "ipn:977000.100.0"}, {"dtn://mars/app/x", "dtn://mars/"},
		{"dtn://mars/~news", "dtn://mars/"}, {"dtn://mars/", "dtn://mars/"},
		{"dtn:none", "dtn:none"}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct eid e, admin, want;

		cr_assert_eq(eid_parse(rows[i][0], &e), 0);
		cr_assert_eq(eid_parse(rows[i][1], &want), 0);
		admin = eid_admin(&e);
		cr_expect(eid_equal(&admin, &want), "%s", rows[i][0]);
		cr_expect(eid_is_null(&e) || (eid_is_admin(&admin) && !admin.group));
	}
}
