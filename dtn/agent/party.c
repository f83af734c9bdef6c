/*
 * party: what other nodes cost us. One row a node, taken at the start and found by keyed hash:
 * as source of bundles how many a second it brings and how much of the store it fills, and when it
 * was last sent a status report or an echo. So one source can neither fill the store nor take all
 * of our time, and nobody can make us flood a third node with reports.
 *
 * Sets of four rows: a new node takes a row that counts nothing, the one longest unused; where
 * there is none it shares row 0 with all others like it, and their limits with them. Sources
 * without a node number (anonymous, unknown scheme) are one party. A source is a claim as long as
 * nobody verifies it: who forges many of them is bounded by the store's own limits.
 *
 * Rates are kept as one time: when the next would be on time if all came evenly; up to one second's
 * worth may come at once. Start reading at party_find().
 */
#include "dtn/agent/state.h"

#include <stdlib.h>

#define WAYS 4u

static int64_t interval(uint64_t per_s)
{
	return per_s == 0 ? 0 : per_s >= US_PER_S ? 1 : US_PER_S / (int64_t)per_s;
}

int party_init(struct agent *a)
{
	size_t sets = 1;

	while (sets * WAYS < a->cfg.max_parties)
		sets *= 2;
	a->party_mask = sets - 1;
	a->party = calloc(1 + sets * WAYS, sizeof *a->party);
	a->source_each = interval(a->cfg.source_per_s);
	a->report_each = interval(a->cfg.reports_per_node_s);
	a->echo_each = interval(a->cfg.echo_per_node_s);
	return a->party ? 0 : -ENOMEM;
}

unsigned party_find(struct agent *a, mono now, node_id node)
{
	struct party *last = &a->party[a->last_party];
	size_t set, idle = 0;

	if (last->is_taken && last->node == node) { /* bundles of one source come in runs */
		last->used = now;
		return a->last_party;
	}
	set = 1 + (hash_u64s(a->key, &node, 1) & a->party_mask) * WAYS;

	for (size_t i = set; i < set + WAYS; i++) {
		struct party *p = &a->party[i];

		if (p->is_taken && p->node == node) {
			p->used = now;
			return a->last_party = (unsigned)i;
		}
		if (p->n_bundles == 0 && (idle == 0 || p->used < a->party[idle].used))
			idle = i;
	}
	/* What it still owes to a rate is forgotten with a row: only one that is up to date goes. */
	if (idle == 0 || (a->party[idle].is_taken && a->party[idle].used > now - US_PER_S))
		return 0;
	a->party[idle] = (struct party){.node = node, .is_taken = true, .used = now};
	return a->last_party = (unsigned)idle;
}

void party_hold(struct agent *a, unsigned party, uint64_t bytes)
{
	a->party[party].n_bundles++;
	a->party[party].bytes += bytes;
}

void party_let_go(struct agent *a, unsigned party, uint64_t bytes)
{
	a->party[party].n_bundles--;
	a->party[party].bytes -= bytes;
}

/* May it store so much more? */
bool party_has_room(const struct agent *a, unsigned party, uint64_t bytes)
{
	const struct party *p = &a->party[party];

	return p->n_bundles < a->most_bundles && p->bytes <= a->most_bytes &&
	       bytes <= a->most_bytes - p->bytes;
}

bool party_rate(mono *due, mono now, int64_t each)
{
	if (each == 0)
		return true;
	if (*due < now)
		*due = now;
	if (*due - now > US_PER_S - each)
		return false;
	*due += each;
	return true;
}
