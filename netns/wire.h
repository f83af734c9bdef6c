/*
 * wire: the emulator's one packet socket: every frame that enters any interface of the namespace,
 * in batches, with the kernel's own stamp of its arrival.
 */
#ifndef OWLT_NETNS_WIRE_H
#define OWLT_NETNS_WIRE_H

#include "bundle/base/err.h"
#include "bundle/base/view.h"

#define WIRE_BATCH 64u
#define WIRE_FRAME_MAX 65664u /* MTU 65535, Ethernet header, a VLAN tag, rounded up */

struct wire;

struct wire_frame {
	int ifindex;
	int64_t mono_ns;   /* receiving: when it came in, CLOCK_MONOTONIC */
	struct view bytes; /* receiving: until the next wire_receive() */
};

/* WIRE_LARGE: room for many frames that wait to be received. */
enum wire_room { WIRE_SMALL, WIRE_LARGE };

/* In the namespace the process is in; ifindex 0 = all interfaces. 0 or -errno. */
int wire_open(struct wire **out, int ifindex, enum wire_room room) MUST_USE;
void wire_close(struct wire *w);
int wire_fd(const struct wire *w);
/* Frames that are there now, at most WIRE_BATCH; 0 when none; -errno. */
int wire_receive(struct wire *w, struct wire_frame *f) MUST_USE;
/* Sends up to WIRE_BATCH frames; is_sent[k] tells for each. */
void wire_send(struct wire *w, const struct wire_frame *f, unsigned n, bool *is_sent);
/* Frames lost since the last call because they were not read in time. */
uint64_t wire_overrun(struct wire *w);

#endif
