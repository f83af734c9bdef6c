/*
 * lateness: see lateness.h. Below 16 ns each value has its own slot; above, four bits after the
 * leading one choose it.
 */
#include "netns/lateness.h"

static unsigned slot_of(uint64_t ns);
static uint64_t slot_top(unsigned slot);

void lateness_add(struct lateness *l, int64_t ns)
{
	uint64_t v = ns > 0 ? (uint64_t)ns : 0;
	unsigned s = slot_of(v);

	l->n++;
	l->slot[s < LATENESS_SLOTS ? s : LATENESS_SLOTS - 1]++;
	if (v > l->max_ns)
		l->max_ns = v;
}

uint64_t lateness_quantile_ns(const struct lateness *l, double q)
{
	uint64_t want = (uint64_t)((double)l->n * q), seen = 0;

	for (unsigned s = 0; s < LATENESS_SLOTS; s++) {
		seen += l->slot[s];
		if (seen > 0 && seen >= want)
			return slot_top(s) < l->max_ns ? slot_top(s) : l->max_ns;
	}
	return 0;
}

static unsigned slot_of(uint64_t ns)
{
	unsigned log;

	if (ns < 16)
		return (unsigned)ns;
	log = 63u - (unsigned)__builtin_clzll(ns);
	return 16 * (log - 3) + (unsigned)(ns >> (log - 4) & 15);
}

static uint64_t slot_top(unsigned slot)
{
	unsigned log = slot / 16 + 3;

	if (slot < 16)
		return slot;
	return (UINT64_C(16) + slot % 16 + 1) * (UINT64_C(1) << (log - 4)) - 1;
}
