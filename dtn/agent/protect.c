/*
 * protect: what the source rules add to bundles that are made here, RFC 9172 3 and RFC 9173: the CRC
 * goes off a target, then come the BIBs, then the BCBs, each with one target (RFC 9173 4.3.1: an IV is
 * never used twice); what encrypts the payload encrypts its BIB as well, in a BCB of its own (RFC 9172
 * 3.9). Bundles that do not leave this node are left as they are, fragments are never secured.
 *
 * The payload goes by in parts: each is signed, encrypted, and appended to an open bundle of the store;
 * the head comes last, with what was signed and the tag, and seals it. So a payload that an application
 * sends in pieces is secured as it comes in (security.step_bytes in a turn of the loop, which it shares
 * with the checks of steps.c), and one that is there goes the same way at once.
 *
 * An IV is 32 bits of salt, new for each key at every start, and a number of the store's counter: a
 * number is used once, also over crashes, and a bundle whose number is not durable yet waits for its
 * commit. Start reading at protect_open().
 */
#include "dtn/agent/bpsec.h"

#include "bundle/base/bytes.h"

#include <stdlib.h>

#define IV_BYTES 12
#define HEAD_MAX (2 * HEAD_MADE_MAX) /* of a bundle made here, with a signed primary block */

/* One operation over the payload, or over its BIB. */
struct layer {
	struct ready_rule *rule; /* NULL: not wanted */
	struct bpsec *worker;
	struct bpsec_how how;
	uint8_t iv[IV_BYTES];
};

/* A bundle whose payload goes by. */
struct sealing {
	struct bundle b; /* read from head: as it is before the payload's operations are in it */
	uint8_t head[HEAD_MAX];
	struct layer sign, hide, encrypt; /* hide: encrypts what sign makes */
	uint64_t total, fed;              /* bytes of the payload */
	uint64_t size;                    /* ... and as it leaves */
	enum crc_type crc_type;           /* context 3 leaves one */
	uint32_t crc;
	uint64_t open; /* in the store; 0: not yet */
};

static int begin(struct agent *a, const struct own_bundle *o, struct making *m, struct sealing *g);
static int room_open(struct agent *a, struct sealing *g, unsigned flags);
static int build(struct sealing *g, const struct agent *a, const struct making *m);
static int sign_primary(struct agent *a, struct making *m, struct sealing *g, struct ready_rule *r);
static int layer_begin(struct agent *a, struct making *m, struct sealing *g, struct layer *l,
	struct ready_rule *r);
static int number_iv(struct agent *a, struct making *m, struct ready_rule *r, uint8_t iv[IV_BYTES]);
static int feed(struct agent *a, struct sealing *g, struct view v);
static int finish(struct agent *a, struct sealing *g, struct view *head);
static int layer_end(struct agent *a, struct sealing *g, struct bundle *b, struct layer *l);

/* The first rule that adds this operation to such bundles, or NULL. */
static struct ready_rule *find(
	const struct agent *a, const struct agent_send *s, bool is_integrity, uint64_t block)
{
	for (size_t i = 0; i < a->security->n_rules; i++) {
		struct ready_rule *r = &a->security->rule[i];

		if (r->is_signal && !s->is_signal)
			break; /* they come last */
		if (r->is.role == ROLE_SOURCE && r->is.is_integrity == is_integrity &&
			r->is.block == block && eid_pattern_has(&r->is.source, &s->source) &&
			eid_pattern_has(&r->is.destination, &s->dest))
			return r;
	}
	return NULL;
}

bool security_adds(const struct agent *a, const struct agent_send *s)
{
	if (a->security->n_out == 0 || (s->dest.node == a->self.node && !s->dest.group))
		return false;
	return find(a, s, true, 0) || find(a, s, true, BLOCK_PAYLOAD) ||
	       find(a, s, false, BLOCK_PAYLOAD);
}

