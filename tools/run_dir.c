/*
 * run_dir: see run_dir.h. Files are mapped, not read, so a capture of gigabytes costs no heap; event
 * logs are taken in the order of their names so that the same run always gives the same tables.
 * A log that ends within a line and a capture that ends within a block are what a killed writer
 * leaves: the rest is used and the end is told.
 */
#include "tools/run_dir.h"

#include "tools/out.h"
#include "tools/progress.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CAPTURE_IFACES_MAX 65536u

static int load_topo(struct run_dir *r);
static int load_clock(struct run_dir *r);
static int feed_log(struct dataset *d, const char *path, struct progress *p);
static int is_log(const struct dirent *e);

int file_map_open(struct file_map *m, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	struct stat st;
	void *p;

	m->bytes = (struct view){0};
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0) {
		err = -errno;
	} else if (!S_ISREG(st.st_mode)) {
		err = -EINVAL;
	} else if (st.st_size > 0) {
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (p == MAP_FAILED)
			err = -errno;
		else
			m->bytes = view_of(p, (size_t)st.st_size);
	}
	close(fd);
	return err;
}

void file_map_close(struct file_map *m)
{
	if (m->bytes.p)
		munmap((void *)(uintptr_t)m->bytes.p, m->bytes.n);
	m->bytes = (struct view){0};
}

int run_dir_open(struct run_dir *r, const char *path)
{
	char real[PATH_MAX];
	const char *slash;
	int err;

	*r = (struct run_dir){.speed = 1};
	if (!realpath(path, real) || strlen(real) + 64 > sizeof r->path) {
		out_fail("%s: %s: give the folder that `owlt lab` or `owlt sim` printed", path,
			strerror(errno));
		return -ENOENT;
	}
	memcpy(r->path, real, strlen(real) + 1);
	slash = strrchr(r->path, '/');
	snprintf(r->name, sizeof r->name, "%.63s", slash ? slash + 1 : r->path);
	err = load_topo(r);
	return err < 0 ? err : load_clock(r);
}

void run_dir_close(struct run_dir *r)
{
	topo_free(r->topo);
	r->topo = NULL;
}

void run_dir_path(const struct run_dir *r, const char *name, char out[RUN_PATH_MAX])
{
	if (name[0] == '/')
		snprintf(out, RUN_PATH_MAX, "%s", name);
	else
		snprintf(out, RUN_PATH_MAX, "%.*s/%.*s", RUN_PATH_MAX / 2, r->path,
			RUN_PATH_MAX / 2 - 2, name);
}

int run_dir_feed_events(const struct run_dir *r, struct dataset *d, unsigned *n)
{
	char dir[RUN_PATH_MAX], path[2 * RUN_PATH_MAX];
	struct dirent **entry;
	struct progress p = {0};
	int err = 0, found;

	*n = 0;
	run_dir_path(r, "events", dir);
	found = scandir(dir, &entry, is_log, alphasort);
	progress_begin(&p, "dataset");
	for (int k = 0; k < found; k++) {
		snprintf(path, sizeof path, "%s/%.255s", dir, entry[k]->d_name);
		if (err == 0)
			err = feed_log(d, path, &p);
		free(entry[k]);
	}
	progress_clear(&p);
	if (found >= 0)
		free(entry);
	*n = found > 0 ? (unsigned)found : 0;
	return err;
}

int run_dir_feed_frames(const struct run_dir *r, struct dataset *d, uint64_t *n)
{
	char path[RUN_PATH_MAX];
	struct pcapng_iface *iface = calloc(CAPTURE_IFACES_MAX, sizeof *iface);
	struct pcapng_frame frame;
	struct file_map map;
	struct pcapng cap;
	struct progress p = {0};
	int err;

	*n = 0;
	run_dir_path(r, "frames.pcapng", path);
	err = iface ? file_map_open(&map, path) : -ENOMEM;
	if (err < 0) {
		free(iface);
		return err == -ENOENT ? 0 : (out_fail("%s: %s", path, strerror(-err)), err);
	}
	progress_begin(&p, "dataset");
	pcapng_open(&cap, map.bytes, iface, CAPTURE_IFACES_MAX);
	while (err == 0 && pcapng_next(&cap, &frame) == 1) {
		err = dataset_frame(d, &frame);
		progress_bytes(&p, "frames", cursor_at(&cap.c), map.bytes.n);
	}
	progress_clear(&p);
	if (cap.c.err)
		fprintf(stderr, "owlt: %s: %s at byte %zu: used up to there\n", path,
			err_text(cap.c.err), cap.c.err_at);
	if (err < 0)
		out_fail("%s: frame %llu: %s", path, (unsigned long long)cap.n_frames,
			err_text(err));
	*n = cap.n_frames;
	file_map_close(&map);
	free(iface);
	return err;
}

