/*
 * Canonical form for what is signed: RFC 9172 4, RFC 8949 4.2.1. What we read has its numbers in
 * shortest form already; what can differ is arrays, maps and strings of indefinite length. The CRC in a
 * primary block stays as it is.
 *
 * No recursion: an explicit stack of CBOR_DEPTH_MAX levels, as cbor_skip() has. Start reading at
 * canonical_item().
 */
#include "bundle/bpsec_inner.h"

struct level {
	uint64_t left; /* items, CBOR_INDEFINITE: until a break */
};

static void item_put(struct buf *out, struct cursor *c);

/* A byte that can begin something indefinite; a false alarm only costs a copy. */
static bool may_be_indefinite(struct view item)
{
	for (size_t k = 0; k < item.n; k++)
		if ((item.p[k] & 31) == CBOR_AI_INDEFINITE && item.p[k] >= 0x5f && item.p[k] < 0xdf)
			return true;
	return false;
}

int canonical_item(struct buf *room, struct view item, struct view *out)
{
	struct cursor c = cursor_of(item);
	size_t from = room->len;

	*out = item;
	if (!may_be_indefinite(item))
		return 0;
	item_put(room, &c);
	if (!cursor_ok(&c))
		return c.err;
	if (!buf_fits(room))
		return -E_LIMIT;
	*out = view_of(room->p + from, room->len - from);
	return 0;
}

/* How many items stand before the break; c is a copy. */
static uint64_t items_count(struct cursor c)
{
	uint64_t n = 0;

	while (cursor_ok(&c) && !cbor_break(&c)) {
		cbor_skip(&c);
		n++;
	}
	return n;
}

/* The chunks of an indefinite string as one. */
static void chunks_put(struct buf *out, struct cursor *c, unsigned major)
{
	struct cursor look = *c;
	uint64_t total = 0;

	while (cursor_ok(&look) && !cbor_break(&look))
		total += cbor_string(&look, major).n;
	cbor_put_head(out, major, total);
	while (cursor_ok(c) && !cbor_break(c))
		buf_put(out, cbor_string(c, major));
}

/* Writes one head, or a whole item without others in it; opens a level for those that hold items. */
static bool head_put(struct buf *out, struct cursor *c, struct level *l)
{
	unsigned major = cbor_peek(c);
	bool open = major < CBOR_SIMPLE && (*c->p & 31) == CBOR_AI_INDEFINITE;
	uint64_t n;

	if (open)
		c->p++;
	switch (major) {
	case CBOR_BYTES:
	case CBOR_TEXT:
		if (open) {
			chunks_put(out, c, major);
		} else {
			struct view v = cbor_string(c, major);
			cbor_put_head(out, major, v.n);
			buf_put(out, v);
		}
		return false;
	case CBOR_ARRAY:
	case CBOR_MAP:
		n = open ? items_count(*c) : cbor_head(c, major);
		if (open && major == CBOR_MAP)
			n /= 2;
		cbor_put_head(out, major, n);
		l->left = open ? CBOR_INDEFINITE : major == CBOR_MAP ? 2 * n : n;
		return true;
	case CBOR_TAG:
		cbor_put_head(out, major, cbor_head(c, major));
		l->left = 1;
		return true;
	default:
		buf_put(out, cbor_skip(c));
		return false;
	}
}

static void item_put(struct buf *out, struct cursor *c)
{
	struct level level[CBOR_DEPTH_MAX + 1] = {{1}};
	unsigned depth = 1;

	while (cursor_ok(c) && depth > 0) {
		struct level *l = &level[depth - 1], inner = {0};
		if (l->left == 0 || (l->left == CBOR_INDEFINITE && cbor_break(c))) {
			depth--;
			continue;
		}
		if (c->p == c->end) {
			cursor_fail(c, -E_TRUNCATED);
			return;
		}
		if (l->left != CBOR_INDEFINITE)
			l->left--;
		if (!head_put(out, c, &inner))
			continue;
		if (depth > CBOR_DEPTH_MAX)
			cursor_fail(c, -E_LIMIT);
		else
			level[depth++] = inner;
	}
}
