/*
 * crc_block: the CRC of one block, without a call where the block is short: what a reader or writer
 * of blocks needs (RFC 9171 4.2.1: the CRC of the block with the CRC's own bytes as zeros). Not for
 * others than bundle/.
 */
#ifndef OWLT_BUNDLE_CRC_BLOCK_H
#define OWLT_BUNDLE_CRC_BLOCK_H

#include "bundle/crc_x86.h"

/* What the CRC field of a block holds whose n bytes before the value stand at p. */
static inline uint32_t crc_block_value(enum crc_type type, const uint8_t *p, size_t n)
{
#if defined(__x86_64__)
	if (type == CRC_32C && n >= 8 && crc_has_instruction()) {
		uint64_t crc = n >= CRC32C_LONG ? crc32c_long(~UINT32_C(0), p, n)
						: crc32c_stream(~UINT32_C(0), p, n);
		return ~crc32c_zeros4(crc);
	}
#endif
	return crc_block(type, view_of(p, n));
}

/* What the field holds behind bytes whose CRC so far is given: over its own head and zeros. */
static inline uint32_t crc_field_value(enum crc_type type, uint32_t before)
{
	const uint8_t field[5] = {(uint8_t)(2 << 5 | 2 * (unsigned)type)};

#if defined(__x86_64__)
	if (type == CRC_32C && crc_has_instruction())
		return ~(uint32_t)crc32c_u64(0, (uint64_t)(~before ^ field[0]) << 24);
#endif
	return crc_update(type, before, view_of(field, 1 + crc_size(type)));
}

#endif
