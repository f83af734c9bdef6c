#include "bundle/base/hash.h"
#include "dtn/sim/explore.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define SMALL                                                                                      \
	"\"config\":{\"agent\":{\"max_bundles\":32,\"max_tombstones\":32,\"max_registrations\":2," \
	"\"max_parties\":4},\"send\":{\"max_open\":1},\"reassembly\":{\"max_adus\":1,"             \
	"\"max_fragments\":2},\"custody\":{\"signal_delay\":\"1s\",\"interval\":\"20s\"}}"

static const char two[] =
	"{\"name\":\"two\",\"until\":\"600s\",\"nodes\":[{\"name\":\"a\",\"id\":\"ipn:1.0\"},"
	"{\"name\":\"b\",\"id\":\"ipn:2.0\"}],\"links\":[{\"name\":\"a-b\",\"a\":\"a\",\"b\":\"b\","
	"\"rate\":\"1M\",\"owlt\":\"1s\"}],\"traffic\":[{\"from\":\"a\",\"to\":\"ipn:2.5\","
	"\"at\":\"1s\",\"count\":1,\"every\":\"1s\",\"size\":100,\"custody\":true,"
	"\"lifetime\":\"1d\"}]," SMALL "}";

static struct topo *topo_of(const char *text)
{
	struct plan_note note[4];
	struct plan_notes notes = {.note = note, .cap = 4};
	struct topo *t;

	cr_assert_eq(
		topo_read(view_text(text), (struct view){0}, &t, &notes), 0, "%s", note[0].text);
	return t;
}

static struct explore_cfg cfg_of(const struct topo *t, unsigned depth)
{
	struct node_cfg *node;
	char why[200] = "";

	cr_assert_eq(sim_setup(t, &node, why, sizeof why), 0, "%s", why);
	return (struct explore_cfg){.sim = {.topo = t,
					    .node = node,
					    .seed = 1,
					    .dtn_at_zero = sim_dtn_zero(t),
					    .commit_us = 1000,
					    .traffic = true},
		.until = t->until,
		.depth = depth,
		.of = 1,
		.down_us = 3 * US_PER_S,
		.slow_us = 5 * US_PER_S};
}

/* All runs of a depth; each list of decisions once, in order; nothing broken. */
static uint64_t all(const struct explore_cfg *cfg, uint64_t *hash)
{
	char text[160], last[160] = "?";
	struct explore_run r;
	struct explore *e;
	uint64_t n = 0;
	int more;

	cr_assert_eq(explore_new(cfg, &e), 0);
	while ((more = explore_next(e, &r)) > 0) {
		script_print(r.script, text, sizeof text);
		cr_assert_str_empty(r.fault.text, "%s: %s", text, r.fault.text);
		cr_assert_eq(r.script->n_choices, cfg->depth);
		cr_assert_str_neq(text, last);
		strcpy(last, text);
		*hash ^= hash_bytes((struct hash_key){1, 2}, view_text(text));
		n++;
	}
	cr_assert_eq(more, 0);
	cr_assert_eq(explore_units_done(e), explore_units(e));
	if (cfg->depth > 0)
		cr_assert_gt(explore_counts(e)->option[OPTION_KILL], 0);
	explore_free(e);
	return n;
}

Test(explore, every_run_once_and_shares_add_up)
{
	struct topo *t = topo_of(two);
	struct explore_cfg cfg = cfg_of(t, 0);
	uint64_t whole, hash = 0, parts = 0, part_hash = 0;

	cr_assert_eq(all(&cfg, &hash), 1);
	cfg.depth = 1;
	cr_assert_geq(all(&cfg, &hash), 40);
	cfg.depth = 2;
	hash = 0;
	whole = all(&cfg, &hash);
	cfg.of = 3;
	for (cfg.index = 0; cfg.index < 3; cfg.index++)
		parts += all(&cfg, &part_hash);
	cr_assert_eq(parts, whole);
	cr_assert_eq(part_hash, hash);
	free((void *)(uintptr_t)cfg.sim.node);
	topo_free(t);
}

/* The same decisions, the same run: each decision of a run can be taken, and gives what was noted. */
Test(explore, decisions_replay)
{
	struct topo *t = topo_of(two);
	struct explore_cfg cfg = cfg_of(t, 2);
	struct explore_run r;
	struct explore *e;
	unsigned n = 0;

	cr_assert_eq(explore_new(&cfg, &e), 0);
	while (n++ < 200 && explore_next(e, &r) > 0) {
		struct sim_script d = {.down_us = cfg.down_us, .slow_us = cfg.slow_us};
		struct sim_cfg sc = cfg.sim;
		char text[160];
		struct sim *s;

		script_print(r.script, text, sizeof text);
		cr_assert_eq(script_parse(&d, text), 0, "%s", text);
		sc.script = &d;
		cr_assert_eq(sim_new(&sc, &s), 0);
		while (!sim_is_settled(s) && sim_step(s, cfg.until))
			;
		cr_assert_eq(sim_now(s), r.ended, "%s", text);
		cr_assert_eq(d.n_met, r.script->n_met, "%s", text);
		cr_assert_eq(d.n_taken, 2);
		cr_assert_not(d.is_wrong);
		cr_assert_eq(memcmp(d.mask, r.script->mask, d.n_met * sizeof d.mask[0]), 0);
		sim_free(s);
	}
	explore_free(e);
	free((void *)(uintptr_t)cfg.sim.node);
	topo_free(t);
}

Test(explore, decision_text)
{
	static const char *const bad[] = {"x", "1", "1-", "1-fly", "-kill", "5-kill,5-lose",
		"5-kill,4-lose", "1-kill 2-lose", "99999999-kill",
		"1-kill,2-kill,3-kill,4-kill,5-kill,6-kill,7-kill,8-kill,9-kill"};
	struct sim_script d = {0};
	char text[64];

	cr_assert_eq(script_parse(&d, ""), 0);
	cr_assert_eq(d.n_choices, 0);
	cr_assert_eq(script_parse(&d, "3-kill-kept,40-twice-late"), 0);
	cr_assert_eq(d.n_choices, 2);
	cr_assert_eq(d.choice[0].option, OPTION_KILL_KEPT);
	cr_assert_eq(d.choice[1].at, 40);
	script_print(&d, text, sizeof text);
	cr_assert_str_eq(text, "3-kill-kept,40-twice-late");
	script_print(&d, text, 8);
	cr_assert_lt(strlen(text), 8);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_expect_neq(script_parse(&d, bad[i]), 0, "%s", bad[i]);
}
