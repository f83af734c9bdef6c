/* What only the disk store can do: torn tails, damage, full disks, compaction, two owners. */
#include "tests/unit/store/kit.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct store_limits small = {
	.max_bytes = 1 << 20, .max_bundles = 1000, .max_rows = 1000, .stage_bytes = 1 << 20};

static void path_of(const struct kit *k, const char *name, char *out, size_t n)
{
	snprintf(out, n, "%s/%s", k->dir, name);
}

struct bytes {
	uint8_t *p;
	size_t n;
};

static struct bytes file_read(const char *path)
{
	struct bytes b = {0};
	FILE *f = fopen(path, "rb");

	cr_assert(f, "%s", path);
	fseek(f, 0, SEEK_END);
	b.n = (size_t)ftell(f);
	rewind(f);
	b.p = malloc(b.n + 1);
	cr_assert_eq(fread(b.p, 1, b.n, f), b.n);
	fclose(f);
	return b;
}

static void file_write(const char *path, struct bytes b)
{
	FILE *f = fopen(path, "wb");

	cr_assert(f);
	cr_assert_eq(fwrite(b.p, 1, b.n, f), b.n);
	cr_assert_eq(fclose(f), 0);
}

/* The segment with the highest generation in it, and where its written part ends. */
static void written(const struct kit *k, char *path, size_t n, size_t *end)
{
	DIR *d = opendir(k->dir);
	*end = 0;

	for (struct dirent *e; (e = readdir(d));) {
		char one[600];

		if (strncmp(e->d_name, "seg-", 4))
			continue;
		path_of(k, e->d_name, one, sizeof one);
		struct bytes b = file_read(one);
		size_t at = b.n;
		while (at > 0 && b.p[at - 1] == 0)
			at--;
		if (at > *end) {
			*end = at;
			snprintf(path, n, "%s", one);
		}
		free(b.p);
	}
	closedir(d);
}

/* Two batches; the second is then damaged: all of the first, and all or nothing of the second. */
static void torn_prepare(struct kit *k, uint64_t *id, size_t *from, char *path, size_t n)
{
	size_t end;

	kit_open(k, KIT_DISK, &small);
	id[0] = kit_put(k, 1, 50);
	id[1] = kit_put(k, 2, 70);
	kit_row(k, STORE_PAIR, 1, "first");
	kit_commit(k);
	written(k, path, n, from);
	kit_put(k, 3, 40);
	kit_update(k, id[0], 30);
	store_delete(k->st, id[1]);
	kit_row(k, STORE_TOMB, 9, "nine");
	kit_commit(k);
	store_close(k->st);
	written(k, path, n, &end);
	cr_assert_gt(end, *from);
}

static void torn_expect(struct kit *k, const uint64_t *id, size_t at, bool may_be_whole)
{
	struct view v;
	int err = store_disk_open(k->dir, &k->limits, &k->st);

	cr_assert_eq(err, 0, "damage at %zu: %s", at, err_text(err));
	kit_expect_row(k, STORE_PAIR, 1, "first");
	bool is_whole = store_value(k->st, STORE_TOMB, 9, &v) == 0;
	cr_assert(!is_whole || may_be_whole, "a damaged batch counted: byte %zu", at);
	kit_expect(k, id[0], 1, 50, is_whole ? 30 : 1);
	if (is_whole)
		kit_expect_gone(k, id[1]);
	else
		kit_expect(k, id[1], 2, 70, 2);
	cr_assert_eq(kit_count(k, STORE_BUNDLE), 2);
	/* And it goes on from there. */
	uint64_t next = kit_put(k, 5, 99);
	kit_commit(k);
	kit_crash(k);
	kit_expect(k, next, 5, 99, 5);
	cr_assert_eq(kit_count(k, STORE_BUNDLE), 3);
	store_close(k->st);
}

/* Damages byte `at` in one of two ways on a copy of the folder as it was after the second batch. */
static void torn_try(struct kit *k, struct bytes seg, struct bytes index, const char *path,
	size_t at, bool is_cut)
{
	char name[600];
	uint8_t keep = seg.p[at];

	path_of(k, "index.mdb", name, sizeof name);
	file_write(name, index);
	if (is_cut) {
		uint8_t *copy = calloc(1, seg.n);

		memcpy(copy, seg.p, at);
		file_write(path, (struct bytes){copy, seg.n});
		free(copy);
	} else {
		seg.p[at] ^= 0x40;
		file_write(path, seg);
		seg.p[at] = keep;
	}
}

