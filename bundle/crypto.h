/*
 * crypto: the cryptographic functions that Owlt uses, behind an interface; crypto_openssl.c is the one
 * file that sees OpenSSL's libcrypto. So far SHA-256 (FIPS 180-4): chunk sums, bundle_uid, schema.json.
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

#endif
