/*
 * sim_explore: `owlt sim --explore` and `--replay`. The search is dtn/sim/explore.c; here are the
 * processes that share it, the clock, and what is printed. Depth by depth, so that the first list of
 * deviations that breaks a promise is a shortest one. Workers tell the parent how far they are through
 * one pipe, in messages that are written whole. Start reading at sim_explore_all.
 */
#include "tools/sim_run.h"

#include "dtn/sim/explore.h"
#include "dtn/sim/story.h"
#include "tools/out.h"

#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 64u
#define RESERVE 4 /* numbers at a time, so that a run comes to the end of a block */
#define SLOW_US (8 * US_PER_S)
#define TELL_NS 500000000
#define STORY_BYTES (1u << 20)

/* All that a worker did so far. */
struct tell {
	uint64_t worker, runs, units, units_done, decisions, late; /* late: stopped by the limit */
	struct sim_script_counts script;
	struct sim_counts sim;
	char text[160];         /* decisions of the run that broke a promise */
	struct sim_fault fault; /* empty text: none did */
};
_Static_assert(sizeof(struct tell) <= PIPE_BUF, "a message is written whole");

struct search {
	const struct sim_options *o;
	const struct sim_file *f;
	struct node_cfg *node;
	int64_t began_ns;
	struct out out;
	struct tell sum; /* over all depths */
	bool is_broken_off;
};

static int64_t now_ns(void);
static int explore_depth(struct search *x, unsigned depth);
static int work(const struct search *x, const struct explore_cfg *cfg, int fd);
static bool last_run(const struct search *x, struct explore *e, struct tell *m, int *err);
static void listen(const struct search *x, int fd, unsigned depth, struct tell *sum);
static void add(struct tell *to, const struct tell *from);
static void tell_depth(struct search *x, unsigned depth, const struct tell *sum, int64_t took_ns);
static void tell_kills(struct search *x);
static void tell_frames(struct search *x);
static void tell_sum(struct search *x);

static struct sim_cfg sim_cfg_of(
	const struct sim_options *o, const struct sim_file *f, const struct node_cfg *node)
{
	return (struct sim_cfg){.topo = f->topo,
		.node = node,
		.seed = 1,
		.dtn_at_zero = sim_dtn_zero(f->topo),
		.commit_us = o->commit_us,
		.reserve_block = RESERVE,
		.traffic = true};
}

static int prepare(const struct sim_options *o, const struct sim_file *f, struct node_cfg **node)
{
	char why[256];

	if (f->topo->until == MONO_NEVER)
		return out_fail("sim: the topology says no \"until\"");
	if (o->down_us <= 0 || o->commit_us < 0 || o->jobs == 0 || o->jobs > JOBS_MAX)
		return out_fail("sim: --down is above 0, --jobs from 1 to %u", JOBS_MAX);
	if (o->explore != UINT64_MAX && o->explore > SIM_CHOICES_MAX)
		return out_fail("sim: --explore goes to %u", SIM_CHOICES_MAX);
	if (sim_setup(f->topo, node, why, sizeof why) != 0)
		return out_fail("sim: %s", why);
	return 0;
}

int sim_explore_all(const struct sim_options *o, const struct sim_file *f)
{
	struct search x = {.o = o, .f = f, .began_ns = now_ns()};
	int code = prepare(o, f, &x.node);

	if (code)
		return code;
	out_begin(&x.out, o->json);
	if (o->json) {
		jw_object(&x.out.w, NULL);
		out_string(&x.out, "name", f->topo->name);
		jw_array(&x.out.w, "depths");
	}
	for (unsigned d = 0; d <= o->explore && code == 0 && !x.sum.fault.text[0]; d++)
		code = explore_depth(&x, d);
	free(x.node);
	if (o->json)
		jw_array_end(&x.out.w);
	tell_kills(&x);
	tell_frames(&x);
	tell_sum(&x);
	if (o->json)
		jw_object_end(&x.out.w);
	if (out_end(&x.out))
		return EXIT_USAGE;
	return code ? code : x.sum.fault.text[0] ? EXIT_NO : EXIT_YES;
}

/* -- one depth, shared by processes */

