/*
 * CRCs of long runs with the processor's help. Hot: figures in `owlt bench codec`.
 *
 * CRC-32C, crc32c_streams(): the crc32 instruction takes three cycles but one can start each cycle,
 * so three streams run side by side and are joined by carry-less multiplication with x^(8 * bytes)
 * (the constants of crc32c_shift[]).
 * CRC-32C, crc32c_folded(): beside the three streams, which leave the multiplier idle, four
 * registers of 32 bytes run over a part of their own: each step multiplies them by x^1024 mod P and
 * adds the next 128 bytes. Of every 224 bytes 128 are folded and 96 go through the streams: the two
 * take equally long. Below FEW_BYTES all is folded. From BIG_BYTES on the parts are larger than
 * pages, which the prefetcher needs.
 * CRC-16, crc16_x25_fold(): four registers of 16 bytes, x^512 mod P.
 * Folding constants K(n) = x^n mod P, 32 bits reflected, times two: bits t ahead, the low half is
 * multiplied by K(t + 32) and the high half by K(t - 32). README.md tells how they were computed.
 */
#include "bundle/crc_x86.h"

#if defined(__x86_64__)
#include "bundle/base/hot.h"
#include "bundle/crc_shift.h"

#include <immintrin.h>

#define STEP_FOLDED 128u /* bytes of one step of crc32c_folded() */
#define STEP_STREAM 32u  /* and in each of its streams */
#define STEP (STEP_FOLDED + 3 * STEP_STREAM)
/* n bytes in k steps (the first one only loads the registers): n = STEP * k - 3 * STEP_STREAM */
#define BYTES_OF(steps) (STEP * (steps)-3 * STEP_STREAM)
#define STEPS_OF(bytes) (((bytes) + 3 * STEP_STREAM) / STEP)
#define SMALL_STEPS 16u
#define SMALL_BYTES BYTES_OF(SMALL_STEPS)
#define BIG_STEPS 512u
#define BIG_BYTES BYTES_OF(BIG_STEPS)
#define FEW_BYTES 768u   /* below, joining three streams costs more than they save */
#define STREAM_WORDS 56u /* of eight bytes: the longest of crc32c_streams(), but for big ones */
#define STREAM_BIG 1024u

#define SSE __attribute__((target("sse4.2,pclmul")))
#define AVX __attribute__((target("sse4.2,pclmul,avx2,vpclmulqdq")))

/* What joins three streams: constants for one stream's length, two and three. */
struct join {
	uint32_t one, two, three;
};

/* Streams of that many words; words <= SHIFT_WORDS / 3. */
static struct join join_of(size_t words)
{
	return (struct join){crc32c_shift[words], crc32c_shift[2 * words], crc32c_shift[3 * words]};
}

static inline uint32_t crc32c_end(uint32_t crc, const uint8_t *p, size_t n);

bool crc_has_folding(void)
{
	/* with them come SSE4.2 and PCLMULQDQ */
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("vpclmulqdq");
}

HOT uint32_t crc32c_long(uint32_t crc, const uint8_t *p, size_t n)
{
	return crc_has_folding() ? crc32c_folded(crc, p, n) : crc32c_streams(crc, p, n);
}

/* A state times what k stands for, a number of zero bytes, before the reduction. */
SSE static inline __m128i product(uint64_t crc, uint32_t k)
{
	return _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)crc), _mm_cvtsi32_si128((int)k), 0);
}

SSE static inline uint64_t reduced(__m128i x)
{
	return crc32c_u64(0, (uint64_t)_mm_cvtsi128_si64(x));
}

/* -- streams alone ----------------------------------------------------------------------------- */

/* Three streams, the place of the first, and how far behind it each of the others is. */
struct streams {
	uint64_t a, b, c;
	const uint8_t *at;
	size_t apart;
};

static inline void streams_word(struct streams *s, size_t at)
{
	s->a = crc32c_at(s->a, s->at + at);
	s->b = crc32c_at(s->b, s->at + s->apart + at);
	s->c = crc32c_at(s->c, s->at + 2 * s->apart + at);
}

static inline void streams_step(struct streams *s)
{
	streams_word(s, 0);
	streams_word(s, 8);
	streams_word(s, 16);
	streams_word(s, 24);
	s->at += STEP_STREAM;
}

