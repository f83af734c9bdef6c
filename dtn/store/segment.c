/*
 * segment: the files of the log: finding, making, taking and freeing them.
 *
 * New files are preallocated and synced with their folder, so that the flush of a batch does not write
 * metadata. A segment of the log is free when no live record is in it and recovery does not need it any
 * more; one of the lane as soon as no live record is in it. Start reading at log_take().
 */
#include "dtn/store/segment.h"

#include "bundle/base/bytes.h"
#include "dtn/store/break.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPARES 2u
#define SHORT 6u
#define SEGMENT_NAME 32

static bool is_name(const char *name, uint32_t *slot);
static int log_adopt(struct log *log, uint32_t slot);
static int read_head(struct segment *s);
static int look_behind_head(struct segment *s);
static struct segment *segment_make(struct log *log, uint64_t size);
static void free_one(struct log *log);
static void segment_unlink(struct log *log, size_t i);

int log_open(struct log *log, int dir, uint64_t segment_size, size_t max)
{
	*log = (struct log){.dir = dir,
		.segment_size = segment_size,
		.max = max,
		.next_generation = 1,
		.next_batch = 1};
	log->piece = malloc(LOG_PIECE);
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	int err = !d ? -errno : !log->piece ? -ENOMEM : out_open(&log->out);

	for (struct dirent *e; !err && (e = readdir(d));) {
		uint32_t slot;

		if (is_name(e->d_name, &slot))
			err = log_adopt(log, slot);
	}
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	return err;
}

void log_close(struct log *log)
{
	for (size_t i = 0; i < log->n; i++) {
		close(log->segment[i]->fd);
		free(log->segment[i]);
	}
	free(log->segment);
	free(log->piece);
	out_close(&log->out);
}

struct segment *log_find(const struct log *log, uint64_t generation)
{
	for (size_t i = 0; i < log->n; i++)
		if (log->segment[i]->generation == generation)
			return log->segment[i];
	return NULL;
}

struct segment *log_after(const struct log *log, uint64_t from)
{
	struct segment *best = NULL;

	for (size_t i = 0; i < log->n; i++) {
		struct segment *s = log->segment[i];

		if (s->generation && !s->is_lane && s->generation >= from &&
			(!best || s->generation < best->generation))
			best = s;
	}
	return best;
}

struct segment *log_take(struct log *log, uint64_t size, enum log_use use)
{
	struct segment *s = NULL;
	size_t n_free = 0;

	if (log_n_available(log) <= (size_t)use + (use == LOG_USE_MOVE ? log->promised : 0))
		return NULL;
	for (size_t i = 0; i < log->n; i++) {
		struct segment *one = log->segment[i];

		n_free += one->generation == 0;
		if (one->generation == 0 && one->size >= size)
			s = one;
	}
	if (!s || n_free <= (size_t)use) {
		if (log->n >= log->max && size > log->segment_size)
			free_one(log);
		s = log->n < log->max ? segment_make(log, size > log->segment_size
								  ? (size + 4095) & ~UINT64_C(4095)
								  : log->segment_size)
				      : NULL;
	}
	if (!s)
		return NULL;
	if (use == LOG_USE_PUT && log->promised > 0)
		log->promised--;
	s->generation = log->next_generation++;
	s->end = SEGMENT_HEAD;
	s->live = 0;
	s->is_bad = s->is_lane = s->is_headless = false;
	return s;
}

void log_give_back(struct log *log, uint64_t generation)
{
	for (size_t i = 0; i < log->n; i++)
		if (log->segment[i]->generation >= generation)
			log->segment[i]->generation = 0;
}

void log_free_dead(struct log *log)
{
	for (size_t i = 0; i < log->n; i++) {
		struct segment *s = log->segment[i];

		if (s != log->active && s != log->lane && s->live == 0 &&
			(s->is_lane || s->generation < log->kept_generation || BREAK_REUSE_EARLY))
			s->generation = 0;
	}
}

void log_spare(struct log *log, bool is_disk_short)
{
	size_t n_free = 0;

	for (size_t i = 0; i < log->n;) {
		struct segment *s = log->segment[i];
		bool is_odd = s->size != log->segment_size;

		if (s->generation == 0 && (is_odd || (is_disk_short && n_free >= SPARES))) {
			segment_unlink(log, i);
			continue;
		}
		n_free += s->generation == 0;
		i++;
	}
	while (!is_disk_short && n_free < SPARES && log->n < log->max &&
		segment_make(log, log->segment_size))
		n_free++;
}

size_t log_n_available(const struct log *log)
{
	size_t n = log->max > log->n ? log->max - log->n : 0;

	for (size_t i = 0; i < log->n; i++)
		n += log->segment[i]->generation == 0;
	return n;
}

/* The batch may need them twice: for what it brings and what is moved out of its way. */
bool log_is_short(const struct log *log, uint64_t bytes)
{
	return log_n_available(log) < SHORT + log->max / 8 + 2 * bytes / log->segment_size;
}

int segment_read(const struct segment *s, uint64_t off, void *buf, uint64_t n)
{
	uint8_t *p = buf;

	while (n > 0) {
		ssize_t got = pread(s->fd, p, n, (off_t)off);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -E_CORRUPT;
		p += got;
		off += (uint64_t)got;
		n -= (uint64_t)got;
	}
	return 0;
}

