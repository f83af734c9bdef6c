/* Key rings: owlt-keys(5), what is refused with its place, secrets that don't come out, and RFC 9173
 * 6.2: which key may do what. */
#include "tests/unit/bundle/secured.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define H16 "00112233445566778899aabbccddeeff"
#define H32 H16 H16

static struct keyring *parsed(const char *text)
{
	struct keyring_fault fault;
	struct keyring *r;

	cr_assert_eq(keyring_parse(view_text(text), &r, &fault), 0, "%s: %s", text, fault.text);
	return r;
}

Test(keyring, refused_with_its_place)
{
	static const struct {
		const char *text, *says;
		int err;
		unsigned line;
	} rows[] = {
		{"", "not valid JSON", -E_SYNTAX, 1},
		{"{\"keys\":[", "not valid JSON", -E_SYNTAX, 1},
		{"[]", "\"keys\": [...]", -E_CONFIG, 0},
		{"{\"keys\":{}}", "\"keys\": [...]", -E_CONFIG, 0},
		{"{\"keys\":[],\"more\":1}", "\"keys\": [...]", -E_CONFIG, 0},
		{"{\"keys\":[\n1]}", "key 0: an object", -E_CONFIG, 2},
		{"{\"keys\":[{}]}", "key 0, id", -E_CONFIG, 0},
		{"{\"keys\":[{\"id\":\"\"}]}", "id", -E_CONFIG, 1},
		{"{\"keys\":[{\"id\":\"" H32 "\",\"kind\":\"hmac\"}]}", "id", -E_CONFIG, 1},
		{"{\"keys\":[{\"id\":\"a b\",\"kind\":\"hmac\"}]}", "id", -E_CONFIG, 1},
		{"{\"keys\":[{\"id\":\"\xc3\xa4\",\"kind\":\"hmac\"}]}", "id", -E_CONFIG, 1},
		{"{\"keys\":[{\"id\":\"a\"}]}", "key 0 (a), kind", -E_CONFIG, 0},
		{"{\"keys\":[{\"id\":\"a\",\n\"kind\":\"rsa\"}]}", "kind", -E_CONFIG, 2},
		{"{\"keys\":[{\"id\":\"a\",\"kind\":\"hmac\",\"key\":\"\"}]}", "no key has",
			-E_CONFIG, 1},
		{"{\"keys\":[{\"id\":\"a\",\"kind\":\"hmac\"}]}", "missing", -E_CONFIG, 0},
		{"{\"keys\":[{\"id\":\"a\",\"kind\":\"hmac\",\"secret\":\"0\"}]}", "secret",
			-E_CONFIG, 1},
		{"{\"keys\":[{\"id\":\"a\",\"kind\":\"hmac\",\"secret\":\"zz\"}]}", "secret",
			-E_CONFIG, 1},
		{"{\"keys\":[{\"id\":\"a\",\"kind\":\"hmac\",\"secret\":\"\"}]}", "secret",
			-E_CONFIG, 1},
		{"{\"keys\":[{\"id\":\"a\",\"kind\":\"hmac\",\"secret\":7}]}", "secret", -E_CONFIG,
			1},
		{"{\"keys\":[{\"id\":\"a\",\"kind\":\"hmac\",\"secret\":\"" H16 "\"}]}", "sha",
			-E_CONFIG, 0},
		{"{\"keys\":[{\"id\":\"a\",\"kind\":\"hmac\",\"sha\":1,\"secret\":\"" H16 "\"}]}",
			"sha", -E_CONFIG, 1},
		{"{\"keys\":[{\"id\":\"a\",\"kind\":\"aes128\",\"sha\":256,\"secret\":\"" H16
		 "\"}]}",
			"sha", -E_CONFIG, 1},
		{"{\"keys\":[{\"id\":\"a\",\"kind\":\"aes128\",\"secret\":\"" H32 "\"}]}", "secret",
			-E_CONFIG, 1},
		{"{\"keys\":[{\"id\":\"a\",\"kind\":\"aes128\",\"public\":\"" H32 "\"}]}", "public",
			-E_CONFIG, 1},
		{"{\"keys\":[{\"id\":\"a\",\"kind\":\"kek128\",\"secret\":\"" H16 "\"}]}",
			"context", -E_CONFIG, 0},
		{"{\"keys\":[{\"id\":\"a\",\"kind\":\"kek128\",\"context\":3,\"secret\":\"" H16
		 "\"}]}",
			"context", -E_CONFIG, 1},
		{"{\"keys\":[{\"id\":\"a\",\"kind\":\"hmac\",\"context\":4,\"secret\":\"" H32
		 "\"}]}",
			"context", -E_CONFIG, 1},
		{"{\"keys\":[{\"id\":\"a\",\"kind\":\"aes128\",\"base_iv\":\"00\",\"secret\":\"" H16
		 "\"}]}",
			"base_iv", -E_CONFIG, 1},
		{"{\"keys\":[{\"id\":\"a\",\"kind\":\"hmac\",\"base_iv\":\"" H16
		 "\",\"secret\":\"" H32 "\"}]}",
			"base_iv", -E_CONFIG, 1},
		{"{\"keys\":[{\"id\":\"a\",\"kind\":\"es256\",\"public\":\"" H32 H32 "\"}]}",
			"no key of its kind", -E_CONFIG, 1},
		{"{\"keys\":[{\"id\":\"a\",\"kind\":\"aes128\",\"secret\":\"" H16 "\"},\n"
		 "{\"id\":\"a\",\"kind\":\"aes128\",\"secret\":\"" H16 "\"}]}",
			"key 1 (a), id: an earlier", -E_CONFIG, 2},
	};

	for (unsigned k = 0; k < sizeof rows / sizeof rows[0]; k++) {
		struct keyring_fault fault;
		struct keyring *r;
		int err = keyring_parse(view_text(rows[k].text), &r, &fault);
		cr_expect_eq(err, rows[k].err, "%s: %s", rows[k].text, err_name(err));
		cr_expect_null(r);
		cr_expect(strstr(fault.text, rows[k].says), "%s: %s", rows[k].text, fault.text);
		cr_expect_eq(fault.line, rows[k].line, "%s: line %u", rows[k].text, fault.line);
		cr_expect(!strstr(fault.text, H16), "a secret is told: %s", fault.text);
	}
}

