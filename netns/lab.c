/*
 * lab: finding labs, see lab.h. A running lab is found by its name through a symbolic link in the
 * user's runtime directory; a link whose runner is gone is passed over.
 */
#include "netns/lab.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_BYTES (64u << 20)
#define PLACES 3u

static bool place(unsigned k, char dir[LAB_PATH_MAX]);
static int name_of_topology(const char *file, char name[TOPO_NAME_MAX]);
static bool is_file(const char *path);
static int registry(char dir[LAB_PATH_MAX]);
static int read_plan(const struct json *doc, const char *path, struct view *plan);
static void print_notes(const char *path, const struct plan_notes *notes);
static bool join(char out[LAB_PATH_MAX], const char *a, const char *b, const char *c);

int lab_find(const char *lab, char path[LAB_PATH_MAX])
{
	char dir[LAB_PATH_MAX], name[LAB_PATH_MAX];

	if (strchr(lab, '/') || is_file(lab)) {
		snprintf(path, LAB_PATH_MAX, "%s", lab);
		return is_file(path) ? 0 : -ENOENT;
	}
	for (unsigned k = 0; k < PLACES; k++)
		if (place(k, dir) && join(name, "/", lab, ".json") && join(path, dir, name, "") &&
			is_file(path))
			return 0;
	return -ENOENT;
}

void lab_each(void (*each)(void *ctx, const char *path), void *ctx)
{
	char dir[LAB_PATH_MAX], path[LAB_PATH_MAX];

	for (unsigned k = 0; k < PLACES; k++) {
		struct dirent **entry = NULL;
		int n = place(k, dir) ? scandir(dir, &entry, NULL, alphasort) : 0;

		for (int i = 0; i < n; i++) {
			const char *dot = strrchr(entry[i]->d_name, '.');

			if (dot && strcmp(dot, ".json") == 0 &&
				join(path, dir, "/", entry[i]->d_name))
				each(ctx, path);
			free(entry[i]);
		}
		free(entry);
		if (n > 0)
			return;
	}
}

int lab_load(const char *path, struct topo **out, struct view *text)
{
	struct plan_note note[20];
	struct plan_notes notes = {.note = note, .cap = 20};
	struct json *doc = NULL;
	struct view plan = {0};
	unsigned line = 0;
	int err;

	*text = (struct view){0};
	err = lab_read_file(path, text);
	if (err) {
		fprintf(stderr, "owlt lab: %s: %s\n", path, err_text(err));
		return err;
	}
	err = json_parse(*text, &doc, &line);
	if (err)
		fprintf(stderr, "owlt lab: %s:%u: %s\n", path, line, json_error_text(err));
	else
		err = read_plan(doc, path, &plan);
	json_free(doc);
	if (err) {
		free((void *)(uintptr_t)text->p);
		return err;
	}
	err = topo_read(*text, plan, out, &notes);
	print_notes(path, &notes);
	if (err && notes.n == 0)
		fprintf(stderr, "owlt lab: %s: %s\n", path, err_text(err));
	free((void *)(uintptr_t)plan.p);
	if (err)
		free((void *)(uintptr_t)text->p);
	return err;
}

int lab_locate(const char *lab, char dir[LAB_PATH_MAX])
{
	char name[TOPO_NAME_MAX];
	char reg[LAB_PATH_MAX], path[LAB_PATH_MAX], found[PATH_MAX];

	if (strchr(lab, '/') || access(lab, F_OK) == 0) {
		if (realpath(lab, found) && join(path, found, "/", "run.json") && is_file(path))
			return join(dir, found, "", "") ? 0 : -ENAMETOOLONG;
	}
	if (is_file(lab) && name_of_topology(lab, name) == 0)
		lab = name;
	if (strchr(lab, '/') || registry(reg) != 0 || !join(path, reg, "/", lab))
		return -ENOENT;
	if (!realpath(path, found) || !join(path, found, "/", "run.json") || !is_file(path))
		return -ENOENT;
	return join(dir, found, "", "") ? 0 : -ENAMETOOLONG;
}

