/*
 * schema: configuration from one table (schema.h). Every source ends in set_text(), which turns text
 * into the field and checks its range; JSON, environment and command line only differ in how they
 * name the row. An element of a list is a table of its own: the same functions walk it with its rows.
 *
 * Required settings (def == NULL) are told by their zero value: an empty text, a number 0.
 * Start reading at schema_json, then find_row and set_text.
 */
#include "bundle/base/schema.h"

#include "bundle/base/units.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_LEN sizeof((struct schema_error *)0)->path
#define ENV_MAX 512

/* Where a setting lives. */
struct spot {
	const struct schema_row *row;
	char *base; /* of its struct */
};

struct source {
	struct view text; /* the document, for lines; empty otherwise */
	struct schema_error *e;
};

static int fail(const struct source *src, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static bool find_row(const struct schema_part *parts, void *into, const char *path, struct spot *s);
static bool has_group(const struct schema_part *parts, const char *path);
static int set_text(
	const struct source *src, const struct spot *s, const char *path, const char *text);
static int set_defaults(const struct source *src, const struct schema_part *parts, void *into);
static int read_object(const struct source *src, const struct schema_part *parts, void *into,
	const struct json *v, const char *at[2]);

/* The field of a row in its struct; the row says its type. */
static void *field_of(const struct spot *s)
{
	return s->base + s->row->offset;
}

static size_t *count_of(const struct spot *s)
{
	return (size_t *)(void *)(s->base + s->row->count_offset);
}

int schema_defaults(const struct schema_part *parts, void *into, struct schema_error *e)
{
	struct source src = {.e = e};

	return set_defaults(&src, parts, into);
}

int schema_json(
	const struct schema_part *parts, void *into, struct view text, struct schema_error *e)
{
	struct source src = {.text = text, .e = e};
	struct json *doc;
	const char *at[2] = {"", ""};
	unsigned line;
	int err = json_parse(text, &doc, &line);

	if (err) {
		fail(&(struct source){.e = e}, "", "%s", json_error_text(err));
		e->line = line;
		return -E_CONFIG;
	}
	if (json_type(doc) != JSON_OBJECT)
		err = fail(&src, "", "an object is required");
	else
		err = read_object(&src, parts, into, doc, at);
	json_free(doc);
	return err;
}

/* -- one setting by its full path */

static int open_element(
	const struct source *src, const struct spot *list, const char *path, size_t k);

/* Follows "links[0].remote" into lists, making the element after the last when it is named. */
static int resolve(const struct source *src, const struct schema_part *parts, void *into,
	const char *path, struct spot *out)
{
	char head[PATH_MAX_LEN];
	const char *open = strchr(path, '[');
	struct spot list;
	char *end;
	unsigned long k;
	int err;

	if (!open)
		return find_row(parts, into, path, out) ? 0 : fail(src, path, "no such setting");
	if ((size_t)(open - path) >= sizeof head)
		return fail(src, path, "no such setting");
	snprintf(head, sizeof head, "%.*s", (int)(open - path), path);
	k = strtoul(open + 1, &end, 10);
	if (!find_row(parts, into, head, &list) || list.row->type != SCHEMA_LIST ||
		end == open + 1 || *end != ']' || (end[1] && end[1] != '.'))
		return fail(src, path, "no such setting");
	err = open_element(src, &list, path, k);
	if (err)
		return err;
	const struct schema_part inner[] = {{.rows = list.row->rows}, {0}};
	return resolve(src, inner, (char *)field_of(&list) + k * list.row->size,
		end[1] ? end + 2 : end + 1, out);
}

/* Makes sure that element k exists: it does, or it is the next one. */
static int open_element(
	const struct source *src, const struct spot *list, const char *path, size_t k)
{
	const struct schema_part inner[] = {{.rows = list->row->rows}, {0}};

	if (k < *count_of(list))
		return 0;
	if (k > *count_of(list))
		return fail(src, path, "element %zu comes before %zu", *count_of(list), k);
	if ((int64_t)k >= list->row->max)
		return fail(src, path, "at most %" PRId64 " elements", list->row->max);
	char *at = (char *)field_of(list) + k * list->row->size;
	memset(at, 0, list->row->size);
	++*count_of(list);
	return set_defaults(src, inner, at);
}

int schema_set(const struct schema_part *parts, void *into, const char *path, const char *text,
	struct schema_error *e)
{
	struct source src = {.e = e};
	struct spot s;
	int err = resolve(&src, parts, into, path, &s);

	if (!err && s.row->type == SCHEMA_LIST)
		err = fail(&src, path, "a list is set by its elements");
	else if (!err)
		err = set_text(&src, &s, path, text);
	if (err)
		snprintf(e->path, sizeof e->path, "%s", path);
	return err;
}

/* -- the environment */

static int by_version(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

/* OWLT_LINKS__0__REMOTE=x -> "links[0].remote" and x. */
static const char *env_path(const char *var, char path[PATH_MAX_LEN])
{
	const char *p = var + strlen("OWLT_");
	size_t n = 0;

	for (; *p && *p != '=' && n + 4 < PATH_MAX_LEN; p++) {
		bool gap = p[0] == '_' && p[1] == '_';

		if (!gap) {
			path[n++] = (char)tolower((unsigned char)*p);
			continue;
		}
		p++;
		if (!isdigit((unsigned char)p[1])) {
			path[n++] = '.';
			continue;
		}
		path[n++] = '[';
		while (isdigit((unsigned char)p[1]) && n + 4 < PATH_MAX_LEN)
			path[n++] = *++p;
		path[n++] = ']';
	}
	path[n] = 0;
	return *p == '=' ? p + 1 : NULL;
}

static bool is_skipped(const char *var, const char *const *skip)
{
	size_t n = strcspn(var, "=");

	for (; skip && *skip; skip++)
		if (strlen(*skip) == n && strncmp(*skip, var, n) == 0)
			return true;
	return false;
}

int schema_env(const struct schema_part *parts, void *into, char *const *envp,
	const char *const *skip, struct schema_error *e)
{
	char path[PATH_MAX_LEN];
	char *var[ENV_MAX];
	size_t n = 0;

	for (; *envp; envp++) {
		if (strncmp(*envp, "OWLT_", 5) != 0 || is_skipped(*envp, skip))
			continue;
		if (n == ENV_MAX)
			return fail(&(struct source){.e = e}, "", "more than %d OWLT_ variables",
				ENV_MAX);
		var[n++] = *envp;
	}
	qsort(var, n, sizeof var[0], by_version); /* element 0 of a list before element 1 */
	for (size_t i = 0; i < n; i++) {
		const char *value = env_path(var[i], path);
		int err = value ? schema_set(parts, into, path, value, e)
				: fail(&(struct source){.e = e}, path, "name too long");
		if (err) {
			snprintf(
				e->path, sizeof e->path, "%.*s", (int)strcspn(var[i], "="), var[i]);
			return err;
		}
	}
	return 0;
}

/* -- are the required ones there? */

static bool is_zero(const struct spot *s)
{
	static const char none[8];

	if (s->row->type == SCHEMA_TEXT)
		return *(const char *)field_of(s) == 0;
	if (s->row->type == SCHEMA_BOOL || s->row->type == SCHEMA_ENUM)
		return false;
	return memcmp(field_of(s), none, sizeof none) == 0;
}

static int complete(
	const struct schema_part *parts, char *from, const char *prefix, struct schema_error *e)
{
	char path[PATH_MAX_LEN * 2];

	for (; parts->rows; parts++)
		for (const struct schema_row *r = parts->rows; r->path; r++) {
			struct spot s = {r, from + parts->offset};
			const struct schema_part inner[] = {{.rows = r->rows}, {0}};
			int err = 0;

			snprintf(path, sizeof path, "%s%s", prefix, r->path);
			if (r->type != SCHEMA_LIST && !r->def && is_zero(&s))
				return fail(&(struct source){.e = e}, path, "is required");
			for (size_t k = 0; r->type == SCHEMA_LIST && !err && k < *count_of(&s);
				k++) {
				snprintf(path, sizeof path, "%s%s[%zu].", prefix, r->path, k);
				err = complete(inner, (char *)field_of(&s) + k * r->size, path, e);
			}
			if (err)
				return err;
		}
	return 0;
}

int schema_complete(const struct schema_part *parts, const void *into, struct schema_error *e)
{
	return complete(parts, (char *)(uintptr_t)into, "", e);
}

/* -- rows */

static int fail(const struct source *src, const char *path, const char *fmt, ...)
{
	va_list ap;

	snprintf(src->e->path, sizeof src->e->path, "%s", path);
	va_start(ap, fmt);
	vsnprintf(src->e->text, sizeof src->e->text, fmt, ap);
	va_end(ap);
	src->e->line = src->text.n ? json_line(src->text, path) : 0;
	return -E_CONFIG;
}

static bool find_row(const struct schema_part *parts, void *into, const char *path, struct spot *s)
{
	for (; parts->rows; parts++)
		for (const struct schema_row *r = parts->rows; r->path; r++)
			if (strcmp(r->path, path) == 0) {
				*s = (struct spot){r, (char *)into + parts->offset};
				return true;
			}
	return false;
}

static bool has_group(const struct schema_part *parts, const char *path)
{
	size_t n = strlen(path);

	for (; parts->rows; parts++)
		for (const struct schema_row *r = parts->rows; r->path; r++)
			if (strncmp(r->path, path, n) == 0 && r->path[n] == '.')
				return true;
	return false;
}

static int set_defaults(const struct source *src, const struct schema_part *parts, void *into)
{
	for (; parts->rows; parts++)
		for (const struct schema_row *r = parts->rows; r->path; r++) {
			struct spot s = {r, (char *)into + parts->offset};
			int err = 0;

			if (r->type == SCHEMA_LIST)
				*count_of(&s) = 0;
			else if (r->def)
				err = set_text(src, &s, r->path, r->def);
			if (err)
				return err;
		}
	return 0;
}

/* -- text into a field */

static int check_range(
	const struct source *src, const struct schema_row *r, const char *path, int64_t v)
{
	const char *unit = r->unit ? r->unit : "";

	if (v < r->min)
		return fail(src, path, "at least %" PRId64 " %s is required", r->min, unit);
	if (r->max != 0 && v > r->max)
		return fail(src, path, "at most %" PRId64 " %s is possible", r->max, unit);
	return 0;
}

static int set_string(
	const struct source *src, const struct spot *s, const char *path, const char *text)
{
	size_t n = strlen(text), max = (size_t)s->row->max;
	int err;

	if (n > max)
		return fail(src, path, "longer than %zu bytes", max);
	if (n > 0 && n < (size_t)s->row->min)
		return fail(src, path, "shorter than %" PRId64 " bytes", s->row->min);
	err = s->row->check && n > 0 ? s->row->check(text) : 0;
	if (err)
		return fail(src, path, "\"%.80s\": %s", text, err_text(err));
	memcpy(field_of(s), text, n + 1);
	return 0;
}

static int set_word(
	const struct source *src, const struct spot *s, const char *path, const char *text)
{
	char words[120];
	struct buf list = buf_of(words, sizeof words - 1);

	for (unsigned k = 0; s->row->words[k]; k++) {
		if (strcmp(s->row->words[k], text) == 0) {
			memcpy(field_of(s), &k, sizeof k);
			return 0;
		}
		buf_text(&list, k ? ", " : "");
		buf_text(&list, s->row->words[k]);
	}
	words[buf_fits(&list) ? list.len : 0] = 0;
	return fail(src, path, "\"%.30s\" is none of: %s", text, words);
}

static int set_bool(
	const struct source *src, const struct spot *s, const char *path, const char *text)
{
	bool yes = strcmp(text, "true") == 0, no = strcmp(text, "false") == 0;

	if (!yes && !no)
		return fail(src, path, "true or false is required");
	memcpy(field_of(s), &yes, sizeof yes);
	return 0;
}

static int set_real(
	const struct source *src, const struct spot *s, const char *path, const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !(v > -1e300 && v < 1e300))
		return fail(src, path, "a number is required");
	if (v < (double)s->row->min || (s->row->max && v > (double)s->row->max))
		return fail(src, path, "out of range %" PRId64 " to %" PRId64, s->row->min,
			s->row->max);
	memcpy(field_of(s), &v, sizeof v);
	return 0;
}

static int parse_u64(const char *text, uint64_t *v)
{
	char *end;

	errno = 0;
	*v = strtoull(text, &end, 10);
	return !isdigit((unsigned char)text[0]) || *end ? -E_SYNTAX : errno ? -E_RANGE : 0;
}

static int parse_i64(const char *text, int64_t *v)
{
	char *end;

	errno = 0;
	*v = strtoll(text, &end, 10);
	return end == text || *end || isspace((unsigned char)text[0]) ? -E_SYNTAX
	       : errno                                                ? -E_RANGE
								      : 0;
}

static int set_number(
	const struct source *src, const struct spot *s, const char *path, const char *text)
{
	static const char *const what[] = {[SCHEMA_U64] = "a whole number",
		[SCHEMA_I64] = "a whole number",
		[SCHEMA_BYTES] = "a size such as 64Mi",
		[SCHEMA_DURATION] = "a duration such as 250ms or 10s",
		[SCHEMA_RATE] = "a rate such as 256k or 10M (bits per second)"};
	uint64_t u = 0;
	int64_t i = 0;
	bool minus;
	int err;

	switch (s->row->type) {
	case SCHEMA_BYTES:
		err = units_bytes(text, &u);
		break;
	case SCHEMA_RATE:
		err = units_rate(text, &u);
		break;
	case SCHEMA_U64:
		err = parse_u64(text, &u);
		break;
	case SCHEMA_DURATION:
		minus = text[0] == '-' && s->row->min < 0;
		err = units_duration(text + minus, &i);
		i = minus ? -i : i;
		break;
	default:
		err = parse_i64(text, &i);
		break;
	}
	if (err)
		return fail(src, path, "\"%.60s\": %s is required", text, what[s->row->type]);
	if (s->row->type != SCHEMA_DURATION && s->row->type != SCHEMA_I64)
		i = u > INT64_MAX ? INT64_MAX : (int64_t)u;
	else
		u = (uint64_t)i;
	err = check_range(src, s->row, path, i);
	if (!err)
		memcpy(field_of(s), &u, sizeof u);
	return err;
}

static int set_text(
	const struct source *src, const struct spot *s, const char *path, const char *text)
{
	switch (s->row->type) {
	case SCHEMA_TEXT:
		return set_string(src, s, path, text);
	case SCHEMA_ENUM:
		return set_word(src, s, path, text);
	case SCHEMA_BOOL:
		return set_bool(src, s, path, text);
	case SCHEMA_REAL:
		return set_real(src, s, path, text);
	default:
		return set_number(src, s, path, text);
	}
}

/* -- JSON */

static int read_list(
	const struct source *src, const struct spot *s, const struct json *v, const char *full);
static int read_scalar(
	const struct source *src, const struct spot *s, const struct json *v, const char *full);

/* at[0]: path inside this table, at[1]: path from the top, for messages. */
static int read_object(const struct source *src, const struct schema_part *parts, void *into,
	const struct json *v, const char *at[2])
{
	char rel[PATH_MAX_LEN], full[PATH_MAX_LEN];
	const char *inner[2] = {rel, full};
	int err = 0;

	for (const struct json *m = json_first(v); m && !err; m = json_next(m)) {
		const char *key = json_key(m);
		struct spot s;
		int n = snprintf(rel, sizeof rel, "%s%s%s", at[0], *at[0] ? "." : "", key);
		int k = snprintf(full, sizeof full, "%s%s%s", at[1], *at[1] ? "." : "", key);

		if (n >= (int)sizeof rel || k >= (int)sizeof full)
			err = fail(src, at[1], "no such setting below this");
		else if (find_row(parts, into, rel, &s))
			err = s.row->type == SCHEMA_LIST ? read_list(src, &s, m, full)
							 : read_scalar(src, &s, m, full);
		else if (!has_group(parts, rel))
			err = fail(src, full, "no such setting");
		else if (json_type(m) != JSON_OBJECT)
			err = fail(src, full, "an object is required");
		else
			err = read_object(src, parts, into, m, inner);
	}
	return err;
}

static int read_element(const struct source *src, const struct spot *list, size_t k,
	const struct json *v, const char *full)
{
	const struct schema_part inner[] = {{.rows = list->row->rows}, {0}};
	char *at = (char *)field_of(list) + k * list->row->size;
	const char *paths[2] = {"", full};
	struct spot plain;
	int err = open_element(src, list, full, k);

	if (err)
		return err;
	if (find_row(inner, at, "", &plain))
		return read_scalar(src, &plain, v, full);
	if (json_type(v) != JSON_OBJECT)
		return fail(src, full, "an object is required");
	return read_object(src, inner, at, v, paths);
}

/* A list in a document replaces the whole list. */
static int read_list(
	const struct source *src, const struct spot *s, const struct json *v, const char *full)
{
	char path[PATH_MAX_LEN];
	size_t k = 0;
	int err = 0;

	if (json_type(v) != JSON_ARRAY)
		return fail(src, full, "a list is required");
	*count_of(s) = 0;
	for (const struct json *m = json_first(v); m && !err; m = json_next(m), k++) {
		if (snprintf(path, sizeof path, "%s[%zu]", full, k) >= (int)sizeof path)
			return fail(src, full, "nested too deep");
		err = read_element(src, s, k, m, path);
	}
	return err;
}

static int read_scalar(
	const struct source *src, const struct spot *s, const struct json *v, const char *full)
{
	bool wants_text = s->row->type == SCHEMA_TEXT || s->row->type == SCHEMA_ENUM;
	bool yes;
	double d;
	char number[40];

	if (json_text(v) && s->row->type != SCHEMA_BOOL)
		return set_text(src, s, full, json_text(v));
	if (wants_text)
		return fail(src, full, "a text is required");
	if (s->row->type == SCHEMA_BOOL)
		return json_bool(v, &yes) ? fail(src, full, "true or false is required")
					  : set_text(src, s, full, yes ? "true" : "false");
	if (json_double(v, &d))
		return fail(src, full, "a number is required");
	snprintf(number, sizeof number, "%.15g", d);
	if (d > 1e14 || d < -1e14)
		snprintf(number, sizeof number, "%.0f", d);
	return set_text(src, s, full, number);
}
