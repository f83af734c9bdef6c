/* RFC 9172's rules of security blocks in one bundle, what may be added, and reasons. */
#include "bundle/block.h"
#include "tests/unit/bundle/secured.h"

#include <criterion/criterion.h>

#define F "9f 8a070100820282010282028202018202820201820018281a000f4240000a "
#define P "9f 88070000820282010282028202018202820201820018281a000f4240"
#define Y "85010100004161 ff"
#define AGE "8507090000 4100"
#define BIB(n, data) "850b" n "0000" data
#define BCB(n, flags, data) "850c" n flags "00" data

static const struct {
	const char *name;
	unsigned rule;
	const char *hex;
} rows[] = {
	{"one BIB", 0, P BIB("02", "4f 8101 01 00 8202820201 8181820141aa") Y},
	{"BIB over primary and age", 0,
		P BIB("02", "55 820009 01 00 8202820201 8281820141aa81820141aa") AGE Y},
	{"BCB", 0, P BCB("02", "01", "4f 8101 02 00 8202820201 8181820141aa") Y},
	{"BIB, encrypted: it is not looked into", 0,
		P BIB("03", "42 ffff")
			BCB("02", "01", "55 820103 02 00 8202820201 8281820141aa81820141aa") Y},
	{"no ASB", RULE_SECURITY_FORM, P BIB("02", "42 ffff") Y},
	{"empty", RULE_SECURITY_FORM, P BIB("02", "40") Y},
	{"target not there", RULE_SECURITY_TARGET,
		P BIB("02", "4f 8107 01 00 8202820201 8181820141aa") Y},
	{"BCB's target not there", RULE_SECURITY_TARGET,
		P BCB("02", "01", "4f 8107 02 00 8202820201 8181820141aa") Y},
	{"two BIBs on one", RULE_SECURITY_TWICE,
		P BIB("02", "4f 8101 01 00 8202820201 8181820141aa")
			BIB("03", "4f 8101 01 00 8202820201 8181820141aa") Y},
	{"two BCBs on one", RULE_SECURITY_TWICE,
		P BCB("02", "01", "4f 8101 02 00 8202820201 8181820141aa")
			BCB("03", "01", "4f 8101 02 00 8202820201 8181820141aa") Y},
	{"BIB on BIB", RULE_BIB_TARGET,
		P BIB("02", "4f 8103 01 00 8202820201 8181820141aa")
			BIB("03", "4f 8101 01 00 8202820201 8181820141aa") Y},
	{"BIB on itself", RULE_BIB_TARGET, P BIB("02", "4f 8102 01 00 8202820201 8181820141aa") Y},
	{"BIB on BCB", RULE_BIB_TARGET,
		P BIB("02", "4f 8103 01 00 8202820201 8181820141aa")
			BCB("03", "01", "4f 8101 02 00 8202820201 8181820141aa") Y},
	{"BIB on what is encrypted", RULE_BIB_CLEAR,
		P BIB("02", "4f 8101 01 00 8202820201 8181820141aa")
			BCB("03", "01", "4f 8101 02 00 8202820201 8181820141aa") Y},
	{"BCB on primary", RULE_BCB_TARGET,
		P BCB("02", "01", "4f 8100 02 00 8202820201 8181820141aa") Y},
	{"BCB on BCB", RULE_BCB_TARGET,
		P BCB("02", "01", "4f 8103 02 00 8202820201 8181820141aa")
			BCB("03", "01", "4f 8101 02 00 8202820201 8181820141aa") Y},
	{"BCB on payload, not replicated", RULE_BCB_REPLICATE,
		P BCB("02", "00", "4f 8101 02 00 8202820201 8181820141aa") Y},
	{"BCB that may be discarded", RULE_BCB_DISCARD,
		P BCB("02", "10", "4f 8109 02 00 8202820201 8181820141aa") AGE Y},
	{"fragment: a target may be elsewhere", 0,
		"9f 8a070100820282010282028202018202820201820018281a000f4240000a" BIB(
			"02", "4f 8107 01 00 8202820201 8181820141aa") Y},
};

