/*
 * bpsec: the security of bundles as this node's policy wants it: what bpsec.c (arrivals) and protect.c
 * (bundles made here) share. The cryptography is bundle/bpsec.h, the rules are policy.h.
 */
#ifndef OWLT_AGENT_BPSEC_H
#define OWLT_AGENT_BPSEC_H

#include "bundle/bpsec.h"
#include "dtn/agent/state.h"

#define CONTENT_KEY_MAX 64
#define USES_MAX (UINT64_C(1) << 32) /* encryptions with one key, RFC 9173 4.6 */

#define ROOM_ARRIVED 0u
#define ROOM_MADE 2u
#define ROOMS 4u
/* Beside the rules of the settings those of signals: in and out, primary block and payload. */
#define READY_RULES_MAX (SECURITY_RULES_MAX + 4 * CUSTODY_NEIGHBOURS_MAX)
#define READY_KEYS_MAX (SECURITY_RULES_MAX + CUSTODY_NEIGHBOURS_MAX)

/* A rule with what it needs at work. */
struct ready_rule {
	struct security_rule is;
	uint8_t content_key
		[CONTENT_KEY_MAX]; /* where the rule's key is a KEK: new at every start */
	size_t n_content_key;
	enum crypto_alg content_alg;
	uint64_t n_used;
	bool is_signal; /* of custody.neighbours[].key: for administrative records alone */
};

struct security {
	struct ready_rule rule[READY_RULES_MAX];
	size_t n_rules, n_in, n_out; /* all; verifiers and acceptors; sources */
	struct keyring *ring;        /* the keys that rules name */
	struct bpsec *worker;
	struct bucket failures[READY_KEYS_MAX]; /* by key->number */
	uint8_t salt[READY_KEYS_MAX][4];        /* of IVs, by key->number */
	/* A bundle is rewritten from one room of a pair to the other. Two pairs, because what arrived
	 * stands in one of them while a report or an answer about it is made. NULL: no rule needs it. */
	uint8_t *room[ROOMS];
	size_t cap;
};

/* Has it security blocks? */
bool security_is_secured(const struct bundle *b);
/* The room of a pair that `b` does not lie in. */
struct buf security_room(const struct security *s, const struct bundle *b, unsigned pair);
/* Context number of a rule's context. */
int64_t security_context_number(const struct security_rule *r);

#endif
