/* What a store does, on memory and on disk. */
#include "tests/unit/store/kit.h"

#include <stdio.h>
#include <stdlib.h>

STORE_TEST(shows_at_once_what_is_staged)
{
	uint64_t id = kit_put(k, 1, 1000);

	kit_expect(k, id, 1, 1000, 1);
	cr_assert(!store_is_committed(k->st, id));
	cr_assert(store_is_dirty(k->st));
	kit_update(k, id, 7);
	kit_expect(k, id, 1, 1000, 7);
	kit_row(k, STORE_TOMB, 5, "five");
	kit_expect_row(k, STORE_TOMB, 5, "five");
	kit_expect_row(k, STORE_PAIR, 5, NULL);
	cr_assert_eq(kit_stats(k).n_bundles, 1);
	cr_assert_eq(kit_stats(k).bytes, 1120);
	cr_assert_eq(kit_stats(k).n_rows, 1);
}

STORE_TEST(committed_is_there_after_a_crash_and_staged_is_not)
{
	uint64_t a = kit_put(k, 1, 1000), b = kit_put(k, 2, 0), c = kit_put(k, 3, 70000);

	kit_row(k, STORE_PAIR, 9, "nine");
	uint64_t seq = store_seq(k->st);
	cr_assert_eq(kit_commit(k), seq);
	cr_assert(store_is_committed(k->st, a));
	cr_assert(!store_is_dirty(k->st));
	uint64_t d = kit_put(k, 4, 10);
	kit_update(k, a, 50);
	store_delete(k->st, b);
	kit_row(k, STORE_PAIR, 9, "other");
	kit_row(k, STORE_TOMB, 1, "lost");
	kit_crash(k);
	kit_expect(k, a, 1, 1000, 1);
	kit_expect(k, b, 2, 0, 2);
	kit_expect(k, c, 3, 70000, 3);
	kit_expect_gone(k, d);
	kit_expect_row(k, STORE_PAIR, 9, "nine");
	kit_expect_row(k, STORE_TOMB, 1, NULL);
	cr_assert_eq(kit_count(k, STORE_BUNDLE), 3);
	cr_assert_eq(kit_stats(k).n_bundles, 3);
	cr_assert_eq(kit_stats(k).bytes, 71000 + 3 * 120);
	cr_assert_eq(kit_stats(k).n_rows, 1);
	cr_assert_eq(kit_stats(k).boot, 2);
	cr_assert_eq(kit_stats(k).staged_bytes, 0);
}

STORE_TEST(updates_and_deletions_are_durable)
{
	uint64_t a = kit_put(k, 1, 500), b = kit_put(k, 2, 500);

	kit_row(k, STORE_TOMB, 3, "tomb");
	kit_commit(k);
	kit_update(k, a, 10);
	kit_update(k, a, 11);
	store_delete(k->st, b);
	store_row_delete(k->st, STORE_TOMB, 3);
	kit_commit(k);
	kit_crash(k);
	kit_expect(k, a, 1, 500, 11);
	kit_expect_gone(k, b);
	kit_expect_row(k, STORE_TOMB, 3, NULL);
	kit_crash(k);
	kit_expect(k, a, 1, 500, 11);
	cr_assert_eq(kit_stats(k).n_bundles, 1);
}

STORE_TEST(a_bundle_deleted_before_its_batch_is_never_written)
{
	uint64_t id = kit_put(k, 1, 5000);

	kit_update(k, id, 2);
	store_delete(k->st, id);
	kit_expect_gone(k, id);
	cr_assert(!store_is_dirty(k->st));
	cr_assert_null(store_commit_begin(k->st));
	cr_assert_eq(kit_stats(k).staged_bytes, 0);
	cr_assert_eq(kit_stats(k).n_bundles, 0);
	kit_row(k, STORE_TOMB, 1, "x");
	store_row_delete(k->st, STORE_TOMB, 1);
	cr_assert(!store_is_dirty(k->st));
}

