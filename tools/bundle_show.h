/*
 * bundle_show: one bundle for people, or as a JSON object.
 */
#ifndef OWLT_TOOLS_BUNDLE_SHOW_H
#define OWLT_TOOLS_BUNDLE_SHOW_H

#include "bundle/bundle.h"
#include "tools/bundle_keys.h"
#include "tools/out.h"

/* unlocked: what its security operations came to; NULL: not asked. */
void bundle_show(struct out *o, const struct bundle *b, const struct custody_codes *codes,
	const struct unlocked *unlocked);

#define TIME_TEXT 40
/* "2025-12-25T17:46:40.000Z", or "no clock". */
void time_text(dtntime ms, char out[TIME_TEXT]);

#endif
