/*
 * cpr: contact-plan routing as a router of route.h. Volumes and several routes come later; what is
 * here answers exactly: best route by the four keys of search.h for one bundle's size. A route whose first contact
 * is over is never kept: every question is a search, bounded by the arrival it has found.
 */
#include "dtn/plan/plan.h"
#include "dtn/route/route.h"
#include "dtn/route/search.h"

#include <stdlib.h>

struct cpr {
	struct route base;
	const struct plan *plan;
	struct search *search;
};

static int cpr_find(struct route *r, const struct route_query *q, struct route_choice *out);
static mono cpr_earliest(struct route *r, node_id from, node_id to, mono at);
static void cpr_free(struct route *r);

static const struct route_ops ops = {"contact-plan", cpr_find, cpr_earliest, cpr_free};

struct route *route_cpr_new(const struct plan *plan, bool margin_sabr)
{
	struct cpr *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->base.ops = &ops;
	c->plan = plan;
	c->search = search_new(plan, margin_sabr);
	if (!c->search) {
		free(c);
		return NULL;
	}
	return &c->base;
}

static int cpr_find(struct route *r, const struct route_query *q, struct route_choice *out)
{
	struct cpr *c = (struct cpr *)(void *)r;
	struct search_query s = {.from = plan_node_index(c->plan, q->from),
		.to = plan_node_index(c->plan, q->to),
		.at = q->at,
		.size_bytes = q->size_bytes,
		.exclude = q->exclude,
		.n_exclude = q->n_exclude};
	struct search_route best;

	*out = (struct route_choice){
		.next = q->to, .arrival = q->at, .from_time = q->at, .forfeit = MONO_NEVER};
	if (q->from == q->to)
		return 0;
	if (s.from == SIZE_MAX || s.to == SIZE_MAX)
		return -E_NO_ROUTE;
	if (!search_best(c->search, &s, &best)) {
		s.n_exclude = 0;
		return q->n_exclude && search_earliest(c->search, &s) != MONO_NEVER ? -E_NO_CONTACT
										    : -E_NO_ROUTE;
	}
	if (best.arrival > q->expiry)
		return -E_NO_CONTACT;
	*out = (struct route_choice){.next = best.first->to,
		.arrival = best.arrival,
		.from_time = best.first->start,
		.forfeit = best.first->end,
		.contact = best.first->index,
		.hops = best.hops};
	return 0;
}

static mono cpr_earliest(struct route *r, node_id from, node_id to, mono at)
{
	struct cpr *c = (struct cpr *)(void *)r;
	struct search_query s = {.from = plan_node_index(c->plan, from),
		.to = plan_node_index(c->plan, to),
		.at = at};

	if (from == to)
		return at;
	return s.from == SIZE_MAX || s.to == SIZE_MAX ? MONO_NEVER : search_earliest(c->search, &s);
}

static void cpr_free(struct route *r)
{
	struct cpr *c = (struct cpr *)(void *)r;

	if (!c)
		return;
	search_free(c->search);
	free(c);
}
