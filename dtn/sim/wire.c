/*
 * wire: what a systematic run judges from the frames themselves, without asking a node:
 *
 *   a custody number names one bundle for good (the pair of custodian, sequence and number)
 *   an acceptance on the wire speaks of a pair that its custodian sent, and of a bundle that is in the
 *   committed store of who says it, or was there since the pair came, or was acknowledged there
 *   after a restart a node knows the number under which a bundle was sent last
 *   an application is told of what is durable, and of nothing else
 *
 * The number of a transmission in a custodial tunnel is judged like a custody number: it is the pair of its sender, TUNNEL
 * and itself.
 *
 * Pairs are few in such runs: a list. Start reading at wire_sent.
 */
#include "dtn/sim/decide.h"

#include "bundle/bibe.h"
#include "bundle/ccs.h"
#include "bundle/limits.h"
#include "dtn/sim/inside.h"

#include <stdlib.h>

#define BIT(n) (UINT32_C(1) << (n))
#define TUNNEL UINT64_MAX
#define NODE_BIT(n) (UINT64_C(1) << (n)->index)

struct wire_pair {
	uint64_t custodian, seq_id, seq_no;
	struct eid dest; /* where seq_id is 0; ipn only */
	struct ident ident;
	uint64_t came,
		durable; /* at which nodes it has arrived; where the bundle was durable since */
};

/* An acknowledgement that a node was asked for. */
struct wire_ack {
	unsigned node;
	uint64_t id;
	struct ident ident;
};

static void pair_arrived(struct sim *s, struct sim_node *n, const struct bundle *b);
static void number_arrived(struct sim *s, struct sim_node *n, const struct wire_pair *key);
static void data_sent(struct sim *s, struct sim_node *n, const struct bundle *b);
static void number_sent(struct sim *s, struct sim_node *n, const struct bundle *b);
static void transmission_sent(struct sim *s, struct sim_node *n, const struct bpdu *inside);
static void answer_sent(struct sim *s, struct sim_node *n, const struct bundle *b);
static void signal_sent(struct sim *s, struct sim_node *n, const struct wire_frame *w);
static void sequence_sent(
	struct sim *s, struct sim_node *n, const struct ccs_sequence *q, uint64_t custodian);
static struct wire_pair *pair_find(struct sim *s, const struct wire_pair *key);
static struct wire_pair *pair_add(struct sim *s, const struct wire_pair *key);
static bool is_held(const struct sim_node *n, const struct ident *id);
static bool is_acked(const struct sim *s, const struct sim_node *n, const struct ident *id);
static bool is_leaving(const struct sim *s, const struct sim_node *n, const struct ident *id);
static bool same_ident(const struct ident *a, const struct ident *b);

/* Within a turn; the look that is due at its end stays due. */
static void look_now(struct sim *s, struct sim_node *n)
{
	bool due = n->look;

	if (due)
		check_look(s, n);
	n->look = due;
}

/* Which of the profiles a signal is in is told by its record; both are tried. */
static bool signal_codes(const struct bundle *b, struct custody_codes *codes)
{
	const struct custody_codes all[2] = {custody_codes_ccsds(), custody_codes_bplib()};
	struct ccs_reader r;

	for (unsigned i = 0; i < 2; i++)
		if (b->flags & BUNDLE_ADMIN && ccs_open(&r, b->payload, &all[i]) == 0) {
			*codes = all[i];
			return true;
		}
	return false;
}

static bool frame_read(struct view bytes, struct bundle *b)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;

	rules.allow_no_primary_crc = rules.allow_foreign = true;
	if (bundle_read(b, bytes, &rules, &fault) == 0 && (b->has_cteb || b->flags & BUNDLE_ADMIN))
		return true;
	rules.custody = custody_codes_bplib();
	return bundle_read(b, bytes, &rules, &fault) == 0;
}

/* Is it a bundle around another that asks for an answer? Then *p is that. */
static bool transmission_is(const struct bundle *b, struct bpdu *p)
{
	return b->flags & BUNDLE_ADMIN && bpdu_read(b->payload, p) == 0 && p->id != 0;
}

