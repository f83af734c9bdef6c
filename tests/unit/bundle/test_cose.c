/* The COSE context: the draft's examples (Mac0 made byte for byte; Encrypt0 with a partial IV, an AAD
 * scope over other blocks and additional headers verified), and each form that is refused. */
#include "bundle/block.h"
#include "tests/unit/bundle/secured.h"

#include <criterion/criterion.h>

static const struct test_policy by_kid[] = {{0}};
static uint8_t room[8 * VECTOR_MAX];

Test(cose, examples_accepted)
{
	static const char *const name[] = {"cose_mac0", "cose_mac0_protected", "cose_encrypt0"};
	struct keyring *r = test_ring();
	uint8_t in[VECTOR_MAX], want[VECTOR_MAX], out[VECTOR_MAX];
	size_t m = vector_load("cose_plain", want), got;

	for (unsigned k = 0; k < 3; k++) {
		size_t n = vector_load(name[k], in);
		int err = test_accept_all(r, view_of(in, n), by_kid, out, &got);
		cr_expect_eq(err, 0, "%s: %s", name[k], err_name(err));
		cr_expect(got == m && memcmp(out, want, m) == 0, "%s", name[k]);
	}
	size_t n = vector_load("cose_mac0_scope", in);
	cr_expect_eq(test_accept_all(r, view_of(in, n), by_kid, out, &got), 0);
	keyring_free(r);
}

/* Example 1 as we make it. */
Test(cose, mac0_made)
{
	struct keyring *r = test_ring();
	struct bpsec *x = bpsec_new(r);
	struct buf out = buf_of(room, sizeof room);
	uint8_t in[VECTOR_MAX], want[VECTOR_MAX];
	size_t n = vector_load("cose_plain", in), m = vector_load("cose_mac0", want);
	struct bpsec_how how = {.type = BLOCK_BIB,
		.target = 1,
		.number = 3,
		.context = BPSEC_COSE,
		.scope = BPSEC_SCOPE_PRIMARY | BPSEC_SCOPE_TARGET,
		.key = test_key(r, "ExampleA.1")};
	struct bundle b;

	cr_assert_eq(eid_parse("dtn://src/", &how.source), 0);
	test_read_or_fail(&b, view_of(in, n));
	cr_assert_eq(bpsec_add(x, &out, &b, &how), 0);
	cr_expect(out.len == m && memcmp(room, want, m) == 0);
	bpsec_free(x);
	keyring_free(r);
}

#define SRC "03 01 8201662f2f7372632f"
#define SCOPE "8182 05 a200012001"
#define MAC                                                                                        \
	"5830ec8260a38a1a00fef2cd4aae063f50f01c5645e84c6c4893ca895eed44ef60a5f50f9adf5cc5654499b8" \
	"81e589637805"
#define KID "a1044a4578616d706c65412e31"

