/*
 * janitor: a small process in a session of its own that outlives the runner. When the runner is gone without
 * having said goodbye (kill -9), it kills what is left in the lab's namespaces, removes socket files, and goes.
 */
#ifndef OWLT_NETNS_JANITOR_H
#define OWLT_NETNS_JANITOR_H

#include "bundle/base/err.h"

#include <stdint.h>
#include <sys/types.h>

struct janitor {
	pid_t pid;
	int fd; /* its pipe; children of the runner must not keep it */
};

/* Before any namespace is made, so that it holds none. 0 or -errno. */
int janitor_start(struct janitor *j) MUST_USE;
/* A namespace to clear, and a file to remove. */
void janitor_space(const struct janitor *j, uint64_t inode);
void janitor_file(const struct janitor *j, const char *path);
/* Its work, now; it has ended when this returns. */
void janitor_end(struct janitor *j);

#endif
