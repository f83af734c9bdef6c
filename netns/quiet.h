/*
 * quiet: makes a namespace's kernel say nothing by itself, so that only what the nodes send crosses
 * an emulated link (kernel ARP gives up after 3 s, IP reassembly after 30 s: they don't know light time).
 */
#ifndef OWLT_NETNS_QUIET_H
#define OWLT_NETNS_QUIET_H

#include "bundle/base/err.h"

/* The namespace the process is in, before its interfaces are made: no IPv6, no multicast reports,
 * no ICMP errors, no forwarding. 0 or -errno. */
int quiet_namespace(void) MUST_USE;
/* One interface of that namespace: checksum and segmentation offloads off, so that real frames with
 * real checksums cross. 0 or -errno. */
int quiet_interface(const char *name) MUST_USE;

#endif
