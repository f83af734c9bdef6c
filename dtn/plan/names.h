/*
 * names: dtn nodes by their numbers. A node of the dtn scheme is a hash in a node_id; who read its name
 * keeps it here, so that it is printed again as "dtn://name/". Nodes of the ipn scheme need none.
 */
#ifndef OWLT_PLAN_NAMES_H
#define OWLT_PLAN_NAMES_H

#include "bundle/base/err.h"
#include "bundle/eid.h"

#define NAMES_MAX 16384u /* further nodes are printed as node_print() does */

/* Zeroed: empty. */
struct names {
	struct names_row {
		node_id node;
		char *text;
	} * row; /* sorted by node */
	size_t n, cap;
};

/* Keeps the name of a dtn node; others, and what is no node, are nothing to keep. 0 or -ENOMEM. */
int names_put(struct names *s, const char *eid) MUST_USE;
/* All of `from` too. */
int names_join(struct names *s, const struct names *from) MUST_USE;
/* As node_print(), with the name where it is known. `s` may be NULL. */
size_t names_print(const struct names *s, node_id node, char *out, size_t cap);
void names_free(struct names *s);

#endif
