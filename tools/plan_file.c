/*
 * Reading plans for the command line: see plan_file.h. A topology is told from a plan by its "nodes";
 * where it names a plan file, that is looked for beside the topology.
 */
#include "tools/plan_file.h"

#include "tools/out.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX (256u << 20)

static int read_topology(struct plan_file *f, struct view text, const struct json *doc);
static char *beside(const char *file, const char *name);

int file_read(const char *name, struct view *text)
{
	bool is_stdin = strcmp(name, "-") == 0;
	FILE *f = is_stdin ? stdin : fopen(name, "rb");
	size_t cap = 1 << 16, n = 0, got = 0;
	uint8_t *p = f ? malloc(cap) : NULL;
	int err = !f ? -errno : p ? 0 : -ENOMEM;

	while (!err && (got = fread(p + n, 1, cap - n, f)) > 0) {
		n += got;
		if (n < cap)
			continue;
		uint8_t *more = cap < FILE_MAX ? realloc(p, 2 * cap) : NULL;
		if (!more)
			err = cap < FILE_MAX ? -ENOMEM : -E_LIMIT;
		else
			p = more;
		cap *= 2;
	}
	if (!err && ferror(f))
		err = errno ? -errno : -EIO;
	if (f && !is_stdin)
		fclose(f);
	if (err)
		free(p);
	*text = err ? (struct view){0} : view_of(p, n);
	return err;
}

int plan_file_read(struct plan_file *f, const char *name, const char *format)
{
	struct json *doc = NULL;
	struct view text;
	unsigned line;
	int err;

	*f = (struct plan_file){.name = name};
	f->notes = (struct plan_notes){f->note, 0, PLAN_NOTES_MAX};
	f->format = format ? plan_format_of(format) : PLAN_AUTO;
	if (format && f->format == PLAN_AUTO) {
		out_fail("--format: '%s' is not owlt, ionrc or hdtn", format);
		return -E_CONFIG;
	}
	err = file_read(name, &text);
	if (err) {
		out_fail("%s: %s", name, err_text(err));
		return err;
	}
	if (!format)
		f->format = plan_detect(text);
	if (!format && f->format == PLAN_OWLT && json_parse(text, &doc, &line) == 0 &&
		json_get(doc, "nodes")) {
		err = read_topology(f, text, doc);
	} else {
		err = plan_read(text, f->format, &f->own, &f->notes);
		f->plan = f->own;
	}
	json_free(doc);
	free((void *)(uintptr_t)text.p);
	return err;
}

void plan_file_free(struct plan_file *f)
{
	topo_free(f->topo);
	plan_free(f->own);
}

void plan_file_print_notes(const struct plan_file *f)
{
	size_t kept = f->notes.n < f->notes.cap ? f->notes.n : f->notes.cap;

	fflush(stdout);
	for (size_t i = 0; i < kept; i++) {
		const struct plan_note *n = &f->note[i];
		fprintf(stderr, "%s:%u: %s%s\n", f->name, n->line,
			n->is_error ? "" : "warning: ", n->text);
	}
	if (kept < f->notes.n)
		fprintf(stderr, "%s: %zu more\n", f->name, f->notes.n - kept);
}

int plan_file_node(const struct plan_file *f, const char *text, node_id *node)
{
	size_t i = f->topo ? topo_node_index(f->topo, text) : SIZE_MAX;
	struct eid e;
	int err;

	if (i != SIZE_MAX) {
		*node = f->topo->node[i].id;
		return 0;
	}
	err = eid_parse_node(text, &e);
	*node = e.node;
	return err ? err : e.node == NODE_NONE ? -E_RANGE : 0;
}

static int read_topology(struct plan_file *f, struct view text, const struct json *doc)
{
	const char *named = topo_plan_file(doc);
	struct view plan_text = {0};
	int err = 0;

	f->format = PLAN_AUTO;
	if (named) {
		char *path = beside(f->name, named);
		err = path ? file_read(path, &plan_text) : -ENOMEM;
		if (err)
			plan_note(&f->notes, 0, true, "plan %.100s: %s", named, err_text(err));
		free(path);
	}
	if (!err)
		err = topo_read(text, plan_text, &f->topo, &f->notes);
	free((void *)(uintptr_t)plan_text.p);
	if (err)
		return err;
	f->plan = f->topo->plan;
	if (f->plan)
		return 0;
	plan_note(&f->notes, 0, true, "this topology has no plan: its links are always open");
	return -E_CONFIG;
}

static char *beside(const char *file, const char *name)
{
	const char *slash = strrchr(file, '/');
	char *path = NULL;
	int n = name[0] == '/' || !slash ? 0 : (int)(slash + 1 - file);

	return asprintf(&path, "%.*s%s", n, file, name) < 0 ? NULL : path;
}
