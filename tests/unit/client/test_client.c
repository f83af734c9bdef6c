/* The blocking calls of libowlt against a node that is a thread of the test. */
#include "dtn/client/core.h"
#include "dtn/client/packet.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BIG 1000003

/* What the node does with a large send. */
enum mood { TAKES, REFUSES, TALKS };

struct fake {
	enum mood mood;
	int listen_fd;
	char path[108];
	pthread_t thread;
	size_t n_got;
	bool is_right;
};

static uint8_t byte_at(uint64_t i)
{
	return (uint8_t)(i * 13 + (i >> 9));
}

static void answer(int fd, const struct proto_msg *m)
{
	static uint8_t room[PROTO_MESSAGE_MAX];
	struct buf b = buf_of(room, sizeof room);
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	proto_write(&b, m);
	while (packet_send(fd, buf_view(&b), -1) == -EAGAIN)
		poll(&p, 1, -1);
}

static void take_part(struct fake *f, int fd, const struct proto_msg *m)
{
	for (size_t i = 0; i < m->payload.n; i++)
		f->is_right &= m->payload.p[i] == byte_at(f->n_got + i);
	f->n_got += m->payload.n;
	for (unsigned i = 0; f->mood == TALKS && i < 20; i++)
		answer(fd, &(struct proto_msg){.type = PROTO_ACKED, .id = i + 1});
	if (f->mood == REFUSES && f->n_got == m->payload.n)
		answer(fd,
			&(struct proto_msg){.type = PROTO_REFUSED, .tag = m->tag, .err = E_FULL});
	else if (f->n_got == BIG)
		answer(fd,
			&(struct proto_msg){
				.type = PROTO_ACCEPTED, .tag = m->tag, .created_ms = 5, .seq = 6});
}

/* Pieces end at multiples of 50000, as if stored so. */
static void give_piece(int fd, const struct proto_msg *m)
{
	static uint8_t room[PROTO_INLINE_MAX];
	uint64_t end = (m->offset / 50000 + 1) * 50000, n;

	end = end < BIG ? end : BIG;
	n = m->offset < BIG ? end - m->offset : 0;
	n = n < m->size ? n : m->size;
	for (uint64_t i = 0; i < n; i++)
		room[i] = byte_at(m->offset + i);
	answer(fd, &(struct proto_msg){
			   .type = PROTO_PIECE, .tag = m->tag, .payload = view_of(room, n)});
}

static void *serve(void *arg)
{
	static uint8_t room[PROTO_MESSAGE_MAX];
	struct fake *f = arg;
	int fd = accept(f->listen_fd, NULL, NULL), n, memfd;
	struct proto_msg m;

	while ((n = packet_receive(fd, room, sizeof room, &memfd)) > 0) {
		if (proto_read(view_of(room, (size_t)n), &m))
			break;
		if (m.type == PROTO_HELLO)
			answer(fd, &(struct proto_msg){.type = PROTO_WELCOME,
					   .tag = m.tag,
					   .version = PROTO_VERSION,
					   .node = view_text("ipn:1.0"),
					   .speed_ppm = 1000000});
		else if (m.type == PROTO_PART)
			take_part(f, fd, &m);
		else if (m.type == PROTO_READ)
			give_piece(fd, &m);
		else if (m.type == PROTO_REGISTER) {
			answer(fd, &(struct proto_msg){.type = PROTO_REGISTERED,
					   .tag = m.tag,
					   .registration = 1,
					   .dest = view_text("ipn:1.5")});
			answer(fd, &(struct proto_msg){.type = PROTO_DELIVERY,
					   .registration = 1,
					   .id = 77,
					   .size = BIG,
					   .source = view_text("ipn:2.1")});
		} else if (m.type == PROTO_CANCEL)
			answer(fd, &(struct proto_msg){
					   .type = PROTO_REFUSED, .tag = m.tag, .err = ECANCELED});
	}
	close(fd);
	return NULL;
}

static struct owlt *begin(struct fake *f, enum mood mood)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct owlt *o;

	*f = (struct fake){.mood = mood, .is_right = true};
	snprintf(f->path, sizeof f->path, "/tmp/owlt-fake-%d-%d", (int)getpid(), (int)mood);
	memcpy(a.sun_path, f->path, sizeof f->path);
	f->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	unlink(f->path);
	cr_assert_eq(bind(f->listen_fd, (struct sockaddr *)(void *)&a, sizeof a), 0);
	cr_assert_eq(listen(f->listen_fd, 1), 0);
	cr_assert_eq(pthread_create(&f->thread, NULL, serve, f), 0);
	cr_assert_eq(owlt_open(f->path, &o), 0);
	return o;
}

