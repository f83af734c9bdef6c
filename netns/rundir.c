/*
 * rundir: the directory that a run leaves behind (owlt-lab(1), FILES). Each node's owltd.json is the
 * topology's "config", over it the node's own, over that what only the lab knows: identity, store,
 * socket, links, plan, clock line, event log.
 *
 * Start reading at rundir_make().
 */
#include "netns/lab.h"
#include "netns/address.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_BYTES (1u << 20)
#define MERGED 3u

static int make_dirs(const struct lab *l);
static int make_dir(const char *path);
static int save(const char *path, struct view text);
static int save_plan(const struct lab *l);
static int save_config(const struct lab *l, size_t node, struct buf *out);
static void write_own(const struct lab *l, size_t node, struct json_writer *w);
static void write_link(const struct lab *l, unsigned link, size_t node, struct json_writer *w);
static void merge(struct json_writer *w, const char *key, const struct json *const v[MERGED]);
static void copy(struct json_writer *w, const char *key, const struct json *v);
static void write_run(const struct lab *l, struct json_writer *w);
static void text_of(struct json_writer *w, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

int rundir_make(struct lab *l, struct view topology)
{
	char path[LAB_PATH_MAX];
	struct buf out = buf_of(malloc(CONFIG_BYTES), CONFIG_BYTES);
	int err = out.p ? make_dirs(l) : -ENOMEM;

	if (!err) {
		rundir_path(l, "topology.json", NULL, path);
		err = save(path, topology);
	}
	if (!err && l->topo->plan)
		err = save_plan(l);
	for (size_t k = 0; !err && k < l->topo->n_nodes; k++)
		err = save_config(l, k, &out);
	free(out.p);
	if (err && err != -ENAMETOOLONG)
		fprintf(stderr, "owlt lab: %s: %s\n", l->dir, err_text(err));
	return err;
}

int rundir_write_run(const struct lab *l)
{
	char path[LAB_PATH_MAX];
	size_t cap = 4096 + l->topo->n_nodes * (2 * LAB_PATH_MAX + 256);
	struct buf out = buf_of(malloc(cap), cap);
	struct json_writer w = {.out = &out};
	int err;

	if (!out.p)
		return -ENOMEM;
	write_run(l, &w);
	buf_u8(&out, '\n');
	rundir_path(l, "run.json", NULL, path);
	err = buf_finish(&out);
	if (!err)
		err = save(path, buf_view(&out));
	free(out.p);
	return err;
}

void rundir_path(const struct lab *l, const char *part, const char *node, char path[LAB_PATH_MAX])
{
	int n = snprintf(path, LAB_PATH_MAX, "%s/", l->dir);
	const char *mark = strstr(part, "%s");

	if (mark)
		snprintf(path + n, (size_t)(LAB_PATH_MAX - n), "%.*s%s%s", (int)(mark - part), part,
			node, mark + 2);
	else
		snprintf(path + n, (size_t)(LAB_PATH_MAX - n), "%s", part);
}

static int make_dirs(const struct lab *l)
{
	static const char *const part[] = {"", "events", "nodes", "nodes/%s", "nodes/%s/store"};
	char path[LAB_PATH_MAX];
	int err = 0;

	rundir_path(l, "run.json", NULL, path);
	if (access(path, F_OK) == 0)
		return -EEXIST;
	for (size_t k = 0; !err && k < l->topo->n_nodes; k++) {
		rundir_path(l, "nodes/%s/owltd.sock", l->topo->node[k].name, path);
		if (strlen(path) > LAB_SOCKET_PATH_MAX) {
			fprintf(stderr,
				"owlt lab: %s: too long for a socket (%d bytes at most);"
				" choose a shorter directory with -o\n",
				path, LAB_SOCKET_PATH_MAX);
			return -ENAMETOOLONG;
		}
		for (size_t i = 0; !err && i < sizeof part / sizeof *part; i++) {
			rundir_path(l, part[i], l->topo->node[k].name, path);
			err = make_dir(path);
		}
	}
	return err;
}

static int make_dir(const char *path)
{
	return mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int save(const char *path, struct view text)
{
	char beside[LAB_PATH_MAX + 8];
	int fd, err = 0;

	snprintf(beside, sizeof beside, "%s.new", path);
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	for (size_t done = 0; !err && done < text.n;) {
		ssize_t n = write(fd, text.p + done, text.n - done);

		if (n < 0)
			err = -errno;
		else
			done += (size_t)n;
	}
	close(fd);
	if (!err && rename(beside, path) < 0)
		err = -errno;
	return err;
}

static int save_plan(const struct lab *l)
{
	char path[LAB_PATH_MAX];
	struct buf out = {0};
	struct json_writer w = {.out = &out};
	int err;

	plan_write_json(l->topo->plan, NULL, &w);
	out = buf_of(malloc(out.len + 1), out.len + 1);
	if (!out.p)
		return -ENOMEM;
	w = (struct json_writer){.out = &out};
	plan_write_json(l->topo->plan, NULL, &w);
	rundir_path(l, "plan.json", NULL, path);
	err = save(path, buf_view(&out));
	free(out.p);
	return err;
}

static int save_config(const struct lab *l, size_t node, struct buf *out)
{
	const struct json *layer[MERGED] = {l->topo->config, l->topo->node[node].config, NULL};
	struct json_writer w = {.out = out};
	struct json *own = NULL;
	char path[LAB_PATH_MAX];
	unsigned line;
	int err;

	out->len = 0;
	write_own(l, node, &w);
	err = buf_finish(out);
	if (!err)
		err = json_parse(buf_view(out), &own, &line);
	if (err)
		return err;
	layer[2] = own;
	out->len = 0;
	w = (struct json_writer){.out = out};
	merge(&w, NULL, layer);
	buf_u8(out, '\n');
	err = buf_finish(out);
	rundir_path(l, "nodes/%s/owltd.json", l->topo->node[node].name, path);
	if (!err)
		err = save(path, buf_view(out));
	json_free(own);
	return err;
}

static void write_own(const struct lab *l, size_t node, struct json_writer *w)
{
	const struct topo_node *n = &l->topo->node[node];
	char path[LAB_PATH_MAX], id[EID_TEXT_MAX];

	topo_print_id(l->topo, node, id, sizeof id);
	jw_object(w, NULL);
	jw_object(w, "node");
	jw_text(w, "id", view_text(id));
	jw_object_end(w);
	jw_object(w, "store");
	rundir_path(l, "nodes/%s/store", n->name, path);
	jw_text(w, "path", view_text(path));
	jw_object_end(w);
	jw_object(w, "control");
	rundir_path(l, "nodes/%s/owltd.sock", n->name, path);
	jw_text(w, "socket", view_text(path));
	jw_object_end(w);
	jw_object(w, "lab");
	rundir_path(l, "run.json", NULL, path);
	jw_text(w, "run", view_text(path));
	jw_object_end(w);
	jw_object(w, "log");
	rundir_path(l, "events/%s.jsonl", n->name, path);
	jw_text(w, "events", view_text(path));
	jw_object_end(w);
	if (l->topo->plan) {
		rundir_path(l, "plan.json", NULL, path);
		jw_text(w, "plan", view_text(path));
	}
	jw_array(w, "links");
	for (unsigned k = 0; k < l->topo->n_links; k++)
		if (l->topo->link[k].a == node || l->topo->link[k].b == node)
			write_link(l, k, node, w);
	jw_array_end(w);
	jw_object_end(w);
}

static void write_link(const struct lab *l, unsigned link, size_t node, struct json_writer *w)
{
	const struct topo_link *t = &l->topo->link[link];
	enum side mine = t->a == node ? SIDE_A : SIDE_B, other = mine == SIDE_A ? SIDE_B : SIDE_A;
	const struct link_params *p = mine == SIDE_A ? &t->a_to_b : &t->b_to_a;
	uint32_t ip = address_ip(link, mine), peer_ip = address_ip(link, other);
	/* What the clock of either end may be late by, in lab time. */
	double guard_ms = 20.0 * l->speed;
	char peer[EID_TEXT_MAX];

	topo_print_id(l->topo, mine == SIDE_A ? t->b : t->a, peer, sizeof peer);
	jw_object(w, NULL);
	jw_text(w, "name", view_text(t->name));
	jw_text(w, "cl", view_text("udp"));
	text_of(w, "local", "%u.%u.%u.%u:%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255,
		LAB_UDP_PORT);
	text_of(w, "remote", "%u.%u.%u.%u:%u", peer_ip >> 24, peer_ip >> 16 & 255,
		peer_ip >> 8 & 255, peer_ip & 255, LAB_UDP_PORT);
	jw_text(w, "peer", view_text(peer));
	jw_u64(w, "mtu", t->mtu_bytes);
	text_of(w, "guard", "%.3fms", guard_ms > 1.0 ? guard_ms : 1.0);
	if (!l->topo->plan) {
		jw_u64(w, "rate", p->rate_bps);
		text_of(w, "owlt", "%.3fms", (double)p->owlt_us / 1000.0);
	}
	jw_object_end(w);
}

/* Later layers win; objects are merged key by key. */
static void merge(struct json_writer *w, const char *key, const struct json *const v[MERGED])
{
	const struct json *last = NULL;

	for (size_t k = 0; k < MERGED; k++)
		last = v[k] ? v[k] : last;
	if (json_type(last) != JSON_OBJECT) {
		copy(w, key, last);
		return;
	}
	jw_object(w, key);
	for (size_t k = 0; k < MERGED; k++)
		for (const struct json *m = json_first(v[k]); m; m = json_next(m)) {
			const struct json *part[MERGED];
			bool is_done = false;

			for (size_t i = 0; i < MERGED; i++) {
				part[i] = json_get(v[i], json_key(m));
				is_done = is_done || (i < k && part[i]);
			}
			if (!is_done)
				merge(w, json_key(m), part);
		}
	jw_object_end(w);
}

static void copy(struct json_writer *w, const char *key, const struct json *v)
{
	double number = 0;
	bool yes = false;

	switch (json_type(v)) {
	case JSON_BOOL:
		jw_bool(w, key, json_bool(v, &yes) == 0 && yes);
		break;
	case JSON_NUMBER:
		jw_double(w, key, json_double(v, &number) == 0 ? number : 0);
		break;
	case JSON_STRING:
		jw_text(w, key, view_text(json_text(v)));
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		if (json_type(v) == JSON_ARRAY)
			jw_array(w, key);
		else
			jw_object(w, key);
		for (const struct json *m = json_first(v); m; m = json_next(m))
			copy(w, json_key(m), m);
		if (json_type(v) == JSON_ARRAY)
			jw_array_end(w);
		else
			jw_object_end(w);
		break;
	case JSON_ABSENT:
	case JSON_NULL:
		jw_null(w, key);
		break;
	}
}

static void write_run(const struct lab *l, struct json_writer *w)
{
	char path[LAB_PATH_MAX], id[EID_TEXT_MAX];

	jw_object(w, NULL);
	jw_text(w, "name", view_text(l->topo->name));
	jw_i64(w, "mono0_ns", l->clock.mono0_ns);
	jw_u64(w, "dtn0_ms", l->clock.dtn0_ms);
	jw_double(w, "speed", l->speed);
	jw_u64(w, "runner_pid", (uint64_t)getpid());
	jw_text(w, "dir", view_text(l->dir));
	jw_u64(w, "links_ns_fd", (uint64_t)l->links_ns);
	jw_array(w, "nodes");
	for (size_t k = 0; k < l->topo->n_nodes; k++) {
		const struct topo_node *n = &l->topo->node[k];

		topo_print_id(l->topo, k, id, sizeof id);
		jw_object(w, NULL);
		jw_text(w, "name", view_text(n->name));
		jw_text(w, "id", view_text(id));
		jw_u64(w, "pid", (uint64_t)l->node[k].pid);
		rundir_path(l, "nodes/%s", n->name, path);
		jw_text(w, "dir", view_text(path));
		rundir_path(l, "nodes/%s/owltd.sock", n->name, path);
		jw_text(w, "socket", view_text(path));
		jw_u64(w, "ns_fd", (uint64_t)l->node[k].ns_fd);
		jw_object_end(w);
	}
	jw_array_end(w);
	jw_object_end(w);
}

static void text_of(struct json_writer *w, const char *key, const char *fmt, ...)
{
	char text[96];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	jw_text(w, key, view_text(text));
}