STORE_TEST(a_deletion_while_the_batch_runs_goes_with_the_next)
{
	uint64_t id = kit_put(k, 1, 100);
	struct store_batch *b = store_commit_begin(k->st);
	struct store_event ev;

	store_delete(k->st, id);
	cr_assert_null(store_commit_begin(k->st), "one batch runs at a time");
	cr_assert_eq(store_commit_run(b), 0);
	store_commit_end(k->st, b, 0);
	cr_assert(store_event(k->st, &ev));
	kit_expect_gone(k, id);
	kit_crash(k);
	kit_expect(k, id, 1, 100, 1);
	store_delete(k->st, id);
	kit_commit(k);
	kit_crash(k);
	kit_expect_gone(k, id);
}

STORE_TEST(an_update_while_the_batch_runs_goes_with_the_next)
{
	uint64_t id = kit_put(k, 1, 100);
	struct store_batch *b = store_commit_begin(k->st);
	struct store_event ev;

	kit_update(k, id, 9);
	cr_assert_eq(store_commit_run(b), 0);
	store_commit_end(k->st, b, 0);
	cr_assert(store_event(k->st, &ev));
	kit_expect(k, id, 1, 100, 9);
	cr_assert(store_is_dirty(k->st));
	kit_crash(k);
	kit_expect(k, id, 1, 100, 1);
	kit_update(k, id, 8);
	kit_commit(k);
	kit_crash(k);
	kit_expect(k, id, 1, 100, 8);
}

STORE_TEST(ids_never_repeat)
{
	uint64_t last = 0;

	for (int boot = 0; boot < 4; boot++) {
		for (unsigned i = 0; i < 100; i++) {
			uint64_t id = kit_put(k, i, 10);

			cr_assert_gt(id, last);
			last = id;
		}
		if (boot % 2)
			kit_commit(k);
		kit_crash(k);
	}
}

STORE_TEST(reserved_numbers_never_repeat)
{
	uint64_t last = 0, first, seq;

	for (int boot = 0; boot < 4; boot++) {
		cr_assert_eq(store_reserve(k->st, COUNTER_CUSTODY, 3, &first, &seq), 0);
		cr_assert_eq(seq, store_seq(k->st), "the first use waits for a commit");
		cr_assert_gt(first, last);
		cr_assert_eq(kit_commit(k), seq);
		last = first + 2;
		uint64_t block = 10000;
		for (int i = 0; i < 30; i++) {
			cr_assert_eq(store_reserve(k->st, COUNTER_CUSTODY, block, &first, &seq), 0);
			cr_assert_eq(seq, 0, "later ones do not");
			cr_assert_gt(first, last);
			last = first + block - 1;
			kit_commit(k);
		}
		kit_crash(k);
	}
}

STORE_TEST(numbers_of_a_lost_block_were_never_usable)
{
	uint64_t a, b, seq;

	cr_assert_eq(store_reserve(k->st, COUNTER_CREATION, 1, &a, &seq), 0);
	cr_assert_neq(seq, 0);
	kit_crash(k);
	cr_assert_eq(store_reserve(k->st, COUNTER_CREATION, 1, &b, &seq), 0);
	cr_assert_eq(a, b, "the first was never spoken, so it may come again");
	cr_assert_eq(store_reserve(k->st, COUNTER_CREATION, 1000000, &a, &seq), 0);
	cr_assert_eq(a, b + 1);
	cr_assert_eq(seq, store_seq(k->st));
	kit_commit(k);
	cr_assert_eq(store_reserve(k->st, COUNTER_CREATION, 1, &b, &seq), 0);
	cr_assert_eq(b, a + 1000000);
	cr_assert_eq(seq, 0);
}

