/*
 * trace: counters and the ring. The event list is bundle/trace.def; this file knows only numbers.
 */
#include "bundle/base/trace.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int trace_init(struct trace *t, size_t records)
{
	memset(t, 0, sizeof *t);
	if (records == 0)
		return 0;
	t->cap = 64;
	while (t->cap < records)
		t->cap *= 2;
	t->ring = calloc(t->cap, sizeof t->ring[0]);
	if (!t->ring)
		return -ENOMEM;
	memset(t->mask, 0xff, sizeof t->mask);
	return 0;
}

void trace_fini(struct trace *t)
{
	free(t->ring);
	memset(t, 0, sizeof *t);
}

void trace_select(struct trace *t, unsigned ev, bool on)
{
	uint64_t bit = UINT64_C(1) << (ev % 64);

	assert(ev < TRACE_EVENTS_MAX);
	if (on && t->cap)
		t->mask[ev / 64] |= bit;
	else
		t->mask[ev / 64] &= ~bit;
}

bool trace_next(struct trace *t, struct trace_rec *out)
{
	if (t->tail == t->head)
		return false;
	*out = t->ring[t->tail++ & (t->cap - 1)];
	return true;
}

void trace_record(struct trace *t, mono at, unsigned ev, const uint64_t a[TRACE_ARGS])
{
	struct trace_rec *r;

	if (t->head - t->tail == t->cap) {
		t->lost++;
		return;
	}
	r = &t->ring[t->head++ & (t->cap - 1)];
	r->at = at;
	r->ev = ev;
	memcpy(r->a, a, sizeof r->a);
}
