/*
 * owlt demo: watches a running lab by its event logs as they grow and prints one line of progress: lab
 * time, open contacts, bundles on the way, custody by node, deliveries. tools/demo.sh runs it between
 * its steps; --until tells when a step is over.
 *
 * Custody of a node is counted from its events: what it sources or takes adds, a release of what it holds takes
 * away, and node_start tells the number anew, because a killed node may not have written its last
 * lines. Start reading at cmd_demo.
 */
#include "tools/commands.h"
#include "tools/opt.h"
#include "tools/out.h"
#include "tools/run_dir.h"

#include "bundle/base/units.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NODES_MAX 16u
#define FLIGHTS_MAX 4096u
#define READ_BYTES (1u << 16)
#define POLL_NS 30000000L
#define CALM_POLLS 15u /* an answer to what just came in is in the log by then */
#define SCREEN_EVERY_NS INT64_C(100000000)
#define PLAIN_EVERY_NS INT64_C(3000000000)

struct options {
	const char *until, *node;
	uint64_t count, expect;
	int64_t for_us, timeout_us;
	bool json;
};

#define AT(member) offsetof(struct options, member)
static const struct opt opts[] = {
	{"until", 'u', OPT_TEXT, AT(until), "WHAT",
		"custody: --node holds custody of --count bundles; released: all is delivered, no "
		"node has custody, no bundle is on its way",
		NULL},
	{"node", 'n', OPT_TEXT, AT(node), "NAME", "the node that --until custody means", NULL},
	{"count", 'c', OPT_U64, AT(count), "N",
		"how many bundles --until custody means (default 1)", NULL},
	{"expect", 'e', OPT_U64, AT(expect), "N",
		"bundles that will be sent (default: those seen so far)", NULL},
	{"for", 'f', OPT_DURATION, AT(for_us), "D", "end after this much real time", NULL},
	{"timeout", 't', OPT_DURATION, AT(timeout_us), "D",
		"give up after this much real time (exit 1)", NULL},
	{"json", 0, OPT_FLAG, AT(json), NULL, "one JSON line per change instead of text", NULL},
	{0},
};

static const struct opt_command command = {"demo", "RUN_DIR",
	"watch a lab: contacts, bundles on the way, custody, deliveries", opts,
	"Ends when the condition holds, when the lab has ended (exit 1), or with Ctrl-C.\n"};

/* One node's log, read as far as it has whole lines. */
struct watched {
	const char *name;
	int fd;
	off_t at;
	int64_t n_custody;
	struct hash_table held; /* local ids it took custody of since it started */
	struct hash_table delivered;
};

struct held {
	struct hash_node in_table;
};

struct watch {
	const struct run_dir *run;
	struct watched node[NODES_MAX];
	size_t n_nodes;
	uint64_t n_sourced, n_delivered, n_retx;
	mono arrival[FLIGHTS_MAX]; /* of what was sent; old ones are overwritten */
	size_t n_arrivals;
	char last[512];
	int64_t last_print_ns;
	bool is_terminal, is_dirty;
};

static int watch_run(struct watch *w, const struct options *o);
static int watch_open(struct watch *w, const struct run_dir *run);
static void watch_close(struct watch *w);
static void read_logs(struct watch *w);
static void read_log(struct watch *w, struct watched *n, char *buffer);
static void take_line(struct watch *w, struct watched *n, struct view text);
static void take_forward(struct watch *w, const struct line *l);
static bool set_add(struct hash_table *t, uint64_t id);
static bool set_take(struct hash_table *t, uint64_t id);
static void set_clear(struct hash_table *t);
static bool is_reached(const struct watch *w, const struct options *o);
static void show(struct watch *w, const struct options *o, bool is_last);
static void print_contacts(const struct watch *w, mono now, char *out, size_t cap);
static size_t n_in_flight(const struct watch *w, mono now);
static void print_json(const struct watch *w, const struct options *o, mono now);
static mono lab_now(const struct run_dir *r);
static int64_t real_now(void);

