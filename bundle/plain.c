/* hot: parse, all CRCs, of `owlt bench codec` */
/*
 * The short way through a plain bundle: RFC 9171 4.3.1, 4.3.2, 4.4.
 *
 * Plain is: definite arrays; endpoints that are ipn in two elements or dtn:none; block types,
 * numbers and flags below 24, no block that asks for reports; a good CRC. Room is checked once for
 * many items instead of once a byte: where the bytes end sooner, a copy with zeros behind is read.
 * Nothing may be taken here that the general reader refuses or reads otherwise, and nothing that is
 * wrong is named here; tests/unit/bundle/test_plain.c holds the two ways against each other.
 * Start reading at plain_read().
 */
#include "bundle/plain.h"

#include "bundle/crc_block.h"

#define OUTER_OPEN 0x9f
#define VERSION 7
#define IPN_OPEN 0x820282u /* [2, [ of two elements */
#define DTN_NONE 0x820100u
#define OPEN_CRC (CBOR_ARRAY << 5 | (BLOCK_ITEMS + 1))
#define OPEN_NO_CRC (CBOR_ARRAY << 5 | BLOCK_ITEMS)
#define PRIMARY_ITEMS 8
#define BLOCK_ITEMS 5
#define UINT_MAX_BYTES ((size_t)CBOR_HEAD_MAX)
#define EID_MAX_BYTES (3 + 2 * UINT_MAX_BYTES)
/* A primary block without its CRC at its longest, the outer array before it: two arrays, version,
 * CRC type; flags; endpoints; array of the timestamp; its two numbers, lifetime, fragment. */
#define PRIMARY_ROOM (4 + UINT_MAX_BYTES + 3 * EID_MAX_BYTES + 1 + 5 * UINT_MAX_BYTES)
#define CTEB_MAX_BYTES (1 + 2 * UINT_MAX_BYTES + EID_MAX_BYTES)
/* A block up to the head of its data. */
#define BLOCK_ROOM (5 + UINT_MAX_BYTES)
/* A block of at most eight bytes of data; or its head and the longest value that is looked at. */
#define SHORT_ROOM (6 + EID_MAX_BYTES)
/* Of a block's first eight bytes: array and CRC type; the top bits, and the flag, of is_plain(). */
#define OPEN_MASK (UINT64_C(0xff808080ff) | (uint64_t)BLOCK_REPORT << 24)

/* A number and where the next item begins, or next NULL. */
struct number {
	uint64_t v;
	const uint8_t *next;
};

static const uint8_t *padded(const uint8_t *p, size_t n, uint8_t *pad, size_t room);
static bool plain_primary(struct reader *r);
static const uint8_t *plain_eid(const uint8_t *p, struct eid *e);
static const uint8_t *plain_times(const uint8_t *p, struct bundle *b);
static const uint8_t *plain_end(
	const struct reader *r, const uint8_t *from, size_t n, enum crc_type type);
static void short_blocks(struct reader *r);
static bool any_block(struct reader *r);
static bool plain_payload(struct reader *r, unsigned type, unsigned number, struct view data);
static bool any_value(struct reader *r, unsigned type, struct view data);
static bool plain_head_end(struct reader *r, const struct block *k, uint64_t payload_bytes);
static bool plain_value(struct reader *r, unsigned type, const uint8_t *p, size_t n);
static bool plain_prev(struct bundle *b, const uint8_t *p, size_t n);
static bool plain_age(struct bundle *b, const uint8_t *p, size_t n);
static bool plain_hop(struct bundle *b, const uint8_t *p, size_t n);
static bool plain_cteb(struct reader *r, const uint8_t *p, size_t n);

/* An argument behind its initial byte, in shortest form; nine bytes can be read at p. */
static inline struct number long_head(const uint8_t *p, unsigned info)
{
	uint64_t v;

	switch (info) {
	case 24:
		return (struct number){p[1], p[1] < 24 ? NULL : p + 2};
	case 25:
		v = be16_get(p + 1);
		return (struct number){v, v <= UINT8_MAX ? NULL : p + 3};
	case 26:
		v = be32_get(p + 1);
		return (struct number){v, v <= UINT16_MAX ? NULL : p + 5};
	case 27:
		v = be64_get(p + 1);
		return (struct number){v, v <= UINT32_MAX ? NULL : p + 9};
	default:
		return (struct number){0};
	}
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
	if (n)
		memcpy(pad, p, n);
	memset(pad + n, 0, room - n);
	return pad;
}