int security_put(struct agent *a, const struct own_bundle *o, struct making *m, uint64_t *id)
{
	struct sealing *g = a->security->sealing;
	struct own_bundle sealed = *o;
	uint64_t n = 0;
	int err;

	for (size_t i = 0; i < o->s.n_payload; i++)
		n = u64_add_sat(n, o->s.payload[i].n);
	if (n > a->security->at_once)
		return -E_SECURED_SIZE;
	g->total = n;
	err = begin(a, o, m, g);
	err = err ? err : room_open(a, g, send_flags(o, m));
	for (size_t i = 0; !err && i < o->s.n_payload; i++)
		for (struct view v = o->s.payload[i]; !err && v.n > 0;) {
			size_t k = v.n < STEP_CHUNK ? v.n : STEP_CHUNK;

			err = feed(a, g, view_sub(v, 0, k));
			v = view_sub(v, k, v.n - k);
		}
	sealed.sealing = g;
	err = err ? err : protect_close(a, &sealed, m, id);
	if (err && g->open)
		store_abandon(a->store, g->open);
	return err;
}

int protect_init(struct agent *a)
{
	struct security *s = a->security;
	struct sealing *g;

	if (s->n_out == 0)
		return 0;
	g = s->sealing = calloc(1, sizeof *g);
	if (!g)
		return -ENOMEM;
	g->sign.worker = bpsec_new(s->ring);
	g->encrypt.worker = bpsec_new(s->ring);
	return g->sign.worker && g->encrypt.worker ? 0 : -ENOMEM;
}

void protect_fini(struct agent *a)
{
	if (a->security->sealing)
		protect_drop(a, a->security->sealing);
}

int protect_open(struct agent *a, const struct own_bundle *o, struct making *m, uint64_t total,
	struct sealing **out)
{
	struct sealing *g = calloc(1, sizeof *g);
	const struct ready_rule *sign = find(a, &o->s, true, BLOCK_PAYLOAD);
	int err = g ? 0 : -ENOMEM;

	if (!err && sign && sign->is.key->kind == KEY_ED25519 && total > CRYPTO_ED25519_MAX)
		err = -E_SECURED_SIZE;
	if (!err) {
		g->total = total;
		g->sign.worker = bpsec_new(a->security->ring);
		g->encrypt.worker = bpsec_new(a->security->ring);
		err = g->sign.worker && g->encrypt.worker ? begin(a, o, m, g) : -ENOMEM;
	}
	err = err ? err : room_open(a, g, send_flags(o, m) | STORE_PATIENT);
	if (err && g)
		protect_drop(a, g);
	else
		*out = g;
	return err;
}

int protect_part(struct agent *a, struct sealing *g, struct view *part)
{
	struct security *s = a->security;

	while (part->n > 0) {
		size_t n = part->n < STEP_CHUNK ? part->n : STEP_CHUNK;
		int err;

		if (n > s->budget)
			n = (size_t)s->budget;
		if (n == 0) {
			s->is_pressed = true;
			return -E_AGAIN;
		}
		err = feed(a, g, view_sub(*part, 0, n));
		if (err)
			return err;
		s->budget -= n;
		*part = view_sub(*part, n, part->n - n);
	}
	return 0;
}

/* The head, with what was signed and the tag; then it is a bundle like any other. */
int protect_close(struct agent *a, const struct own_bundle *o, struct making *m, uint64_t *id)
{
	struct sealing *g = o->sealing;
	uint8_t room[BUNDLE_TAIL_MAX];
	struct buf tail = buf_of(room, sizeof room);
	struct store_bundle s = {0};
	int err = finish(a, g, &s.head);

	err = err ? err
		  : bundle_build_tail(
			    &tail, &(struct bundle_spec){.block_crc_type = g->crc_type}, g->crc);
	err = err ? err : store_append(a->store, g->open, buf_view(&tail));
	if (err)
		return err;
	m->r.payload_bytes = g->size;
	m->r.tail_bytes = tail.len;
	m->r.size_bytes = s.head.n + g->size + tail.len;
	*id = g->open;
	err = send_put(a, o, m, &s, id);
	if (!err)
		g->open = 0;
	return err;
}

void protect_drop(struct agent *a, struct sealing *g)
{
	if (g->open)
		store_abandon(a->store, g->open);
	bpsec_free(g->sign.worker);
	bpsec_free(g->encrypt.worker);
	free(g);
}

void security_tell(struct agent *a, mono now, uint64_t id, const struct making *m)
{
	for (unsigned i = 0; i < m->n_added; i++)
		trace_point(a->trace, now, security_added, id, m->added[i].why, m->added[i].block,
			m->added[i].rule);
}

