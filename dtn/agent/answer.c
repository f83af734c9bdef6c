/*
 * answer: the receiving side of custodial tunnels (draft-ietf-dtn-bibect; owlt-bibe(7)): what became of
 * transmissions that came in is told to who sent them. Who hears "accepted" deletes his copy, so it is said
 * only when the bundle is durable here, as custody is:
 *
 *   0 accepted      the commit of the bundle; of what was done with at once, the commit of what that made
 *   3 redundant     it was here before, and is durable
 *   4 to 8          it was not taken: storage, destination, route, contact, unintelligible
 *
 * A bundle in custody that only carries another one, which nobody is answered about, is answered in the same
 * way, by a custody signal: accepted when what was inside is durable, else refused.
 *
 * Numbers are gathered per addressee, record type and answer (gather.c) and leave by count, by time, before a
 * contact closes, and so that they are there before the sender gives up, as far as the record tells when
 * that is. A signal is an ordinary bundle without custody, signed where the addressee has a key; a lost
 * one is repaired by the next transmission. Start reading at answer_to() and answer_add().
 */
#include "dtn/agent/break.h"
#include "dtn/agent/state.h"

#define UNIX_2000_S UINT64_C(946684800)
#define FAR_MS (UINT64_C(366) * 86400 * 1000) /* no sender waits for so long: it is another unit */

static const uint64_t record_types[] = {BIBE_OLD, BIBE_ION, BIBE_NEW};

static gather_send send_answers;
static mono latest(const struct agent *a, mono now, node_id to, const struct bpdu *p);
static void custody_told(
	struct agent *a, mono now, const struct received *x, uint64_t id, enum why why);
static enum bibe_disposition disposition(enum why why);

int answer_init(struct agent *a)
{
	int err = gather_init(&a->bibe.answers, send_answers, a->cfg.signal_count);

	a->bibe.answers.is_single = true;
	return err;
}

struct received answer_to(
	const struct agent *a, mono now, const struct arrival *in, const struct bpdu *p)
{
	struct received x = {.id = p->id, .via = in->from};

	/* UINT64_MAX: no range of a signal holds it */
	while (record_types[x.record] != p->type)
		x.record++;
	if (p->id == 0 || p->id == UINT64_MAX || !eid_keep(&x.from, &in->b->source))
		return (struct received){0};
	x.by = latest(a, now, in->b->source.node, p);
	return x;
}

/* The unit of `when` is not to be relied on (bibect, encoding): it is the one by which it is soon. */
static mono latest(const struct agent *a, mono now, node_id to, const struct bpdu *p)
{
	dtntime clock = agent_clock(a, now);
	uint64_t t[2] = {p->when, p->when > UNIX_2000_S ? (p->when - UNIX_2000_S) * 1000 : 0};
	mono there = route_earliest(a, a->self.node, to, now), by;

	if (!a->deps.clock_is_accurate || p->when > UINT64_MAX / 1000)
		return 0;
	for (size_t i = 0; i < 2; i++) {
		if (t[i] <= clock || t[i] - clock > FAR_MS)
			continue;
		by = mono_add(now, (int64_t)(t[i] - clock) * US_PER_MS) - a->cfg.custody_margin_us -
		     (there == MONO_NEVER ? 0 : there - now);
		return by > now ? by : now + 1;
	}
	return 0;
}

/* When its list is full and can't be sent (a full store), it is dropped: the sender tries again. */
void answer_add(struct agent *a, mono now, const struct received *x, uint64_t id,
	enum bibe_disposition what)
{
	struct gather_key key = {
		.to = x->from, .about = x->from, .profile = x->record, .via = x->via, .by = x->by};
	struct gather_item item = {.kind = (uint8_t)what, .seq_id = 1, .seq_no = x->id, .id = id};

	if (x->is_custody) {
		bool is_good = what == BIBE_ACCEPTED || what == BIBE_REDUNDANT;

		custody_told(a, now, x, id, is_good ? WHY_NONE : WHY_COMMIT_FAILED);
		return;
	}
	if (x->id == 0 || !gather_has_room(a, now, &a->bibe.answers, &key))
		return;
	trace_point(a->trace, now, tunnel_told, id, x->from.node, x->id, what);
	gather_add(a, now, &a->bibe.answers, &key, &item);
}

