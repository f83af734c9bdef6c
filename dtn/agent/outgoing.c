/*
 * outgoing: an application's data that comes in pieces, RFC 9171 5.8 at the source. What is larger
 * than fragment.source_bytes and may be fragmented is stored as fragments of that size while it
 * comes in: one creation timestamp and sequence number, age and hop count blocks with the
 * "replicate" flag. So neither the application nor the node ever holds all of it in memory. What
 * may not be fragmented is gathered (send.max_whole_bytes at most) and sent as one bundle; what rules of
 * this node secure goes through them as it comes, and is staged (protect.c).
 *
 * "Accepted" is answered when the last fragment is durable; then all are, because batches end in
 * order and the loss of one is remembered. Fragments may leave before that. What an application
 * gives up half way is deleted as a cancelled transmission (5.12). After a crash the fragments that
 * were stored go out: the application was never told "accepted" and will send again under another
 * timestamp, and what can't become whole ends at the destination by its reassembly limit or its
 * lifetime. Start reading at agent_send_open().
 */
#include "dtn/agent/state.h"

#include <stdlib.h>

struct outgoing {
	uint64_t request;    /* 0: free */
	uint64_t total;      /* bytes announced */
	uint64_t stored;     /* ... and in fragments already */
	uint64_t piece_size; /* payload of a fragment; whole: total */
	uint64_t n_held;     /* gathered for the next fragment */
	bool is_whole;       /* to be one bundle */
	int err;             /* the commit of a fragment failed */
	struct own_bundle o; /* its EIDs point into names */
	struct making m;
	uint8_t *names;
	uint8_t *
		held; /* piece_size bytes; NULL: all is in, the answer is missing; or it is sealed */
	struct sealing *sealing; /* it is secured as it comes; stored counts what was taken */
};

static int set_up(struct agent *a, mono now, struct outgoing *g);
static int take_memory(struct outgoing *g, bool holds);
static struct outgoing *find(struct agent *a, uint64_t request);
static int take(struct agent *a, mono now, struct outgoing *g, struct view *part);
static int put_whole(struct agent *a, mono now, struct outgoing *g, const struct view *parts);
static int put_fragment(struct agent *a, mono now, struct outgoing *g, const struct view *parts);
static uint64_t size_at(const struct outgoing *g, uint64_t off);
static void delete_stored(struct agent *a, mono now, struct outgoing *g);
static int seal(struct agent *a, mono now, struct outgoing *g, struct view *part);
static void end(struct agent *a, struct outgoing *g);

int outgoing_init(struct agent *a)
{
	a->outgoing = calloc(a->cfg.max_open_sends + 1, sizeof *a->outgoing);
	return a->outgoing ? 0 : -ENOMEM;
}

void outgoing_fini(struct agent *a)
{
	for (uint64_t i = 0; a->outgoing && i < a->cfg.max_open_sends; i++)
		end(a, &a->outgoing[i]);
	free(a->outgoing);
}

int agent_send_open(
	struct agent *a, mono now, const struct agent_send *s, uint64_t total, uint64_t *request)
{
	struct outgoing *g = find(a, 0);
	struct own_bundle o;
	int err = send_allow(a, s, &o);

	if (err != 0)
		return err;
	if (total == 0)
		return -E_RANGE;
	if (total > a->cfg.max_send_bytes)
		return -E_TOO_BIG;
	if (security_adds(a, s) && total > a->cfg.security.max_bytes)
		return -E_SECURED_SIZE;
	if (!g)
		return -E_LIMIT;
	*g = (struct outgoing){.total = total, .piece_size = a->cfg.source_bytes, .o = o};
	g->is_whole = send_is_whole(a, &o) || total <= g->piece_size;
	err = set_up(a, now, g);
	if (err != 0) {
		end(a, g);
		return err;
	}
	*request = g->request = ++a->last_request;
	return 0;
}

int agent_send_part(struct agent *a, mono now, uint64_t request, struct view *part)
{
	struct outgoing *g = request ? find(a, request) : NULL;
	int err;

	if (!g || (!g->held && !g->sealing))
		return -E_UNKNOWN;
	err = g->err;
	if (!err && a->is_draining)
		err = -E_CLOSED;
	if (!err && part->n > g->total - g->stored - g->n_held)
		err = -E_RANGE; /* more than was announced */
	while (!err && part->n > 0)
		err = g->sealing ? seal(a, now, g, part) : take(a, now, g, part);
	if (err && err != -E_AGAIN)
		agent_send_cancel(a, now, request);
	return err;
}

/* RFC 9171 5.12 */
void agent_send_cancel(struct agent *a, mono now, uint64_t request)
{
	struct outgoing *g = request ? find(a, request) : NULL;

	if (!g || (!g->held && !g->sealing))
		return; /* all of it is in: it will be answered */
	if (!g->sealing)
		delete_stored(a, now, g);
	end(a, g);
}

/* The batch of a number failed: it is durable with the one that is being staged. */
void outgoing_again(struct agent *a, uint64_t seq)
{
	for (uint64_t i = 0; i < a->cfg.max_open_sends; i++)
		if (a->outgoing[i].m.seq == seq)
			a->outgoing[i].m.seq = store_seq(a->store);
}

int outgoing_settle(struct agent *a, mono now, const struct promise *p, int err)
{
	struct outgoing *g = find(a, p->piece_of);

	if (!g)
		return err;
	if (err)
		g->err = err;
	if (p->request == 0)
		return g->err;
	err = g->err;
	if (err)
		delete_stored(a, now, g);
	end(a, g);
	return err;
}

