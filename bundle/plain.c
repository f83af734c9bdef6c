/* hot: parse, all CRCs, of `owlt bench codec` */
/*
 * The short way through a plain bundle: RFC 9171 4.3.1, 4.3.2, 4.4.
 *
 * Plain is: definite arrays; endpoints that are ipn in two elements or dtn:none; block types,
 * numbers and flags below 24, no block that asks for reports; a good CRC. Room is checked once for
 * many items instead of once a byte: where the bytes end sooner, a copy with zeros behind is read.
 * Nothing may be taken here that the general reader refuses or reads otherwise, and nothing that is
 * wrong is named here; tests/unit/bundle/test_plain.c holds the two ways against each other.
 * Start reading at plain_primary() and plain_blocks().
 */
#include "bundle/plain.h"

#include "bundle/crc_block.h"

#define VERSION 7
#define IPN_OPEN 0x820282u /* [2, [ of two elements */
#define DTN_NONE 0x820100u
#define OPEN_CRC (CBOR_ARRAY << 5 | (BLOCK_ITEMS + 1))
#define OPEN_NO_CRC (CBOR_ARRAY << 5 | BLOCK_ITEMS)
#define PRIMARY_ITEMS 8
#define BLOCK_ITEMS 5
#define UINT_MAX_BYTES ((size_t)CBOR_HEAD_MAX)
#define EID_MAX_BYTES (3 + 2 * UINT_MAX_BYTES)
/* A primary block without its CRC at its longest: array, version, CRC type; flags; endpoints; array
 * of the timestamp; its two numbers, lifetime, fragment. */
#define PRIMARY_ROOM (3 + UINT_MAX_BYTES + 3 * EID_MAX_BYTES + 1 + 5 * UINT_MAX_BYTES)
/* Array, type, number, flags, CRC type, and the head of the data. */
#define BLOCK_ROOM (5 + UINT_MAX_BYTES)
/* short_shape() reads two words, then the CRC. */
#define SHORT_ROOM 24u
/* Its first and fifth byte. */
#define SHORT_MASK UINT64_C(0xff000000ff)
#define SHORT_OPEN (OPEN_CRC | (uint64_t)CRC_32C << 32)

/* A number and where the next item begins, or next NULL. */
struct number {
	uint64_t v;
	const uint8_t *next;
};

static const uint8_t *padded(const uint8_t *p, size_t n, uint8_t *pad, size_t room);
static const uint8_t *plain_eid(const uint8_t *p, struct eid *e);
static const uint8_t *plain_times(const uint8_t *p, struct bundle *b);
static const uint8_t *plain_end(
	const struct reader *r, const uint8_t *from, size_t n, enum crc_type type);
static const uint8_t *plain_end_32c(
	const struct reader *r, const uint8_t *from, size_t n, bool quick);
static bool is_quick(const struct reader *r);
static bool plain_payload(struct reader *r, struct block *k);
static bool plain_value(struct bundle *b, unsigned type, struct view data, const uint8_t *end);
static bool plain_prev(struct bundle *b, struct view data);
static bool plain_age(struct bundle *b, struct view data);
static bool plain_hop(struct bundle *b, struct view data);

/* An argument behind its initial byte, in shortest form; nine bytes can be read at p. */
static inline struct number long_head(const uint8_t *p, unsigned info)
{
	static const uint64_t least[4] = {
		24, UINT64_C(1) << 8, UINT64_C(1) << 16, UINT64_C(1) << 32};
	unsigned k = info - 24;

	if (k > 3)
		return (struct number){0};
	uint64_t v = be64_get(p + 1) >> (64 - (8u << k));
	return (struct number){v, v < least[k] ? NULL : p + 1 + (1u << k)};
}

static inline struct number head(const uint8_t *p, unsigned major)
{
	unsigned info = *p - (major << 5);

	return info < 24 ? (struct number){info, p + 1} : long_head(p, info);
}

