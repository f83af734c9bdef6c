/* Frames that are no bundle, and a bundle in each of its truncations; bundle_uid. */
#include "dtn/dataset/frame.h"
#include "dtn/dataset/uid.h"

#include <criterion/criterion.h>

/* Ethernet, IPv4 10.1.0.1 > 10.1.0.2, UDP 4556 > 4556 around a payload. */
static size_t wrap(uint8_t *out, struct view payload)
{
	static const uint8_t head[42] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 0, 0,
		0, 0x40, 0, 64, 17, 0, 0, 10, 1, 0, 1, 10, 1, 0, 2, 0x11, 0xcc, 0x11, 0xcc};

	memcpy(out, head, sizeof head);
	memcpy(out + sizeof head, payload.p, payload.n);
	be16_put(out + 16, (uint16_t)(28 + payload.n));
	be16_put(out + 38, (uint16_t)(8 + payload.n));
	return sizeof head + payload.n;
}

static struct view make_bundle(uint8_t *out, size_t cap)
{
	struct bundle_spec spec = {.crc_type = CRC_32C,
		.block_crc_type = CRC_32C,
		.dest = eid_ipn(3, 9),
		.source = eid_ipn(1, 5),
		.report_to = eid_null(),
		.created_ms = 800000000000,
		.seq = 7,
		.lifetime_ms = 1000,
		.custody = custody_codes_ccsds()};
	struct buf b = buf_of(out, cap);

	cr_assert_eq(bundle_build(&b, &spec, view_text("hello")), 0);
	return buf_view(&b);
}

Test(frame, bundle_and_what_is_none)
{
	static const uint8_t keepalive[4];
	struct bundle_rules rules = bundle_rules_default();
	uint8_t raw[512], bytes[600];
	struct view b = make_bundle(raw, sizeof raw);
	struct frame f;
	size_t n = wrap(bytes, b);

	cr_assert_eq(frame_read(view_of(bytes, n), &rules, &f), FRAME_BUNDLE);
	cr_assert_eq(f.bundle.seq, 7);
	cr_assert_eq(f.src_ip, 0x0a010001);
	for (size_t k = 0; k < n; k++)
		cr_assert_eq(frame_read(view_of(bytes, k), &rules, &f), FRAME_SHORT, "%zu", k);
	bytes[n - 8] ^= 1;
	cr_assert_eq(frame_read(view_of(bytes, n), &rules, &f), FRAME_BAD_BUNDLE);
	bytes[20] = 0x20; /* more fragments */
	cr_assert_eq(frame_read(view_of(bytes, n), &rules, &f), FRAME_FRAGMENT);
	bytes[13] = 6;
	cr_assert_eq(frame_read(view_of(bytes, n), &rules, &f), FRAME_ARP);
	bytes[13] = 7;
	cr_assert_eq(frame_read(view_of(bytes, n), &rules, &f), FRAME_OTHER);
	n = wrap(bytes, view_of(keepalive, 4));
	cr_assert_eq(frame_read(view_of(bytes, n), &rules, &f), FRAME_KEEPALIVE);
	cr_assert_str_eq(frame_kind_name(FRAME_FRAGMENT), "ip_fragment");
}

Test(uid, text_that_is_hashed)
{
	struct uid_of whole = {.source = "ipn:1.5", .created_ms = 800000001000, .seq = 0};
	struct uid_of part = {.source = "ipn:1.5",
		.created_ms = 1,
		.seq = 2,
		.is_fragment = true,
		.frag_off = 3,
		.frag_len = 4};
	uint8_t sum[SHA256_BYTES];
	char uid[UID_HEX], hex[UID_HEX];

	cr_assert_eq(uid_make(&whole, uid), 0);
	cr_assert_eq(sha256_of(view_text("ipn:1.5|800000001000|0||"), sum), 0);
	sha256_hex(sum, UID_BYTES, hex);
	cr_assert_str_eq(uid, hex);
	cr_assert_eq(uid_make(&part, uid), 0);
	cr_assert_eq(sha256_of(view_text("ipn:1.5|1|2|3|4"), sum), 0);
	sha256_hex(sum, UID_BYTES, hex);
	cr_assert_str_eq(uid, hex);
}
