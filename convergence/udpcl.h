/*
 * udpcl: the UDP convergence layer of RFC 7122, one bundle a datagram.
 */
#ifndef OWLT_CONVERGENCE_UDPCL_H
#define OWLT_CONVERGENCE_UDPCL_H

#include "convergence/cl.h"

#define UDPCL_KEEPALIVE_MIN_US (15 * US_PER_S) /* RFC 7122 3.5.2 */
#define UDPCL_FRAME_V4 42                      /* Ethernet 14, IPv4 20, UDP 8 */
#define UDPCL_FRAME_V6 62

extern const struct cl_ops udpcl_ops;

/* What a datagram is, by its first octet: NULL = a bundle, else why it is none ("keepalive",
 * "bpv6", "padding", "dtls", "extension-map", "empty", "not-a-bundle"). */
const char *udpcl_classify(struct view datagram);

#endif