STORE_TEST(a_payload_in_pieces)
{
	uint64_t id, gone;
	struct view v;
	struct store_bundle b = {.value = view_text("v"), .head = view_text("head")};

	cr_assert_eq(store_begin(k->st, 10, 0, &id), 0);
	cr_assert_eq(store_begin(k->st, 100, 0, &gone), 0);
	cr_assert_eq(store_append(k->st, id, view_text("hello")), 0);
	cr_assert_eq(store_appended(k->st, id, &v), 0);
	cr_assert(view_equal(v, view_text("hello")));
	cr_assert_eq(store_seal(k->st, id, &b), -E_STATE);
	kit_expect_gone(k, id);
	cr_assert_eq(store_append(k->st, id, view_text("abcdef")), -E_RANGE);
	cr_assert(!store_is_dirty(k->st));
	cr_assert_eq(store_append(k->st, id, view_text("abcde")), 0);
	store_abandon(k->st, gone);
	cr_assert_eq(store_append(k->st, gone, view_text("x")), -E_UNKNOWN);
	cr_assert_eq(store_appended(k->st, gone, &v), -E_UNKNOWN);
	cr_assert_eq(store_seal(k->st, id, &b), 0);
	store_abandon(k->st, id);
	kit_commit(k);
	kit_crash(k);
	cr_assert_eq(store_payload(k->st, (struct slice){id, 3, 4}, &v), 0);
	cr_assert(view_equal(v, view_text("loab")));
	cr_assert_eq(store_payload(k->st, (struct slice){id, 3, 8}, &v), -E_RANGE);
	cr_assert_eq(store_head(k->st, id, &v), 0);
	cr_assert(view_equal(v, view_text("head")));
	cr_assert_eq(kit_stats(k).n_bundles, 1);
	cr_assert_eq(kit_stats(k).bytes, 14);
}

STORE_TEST(limits_are_hard)
{
	struct store_limits l = {.max_bytes = 10000,
		.max_bundles = 5,
		.max_rows = 2,
		.stage_bytes = 8000,
		.reserved_bytes = 2000};
	uint64_t id, first;

	kit_limit(k, l);
	cr_assert_eq(kit_try_put(k, 1, 9000, 0, &id), -E_FULL, "larger than the stage");
	first = kit_put(k, 1, 3000);
	kit_put(k, 2, 3000);
	cr_assert_eq(kit_try_put(k, 3, 1600, 0, &id), -E_AGAIN, "the stage is full");
	kit_commit(k);
	cr_assert_eq(kit_try_put(k, 3, 1700, 0, &id), -E_FULL);
	cr_assert(!store_has_room(k->st, 1820, 0));
	cr_assert(store_has_room(k->st, 1820, STORE_URGENT));
	cr_assert_eq(kit_try_put(k, 3, 1700, STORE_URGENT, &id), 0);
	store_delete(k->st, first);
	for (unsigned i = 0; i < 3; i++)
		kit_put(k, i, 10);
	cr_assert_eq(kit_try_put(k, 3, 10, STORE_URGENT, &id), -E_FULL, "number of bundles");
	kit_row(k, STORE_TOMB, 1, "a");
	kit_row(k, STORE_PAIR, 1, "b");
	kit_row(k, STORE_PAIR, 1, "c");
	cr_assert_eq(store_row_set(k->st, STORE_PAIR, 2, view_text("d")), -E_FULL);
	store_row_delete(k->st, STORE_TOMB, 1);
	kit_row(k, STORE_PAIR, 2, "d");
	kit_commit(k);
	kit_crash(k);
	cr_assert_eq(kit_count(k, STORE_BUNDLE), 5);
	cr_assert_eq(kit_count(k, STORE_PAIR), 2);
}

STORE_TEST(counters_are_limited)
{
	struct store_limits l = {
		.max_bytes = 10000, .max_bundles = 5, .max_rows = 10, .stage_bytes = 8000};
	uint64_t first, seq, n = 0;

	kit_limit(k, l);
	for (uint64_t i = 1; i <= 100; i++) {
		int err = store_reserve(k->st, i, 1, &first, &seq);

		cr_assert(err == 0 || err == -E_FULL);
		n += err == 0;
	}
	cr_assert(n >= 10 && n < 20, "%lu", (unsigned long)n);
	kit_commit(k);
	kit_crash(k);
	cr_assert_eq(store_reserve(k->st, 1, 1, &first, &seq), 0);
	cr_assert_eq(first, 1 + 1 + 65536, "what was left of the block is skipped");
	cr_assert_eq(store_reserve(k->st, 100, 1, &first, &seq), -E_FULL);
}

