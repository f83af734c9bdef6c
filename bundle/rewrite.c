/*
 * Rewriting: a bundle with blocks dropped, changed or added, for BPSec (RFC 9172 5.1, RFC 9173 3.8,
 * 4.8). What is not named keeps its bytes: the primary block always (RFC 9171 4.3.1), but for the one
 * CRC that its own source takes away before it signs the block.
 *
 * Start reading at bundle_rewrite_head().
 */
#include "bundle/rewrite.h"

#include "bundle/block.h"

static int primary_put(struct buf *head, const struct bundle *b, const struct bundle_rewrite *w);
static void block_put(
	struct buf *head, const struct bundle *b, const struct bundle_rewrite *w, unsigned i);

/* New blocks stand behind the security blocks that follow the primary block. */
static unsigned place_of_new(const struct bundle *b)
{
	unsigned i = 0;

	while (b->block[i].type == BLOCK_BIB || b->block[i].type == BLOCK_BCB)
		i++;
	return i;
}

int bundle_rewrite_head(
	struct buf *head, const struct bundle *b, const struct bundle_rewrite *w, uint32_t *crc)
{
	const struct block *payload = &b->block[b->n_blocks - 1];
	unsigned place = place_of_new(b);
	size_t from = head->len;
	int err;

	*crc = 0;
	if (b->primary.p[-1] != 0x9f) /* the tail of a definite outer array has no break */
		return -E_RULE;
	cbor_put_array_open(head);
	err = primary_put(head, b, w);
	if (err)
		return err;
	for (unsigned i = 0; i < b->n_blocks; i++) {
		for (unsigned k = 0; i == place && k < w->n_add; k++)
			block_write(head, &w->add[k]);
		if (i + 1 < b->n_blocks && !(w->drop >> i & 1))
			block_put(head, b, w, i);
	}
	size_t payload_at = head->len;
	if (w->set_payload) {
		block_write_open(head, &(struct block_spec){.type = BLOCK_PAYLOAD,
					       .number = payload->number,
					       .flags = payload->flags,
					       .crc_type = w->payload_crc});
		cbor_put_bytes_head(head, w->payload_len);
	} else {
		buf_put(head, payload->whole);
	}
	if (head->len - from > BUNDLE_HEAD_MAX)
		return -E_RULE;
	if (w->set_payload && head->p && buf_fits(head))
		*crc = crc_update(
			w->payload_crc, 0, view_of(head->p + payload_at, head->len - payload_at));
	return buf_finish(head);
}

int bundle_rewrite_tail(
	struct buf *tail, const struct bundle *b, const struct bundle_rewrite *w, uint32_t crc)
{
	if (w->set_payload)
		return bundle_build_tail(
			tail, &(struct bundle_spec){.block_crc_type = w->payload_crc}, crc);
	buf_put(tail, b->tail);
	return buf_finish(tail);
}

int bundle_rewrite(struct buf *out, const struct bundle *b, const struct bundle_rewrite *w,
	struct view payload)
{
	uint32_t crc;
	int err = bundle_rewrite_head(out, b, w, &crc);

	if (err)
		return err;
	buf_put(out, payload);
	if (w->set_payload && buf_fits(out))
		crc = crc_update(w->payload_crc, crc, payload);
	return bundle_rewrite_tail(out, b, w, crc);
}

static int primary_put(struct buf *head, const struct bundle *b, const struct bundle_rewrite *w)
{
	struct view primary = w->primary.n ? w->primary : b->primary;

	if (w->drop_primary_crc)
		/* what does not fit is counted to the end */
		return bundle_primary_bare(head, primary) == -E_RULE ? -E_RULE : 0;
	buf_put(head, primary);
	return 0;
}

static void block_put(
	struct buf *head, const struct bundle *b, const struct bundle_rewrite *w, unsigned i)
{
	const struct block *k = &b->block[i];

	for (unsigned n = 0; n < w->n_changes; n++) {
		const struct bundle_change *change = &w->change[n];
		if (change->block != i)
			continue;
		block_write(head, &(struct block_spec){.type = k->type,
					  .number = k->number,
					  .flags = k->flags,
					  .crc_type = change->crc_type,
					  .data = change->data});
		return;
	}
	buf_put(head, k->whole);
}

/* [7, flags, crc type, ..., crc] without its last item and with CRC type 0. */
int bundle_primary_bare(struct buf *out, struct view primary)
{
	struct cursor c = cursor_of(primary);
	uint64_t items = cbor_array(&c);
	uint64_t version = cbor_uint(&c), flags = cbor_uint(&c);
	uint64_t type = cbor_uint(&c);
	size_t field = 1 + crc_size((enum crc_type)type);

	if (!cursor_ok(&c) || items == CBOR_INDEFINITE || cursor_left(&c) < field)
		return -E_RULE;
	cbor_put_array(out, items - (type ? 1 : 0));
	cbor_put_uint(out, version);
	cbor_put_uint(out, flags);
	cbor_put_uint(out, CRC_NONE);
	buf_put(out, view_of(c.p, cursor_left(&c) - (type ? field : 0)));
	return buf_finish(out);
}

uint64_t bundle_free_number(const struct bundle *b)
{
	uint64_t number = 2;
	unsigned i = 0;

	while (i < b->n_blocks) {
		if (b->block[i++].number == number) {
			number++;
			i = 0;
		}
	}
	return number;
}