void answer_refused(struct agent *a, mono now, const struct arrival *in, enum why why)
{
	if (in->outer.is_custody)
		custody_told(a, now, &in->outer, 0, why);
	else
		answer_add(a, now, &in->outer, 0, disposition(why));
}

struct received answer_custody(const struct arrival *in)
{
	return (struct received){.from = in->pair.custodian,
		.id = in->pair.seq_no + 1, /* custody_accepts(): it is not the last one */
		.seq_id = in->pair.seq_id,
		.via = in->pair.via,
		.record = in->pair.profile,
		.is_custody = true};
}

/* A refusal of any kind leaves it with its custodian: nothing that was accepted is dropped. */
static void custody_told(
	struct agent *a, mono now, const struct received *x, uint64_t id, enum why why)
{
	struct pair p = {.custodian = x->from,
		.seq_id = x->seq_id,
		.seq_no = x->id - 1,
		.profile = x->record,
		.via = x->via};

	if (p.seq_id == 0 && !eid_keep(&p.dest, &a->self)) /* where it was addressed to */
		return;
	if (why == WHY_NONE)
		signal_add(a, now, &p, true, id);
	else
		custody_refuse(a, now, &p, id, why);
}

static enum bibe_disposition disposition(enum why why)
{
	switch (why) {
	case WHY_NULL_DESTINATION:
	case WHY_UNKNOWN_SCHEME:
	case WHY_GROUP_DESTINATION:
	case WHY_POLICY:
		return BIBE_DESTINATION;
	case WHY_DOMAIN_BORDER:
	case WHY_HOP_LIMIT:
		return BIBE_NO_ROUTE;
	case WHY_EXPIRED:
		return BIBE_NO_CONTACT;
	case WHY_NOT_A_BUNDLE:
	case WHY_BLOCK_UNSUPPORTED:
	case WHY_SEC_FAILED:
	case WHY_NESTED:
	case WHY_TOO_MANY_BLOCKS:
	case WHY_FROM_FUTURE:
	case WHY_LOCAL_NODE:
	case WHY_TOTAL_CONFLICT:
		return BIBE_UNINTELLIGIBLE;
	default:
		return BIBE_DEPLETED;
	}
}

void answer_promise(struct agent *a, const struct arrival *in, uint64_t seq, uint64_t id)
{
	struct promise *p;

	if (in->outer.id == 0 || !promise_room(a))
		return;
	p = promise_add(a, PROMISE_ANSWER, seq, id);
	p->has_outer = true;
	p->outer = in->outer;
}

/* A bundle that was here already may have gone meanwhile: then nobody hears of it, and it is sent again. */
void answer_kept(struct agent *a, mono now, const struct promise *p)
{
	if (p->id >= ID_PASSING)
		answer_add(a, now, &p->outer, p->id, BIBE_ACCEPTED);
	else if (entry_by_id(a, p->id) && store_is_committed(a->store, p->id))
		answer_add(a, now, &p->outer, p->id, BIBE_REDUNDANT);
}

static int send_answers(struct agent *a, mono now, const struct gather_list *l,
	const struct gather_sequence *s, size_t n, size_t n_items)
{
	struct bibe_signal out = {.type = record_types[l->key.profile] + 1,
		.disposition = s->kind,
		.ids = s->numbers};
	uint8_t room[8192];
	struct buf record = buf_of(room, sizeof room);
	struct own_bundle o = {.s = {.dest = eid_kept(&l->key.to),
				       .priority = PRIORITY_EXPEDITED,
				       .is_signal = true},
		.urgent = true};
	uint64_t id;
	int err;

	assert(n == 1);
	bibe_signal_write(&record, &out);
	err = send_record(a, now, &o, &record, &id);
	if (err == 0)
		trace_point(a->trace, now, tunnel_signal_tx, id, l->key.to.node, s->kind, n_items);
	return err;
}
