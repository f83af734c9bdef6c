/*
 * uid: bundle_uid, the name of a bundle in every table: the first 16 bytes of the SHA-256 over the
 * ASCII text `source|ms|seq|offset|length`, the last two empty for a whole bundle. Computed here,
 * never in a node.
 */
#ifndef OWLT_DATASET_UID_H
#define OWLT_DATASET_UID_H

#include "bundle/base/time.h"
#include "bundle/crypto.h"

#define UID_BYTES 16
#define UID_HEX (2 * UID_BYTES + 1)

struct uid_of {
	const char *source; /* EID text */
	dtntime created_ms;
	uint64_t seq;
	bool is_fragment;
	uint64_t frag_off, frag_len;
};

/* Hex with its terminator. 0, -E_LIMIT (a source longer than an EID can be), or the hash's error. */
int uid_make(const struct uid_of *u, char out[UID_HEX]) MUST_USE;

#endif