Test(disk, a_torn_tail_gives_whole_batches_only)
{
	struct kit k;
	uint64_t id[2];
	size_t from, end;
	char path[600], name[600];

	torn_prepare(&k, id, &from, path, sizeof path);
	written(&k, path, sizeof path, &end);
	path_of(&k, "index.mdb", name, sizeof name);
	struct bytes seg = file_read(path), index = file_read(name);
	from = (from + 7) & ~(size_t)7;
	for (size_t at = from; at < end; at++) {
		torn_try(&k, seg, index, path, at, true);
		torn_expect(&k, id, at, false);
		/* Padding between records is not covered by anything, and needs not be. */
		torn_try(&k, seg, index, path, at, false);
		torn_expect(&k, id, at, seg.p[at] == 0);
	}
	free(seg.p);
	free(index.p);
	file_write(path, (struct bytes){(uint8_t *)"", 0});
	store_disk_open(k.dir, &k.limits, &k.st) ? (void)0 : store_close(k.st);
	k.st = NULL;
	kit_close(&k);
}

/* Not a torn tail: a later batch was begun when the damaged one was durable. */
Test(disk, a_damaged_batch_before_the_last_is_noticed)
{
	struct kit k;
	char path[600];
	size_t end[4];
	struct store *st;

	kit_open(&k, KIT_DISK, &small);
	for (unsigned i = 0; i < 4; i++) {
		kit_put(&k, i, 100);
		kit_commit(&k);
		written(&k, path, sizeof path, &end[i]);
	}
	store_close(k.st);
	struct bytes b = file_read(path);
	for (size_t at = end[0] + 8; at < end[2]; at += 13) {
		uint8_t keep = b.p[at];

		if (keep == 0)
			continue; /* perhaps padding */
		b.p[at] ^= 1;
		file_write(path, b);
		b.p[at] = keep;
		cr_assert_eq(store_disk_open(k.dir, &small, &st), -E_CORRUPT, "byte %zu", at);
	}
	file_write(path, b);
	free(b.p);
	cr_assert_eq(store_disk_open(k.dir, &small, &k.st), 0);
	cr_assert_eq(kit_count(&k, STORE_BUNDLE), 4);
	kit_close(&k);
}

Test(disk, one_owner_at_a_time)
{
	struct kit k;
	struct store *other;

	kit_open(&k, KIT_DISK, &small);
	cr_assert_eq(store_disk_open(k.dir, &small, &other), -EBUSY);
	store_close(k.st);
	cr_assert_eq(store_disk_open(k.dir, &small, &k.st), 0);
	cr_assert_eq(store_disk_open("build/no/such/folder", &small, &other), -ENOENT);
	kit_close(&k);
}

Test(disk, damaged_bytes_are_not_given_out)
{
	struct kit k;
	char path[600];
	size_t end;
	struct view v;

	kit_open(&k, KIT_DISK, &small);
	uint64_t id = kit_put(&k, 1, 3000);
	kit_commit(&k);
	kit_crash(&k); /* now the index knows it */
	store_close(k.st);
	written(&k, path, sizeof path, &end);
	struct bytes b = file_read(path);
	b.p[2000] ^= 1;
	file_write(path, b);
	free(b.p);
	cr_assert_eq(store_disk_open(k.dir, &small, &k.st), 0);
	cr_assert_eq(store_payload(k.st, (struct slice){id, 0, 10}, &v), -E_CORRUPT);
	cr_assert_eq(store_head(k.st, id, &v), -E_CORRUPT);
	cr_assert_eq(store_value(k.st, STORE_BUNDLE, id, &v), 0);
	store_delete(k.st, id);
	kit_commit(&k);
	cr_assert_eq(kit_count(&k, STORE_BUNDLE), 0);
	kit_close(&k);
}

/* Bytes [off, off + n) of the payload that kit_put(k, seed, ...) makes. */
static void expect_slice(struct kit *k, uint64_t id, unsigned seed, size_t off, size_t n)
{
	struct view v;

	cr_assert_eq(store_payload(k->st, (struct slice){id, off, n}, &v), 0, "at %zu", off);
	cr_assert_eq(v.n, n);
	for (size_t i = off; i < off + n; i++)
		cr_assert_eq(v.p[i - off], (uint8_t)(seed * 31 + i + (i >> 8)), "byte %zu", i);
}

/* Of a long record only what is asked for comes to memory: in order, back and forth, over a window's
 * end, all of it; what was given before lives until the turn. */
