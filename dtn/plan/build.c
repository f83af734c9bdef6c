/*
 * build: from contacts to a plan. What can be judged of one contact alone is judged in plan_build_add,
 * overlaps in plan_build_finish; each problem becomes a note, the first error is the result. Nothing of
 * the input can make more memory than the limits of plan.h.
 */
#include "dtn/plan/build.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static int grow(void **array, size_t *cap, size_t need, size_t size);
static int check_contact(struct plan_build *b, const struct contact *c, uint32_t origin);
static int check_owlt(
	struct plan_build *b, const struct owlt_point *v, uint32_t n, uint32_t origin);
static void check_overlaps(struct plan_build *b);
static void note_put(
	struct plan_notes *notes, unsigned line, bool is_error, const char *fmt, va_list ap);

int plan_build_begin(struct plan_build *b, struct plan_notes *notes)
{
	*b = (struct plan_build){.notes = notes};
	b->plan = calloc(1, sizeof *b->plan);
	if (!b->plan)
		plan_note(notes, 0, true, "out of memory");
	return b->plan ? 0 : -ENOMEM;
}

void plan_build_add(struct plan_build *b, struct contact c, const struct owlt_point *owlt,
	uint32_t n, uint32_t origin)
{
	struct plan *p = b->plan;
	size_t cap = b->cap_contacts;

	if (p->n_contacts >= PLAN_CONTACTS_MAX) {
		if (b->err != -E_LIMIT)
			plan_build_note(
				b, origin, -E_LIMIT, "more than %u contacts", PLAN_CONTACTS_MAX);
		b->err = -E_LIMIT;
		return;
	}
	if (b->err == -ENOMEM || check_contact(b, &c, origin) || check_owlt(b, owlt, n, origin))
		return;
	if (grow((void **)&p->contact, &b->cap_contacts, p->n_contacts + 1, sizeof *p->contact) ||
		grow((void **)&b->origin, &cap, p->n_contacts + 1, sizeof *b->origin) ||
		grow((void **)&p->owlt, &b->cap_owlt, p->n_owlt + n, sizeof *p->owlt)) {
		plan_build_note(b, origin, -ENOMEM, "out of memory");
		return;
	}
	c.index = (uint32_t)p->n_contacts + 1;
	c.owlt_first = (uint32_t)p->n_owlt;
	c.n_owlt = n;
	memcpy(p->owlt + p->n_owlt, owlt, n * sizeof *owlt);
	p->n_owlt += n;
	b->origin[p->n_contacts] = origin;
	p->contact[p->n_contacts++] = c;
}

int plan_build_finish(struct plan_build *b, struct plan **out)
{
	int err;

	if (!b->err && plan_index(b->plan))
		plan_build_note(b, 0, -ENOMEM, "out of memory");
	if (!b->err)
		check_overlaps(b);
	err = b->err;
	if (err)
		plan_free(b->plan);
	else
		*out = b->plan;
	b->plan = NULL;
	plan_build_drop(b);
	return err;
}

void plan_build_drop(struct plan_build *b)
{
	plan_free(b->plan);
	free(b->origin);
	b->plan = NULL;
	b->origin = NULL;
}

void plan_build_note(struct plan_build *b, uint32_t origin, int err, const char *fmt, ...)
{
	unsigned line = b->prefix ? 0 : origin;
	char path[128];
	va_list ap;

	if (err && !b->err)
		b->err = err;
	if (b->prefix && b->text.n && b->notes->n < b->notes->cap) {
		snprintf(path, sizeof path, "%s[%u]", b->prefix, origin);
		line = json_line(b->text, path);
	}
	va_start(ap, fmt);
	note_put(b->notes, line, err != 0, fmt, ap);
	va_end(ap);
}

void plan_note(struct plan_notes *notes, unsigned line, bool is_error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note_put(notes, line, is_error, fmt, ap);
	va_end(ap);
}

static void note_put(
	struct plan_notes *notes, unsigned line, bool is_error, const char *fmt, va_list ap)
{
	if (notes->n < notes->cap) {
		struct plan_note *note = &notes->note[notes->n];
		note->line = line;
		note->is_error = is_error;
		vsnprintf(note->text, sizeof note->text, fmt, ap);
	}
	notes->n++;
}

static int grow(void **array, size_t *cap, size_t need, size_t size)
{
	size_t n = *cap ? *cap : 16;
	void *p;

	if (need <= *cap)
		return 0;
	while (n < need)
		n *= 2;
	p = reallocarray(*array, n, size);
	if (!p)
		return -ENOMEM;
	*array = p;
	*cap = n;
	return 0;
}

static int check_contact(struct plan_build *b, const struct contact *c, uint32_t origin)
{
	const char *wrong = NULL;

	if (c->from == NODE_NONE || c->to == NODE_NONE)
		wrong = "a contact needs two nodes";
	else if (c->from == c->to)
		wrong = "a contact of a node with itself";
	else if (c->end <= c->start)
		wrong = "the contact ends before it starts";
	else if (c->rate_bps == 0 || c->rate_bps > PLAN_RATE_MAX)
		wrong = "the rate must be above 0 and at most 1000 Tbit/s";
	else if (!(c->confidence >= 0 && c->confidence <= 1))
		wrong = "the confidence must be between 0 and 1";
	if (!wrong)
		return 0;
	plan_build_note(b, origin, -E_RANGE, "%s", wrong);
	return -E_RANGE;
}

/* Ascending moments. Light time that falls faster than time passes lets later bits overtake: the steps of
 * ionrc do so, anything else is worth a warning. */
static int check_owlt(struct plan_build *b, const struct owlt_point *v, uint32_t n, uint32_t origin)
{
	const char *wrong = NULL;
	bool overtakes = false;

	if (n == 0 || n > PLAN_OWLT_POINTS_MAX)
		wrong = "light time needs 1 to 64 points";
	for (uint32_t i = 0; i < n && !wrong; i++) {
		if (v[i].owlt_us < 0 || v[i].owlt_us > PLAN_OWLT_MAX)
			wrong = "the light time must be between 0 and a year";
		else if (i && v[i].at <= v[i - 1].at)
			wrong = "the points of light time must ascend";
		else if (i && b->prefix && v[i].owlt_us + v[i].at < v[i - 1].owlt_us + v[i - 1].at)
			overtakes = true;
	}
	if (overtakes && !wrong)
		plan_build_note(b, origin, 0, "the light time falls faster than time passes");
	if (!wrong)
		return 0;
	plan_build_note(b, origin, -E_RANGE, "%s", wrong);
	return -E_RANGE;
}

static void check_overlaps(struct plan_build *b)
{
	const struct plan *p = b->plan;

	for (size_t i = 1; i < p->n_contacts; i++) {
		const struct contact *a = p->by_pair[i - 1], *c = p->by_pair[i];
		if (a->from != c->from || a->to != c->to || a->end <= c->start)
			continue;
		const struct contact *later = a->index > c->index ? a : c;
		plan_build_note(b, b->origin[later->index - 1], -E_DUPLICATE,
			"contact %u overlaps contact %u of the same pair", later->index,
			a->index + c->index - later->index);
	}
}
