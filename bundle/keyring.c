/*
 * The key ring: owlt-keys(5). A table of fixed size, so that a key keeps its address and no copy of a
 * secret is left behind by growing. Everything that held a secret is wiped: keys when the ring is freed,
 * the strings of the parsed text before they are. Messages name key and field, never a value.
 *
 * One algorithm a key, one context a key-encryption key: RFC 9173 6.2. Start reading at
 * keyring_parse(); what kinds there are is the table below.
 */
#include "bundle/keyring.h"

#include "bundle/base/json.h"
#include "bundle/bundle.h"

#include <stdio.h>
#include <stdlib.h>

#define CONTEXT_COSE 3

static const struct kind {
	const char *name;
	enum crypto_alg alg;
	size_t secret; /* bytes; 0: any */
	size_t public;
} kinds[KEY_KINDS] = {
	[KEY_HMAC] = {"hmac", CRYPTO_HMAC_256, 0, 0},
	[KEY_AES128] = {"aes128", CRYPTO_A128GCM, 16, 0},
	[KEY_AES256] = {"aes256", CRYPTO_A256GCM, 32, 0},
	[KEY_KEK128] = {"kek128", CRYPTO_ALGS, 16, 0},
	[KEY_KEK256] = {"kek256", CRYPTO_ALGS, 32, 0},
	[KEY_ED25519] = {"ed25519", CRYPTO_ED25519, 32, 32},
	[KEY_ES256] = {"es256", CRYPTO_ES256, 32, 64},
};

struct keyring {
	unsigned n;
	struct key key[KEYS_MAX];
};

struct reading {
	struct view text;
	struct keyring_fault *fault;
	unsigned number; /* of the key in work */
	const char *id;  /* and its id, once it is known */
};

static int key_read(const struct json *v, struct key *key, struct reading *r);
static void wipe_strings(const struct json *v);
static int key_complete(struct key *key);

struct keyring *keyring_new(void)
{
	return calloc(1, sizeof(struct keyring));
}

void keyring_free(struct keyring *r)
{
	if (!r)
		return;
	crypto_wipe(r->key, r->n * sizeof r->key[0]);
	free(r);
}

static int faulty(struct reading *r, const char *field, const char *what)
{
	char path[48];

	snprintf(path, sizeof path, "keys[%u]%s%s", r->number, *field ? "." : "", field);
	r->fault->line = json_line(r->text, path);
	snprintf(r->fault->text, sizeof r->fault->text, "key %u%s%.*s%s%s%s: %s", r->number,
		r->id ? " (" : "", KEY_ID_MAX, r->id ? r->id : "", r->id ? ")" : "",
		*field ? ", " : "", field, what);
	return -E_CONFIG;
}

static int ring_read(const struct json *doc, struct keyring *ring, struct reading *r)
{
	const struct json *list = json_get(doc, "keys");
	int err = 0;

	if (json_type(list) != JSON_ARRAY || json_size(doc) != 1) {
		snprintf(r->fault->text, sizeof r->fault->text,
			"an object with one member, \"keys\": [...], is wanted");
		return -E_CONFIG;
	}
	for (const struct json *v = json_first(list); v && !err; v = json_next(v), r->number++) {
		struct key key = {.kind = KEY_KINDS};
		r->id = NULL;
		err = key_read(v, &key, r);
		if (!err)
			err = keyring_add(ring, &key);
		if (err == -E_DUPLICATE)
			err = faulty(r, "id", "an earlier key has this id");
		crypto_wipe(&key, sizeof key);
	}
	return err;
}

int keyring_parse(struct view json, struct keyring **out, struct keyring_fault *fault)
{
	struct reading r = {.text = json, .fault = fault};
	struct keyring *ring = keyring_new();
	struct json *doc = NULL;
	int err = ring ? 0 : -ENOMEM;

	*fault = (struct keyring_fault){0};
	*out = NULL;
	if (!err)
		err = json_parse(json, &doc, &fault->line);
	if (!err)
		err = ring_read(doc, ring, &r);
	if (err && !fault->text[0])
		snprintf(fault->text, sizeof fault->text, "%s",
			doc ? err_text(err) : json_error_text(err));
	wipe_strings(doc);
	json_free(doc);
	if (err) {
		keyring_free(ring);
		return err;
	}
	*out = ring;
	return 0;
}

int keyring_add(struct keyring *r, const struct key *key)
{
	if (keyring_find(r, view_text(key->id)))
		return -E_DUPLICATE;
	if (r->n == KEYS_MAX)
		return -E_LIMIT;
	r->key[r->n] = *key;
	r->key[r->n].number = r->n;
	r->n++;
	return 0;
}

unsigned keyring_count(const struct keyring *r)
{
	return r->n;
}

const struct key *keyring_at(const struct keyring *r, unsigned number)
{
	return number < r->n ? &r->key[number] : NULL;
}

