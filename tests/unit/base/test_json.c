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
	cr_assert_eq(json_parse(view_text("{\"a\":1,\"a\":2}"), &doc, &line), -E_DUPLICATE);
	cr_assert_eq(json_parse(view_text("{} x"), &doc, &line), -E_SYNTAX);
	cr_assert_eq(json_parse(view_text("{\n\"a\": \"\xc3\"}"), &doc, &line), -E_SYNTAX);
	cr_assert_eq(line, 2);
	/* too long a form, a surrogate, beyond U+10FFFF, alone: no UTF-8 */
	static const char *const bad[] = {"\"\xe0\x80\x80\"", "\"\xed\xa0\x80\"",
		"\"\xf0\x80\x80\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xff\"", "\"\xc3\x28\""};
	for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
		cr_assert_eq(json_parse(view_text(bad[k]), &doc, &line), -E_SYNTAX);
}

Test(json, tells_the_line_of_a_name_that_stands_twice)
{
	static const struct {
		const char *text;
		unsigned line;
	} row[] = {{"{\"a\":1,\n\"a\":2}", 2},
		{"{\n\"a\": [{\"x\": [1, 2]}, {}],\n\"b\": {\"c\": 0,\n\n\"c\" :\n {}}}", 5},
		/* the first that stands twice, though what lies in it has one too */
		{"{\"a\":{\"x\":\"},{\"},\n\"a\":{\"y\":1,\n\"y\":2}}", 2},
		{"[\n{\"a\":1},\n{\"a\":2,\n\"\\u0061\":3}]", 4}};
	struct json *doc;
	unsigned line;

	for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
		cr_expect_eq(json_parse(view_text(row[k].text), &doc, &line), -E_DUPLICATE);
		cr_expect_eq(line, row[k].line, "%zu: %u", k, line);
	}
}

Test(json, tells_the_line_where_it_is_too_deep)
{
	char deep[400] = "[1,\n";
	struct json *doc;
	unsigned line;

	memset(deep + 4, '[', 100);
	memset(deep + 104, ']', 101);
	cr_expect_eq(json_parse(view_of(deep, 205), &doc, &line), -E_LIMIT);
	cr_expect_eq(line, 2);
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

Test(json, numbers_and_kinds)
{
	static const char doc_text[] =
		"{\"a\":[true,null,1.5,-7,\"-8\",\"8x\",9007199254740994,1e400,"
		"\"\xe2\x82\xac\xf0\x9f\x98\x80\",\"99999999999999999999\"],\"b\":{}}";
	static const int64_t want[] = {0, 0, 0, -7, -8};
	struct json *doc;
	unsigned line;
	int64_t i;
	double d;

	cr_assert_eq(json_parse(view_text(doc_text), &doc, &line), 0);
	const struct json *a = json_get(doc, "a");
	cr_assert_eq(json_type(json_at(a, 0)), JSON_BOOL);
	cr_assert_eq(json_type(json_at(a, 1)), JSON_NULL);
	cr_assert_eq(json_type(json_at(a, 50)), JSON_ABSENT);
	cr_assert_eq(json_type(json_get(doc, "b")), JSON_OBJECT);
	cr_assert_eq(json_i64(json_at(a, 0), &i), -E_TYPE);
	cr_assert_eq(json_i64(json_at(a, 2), &i), -E_RANGE);
	for (size_t k = 3; k < 5; k++) {
		cr_assert_eq(json_i64(json_at(a, k), &i), 0);
		cr_assert_eq(i, want[k]);
	}
	cr_assert_eq(json_i64(json_at(a, 5), &i), -E_TYPE);
	cr_assert_eq(json_i64(json_at(a, 6), &i), -E_RANGE);
	cr_assert_eq(json_i64(json_at(a, 9), &i), -E_RANGE);
	cr_assert_eq(json_double(json_at(a, 2), &d), 0);
	cr_assert_eq(json_double(json_at(a, 4), &d), -E_TYPE);
	cr_assert_eq(json_double(json_at(a, 7), &d), -E_RANGE);
	json_free(doc);
}

Test(json, depth_is_limited)
{
	char deep[300];
	struct json *doc;
	unsigned line;

	memset(deep, '[', 140);
	memset(deep + 140, ']', 140);
	cr_assert_eq(json_parse(view_of((const uint8_t *)deep, 280), &doc, &line), -E_LIMIT);
	cr_assert_null(doc);
	cr_assert_eq(json_parse(view_of((const uint8_t *)deep + 100, 80), &doc, &line), 0);
	json_free(doc);
}
