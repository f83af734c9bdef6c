/* Canonical forms (RFC 9172 4), and rewriting: what is not named keeps its bytes. */
#include "bundle/bpsec_inner.h"
#include "tests/unit/bundle/secured.h"

#include <criterion/criterion.h>

#define IPN "9f029f0102ffff"
#define REST "82028202018202820201820018281a000f4240"

Test(canonical, indefinite_becomes_definite)
{
	static const struct {
		const char *in, *out; /* out NULL: the same */
	} rows[] = {{"83010203", NULL}, {"9f010203ff", "83010203"}, {"9fff", "80"}, {"bfff", "a0"},
		{"9f9f9fffffff", "818180"},
		{"bf01029f03ff04ff", "a201028103"
				     "04"},
		{"5f42010243030405ff", "450102030405"}, {"7f61616162ff", "626162"}, {"5fff", "40"},
		{"82015f4101ff", "82014101"}, {"d9d9f79f01ff", "d9d9f78101"},
		{"a1019f02ff", "a1018102"}, {"829f01fff6", "828101f6"}, {"445f7f9fbf", NULL},
		{"9ff4fb3ff199999999999affff"
		 "ff",
			NULL},
		{"8182029f0118ffff", "81820282011"
				     "8ff"},
		{"9f381f20ff", "82381f20"}};

	for (unsigned k = 0; k < sizeof rows / sizeof rows[0]; k++) {
		uint8_t in[VECTOR_MAX], out[VECTOR_MAX];
		struct buf room = buf_of(out, sizeof out);
		struct view item = view_of(in, hex_bytes(rows[k].in, in)), got;
		struct cursor c = cursor_of(item);
		cbor_skip(&c);
		if (cursor_finish(&c)) /* not one item: not for us */
			continue;
		cr_assert_eq(canonical_item(&room, item, &got), 0, "%s", rows[k].in);
		expect_hex(got, rows[k].out ? rows[k].out : rows[k].in, rows[k].in);
		/* a room that is too small */
		for (size_t cap = 0; rows[k].out && cap < got.n; cap++) {
			room = buf_of(out, cap);
			cr_expect_eq(canonical_item(&room, item, &item), -E_LIMIT);
			item = view_of(in, c.p - in);
		}
		for (size_t cut = 0; cut < item.n; cut++) {
			struct view part = view_sub(item, 0, cut);
			room = buf_of(out, sizeof out);
			cr_expect_leq(canonical_item(&room, part, &got), 0);
		}
	}
}

Test(canonical, no_deeper_than_the_limit)
{
	for (size_t depth = 1; depth < 2 * CBOR_DEPTH_MAX; depth++) {
		uint8_t in[64], out[VECTOR_MAX];
		struct buf room = buf_of(out, sizeof out);
		struct view got;
		memset(in, 0x9f, depth);
		memset(in + depth, 0xff, depth);
		cr_expect_eq(canonical_item(&room, view_of(in, 2 * depth), &got),
			depth <= CBOR_DEPTH_MAX ? 0 : -E_LIMIT, "%zu", depth);
	}
}

/* RFC 9172 4: a signature over a primary block holds whatever form its arrays have. */
Test(canonical, a_primary_block_of_indefinite_arrays)
{
	static uint8_t room[8 * VECTOR_MAX];
	struct keyring *r = test_ring();
	struct bpsec *x = bpsec_new(r);
	uint8_t in[VECTOR_MAX], other[VECTOR_MAX], o2[VECTOR_MAX];
	size_t n = vector_load("rfc9173_plain", in);
	struct bpsec_op op[BPSEC_OPS_MAX];
	struct bundle b;
	unsigned ops;

	for (uint64_t target = 0; target < 2; target++) {
		struct buf out = buf_of(room, sizeof room), w = buf_of(o2, sizeof o2);
		struct bpsec_how how = {.type = BLOCK_BIB,
			.target = target,
			.context = BPSEC_HMAC_SHA2,
			.source = eid_ipn(2, 1),
			.scope = BPSEC_SCOPE_ALL,
			.key = test_key(r, "h384")};
		test_read_or_fail(&b, view_of(in, n));
		cr_assert_eq(bpsec_add(x, &out, &b, &how), 0);
		/* the same behind 9f 9f 07 00 00 9f 02 9f 01 02 ff ff ... ff */
		size_t m = hex_bytes("9f 9f070000" IPN REST "ff", other);
		buf_put(&w, view_of(other, m));
		buf_put(&w, view_of(out.p + 29, out.len - 29));
		test_read_or_fail(&b, buf_view(&w));
		cr_assert_eq(bpsec_list(&b, op, &ops), 0);
		cr_assert_eq(ops, 1);
		cr_expect_eq(bpsec_verify(x, &b, op, how.key), 0);
	}
	bpsec_free(x);
	keyring_free(r);
}

