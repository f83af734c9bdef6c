/*
 * echo: bundles to an echo service of this node are answered with a new bundle to their source,
 * same payload and lifetime. Never answered: this node's own, anonymous ones, administrative
 * endpoints, and echo services, so that no two of them can keep a bundle going; and not more often,
 * nor larger ones, than configured. What is not answered is counted (echo_kept_back).
 */
#include "dtn/agent/state.h"

static enum why may_not(struct agent *a, mono now, const struct bundle *b);

bool echo_is_service(const struct agent *a, const struct eid *e)
{
	if (!a->cfg.echo || e->scheme != EID_SCHEME_IPN || e->node != a->self.node ||
		e->service == 0)
		return false;
	for (size_t i = 0; i < 3; i++)
		if (a->cfg.echo_service[i] == e->service)
			return true;
	return false;
}

void echo_answer(struct agent *a, mono now, uint64_t id, const struct bundle *b)
{
	struct own_bundle o = {.s = {.source = b->dest,
				       .dest = b->source,
				       .report_to = eid_null(),
				       .lifetime_ms = b->lifetime_ms,
				       .priority = PRIORITY_STANDARD,
				       .crc_type = a->cfg.crc_type,
				       .payload = &b->payload,
				       .n_payload = 1}};
	uint64_t answer;
	enum why why = may_not(a, now, b);

	if (why == WHY_NONE && send_own(a, now, &o, &answer) != 0)
		why = WHY_STORE_FULL;
	if (why == WHY_NONE)
		trace_point(a->trace, now, echo_answered, answer, id, b->source.node);
	else
		trace_point(a->trace, now, echo_kept_back, id, why, b->source.node);
}

static enum why may_not(struct agent *a, mono now, const struct bundle *b)
{
	struct party *party;

	if (b->source.node == NODE_NONE || b->source.node == a->self.node ||
		eid_is_admin(&b->source))
		return WHY_POLICY;
	for (size_t i = 0; i < 3; i++)
		if (b->source.scheme == EID_SCHEME_IPN &&
			b->source.service == a->cfg.echo_service[i])
			return WHY_POLICY;
	if (a->cfg.echo_max_bytes != 0 && b->payload.n > a->cfg.echo_max_bytes)
		return WHY_OVERSIZE;
	party = &a->party[party_find(a, now, b->source.node)];
	return party_rate(&party->echoed, now, a->echo_each) && rate_take(&a->echo_rate, now)
		       ? WHY_NONE
		       : WHY_RATE_LIMIT;
}
