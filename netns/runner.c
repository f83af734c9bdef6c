/*
 * runner: see runner.h. Processes: the runner; its janitor (own session); the emulator; one owltd per node. All
 * but the janitor die with the runner (PR_SET_PDEATHSIG); namespaces are held by processes and descriptors
 * alone, so nothing is left when they are gone.
 *
 * Order: directory and files, janitor, rights, namespaces and links, emulator (which measures the machine; a
 * speed beyond it is refused), clock line in run.json, daemons, then the loop until the end.
 * Requests ("kill NODE", "start NODE", "cut LINK", "mend LINK", "down") come as single messages on RUN_DIR/lab.sock.
 *
 * Start reading at runner_run().
 */
#include "netns/runner.h"
#include "bundle/base/units.h"
#include "netns/daemons.h"
#include "netns/emulator_process.h"
#include "netns/janitor.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_MS 15000
#define DRAIN_MS 8000
#define LEAD_NS NS_PER_S /* lab time 0 is this long after run.json was written */

struct runner {
	struct lab lab;
	struct janitor janitor;
	struct emulator_process emulator;
	int signal_fd, listen_fd, down_fd;
	int64_t told_at;
	mono until;
	bool is_stopping, has_failed, has_janitor, was_ready;
	char name_path[LAB_PATH_MAX];
};

static int set_up(struct runner *r, const struct lab_options *opt);
static int set_up_dir(struct runner *r, const struct lab_options *opt);
static int set_up_signals(struct runner *r);
static int set_up_spaces(struct runner *r);
static void tell_janitor(struct runner *r);
static int listen_at(const char *path);
static int check_speed(const struct runner *r);
static int start_clock(struct runner *r);
static mono end_of(const struct lab *l);
static int start_nodes(struct runner *r);
static void announce(const struct runner *r);
static void turn(struct runner *r);
static void take_signals(struct runner *r);
static void reap(struct runner *r);
static void take_request(struct runner *r);
static bool obey(struct runner *r, char *line, int fd);
static const char *set_cut(struct runner *r, const char *link, bool is_cut);
static void show_progress(struct runner *r);
static void stop(struct runner *r);
static void stop_emulator(struct runner *r);
static void conclude(struct runner *r);
static void tear_down(struct runner *r);

int runner_run(const struct lab_options *opt, int ready_fd)
{
	struct runner r = {
		.emulator = {.start_fd = -1}, .signal_fd = -1, .listen_fd = -1, .down_fd = -1};
	int err = set_up(&r, opt), status;

	if (!err)
		err = start_nodes(&r);
	if (!err && !r.is_stopping) {
		announce(&r);
		if (ready_fd >= 0 && write(ready_fd, "", 1) != 1)
			fprintf(stderr, "owlt lab: nobody waits for this lab\n");
	}
	while (!err && !r.is_stopping)
		turn(&r);
	if (r.emulator.pid > 0 || daemons_running(&r.lab) > 0)
		stop(&r);
	if (!err)
		conclude(&r);
	status = err ? 2 : r.has_failed ? 1 : 0;
	tear_down(&r);
	return status;
}

void runner_default_dir(const char *lab, char dir[LAB_PATH_MAX])
{
	const char *slash = strrchr(lab, '/'), *name = slash ? slash + 1 : lab,
		   *dot = strrchr(name, '.');
	time_t now = time(NULL);
	struct tm tm;
	char text[32];

	gmtime_r(&now, &tm);
	strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &tm);
	snprintf(dir, LAB_PATH_MAX, "runs/%.*s-%s", (int)(dot ? dot - name : (long)strlen(name)),
		name, text);
}

static int set_up(struct runner *r, const struct lab_options *opt)
{
	struct lab *l = &r->lab;
	char path[LAB_PATH_MAX];
	int err;

	l->opt = opt;
	l->uid = geteuid();
	l->links_ns = -1;
	err = set_up_dir(r, opt);
	if (!err)
		err = set_up_signals(r);
	if (!err)
		err = janitor_start(&r->janitor);
	r->has_janitor = !err;
	if (!err)
		err = set_up_spaces(r);
	if (!err)
		tell_janitor(r);
	if (!err) {
		rundir_path(l, "lab.sock", NULL, path);
		err = r->listen_fd = listen_at(path);
		err = err < 0 ? err : 0;
	}
	if (!err) {
		const int own[] = {r->janitor.fd, r->listen_fd, r->signal_fd};

		err = emulator_process_start(&r->emulator, l, own, 3);
	}
	if (!err)
		err = check_speed(r);
	return err ? err : start_clock(r);
}

