/*
 * cursor: reading bytes with one check at the end. The first failed read latches its error and
 * position and empties the cursor; every later read gives 0. A loop must test cursor_ok() itself.
 */
#ifndef OWLT_BASE_CURSOR_H
#define OWLT_BASE_CURSOR_H

#include "bundle/base/bytes.h"
#include "bundle/base/err.h"
#include "bundle/base/view.h"

struct cursor {
	const uint8_t *start;
	const uint8_t *p;
	const uint8_t *end;
	int err;       /* 0 or the first error, negative */
	size_t err_at; /* bytes from start, where err != 0 */
};

static inline struct cursor cursor_of(struct view v)
{
	/* NULL + 0 is undefined in C17 */
	return (struct cursor){.start = v.p, .p = v.p, .end = v.n ? v.p + v.n : v.p};
}

static inline bool cursor_ok(const struct cursor *c)
{
	return c->err == 0;
}

static inline size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->p);
}

static inline size_t cursor_at(const struct cursor *c)
{
	return (size_t)(c->p - c->start);
}

/* Latches err (negative) at byte offset `at` and stops all further reading. */
static inline void cursor_fail_at(struct cursor *c, int err, size_t at)
{
	if (c->err != 0)
		return;
	c->err = err;
	c->err_at = at;
	c->p = c->end;
}

static inline void cursor_fail(struct cursor *c, int err)
{
	cursor_fail_at(c, err, cursor_at(c));
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	if (c->p == c->end) {
		cursor_fail(c, -E_TRUNCATED);
		return 0;
	}
	return *c->p++;
}

/* The next n bytes as a view into the input; {NULL, 0} after an error. */
static inline struct view cursor_take(struct cursor *c, size_t n)
{
	struct view v = {.p = c->p, .n = n};

	if (n > cursor_left(c)) {
		cursor_fail(c, -E_TRUNCATED);
		return (struct view){0};
	}
	c->p += n;
	return v;
}

/* 0, or the first error; trailing bytes are one. */
static inline int cursor_finish(struct cursor *c)
{
	if (c->err == 0 && c->p != c->end)
		cursor_fail(c, -E_TRAILING);
	return c->err;
}

#endif
