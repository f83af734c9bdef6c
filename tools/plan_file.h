/*
 * plan_file: a contact plan from a file, standard input ("-") or a topology's "plan", with its notes
 * printed as FILE:LINE: TEXT.
 */
#ifndef OWLT_TOOLS_PLAN_FILE_H
#define OWLT_TOOLS_PLAN_FILE_H

#include "dtn/plan/topo.h"

#define PLAN_NOTES_MAX 100

struct plan_file {
	const char *name;
	const struct plan *plan; /* NULL: not readable as a plan */
	struct topo *topo;       /* not NULL: the plan is the topology's */
	struct plan *own;
	enum plan_format format; /* that it is in; PLAN_AUTO for a topology */
	struct plan_note note[PLAN_NOTES_MAX];
	struct plan_notes notes;
};

/* A whole file, at most 256 MiB; the caller frees text->p. 0 or -errno, -E_LIMIT. */
int file_read(const char *name, struct view *text) MUST_USE;
/* format: as --format says, NULL = by the content. 0 or negative; where the file was read but is no
 * valid plan, the notes tell. plan_file_free() ends it in any case. */
int plan_file_read(struct plan_file *f, const char *name, const char *format) MUST_USE;
void plan_file_free(struct plan_file *f);
/* Notes on stderr. */
void plan_file_print_notes(const struct plan_file *f);
/* A node by number or EID, or by its name in the topology. */
int plan_file_node(const struct plan_file *f, const char *text, node_id *node) MUST_USE;

#endif
