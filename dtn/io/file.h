/*
 * file: whole small files, and logs that are limited in size: at the limit the file becomes NAME.1
 * (NAME.1 becomes NAME.2 and so on, the oldest goes) and a new one begins.
 */
#ifndef OWLT_IO_FILE_H
#define OWLT_IO_FILE_H

#include "bundle/base/err.h"
#include "bundle/base/view.h"

#include <limits.h>

/* The bytes of a file, at most max; the caller frees text->p. -errno, -E_LIMIT, -ENOMEM. */
int file_load(const char *path, size_t max, struct view *text) MUST_USE;
/* Writes a file so that it is there whole or not at all: temporary name, fsync, rename, fsync of the folder. */
int file_write_safe(const char *path, struct view bytes) MUST_USE;
/* The same in pieces. file_safe_end() makes it be there if err is 0, else leaves nothing; it returns err or its own. */
struct file_safe {
	int fd;
	char path[PATH_MAX], part[PATH_MAX];
};
int file_safe_begin(struct file_safe *f, const char *path) MUST_USE;
int file_safe_put(struct file_safe *f, struct view bytes) MUST_USE;
int file_safe_end(struct file_safe *f, int err) MUST_USE;
/* The names in the folder of this file are on disk: what was made or renamed there is found after a power cut. */
int file_sync_folder(const char *path) MUST_USE;

struct file_log {
	int fd;
	char path[PATH_MAX];
	uint64_t size, max; /* bytes; max 0 = no limit */
	unsigned keep;      /* old files that stay */
	int err;            /* of the last write, 0 = fine */
};

/* Appends to path. -errno. */
int file_log_open(struct file_log *f, const char *path, uint64_t max, unsigned keep) MUST_USE;
/* Whole lines only: a file never ends within a write. */
int file_log_write(struct file_log *f, struct view lines);
void file_log_close(struct file_log *f);

#endif
