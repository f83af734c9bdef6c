/*
 * file: reading, safe writing and size-limited logs (file.h).
 */
#include "dtn/io/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, size_t max, struct view *text)
{
	size_t cap = 4096, n = 0;
	char *p = malloc(cap), *more;
	ssize_t got = 1;

	while (p && got > 0 && n <= max) {
		if (n == cap) {
			cap *= 2;
			more = realloc(p, cap);
			if (!more)
				break;
			p = more;
		}
		got = read(fd, p + n, cap - n);
		n += got > 0 ? (size_t)got : 0;
	}
	*text = view_of(p, n);
	return !p || (got > 0 && n <= max) ? -ENOMEM : got < 0 ? -errno : n > max ? -E_LIMIT : 0;
}

int file_load(const char *path, size_t max, struct view *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	*text = (struct view){0};
	if (fd < 0)
		return -errno;
	err = read_all(fd, max, text);
	close(fd);
	if (err) {
		free((void *)(uintptr_t)text->p);
		*text = (struct view){0};
	}
	return err;
}

static int write_all(int fd, struct view v)
{
	while (v.n > 0) {
		ssize_t n = write(fd, v.p, v.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		v = view_sub(v, (size_t)n, v.n - (size_t)n);
	}
	return 0;
}

int file_sync_folder(const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int fd, err;

	snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
		slash ? path : ".");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = fsync(fd) ? -errno : 0;
	close(fd);
	return err;
}

int file_write_safe(const char *path, struct view bytes)
{
	struct file_safe f;
	int err = file_safe_begin(&f, path);

	return err ? err : file_safe_end(&f, file_safe_put(&f, bytes));
}

int file_safe_begin(struct file_safe *f, const char *path)
{
	if (snprintf(f->part, sizeof f->part, "%s.part", path) >= (int)sizeof f->part)
		return -ENAMETOOLONG;
	snprintf(f->path, sizeof f->path, "%s", path);
	f->fd = open(f->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	return f->fd < 0 ? -errno : 0;
}

int file_safe_put(struct file_safe *f, struct view bytes)
{
	return write_all(f->fd, bytes);
}

int file_safe_end(struct file_safe *f, int err)
{
	if (!err && fsync(f->fd))
		err = -errno;
	close(f->fd);
	if (!err && rename(f->part, f->path))
		err = -errno;
	if (err) {
		unlink(f->part);
		return err;
	}
	return file_sync_folder(f->path);
}

static int log_begin(struct file_log *f)
{
	struct stat st;

	f->fd = open(f->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (f->fd < 0)
		return -errno;
	f->size = fstat(f->fd, &st) ? 0 : (uint64_t)st.st_size;
	return 0;
}

int file_log_open(struct file_log *f, const char *path, uint64_t max, unsigned keep)
{
	*f = (struct file_log){.fd = -1, .max = max, .keep = keep};
	if (snprintf(f->path, sizeof f->path, "%s", path) >= (int)sizeof f->path - 16)
		return -ENAMETOOLONG;
	return log_begin(f);
}

static int rotate(struct file_log *f)
{
	char from[PATH_MAX + 16], to[PATH_MAX + 16];

	close(f->fd);
	for (unsigned k = f->keep; k > 0; k--) {
		snprintf(to, sizeof to, "%s.%u", f->path, k);
		if (k == 1)
			snprintf(from, sizeof from, "%s", f->path);
		else
			snprintf(from, sizeof from, "%s.%u", f->path, k - 1);
		rename(from, to); /* what is not there yet cannot move */
	}
	if (f->keep == 0)
		unlink(f->path);
	return log_begin(f);
}

int file_log_write(struct file_log *f, struct view lines)
{
	if (f->fd < 0 || lines.n == 0)
		return f->err;
	f->err = 0;
	if (f->max && f->size > 0 && f->size + lines.n > f->max)
		f->err = rotate(f);
	if (!f->err)
		f->err = write_all(f->fd, lines);
	f->size += lines.n;
	return f->err;
}

void file_log_close(struct file_log *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}
