/*
 * bpsec: what is done about the security operations of a bundle that arrived, RFC 9172 5.1, before
 * anything of it is believed: BCBs that this node accepts are decrypted, then BIBs checked, one
 * operation after the other; an operation that is accepted goes out of the bundle. The destination
 * accepts everything that is left. A node that no rule concerns passes the bundle on untouched.
 *
 * By the rules (policy.h) an operation may be missing (reason 12), not understood or without a key
 * (13), or failed (15); operations that break RFC 9172 are 16, blocks that can't be read 8. What was
 * decrypted stands in memory of our own until its tag was right. Fragments are looked at when they are
 * whole again (security_whole).
 *
 * A bundle of at most security.max_bytes is worked on in one step; the room for it is taken at the
 * start. Start reading at security_arrived().
 */
#include "dtn/agent/bpsec.h"

#include "bundle/rule.h"

#include <stdlib.h>

/* A bundle under examination. */
struct check {
	struct agent *a;
	struct security *s;
	mono now;
	struct arrival *in;
	struct bundle *b;
	struct ready_rule *rule[READY_RULES_MAX]; /* that concern it, in their order */
	size_t n_rules;
	struct { /* operations that were dealt with */
		uint64_t type, number;
	} done[BPSEC_OPS_MAX];
	unsigned n_done;
};

static enum reason examine(struct check *c);
static enum reason broken(struct check *c);
static bool next_op(struct check *c, struct bpsec_op *op);
static enum reason one(struct check *c, const struct bpsec_op *op);
static enum reason without_rule(struct check *c, const struct bpsec_op *op);
static int attempt(struct check *c, const struct bpsec_op *op, const struct ready_rule *r);
static int replace(struct check *c, struct buf *w);
static enum reason missing(struct check *c);
static enum reason punish(
	struct check *c, const struct ready_rule *r, enum why why, uint64_t number);
static enum reason strip(struct check *c, uint64_t number);
static void tell(struct check *c, enum why why, uint64_t number);

bool security_is_secured(const struct bundle *b)
{
	for (unsigned i = 0; i + 1 < b->n_blocks; i++)
		if (b->block[i].type == BLOCK_BIB || b->block[i].type == BLOCK_BCB)
			return true;
	return false;
}

/* RFC 9171 8/1, 8/2 */
enum reason security_arrived(struct agent *a, mono now, struct bundle *b, struct arrival *in)
{
	struct check c = {.a = a, .s = a->security, .now = now, .in = in, .b = b};
	bool secured = security_is_secured(b);

	if ((!secured && c.s->n_in == 0) || b->flags & BUNDLE_FRAGMENT)
		return REASON_NONE; /* RFC 9172 5.2 */
	for (size_t i = 0; i < c.s->n_rules; i++) {
		struct ready_rule *r = &c.s->rule[i];

		if (r->is_signal && !(b->flags & BUNDLE_ADMIN))
			break; /* they come last */
		if (r->is.role != ROLE_SOURCE && eid_pattern_has(&r->is.source, &b->source) &&
			eid_pattern_has(&r->is.destination, &b->dest))
			c.rule[c.n_rules++] = r;
	}
	if (c.n_rules == 0 && (!secured || !in->is_local))
		return REASON_NONE; /* not ours to look at */
	if (b->payload.n > a->cfg.security.max_bytes && c.n_rules > 0) {
		tell(&c, WHY_SEC_TOO_BIG, 1);
		return REASON_DEPLETED_STORAGE;
	}
	return examine(&c);
}

static enum reason examine(struct check *c)
{
	struct bpsec_op op;
	enum reason reason = broken(c);
	bool opened = false;

	while (reason == REASON_NONE && next_op(c, &op)) {
		if (op.type == BLOCK_BIB && opened)
			reason = broken(c); /* what was encrypted counts, too */
		opened = op.type == BLOCK_BCB;
		reason = reason ? reason : one(c, &op);
	}
	return reason ? reason : missing(c);
}

/* RFC 9172 3.2, 3.6 to 3.9: what no bundle may have. */
static enum reason broken(struct check *c)
{
	struct bundle_fault fault = {0};
	int err = bpsec_check(c->b, &fault);

