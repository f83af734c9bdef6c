/*
 * kill_driver DIR N SEED: a process that writes is killed with SIGKILL at a random moment, N times, and the
 * store in DIR must come back each time with what it said was durable.
 *
 * The child opens the store and puts, updates and deletes bundles and rows in batches. It tells the
 * parent over a pipe what it stages and, after each commit, that it is durable. The parent keeps the
 * model: `durable` and, with the batch that was not yet reported, `maybe`. After the kill the store must
 * be exactly one of the two: a batch is there whole or not at all, every byte right, nothing deleted
 * comes back. Ids and reserved numbers must never repeat. The store has small segments, so that it fills,
 * recycles and compacts them all the time. Start reading at main().
 */
#include "bundle/base/rng.h"
#include "dtn/store/store.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PLACES = 48, SIZE_MAX_BIG = 300000, SIZE_SMALL = 6000 };

/* One place of the model: a bundle and a row that always change together. */
struct place {
	uint64_t id; /* 0: empty */
	uint64_t version, size;
};

struct msg {
	enum { MSG_STAGED, MSG_DURABLE } type;
	uint32_t place;
	struct place now; /* STAGED: how the place is after the change */
	uint64_t number;
};

struct model {
	struct place durable[PLACES], maybe[PLACES];
	uint64_t max_id, max_number;
	uint64_t n_commits, n_changes, n_torn, n_kept;
};

static const struct store_limits limits = {.max_bytes = 3 << 20,
	.max_bundles = 1000,
	.max_rows = 1000,
	.stage_bytes = 1 << 20,
	.reserved_bytes = 0};
static uint8_t bytes[SIZE_MAX_BIG];

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

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, int err)
{
	printf("FAIL %s: %s\n", what, err ? err_text(err) : "");
	fflush(stdout);
	exit(1);
}

/* -- the child */

static void tell(int fd, const struct msg *m)
{
	if (write(fd, m, sizeof *m) != sizeof *m)
		_exit(3);
}

static void change(struct store *st, struct rng *r, uint32_t i, struct place *p, uint64_t version)
{
	char text[STORE_VALUE_MAX];
	struct view value = value_of(version, text);

	if (p->id && rng_below(r, 3) == 0) {
		store_delete(st, p->id);
		store_row_delete(st, STORE_PAIR, i + 1);
		*p = (struct place){0};
		return;
	}
	if (p->id) {
		store_update(st, p->id, value);
	} else {
		uint64_t size = rng_below(r, 40) == 0 ? rng_below(r, SIZE_MAX_BIG)
						      : rng_below(r, SIZE_SMALL);
		struct view payload = view_of(bytes, size);
		struct store_bundle b = {.value = value,
			.head = view_text("a head"),
			.payload = &payload,
			.n_payload = 1};
		uint64_t id;
		/* The bytes follow from the id, so the id comes first: room, then pieces. */
		if (store_begin(st, size, 0, &id))
			return;
		fill(id, size);
		if (store_append(st, id, view_of(bytes, size / 2)) ||
			store_append(st, id, view_of(bytes + size / 2, size - size / 2)) ||
			store_seal(st, id, &b))
			_exit(4);
		*p = (struct place){.id = id, .size = size};
	}
	p->version = version;
	if (store_row_set(st, STORE_PAIR, i + 1, value))
		_exit(5);
}

static void child_round(struct store *st, struct rng *r, struct place *now, int fd)
{
	static uint64_t version;
	uint64_t number = 0, wait = 0, n = 1 + rng_below(r, 12);
	struct msg m = {.type = MSG_STAGED};

	version = version ? version : 1 + rng_below(r, 1000000);
	for (uint64_t k = 0; k < n; k++) {
		m.place = (uint32_t)rng_below(r, PLACES);
		change(st, r, m.place, &now[m.place], ++version);
		m.now = now[m.place];
		tell(fd, &m);
	}
	if (store_reserve(st, COUNTER_CUSTODY, 1 + rng_below(r, 3000), &number, &wait))
		_exit(6);
	struct store_batch *b = store_commit_begin(st);
	struct store_event ev;
	if (!b)
		return;
	int err = store_commit_run(b);
	store_commit_end(st, b, err);
	if (err || !store_event(st, &ev) || ev.type != STORE_COMMITTED || (wait && wait > ev.seq))
		_exit(7);
	m.type = MSG_DURABLE;
	m.number = number;
	tell(fd, &m);
	store_turn(st);
}

static void child(const char *dir, const struct place *places, uint64_t seed, int fd)
{
	struct place now[PLACES];
	struct store *st;
	struct rng r;

	memcpy(now, places, sizeof now);
	rng_init(&r, seed, 1);
	if (store_disk_open(dir, &limits, &st))
		_exit(2);
	for (;;)
		child_round(st, &r, now, fd);
}

/* -- the parent */

static void hear(struct model *m, const struct msg *msg)
{
	if (msg->type == MSG_STAGED) {
		m->maybe[msg->place] = msg->now;
		m->n_changes++;
		return;
	}
	memcpy(m->durable, m->maybe, sizeof m->durable);
	for (int i = 0; i < PLACES; i++)
		if (m->durable[i].id > m->max_id)
			m->max_id = m->durable[i].id;
	if (msg->number <= m->max_number)
		die("a reserved number came twice", 0);
	m->max_number = msg->number;
	m->n_commits++;
}

