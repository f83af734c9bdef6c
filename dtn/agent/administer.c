/*
 * administer: the administrative element of this node: records addressed to it, RFC 9171 6, RFC 9713. What
 * a record is, is told by its type and by what it holds: types 3 and 4 are compressed signals of profile
 * bplib where they hold a map, and encapsulated bundles and their signals where they hold an array.
 */
#include "bundle/cbor.h"
#include "dtn/agent/state.h"

static bool report_receive(
	struct agent *a, mono now, uint64_t id, const struct arrival *in, struct cursor *c);
static bool is_signal(const struct agent *a, uint64_t type);

/* False: unknown or malformed. RFC 9713 2/1, 4.1/d1 */
bool admin_receive(
	struct agent *a, mono now, uint64_t id, const struct arrival *in, bool *is_carried)
{
	struct cursor c;
	struct bpdu p;
	uint64_t type;

	if (admin_open(in->b->payload, &type, &c) != 0)
		return false;
	if (type == ADMIN_STATUS_REPORT)
		return report_receive(a, now, id, in, &c);
	if (cbor_peek(&c) != CBOR_ARRAY) /* a map; or its tag */
		return is_signal(a, type) ? signal_receive(a, now, id, in)
					  : crs_receive(a, now, id, in);
	if (bpdu_read(in->b->payload, &p) != 0)
		return transmission_receive(a, now, id, in);
	*is_carried = bibe_receive(a, now, id, in, &p);
	return true;
}

static bool is_signal(const struct agent *a, uint64_t type)
{
	return type == a->codes[PROFILE_CCSDS].ccs_type || type == a->codes[PROFILE_BPLIB].ccs_type;
}

static bool report_receive(
	struct agent *a, mono now, uint64_t id, const struct arrival *in, struct cursor *c)
{
	struct status_report r = {0};

	status_report_read(c, &r);
	if (!cursor_ok(c))
		return false;
	for (unsigned k = 0; k < STATUS_KINDS; k++)
		if (r.asserted[k])
			trace_point(a->trace, now, report_rx, id, in->b->source.node, k, r.reason);
	return true;
}