STORE_TEST(views_live_until_the_turn)
{
	uint64_t id = kit_put(k, 3, 2000);
	struct view value, payload, row;

	kit_row(k, STORE_TOMB, 1, "old row");
	kit_commit(k);
	store_turn(k->st);
	cr_assert_eq(store_value(k->st, STORE_BUNDLE, id, &value), 0);
	cr_assert_eq(store_payload(k->st, (struct slice){id, 0, 2000}, &payload), 0);
	cr_assert_eq(store_value(k->st, STORE_TOMB, 1, &row), 0);
	uint8_t first = payload.p[0], last = payload.p[1999], v0 = value.p[0];
	kit_update(k, id, 77);
	kit_row(k, STORE_TOMB, 1, "new");
	store_delete(k->st, id);
	kit_commit(k);
	for (unsigned i = 0; i < 50; i++)
		kit_put(k, i, 2000);
	kit_commit(k);
	cr_assert_eq(payload.p[0], first);
	cr_assert_eq(payload.p[1999], last);
	cr_assert_eq(value.p[0], v0);
	cr_assert(view_equal(row, view_text("old row")));
	store_turn(k->st);
	kit_expect_gone(k, id);
}

STORE_TEST(a_failed_batch_goes_with_the_next)
{
	uint64_t a = kit_put(k, 1, 100), z;
	struct store_event ev;

	kit_commit(k);
	uint64_t b = kit_put(k, 2, 100), c = kit_put(k, 3, 100), d = kit_put(k, 4, 100);
	kit_update(k, a, 5);
	kit_row(k, STORE_TOMB, 1, "one");
	cr_assert_eq(store_reserve(k->st, COUNTER_CREATION, 1, &z, &z), 0);
	struct store_batch *batch = store_commit_begin(k->st);
	uint64_t seq = store_seq(k->st) - 1;
	store_delete(k->st, c);
	kit_update(k, d, 40);
	kit_row(k, STORE_TOMB, 1, "two");
	store_commit_end(k->st, batch, -ENOSPC);
	cr_assert(store_event(k->st, &ev));
	cr_assert_eq(ev.type, STORE_COMMIT_FAILED);
	cr_assert_eq(ev.seq, seq);
	cr_assert_eq(ev.err, -ENOSPC);
	cr_assert(!store_event(k->st, &ev));
	cr_assert_eq(kit_stats(k).commits_failed, 1);
	cr_assert(!kit_stats(k).is_closed);
	cr_assert(!store_is_committed(k->st, b));
	store_delete(k->st, b);
	cr_assert_gt(kit_commit(k), seq);
	cr_assert_eq(store_reserve(k->st, COUNTER_CREATION, 1, &z, &z), 0);
	cr_assert_eq(z, 0);
	for (int i = 0; i < 2; i++) {
		kit_expect(k, a, 1, 100, 5);
		kit_expect_gone(k, b);
		kit_expect_gone(k, c);
		kit_expect(k, d, 4, 100, 40);
		kit_expect_row(k, STORE_TOMB, 1, "two");
		cr_assert_eq(kit_count(k, STORE_BUNDLE), 2);
		kit_crash(k);
	}
}

STORE_TEST(an_io_error_closes_the_store)
{
	uint64_t a = kit_put(k, 1, 100), b;
	struct store_event ev;

	kit_commit(k);
	kit_put(k, 2, 100);
	struct store_batch *batch = store_commit_begin(k->st);
	store_commit_end(k->st, batch, -EIO);
	cr_assert(store_event(k->st, &ev));
	cr_assert_eq(ev.type, STORE_COMMIT_FAILED);
	cr_assert(kit_stats(k).is_closed);
	cr_assert_eq(kit_stats(k).last_err, -EIO);
	cr_assert_null(store_commit_begin(k->st));
	cr_assert_eq(kit_try_put(k, 3, 1, 0, &b), -E_CLOSED);
	kit_expect(k, a, 1, 100, 1);
	kit_crash(k);
	cr_assert_eq(kit_count(k, STORE_BUNDLE), 1);
	cr_assert(!kit_stats(k).is_closed);
	kit_put(k, 3, 100);
	cr_assert_neq(kit_commit(k), 0);
}

/* Against a model: random changes, commits and crashes; what is durable is what comes back. */
enum { MODEL_ROWS = 64 };
struct model {
	unsigned now[MODEL_ROWS], durable[MODEL_ROWS]; /* value, 0 = none */
	uint64_t id[MODEL_ROWS];                       /* of the bundle in this place */
	uint64_t durable_id[MODEL_ROWS];
};

