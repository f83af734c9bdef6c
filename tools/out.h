/*
 * out: what the owlt command prints. Text for people, or with --json one document (or one line per
 * event for commands that stream) in the same order of calls; errors are text on stderr either way.
 */
#ifndef OWLT_TOOLS_OUT_H
#define OWLT_TOOLS_OUT_H

#include "bundle/base/json.h"
#include "bundle/eid.h"

#include <stdbool.h>

#define OWLT_VERSION "0.2.0"

#define EXIT_YES 0
#define EXIT_NO 1    /* the answer is no */
#define EXIT_USAGE 2 /* usage or environment */

struct out {
	bool json;
	struct json_writer w; /* writes to buf; used only where json is set */
	struct buf buf;
};

/* Takes memory for one document (64 MiB at most, touched only as far as it is used); exits 2
 * without it. */
void out_begin(struct out *o, bool json);
/* Writes what is in the document as one line and empties it: for streams, one call per event. */
void out_line(struct out *o);
/* Writes the rest and frees. 0, or EXIT_USAGE after a message when stdout failed. */
int out_end(struct out *o);

/* Text mode only: printf. */
void out_text(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* JSON mode only: an EID as text. */
void out_eid(struct out *o, const char *key, const struct eid *e);
/* JSON mode only: a C string; bytes as hex. */
void out_string(struct out *o, const char *key, const char *text);
void out_hex(struct out *o, const char *key, struct view v);

/* "owlt: ..." on stderr: what, where, what to do. Gives EXIT_USAGE and EXIT_NO to return. */
int out_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int out_no(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
