/*
 * store: what both implementations share, around struct store (impl.h): limits, cells, the turn.
 *
 * All rows are in memory (an entry each); head and payload of a bundle are in memory until they are
 * durable, and then as long as the cache keeps them. Changes go: stage.c (staged, seen at once by
 * read.c) -> commit.c (a batch, run by the implementation) -> applied to the durable side of the entry.
 *
 * Invariants: a cell's bytes do not change once it was handed to an operation or a reader; a cell
 * nobody refers to is freed by store_turn(), never earlier; a row has at most one staged operation and
 * one in the running batch. Start reading in stage.c at store_put().
 */
#include "dtn/store/impl.h"

#define DEFAULT_CACHE (UINT64_C(8) << 20)

static void free_dead(struct store *st);
static void trim_cache(struct store *st);

struct store_limits store_limits_default(void)
{
	return (struct store_limits){
		.max_bytes = UINT64_C(1) << 30,
		.max_bundles = UINT64_C(1) << 20,
		.max_rows = UINT64_C(1) << 21,
		.stage_bytes = UINT64_C(64) << 20,
		.reserved_bytes = UINT64_C(16) << 20,
	};
}

int store_init(struct store *st, const struct store_ops *ops, const struct store_limits *limits)
{
	*st = (struct store){.ops = ops,
		.limits = *limits,
		.seq = 1,
		.cache_max = DEFAULT_CACHE,
		.log_room = UINT64_MAX};
	/* A batch that runs, and the next. */
	slabs_init(&st->slabs, u64_add_sat(limits->stage_bytes, limits->stage_bytes));
	list_init(&st->stage);
	list_init(&st->cached);
	st->batch.st = st;
	list_init(&st->batch.ops);
	return 0;
}

/* All memory is in slabs, but cells beyond a slab: these are let go one by one. */
void store_fini(struct store *st)
{
	static const enum store_kind kind = STORE_BUNDLE;

	while (!list_empty(&st->stage))
		stage_op_free(st, container_of(list_pop_front(&st->stage), struct op, link));
	while (!list_empty(&st->batch.ops))
		stage_op_free(st, container_of(list_pop_front(&st->batch.ops), struct op, link));
	for (struct entry *e = table_after(st, kind, 0); e; e = table_after(st, kind, e->id))
		table_unload(st, e);
	free_dead(st);
	slabs_fini(&st->slabs);
}

void store_close(struct store *st)
{
	if (st)
		st->ops->close(st);
}

void store_shut(struct store *st, int err)
{
	st->stats.is_closed = true;
	st->stats.last_err = err;
}

void store_stats(const struct store *st, struct store_stats *out)
{
	*out = st->stats;
	out->max_bundles = st->limits.max_bundles;
	out->max_bytes = st->limits.max_bytes;
	if (st->ops->stats)
		st->ops->stats(st, out);
}

bool store_is_short(const struct store *st, uint64_t *n_free)
{
	*n_free = st->stats.free_bytes;
	return st->stats.is_short;
}

bool store_has_room(const struct store *st, uint64_t bytes, unsigned flags)
{
	const struct store_limits *l = &st->limits;
	bool urgent = flags & STORE_URGENT;
	uint64_t kept_bytes = urgent ? 0 : l->reserved_bytes;
	uint64_t kept_bundles = urgent ? 0 : l->max_bundles / 64;
	uint64_t used = u64_add_sat(st->stats.bytes, kept_bytes);

	if (st->stats.is_closed || (st->stats.is_short && !urgent))
		return false;
	if (!urgent && u64_add_sat(st->stats.staged_bytes, bytes) > st->log_room)
		return false;
	return used <= l->max_bytes && bytes <= l->max_bytes - used &&
	       st->stats.n_bundles < l->max_bundles - kept_bundles;
}

uint64_t store_seq(const struct store *st)
{
	return st->seq;
}

bool store_is_dirty(const struct store *st)
{
	return !list_empty(&st->stage);
}

bool store_wants_commit(const struct store *st)
{
	return store_is_dirty(st) || (!st->is_running && st->ops->wants && st->ops->wants(st));
}

void store_turn(struct store *st)
{
	if (st->ops->turn)
		st->ops->turn(st);
	trim_cache(st);
	free_dead(st);
	st->loaded_bytes = 0;
}

struct cell *store_cell_new(struct store *st, size_t n)
{
	struct cell *c = n > SIZE_MAX / 2 ? NULL : slabs_take(&st->slabs, sizeof *c + n);

	if (!c)
		return NULL;
	c->n_refs = 1;
	c->n = n;
	return c;
}

struct cell *store_cell_of(struct store *st, struct view v)
{
	struct cell *c = store_cell_new(st, v.n);

	if (c && v.n)
		memcpy(c->bytes, v.p, v.n);
	return c;
}

static void free_dead(struct store *st)
{
	while (st->dead) {
		struct cell *c = st->dead;

		st->dead = c->next;
		slabs_give(&st->slabs, c, sizeof *c + c->n);
	}
}

/* The bundle read last stays: it is probably being sent in pieces. */
static void trim_cache(struct store *st)
{
	while (st->cached_bytes > st->cache_max && st->cached.next != st->cached.prev)
		table_unload(st, container_of(st->cached.next, struct body, cached)->entry);
}
