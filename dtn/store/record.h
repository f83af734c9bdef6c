/*
 * record: one record of the segment log, as bytes (owlt-store(5)). Big-endian, 48 bytes of header, then
 * value, head and payload, then zeros up to a multiple of eight.
 */
#ifndef OWLT_STORE_RECORD_H
#define OWLT_STORE_RECORD_H

#include "bundle/base/err.h"
#include "bundle/base/view.h"

#define RECORD_HEADER 48u
#define RECORD_VERSION 1u

enum record_type {
	RECORD_SEGMENT = 1, /* first of a segment; value: version */
	RECORD_PUT,         /* a bundle with value, head and payload (also when it was moved) */
	RECORD_SET,         /* the value of a row */
	RECORD_DELETE,      /* a row or bundle is gone */
	RECORD_END, /* the batch is complete; id: the batch before; value: number of its records */
};

struct record {
	uint8_t type, kind;
	uint64_t generation, batch, id;
	struct view value, head, payload;
};

/* Bytes of a record with its padding. */
uint64_t record_size(uint64_t value, uint64_t head, uint64_t payload);
/* The header with its checksum over header and data. */
void record_write(const struct record *r, uint8_t out[RECORD_HEADER]);
/* A record in pieces. Reading: what its header says (views without pointers), the checksum over the
 * header, and *sum, which it must be after value, head and payload went through record_check(). -E_FORM. */
int record_start(const uint8_t header[RECORD_HEADER], struct record *r, uint32_t *crc,
	uint32_t *sum) MUST_USE;
uint32_t record_check(uint32_t crc, struct view bytes);
/* Writing: the header from the lengths of r's views, the checksum over it; and its last step. */
uint32_t record_begin(const struct record *r, uint8_t out[RECORD_HEADER]);
void record_seal(uint8_t header[RECORD_HEADER], uint32_t crc);
/* The record at the start of `bytes`, checked; *size is its length with padding. -E_TRUNCATED, -E_FORM,
 * -E_CRC. Views go into `bytes`. */
int record_read(struct view bytes, struct record *r, uint64_t *size) MUST_USE;

#endif