/* The next `room` bytes: where they are, or, if there are fewer, in pad with zeros behind. */
static inline const uint8_t *window(const uint8_t *p, const uint8_t *end, uint8_t *pad, size_t room)
{
	return (size_t)(end - p) >= room ? p : padded(p, (size_t)(end - p), pad, room);
}

static __attribute__((noinline)) const uint8_t *padded(
	const uint8_t *p, size_t n, uint8_t *pad, size_t room)
{
	memcpy(pad, p, n);
	memset(pad + n, 0, room - n);
	return pad;
}

/* RFC 9171 4.3.1/1b, 4.3.1/4b */
bool plain_primary(struct reader *r)
{
	struct bundle *b = r->b;
	uint8_t pad[PRIMARY_ROOM];
	const uint8_t *from = window(r->c.p, r->c.end, pad, PRIMARY_ROOM), *p = from;
	struct number flags = head(p + 2, CBOR_UINT);

	if (from[1] != VERSION || !flags.next || *flags.next > CRC_32C)
		return false;
	b->flags = flags.v;
	b->crc_type = (enum crc_type) * flags.next;
	if (from[0] != (CBOR_ARRAY << 5) + PRIMARY_ITEMS + (flags.v & BUNDLE_FRAGMENT ? 2u : 0u) +
			       (b->crc_type ? 1u : 0u))
		return false;
	p = plain_eid(flags.next + 1, &b->dest);
	p = p ? plain_eid(p, &b->source) : NULL;
	p = p ? plain_eid(p, &b->report_to) : NULL;
	p = p ? plain_times(p, b) : NULL;
	if (!p)
		return false;
	p = b->crc_type == CRC_32C ? plain_end_32c(r, r->c.p, (size_t)(p - from), is_quick(r))
				   : plain_end(r, r->c.p, (size_t)(p - from), b->crc_type);
	if (!p)
		return false;
	r->c.p = p;
	return true;
}

static const uint8_t *plain_eid(const uint8_t *p, struct eid *e)
{
	uint32_t open = (be32_get(p) >> 8);
	struct number node, service;

	if (open != IPN_OPEN) {
		*e = eid_null();
		return open == DTN_NONE ? p + 3 : NULL;
	}
	node = head(p + 3, CBOR_UINT);
	if (!node.next)
		return NULL;
	service = head(node.next, CBOR_UINT);
	e->scheme = EID_SCHEME_IPN;
	e->node = node.v;
	e->service = node.v ? service.v : 0; /* as eid_ipn() */
	e->ssp = (struct view){0};
	e->group = e->three = false;
	return service.next;
}

/* Creation timestamp, lifetime, and a fragment's place; the next item, or NULL. */
static const uint8_t *plain_times(const uint8_t *p, struct bundle *b)
{
	struct number created = head(p + 1, CBOR_UINT), seq, lifetime, off, total;

	if (*p != (CBOR_ARRAY << 5 | 2) || !created.next)
		return NULL;
	seq = head(created.next, CBOR_UINT);
	if (!seq.next)
		return NULL;
	lifetime = head(seq.next, CBOR_UINT);
	b->created_ms = created.v;
	b->seq = seq.v;
	b->lifetime_ms = lifetime.v;
	b->frag_off = b->total_len = 0;
	if (!lifetime.next || !(b->flags & BUNDLE_FRAGMENT))
		return lifetime.next;
	off = head(lifetime.next, CBOR_UINT);
	if (!off.next)
		return NULL;
	total = head(off.next, CBOR_UINT);
	b->frag_off = off.v;
	b->total_len = total.v;
	return total.next;
}

/* Behind a block at `from` whose items before the CRC take n bytes, if all is well with it; else
 * NULL. n is at most a head more than the bytes there are. */
static const uint8_t *plain_end(
	const struct reader *r, const uint8_t *from, size_t n, enum crc_type type)
{
	size_t left = (size_t)(r->c.end - from), size = 2 * (size_t)type;
	const uint8_t *value = from + n + 1;

	if (n + size + 1 > left) /* the break of the bundle follows at least */
		return NULL;
	if (type == CRC_NONE)
		return from + n;
	if (value[-1] != (CBOR_BYTES << 5 | size))
		return NULL;
	if (!r->head_only && !reader_crc_holds(from, value, type))
		return NULL;
	return value + size;
}

