/*
 * faulty_calls: the calls of the C library that the fault layer stands before, for files below its root. Every
 * one that can fail or that a loss of power can meet is counted; decide() says what becomes of the
 * n-th. A call that loses power or is killed does not return: what it had done by then is up to the fault.
 *
 * A write through a shared mapping would not be seen; such a mapping is refused, and so is what the model
 * does not know (O_TRUNC of a file that has bytes, holes). One thread only.
 */
#include "tests/store/faulty_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FDS = 256, FULL_CALLS = 40 };
enum call { CALL_WRITE, CALL_READ, CALL_SYNC, CALL_SIZE, CALL_NAME, CALL_REMOVE };
enum act { DO, FAIL, SHORTEN, LOSE, DIE };

static struct {
	bool is_file, is_folder, is_dsync;
	int32_t file;
	char folder[FAULTY_NAME]; /* below the root, "" the root */
} fds[FDS];

/* -- the real calls, for the layer itself */

ssize_t real_pread(int fd, void *p, size_t n, off_t off)
{
	REAL(ssize_t, "pread", int, void *, size_t, off_t);
	return real(fd, p, n, off);
}

ssize_t real_pwrite(int fd, const void *p, size_t n, off_t off)
{
	REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
	return real(fd, p, n, off);
}

int real_openat(int dir, const char *path, int flags, mode_t mode)
{
	REAL(int, "openat", int, const char *, int, ...);
	return real(dir, path, flags, mode);
}

int real_close(int fd)
{
	REAL(int, "close", int);
	return real(fd);
}

int real_rename(const char *a, const char *b)
{
	REAL(int, "rename", const char *, const char *);
	return real(a, b);
}

int real_ftruncate(int fd, off_t size)
{
	REAL(int, "ftruncate", int, off_t);
	return real(fd, size);
}

/* -- which call meets the fault, and how */

static bool is_due(void)
{
	if (armed.fault == FAULT_MEMORY || !armed.is_counting)
		return false;
	armed.n++;
	return armed.n == armed.at ||
	       (armed.fault == FAULT_FULL && armed.n > armed.at && armed.n < armed.at + FULL_CALLS);
}

static bool grows(enum call call)
{
	return call == CALL_WRITE || call == CALL_SIZE || call == CALL_NAME;
}

/* What the armed fault does to such a call; DO: it is not one that can fail so. */
static enum act act_of(enum call call, int *err)
{
	switch (armed.fault) {
	case FAULT_LOSE_NONE:
	case FAULT_LOSE_ALL:
	case FAULT_LOSE_SOME:
	case FAULT_LOSE_TORN:
		return LOSE;
	case FAULT_KILL:
		return DIE;
	case FAULT_ENOSPC:
		*err = ENOSPC;
		return grows(call) || call == CALL_SYNC ? FAIL : DO;
	case FAULT_FULL:
		*err = ENOSPC;
		return grows(call) ? FAIL : DO;
	case FAULT_EIO:
		*err = EIO;
		return FAIL;
	case FAULT_SHORT:
		return call == CALL_WRITE || call == CALL_READ ? SHORTEN : DO;
	case FAULT_EINTR:
		*err = EINTR;
		return call == CALL_NAME || call == CALL_REMOVE ? DO : FAIL;
	default:
		return DO;
	}
}

static enum act decide(enum call call, int *err)
{
	enum act act = is_due() ? act_of(call, err) : DO;

	armed.is_hit |= act != DO;
	return act;
}

static void end_process(enum act act)
{
	if (act == LOSE)
		faulty_disk_lose(armed.fault, armed.seed);
	_exit(FAULTY_STATUS);
}

/* For calls that are done whole or not at all. FAIL: errno is set. */
static enum act before(enum call call, int *err)
{
	enum act act = decide(call, err);

	if (act == DIE || (act == LOSE && armed.fault == FAULT_LOSE_NONE))
		end_process(act);
	if (act == FAIL)
		errno = *err;
	return act;
}

static int after(enum act act, int did)
{
	if (act == LOSE)
		end_process(act);
	return did;
}

