/*
 * pcapng: see pcapng.h. libpcap is not used here because it hands out neither interface names nor the
 * comments of a packet, which carry the reason of each drop.
 *
 * Invariants: a block is read through its own cursor, so no option reaches beyond its block and no
 * block beyond the file; every block moves the reader on by at least 12 bytes. Start at pcapng_next.
 */
#include "dtn/dataset/pcapng.h"

#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_IFACE 1u
#define BLOCK_PACKET 6u
#define BYTE_ORDER_MAGIC 0x1a2b3c4du

#define OPT_END 0u
#define OPT_COMMENT 1u
#define OPT_IF_NAME 2u
#define OPT_IF_TSRESOL 9u
#define OPT_IF_TSOFFSET 14u
#define OPT_EPB_FLAGS 2u

struct option {
	uint16_t code;
	struct view value;
};

static uint16_t read_u16(const struct pcapng *p, struct cursor *c);
static uint32_t read_u32(const struct pcapng *p, struct cursor *c);
static bool option_next(const struct pcapng *p, struct cursor *c, struct option *o);
static int read_block(struct pcapng *p, uint32_t *type, struct view *body);
static int read_section(struct pcapng *p, struct view *body);
static int read_iface(struct pcapng *p, struct view body);
static int read_packet(struct pcapng *p, struct view body, struct pcapng_frame *f);
static int64_t to_ns(uint64_t stamp, const struct pcapng_iface *i);

void pcapng_open(struct pcapng *p, struct view file, struct pcapng_iface *iface, size_t cap)
{
	*p = (struct pcapng){.c = cursor_of(file), .iface = iface, .cap = cap};
}

int pcapng_next(struct pcapng *p, struct pcapng_frame *f)
{
	while (cursor_ok(&p->c) && cursor_left(&p->c) > 0) {
		size_t at = cursor_at(&p->c);
		uint32_t type;
		struct view body;
		int r = read_block(p, &type, &body);

		if (r == 0 && type == BLOCK_IFACE)
			r = read_iface(p, body);
		if (r == 0 && type == BLOCK_PACKET)
			r = read_packet(p, body, f);
		if (r == 1)
			return 1;
		if (r < 0)
			cursor_fail_at(&p->c, r, at);
	}
	return p->c.err;
}

/* One block; a section header also sets the byte order of what follows. */
static int read_block(struct pcapng *p, uint32_t *type, struct view *body)
{
	const uint8_t *at = p->c.p;
	uint32_t len;

	if (cursor_left(&p->c) < 12)
		return -E_TRUNCATED;
	*type = read_u32(p, &p->c);
	if (*type == BLOCK_SECTION) {
		p->c.p = at;
		return read_section(p, body);
	}
	if (!p->in_section)
		return -E_FORM;
	len = read_u32(p, &p->c);
	if (len < 12 || len % 4)
		return -E_FORM;
	if (len - 8 > cursor_left(&p->c))
		return -E_TRUNCATED;
	*body = cursor_take(&p->c, len - 12);
	return read_u32(p, &p->c) == len ? 0 : -E_FORM;
}

/* A section header; interfaces are numbered anew in each section. */
static int read_section(struct pcapng *p, struct view *body)
{
	uint32_t len, magic;

	if (cursor_left(&p->c) < 28)
		return -E_TRUNCATED;
	memcpy(&magic, p->c.p + 8, sizeof magic);
	if (magic != BYTE_ORDER_MAGIC && magic != __builtin_bswap32(BYTE_ORDER_MAGIC))
		return -E_FORM;
	p->swapped = magic != BYTE_ORDER_MAGIC;
	p->c.p += 4;
	len = read_u32(p, &p->c);
	if (len < 28 || len % 4)
		return -E_FORM;
	if (len - 8 > cursor_left(&p->c))
		return -E_TRUNCATED;
	*body = cursor_take(&p->c, len - 12);
	p->in_section = true;
	p->n_ifaces = 0;
	return read_u32(p, &p->c) == len ? 0 : -E_FORM;
}

