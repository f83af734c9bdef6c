/*
 * fault_driver DIR FAULT SCENE FROM STEP [TO]: the disk (or memory) fails at call FROM, FROM + STEP, ... until the
 * work is done without meeting it, and the store must come back each time with what it said was durable.
 * Runs with the fault layer preloaded (faulty_disk.h).
 *
 * Each attempt is a chain of processes on one folder: work that meets the fault, then perhaps a loss of power,
 * then two more that open the store, compare it and go on. They tell the parent over a pipe what they staged,
 * what they began to commit and what is durable. The parent keeps a list of states: the durable one, and one
 * for each batch begun since. The store must open and be exactly one of them, every byte right; ids and
 * reserved numbers never repeat. SCENE first: the fault meets a new store; SCENE again: it meets the opening of
 * one that was killed in the middle of its work, and what follows.
 *
 * Now and then a byte of a durable record is turned over on the disk, as decay does: such a bundle is right or told
 * as damaged, never read wrong; it is deleted and set aside, while the faults go on.
 *
 * Limits are small, so that a few hundred calls fill segments, write checkpoints, and move records.
 * Start reading at attempt().
 */
#include "bundle/base/rng.h"
#include "dtn/store/disk.h"
#include "tests/store/faulty_disk.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PLACES = 57,
	LASTING = 40,
	STATES = 96,
	HUGE = 5, /* the last places: together worth a flush beside the log */
	DECAYED = 64,
	SIZE_HUGE = 215000,
	SIZE_BIG = 100000,
	SIZE_SMALL = 60000,
	SIZE_LASTING = 1500
};
enum { ROUNDS_FIRST = 200, ROUNDS_AGAIN = 30, KILLED_AT = 441 };

struct spot {
	uint64_t id, version, size; /* of a bundle; id 0: none */
	uint64_t row;               /* version of the row of this place; 0: none */
};

struct state {
	struct spot place[PLACES];
};

enum msg_type {
	MSG_OPENED,
	MSG_STAGED,
	MSG_BEGUN,
	MSG_DURABLE,
	MSG_NUMBER,
	MSG_DECAYED,
	MSG_DONE,
	MSG_FAIL
};

struct msg {
	enum msg_type type;
	uint32_t at;     /* STAGED: the place; OPENED: which state it was; DONE: set aside */
	struct spot now; /* STAGED */
	uint64_t n;      /* NUMBER: the last one; DECAYED: id; DONE: calls */
	int64_t live;    /* DONE: allocations not given back */
	int err;         /* DONE: why the store did not open or is closed */
	bool is_hit;
	char text[64];
};

/* What the parent knows; a child works on its copy. */
struct model {
	struct state state[STATES]; /* [0] durable, then as of each batch begun since */
	unsigned n_states;
	struct state staged;
	uint64_t max_id, max_number;
	uint64_t decayed[DECAYED]; /* ids; a loss of power may have taken it back */
	unsigned n_decayed;
};

struct work {
	enum fault fault;
	uint64_t at, seed;
	unsigned rounds;
	bool again;
};

struct end {
	bool died, met, hit;
	int err;
	uint64_t calls;
};

static const struct store_limits limits = {.max_bytes = 1800 << 10,
	.max_bundles = 200,
	.max_rows = 200,
	.stage_bytes = 1400 << 10,
	.reserved_bytes = 0};
static uint8_t bytes[SIZE_HUGE];
static char store_path[4096];
static struct model model;
static uint64_t n_runs, n_commits, n_begun, n_whole, n_calls, n_decayed, n_aside;

static struct end run(const struct work *w);

static void fill(uint64_t id, uint64_t size)
{
	uint64_t v = id * 0x9e3779b97f4a7c15u;

	for (uint64_t i = 0; i < size; i++) {
		v = v * 6364136223846793005u + 1442695040888963407u;
		bytes[i] = (uint8_t)(v >> 56);
	}
}

