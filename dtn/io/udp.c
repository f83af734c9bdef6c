/*
 * udp: recvmmsg and sendmmsg (udp.h). The sockets are not connected: an ICMP error of one datagram
 * must not fail the next, and datagrams of strangers shall be counted rather than vanish.
 * The receive buffers are one block of 64 x 64 KiB for the whole loop.
 *
 * In runs (udp_offload()), a message of sendmmsg is up to 64 datagrams of one size, the last of which may be
 * shorter, and a message of recvmmsg is what arrived so; udp_datagram() cuts it. A run that the kernel does
 * not take goes as single datagrams, so that each has its own error.
 */
#include "dtn/io/udp.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <unistd.h>

#define SOCKET_BUFFER (8 << 20)
#define RUN_DATAGRAMS 64 /* what every kernel takes at once */
#define RUN_BYTES 65000  /* ... of at most one IP packet's length */
#define RUNS_RECEIVED 4  /* messages a call: a run has 128 datagrams at most, so 512 */
#define CONTROL_ROOM CMSG_SPACE(sizeof(int))

struct udp_rx {
	struct mmsghdr msg[UDP_BATCH];
	struct iovec iov[UDP_BATCH];
	union udp_address from[UDP_BATCH];
	union {
		struct cmsghdr align;
		uint8_t room[CONTROL_ROOM];
	} control[UDP_BATCH];
	struct {
		struct view bytes;
		int msg;
	} datagram[UDP_DATAGRAMS];
	int n;
	bool more;
	uint8_t *bytes;
};

static int send_single(struct udp *u, const struct udp_packet *p, int n, int *err);
static int send_runs(struct udp *u, const struct udp_packet *p, int n, int *err);

int udp_address_parse(const char *text, union udp_address *out)
{
	char host[64];
	const char *colon = strrchr(text, ':');
	char *end;
	bool six = text[0] == '[';
	unsigned long port;
	size_t n = colon ? (size_t)(colon - text) : 0;

	memset(out, 0, sizeof *out);
	if (n < (six ? 3u : 1u) || n >= sizeof host || colon[1] < '0' || colon[1] > '9')
		return -E_SYNTAX;
	port = strtoul(colon + 1, &end, 10);
	if (*end || port > 65535 || (six && colon[-1] != ']'))
		return -E_SYNTAX;
	snprintf(host, sizeof host, "%.*s", (int)(six ? n - 2 : n), text + (six ? 1 : 0));
	if (six) {
		out->v6.sin6_family = AF_INET6;
		out->v6.sin6_port = htons((uint16_t)port);
		return inet_pton(AF_INET6, host, &out->v6.sin6_addr) == 1 ? 0 : -E_SYNTAX;
	}
	out->v4.sin_family = AF_INET;
	out->v4.sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, host, &out->v4.sin_addr) == 1 ? 0 : -E_SYNTAX;
}

static void set_option(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof value) == 0)
		return;
	/* without CAP_NET_ADMIN the kernel's limit holds */
	if (level == SOL_SOCKET && name == SO_RCVBUFFORCE)
		set_option(fd, SOL_SOCKET, SO_RCVBUF, value);
	if (level == SOL_SOCKET && name == SO_SNDBUFFORCE)
		set_option(fd, SOL_SOCKET, SO_SNDBUF, value);
}

