/*
 * Reading a bundle: RFC 9171 4.1 (framing), and the checks that concern it as a whole. Every
 * refusal is a rule of rule.def with its place; nothing is allocated and nothing is changed.
 *
 * plain_read() takes what is plain, most often all of it; the general reader goes on from there.
 * Order: outer array, primary block, canonical blocks (form and CRC), data of the known extension
 * blocks, rules across blocks. Start reading at bundle_read(); to learn the format, at read_rest().
 */
#include "bundle/plain.h"

#include "bundle/base/hash.h"

#include <stddef.h>

#define FIRST_INDEFINITE 0x9f

static int read_all(struct reader *r);
static void read_begin(struct reader *r);
static int read_rest(struct reader *r);
static int outer_open(struct reader *r, uint64_t *left);
static int across_check(struct reader *r);

struct bundle_rules bundle_rules_default(void)
{
	return (struct bundle_rules){.custody = custody_codes_ccsds()};
}

HOT int bundle_read(struct bundle *b, struct view bytes, const struct bundle_rules *rules,
	struct bundle_fault *fault)
{
	struct reader r = {
		.c = cursor_of(bytes), .b = b, .rules = rules, .fault = fault, .to_end = true};

	return read_all(&r);
}

int bundle_read_general(struct bundle *b, struct view bytes, bool head_only,
	const struct bundle_rules *rules, struct bundle_fault *fault)
{
	struct reader r = {.c = cursor_of(bytes),
		.b = b,
		.rules = rules,
		.fault = fault,
		.to_end = true,
		.head_only = head_only,
		.general = true};

	read_begin(&r);
	return read_rest(&r);
}

int bundle_read_first(struct bundle *b, struct view bytes, const struct bundle_rules *rules,
	struct bundle_fault *fault, size_t *used)
{
	struct reader r = {.c = cursor_of(bytes), .b = b, .rules = rules, .fault = fault};
	int err = read_all(&r);

	*used = err ? 0 : cursor_at(&r.c);
	return err;
}

HOT int bundle_read_head(struct bundle *b, struct view head, const struct bundle_rules *rules,
	struct bundle_fault *fault)
{
	struct reader r = {.c = cursor_of(head),
		.b = b,
		.rules = rules,
		.fault = fault,
		.to_end = true,
		.head_only = true};

	return read_all(&r);
}

static inline int read_all(struct reader *r)
{
	read_begin(r);
	return plain_read(r) ? 0 : read_rest(r);
}

/* Of the bundle only what follows the blocks is cleared: those need none, and the primary block is
 * all written. Field by field: of one memset compilers make a string instruction, which takes
 * longer to start. */
static inline void read_begin(struct reader *r)
{
	struct bundle *b = r->b;

	*r->fault = (struct bundle_fault){0};
	r->quick = !r->head_only && reader_is_quick();
	b->primary = (struct view){0};
	b->n_blocks = 0;
	b->has_prev = b->has_age = b->has_hop = b->has_cteb = b->has_creb = false;
	b->prev = (struct eid){0};
	b->age_ms = b->hop_limit = b->hop_count = 0;
	b->cteb = (struct cteb){0};
	b->foreign = 0;
	b->head = b->payload = b->tail = (struct view){0};
}

/* What is plain again behind a block that was not. */
static void plain_more(struct reader *r, uint64_t left)
{
	if (left == CBOR_INDEFINITE && !r->general && r->b->head.n == 0)
		plain_blocks(r);
}

/* Behind what plain_read() read, which may be nothing. RFC 9171 4.1/4, 4.1/5, 4.1/6, 4.1/8 */
static int read_rest(struct reader *r)
{
	struct bundle *b = r->b;
	struct cursor *c = &r->c;
	uint64_t left = CBOR_INDEFINITE;
	int err = 0;

	if (b->primary.n == 0) {
		err = outer_open(r, &left);
		if (err)
			memset(b, 0, offsetof(struct bundle, block));
		else
			err = primary_read(r);
		if (!err)
			plain_more(r, left);
	}
	while (!err && !(r->head_only && b->head.n)) {
		if (!cbor_more(c, &left))
			break;
		err = block_read(r);
		if (!err)
			plain_more(r, left);
	}
	if (!err && !cursor_ok(c))
		err = reader_error(r, c, 0);
	if (!err && b->head.n == 0)
		err = reader_broken(r, RULE_PAYLOAD_MISSING, cursor_at(c));
	if (!err && r->to_end && c->p != c->end)
		err = reader_broken(r, RULE_TRAILING, cursor_at(c));
	if (err)
		return err;
	if (!r->head_only)
		reader_tail(r);
	err = block_values_read(r);
	return err ? err : across_check(r);
}

/* The outer array's head; a tag 55799 in front is skipped. *left counts items behind the primary
 * block. RFC 9171 4.1/3, 4.1/9 */
static int outer_open(struct reader *r, uint64_t *left)
{
	static const uint8_t tag[] = {0xd9, 0xd9, 0xf7};
	struct cursor *c = &r->c;

	if (c->p == c->end)
		return reader_broken(r, RULE_EMPTY, 0);
	if (cursor_left(c) >= sizeof tag && memcmp(c->p, tag, sizeof tag) == 0)
		c->p += sizeof tag;
	*left = CBOR_INDEFINITE;
	if (c->p < c->end && *c->p == FIRST_INDEFINITE) {
		c->p++;
		return 0;
	}
	if (cbor_peek(c) != CBOR_ARRAY)
		return reader_broken(
			r, c->p < c->end ? RULE_NOT_BUNDLE : RULE_TRUNCATED, cursor_at(c));
	if (!r->rules->allow_definite)
		return reader_broken(r, RULE_OUTER_DEFINITE, cursor_at(c));
	*left = cbor_array(c);
	if (!cursor_ok(c))
		return reader_error(r, c, 0);
	if (*left == 0)
		return reader_broken(r, RULE_PRIMARY_MISSING, cursor_at(c));
	(*left)--;
	return 0;
}

