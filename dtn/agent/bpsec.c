/*
 * bpsec: what is done about the security operations of a bundle that arrived, RFC 9172 5.1, before
 * anything of it is believed: BCBs that this node accepts are decrypted, then BIBs checked, one
 * operation after the other; an operation that is accepted goes out of the bundle. The destination
 * accepts everything that is left. A node that no rule concerns passes the bundle on untouched.
 *
 * By the rules (policy.h) an operation may be missing (reason 12), not understood or without a key
 * (13), or failed (15); operations that break RFC 9172 are 16, blocks that can't be read 8. What was
 * decrypted stands in memory of our own until its tag was right. Fragments are looked at when they are
 * whole again (unit.c).
 *
 * A bundle that arrived stands in memory and is worked on in one go; the room for it is taken at the
 * start (ready.c). Of a large unit only the head is in memory: an operation on its payload is begun here, fed in
 * steps (steps.c), and ended here. Start reading at security_arrived() and security_begin().
 */
#include "dtn/agent/bpsec.h"

#include "bundle/rule.h"

#define NO_RULE 1 /* check.err: no rule was about the operation */
#define PAYLOAD_NUMBER 1

static enum reason go_on(struct check *c);
static enum reason broken(struct check *c);
static bool next_op(struct check *c);
static enum reason one(struct check *c);
static bool is_settled(struct check *c, const struct ready_rule *r, int err);
static enum reason verdict(struct check *c);
static enum reason without_rule(struct check *c);
static int attempt(struct check *c, const struct ready_rule *r);
static int attempted(struct check *c, const struct ready_rule *r, int err);
static int take_out(struct check *c, uint64_t payload_bytes);
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
	struct security *s = a->security;
	bool secured = security_is_secured(b);

	if ((!secured && s->n_in == 0) || b->flags & BUNDLE_FRAGMENT)
		return REASON_NONE; /* RFC 9172 5.2; before a check is made, which is large */
	struct check c = {.a = a, .worker = s->worker, .now = now, .in = in, .b = b};

	if (!security_rules(&c) && (!secured || !in->is_local))
		return REASON_NONE; /* not ours to look at */
	if (b->payload.n > s->at_once && c.n_rules > 0) {
		tell(&c, WHY_SEC_TOO_BIG, PAYLOAD_NUMBER);
		return REASON_DEPLETED_STORAGE;
	}
	return security_begin(&c);
}

bool security_rules(struct check *c)
{
	struct security *s = c->a->security;

	for (size_t i = 0; i < s->n_rules; i++) {
		struct ready_rule *r = &s->rule[i];

		if (r->is_signal && !(c->b->flags & BUNDLE_ADMIN))
			break; /* they come last */
		if (r->is.role != ROLE_SOURCE && eid_pattern_has(&r->is.source, &c->b->source) &&
			eid_pattern_has(&r->is.destination, &c->b->dest))
			c->rule[c->n_rules++] = r;
	}
	return c->n_rules > 0;
}

enum reason security_begin(struct check *c)
{
	enum reason reason = broken(c);

	return reason ? reason : go_on(c);
}

enum reason security_fed(struct check *c, int err, uint64_t plain_bytes)
{
	const struct ready_rule *r = c->rule[c->at];
	enum reason reason = REASON_NONE;

	c->wants_payload = false;
	err = err ? err : take_out(c, c->op.type == BLOCK_BCB ? plain_bytes : c->b->payload.n);
	if (is_settled(c, r, attempted(c, r, err)))
		reason = verdict(c);
	else
		c->at++;
	return reason ? reason : go_on(c);
}

static enum reason go_on(struct check *c)
{
	enum reason reason = REASON_NONE;