/* Topology, directory, and the name under which the lab is found. */
static int set_up_dir(struct runner *r, const struct lab_options *opt)
{
	struct lab *l = &r->lab;
	char path[LAB_PATH_MAX], real[PATH_MAX];
	struct view text = {0};
	int err = lab_find(opt->lab, path);

	if (err) {
		fprintf(stderr, "owlt lab: %s: no such lab; `owlt lab list` names them\n",
			opt->lab);
		return err;
	}
	err = lab_load(path, &l->topo, &text);
	if (err) {
		rmdir(opt->run_dir); /* made for nothing */
		return err;
	}
	l->speed = opt->speed > 0 ? opt->speed : l->topo->speed;
	l->node = calloc(l->topo->n_nodes + 1, sizeof *l->node);
	l->ifindex = calloc(l->topo->n_links + 1, sizeof *l->ifindex);
	if (!l->node || !l->ifindex)
		return -ENOMEM;
	for (size_t k = 0; k < l->topo->n_nodes; k++)
		l->node[k] = (struct lab_node){.ns_fd = -1, .out_fd = -1, .waiter = -1};
	if ((mkdir(opt->run_dir, 0755) < 0 && errno != EEXIST) || !realpath(opt->run_dir, real)) {
		fprintf(stderr, "owlt lab: %s: %s\n", opt->run_dir, strerror(errno));
		return -EIO;
	}
	snprintf(l->dir, sizeof l->dir, "%.*s", LAB_PATH_MAX - 128, real);
	err = rundir_make(l, text);
	free((void *)(uintptr_t)text.p);
	if (!err && lab_register(l) != 0)
		fprintf(stderr, "owlt lab: it is found by its directory only, not by its name\n");
	lab_unregister_path(l, r->name_path);
	return err;
}

static int set_up_signals(struct runner *r)
{
	struct rlimit files;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	return r->signal_fd < 0 ? -errno : 0;
}

static int set_up_spaces(struct runner *r)
{
	struct lab *l = &r->lab;
	const char *why = "";
	char text[80];
	int err = space_get_rights(&l->rights, &why);

	if (err) {
		fprintf(stderr, "owlt lab: no rights to make network namespaces: %s (%s)\n", why,
			err_text(err));
		return err;
	}
	printf("rights: %s\n", space_rights_text(l->rights, l->uid, text));
	return build_net(l);
}

static void tell_janitor(struct runner *r)
{
	const struct lab *l = &r->lab;
	char path[LAB_PATH_MAX];

	for (size_t k = 0; k < l->topo->n_nodes; k++) {
		janitor_space(&r->janitor, space_inode(l->node[k].ns_fd));
		rundir_path(l, "nodes/%s/owltd.sock", l->topo->node[k].name, path);
		janitor_file(&r->janitor, path);
	}
	rundir_path(l, "lab.sock", NULL, path);
	janitor_file(&r->janitor, path);
	if (r->name_path[0])
		janitor_file(&r->janitor, r->name_path);
}

static int listen_at(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof at.sun_path) {
		close(fd);
		return -ENAMETOOLONG;
	}
	strcpy(at.sun_path, path);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 8) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static int check_speed(const struct runner *r)
{
	double need = measure_need(r->lab.topo, r->lab.speed),
	       can = (double)r->emulator.shared->capacity;

	printf("link emulator: %.0f frames of 1400 B per second here%s, the links may ask for "
	       "%.0f\n",
		can, r->emulator.shared->has_realtime ? ", realtime priority" : "", need);
	if (need <= can)
		return 0;
	fprintf(stderr,
		"owlt lab: speed %g is more than this machine can emulate; at most about %.3g\n",
		r->lab.speed, r->lab.speed * can / need);
	return -E_LIMIT;
}

