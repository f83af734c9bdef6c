/* Forwarding: only what must change changes (RFC 9171 5.4 step 4, 4.4); the result is read again.
 * */
#include "tests/unit/bundle/vectors.h"

#include <criterion/criterion.h>

/* Forwards a bundle that was read and reads what came out; its bytes are in `out`. */
static void forward(const struct bundle *b, const struct bundle_edit *e, struct bundle *again,
	uint8_t out[VECTOR_MAX])
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct buf w = buf_of(out, VECTOR_MAX), count = {0};

	rules.custody = e->custody;
	cr_assert_eq(bundle_forward_head(&w, b, e), 0);
	cr_assert_eq(bundle_forward_head(&count, b, e), -E_OVERFLOW);
	cr_expect_eq(count.len, w.len);
	buf_put(&w, b->payload);
	buf_put(&w, b->tail);
	cr_assert_eq(bundle_read(again, buf_view(&w), &rules, &fault), 0, "%s at %zu",
		rule_name(fault.rule), fault.at);
	cr_expect(view_equal(again->primary, b->primary));
	cr_expect(view_equal(again->payload, b->payload));
}

static struct bundle load(const char *name, uint8_t bytes[VECTOR_MAX])
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct bundle b;
	size_t n = vector_load(name, bytes);

	cr_assert_eq(bundle_read(&b, view_of(bytes, n), &rules, &fault), 0);
	return b;
}

Test(forward, three_blocks_change)
{
	uint8_t in[VECTOR_MAX], out[VECTOR_MAX];
	struct bundle b = load("g2", in), again;
	struct bundle_edit e = {.set_prev = true,
		.prev = eid_ipn(3, 0),
		.set_age = true,
		.age_ms = 70000,
		.set_hop = true,
		.hop_count = 3,
		.crc_type = CRC_16,
		.custody = custody_codes_ccsds()};

	forward(&b, &e, &again, out);
	cr_expect(again.prev.node == 3 && again.age_ms == 70000 && again.hop_count == 3 &&
		  again.hop_limit == 30);
	cr_expect_eq(again.n_blocks, 4);
	for (unsigned i = 0; i < 4; i++) {
		cr_expect_eq(again.block[i].number, b.block[i].number);
		cr_expect_eq(
			again.block[i].crc_type, CRC_32C, "a changed block keeps its CRC type");
	}
}

Test(forward, nothing_changes_but_the_previous_node)
{
	uint8_t in[VECTOR_MAX], out[VECTOR_MAX];
	struct bundle b = load("ion", in), again;
	struct bundle_edit e = {.custody = custody_codes_ccsds()};

	forward(&b, &e, &again, out);
	cr_expect(!again.has_prev, "RFC 9171 4.4.1: the old one must go");
	cr_expect_eq(again.n_blocks, b.n_blocks - 1);
	cr_expect(
		view_equal(again.block[0].whole, b.block[1].whole), "unknown block, byte for byte");
	cr_expect(view_equal(again.block[1].whole, b.block[2].whole), "age, byte for byte");
}

Test(forward, blocks_are_inserted)
{
	uint8_t in[VECTOR_MAX], out[VECTOR_MAX];
	struct bundle b = load("g1", in), again;
	struct bundle_edit e = {.set_prev = true,
		.prev = eid_ipn(3, 0),
		.set_age = true,
		.set_hop = true,
		.set_cteb = true,
		.cteb = {.seq_no = 5, .seq_id = 1, .custodian = eid_ipn(3, 0)},
		.crc_type = CRC_32C,
		.custody = custody_codes_bplib()};

	forward(&b, &e, &again, out);
	cr_expect_eq(again.n_blocks, 3, "no age or hop count block appears");
	cr_expect(again.has_prev && again.has_cteb && !again.has_age && !again.has_hop);
	cr_expect_eq(again.block[0].number, 2);
	cr_expect_eq(again.block[1].number, 3);
	cr_expect_eq(again.block[1].type, 15);
	cr_expect_eq(again.block[1].flags, BLOCK_REPLICATE);
	cr_expect_eq(again.block[0].crc_type, CRC_32C);
}

