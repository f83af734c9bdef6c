/*
 * protect: what the source rules add to bundles that are made here, RFC 9172 3 and RFC 9173: the CRC
 * goes off a target, then come the BIBs, then the BCBs, each with one target (RFC 9173 4.3.1: an IV is
 * never used twice); what encrypts the payload encrypts its BIB as well, in a BCB of its own (RFC 9172
 * 3.9). Bundles that do not leave this node are left as they are, fragments are never secured.
 *
 * An IV is 32 bits of salt, new for each key at every start, and a number of the store's counter: a
 * number is used once, also over crashes, and a bundle whose number is not durable yet waits for its
 * commit. Start reading at security_put().
 */
#include "dtn/agent/bpsec.h"

#include "bundle/base/bytes.h"

#define IV_BYTES 12

/* A bundle in the making. */
struct protect {
	struct agent *a;
	struct security *s;
	struct making *m;
	struct bundle b;
};

static int build(struct protect *p, const struct own_bundle *o);
static int add(struct protect *p, struct ready_rule *r, uint64_t target);
static int number_iv(struct protect *p, struct ready_rule *r, uint8_t iv[IV_BYTES]);
static int put(struct protect *p, const struct own_bundle *o, uint64_t *id);

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
	struct protect p = {.a = a, .s = a->security, .m = m};
	struct ready_rule *primary = find(a, &o->s, true, 0),
			  *sign = find(a, &o->s, true, BLOCK_PAYLOAD),
			  *encrypt = find(a, &o->s, false, BLOCK_PAYLOAD);
	uint64_t bib = 0;
	int err = build(&p, o);

	if (!err && primary)
		err = add(&p, primary, 0);
	if (!err && sign) {
		bib = bundle_free_number(&p.b);
		err = add(&p, sign, 1);
	}
	if (!err && encrypt && sign)
		err = add(&p, encrypt, bib);
	if (!err && encrypt)
		err = add(&p, encrypt, 1);
	return err ? err : put(&p, o, id);
}

void security_tell(struct agent *a, mono now, uint64_t id, const struct making *m)
{
	for (unsigned i = 0; i < m->n_added; i++)
		trace_point(a->trace, now, security_added, id, m->added[i].why, m->added[i].block,
			m->added[i].rule);
}

static int read_back(struct protect *p, struct buf *w)
{
	struct bundle_fault fault;
	int err = buf_finish(w);

	return err ? err
		   : bundle_read(&p->b, buf_view(w), &p->a->rules_own[p->a->cfg.custody_profile],
			     &fault);
}

/* The bundle as it would leave without rules. */
static int build(struct protect *p, const struct own_bundle *o)
{
	struct buf w = buf_of(p->s->room[ROOM_MADE], p->s->cap);
	uint64_t n = 0;
	uint32_t crc;
	int err;

	for (size_t i = 0; i < o->s.n_payload; i++)
		n = u64_add_sat(n, o->s.payload[i].n);
	if (p->m->spec.flags & BUNDLE_FRAGMENT || n > p->a->cfg.security.max_bytes)
		return -E_SECURED_SIZE;
	err = bundle_build_head(&w, &p->m->spec, n, &crc);
	for (size_t i = 0; !err && i < o->s.n_payload; i++) {
		buf_put(&w, o->s.payload[i]);
		crc = crc_update(p->m->spec.block_crc_type, crc, o->s.payload[i]);
	}
	err = err ? err : bundle_build_tail(&w, &p->m->spec, crc);
	return err ? err : read_back(p, &w);
}

static int add(struct protect *p, struct ready_rule *r, uint64_t target)
{
	const struct agent *a = p->a;
	struct buf w = security_room(p->s, &p->b, ROOM_MADE);
	uint8_t iv[IV_BYTES];
	struct bpsec_how how = {.type = r->is.is_integrity ? BLOCK_BIB : BLOCK_BCB,
		.target = target,
		.crc_type = p->m->spec.block_crc_type,
		.context = security_context_number(&r->is),
		.source = a->self,
		.key = r->is.key,
		.scope = r->is.cfg->scope,
		.cek = view_of(r->content_key, r->n_content_key),
		.alg = r->content_alg,
		.bare_primary = a->cfg.security.a3_bare};
	int err = 0;

	if (!r->is.is_integrity) {
		err = number_iv(p, r, iv);
		how.iv = view_of(iv, sizeof iv);
	}
	err = err ? err : bpsec_add(p->s->worker, &w, &p->b, &how);
	err = err ? err : read_back(p, &w);
	if (err)
		return err;
	p->m->added[p->m->n_added].why = r->is.is_integrity ? WHY_SEC_SIGNED : WHY_SEC_ENCRYPTED;
	p->m->added[p->m->n_added].rule = (uint64_t)(r - p->s->rule);
	p->m->added[p->m->n_added++].block = target;
	return 0;
}

/* RFC 9173 4.3.1, 4.6: never the same again with this key. */
static int number_iv(struct protect *p, struct ready_rule *r, uint8_t iv[IV_BYTES])
{
	uint64_t number, seq;
	int err;

	if (r->n_used == USES_MAX)
		return -E_LIMIT;
	err = store_reserve(p->a->store, COUNTER_IV, 1, &number, &seq);
	if (err)
		return err;
	r->n_used++;
	p->m->needs_commit |= seq != 0;
	if (seq > p->m->seq)
		p->m->seq = seq;
	memcpy(iv, p->s->salt[r->is.key->number], 4);
	be64_put(iv + 4, number);
	return 0;
}

static int put(struct protect *p, const struct own_bundle *o, uint64_t *id)
{
	const struct bundle *b = &p->b;
	struct view part[2] = {b->payload, b->tail};
	struct store_bundle s = {.head = b->head, .payload = part, .n_payload = 2};

	p->m->r.payload_bytes = b->payload.n;
	p->m->r.tail_bytes = b->tail.n;
	p->m->r.size_bytes = b->head.n + b->payload.n + b->tail.n;
	return send_put(p->a, o, p->m, &s, id);
}
