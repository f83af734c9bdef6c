#include "dtn/io/clock.h"
#include "dtn/io/loop.h"
#include "dtn/io/writer.h"
#include "dtn/store/store.h"

#include <criterion/criterion.h>

Test(io_writer, makes_a_batch_durable_and_tells)
{
	struct store_limits limits = store_limits_default();
	struct store_batch *batch, *back;
	struct view value = view_text("v");
	struct loop_event ev[LOOP_EVENTS];
	struct writer *w;
	struct store *st;
	struct store_event told;
	struct loop l;
	int err;

	cr_assert_eq(store_mem_open(&limits, &st), 0);
	cr_assert_eq(writer_open(&w), 0);
	cr_assert_eq(loop_open(&l), 0);
	cr_assert_eq(loop_add(&l, writer_fd(w), (struct loop_tag){1, 0}), 0);
	for (int round = 0; round < 100; round++) {
		cr_assert_not(writer_is_busy(w));
		cr_assert_eq(store_row_set(st, STORE_TOMB, (uint64_t)round + 1, value), 0);
		batch = store_commit_begin(st);
		cr_assert_not_null(batch);
		writer_start(w, batch);
		cr_assert(writer_is_busy(w));
		cr_assert_eq(loop_wait(&l, LOOP_NEVER, ev), 1);
		cr_assert(writer_take(w, false, &back, &err));
		cr_assert(back == batch && err == 0);
		store_commit_end(st, back, err);
		cr_assert(store_event(st, &told) && told.type == STORE_COMMITTED);
		cr_assert_not(writer_take(w, true, &back, &err), "only once");
		store_turn(st);
	}
	loop_close(&l);
	writer_close(w);
	store_close(st);
}

/* Who waited for the batch may have it before the loop is told; being told then is no news, and ends. */
Test(io_writer, is_told_once_of_what_was_waited_for)
{
	struct store_limits limits = store_limits_default();
	struct store_batch *batch, *back;
	struct view value = view_text("v");
	struct loop_event ev[LOOP_EVENTS];
	struct store_event told;
	struct writer *w;
	struct store *st;
	struct loop l;
	int err, n;

	cr_assert_eq(store_mem_open(&limits, &st), 0);
	cr_assert_eq(writer_open(&w), 0);
	cr_assert_eq(loop_open(&l), 0);
	cr_assert_eq(loop_add(&l, writer_fd(w), (struct loop_tag){1, 0}), 0);
	for (int round = 0; round < 1000; round++) {
		cr_assert_eq(store_row_set(st, STORE_TOMB, (uint64_t)round + 1, value), 0);
		batch = store_commit_begin(st);
		cr_assert_not_null(batch);
		writer_start(w, batch);
		cr_assert(writer_take(w, true, &back, &err));
		cr_assert(back == batch && err == 0);
		for (n = 0; n < 10 && loop_wait(&l, clock_mono_ns() + 20000, ev) > 0; n++)
			cr_assert_not(writer_take(w, false, &back, &err));
		cr_assert_leq(n, 2, "told of this batch and of the one before");
		store_commit_end(st, back, err);
		cr_assert(store_event(st, &told) && told.type == STORE_COMMITTED);
		store_turn(st);
	}
	loop_close(&l);
	writer_close(w);
	store_close(st);
}
