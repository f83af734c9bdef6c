/*
 * netlink: the few requests to the kernel's rtnetlink that a lab needs. netlink.c alone sees libnl.
 * A handle speaks to the network namespace that the process was in when it was opened, for good.
 */
#ifndef OWLT_NETNS_NETLINK_H
#define OWLT_NETNS_NETLINK_H

#include "bundle/base/err.h"

#include <stdint.h>

struct netlink;

/* One end of a veth pair. */
struct veth_end {
	const char *name;   /* at most 15 bytes */
	const uint8_t *mac; /* 6 bytes; NULL: the kernel's choice */
	uint64_t mtu_bytes;
	int ns_fd; /* the namespace it is made in; -1: the handle's own */
};

/* 0 or -errno. */
int netlink_open(struct netlink **out) MUST_USE;
void netlink_close(struct netlink *nl);
/* Makes a pair, each end at once in its own namespace, both still down (a pair that is made with
 * IFF_UP fails with ENOTCONN). */
int netlink_veth(
	struct netlink *nl, const struct veth_end *here, const struct veth_end *there) MUST_USE;
int netlink_up(struct netlink *nl, int ifindex) MUST_USE;
/* IPv4 addresses are numbers in host order. */
int netlink_address(struct netlink *nl, int ifindex, uint32_t ip, unsigned prefix) MUST_USE;
/* A permanent neighbour: no ARP is ever sent for it. */
int netlink_neighbour(struct netlink *nl, int ifindex, uint32_t ip, const uint8_t mac[6]) MUST_USE;

#endif
