/*
 * One security operation at a time: RFC 9172 5.1 and 5.2 as far as they are calculation. The contexts
 * are in bpsec_default.c (RFC 9173) and cose.c; here is what they have in common: which block is meant,
 * how its data comes in pieces, and where a tag stands.
 *
 * Keys: each key of the ring has its own crypto context, made when it is first used and kept; a key that
 * comes wrapped is put into a context kept for its algorithm. A worker does one operation at a time.
 * Start reading at bpsec_begin() and bpsec_make_begin().
 */
#include "bundle/bpsec_inner.h"

#include <assert.h>
#include <stdlib.h>

#define FLAGS_KNOWN 0x17u /* RFC 9171 4.2.4 */

static int subject_open(struct bpsec *x, const struct bpsec_subject *s, uint64_t number);
static int making_allowed(const struct bpsec_subject *s, const struct bpsec_how *how);
static void behind_gather(struct bpsec *x, struct view v);

struct bpsec *bpsec_new(const struct keyring *ring)
{
	unsigned n = keyring_count(ring);
	struct bpsec *x = calloc(1, sizeof *x + n * sizeof x->by_key[0]);

	if (!x)
		return NULL;
	x->ring = ring;
	x->n_keys = n;
	return x;
}

void bpsec_free(struct bpsec *x)
{
	if (!x)
		return;
	for (unsigned k = 0; k < x->n_keys; k++)
		crypto_free(x->by_key[k]);
	for (unsigned k = 0; k < CRYPTO_ALGS; k++)
		crypto_free(x->loose[k]);
	crypto_wipe(x, sizeof *x);
	free(x);
}

int bpsec_begin(struct bpsec *x, const struct bpsec_subject *s, const struct bpsec_op *op,
	const struct key *key)
{
	const struct block *k = &s->b->block[op->block];
	int err = asb_read(&x->asb, k->data);

	x->doing = BPSEC_IDLE;
	x->key = NULL;
	if (err)
		return err;
	if (op->target >= x->asb.n_targets || x->asb.target[op->target] != op->number)
		return -EINVAL;
	if (op->type == BLOCK_BIB &&
		(bpsec_is_encrypted(s->b, op->number) || bpsec_is_encrypted(s->b, k->number)))
		return -E_STATE; /* RFC 9172 3.9: the value must not be checked */
	x->type = k->type;
	x->number = k->number;
	x->flags = k->flags;
	x->index = op->target;
	x->doing = BPSEC_CHECKS;
	err = subject_open(x, s, op->number);
	if (err)
		return err;
	if (x->asb.context == BPSEC_COSE)
		err = cose_check(x, key);
	else if (x->asb.context == (x->type == BLOCK_BIB ? BPSEC_HMAC_SHA2 : BPSEC_AES_GCM))
		err = default_check(x, key);
	else
		err = -E_UNKNOWN;
	if (!err && x->type == BLOCK_BCB && x->behind && x->wants < CRYPTO_TAG)
		err = -E_AUTH;
	if (err) {
		x->doing = BPSEC_IDLE;
		return err;
	}
	x->gives = x->type == BLOCK_BIB ? 0 : x->wants - (x->behind ? CRYPTO_TAG : 0);
	return 0;
}

uint64_t bpsec_wants(const struct bpsec *x)
{
	return x->wants;
}

uint64_t bpsec_gives(const struct bpsec *x)
{
	return x->gives;
}

const struct key *bpsec_key(const struct bpsec *x)
{
	return x->key;
}

size_t bpsec_behind(const struct bpsec *x)
{
	return x->doing == BPSEC_MAKES && x->behind ? CRYPTO_TAG : 0;
}

int bpsec_feed(struct bpsec *x, struct view v, uint8_t *out, size_t *made)
{
	size_t n = v.n;

	if (x->doing == BPSEC_IDLE || v.n > x->wants - x->fed)
		return -E_OVERFLOW;
	if (x->type == BLOCK_BIB) {
		crypto_feed(x->c, v);
		x->fed += v.n;
		return 0;
	}
	if (n > x->gives - (x->fed < x->gives ? x->fed : x->gives))
		n = (size_t)(x->fed < x->gives ? x->gives - x->fed : 0);
	x->fed += v.n;
	*made = n;
	/* the tag is taken first: out may be where it stands */
	behind_gather(x, view_sub(v, n, v.n - n));
	crypto_crypt(x->c, view_sub(v, 0, n), out);
	return 0;
}

