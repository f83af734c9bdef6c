/*
 * faults: when processes die, how long they stay down, how long a disk takes. A crash falls due at random
 * and then waits for a stage of the turn chosen at random, so that the rare places (something staged, a
 * batch half written, a durable acceptance not yet told) are met as often as the common ones. Every node
 * has its own stream from (seed, node).
 *
 * No logarithm is used (gaps are uniform in 0 .. twice the mean): the last bit of a libm function may differ
 * between builds, and the same seed must give the same run everywhere.
 */
#include "dtn/sim/inside.h"

#define RNG_FAULTS (UINT64_C(1) << 41)
#define GAP_MIN_US US_PER_MS
#define SCRIPT_BACK_MS UINT64_C(7200000) /* at each start of a systematic run */

static void plan_next(struct sim *s, struct sim_node *n);
static void die(struct sim *s, struct sim_node *n);
static void count(struct sim *s, const struct sim_node *n, bool survives);

const char *const sim_stage_name[STAGES] = {
	[STAGE_NOW] = "now",
	[STAGE_STAGED] = "staged",
	[STAGE_RUNNING] = "running",
	[STAGE_COMMITTED] = "committed",
	[STAGE_SIGNAL] = "signal",
	[STAGE_FORWARDING] = "forwarding",
};

struct sim_faults sim_faults_usual(double crashes_per_h, mono until)
{
	return (struct sim_faults){
		.crashes_per_h = crashes_per_h,
		.survives_p = 0.5,
		.down_max_us = until / 40,
		.stall_p = 0.05,
		.stall_max_us = 20 * US_PER_S,
		.no_space_p = 0.03,
		.app_dies_p = 0.05,
		.until = until / 3 * 2,
	};
}

void faults_init(struct sim *s, struct sim_node *n)
{
	rng_init(&n->rng, s->cfg.seed, RNG_FAULTS + n->index);
	plan_next(s, n);
}

/* The time of a crash or of a restart. */
void faults_due(struct sim *s, struct sim_node *n)
{
	if (!n->node) {
		int err = sim_restart(s, n->index);

		if (err)
			check_fail(s, "%s does not start again: %s",
				s->cfg.topo->node[n->index].name, err_name(err));
		plan_next(s, n);
		return;
	}
	if (s->cfg.script) {
		decide_restart(s, n);
		return;
	}
	if (n->armed) {
		n->stage = STAGE_NOW; /* it never got there */
	} else {
		n->armed = true;
		n->stage = (enum sim_stage)rng_below(&n->rng, STAGES);
		n->armed_down_us = US_PER_S + (int64_t)rng_below(&n->rng,
						      (uint64_t)s->cfg.faults.down_max_us + 1);
	}
	if (n->stage == STAGE_NOW)
		die(s, n);
	else
		plan_next(s, n);
}

bool faults_at(struct sim *s, struct sim_node *n, enum sim_stage stage)
{
	if (!n->armed || n->stage != stage)
		return false;
	if (stage == STAGE_RUNNING && heap_has(&n->batch_end.heap)) {
		/* Some time before the batch ends. */
		n->stage = STAGE_NOW;
		due_set(s, &n->fault,
			s->now + (mono)rng_below(
					 &n->rng, (uint64_t)(n->batch_end.heap.key - s->now)),
			SRC_FAULT, 0);
		return false;
	}
	die(s, n);
	return true;
}

int64_t faults_commit(struct sim *s, struct sim_node *n, int *err)
{
	const struct sim_faults *f = &s->cfg.faults;

	if (n->fails || (s->now < f->until && rng_chance(&n->rng, f->no_space_p))) {
		n->fails = false;
		*err = -ENOSPC;
		s->counts.commits_failed++;
	}

	if (s->now < f->until && f->stall_max_us > 0 && rng_chance(&n->rng, f->stall_p))
		return 1 + (int64_t)rng_below(&n->rng, (uint64_t)f->stall_max_us);
	return s->cfg.commit_us;
}

void sim_crash(struct sim *s, unsigned node, enum sim_stage stage, int64_t down_us)
{
	struct sim_node *n = &s->node[node];

	n->armed = true;
	n->stage = stage;
	n->armed_down_us = down_us;
	if (stage == STAGE_NOW && n->node)
		die(s, n);
	due_set(s, &n->turn, s->now, SRC_TURN, 0);
}

void sim_fail(struct sim *s, unsigned node)
{
	s->node[node].fails = true;
}

int sim_restart(struct sim *s, unsigned node)
{
	struct sim_node *n = &s->node[node];

	due_clear(s, &n->fault);
	return n->node ? 0 : sim_node_start(s, n);
}

/* In a systematic run who has no accurate clock finds it set back when it starts again. Not at random: a copy
 * that waited there then outlives what others know of the bundle. */
void faults_clock(struct sim *s, struct sim_node *n)
{
	if (s->cfg.script && !s->cfg.node[n->index].clock_is_accurate)
		n->clock_back_ms += SCRIPT_BACK_MS;
}

void sim_clock_back(struct sim *s, unsigned node, int64_t by_us)
{
	s->node[node].clock_back_ms += (uint64_t)(by_us / US_PER_MS);
}

static void plan_next(struct sim *s, struct sim_node *n)
{
	const struct sim_faults *f = &s->cfg.faults;
	mono at;

	if (f->crashes_per_h <= 0)
		return;
	at = s->now + GAP_MIN_US +
	     (mono)rng_below(&n->rng, (uint64_t)(2 * 3600e6 / f->crashes_per_h) + 1);
	if (at < f->until)
		due_set(s, &n->fault, at, SRC_FAULT, 0);
}

static void die(struct sim *s, struct sim_node *n)
{
	bool survives =
		n->batch && n->batch_err == 0 && rng_chance(&n->rng, s->cfg.faults.survives_p);

	n->armed = false;
	check_trace(s, n);
	count(s, n, survives);
	sim_node_die(s, n, survives);
	if (n->armed_down_us >= 0)
		due_set(s, &n->fault, s->now + n->armed_down_us, SRC_FAULT, 0);
	else
		due_clear(s, &n->fault);
}

static void count(struct sim *s, const struct sim_node *n, bool survives)
{
	struct sim_counts *c = &s->counts;

	c->crashes++;
	c->crashes_staged += n->batch || store_is_dirty(n->store);
	c->crashes_before_signal +=
		n->signals_due > 0 || (n->stage == STAGE_COMMITTED && n->taking_begun > 0);
	c->crashes_forwarding += n->stage == STAGE_FORWARDING;
	if (n->batch) {
		c->batches_kept += survives;
		c->batches_lost += !survives;
	}
}