Test(disk, slices_of_a_long_payload)
{
	static const size_t at[][2] = {{0, 1}, {0, 1400}, {1400, 1400}, {299999, 1},
		{150000, 70000}, {65000, 1000}, {65535, 2}, {10, 0}, {300000, 0}, {0, 300000},
		{1, 299999}};
	struct store_limits l = small;
	struct view first, again, v;
	struct kit k;

	l.max_bytes = l.stage_bytes = 4 << 20;
	kit_open(&k, KIT_DISK, &l);
	uint64_t id = kit_put(&k, 7, 300000);
	kit_commit(&k);
	kit_update(&k, id, 9); /* the record's own value is an older one */
	kit_commit(&k);
	kit_crash(&k);
	cr_assert_eq(store_payload(k.st, (struct slice){id, 1000, 500}, &first), 0);
	for (size_t i = 0; i < sizeof at / sizeof at[0]; i++)
		expect_slice(&k, id, 7, at[i][0], at[i][1]);
	cr_assert_eq(first.p[0], (uint8_t)(7 * 31 + 1000 + 3), "until the turn");
	for (size_t off = 0; off < 300000; off += 1500) {
		expect_slice(&k, id, 7, off, 1500);
		store_turn(k.st);
	}
	cr_assert_eq(store_payload(k.st, (struct slice){id, 5, 10}, &first), 0);
	cr_assert_eq(store_payload(k.st, (struct slice){id, 20, 10}, &again), 0);
	cr_assert_eq(again.p, first.p + 15, "one window serves both");
	cr_assert_eq(store_payload(k.st, (struct slice){id, 300000, 1}, &v), -E_RANGE);
	cr_assert_eq(store_payload(k.st, (struct slice){id, 1, 300000}, &v), -E_RANGE);
	kit_expect(&k, id, 7, 300000, 9);
	kit_close(&k);
}

/* Each part of a long payload has its checksum: no slice is given out that was damaged. */
Test(disk, damage_in_a_long_payload_is_noticed_in_each_slice_that_has_it)
{
	struct store_limits l = small;
	char path[600];
	struct kit k;
	struct view v;
	size_t end;

	l.max_bytes = l.stage_bytes = 4 << 20;
	kit_open(&k, KIT_DISK, &l);
	uint64_t id = kit_put(&k, 1, 300000);
	kit_commit(&k);
	kit_crash(&k);
	store_close(k.st);
	written(&k, path, sizeof path, &end);
	struct bytes b = file_read(path);
	b.p[250000] ^= 1;
	file_write(path, b);
	cr_assert_eq(store_disk_open(k.dir, &l, &k.st), 0);
	cr_assert_eq(store_payload(k.st, (struct slice){id, 0, 300000}, &v), -E_CORRUPT);
	expect_slice(&k, id, 1, 0, 10);
	expect_slice(&k, id, 1, 299000, 10);
	cr_assert_eq(store_payload(k.st, (struct slice){id, 249000, 2000}, &v), -E_CORRUPT);
	cr_assert_eq(store_payload(k.st, (struct slice){id, 240000, 1}, &v), -E_CORRUPT);
	expect_slice(&k, id, 1, 0, 200000);
	store_close(k.st);
	b.p[250000] ^= 1;
	/* What tells of the payload is checked first, whatever is asked for. */
	const size_t sums = 56 + 48 + 40 + 120 + 300000; /* behind value, head and payload */
	for (size_t at = 56 + 48; at < sums + 40; at = at < 200    ? at + 7
						       : at < sums ? sums
								   : at + 13) {
		b.p[at] ^= 1;
		file_write(path, b);
		cr_assert_eq(store_disk_open(k.dir, &l, &k.st), 0);
		cr_assert_eq(store_payload(k.st, (struct slice){id, 0, 10}, &v), -E_CORRUPT);
		store_close(k.st);
		b.p[at] ^= 1;
	}
	file_write(path, b);
	free(b.p);
	cr_assert_eq(store_disk_open(k.dir, &l, &k.st), 0);
	kit_expect(&k, id, 1, 300000, 1);
	kit_close(&k);
}

