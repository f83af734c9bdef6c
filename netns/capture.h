/*
 * capture: a pcapng file of a whole lab (owlt-capture(5)): each link end is a named interface
 * "LINK:NODE", Ethernet, times are lab time in nanoseconds as Unix time. A frame is recorded at its
 * sender's end when it leaves (outbound) and at its receiver's when it arrives (inbound); a dropped
 * frame says why in its comment. And the reading of such a file while it grows.
 */
#ifndef OWLT_NETNS_CAPTURE_H
#define OWLT_NETNS_CAPTURE_H

#include "bundle/base/err.h"
#include "bundle/base/view.h"

#define CAPTURE_LIMIT_DEFAULT (UINT64_C(4) << 30)
#define CAPTURE_MIN_FREE_DEFAULT                                                                   \
	(UINT64_C(256) << 20) /* a store refuses at 64 MiB: it comes later */
#define CAPTURE_NAME_MAX 80
#define CAPTURE_COMMENT_MAX 120
#define CAPTURE_INTERFACES_MAX 65536u

enum capture_way { CAPTURE_UNKNOWN, CAPTURE_IN = 1, CAPTURE_OUT = 2 };

/* -- writing */

struct capture;

/* Where the file ends, with a comment that says so; frames after that are counted. */
struct capture_limits {
	uint64_t bytes;
	uint64_t min_free_bytes; /* with less than this left in its file system */
};

/* A new file. note: what is said about the whole run, a line. 0 or -errno. */
int capture_create(struct capture **out, const char *path, const char *note,
	const struct capture_limits *limits) MUST_USE;
/* The next interface, numbered from 0; before the first frame. */
int capture_interface(struct capture *c, const char *name) MUST_USE;

struct capture_frame {
	uint32_t interface;
	int64_t unix_ns;
	enum capture_way way;
	char comment[CAPTURE_COMMENT_MAX]; /* "" = none */
	struct view bytes;                 /* reading: until the next call */
};

/* Into the buffer; written when that is full. Errors are latched for capture_flush(). */
void capture_write(struct capture *c, const struct capture_frame *f);
int capture_flush(struct capture *c) MUST_USE;
/* Frames that a limit, or an error, kept out. */
uint64_t capture_missed(const struct capture *c);
/* Which limit has ended it, as in its last comment; NULL: none. */
const char *capture_end(const struct capture *c);
/* Flushes and ends; c may be NULL. 0 or the first error. */
int capture_close(struct capture *c);

/* -- reading */

struct capture_reader;

int capture_open(struct capture_reader **out, const char *path) MUST_USE;
/* 1 and *f; 0 = no whole frame more for now (the file may still grow); -E_FORM and others. */
int capture_read(struct capture_reader *r, struct capture_frame *f) MUST_USE;
/* Name of an interface seen so far; NULL when unknown. */
const char *capture_interface_name(const struct capture_reader *r, uint32_t interface);
void capture_reader_close(struct capture_reader *r);

#endif