static bool answer_is(const struct bundle *b)
{
	struct range runs[BIBE_RUNS_MAX];
	struct bibe_signal a = {.ids = ranges_of(runs, BIBE_RUNS_MAX)};

	return b->flags & BUNDLE_ADMIN && bibe_signal_read(b->payload, &a) == 0;
}

void wire_read(const struct sim *s, struct view bytes, struct wire_frame *w)
{
	struct bpdu inside;

	w->about = 0;
	if (!s->cfg.script || !frame_read(bytes, &w->b))
		return;
	if (signal_codes(&w->b, &w->codes) || answer_is(&w->b))
		w->about = BIT(ABOUT_SIGNAL);
	else if (transmission_is(&w->b, &inside))
		w->about = BIT(ABOUT_DATA);
	else if (w->b.has_cteb)
		w->about = BIT(ABOUT_DATA);
}

void wire_sent(struct sim *s, struct sim_node *n, const struct wire_frame *w)
{
	const struct bundle *b = &w->b;
	uint64_t self = s->cfg.topo->node[n->index].id;
	struct bpdu inside;

	if (w->about == 0)
		return;
	look_now(s, n);
	if (b->has_cteb && b->cteb.custodian.node == self)
		data_sent(s, n, b);
	else if (b->source.node != self)
		return;
	else if (transmission_is(b, &inside))
		transmission_sent(s, n, &inside);
	else if (answer_is(b))
		answer_sent(s, n, b);
	else if (w->about & BIT(ABOUT_SIGNAL))
		signal_sent(s, n, w);
}

void wire_arrived(struct sim *s, struct sim_node *n, const struct wire_frame *w)
{
	struct bundle b;
	struct bpdu p;

	if (w->about == 0)
		return;
	if (w->b.has_cteb)
		pair_arrived(s, n, &w->b);
	if (!transmission_is(&w->b, &p) || w->b.dest.node != s->cfg.topo->node[n->index].id)
		return;
	number_arrived(s, n,
		&(struct wire_pair){
			.custodian = w->b.source.node, .seq_id = TUNNEL, .seq_no = p.id});
	if (frame_read(p.bundle, &b) && b.has_cteb)
		pair_arrived(s, n, &b);
}

static void pair_arrived(struct sim *s, struct sim_node *n, const struct bundle *b)
{
	number_arrived(s, n,
		&(struct wire_pair){.custodian = b->cteb.custodian.node,
			.seq_id = b->cteb.seq_id,
			.seq_no = b->cteb.seq_no,
			.dest = b->dest});
}

static void number_arrived(struct sim *s, struct sim_node *n, const struct wire_pair *key)
{
	struct wire_pair *p = pair_find(s, key);

	if (!p)
		return;
	look_now(s, n);
	p->came |= NODE_BIT(n);
	if (is_held(n, &p->ident) || is_leaving(s, n, &p->ident))
		p->durable |= NODE_BIT(n);
}

void wire_look(struct sim *s, struct sim_node *n)
{
	for (size_t i = 0; i < s->n_pairs; i++) {
		struct wire_pair *p = &s->pair[i];

		if (p->came & ~p->durable & NODE_BIT(n) && is_held(n, &p->ident))
			p->durable |= NODE_BIT(n);
	}
}

void wire_started(struct sim *s, struct sim_node *n)
{
	struct node_bundle nb;
	uint64_t id = 0;

	if (!s->cfg.script)
		return;
	while (node_next_bundle(n->node, &id, &nb)) {
		struct ident ident = {nb.source.node, nb.source.service, nb.created_ms, nb.seq};
		const struct wire_pair *last = NULL;

		for (size_t i = 0; nb.custody && i < s->n_pairs; i++)
			if (s->pair[i].custodian == s->cfg.topo->node[n->index].id &&
				same_ident(&s->pair[i].ident, &ident))
				last = &s->pair[i];
		if (last && last->seq_id == nb.custody_seq_id && last->seq_no > nb.custody_seq_no)
			check_fail(s,
				"%s has forgotten that it sent a bundle under number %" PRIu64
				", it knows %" PRIu64,
				s->cfg.topo->node[n->index].name, last->seq_no, nb.custody_seq_no);
	}
}

