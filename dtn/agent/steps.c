/*
 * steps: units too large for one go (security.step_bytes) are checked while other bundles pass: in each
 * turn of the loop one of them is worked on, for one step, which it shares with what applications have
 * secured in this turn (protect.c). At most security.max_running units at a time; the others wait in
 * reassemble.c.
 *
 * The head of a unit is in memory, its payload where the fragments are stored. bpsec.c examines the head
 * and stops where the payload is wanted: then its bytes are fed in steps. What comes out of decryption
 * goes into an open bundle of the store, which nobody sees; what needs no decryption is copied there when
 * all was found right. It is sealed last, so it stands for the fragments only with a commit, and
 * is dropped when anything was wrong: plaintext that is not authenticated is in memory alone. A check
 * that was broken off by a restart, or by a commit that failed, begins again with the fragments.
 *
 * Where the store has no room now, or no entry is free, a check waits. It ends with its unit's
 * fragments: when one of them expires, or the whole bundle comes. Start reading at security_tick().
 */
#include "dtn/agent/bpsec.h"

#include <stdlib.h>

struct running {
	struct bundle_entry *first; /* the fragment at offset 0; NULL: free */
	struct check c;
	struct arrival in;
	struct bundle b;
	uint8_t *head; /* BUNDLE_HEAD_MAX bytes */
	struct bpsec *worker;
	uint64_t done;    /* bytes of the payload that this pass has gone over */
	uint64_t open;    /* bundle of the store where the payload goes; 0: none yet */
	bool is_plain;    /* ... and where it is: decrypted, or copied */
	bool is_examined; /* all operations were right */
	mono due;         /* it waits for room until then */
};

static void free_up(struct agent *a, struct running *r);
static void end(struct agent *a, mono now, struct running *r, enum unit_end how, enum reason why);
static uint64_t work(struct agent *a, mono now, struct running *r, uint64_t budget);
static int open_room(struct agent *a, struct running *r, uint64_t bytes);
static int bytes_at(struct agent *a, const struct running *r, uint64_t n, struct view *v);
static int pass_on(struct agent *a, struct running *r, struct view v);
static void fed(struct agent *a, mono now, struct running *r, int err);
static void finish(struct agent *a, mono now, struct running *r);

int steps_init(struct agent *a)
{
	struct security *s = a->security;
	unsigned n = s->n_in ? (unsigned)a->cfg.security.max_running : 0;

	s->running = calloc(n + 1, sizeof *s->running);
	if (!s->running)
		return -ENOMEM;
	s->n_running = n;
	for (unsigned k = 0; k < n; k++) {
		s->running[k].head = malloc(BUNDLE_HEAD_MAX);
		s->running[k].worker = bpsec_new(s->ring);
		if (!s->running[k].head || !s->running[k].worker)
			return -ENOMEM;
	}
	return 0;
}

void steps_fini(struct agent *a)
{
	struct security *s = a->security;

	for (unsigned k = 0; s->running && k < s->n_running; k++) {
		free_up(a, &s->running[k]);
		bpsec_free(s->running[k].worker);
		free(s->running[k].head);
	}
	free(s->running);
}

static struct running *find(const struct agent *a, const struct bundle_entry *first)
{
	const struct security *s = a->security;

	for (unsigned k = 0; k < s->n_running; k++)
		if (s->running[k].first == first)
			return &s->running[k];
	return NULL;
}

bool security_is_free(const struct agent *a)
{
	return a->security->n_in == 0 || find(a, NULL);
}

enum unit_end steps_begin(
	struct agent *a, mono now, struct bundle_entry *first, enum reason *reason)
{
	struct running *r = find(a, NULL);
	struct bundle_fault fault;
	struct buf head;

