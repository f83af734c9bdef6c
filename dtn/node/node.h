/*
 * node: one node = agent + store + route + convergence cores + registrations, wired together. It turns
 * the plan into link cues. It has the five verbs; a shell (owltd, the simulator, a test) drives it:
 *
 *   turn:  node_input() for all that arrived; node_stored() if a batch ended; node_tick();
 *          node_output() until nothing is left; node_event() until nothing is left;
 *          store_commit_begin() -> run (elsewhere) -> store_commit_end() -> node_stored();
 *          store_turn(); sleep until node_deadline().
 *
 * The node never reads a clock, opens nothing, and draws randomness only from the seed it was given.
 */
#ifndef OWLT_NODE_NODE_H
#define OWLT_NODE_NODE_H

#include "bundle/base/trace.h"
#include "bundle/bundle.h"
#include "convergence/cl.h"
#include "dtn/agent/config.h"
#include "dtn/plan/plan.h"
#include "dtn/store/store.h"

#define NODE_LINKS_MAX 256
#define NODE_NAME_MAX 32

struct node_link_cfg {
	char name[NODE_NAME_MAX];
	char cl[16];                /* "udp" */
	char peer[64];              /* node id of the neighbour, as EID text */
	char local[64], remote[64]; /* ADDRESS:PORT; for the shell */
	bool any_port;              /* the remote sends from other ports, too; for the shell */
	bool offload;               /* runs of datagrams pass the kernel as one; for the shell */
	struct cl_cfg cl_cfg;
	uint64_t rate_bps; /* without a plan: pacing; 0 = none */
	int64_t owlt_us;   /* without a plan */
	bool border;       /* to another administrative domain, RFC 9758 5.5 */
};

struct node_route_cfg {
	char to[64], next[64]; /* static rows; to "default" = everything else */
};

struct node_cfg {
	char id[64]; /* "ipn:1.0" */
	struct agent_cfg agent;
	struct node_link_cfg link[NODE_LINKS_MAX];
	size_t n_links;
	struct node_route_cfg route[64];
	size_t n_routes;
	bool margin_sabr;
	int64_t clock_offset_ms;
	double clock_drift_ppm;
	bool clock_is_accurate;
};

struct node_deps {
	struct store *store;     /* borrowed; its contents are taken over by node_new */
	const struct plan *plan; /* NULL: every link is always open */
	struct trace *trace;     /* may be NULL */
	uint64_t seed;
	const struct keyring *keys; /* of the security rules, for node_new(); may be NULL */
	uint8_t secret[32];  /* random bytes, never the same again; where no rule encrypts: any */
	dtntime dtn_at_zero; /* true time when mono is 0 */
	mono plan_zero;      /* when the plan's reference is, in mono */
};

struct node;

/* A running node from its configuration, with what the store holds. 0, -E_CONFIG, -ENOMEM, store errors. */
int node_new(const struct node_cfg *cfg, const struct node_deps *deps, mono now,
	struct node **out) MUST_USE;
void node_free(struct node *n);

/* -- the five verbs */

/* A packet arrived on a link. Always taken; what is wrong with it is counted and traced. */
void node_input(struct node *n, mono now, unsigned link, struct view packet);
/* The next packet for a link: parts as views only (slices are resolved), good until store_turn(). */
bool node_output(struct node *n, mono now, unsigned link, struct pkt *p);
/* The shell put it on the wire (err 0) or could not (-errno). */
void node_sent(struct node *n, mono now, unsigned link, uint64_t cookie, int err);
mono node_deadline(const struct node *n);
void node_tick(struct node *n, mono now);
/* After store_commit_end: takes the store's events. */
void node_stored(struct node *n, mono now);

enum node_ev {
	NODE_ACCEPTED, /* a send request is durable */
	NODE_REFUSED,  /* a send request was not taken */
	NODE_DELIVERY, /* a bundle for a registration; answer with node_ack */
	NODE_ACKED,    /* the acknowledgement is durable: delivered for good */
};

struct node_event {
	enum node_ev type;
	uint64_t request;      /* ACCEPTED, REFUSED: number node_send gave */
	uint32_t registration; /* DELIVERY, ACKED */
	uint64_t id;           /* local bundle id */
	int err;               /* REFUSED */
	bool redelivered;      /* DELIVERY: may have been handed over before a restart */
	uint64_t size_bytes;   /* DELIVERY: of the payload; node_read() gives it */
	struct view head;     /* DELIVERY: bundle_read_head() tells all of it; until store_turn() */
	struct slice payload; /* DELIVERY */
	struct eid source;    /* ACCEPTED: identity of the new bundle; ssp until store_turn() */
	dtntime created_ms;
	uint64_t seq;
	uint64_t report_id,
		report_no; /* ACCEPTED: sequence and number in its reporting block; id 0: none */
};
bool node_event(struct node *n, struct node_event *ev);

