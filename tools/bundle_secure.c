/*
 * owlt bundle sign, owlt bundle encrypt: one security operation added to a bundle by hand (RFC 9172),
 * with one target a block. Start reading at secure().
 */
#include "tools/bundle.h"

#include "bundle/bpsec.h"
#include "bundle/rule.h"
#include "tools/bundle_keys.h"
#include "tools/opt.h"
#include "tools/out.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define IV_BYTES 12

struct secure_args {
	const char *keys, *key, *source, *iv;
	uint64_t target, number, flags, context, bits;
	struct bpsec_how how; /* scope, crc_type */
	bool hex, bare_primary, tag_behind;
};

#define AT(field) offsetof(struct secure_args, field)

static int take_scope(void *into, const char *name, const char *arg);
static int take_crc(void *into, const char *name, const char *arg);
static int run(const struct opt_command *cmd, int argc, char **argv, uint64_t type);

#define OPTS_COMMON                                                                                \
	{"keys", 0, OPT_TEXT, AT(keys), "FILE", "the key file (required)", NULL},                  \
		{"key", 0, OPT_TEXT, AT(key), "ID", "the key (required)", NULL},                   \
		{"target", 0, OPT_U64, AT(target), "N", "block number of the target; default 1",   \
			NULL},                                                                     \
		{"context", 0, OPT_U64, AT(context), "N",                                          \
			"security context: 1, 2 or 3; default: 3 for signing keys, else RFC "      \
			"9173's",                                                                  \
			NULL},                                                                     \
		{"scope", 0, OPT_CALL, 0, "NAMES|N",                                               \
			"what is covered beside the target: primary, target, security, with "      \
			"commas, or none; default all",                                            \
			take_scope},                                                               \
		{"security-source", 0, OPT_TEXT, AT(source), "EID",                                \
			"default: the node of the bundle's source", NULL},                         \
		{"number", 0, OPT_U64, AT(number), "N",                                            \
			"of the security block; default: the next free one", NULL},                \
		{"flags", 0, OPT_U64, AT(flags), "N", "block flags of the security block", NULL},  \
		{"crc", 0, OPT_CALL, 0, "0|16|32c", "CRC of the security block; default 0",        \
			take_crc},                                                                 \
		{"bits", 0, OPT_U64, AT(bits), "N",                                                \
			"with a KEK: of the MAC (256, 384, 512) or the AES key (128, 256) made "   \
			"for this bundle",                                                         \
			NULL},                                                                     \
	{                                                                                          \
		"hex", 0, OPT_FLAG, AT(hex), NULL, "print hexadecimal text instead of bytes", NULL \
	}

int bundle_sign(int argc, char **argv)
{
	static const struct opt opts[] = {OPTS_COMMON,
		{"bare-primary", 0, OPT_FLAG, AT(bare_primary), NULL,
			"sign the primary block as RFC 9173's text has it, not as its example A.3",
			NULL},
		{0}};
	static const struct opt_command cmd = {"bundle sign", "[FILE or -]",
		"Adds an integrity block and writes the bundle to standard output", opts,
		"The target's CRC is taken away (RFC 9173 3.8.1). Sign the primary block first. "
		"Exit status: 0 done, 1 it is not allowed, 2 usage."};

	return run(&cmd, argc, argv, BLOCK_BIB);
}

int bundle_encrypt(int argc, char **argv)
{
	static const struct opt opts[] = {OPTS_COMMON,
		{"iv", 0, OPT_TEXT, AT(iv), "HEX",
			"8 to 16 bytes, never twice with one key; default 12 random ones", NULL},
		{"tag-behind", 0, OPT_FLAG, AT(tag_behind), NULL,
			"the tag behind the ciphertext, not in the block", NULL},
		{0}};
	static const struct opt_command cmd = {"bundle encrypt", "[FILE or -]",
		"Adds a confidentiality block and writes the bundle to standard output", opts,
		"A target that has an integrity block: encrypt that block as well. Exit status: 0 "
		"done, 1 it is not allowed, 2 usage."};

	return run(&cmd, argc, argv, BLOCK_BCB);
}

