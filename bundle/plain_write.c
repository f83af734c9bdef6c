/* hot: build and forward of `owlt bench codec` */
/*
 * Writing the plain shape: RFC 9171 4.3.1, 4.3.2, 4.4. The caller has seen to the room for the
 * longest block there can be, so nothing is checked here. Whatever is not plain (dtn names, ipn in
 * three elements, other blocks) is for the writers of primary.c and block.c, which
 * tests/unit/bundle/test_plain.c holds against these.
 *
 * Short items are put together in a word, the first byte lowest, and stored with what is free
 * behind them; the next ones overwrite that. Start reading at plain_start_put().
 */
#include "bundle/plain_write.h"

#include "bundle/crc_block.h"

#define OUTER_OPEN 0x9f
#define VERSION 7
#define PRIMARY_ITEMS 8
#define BLOCK_ITEMS 5
#define CRC_OPEN 0x44u     /* the head of a CRC-32C's value */
#define IPN_OPEN 0x820282u /* [2, [ of two elements; the same from either end */
#define DTN_NONE 0x000182u /* [1, 0] */
#define SHORT_MAX 7u       /* bytes that a short block holds */

static uint8_t *items_put(uint8_t *p, const struct bundle_spec *s);
static uint8_t *fields_put(
	uint8_t *p, enum block_kind kind, const struct block_spec *s, const struct block_values *v);
static uint8_t *crc_put(uint8_t *p, const uint8_t *from, enum crc_type type);

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

static inline struct packed eid_pack(const struct eid *e)
{
	if (e->scheme != EID_SCHEME_IPN || e->three)
		return (struct packed){0};
	return pack_two(IPN_OPEN, 3, e->node, e->service);
}

static inline struct packed hop_pack(uint64_t limit, uint64_t count)
{
	return pack_two(CBOR_ARRAY << 5 | 2, 1, limit, count);
}

static inline uint8_t *packed_put(uint8_t *p, struct packed k)
{
	memcpy(p, &k.bytes, 8);
	return p + k.n;
}

static inline uint8_t *uint_put(uint8_t *p, uint64_t v)
{
	if (v <= UINT32_MAX)
		return packed_put(p, pack(v));
	p[0] = (uint8_t)(CBOR_UINT << 5 | 27);
	be64_put(p + 1, v);
	return p + 9;
}

static inline uint8_t *array_put(uint8_t *p, unsigned n)
{
	*p = (uint8_t)(CBOR_ARRAY << 5 | n);
	return p + 1;
}

static inline uint8_t *eid_put(uint8_t *p, const struct eid *e)
{
	struct packed k = eid_pack(e);

	if (k.n)
		return packed_put(p, k);
	if (e->scheme == EID_SCHEME_DTN && e->node == NODE_NONE)
		return packed_put(p, (struct packed){DTN_NONE, 3});
	if (e->scheme != EID_SCHEME_IPN || e->three)
		return NULL;
	p = packed_put(p, (struct packed){IPN_OPEN, 3});
	return uint_put(uint_put(p, e->node), e->service);
}

static inline bool is_quick(void)
{
#if defined(__x86_64__)
	return crc_has_instruction();
#else
	return false;
#endif
}

static inline bool is_short(const struct block_spec *s)
{
	return s->crc_type == CRC_32C && s->type < 24 && s->number < 24 && s->flags < 24 &&
	       is_quick();
}

#if defined(__x86_64__)
/* Array, type, number, flags, CRC type. */
static inline uint64_t short_open(uint64_t type, uint64_t number, uint64_t flags)
{
	return (CBOR_ARRAY << 5 | (BLOCK_ITEMS + 1)) | type << 8 | number << 16 | flags << 24 |
	       (uint64_t)CRC_32C << 32;
}

/* A block of at most 14 bytes before its CRC-32C, put together in two words: the CRC is computed
 * from them, since bytes just stored one by one cannot be loaded as words without a wait. NULL
 * where the data do not fit. */
static inline uint8_t *short_put(uint8_t *p, uint64_t open, struct packed data)
{
	unsigned r = data.n - 1, bits = 8 * r; /* r bytes of high, as in crc32c_rest() */

	if (r >= SHORT_MAX)
		return NULL;
	uint64_t rest = data.bytes | (uint64_t)CRC_OPEN << 8 << bits, high = rest >> 16;
	uint64_t low = open | (uint64_t)(CBOR_BYTES << 5 | data.n) << 40 | rest << 48;
	uint64_t crc = crc32c_u64(UINT32_MAX, low);

	memcpy(p, &low, 8);
	memcpy(p + 8, &high, 8);
	crc = crc32c_u64(0, (high ^ crc) << (~bits & 63) << 1) ^ crc >> bits;
	be32_put(p + 8 + r, ~crc32c_zeros4(crc));
	return p + 8 + r + 4;
}