int udp_open(struct udp *u, const char *local, const char *remote)
{
	bool six;
	int err;

	u->fd = -1;
	u->in_runs = false;
	if (udp_address_parse(local, &u->local) || udp_address_parse(remote, &u->remote))
		return -E_SYNTAX;
	if (u->local.any.sa_family != u->remote.any.sa_family)
		return -E_CONFIG;
	six = u->local.any.sa_family == AF_INET6;
	u->address_len = six ? sizeof u->local.v6 : sizeof u->local.v4;
	u->fd = socket(u->local.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (u->fd < 0)
		return -errno;
	set_option(u->fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER);
	set_option(u->fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER);
	set_option(u->fd, six ? IPPROTO_IPV6 : IPPROTO_IP,
		six ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER, six ? IPV6_PMTUDISC_DO : IP_PMTUDISC_DO);
	if (bind(u->fd, &u->local.any, u->address_len) == 0)
		return 0;
	err = -errno;
	udp_close(u);
	return err;
}

void udp_offload(struct udp *u)
{
	int on = 1, off = 0;

	/* that a socket knows UDP_SEGMENT says that messages may have it */
	u->in_runs = setsockopt(u->fd, SOL_UDP, UDP_GRO, &on, sizeof on) == 0 &&
		     setsockopt(u->fd, SOL_UDP, UDP_SEGMENT, &off, sizeof off) == 0;
}

void udp_close(struct udp *u)
{
	if (u->fd >= 0)
		close(u->fd);
	u->fd = -1;
}

struct udp_rx *udp_rx_new(void)
{
	struct udp_rx *rx = calloc(1, sizeof *rx);

	if (!rx)
		return NULL;
	rx->bytes = malloc((size_t)UDP_BATCH * UDP_DATAGRAM_MAX);
	if (!rx->bytes) {
		free(rx);
		return NULL;
	}
	/* Ours from the start, so that no flood makes memory grow. Not 0: that would become a calloc. */
	memset(rx->bytes, 0xff, (size_t)UDP_BATCH * UDP_DATAGRAM_MAX);
	for (int i = 0; i < UDP_BATCH; i++) {
		rx->iov[i] =
			(struct iovec){rx->bytes + (size_t)i * UDP_DATAGRAM_MAX, UDP_DATAGRAM_MAX};
		rx->msg[i].msg_hdr.msg_iov = &rx->iov[i];
		rx->msg[i].msg_hdr.msg_iovlen = 1;
		rx->msg[i].msg_hdr.msg_name = &rx->from[i];
	}
	return rx;
}

void udp_rx_free(struct udp_rx *rx)
{
	if (!rx)
		return;
	free(rx->bytes);
	free(rx);
}

/* The datagrams of message k, size bytes each; what does not fit is one that no link takes. */
static void cut(struct udp_rx *rx, int k, size_t size)
{
	struct view left = view_of(rx->iov[k].iov_base, rx->msg[k].msg_len);

	do {
		size_t n = size == 0 || left.n < size || rx->n + 1 == UDP_DATAGRAMS ? left.n : size;

		rx->datagram[rx->n].bytes = view_sub(left, 0, n);
		rx->datagram[rx->n++].msg = k;
		left = view_sub(left, n, left.n - n);
	} while (left.n > 0);
}

/* What the kernel says about the size of each datagram of a message; 0: it is one. */
static size_t size_in_run(struct msghdr *m)
{
	int size = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
			memcpy(&size, CMSG_DATA(c), sizeof size);
	return size > 0 ? (size_t)size : 0;
}

int udp_receive(struct udp *u, struct udp_rx *rx)
{
	int most = u->in_runs ? RUNS_RECEIVED : UDP_BATCH, n;

	rx->n = 0;
	rx->more = false;
	for (int i = 0; i < most; i++) {
		rx->msg[i].msg_hdr.msg_namelen = sizeof rx->from[i];
		rx->msg[i].msg_hdr.msg_control = u->in_runs ? rx->control[i].room : NULL;
		rx->msg[i].msg_hdr.msg_controllen = u->in_runs ? CONTROL_ROOM : 0;
	}
	n = recvmmsg(u->fd, rx->msg, (unsigned)most, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	rx->more = n == most;
	for (int i = 0; i < n && rx->n < UDP_DATAGRAMS; i++)
		cut(rx, i, u->in_runs ? size_in_run(&rx->msg[i].msg_hdr) : 0);
	return rx->n;
}

bool udp_more(const struct udp_rx *rx)
{
	return rx->more;
}

static bool same_address(const union udp_address *a, const union udp_address *b, bool any_port)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return (any_port || a->v4.sin_port == b->v4.sin_port) &&
		       a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return (any_port || a->v6.sin6_port == b->v6.sin6_port) &&
	       memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
}

struct view udp_datagram(const struct udp *u, const struct udp_rx *rx, int k, bool *ours)
{
	int m = rx->datagram[k].msg;

	*ours = same_address(&rx->from[m], &u->remote, u->any_port) &&
		!(rx->msg[m].msg_hdr.msg_flags & MSG_TRUNC) && k + 1 < UDP_DATAGRAMS;
	return rx->datagram[k].bytes;
}

int udp_send(struct udp *u, const struct udp_packet *p, int n, int *err)
{
	assert(n > 0 && n <= UDP_BATCH);
	return u->in_runs && n > 1 ? send_runs(u, p, n, err) : send_single(u, p, n, err);
}

/* Appends a packet to a message; its bytes. */
static size_t add(struct msghdr *m, const struct udp_packet *p)
{
	size_t n = 0;

	for (unsigned k = 0; k < p->n_parts; k++) {
		n += p->part[k].n;
		m->msg_iov[m->msg_iovlen++] =
			(struct iovec){(void *)(uintptr_t)p->part[k].p, p->part[k].n};
	}
	return n;
}

static struct msghdr message_to(struct udp *u, struct iovec *iov)
{
	return (struct msghdr){
		.msg_name = &u->remote, .msg_namelen = u->address_len, .msg_iov = iov};
}

static int send_single(struct udp *u, const struct udp_packet *p, int n, int *err)
{
	struct mmsghdr msg[UDP_BATCH];
	struct iovec iov[UDP_BATCH][UDP_PARTS];
	int went;

	for (int i = 0; i < n; i++) {
		msg[i].msg_hdr = message_to(u, iov[i]);
		add(&msg[i].msg_hdr, &p[i]);
	}
	went = sendmmsg(u->fd, msg, (unsigned)n, MSG_DONTWAIT);
	*err = went < 0 ? -errno : went < n ? -EAGAIN : 0;
	return went < 0 ? 0 : went;
}

static size_t packet_bytes(const struct udp_packet *p)
{
	size_t n = 0;

	for (unsigned i = 0; i < p->n_parts; i++)
		n += p->part[i].n;
	return n;
}

/* How many of the n packets are one run, and the size of each. */
static int run_of(const struct udp_packet *p, int n, size_t *size)
{
	size_t total = *size = packet_bytes(p);
	int k = 1;

	for (; k < n && k < RUN_DATAGRAMS; k++) {
		size_t next = packet_bytes(&p[k]);

		if (next == 0 || next > *size || total + next > RUN_BYTES)
			break;
		total += next;
		if (next < *size)
			return k + 1;
	}
	return k;
}

static void set_size(struct msghdr *m, void *control, size_t size)
{
	uint16_t v = (uint16_t)size;

	m->msg_control = control;
	m->msg_controllen = CMSG_SPACE(sizeof v);
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof v);
	memcpy(CMSG_DATA(c), &v, sizeof v);
}

