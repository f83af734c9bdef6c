/*
 * json: the only file that sees cJSON. A struct json is a cJSON in disguise: the cast happens in two
 * functions and nowhere else. Start reading at json_parse.
 */
#include "bundle/base/json.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DEPTH_MAX 64
#define EXACT_MAX (UINT64_C(1) << 53)

static const cJSON *inside(const struct json *v);
static const struct json *outside(const cJSON *v);
static int check_tree(const cJSON *v, unsigned depth, size_t *nth);
static unsigned line_of_nth(struct view text, size_t nth);
static unsigned line_at(struct view text, const char *at);
static const char *not_utf8(struct view text);

int json_parse(struct view text, struct json **out, unsigned *line)
{
	const char *end = not_utf8(text);
	cJSON *doc =
		end ? NULL : cJSON_ParseWithLengthOpts((const char *)text.p, text.n, &end, false);
	size_t nth = 0;
	int err;

	*out = NULL;
	*line = 0;
	if (!doc) {
		*line = line_at(text, end);
		return -E_SYNTAX;
	}
	while (end < (const char *)text.p + text.n && strchr(" \t\r\n", *end) && *end)
		end++;
	err = end == (const char *)text.p + text.n ? check_tree(doc, 0, &nth) : -E_SYNTAX;
	if (err) {
		*line = err == -E_SYNTAX ? line_at(text, end) : line_of_nth(text, nth);
		cJSON_Delete(doc);
		return err;
	}
	*out = (struct json *)(void *)doc;
	return 0;
}

const char *json_error_text(int err)
{
	switch (err) {
	case -E_SYNTAX:
		return "not valid JSON";
	case -E_DUPLICATE:
		return "a name stands twice in one object";
	case -E_LIMIT:
		return "nested deeper than 64 levels";
	default:
		return err_text(err);
	}
}

void json_free(struct json *doc)
{
	cJSON_Delete((cJSON *)(void *)doc);
}

enum json_type json_type(const struct json *v)
{
	const cJSON *c = inside(v);

	if (!c)
		return JSON_ABSENT;
	switch (c->type & 0xff) {
	case cJSON_False:
	case cJSON_True:
		return JSON_BOOL;
	case cJSON_Number:
		return JSON_NUMBER;
	case cJSON_String:
		return JSON_STRING;
	case cJSON_Array:
		return JSON_ARRAY;
	case cJSON_Object:
		return JSON_OBJECT;
	default:
		return JSON_NULL;
	}
}

const struct json *json_get(const struct json *v, const char *key)
{
	return json_type(v) == JSON_OBJECT
		       ? outside(cJSON_GetObjectItemCaseSensitive(inside(v), key))
		       : NULL;
}

const struct json *json_at(const struct json *v, size_t k)
{
	const struct json *e = json_first(v);

	while (e && k-- > 0)
		e = json_next(e);
	return e;
}

const struct json *json_first(const struct json *v)
{
	const cJSON *c = inside(v);

	return c ? outside(c->child) : NULL;
}

const struct json *json_next(const struct json *v)
{
	return outside(inside(v)->next);
}

const char *json_key(const struct json *v)
{
	return v ? inside(v)->string : NULL;
}

size_t json_size(const struct json *v)
{
	size_t n = 0;

	for (const struct json *e = json_first(v); e; e = json_next(e))
		n++;
	return n;
}

const char *json_text(const struct json *v)
{
	return json_type(v) == JSON_STRING ? inside(v)->valuestring : NULL;
}

int json_u64(const struct json *v, uint64_t *out)
{
	const char *text = json_text(v);

	if (text) {
		char *end;

		errno = 0;
		*out = strtoull(text, &end, 10);
		return text[0] < '0' || text[0] > '9' || *end ? -E_TYPE : errno ? -E_RANGE : 0;
	}
	if (json_type(v) != JSON_NUMBER)
		return -E_TYPE;
	double d = inside(v)->valuedouble;
	if (!(d >= 0) || d > (double)EXACT_MAX || floor(d) < d)
		return -E_RANGE;
	*out = (uint64_t)d;
	return 0;
}

int json_i64(const struct json *v, int64_t *out)
{
	const char *text = json_text(v);

	if (text) {
		char *end;

		errno = 0;
		*out = strtoll(text, &end, 10);
		return end == text || *end ? -E_TYPE : errno ? -E_RANGE : 0;
	}
	if (json_type(v) != JSON_NUMBER)
		return -E_TYPE;
	double d = inside(v)->valuedouble;
	if (!(fabs(d) <= (double)EXACT_MAX) || floor(d) < d)
		return -E_RANGE;
	*out = (int64_t)d;
	return 0;
}

