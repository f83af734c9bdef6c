/*
 * Benchmark of the cryptography: AES-256-GCM and HMAC-SHA-256 through bundle/crypto.h, beside bare
 * OpenSSL with reused contexts in the same run: the loops of `openssl speed -aead -evp aes-256-gcm`
 * (13 bytes of AAD; its encryption leaves the tag in the library, so the loop is shown with the tag
 * taken out as well) and of `-hmac`. A bundle of 1 kB signed, verified, encrypted and decrypted.
 * The one file beside bundle/crypto_openssl.c that sees OpenSSL: it is the limit that is measured.
 */
#include "tools/bench.h"

#include "bundle/bpsec.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define BIG ((size_t)1 << 20)
#define AAD 13 /* as a TLS record has it */
#define PAYLOAD 1024
#define TURNS 5 /* ours and bare in turn, the least of each counts */

struct bench {
	uint8_t *in, *out, *sealed;
	size_t n; /* bytes of one operation */
	uint8_t key[32], iv[12], aad[AAD], sealed_iv[12], tag[CRYPTO_SUM_MAX];
	struct crypto *gcm, *hmac;
	EVP_CIPHER_CTX *bare_gcm;
	EVP_MAC_CTX *bare_hmac;
	/* bundles */
	struct keyring *ring;
	struct bpsec *bpsec;
	uint8_t bytes[4][2 * PAYLOAD];
	struct bundle plain, signed_by, secret;
	struct bpsec_op op[BPSEC_OPS_MAX];
	struct bpsec_how how;
	struct buf room;
	bool failed;
};

static void run_gcm(void *arg, size_t n)
{
	struct bench *x = arg;
	uint8_t tag[CRYPTO_SUM_MAX];

	for (size_t i = 0; i < n; i++) {
		x->iv[0]++;
		x->failed |= crypto_begin(x->gcm, CRYPTO_MAKE, view_of(x->iv, sizeof x->iv)) != 0;
		crypto_feed(x->gcm, view_of(x->aad, AAD));
		crypto_crypt(x->gcm, view_of(x->in, x->n), x->out);
		x->failed |= crypto_make(x->gcm, tag) != 0;
	}
}

static void bare_encrypt(struct bench *x, size_t n, bool with_tag)
{
	EVP_CIPHER_CTX *c = x->bare_gcm;
	uint8_t tag[CRYPTO_TAG];
	int len;

	for (size_t i = 0; i < n; i++) {
		x->iv[0]++;
		x->failed |= EVP_EncryptInit_ex(c, NULL, NULL, NULL, x->iv) != 1;
		x->failed |= EVP_EncryptUpdate(c, NULL, &len, x->aad, AAD) != 1;
		x->failed |= EVP_EncryptUpdate(c, x->out, &len, x->in, (int)x->n) != 1;
		x->failed |= EVP_EncryptFinal_ex(c, tag, &len) != 1;
		if (with_tag)
			x->failed |=
				EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, sizeof tag, tag) != 1;
	}
}

static void run_encrypt_speed(void *arg, size_t n)
{
	bare_encrypt(arg, n, false);
}

static void run_encrypt_tag(void *arg, size_t n)
{
	bare_encrypt(arg, n, true);
}

static void seal(struct bench *x)
{
	x->failed |= crypto_begin(x->gcm, CRYPTO_MAKE, view_of(x->sealed_iv, 12)) != 0;
	crypto_feed(x->gcm, view_of(x->aad, AAD));
	crypto_crypt(x->gcm, view_of(x->in, x->n), x->sealed);
	x->failed |= crypto_make(x->gcm, x->tag) != 0;
}

static void run_open(void *arg, size_t n)
{
	struct bench *x = arg;

	for (size_t i = 0; i < n; i++) {
		x->failed |= crypto_begin(x->gcm, CRYPTO_CHECK, view_of(x->sealed_iv, 12)) != 0;
		crypto_feed(x->gcm, view_of(x->aad, AAD));
		crypto_crypt(x->gcm, view_of(x->sealed, x->n), x->out);
		x->failed |= crypto_check(x->gcm, view_of(x->tag, CRYPTO_TAG)) != 0;
	}
}

static void run_open_speed(void *arg, size_t n)
{
	struct bench *x = arg;
	EVP_CIPHER_CTX *c = x->bare_gcm;
	int len;

	for (size_t i = 0; i < n; i++) {
		x->failed |= EVP_DecryptInit_ex(c, NULL, NULL, NULL, x->sealed_iv) != 1;
		x->failed |= EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, CRYPTO_TAG, x->tag) != 1;
		x->failed |= EVP_DecryptUpdate(c, NULL, &len, x->aad, AAD) != 1;
		x->failed |= EVP_DecryptUpdate(c, x->out, &len, x->sealed, (int)x->n) != 1;
		x->failed |= EVP_DecryptFinal_ex(c, x->out, &len) != 1;
	}
}

