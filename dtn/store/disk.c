/*
 * disk: the disk store: segment log (segment.c) with LMDB as index (kv.c, index.c).
 *
 * A commit appends the batch to the log and flushes it: that makes it durable. The index follows at
 * checkpoints: when enough operations have gathered, or free segments run short, the writer puts them
 * all into one index transaction with the log position it reaches. Segments that begin before that
 * position and hold no live record are used again. Recovery is in recover.c, moving of records in
 * compact.c, the layout of the files in owlt-store(5).
 *
 * Between store_commit_begin() and store_commit_end() struct log, kv, kept, is_indexed and index_err
 * belong to the thread in store_commit_run(); the loop only reads live records (load.c).
 * Start reading at disk_run().
 */
#include "dtn/store/disk.h"

#include "dtn/store/break.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHECKPOINT_MAX                                                                             \
	16384u /* operations that gather before the index is written: some 50 ms of work */
#define CHECKPOINT_MIN 256u /* ... in a small store a quarter of its rows, at least this */
#define KEPT_MAX (1u << 20) /* ... at most, while it can't be */
#define SEGMENT_SIZE (UINT64_C(16) << 20)
#define SEGMENT_MIN (UINT64_C(256) << 10)
#define SEGMENTS_MAX 1024u
#define RECORD_OVERHEAD 320u /* header, value and padding of a bundle's record */

static int disk_lock(struct disk *d, const char *path);
static int open_files(struct disk *d, const char *path);
static int make_index(int dir, const char *file, uint64_t max);
static int sync_names(int dir);
static void disk_begin(struct store *st, struct store_batch *b);
static int disk_run(struct store *st, struct store_batch *b);
static int checkpoint(struct disk *d, struct store_batch *b);
static bool disk_applied(struct store *st, struct op *op);
static void disk_stats(const struct store *st, struct store_stats *out);
static void disk_close(struct store *st);

static const struct store_ops disk_ops = {
	.begin = disk_begin,
	.run = disk_run,
	.applied = disk_applied,
	.load_head = disk_load_head,
	.load_payload = disk_load_payload,
	.check = disk_check,
	.stats = disk_stats,
	.close = disk_close,
};

static struct disk *disk_of(struct store *st)
{
	return container_of(st, struct disk, base);
}

static int disk_open(
	const char *path, const struct store_limits *limits, bool is_offline, struct store **out)
{
	struct disk *d = calloc(1, sizeof *d);

	if (!d)
		return -ENOMEM;
	d->dir = d->lock = -1;
	d->is_offline = is_offline;
	list_init(&d->kept);
	int err = store_init(&d->base, &disk_ops, limits);
	d->scratch = malloc(LOAD_BYTES);
	if (!err && !d->scratch)
		err = -ENOMEM;
	if (!err)
		err = disk_lock(d, path);
	if (!err)
		err = open_files(d, path);
	if (!err)
		err = disk_recover(d);
	if (err) {
		disk_close(&d->base);
		return err;
	}
	if (!is_offline)
		log_spare(&d->log);
	quarantine_count(d);
	*out = &d->base;
	return 0;
}

int store_disk_open(const char *path, const struct store_limits *limits, struct store **out)
{
	return disk_open(path, limits, false, out);
}

int store_disk_open_offline(const char *path, struct store **out)
{
	const struct store_limits limits = {.max_bytes = UINT64_C(1) << 50,
		.max_bundles = 1 << 26,
		.max_rows = 1 << 26,
		.stage_bytes = 256 << 20};

	return disk_open(path, &limits, true, out);
}