int json_double(const struct json *v, double *out)
{
	if (json_type(v) != JSON_NUMBER)
		return -E_TYPE;
	*out = inside(v)->valuedouble;
	return isfinite(*out) ? 0 : -E_RANGE;
}

int json_bool(const struct json *v, bool *out)
{
	if (json_type(v) != JSON_BOOL)
		return -E_TYPE;
	*out = cJSON_IsTrue(inside(v));
	return 0;
}

static const cJSON *inside(const struct json *v)
{
	return (const cJSON *)(const void *)v;
}

static const struct json *outside(const cJSON *v)
{
	return (const struct json *)(const void *)v;
}

/* Duplicate keys and nesting that cJSON lets pass. *nth counts the values below the top in the order of
 * the text: on an error that is where it was met. */
static int check_tree(const cJSON *v, unsigned depth, size_t *nth)
{
	if (depth > DEPTH_MAX)
		return -E_LIMIT;
	for (const cJSON *c = v->child; c; c = c->next) {
		++*nth;
		if (cJSON_IsObject(v) && cJSON_GetObjectItemCaseSensitive(v, c->string) != c)
			return -E_DUPLICATE;
		int err = check_tree(c, depth + 1, nth);
		if (err)
			return err;
	}
	return 0;
}

static unsigned line_at(struct view text, const char *at)
{
	unsigned line = 1;
	const char *p = (const char *)text.p;

	for (; at && p < at && p < (const char *)text.p + text.n; p++)
		line += *p == '\n';
	return line;
}

/* -- lines of values, found by walking the text again */

struct walk {
	const char *p, *end;
	unsigned line;
	size_t nth;   /* the value to stop at when no path is given, counted as check_tree does */
	unsigned met; /* its line */
};

/* Whatever cJSON passes over: every control character, zero too. */
static void skip_space(struct walk *w)
{
	for (; w->p < w->end && (uint8_t)*w->p <= ' '; w->p++)
		w->line += *w->p == '\n';
}

/* Over a string; its text (escapes kept) goes to *s. */
static void walk_string(struct walk *w, struct view *s)
{
	const char *from = ++w->p;

	while (w->p < w->end && *w->p != '"')
		w->p += *w->p == '\\' && w->p + 1 < w->end ? 2 : 1;
	*s = view_of(from, (size_t)(w->p - from));
	if (w->p < w->end)
		w->p++;
}

static bool walk_value(struct walk *w, const char *path, unsigned *line);

/* The part of `path` behind "key" or "[k]" when it names this child; NULL when it does not. */
static const char *path_after(const char *path, struct view key, size_t k, bool object)
{
	char *end;

	if (!path)
		return NULL;
	if (*path == '.')
		path++;
	if (object)
		return strnlen(path, key.n) == key.n && memcmp(path, key.p, key.n) == 0 &&
				       (path[key.n] == 0 || strchr(".[", path[key.n]))
			       ? path + key.n
			       : NULL;
	if (*path != '[' || strtoul(path + 1, &end, 10) != k || *end != ']')
		return NULL;
	return end + 1;
}

static bool walk_children(struct walk *w, const char *path, unsigned *line)
{
	bool object = *w->p++ == '{';

	for (size_t k = 0;; k++) {
		struct view key = {0};

		skip_space(w);
		if (w->p >= w->end || *w->p == '}' || *w->p == ']')
			break;
		if (w->nth > 0 && --w->nth == 0)
			w->met = w->line;
		if (object) {
			walk_string(w, &key);
			skip_space(w);
			w->p++;
			skip_space(w);
		}
		if (walk_value(w, path_after(path, key, k, object), line))
			return true;
		skip_space(w);
		if (w->p < w->end && *w->p == ',')
			w->p++;
	}
	w->p++;
	return false;
}

/* True once the value named by path was met; path NULL looks for nothing. */
static bool walk_value(struct walk *w, const char *path, unsigned *line)
{
	struct view s;

	skip_space(w);
	if (path && *path == 0) {
		*line = w->line;
		return true;
	}
	if (w->p >= w->end)
		return false;
	if (*w->p == '{' || *w->p == '[')
		return walk_children(w, path, line);
	if (*w->p == '"')
		walk_string(w, &s);
	else
		while (w->p < w->end && (uint8_t)*w->p > ' ' && !strchr(",]}", *w->p))
			w->p++;
	return false;
}

