/*
 * stage: changes that wait for their batch. Loop thread only; memory only.
 *
 * A change shows at once in the entry (what readers see) and makes an operation in the stage. A second
 * change of the same row changes that operation; a row that was never durable and is deleted before its
 * batch begins takes its operation with it and is never written (cut-through costs no disk).
 * Start reading at store_put(), then stage_change().
 */
#include "dtn/store/impl.h"
#include "dtn/store/record.h"

#include <assert.h>

#define OP_OVERHEAD                                                                                \
	64u /* what an operation counts in the stage beside its bytes; not less than in the log */

static int check_room(const struct store *st, uint64_t bytes, unsigned flags);
static struct entry *bundle_new(struct store *st, uint64_t room, uint64_t payload, unsigned flags);
static int no_bundle(const struct store *st);
static void bundle_drop(struct store *st, struct entry *e);
static struct entry *find_open(const struct store *st, uint64_t id);
static void lay_out(const struct store *st, struct entry *e, const struct store_bundle *b);
static void payload_copy(
	const struct store *st, uint8_t *payload, uint64_t size, uint64_t at, struct view piece);
static int seal(struct store *st, struct entry *e, const struct store_bundle *b);
static int value_set(struct store *st, struct entry *e, struct view value);
static void row_delete(struct store *st, struct entry *e);
static void op_fill(struct store *st, struct op *op, enum op_type type);
static void op_clear(struct store *st, struct op *op);

int store_put(struct store *st, const struct store_bundle *b, uint64_t *id)
{
	uint64_t size = 0;

	for (size_t i = 0; i < b->n_payload; i++)
		size += b->payload[i].n;
	int err = check_room(st, u64_add_sat(size, b->head.n), b->flags);
	if (err)
		return err;
	struct entry *e = bundle_new(st, record_size(b->value.n, b->head.n, size), size, b->flags);
	if (!e)
		return no_bundle(st);
	*id = e->id;
	lay_out(st, e, b);
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
	struct entry *e = bundle_new(st, size + record_sums(size), size, flags);
	if (!e)
		return no_bundle(st);
	e->body->payload = e->body->payload_cell->bytes;
	*id = e->id;
	return 0;
}

int store_append(struct store *st, uint64_t id, struct view piece)
{
	struct entry *e = find_open(st, id);

	if (!e)
		return -E_UNKNOWN;
	struct body *body = e->body;
	if (piece.n > bundle_of(e)->payload_len - body->window)
		return -E_RANGE;
	payload_copy(st, body->payload_cell->bytes, bundle_of(e)->payload_len, body->window, piece);
	body->window += piece.n;
	return 0;
}

int store_appended(const struct store *st, uint64_t id, struct view *bytes)
{
	struct entry *e = find_open(st, id);

	if (!e)
		return -E_UNKNOWN;
	*bytes = view_of(e->body->payload, e->body->window);
	return 0;
}

int store_seal(struct store *st, uint64_t id, const struct store_bundle *b)
{
	struct entry *e = find_open(st, id);

	if (!e)
		return -E_UNKNOWN;
	if (e->body->window != bundle_of(e)->payload_len)
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
	st->stats.bytes -= bundle_of(e)->head_len + bundle_of(e)->payload_len;
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
		op = stage_op(st, e, type);
		if (!op)
			return -ENOMEM;
		list_push_back(&st->stage, &op->link);
		e->op = op;
		return 0;
	}
	if (type == OP_SET && op->type == OP_PUT)
		type = OP_PUT;
	op_clear(st, op);
	op_fill(st, op, type);
	return 0;
}

struct op *stage_op(struct store *st, struct entry *e, enum op_type type)
{
	struct op *op = slabs_take(&st->slabs, sizeof *op);

