/*
 * owlt lab: list, run, up, down, exec, status, kill, start, cut, mend. What it does is in netns/; here are the
 * options and what people read.
 */
#include "bundle/base/units.h"
#include "netns/capture.h"
#include "netns/emulator.h"
#include "netns/runner.h"
#include "tools/commands.h"
#include "tools/opt.h"
#include "tools/out.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct run_opts {
	struct lab_options lab;
	bool json;
};

#define AT(field) offsetof(struct run_opts, field)

static const struct opt run_options[] = {
	{"output", 'o', OPT_TEXT, AT(lab.run_dir), "DIR",
		"what the run leaves behind (default ./runs/LAB-TIME)", NULL},
	{"for", 0, OPT_DURATION, AT(lab.for_us), "D", "end after D of lab time", NULL},
	{"speed", 0, OPT_REAL, AT(lab.speed), "S",
		"lab seconds per real second (default: the topology's)", NULL},
	{"seed", 0, OPT_U64, AT(lab.seed), "N",
		"of what the links lose, repeat and reorder (default 1)", NULL},
	{"no-capture", 0, OPT_FLAG, AT(lab.no_capture), NULL, "write no frames.pcapng", NULL},
	{"capture-limit", 0, OPT_BYTES, AT(lab.capture_limits.bytes), "SIZE",
		"size at which the capture ends (default 4Gi)", NULL},
	{"capture-min-free", 0, OPT_BYTES, AT(lab.capture_limits.min_free_bytes), "SIZE",
		"free room on the disk at which the capture ends (default 256Mi)", NULL},
	{"memory", 0, OPT_BYTES, AT(lab.memory_limit), "SIZE",
		"for frames on the way (default 1Gi)", NULL},
	{"daemon", 0, OPT_TEXT, AT(lab.program), "PATH", "owltd to run (default: beside owlt)",
		NULL},
	{0}};

struct look_opts {
	bool json;
};

static const struct opt look_options[] = {
	{"json", 0, OPT_FLAG, offsetof(struct look_opts, json), NULL, "one JSON document", NULL},
	{0}};

static const struct opt no_options[] = {{0}};

static const struct opt_command run_command = {"lab run", "LAB",
	"run a network of nodes until its plan ends, for a time, or until Ctrl-C", run_options,
	NULL};
static const struct opt_command up_command = {"lab up", "LAB",
	"start a lab in the background and return when its nodes are ready", run_options, NULL};
static const struct opt_command list_command = {
	"lab list", "", "the ready-made labs", look_options, NULL};
static const struct opt_command status_command = {
	"lab status", "LAB", "nodes and links of a running lab", look_options, NULL};
static const struct opt_command down_command = {"lab down", "LAB", "end a lab", no_options, NULL};
static const struct opt_command exec_command = {"lab exec", "LAB NODE CMD [ARG...]",
	"run a program in a node's network namespace, with OWLT_SOCKET set to its owltd",
	no_options, NULL};
static const struct opt_command kill_command = {
	"lab kill", "LAB NODE", "kill a node's owltd (SIGKILL)", no_options, NULL};
static const struct opt_command start_command = {
	"lab start", "LAB NODE", "start a node's owltd again", no_options, NULL};

static const struct opt_command cut_command = {"lab cut", "LAB LINK",
	"take a link away: what is sent on it is lost, and no node is told", no_options, NULL};
static const struct opt_command mend_command = {
	"lab mend", "LAB LINK", "put a link that was cut back", no_options, NULL};

static int lab_run(int argc, char **argv);
static int lab_up(int argc, char **argv);
static int lab_down(int argc, char **argv);
static int lab_exec(int argc, char **argv);
static int lab_status(int argc, char **argv);
static int lab_list(int argc, char **argv);
static int lab_kill(int argc, char **argv);
static int lab_start(int argc, char **argv);
static int lab_cut(int argc, char **argv);
static int lab_mend(int argc, char **argv);
static int read_run(
	const struct opt_command *cmd, int argc, char **argv, struct run_opts *o, char *dir);
static int make_run_dir(struct run_opts *o, char *dir);
static void background(const struct run_opts *o, int ready_fd);
static void print_log(const char *dir);
static bool owltd_path(char *path, size_t n);
static int ask(const struct opt_command *cmd, const char *verb, int argc, char **argv);
static void list_one(void *ctx, const char *path);
static void print_nodes(struct out *out, const struct run_info *r);
static void print_links(struct out *out, const struct run_info *r);
static void print_direction(struct out *out, const char *link, const struct json *d);
static uint64_t number(const struct json *v, const char *key);

