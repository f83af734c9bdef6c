/* Three agents in a row: see chain.h. */
#include "tests/unit/agent/chain.h"

#include <criterion/criterion.h>
#include <stdio.h>

const node_id chain_n2[1] = {2}, chain_n13[2] = {1, 3};

void chain_make(struct chain *x)
{
	side_init(&x->a, 1, chain_n2, 1, 2);
	side_init(&x->b, 2, chain_n13, 2, NODE_NONE);
	side_init(&x->c, 3, chain_n2, 1, 2);
	x->a.cfg.signal_count = x->b.cfg.signal_count = x->c.cfg.signal_count = 1;
}

void chain_start(struct chain *x)
{
	side_start(&x->a, chain_n2, 1);
	side_start(&x->b, chain_n13, 2);
	side_start(&x->c, chain_n2, 1);
}

void chain_init(struct chain *x)
{
	chain_make(x);
	chain_start(x);
}

void chain_fini(struct chain *x)
{
	side_fini(&x->a);
	side_fini(&x->b);
	side_fini(&x->c);
}

void chain_send(struct chain *x)
{
	cr_assert_eq(side_send(&x->a, 3, 5, HOUR_MS, true), 0);
	side_commit(&x->a, 0);
	cr_assert_eq(agent_queued(x->a.agent, 0), 1);
}

void settle(struct side *s)
{
	side_commit(s, 0);
	side_commit(s, 0);
}

struct custody_neighbour *chain_neighbour(struct side *s, const char *node)
{
	struct custody_neighbour *n = &s->cfg.custody_neighbour[s->cfg.n_custody_neighbours++];

	*n = (struct custody_neighbour){.accept = true};
	snprintf(n->node, sizeof n->node, "%s", node);
	return n;
}

struct agent_bundle chain_held(const struct side *s)
{
	struct agent_bundle b = {0};
	uint64_t id = 0;

	cr_assert(agent_next_held(s->agent, &id, &b));
	cr_assert(b.custody);
	return b;
}

struct bundle chain_read(const struct flight *f, unsigned profile)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct bundle b;

	rules.allow_no_primary_crc = true;
	if (profile == PROFILE_BPLIB)
		rules.custody = custody_codes_bplib();
	cr_assert_eq(bundle_read(&b, view_of(f->bytes, f->n), &rules, &fault), 0, "%s",
		rule_name(fault.rule));
	return b;
}

void chain_listen(struct side *s)
{
	trace_fini(&s->trace);
	cr_assert_eq(trace_init(&s->trace, 256), 0);
}
