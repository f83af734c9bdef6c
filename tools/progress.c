/*
 * progress: see progress.h. Real time, as people wait in it, also in a lab that runs faster.
 */
#include "tools/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define BEGIN_US 1000000
#define AGAIN_US 500000

static int64_t real_us(void);

void progress_begin(struct progress *p, const char *command)
{
	progress_clear(p);
	*p = (struct progress){
		.command = command, .begun_us = real_us(), .is_terminal = isatty(STDERR_FILENO)};
}

bool progress_due(const struct progress *p)
{
	int64_t now;

	if (!p->is_terminal)
		return false;
	now = real_us();
	return now - p->begun_us >= BEGIN_US && now - p->told_us >= AGAIN_US;
}

void progress_print(struct progress *p, const char *fmt, ...)
{
	va_list ap;

	if (!p->is_terminal)
		return;
	fflush(stdout);
	fprintf(stderr, "\r\033[Kowlt: %s: ", p->command);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fflush(stderr);
	p->told_us = real_us();
	p->is_shown = true;
}

void progress_bytes(struct progress *p, const char *name, uint64_t done, uint64_t of)
{
	if (of == 0 || !progress_due(p))
		return;
	progress_print(p, "%s%s%.0f %% of %.1f MB", name ? name : "", name && *name ? ": " : "",
		100.0 * (double)done / (double)of, (double)of / 1e6);
}

void progress_clear(struct progress *p)
{
	if (p->is_shown)
		fputs("\r\033[K", stderr);
	p->is_shown = false;
}

static int64_t real_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}
