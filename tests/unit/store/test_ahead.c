/* Reading ahead of use: asked for while cold, once, changes no bytes, and no bundle that is not on disk is. */
#include "tests/unit/store/kit.h"

#include "dtn/store/disk.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dirent.h>
#include <stdio.h>

/* Pages of the segments that are in memory; `drop`: none any more. */
static size_t pages(const struct kit *k, bool drop)
{
	DIR *d = opendir(k->dir);
	size_t n = 0;

	for (struct dirent *e; (e = readdir(d));) {
		static unsigned char in[1 << 16];
		char path[600];
		struct stat sb;

		snprintf(path, sizeof path, "%s/%s", k->dir, e->d_name);
		if (strncmp(e->d_name, "seg-", 4))
			continue;
		int fd = open(path, O_RDONLY);
		cr_assert(fd >= 0 && fstat(fd, &sb) == 0);
		if (drop)
			posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		void *p = mmap(NULL, (size_t)sb.st_size, PROT_READ, MAP_SHARED, fd, 0);
		cr_assert_neq(p, MAP_FAILED);
		cr_assert_eq(mincore(p, (size_t)sb.st_size, in), 0);
		for (size_t i = 0; i < ((size_t)sb.st_size + 4095) / 4096; i++)
			n += in[i] & 1;
		munmap(p, (size_t)sb.st_size);
		close(fd);
	}
	closedir(d);
	return n;
}

Test(ahead, bytes_come_near_and_stay_what_they_are)
{
	static const size_t sizes[] = {10, 5000, 100000, 1500000};
	enum { N = sizeof sizes / sizeof sizes[0] };
	uint64_t id[N];
	struct kit k;

	kit_open(&k, KIT_DISK, NULL);
	cr_assert(store_reads_ahead(k.st));
	for (unsigned i = 0; i < N; i++)
		id[i] = kit_put(&k, i, sizes[i]);
	store_ahead(k.st, id, N); /* not on disk yet */
	kit_commit(&k);
	store_ahead(k.st, id, N); /* still in memory */
	kit_crash(&k);
	size_t all = pages(&k, false), cold = pages(&k, true), near = cold;
	store_ahead(k.st, (const uint64_t[]){12345, 0}, 2); /* there is none */
	store_ahead(k.st, id, N);
	store_ahead(k.st, id, N);
	/* The kernel reads by itself: it has a minute. Where it keeps all pages there is nothing to see. */
	for (unsigned i = 0; i < 60000 && all >= cold + 50 && near < cold + 50; i++) {
		usleep(1000);
		near = pages(&k, false);
	}
	cr_assert(all < cold + 50 || near >= cold + 50, "%zu, %zu of %zu", near, cold, all);
	for (unsigned i = 0; i < N; i++)
		kit_expect(&k, id[i], i, sizes[i], i);
	store_turn(k.st);
	kit_close(&k);
}

Test(ahead, memory_has_nothing_to_bring_near)
{
	struct kit k;

	kit_open(&k, KIT_MEM, NULL);
	uint64_t id = kit_put(&k, 1, 1000);
	kit_commit(&k);
	cr_assert_not(store_reads_ahead(k.st));
	store_ahead(k.st, &id, 1);
	kit_expect(&k, id, 1, 1000, 1);
	kit_close(&k);
}

/* Neighbours come with the first of them that is read; one that is damaged is told to its own reader. */
Test(ahead, a_damaged_neighbour_harms_no_other)
{
	enum { N = 100, BAD = 17, GONE = 40 };
	uint64_t id[N];
	struct kit k;
	struct view v;
	uint8_t byte;

	kit_open(&k, KIT_DISK, NULL);
	for (unsigned i = 0; i < N; i++)
		id[i] = kit_put(&k, i, 300 + i);
	kit_commit(&k);
	kit_crash(&k);
	struct place at = compact_place_of(table_find(k.st, STORE_BUNDLE, id[BAD]));
	cr_assert_eq(pread(at.segment->fd, &byte, 1, (off_t)at.off + 100), 1);
	byte ^= 1;
	cr_assert_eq(pwrite(at.segment->fd, &byte, 1, (off_t)at.off + 100), 1);
	store_delete(k.st, id[GONE]);
	store_ahead(k.st, id, N);
	for (unsigned i = 0; i < N; i++)
		if (i != BAD && i != GONE)
			kit_expect(&k, id[i], i, 300 + i, i);
	for (unsigned i = 0; i < 2; i++)
		cr_assert_eq(store_head(k.st, id[BAD], &v), -E_CORRUPT);
	cr_assert(store_is_damaged(k.st, id[BAD]));
	cr_assert_eq(kit_stats(&k).n_damaged, 1);
	store_turn(k.st);
	kit_close(&k);
}
