/*
 * Encapsulation records and their signals: what is accepted lies in the input, and written again means
 * the same.
 */
#include "bundle/bibe.h"
#include "bundle/limits.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void bpdu_again(struct view record)
{
	static uint8_t out[1 << 16];
	struct buf b = buf_of(out, sizeof out);
	struct bpdu p, again;

	if (record.n > sizeof out / 2 || bpdu_read(record, &p))
		return;
	assert(bibe_is_type(p.type) && p.bundle.n <= record.n);
	bpdu_write_head(&b, &p, p.bundle.n);
	buf_put(&b, p.bundle);
	assert(buf_finish(&b) == 0 && b.len <= record.n);
	assert(bpdu_read(buf_view(&b), &again) == 0);
	assert(again.type == p.type && again.id == p.id && again.when == p.when);
	assert(view_equal(again.bundle, p.bundle));
}

static void signal_again(struct view record)
{
	static struct range run[2][BIBE_RUNS_MAX];
	static uint8_t out[1 << 16];
	struct buf b = buf_of(out, sizeof out);
	struct bibe_signal s = {.ids = ranges_of(run[0], BIBE_RUNS_MAX)},
			   again = {.ids = ranges_of(run[1], BIBE_RUNS_MAX)};

	if (bibe_signal_read(record, &s))
		return;
	assert(s.ids.n > 0 && s.ids.run[0].from > 0);
	bibe_signal_write(&b, &s);
	assert(buf_finish(&b) == 0);
	assert(bibe_signal_read(buf_view(&b), &again) == 0);
	assert(again.disposition == s.disposition && again.ids.n == s.ids.n);
	assert(memcmp(run[0], run[1], s.ids.n * sizeof run[0][0]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bpdu_again(view_of(data, size));
	signal_again(view_of(data, size));
	return 0;
}
