/*
 * route: the interface between the agent and a router. A router answers from what it knows; it holds
 * no bundles. Implementations: contact plan (cpr.c), static table (static.c).
 */
#ifndef OWLT_ROUTE_ROUTE_H
#define OWLT_ROUTE_ROUTE_H

#include "bundle/base/time.h"
#include "bundle/eid.h"

#define ROUTE_EXCLUDE_MAX 8
#define ROUTE_CLOSED_MAX 8

struct route_query {
	node_id from, to;
	mono at;     /* the bundle is ready here */
	mono expiry; /* MONO_NEVER: none */
	uint64_t size_bytes;
	unsigned priority;
	node_id exclude[ROUTE_EXCLUDE_MAX]; /* not as the next hop */
	unsigned n_exclude;
	uint32_t closed
		[ROUTE_CLOSED_MAX]; /* plan indexes of contacts that are full: not as the first */
	unsigned n_closed;
};

struct route_choice {
	node_id next;
	mono arrival;     /* at the destination; `at` where the router does not know */
	mono from_time;   /* first contact opens */
	mono forfeit;     /* end of the first contact: choose again then; MONO_NEVER: never */
	uint32_t contact; /* plan index of the first contact, 0 = none */
	unsigned hops;
	uint64_t
		volume_bytes; /* what the first contact can carry from `at` on; UINT64_MAX: no limit known */
};

struct route;

struct route_ops {
	const char *name;
	/* Best choice. 0, -E_NO_ROUTE (never), -E_NO_CONTACT (not before the expiry, or only by excluded nodes). */
	int (*find)(struct route *r, const struct route_query *q, struct route_choice *out);
	/* Earliest arrival between any two nodes; MONO_NEVER when not known or never. */
	mono (*earliest)(struct route *r, node_id from, node_id to, mono at);
	void (*free)(struct route *r);
};

struct route {
	const struct route_ops *ops;
};

struct plan;

/* Contact-plan routing. margin_sabr: add SABR's light-time margin. The plan is borrowed and must outlive it. */
struct route *route_cpr_new(const struct plan *plan, bool margin_sabr);

/* One row of a static table: bundles for `node` (NODE_NONE: everything else) go to `next`. */
struct static_row {
	node_id node, next;
};
/* Static table over the neighbours' own ids (neighbours are reached directly); rows are copied. */
struct route *route_static_new(const struct static_row *rows, size_t n);

#endif
