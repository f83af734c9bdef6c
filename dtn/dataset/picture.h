/*
 * picture: one SVG of a run, drawn from the event log: lab time to the right, a lane for each node,
 * the contacts of each link as bars between the lanes, each bundle as lines slanted by light time;
 * custody retransmissions, lost frames, deliveries and restarts are marked.
 */
#ifndef OWLT_DATASET_PICTURE_H
#define OWLT_DATASET_PICTURE_H

#include "dtn/dataset/dataset.h"

#define PICTURE_BYTES_MAX (16u << 20)
#define PICTURE_HOPS_MAX 20000u /* later ones are left out, and the picture says so */

/* d is joined, from lines alone. Overflow is told by the buf. */
void picture_draw(const struct dataset *d, struct buf *svg);

#endif
