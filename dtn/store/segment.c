/*
 * segment: the files of the log, and appending a batch.
 *
 * A batch is placed first (log_place: every operation gets its segment and offset, segments are taken as
 * needed), so running out of space is known before anything is written. Then the records go through one
 * buffer to the file and are flushed; a segment is flushed before the next one is written, so a batch
 * whose end record is whole is whole. New files are preallocated and synced with their folder, so that
 * the flush of a batch does not write metadata. The number of a batch is used once, also when it failed:
 * what a failed one left behind can't be taken for a later one. Start reading at log_append().
 */
#include "dtn/store/segment.h"

#include "bundle/base/bytes.h"
#include "dtn/store/break.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define END_SIZE 56u
#define SPARES 2u

static int log_adopt(struct log *log, uint32_t slot);
static int read_head(struct segment *s);
static int log_place(struct log *log, struct link_node *ops, struct segment **last, uint64_t *end);
static struct segment *log_take(struct log *log, uint64_t size, bool has_put);
static struct segment *segment_make(struct log *log, uint64_t size);
static void give_back(struct log *log, uint64_t generation);
static int write_batch(struct log *log, struct link_node *ops, struct segment *last);
static int write_op(struct log *log, struct op *op, uint64_t batch);
static int write_moved(struct log *log, struct op *op, struct record r);
static int moved_header(struct log *log, const struct op *op, const struct record *r,
	uint8_t *header, uint64_t *at);
static int moved_piece(struct log *log, const struct op *op, uint64_t at, uint64_t n);
static int write_record(struct log *log, struct record *r);
static int out_pad(struct log *log, const struct record *r);
static int out_start(struct log *log, struct segment *s);
static int out_put(struct log *log, const void *p, size_t n);
static int out_flush(struct log *log);
static int write_all(int fd, const uint8_t *p, size_t n, uint64_t off);
static void wipe(struct log *log, const struct segment *before, uint64_t generation);

int log_open(struct log *log, int dir, uint64_t segment_size, size_t max)
{
	*log = (struct log){.dir = dir,
		.segment_size = segment_size,
		.max = max,
		.next_generation = 1,
		.next_batch = 1};
	log->buf = malloc(LOG_BUFFER);
	log->piece = malloc(LOG_PIECE);
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	int err = !log->buf || !log->piece ? -ENOMEM : !d ? -errno : 0;

	for (struct dirent *e; !err && (e = readdir(d));) {
		unsigned slot;
		int n = 0;

		if (sscanf(e->d_name, "seg-%8u.log%n", &slot, &n) == 1 && n && !e->d_name[n])
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
	free(log->buf);
	free(log->piece);
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

		if (s->generation && s->generation >= from &&
			(!best || s->generation < best->generation))
			best = s;
	}
	return best;
}

int log_append(struct log *log, struct link_node *ops)
{
	struct segment *before = log->active, *last;
	uint64_t end, first_new = log->next_generation;
	int err = log_place(log, ops, &last, &end);

	if (err) {
		give_back(log, first_new);
		return err;
	}
	err = write_batch(log, ops, last);
	log->next_batch++;
	if (err) {
		wipe(log, before, first_new);
		give_back(log, first_new);
		return err;
	}
	log->last_batch = log->next_batch - 1;
	log->active = last;
	last->end = end;
	return 0;
}

void log_free_dead(struct log *log)
{
	for (size_t i = 0; i < log->n; i++) {
		struct segment *s = log->segment[i];

		if (s != log->active && s->live == 0 &&
			(s->generation < log->kept_generation || BREAK_REUSE_EARLY))
			s->generation = 0;
	}
}

void log_spare(struct log *log)
{
	size_t n_free = 0;

	for (size_t i = 0; i < log->n;) {
		struct segment *s = log->segment[i];
		char name[32];

		if (s->generation == 0 && s->size != log->segment_size) {
			snprintf(name, sizeof name, "seg-%08u.log", s->slot);
			unlinkat(log->dir, name, 0);
			close(s->fd);
			free(s);
			log->segment[i] = log->segment[--log->n];
			continue;
		}
		n_free += s->generation == 0;
		i++;
	}
	while (n_free < SPARES && log->n < log->max && segment_make(log, log->segment_size))
		n_free++;
}

