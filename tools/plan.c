/*
 * owlt plan: check, show and convert contact plans, and ask for routes in them. Plans are read by
 * plan_file.c; a topology file stands for the plan in it. Start at the table; each subcommand is one
 * function cmd_..., its options in the table above it.
 */
#include "bundle/base/units.h"
#include "tools/commands.h"
#include "tools/opt.h"
#include "tools/out.h"
#include "tools/plan_text.h"

#include <stdio.h>
#include <stdlib.h>

#define TIMELINE_COLUMNS 60
#define TIMELINE_ROWS 100

struct settings {
	bool json;
	const char *format, *to_format, *output;
};

static int cmd_check(int argc, char **argv);
static int cmd_show(int argc, char **argv);
static int cmd_convert(int argc, char **argv);

int cmd_plan(int argc, char **argv)
{
	static const struct subcommand table[] = {{"check", cmd_check, "is the plan valid"},
		{"show", cmd_show, "contacts as a table and a timeline"},
		{"diff", plan_diff, "what differs between two plans"},
		{"routes", plan_routes, "the best routes from a node to another"},
		{"convert", cmd_convert, "write the plan in another format"}, {0}};

	return opt_dispatch("owlt plan", table, argc, argv);
}

/* -- check */

static void check_json(struct out *o, const struct plan_file *f, bool valid)
{
	size_t kept = f->notes.n < f->notes.cap ? f->notes.n : f->notes.cap;

	jw_object(&o->w, NULL);
	jw_bool(&o->w, "valid", valid);
	out_string(o, "format", f->format == PLAN_AUTO ? "topology" : plan_format_name(f->format));
	jw_u64(&o->w, "n_contacts", valid ? f->plan->n_contacts : 0);
	jw_u64(&o->w, "n_nodes", valid ? f->plan->n_nodes : 0);
	jw_array(&o->w, "notes");
	for (size_t i = 0; i < kept; i++) {
		jw_object(&o->w, NULL);
		jw_u64(&o->w, "line", f->note[i].line);
		jw_bool(&o->w, "is_error", f->note[i].is_error);
		out_string(o, "text", f->note[i].text);
		jw_object_end(&o->w);
	}
	jw_array_end(&o->w);
	jw_object_end(&o->w);
}

static int cmd_check(int argc, char **argv)
{
	static const struct opt opts[] = {
		PLAN_OPT_FORMAT(struct settings), PLAN_OPT_JSON(struct settings), {0}};
	static const struct opt_command cmd = {"plan check", "PLAN",
		"Checks a contact plan, or the plan of a topology", opts,
		"PLAN - is standard input. Exit: 0 valid, 1 not, 2 not readable."};
	struct settings set = {0};
	struct opt_rest rest = opt_read(&cmd, argc, argv, &set, 1, 1);
	struct plan_file f;
	struct out o;
	int err;

	if (rest.done)
		return rest.code;
	err = plan_file_read(&f, rest.argv[0], set.format);
	if (err && f.notes.n == 0) /* told already: no file */
		return EXIT_USAGE;
	plan_file_print_notes(&f);
	out_begin(&o, set.json);
	if (set.json)
		check_json(&o, &f, err == 0);
	else if (err)
		out_text(&o, "invalid: %zu notes\n", f.notes.n);
	else
		out_text(&o, "valid: %zu contacts, %zu nodes\n", f.plan->n_contacts,
			f.plan->n_nodes);
	plan_file_free(&f);
	return out_end(&o) ? EXIT_USAGE : err ? EXIT_NO : EXIT_YES;
}

/* -- show */

