/* Event lines: fields, numbers of 64 bits, and everything that is refused. */
#include "dtn/dataset/line.h"

#include <criterion/criterion.h>

static const char good[] =
	"{\"t_us\":-12,\"node\":\"ipn:1.0\",\"ev\":\"bundle_seen\",\"id\":\"18446744073709551615\","
	"\"custody\":true,\"next_node\":null,\"x\":1.5}";

Test(line, fields)
{
	struct line l;
	uint64_t u;
	int64_t i;

	cr_assert_eq(line_scan(view_text(good), &l), 0);
	cr_assert_eq(l.n, 7);
	cr_assert(line_is(&l, "ev", "bundle_seen"));
	cr_assert(line_u64(&l, "id", &u));
	cr_assert_eq(u, UINT64_MAX);
	cr_assert(line_i64(&l, "t_us", &i));
	cr_assert_eq(i, -12);
	cr_assert(!line_u64(&l, "t_us", &u));
	cr_assert(!line_u64(&l, "next_node", &u));
	cr_assert(!line_u64(&l, "x", &u));
	cr_assert(!line_i64(&l, "id", &i));
	cr_assert(line_flag(&l, "custody"));
	cr_assert(!line_flag(&l, "absent"));
}

Test(line, every_prefix_is_refused)
{
	struct line l;

	for (size_t n = 0; n + 1 < sizeof good - 1; n++)
		cr_assert_lt(line_scan(view_of(good, n), &l), 0, "%zu", n);
}

Test(line, refused)
{
	static const char *const bad[] = {"", "{", "[]", "{\"a\":{}}", "{\"a\":[1]}", "{\"a\" 1}",
		"{\"a\":}", "{a:1}", "{\"a\":1}x", "{\"a\":\"\n\"}", "{\"a\":\"\\",
		"{\"a\":1 \"b\":2}", "{\"a\":word}", "{\"a\":truely}", "{\"a\":1e5}"};
	struct line l;

	for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
		cr_assert_lt(line_scan(view_text(bad[k]), &l), 0, "%s", bad[k]);
	cr_assert_eq(line_scan(view_text(" { } "), &l), 0);
	cr_assert_eq(line_scan(view_text("{\"a\":\"\\\"\"}\n"), &l), 0);
}

Test(line, too_many_fields)
{
	char text[1024] = "{\"a\":1";
	struct line l;

	for (unsigned k = 0; k < LINE_FIELDS_MAX; k++)
		strcat(text, ",\"a\":1");
	strcat(text, "}");
	cr_assert_eq(line_scan(view_text(text), &l), -E_LIMIT);
}
