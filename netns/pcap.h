/*
 * pcap: frames of a real interface through libpcap; pcap.c alone sees it. In a lab the emulator
 * writes the capture itself; this is for an interface of the system or, by `owlt lab exec`, of a node.
 */
#ifndef OWLT_NETNS_PCAP_H
#define OWLT_NETNS_PCAP_H

#include "netns/capture.h"

#define PCAP_WHY_MAX 256

struct pcap_source;

/* 0, or -EPERM, -ENODEV, -EIO with a sentence in why. Ethernet only. */
int pcap_source_open(
	struct pcap_source **out, const char *interface, char why[PCAP_WHY_MAX]) MUST_USE;
void pcap_source_close(struct pcap_source *s);
int pcap_source_fd(const struct pcap_source *s);
/* 1 and a frame (until the next call), 0 = none now, negative = it ended. */
int pcap_source_read(struct pcap_source *s, struct capture_frame *f) MUST_USE;

#endif
