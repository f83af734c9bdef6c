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
	size_t most = 2 * (l.max_bytes + 320 * l.max_bundles) + 12 * (256 << 10) + (2 << 20);
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

/* Stores that are kept full, from none to all of their bundles long-lived, some longer than a segment: a batch of
 * bundles that were taken never fails for want of room, and what limits is the quota. */
struct load {
	size_t max_bytes, max_bundles, least, most; /* payload */
	unsigned batch, gone, is_long;              /* per cent of those there; of new ones */
	unsigned early;                             /* refusals below the quota at most */
};

struct kept {
	uint64_t id[6000];
	size_t n;
};

static void drop_some(struct kit *k, struct kept *all, unsigned percent, struct rng *r)
{
	for (size_t n = all->n * percent / 100 + 1; n > 0 && all->n > 0; n--) {
		size_t i = (size_t)rng_below(r, all->n);

		store_delete(k->st, all->id[i]);
		all->id[i] = all->id[--all->n];
	}
}

/* Fills it with a batch until it refuses: true, if that was below its quota. */
static bool put_some(struct kit *k, struct kept *all, const struct load *l, struct rng *r)
{
	for (unsigned n = 0; n < l->batch && all->n < 6000; n++) {
		size_t size = l->least + (size_t)rng_below(r, l->most - l->least);
		unsigned flags = rng_below(r, 100) < l->is_long ? STORE_LONG : 0;
		int err = kit_try_put(k, n, size, flags, &all->id[all->n]);
		struct store_stats s = kit_stats(k);

		if (err) {
			cr_assert_eq(err, -E_FULL);
			drop_some(k, all, l->gone, r);
			return s.bytes + size + 120 <= l->max_bytes &&
			       s.n_bundles < l->max_bundles - l->max_bundles / 64;
		}
		all->n++;
	}
	return false;
}

Test(room, a_batch_of_bundles_that_were_taken_finds_room)
{
	static const struct load loads[] = {
		{4000000, 1995, 1000, 3010, 1000, 50, 95, 200}, /* half of it with each batch */
		{600000, 4, 174762, 349534, 1, 3, 5, 0},
		{600000, 4, 174762, 524296, 100, 3, 5, 0},
		{4000000, 45, 242144, 290582, 10, 1, 50, 0},
		{1843200, 60, 130000, 132000, 5, 10, 50, 0},
		{1000000, 1500, 10, 1000, 50, 3, 30, 0},
	};
	static struct kept all;

	for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++) {
		const struct load *l = &loads[i];
		struct store_limits limits = {.max_bytes = l->max_bytes,
			.max_bundles = l->max_bundles,
			.max_rows = 1000,
			.stage_bytes = 64 << 20};
		unsigned early = 0;
		struct rng r;
		struct kit k;

		all.n = 0;
		rng_init(&r, 7, i);
		kit_open(&k, KIT_DISK, &limits);
		for (unsigned round = 0; round < 400; round++) {
			early += put_some(&k, &all, l, &r);
			kit_commit(&k);
			store_turn(k.st);
		}
		cr_assert_leq(early, l->early, "load %zu: %u", i, early);
		kit_close(&k);
	}
}