void wire_accepted(struct sim *s, struct sim_node *n, const struct sim_msg *m)
{
	if (!s->cfg.script || !m->custody)
		return;
	look_now(s, n);
	if (!is_held(n, &m->ident))
		check_fail(s, "message %" PRIu64 " of row %u was accepted and is not durable in %s",
			m->n, m->row, s->cfg.topo->node[n->index].name);
}

void wire_acked(struct sim *s, struct sim_node *n, const struct sim_msg *m, uint64_t id)
{
	if (s->cfg.script && store_is_durable(n->store, id))
		check_fail(s,
			"the acknowledgement of message %" PRIu64
			" of row %u was told and is not durable in %s",
			m->n, m->row, s->cfg.topo->node[n->index].name);
}

void wire_ack_asked(struct sim *s, const struct sim_node *n, const struct ident *ident, uint64_t id)
{
	struct wire_ack *more;

	if (!s->cfg.script)
		return;
	more = reallocarray(s->ack, s->n_acks + 1, sizeof *more);
	if (!more)
		abort(); /* see due_set */
	s->ack = more;
	more[s->n_acks++] = (struct wire_ack){n->index, id, *ident};
}

/* Durably so: what a crash took back is in the committed store again. */
static bool is_acked(const struct sim *s, const struct sim_node *n, const struct ident *id)
{
	for (size_t i = 0; i < s->n_acks; i++)
		if (s->ack[i].node == n->index && same_ident(&s->ack[i].ident, id) &&
			!store_is_durable(n->store, s->ack[i].id))
			return true;
	return false;
}

/* An acknowledgement of it is being written: until then it is durable still. */
static bool is_leaving(const struct sim *s, const struct sim_node *n, const struct ident *id)
{
	for (size_t i = 0; i < s->n_acks; i++)
		if (s->ack[i].node == n->index && same_ident(&s->ack[i].ident, id) &&
			store_is_durable(n->store, s->ack[i].id))
			return true;
	return false;
}

void wire_fini(struct sim *s)
{
	free(s->ack);
	free(s->pair);
}

static void data_sent(struct sim *s, struct sim_node *n, const struct bundle *b)
{
	const struct ident ident = {b->source.node, b->source.service, b->created_ms, b->seq};

	number_sent(s, n, b);
	if (!is_held(n, &ident))
		check_fail(s, "%s sends a bundle as custodian that is not durable there",
			s->cfg.topo->node[n->index].name);
}

static void number_sent(struct sim *s, struct sim_node *n, const struct bundle *b)
{
	const struct wire_pair key = {.custodian = b->cteb.custodian.node,
		.seq_id = b->cteb.seq_id,
		.seq_no = b->cteb.seq_no,
		.dest = b->dest,
		.ident = {b->source.node, b->source.service, b->created_ms, b->seq}};
	const struct wire_pair *p = pair_find(s, &key);

	if (!p)
		(void)pair_add(s, &key);
	else if (!same_ident(&p->ident, &key.ident))
		check_fail(s, "%s uses custody number %" PRIu64 " for two bundles",
			s->cfg.topo->node[n->index].name, key.seq_no);
}

/* The bundle inside need not be durable: nobody has promised anything of it yet. */
static void transmission_sent(struct sim *s, struct sim_node *n, const struct bpdu *inside)
{
	struct wire_pair key = {.custodian = s->cfg.topo->node[n->index].id,
		.seq_id = TUNNEL,
		.seq_no = inside->id};
	struct bundle b;
	const struct wire_pair *p = pair_find(s, &key);
	bool is_good = frame_read(inside->bundle, &b);

	key.ident = (struct ident){b.source.node, b.source.service, b.created_ms, b.seq};
	if (is_good && b.has_cteb && b.cteb.custodian.node == key.custodian)
		number_sent(s, n, &b); /* it may have been released since it was put in */
	if (!is_good)
		check_fail(s, "%s has put in a bundle that can't be read",
			s->cfg.topo->node[n->index].name);
	else if (!p)
		pair_add(s, &key);
	else if (!same_ident(&p->ident, &key.ident))
		check_fail(s, "%s uses transmission number %" PRIu64 " for two bundles",
			s->cfg.topo->node[n->index].name, key.seq_no);
}

