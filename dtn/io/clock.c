/*
 * clock: the system's clocks and the lab's line (clock.h). Doubles carry the speed: at speed 1000 and
 * after a day the error of a product is below a microsecond of real time.
 */
#include "dtn/io/clock.h"

#include "bundle/base/json.h"
#include "dtn/io/file.h"

#include <stdlib.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t clock_mono_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

void clock_init_real(struct clock *c)
{
	int64_t ms = read_clock(CLOCK_REALTIME) / 1000000 - DTN_EPOCH_UNIX_S * 1000;

	*c = (struct clock){.mono0_ns = clock_mono_ns(), .speed = 1};
	c->dtn0_ms = ms > 0 ? (dtntime)ms : 0;
}

#define MOST_NS (INT64_C(1) << 61) /* no sum of two of them is too large */

int clock_init_lab(struct clock *c, const char *path)
{
	struct view text;
	struct json *doc;
	unsigned line;
	int err = file_load(path, 1u << 24, &text);

	*c = (struct clock){.is_lab = true};
	if (err)
		return err;
	err = json_parse(text, &doc, &line);
	free((void *)(uintptr_t)text.p);
	if (err)
		return err;
	if (json_i64(json_get(doc, "mono0_ns"), &c->mono0_ns) ||
		json_u64(json_get(doc, "dtn0_ms"), &c->dtn0_ms) ||
		json_double(json_get(doc, "speed"), &c->speed) || !(c->speed >= 1e-6) ||
		c->speed > 1e9 || c->mono0_ns < -MOST_NS || c->mono0_ns > MOST_NS ||
		c->dtn0_ms > (dtntime)MOST_NS)
		err = -E_CONFIG;
	json_free(doc);
	return err;
}

mono clock_now(const struct clock *c, mono *last)
{
	double us = (double)(clock_mono_ns() - c->mono0_ns) * c->speed / 1000;
	mono most = MONO_NEVER - 1;
	mono now = us >= (double)most             ? most
		   : c->speed > 1 || c->speed < 1 ? (mono)us
						  : (clock_mono_ns() - c->mono0_ns) / 1000;

	if (now > *last)
		*last = now;
	return *last;
}

int64_t clock_real_of(const struct clock *c, int64_t us)
{
	double ns = (double)us * 1000 / c->speed;

	return ns > 9e18 ? INT64_MAX : (int64_t)ns;
}

int64_t clock_ns_at(const struct clock *c, mono at)
{
	int64_t ns = at == MONO_NEVER ? INT64_MAX : clock_real_of(c, at);

	/* one more: a deadline is not early by what rounding lost */
	return ns > INT64_MAX - c->mono0_ns - 1000 ? INT64_MAX : c->mono0_ns + ns + 1;
}

int64_t clock_unix_ns_at(const struct clock *c, mono at)
{
	return read_clock(CLOCK_REALTIME) - clock_mono_ns() + c->mono0_ns + clock_real_of(c, at);
}
