/*
 * delete: the end of a bundle here: deletion with a reason (RFC 9171 5.10), release when others
 * have it, and requests to give up (5.12). What is gone stays known until it would have expired
 * (known.c): as a row in the same batch as the deletion if the bundle was durable, else in memory.
 */
#include "dtn/agent/state.h"

static void bury(struct agent *a, mono now, struct bundle_entry *e);
static bool is_of(struct view value, const uint64_t uid[2]);

/* RFC 9171 5.12/1, 5.12/2. Whoever has it by now keeps it: only what is here can be given up. */
int agent_cancel(
	struct agent *a, mono now, const struct eid *source, dtntime created_ms, uint64_t seq)
{
	const struct bundle b = {.source = *source, .created_ms = created_ms, .seq = seq};
	uint64_t id = 0, n = 0, uid[2];
	struct view v;

	if (source->node != a->self.node)
		return -E_NOT_OURS;
	bundle_uid(&b, uid);
	while (store_next(a->store, STORE_BUNDLE, &id, &v)) {
		struct bundle_entry *e = is_of(v, uid) ? entry_by_id(a, id) : NULL;

		if (!e || e->state == ENTRY_ACKED)
			continue;
		delete_entry(a, now, e, REASON_CANCELLED);
		n++;
	}
	return n > 0 ? 0 : -E_UNKNOWN;
}

/* The bundle itself, or a fragment of it, by its record: no head is read. */
static bool is_of(struct view value, const uint64_t uid[2])
{
	struct record r;
	bool is_good = record_decode(value, &r) == 0;
	const uint64_t *of = r.flags & RECORD_FRAGMENT ? r.adu_uid : r.uid;

	return is_good && of[0] == uid[0] && of[1] == uid[1];
}

/* RFC 9171 5.10-1, 5.10-2 */
void delete_entry(struct agent *a, mono now, struct bundle_entry *e, enum reason reason)
{
	report_entry(a, now, e, STATUS_DELETED, reason);
	trace_point(a->trace, now, bundle_deleted, entry_id(e), reason);
	bury(a, now, e);
}

void release_entry(struct agent *a, mono now, struct bundle_entry *e, enum why why)
{
	trace_point(a->trace, now, bundle_released, entry_id(e), why);
	bury(a, now, e);
}

/* A bundle that was never stored. */
void drop_passing(
	struct agent *a, mono now, uint64_t id, const struct bundle *b, enum reason reason)
{
	report_bundle(a, now, id, b, STATUS_DELETED, reason);
	trace_point(a->trace, now, bundle_deleted, id, reason);
}

/* What belongs to an entry beside it; its record can still be read. */
void entry_forget(struct agent *a, mono now, struct bundle_entry *e)
{
	deliver_forget(a, e);
	if (!(e->flags & E_SPLIT))
		return;
	if (e->flags & E_LOCAL)
		reassemble_forget(a, now, e);
	else
		fragment_forget(a, e);
}

/* RFC 9171 5.11/1 */
static void bury(struct agent *a, mono now, struct bundle_entry *e)
{
	uint64_t uid[2];
	bool was_written = store_is_committed(a->store, entry_id(e));

	entry_uid(a, e, uid);
	/* One tombstone for all of an ADU, none for fragments that wait for others. */
	bool is_known = reassemble_is_part(e) ? reassemble_uid(e, uid) : true;

	if (e->expiry > now && is_known) {
		struct known *k = known_add(
			a, KNOWN_GONE, (const uint64_t[4]){uid[0], uid[1], 0, 0}, e->expiry);

		k->bundle_id = entry_id(e);
		if (was_written)
			known_write(a, k);
	}
	entry_forget(a, now, e);
	store_delete(a->store, entry_id(e));
	entry_free(a, e);
}
