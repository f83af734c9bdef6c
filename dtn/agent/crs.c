/*
 * crs: compressed reporting (CCSDS 734.6). A bundle with a reporting block is
 * reported on by its number: what happens to many goes to one addressee as runs of numbers.
 *
 * Out: reports are gathered per addressee and block source like custody signals (gather.c), and as
 * signals are sent when the rates of reports allow; what finds its list full meanwhile is kept back. A
 * signal leaves only when all that was staged before it is durable: it tells what a commit made true.
 * The block itself is passed on as it came, and changes nothing else.
 *
 * In: a number says nothing unless it was given to a bundle of this node, whose id is known for a
 * while. Nothing is done with it but to tell it (report_rx), as with single reports: a forged signal
 * makes us, and an application that waits for it, believe in a delivery; it releases, deletes and
 * sends nothing. A rule of owlt-security(7) can demand signatures.
 * Start reading at crs_add() and crs_receive().
 */
#include "dtn/agent/state.h"

#include <stdlib.h>

#define REPORT_SEQ_ID 1u /* of our own numbers: one counter for all of them */

static gather_send send_reports;
static bool may_send(struct agent *a, mono now, node_id to);
static uint64_t flags_of(const struct bundle *b);
static uint64_t sequence_tell(struct agent *a, mono now, const struct arrival *in,
	const struct ccs_sequence *s, uint64_t *left);
static bool tell(struct agent *a, mono now, const struct arrival *in, const struct crs_number *n,
	enum crs_kind kind);

int crs_init(struct agent *a)
{
	struct crs *c = &a->crs;

	c->n_numbers = a->cfg.max_reported;
	c->number = calloc(c->n_numbers, sizeof *c->number);
	return c->number ? gather_init(&c->out, send_reports, a->cfg.signal_count) : -ENOMEM;
}

void crs_fini(struct agent *a)
{
	gather_fini(&a->crs.out);
	free(a->crs.number);
}

/* -- out */

bool crs_wanted(const struct bundle *b, enum crs_kind kind)
{
	return b->has_creb && flags_of(b) >> kind & 1;
}

/* The caller has seen that the node reports, and that this bundle may be reported on. */
bool crs_add(struct agent *a, mono now, uint64_t id, const struct bundle *b, enum crs_kind kind)
{
	const struct creb *r = &b->creb;
	bool is_ccsds = bundle_block(b, a->codes[PROFILE_CCSDS].creb_type) != NULL;
	struct eid source = r->has_reporter ? r->reporter : eid_admin(&b->source);
	struct eid to = r->has_report_to ? r->report_to : b->report_to;
	struct gather_key key = {
		.profile = is_ccsds ? PROFILE_CCSDS : PROFILE_BPLIB, .via = NODE_NONE};
	struct gather_item item = {
		.kind = (uint8_t)kind, .seq_id = r->seq_id, .seq_no = r->seq_no, .id = id};

	if (to.node == NODE_NONE || to.group || is_local_node(&to))
		return true;         /* nobody can be told */
	if (r->seq_no == UINT64_MAX) /* no range holds it */
		return false;
	if (!eid_keep(&key.to, &to) || !eid_keep(&key.about, &source) ||
		(item.seq_id == 0 && !eid_keep(&item.dest, &b->dest)))
		return false;
	if (gather_has_room(a, now, &a->crs.out, &key))
		gather_add(a, now, &a->crs.out, &key, &item);
	else
		trace_point(a->trace, now, report_kept_back, id, kind, to.node);
	return true;
}

/* What it asks for; by default what the primary block asks for (CCSDS 734.6, reporting block). */
static uint64_t flags_of(const struct bundle *b)
{
	const struct creb *r = &b->creb;

	if (r->has_flags)
		return r->flags;
	return (b->flags & BUNDLE_REPORT_RECEPTION ? CREB_RECEPTION : 0) |
	       (b->flags & BUNDLE_REPORT_FORWARDING ? CREB_FORWARDING : 0) |
	       (b->flags & BUNDLE_REPORT_DELIVERY ? CREB_DELIVERY : 0) |
	       (b->flags & BUNDLE_REPORT_DELETION ? CREB_DELETION : 0);
}

static int send_reports(struct agent *a, mono now, const struct gather_list *l,
	const struct gather_sequence *s, size_t n, size_t n_items)
{
	struct ccs_sequence out[CCS_SEQUENCES_MAX];
	uint8_t room[16384];
	struct buf record = buf_of(room, sizeof room);
	struct own_bundle o = {.s = {.dest = eid_kept(&l->key.to), .priority = PRIORITY_STANDARD},
		.after_commit = true};
	uint64_t id;
	int err;

	if (!may_send(a, now, l->key.to.node))
		return -E_AGAIN;
	for (size_t i = 0; i < n; i++)
		out[i] = (struct ccs_sequence){.kind = (enum crs_kind)s[i].kind,
			.seq_id = s[i].seq_id,
			.dest = s[i].dest,
			.has_source = !eid_kept_same(&l->key.about, &l->key.to),
			.source = eid_kept(&l->key.about),
			.numbers = s[i].numbers};
	crs_write(&record, &a->codes[l->key.profile], out, n);
	err = send_record(a, now, &o, &record, &id);
	if (err != 0)
		return err;
	trace_point(a->trace, now, crs_tx, id, l->key.to.node, n_items);
	for (size_t i = 0; i < n_items; i++)
		trace_point(a->trace, now, report_tx, id, l->item[i].id, l->item[i].kind,
			REASON_NONE, l->key.to.node);
	return 0;
}

