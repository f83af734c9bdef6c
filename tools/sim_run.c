/*
 * sim_run: see sim_run.h. One run after the other, each a world of its own from (seed + k); what each
 * counted is added up. The wall clock is read only to say how far we are.
 */
#include "tools/sim_run.h"

#include "tools/out.h"

#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NOTES 16
#define FILE_MAX_BYTES (64u << 20)
#define FAULTS_TOLD 20u

struct totals {
	struct sim_counts c;
	uint64_t failed, undelivered;
	struct out *out;
	const struct sim_options *o;
	unsigned told;
};

static int run_one(const struct sim_options *o, const struct sim_file *f,
	const struct node_cfg *node, uint64_t seed, struct totals *t);
static int summary(const struct sim_options *o, const struct sim_file *f, struct totals *t);

int sim_text_read(const char *path, struct view *out)
{
	FILE *in = fopen(path, "rb");
	uint8_t *p = NULL;
	size_t n = 0, cap = 0, got = 1;

	if (!in)
		return out_fail("%s: %s", path, strerror(errno));
	while (got > 0 && n < FILE_MAX_BYTES) {
		if (n + 65536 > cap) {
			uint8_t *more = realloc(p, cap = 2 * cap + 65536);
			if (!more)
				break;
			p = more;
		}
		got = fread(p + n, 1, 65536, in);
		n += got;
	}
	if (ferror(in) || got > 0) {
		free(p);
		fclose(in);
		return out_fail("%s: can't be read", path);
	}
	fclose(in);
	*out = view_of(p, n);
	return 0;
}

int sim_file_read(const char *path, struct sim_file *f)
{
	struct view text;
	int code = sim_text_read(path, &text);

	if (code)
		return code;
	code = sim_file_parse(path, text, f);
	free((void *)(uintptr_t)text.p);
	return code;
}

/* The plan that a topology names, relative to the topology's folder. */
static int plan_read_file(const char *path, struct sim_file *f)
{
	struct json *doc = NULL;
	char *copy = strdup(path), *whole = NULL;
	const char *name;
	unsigned line;
	int code = 0;

	if (json_parse(f->text, &doc, &line) != 0) {
		free(copy);
		return 0; /* topo_read tells it better */
	}
	name = topo_plan_file(doc);
	if (name) {
		f->plan_name = strdup(name);
		if (!copy || asprintf(&whole, "%s%s%s", *name == '/' ? "" : dirname(copy),
				     *name == '/' ? "" : "/", name) < 0)
			code = out_fail("sim: no memory");
		else
			code = sim_text_read(whole, &f->plan_text);
	}
	free(whole);
	free(copy);
	json_free(doc);
	return code;
}

int sim_file_parse(const char *path, struct view text, struct sim_file *f)
{
	struct plan_note note[NOTES];
	struct plan_notes notes = {.note = note, .cap = NOTES};
	uint8_t *copy = malloc(text.n + 1);
	int code;

	*f = (struct sim_file){0};
	if (!copy)
		return out_fail("sim: no memory");
	memcpy(copy, text.p, text.n);
	f->text = view_of(copy, text.n);
	code = plan_read_file(path, f);
	if (code == 0 && topo_read(f->text, f->plan_text, &f->topo, &notes) != 0)
		code = EXIT_USAGE;
	for (size_t i = 0; i < notes.n && i < NOTES; i++)
		if (note[i].is_error)
			out_fail("%s:%u: %s", path, note[i].line, note[i].text);
	if (code)
		sim_file_free(f);
	return code;
}

void sim_file_free(struct sim_file *f)
{
	topo_free(f->topo);
	free((void *)(uintptr_t)f->text.p);
	free((void *)(uintptr_t)f->plan_text.p);
	free(f->plan_name);
	*f = (struct sim_file){0};
}

/* -- runs */

static mono plan_end(const struct topo *t)
{
	mono end = 0;

	for (size_t i = 0; t->plan && i < t->plan->n_contacts; i++)
		if (t->plan->contact[i].end != MONO_NEVER && t->plan->contact[i].end > end)
			end = t->plan->contact[i].end;
	return end;
}

static void set_loss(struct topo *t, double p)
{
	for (size_t i = 0; p >= 0 && i < t->n_links; i++) {
		t->link[i].a_to_b.loss = t->link[i].b_to_a.loss = LOSS_UNIFORM;
		t->link[i].a_to_b.loss_p = t->link[i].b_to_a.loss_p = p;
	}
}

/* A line on a terminal for what takes longer than a second. */
static void progress(const struct sim_options *o, uint64_t run, mono now)
{
	if (!o->json && isatty(STDERR_FILENO) && clock() > CLOCKS_PER_SEC)
		fprintf(stderr, "run %" PRIu64 " of %" PRIu64 ", %" PRId64 " s\r", run, o->runs,
			now / US_PER_S);
}

int sim_run_all(const struct sim_options *o, const struct sim_file *f)
{
	struct sim_options opts = *o;
	struct node_cfg *node;
	struct out out;
	struct totals t = {.out = &out, .o = &opts};
	char why[256];
	int code = 0;

	if (opts.until == MONO_NEVER)
		opts.until = f->topo->until != MONO_NEVER ? f->topo->until : plan_end(f->topo);
	if (opts.until <= 0)
		return out_fail("sim: the topology has no end; say --until T");
	set_loss(f->topo, opts.loss);
	if (sim_setup(f->topo, &node, why, sizeof why) != 0)
		return out_fail("sim: %s", why);
	out_begin(&out, opts.json);
	if (opts.json) {
		jw_object(&out.w, NULL);
		out_string(&out, "name", f->topo->name);
		jw_array(&out.w, "faults");
	}
	for (uint64_t i = 0; i < opts.runs && code == 0; i++)
		code = run_one(&opts, f, node, opts.seed + i, &t);
	free(node);
	if (opts.json)
		jw_array_end(&out.w);
	if (code == 0)
		code = summary(&opts, f, &t);
	if (opts.json)
		jw_object_end(&out.w);
	return out_end(&out) ? EXIT_USAGE : code;
}

