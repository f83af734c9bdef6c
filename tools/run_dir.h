/*
 * run_dir: the folder that a lab or a simulation leaves behind, opened: its topology, its clock line
 * (run.json), its event logs and its capture, mapped file by file.
 */
#ifndef OWLT_TOOLS_RUN_DIR_H
#define OWLT_TOOLS_RUN_DIR_H

#include "dtn/dataset/dataset.h"

#define RUN_PATH_MAX 1024

struct run_dir {
	char path[RUN_PATH_MAX];
	char name[DATASET_RUN_ID_MAX]; /* last part of the path */
	struct topo *topo;
	dtntime dtn0_ms; /* 0: no run.json */
	int64_t mono0_ns;
	double speed;
	uint64_t runner_pid; /* 0: not told */
};

/* A file as bytes; n = 0 and p = NULL for an empty one. */
struct file_map {
	struct view bytes;
};

int file_map_open(struct file_map *m, const char *path) MUST_USE;
void file_map_close(struct file_map *m);

/* 0, or negative after an error message. */
int run_dir_open(struct run_dir *r, const char *path) MUST_USE;
void run_dir_close(struct run_dir *r);
/* PATH/name into out. */
void run_dir_path(const struct run_dir *r, const char *name, char out[RUN_PATH_MAX]);
/* Gives every event line, then every frame, to the data set; progress goes to stderr if it takes long
 * and stderr is a terminal. 0 (no logs or no capture is no error; *n tells how many), or negative
 * after a message. */
int run_dir_feed_events(const struct run_dir *r, struct dataset *d, unsigned *n) MUST_USE;
int run_dir_feed_frames(const struct run_dir *r, struct dataset *d, uint64_t *n) MUST_USE;

#endif
