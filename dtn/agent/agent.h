/*
 * agent: the bundle protocol agent of one node: RFC 9171 section 5 as code, custody transfer
 * (CCSDS 734.6), registrations, echo, status reports. It holds a small entry per bundle and leaves
 * bytes to the store and ways to the router; it knows neighbours, not links. The node drives it.
 *
 * Order in a turn: agent_receive() ..., agent_stored(), agent_tick(), agent_next() per neighbour,
 * agent_event(). Whatever another party may rely on is said only after the commit it depends on.
 */
#ifndef OWLT_AGENT_AGENT_H
#define OWLT_AGENT_AGENT_H

#include "bundle/base/trace.h"
#include "bundle/bundle.h"
#include "dtn/agent/config.h"
#include "dtn/route/route.h"
#include "dtn/store/store.h"

struct agent;

struct agent_deps {
	struct store *store; /* borrowed */
	struct route *route; /* borrowed; times of the plan */
	struct trace *trace; /* may be NULL */
	uint64_t seed;
	const struct keyring *keys; /* of the security rules: copied; may be NULL */
	uint8_t secret[32];         /* random: content keys and IVs come from it */
	struct eid self;            /* administrative endpoint; ssp is copied */
	dtntime dtn_at_zero;        /* true time when mono is 0 */
	mono plan_zero;             /* the router's time 0, in mono */
	int64_t clock_offset_ms;
	double clock_drift_ppm;
	bool clock_is_accurate;
};

/* An agent with what the store holds; routing begins with agent_changed(). 0, -ENOMEM, -E_CONFIG.
 * */
int agent_new(const struct agent_cfg *cfg, const struct agent_deps *deps, mono now,
	struct agent **out) MUST_USE;
void agent_free(struct agent *a);

/* -- neighbours: a queue each */

/* Index of the neighbour (the same for the same node), or -E_FULL. */
int agent_neighbour(struct agent *a, node_id node) MUST_USE;
/* The neighbour belongs to another administrative domain: bundles that name private-use nodes are
 * neither sent to it nor taken from it (RFC 9758 5.5/2). */
void agent_border(struct agent *a, unsigned neighbour, bool is_border);
/* Light time of what arrives from the neighbour: it counts in a bundle's age (RFC 9171 4.4.2). */
void agent_light(struct agent *a, unsigned neighbour, int64_t owlt_us);
/* A contact to a neighbour opened, or the last one closed; until: its end. Closing routes what is
 * left again. */
void agent_contact(struct agent *a, mono now, unsigned neighbour, bool open, mono until);
/* Something that routes depend on changed: waiting bundles are tried again. */
void agent_changed(struct agent *a, mono now);

/* -- bundles in and out */

/* A whole bundle from a neighbour (NODE_NONE: not known). Always taken or refused with a reason. */
void agent_receive(struct agent *a, mono now, unsigned link, node_id from, struct view bytes);

struct agent_offer {
	/* asked: */
	unsigned neighbour;
	uint64_t max_bytes; /* fits now */
	uint64_t max_ever;  /* the layer can't send more at any time */
	struct buf *room;   /* where head and tail are put; what is written stays there */
	/* answered: */
	uint64_t id;
	struct view head, tail;
	struct slice payload;
	uint64_t size_bytes;
};
/* The next bundle for a neighbour, with its head as it shall leave; it is "sending" until
 * agent_sent(), agent_send_failed() or agent_send_again(). False: none fits, or no room in *room. */
bool agent_next(struct agent *a, mono now, struct agent_offer *o);
/* What is first in a neighbour's queue is brought near: its contact is about to open. */
void agent_ahead(struct agent *a, unsigned neighbour);
/* Is anything queued for the neighbour? */
uint64_t agent_queued(const struct agent *a, unsigned neighbour);

struct agent_sent {
	uint64_t id;
	unsigned link;
	uint64_t frame_bytes;
	mono tx_end;
	int64_t owlt_us; /* light time of the contact */
};
void agent_sent(struct agent *a, mono now, const struct agent_sent *s);
void agent_send_failed(struct agent *a, mono now, uint64_t id);
/* It had no room for it just now: who asks agent_next() again does so when there may be some. */
void agent_send_again(struct agent *a, mono now, uint64_t id);

/* -- time, store, events */

mono agent_deadline(const struct agent *a);
void agent_tick(struct agent *a, mono now);
/* Takes the store's events. */
void agent_stored(struct agent *a, mono now);

