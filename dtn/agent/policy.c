/*
 * policy: the rules of `security.rules` as schema rows, and what must hold for one: an operation that
 * its block allows (RFC 9172 3.7, 3.8), a context and a key that fit the operation, actions that the
 * RFC permits. A key serves one context only (RFC 9173 6.2). What is wrong is told with the path of
 * the setting, so that the configuration's line can be named.
 *
 * Start reading at security_rule_read().
 */
#include "dtn/agent/policy.h"

#include "bundle/bpsec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct security_cfg, field)
#define RULE(field) offsetof(struct security_rule_cfg, field)
#define LAB(field) offsetof(struct security_lab_key, field)
#define TARGET_PRIMARY 0
#define MIB (INT64_C(1) << 20)
#define LAB_JSON 8192

static int check_pattern(const char *text);
static int check_role(const char *text);
static int check_block(const char *text);
static int check_operation(const char *text);

static const char *const role_words[] = {"source", "verifier", "acceptor", NULL};
static const char *const operation_words[] = {"integrity", "confidentiality", NULL};
static const char *const context_words[] = {
	"default", "hmac", "gcm", "cose-mac", "cose-sign", "cose-encrypt", NULL};
static const char *const action_words[] = {"drop", "strip", "keep", NULL};

static const struct schema_row lab_key_rows[] = {
	{.path = "id",
		.type = SCHEMA_TEXT,
		.offset = LAB(id),
		.min = 1,
		.max = KEY_ID_MAX - 1,
		.help = "As in owlt-keys(5)."},
	{.path = "kind",
		.type = SCHEMA_TEXT,
		.offset = LAB(kind),
		.min = 1,
		.max = 15,
		.help = "As in owlt-keys(5)."},
	{.path = "sha",
		.type = SCHEMA_U64,
		.offset = LAB(sha),
		.max = 512,
		.def = "256",
		.help = "Of an hmac key."},
	{.path = "context",
		.type = SCHEMA_U64,
		.offset = LAB(context),
		.max = 3,
		.def = "0",
		.help = "The only context it serves; a kek needs it."},
	{.path = "secret",
		.type = SCHEMA_TEXT,
		.offset = LAB(secret),
		.max = 2 * KEY_SECRET_MAX,
		.def = "",
		.help = "Hex digits."},
	{.path = "public",
		.type = SCHEMA_TEXT,
		.offset = LAB(public),
		.max = 128,
		.def = "",
		.help = "Hex digits."},
	{0},
};

static const struct schema_row rule_rows[] = {
	{.path = "name",
		.type = SCHEMA_TEXT,
		.offset = RULE(name),
		.max = 31,
		.def = "",
		.help = "Name of the rule in messages."},
	{.path = "role",
		.type = SCHEMA_TEXT,
		.offset = RULE(role),
		.min = 1,
		.max = 15,
		.check = check_role,
		.help = "What this node does: source (adds the operation to its own bundles), "
			"verifier "
			"(checks and leaves it), acceptor (checks and removes it). The destination "
			"of a "
			"bundle always accepts."},
	{.path = "operation",
		.type = SCHEMA_TEXT,
		.offset = RULE(operation),
		.min = 1,
		.max = 15,
		.check = check_operation,
		.help = "integrity (a BIB) or confidentiality (a BCB)."},
	{.path = "source",
		.type = SCHEMA_TEXT,
		.offset = RULE(source),
		.min = 1,
		.max = 63,
		.def = "*",
		.check = check_pattern,
		.help = "Bundles from: an endpoint, all of a node (ipn:2.*, dtn://name/*), or *."},
	{.path = "destination",
		.type = SCHEMA_TEXT,
		.offset = RULE(destination),
		.min = 1,
		.max = 63,
		.def = "*",
		.check = check_pattern,
		.help = "Bundles to: as source."},
	{.path = "block",
		.type = SCHEMA_TEXT,
		.offset = RULE(block),
		.min = 1,
		.max = 20,
		.def = "payload",
		.check = check_block,
		.help = "Target: payload, primary, bib, or the number of an extension block type."},
	{.path = "context",
		.type = SCHEMA_ENUM,
		.offset = RULE(context),
		.words = context_words,
		.def = "default",
		.help = "Security context: hmac (BIB-HMAC-SHA2) and gcm (BCB-AES-GCM) of RFC 9173, "
			"or "
			"cose-mac, cose-sign, cose-encrypt; default is hmac or gcm by the "
			"operation."},
	{.path = "key",
		.type = SCHEMA_TEXT,
		.offset = RULE(key),
		.min = 1,
		.max = KEY_ID_MAX - 1,
		.help = "Key id in security.keys; its kind sets the variant. A kek wraps a key of "
			"its "
			"own for every start of the node."},
	{.path = "scope",
		.type = SCHEMA_U64,
		.offset = RULE(scope),
		.min = 0,
		.max = 7,
		.def = "7",
		.help = "What else the operation covers: 1 primary block, 2 target's header, 4 "
			"security "
			"block's header, added (source)."},
	{.path = "missing",
		.type = SCHEMA_ENUM,
		.offset = RULE(missing),
		.words = action_words,
		.def = "drop",
		.help = "Operation absent: drop the bundle (reason 12), strip the block, or keep "
			"it."},
	{.path = "unknown",
		.type = SCHEMA_ENUM,
		.offset = RULE(unknown),
		.words = action_words,
		.def = "drop",
		.help = "Unknown context or parameter: drop (reason 13), strip or keep."},
	{.path = "failed",
		.type = SCHEMA_ENUM,
		.offset = RULE(failed),
		.words = action_words,
		.def = "drop",
		.help = "Check failed: drop (reason 15), strip or keep."},
	{0},
};

