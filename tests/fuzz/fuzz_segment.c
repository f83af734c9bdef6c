/*
 * Recovery of the segment log against any bytes: two segments cut from the input, replayed as at open.
 * Only whole batches may be applied, with lengths inside the bytes. So that the fuzzer gets past the
 * checksums, the first input byte says whether they are put right before.
 */
#include "bundle/base/bytes.h"
#include "bundle/crc.h"
#include "dtn/store/replay.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	size_t bytes, n;
};

static int apply(void *arg, const struct replay_op *op)
{
	struct seen *s = arg;

	assert(op->len <= s->bytes && op->off <= s->bytes - op->len);
	assert(op->value_len + op->head_len + op->payload_len + RECORD_HEADER <= op->len);
	assert(op->kind > 0 && op->kind < STORE_KINDS);
	assert(op->type != RECORD_SEGMENT && op->type != RECORD_END);
	s->n++;
	return 0;
}

/* Gives every record that could be one its right checksum, generation and magic. */
static void mend(uint8_t *p, size_t n, uint64_t generation)
{
	size_t at = 0;

	while (n - at >= RECORD_HEADER) {
		uint64_t value = be16_get(p + at + 26), head = be32_get(p + at + 28);
		uint64_t payload = be64_get(p + at + 32);

		if (head > n || payload > n || value + head + payload > n - at - RECORD_HEADER)
			return;
		be32_put(p + at, 0x4f574c52);
		be64_put(p + at + 8, generation);
		p[at + 24] = (uint8_t)(1 + p[at + 24] % 5);
		be32_put(p + at + 4,
			crc32c(0, view_of(p + at + 8,
					  RECORD_HEADER - 8 + (size_t)(value + head + payload))));
		uint64_t size = record_size(value, head, payload);
		if (size > n - at)
			return;
		at += (size_t)size;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	size_t n = size - 2, cut = n * data[1] / 256;
	uint8_t *copy = malloc(n + 1);
	struct seen seen = {.bytes = n};
	struct replay r = {.apply = apply, .arg = &seen};

	if (!copy)
		return 0;
	memcpy(copy, data + 2, n);
	if (data[0] & 1) {
		mend(copy, cut, 1);
		mend(copy + cut, n - cut, 2);
	}
	int err = replay_segment(&r, NULL, 1, view_of(copy, cut), 0);
	if (!err)
		err = replay_segment(&r, NULL, 2, view_of(copy + cut, n - cut), 0);
	assert(err == 0 || err == -E_CORRUPT);
	replay_fini(&r);
	free(copy);
	return 0;
}