static int start_clock(struct runner *r)
{
	struct lab *l = &r->lab;
	int64_t now = clock_now_ns(CLOCK_MONOTONIC), real = clock_now_ns(CLOCK_REALTIME);
	int err;

	l->clock = (struct lab_clock){.mono0_ns = now + LEAD_NS, .speed = l->speed};
	l->clock.dtn0_ms = (dtntime)((real + LEAD_NS) / NS_PER_MS - DTN_EPOCH_UNIX_S * 1000);
	if (l->topo->plan && l->topo->plan->reference_ms)
		l->clock.dtn0_ms = l->topo->plan->reference_ms;
	r->until = end_of(l);
	err = rundir_write_run(l);
	return err ? err : emulator_process_go(&r->emulator, &l->clock);
}

static mono end_of(const struct lab *l)
{
	const struct plan *p = l->topo->plan;
	mono end = 0;

	if (l->opt->for_us >= 0)
		return l->opt->for_us;
	if (l->opt->is_background || (!p && l->topo->until == MONO_NEVER))
		return MONO_NEVER;
	if (l->topo->until != MONO_NEVER)
		return l->topo->until;
	for (size_t k = 0; k < p->n_contacts; k++) {
		mono e = mono_add(p->contact[k].end, contact_owlt_max_us(p, &p->contact[k]));

		end = e > end ? e : end;
	}
	return end;
}

static int start_nodes(struct runner *r)
{
	struct lab *l = &r->lab;
	int64_t patience = clock_now_ns(CLOCK_MONOTONIC) + READY_MS * NS_PER_MS;
	int err = 0;

	for (size_t k = 0; !err && k < l->topo->n_nodes; k++)
		err = daemon_start(l, k);
	if (!err)
		err = rundir_write_run(l);
	/* Nobody is told before lab time 0, so that users see no negative times. */
	while (!err && !r->is_stopping &&
		(!daemons_ready(l) || clock_now_ns(CLOCK_MONOTONIC) < l->clock.mono0_ns)) {
		turn(r);
		if (r->has_failed)
			err = -ECHILD;
		else if (clock_now_ns(CLOCK_MONOTONIC) > patience)
			err = -ETIMEDOUT;
	}
	for (size_t k = 0; err == -ETIMEDOUT && k < l->topo->n_nodes; k++)
		if (!l->node[k].is_ready)
			fprintf(stderr,
				"owlt lab: %s: owltd is not ready after %d s; see "
				"%s/nodes/%s/owltd.log\n",
				l->topo->node[k].name, READY_MS / 1000, l->dir,
				l->topo->node[k].name);
	return err;
}

static void announce(const struct runner *r)
{
	const struct lab *l = &r->lab;
	mono now = lab_clock_us(&l->clock, clock_now_ns(CLOCK_MONOTONIC));
	char text[48];

	units_print_duration(r->until == MONO_NEVER ? 0 : r->until, text, sizeof text);
	printf("%s: %zu nodes ready, %zu link%s, speed %g, runs %s%s\n", l->topo->name,
		l->topo->n_nodes, l->topo->n_links, l->topo->n_links == 1 ? "" : "s", l->speed,
		r->until == MONO_NEVER ? "until it is stopped" : "for ",
		r->until == MONO_NEVER ? "" : text);
	if ((double)now > 0.1 * l->speed * (double)US_PER_S)
		printf("note: the nodes were ready %.3f s of lab time after the start\n",
			(double)now / 1e6);
	fflush(stdout);
}

