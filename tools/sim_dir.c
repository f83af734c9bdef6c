/*
 * sim_dir: the RUN_DIR of a simulation: topology.json (and its plan), run.json with "sim":true, and one
 * event log per node in the columns of a lab, so that everything that reads a lab's folder reads this.
 */
#include "tools/sim_run.h"

#include "bundle/events.h"
#include "tools/out.h"

#include <dirent.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_MAX_BYTES 1024

struct log_of {
	FILE *file;
	char id[EID_TEXT_MAX];
	unsigned index;
};

struct sim_dir_writer {
	const char *path;
	const struct topo *topo;
	struct log_of *log;
	int err;
	const struct sim *sim;
	unsigned node;
};

static int write_whole(const char *dir, const char *name, struct view text);
static int write_run(const char *dir, const struct topo *t, uint64_t seed);

static int make_dir(const char *path)
{
	return mkdir(path, 0777) == 0 || errno == EEXIST
		       ? 0
		       : out_fail("%s: %s", path, strerror(errno));
}

static FILE *open_in(const char *dir, const char *name)
{
	char *path = NULL;
	FILE *f = asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : fopen(path, "wb");

	if (!f)
		out_fail("%s: %s", path, strerror(errno));
	free(path);
	return f;
}

/* An older run is not to be mixed with the new one. */
static int check_empty(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	bool is_empty = true;

	if (!d)
		return out_fail("%s: %s", path, strerror(errno));
	while ((e = readdir(d)))
		is_empty =
			is_empty && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0);
	closedir(d);
	return is_empty ? 0
			: out_fail("sim: %s is not empty; choose another with -o, or --force "
				   "replaces a run in it",
				  path);
}

int sim_dir_open(const struct sim_options *o, const struct sim_file *f, uint64_t seed,
	struct sim_dir_writer **out)
{
	struct sim_dir_writer *w = calloc(1, sizeof *w);
	const char *path = o->dir;
	char *events = NULL, name[64];
	int code = w && asprintf(&events, "%s/events", path) > 0 ? 0 : out_fail("sim: no memory");

	if (code == 0)
		code = make_dir(path);
	if (code == 0 && !o->force)
		code = check_empty(path);
	if (code == 0)
		code = make_dir(events);
	if (code == 0)
		code = write_whole(path, "topology.json", f->text);
	if (code == 0 && f->plan_name)
		code = write_whole(path, basename(f->plan_name), f->plan_text);
	if (code == 0)
		code = write_run(path, f->topo, seed);
	if (code == 0) {
		w->path = path;
		w->topo = f->topo;
		w->log = calloc(f->topo->n_nodes, sizeof *w->log);
		code = w->log ? 0 : out_fail("sim: no memory");
	}
	for (unsigned i = 0; code == 0 && i < f->topo->n_nodes; i++) {
		snprintf(name, sizeof name, "%s.jsonl", f->topo->node[i].name);
		topo_print_id(f->topo, i, w->log[i].id, sizeof w->log[i].id);
		w->log[i].file = open_in(events, name);
		code = w->log[i].file ? 0 : EXIT_USAGE;
	}
	free(events);
	if (code) {
		if (w && w->log)
			(void)!sim_dir_close(w);
		else
			free(w);
		return code;
	}
	*out = w;
	return 0;
}

static const char *link_name(const void *arg, unsigned link)
{
	const struct sim_dir_writer *w = arg;

	return sim_link_name(w->sim, w->node, link);
}

static size_t node_text(const void *arg, node_id node, char *out, size_t cap)
{
	const struct sim_dir_writer *w = arg;

	return names_print(&w->topo->names, node, out, cap);
}

void sim_dir_record(struct sim_dir_writer *w, const struct sim *s, const struct sim_record *r)
{
	uint8_t room[LINE_MAX_BYTES];
	struct buf line = buf_of(room, sizeof room);
	struct event_ctx ctx = {
		.node = w->log[r->node].id,
		.dtn_at_zero = sim_dtn_zero(w->topo),
		.link_name = link_name,
		.node_text = node_text,
		.arg = w,
	};

	w->sim = s;
	w->node = r->node;
	events_print_json(&line, &r->rec, &ctx);
	errno = 0;
	if (buf_finish(&line) != 0 || fwrite(line.p, 1, line.len, w->log[r->node].file) != line.len)
		w->err = errno ? -errno : -EIO;
}

int sim_dir_close(struct sim_dir_writer *w)
{
	int err = w->err;

	for (unsigned i = 0; i < w->topo->n_nodes; i++)
		if (w->log[i].file && fclose(w->log[i].file) != 0)
			err = err ? err : -errno;
	free(w->log);
	if (err)
		out_fail("%s: event logs could not be written: %s", w->path, err_text(err));
	free(w);
	return err ? EXIT_USAGE : 0;
}

static int write_whole(const char *dir, const char *name, struct view text)
{
	FILE *f = open_in(dir, name);
	bool ok;

	if (!f)
		return EXIT_USAGE;
	ok = fwrite(text.p, 1, text.n, f) == text.n;
	ok = fclose(f) == 0 && ok;
	return ok ? 0 : out_fail("%s/%s: could not be written", dir, name);
}

static int write_run(const char *dir, const struct topo *t, uint64_t seed)
{
	size_t cap = 1024 + 256 * t->n_nodes;
	uint8_t *room = malloc(cap);
	struct buf b = buf_of(room, cap);
	struct json_writer w = {.out = &b};
	char id[EID_TEXT_MAX];
	int code;

	jw_object(&w, NULL);
	jw_u64(&w, "mono0_ns", 0);
	jw_u64(&w, "dtn0_ms", sim_dtn_zero(t));
	jw_u64(&w, "speed", 0);
	jw_bool(&w, "sim", true);
	jw_u64(&w, "seed", seed);
	jw_text(&w, "name", view_text(t->name));
	jw_array(&w, "nodes");
	for (size_t i = 0; i < t->n_nodes; i++) {
		jw_object(&w, NULL);
		jw_text(&w, "name", view_text(t->node[i].name));
		jw_text(&w, "id", view_of(id, topo_print_id(t, i, id, sizeof id)));
		jw_object_end(&w);
	}
	jw_array_end(&w);
	jw_object_end(&w);
	buf_u8(&b, '\n');
	code = room && buf_finish(&b) == 0 ? write_whole(dir, "run.json", buf_view(&b))
					   : out_fail("sim: no memory");
	free(room);
	return code;
}
