/*
 * reserve: numbers that never repeat, across crashes too.
 *
 * A counter is a row (STORE_RESERVED, counter) whose value is the end of the numbers that may be used;
 * the row is durable before a number below it is. After a restart a counter goes on at the recorded end:
 * what was left of the block is skipped. A block is 65536 numbers, and the next one is staged when half
 * of it is used, so nobody waits but the first user. Bundle ids are counter 0, whose first block the
 * implementation makes durable while it opens. Start reading at store_reserve().
 */
#include "bundle/base/bytes.h"
#include "dtn/store/break.h"
#include "dtn/store/impl.h"

#include <assert.h>

static int extend(struct store *st, struct entry *e, uint64_t n);
static void write_end(struct cell *c, uint64_t end);
static uint64_t block(const struct store *st);

int store_reserve(struct store *st, uint64_t counter, uint64_t n, uint64_t *first, uint64_t *seq)
{
	assert(counter != STORE_ID_COUNTER && n > 0);
	if (st->stats.is_closed)
		return -E_CLOSED;
	struct entry *e = table_find(st, STORE_RESERVED, counter);
	if (!e && st->n_counters >= u64_add_sat(st->limits.max_rows, COUNTER_KINDS))
		return -E_FULL;
	if (!e)
		e = reserve_restore(st, counter, 1);
	if (!e)
		return -ENOMEM;
	struct counter *c = e->counter;
	if (n > UINT64_MAX / 2 - c->next)
		return -E_FULL;
	int err = extend(st, e, n);
	if (err)
		return err;
	*first = c->next;
	c->next += n;
	*seq = c->next <= c->durable_end || BREAK_NUMBERS_EARLY ? 0 : c->staged_seq;
	return 0;
}

uint64_t reserve_id(struct store *st)
{
	struct counter *c = st->ids->counter;

	if (extend(st, st->ids, 1) || c->next == c->durable_end)
		return 0;
	return c->next++;
}

struct entry *reserve_restore(struct store *st, uint64_t counter, uint64_t end)
{
	struct entry *e = table_find(st, STORE_RESERVED, counter);

	if (!e)
		e = table_add(st, STORE_RESERVED, counter);
	if (!e)
		return NULL;
	if (!e->counter) {
		e->counter = slabs_take(&st->slabs, sizeof *e->counter);
		st->n_counters += e->counter != NULL;
	}
	if (!e->counter) {
		stage_settle(st, e);
		return NULL;
	}
	*e->counter = (struct counter){.next = end, .durable_end = end, .staged_end = end};
	e->is_here = true;
	return e;
}

int reserve_open(struct store *st, uint64_t end)
{
	uint64_t new_end = end + block(st);
	struct entry *e = reserve_restore(st, STORE_ID_COUNTER, end);
	struct cell *c = store_cell_new(st, sizeof(uint64_t));

	if (!e || !c)
		return -ENOMEM;
	write_end(c, new_end);
	store_cell_unref(st, e->value);
	e->value = c;
	e->is_durable = true;
	e->counter->durable_end = e->counter->staged_end = new_end;
	st->ids = e;
	return 0;
}

uint64_t reserve_end(const struct cell *value)
{
	return value ? reserve_end_of(view_of(value->bytes, value->n)) : 1;
}

uint64_t reserve_end_of(struct view value)
{
	return value.n == sizeof(uint64_t) ? be64_get(value.p) : 1;
}

void reserve_applied(struct store *st, const struct op *op)
{
	(void)st;
	op->entry->counter->durable_end = reserve_end(op->value);
}

/* Stages a longer block if n numbers from the next one reach beyond the middle of what is left. */
static int extend(struct store *st, struct entry *e, uint64_t n)
{
	struct counter *c = e->counter;

	if (c->next + n + block(st) / 2 <= c->staged_end)
		return 0;
	uint64_t end = c->next + n + block(st);
	struct cell *old = e->value, *value = store_cell_new(st, sizeof end);
	if (!value)
		return -ENOMEM;
	write_end(value, end);
	e->value = value;
	int err = stage_change(st, e, OP_SET);
	if (err) {
		e->value = old;
		old = value;
	} else {
		c->staged_end = end;
		c->staged_seq = st->seq;
	}
	store_cell_unref(st, old);
	return err;
}

static void write_end(struct cell *c, uint64_t end)
{
	be64_put(c->bytes, end);
}

static uint64_t block(const struct store *st)
{
	return st->limits.reserve_block ? st->limits.reserve_block : STORE_RESERVE_BLOCK;
}
