/*
 * bench_pair: how the two nodes of bench_pair.h are started, asked and stopped. CPU time is what the scheduler
 * says of each thread (/proc/PID/task/TID/schedstat), in ns.
 */
#include "tools/bench_pair.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)

int pair_init(struct pair *p)
{
	ssize_t n = readlink("/proc/self/exe", p->daemon, sizeof p->daemon - 8);
	char *slash;

	p->port = 20000 + getpid() % 20000;
	p->daemon[n > 0 ? n : 0] = 0;
	slash = strrchr(p->daemon, '/');
	if (!slash)
		return out_fail("bench: /proc/self/exe cannot be read");
	memcpy(slash + 1, "owltd", 6);
	return access(p->daemon, X_OK) ? out_fail("bench: %s is not there; run make all", p->daemon)
				       : 0;
}

static int put_file(const struct pair *p, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", p->dir, name);
	f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f))
		return out_fail("bench: %s: %s", path, err_text(errno));
	return 0;
}

static int put_config(const struct pair *p, int k)
{
	char text[2048], name[32], store[128] = "";

	if (p->disk)
		snprintf(store, sizeof store, "\"store\":{\"path\":\"%s/%d.store\"},", p->dir, k);
	snprintf(text, sizeof text,
		"{\"node\":{\"id\":\"ipn:%d.0\"},\"control\":{\"socket\":\"%s/%d.sock\"},%s%s"
		"\"plan\":\"%s/plan\",\"lab\":{\"run\":\"%s/run\"},\"log\":{\"level\":\"error\"},"
		"\"links\":[{\"name\":\"l\",\"local\":\"127.0.0.1:%d\",\"remote\":\"127.0.0.1:%d\","
		"\"peer\":\"ipn:%d.0\",\"offload\":%s}]}",
		k + 1, p->dir, k, store, p->config ? p->config : "", p->dir, p->dir, p->port + k,
		p->port + 1 - k, 2 - k, p->offload ? "true" : "false");
	snprintf(name, sizeof name, "%d.json", k);
	return put_file(p, name, text);
}

/* Starts owltd and waits for its "ready". */
static int spawn(struct pair *p, int k)
{
	char config[128], line[16] = "", sock[128];
	int pipes[2], err;

	snprintf(config, sizeof config, "%s/%d.json", p->dir, k);
	snprintf(sock, sizeof sock, "%s/%d.sock", p->dir, k);
	if (pipe2(pipes, O_CLOEXEC))
		return out_fail("bench: pipe: %s", err_text(errno));
	p->pid[k] = fork();
	if (p->pid[k] == 0) {
		dup2(pipes[1], 1);
		execl(p->daemon, p->daemon, "-c", config, (char *)NULL);
		_exit(127);
	}
	close(pipes[1]);
	if (p->pid[k] < 0 || read(pipes[0], line, sizeof line - 1) < 5) {
		close(pipes[0]);
		return out_fail("bench: owltd did not start");
	}
	close(pipes[0]);
	err = owlt_open(sock, &p->node[k]);
	return err ? out_fail("bench: %s: %s", sock, owlt_error_text(err)) : 0;
}

int pair_start(struct pair *p)
{
	uint64_t now = bench_now_ns();
	char text[256];
	int code;

	memset(p->pid, 0, sizeof p->pid);
	memset(p->node, 0, sizeof p->node);
	if (bench_dir_make(p->dir))
		return out_fail("bench: no folder can be made here: %s", err_text(errno));
	p->open_ns = now + PAIR_OPEN_S * NS_PER_S;
	snprintf(text, sizeof text,
		"{\"mono0_ns\":\"%llu\",\"dtn0_ms\":\"820000000000\",\"speed\":1}",
		(unsigned long long)now);
	code = put_file(p, "run", text);
	snprintf(text, sizeof text,
		"{\"contacts\":[{\"from\":1,\"to\":2,\"start\":%d,\"end\":1000,\"rate\":\"%s\","
		"\"owlt\":\"0s\"},"
		"{\"from\":2,\"to\":1,\"start\":0,\"end\":1000,\"rate\":\"40G\",\"owlt\":\"0s\"}]}",
		PAIR_OPEN_S, p->rate);
	if (!code)
		code = put_file(p, "plan", text);
	for (int k = 0; !code && k < 2; k++) {
		code = put_config(p, k);
		if (!code)
			code = spawn(p, k);
	}
	return code;
}

void pair_stop(struct pair *p)
{
	char store[128];

	for (int k = 0; k < 2; k++) {
		owlt_close(p->node[k]);
		if (p->pid[k] > 0) {
			kill(p->pid[k], SIGKILL);
			waitpid(p->pid[k], NULL, 0);
		}
		snprintf(store, sizeof store, "%s/%d.store", p->dir, k);
		bench_dir_remove(store);
	}
	bench_dir_remove(p->dir);
}

void pair_wait(const struct pair *p)
{
	while (bench_now_ns() < p->open_ns)
		poll(NULL, 0, (int)((p->open_ns - bench_now_ns()) / 1000000 + 1));
}

int pair_load(struct pair *p, size_t payload, size_t n, bool custody)
{
	struct owlt_send s = {.dest = "ipn:2.99",
		.source = custody ? "ipn:1.99" : NULL,
		.lifetime_ms = 3600000,
		.custody = custody,
		.size = payload,
		.payload = calloc(1, payload)};
	size_t sent = 0, done = 0;
	struct owlt_event ev;
	uint64_t tag;
	int err = s.payload ? 0 : -ENOMEM;

	while (!err && done < n) {
		while (!err && sent < n && sent - done < 64) {
			err = owlt_send_start(p->node[0], &s, &tag);
			sent += !err;
		}
		if (!err && owlt_event(p->node[0], &ev, 5000) != 1)
			err = -ETIMEDOUT;
		if (!err && ev.type != OWLT_ACCEPTED)
			err = ev.err ? ev.err : -ECONNRESET;
		done += !err;
	}
	free((void *)(uintptr_t)s.payload);
	return err;
}

/* -- what they used and did */

static double task_us(pid_t pid, const char *tid)
{
	char path[320];
	unsigned long long ns = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid, tid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fscanf(f, "%llu", &ns) != 1)
		ns = 0;
	fclose(f);
	return (double)ns / 1e3;
}

struct pair_cpu pair_cpu(const struct pair *p, int k)
{
	struct pair_cpu c = {0};
	char path[64];
	DIR *d;

	snprintf(path, sizeof path, "/proc/%d/task", (int)p->pid[k]);
	d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		double us = task_us(p->pid[k], e->d_name);
		if (atoi(e->d_name) == (int)p->pid[k])
			c.loop += us;
		else
			c.others += us;
	}
	if (d)
		closedir(d);
	return c;
}

uint64_t pair_count(struct pair *p, int k, const char *what, const char *key)
{
	const char *json;
	struct json *doc;
	const struct json *at;
	unsigned line;
	uint64_t n = 0;
	size_t size;

	if (owlt_status(p->node[k], strcmp(what, "links") == 0 ? what : "", &json, &size) ||
		json_parse(view_of(json, size), &doc, &line))
		return 0;
	at = strcmp(what, "links") == 0 ? json_at(json_get(doc, what), 0) : json_get(doc, what);
	if (json_u64(json_get(at, key), &n))
		n = 0;
	json_free(doc);
	return n;
}