	if (err == 0)
		return REASON_NONE;
	tell(c, WHY_SEC_CONFLICTING, 0);
	return fault.rule == RULE_SECURITY_FORM ? REASON_UNINTELLIGIBLE
						: REASON_SECURITY_CONFLICTING;
}

/* The next operation, BCBs first; BIBs that were encrypted appear when their BCB is gone. */
static bool next_op(struct check *c, struct bpsec_op *out)
{
	struct bpsec_op op[BPSEC_OPS_MAX];
	unsigned n = 0, k;

	if (bpsec_list(c->b, op, &n) != 0 || c->n_done == BPSEC_OPS_MAX)
		return false; /* broken() has seen all but what was encrypted; see one() */
	for (unsigned i = 0; i < n; i++) {
		for (k = 0; k < c->n_done; k++)
			if (c->done[k].type == op[i].type && c->done[k].number == op[i].number)
				break;
		if (k < c->n_done)
			continue;
		c->done[c->n_done].type = op[i].type;
		c->done[c->n_done++].number = op[i].number;
		*out = op[i];
		return true;
	}
	return false;
}

static const struct block *block_at(const struct bundle *b, uint64_t number)
{
	for (unsigned i = 0; i < b->n_blocks; i++)
		if (b->block[i].number == number)
			return &b->block[i];
	return NULL;
}

/* Is the rule about this operation? What encrypts a target may encrypt its BIB as well (RFC 9172 3.9). */
static bool concerns(const struct check *c, const struct ready_rule *r, const struct bpsec_op *op)
{
	const struct block *k = block_at(c->b, op->number);
	uint64_t type = k ? k->type : 0;

	if (r->is.is_integrity != (op->type == BLOCK_BIB))
		return false;
	return r->is.block == type || (!r->is.is_integrity && type == BLOCK_BIB);
}

static enum reason one(struct check *c, const struct bpsec_op *op)
{
	const struct ready_rule *unknown = NULL, *failed = NULL;
	bool limited = false;
	int err = 0;

	if (op->number != 0 && !block_at(c->b, op->number))
		return strip(c, op->number); /* its target was taken out */
	for (size_t i = 0; i < c->n_rules; i++) {
		const struct ready_rule *r = c->rule[i];

		if (!concerns(c, r, op))
			continue;
		err = attempt(c, op, r);
		if (err == 0 || err == -E_STATE)
			return REASON_NONE; /* done; or its target is still encrypted */
		limited |= err == -E_LIMIT;
		if (err == -E_AUTH || err == -E_LIMIT)
			failed = failed ? failed : r;
		else if (err == -E_UNKNOWN || err == -ENOKEY)
			unknown = unknown ? unknown : r;
		else
			break;
	}
	if (!failed && !unknown && err == 0)
		return without_rule(c, op);
	if (failed)
		return punish(c, failed, limited ? WHY_SEC_LIMITED : WHY_SEC_FAILED, op->number);
	if (unknown)
		return punish(c, unknown, WHY_SEC_UNKNOWN, op->number);
	if (err != -E_FORM)
		tell(c, err == -E_RULE ? WHY_SEC_CONFLICTING : WHY_SEC_TOO_BIG, op->number);
	return err == -E_OVERFLOW || err == -ENOMEM ? REASON_DEPLETED_STORAGE
	       : err == -E_RULE                     ? REASON_SECURITY_CONFLICTING
						    : REASON_UNINTELLIGIBLE;
}

/* RFC 9172 7.1: unexpected at a node that is neither verifier nor acceptor is no error. The
 * destination must decrypt what is left (5.1.1); a BIB without a rule is as good as none. */
static enum reason without_rule(struct check *c, const struct bpsec_op *op)
{
	if (!c->in->is_local) {
		tell(c, WHY_SEC_UNEXPECTED, op->number);
		return REASON_NONE;
	}
	if (op->type == BLOCK_BIB && c->a->cfg.security.keep_unverified) {
		tell(c, WHY_SEC_UNVERIFIED, op->number);
		return REASON_NONE;
	}
	tell(c, WHY_SEC_UNKNOWN, op->number);
	return REASON_SECURITY_UNKNOWN;
}

/* One operation by one rule: 0, or why it is not right. The primary block is accepted by the
 * destination alone, because nobody else may write it (RFC 9171 4.3.1). */
