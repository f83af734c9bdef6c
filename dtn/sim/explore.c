/*
 * explore: see explore.h. A frame of the search is a list of deviations whose run was made, with the
 * options of the decisions behind its last one; the stack of frames is the depth-first search. Runs of
 * shorter lists are made to learn their decisions and are not counted as runs of this depth.
 *
 * Units are taken in an order that jumps over the whole run, so that a search that is broken off has
 * seen a sample of it and not its beginning. Start reading at explore_next.
 */
#include "dtn/sim/explore.h"

#include "dtn/sim/inside.h"

#include <stdio.h>
#include <stdlib.h>

struct level {
	uint32_t mask[SIM_DECISIONS_MAX];
	uint32_t n;          /* decisions of the run */
	uint32_t at, option; /* the next deviation to add */
};

struct unit {
	uint32_t at, option;
};

struct explore {
	struct explore_cfg cfg;
	struct sim_script script;
	struct sim_script_counts counts; /* of this depth's runs */
	struct level *level;             /* [k]: k + 1 deviations; the last depth needs none */
	unsigned n_levels;               /* on the stack */
	struct unit *unit;               /* by first deviation; those of this share */
	size_t n_units, next_unit;
	struct sim_counts run;
	struct sim_fault fault;
	mono ended;
	uint32_t n_decisions;
	bool has_begun;
};

static int begin(struct explore *e);
static int run(struct explore *e, bool counts);
static bool next_choice(struct level *l, struct sim_choice *c);
static void push_level(struct explore *e);
static size_t stride(size_t n);

int explore_new(const struct explore_cfg *cfg, struct explore **out)
{
	struct explore *e = calloc(1, sizeof *e);

	if (!e)
		return -ENOMEM;
	e->cfg = *cfg;
	e->cfg.sim.script = &e->script;
	e->script.down_us = cfg->down_us;
	e->script.slow_us = cfg->slow_us;
	e->level = calloc(cfg->depth + 1, sizeof *e->level);
	if (!e->level) {
		free(e);
		return -ENOMEM;
	}
	*out = e;
	return 0;
}

void explore_free(struct explore *e)
{
	if (!e)
		return;
	free(e->level);
	free(e->unit);
	free(e);
}

size_t explore_units(const struct explore *e)
{
	return e->n_units;
}

size_t explore_units_done(const struct explore *e)
{
	return e->n_levels > 0 ? e->next_unit - 1 : e->next_unit;
}

const struct sim_script_counts *explore_counts(const struct explore *e)
{
	return &e->counts;
}

uint32_t explore_decisions(const struct explore *e)
{
	return e->n_decisions;
}

int explore_next(struct explore *e, struct explore_run *out)
{
	int err = e->has_begun ? 0 : begin(e);
	struct sim_script *d = &e->script;

	if (err != 0 || (e->cfg.depth == 0 && e->has_begun))
		return err;
	e->has_begun = true;
	*out = (struct explore_run){.script = d, .counts = &e->run};
	if (e->cfg.depth == 0) {
		d->n_choices = 0;
		err = e->cfg.index == 0 ? run(e, true) : 0;
		goto made;
	}
	for (;;) {
		struct level *l = e->n_levels ? &e->level[e->n_levels - 1] : NULL;

		if (!l) {
			if (e->next_unit == e->n_units)
				return 0;
			d->n_choices = 1;
			d->choice[0] = (struct sim_choice){
				e->unit[e->next_unit].at, e->unit[e->next_unit].option};
			e->next_unit++;
		} else if (next_choice(l, &d->choice[e->n_levels])) {
			d->n_choices = e->n_levels + 1;
		} else {
			e->n_levels--;
			continue;
		}
		err = run(e, d->n_choices == e->cfg.depth);
		if (err != 0 || d->n_choices == e->cfg.depth)
			break;
		push_level(e);
	}
made:
	out->fault = e->fault;
	out->ended = e->ended;
	return err ? err : e->cfg.depth == 0 && e->cfg.index != 0 ? 0 : 1;
}