int bpsec_end(struct bpsec *x)
{
	int err;

	if (x->doing != BPSEC_CHECKS || x->fed != x->wants)
		return -EINVAL;
	err = crypto_check(x->c, view_of(x->sum, x->n_sum));
	if (err == -E_AUTH && x->asb.context == BPSEC_HMAC_SHA2 && !x->target)
		err = default_other_form(x);
	x->doing = BPSEC_IDLE;
	return err;
}

int bpsec_make_begin(struct bpsec *x, const struct bpsec_subject *s, const struct bpsec_how *how)
{
	int err = making_allowed(s, how);

	x->doing = BPSEC_IDLE;
	if (err)
		return err;
	x->type = how->type;
	x->number = how->number ? how->number : bundle_free_number(s->b);
	x->flags = how->flags;
	if (how->type == BLOCK_BCB && how->target == 1)
		x->flags |= BLOCK_REPLICATE; /* RFC 9172 3.8 */
	x->crc_type = how->crc_type;
	x->index = 0;
	x->asb = (struct asb){.target = {how->target},
		.n_targets = 1,
		.context = how->context,
		.source = how->source,
		.flags = ASB_HAS_PARAMS};
	x->doing = BPSEC_MAKES;
	err = subject_open(x, s, how->target);
	x->gives = x->type == BLOCK_BIB ? 0 : x->wants;
	if (!err && !key_serves(how->key, how->type, how->context, true))
		err = -ENOKEY;
	if (!err)
		err = how->context == BPSEC_COSE ? cose_make(x, how) : default_make(x, how);
	if (!err && !buf_fits(&x->room))
		err = -E_LIMIT;
	if (err)
		x->doing = BPSEC_IDLE;
	return err;
}

int bpsec_make_end(struct bpsec *x, struct buf *asb, struct buf *tail)
{
	int err;

	if (x->doing != BPSEC_MAKES || x->fed != x->wants)
		return -EINVAL;
	x->doing = BPSEC_IDLE;
	err = crypto_make(x->c, x->sum);
	if (err)
		return err;
	x->n_sum = crypto_sum_size(x->alg);
	err = x->asb.context == BPSEC_COSE ? cose_finish(x) : default_finish(x);
	if (err)
		return err;
	if (x->behind && tail)
		buf_put(tail, view_of(x->sum, CRYPTO_TAG));
	asb_write(asb, &x->asb);
	return tail && buf_finish(tail) ? -E_OVERFLOW : buf_finish(asb);
}

struct block_spec bpsec_made(const struct bpsec *x, struct view asb)
{
	return (struct block_spec){.type = x->type,
		.number = x->number,
		.flags = x->flags,
		.crc_type = x->crc_type,
		.data = asb};
}

/* -- which block is meant ------------------------------------------------------------------------ */

static const struct block *block_numbered(const struct bundle *b, uint64_t number)
{
	for (unsigned i = 0; i < b->n_blocks; i++)
		if (b->block[i].number == number)
			return &b->block[i];
	return NULL;
}

static int subject_open(struct bpsec *x, const struct bpsec_subject *s, uint64_t number)
{
	struct view primary = s->primary.n ? s->primary : s->b->primary;

	x->room = buf_of(x->bytes, sizeof x->bytes);
	x->b = s->b;
	x->target = block_numbered(s->b, number);
	x->fed = x->wants = x->gives = 0;
	x->n_sum = 0;
	x->behind = false;
	if (!x->target && number != 0)
		return -E_RULE;
	if (x->target && x->target->type == BLOCK_PAYLOAD)
		x->wants = s->size ? s->size : s->b->payload.n;
	else if (x->target)
		x->wants = x->target->data.n;
	return canonical_item(&x->room, primary, &x->primary);
}

