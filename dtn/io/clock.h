/*
 * clock: where `now` comes from. In a lab all programs read one line, RUN_DIR/run.json
 * {"mono0_ns", "dtn0_ms", "speed"}: lab time = (CLOCK_MONOTONIC - mono0) * speed, so a node that is
 * started again is at the right time. Without a lab, mono counts from the program's start and DTN time
 * is the system's clock at that moment.
 */
#ifndef OWLT_IO_CLOCK_H
#define OWLT_IO_CLOCK_H

#include "bundle/base/err.h"
#include "bundle/base/time.h"

#include <stdbool.h>

struct clock {
	bool is_lab;
	int64_t mono0_ns; /* CLOCK_MONOTONIC when mono is 0 */
	dtntime dtn0_ms;  /* DTN time when mono is 0 */
	double speed;     /* lab seconds in a real one */
};

/* The system's clocks. dtn0_ms is 0 where the clock has not been set: it is before 2000. */
void clock_init_real(struct clock *c);
/* A lab's, from its run.json. -errno, -E_SYNTAX, -E_CONFIG (a value is missing or impossible). */
int clock_init_lab(struct clock *c, const char *path) MUST_USE;
/* Lab time now; never less than the time given before in *last. */
mono clock_now(const struct clock *c, mono *last);
/* The CLOCK_MONOTONIC nanosecond at which lab time is `at`; INT64_MAX for MONO_NEVER. */
int64_t clock_ns_at(const struct clock *c, mono at);
/* How long a stretch of lab time really takes, ns. */
int64_t clock_real_of(const struct clock *c, int64_t us);
int64_t clock_mono_ns(void);
/* Unix time at lab time `at`, ns, seen from now. */
int64_t clock_unix_ns_at(const struct clock *c, mono at);

#endif
