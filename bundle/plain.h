/*
 * plain: the short way through a bundle of the shape nearly all have; plain.c says which. It reads
 * what the general reader would read, or gives false, and the general reader starts again at the
 * same place: it alone knows the rules and finds the fault. Not for others than bundle/.
 */
#ifndef OWLT_BUNDLE_PLAIN_H
#define OWLT_BUNDLE_PLAIN_H

#include "bundle/block.h"

/* The primary block's fields, without the rules of primary_check(); the cursor goes behind it. */
bool plain_primary(struct reader *r) MUST_USE;
/* Canonical blocks with all their rules, up to the first that is not plain. r->plain stays true if
 * they hold nothing but what was read, with its rules, into the bundle. */
void plain_blocks(struct reader *r);

#endif
