/* Damaged bundles are noticed, told once, set aside and never given out; a store as a tool opens it. */
#include "tests/unit/store/kit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct store_limits small = {
	.max_bytes = 1 << 20, .max_bundles = 1000, .max_rows = 1000, .stage_bytes = 1 << 20};

/* Flips a byte wherever the log has `text`. */
static void damage(const struct kit *k, const char *text)
{
	DIR *dir = opendir(k->dir);
	unsigned n = 0;

	for (struct dirent *e; (e = readdir(dir));) {
		char path[600];
		static uint8_t bytes[1 << 20];

		if (strncmp(e->d_name, "seg-", 4))
			continue;
		snprintf(path, sizeof path, "%s/%s", k->dir, e->d_name);
		int fd = open(path, O_RDWR);
		ssize_t got = read(fd, bytes, sizeof bytes);
		for (ssize_t i = 0; i + (ssize_t)strlen(text) <= got; i++)
			if (memcmp(bytes + i, text, strlen(text)) == 0) {
				uint8_t other = bytes[i] ^ 1;
				cr_assert_eq(pwrite(fd, &other, 1, i), 1);
				n++;
			}
		close(fd);
	}
	closedir(dir);
	cr_assert_eq(n, 1, "%s: %u", text, n);
}

static uint64_t put_text(struct kit *k, const char *text, size_t pad)
{
	uint8_t *room = calloc(1, pad + 1);
	struct view parts[] = {view_text(text), view_of(room, pad)};
	struct store_bundle b = {.value = view_text("value"),
		.head = view_text("head"),
		.payload = parts,
		.n_payload = 2};
	uint64_t id;

	cr_assert_eq(store_put(k->st, &b, &id), 0);
	free(room);
	return id;
}

static void reopen(struct kit *k)
{
	store_close(k->st);
	int err = store_disk_open(k->dir, &k->limits, &k->st);
	cr_assert_eq(err, 0, "%s", err_text(err));
}

static off_t kept_size(const struct kit *k, uint64_t id)
{
	char path[600];
	struct stat sb;

	snprintf(path, sizeof path, "%s/quarantine/%llu.bin", k->dir, (unsigned long long)id);
	return stat(path, &sb) ? -1 : sb.st_size;
}

Test(quarantine, a_damaged_bundle_is_told_once_and_set_aside)
{
	struct kit k;
	struct view v;
	uint64_t told;

	kit_open(&k, KIT_DISK, &small);
	uint64_t good = put_text(&k, "good bytes", 100), bad = put_text(&k, "bad bytes", 100);
	uint64_t longer = put_text(&k, "bad and long", 200000);
	kit_commit(&k);
	cr_assert_eq(store_check(k.st, bad), 0);
	reopen(&k); /* now the index knows them: it is no torn tail */
	store_close(k.st);
	damage(&k, "bad bytes");
	damage(&k, "bad and long");
	cr_assert_eq(store_disk_open(k.dir, &small, &k.st), 0);
	cr_assert_not(store_has_damaged(k.st));
	cr_assert_eq(store_check(k.st, good), 0);
	cr_assert_eq(store_check(k.st, bad), -E_CORRUPT);
	cr_assert_eq(store_payload(k.st, (struct slice){longer, 5, 10}, &v), -E_CORRUPT);
	cr_assert_eq(store_check(k.st, longer), -E_CORRUPT);
	cr_assert(store_has_damaged(k.st));
	cr_assert(store_damaged(k.st, &told));
	cr_assert_eq(told, longer);
	cr_assert(store_damaged(k.st, &told));
	cr_assert_eq(told, bad);
	cr_assert_not(store_damaged(k.st, &told), "told once");
	cr_assert(store_is_damaged(k.st, bad));
	cr_assert_not(store_is_damaged(k.st, good));
	cr_assert_eq(kit_stats(&k).n_damaged, 2);
	kit_update(&k, bad, 3); /* a staged update turns into the deletion */
	store_delete(k.st, bad);
	store_delete(k.st, longer);
	kit_commit(&k);
	cr_assert_geq(kept_size(&k, bad), 100);
	cr_assert_geq(kept_size(&k, longer), 200000);
	cr_assert_eq(kept_size(&k, good), -1);
	cr_assert_eq(kit_stats(&k).n_quarantined, 2);
	reopen(&k);
	kit_expect_gone(&k, bad);
	cr_assert_eq(kit_stats(&k).n_quarantined, 2);
	cr_assert_eq(kit_stats(&k).n_damaged, 0);
	cr_assert_eq(store_check(k.st, good), 0);
	cr_assert_eq(store_check(k.st, 99), -E_UNKNOWN);
	kit_close(&k);
}

/* Turns a byte over in the first record of each segment; how many. */
static unsigned behead(const struct kit *k)
{
	unsigned n = 0;

	for (unsigned slot = 1; slot < 30; slot++) {
		char path[600];
		uint8_t byte;

		snprintf(path, sizeof path, "%s/seg-%08u.log", k->dir, slot);
		int fd = open(path, O_RDWR);
		if (fd < 0)
			continue;
		if (pread(fd, &byte, 1, 0) == 1 && byte) {
			byte ^= 0x10;
			cr_assert_eq(pwrite(fd, &byte, 1, 0), 1);
			n++;
		}
		close(fd);
	}
	return n;
}