const struct schema_row security_rows[] = {
	{.path = "security.rules",
		.type = SCHEMA_LIST,
		.offset = AT(rule),
		.max = SECURITY_RULES_MAX,
		.rows = rule_rows,
		.size = sizeof(struct security_rule_cfg),
		.count_offset = AT(n_rules),
		.help = "Security of bundles (BPSec), see owlt-security(7): all rules that match "
			"apply, in their order."},
	{.path = "security.a3_bare",
		.type = SCHEMA_BOOL,
		.offset = AT(a3_bare),
		.def = "false",
		.help = "Sign a primary block as its bare bytes (text of RFC 9173 3.7, erratum "
			"9192) "
			"instead of as a byte string (its example A.3). Either is verified."},
	{.path = "security.keep_unverified",
		.type = SCHEMA_BOOL,
		.offset = AT(keep_unverified),
		.def = "true",
		.help = "Deliver bundles whose integrity block no rule is for, unchecked, as if it "
			"were "
			"not there; else they are deleted (reason 13)."},
	{.path = "security.failures_per_s",
		.type = SCHEMA_U64,
		.offset = AT(failures_per_s),
		.min = 1,
		.max = 1000000,
		.def = "1000",
		.help = "Failed checks of one key a second; beyond it the key is not tried (RFC "
			"9173 "
			"4.6)."},
	{.path = "security.max_bytes",
		.type = SCHEMA_BYTES,
		.offset = AT(max_bytes),
		.min = 65536,
		.max = 1024 * MIB,
		.def = "16Mi",
		.unit = "bytes",
		.help = "Largest payload that is secured, checked or decrypted here, also when put "
			"together from fragments. While it is, it stands in store.stage_bytes."},
	{.path = "security.step_bytes",
		.type = SCHEMA_BYTES,
		.offset = AT(step_bytes),
		.min = 65536,
		.max = 16 * MIB,
		.def = "256Ki",
		.unit = "bytes",
		.help = "Of a larger payload so much is worked on in one turn of the loop; other "
			"bundles pass in between."},
	{.path = "security.max_running",
		.type = SCHEMA_U64,
		.offset = AT(max_running),
		.min = 1,
		.max = 64,
		.def = "4",
		.help = "Units that are checked in steps at a time; more wait."},
	{.path = "security.lab_keys",
		.type = SCHEMA_LIST,
		.offset = AT(lab_key),
		.max = SECURITY_LAB_KEYS_MAX,
		.rows = lab_key_rows,
		.size = sizeof(struct security_lab_key),
		.count_offset = AT(n_lab_keys),
		.help = "Keys in plain sight, for labs and simulations only; owltd refuses them "
			"outside a lab."},
	{0},
};

/* -- words */

static int word(const char *const *words, const char *text)
{
	for (int k = 0; words[k]; k++)
		if (strcmp(words[k], text) == 0)
			return k;
	return -E_SYNTAX;
}

static int check_role(const char *text)
{
	return word(role_words, text) < 0 ? -E_SYNTAX : 0;
}

static int check_operation(const char *text)
{
	return word(operation_words, text) < 0 ? -E_SYNTAX : 0;
}

static int block_type(const char *text, uint64_t *type)
{
	char *end;

	if (strcmp(text, "payload") == 0)
		*type = BLOCK_PAYLOAD;
	else if (strcmp(text, "primary") == 0)
		*type = TARGET_PRIMARY;
	else if (strcmp(text, "bib") == 0)
		*type = BLOCK_BIB;
	else if (*text < '1' || *text > '9')
		return -E_SYNTAX;
	else {
		*type = strtoull(text, &end, 10);
		return *end ? -E_SYNTAX : 0;
	}
	return 0;
}