/* A walk over more than the cache holds: heads come alone then, are right, and live until the turn. */
Test(disk, many_heads_in_one_turn)
{
	struct kit k;
	struct view head[200];
	uint64_t id[200];

	kit_open(&k, KIT_DISK, NULL);
	for (unsigned i = 0; i < 200; i++)
		id[i] = kit_put(&k, i, 60000);
	kit_commit(&k);
	kit_crash(&k);
	for (unsigned i = 0; i < 200; i++)
		cr_assert_eq(store_head(k.st, id[i], &head[i]), 0);
	for (unsigned i = 0; i < 200; i++)
		for (size_t at = 0; at < head[i].n; at++)
			cr_assert_eq(head[i].p[at], (uint8_t)((i + 2000) * 31 + at));
	for (unsigned i = 0; i < 200; i++)
		kit_expect(&k, id[i], i, 60000, i);
	store_turn(k.st);
	for (unsigned i = 200; i-- > 0;)
		kit_expect(&k, id[i], i, 60000, i);
	kit_close(&k);
}

Test(disk, larger_than_a_segment)
{
	struct store_limits l = small;
	struct kit k;

	l.max_bytes = l.stage_bytes = 4 << 20;
	kit_open(&k, KIT_DISK, &l);
	uint64_t a = kit_put(&k, 1, 1500000), b = kit_put(&k, 2, 100);
	kit_commit(&k);
	kit_crash(&k);
	kit_expect(&k, a, 1, 1500000, 1);
	kit_expect(&k, b, 2, 100, 2);
	store_delete(k.st, a);
	kit_commit(&k);
	for (unsigned i = 0; i < 10; i++)
		kit_put(&k, i, 100000);
	kit_commit(&k);
	kit_crash(&k);
	cr_assert_eq(kit_count(&k, STORE_BUNDLE), 11);
	kit_close(&k);
}

/* A folder's size in bytes. */
static uint64_t folder_size(const struct kit *k)
{
	DIR *d = opendir(k->dir);
	uint64_t n = 0;

	for (struct dirent *e; (e = readdir(d));) {
		char path[600];
		struct stat sb;

		path_of(k, e->d_name, path, sizeof path);
		if (e->d_name[0] == 's' && stat(path, &sb) == 0)
			n += (uint64_t)sb.st_size;
	}
	closedir(d);
	return n;
}

/* Far more is written than the limit: segments are used again, and a few long-lived bundles in each of
 * them are moved out of the way. */
Test(disk, segments_are_recycled_and_compacted)
{
	struct kit k;
	uint64_t kept[64], id[20];
	size_t n_kept = 0;

	kit_open(&k, KIT_DISK, &small);
	for (unsigned round = 0; round < 400; round++) {
		for (unsigned i = 0; i < 20; i++)
			id[i] = kit_put(&k, i, 4000);
		if (round % 8 == 0)
			kept[n_kept++] = kit_put(&k, round, 3000);
		kit_commit(&k);
		store_turn(k.st);
		if (round % 16 == 0)
			kit_update(&k, kept[round / 16], 5);
		for (unsigned i = 0; i < 20; i++)
			store_delete(k.st, id[i]);
		kit_commit(&k);
		if (round % 50 == 49)
			kit_crash(&k);
	}
	cr_assert_eq(kit_count(&k, STORE_BUNDLE), n_kept);
	for (size_t i = 0; i < n_kept; i++)
		kit_expect(&k, kept[i], (unsigned)i * 8, 3000, i < 25 ? 5 : (unsigned)i * 8);
	cr_assert_lt(folder_size(&k), 5 << 20, "%lu", (unsigned long)folder_size(&k));
	kit_close(&k);
}

/* One round of what makes segments fill and empty again. */
static void churn(struct kit *k)
{
	uint64_t id[20];

	for (unsigned i = 0; i < 20; i++)
		id[i] = kit_put(k, i, 4000);
	kit_commit(k);
	store_turn(k->st);
	for (unsigned i = 0; i < 20; i++)
		store_delete(k->st, id[i]);
	kit_commit(k);
	store_turn(k->st);
}