HOT uint8_t *plain_open_put(uint8_t *p, const struct block_spec *s, uint64_t n, uint32_t *crc)
{
	struct packed head = pack(n);

	if (!is_short(s) || head.n - 1 > 2)
		return NULL;
	uint64_t word = short_open(s->type, s->number, s->flags) | (CBOR_BYTES << 5 | head.bytes)
									   << 40;
	/* of six to eight bytes: all of the state meets one of them */
	uint64_t state = crc32c_u64(0, (word ^ UINT32_MAX) << (24 - 8 * head.n));
	memcpy(p, &word, 8);
	*crc = ~(uint32_t)state;
	return p + 5 + head.n;
}
#else
static inline uint64_t short_open(uint64_t type, uint64_t number, uint64_t flags)
{
	return type | number | flags;
}

static inline uint8_t *short_put(uint8_t *p, uint64_t open, struct packed data)
{
	(void)p, (void)open, (void)data;
	return NULL;
}

HOT uint8_t *plain_open_put(uint8_t *p, const struct block_spec *s, uint64_t n, uint32_t *crc)
{
	(void)p, (void)s, (void)n, (void)crc;
	return NULL;
}
#endif

HOT uint8_t *plain_start_put(uint8_t *p, const struct bundle_spec *s, uint64_t *number)
{
	const uint64_t replicate = s->replicate ? BLOCK_REPLICATE : 0;
	uint8_t *primary = p + 1, *value;
	uint64_t n = *number;

	if (s->crc_type != CRC_32C || s->block_crc_type != CRC_32C || s->n_blocks || !is_quick())
		return NULL;
	*p = OUTER_OPEN;
	value = items_put(primary, s);
	if (!value)
		return NULL;
	*value++ = CRC_OPEN;
	p = value + 4;
	if (s->has_prev)
		p = short_put(p, short_open(BLOCK_PREVIOUS_NODE, n++, 0), eid_pack(&s->prev));
	if (p && s->has_age)
		p = short_put(p, short_open(BLOCK_AGE, n++, replicate), pack(s->age_ms));
	if (p && s->has_hop)
		p = short_put(p, short_open(BLOCK_HOP_COUNT, n++, replicate),
			hop_pack(s->hop_limit, s->hop_count));
	if (!p)
		return NULL;
	/* now: until the stores are through, loads of what several of them made up would wait */
	be32_put(value, crc_block_value(CRC_32C, primary, (size_t)(value - primary)));
	*number = n;
	return p;
}

HOT uint8_t *plain_block_put(
	uint8_t *p, enum block_kind kind, const struct block_spec *s, const struct block_values *v)
{
	struct packed data = {0};
	uint8_t *end;

	if (!is_short(s))
		return fields_put(p, kind, s, v);
	if (kind == KIND_PREVIOUS_NODE)
		data = eid_pack(v->prev);
	else if (kind == KIND_AGE)
		data = pack(v->age_ms);
	else if (kind == KIND_HOP_COUNT)
		data = hop_pack(v->hop_limit, v->hop_count);
	end = short_put(p, short_open(s->type, s->number, s->flags), data);
	return end ? end : fields_put(p, kind, s, v);
}

/* A block item by item. */
static __attribute__((noinline)) uint8_t *fields_put(
	uint8_t *p, enum block_kind kind, const struct block_spec *s, const struct block_values *v)
{
	const uint8_t *from = p;
	uint8_t *data;

	p = array_put(p, BLOCK_ITEMS + (s->crc_type ? 1u : 0u));
	p = uint_put(p, s->type);
	p = uint_put(p, s->number);
	p = uint_put(p, s->flags);
	p = uint_put(p, s->crc_type);
	data = ++p; /* their length fits the byte before, but for large numbers of custody */
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
	case KIND_CTEB:
		p = array_put(p, 3);
		p = uint_put(p, v->cteb->seq_no);
		p = uint_put(p, v->cteb->seq_id);
		p = eid_put(p, &v->cteb->custodian);
		break;
	default:
		return NULL;
	}
	if (!p || p - data >= 24)
		return NULL;
	data[-1] = (uint8_t)(CBOR_BYTES << 5 | (unsigned)(p - data));
	return crc_put(p, from, s->crc_type);
}

uint8_t *plain_primary_put(uint8_t *p, const struct bundle_spec *s)
{
	uint8_t *end = items_put(p, s);

	return end ? crc_put(end, p, s->crc_type) : NULL;
}

/* A primary block up to its CRC. */
static uint8_t *items_put(uint8_t *p, const struct bundle_spec *s)
{
	bool fragment = s->flags & BUNDLE_FRAGMENT;

	p = array_put(p, PRIMARY_ITEMS + (fragment ? 2u : 0u) + (s->crc_type ? 1u : 0u));
	*p++ = VERSION;
	p = uint_put(p, s->flags);
	*p++ = (uint8_t)s->crc_type;
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
	return p;
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