int segment_write(const struct segment *s, uint64_t off, struct view bytes)
{
	int err = out_write_at(s->fd, bytes.p, bytes.n, off);

	return err ? err : fdatasync(s->fd) ? -errno : 0;
}

/* -- finding and making segments */

static void segment_name(uint32_t slot, char name[SEGMENT_NAME])
{
	snprintf(name, SEGMENT_NAME, "seg-%08" PRIu32 ".log", slot);
}

static struct segment *segment_add(struct log *log, int fd, uint32_t slot, uint64_t size)
{
	struct segment *s = calloc(1, sizeof *s);

	if (s && log->n == log->cap) {
		size_t cap = log->cap ? 2 * log->cap : 16;
		struct segment **more = realloc(log->segment, cap * sizeof(struct segment *));

		if (!more) {
			free(s);
			return NULL;
		}
		log->segment = more;
		log->cap = cap;
	}
	if (!s)
		return NULL;
	*s = (struct segment){.fd = fd, .slot = slot, .size = size};
	list_init(&s->entries);
	log->segment[log->n++] = s;
	return s;
}

/* Exactly as segment_name() has it: other files are none of ours, and no segment has two names. */
static bool is_name(const char *name, uint32_t *slot)
{
	char again[SEGMENT_NAME];

	if (sscanf(name, "seg-%8" SCNu32, slot) != 1)
		return false;
	segment_name(*slot, again);
	return strcmp(name, again) == 0;
}

static int log_adopt(struct log *log, uint32_t slot)
{
	char name[SEGMENT_NAME];
	struct stat sb;

	segment_name(slot, name);
	int fd = openat(log->dir, name, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &sb))
		return -errno;
	struct segment *s = segment_add(log, fd, slot, (uint64_t)sb.st_size);
	if (!s) {
		close(fd);
		return -ENOMEM;
	}
	int err = read_head(s);
	if (s->generation >= log->next_generation)
		log->next_generation = s->generation + 1;
	return err;
}

static bool is_zero(const uint8_t *p, size_t n)
{
	while (n > 0 && p[n - 1] == 0)
		n--;
	return n == 0;
}

/* A segment whose first record is not whole was never used, or its first use was lost or failed: it is free. One
 * that has another behind it is in use, and a few bytes of it have decayed. */
static int read_head(struct segment *s)
{
	uint8_t head[SEGMENT_HEAD];
	struct record r;
	uint64_t size;

	if (s->size < SEGMENT_HEAD)
		return 0;
	int err = segment_read(s, 0, head, sizeof head);
	if (err)
		return err;
	if (record_read(view_of(head, sizeof head), &r, &size) || r.type != RECORD_SEGMENT ||
		r.value.n != 4)
		return is_zero(head, RECORD_HEADER) ? 0 : look_behind_head(s);
	if (be32_get(r.value.p) != RECORD_VERSION)
		return -E_VERSION;
	s->generation = r.generation;
	s->is_lane = r.kind == RECORD_LANE;
	return 0;
}

/* Its generation is that of the records that follow. Only the lane has nothing but bundles. */
static int look_behind_head(struct segment *s)
{
	uint8_t *bytes = malloc(s->size);
	int err = bytes ? segment_read(s, 0, bytes, s->size) : -ENOMEM;
	uint64_t size;
	struct record r;

	for (uint64_t off = SEGMENT_HEAD; !err && off < s->size; off += size) {
		if (record_read(view_of(bytes + off, s->size - off), &r, &size) ||
			(s->is_headless && r.generation != s->generation))
			break;
		if (!s->is_headless)
			s->is_lane = s->is_headless = true;
		s->generation = r.generation;
		if (r.type != RECORD_PUT && r.type != RECORD_LONG)
			s->is_lane = false;
	}
	free(bytes);
	return err;
}

/* Another file may be made then. */
static void free_one(struct log *log)
{
	for (size_t i = 0; i < log->n; i++)
		if (log->segment[i]->generation == 0) {
			segment_unlink(log, i);
			return;
		}
}

static struct segment *segment_make(struct log *log, uint64_t size)
{
	char name[SEGMENT_NAME];
	uint32_t slot = 0;
	int fd;

	do {
		segment_name(++slot, name);
		fd = openat(log->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	} while (fd < 0 && errno == EEXIST && slot < 99999999);
	if (fd < 0)
		return NULL;
	struct segment *s = NULL;
	int err;
	do
		err = posix_fallocate(fd, 0, (off_t)size);
	while (err == EINTR);
	if (err == 0 && fsync(fd) == 0 && fsync(log->dir) == 0)
		s = segment_add(log, fd, slot, size);
	if (!s) {
		unlinkat(log->dir, name, 0);
		close(fd);
	}
	return s;
}

static void segment_unlink(struct log *log, size_t i)
{
	struct segment *s = log->segment[i];
	char name[SEGMENT_NAME];

	segment_name(s->slot, name);
	unlinkat(log->dir, name, 0);
	close(s->fd);
	free(s);
	log->segment[i] = log->segment[--log->n];
}
