#include "bundle/base/hash.h"
#include "dtn/sim/diff.h"
#include "dtn/sim/scenario.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define TWO_NODES                                                                                  \
	"\"nodes\":[{\"name\":\"a\",\"id\":\"ipn:1.0\"},{\"name\":\"b\",\"id\":\"ipn:2.0\"}],"     \
	"\"links\":[{\"name\":\"a-b\",\"a\":\"a\",\"b\":\"b\",\"rate\":\"100k\",\"owlt\":\"2s\","  \
	"\"loss\":0.2,"                                                                            \
	"\"duplicate\":0.1,\"reorder\":0.1,\"reorder_delay\":\"3s\",\"bit_error_rate\":1e-5}]"
#define TRAFFIC                                                                                    \
	"\"traffic\":[{\"from\":\"a\",\"to\":\"ipn:2.5\",\"at\":\"1s\",\"every\":\"3s\","          \
	"\"count\":30,\"size\":500,"                                                               \
	"\"custody\":true,\"lifetime\":\"1d\"},{\"from\":\"b\",\"to\":\"ipn:1.5\",\"at\":\"2s\","  \
	"\"every\":\"5s\","                                                                        \
	"\"count\":10,\"size\":0,\"custody\":true,\"lifetime\":\"1d\"}]"
#define CONFIG                                                                                     \
	"\"config\":{\"custody\":{\"signal_delay\":\"1s\",\"interval\":\"10s\"},\"log\":{"         \
	"\"level\":\"info\"}}"

static const char always_open[] = "{\"name\":\"two\"," TWO_NODES "," TRAFFIC "," CONFIG "}";
static const char with_plan[] =
	"{\"name\":\"two\"," TWO_NODES "," TRAFFIC "," CONFIG ",\"plan\":{\"contacts\":["
	"{\"from\":\"ipn:1.0\",\"to\":\"ipn:2.0\",\"start\":0,\"end\":90,\"rate\":\"100k\","
	"\"owlt\":\"2s\","
	"\"bidirectional\":true},"
	"{\"from\":\"ipn:1.0\",\"to\":\"ipn:2.0\",\"start\":200,\"end\":1900,\"rate\":\"50k\","
	"\"owlt\":\"2s\","
	"\"bidirectional\":true}]}}";

static struct topo *topo_of(struct view text)
{
	struct plan_note note[4];
	struct plan_notes notes = {.note = note, .cap = 4};
	struct topo *t;

	cr_assert_eq(topo_read(text, (struct view){0}, &t, &notes), 0, "%s", note[0].text);
	return t;
}

static struct node_cfg *setup(const struct topo *t)
{
	struct node_cfg *cfg;
	char why[200] = "";

	cr_assert_eq(sim_setup(t, &cfg, why, sizeof why), 0, "%s", why);
	return cfg;
}

struct outcome {
	uint64_t hash; /* of all records */
	struct sim_counts counts;
};

/* A whole run; a broken promise fails the test. */
static struct outcome run(const char *text, uint64_t seed, double crashes_per_h, int64_t commit_us)
{
	const mono until = 1900 * US_PER_S;
	struct topo *t = topo_of(view_text(text));
	struct node_cfg *node = setup(t);
	struct sim_cfg cfg = {.topo = t,
		.node = node,
		.seed = seed,
		.dtn_at_zero = sim_dtn_zero(t),
		.commit_us = commit_us,
		.traffic = true};
	struct outcome o = {0};
	struct sim_record r;
	struct sim_fault f;
	struct sim *s;

	if (crashes_per_h > 0)
		cfg.faults = sim_faults_usual(crashes_per_h, until);
	cr_assert_eq(sim_new(&cfg, &s), 0);
	while (sim_step(s, until))
		while (sim_record(s, &r))
			o.hash = hash_mix(o.hash ^ hash_bytes((struct hash_key){r.node, 1},
							   view_of(&r.rec, sizeof r.rec)));
	sim_finish(s);
	while (sim_fault(s, &f))
		cr_expect(false, "seed %lu at %ld: %s", (unsigned long)seed, (long)f.at, f.text);
	sim_counts(s, &o.counts);
	sim_free(s);
	free(node);
	topo_free(t);
	return o;
}

Test(sim, everything_arrives_over_bad_links)
{
	struct outcome o = run(always_open, 1, 0, 200);

	cr_expect_eq(o.counts.accepted, 40);
	cr_expect_eq(o.counts.delivered, 40);
	cr_expect_gt(o.counts.frames_lost, 0);
	cr_expect_gt(o.counts.custody_retx, 0);
	cr_expect_gt(o.counts.duplicates, 0);
}

Test(sim, commits_within_the_turn)
{
	cr_expect_eq(run(with_plan, 2, 0, 0).counts.delivered, 40);
}

