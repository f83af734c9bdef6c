/*
 * wire: see wire.h. AF_PACKET, SOCK_RAW, ETH_P_ALL, PACKET_IGNORE_OUTGOING (our own frames don't come back).
 * The kernel stamps arrivals in CLOCK_REALTIME (SO_TIMESTAMPNS); they become CLOCK_MONOTONIC by the
 * difference of the two clocks read beside each batch. A stamp in the future, or more than a second old
 * (someone set the clock), is replaced by "now".
 *
 * A full send queue is waited for; any other error costs the frame it belongs to.
 */
#include "netns/wire.h"
#include "netns/lab_clock.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif
#define SOCKET_BYTES (64 << 20)
#define SEND_PATIENCE 100 /* polls of 1 ms for a full queue */

struct slot {
	struct sockaddr_ll from;
	struct iovec iov;
	char control[CMSG_SPACE(sizeof(struct timespec))];
	uint8_t bytes[WIRE_FRAME_MAX];
};

struct wire {
	int fd;
	struct mmsghdr msg[WIRE_BATCH];
	struct slot slot[WIRE_BATCH];
};

static int set_options(int fd);
static void arm(struct wire *w, unsigned k);
static int64_t stamp_of(struct msghdr *h, int64_t real_minus_mono, int64_t now);
static void fill(struct mmsghdr *m, struct sockaddr_ll *to, struct iovec *iov,
	const struct wire_frame *f);

int wire_open(struct wire **out, int ifindex)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	struct wire *w = calloc(1, sizeof *w);
	int err = 0;

	if (!w)
		return -ENOMEM;
	/* Protocol 0 until it is set up: no frame slips in with wrong options. */
	w->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (w->fd < 0)
		err = -errno;
	if (!err)
		err = set_options(w->fd);
	at.sll_ifindex = ifindex;
	if (!err && bind(w->fd, (struct sockaddr *)&at, sizeof at) < 0)
		err = -errno;
	if (err) {
		wire_close(w);
		return err;
	}
	*out = w;
	return 0;
}

void wire_close(struct wire *w)
{
	if (!w)
		return;
	if (w->fd >= 0)
		close(w->fd);
	free(w);
}

int wire_fd(const struct wire *w)
{
	return w->fd;
}

int wire_receive(struct wire *w, struct wire_frame *f)
{
	int64_t now, offset;
	int n;

	for (unsigned k = 0; k < WIRE_BATCH; k++)
		arm(w, k);
	n = recvmmsg(w->fd, w->msg, WIRE_BATCH, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR || errno == ENETDOWN ? 0 : -errno;
	now = clock_now_ns(CLOCK_MONOTONIC);
	offset = clock_now_ns(CLOCK_REALTIME) - now;
	for (int k = 0; k < n; k++) {
		f[k].ifindex = w->slot[k].from.sll_ifindex;
		f[k].mono_ns = stamp_of(&w->msg[k].msg_hdr, offset, now);
		f[k].bytes = view_of(w->slot[k].bytes, w->msg[k].msg_len);
	}
	return n;
}

void wire_send(struct wire *w, const struct wire_frame *f, unsigned n, bool *is_sent)
{
	struct mmsghdr msg[WIRE_BATCH];
	struct sockaddr_ll to[WIRE_BATCH];
	struct iovec iov[WIRE_BATCH];
	unsigned done = 0, patience = SEND_PATIENCE;

	for (unsigned k = 0; k < n; k++)
		fill(&msg[k], &to[k], &iov[k], &f[k]);
	while (done < n) {
		int sent = sendmmsg(w->fd, msg + done, n - done, MSG_DONTWAIT);

		for (int k = 0; k < sent; k++)
			is_sent[done++] = true;
		if (sent >= 0)
			continue;
		if ((errno == EAGAIN || errno == ENOBUFS || errno == EINTR) && patience-- > 0)
			poll(&(struct pollfd){.fd = w->fd, .events = POLLOUT}, 1, 1);
		else
			is_sent[done++] = false;
	}
}

uint64_t wire_overrun(struct wire *w)
{
	struct tpacket_stats s = {0};
	socklen_t n = sizeof s;

	return getsockopt(w->fd, SOL_PACKET, PACKET_STATISTICS, &s, &n) < 0 ? 0 : s.tp_drops;
}

static int set_options(int fd)
{
	const int on = 1, bytes = SOCKET_BYTES;

	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) < 0)
		return -errno;
	/* Beyond the system's limit where we may; a small buffer shows in wire_overrun(). */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
	return 0;
}

static void arm(struct wire *w, unsigned k)
{
	struct slot *s = &w->slot[k];

	s->iov = (struct iovec){.iov_base = s->bytes, .iov_len = sizeof s->bytes};
	w->msg[k].msg_hdr = (struct msghdr){.msg_name = &s->from,
		.msg_namelen = sizeof s->from,
		.msg_iov = &s->iov,
		.msg_iovlen = 1,
		.msg_control = s->control,
		.msg_controllen = sizeof s->control};
}

static int64_t stamp_of(struct msghdr *h, int64_t real_minus_mono, int64_t now)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec ts;
			int64_t at;

			memcpy(&ts, CMSG_DATA(c), sizeof ts);
			at = ts.tv_sec * NS_PER_S + ts.tv_nsec - real_minus_mono;
			return at <= now && at > now - NS_PER_S ? at : now;
		}
	return now;
}

static void fill(struct mmsghdr *m, struct sockaddr_ll *to, struct iovec *iov,
	const struct wire_frame *f)
{
	union {
		const void *in;
		void *out; /* sendmmsg does not write to it */
	} bytes = {.in = f->bytes.p};

	*to = (struct sockaddr_ll){.sll_family = AF_PACKET, .sll_ifindex = f->ifindex, .sll_halen = 6};
	memcpy(to->sll_addr, f->bytes.p, 6);
	*iov = (struct iovec){.iov_base = bytes.out, .iov_len = f->bytes.n};
	*m = (struct mmsghdr){.msg_hdr = {.msg_name = to, .msg_namelen = sizeof *to, .msg_iov = iov,
				      .msg_iovlen = 1}};
}