static int attempt(struct check *c, const struct bpsec_op *op, const struct ready_rule *r)
{
	struct security *s = c->s;
	struct bucket *failures = &s->failures[r->is.key->number];
	bool accepts = c->in->is_local || (r->is.role == ROLE_ACCEPTOR && op->number != 0);
	struct bpsec_accept how = {
		.op = op, .key = r->is.key, .crc = c->in->is_local ? CRC_NONE : c->a->cfg.crc_type};
	struct buf w = security_room(s, c->b, ROOM_ARRIVED);
	int err;

	if (op->context != security_context_number(&r->is))
		return -E_UNKNOWN;
	if (op->type == BLOCK_BCB && !accepts)
		return -E_STATE;
	if (!rate_take(failures, c->now))
		return -E_LIMIT; /* RFC 9173 4.6 */
	err = accepts ? bpsec_accept(s->worker, &w, c->b, &how)
		      : bpsec_verify(s->worker, c->b, op, r->is.key);
	if (err != -E_AUTH)
		failures->level += 1000;
	if (err == 0) {
		tell(c, accepts ? WHY_SEC_ACCEPTED : WHY_SEC_VERIFIED, op->number);
		custodian_signed(c->a, c->in, r->is.key, op->number);
	}
	return err || !accepts ? err : replace(c, &w);
}

/* The rewritten bundle takes the place of the one that came; what was encrypted is checked now. */
static int replace(struct check *c, struct buf *w)
{
	struct bundle_rules rules = c->a->rules_in[c->in->profile];
	struct bundle_fault fault;
	int err;

	rules.allow_no_primary_crc |= c->in->is_local; /* its BIB is gone */
	err = bundle_read(c->b, buf_view(w), &rules, &fault);
	if (err == 0) {
		c->in->size = w->len;
		return 0;
	}
	trace_point(
		c->a->trace, c->now, bundle_rejected, c->in->link, fault.rule, w->len, fault.at);
	return -E_FORM;
}

static bool was_there(const struct check *c, uint64_t type, uint64_t number)
{
	for (unsigned k = 0; k < c->n_done; k++)
		if (c->done[k].type == type && c->done[k].number == number)
			return true;
	return false;
}

/* Operations that a rule wants and that were not there. Of what is still encrypted nobody can say
 * whether it is signed. */
static enum reason missing(struct check *c)
{
	enum reason reason = REASON_NONE;

	for (size_t i = 0; reason == REASON_NONE && i < c->n_rules; i++) {
		const struct ready_rule *r = c->rule[i];
		uint64_t type = r->is.is_integrity ? BLOCK_BIB : BLOCK_BCB;

		if (r->is.block == 0 && !was_there(c, type, 0))
			reason = punish(c, r, WHY_SEC_MISSING, 0);
		for (unsigned k = 0; reason == REASON_NONE && k < c->b->n_blocks; k++) {
			const struct block *b = &c->b->block[k];
			unsigned n = c->b->n_blocks;

			if (b->type != r->is.block || was_there(c, type, b->number) ||
				(r->is.is_integrity && bpsec_services(c->b, b->number) & 2))
				continue;
			reason = punish(c, r, WHY_SEC_MISSING, b->number);
			k -= c->b->n_blocks < n; /* it was stripped: the next one is in its place */
		}
	}
	return reason;
}

/* What the rule says happens. */
static enum reason punish(
	struct check *c, const struct ready_rule *r, enum why why, uint64_t number)
{
	const struct security_rule_cfg *cfg = r->is.cfg;
	unsigned action = why == WHY_SEC_MISSING   ? cfg->missing
			  : why == WHY_SEC_UNKNOWN ? cfg->unknown
						   : cfg->failed;

	tell(c, why, number);
	if (action == ACTION_KEEP)
		return REASON_NONE;
	if (action == ACTION_STRIP && number > 1)
		return strip(c, number);
	return why == WHY_SEC_MISSING   ? REASON_SECURITY_MISSING
	       : why == WHY_SEC_UNKNOWN ? REASON_SECURITY_UNKNOWN
					: REASON_SECURITY_FAILED;
}