/* -- requests of applications */

struct node_send {
	struct eid
		source; /* null with `anonymous`, else an endpoint of this node; null = this node's service 0 is never used: a free service is chosen by node_register */
	struct eid dest, report_to;
	uint64_t flags; /* report bits, BUNDLE_NO_FRAGMENT, BUNDLE_STATUS_TIME */
	uint64_t lifetime_ms;
	unsigned priority; /* 0 bulk, 1 standard, 2 expedited */
	bool custody;
	bool compressed;          /* reports in compressed form */
	uint64_t custody_reports; /* with it: CREB_ACCEPTANCE, CREB_REFUSAL */
	enum crc_type crc_type;
	const struct view *payload;
	size_t n_payload;
	uint32_t registration; /* of the application, 0 = none; for the trace */
};
/* 0 and *request (the answer comes as an event), or an error at once: -E_FULL, -E_AGAIN (stage), -E_TOO_BIG, -E_REFUSED. */
int node_send(struct node *n, mono now, const struct node_send *s, uint64_t *request) MUST_USE;
/* A payload that comes in pieces, of `total` bytes (s->payload is ignored): semantics of agent.h. The answer is an
 * event when the last byte is durable. */
int node_send_open(struct node *n, mono now, const struct node_send *s, uint64_t total,
	uint64_t *request) MUST_USE;
int node_send_part(struct node *n, mono now, uint64_t request, struct view *part) MUST_USE;
void node_send_cancel(struct node *n, mono now, uint64_t request);
/* Gives up a bundle that was sent from here, RFC 9171 5.12. -E_NOT_OURS: not of this node; -E_UNKNOWN:
 * nothing of it is here any more. */
int node_cancel(struct node *n, mono now, const struct eid *source, dtntime created_ms,
	uint64_t seq) MUST_USE;

/* An endpoint of this node for an application. service 0 with an ipn eid of this node = choose a free one;
 * *endpoint is filled with the one given. -E_DUPLICATE, -E_NOT_OURS, -E_TAKEN, -E_FULL. Deliveries begin with credit. */
int node_register(struct node *n, mono now, struct eid *endpoint, uint32_t *registration) MUST_USE;
/* More bundles may be handed over: at most `credit` are unacknowledged at any time. */
void node_credit(struct node *n, mono now, uint32_t registration, uint64_t credit);
/* Bytes of a delivered payload until it is acknowledged: semantics of agent.h. */
int node_read(struct node *n, uint32_t registration, uint64_t id, uint64_t offset, uint64_t size,
	struct view *bytes) MUST_USE;
/* The application has it for good. */
int node_ack(struct node *n, mono now, uint32_t registration, uint64_t id) MUST_USE;
/* keep: bundles go on being kept for the endpoint as before; what was handed and not acked is handed again
 * to the next one, marked redelivered. */
void node_unregister(struct node *n, mono now, uint32_t registration);

/* Signals are flushed; nothing new is accepted. True when drained. */
bool node_drain(struct node *n, mono now);

/* -- what there is to see */

struct node_link_stats {
	uint64_t frames_tx, frames_rx, bundles_tx, bundles_rx, bytes_tx, bytes_rx;
	uint64_t keepalives_rx;
	bool tx_open, rx_open;
	mono until;
	uint64_t n_queued;
};
struct node_stats {
	uint64_t n_bundles, n_queued, n_waiting, n_for_apps, n_custody_held, n_custody_sent;
	uint64_t n_unanswered; /* transmissions in custodial tunnels */
	uint64_t n_custody_damaged;
	uint64_t n_tombstones, n_pairs, n_forgotten; /* known as duplicates; and not any more */
	struct store_stats store;
};
void node_stats(const struct node *n, struct node_stats *out);
size_t node_custodians(const struct node *n, struct custodian_stats out[CUSTODIANS_MAX]);
size_t node_tunnels(const struct node *n, struct tunnel_stats out[BIBE_TUNNELS_MAX]);
void node_link_stats(const struct node *n, unsigned link, struct node_link_stats *out);
node_id node_self(const struct node *n);
dtntime node_dtn(const struct node *n, mono now);

/* Walk for status listings: the next stored bundle after *id. */
struct node_bundle {
	uint64_t id;
	struct eid source, dest; /* ssp until store_turn() */
	dtntime created_ms;
	uint64_t seq, size_bytes, lifetime_ms;
	node_id next;      /* queued for, or NODE_NONE */
	const char *state; /* "queued" "waiting" "app" "sent" ... */
	bool custody;
	uint64_t custody_seq_id, custody_seq_no;
};
bool node_next_bundle(const struct node *n, uint64_t *id, struct node_bundle *out);
/* ... that is in our custody. */
bool node_next_held(const struct node *n, uint64_t *id, struct node_bundle *out);

#endif
