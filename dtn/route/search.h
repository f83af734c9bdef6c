/*
 * search: the best route in a contact plan by four keys in this order: earliest arrival, fewer hops,
 * later end of the route (the least end of its contacts), smaller entry node (routing.md 2, 4;
 * CCSDS 734.3-B-1 3.2.8). Scratch memory is allocated once.
 */
#ifndef OWLT_ROUTE_SEARCH_H
#define OWLT_ROUTE_SEARCH_H

#include "dtn/plan/plan.h"

#define SEARCH_SIZE_MAX (UINT64_C(1) << 40)

struct search_query {
	size_t from, to; /* indexes into plan.node */
	mono at;
	uint64_t size_bytes;    /* sent whole on each hop, before its contact ends */
	const node_id *exclude; /* not as the first hop */
	size_t n_exclude;
	const bool *node_banned;    /* by node index; NULL: none */
	const bool *contact_banned; /* by index in plan.contact, for the first hop; NULL: none */
};

struct search_route {
	mono arrival;
	unsigned hops;
	mono end;                    /* least end of its contacts */
	const struct contact *first; /* NULL: from == to */
	uint32_t trail;              /* for search_path() */
};

struct search;

/* NULL when out of memory. The plan is borrowed. */
struct search *search_new(const struct plan *plan, bool margin_sabr);
void search_free(struct search *s);
/* Best route. False: none. */
bool search_best(struct search *s, const struct search_query *q, struct search_route *out);
/* Earliest arrival alone, without the other keys; MONO_NEVER: never. */
mono search_earliest(struct search *s, const struct search_query *q);
/* From now on search_best() remembers paths; costs memory as it goes. */
void search_keep_paths(struct search *s);
/* Contacts of the last found route in order; `path` has room for route->hops. 0 or -ENOMEM. */
int search_path(const struct search *s, const struct search_route *route,
	const struct contact **path) MUST_USE;
/* When the last bit arrives if a bundle is ready at `at`; MONO_NEVER when the contact can't carry it. */
mono search_arrival(const struct search *s, const struct contact *c, mono at, uint64_t size_bytes);

#endif
