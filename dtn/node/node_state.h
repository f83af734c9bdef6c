/*
 * node_state: what node.c and links.c share: the node's one struct. Nothing outside this folder includes it.
 */
#ifndef OWLT_NODE_NODE_STATE_H
#define OWLT_NODE_NODE_STATE_H

#include "bundle/events.h"
#include "dtn/agent/agent.h"
#include "dtn/node/node.h"

/* Heads of one turn; what does not fit waits for the next. */
#define ROOM_BYTES (4 * BUNDLE_HEAD_MAX)

struct node_link {
	struct cl *cl;
	node_id peer;
	unsigned neighbour;
	struct link_cue cue;
	int64_t owlt_us; /* without a plan */
	uint64_t rate_bps;
	struct node_link_stats stats;
};

struct node {
	struct node_deps deps;
	struct store *store;
	struct trace *trace;
	const struct plan *plan;
	struct agent *agent;
	struct route *route;
	struct eid self;
	char id[64];
	struct node_link *link;
	unsigned n_links;
	mono next_edge;
	mono ahead_of;   /* edge for which queues were read ahead */
	struct buf room; /* heads and tails given out in this turn */
	bool is_due_again; /* another turn at once: heads found no room, or the node has just started */
	mono last_now;
	bool is_running, is_drained;
};

/* Makes the layers and tells them how things stand. 0, -E_CONFIG, -ENOMEM. */
int links_new(struct node *n, const struct node_cfg *cfg, mono now) MUST_USE;
void links_free(struct node *n);
/* What each link carried, as events. */
void links_totals(struct node *n);
/* Cues at every edge of the plan that has come. */
void links_tick(struct node *n, mono now);
mono links_deadline(const struct node *n);

#endif
