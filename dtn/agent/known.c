/*
 * known: bundles and custody pairs that are remembered without being here, until the bundle's
 * expiry: tombstones (identity -> gone, delivered here or not) and accepted pairs (custodian,
 * sequence id or destination, number). Both are rows of the store, so duplicates stay known across
 * restarts; tombstones of bundles that were never written stay in memory. Keyed hash tables: peers
 * choose the keys.
 *
 * The number of each kind is limited; the one that expires first makes room, which is counted. Accepted
 * pairs then go into maps of many (pairmap.c), so that the same pair is never taken for a new bundle.
 */
#include "dtn/agent/state.h"

#define KNOWN_VERSION 2u /* 1 is still read: without `about` */
#define NUMBERS_1 6u
#define NUMBERS 7u

#define FOLD_MAX 512u    /* pairs that go into maps at once */
#define FOLD_PENDING 64u /* pairs that are passed over because they are not durable yet */

static bool fold(struct agent *a);
static bool make_room(struct agent *a, const struct known *k);
static struct hash_table *table_of(struct agent *a, enum known_kind kind);
static struct known *find(const struct agent *a, const struct hash_table *t, const uint64_t key[4]);
static bool same_key(const struct hash_node *n, const void *key);
static enum store_kind row_kind(const struct known *k);
static int restore_row(
	struct agent *a, mono now, enum known_kind kind, uint64_t row, struct view value);
static struct known *insert(
	struct agent *a, enum known_kind kind, const uint64_t key[4], mono expiry);

struct known *known_tomb(const struct agent *a, const uint64_t uid[2])
{
	return find(a, &a->tombs, (const uint64_t[4]){uid[0], uid[1], 0, 0});
}

struct known *known_pair(const struct agent *a, const struct pair *p)
{
	uint64_t key[4];

	pair_key(p, key);
	return find(a, &a->pairs, key);
}

/* Custodian, sequence, number; for sequence 0 the counter is the destination's (CCSDS 734.6, sequences). */
void pair_key(const struct pair *p, uint64_t key[4])
{
	uint64_t dest[3] = {p->dest.scheme, p->dest.node, p->dest.service};

	key[0] = p->custodian.node;
	key[1] = p->seq_id;
	key[2] = p->seq_id ? 0 : hash_u64s((struct hash_key){1, 2}, dest, 3);
	key[3] = p->seq_no;
}

/* Remembers, in memory; an equal one is made anew. Never NULL. */
struct known *known_add(struct agent *a, enum known_kind kind, const uint64_t key[4], mono expiry)
{
	struct known *k = find(a, table_of(a, kind), key);

	if (k)
		known_forget(a, k);
	if (a->known_timers[kind].n >= a->cfg.max_tombstones && (kind != KNOWN_PAIR || !fold(a))) {
		known_forget(
			a, container_of(heap_min(&a->known_timers[kind]), struct known, timer));
		a->n_evicted++;
	}
	return insert(a, kind, key, expiry);
}

/* Where there are as many rows as there may be, the one that expires first goes, and that is counted. */
bool known_write(struct agent *a, struct known *k)
{
	uint8_t room[STORE_VALUE_MAX];
	struct buf b = buf_of(room, sizeof room);
	uint64_t v[NUMBERS] = {
		k->key[0], k->key[1], k->key[2], k->key[3], k->bundle_id, 0, k->about};
	int err;

	v[5] = k->timer.key == MONO_NEVER ? UINT64_MAX
					  : agent_dtn(a, 0) + (uint64_t)(k->timer.key / US_PER_MS);
	buf_u8(&b, KNOWN_VERSION);
	buf_u8(&b, k->kind == KNOWN_DELIVERED);
	for (size_t i = 0; i < NUMBERS; i++)
		be64_put(buf_grow(&b, 8), v[i]);
	if (k->row == 0)
		k->row = ++a->next_row;
	k->seq = store_seq(a->store);
	err = store_row_set(a->store, row_kind(k), k->row, buf_view(&b));
	if (err == -E_FULL && make_room(a, k))
		err = store_row_set(a->store, row_kind(k), k->row, buf_view(&b));
	if (err != 0)
		k->row = 0;
	return err == 0;
}

static bool make_room(struct agent *a, const struct known *k)
{
	struct known *first = NULL;

	for (size_t i = 0; i < KNOWN_KINDS; i++) {
		struct heap_node *h = heap_min(&a->known_timers[i]);
		struct known *x = h ? container_of(h, struct known, timer) : NULL;

		if (x && x != k && x->row != 0 && (!first || x->timer.key < first->timer.key))
			first = x;
	}
	if (!first)
		return false;
	known_forget(a, first);
	a->n_evicted++;
	return true;
}

void known_forget(struct agent *a, struct known *k)
{
	if (k->row != 0)
		store_row_delete(a->store, row_kind(k), k->row);
	hash_remove(table_of(a, k->kind), &k->node);
	heap_remove(&a->known_timers[k->kind], &k->timer);
	pool_give(&a->knowns, k);
}

/* A sixteenth of the pairs at once, or FOLD_MAX, so that many share the row of a map: those that expire first, unless
 * their batch is still open. */
