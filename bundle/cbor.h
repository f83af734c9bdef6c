/*
 * cbor: the part of RFC 8949 that BPv7 and our own messages use, on cursor and buf. Integers and
 * lengths must be in shortest form (RFC 9171 4.1); tags, floats and maps only where a caller asks.
 * An error is latched at the start of the item that caused it: E_TRUNCATED, E_TYPE, E_NOT_SHORTEST,
 * E_FORM, E_LIMIT.
 */
#ifndef OWLT_BUNDLE_CBOR_H
#define OWLT_BUNDLE_CBOR_H

#include "bundle/base/buf.h"
#include "bundle/base/cursor.h"

#define CBOR_UINT 0u
#define CBOR_NINT 1u
#define CBOR_BYTES 2u
#define CBOR_TEXT 3u
#define CBOR_ARRAY 4u
#define CBOR_MAP 5u
#define CBOR_TAG 6u
#define CBOR_SIMPLE 7u
#define CBOR_INDEFINITE UINT64_MAX /* count of an indefinite array or map */
#define CBOR_HEAD_MAX 9
#define CBOR_AI_INDEFINITE 31u
#define CBOR_BREAK 0xffu

/* Major type of the next item without reading it; 8 at the end. */
static inline unsigned cbor_peek(const struct cursor *c)
{
	return c->p < c->end ? *c->p >> 5 : 8;
}

/* The argument of an item of this major type, whatever its size; indefinite ones are E_FORM. The
 * inlined part takes what is well-formed; the rest, and every error, is cbor_head_slow()'s. */
uint64_t cbor_head_slow(struct cursor *c, unsigned major);

static inline uint64_t cbor_head(struct cursor *c, unsigned major)
{
	size_t left = cursor_left(c);
	unsigned info =
		left ? *c->p - (major << 5) : 64; /* at most 31 if the major type is right */
	uint64_t v;

	if (info < 24) {
		c->p++;
		return info;
	}
	if (info == 27 && left >= 9 && (v = be64_get(c->p + 1)) > UINT32_MAX) {
		c->p += 9;
		return v;
	}
	if (info == 26 && left >= 5 && (v = be32_get(c->p + 1)) > UINT16_MAX) {
		c->p += 5;
		return v;
	}
	if (info == 25 && left >= 3 && (v = be16_get(c->p + 1)) > UINT8_MAX) {
		c->p += 3;
		return v;
	}
	return cbor_head_slow(c, major);
}

static inline uint64_t cbor_uint(struct cursor *c)
{
	return cbor_head(c, CBOR_UINT);
}

/* A definite string of this major type. */
static inline struct view cbor_string(struct cursor *c, unsigned major)
{
	size_t at = cursor_at(c);
	uint64_t n = cbor_head(c, major);

	if (n > cursor_left(c)) {
		cursor_fail_at(c, -E_TRUNCATED, at);
		return (struct view){0};
	}
	return cursor_take(c, (size_t)n);
}

/* How many items an array or map has. */
static inline uint64_t cbor_count(struct cursor *c, unsigned major)
{
	if (c->p < c->end && *c->p == (major << 5 | CBOR_AI_INDEFINITE)) {
		c->p++;
		return CBOR_INDEFINITE;
	}
	return cbor_head(c, major);
}

int64_t cbor_int(struct cursor *c);
bool cbor_bool(struct cursor *c);
/* Definite strings, as views. */
static inline struct view cbor_bytes(struct cursor *c)
{
	return cbor_string(c, CBOR_BYTES);
}

struct view cbor_text(struct cursor *c);
/* Number of items, CBOR_INDEFINITE for an indefinite one. */
static inline uint64_t cbor_array(struct cursor *c)
{
	return cbor_count(c, CBOR_ARRAY);
}

uint64_t cbor_map(struct cursor *c);
/* Takes a break if one is next. */
static inline bool cbor_break(struct cursor *c)
{
	if (c->p == c->end || *c->p != CBOR_BREAK)
		return false;
	c->p++;
	return true;
}

/* Another element? For loops over definite (count goes down) and indefinite (break is taken) items.
 * */
static inline bool cbor_more(struct cursor *c, uint64_t *count)
{
	if (!cursor_ok(c) || *count == 0)
		return false;
	if (*count != CBOR_INDEFINITE) {
		(*count)--;
		return true;
	}
	if (c->p == c->end)
		cursor_fail(c, -E_TRUNCATED);
	return cursor_ok(c) && !cbor_break(c);
}

/* Any well-formed item, skipped over; its bytes. At most CBOR_DEPTH_MAX deep, without recursion. */
struct view cbor_skip(struct cursor *c);
/* An array of exactly n items begins: true when it is indefinite, so cbor_array_end() wants a
 * break. */
static inline bool cbor_array_of(struct cursor *c, uint64_t n)
{
	size_t at = cursor_at(c);
	uint64_t count = cbor_array(c);

	if (count != n && count != CBOR_INDEFINITE)
		cursor_fail_at(c, -E_FORM, at);
	return count == CBOR_INDEFINITE;
}

static inline void cbor_array_end(struct cursor *c, bool indefinite)
{
	if (indefinite && !cbor_break(c))
		cursor_fail(c, c->p < c->end ? -E_FORM : -E_TRUNCATED);
}

/* Bytes that the head of an item with this argument takes. */
static inline size_t cbor_head_size(uint64_t v)
{
	if (v < 24)
		return 1;
	if (v <= UINT8_MAX)
		return 2;
	if (v <= UINT16_MAX)
		return 3;
	return v <= UINT32_MAX ? 5 : 9;
}

void cbor_put_head_long(struct buf *b, unsigned major, uint64_t v);

static inline void cbor_put_head(struct buf *b, unsigned major, uint64_t v)
{
	if (v < 24)
		buf_u8(b, (uint8_t)(major << 5 | v));
	else
		cbor_put_head_long(b, major, v);
}

static inline void cbor_put_uint(struct buf *b, uint64_t v)
{
	cbor_put_head(b, CBOR_UINT, v);
}

void cbor_put_int(struct buf *b, int64_t v);
void cbor_put_bool(struct buf *b, bool v);
void cbor_put_bytes(struct buf *b, struct view v);
static inline void cbor_put_bytes_head(struct buf *b, uint64_t n)
{
	cbor_put_head(b, CBOR_BYTES, n);
}

void cbor_put_text(struct buf *b, struct view v);
static inline void cbor_put_array(struct buf *b, uint64_t n)
{
	cbor_put_head(b, CBOR_ARRAY, n);
}

void cbor_put_array_open(struct buf *b); /* indefinite */
void cbor_put_break(struct buf *b);
void cbor_put_map(struct buf *b, uint64_t n);

/* A byte string that wraps CBOR: begin, write the inside, end (which puts the length in front). */
size_t cbor_wrap_begin(struct buf *b);
void cbor_wrap_end(struct buf *b, size_t mark);

#endif
