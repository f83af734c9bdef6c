/*
 * events: tables made from trace.def and why.def, and the printing of a record as one flat JSON line.
 * The text is made by whoever drains the trace, never where an event happens. Field names are for
 * good; what a NAME field's number means is told by the field's name (event_word).
 * Start reading at events_print_json.
 */
#include "bundle/events.h"

#include "bundle/admin.h"
#include "bundle/base/json.h"
#include "bundle/bundle.h"

#include <assert.h>
#include <string.h>

static_assert(EV_LAST <= TRACE_EVENTS_MAX, "counters for every event");

static const struct event_row rows[] = {
#define EV(name, k0, f0, k1, f1, k2, f2, k3, f3, k4, f4)                                           \
	{#name, {{EVENT_##k0, #f0}, {EVENT_##k1, #f1}, {EVENT_##k2, #f2}, {EVENT_##k3, #f3},       \
			{EVENT_##k4, #f4}}},
#include "bundle/trace.def"
#undef EV
};

static const char *const whys[] = {
#define WHY(name, word) word,
#include "bundle/why.def"
#undef WHY
};

static void print_field(struct json_writer *w, const struct event_ctx *ctx, enum event_kind kind,
	const char *name, uint64_t v);

const struct event_row *event_row(unsigned ev)
{
	return ev < EV_LAST ? &rows[ev] : NULL;
}

const char *why_name(unsigned why)
{
	return why < WHY_LAST ? whys[why] : "other";
}

unsigned why_find(const char *word)
{
	for (unsigned i = 0; word && i < WHY_LAST; i++)
		if (strcmp(whys[i], word) == 0)
			return i;
	return WHY_OTHER;
}

uint64_t event_text(const char *s, size_t off)
{
	uint8_t t[8] = {0};
	size_t n = strlen(s);

	if (off < n)
		memcpy(t, s + off, n - off < 8 ? n - off : 8);
	return be64_get(t);
}

const char *event_word(const char *field, uint64_t value)
{
	static const char *const status[] = {"received", "forwarded", "delivered", "deleted",
		"custody-accepted", "custody-refused"};
	static const char *const counter[] = {"none", "creation", "custody", "registration", "iv",
		"contact", "reporting", "tunnel"};
	unsigned v = value > 0xffff ? 0xffff : (unsigned)value;

	if (strcmp(field, "reason") == 0)
		return reason_name(v);
	if (strcmp(field, "rule") == 0)
		return rule_name(v);
	if (strcmp(field, "status") == 0)
		return v < 6 ? status[v] : "other";
	if (strcmp(field, "name") == 0)
		return v < 8 ? counter[v] : "other";
	return why_name(v);
}

void events_print_json(struct buf *out, const struct trace_rec *rec, const struct event_ctx *ctx)
{
	struct json_writer w = {.out = out};
	const struct event_row *row = event_row((unsigned)rec->ev);

	assert(row);
	jw_object(&w, NULL);
	jw_i64(&w, "t_us", rec->at);
	if (ctx->dtn_at_zero)
		jw_i64(&w, "dtn_ms", (int64_t)ctx->dtn_at_zero + rec->at / US_PER_MS);
	if (ctx->real_ns)
		jw_i64(&w, "real_ns", ctx->real_ns);
	jw_text(&w, "node", view_text(ctx->node));
	jw_text(&w, "ev", view_text(row->name));
	for (unsigned i = 0; i < TRACE_ARGS && row->field[i].kind != EVENT_NONE; i++)
		print_field(&w, ctx, row->field[i].kind, row->field[i].name, rec->a[i]);
	jw_object_end(&w);
	buf_u8(out, '\n');
}

static void print_node(
	struct json_writer *w, const struct event_ctx *ctx, const char *name, node_id node)
{
	char text[EID_TEXT_MAX];
	size_t n;

	if (node == NODE_NONE) {
		jw_null(w, name);
		return;
	}
	n = ctx->node_text ? ctx->node_text(ctx->arg, node, text, sizeof text)
			   : node_print(node, text, sizeof text);
	jw_text(w, name, view_of(text, n));
}

static void print_text8(struct json_writer *w, const char *name, uint64_t v)
{
	uint8_t t[8];
	size_t n = 8;

	be64_put(t, v);
	while (n > 0 && t[n - 1] == 0)
		n--;
	jw_text(w, name, view_of(t, n));
}

static void print_field(struct json_writer *w, const struct event_ctx *ctx, enum event_kind kind,
	const char *name, uint64_t v)
{
	switch (kind) {
	case EVENT_NODE:
		print_node(w, ctx, name, v);
		break;
	case EVENT_US:
		if ((int64_t)v == MONO_NEVER)
			jw_null(w, name);
		else
			jw_i64(w, name, (int64_t)v);
		break;
	case EVENT_B:
		jw_bool(w, name, v != 0);
		break;
	case EVENT_LINK:
		if (ctx->link_name)
			jw_text(w, name, view_text(ctx->link_name(ctx->arg, (unsigned)v)));
		else
			jw_u64(w, name, v);
		break;
	case EVENT_NAME:
		jw_text(w, name, view_text(event_word(name, v)));
		break;
	case EVENT_TEXT:
		print_text8(w, name, v);
		break;
	case EVENT_NONE:
	case EVENT_ID:
	case EVENT_U:
	case EVENT_DTN:
		jw_u64(w, name, v);
		break;
	}
}
