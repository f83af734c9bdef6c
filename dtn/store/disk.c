/*
 * disk: the disk store: segment log (segment.c) with LMDB as index (kv.c, index.c).
 *
 * A commit appends the batch to the log and flushes it: that makes it durable. The index follows at
 * checkpoints (checkpoint.c). Segments that begin before the log position of the last one and hold no live
 * record are used again. Recovery is in recover.c, moving of records in compact.c and lane.c, the layout
 * of the files in owlt-store(5). A value is in memory until the index has it.
 *
 * Between store_commit_begin() and store_commit_end() struct log, the index's writing side and the running
 * checkpoint belong to the thread in store_commit_run(); the loop reads live records (load.c) and the
 * index as it was committed before.
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
#include <sys/statvfs.h>
#include <unistd.h>

#define CHECKPOINT_MAX 8192u /* changes that gather before the index is written */
#define CHECKPOINT_MIN 256u  /* ... in a small store a quarter of its rows, at least this */
#define KEPT_MAX (1u << 20)  /* ... at most, while it can't be */
#define INDEX_ROOM 2048u     /* bytes for each of these kept allocated, for a full disk */
#define INDEX_ROOM_LEAST (UINT64_C(1) << 20)
#define TAIL_MAX (UINT64_C(64) << 20) /* bytes of the log that recovery reads, about */
#define SETTLED 512u                  /* rows a turn that leave memory */
#define SEGMENT_SIZE (UINT64_C(16) << 20)
#define SEGMENT_MIN (UINT64_C(256) << 10)
#define SEGMENTS_MAX 1024u
#define KEPT_FREE 3u         /* segments that new bundles leave to others */
#define IN_VAIN 16u          /* batches of its own that made no room, then it waits */
#define LOOK_TURNS 16u       /* between looks at a disk that was short of room */
#define RECORD_OVERHEAD 320u /* header, value and padding of a bundle's record */

static int disk_lock(struct disk *d, const char *path);
static int open_files(struct disk *d, const char *path);
static int make_index(int dir, const char *file, uint64_t max);
static int sync_names(int dir);
static void disk_begin(struct store *st, struct store_batch *b);
static int disk_run(struct store *st, struct store_batch *b);
static uint64_t look(struct disk *d);
static bool is_short(const struct disk *d, uint64_t n_free);
static bool disk_wants(const struct store *st);
static void set_room(struct disk *d);
static void disk_ended(struct store *st);
static void disk_turn(struct store *st);
static bool disk_applied(struct store *st, struct op *op);
static void disk_stats(const struct store *st, struct store_stats *out);
static void disk_close(struct store *st);

static const struct store_ops disk_ops = {
	.sums = true,
	.begin = disk_begin,
	.run = disk_run,
	.wants = disk_wants,
	.ended = disk_ended,
	.applied = disk_applied,
	.load_value = index_value,
	.load_head = disk_load_head,
	.load_payload = disk_load_payload,
	.check = disk_check,
	.stats = disk_stats,
	.ahead = disk_ahead,
	.turn = disk_turn,
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
	checkpoint_init(&d->point, 0, 0);
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
		log_spare(&d->log, is_short(d, look(d)));
	quarantine_count(d);
	if (!is_offline)
		set_room(d);
	d->base.stats.free_bytes = d->free;
	d->base.stats.is_short = !is_offline && is_short(d, d->free);
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
	uint64_t segments = 2 * (bytes / size + 1) + 10, every = rows / 4,
		 tail = segments * size / 4;
	every = every > CHECKPOINT_MAX   ? CHECKPOINT_MAX
		: every < CHECKPOINT_MIN ? CHECKPOINT_MIN
					 : every;
	checkpoint_init(&d->point, (size_t)every, tail > TAIL_MAX ? TAIL_MAX : tail);
	d->point.room = d->is_offline ? 0 : every * INDEX_ROOM + INDEX_ROOM_LEAST;
	int err = log_open(&d->log, d->dir, size, (size_t)segments);
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
	if (!err)
		kv_room(d->kv, d->point.room);
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

	log_free_dead(&d->log);
	d->n_before = log_n_available(&d->log);
	checkpoint_begin(d);
	compact_begin(d, b);
	quarantine_begin(d, b);
}

