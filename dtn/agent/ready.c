/*
 * ready: the start and the end of a node's security: its rules read once, their keys in a ring of our own,
 * what is derived from the secret of this start (content keys under a KEK, salts of IVs), the rules that
 * custodians' keys mean, and the rooms in which bundles are worked on. After the start nothing is
 * allocated here and no key is read. Start reading at security_new().
 */
#include "dtn/agent/bpsec.h"

#include <stdlib.h>

static int read_rules(struct agent *a, struct security *s, const struct keyring *lab);
static int read_signal_rules(
	struct agent *a, struct security *s, const struct keyring *keys, size_t k);
static int ready(struct agent *a, struct security *s, struct ready_rule *r);
static int derive(const struct agent *a, const char *what, uint64_t number, uint8_t *out, size_t n);
static int take_rooms(struct security *s);

int security_new(struct agent *a)
{
	const struct security_cfg *cfg = &a->cfg.security;
	struct security *s = a->security = calloc(1, sizeof *s);
	struct keyring *lab = NULL;
	int err = s ? 0 : -ENOMEM;

	if (err || (cfg->n_rules == 0 && !custody_has_keys(&a->cfg)))
		return err;
	if (cfg->n_lab_keys > 0)
		err = security_lab_ring(cfg, &lab, &(struct schema_error){0});
	if (!err && !(s->ring = keyring_new()))
		err = -ENOMEM;
	err = err ? err : read_rules(a, s, lab);
	keyring_free(lab);
	if (!err && !(s->worker = bpsec_new(s->ring)))
		err = -ENOMEM;
	s->at_once = cfg->step_bytes > ADMIN_RECORD_MAX ? cfg->step_bytes : ADMIN_RECORD_MAX;
	s->budget = cfg->step_bytes;
	err = err ? err : take_rooms(s);
	err = err ? err : steps_init(a);
	err = err ? err : protect_init(a);
	crypto_wipe(a->deps.secret, sizeof a->deps.secret);
	a->deps.keys = NULL; /* the caller's */
	return err;
}

void security_free(struct agent *a)
{
	struct security *s = a->security;

	if (!s)
		return;
	steps_fini(a);
	protect_fini(a);
	bpsec_free(s->worker);
	if (s->ring)
		keyring_free(s->ring);
	for (unsigned k = 0; k < ROOMS; k++) {
		if (s->room[k])
			crypto_wipe(s->room[k], s->cap[k]);
		free(s->room[k]);
	}
	crypto_wipe(s, sizeof *s);
	free(s);
}

struct buf security_room(const struct security *s, const struct bundle *b, unsigned pair)
{
	const uint8_t *first = s->room[pair];
	bool in_first = first && b->primary.p >= first && b->primary.p < first + s->cap[pair];

	return buf_of(s->room[pair + in_first], s->cap[pair + in_first]);
}

int64_t security_context_number(const struct security_rule *r)
{
	return r->context == CONTEXT_HMAC  ? BPSEC_HMAC_SHA2
	       : r->context == CONTEXT_GCM ? BPSEC_AES_GCM
					   : BPSEC_COSE;
}

static int read_rules(struct agent *a, struct security *s, const struct keyring *lab)
{
	const struct security_cfg *cfg = &a->cfg.security;
	const struct keyring *keys = lab ? lab : a->deps.keys;
	struct schema_error e;
	int err = 0;

	if (cfg->n_rules > 0 && !keys)
		return -E_CONFIG;
	for (size_t k = 0; !err && k < cfg->n_rules; k++) {
		struct ready_rule *r = &s->rule[k];

		err = security_rule_read(cfg, k, keys, &r->is, &e);
		err = err ? err : ready(a, s, r);
		s->n_rules++;
		s->n_in += r->is.role != ROLE_SOURCE;
		s->n_out += r->is.role == ROLE_SOURCE;
	}
	for (size_t k = 0; !err && k < a->cfg.n_custody_neighbours; k++)
		if (*a->cfg.custody_neighbour[k].key)
			err = read_signal_rules(a, s, keys, k);
	for (unsigned k = 0; !err && k < keyring_count(s->ring); k++) {
		s->failures[k] = (struct bucket){
			.per_s = cfg->failures_per_s, .level = cfg->failures_per_s * 1000};
		err = derive(a, "owlt iv salt", k, s->salt[k], sizeof s->salt[k]);
	}
	return err;
}

