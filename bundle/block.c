/*
 * Canonical blocks: RFC 9171 4.3.2 (form), 4.3.3 (payload), 4.4 (previous node, age, hop count),
 * custody block of CCSDS 734.6; RFC 9172 3.6 for the targets of security blocks.
 *
 * A block's form and CRC are read first, for all blocks; the data of the known kinds afterwards,
 * because a BCB may say that it is ciphertext. Unknown types are only kept: what their flags demand
 * (5.6 step 4) is the agent's business. Start reading at block_read(); the table of kinds is below
 * it.
 */
#include "bundle/plain.h"
#include "bundle/plain_write.h"

#define ITEMS_LEAST 5

static int general_read(struct reader *r, struct block *k);
static int block_check(struct reader *r, const struct block *k, size_t at);
static int payload_data_read(struct reader *r, struct block *k, const uint8_t *from, uint64_t n);

int block_read(struct reader *r)
{
	struct bundle *b = r->b;
	struct block *k = &b->block[b->n_blocks];
	size_t at = cursor_at(&r->c);
	int err;

	if (b->n_blocks == BUNDLE_BLOCKS_MAX)
		return reader_broken(r, RULE_BLOCKS_LIMIT, at);
	err = general_read(r, k);
	if (k->type != BLOCK_PAYLOAD)
		r->unread |= UINT64_C(1) << b->n_blocks;
	return err ? err : block_check(r, k, at);
}

/* RFC 9171 4.2.1/d1, 4.2.4/1, 4.2.4/2, 4.2.4/2b, 4.3.2/1, 4.3.2/1b, 4.3.2/2, 4.3.2/2b, 4.3.2/d2 */
static int general_read(struct reader *r, struct block *k)
{
	struct cursor *c = &r->c;
	const uint8_t *from = c->p;
	size_t at = cursor_at(c);
	int err;

	uint64_t items = cbor_array(c);
	k->type = cbor_uint(c);
	k->number = cbor_uint(c);
	k->flags = cbor_uint(c);
	size_t crc_at = cursor_at(c);
	uint64_t crc_type = cbor_uint(c);
	if (!cursor_ok(c))
		return reader_error(r, c, 0);
	if (crc_type > CRC_32C)
		return reader_broken(r, RULE_CRC_TYPE, crc_at);
	k->crc_type = (enum crc_type)crc_type;
	if (items != CBOR_INDEFINITE && items != ITEMS_LEAST + (crc_type ? 1u : 0u))
		return reader_broken(r, RULE_BLOCK_LENGTH, at);
	size_t data_at = cursor_at(c);
	uint64_t n = cbor_head(c, CBOR_BYTES);
	if (!cursor_ok(c))
		return reader_error(r, c, RULE_BLOCK_DATA);
	if (k->type == BLOCK_PAYLOAD) {
		err = payload_data_read(r, k, from, n);
		if (err || r->head_only)
			return err;
	} else {
		k->data = cursor_take(c, n <= cursor_left(c) ? (size_t)n : SIZE_MAX);
		if (!cursor_ok(c))
			return reader_broken(r, RULE_TRUNCATED, data_at);
	}
	err = reader_crc(r, from, k->crc_type, items == CBOR_INDEFINITE);
	if (!err && k->type != BLOCK_PAYLOAD)
		k->whole = view_of(from, (size_t)(c->p - from));
	return err;
}

/* The three parts of a bundle begin here: head before the data, payload, and the tail after it.
 * RFC 9171 4.1/7b, 4.3.2/4 */
static int payload_data_read(struct reader *r, struct block *k, const uint8_t *from, uint64_t n)
{
	struct bundle *b = r->b;
	struct cursor *c = &r->c;
	size_t at = cursor_at(c);

	if (b->payload.n || b->head.n)
		return reader_broken(r, RULE_PAYLOAD_TWICE, (size_t)(from - c->start));
	if (at > BUNDLE_HEAD_MAX)
		return reader_broken(r, RULE_HEAD_LIMIT, at);
	b->head = view_of(c->start, at);
	k->whole = view_of(from, (size_t)(c->p - from));
	if (r->head_only) {
		b->payload.n = (size_t)n;
		k->data = (struct view){0};
		return 0;
	}
	if (n > cursor_left(c))
		return reader_broken(r, RULE_TRUNCATED, at);
	b->payload = k->data = cursor_take(c, (size_t)n);
	return 0;
}

