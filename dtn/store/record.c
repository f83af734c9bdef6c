/*
 * record: reading and writing records of the segment log.
 *
 *   0 magic "OWLR"   4 CRC-32C of what follows (header from byte 8, then value, head, payload)
 *   8 generation of the segment   16 number of the batch   24 type   25 kind   26 value length (16 bits)
 *   28 head length (32 bits)   32 payload length (64 bits)   40 id
 *
 * The generation makes records of an earlier use of the segment strangers, and the checksum finds torn
 * ones, so recovery needs no end mark beside the batch's own.
 */
#include "dtn/store/record.h"

#include "bundle/base/bytes.h"
#include "bundle/crc.h"
#include "dtn/store/store.h"

#define MAGIC 0x4f574c52u

static uint32_t record_data(uint32_t crc, const struct record *r);

uint64_t record_size(uint64_t value, uint64_t head, uint64_t payload)
{
	return (RECORD_HEADER + value + head + payload + 7) & ~UINT64_C(7);
}

void record_write(const struct record *r, uint8_t out[RECORD_HEADER])
{
	record_seal(out, record_data(record_begin(r, out), r));
}

uint32_t record_begin(const struct record *r, uint8_t out[RECORD_HEADER])
{
	be32_put(out, MAGIC);
	be64_put(out + 8, r->generation);
	be64_put(out + 16, r->batch);
	out[24] = r->type;
	out[25] = r->kind;
	be16_put(out + 26, (uint16_t)r->value.n);
	be32_put(out + 28, (uint32_t)r->head.n);
	be64_put(out + 32, r->payload.n);
	be64_put(out + 40, r->id);
	return crc32c(0, view_of(out + 8, RECORD_HEADER - 8));
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
	if (r->value.n > left || r->head.n > left - r->value.n ||
		r->payload.n > left - r->value.n - r->head.n)
		return -E_TRUNCATED;
	r->value.p = p + RECORD_HEADER;
	r->head.p = r->value.p + r->value.n;
	r->payload.p = r->head.p + r->head.n;
	if (record_data(crc, r) != sum)
		return -E_CRC;
	if (r->type < RECORD_SEGMENT || r->type > RECORD_END || r->value.n > STORE_VALUE_MAX)
		return -E_FORM;
	*size = record_size(r->value.n, r->head.n, r->payload.n);
	return *size <= bytes.n ? 0 : -E_TRUNCATED;
}

static uint32_t record_data(uint32_t crc, const struct record *r)
{
	crc = crc32c(crc, r->value);
	crc = crc32c(crc, r->head);
	return crc32c(crc, r->payload);
}
