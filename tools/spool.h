/*
 * spool: data of a file, or of a stream that is read to its end first, as a file of known size that can be
 * read at any place.
 */
#ifndef OWLT_TOOLS_SPOOL_H
#define OWLT_TOOLS_SPOOL_H

#include <stdint.h>

/* name: a path, or "-" for standard input. *fd is the caller's. 0, or what out_fail() says, in the name of
 * the command. */
int spool_open(const char *command, const char *name, int *fd, uint64_t *size);

#endif