	while (reason == REASON_NONE && (c->is_at_work || next_op(c))) {
		if (c->op.type == BLOCK_BIB && c->has_opened)
			reason = broken(c); /* what was encrypted counts, too */
		c->has_opened = c->op.type == BLOCK_BCB;
		reason = reason ? reason : one(c);
		if (c->wants_payload)
			return REASON_NONE;
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
static bool next_op(struct check *c)
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
		c->op = op[i];
		c->at = 0;
		c->unknown = c->failed = NULL;
		c->err = NO_RULE;
		c->is_limited = false;
		c->is_at_work = true;
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
static bool concerns(const struct check *c, const struct ready_rule *r)
{
	const struct block *k = block_at(c->b, c->op.number);
	uint64_t type = k ? k->type : 0;

	if (r->is.is_integrity != (c->op.type == BLOCK_BIB))
		return false;
	return r->is.block == type || (!r->is.is_integrity && type == BLOCK_BIB);
}

/* The operation by one rule after the other, from c->at on. */
static enum reason one(struct check *c)
{
	if (c->op.number != 0 && !block_at(c->b, c->op.number)) {
		c->is_at_work = false;
		return strip(c, c->op.number); /* its target was taken out */
	}
	for (; c->at < c->n_rules; c->at++) {
		const struct ready_rule *r = c->rule[c->at];
		int err = concerns(c, r) ? attempt(c, r) : NO_RULE;

		if (c->wants_payload)
			return REASON_NONE;
		if (err != NO_RULE && is_settled(c, r, err))
			break;
	}
	return verdict(c);
}

/* What came of a rule; false: the next one may know better. */
static bool is_settled(struct check *c, const struct ready_rule *r, int err)
{
	c->err = err;
	c->is_limited |= err == -E_LIMIT;
	if (err == -E_AUTH || err == -E_LIMIT)
		c->failed = c->failed ? c->failed : r;
	else if (err == -E_UNKNOWN || err == -ENOKEY)
		c->unknown = c->unknown ? c->unknown : r;
	else
		return true;
	return false;
}

static enum reason verdict(struct check *c)
{
	uint64_t number = c->op.number;
	int err = c->err;

	c->is_at_work = false;
	if (err == 0 || err == -E_STATE)
		return REASON_NONE; /* done; or its target is still encrypted */
	if (err == NO_RULE)
		return without_rule(c);
	if (c->failed)
		return punish(
			c, c->failed, c->is_limited ? WHY_SEC_LIMITED : WHY_SEC_FAILED, number);
	if (c->unknown)
		return punish(c, c->unknown, WHY_SEC_UNKNOWN, number);
	if (err != -E_FORM)
		tell(c, err == -E_RULE ? WHY_SEC_CONFLICTING : WHY_SEC_TOO_BIG, number);
	return err == -E_OVERFLOW || err == -ENOMEM || err == -E_TOO_BIG ? REASON_DEPLETED_STORAGE
	       : err == -E_RULE ? REASON_SECURITY_CONFLICTING
				: REASON_UNINTELLIGIBLE;
}

/* RFC 9172 7.1: unexpected at a node that is neither verifier nor acceptor is no error. The
 * destination must decrypt what is left (5.1.1); a BIB without a rule is as good as none. */
static enum reason without_rule(struct check *c)
{
	if (!c->in->is_local) {
		tell(c, WHY_SEC_UNEXPECTED, c->op.number);
		return REASON_NONE;
	}
	if (c->op.type == BLOCK_BIB && c->a->cfg.security.keep_unverified) {
		tell(c, WHY_SEC_UNVERIFIED, c->op.number);
		return REASON_NONE;
	}
	tell(c, WHY_SEC_UNKNOWN, c->op.number);
	return REASON_SECURITY_UNKNOWN;
}

/* The primary block is accepted by the destination alone, because nobody else may write it (RFC 9171
 * 4.3.1). */
static bool accepts(const struct check *c, const struct ready_rule *r)
{
	return c->in->is_local || (r->is.role == ROLE_ACCEPTOR && c->op.number != 0);
}

/* The operation by one rule: 0, or why it is not right. It may have only begun: c->wants_payload. */
static int attempt(struct check *c, const struct ready_rule *r)
{
	struct security *s = c->a->security;
	struct bpsec_accept how = {.op = &c->op,
		.key = r->is.key,
		.crc = c->in->is_local ? CRC_NONE : c->a->cfg.crc_type};
	struct buf w = security_room(s, c->b, ROOM_ARRIVED);
	int err;

	if (c->op.context != security_context_number(&r->is))
		return -E_UNKNOWN;
	if (c->op.type == BLOCK_BCB && !accepts(c, r))
		return -E_STATE;
	if (!rate_take(&s->failures[r->is.key->number], c->now))
		return -E_LIMIT; /* RFC 9173 4.6 */
	if (c->head && c->op.number == PAYLOAD_NUMBER) {
		err = bpsec_begin(c->worker, &(struct bpsec_subject){.b = c->b}, &c->op, r->is.key);
		c->wants_payload = err == 0;
		return err ? attempted(c, r, err) : 0;
	}
	err = accepts(c, r) ? bpsec_accept(c->worker, &w, c->b, &how)
			    : bpsec_verify(c->worker, c->b, &c->op, r->is.key);
	err = attempted(c, r, err);
	return err || !accepts(c, r) ? err : replace(c, &w);
}

static int attempted(struct check *c, const struct ready_rule *r, int err)
{
	if (err != -E_AUTH)
		c->a->security->failures[r->is.key->number].level += 1000;
	if (err == 0) {
		tell(c, accepts(c, r) ? WHY_SEC_ACCEPTED : WHY_SEC_VERIFIED, c->op.number);
		custodian_signed(c->a, c->in, r->is.key, c->op.number);
	}
	return err;
}

/* An operation on the payload, which is elsewhere, was right: it goes out of the head, which says how
 * much of the payload is left. */
static int take_out(struct check *c, uint64_t payload_bytes)
{
	struct buf w = security_room(c->a->security, c->b, ROOM_ARRIVED);
	size_t half = w.cap / 2;
	struct buf lent = buf_of(w.p + half, w.cap - half);
	struct bpsec_edit e;
	uint32_t crc;
	int err = bpsec_edit_remove(&e, &lent, c->b, &c->op, CRC_NONE);

	w.cap = half;
	e.w.set_payload = true;
	e.w.payload_len = payload_bytes;
	e.w.payload_crc = CRC_NONE;
	err = err ? err : bundle_rewrite_head(&w, c->b, &e.w, &crc);
	return err ? err : replace(c, &w);
}

/* The rewritten bundle takes the place of the one that came; what was encrypted is checked now. */
static int replace(struct check *c, struct buf *w)
{
	struct bundle_rules rules = c->a->rules_in[c->in->profile];
	struct bundle_fault fault;
	int err;

	rules.allow_no_primary_crc |= c->in->is_local; /* its BIB is gone */
	if (c->head && w->len <= BUNDLE_HEAD_MAX) {
		memcpy(c->head, w->p, w->len);
		err = bundle_read_head(c->b, view_of(c->head, w->len), &rules, &fault);
	} else {
		err = bundle_read(c->b, buf_view(w), &rules, &fault);
	}
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
	struct buf w = security_room(c->a->security, c->b, ROOM_ARRIVED);
	struct bundle_change change[BUNDLE_BLOCKS_MAX];
	struct bundle_rewrite edit = {.change = change};
	size_t half = w.cap / 2;
	struct buf blocks = buf_of(w.p + half, w.cap - half);
	struct asb asb;
	uint32_t crc;
	int err;

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
	err = c->head ? bundle_rewrite_head(&w, c->b, &edit, &crc)
		      : bundle_rewrite(&w, c->b, &edit, c->b->payload);
	if (!buf_fits(&blocks) || err != 0)
		return REASON_DEPLETED_STORAGE;
	return replace(c, &w) == 0 ? REASON_NONE : REASON_UNINTELLIGIBLE;
}

static void tell(struct check *c, enum why why, uint64_t number)
{
	trace_point(c->a->trace, c->now, security_checked, c->in->link, why, c->b->source.node,
		c->b->seq, number);
}
