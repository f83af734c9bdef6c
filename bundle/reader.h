/*
 * reader: what primary.c, block.c and read.c share while one bundle is read. Not for others.
 */
#ifndef OWLT_BUNDLE_READER_H
#define OWLT_BUNDLE_READER_H

#include "bundle/base/hot.h"
#include "bundle/bundle.h"
#include "bundle/cbor.h"
#include "bundle/crc_block.h"
#include "bundle/rule.h"

struct reader {
	struct cursor c; /* over all bytes; offsets are from the bundle's start */
	struct bundle *b;
	const struct bundle_rules *rules;
	struct bundle_fault *fault;
	uint64_t numbers; /* bit n: there is a block of number n < 64 */
	uint64_t unread;  /* bit k: what block k holds was not read by plain_blocks() */
	bool to_end;      /* no byte may follow the bundle */
	bool head_only;   /* a stored head: no CRCs, ends at the payload's data */
	bool quick;       /* CRCs are checked, and by the processor's instruction */
	bool general;     /* for tests: never take the short way of plain.c */
};

/* As bundle_read(), or bundle_read_head(), all of it by the general reader: what tests compare these
 * with. */
int bundle_read_general(struct bundle *b, struct view bytes, bool head_only,
	const struct bundle_rules *rules, struct bundle_fault *fault) MUST_USE;

/* Tells the broken rule; gives the (negative) result to return. */
int reader_broken(struct reader *r, unsigned rule, size_t at) MUST_USE;
/* The same for a cursor's error: truncated, not-shortest, item-type or cbor-form; `form` (if not 0)
 * stands for the last two. */
int reader_error(struct reader *r, const struct cursor *c, unsigned form) MUST_USE;
/* Reads the CRC item of a block that began at `from`, and the array's break if it is open, and
 * checks the CRC over all of it. The caller has read everything before. */
int reader_crc(struct reader *r, const uint8_t *from, enum crc_type type, bool open) MUST_USE;

/* Whether a CRC's value is that of the block which began at `from`. */
static inline bool reader_crc_holds(const uint8_t *from, const uint8_t *value, enum crc_type type)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
	return true; /* a fuzzer can't guess CRCs */
#endif
	uint32_t crc = crc_block_value(type, from, (size_t)(value - from));
	return crc == (type == CRC_16 ? be16_get(value) : be32_get(value));
}

/* Whether CRC-32C goes by the instruction, and counts. */
static inline bool reader_is_quick(void)
{
#if defined(__x86_64__) && !defined(FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION)
	return crc_has_instruction();
#else
	return false;
#endif
}

/* The primary block is read: its place, and whether a report may be addressed by it. */
static inline void reader_primary(struct reader *r, const uint8_t *from, const uint8_t *end)
{
	r->b->primary = view_of(from, (size_t)(end - from));
	r->fault->primary_ok = !r->head_only & (r->b->crc_type != CRC_NONE);
	r->c.p = end;
}

/* All is read: the tail is what follows the payload. */
static inline void reader_tail(struct reader *r)
{
	struct bundle *b = r->b;
	const uint8_t *tail = b->payload.p + b->payload.n;

	b->tail = view_of(tail, (size_t)(r->c.p - tail));
}

/* primary.c: reads and checks the primary block. */
int primary_read(struct reader *r) MUST_USE;
/* RFC 9171 4.2.3: what flags, source and administrative record allow; a rule or 0. */
unsigned primary_flags_rule(uint64_t flags, bool anonymous);
/* Whether a primary block whose source is ipn or null breaks none of the rules of primary_read(). */
static inline bool primary_is_good(const struct bundle *b, const struct bundle_rules *rules)
{
	const uint64_t asked = b->flags & (BUNDLE_REPORTS | BUNDLE_NO_FRAGMENT);

	return !((b->flags & BUNDLE_ADMIN) && (b->flags & BUNDLE_REPORTS)) &&
	       (!eid_is_null(&b->source) || asked == BUNDLE_NO_FRAGMENT) &&
	       !(rules->from_outside &&
		       (b->dest.node == NODE_LOCAL || b->source.node == NODE_LOCAL));
}
/* The CRC item of a block that was begun at offset `from` of the buf and written up to here. */
void block_crc_write(struct buf *b, size_t from, enum crc_type type);
/* The primary block of a new bundle. */
void primary_write(struct buf *b, const struct bundle_spec *s);

#endif