Test(forward, custody_block_is_replaced)
{
	uint8_t in[VECTOR_MAX], out[VECTOR_MAX];
	struct bundle b = load("g6", in), again;
	struct bundle_edit e = {.set_cteb = true,
		.cteb = {.seq_no = 70000, .seq_id = 0, .custodian = eid_ipn(9, 0)},
		.custody = custody_codes_ccsds()};

	forward(&b, &e, &again, out);
	cr_expect(again.cteb.seq_no == 70000 && again.cteb.custodian.node == 9);
	e.set_cteb = false;
	forward(&b, &e, &again, out);
	cr_expect(view_equal(again.block[0].whole, b.block[0].whole));
}

/* RFC 9171 5.6-4: a block with flag 0x10 that we can't process is left out. */
Test(forward, unprocessable_block_is_discarded)
{
	uint8_t in[VECTOR_MAX], out[VECTOR_MAX];
	struct bundle b = load("ion", in), again;
	struct bundle_edit e = {.set_prev = true,
		.prev = eid_ipn(3, 0),
		.discard = 1u << 1,
		.custody = custody_codes_ccsds()};

	forward(&b, &e, &again, out);
	cr_expect_null(bundle_block(&again, 193));
	cr_expect(again.has_prev && again.prev.node == 3 && again.has_age);
}

Test(forward, from_a_stored_head)
{
	uint8_t in[VECTOR_MAX], x[VECTOR_MAX], y[VECTOR_MAX];
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct bundle b = load("g2", in), h;
	struct bundle_edit e = {
		.set_prev = true, .prev = eid_ipn(3, 0), .custody = custody_codes_ccsds()};
	struct buf whole = buf_of(x, sizeof x), head = buf_of(y, sizeof y);

	cr_assert_eq(bundle_read_head(&h, b.head, &rules, &fault), 0);
	cr_assert_eq(bundle_forward_head(&whole, &b, &e), 0);
	cr_assert_eq(bundle_forward_head(&head, &h, &e), 0);
	cr_expect(view_equal(buf_view(&whole), buf_view(&head)));
}

/* A definite outer array may be looked at, not passed on: its tail has no break. */
Test(forward, definite_outer_is_refused)
{
	static const char *const item[ITEMS_MAX] = {"82",
		"+89070001820282020182028201018202820100821b000000beebcf0800001a0036ee80",
		"+86010100014568656c6c6f"};
	uint8_t in[VECTOR_MAX], out[VECTOR_MAX];
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_edit e = {.custody = custody_codes_ccsds()};
	struct buf w = buf_of(out, sizeof out);
	struct bundle_fault fault;
	struct bundle b;
	size_t n = compose(item, in);

	rules.allow_definite = true;
	cr_assert_eq(bundle_read(&b, view_of(in, n), &rules, &fault), 0);
	cr_expect_eq(bundle_forward_head(&w, &b, &e), -E_RULE);
}

/* A bundle with all the blocks that anyone reads, and none for us: it goes on without a previous
 * node block (RFC 9171 4.4.1: SHOULD); a custody block it must have is an error; room made by a
 * discarded block is used. */