static inline struct streams streams_of(uint32_t crc, const uint8_t *p, size_t words)
{
	return (struct streams){.a = crc, .at = p, .apart = 8 * words};
}

/* Three streams of `words` words each, from p. */
SSE static inline uint32_t three(uint32_t crc, const uint8_t *p, size_t words, const struct join *k)
{
	struct streams s = streams_of(crc, p, words);

	for (const uint8_t *end = p + 64 * (words / 8); s.at != end;) {
		streams_step(&s);
		streams_step(&s);
	}
	if (words & 4)
		streams_step(&s);
	for (const uint8_t *end = p + 8 * words; s.at != end; s.at += 8)
		streams_word(&s, 0);
	return (uint32_t)(reduced(_mm_xor_si128(product(s.a, k->two), product(s.b, k->one))) ^ s.c);
}

SSE uint32_t crc32c_streams(uint32_t crc, const uint8_t *p, size_t n)
{
	static const struct join big = {SHIFT_STREAM_1, SHIFT_STREAM_2, 0};

	for (; n >= 24 * STREAM_BIG; p += 24 * STREAM_BIG, n -= 24 * STREAM_BIG)
		crc = three(crc, p, STREAM_BIG, &big);
	while (n >= CRC32C_LONG) {
		size_t words = n / 24 > STREAM_WORDS ? STREAM_WORDS : n / 24;
		struct join k = join_of(words);
		crc = three(crc, p, words, &k);
		p += 24 * words;
		n -= 24 * words;
	}
	return crc32c_end(crc, p, n);
}

/* The last n < CRC32C_LONG bytes: before p stand more than eight, which the rest may look at. */
static inline uint32_t crc32c_end(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t state = crc;

	for (; n >= 8; p += 8, n -= 8)
		state = crc32c_at(state, p);
	return (uint32_t)crc32c_rest(state, p + n, (unsigned)n);
}

/* -- streams and folding ----------------------------------------------------------------------- */

AVX static inline __m256i keys(int64_t low, int64_t high)
{
	return _mm256_set_epi64x(high, low, high, low);
}

AVX static inline __m256i fold(__m256i x, __m256i k)
{
	return _mm256_xor_si256(
		_mm256_clmulepi64_epi128(x, k, 0x00), _mm256_clmulepi64_epi128(x, k, 0x11));
}

AVX static inline __m256i load(const uint8_t *p)
{
	return _mm256_loadu_si256((const __m256i *)p);
}

/* The state of the 128 bytes in x[]: their remainder of 16 bytes goes through the instruction. */
AVX static inline uint64_t fold_finish(const __m256i x[4])
{
	__m256i a =
		_mm256_xor_si256(fold(x[0], keys(C32_FOLD_768)), fold(x[1], keys(C32_FOLD_512)));
	__m256i b = _mm256_xor_si256(fold(x[2], keys(C32_FOLD_256)), x[3]);
	__m256i y = _mm256_xor_si256(a, b), k = keys(C32_FOLD_128);
	__m128i low = _mm256_castsi256_si128(fold(y, k));
	__m128i z = _mm_xor_si128(_mm256_extracti128_si256(y, 1), low);
	uint64_t crc = crc32c_u64(0, (uint64_t)_mm_cvtsi128_si64(z));

	return crc32c_u64(crc, (uint64_t)_mm_extract_epi64(z, 1));
}

AVX static inline void fold_step(__m256i x[4], const uint8_t *p)
{
	const __m256i next = keys(C32_FOLD_1024);

	x[0] = _mm256_xor_si256(fold(x[0], next), load(p));
	x[1] = _mm256_xor_si256(fold(x[1], next), load(p + 32));
	x[2] = _mm256_xor_si256(fold(x[2], next), load(p + 64));
	x[3] = _mm256_xor_si256(fold(x[3], next), load(p + 96));
}

/* STEP_FOLDED <= n < FEW_BYTES: the steps are folded, what comes before them is one stream
 * meanwhile, and the last n % 8 bytes are one word more. */