	if (!op)
		return NULL;
	/* Field by field: what the compiler makes of a literal of this size is slower than all the rest. */
	op->entry = e;
	op->kind = e->kind;
	op->flags = e->flags;
	op->is_whole = op->is_indexing = false;
	op->id = e->id;
	op->value = op->head_cell = op->payload_cell = NULL;
	op->head = op->payload = view_of(NULL, 0);
	op->from = op->to = (struct place){0};
	op->in_log = NULL;
	list_init(&op->link);
	op_fill(st, op, type);
	return op;
}

void stage_forget(struct store *st, struct entry *e)
{
	struct op *op = e->op;

	e->op = NULL;
	stage_op_free(st, op);
}

void stage_op_free(struct store *st, struct op *op)
{
	op_clear(st, op);
	list_remove(&op->link);
	slabs_give(&st->slabs, op, sizeof *op);
}

void stage_op_applied(struct store *st, struct op *op)
{
	struct cell *value = op->value;

	op->value = NULL;
	op_clear(st, op);
	op->value = value;
}

void stage_op_bytes(struct store *st, struct op *op)
{
	const struct bundle *b = bundle_of(op->entry);
	struct body *body = op->entry->body;

	op->head_cell = store_cell_ref(body->head_cell);
	op->payload_cell = store_cell_ref(body->payload_cell);
	op->head = view_of(body->head, b->head_len);
	op->payload = view_of(body->payload, b->payload_len);
	op->is_whole = op->entry->is_whole;
	uint64_t more = op->head.n + op->payload.n + record_sums(op->payload.n);

	if (op->flags & STORE_LONG) /* beside the log, which says where */
		more += OP_OVERHEAD + RECORD_PLACE_SIZE + (op->value ? op->value->n : 0);
	op->charge += more;
	st->stats.staged_bytes += more;
}

void stage_settle(struct store *st, struct entry *e)
{
	if (!e->is_here && !e->is_durable && !e->is_running && !e->op)
		table_drop(st, e);
}

/* Bytes of durable cells; head and payload may share one. */
static uint64_t cached_size(const struct body *b)
{
	uint64_t n = b->head_cell ? b->head_cell->n : 0;

	return n + (b->payload_cell && b->payload_cell != b->head_cell ? b->payload_cell->n : 0);
}

void stage_cache(struct store *st, struct entry *e)
{
	struct body *b = e->body;

	if (!b || !list_empty(&b->cached))
		return;
	st->cached_bytes += cached_size(b);
	list_push_back(&st->cached, &b->cached);
}

