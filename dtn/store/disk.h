/*
 * disk: what the files of the disk store share.
 */
#ifndef OWLT_STORE_DISK_H
#define OWLT_STORE_DISK_H

#include "dtn/store/impl.h"
#include "dtn/store/kv.h"
#include "dtn/store/segment.h"

#define BATCH_BOOT_SHIFT                                                                           \
	40 /* number of a batch: boot << 40 | count; so none repeats after a torn tail */

/* The first row of the index: up to where it knows the log. */
struct index_meta {
	uint64_t boot, generation, end, batch;
};

/* The index follows the log in checkpoints, a part with every batch. checkpoint.c */
struct checkpoint {
	struct link_node kept; /* changes that the index does not have yet, one a row; the loop's */
	size_t n_kept, every;  /* so many begin a checkpoint */
	uint64_t every_bytes;  /* ... or so many of the log */
	uint64_t room;         /* kept allocated for the index */
	struct link_node todo, done; /* of the one that runs; the writer's while a batch runs */
	struct index_meta mark;      /* what of the log it will have */
	bool is_begun;               /* todo and done hold what goes up to `mark` */
	bool is_writing;             /* the index has an open transaction */
	bool is_forced;              /* segments run short: all of it with this batch */
	bool is_committed;           /* the loop has not heard of it yet */
	unsigned wait;               /* batches until it is tried again after an error */
	int err;                     /* the index can't be written any more */
	struct link_node spent;      /* committed; settled by and by */
};

struct disk {
	struct store base;
	int dir, lock;
	uint8_t *scratch; /* LOAD_BYTES */
	struct log log;
	struct kv *kv;
	struct checkpoint point;
	uint64_t free;   /* in the file system: found by the writer, or the loop when none runs */
	size_t n_before; /* segments to be had when the last batch began */
	unsigned n_in_vain; /* batches of our own that made no room */
	unsigned n_turns;   /* since the loop looked itself */
	bool is_offline;    /* opened by a tool: segments stay as they are */
	size_t n_aside;     /* in the running batch: damaged bundles to be set aside */
	uint64_t n_set_aside, n_set_aside_run, set_aside_bytes; /* _run, bytes: the writer's */
	struct segment *found; /* at open: of the row before; neighbours lie together */
};

/* index.c: within a transaction of d->kv */
int index_meta_get(struct disk *d, struct index_meta *meta) MUST_USE; /* -E_UNKNOWN: new */
int index_meta_put(struct disk *d, const struct index_meta *meta) MUST_USE;
/* A row; `at` where a bundle's record is. */
int index_put(struct disk *d, uint8_t kind, uint64_t id, struct view value,
	const struct record_place *at) MUST_USE;
int index_delete(struct disk *d, uint8_t kind, uint64_t id) MUST_USE;
/* The row as the operation (SET, DELETE) has it. */
int index_put_op(struct disk *d, const struct op *op) MUST_USE;
/* Every row of the index becomes an entry. */
int index_load(struct disk *d) MUST_USE;
/* At open: where the record of a bundle is; no segment, if there is none with such bytes. */
void index_place(struct disk *d, struct entry *e, const struct record_place *at);
/* From version 1. */
int index_upgrade(struct disk *d) MUST_USE;
/* The loop: a row's value in the index; lives until the turn. */
int index_value(struct store *st, const struct entry *e, struct view *value) MUST_USE;

/* checkpoint.c */
void checkpoint_init(struct checkpoint *c, size_t every, uint64_t every_bytes);
/* Loop: the row has changed durably; true: keeps the operation for the index. */
bool checkpoint_keep(struct disk *d, struct op *op);
/* Loop, before a batch. */
void checkpoint_begin(struct disk *d);
/* The writer's thread: a part of it. */
void checkpoint_run(struct disk *d);
/* Loop, when no batch runs. */
void checkpoint_ended(struct disk *d);
/* Loop: lets go of some of what is in the index now. */
void checkpoint_settle(struct disk *d, size_t most);

/* quarantine.c */
#define QUARANTINE_BYTES (UINT64_C(64) << 20)
void quarantine_count(struct disk *d);
void quarantine_begin(struct disk *d, struct store_batch *b);
void quarantine_applied(struct disk *d, const struct op *op);
void quarantine_run(struct disk *d, struct store_batch *b);

/* recover.c */
/* Entries, counters, log position and index as after a clean start; makes the new boot durable. */
int disk_recover(struct disk *d) MUST_USE;

/* load.c */
#define LOAD_BYTES 65536u
int disk_check(struct store *st, struct entry *e) MUST_USE;
int disk_load_head(struct store *st, struct entry *e) MUST_USE;
int disk_load_payload(struct store *st, struct entry *e, uint64_t off, uint64_t n) MUST_USE;
void disk_ahead(struct store *st, struct entry *const *e, size_t n);

/* compact.c */
/* If free segments run short: adds operations that move live records out of the emptiest one. */
void compact_begin(struct disk *d, struct store_batch *b);
/* Is there a segment whose records should move? */
bool compact_is_due(const struct disk *d);
/* Where a bundle's durable record is now; segment NULL: nowhere. Keeps the segments' counts. */
void compact_place(struct entry *e, const struct place *at);
struct place compact_place_of(const struct entry *e);

#endif
