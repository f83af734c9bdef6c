/*
 * pairmap: see pairmap.h. A map is a row of kind STORE_PAIR and lives until the last of its pairs would
 * expire; who is known a little longer does no harm, because another bundle under the same pair has
 * another digest. Only pairs whose own row was durable come here, and that row is deleted in the batch that
 * writes the map: after a crash a pair is in one of the two, or in both.
 */
#include "dtn/agent/state.h"

#define ANY UINT32_MAX /* digest of a bundle that is not known */

static bool has_room(struct agent *a);
static struct pairmap *find(const struct agent *a, const uint64_t key[4]);
static struct pairmap *add(struct agent *a, const uint64_t key[4], mono expiry);
static void forget(struct agent *a, struct pairmap *m);
static void base_key(const uint64_t key[4], uint64_t base[4]);
static uint32_t digest_of(uint64_t about);
static bool same_key(const struct hash_node *n, const void *key);

void pairmap_init(struct agent *a)
{
	struct pairmaps *p = &a->pairmaps;

	hash_init(&p->table);
	heap_init(&p->timers);
	list_init(&p->unwritten);
}

void pairmap_fini(struct agent *a)
{
	pool_fini(&a->pairmaps.pool);
	hash_fini(&a->pairmaps.table);
	heap_fini(&a->pairmaps.timers);
}

bool pairmap_add(struct agent *a, const uint64_t key[4], uint64_t about, mono expiry)
{
	struct pairmaps *p = &a->pairmaps;
	struct pairmap *m = find(a, key);
	uint32_t *digest;

	if (!m && !has_room(a))
		return false;
	if (!m && p->pool.n_free == 0) {
		struct pairmap *first = container_of(heap_min(&p->timers), struct pairmap, timer);

		a->n_evicted += first->n;
		forget(a, first);
	}
	m = m ? m : add(a, key, expiry);
	if (expiry > m->timer.key) {
		uint64_t tie = m->timer.tie;

		heap_remove(&p->timers, &m->timer);
		(void)!heap_push(&p->timers, &m->timer, expiry, tie);
	}
	digest = &m->digest[key[3] % PAIRMAP_NUMBERS];
	m->n += *digest == 0;
	p->n_pairs += *digest == 0;
	*digest = digest_of(about);
	list_remove(&m->unwritten);
	list_push_back(&p->unwritten, &m->unwritten);
	return true;
}

void pairmap_write(struct agent *a)
{
	while (!list_empty(&a->pairmaps.unwritten)) {
		struct pairmap *m =
			container_of(a->pairmaps.unwritten.next, struct pairmap, unwritten);
		uint64_t row = m->row ? m->row : ++a->next_row;
		uint8_t room[STORE_VALUE_MAX];
		struct buf b = buf_of(room, sizeof room);

		buf_u8(&b, PAIRMAP_VERSION);
		for (size_t i = 0; i < 4; i++)
			be64_put(buf_grow(&b, 8), m->key[i]);
		be64_put(buf_grow(&b, 8),
			m->timer.key == MONO_NEVER
				? UINT64_MAX
				: agent_dtn(a, 0) + (uint64_t)(m->timer.key / US_PER_MS));
		for (size_t i = 0; i < PAIRMAP_NUMBERS; i++)
			be32_put(buf_grow(&b, 4), m->digest[i]);
		if (store_row_set(a->store, STORE_PAIR, row, buf_view(&b)) != 0)
			return;
		m->row = row;
		list_remove(&m->unwritten);
	}
}

bool pairmap_has(const struct agent *a, const uint64_t key[4], uint64_t about)
{
	const struct pairmap *m = find(a, key);
	uint32_t is = m ? m->digest[key[3] % PAIRMAP_NUMBERS] : 0;

	return is != 0 && (is == ANY || is == digest_of(about));
}

void pairmap_tick(struct agent *a, mono now)
{
	struct heap_node *h;

	for (unsigned n = 0; n < TURN_MAX && (h = heap_min(&a->pairmaps.timers)) && h->key <= now;
		n++)
		forget(a, container_of(h, struct pairmap, timer));
}

