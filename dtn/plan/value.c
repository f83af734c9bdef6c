/*
 * value: see value.h. Seconds are doubles in JSON; they are rounded to microseconds and refused
 * outside a hundred years, where a double is still exact.
 */
#include "dtn/plan/value.h"

#include "bundle/base/units.h"
#include "dtn/plan/build.h"

#include <math.h>
#include <stdlib.h>

static int hashed_node(const char *hex, node_id *node);
static int count_or_text(
	const struct json *v, int (*parse)(const char *, uint64_t *), uint64_t *out);

int value_duration(const struct json *v, int64_t *us)
{
	double s;

	if (!v)
		return 0;
	if (json_text(v))
		return units_duration(json_text(v), us);
	if (json_double(v, &s))
		return -E_TYPE;
	if (!(s >= 0 && s * 1e6 <= (double)PLAN_TIME_MAX))
		return -E_RANGE;
	*us = (int64_t)round(s * 1e6);
	return 0;
}

int value_time(const struct json *v, dtntime reference_ms, mono *out)
{
	double s;

	if (!v)
		return 0;
	if (json_text(v))
		return plan_parse_time(json_text(v), reference_ms, out);
	if (json_double(v, &s))
		return -E_TYPE;
	if (!(fabs(s) * 1e6 <= (double)PLAN_TIME_MAX))
		return -E_RANGE;
	*out = (mono)round(s * 1e6);
	return 0;
}

int value_rate(const struct json *v, uint64_t *bps)
{
	return count_or_text(v, units_rate, bps);
}

int value_bytes(const struct json *v, uint64_t *bytes)
{
	return count_or_text(v, units_bytes, bytes);
}

int value_chance(const struct json *v, double *p)
{
	double x;

	if (!v)
		return 0;
	if (json_double(v, &x))
		return -E_TYPE;
	if (!(x >= 0 && x <= 1))
		return -E_RANGE;
	*p = x;
	return 0;
}

int value_node(const struct json *v, struct names *names, node_id *node)
{
	const char *text = json_text(v);
	struct eid e;
	int err;

	if (!text) {
		err = json_u64(v, node);
		return err ? err : *node == NODE_NONE || *node > UINT32_MAX ? -E_RANGE : 0;
	}
	if (strncmp(text, "dtn-node:", 9) == 0) /* as node_print() writes a dtn node */
		return hashed_node(text + 9, node);
	err = eid_parse_node(text, &e);
	if (err)
		return err;
	*node = e.node;
	return e.node == NODE_NONE ? -E_RANGE : names_put(names, text);
}

const char *value_unknown_key(const struct json *v, const char *const *known)
{
	if (json_type(v) != JSON_OBJECT) /* an array's elements have no keys */
		return NULL;
	for (const struct json *m = json_first(v); m; m = json_next(m)) {
		const char *const *k = known;
		while (*k && strcmp(*k, json_key(m)) != 0)
			k++;
		if (!*k)
			return json_key(m);
	}
	return NULL;
}

static int hashed_node(const char *hex, node_id *node)
{
	char *end;

	if (strlen(hex) != 16 || strspn(hex, "0123456789abcdef") != 16)
		return -E_SYNTAX;
	*node = strtoull(hex, &end, 16);
	return *node & NODE_DTN_BIT ? 0 : -E_RANGE;
}

static int count_or_text(
	const struct json *v, int (*parse)(const char *, uint64_t *), uint64_t *out)
{
	double x;

	if (!v)
		return 0;
	if (json_text(v))
		return parse(json_text(v), out);
	if (json_double(v, &x))
		return -E_TYPE;
	if (!(x >= 0 && x <= 9e15))
		return -E_RANGE;
	*out = (uint64_t)round(x);
	return 0;
}
