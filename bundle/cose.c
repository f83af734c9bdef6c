/*
 * Security context 3: COSE (RFC 9052, 9053) in BPSec, as draft-ietf-dtn-bpsec-cose has it. Of its
 * messages those of one layer: Mac0 (result id 17: HMAC 256/256, 384/384, 512/512), Sign1 (18: Ed25519,
 * ES256) and Encrypt0 (16: A128GCM, A256GCM); the payload is always detached.
 *
 * What is signed is COSE's structure [context, protected headers, external AAD, payload]; the external
 * AAD is [security source, AAD scope, the blocks that it names, additional protected headers] without
 * an array around it. Lengths stand in front, so the AAD is gone over twice: counted, then fed.
 * A key is found by its id, `kid`. Start reading at cose_check().
 */
#include "bundle/bpsec_inner.h"

#define PARAM_PROTECTED 3
#define PARAM_UNPROTECTED 4
#define PARAM_SCOPE 5
#define HEADER_ALG 1
#define HEADER_CRIT 2
#define HEADER_KID 4
#define HEADER_IV 5
#define HEADER_PARTIAL_IV 6
#define KEY_TARGET (-1)
#define KEY_SECURITY (-2)
#define SCOPE_METADATA 1u
#define SCOPE_DATA 2u

/* The messages: tag number, which is the result's id, and the name in what is signed. */
static const struct message {
	uint64_t id;
	uint64_t block_type;
	const char *context;
} messages[] = {
	{16, BLOCK_BCB, "Encrypt0"}, {17, BLOCK_BIB, "MAC0"}, {18, BLOCK_BIB, "Signature1"}};

/* Algorithms: RFC 9053 2.1, 2.2, 3.1, 4.1; RFC 9864 has the second numbers. */
static const struct cose_alg {
	enum crypto_alg alg;
	unsigned message; /* index in messages */
	int64_t number, other;
} algs[] = {{CRYPTO_A128GCM, 0, 1, 1}, {CRYPTO_A256GCM, 0, 3, 3}, {CRYPTO_HMAC_256, 1, 5, 5},
	{CRYPTO_HMAC_384, 1, 6, 6}, {CRYPTO_HMAC_512, 1, 7, 7}, {CRYPTO_ED25519, 2, -8, -19},
	{CRYPTO_ES256, 2, -7, -9}};

struct headers {
	const struct cose_alg *alg;
	struct view kid, iv, partial_iv;
	bool crit;
	unsigned seen; /* bit k: label k */
};

struct scope_entry {
	int64_t key;
	uint64_t flags;
};

struct scope {
	struct scope_entry entry[BPSEC_SCOPE_MAX];
	unsigned n;
};

static int message_read(struct bpsec *x, struct headers *h, struct view *protected);
static int additional_read(struct bpsec *x, struct headers *h, struct view *protected);
static int scope_read(struct scope *s, struct view item);
static int structure_begin(struct bpsec *x, const struct headers *h, const struct scope *s,
	const struct view protected[2]);

/* The default AAD scope: primary, target and security block, what they are. */
static const struct scope scope_default = {
	.entry = {{0, SCOPE_METADATA}, {KEY_TARGET, SCOPE_METADATA},
		{KEY_SECURITY, SCOPE_METADATA}},
	.n = 3};

static int params_check(const struct asb *a)
{
	for (unsigned k = 0; k < a->n_params; k++)
		if (a->param[k].id < PARAM_PROTECTED || a->param[k].id > PARAM_SCOPE)
			return -E_UNKNOWN;
	return 0;
}

