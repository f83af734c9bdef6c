/*
 * Administrative records: RFC 9171 6.1 (record), 6.1.1 (bundle status report); RFC 9713 makes the
 * registry of types authoritative, so unknown types are not an error here.
 * Start reading at admin_open().
 */
#include "bundle/admin.h"

#include "bundle/cbor.h"

/* RFC 9171 6.1.1/d2 */
const char *reason_name(unsigned reason)
{
	static const char *const name[] = {"none", "lifetime-expired", "unidirectional",
		"cancelled", "depleted-storage", "destination-unavailable", "no-route",
		"no-contact", "unintelligible", "hop-limit", "traffic-pared", "block-unsupported",
		"security-missing", "security-unknown", "security-unexpected", "security-failed",
		"security-conflicting"};

	return reason < sizeof name / sizeof name[0] ? name[reason] : "unassigned";
}

/* RFC 9171 6.1/1, 6.1/2, 6.1/2b, 6.1/3 */
int admin_open(struct view record, uint64_t *type, struct cursor *content)
{
	struct cursor c = cursor_of(record);
	bool open = cbor_array_of(&c, 2);
	size_t at;

	*type = cbor_uint(&c);
	at = cursor_at(&c);
	struct view v = cbor_skip(&c);
	cbor_array_end(&c, open);
	*content = (struct cursor){.start = record.p};
	if (cursor_finish(&c))
		return c.err;
	content->p = record.p + at;
	content->end = content->p + v.n;
	return 0;
}

/* [ bool, ?time ]: the time only with true. RFC 9171 6.1.1/4, 6.1.1/5, 6.1.1/6 */
static void assertion_read(struct cursor *c, struct status_report *r, unsigned k)
{
	size_t at = cursor_at(c);
	uint64_t n = cbor_array(c);

	if (!cbor_more(c, &n))
		cursor_fail_at(c, -E_FORM, at);
	r->asserted[k] = cbor_bool(c);
	r->has_time[k] = cbor_more(c, &n);
	if (!r->has_time[k])
		return;
	r->at_ms[k] = cbor_uint(c);
	if (!r->asserted[k] || cbor_more(c, &n))
		cursor_fail_at(c, -E_FORM, at);
}

/* RFC 9171 6.1.1/1, 6.1.1/2, 6.1.1/3, 6.1.1/d1, 6.1.1/8, 6.1.1/9, 6.1.1/10, 6.1.1/11, 6.1.1/12,
 * 6.1.1/13, 6.1.1/14 */
void status_report_read(struct cursor *c, struct status_report *r)
{
	uint64_t n, kinds;

	*r = (struct status_report){0};
	n = cbor_array(c);
	if (n != 4 && n != 6 && n != CBOR_INDEFINITE)
		cursor_fail(c, -E_FORM);
	kinds = cbor_array(c);
	for (unsigned k = 0; k < STATUS_KINDS; k++) {
		if (!cbor_more(c, &kinds))
			cursor_fail(c, -E_FORM);
		assertion_read(c, r, k);
	}
	while (cbor_more(c, &kinds)) /* "at least four": the rest is for others */
		(void)cbor_skip(c);
	r->reason = cbor_uint(c);
	eid_read(c, &r->source, NULL);
	bool open = cbor_array_of(c, 2);
	r->created_ms = cbor_uint(c);
	r->seq = cbor_uint(c);
	cbor_array_end(c, open);
	r->is_fragment = n == 6 || (n == CBOR_INDEFINITE && cbor_peek(c) == CBOR_UINT);
	if (r->is_fragment) {
		r->frag_off = cbor_uint(c);
		r->frag_len = cbor_uint(c);
	}
	cbor_array_end(c, n == CBOR_INDEFINITE);
	(void)cursor_finish(c);
}

/* RFC 9171 6.1.1/1, 6.1.1/2, 6.1.1/3, 6.1.1/d1, 6.1.1/5 */
void status_report_write(struct buf *b, const struct status_report *r)
{
	cbor_put_array(b, 2);
	cbor_put_uint(b, ADMIN_STATUS_REPORT);
	cbor_put_array(b, r->is_fragment ? 6 : 4);
	cbor_put_array(b, STATUS_KINDS);
	for (unsigned k = 0; k < STATUS_KINDS; k++) {
		bool timed = r->asserted[k] && r->has_time[k];
		cbor_put_array(b, timed ? 2 : 1);
		cbor_put_bool(b, r->asserted[k]);
		if (timed)
			cbor_put_uint(b, r->at_ms[k]);
	}
	cbor_put_uint(b, r->reason);
	eid_write(b, &r->source);
	cbor_put_array(b, 2);
	cbor_put_uint(b, r->created_ms);
	cbor_put_uint(b, r->seq);
	if (r->is_fragment) {
		cbor_put_uint(b, r->frag_off);
		cbor_put_uint(b, r->frag_len);
	}
}
