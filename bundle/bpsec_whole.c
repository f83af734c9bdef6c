/*
 * What a bundle becomes when an operation is added or taken out (RFC 9172 3.9 and 5.1.1: a security
 * block without operations goes; RFC 9173 3.8.1 and 4.8.1: the CRC of a target is taken away before and
 * put back after), and the whole of it at once for bundles in memory.
 *
 * Plaintext stands in the caller's buffer only when its tag was right: else the buffer is wiped and as
 * long as before. Start reading at bpsec_accept() and bpsec_add().
 */
#include "bundle/bpsec_inner.h"

#include <assert.h>

static int target_index(const struct bundle *b, uint64_t number)
{
	for (unsigned i = 0; i < b->n_blocks; i++)
		if (b->block[i].number == number)
			return (int)i;
	return -1;
}

static bool is_payload(const struct bundle *b, int index)
{
	return index >= 0 && b->block[index].type == BLOCK_PAYLOAD;
}

void bpsec_edit_data(struct bpsec_edit *e, const struct bundle *b, uint64_t number,
	struct view data, enum crc_type crc)
{
	int i = target_index(b, number);

	if (is_payload(b, i)) {
		e->w.set_payload = true;
		e->w.payload_len = data.n;
		e->w.payload_crc = crc;
	} else if (i >= 0) {
		assert(e->w.n_changes < 2);
		e->change[e->w.n_changes++] =
			(struct bundle_change){.block = (unsigned)i, .data = data, .crc_type = crc};
	}
	e->w.change = e->change;
}

/* The CRC type of a target once op is gone: put back where nothing else protects it. */
static enum crc_type crc_after(const struct bundle *b, const struct bpsec_op *op, enum crc_type crc)
{
	unsigned left = bpsec_services(b, op->number) & (op->type == BLOCK_BIB ? 2u : 1u);
	int i = target_index(b, op->number);

	return i >= 0 && b->block[i].crc_type ? b->block[i].crc_type : left ? CRC_NONE : crc;
}

int bpsec_edit_remove(struct bpsec_edit *e, struct buf *room, const struct bundle *b,
	const struct bpsec_op *op, enum crc_type crc)
{
	const struct block *k = &b->block[op->block];
	size_t from = room->len;
	struct asb a;
	int err = asb_read(&a, k->data), i = target_index(b, op->number);

	if (err)
		return err;
	*e = (struct bpsec_edit){.w.change = e->change};
	if (a.n_targets == 1) {
		e->w.drop = UINT64_C(1) << op->block;
	} else {
		asb_remove(&a, op->target);
		asb_write(room, &a);
		if (!buf_fits(room))
			return -E_OVERFLOW;
		e->change[e->w.n_changes++] = (struct bundle_change){.block = op->block,
			.data = view_of(room->p + from, room->len - from),
			.crc_type = k->crc_type};
	}
	if (i < 0)
		return 0;
	crc = crc_after(b, op, crc);
	if (op->type == BLOCK_BIB && b->block[i].crc_type == crc)
		return 0; /* not a byte of it changes */
	bpsec_edit_data(e, b, op->number, is_payload(b, i) ? b->payload : b->block[i].data, crc);
	return 0;
}

void bpsec_edit_add(struct bpsec_edit *e, const struct bundle *b, const struct bpsec_how *how,
	struct block_spec add)
{
	int i = target_index(b, how->target);

	*e = (struct bpsec_edit){.w.change = e->change, .w.n_add = 1, .add = add};
	e->w.add = &e->add;
	/* context 3 signs no CRC and leaves it where it is */
	if (i < 0)
		e->w.drop_primary_crc = how->context != BPSEC_COSE && b->crc_type;
	else if (how->context != BPSEC_COSE && b->block[i].crc_type)
		bpsec_edit_data(e, b, how->target, is_payload(b, i) ? b->payload : b->block[i].data,
			CRC_NONE);
}

/* -- at once ------------------------------------------------------------------------------------- */

/* Read from a head alone, the payload is not at hand. */
static bool is_whole(const struct bundle *b)
{
	return b->payload.p || b->payload.n == 0;
}

/* ... but all other targets are. */
static bool is_at_hand(const struct bundle *b, uint64_t number)
{
	return is_whole(b) || !is_payload(b, target_index(b, number));
}

static struct view target_data(const struct bundle *b, uint64_t number)
{
	int i = target_index(b, number);

	return i < 0 ? (struct view){0} : is_payload(b, i) ? b->payload : b->block[i].data;
}

int bpsec_verify(
	struct bpsec *x, const struct bundle *b, const struct bpsec_op *op, const struct key *key)
{
	struct bpsec_subject s = {.b = b};
	int err;

	if (op->type != BLOCK_BIB || !is_at_hand(b, op->number))
		return -EINVAL;
	err = bpsec_begin(x, &s, op, key);
	if (!err)
		err = bpsec_feed(x, view_sub(target_data(b, op->number), 0, (size_t)bpsec_wants(x)),
			NULL, NULL);
	return err ? err : bpsec_end(x);
}

/* Decrypts or encrypts data to where `room` ends; *made = its bytes there. */
static int crypt_put(struct bpsec *x, struct buf *room, struct view data, struct view *made)
{
	size_t from = room->len, n = 0;
	uint8_t *out = buf_grow(room, data.n + bpsec_behind(x));
	int err;

	if (!out)
		return -E_OVERFLOW;
	err = bpsec_feed(x, data, out, &n);
	room->len = from + n;
	*made = view_of(out, n);
	return err;
}

