/*
 * bibe: bundles in bundles (draft-ietf-dtn-bibect, owlt-bibe(7)): its settings, and what bibe.c does for
 * the other files of the agent.
 */
#ifndef OWLT_AGENT_BIBE_H
#define OWLT_AGENT_BIBE_H

#include "bundle/base/schema.h"
#include "bundle/base/time.h"
#include "bundle/bibe.h"
#include "dtn/agent/policy.h"
#include "dtn/agent/transmission.h"

#define BIBE_TUNNELS_MAX 8
#define BIBE_PATTERNS_MAX 8
#define BIBE_PEERS_MAX 32
#define BIBE_DEPTH_MAX 4 /* encapsulations in each other; each costs stack and a buffer */

struct bibe_pattern {
	char text[64];
};
/* Bundles for these destinations travel inside bundles to another node. */
struct bibe_tunnel_cfg {
	char to[64];
	struct bibe_pattern match[BIBE_PATTERNS_MAX];
	size_t n_match;
	unsigned record; /* which type is written: bibe_record_words */
	bool custody;    /* bundles stay here until the far end has answered */
	bool fallback;   /* ... and what it did not take may go another way, without that */
};
struct bibe_cfg {
	struct bibe_tunnel_cfg tunnel[BIBE_TUNNELS_MAX];
	size_t n_tunnels;
	struct bibe_pattern peer[BIBE_PEERS_MAX];
	size_t n_peers;
	uint64_t max_bytes;      /* of a bundle inside */
	uint64_t max_depth;      /* encapsulations in each other that are taken apart */
	uint64_t max_unanswered; /* transmissions of one custodial tunnel */
};
extern const struct schema_row bibe_rows[];

struct agent;
struct arrival;
struct bundle_entry;
struct promise;

struct bibe_tunnel {
	struct eid to; /* text in the settings */
	struct eid_pattern match[BIBE_PATTERNS_MAX];
	size_t n_match;
	uint64_t record;
	unsigned neighbour; /* the row that stands for the far end, with a queue like a link's */
	bool custody, fallback;
	uint64_t n_sent, n_waiting, n_answered, n_refused, n_late; /* transmissions */
};
/* As status shows it. */
struct tunnel_stats {
	node_id to;
	uint64_t record;
	bool custody, fallback, authenticated;
	uint64_t n_queued, n_sent, n_waiting, n_answered, n_refused, n_late;
};
struct bibe {
	struct bibe_tunnel tunnel[BIBE_TUNNELS_MAX];
	size_t n_tunnels, first; /* first: the turn's, counted up */
	struct eid_pattern peer[BIBE_PEERS_MAX];
	size_t n_peers;
	uint8_t *room;                   /* heads on their way out */
	uint8_t *inside[BIBE_DEPTH_MAX]; /* max_bytes each: a bundle that is being taken out */
	mono due;                        /* when the queues are looked at again */
	struct transmissions sent;       /* wait for answers */
	struct gather answers;           /* that are owed; a list for each peer and record type */
};

int bibe_init(struct agent *a) MUST_USE;
void bibe_fini(struct agent *a);
/* Is the bundle one for a tunnel? Then *neighbour is the row of that, or NO_NEIGHBOUR: it waits for one. */
bool bibe_way(
	const struct agent *a, const struct bundle_entry *e, node_id not_to, unsigned *neighbour);
/* Does any tunnel take bundles for it? */
bool bibe_reaches(const struct agent *a, const struct eid *dest);
/* Sends what is queued for tunnels, so many a turn. */
void bibe_output(struct agent *a, mono now);
/* The commit of the bundle around: err is its result. */
void bibe_settled(struct agent *a, mono now, const struct promise *p, int err);
mono bibe_deadline(const struct agent *a);
/* A record with a bundle inside, for this node. True: nobody waits for an answer about that by itself, so it is
 * also what is answered about the record. */
bool bibe_receive(
	struct agent *a, mono now, uint64_t id, const struct arrival *in, const struct bpdu *p);

#endif
