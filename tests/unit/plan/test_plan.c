#include "dtn/plan/build.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static int parse(const char *text, struct plan **p, struct plan_note *note, size_t *n)
{
	struct plan_notes notes = {note, 0, 4};
	int err = plan_read(view_text(text), PLAN_AUTO, p, &notes);

	*n = notes.n;
	return err;
}

static struct plan *must(const char *text)
{
	struct plan_note note[4];
	struct plan *p;
	size_t n;

	cr_assert_eq(parse(text, &p, note, &n), 0, "%s", n ? note[0].text : "");
	return p;
}

Test(plan, own_json)
{
	struct plan *p = must(
		"{\"reference\":\"2026-01-01T00:00:00Z\",\"contacts\":["
		"{\"from\":1,\"to\":\"ipn:2.0\",\"start\":10,\"end\":\"1m\",\"rate\":\"1M\","
		"\"owlt\":[[10,\"5s\"],[30,7]],\"bidirectional\":true},\n"
		"{\"from\":1,\"to\":2,\"start\":\"2026-01-01T00:01:00Z\",\"rate\":800,\"owlt\":0.5,"
		"\"confidence\":0.5}]}");

	cr_assert_eq(p->n_contacts, 3);
	cr_expect_eq(p->contact[1].from, 2);
	cr_expect_eq(p->contact[0].rate_bps, 1000000);
	cr_expect_eq(p->contact[2].start, 60 * US_PER_S);
	cr_expect_eq(p->contact[2].end, MONO_NEVER);
	cr_expect_eq(contact_owlt_us(p, &p->contact[0], 0), 5 * US_PER_S);
	cr_expect_eq(contact_owlt_us(p, &p->contact[0], 20 * US_PER_S), 6 * US_PER_S);
	cr_expect_eq(contact_owlt_us(p, &p->contact[0], 90 * US_PER_S), 7 * US_PER_S);
	cr_expect_eq(contact_owlt_max_us(p, &p->contact[0]), 7 * US_PER_S);
	cr_expect_null(plan_contact_at(p, 1, 2, 9 * US_PER_S));
	cr_expect_eq(plan_contact_at(p, 1, 2, 10 * US_PER_S), &p->contact[0]);
	cr_expect_eq(plan_contact_at(p, 1, 2, 60 * US_PER_S), &p->contact[2]);
	cr_expect_eq(plan_contact_next(p, 1, 2, 10 * US_PER_S), &p->contact[2]);
	cr_expect_null(plan_contact_next(p, 1, 2, 60 * US_PER_S));
	cr_expect_null(plan_contact_next(p, 2, 1, 10 * US_PER_S));
	/* node 2: sends 10-60, hears from 1 at 15 and 67, and from 60.5 on */
	mono at = 0;
	static const double edges[] = {10, 15, 60, 60.5, 67};
	for (size_t i = 0; i < 5; i++) {
		at = plan_next_edge(p, 2, at);
		cr_expect_eq(at, (mono)(edges[i] * 1e6), "edge %zu: %ld", i, (long)at);
	}
	cr_expect_eq(plan_next_edge(p, 2, at), MONO_NEVER);
	cr_expect_eq(plan_next_edge(p, 9, 0), MONO_NEVER);
	plan_free(p);
}

Test(plan, ionrc)
{
	struct plan *p = must(
		"# comment\n@ 2026/01/01-00:00:00\nm horizon +0\na contact +0 +60 1 2 1000\n"
		"a contact 2026/01/01-00:00:10 +70 2 1 1000 0.5\n"
		"a range +0 +30 1 2 5\na range +30 +100 1 2 7\r\n"
		"a contact +100 +110 3 2 1\na range +100 +110 3 2 1\na contact +100 +110 2 3 1\n"
		"a contact +200 +210 3 2 1\nd contact +200 3 2\n");

	cr_assert_eq(p->n_contacts, 4);
	cr_expect_eq(p->contact[0].rate_bps, 8000);
	cr_expect_eq(p->contact[0].n_owlt, 3);
	cr_expect_eq(contact_owlt_us(p, &p->contact[0], 29 * US_PER_S), 5 * US_PER_S);
	cr_expect_eq(contact_owlt_us(p, &p->contact[0], 30 * US_PER_S), 7 * US_PER_S);
	cr_expect_eq(p->contact[1].start, 10 * US_PER_S);
	cr_expect_eq(contact_owlt_us(p, &p->contact[1], 60 * US_PER_S), 7 * US_PER_S,
		"the other way too");
	cr_expect_eq(contact_owlt_us(p, &p->contact[2], 0), US_PER_S);
	cr_expect_eq(contact_owlt_us(p, &p->contact[3], 0), 0, "3 to 2 says nothing of 2 to 3");
	plan_free(p);
}

