/*
 * rng: repeatable random numbers (xoshiro256**). One stream per node and per link direction, derived
 * from (seed, id), never one shared generator. Not for keys.
 */
#ifndef OWLT_BASE_RNG_H
#define OWLT_BASE_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t s[4];
};

void rng_init(struct rng *r, uint64_t seed, uint64_t id);
uint64_t rng_u64(struct rng *r);
/* Uniform in 0 .. n-1; n > 0. */
uint64_t rng_below(struct rng *r, uint64_t n);
/* True with probability p, 0 <= p <= 1. p = 0 and p = 1 draw nothing. */
bool rng_chance(struct rng *r, double p);

#endif
