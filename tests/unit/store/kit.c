#include "tests/unit/store/kit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void fill(uint8_t *p, size_t size, unsigned n)
{
	for (size_t i = 0; i < size; i++)
		p[i] = (uint8_t)(n * 31 + i + (i >> 8));
}

static void remove_dir(const char *dir)
{
	DIR *d = opendir(dir);

	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));) {
		char path[600];

		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			unlink(path);
	}
	closedir(d);
	rmdir(dir);
}

static void reopen(struct kit *k)
{
	int err = k->type == KIT_MEM ? store_mem_open(&k->limits, &k->st)
				     : store_disk_open(k->dir, &k->limits, &k->st);

	cr_assert_eq(err, 0, "open: %s", err_text(err));
}

void kit_open(struct kit *k, enum kit_type type, const struct store_limits *limits)
{
	*k = (struct kit){.type = type};
	k->limits = limits ? *limits : store_limits_default();
	if (type == KIT_DISK) {
		mkdir("build", 0777);
		snprintf(k->dir, sizeof k->dir, "build/store-test-XXXXXX");
		cr_assert(mkdtemp(k->dir));
	}
	reopen(k);
}

void kit_close(struct kit *k)
{
	store_close(k->st);
	if (k->type == KIT_DISK)
		remove_dir(k->dir);
}

void kit_limit(struct kit *k, struct store_limits limits)
{
	enum kit_type type = k->type;

	kit_close(k);
	kit_open(k, type, &limits);
}

void kit_crash(struct kit *k)
{
	if (k->type == KIT_MEM) {
		store_mem_crash(k->st, false);
		return;
	}
	store_close(k->st);
	reopen(k);
}

uint64_t kit_commit(struct kit *k)
{
	struct store_batch *b = store_commit_begin(k->st);
	struct store_event ev;

	if (!b)
		return 0;
	int err = store_commit_run(b);
	cr_assert_eq(err, 0, "commit: %s", err_text(err));
	store_commit_end(k->st, b, err);
	cr_assert(store_event(k->st, &ev));
	cr_assert_eq(ev.type, STORE_COMMITTED);
	return ev.seq;
}

int kit_try_put(struct kit *k, unsigned n, size_t size, unsigned flags, uint64_t *id)
{
	uint8_t value[40], head[120], *payload = malloc(size + 1);

	fill(value, sizeof value, n + 1000);
	fill(head, sizeof head, n + 2000);
	fill(payload, size, n);
	struct view part[2] = {
		view_of(payload, size / 3), view_of(payload + size / 3, size - size / 3)};
	struct store_bundle b = {
		.value = view_of(value, sizeof value),
		.head = view_of(head, sizeof head),
		.payload = part,
		.n_payload = 2,
		.flags = flags,
	};
	int err = store_put(k->st, &b, id);
	free(payload);
	return err;
}

uint64_t kit_put(struct kit *k, unsigned n, size_t size)
{
	uint64_t id = 0;
	int err = kit_try_put(k, n, size, 0, &id);

	cr_assert_eq(err, 0, "put: %s", err_text(err));
	cr_assert_neq(id, 0);
	return id;
}

void kit_expect(struct kit *k, uint64_t id, unsigned n, size_t size, unsigned value_n)
{
	uint8_t value[40], head[120], *payload = malloc(size + 1);
	struct view v;
	int err;

	fill(value, sizeof value, value_n + 1000);
	fill(head, sizeof head, n + 2000);
	fill(payload, size, n);
	err = store_value(k->st, STORE_BUNDLE, id, &v);
	cr_assert_eq(err, 0, "value of %lu: %s", (unsigned long)id, err_text(err));
	cr_assert(view_equal(v, view_of(value, sizeof value)));
	err = store_head(k->st, id, &v);
	cr_assert_eq(err, 0, "head of %lu: %s", (unsigned long)id, err_text(err));
	cr_assert(view_equal(v, view_of(head, sizeof head)));
	err = store_payload(k->st, (struct slice){id, 0, size}, &v);
	cr_assert_eq(err, 0, "payload of %lu: %s", (unsigned long)id, err_text(err));
	cr_assert(view_equal(v, view_of(payload, size)));
	free(payload);
}

void kit_expect_gone(struct kit *k, uint64_t id)
{
	struct view v;

	cr_assert_eq(store_value(k->st, STORE_BUNDLE, id, &v), -E_UNKNOWN);
	cr_assert_eq(store_head(k->st, id, &v), -E_UNKNOWN);
	cr_assert_eq(store_payload(k->st, (struct slice){id, 0, 0}, &v), -E_UNKNOWN);
}

void kit_update(struct kit *k, uint64_t id, unsigned value_n)
{
	uint8_t value[40];

	fill(value, sizeof value, value_n + 1000);
	store_update(k->st, id, view_of(value, sizeof value));
}

void kit_row(struct kit *k, enum store_kind kind, uint64_t id, const char *text)
{
	cr_assert_eq(store_row_set(k->st, kind, id, view_text(text)), 0);
}

void kit_expect_row(struct kit *k, enum store_kind kind, uint64_t id, const char *text)
{
	struct view v;
	int err = store_value(k->st, kind, id, &v);

	if (!text) {
		cr_assert_eq(err, -E_UNKNOWN);
		return;
	}
	cr_assert_eq(err, 0);
	cr_assert(view_equal(v, view_text(text)));
}

size_t kit_count(struct kit *k, enum store_kind kind)
{
	uint64_t id = 0, before = 0;
	size_t n = 0;

	for (struct view v; store_next(k->st, kind, &id, &v); before = id, n++)
		cr_assert_gt(id, before);
	return n;
}

struct store_stats kit_stats(struct kit *k)
{
	struct store_stats s;

	store_stats(k->st, &s);
	return s;
}
