#include "bundle/base/trace.h"

#include <criterion/criterion.h>

Test(trace, counts_always_and_loses_loudly)
{
	struct trace t;
	struct trace_rec r;

	cr_assert_eq(trace_init(&t, 64), 0);
	for (uint64_t i = 0; i < 70; i++)
		trace_emit(&t, (mono)i, 3, (uint64_t[TRACE_ARGS]){i});
	cr_assert_eq(t.count[3], 70);
	cr_assert_eq(t.lost, 6);
	for (uint64_t i = 0; i < 64; i++) {
		cr_assert(trace_next(&t, &r));
		cr_assert_eq(r.a[0], i);
	}
	cr_assert(!trace_next(&t, &r));
	trace_select(&t, 3, false);
	trace_emit(&t, 0, 3, (uint64_t[TRACE_ARGS]){0});
	cr_assert(!trace_next(&t, &r));
	cr_assert_eq(t.count[3], 71);
	trace_emit(NULL, 0, 3, (uint64_t[TRACE_ARGS]){0});
	trace_fini(&t);
}
