/*
 * A node's store in the hands of `owlt store`: opening it (nobody else may), reading what is stored, making
 * changes durable. Start reading at stored_open().
 */
#include "tools/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

int stored_open(const char *command, const char *dir, struct store **st)
{
	struct rlimit files;

	/* A large store has up to 1034 segments open at a time. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	int err = store_disk_open_offline(dir, st);

	switch (err) {
	case 0:
		return 0;
	case -EBUSY:
		return out_fail(
			"store %s: %s is in use: stop the node first, or ask it: owlt status "
			"bundles",
			command, dir);
	case -ENOENT:
		return out_fail("store %s: %s is not a store: it has no index.mdb", command, dir);
	case -E_CORRUPT:
		return out_fail(
			"store %s: %s can't be opened: the index or the log is damaged so far that "
			"it would forget what was promised (owlt-store(5))",
			command, dir);
	default:
		return out_fail("store %s: %s: %s", command, dir, err_text(err));
	}
}

int stored_commit(const char *command, struct store *st)
{
	struct store_batch *b = store_commit_begin(st);
	struct store_event ev;

	if (!b)
		return store_is_dirty(st) ? out_fail("store %s: the store is closed", command) : 0;
	int err = store_commit_run(b);
	store_commit_end(st, b, err);
	while (store_event(st, &ev))
		;
	store_turn(st);
	return err ? out_fail("store %s: nothing was changed: %s", command, err_text(err)) : 0;
}

int stored_id(const char *command, const char *text, uint64_t *id)
{
	char *end;

	errno = 0;
	*id = strtoull(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-')
		return out_fail(
			"store %s: \"%s\" is no id: owlt store ls shows them", command, text);
	return 0;
}

struct bundle_rules stored_rules(const struct record *r)
{
	struct bundle_rules rules = bundle_rules_default();

	rules.allow_no_primary_crc = rules.allow_no_age = rules.allow_short_dtn =
		rules.allow_foreign = true;
	if (r->flags & RECORD_BPLIB)
		rules.custody = custody_codes_bplib();
	return rules;
}

int stored_read(struct store *st, uint64_t id, struct stored *out)
{
	struct bundle_fault fault;
	struct view v, bytes;
	int err = store_value(st, STORE_BUNDLE, id, &v);

	*out = (struct stored){.id = id};
	if (err)
		return err;
	if (record_decode(v, &out->r))
		return -E_CORRUPT;
	struct bundle_rules rules = stored_rules(&out->r);
	if (out->r.flags & RECORD_IMPORTED) {
		err = store_payload(st, (struct slice){id, 0, out->r.size_bytes}, &bytes);
		return err ? err : bundle_read(&out->b, bytes, &rules, &fault) ? -E_CORRUPT : 0;
	}
	err = store_head(st, id, &bytes);
	return err ? err : bundle_read_head(&out->b, bytes, &rules, &fault) ? -E_CORRUPT : 0;
}

/* The head; one with an age block says how long the bundle has been here. */
static int head_put(const struct stored *s, struct buf *out)
{
	const struct bundle *b = &s->b;
	dtntime now = stored_now();
	struct bundle_edit edit = {.set_prev = b->has_prev,
		.prev = b->prev,
		.set_age = true,
		.age_ms = u64_add_sat(
			s->r.age_ms, now > s->r.received_ms ? now - s->r.received_ms : 0),
		.custody = stored_rules(&s->r).custody,
		.crc_type = b->crc_type};

	if (b->has_age)
		return bundle_forward_head(out, b, &edit);
	buf_put(out, b->head);
	return buf_finish(out);
}

int stored_whole(struct store *st, const struct stored *s, uint8_t **bytes, size_t *n)
{
	bool is_file = s->r.flags & RECORD_IMPORTED;
	uint64_t rest = is_file ? s->r.size_bytes : s->r.payload_bytes + s->r.tail_bytes;
	size_t room = s->b.head.n + 64 + rest;
	struct buf out = buf_of(malloc(room), room);
	struct view v;
	int err = out.p ? 0 : -ENOMEM;

	if (!err && !is_file)
		err = head_put(s, &out);
	if (!err)
		err = store_payload(st, (struct slice){s->id, 0, rest}, &v);
	if (!err) {
		buf_put(&out, v);
		err = buf_finish(&out);
	}
	if (err) {
		free(out.p);
		return err;
	}
	*bytes = out.p;
	*n = out.len;
	return 0;
}

dtntime stored_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (dtntime)((t.tv_sec - DTN_EPOCH_UNIX_S) * 1000 + t.tv_nsec / 1000000);
}

void stored_progress(struct stored_progress *p, uint64_t bytes)
{
	char of[32] = "";

	if (p->n == 0)
		progress_begin(&p->line, p->command);
	p->n++;
	p->bytes += bytes;
	if (!progress_due(&p->line))
		return;
	if (p->of)
		snprintf(of, sizeof of, " of %" PRIu64, p->of);
	progress_print(
		&p->line, "%" PRIu64 "%s bundles, %" PRIu64 " MB", p->n, of, p->bytes / 1000000);
}