int cose_check(struct bpsec *x, const struct key *key)
{
	struct headers h = {0};
	struct view protected[2]; /* the message's, the additional ones */
	struct scope s = scope_default;
	const struct asb_item *item = asb_param(&x->asb, PARAM_SCOPE);
	int err = params_check(&x->asb);

	err = err ? err : message_read(x, &h, &protected[0]);
	err = err ? err : additional_read(x, &h, &protected[1]);
	if (!err && item)
		err = scope_read(&s, item->value);
	if (err)
		return err;
	if (!h.alg || h.crit)
		return -E_UNKNOWN;
	x->behind = x->type == BLOCK_BCB;
	if (!key)
		key = keyring_find(x->ring, h.kid);
	err = bpsec_crypto(x, key, h.alg->alg, (struct view){0});
	return err ? err : structure_begin(x, &h, &s, protected);
}

/* -- headers ------------------------------------------------------------------------------------- */

static const struct cose_alg *alg_numbered(int64_t number, uint64_t result)
{
	for (unsigned k = 0; k < sizeof algs / sizeof algs[0]; k++)
		if ((algs[k].number == number || algs[k].other == number) &&
			messages[algs[k].message].id == result)
			return &algs[k];
	return NULL;
}

/* One header of which we know the label. */
static void header_read(struct cursor *c, struct headers *h, int64_t label, uint64_t result)
{
	if (h->seen >> label & 1)
		cursor_fail(c, -E_DUPLICATE);
	h->seen |= 1u << label;
	switch (label) {
	case HEADER_ALG:
		/* a text is somebody's own algorithm */
		if (cbor_peek(c) == CBOR_TEXT)
			cbor_skip(c);
		else
			h->alg = alg_numbered(cbor_int(c), result);
		break;
	case HEADER_CRIT:
		h->crit = true;
		cbor_skip(c);
		break;
	case HEADER_KID:
		h->kid = cbor_bytes(c);
		break;
	case HEADER_IV:
		h->iv = cbor_bytes(c);
		break;
	case HEADER_PARTIAL_IV:
		h->partial_iv = cbor_bytes(c);
		break;
	default:
		cbor_skip(c);
	}
}

/* A header map; alg must be under the signature (RFC 9052 3.1), so elsewhere it is not looked at. */
static void headers_read(struct cursor *c, struct headers *h, bool is_protected, uint64_t result)
{
	uint64_t left = cbor_map(c);

	while (cbor_more(c, &left)) {
		int64_t label = 0;
		if (cbor_peek(c) == CBOR_TEXT)
			cbor_skip(c);
		else
			label = cbor_int(c);
		if (label < HEADER_ALG || label > HEADER_PARTIAL_IV ||
			(label == HEADER_ALG && !is_protected))
			cbor_skip(c);
		else
			header_read(c, h, label, result);
	}
}

/* Bytes that hold a header map, or nothing. */
static int wrapped_read(struct view v, struct headers *h, bool is_protected, uint64_t result)
{
	struct cursor c = cursor_of(v);

	if (v.n == 0)
		return 0;
	headers_read(&c, h, is_protected, result);
	return cursor_finish(&c);
}

/* [protected, unprotected, nil, MAC or signature], in a byte string. */
static int message_read(struct bpsec *x, struct headers *h, struct view *protected)
{
	const struct asb_item *item =
		&x->asb.result[x->index ? x->asb.result_end[x->index - 1] : 0];
	struct cursor c, in;
	unsigned k = 0;

	if (asb_results(&x->asb, x->index) != 1)
		return -E_FORM;
	while (k < 3 && (messages[k].id != item->id || messages[k].block_type != x->type))
		k++;
	if (k == 3)
		return -E_UNKNOWN;
	c = cursor_of(item->value);
	in = cursor_of(cbor_bytes(&c));
	if (cursor_finish(&c))
		return c.err;
	bool open = cbor_array_of(&in, x->type == BLOCK_BCB ? 3 : 4);
	*protected = cbor_bytes(&in);
	headers_read(&in, h, false, item->id);
	if (cursor_u8(&in) != 0xf6) /* detached */
		cursor_fail(&in, -E_FORM);
	struct view sum = x->type == BLOCK_BCB ? (struct view){0} : cbor_bytes(&in);
	cbor_array_end(&in, open);
	if (cursor_finish(&in))
		return in.err;
	if (sum.n > sizeof x->sum)
		return -E_AUTH;
	if (sum.n)
		memcpy(x->sum, sum.p, sum.n);
	x->n_sum = sum.n;
	return wrapped_read(*protected, h, true, item->id);
}

