/*
 * signal: compressed custody signals, out and in. Out: what is accepted or refused is gathered per
 * custodian and sent when there are signal_count of them, signal_delay after the first, before the
 * contact to that custodian closes, and when the node drains. A signal is an ordinary bundle
 * without custody; a lost one is repaired by the retransmission of the data (custody.md D.6).
 *
 * In: only numbers that we gave and sent count. A signal may claim [1, 2^60): we walk the smaller
 * of its range and our own numbers. Signals are not authenticated yet; that we sent the pair is all
 * we know.
 */
#include "dtn/agent/state.h"

#include <stdlib.h>

static struct pending *pending_for(struct agent *a, mono now, const struct kept_eid *custodian);
static mono flush_time(const struct agent *a, mono now, node_id custodian);
static void flush(struct agent *a, mono now, struct pending *p);
static size_t sequences_make(
	struct pending *p, struct ccs_sequence *s, size_t most, struct range *runs);
static int item_order(const void *x, const void *y);
static bool same_counter(const struct pending_item *x, const struct pending_item *y);
static bool signal_read(struct agent *a, mono now, uint64_t id, const struct bundle *b);
static uint64_t sequence_apply(struct agent *a, mono now, const struct ccs_sequence *s, node_id by);
static bool entry_answered(struct agent *a, mono now, struct bundle_entry *e,
	const struct ccs_sequence *s, node_id by);

void signal_add(struct agent *a, mono now, const struct pair *p, bool accepted, uint64_t id)
{
	struct pending *q = pending_for(a, now, &p->custodian);

	if (q->n == a->cfg.signal_count)
		return; /* could not be sent (store full): the custodian will ask again */
	trace_point(a->trace, now, custody_signalled, id, p->custodian.node, accepted, p->seq_id,
		p->seq_no);
	if (q->n == 0)
		q->due = flush_time(a, now, q->custodian.node);
	q->item[q->n++] = (struct pending_item){.accepted = accepted,
		.seq_id = p->seq_id,
		.seq_no = p->seq_no,
		.id = id,
		.dest = p->dest};
	if (q->n == a->cfg.signal_count)
		flush(a, now, q);
}

void signal_flush_all(struct agent *a, mono now)
{
	for (size_t i = 0; i < PENDING_MAX; i++)
		flush(a, now, &a->pending[i]);
}

void signal_tick(struct agent *a, mono now)
{
	for (size_t i = 0; i < PENDING_MAX; i++)
		if (a->pending[i].is_used && a->pending[i].due <= now)
			flush(a, now, &a->pending[i]);
}

/* A batch ended: what found the stage full finds room now. */
void signal_retry(struct agent *a, mono now)
{
	for (size_t i = 0; i < PENDING_MAX; i++)
		if (a->pending[i].is_late)
			flush(a, now, &a->pending[i]);
}

mono signal_deadline(const struct agent *a)
{
	mono at = MONO_NEVER;

	for (size_t i = 0; i < PENDING_MAX; i++)
		if (a->pending[i].is_used)
			at = mono_min(at, a->pending[i].due);
	return at;
}

bool signal_is_pending(const struct agent *a)
{
	for (size_t i = 0; i < PENDING_MAX; i++)
		if (a->pending[i].is_used)
			return true;
	return false;
}

/* The administrative element: signals and reports for us. False: unknown or malformed.
 * RFC 9713 2/1, 4.1/d1 */
bool signal_receive(struct agent *a, mono now, uint64_t id, const struct bundle *b)
{
	struct status_report r = {0};
	struct cursor c;
	uint64_t type;

	if (admin_open(b->payload, &type, &c) != 0)
		return false;
	if (type == a->codes.ccs_type)
		return signal_read(a, now, id, b);
	if (type != ADMIN_STATUS_REPORT)
		return false;
	status_report_read(&c, &r);
	if (!cursor_ok(&c))
		return false;
	for (unsigned k = 0; k < STATUS_KINDS; k++)
		if (r.asserted[k])
			trace_point(a->trace, now, report_rx, id, b->source.node, k, r.reason);
	return true;
}

