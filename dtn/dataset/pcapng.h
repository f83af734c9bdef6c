/*
 * pcapng: reading a capture file (draft-ietf-opsawg-pcapng) that lies in memory: sections of either
 * byte order, interfaces with name and time resolution, enhanced packet blocks with their direction
 * and comment. Other blocks are skipped. Nothing is copied but interface names.
 */
#ifndef OWLT_DATASET_PCAPNG_H
#define OWLT_DATASET_PCAPNG_H

#include "bundle/base/cursor.h"

#define PCAPNG_NAME_MAX 96
#define PCAPNG_ETHERNET 1u

enum pcapng_direction { PCAPNG_UNKNOWN, PCAPNG_INBOUND, PCAPNG_OUTBOUND };

struct pcapng_iface {
	char name[PCAPNG_NAME_MAX]; /* empty if the file has none */
	uint16_t link_type;
	uint8_t tsresol; /* if_tsresol: exponent of 10, or of 2 with the top bit set */
	int64_t offset_s;
};

struct pcapng {
	struct cursor c; /* err, err_at tell what is wrong */
	struct pcapng_iface *iface;
	size_t n_ifaces, cap;
	bool swapped; /* the section is big-endian */
	bool in_section;
	uint64_t n_frames; /* so far; equals Wireshark's frame.number */
};

struct pcapng_frame {
	const struct pcapng_iface *iface; /* borrowed from the reader's array */
	int64_t t_ns; /* nanoseconds; lab captures count lab time as Unix time */
	enum pcapng_direction direction;
	struct view bytes;   /* as captured; lives as long as the file's bytes */
	uint32_t full_bytes; /* on the wire */
	struct view comment; /* opt_comment, not terminated; empty if none */
	uint64_t number;
};

/* `iface` is the caller's array; a file with more interfaces ends with -E_LIMIT. */
void pcapng_open(struct pcapng *p, struct view file, struct pcapng_iface *iface, size_t cap);
/* The next frame: 1, 0 at the end, or negative: -E_TRUNCATED (the writer was cut off), -E_FORM, -E_LIMIT. */
int pcapng_next(struct pcapng *p, struct pcapng_frame *f) MUST_USE;

#endif
