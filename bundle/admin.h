/*
 * admin: administrative records (RFC 9171 6, RFC 9713): the record's type, and bundle status
 * reports.
 */
#ifndef OWLT_BUNDLE_ADMIN_H
#define OWLT_BUNDLE_ADMIN_H

#include "bundle/base/time.h"
#include "bundle/eid.h"

#define ADMIN_STATUS_REPORT 1u

enum status_kind {
	STATUS_RECEIVED,
	STATUS_FORWARDED,
	STATUS_DELIVERED,
	STATUS_DELETED,
	STATUS_KINDS
};

/* Reason codes: RFC 9171 9.5, RFC 9172 11.2. */
enum reason {
	REASON_NONE = 0,
	REASON_EXPIRED = 1,
	REASON_UNIDIRECTIONAL = 2,
	REASON_CANCELLED = 3,
	REASON_DEPLETED_STORAGE = 4,
	REASON_DEST_UNAVAILABLE = 5,
	REASON_NO_ROUTE = 6,
	REASON_NO_CONTACT = 7,
	REASON_UNINTELLIGIBLE = 8,
	REASON_HOP_LIMIT = 9,
	REASON_TRAFFIC_PARED = 10,
	REASON_BLOCK_UNSUPPORTED = 11,
	/* RFC 9172 7.1 */
	REASON_SECURITY_MISSING = 12,
	REASON_SECURITY_UNKNOWN = 13,
	REASON_SECURITY_UNEXPECTED = 14,
	REASON_SECURITY_FAILED = 15,
	REASON_SECURITY_CONFLICTING = 16
};

const char *reason_name(unsigned reason);

struct status_report {
	bool asserted[STATUS_KINDS];
	bool has_time[STATUS_KINDS];
	dtntime at_ms[STATUS_KINDS];
	uint64_t reason;
	struct eid source;
	dtntime created_ms;
	uint64_t seq;
	bool is_fragment;
	uint64_t frag_off, frag_len;
};

/* Type of the record and a cursor on its content. 0, or negative when it is no [uint, any]. */
int admin_open(struct view record, uint64_t *type, struct cursor *content) MUST_USE;
void status_report_read(struct cursor *content, struct status_report *r);
/* The whole record, type included. */
void status_report_write(struct buf *b, const struct status_report *r);

#endif