/* -- descriptors */

static bool is_file(int fd)
{
	return fd >= 0 && fd < FDS && fds[fd].is_file;
}

static bool is_watched(int fd)
{
	return fd >= 0 && fd < FDS && (fds[fd].is_file || fds[fd].is_folder);
}

static const char *folder_of(int fd)
{
	return fd >= 0 && fd < FDS && fds[fd].is_folder ? fds[fd].folder : NULL;
}

static void fd_forget(int fd)
{
	if (fd >= 0 && fd < FDS)
		fds[fd].is_file = fds[fd].is_folder = false;
}

static void fd_adopt(int fd, const char *name, int flags, bool is_new)
{
	struct stat sb;

	if (fd >= FDS || fstat(fd, &sb))
		faulty_complain("a descriptor that can't be watched");
	if (S_ISDIR(sb.st_mode)) {
		fds[fd].is_folder = true;
		snprintf(fds[fd].folder, FAULTY_NAME, "%s", name);
		return;
	}
	int32_t file = faulty_find(name);
	if (file == NO_FILE)
		file = faulty_add(name, is_new ? 0 : (uint64_t)sb.st_size);
	if (is_new)
		faulty_made(file);
	fds[fd].file = file;
	fds[fd].is_file = true;
	fds[fd].is_dsync = flags & O_DSYNC;
}

static int do_open(int dir, const char *path, int flags, mode_t mode)
{
	char name[FAULTY_NAME];
	struct stat sb;
	int err = 0;

	if (!faulty_name(folder_of(dir), path, name)) {
		int fd = real_openat(dir, path, flags, mode);

		fd_forget(fd);
		return fd;
	}
	bool is_new = flags & O_CREAT && fstatat(dir, path, &sb, 0) != 0;
	if (flags & O_TRUNC && !is_new)
		faulty_complain("O_TRUNC is not modelled");
	enum act act = is_new ? before(CALL_NAME, &err) : DO;
	if (act == FAIL)
		return -1;
	int fd = real_openat(dir, path, flags, mode);
	if (fd < 0)
		return fd;
	fd_forget(fd);
	fd_adopt(fd, name, flags, is_new);
	return after(act, fd);
}

#define OPEN_MODE(flags)                                                                           \
	mode_t mode = 0;                                                                           \
	if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                   \
		va_list va;                                                                        \
		va_start(va, flags);                                                               \
		mode = va_arg(va, mode_t);                                                         \
		va_end(va);                                                                        \
	}

