/*
 * plan_text: what the subcommands of owlt plan share: options, plans from files, contacts as text and JSON.
 */
#ifndef OWLT_TOOLS_PLAN_TEXT_H
#define OWLT_TOOLS_PLAN_TEXT_H

#include "tools/opt.h"
#include "tools/out.h"
#include "tools/plan_file.h"

#define PLAN_OPT_FORMAT(type)                                                                      \
	{                                                                                          \
		"format", 0, OPT_TEXT, offsetof(type, format), "FORMAT",                           \
			"owlt, ionrc or hdtn; without it the content tells", NULL                  \
	}
#define PLAN_OPT_JSON(type)                                                                        \
	{                                                                                          \
		"json", 0, OPT_FLAG, offsetof(type, json), NULL, "one JSON document", NULL         \
	}

/* Reads a plan that must be valid. 0, or negative after messages; then nothing is to be freed. */
int plan_file_open(struct plan_file *f, const char *name, const char *format) MUST_USE;
/* JSON: seconds, null for never; a node as EID text. */
void plan_put_time(struct out *o, const char *key, mono t);
void plan_put_node(struct out *o, const char *key, const struct plan *p, node_id node);
/* Seconds without zeros at the end, "never". Gives s. */
const char *plan_time_text(mono t, char *s, size_t n);

int plan_diff(int argc, char **argv);
int plan_routes(int argc, char **argv);

#endif
