/*
 * paths: whole routes as lists of contacts, the best or the k best in order, for tools. Not for the
 * forwarding path: it allocates.
 */
#ifndef OWLT_ROUTE_PATHS_H
#define OWLT_ROUTE_PATHS_H

#include "dtn/plan/plan.h"

struct path {
	const struct contact **contact; /* in order */
	unsigned hops;
	mono arrival;
	mono from_time; /* the first contact opens */
	mono to_time;   /* the first end of its contacts */
	unsigned spur;  /* private: where it left the route it was derived from */
};

struct paths {
	struct path *path; /* best first */
	size_t n, cap;
};

struct paths_query {
	node_id from, to;
	mono at, expiry; /* MONO_NEVER: none */
	uint64_t size_bytes;
	bool margin_sabr;
	size_t limit; /* routes at most */
};

/* The `limit` best loop-free routes, by the keys of search.h (Yen's algorithm). 0, also where there is
 * none, or -ENOMEM. paths_fini() ends it. */
int paths_find(const struct plan *plan, const struct paths_query *q, struct paths *out) MUST_USE;
void paths_fini(struct paths *p);

#endif