static struct view value_of(uint64_t version, char text[STORE_VALUE_MAX])
{
	int n = snprintf(text, STORE_VALUE_MAX, "%*llu", (int)(version % 200 + 1),
		(unsigned long long)version);

	return view_of(text, (size_t)n);
}

/* -- a child: tells, stages, commits */

struct child {
	struct store *st;
	struct rng r;
	int fd;
	uint64_t version;
	const struct work *work;
};

static void tell(const struct child *c, const struct msg *m)
{
	if (write(c->fd, m, sizeof *m) != sizeof *m)
		_exit(3);
}

static void fail(const struct child *c, const char *what, int err)
{
	struct msg m = {.type = MSG_FAIL, .err = err};

	snprintf(m.text, sizeof m.text, "%s", what);
	tell(c, &m);
	_exit(1);
}

static void tell_place(const struct child *c, uint32_t i)
{
	struct msg m = {.type = MSG_STAGED, .at = i, .now = model.staged.place[i]};

	tell(c, &m);
}

/* The bytes follow from the id, so the id comes first: room, then pieces. */
static void bundle_new(struct child *c, struct spot *p, uint64_t version, bool is_lasting)
{
	char text[STORE_VALUE_MAX];
	bool is_big = rng_below(&c->r, is_lasting ? 8 : 20) == 0,
	     is_huge = p >= &model.staged.place[PLACES - HUGE];
	uint64_t id, size = rng_below(&c->r, is_big       ? SIZE_BIG
					     : is_lasting ? SIZE_LASTING
							  : SIZE_SMALL);
	struct store_bundle b = {.value = value_of(version, text), .head = view_text("a head")};

	if (is_huge)
		size = SIZE_HUGE;
	if (store_begin(c->st, size, is_lasting ? STORE_LONG : 0, &id))
		return;
	fill(id, size);
	if (store_append(c->st, id, view_of(bytes, size / 2)) ||
		store_append(c->st, id, view_of(bytes + size / 2, size - size / 2)))
		fail(c, "a bundle can't be filled", 0);
	if (store_seal(c->st, id, &b)) {
		store_abandon(c->st, id);
		return;
	}
	p->id = id;
	p->size = size;
	p->version = version;
}

static void change_bundle(struct child *c, struct spot *p, bool is_lasting)
{
	char text[STORE_VALUE_MAX];
	uint64_t version = ++c->version;

	if (!p->id) {
		bundle_new(c, p, version, is_lasting);
	} else if (rng_below(&c->r, is_lasting ? 8 : 2) == 0) {
		store_delete(c->st, p->id);
		p->id = p->version = p->size = 0;
	} else {
		store_update(c->st, p->id, value_of(version, text));
		p->version = version;
	}
}

static void change_row(struct child *c, uint32_t i)
{
	char text[STORE_VALUE_MAX];
	uint64_t version = ++c->version;

	if (model.staged.place[i].row && rng_below(&c->r, 3) == 0) {
		store_row_delete(c->st, STORE_PAIR, i + 1);
		model.staged.place[i].row = 0;
	} else if (store_row_set(c->st, STORE_PAIR, i + 1, value_of(version, text)) == 0) {
		model.staged.place[i].row = version;
	}
}

static bool is_closed(const struct child *c)
{
	struct store_stats s;

	store_stats(c->st, &s);
	return s.is_closed;
}

/* There in one batch, gone in another. */
static void change_huge(struct child *c, uint32_t i)
{
	struct spot *p = &model.staged.place[i];

	if (!p->id) {
		bundle_new(c, p, ++c->version, true);
	} else {
		store_delete(c->st, p->id);
		p->id = p->version = p->size = 0;
	}
	tell_place(c, i);
}

