/* The short way of plain.c against the general reader: same result, fault and values for random
 * bundles, whole, cut and with bytes changed. Without CRCs a changed byte goes unnoticed until a
 * rule sees it, so most have none. */
#include "bundle/base/rng.h"
#include "bundle/reader.h"
#include "tests/same_bundle.h"

#include <criterion/criterion.h>

#define ROOM 4096

static uint64_t some_number(struct rng *rng)
{
	static const uint64_t edge[] = {0, 1, 2, 22, 23, 24, 25, 255, 256, 257, 65535, 65536,
		UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX};

	return rng_below(rng, 3) ? rng_below(rng, 30)
				 : edge[rng_below(rng, sizeof edge / sizeof edge[0])];
}

static struct eid some_eid(struct rng *rng)
{
	struct eid e = eid_ipn(some_number(rng) & UINT32_MAX, some_number(rng));

	switch (rng_below(rng, 8)) {
	case 0:
		return eid_null();
	case 1:
		e.three = true;
		return e;
	case 2:
		cr_assert_eq(eid_parse("dtn://there/x", &e), 0);
		return e;
	default:
		return e;
	}
}

/* A block of any kind with data that may fit it. */
static struct block_spec some_block(struct rng *rng, uint8_t data[64], enum crc_type crc_type)
{
	static const uint64_t type[] = {
		6, 7, 10, 10, 11, 12, 13, 13, 14, 15, 0, 1, 23, 24, 192, 300};
	struct buf w = buf_of(data, 64);

	switch (rng_below(rng, 5)) {
	case 0:
		cbor_put_uint(&w, some_number(rng));
		break;
	case 4: {
		struct cteb t = {some_number(rng), rng_below(rng, 30), some_eid(rng)};
		cteb_write(&w, &t);
		break;
	}
	case 1:
		cbor_put_array(&w, 2);
		cbor_put_uint(&w, some_number(rng));
		cbor_put_uint(&w, some_number(rng));
		break;
	case 2: {
		struct eid e = some_eid(rng);
		eid_write(&w, &e);
		break;
	}
	default:
		cbor_put_array(&w, 1);
		cbor_put_uint(&w, rng_below(rng, 6));
	}
	return (struct block_spec){.type = type[rng_below(rng, sizeof type / sizeof type[0])],
		.number = rng_below(rng, 4) ? 0 : some_number(rng),
		.flags = rng_below(rng, 3) ? 0 : some_number(rng),
		.crc_type = crc_type,
		.data = buf_view(&w)};
}

static size_t some_bundle(struct rng *rng, uint8_t out[ROOM])
{
	static const uint8_t payload[300];
	enum crc_type crc = rng_below(rng, 3) ? CRC_NONE : (enum crc_type)rng_below(rng, 3);
	uint8_t data[4][64];
	struct block_spec block[4];
	struct bundle_spec s = {.flags = rng_below(rng, 2) ? BUNDLE_NO_FRAGMENT : some_number(rng),
		.crc_type = crc,
		.block_crc_type = crc,
		.dest = some_eid(rng),
		.source = some_eid(rng),
		.report_to = some_eid(rng),
		.created_ms = some_number(rng),
		.seq = some_number(rng),
		.lifetime_ms = some_number(rng),
		.frag_off = rng_below(rng, 3),
		.total_len = 400,
		.has_prev = rng_below(rng, 2),
		.prev = some_eid(rng),
		.has_age = rng_below(rng, 4),
		.age_ms = some_number(rng),
		.has_hop = rng_below(rng, 2),
		.hop_limit = 1 + rng_below(rng, 255),
		.hop_count = some_number(rng),
		.has_cteb = rng_below(rng, 3) == 0,
		.cteb = {some_number(rng), some_number(rng), some_eid(rng)},
		.custody = custody_codes_ccsds(),
		.block = block,
		.n_blocks = (unsigned)rng_below(rng, 5)};
	struct buf w = buf_of(out, ROOM);

	for (unsigned i = 0; i < s.n_blocks; i++)
		block[i] = some_block(rng, data[i], crc);
	if (bundle_build(&w, &s, view_of(payload, rng_below(rng, sizeof payload))))
		return 0;
	return w.len;
}

