/*
 * hash: SipHash-1-3 for keys that peers choose, a cheap mix for our own, and an intrusive hash table.
 *
 * The table chains intrusive nodes and doubles its buckets when it is full, but never beyond
 * what hash_reserve() made room for unless growing is allowed; lookups compare the full 64-bit hash
 * first, then ask the caller's `equal`.
 */
#ifndef OWLT_BASE_HASH_H
#define OWLT_BASE_HASH_H

#include "bundle/base/err.h"
#include "bundle/base/view.h"

struct hash_key {
	uint64_t k0, k1;
};

/* Keyed hash of bytes; not to be guessed by who does not know the key. */
uint64_t hash_bytes(struct hash_key key, struct view v);
/* Keyed hash of n numbers. */
uint64_t hash_u64s(struct hash_key key, const uint64_t *v, size_t n);
/* A good mix of one number, without key. */
uint64_t hash_mix(uint64_t v);

struct hash_node {
	struct hash_node *next;
	uint64_t hash;
};

struct hash_table {
	struct hash_node **bucket;
	size_t n_buckets; /* a power of two, or 0 */
	size_t n;
};

void hash_init(struct hash_table *t);
void hash_fini(struct hash_table *t);
/* Buckets for n entries. 0 or -ENOMEM. */
int hash_reserve(struct hash_table *t, size_t n) MUST_USE;
/* Puts in a node; the caller knows that no equal one is in. Grows when full; where growing fails
 * the chains only get longer, so it can't fail once any bucket exists. 0 or -ENOMEM. */
int hash_insert(struct hash_table *t, struct hash_node *e, uint64_t hash) MUST_USE;
/* First node with that hash for which equal(node, key) holds; NULL when none. Borrowed. */
struct hash_node *hash_find(const struct hash_table *t, uint64_t hash,
	bool (*equal)(const struct hash_node *, const void *), const void *key);
/* Takes a node out; the caller knows that it is in. */
void hash_remove(struct hash_table *t, struct hash_node *e);
/* Walks all: start with NULL; the order is that of the buckets. */
struct hash_node *hash_next(const struct hash_table *t, const struct hash_node *e);

#endif
