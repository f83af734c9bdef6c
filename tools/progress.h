/*
 * progress: one line on a terminal's standard error about what takes longer than a second. It is rewritten
 * in place twice a second and taken away before anything else is printed; no terminal, no line.
 */
#ifndef OWLT_TOOLS_PROGRESS_H
#define OWLT_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *command; /* "send" */
	int64_t begun_us, told_us;
	bool is_terminal, is_shown;
};

void progress_begin(struct progress *p, const char *command);
/* Whether a line is wanted now: cheap enough to ask once per piece of work. */
bool progress_due(const struct progress *p);
/* "owlt: COMMAND: TEXT". */
void progress_print(struct progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* If one is due: "NAME: 45 % of 100.0 MB"; without a name (NULL or empty) only the rest. */
void progress_bytes(struct progress *p, const char *name, uint64_t done, uint64_t of);
/* Takes the line away: at the end, and before a line on standard output or error. */
void progress_clear(struct progress *p);

#endif
