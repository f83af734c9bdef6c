/*
 * record: what the agent keeps of a bundle beside its bytes: the value of its row in the store, at
 * most STORE_VALUE_MAX bytes, versioned. Times are dtntime (true time), because mono does not
 * survive.
 */
#ifndef OWLT_AGENT_RECORD_H
#define OWLT_AGENT_RECORD_H

#include "bundle/base/buf.h"
#include "bundle/base/time.h"
#include "bundle/bundle.h"

#define RECORD_VERSION 3u /* 1 is still read */

/* Bits of record.flags. */
#define RECORD_CUSTODY 0x01u   /* own_seq_id, own_seq_no hold */
#define RECORD_LOCAL 0x02u     /* its destination is here */
#define RECORD_HANDED 0x04u    /* may have been given to an application */
#define RECORD_OVERRIDE 0x08u  /* expiry by our own limit */
#define RECORD_PRIVATE 0x10u   /* names a private-use node, RFC 9758 5.5 */
#define RECORD_FRAGMENT 0x20u  /* frag_off, total_len, adu_uid hold */
#define RECORD_MAY_CUT 0x40u   /* nothing in it forbids to fragment it, RFC 9171 5.8 */
#define RECORD_UNPAIRED 0x80u  /* with RECORD_CUSTODY: no pair yet, own_seq_... do not hold */
#define RECORD_IMPORTED 0x200u /* a whole bundle as payload, not yet received: import.c */
#define RECORD_BPLIB 0x100u    /* its custody and reporting blocks are of profile bplib */

struct record {
	uint64_t flags;
	uint64_t uid[2];     /* identity: source, creation, fragment */
	dtntime received_ms; /* or made */
	dtntime expiry_ms;   /* alive until before this */
	uint64_t age_ms;     /* at received_ms, by its age block */
	node_id prev_node;
	uint64_t dest_scheme, dest_service;
	node_id dest_node;
	uint64_t size_bytes, payload_bytes, tail_bytes;
	uint64_t discard;              /* blocks to leave out when forwarding, RFC 9171 5.6-4 */
	uint64_t hop_limit, hop_count; /* limit 0: no such block */
	uint64_t priority;
	uint64_t own_seq_id, own_seq_no;
	/* since version 2 */
	node_id source_node; /* for its quota, party.c */
	/* since version 3 */
	uint64_t frag_off, total_len; /* a fragment's place in its ADU */
	uint64_t adu_uid[2];          /* identity of the bundle that was fragmented */
	uint64_t sent_bytes;          /* of its payload have left as fragments, from the front */
};

/* Of a bundle from a file, to be stored as a whole and received at the next start. */
void record_import(struct record *r, const struct bundle *b, dtntime now);
/* The value's bytes. */
void record_encode(struct buf *b, const struct record *r);
/* Its uid alone, as record_decode() finds it but for -E_RANGE. */
int record_uid(struct view value, uint64_t uid[2]) MUST_USE;
/* 0, -E_VERSION, -E_TRUNCATED, -E_TRAILING, -E_RANGE (a fragment that is not within its ADU). */
int record_decode(struct view value, struct record *r) MUST_USE;

#endif