/* Limits, memory, and for fragments the numbers that are theirs in common. */
static int set_up(struct agent *a, mono now, struct outgoing *g)
{
	bool is_sealed;
	int err;

	if (g->is_whole) {
		g->piece_size = g->total;
		if (g->total > a->cfg.max_whole_bytes && g->total > a->cfg.source_bytes)
			return -E_TOO_BIG;
	} else if (g->total / g->piece_size >= a->entries.n_free) {
		return -E_FULL;
	}
	if (!admit_room(a, g->total, 0))
		return -E_FULL;
	is_sealed = security_adds(a, &g->o.s);
	err = take_memory(g, !is_sealed);
	if (err != 0 || (g->is_whole && !is_sealed))
		return err;
	err = send_prepare(a, now, &g->o, &g->m);
	if (!err && is_sealed)
		return protect_open(a, &g->o, &g->m, g->total, &g->sealing);
	g->m.spec.flags |= BUNDLE_FRAGMENT;
	g->m.spec.total_len = g->total;
	return err;
}

/* For the bytes that wait, and for the EIDs of the request. */
static int take_memory(struct outgoing *g, bool holds)
{
	struct eid *name[] = {&g->o.s.source, &g->o.s.dest, &g->o.s.report_to};
	uint8_t *at;
	size_t n = 1;

	for (size_t i = 0; i < 3; i++)
		n += name[i]->ssp.n;
	at = g->names = malloc(n);
	g->held = holds ? malloc(g->piece_size) : NULL;
	if (!g->names || (holds && !g->held))
		return -ENOMEM;
	for (size_t i = 0; i < 3; i++) {
		if (name[i]->ssp.n == 0)
			continue;
		memcpy(at, name[i]->ssp.p, name[i]->ssp.n);
		name[i]->ssp.p = at;
		at += name[i]->ssp.n;
	}
	return 0;
}

/* 0: a free one */
static struct outgoing *find(struct agent *a, uint64_t request)
{
	for (uint64_t i = 0; i < a->cfg.max_open_sends; i++)
		if (a->outgoing[i].request == request)
			return &a->outgoing[i];
	return NULL;
}

/* As much of *part as the next fragment wants; stored from where it lies if that completes it. */
static int take(struct agent *a, mono now, struct outgoing *g, struct view *part)
{
	uint64_t missing = size_at(g, g->stored) - g->n_held;
	struct view both[2] = {view_of(g->held, g->n_held), *part};
	int err;

	if (part->n < missing) {
		memcpy(g->held + g->n_held, part->p, part->n);
		g->n_held += part->n;
		*part = view_sub(*part, part->n, 0);
		return 0;
	}
	both[1].n = missing;
	err = g->is_whole ? put_whole(a, now, g, both) : put_fragment(a, now, g, both);
	if (err == 0)
		*part = view_sub(*part, missing, part->n - missing);
	return err;
}

static int put_whole(struct agent *a, mono now, struct outgoing *g, const struct view *parts)
{
	uint64_t id;
	int err;

	g->o.s.payload = parts;
	g->o.s.n_payload = 2;
	g->o.request = g->request;
	err = send_own(a, now, &g->o, &id);
	if (err == 0)
		end(a, g);
	return err;
}

/* Through the rules and into the store; what completes it waits until there is room for its entry. */
static int seal(struct agent *a, mono now, struct outgoing *g, struct view *part)
{
	struct own_bundle o = g->o;
	uint64_t had = part->n, id;
	int err;

	if (g->stored + part->n == g->total && !entry_room(a, false))
		return -E_FULL;
	if (g->stored + part->n == g->total && !promise_spare(a))
		return -E_AGAIN;
	err = protect_part(a, g->sealing, part);
	g->stored += had - part->n;
	if (err || g->stored < g->total)
		return err;
	o.request = g->request;
	o.sealing = g->sealing;
	err = send_made(a, now, &o, &g->m, &id);
	if (err == 0)
		end(a, g);
	return err;
}

static int put_fragment(struct agent *a, mono now, struct outgoing *g, const struct view *parts)
{
	struct own_bundle o = g->o;
	struct making m = g->m;
	uint64_t n = size_at(g, g->stored), id;
	bool is_last = g->stored + n == g->total;
	int err;

	if (!entry_room(a, false))
		return -E_FULL;
	if (!promise_spare(a))
		return -E_AGAIN;
	if (m.seq <= a->committed)
		m.seq = 0; /* the batch of its number has ended */
	m.needs_commit = m.is_local || m.seq != 0;
	m.spec.frag_off = g->stored;
	o.s.payload = parts;
	o.s.n_payload = 2;
	o.piece_of = g->request;
	o.request = is_last ? g->request : 0;
	err = send_made(a, now, &o, &m, &id);
	if (err != 0)
		return err;
	g->stored += n;
	g->n_held = 0;
	if (is_last) {
		free(g->held);
		g->held = NULL;
	}
	return 0;
}

static uint64_t size_at(const struct outgoing *g, uint64_t off)
{
	uint64_t left = g->total - off;

	return left < g->piece_size ? left : g->piece_size;
}

/* Those that have left are gone. */
static void delete_stored(struct agent *a, mono now, struct outgoing *g)
{
	for (uint64_t off = 0; off < g->stored; off += size_at(g, off)) {
		struct bundle_entry *e;
		uint64_t uid[2];

		g->m.spec.frag_off = off;
		send_uid(&g->m.spec, size_at(g, off), uid);
		e = entry_by_uid(a, uid);
		if (e)
			delete_entry(a, now, e, REASON_CANCELLED);
	}
}

static void end(struct agent *a, struct outgoing *g)
{
	if (g->sealing)
		protect_drop(a, g->sealing);
	free(g->names);
	free(g->held);
	*g = (struct outgoing){0};
}
