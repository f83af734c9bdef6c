/*
 * schema_text: the table the other way: settings as JSON that schema_json reads again, and the help
 * text as plain text or man page source. Start reading at schema_write and schema_help.
 */
#include "bundle/base/schema.h"

#include "bundle/base/time.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void write_value(
	struct json_writer *w, const char *key, const struct schema_row *r, const char *base);

/* Is this row the first with its prefix of n bytes? Then it opens the group. */
static bool is_first(const struct schema_part *parts, const struct schema_row *row, size_t n)
{
	for (; parts->rows; parts++)
		for (const struct schema_row *r = parts->rows; r->path; r++) {
			if (r == row)
				return true;
			if (strncmp(r->path, row->path, n) == 0 &&
				(r->path[n] == '.' || r->path[n] == 0))
				return false;
		}
	return true;
}

/* Writes all rows whose path begins with the first `skip` bytes of `like` (a group's name and dot). */
static void write_group(
	const struct schema_part *all, const char *from, struct json_writer *w, struct view group)
{
	char key[64];

	for (const struct schema_part *p = all; p->rows; p++)
		for (const struct schema_row *r = p->rows; r->path; r++) {
			const char *rest = r->path + group.n;
			size_t n = strncmp(r->path, (const char *)group.p, group.n)
					   ? 0
					   : strcspn(rest, ".");

			if (strncmp(r->path, (const char *)group.p, group.n) != 0)
				continue;
			snprintf(key, sizeof key, "%.*s", (int)n, rest);
			if (rest[n] == 0) {
				write_value(w, key, r, from + p->offset);
			} else if (is_first(all, r, group.n + n)) {
				jw_object(w, key);
				write_group(all, from, w, view_of(r->path, group.n + n + 1));
				jw_object_end(w);
			}
		}
}

void schema_write(const struct schema_part *parts, const void *from, struct json_writer *w)
{
	jw_object(w, NULL);
	write_group(parts, from, w, view_text(""));
	jw_object_end(w);
}

static void write_list(
	struct json_writer *w, const char *key, const struct schema_row *r, const char *base)
{
	const struct schema_part inner[] = {{.rows = r->rows}, {0}};
	size_t n;

	memcpy(&n, base + r->count_offset, sizeof n);
	jw_array(w, key);
	for (size_t k = 0; k < n; k++) {
		const char *at = base + r->offset + k * r->size;

		if (r->rows[0].path[0] == 0)
			write_value(w, NULL, r->rows, at);
		else
			schema_write(inner, at, w);
	}
	jw_array_end(w);
}

static void write_duration(struct json_writer *w, const char *key, int64_t us)
{
	char s[40];
	const char *unit = us % US_PER_S == 0 ? "s" : us % US_PER_MS == 0 ? "ms" : "us";
	int64_t div = *unit == 's' ? US_PER_S : *unit == 'm' ? US_PER_MS : 1;

	snprintf(s, sizeof s, "%" PRId64 "%s", us / div, unit);
	jw_text(w, key, view_text(s));
}

static void write_value(
	struct json_writer *w, const char *key, const struct schema_row *r, const char *base)
{
	const char *at = base + r->offset;
	uint64_t u = 0;
	double d;
	unsigned k;

	if (r->type == SCHEMA_U64 || r->type == SCHEMA_BYTES || r->type == SCHEMA_RATE ||
		r->type == SCHEMA_DURATION || r->type == SCHEMA_I64)
		memcpy(&u, at, sizeof u);
	switch (r->type) {
	case SCHEMA_BOOL:
		jw_bool(w, key, *at != 0);
		break;
	case SCHEMA_U64:
	case SCHEMA_BYTES:
	case SCHEMA_RATE:
		jw_u64(w, key, u);
		break;
	case SCHEMA_DURATION:
		write_duration(w, key, (int64_t)u);
		break;
	case SCHEMA_I64:
		jw_i64(w, key, (int64_t)u);
		break;
	case SCHEMA_REAL:
		memcpy(&d, at, sizeof d);
		jw_double(w, key, d);
		break;
	case SCHEMA_TEXT:
		jw_text(w, key, view_text(at));
		break;
	case SCHEMA_ENUM:
		memcpy(&k, at, sizeof k);
		jw_text(w, key, view_text(r->words[k]));
		break;
	case SCHEMA_LIST:
		write_list(w, key, r, base);
		break;
	}
}

/* -- help */

static const char *type_name(const struct schema_row *r)
{
	static const char *const name[] = {"true or false", "number", "size", "duration", "rate",
		"number with fraction", "text", "word", "list", "number"};

	return name[r->type];
}

/* "duration, default 10s", "word of a, b, default a", "text, required" */
static void put_type(struct buf *out, const struct schema_row *r)
{
	char s[64] = "";

	buf_text(out, type_name(r));
	for (unsigned k = 0; r->type == SCHEMA_ENUM && r->words[k]; k++) {
		buf_text(out, k ? ", " : " of: ");
		buf_text(out, r->words[k]);
	}
	if (r->unit && *r->unit) {
		buf_text(out, " in ");
		buf_text(out, r->unit);
	}
	if (r->type == SCHEMA_LIST)
		snprintf(s, sizeof s, " of at most %" PRId64, r->max);
	else if (r->type != SCHEMA_TEXT && r->type != SCHEMA_DURATION && r->max > 0)
		snprintf(s, sizeof s, ", %" PRId64 " to %" PRId64, r->min, r->max);
	buf_text(out, s);
	if (r->type == SCHEMA_LIST)
		return;
	if (!r->def)
		buf_text(out, "; required");
	else if (*r->def) {
		buf_text(out, "; default ");
		buf_text(out, r->def);
	}
}

static void put_roff(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '-' || *text == '\\')
			buf_u8(out, '\\');
		buf_u8(out, (uint8_t)*text);
	}
}

static void help_row(struct buf *out, bool roff, const char *prefix, const struct schema_row *r)
{
	char type[256];
	struct buf t = buf_of(type, sizeof type - 1);

	put_type(&t, r);
	type[buf_fits(&t) ? t.len : 0] = 0;
	buf_text(out, roff ? ".TP\n.B " : "");
	buf_text(out, prefix);
	buf_text(out, r->path);
	if (roff) {
		buf_text(out, "\n(");
		put_roff(out, type);
		buf_text(out, ") ");
		put_roff(out, r->help ? r->help : "");
		buf_text(out, "\n");
		return;
	}
	buf_text(out, "\n    (");
	buf_text(out, type);
	buf_text(out, ")\n    ");
	buf_text(out, r->help ? r->help : "");
	buf_text(out, "\n");
}

static void help_rows(const struct schema_row *rows, const char *prefix, bool roff, struct buf *out)
{
	char inner[96];

	for (const struct schema_row *r = rows; r->path; r++) {
		if (r->path[0] == 0)
			continue; /* the list's own line says what a plain element is */
		help_row(out, roff, prefix, r);
		if (r->type != SCHEMA_LIST)
			continue;
		snprintf(inner, sizeof inner, "%s%s[].", prefix, r->path);
		help_rows(r->rows, inner, roff, out);
	}
}

void schema_help(const struct schema_part *parts, bool roff, struct buf *out)
{
	for (; parts->rows; parts++)
		help_rows(parts->rows, "", roff, out);
}
