/*
 * Small things that everything stands on: lists, pools, the heap's and the hash's room, errors' names,
 * chance, saturating sums.
 */
#include "bundle/base/err.h"
#include "bundle/base/hash.h"
#include "bundle/base/heap.h"
#include "bundle/base/list.h"
#include "bundle/base/pool.h"
#include "bundle/base/rng.h"
#include "bundle/base/time.h"
#include "bundle/base/trace.h"
#include "bundle/base/units.h"

#include <criterion/criterion.h>
#include <errno.h>

struct item {
	int n;
	struct link_node link;
};

Test(containers, lists_keep_their_order)
{
	struct item a = {1, {0}}, b = {2, {0}}, c = {3, {0}};
	struct link_node head, *n;

	list_init(&head);
	cr_assert(list_empty(&head));
	cr_assert_null(list_pop_front(&head));
	list_push_back(&head, &b.link);
	list_push_back(&head, &c.link);
	list_push_front(&head, &a.link);
	cr_assert(!list_empty(&head));
	for (int k = 1; k <= 3; k++) {
		n = list_pop_front(&head);
		cr_assert_eq(container_of(n, struct item, link)->n, k);
		cr_assert(list_empty(n));
	}
	cr_assert(list_empty(&head));
	list_insert_before(&head, &a.link);
	list_remove(&a.link);
	list_remove(&a.link); /* in no list: nothing happens */
	cr_assert(list_empty(&head));
}

Test(containers, lists_move_as_a_whole)
{
	struct item a = {1, {0}}, b = {2, {0}}, c = {3, {0}};
	struct link_node to, from;

	list_init(&to);
	list_init(&from);
	list_move_all(&to, &from);
	cr_assert(list_empty(&to));
	list_push_back(&to, &a.link);
	list_push_back(&from, &b.link);
	list_push_back(&from, &c.link);
	list_move_all(&to, &from);
	cr_assert(list_empty(&from));
	for (int k = 1; k <= 3; k++)
		cr_assert_eq(container_of(list_pop_front(&to), struct item, link)->n, k);
	cr_assert(list_empty(&to));
}

Test(containers, pools_give_what_they_have)
{
	struct pool p;
	void *got[3];

	cr_assert_eq(pool_init(&p, 3, 20), 0);
	for (unsigned k = 0; k < 3; k++) {
		cr_assert_not_null(got[k] = pool_take(&p));
		memset(got[k], 0xaa, 20);
	}
	cr_assert_null(pool_take(&p));
	pool_give(&p, got[1]);
	cr_assert_eq(p.n_free, 1);
	cr_assert_eq(pool_take(&p), got[1]);
	cr_assert_null(pool_take(&p));
	pool_fini(&p);
	cr_assert_eq(pool_init(&p, 0, 20), 0);
	cr_assert_null(pool_take(&p));
	pool_fini(&p);
}

Test(containers, reserved_room_is_used)
{
	struct heap_node e[40];
	struct hash_node x[40];
	struct hash_table t;
	struct heap h;

	heap_init(&h);
	cr_assert_eq(heap_reserve(&h, 40), 0);
	cr_assert_eq(heap_reserve(&h, 10), 0);
	hash_init(&t);
	cr_assert_eq(hash_reserve(&t, 40), 0);
	cr_assert_eq(hash_reserve(&t, 10), 0);
	for (unsigned k = 0; k < 40; k++) {
		heap_node_init(&e[k]);
		cr_assert_eq(heap_push(&h, &e[k], 100 - k, 0), 0);
		cr_assert_eq(hash_insert(&t, &x[k], hash_mix(k)), 0);
	}
	cr_assert_eq(heap_min(&h), &e[39]);
	cr_assert_eq(t.n, 40);
	cr_assert_neq(hash_mix(1), hash_mix(2));
	heap_fini(&h);
	hash_fini(&t);
}

Test(containers, errors_have_names)
{
	cr_assert_str_eq(err_name(-E_TRUNCATED), "TRUNCATED");
	cr_assert_str_eq(err_name(E_TRUNCATED), "TRUNCATED");
	cr_assert_str_eq(err_name(-ENOENT), "ENOENT");
	cr_assert_str_eq(err_name(-99999), "UNKNOWN_ERROR");
	cr_assert(err_text(-E_CRC)[0] && err_text(-ENOENT)[0]);
}

Test(containers, chance)
{
	struct rng r, same;
	unsigned n = 0;

	rng_init(&r, 1, 2);
	same = r;
	cr_assert(!rng_chance(&r, 0) && rng_chance(&r, 1));
	cr_assert_eq(r.s[0], same.s[0], "certainty draws nothing");
	for (unsigned k = 0; k < 1000; k++)
		n += rng_chance(&r, 0.25);
	cr_assert(n > 180 && n < 320, "%u", n);
}

Test(containers, sums_stay_at_their_end)
{
	cr_assert_eq(u64_add_sat(1, 2), 3);
	cr_assert_eq(u64_add_sat(UINT64_MAX, 2), UINT64_MAX);
	cr_assert_eq(mono_min(3, 2), 2);
	cr_assert_eq(mono_min(2, 3), 2);
	cr_assert_eq(mono_add(MONO_NEVER, 5), MONO_NEVER);
}

Test(containers, traces_choose_their_events)
{
	struct trace t;

	cr_assert_eq(trace_init(&t, 100), 0);
	cr_assert_eq(t.cap, 128);
	trace_select(&t, 70, false);
	cr_assert_eq(t.mask[1] >> 6 & 1, 0);
	trace_select(&t, 70, true);
	cr_assert_eq(t.mask[1] >> 6 & 1, 1);
	trace_fini(&t);
}

Test(containers, texts_for_people)
{
	static const struct {
		uint64_t v;
		const char *text;
	} bytes[] = {
		{0, "0 B"}, {1023, "1023 B"}, {1536, "1.5 KiB"}, {UINT64_C(3) << 40, "3.0 TiB"}};
	static const struct {
		int64_t us;
		const char *text;
	} times[] = {{7, "7us"}, {2500, "2.5ms"}, {1500000, "1.5s"}, {61000000, "1m 01s"},
		{7500000000, "2h 05m"}};
	char out[32];

	for (unsigned k = 0; k < 4; k++) {
		units_print_bytes(bytes[k].v, out, sizeof out);
		cr_expect_str_eq(out, bytes[k].text);
	}
	for (unsigned k = 0; k < 5; k++) {
		units_print_duration(times[k].us, out, sizeof out);
		cr_expect_str_eq(out, times[k].text);
	}
}
