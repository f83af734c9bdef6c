/*
 * crc_x86: what crc.c and the block readers take from the processor: the crc32 instruction of
 * SSE4.2 and carry-less multiplication. States are raw here (no final inversion). Whoever calls
 * asks crc_has_instruction() before. Not for others than bundle/.
 */
#ifndef OWLT_BUNDLE_CRC_X86_H
#define OWLT_BUNDLE_CRC_X86_H

#include "bundle/base/bytes.h"
#include "bundle/crc.h"

#if defined(__x86_64__)

/* From so many bytes on, a single stream is not the fastest. */
#define CRC32C_LONG 192u
/* The least that crc16_x25_fold() takes. */
#define CRC16_FOLD 64u

/* A load and a test: the processor was asked at the program's start. */
static inline bool crc_has_instruction(void)
{
	return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

/* By name, not as intrinsics: those do not inline into functions for every processor. */
static inline uint64_t crc32c_u64(uint64_t crc, uint64_t v)
{
	__asm__("crc32q %1, %0" : "+r"(crc) : "r"(v));
	return crc;
}

/* The eight bytes at p, without a load of its own (given "rm", clang stores what it has loaded). */
static inline uint64_t crc32c_at(uint64_t crc, const uint8_t *p)
{
	__asm__("crc32q %1, %0" : "+r"(crc) : "m"(*(const uint8_t(*)[8])p));
	return crc;
}

static inline uint32_t crc32c_zeros4(uint64_t crc)
{
	uint32_t state = (uint32_t)crc;

	__asm__("crc32l %1, %0" : "+r"(state) : "r"(0));
	return state;
}

/* The last r = 0..7 bytes before `end`; the eight bytes there are readable. Leading zeros do not
 * change a zero state: so state and bytes go to the top of one word, and what of the state reaches
 * beyond the r bytes is added behind. */
static inline uint64_t crc32c_rest(uint64_t crc, const uint8_t *end, unsigned r)
{
	uint64_t last = le64_get(end - 8);
	unsigned low = ~(8 * r) & 63; /* 63 - 8 r: shifts in two steps, for r may be 0 */

	return crc32c_u64(0, (last >> low >> 1 ^ crc) << low << 1) ^ crc >> (8 * r);
}

/* One stream over n >= 8 bytes, three cycles for eight bytes. */
static inline uint64_t crc32c_stream(uint64_t crc, const uint8_t *p, size_t n)
{
	const uint8_t *end = p + n, *whole = end - (n & 7);

	do {
		crc = crc32c_at(crc, p);
		p += 8;
	} while (p != whole);
	return crc32c_rest(crc, end, (unsigned)(n & 7));
}

/* The fastest way here over n >= CRC32C_LONG bytes. */
uint32_t crc32c_long(uint32_t crc, const uint8_t *p, size_t n);
/* The two ways it has, for comparison: n >= CRC32C_LONG; the second asks for VPCLMULQDQ. */
uint32_t crc32c_streams(uint32_t crc, const uint8_t *p, size_t n);
uint32_t crc32c_folded(uint32_t crc, const uint8_t *p, size_t n);
bool crc_has_folding(void);
/* Folds n >= CRC16_FOLD bytes of CRC-16 into 16 whose CRC from state 0 is the same; n is a multiple
 * of 16. */
void crc16_x25_fold(uint32_t crc, const uint8_t *p, size_t n, uint8_t rest[16]);

#endif
#endif
