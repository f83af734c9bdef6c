/*
 * crypto_openssl: crypto.h by OpenSSL 3. The only file that includes its headers.
 *
 * The built-in digest is used (EVP_sha256), whose lookup cost does not
 * matter here; errors are sticky so that callers test once, at the end.
 */
#include "bundle/crypto.h"

#include <assert.h>
#include <openssl/evp.h>

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