/* The same in a line, for CRC-32C. */
static inline const uint8_t *plain_end_32c(
	const struct reader *r, const uint8_t *from, size_t n, bool quick)
{
#if defined(__x86_64__)
	const uint8_t *value = from + n + 1;

	if (!quick || n < 7)
		return plain_end(r, from, n, CRC_32C);
	if (n + 5 > (size_t)(r->c.end - from) || value[-1] != (CBOR_BYTES << 5 | 4))
		return NULL;
	uint64_t crc = n + 1 < CRC32C_LONG ? crc32c_stream(~UINT32_C(0), from, n + 1)
					   : crc32c_long(~UINT32_C(0), from, n + 1);
	return be32_get(value) == ~crc32c_zeros4(crc) ? value + 4 : NULL;
#else
	(void)quick;
	return plain_end(r, from, n, CRC_32C);
#endif
}

/* CRCs are checked, and by the instruction. */
static inline bool is_quick(const struct reader *r)
{
#if defined(__x86_64__) && !defined(FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION)
	return !r->head_only && crc_has_instruction();
#else
	(void)r;
	return false;
#endif
}

/* The other two forms. */
static const uint8_t *plain_end_other(
	const struct reader *r, const uint8_t *from, const uint8_t *p, size_t n)
{
	if (p[0] == OPEN_CRC && p[4] == CRC_16)
		return plain_end(r, from, n, CRC_16);
	return p[0] == OPEN_NO_CRC && p[4] == CRC_NONE ? plain_end(r, from, n, CRC_NONE) : NULL;
}

/* Type, number and flags of a block are below 24 each and ask for no report: adding 0x68 takes
 * larger ones to the top bit and leaves the three low bits alone. The fourth byte of v is not
 * looked at. */
static inline bool is_plain(uint32_t v)
{
	return (((v + 0x686868) | v) & (0x808080 | BLOCK_REPORT << 16)) == 0;
}

/* What all of the reader's ways through a block find out about it. */
struct shape {
	uint32_t v;         /* type, number and flags, a byte each */
	enum crc_type type; /* of its CRC */
	size_t data, n;     /* where its data begins, and how long it is */
	const uint8_t *end; /* behind the block, or NULL */
};

/* A block with CRC-32C and one to eight bytes of data, which is two words, the CRC's head included;
 * else no end. SHORT_ROOM bytes can be read at p. */
static inline struct shape short_shape(const uint8_t *p)
{
#if defined(__x86_64__)
	uint64_t low = le64_get(p), high = le64_get(p + 8);
	uint32_t v = (uint32_t)(low >> 8);
	unsigned rest = p[5] - (CBOR_BYTES << 5 | 1u); /* bytes of high */
	const uint8_t *value = p + 8 + rest;

	if (rest > 7 || !is_plain(v) || (low & SHORT_MASK) != SHORT_OPEN ||
		value[-1] != (CBOR_BYTES << 5 | 4))
		return (struct shape){0};
	uint64_t crc = crc32c_u64(UINT32_MAX, low);
	/* as in crc32c_rest() */
	crc = crc32c_u64(0, (high ^ crc) << (63 - 8 * rest) << 1) ^ crc >> (8 * rest);
	return (struct shape){
		v, CRC_32C, 6, rest + 1, be32_get(value) == ~crc32c_zeros4(crc) ? value + 4 : NULL};
#else
	(void)p;
	return (struct shape){0};
#endif
}

static inline struct shape block_shape(const struct reader *r, const uint8_t *from, bool quick)
{
	uint8_t pad[BLOCK_ROOM];
	const uint8_t *p = window(from, r->c.end, pad, BLOCK_ROOM);
	uint32_t v = (uint32_t)(le64_get(p) >> 8);
	struct number n = head(p + 5, CBOR_BYTES);

	if (!is_plain(v) || !n.next || n.v > (size_t)(r->c.end - from))
		return (struct shape){0};
	size_t data = (size_t)(n.next - p), size = data + (size_t)n.v;
	return (struct shape){v, (enum crc_type)p[4], data, (size_t)n.v,
		p[0] == OPEN_CRC && p[4] == CRC_32C ? plain_end_32c(r, from, size, quick)
						    : plain_end_other(r, from, p, size)};
}

