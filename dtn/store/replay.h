/*
 * replay: what the log's tail says, batch by batch, from the bytes of its segments. Does no I/O.
 */
#ifndef OWLT_STORE_REPLAY_H
#define OWLT_STORE_REPLAY_H

#include "dtn/store/record.h"
#include "dtn/store/store.h"

struct segment;

/* A change of a complete batch. */
struct replay_op {
	enum record_type type; /* PUT (also for LONG), PLACE, SET, DELETE */
	enum store_kind kind;
	uint64_t id;
	struct segment *segment; /* where the record is; PLACE: NULL, and what the log says of it */
	uint64_t generation, off, len, head_len, payload_len;
	size_t value_len;
	uint8_t value[STORE_VALUE_MAX];
};

struct replay {
	uint64_t last; /* the batch before; then the last complete one */
	int (*apply)(void *arg, const struct replay_op *op);
	void *arg;
	struct segment *at; /* the end of the last complete batch; NULL: none was complete */
	uint64_t end;
	/* the batch that is being collected */
	uint64_t batch;
	struct replay_op *op;
	size_t n, cap;
};

/* Goes on in a segment of that generation from byte `off` up to the first record that does not belong there.
 * Segments come in the order of generations. 0, -E_CORRUPT (a batch is missing), -ENOMEM, what apply said. */
int replay_segment(struct replay *r, struct segment *s, uint64_t generation, struct view bytes,
	uint64_t off) MUST_USE;
void replay_fini(struct replay *r);

#endif
