/*
 * owlt key make | list | public: key rings of BPSec (owlt-keys(5)). Secrets go into a file of mode 0600,
 * or to standard output where none is named; nothing else here prints one.
 */
#include "dtn/io/keyfile.h"
#include "tools/bundle_keys.h"
#include "tools/commands.h"
#include "tools/opt.h"
#include "tools/out.h"

#include <stdio.h>
#include <stdlib.h>

struct settings {
	const char *kind, *id, *output;
	uint64_t sha, context;
	bool json;
};

static int cmd_make(int argc, char **argv);
static int cmd_list(int argc, char **argv);
static int cmd_public(int argc, char **argv);

int cmd_key(int argc, char **argv)
{
	static const struct subcommand table[] = {{"make", cmd_make, "make a key"},
		{"list", cmd_list, "which keys a file holds"},
		{"public", cmd_public, "the public keys of a file"}, {0}};

	return opt_dispatch("owlt key", table, argc, argv);
}

/* -- make */

static bool is_kek(enum key_kind kind)
{
	return kind == KEY_KEK128 || kind == KEY_KEK256;
}

static int key_from(const struct settings *s, struct key *key)
{
	*key = (struct key){
		.kind = s->kind ? key_kind_of(s->kind) : KEY_KINDS, .context = (int64_t)s->context};
	if (key->kind == KEY_KINDS)
		return out_fail(
			"key make: --kind: hmac, aes128, aes256, kek128, kek256, ed25519 or "
			"es256");
	if (!key_id_valid(s->id))
		return out_fail(
			"key make: --id: a name of 1 to %zu characters of ASCII without blanks",
			sizeof key->id - 1);
	memcpy(key->id, s->id, strlen(s->id) + 1);
	if (key->kind == KEY_HMAC && s->sha != 256 && s->sha != 384 && s->sha != 512)
		return out_fail("key make: --sha: 256, 384 or 512");
	key->alg = s->sha == 256   ? CRYPTO_HMAC_256
		   : s->sha == 384 ? CRYPTO_HMAC_384
				   : CRYPTO_HMAC_512;
	if (s->context > 3 || (is_kek(key->kind) && s->context != 1 && s->context != 2))
		return out_fail(
			"key make: --context: the security context it is for: 1 integrity, 2 "
			"confidentiality (a KEK needs one of these), 3 COSE");
	int err = key_make(key);
	return err ? out_fail("key make: %s", err_text(err)) : 0;
}

static int ring_print(const struct keyring *ring, bool secrets)
{
	struct buf b = {0};

	keyring_write(&b, ring, secrets);
	b = buf_of(malloc(b.len), b.len);
	if (!b.p)
		return out_fail("no memory");
	keyring_write(&b, ring, secrets);
	bool bad = fwrite(b.p, 1, b.len, stdout) != b.len || fflush(stdout);
	crypto_wipe(b.p, b.cap);
	free(b.p);
	return bad ? out_fail("writing to standard output failed") : EXIT_YES;
}

static int key_print(const struct key *key)
{
	struct keyring *ring = keyring_new();
	int code = EXIT_USAGE;

	if (ring && keyring_add(ring, key) == 0)
		code = ring_print(ring, true);
	keyring_free(ring);
	return code;
}

