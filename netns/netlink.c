/*
 * netlink: see netlink.h. Each call is one request and its acknowledgement; libnl's own error
 * numbers are turned into errno's. Nothing is cached: a lab makes its links once.
 *
 * Start reading at netlink_veth().
 */
#include "netns/netlink.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/neighbour.h>
#include <stdlib.h>

struct netlink {
	struct nl_sock *sock;
};

static int errno_of(int nl_err);
static int fill_end(struct rtnl_link *link, const struct veth_end *end);
static struct nl_addr *ip_address(uint32_t ip, unsigned prefix);

int netlink_open(struct netlink **out)
{
	struct netlink *nl = calloc(1, sizeof *nl);
	int err;

	if (!nl)
		return -ENOMEM;
	nl->sock = nl_socket_alloc();
	err = nl->sock ? errno_of(nl_connect(nl->sock, NETLINK_ROUTE)) : -ENOMEM;
	if (err) {
		netlink_close(nl);
		return err;
	}
	*out = nl;
	return 0;
}

void netlink_close(struct netlink *nl)
{
	if (!nl)
		return;
	if (nl->sock)
		nl_socket_free(nl->sock);
	free(nl);
}

int netlink_veth(struct netlink *nl, const struct veth_end *here, const struct veth_end *there)
{
	struct rtnl_link *link = rtnl_link_veth_alloc();
	struct rtnl_link *peer = link ? rtnl_link_veth_get_peer(link) : NULL;
	int err = -ENOMEM;

	if (peer) {
		err = fill_end(link, here);
		if (!err)
			err = fill_end(peer, there);
		if (!err)
			err = errno_of(rtnl_link_add(nl->sock, link, NLM_F_CREATE | NLM_F_EXCL));
		rtnl_link_put(peer);
	}
	rtnl_link_put(link);
	return err;
}

int netlink_up(struct netlink *nl, int ifindex)
{
	struct rtnl_link *orig = rtnl_link_alloc(), *change = rtnl_link_alloc();
	int err = -ENOMEM;

	if (orig && change) {
		rtnl_link_set_ifindex(orig, ifindex);
		rtnl_link_set_flags(change, IFF_UP);
		err = errno_of(rtnl_link_change(nl->sock, orig, change, 0));
	}
	rtnl_link_put(orig);
	rtnl_link_put(change);
	return err;
}

int netlink_address(struct netlink *nl, int ifindex, uint32_t ip, unsigned prefix)
{
	struct rtnl_addr *a = rtnl_addr_alloc();
	struct nl_addr *local = ip_address(ip, prefix);
	int err = -ENOMEM;

	if (a && local) {
		rtnl_addr_set_ifindex(a, ifindex);
		err = errno_of(rtnl_addr_set_local(a, local));
		if (!err)
			err = errno_of(rtnl_addr_add(nl->sock, a, 0));
	}
	nl_addr_put(local);
	rtnl_addr_put(a);
	return err;
}

int netlink_neighbour(struct netlink *nl, int ifindex, uint32_t ip, const uint8_t mac[6])
{
	struct rtnl_neigh *n = rtnl_neigh_alloc();
	struct nl_addr *dst = ip_address(ip, 32), *lladdr = nl_addr_build(AF_LLC, mac, 6);
	int err = -ENOMEM;

	if (n && dst && lladdr) {
		rtnl_neigh_set_ifindex(n, ifindex);
		rtnl_neigh_set_lladdr(n, lladdr);
		rtnl_neigh_set_state(n, NUD_PERMANENT);
		err = errno_of(rtnl_neigh_set_dst(n, dst));
		if (!err)
			err = errno_of(rtnl_neigh_add(nl->sock, n, NLM_F_CREATE | NLM_F_REPLACE));
	}
	nl_addr_put(lladdr);
	nl_addr_put(dst);
	rtnl_neigh_put(n);
	return err;
}

static int fill_end(struct rtnl_link *link, const struct veth_end *end)
{
	rtnl_link_set_name(link, end->name);
	rtnl_link_set_mtu(link, (unsigned)end->mtu_bytes);
	if (end->ns_fd >= 0)
		rtnl_link_set_ns_fd(link, end->ns_fd);
	if (end->mac) {
		struct nl_addr *a = nl_addr_build(AF_LLC, end->mac, 6);

		if (!a)
			return -ENOMEM;
		rtnl_link_set_addr(link, a);
		nl_addr_put(a);
	}
	return 0;
}

static struct nl_addr *ip_address(uint32_t ip, unsigned prefix)
{
	uint32_t net = htonl(ip);
	struct nl_addr *a = nl_addr_build(AF_INET, &net, sizeof net);

	if (a)
		nl_addr_set_prefixlen(a, (int)prefix);
	return a;
}

static int errno_of(int nl_err)
{
	switch (nl_err < 0 ? -nl_err : nl_err) {
	case NLE_SUCCESS:
		return 0;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_EXIST:
		return -EEXIST;
	case NLE_OBJ_NOTFOUND:
	case NLE_NODEV:
		return -ENODEV;
	case NLE_OPNOTSUPP:
		return -EOPNOTSUPP;
	case NLE_RANGE:
	case NLE_INVAL:
		return -EINVAL;
	case NLE_BUSY:
		return -EBUSY;
	default:
		return -EIO;
	}
}
