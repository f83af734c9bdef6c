/*
 * diff: two traces, line by line.
 */
#ifndef OWLT_SIM_DIFF_H
#define OWLT_SIM_DIFF_H

#include "bundle/base/buf.h"

/* True: equal, but for lines that are empty or begin with #. Else a listing is added to *out. */
bool diff_lines(struct view expected, struct view got, struct buf *out);

#endif
