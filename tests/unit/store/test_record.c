/* One record of the log as bytes: each type read back, cut short at every byte, every bit of its header; and a
 * record whose payload nothing would check. The bytes lie in memory of exactly their length, so that a reader
 * that goes beyond them is seen by AddressSanitizer. */
#include "dtn/store/record.h"

#include "bundle/base/bytes.h"
#include "dtn/store/store.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *bytes_new(size_t n)
{
	uint8_t *p = malloc(n ? n : 1);

	cr_assert(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 7 + (i >> 8));
	return p;
}

/* A record with such lengths, *n bytes with its padding. The caller frees it. */
static uint8_t *record_new(
	enum record_type type, size_t value, size_t head, size_t payload, uint64_t *n)
{
	bool is_long = type == RECORD_PUT && payload > RECORD_CHUNK;
	size_t all = RECORD_HEADER + value + head + payload;

	*n = is_long ? record_size(value, head, payload) : (all + 7) / 8 * 8;
	uint8_t *p = bytes_new((size_t)*n);
	struct record r = {.type = (uint8_t)type,
		.kind = STORE_BUNDLE,
		.generation = 5,
		.batch = 6,
		.id = 7,
		.value = view_of(p + RECORD_HEADER, value),
		.head = view_of(p + RECORD_HEADER + value, head),
		.payload = view_of(p + RECORD_HEADER + value + head, payload)};

	if (is_long)
		record_sum(r.payload.p, payload, 0, payload, p + all);
	record_write(&r, p, p + all);
	return p;
}

static int read_exactly(const uint8_t *bytes, size_t n, struct record *r, uint64_t *size)
{
	uint8_t *copy = bytes_new(n);

	memcpy(copy, bytes, n);
	int err = record_read(view_of(copy, n), r, size);
	free(copy);
	return err;
}

Test(record, is_read_back_and_no_part_of_it_is)
{
	static const struct {
		enum record_type type;
		size_t value, head, payload;
	} rows[] = {{RECORD_SEGMENT, 4, 0, 0}, {RECORD_PUT, 40, 120, 0}, {RECORD_PUT, 0, 3, 1},
		{RECORD_PUT, STORE_VALUE_MAX, 77, 1000}, {RECORD_PUT, 1, 2, RECORD_CHUNK},
		{RECORD_PUT, 40, 120, RECORD_CHUNK + 1}, {RECORD_SET, 33, 0, 0},
		{RECORD_DELETE, 0, 0, 0}, {RECORD_END, 8, 0, 0},
		{RECORD_PLACE, 64, RECORD_PLACE_SIZE, 0}};
	struct record r;
	uint64_t n, size;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t *p =
			record_new(rows[i].type, rows[i].value, rows[i].head, rows[i].payload, &n);

		cr_assert_eq(record_read(view_of(p, (size_t)n), &r, &size), 0, "row %zu", i);
		cr_assert_eq(size, n);
		cr_assert_eq(r.value.n, rows[i].value);
		cr_assert_eq(r.head.n, rows[i].head);
		cr_assert_eq(r.payload.n, rows[i].payload);
		cr_assert_eq(r.type, rows[i].payload > RECORD_CHUNK ? RECORD_LONG : rows[i].type);
		for (size_t cut = 0; cut < n; cut += cut < 200 || n - cut < 20 ? 1 : 997)
			cr_assert_neq(read_exactly(p, cut, &r, &size), 0, "row %zu, %zu", i, cut);
		for (size_t bit = 0; bit < (size_t)RECORD_HEADER * 8; bit++) {
			p[bit / 8] ^= (uint8_t)(1 << bit % 8);
			cr_assert_neq(record_read(view_of(p, (size_t)n), &r, &size), 0);
			p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		free(p);
	}
}

/* Each chunk has its checksum, and so have these. */
Test(record, damage_anywhere_in_a_long_payload_is_seen)
{
	struct record r;
	uint64_t n, size;
	uint8_t *p = record_new(RECORD_PUT, 40, 120, 3 * RECORD_CHUNK + 5, &n);
	size_t end = RECORD_HEADER + 40 + 120 + 3 * RECORD_CHUNK + 5 + 4 * 4;

	for (size_t at = RECORD_HEADER; at<end; at += at> end - 40 ? 1 : 1021) {
		p[at] ^= 0x10;
		cr_assert_eq(record_read(view_of(p, (size_t)n), &r, &size), -E_CRC);
		p[at] ^= 0x10;
	}
	free(p);
}

/* It would have no checksum over its payload: neither the header's nor chunks'. */
Test(record, a_long_one_with_a_short_payload_is_refused)
{
	static const size_t payload[] = {0, 1, 8, 1000, RECORD_CHUNK - 1, RECORD_CHUNK};
	struct record r;
	uint64_t size;
	uint32_t crc, sum;

	for (size_t i = 0; i < sizeof payload / sizeof payload[0]; i++) {
		size_t n = (RECORD_HEADER + payload[i] + 7) / 8 * 8;
		uint8_t *p = bytes_new(n);

		r = (struct record){.type = RECORD_LONG,
			.kind = STORE_BUNDLE,
			.generation = 5,
			.batch = 6,
			.id = 7,
			.payload = view_of(NULL, payload[i])};
		record_seal(p, record_begin(&r, p)); /* the checksum of header, no value, no head */
		cr_assert_eq(record_read(view_of(p, n), &r, &size), -E_FORM, "%zu", payload[i]);
		cr_assert_eq(record_start(p, &r, &crc, &sum), -E_FORM, "%zu", payload[i]);
		free(p);
	}
}