static int explore_depth(struct search *x, unsigned depth)
{
	struct explore_cfg cfg = {.sim = sim_cfg_of(x->o, x->f, x->node),
		.until = x->f->topo->until,
		.depth = depth,
		.of = depth == 0 ? 1 : (unsigned)x->o->jobs,
		.down_us = x->o->down_us,
		.slow_us = SLOW_US};
	int64_t began = now_ns();
	struct tell sum = {0};
	pid_t child[JOBS_MAX];
	int fd[2], status, failed = 0;

	if (pipe(fd) != 0)
		return out_fail("sim: pipe: %s", strerror(errno));
	fflush(stdout);
	for (; cfg.index < cfg.of; cfg.index++) {
		child[cfg.index] = fork();
		if (child[cfg.index] == 0) {
			close(fd[0]);
			_exit(work(x, &cfg, fd[1]));
		}
		failed += child[cfg.index] < 0;
	}
	close(fd[1]);
	listen(x, fd[0], depth, &sum);
	close(fd[0]); /* who still searches ends when it next tells */
	for (unsigned i = 0; i < cfg.of; i++)
		if (child[i] > 0 && waitpid(child[i], &status, 0) == child[i])
			failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	if (failed && !sum.fault.text[0])
		return out_fail("sim: a process of the search failed");
	tell_depth(x, depth, &sum, now_ns() - began);
	add(&x->sum, &sum);
	return 0;
}

/* In a process of its own. Its exit code. */
static int work(const struct search *x, const struct explore_cfg *cfg, int fd)
{
	struct tell m = {.worker = cfg->index};
	int64_t next_ns = now_ns() + TELL_NS;
	struct explore *e;
	bool last = false;
	int err = 0;

	signal(SIGPIPE, SIG_IGN);
	/* Worlds come and go a thousand times a second: their memory stays here. */
	mallopt(M_MMAP_THRESHOLD, 16 << 20);
	mallopt(M_TRIM_THRESHOLD, 256 << 20);
	if (explore_new(cfg, &e) != 0)
		return 1;
	while (!last && err == 0) {
		last = last_run(x, e, &m, &err);
		if (!last && now_ns() < next_ns)
			continue;
		next_ns = now_ns() + TELL_NS;
		m.units = explore_units(e);
		m.units_done = explore_units_done(e);
		m.decisions = explore_decisions(e);
		m.script = *explore_counts(e);
		if (write(fd, &m, sizeof m) != (ssize_t)sizeof m)
			return 1;
	}
	explore_free(e);
	return err != 0;
}

/* One run. True: there will be no other. */
static bool last_run(const struct search *x, struct explore *e, struct tell *m, int *err)
{
	const uint64_t *from;
	struct explore_run r;

	m->late = (now_ns() - x->began_ns) / 1000 >= x->o->limit_us;
	if (m->late)
		return true;
	*err = explore_next(e, &r);
	if (*err <= 0)
		return true;
	*err = 0;
	m->runs++;
	from = (const uint64_t *)r.counts;
	for (size_t i = 0; i < sizeof m->sim / sizeof *from; i++)
		((uint64_t *)&m->sim)[i] += from[i];
	m->fault = r.fault;
	if (r.fault.text[0])
		script_print(r.script, m->text, sizeof m->text);
	return r.fault.text[0] != '\0';
}

/* Until all are done, or one has found something. */
static void listen(const struct search *x, int fd, unsigned depth, struct tell *sum)
{
	struct tell *last = calloc(JOBS_MAX, sizeof *last), m;
	bool show = !x->o->json && isatty(STDERR_FILENO);

	if (!last)
		exit(out_fail("sim: no memory"));
	while (!sum->fault.text[0] && read(fd, &m, sizeof m) == (ssize_t)sizeof m) {
		last[m.worker % JOBS_MAX] = m;
		*sum = (struct tell){0};
		for (unsigned i = 0; i < JOBS_MAX; i++)
			add(sum, &last[i]);
		if (show)
			fprintf(stderr,
				"depth %u: %" PRIu64 " runs, %" PRIu64 " of %" PRIu64
				" units, %" PRId64 " s \r",
				depth, sum->runs, sum->units_done, sum->units,
				(now_ns() - x->began_ns) / 1000000000);
	}
	free(last);
}

