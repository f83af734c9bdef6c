/*
 * owlt bundle show --keys: every security operation of a bundle verified or decrypted with the keys of
 * a file. Which key is meant is not said in contexts 1 and 2, so all that could be are tried.
 *
 * Decrypted blocks take the place of the encrypted ones in the bundle that is shown. Start reading at
 * bundle_unlock().
 */
#include "tools/bundle_keys.h"

#include "dtn/io/keyfile.h"
#include "tools/bundle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void judge(struct unlocked *u, struct bpsec *x, const struct bpsec_op *op);

static int reread(struct unlocked *u)
{
	struct bundle_fault fault;

	return bundle_read(&u->b, view_of(u->bytes, u->n), &u->rules, &fault);
}

/* The next operation without a verdict; NULL: all have one. */
static const struct bpsec_op *next(const struct unlocked *u, struct bpsec_op op[BPSEC_OPS_MAX])
{
	unsigned n = 0;

	if (bpsec_list(&u->b, op, &n))
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		unsigned k = 0;
		while (k < u->n_verdicts &&
			(u->verdict[k].type != op[i].type || u->verdict[k].target != op[i].number))
			k++;
		if (k == u->n_verdicts)
			return &op[i];
	}
	return NULL;
}

int keys_load(const char *path, struct keyring **ring)
{
	struct keyring_fault fault;

	if (keyfile_load(path, ring, &fault) == 0)
		return 0;
	return fault.line ? out_fail("%s:%u: %s", path, fault.line, fault.text)
			  : out_fail("%s: %s", path, fault.text);
}

int bundle_unlock(struct unlocked *u, struct view bytes, const struct bundle_rules *rules,
	const struct keyring *ring)
{
	struct bpsec_op op[BPSEC_OPS_MAX];
	const struct bpsec_op *at;
	struct bpsec *x = bpsec_new(ring);

	/* what a primary block without CRC is signed by may be encrypted, or gone */
	*u = (struct unlocked){
		.n = bytes.n, .rules = *rules, .ring = ring, .bytes = malloc(bytes.n + 1)};
	u->rules.allow_no_primary_crc = true;
	if (!u->bytes || !x) {
		free(u->bytes);
		bpsec_free(x);
		return -ENOMEM;
	}
	memcpy(u->bytes, bytes.p, bytes.n);
	int err = reread(u);
	while (!err && u->n_verdicts < BPSEC_OPS_MAX && (at = next(u, op)))
		judge(u, x, at);
	bpsec_free(x);
	return err;
}

/* One operation with one key; a decrypted bundle takes the place of the one before. */
static int try_key(
	struct unlocked *u, struct bpsec *x, const struct bpsec_op *op, const struct key *key)
{
	size_t cap = 2 * u->n + 2 * BPSEC_ROOM;
	struct buf out;
	int err;

	if (op->type == BLOCK_BIB)
		return bpsec_verify(x, &u->b, op, key);
	out = buf_of(malloc(cap), cap);
	if (!out.p)
		return -ENOMEM;
	err = bpsec_accept(
		x, &out, &u->b, &(struct bpsec_accept){.op = op, .key = key, .crc = CRC_NONE});
	if (err) {
		free(out.p);
		return err;
	}
	free(u->bytes);
	u->bytes = out.p;
	u->n = out.len;
	return reread(u);
}

/* Every key that could be meant. Of the errors that of the last that was one is told. */
static int try_all(struct unlocked *u, struct bpsec *x, const struct bpsec_op *op, const char **id)
{
	int err = -ENOKEY;

	for (unsigned k = 0; k < keyring_count(u->ring) && err; k++) {
		const struct key *key = keyring_at(u->ring, k);
		int r = try_key(u, x, op, key);
		if (r != -ENOKEY)
			err = r;
		if (r == 0)
			*id = key->id;
	}
	return err;
}