static int read_iface(struct pcapng *p, struct view body)
{
	struct cursor c = cursor_of(body);
	struct pcapng_iface i = {.tsresol = 6};
	struct option o;

	if (p->n_ifaces == p->cap)
		return -E_LIMIT;
	i.link_type = read_u16(p, &c);
	(void)cursor_take(&c, 6); /* reserved, snap length */
	while (option_next(p, &c, &o)) {
		struct cursor v = cursor_of(o.value);

		if (o.code == OPT_IF_NAME && o.value.n < sizeof i.name)
			memcpy(i.name, o.value.p, o.value.n);
		if (o.code == OPT_IF_TSRESOL)
			i.tsresol = cursor_u8(&v);
		if (o.code == OPT_IF_TSOFFSET && o.value.n == 8) {
			uint64_t low = read_u32(p, &v), high = read_u32(p, &v);

			i.offset_s = (int64_t)(p->swapped ? low << 32 | high : high << 32 | low);
		}
	}
	if (c.err)
		return -E_FORM;
	p->iface[p->n_ifaces++] = i;
	return 0;
}

/* 1 with the frame filled, or negative. */
static int read_packet(struct pcapng *p, struct view body, struct pcapng_frame *f)
{
	struct cursor c = cursor_of(body);
	uint32_t iface = read_u32(p, &c);
	uint64_t high = read_u32(p, &c), low = read_u32(p, &c);
	uint32_t n = read_u32(p, &c), full = read_u32(p, &c);
	struct view bytes = cursor_take(&c, n);
	struct option o;

	(void)cursor_take(&c, (4 - n % 4) % 4);
	if (c.err || iface >= p->n_ifaces)
		return -E_FORM;
	*f = (struct pcapng_frame){.iface = &p->iface[iface],
		.bytes = bytes,
		.full_bytes = full,
		.t_ns = to_ns(high << 32 | low, &p->iface[iface]),
		.number = ++p->n_frames};
	while (option_next(p, &c, &o)) {
		struct cursor v = cursor_of(o.value);

		if (o.code == OPT_COMMENT && !f->comment.n)
			f->comment = o.value;
		if (o.code == OPT_EPB_FLAGS)
			f->direction = (enum pcapng_direction)(read_u32(p, &v) & 3);
	}
	return c.err ? -E_FORM : 1;
}

/* False at the end of the options; damage latches in the cursor. */
static bool option_next(const struct pcapng *p, struct cursor *c, struct option *o)
{
	uint16_t len;

	if (!cursor_ok(c) || cursor_left(c) == 0)
		return false;
	o->code = read_u16(p, c);
	len = read_u16(p, c);
	if (o->code == OPT_END)
		return false;
	o->value = cursor_take(c, len);
	(void)cursor_take(c, (4u - len % 4u) % 4u);
	return cursor_ok(c);
}

/* Stamps of any resolution as nanoseconds; what is out of range stops at the largest value. */
static int64_t to_ns(uint64_t stamp, const struct pcapng_iface *i)
{
	__extension__ typedef unsigned __int128 wide;
	unsigned e = i->tsresol & 0x7f;
	wide t = stamp;

	if (i->tsresol & 0x80) {
		t = e < 64 ? (t * 1000000000u) >> e : 0;
	} else {
		for (; e < 9; e++)
			t *= 10;
		for (; e > 9 && t > 0; e--)
			t /= 10;
	}
	if (i->offset_s > 0 && i->offset_s < INT64_MAX / 1000000000)
		t += (wide)i->offset_s * 1000000000u;
	return t > INT64_MAX ? INT64_MAX : (int64_t)t;
}

static uint16_t read_u16(const struct pcapng *p, struct cursor *c)
{
	struct view v = cursor_take(c, 2);
	uint16_t n;

	if (!v.p)
		return 0;
	memcpy(&n, v.p, sizeof n);
	return p->swapped ? __builtin_bswap16(n) : n;
}

static uint32_t read_u32(const struct pcapng *p, struct cursor *c)
{
	struct view v = cursor_take(c, 4);
	uint32_t n;

	if (!v.p)
		return 0;
	memcpy(&n, v.p, sizeof n);
	return p->swapped ? __builtin_bswap32(n) : n;
}