/* Records longer than the buffer they are moved through; one of them is damaged and stays. */
Test(disk, long_records_are_moved_and_damaged_ones_stay)
{
	struct kit k;
	uint64_t kept[4];
	char path[600];
	struct view v;
	size_t end;

	kit_open(&k, KIT_DISK, &small);
	for (unsigned i = 0; i < 4; i++) {
		kept[i] = kit_put(&k, i, 100000 + i);
		kit_commit(&k);
		kit_update(&k, kept[i], i + 50); /* the moved record has the newer value */
		kit_commit(&k);
		if (i == 0) {
			kit_crash(&k); /* now the index knows it */
			written(&k, path, sizeof path, &end);
			struct bytes b = file_read(path);
			b.p[90000] ^= 1;
			file_write(path, b);
			free(b.p);
		}
		for (unsigned round = 0; round < 10; round++)
			churn(&k);
	}
	for (unsigned round = 0; round < 100; round++) {
		churn(&k);
		if (round % 30 == 29)
			kit_crash(&k);
	}
	cr_assert_eq(kit_count(&k, STORE_BUNDLE), 4);
	cr_assert_eq(store_payload(k.st, (struct slice){kept[0], 0, 100000}, &v), -E_CORRUPT);
	for (unsigned i = 1; i < 4; i++)
		kit_expect(&k, kept[i], i, 100000 + i, i + 50);
	cr_assert_lt(folder_size(&k), 5 << 20, "%lu", (unsigned long)folder_size(&k));
	kit_close(&k);
}

/* No room for another segment: the batch fails, what was not spoken is deleted, and the store goes on. */
Test(disk, no_space_fails_the_batch_and_not_the_store)
{
	enum { N = 30000 };
	struct store_limits l = small;
	struct store_event ev;
	struct kit k;
	char text[200];

	l.max_rows = N;
	kit_open(&k, KIT_DISK, &l);
	uint64_t first = kit_put(&k, 1, 100);
	kit_commit(&k);
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = 0;
	uint64_t more = kit_put(&k, 2, 100);
	for (uint64_t i = 1; i <= N; i++)
		kit_row(&k, STORE_TOMB, i, text);
	for (int i = 0; i < 2; i++) {
		struct store_batch *b = store_commit_begin(k.st);
		int err = store_commit_run(b);
		cr_assert_eq(err, -ENOSPC, "%s", err_text(err));
		store_commit_end(k.st, b, err);
		cr_assert(store_event(k.st, &ev));
		cr_assert_eq(ev.type, STORE_COMMIT_FAILED);
		cr_assert(store_is_dirty(k.st));
		cr_assert(!kit_stats(&k).is_closed);
	}
	for (uint64_t i = 2; i <= N; i++)
		store_row_delete(k.st, STORE_TOMB, i);
	kit_commit(&k);
	kit_crash(&k);
	kit_expect(&k, first, 1, 100, 1);
	kit_expect(&k, more, 2, 100, 2);
	cr_assert_eq(kit_count(&k, STORE_TOMB), 1);
	kit_close(&k);
}

/* A real one, from write(2): files may not grow beyond 8 kB here. */
Test(disk, a_write_error_closes_the_store)
{
	struct rlimit before, limit;
	struct store_event ev;
	struct kit k;
	uint64_t id;

	kit_open(&k, KIT_DISK, &small);
	uint64_t first = kit_put(&k, 1, 100);
	kit_commit(&k);
	kit_put(&k, 2, 100000);
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 8192;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	struct store_batch *b = store_commit_begin(k.st);
	int err = store_commit_run(b);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	cr_assert_eq(err, -EFBIG);
	store_commit_end(k.st, b, err);
	cr_assert(store_event(k.st, &ev));
	cr_assert_eq(ev.type, STORE_COMMIT_FAILED);
	cr_assert(kit_stats(&k).is_closed);
	cr_assert_eq(kit_try_put(&k, 3, 10, 0, &id), -E_CLOSED);
	cr_assert_null(store_commit_begin(k.st));
	kit_expect(&k, first, 1, 100, 1);
	kit_crash(&k);
	cr_assert_eq(kit_count(&k, STORE_BUNDLE), 1);
	kit_expect(&k, first, 1, 100, 1);
	kit_put(&k, 3, 100000);
	kit_commit(&k);
	kit_close(&k);
}

Test(disk, the_index_follows_at_checkpoints)
{
	struct kit k;
	struct store_limits l = {.max_bytes = 64 << 20,
		.max_bundles = 1000,
		.max_rows = 4000,
		.stage_bytes = 8 << 20};

	kit_open(&k, KIT_DISK, &l);
	for (unsigned round = 0; round < 25; round++) {
		for (uint64_t i = 1; i <= 500; i++)
			kit_row(&k, STORE_TOMB, i * 7919 % 3000 + 1, "a row that changes often");
		kit_put(&k, round, 1000);
		kit_commit(&k);
	}
	size_t rows = kit_count(&k, STORE_TOMB);
	kit_crash(&k);
	cr_assert_eq(kit_count(&k, STORE_TOMB), rows);
	cr_assert_eq(kit_count(&k, STORE_BUNDLE), 25);
	kit_close(&k);
}