/* RFC 9172 3.7 to 3.9 and 5.3 (nothing is added to a fragment). */
static int making_allowed(const struct bpsec_subject *s, const struct bpsec_how *how)
{
	const struct block *t = block_numbered(s->b, how->target);
	unsigned services = bpsec_services(s->b, how->target);

	if (s->b->flags & BUNDLE_FRAGMENT || (!t && how->target != 0))
		return -E_RULE;
	if (how->number && block_numbered(s->b, how->number))
		return -E_RULE;
	if (how->type == BLOCK_BIB)
		return services || (t && (t->type == BLOCK_BIB || t->type == BLOCK_BCB)) ? -E_RULE
											 : 0;
	if (how->type != BLOCK_BCB || !t || t->type == BLOCK_BCB || services & 2 ||
		how->flags & BLOCK_DISCARD)
		return -E_RULE;
	return 0;
}

/* What stands behind the ciphertext: the tag. */
static void behind_gather(struct bpsec *x, struct view v)
{
	assert(v.n == 0 || (x->behind && v.n <= CRYPTO_TAG - x->n_sum));
	if (v.n)
		memcpy(x->sum + x->n_sum, v.p, v.n);
	x->n_sum += v.n;
}

/* -- keys ---------------------------------------------------------------------------------------- */

/* The context for a key that came wrapped. */
static int crypto_wrapped(struct bpsec *x, const struct key *key, struct view wrapped)
{
	uint8_t cek[CRYPTO_WRAP_MAX];
	struct crypto **c = &x->loose[x->alg];
	int err;

	if (key->kind != KEY_KEK128 && key->kind != KEY_KEK256)
		return -ENOKEY;
	err = crypto_unwrap(view_of(key->secret, key->n_secret), wrapped, cek);
	if (err)
		return err == -EINVAL ? -E_AUTH : err;
	struct view secret = view_of(cek, wrapped.n - 8);
	if (*c)
		err = crypto_rekey(*c, secret);
	else if (!(*c = crypto_new(x->alg, secret, (struct view){0})))
		err = -errno;
	crypto_wipe(cek, sizeof cek);
	x->c = *c;
	return err == -EINVAL ? -E_AUTH : err; /* a key of a length that the algorithm has not */
}

int bpsec_crypto(struct bpsec *x, const struct key *key, enum crypto_alg alg, struct view wrapped)
{
	bool make = x->doing == BPSEC_MAKES;

	x->alg = alg;
	x->key = key;
	if (!key || key->number >= x->n_keys || keyring_at(x->ring, key->number) != key ||
		!key_serves(key, x->type, x->asb.context, make))
		return -ENOKEY;
	if (wrapped.n)
		return crypto_wrapped(x, key, wrapped);
	if (key->alg != alg)
		return -ENOKEY;
	struct crypto **c = &x->by_key[key->number];
	if (!*c)
		*c = crypto_new(alg, view_of(key->secret, key->n_secret),
			view_of(key->public, key->n_public));
	x->c = *c;
	return *c ? 0 : errno == EINVAL ? -ENOKEY : -errno;
}

/* -- what is signed ------------------------------------------------------------------------------ */

void sink_put(struct sink *s, struct view v)
{
	s->n += v.n;
	if (!s->c || v.n == 0)
		return;
	if (v.n > sizeof s->small - s->n_small)
		sink_flush(s);
	if (v.n > sizeof s->small) {
		crypto_feed(s->c, v);
		return;
	}
	memcpy(s->small + s->n_small, v.p, v.n);
	s->n_small += v.n;
}

void sink_flush(struct sink *s)
{
	if (s->c)
		crypto_feed(s->c, view_of(s->small, s->n_small));
	s->n_small = 0;
}

static void sink_head(struct sink *s, unsigned major, uint64_t v)
{
	uint8_t bytes[CBOR_HEAD_MAX];
	struct buf b = buf_of(bytes, sizeof bytes);

	cbor_put_head(&b, major, v);
	sink_put(s, buf_view(&b));
}

void sink_uint(struct sink *s, uint64_t v)
{
	sink_head(s, CBOR_UINT, v);
}

void sink_bytes_head(struct sink *s, uint64_t n)
{
	sink_head(s, CBOR_BYTES, n);
}

void sink_header(struct sink *s, uint64_t type, uint64_t number, uint64_t flags)
{
	sink_uint(s, type);
	sink_uint(s, number);
	sink_uint(s, flags & FLAGS_KNOWN);
}

struct view room_since(const struct bpsec *x, size_t from)
{
	return buf_fits(&x->room) ? view_of(x->bytes + from, x->room.len - from) : (struct view){0};
}
