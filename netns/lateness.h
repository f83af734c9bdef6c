/*
 * lateness: how late things were, as a histogram of fixed size (16 steps to each doubling, so a
 * quantile is right to 6 %).
 */
#ifndef OWLT_NETNS_LATENESS_H
#define OWLT_NETNS_LATENESS_H

#include <stdint.h>

#define LATENESS_SLOTS (16u * 50u)

struct lateness {
	uint64_t n, max_ns;
	uint64_t slot[LATENESS_SLOTS];
};

void lateness_add(struct lateness *l, int64_t ns);
/* The value that a share q (0..1) of all does not exceed; 0 when there is none. */
uint64_t lateness_quantile_ns(const struct lateness *l, double q);

#endif