static void show_table(struct out *o, const struct plan *p)
{
	char from[EID_TEXT_MAX], to[EID_TEXT_MAX], start[32], end[32], rate[32], owlt[32];

	out_text(o, "%6s  %-14s %-14s %12s %12s %12s  %s\n", "index", "from", "to", "start s",
		"end s", "bit/s", "light time");
	for (size_t i = 0; i < p->n_contacts; i++) {
		const struct contact *c = &p->contact[i];
		names_print(&p->names, c->from, from, sizeof from);
		names_print(&p->names, c->to, to, sizeof to);
		snprintf(rate, sizeof rate, "%llu", (unsigned long long)c->rate_bps);
		units_print_duration(contact_owlt_max_us(p, c), owlt, sizeof owlt);
		out_text(o, "%6u  %-14s %-14s %12s %12s %12s  %s%s\n", c->index, from, to,
			plan_time_text(c->start, start, sizeof start),
			plan_time_text(c->end, end, sizeof end), rate,
			c->n_owlt > 1 ? "up to " : "", owlt);
	}
}

/* One row a pair: '#' where it is open for the whole column, '+' for part of it. */
static void timeline_row(
	const struct plan *p, size_t first, size_t end, const mono span[2], char *row)
{
	memset(row, '.', TIMELINE_COLUMNS);
	row[TIMELINE_COLUMNS] = 0;
	for (size_t i = first; i < end; i++) {
		const struct contact *c = p->by_pair[i];
		for (int k = 0; k < TIMELINE_COLUMNS; k++) {
			mono a = span[0] + muldiv_i64(span[1] - span[0], k, TIMELINE_COLUMNS);
			mono b = span[0] + muldiv_i64(span[1] - span[0], k + 1, TIMELINE_COLUMNS);
			if (c->start <= a && c->end >= b)
				row[k] = '#';
			else if (c->start < b && c->end > a && row[k] == '.')
				row[k] = '+';
		}
	}
}

/* From the reference, or the first start before it, to the last end; what never ends counts as open. */
static void time_span(const struct plan *p, mono span[2])
{
	span[0] = span[1] = 0;
	for (size_t i = 0; i < p->n_contacts; i++) {
		const struct contact *c = &p->contact[i];
		mono end = c->end == MONO_NEVER ? c->start + US_PER_S : c->end;
		span[0] = mono_min(span[0], c->start);
		span[1] = end > span[1] ? end : span[1];
	}
}

static void show_timeline(struct out *o, const struct plan *p)
{
	char row[TIMELINE_COLUMNS + 1], from[EID_TEXT_MAX], to[EID_TEXT_MAX], first[32], last[32];
	unsigned n_rows = 0;
	mono span[2];
	size_t i = 0;

	time_span(p, span);
	out_text(o, "\n%29s  %-*s%s s\n", "", TIMELINE_COLUMNS - 8,
		plan_time_text(span[0], first, sizeof first),
		plan_time_text(span[1], last, sizeof last));
	while (i < p->n_contacts && n_rows++ < TIMELINE_ROWS) {
		const struct contact *c = p->by_pair[i];
		size_t end = i;
		while (end < p->n_contacts && p->by_pair[end]->from == c->from &&
			p->by_pair[end]->to == c->to)
			end++;
		timeline_row(p, i, end, span, row);
		names_print(&p->names, c->from, from, sizeof from);
		names_print(&p->names, c->to, to, sizeof to);
		out_text(o, "%13s > %-13s  %s\n", from, to, row);
		i = end;
	}
	if (i < p->n_contacts)
		out_text(o, "more than %d pairs\n", TIMELINE_ROWS);
}

static void show_json(struct out *o, const struct plan *p)
{
	char text[32];

	jw_object(&o->w, NULL);
	plan_print_utc(p->reference_ms, text, sizeof text);
	if (p->reference_ms)
		out_string(o, "reference", text);
	else
		jw_null(&o->w, "reference");
	jw_array(&o->w, "contacts");
	for (size_t i = 0; i < p->n_contacts; i++) {
		const struct contact *c = &p->contact[i];
		jw_object(&o->w, NULL);
		jw_u64(&o->w, "index", c->index);
		plan_put_node(o, "from", p, c->from);
		plan_put_node(o, "to", p, c->to);
		plan_put_time(o, "start", c->start);
		plan_put_time(o, "end", c->end);
		jw_u64(&o->w, "rate_bps", c->rate_bps);
		jw_i64(&o->w, "owlt_max_us", contact_owlt_max_us(p, c));
		jw_double(&o->w, "confidence", c->confidence);
		jw_object_end(&o->w);
	}
	jw_array_end(&o->w);
	jw_object_end(&o->w);
}

