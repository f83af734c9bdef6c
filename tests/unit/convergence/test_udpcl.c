#include "convergence/udpcl.h"

#include <criterion/criterion.h>

static struct cl *make(struct cl_cfg cfg)
{
	const struct cl_ops *ops = cl_find("udp");

	cr_assert_not_null(ops);
	return ops->new (&cfg);
}

static struct link_cue cue_of(uint64_t rate, mono until)
{
	return (struct link_cue){
		.tx_open = true, .rx_open = true, .rate_bps = rate, .until = until};
}

static struct cl_bundle bundle_of(uint64_t id, uint64_t size)
{
	static const uint8_t head[16], tail[1];

	return (struct cl_bundle){.id = id,
		.head = view_of(head, 16),
		.tail = view_of(tail, 1),
		.payload = {.handle = id, .len = size - 17},
		.size_bytes = size};
}

/* Sends one bundle at `now`, checks its packet, tells it sent; its tx_end. */
static mono pass(struct cl *c, mono now, uint64_t id, uint64_t size)
{
	struct cl_bundle b = bundle_of(id, size);
	uint8_t room[64];
	struct pkt p = {.buf = room, .cap = sizeof room};
	struct cl_event ev;

	cr_assert_eq(c->ops->send(c, now, &b), 0);
	cr_assert(c->ops->output(c, now, &p));
	cr_assert_eq(p.frame_bytes, size + 42);
	cr_assert_eq(p.n_parts, 3);
	cr_assert_eq(p.part[1].slice.handle, id);
	cr_assert_not(c->ops->output(c, now, &p));
	c->ops->sent(c, now, p.cookie, 0);
	cr_assert(c->ops->event(c, &ev));
	cr_assert_eq(ev.type, CL_SENT);
	cr_assert_eq(ev.id, id);
	cr_assert_not(c->ops->event(c, &ev));
	return ev.tx_end;
}

Test(udpcl, knows_datagrams_by_their_first_octet)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *why;
	} t[] = {
		{"\x9f\xff", 2, NULL},
		{"\x82", 1, NULL},
		{"\x06", 1, "bpv6"},
		{"", 0, "empty"},
		{"\0\0\0\0", 4, "keepalive"}, /* RFC 7122 3.5.2 */
		{"\0\0\0", 3, "padding"},
		{"\0\0\0\0\0", 5, "padding"},
		{"\0\0\0\1", 4, "padding"},
		{"\x16\x03", 2, "dtls"},
		{"\x20", 1, "dtls"},
		{"\xa1", 1, "extension-map"},
		{"\xff", 1, "not-a-bundle"},
		{"x", 1, "not-a-bundle"},
		{"\x01", 1, "not-a-bundle"},
	};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		const char *why = udpcl_classify(view_of(t[i].bytes, t[i].n));

		cr_assert_eq(!why, !t[i].why, "%zu", i);
		if (why)
			cr_assert_str_eq(why, t[i].why);
	}
}

/* RFC 9171 7.2/d1 */
Test(udpcl, gives_what_arrived)
{
	struct cl *c = make((struct cl_cfg){0});
	struct cl_event ev;
	struct view v = view_of("\x9f\xff", 2);

	cr_assert_eq(c->ops->input(c, 0, v), 0);
	cr_assert(c->ops->event(c, &ev));
	cr_assert_eq(ev.type, CL_BUNDLE);
	cr_assert(view_equal(ev.bytes, v));
	cr_assert_eq(ev.frame_bytes, 44);
	cr_assert_eq(c->ops->input(c, 0, view_of("\x06", 1)), 0);
	cr_assert(c->ops->event(c, &ev));
	cr_assert_eq(ev.type, CL_IGNORED);
	cr_assert_str_eq(ev.why, "bpv6");
	c->ops->free(c);
}

/* RFC 9171 7.2/1 */
Test(udpcl, sends_at_the_rate_of_frames_as_captured)
{
	struct cl *c = make((struct cl_cfg){.burst_us = 1000});
	struct link_cue cue = cue_of(1000000, MONO_NEVER);
	uint64_t max;

	c->ops->cue(c, 100, &cue);
	cr_assert(c->ops->ready(c, 100, &max));
	cr_assert_eq(max, 65535 - 28);
	cr_assert_eq(pass(c, 100, 1, 83), 1100); /* 125 B = 1000 bits = 1 ms */
	cr_assert_not(c->ops->ready(c, 101, &max));
	cr_assert_eq(c->ops->deadline(c), 1100);
	c->ops->tick(c, 1100);
	cr_assert_eq(c->ops->deadline(c), MONO_NEVER);
	cr_assert_eq(pass(c, 1100, 2, 83), 2100);
	/* 300 us late: the wire is busy later, but the next may start in time again */
	cr_assert_eq(pass(c, 2400, 3, 83), 3400);
	cr_assert_not(c->ops->ready(c, 3099, &max));
	cr_assert_eq(pass(c, 3100, 4, 83), 4400);
	/* a second late: only burst_us are caught up */
	cr_assert_eq(pass(c, 1000000, 5, 83), 1001000);
	cr_assert_eq(pass(c, 1000000, 6, 83), 1002000);
	cr_assert_not(c->ops->ready(c, 1000000, &max));
	c->ops->free(c);
}

