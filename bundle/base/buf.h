/*
 * buf: writing bytes with one check at the end. Overflow is sticky: once a write does not fit,
 * nothing more is written but `len` goes on counting, so a buf with p = NULL and cap = 0 measures.
 */
#ifndef OWLT_BASE_BUF_H
#define OWLT_BASE_BUF_H

#include "bundle/base/bytes.h"
#include "bundle/base/err.h"
#include "bundle/base/view.h"

struct buf {
	uint8_t *p;
	size_t cap;
	size_t len; /* bytes written, or that would have been */
};

static inline struct buf buf_of(void *p, size_t cap)
{
	return (struct buf){.p = p, .cap = cap};
}

static inline bool buf_fits(const struct buf *b)
{
	return b->len <= b->cap;
}

/* Room for n bytes: where to write them, or NULL (counted all the same). */
static inline uint8_t *buf_grow(struct buf *b, size_t n)
{
	size_t at = b->len;

	b->len += n;
	return b->p && at <= b->cap && n <= b->cap - at ? b->p + at : NULL;
}

/* Where the next bytes go if n more fit, else NULL; nothing is counted yet. */
static inline uint8_t *buf_room(const struct buf *b, size_t n)
{
	return b->p && b->len <= b->cap && n <= b->cap - b->len ? b->p + b->len : NULL;
}

static inline void buf_u8(struct buf *b, uint8_t v)
{
	uint8_t *p = buf_grow(b, 1);

	if (p)
		*p = v;
}

static inline void buf_put(struct buf *b, struct view v)
{
	uint8_t *p = buf_grow(b, v.n);

	if (p && v.n)
		memcpy(p, v.p, v.n);
}

static inline void buf_text(struct buf *b, const char *s)
{
	buf_put(b, view_text(s));
}

static inline struct view buf_view(const struct buf *b)
{
	return view_of(b->p, b->len);
}

/* 0, or -E_OVERFLOW when something did not fit. */
static inline int buf_finish(const struct buf *b)
{
	return buf_fits(b) ? 0 : -E_OVERFLOW;
}

#endif
