/*
 * trie: things by a 64-bit key, in order of the key. Six bits a level, nodes with a bit and a pointer for
 * each child there is: keys that lie close together cost some ten bytes each, finding one takes as many
 * steps as the largest key has levels. Keys are our own numbers, not a peer's choice.
 */
#ifndef OWLT_STORE_TRIE_H
#define OWLT_STORE_TRIE_H

#include "bundle/base/err.h"

#include <stdint.h>

struct slabs;
struct trie_node;

#define TRIE_NEAR 8u

/* A lowest node that was used lately, and its keys without their last digit. */
struct trie_near {
	struct trie_node *leaf; /* NULL: none */
	uint64_t key;
};

struct trie {
	struct trie_node *root; /* NULL: empty */
	unsigned height;        /* levels below and with the root */
	uint64_t n;
	struct trie_near near[TRIE_NEAR]; /* by the last bits of their keys */
};

void *trie_find(struct trie *t, uint64_t key);
/* The thing with the least key >= `key`; NULL when none. */
void *trie_from(const struct trie *t, uint64_t key);
/* Puts in a thing; the caller knows that its key is not in. 0 or -ENOMEM. */
int trie_insert(struct trie *t, struct slabs *s, uint64_t key, void *thing) MUST_USE;
/* Takes out the thing of a key that is in. */
void trie_remove(struct trie *t, struct slabs *s, uint64_t key);

#endif
