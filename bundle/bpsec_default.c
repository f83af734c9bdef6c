/*
 * The security contexts of RFC 9173: 1 BIB-HMAC-SHA2 (section 3) and 2 BCB-AES-GCM (section 4).
 *
 * What is authenticated begins alike in both (IPPT 3.7, AAD 4.7.2): the scope flags, then the primary
 * block, the target's header and the security block's header, each if its flag is set. A MAC goes on
 * with the target's data as a byte string. Over the primary block the text of the RFC and its example
 * A.3 differ (erratum 9192: bare, or wrapped in a byte string): both are verified. Start reading at
 * default_check().
 */
#include "bundle/bpsec_inner.h"

#define PARAM_VARIANT 1 /* BIB */
#define PARAM_WRAPPED 2
#define PARAM_SCOPE 3
#define PARAM_IV 1 /* BCB */
#define PARAM_AES 2
#define PARAM_AES_WRAPPED 3
#define PARAM_AES_SCOPE 4
#define RESULT 1 /* MAC, tag */
#define SCOPE_RANGE 65535

struct params {
	uint64_t variant, scope;
	struct view wrapped, iv;
};

static int params_read(const struct asb *a, bool bcb, struct params *p);
static void params_write(struct bpsec *x, const struct params *p);
static int result_take(struct bpsec *x);
static int context_begin(struct bpsec *x, struct view iv);

/* The numbers are COSE's (RFC 9053 3.1, 4.1). */
static enum crypto_alg alg_of(bool bcb, uint64_t variant)
{
	if (bcb)
		return variant == 1 ? CRYPTO_A128GCM : variant == 3 ? CRYPTO_A256GCM : CRYPTO_ALGS;
	return variant == 5   ? CRYPTO_HMAC_256
	       : variant == 6 ? CRYPTO_HMAC_384
	       : variant == 7 ? CRYPTO_HMAC_512
			      : CRYPTO_ALGS;
}

static uint64_t variant_of(enum crypto_alg alg)
{
	switch (alg) {
	case CRYPTO_HMAC_256:
		return 5;
	case CRYPTO_HMAC_384:
		return 6;
	case CRYPTO_HMAC_512:
		return 7;
	default:
		return alg == CRYPTO_A128GCM ? 1 : 3;
	}
}

int default_check(struct bpsec *x, const struct key *key)
{
	bool bcb = x->type == BLOCK_BCB;
	/* defaults: RFC 9173 3.3.1, 3.3.3, 4.3.2, 4.3.4 */
	struct params p = {.variant = bcb ? 3 : 6, .scope = BPSEC_SCOPE_ALL};
	int err = params_read(&x->asb, bcb, &p);
	enum crypto_alg alg = alg_of(bcb, p.variant);

	if (err)
		return err;
	if (alg == CRYPTO_ALGS)
		return -E_UNKNOWN;
	/* 4.3.1: a source adds the IV always */
	if (bcb && (p.iv.n < CRYPTO_IV_MIN || p.iv.n > CRYPTO_IV_MAX))
		return -E_FORM;
	x->scope = p.scope & BPSEC_SCOPE_ALL;
	x->bare_primary = false;
	err = result_take(x);
	err = err ? err : bpsec_crypto(x, key, alg, p.wrapped);
	return err ? err : context_begin(x, p.iv);
}

int default_make(struct bpsec *x, const struct bpsec_how *how)
{
	bool kek = how->key->alg == CRYPTO_ALGS;
	enum crypto_alg alg = kek ? how->alg : how->key->alg;
	uint8_t wrapped[CRYPTO_WRAP_MAX + 8];
	struct params p = {.variant = variant_of(alg), .scope = how->scope, .iv = how->iv};
	int err = 0;

	if (alg_of(x->type == BLOCK_BCB, p.variant) != alg || how->scope > BPSEC_SCOPE_ALL ||
		how->context != (x->type == BLOCK_BCB ? BPSEC_AES_GCM : BPSEC_HMAC_SHA2))
		return -EINVAL;
	if (x->type == BLOCK_BCB && (p.iv.n < CRYPTO_IV_MIN || p.iv.n > CRYPTO_IV_MAX))
		return -EINVAL;
	if (kek) {
		err = crypto_wrap(view_of(how->key->secret, how->key->n_secret), how->cek, wrapped);
		p.wrapped = view_of(wrapped, how->cek.n + 8);
	}
	x->scope = how->scope;
	x->bare_primary = how->bare_primary;
	x->behind = x->type == BLOCK_BCB && how->tag_behind;
	params_write(x, &p);
	err = err ? err : bpsec_crypto(x, how->key, alg, p.wrapped);
	return err ? err : context_begin(x, p.iv);
}

int default_finish(struct bpsec *x)
{
	size_t from = x->room.len;

	x->asb.n_results = x->asb.result_end[0] = x->behind ? 0 : 1;
	if (x->behind)
		return 0;
	cbor_put_bytes(&x->room, view_of(x->sum, x->n_sum));
	x->asb.result[0] = (struct asb_item){RESULT, room_since(x, from)};
	return buf_fits(&x->room) ? 0 : -E_LIMIT;
}

