/*
 * Messages of applications: any bytes are read or refused; what was read is
 * written and read again as the same.
 */
#include "dtn/client/proto.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proto_msg m, again;
	struct buf b = buf_of(malloc(size + 512), size + 512);

	if (proto_read(view_of(data, size), &m) == 0) {
		proto_write(&b, &m);
		assert(buf_fits(&b));
		assert(proto_read(buf_view(&b), &again) == 0);
		assert(again.type == m.type && again.tag == m.tag && again.size == m.size);
		assert(view_equal(again.payload, m.payload) && view_equal(again.dest, m.dest));
	}
	free(b.p);
	return 0;
}
