/*
 * transmission: bundles in custodial tunnels (owlt-bibe(7)). A transmission is one encapsulation of one
 * bundle, or piece, under a number that never comes again; its sender keeps what was inside until the far
 * end answers for that number, and the far end answers when it is durable there. What transmission.c
 * (sender) and answer.c (receiver) do for the other files of the agent.
 */
#ifndef OWLT_AGENT_TRANSMISSION_H
#define OWLT_AGENT_TRANSMISSION_H

#include "bundle/base/hash.h"
#include "bundle/base/heap.h"
#include "bundle/base/pool.h"
#include "bundle/bibe.h"
#include "bundle/events.h"
#include "dtn/agent/gather.h"
#include "dtn/agent/kept.h"

struct agent;
struct agent_sent;
struct arrival;
struct bundle_entry;
struct promise;

/* -- transmission.c: what waits for answers */

struct transmission {
	struct hash_node by_id, by_bundle, by_outer;
	struct heap_node timer; /* when it has failed; tie = id */
	uint64_t id, bundle;    /* bundle: or piece, inside */
	uint64_t outer;         /* the bundle around */
	uint64_t bytes;         /* of what is inside */
	mono expiry;            /* ... when it ends */
	mono due;               /* an answer is expected before */
	uint16_t tunnel;
	bool is_durable, has_left; /* the bundle around */
};
struct transmissions {
	struct pool pool;
	struct hash_table by_id, by_bundle, by_outer;
	struct heap timers;
};

int transmission_init(struct agent *a) MUST_USE;
void transmission_fini(struct agent *a);
/* May one more wait for an answer through this tunnel? */
bool transmission_room(const struct agent *a, unsigned tunnel);
/* Is there room here for a bundle around another of so many bytes, which stays till then? */
bool transmission_fits(const struct agent *a, uint64_t bytes);
/* A number, and when its sender gives up, as the record says it. *seq: the batch that must be durable before
 * the number is used, 0: it is. */
int transmission_number(
	struct agent *a, mono now, unsigned tunnel, struct bpdu *p, uint64_t *seq) MUST_USE;
/* It is on its way: tunnel, id, bundle, outer, bytes and expiry are there. The caller has asked for room. */
void transmission_add(struct agent *a, const struct transmission *new);
/* The commit of the bundle around: err is its result. */
void transmission_settled(struct agent *a, mono now, const struct promise *p, int err);
/* The bundle around has left towards `next`, where it is at `there`. */
void transmission_left(struct agent *a, mono now, uint64_t outer, node_id next, mono there);
/* An answer will release this bundle no more. True: one was awaited. */
bool transmission_forget(struct agent *a, const struct bundle_entry *e);
/* A signal for this node; false: it is none. */
bool transmission_receive(struct agent *a, mono now, uint64_t id, const struct arrival *in);
void transmission_tick(struct agent *a, mono now);
mono transmission_deadline(const struct agent *a);

/* -- answer.c: what is answered */

/* A transmission that came in; or a bundle in custody with another one inside. */
struct received {
	struct kept_eid from;
	uint64_t id;     /* 0: no answer is asked for; is_custody: one more than its number */
	uint64_t seq_id; /* is_custody */
	mono by;         /* an answer that leaves later is of no use; 0: not known */
	node_id via;     /* the neighbour that brought it */
	uint8_t record;  /* is_custody: its profile */
	bool is_custody;
};

int answer_init(struct agent *a) MUST_USE;
/* Who is to be answered for the record p in the bundle *in. */
struct received answer_to(
	const struct agent *a, mono now, const struct arrival *in, const struct bpdu *p);
/* The custodian of *in, which takes_custody, for the bundle inside. */
struct received answer_custody(const struct arrival *in);
/* It is told what became of the bundle inside; id: that bundle here, 0: not taken in. */
void answer_add(struct agent *a, mono now, const struct received *x, uint64_t id,
	enum bibe_disposition what);
/* It was not taken, because of this. */
void answer_refused(struct agent *a, mono now, const struct arrival *in, enum why why);
/* It is answered when this batch is durable; id: the bundle, stored, or done with (ID_PASSING). */
void answer_promise(struct agent *a, const struct arrival *in, uint64_t seq, uint64_t id);
/* That batch is. */
void answer_kept(struct agent *a, mono now, const struct promise *p);

#endif