/* It was free then, and its bundles were gone; the last one's batches without a word. */
Test(quarantine, the_first_record_of_a_segment_costs_no_bundle)
{
	uint64_t id[8], lasting[4];
	struct kit k;

	kit_open(&k, KIT_DISK, &small);
	for (unsigned i = 0; i < 4; i++) {
		if (i == 3) /* the log's tail: behind the index, so replayed */
			reopen(&k);
		id[i] = put_text(&k, "short-lived", 150000);
		kit_commit(&k);
	}
	cr_assert_gt(behead(&k), 2);
	for (int again = 0; again < 2; again++) {
		reopen(&k);
		for (unsigned i = 0; i < 4; i++)
			cr_assert_eq(store_check(k.st, id[i]), 0, "%u", i);
		cr_assert_not(store_has_damaged(k.st));
	}
	kit_limit(&k, (struct store_limits){.max_bytes = 8 << 20,
			      .max_bundles = 1000,
			      .max_rows = 1000,
			      .stage_bytes = 4 << 20});
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(kit_try_put(&k, i, 300000, STORE_LONG, &lasting[i]), 0);
	kit_commit(&k);
	id[4] = put_text(&k, "in the log", 1000);
	kit_commit(&k);
	cr_assert_gt(behead(&k), 1, "the log and the lane");
	reopen(&k);
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(store_check(k.st, lasting[i]), 0, "%u", i);
	cr_assert_eq(store_check(k.st, id[4]), 0);
	/* They go on to be used, and are used again when nothing is in them. */
	for (unsigned i = 0; i < 4; i++)
		store_delete(k.st, lasting[i]);
	for (unsigned i = 0; i < 60; i++) {
		uint64_t one = put_text(&k, "comes and goes", 200000);
		kit_commit(&k);
		store_delete(k.st, one);
	}
	kit_commit(&k);
	reopen(&k);
	cr_assert_eq(kit_count(&k, STORE_BUNDLE), 1);
	cr_assert_eq(store_check(k.st, id[4]), 0);
	kit_close(&k);
}

Test(quarantine, a_lost_segment_costs_its_bundles_only)
{
	struct kit k;
	char path[600];
	struct view v;
	uint64_t told;

	kit_open(&k, KIT_DISK, &small);
	uint64_t first = put_text(&k, "in the first segment", 150000);
	kit_commit(&k);
	uint64_t second = put_text(&k, "in the second segment", 150000);
	kit_commit(&k);
	uint64_t third = put_text(&k, "in the third segment", 150000);
	kit_commit(&k);
	reopen(&k);
	store_close(k.st);
	unsigned n_gone = 0;
	for (unsigned slot = 1; slot < 8; slot++) {
		static uint8_t bytes[1 << 20];
		snprintf(path, sizeof path, "%s/seg-%08u.log", k.dir, slot);
		int fd = open(path, O_RDONLY);
		ssize_t got = fd >= 0 ? read(fd, bytes, sizeof bytes) : 0;
		if (got > 0 && memmem(bytes, (size_t)got, "in the first segment", 20)) {
			n_gone++;
			unlink(path);
		}
		if (fd >= 0)
			close(fd);
	}
	cr_assert_eq(n_gone, 1);
	cr_assert_eq(store_disk_open(k.dir, &small, &k.st), 0);
	cr_assert(store_damaged(k.st, &told));
	cr_assert_eq(told, first);
	cr_assert_eq(store_payload(k.st, (struct slice){first, 0, 10}, &v), -E_CORRUPT);
	cr_assert_eq(store_head(k.st, first, &v), -E_CORRUPT);
	cr_assert_eq(store_check(k.st, first), -E_CORRUPT);
	cr_assert_eq(store_check(k.st, second), 0);
	cr_assert_eq(store_check(k.st, third), 0);
	store_delete(k.st, first);
	kit_commit(&k);
	reopen(&k);
	kit_expect_gone(&k, first);
	cr_assert_eq(kit_count(&k, STORE_BUNDLE), 2);
	kit_close(&k);
}

static unsigned n_files(const struct kit *k)
{
	DIR *d = opendir(k->dir);
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

Test(quarantine, a_tool_opens_it_as_it_is)
{
	struct kit k;
	struct store *st;
	struct view v;

	kit_open(&k, KIT_DISK, &small);
	uint64_t id = put_text(&k, "bytes", 1000);
	kit_commit(&k);
	cr_assert_eq(store_disk_open_offline(k.dir, &st), -EBUSY);
	store_close(k.st);
	unsigned n = n_files(&k);
	cr_assert_eq(store_disk_open_offline(k.dir, &k.st), 0);
	cr_assert_eq(store_check(k.st, id), 0);
	uint64_t more = put_text(&k, "more", 10);
	kit_commit(&k);
	cr_assert_eq(n_files(&k), n);
	reopen(&k);
	cr_assert_eq(store_payload(k.st, (struct slice){more, 0, 4}, &v), 0);
	cr_assert(view_equal(v, view_text("more")));
	kit_close(&k);
	cr_assert_eq(store_disk_open_offline(k.dir, &st), -ENOENT);
	cr_assert_eq(mkdir(k.dir, 0700), 0);
	cr_assert_eq(store_disk_open_offline(k.dir, &st), -ENOENT);
	rmdir(k.dir);
}