Test(forward, all_blocks_are_there)
{
	static const uint8_t data[] = {1};
	struct block_spec block[BUNDLE_BLOCKS_MAX - 1] = {{0}};
	struct bundle_spec spec = {.flags = BUNDLE_NO_FRAGMENT,
		.crc_type = CRC_32C,
		.dest = eid_ipn(2, 1),
		.source = eid_ipn(1, 1),
		.report_to = eid_null(),
		.created_ms = 1,
		.block = block,
		.n_blocks = BUNDLE_BLOCKS_MAX - 1};
	struct bundle_edit e = {.set_prev = true,
		.prev = eid_ipn(3, 0),
		.crc_type = CRC_32C,
		.cteb = {.seq_no = 1, .seq_id = 1, .custodian = eid_ipn(3, 0)},
		.custody = custody_codes_ccsds()};
	struct bundle_rules rules = bundle_rules_default();
	static uint8_t in[VECTOR_MAX], out[VECTOR_MAX];
	struct buf w = buf_of(in, sizeof in), head = buf_of(out, sizeof out);
	struct bundle_fault fault;
	static struct bundle b, again;

	for (unsigned i = 0; i < spec.n_blocks; i++)
		block[i] = (struct block_spec){.type = 200, .data = view_of(data, 1)};
	cr_assert_eq(bundle_build(&w, &spec, view_text("x")), 0);
	cr_assert_eq(bundle_read(&b, buf_view(&w), &rules, &fault), 0);
	cr_assert_eq(b.n_blocks, BUNDLE_BLOCKS_MAX);
	forward(&b, &e, &again, out);
	cr_expect(again.n_blocks == BUNDLE_BLOCKS_MAX && !again.has_prev);
	e.set_cteb = true;
	cr_expect_eq(bundle_forward_head(&head, &b, &e), -E_RULE);
	e.discard = 1;
	forward(&b, &e, &again, out);
	cr_expect(again.n_blocks == BUNDLE_BLOCKS_MAX && again.has_cteb && !again.has_prev);
	e.discard = 3;
	forward(&b, &e, &again, out);
	cr_expect(again.n_blocks == BUNDLE_BLOCKS_MAX && again.has_cteb && again.has_prev);
}

/* Head, payload in two pieces, tail: the same bytes as all at once. */
Test(build, in_pieces)
{
	struct bundle_spec spec = {.dest = eid_ipn(2, 1),
		.source = eid_ipn(1, 1),
		.report_to = eid_null(),
		.created_ms = T0,
		.crc_type = CRC_32C,
		.has_hop = true,
		.hop_limit = 30,
		.has_age = true,
		.replicate = true,
		.custody = custody_codes_ccsds()};

	for (unsigned type = CRC_NONE; type <= CRC_32C; type++) {
		uint8_t x[VECTOR_MAX], y[VECTOR_MAX];
		struct buf all = buf_of(x, sizeof x), part = buf_of(y, sizeof y);
		struct view payload = view_text("one payload in two pieces");
		uint32_t crc;
		spec.block_crc_type = (enum crc_type)type;
		cr_assert_eq(bundle_build(&all, &spec, payload), 0);
		cr_assert_eq(bundle_build_head(&part, &spec, payload.n, &crc), 0);
		buf_put(&part, payload);
		crc = crc_update(spec.block_crc_type, crc, view_sub(payload, 0, 5));
		crc = crc_update(spec.block_crc_type, crc, view_sub(payload, 5, payload.n - 5));
		cr_assert_eq(bundle_build_tail(&part, &spec, crc), 0);
		cr_expect(view_equal(buf_view(&all), buf_view(&part)));
	}
}

Test(build, refused)
{
	const struct bundle_spec good = {.dest = eid_ipn(2, 1),
		.source = eid_ipn(1, 1),
		.report_to = eid_null(),
		.created_ms = T0,
		.crc_type = CRC_16,
		.block_crc_type = CRC_16,
		.custody = custody_codes_ccsds()};
	struct bundle_spec bad[5] = {good, good, good, good, good};
	uint8_t out[VECTOR_MAX];

	bad[0].flags = BUNDLE_ADMIN | BUNDLE_REPORT_DELIVERY;
	bad[1].source = eid_null();
	bad[2].created_ms = 0;
	bad[3].has_hop = true;
	bad[4].flags = BUNDLE_FRAGMENT;
	for (unsigned i = 0; i < 5; i++) {
		struct buf w = buf_of(out, sizeof out);
		cr_expect_eq(bundle_build(&w, &bad[i], view_text("x")), -E_RULE, "%u", i);
	}
}
