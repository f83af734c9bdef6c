/*
 * flights: see flights.h. Memory comes in blocks of powers of two and is never returned to the system
 * before the end; equal times are kept in the order of their starts.
 */
#include "netns/flights.h"
#include "bundle/base/list.h"

#include <assert.h>
#include <stdlib.h>

static unsigned class_of(size_t n);
static size_t class_bytes(unsigned class);

void flights_init(struct flights *f, size_t limit_bytes)
{
	*f = (struct flights){.limit_bytes = limit_bytes};
	heap_init(&f->heap);
}

void flights_fini(struct flights *f)
{
	for (struct flight *x; (x = flights_first(f));) {
		flights_land(f, x);
		free(x);
	}
	for (unsigned c = 0; c < FLIGHT_CLASSES; c++)
		for (struct flight *x; (x = f->free[c]);) {
			f->free[c] = x->next;
			free(x);
		}
	heap_fini(&f->heap);
}

struct flight *flights_get(struct flights *f, size_t n)
{
	unsigned class = class_of(n + sizeof(struct flight));
	struct flight *x;

	if (class >= FLIGHT_CLASSES)
		return NULL;
	x = f->free[class];
	if (x) {
		f->free[class] = x->next;
	} else {
		if (f->used_bytes + class_bytes(class) > f->limit_bytes)
			return NULL;
		x = malloc(class_bytes(class));
		if (!x)
			return NULL;
		f->used_bytes += class_bytes(class);
	}
	*x = (struct flight){.class = class, .n = (uint32_t)n};
	heap_node_init(&x->due);
	return x;
}

void flights_put(struct flights *f, struct flight *x)
{
	if (!x)
		return;
	heap_remove(&f->heap, &x->due);
	x->next = f->free[x->class];
	f->free[x->class] = x;
}

int flights_start(struct flights *f, struct flight *x, int64_t due_us)
{
	return heap_push(&f->heap, &x->due, due_us, f->number++);
}

struct flight *flights_first(const struct flights *f)
{
	struct heap_node *e = heap_min(&f->heap);

	return e ? container_of(e, struct flight, due) : NULL;
}

void flights_land(struct flights *f, struct flight *x)
{
	assert(heap_has(&x->due));
	heap_remove(&f->heap, &x->due);
}

static unsigned class_of(size_t n)
{
	unsigned c = 0;

	while (c < FLIGHT_CLASSES && class_bytes(c) < n)
		c++;
	return c;
}

static size_t class_bytes(unsigned class)
{
	return (size_t)256 << class;
}