static int send_runs(struct udp *u, const struct udp_packet *p, int n, int *err)
{
	struct mmsghdr msg[UDP_BATCH];
	struct iovec iov[UDP_BATCH * UDP_PARTS];
	_Alignas(struct cmsghdr) uint8_t control[UDP_BATCH][CONTROL_ROOM];
	int sent_by[UDP_BATCH]; /* packets up to and with message i */
	int done = 0, runs = 0, went;
	size_t n_iov = 0, size;

	for (; done < n; runs++) {
		int k = run_of(p + done, n - done, &size);

		msg[runs].msg_hdr = message_to(u, iov + n_iov);
		for (int i = 0; i < k; i++)
			add(&msg[runs].msg_hdr, &p[done + i]);
		if (k > 1)
			set_size(&msg[runs].msg_hdr, control[runs], size);
		n_iov += msg[runs].msg_hdr.msg_iovlen;
		sent_by[runs] = done += k;
	}
	went = sendmmsg(u->fd, msg, (unsigned)runs, MSG_DONTWAIT);
	*err = went < 0 ? -errno : went < runs ? -EAGAIN : 0;
	if (went > 0)
		return sent_by[went - 1];
	return *err == -EAGAIN || *err == -ENOBUFS ? 0 : send_single(u, p, sent_by[0], err);
}
