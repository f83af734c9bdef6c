/*
 * kit: one store under test, on memory or disk. A test runs on both; what it does between is the same.
 */
#ifndef OWLT_TESTS_STORE_KIT_H
#define OWLT_TESTS_STORE_KIT_H

#include "dtn/store/store.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

enum kit_type { KIT_MEM, KIT_DISK, KIT_TYPES };

struct kit {
	enum kit_type type;
	struct store_limits limits;
	struct store *st;
	char dir[256]; /* disk: under build/ */
};

/* A test that runs once for each kind of store; `k` is the kit, opened with default limits. */
#define STORE_TEST(name)                                                                           \
	static void name##_body(struct kit *k);                                                    \
	Test(store, name)                                                                          \
	{                                                                                          \
		for (int type = 0; type < KIT_TYPES; type++) {                                     \
			struct kit k;                                                              \
			kit_open(&k, (enum kit_type)type, NULL);                                   \
			name##_body(&k);                                                           \
			kit_close(&k);                                                             \
		}                                                                                  \
	}                                                                                          \
	static void name##_body(struct kit *k)

void kit_open(struct kit *k, enum kit_type type, const struct store_limits *limits);
void kit_close(struct kit *k);
/* Empty again, with other limits. */
void kit_limit(struct kit *k, struct store_limits limits);
/* The process dies and starts again; a running batch survives or not (memory), or does not (disk). */
void kit_crash(struct kit *k);

/* Begins, runs and ends a batch; its number, 0 when there was nothing. Takes the event. */
uint64_t kit_commit(struct kit *k);
/* A bundle with a value, head and payload that follow from `n`. */
uint64_t kit_put(struct kit *k, unsigned n, size_t size);
int kit_try_put(struct kit *k, unsigned n, size_t size, unsigned flags, uint64_t *id);
/* Bundle `id` has the value of `value_n` and the head and payload of `n`. */
void kit_expect(struct kit *k, uint64_t id, unsigned n, size_t size, unsigned value_n);
void kit_expect_gone(struct kit *k, uint64_t id);
void kit_update(struct kit *k, uint64_t id, unsigned value_n);
void kit_row(struct kit *k, enum store_kind kind, uint64_t id, const char *text);
void kit_expect_row(struct kit *k, enum store_kind kind, uint64_t id, const char *text);
size_t kit_count(struct kit *k, enum store_kind kind);
struct store_stats kit_stats(struct kit *k);

#endif
