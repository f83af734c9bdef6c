/*
 * keyring: the keys of BPSec, from JSON text (owlt-keys(5)). A key has an id, one algorithm, and for a
 * key-encryption key the one security context it serves (RFC 9173 6.2). Secrets are wiped when the ring
 * is freed and never printed by anything but keyring_write(..., true).
 *
 *	{"keys": [{"id": "mac-1", "kind": "hmac", "sha": 256, "secret": "<64 hex digits>"},
 *	          {"id": "aes-1", "kind": "aes256", "secret": "<64 hex digits>"},
 *	          {"id": "kek-1", "kind": "kek128", "context": 2, "secret": "<32 hex digits>"},
 *	          {"id": "sig-1", "kind": "ed25519", "public": "<64 hex digits>"}]}
 */
#ifndef OWLT_BUNDLE_KEYRING_H
#define OWLT_BUNDLE_KEYRING_H

#include "bundle/base/buf.h"
#include "bundle/crypto.h"
#include "bundle/limits.h"

enum key_kind {
	KEY_HMAC,
	KEY_AES128,
	KEY_AES256,
	KEY_KEK128,
	KEY_KEK256,
	KEY_ED25519,
	KEY_ES256,
	KEY_KINDS
};

#define KEY_SECRET_MAX 128 /* bytes */

struct key {
	char id[KEY_ID_MAX];
	enum key_kind kind;
	enum crypto_alg alg; /* CRYPTO_ALGS for a KEK: the wrapped key's parameters say it */
	int64_t context;     /* the only one it serves; 0: any that knows the algorithm (no KEK) */
	uint8_t secret[KEY_SECRET_MAX];
	size_t n_secret; /* 0: a public key only */
	uint8_t public[64];
	size_t n_public;
	uint8_t base_iv[CRYPTO_IV_MAX]; /* COSE: what a partial IV is added to (RFC 9052 3.1) */
	size_t n_base_iv;
	unsigned number; /* place in its ring */
};

struct keyring;

/* Where and why a text is no key ring; the text names the key and the field, never a value. */
struct keyring_fault {
	unsigned line; /* 0 if not known */
	char text[160];
};

/* A ring from JSON text. 0, or -E_SYNTAX, -E_CONFIG with *fault filled, -E_LIMIT, -ENOMEM. */
int keyring_parse(struct view json, struct keyring **out, struct keyring_fault *fault) MUST_USE;
/* An empty ring, and a copy of a key added to it. NULL with errno ENOMEM; 0, -E_DUPLICATE (id),
 * -E_LIMIT, -ENOMEM. */
struct keyring *keyring_new(void);
int keyring_add(struct keyring *r, const struct key *key) MUST_USE;
/* Wipes and frees. */
void keyring_free(struct keyring *r);

unsigned keyring_count(const struct keyring *r);
const struct key *keyring_at(const struct keyring *r, unsigned number);
/* By id (a text; a COSE kid is compared with its bytes). NULL: none. Good as long as the ring. */
const struct key *keyring_find(const struct keyring *r, struct view id);

/* A new key from random bytes; kind, id, (hmac) alg and (KEK) context are there. 0, -E_CONFIG, -EIO. */
int key_make(struct key *key) MUST_USE;
/* "hmac" "aes128" ... and back: KEY_KINDS for no kind. */
const char *key_kind_name(enum key_kind kind);
enum key_kind key_kind_of(const char *name);
/* ASCII without blanks, 1 to KEY_ID_MAX - 1 characters: an id is typed, printed and sent as COSE kid. */
bool key_id_valid(const char *id);
/* May this key do this: a service block type and a context (RFC 9173 6.2), with or without secret. */
bool key_serves(const struct key *key, uint64_t block_type, int64_t context, bool make);
/* The JSON of owlt-keys(5), one key a line; secrets only if asked for: then they are public parts and
 * nothing else, keys without one left out. */
void keyring_write(struct buf *b, const struct keyring *r, bool secrets);

#endif