int open(const char *path, int flags, ...)
{
	OPEN_MODE(flags)
	return do_open(AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
	OPEN_MODE(flags)
	return do_open(dir, path, flags, mode);
}

int creat(const char *path, mode_t mode)
{
	return do_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

int close(int fd)
{
	fd_forget(fd);
	return real_close(fd);
}

/* -- writing and reading */

/* Into the page cache; through a synchronous descriptor also to the disk. */
static ssize_t put(int fd, const void *p, size_t n, uint64_t off, bool sync_fails)
{
	faulty_writes(fd, fds[fd].file, off, n);
	ssize_t did = real_pwrite(fd, p, n, (off_t)off);
	if (fds[fd].is_dsync)
		faulty_synced(fd, fds[fd].file, off, n, sync_fails);
	return did;
}

/* How much of a write was done when the process ended: up to a sector's boundary. */
static size_t torn(size_t n, uint64_t off)
{
	uint64_t end = off + faulty_mix(armed.seed + off) % (n + 1);

	end -= end % FAULTY_SECTOR;
	return end > off ? (size_t)(end - off) : 0;
}

static ssize_t put_and_end(enum act act, int fd, const void *p, size_t n, uint64_t off)
{
	if (act == DIE || armed.fault == FAULT_LOSE_TORN)
		n = torn(n, off);
	fds[fd].is_dsync = false; /* it does not return, so it promises nothing */
	if (n && !(act == LOSE && armed.fault == FAULT_LOSE_NONE))
		put(fd, p, n, off, false);
	end_process(act);
	return -1;
}

static ssize_t do_write(int fd, const void *p, size_t n, uint64_t off)
{
	int err = 0;
	enum act act = decide(CALL_WRITE, &err);

	switch (act) {
	case DO:
		return put(fd, p, n, off, false);
	case FAIL:
		/* An error may come after a part; a synchronous write may have all in memory. */
		if (err == EIO && n)
			put(fd, p, fds[fd].is_dsync ? n : (n + 1) / 2, off, true);
		errno = err;
		return -1;
	case SHORTEN:
		return put(fd, p, n > 1 ? n / 2 : n, off, false);
	default:
		return put_and_end(act, fd, p, n, off);
	}
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t off)
{
	return is_file(fd) ? do_write(fd, p, n, (uint64_t)off) : real_pwrite(fd, p, n, off);
}

static ssize_t gathered(int fd, const struct iovec *v, int count, uint64_t off)
{
	size_t n = 0, at = 0;

	for (int i = 0; i < count; i++)
		n += v[i].iov_len;
	uint8_t *all =
		mmap(NULL, n + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		faulty_complain("no memory");
	for (int i = 0; i < count; at += v[i++].iov_len)
		memcpy(all + at, v[i].iov_base, v[i].iov_len);
	ssize_t did = do_write(fd, all, n, off);
	int err = errno;
	munmap(all, n + 1);
	errno = err;
	return did;
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t off)
{
	REAL(ssize_t, "pwritev", int, const struct iovec *, int, off_t);
	return is_file(fd) ? gathered(fd, v, n, (uint64_t)off) : real(fd, v, n, off);
}

/* Writes at the file's position, and moves it. */
static ssize_t at_position(int fd, const struct iovec *v, int n)
{
	off_t off = lseek(fd, 0, SEEK_CUR);
	ssize_t did = gathered(fd, v, n, (uint64_t)off);
	int err = errno;

	if (did > 0)
		lseek(fd, off + did, SEEK_SET);
	errno = err;
	return did;
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
	REAL(ssize_t, "writev", int, const struct iovec *, int);
	return is_file(fd) ? at_position(fd, v, n) : real(fd, v, n);
}

ssize_t write(int fd, const void *p, size_t n)
{
	REAL(ssize_t, "write", int, const void *, size_t);
	struct iovec v = {(void *)(uintptr_t)p, n};
	return is_file(fd) ? at_position(fd, &v, 1) : real(fd, p, n);
}

ssize_t pread(int fd, void *p, size_t n, off_t off)
{
	int err = 0;
	enum act act = is_file(fd) ? decide(CALL_READ, &err) : DO;

	if (act == FAIL) {
		errno = err;
		return -1;
	}
	if (act == LOSE || act == DIE)
		end_process(act);
	return real_pread(fd, p, act == SHORTEN && n > 1 ? n / 2 : n, off);
}

ssize_t preadv(int fd, const struct iovec *v, int n, off_t off)
{
	REAL(ssize_t, "preadv", int, const struct iovec *, int, off_t);
	int err = 0;
	enum act act = is_file(fd) ? decide(CALL_READ, &err) : DO;

	if (act == FAIL) {
		errno = err;
		return -1;
	}
	if (act == LOSE || act == DIE)
		end_process(act);
	return real(fd, v, act == SHORTEN && n > 1 ? n / 2 : n, off);
}

void *mmap(void *p, size_t n, int prot, int flags, int fd, off_t off)
{
	REAL(void *, "mmap", void *, size_t, int, int, int, off_t);
	if (is_file(fd) && prot & PROT_WRITE && flags & MAP_SHARED)
		faulty_complain("a shared writable mapping: its writes would not be seen");
	return real(p, n, prot, flags, fd, off);
}

/* -- syncing */

static int do_sync(int fd)
{
	int err = 0;
	enum act act = decide(CALL_SYNC, &err);

	if (act == LOSE || act == DIE)
		end_process(act);
	if (fds[fd].is_file && (act == DO || err != EINTR))
		faulty_synced(fd, fds[fd].file, 0, UINT64_MAX, act == FAIL);
	if (fds[fd].is_folder && act == DO)
		faulty_folder_synced(fds[fd].folder);
	if (act == FAIL)
		errno = err;
	return act == FAIL ? -1 : 0;
}

int fsync(int fd)
{
	REAL(int, "fsync", int);
	return is_watched(fd) ? do_sync(fd) : real(fd);
}

int fdatasync(int fd)
{
	REAL(int, "fdatasync", int);
	return is_watched(fd) ? do_sync(fd) : real(fd);
}

/* It starts or awaits the writing of pages but promises nothing: no metadata, no flush of the disk's cache. */
int sync_file_range(int fd, off_t off, off_t n, unsigned flags)
{
	REAL(int, "sync_file_range", int, off_t, off_t, unsigned);
	return is_watched(fd) ? 0 : real(fd, off, n, flags);
}

/* -- sizes */

int ftruncate(int fd, off_t size)
{
	struct stat sb;
	int err = 0;

	if (!is_file(fd))
		return real_ftruncate(fd, size);
	enum act act = before(CALL_SIZE, &err);
	if (act == FAIL)
		return -1;
	if (fstat(fd, &sb) == 0 && sb.st_size > size)
		faulty_writes(fd, fds[fd].file, (uint64_t)size, (uint64_t)(sb.st_size - size));
	return after(act, real_ftruncate(fd, size));
}

int posix_fallocate(int fd, off_t off, off_t n)
{
	REAL(int, "posix_fallocate", int, off_t, off_t);
	int err = 0;

	if (!is_file(fd))
		return real(fd, off, n);
	enum act act = before(CALL_SIZE, &err);
	return act == FAIL ? err : after(act, real(fd, off, n));
}

int fallocate(int fd, int mode, off_t off, off_t n)
{
	REAL(int, "fallocate", int, int, off_t, off_t);
	int err = 0;

	if (!is_file(fd))
		return real(fd, mode, off, n);
	if (mode & ~FALLOC_FL_KEEP_SIZE)
		faulty_complain("this fallocate is not modelled");
	enum act act = before(CALL_SIZE, &err);
	return act == FAIL ? -1 : after(act, real(fd, mode, off, n));
}

/* -- names */

int unlinkat(int dir, const char *path, int flags)
{
	REAL(int, "unlinkat", int, const char *, int);
	char name[FAULTY_NAME];
	struct stat sb;
	int err = 0;

	if (flags || !faulty_name(folder_of(dir), path, name) || fstatat(dir, path, &sb, 0))
		return real(dir, path, flags);
	int32_t file = faulty_find(name);
	if (file == NO_FILE)
		file = faulty_add(name, (uint64_t)sb.st_size);
	enum act act = before(CALL_REMOVE, &err);
	if (act == FAIL)
		return -1;
	faulty_remove(file);
	return after(act, 0);
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	REAL(int, "renameat", int, const char *, int, const char *);
	char old[FAULTY_NAME], name[FAULTY_NAME];
	int err = 0;

	if (!faulty_name(folder_of(from_dir), from, old) ||
		!faulty_name(folder_of(to_dir), to, name))
		return real(from_dir, from, to_dir, to);
	int32_t file = faulty_find(old), covered = faulty_find(name);
	if (file == NO_FILE)
		faulty_complain("a file is renamed that was not opened");
	enum act act = before(CALL_NAME, &err);
	if (act == FAIL)
		return -1;
	faulty_moves(file, name, covered);
	return after(act, real(from_dir, from, to_dir, to));
}

int rename(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int mkdirat(int dir, const char *path, mode_t mode)
{
	REAL(int, "mkdirat", int, const char *, mode_t);
	char name[FAULTY_NAME];
	struct stat sb;
	int err = 0;

	if (!faulty_name(folder_of(dir), path, name) || fstatat(dir, path, &sb, 0) == 0)
		return real(dir, path, mode);
	enum act act = before(CALL_NAME, &err);
	if (act == FAIL)
		return -1;
	int did = real(dir, path, mode);
	if (did == 0)
		faulty_made_folder(name);
	return after(act, did);
}

int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}
