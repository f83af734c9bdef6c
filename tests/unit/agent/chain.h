/*
 * chain: three agents, 1 - 2 - 3, for the tests of custody.
 */
#ifndef OWLT_TESTS_UNIT_AGENT_CHAIN_H
#define OWLT_TESTS_UNIT_AGENT_CHAIN_H

#include "tests/unit/agent/kit.h"

extern const node_id chain_n2[1], chain_n13[2];

struct chain {
	struct side a, b, c;
};

/* Signals go out at once. Between _make and _start the test changes the settings. */
void chain_make(struct chain *x);
void chain_start(struct chain *x);
void chain_init(struct chain *x);
void chain_fini(struct chain *x);
/* A custody bundle from 1 for 3, durable at 1 and ready to leave. */
void chain_send(struct chain *x);
/* Twice: the signal made after the first commit may wait for the number block of its own. */
void settle(struct side *s);
/* An entry of custody.neighbours, to be completed. */
struct custody_neighbour *chain_neighbour(struct side *s, const char *node);
/* Our pair of the only bundle here that is in our custody. */
struct agent_bundle chain_held(const struct side *s);
/* A bundle in flight, read by a profile; views into f. */
struct bundle chain_read(const struct flight *f, unsigned profile);
/* From now on the side keeps its trace (hand_last()), and counts from 0. */
void chain_listen(struct side *s);

#endif