static void add(struct tell *to, const struct tell *from)
{
	for (size_t i = 0; i < sizeof to->script / sizeof(uint64_t); i++)
		((uint64_t *)&to->script)[i] += ((const uint64_t *)&from->script)[i];
	for (size_t i = 0; i < sizeof to->sim / sizeof(uint64_t); i++)
		((uint64_t *)&to->sim)[i] += ((const uint64_t *)&from->sim)[i];
	to->runs += from->runs;
	to->late += from->late;
	to->units += from->units;
	to->units_done += from->units_done;
	if (from->decisions > 0)
		to->decisions = from->decisions;
	if (from->fault.text[0] && !to->fault.text[0]) {
		to->fault = from->fault;
		memcpy(to->text, from->text, sizeof to->text);
	}
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* -- what is printed */

static void tell_depth(struct search *x, unsigned depth, const struct tell *sum, int64_t took_ns)
{
	bool whole = sum->late == 0 && !sum->fault.text[0];
	struct out *out = &x->out;

	x->is_broken_off |= !whole;
	if (depth == 0)
		out_text(out, "%s: %" PRIu64 " decisions in the run without faults\n",
			x->f->topo->name, sum->decisions);
	out_text(out, "depth %u: %" PRIu64 " runs in %.1f s, ", depth, sum->runs,
		(double)took_ns / 1e9);
	if (sum->fault.text[0])
		out_text(out, "in the last of them a promise is broken\n");
	else if (whole)
		out_text(out, "all of them\n");
	else
		out_text(out, "%" PRIu64 " of %" PRIu64 " first deviations\n", sum->units_done,
			sum->units);
	if (!out->json)
		return;
	jw_object(&out->w, NULL);
	jw_u64(&out->w, "depth", depth);
	jw_u64(&out->w, "runs", sum->runs);
	jw_u64(&out->w, "first_deviations", sum->units);
	jw_u64(&out->w, "first_deviations_done", sum->units_done);
	jw_bool(&out->w, "complete", whole);
	jw_i64(&out->w, "took_ms", took_ns / 1000000);
	jw_object_end(&out->w);
}

static void tell_kills(struct search *x)
{
	struct out *out = &x->out;

	out_text(out, "\n%12s  killed where, about what\n", "kills");
	if (out->json)
		jw_array(&out->w, "kills");
	for (unsigned p = 0; p < POINTS; p++)
		for (unsigned a = 0; a < ABOUTS; a++) {
			uint64_t n = x->sum.script.kill[p][a];

			if (n == 0)
				continue;
			out_text(out, "%12" PRIu64 "  %s: %s\n", n, sim_point_name(p),
				sim_about_name(a));
			if (!out->json)
				continue;
			jw_object(&out->w, NULL);
			out_string(out, "point", sim_point_name(p));
			out_string(out, "about", sim_about_name(a));
			jw_u64(&out->w, "n", n);
			jw_object_end(&out->w);
		}
	if (out->json)
		jw_array_end(&out->w);
}

static void tell_frames(struct search *x)
{
	static const char *const kind[2] = {"data", "signal"};
	struct out *out = &x->out;

	out_text(out, "\n%12s  deviation\n", "");
	if (out->json)
		jw_object(&out->w, "deviations");
	for (unsigned o = 1; o < OPTIONS; o++) {
		if (o >= OPTION_KILL) {
			out_text(out, "%12" PRIu64 "  %s\n", x->sum.script.option[o],
				sim_option_name(o));
			if (out->json)
				jw_u64(&out->w, sim_option_name(o), x->sum.script.option[o]);
			continue;
		}
		for (unsigned k = 0; k < 2; k++) {
			char name[40];

			snprintf(name, sizeof name, "%s-%s", kind[k], sim_option_name(o));
			out_text(out, "%12" PRIu64 "  %s\n", x->sum.script.frame[k][o], name);
			if (out->json)
				jw_u64(&out->w, name, x->sum.script.frame[k][o]);
		}
	}
	if (out->json)
		jw_object_end(&out->w);
}

#define COUNT(field) offsetof(struct sim_counts, field)
static const struct {
	const char *key, *text;
	size_t at;
} rows[] = {
	{"accepted", "bundles accepted with custody", COUNT(accepted)},
	{"delivered", "delivered and acknowledged", COUNT(delivered)},
	{"redelivered", "handed over again, marked", COUNT(redelivered)},
	{"crashes", "kills", COUNT(crashes)},
	{"batches_lost", "batches lost by a kill", COUNT(batches_lost)},
	{"batches_kept", "batches kept by a kill", COUNT(batches_kept)},
	{"commits_failed", "commits that failed", COUNT(commits_failed)},
	{"frames", "frames sent", COUNT(frames)},
	{"frames_lost", "frames lost", COUNT(frames_lost)},
	{"frames_to_dead", "frames to a node that was down", COUNT(frames_to_dead)},
	{"custody_retx", "custody retransmissions", COUNT(custody_retx)},
	{"duplicates", "duplicates suppressed", COUNT(duplicates)},
	{"returned", "bundles that returned", COUNT(returned)},
};

static void tell_sum(struct search *x)
{
	const struct tell *t = &x->sum;
	struct out *out = &x->out;

	out_text(out, "\n");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t v = *(const uint64_t *)(const void *)((const char *)&t->sim + rows[i].at);

		out_text(out, "%12" PRIu64 "  %s\n", v, rows[i].text);
		if (out->json)
			jw_u64(&out->w, rows[i].key, v);
	}
	if (out->json) {
		jw_u64(&out->w, "runs", t->runs);
		jw_bool(&out->w, "complete", !x->is_broken_off);
		jw_u64(&out->w, "not_noted", t->script.unnoted);
		out_string(out, "fault", t->fault.text);
		out_string(out, "decisions", t->text);
	}
	if (t->script.unnoted)
		out_text(out, "%12" PRIu64 "  decisions beyond number %u were not varied\n",
			t->script.unnoted, SIM_DECISIONS_MAX);
	if (!t->fault.text[0]) {
		out_text(out, "%s: %" PRIu64 " runs, every promise kept\n", x->f->topo->name,
			t->runs);
		return;
	}
	out_text(out, "%s: broken with decisions \"%s\" at %" PRId64 ".%06" PRId64 " s: %s\n",
		x->f->topo->name, t->text, t->fault.at / US_PER_S, t->fault.at % US_PER_S,
		t->fault.text);
	out_text(out,
		"to read it: owlt sim --replay '%s' --down %" PRId64 "ms --commit %" PRId64
		"us TOPOLOGY\n",
		t->text, x->o->down_us / US_PER_MS, x->o->commit_us);
}