Test(sim, crashes_lose_nothing)
{
	struct sim_counts sum = {0};

	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct outcome o = run(seed % 2 ? with_plan : always_open, seed, 60, 200);

		cr_expect_eq(o.counts.held, 0);
		cr_expect_geq(o.counts.delivered, o.counts.accepted);
		sum.crashes += o.counts.crashes;
		sum.crashes_staged += o.counts.crashes_staged;
		sum.crashes_before_signal += o.counts.crashes_before_signal;
		sum.app_deaths += o.counts.app_deaths;
	}
	cr_expect_gt(sum.crashes, 20);
	cr_expect_gt(sum.crashes_staged, 0);
	cr_expect_gt(sum.crashes_before_signal, 0);
	cr_expect_gt(sum.app_deaths, 0);
}

Test(sim, same_seed_same_run)
{
	struct outcome a = run(with_plan, 7, 60, 200), b = run(with_plan, 7, 60, 200),
		       c = run(with_plan, 8, 60, 200);

	cr_expect_eq(a.hash, b.hash);
	cr_expect_neq(a.hash, c.hash);
}

Test(sim, by_hand)
{
	struct topo *t = topo_of(view_text(always_open));
	struct node_cfg *node = setup(t);
	struct sim_cfg cfg = {.topo = t,
		.node = node,
		.seed = 1,
		.dtn_at_zero = sim_dtn_zero(t),
		.commit_us = 200};
	struct topo_traffic one = {.from = 0,
		.to_node = 2,
		.to_service = 9,
		.count = 1,
		.size_bytes = 50,
		.lifetime_us = 600 * US_PER_S,
		.priority = 1,
		.custody = true};
	struct sim_counts counts;
	struct sim *s;

	cr_assert_eq(sim_new(&cfg, &s), 0);
	cr_assert_eq(sim_register(s, 1, 9), 0);
	sim_cut(s, 0, false, true);
	cr_assert_eq(sim_send(s, &one), 0);
	while (sim_step(s, 100 * US_PER_S))
		;
	sim_counts(s, &counts);
	cr_expect_eq(counts.accepted, 1);
	cr_expect_eq(counts.delivered, 0, "the link is cut");
	sim_crash(s, 0, STAGE_NOW, -1);
	cr_expect_not(sim_is_up(s, 0));
	sim_cut(s, 0, false, false);
	while (sim_step(s, 200 * US_PER_S))
		;
	cr_assert_eq(sim_restart(s, 0), 0);
	while (sim_step(s, 500 * US_PER_S))
		;
	sim_finish(s);
	sim_counts(s, &counts);
	cr_expect_eq(counts.crashes, 1);
	cr_expect_eq(counts.delivered, 1);
	cr_expect_eq(counts.faults, 0);
	sim_free(s);
	free(node);
	topo_free(t);
}

Test(sim, setup_refuses_unknown_settings)
{
	struct topo *t = topo_of(
		view_text("{\"name\":\"x\"," TWO_NODES ",\"config\":{\"custody\":{\"tpyo\":1}}}"));
	struct node_cfg *cfg;
	char why[200];

	cr_expect_eq(sim_setup(t, &cfg, why, sizeof why), -E_CONFIG);
	cr_expect(strstr(why, "custody.tpyo"), "%s", why);
	topo_free(t);
}

/* -- scenarios */

static const char story[] =
	"# a comment\n"
	"topology {\"name\":\"two\",\"until\":\"30s\",\n" TWO_NODES "}\n"
	"seed 3\ncommit 1ms\nuntil 20s\nshow bundle_* node_start\nhide bundle_shape\n"
	"at 0 register b 1\nat 1s cut a-b b_to_a\nat 1s send a ipn:2.1 size 20 custody lifetime "
	"1h\n"
	"at 2s lose 2 a-b a_to_b\nat 3s crash b committed for 1s\nat 4s restart b\nat 5s mend a-b "
	"b_to_a\n"
	"expect\n[ nothing like this\n";

Test(scenario, plays_and_compares)
{
	static uint8_t room[65536], room2[65536];
	struct buf trace = buf_of(room, sizeof room), diff = buf_of(room2, sizeof room2);
	struct scenario_error e = {0};
	struct view text, file;
	struct scenario *sc;
	struct topo *t;

	cr_assert_eq(scenario_parse(view_text(story), &sc, &e), 0, "%u: %s", e.line, e.text);
	cr_assert(scenario_topology(sc, &text, &file));
	t = topo_of(text);
	cr_assert_eq(scenario_play(sc, t, &trace, &e), 0, "%u: %s", e.line, e.text);
	cr_expect(memmem(trace.p, trace.len, "a  node_start boot=1", 20));
	cr_expect(memmem(trace.p, trace.len, "bundle_sourced #1", 17));
	cr_expect_not(memmem(trace.p, trace.len, "bundle_shape", 12));
	cr_expect_not(scenario_matches(sc, buf_view(&trace), &diff));
	cr_expect(memmem(diff.p, diff.len, "- [ nothing like this\n", 22));
	topo_free(t);
	scenario_free(sc);
}

