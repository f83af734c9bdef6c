/*
 * trace: the one instrument. Each observable event is a row of bundle/trace.def; a trace point adds
 * one to its counter and, if its bit is set, puts one fixed record into a ring that the shell drains
 * (to log lines, event logs, golden tests, metrics). No text is made here.
 *
 * A trace has one writer. When the ring is full, records are counted as lost; a log that was promised
 * lossless asks trace_room() before it takes more input.
 */
#ifndef OWLT_BASE_TRACE_H
#define OWLT_BASE_TRACE_H

#include "bundle/base/err.h"
#include "bundle/base/time.h"

#include <stdbool.h>
#include <stddef.h>

#define TRACE_ARGS 5
#define TRACE_EVENTS_MAX 128

struct trace_rec {
	mono at;
	uint64_t ev; /* enum trace_ev */
	uint64_t a[TRACE_ARGS];
};

struct trace {
	uint64_t count[TRACE_EVENTS_MAX]; /* by event, since start */
	uint64_t mask[TRACE_EVENTS_MAX / 64];
	uint64_t lost; /* records that found the ring full */
	struct trace_rec *ring;
	size_t cap;          /* a power of two, or 0: counters only */
	uint64_t head, tail; /* written, drained */
};

/* Ring of at least `records` (0: counters only), all events recorded. 0 or -ENOMEM. */
int trace_init(struct trace *t, size_t records) MUST_USE;
void trace_fini(struct trace *t);
/* Records only the events whose bit is set; counters always count. */
void trace_select(struct trace *t, unsigned ev, bool on);
/* The oldest record, copied out; false when there is none. */
bool trace_next(struct trace *t, struct trace_rec *out);
/* Slow half of trace_emit. */
void trace_record(struct trace *t, mono at, unsigned ev, const uint64_t a[TRACE_ARGS]);

/* Records that still fit. */
static inline size_t trace_room(const struct trace *t)
{
	return t->cap - (size_t)(t->head - t->tail);
}

/* The trace point. t may be NULL. */
static inline void trace_emit(struct trace *t, mono at, unsigned ev, const uint64_t a[TRACE_ARGS])
{
	if (!t)
		return;
	t->count[ev]++;
	if (t->mask[ev / 64] >> (ev % 64) & 1)
		trace_record(t, at, ev, a);
}

#endif