Test(bpsec_rules, each)
{
	bool told[RULES] = {0};

	for (unsigned k = 0; k < sizeof rows / sizeof rows[0]; k++) {
		uint8_t bytes[VECTOR_MAX];
		size_t n = hex_bytes(rows[k].hex, bytes);
		struct bundle_fault fault;
		struct bundle b;
		int err = test_read(&b, view_of(bytes, n));
		cr_assert_eq(err, 0, "%s", rows[k].name);
		err = bpsec_check(&b, &fault);
		cr_expect_eq(err, rows[k].rule ? -E_RULE : 0, "%s", rows[k].name);
		cr_expect_eq(
			fault.rule, rows[k].rule, "%s: %s", rows[k].name, rule_name(fault.rule));
		cr_expect(fault.at < n && (!fault.rule || bytes[fault.at] == 0x85), "%s",
			rows[k].name);
		told[fault.rule] = true;
	}
	for (unsigned k = RULE_SECURITY_FORM; k <= RULE_BCB_DISCARD; k++)
		cr_expect(told[k], "no case for %s", rule_name(k));
}

Test(bpsec_rules, order_of_processing)
{
	uint8_t bytes[VECTOR_MAX];
	size_t n = hex_bytes(
		P BIB("02", "4f 8100 01 00 8202820201 8181820141aa") BIB("03", "42 ffff")
			BCB("04", "01", "55 820103 02 00 8202820201 8281820141aa81820141aa") Y,
		bytes);
	struct bpsec_op op[BPSEC_OPS_MAX];
	struct bundle b;
	unsigned ops;

	test_read_or_fail(&b, view_of(bytes, n));
	cr_assert_eq(bpsec_list(&b, op, &ops), 0);
	cr_assert_eq(ops, 3);
	/* the BCB's, that over the BIB first; then the BIB that can be read */
	cr_expect(op[0].type == BLOCK_BCB && op[0].number == 3 && op[0].target == 1);
	cr_expect(op[1].type == BLOCK_BCB && op[1].number == 1 && op[1].target == 0);
	cr_expect(op[2].type == BLOCK_BIB && op[2].number == 0 && op[2].context == 1);
	cr_expect_eq(op[2].source.node, 2);
	cr_expect_eq(bpsec_services(&b, 0), 1);
	cr_expect_eq(bpsec_services(&b, 1), 2);
	cr_expect_eq(bpsec_services(&b, 4), 0);
}

Test(bpsec_rules, reasons)
{
	static const struct {
		int err;
		unsigned reason;
	} want[] = {{0, 0}, {-ENOKEY, 0}, {-E_STATE, 0}, {-E_AUTH, 15}, {-E_UNKNOWN, 13},
		{-E_RULE, 16}, {-E_FORM, 8}, {-E_TRUNCATED, 8}, {-E_LIMIT, 8}, {-ENOMEM, 0}};

	for (unsigned k = 0; k < sizeof want / sizeof want[0]; k++)
		cr_expect_eq(
			bpsec_reason(want[k].err), want[k].reason, "%s", err_name(want[k].err));
}