HOT bool plain_read(struct reader *r)
{
	struct bundle *b = r->b;

	if (!plain_primary(r))
		return false;
	plain_blocks(r);
	if (b->head.n == 0 || r->unread || b->created_ms == 0 || b->crc_type == CRC_NONE ||
		b->flags & BUNDLE_FRAGMENT)
		return false;
	if (r->head_only)
		return r->c.p == r->c.end;
	if (!r->to_end || r->c.end - r->c.p != 1 || *r->c.p != CBOR_BREAK)
		return false;
	r->c.p++;
	reader_tail(r);
	return true;
}

/* With the outer array's head. RFC 9171 4.3.1/1b, 4.3.1/4b */
static __attribute__((always_inline)) inline bool plain_primary(struct reader *r)
{
	struct bundle *b = r->b;
	uint8_t pad[PRIMARY_ROOM];
	const uint8_t *from = window(r->c.p, r->c.end, pad, PRIMARY_ROOM), *p;
	struct number flags = head(from + 3, CBOR_UINT);

	if (from[0] != OUTER_OPEN || from[2] != VERSION || !flags.next || *flags.next > CRC_32C)
		return false;
	b->flags = flags.v;
	b->crc_type = (enum crc_type) * flags.next;
	if (from[1] != (CBOR_ARRAY << 5) + PRIMARY_ITEMS + (flags.v & BUNDLE_FRAGMENT ? 2u : 0u) +
			       (b->crc_type ? 1u : 0u))
		return false;
	p = plain_eid(flags.next + 1, &b->dest);
	p = p ? plain_eid(p, &b->source) : NULL;
	p = p ? plain_eid(p, &b->report_to) : NULL;
	p = p ? plain_times(p, b) : NULL;
	if (!p || !primary_is_good(b, r->rules))
		return false;
	p = plain_end(r, r->c.p + 1, (size_t)(p - from - 1), b->crc_type);
	if (!p)
		return false;
	reader_primary(r, r->c.p + 1, p);
	return true;
}

static __attribute__((always_inline)) inline const uint8_t *plain_eid(
	const uint8_t *p, struct eid *e)
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
static inline const uint8_t *plain_end(
	const struct reader *r, const uint8_t *from, size_t n, enum crc_type type)
{
	size_t left = (size_t)(r->c.end - from), size = 2 * (size_t)type;

	if (n + size + 1 > left) /* the break of the bundle follows at least */
		return NULL;
	const uint8_t *value = from + n + 1;
	if (type == CRC_NONE)
		return from + n;
	if (value[-1] != (CBOR_BYTES << 5 | size))
		return NULL;
	if (!r->head_only && !reader_crc_holds(from, value, type))
		return NULL;
	return value + size;
}

/* Whether the first eight bytes of a block, the first one lowest, are those of one with a CRC of
 * this type whose type, number and flags are below 24 each and ask for no report: adding 0x68 takes
 * larger ones to the top bit of their byte and leaves the three low bits alone. */
static inline bool is_plain(uint64_t first, enum crc_type type)
{
	uint64_t x = first ^ (type ? OPEN_CRC : OPEN_NO_CRC) ^ (uint64_t)type << 32;

	return (((x + 0x68686800) | x) & OPEN_MASK) == 0;
}

/* RFC 9171 4.3.2/2b */
HOT __attribute__((noinline)) void plain_blocks(struct reader *r)
{
	do
		short_blocks(r);
	while (any_block(r));
}

