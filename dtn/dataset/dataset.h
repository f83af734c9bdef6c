/*
 * dataset: frames and event lines of one run in, table rows out (docs: owlt-dataset(5)). No I/O.
 *
 *   dataset_new, dataset_frame... and dataset_line... in any order, dataset_join, then rows.
 *
 * What was seen becomes observations (a bundle left one node for another, or came in); the join pairs
 * them into hop attempts. Where a capture exists, it decides which attempts there were, and the logs
 * only add columns; without one the logs decide. Times are nanoseconds of lab time counted from 1970.
 */
#ifndef OWLT_DATASET_DATASET_H
#define OWLT_DATASET_DATASET_H

#include "bundle/base/hash.h"
#include "dtn/dataset/frame.h"
#include "dtn/dataset/line.h"
#include "dtn/dataset/pcapng.h"
#include "dtn/plan/topo.h"

#define DATASET_SCHEMA_VERSION 1u
#define DATASET_WORD_MAX 24
#define DATASET_RUN_ID_MAX 64
#define NO_TIME INT64_MIN
#define NO_INDEX UINT32_MAX

/* Memory is bounded by these: about 240 B a bundle, 150 B an observation, 310 B a local id: below 3 GB in all. */
struct dataset_limits {
	size_t bundles, observations, local_ids, marks;
};

struct dataset_limits dataset_limits_default(void);

/* One bundle, by its identity. */
struct ds_bundle {
	struct hash_node in_table;
	uint32_t index;
	node_id src_node, dst_node;
	uint64_t src_service, dst_service, created_ms, seq, frag_off, frag_len;
	bool is_fragment, has_dst, has_shape, has_class, in_capture, bpsec, is_sent_custody;
	char *src_text, *dst_text; /* of dtn endpoints; NULL: printed from the numbers */
	uint64_t size_bytes, payload_bytes, lifetime_ms, crc_type, priority;
	int64_t t_sourced, t_app; /* log: given by and to an application */
	char end_reason[DATASET_WORD_MAX];
	/* the join */
	uint32_t first_hop, n_hops, n_rx, n_receivers;
	int64_t t_delivered;
};

/* A copy is a frame that the network duplicated; it is an arrival, never the hop's own. */
enum ds_kind { DS_FRAME_TX, DS_FRAME_RX, DS_FRAME_COPY, DS_LOG_TX, DS_LOG_RX };

/* A bundle on its way from sender to receiver, seen at one end. */
struct ds_obs {
	uint32_t bundle;
	uint32_t link; /* topology index, NO_INDEX */
	node_id sender, receiver;
	enum ds_kind kind;
	int64_t t;
	char drop[DATASET_WORD_MAX];     /* a frame's reason to be dropped */
	uint64_t frame;                  /* number in the capture */
	uint32_t frame_bytes, hop_count; /* hop_count NO_INDEX: not told */
	bool custody;
	/* log, of the sender */
	int64_t t_enqueue, t_tx_end, planned_arrival, clock_err_ms;
	uint32_t n_queued; /* NO_INDEX: not told */
};

/* One hop attempt: what left, what of it came in, what the sender's log says. */
struct ds_hop {
	uint32_t tx, rx, log; /* observations; rx and log may be NO_INDEX */
	uint32_t attempt_no;  /* from 1 */
	uint32_t contact;     /* plan index, 0 = none */
};

/* Something to draw that is no hop. */
enum ds_mark_kind { DS_MARK_START, DS_MARK_CRASH, DS_MARK_RESTART, DS_MARK_RETX, DS_MARK_APP };

struct ds_mark {
	enum ds_mark_kind kind;
	node_id node;
	uint32_t bundle; /* NO_INDEX: none */
	int64_t t;
};

/* What the sender's log says of a planned contact. */
struct ds_contact {
	int64_t t_up, t_down;
	uint32_t n_queued; /* when it closed; NO_INDEX: not told */
};

/* Frames of one direction of a link, as captured. */
struct ds_direction {
	uint64_t frames_tx, frames_rx, frames_copied, frames_dropped;
	struct ds_drop {
		char why[DATASET_WORD_MAX];
		uint64_t n;
	} drop[LINK_DROPS + 2];
};

struct dataset {
	const struct topo *topo;
	char run_id[DATASET_RUN_ID_MAX];
	struct bundle_rules rules;
	int64_t base_ns; /* lab time 0 since 1970; NO_TIME until known */
	struct dataset_limits limits;
	struct hash_table bundles, locals;
	struct ds_bundle **bundle;
	size_t n_bundles, cap_bundles;
	struct ds_obs *obs;
	size_t n_obs, cap_obs;
	struct ds_hop *hop; /* by bundle, then time */
	uint32_t *hop_row;  /* by time */
	size_t n_hops;
	uint32_t *bundle_row; /* by creation and source */
	struct ds_mark *mark;
	size_t n_marks, cap_marks;
	struct ds_contact *contact;     /* of the plan, in file order */
	struct ds_direction *direction; /* 2 a link: a to b, b to a */
	int err; /* the first observation that had no room: what comes out would lack it */
	uint64_t frames[FRAME_KINDS], unknown_ifaces, lines, bad_lines, unknown_ids;
	uint64_t log_only, rx_unmatched; /* observations that found no partner */
	bool has_frames, has_log;
	int64_t first_ns, last_ns; /* of everything seen */
	node_id line_node; /* of the line before: its node, time, and whether it was a node_stop */
	int64_t line_ns;
	bool line_was_stop;
};

/* topo is borrowed and must outlive it. base_ms: DTN time of lab time 0, 0 = learn it from the log.
 * 0 or -ENOMEM. */
int dataset_new(struct dataset **out, const struct topo *topo, const char *run_id,
	dtntime base_ms) MUST_USE;
void dataset_free(struct dataset *d);
/* 0 (also for frames that carry no bundle: they are counted), -E_LIMIT, -ENOMEM. */
int dataset_frame(struct dataset *d, const struct pcapng_frame *f) MUST_USE;
/* Likewise; a damaged or unknown line is counted. */
int dataset_line(struct dataset *d, struct view line) MUST_USE;
/* Once, after all input. 0 or -ENOMEM. */
int dataset_join(struct dataset *d) MUST_USE;

/* Hop attempts that a node made over a link, and how many different bundles they carried. */
struct dataset_traffic {
	uint64_t hops, distinct;
};
struct dataset_traffic dataset_traffic(const struct dataset *d, uint32_t link, node_id sender);

/* For this folder: the bundle of an identity, made if new; a new observation. NULL at a limit. */
struct ds_bundle *dataset_bundle(struct dataset *d, const struct ds_bundle *id);
/* ... or NULL if nobody told of it. */
struct ds_bundle *dataset_find(const struct dataset *d, const struct ds_bundle *id);
struct ds_obs *dataset_observe(struct dataset *d, const struct ds_obs *o);
/* Source or destination as EID text; always terminated. */
size_t dataset_print_eid(char *out, size_t cap, const char *text, node_id node, uint64_t service);

#endif
