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

struct disk {
	struct store base;
	int dir, lock;
	uint8_t *scratch; /* LOAD_BYTES */
	struct log log;
	struct kv *kv;
	struct link_node kept; /* durable operations that the index does not have yet */
	size_t n_kept, checkpoint_ops;
	bool is_indexed; /* the running batch is in the index already */
	int index_err;   /* the index can't be written any more */
	bool is_offline; /* opened by a tool: segments stay as they are */
	size_t n_aside;  /* in the running batch: damaged bundles to be set aside */
	uint64_t n_set_aside, n_set_aside_run, set_aside_bytes; /* _run, bytes: the writer's */
	struct segment *found; /* at open: of the row before; neighbours lie together */
};

/* The first row of the index: up to where it knows the log. */
struct index_meta {
	uint64_t boot, generation, end, batch;
};

/* index.c: within a transaction of d->kv */
int index_meta_get(struct disk *d, struct index_meta *meta) MUST_USE; /* -E_UNKNOWN: new */
int index_meta_put(struct disk *d) MUST_USE;
int index_put_op(struct disk *d, const struct op *op) MUST_USE;
int index_put_place(struct disk *d, uint64_t id, const struct place *at, uint64_t head,
	uint64_t payload) MUST_USE;
/* Every row of the index becomes an entry. */
int index_load(struct disk *d) MUST_USE;

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

/* compact.c */
/* If free segments run short: adds operations that move live records out of the emptiest one. */
void compact_begin(struct disk *d, struct store_batch *b);
/* Where a bundle's durable record is now; NULL: nowhere. Keeps the segments' counts. */
void compact_place(struct entry *e, const struct place *at);

#endif
