/*
 * Benchmark of the CRCs beside what bounds them, and of reading a bundle as its payload grows: a
 * block of 20 bytes to 100 MB. Limits: the crc32 instruction in three streams, folding with
 * VPCLMULQDQ beside the streams (where the processor has it), and the memory itself, read once in
 * four places at a time. Each figure is nanoseconds a run; the note says GB/s.
 */
#include "tools/bench.h"

#include "bundle/bundle.h"
#include "bundle/crc_x86.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST (UINT64_C(100) << 20)
#define HEAD_ROOM 256u
#define LIMITS_MIN 192u /* shorter ones are over before the limits begin */

struct run {
	uint8_t *bytes; /* LARGEST + HEAD_ROOM */
	struct view v;
	struct bundle_rules rules;
	uint64_t sum; /* keeps the compiler from leaving work out */
};

static void run_crc32c(void *arg, size_t n)
{
	struct run *x = arg;

	for (size_t i = 0; i < n; i++)
		x->sum += crc32c(0, x->v);
}

static void run_crc16(void *arg, size_t n)
{
	struct run *x = arg;

	for (size_t i = 0; i < n; i++)
		x->sum += crc16_x25(0, x->v);
}

#if defined(__x86_64__)
static void run_streams(void *arg, size_t n)
{
	struct run *x = arg;

	for (size_t i = 0; i < n; i++)
		x->sum += crc32c_streams(0, x->v.p, x->v.n);
}

static void run_folded(void *arg, size_t n)
{
	struct run *x = arg;

	for (size_t i = 0; i < n; i++)
		x->sum += crc32c_folded(0, x->v.p, x->v.n);
}
#endif

typedef uint64_t vec __attribute__((vector_size(16)));

static vec at(const uint8_t *p)
{
	vec v;

	memcpy(&v, p, sizeof v);
	return v;
}

/* Four parts at a time: what one core draws from memory in one pass is less. */
static void run_memory(void *arg, size_t n)
{
	struct run *x = arg;
	size_t part = x->v.n / 4 & ~(size_t)31;

	for (size_t i = 0; i < n; i++) {
		vec s = {0}, t = {0};
		for (const uint8_t *p = x->v.p, *end = p + part; p < end; p += 32) {
			s ^= at(p) ^ at(p + part) ^ at(p + 2 * part) ^ at(p + 3 * part);
			t ^= at(p + 16) ^ at(p + part + 16) ^ at(p + 2 * part + 16) ^
			     at(p + 3 * part + 16);
		}
		s ^= t;
		__asm__ volatile("" : : "r"(s[0] ^ s[1]) : "memory");
	}
}

static void run_parse(void *arg, size_t n)
{
	struct run *x = arg;
	struct bundle_fault fault;
	struct bundle b;

	for (size_t i = 0; i < n; i++) {
		if (bundle_read(&b, x->v, &x->rules, &fault))
			abort();
		x->sum += b.seq;
	}
}

static void row(struct out *o, struct run *x, const char *what, void (*run)(void *arg, size_t n))
{
	double ns = bench_least_ns(run, x);
	char name[64], note[64];

	if (x->v.n >= 1000000)
		snprintf(name, sizeof name, "%s, %zu MB", what, x->v.n / 1000000);
	else
		snprintf(name, sizeof name, "%s, %zu B", what, x->v.n);
	snprintf(note, sizeof note, "%.1f GB/s", (double)x->v.n / ns);
	bench_figure(o, name, ns, "ns", note);
}

static void crc_rows(struct out *o, struct run *x, size_t n)
{
	x->v = view_of(x->bytes, n);
	row(o, x, "CRC-32C", run_crc32c);
#if defined(__x86_64__)
	if (n >= CRC32C_LONG && crc_has_instruction())
		row(o, x, "  limit: three streams", run_streams);
	if (n >= CRC32C_LONG && crc_has_folding())
		row(o, x, "  limit: streams and folding", run_folded);
#endif
	if (n >= LIMITS_MIN)
		row(o, x, "  limit: reading the memory", run_memory);
	row(o, x, "CRC-16", run_crc16);
}

/* Five blocks with CRC-32C, as in bench_codec.c; the bundle is made where it is read. */
static int growth_row(struct out *o, struct run *x, size_t payload)
{
	struct bundle_spec s = {.crc_type = CRC_32C,
		.block_crc_type = CRC_32C,
		.dest = eid_ipn(2, 1),
		.source = eid_ipn(1, 1),
		.report_to = eid_ipn(1, 0),
		.created_ms = 820000000000,
		.lifetime_ms = 3600000,
		.has_prev = true,
		.prev = eid_ipn(9, 0),
		.has_age = true,
		.age_ms = 1000,
		.has_hop = true,
		.hop_limit = 30,
		.custody = custody_codes_ccsds()};
	struct buf head = buf_of(x->bytes, HEAD_ROOM);
	uint32_t crc;
	char name[64];

	if (bundle_build_head(&head, &s, payload, &crc))
		return -E_OVERFLOW;
	crc = crc32c(crc, view_of(x->bytes + head.len, payload));
	struct buf tail = buf_of(x->bytes + head.len + payload, 16);
	if (bundle_build_tail(&tail, &s, crc))
		return -E_OVERFLOW;
	x->v = view_of(x->bytes, head.len + payload + tail.len);
	snprintf(name, sizeof name, "parse, all CRCs, payload %zu; bundle", payload);
	row(o, x, name, run_parse);
	return 0;
}

int bench_crc(struct out *o)
{
	static const size_t sizes[] = {20, 50, 200, 1024, 4096, 65536, 1000000, 100000000};
	static const size_t payloads[] = {
		10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
	struct run x = {.bytes = malloc(LARGEST + HEAD_ROOM), .rules = bundle_rules_default()};
	int err = 0;

	if (!x.bytes)
		return out_fail("bench: no memory for 100 MB");
	for (size_t i = 0; i < LARGEST + HEAD_ROOM; i++)
		x.bytes[i] = (uint8_t)(i * 7 + (i >> 9));
	for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++)
		crc_rows(o, &x, sizes[k]);
	for (size_t k = 0; k < sizeof payloads / sizeof payloads[0] && !err; k++)
		err = growth_row(o, &x, payloads[k]);
	free(x.bytes);
	return err ? out_fail("bench: a bundle did not fit") : 0;
}