size_t log_n_available(const struct log *log)
{
	size_t n = log->max > log->n ? log->max - log->n : 0;

	for (size_t i = 0; i < log->n; i++)
		n += log->segment[i]->generation == 0;
	return n;
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
	int err = write_all(s->fd, bytes.p, bytes.n, off);

	return err ? err : fdatasync(s->fd) ? -errno : 0;
}

/* -- finding and making segments */

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

static int log_adopt(struct log *log, uint32_t slot)
{
	char name[32];
	struct stat sb;

	snprintf(name, sizeof name, "seg-%08u.log", slot);
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

/* A segment whose first record is not whole was never used, or its first use was lost: it is free. */
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
		return 0;
	if (be32_get(r.value.p) != RECORD_VERSION)
		return -E_VERSION;
	s->generation = r.generation;
	return 0;
}

/* What a batch with new bundles may not take: the last free segment is for deletions and updates, which
 * make room again. */
static struct segment *log_take(struct log *log, uint64_t size, bool has_put)
{
	struct segment *s = NULL;
	size_t n_free = 0;

	if (has_put && log_n_available(log) <= 1)
		return NULL;
	for (size_t i = 0; i < log->n; i++) {
		struct segment *one = log->segment[i];

		n_free += one->generation == 0;
		if (one->generation == 0 && one->size >= size)
			s = one;
	}
	if (!s || (has_put && n_free <= 1)) {
		s = log->n < log->max ? segment_make(log, size > log->segment_size
								  ? (size + 4095) & ~UINT64_C(4095)
								  : log->segment_size)
				      : NULL;
	}
	if (!s)
		return NULL;
	s->generation = log->next_generation++;
	s->end = SEGMENT_HEAD;
	s->live = 0;
	s->is_bad = false;
	return s;
}

static struct segment *segment_make(struct log *log, uint64_t size)
{
	char name[32];
	uint32_t slot = 0;
	int fd;

