#include "bundle/base/hash.h"

#include <criterion/criterion.h>

struct item {
	struct hash_node node;
	uint64_t key;
};

static bool same(const struct hash_node *n, const void *key)
{
	return ((const struct item *)n)->key == *(const uint64_t *)key;
}

Test(hash, finds_what_is_in_and_nothing_else)
{
	static struct item item[1000];
	struct hash_key key = {1, 2};
	struct hash_table t;
	size_t seen = 0;

	hash_init(&t);
	for (uint64_t i = 0; i < 1000; i++) {
		item[i].key = i * 7;
		cr_assert_eq(hash_insert(&t, &item[i].node, hash_u64s(key, &item[i].key, 1)), 0);
	}
	for (uint64_t i = 0; i < 1000; i += 2)
		hash_remove(&t, &item[i].node);
	for (uint64_t i = 0; i < 1000; i++) {
		uint64_t k = i * 7;
		struct hash_node *n = hash_find(&t, hash_u64s(key, &k, 1), same, &k);
		cr_assert_eq(n, i % 2 ? &item[i].node : NULL);
	}
	for (struct hash_node *n = NULL; (n = hash_next(&t, n));)
		seen++;
	cr_assert_eq(seen, 500);
	hash_fini(&t);
}

/* The bytes hash depends on key, length and every byte. */
Test(hash, bytes_are_keyed)
{
	uint8_t b[32] = {0};
	uint64_t h = hash_bytes((struct hash_key){1, 2}, view_of(b, 31));

	cr_assert_neq(h, hash_bytes((struct hash_key){1, 3}, view_of(b, 31)));
	cr_assert_neq(h, hash_bytes((struct hash_key){1, 2}, view_of(b, 32)));
	for (int i = 0; i < 31; i++) {
		b[i] ^= 1;
		cr_assert_neq(h, hash_bytes((struct hash_key){1, 2}, view_of(b, 31)));
		b[i] ^= 1;
	}
}