static int check_block(const char *text)
{
	uint64_t type;

	return block_type(text, &type);
}

static int check_pattern(const char *text)
{
	struct eid_pattern p;

	return eid_pattern_parse(text, &p);
}

/* -- patterns */

int eid_pattern_parse(const char *text, struct eid_pattern *p)
{
	char room[EID_TEXT_MAX];
	size_t n = strlen(text);
	int err;

	*p = (struct eid_pattern){0};
	if (strcmp(text, "*") == 0) {
		p->any = true;
		return 0;
	}
	if (n < 2 || text[n - 1] != '*' || (text[n - 2] != '.' && text[n - 2] != '/') ||
		n >= sizeof room)
		return eid_parse(text, &p->eid);
	/* all endpoints of a node: its administrative one names it */
	p->any_service = true;
	memcpy(room, text, n);
	room[n - 1] = room[n - 2] == '.' ? '0' : 0;
	room[n] = 0;
	err = eid_parse(room, &p->eid);
	p->eid.ssp = (struct view){0};
	return err ? err : p->eid.node == NODE_NONE ? -E_RANGE : 0;
}

bool eid_pattern_has(const struct eid_pattern *p, const struct eid *e)
{
	if (p->any)
		return true;
	if (p->any_service)
		return p->eid.node == e->node;
	return eid_equal(&p->eid, e);
}

/* -- rules */

static int fault(struct schema_error *e, size_t k, const char *field, const char *text)
{
	snprintf(e->path, sizeof e->path, "security.rules[%zu].%s", k, field);
	snprintf(e->text, sizeof e->text, "%s", text);
	e->line = 0;
	return -E_CONFIG;
}

/* What a role may do to a block: NULL, or why not. */
static const char *block_wrong(const struct security_rule *r)
{
	bool changes = r->block == BLOCK_PREVIOUS_NODE || r->block == BLOCK_AGE ||
		       r->block == BLOCK_HOP_COUNT;

	if (r->block == BLOCK_BCB)
		return "a BCB can't be a target (RFC 9172 3.7, 3.8)";
	if (r->is_integrity && r->block == BLOCK_BIB)
		return "integrity of a BIB is not possible (RFC 9172 3.7)";
	if (!r->is_integrity && r->block == TARGET_PRIMARY)
		return "the primary block can't be encrypted (RFC 9172 3.8)";
	if (r->role == ROLE_SOURCE && r->block == BLOCK_BIB)
		return "a source encrypts the BIB of what it encrypts by itself";
	if (r->role == ROLE_SOURCE && changes)
		return "this block changes at every node";
	if (r->role == ROLE_SOURCE && r->block != BLOCK_PAYLOAD && r->block != TARGET_PRIMARY)
		return "bundles made here have no such block";
	return NULL;
}

static bool context_fits(enum security_context context, bool is_integrity)
{
	bool for_integrity = context == CONTEXT_HMAC || context == CONTEXT_COSE_MAC ||
			     context == CONTEXT_COSE_SIGN;

	return for_integrity == is_integrity;
}

static bool key_fits(const struct security_rule *r)
{
	static const int64_t number[] = {[CONTEXT_HMAC] = BPSEC_HMAC_SHA2,
		[CONTEXT_GCM] = BPSEC_AES_GCM,
		[CONTEXT_COSE_MAC] = BPSEC_COSE,
		[CONTEXT_COSE_SIGN] = BPSEC_COSE,
		[CONTEXT_COSE_ENCRYPT] = BPSEC_COSE};
	bool signs = r->key->kind == KEY_ED25519 || r->key->kind == KEY_ES256;

	return key_serves(r->key, r->is_integrity ? BLOCK_BIB : BLOCK_BCB, number[r->context],
		       r->role == ROLE_SOURCE) &&
	       signs == (r->context == CONTEXT_COSE_SIGN);
}

/* Actions that the RFC rules out. NULL, or the field's name with *why. */
static const char *action_wrong(const struct security_rule *r, const char **why)
{
	const struct security_rule_cfg *c = r->cfg;
	bool whole = r->block == BLOCK_PAYLOAD || r->block == TARGET_PRIMARY;

	*why = "this block can't be stripped: use drop";
	if (whole && c->missing == ACTION_STRIP)
		return "missing";
	if (whole && c->unknown == ACTION_STRIP)
		return "unknown";
	if (whole && c->failed == ACTION_STRIP)
		return "failed";
	*why = "what can't be decrypted must not be kept (RFC 9172 5.1.1)";
	if (!r->is_integrity && c->failed == ACTION_KEEP)
		return "failed";
	if (!r->is_integrity && c->unknown == ACTION_KEEP)
		return "unknown";
	return NULL;
}

