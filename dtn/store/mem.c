/*
 * mem: the memory store. Durable is what store_commit_end() applied: the `saved` value and the bytes of
 * each entry. store_mem_crash() is the process that dies and starts again on what was durable then;
 * the simulator calls it at any moment, also between begin and end of a batch.
 */
#include "dtn/store/impl.h"

#include <stdlib.h>

static int mem_run(struct store *st, struct store_batch *b);
static bool mem_applied(struct store *st, struct op *op);
static void ids_saved(struct store *st);
static int mem_load_value(struct store *st, const struct entry *e, struct view *value);
static int mem_load_head(struct store *st, struct entry *e);
static int mem_load_payload(struct store *st, struct entry *e, uint64_t off, uint64_t n);
static void mem_close(struct store *st);
static void drop_batch(struct store *st);
static void revert(struct store *st, struct entry *e);
static void revert_kind(struct store *st, enum store_kind kind);

static const struct store_ops mem_ops = {.run = mem_run,
	.applied = mem_applied,
	.load_value = mem_load_value,
	.load_head = mem_load_head,
	.load_payload = mem_load_payload,
	.close = mem_close};

int store_mem_open(const struct store_limits *limits, struct store **out)
{
	struct store *st = malloc(sizeof *st);
	int err = st ? store_init(st, &mem_ops, limits) : -ENOMEM;

	if (st && !err)
		err = reserve_open(st, 1);
	if (err) {
		store_close(st);
		return err;
	}
	ids_saved(st);
	st->stats.boot = 1;
	*out = st;
	return 0;
}

void store_mem_crash(struct store *st, bool running_survives)
{
	if (st->is_running && running_survives)
		commit_apply(st, &st->batch);
	else if (st->is_running)
		drop_batch(st);
	st->stats = (struct store_stats){.boot = st->stats.boot + 1,
		.batches = st->stats.batches,
		.commits_failed = st->stats.commits_failed};
	for (unsigned kind = STORE_BUNDLE; kind < STORE_KINDS; kind++)
		revert_kind(st, kind);
	st->n_events = 0;
	st->stats.staged_bytes = 0;
	/* A block of ids was durable at open; the next one begins behind it. */
	if (reserve_open(st, reserve_end(st->ids->saved)))
		store_shut(st, -ENOMEM);
	else
		ids_saved(st);
	store_turn(st);
}

static int mem_run(struct store *st, struct store_batch *b)
{
	(void)st, (void)b;
	return 0;
}

static bool mem_applied(struct store *st, struct op *op)
{
	struct entry *e = op->entry;

	store_cell_unref(st, e->saved);
	e->saved = store_cell_ref(op->value);
	return false;
}

/* The first block of ids is durable without a commit. */
static void ids_saved(struct store *st)
{
	store_cell_unref(st, st->ids->saved);
	st->ids->saved = store_cell_ref(st->ids->value);
}

/* Values and bytes never leave memory. */
static int mem_load_value(struct store *st, const struct entry *e, struct view *value)
{
	(void)st, (void)e, (void)value;
	return -E_CORRUPT;
}

static int mem_load_head(struct store *st, struct entry *e)
{
	(void)st, (void)e;
	return -E_CORRUPT;
}

static int mem_load_payload(struct store *st, struct entry *e, uint64_t off, uint64_t n)
{
	(void)st, (void)e, (void)off, (void)n;
	return -E_CORRUPT;
}

static void mem_close(struct store *st)
{
	store_fini(st);
	free(st);
}

static void drop_batch(struct store *st)
{
	while (!list_empty(&st->batch.ops)) {
		struct op *op = container_of(list_pop_front(&st->batch.ops), struct op, link);

		op->entry->is_running = false;
		stage_op_free(st, op);
	}
	st->is_running = false;
}

static void revert_kind(struct store *st, enum store_kind kind)
{
	for (struct entry *e = trie_from(&st->table[kind], 0), *next; e; e = next) {
		next = table_after(st, kind, e->id);
		revert(st, e);
	}
}

/* The row as it was durable; its staged change is lost. */
static void revert(struct store *st, struct entry *e)
{
	if (e->op)
		stage_forget(st, e);
	e->is_here = e->is_durable;
	if (!e->is_durable) {
		table_drop(st, e);
		return;
	}
	store_cell_unref(st, e->value);
	e->value = store_cell_ref(e->saved);
	if (e->kind == STORE_RESERVED)
		reserve_restore(st, e->id, reserve_end(e->saved));
	else if (e->kind != STORE_BUNDLE)
		st->stats.n_rows++;
	if (e->kind != STORE_BUNDLE)
		return;
	st->stats.n_bundles++;
	st->stats.bytes += bundle_of(e)->head_len + bundle_of(e)->payload_len;
}
