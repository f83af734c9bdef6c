#include "bundle/base/schema.h"

#include <criterion/criterion.h>

struct link {
	char name[9];
	uint64_t rate;
	int64_t delay;
};
struct cfg {
	bool on;
	uint64_t count, size;
	int64_t wait, offset;
	double ratio;
	char path[17];
	unsigned level;
	struct link link[3];
	size_t n_links;
	uint64_t uid[4];
	size_t n_uids;
};

static int no_spaces(const char *text)
{
	return strchr(text, ' ') ? -E_SYNTAX : 0;
}

static const char *const levels[] = {"error", "info", "debug", NULL};
static const struct schema_row link_rows[] = {
	{.path = "name", .type = SCHEMA_TEXT, .offset = offsetof(struct link, name), .max = 8},
	{.path = "limits.rate",
		.type = SCHEMA_RATE,
		.offset = offsetof(struct link, rate),
		.def = "0"},
	{.path = "delay",
		.type = SCHEMA_DURATION,
		.offset = offsetof(struct link, delay),
		.def = "10ms"},
	{0}};
static const struct schema_row uid_rows[] = {{.path = "", .type = SCHEMA_U64, .def = "0"}, {0}};
#define ROW(p, t, f) .path = p, .type = t, .offset = offsetof(struct cfg, f)
static const struct schema_row rows[] = {
	{ROW("on", SCHEMA_BOOL, on), .def = "true", .help = "Whether."},
	{ROW("store.count", SCHEMA_U64, count), .min = 1, .max = 100, .def = "5",
		.help = "How many."},
	{ROW("store.size", SCHEMA_BYTES, size), .def = "64Ki"},
	{ROW("wait", SCHEMA_DURATION, wait), .def = "10s"},
	{ROW("clock.offset", SCHEMA_I64, offset), .min = -50, .max = 50, .def = "0", .unit = "ms"},
	{ROW("ratio", SCHEMA_REAL, ratio), .max = 1, .def = "0.5"},
	{ROW("store.path", SCHEMA_TEXT, path), .max = 16, .check = no_spaces},
	{ROW("level", SCHEMA_ENUM, level), .words = levels, .def = "info"},
	{.path = "links",
		.type = SCHEMA_LIST,
		.offset = offsetof(struct cfg, link),
		.max = 3,
		.rows = link_rows,
		.size = sizeof(struct link),
		.count_offset = offsetof(struct cfg, n_links)},
	{.path = "uids",
		.type = SCHEMA_LIST,
		.offset = offsetof(struct cfg, uid),
		.max = 4,
		.rows = uid_rows,
		.size = 8,
		.count_offset = offsetof(struct cfg, n_uids)},
	{0}};
static const struct schema_part parts[] = {{.rows = rows}, {0}};

static struct cfg defaults(void)
{
	struct cfg c = {0};
	struct schema_error e;

	cr_assert_eq(schema_defaults(parts, &c, &e), 0);
	return c;
}

Test(schema, fills_in_defaults)
{
	struct cfg c = defaults();

	cr_assert(c.on && c.count == 5 && c.size == 65536 && c.wait == 10000000 && c.level == 1);
	cr_assert_eq(c.n_links, 0);
}

Test(schema, reads_a_document)
{
	struct cfg c = defaults();
	struct schema_error e;
	const char *doc =
		"{\"store\":{\"count\":7,\"path\":\"x\"},\"on\":false,\"wait\":0.25,\"uids\":[0,"
		"1000],"
		"\"links\":[{\"name\":\"a\"},{\"name\":\"b\",\"limits\":{\"rate\":\"2M\"}}],"
		"\"clock\":{\"offset\":-7},\"ratio\":1}";

	cr_assert_eq(schema_json(parts, &c, view_text(doc), &e), 0, "%s: %s", e.path, e.text);
	cr_assert(!c.on && c.count == 7 && c.wait == 250000 && c.offset == -7);
	cr_assert_eq(c.n_links, 2);
	cr_assert_eq(c.link[1].rate, 2000000);
	cr_assert_eq(c.link[1].delay, 10000);
	cr_assert_eq(c.n_uids, 2);
	cr_assert_eq(c.uid[1], 1000);
	cr_assert_eq(schema_complete(parts, &c, &e), 0);
}