/* -- out */

static struct pending *pending_for(struct agent *a, mono now, const struct kept_eid *custodian)
{
	struct pending *oldest = NULL, *unused = NULL;

	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &a->pending[i];

		if (!p->is_used)
			unused = unused ? unused : p;
		else if (p->custodian.node == custodian->node &&
			 p->custodian.service == custodian->service)
			return p;
		else if (!oldest || p->due < oldest->due)
			oldest = p;
	}
	if (!unused) {
		flush(a, now, oldest);
		oldest->n = 0; /* not taken by the store: lost, the data will come again */
		unused = oldest;
	}
	unused->is_used = true;
	unused->n = 0;
	unused->custodian = *custodian;
	return unused;
}

/* signal_delay from now, but a margin before the contact to that custodian closes: after that a
 * signal could wait for a long time. */
static mono flush_time(const struct agent *a, mono now, node_id custodian)
{
	unsigned k = neighbour_find(a, custodian);
	mono at = mono_add(now, a->cfg.signal_delay_us), last;

	if (k == NO_NEIGHBOUR || !a->neighbour[k].is_open || a->neighbour[k].until == MONO_NEVER)
		return at;
	last = a->neighbour[k].until - a->cfg.custody_margin_us;
	return mono_min(at, last > now ? last : now);
}

/* Sends what is pending; keeps it when the stage is full, until the next commit. */
static void flush(struct agent *a, mono now, struct pending *p)
{
	struct ccs_sequence s[CCS_SEQUENCES_MAX];
	struct range runs[256];
	uint8_t room[16384];
	struct buf record = buf_of(room, sizeof room);
	struct view payload;
	size_t n, most = a->codes.bare_sequence ? 1 : CCS_SEQUENCES_MAX; /* custody.md D.8 */

	while (p->is_used && p->n > 0) {
		uint64_t id, n_accepted = 0, done;
		struct own_bundle o = {.urgent = true};

		qsort(p->item, p->n, sizeof *p->item, item_order);
		n = sequences_make(p, s, most, runs);
		done = n == most ? s[n - 1].numbers.cap : p->n;
		record = buf_of(room, sizeof room);
		ccs_write(&record, &a->codes, s, n);
		payload = buf_view(&record);
		o.s = (struct agent_send){.source = a->self,
			.dest = eid_kept(&p->custodian),
			.report_to = eid_null(),
			.flags = BUNDLE_ADMIN,
			.lifetime_ms = (uint64_t)(a->cfg.signal_lifetime_us / US_PER_MS),
			.priority = PRIORITY_EXPEDITED,
			.crc_type = a->cfg.crc_type,
			.payload = &payload,
			.n_payload = 1};
		if (buf_finish(&record) != 0 || send_own(a, now, &o, &id) != 0) {
			a->retry = p->is_late = true;
			p->due = mono_add(now, RETRY_US);
			return;
		}
		for (size_t i = 0; i < done; i++)
			n_accepted += p->item[i].accepted;
		trace_point(a->trace, now, custody_signal_tx, id, p->custodian.node, n_accepted,
			done - n_accepted);
		memmove(p->item, p->item + done, (p->n - done) * sizeof *p->item);
		p->n -= done;
	}
	p->is_used = p->is_late = false;
}

/* One sequence per counter and disposition, from sorted items. Of the last one, `cap` tells how
 * many items were used in all when not every one found room. */
static size_t sequences_make(
	struct pending *p, struct ccs_sequence *s, size_t most, struct range *runs)
{
	size_t n = 0, used = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct pending_item *x = &p->item[i];

		if (i == 0 || !same_counter(x, &p->item[i - 1])) {
			if (n == most) {
				s[n - 1].numbers.cap = i;
				return n;
			}
			s[n++] = (struct ccs_sequence){.accepted = x->accepted,
				.seq_id = x->seq_id,
				.dest = eid_kept(&x->dest),
				.numbers = ranges_of(runs + used, p->n - i)};
		}
		size_t before = s[n - 1].numbers.n;

