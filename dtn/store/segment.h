/*
 * segment: the log on disk: preallocated files that are filled one after the other and used again when
 * nothing in them is needed. A batch is one append and one flush (two when it goes over a segment's end).
 * Beside the log runs the lane: segments with bundles that stay longer, named by the log's records.
 *
 * Owner of struct log and of a segment's fields: the loop between batches, the writer while one runs.
 * fd, generation and slot of a segment do not change while it holds a live record, so the loop may read
 * live records at any time.
 */
#ifndef OWLT_STORE_SEGMENT_H
#define OWLT_STORE_SEGMENT_H

#include "dtn/store/impl.h"
#include "dtn/store/out.h"
#include "dtn/store/record.h"

#define SEGMENT_HEAD 56u /* the record that begins a segment: header and version */
#define LOG_PIECE (64u << 10)

struct segment {
	int fd;
	uint32_t slot;            /* number in the file's name */
	uint64_t generation;      /* rises with each use of any segment; 0 = free */
	uint64_t size, end;       /* bytes; where the next record goes */
	uint64_t live;            /* bytes of records of bundles that are in the store */
	uint64_t moved_with;      /* batch that moved records out of it last */
	bool is_lane;             /* no part of the log: not replayed */
	bool is_headless;         /* its first record is damaged, what follows is not */
	bool is_bad;              /* a live record in it could not be read: not compacted */
	struct link_node entries; /* bundles whose records these are */
};

struct log {
	int dir;
	struct segment **segment;
	size_t n, max, cap;
	struct segment *active; /* NULL: none yet */
	struct segment *lane;   /* the same */
	uint64_t segment_size;
	uint64_t next_generation, next_batch, last_batch;
	uint64_t kept_generation; /* from here on segments of the log are needed by recovery */
	size_t promised; /* segments that new bundles were told they may take: not for moves */
	uint64_t tail;   /* bytes appended to the log since the index was written */
	uint8_t *piece;  /* LOG_PIECE bytes of a record that is moved */
	struct out_file out;
};

/* segment.c: files */

/* Finds the segments in folder `dir` (borrowed). At most `max` will be made. */
int log_open(struct log *log, int dir, uint64_t segment_size, size_t max) MUST_USE;
void log_close(struct log *log);
struct segment *log_find(const struct log *log, uint64_t generation);
/* The segment of the log with the least generation >= `from`; NULL when none. */
struct segment *log_after(const struct log *log, uint64_t from);
/* Who takes a segment: what would make the log full for those behind it is refused. */
enum log_use {
	LOG_USE_FREE, /* deletions, updates: they make room again */
	LOG_USE_MOVE, /* so do moves, and signals pass */
	LOG_USE_PUT
};
/* A segment for records of `size` bytes, its generation given; NULL: there is none. One that is free makes way
 * for a record longer than a segment. */
struct segment *log_take(struct log *log, uint64_t size, enum log_use use);
/* Segments taken since are free again. */
void log_give_back(struct log *log, uint64_t generation);
/* Between batches, or at the beginning of one: frees segments that nobody needs. */
void log_free_dead(struct log *log);
/* Sees that two free segments wait, if there is room; unlinks free ones of unusual size, and all but two
 * when the disk is short of room. */
void log_spare(struct log *log, bool is_disk_short);
/* Free segments, and those that may still be made. */
size_t log_n_available(const struct log *log);
/* Do they run short, with a batch of so many bytes to come? */
bool log_is_short(const struct log *log, uint64_t bytes);
/* Reads n bytes. 0, -errno, -E_CORRUPT (the file is shorter). */
int segment_read(const struct segment *s, uint64_t off, void *buf, uint64_t n) MUST_USE;
/* Writes and flushes. 0 or -errno. */
int segment_write(const struct segment *s, uint64_t off, struct view bytes) MUST_USE;

/* append.c: batches */

/* Makes the operations durable as one batch and fills op->to; has_lane: some may belong there. -ENOSPC: nothing
 * was changed. */
int log_append(struct log *log, struct link_node *ops, bool has_lane) MUST_USE;
/* Where op->to says that its record is. */
struct record_place log_place(const struct op *op);
/* What waits goes to the file and is flushed. */
int log_flush(struct log *log) MUST_USE;
/* Puts a bundle's record where op->to says. */
int log_put_bundle(struct log *log, struct op *op, uint64_t batch) MUST_USE;
/* The record that begins a segment. */
int log_put_start(struct log *log, const struct segment *s, uint64_t batch) MUST_USE;

/* lane.c: what goes beside the log */

/* Writes and flushes the records of the batch that belong there. -ENOSPC. */
int lane_write(struct log *log, struct link_node *ops, uint64_t batch) MUST_USE;

#endif
