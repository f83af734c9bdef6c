/*
 * keyfile: key rings on disk (owlt-keys(5)). A file that others may write, that is not ours or root's,
 * or that has secrets and others may read it, is refused.
 */
#ifndef OWLT_IO_KEYFILE_H
#define OWLT_IO_KEYFILE_H

#include "bundle/keyring.h"

#define KEYFILE_MAX ((size_t)1 << 20) /* bytes */

/* Reads a ring; the text of the file is wiped. -errno; -EACCES: its permissions, with *fault saying
 * what to do; -E_LIMIT; and what keyring_parse() says. */
int keyfile_load(const char *path, struct keyring **out, struct keyring_fault *fault) MUST_USE;
/* Adds a key to a file, or makes one (mode 0600) with just this key. As keyfile_load; -E_DUPLICATE. */
int keyfile_add(const char *path, const struct key *key, struct keyring_fault *fault) MUST_USE;

#endif
