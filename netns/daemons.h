/*
 * daemons: one owltd per node: started in its namespace, watched, killed and started again on request.
 */
#ifndef OWLT_NETNS_DAEMONS_H
#define OWLT_NETNS_DAEMONS_H

#include "netns/lab.h"

/* Forks and executes; the parent's death is its own. 0 or -errno. */
int daemon_start(struct lab *l, size_t node) MUST_USE;
/* What it printed: sets is_ready and answers the waiter when it says "ready". */
void daemon_read(struct lab *l, size_t node);
/* A process ended. True if it was a node's daemon that nobody asked to end. */
bool daemon_ended(struct lab *l, pid_t pid, int status);
/* SIGKILL, and it is gone when this returns. */
void daemon_kill(struct lab *l, size_t node);
/* SIGTERM to all, SIGKILL to what is left after `patience_ms` of real time. */
void daemons_stop(struct lab *l, int patience_ms);
/* Answers who waits for this node, if anyone. */
void daemon_answer(struct lab *l, size_t node, const char *text);
bool daemons_ready(const struct lab *l);
size_t daemons_running(const struct lab *l);

#endif