static int take_scope(void *into, const char *name, const char *arg)
{
	static const char *const word[] = {"primary", "target", "security"};
	struct secure_args *a = into;

	(void)name;
	a->how.scope = 0;
	if (strcmp(arg, "none") == 0)
		return 0;
	if (arg[0] >= '0' && arg[0] <= '7' && !arg[1]) {
		a->how.scope = (uint64_t)(arg[0] - '0');
		return 0;
	}
	while (*arg) {
		size_t n = strcspn(arg, ",");
		unsigned k = 0;
		while (k < 3 && (strlen(word[k]) != n || strncmp(word[k], arg, n) != 0))
			k++;
		if (k == 3)
			return -E_SYNTAX;
		a->how.scope |= 1u << k;
		arg += n + (arg[n] == ',');
	}
	return 0;
}

static int take_crc(void *into, const char *name, const char *arg)
{
	static const char *const word[] = {"0", "16", "32c"};
	struct secure_args *a = into;

	(void)name;
	for (unsigned k = 0; k < 3; k++) {
		if (strcmp(arg, word[k]) != 0)
			continue;
		a->how.crc_type = (enum crc_type)k;
		return 0;
	}
	return -E_SYNTAX;
}

/* What the options leave open, from key and bundle. 0 or an exit code. */
static int how_complete(struct secure_args *a, const struct bundle *b, const struct key *key,
	uint8_t iv[CRYPTO_IV_MAX], uint8_t cek[64])
{
	struct bpsec_how *how = &a->how;
	bool bcb = how->type == BLOCK_BCB, signs = key->n_public > 0;
	uint8_t *bytes;
	size_t n = IV_BYTES;

	how->target = a->target;
	how->number = a->number;
	how->flags = a->flags;
	how->context = a->context ? (int64_t)a->context
		       : signs    ? BPSEC_COSE
		       : bcb      ? BPSEC_AES_GCM
				  : BPSEC_HMAC_SHA2;
	how->key = key;
	how->bare_primary = a->bare_primary;
	how->tag_behind = a->tag_behind;
	/* the node of the source: its administrative endpoint; dtn://node/ */
	how->source = b->source;
	if (a->source && eid_parse(a->source, &how->source))
		return out_fail("--security-source: no endpoint ID");
	if (!a->source && how->source.scheme == EID_SCHEME_IPN)
		how->source.service = 0;
	if (a->iv) {
		if (input_hex(a->iv, &bytes, &n) || n > CRYPTO_IV_MAX || n < CRYPTO_IV_MIN)
			return out_fail("--iv: 8 to 16 bytes in hexadecimal");
		memcpy(iv, bytes, n);
		free(bytes);
	} else if (crypto_random(iv, n)) {
		return out_fail("no random bytes");
	}
	how->iv = bcb ? view_of(iv, n) : (struct view){0};
	if (key->alg != CRYPTO_ALGS)
		return 0;
	uint64_t bits = a->bits ? a->bits : bcb ? 256 : 384;
	how->alg = bcb           ? bits == 128 ? CRYPTO_A128GCM : CRYPTO_A256GCM
		   : bits == 256 ? CRYPTO_HMAC_256
		   : bits == 384 ? CRYPTO_HMAC_384
				 : CRYPTO_HMAC_512;
	if (bcb ? bits != 128 && bits != 256 : bits != 256 && bits != 384 && bits != 512)
		return out_fail("--bits: 256, 384 or 512 to sign, 128 or 256 to encrypt");
	how->cek = view_of(cek, (size_t)bits / 8);
	return crypto_random(cek, how->cek.n) ? out_fail("no random bytes") : 0;
}

static int refused(const char *command, int err)
{
	if (err == -ENOKEY)
		return out_no("%s: this key does not serve that operation and context", command);
	if (err == -E_RULE)
		return out_no("%s: RFC 9172 does not allow it: a fragment, a target that is not "
			      "there or is a security block, one that has this service or is "
			      "encrypted, or a flag that a confidentiality block may not have",
			command);
	return out_no("%s: %s", command, err_text(err));
}

static void bytes_put(struct view v, bool hex)
{
	if (!hex) {
		fwrite(v.p, 1, v.n, stdout);
		return;
	}
	for (size_t i = 0; i < v.n; i++)
		printf("%02x", v.p[i]);
	putchar('\n');
}

