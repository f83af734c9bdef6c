/*
 * sim_run: what `owlt sim` does with a topology: reading its files, runs with consecutive seeds, the
 * summary, and a RUN_DIR as a lab writes it.
 */
#ifndef OWLT_TOOLS_SIM_RUN_H
#define OWLT_TOOLS_SIM_RUN_H

#include "dtn/sim/world.h"

#include <stdio.h>

struct sim_options {
	uint64_t seed, runs;
	int64_t until;
	double crashes_per_h, loss;
	const char *dir;
	bool json, print, force;
	/* sim_explore.c */
	uint64_t explore, jobs; /* explore: UINT64_MAX = no */
	const char *replay;
	int64_t down_us, commit_us, limit_us;
};

/* A topology with the texts it was read from. */
struct sim_file {
	struct view text, plan_text; /* heap */
	char *plan_name;             /* NULL: inside, or none */
	struct topo *topo;
};

/* Exit codes: 0, or a message was printed. */
int sim_text_read(const char *path, struct view *out) MUST_USE;
int sim_file_read(const char *path, struct sim_file *f) MUST_USE;
/* From text that is copied; a plan file is looked for beside `path`. */
int sim_file_parse(const char *path, struct view text, struct sim_file *f) MUST_USE;
void sim_file_free(struct sim_file *f);

int cmd_sim(int argc, char **argv);
int sim_run_all(const struct sim_options *o, const struct sim_file *f);
/* Everything that can go wrong, up to o->explore deviations; or one such run, told. */
int sim_explore_all(const struct sim_options *o, const struct sim_file *f);
int sim_replay(const struct sim_options *o, const struct sim_file *f);

/* A RUN_DIR that is being written: o->dir, new or empty, or whatever it holds with o->force. */
struct sim_dir_writer;
int sim_dir_open(const struct sim_options *o, const struct sim_file *f, uint64_t seed,
	struct sim_dir_writer **out) MUST_USE;
void sim_dir_record(struct sim_dir_writer *w, const struct sim *s, const struct sim_record *r);
/* 0, or a message was printed. */
int sim_dir_close(struct sim_dir_writer *w) MUST_USE;

#endif
