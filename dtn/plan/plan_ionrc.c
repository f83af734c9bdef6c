/*
 * plan_ionrc: contact plans in ION's language (ionrc(5)): `a contact`, `a range`, `c contact`,
 * `d contact`, `d range`, `@`; rates in bytes/s. Other commands of ionadmin are passed over with a
 * warning.
 *
 * A range from a smaller to a larger node also holds the other way, unless ranges of that way
 * are given. Lines are gathered first; at the end each contact gets its light time: one point, or, where ranges
 * change within the contact, steps of two points a microsecond apart.
 */
#include "dtn/plan/build.h"
#include "dtn/plan/value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define WORDS_MAX 9
#define WORD_MAX 80

struct row { /* a contact or a range */
	mono start, end;
	node_id from, to;
	uint64_t value; /* bytes/s, or microseconds */
	double confidence;
	uint32_t line;
	bool is_gone; /* deleted again */
};

struct rows {
	struct row *row;
	size_t n, cap;
};

struct ionrc {
	struct plan_build b;
	struct rows contacts, ranges;
	dtntime at; /* what "+" counts from now; 0 = the plan's reference */
	uint32_t line;
	unsigned n_words;
	char word[WORDS_MAX][WORD_MAX];
};

static void write_contact(const struct plan *p, const struct contact *c, struct buf *out);
static void write_row(struct buf *out, const char *what, const mono time[2],
	const struct contact *c, const char *tail);
static void read_line(struct ionrc *r, struct view line);
static void command(struct ionrc *r);
static void set_reference(struct ionrc *r);
static void add_row(struct ionrc *r, bool is_range);
static void edit_rows(struct ionrc *r, struct rows *rows);
static bool node_word(struct ionrc *r, unsigned w, node_id *node);
static int time_word(struct ionrc *r, unsigned w, mono *out);
static void put_row(struct ionrc *r, struct rows *rows, const struct row *row);
static int row_cmp(const void *a, const void *b);
static void make_contacts(struct ionrc *r);

int plan_read_ionrc(struct view text, struct plan **out, struct plan_notes *notes)
{
	struct ionrc *r = calloc(1, sizeof *r);
	size_t at = 0;
	int err = -ENOMEM;

	if (!r || plan_build_begin(&r->b, notes)) {
		free(r);
		return err;
	}
	while (at < text.n && r->b.err != -ENOMEM && r->b.err != -E_LIMIT) {
		const uint8_t *eol = memchr(text.p + at, '\n', text.n - at);
		size_t n = eol ? (size_t)(eol - (text.p + at)) : text.n - at;
		r->line++;
		read_line(r, view_sub(text, at, n));
		at += n + 1;
	}
	if (!r->b.err)
		make_contacts(r);
	err = plan_build_finish(&r->b, out);
	free(r->contacts.row);
	free(r->ranges.row);
	free(r);
	return err;
}

void plan_write_ionrc(const struct plan *p, struct buf *out)
{
	char s[32];

	if (p->reference_ms) {
		plan_print_utc(p->reference_ms / 1000 * 1000, s, sizeof s);
		for (char *c = s; *c; c++) /* 2026-01-01T00:00:00Z as 2026/01/01-00:00:00 */
			*c = (char)(*c == '-' ? '/' : *c == 'T' ? '-' : *c == 'Z' ? '\n' : *c);
		buf_text(out, "@ ");
		buf_text(out, s);
	}
	for (size_t i = 0; i < p->n_contacts; i++)
		write_contact(p, &p->contact[i], out);
}

static void write_contact(const struct plan *p, const struct contact *c, struct buf *out)
{
	const struct owlt_point *v = &p->owlt[c->owlt_first];
	mono end = c->end == MONO_NEVER ? PLAN_TIME_MAX : c->end;
	char tail[64];

	snprintf(tail, sizeof tail, "%" PRIu64 " %.6g", (c->rate_bps + 4) / 8, c->confidence);
	write_row(out, "contact", (const mono[]){c->start, end}, c, tail);
	for (uint32_t k = 0; k < c->n_owlt; k++) {
		mono from = k == 0 || v[k].at < c->start ? c->start : v[k].at;
		mono to = k + 1 == c->n_owlt || v[k + 1].at > end ? end : v[k + 1].at;

		snprintf(tail, sizeof tail, "%.9g", (double)v[k].owlt_us / 1e6);
		if (to > from)
			write_row(out, "range", (const mono[]){from, to}, c, tail);
	}
}

