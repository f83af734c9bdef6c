/*
 * story: see story.h. The table of labels grows with the number of bundles; scenarios are small.
 * Start reading at story_record.
 */
#include "dtn/sim/story.h"

#include "bundle/events.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct label {
	unsigned node;
	uint64_t id, number;
	uint64_t ident[4];
};

struct story {
	const struct topo *topo;
	dtntime dtn_at_zero;
	int width; /* of node names */
	bool shown[EV_LAST], chosen;
	struct label *label;
	size_t n_labels;
	uint64_t n_numbers;
};

/* Not told unless asked for: bookkeeping that every bundle and commit repeats. */
static const char *const quiet[] = {
	"bundle_shape", "bundle_class", "commit_*", "reserved", "eid_name", "link_totals"};

static int select_events(struct story *st, struct view pattern, bool on);
static void label_seen(struct story *st, const struct sim_record *r);
static void print_head(struct story *st, mono at, unsigned node, const char *what, struct buf *out);
static void print_field(struct story *st, const struct sim *s, const struct sim_record *r,
	unsigned i, struct buf *out);

int story_new(const struct topo *t, dtntime dtn_at_zero, struct story **out)
{
	struct story *st = calloc(1, sizeof *st);

	if (!st)
		return -ENOMEM;
	st->topo = t;
	st->dtn_at_zero = dtn_at_zero;
	for (size_t i = 0; i < t->n_nodes; i++)
		if ((int)strlen(t->node[i].name) > st->width)
			st->width = (int)strlen(t->node[i].name);
	memset(st->shown, true, sizeof st->shown);
	for (size_t i = 0; i < sizeof quiet / sizeof quiet[0]; i++)
		if (select_events(st, view_text(quiet[i]), false) != 0)
			abort(); /* a row of trace.def lost its name */
	*out = st;
	return 0;
}

void story_free(struct story *st)
{
	if (!st)
		return;
	free(st->label);
	free(st);
}

int story_show(struct story *st, struct view pattern)
{
	if (!st->chosen)
		memset(st->shown, false, sizeof st->shown);
	st->chosen = true;
	return select_events(st, pattern, true);
}

int story_hide(struct story *st, struct view pattern)
{
	return select_events(st, pattern, false);
}

void story_record(
	struct story *st, const struct sim *s, const struct sim_record *r, struct buf *out)
{
	const struct event_row *row = event_row((unsigned)r->rec.ev);

	if (r->rec.ev == EV_bundle_seen)
		label_seen(st, r);
	if (!row || !st->shown[r->rec.ev])
		return;
	print_head(st, r->rec.at, r->node, row->name, out);
	for (unsigned i = 0; i < TRACE_ARGS && row->field[i].kind != EVENT_NONE; i++)
		print_field(st, s, r, i, out);
	buf_u8(out, '\n');
}

void story_note(struct story *st, mono at, unsigned node, const char *text, struct buf *out)
{
	print_head(st, at, node, text, out);
	buf_u8(out, '\n');
}

static int select_events(struct story *st, struct view pattern, bool on)
{
	bool glob = pattern.n > 0 && pattern.p[pattern.n - 1] == '*';
	size_t n = glob ? pattern.n - 1 : pattern.n;
	int err = -E_UNKNOWN;

	for (unsigned ev = 0; ev < EV_LAST; ev++) {
		struct view name = view_text(event_row(ev)->name);

		if (name.n < n || (!glob && name.n > n) || memcmp(name.p, pattern.p, n) != 0)
			continue;
		st->shown[ev] = on;
		err = 0;
	}
	return err;
}

static void label_seen(struct story *st, const struct sim_record *r)
{
	struct label *more = reallocarray(st->label, st->n_labels + 1, sizeof *more);
	struct label *l;

	if (!more)
		abort(); /* see due_set */
	st->label = more;
	l = &more[st->n_labels];
	*l = (struct label){.node = r->node, .id = r->rec.a[0]};
	memcpy(l->ident, &r->rec.a[1], sizeof l->ident);
	for (size_t i = 0; i < st->n_labels && !l->number; i++)
		if (memcmp(more[i].ident, l->ident, sizeof l->ident) == 0)
			l->number = more[i].number;
	if (!l->number)
		l->number = ++st->n_numbers;
	st->n_labels++;
}

static uint64_t label_find(const struct story *st, unsigned node, uint64_t id)
{
	for (size_t i = st->n_labels; i-- > 0;)
		if (st->label[i].node == node && st->label[i].id == id)
			return st->label[i].number;
	return 0;
}

__attribute__((format(printf, 2, 3))) static void put(struct buf *out, const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	buf_text(out, line);
}

static void print_head(struct story *st, mono at, unsigned node, const char *what, struct buf *out)
{
	put(out, "[%8" PRId64 ".%03" PRId64 "] %-*s  %s", at / US_PER_S, at % US_PER_S / US_PER_MS,
		st->width, st->topo->node[node].name, what);
}

static void print_node(struct story *st, const char *name, node_id node, struct buf *out)
{
	char text[EID_TEXT_MAX];

	for (size_t i = 0; i < st->topo->n_nodes; i++) {
		if (st->topo->node[i].id == node) {
			put(out, " %s=%s", name, st->topo->node[i].name);
			return;
		}
	}
	names_print(&st->topo->names, node, text, sizeof text);
	put(out, " %s=%s", name, node == NODE_NONE ? "none" : text);
}

/* A time or duration in seconds; the unit in the field's name goes. */
static void print_us(const char *name, int64_t us, struct buf *out)
{
	size_t n = strlen(name);

	n -= n > 3 && name[n - 1] == 's' && name[n - 3] == '_' ? 3 : 0;
	put(out, " %.*s=", (int)n, name);
	if (us == MONO_NEVER)
		put(out, "never");
	else
		put(out, "%" PRId64 ".%03" PRId64, us / US_PER_S, us % US_PER_S / US_PER_MS);
}

static void print_field(struct story *st, const struct sim *s, const struct sim_record *r,
	unsigned i, struct buf *out)
{
	const struct event_row *row = event_row((unsigned)r->rec.ev);
	const char *name = row->field[i].name;
	uint64_t v = r->rec.a[i];

	switch (row->field[i].kind) {
	case EVENT_ID:
		if (strcmp(name, "id") == 0)
			put(out, " #%" PRIu64, label_find(st, r->node, v));
		else
			put(out, " %s=#%" PRIu64, name, label_find(st, r->node, v));
		break;
	case EVENT_NODE:
		print_node(st, name, v, out);
		break;
	case EVENT_DTN:
		print_us(name, ((int64_t)v - (int64_t)st->dtn_at_zero) * US_PER_MS, out);
		break;
	case EVENT_US:
		print_us(name, (int64_t)v, out);
		break;
	case EVENT_B:
		put(out, " %s=%s", name, v ? "yes" : "no");
		break;
	case EVENT_LINK:
		put(out, " %s=%s", name, sim_link_name(s, r->node, (unsigned)v));
		break;
	case EVENT_NAME:
		put(out, " %s=%s", name, event_word(name, v));
		break;
	case EVENT_U:
	case EVENT_TEXT:
	case EVENT_NONE:
		put(out, " %s=%" PRIu64, name, v);
		break;
	}
}
