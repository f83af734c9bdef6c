/*
 * loop: the only epoll of a shell. It tells which descriptors are ready; what to do with them is the
 * turn's business. Deadlines are CLOCK_MONOTONIC, with nanoseconds.
 */
#ifndef OWLT_IO_LOOP_H
#define OWLT_IO_LOOP_H

#include "bundle/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define LOOP_EVENTS 64
#define LOOP_NEVER INT64_MAX

/* What a descriptor stands for: `kind` and `index` belong to the caller. */
struct loop_tag {
	uint32_t kind, index;
};

struct loop_event {
	struct loop_tag tag;
	bool can_read, can_write, has_gone; /* gone: hung up or in error */
};

struct loop {
	int fd;
};

int loop_open(struct loop *l) MUST_USE;
void loop_close(struct loop *l);
int loop_add(struct loop *l, int fd, struct loop_tag tag) MUST_USE;
/* Which readiness is asked for from now on. Both off: only hang-ups are told. */
int loop_want(struct loop *l, int fd, struct loop_tag tag, bool read, bool write) MUST_USE;
void loop_remove(struct loop *l, int fd);
/* Waits until something is ready or CLOCK_MONOTONIC reaches until_ns. Number of events, or -errno. */
int loop_wait(struct loop *l, int64_t until_ns, struct loop_event ev[LOOP_EVENTS]) MUST_USE;

#endif
