/*
 * plain_write: primary block and known extension blocks written without a check a byte, for
 * endpoints that are ipn in two elements or dtn:none. Each gives the end of what it wrote, or NULL
 * and the caller writes with a buf; the bytes are the same. Not for others than bundle/.
 */
#ifndef OWLT_BUNDLE_PLAIN_WRITE_H
#define OWLT_BUNDLE_PLAIN_WRITE_H

#include "bundle/block.h"

/* Bytes that must be free at p. */
#define PLAIN_START_ROOM 256u
#define PLAIN_PRIMARY_ROOM 160u
#define PLAIN_BLOCK_ROOM 96u

/* The outer array's head, primary block, previous node, age and hop count, all with CRC-32C, of a
 * bundle without blocks of the caller's; *number is the first block's and then the next one's. NULL
 * where one of them is not short. */
uint8_t *plain_start_put(uint8_t *p, const struct bundle_spec *s, uint64_t *number);
uint8_t *plain_primary_put(uint8_t *p, const struct bundle_spec *s);
/* Previous node, age, hop count, custody; others NULL. */
uint8_t *plain_block_put(
	uint8_t *p, enum block_kind kind, const struct block_spec *s, const struct block_values *v);
/* A block up to its n bytes of data; *crc: its CRC so far, as of crc_update(). NULL where it is not
 * one of CRC-32C with short numbers. */
uint8_t *plain_open_put(uint8_t *p, const struct block_spec *s, uint64_t n, uint32_t *crc);

#endif
