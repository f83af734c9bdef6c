/*
 * core: a connection to a node without its I/O: messages in, messages and events out. client.c wraps
 * it in blocking calls on a socket; an application with its own loop may drive it itself.
 */
#ifndef OWLT_CLIENT_CORE_H
#define OWLT_CLIENT_CORE_H

#include "dtn/client/owlt.h"
#include "dtn/client/proto.h"

#define CORE_OPEN_MAX 64 /* sends not yet answered */

struct client_core {
	bool is_welcome;
	char node[1100];
	uint64_t mono0_ns, dtn0_ms, speed_ppm;
	uint64_t next_tag;
	uint64_t open[CORE_OPEN_MAX]; /* tags of sends not yet answered */
	unsigned n_open;
};

/* A message to the node. -EAGAIN: too many open requests; -E_OVERFLOW. */
int client_hello(struct client_core *c, struct buf *out) MUST_USE;
/* Without a payload, with its size only, or above PROTO_INLINE_MAX: the payload follows in parts. */
int client_send(
	struct client_core *c, const struct owlt_send *s, struct buf *out, uint64_t *tag) MUST_USE;
bool client_is_open(const struct client_core *c, uint64_t tag);
/* The next bytes, at most PROTO_INLINE_MAX. -E_STATE: the node refused, or the size is reached. */
int client_part(
	const struct client_core *c, uint64_t tag, struct view bytes, struct buf *out) MUST_USE;
int client_request(struct client_core *c, struct proto_msg *m, struct buf *out) MUST_USE;
/* A message from the node. 1: *m is for the application; 0: taken; negative: not a message. */
int client_input(struct client_core *c, struct view packet, struct proto_msg *m) MUST_USE;
/* The event a message stands for, texts and payload left to the caller; false: it is an answer. */
bool client_event_of(const struct proto_msg *m, struct owlt_event *ev);

#endif
