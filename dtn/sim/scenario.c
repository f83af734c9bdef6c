/*
 * scenario: a file is read line by line into settings and steps; words are compared as views, nothing is
 * copied. Playing lets the world run up to each step's time, acts, and goes on; every record of every
 * turn goes through story.c. Lines that begin with # in the expected trace are for the reader.
 * Start reading at scenario_parse and scenario_play.
 */
#include "dtn/sim/scenario.h"

#include "bundle/base/units.h"
#include "dtn/sim/diff.h"
#include "dtn/sim/story.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define WORDS_MAX 24

struct words {
	unsigned line;
	struct view w[WORDS_MAX];
	unsigned n;
};

struct scenario {
	struct view topo_text, topo_file, expected;
	uint64_t seed;
	int64_t commit_us;
	mono until;
	bool survives, traffic;
	struct view show[SCENARIO_SHOW_MAX];
	bool hide[SCENARIO_SHOW_MAX];
	unsigned n_show;
	struct step {
		mono at;
		struct words words;
	} step[SCENARIO_STEPS_MAX];
	unsigned n_steps;
};

struct player {
	const struct scenario *sc;
	const struct topo *topo;
	struct sim *sim;
	struct story *story;
	struct buf *out;
	struct scenario_error *e;
	bool *up; /* by node */
};

static int parse_line(struct scenario *sc, struct words *w, struct scenario_error *e);
static struct view topology_text(struct view rest);
static struct view next_line(struct view *rest);
static void split(struct view line, struct words *w);
static int fail(struct scenario_error *e, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static bool is(struct view v, const char *word);
static int act(struct player *p, const struct words *w);
static int play(struct player *p);
static void run_until(struct player *p, mono until);

int scenario_parse(struct view text, struct scenario **out, struct scenario_error *e)
{
	struct scenario *sc = calloc(1, sizeof *sc);
	struct view rest = text;
	struct words w = {0};
	int err = 0;

	if (!sc)
		return fail(e, 0, "no memory") < 0 ? -ENOMEM : 0;
	*sc = (struct scenario){.seed = 1, .commit_us = 200, .until = MONO_NEVER};
	while (err == 0 && rest.n > 0) {
		w.line++;
		split(next_line(&rest), &w);
		if (w.n == 0 || w.w[0].p[0] == '#')
			continue;
		if (is(w.w[0], "expect")) {
			sc->expected = rest;
			break;
		}
		if (is(w.w[0], "topology") && w.n > 1 && w.w[1].p[0] == '{') {
			sc->topo_text = topology_text(
				view_of(w.w[1].p, (size_t)(text.p + text.n - w.w[1].p)));
			while (rest.n > 0 && rest.p < sc->topo_text.p + sc->topo_text.n) {
				next_line(&rest);
				w.line++;
			}
			continue;
		}
		err = parse_line(sc, &w, e);
	}
	if (err == 0 && sc->topo_text.n == 0 && sc->topo_file.n == 0)
		err = fail(e, 0, "no topology");
	if (err) {
		free(sc);
		return err;
	}
	*out = sc;
	return 0;
}

void scenario_free(struct scenario *sc)
{
	free(sc);
}

bool scenario_topology(const struct scenario *sc, struct view *text, struct view *file)
{
	*text = sc->topo_text;
	*file = sc->topo_file;
	return sc->topo_text.n > 0;
}

int scenario_play(const struct scenario *sc, const struct topo *t, struct buf *trace,
	struct scenario_error *e)
{
	struct player p = {.sc = sc, .topo = t, .out = trace, .e = e};
	struct sim_cfg cfg = {
		.topo = t,
		.seed = sc->seed,
		.dtn_at_zero = sim_dtn_zero(t),
		.commit_us = sc->commit_us,
		.traffic = sc->traffic,
	};
	struct node_cfg *node = NULL;
	int err = sim_setup(t, &node, e->text, sizeof e->text);

	cfg.node = node;
	cfg.faults.survives_p = sc->survives;
	p.up = calloc(t->n_nodes + 1, sizeof *p.up);
	if (err == 0 && (!p.up || story_new(t, cfg.dtn_at_zero, &p.story) != 0))
		err = fail(e, 0, "no memory");
	if (err == 0 && (err = sim_new(&cfg, &p.sim)) != 0)
		err = fail(e, 0, "the simulation does not start: %s", err_text(err));
	if (err == 0)
		err = play(&p);
	sim_free(p.sim);
	story_free(p.story);
	free(p.up);
	free(node);
	return err;
}

bool scenario_matches(const struct scenario *sc, struct view trace, struct buf *diff)
{
	return diff_lines(sc->expected, trace, diff);
}

/* -- reading */

static struct view next_line(struct view *rest)
{
	const uint8_t *nl = memchr(rest->p, '\n', rest->n);
	size_t n = nl ? (size_t)(nl - rest->p) : rest->n;
	struct view line = view_sub(*rest, 0, n);

	*rest = view_sub(*rest, n + (nl != NULL), rest->n - n - (nl != NULL));
	return line;
}

static void split(struct view line, struct words *w)
{
	size_t at = 0;

	w->n = 0;
	while (at < line.n && w->n < WORDS_MAX) {
		size_t from;

		while (at < line.n && (line.p[at] == ' ' || line.p[at] == '\t'))
			at++;
		from = at;
		while (at < line.n && line.p[at] != ' ' && line.p[at] != '\t')
			at++;
		if (at > from)
			w->w[w->n++] = view_sub(line, from, at - from);
	}
}

/* From an opening brace to the one that closes it; all that is left where none does. */
static struct view topology_text(struct view rest)
{
	unsigned depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < rest.n; i++) {
		if (rest.p[i] == '"' && i > 0 && rest.p[i - 1] != '\\')
			in_string = !in_string;
		if (in_string)
			continue;
		depth += rest.p[i] == '{';
		if (rest.p[i] == '}' && --depth == 0)
			return view_sub(rest, 0, i + 1);
	}
	return rest;
}

