/*
 * The abstract security block: RFC 9172 3.6. A CBOR sequence, not an array: targets, context, flags,
 * source, parameters where the flags say so, results.
 *
 * Everything that a peer counts is bounded (limits.h), so what is read fits struct asb and no list
 * is walked more than its own length squared. Start reading at asb_read().
 */
#include "bundle/asb.h"

#include "bundle/cbor.h"

#include <assert.h>

static void targets_read(struct cursor *c, struct asb *a);
static unsigned items_read(struct cursor *c, struct asb_item *item, unsigned cap);
static void results_read(struct cursor *c, struct asb *a);

/* Latches an error unless it is true. */
static bool must(struct cursor *c, bool holds, int err)
{
	if (!holds)
		cursor_fail(c, err);
	return cursor_ok(c);
}

int asb_read(struct asb *a, struct view data)
{
	struct cursor c = cursor_of(data);

	a->n_targets = a->n_params = a->n_results = 0;
	targets_read(&c, a);
	a->context = cbor_int(&c);
	a->flags = cbor_uint(&c);
	const uint8_t *from = c.p;
	eid_read(&c, &a->source, NULL);
	a->source_item = view_of(from, cursor_ok(&c) ? (size_t)(c.p - from) : 0);
	if (cursor_ok(&c) && (a->flags & ASB_HAS_PARAMS))
		a->n_params = items_read(&c, a->param, ASB_PARAMS_MAX);
	results_read(&c, a);
	return cursor_finish(&c);
}

static void targets_read(struct cursor *c, struct asb *a)
{
	uint64_t left = cbor_array(c);

	while (cbor_more(c, &left)) {
		uint64_t number = cbor_uint(c);
		if (!must(c, a->n_targets < ASB_TARGETS_MAX, -E_LIMIT) ||
			!must(c, asb_target(a, number) < 0, -E_DUPLICATE))
			return;
		a->target[a->n_targets++] = number;
	}
	must(c, a->n_targets > 0, -E_FORM);
}

/* One item; what nearly all are, numbers and strings, without the walk over nested ones. */
static struct view value_read(struct cursor *c)
{
	const uint8_t *from = c->p;
	unsigned major = cbor_peek(c);

	if (major > CBOR_TEXT || (*from & 31) == CBOR_AI_INDEFINITE)
		return cbor_skip(c);
	if (major <= CBOR_NINT)
		cbor_head(c, major);
	else
		cbor_string(c, major);
	return cursor_ok(c) ? view_of(from, (size_t)(c->p - from)) : (struct view){0};
}

/* [ [id, value], ... ]; how many. Without any there would be no array (RFC 9172 3.6 has "+"), but a
 * tag behind the ciphertext leaves an empty set of results (RFC 9173 4.4). */
static unsigned items_read(struct cursor *c, struct asb_item *item, unsigned cap)
{
	uint64_t left = cbor_array(c);
	unsigned n = 0;

	while (cbor_more(c, &left)) {
		bool open = cbor_array_of(c, 2);
		uint64_t id = cbor_uint(c);
		struct view value = value_read(c);
		cbor_array_end(c, open);
		if (!must(c, n < cap, -E_LIMIT))
			return 0;
		for (unsigned k = 0; k < n; k++)
			if (!must(c, item[k].id != id, -E_DUPLICATE))
				return 0;
		item[n++] = (struct asb_item){id, value};
	}
	return cursor_ok(c) ? n : 0;
}

static void results_read(struct cursor *c, struct asb *a)
{
	uint64_t left = cbor_array(c);
	unsigned sets = 0;

	while (cbor_more(c, &left)) {
		if (!must(c, sets < a->n_targets, -E_FORM))
			return;
		a->n_results +=
			items_read(c, a->result + a->n_results, ASB_RESULTS_MAX - a->n_results);
		a->result_end[sets++] = a->n_results;
	}
	must(c, sets == a->n_targets, -E_FORM);
}

static const struct asb_item *find(const struct asb_item *item, unsigned n, uint64_t id)
{
	for (unsigned k = 0; k < n; k++)
		if (item[k].id == id)
			return &item[k];
	return NULL;
}

const struct asb_item *asb_param(const struct asb *a, uint64_t id)
{
	return find(a->param, a->n_params, id);
}

static unsigned result_from(const struct asb *a, unsigned target)
{
	assert(target < a->n_targets);
	return target ? a->result_end[target - 1] : 0;
}

const struct asb_item *asb_result(const struct asb *a, unsigned target, uint64_t id)
{
	return find(a->result + result_from(a, target), asb_results(a, target), id);
}

unsigned asb_results(const struct asb *a, unsigned target)
{
	return a->result_end[target] - result_from(a, target);
}

int asb_target(const struct asb *a, uint64_t number)
{
	for (unsigned k = 0; k < a->n_targets; k++)
		if (a->target[k] == number)
			return (int)k;
	return -1;
}

static void items_write(struct buf *b, const struct asb_item *item, unsigned n)
{
	cbor_put_array(b, n);
	for (unsigned k = 0; k < n; k++) {
		cbor_put_array(b, 2);
		cbor_put_uint(b, item[k].id);
		buf_put(b, item[k].value);
	}
}

void asb_write(struct buf *b, const struct asb *a)
{
	cbor_put_array(b, a->n_targets);
	for (unsigned k = 0; k < a->n_targets; k++)
		cbor_put_uint(b, a->target[k]);
	cbor_put_int(b, a->context);
	cbor_put_uint(b, a->n_params ? ASB_HAS_PARAMS : 0);
	if (a->source_item.n)
		buf_put(b, a->source_item);
	else
		eid_write(b, &a->source);
	if (a->n_params)
		items_write(b, a->param, a->n_params);
	cbor_put_array(b, a->n_targets);
	for (unsigned k = 0; k < a->n_targets; k++)
		items_write(b, a->result + result_from(a, k), asb_results(a, k));
}

void asb_remove(struct asb *a, unsigned target)
{
	unsigned from = result_from(a, target), n = asb_results(a, target);

	memmove(a->result + from, a->result + from + n,
		(a->n_results - from - n) * sizeof a->result[0]);
	a->n_results -= n;
	for (unsigned k = target; k + 1 < a->n_targets; k++) {
		a->target[k] = a->target[k + 1];
		a->result_end[k] = a->result_end[k + 1] - n;
	}
	a->n_targets--;
}
