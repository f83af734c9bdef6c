/*
 * gather: numbers of bundles that are told to another node together, as runs of numbers: custody
 * signals (signal.c) and compressed status reports. A list for each (addressee, block source, form)
 * is sent when it has as many items as custody.signal_count, custody.signal_delay after its first,
 * before the contact to the addressee closes, and when the node drains. What the store can't take
 * waits for the next commit.
 */
#ifndef OWLT_AGENT_GATHER_H
#define OWLT_AGENT_GATHER_H

#include "bundle/base/ranges.h"
#include "bundle/base/time.h"
#include "dtn/agent/kept.h"

#define GATHER_LISTS 32u      /* addressees at a time */
#define GATHER_ITEMS_MAX 256u /* of one list: the largest custody.signal_count */

struct agent;

/* Who is told, and how. */
struct gather_key {
	struct kept_eid to;
	struct kept_eid about; /* block source of the numbers; of signals: `to` itself */
	uint8_t profile;       /* enum custody_profile; where is_single: any number */
	node_id via; /* the neighbour it came by, NODE_NONE: not known; does not part lists */
	mono by;     /* what is added leaves not later; 0: no matter; does not part lists */
};

struct gather_item {
	uint8_t kind; /* what is said; sequences come in order of it */
	uint64_t seq_id, seq_no;
	uint64_t id;          /* local id of the bundle */
	struct kept_eid dest; /* where seq_id == 0 */
};

/* Numbers of one counter and kind. */
struct gather_sequence {
	uint8_t kind;
	uint64_t seq_id;
	struct eid dest; /* where seq_id == 0; lives as long as the items */
	struct ranges numbers;
};

struct gather_list {
	struct gather_key key;
	bool is_used, is_late; /* late: the store could not take it */
	mono due;
	size_t n;
	struct gather_item *item;
};

/* Sends the first n_items of the list, which are these sequences, as one record. Negative: not now,
 * again after the next commit. */
typedef int gather_send(struct agent *a, mono now, const struct gather_list *l,
	const struct gather_sequence *s, size_t n, size_t n_items);

struct gather {
	gather_send *send;
	size_t cap;     /* items of a list */
	bool is_single; /* one sequence a record */
	struct gather_list list[GATHER_LISTS];
	struct gather_item *items;
};

int gather_init(struct gather *g, gather_send *send, size_t cap) MUST_USE;
void gather_fini(struct gather *g);
/* False: its list is full and can't be sent now, because the store is full. */
bool gather_has_room(
	struct agent *a, mono now, struct gather *g, const struct gather_key *key) MUST_USE;
/* The caller has asked for room. May send. */
void gather_add(struct agent *a, mono now, struct gather *g, const struct gather_key *key,
	const struct gather_item *item);
void gather_flush(struct agent *a, mono now, struct gather *g);
void gather_tick(struct agent *a, mono now, struct gather *g);
/* A batch ended: what found the stage full finds room now. */
void gather_retry(struct agent *a, mono now, struct gather *g);
mono gather_deadline(const struct gather *g);
bool gather_is_pending(const struct gather *g);

#endif