/* What must not be added: RFC 9172 3.7, 3.8, 3.9. */
Test(bpsec_rules, what_may_be_added)
{
	static const struct {
		const char *hex;
		uint64_t type, target, number, flags;
		int err;
	} may[] = {
		{P AGE Y, BLOCK_BIB, 0, 0, 0, 0},
		{P AGE Y, BLOCK_BIB, 9, 0, BLOCK_DISCARD, 0},
		{P AGE Y, BLOCK_BCB, 9, 0, 0, 0},
		{P AGE Y, BLOCK_BCB, 0, 0, 0, -E_RULE},
		{P AGE Y, BLOCK_BCB, 1, 0, BLOCK_DISCARD, -E_RULE},
		{P AGE Y, BLOCK_BCB, 7, 0, 0, -E_RULE},
		{P AGE Y, BLOCK_BIB, 7, 0, 0, -E_RULE},
		{P AGE Y, BLOCK_BIB, 1, 9, 0, -E_RULE},
		{P AGE Y, BLOCK_AGE, 1, 0, 0, -E_RULE},
		{P BIB("02", "4f 8101 01 00 8202820201 8181820141aa") Y, BLOCK_BIB, 1, 0, 0,
			-E_RULE},
		{P BIB("02", "4f 8101 01 00 8202820201 8181820141aa") Y, BLOCK_BIB, 2, 0, 0,
			-E_RULE},
		{P BIB("02", "4f 8101 01 00 8202820201 8181820141aa") Y, BLOCK_BIB, 0, 0, 0, 0},
		{P BIB("02", "4f 8101 01 00 8202820201 8181820141aa") Y, BLOCK_BCB, 1, 0, 0, 0},
		{P BIB("02", "4f 8101 01 00 8202820201 8181820141aa") Y, BLOCK_BCB, 2, 0, 0, 0},
		{P BCB("02", "01", "4f 8101 02 00 8202820201 8181820141aa") Y, BLOCK_BIB, 1, 0, 0,
			-E_RULE},
		{P BCB("02", "01", "4f 8101 02 00 8202820201 8181820141aa") Y, BLOCK_BIB, 2, 0, 0,
			-E_RULE},
		{F AGE Y, BLOCK_BIB, 9, 0, 0, -E_RULE}, /* 5.3: nothing is added to a fragment */
		{F AGE Y, BLOCK_BCB, 9, 0, 0, -E_RULE},
		{F AGE Y, BLOCK_BIB, 0, 0, 0, -E_RULE},
		{P BCB("02", "01", "4f 8101 02 00 8202820201 8181820141aa") Y, BLOCK_BCB, 1, 0, 0,
			-E_RULE},
		{P BCB("02", "01", "4f 8101 02 00 8202820201 8181820141aa") Y, BLOCK_BCB, 2, 0, 0,
			-E_RULE},
	};
	struct keyring *r = test_ring();
	struct bpsec *x = bpsec_new(r);

	for (unsigned k = 0; k < sizeof may / sizeof may[0]; k++) {
		bool bcb = may[k].type == BLOCK_BCB;
		uint8_t bytes[VECTOR_MAX];
		size_t n = hex_bytes(may[k].hex, bytes);
		struct bundle b;
		struct bpsec_subject s = {.b = &b};
		test_read_or_fail(&b, view_of(bytes, n));
		int err = bpsec_make_begin(x, &s,
			&(struct bpsec_how){.type = may[k].type,
				.target = may[k].target,
				.number = may[k].number,
				.flags = may[k].flags,
				.context = bcb ? BPSEC_AES_GCM : BPSEC_HMAC_SHA2,
				.source = eid_ipn(1, 0),
				.key = test_key(r, bcb ? "a256" : "h256"),
				.iv = view_text("Twelve121212")});
		cr_expect_eq(err, may[k].err, "row %u: %s", k, err_name(err));
	}
	bpsec_free(x);
	keyring_free(r);
}