/* Headers in parameters stand for all results of the block; those of the message come first. */
static int additional_read(struct bpsec *x, struct headers *h, struct view *protected)
{
	struct headers more = {0};
	int err = 0;

	*protected = (struct view){0};
	for (uint64_t id = PARAM_PROTECTED; !err && id <= PARAM_UNPROTECTED; id++) {
		const struct asb_item *item = asb_param(&x->asb, id);
		struct cursor c = cursor_of(item ? item->value : (struct view){0});
		struct view v = item ? cbor_bytes(&c) : (struct view){0};
		err = cursor_finish(&c);
		if (!err)
			err = wrapped_read(v, &more, false, 0);
		if (id == PARAM_PROTECTED)
			*protected = v;
	}
	if (!(h->seen >> HEADER_KID & 1))
		h->kid = more.kid;
	if (!(h->seen >> HEADER_IV & 1) && !(h->seen >> HEADER_PARTIAL_IV & 1)) {
		h->iv = more.iv;
		h->partial_iv = more.partial_iv;
	}
	h->crit |= more.crit;
	return err;
}

/* -- AAD scope ----------------------------------------------------------------------------------- */

/* Deterministic order (RFC 8949 4.2.1): 0, 1, 2, ... then -1, -2. */
static bool before(int64_t a, int64_t b)
{
	if ((a < 0) != (b < 0))
		return b < 0;
	return a < 0 ? a > b : a < b;
}

static int scope_add(struct scope *s, struct scope_entry e)
{
	unsigned at = s->n;

	if (s->n == BPSEC_SCOPE_MAX)
		return -E_LIMIT;
	while (at > 0 && before(e.key, s->entry[at - 1].key))
		at--;
	if (at > 0 && s->entry[at - 1].key == e.key)
		return -E_DUPLICATE;
	memmove(s->entry + at + 1, s->entry + at, (s->n - at) * sizeof s->entry[0]);
	s->entry[at] = e;
	s->n++;
	return 0;
}

static int scope_read(struct scope *s, struct view item)
{
	struct cursor c = cursor_of(item);
	uint64_t left = cbor_map(&c);

	s->n = 0;
	while (cbor_more(&c, &left)) {
		struct scope_entry e = {.key = cbor_int(&c)};
		e.flags = cbor_uint(&c);
		int err = cursor_ok(&c) ? scope_add(s, e) : 0;
		if (err)
			return err;
		/* of these only what they are can be meant */
		if (cursor_ok(&c) && (e.flags == 0 || (e.key <= 0 && e.flags & SCOPE_DATA)))
			return -E_FORM;
	}
	return cursor_finish(&c);
}

static void scope_write(struct buf *b, const struct scope *s)
{
	cbor_put_map(b, s->n);
	for (unsigned k = 0; k < s->n; k++) {
		cbor_put_int(b, s->entry[k].key);
		cbor_put_uint(b, s->entry[k].flags);
	}
}

/* -- what is signed ------------------------------------------------------------------------------ */

static int block_data_put(struct sink *out, const struct bpsec *x, const struct block *k)
{
	if (k->type == BLOCK_PAYLOAD && x->b->payload.p == NULL && x->b->payload.n)
		return -E_TOO_BIG; /* it is not at hand */
	sink_bytes_head(out, k->data.n);
	sink_put(out, k->data);
	return 0;
}

