/* Fragmentation, RFC 9171 5.8: what a piece has and what it has not; the pieces of random cuts are put
 * together again by a simple assembler of this file. */
#include "tests/unit/bundle/vectors.h"

#include "bundle/base/rng.h"
#include "bundle/cbor.h"
#include "bundle/fragment.h"

#include <criterion/criterion.h>

#define OUT_MAX 8192

static const struct bundle_edit plain = {.crc_type = CRC_32C, .custody = {.cteb_type = 13}};

static struct bundle_rules lenient(void)
{
	struct bundle_rules rules = bundle_rules_default();

	rules.allow_no_primary_crc = true;
	return rules;
}

static void read_back(struct bundle *b, struct view bytes)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault = {0};

	cr_assert_eq(bundle_read(b, bytes, &rules, &fault), 0, "%s at %zu", rule_name(fault.rule),
		fault.at);
}

/* The piece [off, off + n) as it leaves, read again; its bytes are in `out`. */
static void cut(const struct bundle *b, const struct bundle_edit *e, uint64_t off, uint64_t n,
	struct buf *out, struct bundle *piece)
{
	struct buf count = {0};
	uint32_t crc;
	size_t from;

	cr_assert_eq(fragment_head(&count, b, e, off, n, &crc), -E_OVERFLOW);
	cr_assert_eq(fragment_head(out, b, e, off, n, &crc), 0);
	cr_assert_eq(count.len, out->len);
	buf_put(out, view_sub(b->payload, off, n));
	crc = crc_update(b->block[b->n_blocks - 1].crc_type, crc, view_sub(b->payload, off, n));
	from = out->len;
	cr_assert_eq(fragment_tail(out, b, crc), 0);
	cr_assert_eq(out->len - from, fragment_tail_size(b));
	read_back(piece, buf_view(out));
}

/* The ADU of vectors G5a and G5b in one bundle, without extension blocks. */
static size_t whole(uint8_t out[OUT_MAX], uint8_t adu[100])
{
	struct buf w = buf_of(out, OUT_MAX);
	struct bundle_spec spec = {.crc_type = CRC_32C,
		.block_crc_type = CRC_32C,
		.dest = eid_ipn(2, 1),
		.source = eid_ipn(1, 1),
		.report_to = eid_ipn(1, 0),
		.created_ms = T0,
		.seq = 200,
		.lifetime_ms = 3600000};

	for (uint8_t i = 0; i < 100; i++)
		adu[i] = i;
	cr_assert_eq(bundle_build(&w, &spec, view_of(adu, 100)), 0);
	return w.len;
}

/* Byte for byte as published. RFC 9171 5.8/1, 5.8/5, 5.8/5b, 5.8/5c, 5.8/6, 5.8/d1 */
Test(fragment, vectors)
{
	static const char *const name[] = {"g5a", "g5b"};
	static const uint64_t place[][2] = {{0, 60}, {60, 40}};
	uint8_t in[OUT_MAX], adu[100], room[OUT_MAX], want[VECTOR_MAX];
	struct bundle b, piece;
	size_t n = whole(in, adu);

	read_back(&b, view_of(in, n));
	for (size_t i = 0; i < 2; i++) {
		struct buf out = buf_of(room, sizeof room);

		cut(&b, &plain, place[i][0], place[i][1], &out, &piece);
		n = vector_load(name[i], want);
		cr_assert(view_equal(buf_view(&out), view_of(want, n)), "%s", name[i]);
		cr_assert_eq(piece.frag_off, place[i][0]);
		cr_assert_eq(piece.total_len, 100);
	}
}

/* Offsets add and the total stays. RFC 9171 5.8/2 */
Test(fragment, of_a_fragment)
{
	uint8_t in[VECTOR_MAX], room[OUT_MAX], again[OUT_MAX];
	struct buf out = buf_of(room, sizeof room), out2 = buf_of(again, sizeof again);
	struct bundle b, piece, small;

	read_back(&b, view_of(in, vector_load("g5b", in)));
	cut(&b, &plain, 10, 20, &out, &piece);
	cr_assert_eq(piece.frag_off, 70);
	cr_assert_eq(piece.total_len, 100);
	cr_assert_eq(piece.payload.p[0], 70);
	cut(&piece, &plain, 19, 1, &out2, &small);
	cr_assert_eq(small.frag_off, 89);
	cr_assert_eq(small.payload.p[0], 89);
}

