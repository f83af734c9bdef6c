/*
 * crypto_openssl: crypto.h by OpenSSL 3. The only file that includes its headers.
 *
 * What costs is paid in crypto_new(): algorithms are fetched and keys scheduled there. crypto_begin()
 * only winds a context back (EVP_MAC_init without a key, a new IV for a cipher); the same GCM context
 * encrypts and decrypts, since both use the same key schedule. Errors are sticky so
 * that callers test once, at the end; OpenSSL's error queue is emptied there. Start reading at
 * crypto_new(), the table `algs` says what an algorithm is.
 */
#include "bundle/crypto.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>

#define PIECE_MAX ((size_t)1 << 30) /* EVP counts in int */
#define P256 32                     /* bytes of a coordinate */
#define DER_MAX 80                  /* an ECDSA signature of P-256 in DER has at most 72 */

enum family { FAMILY_MAC, FAMILY_GCM, FAMILY_SIGN };

static const struct alg {
	enum family family;
	const char *name; /* of the digest, or the cipher */
	size_t sum;
	size_t secret; /* bytes it must have; 0: any */
	size_t public;
} algs[CRYPTO_ALGS] = {
	[CRYPTO_HMAC_256] = {FAMILY_MAC, "SHA256", 32, 0, 0},
	[CRYPTO_HMAC_384] = {FAMILY_MAC, "SHA384", 48, 0, 0},
	[CRYPTO_HMAC_512] = {FAMILY_MAC, "SHA512", 64, 0, 0},
	[CRYPTO_A128GCM] = {FAMILY_GCM, "AES-128-GCM", CRYPTO_TAG, 16, 0},
	[CRYPTO_A256GCM] = {FAMILY_GCM, "AES-256-GCM", CRYPTO_TAG, 32, 0},
	[CRYPTO_ED25519] = {FAMILY_SIGN, NULL, 64, 32, 32},
	[CRYPTO_ES256] = {FAMILY_SIGN, "SHA256", 2 * P256, P256, 2 * P256},
};

struct crypto {
	enum crypto_alg alg;
	enum crypto_use use;
	int err; /* since begin; -E_STATE: not begun */
	bool can_make;
	size_t iv_len; /* that the cipher context expects */
	bool has_way;  /* the cipher context was begun in the direction `way` */
	enum crypto_use way;
	EVP_MAC_CTX *mac;
	EVP_CIPHER_CTX *cipher;
	OSSL_PARAM tag_param[2],
		iv_param[2]; /* built once: the control calls build them anew, which is slow */
	uint8_t tag[CRYPTO_TAG], iv[CRYPTO_IV_MAX];
	EVP_PKEY *key;
	EVP_MD_CTX *md;
	uint8_t public[2 * P256];
	uint8_t *message; /* Ed25519 */
	size_t n_message;
};

static int mac_new(struct crypto *c, struct view secret);
static int cipher_new(struct crypto *c, struct view secret);
static int signer_new(struct crypto *c, struct view secret, struct view public);
static int gcm_begin(struct crypto *c, struct view iv);
static bool gcm_next(struct crypto *c, struct view iv);
static int signer_begin(struct crypto *c);
static int signature_make(struct crypto *c, uint8_t *out);
static int signature_check(struct crypto *c, struct view sum);
static int gcm_update(struct crypto *c, struct view v, uint8_t *out);
static int gcm_make(struct crypto *c, uint8_t *out);
static int gcm_check(struct crypto *c, struct view sum);

/* The first error of a use: what the library left in its queue is of no use to anybody. */
static void latch(struct crypto *c, int err)
{
	if (err == 0)
		return;
	ERR_clear_error();
	if (c->err == 0)
		c->err = err;
}

struct crypto *crypto_new(enum crypto_alg alg, struct view secret, struct view public)
{
	const struct alg *a = &algs[alg];
	struct crypto *c;
	int err = 0;

	if (secret.n == 0 && (a->family != FAMILY_SIGN || public.n == 0))
		err = -EINVAL;
	if ((a->secret && secret.n && secret.n != a->secret) || (public.n && public.n != a->public))
		err = -EINVAL;
	c = err ? NULL : calloc(1, sizeof *c);
	if (!c) {
		errno = err ? EINVAL : ENOMEM;
		return NULL;
	}
	*c = (struct crypto){.alg = alg, .err = -E_STATE, .can_make = secret.n > 0, .iv_len = 12};
	err = a->family == FAMILY_MAC   ? mac_new(c, secret)
	      : a->family == FAMILY_GCM ? cipher_new(c, secret)
					: signer_new(c, secret, public);
	ERR_clear_error();
	if (!err)
		return c;
	crypto_free(c);
	errno = -err;
	return NULL;
}