	if (!r)
		return UNIT_BUSY;
	*reason = REASON_UNINTELLIGIBLE;
	head = buf_of(r->head, BUNDLE_HEAD_MAX);
	if (unit_head(a, first, &head) != 0 ||
		bundle_read_head(
			&r->b, buf_view(&head), &a->rules_own[a->cfg.custody_profile], &fault) != 0)
		return UNIT_REFUSED;
	r->in = unit_arrival(a, first, &r->b);
	bundle_uid(&r->b, r->in.uid);
	bundle_adu_uid(&r->b, r->in.uid, r->in.adu_uid);
	r->c = (struct check){
		.a = a, .worker = r->worker, .now = now, .in = &r->in, .b = &r->b, .head = r->head};
	r->done = r->open = 0;
	r->is_plain = r->is_examined = false;
	r->due = now;
	(void)security_rules(&r->c);
	*reason = security_begin(&r->c);
	if (*reason != REASON_NONE)
		return UNIT_REFUSED;
	r->is_examined = !r->c.wants_payload;
	r->first = first;
	return UNIT_RUNS;
}

void security_stop(struct agent *a, const struct bundle_entry *first)
{
	struct running *r = find(a, first);

	if (r)
		free_up(a, r);
}

void security_stored(struct agent *a)
{
	struct security *s = a->security;

	for (unsigned k = 0; k < s->n_running; k++)
		s->running[k].due = s->now;
}

mono security_deadline(const struct agent *a)
{
	const struct security *s = a->security;
	mono at = s->was_pressed || s->is_pressed ? s->now : MONO_NEVER;

	for (unsigned k = 0; k < s->n_running; k++)
		if (s->running[k].first)
			at = mono_min(at, s->running[k].due);
	return at;
}

/* Once a turn. What applications were served in it is taken from its step; where they leave too little
 * the next turn's is the checks' alone. */
void security_tick(struct agent *a, mono now)
{
	struct security *s = a->security;
	uint64_t step = a->cfg.security.step_bytes, budget = s->is_owed ? step : s->budget;
	struct running *r = NULL;

	s->now = now;
	s->was_pressed = s->is_pressed; /* the loop shall turn once more for them */
	s->is_pressed = false;
	for (unsigned k = 0; k < s->n_running && !r; k++) {
		r = &s->running[(s->next + k) % s->n_running];
		if (!r->first || r->due > now)
			r = NULL;
	}
	s->is_owed = r && budget < step / 4;
	s->budget = s->is_owed ? 0 : step;
	if (!r || s->is_owed)
		return;
	s->next = (unsigned)(r - s->running + 1) % s->n_running;
	r->c.now = now;
	while (r->first && r->due <= now && budget > 0)
		budget -= work(a, now, r, budget);
}

static void free_up(struct agent *a, struct running *r)
{
	if (r->open)
		store_abandon(a->store, r->open);
	r->open = 0;
	r->first = NULL;
}

static void end(struct agent *a, mono now, struct running *r, enum unit_end how, enum reason why)
{
	struct bundle_entry *first = r->first;

	free_up(a, r);
	reassemble_checked(a, now, first, how, why);
}

static void wait(struct running *r, mono now)
{
	r->due = mono_add(now, RETRY_US);
}

/* Goes over at most so many bytes of a payload, STEP_CHUNK at a time; how many it were. */
static uint64_t work(struct agent *a, mono now, struct running *r, uint64_t budget)
{
	bool decrypts = !r->is_examined && r->c.op.type == BLOCK_BCB;
	uint64_t size = r->b.payload.n, n = size - r->done;
	struct view v;
	int err = 0;

	if (r->is_examined && r->is_plain) {
		finish(a, now, r);
		return budget;
	}
	if ((decrypts || r->is_examined) && !r->open)
		err = open_room(a, r, decrypts ? bpsec_gives(r->worker) : size);
	if (err == -E_AGAIN) {
		wait(r, now);
		return budget;
	}
	n = n < STEP_CHUNK ? n : STEP_CHUNK;
	n = n < budget ? n : budget;
	if (!err && n > 0)
		err = bytes_at(a, r, n, &v);
	if (err) {
		end(a, now, r, UNIT_REFUSED,
			err == -E_FULL ? REASON_DEPLETED_STORAGE : REASON_UNINTELLIGIBLE);
		return budget;
	}
	err = n > 0 ? pass_on(a, r, v) : 0;
	r->done += n > 0 ? v.n : 0;
	if (r->done == size || err)
		fed(a, now, r, err);
	return n > 0 ? v.n : budget;
}