Test(plan, hdtn)
{
	struct plan *p = must(
		"{\"contacts\":[{\"contact\":0,\"source\":1,\"dest\":2,\"startTime\":0,\"endTime\":"
		"60,"
		"\"rateBitsPerSec\":1000000,\"owlt\":1},{\"contact\":1,\"source\":2,\"dest\":1,"
		"\"endTime\":60,\"rate\":2}]}");

	cr_assert_eq(p->n_contacts, 2);
	cr_expect_eq(p->contact[0].rate_bps, 1000000);
	cr_expect_eq(contact_owlt_us(p, &p->contact[0], 0), US_PER_S);
	cr_expect_eq(p->contact[1].rate_bps, 2000000);
	plan_free(p);
}

#define C(x) "{\"contacts\":[\n" x "]}"
#define OK1 "{\"from\":1,\"to\":2,\"start\":0,\"end\":9,\"rate\":1,\"owlt\":1}"

Test(plan, refusals)
{
	static const struct {
		const char *text;
		int err;
		unsigned line;
	} rows[] = {
		{"{", -E_SYNTAX, 1},
		{"{}", -E_TYPE, 0},
		{"[]", -E_TYPE, 0},
		{"{\"contacts\":[],\"x\":1}", -E_UNKNOWN, 0},
		{"{\"reference\":\"yesterday\",\"contacts\":[]}", -E_SYNTAX, 0},
		{C("{\"from\":1}"), -E_TYPE, 2},
		{C("7"), -E_TYPE, 2},
		{C(OK1 ",\n{\"from\":1,\"to\":2,\"start\":5,\"end\":9,\"rate\":1,\"owlt\":1}"),
			-E_DUPLICATE, 3},
		{C("{\"from\":1,\"to\":2,\"start\":0,\"end\":9,\"rate\":1,\"owlt\":1,\"x\":1}"),
			-E_UNKNOWN, 2},
		{C("{\"from\":1,\"to\":1,\"start\":0,\"end\":9,\"rate\":1,\"owlt\":1}"), -E_RANGE,
			2},
		{C("{\"from\":1,\"to\":2,\"start\":9,\"end\":9,\"rate\":1,\"owlt\":1}"), -E_RANGE,
			2},
		{C("{\"from\":1,\"to\":2,\"start\":0,\"end\":9,\"rate\":0,\"owlt\":1}"), -E_RANGE,
			2},
		{C("{\"from\":1,\"to\":2,\"start\":0,\"end\":9,\"rate\":1,\"owlt\":-1}"), -E_TYPE,
			2},
		{C("{\"from\":1,\"to\":2,\"start\":0,\"end\":1e300,\"rate\":1,\"owlt\":1}"),
			-E_TYPE, 2},
		{C("{\"from\":1,\"to\":2,\"start\":0,\"end\":9,\"rate\":1,\"owlt\":[[1,9],[1,9]]}"),
			-E_RANGE, 2},
		{C("{\"from\":1,\"to\":2,\"start\":0,\"end\":9,\"rate\":1,\"owlt\":1,"
		   "\"confidence\":2}"),
			-E_TYPE, 2},
		{"a contact +0 +60 1 2\n", -E_SYNTAX, 1},
		{"\na contact +0 +60 1 2 0\n", -E_RANGE, 2},
		{"a contact +0 +60 1 2 9\na contact +59 +70 1 2 9", -E_DUPLICATE, 2},
		{"a range +0 +60 1 2 9\na range +59 +70 1 2 9", -E_DUPLICATE, 2},
		{"a contact +60 +0 1 2 9", -E_RANGE, 1},
		{"a contact 0 +60 x 2 9", -E_SYNTAX, 1},
		{"frobnicate", -E_SYNTAX, 1},
		{"a contact +0 2026/13/01-00:00:00 1 2 9", -E_SYNTAX, 1},
	};
	struct plan_note note[4];
	struct plan *p;
	size_t n;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int err = parse(rows[i].text, &p, note, &n);
		cr_expect_eq(err, rows[i].err, "%zu: %s: %d (%s)", i, rows[i].text, err,
			n ? note[0].text : "");
		cr_expect(n > 0 && note[n > 4 ? 3 : n - 1].is_error, "%zu", i);
		if (n)
			cr_expect_eq(note[n > 4 ? 3 : n - 1].line, rows[i].line, "%zu: line %u", i,
				note[n - 1].line);
		if (!err)
			plan_free(p);
	}
}

