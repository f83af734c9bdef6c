/*
 * proto: the messages between an application and its node, owlt-protocol(7). One packet of a
 * SOCK_SEQPACKET socket is one message: CBOR [type, tag, {key: value}]. A payload above
 * PROTO_INLINE_MAX goes in PARTs behind its SEND, and is fetched by READ after its DELIVERY, so that
 * neither side ever holds all of it. Absent, zero, empty and false are the same; unknown keys are
 * skipped.
 */
#ifndef OWLT_CLIENT_PROTO_H
#define OWLT_CLIENT_PROTO_H

#include "bundle/base/buf.h"
#include "bundle/base/err.h"

#define PROTO_VERSION 2
#define PROTO_INLINE_MAX 65536 /* bytes of payload inside a message */
#define PROTO_MESSAGE_MAX (PROTO_INLINE_MAX + 8192)
#define PROTO_CREDIT_MAX 64 /* unacknowledged deliveries of a registration */

enum proto_type {
	/* application to node */
	PROTO_HELLO = 1,  /* version */
	PROTO_SEND,       /* dest, payload or size; source, report_to, lifetime_ms, flags ... */
	PROTO_REGISTER,   /* dest (empty: a free service), credit, keep */
	PROTO_CREDIT,     /* registration, credit */
	PROTO_ACK,        /* registration, id */
	PROTO_UNREGISTER, /* registration */
	PROTO_STATUS,     /* text: nodes, bundles, links, custody, plan or empty */
	PROTO_PART,       /* payload: the next bytes of a SEND with size; its tag is the SEND's */
	PROTO_CANCEL,     /* the rest of a SEND will not come; its tag is the SEND's */
	PROTO_READ,       /* registration, id, offset, size: bytes of a delivery */
	PROTO_GIVE_UP, /* source, created_ms, seq: a bundle sent from here, as far as it is still here */
	/* node to application */
	PROTO_WELCOME = 64, /* version, node, mono0_ns, dtn0_ms, speed_ppm */
	PROTO_ACCEPTED, /* of SEND: source, created_ms, seq, report_id, report_no; it is durable */
	PROTO_REFUSED,  /* of any: err, text */
	PROTO_REGISTERED, /* registration, dest */
	PROTO_DELIVERY,   /* registration, id, the bundle: payload, or size to READ */
	PROTO_ACKED,      /* registration, id; delivered for good */
	PROTO_REPORT, /* of STATUS: payload is a JSON document; a long one comes as a sealed memfd */
	PROTO_DONE,   /* of UNREGISTER, CREDIT, GIVE_UP */
	PROTO_PIECE   /* of READ: payload, perhaps less than was asked for; empty: the end */
};

struct proto_msg {
	uint64_t type, tag;
	uint64_t version, mono0_ns, dtn0_ms, speed_ppm;
	struct view node, source, dest, report_to, text, payload;
	uint64_t created_ms, seq, lifetime_ms, flags, priority, crc, size;
	uint64_t registration, credit, id, err, offset, report_id, report_no;
	bool custody, redelivered, keep;
};

/* crc of a SEND: 0 lets the node choose, else 1 + enum crc_type. */

/* Views point into the packet. 0, or negative: not a message. */
int proto_read(struct view packet, struct proto_msg *m) MUST_USE;
void proto_write(struct buf *b, const struct proto_msg *m);

#endif
