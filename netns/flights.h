/*
 * flights: the frames between two nodes: copies of their bytes, ordered by when they are due, within
 * a limit of memory. Freed frames are kept for the next ones of their size.
 */
#ifndef OWLT_NETNS_FLIGHTS_H
#define OWLT_NETNS_FLIGHTS_H

#include "bundle/base/heap.h"
#include "bundle/base/view.h"

#define FLIGHT_CLASSES 10u /* 256 B to 128 KiB, powers of two */

struct flight {
	struct heap_node due; /* key: lab time, us */
	struct flight *next;  /* among free ones */
	unsigned dir;         /* whose */
	unsigned class;
	bool is_copy;     /* a duplicate */
	unsigned n_flips; /* bits that were damaged */
	uint32_t n;
	uint8_t bytes[];
};

struct flights {
	struct heap heap;
	struct flight *free[FLIGHT_CLASSES];
	size_t used_bytes, limit_bytes; /* all memory, free ones included */
	uint64_t number;
};

void flights_init(struct flights *f, size_t limit_bytes);
void flights_fini(struct flights *f);
/* Room for a frame of n bytes, not yet under way; NULL at the limit. */
struct flight *flights_get(struct flights *f, size_t n);
/* Gives it back, whether it was under way or not. */
void flights_put(struct flights *f, struct flight *x);
/* It arrives at lab time due_us. -ENOMEM. */
int flights_start(struct flights *f, struct flight *x, int64_t due_us) MUST_USE;
/* The next to arrive, still under way; NULL when there is none. */
struct flight *flights_first(const struct flights *f);
/* It has arrived: no longer under way, not yet given back. */
void flights_land(struct flights *f, struct flight *x);

#endif