/* Written with secrets and read again it is the same ring; without, nothing secret comes out. */
Test(keyring, written)
{
	static char first[8192], second[8192], open[8192];
	struct buf a = buf_of(first, sizeof first), b = buf_of(second, sizeof second),
		   c = buf_of(open, sizeof open - 1);
	struct keyring *r = test_ring();

	keyring_write(&a, r, true);
	cr_assert(buf_fits(&a));
	first[a.len] = 0;
	struct keyring *again = parsed(first);
	keyring_write(&b, again, true);
	cr_expect(view_equal(buf_view(&a), buf_view(&b)));
	cr_expect_eq(keyring_count(again), keyring_count(r));
	keyring_write(&c, r, false);
	cr_expect(!strstr(open, "secret"));
	cr_expect(!strstr(open, "hmac"));
	for (unsigned k = 0; k < keyring_count(r); k++) {
		char hex[2 * KEY_SECRET_MAX + 1];
		const struct key *key = keyring_at(r, k);
		sha256_hex(key->secret, key->n_secret, hex);
		cr_expect(key->n_secret == 0 || !strstr(open, hex), "%s", key->id);
		cr_expect(!key->n_public == !strstr(open, key->id) || strstr("es ed", key->id),
			"%s", key->id);
	}
	struct keyring *publics = parsed(open);
	cr_expect_eq(keyring_count(publics), 4);
	cr_expect(key_serves(keyring_at(publics, 0), BLOCK_BIB, 3, false));
	cr_expect(!key_serves(keyring_at(publics, 0), BLOCK_BIB, 3, true));
	keyring_free(publics);
	keyring_free(again);
	keyring_free(r);
}

Test(keyring, made)
{
	struct keyring *r = keyring_new();

	cr_assert_not_null(r);
	for (unsigned k = 0; k < KEY_KINDS; k++) {
		struct key key = {.kind = (enum key_kind)k, .alg = CRYPTO_HMAC_512, .context = 1};
		cr_expect_eq(key_kind_of(key_kind_name(key.kind)), k);
		strcpy(key.id, key_kind_name(key.kind));
		cr_assert_eq(key_make(&key), 0);
		cr_expect_eq(key.n_secret, k == KEY_HMAC                        ? 64
					   : k == KEY_AES128 || k == KEY_KEK128 ? 16
										: 32);
		cr_expect_eq(key.n_public, k == KEY_ED25519 ? 32 : k == KEY_ES256 ? 64 : 0);
		cr_assert_eq(keyring_add(r, &key), 0);
		cr_expect_eq(keyring_add(r, &key), -E_DUPLICATE);
		cr_expect_eq(keyring_at(r, k)->number, k);
	}
	cr_expect_eq(key_kind_of("rsa"), KEY_KINDS);
	cr_expect_null(keyring_at(r, KEY_KINDS));
	cr_expect_null(keyring_find(r, view_text("none")));
	struct key key = *keyring_at(r, 1);
	while (keyring_count(r) < KEYS_MAX) {
		snprintf(key.id, sizeof key.id, "more-%u", keyring_count(r));
		cr_assert_eq(keyring_add(r, &key), 0);
	}
	strcpy(key.id, "one too many");
	cr_expect_eq(keyring_add(r, &key), -E_LIMIT);
	keyring_free(r);
	keyring_free(NULL);
}

/* RFC 9173 6.2: a KEK for one context, a key for one algorithm. */
Test(keyring, which_key_serves)
{
	static const struct {
		enum key_kind kind;
		int64_t own;
		uint64_t type;
		int64_t context;
		bool may;
	} rows[] = {
		{KEY_HMAC, 0, BLOCK_BIB, 1, true},
		{KEY_HMAC, 0, BLOCK_BIB, 3, true},
		{KEY_HMAC, 1, BLOCK_BIB, 3, false},
		{KEY_HMAC, 0, BLOCK_BCB, 2, false},
		{KEY_AES128, 0, BLOCK_BCB, 2, true},
		{KEY_AES256, 0, BLOCK_BCB, 3, true},
		{KEY_AES256, 0, BLOCK_BIB, 1, false},
		{KEY_KEK128, 2, BLOCK_BCB, 2, true},
		{KEY_KEK128, 2, BLOCK_BIB, 1, false},
		{KEY_KEK256, 1, BLOCK_BIB, 1, true},
		{KEY_KEK256, 1, BLOCK_BCB, 2, false},
		{KEY_KEK256, 0, BLOCK_BCB, 2, false},
		{KEY_ED25519, 0, BLOCK_BIB, 3, true},
		{KEY_ES256, 0, BLOCK_BIB, 3, true},
		{KEY_ES256, 0, BLOCK_BIB, 1, false},
		{KEY_ED25519, 0, BLOCK_BCB, 3, false},
	};

	for (unsigned k = 0; k < sizeof rows / sizeof rows[0]; k++) {
		struct key key = {.kind = rows[k].kind, .context = rows[k].own, .n_secret = 16};
		cr_expect_eq(key_serves(&key, rows[k].type, rows[k].context, true), rows[k].may,
			"row %u", k);
	}
	cr_expect(!key_serves(NULL, BLOCK_BIB, 1, false));
}
