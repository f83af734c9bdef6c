/*
 * policy: what this node does about the security of bundles (RFC 9172 7): rules from the
 * configuration, matched on source, destination, role and block. A rule names the operation, its
 * context and key, and what happens when the operation is missing, can't be understood, or fails.
 * bpsec.h acts on it.
 */
#ifndef OWLT_AGENT_POLICY_H
#define OWLT_AGENT_POLICY_H

#include "bundle/base/schema.h"
#include "bundle/eid.h"
#include "bundle/keyring.h"

#define SECURITY_RULES_MAX 64
#define SECURITY_LAB_KEYS_MAX 8

/* A rule as it is written. */
struct security_rule_cfg {
	char name[32];
	char source[64], destination[64]; /* patterns */
	char role[16], block[24], operation[16];
	unsigned context; /* enum security_context */
	char key[KEY_ID_MAX];
	uint64_t scope;
	unsigned missing, unknown, failed; /* enum security_action */
};

/* A key in plain sight, for labs and simulations. */
struct security_lab_key {
	char id[KEY_ID_MAX], kind[16];
	uint64_t sha, context;
	char secret[2 * KEY_SECRET_MAX + 1], public[129];
};

struct security_cfg {
	struct security_rule_cfg rule[SECURITY_RULES_MAX];
	size_t n_rules;
	struct security_lab_key lab_key[SECURITY_LAB_KEYS_MAX];
	size_t n_lab_keys;
	bool a3_bare; /* emit the bare form of erratum 9192 */
	bool keep_unverified;
	uint64_t failures_per_s;
	uint64_t max_bytes;   /* payload that is secured or checked at all */
	uint64_t step_bytes;  /* ... of it in one turn of the loop */
	uint64_t max_running; /* units checked in steps at a time */
};

enum security_role { ROLE_SOURCE, ROLE_VERIFIER, ROLE_ACCEPTOR };
enum security_action { ACTION_DROP, ACTION_STRIP, ACTION_KEEP };
enum security_context {
	CONTEXT_DEFAULT, /* of RFC 9173, by the operation */
	CONTEXT_HMAC,
	CONTEXT_GCM,
	CONTEXT_COSE_MAC,
	CONTEXT_COSE_SIGN,
	CONTEXT_COSE_ENCRYPT
};

/* "*", "ipn:2.*", "dtn://node/" + "*", or one EID. */
struct eid_pattern {
	bool any, any_service;
	struct eid eid;
};
/* 0 or -E_SYNTAX, -E_RANGE; the pattern points into text. */
int eid_pattern_parse(const char *text, struct eid_pattern *p) MUST_USE;
bool eid_pattern_has(const struct eid_pattern *p, const struct eid *e);

/* A rule as it is used. */
struct security_rule {
	const struct security_rule_cfg *cfg;
	struct eid_pattern source, destination;
	enum security_role role;
	uint64_t block; /* type; 0 for the primary block */
	bool is_integrity;
	enum security_context context; /* never CONTEXT_DEFAULT */
	const struct key *key;
};

/* One rule, checked by itself and against the keys (NULL: not at hand, not looked up). 0 or -E_CONFIG
 * with e->path ("security.rules[2].key") and e->text. */
int security_rule_read(const struct security_cfg *cfg, size_t k, const struct keyring *keys,
	struct security_rule *out, struct schema_error *e) MUST_USE;
/* All rules, and what must hold between them. */
int security_check(const struct security_cfg *cfg, const struct keyring *keys,
	struct schema_error *e) MUST_USE;

/* The lab keys as a ring. 0, or negative with e filled. */
int security_lab_ring(
	const struct security_cfg *cfg, struct keyring **out, struct schema_error *e) MUST_USE;

extern const struct schema_row security_rows[];

#endif
