/*
 * plan_time: moments as text: seconds, durations, RFC 3339 (UTC only: "Z" or "+00:00").
 */
#include "dtn/plan/build.h"

#include "bundle/base/units.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t days_from_civil(int64_t y, int64_t m, int64_t d);
static int days_in_month(int y, int m);

int plan_parse_time(const char *text, dtntime reference_ms, mono *out)
{
	dtntime t;
	int64_t us;
	bool minus = text[0] == '-';
	int err;

	if (strlen(text) > 10 && text[4] == '-' && !minus) {
		err = plan_parse_rfc3339(text, &t);
		if (err)
			return err;
		*out = ((int64_t)t - (int64_t)reference_ms) * US_PER_MS;
		return reference_ms ? 0 : -E_UNKNOWN;
	}
	err = units_duration(text + (minus || text[0] == '+'), &us);
	if (err)
		return err;
	if (us > PLAN_TIME_MAX)
		return -E_RANGE;
	*out = minus ? -us : us;
	return 0;
}

int plan_parse_rfc3339(const char *text, dtntime *out)
{
	int y, mo, d, h, mi, at = 0;
	char *end;
	double s;

	if (sscanf(text, "%4d-%2d-%2d%*1[Tt ]%2d:%2d:%n", &y, &mo, &d, &h, &mi, &at) != 5 ||
		at != 17)
		return -E_SYNTAX;
	if (!isdigit((unsigned char)text[at]) || strpbrk(text + at, "xXeEpP"))
		return -E_SYNTAX;
	s = strtod(text + at, &end);
	if (strcmp(end, "Z") != 0 && strcmp(end, "z") != 0 && strcmp(end, "+00:00") != 0)
		return -E_SYNTAX;
	if (h < 0 || h > 23 || mi < 0 || mi > 59)
		return -E_SYNTAX;
	*out = plan_utc(y, mo, d, h * 3600.0 + mi * 60.0 + s);
	return *out && s < 61 ? 0 : -E_SYNTAX;
}

void plan_print_utc(dtntime t, char *out, size_t n)
{
	time_t s = (time_t)(t / 1000) + (time_t)DTN_EPOCH_UNIX_S;
	struct tm tm;
	size_t len;

	if (!gmtime_r(&s, &tm))
		tm = (struct tm){.tm_mday = 1};
	len = strftime(out, n, "%Y-%m-%dT%H:%M:%S", &tm);
	if (t % 1000)
		len += (size_t)snprintf(out + len, n - len, ".%03u", (unsigned)(t % 1000));
	snprintf(out + len, n - len, "Z");
}

dtntime plan_utc(int year, int month, int day, double seconds)
{
	int64_t ms;

	if (year < 2000 || year > 9999 || month < 1 || month > 12 || day < 1 ||
		day > days_in_month(year, month) || !(seconds >= 0 && seconds <= 86400))
		return 0;
	ms = (days_from_civil(year, month, day) * 86400 - DTN_EPOCH_UNIX_S) * 1000 +
	     (int64_t)round(seconds * 1000);
	return (dtntime)ms;
}

/* Days after 1970-01-01 of a Gregorian date; March is the first month, so leap days come last. */
static int64_t days_from_civil(int64_t y, int64_t m, int64_t d)
{
	y -= m <= 2;
	int64_t era = y / 400, yoe = y - era * 400;
	int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return era * 146097 + doe - 719468;
}

static int days_in_month(int y, int m)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return days[m - 1] + (m == 2 && leap);
}
