/*
 * custodian: what is known of other custodians: the settings of custody.neighbours, completed by the
 * defaults, and counts. A row for each that a setting or a link names, and one for all others, so
 * that strangers cost nothing. Start reading at custodian_find().
 */
#include "bundle/bpsec.h"
#include "dtn/agent/state.h"

#include <stdio.h>
#include <stdlib.h>

_Static_assert(CUSTODIANS_MAX == 1 + CUSTODY_NEIGHBOURS_MAX + NEIGHBOURS_MAX, "a row for each");

static void row_add(struct agent *a, const struct custodian *c);
static bool is_node(const struct hash_node *x, const void *node);
static struct custodian defaults(const struct agent_cfg *cfg, unsigned profile);
static uint8_t sequence_of(unsigned sequence, unsigned profile);
static bool is_same_node(const char *x, const char *y);
static bool serves_otherwise(const struct agent_cfg *cfg, const char *key);
static int fault(struct schema_error *e, size_t k, const char *field, const char *text);
static int list_read(struct custody_list *l, const struct custody_pattern *text, size_t n);

int custodian_init(struct agent *a)
{
	const struct agent_cfg *cfg = &a->cfg;
	int err;

	a->custodian = calloc(CUSTODIANS_MAX, sizeof *a->custodian);
	err = a->custodian ? hash_reserve(&a->by_node, CUSTODIANS_MAX) : -ENOMEM;
	if (err != 0)
		return err;
	a->custodian[a->n_custodians++] = defaults(cfg, cfg->custody_profile);
	for (size_t i = 0; i < cfg->n_custody_neighbours; i++) {
		const struct custody_neighbour *n = &cfg->custody_neighbour[i];
		struct custodian c =
			defaults(cfg, n->profile ? n->profile - 1 : cfg->custody_profile);
		struct eid e;

		if (eid_parse_node(n->node, &e) != 0 || custodian_find(a, e.node)->node == e.node)
			return -E_CONFIG;
		c.node = e.node;
		if (n->sequence != SEQUENCE_DEFAULT)
			c.sequence = (uint8_t)n->sequence;
		c.accept = n->accept;
		c.passes = n->passes;
		row_add(a, &c);
	}
	err = list_read(&a->custody_from, cfg->custody_from, cfg->n_custody_from);
	err = err ? err
		  : list_read(&a->custody_sources, cfg->custody_sources, cfg->n_custody_sources);
	return err ? err
		   : list_read(&a->custody_request, cfg->custody_request, cfg->n_custody_request);
}

void custodian_fini(struct agent *a)
{
	hash_fini(&a->by_node);
	free(a->custodian);
}

struct custodian *custodian_add(struct agent *a, node_id node)
{
	struct custodian c = defaults(&a->cfg, a->cfg.custody_profile);

	assert(node != NODE_NONE);
	c.node = node;
	if (custodian_find(a, node)->node != node)
		row_add(a, &c);
	return custodian_find(a, node);
}

struct custodian *custodian_find(const struct agent *a, node_id node)
{
	struct hash_node *h = hash_find(&a->by_node, hash_mix(node), is_node, &node);

	return h ? container_of(h, struct custodian, by_node) : &a->custodian[0];
}

size_t agent_custodians(const struct agent *a, struct custodian_stats *out)
{
	struct hash_node *h = NULL;

	for (size_t i = 0; i < a->n_custodians; i++) {
		const struct custodian *c = &a->custodian[i];

		out[i] = (struct custodian_stats){.node = c->node,
			.profile = custody_profile_words[c->profile],
			.sequence = custody_sequence_words[c->sequence],
			.accept = c->accept && a->cfg.custody_accept,
			.passes = c->passes,
			.authenticated = c->key != NULL,
			.n_taken = c->n_taken,
			.n_signals_tx = c->n_signals_tx,
			.n_signals_rx = c->n_signals_rx,
			.n_not_believed = c->n_not_believed,
			.declined = c->declined};
	}
	while ((h = hash_next(&a->by_id, h))) {
		const struct bundle_entry *e = container_of(h, struct bundle_entry, by_id);
		const struct custodian *c = a->custodian;

		if (!(e->flags & E_CUSTODY))
			continue;
		if (e->neighbour != NO_NEIGHBOUR)
			c = custodian_find(a, a->neighbour[e->neighbour].node);
		if (e->state == ENTRY_AWAIT)
			out[c - a->custodian].n_awaiting++;
		else
			out[c - a->custodian].n_held++;
	}
	return a->n_custodians;
}

