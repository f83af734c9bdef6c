/*
 * owlt.h: libowlt, the C library for applications of an Owlt node. An application connects to the
 * node's socket, sends bundles, registers endpoints and takes what arrives for them. Link with
 * -lowlt; libowlt(3) has examples.
 *
 * Errors: 0 or a negative number (-errno or one of Owlt's own, owlt_error_text() tells). A connection
 * belongs to one thread. Texts are UTF-8; endpoint IDs are text such as "ipn:2.1".
 */
#ifndef OWLT_H
#define OWLT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct owlt;

/* Room for an endpoint ID as text. */
#define OWLT_EID_MAX 1100

/* Connects to the node at `socket`; NULL: OWLT_SOCKET, else $XDG_RUNTIME_DIR/owlt/owltd.sock where it
 * is there, else /run/owlt/owltd.sock. Blocks until the node has answered. */
int owlt_open(const char *socket, struct owlt **out);
/* Ends the connection and its registrations. NULL is fine. */
void owlt_close(struct owlt *o);
/* A sentence for an error number of either sign. */
const char *owlt_error_text(int err);

/* Node ID of the node, such as "ipn:1.0". */
const char *owlt_node(const struct owlt *o);
/* Lab time in microseconds: real time scaled as the node's lab says, real time without a lab. */
int64_t owlt_now_us(const struct owlt *o);
/* Milliseconds of real time until lab time is at_us, rounded up; 0 when it is over. For timeouts. */
int owlt_wait_ms(const struct owlt *o, int64_t at_us);
/* DTN time (ms since 2000-01-01 UTC) at lab time 0. */
uint64_t owlt_dtn0_ms(const struct owlt *o);
/* The socket, for poll(): when it can be read, call owlt_event(). */
int owlt_fd(const struct owlt *o);

/* Report bits and others for owlt_send.flags, RFC 9171 4.2.3. */
#define OWLT_NO_FRAGMENT 0x000004u
#define OWLT_REPORT_RECEIVED 0x004000u
#define OWLT_REPORT_FORWARDED 0x010000u
#define OWLT_REPORT_DELIVERED 0x020000u
#define OWLT_REPORT_DELETED 0x040000u
/* Words of ours beside them: reports in compressed form (CCSDS 734.6), which can also tell that a
 * custodian took custody, or would not. The bundle is not fragmented then. */
#define OWLT_COMPRESSED 0x01000000u
#define OWLT_REPORT_CUSTODY_ACCEPTED 0x02000000u
#define OWLT_REPORT_CUSTODY_REFUSED 0x04000000u

struct owlt_send {
	const char *dest;      /* required */
	const char *source;    /* an endpoint of the node; NULL: anonymous, "dtn:none" */
	const char *report_to; /* NULL: the source */
	uint64_t lifetime_ms;  /* 0: one day */
	uint64_t flags;
	unsigned priority; /* 0 bulk, 1 standard, 2 expedited */
	unsigned crc;      /* 0: the node's choice; 1 none, 2 CRC-16, 3 CRC-32C */
	bool custody;
	const void *payload;
	size_t size; /* bytes; a payload of any size may be sent, above 64 KiB it goes in parts */
};

/* Hands a bundle over and waits until the node has it on disk (or refuses it). *created_ms and *seq, with
 * the source, name the bundle; both may be NULL. */
int owlt_send(struct owlt *o, const struct owlt_send *s, uint64_t *created_ms, uint64_t *seq);
/* Hands a bundle over without waiting; the answer is an event with this tag. At most 64 may be open:
 * more is -EAGAIN. */
int owlt_send_start(struct owlt *o, const struct owlt_send *s, uint64_t *tag);

/* The same for what should not be in memory as a whole: s->size is the size, s->payload is not used. The bytes
 * follow in order by owlt_send_part(), which waits while the node has no room for more. The answer is an
 * event with this tag, after the last byte (OWLT_REFUSED may come before; then owlt_send_part() returns
 * -ECANCELED). */
int owlt_send_open(struct owlt *o, const struct owlt_send *s, uint64_t *tag);
int owlt_send_part(struct owlt *o, uint64_t tag, const void *bytes, size_t size);
/* The rest will not come; the answer is OWLT_REFUSED. */
int owlt_send_cancel(struct owlt *o, uint64_t tag);

/* Gives up a bundle that was sent from this node: what is still here of it is deleted. source, created_ms and
 * seq name it, as owlt_send() gave them. -E_UNKNOWN: nothing of it is here any more. */
int owlt_cancel(struct owlt *o, const char *source, uint64_t created_ms, uint64_t seq);

/* Registers an endpoint; eid "" chooses a free service. The text of the one given goes to `endpoint` (OWLT_EID_MAX
 * bytes, may be NULL). At most `credit` (1 to 64) deliveries are unacknowledged at any time.
 * keep: bundles go on being kept for it when the connection has ended. */
int owlt_register(struct owlt *o, const char *eid, unsigned credit, bool keep, char *endpoint,
	uint32_t *registration);
int owlt_unregister(struct owlt *o, uint32_t registration);

enum owlt_event_type {
	OWLT_ACCEPTED = 1, /* tag: the bundle is on disk; source, created_ms, seq */
	OWLT_REFUSED,      /* tag: err */
	OWLT_DELIVERY,     /* a bundle; answer with owlt_ack() */
	OWLT_ACKED,        /* the acknowledgement of `id` is on disk */
	OWLT_GONE          /* the node has ended the connection */
};

struct owlt_event {
	enum owlt_event_type type;
	uint64_t tag;
	int err;
	uint32_t registration;
	uint64_t id; /* for owlt_ack */
	const char *source, *dest;
	uint64_t created_ms, seq, lifetime_ms, flags;
	/* ACCEPTED: sequence and number by which compressed reports name it; report_id 0: none */
	uint64_t report_id, report_no;
	bool redelivered; /* may have been handed over before */
	/* NULL where size is above 64 KiB, or above 2 KiB and much waits to be read: owlt_read() */
	const void *payload;
	uint64_t size;
};

/* The next event. timeout_ms in real time: 0 does not wait, negative waits for ever. 1 and *ev (texts and
 * payload live until the next call on this connection), 0 when the time is over, or negative. */
int owlt_event(struct owlt *o, struct owlt_event *ev, int timeout_ms);
/* Bytes of a delivered payload from `offset` on, before it is acknowledged: how many (fewer than `size` only
 * at its end), or negative. */
int64_t owlt_read(struct owlt *o, uint32_t registration, uint64_t id, uint64_t offset, void *bytes,
	size_t size);
/* The application has a delivered bundle for good: the node may forget it. */
int owlt_ack(struct owlt *o, uint32_t registration, uint64_t id);

/* What the node knows, as a JSON document: what = "" (summary), "nodes", "bundles", "links", "custody",
 * "tunnels", "plan" or "contact_plan". Lives until the next call. */
int owlt_status(struct owlt *o, const char *what, const char **json, size_t *size);

#ifdef __cplusplus
}
#endif

#endif