int cmd_lab(int argc, char **argv)
{
	static const struct subcommand table[] = {{"list", lab_list, "the ready-made labs"},
		{"run", lab_run, "run a lab in the foreground"},
		{"up", lab_up, "start a lab in the background"}, {"down", lab_down, "end it"},
		{"exec", lab_exec, "run a program in a node"},
		{"status", lab_status, "nodes and links of a running lab"},
		{"kill", lab_kill, "kill a node's owltd"},
		{"start", lab_start, "start a node's owltd again"},
		{"cut", lab_cut, "take a link away"}, {"mend", lab_mend, "put it back"}, {0}};

	return opt_dispatch("owlt lab", table, argc, argv);
}

static int lab_run(int argc, char **argv)
{
	struct run_opts o;
	char dir[LAB_PATH_MAX];
	int code = read_run(&run_command, argc, argv, &o, dir);

	if (code >= 0)
		return code;
	printf("%s\n", o.lab.run_dir);
	fflush(stdout);
	return runner_run(&o.lab, -1);
}

static int lab_up(int argc, char **argv)
{
	struct run_opts o;
	char dir[LAB_PATH_MAX], byte;
	int code = read_run(&up_command, argc, argv, &o, dir), fd[2];
	ssize_t n;
	pid_t pid;

	if (code >= 0)
		return code;
	o.lab.is_background = true;
	printf("%s\n", o.lab.run_dir);
	fflush(stdout);
	if (pipe2(fd, O_CLOEXEC) < 0)
		return out_fail("lab up: %s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		close(fd[0]);
		background(&o, fd[1]);
	}
	close(fd[1]);
	if (pid < 0)
		return out_fail("lab up: %s", strerror(errno));
	do
		n = read(fd[0], &byte, 1);
	while (n < 0 && errno == EINTR);
	close(fd[0]);
	if (n == 1)
		return EXIT_YES;
	print_log(o.lab.run_dir);
	return out_fail("lab up: the lab did not start");
}

/* What a lab in the background said: why it did not start. */
static void print_log(const char *dir)
{
	char path[LAB_PATH_MAX + 16];
	struct view text;

	snprintf(path, sizeof path, "%s/lab.log", dir);
	if (lab_read_file(path, &text) != 0)
		return;
	fprintf(stderr, "%.*s", (int)text.n, (const char *)text.p);
	free((void *)(uintptr_t)text.p);
}

static int lab_down(int argc, char **argv)
{
	return ask(&down_command, "down", argc, argv);
}

static int lab_kill(int argc, char **argv)
{
	return ask(&kill_command, "kill", argc, argv);
}

static int lab_start(int argc, char **argv)
{
	return ask(&start_command, "start", argc, argv);
}

static int lab_cut(int argc, char **argv)
{
	return ask(&cut_command, "cut", argc, argv);
}

static int lab_mend(int argc, char **argv)
{
	return ask(&mend_command, "mend", argc, argv);
}

/* Options of the program are its own: nothing behind NODE is read here. */
static int lab_exec(int argc, char **argv)
{
	struct run_info r;
	struct opt_rest rest;
	int code, skip = argc > 1 && strcmp(argv[1], "--") == 0;

	if (argc - skip < 4 || argv[1][0] == '-') {
		rest = opt_read(&exec_command, argc, argv, NULL, 3, -1);
		return rest.done ? rest.code : EXIT_USAGE;
	}
	argv += 1 + skip;
	if (run_info_open(&r, argv[0]) != 0)
		return EXIT_USAGE;
	code = run_info_exec(&r, argv[1], argv + (strcmp(argv[2], "--") == 0 ? 3 : 2));
	run_info_close(&r);
	return code;
}

static int lab_status(int argc, char **argv)
{
	struct look_opts o = {0};
	struct opt_rest rest = opt_read(&status_command, argc, argv, &o, 1, 1);
	struct run_info r;
	struct out out;
	bool is_running;
	int code;

	if (rest.done)
		return rest.code;
	if (run_info_open(&r, rest.argv[0]) != 0)
		return EXIT_NO;
	out_begin(&out, o.json);
	if (o.json) {
		jw_object(&out.w, NULL);
		out_string(&out, "dir", r.dir);
		jw_bool(&out.w, "running", r.is_running);
	}
	out_text(&out, "%s: %s\n", r.dir, r.is_running ? "running" : "not running");
	print_nodes(&out, &r);
	print_links(&out, &r);
	if (o.json)
		jw_object_end(&out.w);
	is_running = r.is_running;
	run_info_close(&r);
	code = out_end(&out);
	return code ? code : is_running ? EXIT_YES : EXIT_NO;
}

