/*
 * keyfile: reading with strict permissions, writing with mode 0600 (keyfile.h).
 *
 * The permissions are asked of the opened file, not of its name, so nothing can be put in its place
 * between. A file is written under another name and renamed: it is there whole or as it was. Start
 * reading at keyfile_load().
 */
#include "dtn/io/keyfile.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int permissions_check(
	const struct stat *st, const struct keyring *ring, struct keyring_fault *fault);
static int read_all(int fd, uint8_t *bytes, size_t *n);
static int ring_save(const char *path, const struct keyring *ring);

int keyfile_load(const char *path, struct keyring **out, struct keyring_fault *fault)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), err;
	uint8_t *bytes = NULL;
	struct stat st;
	size_t n = 0;

	*fault = (struct keyring_fault){0};
	*out = NULL;
	err = fd < 0 || fstat(fd, &st) ? -errno : permissions_check(&st, NULL, fault);
	if (!err)
		bytes = malloc(KEYFILE_MAX + 1);
	if (!err && !bytes)
		err = -ENOMEM;
	if (!err)
		err = read_all(fd, bytes, &n);
	if (!err)
		err = keyring_parse(view_of(bytes, n), out, fault);
	if (!err)
		err = permissions_check(&st, *out, fault);
	if (err) {
		keyring_free(*out);
		*out = NULL;
	}
	if (bytes)
		crypto_wipe(bytes, n);
	free(bytes);
	if (fd >= 0)
		close(fd);
	if (err && !*fault->text)
		snprintf(fault->text, sizeof fault->text, "%s", err_text(err));
	return err;
}

int keyfile_add(const char *path, const struct key *key, struct keyring_fault *fault)
{
	struct keyring *ring = NULL;
	int err = keyfile_load(path, &ring, fault);

	if (err == -ENOENT) {
		*fault = (struct keyring_fault){0};
		ring = keyring_new();
		err = ring ? 0 : -ENOMEM;
	}
	err = err ? err : keyring_add(ring, key);
	err = err ? err : ring_save(path, ring);
	keyring_free(ring);
	if (err && !*fault->text)
		snprintf(fault->text, sizeof fault->text, "%s", err_text(err));
	return err;
}

static bool has_secrets(const struct keyring *ring)
{
	for (unsigned k = 0; k < keyring_count(ring); k++)
		if (keyring_at(ring, k)->n_secret)
			return true;
	return false;
}

/* ring NULL: before it was read; then only what is wrong whatever it holds. */
static int permissions_check(
	const struct stat *st, const struct keyring *ring, struct keyring_fault *fault)
{
	const char *what = NULL;

	if (!S_ISREG(st->st_mode))
		what = "it is no plain file";
	else if (st->st_uid != geteuid() && st->st_uid != 0)
		what = "it belongs to another user";
	else if (st->st_mode & (S_IWGRP | S_IWOTH))
		what = "others may write it; chmod 600 it";
	else if (ring && has_secrets(ring) && st->st_mode & (S_IRWXG | S_IRWXO))
		what = "it has secrets and others may read it; chmod 600 it";
	if (!what)
		return 0;
	snprintf(fault->text, sizeof fault->text, "not trusted as a key file: %s", what);
	return -EACCES;
}

static int read_all(int fd, uint8_t *bytes, size_t *n)
{
	ssize_t got = 1;

	while (got > 0 && *n <= KEYFILE_MAX) {
		got = read(fd, bytes + *n, KEYFILE_MAX + 1 - *n);
		if (got < 0 && errno != EINTR)
			return -errno;
		if (got < 0)
			got = 1;
		else
			*n += (size_t)got;
	}
	return *n > KEYFILE_MAX ? -E_LIMIT : 0;
}

/* Bytes into a new file of mode 0600, on disk. */
static int part_write(const char *part, struct view v)
{
	int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), err = 0;

	if (fd < 0)
		return -errno;
	while (!err && v.n > 0) {
		ssize_t n = write(fd, v.p, v.n);
		if (n >= 0)
			v = view_sub(v, (size_t)n, v.n - (size_t)n);
		else if (errno != EINTR)
			err = -errno;
	}
	if (!err && fsync(fd))
		err = -errno;
	close(fd);
	return err;
}

static int ring_save(const char *path, const struct keyring *ring)
{
	char part[PATH_MAX];
	struct buf b = {0};
	int err = 0;

	if (snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part)
		return -ENAMETOOLONG;
	keyring_write(&b, ring, true);
	b = buf_of(malloc(b.len), b.len);
	if (!b.p)
		return -ENOMEM;
	keyring_write(&b, ring, true);
	err = b.len > KEYFILE_MAX ? -E_LIMIT : part_write(part, buf_view(&b));
	crypto_wipe(b.p, b.cap);
	free(b.p);
	if (!err && rename(part, path))
		err = -errno;
	if (err && err != -EEXIST)
		unlink(part);
	return err;
}