/* The blocks that an entry of the scope names; a block that is not there is a failure. */
static int entry_put(struct sink *out, const struct bpsec *x, const struct scope_entry *e)
{
	const struct block *k = x->target;
	int err = 0;

	if (e->key == KEY_SECURITY || (e->key > 0 && (uint64_t)e->key == x->number)) {
		if (e->flags & SCOPE_DATA)
			return -E_FORM;
		if (e->flags & SCOPE_METADATA)
			sink_header(out, x->type, x->number, x->flags);
		return 0;
	}
	if (e->key == 0 || (e->key == KEY_TARGET && !k)) {
		if (e->flags & SCOPE_METADATA)
			sink_put(out, x->primary);
		return 0;
	}
	if (e->key < KEY_TARGET)
		return -E_UNKNOWN;
	for (unsigned i = 0; e->key > 0 && (i == 0 || !k); i++) {
		if (i == x->b->n_blocks)
			return -E_AUTH;
		k = x->b->block[i].number == (uint64_t)e->key ? &x->b->block[i] : NULL;
	}
	if (e->flags & SCOPE_METADATA)
		sink_header(out, k->type, k->number, k->flags);
	if (e->flags & SCOPE_DATA)
		err = block_data_put(out, x, k);
	return err;
}

/* The external AAD. */
static int aad_put(struct sink *out, const struct bpsec *x, const struct scope *s,
	struct view source, struct view additional)
{
	uint8_t bytes[1 + 2 * CBOR_HEAD_MAX * BPSEC_SCOPE_MAX];
	struct buf map = buf_of(bytes, sizeof bytes);
	int err = 0;

	scope_write(&map, s);
	sink_put(out, source);
	sink_put(out, buf_view(&map));
	for (unsigned k = 0; !err && k < s->n; k++)
		err = entry_put(out, x, &s->entry[k]);
	sink_bytes_head(out, additional.n);
	sink_put(out, additional);
	return err;
}

/* The nonce: an IV, or a partial one added to the key's base (RFC 9052 3.1). */
static int nonce_of(const struct bpsec *x, const struct headers *h, uint8_t out[CRYPTO_IV_MAX],
	struct view *nonce)
{
	const struct key *key = x->key;

	*nonce = (struct view){0};
	if (x->type != BLOCK_BCB)
		return 0;
	if (h->partial_iv.n == 0 || h->iv.n) {
		*nonce = h->iv;
		return h->partial_iv.n || h->iv.n < CRYPTO_IV_MIN || h->iv.n > CRYPTO_IV_MAX
			       ? -E_FORM
			       : 0;
	}
	if (key->n_base_iv == 0)
		return -ENOKEY;
	if (h->partial_iv.n > key->n_base_iv)
		return -E_FORM;
	memcpy(out, key->base_iv, key->n_base_iv);
	for (size_t k = 0; k < h->partial_iv.n; k++)
		out[key->n_base_iv - h->partial_iv.n + k] ^= h->partial_iv.p[k];
	*nonce = view_of(out, key->n_base_iv);
	return 0;
}

static int structure_begin(struct bpsec *x, const struct headers *h, const struct scope *s,
	const struct view protected[2])
{
	const char *context = messages[h->alg->message].context;
	uint8_t bytes[CRYPTO_IV_MAX], head[32];
	struct buf text = buf_of(head, sizeof head);
	struct sink count = {0}, out = {.c = x->c};
	struct view nonce, source;
	int err = nonce_of(x, h, bytes, &nonce);

	err = err ? err : canonical_item(&x->room, x->asb.source_item, &source);
	err = err ? err : aad_put(&count, x, s, source, protected[1]);
	if (!err)
		err = crypto_begin(
			x->c, x->doing == BPSEC_MAKES ? CRYPTO_MAKE : CRYPTO_CHECK, nonce);
	if (err)
		return err == -E_REFUSED ? -ENOKEY : err;
	cbor_put_array(&text, x->type == BLOCK_BCB ? 3 : 4);
	cbor_put_text(&text, view_text(context));
	sink_put(&out, buf_view(&text));
	sink_bytes_head(&out, protected[0].n);
	sink_put(&out, protected[0]);
	sink_bytes_head(&out, count.n);
	err = aad_put(&out, x, s, source, protected[1]);
	if (x->type == BLOCK_BIB)
		sink_bytes_head(&out, x->target ? x->wants : x->primary.n);
	if (x->type == BLOCK_BIB && !x->target)
		sink_put(&out, x->primary);
	sink_flush(&out);
	return err;
}