enum agent_ev { AGENT_ACCEPTED, AGENT_REFUSED, AGENT_DELIVERY, AGENT_ACKED };
struct agent_event {
	enum agent_ev type;
	uint64_t request, id;
	uint32_t registration;
	int err;
	bool redelivered;
	struct view head;    /* until store_turn() */
	uint64_t size_bytes; /* DELIVERY: of the payload */
	struct slice
		payload; /* DELIVERY: of a bundle that came whole; else empty, see agent_read() */
	struct eid source;
	dtntime created_ms;
	uint64_t seq;
	uint64_t report_id, report_no; /* ACCEPTED: its number in compressed reports; id 0: none */
};
bool agent_event(struct agent *a, mono now, struct agent_event *ev);

/* -- applications; semantics of node.h */

struct agent_send {
	struct eid source, dest, report_to;
	uint64_t flags, lifetime_ms;
	unsigned priority;
	bool custody;
	bool is_signal; /* the agent's own alone: signed where its destination is a custodian with a key */
	bool compressed;          /* reports on it in compressed form: a reporting block is added */
	uint64_t custody_reports; /* with it: CREB_ACCEPTANCE, CREB_REFUSAL */
	enum crc_type crc_type;
	const struct view *payload;
	size_t n_payload;
	uint32_t registration;
};
int agent_send(struct agent *a, mono now, const struct agent_send *s, uint64_t *request) MUST_USE;
/* A payload that comes in pieces: room is promised for `total` bytes, then they come in order
 * (outgoing.c). Above fragment.source_bytes it is stored as fragments while it comes in, else as one
 * bundle. -E_TOO_BIG: more than may be sent, or than may be sent without fragments. */
int agent_send_open(struct agent *a, mono now, const struct agent_send *s, uint64_t total,
	uint64_t *request) MUST_USE;
/* The next bytes; *part is shortened by what was taken. 0: all of it; -E_AGAIN: the rest again
 * after the next commit; other errors end the request, without an event. After the last byte the
 * answer comes as for agent_send(). */
int agent_send_part(struct agent *a, mono now, uint64_t request, struct view *part) MUST_USE;
/* The rest will not come: what is stored of it is deleted. */
void agent_send_cancel(struct agent *a, mono now, uint64_t request);
/* Gives up a transmission of this node, all its fragments that are still here: deleted, reason 3.
 * -E_NOT_OURS: not of this node; -E_UNKNOWN: nothing of it is here any more. */
int agent_cancel(struct agent *a, mono now, const struct eid *source, dtntime created_ms,
	uint64_t seq) MUST_USE;
int agent_register(
	struct agent *a, mono now, struct eid *endpoint, uint32_t *registration) MUST_USE;
void agent_credit(struct agent *a, mono now, uint32_t registration, uint64_t credit);
/* Stored bytes of a handed-over payload from `offset` on, until store_turn(): n of them, or fewer (up
 * to the end of one stored piece); none at its end. -E_UNKNOWN, -E_RANGE, store errors. */
int agent_read(struct agent *a, uint32_t registration, uint64_t id, uint64_t offset, uint64_t n,
	struct view *bytes) MUST_USE;
int agent_ack(struct agent *a, mono now, uint32_t registration, uint64_t id) MUST_USE;
void agent_unregister(struct agent *a, mono now, uint32_t registration);
/* Nothing new is taken; signals are sent. True when nothing is pending any more. */
bool agent_drain(struct agent *a, mono now);

/* -- what there is to see */

struct agent_stats {
	uint64_t n_bundles, n_queued, n_waiting, n_for_apps, n_custody_held, n_custody_sent;
	uint64_t n_unanswered;          /* transmissions in custodial tunnels */
	uint64_t n_tombstones, n_pairs; /* bundles and custody pairs known as duplicates ... */
	uint64_t n_evicted;             /* ... and those forgotten early */
	uint64_t n_registrations;
	uint64_t n_damaged_custody; /* of which the disk has broken our promise */
};
void agent_stats(const struct agent *a, struct agent_stats *out);
/* Other custodians; out has CUSTODIANS_MAX places. How many. Looks at every bundle. */
size_t agent_custodians(const struct agent *a, struct custodian_stats *out);
/* Tunnels; out has BIBE_TUNNELS_MAX places. How many. */
size_t agent_tunnels(const struct agent *a, struct tunnel_stats *out);
/* True time, and the node's own idea of it. */
dtntime agent_dtn(const struct agent *a, mono now);
dtntime agent_clock(const struct agent *a, mono now);

struct agent_bundle {
	struct eid source, dest; /* ssp until store_turn() */
	dtntime created_ms;
	uint64_t seq, size_bytes, lifetime_ms;
	node_id next;
	const char *state;
	bool custody;
	uint64_t custody_seq_id, custody_seq_no;
};
/* The stored bundle after *id, in order of id; _next_held: that is in our custody. */
bool agent_next_bundle(const struct agent *a, uint64_t *id, struct agent_bundle *out);
bool agent_next_held(const struct agent *a, uint64_t *id, struct agent_bundle *out);

#endif