static void answer_sent(struct sim *s, struct sim_node *n, const struct bundle *b)
{
	struct range runs[BIBE_RUNS_MAX];
	struct bibe_signal a = {.ids = ranges_of(runs, BIBE_RUNS_MAX)};
	struct ccs_sequence q = {.seq_id = TUNNEL};

	if (bibe_signal_read(b->payload, &a) != 0 ||
		(a.disposition != BIBE_ACCEPTED && a.disposition != BIBE_REDUNDANT))
		return;
	q.numbers = a.ids;
	sequence_sent(s, n, &q, b->dest.node);
}

static void signal_sent(struct sim *s, struct sim_node *n, const struct wire_frame *w)
{
	struct range runs[64];
	struct ccs_sequence q = {.numbers = ranges_of(runs, 64)};
	struct ccs_reader r;

	if (ccs_open(&r, w->b.payload, &w->codes) != 0)
		return;
	for (; ccs_next(&r, &q); q.numbers = ranges_of(runs, 64))
		if (q.accepted)
			sequence_sent(s, n, &q, w->b.dest.node);
	if (!cursor_ok(&r.c))
		check_fail(s, "%s sends a custody signal that can't be read",
			s->cfg.topo->node[n->index].name);
}

static void sequence_sent(
	struct sim *s, struct sim_node *n, const struct ccs_sequence *q, uint64_t custodian)
{
	for (size_t i = 0; i < q->numbers.n; i++)
		for (uint64_t v = q->numbers.run[i].from; v < q->numbers.run[i].to; v++) {
			const struct wire_pair key = {.custodian = custodian,
				.seq_id = q->seq_id,
				.seq_no = v,
				.dest = q->dest};
			const struct wire_pair *p = pair_find(s, &key);

			if (!p)
				check_fail(s, "%s accepts number %" PRIu64 ", which nobody sent",
					s->cfg.topo->node[n->index].name, v);
			else if (!(p->durable & NODE_BIT(n)) && !is_acked(s, n, &p->ident))
				check_fail(s,
					"%s says that it has custody of number %" PRIu64
					" before it is durable there",
					s->cfg.topo->node[n->index].name, v);
		}
}

/* Destinations matter where the counter is the destination's. */
static struct wire_pair *pair_find(struct sim *s, const struct wire_pair *key)
{
	for (size_t i = 0; i < s->n_pairs; i++) {
		struct wire_pair *p = &s->pair[i];

		if (p->custodian == key->custodian && p->seq_id == key->seq_id &&
			p->seq_no == key->seq_no &&
			(p->seq_id != 0 || (p->dest.node == key->dest.node &&
						   p->dest.service == key->dest.service)))
			return p;
	}
	return NULL;
}

static struct wire_pair *pair_add(struct sim *s, const struct wire_pair *key)
{
	if (s->n_pairs == s->cap_pairs) {
		s->cap_pairs = s->cap_pairs ? 2 * s->cap_pairs : 16;
		s->pair = reallocarray(s->pair, s->cap_pairs, sizeof *s->pair);
		if (!s->pair)
			abort(); /* see due_set */
	}
	s->pair[s->n_pairs] = *key;
	s->pair[s->n_pairs].dest.ssp = (struct view){0}; /* it goes with the frame */
	return &s->pair[s->n_pairs++];
}

/* In its committed store, as last looked at. */
static bool is_held(const struct sim_node *n, const struct ident *id)
{
	for (const struct link_node *l = n->all_held.next; l != &n->all_held; l = l->next) {
		const struct held *h =
			container_of((struct link_node *)(uintptr_t)l, struct held, all);

		if (h->committed && h->readable && same_ident(&h->ident, id))
			return true;
	}
	return false;
}

static bool same_ident(const struct ident *a, const struct ident *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}
