/*
 * hash: SipHash with one compression and three finalisation rounds (the choice of Linux and Rust for
 * tables), and chained buckets.
 */
#include "bundle/base/hash.h"

#include <assert.h>
#include <stdlib.h>

struct sip {
	uint64_t a, b, c, d;
};

static inline uint64_t rotl(uint64_t v, int n)
{
	return v << n | v >> (64 - n);
}

static inline void sip_round(struct sip *s)
{
	s->a += s->b;
	s->b = rotl(s->b, 13) ^ s->a;
	s->a = rotl(s->a, 32);
	s->c += s->d;
	s->d = rotl(s->d, 16) ^ s->c;
	s->a += s->d;
	s->d = rotl(s->d, 21) ^ s->a;
	s->c += s->b;
	s->b = rotl(s->b, 17) ^ s->c;
	s->c = rotl(s->c, 32);
}

static inline struct sip sip_start(struct hash_key k)
{
	return (struct sip){k.k0 ^ 0x736f6d6570736575u, k.k1 ^ 0x646f72616e646f6du,
		k.k0 ^ 0x6c7967656e657261u, k.k1 ^ 0x7465646279746573u};
}

static inline void sip_word(struct sip *s, uint64_t m)
{
	s->d ^= m;
	sip_round(s);
	s->a ^= m;
}

static inline uint64_t sip_end(struct sip *s)
{
	s->c ^= 0xff;
	sip_round(s);
	sip_round(s);
	sip_round(s);
	return s->a ^ s->b ^ s->c ^ s->d;
}

uint64_t hash_bytes(struct hash_key key, struct view v)
{
	struct sip s = sip_start(key);
	uint64_t last = (uint64_t)v.n << 56;
	size_t i = 0;

	for (; i + 8 <= v.n; i += 8) {
		uint64_t m;
		memcpy(&m, v.p + i, sizeof m);
		sip_word(&s, m);
	}
	for (int shift = 0; i < v.n; i++, shift += 8)
		last |= (uint64_t)v.p[i] << shift;
	sip_word(&s, last);
	return sip_end(&s);
}

uint64_t hash_u64s(struct hash_key key, const uint64_t *v, size_t n)
{
	struct sip s = sip_start(key);

	for (size_t i = 0; i < n; i++)
		sip_word(&s, v[i]);
	sip_word(&s, (uint64_t)n << 59);
	return sip_end(&s);
}

uint64_t hash_mix(uint64_t v)
{
	v ^= v >> 30;
	v *= 0xbf58476d1ce4e5b9u;
	v ^= v >> 27;
	v *= 0x94d049bb133111ebu;
	return v ^ v >> 31;
}

void hash_init(struct hash_table *t)
{
	*t = (struct hash_table){0};
}

void hash_fini(struct hash_table *t)
{
	free(t->bucket);
	hash_init(t);
}

static int rehash(struct hash_table *t, size_t n_buckets)
{
	struct hash_node **bucket = calloc(n_buckets, sizeof(struct hash_node *));

	if (!bucket)
		return -ENOMEM;
	for (size_t i = 0; i < t->n_buckets; i++) {
		struct hash_node *e = t->bucket[i];

		while (e) {
			struct hash_node *next = e->next;
			size_t at = e->hash & (n_buckets - 1);

			e->next = bucket[at];
			bucket[at] = e;
			e = next;
		}
	}
	free(t->bucket);
	t->bucket = bucket;
	t->n_buckets = n_buckets;
	return 0;
}

int hash_reserve(struct hash_table *t, size_t n)
{
	size_t n_buckets = 16;

	while (n_buckets < n)
		n_buckets *= 2;
	return n_buckets > t->n_buckets ? rehash(t, n_buckets) : 0;
}

int hash_insert(struct hash_table *t, struct hash_node *e, uint64_t hash)
{
	if (t->n >= t->n_buckets) {
		int err = rehash(t, t->n_buckets ? 2 * t->n_buckets : 16);
		if (err && t->n_buckets == 0)
			return err;
	}
	struct hash_node **at = &t->bucket[hash & (t->n_buckets - 1)];
	e->hash = hash;
	e->next = *at;
	*at = e;
	t->n++;
	return 0;
}

struct hash_node *hash_find(const struct hash_table *t, uint64_t hash,
	bool (*equal)(const struct hash_node *, const void *), const void *key)
{
	if (t->n == 0)
		return NULL;
	for (struct hash_node *e = t->bucket[hash & (t->n_buckets - 1)]; e; e = e->next)
		if (e->hash == hash && equal(e, key))
			return e;
	return NULL;
}

void hash_remove(struct hash_table *t, struct hash_node *e)
{
	struct hash_node **at = &t->bucket[e->hash & (t->n_buckets - 1)];

	while (*at && *at != e)
		at = &(*at)->next;
	assert(*at == e);
	*at = e->next;
	e->next = NULL;
	t->n--;
}

struct hash_node *hash_next(const struct hash_table *t, const struct hash_node *e)
{
	size_t i = 0;

	if (e && e->next)
		return e->next;
	if (e)
		i = (e->hash & (t->n_buckets - 1)) + 1;
	for (; i < t->n_buckets; i++)
		if (t->bucket[i])
			return t->bucket[i];
	return NULL;
}
