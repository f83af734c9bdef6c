/*
 * Chunks of files: any payload is read as a chunk or is none; what was read is written as the same.
 */
#include "dtn/client/chunk.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view front = view_of(data, size < CHUNK_HEAD_MAX ? size : CHUNK_HEAD_MAX);
	uint8_t room[CHUNK_HEAD_MAX];
	struct buf b = buf_of(room, sizeof room);
	struct chunk c, again;
	uint64_t at, at_again;

	if (chunk_read(front, size, &c, &at) != 0)
		return 0;
	assert(at <= front.n && c.data.n == size - at);
	chunk_write_head(&b, &c);
	assert(buf_fits(&b));
	assert(chunk_read(buf_view(&b), b.len + c.data.n, &again, &at_again) == 0);
	assert(again.size == c.size && again.offset == c.offset && at_again == b.len);
	assert(view_equal(again.name, c.name) && memcmp(again.sum, c.sum, sizeof c.sum) == 0);
	return 0;
}