/* A copy somebody left there, under a name that is nearly one of ours. */
Test(disk, other_files_are_let_alone)
{
	static const char *const names[] = {"seg-1.log", "seg-99.log", "seg--0000001.log",
		"seg-00000001.log.old", "seg-000000001.log", "seg-.log"};
	char path[600];
	struct kit k;

	kit_open(&k, KIT_DISK, &small);
	uint64_t id = kit_put(&k, 1, 100);
	kit_commit(&k);
	path_of(&k, "seg-00000001.log", path, sizeof path);
	struct bytes copy = file_read(path);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		path_of(&k, names[i], path, sizeof path);
		file_write(path, copy);
		kit_crash(&k);
		kit_expect(&k, id, 1, 100, 1);
		cr_assert_eq(access(path, F_OK), 0);
		unlink(path);
	}
	free(copy.p);
	kit_close(&k);
}

Test(disk, what_is_not_ours_is_refused)
{
	struct kit k;
	char path[600];
	struct store *st;

	kit_open(&k, KIT_DISK, &small);
	kit_put(&k, 1, 100);
	kit_commit(&k);
	store_close(k.st);
	path_of(&k, "index.mdb", path, sizeof path);
	struct bytes index = file_read(path);
	unlink(path);
	cr_assert_eq(
		store_disk_open(k.dir, &small, &st), -E_CORRUPT, "segments without their index");
	file_write(
		path, (struct bytes){
			      (uint8_t *)"this is not LMDB, but it is long enough to look at it"
					 "........................................................"
					 "........................................................",
			      160});
	cr_assert_neq(store_disk_open(k.dir, &small, &st), 0);
	file_write(path, index);
	cr_assert_eq(store_disk_open(k.dir, &small, &k.st), 0);
	free(index.p);
	kit_close(&k);
}

/* The writer runs in a thread of its own while the loop stages, reads and deletes (for -fsanitize=thread). */
struct writer {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct store_batch *b;
	bool is_done, stop;
	int err;
};

static void *writer_main(void *arg)
{
	struct writer *w = arg;

	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		if (!w->b || w->is_done) {
			pthread_cond_wait(&w->cond, &w->lock);
			continue;
		}
		pthread_mutex_unlock(&w->lock);
		int err = store_commit_run(w->b);
		pthread_mutex_lock(&w->lock);
		w->err = err;
		w->is_done = true;
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static bool writer_poll(struct kit *k, struct writer *w)
{
	struct store_event ev;
	bool ended = false;

	pthread_mutex_lock(&w->lock);
	if (w->b && w->is_done) {
		store_commit_end(k->st, w->b, w->err);
		w->b = NULL;
		ended = true;
	}
	if (!w->b && (w->b = store_commit_begin(k->st))) {
		w->is_done = false;
		pthread_cond_signal(&w->cond);
	}
	bool is_idle = !w->b;
	pthread_mutex_unlock(&w->lock);
	if (ended) {
		cr_assert(store_event(k->st, &ev));
		cr_assert_eq(ev.type, STORE_COMMITTED);
	}
	return is_idle;
}

Test(disk, the_loop_works_while_the_writer_writes)
{
	struct kit k;
	struct writer w = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
	pthread_t thread;
	enum { N = 2000, WINDOW = 100 };
	uint64_t id[N];

	kit_open(&k, KIT_DISK, &small);
	cr_assert_eq(pthread_create(&thread, NULL, writer_main, &w), 0);
	for (unsigned i = 0; i < N; i++) {
		id[i] = kit_put(&k, i, 1000 + i % 700);
		if (i >= WINDOW / 2)
			kit_update(&k, id[i - WINDOW / 2], i);
		if (i >= WINDOW) {
			unsigned old = i - WINDOW;

			kit_expect(&k, id[old], old, 1000 + old % 700, old + WINDOW / 2);
			store_delete(k.st, id[old]);
		}
		writer_poll(&k, &w);
		store_turn(k.st);
	}
	while (!writer_poll(&k, &w))
		;
	pthread_mutex_lock(&w.lock);
	w.stop = true;
	pthread_cond_signal(&w.cond);
	pthread_mutex_unlock(&w.lock);
	pthread_join(thread, NULL);
	kit_crash(&k);
	cr_assert_eq(kit_count(&k, STORE_BUNDLE), WINDOW);
	kit_close(&k);
}