void stage_uncache(struct store *st, struct entry *e)
{
	struct body *b = e->body;

	if (!b || list_empty(&b->cached))
		return;
	st->cached_bytes -= cached_size(b);
	list_remove(&b->cached);
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

/* An open bundle with a cell of `room` bytes, its payload counted in the limits. */
static struct entry *bundle_new(struct store *st, uint64_t room, uint64_t payload, unsigned flags)
{
	struct cell *cell = store_cell_new(st, room);
	uint64_t id = cell ? reserve_id(st) : 0;
	struct entry *e = id ? table_add(st, STORE_BUNDLE, id) : NULL;

	if (!e || !table_body(st, e)) {
		store_cell_unref(st, cell);
		if (e)
			table_drop(st, e);
		return NULL;
	}
	e->is_open = e->is_here = true;
	e->flags = (uint8_t)flags;
	e->body->payload_cell = cell;
	bundle_of(e)->payload_len = payload;
	st->stats.n_bundles++;
	st->stats.bytes += payload;
	st->stats.staged_bytes += payload;
	return e;
}

/* Why there is none: ids come again with the next commit. */
static int no_bundle(const struct store *st)
{
	return st->ids->counter->next == st->ids->counter->durable_end ? -E_AGAIN : -ENOMEM;
}

/* An open bundle goes as if it had never been. */
static void bundle_drop(struct store *st, struct entry *e)
{
	uint64_t payload = bundle_of(e)->payload_len;

	st->stats.n_bundles--;
	st->stats.bytes -= payload;
	st->stats.staged_bytes -= payload;
	table_drop(st, e);
}

static struct entry *find_open(const struct store *st, uint64_t id)
{
	struct entry *e = table_find(st, STORE_BUNDLE, id);

	return e && e->is_open ? e : NULL;
}

/* Value, head and payload as they will stand in the record, so that it is written from here. */
static void lay_out(const struct store *st, struct entry *e, const struct store_bundle *b)
{
	struct body *body = e->body;
	uint8_t *p = body->payload_cell->bytes + RECORD_HEADER;
	uint64_t at = 0;

	if (b->value.n)
		memcpy(p, b->value.p, b->value.n);
	p += b->value.n;
	body->head_cell = store_cell_ref(body->payload_cell);
	body->head = p;
	if (b->head.n)
		memcpy(p, b->head.p, b->head.n);
	p += b->head.n;
	body->payload = p;
	for (size_t i = 0; i < b->n_payload; at += b->payload[i++].n)
		payload_copy(st, p, bundle_of(e)->payload_len, at, b->payload[i]);
	e->is_whole = true;
}

/* A piece to its place in a payload that will be `size` bytes long; what its chunks' checksums are is found
 * while the bytes are at hand. */
static void payload_copy(
	const struct store *st, uint8_t *payload, uint64_t size, uint64_t at, struct view piece)
{
	if (!st->ops->sums || record_sums(size) == 0) {
		if (piece.n)
			memcpy(payload + at, piece.p, piece.n);
		return;
	}
	for (size_t done = 0, n; done < piece.n; done += n) {
		n = RECORD_CHUNK - (size_t)((at + done) % RECORD_CHUNK);
		n = piece.n - done < n ? piece.n - done : n;
		memcpy(payload + at + done, piece.p + done, n);
		record_sum(payload, size, at + done, at + done + n, payload + size);
	}
}

static int seal(struct store *st, struct entry *e, const struct store_bundle *b)
{
	assert(b->value.n <= STORE_VALUE_MAX);
	struct cell *value = store_cell_of(st, b->value);
	struct cell *head = e->is_whole ? NULL : store_cell_of(st, b->head);
	uint64_t window = e->body->window;

	if (head) {
		e->body->head_cell = head;
		e->body->head = head->bytes;
	}
	e->body->window = 0;
	e->value = value;
	bundle_of(e)->head_len = (uint32_t)b->head.n;
	if (!value || !e->body->head_cell || stage_change(st, e, OP_PUT)) {
		store_cell_unref(st, value);
		store_cell_unref(st, head);
		e->value = NULL;
		if (head)
			e->body->head_cell = NULL;
		e->body->window = window;
		return -ENOMEM;
	}
	e->is_open = false;
	st->stats.staged_bytes -= bundle_of(e)->payload_len; /* the operation counts it now */
	st->stats.bytes += b->head.n;
	return 0;
}

static int value_set(struct store *st, struct entry *e, struct view value)
{
	assert(value.n <= STORE_VALUE_MAX);
	struct cell *old = e->value, *c = store_cell_of(st, value);
	bool was_whole = e->is_whole;

	if (!c)
		return -ENOMEM;
	e->value = c;
	e->is_whole = false;
	int err = stage_change(st, e, OP_SET);
	if (err) {
		e->value = old;
		e->is_whole = was_whole;
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

static void op_fill(struct store *st, struct op *op, enum op_type type)
{
	op->type = (uint8_t)type;
	if (type != OP_DELETE)
		op->value = store_cell_ref(op->entry->value);
	op->charge = OP_OVERHEAD + (op->value ? op->value->n : 0);
	st->stats.staged_bytes += op->charge;
	if (type == OP_PUT)
		stage_op_bytes(st, op);
}

static void op_clear(struct store *st, struct op *op)
{
	store_cell_unref(st, op->value);
	store_cell_unref(st, op->head_cell);
	store_cell_unref(st, op->payload_cell);
	op->value = op->head_cell = op->payload_cell = NULL;
	op->head = op->payload = view_of(NULL, 0);
	op->is_whole = false;
	st->stats.staged_bytes -= op->charge;
	op->charge = 0;
}
