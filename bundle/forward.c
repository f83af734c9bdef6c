/*
 * Forwarding: the head of a bundle with what a forwarder changes (RFC 9171 5.4 step 4: previous
 * node, age; 4.4.3 hop count; CCSDS 734.6: custody block). Primary block, unknown blocks and the
 * payload block's own fields keep their bytes; a changed block keeps its number, flags and CRC type
 * and comes out definite. Start reading at bundle_forward_head().
 */
#include "bundle/block.h"

struct edit {
	const struct bundle *b;
	const struct bundle_edit *e;
	struct block_values v;
	bool change[KINDS]; /* write this kind anew where the bundle has it */
	bool insert[KINDS]; /* and where it has none */
	bool done[KINDS];
	uint64_t number; /* candidate for the next inserted block */
};

static enum block_kind kind_at(const struct edit *x, unsigned i);
static bool has_kind(const struct edit *x, enum block_kind kind);
static bool may_retype(const struct bundle *b, const struct block *k, uint64_t type);
static void block_forward(struct buf *head, struct edit *x, unsigned i);
static void block_insert(struct buf *head, struct edit *x, enum block_kind kind);

/* RFC 9171 4.3.1/2, 4.3.1/3, 4.4/2; RFC 9758 7.2/d1 */
HOT int bundle_forward_head(struct buf *head, const struct bundle *b, const struct bundle_edit *e)
{
	struct edit x = {.b = b, .e = e, .number = 2};
	const struct block *payload = &b->block[b->n_blocks - 1];

	/* the tail of a definite outer array has no break: such a bundle can be read, not passed on
	 * */
	if (b->primary.p[-1] != 0x9f)
		return -E_RULE;
	x.v = (struct block_values){
		&e->prev, e->age_ms, b->hop_limit, e->hop_count, &e->cteb, &b->creb};
	x.change[KIND_PREVIOUS_NODE] = true;
	x.change[KIND_AGE] = e->set_age && b->has_age;
	x.change[KIND_HOP_COUNT] = e->set_hop && b->has_hop;
	x.change[KIND_CTEB] = e->set_cteb;
	x.insert[KIND_CTEB] = e->set_cteb && !has_kind(&x, KIND_CTEB);
	unsigned room = BUNDLE_BLOCKS_MAX - b->n_blocks +
			(e->discard ? (unsigned)__builtin_popcountll(e->discard) : 0);
	if (x.insert[KIND_CTEB] && room-- == 0)
		return -E_RULE;
	/* RFC 9171 4.4.1: it should be there; a bundle that has all the blocks anyone reads goes on
	 * without it */
	x.insert[KIND_PREVIOUS_NODE] =
		e->set_prev && room > 0 && !bundle_block(b, BLOCK_PREVIOUS_NODE);
	cbor_put_array_open(head);
	buf_put(head, b->primary);
	if (x.insert[KIND_PREVIOUS_NODE])
		block_insert(head, &x, KIND_PREVIOUS_NODE);
	for (unsigned i = 0; i + 1 < b->n_blocks; i++)
		block_forward(head, &x, i);
	if (x.insert[KIND_CTEB])
		block_insert(head, &x, KIND_CTEB);
	buf_put(head, payload->whole);
	return buf_finish(head);
}

/* RFC 9171 4.4.3/2, 4.4.3/2c */
static void block_forward(struct buf *head, struct edit *x, unsigned i)
{
	const struct block *k = &x->b->block[i];
	enum block_kind kind = kind_at(x, i);
	uint64_t type = kind == KIND_CTEB || kind == KIND_CREB
				? block_kind_type(kind, &x->e->custody)
				: k->type;
	struct block_spec as = {.type = type,
		.number = k->number,
		.flags = k->flags,
		.crc_type = k->crc_type,
		.data = k->data};

	if (x->e->discard >> i & 1)
		return;
	if (kind == KINDS || !x->change[kind] || x->done[kind]) {
		if (type != k->type && may_retype(x->b, k, type))
			block_write(head, &as);
		else
			buf_put(head, k->whole);
		return;
	}
	x->done[kind] = true;
	if (kind == KIND_PREVIOUS_NODE && !x->e->set_prev) /* RFC 9171 4.4.1: must be removed */
		return;
	block_write_kind(head, kind, &as, &x->v);
}

/* By the code points that the bundle has; what only looks like a custody block is none. */
static enum block_kind kind_at(const struct edit *x, unsigned i)
{
	if (x->b->foreign >> i & 1)
		return KINDS;
	return block_kind_of(x->b->block[i].type, x->e->from ? x->e->from : &x->e->custody);
}

static bool has_kind(const struct edit *x, enum block_kind kind)
{
	for (unsigned i = 0; i < x->b->n_blocks; i++)
		if (kind_at(x, i) == kind)
			return true;
	return false;
}

/* Another code point for what is passed on: not in a fragment, where it was not read; not where a
 * security block speaks of it; not beside a block that has this type already. */
static bool may_retype(const struct bundle *b, const struct block *k, uint64_t type)
{
	return !(b->flags & BUNDLE_FRAGMENT) && !bundle_block(b, type) &&
	       !block_is_target(b, BLOCK_BIB, k->number) &&
	       !block_is_target(b, BLOCK_BCB, k->number);
}

/* Smallest number from 2 that no block of the bundle has, discarded ones included. */
static uint64_t number_free(struct edit *x)
{
	unsigned i = 0;

	while (i < x->b->n_blocks) {
		if (x->b->block[i++].number == x->number) {
			x->number++;
			i = 0;
		}
	}
	return x->number++;
}

static void block_insert(struct buf *head, struct edit *x, enum block_kind kind)
{
	block_write_kind(head, kind,
		&(struct block_spec){.type = block_kind_type(kind, &x->e->custody),
			.number = number_free(x),
			.flags = kind == KIND_CTEB ? BLOCK_REPLICATE : 0,
			.crc_type = x->e->crc_type},
		&x->v);
}
