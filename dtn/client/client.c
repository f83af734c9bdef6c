/*
 * client: libowlt's blocking calls: the core (core.h) on a SOCK_SEQPACKET socket. What arrives while a
 * call waits for its own answer, or for room to write, is kept, in order, for owlt_event(); the node's
 * credit bounds how much that can be. Payloads above 64 KiB go and come in parts.
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
	struct packet_payload big; /* a long REPORT */
	char source[OWLT_EID_MAX], dest[OWLT_EID_MAX];
	uint8_t bytes[];
};

struct owlt {
	struct client_core core;
	int fd;
	struct arrival *first, **last; /* kept for owlt_event */
	struct arrival *held;          /* what the caller's views point into */
	uint8_t out[PROTO_MESSAGE_MAX], in[PROTO_MESSAGE_MAX];
};

static int connect_to(struct owlt *o, const char *path);
static const char *default_socket(char *room, size_t n);
static int transmit(struct owlt *o, const struct buf *b);
static int send_parts(struct owlt *o, uint64_t tag, struct view v);
static int receive(struct owlt *o, int timeout_ms, struct arrival **out);
static int await(struct owlt *o, uint64_t tag, struct arrival **out);
static int ask(struct owlt *o, struct proto_msg *m, struct arrival **out);
static int listen_now(struct owlt *o);
static void arrival_free(struct arrival *a);
static void keep(struct owlt *o, struct arrival *a);
static void hold(struct owlt *o, struct arrival *a);

int owlt_open(const char *socket, struct owlt **out)
{
	struct owlt *o = calloc(1, sizeof *o);
	char room[sizeof((struct sockaddr_un *)0)->sun_path];
	struct buf b = o ? buf_of(o->out, sizeof o->out) : buf_of(NULL, 0);
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
		err = transmit(o, &b);
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

int owlt_send_open(struct owlt *o, const struct owlt_send *s, uint64_t *tag)
{
	struct buf b = buf_of(o->out, sizeof o->out);
	struct owlt_send only = *s;
	int err;

	only.payload = NULL;
	err = client_send(&o->core, &only, &b, tag);
	return err ? err : transmit(o, &b);
}

int owlt_send_part(struct owlt *o, uint64_t tag, const void *bytes, size_t size)
{
	return send_parts(o, tag, view_of(bytes, size));
}

int owlt_send_cancel(struct owlt *o, uint64_t tag)
{
	struct proto_msg m = {.type = PROTO_CANCEL, .tag = tag};
	struct buf b = buf_of(o->out, sizeof o->out);

	proto_write(&b, &m);
	return transmit(o, &b);
}

int owlt_send_start(struct owlt *o, const struct owlt_send *s, uint64_t *tag)
{
	struct buf b = buf_of(o->out, sizeof o->out);
	int err = client_send(&o->core, s, &b, tag);

	if (!err)
		err = transmit(o, &b);
	if (!err && s->size > PROTO_INLINE_MAX)
		err = send_parts(o, *tag, view_of(s->payload, s->size));
	return err == -ECANCELED ? 0 : err; /* the answer tells */
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

int owlt_cancel(struct owlt *o, const char *source, uint64_t created_ms, uint64_t seq)
{
	struct proto_msg m = {.type = PROTO_GIVE_UP,
		.source = view_text(source),
		.created_ms = created_ms,
		.seq = seq};
	struct arrival *a;
	int err = ask(o, &m, &a);

	if (!err)
		hold(o, a);
	return err;
}

int owlt_ack(struct owlt *o, uint32_t registration, uint64_t id)
{
	struct proto_msg m = {.type = PROTO_ACK, .registration = registration, .id = id};
	struct buf b = buf_of(o->out, sizeof o->out);
	int err = client_request(&o->core, &m, &b);

	return err ? err : transmit(o, &b);
}

int64_t owlt_read(struct owlt *o, uint32_t registration, uint64_t id, uint64_t offset, void *bytes,
	size_t size)
{
	size_t done = 0;

	while (done < size) {
		struct proto_msg m = {.type = PROTO_READ,
			.registration = registration,
			.id = id,
			.offset = offset + done,
			.size = size - done};
		struct arrival *a;
		int err = ask(o, &m, &a);
		size_t n = err ? 0 : a->m.payload.n;

		if (err)
			return err;
		if (n > size - done)
			n = size - done;
		if (n)
			memcpy((uint8_t *)bytes + done, a->m.payload.p, n);
		done += n;
		arrival_free(a);
		if (n == 0)
			break;
	}
	return (int64_t)done;
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
	if (ev->size == 0)
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

/* While the node does not read, because it waits for us or for its disk, its messages are taken. */
static int transmit(struct owlt *o, const struct buf *b)
{
	for (;;) {
		struct pollfd p = {.fd = o->fd, .events = POLLIN | POLLOUT};
		int err = packet_send(o->fd, buf_view(b), -1);

		if (err != -EAGAIN)
			return err;
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return -errno;
		if (p.revents & POLLIN)
			err = listen_now(o);
		if (err && err != -EAGAIN)
			return err;
	}
}

/* -ECANCELED: the node has refused the rest; the refusal waits for owlt_event(). */
static int send_parts(struct owlt *o, uint64_t tag, struct view v)
{
	int err = 0;

	while (!err && v.n > 0) {
		struct buf b = buf_of(o->out, sizeof o->out);
		size_t n = v.n < PROTO_INLINE_MAX ? v.n : PROTO_INLINE_MAX;

		err = listen_now(o);
		if (!err)
			err = client_part(&o->core, tag, view_sub(v, 0, n), &b);
		if (!err)
			err = transmit(o, &b);
		v = view_sub(v, n, v.n - n);
	}
	return err == -E_STATE ? -ECANCELED : err;
}

/* Takes one message, if there is one, for owlt_event(). */
static int listen_now(struct owlt *o)
{
	struct arrival *a;
	int err = receive(o, 0, &a);

	if (!err && a)
		keep(o, a);
	return err == -ETIMEDOUT ? 0 : err;
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
	rc = packet_receive(o->fd, o->in, sizeof o->in, &big.fd);
	if (rc <= 0)
		return rc ? rc : -ECONNRESET;
	a = calloc(1, sizeof *a + (size_t)rc);
	if (!a) {
		packet_payload_close(&big);
		return -ENOMEM;
	}
	memcpy(a->bytes, o->in, (size_t)rc);
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

/* The answer to a request if it was kept already. */
static struct arrival *find_kept(struct owlt *o, uint64_t tag)
{
	for (struct arrival **p = &o->first; *p; p = &(*p)->next) {
		struct arrival *a = *p;

		if (a->m.tag != tag)
			continue;
		*p = a->next;
		if (!*p)
			o->last = p;
		a->next = NULL;
		return a;
	}
	return NULL;
}

/* The answer to a request; other messages are kept for owlt_event. */
static int await(struct owlt *o, uint64_t tag, struct arrival **out)
{
	struct arrival *a = find_kept(o, tag);
	int err = 0;

	while (!a && !err) {
		err = receive(o, -1, &a);
		if (a && a->m.tag != tag) {
			keep(o, a);
			a = NULL;
		}
	}
	if (err)
		return err;
	if (a->m.type == PROTO_REFUSED) {
		err = -(int)(a->m.err & 0xffff);
		arrival_free(a);
		return err ? err : -E_REFUSED;
	}
	*out = a;
	return 0;
}

static int ask(struct owlt *o, struct proto_msg *m, struct arrival **out)
{
	struct buf b = buf_of(o->out, sizeof o->out);
	int err = client_request(&o->core, m, &b);

	if (!err)
		err = transmit(o, &b);
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
