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
	double confidence; /* 1.0: scheduled */
	uint32_t owlt_first, n_owlt; /* its points in plan.owlt; at least one */
};

struct plan {
	dtntime reference_ms; /* 0: not given; the lab's or node's start */
	struct contact *contact; /* file order */
	size_t n_contacts;
	struct owlt_point *owlt;
	size_t n_owlt;
	/* views for searches: contacts sorted by (from, start, to, index) and each node's part of it */
	const struct contact **by_from;
	node_id *node; /* ascending, all nodes named */
	uint32_t *node_first; /* n_nodes + 1 entries into by_from */
	size_t n_nodes;
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
	size_t n, cap;		/* n may exceed cap: the rest was not kept */
};

/* Reads a plan. start_ms: what "+N" of ionrc counts from where the file names no reference (0: plan
 * reference). 0 and *out (plan_free ends it), or negative and at least one error note. */
int plan_read(struct view text, enum plan_format format, struct plan **out, struct plan_notes *notes)
	MUST_USE;
/* Reads the array of contacts of our own JSON, as inside a topology file. */
int plan_read_json(const struct json *doc, struct plan **out, struct plan_notes *notes) MUST_USE;
void plan_free(struct plan *p);
/* Own JSON form. */
void plan_write_json(const struct plan *p, struct json_writer *w);

/* Light time of a contact at a moment. */
int64_t contact_owlt_us(const struct plan *p, const struct contact *c, mono at);
/* The largest light time over the contact, and over the plan between two nodes. */
int64_t contact_owlt_max_us(const struct plan *p, const struct contact *c);
/* Index into plan.node, or SIZE_MAX. */
size_t plan_node_index(const struct plan *p, node_id node);
/* Contacts that leave a node, sorted by (start, to, index). */
struct contact_span {
	const struct contact *const *c;
	size_t n;
};
struct contact_span plan_contacts_from(const struct plan *p, node_id from);
/* The contact from -> to open at a moment, or the next one to open; NULL when none is left. */
const struct contact *plan_contact_at(const struct plan *p, node_id from, node_id to, mono at);
const struct contact *plan_contact_next(const struct plan *p, node_id from, node_id to, mono at);
/* The next moment after `at` at which any contact from or to `node` opens or closes (receiver's edges
 * shifted by light time included); MONO_NEVER when none. */
mono plan_next_edge(const struct plan *p, node_id node, mono at);

#endif