static bool number_is_new(const struct reader *r, uint64_t number)
{
	const struct bundle *b = r->b;

	if (number < 64)
		return !(r->numbers >> number & 1);
	for (unsigned i = 0; i < b->n_blocks; i++)
		if (b->block[i].number == number)
			return false;
	return true;
}

/* What holds for each block by itself; then it counts.
 * RFC 9171 4.1/7, 4.1/d1, 4.1/d2, 4.1/d3, 4.1/d4, 4.2.4/3, 4.3.2/d1, 4.3.2/3 */
static int block_check(struct reader *r, const struct block *k, size_t at)
{
	struct bundle *b = r->b;
	bool last_was_payload = b->n_blocks > 0 && b->block[b->n_blocks - 1].type == BLOCK_PAYLOAD;
	unsigned rule = RULE_NONE;

	if (k->type == 0)
		rule = RULE_BLOCK_TYPE_ZERO;
	else if (k->number == 0)
		rule = RULE_BLOCK_NUMBER_ZERO;
	else if (k->type == BLOCK_PAYLOAD && k->number != 1)
		rule = RULE_PAYLOAD_NUMBER;
	else if (last_was_payload)
		rule = RULE_PAYLOAD_NOT_LAST;
	else if (!number_is_new(r, k->number))
		rule = RULE_BLOCK_NUMBER_TWICE;
	else if ((k->flags & BLOCK_REPORT) &&
		 ((b->flags & BUNDLE_ADMIN) || eid_is_null(&b->source)))
		rule = RULE_BLOCK_REPORT_FLAG;
	if (rule)
		return reader_broken(r, rule, at);
	b->n_blocks++;
	if (k->number < 64)
		r->numbers |= UINT64_C(1) << k->number;
	return 0;
}

/* -- the kinds ------------------------------------------------------------------------------- */

/* RFC 9171 4.4.1/d1 */
static void prev_read(struct cursor *c, struct bundle *b, const struct bundle_rules *rules)
{
	eid_read_lenient(c, &b->prev, NULL, rules->allow_short_dtn);
	b->has_prev = true;
}

/* It names a node: a singleton endpoint, RFC 9171 4.4.1/1. */
static unsigned prev_check(const struct bundle *b)
{
	return b->prev.group || eid_is_null(&b->prev) ? RULE_PREVIOUS_NODE : RULE_NONE;
}

static void prev_write(struct buf *b, const struct block_values *v)
{
	eid_write(b, v->prev);
}

/* RFC 9171 4.4.2/d1, 4.4.2/1 */
static void age_read(struct cursor *c, struct bundle *b, const struct bundle_rules *rules)
{
	(void)rules;
	b->age_ms = cbor_uint(c);
	b->has_age = true;
}

static void age_write(struct buf *b, const struct block_values *v)
{
	cbor_put_uint(b, v->age_ms);
}

/* RFC 9171 4.4.3/d1, 4.4.3/4, 4.4.3/5, 4.4.3/6 */
static void hop_read(struct cursor *c, struct bundle *b, const struct bundle_rules *rules)
{
	bool open = cbor_array_of(c, 2);

	(void)rules;
	b->hop_limit = cbor_uint(c);
	b->hop_count = cbor_uint(c);
	cbor_array_end(c, open);
	b->has_hop = true;
}

/* RFC 9171 4.4.3/1 */
static unsigned hop_check(const struct bundle *b)
{
	return b->hop_limit < 1 || b->hop_limit > 255 ? RULE_HOP_RANGE : RULE_NONE;
}

static void hop_write(struct buf *b, const struct block_values *v)
{
	cbor_put_array(b, 2);
	cbor_put_uint(b, v->hop_limit);
	cbor_put_uint(b, v->hop_count);
}

static void custody_read(struct cursor *c, struct bundle *b, const struct bundle_rules *rules)
{
	(void)rules;
	cteb_read(c, &b->cteb);
	b->has_cteb = true;
}

/* A custodian that can't be told of its release is none. */
static unsigned custody_check(const struct bundle *b)
{
	return b->cteb.custodian.node == NODE_NONE ? RULE_CTEB_FORM : RULE_NONE;
}

