/*
 * Fragmentation, RFC 9171 5.8. The new primary block has the old one's endpoints, timestamp and
 * lifetime byte for byte; flag, offset, total length and CRC are its own (5.8/5, 5.8/6). All else is
 * bundle_forward_head(), which gets this primary block and payload head in place of the old ones.
 *
 * Replication: the piece at offset 0 of a whole bundle, or of its fragment at offset 0, has all
 * extension blocks (5.8/7); others those with the "replicate" flag (5.8/8), age where there is no
 * creation time (4.4.2), a BCB on the payload (RFC 9172 3.8), previous node as any forwarder writes
 * it. Blocks that came with a later fragment stay with its first piece.
 * Start reading at fragment_head().
 */
#include "bundle/fragment.h"

#include "bundle/block.h"

#define PRIMARY_MAX 8192u /* three EIDs of the longest known form, and numbers */

static int primary_make(struct buf *out, const struct bundle *b, uint64_t off, uint64_t left_out);
static int middle_find(const struct bundle *b, struct view *middle);
static bool is_signed(const struct bundle *b, uint64_t left_out);
static bool is_target_of(const struct block *security, uint64_t number);

/* RFC 9171 5.8/2 */
bool fragment_allowed(const struct bundle *b)
{
	return !(b->flags & BUNDLE_NO_FRAGMENT) && !b->has_cteb && b->payload.n > 1;
}

/* RFC 9171 5.8/7, 5.8/8, 5.8/d2 */
uint64_t fragment_left_out(const struct bundle *b, uint64_t off)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i + 1 < b->n_blocks && off > 0; i++) {
		const struct block *k = &b->block[i];

		if (k->flags & BLOCK_REPLICATE || k->type == BLOCK_PREVIOUS_NODE ||
			(k->type == BLOCK_AGE && b->created_ms == 0) ||
			(k->type == BLOCK_BCB && is_target_of(k, 1)))
			continue;
		mask |= UINT64_C(1) << i;
	}
	return mask;
}

/* RFC 9171 5.8/1, 5.8/3, 5.8/4 */
int fragment_head(struct buf *head, const struct bundle *b, const struct bundle_edit *edit,
	uint64_t off, uint64_t n, uint32_t *crc)
{
	const struct block *payload = &b->block[b->n_blocks - 1];
	uint8_t room[1 + PRIMARY_MAX], payload_room[4 * CBOR_HEAD_MAX];
	struct buf primary = buf_of(room, sizeof room),
		   data = buf_of(payload_room, sizeof payload_room);
	struct bundle_edit e = *edit;
	struct bundle x;
	int err;

	if (!fragment_allowed(b))
		return -E_RULE;
	if (n == 0 || off >= b->payload.n || n > b->payload.n - off)
		return -E_RANGE;
	e.discard |= fragment_left_out(b, off);
	buf_u8(&primary, b->primary.p[-1]); /* the outer array's head stands before a primary */
	err = primary_make(&primary, b, off, e.discard);
	if (err)
		return err;
	block_write_open(&data, &(struct block_spec){.type = BLOCK_PAYLOAD,
					.number = 1,
					.flags = payload->flags,
					.crc_type = payload->crc_type});
	cbor_put_bytes_head(&data, n);
	*crc = crc_update(payload->crc_type, 0, buf_view(&data));
	x = *b;
	x.primary = view_of(room + 1, primary.len - 1);
	x.block[x.n_blocks - 1].whole = buf_view(&data);
	return bundle_forward_head(head, &x, &e);
}

int fragment_tail(struct buf *tail, const struct bundle *b, uint32_t crc)
{
	const struct bundle_spec spec = {.block_crc_type = b->block[b->n_blocks - 1].crc_type};

	return bundle_build_tail(tail, &spec, crc);
}

size_t fragment_tail_size(const struct bundle *b)
{
	size_t n = crc_size(b->block[b->n_blocks - 1].crc_type);

	return n ? n + 2 : 1;
}

/* RFC 9171 4.3.1, RFC 9171 5.8/d1, 5.8/5, 5.8/5b, 5.8/5c, 5.8/6 */
static int primary_make(struct buf *out, const struct bundle *b, uint64_t off, uint64_t left_out)
{
	bool again = b->flags & BUNDLE_FRAGMENT; /* a fragment of a fragment */
	enum crc_type crc_type = b->crc_type;
	size_t from = out->len;
	struct view middle;
	int err = middle_find(b, &middle);

	if (err)
		return err;
	if (crc_type == CRC_NONE && !is_signed(b, left_out))
		crc_type = CRC_32C; /* the BIB that stood for it is not in this piece */
	cbor_put_array(out, crc_type == CRC_NONE ? 10 : 11);
	cbor_put_uint(out, 7);
	cbor_put_uint(out, b->flags | BUNDLE_FRAGMENT);
	cbor_put_uint(out, crc_type);
	buf_put(out, middle);
	cbor_put_uint(out, (again ? b->frag_off : 0) + off);
	cbor_put_uint(out, again ? b->total_len : b->payload.n);
	block_crc_write(out, from, crc_type);
	return buf_fits(out) ? 0 : -E_TOO_BIG;
}

/* Destination, source, report-to, creation timestamp and lifetime as they were written. */
static int middle_find(const struct bundle *b, struct view *middle)
{
	struct cursor c = cursor_of(b->primary);
	const uint8_t *from;

	cbor_array(&c);
	for (unsigned i = 0; i < 3; i++) /* version, flags, CRC type */
		cbor_uint(&c);
	from = c.p;
	for (unsigned i = 0; i < 5; i++)
		cbor_skip(&c);
	*middle = view_of(from, (size_t)(c.p - from));
	return cursor_ok(&c) ? 0 : c.err;
}

/* Does an integrity block over the primary block stay in the piece? RFC 9171 4.3.1 */
static bool is_signed(const struct bundle *b, uint64_t left_out)
{
	for (unsigned i = 0; i < b->n_blocks; i++)
		if (!(left_out >> i & 1) && b->block[i].type == BLOCK_BIB &&
			is_target_of(&b->block[i], 0))
			return true;
	return false;
}

/* RFC 9172 3.6: the first item lists the targets. */
static bool is_target_of(const struct block *security, uint64_t number)
{
	struct cursor c = cursor_of(security->data);
	uint64_t n = cbor_array(&c);

	while (cbor_more(&c, &n))
		if (cbor_uint(&c) == number && cursor_ok(&c))
			return true;
	return false;
}