int cmd_demo(int argc, char **argv)
{
	struct options o = {.count = 1};
	struct opt_rest rest = opt_read(&command, argc, argv, &o, 1, 1);
	static struct watch w;
	struct run_dir run;
	int code = EXIT_USAGE;

	if (rest.done)
		return rest.code;
	if (o.until && strcmp(o.until, "custody") != 0 && strcmp(o.until, "released") != 0)
		return out_fail("demo: --until %s: custody or released", o.until);
	if (run_dir_open(&run, rest.argv[0]) == 0) {
		if (watch_open(&w, &run) == 0)
			code = watch_run(&w, &o);
		watch_close(&w);
	}
	run_dir_close(&run);
	return code;
}

static int watch_run(struct watch *w, const struct options *o)
{
	const struct timespec step = {.tv_nsec = POLL_NS};
	bool is_released = o->until && strcmp(o->until, "released") == 0;
	int64_t start = real_now();
	unsigned n_calm = 0;

	for (;;) {
		int64_t spent_us = (real_now() - start) / 1000;
		bool is_done;

		read_logs(w);
		n_calm = is_reached(w, o) ? n_calm + 1 : 0;
		is_done = n_calm >= (is_released ? CALM_POLLS : 1) ||
			  (o->for_us && spent_us >= o->for_us);
		show(w, o, is_done);
		if (is_done)
			return EXIT_YES;
		if (o->timeout_us && spent_us >= o->timeout_us) {
			if (w->is_terminal && !o->json)
				putchar('\n');
			return out_no("demo: not reached in time: %s", w->last);
		}
		if (w->run->runner_pid && kill((pid_t)w->run->runner_pid, 0) < 0 && errno == ESRCH)
			return out_no("demo: %s: the lab has ended: %s", w->run->path, w->last);
		nanosleep(&step, NULL);
	}
}

static int watch_open(struct watch *w, const struct run_dir *run)
{
	size_t n = run->topo->n_nodes;

	*w = (struct watch){.run = run,
		.n_nodes = n < NODES_MAX ? n : NODES_MAX,
		.is_terminal = isatty(STDOUT_FILENO)};
	for (size_t k = 0; k < w->n_nodes; k++) {
		w->node[k].name = run->topo->node[k].name;
		w->node[k].fd = -1;
		hash_init(&w->node[k].held);
		hash_init(&w->node[k].delivered);
	}
	return 0;
}

static void watch_close(struct watch *w)
{
	for (size_t k = 0; k < w->n_nodes; k++) {
		if (w->node[k].fd >= 0)
			close(w->node[k].fd);
		set_clear(&w->node[k].held);
		set_clear(&w->node[k].delivered);
		hash_fini(&w->node[k].held);
		hash_fini(&w->node[k].delivered);
	}
}

/* A log may not be there yet. */
static void read_logs(struct watch *w)
{
	static char buffer[READ_BYTES];
	char path[RUN_PATH_MAX], name[64];

	for (size_t k = 0; k < w->n_nodes; k++) {
		struct watched *n = &w->node[k];

		if (n->fd < 0) {
			snprintf(name, sizeof name, "events/%s.jsonl", n->name);
			run_dir_path(w->run, name, path);
			n->fd = open(path, O_RDONLY | O_CLOEXEC);
		}
		if (n->fd >= 0)
			read_log(w, n, buffer);
	}
}

static void read_log(struct watch *w, struct watched *n, char *buffer)
{
	ssize_t got;

	while ((got = pread(n->fd, buffer, READ_BYTES, n->at)) > 0) {
		char *at = buffer, *end;

		while ((end = memchr(at, '\n', (size_t)(buffer + got - at)))) {
			take_line(w, n, view_of(at, (size_t)(end - at)));
			at = end + 1;
		}
		if (at == buffer && (size_t)got < READ_BYTES)
			return;                           /* a line that is being written */
		n->at += at > buffer ? at - buffer : got; /* no line is that long: skip it */
	}
}