/* Waits for something to happen, and takes it. */
static void turn(struct runner *r)
{
	struct lab *l = &r->lab;
	size_t n = l->topo->n_nodes;
	struct pollfd p[2 + TOPO_NODES_MAX];
	int64_t now = clock_now_ns(CLOCK_MONOTONIC), left = NS_PER_S / 4;

	if (now < l->clock.mono0_ns && l->clock.mono0_ns - now < left)
		left = l->clock.mono0_ns - now;
	if (r->until != MONO_NEVER) {
		int64_t end = lab_clock_mono_ns(&l->clock, r->until);

		if (now >= end && r->was_ready) {
			r->is_stopping = true;
			return;
		}
		left = end - now < left ? (end > now ? end - now : 0) : left;
	}
	p[0] = (struct pollfd){.fd = r->signal_fd, .events = POLLIN};
	p[1] = (struct pollfd){.fd = r->listen_fd, .events = POLLIN};
	for (size_t k = 0; k < n; k++)
		p[2 + k] = (struct pollfd){.fd = l->node[k].out_fd, .events = POLLIN};
	poll(p, 2 + n, (int)(left / NS_PER_MS) + 1);
	for (size_t k = 0; k < n; k++)
		if (p[2 + k].revents)
			daemon_read(l, k);
	if (p[0].revents)
		take_signals(r);
	if (p[1].revents)
		take_request(r);
	r->was_ready = r->was_ready || daemons_ready(l);
	if (r->was_ready)
		show_progress(r);
}

static void take_signals(struct runner *r)
{
	struct signalfd_siginfo si;

	while (read(r->signal_fd, &si, sizeof si) == sizeof si)
		if (si.ssi_signo == SIGCHLD)
			reap(r);
		else
			r->is_stopping = true;
}

static void reap(struct runner *r)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (r->has_janitor && pid == r->janitor.pid) {
			r->has_janitor = false;
			fprintf(stderr, "owlt lab: the janitor died; the lab goes on without it\n");
		} else if (pid == r->emulator.pid) {
			r->emulator.pid = 0;
			r->is_stopping = r->has_failed = true;
			fprintf(stderr, "owlt lab: the link emulator died; the lab ends\n");
		} else if (daemon_ended(&r->lab, pid, status)) {
			r->has_failed = true;
		}
	}
}

