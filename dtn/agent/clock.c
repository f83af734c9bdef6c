/*
 * clock: the agent's times. `now` is mono; true time is a line through it, given at the start, and what is stored is
 * true time. While the node runs the line never bends. Over a restart it can: the system's clock was set in
 * between, back by hours or, on a machine whose clock does not run while it is off, by years; or it had not been
 * set yet when the node ran before. Then nobody knows how long the node was down, and no bundle is older for
 * it: it keeps what was left of its lifetime when it came, its age stays as it was, and a tombstone lives for
 * as long as one can. So a bundle lives too long rather than end too early, and none that is known is
 * forgotten.
 * Start reading at clock_elapsed().
 */
#include "dtn/agent/state.h"

/* 2010, DTN time: before this program, so a clock that says less has not been set. */
#define CLOCK_SET_MS (UINT64_C(3653) * 86400 * 1000)

static bool is_from_elsewhere(const struct agent *a, mono now, dtntime t);

dtntime agent_dtn(const struct agent *a, mono now)
{
	int64_t ms = now / US_PER_MS;

	return ms < 0 && a->deps.dtn_at_zero < (uint64_t)-ms ? 0
							     : a->deps.dtn_at_zero + (uint64_t)ms;
}

dtntime agent_clock(const struct agent *a, mono now)
{
	int64_t wrong = a->deps.clock_offset_ms;
	dtntime t = agent_dtn(a, now);

	if (a->deps.clock_drift_ppm != 0)
		wrong += (int64_t)((double)now / 1e9 * a->deps.clock_drift_ppm);

	return wrong < 0 && t < (uint64_t)-wrong ? 0 : t + (uint64_t)wrong;
}

/* When a true time is, in mono; far times stop at MONO_NEVER. */
mono agent_mono(const struct agent *a, dtntime t)
{
	if (t < a->deps.dtn_at_zero)
		return 0;
	t -= a->deps.dtn_at_zero;
	return t > (uint64_t)(MONO_NEVER / US_PER_MS) ? MONO_NEVER : (mono)t * US_PER_MS;
}

uint64_t clock_elapsed(const struct agent *a, mono now, dtntime since)
{
	return is_from_elsewhere(a, now, since) ? 0 : agent_dtn(a, now) - since;
}

mono clock_restored_expiry(const struct agent *a, mono now, const struct record *r)
{
	if (r->expiry_ms == UINT64_MAX || r->expiry_ms < r->received_ms ||
		!is_from_elsewhere(a, now, r->received_ms))
		return agent_mono(a, r->expiry_ms);
	return agent_mono(a, u64_add_sat(agent_dtn(a, now), r->expiry_ms - r->received_ms));
}

mono clock_known_until(const struct agent *a, mono now, dtntime t)
{
	/* A clock that was not set yet said when it ends. */
	if (t < CLOCK_SET_MS && agent_dtn(a, now) >= CLOCK_SET_MS)
		return mono_add(now, a->cfg.max_lifetime_us);
	return agent_mono(a, t);
}

/* A time that was written down on another line than today's: it lies ahead, or before the clock was set. */
static bool is_from_elsewhere(const struct agent *a, mono now, dtntime t)
{
	dtntime clock = agent_dtn(a, now);

	return t > clock || (t < CLOCK_SET_MS && clock >= CLOCK_SET_MS);
}