static void write_row(struct buf *out, const char *what, const mono time[2],
	const struct contact *c, const char *tail)
{
	char s[240];

	snprintf(s, sizeof s, "a %s %+.16g %+.16g %" PRIu64 " %" PRIu64 " %s\n", what,
		(double)time[0] / 1e6, (double)time[1] / 1e6, c->from, c->to, tail);
	buf_text(out, s);
}

static void read_line(struct ionrc *r, struct view line)
{
	size_t i = 0;

	r->n_words = 0;
	while (i < line.n) {
		size_t n = 0;
		while (i < line.n && (line.p[i] == ' ' || line.p[i] == '\t' || line.p[i] == '\r'))
			i++;
		while (i + n < line.n && line.p[i + n] != ' ' && line.p[i + n] != '\t' &&
			line.p[i + n] != '\r')
			n++;
		if (n == 0 || (r->n_words == 0 && line.p[i] == '#'))
			break;
		if (r->n_words == WORDS_MAX)
			break;
		if (n >= WORD_MAX || memchr(line.p + i, 0, n)) {
			plan_build_note(&r->b, r->line, -E_SYNTAX,
				"a word that is too long or holds a zero byte");
			return;
		}
		memcpy(r->word[r->n_words], line.p + i, n);
		r->word[r->n_words++][n] = 0;
		i += n;
	}
	if (r->n_words)
		command(r);
}

static void command(struct ionrc *r)
{
	const char *verb = r->word[0], *what = r->n_words > 1 ? r->word[1] : "";
	bool contact = strcmp(what, "contact") == 0, range = strcmp(what, "range") == 0;

	if (strcmp(verb, "@") == 0)
		set_reference(r);
	else if (strcmp(verb, "a") == 0 && (contact || range))
		add_row(r, range);
	else if ((strcmp(verb, "d") == 0 || strcmp(verb, "c") == 0) && (contact || range))
		edit_rows(r, contact ? &r->contacts : &r->ranges);
	else if (strlen(verb) != 1 || !strchr("?aceilmnqrsvwx^!01:dh#", verb[0]))
		plan_build_note(
			&r->b, r->line, -E_SYNTAX, "not a command of ionadmin: \"%.40s\"", verb);
	else
		plan_build_note(&r->b, r->line, 0, "\"%.10s %.30s\" is not used", verb, what);
}

/* Index of the first word after the verb of which a time is expected, with its sign; absolute times
 * are yyyy/mm/dd-hh:mm:ss. Where no "@" came before, the first absolute one becomes the reference. */
static int time_word(struct ionrc *r, unsigned w, mono *out)
{
	const char *s = w < r->n_words ? r->word[w] : "";
	dtntime *ref = &r->b.plan->reference_ms, t;
	int y, mo, d, h, mi, sec, at = 0;

	if (s[0] == '+' || (s[0] >= '0' && s[0] <= '9' && !strchr(s, '/'))) {
		int err = plan_parse_time(s, 0, out);
		if (!err && r->at)
			*out += ((int64_t)r->at - (int64_t)*ref) * US_PER_MS;
		return err;
	}
	if (sscanf(s, "%4d/%2d/%2d-%2d:%2d:%2d%n", &y, &mo, &d, &h, &mi, &sec, &at) != 6 || s[at])
		return -E_SYNTAX;
	t = h < 0 || h > 23 || mi < 0 || mi > 59 || sec < 0 || sec > 60
		    ? 0
		    : plan_utc(y, mo, d, h * 3600 + mi * 60 + sec);
	if (!t)
		return -E_SYNTAX;
	if (!*ref) {
		if (r->contacts.n || r->ranges.n)
			return -E_UNKNOWN;
		*ref = t;
		plan_build_note(
			&r->b, r->line, 0, "no \"@\": the first time becomes the reference");
	}
	*out = ((int64_t)t - (int64_t)*ref) * US_PER_MS;
	return *out > PLAN_TIME_MAX || *out < -PLAN_TIME_MAX ? -E_RANGE : 0;
}

static void set_reference(struct ionrc *r)
{
	dtntime *ref = &r->b.plan->reference_ms;
	int y, mo, d, h, mi, sec, at = 0;
	const char *s = r->n_words > 1 ? r->word[1] : "";
	dtntime t = 0;

	if (strcmp(s, "0") == 0) /* now: the start of the lab */
		return;
	if (sscanf(s, "%4d/%2d/%2d-%2d:%2d:%2d%n", &y, &mo, &d, &h, &mi, &sec, &at) == 6 &&
		!s[at] && h >= 0 && h < 24 && mi >= 0 && mi < 60 && sec >= 0 && sec <= 60)
		t = plan_utc(y, mo, d, h * 3600 + mi * 60 + sec);
	if (!t)
		plan_build_note(
			&r->b, r->line, -E_SYNTAX, "\"@\" needs yyyy/mm/dd-hh:mm:ss from 2000 on");
	else if (!*ref && (r->contacts.n || r->ranges.n))
		plan_build_note(&r->b, r->line, -E_SYNTAX,
			"\"@\" must come before the first contact or range");
	else
		r->at = t;
	if (!*ref)
		*ref = t;
}

