/*
 * events: the rows of trace.def as an enum and a table, the words of NAME fields, and one flat JSON
 * line per record. Who emits an event includes this file; who drains a trace prints with it.
 */
#ifndef OWLT_BUNDLE_EVENTS_H
#define OWLT_BUNDLE_EVENTS_H

#include "bundle/base/buf.h"
#include "bundle/base/trace.h"
#include "bundle/eid.h"

enum trace_ev {
#define EV(name, k0, f0, k1, f1, k2, f2, k3, f3, k4, f4) EV_##name,
#include "bundle/trace.def"
#undef EV
	EV_LAST
};

/* trace_point(t, now, bundle_queued, id, next_node, contact, arrival_us, n_queued): fewer arguments
 * leave the rest 0. */
#define trace_point(t, at, name, ...)                                                              \
	trace_emit((t), (at), EV_##name, (const uint64_t[TRACE_ARGS]){__VA_ARGS__})

enum event_kind {
	EVENT_NONE,
	EVENT_ID,
	EVENT_NODE,
	EVENT_U,
	EVENT_DTN,
	EVENT_US, /* signed */
	EVENT_B,
	EVENT_LINK,
	EVENT_NAME,
	EVENT_TEXT
};

struct event_row {
	const char *name;
	struct {
		enum event_kind kind;
		const char *name;
	} field[TRACE_ARGS];
};

/* The link of bundles that came or left inside others, in fields of kind LINK. */
#define EVENT_LINK_TUNNEL 0x10000u

/* The row of an event; NULL beyond the last. */
const struct event_row *event_row(unsigned ev);

/* The words of fields named `why`. Append only. */
enum why {
#define WHY(name, word) WHY_##name,
#include "bundle/why.def"
#undef WHY
	WHY_LAST
};
const char *why_name(unsigned why);
/* The number of a word; WHY_OTHER when it is none of ours. */
unsigned why_find(const char *word);

/* Eight bytes of text for a TEXT field: bytes off..off+7 of s, zero behind its end. */
uint64_t event_text(const char *s, size_t off);

/* What a record does not say by itself. */
struct event_ctx {
	const char *node;    /* who tells it, EID text */
	dtntime dtn_at_zero; /* DTN time when mono is 0; 0 = not known, dtn_ms is left out */
	int64_t real_ns;     /* Unix time, ns; 0 = left out (simulator) */
	const char *(*link_name)(
		const void *arg, unsigned link); /* may be NULL: the index is printed */
	/* A node as EID text; may be NULL: node_print() does it, which knows no names of the dtn scheme. */
	size_t (*node_text)(const void *arg, node_id node, char *out, size_t cap);
	const void *arg;
};

/* The word of a NAME field as printed: by the field's name, why, reason, rule, status or name. */
const char *event_word(const char *field, uint64_t value);
/* Adds {"t_us":..,"dtn_ms":..,"real_ns":..,"node":"..","ev":"..",fields} and a newline. */
void events_print_json(struct buf *out, const struct trace_rec *rec, const struct event_ctx *ctx);

#endif