/* What a custodian's key means: its signals to us and ours to it are signed, payload and primary block.
 * What is not as it should be is no reason to drop a bundle: signal.c does not believe it. */
static int read_signal_rules(
	struct agent *a, struct security *s, const struct keyring *keys, size_t k)
{
	static const struct security_rule_cfg cfg = {
		.scope = 7, .missing = ACTION_KEEP, .unknown = ACTION_KEEP, .failed = ACTION_KEEP};
	const struct custody_neighbour *n = &a->cfg.custody_neighbour[k];
	const struct key *key = keys ? keyring_find(keys, view_text(n->key)) : NULL;
	struct eid_pattern us = {.eid = a->self}, them = {0};
	int err = key && key->kind == KEY_HMAC ? eid_parse_node(n->node, &them.eid) : -E_CONFIG;

	for (unsigned i = 0; !err && i < 4; i++) {
		bool is_out = i < 2;
		struct ready_rule *r = &s->rule[s->n_rules++];

		*r = (struct ready_rule){.is_signal = true,
			.is = {.cfg = &cfg,
				.source = is_out ? us : them,
				.destination = is_out ? them : us,
				.role = is_out ? ROLE_SOURCE : ROLE_ACCEPTOR,
				.block = i % 2 ? BLOCK_PAYLOAD : 0,
				.is_integrity = true,
				.context = CONTEXT_HMAC,
				.key = key}};
		err = ready(a, s, r);
		s->n_in += !is_out;
		s->n_out += is_out;
		custodian_of(a, k)->key = r->is.key;
	}
	return err;
}

/* The rule's key goes into our own ring; a KEK gets a key to wrap. */
static int ready(struct agent *a, struct security *s, struct ready_rule *r)
{
	const struct key *given = r->is.key;
	bool is_kek = given->kind == KEY_KEK128 || given->kind == KEY_KEK256;
	int err = 0;

	if (!keyring_find(s->ring, view_text(given->id)))
		err = keyring_add(s->ring, given);
	r->is.key = keyring_find(s->ring, view_text(given->id));
	if (err || !is_kek)
		return err;
	r->content_alg = r->is.is_integrity          ? CRYPTO_HMAC_384
			 : given->kind == KEY_KEK128 ? CRYPTO_A128GCM
						     : CRYPTO_A256GCM;
	r->n_content_key = r->is.is_integrity ? 48 : given->kind == KEY_KEK128 ? 16 : 32;
	return derive(
		a, "owlt content key", (uint64_t)(r - s->rule), r->content_key, r->n_content_key);
}

static int derive(const struct agent *a, const char *what, uint64_t number, uint8_t *out, size_t n)
{
	uint8_t sum[CRYPTO_SUM_MAX];
	struct crypto *c = crypto_new(
		CRYPTO_HMAC_512, view_of(a->deps.secret, sizeof a->deps.secret), (struct view){0});
	int err = c ? crypto_begin(c, CRYPTO_MAKE, (struct view){0}) : -ENOMEM;

	if (!err) {
		crypto_feed(c, view_text(what));
		crypto_feed(c, view_of(&number, sizeof number));
		err = crypto_make(c, sum);
	}
	if (!err)
		memcpy(out, sum, n);
	crypto_wipe(sum, sizeof sum);
	crypto_free(c);
	return err;
}

/* Room for a bundle, its target's data once more, and blocks beside them (bundle/bpsec.h). */
static int take_rooms(struct security *s)
{
	for (unsigned k = 0; k < ROOMS; k++) {
		uint64_t payload =
			k < ROOM_MADE ? s->at_once : 0; /* what is made goes by in parts */

		if ((k < ROOM_MADE ? s->n_in : s->n_out) == 0)
			continue;
		s->cap[k] = 2 * (payload + BUNDLE_HEAD_MAX + BPSEC_ROOM);
		s->room[k] = malloc(s->cap[k]);
		if (!s->room[k])
			return -ENOMEM;
	}
	return 0;
}
