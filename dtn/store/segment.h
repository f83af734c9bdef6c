/*
 * segment: the log on disk: preallocated files that are filled one after the other and used again when
 * nothing in them is needed. A batch is one append and one flush (two when it goes over a segment's end).
 *
 * Owner of struct log and of a segment's fields: the loop between batches, the writer while one runs.
 * fd, generation and slot of a segment do not change while it holds a live record, so the loop may read
 * live records at any time.
 */
#ifndef OWLT_STORE_SEGMENT_H
#define OWLT_STORE_SEGMENT_H

#include "dtn/store/impl.h"
#include "dtn/store/record.h"

#define SEGMENT_HEAD 56u /* the record that begins a segment: header and version */
#define LOG_BUFFER (1u << 20)
#define LOG_PIECE (64u << 10)

struct segment {
	int fd;
	uint32_t slot;            /* number in the file's name */
	uint64_t generation;      /* rises with each use of any segment; 0 = free */
	uint64_t size, end;       /* bytes; where the next record goes */
	uint64_t live;            /* bytes of records of bundles that are in the store */
	bool is_bad;              /* a live record in it could not be read: not compacted */
	struct link_node entries; /* whose records these are */
};

struct log {
	int dir;
	struct segment **segment;
	size_t n, max, cap;
	struct segment *active; /* NULL: none yet */
	uint64_t segment_size;
	uint64_t next_generation, next_batch, last_batch;
	uint64_t kept_generation; /* from here on segments are needed by recovery */
	uint8_t *buf;             /* what goes to `out` at `out_at` next */
	uint8_t *piece;           /* LOG_PIECE bytes of a record that is moved */
	size_t n_buf;
	struct segment *out;
	uint64_t out_at;
};

/* Finds the segments in folder `dir` (borrowed). At most `max` will be made. */
int log_open(struct log *log, int dir, uint64_t segment_size, size_t max) MUST_USE;
void log_close(struct log *log);
struct segment *log_find(const struct log *log, uint64_t generation);
/* The segment with the least generation >= `from`; NULL when none. */
struct segment *log_after(const struct log *log, uint64_t from);
/* Makes the operations durable as one batch and fills op->to. -ENOSPC: nothing was changed. */
int log_append(struct log *log, struct link_node *ops) MUST_USE;
/* Loop, between batches: frees segments that nobody needs. */
void log_free_dead(struct log *log);
/* Sees that two free segments wait, if there is room; unlinks free ones of unusual size. */
void log_spare(struct log *log);
/* Free segments, and those that may still be made. */
size_t log_n_available(const struct log *log);
/* Reads n bytes. 0, -errno, -E_CORRUPT (the file is shorter). */
int segment_read(const struct segment *s, uint64_t off, void *buf, uint64_t n) MUST_USE;
/* Writes and flushes. 0 or -errno. */
int segment_write(const struct segment *s, uint64_t off, struct view bytes) MUST_USE;

#endif
