/*
 * The wrapped allocator (fail.h). Counting begins with fail_next() and ends with fail_judge(), so
 * Criterion's own allocations are let through; tests run in processes of their own.
 */
#include "tests/unit/alloc/fail.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct {
	bool on, hit;
	unsigned at, n, total;
	long live;
} state;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__real_aligned_alloc(size_t align, size_t n);
char *__real_strdup(const char *s);
void __real_free(void *p);

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t n);
char *__wrap_strdup(const char *s);
void __wrap_free(void *p);

static bool fails(void)
{
	if (!state.on || ++state.n != state.at)
		return false;
	state.hit = true;
	state.total++;
	errno = ENOMEM;
	return true;
}

static void *counted(void *p)
{
	state.live += state.on && p;
	return p;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : counted(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t n)
{
	void *q = fails() ? NULL : __real_realloc(p, n);

	return p ? q : counted(q);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	void *q = fails() ? NULL : __real_reallocarray(p, n, size);

	return p ? q : counted(q);
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
	return fails() ? NULL : counted(__real_aligned_alloc(align, n));
}

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : counted(__real_strdup(s));
}

void __wrap_free(void *p)
{
	state.live -= state.on && p;
	__real_free(p);
}

bool fail_next(struct fail *k)
{
	static const cJSON_Hooks hooks = {__wrap_malloc, __wrap_free};

	if (k->done)
		return false;
	cJSON_InitHooks((cJSON_Hooks *)(size_t)&hooks);
	k->at++;
	cr_assert_lt(k->at, 100000);
	state.hit = false;
	state.n = 0;
	state.at = k->at;
	state.live = 0;
	state.on = true;
	return true;
}

bool fail_off(struct fail *k)
{
	(void)k;
	state.at = 0;
	return state.hit;
}

void fail_judge(struct fail *k, int err)
{
	bool hit = state.hit;

	state.on = false;
	cr_assert_eq(state.live, 0, "%ld allocations not given back when allocation %u failed",
		state.live, k->at);
	if (!hit) {
		cr_assert_eq(err, 0, "error %d and nothing failed", err);
		k->done = true;
		return;
	}
	if (!k->may_pass)
		cr_assert_neq(err, 0, "no error when allocation %u failed", k->at);
	cr_assert_leq(err, 0);
}

unsigned fail_total(void)
{
	return state.total;
}
