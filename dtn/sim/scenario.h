/*
 * scenario: a story in a text file: a topology, steps with their times, and the trace that must come out.
 * The form is told in tests/scenario/README.md. Parsing and playing only; the caller reads the files.
 */
#ifndef OWLT_SIM_SCENARIO_H
#define OWLT_SIM_SCENARIO_H

#include "bundle/base/buf.h"
#include "dtn/sim/world.h"

#define SCENARIO_STEPS_MAX 256
#define SCENARIO_SHOW_MAX 64

struct scenario_error {
	unsigned line;
	char text[160];
};

struct scenario;

/* The text is borrowed until scenario_free(). 0, or -E_SYNTAX, -ENOMEM with *e filled. */
int scenario_parse(struct view text, struct scenario **out, struct scenario_error *e) MUST_USE;
void scenario_free(struct scenario *sc);
/* The topology: its text if it stands in the scenario, else the name of its file. */
bool scenario_topology(const struct scenario *sc, struct view *text, struct view *file);
/* Plays it over the topology; what happened is added to *trace, broken invariants as lines that begin with
 * "!". 0, or negative with *e filled. */
int scenario_play(const struct scenario *sc, const struct topo *t, struct buf *trace,
	struct scenario_error *e) MUST_USE;
/* Compares with what the file expects. True: equal. Else *diff gets a listing: "  " both, "- " expected
 * and not there, "+ " there and not expected. */
bool scenario_matches(const struct scenario *sc, struct view trace, struct buf *diff);

#endif