static bool same_heads(struct view v, const struct bundle_rules *rules)
{
	static struct bundle a, b;
	struct bundle_fault fa, fb;
	int ea, eb;

	memset(&a, 0x55, sizeof a);
	memset(&b, 0xaa, sizeof b);
	ea = bundle_read_head(&a, v, rules, &fa);
	eb = bundle_read_general(&b, v, true, rules, &fb);
	return ea == eb && same_fault(&fa, &fb) && (ea || same_bundle(&a, &b));
}

/* As a bundle, as a stored head, and the head of a good bundle cut in two places. */
static bool same_both_ways(struct view v, const struct bundle_rules *rules, bool *good)
{
	static struct bundle a, b;
	struct bundle_fault fa, fb;
	int ea, eb;

	memset(&a, 0x55, sizeof a);
	memset(&b, 0xaa, sizeof b);
	ea = bundle_read(&a, v, rules, &fa);
	eb = bundle_read_general(&b, v, false, rules, &fb);
	*good = ea == 0;
	if (ea != eb || !same_fault(&fa, &fb) || (ea == 0 && !same_bundle(&a, &b)))
		return false;
	return same_heads(v, rules) &&
	       (ea || (same_heads(a.head, rules) &&
			      same_heads(view_sub(v, 0, a.head.n - 1), rules) &&
			      same_heads(view_sub(v, 0, a.head.n / 2), rules)));
}

Test(plain, agrees_with_the_general_reader, .timeout = 120)
{
	struct bundle_rules rules = bundle_rules_default();
	static uint8_t bytes[ROOM];
	unsigned made = 0, good = 0, changed_good = 0;
	struct rng rng;
	bool ok;

	rules.allow_no_primary_crc = true;
	rng_init(&rng, 9, 9);
	for (unsigned round = 0; round < 6000; round++) {
		size_t n = some_bundle(&rng, bytes);
		if (n == 0)
			continue;
		rules.allow_no_age = rng_below(&rng, 2);
		rules.from_outside = rng_below(&rng, 2);
		rules.allow_foreign = rng_below(&rng, 2);
		made++;
		cr_assert(same_both_ways(view_of(bytes, n), &rules, &ok), "round %u", round);
		good += ok;
		for (unsigned k = 0; k < 20; k++) {
			size_t at = rng_below(&rng, n < 120 ? n : 120);
			uint8_t old = bytes[at];
			bytes[at] = (uint8_t)(rng_below(&rng, 2) ? rng_u64(&rng)
								 : old ^ 1u << rng_below(&rng, 8));
			cr_assert(same_both_ways(view_of(bytes, n), &rules, &ok),
				"round %u, byte %zu: %02x was %02x", round, at, bytes[at], old);
			changed_good += ok;
			bytes[at] = old;
		}
		size_t cut = rng_below(&rng, n);
		cr_assert(same_both_ways(view_of(bytes, cut), &rules, &ok), "round %u", round);
	}
	cr_expect(made > 2000 && good > 700 && changed_good > 5000,
		"%u bundles, %u good, %u changed", made, good, changed_good);
}

