/*
 * line: one line of an event log, a flat JSON object, cut into its fields without copying. No nesting
 * and no cJSON: logs are long, and their numbers may need all 64 bits.
 */
#ifndef OWLT_DATASET_LINE_H
#define OWLT_DATASET_LINE_H

#include "bundle/base/err.h"
#include "bundle/base/view.h"

#define LINE_FIELDS_MAX 24
#define LINE_BYTES_MAX 4096

struct line_field {
	struct view key;
	struct view value; /* of a string: without its quotes, escapes as they stand */
	bool is_text;
};

struct line {
	struct line_field field[LINE_FIELDS_MAX];
	unsigned n;
};

/* 0; -E_SYNTAX, -E_LIMIT. Views live as long as `text`. Space around the object is allowed. */
int line_scan(struct view text, struct line *l) MUST_USE;
/* Value of a field; p == NULL when absent. */
struct view line_get(const struct line *l, const char *key);
bool line_is(const struct line *l, const char *key, const char *value);
/* Whole numbers, also as strings of digits. False when absent or anything else; *out is 0 then. */
bool line_u64(const struct line *l, const char *key, uint64_t *out);
bool line_i64(const struct line *l, const char *key, int64_t *out);
/* true or false, 1 or 0; absent is false. */
bool line_flag(const struct line *l, const char *key);

#endif
