/*
 * owlt store export | import: bundles of a node's store as files, one bundle each or one after the other in a
 * stream, and back. What is put in waits as it is; the node receives it at its next start (dtn/agent/
 * import.c). Start reading at store_export().
 */
#include "tools/bundle.h"
#include "tools/opt.h"
#include "tools/store.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct args {
	const char *output;
	bool remove, json;
};

#define AT(field) offsetof(struct args, field)

/* -- export */

struct export
{
	struct store *st;
	const struct args *a;
	struct stored_progress p;
	int dir; /* -1: to standard output */
	uint64_t n, n_failed;
};

static bool write_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t did = write(fd, p, n);

		if (did < 0 && errno == EINTR)
			continue;
		if (did <= 0)
			return false;
		p += did;
		n -= (size_t)did;
	}
	return true;
}

/* Every store counts its ids from 1, so the folder may hold a file of that name which is the only copy of another
 * bundle. The same bundle as of an earlier call may be replaced. */
static bool is_other(const struct export *x, const char *name, const struct stored *s)
{
	struct bundle_rules rules = stored_rules(&s->r);
	struct bundle_fault fault;
	struct bundle b;
	struct record r;
	char path[4096];
	uint8_t *bytes;
	size_t n;

	if (faccessat(x->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) && errno == ENOENT)
		return false;
	if (snprintf(path, sizeof path, "%s/%s", x->a->output, name) >= (int)sizeof path ||
		input_read(path, &bytes, &n))
		return true;
	bool other = bundle_read(&b, view_of(bytes, n), &rules, &fault) != 0;
	if (!other) {
		record_import(&r, &b, stored_now());
		other = r.uid[0] != s->r.uid[0] || r.uid[1] != s->r.uid[1];
	}
	free(bytes);
	return other;
}

