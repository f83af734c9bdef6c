/*
 * import: bundles that `owlt store import` put into the store while no node ran: rows whose payload is a whole
 * bundle as it came from a file, without a head (RECORD_IMPORTED). After the next start each is received
 * as from nobody, on no link, so that everything that holds for arrivals holds for it: duplicates, security,
 * quotas, custody. A part of them a tick; when the stage is full the rest waits for a commit. What is refused
 * for another reason stays for the next start, until it expires.
 */
#include "dtn/agent/state.h"

#define NO_LINK UINT16_MAX

#define ROWS_A_TICK 1024u

static enum why import_one(struct agent *a, mono now, uint64_t id, const struct record *r);

bool import_is_due(const struct agent *a)
{
	return a->n_import > 0 && !a->import_waits;
}

void import_tick(struct agent *a, mono now)
{
	struct record r;
	struct view v;

	for (unsigned n = 0; n < ROWS_A_TICK && import_is_due(a); n++) {
		uint64_t id = a->import_at;

		if (!store_next(a->store, STORE_BUNDLE, &id, &v)) {
			a->n_import = 0;
			return;
		}
		if (record_decode(v, &r) == 0 && r.flags & RECORD_IMPORTED) {
			enum why why = import_one(a, now, id, &r);

			a->import_waits = why == WHY_STAGE_FULL;
			if (a->import_waits)
				return;
			if (why == WHY_NONE)
				store_delete(a->store, id);
			a->n_import--;
		}
		a->import_at = id;
	}
}

void record_import(struct record *r, const struct bundle *b, dtntime now)
{
	uint64_t age = b->has_age ? b->age_ms : 0;

	if (b->created_ms != 0 && now > b->created_ms && now - b->created_ms > age)
		age = now - b->created_ms;
	uint64_t left = age > b->lifetime_ms ? 0 : b->lifetime_ms - age + 1;
	*r = (struct record){.flags = RECORD_IMPORTED,
		.received_ms = now,
		.expiry_ms = u64_add_sat(now, left),
		.age_ms = b->has_age ? b->age_ms : 0,
		.prev_node = NODE_NONE,
		.dest_scheme = b->dest.scheme,
		.dest_service = b->dest.service,
		.dest_node = b->dest.node,
		.size_bytes = b->head.n + b->payload.n + b->tail.n,
		.payload_bytes = b->payload.n,
		.tail_bytes = b->tail.n,
		.source_node = b->source.node};
	bundle_uid(b, r->uid);
}

/* WHY_NONE: it is taken, known or over. */
static enum why import_one(struct agent *a, mono now, uint64_t id, const struct record *r)
{
	dtntime clock = agent_dtn(a, now);
	struct view bytes;

	if (r->expiry_ms <= clock)
		return WHY_NONE;
	if (store_payload(a->store, (struct slice){id, 0, r->size_bytes}, &bytes) != 0)
		return WHY_OTHER;
	a->import_age_ms = clock > r->received_ms ? clock - r->received_ms : 0;
	a->is_importing = true;
	a->import_refused = WHY_NONE;
	agent_receive(a, now, NO_LINK, NODE_NONE, bytes);
	a->is_importing = false;
	a->import_age_ms = 0;
	return a->import_refused;
}