/* Where out has room for the parts of an edit beside the bundle itself: its far end. */
static struct buf far_end(const struct buf *out, size_t n)
{
	size_t free = buf_fits(out) ? out->cap - out->len : 0;

	return n <= free ? buf_of(out->p + out->cap - n, n) : buf_of(NULL, 0);
}

/* Writes the bundle, or its head where that is all there is, leaving what was lent at the far end clean. */
static int edit_write(struct buf *out, const struct buf *lent, const struct bundle *b,
	const struct bpsec_edit *e, struct view payload)
{
	struct buf part = *out;
	size_t from = out->len;
	uint32_t crc;
	int err;

	part.cap -= lent->cap;
	err = is_whole(b) ? bundle_rewrite(&part, b, &e->w, payload)
			  : bundle_rewrite_head(&part, b, &e->w, &crc);
	if (lent->p)
		crypto_wipe(lent->p, lent->len < lent->cap ? lent->len : lent->cap);
	if (err == -E_OVERFLOW || !buf_fits(&part)) {
		crypto_wipe(out->p + from, part.cap - from);
		return -E_OVERFLOW;
	}
	if (!err)
		*out = (struct buf){.p = out->p, .cap = out->cap, .len = part.len};
	return err;
}

/* RFC 9172 3.8: a BIB is encrypted only where one of its targets is, by this BCB or another (3.9). It
 * can be seen when the BIB is in clear; those over BIBs stand first in bpsec_list(). */
static int shared_check(const struct bundle *b, const struct bpsec_op *op, struct view plain)
{
	int i = target_index(b, op->number), err;
	struct asb a;

	if (i < 0 || b->block[i].type != BLOCK_BIB)
		return 0;
	err = asb_read(&a, plain);
	for (unsigned k = 0; !err && k < a.n_targets; k++)
		if (bpsec_is_encrypted(b, a.target[k]))
			return 0;
	return err ? err : -E_RULE;
}

int bpsec_accept(
	struct bpsec *x, struct buf *out, const struct bundle *b, const struct bpsec_accept *how)
{
	const struct bpsec_op *op = how->op;
	struct bpsec_subject s = {.b = b};
	struct view data = target_data(b, op->number), plain = data;
	size_t asb = b->block[op->block].data.n;
	struct buf lent = far_end(out, data.n + asb);
	struct bpsec_edit e;
	int err = !is_at_hand(b, op->number) ? -EINVAL : lent.p ? 0 : -E_OVERFLOW;

	if (!err && op->type == BLOCK_BIB)
		err = bpsec_verify(x, b, op, how->key);
	else if (!err) {
		err = bpsec_begin(x, &s, op, how->key);
		err = err ? err : crypt_put(x, &lent, data, &plain);
		err = err ? err : bpsec_end(x);
		err = err ? err : shared_check(b, op, plain);
	}
	err = err ? err : bpsec_edit_remove(&e, &lent, b, op, how->crc);
	if (err) {
		if (lent.p)
			crypto_wipe(lent.p, lent.len < lent.cap ? lent.len : lent.cap);
		return err;
	}
	if (op->type == BLOCK_BCB) {
		enum crc_type crc = crc_after(b, op, how->crc);
		if (!is_payload(b, target_index(b, op->number)))
			e.w.n_changes--; /* the ciphertext's */
		bpsec_edit_data(&e, b, op->number, plain, crc);
	}
	return edit_write(
		out, &lent, b, &e, is_payload(b, target_index(b, op->number)) ? plain : b->payload);
}

int bpsec_add(struct bpsec *x, struct buf *out, const struct bundle *b, const struct bpsec_how *how)
{
	struct bpsec_subject s = {.b = b};
	struct view data = target_data(b, how->target), cipher = data;
	struct buf lent = far_end(out, data.n + CRYPTO_TAG + BPSEC_ROOM);
	bool bcb = how->type == BLOCK_BCB;
	int i = target_index(b, how->target);
	struct bpsec_edit e;
	size_t from;
	int err = !is_at_hand(b, how->target) ? -EINVAL : lent.p ? 0 : -E_OVERFLOW;

	if (!err && i < 0 && b->crc_type && how->context != BPSEC_COSE) {
		/* RFC 9173 3.8.1: the CRC goes before the target is signed */
		err = bundle_primary_bare(&lent, b->primary);
		s.primary = buf_view(&lent);
	}
	err = err ? err : bpsec_make_begin(x, &s, how);
	if (!err && bcb)
		err = crypt_put(x, &lent, data, &cipher);
	else if (!err)
		err = bpsec_feed(x, view_sub(data, 0, (size_t)bpsec_wants(x)), NULL, NULL);
	if (err)
		return err;
	/* the tag, if it goes there, then the security block's data */
	struct buf asb = {.p = lent.p, .cap = lent.cap, .len = lent.len + bpsec_behind(x)};
	cipher.n += bpsec_behind(x);
	from = asb.len;
	err = bpsec_make_end(x, &asb, &lent);
	if (err)
		return err;
	bpsec_edit_add(&e, b, how, bpsec_made(x, view_of(asb.p + from, asb.len - from)));
	if (bcb) {
		enum crc_type crc = how->context == BPSEC_COSE ? b->block[i].crc_type : CRC_NONE;
		e.w.n_changes = 0;
		bpsec_edit_data(&e, b, how->target, cipher, crc);
	}
	return edit_write(out, &lent, b, &e, bcb && is_payload(b, i) ? cipher : b->payload);
}
