/*
 * units: number and suffix. Fractions are kept in integers where they are exact enough (doubles for
 * the mantissa, checked against the range).
 */
#include "bundle/base/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *suffix;
	double factor;
};

static int parse(const char *text, const struct unit *units, double limit, double *out)
{
	char *end;
	double v;

	if (text[0] < '0' || text[0] > '9')
		return -E_SYNTAX;
	v = strtod(text, &end);
	if (strpbrk(text, "xXnNpP"))
		return -E_SYNTAX;
	for (; units->suffix; units++)
		if (strcmp(units->suffix, end) == 0)
			break;
	if (!units->suffix)
		return -E_SYNTAX;
	v = round(v * units->factor);
	if (!(v <= limit))
		return -E_RANGE;
	*out = v;
	return 0;
}

int units_duration(const char *text, int64_t *us)
{
	static const struct unit units[] = {{"", 1e6}, {"us", 1}, {"ms", 1e3}, {"s", 1e6},
		{"m", 6e7}, {"h", 3.6e9}, {"d", 8.64e10}, {NULL, 0}};
	double v;
	int err = parse(text, units, 9e18, &v);

	if (!err)
		*us = (int64_t)v;
	return err;
}

int units_bytes(const char *text, uint64_t *bytes)
{
	static const struct unit units[] = {{"", 1}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9},
		{"T", 1e12}, {"Ki", 1024}, {"Mi", 1048576}, {"Gi", 1073741824},
		{"Ti", 1099511627776.0}, {NULL, 0}};
	double v;
	int err = parse(text, units, 9e18, &v);

	if (!err)
		*bytes = (uint64_t)v;
	return err;
}

int units_rate(const char *text, uint64_t *bps)
{
	static const struct unit units[] = {
		{"", 1}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}, {NULL, 0}};
	double v;
	int err = parse(text, units, 9e18, &v);

	if (!err)
		*bps = (uint64_t)v;
	return err;
}

void units_print_duration(int64_t us, char *out, size_t n)
{
	if (us < 1000)
		snprintf(out, n, "%dus", (int)us);
	else if (us < 1000000)
		snprintf(out, n, "%.3gms", (double)us / 1e3);
	else if (us < 60000000)
		snprintf(out, n, "%.3gs", (double)us / 1e6);
	else if (us < 3600000000)
		snprintf(out, n, "%dm %02ds", (int)(us / 60000000), (int)(us / 1000000 % 60));
	else
		snprintf(out, n, "%lldh %02dm", (long long)(us / 3600000000),
			(int)(us / 60000000 % 60));
}

void units_print_bytes(uint64_t bytes, char *out, size_t n)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double v = (double)bytes;
	unsigned i = 0;

	for (; v >= 1024 && i < 4; i++)
		v /= 1024;
	snprintf(out, n, i ? "%.1f %s" : "%.0f %s", v, names[i]);
}
