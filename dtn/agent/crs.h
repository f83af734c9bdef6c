/*
 * crs: compressed status reports (CCSDS 734.6): what crs.c does for the other files of the agent.
 */
#ifndef OWLT_AGENT_CRS_H
#define OWLT_AGENT_CRS_H

#include "bundle/ccs.h"
#include "dtn/agent/gather.h"

struct agent;
struct arrival;
struct making;
struct own_bundle;

/* A number that a bundle made here has in its reporting block. */
struct crs_number {
	uint64_t no, id; /* local id of the bundle; 0: unused */
};

struct crs {
	struct gather out;
	struct crs_number *number; /* by number, the last n_numbers of them */
	size_t n_numbers;
};

int crs_init(struct agent *a) MUST_USE;
void crs_fini(struct agent *a);
/* The bundle asks for compressed reports of this kind. */
bool crs_wanted(const struct bundle *b, enum crs_kind kind);
/* Gathers one. False: it can't be told so, because a name in it is too long to be kept. */
bool crs_add(struct agent *a, mono now, uint64_t id, const struct bundle *b, enum crs_kind kind);
/* Gives a bundle made here its reporting block, where it shall have one; crs_made(): it has an id now. */
bool crs_asked(const struct agent *a, const struct agent_send *s);
int crs_prepare(struct agent *a, const struct own_bundle *o, struct making *m) MUST_USE;
void crs_made(struct agent *a, uint64_t id, const struct making *m);
/* A signal for this node, or for an application here: which bundles it names. False: malformed. */
bool crs_receive(struct agent *a, mono now, uint64_t id, const struct arrival *in);

#endif