static const struct {
	const char *name;
	const char *params;
	uint64_t id;
	const char *message; /* what the result's byte string holds */
	int err;
} rows[] = {
	{"the example itself", SCOPE, 17, "84 43a10106 " KID "f6" MAC, 0},
	{"kid in an additional parameter", "82 82044d" KID "8205a200012001", 17,
		"84 43a10106 a0 f6" MAC, 0},
	{"text labels and values are passed over", SCOPE, 17,
		"84 43a10106 a3 616101 044a4578616d706c65412e31 1818 80 f6" MAC, 0},
	{"an open array", SCOPE, 17, "9f 43a10106 " KID "f6" MAC "ff", 0},
	{"not detached", SCOPE, 17, "84 43a10106 " KID "4568656c6c6f" MAC, -E_FORM},
	{"tagged", SCOPE, 17, "d1 84 43a10106 " KID "f6" MAC, -E_TYPE},
	{"of three", SCOPE, 17, "83 43a10106 " KID "f6", -E_FORM},
	{"of five", SCOPE, 17, "85 43a10106 " KID "f6" MAC "00", -E_FORM},
	{"a byte behind", SCOPE, 17, "84 43a10106 " KID "f6" MAC "00", -E_TRAILING},
	{"alg not protected", SCOPE, 17, "84 40 a20106044a4578616d706c65412e31 f6" MAC, -E_UNKNOWN},
	{"alg of another message", SCOPE, 18, "84 43a10106 " KID "f6" MAC, -E_UNKNOWN},
	{"alg that is a text", SCOPE, 17, "84 44a1016161 " KID "f6" MAC, -E_UNKNOWN},
	{"alg 4", SCOPE, 17, "84 43a10104 " KID "f6" MAC, -E_UNKNOWN},
	{"crit", SCOPE, 17, "84 46a201060281 07 " KID "f6" MAC, -E_UNKNOWN},
	{"a label twice", SCOPE, 17, "84 45a201060106 " KID "f6" MAC, -E_DUPLICATE},
	{"kid on both sides", SCOPE, 17, "84 46a20106044100 " KID "f6" MAC, -E_DUPLICATE},
	{"protected no map", SCOPE, 17, "84 4101 " KID "f6" MAC, -E_TYPE},
	{"bytes behind the protected map", SCOPE, 17, "84 44a1010600 " KID "f6" MAC, -E_TRAILING},
	{"kid a text", SCOPE, 17, "84 43a10106 a1046161 f6" MAC, -E_TYPE},
	{"unknown kid", SCOPE, 17, "84 43a10106 a1044161 f6" MAC, -ENOKEY},
	{"no kid", SCOPE, 17, "84 43a10106 a0 f6" MAC, -ENOKEY},
	{"a key of another algorithm", SCOPE, 17, "84 43a10105 " KID "f6" MAC, -ENOKEY},
	{"short MAC", SCOPE, 17, "84 43a10106 " KID "f6 4100", -E_AUTH},
	{"MAC longer than any", SCOPE, 17,
		"84 43a10106 " KID "f6 5841" /* 65 */
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00",
		-E_AUTH},
	{"Mac with recipients", SCOPE, 97, "85 43a10106 " KID "f6" MAC "80", -E_UNKNOWN},
	{"Encrypt0 in a BIB", SCOPE, 16, "83 43a10103 a0 f6", -E_UNKNOWN},
	{"parameter 6", "8182 06 00", 17, "84 43a10106 " KID "f6" MAC, -E_UNKNOWN},
	{"parameter 2", "8182 02 00", 17, "84 43a10106 " KID "f6" MAC, -E_UNKNOWN},
	{"additional headers: no bytes", "8182 03 a0", 17, "84 43a10106 " KID "f6" MAC, -E_TYPE},
	{"additional headers twice", "82 82034d" KID "82044d" KID, 17, "84 43a10106 a0 f6" MAC,
		-E_DUPLICATE},
	{"additional crit", "8182 04 44a1028107", 17, "84 43a10106 " KID "f6" MAC, -E_UNKNOWN},
	{"another scope: default", "8182 04 41a0", 17, "84 43a10106 " KID "f6" MAC, -E_AUTH},
	{"scope no map", "8182 05 80", 17, "84 43a10106 " KID "f6" MAC, -E_TYPE},
	{"scope: a key twice", "8182 05 a200010001", 17, "84 43a10106 " KID "f6" MAC, -E_DUPLICATE},
	{"scope: no flags", "8182 05 a10000", 17, "84 43a10106 " KID "f6" MAC, -E_FORM},
	{"scope: data of the primary", "8182 05 a10003", 17, "84 43a10106 " KID "f6" MAC, -E_FORM},
	{"scope: data of the target", "8182 05 a12002", 17, "84 43a10106 " KID "f6" MAC, -E_FORM},
	{"scope: data of the BIB by its number", "8182 05 a10302", 17, "84 43a10106 " KID "f6" MAC,
		-E_FORM},
	{"scope: the BIB by its number", "8182 05 a10301", 17, "84 43a10106 " KID "f6" MAC,
		-E_AUTH},
	{"scope: a block that is not there", "8182 05 a10701", 17, "84 43a10106 " KID "f6" MAC,
		-E_AUTH},
	{"scope: -3", "8182 05 a12201", 17, "84 43a10106 " KID "f6" MAC, -E_UNKNOWN},
	{"scope: 17 blocks",
		"8182 05 b100010101020103010401050106010701080109010a010b010c010d010e010f011001",
		17, "84 43a10106 " KID "f6" MAC, -E_LIMIT},
};

/* The example with another result or other parameters. */
static int judged(struct bpsec *x, const char *params, uint64_t id, struct view message, bool cut)
{
	static uint8_t in[VECTOR_MAX], asb[VECTOR_MAX], bytes[2 * VECTOR_MAX];
	struct buf a = buf_of(asb, sizeof asb), w = buf_of(bytes, sizeof bytes);
	struct bpsec_op op[BPSEC_OPS_MAX];
	struct bundle b;
	unsigned n;

	size_t len = vector_load("cose_plain", in);
	test_read_or_fail(&b, view_of(in, len));
	a.len = hex_bytes("8101" SRC, asb);
	a.len += hex_bytes(params, asb + a.len);
	a.len += hex_bytes("8181 82", asb + a.len);
	cbor_put_uint(&a, id);
	cbor_put_bytes(&a, message);
	struct block_spec add = {.type = BLOCK_BIB, .number = 3, .data = buf_view(&a)};
	struct bundle_rewrite rewrite = {.add = &add, .n_add = 1};
	cr_assert_eq(bundle_rewrite(&w, &b, &rewrite, b.payload), 0);
	test_read_or_fail(&b, buf_view(&w));
	int err = bpsec_list(&b, op, &n);
	cr_assert(cut || err == 0);
	return err ? err : bpsec_verify(x, &b, op, NULL);
}

