/*
 * bundle: reading, checking and writing BPv7 bundles (RFC 9171 4). Nothing here allocates or
 * copies; results are views into the bytes that were read.
 *
 * A bundle in the node is head, payload and tail: head = everything up to the payload's data
 * (primary block, extension blocks, the payload block's own fields and the head of its byte
 * string), tail = what follows the data (payload CRC, breaks). Forwarding writes a new head and
 * leaves payload and tail alone.
 */
#ifndef OWLT_BUNDLE_BUNDLE_H
#define OWLT_BUNDLE_BUNDLE_H

#include "bundle/base/time.h"
#include "bundle/crc.h"
#include "bundle/custody.h"
#include "bundle/eid.h"

/* Bundle processing control flags, RFC 9171 4.2.3/d1, 4.2.3/d2 */
#define BUNDLE_FRAGMENT 0x000001u
#define BUNDLE_ADMIN 0x000002u
#define BUNDLE_NO_FRAGMENT 0x000004u
#define BUNDLE_ACK_REQUESTED 0x000020u
#define BUNDLE_STATUS_TIME 0x000040u
#define BUNDLE_REPORT_RECEPTION 0x004000u
#define BUNDLE_REPORT_FORWARDING 0x010000u
#define BUNDLE_REPORT_DELIVERY 0x020000u
#define BUNDLE_REPORT_DELETION 0x040000u
#define BUNDLE_REPORTS 0x074000u

/* Block processing control flags, RFC 9171 4.2.4/d1, 4.2.4/d2 */
#define BLOCK_REPLICATE 0x01u
#define BLOCK_REPORT 0x02u
#define BLOCK_DELETE_BUNDLE 0x04u
#define BLOCK_DISCARD 0x10u

#define BLOCK_PAYLOAD 1u
#define BLOCK_PREVIOUS_NODE 6u
#define BLOCK_AGE 7u
#define BLOCK_HOP_COUNT 10u
#define BLOCK_BIB 11u
#define BLOCK_BCB 12u

/* What the rules allow beyond the strict default, and the custody code points in use. */
struct bundle_rules {
	bool allow_no_primary_crc;
	bool allow_no_age;
	bool allow_definite; /* to look at, or to be made indefinite before it is kept */
	bool allow_short_dtn;
	/* Keep what has the type of a custody or reporting block and is none: IANA gave these types to
	 * nobody, so it is somebody else's block, to be treated as any unknown one (5.6-4). */
	bool allow_foreign;
	bool from_outside; /* also refuse LocalNode as source or destination, RFC 9758 5.4 */
	struct custody_codes custody;
};

/* Strict, profile ccsds. */
struct bundle_rules bundle_rules_default(void);

/* Why a bundle was not accepted: a row of rule.def, with the place. */
struct bundle_fault {
	unsigned rule;   /* enum rule; 0 = none */
	size_t at;       /* bytes from the start */
	int err;         /* the codec's error, negative, or 0 */
	bool primary_ok; /* the primary block's CRC is good: a report may be addressed */
};

/* Stable short name ("crc-mismatch") and sentence of a rule; the list is rule.def. */
const char *rule_name(unsigned rule);
const char *rule_text(unsigned rule);

struct block {
	uint64_t type, number, flags;
	enum crc_type crc_type;
	struct view whole; /* the block's encoding; for the payload block up to its data only */
	struct view data;  /* block-type-specific data; of a stored head's payload: empty */
};

struct bundle {
	/* primary block */
	uint64_t flags;
	enum crc_type crc_type;
	struct eid dest, source, report_to;
	dtntime created_ms; /* 0: the source has no clock */
	uint64_t seq;
	uint64_t lifetime_ms;
	uint64_t frag_off, total_len; /* where flags & BUNDLE_FRAGMENT */
	struct view primary;          /* its encoding */
	/* canonical blocks in order; the payload is the last */
	struct block block[BUNDLE_BLOCKS_MAX];
	unsigned n_blocks;
	/* what the known extension blocks say */
	bool has_prev, has_age, has_hop, has_cteb, has_creb;
	struct eid prev;
	uint64_t age_ms;
	uint64_t hop_limit, hop_count;
	struct cteb cteb;
	struct creb creb; /* unset without has_creb */
	uint64_t foreign; /* bit k: block[k] has such a type and is none; allow_foreign */
	/* the three parts */
	struct view head;
	struct view payload; /* p NULL if only the head was read; n is right all the same */
	struct view tail;    /* empty if only the head was read */
};

