/*
 * inside: what the files of the simulator share: the world's state, and the calls between its parts
 * (world.c turns, frames.c frames, app.c applications, faults.c crashes, check.c invariants).
 */
#ifndef OWLT_SIM_INSIDE_H
#define OWLT_SIM_INSIDE_H

#include "bundle/base/hash.h"
#include "bundle/base/heap.h"
#include "bundle/base/list.h"
#include "bundle/base/rng.h"
#include "bundle/events.h"
#include "dtn/sim/decide.h"
#include "dtn/sim/world.h"

#include <inttypes.h>

#define SIM_RING 4096      /* trace records of one turn, at least */
#define SIM_RING_SMALL 256 /* in a systematic run: worlds are made anew all the time */
#define SIM_FAULTS_MAX 16  /* kept as text; the rest is counted */
#define SIM_WINDOW 8       /* bundles a receiver has in hand at once */
#define SIM_HEAD_MIN 32    /* payload bytes that name the message */
#define FRAME_CLASSES 9    /* 256 B .. 64 KiB */
#define SIM_PACKET 262144 /* room for one packet: half for the node's headers, half for the whole */

/* Sources of events in the order in which they count at equal time and node. */
enum source { SRC_BATCH, SRC_FAULT, SRC_WAKE, SRC_TURN, SRC_LINK };

enum due_what { DUE_BATCH, DUE_FAULT, DUE_WAKE, DUE_TURN, DUE_FRAME, DUE_SEND, DUE_RECV };

struct due {
	struct heap_node heap;
	enum due_what what;
	unsigned node; /* whose turn it is */
};

/* What names a bundle (without fragments). */
struct ident {
	uint64_t node, service, created_ms, seq;
};

/* -- messages: one attempt of an application to send one bundle */

struct sim_msg {
	struct hash_node by_id;   /* source, creation time, sequence: once accepted */
	struct link_node pending; /* in its node's list until answered */
	uint64_t request;
	unsigned row;
	uint64_t index, n, attempt, size_bytes;
	bool custody, accepted, unknown; /* unknown: its node died before it answered */
	bool kept;                       /* with custody, or by tunnels all the way */
	struct ident ident;
	dtntime expires_ms;
	bool was_stored; /* seen in some store since it was accepted */
	/* its end */
	unsigned n_holders; /* nodes that have it in their committed store */
	unsigned n_handed;
	bool ack_called, acked;
	bool excused;    /* expired, or its loss was told already */
	uint64_t *paths; /* (from << 32 | to) by which it went */
	size_t n_paths, cap_paths;
};

struct sim_row {
	struct due due;
	unsigned index;
	struct topo_traffic t;
	uint64_t n_next; /* of the row's count */
	uint64_t *retry; /* numbers to send again */
	size_t n_retry, cap_retry;
	uint64_t n_attempts;
};

struct sim_ack {
	uint64_t id;
	struct sim_msg *msg; /* NULL: not told by its bytes */
	struct ident ident;
	mono at;
	dtntime expires_ms;
	bool is_orphan; /* sent by an application that is gone: nobody hears that it is durable */
};

struct sim_receiver {
	struct due due;
	unsigned index, node;
	uint64_t service, n_wakes;
	bool wanted, dead;     /* shall be registered; is starting again after its own death */
	uint32_t registration; /* 0: none */
	struct sim_ack ack[SIM_WINDOW];
	unsigned n_acks;
	struct rng rng;
	/* acknowledged, waiting for ACKED */
	struct sim_ack sent[SIM_WINDOW * 4];
	unsigned n_sent;
};

/* -- nodes */

struct held {
	struct hash_node by_id;
	struct link_node all;
	uint64_t id;
	struct ident ident;
	struct sim_msg *msg; /* NULL: not one of ours, or not yet known */
	uint64_t mark;
	bool committed, readable;
};

struct sim_node {
	unsigned index;
	struct node *node; /* NULL: down */
	struct store *store;
	struct trace trace;
	uint64_t trace_seen; /* records that were looked at */
	struct store_batch *batch;
	int batch_err;
	struct due wake, turn, batch_end, fault;
	unsigned n_links;
	unsigned *dir; /* by link: index of the outgoing direction */
	uint64_t boots, clock_back_ms;
	struct rng rng;    /* faults */
	bool armed, fails; /* fails: its next commit does */
	bool is_stopping;  /* in order: what it owes goes out first */
	mono stop_at;      /* ... but not later */
	enum sim_stage stage;
	int64_t armed_down_us;
	struct link_node pending; /* requests without an answer */
	/* what the trace said of signals since the last start */
	int64_t signals_due;
	uint64_t taking,
		taking_begun; /* custody bundles that came and are not yet answered; so of the batch */
	/* committed store as last seen */
	struct hash_table held;
	struct link_node all_held;
	uint64_t mark;
	bool look;              /* something may have changed */
	struct hash_table seen; /* trace: local id -> identity */
	/* decide.c: did anything of custody happen in this turn; what is staged, being written is about */
	uint64_t decide_seen; /* trace records that were looked at */
	bool has_acted;
	uint32_t staging, writing;
	uint64_t numbers; /* ends of its reserved numbers, added up */
};

struct frame {
	struct due due;
	unsigned dir;
	uint32_t n, class, captured;
	bool header_damaged, is_extra; /* extra: a copy the link model does not know of */
	uint64_t number;               /* of its direction */
	unsigned late;                 /* so many frames of its direction still go before it */
	struct frame *next;
	uint8_t bytes[];
};

