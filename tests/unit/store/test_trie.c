/* The trie against a plain array: dense and scattered keys, up to the largest, in and out in any order;
 * and with each allocation refused. */
#include "dtn/store/trie.h"

#include "bundle/base/rng.h"
#include "dtn/store/slabs.h"

#include <criterion/criterion.h>

enum { KEYS = 2000 };

struct model {
	struct trie t;
	struct slabs s;
	uint64_t key[KEYS];
	bool is_in[KEYS];
	uint64_t n;
};

static int by_key(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Sorted, all different. */
static void make_keys(struct model *m, struct rng *r, unsigned kind)
{
	for (unsigned i = 0; i < KEYS; i++)
		m->key[i] = kind == 0   ? i
			    : kind == 1 ? i * UINT64_C(64)
			    : kind == 2 ? rng_u64(r)
			    : kind == 3 ? UINT64_MAX - i * (1 + i % 3)
					: rng_u64(r) >> (rng_u64(r) % 60);
	qsort(m->key, KEYS, sizeof m->key[0], by_key);
	for (unsigned i = 1; i < KEYS; i++)
		if (m->key[i] <= m->key[i - 1])
			m->key[i] = m->key[i - 1] + 1;
}

static void flip(struct model *m, unsigned i)
{
	if (m->is_in[i])
		trie_remove(&m->t, &m->s, m->key[i]);
	else
		cr_assert_eq(trie_insert(&m->t, &m->s, m->key[i], &m->key[i]), 0);
	m->n += m->is_in[i] ? (uint64_t)-1 : 1;
	m->is_in[i] = !m->is_in[i];
}

static void check(struct model *m)
{
	uint64_t *at = trie_from(&m->t, 0);

	cr_assert_eq(m->t.n, m->n);
	for (unsigned i = 0; i < KEYS; i++) {
		cr_assert_eq(trie_find(&m->t, m->key[i]), m->is_in[i] ? &m->key[i] : NULL);
		if (!m->is_in[i])
			continue;
		cr_assert_eq(at, &m->key[i]);
		at = m->key[i] == UINT64_MAX ? NULL : trie_from(&m->t, m->key[i] + 1);
	}
	cr_assert_null(at);
}

Test(trie, as_an_array)
{
	static struct model m;
	struct rng r;

	rng_init(&r, 1, 2);
	for (unsigned kind = 0; kind < 5; kind++) {
		m = (struct model){0};
		slabs_init(&m.s, 1 << 20);
		make_keys(&m, &r, kind);
		check(&m);
		for (unsigned step = 0; step < 20; step++) {
			for (unsigned i = 0; i < KEYS / 4; i++)
				flip(&m, (unsigned)rng_below(&r, KEYS));
			check(&m);
		}
		for (unsigned i = 0; i < KEYS; i++)
			if (m.is_in[i])
				flip(&m, i);
		check(&m);
		cr_assert_null(m.t.root);
		slabs_fini(&m.s);
	}
}

/* Keys that follow each other cost some ten bytes. */
Test(trie, memory_of_dense_keys)
{
	enum { N = 1000000 };
	struct trie t = {0};
	struct slabs s;
	size_t n = 0;
	int thing;

	slabs_init(&s, 1 << 20);
	for (uint64_t key = 1; key <= N; key++)
		cr_assert_eq(trie_insert(&t, &s, key, &thing), 0);
	n = slabs_bytes(&s);
	cr_assert_lt(n, N * 12, "%zu", n);
	slabs_fini(&s);
}
