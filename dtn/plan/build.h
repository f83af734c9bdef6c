/*
 * build: how the readers of the plan's formats make a plan: contacts one by one, then the checks that
 * need all of them (overlaps), sorting and indexes. Private to dtn/plan.
 */
#ifndef OWLT_PLAN_BUILD_H
#define OWLT_PLAN_BUILD_H

#include "dtn/plan/plan.h"

/* Bounds that keep every sum of times inside 64 bits and every second exact in a double. */
#define PLAN_TIME_MAX (INT64_C(100) * 366 * 86400 * US_PER_S)
#define PLAN_OWLT_MAX (INT64_C(366) * 86400 * US_PER_S)
#define PLAN_RATE_MAX UINT64_C(1000000000000000)

struct plan_build {
	struct plan *plan;
	uint32_t *origin; /* of each contact: its line, or the element of the JSON array */
	size_t cap_contacts, cap_owlt;
	struct plan_notes *notes;
	struct view text;   /* JSON: to find lines; {NULL,0} = no lines */
	const char *prefix; /* JSON: path of the array of contacts; NULL = origin is a line */
	int err;            /* the first error */
};

/* 0 or -ENOMEM; plan_build_finish() or plan_build_drop() ends it. */
int plan_build_begin(struct plan_build *b, struct plan_notes *notes) MUST_USE;
/* Adds a contact with its points of light time; its index, owlt_first and n_owlt are set here. */
void plan_build_add(struct plan_build *b, struct contact c, const struct owlt_point *owlt,
	uint32_t n, uint32_t origin);
/* 0 and the plan, or the first error. */
int plan_build_finish(struct plan_build *b, struct plan **out) MUST_USE;
void plan_build_drop(struct plan_build *b);
/* An error or a warning at an origin. */
void plan_build_note(struct plan_build *b, uint32_t origin, int err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Sorts and indexes: by_from, by_pair, node, edge. plan_index.c. 0 or -ENOMEM. */
int plan_index(struct plan *p) MUST_USE;

/* The readers. A JSON document whose own text is known gives lines; `prefix` is where `doc` sits in it. */
int plan_read_own(const struct json *doc, struct view text, const char *prefix, struct plan **out,
	struct plan_notes *notes) MUST_USE;
int plan_read_hdtn(const struct json *doc, struct view text, struct plan **out,
	struct plan_notes *notes) MUST_USE;
int plan_read_ionrc(struct view text, struct plan **out, struct plan_notes *notes) MUST_USE;
/* UTC from its parts as dtntime; 0 when no such time or before 2000. */
dtntime plan_utc(int year, int month, int day, double seconds);
/* RFC 3339 UTC ("2026-01-01T00:00:00Z"). 0 or -E_SYNTAX. */
int plan_parse_rfc3339(const char *text, dtntime *out) MUST_USE;

#endif
