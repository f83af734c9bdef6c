/*
 * expire: time. One heap holds each bundle at the earlier of its expiry and its custody timer;
 * beside it are the known ones' expiry and the pending signals. RFC 9171 5.5: expired bundles are
 * deleted.
 *
 * A million bundles may end in one moment. So a turn does TURN_MAX of them and the deadline stays in the
 * past until all are done; meanwhile those that are left neither leave (agent_next()) nor are handed over
 * (deliver_event()).
 */
#include "dtn/agent/state.h"

mono agent_deadline(const struct agent *a)
{
	const struct heap_node *h = heap_min(&a->timers);
	mono at = mono_min(gather_deadline(&a->signals), known_deadline(a));

	at = mono_min(at, mono_min(gather_deadline(&a->crs.out), bibe_deadline(a)));
	at = mono_min(at, mono_min(gather_deadline(&a->bibe.answers), transmission_deadline(a)));
	at = mono_min(at, mono_min(reassemble_deadline(a), security_deadline(a)));
	if (store_has_damaged(a->store) || import_is_due(a) || !list_empty(&a->again))
		at = 0;

	return h ? mono_min(at, h->key) : at;
}

void agent_tick(struct agent *a, mono now)
{
	disk_tick(a, now);
	damaged_tick(a, now);
	import_tick(a, now);
	expire_tick(a, now);
	forward_tick(a, now);
	reassemble_tick(a, now);
	security_tick(a, now);
	known_tick(a, now);
	gather_tick(a, now, &a->signals);
	gather_tick(a, now, &a->crs.out);
	gather_tick(a, now, &a->bibe.answers);
	transmission_tick(a, now);
	bibe_output(a, now);
}

/* RFC 9171 4.3.1/7, 5.5/2, 5.5/3, 5.5/3b */
void expire_tick(struct agent *a, mono now)
{
	struct heap_node *h;

	for (unsigned n = 0; n < TURN_MAX && (h = heap_min(&a->timers)) && h->key <= now; n++) {
		struct bundle_entry *e = container_of(h, struct bundle_entry, timer);

		if (e->expiry > now)
			custody_due(a, now, e);
		else
			expire_entry(a, now, e);
	}
}

void expire_entry(struct agent *a, mono now, struct bundle_entry *e)
{
	delete_entry(a, now, reassemble_head(e),
		e->flags & E_OVERRIDE ? REASON_TRAFFIC_PARED : REASON_EXPIRED);
}