/* Whether the CRC-32C of the 8 + rest bytes at p stands behind them; the rest as crc32c_rest(). */
static inline bool short_crc_holds(const uint8_t *p, size_t rest)
{
#if defined(__x86_64__)
	uint64_t crc = crc32c_u64(UINT32_MAX, le64_get(p));
	unsigned bits = 8 * (unsigned)rest;

	crc = crc32c_u64(0, (le64_get(p + 8) ^ crc) << (~bits & 63) << 1) ^ crc >> bits;
	return be32_get(p + 8 + rest) == ~crc32c_zeros4(crc);
#else
	return reader_crc_holds(p, p + 8 + rest, CRC_32C);
#endif
}

/* Extension blocks with CRC-32C and one to eight bytes of data: two words, the CRC's head included,
 * and the value. */
static inline void short_blocks(struct reader *r)
{
	struct bundle *b = r->b;
	struct block *k = b->block + b->n_blocks, *full = b->block + BUNDLE_BLOCKS_MAX;
	uint64_t numbers = r->numbers | 1; /* 0 is the primary block's */
	const uint8_t *p = r->c.p;

	for (; (size_t)(r->c.end - p) >= SHORT_ROOM && k < full; k++) {
		uint64_t first = le64_get(p);
		unsigned type = (uint8_t)(first >> 8), number = (uint8_t)(first >> 16);
		size_t rest = (size_t)p[5] - (CBOR_BYTES << 5 | 1u);
		if (!is_plain(first, CRC_32C) || rest > 7)
			break;
		const uint8_t *value = p + 8 + rest;
		if (value[-1] != (CBOR_BYTES << 5 | 4))
			break;
		if (!(r->quick ? short_crc_holds(p, rest)
			       : r->head_only || reader_crc_holds(p, value, CRC_32C)))
			break;
		uint64_t bit = UINT64_C(1) << (number & 63);
		if (type <= BLOCK_PAYLOAD || numbers & bit)
			break;
		numbers |= bit;
		*k = (struct block){type, number, (uint8_t)(first >> 24), CRC_32C,
			view_of(p, rest + 12), view_of(p + 6, rest + 1)};
		if (!plain_value(r, type, p + 6, rest + 1))
			r->unread |= UINT64_C(1) << (k - b->block);
		p = value + 4;
	}
	r->c.p = p;
	r->numbers = numbers;
	b->n_blocks = (unsigned)(k - b->block);
}

/* One more of any form; false when there was none, or it was the payload. */
static inline bool any_block(struct reader *r)
{
	struct bundle *b = r->b;
	uint8_t pad[BLOCK_ROOM];
	const uint8_t *from = r->c.p, *p = window(from, r->c.end, pad, BLOCK_ROOM), *end;
	uint64_t first = le64_get(p);
	unsigned type = (uint8_t)(first >> 8), number = (uint8_t)(first >> 16);
	enum crc_type crc = (enum crc_type)p[4];
	struct number n = head(p + 5, CBOR_BYTES);
	uint64_t bit = UINT64_C(1) << (number & 63);

	if (b->n_blocks == BUNDLE_BLOCKS_MAX || !is_plain(first, crc) || crc > CRC_32C || !n.next ||
		r->numbers & bit)
		return false;
	size_t before = (size_t)(n.next - p);
	if (r->head_only && type == BLOCK_PAYLOAD)
		return plain_head_end(r,
			&(struct block){type, number, (uint8_t)(first >> 24), crc,
				view_of(from, before), {0}},
			n.v);
	if (n.v > (size_t)(r->c.end - from))
		return false;
	struct view data = view_of(from + before, (size_t)n.v);
	end = plain_end(r, from, before + data.n, crc);
	if (!end || (type <= BLOCK_PAYLOAD && !plain_payload(r, type, number, data)))
		return false;
	b->block[b->n_blocks++] = (struct block){type, number, (uint8_t)(first >> 24), crc,
		view_of(from, type == BLOCK_PAYLOAD ? before : (size_t)(end - from)), data};
	r->c.p = end;
	if (type == BLOCK_PAYLOAD)
		return false;
	r->numbers |= bit;
	if (!any_value(r, type, data))
		r->unread |= UINT64_C(1) << (b->n_blocks - 1);
	return true;
}

