/*
 * bundle_mutate: changes to bundles that keep their structure, for LLVMFuzzerCustomMutator: blocks are
 * moved, doubled, dropped and made, their fields and data changed, lengths and CRCs put right again;
 * so that what lies behind the framing is reached. What is no row of arrays is left to libFuzzer.
 */
#ifndef OWLT_TESTS_FUZZ_BUNDLE_MUTATE_H
#define OWLT_TESTS_FUZZ_BUNDLE_MUTATE_H

#include "bundle/bundle.h"
#include "bundle/cbor.h"

#include <stdlib.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

#define MUT_BLOCKS 70
#define MUT_FIELDS 14
#define MUT_ROOM 16384

struct mut_block {
	struct view field[MUT_FIELDS];
	unsigned n;
	bool open;
};

struct mut {
	struct mut_block block[MUT_BLOCKS];
	unsigned n;
	uint32_t rnd;
	bool is_repeatable;     /* not by libFuzzer's own stream */
	uint8_t pool[MUT_ROOM]; /* bytes of what is new */
	struct buf room;
};

static inline uint32_t mut_rnd(struct mut *m, uint32_t below)
{
	m->rnd ^= m->rnd << 13;
	m->rnd ^= m->rnd >> 17;
	m->rnd ^= m->rnd << 5;
	return below ? m->rnd % below : m->rnd;
}

/* The bytes as blocks of fields; false: it is not that. */
static inline bool mut_split(struct mut *m, struct view bytes)
{
	struct cursor c = cursor_of(bytes);

	if (c.p == c.end || *c.p != 0x9f)
		return false;
	c.p++;
	for (m->n = 0; !cbor_break(&c); m->n++) {
		struct mut_block *k = &m->block[m->n];
		uint64_t left;

		if (m->n == MUT_BLOCKS || c.p == c.end)
			return false;
		k->open = *c.p == 0x9f;
		left = cbor_array(&c);
		for (k->n = 0; cbor_more(&c, &left); k->n++) {
			if (k->n == MUT_FIELDS)
				return false;
			k->field[k->n] = cbor_skip(&c);
			if (!cursor_ok(&c))
				return false;
		}
		if (!cursor_ok(&c))
			return false;
	}
	return cursor_ok(&c) && m->n > 0;
}

static inline void mut_block_write(struct buf *out, const struct mut_block *k, bool is_primary)
{
	unsigned at = is_primary ? 2 : 3;
	size_t from = out->len;

	if (k->open)
		cbor_put_array_open(out);
	else
		cbor_put_array(out, k->n);
	for (unsigned i = 0; i < k->n; i++)
		buf_put(out, k->field[i]);
	if (buf_fits(out) && k->n > at + 1 && k->field[at].n == 1) {
		enum crc_type type = (enum crc_type)k->field[at].p[0];
		size_t n = type == CRC_16 ? 2 : type == CRC_32C ? 4 : 0;

		if (n && k->field[k->n - 1].n == n + 1) {
			uint8_t *value = out->p + out->len - n;

			memset(value, 0, n);
			if (k->open)
				cbor_put_break(out);
			if (!buf_fits(out))
				return;
			uint32_t crc = crc_block(type, view_of(out->p + from, out->len - from));

			if (type == CRC_16)
				be16_put(value, (uint16_t)crc);
			else
				be32_put(value, crc);
			return;
		}
	}
	if (k->open)
		cbor_put_break(out);
}

static inline struct view mut_uint(struct mut *m)
{
	static const uint64_t value[] = {0, 1, 2, 4, 6, 7, 10, 11, 12, 13, 14, 15, 16, 23, 24, 64,
		255, 256, 0x4000, 65535, 65536, 0x74046, UINT32_MAX, UINT64_C(1) << 32,
		UINT64_C(820000000000), INT64_MAX, UINT64_MAX};
	size_t from = m->room.len;

	cbor_put_uint(&m->room,
		mut_rnd(m, 4) ? value[mut_rnd(m, sizeof value / sizeof *value)] : mut_rnd(m, 300));
	return view_of(m->pool + from, m->room.len - from);
}

static inline size_t mut_any(struct mut *m, uint8_t *p, size_t n, size_t max)
{
	if (!m->is_repeatable)
		return LLVMFuzzerMutate(p, n, max);
	if (n == 0 || mut_rnd(m, 4) == 0)
		p[n++] = (uint8_t)mut_rnd(m, 256);
	else if (mut_rnd(m, 4) == 0)
		n--;
	else
		p[mut_rnd(m, (uint32_t)n)] ^= (uint8_t)(1u << mut_rnd(m, 8));
	return n;
}

/* A byte string's inside changed, its length right. */
static inline struct view mut_bytes(struct mut *m, struct view item)
{
	uint8_t inside[4096];
	struct cursor c = cursor_of(item);
	struct view v = cbor_bytes(&c);
	size_t n = v.n < 2048 ? v.n : 2048, from = m->room.len;

	if (n)
		memcpy(inside, v.p, n);
	n = mut_any(m, inside, n, n + 64);
	cbor_put_bytes(&m->room, view_of(inside, n));
	return view_of(m->pool + from, m->room.len - from);
}

static inline void mut_insert(struct mut *m, struct mut_block k, unsigned at)
{
	if (m->n == MUT_BLOCKS)
		return;
	memmove(&m->block[at + 1], &m->block[at], (m->n - at) * sizeof *m->block);
	m->block[at] = k;
	m->n++;
}