void crypto_free(struct crypto *c)
{
	if (!c)
		return;
	EVP_MAC_CTX_free(c->mac);
	EVP_CIPHER_CTX_free(c->cipher);
	EVP_MD_CTX_free(c->md);
	EVP_PKEY_free(c->key);
	if (c->message)
		OPENSSL_cleanse(c->message, c->n_message);
	free(c->message);
	free(c);
}

int crypto_rekey(struct crypto *c, struct view secret)
{
	const struct alg *a = &algs[c->alg];
	int ok = 0;

	c->err = -E_STATE;
	if (a->family == FAMILY_SIGN || secret.n == 0 || (a->secret && secret.n != a->secret))
		return -EINVAL;
	if (a->family == FAMILY_MAC)
		ok = EVP_MAC_init(c->mac, secret.p, secret.n, NULL);
	else
		ok = EVP_CipherInit_ex(c->cipher, NULL, NULL, secret.p, NULL, 1);
	c->has_way = false;
	ERR_clear_error();
	return ok == 1 ? 0 : -EIO;
}

size_t crypto_sum_size(enum crypto_alg alg)
{
	return algs[alg].sum;
}

int crypto_begin(struct crypto *c, enum crypto_use use, struct view iv)
{
	const struct alg *a = &algs[c->alg];

	c->use = use;
	c->err = 0;
	if (use == CRYPTO_MAKE && !c->can_make)
		c->err = -E_REFUSED;
	else if (a->family == FAMILY_GCM)
		c->err = gcm_begin(c, iv);
	else if (a->family == FAMILY_SIGN)
		c->err = signer_begin(c);
	else if (EVP_MAC_init(c->mac, NULL, 0, NULL) != 1)
		c->err = -EIO;
	if (c->err)
		ERR_clear_error();
	return c->err;
}

static void message_add(struct crypto *c, struct view v)
{
	if (v.n > CRYPTO_ED25519_MAX - c->n_message) {
		latch(c, -E_TOO_BIG);
		return;
	}
	memcpy(c->message + c->n_message, v.p, v.n);
	c->n_message += v.n;
}

void crypto_feed(struct crypto *c, struct view v)
{
	if (c->err || v.n == 0)
		return;
	if (c->mac) {
		if (EVP_MAC_update(c->mac, v.p, v.n) != 1)
			latch(c, -EIO);
	} else if (c->cipher) {
		if (gcm_update(c, v, NULL))
			latch(c, -EIO);
	} else if (c->message) {
		message_add(c, v);
	} else {
		int ok = c->use == CRYPTO_MAKE ? EVP_DigestSignUpdate(c->md, v.p, v.n)
					       : EVP_DigestVerifyUpdate(c->md, v.p, v.n);
		if (ok != 1)
			latch(c, -EIO);
	}
}

void crypto_crypt(struct crypto *c, struct view v, uint8_t *out)
{
	assert(c->cipher && out);
	if (c->err == 0 && v.n && gcm_update(c, v, out))
		latch(c, -EIO);
}

int crypto_make(struct crypto *c, uint8_t out[CRYPTO_SUM_MAX])
{
	size_t n = 0;

	assert(c->err || c->use == CRYPTO_MAKE);
	if (c->err == 0 && c->mac && EVP_MAC_final(c->mac, out, &n, CRYPTO_SUM_MAX) != 1)
		latch(c, -EIO);
	if (c->err == 0 && c->cipher)
		latch(c, gcm_make(c, out));
	if (c->err == 0 && c->key)
		latch(c, signature_make(c, out));
	int err = c->err;
	c->err = -E_STATE;
	return err;
}

int crypto_check(struct crypto *c, struct view sum)
{
	uint8_t mine[CRYPTO_SUM_MAX];
	size_t n = 0;

	assert(c->err || c->use == CRYPTO_CHECK);
	if (c->err == 0 && sum.n != algs[c->alg].sum)
		latch(c, -E_AUTH);
	if (c->err == 0 && c->mac && EVP_MAC_final(c->mac, mine, &n, sizeof mine) != 1)
		latch(c, -EIO);
	if (c->err == 0 && c->mac && CRYPTO_memcmp(mine, sum.p, sum.n) != 0)
		latch(c, -E_AUTH);
	if (c->err == 0 && c->cipher)
		latch(c, gcm_check(c, sum));
	if (c->err == 0 && c->key)
		latch(c, signature_check(c, sum));
	OPENSSL_cleanse(mine, sizeof mine); /* the right MAC of wrong bytes is a forgery */
	int err = c->err;
	c->err = -E_STATE;
	return err;
}