static void add_row(struct ionrc *r, bool is_range)
{
	struct rows *rows = is_range ? &r->ranges : &r->contacts;
	struct row row = {.line = r->line, .confidence = 1};
	char *end = NULL, *end2 = NULL;
	double v, conf = 1;
	bool hypothetical = r->n_words > 3 && strcmp(r->word[3], "0") == 0;

	if (r->n_words > 2 && strcmp(r->word[2], "-1") == 0) {
		plan_build_note(&r->b, r->line, 0, "registration contacts are not used");
		return;
	}
	if (r->n_words < 7 || r->n_words > 8 || (is_range && r->n_words != 7)) {
		plan_build_note(&r->b, r->line, -E_SYNTAX,
			is_range ? "a range START END NODE NODE SECONDS"
				 : "a contact START END FROM TO BYTES_PER_SECOND [CONFIDENCE]");
		return;
	}
	if (hypothetical && !is_range) {
		plan_build_note(&r->b, r->line, 0, "hypothetical contacts (end 0) are not used");
		return;
	}
	v = strtod(r->word[6], &end);
	if (r->n_words == 8)
		conf = strtod(r->word[7], &end2);
	if (time_word(r, 2, &row.start) || time_word(r, 3, &row.end)) {
		plan_build_note(&r->b, r->line, -E_SYNTAX,
			"times are +seconds, or yyyy/mm/dd-hh:mm:ss after a \"@\"");
	} else if (!node_word(r, 4, &row.from) || !node_word(r, 5, &row.to)) {
		plan_build_note(&r->b, r->line, -E_SYNTAX, "nodes are numbers above 0");
	} else if (*end || !(v >= 0 && v <= 1e14) || (end2 && *end2) || !(conf >= 0 && conf <= 1)) {
		plan_build_note(&r->b, r->line, -E_RANGE, "%s",
			is_range ? "bad light time" : "bad rate or confidence");
	} else if (row.end <= row.start || (is_range && v * 1e6 > (double)PLAN_OWLT_MAX)) {
		plan_build_note(
			&r->b, r->line, -E_RANGE, "it ends before it starts, or is too far away");
	} else if (row.from == row.to) {
		plan_build_note(&r->b, r->line, 0, "loopback contacts are not used");
	} else {
		row.value = (uint64_t)round(is_range ? v * 1e6 : v);
		row.confidence = conf;
		put_row(r, rows, &row);
	}
}

static void put_row(struct ionrc *r, struct rows *rows, const struct row *row)
{
	if (rows->n >= 2 * PLAN_CONTACTS_MAX) {
		plan_build_note(
			&r->b, r->line, -E_LIMIT, "more than %u lines", 2 * PLAN_CONTACTS_MAX);
		return;
	}
	if (rows->n == rows->cap) {
		size_t cap = rows->cap ? 2 * rows->cap : 64;
		struct row *p = reallocarray(rows->row, cap, sizeof *p);
		if (!p) {
			plan_build_note(&r->b, r->line, -ENOMEM, "out of memory");
			return;
		}
		rows->row = p;
		rows->cap = cap;
	}
	rows->row[rows->n++] = *row;
}

/* d contact|range (START|*) FROM TO;  c contact START FROM TO RATE [CONFIDENCE] */
static void edit_rows(struct ionrc *r, struct rows *rows)
{
	bool change = r->word[0][0] == 'c', all = r->n_words > 2 && strcmp(r->word[2], "*") == 0;
	node_id from, to;
	mono start = 0;
	double v = change && r->n_words > 5 ? strtod(r->word[5], NULL) : 1;
	double conf = r->n_words > 6 ? strtod(r->word[6], NULL) : 1;
	size_t found = 0;

	if (r->n_words < (change ? 6u : 5u) || (!all && time_word(r, 2, &start)) ||
		!node_word(r, 3, &from) || !node_word(r, 4, &to) || !(v > 0 && v <= 1e14) ||
		!(conf >= 0 && conf <= 1)) {
		plan_build_note(&r->b, r->line, -E_SYNTAX,
			"d contact START|* FROM TO, "
			"c contact START FROM TO RATE [CONFIDENCE]");
		return;
	}
	for (size_t i = 0; i < rows->n; i++) {
		struct row *row = &rows->row[i];
		if (row->is_gone || row->from != from || row->to != to ||
			(!all && row->start != start))
			continue;
		found++;
		row->is_gone = !change;
		if (change) {
			row->value = (uint64_t)round(v);
			row->confidence = conf;
		}
	}
	if (!found)
		plan_build_note(&r->b, r->line, 0, "no such contact or range before this line");
}