		/* Sorted, and room for one run an item: it can't fail. */
		(void)!ranges_add(&s[n - 1].numbers, x->seq_no, x->seq_no + 1);
		used += s[n - 1].numbers.n - before;
	}
	if (n == most)
		s[n - 1].numbers.cap = p->n;
	return n;
}

static int item_order(const void *x, const void *y)
{
	const struct pending_item *a = x, *b = y;
	const uint64_t ka[5] = {!a->accepted, a->seq_id, a->dest.node, a->dest.service, a->seq_no};
	const uint64_t kb[5] = {!b->accepted, b->seq_id, b->dest.node, b->dest.service, b->seq_no};

	for (size_t i = 0; i < 5; i++)
		if (ka[i] != kb[i])
			return ka[i] < kb[i] ? -1 : 1;
	return 0;
}

static bool same_counter(const struct pending_item *x, const struct pending_item *y)
{
	return x->accepted == y->accepted && x->seq_id == y->seq_id &&
	       (x->seq_id != 0 ||
		       (x->dest.node == y->dest.node && x->dest.service == y->dest.service));
}

/* -- in */

static bool signal_read(struct agent *a, mono now, uint64_t id, const struct bundle *b)
{
	uint64_t n[2] = {0}, n_unknown = 0;
	struct range runs[CCS_RUNS_MAX];
	struct ccs_sequence s = {.numbers = ranges_of(runs, CCS_RUNS_MAX)};
	struct ccs_reader reader;

	/* Read it whole before any of it is believed. */
	if (ccs_open(&reader, b->payload, &a->codes) != 0)
		return false;
	while (ccs_next(&reader, &s))
		s.numbers = ranges_of(runs, CCS_RUNS_MAX);
	if (!cursor_ok(&reader.c) || ccs_open(&reader, b->payload, &a->codes) != 0)
		return false;
	s.numbers = ranges_of(runs, CCS_RUNS_MAX);
	while (ccs_next(&reader, &s)) {
		uint64_t all = ranges_count(&s.numbers),
			 known = sequence_apply(a, now, &s, b->source.node);

		n[s.accepted] += known;
		n_unknown = u64_add_sat(n_unknown, all - known);
		s.numbers = ranges_of(runs, CCS_RUNS_MAX);
	}
	trace_point(a->trace, now, custody_signal_rx, id, b->source.node, n[1], n[0], n_unknown);
	return true;
}

/* How many of the numbers were ours. */
static uint64_t sequence_apply(struct agent *a, mono now, const struct ccs_sequence *s, node_id by)
{
	uint64_t n = 0;

	if (ranges_count(&s->numbers) > a->by_pair.n) {
		struct hash_node *h = hash_next(&a->by_pair, NULL), *next;

		for (; h; h = next) {
			struct bundle_entry *e = container_of(h, struct bundle_entry, by_pair);

			next = hash_next(&a->by_pair, h);
			if (ranges_has(&s->numbers, h->hash))
				n += entry_answered(a, now, e, s, by);
		}
		return n;
	}
	for (size_t i = 0; i < s->numbers.n; i++)
		for (uint64_t v = s->numbers.run[i].from; v < s->numbers.run[i].to; v++) {
			struct bundle_entry *e = entry_by_pair(a, v);

			if (e)
				n += entry_answered(a, now, e, s, by);
		}
	return n;
}

/* The number is one of ours; is it of that counter, and was it ever sent? */
static bool entry_answered(
	struct agent *a, mono now, struct bundle_entry *e, const struct ccs_sequence *s, node_id by)
{
	struct record r = entry_record(a, e);

	if (!(e->flags & E_SENT) || r.own_seq_id != s->seq_id)
		return false;
	if (s->seq_id == 0 && (r.dest_node != s->dest.node || r.dest_service != s->dest.service))
		return false;
	custody_answer(a, now, e, s->accepted, by);
	return true;
}
