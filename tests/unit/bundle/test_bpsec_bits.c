/*
 * Every bit of the vectors turned round, one at a time: the bundle must be refused (it can't be read,
 * breaks a rule, or an operation fails), but for the bits that the vector's scope leaves open. These
 * are listed here one by one with their reason; a bit that is listed and refused all the same is fine.
 */
#include "tests/unit/bundle/secured.h"

#include <criterion/criterion.h>

static const struct test_policy policy_a1[] = {{BLOCK_BIB, 1, "h512"}, {0}};
static const struct test_policy policy_a2[] = {{BLOCK_BCB, 1, "kek"}, {0}};
static const struct test_policy policy_a3[] = {
	{BLOCK_BIB, 0, "h256"}, {BLOCK_BIB, 2, "h256"}, {BLOCK_BCB, 1, "a128"}, {0}};
static const struct test_policy policy_a4[] = {
	{BLOCK_BIB, 1, "h384"}, {BLOCK_BCB, 1, "a256"}, {BLOCK_BCB, 3, "a256"}, {0}};
static const struct test_policy policy_cose[] = {{0}};

/* Bytes that no operation covers; bits: which of them. */
struct open {
	size_t from, n;
	uint8_t bits;
	const char *why;
};

#define OPEN_MAX 14

/* Reasons that come again: */
#define PRIMARY                                                                                    \
	{                                                                                          \
		1, 28, 0xff, "primary block: scope 0"                                              \
	}
#define NUMBER(at)                                                                                 \
	{                                                                                          \
		at, 1, 0x1f, "the security block's number: scope 0"                                \
	}
#define FLAGS(at)                                                                                  \
	{                                                                                          \
		at, 1, 0x1f, "block flags: scope 0"                                                \
	}
#define FLAG8(at)                                                                                  \
	{                                                                                          \
		at, 1, 0x08, "block flag 0x08 is unassigned: 0 in canonical form (RFC 9172 4)"     \
	}
#define ASB_FLAGS(at)                                                                              \
	{                                                                                          \
		at, 1, 0x1e, "reserved security context flags: not looked at (RFC 9172 3.6)"       \
	}
#define SOURCE(at)                                                                                 \
	{                                                                                          \
		at, 5, 0x1f, "security source: in no scope of RFC 9173"                            \
	}
#define SCOPE(at)                                                                                  \
	{                                                                                          \
		at, 1, 0x18, "undefined scope flags: taken as 0 (RFC 9173 3.3.3, 4.3.4)"           \
	}

static const struct {
	const char *name;
	const struct test_policy *policy;
	bool no_replicate; /* the draft's own example lacks that flag on its BCB */
	struct open open[OPEN_MAX];
} rows[] = {
	{"rfc9173_a1", policy_a1, false,
		{PRIMARY, NUMBER(31), FLAGS(32), ASB_FLAGS(39), SOURCE(40), SCOPE(51), FLAGS(125)}},
	{"rfc9173_a2", policy_a2, false,
		{PRIMARY, NUMBER(31), FLAGS(32), ASB_FLAGS(39), SOURCE(40), SCOPE(94), FLAGS(119)}},
	{"rfc9173_a3", policy_a3, false,
		{NUMBER(31), FLAGS(32), ASB_FLAGS(40), SOURCE(41), SCOPE(52), NUMBER(130),
			FLAGS(131), ASB_FLAGS(138), SOURCE(139), SCOPE(165),
			{188, 1, 0x1f, "type of the age block: scope 0"}, FLAGS(190), FLAGS(199)}},
	{"rfc9173_a4", policy_a4, false,
		{FLAG8(32), FLAG8(109), ASB_FLAGS(117), SOURCE(118), SCOPE(144), FLAG8(189)}},
	{"cose_mac0", policy_cose, false, {NUMBER(61), FLAGS(62), ASB_FLAGS(69)}},
	{"cose_encrypt0", policy_cose, true, {NUMBER(61), FLAGS(62), ASB_FLAGS(69)}},
	{"cose_mac0_scope", policy_cose, false, {NUMBER(61), FLAGS(62), ASB_FLAGS(69), FLAG8(167)}},
	{"cose_mac0_protected", policy_cose, false, {NUMBER(61), FLAGS(62), ASB_FLAGS(69)}},
};

static bool is_open(const struct open *open, size_t at, unsigned bit)
{
	for (; open->n; open++)
		if (at >= open->from && at < open->from + open->n && open->bits >> bit & 1)
			return true;
	return false;
}

/* An operation that is gone without trace would be none that failed: how many must there be? */
static unsigned ops_in(struct view bytes, bool no_replicate)
{
	struct bpsec_op op[BPSEC_OPS_MAX];
	struct bundle_fault fault;
	struct bundle b;
	unsigned n = 0;

	if (test_read(&b, bytes) || bpsec_list(&b, op, &n))
		return 0;
	if (bpsec_check(&b, &fault) && !(no_replicate && fault.rule == RULE_BCB_REPLICATE))
		return 0;
	return n;
}

Test(bpsec_bits, each_bit_of_what_is_protected)
{
	struct keyring *r = test_ring();

	for (unsigned k = 0; k < sizeof rows / sizeof rows[0]; k++) {
		uint8_t in[VECTOR_MAX], out[VECTOR_MAX];
		size_t n = vector_load(rows[k].name, in), got;
		unsigned want = ops_in(view_of(in, n), rows[k].no_replicate), refused = 0, open = 0;
		cr_assert_gt(want, 0);
		for (size_t bit = 0; bit < 8 * n; bit++) {
			in[bit / 8] ^= (uint8_t)(1u << bit % 8);
			bool passed =
				ops_in(view_of(in, n), rows[k].no_replicate) == want &&
				test_accept_all(r, view_of(in, n), rows[k].policy, out, &got) == 0;
			in[bit / 8] ^= (uint8_t)(1u << bit % 8);
			refused += !passed;
			open += passed;
			cr_expect(!passed || is_open(rows[k].open, bit / 8, bit % 8),
				"%s: byte %zu bit %zu passes", rows[k].name, bit / 8, bit % 8);
		}
		cr_expect(open < n && refused > 7 * n, "%s: %u open", rows[k].name, open);
	}
	keyring_free(r);
}
