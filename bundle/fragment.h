/*
 * fragment: cutting a bundle, RFC 9171 5.8. A fragment is made as a head (with what a forwarder
 * changes), a slice of the stored payload and a tail; the payload itself is only summed, in pieces of
 * any size. Fragments of fragments: offsets add, the total stays.
 */
#ifndef OWLT_BUNDLE_FRAGMENT_H
#define OWLT_BUNDLE_FRAGMENT_H

#include "bundle/bundle.h"

/* May it be cut at all? Not with "must not be fragmented", not with a custody block (CCSDS 734.6, sequences),
 * not with a payload of one byte. */
bool fragment_allowed(const struct bundle *b);
/* Bit k: block[k] does not go into the piece that begins `off` bytes into this bundle's payload. */
uint64_t fragment_left_out(const struct bundle *b, uint64_t off);
/* Head of the piece [off, off + n) of b's payload, changed as by bundle_forward_head(); *crc is the
 * state to continue over the piece's bytes (crc_update with the payload block's CRC type), then
 * fragment_tail(). -E_OVERFLOW; -E_RANGE; -E_RULE: it may not be cut there; -E_TOO_BIG: the primary
 * block is longer than this program writes. */
int fragment_head(struct buf *head, const struct bundle *b, const struct bundle_edit *edit,
	uint64_t off, uint64_t n, uint32_t *crc) MUST_USE;
int fragment_tail(struct buf *tail, const struct bundle *b, uint32_t crc) MUST_USE;
/* Bytes of the tail. */
size_t fragment_tail_size(const struct bundle *b);

#endif