/* A block of a known type, with data that fits it. */
static inline void mut_new_block(struct mut *m)
{
	static const struct {
		uint64_t type;
		const char *data;
		size_t n;
	} kind[] = {{6, "\x82\x02\x82\x01\x00", 5}, {7, "\x19\x03\xe8", 3}, {10, "\x82\x08\x01", 3},
		{10, "\x82\x08\x08", 3}, {13, "\x83\x07\x01\x82\x02\x82\x03\x00", 8},
		{14, "\x83\x07\x01\x82\x02\x82\x03\x00", 8},
		{15, "\x83\x07\x01\x82\x02\x82\x03\x00", 8},
		{11,
			"\x81\x01\x01\x01\x82\x02\x82\x01\x00\x82\x82\x01\x05\x82\x03\x07\x81\x81"
			"\x82\x01"
			"\x42\xaa\xbb",
			24},
		{11,
			"\x82\x00\x01\x01\x00\x82\x02\x82\x01\x00\x82\x81\x82\x01\x41\xaa\x81\x82"
			"\x01\x41\xbb",
			21},
		{12, "\x81\x01\x02\x01\x82\x02\x82\x01\x00\x81\x82\x02\x03\x81\x81\x82\x01\x41\xaa",
			19},
		{193, "\x00", 1}};
	unsigned k = mut_rnd(m, sizeof kind / sizeof *kind);
	struct mut_block b = {.n = 6};
	struct buf *r = &m->room;
	const uint64_t head[] = {
		kind[k].type, 2 + mut_rnd(m, 60), mut_rnd(m, 2) ? 0 : mut_rnd(m, 32), CRC_32C};
	size_t from;

	for (unsigned i = 0; i < 4; i++) {
		from = r->len;
		cbor_put_uint(r, head[i]);
		b.field[i] = view_of(m->pool + from, r->len - from);
	}
	from = r->len;
	cbor_put_bytes(r, view_of((const uint8_t *)kind[k].data, kind[k].n));
	b.field[4] = view_of(m->pool + from, r->len - from);
	from = r->len;
	cbor_put_bytes(r, view_of((const uint8_t *)"\0\0\0\0", 4));
	b.field[5] = view_of(m->pool + from, r->len - from);
	mut_insert(m, b, 1 + mut_rnd(m, m->n));
}

/* Is a fragment or no more. */
static inline void mut_fragment(struct mut *m)
{
	struct mut_block *k = &m->block[0];
	struct cursor c = cursor_of(k->field[1]);
	uint64_t flags = cbor_uint(&c) ^ BUNDLE_FRAGMENT;
	size_t from = m->room.len;

	if (k->n < 8 || k->n > 11)
		return;
	cbor_put_uint(&m->room, flags);
	k->field[1] = view_of(m->pool + from, m->room.len - from);
	if (flags & BUNDLE_FRAGMENT) {
		memmove(&k->field[10], &k->field[8], 2 * sizeof k->field[0]);
		k->field[8] = mut_uint(m);
		k->field[9] = mut_uint(m);
		k->n += 2;
	} else if (k->n >= 10) {
		memmove(&k->field[8], &k->field[10], 2 * sizeof k->field[0]);
		k->n -= 2;
	}
}

static inline void mut_field(struct mut *m)
{
	struct mut_block *k = &m->block[mut_rnd(m, m->n)];
	struct view *f;

	if (k->n == 0)
		return;
	f = &k->field[mut_rnd(m, k->n)];
	if (f->n && f->p[0] >> 5 == CBOR_BYTES)
		*f = mut_bytes(m, *f);
	else if (f->n && f->p[0] >> 5 == CBOR_UINT)
		*f = mut_uint(m);
	else if (mut_rnd(m, 2))
		*f = m->block[0].field[3 + mut_rnd(m, 3)]; /* an endpoint of the same bundle */
	else
		*f = mut_uint(m);
}

static inline void mut_once(struct mut *m)
{
	unsigned a = mut_rnd(m, m->n), b = mut_rnd(m, m->n);
	struct mut_block k = m->block[a];

	switch (mut_rnd(m, 10)) {
	case 0:
		mut_insert(m, k, b);
		break;
	case 1:
		memmove(&m->block[a], &m->block[a + 1], (m->n - a - 1) * sizeof k);
		m->n -= m->n > 1;
		break;
	case 2:
		m->block[a] = m->block[b];
		m->block[b] = k;
		break;
	case 3:
	case 4:
		mut_new_block(m);
		break;
	case 5:
		mut_fragment(m);
		break;
	case 6:
		m->block[a].open = !k.open;
		break;
	default:
		mut_field(m);
	}
}

/* One round over the bundle in `data`; 0: it is no row of blocks, or became too long. */
static inline size_t mut_bundle(
	uint8_t *data, size_t size, size_t max, unsigned seed, bool is_repeatable)
{
	static struct mut m;
	static uint8_t room[2 * MUT_ROOM];
	struct buf out = buf_of(room, sizeof room);

	m.rnd = seed * 2654435761u | 1;
	m.is_repeatable = is_repeatable;
	m.room = buf_of(m.pool, sizeof m.pool);
	if (size > MUT_ROOM || !mut_split(&m, view_of(data, size)) || m.block[0].n < 6)
		return 0;
	for (unsigned k = 1 + mut_rnd(&m, 3); k > 0; k--)
		mut_once(&m);
	if (!buf_fits(&m.room) || m.n == 0)
		return 0;
	buf_u8(&out, 0x9f);
	for (unsigned i = 0; i < m.n; i++)
		mut_block_write(&out, &m.block[i], i == 0);
	cbor_put_break(&out);
	if (!buf_fits(&out) || out.len > max)
		return 0;
	memcpy(data, room, out.len);
	return out.len;
}

#endif
