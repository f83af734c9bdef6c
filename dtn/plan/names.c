/*
 * names: see names.h. A sorted array: there are few dtn nodes, and they are looked up for people only.
 */
#include "dtn/plan/names.h"

#include <stdio.h>
#include <stdlib.h>

static size_t place(const struct names *s, node_id node);
static int insert(struct names *s, size_t at, node_id node, const char *text);

int names_put(struct names *s, const char *eid)
{
	char text[EID_TEXT_MAX];
	struct eid e, admin;
	size_t at;

	if (eid_parse_node(eid, &e) || !(e.node & NODE_DTN_BIT))
		return 0;
	at = place(s, e.node);
	if (at < s->n && s->row[at].node == e.node)
		return 0;
	if (s->n >= NAMES_MAX)
		return 0;
	admin = eid_admin(&e);
	eid_print(&admin, text, sizeof text);
	return insert(s, at, e.node, text);
}

int names_join(struct names *s, const struct names *from)
{
	int err = 0;

	for (size_t i = 0; i < from->n && !err; i++)
		err = names_put(s, from->row[i].text);
	return err;
}

size_t names_print(const struct names *s, node_id node, char *out, size_t cap)
{
	size_t at = s && node & NODE_DTN_BIT ? place(s, node) : SIZE_MAX;
	int n;

	if (at == SIZE_MAX || at >= s->n || s->row[at].node != node || cap == 0)
		return node_print(node, out, cap);
	n = snprintf(out, cap, "%s", s->row[at].text);
	return (size_t)n < cap ? (size_t)n : cap - 1;
}

void names_free(struct names *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->row[i].text);
	free(s->row);
	*s = (struct names){0};
}

/* The first row that is not before it. */
static size_t place(const struct names *s, node_id node)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->row[mid].node < node)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int insert(struct names *s, size_t at, node_id node, const char *text)
{
	size_t cap = s->cap ? 2 * s->cap : 16;
	struct names_row *more = s->n < s->cap ? s->row : reallocarray(s->row, cap, sizeof *more);
	char *copy;

	if (!more)
		return -ENOMEM;
	s->cap = s->n < s->cap ? s->cap : cap;
	s->row = more;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	memmove(s->row + at + 1, s->row + at, (s->n - at) * sizeof s->row[0]);
	s->row[at] = (struct names_row){node, copy};
	s->n++;
	return 0;
}