static void take_line(struct watch *w, struct watched *n, struct view text)
{
	struct line l;
	uint64_t id, u;

	if (line_scan(text, &l) < 0)
		return;
	line_u64(&l, "id", &id);
	if (line_is(&l, "ev", "bundle_sourced") && line_flag(&l, "custody")) {
		w->n_sourced++;
		n->n_custody += set_add(&n->held, id); /* a source has custody from the start */
	} else if (line_is(&l, "ev", "custody_taken")) {
		n->n_custody += set_add(&n->held, id);
	} else if (line_is(&l, "ev", "bundle_released")) {
		bool had = set_take(&n->held, id);

		n->n_custody -= had || line_is(&l, "why", "custody-passed");
	} else if (line_is(&l, "ev", "bundle_deleted")) {
		n->n_custody -= set_take(&n->held, id);
	} else if (line_is(&l, "ev", "bundle_delivered")) {
		w->n_delivered += set_add(&n->delivered, id);
	} else if (line_is(&l, "ev", "node_start")) {
		set_clear(&n->held);
		n->n_custody = line_u64(&l, "n_custody", &u) ? (int64_t)u : 0;
	} else if (line_is(&l, "ev", "custody_retx")) {
		w->n_retx++;
	} else if (line_is(&l, "ev", "bundle_forwarded")) {
		take_forward(w, &l);
	}
	if (n->n_custody < 0)
		n->n_custody = 0;
}

/* When it will have arrived, by the plan's light time. */
static void take_forward(struct watch *w, const struct line *l)
{
	const struct topo *t = w->run->topo;
	struct view link = line_get(l, "link"), node = line_get(l, "node");
	int64_t tx_end;

	if (!line_i64(l, "tx_end_us", &tx_end) || !link.p || !node.p)
		return;
	for (size_t k = 0; k < t->n_links; k++) {
		char eid[EID_TEXT_MAX];
		const struct topo_link *m = &t->link[k];
		const struct contact *c;
		bool from_a;

		if (!view_equal(link, view_text(m->name)))
			continue;
		topo_print_id(t, m->a, eid, sizeof eid);
		from_a = view_equal(node, view_text(eid));
		c = t->plan ? plan_contact_at(t->plan, t->node[from_a ? m->a : m->b].id,
				      t->node[from_a ? m->b : m->a].id, tx_end - 1)
			    : NULL;
		w->arrival[w->n_arrivals++ % FLIGHTS_MAX] =
			tx_end + (c ? contact_owlt_us(t->plan, c, tx_end) : m->a_to_b.owlt_us);
		return;
	}
}

static bool equal_id(const struct hash_node *n, const void *key)
{
	return n->hash == *(const uint64_t *)key;
}

/* False when it was in. */
static bool set_add(struct hash_table *t, uint64_t id)
{
	uint64_t hash = hash_mix(id);
	struct held *h;

	if (hash_find(t, hash, equal_id, &hash) || !(h = calloc(1, sizeof *h)))
		return false;
	if (hash_insert(t, &h->in_table, hash) == 0)
		return true;
	free(h);
	return false;
}

static bool set_take(struct hash_table *t, uint64_t id)
{
	uint64_t hash = hash_mix(id);
	struct hash_node *n = hash_find(t, hash, equal_id, &hash);

	if (!n)
		return false;
	hash_remove(t, n);
	free(n); /* the node is the first member */
	return true;
}

static void set_clear(struct hash_table *t)
{
	struct hash_node *n;

	while ((n = hash_next(t, NULL))) {
		hash_remove(t, n);
		free(n);
	}
}

static bool is_reached(const struct watch *w, const struct options *o)
{
	uint64_t expect = o->expect ? o->expect : w->n_sourced;
	int64_t held = 0;

	if (!o->until)
		return false;
	for (size_t k = 0; k < w->n_nodes; k++)
		if (strcmp(o->until, "released") == 0 ||
			(o->node && strcmp(o->node, w->node[k].name) == 0))
			held += w->node[k].n_custody;
	if (strcmp(o->until, "custody") == 0)
		return held > 0 && (uint64_t)held >= o->count;
	return expect > 0 && w->n_sourced >= expect && w->n_delivered >= expect && held == 0 &&
	       n_in_flight(w, lab_now(w->run)) == 0;
}