static bool is(struct view v, const char *word)
{
	return view_equal(v, view_text(word));
}

static int fail(struct scenario_error *e, unsigned line, const char *fmt, ...)
{
	va_list ap;

	e->line = line;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	return -E_SYNTAX;
}

static int bad_word(struct scenario_error *e, const struct words *w, unsigned at)
{
	if (at >= w->n)
		return fail(e, w->line, "a word is missing at the end");
	return fail(
		e, w->line, "not understood here: %.*s", (int)w->w[at].n, (const char *)w->w[at].p);
}

/* A word as text with its end, for the parsers of units. */
static const char *text_of(const struct words *w, unsigned at, char room[64])
{
	size_t n = at < w->n ? w->w[at].n : 0;

	n = n < 63 ? n : 63;
	if (n > 0)
		memcpy(room, w->w[at].p, n);
	room[n] = '\0';
	return room;
}

static int number(const struct words *w, unsigned at, uint64_t *out)
{
	char room[64];

	return units_bytes(text_of(w, at, room), out);
}

static int duration(const struct words *w, unsigned at, int64_t *out)
{
	char room[64];

	return units_duration(text_of(w, at, room), out);
}

static int parse_show(struct scenario *sc, const struct words *w, struct scenario_error *e)
{
	for (unsigned i = 1; i < w->n; i++) {
		if (sc->n_show == SCENARIO_SHOW_MAX)
			return fail(e, w->line, "more than %d patterns", SCENARIO_SHOW_MAX);
		sc->hide[sc->n_show] = is(w->w[0], "hide");
		sc->show[sc->n_show++] = w->w[i];
	}
	return 0;
}

static int parse_step(struct scenario *sc, const struct words *w, struct scenario_error *e)
{
	struct step *st = &sc->step[sc->n_steps];

	if (sc->n_steps == SCENARIO_STEPS_MAX)
		return fail(e, w->line, "more than %d steps", SCENARIO_STEPS_MAX);
	if (w->n < 3 || duration(w, 1, &st->at) != 0)
		return bad_word(e, w, 1);
	if (sc->n_steps > 0 && st->at < st[-1].at)
		return fail(e, w->line, "earlier than the step before it");
	st->words = (struct words){.line = w->line, .n = w->n - 2};
	memcpy(st->words.w, &w->w[2], (w->n - 2) * sizeof w->w[0]);
	sc->n_steps++;
	return 0;
}

