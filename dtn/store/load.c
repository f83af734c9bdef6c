/*
 * load: bytes of durable bundles back from the log. Every record's checksum is verified at least once
 * between opening and closing the store, before anything of it is given out: a short record is read as
 * a whole into one cell, with its head and payload. Of a longer one only what is asked for is kept, the
 * head by itself and a window of the payload; its first reader streams all of it through a scratch
 * buffer for the checksum. When a turn has read more than the cache holds (a walk over all heads),
 * short records are treated like that too, so a turn's memory does not grow with what is stored.
 *
 * No cell is larger than a slab, unless a caller asks for a larger slice, so the heap is not asked for
 * memory. Start reading at disk_load_head().
 */
#include "dtn/store/disk.h"

#define WHOLE_MAX (LOAD_BYTES - 256) /* a cell of so much fits a slab */

static int load_whole(struct disk *d, struct entry *e);
static int load_window(struct disk *d, struct entry *e, uint64_t off, uint64_t n);
static int open_record(struct disk *d, struct entry *e, struct record *r);
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
	struct record r;
	struct cell *c;
	int err;

	if (e->place.len <= WHOLE_MAX && st->loaded_bytes + e->place.len <= st->cache_max)
		return load_whole(d, e);
	err = open_record(d, e, &r);
	if (err)
		return err;
	c = cell_for(d, e->head.n);
	if (!c)
		return -ENOMEM;
	err = segment_read(
		e->place.segment, e->place.off + RECORD_HEADER + r.value.n, c->bytes, c->n);
	if (err) {
		store_cell_unref(st, c);
		return err;
	}
	set_cell(st, &e->head_cell, c);
	e->head.p = c->bytes;
	return 0;
}

int disk_load_payload(struct store *st, struct entry *e, uint64_t off, uint64_t n)
{
	struct disk *d = disk_of(st);

	return e->place.len <= WHOLE_MAX ? load_whole(d, e) : load_window(d, e, off, n);
}

int disk_check(struct store *st, struct entry *e)
{
	struct record r;

	e->is_checked = false;
	return open_record(disk_of(st), e, &r);
}

static int load_whole(struct disk *d, struct entry *e)
{
	struct store *st = &d->base;
	struct cell *c = cell_for(d, e->place.len);
	struct record r;
	uint64_t size;
	int err;

	if (!c)
		return -ENOMEM;
	err = e->place.segment ? segment_read(e->place.segment, e->place.off, c->bytes, c->n)
			       : -E_CORRUPT;
	if (!err && (record_read(view_of(c->bytes, c->n), &r, &size) || !is_of(&r, e)))
		err = -E_CORRUPT;
	if (err) {
		store_cell_unref(st, c);
		return err;
	}
	set_cell(st, &e->head_cell, c);
	set_cell(st, &e->payload_cell, store_cell_ref(c));
	e->head = r.head;
	e->payload = r.payload;
	e->is_checked = true;
	return 0;
}

static int load_window(struct disk *d, struct entry *e, uint64_t off, uint64_t n)
{
	struct store *st = &d->base;
	uint64_t left = e->payload.n - off, more = left < WHOLE_MAX ? left : WHOLE_MAX;
	struct record r;
	struct cell *c;
	int err = open_record(d, e, &r);

	if (err)
		return err;
	c = cell_for(d, n > more ? n : more);
	if (!c)
		return -ENOMEM;
	err = segment_read(e->place.segment,
		e->place.off + RECORD_HEADER + r.value.n + e->head.n + off, c->bytes, c->n);
	if (err) {
		store_cell_unref(st, c);
		return err;
	}
	set_cell(st, &e->payload_cell, c);
	e->window = off;
	return 0;
}

/* The record's lengths; all of it is checked, unless it was. */
static int open_record(struct disk *d, struct entry *e, struct record *r)
{
	uint64_t at = e->place.off + RECORD_HEADER, left;
	uint32_t crc, sum;
	int err = read_header(e, r, &crc, &sum);

	if (err || e->is_checked)
		return err;
	left = r->value.n + r->head.n + r->payload.n;
	while (left > 0 && !err) {
		size_t n = left < LOAD_BYTES ? (size_t)left : LOAD_BYTES;

		err = segment_read(e->place.segment, at, d->scratch, n);
		crc = err ? crc : record_check(crc, view_of(d->scratch, n));
		at += n;
		left -= n;
	}
	if (!err && crc != sum)
		err = -E_CORRUPT;
	e->is_checked = !err;
	return err;
}

static int read_header(const struct entry *e, struct record *r, uint32_t *crc, uint32_t *sum)
{
	uint8_t header[RECORD_HEADER];
	int err = e->place.segment
			  ? segment_read(e->place.segment, e->place.off, header, sizeof header)
			  : -E_CORRUPT;

	if (err)
		return err;
	if (record_start(header, r, crc, sum) || !is_of(r, e))
		return -E_CORRUPT;
	return record_size(r->value.n, r->head.n, r->payload.n) == e->place.len ? 0 : -E_CORRUPT;
}

static bool is_of(const struct record *r, const struct entry *e)
{
	return r->id == e->id && r->type == RECORD_PUT &&
	       r->generation == e->place.segment->generation && r->head.n == e->head.n &&
	       r->payload.n == e->payload.n;
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
