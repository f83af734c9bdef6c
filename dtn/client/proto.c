/*
 * proto: one table of keys reads and writes every message (proto.h, owlt-protocol(7)). Keys are
 * never given a new meaning; new ones go to the end.
 */
#include "dtn/client/proto.h"

#include "bundle/cbor.h"

#include <stddef.h>

enum kind { KIND_UINT, KIND_BOOL, KIND_TEXT, KIND_BYTES };

static const struct field {
	uint64_t key;
	enum kind kind;
	size_t offset;
} fields[] = {
#define F(key, kind, name)                                                                         \
	{                                                                                          \
		key, KIND_##kind, offsetof(struct proto_msg, name)                                 \
	}
	F(1, UINT, version),
	F(2, TEXT, node),
	F(3, UINT, mono0_ns),
	F(4, UINT, dtn0_ms),
	F(5, UINT, speed_ppm),
	F(6, TEXT, source),
	F(7, TEXT, dest),
	F(8, TEXT, report_to),
	F(9, UINT, created_ms),
	F(10, UINT, seq),
	F(11, UINT, lifetime_ms),
	F(12, UINT, flags),
	F(13, UINT, priority),
	F(14, BOOL, custody),
	F(15, UINT, crc),
	F(16, BYTES, payload),
	F(17, UINT, size),
	F(18, UINT, registration),
	F(19, UINT, credit),
	F(20, UINT, id),
	F(21, BOOL, redelivered),
	F(22, BOOL, keep),
	F(23, UINT, err),
	F(24, TEXT, text),
	F(25, UINT, offset),
	F(26, UINT, report_id),
	F(27, UINT, report_no),
#undef F
};
#define N_FIELDS (sizeof fields / sizeof fields[0])

static void read_field(struct cursor *c, struct proto_msg *m, uint64_t key);
static bool is_there(const struct proto_msg *m, const struct field *f);
static void write_field(struct buf *b, const struct proto_msg *m, const struct field *f);

int proto_read(struct view packet, struct proto_msg *m)
{
	struct cursor c = cursor_of(packet);
	uint64_t n;

	*m = (struct proto_msg){0};
	if (cbor_array(&c) != 3)
		return -E_FORM;
	m->type = cbor_uint(&c);
	m->tag = cbor_uint(&c);
	n = cbor_map(&c);
	while (cursor_ok(&c) && cbor_more(&c, &n))
		read_field(&c, m, cbor_uint(&c));
	return cursor_finish(&c);
}

void proto_write(struct buf *b, const struct proto_msg *m)
{
	uint64_t n = 0;

	for (size_t i = 0; i < N_FIELDS; i++)
		n += is_there(m, &fields[i]);
	cbor_put_array(b, 3);
	cbor_put_uint(b, m->type);
	cbor_put_uint(b, m->tag);
	cbor_put_map(b, n);
	for (size_t i = 0; i < N_FIELDS; i++)
		if (is_there(m, &fields[i]))
			write_field(b, m, &fields[i]);
}

static const void *at(const struct proto_msg *m, const struct field *f)
{
	return (const char *)m + f->offset;
}

static void read_field(struct cursor *c, struct proto_msg *m, uint64_t key)
{
	const struct field *f = key >= 1 && key <= N_FIELDS ? &fields[key - 1] : NULL;
	uint64_t u;
	bool yes;
	struct view v;

	if (!f) {
		cbor_skip(c);
		return;
	}
	switch (f->kind) {
	case KIND_UINT:
		u = cbor_uint(c);
		memcpy((char *)m + f->offset, &u, sizeof u);
		break;
	case KIND_BOOL:
		yes = cbor_bool(c);
		memcpy((char *)m + f->offset, &yes, sizeof yes);
		break;
	case KIND_TEXT:
	case KIND_BYTES:
		v = f->kind == KIND_TEXT ? cbor_text(c) : cbor_bytes(c);
		memcpy((char *)m + f->offset, &v, sizeof v);
		break;
	}
}

static bool is_there(const struct proto_msg *m, const struct field *f)
{
	switch (f->kind) {
	case KIND_UINT:
		return *(const uint64_t *)at(m, f) != 0;
	case KIND_BOOL:
		return *(const bool *)at(m, f);
	default:
		return ((const struct view *)at(m, f))->n > 0;
	}
}

static void write_field(struct buf *b, const struct proto_msg *m, const struct field *f)
{
	cbor_put_uint(b, f->key);
	switch (f->kind) {
	case KIND_UINT:
		cbor_put_uint(b, *(const uint64_t *)at(m, f));
		break;
	case KIND_BOOL:
		cbor_put_bool(b, true);
		break;
	case KIND_TEXT:
		cbor_put_text(b, *(const struct view *)at(m, f));
		break;
	case KIND_BYTES:
		cbor_put_bytes(b, *(const struct view *)at(m, f));
		break;
	}
}
