/*
 * space: namespaces of a lab: made by our own unshare and setns, held by file descriptors only (no
 * bind mounts), so they end with the last process and descriptor. As root, with capabilities, or
 * unprivileged inside a user namespace of our own.
 */
#ifndef OWLT_NETNS_SPACE_H
#define OWLT_NETNS_SPACE_H

#include "bundle/base/err.h"

#include <stdint.h>
#include <sys/types.h>

enum space_rights { SPACE_ROOT, SPACE_CAPABILITIES, SPACE_USER_NAMESPACE };

/* "root", "capabilities", "user namespace of uid 1000 (unprivileged)". */
const char *space_rights_text(enum space_rights rights, uid_t uid, char out[80]);
/* Gets the rights that a lab needs: those the process has, or else a user namespace that it moves
 * into (as its uid 0; the parent side of a fork writes the maps). 0 or -errno, with *why a
 * sentence. The process must have one thread. */
int space_get_rights(enum space_rights *rights, const char **why) MUST_USE;
/* A new network namespace; the process is in it afterwards. A descriptor or -errno. */
int space_new_net(void) MUST_USE;
int space_enter_net(int ns_fd) MUST_USE;
/* Number of a namespace, as in `ls -l /proc/self/ns`; 0 when not known. */
uint64_t space_inode(int ns_fd);
/* Enters the user namespace of process pid (if it is another than ours) and the network namespace
 * that its descriptor ns_fd stands for. */
int space_enter_of(pid_t pid, int ns_fd) MUST_USE;
/* Kills (SIGKILL) every process in one of the network namespaces but ourselves; how many were found. */
unsigned space_kill_all(const uint64_t *inode, unsigned n);

#endif
