/*
 * link: the model of one direction. A frame meets, in this order: the MTU, the contact (is one open
 * now?), the queue, the end of the contact (nothing starts that can't end in time), the loss model,
 * bit errors, duplication, reordering. A lost frame was sent: it used the transmitter. One dropped
 * before that did not.
 *
 * Random numbers are drawn from l->rng in that same order and only for frames that were sent, so a
 * run repeats from its seed. Rates too fast for whole microseconds keep the rest of a division in
 * busy_part, so a full link runs at exactly its rate.
 */
#include "dtn/plan/link.h"

#include <assert.h>
#include <math.h>

#define ETHERNET_HEADER 14u
#define FRAME_MAX (UINT64_C(1) << 28) /* bit positions fit 32 bits */

static const char *const drop_names[LINK_DROPS] = {"", "closed", "no-time", "queue", "loss", "mtu"};

static enum link_drop transmit(struct link_dir *l, mono now, size_t n, struct link_fate *f);
static mono serialise(struct link_dir *l, mono start, uint64_t rate_bps, size_t n, uint64_t *part);
static bool is_lost(struct link_dir *l);
static void damage(struct link_dir *l, size_t n, struct link_fate *f);
static int64_t extra_delay(struct link_dir *l);

const char *link_drop_name(enum link_drop why)
{
	return drop_names[why];
}

struct link_params link_params_default(void)
{
	return (struct link_params){.queue_bytes = 16u << 20, .mtu_bytes = 65535, .ge_bad = 1};
}

void link_init(struct link_dir *l, const struct plan *plan, node_id from, node_id to,
	const struct link_params *params, uint64_t seed, uint64_t id)
{
	*l = (struct link_dir){.plan = plan, .from = from, .to = to, .params = *params};
	rng_init(&l->rng, seed, id);
}

void link_send(struct link_dir *l, mono now, size_t n, struct link_fate *fate)
{
	int64_t owlt_us = l->params.owlt_us;

	*fate = (struct link_fate){0};
	l->counts.frames_in++;
	l->counts.bytes_in += n;
	fate->drop = transmit(l, now, n, fate);
	if (fate->drop == LINK_PASSED && is_lost(l))
		fate->drop = LINK_LOSS;
	if (fate->drop != LINK_PASSED) {
		l->counts.dropped[fate->drop]++;
		return;
	}
	damage(l, n, fate);
	fate->n = rng_chance(&l->rng, l->params.duplicate_p) ? 2 : 1;
	if (l->plan) /* the contact that transmit() found: nothing ends after its contact does */
		owlt_us = contact_owlt_us(
			l->plan, plan_contact_at(l->plan, l->from, l->to, now), fate->tx_end);
	for (unsigned i = 0; i < fate->n; i++)
		fate->deliver_at[i] = mono_add(mono_add(fate->tx_end, owlt_us), extra_delay(l));
	l->counts.duplicated += fate->n - 1;
	l->counts.in_flight += fate->n;
}

void link_arrived(struct link_dir *l, size_t n)
{
	assert(l->counts.in_flight > 0);
	l->counts.in_flight--;
	l->counts.frames_out++;
	l->counts.bytes_out += n;
}

bool link_balanced(const struct link_dir *l)
{
	const struct link_counts *c = &l->counts;
	uint64_t out = c->frames_out + c->in_flight;

	for (unsigned i = 0; i < LINK_DROPS; i++)
		out += c->dropped[i];
	return c->frames_in + c->duplicated == out;
}

/* Gives the frame its place on the transmitter, or tells why it has none. */
static enum link_drop transmit(struct link_dir *l, mono now, size_t n, struct link_fate *f)
{
	uint64_t rate = l->params.rate_bps, part = 0;
	mono end = MONO_NEVER, start = now > l->busy_until ? now : l->busy_until;

	if (n > l->params.mtu_bytes + ETHERNET_HEADER || n > FRAME_MAX)
		return LINK_MTU;
	if (l->plan) {
		const struct contact *c = plan_contact_at(l->plan, l->from, l->to, now);
		if (!c)
			return LINK_CLOSED;
		rate = c->rate_bps;
		end = c->end;
	}
	if (start > now) {
		int64_t waiting = muldiv_i64(start - now, (int64_t)rate, 8 * US_PER_S);
		if ((uint64_t)waiting + n > l->params.queue_bytes)
			return LINK_QUEUE;
	}
	f->tx_end = serialise(l, start, rate, n, &part);
	if (f->tx_end > end)
		return LINK_NO_TIME;
	l->busy_until = f->tx_end;
	l->busy_part = part;
	l->busy_rate = rate;
	return LINK_PASSED;
}

/* When the last bit leaves, rounded up; what was rounded away, in 1/rate us, goes to *part. */
static mono serialise(struct link_dir *l, mono start, uint64_t rate_bps, size_t n, uint64_t *part)
{
	uint64_t work = (uint64_t)n * 8 * (uint64_t)US_PER_S;
	uint64_t saved = start == l->busy_until && rate_bps == l->busy_rate ? l->busy_part : 0;

	*part = 0;
	if (rate_bps == 0)
		return start;
	if (work <= saved) {
		*part = saved - work;
		return start;
	}
	work -= saved;
	uint64_t us = work / rate_bps + (work % rate_bps != 0);
	*part = us * rate_bps - work;
	return mono_add(start, (int64_t)us);
}

static bool is_lost(struct link_dir *l)
{
	const struct link_params *p = &l->params;

	if (p->loss == LOSS_UNIFORM)
		return rng_chance(&l->rng, p->loss_p);
	if (p->loss != LOSS_GILBERT)
		return false;
	if (rng_chance(&l->rng, l->ge_is_bad ? p->ge_r : p->ge_p))
		l->ge_is_bad = !l->ge_is_bad;
	return rng_chance(&l->rng, l->ge_is_bad ? p->ge_bad : p->ge_good);
}

/* The gaps between damaged bits are geometric: one draw a flip, not one a bit. */
static void damage(struct link_dir *l, size_t n, struct link_fate *f)
{
	double p = l->params.bit_error_rate, bits = (double)n * 8, at = -1;

	if (p <= 0)
		return;
	while (f->n_flips < 8) {
		double u = ((double)(rng_u64(&l->rng) >> 11) + 1) /
			   9007199254740992.0; /* 0 < u <= 1 */
		at += 1 + (p < 1 ? floor(log(u) / log1p(-p)) : 0);
		if (!(at < bits))
			break;
		f->flip[f->n_flips++] = (uint32_t)at;
	}
	l->counts.bit_errors += f->n_flips > 0;
}

static int64_t extra_delay(struct link_dir *l)
{
	if (l->params.reorder_us <= 0 || !rng_chance(&l->rng, l->params.reorder_p))
		return 0;
	return 1 + (int64_t)rng_below(&l->rng, (uint64_t)l->params.reorder_us);
}
