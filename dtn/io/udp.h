/*
 * udp: sockets for the UDP convergence layer: nonblocking, large receive buffers, 64 datagrams a
 * system call, and never an IP fragment (IP_MTU_DISCOVER=DO). Only datagrams from the configured
 * remote are a link's; others are told apart, so that they can be counted.
 */
#ifndef OWLT_IO_UDP_H
#define OWLT_IO_UDP_H

#include "bundle/base/err.h"
#include "bundle/base/view.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define UDP_BATCH 64
#define UDP_DATAGRAMS 520 /* that one call can bring */
#define UDP_DATAGRAM_MAX 65535
#define UDP_PARTS 4

union udp_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct udp {
	int fd;
	union udp_address local, remote;
	socklen_t address_len;
	bool any_port; /* the remote may send from another port; set after udp_open() */
	bool in_runs;  /* udp_offload() */
};

/* "192.0.2.1:4556", "[2001:db8::1]:4556"; numbers only, no names. 0 or -E_SYNTAX. */
int udp_address_parse(const char *text, union udp_address *out) MUST_USE;
/* Binds to local. -errno, -E_SYNTAX, -E_CONFIG when the two are of different families. */
int udp_open(struct udp *u, const char *local, const char *remote) MUST_USE;
void udp_close(struct udp *u);
/* From now on runs of datagrams of one size pass the kernel as one (UDP segmentation offload, and its
 * receiving side), where it can: much less CPU on loopback and on cards that do it. Whoever captures on the
 * way sees runs, too. */
void udp_offload(struct udp *u);

/* What came in one call: shared by all sockets of a loop. */
struct udp_rx;
struct udp_rx *udp_rx_new(void);
void udp_rx_free(struct udp_rx *rx);
/* Receives up to UDP_DATAGRAMS datagrams: their number, 0 when none waits, or -errno. */
int udp_receive(struct udp *u, struct udp_rx *rx) MUST_USE;
/* Whether the last call took as many as it could, so that more may wait. */
bool udp_more(const struct udp_rx *rx);
/* The k-th; lives until the next udp_receive. *ours: it came from the remote (any_port: from its
 * address), whole. */
struct view udp_datagram(const struct udp *u, const struct udp_rx *rx, int k, bool *ours);

struct udp_packet {
	struct view part[UDP_PARTS];
	unsigned n_parts;
};
/* Sends n (<= UDP_BATCH) packets. How many went; *err is why the next did not (-EAGAIN: wait until the
 * socket can be written), 0 if all did. */
int udp_send(struct udp *u, const struct udp_packet *p, int n, int *err);

#endif
