/* Published vectors: HMAC RFC 4231, AES-GCM (McGrew and Viega, in NIST's submission), AES key wrap RFC
 * 3394, Ed25519 RFC 8032, ES256 RFC 6979; contexts used again and again; what is refused. */
#include "bundle/crypto.h"
#include "tests/unit/bundle/vectors.h"

#include <criterion/criterion.h>

static const struct view none;

static struct view hex(const char *text, uint8_t room[VECTOR_MAX])
{
	return view_of(room, hex_bytes(text, room));
}

#define JEFE "4a656665"
#define WHAT "7768617420646f2079612077616e7420666f72206e6f7468696e673f"
#define AA131 AA32 AA32 AA32 AA32 "aaaaaa"
#define AA32 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LARGER                                                                                     \
	"54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368" \
	"204b6579204669727374"

/* RFC 4231 4.3 and 4.7 */
Test(crypto, hmac)
{
	static const struct {
		enum crypto_alg alg;
		const char *key, *data, *mac;
	} rows[] = {
		{CRYPTO_HMAC_256, JEFE, WHAT,
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{CRYPTO_HMAC_384, JEFE, WHAT,
			"af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
			"8e2240ca5e69e2c78b3239ecfab21649"},
		{CRYPTO_HMAC_512, JEFE, WHAT,
			"164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
			"9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
		{CRYPTO_HMAC_256, AA131, LARGER,
			"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	};

	for (unsigned k = 0; k < sizeof rows / sizeof rows[0]; k++) {
		uint8_t a[VECTOR_MAX], b[VECTOR_MAX], out[CRYPTO_SUM_MAX];
		struct view data = hex(rows[k].data, b);
		struct crypto *c = crypto_new(rows[k].alg, hex(rows[k].key, a), none);
		cr_assert_not_null(c);
		/* again and again, in pieces, with a use in between that is not ended */
		for (size_t cut = 0; cut <= data.n; cut++) {
			cr_assert_eq(crypto_begin(c, CRYPTO_MAKE, none), 0);
			crypto_feed(c, view_sub(data, 0, cut));
			cr_assert_eq(crypto_begin(c, CRYPTO_MAKE, none), 0);
			crypto_feed(c, view_sub(data, 0, cut));
			crypto_feed(c, view_sub(data, cut, data.n - cut));
			cr_assert_eq(crypto_make(c, out), 0);
			expect_hex(view_of(out, crypto_sum_size(rows[k].alg)), rows[k].mac, "mac");
			cr_assert_eq(crypto_begin(c, CRYPTO_CHECK, none), 0);
			crypto_feed(c, data);
			out[cut % 32] ^= 1;
			cr_expect_eq(crypto_check(c, view_of(out, crypto_sum_size(rows[k].alg))),
				-E_AUTH);
			cr_assert_eq(crypto_begin(c, CRYPTO_CHECK, none), 0);
			cr_expect_eq(crypto_check(c, view_of(out, 31)), -E_AUTH);
		}
		cr_expect_eq(crypto_make(c, out), -E_STATE);
		cr_expect_eq(crypto_public(c, out), 0);
		crypto_free(c);
	}
}

#define GCM_KEY "feffe9928665731c6d6a8f9467308308"
#define GCM_TEXT                                                                                   \
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"                         \
	"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"

Test(crypto, gcm)
{
	static const struct {
		enum crypto_alg alg;
		const char *key, *iv, *cipher, *tag;
	} rows[] = {
		{CRYPTO_A128GCM, GCM_KEY, "cafebabefacedbaddecaf888",
			"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
			"21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
			"5bc94fbc3221a5db94fae95ae7121a47"},
		{CRYPTO_A128GCM, GCM_KEY, "cafebabefacedbad",
			"61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c7423"
			"73806900e49f24b22b097544d4896b424989b5e1ebac0f07c23f4598",
			"3612d2e79e3b0785561be14aaca2fccb"},
		{CRYPTO_A256GCM, GCM_KEY GCM_KEY, "cafebabefacedbaddecaf888",
			"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
			"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
			"76fc6ece0f4e1768cddf8853bb2d551b"},
	};
	uint8_t key[VECTOR_MAX], iv[VECTOR_MAX], text[VECTOR_MAX], aad[VECTOR_MAX], out[128],
		tag[CRYPTO_SUM_MAX];
	struct view p = hex(GCM_TEXT, text);
	struct view more = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2", aad);

	for (unsigned k = 0; k < sizeof rows / sizeof rows[0]; k++) {
		struct view nonce = hex(rows[k].iv, iv);
		struct crypto *c = crypto_new(rows[k].alg, hex(rows[k].key, key), none);
		cr_assert_not_null(c);
		for (size_t cut = 0; cut <= p.n; cut++) {
			cr_assert_eq(crypto_begin(c, CRYPTO_MAKE, nonce), 0);
			crypto_feed(c, view_sub(more, 0, cut % more.n));
			crypto_feed(c, view_sub(more, cut % more.n, more.n - cut % more.n));
			crypto_crypt(c, view_sub(p, 0, cut), out);
			crypto_crypt(c, view_sub(p, cut, p.n - cut), out + cut);
			cr_assert_eq(crypto_make(c, tag), 0);
			expect_hex(view_of(out, p.n), rows[k].cipher, "cipher");
			expect_hex(view_of(tag, 16), rows[k].tag, "tag");
			cr_assert_eq(crypto_begin(c, CRYPTO_CHECK, nonce), 0);
			crypto_feed(c, more);
			crypto_crypt(c, view_of(out, p.n), out); /* in place */
			tag[cut % 16] ^= cut % 2 ? 0x80 : 0;
			cr_assert_eq(crypto_check(c, view_of(tag, 16)), cut % 2 ? -E_AUTH : 0);
			cr_expect(memcmp(out, text, p.n) == 0);
		}
		cr_expect_eq(crypto_begin(c, CRYPTO_MAKE, view_of(iv, 7)), -EINVAL);
		cr_expect_eq(crypto_begin(c, CRYPTO_MAKE, view_of(iv, 17)), -EINVAL);
		cr_expect_eq(crypto_make(c, tag), -EINVAL);
		/* another key in the same context, and back */
		cr_expect_eq(crypto_rekey(c, view_of(key, 17)), -EINVAL);
		memset(out, 7, sizeof out);
		cr_expect_eq(
			crypto_rekey(c, view_of(out, rows[k].alg == CRYPTO_A128GCM ? 16 : 32)), 0);
		cr_expect_eq(crypto_rekey(c, hex(rows[k].key, key)), 0);
		cr_assert_eq(crypto_begin(c, CRYPTO_MAKE, nonce), 0);
		crypto_feed(c, more);
		crypto_crypt(c, p, out);
		cr_assert_eq(crypto_make(c, tag), 0);
		expect_hex(view_of(tag, 16), rows[k].tag, "tag");
		crypto_free(c);
	}
}

/* One use of c with its own IV and text: made, or checked with a tag that is right or not. */
static int use_gcm(
	struct crypto *c, unsigned step, bool check, uint8_t out[64], uint8_t tag[CRYPTO_SUM_MAX])
{
	uint8_t iv[CRYPTO_IV_MAX];
	size_t iv_len = step % 5 == 0 ? 16 : step % 7 == 0 ? 8 : 12;

	for (size_t i = 0; i < sizeof iv; i++)
		iv[i] = (uint8_t)(step * 31 + i);
	int err = crypto_begin(c, check ? CRYPTO_CHECK : CRYPTO_MAKE, view_of(iv, iv_len));
	if (err)
		return err;
	crypto_feed(c, view_of(iv, step % 13));
	crypto_crypt(c, view_of(out, step % 64), out);
	return check ? crypto_check(c, view_of(tag, CRYPTO_TAG)) : crypto_make(c, tag);
}

/* Whatever a context did before, given up or failed, the next use is that of a fresh one. */
Test(crypto, gcm_contexts_are_as_good_as_new)
{
	static const uint8_t key[32] = "what is used again and again....";
	struct crypto *used = crypto_new(CRYPTO_A256GCM, view_of(key, 32), none);

	for (unsigned step = 1; step < 2000; step++) {
		struct crypto *fresh = crypto_new(CRYPTO_A256GCM, view_of(key, 32), none);
		uint8_t one[64] = {0}, two[64] = {0}, tag_one[CRYPTO_SUM_MAX],
			tag_two[CRYPTO_SUM_MAX];

		cr_assert_eq(use_gcm(fresh, step, false, one, tag_one), 0);
		cr_assert_eq(use_gcm(used, step, false, two, tag_two), 0);
		cr_assert_arr_eq(one, two, sizeof one);
		cr_assert_arr_eq(tag_one, tag_two, CRYPTO_TAG);
		if (step % 3 == 0)
			cr_assert_eq(use_gcm(used, step, true, two, tag_one), 0);
		tag_one[step % 16] ^= 1;
		if (step % 4 == 0)
			cr_assert_eq(use_gcm(used, step, true, one, tag_one), -E_AUTH);
		if (step % 6 == 0) /* given up half-way */
			cr_assert_eq(crypto_begin(used, CRYPTO_MAKE, view_of(key, 12)), 0);
		if (step % 17 == 0)
			cr_assert_eq(crypto_rekey(used, view_of(key, 32)), 0);
		crypto_free(fresh);
	}
	crypto_free(used);
}

/* RFC 3394 4.1, 4.6 */
Test(crypto, key_wrap)
{
	static const struct {
		const char *kek, *key, *wrapped;
	} rows[] = {{"000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff",
			    "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"},
		{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
			"00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
			"28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a"
			"02dd21"}};

	for (unsigned k = 0; k < 2; k++) {
		uint8_t a[VECTOR_MAX], b[VECTOR_MAX], out[64], back[64];
		struct view kek = hex(rows[k].kek, a), key = hex(rows[k].key, b);
		cr_assert_eq(crypto_wrap(kek, key, out), 0);
		expect_hex(view_of(out, key.n + 8), rows[k].wrapped, "wrapped");
		cr_assert_eq(crypto_unwrap(kek, view_of(out, key.n + 8), back), 0);
		cr_expect(memcmp(back, key.p, key.n) == 0);
		for (size_t bit = 0; bit < 8 * (key.n + 8); bit++) {
			out[bit / 8] ^= (uint8_t)(1u << bit % 8);
			cr_expect_eq(crypto_unwrap(kek, view_of(out, key.n + 8), back), -E_AUTH);
			out[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		cr_expect_eq(crypto_unwrap(kek, view_of(out, 23), back), -EINVAL);
		cr_expect_eq(crypto_unwrap(kek, view_of(out, 25), back), -EINVAL);
		cr_expect_eq(crypto_unwrap(kek, view_of(out, 16), back), -EINVAL);
		cr_expect_eq(crypto_unwrap(view_of(a, 15), view_of(out, 24), back), -EINVAL);
		cr_expect_eq(crypto_wrap(kek, view_of(b, 15), out), -EINVAL);
	}
}

#define ED_SECRET "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
#define ED_PUBLIC "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
#define ES_SECRET "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
#define ES_PUBLIC                                                                                  \
	"60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"                         \
	"7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"

static const struct signer {
	enum crypto_alg alg;
	const char *secret, *public, *message, *signature;
} signers[] = {{CRYPTO_ED25519, ED_SECRET, ED_PUBLIC, "72", /* RFC 8032 7.1, test 2 */
		       "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
		       "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
	{CRYPTO_ES256, ES_SECRET, ES_PUBLIC, "73616d706c65", /* RFC 6979 A.2.5 */
		"efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
		"f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"}};

Test(crypto, signatures)
{
	for (unsigned k = 0; k < 2; k++) {
		const struct signer *w = &signers[k];
		uint8_t a[VECTOR_MAX], b[VECTOR_MAX], m[VECTOR_MAX], s[VECTOR_MAX], out[64];
		struct view secret = hex(w->secret, a), public = hex(w->public, b);
		struct view message = hex(w->message, m), signature = hex(w->signature, s);
		struct crypto *both = crypto_new(w->alg, secret, public);
		struct crypto *alone = crypto_new(w->alg, secret, none);
		struct crypto *open = crypto_new(w->alg, none, public);
		cr_assert(both && alone && open);
		cr_expect_eq(crypto_public(alone, out), public.n);
		expect_hex(view_of(out, public.n), w->public, "public");
		cr_expect_eq(crypto_begin(open, CRYPTO_MAKE, none), -E_REFUSED);
		for (size_t bit = 0; bit < 8 * 64; bit++) {
			if (bit)
				s[bit / 8] ^= (uint8_t)(1u << bit % 8);
			cr_assert_eq(crypto_begin(open, CRYPTO_CHECK, none), 0);
			crypto_feed(open, message);
			cr_expect_eq(crypto_check(open, signature), bit ? -E_AUTH : 0);
			if (bit)
				s[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		for (unsigned again = 0; again < 2; again++) {
			cr_assert_eq(crypto_begin(both, CRYPTO_MAKE, none), 0);
			crypto_feed(both, view_sub(message, 0, 1));
			crypto_feed(both, view_sub(message, 1, message.n - 1));
			cr_assert_eq(crypto_make(both, out), 0);
			if (w->alg == CRYPTO_ED25519)
				expect_hex(view_of(out, 64), w->signature, "signature");
			cr_assert_eq(crypto_begin(alone, CRYPTO_CHECK, none), 0);
			crypto_feed(alone, message);
			cr_expect_eq(crypto_check(alone, view_of(out, 64)), 0);
		}
		cr_expect_eq(crypto_rekey(both, secret), -EINVAL);
		crypto_free(both);
		crypto_free(alone);
		crypto_free(open);
	}
}

Test(crypto, ed25519_takes_so_much_and_no_more)
{
	uint8_t a[VECTOR_MAX], out[64];
	static uint8_t big[CRYPTO_ED25519_MAX];
	struct crypto *c = crypto_new(CRYPTO_ED25519, hex(ED_SECRET, a), none);

	cr_assert_not_null(c);
	for (unsigned more = 0; more < 2; more++) {
		cr_assert_eq(crypto_begin(c, CRYPTO_MAKE, none), 0);
		crypto_feed(c, view_of(big, sizeof big));
		crypto_feed(c, view_of(big, more));
		cr_expect_eq(crypto_make(c, out), more ? -E_TOO_BIG : 0);
	}
	crypto_free(c);
	crypto_free(NULL);
}

Test(crypto, what_is_no_key)
{
	static const struct {
		enum crypto_alg alg;
		const char *secret, *public;
	} rows[] = {
		{CRYPTO_HMAC_256, "", ""},
		{CRYPTO_A128GCM, "00", ""},
		{CRYPTO_A256GCM, GCM_KEY, ""},
		{CRYPTO_ED25519, "00", ""},
		{CRYPTO_ED25519, "", "00"},
		{CRYPTO_ED25519, "", ""},
		{CRYPTO_ED25519, ED_SECRET, ED_SECRET}, /* not its public key */
		{CRYPTO_ES256, ES_SECRET, ES_SECRET ES_SECRET},
		{CRYPTO_ES256, "", ES_SECRET ES_SECRET}, /* not on the curve */
		{CRYPTO_ES256, "0000000000000000000000000000000000000000000000000000000000000000",
			""},
		/* the order of the group, and more */
		{CRYPTO_ES256, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
			""},
		{CRYPTO_ES256, "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
			""},
	};

	for (unsigned k = 0; k < sizeof rows / sizeof rows[0]; k++) {
		uint8_t a[VECTOR_MAX], b[VECTOR_MAX];
		errno = 0;
		cr_expect_null(
			crypto_new(rows[k].alg, hex(rows[k].secret, a), hex(rows[k].public, b)),
			"row %u", k);
		cr_expect_eq(errno, EINVAL, "row %u", k);
	}
}

Test(crypto, small_things)
{
	uint8_t a[64] = {0}, b[64] = {0};

	cr_assert_eq(crypto_random(a, sizeof a), 0);
	cr_assert_eq(crypto_random(b, sizeof b), 0);
	cr_expect(!crypto_equal(view_of(a, 64), view_of(b, 64)));
	memcpy(b, a, 64);
	cr_expect(crypto_equal(view_of(a, 64), view_of(b, 64)));
	cr_expect(!crypto_equal(view_of(a, 64), view_of(b, 63)));
	cr_expect(crypto_equal(none, none));
	crypto_wipe(a, sizeof a);
	crypto_wipe(NULL, 0);
	cr_expect(a[0] == 0 && a[63] == 0);
}
