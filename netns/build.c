/*
 * build: the namespaces and links of a lab. Each link is two veth pairs: from each node to the
 * namespace of the links, where the emulator joins them. Quiet first, then interfaces, then up.
 *
 * Start reading at build_net().
 */
#include "netns/address.h"
#include "netns/lab.h"
#include "netns/netlink.h"
#include "netns/quiet.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAR_MTU 65535u

static int make_spaces(struct lab *l);
static int new_space(int *ns_fd);
static int make_pairs(struct lab *l);
static int make_pair(struct lab *l, struct netlink *nl, unsigned link, enum side side);
static int set_up_node(struct lab *l, size_t node);
static int set_up_end(const struct lab *l, struct netlink *nl, unsigned link, enum side side);

int build_net(struct lab *l)
{
	const char *what = "network namespaces";
	int err = make_spaces(l);

	if (!err) {
		what = "veth pairs";
		err = make_pairs(l);
	}
	for (size_t k = 0; !err && k < l->topo->n_nodes; k++) {
		what = l->topo->node[k].name;
		err = set_up_node(l, k);
	}
	if (!err) {
		what = "frames over the veth pairs";
		err = probe_links(l);
	}
	if (!err) {
		what = "the namespace of the links";
		err = space_enter_net(l->links_ns);
	}
	if (err)
		fprintf(stderr, "owlt lab: %s: %s\n", what, err_text(err));
	return err;
}

/* The link's own name where an interface may have it. */
void build_near_name(const struct lab *l, unsigned link, char *name)
{
	const char *wish = l->topo->link[link].name;

	if (strlen(wish) < IFNAMSIZ && !strpbrk(wish, "/: \t") && wish[0] != '.' &&
		strcmp(wish, "lo") != 0)
		memcpy(name, wish, strlen(wish) + 1);
	else
		snprintf(name, IFNAMSIZ, "link%u", link);
}

static int make_spaces(struct lab *l)
{
	int err = 0;

	for (size_t k = 0; !err && k < l->topo->n_nodes; k++)
		err = new_space(&l->node[k].ns_fd);
	return err ? err : new_space(&l->links_ns);
}

static int new_space(int *ns_fd)
{
	int fd = space_new_net();

	if (fd < 0)
		return fd;
	*ns_fd = fd;
	return quiet_namespace();
}

static int make_pairs(struct lab *l)
{
	struct netlink *nl;
	int err = netlink_open(&nl);

	if (err)
		return err;
	for (unsigned k = 0; !err && k < l->topo->n_links; k++) {
		err = make_pair(l, nl, k, SIDE_A);
		if (!err)
			err = make_pair(l, nl, k, SIDE_B);
	}
	netlink_close(nl);
	return err;
}

static int make_pair(struct lab *l, struct netlink *nl, unsigned link, enum side side)
{
	const struct topo_link *t = &l->topo->link[link];
	char near[IFNAMSIZ], far[IFNAMSIZ];
	uint8_t mac[6];
	struct veth_end here = {.name = far, .mtu_bytes = FAR_MTU, .ns_fd = -1};
	struct veth_end there = {.name = near,
		.mac = mac,
		.mtu_bytes = t->mtu_bytes,
		.ns_fd = l->node[side == SIDE_A ? t->a : t->b].ns_fd};
	int err;

	snprintf(far, sizeof far, "l%u%c", link, side == SIDE_A ? 'a' : 'b');
	build_near_name(l, link, near);
	address_mac(link, side, mac);
	err = netlink_veth(nl, &here, &there);
	if (err)
		return err;
	l->ifindex[link][side] = (int)if_nametoindex(far);
	err = quiet_interface(far);
	return err ? err : netlink_up(nl, l->ifindex[link][side]);
}

static int set_up_node(struct lab *l, size_t node)
{
	struct netlink *nl;
	int err = space_enter_net(l->node[node].ns_fd);

	if (!err)
		err = netlink_open(&nl);
	if (err)
		return err;
	err = netlink_up(nl, (int)if_nametoindex("lo"));
	for (unsigned k = 0; !err && k < l->topo->n_links; k++) {
		if (l->topo->link[k].a == node)
			err = set_up_end(l, nl, k, SIDE_A);
		if (!err && l->topo->link[k].b == node)
			err = set_up_end(l, nl, k, SIDE_B);
	}
	netlink_close(nl);
	return err;
}

static int set_up_end(const struct lab *l, struct netlink *nl, unsigned link, enum side side)
{
	enum side other = side == SIDE_A ? SIDE_B : SIDE_A;
	char name[IFNAMSIZ];
	uint8_t mac[6];
	int ifindex, err;

	build_near_name(l, link, name);
	ifindex = (int)if_nametoindex(name);
	err = quiet_interface(name);
	if (!err)
		err = netlink_address(nl, ifindex, address_ip(link, side), LAB_PREFIX);
	if (!err)
		err = netlink_up(nl, ifindex);
	address_mac(link, other, mac);
	return err ? err : netlink_neighbour(nl, ifindex, address_ip(link, other), mac);
}