/* The writer's thread. Once the log has the batch it is durable, whatever becomes of the index. */
static int disk_run(struct store *st, struct store_batch *b)
{
	struct disk *d = disk_of(st);

	if (d->point.err)
		return d->point.err;
	if (d->point.n_kept >= KEPT_MAX)
		return -ENOSPC;
	quarantine_run(d, b);
	if (d->point.is_forced) { /* room for this batch */
		checkpoint_run(d);
		log_free_dead(&d->log);
	}
	int err = list_empty(&b->ops) ? 0 : log_append(&d->log, &b->ops, b->has_lane);
	if (!d->point.is_forced)
		checkpoint_run(d);
	if (BREAK_INDEX_FIRST && !err && !d->point.is_begun)
		err = segment_write(d->log.active, 0, (struct view){0});
	if (!d->is_offline)
		log_spare(&d->log, is_short(d, look(d)));
	return err;
}

/* Bytes free in the file system for who is not root. */
static uint64_t look(struct disk *d)
{
	struct statvfs v;

	if (fstatvfs(d->dir, &v) == 0)
		d->free = (uint64_t)v.f_bavail * v.f_frsize;
	return d->free;
}

/* What was short is so until there is some more than the least. */
static bool is_short(const struct disk *d, uint64_t n_free)
{
	uint64_t least = d->base.limits.min_free_bytes;

	return n_free < (d->base.stats.is_short ? u64_add_sat(least, least / 8) : least);
}

/* Records should move, or the index must follow before segments can be used again; unless it was no use. */
static bool disk_wants(const struct store *st)
{
	const struct disk *d = container_of((struct store *)(uintptr_t)st, struct disk, base);
	const struct segment *s = d->log.active;

	if (d->n_in_vain >= IN_VAIN || d->point.err || d->is_offline || !log_is_short(&d->log, 0))
		return false;
	return compact_is_due(d) || (s && s->generation > d->log.kept_generation);
}

/* What new bundles may take of the log, so that the batch they come in finds room: some segments stay for
 * others and for moves, and the end of each may stay empty. */
static void set_room(struct disk *d)
{
	size_t n = log_n_available(&d->log), kept = KEPT_FREE + 1 + n / 8;

	n = n > kept ? n - kept : 0;
	d->log.promised = n;
	d->base.log_room = n * (d->log.segment_size / 4 * 3);
}

static void disk_ended(struct store *st)
{
	struct disk *d = disk_of(st);

	checkpoint_ended(d);
	log_free_dead(&d->log);
	if (d->is_offline)
		return;
	d->n_in_vain = log_n_available(&d->log) != d->n_before ? 0 : d->n_in_vain + 1;
	set_room(d);
	st->stats.free_bytes = d->free;
	st->stats.is_short = !d->is_offline && is_short(d, d->free);
}

static void disk_turn(struct store *st)
{
	struct disk *d = disk_of(st);

	checkpoint_settle(d, SETTLED + d->point.every / 16);
	/* While nothing can be written nobody else looks. */
	if (!st->stats.is_short || st->is_running || ++d->n_turns % LOOK_TURNS != 0)
		return;
	st->stats.free_bytes = look(d);
	st->stats.is_short = is_short(d, d->free);
}

static bool disk_applied(struct store *st, struct op *op)
{
	struct entry *e = op->entry;

	if ((op->type == OP_PUT || op->type == OP_MOVE) && op->to.segment)
		compact_place(e, &op->to);
	if (op->type == OP_PUT)
		stage_cache(st, e);
	if (op->type == OP_DELETE && op->kind == STORE_BUNDLE) {
		compact_place(e, &(struct place){0});
		quarantine_applied(disk_of(st), op);
	}
	return checkpoint_keep(disk_of(st), op);
}

static void disk_stats(const struct store *st, struct store_stats *out)
{
	const struct disk *d = container_of((struct store *)(uintptr_t)st, struct disk, base);

	out->n_quarantined = d->n_set_aside;
}

static void disk_close(struct store *st)
{
	struct disk *d = disk_of(st);

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