/* The block and all security operations on it go (RFC 9172 5.1.1, 5.1.2). */
static enum reason strip(struct check *c, uint64_t number)
{
	struct buf w = security_room(c->s, c->b, ROOM_ARRIVED);
	struct bundle_change change[BUNDLE_BLOCKS_MAX];
	struct bundle_rewrite edit = {.change = change};
	size_t half = w.cap / 2;
	struct buf blocks = buf_of(w.p + half, w.cap - half);
	struct asb asb;

	w.cap = half;
	for (unsigned i = 0; i + 1 < c->b->n_blocks; i++) {
		const struct block *k = &c->b->block[i];
		size_t from = blocks.len;
		int at;

		if (k->number == number)
			edit.drop |= UINT64_C(1) << i;
		if ((k->type != BLOCK_BIB && k->type != BLOCK_BCB) || asb_read(&asb, k->data) != 0)
			continue;
		at = asb_target(&asb, number);
		if (at < 0)
			continue;
		if (asb.n_targets == 1) {
			edit.drop |= UINT64_C(1) << i;
			continue;
		}
		asb_remove(&asb, (unsigned)at);
		asb_write(&blocks, &asb);
		change[edit.n_changes++] = (struct bundle_change){.block = i,
			.data = view_of(blocks.p + from, blocks.len - from),
			.crc_type = k->crc_type};
	}
	if (!buf_fits(&blocks) || bundle_rewrite(&w, c->b, &edit, c->b->payload) != 0)
		return REASON_DEPLETED_STORAGE;
	return replace(c, &w) == 0 ? REASON_NONE : REASON_UNINTELLIGIBLE;
}

static void tell(struct check *c, enum why why, uint64_t number)
{
	trace_point(c->a->trace, c->now, security_checked, c->in->link, why, c->b->source.node,
		c->b->seq, number);
}

/* -- what both directions need */

struct buf security_room(const struct security *s, const struct bundle *b, unsigned pair)
{
	const uint8_t *first = s->room[pair];
	bool in_first = first && b->primary.p >= first && b->primary.p < first + s->cap;

	return buf_of(s->room[pair + in_first], first ? s->cap : 0);
}

int64_t security_context_number(const struct security_rule *r)
{
	return r->context == CONTEXT_HMAC  ? BPSEC_HMAC_SHA2
	       : r->context == CONTEXT_GCM ? BPSEC_AES_GCM
					   : BPSEC_COSE;
}

/* -- start and end */

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

int security_new(struct agent *a)
{
	struct security *s = a->security = calloc(1, sizeof *s);
	struct keyring *lab = NULL;
	int err = s ? 0 : -ENOMEM;

	if (err || (a->cfg.security.n_rules == 0 && !custody_has_keys(&a->cfg)))
		return err;
	if (a->cfg.security.n_lab_keys > 0)
		err = security_lab_ring(&a->cfg.security, &lab, &(struct schema_error){0});
	if (!err && !(s->ring = keyring_new()))
		err = -ENOMEM;
	err = err ? err : read_rules(a, s, lab);
	keyring_free(lab);
	if (!err && !(s->worker = bpsec_new(s->ring)))
		err = -ENOMEM;
	if (err)
		return err;
	/* a bundle, its target's data once more, blocks beside them (bundle/bpsec.h) */
	s->cap = 2 * (a->cfg.security.max_bytes + BUNDLE_HEAD_MAX + BPSEC_ROOM);
	for (unsigned k = 0; !err && k < ROOMS; k++) {
		if ((k < ROOM_MADE ? s->n_in : s->n_out) == 0)
			continue;
		s->room[k] = malloc(s->cap);
		err = s->room[k] ? 0 : -ENOMEM;
	}
	crypto_wipe(a->deps.secret, sizeof a->deps.secret);
	a->deps.keys = NULL; /* the caller's */
	return err;
}

void security_free(struct agent *a)
{
	struct security *s = a->security;

	if (!s)
		return;
	bpsec_free(s->worker);
	if (s->ring)
		keyring_free(s->ring);
	for (unsigned k = 0; k < ROOMS; k++) {
		if (s->room[k])
			crypto_wipe(s->room[k], s->cap);
		free(s->room[k]);
	}
	crypto_wipe(s, sizeof *s);
	free(s);
}
