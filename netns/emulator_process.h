/*
 * emulator_process: the link emulator seen by the runner: started, given its clock line, ended.
 */
#ifndef OWLT_NETNS_EMULATOR_PROCESS_H
#define OWLT_NETNS_EMULATOR_PROCESS_H

#include "netns/emulator.h"
#include "netns/lab.h"

struct emulator_process {
	pid_t pid;                      /* 0 = none */
	int start_fd;                   /* where it waits for the clock line; -1 */
	struct emulator_shared *shared; /* lives as long as the runner */
};

/* Forks it; returns when it is set up and has measured the machine. Descriptors close_fd[0..n-1] are the
 * runner's alone. 0 or -errno. */
int emulator_process_start(
	struct emulator_process *p, const struct lab *l, const int *close_fd, unsigned n) MUST_USE;
/* Lab time begins. */
int emulator_process_go(struct emulator_process *p, const struct lab_clock *clock) MUST_USE;
/* SIGTERM, and SIGKILL after five seconds; its wait status. */
int emulator_process_stop(struct emulator_process *p);

#endif
