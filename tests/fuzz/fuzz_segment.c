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

	assert(op->type == RECORD_PLACE || (op->len <= s->bytes && op->off <= s->bytes - op->len));
	assert(op->type == RECORD_PLACE ||
		op->value_len + op->head_len + op->payload_len + RECORD_HEADER <= op->len);
	assert(op->kind > 0 && op->kind < STORE_KINDS);
	assert(op->type == RECORD_PUT || op->type == RECORD_SET || op->type == RECORD_DELETE ||
		op->type == RECORD_PLACE);
	s->n++;
	return 0;
}

/* A record's length with its padding, and its checksums put right; 0: it does not fit. */
static size_t mend_one(uint8_t *p, size_t n)
{
	struct record r;
	uint32_t crc, sum;

	if (record_start(p, &r, &crc, &sum) || r.value.n + r.head.n > n || r.payload.n > n)
		return 0;
	uint64_t size = record_length(&r);
	if (size > n)
		return 0;
	uint8_t *payload = p + RECORD_HEADER + r.value.n + r.head.n, *sums = payload + r.payload.n;
	crc = record_check(crc, view_of(p + RECORD_HEADER, r.value.n + r.head.n));
	if (r.type == RECORD_LONG) {
		for (size_t at = 0; at < r.payload.n; at += RECORD_CHUNK) {
			size_t left = r.payload.n - at;

			be32_put(sums + at / RECORD_CHUNK * 4,
				crc32c(0, view_of(payload + at,
						  left < RECORD_CHUNK ? left : RECORD_CHUNK)));
		}
		crc = record_check(crc, view_of(sums, record_sums(r.payload.n)));
	} else {
		crc = record_check(crc, view_of(payload, r.payload.n));
	}
	record_seal(p, crc);
	return (size_t)size;
}

/* Gives every record that could be one its right checksums, generation and magic. */
static void mend(uint8_t *p, size_t n, uint64_t generation)
{
	size_t at = 0, size;

	for (; n - at >= RECORD_HEADER; at += size) {
		be32_put(p + at, 0x4f574c52);
		be64_put(p + at + 8, generation);
		p[at + 24] = (uint8_t)(1 + p[at + 24] % 7);
		size = mend_one(p + at, n - at);
		if (size == 0)
			return;
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