/* A topology file stands for the running lab of its name. */
static int name_of_topology(const char *file, char name[TOPO_NAME_MAX])
{
	struct view text;
	struct json *doc;
	unsigned line;
	int err = lab_read_file(file, &text);
	const char *its;

	if (err)
		return err;
	err = json_parse(text, &doc, &line);
	free((void *)(uintptr_t)text.p);
	if (err)
		return err;
	its = json_text(json_get(doc, "name"));
	if (its && strlen(its) < TOPO_NAME_MAX)
		strcpy(name, its);
	else
		err = -ENOENT;
	json_free(doc);
	return err;
}

int lab_register(const struct lab *l)
{
	char path[LAB_PATH_MAX];

	lab_unregister_path(l, path);
	if (!path[0])
		return -EACCES;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	return symlink(l->dir, path) < 0 ? -errno : 0;
}

void lab_unregister_path(const struct lab *l, char path[LAB_PATH_MAX])
{
	char reg[LAB_PATH_MAX];

	if (registry(reg) != 0 || !join(path, reg, "/", l->topo->name))
		path[0] = 0;
}

int lab_read_file(const char *path, struct view *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	struct stat st;
	char *text = NULL;
	size_t n = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (st.st_size > (off_t)FILE_MAX_BYTES)
		err = -E_LIMIT;
	else if (!(text = malloc((size_t)st.st_size + 1)))
		err = -ENOMEM;
	while (!err && n < (size_t)st.st_size) {
		ssize_t got = read(fd, text + n, (size_t)st.st_size - n);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	close(fd);
	if (err)
		return err;
	text[n] = 0;
	*out = view_of(text, n);
	return 0;
}

/* The k-th directory where ready-made labs may be. */
static bool place(unsigned k, char dir[LAB_PATH_MAX])
{
	const char *env = getenv("OWLT_LABS");
	char self[LAB_PATH_MAX];
	ssize_t n;
	char *slash;

	if (k == 0)
		return env && join(dir, env, "", "");
	n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n <= 0)
		return false;
	self[n] = 0;
	slash = strrchr(self, '/');
	if (!slash)
		return false;
	*slash = 0;
	return join(dir, self, k == 1 ? "/../../netns/labs" : "/../share/owlt/labs", "") &&
	       access(dir, X_OK) == 0;
}

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* Our own directory for names of running labs; nobody else may have made it. */
static int registry(char dir[LAB_PATH_MAX])
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	struct stat st;
	char name[64];

	snprintf(name, sizeof name, "/tmp/owlt-labs-%u", (unsigned)getuid());
	if (!(runtime && runtime[0] == '/' && join(dir, runtime, "/owlt-labs", "")) &&
		!join(dir, name, "", ""))
		return -ENAMETOOLONG;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (lstat(dir, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != getuid())
		return -EACCES;
	return 0;
}

/* The plan file that a topology names lies beside it. */
static int read_plan(const struct json *doc, const char *path, struct view *plan)
{
	const char *name = topo_plan_file(doc), *slash = strrchr(path, '/');
	char full[LAB_PATH_MAX];
	int err;

	if (!name)
		return 0;
	if (name[0] == '/' || !slash)
		snprintf(full, sizeof full, "%s", name);
	else
		snprintf(full, sizeof full, "%.*s/%s", (int)(slash - path), path, name);
	err = lab_read_file(full, plan);
	if (err)
		fprintf(stderr, "owlt lab: %s: %s\n", full, err_text(err));
	return err;
}

static void print_notes(const char *path, const struct plan_notes *notes)
{
	for (size_t k = 0; k < notes->n && k < notes->cap; k++)
		fprintf(stderr, "owlt lab: %s:%u: %s%s\n", path, notes->note[k].line,
			notes->note[k].is_error ? "" : "warning: ", notes->note[k].text);
}

static bool join(char out[LAB_PATH_MAX], const char *a, const char *b, const char *c)
{
	return snprintf(out, LAB_PATH_MAX, "%s%s%s", a, b, c) < LAB_PATH_MAX;
}