/* One message, one answer; "start" is answered when the node is ready, "down" by the end. */
static void take_request(struct runner *r)
{
	struct timeval patience = {.tv_usec = 200000};
	int fd = accept4(r->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	char line[128];
	ssize_t n;

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	n = recv(fd, line, sizeof line - 1, 0);
	if (n > 0) {
		line[n] = 0;
		if (obey(r, line, fd))
			return;
	}
	close(fd);
}

/* True if the answer comes later. */
static bool obey(struct runner *r, char *line, int fd)
{
	struct lab *l = &r->lab;
	char *arg = strchr(line, ' ');
	const char *answer = "error not a request that a lab knows";
	size_t node = arg ? topo_node_index(l->topo, arg + 1) : SIZE_MAX;

	if (arg)
		*arg = 0;
	if (strcmp(line, "down") == 0) {
		r->is_stopping = true;
		r->down_fd = fd;
		return true;
	}
	if (arg && (strcmp(line, "cut") == 0 || strcmp(line, "mend") == 0)) {
		answer = set_cut(r, arg + 1, strcmp(line, "cut") == 0);
		(void)!send(fd, answer, strlen(answer), MSG_NOSIGNAL);
		return false;
	}
	if (node == SIZE_MAX) {
		answer = "error no such node in this lab";
	} else if (strcmp(line, "kill") == 0) {
		answer = l->node[node].pid ? "ok" : "error it does not run";
		daemon_kill(l, node);
	} else if (strcmp(line, "start") == 0 && l->node[node].pid) {
		answer = "error it runs already";
	} else if (strcmp(line, "start") == 0) {
		l->node[node].waiter = fd;
		if (daemon_start(l, node) != 0)
			daemon_answer(l, node, "error it could not be started");
		if (rundir_write_run(l) != 0)
			fprintf(stderr, "owlt lab: run.json could not be written\n");
		return true;
	}
	if (rundir_write_run(l) != 0)
		answer = "error run.json could not be written";
	(void)!send(fd, answer, strlen(answer), MSG_NOSIGNAL);
	return false;
}

static const char *set_cut(struct runner *r, const char *link, bool is_cut)
{
	const struct topo *t = r->lab.topo;

	for (size_t k = 0; k < t->n_links; k++)
		if (strcmp(t->link[k].name, link) == 0) {
			r->emulator.shared->is_cut[k] = is_cut;
			return "ok";
		}
	return "error no such link in this lab";
}

/* Once a second, on a terminal. */
static void show_progress(struct runner *r)
{
	const struct emulator_shared *s = r->emulator.shared;
	int64_t now = clock_now_ns(CLOCK_MONOTONIC);
	char text[48];

	if (now < r->told_at || !isatty(STDOUT_FILENO))
		return;
	r->told_at = now + NS_PER_S;
	units_print_duration(
		lab_clock_us(&r->lab.clock, now) / US_PER_S * US_PER_S, text, sizeof text);
	printf("\r%s  frames: %llu sent, %llu delivered, %llu dropped, %llu on the way \033[K",
		text, (unsigned long long)s->frames_in, (unsigned long long)s->frames_out,
		(unsigned long long)s->dropped, (unsigned long long)s->in_flight);
	fflush(stdout);
}

static void stop(struct runner *r)
{
	struct lab *l = &r->lab;

	if (isatty(STDOUT_FILENO) && r->told_at)
		printf("\n");
	reap(r);
	daemons_stop(l, r->emulator.pid && r->was_ready ? DRAIN_MS : 500);
	stop_emulator(r);
}

static void stop_emulator(struct runner *r)
{
	bool is_alive = r->emulator.pid > 0;
	int status = emulator_process_stop(&r->emulator);

	if (!is_alive || !r->was_ready || (WIFEXITED(status) && WEXITSTATUS(status) == EMULATOR_OK))
		return;
	r->has_failed = true;
	fprintf(stderr, "owlt lab: the link emulator ended %s; see %s/links.json\n",
		WIFEXITED(status) && WEXITSTATUS(status) == EMULATOR_UNBALANCED
			? "with counters that don't balance"
			: "badly",
		r->lab.dir);
}

static void conclude(struct runner *r)
{
	const struct emulator_shared *s = r->emulator.shared;
	double speed = r->lab.speed;

	printf("frames: %llu sent + %llu duplicated = %llu delivered + %llu dropped + %llu on the "
	       "way%s\n",
		(unsigned long long)s->frames_in, (unsigned long long)s->duplicated,
		(unsigned long long)s->frames_out, (unsigned long long)s->dropped,
		(unsigned long long)s->in_flight, s->is_balanced ? "" : " DOES NOT BALANCE");
	printf("error of delivery in lab time: p50 %.3f ms, p99 %.3f ms (real %.1f us, %.1f us)\n",
		(double)s->late_p50_ns * speed / 1e6, (double)s->late_p99_ns * speed / 1e6,
		(double)s->late_p50_ns / 1e3, (double)s->late_p99_ns / 1e3);
	if (s->kernel_frames)
		printf("note: %llu frames came from a kernel, not from a node\n",
			(unsigned long long)s->kernel_frames);
	if (s->capture_missed)
		printf("note: the capture ended before the lab; %llu frames are not in it\n",
			(unsigned long long)s->capture_missed);
	if (s->overrun) {
		r->has_failed = true;
		fprintf(stderr,
			"owlt lab: the emulator could not keep up: %llu frames were lost before "
			"it\n",
			(unsigned long long)s->overrun);
	}
	printf("%s\n", r->lab.dir);
	fflush(stdout);
}

static void tear_down(struct runner *r)
{
	struct lab *l = &r->lab;

	for (size_t k = 0; l->node && k < l->topo->n_nodes; k++) {
		if (l->node[k].ns_fd >= 0)
			close(l->node[k].ns_fd);
		if (l->node[k].out_fd >= 0)
			close(l->node[k].out_fd);
		daemon_answer(l, k, "error the lab ends");
	}
	if (l->links_ns >= 0)
		close(l->links_ns);
	if (r->listen_fd >= 0)
		close(r->listen_fd);
	if (r->signal_fd >= 0)
		close(r->signal_fd);
	if (r->has_janitor)
		janitor_end(&r->janitor);
	else if (r->name_path[0])
		unlink(r->name_path);
	if (r->down_fd >= 0) {
		(void)!send(r->down_fd, "ok", 2, MSG_NOSIGNAL);
		close(r->down_fd);
	}
	topo_free(l->topo);
	free(l->node);
	free(l->ifindex);
}
