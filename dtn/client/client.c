/*
 * client: libowlt's blocking calls: the core (core.h) on a SOCK_SEQPACKET socket. What arrives while a
 * call waits for its own answer is kept, in order, for owlt_event(); the node's credit bounds how
 * much that can be. Payloads above 64 KiB go and come as sealed memfds.
 * Start reading at owlt_open and await.
 */
#include "dtn/client/owlt.h"

#include "dtn/client/core.h"
#include "dtn/client/packet.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* A packet that arrived, with the memory its views point into. */
struct arrival {
	struct arrival *next;
	struct proto_msg m;
	struct packet_payload big;
	char source[OWLT_EID_MAX], dest[OWLT_EID_MAX];
	uint8_t bytes[];
};

struct owlt {
	struct client_core core;
	int fd;
	struct arrival *first, **last; /* kept for owlt_event */
	struct arrival *held;          /* what the caller's views point into */
	uint8_t packet[PROTO_MESSAGE_MAX];
};

static int connect_to(struct owlt *o, const char *path);
static const char *default_socket(char *room, size_t n);
static int transmit(struct owlt *o, const struct buf *b, const void *big, size_t size);
static int receive(struct owlt *o, int timeout_ms, struct arrival **out);
static int await(struct owlt *o, uint64_t tag, struct arrival **out);
static int ask(struct owlt *o, struct proto_msg *m, struct arrival **out);
static void arrival_free(struct arrival *a);
static void keep(struct owlt *o, struct arrival *a);
static void hold(struct owlt *o, struct arrival *a);

int owlt_open(const char *socket, struct owlt **out)
{
	struct owlt *o = calloc(1, sizeof *o);
	char room[sizeof((struct sockaddr_un *)0)->sun_path];
	struct buf b = o ? buf_of(o->packet, sizeof o->packet) : buf_of(NULL, 0);
	struct arrival *a = NULL;
	int err;

	*out = NULL;
	if (!o)
		return -ENOMEM;
	o->last = &o->first;
	err = connect_to(o, socket ? socket : default_socket(room, sizeof room));
	if (!err)
		err = client_hello(&o->core, &b);
	if (!err)
		err = transmit(o, &b, NULL, 0);
	while (!err && !o->core.is_welcome) {
		err = receive(o, -1, &a);
		if (!err && a) { /* an answer before the welcome: a refusal */
			err = a->m.err ? -(int)(a->m.err & 0xffff) : -E_VERSION;
			arrival_free(a);
		}
	}
	if (err)
		owlt_close(o);
	else
		*out = o;
	return err;
}

void owlt_close(struct owlt *o)
{
	if (!o)
		return;
	while (o->first) {
		struct arrival *a = o->first;

		o->first = a->next;
		arrival_free(a);
	}
	arrival_free(o->held);
	if (o->fd >= 0)
		close(o->fd);
	free(o);
}

const char *owlt_error_text(int err)
{
	return err_text(err);
}

const char *owlt_node(const struct owlt *o)
{
	return o->core.node;
}

int64_t owlt_now_us(const struct owlt *o)
{
	struct timespec ts;
	double ns;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ns = (double)(ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec - (int64_t)o->core.mono0_ns);
	return (int64_t)(ns * ((double)o->core.speed_ppm / 1e6) / 1e3);
}

int owlt_wait_ms(const struct owlt *o, int64_t at_us)
{
	double ms = (double)(at_us - owlt_now_us(o)) / 1e3 / ((double)o->core.speed_ppm / 1e6);

	return ms <= 0 ? 0 : ms > 1e9 ? 1000000000 : (int)ms + 1;
}

uint64_t owlt_dtn0_ms(const struct owlt *o)
{
	return o->core.dtn0_ms;
}

int owlt_fd(const struct owlt *o)
{
	return o->fd;
}

int owlt_send_start(struct owlt *o, const struct owlt_send *s, uint64_t *tag)
{
	struct buf b = buf_of(o->packet, sizeof o->packet);
	int err = client_send(&o->core, s, &b, tag);

	if (!err)
		err = transmit(o, &b, s->payload, s->size > PROTO_INLINE_MAX ? s->size : 0);
	return err;
}

int owlt_send(struct owlt *o, const struct owlt_send *s, uint64_t *created_ms, uint64_t *seq)
{
	struct arrival *a;
	uint64_t tag;
	int err = owlt_send_start(o, s, &tag);

	if (!err)
		err = await(o, tag, &a);
	if (err)
		return err;
	if (created_ms)
		*created_ms = a->m.created_ms;
	if (seq)
		*seq = a->m.seq;
	hold(o, a);
	return 0;
}

int owlt_register(struct owlt *o, const char *eid, unsigned credit, bool keep_it, char *endpoint,
	uint32_t *registration)
{
	struct proto_msg m = {
		.type = PROTO_REGISTER, .dest = view_text(eid), .credit = credit, .keep = keep_it};
	struct arrival *a;
	int err = ask(o, &m, &a);

	if (err)
		return err;
	if (endpoint)
		snprintf(endpoint, OWLT_EID_MAX, "%s", a->dest);
	*registration = (uint32_t)a->m.registration;
	hold(o, a);
	return 0;
}

int owlt_unregister(struct owlt *o, uint32_t registration)
{
	struct proto_msg m = {.type = PROTO_UNREGISTER, .registration = registration};
	struct arrival *a;
	int err = ask(o, &m, &a);

	if (!err)
		hold(o, a);
	return err;
}

