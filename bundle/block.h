/*
 * block: canonical blocks (RFC 9171 4.3.2) and what the known extension blocks hold. One row a
 * kind; a new block type is a row here. Not for others than bundle/.
 */
#ifndef OWLT_BUNDLE_BLOCK_H
#define OWLT_BUNDLE_BLOCK_H

#include "bundle/reader.h"

enum block_kind { KIND_PREVIOUS_NODE, KIND_AGE, KIND_HOP_COUNT, KIND_CTEB, KIND_CREB, KINDS };

/* What the kinds write. */
struct block_values {
	const struct eid *prev;
	uint64_t age_ms, hop_limit, hop_count;
	const struct cteb *cteb;
	const struct creb *creb;
};

struct block_row {
	uint64_t type; /* 0: a code point of struct custody_codes */
	size_t min_len;
	void (*read)(struct cursor *c, struct bundle *b, const struct bundle_rules *rules);
	unsigned (*check)(const struct bundle *b); /* a rule, or 0 */
	void (*write)(struct buf *b, const struct block_values *v);
	unsigned form; /* the rule for data that can't be read */
	const char *name;
};

/* Kind of a block type; KINDS for others. */
enum block_kind block_kind_of(uint64_t type, const struct custody_codes *codes);
uint64_t block_kind_type(enum block_kind kind, const struct custody_codes *codes);
/* Name of a block type for people; NULL for unknown ones. */
const char *block_type_name(uint64_t type, const struct custody_codes *codes);

/* Reads one canonical block into b->block[b->n_blocks]; the payload's data stays unread when
 * head_only. */
int block_read(struct reader *r) MUST_USE;
/* Reads the data of all known extension blocks, once all blocks are there. */
int block_values_read(struct reader *r) MUST_USE;
/* Whether a security block of this type (BIB, BCB) targets block `number`, RFC 9172 3.6. */
bool block_is_target(const struct bundle *b, uint64_t security_type, uint64_t number);

/* A block with data given, or with the data of a kind. */
void block_write(struct buf *b, const struct block_spec *s);
void block_write_kind(struct buf *b, enum block_kind kind, const struct block_spec *s,
	const struct block_values *v);
/* Array head, type, number, flags and CRC type. */
void block_write_open(struct buf *b, const struct block_spec *s);

#endif