/* -- one run as a story */

static void tell_notes(const struct sim_script *d, unsigned *told, struct story *st, struct buf *b)
{
	char text[400];

	for (; *told < d->n_notes; ++*told) {
		sim_note_print(&d->note[*told], text, sizeof text);
		story_note(st, d->note[*told].at, d->note[*told].node, text, b);
	}
}

/* One step's records, deviations, broken promises. */
static void tell_step(struct sim *s, const struct sim_script *d, unsigned *told, struct story *st)
{
	uint8_t *room = malloc(STORY_BYTES);
	struct buf b = buf_of(room, room ? STORY_BYTES : 0);
	struct sim_record r;
	struct sim_fault fault;

	while (sim_record(s, &r))
		story_record(st, s, &r, &b);
	tell_notes(d, told, st, &b);
	while (sim_fault(s, &fault)) {
		buf_text(&b, "! ");
		buf_text(&b, fault.text);
		buf_u8(&b, '\n');
	}
	if (buf_finish(&b) == 0)
		fwrite(b.p, 1, b.len, stdout);
	free(room);
}

int sim_replay(const struct sim_options *o, const struct sim_file *f)
{
	struct sim_script d = {.down_us = o->down_us, .slow_us = SLOW_US};
	struct sim_counts counts;
	struct sim_cfg cfg;
	struct node_cfg *node;
	struct story *st;
	struct sim *s;
	unsigned told = 0;
	int code = prepare(o, f, &node);

	if (code)
		return code;
	if (script_parse(&d, o->replay) != 0)
		return out_fail("sim: --replay wants decisions as --explore prints them: "
				"\"12-kill,40-lose\"");
	cfg = sim_cfg_of(o, f, node);
	cfg.script = &d;
	if (story_new(f->topo, cfg.dtn_at_zero, &st) != 0 || sim_new(&cfg, &s) != 0)
		return out_fail("sim: no memory");
	while (!sim_is_settled(s) && sim_step(s, f->topo->until))
		tell_step(s, &d, &told, st);
	sim_finish(s);
	explore_judge(s);
	tell_step(s, &d, &told, st);
	sim_counts(s, &counts);
	sim_free(s);
	story_free(st);
	free(node);
	if (d.is_wrong || d.n_taken < d.n_choices)
		return out_fail("sim: the run has no such decisions: other topology, --down or "
				"version?");
	return counts.faults ? EXIT_NO : EXIT_YES;
}