/* At first what comes goes soon, so that whole segments die; then some stay in each. */
static void change_some(struct child *c, unsigned round)
{
	for (uint32_t i = PLACES - HUGE; i < PLACES && round % 40 == 20 && !is_closed(c); i++)
		change_huge(c, i);
	for (uint64_t n = 1 + rng_below(&c->r, 10); n > 0 && !is_closed(c); n--) {
		bool is_lasting =
			(round > ROUNDS_FIRST / 6 || c->work->again) && rng_below(&c->r, 2);
		uint32_t i = (uint32_t)(is_lasting ? rng_below(&c->r, LASTING)
						   : LASTING + rng_below(&c->r,
								       PLACES - HUGE - LASTING));
		struct spot before = model.staged.place[i];

		if (rng_below(&c->r, 4) == 0)
			change_row(c, i);
		else
			change_bundle(c, &model.staged.place[i], is_lasting);
		if (is_closed(c))
			model.staged.place[i] = before; /* no batch begins any more */
		else
			tell_place(c, i);
	}
}

/* What was not spoken of yet may be refused: then it is deleted again. */
static void refuse_some(struct child *c)
{
	for (uint32_t i = 0; i < PLACES; i++) {
		struct spot *p = &model.staged.place[i];

		if (!p->id || p->id == model.state[0].place[i].id || rng_below(&c->r, 2))
			continue;
		store_delete(c->st, p->id);
		p->id = p->version = p->size = 0;
		tell_place(c, i);
	}
}

static void commit(struct child *c)
{
	struct msg m = {.type = MSG_BEGUN};
	struct store_batch *b = store_commit_begin(c->st);
	struct state begun = model.staged;
	struct store_event ev;

	if (!b)
		return;
	tell(c, &m);
	int err = store_commit_run(b);
	store_commit_end(c->st, b, err);
	if (!store_event(c->st, &ev) || ev.seq != store_seq(c->st) - 1 || ev.err != err)
		fail(c, "a batch without its event", err);
	if (err) {
		bool is_met = c->work->fault != FAULT_NOTHING && faulty_disk_calls() >= c->work->at;
		if (!is_met)
			fail(c, "batches fail by themselves", err);
		refuse_some(c);
		return;
	}
	m.type = MSG_DURABLE;
	tell(c, &m);
	model.state[0] = begun;
}

static void reserve(struct child *c, struct msg *m, uint64_t *wait)
{
	uint64_t n = 1 + rng_below(&c->r, rng_below(&c->r, 4) ? 30000 : 200000);

	m->type = MSG_NUMBER;
	if (store_reserve(c->st, COUNTER_CUSTODY, n, &m->n, wait) == 0)
		m->n += n - 1;
	else
		m->n = 0;
	if (m->n && *wait == 0)
		tell(c, m);
}

/* A read may fail once, where the fault meets it; never with wrong bytes. */
static void read_place(struct child *c, const struct spot *p)
{
	struct view v;
	int err = 0;

	for (int k = 0; k < 2; k++) {
		err = store_payload(c->st, (struct slice){p->id, 0, p->size}, &v);
		if (!err || k || (err != -EIO && err != -ENOMEM && err != -EINTR))
			break;
	}
	fill(p->id, p->size);
	if (err || !view_equal(v, view_of(bytes, p->size)))
		fail(c, "the bytes of a bundle", err);
	err = store_head(c->st, p->id, &v);
	if (err)
		err = store_head(c->st, p->id, &v);
	if (err || !view_equal(v, view_text("a head")))
		fail(c, "the head of a bundle", err);
}

static bool is_decayed(uint64_t id)
{
	for (unsigned i = 0; i < model.n_decayed; i++)
		if (model.decayed[i] == id)
			return true;
	return false;
}

/* A byte of one record's header. Not in the log's tail, which recovery needs: there it is a damaged disk. */
static void decay(struct child *c)
{
	const struct disk *d = container_of(c->st, struct disk, base);
	uint32_t first = (uint32_t)rng_below(&c->r, PLACES);

	for (uint32_t i = 0; i < PLACES && model.n_decayed < DECAYED; i++) {
		struct msg m = {
			.type = MSG_DECAYED, .n = model.staged.place[(first + i) % PLACES].id};
		struct entry *e = m.n ? table_find(c->st, STORE_BUNDLE, m.n) : NULL;
		struct place at = {0};
		uint8_t byte;

		if (e && e->is_durable && !is_decayed(m.n))
			at = compact_place_of(e);
		if (!at.segment ||
			(!at.segment->is_lane && at.segment->generation >= d->log.kept_generation))
			continue;
		tell(c, &m);
		model.decayed[model.n_decayed++] = m.n;
		if (pread(at.segment->fd, &byte, 1, (off_t)at.off + 16) != 1)
			return;
		byte ^= 0xff;
		(void)!pwrite(at.segment->fd, &byte, 1, (off_t)at.off + 16);
		return;
	}
}