Test(rewrite, nothing_named_nothing_changed)
{
	static const char *const name[] = {
		"g1", "g2", "g3", "g4", "g5a", "g6", "ion", "rfc9173_a4"};

	for (unsigned k = 0; k < sizeof name / sizeof name[0]; k++) {
		uint8_t in[VECTOR_MAX], out[VECTOR_MAX];
		size_t n = vector_load(name[k], in);
		struct buf o = buf_of(out, sizeof out);
		struct bundle_rewrite w = {0};
		struct bundle b;
		test_read_or_fail(&b, view_of(in, n));
		cr_assert_eq(bundle_rewrite(&o, &b, &w, b.payload), 0);
		cr_expect(view_equal(buf_view(&o), view_of(in, n)), "%s", name[k]);
		for (size_t cap = 0; cap < n; cap++) {
			o = buf_of(out, cap);
			cr_expect_eq(
				bundle_rewrite(&o, &b, &w, b.payload), -E_OVERFLOW, "%s", name[k]);
		}
	}
}

Test(rewrite, another_primary_and_none_of_its_crc)
{
	uint8_t in[VECTOR_MAX], out[VECTOR_MAX], plain[VECTOR_MAX], bare[VECTOR_MAX];
	size_t n = vector_load("g1", in), m = vector_load("rfc9173_plain", plain);
	struct buf o = buf_of(out, sizeof out), p = buf_of(bare, sizeof bare);
	struct bundle b, other, got;

	test_read_or_fail(&b, view_of(in, n));
	test_read_or_fail(&other, view_of(plain, m));
	struct bundle_rewrite w = {.primary = other.primary};
	cr_assert_eq(bundle_rewrite(&o, &b, &w, b.payload), 0);
	test_read_or_fail(&got, buf_view(&o));
	cr_expect(view_equal(got.primary, other.primary));
	cr_expect(view_equal(got.payload, b.payload));
	/* without its CRC: the same but for type and value; from one without, the same */
	w = (struct bundle_rewrite){.drop_primary_crc = true};
	o.len = 0;
	cr_assert_eq(bundle_rewrite(&o, &b, &w, b.payload), 0);
	test_read_or_fail(&got, buf_view(&o));
	cr_expect_eq(got.crc_type, CRC_NONE);
	cr_expect_eq(got.primary.n, b.primary.n - 3);
	cr_expect(eid_equal(&got.source, &b.source) && got.seq == b.seq && got.flags == b.flags);
	cr_assert_eq(bundle_primary_bare(&p, other.primary), 0);
	cr_expect(view_equal(buf_view(&p), other.primary));
	/* an indefinite one is not ours: it is not written anew */
	cr_expect_eq(bundle_primary_bare(&p, view_of("\x9f\x07\0\0\xff", 5)), -E_RULE);
	cr_expect_eq(bundle_primary_bare(&p, view_of("\x88\x07", 2)), -E_RULE);
	for (size_t cap = 0; cap < 30; cap++) {
		o = buf_of(out, cap);
		cr_expect_eq(bundle_rewrite(&o, &b, &w, b.payload), -E_OVERFLOW);
	}
}

Test(rewrite, what_it_can_not)
{
	static uint8_t big[BUNDLE_HEAD_MAX], out[2 * BUNDLE_HEAD_MAX];
	uint8_t in[VECTOR_MAX];
	size_t n = vector_load("g1", in);
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct bundle b;
	struct buf o = buf_of(out, sizeof out);

	/* a definite outer array has no break in its tail */
	in[0] = 0x82;
	rules.allow_definite = true;
	cr_assert_eq(bundle_read(&b, view_of(in, n - 1), &rules, &fault), 0, "%s",
		rule_name(fault.rule));
	struct bundle_rewrite w = {0};
	cr_expect_eq(bundle_rewrite(&o, &b, &w, b.payload), -E_RULE);
	in[0] = 0x9f;
	test_read_or_fail(&b, view_of(in, n));
	struct block_spec add = {.type = 99, .number = 9, .data = view_of(big, sizeof big)};
	w = (struct bundle_rewrite){.add = &add, .n_add = 1};
	o.len = 0;
	cr_expect_eq(bundle_rewrite(&o, &b, &w, b.payload), -E_RULE);
	cr_expect_eq(bundle_free_number(&b), 2);
}