static int parse_line(struct scenario *sc, struct words *w, struct scenario_error *e)
{
	struct view key = w->w[0];
	int err = 0;

	if (is(key, "at"))
		return parse_step(sc, w, e);
	if (is(key, "show") || is(key, "hide"))
		return parse_show(sc, w, e);
	if (is(key, "topology") && w->n == 2)
		sc->topo_file = w->w[1];
	else if (is(key, "seed"))
		err = number(w, 1, &sc->seed);
	else if (is(key, "commit"))
		err = duration(w, 1, &sc->commit_us);
	else if (is(key, "until"))
		err = duration(w, 1, &sc->until);
	else if (is(key, "survives"))
		sc->survives = true;
	else if (is(key, "traffic"))
		sc->traffic = true;
	else
		return bad_word(e, w, 0);
	return err ? bad_word(e, w, 1) : 0;
}

/* -- playing */

static int play(struct player *p)
{
	const struct scenario *sc = p->sc;
	mono until = sc->until != MONO_NEVER ? sc->until : p->topo->until;
	int err = 0;

	for (unsigned i = 0; i < sc->n_show; i++) {
		err = sc->hide[i] ? story_hide(p->story, sc->show[i])
				  : story_show(p->story, sc->show[i]);
		if (err)
			return fail(p->e, 0, "no event is called %.*s", (int)sc->show[i].n,
				(const char *)sc->show[i].p);
	}
	memset(p->up, true, p->topo->n_nodes * sizeof *p->up);
	for (unsigned i = 0; i < sc->n_steps; i++) {
		run_until(p, sc->step[i].at - 1);
		sim_advance(p->sim, sc->step[i].at);
		err = act(p, &sc->step[i].words);
		if (err)
			return err;
	}
	if (until == MONO_NEVER)
		return fail(p->e, 0, "neither the scenario nor its topology says until when");
	run_until(p, until);
	sim_finish(p->sim);
	run_until(p, until); /* tells what the end brought */
	return 0;
}

static void tell_faults(struct player *p)
{
	struct sim_fault f;

	while (sim_fault(p->sim, &f)) {
		buf_text(p->out, "! ");
		buf_text(p->out, f.text);
		buf_u8(p->out, '\n');
	}
}

static void run_until(struct player *p, mono until)
{
	struct sim_record r;

	while (sim_step(p->sim, until)) {
		while (sim_record(p->sim, &r))
			story_record(p->story, p->sim, &r, p->out);
		for (unsigned i = 0; i < p->topo->n_nodes; i++) {
			if (p->up[i] && !sim_is_up(p->sim, i))
				story_note(p->story, sim_now(p->sim), i, "-- the process dies",
					p->out);
			p->up[i] = sim_is_up(p->sim, i);
		}
		tell_faults(p);
	}
	tell_faults(p);
}

static size_t node_word(struct player *p, const struct words *w, unsigned at)
{
	char room[64];

	return topo_node_index(p->topo, text_of(w, at, room));
}

/* LINK a_to_b|b_to_a */
static int link_words(
	struct player *p, const struct words *w, unsigned at, unsigned *link, bool *b_to_a)
{
	char room[64];

	for (unsigned k = 0; k < p->topo->n_links; k++) {
		if (strcmp(p->topo->link[k].name, text_of(w, at, room)) != 0)
			continue;
		*link = k;
		*b_to_a = at + 1 < w->n && is(w->w[at + 1], "b_to_a");
		if (!*b_to_a && !(at + 1 < w->n && is(w->w[at + 1], "a_to_b")))
			return bad_word(p->e, w, at + 1);
		return 0;
	}
	return bad_word(p->e, w, at);
}

/* Status reports: received,forwarded,delivered,deleted */
static int reports(const struct words *w, unsigned at, uint64_t *flags)
{
	static const struct {
		const char *word;
		uint64_t flag;
	} kind[] = {{"received", BUNDLE_REPORT_RECEPTION}, {"forwarded", BUNDLE_REPORT_FORWARDING},
		{"delivered", BUNDLE_REPORT_DELIVERY}, {"deleted", BUNDLE_REPORT_DELETION}};
	char room[64];
	const char *list = text_of(w, at, room);

	while (*list) {
		size_t n = strcspn(list, ","), k = 0;

		while (k < 4 && (strlen(kind[k].word) != n || memcmp(kind[k].word, list, n) != 0))
			k++;
		if (k == 4)
			return -E_SYNTAX;
		*flags |= kind[k].flag;
		list += n + (list[n] == ',');
	}
	return *flags ? 0 : -E_SYNTAX;
}

/* send NODE EID [size N] [custody] [lifetime D] [count N] [every D] [service N] [priority N]
 * [report LIST] [compressed] */