const struct key *keyring_find(const struct keyring *r, struct view id)
{
	for (unsigned k = 0; k < r->n; k++)
		if (view_equal(view_text(r->key[k].id), id))
			return &r->key[k];
	return NULL;
}

int key_make(struct key *key)
{
	size_t n = kinds[key->kind].secret;
	int err;

	if (key->kind == KEY_HMAC)
		n = crypto_sum_size(key->alg); /* RFC 9173 3.5: as long as the MAC */
	else
		key->alg = kinds[key->kind].alg;
	do {
		err = crypto_random(key->secret, n);
		key->n_secret = n;
		key->n_public = 0;
		err = err ? err : key_complete(key);
		/* one number in 2^32 is none of P-256's */
	} while (err == -EINVAL && key->kind == KEY_ES256);
	return err == -EINVAL ? -E_CONFIG : err;
}

const char *key_kind_name(enum key_kind kind)
{
	return kinds[kind].name;
}

enum key_kind key_kind_of(const char *name)
{
	unsigned k = 0;

	while (k < KEY_KINDS && strcmp(kinds[k].name, name) != 0)
		k++;
	return (enum key_kind)k;
}

/* Other bytes might be written as other bytes: bad UTF-8 can't stand in JSON. */
bool key_id_valid(const char *id)
{
	size_t n = id ? strlen(id) : 0;

	for (size_t k = 0; k < n; k++)
		if (id[k] < '!' || id[k] > '~')
			return false;
	return n > 0 && n < KEY_ID_MAX;
}

bool key_serves(const struct key *key, uint64_t block_type, int64_t context, bool make)
{
	bool bib = block_type == BLOCK_BIB;

	if (!key || (key->context && key->context != context) || (make && !key->n_secret))
		return false;
	switch (key->kind) {
	case KEY_HMAC:
		return bib;
	case KEY_AES128:
	case KEY_AES256:
		return !bib;
	case KEY_KEK128:
	case KEY_KEK256:
		return key->context == (bib ? 1 : 2);
	default:
		return bib && context == CONTEXT_COSE;
	}
}

/* -- reading ------------------------------------------------------------------------------------- */

/* cJSON keeps copies of strings: they are ours to overwrite, as the document is. */
static void wipe_strings(const struct json *v)
{
	const struct json *list = json_get(v, "keys");

	for (const struct json *key = json_first(list); key; key = json_next(key))
		for (const struct json *field = json_first(key); field; field = json_next(field)) {
			const char *text = json_text(field);
			if (text)
				crypto_wipe((char *)(uintptr_t)text, strlen(text));
		}
}

static int nibble(char ch)
{
	return ch >= '0' && ch <= '9'   ? ch - '0'
	       : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10
	       : ch >= 'A' && ch <= 'F' ? ch - 'A' + 10
					: -1;
}

/* Bytes of hex, at most cap; SIZE_MAX if it is none. */
static size_t hex_read(const char *text, uint8_t *out, size_t cap)
{
	size_t n = text ? strlen(text) : 1;

	if (n % 2 || n / 2 > cap)
		return SIZE_MAX;
	for (size_t k = 0; k < n / 2; k++) {
		int hi = nibble(text[2 * k]), lo = nibble(text[2 * k + 1]);
		if (hi < 0 || lo < 0)
			return SIZE_MAX;
		out[k] = (uint8_t)(hi << 4 | lo);
	}
	return n / 2;
}

static int hex_field(const struct json *v, const char *field, uint8_t *out, size_t cap, size_t *n)
{
	const struct json *value = json_get(v, field);

	*n = 0;
	if (json_type(value) == JSON_ABSENT)
		return 0;
	*n = hex_read(json_text(value), out, cap);
	return *n == SIZE_MAX || *n == 0 ? -E_SYNTAX : 0;
}

static int id_and_kind(const struct json *v, struct key *key, struct reading *r)
{
	static const char *const known[] = {
		"id", "kind", "sha", "context", "secret", "public", "base_iv"};
	const char *id = json_text(json_get(v, "id"));
	const char *kind = json_text(json_get(v, "kind"));

	if (json_type(v) != JSON_OBJECT)
		return faulty(r, "", "an object is wanted");
	if (!key_id_valid(id))
		return faulty(r, "id", "1 to 63 characters of ASCII without blanks are wanted");
	memcpy(key->id, id, strlen(id) + 1);
	r->id = key->id;
	key->kind = kind ? key_kind_of(kind) : KEY_KINDS;
	if (key->kind == KEY_KINDS)
		return faulty(r, "kind",
			"hmac, aes128, aes256, kek128, kek256, ed25519 or es256 is wanted");
	for (const struct json *m = json_first(v); m; m = json_next(m)) {
		unsigned k = 0;
		while (k < sizeof known / sizeof known[0] && strcmp(known[k], json_key(m)) != 0)
			k++;
		if (k == sizeof known / sizeof known[0])
			return faulty(r, "", "it has a member that no key has");
	}
	return 0;
}