struct custodian *custodian_of(const struct agent *a, size_t k)
{
	return &a->custodian[1 + k];
}

void custodian_signed(
	const struct agent *a, struct arrival *in, const struct key *key, uint64_t block)
{
	if (custodian_find(a, in->b->source.node)->key != key)
		return;
	in->is_signed |= block == 0 ? SIGNED_PRIMARY : block == 1 ? SIGNED_PAYLOAD : 0;
}

bool custody_has_keys(const struct agent_cfg *cfg)
{
	for (size_t k = 0; k < cfg->n_custody_neighbours; k++)
		if (*cfg->custody_neighbour[k].key)
			return true;
	return false;
}

int custody_check(const struct agent_cfg *cfg, const struct keyring *keys, struct schema_error *e)
{
	for (size_t k = 0; k < cfg->n_custody_neighbours; k++) {
		const struct custody_neighbour *n = &cfg->custody_neighbour[k];
		const struct key *key = keys ? keyring_find(keys, view_text(n->key)) : NULL;

		for (size_t j = 0; j < k; j++)
			if (is_same_node(n->node, cfg->custody_neighbour[j].node))
				return fault(e, k, "node", "is named twice");
		if (!keys || !*n->key)
			continue;
		if (!key)
			return fault(e, k, "key", "security.keys has no such key");
		if (key->kind != KEY_HMAC || !key_serves(key, BLOCK_BIB, BPSEC_HMAC_SHA2, true))
			return fault(e, k, "key", "an hmac key of context 1 is required");
		if (serves_otherwise(cfg, n->key))
			return fault(e, k, "key", "serves another context already (RFC 9173 6.2)");
	}
	return 0;
}

/* There is a place and a bucket for each: nothing can fail. */
static void row_add(struct agent *a, const struct custodian *c)
{
	struct custodian *row = &a->custodian[a->n_custodians++];
	int err;

	assert(a->n_custodians <= CUSTODIANS_MAX);
	*row = *c;
	err = hash_insert(&a->by_node, &row->by_node, hash_mix(row->node));
	assert(err == 0);
}

/* Peers choose what is looked for, not what is in the table: its hash needs no key. */
static bool is_node(const struct hash_node *x, const void *node)
{
	return container_of(x, struct custodian, by_node)->node == *(const node_id *)node;
}

static bool is_same_node(const char *x, const char *y)
{
	struct eid a, b;

	return eid_parse_node(x, &a) == 0 && eid_parse_node(y, &b) == 0 && a.node == b.node;
}

static bool serves_otherwise(const struct agent_cfg *cfg, const char *key)
{
	for (size_t j = 0; j < cfg->security.n_rules; j++) {
		const struct security_rule_cfg *r = &cfg->security.rule[j];

		if (strcmp(r->key, key) == 0 && r->context != CONTEXT_HMAC &&
			r->context != CONTEXT_DEFAULT)
			return true;
	}
	return false;
}

static int fault(struct schema_error *e, size_t k, const char *field, const char *text)
{
	snprintf(e->path, sizeof e->path, "custody.neighbours[%zu].%s", k, field);
	snprintf(e->text, sizeof e->text, "%s", text);
	e->line = 0;
	return -E_CONFIG;
}

static struct custodian defaults(const struct agent_cfg *cfg, unsigned profile)
{
	return (struct custodian){.node = NODE_NONE,
		.neighbour = NO_NEIGHBOUR,
		.profile = (uint8_t)profile,
		.sequence = sequence_of(cfg->custody_sequence, profile),
		.accept = true};
}

static uint8_t sequence_of(unsigned sequence, unsigned profile)
{
	if (sequence != SEQUENCE_DEFAULT)
		return (uint8_t)sequence;
	return profile == PROFILE_BPLIB ? SEQUENCE_CONTACT : SEQUENCE_FIXED;
}

static int list_read(struct custody_list *l, const struct custody_pattern *text, size_t n)
{
	int err = 0;

	for (l->n = 0; !err && l->n < n; l->n++)
		err = eid_pattern_parse(text[l->n].text, &l->pattern[l->n]);
	return err ? -E_CONFIG : 0;
}
