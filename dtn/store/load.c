/*
 * load: bytes of durable bundles back from the log. Nothing is given out unchecked. A short record is read
 * as a whole into one cell, with its head and payload, and its checksum verified; with it come those that were
 * asked for ahead and lie behind it, each into its own cell: a queue that leaves in order costs a call for
 * thirty-two. Of a longer one (type LONG) the first reader has its header, head and checksums verified, which
 * is little, and each window of the payload is checked against its checksums as it is read: no reader waits
 * for all of a long record. Long records of version 1 have no checksums for their parts: their first reader
 * streams all of them.
 *
 * When a turn has read more than the cache holds (a walk over all heads), only heads are kept of short
 * records too, so a turn's memory does not grow with what is stored. No cell is larger than two slabs,
 * unless a caller asks for a larger slice. Start reading at disk_load_head().
 */
#include "dtn/store/disk.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>

#define WHOLE_MAX (LOAD_BYTES - 256)  /* a cell of so much fits a slab */
#define AHEAD_MAX (UINT64_C(1) << 20) /* asked for with one call */
#define RUN_MAX 32u                   /* bundles read with one call */

/* Bundles whose records lie one behind the other, and the cells they are read into. */
struct run {
	struct entry *entry[RUN_MAX];
	struct cell *cell[RUN_MAX];
	uint64_t bytes;
	unsigned n;
};

static void advise(const struct place *at);
static int load_whole(struct disk *d, struct entry *e);
static void run_extend(struct disk *d, struct run *run);
static int run_read(const struct run *run);
static void take_ahead(struct disk *d, struct entry *e, struct cell *c);
static int take_record(struct disk *d, struct entry *e, struct cell *c);
static int load_window(struct disk *d, struct entry *e, uint64_t off, uint64_t n);
static int read_window(
	const struct entry *e, const struct record *r, uint64_t off, struct view room);
static int open_record(struct disk *d, struct entry *e, struct record *r);
static int check_record(
	struct disk *d, const struct entry *e, const struct record *r, uint32_t crc, uint32_t sum);
static int stream(struct disk *d, const struct entry *e, uint64_t at, uint64_t n, uint32_t *crc);
static int read_header(const struct entry *e, struct record *r, uint32_t *crc, uint32_t *sum);
static bool is_of(const struct record *r, const struct entry *e);
static struct cell *cell_for(struct disk *d, uint64_t n);
static void set_cell(struct store *st, struct cell **at, struct cell *c);

static struct disk *disk_of(struct store *st)
{
	return container_of(st, struct disk, base);
}

int disk_load_head(struct store *st, struct entry *e)
{
	struct disk *d = disk_of(st);
	struct place at = compact_place_of(e);
	struct record r;
	struct cell *c;
	int err;

	if (!table_body(st, e))
		return -ENOMEM;
	if (at.len <= WHOLE_MAX && st->loaded_bytes + at.len <= st->cache_max)
		return load_whole(d, e);
	err = open_record(d, e, &r);
	if (err)
		return err;
	c = cell_for(d, bundle_of(e)->head_len);
	if (!c)
		return -ENOMEM;
	err = segment_read(at.segment, at.off + RECORD_HEADER + r.value.n, c->bytes, c->n);
	if (err) {
		store_cell_unref(st, c);
		return err;
	}
	set_cell(st, &e->body->head_cell, c);
	e->body->head = c->bytes;
	return 0;
}

int disk_load_payload(struct store *st, struct entry *e, uint64_t off, uint64_t n)
{
	struct disk *d = disk_of(st);

	if (!table_body(st, e))
		return -ENOMEM;
	return compact_place_of(e).len <= WHOLE_MAX ? load_whole(d, e) : load_window(d, e, off, n);
}

/* The kernel begins to read and this does not wait for it: one call for what lies together. */
void disk_ahead(struct store *st, struct entry *const *e, size_t n)
{
	struct place all = {0};

	(void)st;
	for (size_t i = 0; i < n; i++) {
		struct place at = compact_place_of(e[i]);

		if (!at.segment)
			continue;
		e[i]->is_ahead = true;
		if (at.segment == all.segment && at.off == all.off + all.len &&
			all.len + at.len <= AHEAD_MAX) {
			all.len += at.len;
			continue;
		}
		advise(&all);
		all = at;
	}
	advise(&all);
}

