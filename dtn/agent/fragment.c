/*
 * fragment: bundles that leave in pieces, RFC 9171 5.8.
 */
#include "dtn/agent/state.h"

void fragment_forget(struct agent *a, struct bundle_entry *e)
{
	(void)a;
	(void)e;
}