static int cmd_make(int argc, char **argv)
{
	static const struct opt opts[] = {
		{"kind", 0, OPT_TEXT, offsetof(struct settings, kind), "KIND",
			"hmac, aes128, aes256, kek128, kek256, ed25519 or es256", NULL},
		{"id", 0, OPT_TEXT, offsetof(struct settings, id), "ID", "the key's name", NULL},
		{"sha", 0, OPT_U64, offsetof(struct settings, sha), "BITS",
			"of an hmac key: 256, 384 (default) or 512", NULL},
		{"context", 0, OPT_U64, offsetof(struct settings, context), "N",
			"the only security context it serves; a KEK needs one", NULL},
		{"output", 'o', OPT_TEXT, offsetof(struct settings, output), "FILE",
			"the file it is added to, made with mode 0600; default standard output",
			NULL},
		{0}};
	static const struct opt_command cmd = {"key make", "", "Makes a key from random bytes",
		opts, "Exit status: 0 done, 1 the file has a key with this id, 2 usage."};
	struct settings s = {.sha = 384};
	struct opt_rest rest = opt_read(&cmd, argc, argv, &s, 0, 0);
	struct keyring_fault fault;
	struct key key;

	if (rest.done)
		return rest.code;
	int code = key_from(&s, &key);
	if (code)
		return code;
	if (!s.output) {
		code = key_print(&key);
	} else {
		int err = keyfile_add(s.output, &key, &fault);
		if (err == -E_DUPLICATE)
			code = out_no("key make: %s has a key %s already", s.output, key.id);
		else if (err)
			code = out_fail("key make: %s: %s", s.output, fault.text);
	}
	crypto_wipe(&key, sizeof key);
	return code;
}

/* -- list, public */

static const char *algorithm(const struct key *key)
{
	static const char *const name[] = {[CRYPTO_HMAC_256] = "HMAC-SHA-256",
		[CRYPTO_HMAC_384] = "HMAC-SHA-384",
		[CRYPTO_HMAC_512] = "HMAC-SHA-512",
		[CRYPTO_A128GCM] = "AES-128-GCM",
		[CRYPTO_A256GCM] = "AES-256-GCM",
		[CRYPTO_ED25519] = "Ed25519",
		[CRYPTO_ES256] = "ES256",
		[CRYPTO_ALGS] = "AES key wrap"};

	return name[key->alg];
}

static void key_show(struct out *o, const struct key *key)
{
	char hex[129];

	sha256_hex(key->public, key->n_public, hex);
	if (o->json) {
		jw_object(&o->w, NULL);
		out_string(o, "id", key->id);
		out_string(o, "kind", key_kind_name(key->kind));
		out_string(o, "algorithm", algorithm(key));
		if (key->context)
			jw_i64(&o->w, "context", key->context);
		jw_bool(&o->w, "has_secret", key->n_secret > 0);
		if (key->n_public)
			out_string(o, "public", hex);
		jw_object_end(&o->w);
	}
	out_text(o, "%-24s %-8s %-13s %-9s %s\n", key->id, key_kind_name(key->kind), algorithm(key),
		key->context == 1   ? "context 1"
		: key->context == 2 ? "context 2"
		: key->context == 3 ? "context 3"
				    : "-",
		key->n_secret ? key->n_public ? "secret and public" : "secret" : "public only");
}

static int cmd_list(int argc, char **argv)
{
	static const struct opt opts[] = {{"json", 0, OPT_FLAG, offsetof(struct settings, json),
						  NULL, "one JSON document", NULL},
		{0}};
	static const struct opt_command cmd = {"key list", "FILE",
		"Lists the keys of a file: id, kind, algorithm, context; no secrets", opts, NULL};
	struct settings s = {0};
	struct opt_rest rest = opt_read(&cmd, argc, argv, &s, 1, 1);
	struct keyring *ring;
	struct out o;

	if (rest.done)
		return rest.code;
	int code = keys_load(rest.argv[0], &ring);
	if (code)
		return code;
	out_begin(&o, s.json);
	if (s.json)
		jw_array(&o.w, NULL);
	for (unsigned k = 0; k < keyring_count(ring); k++)
		key_show(&o, keyring_at(ring, k));
	if (s.json)
		jw_array_end(&o.w);
	keyring_free(ring);
	return out_end(&o);
}

static int cmd_public(int argc, char **argv)
{
	static const struct opt_command cmd = {"key public", "FILE",
		"Prints the public keys of a file as a key file for those who verify", NULL, NULL};
	struct opt_rest rest = opt_read(&cmd, argc, argv, NULL, 1, 1);
	struct keyring *ring;

	if (rest.done)
		return rest.code;
	int code = keys_load(rest.argv[0], &ring);
	if (code)
		return code;
	code = ring_print(ring, false);
	keyring_free(ring);
	return code;
}
