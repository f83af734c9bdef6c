/*
 * schema: configuration from one table. Each folder exports rows for its own settings struct; the
 * node joins them. The table parses, checks ranges, fills in defaults, prints --help-config and the
 * man page, and answers get and set. Sources, later ones win: default, JSON file, environment
 * (OWLT_STORE__PATH, OWLT_LINKS__0__REMOTE), command line.
 */
#ifndef OWLT_BASE_SCHEMA_H
#define OWLT_BASE_SCHEMA_H

#include "bundle/base/err.h"
#include "bundle/base/json.h"

enum schema_type {
	SCHEMA_BOOL,     /* bool */
	SCHEMA_U64,      /* uint64_t, a plain count */
	SCHEMA_BYTES,    /* uint64_t, sizes such as 64Mi */
	SCHEMA_DURATION, /* int64_t us; 250ms 10s 5m 1h 2d, bare numbers are seconds */
	SCHEMA_RATE,     /* uint64_t bits per second; 256k 10M (1000) */
	SCHEMA_REAL,     /* double */
	SCHEMA_TEXT,     /* char[max + 1] */
	SCHEMA_ENUM,     /* unsigned: index into `words` */
	SCHEMA_LIST,     /* array of structs: `rows`, `max` elements of `size`, count (size_t) at
			  * `count_offset`; a row with path "" makes the elements plain values */
	SCHEMA_I64,      /* int64_t, a plain number */
};

struct schema_row {
	const char *path; /* "store.path"; inside a list's rows relative to the element */
	enum schema_type type;
	size_t offset;            /* of the field in its struct, from offsetof */
	int64_t min, max;         /* numbers: bounds, both included; texts: lengths; max 0 = none */
	const char *def;          /* default as text; NULL = required */
	const char *const *words; /* SCHEMA_ENUM: NULL-terminated */
	const struct schema_row *rows;  /* SCHEMA_LIST: the element's rows, ended by path == NULL */
	size_t size, count_offset;      /* SCHEMA_LIST */
	int (*check)(const char *text); /* SCHEMA_TEXT: optional; 0 or a negative error */
	const char *unit;               /* for people: "bytes", "s" */
	const char *help;               /* one sentence */
};

/* A table is an array of rows ended by path == NULL, plus where its struct sits in the whole. */
struct schema_part {
	const struct schema_row *rows;
	size_t offset;
};

/* What was wrong, for the message: "FILE:LINE: PATH: TEXT". line 0 = not from a file. */
struct schema_error {
	char path[96];
	char text[160];
	unsigned line;
};

/* The whole: parts ended by rows == NULL, filled into the struct at `into` (the caller's; zeroed first). */
int schema_defaults(const struct schema_part *parts, void *into, struct schema_error *e) MUST_USE;
/* Reads a JSON document over what is there. Unknown keys are errors. 0 or negative, then *e tells. */
int schema_json(const struct schema_part *parts, void *into, struct view text,
	struct schema_error *e) MUST_USE;
/* One setting by path as text ("links[0].remote"), as from the environment or a command line. */
int schema_set(const struct schema_part *parts, void *into, const char *path, const char *text,
	struct schema_error *e) MUST_USE;
/* Every OWLT_ variable of envp ("A=b" strings) except those named in `skip` (NULL-terminated).
 * An unknown one is an error. */
int schema_env(const struct schema_part *parts, void *into, char *const *envp,
	const char *const *skip, struct schema_error *e) MUST_USE;
/* After all sources: required settings are there. */
int schema_complete(
	const struct schema_part *parts, const void *into, struct schema_error *e) MUST_USE;
/* The settings as JSON, and the help text (plain text, or man page source with `roff`). */
void schema_write(const struct schema_part *parts, const void *from, struct json_writer *w);
void schema_help(const struct schema_part *parts, bool roff, struct buf *out);

#endif
