/*
 * eid_dtn: what eid.c and eid_text.c share about the dtn scheme. Not for others.
 */
#ifndef OWLT_BUNDLE_EID_DTN_H
#define OWLT_BUNDLE_EID_DTN_H

#include "bundle/eid.h"

/* First byte of an ssp that is still the CBOR of a chunked text; no SSP begins so. */
#define EID_SSP_CHUNKED 0x7f

/* The SSP as text: e->ssp itself, or its chunks joined in `into`. Longer than EID_SSP_MAX: n says
 * so, no text. */
struct view eid_ssp_text(const struct eid *e, uint8_t into[EID_SSP_MAX]);
/* Checks e->ssp of a dtn EID and fills in node, service and group. 0, -E_FORM or -E_LIMIT. */
int eid_dtn_split(struct eid *e, bool allow_short) MUST_USE;

#endif
