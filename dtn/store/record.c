/*
 * record: reading and writing records of the segment log.
 *
 *   0 magic "OWLR"   4 CRC-32C of what follows (header from byte 8, then value, head, payload)
 *   8 generation of the segment   16 number of the batch   24 type   25 kind   26 value length (16 bits)
 *   28 head length (32 bits)   32 payload length (64 bits)   40 id
 *
 * A LONG record has the checksums of its payload's chunks (32 bits each) behind the payload, and the
 * checksum in its header covers them instead of the payload.
 *
 * The generation makes records of an earlier use of the segment strangers, and the checksum finds torn
 * ones, so recovery needs no end mark beside the batch's own.
 */
#include "dtn/store/record.h"

#include "bundle/base/bytes.h"
#include "bundle/crc.h"
#include "dtn/store/store.h"

#define MAGIC 0x4f574c52u

static void header_write(const struct record *r, uint8_t type, uint8_t out[RECORD_HEADER]);
static bool is_together(const struct record *r);
static struct view sums_of(const struct record *r, const uint8_t *sums);
static uint32_t record_data(uint32_t crc, const struct record *r, const uint8_t *sums);
static struct view chunk_at(struct view payload, size_t at);

uint64_t record_length(const struct record *r)
{
	return r->type == RECORD_LONG ? record_size(r->value.n, r->head.n, r->payload.n)
				      : record_padded(r->value.n + r->head.n + r->payload.n);
}

void record_sum(const uint8_t *payload, uint64_t size, uint64_t from, uint64_t to, uint8_t *sums)
{
	struct view all = view_of(payload, size);

	for (uint64_t at = from - from % RECORD_CHUNK; at < to; at += RECORD_CHUNK)
		if (to - at >= RECORD_CHUNK || to == size)
			be32_put(sums + at / RECORD_CHUNK * 4, crc32c(0, chunk_at(all, at)));
}

void record_write(const struct record *r, uint8_t out[RECORD_HEADER], const uint8_t *sums)
{
	bool is_long = r->type == RECORD_PUT && r->payload.n > RECORD_CHUNK;
	uint8_t type = is_long ? RECORD_LONG : r->type;
	size_t n = RECORD_HEADER - 8;

	header_write(r, type, out);
	if (r->value.p == out + RECORD_HEADER && is_together(r)) {
		n += r->value.n + r->head.n + (type == RECORD_LONG ? 0 : r->payload.n);
		uint32_t crc = crc32c(0, view_of(out + 8, n));

		record_seal(out, type == RECORD_LONG ? crc32c(crc, sums_of(r, sums)) : crc);
		return;
	}
	struct record w = *r;
	w.type = type;
	record_seal(out, record_data(crc32c(0, view_of(out + 8, n)), &w, sums));
}

uint32_t record_begin(const struct record *r, uint8_t out[RECORD_HEADER])
{
	header_write(r, r->type, out);
	return crc32c(0, view_of(out + 8, RECORD_HEADER - 8));
}

static void header_write(const struct record *r, uint8_t type, uint8_t out[RECORD_HEADER])
{
	be32_put(out, MAGIC);
	be64_put(out + 8, r->generation);
	be64_put(out + 16, r->batch);
	out[24] = type;
	out[25] = r->kind;
	be16_put(out + 26, (uint16_t)r->value.n);
	be32_put(out + 28, (uint32_t)r->head.n);
	be64_put(out + 32, r->payload.n);
	be64_put(out + 40, r->id);
}

void record_seal(uint8_t header[RECORD_HEADER], uint32_t crc)
{
	be32_put(header + 4, crc);
}

int record_start(
	const uint8_t header[RECORD_HEADER], struct record *r, uint32_t *crc, uint32_t *sum)
{
	uint64_t payload = be64_get(header + 32);

	if (be32_get(header) != MAGIC || payload > SIZE_MAX)
		return -E_FORM;
	*r = (struct record){.type = header[24],
		.kind = header[25],
		.generation = be64_get(header + 8),
		.batch = be64_get(header + 16),
		.id = be64_get(header + 40),
		.value.n = be16_get(header + 26),
		.head.n = be32_get(header + 28),
		.payload.n = (size_t)payload};
	if (r->type == RECORD_LONG && payload <= RECORD_CHUNK)
		return -E_FORM; /* nothing would cover its payload */
	*sum = be32_get(header + 4);
	*crc = crc32c(0, view_of(header + 8, RECORD_HEADER - 8));
	return 0;
}