static void run_hmac(void *arg, size_t n)
{
	struct bench *x = arg;
	uint8_t mac[CRYPTO_SUM_MAX];

	for (size_t i = 0; i < n; i++) {
		x->failed |= crypto_begin(x->hmac, CRYPTO_MAKE, (struct view){0}) != 0;
		crypto_feed(x->hmac, view_of(x->in, x->n));
		x->failed |= crypto_make(x->hmac, mac) != 0;
	}
}

static void run_hmac_bare(void *arg, size_t n)
{
	struct bench *x = arg;
	uint8_t mac[CRYPTO_SUM_MAX];
	size_t len;

	for (size_t i = 0; i < n; i++) {
		x->failed |= EVP_MAC_init(x->bare_hmac, NULL, 0, NULL) != 1;
		x->failed |= EVP_MAC_update(x->bare_hmac, x->in, x->n) != 1;
		x->failed |= EVP_MAC_final(x->bare_hmac, mac, &len, sizeof mac) != 1;
	}
}

/* -- bundles */

static const struct key *key_of(struct bench *x, bool bcb)
{
	return keyring_at(x->ring, bcb ? 1 : 0);
}

static void add(struct bench *x, size_t n, bool bcb)
{
	for (size_t i = 0; i < n; i++) {
		struct bpsec_how how = {.type = bcb ? BLOCK_BCB : BLOCK_BIB,
			.target = 1,
			.context = bcb ? BPSEC_AES_GCM : BPSEC_HMAC_SHA2,
			.source = eid_ipn(1, 0),
			.key = key_of(x, bcb),
			.scope = BPSEC_SCOPE_ALL};
		x->iv[0]++;
		if (bcb)
			how.iv = view_of(x->iv, sizeof x->iv);
		x->room.len = 0;
		x->failed |= bpsec_add(x->bpsec, &x->room, &x->plain, &how) != 0;
	}
}

static void run_sign(void *arg, size_t n)
{
	add(arg, n, false);
}

static void run_encrypt(void *arg, size_t n)
{
	add(arg, n, true);
}

static void run_verify(void *arg, size_t n)
{
	struct bench *x = arg;
	unsigned ops;

	for (size_t i = 0; i < n; i++) {
		x->failed |= bpsec_list(&x->signed_by, x->op, &ops) != 0;
		x->failed |= bpsec_verify(x->bpsec, &x->signed_by, x->op, key_of(x, false)) != 0;
	}
}

static void run_decrypt(void *arg, size_t n)
{
	struct bench *x = arg;
	struct bpsec_accept how = {.op = x->op, .key = key_of(x, true), .crc = CRC_32C};
	unsigned ops;

	for (size_t i = 0; i < n; i++) {
		x->room.len = 0;
		x->failed |= bpsec_list(&x->secret, x->op, &ops) != 0;
		x->failed |= bpsec_accept(x->bpsec, &x->room, &x->secret, &how) != 0;
	}
}

/* -- setting up */

static int bundle_read_back(struct bench *x, unsigned k, struct bundle *b)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;

	if (x->room.len > sizeof x->bytes[k])
		return -E_OVERFLOW;
	memcpy(x->bytes[k], x->room.p, x->room.len);
	return bundle_read(b, view_of(x->bytes[k], x->room.len), &rules, &fault);
}

static int bundles_make(struct bench *x)
{
	struct bundle_spec s = {.crc_type = CRC_32C,
		.block_crc_type = CRC_32C,
		.dest = eid_ipn(2, 1),
		.source = eid_ipn(1, 1),
		.report_to = eid_ipn(1, 0),
		.created_ms = 820000000000,
		.lifetime_ms = 3600000,
		.custody = custody_codes_ccsds()};
	struct key key[2] = {{.id = "mac", .kind = KEY_HMAC, .alg = CRYPTO_HMAC_256},
		{.id = "aes", .kind = KEY_AES256}};
	int err = 0;

	x->ring = keyring_new();
	for (unsigned k = 0; x->ring && !err && k < 2; k++) {
		err = key_make(&key[k]);
		err = err ? err : keyring_add(x->ring, &key[k]);
	}
	x->bpsec = x->ring ? bpsec_new(x->ring) : NULL;
	x->room = buf_of(malloc(8 * PAYLOAD + 2 * BPSEC_ROOM), 8 * PAYLOAD + 2 * BPSEC_ROOM);
	if (err || !x->bpsec || !x->room.p)
		return -ENOMEM;
	err = bundle_build(&x->room, &s, view_of(x->in, PAYLOAD));
	err = err ? err : bundle_read_back(x, 0, &x->plain);
	add(x, err ? 0 : 1, false);
	err = err ? err : bundle_read_back(x, 1, &x->signed_by);
	add(x, err ? 0 : 1, true);
	return err ? err : bundle_read_back(x, 2, &x->secret);
}