/* What may not be cut, and where nothing may. RFC 9171 5.8/1: 0 < N < M */
Test(fragment, refused)
{
	uint8_t in[VECTOR_MAX], room[OUT_MAX], adu[100], big[OUT_MAX];
	struct buf out = buf_of(room, sizeof room);
	struct bundle b;
	uint32_t crc;
	size_t n;

	read_back(&b, view_of(in, vector_load("g6", in)));
	cr_assert_not(fragment_allowed(&b), "custody, must not be fragmented");
	cr_assert_eq(fragment_head(&out, &b, &plain, 0, 1, &crc), -E_RULE);
	b.flags &= ~(uint64_t)BUNDLE_NO_FRAGMENT;
	cr_assert_not(fragment_allowed(&b), "custody");
	n = whole(big, adu);
	read_back(&b, view_of(big, n));
	cr_assert(fragment_allowed(&b));
	cr_assert_eq(fragment_head(&out, &b, &plain, 0, 0, &crc), -E_RANGE);
	cr_assert_eq(fragment_head(&out, &b, &plain, 100, 1, &crc), -E_RANGE);
	cr_assert_eq(fragment_head(&out, &b, &plain, 1, 100, &crc), -E_RANGE);
	cr_assert_eq(fragment_head(&out, &b, &plain, UINT64_MAX, 2, &crc), -E_RANGE);
	b.payload.n = 1;
	cr_assert_not(fragment_allowed(&b));
	b.payload.n = 100;
	b.flags |= BUNDLE_NO_FRAGMENT;
	cr_assert_not(fragment_allowed(&b));
}

struct repl {
	uint64_t type, flags;
	bool with_clock; /* creation time is not 0 */
	const char *data;
	bool in_later;
};

static size_t hex_of(const char *hex, uint8_t out[VECTOR_MAX])
{
	return hex_bytes(hex, out);
}

/* RFC 9171 5.8/7, 5.8/8, 5.8/d2, 4.4.2; RFC 9172 3.8 */
Test(fragment, replication)
{
	static const struct repl t[] = {
		{200, 0, true, "01", false},
		{200, BLOCK_REPLICATE, true, "01", true},
		{BLOCK_AGE, 0, true, "05", false},
		{BLOCK_AGE, 0, false, "05", true},
		{BLOCK_AGE, BLOCK_REPLICATE, true, "05", true},
		{BLOCK_HOP_COUNT, 0, true, "820802", false},
		{BLOCK_HOP_COUNT, BLOCK_REPLICATE, true, "820802", true},
		{BLOCK_BCB, 0, true, "81010200820282010080", true},
		{BLOCK_BCB, 0, true, "81030200820282010080", false},
		{BLOCK_BIB, 0, true, "81010100820282010080", false},
		{BLOCK_BIB, BLOCK_REPLICATE, true, "81010100820282010080", true},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		uint8_t in[OUT_MAX], room[OUT_MAX], data[VECTOR_MAX];
		struct block_spec k = {.type = t[i].type, .number = 9, .flags = t[i].flags};
		struct bundle_spec spec = {.crc_type = CRC_32C,
			.dest = eid_ipn(2, 1),
			.source = eid_ipn(1, 1),
			.report_to = eid_null(),
			.created_ms = t[i].with_clock ? T0 : 0,
			.lifetime_ms = 1000,
			.has_prev = true,
			.prev = eid_ipn(7, 0),
			.block = &k,
			.n_blocks = 1};
		struct bundle_edit e = plain;
		struct buf w = buf_of(in, sizeof in);
		struct bundle b, piece;

		k.data = view_of(data, hex_of(t[i].data, data));
		cr_assert_eq(bundle_build(&w, &spec, view_text("0123456789")), 0, "row %zu", i);
		read_back(&b, buf_view(&w));
		e.set_prev = true;
		e.prev = eid_ipn(8, 0);
		for (uint64_t off = 0; off < 10; off += 5) {
			struct buf out = buf_of(room, sizeof room);

			cut(&b, &e, off, 5, &out, &piece);
			cr_assert_eq(bundle_block(&piece, t[i].type) != NULL,
				off == 0 || t[i].in_later, "row %zu at %d", i, (int)off);
			cr_assert(piece.has_prev && piece.prev.node == 8, "as any forwarder");
			cr_assert_eq(piece.seq, b.seq);
			cr_assert_eq(piece.block[piece.n_blocks - 1].crc_type, CRC_NONE);
		}
	}
}

