/*
 * lab_clock: the one clock line of a lab, {mono0, dtn0, speed}: real CLOCK_MONOTONIC time to lab time
 * and back. Every daemon, the emulator and the captures use the same line.
 */
#ifndef OWLT_NETNS_LAB_CLOCK_H
#define OWLT_NETNS_LAB_CLOCK_H

#include "bundle/base/time.h"

#include <math.h>
#include <time.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

struct lab_clock {
	int64_t mono0_ns; /* CLOCK_MONOTONIC at lab time 0 */
	dtntime dtn0_ms;  /* DTN time at lab time 0 */
	double speed;     /* lab seconds per real second */
};

static inline int64_t clock_now_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static inline mono lab_clock_us(const struct lab_clock *c, int64_t mono_ns)
{
	return (mono)floor((double)(mono_ns - c->mono0_ns) * c->speed / 1000.0);
}

/* When a lab time comes, in CLOCK_MONOTONIC; never early. */
static inline int64_t lab_clock_mono_ns(const struct lab_clock *c, mono lab_us)
{
	double ns = ceil((double)lab_us * 1000.0 / c->speed);

	return ns > 4e18 ? INT64_MAX : c->mono0_ns + (int64_t)ns;
}

/* The lab's time of day, for captures. */
static inline int64_t lab_clock_unix_ns(const struct lab_clock *c, int64_t mono_ns)
{
	return ((int64_t)c->dtn0_ms + DTN_EPOCH_UNIX_S * 1000) * NS_PER_MS +
	       (int64_t)((double)(mono_ns - c->mono0_ns) * c->speed);
}

#endif
