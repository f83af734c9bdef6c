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

struct trie {
	struct trie_node *root; /* NULL: empty */
	unsigned height;        /* levels below and with the root */
	uint64_t n;
	struct trie_node
		*leaf; /* that changed last, of the keys of which this is all but the last digit */
	uint64_t leaf_key;
};

void *trie_find(const struct trie *t, uint64_t key);
/* The thing with the least key >= `key`; NULL when none. */
void *trie_from(const struct trie *t, uint64_t key);
/* Puts in a thing; the caller knows that its key is not in. 0 or -ENOMEM. */
int trie_insert(struct trie *t, struct slabs *s, uint64_t key, void *thing) MUST_USE;
/* Takes out the thing of a key that is in. */
void trie_remove(struct trie *t, struct slabs *s, uint64_t key);

#endif
