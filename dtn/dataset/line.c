/*
 * line: see line.h. The grammar is RFC 8259's without arrays, nested objects and exponents: what the
 * event writer never makes is refused as -E_SYNTAX, so a damaged line is counted, not guessed at.
 * Strings keep their escapes: every name in an event log is plain ASCII.
 */
#include "dtn/dataset/line.h"

#include "bundle/base/cursor.h"

static void skip_space(struct cursor *c);
static bool take(struct cursor *c, uint8_t want);
static struct view scan_text(struct cursor *c);
static struct view scan_word(struct cursor *c);
static bool number(struct view v, bool *negative, uint64_t *out);

int line_scan(struct view text, struct line *l)
{
	struct cursor c = cursor_of(text);

	l->n = 0;
	if (text.n > LINE_BYTES_MAX)
		return -E_LIMIT;
	skip_space(&c);
	if (!take(&c, '{'))
		return -E_SYNTAX;
	skip_space(&c);
	while (cursor_ok(&c) && !take(&c, '}')) {
		struct line_field *f = &l->field[l->n];

		if (l->n == LINE_FIELDS_MAX)
			return -E_LIMIT;
		if (l->n++ > 0 && !take(&c, ','))
			return -E_SYNTAX;
		f->key = scan_text(&c);
		skip_space(&c);
		if (!take(&c, ':'))
			return -E_SYNTAX;
		skip_space(&c);
		f->is_text = cursor_left(&c) > 0 && *c.p == '"';
		f->value = f->is_text ? scan_text(&c) : scan_word(&c);
		skip_space(&c);
	}
	skip_space(&c);
	return cursor_finish(&c) == 0 ? 0 : -E_SYNTAX;
}

struct view line_get(const struct line *l, const char *key)
{
	size_t n = strlen(key);

	for (unsigned k = 0; k < l->n; k++)
		if (l->field[k].key.n == n && memcmp(l->field[k].key.p, key, n) == 0)
			return l->field[k].value;
	return (struct view){0};
}

bool line_is(const struct line *l, const char *key, const char *value)
{
	struct view v = line_get(l, key);

	return v.p && view_equal(v, view_text(value));
}

bool line_u64(const struct line *l, const char *key, uint64_t *out)
{
	bool negative;

	if (number(line_get(l, key), &negative, out) && !negative)
		return true;
	*out = 0;
	return false;
}

bool line_i64(const struct line *l, const char *key, int64_t *out)
{
	bool negative;
	uint64_t u;

	*out = 0;
	if (!number(line_get(l, key), &negative, &u) || u > INT64_MAX)
		return false;
	*out = negative ? -(int64_t)u : (int64_t)u;
	return true;
}

bool line_flag(const struct line *l, const char *key)
{
	return line_is(l, key, "true") || line_is(l, key, "1");
}

static void skip_space(struct cursor *c)
{
	while (cursor_left(c) > 0 &&
		(*c->p == ' ' || *c->p == '\t' || *c->p == '\r' || *c->p == '\n'))
		c->p++;
}

/* Space before what is taken is skipped; true when it was there. */
static bool take(struct cursor *c, uint8_t want)
{
	skip_space(c);
	if (cursor_left(c) == 0) {
		cursor_fail(c, -E_SYNTAX);
		return false;
	}
	if (*c->p != want)
		return false;
	c->p++;
	return true;
}

static struct view scan_text(struct cursor *c)
{
	const uint8_t *start;

	if (!take(c, '"')) {
		cursor_fail(c, -E_SYNTAX);
		return (struct view){0};
	}
	for (start = c->p; cursor_left(c) > 0 && *c->p != '"'; c->p++)
		if (*c->p < 0x20 || (*c->p == '\\' && ++c->p == c->end))
			break;
	if (cursor_left(c) == 0 || *c->p != '"') {
		cursor_fail(c, -E_SYNTAX);
		return (struct view){0};
	}
	c->p++;
	return view_of(start, (size_t)(c->p - 1 - start));
}

/* A number, true, false or null. */
static struct view scan_word(struct cursor *c)
{
	static const char *const words[] = {"true", "false", "null"};
	const uint8_t *start = c->p;

	for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
		size_t n = strlen(words[k]);

		if (cursor_left(c) >= n && memcmp(start, words[k], n) == 0)
			return cursor_take(c, n);
	}
	while (cursor_left(c) > 0 &&
		((*c->p >= '0' && *c->p <= '9') || *c->p == '-' || *c->p == '.'))
		c->p++;
	if (c->p == start)
		cursor_fail(c, -E_SYNTAX);
	return view_of(start, (size_t)(c->p - start));
}

static bool number(struct view v, bool *negative, uint64_t *out)
{
	size_t k = 0;

	*out = 0;
	*negative = v.n > 0 && v.p[0] == '-';
	if (v.n == *negative)
		return false;
	for (k = *negative; k < v.n; k++) {
		unsigned digit = v.p[k] - '0';

		if (digit > 9 || *out > (UINT64_MAX - digit) / 10)
			return false;
		*out = *out * 10 + digit;
	}
	return true;
}
