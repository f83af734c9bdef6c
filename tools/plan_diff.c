/*
 * owlt plan diff: what differs between two plans. A contact is the same when its pair and its start are: then
 * the rest of it is compared. Contacts of a pair never overlap, so a pair and a start name one. Where both
 * plans have a reference, the times of the second are told after the first one's. Start at plan_diff.
 */
#include "bundle/base/units.h"
#include "tools/plan_text.h"

#include <stdio.h>

struct settings {
	bool json;
	const char *format;
};

struct diff {
	struct out o;
	const struct plan *a, *b;
	mono shift; /* from b's times to a's */
	uint64_t n_removed, n_added, n_changed;
};

enum list { REMOVED, ADDED, CHANGED };

static void walk(struct diff *d, enum list list);

int plan_diff(int argc, char **argv)
{
	static const struct opt opts[] = {
		PLAN_OPT_FORMAT(struct settings), PLAN_OPT_JSON(struct settings), {0}};
	static const struct opt_command cmd = {"plan diff", "PLAN PLAN",
		"What differs between two plans", opts,
		"-, + and ~ mark contacts that only the first has, only the second has, or that "
		"changed. "
		"Exit: 0 the\n"
		"same, 1 different, 2 usage."};
	struct settings set = {0};
	struct opt_rest rest = opt_read(&cmd, argc, argv, &set, 2, 2);
	struct plan_file a, b;
	struct diff d = {0};
	uint64_t n;

	if (rest.done)
		return rest.code;
	if (plan_file_open(&a, rest.argv[0], set.format))
		return EXIT_USAGE;
	if (plan_file_open(&b, rest.argv[1], set.format)) {
		plan_file_free(&a);
		return EXIT_USAGE;
	}
	d.a = a.plan;
	d.b = b.plan;
	if (d.a->reference_ms && d.b->reference_ms)
		d.shift = ((int64_t)d.b->reference_ms - (int64_t)d.a->reference_ms) * US_PER_MS;
	out_begin(&d.o, set.json);
	if (set.json)
		jw_object(&d.o.w, NULL);
	walk(&d, REMOVED);
	walk(&d, ADDED);
	walk(&d, CHANGED);
	n = d.n_removed + d.n_added + d.n_changed;
	if (set.json)
		jw_object_end(&d.o.w);
	else if (n == 0)
		out_text(&d.o, "the same: %zu contacts\n", d.a->n_contacts);
	else
		out_text(&d.o, "%llu removed, %llu added, %llu changed\n",
			(unsigned long long)d.n_removed, (unsigned long long)d.n_added,
			(unsigned long long)d.n_changed);
	plan_file_free(&a);
	plan_file_free(&b);
	return out_end(&d.o) ? EXIT_USAGE : n ? EXIT_NO : EXIT_YES;
}

/* By pair and start, as by_pair is sorted. */
static int compare(const struct diff *d, const struct contact *a, const struct contact *b)
{
	mono start = b->start + d->shift;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	if (a->to != b->to)
		return a->to < b->to ? -1 : 1;
	return a->start < start ? -1 : a->start > start;
}

static mono shifted(const struct diff *d, mono t)
{
	return t == MONO_NEVER ? t : t + d->shift;
}

static bool same_light(const struct diff *d, const struct contact *a, const struct contact *b)
{
	const struct owlt_point *x = d->a->owlt + a->owlt_first, *y = d->b->owlt + b->owlt_first;

	for (uint32_t i = 0; a->n_owlt == b->n_owlt && i < a->n_owlt; i++)
		if (x[i].owlt_us != y[i].owlt_us ||
			(a->n_owlt > 1 && x[i].at != y[i].at + d->shift))
			return false;
	return a->n_owlt == b->n_owlt;
}

static bool is_same(const struct diff *d, const struct contact *a, const struct contact *b)
{
	return a->end == shifted(d, b->end) && a->rate_bps == b->rate_bps &&
	       a->confidence >= b->confidence && a->confidence <= b->confidence &&
	       same_light(d, a, b);
}

static void put_values(struct diff *d, const struct plan *p, const struct contact *c, mono end)
{
	plan_put_time(&d->o, "end", end);
	jw_u64(&d->o.w, "rate_bps", c->rate_bps);
	jw_i64(&d->o.w, "owlt_max_us", contact_owlt_max_us(p, c));
	jw_double(&d->o.w, "confidence", c->confidence);
}

