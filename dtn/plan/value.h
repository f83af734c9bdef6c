/*
 * value: values with units inside JSON: a number, or a text as on the command line. Absent values
 * leave *out as it is. Private to dtn/plan.
 */
#ifndef OWLT_PLAN_VALUE_H
#define OWLT_PLAN_VALUE_H

#include "dtn/plan/plan.h"

/* Seconds or "5m"; >= 0. */
int value_duration(const struct json *v, int64_t *us) MUST_USE;
/* Seconds after the reference (may be negative) or a text of plan_parse_time(). */
int value_time(const struct json *v, dtntime reference_ms, mono *out) MUST_USE;
int value_rate(const struct json *v, uint64_t *bps) MUST_USE;
int value_bytes(const struct json *v, uint64_t *bytes) MUST_USE;
/* 0 .. 1 */
int value_chance(const struct json *v, double *p) MUST_USE;
/* A node number, "ipn:1.0" or "dtn://n/"; a name goes to `names` too. */
int value_node(const struct json *v, struct names *names, node_id *node) MUST_USE;
/* A member of `v` whose name is not in the NULL-terminated list; NULL when all are. */
const char *value_unknown_key(const struct json *v, const char *const *known);

#endif