/* How an operation is refused: each parameter and result that is not what it should be. */
Test(bpsec_rules, what_is_refused_in_an_operation)
{
	static const struct {
		const char *name;
		uint64_t type;
		const char *hex, *key;
		int err;
	} op[] = {
		{"context 0", BLOCK_BIB, "8101 00 00 8202820201 8181820141aa", "h256", -E_UNKNOWN},
		{"context -7", BLOCK_BIB, "8101 26 00 8202820201 8181820141aa", "h256", -E_UNKNOWN},
		{"context 2 in a BIB", BLOCK_BIB, "8101 02 00 8202820201 8181820141aa", "h256",
			-E_UNKNOWN},
		{"short MAC", BLOCK_BIB, "8101 01 01 8202820201 81820105 8181820141aa", "h256",
			-E_AUTH},
		{"MAC too long for any", BLOCK_BIB,
			"8101 01 01 8202820201 81820105 8181820158 "
			"4300112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00112233"
			"445566778899aabbccddeeff00112233445566778899aabbccddeeff001122",
			"h256", -E_AUTH},
		{"no MAC", BLOCK_BIB, "8101 01 00 8202820201 8180", "h384", -E_FORM},
		{"unknown result", BLOCK_BIB, "8101 01 00 8202820201 8181820241aa", "h384",
			-E_UNKNOWN},
		{"result is a text", BLOCK_BIB, "8101 01 00 8202820201 81818201 6161", "h384",
			-E_TYPE},
		{"variant 4", BLOCK_BIB, "8101 01 01 8202820201 81820104 8181820141aa", "h256",
			-E_UNKNOWN},
		{"variant a text", BLOCK_BIB, "8101 01 01 8202820201 8182016161 8181820141aa",
			"h256", -E_TYPE},
		{"parameter 4", BLOCK_BIB, "8101 01 01 8202820201 81820400 8181820141aa", "h384",
			-E_UNKNOWN},
		{"scope beyond 16 bits", BLOCK_BIB,
			"8101 01 01 8202820201 8182031a00010000 8181820141aa", "h384", -E_RANGE},
		{"empty wrapped key", BLOCK_BIB, "8101 01 01 8202820201 81820240 8181820141aa",
			"kek-1", -E_FORM},
		{"wrapped key too short", BLOCK_BIB,
			"8101 01 01 8202820201 8182024100 8181820141aa", "kek-1", -E_AUTH},
		{"wrapped key with a key that wraps none", BLOCK_BIB,
			"8101 01 01 8202820201 8182024100 8181820141aa", "h384", -ENOKEY},
		{"a KEK of the other context", BLOCK_BIB,
			"8101 01 01 8202820201 8182024100 8181820141aa", "kek", -ENOKEY},
		{"no key", BLOCK_BIB, "8101 01 00 8202820201 8181820141aa", NULL, -ENOKEY},
		{"a key of another MAC", BLOCK_BIB, "8101 01 00 8202820201 8181820141aa", "h256",
			-ENOKEY},
		{"a key of another kind", BLOCK_BIB, "8101 01 00 8202820201 8181820141aa", "a256",
			-ENOKEY},
		{"no IV", BLOCK_BCB, "8101 02 00 8202820201 8181820141aa", "a256", -E_FORM},
		{"IV of 7", BLOCK_BCB, "8101 02 01 8202820201 81820147 00010203040506 8181820141aa",
			"a256", -E_FORM},
		{"AES variant 2", BLOCK_BCB,
			"8101 02 01 8202820201 82820148 0001020304050607 820202 8181820141aa",
			"a256", -E_UNKNOWN},
		{"short tag", BLOCK_BCB,
			"8101 02 01 8202820201 81820148 0001020304050607 8181820141aa", "a256",
			-E_AUTH},
		{"no room for a tag behind one byte", BLOCK_BCB,
			"8101 02 01 8202820201 81820148 0001020304050607 8180", "a256", -E_AUTH},
		{"parameter 0", BLOCK_BCB, "8101 02 01 8202820201 81820000 8181820141aa", "a256",
			-E_UNKNOWN},
	};
	struct keyring *r = test_ring();
	struct bpsec *x = bpsec_new(r);

	for (unsigned k = 0; k < sizeof op / sizeof op[0]; k++) {
		uint8_t bytes[VECTOR_MAX], out[64];
		uint8_t asb[VECTOR_MAX];
		struct buf w = buf_of(bytes, sizeof bytes);
		struct bpsec_op list[BPSEC_OPS_MAX];
		struct bundle b;
		struct bpsec_subject s = {.b = &b};
		unsigned n;
		size_t m;
		size_t len = hex_bytes(
			"9f 88070000820282010282028202018202820201820018281a000f4240", bytes);
		w.len = len;
		block_write(&w, &(struct block_spec){.type = op[k].type,
					.number = 2,
					.flags = op[k].type == BLOCK_BCB,
					.data = view_of(asb, hex_bytes(op[k].hex, asb))});
		len = w.len + hex_bytes(Y, bytes + w.len);
		test_read_or_fail(&b, view_of(bytes, len));
		cr_assert_eq(bpsec_list(&b, list, &n), 0, "%s", op[k].name);
		int err = bpsec_begin(x, &s, list, op[k].key ? test_key(r, op[k].key) : NULL);
		if (!err) {
			err = bpsec_feed(
				x, b.payload, b.block[0].type == BLOCK_BIB ? NULL : out, &m);
			err = err ? err : bpsec_end(x);
		}
		cr_expect_eq(err, op[k].err, "%s: %s", op[k].name, err_name(err));
	}
	bpsec_free(x);
	keyring_free(r);
}