static void custody_write(struct buf *b, const struct block_values *v)
{
	cteb_write(b, v->cteb);
}

static void reporting_read(struct cursor *c, struct bundle *b, const struct bundle_rules *rules)
{
	(void)rules;
	creb_read(c, &b->creb);
	b->has_creb = true;
}

static void reporting_write(struct buf *b, const struct block_values *v)
{
	creb_write(b, v->creb);
}

static const struct block_row row[KINDS] = {
	[KIND_PREVIOUS_NODE] = {BLOCK_PREVIOUS_NODE, 3, prev_read, prev_check, prev_write,
		RULE_PREVIOUS_NODE, "previous-node"},
	[KIND_AGE] = {BLOCK_AGE, 1, age_read, NULL, age_write, RULE_AGE_FORM, "bundle-age"},
	[KIND_HOP_COUNT] = {BLOCK_HOP_COUNT, 3, hop_read, hop_check, hop_write, RULE_HOP_FORM,
		"hop-count"},
	[KIND_CTEB] = {0, 6, custody_read, custody_check, custody_write, RULE_CTEB_FORM, "custody"},
	[KIND_CREB] = {0, 2, reporting_read, NULL, reporting_write, RULE_CREB_FORM,
		"compressed-reporting"},
};

enum block_kind block_kind_of(uint64_t type, const struct custody_codes *codes)
{
	switch (type) {
	case BLOCK_PREVIOUS_NODE:
		return KIND_PREVIOUS_NODE;
	case BLOCK_AGE:
		return KIND_AGE;
	case BLOCK_HOP_COUNT:
		return KIND_HOP_COUNT;
	default:
		return type == codes->cteb_type   ? KIND_CTEB
		       : type == codes->creb_type ? KIND_CREB
						  : KINDS;
	}
}

uint64_t block_kind_type(enum block_kind kind, const struct custody_codes *codes)
{
	if (kind == KIND_CREB)
		return codes->creb_type;
	return row[kind].type ? row[kind].type : codes->cteb_type;
}

const char *block_type_name(uint64_t type, const struct custody_codes *codes)
{
	enum block_kind kind = block_kind_of(type, codes);

	if (kind != KINDS)
		return row[kind].name;
	return type == BLOCK_PAYLOAD ? "payload"
	       : type == BLOCK_BIB   ? "integrity"
	       : type == BLOCK_BCB   ? "confidentiality"
				     : NULL;
}

/* RFC 9171 4.2.8/1 */
static int kind_read(struct reader *r, const struct block *k, enum block_kind kind)
{
	const struct block_row *w = &row[kind];
	struct cursor c = {.start = r->c.start, .p = k->data.p, .end = k->data.p + k->data.n};
	size_t at = cursor_at(&c);

	if (k->data.n < w->min_len)
		return reader_broken(r, w->form, at);
	w->read(&c, r->b, r->rules);
	if (cursor_finish(&c) == -E_NOT_SHORTEST)
		return reader_error(r, &c, 0);
	if (!cursor_ok(&c))
		return reader_broken(r, w->form, c.err_at);
	unsigned rule = w->check ? w->check(r->b) : RULE_NONE;
	return rule ? reader_broken(r, rule, at) : 0;
}

/* A custody or reporting block, or somebody else's block of the same type: then its data say nothing, and
 * 5.6-3/2 ("malformed according to this specification") does not speak of it. */
static int custody_kind_read(struct reader *r, unsigned i, enum block_kind kind, bool *seen)
{
	struct bundle *b = r->b;
	const struct block *k = &b->block[i];
	const struct bundle_fault fault = *r->fault;
	bool has_cteb = b->has_cteb, has_creb = b->has_creb;
	struct cteb cteb = b->cteb;
	struct creb creb = has_creb ? b->creb : (struct creb){0};

	if (kind_read(r, k, kind) == 0) {
		if (*seen)
			return reader_broken(
				r, RULE_BLOCK_TYPE_TWICE, (size_t)(k->whole.p - r->c.start));
		*seen = true;
		return 0;
	}
	*r->fault = fault;
	b->foreign |= UINT64_C(1) << i;
	b->has_cteb = has_cteb;
	b->has_creb = has_creb;
	b->cteb = cteb;
	b->creb = creb;
	return 0;
}

