/*
 * ranges: see ranges.h. Adding merges with every run that overlaps or touches.
 */
#include "bundle/base/ranges.h"

#include <assert.h>
#include <string.h>

/* Index of the first run that ends at or after v. */
static size_t first_reaching(const struct ranges *s, uint64_t v)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->run[mid].to < v)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int ranges_add(struct ranges *s, uint64_t from, uint64_t to)
{
	size_t i = first_reaching(s, from);
	size_t j = i;

	assert(from < to);
	for (; j < s->n && s->run[j].from <= to; j++) {
		if (s->run[j].from < from)
			from = s->run[j].from;
		if (s->run[j].to > to)
			to = s->run[j].to;
	}
	if (i == j) {
		if (s->n == s->cap)
			return -E_LIMIT;
		memmove(&s->run[i + 1], &s->run[i], (s->n - i) * sizeof s->run[0]);
		s->n++;
	} else if (j > i + 1) {
		memmove(&s->run[i + 1], &s->run[j], (s->n - j) * sizeof s->run[0]);
		s->n -= j - i - 1;
	}
	s->run[i] = (struct range){from, to};
	return 0;
}

bool ranges_has(const struct ranges *s, uint64_t v)
{
	size_t i = v == UINT64_MAX ? s->n : first_reaching(s, v + 1);

	return i < s->n && s->run[i].from <= v;
}

uint64_t ranges_count(const struct ranges *s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->n; i++) {
		uint64_t n = s->run[i].to - s->run[i].from;

		sum = sum > UINT64_MAX - n ? UINT64_MAX : sum + n;
	}
	return sum;
}