	do {
		snprintf(name, sizeof name, "seg-%08u.log", ++slot);
		fd = openat(log->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	} while (fd < 0 && errno == EEXIST && slot < 99999999);
	if (fd < 0)
		return NULL;
	struct segment *s = NULL;
	if (posix_fallocate(fd, 0, (off_t)size) == 0 && fsync(fd) == 0 && fsync(log->dir) == 0)
		s = segment_add(log, fd, slot, size);
	if (!s) {
		unlinkat(log->dir, name, 0);
		close(fd);
	}
	return s;
}

static void give_back(struct log *log, uint64_t generation)
{
	for (size_t i = 0; i < log->n; i++)
		if (log->segment[i]->generation >= generation)
			log->segment[i]->generation = 0;
}

/* -- appending a batch */

static uint64_t op_size(const struct op *op)
{
	bool has_bytes = op->type == OP_PUT || op->type == OP_MOVE;

	return record_size(op->value ? op->value->n : 0, has_bytes ? op->head.n : 0,
		has_bytes ? op->payload.n : 0);
}

static bool has_puts(const struct link_node *ops)
{
	for (const struct link_node *l = ops->next; l != ops; l = l->next)
		if (container_of(l, struct op, link)->type == OP_PUT)
			return true;
	return false;
}

/* A place for each record; there is always room for the end record behind the last one. */
static int log_place(struct log *log, struct link_node *ops, struct segment **last, uint64_t *end)
{
	struct segment *s = log->active;
	uint64_t at = s ? s->end : 0;
	bool has_put = has_puts(ops);

	for (struct link_node *l = ops->next; l != ops; l = l->next) {
		struct op *op = container_of(l, struct op, link);
		uint64_t size = op_size(op);

		if (!s || size + END_SIZE > s->size - at) {
			s = log_take(log, SEGMENT_HEAD + size + END_SIZE, has_put);
			if (!s)
				return -ENOSPC;
			at = SEGMENT_HEAD;
		}
		op->to = (struct place){s, at, size};
		at += size;
	}
	*last = s;
	*end = at + END_SIZE;
	return 0;
}

static int write_batch(struct log *log, struct link_node *ops, struct segment *last)
{
	uint64_t batch = log->next_batch, n = 0;
	uint8_t count[8];
	int err = 0;

	log->out = log->active;
	log->out_at = log->active ? log->active->end : 0;
	log->n_buf = 0;
	for (struct link_node *l = ops->next; l != ops && !err; l = l->next) {
		struct op *op = container_of(l, struct op, link);

		if (op->to.segment != log->out)
			err = out_start(log, op->to.segment);
		if (!err)
			err = write_op(log, op, batch);
		n++;
	}
	if (err)
		return err;
	be64_put(count, n);
	struct record end = {.type = RECORD_END,
		.generation = last->generation,
		.batch = batch,
		.id = log->last_batch,
		.value = view_of(count, sizeof count)};
	err = write_record(log, &end);
	return err ? err : out_flush(log);
}

static int write_op(struct log *log, struct op *op, uint64_t batch)
{
	struct record r = {.kind = op->kind,
		.generation = op->to.segment->generation,
		.batch = batch,
		.id = op->id};

	if (op->value)
		r.value = view_of(op->value->bytes, op->value->n);
	switch ((enum op_type)op->type) {
	case OP_PUT:
		r.type = RECORD_PUT;
		r.head = op->head;
		r.payload = op->payload;
		break;
	case OP_SET:
		r.type = RECORD_SET;
		break;
	case OP_DELETE:
		r.type = RECORD_DELETE;
		break;
	case OP_MOVE:
		r.type = RECORD_PUT;
		return write_moved(log, op, r);
	}
	return write_record(log, &r);
}

/* Copies the bytes of a bundle from its old record, in two passes: checksums, then data. If it is damaged
 * the bundle stays where it is and its value is written again, so that the batch keeps its places: a
 * SET of the same size, with zeros. */
static int write_moved(struct log *log, struct op *op, struct record r)
{
	uint64_t n = op->head.n + op->payload.n, at = 0;
	uint8_t header[RECORD_HEADER];
	int err;

	r.head.n = op->head.n;
	r.payload.n = op->payload.n;
	err = moved_header(log, op, &r, header, &at);
	if (err) {
		op->from.segment->is_bad = true;
		op->to.segment = NULL;
		r.type = RECORD_SET;
		err = moved_header(log, op, &r, header, &at);
	}
	if (!err)
		err = out_put(log, header, sizeof header);
	if (!err)
		err = out_put(log, r.value.p, r.value.n);
	for (uint64_t done = 0, step; done < n && !err; done += step) {
		step = n - done < LOG_PIECE ? n - done : LOG_PIECE;
		err = moved_piece(log, op, at + done, step);
		if (!err)
			err = out_put(log, log->piece, step);
	}
	return err ? err : out_pad(log, &r);
}

/* Part of the old record's data; zeros where it is not copied. */
static int moved_piece(struct log *log, const struct op *op, uint64_t at, uint64_t n)
{
	if (op->to.segment)
		return segment_read(op->from.segment, at, log->piece, n);
	memset(log->piece, 0, n);
	return 0;
}

/* The new record's header; *at: where the head is in the old one, whose checksum is verified. */
static int moved_header(
	struct log *log, const struct op *op, const struct record *r, uint8_t *header, uint64_t *at)
{
	uint64_t n = op->head.n + op->payload.n, start = op->from.off + RECORD_HEADER;
	uint32_t crc = record_check(record_begin(r, header), r->value), old = 0, sum = 0;
	struct record from = {0};
	uint8_t before[RECORD_HEADER];
	int err = 0;

