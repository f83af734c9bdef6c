#include "dtn/client/core.h"
#include "dtn/client/packet.h"

#include <criterion/criterion.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

Test(proto, reads_what_it_writes)
{
	uint8_t room[512];
	struct buf b = buf_of(room, sizeof room);
	struct proto_msg m = {.type = PROTO_SEND,
				 .tag = 7,
				 .dest = view_text("ipn:2.1"),
				 .custody = true,
				 .payload = view_text("hello"),
				 .lifetime_ms = UINT64_MAX,
				 .priority = 2},
			 r;

	proto_write(&b, &m);
	cr_assert(buf_fits(&b));
	cr_assert_eq(proto_read(buf_view(&b), &r), 0);
	cr_assert(r.type == PROTO_SEND && r.tag == 7 && r.custody && r.priority == 2);
	cr_assert(view_equal(r.dest, m.dest) && view_equal(r.payload, m.payload));
	cr_assert_eq(r.lifetime_ms, UINT64_MAX);
	for (size_t n = 0; n < b.len; n++)
		cr_assert_lt(proto_read(view_of(room, n), &r), 0, "prefix of %zu", n);
}

Test(proto, skips_unknown_keys_and_refuses_wrong_types)
{
	struct proto_msg m;

	cr_assert_eq(proto_read(view_of("\x83\x01\x02\xa2\x18\x63\x61x\x0a\x05", 10), &m), 0);
	cr_assert_eq(m.seq, 5);
	cr_assert_lt(proto_read(view_of("\x83\x01\x02\xa1\x0a\x61x", 7), &m), 0);
	cr_assert_lt(proto_read(view_of("\x82\x01\x02", 3), &m), 0);
	cr_assert_lt(proto_read(view_of("\x83\x01\x02\xa0\x00", 5), &m), 0, "trailing");
}

Test(proto, every_kind_of_message_on_each_truncated_prefix)
{
	static uint8_t room[PROTO_MESSAGE_MAX], big[PROTO_INLINE_MAX];
	const struct proto_msg all[] = {
		{.type = PROTO_SEND, .tag = 3, .dest = view_text("ipn:2.1"), .size = 1u << 30},
		{.type = PROTO_PART, .tag = 3, .payload = view_of(big, 300)},
		{.type = PROTO_CANCEL, .tag = 3},
		{.type = PROTO_READ,
			.tag = 4,
			.registration = 1,
			.id = 9,
			.offset = 70000,
			.size = 5},
		{.type = PROTO_PIECE, .tag = 4, .payload = view_text("12345")},
		{.type = PROTO_DELIVERY, .registration = 1, .id = 9, .size = UINT64_MAX}};
	struct proto_msg r;

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct buf b = buf_of(room, sizeof room);

		proto_write(&b, &all[i]);
		cr_assert_eq(proto_read(buf_view(&b), &r), 0);
		cr_assert(r.type == all[i].type && r.tag == all[i].tag && r.size == all[i].size &&
			  r.offset == all[i].offset && view_equal(r.payload, all[i].payload));
		for (size_t n = 0; n < b.len; n++)
			cr_assert_lt(proto_read(view_of(room, n), &r), 0, "prefix of %zu", n);
	}
}

Test(core, a_large_payload_follows_in_parts)
{
	static uint8_t room[PROTO_MESSAGE_MAX], big[PROTO_INLINE_MAX + 1];
	struct owlt_send s = {.dest = "ipn:2.1", .payload = big, .size = sizeof big};
	struct buf b = buf_of(room, sizeof room);
	struct client_core c = {0};
	struct proto_msg m;
	uint64_t tag;

	cr_assert_eq(client_send(&c, &s, &b, &tag), 0);
	cr_assert_eq(proto_read(buf_view(&b), &m), 0);
	cr_assert(m.size == sizeof big && m.payload.n == 0);
	cr_assert(client_is_open(&c, tag));
	b = buf_of(room, sizeof room);
	cr_assert_eq(client_part(&c, tag, view_of(big, PROTO_INLINE_MAX), &b), 0);
	cr_assert_eq(proto_read(buf_view(&b), &m), 0);
	cr_assert(m.type == PROTO_PART && m.tag == tag && m.payload.n == PROTO_INLINE_MAX);
	b = buf_of(room, sizeof room);
	proto_write(&b, &(struct proto_msg){.type = PROTO_REFUSED, .tag = tag, .err = E_FULL});
	cr_assert_eq(client_input(&c, buf_view(&b), &m), 1);
	cr_assert_not(client_is_open(&c, tag));
	b = buf_of(room, sizeof room);
	cr_assert_eq(client_part(&c, tag, view_of(big, 1), &b), -E_STATE);
	s = (struct owlt_send){.dest = "ipn:2.1", .size = 5}; /* any size may go in parts */
	b = buf_of(room, sizeof room);
	cr_assert_eq(client_send(&c, &s, &b, &tag), 0);
	cr_assert_eq(proto_read(buf_view(&b), &m), 0);
	cr_assert(m.size == 5 && m.payload.n == 0);
}

Test(core, limits_open_sends)
{
	struct client_core c = {0};
	uint8_t room[512];
	struct owlt_send s = {.dest = "ipn:2.1"};
	struct proto_msg m, answer = {.type = PROTO_REFUSED, .tag = 3, .err = E_FULL};
	uint64_t tag;
	struct buf b;

	for (unsigned i = 0; i < CORE_OPEN_MAX; i++) {
		b = buf_of(room, sizeof room);
		cr_assert_eq(client_send(&c, &s, &b, &tag), 0);
		cr_assert_eq(tag, i + 1);
	}
	b = buf_of(room, sizeof room);
	cr_assert_eq(client_send(&c, &s, &b, &tag), -EAGAIN);
	proto_write(&b, &answer);
	cr_assert_eq(client_input(&c, buf_view(&b), &m), 1);
	cr_assert_eq(m.err, E_FULL);
	b = buf_of(room, sizeof room);
	cr_assert_eq(client_send(&c, &s, &b, &tag), 0);
}

Test(packet, maps_only_sealed_memory)
{
	struct packet_payload p = {.fd = packet_memfd(view_text("abc"))};
	int pair[2], fd = memfd_create("x", MFD_ALLOW_SEALING), got;
	uint8_t room[8];

	cr_assert_geq(p.fd, 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	cr_assert_eq(packet_send(pair[0], view_text("m"), p.fd), 0);
	packet_payload_close(&p);
	cr_assert_eq(packet_receive(pair[1], room, sizeof room, &p.fd), 1);
	cr_assert_eq(packet_payload_map(&p, 2), -E_TOO_BIG);
	cr_assert_eq(packet_payload_map(&p, 3), 0);
	cr_assert(view_equal(p.bytes, view_text("abc")));
	packet_payload_close(&p);
	p.fd = fd;
	cr_assert_eq(write(fd, "abc", 3), 3);
	cr_assert_eq(packet_payload_map(&p, 10), -E_REFUSED);
	packet_payload_close(&p);
	cr_assert_eq(packet_send(pair[0], view_text("123456789"), -1), 0);
	cr_assert_eq(packet_receive(pair[1], room, sizeof room, &got), -EMSGSIZE);
	close(pair[0]);
	cr_assert_eq(packet_receive(pair[1], room, sizeof room, &got), 0);
	close(pair[1]);
}
