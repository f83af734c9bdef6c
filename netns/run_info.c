/*
 * run_info: a running lab seen from outside, see lab.h: its run.json, requests to its runner, and programs in
 * a node's namespaces. A program's parent stays outside and watches the runner (pidfd): when the lab
 * is gone, so is the program.
 */
#include "netns/lab.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int connect_to(const char *path);
static void become_program(
	const struct run_info *r, const struct json *node, char **argv, pid_t parent);
static void put_own_folder_first(void);
static int watch(pid_t program, pid_t runner);

int run_info_open(struct run_info *r, const char *lab)
{
	char path[LAB_PATH_MAX + 16];
	struct view text = {0};
	uint64_t pid = 0;
	unsigned line;
	int err = lab_locate(lab, r->dir);

	r->doc = NULL;
	if (!err) {
		snprintf(path, sizeof path, "%s/run.json", r->dir);
		err = lab_read_file(path, &text);
	}
	if (!err)
		err = json_parse(text, &r->doc, &line);
	free((void *)(uintptr_t)text.p);
	if (!err)
		err = json_u64(json_get(r->doc, "runner_pid"), &pid);
	r->runner_pid = (pid_t)pid;
	if (!err) {
		/* The socket tells, not the number: a number may be used again. */
		int fd;

		snprintf(path, sizeof path, "%s/lab.sock", r->dir);
		fd = connect_to(path);
		r->is_running = fd >= 0;
		if (fd >= 0)
			close(fd);
	}
	if (err)
		fprintf(stderr, "owlt lab: %s: no such lab runs here; `owlt lab up %s` starts it\n",
			lab, lab);
	return err;
}

void run_info_close(struct run_info *r)
{
	json_free(r->doc);
}

const struct json *run_info_node(const struct run_info *r, const char *name)
{
	const struct json *nodes = json_get(r->doc, "nodes");

	for (const struct json *n = json_first(nodes); n; n = json_next(n)) {
		const char *its = json_text(json_get(n, "name")),
			   *id = json_text(json_get(n, "id"));

		if ((its && strcmp(its, name) == 0) || (id && strcmp(id, name) == 0))
			return n;
	}
	return NULL;
}

int run_info_ask(const struct run_info *r, const char *line)
{
	char path[LAB_PATH_MAX + 16], answer[1200];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "%s/lab.sock", r->dir);
	fd = connect_to(path);
	if (fd < 0 || send(fd, line, strlen(line), MSG_NOSIGNAL) < 0) {
		fprintf(stderr, "owlt lab: %s: the lab does not run\n", r->dir);
		if (fd >= 0)
			close(fd);
		return -E_CLOSED;
	}
	do
		n = recv(fd, answer, sizeof answer - 1, 0);
	while (n < 0 && errno == EINTR);
	close(fd);
	answer[n > 0 ? n : 0] = 0;
	if (strncmp(answer, "ok", 2) == 0)
		return 0;
	fprintf(stderr, "owlt lab: %s: %s\n", line,
		strncmp(answer, "error ", 6) == 0 ? answer + 6
						  : "the lab ended before it answered");
	return -E_REFUSED;
}

int run_info_exec(const struct run_info *r, const char *node, char **argv)
{
	const struct json *n = run_info_node(r, node);
	pid_t self = getpid(), pid;

	if (!n) {
		fprintf(stderr, "owlt lab: %s: no such node in this lab\n", node);
		return 2;
	}
	if (!r->is_running) {
		fprintf(stderr, "owlt lab: %s: the lab does not run any more\n", r->dir);
		return 2;
	}
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		become_program(r, n, argv, self);
	if (pid < 0) {
		fprintf(stderr, "owlt lab: %s\n", strerror(errno));
		return 2;
	}
	return watch(pid, r->runner_pid);
}

static int connect_to(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof at.sun_path)
		return -ENAMETOOLONG;
	strcpy(at.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&at, sizeof at) < 0) {
		close(fd);
		return -ECONNREFUSED;
	}
	return fd;
}

/* In the child; does not return. */
static void become_program(
	const struct run_info *r, const struct json *node, char **argv, pid_t parent)
{
	const char *sock = json_text(json_get(node, "socket"));
	uint64_t ns_fd = 0;
	int err = json_u64(json_get(node, "ns_fd"), &ns_fd);

	if (!err)
		err = space_enter_of(r->runner_pid, (int)ns_fd);
	if (err) {
		fprintf(stderr, "owlt lab: can't enter the node's namespace: %s\n", err_text(err));
		_exit(2);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(2);
	if (sock)
		setenv("OWLT_SOCKET", sock, 1);
	put_own_folder_first();
	execvp(argv[0], argv);
	fprintf(stderr, "owlt lab: %s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* `owlt` in a lab is the one that runs the lab, installed or not. */
static void put_own_folder_first(void)
{
	const char *path = getenv("PATH");
	char self[4096], all[8192];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash;

	if (n <= 0)
		return;
	self[n] = 0;
	slash = strrchr(self, '/');
	if (!slash)
		return;
	*slash = 0;
	if ((size_t)snprintf(all, sizeof all, "%s:%s", self, path ? path : "/usr/bin:/bin") <
		sizeof all)
		setenv("PATH", all, 1);
}

static int watch(pid_t program, pid_t runner)
{
	struct pollfd p[2] = {{.fd = (int)syscall(SYS_pidfd_open, program, 0), .events = POLLIN},
		{.fd = (int)syscall(SYS_pidfd_open, runner, 0), .events = POLLIN}};
	int status = 0;

	signal(SIGINT, SIG_IGN); /* the program's business: it is in the same group */
	signal(SIGQUIT, SIG_IGN);
	while (p[0].fd >= 0 && poll(p, 2, -1) < 0 && errno == EINTR)
		continue;
	if (p[1].revents && !p[0].revents)
		kill(program, SIGKILL);
	while (waitpid(program, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
