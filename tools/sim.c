/*
 * sim: `owlt sim`, a topology or a scenario in virtual time. A topology is run with the traffic it names,
 * once or with many seeds, with crashes and loss if asked; every promise is checked after every step. A
 * scenario (.scn) is played against the trace it expects. Files are read and written here alone: the
 * simulator itself opens nothing. Start reading at cmd_sim.
 */
#include "tools/opt.h"
#include "tools/out.h"

#include "dtn/sim/scenario.h"
#include "tools/sim_run.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#define TRACE_MAX (8u << 20)

static int play_file(const struct sim_options *o, const char *path);
static int run_file(const struct sim_options *o, const char *path);

#define AT(field) offsetof(struct sim_options, field)
static const struct opt options[] = {
	{"seed", 0, OPT_U64, AT(seed), "N", "first seed, default 1", NULL},
	{"runs", 0, OPT_U64, AT(runs), "N", "so many runs with consecutive seeds, default 1", NULL},
	{"until", 0, OPT_DURATION, AT(until), "T", "end of a run, default the topology's", NULL},
	{"crashes", 0, OPT_REAL, AT(crashes_per_h), "RATE",
		"mean crashes per node and hour, with slow commits and dying applications", NULL},
	{"loss", 0, OPT_REAL, AT(loss), "P", "chance that a frame is lost, on every link", NULL},
	{"output", 'o', OPT_TEXT, AT(dir), "RUN_DIR", "write event logs as a lab does (one run)",
		NULL},
	{"force", 0, OPT_FLAG, AT(force), NULL, "into RUN_DIR though it is not empty", NULL},
	{"print", 0, OPT_FLAG, AT(print), NULL, "scenario: print its trace instead of comparing",
		NULL},
	{"explore", 0, OPT_U64, AT(explore), "DEPTH",
		"all runs with up to DEPTH deviations: frames lost, doubled, late; processes "
		"killed "
		"between any two visible acts; commits that fail",
		NULL},
	{"replay", 0, OPT_TEXT, AT(replay), "DECISIONS",
		"play one such run as a story: \"12-kill,40-lose\"", NULL},
	{"down", 0, OPT_DURATION, AT(down_us), "T", "how long a killed process is down, default 3s",
		NULL},
	{"commit", 0, OPT_DURATION, AT(commit_us), "T",
		"how long a commit takes there, default 1ms", NULL},
	{"limit", 0, OPT_DURATION, AT(limit_us), "T", "stop exploring after so much real time",
		NULL},
	{"jobs", 'j', OPT_U64, AT(jobs), "N", "explore with so many processes, default 1", NULL},
	{"json", 0, OPT_FLAG, AT(json), NULL, "print the summary as JSON", NULL},
	{0},
};

static const struct opt_command command = {
	.name = "sim",
	.operands = "TOPOLOGY|FILE.scn",
	.summary = "play a topology or a scenario in virtual time",
	.opts = options,
	.detail = "The same seed gives the same run, event by event. Exit code 1: a promise was "
		  "broken, or a\n"
		  "scenario went otherwise than its file expects.",
};

int cmd_sim(int argc, char **argv)
{
	struct sim_options o = {.seed = 1,
		.runs = 1,
		.until = MONO_NEVER,
		.loss = -1,
		.explore = UINT64_MAX,
		.jobs = 1,
		.down_us = 3 * US_PER_S,
		.commit_us = US_PER_MS,
		.limit_us = MONO_NEVER};
	struct opt_rest rest = opt_read(&command, argc, argv, &o, 1, 1);
	const char *path = rest.argc ? rest.argv[0] : "";
	size_t n = strlen(path);
	bool is_story = n > 4 && strcmp(path + n - 4, ".scn") == 0;

	if (rest.done)
		return rest.code;
	if (o.loss > 1 || o.crashes_per_h < 0)
		return out_fail(
			"sim: --loss is a chance from 0 to 1, --crashes a rate of at least 0");
	if (o.runs == 0 || (o.dir && o.runs > 1))
		return out_fail("sim: -o goes with one run; --runs is at least 1");
	if (o.dir && (is_story || o.replay || o.explore != UINT64_MAX))
		return out_fail("sim: -o goes with the run of a topology, not with a scenario, "
				"--explore or --replay");
	return is_story ? play_file(&o, path) : run_file(&o, path);
}

static int run_file(const struct sim_options *o, const char *path)
{
	struct sim_file f;
	int code = sim_file_read(path, &f);

	if (code)
		return code;
	if (o->replay)
		code = sim_replay(o, &f);
	else if (o->explore != UINT64_MAX)
		code = sim_explore_all(o, &f);
	else
		code = sim_run_all(o, &f);
	sim_file_free(&f);
	return code;
}

/* The topology a scenario names: in the text, or in a file beside it. */
static int scenario_file(const struct scenario *sc, const char *path, struct sim_file *f)
{
	struct view text, file;
	char *copy, *whole = NULL;
	int code;

	if (scenario_topology(sc, &text, &file))
		return sim_file_parse(path, text, f);
	copy = strdup(path);
	if (!copy ||
		asprintf(&whole, "%s/%.*s", dirname(copy), (int)file.n, (const char *)file.p) < 0)
		code = out_fail("sim: no memory");
	else
		code = sim_file_read(whole, f);
	free(copy);
	free(whole);
	return code;
}

static int play(const struct sim_options *o, const char *path, const struct scenario *sc,
	const struct sim_file *f)
{
	uint8_t *room = malloc(2 * TRACE_MAX);
	struct buf trace = buf_of(room, TRACE_MAX),
		   diff = buf_of(room ? room + TRACE_MAX : NULL, TRACE_MAX);
	struct scenario_error e = {0};
	int code = EXIT_YES;

	if (!room)
		return out_fail("sim: no memory");
	if (scenario_play(sc, f->topo, &trace, &e) != 0)
		code = out_fail("%s:%u: %s", path, e.line, e.text);
	else if (buf_finish(&trace) != 0)
		code = out_fail("%s: the trace is longer than %u bytes", path, TRACE_MAX);
	else if (o->print)
		fwrite(trace.p, 1, trace.len, stdout);
	else if (!scenario_matches(sc, buf_view(&trace), &diff)) {
		fwrite(diff.p, 1, buf_fits(&diff) ? diff.len : 0, stdout);
		code = out_no("%s: not the trace that is expected (- expected, + played)", path);
	} else if (!o->json) {
		printf("%s: as expected\n", path);
	}
	free(room);
	return code;
}

static int play_file(const struct sim_options *o, const char *path)
{
	struct scenario *sc;
	struct scenario_error e;
	struct sim_file f;
	struct view text;
	int code = sim_text_read(path, &text);

	if (code)
		return code;
	if (scenario_parse(text, &sc, &e) != 0) {
		free((void *)(uintptr_t)text.p);
		return out_fail("%s:%u: %s", path, e.line, e.text);
	}
	code = scenario_file(sc, path, &f);
	if (code == 0) {
		code = play(o, path, sc, &f);
		sim_file_free(&f);
	}
	scenario_free(sc);
	free((void *)(uintptr_t)text.p);
	return code;
}