static int lab_list(int argc, char **argv)
{
	struct look_opts o = {0};
	struct opt_rest rest = opt_read(&list_command, argc, argv, &o, 0, 0);
	struct out out;

	if (rest.done)
		return rest.code;
	out_begin(&out, o.json);
	if (o.json)
		jw_array(&out.w, NULL);
	lab_each(list_one, &out);
	if (o.json)
		jw_array_end(&out.w);
	return out_end(&out);
}

/* Options of run and up. -1 = go on, else the exit code. */
static int read_run(
	const struct opt_command *cmd, int argc, char **argv, struct run_opts *o, char *dir)
{
	struct opt_rest rest;
	static char program[LAB_PATH_MAX];

	*o = (struct run_opts){
		.lab = {.for_us = -1,
			.speed = INFINITY,
			.seed = 1,
			.capture_limits = {CAPTURE_LIMIT_DEFAULT, CAPTURE_MIN_FREE_DEFAULT},
			.memory_limit = EMULATOR_MEMORY_DEFAULT}};
	rest = opt_read(cmd, argc, argv, o, 1, 1);
	if (rest.done)
		return rest.code;
	o->lab.lab = rest.argv[0];
	if (o->lab.speed <= 0)
		return out_fail("%s: --speed %g: must be above 0", cmd->name, o->lab.speed);
	if (isinf(o->lab.speed))
		o->lab.speed = 0; /* the topology's */
	if (!o->lab.program) {
		if (!owltd_path(program, sizeof program))
			return out_fail(
				"%s: %s: not there; build it with `make`, or name it with --daemon",
				cmd->name, program);
		o->lab.program = program;
	}
	return make_run_dir(o, dir);
}

/* A second one would take the name away from the first. */
static bool runs_already(const char *lab, char dir[LAB_PATH_MAX])
{
	struct run_info r;
	bool yes;

	if (lab_locate(lab, dir) != 0 || run_info_open(&r, lab) != 0)
		return false;
	yes = r.is_running;
	run_info_close(&r);
	return yes;
}

static int make_run_dir(struct run_opts *o, char *dir)
{
	char path[LAB_PATH_MAX];

	if (lab_find(o->lab.lab, path) != 0)
		return out_fail("lab: %s: no such lab; `owlt lab list` names them", o->lab.lab);
	if (!o->lab.run_dir && runs_already(o->lab.lab, path))
		return out_fail("lab: %s runs already in %s; `owlt lab down %s` ends it, with -o "
				"another one runs beside it",
			o->lab.lab, path, o->lab.lab);
	if (!o->lab.run_dir) {
		runner_default_dir(o->lab.lab, dir);
		if (mkdir("runs", 0755) < 0 && errno != EEXIST)
			return out_fail(
				"lab: runs: %s; choose a directory with -o", strerror(errno));
		o->lab.run_dir = dir;
	}
	if (mkdir(o->lab.run_dir, 0755) < 0 && errno != EEXIST)
		return out_fail("lab: %s: %s", o->lab.run_dir, strerror(errno));
	snprintf(path, sizeof path, "%s/run.json", o->lab.run_dir);
	if (access(path, F_OK) == 0)
		return out_fail(
			"lab: %s holds a run already; choose another with -o", o->lab.run_dir);
	return -1;
}

