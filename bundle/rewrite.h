/*
 * rewrite: a bundle with blocks dropped, changed or added; every other byte stays (the primary block is
 * never written anew). For BPSec; what a forwarder changes is bundle_forward_head()'s.
 */
#ifndef OWLT_BUNDLE_REWRITE_H
#define OWLT_BUNDLE_REWRITE_H

#include "bundle/bundle.h"

/* An extension block with other data or CRC type; number and flags stay. */
struct bundle_change {
	unsigned block; /* index in bundle.block */
	struct view data;
	enum crc_type crc_type;
};

struct bundle_rewrite {
	uint64_t drop; /* bit k: without block[k] */
	const struct bundle_change *change;
	unsigned n_changes;
	/* new blocks; they come behind the primary block and the security blocks that follow it */
	const struct block_spec *add;
	unsigned n_add;
	bool set_payload; /* else its bytes stay, CRC and all */
	uint64_t payload_len;
	enum crc_type payload_crc;
	/* Of a reassembled unit: its primary block, instead of b's. */
	struct view primary;
	/* The one exception: a source takes the CRC of its own primary block away before it signs it. */
	bool drop_primary_crc;
};

/* The new head. *crc is the state to go on with over the payload (crc_update with payload_crc) for the
 * tail. -E_OVERFLOW; -E_RULE: a definite outer array, or a head that became too large. */
int bundle_rewrite_head(struct buf *head, const struct bundle *b, const struct bundle_rewrite *w,
	uint32_t *crc) MUST_USE;
int bundle_rewrite_tail(struct buf *tail, const struct bundle *b, const struct bundle_rewrite *w,
	uint32_t crc) MUST_USE;
/* Both with the payload between. */
int bundle_rewrite(struct buf *out, const struct bundle *b, const struct bundle_rewrite *w,
	struct view payload) MUST_USE;
/* A primary block without its CRC, as its own source may write it before it is signed. -E_RULE: not
 * in definite form. */
int bundle_primary_bare(struct buf *out, struct view primary) MUST_USE;
/* The smallest block number from 2 that the bundle does not have. */
uint64_t bundle_free_number(const struct bundle *b);

#endif
