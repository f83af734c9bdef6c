/*
 * eid: endpoint IDs (RFC 9171 4.2.5, RFC 9758). An EID is read into a struct that compares and
 * routes cheaply; the encoded form is kept by whoever must not change it.
 *
 * node_id names a node in routing, custody and logs: for ipn the fully qualified node number
 * (allocator << 32 | node, RFC 9758 4); for dtn a keyless 63-bit hash of the node name with the top
 * bit set; 0 for the null endpoint.
 */
#ifndef OWLT_BUNDLE_EID_H
#define OWLT_BUNDLE_EID_H

#include "bundle/base/buf.h"
#include "bundle/base/cursor.h"
#include "bundle/limits.h"

typedef uint64_t node_id;

#define EID_SCHEME_DTN 1
#define EID_SCHEME_IPN 2
#define NODE_NONE UINT64_C(0)
#define NODE_DTN_BIT (UINT64_C(1) << 63)
#define NODE_LOCAL UINT64_C(0xffffffff) /* ipn:!.x, RFC 9758 3.4.2 */

struct eid {
	uint64_t scheme;  /* code point; unknown ones are kept */
	node_id node;     /* NODE_NONE for null and for unknown schemes */
	uint64_t service; /* ipn number; dtn: 0 for the administrative endpoint, else a hash */
	/* dtn: "//node/demux"; unknown scheme: its CBOR; ipn: empty. Borrowed from what was read */
	struct view ssp;
	bool group; /* dtn non-singleton (demux begins with ~) */
	bool three; /* ipn that was read in three elements, or shall be written so */
};

/* The null endpoint, and an ipn EID. RFC 9171 4.2.5.1.1/d2 */
static inline struct eid eid_null(void)
{
	return (struct eid){.scheme = EID_SCHEME_DTN};
}

/* RFC 9171 4.2.5.1.2/d2; RFC 9758 3.4.1/1, 5/1, 5.1/1 */
static inline struct eid eid_ipn(node_id fqnn, uint64_t service)
{
	/* RFC 9758 5.1: ipn:0.x is never written */
	return (struct eid){.scheme = EID_SCHEME_IPN, .node = fqnn, .service = fqnn ? service : 0};
}

/* RFC 9758 3.1/d1, 5.2/d1 */
static inline bool eid_is_null(const struct eid *e)
{
	return e->node == NODE_NONE && (e->scheme == EID_SCHEME_IPN || e->scheme == EID_SCHEME_DTN);
}

/* The administrative endpoint of its node. */
bool eid_is_admin(const struct eid *e);
/* That of the same node; of a dtn name in chunks the endpoint itself. e->ssp of the result is e's. */
struct eid eid_admin(const struct eid *e);
bool eid_is_known_scheme(const struct eid *e);
/* Same endpoint: decoded values are compared, so both ipn forms and all null forms are equal. */
bool eid_equal(const struct eid *a, const struct eid *b);

/* Reads one EID item. Errors latch in the cursor (E_FORM, E_TYPE, E_RANGE, E_LIMIT). e->ssp points
 * into the cursor's bytes; a dtn SSP sent in chunks is joined into `join` when one is given, else
 * it stays chunked (ssp is its CBOR, beginning with 0x7f), which all functions here understand. */
void eid_read(struct cursor *c, struct eid *e, struct buf *join);
/* As eid_read; allow_short also takes dtn SSPs without their "//", as written before the RFC. */
void eid_read_lenient(struct cursor *c, struct eid *e, struct buf *join, bool allow_short);
/* Writes the item; ipn in two elements unless e->three. */
void eid_write(struct buf *b, const struct eid *e);

/* Text: "ipn:2.1" "ipn:977000.100.1" "ipn:!.7" "dtn:none" "dtn://node/demux". e->ssp points into
 * text. 0 or -E_SYNTAX, -E_RANGE, -E_LIMIT. */
int eid_parse(const char *text, struct eid *e) MUST_USE;
/* As eid_parse, but a bare number N means ipn:N.0 and a node ID is expected. For command lines. */
int eid_parse_node(const char *text, struct eid *e) MUST_USE;
/* Writes the text with its terminator; the length without it. Always fits EID_TEXT_MAX; truncates
 * to cap. An unknown scheme prints as "scheme-N:HEX". */
size_t eid_print(const struct eid *e, char *out, size_t cap);
/* A node as EID text: "ipn:N.0"; a dtn node, whose name is not in its number, as "dtn-node:HEX". */
size_t node_print(node_id node, char *out, size_t cap);

#endif