/* What turns out to be damaged is told and deleted. */
static void bury(struct child *c)
{
	uint64_t told;

	for (uint32_t i = 0; i < PLACES; i++) {
		struct spot *p = &model.staged.place[i];

		if (!p->id || !is_decayed(p->id) || store_check(c->st, p->id) != -E_CORRUPT)
			continue;
		if (is_closed(c))
			return;
		store_delete(c->st, p->id);
		p->id = p->version = p->size = 0;
		tell_place(c, i);
	}
	while (store_damaged(c->st, &told))
		;
}

static void one_round(struct child *c, unsigned round)
{
	struct msg number = {0};
	uint64_t wait = 0, seq;

	if (round % 20 == 12 && !is_closed(c))
		decay(c);
	if (round % 3 == 0 && !is_closed(c))
		bury(c);
	change_some(c, round);
	if (is_closed(c))
		return;
	if (round == 0 || rng_below(&c->r, 3) == 0)
		reserve(c, &number, &wait);
	const struct spot *p = &model.staged.place[rng_below(&c->r, PLACES)];
	if (p->id && rng_below(&c->r, 3) == 0 && !is_decayed(p->id))
		read_place(c, p);
	seq = store_seq(c->st);
	commit(c);
	struct store_stats s;
	store_stats(c->st, &s);
	if (number.n && wait == seq && s.commits_failed == 0 && store_seq(c->st) > seq)
		tell(c, &number);
	store_turn(c->st);
}

/* -- a child: is the store what it should be? */

static const char *compare(struct store *st, const struct state *want)
{
	char text[STORE_VALUE_MAX];
	uint64_t id = 0, n = 0;
	struct view v;

	for (; store_next(st, STORE_BUNDLE, &id, &v); n++)
		;
	for (uint32_t i = 0; i < PLACES; i++) {
		const struct spot *p = &want->place[i];
		bool has_row = store_value(st, STORE_PAIR, i + 1, &v) == 0;

		if (has_row != (p->row != 0))
			return has_row ? "a row came back" : "a row is missing";
		if (has_row && !view_equal(v, value_of(p->row, text)))
			return "the value of a row";
		if (!p->id)
			continue;
		n--;
		if (store_value(st, STORE_BUNDLE, p->id, &v))
			return "a bundle is missing";
		if (!view_equal(v, value_of(p->version, text)))
			return "the value of a bundle";
	}
	return n == 0 ? NULL : "a bundle too many";
}

/* Finds which state the store is in; the newest that fits. */
static void judge(struct child *c)
{
	struct msg m = {.type = MSG_OPENED};
	unsigned k = model.n_states;
	const char *why = "";

	while (k-- > 0) {
		why = compare(c->st, &model.state[k]);
		if (!why)
			break;
	}
	if (why)
		fail(c, why, 0);
	m.at = k;
	tell(c, &m);
	model.staged = model.state[0] = model.state[k];
	for (uint32_t i = 0; i < PLACES; i++)
		if (model.staged.place[i].id && !is_decayed(model.staged.place[i].id))
			read_place(c, &model.staged.place[i]);
}

