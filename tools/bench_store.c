/*
 * owlt bench store: durable commits of 1, 10, 100 and 1000 bundles of 1 kB and of 100 kB, beside a bare loop
 * of one pwrite and one fdatasync of the same bytes into a file whose blocks were written before, and beside
 * the same bundles as rows of LMDB, within the same run. So the figures say what the store adds to
 * what the disk takes, and what the segment log is worth (docs/decisions/008). One thread does it all; "as a
 * node" gathers a batch while the writer thread makes the one before durable. Each round deletes what an
 * earlier one put. The store's segments are written once before, too. Start reading at bench_store().
 */
#include "tools/bench.h"

#include "dtn/io/writer.h"
#include "dtn/store/kv.h"
#include "dtn/store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST 1000u /* a batch */
#define LARGE 100000u
#define HEAD 100u
#define VALUE 64u
#define EXTRA 216u /* head, value and what the log adds */
#define BARE_FILE (UINT64_C(256) << 20)
#define WARM_ROUNDS 3u
#define TIMES_MAX 4000u

struct times {
	double us[TIMES_MAX];
	size_t n;
	double sum, cpu_us;
};

enum { STORE, NODE, BARE, LMDB, SIDES };
#define NODE_ROUNDS 8u /* at a time: the first and the last have no neighbour */

struct bench {
	char dir[BENCH_DIR];
	struct store *st;
	struct kv *kv;
	struct writer *writer;
	int bare;
	uint64_t bare_at, row; /* where the next goes */
	uint8_t *bytes;
	size_t size, n;       /* of the measurement that runs */
	uint64_t id[2][MOST]; /* the last two batches */
	unsigned round;
	struct times side[SIDES];
};

static int bench_open(struct bench *b);
static int warm_up(struct bench *b);
static void bench_close(struct bench *b);
static int measure(struct bench *b, size_t size, size_t n);
static bool goes_on(const struct bench *b, int side, double end);
static int store_round(struct bench *b);
static int node_rounds(struct bench *b);
static int node_end(struct bench *b);
static int stage(struct bench *b);
static int bare_round(struct bench *b);
static int lmdb_round(struct bench *b);
static void figures(struct out *o, struct bench *b);
static double percentile(struct times *t, double p);

int bench_store(struct out *o)
{
	static const size_t size[] = {1000, LARGE}, batch[] = {1, 10, 100, MOST};
	struct bench *b = calloc(1, sizeof *b);
	int err = b ? bench_open(b) : -ENOMEM;

	err = err ? err : warm_up(b);
	for (size_t i = 0; i < sizeof size / sizeof size[0]; i++)
		for (size_t k = 0; k < sizeof batch / sizeof batch[0] && !err; k++) {
			err = measure(b, size[i], batch[k]);
			if (!err)
				figures(o, b);
		}
	if (b)
		bench_close(b);
	return err ? out_fail("bench store: %s; it writes some 2 GB to a folder of its own in the "
			      "current folder",
			     err_text(err))
		   : 0;
}

static void figures(struct out *o, struct bench *b)
{
	double rate[SIDES];
	char name[64], note[224];

	for (int i = 0; i < SIDES; i++)
		rate[i] = (double)(b->side[i].n * b->n) / b->side[i].sum * 1e6;
	rate[NODE] *= NODE_ROUNDS;
	snprintf(name, sizeof name, "durable, %zu B, %zu a batch", b->size, b->n);
	snprintf(note, sizeof note,
		"bare loop %.0f/s, store has %.0f %%, as a node %.0f %%; LMDB %.0f/s; a batch p50 "
		"%.0f p99 %.0f us; CPU a bundle %.2f, bare %.2f us",
		rate[BARE], 100 * rate[STORE] / rate[BARE], 100 * rate[NODE] / rate[BARE],
		rate[LMDB], percentile(&b->side[STORE], 0.5), percentile(&b->side[STORE], 0.99),
		b->side[STORE].cpu_us / (double)(b->side[STORE].n * b->n),
		b->side[BARE].cpu_us / (double)(b->side[BARE].n * b->n));
	bench_figure(o, name, rate[STORE], "1/s", note);
}

static double now_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int bench_open(struct bench *b)
{
	struct store_limits l = store_limits_default();
	size_t all = MOST * (LARGE + EXTRA);
	char file[80];
	int err;

	b->bare = -1;
	err = bench_dir_make(b->dir);
	if (err)
		return err;
	b->bytes = malloc(all);
	if (!b->bytes)
		return -ENOMEM;
	memset(b->bytes, 0x5a, all);
	l.stage_bytes = 3 * all; /* one gathered, one being written */
	snprintf(file, sizeof file, "%s/lmdb", b->dir);
	err = kv_open(file, UINT64_C(4) << 30, &b->kv);
	snprintf(file, sizeof file, "%s/bare", b->dir);
	b->bare = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (!err && b->bare < 0)
		err = -errno;
	err = err ? err : writer_open(&b->writer);
	return err ? err : store_disk_open(b->dir, &l, &b->st);
}

