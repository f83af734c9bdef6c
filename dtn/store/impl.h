/*
 * impl: what the files of the store share. Not for others.
 *
 * Who owns what: everything here belongs to the loop thread, with one exception. From
 * store_commit_begin() to store_commit_end() the batch, the operations in it and the implementation's
 * file state belong to the thread that calls store_commit_run(). It reads cells (their bytes never
 * change once an operation holds them) but never counts references, takes or gives memory of slabs, or
 * looks at an entry. While a batch runs the loop stages into new operations.
 */
#ifndef OWLT_STORE_IMPL_H
#define OWLT_STORE_IMPL_H

#include "bundle/base/list.h"
#include "dtn/store/slabs.h"
#include "dtn/store/store.h"
#include "dtn/store/trie.h"

#include <assert.h>

#define STORE_EVENTS 16
#define STORE_DAMAGED_MAX 64u
#define ENTRY_DAMAGED 0x80u /* of entry.flags: its bytes on the disk are not what they were */
#define STORE_RESERVE_BLOCK UINT64_C(65536)
#define STORE_ID_COUNTER 0 /* counter of bundle ids */

/* Bytes that do not change while anybody holds them; freed at the turn after the last let go. */
struct cell {
	union {
		uint64_t n_refs;
		struct cell *next; /* among the dead */
	};
	size_t n;
	uint8_t bytes[];
};

/* Where a record lies on disk; the memory store has none. */
struct segment;
struct place {
	struct segment *segment;
	uint64_t off; /* of the record's header */
	uint64_t len; /* header, value, head, payload and padding */
};

struct counter {
	uint64_t next;        /* first number not given out */
	uint64_t durable_end; /* numbers below may be used */
	uint64_t staged_end;  /* ... once batch staged_seq is durable */
	uint64_t staged_seq;
};

/* Bytes of a bundle that are in memory. */
struct body {
	struct cell *head_cell, *payload_cell; /* may be the same; NULL: on disk only */
	const uint8_t *head, *payload;         /* NULL: on disk only */
	uint64_t window; /* payload NULL: where in it payload_cell begins, if that is there */
	struct entry *entry;
	struct link_node cached; /* durable, so it may leave memory; least recently read first */
};

/* One row: what a stored row costs in memory is this, and for bundles struct bundle. */
struct entry {
	uint64_t id;
	struct op *op;      /* its staged change, not yet in a batch */
	struct cell *value; /* as readers see it; NULL: the implementation has it */
	union {
		struct cell *saved; /* memory store: as it is durable; NULL if not */
		struct op *kept;    /* disk store: the change that the index has not yet */
	};
	union {
		struct body *body;       /* of a bundle; NULL: on disk only */
		struct counter *counter; /* kind STORE_RESERVED */
	};
	uint8_t kind, flags;
	bool is_here : 1;    /* readers see it */
	bool is_durable : 1; /* a version of it is durable (a staged deletion does not change that) */
	bool is_open : 1;    /* between store_begin and store_seal */
	bool is_running : 1; /* has an operation in the running batch */
	bool is_checked : 1; /* the record's checksum was right since the store was opened */
	bool is_whole : 1;   /* head_cell is the record as it will be written: record.h */
	bool is_indexed : 1; /* the index may have a row of it */
	bool is_ahead : 1;   /* its bytes were asked for ahead of their use, and not read since */
};

/* A row of kind STORE_BUNDLE. */
struct bundle {
	struct entry row;
	struct segment *segment; /* of the durable record */
	uint64_t off;
	uint64_t payload_len;
	uint32_t head_len;
	uint32_t units; /* length of the record, in RECORD_ALIGN */
	struct link_node in_segment;
};

static inline struct bundle *bundle_of(const struct entry *e)
{
	return (struct bundle *)(uintptr_t)e; /* row is its first member */
}

enum op_type {
	OP_PUT,    /* a new bundle */
	OP_SET,    /* value of a bundle or another row */
	OP_DELETE, /* the row, whatever it is */
	OP_MOVE    /* a bundle's record copied forward (compaction) */
};

/* One change on its way to disk. At most one a row is staged, one a row in the running batch, and one a
 * row waits for the index (then it is the row as it will be there: OP_SET or OP_DELETE). */
struct op {
	struct link_node link; /* stage, batch, or the implementation's list */
	struct entry *entry;   /* loop thread only; NULL: gone */
	uint8_t type, kind, flags;
	bool is_whole;       /* PUT: head_cell is the record, with room for its header */
	bool is_indexing;    /* kept: handed to the index */
	uint64_t id, charge; /* in the stage's count */
	struct cell *value, *head_cell, *payload_cell;
	struct view head, payload; /* of a payload in pieces: its checksums have room behind it */
	struct place from, to;     /* MOVE; filled by the run: where the record is */
	struct segment *in_log;    /* filled by the run: where the log says so */
};

struct store_batch {
	struct store *st;
	uint64_t seq;
	struct link_node ops; /* in order of staging */
	bool has_lane;        /* there may be some that are not for the log alone: lane.c */
};