Test(cose, forms)
{
	struct keyring *r = test_ring();
	struct bpsec *x = bpsec_new(r);

	for (unsigned k = 0; k < sizeof rows / sizeof rows[0]; k++) {
		uint8_t m[VECTOR_MAX];
		struct view message = view_of(m, hex_bytes(rows[k].message, m));
		int err = judged(x, rows[k].params, rows[k].id, message, false);
		cr_expect_eq(err, rows[k].err, "%s: %s", rows[k].name, err_name(err));
		for (size_t cut = 0; cut + (err == -E_TRAILING) < message.n; cut++)
			cr_expect_lt(judged(x, rows[k].params, rows[k].id,
					     view_sub(message, 0, cut), true),
				0, "%s cut at %zu", rows[k].name, cut);
	}
	bpsec_free(x);
	keyring_free(r);
}

/* RFC 9052 3.1: IV and partial IV. */
Test(cose, nonces)
{
	static const struct {
		const char *name, *unprotected;
		int err;
	} iv[] = {
		{"the example's", "a2044a4578616d706c65412e34 06 42484a", 0},
		{"the same written out",
			"a2044a4578616d706c65412e34 05 4c 6f3093eba5d85143c3dc484a", 0},
		{"another", "a2044a4578616d706c65412e34 06 42484b", -E_AUTH},
		{"both", "a3044a4578616d706c65412e34 05 4c 6f3093eba5d85143c3dc484a 06 42484a",
			-E_FORM},
		{"none", "a1044a4578616d706c65412e34", -E_FORM},
		{"short", "a2044a4578616d706c65412e34 05 42484a", -E_FORM},
		{"partial, too long", "a2044a4578616d706c65412e34 06 4d 00000000000000000000000000",
			-E_FORM},
		{"partial, a key without base", "a2044461323536 06 42484a", -ENOKEY},
	};
	struct keyring *r = test_ring();
	struct bpsec *x = bpsec_new(r);

	for (unsigned k = 0; k < sizeof iv / sizeof iv[0]; k++) {
		static uint8_t in[VECTOR_MAX], bytes[2 * VECTOR_MAX];
		uint8_t asb[VECTOR_MAX], message[VECTOR_MAX], u[VECTOR_MAX], out[64];
		struct buf a = buf_of(asb, sizeof asb), m = buf_of(message, sizeof message);
		struct buf w = buf_of(bytes, sizeof bytes);
		struct bpsec_op op[BPSEC_OPS_MAX];
		struct bundle b;
		struct bpsec_subject s = {.b = &b};
		unsigned n;
		size_t made, len = vector_load("cose_encrypt0", in);
		test_read_or_fail(&b, view_of(in, len));
		m.len = hex_bytes("83 43a10103", message);
		buf_put(&m, view_of(u, hex_bytes(iv[k].unprotected, u)));
		buf_u8(&m, 0xf6);
		a.len = hex_bytes("8101" SRC SCOPE "8181 8210", asb);
		cbor_put_bytes(&a, buf_view(&m));
		struct bundle_change change = {.block = 0, .data = buf_view(&a)};
		struct bundle_rewrite rewrite = {.change = &change, .n_changes = 1};
		cr_assert_eq(bundle_rewrite(&w, &b, &rewrite, b.payload), 0);
		test_read_or_fail(&b, buf_view(&w));
		cr_assert_eq(bpsec_list(&b, op, &n), 0);
		int err = bpsec_begin(x, &s, op, NULL);
		if (!err) {
			cr_assert_eq(bpsec_feed(x, b.payload, out, &made), 0);
			err = bpsec_end(x);
		}
		cr_expect_eq(err, iv[k].err, "%s: %s", iv[k].name, err_name(err));
	}
	bpsec_free(x);
	keyring_free(r);
}

/* Whoever has the public key alone can check, and can't sign. */
Test(cose, public_keys)
{
	static const char *const pair[][2] = {{"ed", "ed-public"}, {"es", "es-public"}};
	struct keyring *r = test_ring();
	struct bpsec *x = bpsec_new(r);
	uint8_t in[VECTOR_MAX];
	size_t n = vector_load("cose_plain", in);

	for (unsigned k = 0; k < 2; k++) {
		struct buf out = buf_of(room, sizeof room);
		struct bpsec_how how = {.type = BLOCK_BIB,
			.target = 1,
			.context = BPSEC_COSE,
			.source = eid_ipn(1, 0),
			.key = test_key(r, pair[k][1])};
		struct bpsec_op op[BPSEC_OPS_MAX];
		struct bundle b;
		unsigned ops;
		test_read_or_fail(&b, view_of(in, n));
		cr_expect_eq(bpsec_add(x, &out, &b, &how), -ENOKEY);
		how.key = test_key(r, pair[k][0]);
		cr_assert_eq(bpsec_add(x, &out, &b, &how), 0);
		test_read_or_fail(&b, buf_view(&out));
		cr_assert_eq(bpsec_list(&b, op, &ops), 0);
		cr_expect_eq(bpsec_verify(x, &b, op, test_key(r, pair[k][1])), 0);
		cr_expect_eq(bpsec_verify(x, &b, op, test_key(r, pair[1 - k][1])), -ENOKEY);
	}
	bpsec_free(x);
	keyring_free(r);
}