/* -- making -------------------------------------------------------------------------------------- */

static void protected_write(struct buf *b, int64_t alg)
{
	cbor_put_map(b, 1);
	cbor_put_uint(b, HEADER_ALG);
	cbor_put_int(b, alg);
}

static struct scope scope_of(const struct bpsec *x, uint64_t flags)
{
	struct scope s = {.n = 0};

	/* over the primary block itself the first two would only say it again */
	if (x->target && flags & BPSEC_SCOPE_PRIMARY)
		s.entry[s.n++] = (struct scope_entry){0, SCOPE_METADATA};
	if (x->target && flags & BPSEC_SCOPE_TARGET)
		s.entry[s.n++] = (struct scope_entry){KEY_TARGET, SCOPE_METADATA};
	if (flags & BPSEC_SCOPE_SECURITY)
		s.entry[s.n++] = (struct scope_entry){KEY_SECURITY, SCOPE_METADATA};
	return s;
}

/* The message but for its MAC or signature goes into the room, as the result's value so far. */
int cose_make(struct bpsec *x, const struct bpsec_how *how)
{
	struct headers h = {.kid = view_text(how->key->id), .iv = how->iv};
	struct scope s = scope_of(x, how->scope);
	struct view protected[2] = {{0}, {0}};
	size_t from;
	int err;

	for (unsigned k = 0; k < sizeof algs / sizeof algs[0]; k++)
		if (algs[k].alg == how->key->alg && messages[algs[k].message].block_type == x->type)
			h.alg = &algs[k];
	if (!h.alg)
		return -ENOKEY;
	x->behind = x->type == BLOCK_BCB;
	from = x->room.len;
	eid_write(&x->room, &how->source);
	x->asb.source_item = room_since(x, from);
	from = x->room.len;
	scope_write(&x->room, &s);
	x->asb.param[x->asb.n_params++] = (struct asb_item){PARAM_SCOPE, room_since(x, from)};
	from = x->room.len;
	protected_write(&x->room, h.alg->number);
	protected[0] = room_since(x, from);
	from = x->room.len;
	cbor_put_array(&x->room, x->type == BLOCK_BCB ? 3 : 4);
	cbor_put_bytes(&x->room, protected[0]);
	cbor_put_map(&x->room, x->type == BLOCK_BCB ? 2 : 1);
	cbor_put_uint(&x->room, HEADER_KID);
	cbor_put_bytes(&x->room, h.kid);
	if (x->type == BLOCK_BCB) {
		cbor_put_uint(&x->room, HEADER_IV);
		cbor_put_bytes(&x->room, h.iv);
	}
	buf_u8(&x->room, 0xf6);
	x->asb.result[0] = (struct asb_item){messages[h.alg->message].id, room_since(x, from)};
	if (!buf_fits(&x->room))
		return -E_LIMIT;
	err = bpsec_crypto(x, how->key, h.alg->alg, (struct view){0});
	return err ? err : structure_begin(x, &h, &s, protected);
}

int cose_finish(struct bpsec *x)
{
	struct view begun = x->asb.result[0].value;
	size_t from = x->room.len;
	size_t mark = cbor_wrap_begin(&x->room);

	buf_put(&x->room, begun);
	if (x->type == BLOCK_BIB)
		cbor_put_bytes(&x->room, view_of(x->sum, x->n_sum));
	cbor_wrap_end(&x->room, mark);
	x->asb.result[0].value = room_since(x, from);
	x->asb.n_results = x->asb.result_end[0] = 1;
	return buf_fits(&x->room) ? 0 : -E_LIMIT;
}
