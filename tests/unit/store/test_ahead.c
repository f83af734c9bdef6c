/* Bundles whose bytes are asked for ahead: those that lie together come with the first of them, and each is
 * checked and told of by itself. What is in memory is seen by spoiling the disk behind it. */
#include "dtn/store/record.h"
#include "tests/unit/store/kit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N = 40, SIZE = 1000 };

/* Flips a bit of the last payload byte of the bundle's record in this file, if it is there. */
static bool spoil_in(int fd, uint64_t id)
{
	struct stat is;
	struct record r;
	uint64_t at = 0, size;
	bool found = false;

	cr_assert_eq(fstat(fd, &is), 0);
	size_t n = (size_t)is.st_size;
	uint8_t *p = malloc(n + 1);
	cr_assert_eq(pread(fd, p, n, 0), (ssize_t)n);
	for (; !found && record_read(view_of(p + at, n - at), &r, &size) == 0; at += size)
		if (r.type == RECORD_PUT && r.id == id) {
			size_t last = (size_t)(r.payload.p - p) + r.payload.n - 1;

			p[last] ^= 1;
			cr_assert_eq(pwrite(fd, p + last, 1, (off_t)last), 1);
			found = true;
		}
	free(p);
	return found;
}

static void spoil(const struct kit *k, uint64_t id)
{
	DIR *d = opendir(k->dir);
	bool found = false;

	for (struct dirent *e; (e = readdir(d)) && !found;) {
		int fd = strncmp(e->d_name, "seg-", 4) == 0 ? openat(dirfd(d), e->d_name, O_RDWR)
							    : -1;

		if (fd >= 0) {
			found = spoil_in(fd, id);
			close(fd);
		}
	}
	closedir(d);
	cr_assert(found, "bundle %lu", (unsigned long)id);
}

static void stored(struct kit *k, uint64_t id[N])
{
	kit_open(k, KIT_DISK, NULL);
	for (unsigned i = 0; i < N; i++)
		id[i] = kit_put(k, i, SIZE);
	kit_commit(k);
	kit_crash(k); /* nothing of them is in memory */
}

static int payload(struct kit *k, uint64_t id)
{
	struct view v;

	return store_payload(k->st, (struct slice){id, 0, SIZE}, &v);
}

Test(ahead, what_lies_together_comes_together)
{
	uint64_t id[N];
	struct kit k;

	stored(&k, id);
	cr_assert(store_reads_ahead(k.st));
	store_ahead(k.st, id, N);
	store_ahead(k.st, id, N);
	kit_expect(&k, id[0], 0, SIZE, 0);
	spoil(&k, id[32]); /* from behind: what lies behind a spoiled one is not found */
	spoil(&k, id[31]);
	spoil(&k, id[1]);
	for (unsigned i = 1; i < 32; i++)
		kit_expect(&k, id[i], i, SIZE, i);
	store_turn(k.st);
	kit_expect(&k, id[31], 31, SIZE, 31);
	cr_assert_eq(payload(&k, id[32]), -E_CORRUPT, "32 at a time");
	for (unsigned i = 33; i < N; i++)
		kit_expect(&k, id[i], i, SIZE, i);
	kit_close(&k);
}

Test(ahead, nothing_comes_that_was_not_asked_for)
{
	uint64_t id[N];
	struct kit k;

	stored(&k, id);
	store_ahead(k.st, id, 2);
	store_ahead(k.st, id + 3, 2);
	kit_expect(&k, id[0], 0, SIZE, 0);
	for (unsigned i = 5; i > 0; i--)
		spoil(&k, id[i]);
	kit_expect(&k, id[1], 1, SIZE, 1);
	for (unsigned i = 2; i < 6; i++)
		cr_assert_eq(payload(&k, id[i]), -E_CORRUPT, "%u", i);
	kit_close(&k);
}

Test(ahead, damage_is_told_of_its_own_bundle)
{
	struct view head;
	uint64_t id[N];
	struct kit k;

	stored(&k, id);
	spoil(&k, id[5]);
	store_ahead(k.st, id, N);
	for (unsigned i = 0; i < N; i++)
		if (i != 5)
			kit_expect(&k, id[i], i, SIZE, i);
	cr_assert_eq(store_head(k.st, id[5], &head), -E_CORRUPT);
	cr_assert_eq(payload(&k, id[5]), -E_CORRUPT);
	kit_close(&k);
}

/* One whose file ends in the middle of what was asked for: the first one is read alone then. */
Test(ahead, a_file_that_ends)
{
	uint64_t id[N];
	struct kit k;

	stored(&k, id);
	store_ahead(k.st, id, N);
	DIR *d = opendir(k.dir);
	for (struct dirent *e; (e = readdir(d));) {
		int fd = strncmp(e->d_name, "seg-", 4) == 0 ? openat(dirfd(d), e->d_name, O_RDWR)
							    : -1;

		if (fd >= 0)
			cr_assert_eq(ftruncate(fd, 10 * SIZE), 0);
		close(fd);
	}
	closedir(d);
	for (unsigned i = 0; i < 7; i++)
		kit_expect(&k, id[i], i, SIZE, i);
	cr_assert_eq(payload(&k, id[10]), -E_CORRUPT);
	kit_close(&k);
}

/* Some are gone, some have another value, some are in memory, some are none: all of it is as without. */
Test(ahead, among_others)
{
	uint64_t id[N];
	struct view head;
	struct kit k;

	stored(&k, id);
	cr_assert_eq(store_head(k.st, id[4], &head), 0);
	store_delete(k.st, id[2]);
	kit_update(&k, id[3], 77);
	store_ahead(k.st, id, N);
	store_delete(k.st, id[6]);
	store_ahead(k.st, (const uint64_t[]){1 << 20, id[2], id[7]}, 3);
	kit_expect(&k, id[0], 0, SIZE, 0);
	kit_commit(&k);
	store_turn(k.st);
	for (unsigned i = 0; i < N; i++)
		if (i == 2 || i == 6)
			kit_expect_gone(&k, id[i]);
		else
			kit_expect(&k, id[i], i, SIZE, i == 3 ? 77 : i);
	kit_close(&k);
}

/* More than the cache holds: what came ahead and left again comes again. */
Test(ahead, more_than_the_cache_holds)
{
	enum { MANY = 400, LARGE = 60000 };
	static uint64_t id[MANY];
	struct kit k;

	kit_open(&k, KIT_DISK, NULL);
	for (unsigned i = 0; i < MANY; i++) {
		id[i] = kit_put(&k, i, i % 2 ? LARGE : SIZE);
		if (i % 100 == 99)
			kit_commit(&k);
	}
	kit_crash(&k);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < MANY; i++) {
			if (i % 20 == 0)
				store_ahead(k.st, id + i, 20);
			kit_expect(&k, id[i], i, i % 2 ? LARGE : SIZE, i);
			if (i % 64 == 0)
				store_turn(k.st);
		}
	kit_close(&k);
}
