/*
 * Compressed custody and reporting signals, and their blocks: what is accepted is bounded and, written
 * again, means the same.
 */
#include "bundle/cbor.h"
#include "bundle/ccs.h"
#include "bundle/limits.h"

#include <assert.h>

#define RUNS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct signal {
	struct ccs_sequence s[CCS_SEQUENCES_MAX + 1];
	struct range run[CCS_SEQUENCES_MAX + 1][RUNS];
	int n; /* sequences; -1 when it is refused */
};

static void signal_read(
	struct view record, const struct custody_codes *codes, bool is_report, struct signal *g)
{
	struct ccs_reader r;

	g->n = -1;
	if (is_report ? crs_open(&r, record, codes) : ccs_open(&r, record, codes))
		return;
	for (int n = 0;; n++) {
		assert(n <= CCS_SEQUENCES_MAX);
		g->s[n].numbers = ranges_of(g->run[n], RUNS);
		if (!ccs_next(&r, &g->s[n])) {
			g->n = r.c.err ? -1 : n;
			return;
		}
		assert(g->s[n].numbers.n > 0 && (is_report || !g->s[n].has_source));
	}
}

static uint64_t numbers_of(const struct signal *g)
{
	uint64_t n = 0;

	for (int k = 0; k < g->n; k++)
		n += ranges_count(&g->s[k].numbers);
	return n;
}

static void same_again(struct view data, const struct custody_codes *codes, bool is_report)
{
	static struct signal g[2];
	static uint8_t out[1 << 18];
	struct buf b = buf_of(out, sizeof out);

	signal_read(data, codes, is_report, &g[0]);
	if (g[0].n <= 0 || codes->bare_sequence)
		return; /* not every list fits the bare form */
	if (is_report)
		crs_write(&b, codes, g[0].s, (size_t)g[0].n);
	else
		ccs_write(&b, codes, g[0].s, (size_t)g[0].n);
	assert(buf_finish(&b) == 0);
	signal_read(buf_view(&b), codes, is_report, &g[1]);
	assert(g[1].n == g[0].n && numbers_of(&g[0]) == numbers_of(&g[1]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct custody_codes codes[] = {custody_codes_ccsds(), custody_codes_bplib()};
	struct cursor c = cursor_of(view_of(data, size));
	uint8_t out[4096];
	struct buf b = buf_of(out, sizeof out);
	struct creb creb, again;
	struct cteb cteb;

	for (int k = 0; k < 4; k++)
		same_again(view_of(data, size), &codes[k & 1], k > 1);
	cteb_read(&c, &cteb);
	c = cursor_of(view_of(data, size));
	creb_read(&c, &creb);
	if (cursor_finish(&c))
		return 0;
	creb_write(&b, &creb);
	c = cursor_of(buf_view(&b));
	creb_read(&c, &again);
	assert(cursor_finish(&c) == 0 && again.seq_no == creb.seq_no &&
		again.seq_id == creb.seq_id);
	assert(again.flags == creb.flags && again.has_report_to == creb.has_report_to);
	return 0;
}