/* On a terminal one line that is written over; else a line when something changed, not too often. */
static void show(struct watch *w, const struct options *o, bool is_last)
{
	mono now = lab_now(w->run);
	char when[32], contacts[160], custody[128] = "", line[512];
	uint64_t expect = o->expect ? o->expect : w->n_sourced;
	size_t at = 0;
	bool is_due = is_last || real_now() - w->last_print_ns >=
					 (w->is_terminal ? SCREEN_EVERY_NS : PLAIN_EVERY_NS);

	for (size_t k = 0; k < w->n_nodes && at < sizeof custody; k++)
		at += (size_t)snprintf(custody + at, sizeof custody - at, " %s %lld",
			w->node[k].name, (long long)w->node[k].n_custody);
	print_contacts(w, now, contacts, sizeof contacts);
	snprintf(line, sizeof line, "%s | on the way %zu | custody%s | delivered %llu of %llu%s",
		contacts, n_in_flight(w, now), custody, (unsigned long long)w->n_delivered,
		(unsigned long long)expect, w->n_retx ? " | sent again" : "");
	if (w->n_retx)
		snprintf(line + strlen(line), sizeof line - strlen(line), " %llu",
			(unsigned long long)w->n_retx);
	if (!is_due || (!w->is_terminal && strcmp(line, w->last) == 0))
		return;
	memcpy(w->last, line, sizeof line);
	w->last_print_ns = real_now();
	when[0] = '-'; /* the lab's clock starts a little before its time 0 */
	units_print_duration(llabs(now) / US_PER_S * US_PER_S, when + (now < 0), sizeof when - 1);
	if (o->json)
		print_json(w, o, now);
	else if (w->is_terminal)
		printf("\r  %-11s %s\033[K%s", when, line, is_last ? "\n" : "");
	else
		printf("  %-11s %s\n", when, line);
	fflush(stdout);
}

static void print_contacts(const struct watch *w, mono now, char *out, size_t cap)
{
	const struct topo *t = w->run->topo;
	size_t at = 0;

	out[0] = '\0';
	for (size_t k = 0; k < t->n_links && at + 1 < cap; k++) {
		node_id a = t->node[t->link[k].a].id, b = t->node[t->link[k].b].id;
		bool is_open = !t->plan || plan_contact_at(t->plan, a, b, now) ||
			       plan_contact_at(t->plan, b, a, now);
		int n = snprintf(out + at, cap - at, "%s%s %s", k ? ", " : "", t->link[k].name,
			is_open ? "open  " : "closed");

		at += n > 0 ? (size_t)n : 0;
	}
}

static size_t n_in_flight(const struct watch *w, mono now)
{
	size_t n = w->n_arrivals < FLIGHTS_MAX ? w->n_arrivals : FLIGHTS_MAX, flying = 0;

	for (size_t k = 0; k < n; k++)
		flying += w->arrival[k] > now;
	return flying;
}

static void print_json(const struct watch *w, const struct options *o, mono now)
{
	struct out out;

	out_begin(&out, true);
	jw_object(&out.w, NULL);
	jw_i64(&out.w, "t_us", now);
	jw_u64(&out.w, "bundles_in_flight", n_in_flight(w, now));
	jw_object(&out.w, "custody");
	for (size_t k = 0; k < w->n_nodes; k++)
		jw_i64(&out.w, w->node[k].name, w->node[k].n_custody);
	jw_object_end(&out.w);
	jw_u64(&out.w, "delivered", w->n_delivered);
	jw_u64(&out.w, "expected", o->expect ? o->expect : w->n_sourced);
	jw_u64(&out.w, "retransmissions", w->n_retx);
	jw_object_end(&out.w);
	(void)!out_end(&out);
}

static mono lab_now(const struct run_dir *r)
{
	return (mono)((double)(real_now() - r->mono0_ns) * r->speed / 1000.0);
}

static int64_t real_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}