/* RFC 9171 4.4/1, 4.4.1/3b, 4.4.2/2b, 4.4.2/3, 4.4.3/7, 4.4.3/7b */
int block_values_read(struct reader *r)
{
	struct bundle *b = r->b;
	bool encrypted, seen[KINDS] = {0};

	if (r->unread == 0)
		return 0;
	encrypted = bundle_block(b, BLOCK_BCB);
	if (encrypted) { /* what plain_blocks() read may be ciphertext */
		r->unread = UINT64_MAX;
		b->has_prev = b->has_age = b->has_hop = b->has_cteb = false;
		b->prev = (struct eid){0};
		b->cteb = (struct cteb){0};
		b->age_ms = b->hop_limit = b->hop_count = 0;
	}
	for (unsigned i = 0; i < b->n_blocks; i++) {
		const struct block *k = &b->block[i];
		enum block_kind kind = block_kind_of(k->type, &r->rules->custody);
		if (kind == KINDS)
			continue;
		/* custody and compressed reports are of whole bundles only: in a fragment the
		 * block is carried, not read */
		if (kind >= KIND_CTEB && (b->flags & BUNDLE_FRAGMENT))
			continue;
		bool is_cipher = encrypted && block_is_target(b, BLOCK_BCB, k->number);
		if (kind >= KIND_CTEB && r->rules->allow_foreign && !is_cipher) {
			int err = custody_kind_read(r, i, kind, &seen[kind]);
			if (err)
				return err;
			continue;
		}
		if (seen[kind])
			return reader_broken(
				r, RULE_BLOCK_TYPE_TWICE, (size_t)(k->whole.p - r->c.start));
		seen[kind] = true;
		if (!(r->unread >> i & 1) || is_cipher)
			continue;
		int err = kind_read(r, k, kind);
		if (err)
			return err;
	}
	return 0;
}

bool block_is_target(const struct bundle *b, uint64_t security_type, uint64_t number)
{
	for (unsigned i = 0; i < b->n_blocks; i++) {
		struct cursor c = cursor_of(b->block[i].data);
		uint64_t n;
		if (b->block[i].type != security_type)
			continue;
		n = cbor_array(&c);
		while (cbor_more(&c, &n))
			if (cbor_uint(&c) == number && cursor_ok(&c))
				return true;
	}
	return false;
}

/* -- writing --------------------------------------------------------------------------------- */

void block_write_open(struct buf *b, const struct block_spec *s)
{
	cbor_put_array(b, ITEMS_LEAST + (s->crc_type ? 1u : 0u));
	cbor_put_uint(b, s->type);
	cbor_put_uint(b, s->number);
	cbor_put_uint(b, s->flags);
	cbor_put_uint(b, s->crc_type);
}

void block_write(struct buf *b, const struct block_spec *s)
{
	size_t from = b->len;

	block_write_open(b, s);
	cbor_put_bytes(b, s->data);
	block_crc_write(b, from, s->crc_type);
}

HOT void block_write_kind(struct buf *b, enum block_kind kind, const struct block_spec *s,
	const struct block_values *v)
{
	size_t from = b->len;
	uint8_t *p = buf_room(b, PLAIN_BLOCK_ROOM);
	const uint8_t *end = p ? plain_block_put(p, kind, s, v) : NULL;

	if (end) {
		b->len += (size_t)(end - p);
		return;
	}
	block_write_open(b, s);
	size_t mark = cbor_wrap_begin(b);
	row[kind].write(b, v);
	cbor_wrap_end(b, mark);
	block_crc_write(b, from, s->crc_type);
}

/* RFC 9171 4.2.2/2b, 4.3.1/16b, 4.3.2/5c */
void block_crc_write(struct buf *b, size_t from, enum crc_type type)
{
	size_t n = crc_size(type);
	uint8_t *value;

	if (n == 0)
		return;
	cbor_put_bytes_head(b, n);
	value = buf_grow(b, n);
	if (!value)
		return;
	uint32_t crc = crc_block_value(type, b->p + from, b->len - n - from);
	if (type == CRC_16)
		be16_put(value, (uint16_t)crc);
	else
		be32_put(value, crc);
}