AVX static __attribute__((noinline)) uint32_t few(uint32_t crc, const uint8_t *p, size_t n)
{
	size_t steps = n / STEP_FOLDED;
	const uint8_t *end = p + n, *at = end - n % 8 - STEP_FOLDED * steps, *folded = at;
	__m256i x[4] = {load(at), load(at + 32), load(at + 64), load(at + 96)};
	uint64_t state = crc;

	for (size_t i = 1; i < steps; i++)
		fold_step(x, at += STEP_FOLDED);
	for (; p != folded; p += 8)
		state = crc32c_at(state, p);
	state = reduced(product(state, crc32c_shift[STEP_FOLDED / 8 * steps])) ^ fold_finish(x);
	return (uint32_t)crc32c_rest(state, end, (unsigned)(n % 8));
}

/* The first STEP_FOLDED * steps bytes are folded, then come three streams of `words` words. */
AVX static __attribute__((always_inline)) inline uint32_t part(
	uint32_t crc, const uint8_t *p, size_t steps, size_t words, const struct join *k)
{
	__m256i x[4] = {load(p), load(p + 32), load(p + 64), load(p + 96)};
	struct streams s = streams_of(0, p + STEP_FOLDED * steps, words);

	x[0] = _mm256_xor_si256(x[0], _mm256_zextsi128_si256(_mm_cvtsi32_si128((int)crc)));
	for (size_t i = 1; i < steps; i++) {
		streams_step(&s);
		fold_step(x, p += STEP_FOLDED);
	}
	for (size_t i = STEP_STREAM / 8 * (steps - 1); i < words; i++, s.at += 8)
		streams_word(&s, 0);
	__m128i joined = _mm_xor_si128(product(s.a, k->two), product(s.b, k->one));
	joined = _mm_xor_si128(joined, product(fold_finish(x), k->three));
	return (uint32_t)(reduced(joined) ^ s.c);
}

HOT AVX uint32_t crc32c_folded(uint32_t crc, const uint8_t *p, size_t n)
{
	static const struct join big = {SHIFT_BIG_1, SHIFT_BIG_2, SHIFT_BIG_3};

	if (n < FEW_BYTES)
		return few(crc, p, n);
	for (; n >= BIG_BYTES; p += BIG_BYTES, n -= BIG_BYTES)
		crc = part(crc, p, BIG_STEPS, STEP_STREAM / 8 * (BIG_STEPS - 1), &big);
	while (n >= CRC32C_LONG) {
		size_t m = n > SMALL_BYTES ? SMALL_BYTES : n;
		size_t steps = STEPS_OF(m), words = (m - STEP_FOLDED * steps) / 24;
		struct join k = join_of(words);
		crc = part(crc, p, steps, words, &k);
		p += STEP_FOLDED * steps + 24 * words;
		n -= STEP_FOLDED * steps + 24 * words;
	}
	return crc32c_end(crc, p, n);
}

/* -- CRC-16 ------------------------------------------------------------------------------------ */

SSE static inline __m128i fold16(__m128i x, int64_t low, int64_t high)
{
	__m128i k = _mm_set_epi64x(high, low);

	return _mm_xor_si128(_mm_clmulepi64_si128(x, k, 0x00), _mm_clmulepi64_si128(x, k, 0x11));
}

SSE static inline __m128i load16(const uint8_t *p)
{
	return _mm_loadu_si128((const __m128i *)p);
}

SSE void crc16_x25_fold(uint32_t crc, const uint8_t *p, size_t n, uint8_t rest[16])
{
	__m128i a = load16(p), b = load16(p + 16), c = load16(p + 32), d = load16(p + 48);

	a = _mm_xor_si128(a, _mm_cvtsi32_si128((int)crc));
	for (p += 64, n -= 64; n >= 64; p += 64, n -= 64) {
		a = _mm_xor_si128(fold16(a, C16_FOLD_512), load16(p));
		b = _mm_xor_si128(fold16(b, C16_FOLD_512), load16(p + 16));
		c = _mm_xor_si128(fold16(c, C16_FOLD_512), load16(p + 32));
		d = _mm_xor_si128(fold16(d, C16_FOLD_512), load16(p + 48));
	}
	a = _mm_xor_si128(fold16(a, C16_FOLD_384), fold16(b, C16_FOLD_256));
	d = _mm_xor_si128(_mm_xor_si128(fold16(c, C16_FOLD_128), d), a);
	for (; n > 0; p += 16, n -= 16)
		d = _mm_xor_si128(fold16(d, C16_FOLD_128), load16(p));
	_mm_storeu_si128((__m128i *)rest, d);
}
#endif
