/*
 * janitor: see janitor.h. The runner's end of the pipe closes when the runner ends, however it does; that is the
 * signal, in an orderly end and in a kill -9 alike. Lines on the pipe: "n INODE" and "f PATH". The daemons
 * and the emulator die with the runner by themselves (PR_SET_PDEATHSIG); what the janitor finds are
 * programs that users started in a node.
 */
#include "netns/janitor.h"
#include "netns/space.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIES 100 /* of 50 ms */
#define SPACES_MAX 8192u
#define FILES_MAX 16384u

struct chores {
	uint64_t inode[SPACES_MAX];
	unsigned n_inodes;
	char *file[FILES_MAX];
	unsigned n_files;
};

static void detach(int keep);
static void work(int fd);
static void take_line(struct chores *c, char *line);

int janitor_start(struct janitor *j)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) < 0)
		return -errno;
	j->pid = fork();
	if (j->pid == 0) {
		close(fd[1]);
		detach(fd[0]);
		work(fd[0]);
		_exit(0);
	}
	close(fd[0]);
	j->fd = fd[1];
	if (j->pid > 0)
		return 0;
	close(fd[1]);
	return -errno;
}

void janitor_space(const struct janitor *j, uint64_t inode)
{
	dprintf(j->fd, "n %llu\n", (unsigned long long)inode);
}

void janitor_file(const struct janitor *j, const char *path)
{
	dprintf(j->fd, "f %s\n", path);
}

void janitor_end(struct janitor *j)
{
	close(j->fd);
	while (waitpid(j->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/* Nothing of the terminal, no signal that is meant for the runner. */
static void detach(int keep)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_IGN);
	prctl(PR_SET_NAME, "owlt-janitor");
	for (int fd = 0; fd <= 2 && null >= 0; fd++)
		if (fd != keep)
			dup2(null, fd);
	for (int fd = 3; fd < 1024; fd++)
		if (fd != keep)
			close(fd);
	if (chdir("/") < 0)
		return; /* it only keeps a directory busy */
}

static void work(int fd)
{
	struct chores *c = calloc(1, sizeof *c);
	FILE *in = fdopen(fd, "r");
	char *line = NULL;
	size_t cap = 0;

	if (!c || !in)
		return;
	while (getline(&line, &cap, in) > 0)
		take_line(c, line);
	for (unsigned k = 0; k < TRIES; k++) {
		if (space_kill_all(c->inode, c->n_inodes) == 0)
			break;
		poll(NULL, 0, 50);
	}
	for (unsigned k = 0; k < c->n_files; k++)
		unlink(c->file[k]);
}

static void take_line(struct chores *c, char *line)
{
	line[strcspn(line, "\n")] = 0;
	if (line[0] == 'n' && c->n_inodes < SPACES_MAX)
		c->inode[c->n_inodes++] = strtoull(line + 2, NULL, 10);
	else if (line[0] == 'f' && c->n_files < FILES_MAX &&
		 (c->file[c->n_files] = strdup(line + 2)))
		c->n_files++;
}
