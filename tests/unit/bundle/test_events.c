/*
 * Every event as a line: well-formed JSON with its name, whatever its fields hold; and the words and
 * rules that lines are made of.
 */
#include "bundle/base/json.h"
#include "bundle/base/time.h"
#include "bundle/events.h"
#include "bundle/rule.h"

#include "bundle/bundle.h"

#include <criterion/criterion.h>

static const char *link_name(const void *arg, unsigned link)
{
	(void)arg;
	return link ? "b" : "a";
}

static void print_and_read(unsigned ev, uint64_t v, const struct event_ctx *ctx)
{
	struct trace_rec rec = {.at = 1500, .ev = ev, .a = {v, v, v, v, v}};
	char text[4096];
	struct buf b = buf_of(text, sizeof text);
	struct json *doc;
	unsigned line;

	events_print_json(&b, &rec, ctx);
	cr_assert_eq(buf_finish(&b), 0);
	cr_assert_eq(text[b.len - 1], '\n');
	cr_assert_eq(json_parse(buf_view(&b), &doc, &line), 0, "%.*s", (int)b.len, text);
	cr_assert_str_eq(json_text(json_get(doc, "ev")), event_row(ev)->name);
	for (unsigned k = 0; k < TRACE_ARGS; k++)
		if (event_row(ev)->field[k].kind != EVENT_NONE)
			cr_assert_neq(json_type(json_get(doc, event_row(ev)->field[k].name)),
				JSON_ABSENT);
	json_free(doc);
}

Test(events, every_one_is_a_line)
{
	static const uint64_t value[] = {
		0, 1, 5, UINT64_C(0x6869000000000000), INT64_MAX, UINT64_MAX};
	struct event_ctx full = {.node = "ipn:1.0",
				 .dtn_at_zero = 820000000000,
				 .real_ns = 7,
				 .link_name = link_name},
			 bare = {.node = "dtn://a\"b/"};

	for (unsigned ev = 0; ev < EV_LAST; ev++)
		for (size_t k = 0; k < sizeof value / sizeof *value; k++) {
			print_and_read(ev, value[k], &bare);
			if (k < 2)
				print_and_read(ev, value[k], &full);
		}
	cr_assert_null(event_row(EV_LAST));
	cr_assert_null(event_row(UINT32_MAX));
}

static size_t node_text(const void *arg, node_id node, char *out, size_t cap)
{
	cr_assert_eq(node, NODE_DTN_BIT | 5);
	cr_assert_eq(cap, EID_TEXT_MAX);
	strcpy(out, arg);
	return strlen(arg);
}

Test(events, nodes_by_name)
{
	struct event_ctx ctx = {.node = "dtn://a/", .node_text = node_text, .arg = "dtn://far/"};
	struct trace_rec rec = {.ev = EV_app_registered, .a = {1, NODE_DTN_BIT | 5, 7}};
	char text[4096];
	struct buf b = buf_of(text, sizeof text);

	events_print_json(&b, &rec, &ctx);
	buf_u8(&b, 0);
	cr_assert_eq(buf_finish(&b), 0);
	cr_expect(strstr(text, "\"dst_node\":\"dtn://far/\""), "%s", text);
	rec.a[1] = NODE_NONE;
	b.len = 0;
	events_print_json(&b, &rec, &ctx);
	buf_u8(&b, 0);
	cr_expect(strstr(text, "\"dst_node\":null"), "%s", text);
}

Test(events, words)
{
	for (unsigned why = 0; why < WHY_LAST; why++)
		cr_assert_eq(why_find(why_name(why)), why, "%s", why_name(why));
	cr_assert_eq(why_find("no such word"), WHY_OTHER);
	cr_assert_eq(event_text("hello, far", 0), UINT64_C(0x68656c6c6f2c2066));
	cr_assert_eq(event_text("hello, far", 8), UINT64_C(0x6172000000000000));
	cr_assert_eq(event_text("hello", 8), 0);
	for (unsigned rule = 0; rule < RULES; rule++)
		cr_assert(rule_name(rule)[0] && rule_text(rule)[0]);
	cr_assert_str_eq(rule_name(RULES), "unknown");
	cr_assert_str_eq(rule_text(RULES), "no such rule");
	cr_assert_str_eq(rule_name(RULE_CRC_MISMATCH), "crc-mismatch");
}

/* A stream of bundles, cut where they end. */
Test(events, first_of_several)
{
	static uint8_t room[512];
	struct buf b = buf_of(room, sizeof room);
	struct bundle_spec s = {.dest = eid_ipn(2, 1),
		.source = eid_ipn(1, 1),
		.crc_type = CRC_32C,
		.created_ms = 820000000000,
		.lifetime_ms = 1000,
		.custody = custody_codes_ccsds()};
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct bundle one;
	size_t used, n;

	s.report_to = eid_null();
	cr_assert_eq(bundle_build(&b, &s, view_text("one")), 0);
	n = b.len;
	cr_assert_eq(bundle_build(&b, &s, view_text("two")), 0);
	cr_assert_eq(bundle_read_first(&one, buf_view(&b), &rules, &fault, &used), 0);
	cr_assert_eq(used, n);
	cr_assert(view_equal(one.payload, view_text("one")));
	cr_assert_neq(bundle_read(&one, buf_view(&b), &rules, &fault), 0);
	cr_assert_eq(fault.rule, RULE_TRAILING);
	cr_assert_neq(bundle_read_first(&one, view_of(room, n - 1), &rules, &fault, &used), 0);
	cr_assert_eq(used, 0);
}

Test(events, definite_arrays_that_hold_nothing)
{
	static const struct {
		const char *bytes;
		size_t n;
		unsigned rule;
	} t[] = {{"\x80", 1, RULE_PRIMARY_MISSING}, {"\x98", 1, RULE_TRUNCATED},
		{"\x98\x02", 2, RULE_NOT_SHORTEST}, {"\x81", 1, RULE_TRUNCATED}};
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct bundle b;

	rules.allow_definite = true;
	for (size_t k = 0; k < sizeof t / sizeof *t; k++) {
		cr_assert_neq(bundle_read(&b, view_of((const uint8_t *)t[k].bytes, t[k].n), &rules,
				      &fault),
			0);
		cr_expect_eq(fault.rule, t[k].rule, "%zu: %s", k, rule_name(fault.rule));
	}
}

/* Sources of unknown schemes are told apart by their bytes. */
Test(events, identity_of_unknown_schemes)
{
	struct bundle a = {.source = {.scheme = 9, .ssp = view_text("\x07")}}, b = a;

	cr_assert_eq(bundle_id_hash(&a, 1, 2), bundle_id_hash(&b, 1, 2));
	b.source.ssp = view_text("\x08");
	cr_assert_neq(bundle_id_hash(&a, 1, 2), bundle_id_hash(&b, 1, 2));
}
