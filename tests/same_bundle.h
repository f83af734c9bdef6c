/*
 * same_bundle: two bundles read from the same bytes hold the same values and views.
 */
#ifndef OWLT_TESTS_SAME_BUNDLE_H
#define OWLT_TESTS_SAME_BUNDLE_H

#include "bundle/bundle.h"

static inline bool same_view(struct view a, struct view b)
{
	return a.n == b.n && (a.p == b.p || a.n == 0);
}

static inline bool same_eid(const struct eid *a, const struct eid *b)
{
	return a->scheme == b->scheme && a->node == b->node && a->service == b->service &&
	       same_view(a->ssp, b->ssp) && a->group == b->group && a->three == b->three;
}

static inline bool same_block(const struct block *a, const struct block *b)
{
	return a->type == b->type && a->number == b->number && a->flags == b->flags &&
	       a->crc_type == b->crc_type && same_view(a->whole, b->whole) &&
	       same_view(a->data, b->data);
}

static inline bool same_primary(const struct bundle *a, const struct bundle *b)
{
	return a->flags == b->flags && a->crc_type == b->crc_type && same_eid(&a->dest, &b->dest) &&
	       same_eid(&a->source, &b->source) && same_eid(&a->report_to, &b->report_to) &&
	       a->created_ms == b->created_ms && a->seq == b->seq &&
	       a->lifetime_ms == b->lifetime_ms && a->frag_off == b->frag_off &&
	       a->total_len == b->total_len && same_view(a->primary, b->primary);
}

static inline bool same_values(const struct bundle *a, const struct bundle *b)
{
	return a->has_prev == b->has_prev && a->has_age == b->has_age && a->has_hop == b->has_hop &&
	       a->has_cteb == b->has_cteb && a->foreign == b->foreign &&
	       same_eid(&a->prev, &b->prev) && a->age_ms == b->age_ms &&
	       a->hop_limit == b->hop_limit && a->hop_count == b->hop_count &&
	       a->cteb.seq_no == b->cteb.seq_no && a->cteb.seq_id == b->cteb.seq_id &&
	       same_eid(&a->cteb.custodian, &b->cteb.custodian);
}

static inline bool same_bundle(const struct bundle *a, const struct bundle *b)
{
	if (!same_primary(a, b) || !same_values(a, b) || a->n_blocks != b->n_blocks)
		return false;
	for (unsigned i = 0; i < a->n_blocks; i++)
		if (!same_block(&a->block[i], &b->block[i]))
			return false;
	return same_view(a->head, b->head) && same_view(a->payload, b->payload) &&
	       same_view(a->tail, b->tail);
}

static inline bool same_fault(const struct bundle_fault *a, const struct bundle_fault *b)
{
	return a->rule == b->rule && a->at == b->at && a->err == b->err &&
	       a->primary_ok == b->primary_ok;
}

#endif
