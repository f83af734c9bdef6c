/*
 * record: one record of the segment log, as bytes (owlt-store(5)). Big-endian, 48 bytes of header, then
 * value, head and payload, then zeros up to a multiple of eight. A payload above RECORD_CHUNK has
 * checksums of its own, one for each chunk, behind it: so any part of it is checked by reading that part.
 */
#ifndef OWLT_STORE_RECORD_H
#define OWLT_STORE_RECORD_H

#include "bundle/base/err.h"
#include "bundle/base/view.h"

#define RECORD_HEADER 48u
#define RECORD_ALIGN 8u
#define RECORD_CHUNK 32768u
#define RECORD_VERSION 1u
#define RECORD_PLACE_SIZE 36u

enum record_type {
	RECORD_SEGMENT = 1, /* first of a segment; value: version; kind: RECORD_LANE or 0 */
	RECORD_PUT,         /* a bundle with value, head and payload */
	RECORD_SET,         /* the value of a row */
	RECORD_DELETE,      /* a row or bundle is gone */
	RECORD_END, /* the batch is complete; id: the batch before; value: number of its records */
	RECORD_PLACE, /* a bundle whose record lies elsewhere; head: where */
	RECORD_LONG /* as PUT of a payload above RECORD_CHUNK; its checksum leaves out the payload, which
		     * has its own */
};
#define RECORD_LANE 1u /* kind of a SEGMENT record: bundles that stay longer; not replayed */

struct record {
	uint8_t type, kind;
	uint64_t generation, batch, id;
	struct view value, head, payload;
};

/* Bytes of the payload's own checksums: four a chunk, none for a short one. */
static inline uint64_t record_sums(uint64_t payload)
{
	return payload > RECORD_CHUNK ? (payload + RECORD_CHUNK - 1) / RECORD_CHUNK * 4 : 0;
}
static inline uint64_t record_padded(uint64_t n)
{
	return (RECORD_HEADER + n + RECORD_ALIGN - 1) & ~(uint64_t)(RECORD_ALIGN - 1);
}
/* Bytes of a record of today with its padding. */
static inline uint64_t record_size(uint64_t value, uint64_t head, uint64_t payload)
{
	return record_padded(value + head + payload + record_sums(payload));
}
/* The checksums of the chunks that end in bytes [from, to) of a payload that will be `size` bytes long. */
void record_sum(const uint8_t *payload, uint64_t size, uint64_t from, uint64_t to, uint8_t *sums);
/* The header with its checksum over header and data, faster when these lie behind `out` one after the other. A
 * PUT of a payload above RECORD_CHUNK becomes a LONG, whose checksums are in `sums` (record_sums() bytes). */
void record_write(const struct record *r, uint8_t out[RECORD_HEADER], const uint8_t *sums);
/* A record in pieces. Reading: what its header says (views without pointers), the checksum over the
 * header, and *sum, which it must be after value, head and payload (LONG: instead of it its checksums)
 * went through record_check(). -E_FORM. */
int record_start(const uint8_t header[RECORD_HEADER], struct record *r, uint32_t *crc,
	uint32_t *sum) MUST_USE;
uint32_t record_check(uint32_t crc, struct view bytes);
/* Bytes of it with its padding, whatever its type. */
uint64_t record_length(const struct record *r);
/* Writing: the header from the lengths of r's views, the checksum over it; and its last step. */
uint32_t record_begin(const struct record *r, uint8_t out[RECORD_HEADER]);
void record_seal(uint8_t header[RECORD_HEADER], uint32_t crc);
/* The record at the start of `bytes`, checked; *size is its length with padding. -E_TRUNCATED, -E_FORM,
 * -E_CRC. Views go into `bytes`. */
int record_read(struct view bytes, struct record *r, uint64_t *size) MUST_USE;
/* Where a bundle's record is, and its lengths: RECORD_PLACE_SIZE bytes. */
struct record_place {
	uint64_t generation, off, len, head, payload;
};
void record_place_write(const struct record_place *p, uint8_t out[RECORD_PLACE_SIZE]);
/* Of a view of at least RECORD_PLACE_SIZE bytes. */
struct record_place record_place_read(struct view bytes);
/* Is a chunk what its checksum says? `sums` begins with the one of the first chunk in `bytes`. */
bool record_chunks_ok(struct view bytes, const uint8_t *sums);

#endif
