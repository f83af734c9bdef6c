/* Topologies: what is accepted has nodes and links that fit together. */
#include "dtn/plan/topo.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char plan_text[] = "a contact +0 +60 1 2 1000\na range +0 +60 1 2 1\n";
	struct plan_note note[8];
	struct plan_notes notes = {note, 0, 8};
	struct topo *t = NULL;

	if (topo_read(view_of(data, size), view_text(plan_text), &t, &notes) != 0) {
		assert(!t && notes.n > 0);
		return 0;
	}
	assert(t->n_nodes > 0 && t->speed > 0 && t->until > 0);
	for (size_t i = 0; i < t->n_links; i++) {
		const struct topo_link *l = &t->link[i];
		assert(l->a < t->n_nodes && l->b < t->n_nodes && l->a != l->b && l->name[0]);
		assert(l->a_to_b.mtu_bytes >= l->mtu_bytes && l->b_to_a.mtu_bytes >= l->mtu_bytes);
	}
	for (size_t i = 0; i < t->n_traffic; i++)
		assert(t->traffic[i].from < t->n_nodes && t->traffic[i].to_node != NODE_NONE);
	topo_free(t);
	return 0;
}