static int act_send(struct player *p, const struct words *w)
{
	struct topo_traffic t = {
		.count = 1, .size_bytes = 100, .lifetime_us = 3600 * US_PER_S, .priority = 1};
	size_t from = node_word(p, w, 1);
	char room[64];
	struct eid to;
	uint64_t n = t.priority;

	if (from == SIZE_MAX)
		return bad_word(p->e, w, 1);
	if (eid_parse(text_of(w, 2, room), &to) != 0)
		return bad_word(p->e, w, 2);
	t.from = (unsigned)from;
	t.to_node = to.node;
	t.to_service = to.service;
	for (unsigned i = 3; i < w->n; i++) {
		int err = 0;

		if (is(w->w[i], "custody"))
			t.custody = true;
		else if (is(w->w[i], "compressed"))
			t.compressed = true;
		else if (is(w->w[i], "report"))
			err = reports(w, ++i, &t.reports);
		else if (is(w->w[i], "size"))
			err = number(w, ++i, &t.size_bytes);
		else if (is(w->w[i], "lifetime"))
			err = duration(w, ++i, &t.lifetime_us);
		else if (is(w->w[i], "count"))
			err = number(w, ++i, &t.count);
		else if (is(w->w[i], "every"))
			err = duration(w, ++i, &t.every_us);
		else if (is(w->w[i], "service"))
			err = number(w, ++i, &t.from_service);
		else if (is(w->w[i], "priority"))
			err = number(w, ++i, &n);
		else
			err = -E_SYNTAX;
		if (err)
			return bad_word(p->e, w, i);
	}
	t.priority = (unsigned)n;
	return sim_send(p->sim, &t) ? fail(p->e, w->line, "too many senders") : 0;
}

/* crash NODE [STAGE] [for D] [back D] */
static int act_crash(struct player *p, const struct words *w, size_t node)
{
	enum sim_stage stage = STAGE_NOW;
	int64_t down_us = -1, back_us = 0;
	unsigned i = 2;

	for (unsigned k = 0; i < w->n && k < STAGES; k++) {
		if (is(w->w[i], sim_stage_name[k])) {
			stage = (enum sim_stage)k;
			i++;
			break;
		}
	}
	for (; i < w->n; i += 2)
		if (!(is(w->w[i], "for") && duration(w, i + 1, &down_us) == 0) &&
			!(is(w->w[i], "back") && duration(w, i + 1, &back_us) == 0))
			return bad_word(p->e, w, i);
	sim_clock_back(p->sim, (unsigned)node, back_us);
	sim_crash(p->sim, (unsigned)node, stage, down_us);
	return 0;
}

static int act_on_link(struct player *p, const struct words *w)
{
	uint64_t n = 1;
	bool lose = is(w->w[0], "lose"), b_to_a = false;
	unsigned link = 0;
	int err;

	if (lose && number(w, 1, &n) != 0)
		return bad_word(p->e, w, 1);
	err = link_words(p, w, lose ? 2 : 1, &link, &b_to_a);
	if (err)
		return err;
	if (lose)
		sim_lose(p->sim, link, b_to_a, (unsigned)n);
	else
		sim_cut(p->sim, link, b_to_a, is(w->w[0], "cut"));
	return 0;
}

static int act(struct player *p, const struct words *w)
{
	size_t node;
	uint64_t service = 0;
	int err = 0;

	if (is(w->w[0], "send"))
		return act_send(p, w);
	if (is(w->w[0], "cut") || is(w->w[0], "mend") || is(w->w[0], "lose"))
		return act_on_link(p, w);
	node = node_word(p, w, 1);
	if (node == SIZE_MAX)
		return bad_word(p->e, w, 1);
	if (is(w->w[0], "crash"))
		return act_crash(p, w, node);
	if (is(w->w[0], "fail")) {
		sim_fail(p->sim, (unsigned)node);
		return 0;
	}
	if (is(w->w[0], "restart"))
		err = sim_restart(p->sim, (unsigned)node);
	else if (number(w, 2, &service) != 0)
		return bad_word(p->e, w, 2);
	else if (is(w->w[0], "register"))
		err = sim_register(p->sim, (unsigned)node, service);
	else if (is(w->w[0], "unregister"))
		sim_unregister(p->sim, (unsigned)node, service);
	else
		return bad_word(p->e, w, 0);
	return err ? fail(p->e, w->line, "%s", err_text(err)) : 0;
}
