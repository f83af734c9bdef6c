/*
 * Custody formats: the extension blocks CTEB and CREB of CCSDS 734.6 and
 * draft-flentge-dtn-bpv7-custody-transfer (D.1 to D.4 of our notes), and the code points of the two
 * profiles. The signals that answer them are in ccs.c.
 */
#include "bundle/custody.h"

#include "bundle/cbor.h"

struct custody_codes custody_codes_ccsds(void)
{
	return (struct custody_codes){
		.cteb_type = 13, .creb_type = 14, .ccs_type = 13, .crs_type = 14};
}

struct custody_codes custody_codes_bplib(void)
{
	return (struct custody_codes){.cteb_type = 15,
		.creb_type = 16,
		.ccs_type = 4,
		.crs_type = 3,
		.bare_sequence = true};
}

void cteb_read(struct cursor *c, struct cteb *t)
{
	bool open = cbor_array_of(c, 3);

	t->seq_no = cbor_uint(c);
	t->seq_id = cbor_uint(c);
	eid_read(c, &t->custodian, NULL);
	cbor_array_end(c, open);
}

void cteb_write(struct buf *b, const struct cteb *t)
{
	cbor_put_array(b, 3);
	cbor_put_uint(b, t->seq_no);
	cbor_put_uint(b, t->seq_id);
	eid_write(b, &t->custodian);
}

void creb_read(struct cursor *c, struct creb *r)
{
	uint64_t n = cbor_array(c);

	*r = (struct creb){0};
	if (!cbor_more(c, &n)) {
		cursor_fail(c, -E_FORM);
		return;
	}
	r->seq_no = cbor_uint(c);
	bool more = cbor_more(c, &n); /* once it said no it must not be asked again */
	if (more)
		r->seq_id = cbor_uint(c);
	r->has_flags = more && cbor_more(c, &n);
	if (r->has_flags)
		r->flags = cbor_uint(c);
	r->has_reporter = r->has_flags && cbor_more(c, &n);
	if (r->has_reporter)
		eid_read(c, &r->reporter, NULL);
	r->has_report_to = r->has_reporter && cbor_more(c, &n);
	if (r->has_report_to)
		eid_read(c, &r->report_to, NULL);
	if (r->has_report_to && cbor_more(c, &n))
		cursor_fail(c, -E_FORM);
}

void creb_write(struct buf *b, const struct creb *r)
{
	unsigned n = r->has_report_to  ? 5
		     : r->has_reporter ? 4
		     : r->has_flags    ? 3
		     : r->seq_id       ? 2
				       : 1;

	cbor_put_array(b, n);
	cbor_put_uint(b, r->seq_no);
	if (n > 1)
		cbor_put_uint(b, r->seq_id);
	if (n > 2)
		cbor_put_uint(b, r->flags);
	if (n > 3)
		eid_write(b, &r->reporter);
	if (n > 4)
		eid_write(b, &r->report_to);
}
