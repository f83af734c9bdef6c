/*
 * bench_pair: two owltd with one link on 127.0.0.1, for benchmarks of whole nodes. The contact from the first to
 * the second opens PAIR_OPEN_S after the start, the way back is always open.
 */
#ifndef OWLT_TOOLS_BENCH_PAIR_H
#define OWLT_TOOLS_BENCH_PAIR_H

#include "dtn/client/owlt.h"
#include "tools/bench.h"

#include <sys/types.h>

#define PAIR_OPEN_S 4

struct pair {
	char dir[BENCH_DIR];
	char daemon[BENCH_SELF]; /* owltd beside owlt */
	const char *rate;        /* of the contacts, as in a plan */
	const char *config;      /* settings of both nodes, each with a comma behind it */
	bool disk;               /* stores on disk, in the current folder */
	bool offload;            /* of the links */
	int port;                /* this one and the next are the nodes' */
	uint64_t open_ns;        /* when the contact opens */
	pid_t pid[2];
	struct owlt *node[2];
};

/* Finds owltd and chooses ports. These give 0 or an exit code after a message. */
int pair_init(struct pair *p) MUST_USE;
int pair_start(struct pair *p) MUST_USE;
void pair_stop(struct pair *p);

/* Gives n bundles for ipn:2.99 to the first node; 0 when it has them all, else a negative error. */
int pair_load(struct pair *p, size_t payload, size_t n, bool custody) MUST_USE;
/* Waits until the contact opens. */
void pair_wait(const struct pair *p);

/* CPU time of a node so far in us: its loop, and all other threads. */
struct pair_cpu {
	double loop, others;
};
struct pair_cpu pair_cpu(const struct pair *p, int k);
/* A number of a node's status: of "counters", "store" or "links" (its first one); 0 if there is none. */
uint64_t pair_count(struct pair *p, int k, const char *what, const char *key);

#endif