static int cmd_show(int argc, char **argv)
{
	static const struct opt opts[] = {
		PLAN_OPT_FORMAT(struct settings), PLAN_OPT_JSON(struct settings), {0}};
	static const struct opt_command cmd = {"plan show", "PLAN",
		"Contacts as a table and a timeline", opts,
		"In the timeline '#' is open, '+' open for part of the column, '.' closed."};
	struct settings set = {0};
	struct opt_rest rest = opt_read(&cmd, argc, argv, &set, 1, 1);
	struct plan_file f;
	struct out o;

	if (rest.done)
		return rest.code;
	if (plan_file_open(&f, rest.argv[0], set.format))
		return EXIT_USAGE;
	out_begin(&o, set.json);
	if (set.json) {
		show_json(&o, f.plan);
	} else {
		show_table(&o, f.plan);
		show_timeline(&o, f.plan);
	}
	plan_file_free(&f);
	return out_end(&o);
}

/* -- convert */

/* Writes the plan twice: the first time only counts. */
static int convert(const struct plan *p, enum plan_format to, struct buf *b)
{
	for (int pass = 0; pass < 2; pass++) {
		struct json_writer w = {.out = b};
		if (pass) {
			*b = buf_of(malloc(b->len + 1), b->len + 1);
			if (!b->p)
				return -ENOMEM;
		}
		if (to == PLAN_IONRC) {
			plan_write_ionrc(p, b);
		} else {
			plan_write_json(p, NULL, &w);
			buf_u8(b, '\n');
		}
	}
	return buf_finish(b);
}

static int write_file(const char *name, const struct buf *b)
{
	FILE *f = name ? fopen(name, "wb") : stdout;
	bool ok = f && fwrite(b->p, 1, b->len, f) == b->len && fflush(f) == 0;

	if (f && name)
		ok = fclose(f) == 0 && ok;
	return ok ? 0
		  : out_fail("plan convert: %s: %s", name ? name : "standard output",
			    err_text(-errno));
}

static int cmd_convert(int argc, char **argv)
{
	static const struct opt opts[] = {{"to", 0, OPT_TEXT, offsetof(struct settings, to_format),
						  "FORMAT", "owlt (default) or ionrc", NULL},
		{"output", 'o', OPT_TEXT, offsetof(struct settings, output), "FILE",
			"instead of standard output", NULL},
		PLAN_OPT_FORMAT(struct settings), {0}};
	static const struct opt_command cmd = {"plan convert", "PLAN",
		"Writes a plan in another format", opts,
		"ionrc has bytes per second and steps of light time: what does not fit is "
		"rounded."};
	struct settings set = {.to_format = "owlt"};
	struct opt_rest rest = opt_read(&cmd, argc, argv, &set, 1, 1);
	enum plan_format to = plan_format_of(set.to_format);
	struct buf b = buf_of(NULL, 0);
	struct plan_file f;
	int code = 0;

	if (rest.done)
		return rest.code;
	if (to != PLAN_OWLT && to != PLAN_IONRC)
		return out_fail("plan convert: --to is owlt or ionrc, not '%s'", set.to_format);
	if (plan_file_open(&f, rest.argv[0], set.format))
		return EXIT_USAGE;
	for (size_t i = 0; i < f.plan->n_contacts && to == PLAN_IONRC && !code; i++)
		if ((f.plan->contact[i].from | f.plan->contact[i].to) & NODE_DTN_BIT)
			code = out_fail("plan convert: contact %zu: ionrc has node numbers only, "
					"no dtn names",
				i + 1);
	if (!code)
		code = convert(f.plan, to, &b) ? out_fail("plan convert: out of memory")
					       : write_file(set.output, &b);
	free(b.p);
	plan_file_free(&f);
	return code;
}