/* hmac: which SHA, said or from the key's length (RFC 9173 3.5). */
static int alg_read(const struct json *v, struct key *key)
{
	uint64_t sha = 8 * key->n_secret;

	key->alg = kinds[key->kind].alg;
	if (json_type(json_get(v, "sha")) != JSON_ABSENT &&
		(key->kind != KEY_HMAC || json_u64(json_get(v, "sha"), &sha)))
		return -E_RANGE;
	if (key->kind != KEY_HMAC)
		return 0;
	if (sha != 256 && sha != 384 && sha != 512)
		return -E_RANGE;
	key->alg = sha == 256 ? CRYPTO_HMAC_256 : sha == 384 ? CRYPTO_HMAC_384 : CRYPTO_HMAC_512;
	return 0;
}

static int context_read(const struct json *v, struct key *key)
{
	bool kek = key->kind == KEY_KEK128 || key->kind == KEY_KEK256;
	const struct json *value = json_get(v, "context");

	if (json_type(value) == JSON_ABSENT)
		return kek ? -E_RANGE : 0;
	if (json_i64(value, &key->context) || key->context < 1 || key->context > CONTEXT_COSE)
		return -E_RANGE;
	return kek && key->context == CONTEXT_COSE ? -E_RANGE : 0;
}

static int key_read(const struct json *v, struct key *key, struct reading *r)
{
	int err = id_and_kind(v, key, r);
	const struct kind *kind = &kinds[err ? KEY_HMAC : key->kind];

	if (err)
		return err;
	if (hex_field(v, "secret", key->secret, sizeof key->secret, &key->n_secret) ||
		(kind->secret && key->n_secret && key->n_secret != kind->secret))
		return faulty(
			r, "secret", "hexadecimal digits, as many as its kind has, are wanted");
	if (hex_field(v, "public", key->public, sizeof key->public, &key->n_public) ||
		(key->n_public && key->n_public != kind->public))
		return faulty(
			r, "public", "hexadecimal digits, as many as its kind has, are wanted");
	if (key->n_secret == 0 && key->n_public == 0)
		return faulty(r, "secret", "it is missing");
	if (hex_field(v, "base_iv", key->base_iv, sizeof key->base_iv, &key->n_base_iv) ||
		(key->n_base_iv && (key->n_base_iv < CRYPTO_IV_MIN ||
					   (key->kind != KEY_AES128 && key->kind != KEY_AES256))))
		return faulty(r, "base_iv", "8 to 16 bytes, of an aes key only");
	if (alg_read(v, key))
		return faulty(r, "sha", "256, 384 or 512 for an hmac key, nothing for others");
	if (context_read(v, key))
		return faulty(r, "context", "1, 2 or 3; a KEK needs one, 1 or 2");
	err = key_complete(key);
	return err == -EINVAL ? faulty(r, "", "the numbers are no key of its kind") : err;
}

/* Signing keys: is it one, and its public part. */
static int key_complete(struct key *key)
{
	struct crypto *c;

	if (kinds[key->kind].public == 0)
		return 0;
	c = crypto_new(
		key->alg, view_of(key->secret, key->n_secret), view_of(key->public, key->n_public));
	if (!c)
		return -errno;
	key->n_public = crypto_public(c, key->public);
	crypto_free(c);
	return 0;
}

/* -- writing ------------------------------------------------------------------------------------- */

static void hex_write(struct json_writer *w, const char *name, const uint8_t *p, size_t n)
{
	char hex[2 * KEY_SECRET_MAX + 1];

	if (n == 0)
		return;
	sha256_hex(p, n, hex);
	jw_text(w, name, view_text(hex));
	crypto_wipe(hex, sizeof hex);
}

static void key_write(struct buf *b, const struct key *key, bool secrets)
{
	static const uint64_t sha[] = {
		[CRYPTO_HMAC_256] = 256, [CRYPTO_HMAC_384] = 384, [CRYPTO_HMAC_512] = 512};
	struct json_writer w = {.out = b};

	jw_object(&w, NULL);
	jw_text(&w, "id", view_text(key->id));
	jw_text(&w, "kind", view_text(kinds[key->kind].name));
	if (key->kind == KEY_HMAC)
		jw_u64(&w, "sha", sha[key->alg]);
	if (key->context)
		jw_i64(&w, "context", key->context);
	if (secrets)
		hex_write(&w, "secret", key->secret, key->n_secret);
	hex_write(&w, "public", key->public, key->n_public);
	if (secrets)
		hex_write(&w, "base_iv", key->base_iv, key->n_base_iv);
	jw_object_end(&w);
}

void keyring_write(struct buf *b, const struct keyring *r, bool secrets)
{
	bool first = true;

	buf_text(b, "{\"keys\": [");
	for (unsigned k = 0; k < r->n; k++) {
		if (!secrets && r->key[k].n_public == 0)
			continue;
		buf_text(b, first ? "\n  " : ",\n  ");
		key_write(b, &r->key[k], secrets);
		first = false;
	}
	buf_text(b, "\n]}\n");
}
