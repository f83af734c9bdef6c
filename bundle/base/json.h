/*
 * json: reading JSON documents (configuration, plans, topologies; json.c alone sees cJSON) and
 * writing JSON text. Not for hot paths.
 *
 * Numbers: cJSON keeps doubles, so integers above 2^53 are written, and read, as strings of decimal digits.
 */
#ifndef OWLT_BASE_JSON_H
#define OWLT_BASE_JSON_H

#include "bundle/base/buf.h"
#include "bundle/base/err.h"
#include "bundle/base/view.h"

/* A value inside a document; NULL stands for "absent" in every call. Lives as long as its document. */
struct json;

enum json_type {
	JSON_ABSENT,
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

/* Parses text into a document that json_free() ends. On -E_SYNTAX *line is the line (from 1) of the
 * error; so on -E_LIMIT (deeper than 64 levels) and -E_DUPLICATE (a key twice in an object: the second's).
 * Also -ENOMEM.
 * Bytes that are no UTF-8 are -E_SYNTAX. */
int json_parse(struct view text, struct json **out, unsigned *line) MUST_USE;
/* What json_parse found, for people. */
const char *json_error_text(int err);
void json_free(struct json *doc);

enum json_type json_type(const struct json *v);
/* Member of an object, NULL when absent or v is no object. */
const struct json *json_get(const struct json *v, const char *key);
/* The k-th element of an array or member of an object; NULL past the end. */
const struct json *json_at(const struct json *v, size_t k);
/* First child and next sibling, for loops over long arrays and over objects. */
const struct json *json_first(const struct json *v);
const struct json *json_next(const struct json *v);
/* Name of an object's member; NULL for others. */
const char *json_key(const struct json *v);
size_t json_size(const struct json *v);
/* NULL when v is no string. */
const char *json_text(const struct json *v);
/* 0, -E_TYPE, or -E_RANGE (not a whole number, or outside). Strings of digits count as numbers. */
int json_u64(const struct json *v, uint64_t *out) MUST_USE;
int json_i64(const struct json *v, int64_t *out) MUST_USE;
int json_double(const struct json *v, double *out) MUST_USE;
int json_bool(const struct json *v, bool *out) MUST_USE;
/* Line (from 1) in `text` where the value at a path such as "links[0].remote" begins; 0 if not found.
 * Walks the text again: for error messages only. */
unsigned json_line(struct view text, const char *path);

/* Writing: a comma appears where one is needed; what is opened must be closed in order. The text
 * goes to the buf; `key` is NULL inside arrays and at the top. */
struct json_writer {
	struct buf *out;
	bool comma;
};

void jw_object(struct json_writer *w, const char *key);
void jw_object_end(struct json_writer *w);
void jw_array(struct json_writer *w, const char *key);
void jw_array_end(struct json_writer *w);
void jw_text(struct json_writer *w, const char *key,
	struct view text);                                       /* escaped; bad UTF-8 as \u00XX */
void jw_u64(struct json_writer *w, const char *key, uint64_t v); /* above 2^53: a string */
void jw_i64(struct json_writer *w, const char *key, int64_t v);
void jw_double(
	struct json_writer *w, const char *key, double v); /* shortest text that reads back equal */
void jw_bool(struct json_writer *w, const char *key, bool v);
void jw_null(struct json_writer *w, const char *key);

#endif
