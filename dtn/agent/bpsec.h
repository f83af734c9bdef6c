/*
 * bpsec: the security of bundles as this node's policy wants it: what bpsec.c (arrivals), ready.c (start), unit.c and
 * steps.c (what came in fragments) and protect.c (bundles made here) share. The cryptography is
 * bundle/bpsec.h, the rules are policy.h.
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
#define STEP_CHUNK 65536u /* bytes that are fed at a time; every room has as much */

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

struct running; /* steps.c */

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
	size_t cap[ROOMS];
	uint64_t at_once;         /* payload that is worked on in one go */
	struct sealing *sealing;  /* protect.c: for bundles that are sent at once */
	struct running *running;  /* max_running of them */
	unsigned n_running, next; /* next: that is looked at first */
	/* What is left of this turn's step; is it the checks' alone; was anybody refused for want of
	 * it, in the last turn and in this one? */
	uint64_t budget;
	mono now; /* of the last turn */
	bool is_owed, was_pressed, is_pressed;
};

/* A bundle under examination, operation by operation. */
struct check {
	struct agent *a;
	struct bpsec *worker;
	mono now;
	struct arrival *in;
	struct bundle *b;
	/* BUNDLE_HEAD_MAX bytes that b was read from while its payload is in the store, with which
	 * operations are done in steps; NULL: all of b is in memory. */
	uint8_t *head;
	struct ready_rule *rule[READY_RULES_MAX]; /* that concern it, in their order */
	size_t n_rules;
	struct { /* operations that were dealt with */
		uint64_t type, number;
	} done[BPSEC_OPS_MAX];
	unsigned n_done;
	/* the operation in work: the rule that is tried, what those before it made of it */
	struct bpsec_op op;
	size_t at;
	const struct ready_rule *unknown, *failed;
	int err;
	bool is_at_work, is_limited, has_opened;
	bool wants_payload; /* the worker has begun with it */
};

/* -- bpsec.c */
/* Has it security blocks? */
bool security_is_secured(const struct bundle *b);
/* The rules that concern c->b; false: none does. */
bool security_rules(struct check *c);
/* Examines until the end, or until c->wants_payload. Not REASON_NONE: to be deleted. */
enum reason security_begin(struct check *c);
/* The payload was fed: what bpsec_end() said, and what came out of decryption. As security_begin(). */
enum reason security_fed(struct check *c, int err, uint64_t plain_bytes);

/* -- ready.c */
/* The room of a pair that `b` does not lie in. */
struct buf security_room(const struct security *s, const struct bundle *b, unsigned pair);
/* Context number of a rule's context. */
int64_t security_context_number(const struct security_rule *r);

/* -- unit.c */
/* The head of the bundle as its source cut it; its payload block without a CRC. */
int unit_head(struct agent *a, const struct bundle_entry *first, struct buf *head) MUST_USE;
/* What is known of it beside its bytes; uid, party and size are the caller's. */
struct arrival unit_arrival(
	const struct agent *a, const struct bundle_entry *first, const struct bundle *b);

/* -- steps.c */
int steps_init(struct agent *a) MUST_USE;
void steps_fini(struct agent *a);
/* Begins the check of a unit. */
enum unit_end steps_begin(
	struct agent *a, mono now, struct bundle_entry *first, enum reason *reason) MUST_USE;

/* -- protect.c */
int protect_init(struct agent *a) MUST_USE;
void protect_fini(struct agent *a);

#endif
