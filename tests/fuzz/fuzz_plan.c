/*
 * Contact plans in all three formats, told by the content. What is accepted must keep the plan's rules,
 * survive every question, and read back from what is written of it.
 */
#include "dtn/plan/plan.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct plan *p)
{
	for (size_t i = 0; i < p->n_contacts; i++) {
		const struct contact *c = &p->contact[i];
		int64_t max = contact_owlt_max_us(p, c), at = contact_owlt_us(p, c, c->start);
		assert(c->start < c->end && c->rate_bps > 0 && max >= at && at >= 0);
		assert(plan_contact_at(p, c->from, c->to, c->start) == c);
		assert(plan_next_edge(p, c->from, c->start - 1) == c->start);
		assert(i == 0 || p->by_from[i - 1]->from < p->by_from[i]->from ||
			p->by_from[i - 1]->start <= p->by_from[i]->start);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct plan_note note[8];
	struct plan_notes notes = {note, 0, 8};
	struct plan *p = NULL, *again = NULL;
	struct buf b = buf_of(NULL, 0);
	struct json_writer w = {.out = &b};

	if (plan_read(view_of(data, size), PLAN_AUTO, &p, &notes) != 0) {
		assert(!p && notes.n > 0);
		return 0;
	}
	ask(p);
	plan_write_json(p, NULL, &w);
	b = buf_of(malloc(b.len + 1), b.len + 1);
	w = (struct json_writer){.out = &b};
	plan_write_json(p, NULL, &w);
	assert(buf_fits(&b));
	notes.n = 0;
	if (plan_read(buf_view(&b), PLAN_OWLT, &again, &notes) != 0 ||
		again->n_contacts != p->n_contacts)
		abort(); /* what was written must read back */
	plan_free(again);
	plan_free(p);
	free(b.p);
	return 0;
}