Test(udpcl, starts_nothing_that_cannot_end_before_the_guard)
{
	struct cl *c = make((struct cl_cfg){.guard_us = 500});
	struct link_cue cue = cue_of(1000000, 10000);
	struct cl_bundle b = bundle_of(7, 100);
	uint64_t max;

	c->ops->cue(c, 0, &cue);
	cr_assert(c->ops->ready(c, 8500, &max)); /* 1 ms left = 125 bytes with the frame */
	cr_assert_eq(max, 83);
	cr_assert_eq(c->ops->send(c, 8500, &b), -E_TOO_BIG);
	cr_assert_eq(pass(c, 8500, 8, 83), 9500);
	cr_assert_not(c->ops->ready(c, 9500, &max));
	cr_assert_eq(c->ops->deadline(c), MONO_NEVER);
	c->ops->free(c);
}

Test(udpcl, refuses_what_is_larger_than_a_datagram)
{
	struct cl *c = make((struct cl_cfg){.mtu_bytes = 1500, .ip6 = true});
	struct link_cue cue = cue_of(0, MONO_NEVER);
	struct cl_bundle b = bundle_of(1, 1453);

	cr_assert_eq(c->ops->max_bundle(c), 1452);
	cr_assert_eq(c->ops->send(c, 0, &b), -E_CLOSED);
	c->ops->cue(c, 0, &cue);
	cr_assert_eq(c->ops->send(c, 0, &b), -E_TOO_BIG);
	b = bundle_of(1, 1452);
	cr_assert_eq(c->ops->send(c, 0, &b), 0);
	cr_assert_eq(c->ops->send(c, 0, &b), -E_AGAIN);
	c->ops->free(c);
}

/* RFC 9171 7.2/d1 */
Test(udpcl, tells_of_what_failed)
{
	struct cl *c = make((struct cl_cfg){0});
	struct link_cue cue = cue_of(0, MONO_NEVER);
	struct cl_bundle b = bundle_of(9, 50);
	uint8_t room[64];
	struct pkt p = {.buf = room, .cap = sizeof room};
	struct cl_event ev;

	c->ops->cue(c, 0, &cue);
	cr_assert_eq(c->ops->send(c, 0, &b), 0);
	cr_assert(c->ops->output(c, 0, &p));
	c->ops->sent(c, 0, p.cookie, -ENETUNREACH);
	cr_assert(c->ops->event(c, &ev));
	cr_assert_eq(ev.type, CL_SEND_FAILED);
	cr_assert_not(ev.is_full);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(c->ops->send(c, 0, &b), 0);
		cr_assert(c->ops->output(c, 0, &p));
		c->ops->sent(c, 0, p.cookie, i ? -EAGAIN : -ENOBUFS);
		cr_assert(c->ops->event(c, &ev));
		cr_assert_eq(ev.type, CL_SEND_FAILED);
		cr_assert(ev.is_full);
	}
	cr_assert_eq(c->ops->send(c, 0, &b), 0);
	cue.tx_open = false;
	c->ops->cue(c, 1, &cue); /* closed before it was put out */
	cr_assert(c->ops->event(c, &ev));
	cr_assert_eq(ev.type, CL_SEND_FAILED);
	cr_assert_eq(ev.id, 9);
	cr_assert_not(c->ops->output(c, 1, &p));
	c->ops->free(c);
}

Test(udpcl, gives_out_no_more_than_it_can_remember)
{
	struct cl *c = make((struct cl_cfg){0});
	struct link_cue cue = cue_of(0, MONO_NEVER);
	uint8_t room[64];
	struct pkt p = {.buf = room, .cap = sizeof room};
	struct cl_event ev;
	uint64_t max, n = 0;

	c->ops->cue(c, 0, &cue);
	for (; c->ops->ready(c, 0, &max); n++) {
		struct cl_bundle b = bundle_of(n + 1, 50);

		cr_assert_eq(c->ops->send(c, 0, &b), 0);
		cr_assert(c->ops->output(c, 0, &p));
		cr_assert_eq(p.cookie, n);
	}
	for (uint64_t k = 0; k < n; k++)
		c->ops->sent(c, 0, k, 0);
	for (uint64_t k = 0; k < n; k++) {
		cr_assert(c->ops->event(c, &ev));
		cr_assert_eq(ev.id, k + 1);
	}
	cr_assert(c->ops->ready(c, 0, &max));
	c->ops->free(c);
}

Test(udpcl, keeps_alive_not_more_often_than_every_15_s)
{
	struct cl *c = make((struct cl_cfg){.keepalive_us = US_PER_S});
	struct link_cue cue = cue_of(0, 40 * US_PER_S);
	uint8_t room[64];
	struct pkt p = {.buf = room, .cap = sizeof room};

	cr_assert_eq(c->ops->deadline(c), MONO_NEVER);
	c->ops->cue(c, 0, &cue);
	cr_assert_eq(c->ops->deadline(c), 15 * US_PER_S); /* RFC 7122 3.5.2 */
	cr_assert_not(c->ops->output(c, 15 * US_PER_S - 1, &p));
	cr_assert(c->ops->output(c, 15 * US_PER_S, &p));
	cr_assert_eq(p.n_parts, 1);
	cr_assert(view_equal(p.part[0].bytes, view_of("\0\0\0\0", 4)));
	c->ops->sent(c, 15 * US_PER_S, p.cookie, 0);
	pass(c, 20 * US_PER_S, 1, 50);
	cr_assert_eq(c->ops->deadline(c), 35 * US_PER_S);
	c->ops->cue(c, 36 * US_PER_S, &(struct link_cue){0});
	cr_assert_eq(c->ops->deadline(c), MONO_NEVER);
	c->ops->free(c);
}