static void tell_fault(struct totals *t, uint64_t seed, const struct sim_fault *fault)
{
	if (t->told++ >= FAULTS_TOLD)
		return;
	out_text(t->out, "seed %" PRIu64 " at %" PRId64 ".%06" PRId64 " s: %s\n", seed,
		fault->at / US_PER_S, fault->at % US_PER_S, fault->text);
	if (!t->out->json)
		return;
	jw_object(&t->out->w, NULL);
	jw_u64(&t->out->w, "seed", seed);
	jw_i64(&t->out->w, "t_us", fault->at);
	out_string(t->out, "text", fault->text);
	jw_object_end(&t->out->w);
}

static void add_counts(struct totals *t, const struct sim_counts *c)
{
	uint64_t *to = (uint64_t *)&t->c;
	const uint64_t *from = (const uint64_t *)c;

	for (size_t i = 0; i < sizeof *c / sizeof *from; i++)
		to[i] += from[i];
	t->failed += c->faults > 0;
}

static int run_one(const struct sim_options *o, const struct sim_file *f,
	const struct node_cfg *node, uint64_t seed, struct totals *t)
{
	struct sim_cfg cfg = {
		.topo = f->topo,
		.node = node,
		.seed = seed,
		.dtn_at_zero = sim_dtn_zero(f->topo),
		.commit_us = (int64_t)(200 * f->topo->speed),
		.traffic = true,
	};
	struct sim_dir_writer *dir = NULL;
	struct sim_counts counts;
	struct sim_record r;
	struct sim_fault fault;
	struct sim *s;
	int code = 0, err;

	if (o->crashes_per_h > 0)
		cfg.faults = sim_faults_usual(o->crashes_per_h, o->until);
	if (o->dir && (code = sim_dir_open(o, f, seed, &dir)) != 0)
		return code;
	err = sim_new(&cfg, &s);
	if (err)
		return out_fail("sim: %s", err_text(err));
	for (uint64_t n = 0; sim_step(s, o->until); n++) {
		while (dir && sim_record(s, &r))
			sim_dir_record(dir, s, &r);
		if (n % 65536 == 65535)
			progress(o, seed - o->seed + 1, sim_now(s));
	}
	sim_finish(s);
	while (sim_fault(s, &fault))
		tell_fault(t, seed, &fault);
	sim_counts(s, &counts);
	add_counts(t, &counts);
	sim_free(s);
	return dir ? sim_dir_close(dir) : 0;
}

/* -- the summary, in words and in JSON from one table */

#define COUNT(field) offsetof(struct sim_counts, field)
static const struct {
	const char *key, *text;
	size_t at;
} rows[] = {
	{"accepted", "bundles accepted", COUNT(accepted)},
	{"unanswered", "sent to a node that died before it answered", COUNT(unanswered)},
	{"delivered", "delivered and acknowledged", COUNT(delivered)},
	{"held", "still on their way", COUNT(held)},
	{"expired", "expired", COUNT(expired)},
	{"lost_without_custody", "lost, sent without custody", COUNT(lost_without_custody)},
	{"redelivered", "handed over again, marked", COUNT(redelivered)},
	{"crashes", "crashes", COUNT(crashes)},
	{"crashes_staged", "crashes between stage and commit", COUNT(crashes_staged)},
	{"crashes_before_signal", "crashes after commit before the signal",
		COUNT(crashes_before_signal)},
	{"crashes_forwarding", "crashes while forwarding", COUNT(crashes_forwarding)},
	{"batches_lost", "batches lost by a crash", COUNT(batches_lost)},
	{"commits_failed", "commits that failed for want of space", COUNT(commits_failed)},
	{"app_deaths", "applications that died before they acknowledged", COUNT(app_deaths)},
	{"frames", "frames sent", COUNT(frames)},
	{"frames_lost", "frames lost", COUNT(frames_lost)},
	{"frames_to_dead", "frames to a node that was down", COUNT(frames_to_dead)},
	{"custody_retx", "custody retransmissions", COUNT(custody_retx)},
	{"duplicates", "duplicates suppressed", COUNT(duplicates)},
	{"returned", "bundles that returned to a node that had passed them on", COUNT(returned)},
	{"steps", "steps", COUNT(steps)},
};

static int summary(const struct sim_options *o, const struct sim_file *f, struct totals *t)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t v = *(const uint64_t *)(const void *)((const char *)&t->c + rows[i].at);

		out_text(t->out, "%12" PRIu64 "  %s\n", v, rows[i].text);
		if (o->json)
			jw_u64(&t->out->w, rows[i].key, v);
	}
	if (o->json) {
		jw_u64(&t->out->w, "seed", o->seed);
		jw_u64(&t->out->w, "runs", o->runs);
		jw_u64(&t->out->w, "failed", t->failed);
	}
	out_text(t->out, "%s: %" PRIu64 " run%s from seed %" PRIu64 ", %" PRIu64 " failed\n",
		f->topo->name, o->runs, o->runs == 1 ? "" : "s", o->seed, t->failed);
	return t->failed ? EXIT_NO : EXIT_YES;
}