/* Every prefix of a plain bundle, and every single bit flipped, CRCs and all. */
Test(plain, prefixes_and_bits)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_spec s = {.crc_type = CRC_32C,
		.block_crc_type = CRC_32C,
		.dest = eid_ipn(2, 1),
		.source = eid_ipn(1000, 1),
		.report_to = eid_null(),
		.created_ms = 820000000000,
		.lifetime_ms = 3600000,
		.has_prev = true,
		.prev = eid_ipn(9, 0),
		.has_age = true,
		.age_ms = 1000,
		.has_hop = true,
		.hop_limit = 30,
		.custody = custody_codes_ccsds()};
	uint8_t bytes[512];
	bool good;

	for (enum crc_type crc = CRC_NONE; crc <= CRC_32C; crc++) {
		struct buf w = buf_of(bytes, sizeof bytes);
		s.block_crc_type = crc;
		cr_assert_eq(bundle_build(&w, &s, view_text("hello")), 0);
		for (size_t n = 0; n <= w.len; n++) {
			cr_expect(same_both_ways(view_of(bytes, n), &rules, &good), "%zu", n);
			cr_expect_eq(good, n == w.len);
		}
		for (size_t bit = 0; bit < 8 * w.len; bit++) {
			bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			cr_expect(same_both_ways(view_of(bytes, w.len), &rules, &good), "%zu", bit);
			bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

/* A head for a payload that long, and the CRC up to it. */
static void heads_agree(const struct bundle_spec *s, uint64_t payload_len)
{
	uint8_t wide[512], tight[512];
	struct buf w = buf_of(wide, sizeof wide);
	uint32_t crc, crc_tight;

	cr_assert_eq(bundle_build_head(&w, s, payload_len, &crc), 0);
	struct buf t = buf_of(tight, w.len);
	cr_assert_eq(bundle_build_head(&t, s, payload_len, &crc_tight), 0);
	cr_expect(view_equal(buf_view(&t), buf_view(&w)), "%llu", (unsigned long long)payload_len);
	cr_expect_eq(crc, crc_tight);
}

/* With no room to spare the general writers write, into the last byte: the same bytes. */
Test(plain, writers_agree)
{
	static uint8_t wide[ROOM], tight[ROOM];
	struct rng rng;

	rng_init(&rng, 10, 9);
	for (unsigned round = 0; round < 3000; round++) {
		bool usual = rng_below(&rng, 2); /* CRC-32C on all blocks */
		struct bundle_spec s = {.flags = BUNDLE_NO_FRAGMENT,
			.crc_type = usual ? CRC_32C : (enum crc_type)rng_below(&rng, 3),
			.block_crc_type = usual ? CRC_32C : (enum crc_type)rng_below(&rng, 3),
			.dest = some_eid(&rng),
			.source = some_eid(&rng),
			.report_to = some_eid(&rng),
			.created_ms = 1 + rng_below(&rng, 30),
			.seq = some_number(&rng),
			.lifetime_ms = some_number(&rng),
			.has_prev = rng_below(&rng, 2),
			.prev = some_eid(&rng),
			.has_age = rng_below(&rng, 2),
			.age_ms = some_number(&rng),
			.has_hop = rng_below(&rng, 2),
			.hop_limit = 1 + rng_below(&rng, 255),
			.hop_count = some_number(&rng),
			.replicate = rng_below(&rng, 2),
			.has_cteb = rng_below(&rng, 2),
			.cteb = {some_number(&rng), some_number(&rng), some_eid(&rng)},
			.custody = custody_codes_ccsds(),
			.payload_flags = some_number(&rng)};
		struct buf w = buf_of(wide, sizeof wide), count = buf_of(NULL, 0);
		cr_assert_eq(bundle_build(&w, &s, view_text("")), 0);
		cr_assert_eq(bundle_build(&count, &s, view_text("")), -E_OVERFLOW);
		cr_expect_eq(count.len, w.len);
		struct buf t = buf_of(tight, w.len);
		cr_assert_eq(bundle_build(&t, &s, view_text("")), 0);
		cr_assert(view_equal(buf_view(&t), buf_view(&w)), "round %u", round);
		struct buf less = buf_of(tight, w.len - 1);
		cr_assert_eq(bundle_build(&less, &s, view_text("")), -E_OVERFLOW);
		heads_agree(&s, some_number(&rng));
	}
}
