/*
 * paths: Yen's algorithm with Lawler's shortcut over search_best(). Each new route is the best of
 * those that share the first i contacts with a known route and differ in the next; nodes of the shared part
 * are banned, so no route meets a node twice. Candidates are kept sorted; equal ones are dropped.
 */
#include "dtn/route/paths.h"

#include "dtn/route/search.h"

#include <stdlib.h>

struct yen {
	const struct plan *plan;
	const struct paths_query *q;
	struct search *search;
	struct paths *found, waiting;
	bool *node_banned, *contact_banned;
	const struct contact **scratch;
};

static int run(struct yen *y);
static int spur(struct yen *y, const struct path *base, unsigned i);
static void ban_known(struct yen *y, const struct path *base, unsigned i, bool on);
static int keep(struct yen *y, unsigned hops, mono arrival, unsigned spur_at);
static int path_cmp(const struct path *a, const struct path *b);
static int insert(struct paths *p, const struct path *path);

int paths_find(const struct plan *plan, const struct paths_query *q, struct paths *out)
{
	struct yen y = {.plan = plan, .q = q, .found = out};
	int err = -ENOMEM;

	*out = (struct paths){0};
	y.search = search_new(plan, q->margin_sabr);
	y.node_banned = calloc(plan->n_nodes + 1, sizeof *y.node_banned);
	y.contact_banned = calloc(plan->n_contacts + 1, sizeof *y.contact_banned);
	y.scratch = calloc(plan->n_nodes + 1, sizeof(const struct contact *));
	if (y.search && y.node_banned && y.contact_banned && y.scratch) {
		search_keep_paths(y.search);
		err = run(&y);
	}
	search_free(y.search);
	free(y.node_banned);
	free(y.contact_banned);
	free(y.scratch);
	paths_fini(&y.waiting);
	if (err)
		paths_fini(out);
	return err;
}

void paths_fini(struct paths *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->path[i].contact);
	free(p->path);
	*p = (struct paths){0};
}

static int run(struct yen *y)
{
	struct path root = {0};
	int err;

	if (y->q->from == y->q->to || plan_node_index(y->plan, y->q->from) == SIZE_MAX ||
		plan_node_index(y->plan, y->q->to) == SIZE_MAX)
		return 0;
	err = spur(y, &root, 0);
	while (!err && y->waiting.n > 0 && y->found->n < y->q->limit) {
		struct path best = y->waiting.path[0];
		memmove(y->waiting.path, y->waiting.path + 1, --y->waiting.n * sizeof best);
		err = insert(y->found, &best);
		if (err) {
			free(best.contact);
			break;
		}
		if (y->found->n == y->q->limit)
			break;
		for (unsigned i = best.spur; i < best.hops && !err; i++)
			err = spur(y, &best, i);
	}
	return err;
}

/* The best route that shares the first i contacts with `base` and leaves all known ones there. */
static int spur(struct yen *y, const struct path *base, unsigned i)
{
	struct search_query s = {.to = plan_node_index(y->plan, y->q->to),
		.at = y->q->at,
		.size_bytes = y->q->size_bytes,
		.node_banned = y->node_banned,
		.contact_banned = y->contact_banned};
	node_id at = i ? base->contact[i - 1]->to : y->q->from;
	struct search_route route;
	int err = 0;

	for (unsigned k = 0; k < i; k++) {
		s.at = search_arrival(y->search, base->contact[k], s.at, s.size_bytes);
		y->node_banned[plan_node_index(y->plan, base->contact[k]->from)] = true;
		y->scratch[k] = base->contact[k];
	}
	ban_known(y, base, i, true);
	s.from = plan_node_index(y->plan, at);
	if (search_best(y->search, &s, &route) && route.arrival <= y->q->expiry) {
		err = search_path(y->search, &route, y->scratch + i);
		if (!err)
			err = keep(y, i + route.hops, route.arrival, i);
	}
	ban_known(y, base, i, false);
	for (unsigned k = 0; k < i; k++)
		y->node_banned[plan_node_index(y->plan, base->contact[k]->from)] = false;
	return err;
}

/* Contacts that known routes take after the same first i. */
static void ban_known(struct yen *y, const struct path *base, unsigned i, bool on)
{
	for (size_t k = 0; k < y->found->n; k++) {
		const struct path *p = &y->found->path[k];
		if (p->hops > i &&
			(i == 0 || memcmp(p->contact, base->contact, i * sizeof *p->contact) == 0))
			y->contact_banned[p->contact[i] - y->plan->contact] = on;
	}
}

static int keep(struct yen *y, unsigned hops, mono arrival, unsigned spur_at)
{
	struct path p = {.hops = hops,
		.arrival = arrival,
		.spur = spur_at,
		.from_time = y->scratch[0]->start,
		.to_time = MONO_NEVER};
	int err;

	p.contact = calloc(hops, sizeof(const struct contact *));
	if (!p.contact)
		return -ENOMEM;
	memcpy(p.contact, y->scratch, hops * sizeof *p.contact);
	for (unsigned i = 0; i < hops; i++)
		p.to_time = mono_min(p.to_time, p.contact[i]->end);
	err = insert(&y->waiting, &p);
	if (err)
		free(p.contact);
	return err == -E_DUPLICATE ? 0 : err;
}

/* Arrival, hops, later end, entry node; then the contacts' numbers, so that the order is total. */
static int path_cmp(const struct path *a, const struct path *b)
{
	if (a->arrival != b->arrival)
		return a->arrival < b->arrival ? -1 : 1;
	if (a->hops != b->hops)
		return a->hops < b->hops ? -1 : 1;
	if (a->to_time != b->to_time)
		return a->to_time > b->to_time ? -1 : 1;
	if (a->contact[0]->to != b->contact[0]->to)
		return a->contact[0]->to < b->contact[0]->to ? -1 : 1;
	for (unsigned i = 0; i < a->hops; i++)
		if (a->contact[i] != b->contact[i])
			return a->contact[i]->index < b->contact[i]->index ? -1 : 1;
	return 0;
}

static int insert(struct paths *p, const struct path *path)
{
	size_t at = p->n;

	if (p->n == p->cap) {
		size_t cap = p->cap ? 2 * p->cap : 16;
		struct path *v = reallocarray(p->path, cap, sizeof *v);
		if (!v)
			return -ENOMEM;
		p->path = v;
		p->cap = cap;
	}
	while (at > 0 && path_cmp(path, &p->path[at - 1]) < 0)
		at--;
	if (at > 0 && path_cmp(path, &p->path[at - 1]) == 0)
		return -E_DUPLICATE;
	memmove(p->path + at + 1, p->path + at, (p->n - at) * sizeof *path);
	p->path[at] = *path;
	p->n++;
	return 0;
}