struct store_ops {
	bool sums; /* it writes records: chunks of payloads are summed as they are staged */
	/* Loop: a batch is about to be handed over; may add operations. */
	void (*begin)(struct store *st, struct store_batch *b);
	/* Loop, may be NULL: would a batch be of use that nothing is staged for? */
	bool (*wants)(const struct store *st);
	/* Loop: the batch has ended, well or not. */
	void (*ended)(struct store *st);
	/* The writer's thread: makes b durable, all or nothing. */
	int (*run)(struct store *st, struct store_batch *b);
	/* Loop: this operation is durable; the entry's place is still the old one. Keeps what it needs of it.
	 * True: keeps the operation itself. */
	bool (*applied)(struct store *st, struct op *op);
	/* Loop: the value of a row that has none in memory; the view lives until the turn. */
	int (*load_value)(struct store *st, const struct entry *e, struct view *value);
	/* Loop: bring bytes of a durable bundle into cells: the head (and more, as it sees fit); n bytes of the
	 * payload from `off` on (all of it, or a window with more). */
	int (*load_head)(struct store *st, struct entry *e);
	int (*load_payload)(struct store *st, struct entry *e, uint64_t off, uint64_t n);
	/* Loop, may be NULL: verifies all bytes of a durable bundle. */
	int (*check)(struct store *st, struct entry *e);
	void (*stats)(
		const struct store *st, struct store_stats *out); /* may be NULL: what it adds */
	/* Loop, may be NULL: these bundles' bytes will be read soon. */
	void (*ahead)(struct store *st, struct entry *const *e, size_t n);
	/* Loop, once a turn, may be NULL: bounded housekeeping. */
	void (*turn)(struct store *st);
	void (*close)(struct store *st);
};

struct store {
	const struct store_ops *ops;
	struct store_limits limits;
	struct slabs slabs;
	struct trie table[STORE_KINDS];
	struct entry *ids; /* the row of STORE_ID_COUNTER */
	uint64_t n_counters;
	struct link_node stage;
	struct store_batch batch; /* the running one */
	bool is_running;
	struct cell *dead;       /* to be freed at the turn */
	struct link_node cached; /* bodies */
	uint64_t cached_bytes, cache_max;
	uint64_t loaded_bytes; /* in this turn */
	uint64_t log_room;     /* staged bytes at most that the implementation can write now */
	uint64_t seq;
	struct store_stats stats;
	struct store_event event[STORE_EVENTS];
	size_t event_at, n_events;
	uint64_t damaged[STORE_DAMAGED_MAX]; /* ids that are to be told; quarantine.c */
	size_t n_damaged;
};

/* store.c */
int store_init(
	struct store *st, const struct store_ops *ops, const struct store_limits *limits) MUST_USE;
void store_fini(struct store *st);
struct cell *store_cell_new(struct store *st, size_t n);
struct cell *store_cell_of(struct store *st, struct view v);
static inline struct cell *store_cell_ref(struct cell *c)
{
	if (c)
		c->n_refs++;
	return c;
}
/* NULL is fine. */
static inline void store_cell_unref(struct store *st, struct cell *c)
{
	if (!c)
		return;
	assert(c->n_refs > 0);
	if (--c->n_refs > 0)
		return;
	c->next = st->dead;
	st->dead = c;
}
/* The store can't go on: err is why. */
void store_shut(struct store *st, int err);

/* table.c */
struct entry *table_find(const struct store *st, enum store_kind kind, uint64_t id);
/* A new row, not yet seen by readers; the caller knows that there is none. NULL: no memory. */
struct entry *table_add(struct store *st, enum store_kind kind, uint64_t id);
/* Forgets a row with all its cells. */
void table_drop(struct store *st, struct entry *e);
/* The row with the least id above `id`. */
struct entry *table_after(const struct store *st, enum store_kind kind, uint64_t id);
/* The bundle's bytes in memory; makes an empty one where there is none (NULL: no memory). */
struct body *table_body(struct store *st, struct entry *e);
/* Is any of a bundle's payload in memory? */
static inline bool table_has_payload(const struct entry *e)
{
	return e->body && (e->body->payload || e->body->payload_cell);
}
/* They leave memory: views of them die at the turn. */
void table_unload(struct store *st, struct entry *e);

/* stage.c */
/* Stages a change of e (merging it with the one that is staged already). 0 or -ENOMEM. */
int stage_change(struct store *st, struct entry *e, enum op_type type) MUST_USE;
/* An operation of e in no list yet, charged to the stage. NULL: no memory. */
struct op *stage_op(struct store *st, struct entry *e, enum op_type type);
void stage_op_free(struct store *st, struct op *op);
/* The operation is durable: it lets go of the bundle's bytes and leaves the stage's count. */
void stage_op_applied(struct store *st, struct op *op);
/* Puts head and payload of e, as readers see them, into a PUT. */
void stage_op_bytes(struct store *st, struct op *op);
/* Takes e's staged change away. */
void stage_forget(struct store *st, struct entry *e);
/* Drops e if nothing needs it any more. */
void stage_settle(struct store *st, struct entry *e);
/* Head and payload of e are durable: they may leave memory. */
void stage_cache(struct store *st, struct entry *e);
void stage_uncache(struct store *st, struct entry *e);

/* quarantine.c */
void quarantine_mark(struct store *st, struct entry *e);

/* commit.c */
/* What becomes of a batch: applied, or staged again. */
void commit_apply(struct store *st, struct store_batch *b);
void commit_restage(struct store *st, struct store_batch *b);

/* reserve.c */
/* A counter's row as recovered: its numbers go on at `end`. NULL: no memory. */
struct entry *reserve_restore(struct store *st, uint64_t counter, uint64_t end);
/* Bundle ids go on at `end` and have a block from there, which the caller makes durable. 0 or -ENOMEM. */
int reserve_open(struct store *st, uint64_t end) MUST_USE;
/* End of the numbers that a counter's row allows. */
uint64_t reserve_end(const struct cell *value);
uint64_t reserve_end_of(struct view value);
/* Next bundle id; 0 when they ran out until the next commit. */
uint64_t reserve_id(struct store *st);
void reserve_applied(struct store *st, const struct op *op);

#endif
