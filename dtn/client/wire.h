/*
 * wire: packets with a descriptor beside them, and payloads as sealed memfds; used by both ends.
 */
#ifndef OWLT_CLIENT_WIRE_H
#define OWLT_CLIENT_WIRE_H

#include "bundle/base/err.h"
#include "bundle/base/view.h"

/* A memfd with these parts one after another, sealed against every change: its number, or -errno. */
int wire_memfd(const struct view *part, size_t n) MUST_USE;
/* One packet; memfd -1 = none. 0, -EAGAIN (only without `wait`), -errno. */
int wire_send(int fd, struct view packet, int memfd, bool wait) MUST_USE;
/* One packet: its size, 0 at the end, -EAGAIN, -EMSGSIZE (it was longer and is gone), -errno. *memfd: the
 * descriptor that came with it, or -1; further ones are closed. */
int wire_receive(int fd, uint8_t *room, size_t cap, int *memfd) MUST_USE;

/* A payload that came as a memfd. */
struct wire_payload {
	int fd;		   /* -1: none */
	struct view bytes; /* when mapped */
};

/* Maps it; it must be a memfd, sealed against writing, growing and shrinking, and at most max bytes.
 * 0, -E_REFUSED (not sealed, no memfd), -E_TOO_BIG, -errno. */
int wire_payload_map(struct wire_payload *p, size_t max) MUST_USE;
void wire_payload_close(struct wire_payload *p);

#endif