/* Rules that need more than one block. RFC 9171 4.3.1/6, 4.3.1/6b, 4.3.1/14, 4.3.1/14b, 4.4.2/2 */
static int across_check(struct reader *r)
{
	const struct bundle *b = r->b;
	const struct block *payload = &b->block[b->n_blocks - 1];
	size_t primary_at = (size_t)(b->primary.p - r->c.start);
	size_t payload_at = (size_t)(payload->whole.p - r->c.start);

	if (b->crc_type == CRC_NONE && !r->rules->allow_no_primary_crc &&
		!block_is_target(b, BLOCK_BIB, 0))
		return reader_broken(r, RULE_PRIMARY_CRC_MISSING, primary_at);
	if (b->created_ms == 0 && !bundle_block(b, BLOCK_AGE) && !r->rules->allow_no_age)
		return reader_broken(r, RULE_AGE_MISSING, primary_at);
	if (!(b->flags & BUNDLE_FRAGMENT))
		return 0;
	if (b->payload.n > b->total_len || b->frag_off > b->total_len - b->payload.n)
		return reader_broken(r, RULE_FRAGMENT_RANGE, primary_at);
	return b->payload.n ? 0 : reader_broken(r, RULE_FRAGMENT_EMPTY, payload_at);
}

int reader_broken(struct reader *r, unsigned rule, size_t at)
{
	r->fault->rule = rule;
	r->fault->at = at;
	if (!r->fault->err)
		r->fault->err = rule == RULE_CRC_MISMATCH ? -E_CRC
				: rule == RULE_TRUNCATED  ? -E_TRUNCATED
							  : -E_RULE;
	return r->fault->err;
}

int reader_error(struct reader *r, const struct cursor *c, unsigned form)
{
	unsigned rule = form ? form : RULE_CBOR_FORM;

	r->fault->err = c->err;
	if (c->err == -E_TRUNCATED)
		rule = RULE_TRUNCATED;
	else if (c->err == -E_NOT_SHORTEST)
		rule = RULE_NOT_SHORTEST;
	else if (c->err == -E_TYPE && !form)
		rule = RULE_ITEM_TYPE;
	return reader_broken(r, rule, c->err_at);
}

/* The CRC over the block from `from` to `end`: behind the value stands at most the break of an open
 * array, which counts, too. RFC 9171 4.2.2/2b, 4.3.1/16, 4.3.1/16b, 4.3.2/5b, 4.3.2/5c */
static bool crc_holds(
	const uint8_t *from, const uint8_t *end, struct view value, enum crc_type type)
{
	const uint8_t *rest = value.p + value.n;
	uint32_t crc;

	if (rest == end)
		return reader_crc_holds(from, value.p, type);
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
	return true;
#endif
	crc = crc_block(type, view_of(from, (size_t)(value.p - from)));
	crc = crc_update(type, crc, view_of(rest, (size_t)(end - rest)));
	return crc == (type == CRC_16 ? be16_get(value.p) : be32_get(value.p));
}

/* RFC 9171 4.2.2/1, 4.2.2/2, 4.3.1/15, 4.3.2/5, 4.3.2/d3, 5.6-3 */
int reader_crc(struct reader *r, const uint8_t *from, enum crc_type type, bool open)
{
	struct cursor *c = &r->c;
	size_t at = cursor_at(c);
	struct view value = {0};

	if (type != CRC_NONE) {
		value = cbor_bytes(c);
		if (!cursor_ok(c))
			return reader_error(r, c, RULE_CRC_FIELD);
		if (value.n != crc_size(type))
			return reader_broken(r, RULE_CRC_FIELD, at);
	}
	if (open && !cbor_break(c)) {
		unsigned rule = r->b->primary.p == NULL ? RULE_PRIMARY_LENGTH : RULE_BLOCK_LENGTH;
		return reader_broken(r, c->p < c->end ? rule : RULE_TRUNCATED, cursor_at(c));
	}
	if (type == CRC_NONE || r->head_only || crc_holds(from, c->p, value, type))
		return 0;
	return reader_broken(r, RULE_CRC_MISMATCH, at);
}

const struct block *bundle_block(const struct bundle *b, uint64_t type)
{
	for (unsigned i = 0; i < b->n_blocks; i++)
		if (b->block[i].type == type)
			return &b->block[i];
	return NULL;
}

/* RFC 9758 6.4/2 */
uint64_t bundle_id_hash(const struct bundle *b, uint64_t k0, uint64_t k1)
{
	struct hash_key key = {k0, k1};
	bool fragment = b->flags & BUNDLE_FRAGMENT;
	uint64_t v[] = {b->source.scheme, b->source.node, b->source.service, b->created_ms, b->seq,
		fragment, fragment ? b->frag_off : 0, fragment ? b->payload.n : 0, 0};

	if (!eid_is_known_scheme(&b->source))
		v[8] = hash_bytes(key, b->source.ssp);
	else if (eid_is_null(&b->source))
		v[0] = 0; /* ipn:0.0 and dtn:none are one */
	return hash_u64s(key, v, sizeof v / sizeof v[0]);
}
