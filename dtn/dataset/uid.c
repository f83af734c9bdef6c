/*
 * uid: see uid.h.
 */
#include "dtn/dataset/uid.h"

#include "bundle/limits.h"

#include <inttypes.h>
#include <stdio.h>

int uid_make(const struct uid_of *u, char out[UID_HEX])
{
	char text[EID_TEXT_MAX + 4 * 21];
	uint8_t sum[SHA256_BYTES];
	int r, n = snprintf(text, sizeof text, "%s|%" PRIu64 "|%" PRIu64 "|", u->source,
		       u->created_ms, u->seq);
	size_t at = (size_t)n;

	if (n < 0 || at >= sizeof text)
		return -E_LIMIT;
	n = u->is_fragment ? snprintf(text + at, sizeof text - at, "%" PRIu64 "|%" PRIu64,
				     u->frag_off, u->frag_len)
			   : snprintf(text + at, sizeof text - at, "|");
	if (n < 0 || at + (size_t)n >= sizeof text)
		return -E_LIMIT;
	r = sha256_of(view_of(text, at + (size_t)n), sum);
	if (r == 0)
		sha256_hex(sum, UID_BYTES, out);
	return r;
}
