/*
 * A client's side of the protocol against any messages of a node: packets of {length, bytes}.
 */
#include "dtn/client/core.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t room[PROTO_MESSAGE_MAX];
	struct client_core c = {0};
	struct buf out = buf_of(room, sizeof room);
	struct proto_msg m;
	struct owlt_event ev;
	uint64_t tag = 0;

	assert(client_hello(&c, &out) == 0);
	while (size >= 2) {
		size_t n = (size_t)(data[0] << 8 | data[1]) % 512;
		struct owlt_send s = {.dest = "ipn:2.1", .payload = "hello", .size = 5};

		n = n < size - 2 ? n : size - 2;
		out.len = 0;
		if (data[0] & 0x80 && client_send(&c, &s, &out, &tag) == 0)
			assert(buf_fits(&out) && client_is_open(&c, tag));
		if (client_input(&c, view_of(data + 2, n), &m) == 1)
			(void)client_event_of(&m, &ev);
		assert(c.n_open <= CORE_OPEN_MAX && memchr(c.node, 0, sizeof c.node));
		data += 2 + n;
		size -= 2 + n;
	}
	return 0;
}