/* Listens until the random moment, kills, and hears what was still said. */
static void listen_and_kill(struct model *m, pid_t pid, int fd, double at)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct msg msg;
	bool is_dead = false;
	int status;

	for (;;) {
		double left = at - seconds();

		if (!is_dead && left <= 0) {
			kill(pid, SIGKILL);
			is_dead = true;
		}
		if (poll(&p, 1, is_dead ? -1 : (int)(left * 1000) + 1) == 0)
			continue;
		ssize_t n = read(fd, &msg, sizeof msg);
		if (n <= 0)
			break;
		if (n != sizeof msg)
			die("half a message", 0);
		hear(m, &msg);
	}
	waitpid(pid, &status, 0);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
		printf("FAIL child ended by itself: status %#x\n", (unsigned)status);
		exit(1);
	}
}

/* Is the store exactly this? Says at the first difference. */
static const char *compare(struct store *st, const struct place *want)
{
	char text[STORE_VALUE_MAX];
	uint64_t id = 0, n = 0, n_want = 0;
	struct view v;

	for (; store_next(st, STORE_BUNDLE, &id, &v); n++)
		;
	for (uint32_t i = 0; i < PLACES; i++) {
		const struct place *p = &want[i];
		bool has_row = store_value(st, STORE_PAIR, i + 1, &v) == 0;

		if (has_row != (p->id != 0))
			return "a row";
		if (!p->id)
			continue;
		n_want++;
		if (!view_equal(v, value_of(p->version, text)))
			return "the value of a row";
		if (store_value(st, STORE_BUNDLE, p->id, &v))
			return "a bundle is missing";
		if (!view_equal(v, value_of(p->version, text)))
			return "the value of a bundle";
	}
	return n == n_want ? NULL : "the number of bundles";
}

static void check_bytes(struct store *st, const struct place *want)
{
	struct view v;

	for (int i = 0; i < PLACES; i++) {
		if (!want[i].id)
			continue;
		fill(want[i].id, want[i].size);
		int err = store_payload(st, (struct slice){want[i].id, 0, want[i].size}, &v);
		if (err || !view_equal(v, view_of(bytes, want[i].size)))
			die("the bytes of a bundle", err);
		err = store_head(st, want[i].id, &v);
		if (err || !view_equal(v, view_text("a head")))
			die("the head of a bundle", err);
	}
}

static void check(struct model *m, const char *dir)
{
	struct store *st;
	uint64_t number, seq, id;
	int err = store_disk_open(dir, &limits, &st);

	if (err)
		die("the store does not open", err);
	const char *not_durable = compare(st, m->durable);
	const char *not_maybe = not_durable ? compare(st, m->maybe) : NULL;
	if (not_durable && not_maybe) {
		printf("FAIL not what was durable (%s), nor with the whole last batch (%s)\n",
			not_durable, not_maybe);
		exit(1);
	}
	m->n_kept += not_durable != NULL;
	m->n_torn += not_durable == NULL && memcmp(m->maybe, m->durable, sizeof m->maybe) != 0;
	memcpy(not_durable ? m->durable : m->maybe, not_durable ? m->maybe : m->durable,
		sizeof m->maybe);
	check_bytes(st, m->durable);
	err = store_reserve(st, COUNTER_CUSTODY, 1, &number, &seq);
	if (err || number <= m->max_number)
		die("a reserved number came twice", err);
	struct store_bundle b = {.value = view_text("x")};
	err = store_put(st, &b, &id);
	if (err || id <= m->max_id)
		die("an id came twice", err);
	m->max_id = id;
	store_close(st);
}

int main(int argc, char **argv)
{
	static struct model m;
	struct rng r;

	if (argc != 4) {
		fprintf(stderr, "usage: kill_driver DIR N SEED\n");
		return 2;
	}
	unsigned long n = strtoul(argv[2], NULL, 10), seed = strtoul(argv[3], NULL, 10);
	double start = seconds(), shown = start;
	rng_init(&r, seed, 0);
	printf("seed %lu\n", seed);
	for (unsigned long k = 1; k <= n; k++) {
		int fd[2];

		fflush(stdout);
		if (pipe(fd))
			return 2;
		pid_t pid = fork();
		if (pid < 0)
			return 2;
		if (pid == 0) {
			close(fd[0]);
			child(argv[1], m.durable, rng_u64(&r), fd[1]);
		}
		(void)rng_u64(&r);
		close(fd[1]);
		listen_and_kill(&m, pid, fd[0], seconds() + (double)rng_below(&r, 60000) / 1e6);
		close(fd[0]);
		check(&m, argv[1]);
		if (k == n || seconds() - shown >= 1) {
			shown = seconds();
			printf("%lu of %lu kills, %llu commits, %llu changes; last batch whole "
			       "%llu, lost %llu; %.0f s\n",
				k, n, (unsigned long long)m.n_commits,
				(unsigned long long)m.n_changes, (unsigned long long)m.n_kept,
				(unsigned long long)m.n_torn, shown - start);
		}
	}
	printf("ok: recovered %lu of %lu times\n", n, n);
	return 0;
}