int security_rule_read(const struct security_cfg *cfg, size_t k, const struct keyring *keys,
	struct security_rule *r, struct schema_error *e)
{
	const struct security_rule_cfg *c = &cfg->rule[k];
	const char *wrong, *why;

	*r = (struct security_rule){.cfg = c, .context = (enum security_context)c->context};
	if (eid_pattern_parse(c->source, &r->source))
		return fault(e, k, "source", "no pattern");
	if (eid_pattern_parse(c->destination, &r->destination))
		return fault(e, k, "destination", "no pattern");
	if (word(role_words, c->role) < 0)
		return fault(e, k, "role", "is required: source, verifier or acceptor");
	if (word(operation_words, c->operation) < 0)
		return fault(e, k, "operation", "is required: integrity or confidentiality");
	if (block_type(c->block, &r->block))
		return fault(e, k, "block", "payload, primary, bib or a number is required");
	r->role = (enum security_role)word(role_words, c->role);
	r->is_integrity = strcmp(c->operation, "integrity") == 0;
	if (r->context == CONTEXT_DEFAULT)
		r->context = r->is_integrity ? CONTEXT_HMAC : CONTEXT_GCM;
	if (!context_fits(r->context, r->is_integrity))
		return fault(e, k, "context", "does not do this operation");
	if (r->role == ROLE_VERIFIER && !r->is_integrity)
		return fault(e, k, "role", "only integrity can be verified and left; see acceptor");
	why = block_wrong(r);
	if (why)
		return fault(e, k, "block", why);
	wrong = action_wrong(r, &why);
	if (wrong)
		return fault(e, k, wrong, why);
	if (!keys)
		return 0;
	r->key = keyring_find(keys, view_text(c->key));
	if (!r->key)
		return fault(e, k, "key", "security.keys has no such key");
	return key_fits(r)
		       ? 0
		       : fault(e, k, "key",
				 "the key's kind or context does not allow this (owlt-keys(5))");
}

/* RFC 9173 6.2: a key is used with one algorithm, a KEK with one context. */
static int pair_check(const struct security_rule *r, const struct security_rule *other, size_t k,
	struct schema_error *e)
{
	if (r->key && r->key == other->key && r->context != other->context)
		return fault(e, k, "key", "serves another context already (RFC 9173 6.2)");
	if (r->role == ROLE_SOURCE && r->role == other->role && r->block == other->block &&
		r->is_integrity == other->is_integrity &&
		strcmp(r->cfg->source, other->cfg->source) == 0 &&
		strcmp(r->cfg->destination, other->cfg->destination) == 0)
		return fault(
			e, k, "role", "an earlier rule adds this operation already (RFC 9172 3.2)");
	return 0;
}

int security_check(
	const struct security_cfg *cfg, const struct keyring *keys, struct schema_error *e)
{
	struct security_rule rule, other;
	int err = 0;

	for (size_t k = 0; !err && k < cfg->n_rules; k++) {
		err = security_rule_read(cfg, k, keys, &rule, e);
		for (size_t j = 0; !err && j < k; j++)
			if (security_rule_read(cfg, j, keys, &other, &(struct schema_error){0}) ==
				0)
				err = pair_check(&rule, &other, k, e);
	}
	return err;
}

static void put_lab_key(struct json_writer *w, const struct security_lab_key *k)
{
	jw_object(w, NULL);
	jw_text(w, "id", view_text(k->id));
	jw_text(w, "kind", view_text(k->kind));
	if (strcmp(k->kind, "hmac") == 0)
		jw_u64(w, "sha", k->sha);
	if (k->context != 0)
		jw_u64(w, "context", k->context);
	if (*k->secret)
		jw_text(w, "secret", view_text(k->secret));
	if (*k->public)
		jw_text(w, "public", view_text(k->public));
	jw_object_end(w);
}

int security_lab_ring(const struct security_cfg *cfg, struct keyring **out, struct schema_error *e)
{
	uint8_t room[LAB_JSON];
	struct buf text = buf_of(room, sizeof room);
	struct json_writer w = {.out = &text};
	struct keyring_fault f = {0};
	int err;

	jw_object(&w, NULL);
	jw_array(&w, "keys");
	for (size_t i = 0; i < cfg->n_lab_keys; i++)
		put_lab_key(&w, &cfg->lab_key[i]);
	jw_array_end(&w);
	jw_object_end(&w);
	err = buf_finish(&text);
	err = err ? err : keyring_parse(buf_view(&text), out, &f);
	if (err) {
		snprintf(e->path, sizeof e->path, "security.lab_keys");
		snprintf(e->text, sizeof e->text, "%s", *f.text ? f.text : err_text(err));
	}
	return err;
}
