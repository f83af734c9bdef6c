/*
 * ranges: a set of uint64 numbers kept as sorted, disjoint, non-touching runs [from, to). The runs
 * live in the caller's array, so a set never allocates and has a hard limit.
 */
#ifndef OWLT_BASE_RANGES_H
#define OWLT_BASE_RANGES_H

#include "bundle/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t from, to; /* from <= number < to */
};

struct ranges {
	struct range *run;
	size_t n, cap;
};

static inline struct ranges ranges_of(struct range *run, size_t cap)
{
	return (struct ranges){.run = run, .cap = cap};
}

/* Adds [from, to), from < to. 0, or -E_LIMIT when one more run is needed than there is room for. */
int ranges_add(struct ranges *s, uint64_t from, uint64_t to) MUST_USE;
bool ranges_has(const struct ranges *s, uint64_t v);
/* How many numbers are in the set; stops at UINT64_MAX. */
uint64_t ranges_count(const struct ranges *s);

#endif
