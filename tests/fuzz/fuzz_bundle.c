/*
 * Bundles: whatever is accepted has three parts that make up the whole, gives the same from its
 * stored head, and can be forwarded so that a second reader sees the same bundle with the changes.
 * CRCs hold by decree in fuzzing builds (bundle/read.c), else nothing behind one would ever be
 * reached.
 */
#include "bundle/reader.h"
#include "tests/same_bundle.h"
#include "tests/fuzz/bundle_mutate.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void forward(const struct bundle *b, const struct bundle_rules *rules)
{
	static uint8_t out[4 * BUNDLE_HEAD_MAX];
	struct bundle_edit e = {.set_prev = true,
		.prev = eid_ipn(3, 0),
		.set_age = true,
		.age_ms = 70000,
		.set_hop = true,
		.hop_count = 3,
		.set_cteb = !(b->flags & BUNDLE_FRAGMENT),
		.cteb = {.seq_no = 1, .seq_id = 1, .custodian = eid_ipn(3, 0)},
		.crc_type = CRC_32C,
		.custody = rules->custody};
	struct buf w = buf_of(out, sizeof out);
	struct bundle_fault fault;
	struct bundle h;

	int err = bundle_forward_head(&w, b, &e);
	if (err) {
		assert(rules->allow_definite || b->n_blocks == BUNDLE_BLOCKS_MAX);
		return;
	}
	err = bundle_read_head(&h, buf_view(&w), rules, &fault);
	if (err) { /* one block more may be too many bytes */
		assert(fault.rule == RULE_HEAD_LIMIT);
		return;
	}
	assert(view_equal(h.primary, b->primary) && h.payload.n == b->payload.n);
	assert(h.has_age == b->has_age && h.has_hop == b->has_hop);
	assert(!h.has_age || h.age_ms == 70000);
	assert(!h.has_hop || (h.hop_count == 3 && h.hop_limit == b->hop_limit));
	assert(bundle_id_hash(&h, 1, 2) == bundle_id_hash(b, 1, 2));
}

/* The same of bytes that are taken for a stored head. */
static void head(struct view bytes, const struct bundle_rules *rules)
{
	struct bundle_fault fault, general_fault;
	struct bundle b, h;
	int err = bundle_read_head(&b, bytes, rules, &fault);

	assert(bundle_read_general(&h, bytes, true, rules, &general_fault) == err);
	assert(same_fault(&fault, &general_fault) && (err || same_bundle(&b, &h)));
}

static void judge(struct view bytes, const struct bundle_rules *rules)
{
	char text[EID_TEXT_MAX];
	struct bundle_fault fault, general_fault;
	struct bundle b, h;
	int err = bundle_read(&b, bytes, rules, &fault);

	/* the short way and the general one */
	assert(bundle_read_general(&h, bytes, false, rules, &general_fault) == err);
	assert(same_fault(&fault, &general_fault) && (err || same_bundle(&b, &h)));
	head(bytes, rules);
	if (err) {
		assert(fault.rule != RULE_NONE && fault.rule < RULES && fault.at <= bytes.n);
		return;
	}
	assert(b.head.n + b.payload.n + b.tail.n == bytes.n);
	assert(b.tail.n <= BUNDLE_TAIL_MAX && b.head.n <= BUNDLE_HEAD_MAX);
	assert(bundle_read_head(&h, b.head, rules, &fault) == 0);
	head(b.head, rules);
	assert(h.payload.n == b.payload.n && h.n_blocks == b.n_blocks &&
		eid_equal(&h.source, &b.source));
	assert(eid_print(&b.source, text, sizeof text) < sizeof text);
	forward(&b, rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bundle_rules strict = bundle_rules_default();
	struct bundle_rules lenient = {true, true, true, true, true, false, custody_codes_bplib()};

	judge(view_of(data, size), &strict);
	judge(view_of(data, size), &lenient);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	size_t n = seed % 4 ? mut_bundle(data, size, max, seed, false) : 0;

	return n ? n : LLVMFuzzerMutate(data, size, max);
}