static int load_topo(struct run_dir *r)
{
	struct plan_note note[4];
	struct plan_notes notes = {.note = note, .cap = 4};
	struct file_map text = {0}, plan = {0};
	struct json *doc = NULL;
	const char *plan_file;
	char path[RUN_PATH_MAX];
	unsigned line;
	int err;

	run_dir_path(r, "topology.json", path);
	err = file_map_open(&text, path);
	if (err < 0) {
		out_fail("%s: %s: a run folder holds its topology", path, strerror(-err));
		return err;
	}
	if (json_parse(text.bytes, &doc, &line) == 0 && (plan_file = topo_plan_file(doc))) {
		run_dir_path(r, plan_file, path);
		err = file_map_open(&plan, path);
		if (err < 0)
			out_fail("%s: %s: the topology names this plan", path, strerror(-err));
	}
	json_free(doc);
	if (err == 0 && (err = topo_read(text.bytes, plan.bytes, &r->topo, &notes)) < 0)
		out_fail("%s/topology.json:%u: %s", r->path, notes.n ? note[0].line : 0,
			notes.n ? note[0].text : err_text(err));
	file_map_close(&text);
	file_map_close(&plan);
	return err;
}

/* A simulation has no real clock: without run.json lab time 0 is learnt from the event logs. */
static int load_clock(struct run_dir *r)
{
	struct file_map text;
	struct json *doc;
	char path[RUN_PATH_MAX];
	unsigned line = 0;
	int err;

	run_dir_path(r, "run.json", path);
	err = file_map_open(&text, path);
	if (err < 0)
		return 0;
	err = json_parse(text.bytes, &doc, &line);
	if (err == 0 && json_get(doc, "dtn0_ms"))
		err = json_u64(json_get(doc, "dtn0_ms"), &r->dtn0_ms);
	if (err == 0 && json_get(doc, "mono0_ns"))
		err = json_i64(json_get(doc, "mono0_ns"), &r->mono0_ns);
	if (err == 0 && json_get(doc, "runner_pid"))
		err = json_u64(json_get(doc, "runner_pid"), &r->runner_pid);
	if (err == 0 && json_get(doc, "speed"))
		err = json_double(json_get(doc, "speed"), &r->speed);
	if (err < 0)
		out_fail("%s:%u: %s", path, line, err_text(err));
	json_free(doc);
	file_map_close(&text);
	return err;
}

static int feed_log(struct dataset *d, const char *path, struct progress *p)
{
	struct file_map map;
	int err = file_map_open(&map, path);
	size_t at = 0;

	if (err < 0) {
		out_fail("%s: %s", path, strerror(-err));
		return err;
	}
	while (err == 0 && at < map.bytes.n) {
		const uint8_t *start = map.bytes.p + at,
			      *end = memchr(start, '\n', map.bytes.n - at);

		if (!end) /* the line that a killed node was writing */
			break;
		if (end > start)
			err = dataset_line(d, view_of(start, (size_t)(end - start)));
		at = (size_t)(end - map.bytes.p) + 1;
		progress_bytes(p, "events", at, map.bytes.n);
	}
	if (err < 0)
		out_fail("%s: %s", path, err_text(err));
	file_map_close(&map);
	return err;
}

static int is_log(const struct dirent *e)
{
	return e->d_name[0] != '.' && strstr(e->d_name, ".jsonl") != NULL;
}
