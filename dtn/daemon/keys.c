/*
 * keys: the keys of the security rules: from security.keys, a file that nobody else may read, or from
 * the standard output of security.keys_command, run once while the daemon starts, with a limit on bytes
 * and time. They are in memory until the node has made its contexts, then wiped. Start reading at
 * keys_open.
 */
#include "dtn/daemon/daemon.h"

#include "dtn/io/keyfile.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEYS_BYTES (1u << 20)
#define COMMAND_NS INT64_C(10000000000)

static int run(const char *command, struct view *text);
static int read_within(int fd, char *p, size_t cap, size_t *n, int64_t end_ns);
static void child(const char *command, int out);

static void complain(const char *what, int err, const struct keyring_fault *f)
{
	if (f->line)
		fprintf(stderr, "%s:%u: %s\n", what, f->line, f->text);
	else
		fprintf(stderr, "%s: %s\n", what, *f->text ? f->text : err_text(err));
}

int keys_open(const struct daemon_cfg *cfg, bool run_command, struct keyring **out)
{
	struct keyring_fault f = {0};
	struct view text = {0};
	int err = 0;

	*out = NULL;
	if (cfg->node.agent.security.n_lab_keys > 0 && !*cfg->lab_run) {
		fprintf(stderr, "owltd: security.lab_keys: only in a lab (lab.run); see "
				"security.keys\n");
		return -E_CONFIG;
	}
	if (*cfg->keys && *cfg->keys_command) {
		fprintf(stderr, "owltd: security.keys and security.keys_command: one of them, not "
				"both\n");
		return -E_CONFIG;
	}
	if (*cfg->keys) {
		err = keyfile_load(cfg->keys, out, &f);
		if (err)
			complain(cfg->keys, err, &f);
		return err;
	}
	if (!*cfg->keys_command || !run_command)
		return 0;
	err = run(cfg->keys_command, &text);
	if (err) {
		fprintf(stderr, "owltd: security.keys_command \"%s\": %s\n", cfg->keys_command,
			err == -EIO ? "it failed" : err_text(err));
		return err;
	}
	err = keyring_parse(text, out, &f);
	if (err)
		complain("owltd: output of security.keys_command", err, &f);
	crypto_wipe((void *)(uintptr_t)text.p, text.n);
	free((void *)(uintptr_t)text.p);
	return err;
}

/* The command's whole output; the caller frees it. -ETIMEDOUT, -E_LIMIT, -EIO (its status is not 0). */
static int run(const char *command, struct view *text)
{
	int64_t end_ns = clock_mono_ns() + COMMAND_NS;
	char *p = malloc(KEYS_BYTES + 1);
	int pipe_fd[2], status = 0, err = 0;
	size_t n = 0;
	pid_t pid;

	if (!p || pipe2(pipe_fd, O_CLOEXEC) < 0) {
		free(p);
		return p ? -errno : -ENOMEM;
	}
	pid = fork();
	if (pid == 0)
		child(command, pipe_fd[1]);
	close(pipe_fd[1]);
	err = pid < 0 ? -errno : read_within(pipe_fd[0], p, KEYS_BYTES + 1, &n, end_ns);
	close(pipe_fd[0]);
	if (pid > 0 && err)
		kill(-pid, SIGKILL);
	if (pid > 0 && waitpid(pid, &status, 0) == pid && !err && status != 0)
		err = -EIO;
	if (!err && n > KEYS_BYTES)
		err = -E_LIMIT;
	*text = view_of(p, n);
	if (err) {
		crypto_wipe(p, n);
		free(p);
	}
	return err;
}

static int read_within(int fd, char *p, size_t cap, size_t *n, int64_t end_ns)
{
	for (;;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		int64_t left_ms = (end_ns - clock_mono_ns()) / 1000000;
		ssize_t got;

		if (left_ms <= 0 || *n == cap)
			return *n == cap ? -E_LIMIT : -ETIMEDOUT;
		if (poll(&wait, 1, (int)left_ms) <= 0)
			continue;
		got = read(fd, p + *n, cap - *n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : 0;
		*n += (size_t)got;
	}
}

static void child(const char *command, int out)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	setpgid(0, 0);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(127);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}
