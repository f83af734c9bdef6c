/*
 * Bundle-in-bundle encapsulation, draft-ietf-dtn-bibect-03 to -05 (C.1 of our notes):
 *
 *   BPDU   = [ T, [ transmission id, time, encapsulated bundle: bytes ] ]
 *   signal = [ T + 1, [ disposition, [ *[ first id, count ] ] ] ]
 *
 * Types 3 and 4 are the compressed signals of profile bplib as well (ccs.c); those hold a map, these
 * an array, and that is looked at before anything is called malformed. Start reading at bpdu_read().
 */
#include "bundle/bibe.h"

#include "bundle/admin.h"
#include "bundle/cbor.h"

#include <assert.h>

static int content_open(struct view record, bool is_signal, uint64_t *type, struct cursor *c);
static void run_read(struct cursor *c, struct ranges *ids);

bool bibe_is_type(uint64_t type)
{
	return type == BIBE_OLD || type == BIBE_ION || type == BIBE_NEW;
}

int bpdu_read(struct view record, struct bpdu *p)
{
	struct cursor c;
	int err = content_open(record, false, &p->type, &c);

	if (err)
		return err;
	bool open = cbor_array_of(&c, 3);
	p->id = cbor_uint(&c);
	p->when = cbor_uint(&c);
	p->bundle = cbor_bytes(&c);
	cbor_array_end(&c, open);
	return cursor_finish(&c);
}

void bpdu_write_head(struct buf *b, const struct bpdu *p, uint64_t bundle_bytes)
{
	cbor_put_array(b, 2);
	cbor_put_uint(b, p->type);
	cbor_put_array(b, 3);
	cbor_put_uint(b, p->id);
	cbor_put_uint(b, p->when);
	cbor_put_bytes_head(b, bundle_bytes);
}

int bibe_signal_read(struct view record, struct bibe_signal *s)
{
	struct cursor c;
	int err = content_open(record, true, &s->type, &c);

	if (err)
		return err;
	bool open = cbor_array_of(&c, 2);
	s->disposition = cbor_uint(&c);
	s->ids.n = 0;
	uint64_t left = cbor_array(&c);
	if (left == 0)
		cursor_fail(&c, -E_FORM);
	while (cbor_more(&c, &left))
		run_read(&c, &s->ids);
	cbor_array_end(&c, open);
	if (cursor_ok(&c) && s->ids.n == 0)
		cursor_fail(&c, -E_FORM);
	return cursor_finish(&c);
}

/* [ first id, count ]; id 0 asks for no answer, so none can be about it. */
static void run_read(struct cursor *c, struct ranges *ids)
{
	size_t at = cursor_at(c);
	bool open = cbor_array_of(c, 2);
	uint64_t first = cbor_uint(c), n = cbor_uint(c);

	cbor_array_end(c, open);
	if (!cursor_ok(c))
		return;
	int err = first == 0 || n == 0 || n > UINT64_MAX - first
			  ? -E_RANGE
			  : ranges_add(ids, first, first + n);
	if (err)
		cursor_fail_at(c, err, at);
}

void bibe_signal_write(struct buf *b, const struct bibe_signal *s)
{
	assert(s->ids.n > 0);
	cbor_put_array(b, 2);
	cbor_put_uint(b, s->type);
	cbor_put_array(b, 2);
	cbor_put_uint(b, s->disposition);
	cbor_put_array(b, s->ids.n);
	for (size_t i = 0; i < s->ids.n; i++) {
		cbor_put_array(b, 2);
		cbor_put_uint(b, s->ids.run[i].from);
		cbor_put_uint(b, s->ids.run[i].to - s->ids.run[i].from);
	}
}

/* The record's type is known and what it holds is an array: then it is for us to judge. */
static int content_open(struct view record, bool is_signal, uint64_t *type, struct cursor *c)
{
	int err = admin_open(record, type, c);

	if (err)
		return err;
	return bibe_is_type(*type - is_signal) && cbor_peek(c) == CBOR_ARRAY ? 0 : -E_TYPE;
}
