#include "bundle/base/json.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const char text[] =
	"{\n \"a\": 1,\n \"links\": [\n  {\"x\": \"]\\\"\"},\n  {\"remote\":\n   \"h:1\"}\n ]\n}\n";

Test(json, tells_the_line_of_a_value)
{
	struct view v = view_text(text);

	cr_assert_eq(json_line(v, "a"), 2);
	cr_assert_eq(json_line(v, "links"), 3);
	cr_assert_eq(json_line(v, "links[0].x"), 4);
	cr_assert_eq(json_line(v, "links[1].remote"), 6);
	cr_assert_eq(json_line(v, "links[2]"), 0);
}

Test(json, tells_the_line_of_a_syntax_error)
{
	struct json *doc;
	unsigned line;

	cr_assert_eq(json_parse(view_text("{\n\"a\": 1,\n\"b\": }\n"), &doc, &line), -E_SYNTAX);
	cr_assert_eq(line, 3);
	cr_assert_eq(json_parse(view_text("{\"a\":1,\"a\":2}"), &doc, &line), -E_SYNTAX);
	cr_assert_eq(json_parse(view_text("{} x"), &doc, &line), -E_SYNTAX);
	cr_assert_eq(json_parse(view_text("{\n\"a\": \"\xc3\"}"), &doc, &line), -E_SYNTAX);
	cr_assert_eq(line, 2);
}

Test(json, keeps_whole_numbers_exact)
{
	struct json *doc;
	unsigned line;
	uint64_t v;

	cr_assert_eq(json_parse(view_text("[9007199254740992, \"18446744073709551615\", 1.5, -1]"),
			     &doc, &line),
		0);
	cr_assert_eq(json_u64(json_at(doc, 0), &v), 0);
	cr_assert_eq(v, UINT64_C(9007199254740992));
	cr_assert_eq(json_u64(json_at(doc, 1), &v), 0);
	cr_assert_eq(v, UINT64_MAX);
	cr_assert_eq(json_u64(json_at(doc, 2), &v), -E_RANGE);
	cr_assert_eq(json_u64(json_at(doc, 3), &v), -E_RANGE);
	cr_assert_eq(json_u64(json_at(doc, 4), &v), -E_TYPE);
	json_free(doc);
}

Test(json, writes_what_it_reads)
{
	char room[256];
	struct buf b = buf_of(room, sizeof room);
	struct json_writer w = {.out = &b};

	jw_object(&w, NULL);
	jw_text(&w, "t", view_text("a\"\\\n\xff\xc3\xa4"));
	jw_u64(&w, "big", UINT64_MAX);
	jw_array(&w, "l");
	jw_double(&w, NULL, 0.1);
	jw_bool(&w, NULL, true);
	jw_null(&w, NULL);
	jw_array_end(&w);
	jw_object_end(&w);
	buf_u8(&b, 0);
	cr_assert_str_eq(room, "{\"t\":\"a\\\"\\\\\\u000a\\u00ff\xc3\xa4\",\"big\":"
			       "\"18446744073709551615\",\"l\":[0.1,true,null]}");
}

/* cJSON takes control characters for space; the walk stood still at a zero byte. */
Test(json, line_walks_over_control_characters)
{
	static const char odd[] = "[\0 1,\1\n{\"a\":\0 2\0}]";

	cr_expect_eq(json_line(view_of(odd, sizeof odd - 1), "[1].a"), 2);
	cr_expect_eq(json_line(view_of(odd, sizeof odd - 1), "[2]"), 0);
	cr_expect_eq(json_line(view_of("{\"a\0bcdefgh\":1}", 15), "a"), 0,
		"a key with a zero byte inside");
}