	if (op->to.segment) {
		err = segment_read(op->from.segment, op->from.off, before, sizeof before);
		if (!err)
			err = record_start(before, &from, &old, &sum);
		if (!err && (from.id != op->id || from.payload.n != op->payload.n ||
				    from.head.n != op->head.n || from.value.n > LOG_PIECE))
			err = -E_CORRUPT;
		if (!err)
			err = moved_piece(log, op, start, from.value.n);
		if (err)
			return err;
		old = record_check(old, view_of(log->piece, from.value.n));
	}
	*at = start + from.value.n;
	for (uint64_t done = 0, step; done < n; done += step) {
		step = n - done < LOG_PIECE ? n - done : LOG_PIECE;
		err = moved_piece(log, op, *at + done, step);
		if (err)
			return err;
		old = record_check(old, view_of(log->piece, step));
		crc = record_check(crc, view_of(log->piece, step));
	}
	record_seal(header, crc);
	return op->to.segment && old != sum ? -E_CORRUPT : 0;
}

static int write_record(struct log *log, struct record *r)
{
	uint8_t header[RECORD_HEADER];
	int err;

	record_write(r, header);
	err = out_put(log, header, sizeof header);
	if (!err)
		err = out_put(log, r->value.p, r->value.n);
	if (!err)
		err = out_put(log, r->head.p, r->head.n);
	if (!err)
		err = out_put(log, r->payload.p, r->payload.n);
	return err ? err : out_pad(log, r);
}

/* Zeros up to where the next record begins. */
static int out_pad(struct log *log, const struct record *r)
{
	static const uint8_t zero[8];
	uint64_t n = RECORD_HEADER + r->value.n + r->head.n + r->payload.n;

	return out_put(log, zero, record_size(r->value.n, r->head.n, r->payload.n) - n);
}

/* The batch goes on in a new segment: what is in the old one is flushed first. */
static int out_start(struct log *log, struct segment *s)
{
	uint8_t version[4];
	int err = log->out && log->n_buf + log->out_at > log->out->end ? out_flush(log) : 0;

	if (err)
		return err;
	log->out = s;
	log->out_at = 0;
	log->n_buf = 0;
	be32_put(version, RECORD_VERSION);
	struct record head = {.type = RECORD_SEGMENT,
		.generation = s->generation,
		.batch = log->next_batch,
		.id = log->last_batch,
		.value = view_of(version, 4)};
	return write_record(log, &head);
}

static int out_put(struct log *log, const void *p, size_t n)
{
	int err = 0;

	if (n > LOG_BUFFER - log->n_buf) {
		err = write_all(log->out->fd, log->buf, log->n_buf, log->out_at);
		log->out_at += log->n_buf;
		log->n_buf = 0;
	}
	if (!err && n > LOG_BUFFER) {
		err = write_all(log->out->fd, p, n, log->out_at);
		log->out_at += n;
	} else if (!err && n) {
		memcpy(log->buf + log->n_buf, p, n);
		log->n_buf += n;
	}
	return err;
}

static int out_flush(struct log *log)
{
	int err = write_all(log->out->fd, log->buf, log->n_buf, log->out_at);

	log->out_at += log->n_buf;
	log->n_buf = 0;
	if (!err && !BREAK_NO_FLUSH && !BREAK_INDEX_FIRST && fdatasync(log->out->fd))
		err = -errno;
	/* Space was allocated before: a flush that says there is none has lost something. */
	return err == -ENOSPC || err == -EDQUOT ? -EIO : err;
}

static int write_all(int fd, const uint8_t *p, size_t n, uint64_t off)
{
	while (n > 0) {
		ssize_t put = pwrite(fd, p, n, (off_t)off);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		p += put;
		off += (uint64_t)put;
		n -= (size_t)put;
	}
	return 0;
}

/* A failed batch must not come back at recovery: its first header goes. Best effort; the store is closed
 * after anything but a lack of space. */
static void wipe(struct log *log, const struct segment *before, uint64_t generation)
{
	static const uint8_t zero[RECORD_HEADER];

	if (before)
		(void)!pwrite(before->fd, zero, sizeof zero, (off_t)before->end);
	for (size_t i = 0; i < log->n; i++)
		if (log->segment[i]->generation >= generation)
			(void)!pwrite(log->segment[i]->fd, zero, sizeof zero, 0);
}