int default_other_form(struct bpsec *x)
{
	int err;

	x->bare_primary = !x->bare_primary;
	err = context_begin(x, (struct view){0});
	return err ? err : crypto_check(x->c, view_of(x->sum, x->n_sum));
}

/* -- parameters and results ---------------------------------------------------------------------- */

static struct view bytes_of(const struct asb_item *item, int *err)
{
	struct cursor c = cursor_of(item->value);
	struct view v = cbor_bytes(&c);

	*err = cursor_finish(&c);
	return v;
}

static uint64_t uint_of(const struct asb_item *item, int *err)
{
	struct cursor c = cursor_of(item->value);
	uint64_t v = cbor_uint(&c);

	*err = cursor_finish(&c);
	return v;
}

static int params_read(const struct asb *a, bool bcb, struct params *p)
{
	int err = 0;

	for (unsigned k = 0; !err && k < a->n_params; k++) {
		const struct asb_item *item = &a->param[k];
		/* IV and variant change places between the contexts, the rest moves by one */
		uint64_t id = bcb ? item->id - 1 : item->id;
		if (bcb && item->id == PARAM_IV)
			p->iv = bytes_of(item, &err);
		else if (id == PARAM_VARIANT)
			p->variant = uint_of(item, &err);
		else if (id == PARAM_WRAPPED)
			p->wrapped = bytes_of(item, &err);
		else if (id == PARAM_SCOPE)
			p->scope = uint_of(item, &err);
		else
			return -E_UNKNOWN;
		if (!err && id == PARAM_WRAPPED && p->wrapped.n == 0)
			return -E_FORM;
	}
	return !err && p->scope > SCOPE_RANGE ? -E_RANGE : err;
}

static void param_put(struct bpsec *x, uint64_t id, const uint64_t *number, struct view bytes)
{
	size_t from = x->room.len;

	if (number)
		cbor_put_uint(&x->room, *number);
	else
		cbor_put_bytes(&x->room, bytes);
	x->asb.param[x->asb.n_params++] = (struct asb_item){id, room_since(x, from)};
}

/* All are written out, in order of their ids. */
static void params_write(struct bpsec *x, const struct params *p)
{
	const struct view none = {0};
	bool bcb = x->type == BLOCK_BCB;

	if (bcb)
		param_put(x, PARAM_IV, NULL, p->iv);
	param_put(x, bcb ? PARAM_AES : PARAM_VARIANT, &p->variant, none);
	if (p->wrapped.n)
		param_put(x, bcb ? PARAM_AES_WRAPPED : PARAM_WRAPPED, NULL, p->wrapped);
	param_put(x, bcb ? PARAM_AES_SCOPE : PARAM_SCOPE, &p->scope, none);
}

/* The target's MAC or tag; a BCB without a result has its tag behind the ciphertext (4.4.1). */
static int result_take(struct bpsec *x)
{
	unsigned n = asb_results(&x->asb, x->index);
	const struct asb_item *item = asb_result(&x->asb, x->index, RESULT);
	int err;

	if (x->type == BLOCK_BCB && n == 0) {
		x->behind = true;
		return 0;
	}
	if (!item || n != 1)
		return n ? -E_UNKNOWN : -E_FORM;
	struct view v = bytes_of(item, &err);
	if (err)
		return err;
	if (v.n > sizeof x->sum)
		return -E_AUTH;
	if (v.n)
		memcpy(x->sum, v.p, v.n);
	x->n_sum = v.n;
	return 0;
}

/* -- what is authenticated ----------------------------------------------------------------------- */

static int context_begin(struct bpsec *x, struct view iv)
{
	int err = crypto_begin(x->c, x->doing == BPSEC_MAKES ? CRYPTO_MAKE : CRYPTO_CHECK, iv);
	struct sink s;

	if (err)
		return err == -E_REFUSED ? -ENOKEY : err;
	s.c = x->c;
	s.n = s.n_small = 0;
	sink_uint(&s, x->scope);
	/* 3.7: over the primary block itself these two flags say nothing */
	if (x->target && x->scope & BPSEC_SCOPE_PRIMARY)
		sink_put(&s, x->primary);
	if (x->target && x->scope & BPSEC_SCOPE_TARGET)
		sink_header(&s, x->target->type, x->target->number, x->target->flags);
	if (x->scope & BPSEC_SCOPE_SECURITY)
		sink_header(&s, x->type, x->number, x->flags);
	if (x->type == BLOCK_BIB && x->target)
		sink_bytes_head(&s, x->wants);
	if (x->type == BLOCK_BIB && !x->target) {
		if (!x->bare_primary)
			sink_bytes_head(&s, x->primary.n);
		sink_put(&s, x->primary);
	}
	sink_flush(&s);
	return 0;
}
