/*
 * stage: changes that wait for their batch. Loop thread only; memory only.
 *
 * A change shows at once in the entry (what readers see) and makes an operation in the stage. A second
 * change of the same row changes that operation; a row that was never durable and is deleted before its
 * batch begins takes its operation with it and is never written (cut-through costs no disk).
 * Start reading at store_put(), then stage_change().
 */
#include "dtn/store/impl.h"

#include <assert.h>

#define OP_OVERHEAD 64u /* what an operation counts in the stage beside its bytes */

static int check_room(const struct store *st, uint64_t bytes, unsigned flags);
static struct entry *bundle_new(struct store *st, uint64_t payload_size, unsigned flags);
static void bundle_drop(struct store *st, struct entry *e);
static struct entry *find_open(const struct store *st, uint64_t id);
static int seal(struct store *st, struct entry *e, const struct store_bundle *b);
static int value_set(struct store *st, struct entry *e, struct view value);
static void row_delete(struct store *st, struct entry *e);
static void op_fill(struct op *op, const struct entry *e, enum op_type type);
static void op_clear(struct store *st, struct op *op);

int store_put(struct store *st, const struct store_bundle *b, uint64_t *id)
{
	uint64_t size = 0;

	for (size_t i = 0; i < b->n_payload; i++)
		size += b->payload[i].n;
	int err = check_room(st, size + b->head.n, b->flags);
	if (err)
		return err;
	err = store_begin(st, size, b->flags, id);
	if (err)
		return err;
	struct entry *e = find_open(st, *id);
	for (size_t i = 0; i < b->n_payload; i++)
		if (b->payload[i].n) {
			memcpy(e->payload_cell->bytes + e->payload.n, b->payload[i].p,
				b->payload[i].n);
			e->payload.n += b->payload[i].n;
		}
	err = seal(st, e, b);
	if (err)
		bundle_drop(st, e);
	return err;
}

int store_begin(struct store *st, uint64_t size, unsigned flags, uint64_t *id)
{
	int err = check_room(st, size, flags);

	if (err)
		return err;
	struct entry *e = bundle_new(st, size, flags);
	if (!e)
		return st->ids->counter->next == st->ids->counter->durable_end ? -E_AGAIN : -ENOMEM;
	*id = e->id;
	return 0;
}

int store_append(struct store *st, uint64_t id, struct view piece)
{
	struct entry *e = find_open(st, id);

	if (!e)
		return -E_UNKNOWN;
	if (piece.n > e->payload_cell->n - e->payload.n)
		return -E_RANGE;
	if (piece.n)
		memcpy(e->payload_cell->bytes + e->payload.n, piece.p, piece.n);
	e->payload.n += piece.n;
	return 0;
}

int store_appended(const struct store *st, uint64_t id, struct view *bytes)
{
	const struct entry *e = find_open(st, id);

	if (!e)
		return -E_UNKNOWN;
	*bytes = e->payload;
	return 0;
}

int store_seal(struct store *st, uint64_t id, const struct store_bundle *b)
{
	struct entry *e = find_open(st, id);

	if (!e)
		return -E_UNKNOWN;
	if (e->payload.n != e->payload_cell->n)
		return -E_STATE;
	if (u64_add_sat(st->stats.bytes, b->head.n) > st->limits.max_bytes)
		return -E_FULL;
	return seal(st, e, b);
}

void store_abandon(struct store *st, uint64_t id)
{
	struct entry *e = find_open(st, id);

	if (e)
		bundle_drop(st, e);
}

void store_update(struct store *st, uint64_t id, struct view value)
{
	struct entry *e = table_find(st, STORE_BUNDLE, id);

	if (!e || !e->is_here || e->is_open)
		return;
	int err = value_set(st, e, value);
	if (err)
		store_shut(st, err);
}

void store_delete(struct store *st, uint64_t id)
{
	struct entry *e = table_find(st, STORE_BUNDLE, id);

	if (!e || !e->is_here || e->is_open)
		return;
	st->stats.n_bundles--;
	st->stats.bytes -= e->head.n + e->payload.n;
	row_delete(st, e);
}

