/*
 * restore: the agent's state from what the store holds, after a restart. Every stored bundle gets
 * its entry again: custody bundles are HELD (their numbers may have been sent before, so a signal
 * for them counts; when they were sent is not stored, so they are sent again at once), bundles for applications wait, marked if they may have been handed over; others
 * are routed again. Known bundles and pairs come from their own rows. Draining is here too: the end
 * beside the start.
 */
#include "dtn/agent/state.h"

static void restore_one(struct agent *a, mono now, uint64_t id, const struct record *r);
static void restore_part(struct agent *a, mono now, struct bundle_entry *e, const struct record *r);

int restore_all(struct agent *a, mono now)
{
	struct store_stats st;
	uint64_t id = 0;
	struct record r;
	struct view v;
	int err = known_restore(a, now);

	if (err != 0)
		return err;
	a->is_restoring = true;
	a->committed = store_seq(a->store) - 1;
	while (store_next(a->store, STORE_BUNDLE, &id, &v)) {
		if (a->entries.n_free == 0)
			return -E_LIMIT; /* more is kept than max_bundles: give up nothing */
		err = record_decode(v, &r);
		if (err == -E_VERSION)
			return err; /* a younger release wrote it: it is not ours to give up */
		if (err != 0) {
			store_delete(a->store, id);
			trace_point(a->trace, now, bundle_deleted, id, REASON_UNINTELLIGIBLE);
			continue;
		}
		if (r.flags & RECORD_IMPORTED)
			a->n_import++;
		else
			restore_one(a, now, id, &r);
	}
	reassemble_restored(a, now);
	a->is_restoring = false;
	store_stats(a->store, &st);
	trace_point(a->trace, now, node_start, a->boot, a->by_id.n, a->n_custody, st.bytes);
	return 0;
}

bool agent_drain(struct agent *a, mono now)
{
	a->is_draining = true;
	gather_flush(a, now, &a->signals);
	gather_flush(a, now, &a->crs.out);
	gather_flush(a, now, &a->bibe.answers);
	promise_settle(a, now);
	return !gather_is_pending(&a->signals) && !gather_is_pending(&a->crs.out) &&
	       !gather_is_pending(&a->bibe.answers) && list_empty(&a->promised) &&
	       list_empty(&a->done);
}

static void restore_one(struct agent *a, mono now, uint64_t id, const struct record *r)
{
	struct bundle_entry *e = entry_add(a, now, id, r);
	mono expiry = clock_restored_expiry(a, now, r);

	assert(e);
	e->seq = 0;
	if (expiry != e->expiry) {
		e->expiry = expiry;
		entry_set_due(a, e, MONO_NEVER);
	}
	if (e->flags & E_CUSTODY) {
		e->flags |= E_SENT;
		e->custody |= custody_has_keys(&a->cfg) ? C_SIGNED : 0; /* to whom is not known */
	}
	if (e->flags & E_HANDED)
		e->flags |= E_REDELIVERED;
	if (e->flags & E_LOCAL && r->flags & RECORD_FRAGMENT) {
		restore_part(a, now, e, r);
	} else if (e->flags & E_LOCAL) {
		entry_set_state(a, e, ENTRY_FOR_APP);
		list_push_back(&a->unclaimed, &e->link);
	} else {
		entry_set_state(a, e, ENTRY_WAITING); /* agent_changed() routes it */
		list_push_back(&a->waiting, &e->link);
	}
}

/* Limits may be lower than they were: what finds no room is given up. */
static void restore_part(struct agent *a, mono now, struct bundle_entry *e, const struct record *r)
{
	int err;

	entry_set_state(a, e, ENTRY_REASSEMBLY);
	err = reassemble_join(a, now, e, r);
	if (err == -E_DUPLICATE)
		release_entry(a, now, e, WHY_COVERED);
	else if (err != 0)
		delete_entry(a, now, e, REASON_DEPLETED_STORAGE);
}
