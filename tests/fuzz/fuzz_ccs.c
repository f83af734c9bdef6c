/*
 * Compressed custody signals: what is accepted is bounded and, written again, means the same.
 */
#include "bundle/cbor.h"
#include "bundle/custody.h"

#include <assert.h>

#define RUNS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads all sequences; their number, or -1 when the signal is refused. */
static int signal_read(struct view record, const struct custody_codes *codes,
	struct ccs_sequence *s, struct range run[][RUNS])
{
	struct ccs_reader r;
	int n = 0;

	if (ccs_open(&r, record, codes))
		return -1;
	for (;;) {
		assert(n <= CCS_SEQUENCES_MAX);
		s[n].numbers = ranges_of(run[n], RUNS);
		if (!ccs_next(&r, &s[n]))
			return r.c.err ? -1 : n;
		assert(s[n].numbers.n > 0);
		n++;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct range run[2][CCS_SEQUENCES_MAX + 1][RUNS];
	static struct ccs_sequence s[2][CCS_SEQUENCES_MAX + 1];
	static uint8_t out[1 << 18];
	struct custody_codes codes = custody_codes_ccsds();
	struct buf b = buf_of(out, sizeof out);
	struct cursor c = cursor_of(view_of(data, size));
	struct creb creb;
	struct cteb cteb;
	size_t numbers = 0;

	int n = signal_read(view_of(data, size), &codes, s[0], run[0]);
	if (n > 0) {
		ccs_write(&b, &codes, s[0], (size_t)n);
		assert(buf_finish(&b) == 0);
		assert(signal_read(buf_view(&b), &codes, s[1], run[1]) == n);
		for (int k = 0; k < n; k++)
			numbers += ranges_count(&s[0][k].numbers) - ranges_count(&s[1][k].numbers);
		assert(numbers == 0 || n > 1); /* accepted ones move to the front */
	}
	cteb_read(&c, &cteb);
	c = cursor_of(view_of(data, size));
	creb_read(&c, &creb);
	codes = custody_codes_bplib();
	(void)signal_read(view_of(data, size), &codes, s[0], run[0]);
	return 0;
}
