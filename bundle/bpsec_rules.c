/*
 * The security operations of a bundle, and RFC 9172's rules about them: 3.2 (unique operations), 3.6
 * (targets exist), 3.7 (BIB), 3.8 (BCB), 3.9 (both on one target).
 *
 * What is encrypted can't be looked into: a BIB that is some BCB's target is left out everywhere. In a
 * fragment blocks may be missing that the whole bundle has (RFC 9171 5.8), so their absence breaks no
 * rule there. Start reading at bpsec_check().
 */
#include "bundle/bpsec_inner.h"

#include "bundle/block.h"
#include "bundle/rule.h"

struct list {
	struct bpsec_op *op;
	unsigned n;
	unsigned block;                 /* the one in work: where an error is */
	uint64_t hidden[BPSEC_OPS_MAX]; /* targets of BCBs */
	unsigned n_hidden;
};

static int list_all(struct list *l, const struct bundle *b);
static unsigned op_rule(const struct bundle *b, const struct bpsec_op *op, unsigned n, unsigned i);

int bpsec_list(const struct bundle *b, struct bpsec_op op[BPSEC_OPS_MAX], unsigned *n)
{
	struct list l = {.op = op};
	int err = list_all(&l, b);

	*n = err ? 0 : l.n;
	return err;
}

int bpsec_check(const struct bundle *b, struct bundle_fault *fault)
{
	struct bpsec_op op[BPSEC_OPS_MAX];
	struct list l = {.op = op};
	int err = list_all(&l, b);
	unsigned rule = err ? RULE_SECURITY_FORM : RULE_NONE;

	for (unsigned i = 0; rule == RULE_NONE && i < l.n; i++) {
		rule = op_rule(b, op, l.n, i);
		l.block = op[i].block;
	}
	*fault = (struct bundle_fault){.rule = rule, .err = err, .primary_ok = true};
	if (rule == RULE_NONE)
		return 0;
	fault->at = (size_t)(b->block[l.block].whole.p - b->head.p);
	if (!err)
		fault->err = -E_RULE;
	return -E_RULE;
}

static bool hidden(const struct list *l, uint64_t number)
{
	for (unsigned k = 0; k < l->n_hidden; k++)
		if (l->hidden[k] == number)
			return true;
	return false;
}

/* The operations of one security block; 0 or negative. */
static int list_block(struct list *l, const struct bundle *b, unsigned i)
{
	const struct block *k = &b->block[i];
	struct asb a;
	int err = asb_read(&a, k->data);

	l->block = i;
	if (err)
		return err;
	for (unsigned t = 0; t < a.n_targets; t++) {
		if (l->n == BPSEC_OPS_MAX)
			return -E_LIMIT;
		l->op[l->n++] = (struct bpsec_op){.block = i,
			.target = t,
			.type = k->type,
			.number = a.target[t],
			.context = a.context,
			.source = a.source};
		if (k->type == BLOCK_BCB)
			l->hidden[l->n_hidden++] = a.target[t];
	}
	return 0;
}

static const struct block *block_numbered(const struct bundle *b, uint64_t number)
{
	for (unsigned i = 0; i < b->n_blocks; i++)
		if (b->block[i].number == number)
			return &b->block[i];
	return NULL;
}

/* Those over BIBs come first, so that a BIB is there in clear when its own target is looked at. */
static void bibs_first(struct list *l, const struct bundle *b)
{
	unsigned place = 0;

	for (unsigned i = 0; i < l->n; i++) {
		const struct block *k = block_numbered(b, l->op[i].number);
		struct bpsec_op op = l->op[i];
		if (!k || k->type != BLOCK_BIB)
			continue;
		for (unsigned m = i; m > place; m--)
			l->op[m] = l->op[m - 1];
		l->op[place++] = op;
	}
}

static int list_all(struct list *l, const struct bundle *b)
{
	int err = 0;

	for (unsigned i = 0; !err && i < b->n_blocks; i++)
		if (b->block[i].type == BLOCK_BCB)
			err = list_block(l, b, i);
	if (!err)
		bibs_first(l, b);
	for (unsigned i = 0; !err && i < b->n_blocks; i++)
		if (b->block[i].type == BLOCK_BIB && !hidden(l, b->block[i].number))
			err = list_block(l, b, i);
	return err;
}

static unsigned bib_rule(const struct bundle *b, const struct bpsec_op *op, const struct block *t)
{
	if (t && (t->type == BLOCK_BIB || t->type == BLOCK_BCB))
		return RULE_BIB_TARGET;
	/* 3.9: who encrypts a block encrypts what tells of its plaintext */
	return bpsec_is_encrypted(b, op->number) ? RULE_BIB_CLEAR : RULE_NONE;
}

static unsigned bcb_rule(const struct block *k, const struct bpsec_op *op, const struct block *t)
{
	if (op->number == 0 || (t && t->type == BLOCK_BCB))
		return RULE_BCB_TARGET;
	if (t && t->type == BLOCK_PAYLOAD && !(k->flags & BLOCK_REPLICATE))
		return RULE_BCB_REPLICATE;
	return k->flags & BLOCK_DISCARD ? RULE_BCB_DISCARD : RULE_NONE;
}

static unsigned op_rule(const struct bundle *b, const struct bpsec_op *op, unsigned n, unsigned i)
{
	const struct block *t = block_numbered(b, op[i].number);

	if (!t && op[i].number != 0 && !(b->flags & BUNDLE_FRAGMENT))
		return RULE_SECURITY_TARGET;
	for (unsigned k = i + 1; k < n; k++)
		if (op[k].type == op[i].type && op[k].number == op[i].number)
			return RULE_SECURITY_TWICE;
	return op[i].type == BLOCK_BIB ? bib_rule(b, &op[i], t)
				       : bcb_rule(&b->block[op[i].block], &op[i], t);
}

/* A BCB is never encrypted itself: its list of targets is enough. */
bool bpsec_is_encrypted(const struct bundle *b, uint64_t number)
{
	return block_is_target(b, BLOCK_BCB, number);
}

/* A block of `type` that can be read and has this target. */
static bool has_target(const struct bundle *b, uint64_t type, uint64_t number)
{
	struct asb a;

	for (unsigned i = 0; i < b->n_blocks; i++)
		if (b->block[i].type == type && asb_read(&a, b->block[i].data) == 0 &&
			asb_target(&a, number) >= 0)
			return true;
	return false;
}

unsigned bpsec_services(const struct bundle *b, uint64_t number)
{
	return (has_target(b, BLOCK_BIB, number) ? 1u : 0u) |
	       (bpsec_is_encrypted(b, number) ? 2u : 0u);
}

unsigned bpsec_reason(int err)
{
	switch (err) {
	case 0:
	case -ENOKEY:
	case -E_STATE:
	case -E_TOO_BIG:
	case -E_REFUSED:
	case -EINVAL:
	case -EIO:
	case -ENOMEM:
		return 0; /* nothing that the peer did */
	case -E_AUTH:
		return 15;
	case -E_UNKNOWN:
		return 13;
	case -E_RULE:
		return 16;
	default:
		return 8;
	}
}