/* RFC 9171 4.3.2/2b */
void plain_blocks(struct reader *r)
{
	struct bundle *b = r->b;
	struct block *k = b->block + b->n_blocks;
	uint64_t types = 0, numbers = r->numbers | 1; /* 0 is the primary block's */
	const uint8_t *from = r->c.p;
	bool quick = is_quick(r), plain = r->plain;

	for (bool more = !b->head.n && b->n_blocks < BUNDLE_BLOCKS_MAX; more;) {
		struct shape s = {0};
		if (quick && (size_t)(r->c.end - from) >= SHORT_ROOM)
			s = short_shape(from);
		if (!s.end)
			s = block_shape(r, from, quick);
		unsigned type = s.v & 63, number = s.v >> 8 & 63;
		if (!s.end || numbers >> number & 1)
			break;
		k->type = type;
		k->number = number;
		k->flags = s.v >> 16 & 63;
		k->crc_type = s.type;
		k->whole = view_of(from, (size_t)(s.end - from));
		k->data = view_of(from + s.data, s.n);
		if (type <= BLOCK_PAYLOAD && !plain_payload(r, k))
			break;
		more = type != BLOCK_PAYLOAD && k < b->block + BUNDLE_BLOCKS_MAX - 1;
		plain = plain && plain_value(b, type, k->data, r->c.end);
		k++;
		types |= UINT64_C(1) << type;
		numbers |= UINT64_C(1) << number;
		from = s.end;
	}
	r->c.p = from;
	r->types |= types;
	r->numbers = numbers;
	r->plain = plain;
	b->n_blocks = (unsigned)(k - b->block);
}

/* The three parts of the bundle; or type 0. */
static bool plain_payload(struct reader *r, struct block *k)
{
	size_t before = (size_t)(k->data.p - r->c.start);

	if (k->type == 0 || k->number != 1 || r->head_only || before > BUNDLE_HEAD_MAX)
		return false;
	k->whole.n = (size_t)(k->data.p - k->whole.p);
	r->b->head = view_of(r->c.start, before);
	r->b->payload = k->data;
	return true;
}

/* What the block holds, its rules included. */
static inline bool plain_value(
	struct bundle *b, unsigned type, struct view data, const uint8_t *end)
{
	if (type == BLOCK_PAYLOAD)
		return true;
	if ((size_t)(end - data.p) < EID_MAX_BYTES) /* the longest of them */
		return false;
	switch (type) {
	case BLOCK_PREVIOUS_NODE:
		return plain_prev(b, data);
	case BLOCK_AGE:
		return plain_age(b, data);
	case BLOCK_HOP_COUNT:
		return plain_hop(b, data);
	default:
		return false;
	}
}

static inline bool plain_prev(struct bundle *b, struct view data)
{
	if (b->has_prev)
		return false;
	b->has_prev = true;
	return plain_eid(data.p, &b->prev) == data.p + data.n && b->prev.node != NODE_NONE;
}

static inline bool plain_age(struct bundle *b, struct view data)
{
	if (b->has_age)
		return false;
	struct number age = head(data.p, CBOR_UINT);
	b->has_age = true;
	b->age_ms = age.v;
	return age.next == data.p + data.n;
}

static inline bool plain_hop(struct bundle *b, struct view data)
{
	struct number limit, count;

	if (b->has_hop || *data.p != (CBOR_ARRAY << 5 | 2))
		return false;
	limit = head(data.p + 1, CBOR_UINT);
	if (!limit.next || limit.v - 1 >= 255)
		return false;
	count = head(limit.next, CBOR_UINT);
	b->has_hop = true;
	b->hop_limit = limit.v;
	b->hop_count = count.v;
	return count.next == data.p + data.n;
}