size_t crypto_public(const struct crypto *c, uint8_t out[64])
{
	size_t n = algs[c->alg].public;

	memcpy(out, c->public, n);
	return n;
}

/* -- MAC and cipher ------------------------------------------------------------------------------ */

static int mac_new(struct crypto *c, struct view secret)
{
	char digest[8];
	OSSL_PARAM params[2];
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	memcpy(digest, algs[c->alg].name, strlen(algs[c->alg].name) + 1);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
	params[1] = OSSL_PARAM_construct_end();
	if (!hmac)
		return -EIO;
	c->mac = EVP_MAC_CTX_new(hmac);
	EVP_MAC_free(hmac); /* the context holds it */
	if (!c->mac)
		return -ENOMEM;
	return EVP_MAC_init(c->mac, secret.p, secret.n, params) == 1 ? 0 : -EIO;
}

static int cipher_new(struct crypto *c, struct view secret)
{
	EVP_CIPHER *aes = EVP_CIPHER_fetch(NULL, algs[c->alg].name, NULL);
	int ok = 0;

	if (!aes)
		return -EIO;
	c->tag_param[0] = OSSL_PARAM_construct_octet_string(
		OSSL_CIPHER_PARAM_AEAD_TAG, c->tag, sizeof c->tag);
	c->iv_param[0] = OSSL_PARAM_construct_octet_string(
		OSSL_CIPHER_PARAM_AEAD_TLS1_IV_FIXED, c->iv, SIZE_MAX);
	c->tag_param[1] = c->iv_param[1] = OSSL_PARAM_construct_end();
	c->cipher = EVP_CIPHER_CTX_new();
	if (c->cipher)
		ok = EVP_CipherInit_ex(c->cipher, aes, NULL, secret.p, NULL, 1);
	EVP_CIPHER_free(aes);
	if (!c->cipher)
		return -ENOMEM;
	return ok == 1 ? 0 : -EIO;
}

static int gcm_begin(struct crypto *c, struct view iv)
{
	if (iv.n < CRYPTO_IV_MIN || iv.n > CRYPTO_IV_MAX)
		return -EINVAL;
	if (c->has_way && c->way == c->use && iv.n == c->iv_len && gcm_next(c, iv))
		return 0;
	c->has_way = false;
	if (iv.n != c->iv_len &&
		EVP_CIPHER_CTX_ctrl(c->cipher, EVP_CTRL_AEAD_SET_IVLEN, (int)iv.n, NULL) != 1)
		return -EIO;
	c->iv_len = iv.n;
	if (EVP_CipherInit_ex2(c->cipher, NULL, NULL, iv.p, c->use == CRYPTO_MAKE, NULL) != 1)
		return -EIO;
	c->has_way = true;
	c->way = c->use;
	return 0;
}

/* Only another IV, as EVP_CTRL_GCM_SET_IV_FIXED with -1 for "all of it" does, with the parameter built once.
 * EVP_CipherInit would ask for the IV's length each time, which costs as much as authenticating 250
 * bytes. False: the provider doesn't know this parameter. */
static bool gcm_next(struct crypto *c, struct view iv)
{
	memcpy(c->iv, iv.p, iv.n);
	return EVP_CIPHER_CTX_set_params(c->cipher, c->iv_param) == 1;
}

static int gcm_make(struct crypto *c, uint8_t *out)
{
	int len = 0;

	if (EVP_EncryptFinal_ex(c->cipher, c->tag, &len) != 1 ||
		EVP_CIPHER_CTX_get_params(c->cipher, c->tag_param) != 1)
		return -EIO;
	memcpy(out, c->tag, CRYPTO_TAG);
	return 0;
}

static int gcm_check(struct crypto *c, struct view sum)
{
	uint8_t none[CRYPTO_TAG];
	int len = 0;

	memcpy(c->tag, sum.p, CRYPTO_TAG);
	if (EVP_CIPHER_CTX_set_params(c->cipher, c->tag_param) != 1)
		return -EIO;
	return EVP_DecryptFinal_ex(c->cipher, none, &len) == 1 ? 0 : -E_AUTH;
}

/* out NULL: authenticated only. */
static int gcm_update(struct crypto *c, struct view v, uint8_t *out)
{
	for (size_t at = 0; at < v.n;) {
		size_t n = v.n - at < PIECE_MAX ? v.n - at : PIECE_MAX;
		int len = 0;
		if (EVP_CipherUpdate(c->cipher, out ? out + at : NULL, &len, v.p + at, (int)n) != 1)
			return -EIO;
		at += n;
	}
	return 0;
}

