/*
 * cl: the interface of a convergence layer: one core per link, with the five verbs. The node tells it
 * link cues (a layer never reads the plan), asks whether a bundle may be offered, offers it, and
 * sends the packets it gives. A new layer is one file, one row in cl_find(), a fuzz target, a
 * scenario and a line in the man page.
 * RFC 9171 7.2/d1
 */
#ifndef OWLT_CONVERGENCE_CL_H
#define OWLT_CONVERGENCE_CL_H

#include "bundle/base/err.h"
#include "bundle/base/slice.h"
#include "bundle/base/time.h"
#include "bundle/base/view.h"

#define PKT_PARTS 4

/* What the plan, or a discovered contact, says of the link now. */
struct link_cue {
	bool tx_open, rx_open;
	uint64_t rate_bps;   /* 0: no limit. Counts frames as captured */
	int64_t owlt_us;     /* now */
	int64_t owlt_max_us; /* over the contact */
	mono until;          /* end of the contact at the transmitter */
};

/* A bundle to send. head and tail live until cl->sent or the next turn, whichever is first: a core that
 * keeps a bundle longer keeps its own copy of them; the payload is a slice. */
struct cl_bundle {
	uint64_t id;
	struct view head, tail;
	struct slice payload;
	uint64_t size_bytes; /* head + payload + tail */
};

/* One packet to put on the wire: buf is the caller's room for header bytes; parts name, in order, what is
 * sent: views (into buf, head, tail) or slices the node resolves. */
struct pkt_part {
	struct view bytes;  /* when slice.len == 0 */
	struct slice slice; /* stored bytes */
};
struct pkt {
	uint8_t *buf;
	size_t cap;
	struct pkt_part part[PKT_PARTS];
	unsigned n_parts;
	uint64_t cookie;    /* given back in sent() */
	size_t frame_bytes; /* as captured on the wire, for pacing */
};

enum cl_ev { CL_BUNDLE, CL_SENT, CL_SEND_FAILED, CL_KEEPALIVE, CL_IGNORED };
struct cl_event {
	enum cl_ev type;
	uint64_t id;       /* CL_SENT, CL_SEND_FAILED: the bundle */
	struct view bytes; /* CL_BUNDLE: a whole bundle; lives until the next input or turn */
	mono tx_end;       /* CL_SENT: when its last bit leaves */
	uint64_t frame_bytes;
	bool is_full;    /* CL_SEND_FAILED: for want of room in the shell, which will ask again */
	const char *why; /* CL_IGNORED: stable word, for the counter */
};

struct cl;

struct cl_cfg {
	uint64_t mtu_bytes; /* of the IP packet */
	bool ip6;
	int64_t keepalive_us; /* 0 = none; at least 15 s by RFC 7122 3.5.2 */
	int64_t guard_us; /* nothing is started that could end later than this before the contact does */
	int64_t burst_us; /* how much pacing may catch up after a late wake-up */
};

struct cl_ops {
	const char *name;
	struct cl *(*new)(const struct cl_cfg *cfg);
	void (*free)(struct cl *c);
	void (*cue)(struct cl *c, mono now, const struct link_cue *cue);
	/* May a bundle be offered now? *max_bytes: the largest that fits (MTU, rest of the contact). False: not
	 * now; deadline() says when to ask again. */
	bool (*ready)(struct cl *c, mono now, uint64_t *max_bytes);
	/* Takes a bundle for sending. 0, -E_TOO_BIG, -E_CLOSED, -E_AGAIN. */
	int (*send)(struct cl *c, mono now, const struct cl_bundle *b);
	int (*input)(struct cl *c, mono now, struct view bytes);
	bool (*output)(struct cl *c, mono now, struct pkt *p);
	void (*sent)(struct cl *c, mono now, uint64_t cookie, int err);
	mono (*deadline)(const struct cl *c);
	void (*tick)(struct cl *c, mono now);
	bool (*event)(struct cl *c, struct cl_event *ev);
	/* The largest bundle that can ever pass: MTU less headers. */
	uint64_t (*max_bundle)(const struct cl *c);
	bool has_acks; /* the layer tells when the peer has a bundle */
};

struct cl {
	const struct cl_ops *ops;
};

/* By name ("udp"); NULL if there is none. */
const struct cl_ops *cl_find(const char *name);

#endif
