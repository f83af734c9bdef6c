/* Golden bundles of our notes (checked with tshark): read, rebuilt byte for byte, cut, mutated. */
#include "tests/unit/bundle/vectors.h"

#include "bundle/base/rng.h"

#include <criterion/criterion.h>

static const char *const golden[] = {"g1", "g2", "g3", "g4", "g5a", "g5b", "g6"};
#define N_GOLDEN (sizeof golden / sizeof golden[0])

static int read_default(struct bundle *b, struct view v, struct bundle_fault *fault)
{
	struct bundle_rules rules = bundle_rules_default();

	return bundle_read(b, v, &rules, fault);
}

Test(golden, all_are_accepted)
{
	for (size_t i = 0; i < N_GOLDEN; i++) {
		uint8_t bytes[VECTOR_MAX];
		struct bundle b;
		struct bundle_fault fault;
		size_t n = vector_load(golden[i], bytes);
		cr_expect_eq(read_default(&b, view_of(bytes, n), &fault), 0, "%s: %s at %zu",
			golden[i], rule_name(fault.rule), fault.at);
		cr_expect_eq(b.head.n + b.payload.n + b.tail.n, n, "%s: three parts", golden[i]);
		cr_expect(fault.primary_ok);
	}
}

Test(golden, fields_of_g2)
{
	uint8_t bytes[VECTOR_MAX];
	struct bundle b;
	struct bundle_fault fault;
	size_t n = vector_load("g2", bytes);

	cr_assert_eq(read_default(&b, view_of(bytes, n), &fault), 0);
	cr_expect_eq(b.flags, 0x24040);
	cr_expect_eq(b.crc_type, CRC_32C);
	cr_expect_eq(b.dest.node, 2);
	cr_expect_eq(b.dest.service, 1);
	cr_expect_eq(b.report_to.node, 1);
	cr_expect(eid_is_admin(&b.report_to));
	cr_expect_eq(b.created_ms, T0);
	cr_expect_eq(b.seq, 1);
	cr_expect_eq(b.lifetime_ms, 3600000);
	cr_expect(b.has_prev && b.prev.node == 9);
	cr_expect(b.has_age && b.age_ms == 1234);
	cr_expect(b.has_hop && b.hop_limit == 30 && b.hop_count == 2);
	cr_expect(!b.has_cteb);
	cr_expect_eq(b.n_blocks, 4);
	cr_expect(view_equal(b.payload, view_text("hello dtn")));
}

/* The specification that a bundle that was read would be built from. */
static struct bundle_spec spec_of(const struct bundle *b)
{
	const struct block *payload = &b->block[b->n_blocks - 1];

	return (struct bundle_spec){.flags = b->flags,
		.crc_type = b->crc_type,
		.block_crc_type = payload->crc_type,
		.dest = b->dest,
		.source = b->source,
		.report_to = b->report_to,
		.created_ms = b->created_ms,
		.seq = b->seq,
		.lifetime_ms = b->lifetime_ms,
		.frag_off = b->frag_off,
		.total_len = b->total_len,
		.has_prev = b->has_prev,
		.has_age = b->has_age,
		.has_hop = b->has_hop,
		.has_cteb = b->has_cteb,
		.prev = b->prev,
		.age_ms = b->age_ms,
		.hop_limit = b->hop_limit,
		.hop_count = b->hop_count,
		.cteb = b->cteb,
		.custody = custody_codes_ccsds(),
		.payload_flags = payload->flags};
}

