/*
 * link: the model of one direction of a link, the same for the simulator and the lab's emulator:
 * contact open or closed, serialisation at the contact's rate, light time, loss, bit errors,
 * duplication, reordering, queue limit. Pure: a frame and a time go in, its fate comes out.
 *
 * Invariant, always: in + duplicated = delivered + dropped (by each cause) + in flight.
 */
#ifndef OWLT_PLAN_LINK_H
#define OWLT_PLAN_LINK_H

#include "bundle/base/rng.h"
#include "dtn/plan/plan.h"

enum link_drop {
	LINK_PASSED,  /* not dropped */
	LINK_CLOSED,  /* no contact open */
	LINK_NO_TIME, /* could not end before the contact does */
	LINK_QUEUE,   /* queue limit */
	LINK_LOSS,    /* drawn by the loss model */
	LINK_MTU,     /* larger than the link's MTU */
	LINK_DROPS
};

/* "closed" "no-time" "queue" "loss" "mtu" */
const char *link_drop_name(enum link_drop why);

enum loss_model { LOSS_NONE, LOSS_UNIFORM, LOSS_GILBERT };

struct link_params {
	enum loss_model loss;
	double loss_p; /* uniform: chance that a frame is lost */
	double ge_p, ge_r, ge_good,
		ge_bad;        /* Gilbert-Elliott: good>bad, bad>good, loss in good, in bad */
	double bit_error_rate; /* chance per bit */
	double duplicate_p;
	double reorder_p;
	int64_t reorder_us;   /* extra delay of a reordered frame, up to */
	uint64_t queue_bytes; /* waiting for the transmitter, at most */
	uint64_t mtu_bytes;   /* of the IP packet */
	uint64_t rate_bps;    /* where the plan gives none (always open); 0 = no limit */
	int64_t owlt_us;      /* likewise */
};

struct link_params link_params_default(void);

struct link_counts {
	uint64_t frames_in, bytes_in, frames_out, bytes_out, duplicated, in_flight;
	uint64_t bit_errors; /* frames that were damaged */
	uint64_t dropped[LINK_DROPS];
};

struct link_dir {
	const struct plan *plan; /* NULL: always open with params.rate_bps and owlt_us */
	node_id from, to;
	struct link_params params;
	struct rng rng;
	mono busy_until;               /* the transmitter */
	uint64_t busy_part, busy_rate; /* how much earlier it ended, in 1/busy_rate us */
	bool ge_is_bad;
	struct link_counts counts;
};

/* What happens to one frame. */
struct link_fate {
	enum link_drop drop;
	unsigned n; /* copies that arrive: 0, 1, 2 */
	mono deliver_at[2];
	mono tx_end;      /* when the last bit has left */
	unsigned n_flips; /* bits to flip in the first copy, at most 8 kept */
	uint32_t flip[8]; /* bit positions in the frame */
};

void link_init(struct link_dir *l, const struct plan *plan, node_id from, node_id to,
	const struct link_params *params, uint64_t seed, uint64_t id);
/* A frame of n bytes as captured (Ethernet header included) leaves the node at `now`. */
void link_send(struct link_dir *l, mono now, size_t n, struct link_fate *fate);
/* A copy arrived (its deliver_at has come and it was handed over). */
void link_arrived(struct link_dir *l, size_t n);
/* True as long as the invariant holds. */
bool link_balanced(const struct link_dir *l);

#endif