/* All that can be done before the payload comes: g->total and the workers are there. */
static int begin(struct agent *a, const struct own_bundle *o, struct making *m, struct sealing *g)
{
	struct ready_rule *primary = find(a, &o->s, true, 0),
			  *sign = find(a, &o->s, true, BLOCK_PAYLOAD),
			  *encrypt = find(a, &o->s, false, BLOCK_PAYLOAD);
	int err;

	g->sign.rule = g->hide.rule = g->encrypt.rule = NULL;
	g->fed = g->open = 0;
	g->crc_type = m->spec.block_crc_type;
	if (m->spec.flags & BUNDLE_FRAGMENT || g->total > a->cfg.security.max_bytes)
		return -E_SECURED_SIZE;
	err = build(g, a, m);
	if (!err && primary)
		err = sign_primary(a, m, g, primary);
	if (!err && sign)
		err = layer_begin(a, m, g, &g->sign, sign);
	if (!err && sign && encrypt)
		err = layer_begin(a, m, g, &g->hide, encrypt);
	if (!err && encrypt)
		err = layer_begin(a, m, g, &g->encrypt, encrypt);
	return err;
}

/* The payload as it will leave: its size, its CRC so far, and room for it with its tail. */
static int room_open(struct agent *a, struct sealing *g, unsigned flags)
{
	struct buf w = security_room(a->security, &g->b, ROOM_MADE);
	struct bundle_rewrite edit = {.set_payload = true};
	uint8_t room[BUNDLE_TAIL_MAX];
	struct buf tail = buf_of(room, sizeof room);
	int err;

	if ((g->sign.rule && g->sign.how.context != BPSEC_COSE) ||
		(g->encrypt.rule && g->encrypt.how.context != BPSEC_COSE))
		g->crc_type = CRC_NONE; /* RFC 9173 3.8.1, 4.8.1 */
	g->size = g->encrypt.rule ? bpsec_gives(g->encrypt.worker) + bpsec_behind(g->encrypt.worker)
				  : g->total;
	edit.payload_len = g->size;
	edit.payload_crc = g->crc_type;
	err = bundle_rewrite_head(&w, &g->b, &edit, &g->crc);
	err = err ? err
		  : bundle_build_tail(
			    &tail, &(struct bundle_spec){.block_crc_type = g->crc_type}, g->crc);
	return err ? err : store_begin(a->store, g->size + tail.len, flags, &g->open);
}

static int head_read(const struct agent *a, struct bundle *b, const struct buf *w)
{
	struct bundle_fault fault;

	return bundle_read_head(b, buf_view(w), &a->rules_own[a->cfg.custody_profile], &fault);
}

/* The bundle as it would leave without rules, but for its payload. */
static int build(struct sealing *g, const struct agent *a, const struct making *m)
{
	struct buf w = buf_of(g->head, sizeof g->head);
	uint32_t crc;
	int err = bundle_build_head(&w, &m->spec, g->total, &crc);

	return err ? err : head_read(a, &g->b, &w);
}

static struct bpsec_how how_of(
	const struct agent *a, const struct making *m, const struct ready_rule *r, uint64_t target)
{
	return (struct bpsec_how){.type = r->is.is_integrity ? BLOCK_BIB : BLOCK_BCB,
		.target = target,
		.crc_type = m->spec.block_crc_type,
		.context = security_context_number(&r->is),
		.source = a->self,
		.key = r->is.key,
		.scope = r->is.cfg->scope,
		.cek = view_of(r->content_key, r->n_content_key),
		.alg = r->content_alg,
		.bare_primary = a->cfg.security.a3_bare};
}

static void note(
	const struct agent *a, struct making *m, const struct ready_rule *r, uint64_t target)
{
	m->added[m->n_added].why = r->is.is_integrity ? WHY_SEC_SIGNED : WHY_SEC_ENCRYPTED;
	m->added[m->n_added].rule = (uint64_t)(r - a->security->rule);
	m->added[m->n_added++].block = target;
}

static int sign_primary(struct agent *a, struct making *m, struct sealing *g, struct ready_rule *r)
{
	struct buf w = security_room(a->security, &g->b, ROOM_MADE),
		   own = buf_of(g->head, sizeof g->head);
	struct bpsec_how how = how_of(a, m, r, 0);
	int err = bpsec_add(a->security->worker, &w, &g->b, &how);

	if (err)
		return err;
	buf_put(&own, buf_view(&w));
	err = buf_finish(&own);
	err = err ? err : head_read(a, &g->b, &own);
	note(a, m, r, 0);
	return err;
}

