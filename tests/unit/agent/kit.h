/*
 * kit: agents with memory stores and a wire of function calls, for the tests of this folder. Time
 * is a number that the test sets; nothing runs by itself.
 */
#ifndef OWLT_TESTS_UNIT_AGENT_KIT_H
#define OWLT_TESTS_UNIT_AGENT_KIT_H

#include "bundle/events.h"
#include "dtn/agent/agent.h"

#define KIT_DTN UINT64_C(820000000000)
#define HOUR_MS UINT64_C(3600000)
#define SEC US_PER_S

/* One node: ipn:N.0. */
struct side {
	node_id node;
	struct agent_cfg cfg;
	struct store_limits limits;
	struct store *store;
	struct route *route;
	struct trace trace;
	struct agent *agent;
	mono now;
	bool no_clock;
	int64_t clock_ms; /* the system's clock at the start is wrong by so much */
	uint64_t heard;   /* events of agent_event() since the start, by type, eight bits each */
	uint64_t last_id, last_request;
	bool redelivered;
	int last_err;
};

/* A whole bundle on the wire. */
struct flight {
	uint8_t bytes[4096];
	size_t n;
	uint64_t id;
};

struct agent_cfg kit_cfg(void);
/* Neighbours are reached directly, all others through `via` (NODE_NONE: no route). */
void side_init(struct side *s, node_id node, const node_id *neighbours, size_t n, node_id via);
void side_start(struct side *s, const node_id *neighbours, size_t n);
void side_fini(struct side *s);
/* The process dies and starts again. */
void side_crash(struct side *s, bool running_survives, const node_id *neighbours, size_t n);
/* A batch, whole; err != 0: it fails. */
void side_commit(struct side *s, int err);
/* Takes all events of the agent. */
void side_listen(struct side *s);
void side_at(struct side *s, mono now);

int side_send(struct side *s, node_id to, uint64_t service, uint64_t lifetime_ms, bool custody);
/* All that is not kept for signals is taken by bundles for `to`: made here, then some that have come far. */
void side_fill(struct side *s, node_id to, bool commits);
uint32_t side_register(struct side *s, uint64_t service, uint64_t credit);
/* The next bundle for a neighbour; false when none. It counts as sent. */
bool side_out(struct side *s, node_id to, struct flight *f);
/* The same in two: the link has it, and later tells that it was sent. */
bool side_give(struct side *s, node_id to, struct flight *f);
void side_sent(struct side *s, const struct flight *f);
void side_in(struct side *s, node_id from, const struct flight *f);
/* All that is queued for the other, delivered. How many. */
unsigned side_pass(struct side *from, struct side *to);
/* A custody signal of anybody's for `to`: one sequence [first, first + n). */
void signal_make(struct flight *f, node_id from, node_id to, bool accepted, uint64_t seq_id,
	const uint64_t first_n[2]);
/* The store finds that the bytes of this bundle are damaged: spoil.c. */
void store_spoil(struct store *st, uint64_t id);
uint64_t count(const struct side *s, enum trace_ev ev);
unsigned heard(const struct side *s, enum agent_ev type);
struct agent_stats stats(const struct side *s);

#endif
