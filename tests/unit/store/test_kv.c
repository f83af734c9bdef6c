/* The index's file where things are against it: limits that were lowered, a file that was cut, a full disk. */
#include "tests/unit/store/kit.h"

#include "dtn/store/kv.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROWS = 8000, KIND = STORE_TOMB };

static const struct store_limits small = {
	.max_bytes = 1 << 20, .max_bundles = 1000, .max_rows = 1000, .stage_bytes = 1 << 20};

static void path_of(const struct kit *k, char path[600])
{
	snprintf(path, 600, "%s/index.mdb", k->dir);
}

static void put_rows(struct kv *kv, uint64_t from, uint64_t n, uint8_t fill)
{
	uint8_t v[200];

	memset(v, fill, sizeof v);
	cr_assert_eq(kv_begin(kv), 0);
	for (uint64_t i = from; i < from + n; i++)
		cr_assert_eq(kv_put(kv, KIND, i, view_of(v, sizeof v)), 0);
}

static int count(void *arg, uint8_t kind, uint64_t id, struct view v)
{
	size_t *n = arg;

	(void)id, (void)v;
	*n += kind == KIND;
	return 0;
}

static size_t n_rows(struct kv *kv)
{
	size_t n = 0;

	cr_assert_eq(kv_begin(kv), 0);
	cr_assert_eq(kv_each(kv, count, &n), 0);
	kv_abort(kv);
	return n;
}

/* A folder with an index of about 2 MB that nobody has open. */
static void prepare(struct kit *k, char path[600])
{
	struct kv *kv;

	kit_open(k, KIT_DISK, &small);
	store_close(k->st);
	path_of(k, path);
	unlink(path);
	cr_assert_eq(kv_open(path, 64 << 20, &kv), 0);
	put_rows(kv, 1, ROWS, 1);
	cr_assert_eq(kv_commit(kv), 0);
	kv_close(kv);
}

/* Its segments belong to another index. */
static void end(struct kit *k, const char *path)
{
	char segment[600];

	unlink(path);
	for (unsigned i = 1; i < 10; i++) {
		snprintf(segment, sizeof segment, "%s/seg-%08u.log", k->dir, i);
		unlink(segment);
	}
	cr_assert_eq(store_disk_open(k->dir, &k->limits, &k->st), 0);
	kit_close(k);
}

/* It was refused with "no space" then, for ever. */
Test(kv, an_index_above_its_limit_can_be_emptied)
{
	char path[600];
	struct kit k;
	struct kv *kv;

	prepare(&k, path);
	for (int again = 0; again < 2; again++) {
		cr_assert_eq(kv_open(path, 1 << 20, &kv), 0);
		put_rows(kv, 1, ROWS, (uint8_t)again);
		cr_assert_eq(kv_commit(kv), 0);
		kv_close(kv);
	}
	cr_assert_eq(kv_open(path, 1 << 20, &kv), 0);
	cr_assert_eq(n_rows(kv), ROWS);
	cr_assert_eq(kv_begin(kv), 0);
	for (uint64_t i = 1; i <= ROWS; i++)
		cr_assert_eq(kv_delete(kv, KIND, i), 0);
	cr_assert_eq(kv_commit(kv), 0);
	cr_assert_eq(n_rows(kv), 0);
	kv_close(kv);
	end(&k, path);
}

/* Not by a SIGBUS. */
Test(kv, a_file_that_was_cut_is_refused)
{
	char path[600];
	struct stat sb;
	struct kit k;
	struct kv *kv;

	prepare(&k, path);
	cr_assert_eq(stat(path, &sb), 0);
	for (off_t n = sb.st_size - (300 << 10); n > 8192; n -= 200 << 10) {
		cr_assert_eq(truncate(path, n), 0);
		cr_assert_eq(kv_open(path, 64 << 20, &kv), -E_CORRUPT, "%ld", (long)n);
	}
	end(&k, path);
}

/* Blocks allocated before are there when the disk has no more: here the file may not grow. */
Test(kv, room_is_there_when_the_disk_is_full)
{
	struct rlimit before, limit;
	char path[600];
	struct stat sb;
	struct kit k;
	struct kv *kv;

	prepare(&k, path);
	cr_assert_eq(kv_open(path, 64 << 20, &kv), 0);
	kv_room(kv, 1 << 20);
	cr_assert_eq(stat(path, &sb), 0);
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)sb.st_size;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	put_rows(kv, ROWS + 1, 2000, 3); /* 400 kB */
	int err = kv_commit(kv);
	kv_room(kv, 1 << 20); /* in vain, and no harm */
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	cr_assert_eq(err, 0, "%s", err_text(err));
	cr_assert_eq(n_rows(kv), ROWS + 2000);
	kv_close(kv);
	end(&k, path);
}

Test(kv, a_store_keeps_such_room)
{
	char path[600];
	struct stat sb;
	struct kit k;

	kit_open(&k, KIT_DISK, &small);
	path_of(&k, path);
	cr_assert_eq(stat(path, &sb), 0);
	cr_assert_geq(sb.st_blocks * 512, 1 << 20);
	for (uint64_t i = 1; i <= 1000; i++) /* checkpoints */
		kit_row(&k, STORE_TOMB, i, "a row");
	for (int i = 0; i < 20; i++) {
		kit_put(&k, (unsigned)i, 10);
		kit_commit(&k);
	}
	cr_assert_eq(stat(path, &sb), 0);
	cr_assert_geq(sb.st_blocks * 512, 1 << 20);
	kit_close(&k);
}
