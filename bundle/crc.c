/*
 * CRC-16/X.25 and CRC-32C (RFC 9171 4.2.1; the same polynomials as RFC 1171 and RFC 4960).
 *
 * With SSE4.2 and PCLMULQDQ (asked at each call: a load and a test, so no state) CRC-32C takes the
 * crc32 instruction, one stream for short runs and crc_x86.c for long ones, and long CRC-16 runs
 * are folded to 16 bytes there. Else, and for short CRC-16 runs, eight tables at once; a rest of
 * fewer than eight bytes is one step more, put to the top of a word. Readers of blocks take
 * crc_block_value() of crc_block.h. Start reading at crc_update(). Hot: figures in `owlt bench
 * codec`.
 */
#include "bundle/crc.h"

#include "bundle/base/bytes.h"
#include "bundle/base/hot.h"
#include "bundle/crc_block.h"
#include "bundle/crc_table.h"

static uint32_t crc16_run(uint32_t crc, const uint8_t *p, size_t n);
static uint64_t le_get(const uint8_t *p, size_t n);

uint32_t crc_update(enum crc_type type, uint32_t before, struct view v)
{
	switch (type) {
	case CRC_16:
		return crc16_x25((uint16_t)before, v);
	case CRC_32C:
		return crc32c(before, v);
	default:
		return 0;
	}
}

uint32_t crc_block(enum crc_type type, struct view v)
{
	static const uint8_t zero[4];

	return crc_update(type, crc_update(type, 0, v), view_of(zero, crc_size(type)));
}

#if defined(__x86_64__)
HOT uint32_t crc32c(uint32_t before, struct view v)
{
	if (!crc_has_instruction())
		return crc32c_table(before, v);
	if (v.n >= CRC32C_LONG)
		return ~crc32c_long(~before, v.p, v.n);
	if (v.n >= 8)
		return ~(uint32_t)crc32c_stream(~before, v.p, v.n);
	uint64_t crc = ~before, bytes = le_get(v.p, v.n);
	unsigned low = 63 - 8 * (unsigned)v.n; /* as in crc32c_rest() */
	return ~(uint32_t)(crc32c_u64(0, (bytes ^ crc) << low << 1) ^ crc >> (8 * v.n));
}

uint16_t crc16_x25(uint16_t before, struct view v)
{
	uint32_t crc = (uint16_t)~before;
	size_t folded = v.n & ~(size_t)15;
	uint8_t rest[16];

	if (folded >= CRC16_FOLD && crc_has_instruction()) {
		crc16_x25_fold(crc, v.p, folded, rest);
		crc = crc16_run(0, rest, sizeof rest);
		v = view_sub(v, folded, v.n - folded);
	}
	return (uint16_t)~crc16_run(crc, v.p, v.n);
}
#else
HOT uint32_t crc32c(uint32_t before, struct view v)
{
	return crc32c_table(before, v);
}

uint16_t crc16_x25(uint16_t before, struct view v)
{
	return crc16_x25_table(before, v);
}
#endif

static uint32_t crc32c_step(uint64_t x)
{
	uint32_t crc = 0;

	for (unsigned k = 0; k < 8; k++)
		crc ^= crc32c_slice[7 - k][x >> (8 * k) & 0xff];
	return crc;
}

uint32_t crc32c_table(uint32_t before, struct view v)
{
	const uint8_t *p = v.p, *end = v.n ? v.p + v.n : v.p;
	uint64_t crc = ~before;

	for (; end - p >= 8; p += 8)
		crc = crc32c_step(le_get(p, 8) ^ crc);
	unsigned r = (unsigned)(end - p);
	if (r)
		crc = crc32c_step((le_get(p, r) ^ crc) << (64 - 8 * r)) ^ crc >> (8 * r);
	return ~(uint32_t)crc;
}

uint16_t crc16_x25_table(uint16_t before, struct view v)
{
	return (uint16_t)~crc16_run((uint16_t)~before, v.p, v.n);
}

static uint32_t crc16_step(uint64_t x)
{
	uint32_t crc = 0;

	for (unsigned k = 0; k < 8; k++)
		crc ^= crc16_slice[7 - k][x >> (8 * k) & 0xff];
	return crc;
}

/* Raw state in and out. */
static uint32_t crc16_run(uint32_t crc, const uint8_t *p, size_t n)
{
	for (; n >= 8; p += 8, n -= 8)
		crc = crc16_step(le_get(p, 8) ^ crc);
	if (n == 0)
		return crc;
	return crc16_step((le_get(p, n) ^ crc) << (64 - 8 * n)) ^
	       (uint32_t)((uint64_t)crc >> 8 * n);
}

/* n <= 8 bytes, the first one lowest. */
static uint64_t le_get(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	if (n == 8)
		return __builtin_bswap64(be64_get(p));
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}
