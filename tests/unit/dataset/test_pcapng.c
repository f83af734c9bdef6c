/* pcapng: a small file by hand, both byte orders, and each of its prefixes. */
#include "dtn/dataset/pcapng.h"

#include "bundle/base/buf.h"

#include <criterion/criterion.h>

static void u16(struct buf *b, bool swap, unsigned v)
{
	buf_u8(b, (uint8_t)(swap ? v >> 8 : v));
	buf_u8(b, (uint8_t)(swap ? v : v >> 8));
}

static void u32(struct buf *b, bool swap, uint32_t v)
{
	u16(b, swap, swap ? v >> 16 : v & 0xffff);
	u16(b, swap, swap ? v & 0xffff : v >> 16);
}

static void option(struct buf *b, bool swap, unsigned code, const char *text, size_t n)
{
	u16(b, swap, code);
	u16(b, swap, (unsigned)n);
	buf_put(b, view_of(text, n));
	for (; n % 4; n++)
		buf_u8(b, 0);
}

/* Section, interface "l:a" in nanoseconds, an unknown block, one frame of 5 bytes with a comment. */
static void make(struct buf *b, bool swap)
{
	char flags[4] = {2, 0, 0, 0};

	if (swap)
		flags[0] = 0, flags[3] = 2;
	u32(b, swap, 0x0a0d0d0a), u32(b, swap, 28), u32(b, swap, 0x1a2b3c4d), u16(b, swap, 1),
		u16(b, swap, 0);
	u32(b, swap, UINT32_MAX), u32(b, swap, UINT32_MAX), u32(b, swap, 28);
	u32(b, swap, 1), u32(b, swap, 20 + 8 + 8 + 4), u16(b, swap, 1), u16(b, swap, 0),
		u32(b, swap, 0);
	option(b, swap, 2, "l:a", 3), option(b, swap, 9, "\x09", 1), u32(b, swap, 0),
		u32(b, swap, 40);
	u32(b, swap, 0xbad), u32(b, swap, 12), u32(b, swap, 12);
	u32(b, swap, 6), u32(b, swap, 12 + 20 + 8 + 8 + 16 + 4), u32(b, swap, 0), u32(b, swap, 1),
		u32(b, swap, 2);
	u32(b, swap, 5), u32(b, swap, 7), buf_put(b, view_of("abcde\0\0", 8));
	option(b, swap, 2, flags, 4), option(b, swap, 1, "drop: loss", 10), u32(b, swap, 0),
		u32(b, swap, 68);
}

Test(pcapng, both_byte_orders)
{
	for (int swap = 0; swap < 2; swap++) {
		uint8_t bytes[512];
		struct buf b = buf_of(bytes, sizeof bytes);
		struct pcapng_iface iface[2];
		struct pcapng_frame f;
		struct pcapng p;

		make(&b, swap);
		pcapng_open(&p, buf_view(&b), iface, 2);
		cr_assert_eq(pcapng_next(&p, &f), 1, "%d %d", swap, p.c.err);
		cr_assert_str_eq(f.iface->name, "l:a");
		cr_assert_eq(f.t_ns, ((int64_t)1 << 32) + 2);
		cr_assert_eq(f.direction, PCAPNG_OUTBOUND);
		cr_assert_eq(f.bytes.n, 5);
		cr_assert_eq(f.full_bytes, 7);
		cr_assert_eq(f.number, 1);
		cr_assert(view_equal(f.comment, view_text("drop: loss")));
		cr_assert_eq(pcapng_next(&p, &f), 0);
	}
}

Test(pcapng, every_prefix_ends_well)
{
	uint8_t bytes[512];
	struct buf b = buf_of(bytes, sizeof bytes);

	make(&b, false);
	for (size_t n = 1; n < b.len; n++) {
		uint8_t *copy = malloc(n);
		struct pcapng_iface iface[2];
		struct pcapng_frame f;
		struct pcapng p;
		int r;

		memcpy(copy, bytes, n);
		pcapng_open(&p, view_of(copy, n), iface, 2);
		r = pcapng_next(&p, &f);
		cr_assert(r == -E_TRUNCATED || (r == 0 && (n == 28 || n == 68 || n == 80)),
			"%zu: %d", n, r);
		free(copy);
	}
}

Test(pcapng, limits_and_damage)
{
	uint8_t bytes[512];
	struct buf b = buf_of(bytes, sizeof bytes);
	struct pcapng_frame f;
	struct pcapng p;

	make(&b, false);
	pcapng_open(&p, buf_view(&b), NULL, 0);
	cr_assert_eq(pcapng_next(&p, &f), -E_LIMIT);
	cr_assert_eq(p.c.err_at, 28);
	bytes[32] = 13; /* block length that is no multiple of 4 */
	pcapng_open(&p, buf_view(&b), NULL, 0);
	cr_assert_eq(pcapng_next(&p, &f), -E_FORM);
}
