/*
 * kept: an endpoint ID that outlives what it was read from.
 */
#ifndef OWLT_AGENT_KEPT_H
#define OWLT_AGENT_KEPT_H

#include "bundle/eid.h"

struct kept_eid {
	uint64_t scheme, service;
	node_id node;
	uint8_t n;
	char ssp[63];
};
/* False: its name is too long to be kept, or it is nobody's. */
bool eid_keep(struct kept_eid *k, const struct eid *e);
/* Lives as long as *k. */
struct eid eid_kept(const struct kept_eid *k);
static inline bool eid_kept_same(const struct kept_eid *x, const struct kept_eid *y)
{
	return x->scheme == y->scheme && x->node == y->node && x->service == y->service;
}

#endif