/* Where the payload will be: with a tail of one byte, since it has no CRC. -E_AGAIN: not now; -E_FULL:
 * never. */
static int open_room(struct agent *a, struct running *r, uint64_t bytes)
{
	unsigned flags = STORE_PATIENT | (r->b.lifetime_ms > 3600000 ? STORE_LONG : 0);
	int err = store_begin(a->store, bytes + 1, flags, &r->open);

	if (err == 0)
		return 0;
	r->open = 0;
	return err == -E_FULL && store_has_room(a->store, bytes + 1, flags) ? err : -E_AGAIN;
}

/* The payload's next bytes, at most n, from where they are now. */
static int bytes_at(struct agent *a, const struct running *r, uint64_t n, struct view *v)
{
	struct slice s;

	if (r->is_plain) {
		int err = store_appended(a->store, r->open, v);

		*v = err ? *v : view_sub(*v, r->done, n);
		return err;
	}
	s = reassemble_slice(r->first, r->done, n);
	return s.len == 0 ? -E_CORRUPT : store_payload(a->store, s, v);
}

static int pass_on(struct agent *a, struct running *r, struct view v)
{
	uint8_t *plain = a->security->room[ROOM_ARRIVED];
	size_t made;
	int err;

	if (r->is_examined)
		return store_append(a->store, r->open, v);
	if (r->c.op.type == BLOCK_BIB)
		return bpsec_feed(r->worker, v, NULL, NULL);
	err = bpsec_feed(r->worker, v, plain, &made);
	return err ? err : store_append(a->store, r->open, view_of(plain, made));
}

/* The end of a pass: of an operation, or of the copy. */
static void fed(struct agent *a, mono now, struct running *r, int err)
{
	bool decrypts = r->c.op.type == BLOCK_BCB;
	uint64_t size = bpsec_gives(r->worker);
	enum reason reason;

	r->done = 0;
	if (r->is_examined) {
		r->is_plain = true;
		return;
	}
	err = err ? err : bpsec_end(r->worker);
	if (decrypts && err) {
		store_abandon(a->store, r->open);
		r->open = 0;
	}
	r->is_plain |= decrypts && !err;
	reason = security_fed(&r->c, err, size);
	if (reason != REASON_NONE)
		end(a, now, r, UNIT_REFUSED, reason);
	else
		r->is_examined = !r->c.wants_payload;
}

/* All was right, and all of the payload is in its place: it goes on as a bundle that arrived. */
static void finish(struct agent *a, mono now, struct running *r)
{
	uint8_t room[BUNDLE_TAIL_MAX];
	struct buf tail = buf_of(room, sizeof room);
	enum unit_end how = UNIT_STORED;

	if (!entry_room(a, false) || !promise_spare(a)) {
		wait(r, now);
		return;
	}
	if (entry_by_uid(a, r->in.uid)) { /* the whole bundle came meanwhile */
		end(a, now, r, UNIT_STORED, REASON_NONE);
		return;
	}
	if (bundle_build_tail(&tail, &(struct bundle_spec){0}, 0) != 0 ||
		store_append(a->store, r->open, buf_view(&tail)) != 0) {
		end(a, now, r, UNIT_REFUSED, REASON_DEPLETED_STORAGE);
		return;
	}
	r->b.tail = buf_view(&tail);
	r->in.open = r->open;
	r->in.size = r->b.head.n + r->b.payload.n + r->b.tail.n;
	r->in.party = party_find(a, now, r->b.source.node);
	receive_unit(a, now, &r->in);
	if (!entry_by_uid(a, r->in.uid))
		how = UNIT_OVER;
	end(a, now, r, how, REASON_NONE);
}
