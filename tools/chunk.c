/*
 * chunk: joining chunks into files (chunk.h, owlt-chunk(5)). What was
 * taken is on disk before it is acknowledged, so a receiver that is killed goes on where it was: the
 * .have file holds one 16-byte record (offset, length) per chunk. Chunks may come twice and in any order.
 * Start reading at chunk_put and chunk_done.
 */
#include "tools/chunk.h"

#include "dtn/io/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RECORD 16

static int write_at(int fd, struct view v, uint64_t off);
static int sync_path(const char *path);
static int note(const char *have, const struct chunk *c);
static int covered(const char *have, uint64_t size, uint64_t *got);
static int sum_file(const char *path, uint8_t sum[SHA256_BYTES]);

void chunk_file_name(struct view name, char *out, size_t cap)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t n = 0;

	for (size_t i = 0; i < name.n && n + 4 <= cap; i++) {
		bool ok = name.p[i] && strchr(plain, name.p[i]) && !(i == 0 && name.p[i] == '.');

		if (ok)
			out[n++] = (char)name.p[i];
		else
			n += (size_t)snprintf(out + n, cap - n, "%%%02X", name.p[i]);
	}
	out[n] = 0;
}

/* DIR/.NAME-SUM.SUFFIX */
static int hidden_path(
	const char *dir, const struct chunk *c, const char *suffix, char path[PATH_MAX])
{
	char name[800], hex[SHA256_HEX];

	chunk_file_name(c->name, name, sizeof name);
	sha256_hex(c->sum, 8, hex);
	return snprintf(path, PATH_MAX, "%s/.%.200s-%s.%s", dir, name, hex, suffix) < PATH_MAX
		       ? 0
		       : -ENAMETOOLONG;
}

int chunk_put(const char *dir, const struct chunk *c, uint64_t off, struct view bytes)
{
	char part[PATH_MAX];
	int err = hidden_path(dir, c, "part", part), fd;

	if (err)
		return err;
	fd = open(part, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	err = write_at(fd, bytes, c->offset + off);
	close(fd);
	return err;
}

int chunk_done(const char *dir, const struct chunk *c, char path[PATH_MAX], uint64_t *got)
{
	char name[800], part[PATH_MAX], have[PATH_MAX];
	uint8_t sum[SHA256_BYTES];
	int err = hidden_path(dir, c, "part", part);

	if (!err)
		err = hidden_path(dir, c, "have", have);
	chunk_file_name(c->name, name, sizeof name);
	if (!err && snprintf(path, PATH_MAX, "%s/%.255s", dir, name) >= PATH_MAX)
		err = -ENAMETOOLONG;
	if (!err)
		err = sync_path(part);
	if (!err)
		err = note(have, c);
	if (!err)
		err = covered(have, c->size, got);
	if (err || *got < c->size)
		return err;
	if (truncate(part, (off_t)c->size)) /* behind it lies what claimed to be of a larger file */
		return -errno;
	err = sync_path(part);
	if (!err)
		err = sum_file(part, sum);
	if (!err && memcmp(sum, c->sum, sizeof sum) != 0)
		err = -E_CRC;
	if (!err && rename(part, path))
		err = -errno;
	if (!err)
		err = file_sync_folder(path); /* before anybody acknowledges the last chunk */
	if (!err || err == -E_CRC)
		unlink(have);
	if (err == -E_CRC)
		unlink(part);
	return err ? err : 1;
}

static int write_at(int fd, struct view v, uint64_t off)
{
	while (v.n > 0) {
		ssize_t n = pwrite(fd, v.p, v.n, (off_t)off);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			v = view_sub(v, (size_t)n, v.n - (size_t)n);
			off += (uint64_t)n;
		}
	}
	return 0;
}

static int sync_path(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = fdatasync(fd) ? -errno : 0;
	close(fd);
	return err;
}

static int note(const char *have, const struct chunk *c)
{
	uint8_t rec[RECORD];
	int fd = open(have, O_WRONLY | O_CREAT | O_CLOEXEC, 0644), err;
	off_t at;

	if (fd < 0)
		return -errno;
	be64_put(rec, c->offset);
	be64_put(rec + 8, c->data.n);
	at = lseek(fd, 0, SEEK_END) / RECORD * RECORD; /* over a record that a crash cut short */
	err = write_at(fd, view_of(rec, sizeof rec), (uint64_t)at);
	if (!err && fdatasync(fd))
		err = -errno;
	close(fd);
	return err || at > 0 ? err : file_sync_folder(have); /* both files are new */
}

static int by_offset(const void *a, const void *b)
{
	return memcmp(a, b, 8);
}

/* How many of the file's bytes the records cover, each counted once. While they can't be all, their sum is enough: they need
 * not be sorted for every chunk of a large file. */
static int covered(const char *have, uint64_t size, uint64_t *got)
{
	struct view v;
	uint64_t upto = 0;
	int err = file_load(have, 256u << 20, &v);

	*got = 0;
	if (err)
		return err;
	for (size_t i = 0; i + RECORD <= v.n && *got < size; i += RECORD)
		*got += be64_get(v.p + i + 8);
	if (*got < size) {
		free((void *)(uintptr_t)v.p);
		return 0;
	}
	*got = 0;
	qsort((void *)(uintptr_t)v.p, v.n / RECORD, RECORD, by_offset);
	for (size_t i = 0; i + RECORD <= v.n; i += RECORD) {
		uint64_t off = be64_get(v.p + i), end = off + be64_get(v.p + i + 8);

		off = off > upto ? off : upto;
		end = end > size ? size : end; /* of a chunk that claimed a larger file */
		*got += end > off ? end - off : 0;
		upto = end > upto ? end : upto;
	}
	free((void *)(uintptr_t)v.p);
	return 0;
}

static int sum_file(const char *path, uint8_t sum[SHA256_BYTES])
{
	uint8_t room[65536];
	struct sha256 s;
	int fd = open(path, O_RDONLY | O_CLOEXEC), err, end;
	ssize_t n;

	if (fd < 0)
		return -errno;
	err = sha256_init(&s);
	while (!err && (n = read(fd, room, sizeof room)) != 0) {
		if (n < 0)
			err = -errno;
		else
			sha256_update(&s, view_of(room, (size_t)n));
	}
	end = sha256_final(&s, sum);
	close(fd);
	return err ? err : end;
}
