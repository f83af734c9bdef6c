/*
 * wire: see wire.h. AF_PACKET, SOCK_RAW, ETH_P_ALL, PACKET_IGNORE_OUTGOING (our own frames don't come back).
 * The kernel stamps arrivals in CLOCK_REALTIME (SO_TIMESTAMPNS); they become CLOCK_MONOTONIC by the
 * difference of the two clocks read beside each batch. A stamp in the future, or more than a second old
 * (someone set the clock), is replaced by "now".
 *
 * Where we may not have a large socket buffer (SO_RCVBUFFORCE asks for CAP_NET_ADMIN outside any user namespace; the
 * system's limit of some 200 KiB is three large frames), frames come through a ring in memory of our own
 * instead (PACKET_RX_RING, TPACKET_V2: one slot a frame, no delay), which the limit does not count.
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
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif
#define SOCKET_BYTES (64 << 20)
#define RING_SLOT_BYTES (128u << 10)
#define RING_SLOTS 256u
/* Where a slot tells the interface: behind its header, aligned (TPACKET_ALIGN mixes signs). */
#define SLOT_ADDRESS                                                                               \
	((sizeof(struct tpacket2_hdr) + TPACKET_ALIGNMENT - 1) / TPACKET_ALIGNMENT *               \
		TPACKET_ALIGNMENT)
#define SEND_PATIENCE 100 /* polls of 1 ms for a full queue */

struct slot {
	struct sockaddr_ll from;
	struct iovec iov;
	char control[CMSG_SPACE(sizeof(struct timespec))];
	uint8_t bytes[WIRE_FRAME_MAX];
};

struct wire {
	int fd;
	uint8_t *ring;         /* NULL: frames are received by recvmmsg */
	unsigned next, n_lent; /* slots: the next to look at; lent to the caller before it */
	struct mmsghdr msg[WIRE_BATCH];
	struct slot slot[WIRE_BATCH];
};

static int set_options(struct wire *w, enum wire_room room);
static int set_ring(struct wire *w);
static int receive_ring(struct wire *w, struct wire_frame *f);
static int64_t plausible(int64_t at, int64_t now);
static void arm(struct wire *w, unsigned k);
static int64_t stamp_of(struct msghdr *h, int64_t real_minus_mono, int64_t now);
static void fill(
	struct mmsghdr *m, struct sockaddr_ll *to, struct iovec *iov, const struct wire_frame *f);

int wire_open(struct wire **out, int ifindex, enum wire_room room)
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
		err = set_options(w, room);
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
	if (w->ring)
		munmap(w->ring, (size_t)RING_SLOT_BYTES * RING_SLOTS);
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

	if (w->ring)
		return receive_ring(w, f);
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

static int set_options(struct wire *w, enum wire_room room)
{
	const int on = 1, bytes = SOCKET_BYTES;
	int fd = w->fd;

	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) < 0)
		return -errno;
	if (room == WIRE_SMALL)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
	return setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0 ? set_ring(w)
										    : 0;
}

static int set_ring(struct wire *w)
{
	const int version = TPACKET_V2;
	const struct tpacket_req req = {.tp_block_size = RING_SLOT_BYTES,
		.tp_block_nr = RING_SLOTS,
		.tp_frame_size = RING_SLOT_BYTES,
		.tp_frame_nr = RING_SLOTS};
	void *p;

	if (setsockopt(w->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) < 0)
		return -errno;
	if (setsockopt(w->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof req) < 0)
		return -errno;
	p = mmap(NULL, (size_t)RING_SLOT_BYTES * RING_SLOTS, PROT_READ | PROT_WRITE, MAP_SHARED,
		w->fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	w->ring = p;
	return 0;
}

/* Slots lent by the last call go back to the kernel first. */
static int receive_ring(struct wire *w, struct wire_frame *f)
{
	int64_t now = clock_now_ns(CLOCK_MONOTONIC), offset = clock_now_ns(CLOCK_REALTIME) - now;
	unsigned n = 0;

	for (unsigned k = w->n_lent; k > 0; k--) {
		unsigned slot = (w->next + RING_SLOTS - k) % RING_SLOTS;
		struct tpacket2_hdr *h = (void *)(w->ring + (size_t)slot * RING_SLOT_BYTES);

		__atomic_store_n(&h->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	}
	for (; n < WIRE_BATCH; n++) {
		struct tpacket2_hdr *h = (void *)(w->ring + (size_t)w->next * RING_SLOT_BYTES);
		const struct sockaddr_ll *from = (const void *)((uint8_t *)h + SLOT_ADDRESS);

		if (!(__atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
			break;
		f[n].ifindex = from->sll_ifindex;
		f[n].mono_ns = plausible((int64_t)h->tp_sec * NS_PER_S + h->tp_nsec - offset, now);
		f[n].bytes = view_of((uint8_t *)h + h->tp_mac, h->tp_snaplen);
		w->next = (w->next + 1) % RING_SLOTS;
	}
	w->n_lent = n;
	return (int)n;
}

static int64_t plausible(int64_t at, int64_t now)
{
	return at <= now && at > now - NS_PER_S ? at : now;
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

			memcpy(&ts, CMSG_DATA(c), sizeof ts);
			return plausible(ts.tv_sec * NS_PER_S + ts.tv_nsec - real_minus_mono, now);
		}
	return now;
}

static void fill(
	struct mmsghdr *m, struct sockaddr_ll *to, struct iovec *iov, const struct wire_frame *f)
{
	union {
		const void *in;
		void *out; /* sendmmsg does not write to it */
	} bytes = {.in = f->bytes.p};

	*to = (struct sockaddr_ll){
		.sll_family = AF_PACKET, .sll_ifindex = f->ifindex, .sll_halen = 6};
	memcpy(to->sll_addr, f->bytes.p, 6);
	*iov = (struct iovec){.iov_base = bytes.out, .iov_len = f->bytes.n};
	*m = (struct mmsghdr){.msg_hdr = {.msg_name = to,
				      .msg_namelen = sizeof *to,
				      .msg_iov = iov,
				      .msg_iovlen = 1}};
}
