/*
 * frame: from a captured Ethernet frame to the bundle in it: Ethernet II, IPv4, UDP, UDPCL (RFC 7122:
 * one bundle a datagram, port 4556).
 */
#ifndef OWLT_DATASET_FRAME_H
#define OWLT_DATASET_FRAME_H

#include "bundle/bundle.h"

#define FRAME_UDPCL_PORT 4556u

/* What a frame is; the first that applies. */
enum frame_kind {
	FRAME_BUNDLE,
	FRAME_KEEPALIVE,  /* UDPCL: four zero bytes */
	FRAME_BAD_BUNDLE, /* starts like a bundle, breaks a rule or a CRC */
	FRAME_FRAGMENT,   /* of an IP packet */
	FRAME_ARP,
	FRAME_OTHER,
	FRAME_SHORT, /* ends early */
	FRAME_KINDS
};

const char *frame_kind_name(enum frame_kind kind);

struct frame {
	uint32_t src_ip, dst_ip; /* host order */
	uint16_t src_port, dst_port;
	struct view payload;       /* of the datagram */
	struct bundle bundle;      /* where the kind is FRAME_BUNDLE; views into the frame */
	struct bundle_fault fault; /* FRAME_BAD_BUNDLE */
};

enum frame_kind frame_read(struct view bytes, const struct bundle_rules *rules, struct frame *f);

#endif