static int bare_make(struct bench *x)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end()};
	EVP_CIPHER *aes = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	bool good = aes && hmac;

	x->bare_gcm = EVP_CIPHER_CTX_new();
	x->bare_hmac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
	good = good && x->bare_gcm && x->bare_hmac &&
	       EVP_EncryptInit_ex(x->bare_gcm, aes, NULL, x->key, x->iv) == 1 &&
	       EVP_MAC_init(x->bare_hmac, x->key, sizeof x->key, params) == 1;
	EVP_CIPHER_free(aes);
	EVP_MAC_free(hmac);
	return good ? 0 : -EIO;
}

static int bench_make(struct bench *x)
{
	x->in = calloc(1, BIG);
	x->out = calloc(1, BIG);
	x->sealed = calloc(1, BIG);
	x->gcm = crypto_new(CRYPTO_A256GCM, view_of(x->key, 32), (struct view){0});
	x->hmac = crypto_new(CRYPTO_HMAC_256, view_of(x->key, 32), (struct view){0});
	if (!x->in || !x->out || !x->sealed || !x->gcm || !x->hmac || bare_make(x))
		return -ENOMEM;
	return bundles_make(x);
}

static void bench_free(struct bench *x)
{
	crypto_free(x->gcm);
	crypto_free(x->hmac);
	EVP_CIPHER_CTX_free(x->bare_gcm);
	EVP_MAC_CTX_free(x->bare_hmac);
	bpsec_free(x->bpsec);
	keyring_free(x->ring);
	free(x->room.p);
	free(x->in);
	free(x->out);
	free(x->sealed);
	free(x);
}

typedef void (*run_fn)(void *arg, size_t n);

/* Ours beside the bare one at each size; speed: a second bare one, or NULL. */
static void pair(struct out *o, struct bench *x, const char *name, const run_fn run[3])
{
	static const char *const size[] = {"64 B", "1 kB", "16 kB", "1 MB"};
	static const size_t bytes[] = {64, 1024, 16384, BIG};
	char label[64], note[128];

	for (unsigned k = 0; k < 4; k++) {
		double best[3] = {0};
		x->n = bytes[k];
		seal(x);
		for (unsigned turn = 0; turn < TURNS; turn++)
			for (unsigned i = 0; i < 3 && run[i]; i++) {
				double ns = bench_least_ns(run[i], x);
				best[i] = turn && best[i] < ns ? best[i] : ns;
			}
		snprintf(label, sizeof label, "%s, %s", name, size[k]);
		int at = snprintf(note, sizeof note, "%.2f GB/s; bare %.0f ns: %+.1f %%",
			(double)bytes[k] / best[0], best[1], 100 * (best[0] / best[1] - 1));
		if (run[2])
			snprintf(note + at, sizeof note - (size_t)at,
				"; without a tag %.0f: %+.1f %%", best[2],
				100 * (best[0] / best[2] - 1));
		bench_figure(o, label, best[0], "ns", note);
	}
}

int bench_crypto(struct out *o)
{
	static const struct {
		const char *name, *note;
		run_fn run;
	} bundles[] = {
		{"bundle of 1 kB: sign", "BIB-HMAC-SHA2 256, whole bundle written", run_sign},
		{"bundle of 1 kB: verify", "", run_verify},
		{"bundle of 1 kB: encrypt", "BCB-AES-GCM 256, whole bundle written", run_encrypt},
		{"bundle of 1 kB: decrypt", "whole bundle written, CRC put back", run_decrypt}};
	struct bench *x = calloc(1, sizeof *x);

	if (!x || bench_make(x)) {
		if (x)
			bench_free(x);
		return out_fail("bench: no contexts");
	}
	pair(o, x, "AES-256-GCM encrypt", (run_fn[]){run_gcm, run_encrypt_tag, run_encrypt_speed});
	pair(o, x, "AES-256-GCM decrypt", (run_fn[]){run_open, run_open_speed, NULL});
	pair(o, x, "HMAC-SHA-256", (run_fn[]){run_hmac, run_hmac_bare, NULL});
	for (unsigned k = 0; k < sizeof bundles / sizeof bundles[0]; k++)
		bench_figure(o, bundles[k].name, bench_least_ns(bundles[k].run, x), "ns",
			bundles[k].note);
	bool failed = x->failed;
	bench_free(x);
	return failed ? out_fail("bench: an operation failed") : 0;
}