Test(scenario, truncated_prefixes)
{
	for (size_t n = 0; n < sizeof story - 1; n++) {
		uint8_t *copy = malloc(n + 1); /* so that a sanitizer sees reads beyond it */
		struct scenario_error e = {0};
		struct scenario *sc;

		cr_assert_not_null(copy);
		memcpy(copy, story, n);
		if (scenario_parse(view_of(copy, n), &sc, &e) == 0)
			scenario_free(sc);
		else
			cr_expect_neq(e.text[0], '\0');
		free(copy);
	}
}

Test(scenario, errors_name_their_line)
{
	static const struct {
		const char *text;
		unsigned line;
	} bad[] = {
		{"seed 1\n", 0}, /* no topology */
		{"topology x.json\nseed\n", 2},
		{"topology x.json\nfly away\n", 2},
		{"topology x.json\nat soon send a ipn:2.1\n", 2},
		{"topology x.json\n\nat 5s restart a\nat 4s restart a\n", 4},
		{"topology {\"name\":\n{}}\nuntil never\n", 3},
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct scenario_error e = {0};
		struct scenario *sc;

		cr_expect_eq(scenario_parse(view_text(bad[i].text), &sc, &e), -E_SYNTAX, "%zu", i);
		cr_expect_eq(e.line, bad[i].line, "%zu: line %u: %s", i, e.line, e.text);
	}
}

Test(scenario, bad_steps)
{
	static const char *const steps[] = {"at 1 send c ipn:2.1", "at 1 send a nowhere",
		"at 1 send a ipn:2.1 size", "at 1 send a ipn:2.1 blue", "at 1 crash c",
		"at 1 crash a never", "at 1 cut x a_to_b", "at 1 cut a-b up",
		"at 1 lose many a-b a_to_b", "at 1 register a", "at 1 dance a 1", "show bundel_*"};

	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		static uint8_t room[4096];
		struct buf trace = buf_of(room, sizeof room);
		struct scenario_error e = {0};
		struct view text, file;
		struct scenario *sc;
		struct topo *t;
		char whole[1024];

		snprintf(whole, sizeof whole,
			"topology {\"name\":\"two\",\"until\":\"30s\"," TWO_NODES "}\n%s\n",
			steps[i]);
		cr_assert_eq(scenario_parse(view_text(whole), &sc, &e), 0, "%s", steps[i]);
		cr_assert(scenario_topology(sc, &text, &file));
		t = topo_of(text);
		cr_expect_eq(scenario_play(sc, t, &trace, &e), -E_SYNTAX, "%s", steps[i]);
		cr_expect_neq(e.text[0], '\0', "%s", steps[i]);
		topo_free(t);
		scenario_free(sc);
	}
}

Test(diff, lines)
{
	static const struct {
		const char *a, *b, *out;
	} c[] = {
		{"", "", NULL},
		{"# said\nx\n\n", "x", NULL},
		{"x \ny", "x\ny\n", NULL},
		{"a\nb\nc", "a\nc", "  a\n- b\n  c\n"},
		{"a\nc", "a\nb\nc\n", "  a\n+ b\n  c\n"},
		{"a", "", "- a\n"},
		{"", "a", "+ a\n"},
		{"a\nb", "b\na", "- a\n  b\n+ a\n"},
	};

	for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
		uint8_t room[256];
		struct buf out = buf_of(room, sizeof room);
		bool equal = diff_lines(view_text(c[i].a), view_text(c[i].b), &out);

		cr_expect_eq(equal, c[i].out == NULL, "%zu", i);
		if (c[i].out)
			cr_expect(view_equal(buf_view(&out), view_text(c[i].out)), "%zu: %.*s", i,
				(int)out.len, room);
	}
}

/* A bundle that is cut through leaves nothing to commit; its sender is answered all the same. */
Test(sim, cut_through_is_answered)
{
	struct outcome o =
		run("{\"name\":\"two\",\"nodes\":[{\"name\":\"a\",\"id\":\"ipn:1.0\"},"
		    "{\"name\":\"b\",\"id\":\"ipn:2.0\"}],\"links\":[{\"a\":\"a\",\"b\":\"b\"}],"
		    "\"traffic\":[{\"from\":\"a\",\"to\":\"ipn:2.5\",\"count\":10,\"lifetime\":"
		    "\"1h\"}]}",
			1, 0, 200);

	cr_expect_eq(o.counts.accepted, 10);
	cr_expect_eq(o.counts.delivered, 10);
}
