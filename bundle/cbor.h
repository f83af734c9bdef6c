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

/* Major type of the next item without reading it; 8 at the end. */
static inline unsigned cbor_peek(const struct cursor *c)
{
	return c->p < c->end ? *c->p >> 5 : 8;
}

/* The argument of an item of this major type, whatever its size; indefinite ones are E_FORM. */
uint64_t cbor_head(struct cursor *c, unsigned major);

static inline uint64_t cbor_uint(struct cursor *c)
{
	return c->p < c->end && *c->p < 24 ? *c->p++ : cbor_head(c, CBOR_UINT);
}

int64_t cbor_int(struct cursor *c);
bool cbor_bool(struct cursor *c);
/* Definite strings, as views. */
struct view cbor_bytes(struct cursor *c);
struct view cbor_text(struct cursor *c);
/* Number of items, CBOR_INDEFINITE for an indefinite one. */
uint64_t cbor_array(struct cursor *c);
uint64_t cbor_map(struct cursor *c);
/* Takes a break if one is next. */
bool cbor_break(struct cursor *c);
/* Another element? For loops over definite (count goes down) and indefinite (break is taken) items. */
bool cbor_more(struct cursor *c, uint64_t *count);
/* Any well-formed item, skipped over; its bytes. At most CBOR_DEPTH_MAX deep, without recursion. */
struct view cbor_skip(struct cursor *c);
/* An array of exactly n items begins: true when it is indefinite, so cbor_array_end() wants a break. */
bool cbor_array_of(struct cursor *c, uint64_t n);
void cbor_array_end(struct cursor *c, bool indefinite);

/* Bytes that the head of an item with this argument takes. */
size_t cbor_head_size(uint64_t v);
void cbor_put_head(struct buf *b, unsigned major, uint64_t v);
void cbor_put_uint(struct buf *b, uint64_t v);
void cbor_put_int(struct buf *b, int64_t v);
void cbor_put_bool(struct buf *b, bool v);
void cbor_put_bytes(struct buf *b, struct view v);
void cbor_put_bytes_head(struct buf *b, uint64_t n);
void cbor_put_text(struct buf *b, struct view v);
void cbor_put_array(struct buf *b, uint64_t n);
void cbor_put_array_open(struct buf *b); /* indefinite */
void cbor_put_break(struct buf *b);
void cbor_put_map(struct buf *b, uint64_t n);

/* A byte string that wraps CBOR: begin, write the inside, end (which puts the length in front). */
size_t cbor_wrap_begin(struct buf *b);
void cbor_wrap_end(struct buf *b, size_t mark);

#endif
