/*
 * lab: one running lab, and what the parts of the runner share: where it lies, its topology, clock,
 * namespaces and processes. `owlt lab` calls runner_run() and the requests at the end.
 */
#ifndef OWLT_NETNS_LAB_H
#define OWLT_NETNS_LAB_H

#include "dtn/plan/topo.h"
#include "netns/capture.h"
#include "netns/lab_clock.h"
#include "netns/space.h"

#include <stdbool.h>
#include <sys/types.h>

#define LAB_PATH_MAX 1024
#define LAB_SOCKET_PATH_MAX 107 /* what the kernel takes */

struct lab_options {
	const char *lab;     /* name or path */
	const char *run_dir; /* NULL: ./runs/LAB-TIME */
	const char *program; /* path of owltd */
	int64_t for_us;      /* lab time to run for; < 0: to the topology's or the plan's end */
	double speed;        /* 0: the topology's */
	struct capture_limits capture_limits;
	uint64_t seed, memory_limit;
	bool no_capture, is_background;
};

struct lab_node {
	int ns_fd, out_fd;       /* its namespace; what its daemon prints */
	pid_t pid;               /* of its owltd; 0 = not running */
	bool is_ready, is_asked; /* asked: its end was ordered */
	int waiter;              /* who wants to know when it is ready; -1 */
	int64_t log_from;        /* where its log begins since it was last started */
};

struct lab {
	const struct lab_options *opt;
	char dir[LAB_PATH_MAX];
	struct topo *topo;
	double speed;
	struct lab_clock clock;
	enum space_rights rights;
	uid_t uid; /* outside */
	int links_ns;
	struct lab_node *node; /* as topo->node */
	int (*ifindex)[2];     /* the emulator's ends */
};

/* -- lab.c: finding labs */

/* Path of a topology: a path as given, or NAME.json in OWLT_LABS, beside the program, in PREFIX/share. 0 or -ENOENT. */
int lab_find(const char *lab, char path[LAB_PATH_MAX]) MUST_USE;
/* Calls each with every ready-made lab's path. */
void lab_each(void (*each)(void *ctx, const char *path), void *ctx);
/* Topology of a file and the plan file it names. 0, or negative after a message on stderr. */
int lab_load(const char *path, struct topo **out, struct view *text) MUST_USE;
/* Directory of a running lab: its name, or the directory itself. 0, or -ENOENT when none runs. */
int lab_locate(const char *lab, char dir[LAB_PATH_MAX]) MUST_USE;
/* The name stands for this directory from now on, and no longer. */
int lab_register(const struct lab *l) MUST_USE;
void lab_unregister_path(const struct lab *l, char path[LAB_PATH_MAX]);
/* A small file as text with a terminator; free() ends it. */
int lab_read_file(const char *path, struct view *out) MUST_USE;

/* -- rundir.c: the directory of a run */

/* Makes the directories and the files that don't change. 0, or negative after a message. */
int rundir_make(struct lab *l, struct view topology) MUST_USE;
/* run.json: clock line, runner, nodes; whole or not at all. */
int rundir_write_run(const struct lab *l) MUST_USE;
/* DIR/part, with %s for the node's name where part has one. */
void rundir_path(const struct lab *l, const char *part, const char *node, char path[LAB_PATH_MAX]);

/* -- build.c: namespaces and links */

/* 0, or negative after a message. The process is then in the namespace of the links. */
int build_net(struct lab *l) MUST_USE;
/* Name of a link's interface in its nodes; 16 bytes. */
void build_near_name(const struct lab *l, unsigned link, char *name);

/* -- probe.c: every veth pair carries frames in both directions; 0, -ETIMEDOUT or -errno. The process is
 * left in one of the namespaces. */
int probe_links(struct lab *l) MUST_USE;

/* -- run_info.c: a lab that runs, seen from outside */

struct run_info {
	char dir[LAB_PATH_MAX];
	struct json *doc; /* run.json */
	pid_t runner_pid;
	bool is_running;
};

/* 0, or negative after a message on stderr (no such lab runs). */
int run_info_open(struct run_info *r, const char *lab) MUST_USE;
void run_info_close(struct run_info *r);
const struct json *run_info_node(const struct run_info *r, const char *name);
/* Says one line to the runner and prints its answer if it is a refusal; 0 = done. */
int run_info_ask(const struct run_info *r, const char *line) MUST_USE;
/* Runs argv in the node's namespaces with OWLT_SOCKET set; its exit code. It ends with the lab. */
int run_info_exec(const struct run_info *r, const char *node, char **argv);

#endif
