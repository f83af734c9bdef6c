/*
 * CBOR for BPv7: RFC 8949 in the deterministic subset of RFC 9171 4.1.
 *
 * Everything goes through cbor_head() (inlined in cbor.h; what is not plain comes here): it reads
 * one initial byte and its argument, and refuses what is not in shortest form. Nothing is consumed
 * by a read that fails, so the cursor's error position is the start of the bad item. cbor_skip()
 * walks nested items with a small explicit stack. Start reading at cbor_head_slow(); the writers
 * follow the readers.
 */
#include "bundle/cbor.h"

#include "bundle/limits.h"

#define AI_INDEFINITE CBOR_AI_INDEFINITE
#define BYTE_BREAK CBOR_BREAK

struct head {
	unsigned major, info; /* info: the low five bits */
	uint64_t arg;
	size_t n; /* bytes of the head */
};

static int head_peek(const struct cursor *c, struct head *h);

/* RFC 9171 4.1/1, 4.1/2 */
uint64_t cbor_head_slow(struct cursor *c, unsigned major)
{
	struct head h;
	int err = c->err ? c->err : head_peek(c, &h);

	if (!err && h.major != major)
		err = -E_TYPE;
	if (!err && h.info == AI_INDEFINITE)
		err = -E_FORM;
	if (err) {
		cursor_fail(c, err);
		return 0;
	}
	c->p += h.n;
	return h.arg;
}

int64_t cbor_int(struct cursor *c)
{
	bool negative = cbor_peek(c) == CBOR_NINT;
	size_t at = cursor_at(c);
	uint64_t v = cbor_head(c, negative ? CBOR_NINT : CBOR_UINT);

	if (v > INT64_MAX) {
		cursor_fail_at(c, -E_RANGE, at);
		return 0;
	}
	return negative ? -1 - (int64_t)v : (int64_t)v;
}

bool cbor_bool(struct cursor *c)
{
	if (c->p < c->end && (*c->p == 0xf4 || *c->p == 0xf5))
		return *c->p++ == 0xf5;
	cursor_fail(c, c->p < c->end ? -E_TYPE : -E_TRUNCATED);
	return false;
}

struct view cbor_text(struct cursor *c)
{
	return cbor_string(c, CBOR_TEXT);
}

uint64_t cbor_map(struct cursor *c)
{
	return cbor_count(c, CBOR_MAP);
}

/* What is left to skip on one level: items, or chunks of an indefinite string. */
struct level {
	uint64_t left;  /* CBOR_INDEFINITE: until a break */
	unsigned chunk; /* major type that chunks must have, or 0 */
	bool odd;       /* an indefinite map waits for a value */
	bool map;
};

/* Opens the item h, if it holds others. 0, 1 when a level was opened, or negative. */
static int level_open(struct cursor *c, const struct head *h, struct level *l)
{
	bool open = h->info == AI_INDEFINITE;

	*l = (struct level){.left = open ? CBOR_INDEFINITE : h->arg};
	switch (h->major) {
	case CBOR_BYTES:
	case CBOR_TEXT:
		if (open) {
			l->chunk = h->major;
			return 1;
		}
		if (h->arg > cursor_left(c))
			return -E_TRUNCATED;
		c->p += h->arg;
		return 0;
	case CBOR_MAP:
		if (!open && h->arg > UINT64_MAX / 4)
			return -E_TRUNCATED;
		l->map = open;
		l->left = open ? CBOR_INDEFINITE : 2 * h->arg;
		return l->left != 0;
	case CBOR_ARRAY:
		return l->left != 0;
	case CBOR_TAG:
		l->left = 1;
		return open ? -E_FORM : 1;
	default:
		return open ? -E_FORM : 0;
	}
}

/* A break at this place: 1 taken, 0 none, negative when it may not stand here. */
static int level_break(struct cursor *c, struct level *l)
{
	if (c->p == c->end || *c->p != BYTE_BREAK)
		return 0;
	if (l->left != CBOR_INDEFINITE || l->odd)
		return -E_FORM;
	c->p++;
	return 1;
}

/* One step on the innermost level: 1 = a level was opened into *inner, 0 = not, 2 = this one ended.
 * */
static int level_step(struct cursor *c, struct level *l, struct level *inner)
{
	struct head h;
	int r = level_break(c, l);

	if (r != 0)
		return r < 0 ? r : 2;
	r = head_peek(c, &h);
	if (r == 0 && l->chunk && (h.major != l->chunk || h.info == AI_INDEFINITE))
		r = -E_FORM;
	if (r < 0)
		return r;
	c->p += h.n;
	if (l->left != CBOR_INDEFINITE)
		l->left--;
	l->odd = l->map && !l->odd;
	return level_open(c, &h, inner);
}