uint32_t record_check(uint32_t crc, struct view bytes)
{
	return crc32c(crc, bytes);
}

int record_read(struct view bytes, struct record *r, uint64_t *size)
{
	const uint8_t *p = bytes.p;
	uint32_t crc, sum;

	if (bytes.n < RECORD_HEADER)
		return -E_TRUNCATED;
	if (record_start(p, r, &crc, &sum))
		return -E_FORM;
	size_t left = bytes.n - RECORD_HEADER;
	uint64_t sums = r->type == RECORD_LONG ? record_sums(r->payload.n) : 0;
	if (r->value.n > left || r->head.n > left - r->value.n ||
		r->payload.n > left - r->value.n - r->head.n ||
		sums > left - r->value.n - r->head.n - r->payload.n)
		return -E_TRUNCATED;
	r->value.p = p + RECORD_HEADER;
	r->head.p = r->value.p + r->value.n;
	r->payload.p = r->head.p + r->head.n;
	if (record_data(crc, r, r->payload.p + r->payload.n) != sum)
		return -E_CRC;
	if (r->type == RECORD_LONG && !record_chunks_ok(r->payload, r->payload.p + r->payload.n))
		return -E_CRC;
	if (r->type < RECORD_SEGMENT || r->type > RECORD_LONG || r->value.n > STORE_VALUE_MAX)
		return -E_FORM;
	*size = record_length(r);
	return *size <= bytes.n ? 0 : -E_TRUNCATED;
}

void record_place_write(const struct record_place *p, uint8_t out[RECORD_PLACE_SIZE])
{
	be64_put(out, p->generation);
	be64_put(out + 8, p->off);
	be64_put(out + 16, p->len);
	be32_put(out + 24, (uint32_t)p->head);
	be64_put(out + 28, p->payload);
}

struct record_place record_place_read(struct view bytes)
{
	const uint8_t *p = bytes.p;

	return (struct record_place){.generation = be64_get(p),
		.off = be64_get(p + 8),
		.len = be64_get(p + 16),
		.head = be32_get(p + 24),
		.payload = be64_get(p + 28)};
}

bool record_chunks_ok(struct view bytes, const uint8_t *sums)
{
	for (size_t at = 0; at < bytes.n; at += RECORD_CHUNK)
		if (crc32c(0, chunk_at(bytes, at)) != be32_get(sums + at / RECORD_CHUNK * 4))
			return false;
	return true;
}

static struct view chunk_at(struct view payload, size_t at)
{
	size_t left = payload.n - at;

	return view_of(payload.p + at, left < RECORD_CHUNK ? left : RECORD_CHUNK);
}

/* Do head and payload lie behind the value? */
static bool is_together(const struct record *r)
{
	return r->value.p && r->head.p == r->value.p + r->value.n &&
	       r->payload.p == r->head.p + r->head.n;
}

static struct view sums_of(const struct record *r, const uint8_t *sums)
{
	return view_of(sums, record_sums(r->payload.n));
}

/* What the checksum covers behind the header. */
static uint32_t record_data(uint32_t crc, const struct record *r, const uint8_t *sums)
{
	size_t together = r->value.n + r->head.n, all = together + r->payload.n;
	bool is_long = r->type == RECORD_LONG;

	if (is_together(r)) {
		crc = crc32c(crc, view_of(r->value.p, is_long ? together : all));
	} else {
		crc = crc32c(crc, r->value);
		crc = crc32c(crc, r->head);
		crc = is_long ? crc : crc32c(crc, r->payload);
	}
	return is_long ? crc32c(crc, sums_of(r, sums)) : crc;
}
