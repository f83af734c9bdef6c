/*
 * custody: the custody transfer extension block (CTEB) and the compressed custody signal (CCS) of
 * CCSDS 734.6 / draft-flentge; code points are configuration, because deployments differ.
 */
#ifndef OWLT_BUNDLE_CUSTODY_H
#define OWLT_BUNDLE_CUSTODY_H

#include "bundle/base/ranges.h"
#include "bundle/eid.h"

/* Code points and form of the signal: profile ccsds (default) or bplib. */
struct custody_codes {
	uint64_t cteb_type, creb_type; /* block types */
	uint64_t ccs_type, crs_type;   /* administrative record types */
	bool bare_sequence; /* bplib: one bare sequence per disposition, range always a list */
};

struct custody_codes custody_codes_ccsds(void);
struct custody_codes custody_codes_bplib(void);

/* Custody block: who holds custody and under which number. */
struct cteb {
	uint64_t seq_no;
	uint64_t seq_id;      /* 0: the counter of the bundle's destination */
	struct eid custodian; /* administrative endpoint of the block source */
};

void cteb_read(struct cursor *c, struct cteb *t);
void cteb_write(struct buf *b, const struct cteb *t);

/* Compressed reporting block: which reports are wanted, under which number. What was left out on
 * the wire keeps its has_ flag off; seq_id is then 0, as custody.md D.4 says. */
struct creb {
	uint64_t seq_no, seq_id, flags;
	struct eid reporter, report_to; /* block source, report-to */
	bool has_flags, has_reporter, has_report_to;
};

#define CREB_RECEPTION 0x01u
#define CREB_FORWARDING 0x02u
#define CREB_DELIVERY 0x04u
#define CREB_DELETION 0x08u
#define CREB_ACCEPTANCE 0x10u
#define CREB_REFUSAL 0x20u

void creb_read(struct cursor *c, struct creb *r);
/* Writes as few items as say it all. */
void creb_write(struct buf *b, const struct creb *r);

/* One sequence of a signal: numbers of one counter. */
struct ccs_sequence {
	bool accepted;   /* disposition 1, else -1 */
	uint64_t seq_id; /* > 0, or 0 with dest */
	struct eid dest; /* where seq_id == 0 */
	struct ranges numbers;
};

/* Reads an administrative record that is a CCS, sequence by sequence, without allocating:
 * ccs_open(), then ccs_next() until it returns false; then r->c.err tells. */
struct ccs_reader {
	struct cursor c;
	uint64_t maps_left, seqs_left; /* CBOR_INDEFINITE while inside an indefinite item */
	unsigned n_seqs;               /* so far, at most CCS_SEQUENCES_MAX */
	bool accepted;                 /* the disposition we are in */
	bool in_list, bare;            /* inside one; it is one sequence without a list around it */
	bool seen[2];                  /* refused, accepted: each may come once */
	bool open;                     /* the record's array is indefinite */
};

/* 0, -E_TYPE (another record), or the form error. */
int ccs_open(struct ccs_reader *r, struct view record, const struct custody_codes *codes) MUST_USE;
/* The next sequence; its numbers replace those in s->numbers, whose storage the caller gave. False
 * at the end or on error (r->c.err). Read a signal to its end before acting on it: the error may
 * come last. */
bool ccs_next(struct ccs_reader *r, struct ccs_sequence *s);

/* Writes a whole signal from sequences in any order (accepted ones first on the wire), none empty.
 * With codes->bare_sequence at most one sequence a disposition fits. */
void ccs_write(
	struct buf *b, const struct custody_codes *codes, const struct ccs_sequence *s, size_t n);

#endif