static bool fold(struct agent *a)
{
	struct heap *h = &a->known_timers[KNOWN_PAIR];
	struct known *pending[FOLD_PENDING];
	size_t most = a->cfg.max_tombstones / 16 + 1, n = 0, n_pending = 0;

	most = most < FOLD_MAX ? most : FOLD_MAX;
	while (h->n > 0 && n < most && n_pending < FOLD_PENDING) {
		struct known *k = container_of(heap_min(h), struct known, timer);

		if (k->seq > a->committed) {
			heap_remove(h, &k->timer);
			pending[n_pending++] = k;
			continue;
		}
		if (!pairmap_add(a, k->key, k->about, k->timer.key))
			break;
		known_forget(a, k);
		n++;
	}
	while (n_pending-- > 0)
		(void)!heap_push(h, &pending[n_pending]->timer, pending[n_pending]->timer.key,
			pending[n_pending]->timer.tie);
	pairmap_write(a);
	return n > 0;
}

void known_tick(struct agent *a, mono now)
{
	struct heap_node *h;
	unsigned n = 0;

	for (size_t i = 0; i < KNOWN_KINDS; i++)
		for (; n < TURN_MAX && (h = heap_min(&a->known_timers[i])) && h->key <= now; n++)
			known_forget(a, container_of(h, struct known, timer));
	pairmap_tick(a, now);
}

mono known_deadline(const struct agent *a)
{
	mono at = pairmap_deadline(a);

	for (size_t i = 0; i < KNOWN_KINDS; i++) {
		const struct heap_node *h = heap_min(&a->known_timers[i]);

		at = h ? mono_min(at, h->key) : at;
	}
	return at;
}

/* 0, or -E_VERSION: a younger release wrote one, and a duplicate that is not known is delivered again. */
int known_restore(struct agent *a, mono now)
{
	uint64_t row = 0;
	struct view v;
	int err = 0;

	while (!err && store_next(a->store, STORE_TOMB, &row, &v))
		err = restore_row(a, now, KNOWN_GONE, row, v);
	row = 0;
	while (!err && store_next(a->store, STORE_PAIR, &row, &v))
		err = restore_row(a, now, KNOWN_PAIR, row, v);
	if (!err)
		pairmap_write(a);
	return err;
}

static int restore_row(
	struct agent *a, mono now, enum known_kind kind, uint64_t row, struct view value)
{
	struct cursor c = cursor_of(value);
	unsigned version = cursor_u8(&c);
	bool is_delivered = cursor_u8(&c) != 0;
	uint64_t v[NUMBERS] = {0};
	struct known *k;

	if (row > a->next_row)
		a->next_row = row;
	if (version > KNOWN_VERSION && (kind != KNOWN_PAIR || version != PAIRMAP_VERSION))
		return -E_VERSION;
	if (kind == KNOWN_PAIR && version == PAIRMAP_VERSION && pairmap_restore(a, now, row, value))
		return 0;
	for (size_t i = 0; i < (version == 1 ? NUMBERS_1 : NUMBERS); i++) {
		struct view p = cursor_take(&c, 8);

		v[i] = p.p ? be64_get(p.p) : 0;
	}
	if (kind == KNOWN_GONE && is_delivered)
		kind = KNOWN_DELIVERED;
	bool is_bad = version == 0 || version > KNOWN_VERSION || cursor_finish(&c) != 0;
	bool is_full = a->known_timers[kind].n >= a->cfg.max_tombstones; /* it was larger */
	mono until = clock_known_until(a, now, v[5]);
	if (is_bad || is_full || find(a, table_of(a, kind), v)) {
		store_row_delete(a->store, kind == KNOWN_PAIR ? STORE_PAIR : STORE_TOMB, row);
		if (is_bad || kind != KNOWN_PAIR || !pairmap_add(a, v, v[6], until))
			a->n_evicted++;
		return 0;
	}
	k = insert(a, kind, v, until);
	k->row = row;
	k->bundle_id = v[4];
	k->about = v[6];
	k->seq = 0;
	return 0;
}

static struct known *insert(
	struct agent *a, enum known_kind kind, const uint64_t key[4], mono expiry)
{
	struct known *k = pool_take(&a->knowns);

	assert(k);
	memset(k, 0, sizeof *k);
	memcpy(k->key, key, sizeof k->key);
	k->kind = (uint8_t)kind;
	heap_node_init(&k->timer);
	(void)!heap_push(&a->known_timers[kind], &k->timer, expiry, ++a->known_serial);
	(void)!hash_insert(table_of(a, kind), &k->node, hash_u64s(a->key, key, 4));
	return k;
}

static struct hash_table *table_of(struct agent *a, enum known_kind kind)
{
	return kind == KNOWN_PAIR ? &a->pairs : &a->tombs;
}

static enum store_kind row_kind(const struct known *k)
{
	return k->kind == KNOWN_PAIR ? STORE_PAIR : STORE_TOMB;
}

static struct known *find(const struct agent *a, const struct hash_table *t, const uint64_t key[4])
{
	struct hash_node *n = hash_find(t, hash_u64s(a->key, key, 4), same_key, key);

	return n ? container_of(n, struct known, node) : NULL;
}

static bool same_key(const struct hash_node *n, const void *key)
{
	const struct known *k = (const void *)n; /* node is its first member */

	return memcmp(k->key, key, sizeof k->key) == 0;
}
