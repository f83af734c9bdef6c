/*
 * measure: what this machine's emulator can do, and what a topology asks of it. The trial sends, takes and
 * passes on frames of 1400 bytes over a veth pair of its own, all in one thread, so the figure
 * includes a sender's cost and is on the safe side.
 */
#include "netns/emulator.h"
#include "netns/netlink.h"
#include "netns/space.h"

#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define TRIAL_NS (100 * NS_PER_MS)
#define PATIENCE_NS (5 * NS_PER_S)
#define TRIAL_FRAME_BYTES 1400u

struct edge {
	mono at;
	double change_bps;
};

static int set_up_pair(int *near, int *far);
static int trial(struct wire *node, struct wire *emulator, const int ifindex[2], uint64_t *per_s);
static int by_time(const void *a, const void *b);

int measure_capacity(int ns_fd, uint64_t *frames_per_s)
{
	struct wire *node = NULL, *emulator = NULL;
	int ifindex[2] = {0, 0};
	int own = space_new_net();
	int back, err = own < 0 ? own : set_up_pair(&ifindex[0], &ifindex[1]);

	if (!err)
		err = wire_open(&node, ifindex[0], WIRE_SMALL);
	if (!err)
		err = wire_open(&emulator, ifindex[1], WIRE_LARGE);
	if (!err)
		err = trial(node, emulator, ifindex, frames_per_s);
	wire_close(node);
	wire_close(emulator);
	if (own >= 0)
		close(own);
	back = space_enter_net(ns_fd);
	return err ? err : back;
}

double measure_need(const struct topo *t, double speed)
{
	const struct plan *p = t->plan;
	size_t n = 0, cap = p ? 2 * p->n_contacts : 0;
	struct edge *edge = calloc(cap + 1, sizeof *edge);
	double now = 0, most = 0;

	for (size_t k = 0; !p && k < t->n_links; k++)
		most += (double)t->link[k].a_to_b.rate_bps + (double)t->link[k].b_to_a.rate_bps;
	for (size_t k = 0; edge && p && k < p->n_contacts; k++) {
		const struct contact *c = &p->contact[k];

		edge[n++] = (struct edge){c->start, (double)c->rate_bps};
		edge[n++] = (struct edge){c->end, -(double)c->rate_bps};
	}
	if (edge)
		qsort(edge, n, sizeof *edge, by_time);
	for (size_t k = 0; k < n; k++) {
		now += edge[k].change_bps;
		most = now > most ? now : most;
	}
	free(edge);
	return most * speed / (8.0 * TRIAL_FRAME_BYTES);
}

static int set_up_pair(int *near, int *far)
{
	const struct veth_end a = {.name = "near", .mtu_bytes = 65535, .ns_fd = -1};
	const struct veth_end b = {.name = "far", .mtu_bytes = 65535, .ns_fd = -1};
	struct netlink *nl;
	int err = netlink_open(&nl);

	if (err)
		return err;
	err = netlink_veth(nl, &a, &b);
	*near = (int)if_nametoindex("near");
	*far = (int)if_nametoindex("far");
	if (!err)
		err = netlink_up(nl, *near);
	if (!err)
		err = netlink_up(nl, *far);
	netlink_close(nl);
	return err;
}

static int trial(struct wire *node, struct wire *emulator, const int ifindex[2], uint64_t *per_s)
{
	static const uint8_t zeros[TRIAL_FRAME_BYTES];
	struct wire_frame out[WIRE_BATCH], in[WIRE_BATCH];
	bool is_sent[WIRE_BATCH];
	int64_t start = clock_now_ns(CLOCK_MONOTONIC), now = start;
	uint64_t n_frames = 0;

	for (unsigned k = 0; k < WIRE_BATCH; k++)
		out[k] = (struct wire_frame){
			.ifindex = ifindex[0], .bytes = view_of(zeros, sizeof zeros)};
	/* A new pair does not carry frames at once. */
	for (int n = 0; n == 0 && now - start < PATIENCE_NS; now = clock_now_ns(CLOCK_MONOTONIC)) {
		wire_send(node, out, 1, is_sent);
		poll(&(struct pollfd){.fd = wire_fd(emulator), .events = POLLIN}, 1, 2);
		n = wire_receive(emulator, in);
		if (n < 0)
			return n;
	}
	start = now;
	while (now - start < TRIAL_NS) {
		int n;

		wire_send(node, out, WIRE_BATCH, is_sent);
		n = wire_receive(emulator, in);
		if (n < 0)
			return n;
		for (int k = 0; k < n; k++)
			in[k].ifindex = ifindex[1];
		wire_send(emulator, in, (unsigned)n, is_sent);
		while (n > 0 && wire_receive(node, in) == (int)WIRE_BATCH)
			continue;
		n_frames += (uint64_t)n;
		now = clock_now_ns(CLOCK_MONOTONIC);
	}
	*per_s = (uint64_t)((double)n_frames * 1e9 / (double)(now - start));
	return 0;
}

/* At equal times what closes comes first. */
static int by_time(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return (x->change_bps > y->change_bps) - (x->change_bps < y->change_bps);
}
