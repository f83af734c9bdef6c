/*
 * custody: the extension blocks of CCSDS 734.6 / draft-flentge: custody transfer (CTEB) and compressed
 * reporting (CREB); code points are configuration, because deployments differ. The signals that answer
 * them: ccs.h.
 */
#ifndef OWLT_BUNDLE_CUSTODY_H
#define OWLT_BUNDLE_CUSTODY_H

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
 * the wire keeps its has_ flag off; seq_id is then 0, as CCSDS 734.6, reporting block says. */
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

#endif