static size_t model_size(unsigned i)
{
	return i % 7 == 0 ? 9000 : i * 13;
}

static void model_check(struct kit *k, const struct model *m)
{
	size_t n = 0;

	for (unsigned i = 0; i < MODEL_ROWS; i++) {
		char text[32];

		snprintf(text, sizeof text, "%u", m->now[i]);
		kit_expect_row(k, STORE_PAIR, i + 1, m->now[i] ? text : NULL);
		if (m->id[i])
			kit_expect(k, m->id[i], i, model_size(i), m->now[i]);
		n += m->id[i] != 0;
	}
	cr_assert_eq(kit_count(k, STORE_BUNDLE), n);
	cr_assert_eq(kit_stats(k).n_bundles, n);
}

static void model_change(struct kit *k, struct model *m, unsigned i, unsigned value)
{
	char text[32];

	snprintf(text, sizeof text, "%u", value);
	if (value == 0) {
		store_row_delete(k->st, STORE_PAIR, i + 1);
		store_delete(k->st, m->id[i]);
		m->id[i] = 0;
	} else {
		kit_row(k, STORE_PAIR, i + 1, text);
		if (!m->id[i])
			m->id[i] = kit_put(k, i, model_size(i));
		kit_update(k, m->id[i], value);
	}
	m->now[i] = value;
}

STORE_TEST(agrees_with_a_model)
{
	struct model m = {0};

	srand(7);
	for (unsigned step = 1; step <= 3000; step++) {
		unsigned i = (unsigned)rand() % MODEL_ROWS;

		model_change(k, &m, i, rand() % 3 ? step : 0);
		if (rand() % 20 == 0) {
			kit_commit(k);
			memcpy(m.durable, m.now, sizeof m.now);
			memcpy(m.durable_id, m.id, sizeof m.id);
		}
		if (rand() % 100 == 0) {
			kit_crash(k);
			memcpy(m.now, m.durable, sizeof m.now);
			memcpy(m.id, m.durable_id, sizeof m.id);
			model_check(k, &m);
		}
		if (rand() % 10 == 0)
			store_turn(k->st);
	}
	model_check(k, &m);
}

/* Who can wait leaves half of the stage to others, and is never shut out of an empty one. */
STORE_TEST(the_patient_take_half_of_the_stage)
{
	struct store_limits l = store_limits_default();
	uint64_t id;

	l.stage_bytes = 10000;
	kit_limit(k, l);
	kit_commit(k);
	cr_assert_eq(kit_try_put(k, 1, 7000, STORE_PATIENT, &id), 0);
	kit_commit(k);
	cr_assert_eq(kit_try_put(k, 2, 3000, STORE_PATIENT, &id), 0);
	cr_assert_eq(kit_try_put(k, 3, 3000, STORE_PATIENT, &id), -E_AGAIN);
	cr_assert_eq(kit_try_put(k, 4, 3000, 0, &id), 0);
	cr_assert_eq(kit_try_put(k, 5, 500, STORE_PATIENT, &id), -E_AGAIN);
	kit_commit(k);
	cr_assert_eq(kit_try_put(k, 6, 3000, STORE_PATIENT, &id), 0);
	kit_expect(k, id, 6, 3000, 6);
}

Test(store, memory_crash_keeps_or_loses_a_running_batch_whole)
{
	for (int survives = 0; survives < 2; survives++) {
		struct kit k;

		kit_open(&k, KIT_MEM, NULL);
		uint64_t a = kit_put(&k, 1, 10), b = kit_put(&k, 2, 10);
		kit_row(&k, STORE_TOMB, 4, "four");
		cr_assert_not_null(store_commit_begin(k.st));
		kit_put(&k, 3, 10);
		kit_update(&k, a, 9);
		store_delete(k.st, b);
		store_mem_crash(k.st, survives);
		cr_assert_eq(kit_count(&k, STORE_BUNDLE), survives ? 2 : 0);
		cr_assert_eq(kit_count(&k, STORE_TOMB), survives ? 1 : 0);
		if (survives)
			kit_expect(&k, a, 1, 10, 1);
		cr_assert(!store_is_dirty(k.st));
		kit_put(&k, 4, 10);
		cr_assert_neq(kit_commit(&k), 0);
		kit_close(&k);
	}
}