/* The smallest block number that nobody has or will have. */
static uint64_t number_free(const struct sealing *g)
{
	uint64_t number = bundle_free_number(&g->b);
	unsigned i = 0;

	while (i < g->b.n_blocks)
		if (g->b.block[i++].number == number ||
			(g->sign.rule && g->sign.how.number == number) ||
			(g->hide.rule && g->hide.how.number == number)) {
			number++;
			i = 0;
		}
	return number;
}

static int layer_begin(
	struct agent *a, struct making *m, struct sealing *g, struct layer *l, struct ready_rule *r)
{
	bool hides = l == &g->hide;
	int err = 0;

	l->how = how_of(a, m, r, hides ? g->sign.how.number : 1);
	l->how.number = number_free(g);
	l->rule = r;
	if (!r->is.is_integrity) {
		err = number_iv(a, m, r, l->iv);
		l->how.iv = view_of(l->iv, IV_BYTES);
	}
	if (!err && !hides) /* what it encrypts is not there yet */
		err = bpsec_make_begin(l->worker, &(struct bpsec_subject){.b = &g->b}, &l->how);
	note(a, m, r, l->how.target);
	return err;
}

/* RFC 9173 4.3.1, 4.6: never the same again with this key. */
static int number_iv(struct agent *a, struct making *m, struct ready_rule *r, uint8_t iv[IV_BYTES])
{
	uint64_t number, seq;
	int err;

	if (r->n_used == USES_MAX)
		return -E_LIMIT;
	err = store_reserve(a->store, COUNTER_IV, 1, &number, &seq);
	if (err)
		return err;
	r->n_used++;
	m->needs_commit |= seq != 0;
	if (seq > m->seq)
		m->seq = seq;
	memcpy(iv, a->security->salt[r->is.key->number], 4);
	be64_put(iv + 4, number);
	return 0;
}

/* At most STEP_CHUNK bytes of the payload. */
static int feed(struct agent *a, struct sealing *g, struct view v)
{
	uint8_t *out = a->security->room[ROOM_MADE];
	size_t made = v.n;
	int err = 0;

	g->fed += v.n;
	if (g->sign.rule)
		err = bpsec_feed(g->sign.worker, v, NULL, NULL);
	if (!err && g->encrypt.rule) {
		err = bpsec_feed(g->encrypt.worker, v, out, &made);
		v = view_of(out, made);
	}
	if (err)
		return err;
	g->crc = crc_update(g->crc_type, g->crc, v);
	return store_append(a->store, g->open, v);
}

/* What the payload's operations came to goes into the head. */
static int finish(struct agent *a, struct sealing *g, struct view *head)
{
	struct bundle b = g->b;
	int err = g->fed == g->total ? 0 : -E_STATE;

	if (!err && g->sign.rule)
		err = layer_end(a, g, &b, &g->sign);
	if (!err && g->hide.rule) {
		struct buf w = security_room(a->security, &b, ROOM_MADE);

		err = bpsec_add(a->security->worker, &w, &b, &g->hide.how);
		err = err ? err : head_read(a, &b, &w);
	}
	if (!err && g->encrypt.rule)
		err = layer_end(a, g, &b, &g->encrypt);
	*head = b.head;
	return err;
}

static int layer_end(struct agent *a, struct sealing *g, struct bundle *b, struct layer *l)
{
	uint8_t room[BPSEC_ROOM], tag_room[CRYPTO_TAG];
	struct buf asb = buf_of(room, sizeof room), tag = buf_of(tag_room, sizeof tag_room),
		   w = security_room(a->security, b, ROOM_MADE);
	bool encrypts = l == &g->encrypt;
	struct bpsec_edit e;
	uint32_t crc;
	int err = bpsec_make_end(l->worker, &asb, encrypts ? &tag : NULL);

	if (err)
		return err;
	bpsec_edit_add(&e, b, &l->how, bpsec_made(l->worker, buf_view(&asb)));
	if (encrypts) {
		e.w.set_payload = true;
		e.w.payload_len = g->size;
		e.w.payload_crc = g->crc_type;
	}
	err = bundle_rewrite_head(&w, b, &e.w, &crc);
	err = err ? err : head_read(a, b, &w);
	if (err || tag.len == 0)
		return err;
	g->crc = crc_update(g->crc_type, g->crc, buf_view(&tag));
	return store_append(a->store, g->open, buf_view(&tag));
}
