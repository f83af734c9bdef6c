/*
 * emulator_process: see emulator_process.h. The child is a fork that goes on with the runner's topology in
 * its memory; it says one byte when it is ready and reads the clock line from a second pipe.
 */
#include "netns/emulator_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_NS (5 * NS_PER_S)

static void become_emulator(
	const struct emulator_process *p, const struct lab *l, const int fd[2], pid_t parent);

int emulator_process_start(
	struct emulator_process *p, const struct lab *l, const int *close_fd, unsigned n)
{
	int ready[2], go[2];
	pid_t parent = getpid();
	char byte;
	ssize_t got;

	p->shared = mmap(
		NULL, sizeof *p->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p->shared == MAP_FAILED)
		return -ENOMEM;
	if (pipe2(ready, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(go, O_CLOEXEC) < 0)
		return -errno;
	fflush(stdout);
	p->pid = fork();
	if (p->pid == 0) {
		for (unsigned k = 0; k < n; k++)
			close(close_fd[k]);
		close(ready[0]);
		close(go[1]);
		become_emulator(p, l, (const int[2]){ready[1], go[0]}, parent);
	}
	close(ready[1]);
	close(go[0]);
	p->start_fd = go[1];
	if (p->pid < 0)
		return -errno;
	do
		got = read(ready[0], &byte, 1);
	while (got < 0 && errno == EINTR);
	close(ready[0]);
	return got == 1 ? 0 : -EPIPE;
}

int emulator_process_go(struct emulator_process *p, const struct lab_clock *clock)
{
	ssize_t n = write(p->start_fd, clock, sizeof *clock);

	close(p->start_fd);
	p->start_fd = -1;
	return n == sizeof *clock ? 0 : -EPIPE;
}

int emulator_process_stop(struct emulator_process *p)
{
	int64_t end = clock_now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
	int status = 0;

	if (p->start_fd >= 0)
		close(p->start_fd); /* it may still wait for the clock line */
	p->start_fd = -1;
	if (p->pid <= 0)
		return 0;
	kill(p->pid, SIGTERM);
	while (waitpid(p->pid, &status, WNOHANG) == 0) {
		if (clock_now_ns(CLOCK_MONOTONIC) > end)
			kill(p->pid, SIGKILL);
		poll(NULL, 0, 2);
	}
	p->pid = 0;
	return status;
}

/* In the child; does not return. fd: where to say "ready", where to wait for the clock. */
static void become_emulator(
	const struct emulator_process *p, const struct lab *l, const int fd[2], pid_t parent)
{
	const struct lab_options *opt = l->opt;
	char capture[LAB_PATH_MAX], links[LAB_PATH_MAX], note[160];
	struct emulator_cfg cfg = {.topo = l->topo,
		.ifindex = (const int(*)[2])l->ifindex,
		.ns_fd = l->links_ns,
		.capture_path = opt->no_capture ? NULL : capture,
		.links_path = links,
		.note = note,
		.capture_limits = opt->capture_limits,
		.memory_limit = opt->memory_limit,
		.seed = opt->seed,
		.ready_fd = fd[0],
		.start_fd = fd[1],
		.parent = parent,
		.shared = p->shared};

	setpgid(0, 0);
	rundir_path(l, "frames.pcapng", NULL, capture);
	rundir_path(l, "links.json", NULL, links);
	snprintf(
		note, sizeof note, "lab %s, speed %g; times are lab time", l->topo->name, l->speed);
	_exit(emulator_run(&cfg));
}