Test(schema, tells_line_and_path_of_what_is_wrong)
{
	static const struct {
		const char *doc, *path, *text;
		unsigned line;
	} t[] = {
		{"{\n\"on\": 3}", "on", "true or false", 2},
		{"{\n\"store\": {\n\"coumt\": 3}}", "store.coumt", "no such setting", 3},
		{"{\"store\":{\n\"count\": 0}}", "store.count", "at least 1", 2},
		{"{\"store\":{\n\"count\": 1000}}", "store.count", "at most 100", 2},
		{"{\"store\":{\"count\":\"x\"}}", "store.count", "a whole number", 1},
		{"{\"store\":3}", "store", "an object", 1},
		{"{\"wait\":\n\"fast\"}", "wait", "a duration", 2},
		{"{\"level\":\"loud\"}", "level", "none of: error, info, debug", 1},
		{"{\"links\":[{\"name\":\"a\"},\n{\"nam\":\"b\"}]}", "links[1].nam",
			"no such setting", 2},
		{"{\"links\":[{},{},{},{}]}", "links[3]", "at most 3", 1},
		{"{\"links\":{}}", "links", "a list", 1},
		{"{\"store\":{\"path\":\"a b\"}}", "store.path", "\"a b\"", 1},
		{"{\"store\":{\"path\":\"12345678901234567\"}}", "store.path", "longer than 16", 1},
		{"{\"store\":{\"path\":4}}", "store.path", "a text", 1},
		{"{\n\"on\": }", "", "not valid JSON", 2},
		{"[]", "", "an object", 0},
	};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct cfg c = defaults();
		struct schema_error e = {0};

		cr_assert_eq(schema_json(parts, &c, view_text(t[i].doc), &e), -E_CONFIG, "%zu", i);
		cr_assert_str_eq(e.path, t[i].path);
		cr_assert(strstr(e.text, t[i].text), "%s", e.text);
		if (t[i].line)
			cr_assert_eq(e.line, t[i].line, "%zu: %u", i, e.line);
	}
}

Test(schema, never_takes_a_truncated_document)
{
	const char *doc = "{\"store\":{\"count\":7,\"path\":\"x\"},\"links\":[{\"name\":\"a\"}]}";

	for (size_t n = 0; n < strlen(doc); n++) {
		struct cfg c = defaults();
		struct schema_error e;

		cr_assert_eq(schema_json(parts, &c, view_of(doc, n), &e), -E_CONFIG);
	}
}

Test(schema, takes_the_environment)
{
	struct cfg c = defaults();
	struct schema_error e;
	char *env[] = {"HOME=/", "OWLT_LINKS__1__NAME=b", "OWLT_LINKS__0__NAME=a",
		"OWLT_STORE__PATH=p", "OWLT_LINKS__0__LIMITS__RATE=3k", "OWLT_SOCKET=x",
		"OWLT_UIDS__0=4", NULL};
	char *bad[] = {"OWLT_STOR__PATH=p", NULL}, *late[] = {"OWLT_LINKS__2__NAME=p", NULL};
	const char *skip[] = {"OWLT_SOCKET", NULL};

	cr_assert_eq(schema_env(parts, &c, env, skip, &e), 0, "%s: %s", e.path, e.text);
	cr_assert_str_eq(c.link[0].name, "a");
	cr_assert_str_eq(c.link[1].name, "b");
	cr_assert_eq(c.link[0].rate, 3000);
	cr_assert_eq(c.uid[0], 4);
	cr_assert_str_eq(c.path, "p");
	c = defaults();
	cr_assert_eq(schema_env(parts, &c, bad, skip, &e), -E_CONFIG);
	cr_assert_str_eq(e.path, "OWLT_STOR__PATH");
	cr_assert_eq(schema_env(parts, &c, late, skip, &e), -E_CONFIG);
}

