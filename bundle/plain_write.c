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
#define IPN_OPEN 0x820282u /* [2, [ of two elements; the same from either end */

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

/* Up to eight bytes, the first one lowest; n = 0: they do not fit. */
struct packed {
	uint64_t bytes;
	unsigned n;
};

static inline struct packed pack(uint64_t v)
{
	if (v < 24)
		return (struct packed){v, 1};
	if (v <= UINT8_MAX)
		return (struct packed){24 | v << 8, 2};
	if (v <= UINT16_MAX)
		return (struct packed){25 | (uint64_t)__builtin_bswap16((uint16_t)v) << 8, 3};
	if (v <= UINT32_MAX)
		return (struct packed){26 | (uint64_t)__builtin_bswap32((uint32_t)v) << 8, 5};
	return (struct packed){0};
}

/* n bytes, then two numbers. */
static inline struct packed pack_two(uint64_t bytes, unsigned n, uint64_t v, uint64_t w)
{
	struct packed a = pack(v), b = pack(w);

	if (!a.n || !b.n || n + a.n + b.n > 8)
		return (struct packed){0};
	return (struct packed){
		bytes | a.bytes << (8 * n) | b.bytes << (8 * (n + a.n)), n + a.n + b.n};
}

/* What a block of this kind holds, where it is short. */
static inline struct packed data_pack(enum block_kind kind, const struct block_values *v)
{
	switch (kind) {
	case KIND_PREVIOUS_NODE:
		if (v->prev->scheme != EID_SCHEME_IPN || v->prev->three)
			return (struct packed){0};
		return pack_two(IPN_OPEN, 3, v->prev->node, v->prev->service);
	case KIND_AGE:
		return pack(v->age_ms);
	case KIND_HOP_COUNT:
		return pack_two(CBOR_ARRAY << 5 | 2, 1, v->hop_limit, v->hop_count);
	default:
		return (struct packed){0};
	}
}

#if defined(__x86_64__)
/* Array, type, number, flags, CRC type. */
static inline uint64_t short_open(const struct block_spec *s)
{
	return (CBOR_ARRAY << 5 | (BLOCK_ITEMS + 1)) | s->type << 8 | s->number << 16 |
	       s->flags << 24 | (uint64_t)CRC_32C << 32;
}

/* A block of at most 15 bytes before its CRC-32C, put together in two words: the CRC is computed
 * from them, since bytes just stored one by one cannot be loaded as words without a wait. */
static inline uint8_t *short_put(uint8_t *p, const struct block_spec *s, struct packed data)
{
	uint64_t open = short_open(s) | (uint64_t)(CBOR_BYTES << 5 | data.n) << 40;
	unsigned __int128 rest = data.bytes | (unsigned __int128)0x44 << (8 * data.n);
	uint64_t low = open | (uint64_t)rest << 48, high = (uint64_t)(rest >> 16);
	unsigned r = data.n - 1, up = 63 - 8 * r; /* bytes of high, as in crc32c_rest() */
	uint64_t crc = crc32c_u64(UINT32_MAX, low);

	crc = crc32c_u64(0, (high ^ crc) << up << 1) ^ crc >> (8 * r);
	memcpy(p, &low, 8);
	memcpy(p + 8, &high, 8);
	be32_put(p + 8 + r, ~crc32c_zeros4(crc));
	return p + 8 + r + 4;
}

static inline bool is_short(const struct block_spec *s)
{
	return s->crc_type == CRC_32C && s->type < 24 && s->number < 24 && s->flags < 24 &&
	       crc_has_instruction();
}

uint8_t *plain_open_put(uint8_t *p, const struct block_spec *s, uint64_t n, uint32_t *crc)
{
	struct packed head = pack(n);

	if (!is_short(s) || head.n - 1 > 2)
		return NULL;
	uint64_t word = short_open(s) | (CBOR_BYTES << 5 | head.bytes) << 40;
	/* of six to eight bytes: all of the state meets one of them */
	uint64_t state = crc32c_u64(0, (word ^ UINT32_MAX) << (24 - 8 * head.n));
	memcpy(p, &word, 8);
	*crc = ~(uint32_t)state;
	return p + 5 + head.n;
}
#else
static inline bool is_short(const struct block_spec *s)
{
	(void)s;
	return false;
}

static inline uint8_t *short_put(uint8_t *p, const struct block_spec *s, struct packed data)
{
	(void)s, (void)data;
	return p;
}

uint8_t *plain_open_put(uint8_t *p, const struct block_spec *s, uint64_t n, uint32_t *crc)
{
	(void)p, (void)s, (void)n, (void)crc;
	return NULL;
}
#endif

uint8_t *plain_block_put(
	uint8_t *p, enum block_kind kind, const struct block_spec *s, const struct block_values *v)
{
	struct packed packed = is_short(s) ? data_pack(kind, v) : (struct packed){0};
	const uint8_t *from = p;
	uint8_t *data;

	if (packed.n)
		return short_put(p, s, packed);
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