int owlt_ack(struct owlt *o, uint32_t registration, uint64_t id)
{
	struct proto_msg m = {.type = PROTO_ACK, .registration = registration, .id = id};
	struct buf b = buf_of(o->packet, sizeof o->packet);
	int err = client_request(&o->core, &m, &b);

	return err ? err : transmit(o, &b, NULL, 0);
}

int owlt_status(struct owlt *o, const char *what, const char **json, size_t *size)
{
	struct proto_msg m = {.type = PROTO_STATUS, .text = view_text(what)};
	struct arrival *a;
	int err = ask(o, &m, &a);

	if (err)
		return err;
	hold(o, a);
	*json = (const char *)a->m.payload.p;
	*size = a->m.payload.n;
	return 0;
}

int owlt_event(struct owlt *o, struct owlt_event *ev, int timeout_ms)
{
	struct arrival *a = o->first;
	int err;

	if (a) {
		o->first = a->next;
		if (!o->first)
			o->last = &o->first;
	}
	while (!a) {
		err = receive(o, timeout_ms, &a);
		if (err == -ETIMEDOUT)
			return 0;
		if (err == -ECONNRESET) {
			*ev = (struct owlt_event){.type = OWLT_GONE};
			return 1;
		}
		if (err)
			return err;
	}
	hold(o, a);
	if (!client_event_of(&a->m, ev))
		return -E_STATE;
	ev->source = a->source;
	ev->dest = a->dest;
	ev->payload = a->m.payload.p;
	ev->size = a->m.payload.n;
	return 1;
}

/* -- the socket */

static const char *default_socket(char *room, size_t n)
{
	const char *env = getenv("OWLT_SOCKET"), *run = getenv("XDG_RUNTIME_DIR");

	if (env && *env)
		return env;
	if (run && *run && snprintf(room, n, "%s/owlt/owltd.sock", run) < (int)n &&
		access(room, F_OK) == 0)
		return room;
	return "/run/owlt/owltd.sock";
}

static int connect_to(struct owlt *o, const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	o->fd = -1;
	if (strlen(path) >= sizeof a.sun_path)
		return -ENAMETOOLONG;
	memcpy(a.sun_path, path, strlen(path));
	o->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (o->fd < 0)
		return -errno;
	return connect(o->fd, (struct sockaddr *)(void *)&a, sizeof a) ? -errno : 0;
}

static int transmit(struct owlt *o, const struct buf *b, const void *big, size_t size)
{
	int memfd = -1, err;

	if (size > 0) {
		struct view v = view_of(big, size);

		memfd = packet_memfd(&v, 1);
		if (memfd < 0)
			return memfd;
	}
	err = packet_send(o->fd, buf_view(b), memfd, true);
	if (memfd >= 0)
		close(memfd);
	return err;
}

static void copy_text(char *to, size_t cap, struct view v)
{
	snprintf(to, cap, "%.*s", (int)(v.n < cap ? v.n : cap - 1), (const char *)v.p);
}

/* One packet; *out stays NULL when the core kept it for itself. */
static int receive(struct owlt *o, int timeout_ms, struct arrival **out)
{
	struct pollfd p = {.fd = o->fd, .events = POLLIN};
	struct packet_payload big = {.fd = -1};
	struct arrival *a;
	int n = poll(&p, 1, timeout_ms), rc;

	*out = NULL;
	if (n == 0)
		return -ETIMEDOUT;
	if (n < 0)
		return errno == EINTR && timeout_ms < 0 ? 0 : -errno;
	rc = packet_receive(o->fd, o->packet, sizeof o->packet, &big.fd);
	if (rc <= 0)
		return rc ? rc : -ECONNRESET;
	a = calloc(1, sizeof *a + (size_t)rc);
	if (!a) {
		packet_payload_close(&big);
		return -ENOMEM;
	}
	memcpy(a->bytes, o->packet, (size_t)rc);
	a->big = big;
	rc = client_input(&o->core, view_of(a->bytes, (size_t)rc), &a->m);
	if (rc == 1 && a->big.fd >= 0) {
		int err = packet_payload_map(&a->big, SIZE_MAX);

		a->m.payload = a->big.bytes;
		rc = err ? err : 1;
	}
	if (rc != 1) {
		arrival_free(a);
		return rc;
	}
	copy_text(a->source, sizeof a->source, a->m.source);
	copy_text(a->dest, sizeof a->dest, a->m.dest);
	*out = a;
	return 0;
}

/* The answer to a request; other messages are kept for owlt_event. */
static int await(struct owlt *o, uint64_t tag, struct arrival **out)
{
	for (;;) {
		struct arrival *a;
		int err = receive(o, -1, &a);

		if (err)
			return err;
		if (!a)
			continue;
		if (a->m.tag != tag) {
			keep(o, a);
			continue;
		}
		if (a->m.type == PROTO_REFUSED) {
			err = -(int)(a->m.err & 0xffff);
			arrival_free(a);
			return err ? err : -E_REFUSED;
		}
		*out = a;
		return 0;
	}
}

static int ask(struct owlt *o, struct proto_msg *m, struct arrival **out)
{
	struct buf b = buf_of(o->packet, sizeof o->packet);
	int err = client_request(&o->core, m, &b);

	if (!err)
		err = transmit(o, &b, NULL, 0);
	return err ? err : await(o, m->tag, out);
}

static void arrival_free(struct arrival *a)
{
	if (!a)
		return;
	packet_payload_close(&a->big);
	free(a);
}

static void keep(struct owlt *o, struct arrival *a)
{
	*o->last = a;
	o->last = &a->next;
}

static void hold(struct owlt *o, struct arrival *a)
{
	arrival_free(o->held);
	o->held = a;
}