Test(schema, misses_what_is_required)
{
	struct cfg c = defaults();
	struct schema_error e;

	cr_assert_eq(schema_complete(parts, &c, &e), -E_CONFIG);
	cr_assert_str_eq(e.path, "store.path");
	cr_assert_eq(schema_set(parts, &c, "store.path", "x", &e), 0);
	cr_assert_eq(schema_complete(parts, &c, &e), 0);
	cr_assert_eq(schema_set(parts, &c, "links[0].delay", "1s", &e), 0);
	cr_assert_eq(schema_complete(parts, &c, &e), -E_CONFIG);
	cr_assert_str_eq(e.path, "links[0].name");
}

Test(schema, writes_what_it_reads)
{
	struct cfg a = defaults(), b = defaults();
	struct schema_error e;
	char text[1024];
	struct buf out = buf_of(text, sizeof text);
	struct json_writer w = {.out = &out};

	cr_assert_eq(schema_set(parts, &a, "store.path", "x", &e), 0);
	cr_assert_eq(schema_set(parts, &a, "wait", "250ms", &e), 0);
	cr_assert_eq(schema_set(parts, &a, "links[0].name", "l", &e), 0);
	cr_assert_eq(schema_set(parts, &a, "uids[0]", "12", &e), 0);
	schema_write(parts, &a, &w);
	cr_assert(buf_fits(&out));
	cr_assert_eq(schema_json(parts, &b, buf_view(&out), &e), 0, "%.*s", (int)out.len, text);
	cr_assert_eq(memcmp(&a, &b, sizeof a), 0);
}

Test(schema, explains_itself)
{
	char text[4096] = "";
	struct buf out = buf_of(text, sizeof text - 1);

	schema_help(parts, false, &out);
	cr_assert(buf_fits(&out));
	cr_assert(strstr(text, "store.count\n    (number, 1 to 100; default 5)\n    How many.\n"),
		"%s", text);
	cr_assert(strstr(text, "links[].name\n    (text; required)"));
	out.len = 0;
	schema_help(parts, true, &out);
	cr_assert(strstr(text, ".TP\n.B store.count\n(number, 1 to 100; default 5) How many.\n"));
}

Test(schema, refuses_what_has_no_place)
{
	static const struct {
		const char *path, *value, *text;
	} t[] = {{"on", "yes", "true or false"}, {"ratio", "x", "a number"},
		{"ratio", "1.5", "out of range"}, {"ratio", "-1", "out of range"},
		{"nothing", "1", "no such setting"}, {"nothing[0]", "1", "no such setting"},
		{"links[x].name", "1", "no such setting"}, {"links[0", "1", "no such setting"},
		{"links", "1", "a list is set by its elements"},
		{"a.very.long.path.that.is.longer.than.any.setting.can.be.and.therefore.is.none."
		 "of.them.at.all.by.any.means.whatever.anybody.says[0]",
			"1", "no such setting"}};
	char *many[1100];
	struct cfg c = defaults();
	struct schema_error e;

	for (size_t k = 0; k < sizeof t / sizeof *t; k++) {
		cr_assert_eq(schema_set(parts, &c, t[k].path, t[k].value, &e), -E_CONFIG);
		cr_assert(strstr(e.text, t[k].text), "%zu: %s", k, e.text);
	}
	for (size_t k = 0; k < 1099; k++)
		many[k] = (char *)"OWLT_STORE__COUNT=5";
	many[1099] = NULL;
	cr_assert_eq(schema_env(parts, &c, many, (const char *[]){NULL}, &e), -E_CONFIG);
	cr_assert_eq(schema_json(parts, &c, view_text("{\"links\":[3]}"), &e), -E_CONFIG);
	cr_assert(strstr(e.text, "an object is required"));
	cr_assert_eq(schema_json(parts, &c, view_text("{\"wait\":[]}"), &e), -E_CONFIG);
	cr_assert(strstr(e.text, "a number is required"));
	cr_assert_eq(
		schema_json(parts, &c, view_text("{\"store\":{\"size\":200000000000000}}"), &e), 0);
	cr_assert_eq(c.size, 200000000000000);
}
