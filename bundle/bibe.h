/*
 * bibe: bundle-in-bundle encapsulation (draft-ietf-dtn-bibect): the administrative record that holds a
 * whole bundle (BPDU), and the signal that answers those with a transmission id. Record types differ
 * between drafts and programs, so a record is told by type and content; the type that is written is
 * configuration.
 */
#ifndef OWLT_BUNDLE_BIBE_H
#define OWLT_BUNDLE_BIBE_H

#include "bundle/base/buf.h"
#include "bundle/base/cursor.h"
#include "bundle/base/ranges.h"

/* Record types of BPDUs; their signals are each one more. */
#define BIBE_OLD 3u     /* drafts to -03 */
#define BIBE_ION 7u     /* ION */
#define BIBE_NEW 64443u /* draft -05, from the range for experiments (RFC 9713) */
bool bibe_is_type(uint64_t type);

struct bpdu {
	uint64_t type;
	uint64_t id;   /* 0: no answer is asked for */
	uint64_t when; /* when the sender will give up waiting; its unit is not to be relied on */
	struct view bundle;
};

/* 0, -E_TYPE (another record), or the form error; p->bundle is a view into the record. */
int bpdu_read(struct view record, struct bpdu *p) MUST_USE;
/* All before the bundle's bytes, which end the record. */
void bpdu_write_head(struct buf *b, const struct bpdu *p, uint64_t bundle_bytes);

/* What became of transmissions. */
enum bibe_disposition {
	BIBE_ACCEPTED = 0,
	BIBE_REDUNDANT = 3, /* it was there before: success, too */
	BIBE_DEPLETED = 4,
	BIBE_DESTINATION = 5,
	BIBE_NO_ROUTE = 6,
	BIBE_NO_CONTACT = 7,
	BIBE_UNINTELLIGIBLE = 8
};

struct bibe_signal {
	uint64_t type;        /* of the signal: a BPDU's type + 1 */
	uint64_t disposition; /* unknown ones are failures */
	struct ranges ids;    /* storage is the caller's, BIBE_RUNS_MAX are enough */
};

/* 0, -E_TYPE (another record), or the form error. */
int bibe_signal_read(struct view record, struct bibe_signal *s) MUST_USE;
/* s->ids is not empty. */
void bibe_signal_write(struct buf *b, const struct bibe_signal *s);

#endif