static void judge(struct unlocked *u, struct bpsec *x, const struct bpsec_op *op)
{
	struct verdict *v = &u->verdict[u->n_verdicts++];
	const struct bpsec_op what = *op;
	int err;

	*v = (struct verdict){.type = op->type,
		.block = u->b.block[op->block].number,
		.target = op->number,
		.context = op->context};
	eid_print(&op->source, v->source, sizeof v->source);
	if (what.context == BPSEC_COSE) { /* it names its key */
		err = try_key(u, x, &what, NULL);
		v->key = bpsec_key(x) ? bpsec_key(x)->id : NULL;
	} else {
		err = try_all(u, x, &what, &v->key);
	}
	v->err = err;
}

void unlocked_free(struct unlocked *u)
{
	if (u->bytes)
		crypto_wipe(u->bytes, u->n);
	free(u->bytes);
}

bool unlocked_good(const struct unlocked *u)
{
	for (unsigned k = 0; k < u->n_verdicts; k++)
		if (u->verdict[k].err && u->verdict[k].err != -ENOKEY &&
			u->verdict[k].err != -E_STATE)
			return false;
	return true;
}

static const char *word(const struct verdict *v)
{
	switch (v->err) {
	case 0:
		return "ok";
	case -ENOKEY:
		return "no key";
	case -E_STATE:
		return "encrypted";
	case -E_AUTH:
		return "failed";
	case -E_UNKNOWN:
		return "unknown";
	default:
		return "malformed";
	}
}

static void items_show(struct out *o, const char *key, const struct asb_item *item, unsigned n)
{
	if (o->json)
		jw_array(&o->w, key);
	for (unsigned k = 0; o->json && k < n; k++) {
		jw_object(&o->w, NULL);
		jw_u64(&o->w, "id", item[k].id);
		out_hex(o, "cbor_hex", item[k].value);
		jw_object_end(&o->w);
	}
	if (o->json)
		jw_array_end(&o->w);
	for (unsigned k = 0; k < n; k++) {
		out_text(o, "  %-12s %" PRIu64 ": ", key, item[k].id);
		for (size_t i = 0; i < item[k].value.n; i++)
			out_text(o, "%02x", item[k].value.p[i]);
		out_text(o, "\n");
	}
}

void asb_show(struct out *o, struct view data)
{
	char source[EID_TEXT_MAX];
	struct asb a;

	if (asb_read(&a, data))
		return; /* encrypted, or no such thing */
	out_text(o, "  targets     ");
	if (o->json)
		jw_array(&o->w, "targets");
	for (unsigned k = 0; k < a.n_targets; k++) {
		out_text(o, " %" PRIu64, a.target[k]);
		if (o->json)
			jw_u64(&o->w, NULL, a.target[k]);
	}
	if (o->json)
		jw_array_end(&o->w);
	eid_print(&a.source, source, sizeof source);
	out_text(o, "\n  context      %" PRIi64 "\n  %-12s %s\n", a.context, "by", source);
	if (o->json)
		jw_i64(&o->w, "context", a.context);
	out_string(o, "security_source", source);
	items_show(o, "parameters", a.param, a.n_params);
	items_show(o, "results", a.result, a.n_results);
}

void verdicts_show(struct out *o, const struct unlocked *u)
{
	if (o->json)
		jw_array(&o->w, "security");
	for (unsigned k = 0; k < u->n_verdicts; k++) {
		const struct verdict *v = &u->verdict[k];
		const char *service = v->type == BLOCK_BIB ? "integrity" : "confidentiality";
		out_text(o,
			"%s of block %" PRIu64 " by block %" PRIu64 ", context %" PRIi64
			", source %s: %s%s%s\n",
			service, v->target, v->block, v->context, v->source, word(v),
			v->key ? ", key " : "", v->key ? v->key : "");
		if (!o->json)
			continue;
		jw_object(&o->w, NULL);
		out_string(o, "service", service);
		jw_u64(&o->w, "target", v->target);
		jw_u64(&o->w, "block", v->block);
		jw_i64(&o->w, "context", v->context);
		out_string(o, "source", v->source);
		out_string(o, "result", word(v));
		if (v->key)
			out_string(o, "key", v->key);
		jw_object_end(&o->w);
	}
	if (o->json)
		jw_array_end(&o->w);
}
