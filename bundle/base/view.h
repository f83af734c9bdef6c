/*
 * view: borrowed bytes. A view never owns what it points at; whoever hands one out says in its
 * header how long the bytes live.
 */
#ifndef OWLT_BASE_VIEW_H
#define OWLT_BASE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct view {
	const uint8_t *p;
	size_t n;
};

static inline struct view view_of(const void *p, size_t n)
{
	return (struct view){.p = p, .n = n};
}

/* The bytes of a C string, without its terminator. */
static inline struct view view_text(const char *s)
{
	return (struct view){.p = (const uint8_t *)s, .n = strlen(s)};
}

static inline bool view_equal(struct view a, struct view b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Part of a view; the caller answers for off + n <= v.n. */
static inline struct view view_sub(struct view v, size_t off, size_t n)
{
	return (struct view){.p = off ? v.p + off : v.p, .n = n};
}

#endif