/* -- signatures ---------------------------------------------------------------------------------- */

static int ed25519_key(struct crypto *c, struct view secret, struct view public)
{
	size_t n = sizeof c->public;

	if (secret.n)
		c->key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret.p, secret.n);
	else
		c->key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public.p, public.n);
	c->message = malloc(CRYPTO_ED25519_MAX);
	if (!c->message)
		return -ENOMEM;
	if (!c->key || EVP_PKEY_get_raw_public_key(c->key, c->public, &n) != 1)
		return -EINVAL;
	return 0;
}

/* The point of P-256, 04 || x || y, that belongs to a secret number; -EINVAL for none. */
static int p256_public(struct view secret, uint8_t point[1 + 2 * P256])
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	BIGNUM *d = BN_bin2bn(secret.p, (int)secret.n, NULL);
	EC_POINT *q = group ? EC_POINT_new(group) : NULL;
	int err = group && d && q ? 0 : -ENOMEM;

	if (!err && (BN_is_zero(d) || BN_cmp(d, EC_GROUP_get0_order(group)) >= 0))
		err = -EINVAL;
	if (!err && (EC_POINT_mul(group, q, d, NULL, NULL, NULL) != 1 ||
			    EC_POINT_point2oct(group, q, POINT_CONVERSION_UNCOMPRESSED, point,
				    1 + 2 * P256, NULL) != 1 + 2 * P256))
		err = -EIO;
	EC_POINT_free(q);
	BN_clear_free(d);
	EC_GROUP_free(group);
	return err;
}

/* The key from its numbers; OpenSSL checks that the point is on the curve. */
static int p256_import(struct crypto *c, struct view secret, uint8_t point[1 + 2 * P256])
{
	char curve[] = "prime256v1";
	uint8_t number[P256];
	OSSL_PARAM params[4] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * P256),
		OSSL_PARAM_construct_end(), OSSL_PARAM_construct_end()};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	int ok = 0;

	for (size_t k = 0; k < secret.n; k++) /* OSSL_PARAM numbers are in the machine's order */
		number[k] = secret.p[secret.n - 1 - k];
	if (secret.n)
		params[2] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, number, secret.n);
	if (ctx && EVP_PKEY_fromdata_init(ctx) == 1)
		ok = EVP_PKEY_fromdata(
			ctx, &c->key, secret.n ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params);
	EVP_PKEY_CTX_free(ctx);
	OPENSSL_cleanse(number, sizeof number);
	return ok == 1 && c->key ? 0 : -EINVAL;
}

static int es256_key(struct crypto *c, struct view secret, struct view public)
{
	uint8_t point[1 + 2 * P256] = {4};
	int err = 0;

	if (secret.n)
		err = p256_public(secret, point);
	else
		memcpy(point + 1, public.p, public.n);
	err = err ? err : p256_import(c, secret, point);
	memcpy(c->public, point + 1, sizeof c->public);
	return err;
}

static int signer_new(struct crypto *c, struct view secret, struct view public)
{
	int err = c->alg == CRYPTO_ED25519 ? ed25519_key(c, secret, public)
					   : es256_key(c, secret, public);

	if (err)
		return err;
	/* a public key that is not the secret's would make signatures that nobody can verify */
	if (secret.n && public.n && memcmp(public.p, c->public, public.n) != 0)
		return -EINVAL;
	c->md = EVP_MD_CTX_new();
	return c->md ? 0 : -ENOMEM;
}

static int signer_begin(struct crypto *c)
{
	const char *digest = algs[c->alg].name;
	int ok;

	if (c->message)
		OPENSSL_cleanse(c->message, c->n_message);
	c->n_message = 0;
	if (EVP_MD_CTX_reset(c->md) != 1)
		return -EIO;
	if (c->use == CRYPTO_MAKE)
		ok = EVP_DigestSignInit_ex(c->md, NULL, digest, NULL, NULL, c->key, NULL);
	else
		ok = EVP_DigestVerifyInit_ex(c->md, NULL, digest, NULL, NULL, c->key, NULL);
	return ok == 1 ? 0 : -EIO;
}

static int signature_make(struct crypto *c, uint8_t *out)
{
	uint8_t der[DER_MAX];
	const uint8_t *at = der;
	size_t n = c->message ? CRYPTO_SUM_MAX : sizeof der;
	int err = -EIO;

	if (c->message)
		return EVP_DigestSign(c->md, out, &n, c->message, c->n_message) == 1 ? 0 : -EIO;
	if (EVP_DigestSignFinal(c->md, der, &n) != 1)
		return -EIO;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)n);
	if (sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, P256) == P256 &&
		BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + P256, P256) == P256)
		err = 0;
	ECDSA_SIG_free(sig);
	return err;
}

