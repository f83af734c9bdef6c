/*
 * custodian: custody pairs, ours and others', and what is known of another custodian: profile, where
 * its numbers come from, key, counts. What custody.c, custodian.c and signal.c do for the other files
 * of the agent.
 */
#ifndef OWLT_AGENT_CUSTODIAN_H
#define OWLT_AGENT_CUSTODIAN_H

#include "bundle/base/hash.h"
#include "bundle/bundle.h"
#include "bundle/events.h"
#include "dtn/agent/config.h"
#include "dtn/agent/kept.h"
#include "dtn/agent/record.h"

struct agent;
struct agent_sent;
struct arrival;
struct bundle_entry;
struct known;

/* A custody pair of another custodian. */
struct pair {
	struct kept_eid custodian;
	uint64_t seq_id, seq_no;
	struct kept_eid dest; /* where seq_id == 0 */
	uint8_t profile;      /* it came in: the answer goes out in it */
	node_id via;          /* the neighbour that brought it */
	uint64_t about;       /* digest of the bundle that came under it */
};

/* One of ours. */
struct own_pair {
	uint64_t seq_id, seq_no;
	uint64_t dest_scheme, dest_service; /* where seq_id == 0 */
	node_id dest_node;
};

/* Another custodian, as far as settings and links name it; row 0 stands for all others. */
struct custodian {
	struct hash_node by_node;
	node_id node;
	uint16_t neighbour;        /* where its links are; NO_NEIGHBOUR: it has none */
	uint8_t profile, sequence; /* enum custody_profile; never SEQUENCE_DEFAULT */
	bool accept, passes;
	const struct key *key; /* NULL: its signals can't be authenticated */
	uint64_t n_taken;      /* custody pairs of it that we accepted */
	uint64_t n_signals_tx, n_signals_rx;
	uint64_t n_not_believed;     /* signals without, or with a wrong, signature */
	uint32_t declined[WHY_LAST]; /* custody not taken, by local reason */
};

/* Patterns of a setting; none: everybody. */
struct custody_list {
	struct eid_pattern pattern[CUSTODY_PATTERNS_MAX];
	size_t n;
};

/* -- custodian.c */
int custodian_init(struct agent *a) MUST_USE;
void custodian_fini(struct agent *a);
/* A row of its own for what a link or a tunnel leads to. */
struct custodian *custodian_add(struct agent *a, node_id node);
/* Never NULL. */
struct custodian *custodian_find(const struct agent *a, node_id node);
/* The row of custody.neighbours[k]. */
struct custodian *custodian_of(const struct agent *a, size_t k);
/* What arrived has a BIB over this block (0: the primary block) that is right with this key. */
#define SIGNED_PRIMARY 1u
#define SIGNED_PAYLOAD 2u
#define SIGNED_ALL 3u
void custodian_signed(
	const struct agent *a, struct arrival *in, const struct key *key, uint64_t block);

/* -- custody.c */
/* Does policy let us take custody of what arrived? Then *p is its pair. WHY_NONE, or why not:
 * WHY_OTHER where it asks for none. */
enum why custody_accepts(const struct agent *a, const struct arrival *in, struct pair *p);
/* Custody was asked for and is not taken; _refuse: and its custodian is told. */
void custody_declined(struct agent *a, mono now, const struct pair *p, enum why why);
void custody_refuse(struct agent *a, mono now, const struct pair *p, uint64_t id, enum why why);
/* We take custody of r: a pair of ours by the default sequence, or none yet (it comes with the
 * transmission). *seq: the batch that must be durable before the number is used, 0: it is. */
int custody_begin(struct agent *a, struct record *r, uint64_t *seq) MUST_USE;
/* The largest number: custody.counter_bits. */
uint64_t custody_number_max(const struct agent *a);
/* The pair as it is in a record; false: none yet. */
bool custody_own(const struct record *r, struct own_pair *p);
/* It is about to leave for its neighbour: gives it a pair as that wants it, where it has none.
 * -E_AGAIN: after the next commit. */
int custody_bind(struct agent *a, mono now, struct bundle_entry *e, struct record *r) MUST_USE;
void custody_sent(struct agent *a, mono now, struct bundle_entry *e, const struct agent_sent *s);
void custody_due(struct agent *a, mono now, struct bundle_entry *e);
void custody_answer(struct agent *a, mono now, struct bundle_entry *e, bool accepted, node_id by);
/* `last` has refused it: another way, or again after the interval. */
void custody_elsewhere(struct agent *a, mono now, struct bundle_entry *e, node_id last);
/* When a signal of `far` about what is `there` at that time can be here; sent: when it left. */
mono custody_expected(const struct agent *a, node_id far, mono there, mono sent);
struct known *custody_remember(struct agent *a, const struct pair *p, uint64_t id, mono expiry);
bool custody_requested(const struct agent *a, const struct eid *dest);

/* -- signal.c */
int signal_init(struct agent *a) MUST_USE;
void signal_add(struct agent *a, mono now, const struct pair *p, bool accepted, uint64_t id);
bool signal_receive(struct agent *a, mono now, uint64_t id, const struct arrival *in);
/* Why a signal of this custodian is not believed, or WHY_NONE. */
enum why signal_doubt(const struct arrival *in, const struct custodian *c);

#endif
