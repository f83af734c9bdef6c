/*
 * story: trace records of a simulation as lines that a person reads:
 *
 *   [   5.042] relay  custody_taken      #1 seq_id=1 seq_no=0 prev_custodian=earth prev_seq_no=0
 *
 * Bundles are numbered (#1, #2) by identity in the order in which they are first seen, on all nodes alike;
 * nodes and links have the topology's names; times are seconds of lab time.
 */
#ifndef OWLT_SIM_STORY_H
#define OWLT_SIM_STORY_H

#include "bundle/base/buf.h"
#include "dtn/sim/world.h"

struct story;

int story_new(const struct topo *t, dtntime dtn_at_zero, struct story **out) MUST_USE;
void story_free(struct story *st);
/* Only events that match one of the patterns ("bundle_*" "link_open"), or all but those. The first call
 * of story_show() starts from none. 0, or -E_UNKNOWN when no event matches. */
int story_show(struct story *st, struct view pattern) MUST_USE;
int story_hide(struct story *st, struct view pattern) MUST_USE;
/* Adds the record's line, if it is shown. */
void story_record(
	struct story *st, const struct sim *s, const struct sim_record *r, struct buf *out);
/* A line of the player's own. */
void story_note(struct story *st, mono at, unsigned node, const char *text, struct buf *out);

#endif