unsigned json_line(struct view text, const char *path)
{
	struct walk w = {
		.p = (const char *)text.p, .end = (const char *)text.p + text.n, .line = 1};
	unsigned line = 0;

	return walk_value(&w, path, &line) ? line : 0;
}

static unsigned line_of_nth(struct view text, size_t nth)
{
	struct walk w = {.p = (const char *)text.p,
		.end = (const char *)text.p + text.n,
		.line = 1,
		.nth = nth};
	unsigned none;

	(void)walk_value(&w, NULL, &none);
	return w.met;
}

/* -- writing */

static void jw_escaped(struct buf *b, struct view text);

static void jw_start(struct json_writer *w, const char *key)
{
	if (w->comma)
		buf_u8(w->out, ',');
	w->comma = true;
	if (!key)
		return;
	jw_escaped(w->out, view_text(key));
	buf_u8(w->out, ':');
}

static void jw_open(struct json_writer *w, const char *key, char c)
{
	jw_start(w, key);
	buf_u8(w->out, (uint8_t)c);
	w->comma = false;
}

static void jw_close(struct json_writer *w, char c)
{
	buf_u8(w->out, (uint8_t)c);
	w->comma = true;
}

void jw_object(struct json_writer *w, const char *key)
{
	jw_open(w, key, '{');
}

void jw_object_end(struct json_writer *w)
{
	jw_close(w, '}');
}

void jw_array(struct json_writer *w, const char *key)
{
	jw_open(w, key, '[');
}

void jw_array_end(struct json_writer *w)
{
	jw_close(w, ']');
}

void jw_text(struct json_writer *w, const char *key, struct view text)
{
	jw_start(w, key);
	jw_escaped(w->out, text);
}

void jw_u64(struct json_writer *w, const char *key, uint64_t v)
{
	char s[32];

	snprintf(s, sizeof s, v > EXACT_MAX ? "\"%" PRIu64 "\"" : "%" PRIu64, v);
	jw_start(w, key);
	buf_text(w->out, s);
}

void jw_i64(struct json_writer *w, const char *key, int64_t v)
{
	char s[32];
	bool exact = v <= (int64_t)EXACT_MAX && v >= -(int64_t)EXACT_MAX;

	snprintf(s, sizeof s, exact ? "%" PRId64 : "\"%" PRId64 "\"", v);
	jw_start(w, key);
	buf_text(w->out, s);
}

void jw_double(struct json_writer *w, const char *key, double v)
{
	char s[40];

	for (int digits = 6; digits <= 17; digits++) {
		snprintf(s, sizeof s, "%.*g", digits, v);
		if (strtod(s, NULL) >= v && strtod(s, NULL) <= v)
			break;
	}
	jw_start(w, key);
	buf_text(w->out, isfinite(v) ? s : "null");
}

void jw_bool(struct json_writer *w, const char *key, bool v)
{
	jw_start(w, key);
	buf_text(w->out, v ? "true" : "false");
}

void jw_null(struct json_writer *w, const char *key)
{
	jw_start(w, key);
	buf_text(w->out, "null");
}

/* Length of the UTF-8 character at p, 0 when there is none. */
static size_t utf8_len(const uint8_t *p, size_t left)
{
	size_t n = p[0] < 0x80   ? 1
		   : p[0] < 0xc2 ? 0
		   : p[0] < 0xe0 ? 2
		   : p[0] < 0xf0 ? 3
		   : p[0] < 0xf5 ? 4
				 : 0;

	if (n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if (n == 3 && ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)))
		return 0;
	if (n == 4 && ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)))
		return 0;
	return n;
}

/* The first byte that is no UTF-8; NULL when all is (RFC 8259 8.1; cJSON does not look). */
static const char *not_utf8(struct view text)
{
	size_t n;

	for (size_t i = 0; i < text.n; i += n) {
		n = utf8_len(text.p + i, text.n - i);
		if (n == 0)
			return (const char *)text.p + i;
	}
	return NULL;
}

static void jw_escaped(struct buf *b, struct view text)
{
	buf_u8(b, '"');
	for (size_t i = 0; i < text.n;) {
		size_t n = utf8_len(text.p + i, text.n - i);
		uint8_t c = text.p[i];
		char s[8];

		if (n == 0 || c < 0x20 || c == 0x7f) {
			snprintf(s, sizeof s, "\\u%04x", c);
			buf_text(b, s);
			n = 1;
		} else {
			if (c == '"' || c == '\\')
				buf_u8(b, '\\');
			buf_put(b, view_sub(text, i, n));
		}
		i += n;
	}
	buf_u8(b, '"');
}
