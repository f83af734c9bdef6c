/*
 * Administrative records: a status report that is accepted and written again reads the same.
 */
#include "bundle/admin.h"
#include "bundle/cbor.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[4096];
	struct buf b = buf_of(out, sizeof out);
	struct status_report r, again;
	struct cursor c;
	uint64_t type;

	if (admin_open(view_of(data, size), &type, &c))
		return 0;
	status_report_read(&c, &r);
	if (c.err)
		return 0;
	status_report_write(&b, &r);
	if (!buf_fits(&b)) /* a subject of an unknown scheme may be of any length */
		return 0;
	assert(admin_open(buf_view(&b), &type, &c) == 0 && type == ADMIN_STATUS_REPORT);
	status_report_read(&c, &again);
	assert(c.err == 0 && again.reason == r.reason && again.seq == r.seq);
	assert(eid_equal(&again.source, &r.source));
	return 0;
}