void explore_judge(struct sim *s)
{
	if (sim_is_settled(s))
		return;
	for (size_t i = 0; i < s->n_msgs; i++)
		if (check_owed(s, s->msg[i]))
			check_fail(s, "message %" PRIu64 " of row %u has not arrived by the end",
				s->msg[i]->n, s->msg[i]->row);
	for (size_t i = 0; i < s->n_nodes; i++) {
		struct node_stats st = {0};

		if (s->node[i].node)
			node_stats(s->node[i].node, &st);
		if (st.n_custody_held + st.n_custody_sent + st.n_unanswered > 0)
			check_fail(s, "%s still has custody at the end", s->cfg.topo->node[i].name);
	}
	if (s->counts.faults == 0)
		check_fail(s, "the run does not come to rest");
}

/* The run without deviations gives the units. */
static int begin(struct explore *e)
{
	size_t n = 0, step;
	struct unit *all;
	int err = run(e, false);

	e->n_decisions = e->script.n_met;
	if (err || e->cfg.depth == 0)
		return err;
	for (uint32_t i = 0; i < e->level[0].n; i++)
		n += (size_t)__builtin_popcount(e->level[0].mask[i]);
	all = calloc(n + 1, sizeof *all);
	e->unit = calloc(n + 1, sizeof *e->unit);
	if (!all || !e->unit) {
		free(all);
		return -ENOMEM;
	}
	n = 0;
	for (uint32_t i = 0; i < e->level[0].n; i++)
		for (uint32_t o = 0; o < OPTIONS; o++)
			if (e->level[0].mask[i] >> o & 1)
				all[n++] = (struct unit){i, o};
	step = stride(n);
	for (size_t i = 0; i < n; i++)
		if (i % e->cfg.of == e->cfg.index)
			e->unit[e->n_units++] = all[i * step % n];
	free(all);
	return 0;
}

/* The list that is in the script, from the start to rest. */
static int run(struct explore *e, bool counts)
{
	struct sim_script *d = &e->script;
	struct sim *s;
	int err;

	memset(&e->fault, 0, sizeof e->fault);
	d->counts = e->counts;
	script_begin(d);
	err = sim_new(&e->cfg.sim, &s);
	if (err)
		return err;
	while (!sim_is_settled(s) && sim_step(s, e->cfg.until))
		if (s->counts.faults > 0)
			break;
	e->ended = sim_now(s);
	if (s->counts.faults == 0) {
		sim_finish(s);
		explore_judge(s);
	}
	(void)sim_fault(s, &e->fault);
	if (d->is_wrong && e->fault.text[0] == '\0')
		snprintf(e->fault.text, sizeof e->fault.text,
			"the same deviations gave another run");
	sim_counts(s, &e->run);
	sim_free(s);
	if (counts)
		e->counts = d->counts;
	if (d->n_choices == 0) {
		e->level[0].n = d->n_met < SIM_DECISIONS_MAX ? d->n_met : SIM_DECISIONS_MAX;
		memcpy(e->level[0].mask, d->mask, sizeof d->mask);
	}
	return 0;
}

/* What the run of the list now in the script met behind its last deviation. */
static void push_level(struct explore *e)
{
	struct sim_script *d = &e->script;
	struct level *l = &e->level[e->n_levels++];

	l->n = d->n_met < SIM_DECISIONS_MAX ? d->n_met : SIM_DECISIONS_MAX;
	memcpy(l->mask, d->mask, l->n * sizeof l->mask[0]);
	l->at = d->choice[d->n_choices - 1].at + 1;
	l->option = 0;
}

static bool next_choice(struct level *l, struct sim_choice *c)
{
	for (; l->at < l->n; l->at++, l->option = 0)
		for (; l->option < OPTIONS; l->option++)
			if (l->mask[l->at] >> l->option & 1) {
				*c = (struct sim_choice){l->at, l->option++};
				return true;
			}
	return false;
}

/* Near n times the golden ratio, and without a common divisor with n. */
static size_t stride(size_t n)
{
	size_t step = n * 618 / 1000 + 1;

	for (;; step++) {
		size_t a = n, b = step;

		while (b) {
			size_t t = a % b;

			a = b;
			b = t;
		}
		if (a == 1)
			return step;
	}
}
