/*
 * plain: the short way through a bundle of the shape nearly all have; plain.c says which. It reads
 * what the general reader would read, or gives false, and the general reader starts again at the
 * same place: it alone knows the rules and finds the fault. Not for others than bundle/.
 */
#ifndef OWLT_BUNDLE_PLAIN_H
#define OWLT_BUNDLE_PLAIN_H

#include "bundle/block.h"

/* The bundle from its first byte, as far as it is plain: the outer array's head and the primary block
 * (b->primary tells that they are read), canonical blocks. True if that was all of it and no rule
 * is left to ask for. */
bool plain_read(struct reader *r) MUST_USE;
/* Canonical blocks with all their rules, up to the first that is not plain. What they hold is read,
 * with its rules, into the bundle; r->unread has a bit for those where it is not. */
void plain_blocks(struct reader *r);

#endif
