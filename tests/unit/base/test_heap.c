#include "bundle/base/heap.h"
#include "bundle/base/rng.h"

#include <criterion/criterion.h>

#define N 500

Test(heap, gives_entries_in_order_of_key_then_tie)
{
	static struct heap_node e[N];
	struct heap h;
	struct rng r;
	int64_t last_key = INT64_MIN;
	uint64_t last_tie = 0;

	heap_init(&h);
	rng_init(&r, 7, 7);
	for (uint64_t i = 0; i < N; i++) {
		heap_node_init(&e[i]);
		cr_assert_eq(heap_push(&h, &e[i], (int64_t)rng_below(&r, 50), i), 0);
	}
	for (int i = 0; i < N; i += 3)
		heap_remove(&h, &e[i]);
	heap_remove(&h, &e[0]);
	for (int i = 1; i < N; i += 3) /* earlier, later or the same */
		heap_move(&h, &e[i], (int64_t)rng_below(&r, 70) - 10);
	for (struct heap_node *m; (m = heap_min(&h)); heap_remove(&h, m)) {
		cr_assert(m->key > last_key || (m->key == last_key && m->tie > last_tie));
		last_key = m->key;
		last_tie = m->tie;
	}
	heap_fini(&h);
}
