/*
 * runner: one lab from its first process to its last.
 */
#ifndef OWLT_NETNS_RUNNER_H
#define OWLT_NETNS_RUNNER_H

#include "netns/lab.h"

/* Runs a lab in this process until its end; the exit code of `owlt lab run`: 0, 1 if a node died
 * unasked or the counters don't balance, 2 if it could not be set up. ready_fd: one byte is written
 * there when every node is ready; -1 = none. */
int runner_run(const struct lab_options *opt, int ready_fd);
/* Default directory of a run: ./runs/LAB-TIME. */
void runner_default_dir(const char *lab, char dir[LAB_PATH_MAX]);

#endif
