/* A folder of version 1 is opened: in it a bundle's place was a row of its own, and the record of a long
 * payload had one checksum for all. The old layout is made here from one of today. */
#include "tests/unit/store/kit.h"

#include "bundle/base/bytes.h"
#include "dtn/store/kv.h"
#include "dtn/store/record.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BUNDLES = 300, PLACE = 0x40, JOINED = 0x41 };

static const struct store_limits limits = {
	.max_bytes = 8 << 20, .max_bundles = 1000, .max_rows = 1000, .stage_bytes = 8 << 20};

static size_t size_of(unsigned i)
{
	return i % 50 == 7 ? 100000 + i : 10 * i;
}

struct rows {
	struct {
		uint64_t id;
		uint8_t bytes[RECORD_PLACE_SIZE + STORE_VALUE_MAX];
		size_t n;
	} row[BUNDLES];
	size_t n;
	uint8_t meta[64];
	size_t n_meta;
};

static int collect(void *arg, uint8_t kind, uint64_t id, struct view v)
{
	struct rows *r = arg;

	if (kind == 0) {
		memcpy(r->meta, v.p, v.n);
		r->n_meta = v.n;
	}
	if (kind != JOINED)
		return 0;
	r->row[r->n].id = id;
	memcpy(r->row[r->n].bytes, v.p, v.n);
	r->row[r->n++].n = v.n;
	return 0;
}

/* The record as version 1 wrote it: its own length, one checksum. */
static uint64_t old_record(const struct kit *k, const struct record_place *at)
{
	uint8_t *p = malloc(at->len);
	struct record r;
	uint32_t crc, sum;
	char path[600];
	bool found = false;

	for (unsigned slot = 1; slot < 100 && !found; slot++) {
		snprintf(path, sizeof path, "%s/seg-%08u.log", k->dir, slot);
		int fd = open(path, O_RDWR);

		if (fd < 0)
			break;
		found = pread(fd, p, at->len, (off_t)at->off) == (ssize_t)at->len &&
			record_start(p, &r, &crc, &sum) == 0 && r.generation == at->generation;
		if (found) {
			cr_assert_eq(r.type, RECORD_LONG);
			p[24] = RECORD_PUT;
			cr_assert_eq(record_start(p, &r, &crc, &sum), 0);
			crc = record_check(crc,
				view_of(p + RECORD_HEADER, r.value.n + r.head.n + r.payload.n));
			record_seal(p, crc);
			cr_assert_eq(pwrite(fd, p, at->len, (off_t)at->off), (ssize_t)at->len);
		}
		close(fd);
	}
	cr_assert(found);
	free(p);
	return record_length(&r);
}

static void to_version_1(const struct kit *k)
{
	static struct rows rows;
	char path[600];
	struct kv *kv;

	rows.n = 0;
	snprintf(path, sizeof path, "%s/index.mdb", k->dir);
	cr_assert_eq(kv_open(path, 1 << 28, &kv), 0);
	cr_assert_eq(kv_begin(kv), 0);
	cr_assert_eq(kv_each(kv, collect, &rows), 0);
	cr_assert_eq(be32_get(rows.meta), 2);
	be32_put(rows.meta, 1);
	cr_assert_eq(kv_put(kv, 0, 0, view_of(rows.meta, rows.n_meta)), 0);
	for (size_t i = 0; i < rows.n; i++) {
		struct view v = view_of(rows.row[i].bytes, rows.row[i].n);
		struct record_place at = record_place_read(v);
		uint8_t place[RECORD_PLACE_SIZE];

		if (at.payload > RECORD_CHUNK)
			at.len = old_record(k, &at);
		record_place_write(&at, place);
		cr_assert_eq(kv_delete(kv, JOINED, rows.row[i].id), 0);
		cr_assert_eq(kv_put(kv, PLACE, rows.row[i].id, view_of(place, sizeof place)), 0);
		cr_assert_eq(kv_put(kv, STORE_BUNDLE, rows.row[i].id,
				     view_sub(v, RECORD_PLACE_SIZE, v.n - RECORD_PLACE_SIZE)),
			0);
	}
	cr_assert_eq(kv_commit(kv), 0);
	kv_close(kv);
}

static void expect_all(struct kit *k, const uint64_t *id)
{
	for (unsigned i = 0; i < BUNDLES; i++)
		if (i % 3 == 0)
			kit_expect_gone(k, id[i]);
		else
			kit_expect(k, id[i], i, size_of(i), i % 3 == 1 ? i : i + 1000);
	kit_expect_row(k, STORE_PAIR, 5, "five");
}

static void make(struct kit *k, uint64_t *id)
{
	kit_open(k, KIT_DISK, &limits);
	for (unsigned i = 0; i < BUNDLES; i++) {
		id[i] = kit_put(k, i, size_of(i));
		if (i % 20 == 19) {
			kit_commit(k);
			store_turn(k->st);
		}
	}
	kit_row(k, STORE_PAIR, 5, "five");
	for (unsigned i = 0; i < BUNDLES; i++)
		if (i % 3 == 0)
			store_delete(k->st, id[i]);
		else if (i % 3 == 2)
			kit_update(k, id[i], i + 1000);
	kit_commit(k);
	kit_crash(k); /* so that the index has all */
	store_close(k->st);
}

Test(upgrade, a_folder_of_version_1_is_taken_over)
{
	uint64_t id[BUNDLES];
	struct kit k;

	make(&k, id);
	to_version_1(&k);
	cr_assert_eq(store_disk_open(k.dir, &limits, &k.st), 0);
	expect_all(&k, id);
	cr_assert_eq(kit_count(&k, STORE_BUNDLE), BUNDLES / 3 * 2);
	uint64_t more = kit_put(&k, 9, 900);
	kit_commit(&k);
	kit_crash(&k);
	expect_all(&k, id); /* and it is version 2 now */
	kit_expect(&k, more, 9, 900, 9);
	kit_close(&k);
}

/* Long records of version 1 are moved by compaction, and get checksums for their parts. */
Test(upgrade, old_records_are_moved)
{
	uint64_t id[BUNDLES], other[20];
	struct kit k;

	make(&k, id);
	to_version_1(&k);
	cr_assert_eq(store_disk_open(k.dir, &limits, &k.st), 0);
	for (unsigned round = 0; round < 150; round++) {
		for (unsigned i = 0; i < 20; i++)
			other[i] = kit_put(&k, i, 9000);
		kit_commit(&k);
		for (unsigned i = 0; i < 20; i++)
			store_delete(k.st, other[i]);
		kit_commit(&k);
		store_turn(k.st);
	}
	expect_all(&k, id);
	kit_crash(&k);
	expect_all(&k, id);
	kit_close(&k);
}

Test(upgrade, a_place_without_its_bundle_is_damage)
{
	uint64_t id[BUNDLES];
	struct store *st;
	char path[600];
	struct kv *kv;
	struct kit k;

	make(&k, id);
	to_version_1(&k);
	snprintf(path, sizeof path, "%s/index.mdb", k.dir);
	cr_assert_eq(kv_open(path, 1 << 28, &kv), 0);
	cr_assert_eq(kv_begin(kv), 0);
	cr_assert_eq(kv_delete(kv, STORE_BUNDLE, id[1]), 0);
	cr_assert_eq(kv_commit(kv), 0);
	kv_close(kv);
	cr_assert_eq(store_disk_open(k.dir, &limits, &st), -E_CORRUPT);
	k.st = NULL;
	kit_close(&k);
}