static void advise(const struct place *at)
{
	if (at->segment)
		(void)posix_fadvise(at->segment->fd, (off_t)at->off,
			(off_t)(at->len < AHEAD_MAX ? at->len : AHEAD_MAX), POSIX_FADV_WILLNEED);
}

int disk_check(struct store *st, struct entry *e)
{
	struct record r;

	e->is_checked = false;
	int err = open_record(disk_of(st), e, &r);
	if (err)
		return err;
	for (uint64_t at = 0, n; r.type == RECORD_LONG && at < r.payload.n && !err; at += n) {
		n = r.payload.n - at < LOAD_BYTES ? r.payload.n - at : LOAD_BYTES;
		err = read_window(e, &r, at, view_of(disk_of(st)->scratch, n));
	}
	return err;
}

/* With it comes what was asked for ahead and lies behind it. What is wrong with one of those is told to its own
 * reader. */
static int load_whole(struct disk *d, struct entry *e)
{
	struct place at = compact_place_of(e);
	struct run run = {.entry = {e}, .bytes = at.len, .n = 1};
	int err;

	if (!at.segment)
		return -E_CORRUPT;
	run.cell[0] = cell_for(d, at.len);
	if (!run.cell[0])
		return -ENOMEM;
	run_extend(d, &run);
	err = run_read(&run);
	if (err && run.n > 1) {
		while (run.n > 1)
			store_cell_unref(&d->base, run.cell[--run.n]);
		err = run_read(&run);
	}
	if (err) {
		store_cell_unref(&d->base, run.cell[0]);
		return err;
	}
	for (unsigned i = 1; i < run.n; i++)
		take_ahead(d, run.entry[i], run.cell[i]);
	return take_record(d, e, run.cell[0]);
}

static void run_extend(struct disk *d, struct run *run)
{
	struct store *st = &d->base;
	struct place last = compact_place_of(run->entry[0]);
	struct link_node *l = bundle_of(run->entry[0])->in_segment.next;

	for (; run->n < RUN_MAX && l != &last.segment->entries; l = l->next) {
		struct entry *e = &container_of(l, struct bundle, in_segment)->row;
		struct place at = compact_place_of(e);

		if (at.off != last.off + last.len || run->bytes + at.len > LOAD_BYTES ||
			st->loaded_bytes + at.len > st->cache_max)
			return;
		if (!e->is_ahead || !e->is_here || table_has_payload(e))
			return;
		run->cell[run->n] = cell_for(d, at.len);
		if (!run->cell[run->n])
			return;
		run->entry[run->n++] = e;
		run->bytes += at.len;
		last = at;
	}
}

static int run_read(const struct run *run)
{
	struct place at = compact_place_of(run->entry[0]);
	struct iovec to[RUN_MAX];
	ssize_t got;

	for (unsigned i = 0; i < run->n; i++)
		to[i] = (struct iovec){run->cell[i]->bytes, run->cell[i]->n};
	if (run->n == 1)
		return segment_read(at.segment, at.off, run->cell[0]->bytes, at.len);
	got = preadv(at.segment->fd, to, (int)run->n, (off_t)at.off);
	return got < 0 ? -errno : (uint64_t)got == run->bytes ? 0 : -E_CORRUPT;
}

static void take_ahead(struct disk *d, struct entry *e, struct cell *c)
{
	if (!table_body(&d->base, e)) {
		store_cell_unref(&d->base, c);
		return;
	}
	stage_uncache(&d->base, e);
	(void)take_record(d, e, c);
	stage_cache(&d->base, e);
}

/* Takes the cell, which may hold the bundle's record. */
static int take_record(struct disk *d, struct entry *e, struct cell *c)
{
	struct store *st = &d->base;
	struct record r;
	uint64_t size;

	if (record_read(view_of(c->bytes, c->n), &r, &size) || !is_of(&r, e)) {
		store_cell_unref(st, c);
		return -E_CORRUPT;
	}
	set_cell(st, &e->body->head_cell, c);
	set_cell(st, &e->body->payload_cell, store_cell_ref(c));
	e->body->head = r.head.p;
	e->body->payload = r.payload.p;
	e->is_checked = true;
	e->is_ahead = false;
	return 0;
}

