/*
 * explore: a search over everything that can go wrong in a small run (decide.h): all sets of exactly
 * `depth` deviations. The search keeps no states: each run begins at the start with its list of
 * deviations, and the decisions met behind the last of them give the longer lists. Depth 0 is the run
 * without faults. The caller pulls run after run; nothing here does I/O.
 *
 *   explore_new() -> while (explore_next()) look at the run -> explore_free()
 *
 * The lists are divided by their first deviation into units: worker `index` of `of` takes every of-th
 * one, so several processes share a depth. Same topology and settings: the same runs in the same order.
 */
#ifndef OWLT_SIM_EXPLORE_H
#define OWLT_SIM_EXPLORE_H

#include "dtn/sim/decide.h"
#include "dtn/sim/world.h"

struct explore_cfg {
	struct sim_cfg sim;       /* without script */
	mono until;               /* a run that is not settled by then has lost something */
	unsigned depth;           /* deviations of a run, at most SIM_CHOICES_MAX */
	unsigned index, of;       /* which share */
	int64_t down_us, slow_us; /* see decide.h */
};

/* The last run. */
struct explore_run {
	const struct sim_script *script; /* its deviations */
	const struct sim_counts *counts;
	struct sim_fault fault; /* the first broken promise; empty text: none */
	mono ended;
};

struct explore;

int explore_new(const struct explore_cfg *cfg, struct explore **out) MUST_USE;
void explore_free(struct explore *e);
/* 1: a run was made; 0: there are no more; negative: no memory. */
int explore_next(struct explore *e, struct explore_run *out) MUST_USE;
/* Units of this share, known after the first run, and those whose runs were all made. */
size_t explore_units(const struct explore *e);
size_t explore_units_done(const struct explore *e);
const struct sim_script_counts *explore_counts(const struct explore *e);
/* Decisions of the run without deviations. */
uint32_t explore_decisions(const struct explore *e);

/* What must hold when a run has ended, beside sim_finish(). */
void explore_judge(struct sim *s);

#endif