static bool node_word(struct ionrc *r, unsigned w, node_id *node)
{
	const char *s = w < r->n_words ? r->word[w] : "";
	struct eid e;

	if (eid_parse_node(s, &e) || e.node == NODE_NONE)
		return false;
	*node = e.node;
	return true;
}

static int row_cmp(const void *pa, const void *pb)
{
	const struct row *a = pa, *b = pb;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	if (a->to != b->to)
		return a->to < b->to ? -1 : 1;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->line < b->line ? -1 : 1;
}

/* First range of the pair that ends after `at`; ranges of a pair are sorted by start. */
static const struct row *first_range(const struct rows *g, node_id from, node_id to, mono at)
{
	size_t lo = 0, hi = g->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const struct row *e = &g->row[mid];
		bool before = e->from != from ? e->from < from
			      : e->to != to   ? e->to < to
					      : e->end <= at;
		if (before)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < g->n && g->row[lo].from == from && g->row[lo].to == to ? &g->row[lo] : NULL;
}

/* Points of light time from the ranges of (from, to) that meet the contact: one each, and a last one
 * of the old value just before a change. Their number, or more than PLAN_OWLT_POINTS_MAX. */
static uint32_t points_of(
	const struct rows *g, const struct row *c, bool reverse, struct owlt_point *pt)
{
	node_id from = reverse ? c->to : c->from, to = reverse ? c->from : c->to;
	const struct row *e = first_range(g, from, to, c->start), *end = e ? g->row + g->n : NULL;
	uint32_t n = 0;

	for (; e && e < end && e->from == from && e->to == to && e->start < c->end; e++) {
		int64_t owlt_us = (int64_t)e->value;
		if (n && pt[n - 1].owlt_us == owlt_us)
			continue;
		if (n + 2 > PLAN_OWLT_POINTS_MAX)
			return PLAN_OWLT_POINTS_MAX + 1;
		if (n && e->start - 1 > pt[n - 1].at) {
			pt[n] = (struct owlt_point){e->start - 1, pt[n - 1].owlt_us};
			n++;
		}
		pt[n++] = (struct owlt_point){e->start > c->start ? e->start : c->start, owlt_us};
	}
	return n;
}

/* Sorted ranges without those deleted; overlapping ones of a pair are an error. */
static void sort_ranges(struct ionrc *r)
{
	struct rows *g = &r->ranges;
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++)
		if (!g->row[i].is_gone)
			g->row[n++] = g->row[i];
	g->n = n;
	if (n)
		qsort(g->row, n, sizeof *g->row, row_cmp);
	for (size_t i = 1; i < n; i++) {
		const struct row *a = &g->row[i - 1], *b = &g->row[i];
		if (a->from == b->from && a->to == b->to && a->end > b->start)
			plan_build_note(&r->b, b->line, -E_DUPLICATE,
				"the range overlaps that of line %u", a->line);
	}
}

static void make_contacts(struct ionrc *r)
{
	struct owlt_point pt[PLAN_OWLT_POINTS_MAX];

	sort_ranges(r);
	for (size_t i = 0; i < r->contacts.n; i++) {
		const struct row *c = &r->contacts.row[i];
		struct contact contact = {.from = c->from,
			.to = c->to,
			.start = c->start,
			.end = c->end,
			.rate_bps = c->value * 8,
			.confidence = c->confidence};
		if (c->is_gone)
			continue;
		uint32_t n = points_of(&r->ranges, c, false, pt);
		if (n == 0 &&
			c->to < c->from) /* only a range from the smaller node holds both ways */
			n = points_of(&r->ranges, c, true, pt);
		if (n == 0) {
			plan_build_note(&r->b, c->line, 0,
				"no range for this contact: light time 0 is assumed");
			pt[n++] = (struct owlt_point){c->start, 0};
		}
		plan_build_add(&r->b, contact, pt, n, c->line);
	}
}