static int disk_lock(struct disk *d, const char *path)
{
	if (!d->is_offline && mkdir(path, 0750) && errno != EEXIST)
		return -errno;
	d->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->dir < 0)
		return -errno;
	if (d->is_offline && faccessat(d->dir, "index.mdb", F_OK, 0))
		return -errno;
	d->lock = openat(d->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (d->lock < 0)
		return -errno;
	if (flock(d->lock, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return 0;
}

static int open_files(struct disk *d, const char *path)
{
	const struct store_limits *l = &d->base.limits;
	uint64_t size = SEGMENT_SIZE, rows = u64_add_sat(l->max_bundles, l->max_rows);
	uint64_t bytes = u64_add_sat(l->max_bytes, l->max_bundles * RECORD_OVERHEAD);
	char file[4096];

	while (size > SEGMENT_MIN && size * 16 > l->max_bytes)
		size /= 2;
	while (bytes / size > SEGMENTS_MAX / 2 && !d->is_offline)
		size *= 2;
	d->checkpoint_ops = rows / 4 > CHECKPOINT_MAX ? CHECKPOINT_MAX : (size_t)rows / 4;
	if (d->checkpoint_ops < CHECKPOINT_MIN)
		d->checkpoint_ops = CHECKPOINT_MIN;
	int err = log_open(&d->log, d->dir, size, 2 * (size_t)(bytes / size + 1) + 8);
	if (err)
		return err;
	if (d->is_offline && d->log.n)
		d->log.segment_size = d->log.segment[0]->size;
	if (snprintf(file, sizeof file, "%s/index.mdb", path) >= (int)sizeof file - 1)
		return -ENAMETOOLONG;
	uint64_t max = (UINT64_C(64) << 20) + rows * 512;
	if (faccessat(d->dir, "index.mdb", F_OK, 0))
		err = make_index(d->dir, file, max);
	if (!err)
		err = kv_open(file, max, &d->kv);
	return err ? err : sync_names(d->dir);
}

/* An empty index gets its name when it is whole: LMDB can't read one whose first write was cut. */
static int make_index(int dir, const char *file, uint64_t max)
{
	char new[4096];
	struct kv *kv;
	int err;

	snprintf(new, sizeof new, "%.*snew", (int)strlen(file) - 3, file);
	if (unlinkat(dir, "index.new", 0) && errno != ENOENT)
		return -errno;
	err = kv_open(new, max, &kv);
	if (err)
		return err;
	kv_close(kv);
	int fd = openat(dir, "index.new", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd) || renameat(dir, "index.new", dir, "index.mdb"))
		err = -errno;
	close(fd);
	return err;
}

/* The files' names in the folder and its own in the one above are durable, whoever made them: what is
 * said to be stored must be found again. Who may not read the folder above did not make this one. */
static int sync_names(int dir)
{
	if (BREAK_NAMES_LOOSE)
		return 0;
	int up = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;

	if (up < 0 && errno != EACCES)
		return -errno;
	if (fsync(dir) || (up >= 0 && fsync(up)))
		err = -errno;
	if (up >= 0)
		close(up);
	return err;
}

static void disk_begin(struct store *st, struct store_batch *b)
{
	struct disk *d = disk_of(st);

	d->is_indexed = false;
	log_free_dead(&d->log);
	compact_begin(d, b);
	quarantine_begin(d, b);
}

/* The writer's thread. Once the log has the batch it is durable, whatever becomes of the index. */
static int disk_run(struct store *st, struct store_batch *b)
{
	struct disk *d = disk_of(st);

	if (d->index_err)
		return d->index_err;
	if (d->n_kept >= KEPT_MAX)
		return -ENOSPC;
	quarantine_run(d, b);
	int err = log_append(&d->log, &b->ops);
	if (err)
		return err;
	if (d->n_kept >= d->checkpoint_ops || log_n_available(&d->log) < 4) {
		err = checkpoint(d, b);
		if (err && err != -ENOSPC && err != -EDQUOT)
			d->index_err = err;
	}
	if (BREAK_INDEX_FIRST && d->log.active)
		return segment_write(d->log.active, 0, (struct view){0});
	if (!d->is_offline)
		log_spare(&d->log);
	return 0;
}

static int checkpoint(struct disk *d, struct store_batch *b)
{
	int err = kv_begin(d->kv);

	for (struct link_node *l = d->kept.next; l != &d->kept && !err; l = l->next)
		err = index_put_op(d, container_of(l, struct op, link));
	for (struct link_node *l = b->ops.next; l != &b->ops && !err; l = l->next)
		err = index_put_op(d, container_of(l, struct op, link));
	if (!err)
		err = index_meta_put(d);
	if (err) {
		kv_abort(d->kv);
		return err;
	}
	err = kv_commit(d->kv);
	if (err)
		return err;
	while (!list_empty(&d->kept))
		list_push_back(&b->spent, list_pop_front(&d->kept));
	d->n_kept = 0;
	d->is_indexed = true;
	d->log.kept_generation = d->log.active->generation;
	return 0;
}

static bool disk_applied(struct store *st, struct op *op)
{
	struct disk *d = disk_of(st);
	struct entry *e = op->entry;

	if (op->type == OP_PUT || op->type == OP_MOVE)
		if (op->to.segment)
			compact_place(e, &op->to);
	if (op->type == OP_PUT)
		stage_cache(st, e);
	if (op->type == OP_DELETE && op->kind == STORE_BUNDLE) {
		compact_place(e, NULL);
		quarantine_applied(d, op);
	}
	if (d->is_indexed)
		return false;
	list_push_back(&d->kept, &op->link);
	d->n_kept++;
	return true;
}

static void disk_stats(const struct store *st, struct store_stats *out)
{
	const struct disk *d = container_of((struct store *)(uintptr_t)st, struct disk, base);

	out->n_quarantined = d->n_set_aside;
}

static void disk_close(struct store *st)
{
	struct disk *d = disk_of(st);

	while (!list_empty(&d->kept))
		stage_op_free(st, container_of(list_pop_front(&d->kept), struct op, link));
	store_fini(st);
	log_close(&d->log);
	kv_close(d->kv);
	if (d->lock >= 0)
		close(d->lock);
	if (d->dir >= 0)
		close(d->dir);
	free(d->scratch);
	free(d);
}
