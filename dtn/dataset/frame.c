/*
 * frame: see frame.h. Checks only what is needed to find the datagram: link emulation has no options,
 * VLANs or IPv6, so those are FRAME_OTHER. The IP and UDP checksums are not verified: a bit error that
 * matters is found by the bundle's own CRCs (RFC 9171 4.2.1).
 */
#include "dtn/dataset/frame.h"

#define ETHERTYPE_IPV4 0x0800u
#define ETHERTYPE_ARP 0x0806u
#define IP_UDP 17u
#define IP_MORE_OR_OFFSET 0x3fffu

static enum frame_kind read_ipv4(
	struct cursor *c, const struct bundle_rules *rules, struct frame *f);
static enum frame_kind read_udp(
	struct cursor *c, const struct bundle_rules *rules, struct frame *f);
static enum frame_kind read_payload(const struct bundle_rules *rules, struct frame *f);

const char *frame_kind_name(enum frame_kind kind)
{
	static const char *const name[FRAME_KINDS] = {
		"bundle", "keepalive", "bad_bundle", "ip_fragment", "arp", "other", "short"};

	return (unsigned)kind < FRAME_KINDS ? name[kind] : "other";
}

enum frame_kind frame_read(struct view bytes, const struct bundle_rules *rules, struct frame *f)
{
	struct cursor c = cursor_of(bytes);
	struct view head = cursor_take(&c, 14);

	if (!head.p)
		return FRAME_SHORT;
	switch (be16_get(head.p + 12)) {
	case ETHERTYPE_ARP:
		return FRAME_ARP;
	case ETHERTYPE_IPV4:
		return read_ipv4(&c, rules, f);
	default:
		return FRAME_OTHER;
	}
}

static enum frame_kind read_ipv4(
	struct cursor *c, const struct bundle_rules *rules, struct frame *f)
{
	size_t left = cursor_left(c), total;
	struct view ip = cursor_take(c, 20);
	struct cursor inner;
	unsigned head;

	if (!ip.p)
		return FRAME_SHORT;
	head = (ip.p[0] & 15u) * 4u;
	total = be16_get(ip.p + 2);
	if (ip.p[0] >> 4 != 4 || head < 20 || total < head)
		return FRAME_OTHER;
	if (be16_get(ip.p + 6) & IP_MORE_OR_OFFSET)
		return FRAME_FRAGMENT;
	if (total > left)
		return FRAME_SHORT;
	if (ip.p[9] != IP_UDP)
		return FRAME_OTHER;
	f->src_ip = be32_get(ip.p + 12);
	f->dst_ip = be32_get(ip.p + 16);
	inner = cursor_of(view_of(ip.p + head, total - head));
	return read_udp(&inner, rules, f);
}

static enum frame_kind read_udp(struct cursor *c, const struct bundle_rules *rules, struct frame *f)
{
	struct view udp = cursor_take(c, 8);
	size_t n;

	if (!udp.p)
		return FRAME_SHORT;
	f->src_port = be16_get(udp.p);
	f->dst_port = be16_get(udp.p + 2);
	n = be16_get(udp.p + 4);
	if (n < 8 || n - 8 > cursor_left(c))
		return FRAME_SHORT;
	f->payload = cursor_take(c, n - 8);
	if (f->dst_port != FRAME_UDPCL_PORT && f->src_port != FRAME_UDPCL_PORT)
		return FRAME_OTHER;
	return read_payload(rules, f);
}

static enum frame_kind read_payload(const struct bundle_rules *rules, struct frame *f)
{
	static const uint8_t zero[4];

	if (view_equal(f->payload, view_of(zero, sizeof zero)))
		return FRAME_KEEPALIVE;
	f->fault = (struct bundle_fault){0};
	return bundle_read(&f->bundle, f->payload, rules, &f->fault) == 0 ? FRAME_BUNDLE
									  : FRAME_BAD_BUNDLE;
}