/* Whole chunks, and not less than one. */
static int load_window(struct disk *d, struct entry *e, uint64_t off, uint64_t n)
{
	struct store *st = &d->base;
	uint64_t size = bundle_of(e)->payload_len, from = off - off % RECORD_CHUNK;
	uint64_t to = (off + n + RECORD_CHUNK - 1) / RECORD_CHUNK * RECORD_CHUNK;
	struct record r;
	struct cell *c;
	int err = open_record(d, e, &r);

	if (err)
		return err;
	c = cell_for(d, (to < size ? to : size) - from);
	if (!c)
		return -ENOMEM;
	err = read_window(e, &r, from, view_of(c->bytes, c->n));
	if (err) {
		store_cell_unref(st, c);
		return err;
	}
	set_cell(st, &e->body->payload_cell, c);
	e->body->window = from;
	return 0;
}

/* Chunks of the payload from `off` on, checked if the record says what they should be. */
static int read_window(
	const struct entry *e, const struct record *r, uint64_t off, struct view room)
{
	struct place at = compact_place_of(e);
	uint64_t payload = at.off + RECORD_HEADER + r->value.n + r->head.n;
	uint8_t sums[64], *bytes = (uint8_t *)(uintptr_t)room.p;
	int err = segment_read(at.segment, payload + off, bytes, room.n);

	for (uint64_t done = 0, n; r->type == RECORD_LONG && done < room.n && !err; done += n) {
		n = room.n - done < 16 * RECORD_CHUNK ? room.n - done : 16 * RECORD_CHUNK;
		err = segment_read(at.segment,
			payload + r->payload.n + (off + done) / RECORD_CHUNK * 4, sums,
			(n + RECORD_CHUNK - 1) / RECORD_CHUNK * 4);
		if (!err && !record_chunks_ok(view_of(bytes + done, n), sums))
			err = -E_CORRUPT;
	}
	return err;
}

/* The record's lengths; what its checksum covers is checked, unless it was. */
static int open_record(struct disk *d, struct entry *e, struct record *r)
{
	uint32_t crc, sum;
	int err = read_header(e, r, &crc, &sum);

	if (err || e->is_checked)
		return err;
	err = check_record(d, e, r, crc, sum);
	e->is_checked = !err;
	return err;
}

static int check_record(
	struct disk *d, const struct entry *e, const struct record *r, uint32_t crc, uint32_t sum)
{
	uint64_t at = compact_place_of(e).off + RECORD_HEADER, n = r->value.n + r->head.n;
	bool is_long = r->type == RECORD_LONG;
	int err = stream(d, e, at, is_long ? n : n + r->payload.n, &crc);

	if (!err && is_long)
		err = stream(d, e, at + n + r->payload.n, record_sums(r->payload.n), &crc);
	return !err && crc != sum ? -E_CORRUPT : err;
}

static int stream(struct disk *d, const struct entry *e, uint64_t at, uint64_t n, uint32_t *crc)
{
	int err = 0;

	for (uint64_t step; n > 0 && !err; n -= step, at += step) {
		step = n < LOAD_BYTES ? n : LOAD_BYTES;
		err = segment_read(bundle_of(e)->segment, at, d->scratch, step);
		*crc = record_check(*crc, view_of(d->scratch, step));
	}
	return err;
}

static int read_header(const struct entry *e, struct record *r, uint32_t *crc, uint32_t *sum)
{
	uint8_t header[RECORD_HEADER];
	struct place at = compact_place_of(e);
	int err = at.segment ? segment_read(at.segment, at.off, header, sizeof header) : -E_CORRUPT;

	if (err)
		return err;
	if (record_start(header, r, crc, sum) || !is_of(r, e))
		return -E_CORRUPT;
	return record_length(r) == at.len ? 0 : -E_CORRUPT;
}

static bool is_of(const struct record *r, const struct entry *e)
{
	const struct bundle *b = bundle_of(e);

	return r->id == e->id && (r->type == RECORD_PUT || r->type == RECORD_LONG) &&
	       r->generation == b->segment->generation && r->head.n == b->head_len &&
	       r->payload.n == b->payload_len;
}

static struct cell *cell_for(struct disk *d, uint64_t n)
{
	d->base.loaded_bytes += n;
	return store_cell_new(&d->base, n);
}

/* Views of the old one stay good until the turn. */
static void set_cell(struct store *st, struct cell **at, struct cell *c)
{
	store_cell_unref(st, *at);
	*at = c;
}
