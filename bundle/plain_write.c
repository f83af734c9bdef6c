/* hot: build and forward of `owlt bench codec` */
/*
 * Writing the plain shape: RFC 9171 4.3.1, 4.3.2, 4.4. The caller has seen to the room for the
 * longest block there can be, so nothing is checked here. Whatever is not plain (dtn names, ipn in
 * three elements, other blocks) is for the writers of primary.c and block.c, which
 * tests/unit/bundle/test_plain.c holds against these. Start reading at plain_block_put().
 */
#include "bundle/plain_write.h"

#include "bundle/crc_block.h"

#define PRIMARY_ITEMS 8
#define BLOCK_ITEMS 5

static uint8_t *eid_put(uint8_t *p, const struct eid *e);
static uint8_t *crc_put(uint8_t *p, const uint8_t *from, enum crc_type type);

static uint8_t *long_put(uint8_t *p, unsigned major, uint64_t v)
{
	unsigned top = major << 5;

	if (v <= UINT8_MAX) {
		be16_put(p, (uint16_t)((top | 24) << 8 | v));
		return p + 2;
	}
	if (v <= UINT16_MAX) {
		p[0] = (uint8_t)(top | 25);
		be16_put(p + 1, (uint16_t)v);
		return p + 3;
	}
	if (v <= UINT32_MAX) {
		p[0] = (uint8_t)(top | 26);
		be32_put(p + 1, (uint32_t)v);
		return p + 5;
	}
	p[0] = (uint8_t)(top | 27);
	be64_put(p + 1, v);
	return p + 9;
}

static inline uint8_t *uint_put(uint8_t *p, uint64_t v)
{
	if (v >= 24)
		return long_put(p, CBOR_UINT, v);
	*p = (uint8_t)v;
	return p + 1;
}

static inline uint8_t *array_put(uint8_t *p, unsigned n)
{
	*p = (uint8_t)(CBOR_ARRAY << 5 | n);
	return p + 1;
}

uint8_t *plain_block_put(
	uint8_t *p, enum block_kind kind, const struct block_spec *s, const struct block_values *v)
{
	const uint8_t *from = p;
	uint8_t *data;

	p = array_put(p, BLOCK_ITEMS + (s->crc_type ? 1u : 0u));
	p = uint_put(p, s->type);
	p = uint_put(p, s->number);
	p = uint_put(p, s->flags);
	p = uint_put(p, s->crc_type);
	data = ++p; /* at most 21 bytes: their length fits the one before */
	switch (kind) {
	case KIND_PREVIOUS_NODE:
		p = eid_put(p, v->prev);
		break;
	case KIND_AGE:
		p = uint_put(p, v->age_ms);
		break;
	case KIND_HOP_COUNT:
		p = array_put(p, 2);
		p = uint_put(p, v->hop_limit);
		p = uint_put(p, v->hop_count);
		break;
	default:
		return NULL;
	}
	if (!p)
		return NULL;
	data[-1] = (uint8_t)(CBOR_BYTES << 5 | (unsigned)(p - data));
	return crc_put(p, from, s->crc_type);
}

uint8_t *plain_primary_put(uint8_t *p, const struct bundle_spec *s)
{
	const uint8_t *from = p;
	bool fragment = s->flags & BUNDLE_FRAGMENT;

	p = array_put(p, PRIMARY_ITEMS + (fragment ? 2u : 0u) + (s->crc_type ? 1u : 0u));
	*p++ = 7;
	p = uint_put(p, s->flags);
	p = uint_put(p, s->crc_type);
	p = eid_put(p, &s->dest);
	p = p ? eid_put(p, &s->source) : NULL;
	p = p ? eid_put(p, &s->report_to) : NULL;
	if (!p)
		return NULL;
	p = array_put(p, 2);
	p = uint_put(p, s->created_ms);
	p = uint_put(p, s->seq);
	p = uint_put(p, s->lifetime_ms);
	if (fragment) {
		p = uint_put(p, s->frag_off);
		p = uint_put(p, s->total_len);
	}
	return crc_put(p, from, s->crc_type);
}

static inline uint8_t *eid_put(uint8_t *p, const struct eid *e)
{
	if (e->scheme == EID_SCHEME_DTN && e->node == NODE_NONE) {
		memcpy(p, "\x82\x01\x00", 3);
		return p + 3;
	}
	if (e->scheme != EID_SCHEME_IPN || e->three)
		return NULL;
	memcpy(p, "\x82\x02\x82", 3);
	p = uint_put(p + 3, e->node);
	return uint_put(p, e->service);
}

static inline uint8_t *crc_put(uint8_t *p, const uint8_t *from, enum crc_type type)
{
	if (type == CRC_NONE)
		return p;
	*p++ = (uint8_t)(CBOR_BYTES << 5 | 2 * (unsigned)type);
	uint32_t crc = crc_block_value(type, from, (size_t)(p - from));
	if (type == CRC_16)
		be16_put(p, (uint16_t)crc);
	else
		be32_put(p, crc);
	return p + 2 * (size_t)type;
}
