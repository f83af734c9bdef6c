/*
 * ccs: compressed signals of CCSDS 734.6 / draft-flentge: the compressed custody signal (CCS) answers
 * custody blocks, the compressed reporting signal (CRS) reporting blocks (custody.h). Both are maps
 * from what happened to the numbers that it happened to; one reader and one writer do both.
 */
#ifndef OWLT_BUNDLE_CCS_H
#define OWLT_BUNDLE_CCS_H

#include "bundle/base/ranges.h"
#include "bundle/custody.h"

/* What a CRS tells; the bits of a CREB ask for them in this order. */
enum crs_kind {
	CRS_RECEIVED,
	CRS_FORWARDED,
	CRS_DELIVERED,
	CRS_DELETED,
	CRS_ACCEPTED,
	CRS_REFUSED,
	CRS_KINDS
};

/* One sequence of a signal: numbers of one counter. */
struct ccs_sequence {
	bool accepted;      /* CCS: disposition 1, else -1 */
	enum crs_kind kind; /* CRS */
	uint64_t seq_id;    /* > 0, or 0 with dest */
	struct eid dest;    /* where seq_id == 0 */
	bool has_source;    /* CRS: it names the block source, which is not who gets the signal */
	struct eid source;
	struct ranges numbers;
};

/* Reads an administrative record that is a signal, sequence by sequence, without allocating:
 * ccs_open() or crs_open(), then ccs_next() until it returns false; then r->c.err tells. */
struct ccs_reader {
	struct cursor c;
	uint64_t maps_left, seqs_left; /* CBOR_INDEFINITE while inside an indefinite item */
	unsigned n_seqs;               /* so far, at most CCS_SEQUENCES_MAX */
	unsigned key;                  /* row of the map's keys we are in */
	unsigned seen;                 /* bits of rows: each may come once */
	bool is_report;                /* it is a CRS */
	bool in_list, bare;            /* inside one; it is one sequence without a list around it */
	bool open;                     /* the record's array is indefinite */
};

/* 0, -E_TYPE (another record), or the form error. */
int ccs_open(struct ccs_reader *r, struct view record, const struct custody_codes *codes) MUST_USE;
int crs_open(struct ccs_reader *r, struct view record, const struct custody_codes *codes) MUST_USE;
/* The next sequence; its numbers replace those in s->numbers, whose storage the caller gave. False
 * at the end or on error (r->c.err). Read a signal to its end before acting on it: the error may
 * come last. */
bool ccs_next(struct ccs_reader *r, struct ccs_sequence *s);

/* Writes a whole signal from sequences in any order (by key on the wire), none empty. With
 * codes->bare_sequence at most one sequence a disposition or kind fits. */
void ccs_write(
	struct buf *b, const struct custody_codes *codes, const struct ccs_sequence *s, size_t n);
void crs_write(
	struct buf *b, const struct custody_codes *codes, const struct ccs_sequence *s, size_t n);

#endif