/* The child of `up`: away from the terminal, then the lab. Does not return. */
static void background(const struct run_opts *o, int ready_fd)
{
	char path[LAB_PATH_MAX];
	int log, null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	setsid();
	snprintf(path, sizeof path, "%s/lab.log", o->lab.run_dir);
	log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (null < 0 || log < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
		_exit(EXIT_USAGE);
	_exit(runner_run(&o->lab, ready_fd));
}

static bool owltd_path(char *path, size_t n)
{
	ssize_t got = readlink("/proc/self/exe", path, n - 16);
	char *slash;

	path[got > 0 ? got : 0] = 0;
	slash = strrchr(path, '/');
	strcpy(slash ? slash + 1 : path, "owltd");
	return access(path, X_OK) == 0;
}

static int ask(const struct opt_command *cmd, const char *verb, int argc, char **argv)
{
	bool has_operand = strcmp(verb, "down") != 0;
	struct opt_rest rest = opt_read(cmd, argc, argv, NULL, 1 + has_operand, 1 + has_operand);
	struct run_info r;
	char line[128];
	int err;

	if (rest.done)
		return rest.code;
	if (run_info_open(&r, rest.argv[0]) != 0)
		return EXIT_USAGE;
	snprintf(line, sizeof line, "%s%s%s", verb, has_operand ? " " : "",
		has_operand ? rest.argv[1] : "");
	err = run_info_ask(&r, line);
	run_info_close(&r);
	return err == 0 ? EXIT_YES : err == -E_REFUSED ? EXIT_NO : EXIT_USAGE;
}

static void list_one(void *ctx, const char *path)
{
	struct out *out = ctx;
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	int n = (int)(strrchr(name, '.') - name);
	struct topo *t;
	struct view text;

	if (lab_load(path, &t, &text) != 0)
		return;
	out_text(out, "%-20.*s %zu node%s, %zu link%s, speed %g\n", n, name, t->n_nodes,
		t->n_nodes == 1 ? "" : "s", t->n_links, t->n_links == 1 ? "" : "s", t->speed);
	if (out->json) {
		jw_object(&out->w, NULL);
		jw_text(&out->w, "name", view_of(name, (size_t)n));
		out_string(out, "path", path);
		jw_u64(&out->w, "nodes", t->n_nodes);
		jw_u64(&out->w, "links", t->n_links);
		jw_double(&out->w, "speed", t->speed);
		jw_object_end(&out->w);
	}
	free((void *)(uintptr_t)text.p);
	topo_free(t);
}

static void print_nodes(struct out *out, const struct run_info *r)
{
	const struct json *nodes = json_get(r->doc, "nodes");

	if (out->json)
		jw_array(&out->w, "nodes");
	for (const struct json *n = json_first(nodes); n; n = json_next(n)) {
		uint64_t pid = r->is_running ? number(n, "pid") : 0;
		const char *name = json_text(json_get(n, "name")),
			   *id = json_text(json_get(n, "id"));
		const char *sock = json_text(json_get(n, "socket"));

		if (pid)
			out_text(out, "  %-16s %-12s owltd %llu\n", name, id,
				(unsigned long long)pid);
		else
			out_text(out, "  %-16s %-12s down\n", name, id);
		if (!out->json)
			continue;
		jw_object(&out->w, NULL);
		out_string(out, "name", name ? name : "");
		out_string(out, "id", id ? id : "");
		jw_u64(&out->w, "pid", pid);
		out_string(out, "socket", sock ? sock : "");
		jw_object_end(&out->w);
	}
	if (out->json)
		jw_array_end(&out->w);
}

static void print_links(struct out *out, const struct run_info *r)
{
	char path[LAB_PATH_MAX + 16];
	struct view text = {0};
	struct json *doc = NULL;
	unsigned line;

	snprintf(path, sizeof path, "%s/links.json", r->dir);
	if (lab_read_file(path, &text) != 0 || json_parse(text, &doc, &line) != 0)
		out_text(out, "  no figures of the links yet\n");
	if (out->json)
		jw_array(&out->w, "links");
	for (const struct json *l = json_first(json_get(doc, "links")); l; l = json_next(l))
		for (const struct json *d = json_first(json_get(l, "directions")); d;
			d = json_next(d))
			print_direction(out, json_text(json_get(l, "name")), d);
	if (out->json)
		jw_array_end(&out->w);
	json_free(doc);
	free((void *)(uintptr_t)text.p);
}

static void print_direction(struct out *out, const char *link, const struct json *d)
{
	uint64_t in = number(d, "frames_in"), got = number(d, "frames_out"),
		 way = number(d, "in_flight");
	const char *from = json_text(json_get(d, "from")), *to = json_text(json_get(d, "to"));
	uint64_t dropped = 0;

	for (const struct json *c = json_first(json_get(d, "dropped")); c; c = json_next(c))
		dropped += number(json_get(d, "dropped"), json_key(c));
	out_text(out, "  %s: %s > %s: %llu sent, %llu delivered, %llu dropped, %llu on the way\n",
		link, from, to, (unsigned long long)in, (unsigned long long)got,
		(unsigned long long)dropped, (unsigned long long)way);
	if (!out->json)
		return;
	jw_object(&out->w, NULL);
	out_string(out, "link", link ? link : "");
	out_string(out, "from", from ? from : "");
	out_string(out, "to", to ? to : "");
	jw_u64(&out->w, "frames_in", in);
	jw_u64(&out->w, "frames_out", got);
	jw_u64(&out->w, "dropped", dropped);
	jw_u64(&out->w, "in_flight", way);
	jw_object_end(&out->w);
}

static uint64_t number(const struct json *v, const char *key)
{
	uint64_t n = 0;

	return json_u64(json_get(v, key), &n) == 0 ? n : 0;
}
