/* What is signed or authenticated, put together here byte by byte: RFC 9173 3.3.3, 3.7, 4.3.4, 4.7.2. The scope
 * flags of the block decide; where there are none all three count as set, and reserved bits count as 0. */
#include "bundle/block.h"
#include "bundle/crypto.h"
#include "tests/unit/bundle/secured.h"

#include <criterion/criterion.h>

#define PRIMARY "88070000820282010282028202018202820201820018281a000f4240"
#define PAYLOAD "526561647920746f2067656e657261746520612033322d62797465207061796c6f6164"
#define IV "5477656c7665313231323132"

struct row {
	const char *name;
	const char *before; /* the security block's data up to the MAC or tag */
	const char *with;   /* the IPPT, or the additional authenticated data */
};

/* The bundle with one security block, number 2. */
static void assemble(struct bundle *b, uint8_t bytes[VECTOR_MAX], const struct row *r,
	struct view sum, struct view payload)
{
	uint8_t data[VECTOR_MAX], head[VECTOR_MAX];
	struct buf d = buf_of(data, sizeof data), w = buf_of(bytes, VECTOR_MAX);
	bool bcb = sum.n == CRYPTO_TAG;

	d.len = hex_bytes(r->before, data);
	buf_put(&d, view_of(head, hex_bytes(bcb ? "50" : "5830", head)));
	buf_put(&d, sum);
	w.len = hex_bytes("9f" PRIMARY, bytes);
	block_write(&w, &(struct block_spec){.type = bcb ? BLOCK_BCB : BLOCK_BIB,
				.number = 2,
				.flags = bcb ? BLOCK_REPLICATE : 0,
				.data = buf_view(&d)});
	block_write(&w, &(struct block_spec){.type = BLOCK_PAYLOAD, .number = 1, .data = payload});
	buf_put(&w, view_of((const uint8_t *)"\xff", 1));
	cr_assert_eq(buf_finish(&w), 0);
	test_read_or_fail(b, buf_view(&w));
}

Test(bpsec_scope, of_what_is_signed)
{
	static const struct row rows[] = {
		{"none said: all", "8101 01 00 8202820201 81 81 8201",
			"07" PRIMARY "010100 0b0200 5823" PAYLOAD},
		{"all", "8101 01 01 8202820201 81820307 81 81 8201",
			"07" PRIMARY "010100 0b0200 5823" PAYLOAD},
		{"reserved bits", "8101 01 01 8202820201 818203 19ff07 81 81 8201",
			"07" PRIMARY "010100 0b0200 5823" PAYLOAD},
		{"none", "8101 01 01 8202820201 81820300 81 81 8201", "00 5823" PAYLOAD},
		{"primary", "8101 01 01 8202820201 81820301 81 81 8201",
			"01" PRIMARY "5823" PAYLOAD},
		{"target", "8101 01 01 8202820201 81820302 81 81 8201", "02 010100 5823" PAYLOAD},
		{"security block", "8101 01 01 8202820201 81820304 81 81 8201",
			"04 0b0200 5823" PAYLOAD},
		{"over the primary it and its header are not added",
			"8100 01 01 8202820201 81820307 81 81 8201", "07 0b0200 581c" PRIMARY},
		{"reserved context flags, parameters", "8101 01 03 8202820201 81820302 81 81 8201",
			"02 010100 5823" PAYLOAD},
		{"reserved context flags, none", "8101 01 06 8202820201 81 81 8201",
			"07" PRIMARY "010100 0b0200 5823" PAYLOAD},
	};
	struct keyring *ring = test_ring();
	const struct key *key = test_key(ring, "h384");
	struct crypto *c =
		crypto_new(CRYPTO_HMAC_384, view_of(key->secret, key->n_secret), view_of(NULL, 0));
	struct bpsec *x = bpsec_new(ring);

	for (unsigned k = 0; k < sizeof rows / sizeof rows[0]; k++) {
		uint8_t text[VECTOR_MAX], bytes[VECTOR_MAX], payload[VECTOR_MAX],
			sum[CRYPTO_SUM_MAX];
		struct view in = view_of(text, hex_bytes(rows[k].with, text));
		struct bpsec_op op[BPSEC_OPS_MAX];
		struct bundle b;
		unsigned n;

		cr_assert_eq(crypto_begin(c, CRYPTO_MAKE, view_of(NULL, 0)), 0);
		crypto_feed(c, in);
		cr_assert_eq(crypto_make(c, sum), 0);
		for (unsigned wrong = 0; wrong < 2; wrong++) {
			sum[7] ^= (uint8_t)wrong;
			assemble(&b, bytes, &rows[k], view_of(sum, 48),
				view_of(payload, hex_bytes(PAYLOAD, payload)));
			cr_assert_eq(bpsec_list(&b, op, &n), 0);
			cr_assert_eq(n, 1);
			cr_expect_eq(bpsec_verify(x, &b, op, key), wrong ? -E_AUTH : 0, "%s",
				rows[k].name);
		}
	}
	crypto_free(c);
	bpsec_free(x);
	keyring_free(ring);
}

Test(bpsec_scope, of_what_is_authenticated_with_ciphertext)
{
	static const struct row rows[] = {
		{"none said: all", "8101 02 01 8202820201 8182014c" IV "81 81 8201",
			"07" PRIMARY "010100 0c0201"},
		{"reserved bits", "8101 02 01 8202820201 8282014c" IV "8204 19fff9 81 81 8201",
			"01" PRIMARY},
		{"none", "8101 02 01 8202820201 8282014c" IV "820400 81 81 8201", "00"},
	};
	struct keyring *ring = test_ring();
	const struct key *key = test_key(ring, "a256");
	struct crypto *c =
		crypto_new(CRYPTO_A256GCM, view_of(key->secret, key->n_secret), view_of(NULL, 0));
	struct bpsec *x = bpsec_new(ring);
	uint8_t iv[VECTOR_MAX], plain[VECTOR_MAX];
	struct view v = view_of(iv, hex_bytes(IV, iv));
	size_t n_plain = hex_bytes(PAYLOAD, plain);

	for (unsigned k = 0; k < sizeof rows / sizeof rows[0]; k++) {
		uint8_t text[VECTOR_MAX], bytes[VECTOR_MAX], out[4 * VECTOR_MAX], cipher[64],
			sum[CRYPTO_SUM_MAX];
		struct buf w = buf_of(out, sizeof out);
		struct bpsec_op op[BPSEC_OPS_MAX];
		struct bundle b;
		unsigned n;

		cr_assert_eq(crypto_begin(c, CRYPTO_MAKE, v), 0);
		crypto_feed(c, view_of(text, hex_bytes(rows[k].with, text)));
		crypto_crypt(c, view_of(plain, n_plain), cipher);
		cr_assert_eq(crypto_make(c, sum), 0);
		assemble(&b, bytes, &rows[k], view_of(sum, CRYPTO_TAG), view_of(cipher, n_plain));
		cr_assert_eq(bpsec_list(&b, op, &n), 0);
		cr_assert_eq(bpsec_accept(x, &w, &b, &(struct bpsec_accept){.op = op, .key = key}),
			0, "%s", rows[k].name);
		expect_hex(buf_view(&w), PLAIN, rows[k].name);
	}
	crypto_free(c);
	bpsec_free(x);
	keyring_free(ring);
}