int store_row_set(struct store *st, enum store_kind kind, uint64_t id, struct view value)
{
	assert(kind != STORE_BUNDLE && kind != STORE_RESERVED && kind < STORE_KINDS);
	struct entry *e = table_find(st, kind, id);
	bool is_new = !e || !e->is_here;

	if (is_new && st->stats.n_rows >= st->limits.max_rows)
		return -E_FULL;
	if (!e)
		e = table_add(st, kind, id);
	if (!e)
		return -ENOMEM;
	int err = value_set(st, e, value);
	if (err) {
		stage_settle(st, e);
		return err;
	}
	e->is_here = true;
	st->stats.n_rows += is_new;
	return 0;
}

void store_row_delete(struct store *st, enum store_kind kind, uint64_t id)
{
	assert(kind != STORE_BUNDLE && kind != STORE_RESERVED && kind < STORE_KINDS);
	struct entry *e = table_find(st, kind, id);

	if (!e || !e->is_here)
		return;
	st->stats.n_rows--;
	row_delete(st, e);
}

int stage_change(struct store *st, struct entry *e, enum op_type type)
{
	struct op *op = e->op;

	if (!op) {
		op = slabs_take(&st->slabs, sizeof *op);
		if (!op)
			return -ENOMEM;
		*op = (struct op){.entry = e, .kind = e->kind, .id = e->id, .flags = e->flags};
		list_init(&op->link);
		list_push_back(&st->stage, &op->link);
		e->op = op;
	} else {
		st->stats.staged_bytes -= stage_op_charge(op);
		if (type == OP_SET && op->type == OP_PUT)
			type = OP_PUT;
		op_clear(st, op);
	}
	op_fill(op, e, type);
	st->stats.staged_bytes += stage_op_charge(op);
	return 0;
}

void stage_forget(struct store *st, struct entry *e)
{
	struct op *op = e->op;

	e->op = NULL;
	stage_op_free(st, op);
}

/* Frees an operation that counts in the stage: one that was applied does not (op->entry is NULL). */
void stage_op_free(struct store *st, struct op *op)
{
	if (op->entry)
		st->stats.staged_bytes -= stage_op_charge(op);
	op_clear(st, op);
	list_remove(&op->link);
	slabs_give(&st->slabs, op, sizeof *op);
}

void stage_op_applied(struct store *st, struct op *op)
{
	st->stats.staged_bytes -= stage_op_charge(op);
	op->entry = NULL;
	store_cell_unref(st, op->head_cell);
	store_cell_unref(st, op->payload_cell);
	op->head_cell = op->payload_cell = NULL;
}

void stage_settle(struct store *st, struct entry *e)
{
	if (!e->is_here && !e->is_durable && !e->is_running && !e->op)
		table_drop(st, e);
}

/* Bytes of durable cells; head and payload may share one. */
static uint64_t cached_size(const struct entry *e)
{
	uint64_t n = e->head_cell ? e->head_cell->n : 0;

	return n + (e->payload_cell && e->payload_cell != e->head_cell ? e->payload_cell->n : 0);
}

void stage_cache(struct store *st, struct entry *e)
{
	uint64_t n = cached_size(e);

	if (n == 0 || !list_empty(&e->cached))
		return;
	st->cached_bytes += n;
	list_push_back(&st->cached, &e->cached);
}

void stage_uncache(struct store *st, struct entry *e)
{
	if (list_empty(&e->cached))
		return;
	st->cached_bytes -= cached_size(e);
	list_remove(&e->cached);
}

static int check_room(const struct store *st, uint64_t bytes, unsigned flags)
{
	if (st->stats.is_closed)
		return -E_CLOSED;
	if (!store_has_room(st, bytes, flags) || bytes > st->limits.stage_bytes)
		return -E_FULL;
	if (st->stats.staged_bytes + bytes > st->limits.stage_bytes)
		return -E_AGAIN;
	if (flags & STORE_PATIENT && st->stats.staged_bytes > 0 &&
		st->stats.staged_bytes + bytes > st->limits.stage_bytes / 2)
		return -E_AGAIN;
	return 0;
}

