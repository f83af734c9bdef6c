/*
 * hand: one agent, node 2, and bundles of node 1 made by hand; what it does is read from its trace
 * and from what comes out. For the tests of this folder.
 */
#ifndef OWLT_TESTS_UNIT_AGENT_HAND_H
#define OWLT_TESTS_UNIT_AGENT_HAND_H

#include "bundle/admin.h"
#include "tests/unit/agent/kit.h"

#define REPORTS_TO eid_ipn(4, 6)

extern const node_id hand_neighbours[3]; /* 1, 3, 4 */

/* Node 2 with these neighbours, and a trace that keeps its records; reports are on. */
void hand_relay(struct side *s);
/* A bundle of node 1 for `to`, changed by the test before it is made. */
struct bundle_spec hand_spec(node_id to);
void hand_make(struct flight *f, const struct bundle_spec *s, struct view payload);
/* Made, with a payload of 4 bytes, and taken in from node 1. */
void hand_in(struct side *s, const struct bundle_spec *spec);
void hand_read(const struct flight *f, struct bundle *b);
/* The last record of an event since the last call; false when there was none. */
bool hand_last(struct side *s, enum trace_ev ev, uint64_t a[TRACE_ARGS]);
/* After a commit, the next report that node 2 sends to node 4; false: none. */
bool hand_report(struct side *s, struct bundle *b, struct status_report *r);

#endif
