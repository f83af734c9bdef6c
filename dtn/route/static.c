/*
 * static: a table node -> next hop, and one default. A row's own next hop that is excluded falls back
 * to the default. A node that no row names and no default covers has no route.
 */
#include "dtn/route/route.h"

#include "bundle/base/err.h"

#include <stdlib.h>
#include <string.h>

struct static_route {
	struct route base;
	size_t n;
	struct static_row row[]; /* ascending by node; NODE_NONE, the default, first */
};

static int static_find(struct route *r, const struct route_query *q, struct route_choice *out);
static mono static_earliest(struct route *r, node_id from, node_id to, mono at);
static void static_free(struct route *r);
static int row_cmp(const void *a, const void *b);

static const struct route_ops ops = {"static", static_find, static_earliest, static_free};

struct route *route_static_new(const struct static_row *rows, size_t n)
{
	struct static_route *t = calloc(1, sizeof *t + n * sizeof *rows);

	if (!t)
		return NULL;
	t->base.ops = &ops;
	t->n = n;
	if (n) {
		memcpy(t->row, rows, n * sizeof *rows);
		qsort(t->row, n, sizeof *t->row, row_cmp);
	}
	return &t->base;
}

static bool is_excluded(const struct route_query *q, node_id next)
{
	for (unsigned i = 0; i < q->n_exclude; i++)
		if (q->exclude[i] == next)
			return true;
	return false;
}

static int static_find(struct route *r, const struct route_query *q, struct route_choice *out)
{
	struct static_route *t = (struct static_route *)(void *)r;
	struct static_row key = {.node = q->to};
	const struct static_row *rows[2] = {
		t->n ? bsearch(&key, t->row, t->n, sizeof key, row_cmp) : NULL,
		t->n && t->row[0].node == NODE_NONE ? &t->row[0] : NULL};
	int err = -E_NO_ROUTE;

	*out = (struct route_choice){.next = q->to,
		.arrival = q->at,
		.from_time = q->at,
		.forfeit = MONO_NEVER,
		.volume_bytes = UINT64_MAX};
	if (q->from == q->to)
		return 0;
	for (unsigned i = 0; i < 2; i++) {
		if (!rows[i] || rows[i]->next == q->from)
			continue;
		err = -E_NO_CONTACT;
		if (is_excluded(q, rows[i]->next))
			continue;
		out->next = rows[i]->next;
		out->hops = rows[i]->next == q->to ? 1 : 2; /* at least */
		return 0;
	}
	return err;
}

static mono static_earliest(struct route *r, node_id from, node_id to, mono at)
{
	(void)r;
	return from == to ? at : MONO_NEVER;
}

static void static_free(struct route *r)
{
	free(r);
}

static int row_cmp(const void *a, const void *b)
{
	node_id x = ((const struct static_row *)a)->node, y = ((const struct static_row *)b)->node;

	return (x > y) - (x < y);
}