/* An open bundle with room for its payload, counted in the limits; payload.n is how much of it came. */
static struct entry *bundle_new(struct store *st, uint64_t payload_size, unsigned flags)
{
	struct cell *room = store_cell_new(st, payload_size);
	uint64_t id = room ? reserve_id(st) : 0;
	struct entry *e = id ? table_add(st, STORE_BUNDLE, id) : NULL;

	if (!e) {
		store_cell_unref(st, room);
		return NULL;
	}
	e->is_open = e->is_here = true;
	e->flags = (uint8_t)flags;
	e->payload_cell = room;
	e->payload = view_of(room->bytes, 0);
	st->stats.n_bundles++;
	st->stats.bytes += payload_size;
	st->stats.staged_bytes += payload_size;
	return e;
}

/* An open bundle goes as if it had never been. */
static void bundle_drop(struct store *st, struct entry *e)
{
	st->stats.n_bundles--;
	st->stats.bytes -= e->payload_cell->n;
	st->stats.staged_bytes -= e->payload_cell->n;
	table_drop(st, e);
}

static struct entry *find_open(const struct store *st, uint64_t id)
{
	struct entry *e = table_find(st, STORE_BUNDLE, id);

	return e && e->is_open ? e : NULL;
}

static int seal(struct store *st, struct entry *e, const struct store_bundle *b)
{
	assert(b->value.n <= STORE_VALUE_MAX);
	e->value = store_cell_of(st, b->value);
	e->head_cell = store_cell_of(st, b->head);
	if (e->head_cell)
		e->head = view_of(e->head_cell->bytes, e->head_cell->n);
	if (!e->value || !e->head_cell || stage_change(st, e, OP_PUT)) {
		store_cell_unref(st, e->value);
		store_cell_unref(st, e->head_cell);
		e->value = e->head_cell = NULL;
		e->head = view_of(NULL, 0);
		return -ENOMEM;
	}
	e->is_open = false;
	st->stats.staged_bytes -= e->payload_cell->n; /* the operation counts it now */
	st->stats.bytes += b->head.n;
	return 0;
}

static int value_set(struct store *st, struct entry *e, struct view value)
{
	assert(value.n <= STORE_VALUE_MAX);
	struct cell *old = e->value, *c = store_cell_of(st, value);

	if (!c)
		return -ENOMEM;
	e->value = c;
	int err = stage_change(st, e, OP_SET);
	if (err) {
		e->value = old;
		old = c;
	}
	store_cell_unref(st, old);
	return err;
}

static void row_delete(struct store *st, struct entry *e)
{
	e->is_here = false;
	if (!e->is_durable && !e->is_running) {
		stage_forget(st, e);
		stage_settle(st, e);
		return;
	}
	int err = stage_change(st, e, OP_DELETE);
	if (err)
		store_shut(st, err);
}

static void op_fill(struct op *op, const struct entry *e, enum op_type type)
{
	op->type = (uint8_t)type;
	if (type == OP_DELETE)
		return;
	op->value = store_cell_ref(e->value);
	if (type != OP_PUT)
		return;
	op->head_cell = store_cell_ref(e->head_cell);
	op->payload_cell = store_cell_ref(e->payload_cell);
	op->head = e->head;
	op->payload = e->payload;
}

static void op_clear(struct store *st, struct op *op)
{
	store_cell_unref(st, op->value);
	store_cell_unref(st, op->head_cell);
	store_cell_unref(st, op->payload_cell);
	op->value = op->head_cell = op->payload_cell = NULL;
	op->head = op->payload = view_of(NULL, 0);
}

uint64_t stage_op_charge(const struct op *op)
{
	return OP_OVERHEAD + (op->type == OP_PUT ? op->head.n + op->payload.n : 0);
}