static const char sample[] =
	"{\"reference\":\"2026-01-01T00:00:00.250Z\",\"contacts\":[{\"from\":\"ipn:1.0\",\"to\":"
	"\"ipn:2.0\",\"start\":10,\"end\":60.5,\"rate\":1000000,\"owlt\":[[10,5],[30,7]],"
	"\"confidence\":0.5},{\"from\":\"ipn:2.0\",\"to\":\"ipn:1.0\",\"start\":0,\"rate\":800,"
	"\"owlt\":0.02}]}";

Test(plan, written_json_reads_back_the_same)
{
	struct plan *p = must(sample);
	char text[1000];
	struct buf b = buf_of(text, sizeof text);
	struct json_writer w = {.out = &b};

	plan_write_json(p, NULL, &w);
	cr_expect(view_equal(buf_view(&b), view_text(sample)), "%.*s", (int)b.len, text);
	plan_free(p);
}

Test(plan, written_ionrc_reads_back)
{
	struct plan *p = must(sample), *q;
	char text[1000];
	struct buf b = buf_of(text, sizeof text);

	plan_write_ionrc(p, &b);
	text[b.len] = 0;
	q = must(text);
	cr_assert_eq(q->n_contacts, 2);
	cr_expect_eq(q->reference_ms, p->reference_ms / 1000 * 1000);
	cr_expect_eq(q->contact[0].rate_bps, 1000000);
	cr_expect_eq(contact_owlt_us(q, &q->contact[0], 31 * US_PER_S), 7 * US_PER_S);
	cr_expect_eq(contact_owlt_us(q, &q->contact[1], 31 * US_PER_S), 20000);
	plan_free(p);
	plan_free(q);
}

Test(plan, every_truncated_prefix_is_handled)
{
	static const char ion[] =
		"@ 2026/01/01-00:00:00\na contact +0 +60 1 2 1000 1\na range +0 +60 1 2 5\n";
	const char *texts[] = {sample, ion};
	struct plan_note note[2];

	for (size_t t = 0; t < 2; t++) {
		for (size_t n = 0; n < strlen(texts[t]); n++) {
			char *copy = malloc(
				n +
				1); /* exact size, so that the sanitizer sees every step too far */
			struct plan_notes notes = {note, 0, 2};
			struct plan *p = NULL;
			memcpy(copy, texts[t], n);
			if (plan_read(view_of(copy, n), PLAN_AUTO, &p, &notes) == 0)
				plan_free(p);
			else
				cr_expect(notes.n > 0);
			free(copy);
		}
	}
}

Test(plan, times)
{
	static const struct {
		const char *text;
		dtntime ref;
		int err;
		mono at;
	} rows[] = {{"0", 0, 0, 0}, {"+60", 0, 0, 60000000}, {"-1.5", 0, 0, -1500000},
		{"5m", 0, 0, 300000000}, {"2026-01-01T00:00:01Z", 0, -E_UNKNOWN, 1},
		{"2000-01-01T00:00:01Z", 500, 0, 500000},
		{"2000-02-30T00:00:01Z", 500, -E_SYNTAX, 0},
		{"2000-01-01T00:00:01.5+00:00", 500, 0, 1000000},
		{"2000-01-01T00:00:01+01:00", 500, -E_SYNTAX, 0}, {"x", 0, -E_SYNTAX, 0},
		{"", 0, -E_SYNTAX, 0}, {"2000-01-01T00:00:", 5, -E_SYNTAX, 0}};
	char text[32];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		mono at = 0;
		cr_expect_eq(plan_parse_time(rows[i].text, rows[i].ref, &at), rows[i].err, "%s",
			rows[i].text);
		if (!rows[i].err)
			cr_expect_eq(at, rows[i].at, "%s", rows[i].text);
	}
	plan_print_utc(500, text, sizeof text);
	cr_expect_str_eq(text, "2000-01-01T00:00:00.500Z");
	cr_expect_eq(plan_utc(2026, 1, 1, 0), UINT64_C(820540800000));
}
