/*
 * packet: packets, and beside a long status document its sealed memfd; used by both ends.
 */
#ifndef OWLT_CLIENT_PACKET_H
#define OWLT_CLIENT_PACKET_H

#include "bundle/base/err.h"
#include "bundle/base/view.h"

/* A memfd with these bytes, sealed against every change: its number, or -errno. */
int packet_memfd(struct view bytes) MUST_USE;
/* One packet, without waiting; memfd -1 = none. 0, -EAGAIN, -errno. */
int packet_send(int fd, struct view packet, int memfd) MUST_USE;
/* One packet: its size, 0 at the end, -EAGAIN, -EMSGSIZE (it was longer and is gone), -errno. *memfd: the
 * descriptor that came with it, or -1; further ones are closed. */
int packet_receive(int fd, uint8_t *room, size_t cap, int *memfd) MUST_USE;

/* A document that came as a memfd. */
struct packet_payload {
	int fd;            /* -1: none */
	struct view bytes; /* when mapped */
};

/* Maps it; it must be a memfd, sealed against writing, growing and shrinking, and at most max bytes.
 * 0, -E_REFUSED (not sealed, no memfd), -E_TOO_BIG, -errno. */
int packet_payload_map(struct packet_payload *p, size_t max) MUST_USE;
void packet_payload_close(struct packet_payload *p);

#endif
