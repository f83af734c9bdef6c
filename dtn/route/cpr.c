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
	bool *closed; /* by index in plan.contact; all false between calls */
};

static int cpr_find(struct route *r, const struct route_query *q, struct route_choice *out);
static mono cpr_earliest(struct route *r, node_id from, node_id to, mono at);
static void close_contacts(struct cpr *c, const struct route_query *q, bool on);
static uint64_t volume(const struct contact *c, mono at);
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
	c->closed = calloc(plan->n_contacts + 1, sizeof *c->closed);
	if (!c->search || !c->closed) {
		cpr_free(&c->base);
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
		.n_exclude = q->n_exclude,
		.contact_banned = q->n_closed ? c->closed : NULL};
	struct search_route best;
	bool found;

	*out = (struct route_choice){.next = q->to,
		.arrival = q->at,
		.from_time = q->at,
		.forfeit = MONO_NEVER,
		.volume_bytes = UINT64_MAX};
	if (q->from == q->to)
		return 0;
	if (s.from == SIZE_MAX || s.to == SIZE_MAX)
		return -E_NO_ROUTE;
	close_contacts(c, q, true);
	found = search_best(c->search, &s, &best);
	close_contacts(c, q, false);
	s.contact_banned = NULL;
	if (!found) {
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
		.hops = best.hops,
		.volume_bytes = volume(best.first, q->at)};
	return 0;
}

static void close_contacts(struct cpr *c, const struct route_query *q, bool on)
{
	for (unsigned i = 0; i < q->n_closed; i++)
		if (q->closed[i] > 0 && q->closed[i] <= c->plan->n_contacts)
			c->closed[q->closed[i] - 1] = on;
}

/* Bytes that leave from `at` to its end. */
static uint64_t volume(const struct contact *c, mono at)
{
	mono from = at > c->start ? at : c->start;

	if (c->end == MONO_NEVER || c->rate_bps == 0 || c->rate_bps > INT64_MAX)
		return UINT64_MAX;
	return from >= c->end
		       ? 0
		       : (uint64_t)muldiv_i64(c->end - from, (int64_t)c->rate_bps, 8 * US_PER_S);
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
	free(c->closed);
	free(c);
}
