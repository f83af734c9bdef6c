/*
 * err: one error space. A function that can fail returns 0 or a negative number: -errno for what
 * the system said, -E_... (err.def, numbered beyond errno) for what we say.
 */
#ifndef OWLT_BASE_ERR_H
#define OWLT_BASE_ERR_H

#include <errno.h>

#define ERR_BASE 4096

enum err {
	E_FIRST = ERR_BASE - 1,
#define ERR(name, text) E_##name,
#include "bundle/base/err.def"
#undef ERR
	E_LAST
};

/* Functions that can fail carry this. */
#define MUST_USE __attribute__((warn_unused_result))

/* Short stable name ("TRUNCATED", or the errno's name) and a sentence; takes either sign. Static text. */
const char *err_name(int err);
const char *err_text(int err);

#endif