/* "0 to 60 s, 1000000 bit/s, light time 5s" */
static void text_values(
	struct diff *d, const struct plan *p, const struct contact *c, mono start, mono end)
{
	char from[32], to[32], light[32];

	units_print_duration(contact_owlt_max_us(p, c), light, sizeof light);
	out_text(&d->o, "%s to %s%s, %llu bit/s, light time %s%s",
		plan_time_text(start, from, sizeof from), plan_time_text(end, to, sizeof to),
		end == MONO_NEVER ? "" : " s", (unsigned long long)c->rate_bps,
		c->n_owlt > 1 ? "up to " : "", light);
	if (c->confidence < 1)
		out_text(&d->o, ", confidence %g", c->confidence);
}

static void put_pair(struct diff *d, const struct plan *p, const struct contact *c, mono start)
{
	jw_object(&d->o.w, NULL);
	jw_u64(&d->o.w, "index", c->index);
	plan_put_node(&d->o, "from", p, c->from);
	plan_put_node(&d->o, "to", p, c->to);
	plan_put_time(&d->o, "start", start);
}

static void one(struct diff *d, enum list list, const struct plan *p, const struct contact *c)
{
	mono shift = list == ADDED ? d->shift : 0;
	mono end = c->end == MONO_NEVER ? c->end : c->end + shift;
	char from[EID_TEXT_MAX], to[EID_TEXT_MAX];

	++*(list == ADDED ? &d->n_added : &d->n_removed);
	if (d->o.json) {
		put_pair(d, p, c, c->start + shift);
		put_values(d, p, c, end);
		jw_object_end(&d->o.w);
		return;
	}
	names_print(&p->names, c->from, from, sizeof from);
	names_print(&p->names, c->to, to, sizeof to);
	out_text(&d->o, "%c contact %-5u %s > %s  ", list == ADDED ? '+' : '-', c->index, from, to);
	text_values(d, p, c, c->start + shift, end);
	out_text(&d->o, "\n");
}

static void both(struct diff *d, const struct contact *a, const struct contact *b)
{
	char from[EID_TEXT_MAX], to[EID_TEXT_MAX];

	d->n_changed++;
	if (d->o.json) {
		put_pair(d, d->a, a, a->start);
		jw_object(&d->o.w, "was");
		put_values(d, d->a, a, a->end);
		jw_object_end(&d->o.w);
		jw_object(&d->o.w, "is");
		put_values(d, d->b, b, shifted(d, b->end));
		jw_object_end(&d->o.w);
		jw_object_end(&d->o.w);
		return;
	}
	names_print(&d->a->names, a->from, from, sizeof from);
	names_print(&d->a->names, a->to, to, sizeof to);
	out_text(&d->o, "~ contact %-5u %s > %s  ", a->index, from, to);
	text_values(d, d->a, a, a->start, a->end);
	out_text(&d->o, "\n%*snow ", (int)(strlen(from) + strlen(to) + 17), "");
	text_values(d, d->b, b, a->start, shifted(d, b->end));
	out_text(&d->o, "\n");
}

/* Both plans at once, in the order of pairs and starts; one list of the three. */
static void walk(struct diff *d, enum list list)
{
	static const char *const names[] = {"removed", "added", "changed"};
	size_t i = 0, k = 0;

	if (d->o.json)
		jw_array(&d->o.w, names[list]);
	while (i < d->a->n_contacts || k < d->b->n_contacts) {
		const struct contact *a = i < d->a->n_contacts ? d->a->by_pair[i] : NULL,
				     *b = k < d->b->n_contacts ? d->b->by_pair[k] : NULL;
		int order = !a ? 1 : !b ? -1 : compare(d, a, b);

		if (order < 0 && list == REMOVED)
			one(d, REMOVED, d->a, a);
		if (order > 0 && list == ADDED)
			one(d, ADDED, d->b, b);
		if (order == 0 && list == CHANGED && !is_same(d, a, b))
			both(d, a, b);
		i += order <= 0;
		k += order >= 0;
	}
	if (d->o.json)
		jw_array_end(&d->o.w);
}