static void end(struct fake *f, struct owlt *o)
{
	owlt_close(o);
	pthread_join(f->thread, NULL);
	close(f->listen_fd);
	unlink(f->path);
}

static uint8_t *make_big(void)
{
	static uint8_t big[BIG];

	for (size_t i = 0; i < BIG; i++)
		big[i] = byte_at(i);
	return big;
}

Test(client, a_large_payload_is_sent_like_a_small_one)
{
	struct owlt_send s = {.dest = "ipn:2.1", .payload = make_big(), .size = BIG};
	struct fake f;
	struct owlt *o;
	uint64_t ms, seq;

	o = begin(&f, TAKES);
	cr_assert_eq(owlt_send(o, &s, &ms, &seq), 0);
	cr_assert(ms == 5 && seq == 6 && f.n_got == BIG && f.is_right);
	end(&f, o);
}

Test(client, what_arrives_while_it_sends_is_kept)
{
	struct owlt_send s = {.dest = "ipn:2.1", .size = BIG};
	const uint8_t *big = make_big();
	struct owlt_event ev;
	unsigned n_acked = 0;
	struct fake f;
	struct owlt *o;
	uint64_t tag;

	o = begin(&f, TALKS); /* its messages fill the socket unless they are taken */
	cr_assert_eq(owlt_send_open(o, &s, &tag), 0);
	for (size_t at = 0; at < BIG; at += 1000)
		cr_assert_eq(
			owlt_send_part(o, tag, big + at, at + 1000 < BIG ? 1000 : BIG - at), 0);
	do {
		cr_assert_eq(owlt_event(o, &ev, -1), 1);
		n_acked += ev.type == OWLT_ACKED;
	} while (ev.type == OWLT_ACKED);
	cr_assert(ev.type == OWLT_ACCEPTED && ev.tag == tag);
	cr_assert_eq(n_acked, 20 * (BIG / 1000 + 1));
	cr_assert(f.n_got == BIG && f.is_right);
	end(&f, o);
}

Test(client, a_refusal_half_way_ends_the_send)
{
	struct owlt_send s = {.dest = "ipn:2.1", .payload = make_big(), .size = BIG};
	struct owlt_event ev;
	struct fake f;
	struct owlt *o;
	uint64_t tag;

	o = begin(&f, REFUSES);
	cr_assert_eq(owlt_send(o, &s, NULL, NULL), -E_FULL);
	cr_assert_eq(owlt_send_open(o, &s, &tag), 0);
	cr_assert_eq(owlt_send_cancel(o, tag), 0);
	cr_assert_eq(owlt_event(o, &ev, -1), 1);
	cr_assert(ev.type == OWLT_REFUSED && ev.tag == tag && ev.err == -ECANCELED);
	cr_assert_eq(owlt_send_part(o, tag, s.payload, 10), -ECANCELED);
	end(&f, o);
}

Test(client, a_large_delivery_is_read_in_pieces)
{
	static uint8_t room[BIG + 10];
	struct owlt_event ev;
	uint32_t registration;
	struct fake f;
	struct owlt *o;

	o = begin(&f, TAKES);
	cr_assert_eq(owlt_register(o, "ipn:1.5", 1, false, NULL, &registration), 0);
	cr_assert_eq(owlt_event(o, &ev, -1), 1);
	cr_assert(ev.type == OWLT_DELIVERY && ev.size == BIG && !ev.payload);
	cr_assert_eq(owlt_read(o, 1, ev.id, 0, room, sizeof room), BIG);
	cr_assert_eq(memcmp(room, make_big(), BIG), 0);
	cr_assert_eq(owlt_read(o, 1, ev.id, 49990, room, 20), 20);
	cr_assert_eq(memcmp(room, make_big() + 49990, 20), 0);
	cr_assert_eq(owlt_read(o, 1, ev.id, BIG, room, 20), 0);
	cr_assert_str_eq(ev.source, "ipn:2.1", "reading does not end the event's texts");
	end(&f, o);
}
