/*
 * daemons: see daemons.h. A daemon's standard output is a pipe to the runner until it says "ready", and
 * is copied to its log afterwards; its standard error is its log. Each is in a process group of its own, so that
 * Ctrl-C reaches the runner alone, which then ends the lab in order.
 */
#include "netns/daemons.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define REASON_BYTES 1000 /* of a log's end */

static int64_t log_size(const struct lab *l, size_t node);
static char *log_end(const struct lab *l, size_t node, char text[REASON_BYTES + 1]);
static void tell_reason(struct lab *l, size_t node);
static void become_daemon(const struct lab *l, size_t node, int out, pid_t parent);
static void say(const struct lab *l, size_t node, const char *what);

int daemon_start(struct lab *l, size_t node)
{
	struct lab_node *n = &l->node[node];
	pid_t parent = getpid();
	int fd[2];

	if (n->out_fd >= 0)
		close(n->out_fd);
	n->out_fd = -1;
	if (pipe2(fd, O_CLOEXEC) < 0)
		return -errno;
	n->is_ready = n->is_asked = false;
	n->log_from = log_size(l, node);
	n->pid = fork();
	if (n->pid == 0)
		become_daemon(l, node, fd[1], parent);
	close(fd[1]);
	if (n->pid < 0) {
		int err = -errno;

		n->pid = 0;
		close(fd[0]);
		return err;
	}
	n->out_fd = fd[0];
	return fcntl(fd[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

void daemon_read(struct lab *l, size_t node)
{
	struct lab_node *n = &l->node[node];
	char text[4096], path[LAB_PATH_MAX];
	ssize_t got = read(n->out_fd, text, sizeof text - 1);
	int log;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		close(n->out_fd);
		n->out_fd = -1;
		return;
	}
	text[got] = 0;
	if (!n->is_ready && strstr(text, "ready")) {
		n->is_ready = true;
		daemon_answer(l, node, "ok");
	}
	rundir_path(l, "nodes/%s/owltd.log", l->topo->node[node].name, path);
	log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (log >= 0 && write(log, text, (size_t)got) < 0)
		say(l, node, "its log could not be written");
	if (log >= 0)
		close(log);
}

bool daemon_ended(struct lab *l, pid_t pid, int status)
{
	for (size_t k = 0; k < l->topo->n_nodes; k++) {
		struct lab_node *n = &l->node[k];
		char text[LAB_PATH_MAX + 120];
		int len;

		if (n->pid != pid)
			continue;
		n->pid = 0;
		n->is_ready = false;
		if (n->is_asked) {
			daemon_answer(l, k, "error it ended before it was ready");
			return false;
		}
		len = snprintf(text, sizeof text,
			WIFSIGNALED(status) ? "died of signal %d; see "
					    : "ended with exit code %d; see ",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		rundir_path(l, "nodes/%s/owltd.log", l->topo->node[k].name, text + len);
		say(l, k, text);
		tell_reason(l, k);
		return true;
	}
	return false;
}

void daemon_kill(struct lab *l, size_t node)
{
	struct lab_node *n = &l->node[node];

	if (!n->pid)
		return;
	n->is_asked = true;
	kill(n->pid, SIGKILL);
	while (waitpid(n->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	n->pid = 0;
	n->is_ready = false;
	daemon_answer(l, node, "error it was killed before it was ready");
}

void daemons_stop(struct lab *l, int patience_ms)
{
	int64_t end = clock_now_ns(CLOCK_MONOTONIC) + patience_ms * NS_PER_MS;

	for (size_t k = 0; k < l->topo->n_nodes; k++) {
		l->node[k].is_asked = true;
		if (l->node[k].pid)
			kill(l->node[k].pid, SIGTERM);
	}
	while (daemons_running(l) > 0 && clock_now_ns(CLOCK_MONOTONIC) < end) {
		for (size_t k = 0; k < l->topo->n_nodes; k++) {
			struct lab_node *n = &l->node[k];

			if (n->out_fd >= 0)
				daemon_read(l, k);
			if (n->pid && waitpid(n->pid, NULL, WNOHANG) == n->pid)
				n->pid = 0;
		}
		poll(NULL, 0, 5);
	}
	for (size_t k = 0; k < l->topo->n_nodes; k++) {
		if (l->node[k].pid)
			say(l, k, "did not end by itself and was killed");
		daemon_kill(l, k);
	}
}

void daemon_answer(struct lab *l, size_t node, const char *text)
{
	struct lab_node *n = &l->node[node];

	if (n->waiter < 0)
		return;
	(void)!send(n->waiter, text, strlen(text), MSG_NOSIGNAL);
	close(n->waiter);
	n->waiter = -1;
}

bool daemons_ready(const struct lab *l)
{
	for (size_t k = 0; k < l->topo->n_nodes; k++)
		if (!l->node[k].is_ready)
			return false;
	return true;
}

size_t daemons_running(const struct lab *l)
{
	size_t n = 0;

	for (size_t k = 0; l->node && k < l->topo->n_nodes; k++)
		n += l->node[k].pid != 0;
	return n;
}

static int64_t log_size(const struct lab *l, size_t node)
{
	char path[LAB_PATH_MAX];
	struct stat st;

	rundir_path(l, "nodes/%s/owltd.log", l->topo->node[node].name, path);
	return stat(path, &st) == 0 ? st.st_size : 0;
}

/* The last whole lines of what it said since it was started; "" when nothing. */
static char *log_end(const struct lab *l, size_t node, char text[REASON_BYTES + 1])
{
	int64_t from = l->node[node].log_from, size = log_size(l, node);
	bool is_cut = size - from > REASON_BYTES;
	char path[LAB_PATH_MAX], *line;
	ssize_t n = 0;
	int fd;

	rundir_path(l, "nodes/%s/owltd.log", l->topo->node[node].name, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		n = pread(fd, text, REASON_BYTES, is_cut ? size - REASON_BYTES : from);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	for (n = (ssize_t)strlen(text); n > 0 && text[n - 1] == '\n'; n--)
		text[n - 1] = 0;
	line = is_cut ? strchr(text, '\n') : NULL;
	return line ? line + 1 : text;
}

/* Why it ended: in its own words, here and to who waits for it. */
static void tell_reason(struct lab *l, size_t node)
{
	char text[REASON_BYTES + 1], answer[REASON_BYTES + 80];
	const char *last, *why = log_end(l, node, text);

	if (*why)
		fprintf(stderr, "%s\n", why);
	last = strrchr(why, '\n');
	last = last ? last + 1 : why;
	snprintf(answer, sizeof answer, "error it ended before it was ready%s%s",
		*last ? ": " : "; its owltd.log is empty", last);
	daemon_answer(l, node, answer);
}

/* In the child; does not return. */
static void become_daemon(const struct lab *l, size_t node, int out, pid_t parent)
{
	char config[LAB_PATH_MAX], path[LAB_PATH_MAX], name[] = "owltd", flag[] = "-c";
	char *argv[] = {name, flag, config, NULL};
	sigset_t none;
	int log, null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	rundir_path(l, "nodes/%s/owltd.json", l->topo->node[node].name, config);
	rundir_path(l, "nodes/%s/owltd.log", l->topo->node[node].name, path);
	log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	setpgid(0, 0);
	if (null < 0 || log < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(log, 2) < 0)
		_exit(126);
	if (space_enter_net(l->node[node].ns_fd) != 0)
		_exit(126);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	unsetenv("OWLT_LABS"); /* ours, not settings of owltd */
	unsetenv("OWLT_SOCKET");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(l->opt->program, argv);
	dprintf(2, "owlt lab: %s: %s\n", l->opt->program, strerror(errno));
	_exit(127);
}

static void say(const struct lab *l, size_t node, const char *what)
{
	fprintf(stderr, "owlt lab: %s: owltd %s\n", l->topo->node[node].name, what);
}
