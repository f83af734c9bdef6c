/*
 * signal: the signals a program waits for in its loop instead of being interrupted.
 */
#ifndef OWLT_IO_SIGNAL_H
#define OWLT_IO_SIGNAL_H

#include "bundle/base/err.h"

/* Blocks SIGTERM, SIGINT and SIGHUP (and ignores SIGPIPE) and gives a descriptor that tells of them. */
int signal_open(void) MUST_USE;
/* The next signal that came, or 0. */
int signal_next(int fd);

#endif
