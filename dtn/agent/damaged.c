/*
 * damaged: bundles whose stored bytes turned out to be damaged. The store tells each once and gives out none of
 * its bytes; here the bundle is deleted for reason 8 and counted, and the store sets aside what is left of
 * it. Custody of such a bundle is a promise that the disk has broken: it is counted apart, for the
 * status. Whoever meets an unreadable bundle just leaves it; it goes with the next tick. Told here, too: that
 * the store's disk is short of room, and is not any more.
 */
#include "dtn/agent/state.h"

void damaged_tick(struct agent *a, mono now)
{
	uint64_t id;

	while (store_damaged(a->store, &id)) {
		struct bundle_entry *e = entry_by_id(a, id);
		bool custody = e && e->flags & E_CUSTODY;

		trace_point(a->trace, now, bundle_damaged, id, custody, e ? e->size : 0);
		a->n_damaged_custody += custody;
		if (e && e->state == ENTRY_ACKED)
			continue; /* delivered: its tombstone says so, and its bytes go with the batch */
		if (e)
			delete_entry(a, now, reassemble_head(e), REASON_UNINTELLIGIBLE);
	}
}

void disk_tick(struct agent *a, mono now)
{
	uint64_t n_free;
	bool is_short = store_is_short(a->store, &n_free);

	if (is_short == a->is_disk_short)
		return;
	a->is_disk_short = is_short;
	trace_point(a->trace, now, disk_short, is_short, n_free);
}

/* What a read of the store came to, for those who can try it later again. */
int damaged_err(int err)
{
	return err == -ENOMEM ? -E_AGAIN : -E_CORRUPT;
}