/* RFC 9171 5.8/3, 5.8/d2: all of them stay with the first piece, not the last alone. */
Test(fragment, several_blocks_stay_with_the_first)
{
	const struct block_spec k[] = {{.type = 200, .number = 5, .data = view_text("a")},
		{.type = 201, .number = 6, .flags = BLOCK_REPLICATE, .data = view_text("b")},
		{.type = 202, .number = 7, .data = view_text("c")},
		{.type = 203, .number = 8, .data = view_text("d")}};
	struct bundle_spec spec = {.crc_type = CRC_32C,
		.dest = eid_ipn(2, 1),
		.source = eid_ipn(1, 1),
		.report_to = eid_null(),
		.created_ms = T0,
		.lifetime_ms = 1000,
		.block = k,
		.n_blocks = 4};
	uint8_t in[OUT_MAX];
	struct buf w = buf_of(in, sizeof in);
	struct bundle b;

	cr_assert_eq(bundle_build(&w, &spec, view_text("0123456789")), 0);
	read_back(&b, buf_view(&w));
	cr_expect_eq(fragment_left_out(&b, 0), 0);
	cr_expect_eq(fragment_left_out(&b, 5), 0xd, "the first, third and fourth");
}

/* RFC 9171 4.3.1: a primary block that an integrity block stands for has no CRC, but the pieces without
 * that block need one. */
Test(fragment, crc_where_the_signature_does_not_go)
{
	for (int replicate = 0; replicate < 2; replicate++) {
		uint8_t in[OUT_MAX], room[OUT_MAX], data[VECTOR_MAX];
		struct block_spec k = {
			.type = BLOCK_BIB, .number = 2, .flags = replicate ? BLOCK_REPLICATE : 0};
		struct bundle_spec spec = {.dest = eid_ipn(2, 1),
			.source = eid_ipn(1, 1),
			.report_to = eid_null(),
			.created_ms = T0,
			.lifetime_ms = 1000,
			.block = &k,
			.n_blocks = 1};
		struct buf w = buf_of(in, sizeof in);
		struct bundle b, piece;

		k.data = view_of(data, hex_of("81000100820282010080", data));
		cr_assert_eq(bundle_build(&w, &spec, view_text("0123456789")), 0);
		read_back(&b, buf_view(&w));
		for (uint64_t off = 0; off < 10; off += 5) {
			struct buf out = buf_of(room, sizeof room);

			cut(&b, &plain, off, 5, &out, &piece);
			cr_assert_eq(piece.crc_type, off == 0 || replicate ? CRC_NONE : CRC_32C);
		}
	}
}

/* Endpoints keep their form: three numbers, an open array, an unknown scheme. */
Test(fragment, endpoints_keep_their_bytes)
{
	uint8_t in[VECTOR_MAX], room[OUT_MAX];
	const char *const item[ITEMS_MAX] = {"9f",
		"+8907000182028300020182 02 9f0101ff 82 18 63 a1 00 01 "
		"821b000000beebcf080018641903e8",
		"8501010000 48 0001020304050607", "ff", NULL};
	struct bundle_rules rules = lenient();
	struct bundle_fault fault;
	struct bundle b, piece;
	struct buf out = buf_of(room, sizeof room);
	size_t n = compose(item, in);

	cr_assert_eq(bundle_read(&b, view_of(in, n), &rules, &fault), 0, "%s at %zu",
		rule_name(fault.rule), fault.at);
	cut(&b, &plain, 3, 2, &out, &piece);
	cr_assert_eq(piece.primary.n, b.primary.n + 2, "offset, total");
	cr_assert_eq(memcmp(piece.primary.p + 4, b.primary.p + 4, b.primary.n - 7), 0);
}