/* RFC 9172 3.9: neither a BIB's value over what is encrypted, nor that of a BIB that is, is checked. */
Test(bpsec_rules, encrypted_still)
{
	struct keyring *r = test_ring();
	struct bpsec *x = bpsec_new(r);
	uint8_t bytes[VECTOR_MAX];
	size_t n = hex_bytes(P BIB("02", "4f 8101 01 00 8202820201 8181820141aa")
				     BCB("03", "01", "4f 8101 02 00 8202820201 8181820141aa") Y,
		bytes);
	struct bpsec_op op[BPSEC_OPS_MAX];
	struct bundle b;
	unsigned ops;

	test_read_or_fail(&b, view_of(bytes, n));
	cr_assert_eq(bpsec_list(&b, op, &ops), 0);
	cr_assert_eq(ops, 2);
	cr_expect_eq(bpsec_verify(x, &b, &op[1], test_key(r, "h384")), -E_STATE);
	cr_expect_eq(bpsec_verify(x, &b, &op[0], test_key(r, "a256")), -EINVAL); /* it is a BCB */
	op[0].number = 7; /* not what the block says */
	struct bpsec_subject s = {.b = &b};
	cr_expect_eq(bpsec_begin(x, &s, op, test_key(r, "a256")), -EINVAL);
	cr_expect_eq(bpsec_feed(x, view_text("x"), NULL, NULL), -E_OVERFLOW);
	/* a BIB whose own data is ciphertext, though it looks like one */
	n = hex_bytes(P BIB("02", "4f 8100 01 00 8202820201 8181820141aa") BCB(
			      "03", "01", "55 820102 02 00 8202820201 8281820141aa81820141aa") Y,
		bytes);
	test_read_or_fail(&b, view_of(bytes, n));
	op[0] = (struct bpsec_op){.block = 0, .type = BLOCK_BIB, .number = 0};
	cr_expect_eq(bpsec_verify(x, &b, op, test_key(r, "h384")), -E_STATE);
	bpsec_free(x);
	bpsec_free(NULL);
	keyring_free(r);
}

/* RFC 9172 3.8: a BCB must not target a BIB unless they share a target. */
Test(bpsec_rules, a_bib_encrypted_for_nothing)
{
	static uint8_t one[8 * VECTOR_MAX], two[8 * VECTOR_MAX], three[8 * VECTOR_MAX];
	struct keyring *r = test_ring();
	struct bpsec *x = bpsec_new(r);
	uint8_t in[VECTOR_MAX];
	size_t n = vector_load("rfc9173_plain", in);
	struct bpsec_op op[BPSEC_OPS_MAX];
	struct bundle b;
	unsigned ops;

	for (unsigned payload_too = 0; payload_too < 2; payload_too++) {
		struct buf w = buf_of(one, sizeof one), w2 = buf_of(two, sizeof two),
			   w3 = buf_of(three, sizeof three);
		struct bpsec_how how = {.type = BLOCK_BIB,
			.target = 1,
			.number = 2,
			.context = BPSEC_HMAC_SHA2,
			.source = eid_ipn(2, 1),
			.key = test_key(r, "h384")};
		test_read_or_fail(&b, view_of(in, n));
		cr_assert_eq(bpsec_add(x, &w, &b, &how), 0);
		how = (struct bpsec_how){.type = BLOCK_BCB,
			.target = 2,
			.context = BPSEC_AES_GCM,
			.source = eid_ipn(2, 1),
			.key = test_key(r, "a256"),
			.iv = view_text("Twelve121212")};
		test_read_or_fail(&b, buf_view(&w));
		cr_assert_eq(bpsec_add(x, &w2, &b, &how), 0);
		if (payload_too) {
			how.target = 1;
			test_read_or_fail(&b, buf_view(&w2));
			cr_assert_eq(bpsec_add(x, &w3, &b, &how), 0);
		}
		test_read_or_fail(&b, payload_too ? buf_view(&w3) : buf_view(&w2));
		cr_assert_eq(bpsec_list(&b, op, &ops), 0);
		cr_assert_eq(ops, 1 + payload_too);
		cr_assert_eq(op[0].number, 2);
		w.len = 0;
		cr_expect_eq(bpsec_accept(x, &w, &b,
				     &(struct bpsec_accept){.op = op, .key = test_key(r, "a256")}),
			payload_too ? 0 : -E_RULE);
		/* of a head alone nothing can be done at once with the payload */
		b.payload.p = NULL;
		cr_expect_eq(bpsec_accept(x, &w, &b,
				     &(struct bpsec_accept){
					     .op = &op[payload_too], .key = test_key(r, "a256")}),
			payload_too ? -EINVAL : -E_RULE);
		how.target = 1;
		cr_expect_eq(bpsec_add(x, &w, &b, &how), -EINVAL);
	}
	bpsec_free(x);
	keyring_free(r);
}
