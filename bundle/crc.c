/*
 * CRC-16/X.25 and CRC-32C (RFC 9171 4.2.1; the same polynomials as RFC 1171 and RFC 4960).
 *
 * CRC-32C uses the SSE4.2 instruction where the processor has it (asked at each call: one load and
 * a test, so no state), else eight tables at once; CRC-16 uses tables. From 3 * STREAM bytes on,
 * three streams run side by side, because the instruction takes three cycles but one can start each
 * cycle; they are joined by carry-less multiplication with x^(8 * length).
 * Start reading at crc_update(). Hot: figures in `owlt bench codec`.
 */
#include "bundle/crc.h"

#include "bundle/base/bytes.h"
#include "bundle/crc_table.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define HAVE_CRC32_INSTRUCTION 1
#define STREAM 336u /* bytes: three fit a 1 kB payload */
#define SHIFT_STREAM 0xa60ce07bu
#define SHIFT_2_STREAMS 0xcec3662eu
#else
#define HAVE_CRC32_INSTRUCTION 0
#endif

static uint64_t le64_get(const uint8_t *p);

#if HAVE_CRC32_INSTRUCTION
static uint32_t crc32c_sse42(uint32_t before, struct view v);
static uint32_t crc32c_zero4(uint32_t before);

static bool has_instruction(void)
{
	return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}
#endif

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

#if HAVE_CRC32_INSTRUCTION
	if (type == CRC_32C && has_instruction())
		return crc32c_zero4(crc32c_sse42(0, v));
#endif
	return crc_update(type, crc_update(type, 0, v), view_of(zero, crc_size(type)));
}

size_t crc_size(enum crc_type type)
{
	return type == CRC_32C ? 4 : type == CRC_16 ? 2 : 0;
}

uint32_t crc32c(uint32_t before, struct view v)
{
#if HAVE_CRC32_INSTRUCTION
	if (has_instruction())
		return crc32c_sse42(before, v);
#endif
	return crc32c_table(before, v);
}

uint16_t crc16_x25(uint16_t before, struct view v)
{
	return crc16_x25_table(before, v);
}

uint32_t crc32c_table(uint32_t before, struct view v)
{
	const uint8_t *p = v.p, *end = v.p + v.n;
	uint32_t crc = ~before;

	for (; end - p >= 8; p += 8) {
		uint64_t x = le64_get(p) ^ crc;
		crc = 0;
		for (unsigned k = 0; k < 8; k++)
			crc ^= crc32c_slice[7 - k][x >> (8 * k) & 0xff];
	}
	for (; p < end; p++)
		crc = crc >> 8 ^ crc32c_slice[0][(crc ^ *p) & 0xff];
	return ~crc;
}

uint16_t crc16_x25_table(uint16_t before, struct view v)
{
	const uint8_t *p = v.p, *end = v.p + v.n;
	uint32_t crc = (uint16_t)~before;

	for (; end - p >= 8; p += 8) {
		uint64_t x = le64_get(p) ^ crc;
		crc = 0;
		for (unsigned k = 0; k < 8; k++)
			crc ^= crc16_slice[7 - k][x >> (8 * k) & 0xff];
	}
	for (; p < end; p++)
		crc = crc >> 8 ^ crc16_slice[0][(crc ^ *p) & 0xff];
	return (uint16_t)~crc;
}

/* The eight bytes at p as the processor that the tables were made for would load them. */
static uint64_t le64_get(const uint8_t *p)
{
	return __builtin_bswap64(be64_get(p));
}

#if HAVE_CRC32_INSTRUCTION
/* One stream: three cycles for eight bytes. */
__attribute__((target("sse4.2"))) static uint32_t stream(uint32_t crc32, const uint8_t *p, size_t n)
{
	uint64_t crc = crc32;

	for (; n >= 8; p += 8, n -= 8)
		crc = _mm_crc32_u64(crc, le64_get(p));
	if (n >= 4) {
		crc = _mm_crc32_u32((uint32_t)crc, (uint32_t)__builtin_bswap32(be32_get(p)));
		p += 4;
		n -= 4;
	}
	for (; n > 0; p++, n--)
		crc = _mm_crc32_u8((uint32_t)crc, *p);
	return (uint32_t)crc;
}

/* The CRC after as many zero bytes as k stands for: k = x^(8 * bytes - 33) mod P, reflected. */
__attribute__((target("sse4.2,pclmul"))) static uint32_t shift(uint32_t crc, uint32_t k)
{
	__m128i product =
		_mm_clmulepi64_si128(_mm_cvtsi32_si128((int)crc), _mm_cvtsi32_si128((int)k), 0);

	return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* Three streams of STREAM bytes each, side by side. */
__attribute__((target("sse4.2,pclmul"))) static uint32_t three(uint32_t crc, const uint8_t *p)
{
	uint64_t a = crc, b = 0, c = 0;

	for (size_t i = 0; i < STREAM; i += 8) {
		a = _mm_crc32_u64(a, le64_get(p + i));
		b = _mm_crc32_u64(b, le64_get(p + STREAM + i));
		c = _mm_crc32_u64(c, le64_get(p + 2 * STREAM + i));
	}
	return shift((uint32_t)a, SHIFT_2_STREAMS) ^ shift((uint32_t)b, SHIFT_STREAM) ^ (uint32_t)c;
}

/* Four zero bytes more. */
__attribute__((target("sse4.2"))) static uint32_t crc32c_zero4(uint32_t before)
{
	return ~_mm_crc32_u32(~before, 0);
}

static uint32_t crc32c_sse42(uint32_t before, struct view v)
{
	uint32_t crc = ~before;

	while (v.n >= (size_t)3 * STREAM) {
		crc = three(crc, v.p);
		v = view_sub(v, (size_t)3 * STREAM, v.n - (size_t)3 * STREAM);
	}
	return ~stream(crc, v.p, v.n);
}
#endif
