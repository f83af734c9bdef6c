/*
 * pairmap: custody pairs that were accepted and find no room one by one any more (known.c): 32 numbers in a
 * row of one sequence share a map, with a digest of the bundle that each stood for. What a pair costs
 * here is a thirtieth of its own row, so that a node that takes custody of many bundles a second goes on
 * knowing what it took until it expires.
 */
#ifndef OWLT_AGENT_PAIRMAP_H
#define OWLT_AGENT_PAIRMAP_H

#include "bundle/base/hash.h"
#include "bundle/base/heap.h"
#include "bundle/base/list.h"
#include "bundle/base/pool.h"
#include "bundle/base/time.h"

#define PAIRMAP_NUMBERS 32u
#define PAIRMAP_VERSION 3u /* first byte of a row of kind STORE_PAIR; below it, one pair: known.c */

struct agent;

struct pairmap {
	struct hash_node node;
	struct heap_node timer;           /* the latest expiry; tie = serial number */
	struct link_node unwritten;       /* its row in the store is older; else in no list */
	uint64_t key[4];                  /* as struct known; the number is the first of the map */
	uint64_t row;                     /* 0: it has none */
	unsigned n;                       /* pairs in it */
	uint32_t digest[PAIRMAP_NUMBERS]; /* 0: not accepted */
};

struct pairmaps {
	struct pool pool;
	struct hash_table table;
	struct heap timers;
	struct link_node unwritten;
	uint64_t n_pairs, serial;
};

void pairmap_init(struct agent *a);
void pairmap_fini(struct agent *a);
/* A durable pair (pair_key()), in memory; about: digest of its bundle, 0: not known. False: agent.max_old_pairs
 * keeps none, or there is no memory. May forget the map that expires first, which is counted. */
bool pairmap_add(struct agent *a, const uint64_t key[4], uint64_t about, mono expiry);
/* The rows of what changed, with the batch being staged. A full store has to wait for the next call. */
void pairmap_write(struct agent *a);
/* Was the pair accepted for this bundle? */
bool pairmap_has(const struct agent *a, const uint64_t key[4], uint64_t about);
void pairmap_tick(struct agent *a, mono now);
mono pairmap_deadline(const struct agent *a);
/* A row of PAIRMAP_VERSION. False: not readable, or no room. */
bool pairmap_restore(struct agent *a, mono now, uint64_t row, struct view value);

#endif