/* Reads and checks a whole bundle: form, every rule, every CRC. 0, or negative with *fault filled.
 * All views of *b live as long as `bytes`. */
int bundle_read(struct bundle *b, struct view bytes, const struct bundle_rules *rules,
	struct bundle_fault *fault) MUST_USE;
/* As bundle_read, but bytes may follow the bundle (streams, frame padding); *used = its length, 0
 * on error. */
int bundle_read_first(struct bundle *b, struct view bytes, const struct bundle_rules *rules,
	struct bundle_fault *fault, size_t *used) MUST_USE;
/* Reads a head that was checked before (from the store): no CRCs, payload left out. */
int bundle_read_head(struct bundle *b, struct view head, const struct bundle_rules *rules,
	struct bundle_fault *fault) MUST_USE;
/* The first block of a type, or NULL. */
const struct block *bundle_block(const struct bundle *b, uint64_t type);

/* An extension block to write; number 0 = the next free one. */
struct block_spec {
	uint64_t type, number, flags;
	enum crc_type crc_type;
	struct view data;
};

/* A new bundle. Extension blocks come out in this order: previous node, age, hop count, custody,
 * compressed reporting, others. */
struct bundle_spec {
	uint64_t flags;
	enum crc_type crc_type;       /* of the primary block */
	enum crc_type block_crc_type; /* of all canonical blocks written here */
	struct eid dest, source, report_to;
	dtntime created_ms;
	uint64_t seq, lifetime_ms;
	uint64_t frag_off, total_len;
	bool has_prev, has_age, has_hop, has_cteb, has_creb;
	struct eid prev;
	bool replicate; /* age and hop count go into every fragment */
	uint64_t age_ms, hop_limit, hop_count;
	struct cteb cteb;
	struct creb creb;
	struct custody_codes custody;
	uint64_t payload_flags; /* block flags of the payload block */
	const struct block_spec *block;
	unsigned n_blocks;
};

/* Writes the head of a bundle whose payload has payload_len bytes; *crc is the state to continue
 * over the payload (crc_update with spec->block_crc_type), then bundle_build_tail(). -E_OVERFLOW,
 * -E_RULE. */
int bundle_build_head(struct buf *head, const struct bundle_spec *spec, uint64_t payload_len,
	uint32_t *crc) MUST_USE;
int bundle_build_tail(struct buf *tail, const struct bundle_spec *spec, uint32_t crc) MUST_USE;
/* All at once into one buffer. */
int bundle_build(struct buf *out, const struct bundle_spec *spec, struct view payload) MUST_USE;

/* What a forwarder changes; all else keeps its bytes. */
struct bundle_edit {
	bool set_prev; /* replace or insert the previous node block; off: only remove an old one */
	struct eid prev;
	bool set_age; /* where the bundle has an age block */
	uint64_t age_ms;
	bool set_hop; /* where the bundle has a hop count block */
	uint64_t hop_count;
	bool set_cteb; /* replace (or insert) the custody block */
	struct cteb cteb;
	struct custody_codes
		custody; /* as it leaves; with another code point than before where `from` is set */
	const struct custody_codes *from; /* as it is; NULL: the same */
	enum crc_type crc_type; /* of blocks that are inserted; changed ones keep theirs */
	uint64_t discard;       /* bit k: leave out block[k] (unprocessable, 5.6 step 4) */
};

/* Writes the changed head of a bundle that was read from a head or whole. -E_OVERFLOW; -E_RULE for
 * a bundle in a definite outer array (to be made indefinite first) or without room for the custody
 * block; the previous node block is left out where the bundle has BUNDLE_BLOCKS_MAX blocks. */
int bundle_forward_head(
	struct buf *head, const struct bundle *b, const struct bundle_edit *edit) MUST_USE;

/* Identity for duplicate tables: source, creation, sequence, and fragment offset and length. */
uint64_t bundle_id_hash(const struct bundle *b, uint64_t k0, uint64_t k1);

#endif
