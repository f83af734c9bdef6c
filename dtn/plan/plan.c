/*
 * plan: asking a contact plan. The plan never changes once it is read; every question is a binary
 * search in one of the views that plan_index() made: by node, by pair, and the edges of a node.
 *
 * Light time between two points is interpolated in whole microseconds, so that gcc, clang and every
 * machine agree. Start reading at plan_read; formats are in plan_json.c and plan_ionrc.c.
 */
#include "dtn/plan/build.h"

#include <assert.h>
#include <stdlib.h>

static const char *const format_names[] = {"auto", "owlt", "ionrc", "hdtn"};

static int read_json_text(
	struct view text, enum plan_format f, struct plan **out, struct plan_notes *notes);
static const struct contact **pair_after(const struct plan *p, node_id from, node_id to, mono at);

int plan_read(
	struct view text, enum plan_format format, struct plan **out, struct plan_notes *notes)
{
	*out = NULL;
	if (format == PLAN_AUTO)
		format = plan_detect(text);
	if (format == PLAN_IONRC)
		return plan_read_ionrc(text, out, notes);
	return read_json_text(text, format, out, notes);
}

int plan_read_json(const struct json *doc, struct plan **out, struct plan_notes *notes)
{
	*out = NULL;
	return plan_read_own(doc, (struct view){0}, "", out, notes);
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	free(p->contact);
	free(p->owlt);
	free(p->by_from);
	free(p->by_pair);
	free(p->node);
	free(p->node_first);
	free(p->edge);
	free(p->edge_first);
	names_free(&p->names);
	free(p);
}

/* JSON begins with a brace; HDTN names the sender "source", we call it "from". */
enum plan_format plan_detect(struct view text)
{
	enum plan_format f = PLAN_OWLT;
	struct json *doc;
	unsigned line;
	size_t i = 0;

	while (i < text.n && strchr(" \t\r\n", text.p[i]) && text.p[i])
		i++;
	if (i == text.n || (text.p[i] != '{' && text.p[i] != '['))
		return PLAN_IONRC;
	if (json_parse(text, &doc, &line) != 0)
		return PLAN_OWLT;
	if (json_get(json_first(json_get(doc, "contacts")), "source"))
		f = PLAN_HDTN;
	json_free(doc);
	return f;
}

const char *plan_format_name(enum plan_format f)
{
	return format_names[f];
}

enum plan_format plan_format_of(const char *name)
{
	for (unsigned f = PLAN_OWLT; f <= PLAN_HDTN; f++)
		if (strcmp(format_names[f], name) == 0)
			return f;
	return PLAN_AUTO;
}

int64_t contact_owlt_us(const struct plan *p, const struct contact *c, mono at)
{
	const struct owlt_point *v = p->owlt + c->owlt_first;
	uint32_t lo = 0, hi = c->n_owlt;

	while (lo < hi) { /* first point after `at` */
		uint32_t mid = (lo + hi) / 2;
		if (v[mid].at <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return v[0].owlt_us;
	if (lo == c->n_owlt)
		return v[lo - 1].owlt_us;
	const struct owlt_point *a = &v[lo - 1], *b = &v[lo];
	return a->owlt_us + muldiv_i64(b->owlt_us - a->owlt_us, at - a->at, b->at - a->at);
}

int64_t contact_owlt_max_us(const struct plan *p, const struct contact *c)
{
	int64_t max = contact_owlt_us(p, c, c->start);
	int64_t last = contact_owlt_us(p, c, c->end);

	if (last > max)
		max = last;
	for (uint32_t i = 0; i < c->n_owlt; i++) {
		const struct owlt_point *v = &p->owlt[c->owlt_first + i];
		if (v->at >= c->start && v->at <= c->end && v->owlt_us > max)
			max = v->owlt_us;
	}
	return max;
}

size_t plan_node_index(const struct plan *p, node_id node)
{
	size_t lo = 0, hi = p->n_nodes;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (p->node[mid] < node)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < p->n_nodes && p->node[lo] == node ? lo : SIZE_MAX;
}

struct contact_span plan_contacts_from(const struct plan *p, node_id from)
{
	size_t i = plan_node_index(p, from);

	if (i == SIZE_MAX)
		return (struct contact_span){0};
	return (struct contact_span){
		p->by_from + p->node_first[i], p->node_first[i + 1] - p->node_first[i]};
}

const struct contact *plan_contact_at(const struct plan *p, node_id from, node_id to, mono at)
{
	const struct contact **next = pair_after(p, from, to, at);

	if (next == p->by_pair)
		return NULL;
	const struct contact *c =
		next[-1]; /* the last of the pair that has opened, if it is of the pair */
	return c->from == from && c->to == to && at < c->end ? c : NULL;
}

const struct contact *plan_contact_next(const struct plan *p, node_id from, node_id to, mono at)
{
	const struct contact **next = pair_after(p, from, to, at);

	if (next == p->by_pair + p->n_contacts)
		return NULL;
	return (*next)->from == from && (*next)->to == to ? *next : NULL;
}

mono plan_next_edge(const struct plan *p, node_id node, mono at)
{
	size_t i = plan_node_index(p, node);

	if (i == SIZE_MAX)
		return MONO_NEVER;
	size_t lo = p->edge_first[i], hi = p->edge_first[i + 1], end = hi;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (p->edge[mid] <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < end ? p->edge[lo] : MONO_NEVER;
}

static int read_json_text(
	struct view text, enum plan_format f, struct plan **out, struct plan_notes *notes)
{
	struct json *doc;
	unsigned line;
	int err = json_parse(text, &doc, &line);

	if (err) {
		plan_note(notes, line, true, "%s", json_error_text(err));
		return err;
	}
	err = f == PLAN_HDTN ? plan_read_hdtn(doc, text, out, notes)
			     : plan_read_own(doc, text, "", out, notes);
	json_free(doc);
	return err;
}

/* Where in by_pair the contacts after (from, to, at) begin. */
static const struct contact **pair_after(const struct plan *p, node_id from, node_id to, mono at)
{
	size_t lo = 0, hi = p->n_contacts;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const struct contact *c = p->by_pair[mid];
		bool before = c->from != from ? c->from < from
			      : c->to != to   ? c->to < to
					      : c->start <= at;
		if (before)
			lo = mid + 1;
		else
			hi = mid;
	}
	return p->by_pair + lo;
}