static int signature_check(struct crypto *c, struct view sum)
{
	BIGNUM *r, *s;
	uint8_t *der = NULL;
	int n = -1, ok = 0;

	if (c->message) {
		ok = EVP_DigestVerify(c->md, sum.p, sum.n, c->message, c->n_message);
		return ok == 1 ? 0 : -E_AUTH;
	}
	ECDSA_SIG *sig = ECDSA_SIG_new();
	r = BN_bin2bn(sum.p, P256, NULL);
	s = BN_bin2bn(sum.p + P256, P256, NULL);
	if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
		r = s = NULL; /* sig's now */
		n = i2d_ECDSA_SIG(sig, &der);
	}
	if (n > 0)
		ok = EVP_DigestVerifyFinal(c->md, der, (size_t)n);
	OPENSSL_free(der);
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return n <= 0 ? -ENOMEM : ok == 1 ? 0 : -E_AUTH;
}

/* -- key wrap, and the rest ---------------------------------------------------------------------- */

static int wrap_run(struct view kek, struct view in, uint8_t *out, bool wrap)
{
	EVP_CIPHER *aes =
		EVP_CIPHER_fetch(NULL, kek.n == 16 ? "AES-128-WRAP" : "AES-256-WRAP", NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int len = 0, err = aes && ctx ? 0 : -EIO;

	if (!err) {
		EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
		if (EVP_CipherInit_ex(ctx, aes, NULL, kek.p, NULL, wrap) != 1)
			err = -EIO;
	}
	if (!err && EVP_CipherUpdate(ctx, out, &len, in.p, (int)in.n) != 1)
		err = wrap ? -EIO : -E_AUTH;
	if (!err && (size_t)len != (wrap ? in.n + 8 : in.n - 8))
		err = wrap ? -EIO : -E_AUTH;
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(aes);
	ERR_clear_error();
	return err;
}

int crypto_wrap(struct view kek, struct view key, uint8_t *wrapped)
{
	if ((kek.n != 16 && kek.n != 32) || key.n < 16 || key.n % 8 || key.n > CRYPTO_WRAP_MAX)
		return -EINVAL;
	return wrap_run(kek, key, wrapped, true);
}

int crypto_unwrap(struct view kek, struct view wrapped, uint8_t *key)
{
	if ((kek.n != 16 && kek.n != 32) || wrapped.n < 24 || wrapped.n % 8 ||
		wrapped.n > CRYPTO_WRAP_MAX + 8)
		return -EINVAL;
	return wrap_run(kek, wrapped, key, false);
}

int crypto_random(uint8_t *out, size_t n)
{
	int ok = RAND_priv_bytes(out, (int)n);

	ERR_clear_error();
	return ok == 1 ? 0 : -EIO;
}

bool crypto_equal(struct view a, struct view b)
{
	return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

void crypto_wipe(void *p, size_t n)
{
	if (n)
		OPENSSL_cleanse(p, n);
}

/* -- SHA-256: the built-in digest, whose lookup cost does not matter ------------------------------ */

int sha256_init(struct sha256 *s)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	*s = (struct sha256){.ctx = ctx, .err = ctx ? 0 : -ENOMEM};
	if (ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(ctx);
		*s = (struct sha256){.err = -EIO};
	}
	return s->err;
}

void sha256_update(struct sha256 *s, struct view v)
{
	if (s->err == 0 && v.n > 0 && EVP_DigestUpdate(s->ctx, v.p, v.n) != 1)
		s->err = -EIO;
}

int sha256_final(struct sha256 *s, uint8_t out[SHA256_BYTES])
{
	unsigned n = 0;

	if (s->err == 0 && out && EVP_DigestFinal_ex(s->ctx, out, &n) != 1)
		s->err = -EIO;
	assert(s->err != 0 || !out || n == SHA256_BYTES);
	EVP_MD_CTX_free(s->ctx);
	s->ctx = NULL;
	return s->err;
}

int sha256_of(struct view v, uint8_t out[SHA256_BYTES])
{
	struct sha256 s;
	int r = sha256_init(&s);

	if (r < 0)
		return r;
	sha256_update(&s, v);
	return sha256_final(&s, out);
}

void sha256_hex(const uint8_t *sum, size_t n, char *out)
{
	const char *digits = "0123456789abcdef";

	for (size_t k = 0; k < n; k++) {
		*out++ = digits[sum[k] >> 4];
		*out++ = digits[sum[k] & 15];
	}
	*out = '\0';
}
