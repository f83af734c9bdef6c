/*
 * crypto: the cryptographic functions that Owlt uses, behind an interface; crypto_openssl.c is the one
 * file that sees OpenSSL's libcrypto. SHA-256 (FIPS 180-4), HMAC-SHA-2 (RFC 2104, FIPS 198-1),
 * AES-GCM (NIST SP 800-38D), AES key wrap (RFC 3394), Ed25519 (RFC 8032), ES256 = ECDSA with P-256 and
 * SHA-256 (FIPS 186-5; signature as r || s, RFC 9053 2.1).
 *
 * A struct crypto is one algorithm with one key, fetched and keyed once; begin, feed, crypt and
 * make or check may then be done any number of times, with nothing looked up again. One use at a
 * time: two that overlap need two of them.
 *
 *	struct crypto *c = crypto_new(CRYPTO_HMAC_256, secret, (struct view){0});
 *	err = crypto_begin(c, CRYPTO_CHECK, (struct view){0});
 *	crypto_feed(c, first);                   // errors are kept until the end
 *	crypto_feed(c, second);
 *	err = err ? err : crypto_check(c, mac);  // 0, or -E_AUTH: these are not the signed bytes
 *	crypto_free(c);
 */
#ifndef OWLT_BUNDLE_CRYPTO_H
#define OWLT_BUNDLE_CRYPTO_H

#include "bundle/base/err.h"
#include "bundle/base/view.h"

#define SHA256_BYTES 32
#define SHA256_HEX (2 * SHA256_BYTES + 1)

/* A hash in progress; after an error the rest does nothing and sha256_final tells it. */
struct sha256 {
	void *ctx;
	int err;
};

/* 0 or -ENOMEM, -EIO (the library refuses). Every init needs one final. */
int sha256_init(struct sha256 *s) MUST_USE;
void sha256_update(struct sha256 *s, struct view v);
/* Frees what init took. out may be NULL to give the hash up. */
int sha256_final(struct sha256 *s, uint8_t out[SHA256_BYTES]);
/* All at once. */
int sha256_of(struct view v, uint8_t out[SHA256_BYTES]) MUST_USE;
/* Lower-case hex of the first n bytes, with its terminator. */
void sha256_hex(const uint8_t *sum, size_t n, char *out);

enum crypto_alg {
	CRYPTO_HMAC_256,
	CRYPTO_HMAC_384,
	CRYPTO_HMAC_512,
	CRYPTO_A128GCM,
	CRYPTO_A256GCM,
	CRYPTO_ED25519,
	CRYPTO_ES256,
	CRYPTO_ALGS
};

enum crypto_use { CRYPTO_MAKE, CRYPTO_CHECK }; /* sign, encrypt; verify, decrypt */

#define CRYPTO_SUM_MAX 64 /* the longest MAC, tag or signature */
#define CRYPTO_TAG 16     /* of AES-GCM */
#define CRYPTO_IV_MIN 8   /* RFC 9173 4.3.1 */
#define CRYPTO_IV_MAX 16
#define CRYPTO_WRAP_MAX 128 /* the longest key that is wrapped */
/* Ed25519 hashes the message twice, so it is gathered first: what is larger needs ES256. */
#define CRYPTO_ED25519_MAX ((size_t)1 << 20)

struct crypto;

/* Secret: HMAC any length from 1; GCM 16 or 32 bytes; Ed25519 the 32 byte seed; ES256 the 32 byte
 * number. Public (signatures only): Ed25519 32 bytes, ES256 x || y, 64. Either may be empty: without
 * a secret nothing can be made; a public key left out is computed from the secret. NULL with errno
 * ENOMEM, EINVAL (no such key) or EIO. */
struct crypto *crypto_new(enum crypto_alg alg, struct view secret, struct view public);
void crypto_free(struct crypto *c);
/* Another secret for the same algorithm (HMAC and GCM only). 0, -EINVAL, -EIO. */
int crypto_rekey(struct crypto *c, struct view secret) MUST_USE;
/* Bytes that make() writes: 32, 48, 64 (MAC), 16 (tag), 64 (signature). */
size_t crypto_sum_size(enum crypto_alg alg);

/* Begins anew, whatever was going on. iv: GCM only, CRYPTO_IV_MIN to CRYPTO_IV_MAX bytes. 0, -EINVAL,
 * -E_REFUSED (a public key can't sign), -EIO. */
int crypto_begin(struct crypto *c, enum crypto_use use, struct view iv) MUST_USE;
/* Further bytes that are signed, or (GCM) authenticated only: all of those before crypto_crypt(). */
void crypto_feed(struct crypto *c, struct view v);
/* GCM: encrypts or decrypts v.n bytes into out (in place is fine). What comes out of decryption is
 * nobody's before crypto_check() said 0. */
void crypto_crypt(struct crypto *c, struct view v, uint8_t *out);
/* The MAC, tag or signature, crypto_sum_size() bytes. 0, or the first error since begin. */
int crypto_make(struct crypto *c, uint8_t out[CRYPTO_SUM_MAX]) MUST_USE;
/* Compares in constant time, or verifies. 0, -E_AUTH, or the first error since begin (-E_TOO_BIG: more
 * than CRYPTO_ED25519_MAX). */
int crypto_check(struct crypto *c, struct view sum) MUST_USE;
/* The public key, raw, of a signing algorithm; its length, 0 for others. */
size_t crypto_public(const struct crypto *c, uint8_t out[64]);

/* AES key wrap (RFC 3394) with a KEK of 16 or 32 bytes; wrapped.n = key.n + 8. 0, -EINVAL, -EIO;
 * unwrapping with the wrong KEK is -E_AUTH. */
int crypto_wrap(struct view kek, struct view key, uint8_t *wrapped) MUST_USE;
int crypto_unwrap(struct view kek, struct view wrapped, uint8_t *key) MUST_USE;

/* Bytes for new keys. 0 or -EIO. Never for anything a simulation has to repeat. */
int crypto_random(uint8_t *out, size_t n) MUST_USE;
/* Constant time in the bytes (not in the lengths). */
bool crypto_equal(struct view a, struct view b);
/* Overwrites secrets so that the compiler can't leave it out. */
void crypto_wipe(void *p, size_t n);

#endif
