/*
 * owlt bench store: durable commits of 1, 10, 100 and 1000 bundles of 1 kB, beside a bare loop of one
 * pwrite and one fdatasync of the same bytes into a preallocated file, in turns within the same run. So
 * the figures say what the store adds to what the disk takes.
 */
#include "tools/bench.h"

#include "dtn/store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	BUNDLE = 1000,
	HEAD = 100,
	VALUE = 64,
	RECORD = 1216,
	BARE_FILE = 64 << 20,
	TIMES_MAX = 4000
};

struct times {
	double us[TIMES_MAX];
	size_t n;
	double sum;
};

struct bench {
	char dir[BENCH_DIR];
	struct store *st;
	int bare;
	uint64_t bare_at;
	uint8_t *bytes;
};

static int bench_open(struct bench *b);
static void bench_close(struct bench *b);
static int measure(
	struct bench *b, size_t n, double seconds, struct times *store, struct times *bare);
static int store_round(struct bench *b, size_t n, uint64_t *id, struct times *t);
static int bare_round(struct bench *b, size_t n, struct times *t);
static void figures(struct out *o, size_t n, struct times *store, struct times *bare);
static double percentile(struct times *t, double p);

int bench_store(struct out *o)
{
	static const size_t batch[] = {1, 10, 100, 1000};
	struct times *t = malloc(2 * sizeof *t);
	struct bench b = {.bare = -1};
	int err = t ? bench_open(&b) : -ENOMEM;

	for (size_t i = 0; i < sizeof batch / sizeof batch[0] && !err; i++) {
		size_t n = batch[i];

		err = measure(&b, n, 0.5, &t[0], &t[1]);
		if (err)
			break;
		figures(o, n, &t[0], &t[1]);
	}
	bench_close(&b);
	free(t);
	return err ? out_fail("bench store: %s; it writes to a folder of its own in the current "
			      "folder",
			     err_text(err))
		   : 0;
}

static void figures(struct out *o, size_t n, struct times *store, struct times *bare)
{
	double rate = (double)(store->n * n) / store->sum * 1e6;
	double limit = (double)(bare->n * n) / bare->sum * 1e6;
	char name[64], note[128];

	snprintf(name, sizeof name, "durable, %zu a batch", n);
	snprintf(note, sizeof note,
		"bare loop %.0f/s, store has %.0f %%; a batch p50 %.0f p99 %.0f us", limit,
		100 * rate / limit, percentile(store, 0.5), percentile(store, 0.99));
	bench_figure(o, name, rate, "1/s", note);
}

static double now_us(void)
{
	return (double)bench_now_ns() / 1e3;
}

static int bench_open(struct bench *b)
{
	struct store_limits l = store_limits_default();
	char file[80];
	int err = bench_dir_make(b->dir);

	if (err)
		return err;
	b->bytes = malloc(1000 * RECORD);
	if (!b->bytes)
		return -ENOMEM;
	memset(b->bytes, 0x5a, 1000 * RECORD);
	snprintf(file, sizeof file, "%s/bare", b->dir);
	b->bare = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (b->bare < 0)
		return -errno;
	err = -posix_fallocate(b->bare, 0, BARE_FILE);
	if (!err && fsync(b->bare))
		err = -errno;
	return err ? err : store_disk_open(b->dir, &l, &b->st);
}

static void bench_close(struct bench *b)
{
	store_close(b->st);
	if (b->bare >= 0)
		close(b->bare);
	free(b->bytes);
	bench_dir_remove(b->dir);
}

static int measure(
	struct bench *b, size_t n, double seconds, struct times *store, struct times *bare)
{
	uint64_t *id = calloc(n, sizeof *id);
	double end = now_us() + seconds * 1e6;
	int err = id ? 0 : -ENOMEM;

	store->n = bare->n = 0;
	store->sum = bare->sum = 0;
	while (!err && store->n < TIMES_MAX && (now_us() < end || store->n < 20)) {
		err = store_round(b, n, id, store);
		if (!err)
			err = bare_round(b, n, bare);
	}
	free(id);
	return err;
}

/* One batch: n new bundles, and the deletion of those of the batch before. */
static int store_round(struct bench *b, size_t n, uint64_t *id, struct times *t)
{
	struct view payload = view_of(b->bytes, BUNDLE);
	struct store_bundle one = {.value = view_of(b->bytes, VALUE),
		.head = view_of(b->bytes, HEAD),
		.payload = &payload,
		.n_payload = 1};
	struct store_event ev;
	double start = now_us();
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		if (id[i])
			store_delete(b->st, id[i]);
		err = store_put(b->st, &one, &id[i]);
	}
	if (err)
		return err;
	struct store_batch *batch = store_commit_begin(b->st);
	if (!batch)
		return -E_STATE;
	err = store_commit_run(batch);
	store_commit_end(b->st, batch, err);
	while (store_event(b->st, &ev))
		;
	store_turn(b->st);
	t->us[t->n] = now_us() - start;
	t->sum += t->us[t->n++];
	return err;
}

static int bare_round(struct bench *b, size_t n, struct times *t)
{
	double start = now_us();

	if (b->bare_at + n * RECORD > BARE_FILE)
		b->bare_at = 0;
	ssize_t put = pwrite(b->bare, b->bytes, n * RECORD, (off_t)b->bare_at);
	if (put != (ssize_t)(n * RECORD) || fdatasync(b->bare))
		return -errno;
	b->bare_at += n * RECORD;
	t->us[t->n] = now_us() - start;
	t->sum += t->us[t->n++];
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double percentile(struct times *t, double p)
{
	qsort(t->us, t->n, sizeof t->us[0], by_value);
	return t->us[(size_t)((double)(t->n - 1) * p)];
}
