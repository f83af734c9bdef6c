/*
 * owlt bench udp: two owltd on 127.0.0.1 with memory stores. N bundles are given to the first while
 * its contact is closed; when it opens they leave as fast as they can, and what the second one counts
 * is the node-to-node rate. Beside it: the bare
 * limit, one process calling sendmmsg and another recvmmsg with datagrams of the same size.
 * Loss is what the receiver's socket did not keep: nothing is paced here. Start reading at bench_udp.
 */
#include "dtn/io/udp.h"
#include "tools/bench_pair.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define BARE_NS 400000000u
#define PINGS 100

static int measure(struct out *o, struct pair *p, size_t payload, size_t n);
static int bare(struct out *o, struct pair *p, size_t payload);
static int ping(struct out *o, struct pair *p);

int bench_udp(struct out *o)
{
	static const struct {
		size_t payload, n;
	} rows[] = {{100, 20000}, {1000, 20000}, {10000, 6000}, {60000, 1500}};
	struct pair p = {.rate = "40G", .config = "\"agent\":{\"echo_per_s\":100000},"};
	int code = pair_init(&p);

	for (size_t i = 0; !code && i < sizeof rows / sizeof rows[0]; i++) {
		code = pair_start(&p);
		if (!code)
			code = measure(o, &p, rows[i].payload, rows[i].n);
		if (!code && i == 0)
			code = ping(o, &p);
		pair_stop(&p);
		if (!code)
			code = bare(o, &p, rows[i].payload);
	}
	return code;
}

static int measure(struct out *o, struct pair *p, size_t payload, size_t n)
{
	uint64_t last_ns = p->open_ns, got = 0, before;
	struct pair_cpu from[2], to[2];
	double cpu[2];
	char note[160], name[64];
	int err = pair_load(p, payload, n, false);

	if (err || bench_now_ns() > p->open_ns)
		return out_fail("bench udp: %zu bundles of %zu B: %s", n, payload,
			err ? owlt_error_text(err) : "giving them to the node took too long here");
	pair_wait(p);
	for (int k = 0; k < 2; k++)
		from[k] = to[k] = pair_cpu(p, k);
	do {
		before = got;
		got = pair_count(p, 1, "links", "bundles_rx");
		for (int k = 0; got > before && k < 2; k++)
			to[k] = pair_cpu(p, k); /* the wait for what was lost costs nobody */
		last_ns = got > before ? bench_now_ns() : last_ns;
		poll(NULL, 0, 10);
	} while (got < n && bench_now_ns() < last_ns + 500000000);
	for (int k = 0; k < 2; k++)
		cpu[k] = to[k].loop - from[k].loop + to[k].others - from[k].others;
	snprintf(name, sizeof name, "node to node, %zu B", payload);
	snprintf(note, sizeof note,
		"%zu bundles, CPU us a bundle: sender %.1f, receiver %.1f; lost %llu", n,
		cpu[0] / (double)n, cpu[1] / (double)(got ? got : 1),
		(unsigned long long)(n - got));
	bench_figure(o, name, (double)got * 1e9 / (double)(last_ns - p->open_ns), "1/s", note);
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int ping(struct out *o, struct pair *p)
{
	char source[OWLT_EID_MAX], note[80];
	struct owlt_send s = {
		.dest = "ipn:2.7", .source = source, .lifetime_ms = 60000, .size = 64};
	uint8_t payload[64] = {0};
	double us[PINGS];
	struct owlt_event ev;
	uint32_t reg;
	uint64_t tag, from;
	int err = owlt_register(p->node[0], "", 64, false, source, &reg), n = 0;

	s.payload = payload;
	while (!err && n < PINGS) {
		from = bench_now_ns();
		err = owlt_send_start(p->node[0], &s, &tag);
		while (!err && owlt_event(p->node[0], &ev, 2000) == 1 && ev.type != OWLT_DELIVERY)
			;
		if (err || ev.type != OWLT_DELIVERY)
			return out_fail("bench udp: no answer to a ping");
		us[n++] = (double)(bench_now_ns() - from) / 1e3;
		err = owlt_ack(p->node[0], reg, ev.id);
		poll(NULL, 0, 2);
	}
	if (err)
		return out_fail("bench udp: ping: %s", owlt_error_text(err));
	qsort(us, PINGS, sizeof us[0], by_value);
	snprintf(note, sizeof note, "median of %d, idle, memory store; p99 %.0f", PINGS,
		us[PINGS * 99 / 100]);
	bench_figure(o, "ping round trip", us[PINGS / 2], "us", note);
	return 0;
}

/* -- the machine's own limit */

static void bare_send(struct udp *u, size_t payload)
{
	static const uint8_t bytes[65536];
	struct udp_packet pk[UDP_BATCH];
	uint64_t end = bench_now_ns() + BARE_NS;
	int err;

	for (int i = 0; i < UDP_BATCH; i++) {
		pk[i].n_parts = 1;
		pk[i].part[0] = view_of(bytes, payload);
	}
	while (bench_now_ns() < end)
		(void)udp_send(u, pk, UDP_BATCH, &err);
}

static int bare(struct out *o, struct pair *p, size_t payload)
{
	char a[32], b[32], name[64];
	struct udp rx, tx;
	struct udp_rx *room = udp_rx_new();
	uint64_t n = 0, from = 0, last = 0;
	pid_t child;

	snprintf(a, sizeof a, "127.0.0.1:%d", p->port + 2);
	snprintf(b, sizeof b, "127.0.0.1:%d", p->port + 3);
	if (!room || udp_open(&rx, a, b) || udp_open(&tx, b, a))
		return out_fail("bench udp: sockets on %s: %s", a, err_text(errno));
	child = fork();
	if (child == 0) {
		bare_send(&tx, payload);
		_exit(0);
	}
	do {
		struct pollfd f = {.fd = rx.fd, .events = POLLIN};
		int got = udp_receive(&rx, room);

		if (got > 0) {
			from = from ? from : bench_now_ns();
			last = bench_now_ns();
			n += (uint64_t)got;
		} else if (poll(&f, 1, 200) == 0) {
			break;
		}
	} while (child > 0);
	if (child > 0)
		waitpid(child, NULL, 0);
	udp_close(&rx);
	udp_close(&tx);
	udp_rx_free(room);
	snprintf(name, sizeof name, "bare sendmmsg to recvmmsg, %zu B", payload);
	bench_figure(o, name, last > from ? (double)n * 1e9 / (double)(last - from) : 0, "1/s",
		"received");
	return 0;
}