/* Endpoints longer than any known form: such a bundle is left whole. */
Test(fragment, too_long_a_primary_block)
{
	static uint8_t in[20000], name[9000], out_room[20000];
	struct bundle_rules rules = lenient();
	struct bundle_fault fault;
	struct buf w = buf_of(in, sizeof in), out = buf_of(out_room, sizeof out_room);
	struct bundle b;
	uint32_t crc;

	cbor_put_array_open(&w);
	cbor_put_array(&w, 8);
	cbor_put_uint(&w, 7);
	cbor_put_uint(&w, 0);
	cbor_put_uint(&w, 0);
	eid_write(&w, &(struct eid){.scheme = 2, .node = 2, .service = 1});
	eid_write(&w, &(struct eid){.scheme = 2, .node = 1, .service = 1});
	cbor_put_array(&w, 2);
	cbor_put_uint(&w, 99);
	cbor_put_bytes(&w, view_of(name, sizeof name));
	cbor_put_array(&w, 2);
	cbor_put_uint(&w, T0);
	cbor_put_uint(&w, 1);
	cbor_put_uint(&w, 1000);
	buf_put(&w, view_of((const uint8_t[]){0x85, 1, 1, 0, 0, 0x44, 1, 2, 3, 4, 0xff}, 11));
	if (bundle_read(&b, buf_view(&w), &rules, &fault) != 0) {
		cr_assert_eq(fault.rule, RULE_EID_FORM); /* the reader has a limit of its own */
		return;
	}
	cr_assert_eq(fragment_head(&out, &b, &plain, 0, 2, &crc), -E_TOO_BIG);
}

/* -- random cuts */

struct heap_piece {
	uint8_t bytes[OUT_MAX];
	size_t n;
};

static struct heap_piece pool[400];

/* Each piece is cut again, or not, until `most` are there. */
static size_t cut_up(struct rng *r, const uint8_t *in, size_t n, size_t most)
{
	size_t have = 1, tries = 0;

	memcpy(pool[0].bytes, in, n);
	pool[0].n = n;
	while (have + 2 < most && tries++ < 300) {
		size_t i = rng_below(r, have);
		struct bundle b, p;
		uint64_t at;
		struct buf one, two;

		read_back(&b, view_of(pool[i].bytes, pool[i].n));
		if (b.payload.n < 2)
			continue;
		at = 1 + rng_below(r, b.payload.n - 1);
		one = buf_of(pool[have].bytes, OUT_MAX);
		two = buf_of(pool[have + 1].bytes, OUT_MAX);
		cut(&b, &plain, 0, at, &one, &p);
		cut(&b, &plain, at, b.payload.n - at, &two, &p);
		pool[have].n = one.len;
		pool[have + 1].n = two.len;
		pool[i] = pool[have + 1];
		have++;
	}
	return have;
}

/* RFC 9171 5.8/3, 5.8/4: all pieces together are the payload. */
Test(fragment, random_cuts_join)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		uint8_t in[OUT_MAX], adu[1500], got[1500] = {0};
		bool covered[1500] = {false};
		struct rng r;
		struct bundle_spec spec = {.dest = eid_ipn(2, 1),
			.source = eid_ipn(1, 1),
			.report_to = eid_null(),
			.created_ms = T0,
			.lifetime_ms = 1000,
			.has_age = true,
			.has_hop = true,
			.hop_limit = 9};
		struct buf w = buf_of(in, sizeof in);
		size_t n, total;
		struct bundle b;

		rng_init(&r, seed, 2);
		spec.crc_type = 1 + (enum crc_type)rng_below(&r, 2);
		spec.block_crc_type = (enum crc_type)rng_below(&r, 3);
		spec.replicate = rng_below(&r, 2);
		total = 2 + rng_below(&r, 1498);
		for (size_t i = 0; i < total; i++)
			adu[i] = (uint8_t)rng_u64(&r);
		cr_assert_eq(bundle_build(&w, &spec, view_of(adu, total)), 0);
		n = cut_up(&r, in, w.len, 2 + rng_below(&r, 60));
		for (size_t i = 0; i < n; i++) {
			read_back(&b, view_of(pool[i].bytes, pool[i].n));
			if (n == 1)
				break;
			cr_assert(b.flags & BUNDLE_FRAGMENT);
			cr_assert_eq(b.total_len, total);
			cr_assert_eq(b.crc_type, spec.crc_type);
			cr_assert_eq(b.has_age && b.has_hop, b.frag_off == 0 || spec.replicate);
			for (size_t k = 0; k < b.payload.n; k++) {
				cr_assert_not(covered[b.frag_off + k]);
				covered[b.frag_off + k] = true;
				got[b.frag_off + k] = b.payload.p[k];
			}
		}
		cr_assert(n == 1 || memcmp(got, adu, total) == 0, "seed %d", (int)seed);
	}
}