/* A signal counts as one report; the last ones of a node that drains leave in any case. */
static bool may_send(struct agent *a, mono now, node_id to)
{
	struct party *p = &a->party[party_find(a, now, to)];

	return a->is_draining ||
	       (party_rate(&p->reported, now, a->report_each) && rate_take(&a->report_rate, now));
}

/* -- bundles made here */

/* By the application's wish, or by default for what is short: the bundle must stay in one piece. */
bool crs_asked(const struct agent *a, const struct agent_send *s)
{
	bool stays_whole = s->n_payload > 0 || s->custody || s->flags & BUNDLE_NO_FRAGMENT;

	if (eid_is_null(&s->source) || !(s->flags & BUNDLE_REPORTS || s->custody_reports))
		return false;
	return s->compressed || (a->cfg.compressed_reports && stays_whole);
}

/* [number, sequence] where the primary block says which reports, else with flags. */
int crs_prepare(struct agent *a, const struct own_bundle *o, struct making *m)
{
	struct creb *r = &m->spec.creb;
	uint64_t seq = 0;
	int err;

	if (!o->is_compressed)
		return 0;
	*r = (struct creb){.seq_id = REPORT_SEQ_ID};
	err = store_reserve(a->store, COUNTER_REPORTING, 1, &r->seq_no, &seq);
	if (err != 0)
		return err;
	r->seq_no = (r->seq_no - 1) & custody_number_max(a); /* counters begin at 1, numbers at 0 */
	m->spec.has_creb = true;
	if (o->s.custody_reports) {
		const struct bundle said = {.flags = o->s.flags};

		r->flags = flags_of(&said) | o->s.custody_reports;
		r->has_flags = true;
	}
	if (seq > m->seq)
		m->seq = seq;
	m->needs_commit = m->needs_commit || seq != 0;
	return 0;
}

void crs_made(struct agent *a, uint64_t id, const struct making *m)
{
	const struct creb *r = &m->spec.creb;

	if (m->spec.has_creb)
		a->crs.number[r->seq_no % a->crs.n_numbers] = (struct crs_number){r->seq_no, id};
}

/* -- in */

bool crs_receive(struct agent *a, mono now, uint64_t id, const struct arrival *in)
{
	uint64_t n = 0, n_known = 0, left = 2 * a->crs.n_numbers;
	struct range runs[CCS_RUNS_MAX];
	struct ccs_sequence s;
	struct ccs_reader r;
	unsigned profile = 0;

	while (profile < PROFILES && crs_open(&r, in->b->payload, &a->codes[profile]) != 0)
		profile++;
	if (profile == PROFILES)
		return false;
	/* Read it whole before any of it is told. */
	while (s.numbers = ranges_of(runs, CCS_RUNS_MAX), ccs_next(&r, &s))
		n = u64_add_sat(n, ranges_count(&s.numbers));
	if (!cursor_ok(&r.c) || crs_open(&r, in->b->payload, &a->codes[profile]) != 0)
		return false;
	while (s.numbers = ranges_of(runs, CCS_RUNS_MAX), ccs_next(&r, &s))
		n_known += sequence_tell(a, now, in, &s, &left);
	trace_point(a->trace, now, crs_rx, id, in->b->source.node, n_known, n - n_known);
	return true;
}

/* How many of the numbers we know. Walks the smaller of them and ours, and of all sequences no more than
 * twice ours. */
static uint64_t sequence_tell(struct agent *a, mono now, const struct arrival *in,
	const struct ccs_sequence *s, uint64_t *left)
{
	const struct crs *c = &a->crs;
	uint64_t all = ranges_count(&s->numbers), n_known = 0;
	bool is_few = all <= c->n_numbers;
	uint64_t cost = is_few ? all : c->n_numbers;

	if (s->seq_id != REPORT_SEQ_ID || (s->has_source && s->source.node != a->self.node) ||
		cost > *left)
		return 0;
	*left -= cost;
	for (size_t i = 0; !is_few && i < c->n_numbers; i++)
		n_known += ranges_has(&s->numbers, c->number[i].no) &&
			   tell(a, now, in, &c->number[i], s->kind);
	for (size_t i = 0; is_few && i < s->numbers.n; i++)
		for (uint64_t v = s->numbers.run[i].from; v < s->numbers.run[i].to; v++) {
			const struct crs_number *k = &c->number[v % c->n_numbers];

			n_known += k->no == v && tell(a, now, in, k, s->kind);
		}
	return n_known;
}

static bool tell(struct agent *a, mono now, const struct arrival *in, const struct crs_number *n,
	enum crs_kind kind)
{
	if (n->id == 0)
		return false;
	trace_point(a->trace, now, report_rx, n->id, in->b->source.node, kind, REASON_NONE);
	return true;
}