/* All blocks are written once: a block that was only allocated costs more at its first flush. */
static int warm_up(struct bench *b)
{
	int err = 0;

	b->size = LARGE;
	b->n = MOST / 4;
	for (uint64_t at = 0; at < BARE_FILE && !err; at += b->n * (b->size + EXTRA))
		err = bare_round(b);
	for (unsigned i = 0; i < 24 && !err; i++)
		err = store_round(b);
	return err;
}

static void bench_close(struct bench *b)
{
	writer_close(b->writer);
	store_close(b->st);
	kv_close(b->kv);
	if (b->bare >= 0)
		close(b->bare);
	free(b->bytes);
	bench_dir_remove(b->dir);
	free(b);
}

static int timed(struct bench *b, int side, int (*round)(struct bench *b))
{
	struct times *t = &b->side[side];
	double from = now_us(CLOCK_MONOTONIC), cpu = now_us(CLOCK_PROCESS_CPUTIME_ID);
	int err = round(b);

	t->us[t->n] = now_us(CLOCK_MONOTONIC) - from;
	t->cpu_us += now_us(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	t->sum += t->us[t->n++];
	return err;
}

/* The store and the bare loop in turns, in all orders, so that all see the same disk; then LMDB, whose
 * pages would leave the caches cold for the store and not for the bare loop, which has one buffer. */
static int measure(struct bench *b, size_t size, size_t n)
{
	static const uint8_t turns[6][3] = {{STORE, BARE, NODE}, {STORE, NODE, BARE},
		{BARE, STORE, NODE}, {BARE, NODE, STORE}, {NODE, STORE, BARE}, {NODE, BARE, STORE}};
	static int (*const rounds[SIDES])(struct bench *) = {
		store_round, node_rounds, bare_round, lmdb_round};
	int err = 0;

	b->size = size;
	b->n = n;
	/* Memory for batches of this size is touched once; the bare loop's is. */
	for (unsigned i = 0; i < WARM_ROUNDS && !err; i++)
		err = node_rounds(b);
	memset(b->side, 0, sizeof b->side);
	for (double end = now_us(CLOCK_MONOTONIC) + 1e6; !err && goes_on(b, STORE, end);) {
		const uint8_t *turn = turns[b->side[STORE].n % 6];

		for (size_t i = 0; i < 3 && !err; i++)
			err = timed(b, turn[i], rounds[turn[i]]);
	}
	for (double end = now_us(CLOCK_MONOTONIC) + 3e5; !err && goes_on(b, LMDB, end);)
		err = timed(b, LMDB, lmdb_round);
	return err;
}

static bool goes_on(const struct bench *b, int side, double end)
{
	size_t least = b->size * b->n > 10000000 ? 6 : 20;

	return b->side[side].n < TIMES_MAX &&
	       (now_us(CLOCK_MONOTONIC) < end || b->side[side].n < least);
}

static int store_round(struct bench *b)
{
	struct store_event ev;
	int err = stage(b);

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
	return err;
}

/* The next batch is gathered while the writer has one. */
static int node_rounds(struct bench *b)
{
	int err = 0;

	for (unsigned i = 0; i < NODE_ROUNDS && !err; i++) {
		err = stage(b);
		err = err ? err : node_end(b);
		struct store_batch *batch = err ? NULL : store_commit_begin(b->st);
		if (batch)
			writer_start(b->writer, batch);
		else
			err = err ? err : -E_STATE;
	}
	int last = node_end(b);
	return err ? err : last;
}

static int node_end(struct bench *b)
{
	struct store_batch *batch;
	struct store_event ev;
	int err = 0;

	if (writer_take(b->writer, true, &batch, &err))
		store_commit_end(b->st, batch, err);
	while (store_event(b->st, &ev))
		;
	store_turn(b->st);
	return err;
}

/* n new bundles, and the deletion of those of the batch before the last, which is durable. */
static int stage(struct bench *b)
{
	struct view payload = view_of(b->bytes, b->size);
	struct store_bundle one = {.value = view_of(b->bytes, VALUE),
		.head = view_of(b->bytes, HEAD),
		.payload = &payload,
		.n_payload = 1};
	uint64_t *id = b->id[b->round++ % 2];
	int err = 0;

	for (size_t i = 0; i < MOST && !err; i++) {
		if (id[i])
			store_delete(b->st, id[i]);
		id[i] = 0;
		if (i < b->n)
			err = store_put(b->st, &one, &id[i]);
	}
	return err;
}

static int bare_round(struct bench *b)
{
	size_t n = b->n * (b->size + EXTRA);

	if (b->bare_at + n > BARE_FILE)
		b->bare_at = 0;
	ssize_t put = pwrite(b->bare, b->bytes, n, (off_t)b->bare_at);
	if (put != (ssize_t)n || fdatasync(b->bare))
		return -errno;
	b->bare_at += n;
	return 0;
}

/* The same with each bundle as one row, durable by LMDB's own commit. */
static int lmdb_round(struct bench *b)
{
	int err = kv_begin(b->kv);

	for (size_t i = 0; i < b->n && !err; i++) {
		err = kv_append(b->kv, 1, ++b->row, view_of(b->bytes, b->size + HEAD + VALUE));
		if (!err && b->row > b->n)
			err = kv_delete(b->kv, 1, b->row - b->n);
	}
	if (!err)
		return kv_commit(b->kv);
	kv_abort(b->kv);
	return err;
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