struct sim_dir {
	struct link_dir link;
	unsigned to, to_link; /* where it ends: node and that node's link */
	uint64_t n_frames;
	bool cut;
	unsigned lose;
	struct frame *newest, *late; /* put into flight last; held back until others went */
};

struct sim {
	struct sim_cfg cfg;
	mono now;
	struct heap due;
	struct sim_node *node;
	size_t n_nodes;
	struct sim_dir *dir; /* 2 * link + (b to a) */
	size_t n_dirs;
	struct frame *free_frame[FRAME_CLASSES];
	uint64_t in_flight;
	uint8_t *packet; /* room for one packet */
	unsigned last;   /* node of the last step */
	uint64_t turns_at_now;
	/* applications */
	struct sim_row **row;
	size_t n_rows;
	struct sim_receiver **receiver;
	size_t n_receivers;
	struct sim_msg **msg;
	size_t n_msgs, cap_msgs;
	struct hash_table by_id;
	bool holder_gone; /* some message lost its last holder in this look */
	/* custody pairs on the wire, in the order of their first frames: wire.c */
	struct wire_pair *pair;
	size_t n_pairs, cap_pairs;
	struct wire_ack *ack;
	size_t n_acks;
	/* invariants */
	struct sim_fault fault[SIM_FAULTS_MAX];
	unsigned n_faults, told;
	struct sim_counts counts;
};

/* world.c */
void due_init(struct due *d, enum due_what what, unsigned node);
/* Puts an event at a time (not before now), moving it if it is there. */
void due_set(struct sim *s, struct due *d, mono at, unsigned source, uint64_t number);
void due_clear(struct sim *s, struct due *d);
int sim_node_start(struct sim *s, struct sim_node *n) MUST_USE;
void sim_node_die(struct sim *s, struct sim_node *n, bool survives);

/* frames.c */
/* A packet of n bytes, `captured` with its headers, leaves by a direction; how: what befalls it. */
void frames_send(
	struct sim *s, unsigned dir, struct view bytes, size_t captured, enum sim_option how);
void frames_arrive(struct sim *s, struct frame *f);
void frames_fini(struct sim *s);

/* app.c */
int app_init(struct sim *s) MUST_USE;
void app_fini(struct sim *s);
void app_due(struct sim *s, struct due *d);
/* Events of a node, after its output. */
void app_take(struct sim *s, struct sim_node *n);
void app_node_up(struct sim *s, struct sim_node *n);
void app_look(struct sim *s, struct sim_node *n);
void app_node_down(struct sim *s, struct sim_node *n);

/* faults.c */
void faults_init(struct sim *s, struct sim_node *n);
void faults_due(struct sim *s, struct sim_node *n);
void faults_clock(struct sim *s, struct sim_node *n);
/* The node gets to a point of its turn. True: it died there. */
bool faults_at(struct sim *s, struct sim_node *n, enum sim_stage stage);
/* How long the commit that was begun takes, and how it ends (*err: stays, or gets an error). */
int64_t faults_commit(struct sim *s, struct sim_node *n, int *err);

/* decide.c; nothing of it does anything in a run without script. about: bits of enum sim_about, beside
 * what the trace tells. */
/* True: the process died there. */
bool decide_point(struct sim *s, struct sim_node *n, enum sim_point point, uint32_t about);
/* Stops in order begin and end here. True: it is down. */
bool decide_turn_ends(struct sim *s, struct sim_node *n);
void decide_forget(struct sim_node *n);
void decide_started(struct sim_node *n);
enum sim_option decide_frame(struct sim *s, unsigned from, uint32_t about);
int64_t decide_commit(struct sim *s, struct sim_node *n, int *err);
/* Its store is closed, and somebody has noticed. */
void decide_restart(struct sim *s, struct sim_node *n);
bool decide_app_dies(struct sim *s, struct sim_node *n);

/* wire.c */
/* A frame as judged; about 0: no custody, or no script. Lives as long as the frame's bytes. */
struct wire_frame {
	struct bundle b;
	struct custody_codes codes; /* of a signal */
	uint32_t about;
};
void wire_read(const struct sim *s, struct view bytes, struct wire_frame *w);
void wire_sent(struct sim *s, struct sim_node *n, const struct wire_frame *w);
void wire_arrived(struct sim *s, struct sim_node *n, const struct wire_frame *w);
void wire_look(struct sim *s, struct sim_node *n);
void wire_started(struct sim *s, struct sim_node *n);
void wire_accepted(struct sim *s, struct sim_node *n, const struct sim_msg *m);
/* id: of the bundle that was acknowledged, there. */
void wire_acked(struct sim *s, struct sim_node *n, const struct sim_msg *m, uint64_t id);
void wire_ack_asked(
	struct sim *s, const struct sim_node *n, const struct ident *ident, uint64_t id);
void wire_fini(struct sim *s);

/* check.c */
__attribute__((format(printf, 2, 3))) void check_fail(struct sim *s, const char *text, ...);
void check_node_init(struct sim_node *n);
void check_node_fini(struct sim_node *n);
void check_trace(struct sim *s, struct sim_node *n);
void check_step(struct sim *s, struct sim_node *n);
struct sim_msg *check_find(struct sim *s, const struct ident *id);
/* A message is now known by its identity. */
void check_name(struct sim *s, struct sim_msg *m);
/* A node's store was looked at again. */
void check_look(struct sim *s, struct sim_node *n);
struct held *check_held(struct sim_node *n, uint64_t id);
bool check_owed(const struct sim *s, const struct sim_msg *m);
int check_ident(struct view head, struct ident *id, dtntime *expires_ms) MUST_USE;

#endif