Test(golden, all_are_rebuilt)
{
	for (size_t i = 0; i < N_GOLDEN; i++) {
		uint8_t bytes[VECTOR_MAX], again[VECTOR_MAX];
		struct bundle b;
		struct bundle_fault fault;
		size_t n = vector_load(golden[i], bytes);
		cr_assert_eq(read_default(&b, view_of(bytes, n), &fault), 0);
		struct bundle_spec spec = spec_of(&b);
		struct buf out = buf_of(again, sizeof again), count = {0},
			   small = buf_of(again, n - 1);
		cr_expect_eq(bundle_build(&out, &spec, b.payload), 0, "%s", golden[i]);
		cr_expect(view_equal(buf_view(&out), view_of(bytes, n)), "%s", golden[i]);
		cr_expect_eq(bundle_build(&count, &spec, b.payload), -E_OVERFLOW);
		cr_expect_eq(count.len, n, "%s: measured", golden[i]);
		cr_expect_eq(bundle_build(&small, &spec, b.payload), -E_OVERFLOW);
	}
}

Test(golden, every_truncated_prefix_is_refused)
{
	for (size_t i = 0; i < N_GOLDEN; i++) {
		uint8_t bytes[VECTOR_MAX];
		size_t n = vector_load(golden[i], bytes);
		for (size_t cut = 0; cut < n; cut++) {
			struct bundle b;
			struct bundle_fault fault;
			cr_expect_lt(read_default(&b, view_of(bytes, cut), &fault), 0,
				"%s cut at %zu", golden[i], cut);
			cr_expect_eq(fault.rule, cut ? RULE_TRUNCATED : RULE_EMPTY,
				"%s cut at %zu: %s", golden[i], cut, rule_name(fault.rule));
			cr_expect_leq(fault.at, cut);
		}
	}
}

/* Outside of any CRC are only the outer array's two bytes; changing those is an error as well. */
Test(golden, no_single_byte_mutation_is_accepted)
{
	struct rng rng;

	rng_init(&rng, 2026, 1);
	for (unsigned k = 0; k < 10000; k++) {
		uint8_t bytes[VECTOR_MAX];
		struct bundle b;
		struct bundle_fault fault;
		const char *name = golden[rng_below(&rng, N_GOLDEN)];
		size_t n = vector_load(name, bytes), at = rng_below(&rng, n);
		bytes[at] ^= (uint8_t)(1 + rng_below(&rng, 255));
		cr_expect_lt(
			read_default(&b, view_of(bytes, n), &fault), 0, "%s byte %zu", name, at);
	}
}

/* ION 4.1: primary CRC-16 only, blocks 6, 193 and 7 without. */
Test(golden, ion_bundle)
{
	uint8_t bytes[VECTOR_MAX];
	struct bundle b;
	struct bundle_fault fault;
	size_t n = vector_load("ion", bytes);

	cr_assert_eq(read_default(&b, view_of(bytes, n), &fault), 0, "%s at %zu",
		rule_name(fault.rule), fault.at);
	cr_expect_eq(b.n_blocks, 4);
	cr_expect(b.has_prev && b.has_age && b.age_ms == 1);
	cr_expect(bundle_block(&b, 193) != NULL);
	cr_expect_eq(b.payload.n, 6);
}

Test(golden, stored_head_is_read)
{
	for (size_t i = 0; i < N_GOLDEN; i++) {
		uint8_t bytes[VECTOR_MAX];
		struct bundle b, h;
		struct bundle_fault fault;
		struct bundle_rules rules = bundle_rules_default();
		size_t n = vector_load(golden[i], bytes);
		cr_assert_eq(read_default(&b, view_of(bytes, n), &fault), 0);
		cr_assert_eq(bundle_read_head(&h, b.head, &rules, &fault), 0, "%s: %s", golden[i],
			rule_name(fault.rule));
		cr_expect_null(h.payload.p);
		cr_expect_eq(h.payload.n, b.payload.n);
		cr_expect_eq(h.n_blocks, b.n_blocks);
		cr_expect_eq(h.seq, b.seq);
		cr_expect_eq(bundle_id_hash(&h, 1, 2), bundle_id_hash(&b, 1, 2));
		for (size_t cut = 0; cut < b.head.n; cut++)
			cr_expect_lt(bundle_read_head(&h, view_of(bytes, cut), &rules, &fault), 0,
				"cut %zu", cut);
	}
}