/* An encrypted block whose integrity block is to be encrypted now is between two states. */
static bool rules_hold(const struct bundle *b, struct bundle_fault *fault, uint64_t type)
{
	return bpsec_check(b, fault) == 0 || (type == BLOCK_BCB && fault->rule == RULE_BIB_CLEAR);
}

/* Says which integrity block of a block that is encrypted now still tells about it. */
static void next_hint(const char *command, struct view out, const struct bundle_rules *rules)
{
	struct bpsec_op op[BPSEC_OPS_MAX];
	struct bundle_fault fault;
	struct bundle b;
	unsigned n = 0;

	if (bundle_read(&b, out, rules, &fault) || bpsec_check(&b, &fault) == 0 ||
		fault.rule != RULE_BIB_CLEAR || bpsec_list(&b, op, &n))
		return;
	for (unsigned bcb = 0; bcb < n && op[bcb].type == BLOCK_BCB; bcb++)
		for (unsigned bib = bcb + 1; bib < n; bib++)
			if (op[bib].type == BLOCK_BIB && op[bib].number == op[bcb].number)
				fprintf(stderr,
					"owlt: %s: block %llu still tells about block %llu, which "
					"is "
					"encrypted: encrypt it, too (--target %llu)\n",
					command, (unsigned long long)b.block[op[bib].block].number,
					(unsigned long long)op[bib].number,
					(unsigned long long)b.block[op[bib].block].number);
}

static int secure(const char *command, struct secure_args *a, struct view in, struct keyring *ring)
{
	struct bundle_rules rules = bundle_rules_default();
	const struct key *key = keyring_find(ring, view_text(a->key));
	uint8_t iv[CRYPTO_IV_MAX], cek[64];
	struct bundle_fault fault;
	struct bundle b;

	rules.allow_no_primary_crc = rules.allow_no_age = true;
	if (!key)
		return out_fail("%s: no key %s in %s", command, a->key, a->keys);
	if (bundle_read(&b, in, &rules, &fault) || !rules_hold(&b, &fault, a->how.type))
		return out_no("%s: the bundle is invalid: %s at byte %zu: %s", command,
			rule_name(fault.rule), fault.at, rule_text(fault.rule));
	int code = how_complete(a, &b, key, iv, cek);
	if (code)
		return code;
	size_t cap = 2 * in.n + 2 * BPSEC_ROOM;
	struct buf out = buf_of(malloc(cap), cap);
	struct bpsec *x = bpsec_new(ring);
	if (!x || !out.p) {
		code = out_fail("no memory");
	} else {
		int err = bpsec_add(x, &out, &b, &a->how);
		code = err ? refused(command, err) : 0;
	}
	if (!code) {
		bytes_put(buf_view(&out), a->hex);
		next_hint(command, buf_view(&out), &rules);
	}
	bpsec_free(x);
	free(out.p);
	crypto_wipe(cek, sizeof cek);
	return !code && (fflush(stdout) || ferror(stdout))
		       ? out_fail("writing to standard output failed")
		       : code;
}

static int run(const struct opt_command *cmd, int argc, char **argv, uint64_t type)
{
	struct secure_args a = {.target = 1, .how = {.type = type, .scope = BPSEC_SCOPE_ALL}};
	struct opt_rest rest = opt_read(cmd, argc, argv, &a, 0, 1);
	struct keyring *ring;
	uint8_t *bytes = NULL;
	size_t n = 0;

	if (rest.done)
		return rest.code;
	if (!a.keys || !a.key)
		return out_fail("%s: --keys and --key are needed", cmd->name);
	if (!a.hex && isatty(1))
		return out_fail(
			"%s: a bundle is not written to a terminal; use --hex or redirect it",
			cmd->name);
	if (keys_load(a.keys, &ring))
		return EXIT_USAGE;
	int code = input_read(rest.argc ? rest.argv[0] : "-", &bytes, &n) ? EXIT_USAGE : 0;
	if (!code)
		code = secure(cmd->name, &a, view_of(bytes, n), ring);
	free(bytes);
	keyring_free(ring);
	return code;
}
