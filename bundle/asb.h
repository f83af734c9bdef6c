/*
 * asb: the abstract security block (RFC 9172 3.6), what a BIB or BCB holds: targets, context, flags,
 * source, parameters, results. Views into what was read.
 *
 * Strict: integers in shortest form, at least one target and none twice, parameter and result ids at
 * most once a set, one result array a target, no byte behind the last. Limits: limits.h.
 */
#ifndef OWLT_BUNDLE_ASB_H
#define OWLT_BUNDLE_ASB_H

#include "bundle/base/buf.h"
#include "bundle/eid.h"
#include "bundle/limits.h"

#define ASB_HAS_PARAMS 1u /* flag; the others are written 0 and not looked at */

/* A parameter or result: its value is one CBOR item, undecoded. */
struct asb_item {
	uint64_t id;
	struct view value;
};

struct asb {
	uint64_t target[ASB_TARGETS_MAX];
	unsigned n_targets;
	int64_t context;
	uint64_t flags;
	struct eid source;
	struct view source_item; /* its encoding */
	struct asb_item param[ASB_PARAMS_MAX];
	unsigned n_params;
	struct asb_item result[ASB_RESULTS_MAX]; /* of all targets, in their order */
	unsigned n_results;
	unsigned result_end[ASB_TARGETS_MAX]; /* target k: results from result_end[k - 1] (or 0) */
};

/* Reads a security block's data. 0, -E_TRUNCATED, -E_TYPE, -E_NOT_SHORTEST, -E_FORM, -E_TRAILING;
 * -E_LIMIT beyond limits.h; -E_DUPLICATE: a target or an id stands there twice. */
int asb_read(struct asb *a, struct view data) MUST_USE;
/* The parameter with this id, or NULL; a target's result with this id, or NULL. */
const struct asb_item *asb_param(const struct asb *a, uint64_t id);
const struct asb_item *asb_result(const struct asb *a, unsigned target, uint64_t id);
/* How many results a target has. */
unsigned asb_results(const struct asb *a, unsigned target);
/* Index of a target block's number; -1 if it is none. */
int asb_target(const struct asb *a, uint64_t number);

/* Writes the block's data; the source as read if source_item is given, else from `source`. */
void asb_write(struct buf *b, const struct asb *a);
/* Takes one target with its results out; what is left is written by asb_write(). */
void asb_remove(struct asb *a, unsigned target);

#endif
