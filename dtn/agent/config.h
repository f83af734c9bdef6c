/*
 * config: settings of the bundle protocol agent, with their schema rows.
 */
#ifndef OWLT_AGENT_CONFIG_H
#define OWLT_AGENT_CONFIG_H

#include "bundle/base/schema.h"
#include "bundle/bundle.h"
#include "dtn/agent/bibe.h"
#include "dtn/agent/policy.h"

#define CUSTODY_NEIGHBOURS_MAX 64
#define CUSTODY_PATTERNS_MAX 32
/* Sequence identifiers up to this are for custody.seq_id; those of contacts begin behind it, so that
 * the two never meet. */
#define CUSTODY_FIXED_MAX 23

/* Code points and form of custody, owlt-custody(7). */
enum custody_profile { PROFILE_CCSDS, PROFILE_BPLIB, PROFILES };
/* Where the numbers of the pairs that we give come from. */
enum custody_sequence {
	SEQUENCE_DEFAULT,     /* by the profile: ccsds fixed, bplib contact */
	SEQUENCE_DESTINATION, /* identifier 0: a counter for each destination */
	SEQUENCE_FIXED,       /* custody.seq_id: one counter */
	SEQUENCE_CONTACT      /* a new identifier each time a contact opens, numbers from 0 */
};
enum custody_counter { COUNTER_64, COUNTER_32, COUNTER_16 };

struct custody_pattern {
	char text[64];
};
/* Another custodian, where it differs from the defaults; words: 0 = default. */
struct custody_neighbour {
	char node[64];
	unsigned profile, sequence; /* profile: 1 + enum custody_profile */
	bool accept;                /* custody of what comes from it */
	bool passes;                /* it takes no custody itself: the destination answers */
	char key[KEY_ID_MAX];       /* of its signals and of ours to it; "": none */
};

/* Another custodian as status shows it: those that a setting or a link names, and all others. */
#define CUSTODIANS_MAX (1 + CUSTODY_NEIGHBOURS_MAX + 256)
struct custodian_stats {
	node_id node; /* NODE_NONE: all others */
	const char *profile, *sequence;
	bool accept, passes;
	bool authenticated; /* it has a key: only signed signals count */
	uint64_t n_held,
		n_awaiting; /* bundles in our custody on their way to it; others: also those
				       * without a way */
	uint64_t n_taken;   /* that we accepted from it */
	uint64_t n_signals_tx, n_signals_rx, n_not_believed;
	const uint32_t *declined; /* custody not taken from it, by enum why; while the node lives */
};

struct agent_cfg {
	uint64_t max_bundles; /* entries in memory */
	uint64_t max_tombstones;
	uint64_t max_old_pairs; /* accepted custody pairs beyond max_tombstones, pairmap.c */
	uint64_t max_registrations;
	int64_t max_lifetime_us; /* longer lifetimes are cut to it (local override, RFC 9171 4.4.2) */
	uint64_t hop_limit;      /* of bundles made here; 0 = no hop count block */
	bool add_previous_node;
	bool add_age; /* age block in bundles made here; always so without an accurate clock */
	enum crc_type crc_type;
	/* sending, outgoing.c */
	uint64_t source_bytes; /* payload of a fragment made at the source; 0: none are made */
	uint64_t max_send_bytes, max_whole_bytes, max_open_sends;
	/* fragments, fragment.c and reassemble.c */
	uint64_t min_bytes; /* least payload of a piece that is cut here */
	uint64_t max_adus, max_adu_bytes, max_adu_fragments;
	int64_t max_adu_us; /* an ADU in the making is given up after this */
	bool reports;       /* status reports are generated at all */
	uint64_t reports_per_s, reports_per_node_s;
	bool compressed_reports; /* bundles made here ask for them in compressed form */
	uint64_t max_reported;   /* of their numbers are known */
	/* what bundles from outside may be: limits of abuse */
	int64_t max_future_us;   /* creation times this far ahead of our clock */
	uint64_t max_blocks;     /* canonical blocks of a bundle */
	uint64_t max_parties;    /* other nodes that are counted for, party.c */
	uint64_t source_per_s;   /* bundles of one source; 0 = no limit */
	uint64_t source_percent; /* of the store for bundles of one source */
	bool ipn_three;          /* other allocators' endpoint IDs in three elements */
	uint64_t max_tries;      /* transmissions of a bundle that fail; 0 = until it expires */
	/* leniencies, off in a strict node: struct bundle_rules */
	bool allow_no_primary_crc, allow_no_age, allow_definite, allow_short_dtn;
	bool echo;
	uint64_t echo_service[3];
	uint64_t echo_per_s, echo_per_node_s, echo_max_bytes;
	/* custody */
	bool custody_accept;
	struct custody_pattern custody_from[CUSTODY_PATTERNS_MAX]; /* custodians; none: all */
	size_t n_custody_from;
	struct custody_pattern custody_sources[CUSTODY_PATTERNS_MAX]; /* none: all */
	size_t n_custody_sources;
	struct custody_pattern custody_request[CUSTODY_PATTERNS_MAX]; /* destinations */
	size_t n_custody_request;
	struct custody_neighbour custody_neighbour[CUSTODY_NEIGHBOURS_MAX];
	size_t n_custody_neighbours;
	unsigned custody_profile;  /* enum custody_profile */
	unsigned custody_sequence; /* enum custody_sequence */
	uint64_t custody_seq_id;   /* of SEQUENCE_FIXED */
	unsigned custody_counter;  /* enum custody_counter */
	uint64_t signal_count;     /* a pending signal is sent with this many bundles ... */
	int64_t signal_delay_us;   /* ... or this long after its first */
	int64_t signal_lifetime_us;
	int64_t custody_interval_us; /* retransmission where the plan knows no way back */
	int64_t custody_margin_us;   /* added to the computed round trip */
	uint64_t custody_max_sends;  /* 0 = until expiry */
	struct security_cfg security;
	struct bibe_cfg bibe;
};

extern const struct schema_row agent_rows[];
/* By enum custody_profile, enum custody_sequence. */
extern const char *const custody_profile_words[], *const custody_sequence_words[];

/* Has any of custody.neighbours a key? */
bool custody_has_keys(const struct agent_cfg *cfg);
/* custody.neighbours by itself and (not NULL) against the keys. 0 or -E_CONFIG with *e filled. */
int custody_check(
	const struct agent_cfg *cfg, const struct keyring *keys, struct schema_error *e) MUST_USE;

#endif
