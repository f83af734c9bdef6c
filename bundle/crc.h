/*
 * crc: CRC-16/X.25 and CRC-32C (RFC 9171 4.2.1), in pieces or at once. Values are finished (xorout
 * applied) at every step, so crc32c(crc32c(0, a), b) is the CRC of a then b.
 */
#ifndef OWLT_BUNDLE_CRC_H
#define OWLT_BUNDLE_CRC_H

#include "bundle/base/view.h"

enum crc_type { CRC_NONE = 0, CRC_16 = 1, CRC_32C = 2 };

uint16_t crc16_x25(uint16_t before, struct view v);
uint32_t crc32c(uint32_t before, struct view v);
/* The portable ways, for comparison in tests and benchmarks. */
uint16_t crc16_x25_table(uint16_t before, struct view v);
uint32_t crc32c_table(uint32_t before, struct view v);
/* What a block's CRC field holds (RFC 9171 4.2.1): the CRC of v and of crc_size(type) zero bytes
 * behind it. */
uint32_t crc_block(enum crc_type type, struct view v);
/* Bytes of the value: 0, 2, 4. */
static inline size_t crc_size(enum crc_type type)
{
	return 2 * (size_t)type;
}

/* Either kind, chosen at run time. */
uint32_t crc_update(enum crc_type type, uint32_t before, struct view v);

#endif