mono pairmap_deadline(const struct agent *a)
{
	const struct heap_node *h = heap_min(&a->pairmaps.timers);

	return h ? h->key : MONO_NEVER;
}

bool pairmap_restore(struct agent *a, mono now, uint64_t row, struct view value)
{
	struct cursor c = cursor_of(value);
	uint8_t version = cursor_u8(&c);
	struct view head = cursor_take(&c, 40), digests = cursor_take(&c, 4 * PAIRMAP_NUMBERS);
	uint64_t key[4];
	struct pairmap *m;

	if (cursor_finish(&c) != 0 || version != PAIRMAP_VERSION)
		return false;
	for (size_t i = 0; i < 4; i++)
		key[i] = be64_get(head.p + 8 * i);
	if (key[3] % PAIRMAP_NUMBERS != 0 || !has_room(a) || a->pairmaps.pool.n_free == 0 ||
		find(a, key))
		return false;
	m = add(a, key, clock_known_until(a, now, be64_get(head.p + 32)));
	m->row = row;
	for (size_t i = 0; i < PAIRMAP_NUMBERS; i++) {
		m->digest[i] = be32_get(digests.p + 4 * i);
		m->n += m->digest[i] != 0;
	}
	a->pairmaps.n_pairs += m->n;
	return true;
}

/* Room for all maps is taken with the first, since most nodes never need one; what can't be had now is asked
 * for again with the next. */
static bool has_room(struct agent *a)
{
	struct pairmaps *p = &a->pairmaps;
	size_t n = a->cfg.max_old_pairs / PAIRMAP_NUMBERS;

	if (p->pool.n > 0 || n == 0)
		return n > 0;
	return hash_reserve(&p->table, n) == 0 && heap_reserve(&p->timers, n) == 0 &&
	       pool_init(&p->pool, n, sizeof(struct pairmap)) == 0;
}

static struct pairmap *find(const struct agent *a, const uint64_t key[4])
{
	uint64_t base[4];
	struct hash_node *n;

	if (a->pairmaps.table.n == 0)
		return NULL;
	base_key(key, base);
	n = hash_find(&a->pairmaps.table, hash_u64s(a->key, base, 4), same_key, base);
	return n ? container_of(n, struct pairmap, node) : NULL;
}

/* The caller has made room. */
static struct pairmap *add(struct agent *a, const uint64_t key[4], mono expiry)
{
	struct pairmaps *p = &a->pairmaps;
	struct pairmap *m = pool_take(&p->pool);

	assert(m);
	memset(m, 0, sizeof *m);
	base_key(key, m->key);
	list_init(&m->unwritten);
	heap_node_init(&m->timer);
	(void)!heap_push(&p->timers, &m->timer, expiry, ++p->serial);
	(void)!hash_insert(&p->table, &m->node, hash_u64s(a->key, m->key, 4));
	return m;
}

static void forget(struct agent *a, struct pairmap *m)
{
	struct pairmaps *p = &a->pairmaps;

	if (m->row != 0)
		store_row_delete(a->store, STORE_PAIR, m->row);
	p->n_pairs -= m->n;
	list_remove(&m->unwritten);
	hash_remove(&p->table, &m->node);
	heap_remove(&p->timers, &m->timer);
	pool_give(&p->pool, m);
}

static void base_key(const uint64_t key[4], uint64_t base[4])
{
	memcpy(base, key, 4 * sizeof *base);
	base[3] -= base[3] % PAIRMAP_NUMBERS;
}

/* Neither 0 nor ANY for a bundle that is known. */
static uint32_t digest_of(uint64_t about)
{
	uint32_t v = (uint32_t)(about ^ about >> 32);

	if (about == 0)
		return ANY;
	return v == 0 ? 1 : v == ANY ? ANY - 1 : v;
}

static bool same_key(const struct hash_node *n, const void *key)
{
	const struct pairmap *m = (const void *)n; /* node is its first member */

	return memcmp(m->key, key, sizeof m->key) == 0;
}