static void child(const struct work *w, int fd)
{
	struct child c = {.fd = fd, .work = w, .version = 1000 * (n_runs + 1)};
	struct msg m = {.type = MSG_DONE};
	struct store_stats s;
	uint64_t aside = 0;

	rng_init(&c.r, w->seed, 1);
	faulty_disk_arm(w->fault, w->at, w->seed);
	m.err = store_disk_open(store_path, &limits, &c.st);
	if (!m.err) {
		store_stats(c.st, &s);
		aside = s.n_quarantined;
		judge(&c);
		for (unsigned k = 0; k < w->rounds && !is_closed(&c); k++)
			one_round(&c, k);
		store_stats(c.st, &s);
		m.at = (uint32_t)(s.n_quarantined - aside);
		m.err = s.is_closed ? s.last_err : 0;
		store_close(c.st);
	}
	m.n = faulty_disk_calls();
	m.live = faulty_disk_live();
	m.is_hit = faulty_disk_disarm();
	tell(&c, &m);
	_exit(0);
}

/* -- the parent */

static void die(const char *what, int err)
{
	printf("FAIL %s%s%s\n", what, err ? ": " : "", err ? err_text(err) : "");
	fflush(stdout);
	exit(1);
}

static void heard_place(const struct msg *m)
{
	struct spot *p = &model.staged.place[m->at];

	if (m->now.id && m->now.id != p->id) {
		if (m->now.id <= model.max_id)
			die("an id came twice", 0);
		model.max_id = m->now.id;
	}
	*p = m->now;
}

static void keep_state(unsigned k)
{
	model.state[0] = model.state[k];
	model.n_states = 1;
}

static void hear(const struct msg *m, struct end *end)
{
	switch (m->type) {
	case MSG_OPENED:
		n_whole += m->at > 0;
		keep_state(m->at);
		model.staged = model.state[0];
		break;
	case MSG_STAGED:
		heard_place(m);
		break;
	case MSG_BEGUN:
		if (model.n_states == STATES)
			die("too many batches failed", 0);
		model.state[model.n_states++] = model.staged;
		n_begun++;
		break;
	case MSG_DURABLE:
		keep_state(model.n_states - 1);
		n_commits++;
		break;
	case MSG_NUMBER:
		if (m->n <= model.max_number)
			die("a reserved number came twice", 0);
		model.max_number = m->n;
		break;
	case MSG_DECAYED:
		model.decayed[model.n_decayed++] = m->n;
		n_decayed++;
		break;
	case MSG_DONE:
		n_aside += m->at;
		end->err = m->err;
		end->hit = m->is_hit;
		end->calls = m->n;
		if (m->live)
			die("memory was not given back", 0);
		break;
	case MSG_FAIL:
		die(m->text, m->err);
	}
}

static struct end run(const struct work *w)
{
	struct end end = {0};
	struct msg m;
	int fd[2], status;

	n_runs++;
	fflush(stdout);
	if (pipe(fd))
		die("pipe", -errno);
	pid_t pid = fork();
	if (pid < 0)
		die("fork", -errno);
	if (pid == 0) {
		close(fd[0]);
		child(w, fd[1]);
	}
	close(fd[1]);
	for (ssize_t n; (n = read(fd[0], &m, sizeof m)) != 0;) {
		if (n != sizeof m)
			die("half a message", 0);
		hear(&m, &end);
	}
	close(fd[0]);
	waitpid(pid, &status, 0);
	end.died = WIFEXITED(status) && WEXITSTATUS(status) == FAULTY_STATUS;
	if (!end.died && status != 0) {
		printf("FAIL a process ended with status %#x\n", (unsigned)status);
		exit(1);
	}
	end.hit |= end.died;
	end.met = end.died || end.calls >= w->at;
	return end;
}

static int remove_one(const char *path, const struct stat *sb, int type, struct FTW *at)
{
	(void)sb, (void)type, (void)at;
	return remove(path);
}

