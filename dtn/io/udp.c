/*
 * udp: recvmmsg and sendmmsg (udp.h). The sockets are not connected: an ICMP error of one datagram
 * must not fail the next, and datagrams of strangers shall be counted rather than vanish.
 * The receive buffers are one block of 64 x 64 KiB for the whole loop.
 */
#include "dtn/io/udp.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SOCKET_BUFFER (8 << 20)

struct udp_rx {
	struct mmsghdr msg[UDP_BATCH];
	struct iovec iov[UDP_BATCH];
	union udp_address from[UDP_BATCH];
	uint8_t *bytes;
};

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

int udp_receive(struct udp *u, struct udp_rx *rx)
{
	int n;

	for (int i = 0; i < UDP_BATCH; i++)
		rx->msg[i].msg_hdr.msg_namelen = sizeof rx->from[i];
	n = recvmmsg(u->fd, rx->msg, UDP_BATCH, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return n;
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
	*ours = same_address(&rx->from[k], &u->remote, u->any_port) &&
		!(rx->msg[k].msg_hdr.msg_flags & MSG_TRUNC);
	return view_of(rx->iov[k].iov_base, rx->msg[k].msg_len);
}

int udp_send(struct udp *u, const struct udp_packet *p, int n, int *err)
{
	struct mmsghdr msg[UDP_BATCH];
	struct iovec iov[UDP_BATCH][UDP_PARTS];
	int went;

	assert(n > 0 && n <= UDP_BATCH);
	memset(msg, 0, (size_t)n * sizeof msg[0]);
	for (int i = 0; i < n; i++) {
		for (unsigned k = 0; k < p[i].n_parts; k++)
			iov[i][k] =
				(struct iovec){(void *)(uintptr_t)p[i].part[k].p, p[i].part[k].n};
		msg[i].msg_hdr.msg_iov = iov[i];
		msg[i].msg_hdr.msg_iovlen = p[i].n_parts;
		msg[i].msg_hdr.msg_name = &u->remote;
		msg[i].msg_hdr.msg_namelen = u->address_len;
	}
	went = sendmmsg(u->fd, msg, (unsigned)n, MSG_DONTWAIT);
	*err = went < 0 ? -errno : went < n ? -EAGAIN : 0;
	return went < 0 ? 0 : went;
}