/* The three parts of the bundle. */
static bool plain_payload(struct reader *r, unsigned type, unsigned number, struct view data)
{
	size_t before = (size_t)(data.p - r->c.start);

	if (type != BLOCK_PAYLOAD || number != 1 || r->head_only || before > BUNDLE_HEAD_MAX)
		return false;
	r->b->head = view_of(r->c.start, before);
	r->b->payload = data;
	return true;
}

/* Its data may end the bytes, as in a stored head. */
static __attribute__((noinline)) bool any_value(struct reader *r, unsigned type, struct view data)
{
	uint8_t pad[EID_MAX_BYTES];

	if (data.n > EID_MAX_BYTES)
		return false;
	return plain_value(r, type, window(data.p, r->c.end, pad, EID_MAX_BYTES), data.n);
}

/* A stored head ends where the payload, which is its last block, begins. False: there is no more. */
static __attribute__((noinline)) bool plain_head_end(
	struct reader *r, const struct block *k, uint64_t payload_bytes)
{
	struct bundle *b = r->b;
	size_t at = (size_t)(k->whole.p - r->c.start) + k->whole.n;

	if (k->number != 1 || at > BUNDLE_HEAD_MAX || k->whole.n > (size_t)(r->c.end - k->whole.p))
		return false;
	b->block[b->n_blocks++] = *k;
	b->head = view_of(r->c.start, at);
	b->payload.n = (size_t)payload_bytes;
	r->c.p = k->whole.p + k->whole.n;
	return false;
}

/* What a block holds, its rules included; EID_MAX_BYTES can be read at p. */
static __attribute__((always_inline)) inline bool plain_value(
	struct reader *r, unsigned type, const uint8_t *p, size_t n)
{
	struct bundle *b = r->b;

	switch (type) {
	case BLOCK_PREVIOUS_NODE:
		return plain_prev(b, p, n);
	case BLOCK_AGE:
		return plain_age(b, p, n);
	case BLOCK_HOP_COUNT:
		return plain_hop(b, p, n);
	default:
		return type == r->rules->custody.cteb_type && plain_cteb(r, p, n);
	}
}

static inline bool plain_prev(struct bundle *b, const uint8_t *p, size_t n)
{
	if (b->has_prev)
		return false;
	b->has_prev = true;
	return plain_eid(p, &b->prev) == p + n && b->prev.node != NODE_NONE;
}

static inline bool plain_age(struct bundle *b, const uint8_t *p, size_t n)
{
	struct number age = head(p, CBOR_UINT);

	if (b->has_age)
		return false;
	b->has_age = true;
	b->age_ms = age.v;
	return age.next == p + n;
}

static inline bool plain_hop(struct bundle *b, const uint8_t *p, size_t n)
{
	struct number limit = head(p + 1, CBOR_UINT), count;

	if (b->has_hop || *p != (CBOR_ARRAY << 5 | 2) || !limit.next || limit.v - 1 >= 255)
		return false;
	count = head(limit.next, CBOR_UINT);
	b->has_hop = true;
	b->hop_limit = limit.v;
	b->hop_count = count.v;
	return count.next == p + n;
}

/* Of whole bundles only; its value has EID_MAX_BYTES at most here. */
static __attribute__((noinline)) bool plain_cteb(struct reader *r, const uint8_t *p, size_t n)
{
	struct bundle *b = r->b;
	uint8_t pad[CTEB_MAX_BYTES];
	struct number no, id;
	const uint8_t *end;
	struct cteb t;

	if (n > EID_MAX_BYTES || b->has_cteb || b->flags & BUNDLE_FRAGMENT)
		return false;
	p = padded(p, n, pad, CTEB_MAX_BYTES);
	no = head(p + 1, CBOR_UINT);
	if (*p != (CBOR_ARRAY << 5 | 3) || !no.next)
		return false;
	id = head(no.next, CBOR_UINT);
	end = id.next ? plain_eid(id.next, &t.custodian) : NULL;
	if (end != p + n || t.custodian.node == NODE_NONE)
		return false;
	t.seq_no = no.v;
	t.seq_id = id.v;
	b->cteb = t;
	b->has_cteb = true;
	return true;
}