struct view cbor_skip(struct cursor *c)
{
	struct level level[CBOR_DEPTH_MAX + 1] = {{.left = 1}};
	const uint8_t *from = c->p;
	unsigned depth = 1;
	int r = 0;

	while (cursor_ok(c) && depth > 0) {
		if (level[depth - 1].left == 0) {
			depth--;
			continue;
		}
		struct level inner = {0};
		r = level_step(c, &level[depth - 1], &inner);
		if (r == 1 && depth > CBOR_DEPTH_MAX)
			r = -E_LIMIT;
		if (r < 0)
			cursor_fail(c, r);
		else if (r == 1)
			level[depth++] = inner;
		else if (r == 2)
			depth--;
	}
	return cursor_ok(c) ? view_of(from, (size_t)(c->p - from)) : (struct view){0};
}

/* The argument's bytes behind the initial byte: 1, 2, 4 or 8. */
static uint64_t argument(const uint8_t *p, size_t n)
{
	switch (n) {
	case 1:
		return p[0];
	case 2:
		return be16_get(p);
	case 4:
		return be32_get(p);
	default:
		return be64_get(p);
	}
}

static int head_peek(const struct cursor *c, struct head *h)
{
	static const uint64_t least[4] = {
		24, UINT64_C(1) << 8, UINT64_C(1) << 16, UINT64_C(1) << 32};

	if (c->p == c->end)
		return -E_TRUNCATED;
	*h = (struct head){.major = *c->p >> 5, .info = *c->p & 31, .n = 1};
	if (h->info < 24 || h->info == AI_INDEFINITE) {
		h->arg = h->info;
		return 0;
	}
	if (h->info > 27)
		return -E_FORM;
	size_t n = (size_t)1 << (h->info - 24);
	if (cursor_left(c) < 1 + n)
		return -E_TRUNCATED;
	h->arg = argument(c->p + 1, n);
	h->n = 1 + n;
	/* RFC 9171 4.1: shortest form; floats (major 7, two bytes up) have no shorter one */
	if (h->major == CBOR_SIMPLE)
		return h->info == 24 && h->arg < 32 ? -E_FORM : 0;
	return h->arg < least[h->info - 24] ? -E_NOT_SHORTEST : 0;
}

/* Writes a head of the right size n at p. */
static void head_store(uint8_t *p, size_t n, unsigned major, uint64_t v)
{
	uint8_t top = (uint8_t)(major << 5);

	switch (n) {
	case 1:
		p[0] = (uint8_t)(top | v);
		break;
	case 2:
		p[0] = top | 24;
		p[1] = (uint8_t)v;
		break;
	case 3:
		p[0] = top | 25;
		be16_put(p + 1, (uint16_t)v);
		break;
	case 5:
		p[0] = top | 26;
		be32_put(p + 1, (uint32_t)v);
		break;
	default:
		p[0] = top | 27;
		be64_put(p + 1, v);
		break;
	}
}

void cbor_put_head_long(struct buf *b, unsigned major, uint64_t v)
{
	size_t n = cbor_head_size(v);
	uint8_t *p = buf_grow(b, n);

	if (p)
		head_store(p, n, major, v);
}

void cbor_put_int(struct buf *b, int64_t v)
{
	if (v < 0)
		cbor_put_head(b, CBOR_NINT, (uint64_t)(-1 - v));
	else
		cbor_put_head(b, CBOR_UINT, (uint64_t)v);
}

void cbor_put_bool(struct buf *b, bool v)
{
	buf_u8(b, v ? 0xf5 : 0xf4);
}

void cbor_put_bytes(struct buf *b, struct view v)
{
	cbor_put_head(b, CBOR_BYTES, v.n);
	buf_put(b, v);
}

void cbor_put_text(struct buf *b, struct view v)
{
	cbor_put_head(b, CBOR_TEXT, v.n);
	buf_put(b, v);
}

void cbor_put_array_open(struct buf *b)
{
	buf_u8(b, 0x9f);
}

void cbor_put_break(struct buf *b)
{
	buf_u8(b, BYTE_BREAK);
}

void cbor_put_map(struct buf *b, uint64_t n)
{
	cbor_put_head(b, CBOR_MAP, n);
}

size_t cbor_wrap_begin(struct buf *b)
{
	buf_u8(b, 0);
	return b->len;
}

void cbor_wrap_end(struct buf *b, size_t mark)
{
	size_t n = b->len - mark, head = cbor_head_size(n);

	/* one byte was kept for the head; a longer head moves the inside up */
	buf_grow(b, head - 1);
	if (!b->p || !buf_fits(b))
		return;
	memmove(b->p + mark - 1 + head, b->p + mark, n);
	head_store(b->p + mark - 1, head, CBOR_BYTES, n);
}
