/*
 * Building new bundles: RFC 9171 4.1, 4.3. The head is written before the payload is at hand; the
 * payload block's CRC is continued by the caller over the payload, and the tail closes it.
 * Start reading at bundle_build_head().
 */
#include "bundle/plain_write.h"

static uint32_t payload_open(struct buf *head, const struct bundle_spec *s, uint64_t payload_len);
static int spec_check(const struct bundle_spec *s, uint64_t payload_len);
static void start_write(struct buf *b, const struct bundle_spec *s, uint64_t *number);
static void standard_write(
	struct buf *b, const struct bundle_spec *s, enum block_kind first, uint64_t *number);
static uint64_t number_next(const struct bundle_spec *s, uint64_t *number);

/* RFC 9171 4.1/3 */
HOT int bundle_build_head(
	struct buf *head, const struct bundle_spec *s, uint64_t payload_len, uint32_t *crc)
{
	uint64_t number = 2;
	size_t from = head->len;
	int err = spec_check(s, payload_len);

	*crc = 0;
	if (err)
		return err;
	start_write(head, s, &number);
	for (unsigned i = 0; i < s->n_blocks; i++) {
		struct block_spec k = s->block[i];
		if (k.number == 0)
			k.number = number_next(s, &number);
		block_write(head, &k);
	}
	uint32_t state = payload_open(head, s, payload_len);
	err = head->len - from > BUNDLE_HEAD_MAX ? -E_RULE : buf_finish(head);
	if (err == 0)
		*crc = state;
	return err;
}

/* The payload block up to its data; its CRC so far, if it fits. */
static uint32_t payload_open(struct buf *head, const struct bundle_spec *s, uint64_t payload_len)
{
	const struct block_spec k = {.type = BLOCK_PAYLOAD,
		.number = 1,
		.flags = s->payload_flags,
		.crc_type = s->block_crc_type};
	size_t at = head->len;
	uint8_t *p = buf_room(head, PLAIN_BLOCK_ROOM);
	uint32_t crc;
	const uint8_t *end = p ? plain_open_put(p, &k, payload_len, &crc) : NULL;

	if (end) {
		head->len += (size_t)(end - p);
		return crc;
	}
	block_write_open(head, &k);
	cbor_put_bytes_head(head, payload_len);
	if (!head->p || !buf_fits(head))
		return 0;
	return crc_update(k.crc_type, 0, view_of(head->p + at, head->len - at));
}

HOT int bundle_build_tail(struct buf *tail, const struct bundle_spec *s, uint32_t crc)
{
	size_t size = crc_size(s->block_crc_type);
	uint8_t *p = buf_grow(tail, size ? size + 2 : 1);

	if (p && size) {
		*p++ = (uint8_t)(CBOR_BYTES << 5 | size);
		crc = crc_field_value(s->block_crc_type, crc);
		if (size == 2)
			be16_put(p, (uint16_t)crc);
		else
			be32_put(p, crc);
		p += size;
	}
	if (p)
		*p = CBOR_BREAK;
	return buf_finish(tail);
}

HOT int bundle_build(struct buf *out, const struct bundle_spec *s, struct view payload)
{
	uint32_t crc;
	int err = bundle_build_head(out, s, payload.n, &crc);

	if (err && err != -E_OVERFLOW) /* what does not fit is counted to the end */
		return err;
	/* over the payload where it was: reading what has just been stored has to wait for it */
	crc = crc_update(s->block_crc_type, crc, payload);
	buf_put(out, payload);
	return bundle_build_tail(out, s, crc);
}

static bool spec_has(const struct bundle_spec *s, uint64_t type)
{
	for (unsigned i = 0; i < s->n_blocks; i++)
		if (s->block[i].type == type)
			return true;
	return false;
}

/* What a caller can get wrong without seeing it; a reader would refuse the rest as well. */
static int spec_check(const struct bundle_spec *s, uint64_t payload_len)
{
	unsigned standard =
		(unsigned)s->has_prev + s->has_age + s->has_hop + s->has_cteb + s->has_creb;

	if (primary_flags_rule(s->flags, eid_is_null(&s->source)) || s->source.group)
		return -E_RULE;
	if (s->created_ms == 0 && !s->has_age && !spec_has(s, BLOCK_AGE))
		return -E_RULE;
	if (s->has_hop && (s->hop_limit < 1 || s->hop_limit > 255))
		return -E_RULE;
	if (standard + s->n_blocks + 1 > BUNDLE_BLOCKS_MAX)
		return -E_RULE;
	if (!(s->flags & BUNDLE_FRAGMENT))
		return 0;
	if (payload_len == 0 || payload_len > s->total_len ||
		s->frag_off > s->total_len - payload_len)
		return -E_RULE;
	return 0;
}

/* Up to the blocks of the caller. */
static void start_write(struct buf *b, const struct bundle_spec *s, uint64_t *number)
{
	uint8_t *p = buf_room(b, PLAIN_START_ROOM);
	const uint8_t *end = p ? plain_start_put(p, s, number) : NULL;

	if (end) {
		b->len += (size_t)(end - p);
		if (s->has_cteb || s->has_creb)
			standard_write(b, s, KIND_CTEB, number);
		return;
	}
	cbor_put_array_open(b);
	primary_write(b, s);
	standard_write(b, s, KIND_PREVIOUS_NODE, number);
}

static void standard_write(
	struct buf *b, const struct bundle_spec *s, enum block_kind first, uint64_t *number)
{
	const struct block_values v = {
		&s->prev, s->age_ms, s->hop_limit, s->hop_count, &s->cteb, &s->creb};
	const bool has[KINDS] = {s->has_prev, s->has_age, s->has_hop, s->has_cteb, s->has_creb};
	const uint64_t replicate = s->replicate ? BLOCK_REPLICATE : 0;
	const uint64_t flags[KINDS] = {0, replicate, replicate, BLOCK_REPLICATE, BLOCK_REPLICATE};

	for (unsigned kind = first; kind < KINDS; kind++) {
		if (!has[kind])
			continue;
		struct block_spec k = {.type = block_kind_type((enum block_kind)kind, &s->custody),
			.number = number_next(s, number),
			.flags = flags[kind],
			.crc_type = s->block_crc_type};
		block_write_kind(b, (enum block_kind)kind, &k, &v);
	}
}

/* The next number that no block of the caller has. */
static uint64_t number_next(const struct bundle_spec *s, uint64_t *number)
{
	unsigned i = 0;

	while (i < s->n_blocks) {
		if (s->block[i++].number == *number) {
			(*number)++;
			i = 0;
		}
	}
	return (*number)++;
}
