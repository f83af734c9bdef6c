/*
 * time: the two clocks of Owlt.
 *
 * mono     microseconds of lab time on a clock that never goes back; already scaled by the lab's
 *          speed. In a lab and in the simulator 0 is the reference time of the contact plan.
 * dtntime  milliseconds since 2000-01-01T00:00:00Z, 0 = not known (RFC 9171 4.2.6/d1, 4.2.6/d2,
 *          4.2.6/d3). What must survive a restart is kept as dtntime, never as mono.
 */
#ifndef OWLT_BASE_TIME_H
#define OWLT_BASE_TIME_H

#include <stdint.h>

typedef int64_t mono;
typedef uint64_t dtntime;

#define MONO_NEVER INT64_MAX
#define US_PER_MS INT64_C(1000)
#define US_PER_S INT64_C(1000000)
#define DTN_EPOCH_UNIX_S INT64_C(946684800)

/* The earlier of two deadlines. */
static inline mono mono_min(mono a, mono b)
{
	return a < b ? a : b;
}

/* a + b where b >= 0; stops at MONO_NEVER instead of running over. */
static inline mono mono_add(mono a, int64_t b)
{
	return a > MONO_NEVER - b ? MONO_NEVER : a + b;
}

/* a + b; stops at the largest value instead of running over. */
static inline uint64_t u64_add_sat(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* a * b / c in 128 bits, c > 0; stops at INT64_MAX. */
static inline int64_t muldiv_i64(int64_t a, int64_t b, int64_t c)
{
	__extension__ typedef __int128 wide;
	wide r = (wide)a * b / c;
	return r > INT64_MAX ? INT64_MAX : (int64_t)r;
}

#endif
