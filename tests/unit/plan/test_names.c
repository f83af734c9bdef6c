#include "dtn/plan/names.h"
#include "dtn/plan/topo.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static node_id node(const char *text)
{
	struct eid e;

	cr_assert_eq(eid_parse_node(text, &e), 0);
	return e.node;
}

Test(names, prints_a_dtn_node_as_it_was_named)
{
	struct names s = {0}, all = {0};
	char text[EID_TEXT_MAX];

	cr_expect_eq(names_put(&s, "dtn://mars/"), 0);
	cr_expect_eq(names_put(&s, "dtn://mars/"), 0);
	cr_expect_eq(names_put(&s, "dtn://earth/"), 0);
	cr_expect_eq(names_put(&s, "dtn://far/inbox"), 0, "no node");
	cr_expect_eq(names_put(&s, "ipn:4.0"), 0);
	cr_expect_eq(names_put(&s, "no node"), 0);
	cr_expect_eq(s.n, 2);
	cr_expect_eq(names_join(&all, &s), 0);
	cr_expect_eq(names_print(&all, node("dtn://mars/"), text, sizeof text), 11);
	cr_expect_str_eq(text, "dtn://mars/");
	names_print(&all, node("dtn://earth/"), text, sizeof text);
	cr_expect_str_eq(text, "dtn://earth/");
	names_print(&all, node("ipn:4.0"), text, sizeof text);
	cr_expect_str_eq(text, "ipn:4.0");
	names_print(&all, NODE_NONE, text, sizeof text);
	cr_expect_str_eq(text, "dtn:none");
	cr_expect_eq(names_print(&all, node("dtn://mars/"), text, 5), 4);
	cr_expect_str_eq(text, "dtn:");
	names_print(&all, node("dtn://moon/"), text, sizeof text);
	cr_expect_eq(strncmp(text, "dtn-node:", 9), 0, "a name that nobody told");
	names_print(NULL, node("dtn://mars/"), text, sizeof text);
	cr_expect_eq(strncmp(text, "dtn-node:", 9), 0);
	names_free(&s);
	names_free(&all);
}

Test(names, has_a_limit)
{
	struct names s = {0};
	char text[40];

	for (unsigned k = 0; k < NAMES_MAX + 10; k++) {
		snprintf(text, sizeof text, "dtn://node-%u/", k);
		cr_assert_eq(names_put(&s, text), 0);
	}
	cr_expect_eq(s.n, NAMES_MAX);
	for (size_t k = 1; k < s.n; k++)
		cr_assert(s.row[k - 1].node < s.row[k].node);
	names_free(&s);
}

Test(names, come_from_plans_and_topologies)
{
	static const char text[] =
		"{\"name\":\"x\",\"nodes\":[{\"name\":\"a\",\"id\":\"dtn://a/"
		"\"},{\"name\":\"b\",\"id\":2}],"
		"\"links\":[{\"a\":\"a\",\"b\":\"b\",\"rate\":\"1M\",\"owlt\":0}],\"plan\":{"
		"\"contacts\":["
		"{\"from\":\"dtn://a/\",\"to\":2,\"start\":0,\"end\":9,\"rate\":1,\"owlt\":1},"
		"{\"from\":\"dtn://far/\",\"to\":2,\"start\":0,\"end\":9,\"rate\":1,\"owlt\":1}]}}";
	struct plan_note note[4];
	struct plan_notes notes = {note, 0, 4};
	char id[EID_TEXT_MAX], room[1000];
	struct buf b = buf_of((uint8_t *)room, sizeof room);
	struct json_writer w = {.out = &b};
	struct topo *t;

	cr_assert_eq(topo_read(view_text(text), (struct view){0}, &t, &notes), 0);
	topo_print_id(t, 0, id, sizeof id);
	cr_expect_str_eq(id, "dtn://a/");
	topo_print_id(t, 1, id, sizeof id);
	cr_expect_str_eq(id, "ipn:2.0");
	cr_assert_eq(notes.n, 1);
	cr_expect_str_eq(note[0].text, "contact 2: no link joins dtn://far/ and ipn:2.0");
	plan_write_json(t->plan, "plan", &w);
	buf_u8(&b, 0);
	cr_expect(strstr(room, "\"plan\":{\"contacts\":[{\"from\":\"dtn://a/\",\"to\":\"ipn:2.0\""),
		"%s", room);
	topo_free(t);
}
