/*
 * plan: the contact plan: who can send to whom, when, how fast, how far. One plan drives the router,
 * the sessions of the layers, the simulator's links and the lab's emulator.
 *
 * Times are mono microseconds after the plan's reference. A contact is one direction; its times are the
 * transmitter's. A rate counts bits of the frame as captured (Ethernet header included).
 */
#ifndef OWLT_PLAN_PLAN_H
#define OWLT_PLAN_PLAN_H

#include "bundle/base/json.h"
#include "bundle/base/time.h"
#include "bundle/eid.h"
#include "dtn/plan/names.h"

#define PLAN_CONTACTS_MAX 200000u
#define PLAN_OWLT_POINTS_MAX 64u

/* Light time at a moment; between two points it is interpolated, outside the nearest one holds. */
struct owlt_point {
	mono at;
	int64_t owlt_us;
};

struct contact {
	uint32_t index; /* order in the file, from 1 */
	node_id from, to;
	mono start, end; /* start <= t < end; end MONO_NEVER = open for good */
	uint64_t rate_bps;
	double confidence;           /* 1.0: scheduled */
	uint32_t owlt_first, n_owlt; /* its points in plan.owlt; at least one */
};

struct plan {
	dtntime reference_ms;    /* 0: not given; the lab's or node's start */
	struct contact *contact; /* file order */
	size_t n_contacts;
	struct owlt_point *owlt;
	size_t n_owlt;
	/* views for searches: contacts sorted by (from, start, to, index) and each node's part of it */
	const struct contact **by_from;
	const struct contact *
		*by_pair;     /* sorted by (from, to, start); contacts of a pair never overlap */
	node_id *node;        /* ascending, all nodes named */
	uint32_t *node_first; /* n_nodes + 1 entries into by_from */
	size_t n_nodes;
	mono *edge; /* per node, ascending: its contacts open and close, as the node sees them */
	uint32_t *edge_first; /* n_nodes + 1 entries into edge */
	struct names names;   /* of its dtn nodes */
};

enum plan_format { PLAN_AUTO, PLAN_OWLT, PLAN_IONRC, PLAN_HDTN };

/* Problems of a plan, in the order found: line (0 = whole file), warning or error. */
struct plan_note {
	unsigned line;
	bool is_error;
	char text[160];
};

struct plan_notes {
	struct plan_note *note; /* the caller's array */
	size_t n, cap;          /* n may exceed cap: the rest was not kept */
};

/* Adds a note, cut to its length. line 0: of the whole. */
void plan_note(struct plan_notes *notes, unsigned line, bool is_error, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Reads a plan. "+N" of ionrc counts from the file's reference, or from the plan's where it names none.
 * 0 and *out (plan_free ends it), or negative and at least one error note. */
int plan_read(struct view text, enum plan_format format, struct plan **out,
	struct plan_notes *notes) MUST_USE;
/* Our own JSON form from a parsed value: {"contacts":[...]}; its notes have no lines. */
int plan_read_json(const struct json *doc, struct plan **out, struct plan_notes *notes) MUST_USE;
/* PLAN_OWLT, PLAN_IONRC or PLAN_HDTN by the content; "owlt" "ionrc" "hdtn" and back (PLAN_AUTO: no such). */
enum plan_format plan_detect(struct view text);
const char *plan_format_name(enum plan_format f);
enum plan_format plan_format_of(const char *name);
void plan_free(struct plan *p);
/* Own JSON form (key NULL: at the top), and ION's (bytes/s; light times become ranges, a changing one steps of
 * its points). */
void plan_write_json(const struct plan *p, const char *key, struct json_writer *w);
void plan_write_ionrc(const struct plan *p, struct buf *out);
/* A time as text: seconds after the reference ("0" "+60" "1.5"), a duration ("5m") or RFC 3339 UTC,
 * which needs a reference. 0, -E_SYNTAX, -E_RANGE, -E_UNKNOWN (no reference). */
int plan_parse_time(const char *text, dtntime reference_ms, mono *out) MUST_USE;
/* RFC 3339 UTC, with milliseconds where there are some. At least 25 bytes. */
void plan_print_utc(dtntime t, char *out, size_t n);

/* Light time of a contact at a moment. */
int64_t contact_owlt_us(const struct plan *p, const struct contact *c, mono at);
/* The largest light time over the contact. */
int64_t contact_owlt_max_us(const struct plan *p, const struct contact *c);
/* Index into plan.node, or SIZE_MAX. */
size_t plan_node_index(const struct plan *p, node_id node);
/* Contacts that leave a node, sorted by (start, to, index). */
struct contact_span {
	const struct contact *const *c;
	size_t n;
};
struct contact_span plan_contacts_from(const struct plan *p, node_id from);
/* The contact from -> to that is open at a moment (NULL: none), and the first that opens after it. */
const struct contact *plan_contact_at(const struct plan *p, node_id from, node_id to, mono at);
const struct contact *plan_contact_next(const struct plan *p, node_id from, node_id to, mono at);
/* The next moment after `at` at which any contact from or to `node` opens or closes (receiver's edges
 * shifted by light time included); MONO_NEVER when none. */
mono plan_next_edge(const struct plan *p, node_id node, mono at);

#endif
