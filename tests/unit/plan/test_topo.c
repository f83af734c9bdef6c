#include "dtn/plan/topo.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define NODES                                                                                      \
	"\"nodes\":[{\"name\":\"earth\",\"id\":\"ipn:1.0\"},\n{\"name\":\"mars\",\"id\":2,"        \
	"\"config\":{}}]"

static const char sample[] =
	"{\"name\":\"two\",\"speed\":10,\"until\":\"60s\",\n" NODES ",\n"
	"\"links\":[{\"a\":\"earth\",\"b\":\"ipn:2.0\",\"rate\":\"1M\",\"owlt\":\"2s\",\"loss\":0."
	"2,\"mtu\":1500,"
	"\"b_to_a\":{\"rate\":\"64k\",\"loss\":{\"model\":\"gilbert\",\"p\":0.1,\"r\":0.2,\"bad\":"
	"0.9}}}],\n"
	"\"plan\":{\"contacts\":[{\"from\":1,\"to\":2,\"start\":0,\"end\":60,\"rate\":\"1M\","
	"\"owlt\":2},"
	"{\"from\":1,\"to\":3,\"start\":0,\"end\":60,\"rate\":\"1M\",\"owlt\":2}]},\n"
	"\"traffic\":[{\"from\":\"earth\",\"to\":\"ipn:2.1\",\"at\":\"1s\",\"every\":\"2s\","
	"\"count\":10,\"size\":\"1k\","
	"\"custody\":true,\"lifetime\":\"1h\",\"priority\":\"expedited\"}]}";

static int parse(const char *text, struct topo **t, struct plan_note *note, size_t *n)
{
	struct plan_notes notes = {note, 0, 8};
	int err = topo_read(view_text(text), (struct view){0}, t, &notes);

	*n = notes.n;
	return err;
}

Test(topo, all_keys)
{
	struct plan_note note[8];
	struct topo *t;
	size_t n;

	cr_assert_eq(parse(sample, &t, note, &n), 0, "%s", n ? note[0].text : "");
	cr_expect_eq(n, 1, "a contact without a link is a warning");
	cr_expect_eq(t->n_nodes, 2);
	cr_expect_eq(t->node[1].id, 2);
	cr_expect_not_null(t->node[1].config);
	cr_expect_str_eq(t->link[0].name, "earth-mars");
	cr_expect_eq(t->link[0].a_to_b.rate_bps, 1000000);
	cr_expect_eq(t->link[0].b_to_a.rate_bps, 64000);
	cr_expect_eq(t->link[0].b_to_a.owlt_us, 2 * US_PER_S);
	cr_expect_eq(t->link[0].a_to_b.loss, LOSS_UNIFORM);
	cr_expect_eq(t->link[0].b_to_a.loss, LOSS_GILBERT);
	cr_expect_float_eq(t->link[0].b_to_a.ge_bad, 0.9, 1e-9);
	cr_expect_eq(t->link[0].mtu_bytes, 1500);
	cr_expect_eq(t->until, 60 * US_PER_S);
	cr_expect_eq(t->traffic[0].to_node, 2);
	cr_expect_eq(t->traffic[0].to_service, 1);
	cr_expect_eq(t->traffic[0].priority, 2);
	cr_expect_eq(t->plan->n_contacts, 2);
	cr_expect_eq(topo_node_index(t, "mars"), 1);
	cr_expect_eq(topo_node_index(t, "ipn:1.0"), 0);
	cr_expect_eq(topo_node_index(t, "venus"), SIZE_MAX);
	topo_free(t);
}

#define T(x) "{\"name\":\"t\"," NODES ",\n" x "}"

Test(topo, refusals)
{
	static const struct {
		const char *text;
		unsigned line;
	} rows[] = {
		{"{\"name\":\"t\"}", 0},
		{T("\"links\":[{\"a\":\"earth\",\"b\":\"venus\"}]"), 3},
		{T("\"links\":[{\"a\":\"earth\",\"b\":\"earth\"}]"), 3},
		{T("\"links\":[{\"a\":\"earth\",\"b\":\"mars\",\n\"x\":1}]"), 4},
		{T("\"links\":[{\"a\":\"earth\",\"b\":\"mars\",\n\"loss\":2}]"), 4},
		{T("\"links\":[{\"a\":\"earth\",\"b\":\"mars\",\n\"mtu\":20}]"), 4},
		{T("\"links\":[{\"a\":\"earth\",\"b\":\"mars\",\n\"a_to_b\":{\"mtuu\":20}}]"), 4},
		{T("\"links\":[{\"a\":\"earth\",\"b\":\"mars\",\n\"a_to_b\":7}]"), 4},
		{T("\"speed\":0"), 3},
		{T("\"until\":\"x\""), 3},
		{T("\"links\":7"), 3},
		{T("\"plan\":7"), 3},
		{T("\"plan\":\"file\""), 3},
		{T("\"plan\":{\"contacts\":[\n7]}"), 4},
		{T("\"traffic\":[{\"from\":\"earth\",\"to\":\"dtn:none\"}]"), 3},
		{T("\"traffic\":[{\"from\":\"earth\",\"to\":\"ipn:2.1\",\n\"priority\":\"top\"}]"),
			4},
		{T("\"wrong\":1"), 3},
		{"{\"name\":\"t\",\"nodes\":[{\"name\":\"a\",\"id\":1},{\"name\":\"a\",\"id\":2}]}",
			1},
		{"{\"name\":\"t\",\"nodes\":[{\"name\":\"a\",\"id\":1},{\"name\":\"b\",\"id\":1}]}",
			1},
		{"{\"name\":\"t\",\"nodes\":[{\"name\":\"a b\",\"id\":1}]}", 1},
	};
	struct plan_note note[8];
	struct topo *t;
	size_t n;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int err = parse(rows[i].text, &t, note, &n);
		cr_expect(err < 0 && n > 0, "%zu: %s", i, rows[i].text);
		if (n)
			cr_expect_eq(note[0].line, rows[i].line, "%zu: line %u: %s", i,
				note[0].line, note[0].text);
		if (!err)
			topo_free(t);
	}
}

Test(topo, every_truncated_prefix_is_refused)
{
	struct plan_note note[8];

	for (size_t n = 0; n < sizeof sample - 1; n++) {
		char *copy = malloc(n + 1);
		struct plan_notes notes = {note, 0, 8};
		struct topo *t;
		memcpy(copy, sample, n);
		cr_expect(topo_read(view_of(copy, n), (struct view){0}, &t, &notes) < 0 &&
				  notes.n > 0,
			"%zu", n);
		free(copy);
	}
}
