/* Fragmentation, RFC 9171 5.8: one bundle cut at every place, and its pieces cut again. */
#include "tests/unit/bundle/vectors.h"

#include "bundle/fragment.h"

#include <criterion/criterion.h>

#define PAYLOAD "the payload of this bundle is cut"

static const struct bundle_edit keep = {.custody = {.cteb_type = 13, .creb_type = 14}};

/* One block for every piece, one for the first alone; a source without clock, so an age block. */
static struct view whole(uint8_t out[VECTOR_MAX])
{
	static const struct block_spec block[] = {{.type = 200,
							  .number = 7,
							  .flags = BLOCK_REPLICATE,
							  .crc_type = CRC_16,
							  .data = {(const uint8_t *)"all", 3}},
		{.type = 201,
			.number = 8,
			.crc_type = CRC_32C,
			.data = {(const uint8_t *)"one", 3}}};
	struct bundle_spec s = {.dest = eid_ipn(2, 1),
		.source = eid_ipn(1, 1),
		.report_to = eid_ipn(1, 0),
		.seq = 99,
		.lifetime_ms = 3600000,
		.crc_type = CRC_32C,
		.block_crc_type = CRC_16,
		.has_age = true,
		.age_ms = 12,
		.has_hop = true,
		.hop_limit = 30,
		.custody = keep.custody,
		.block = block,
		.n_blocks = 2};
	struct buf w = buf_of(out, VECTOR_MAX);

	cr_assert_eq(bundle_build(&w, &s, view_text(PAYLOAD)), 0);
	return buf_view(&w);
}

static void read_bytes(struct view bytes, struct bundle *b)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;

	cr_assert_eq(bundle_read(b, bytes, &rules, &fault), 0, "%s at %zu", rule_name(fault.rule),
		fault.at);
}

/* The piece [off, off + n), read. */
static void piece(
	const struct bundle *b, uint64_t off, uint64_t n, uint8_t out[VECTOR_MAX], struct bundle *p)
{
	struct buf w = buf_of(out, VECTOR_MAX);
	struct view part = view_sub(b->payload, (size_t)off, (size_t)n);
	uint32_t crc;

	cr_assert_eq(fragment_head(&w, b, &keep, off, n, &crc), 0);
	buf_put(&w, part);
	crc = crc_update(b->block[b->n_blocks - 1].crc_type, crc, part);
	cr_assert_eq(fragment_tail(&w, b, crc), 0);
	read_bytes(buf_view(&w), p);
}

static bool same_block(const struct bundle *x, const struct bundle *y, uint64_t type)
{
	const struct block *k = bundle_block(x, type), *j = bundle_block(y, type);

	return k && j && view_equal(k->whole, j->whole);
}

static void expect_piece(const struct bundle *b, const struct bundle *p, uint64_t off)
{
	uint64_t at = (b->flags & BUNDLE_FRAGMENT ? b->frag_off : 0) + off;

	cr_expect(eid_equal(&p->source, &b->source) && p->created_ms == b->created_ms &&
		  p->seq == b->seq);
	cr_expect(eid_equal(&p->dest, &b->dest) && eid_equal(&p->report_to, &b->report_to) &&
		  p->lifetime_ms == b->lifetime_ms && p->crc_type == b->crc_type);
	cr_expect_eq(p->flags, b->flags | BUNDLE_FRAGMENT);
	cr_expect(p->frag_off == at && p->total_len == sizeof PAYLOAD - 1);
	cr_expect(same_block(p, b, 200), "the replicate flag");
	cr_expect(p->has_age, "creation time 0: an age block in each");
	if (at == 0)
		cr_expect(same_block(p, b, 201) && p->has_hop, "all of them at offset 0");
	else
		cr_expect_null(bundle_block(p, 201));
}

/* RFC 9171 5.8/d1, 5.8/1, 5.8/2, 5.8/3, 5.8/4, 5.8/5, 5.8/5b, 5.8/5c, 5.8/6, 5.8/7, 5.8/8, 5.8/d2 */
Test(conformance, fragmentation)
{
	uint8_t in[VECTOR_MAX], x[VECTOR_MAX], y[VECTOR_MAX], z[VECTOR_MAX];
	struct bundle b, first, last, again;
	const uint64_t m = sizeof PAYLOAD - 1;

	read_bytes(whole(in), &b);
	cr_expect(fragment_allowed(&b));
	for (uint64_t n = 1; n < m; n++) {
		char joined[sizeof PAYLOAD];

		piece(&b, 0, n, x, &first);
		piece(&b, n, m - n, y, &last);
		expect_piece(&b, &first, 0);
		expect_piece(&b, &last, n);
		memcpy(joined, first.payload.p, first.payload.n);
		memcpy(joined + first.payload.n, last.payload.p, last.payload.n);
		cr_expect(first.payload.n + last.payload.n == m && memcmp(joined, PAYLOAD, m) == 0);
		for (uint64_t k = 1; k < m - n; k++) {
			piece(&last, k, m - n - k, z, &again);
			expect_piece(&last, &again, k);
			cr_expect(view_equal(again.payload, view_sub(b.payload, n + k, m - n - k)));
		}
		if (n > 1) {
			piece(&first, 0, n - 1, z, &again);
			expect_piece(&first, &again, 0);
		}
	}
}

/* RFC 9171 5.8/1, 5.8/2: where it may not be cut */
Test(conformance, no_fragmentation)
{
	static const struct {
		uint64_t off, n;
	} t[] = {{0, 0}, {0, sizeof PAYLOAD}, {5, sizeof PAYLOAD - 5}, {UINT64_MAX, 2},
		{sizeof PAYLOAD - 1, 1}};
	uint8_t in[VECTOR_MAX], out[VECTOR_MAX];
	struct bundle b;
	uint32_t crc;

	read_bytes(whole(in), &b);
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct buf w = buf_of(out, sizeof out);

		cr_expect_lt(fragment_head(&w, &b, &keep, t[i].off, t[i].n, &crc), 0, "row %zu", i);
	}
	b.flags |= BUNDLE_NO_FRAGMENT;
	cr_expect_not(fragment_allowed(&b));
}