static void start_over(const char *dir)
{
	char held[4096];

	snprintf(held, sizeof held, "%s.held", dir);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	nftw(held, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (mkdir(dir, 0755))
		die(dir, -errno);
	faulty_disk_begin(dir);
	memset(&model, 0, sizeof model);
	model.n_states = 1;
}

static void expect_open(const char *when, const struct end *end)
{
	if (end->err)
		die(when, end->err);
}

/* An error that the fault explains. */
static void expect_clean(const struct work *w, const struct end *end)
{
	int err = end->err;

	if (err && !end->hit)
		die("an error without a fault", err);
	if (err == -E_CORRUPT && w->fault == FAULT_SHORT)
		return; /* LMDB takes a short read of its first page for damage */
	if (err && err != -ENOSPC && err != -EIO && err != -EINTR && err != -ENOMEM)
		die("the fault came out as another error", err);
	if (err == -ENOMEM && w->fault != FAULT_MEMORY)
		die("no memory", err);
}

/* The fault at call `at`. False: the work was done before. */
static bool attempt(const char *dir, enum fault fault, bool again, uint64_t at)
{
	static const unsigned after_rounds[] = {0, 1, 4};
	struct work before = {
		.fault = FAULT_KILL, .at = KILLED_AT, .seed = 7, .rounds = ROUNDS_FIRST};
	struct work w = {.fault = fault, .at = at, .seed = again ? 1000 + at % 5 : 5};
	struct work after = {.seed = 2000 + at, .rounds = after_rounds[at / 2 % 3], .again = true};
	struct work last = {.seed = 3000 + at};

	w.again = again;
	w.rounds = again ? ROUNDS_AGAIN : ROUNDS_FIRST;
	start_over(dir);
	if (again && !run(&before).died)
		die("the first work was not killed", 0);
	struct end end = run(&w);
	expect_clean(&w, &end);
	n_calls = end.calls;
	if (!end.met)
		return false;
	if (!end.hit)
		return true;
	if (!end.died && at % 3)
		faulty_disk_lose(at % 3 == 1 ? FAULT_LOSE_NONE : FAULT_LOSE_SOME, at);
	end = run(&after);
	expect_open("the store does not open after the fault", &end);
	faulty_disk_lose(FAULT_LOSE_NONE, at);
	end = run(&last);
	expect_open("the store does not open after power was lost", &end);
	return true;
}

static enum fault fault_of(const char *name)
{
	static const char *const names[] = {
#define FAULT_NAME(name, text) [FAULT_##name] = #name,
		FAULTS(FAULT_NAME)
#undef FAULT_NAME
	};

	for (int k = 1; k < FAULT_KINDS; k++)
		if (strcmp(name, names[k]) == 0)
			return (enum fault)k;
	return FAULT_NOTHING;
}

int main(int argc, char **argv)
{
	enum fault fault = argc >= 6 ? fault_of(argv[2]) : FAULT_NOTHING;

	if (fault == FAULT_NOTHING || !faulty_disk_begin) {
		fprintf(stderr,
			"usage: LD_PRELOAD=faulty_disk.so fault_driver DIR FAULT first|again "
			"FROM STEP [TO]\n");
		return 2;
	}
	bool again = strcmp(argv[3], "again") == 0;
	uint64_t from = strtoull(argv[4], NULL, 10), step = strtoull(argv[5], NULL, 10), at;
	uint64_t to = argc > 6 ? strtoull(argv[6], NULL, 10) : UINT64_MAX, n = 0;
	snprintf(store_path, sizeof store_path, "%s/store", argv[1]);
	for (at = from; at <= to; at += step, n++) {
		printf("%s %s at call %llu: ", argv[2], argv[3], (unsigned long long)at);
		if (!attempt(argv[1], fault, again, at))
			break;
		printf("ok\n");
	}
	printf("end\n%s %s: %llu calls failed, work of %llu; %llu processes, %llu batches begun, "
	       "%llu told durable, "
	       "%llu found whole untold, %llu damaged by decay, %llu set aside\n",
		argv[2], argv[3], (unsigned long long)n, (unsigned long long)n_calls,
		(unsigned long long)n_runs, (unsigned long long)n_begun,
		(unsigned long long)n_commits, (unsigned long long)n_whole,
		(unsigned long long)n_decayed, (unsigned long long)n_aside);
	return 0;
}