/* Whole and on the disk, or not there. */
static int file_put(const struct export *x, const struct stored *s, const uint8_t *bytes, size_t n)
{
	char name[40], part[48];
	int dir = x->dir;

	snprintf(name, sizeof name, "%" PRIu64 ".bundle", s->id);
	snprintf(part, sizeof part, "%s.part", name);
	if (is_other(x, name, s))
		return -EEXIST;
	int fd = openat(dir, part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	int err = write_all(fd, bytes, n) && fsync(fd) == 0 ? 0 : -errno;
	close(fd);
	if (!err && renameat(dir, part, dir, name))
		err = -errno;
	if (err)
		unlinkat(dir, part, 0);
	return err;
}

/* 0, or an exit code when going on makes no sense. */
static int export_one(struct export *x, uint64_t id)
{
	struct stored s;
	uint8_t *bytes = NULL;
	size_t n = 0;
	int err = stored_read(x->st, id, &s);

	if (!err)
		err = stored_whole(x->st, &s, &bytes, &n);
	if (err) {
		out_no("store export: %" PRIu64 ": %s", id,
			err == -E_UNKNOWN ? "there is no such bundle" : err_text(err));
		x->n_failed++;
		return 0;
	}
	if (x->dir >= 0)
		err = file_put(x, &s, bytes, n);
	else if (!write_all(STDOUT_FILENO, bytes, n))
		err = -errno;
	free(bytes);
	if (err == -EEXIST) {
		out_no("store export: %" PRIu64 ": %s/%" PRIu64
		       ".bundle is another one: take another folder",
			id, x->a->output, id);
		x->n_failed++;
		return 0;
	}
	if (err)
		return out_fail("store export: %" PRIu64 ": %s", id, err_text(err));
	if (x->a->remove)
		store_delete(x->st, id);
	x->n++;
	stored_progress(&x->p, n);
	store_turn(x->st);
	return 0;
}

static int export_all(struct export *x, char **ids, int n)
{
	uint64_t id = 0;
	struct view v;
	int code = 0;

	if (n == 0)
		while (!code && store_next(x->st, STORE_BUNDLE, &id, &v))
			code = export_one(x, id);
	for (int i = 0; i < n && !code; i++) {
		code = stored_id("export", ids[i], &id);
		if (!code)
			code = export_one(x, id);
	}
	/* Only what is safe elsewhere goes from here. */
	if (!code && x->dir >= 0 && fsync(x->dir))
		code = out_fail("store export: %s: %s", x->a->output, err_text(-errno));
	return code ? code : stored_commit("export", x->st);
}

static int export_to(struct export *x)
{
	if (!x->a->output) {
		if (x->a->remove)
			return out_fail(
				"store export: --remove needs -o DIR: a pipe promises nothing");
		return isatty(STDOUT_FILENO)
			       ? out_fail("store export: bundles to a terminal? Use -o DIR")
			       : 0;
	}
	if (mkdir(x->a->output, 0750) && errno != EEXIST)
		return out_fail("store export: %s: %s", x->a->output, err_text(-errno));
	x->dir = open(x->a->output, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (x->dir < 0 || (flock(x->dir, LOCK_EX | LOCK_NB) && errno != ENOTSUP))
		return out_fail("store export: %s: %s", x->a->output,
			errno == EWOULDBLOCK ? "another export writes there" : err_text(-errno));
	return 0;
}

int store_export(int argc, char **argv)
{
	static const struct opt opts[] = {
		{"output", 'o', OPT_TEXT, AT(output), "DIR",
			"a file ID.bundle for each; without it one stream to standard output",
			NULL},
		{"remove", 0, OPT_FLAG, AT(remove), NULL, "delete from the store what was written",
			NULL},
		{0}};
	static const struct opt_command cmd = {"store export", "DIR [ID...]",
		"Writes stored bundles, all or those named, as they came (an age block is brought "
		"up "
		"to date)",
		opts,
		"Exit status: 0 all written, 1 one is unknown or damaged or would replace "
		"another bundle's file, 2 usage or in use."};
	struct args a = {0};
	struct opt_rest rest = opt_read(&cmd, argc, argv, &a, 1, -1);
	struct export x = {.a = &a, .dir = -1, .p = {.command = "store export"}};
	struct store_stats stats;

	if (rest.done)
		return rest.code;
	int code = export_to(&x);
	if (!code)
		code = stored_open("export", rest.argv[0], &x.st);
	if (!code) {
		store_stats(x.st, &stats);
		x.p.of = rest.argc > 1 ? (uint64_t)(rest.argc - 1) : stats.n_bundles;
		code = export_all(&x, rest.argv + 1, rest.argc - 1);
		progress_clear(&x.p.line);
		store_close(x.st);
	}
	if (x.dir >= 0)
		close(x.dir);
	return code ? code : x.n_failed ? EXIT_NO : EXIT_YES;
}

/* -- import */

struct uid {
	uint64_t half[2];
};

struct import {
	struct store *st;
	struct stored_progress p;
	struct uid *known; /* sorted up to n_sorted, then in order of arrival */
	size_t n_known, n_sorted, cap;
	uint64_t n, n_duplicates, n_bad;
};

static int compare(const void *a, const void *b)
{
	const struct uid *x = a, *y = b;

	if (x->half[0] != y->half[0])
		return x->half[0] < y->half[0] ? -1 : 1;
	return (x->half[1] > y->half[1]) - (x->half[1] < y->half[1]);
}

static int know(struct import *m, const uint64_t uid[2])
{
	if (m->n_known == m->cap) {
		size_t cap = m->cap ? 2 * m->cap : 1024;
		struct uid *more = realloc(m->known, cap * sizeof *more);

		if (!more)
			return out_fail("store import: no memory");
		m->known = more;
		m->cap = cap;
	}
	m->known[m->n_known++] = (struct uid){{uid[0], uid[1]}};
	return 0;
}

static bool is_known(struct import *m, const uint64_t uid[2])
{
	struct uid u = {{uid[0], uid[1]}};

	if (m->n_known - m->n_sorted > 1024) {
		qsort(m->known, m->n_known, sizeof u, compare);
		m->n_sorted = m->n_known;
	}
	for (size_t i = m->n_sorted; i < m->n_known; i++)
		if (compare(&m->known[i], &u) == 0)
			return true;
	return m->n_sorted && bsearch(&u, m->known, m->n_sorted, sizeof u, compare);
}

static int know_stored(struct import *m)
{
	uint64_t id = 0;
	struct record r;
	struct view v;
	int code = 0;

	while (!code && store_next(m->st, STORE_BUNDLE, &id, &v)) {
		if (record_decode(v, &r) == 0)
			code = know(m, r.uid);
		store_turn(m->st);
	}
	if (m->n_known)
		qsort(m->known, m->n_known, sizeof *m->known, compare);
	m->n_sorted = m->n_known;
	return code;
}

static int import_one(struct import *m, const struct bundle *b, struct view whole)
{
	uint8_t room[STORE_VALUE_MAX];
	struct buf value = buf_of(room, sizeof room);
	struct record r;
	uint64_t id;
	int code;

	record_import(&r, b, stored_now());
	if (is_known(m, r.uid)) {
		m->n_duplicates++;
		return 0;
	}
	record_encode(&value, &r);
	struct store_bundle s = {.value = buf_view(&value), .payload = &whole, .n_payload = 1};
	int err = store_put(m->st, &s, &id);
	if (err == -E_AGAIN) {
		code = stored_commit("import", m->st);
		if (code)
			return code;
		err = store_put(m->st, &s, &id);
	}
	if (err)
		return out_fail("store import: %s", err_text(err));
	m->n++;
	stored_progress(&m->p, whole.n);
	return know(m, r.uid);
}

/* All bundles of a file, one after the other. */
static int import_file(struct import *m, const char *path)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct bundle b;
	uint8_t *bytes;
	size_t n, at = 0, used;
	int code = 0;

	rules.allow_no_primary_crc = rules.allow_no_age = rules.allow_short_dtn =
		rules.allow_foreign = true;
	if (input_read(path, &bytes, &n))
		return EXIT_USAGE;
	while (at < n && !code) {
		if (bundle_read_first(&b, view_of(bytes + at, n - at), &rules, &fault, &used)) {
			out_no("store import: %s: invalid: %s at byte %zu: %s", path,
				rule_name(fault.rule), at + fault.at, rule_text(fault.rule));
			m->n_bad++;
			break;
		}
		code = import_one(m, &b, view_of(bytes + at, used));
		at += used;
	}
	free(bytes);
	return code;
}

static int import_all(struct import *m, char **paths, int n)
{
	int code = know_stored(m);

	for (int i = 0; i < n && !code; i++)
		code = import_file(m, paths[i]);
	if (!code)
		code = stored_commit("import", m->st);
	free(m->known);
	return code;
}

static int import_sum(const struct import *m, bool json)
{
	struct out o;

	out_begin(&o, json);
	out_text(&o, "%" PRIu64 " put in, %" PRIu64 " known already%s\n", m->n, m->n_duplicates,
		m->n_bad ? "; invalid ones left out" : "");
	if (json) {
		jw_object(&o.w, NULL);
		jw_u64(&o.w, "n_imported", m->n);
		jw_u64(&o.w, "n_duplicates", m->n_duplicates);
		jw_u64(&o.w, "n_invalid", m->n_bad);
		jw_object_end(&o.w);
	}
	return out_end(&o);
}

int store_import(int argc, char **argv)
{
	static const struct opt opts[] = {
		{"json", 0, OPT_FLAG, AT(json), NULL, "one JSON document", NULL}, {0}};
	static const struct opt_command cmd = {"store import", "DIR FILE...",
		"Puts bundles from files in; the node receives them at its next start", opts,
		"A file holds one bundle or several one after the other; - is standard input. Exit "
		"status: 0 done (bundles known already are left out), 1 a file has an invalid "
		"bundle, "
		"2 usage or in use."};
	struct args a = {0};
	struct opt_rest rest = opt_read(&cmd, argc, argv, &a, 2, -1);
	struct import m = {.p = {.command = "store import"}};

	if (rest.done)
		return rest.code;
	int code = stored_open("import", rest.argv[0], &m.st);
	if (code)
		return code;
	code = import_all(&m, rest.argv + 1, rest.argc - 1);
	progress_clear(&m.p.line);
	store_close(m.st);
	int end = code ? code : import_sum(&m, a.json);
	return end ? end : m.n_bad ? EXIT_NO : EXIT_YES;
}
