/*
 * probe: a veth pair that is up does not carry frames at once: the kernel connects its queues from a work
 * item, and until then swallows what is sent without an error (seen: more than 100 ms while other
 * namespaces were being torn down). So each pair is tried in both directions before the lab begins, with
 * frames of a local experimental type that no one listens to.
 */
#include "netns/lab.h"
#include "netns/wire.h"

#include <net/if.h>
#include <poll.h>
#include <stdlib.h>

#define PATIENCE_NS (10 * NS_PER_S)
#define PROBE_BYTES 60u

/* One veth pair: node's end and ours; seen: which direction has carried a frame. */
struct pair {
	int near, far;
	bool is_near_seen, is_far_seen;
};

static int probe_node(struct lab *l, size_t node, struct wire *far);
static int probe_pairs(struct pair *pair, size_t n, struct wire *near, struct wire *far);
static void send_probe(struct wire *w, int ifindex);
static int take_probes(struct wire *w, struct pair *pair, size_t n, bool is_far);

int probe_links(struct lab *l)
{
	struct wire *far = NULL;
	int err = space_enter_net(l->links_ns);

	if (!err)
		err = wire_open(&far, 0, WIRE_SMALL);
	for (size_t k = 0; !err && k < l->topo->n_nodes; k++)
		err = probe_node(l, k, far);
	wire_close(far);
	return err;
}

static int probe_node(struct lab *l, size_t node, struct wire *far)
{
	struct pair *pair = calloc(2 * l->topo->n_links + 1, sizeof *pair);
	struct wire *near = NULL;
	size_t n = 0;
	int err = pair ? space_enter_net(l->node[node].ns_fd) : -ENOMEM;

	if (!err)
		err = wire_open(&near, 0, WIRE_SMALL);
	for (unsigned k = 0; !err && k < 2 * l->topo->n_links; k++) {
		const struct topo_link *t = &l->topo->link[k / 2];
		char name[IFNAMSIZ];

		if ((k % 2 == 0 ? t->a : t->b) != node)
			continue;
		build_near_name(l, k / 2, name);
		pair[n++] = (struct pair){
			.near = (int)if_nametoindex(name), .far = l->ifindex[k / 2][k % 2]};
	}
	if (!err)
		err = probe_pairs(pair, n, near, far);
	wire_close(near);
	free(pair);
	return err;
}

static int probe_pairs(struct pair *pair, size_t n, struct wire *near, struct wire *far)
{
	int64_t end = clock_now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
	size_t seen = 0;
	int err = 0;

	while (!err && seen < n) {
		struct pollfd p[2] = {{.fd = wire_fd(near), .events = POLLIN},
			{.fd = wire_fd(far), .events = POLLIN}};

		if (clock_now_ns(CLOCK_MONOTONIC) > end)
			return -ETIMEDOUT;
		for (size_t k = 0; k < n; k++) {
			if (!pair[k].is_far_seen)
				send_probe(near, pair[k].near);
			if (!pair[k].is_near_seen)
				send_probe(far, pair[k].far);
		}
		poll(p, 2, 2);
		err = take_probes(near, pair, n, false);
		if (!err)
			err = take_probes(far, pair, n, true);
		seen = 0;
		for (size_t k = 0; k < n; k++)
			seen += pair[k].is_near_seen && pair[k].is_far_seen;
	}
	return err;
}

static void send_probe(struct wire *w, int ifindex)
{
	static const uint8_t probe[PROBE_BYTES] = {2, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0x88, 0xb5};
	const struct wire_frame f = {.ifindex = ifindex, .bytes = view_of(probe, sizeof probe)};
	bool is_sent;

	wire_send(w, &f, 1, &is_sent);
}

static int take_probes(struct wire *w, struct pair *pair, size_t n, bool is_far)
{
	struct wire_frame f[WIRE_BATCH];
	int got;

	while ((got = wire_receive(w, f)) > 0)
		for (size_t k = 0; k < n; k++)
			for (int i = 0; i < got; i++)
				if (is_far && f[i].ifindex == pair[k].far)
					pair[k].is_far_seen = true;
				else if (!is_far && f[i].ifindex == pair[k].near)
					pair[k].is_near_seen = true;
	return got;
}
