/* Room on the disk: what a store takes at most, and what it does when others have taken it. */
#include "tests/unit/store/kit.h"

#include "bundle/base/rng.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

static const struct store_limits small = {
	.max_bytes = 1 << 20, .max_bundles = 1000, .max_rows = 1000, .stage_bytes = 1 << 20};

static size_t folder_size(const struct kit *k)
{
	DIR *d = opendir(k->dir);
	size_t n = 0;

	for (struct dirent *e; (e = readdir(d));) {
		char path[600];
		struct stat sb;

		snprintf(path, sizeof path, "%s/%s", k->dir, e->d_name);
		if (e->d_name[0] != '.' && stat(path, &sb) == 0)
			n += (size_t)sb.st_blocks * 512;
	}
	closedir(d);
	return n;
}

/* The file system has less free than it should: new bundles are refused, what makes room is not, and it goes
 * on by itself. */
Test(room, a_disk_short_of_room_refuses_new_bundles)
{
	struct store_limits l = small;
	struct kit k;
	uint64_t id, n_free;

	kit_open(&k, KIT_DISK, &l);
	uint64_t first = kit_put(&k, 1, 1000);
	kit_commit(&k);
	cr_assert(!store_is_short(k.st, &n_free));
	cr_assert_gt(n_free, 0);
	store_close(k.st);
	k.limits.min_free_bytes = UINT64_MAX / 2;
	cr_assert_eq(store_disk_open(k.dir, &k.limits, &k.st), 0);
	cr_assert(store_is_short(k.st, &n_free));
	cr_assert(kit_stats(&k).is_short);
	cr_assert_eq(kit_try_put(&k, 2, 100, 0, &id), -E_FULL);
	cr_assert(!store_has_room(k.st, 1, 0));
	cr_assert_eq(kit_try_put(&k, 3, 100, STORE_URGENT, &id), 0);
	kit_update(&k, first, 9);
	kit_row(&k, STORE_PAIR, 1, "a row");
	kit_commit(&k);
	kit_expect(&k, first, 1, 1000, 9);
	store_delete(k.st, first);
	kit_commit(&k);
	store_close(k.st);
	k.limits.min_free_bytes = 1 << 20;
	cr_assert_eq(store_disk_open(k.dir, &k.limits, &k.st), 0);
	cr_assert(!store_is_short(k.st, &n_free));
	kit_put(&k, 4, 100);
	kit_commit(&k);
	kit_close(&k);
}

/* A store that is offered far more than its limits, with long- and short-lived bundles coming and going. */
Test(room, never_more_on_disk_than_the_limits_say)
{
	struct store_limits l = {.max_bytes = 2 << 20,
		.max_bundles = 2000,
		.max_rows = 1000,
		.stage_bytes = 2 << 20};
	/* owlt-store(5), SPACE; an index that is written seldom stays far below its most. */
	size_t most = 2 * (l.max_bytes + 320 * l.max_bundles) + 10 * (256 << 10) + (2 << 20);
	uint64_t id[300] = {0};
	unsigned refused = 0;
	struct rng r;
	struct kit k;

	kit_open(&k, KIT_DISK, &l);
	rng_init(&r, 5, 6);
	for (unsigned round = 0; round < 400; round++) {
		for (unsigned n = 0; n < 40; n++) {
			unsigned i = (unsigned)rng_below(&r, 300);
			size_t size =
				rng_below(&r, 10) ? rng_below(&r, 9000) : rng_below(&r, 90000);

			if (id[i] && rng_below(&r, 4) == 0) {
				store_delete(k.st, id[i]);
				id[i] = 0;
			}
			if (!id[i] && kit_try_put(&k, i, size, i % 3 ? 0 : STORE_LONG, &id[i])) {
				id[i] = 0;
				refused++;
			}
		}
		kit_commit(&k);
		store_turn(k.st);
		if (round % 20 == 0)
			cr_assert_leq(folder_size(&k), most, "%zu of %zu in round %u",
				folder_size(&k), most, round);
		if (round % 100 == 99)
			kit_crash(&k);
	}
	cr_assert_gt(refused, 100);
	kit_close(&k);
}
