/*
 * check: the promises, judged from outside. Which bundles a node has is read from its store (not asked of
 * the node), what applications were told from sim_msg; the trace is used only to count.
 *
 *   after each step  a bundle that was accepted with custody, or is kept by tunnels that have it, is in some node's committed store, or was
 *                    acknowledged by its receiver, or has expired; a node's belief is its store's contents
 *   in app.c         no acknowledged delivery twice, none after expiry, every byte right
 *   at the end       links balance; every accepted custody bundle was delivered, or is held
 *
 * A store changes only in turns of its node, and its committed part only when a batch ends or the
 * process dies; so only then is it looked at again (check_look), and only what changed is judged.
 */
#include "dtn/sim/inside.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct seen {
	struct hash_node by_id;
	uint64_t id;
	struct ident ident;
};

static void trace_one(struct sim *s, struct sim_node *n, const struct trace_rec *r);
static dtntime dtn_now(const struct sim *s);
static void judge_lost(struct sim *s, const struct sim_node *n);
static void judge_belief(struct sim *s, struct sim_node *n);
static void resolve(struct sim *s, struct held *h);
static void resolve_all(struct sim *s);
static struct held *held_new(struct sim_node *n, uint64_t id);
static void held_free(struct sim_node *n, struct held *h);

void check_fail(struct sim *s, const char *text, ...)
{
	va_list ap;

	s->counts.faults++;
	if (s->n_faults == SIM_FAULTS_MAX)
		return;
	s->fault[s->n_faults].at = s->now;
	va_start(ap, text);
	vsnprintf(s->fault[s->n_faults].text, SIM_FAULT_TEXT, text, ap);
	va_end(ap);
	s->n_faults++;
}

bool sim_fault(struct sim *s, struct sim_fault *out)
{
	if (s->told == s->n_faults)
		return false;
	*out = s->fault[s->told++];
	return true;
}

void sim_counts(const struct sim *s, struct sim_counts *out)
{
	*out = s->counts;
	for (size_t i = 0; i < s->n_nodes; i++) {
		out->custody_retx += s->node[i].trace.count[EV_custody_retx];
		out->duplicates += s->node[i].trace.count[EV_bundle_duplicate];
	}
}

void check_step(struct sim *s, struct sim_node *n)
{
	if (n->trace.lost) {
		check_fail(s, "%" PRIu64 " trace records of one turn were lost", n->trace.lost);
		n->trace.lost = 0;
	}
	if (!n->look && !(n->node && store_is_dirty(n->store)))
		return;
	check_look(s, n);
	app_look(s, n);
	if (n->node)
		judge_belief(s, n);
}

void sim_finish(struct sim *s)
{
	for (unsigned i = 0; i < s->n_dirs; i++)
		if (!link_balanced(&s->dir[i].link))
			check_fail(s, "link %s does not balance", s->cfg.topo->link[i / 2].name);
	for (unsigned i = 0; i < s->n_nodes; i++)
		check_look(s, &s->node[i]);
	for (size_t i = 0; i < s->n_msgs; i++) {
		const struct sim_msg *m = s->msg[i];

		if (!m->accepted || m->acked)
			continue;
		if (m->n_holders > 0 || m->ack_called)
			s->counts.held++;
		else if (!m->kept)
			s->counts.lost_without_custody++;
		else if (m->expires_ms <= dtn_now(s))
			s->counts.expired++;
		else if (!m->excused)
			check_fail(s, "message %" PRIu64 " of row %u is nowhere at the end", m->n,
				m->row);
	}
}

bool sim_is_settled(const struct sim *s)
{
	if (s->in_flight > 0)
		return false;
	for (size_t i = 0; i < s->n_rows; i++)
		if (s->row[i]->n_next < s->row[i]->t.count || s->row[i]->n_retry > 0)
			return false;
	for (size_t i = 0; i < s->n_nodes; i++) {
		const struct sim_node *n = &s->node[i];
		struct node_stats st;

		if (!n->node || !list_empty(&n->pending) || n->batch || store_is_dirty(n->store))
			return false;
		node_stats(n->node, &st);
		if (st.n_custody_held + st.n_custody_sent + st.n_unanswered + st.n_for_apps > 0)
			return false;
	}
	for (size_t i = 0; i < s->n_msgs; i++)
		if (check_owed(s, s->msg[i]))
			return false;
	return true;
}

/* Accepted, alive, and not acknowledged. */
bool check_owed(const struct sim *s, const struct sim_msg *m)
{
	return m->accepted && !m->acked && dtn_now(s) < m->expires_ms;
}

/* -- stores */

void check_node_init(struct sim_node *n)
{
	hash_init(&n->held);
	hash_init(&n->seen);
	list_init(&n->all_held);
}

void check_node_fini(struct sim_node *n)
{
	struct hash_node *e;

	while (n->all_held.next && !list_empty(&n->all_held))
		held_free(n, container_of(n->all_held.next, struct held, all));
	while ((e = hash_next(&n->seen, NULL))) {
		hash_remove(&n->seen, e);
		free(container_of(e, struct seen, by_id));
	}
	hash_fini(&n->held);
	hash_fini(&n->seen);
}

static bool same_held(const struct hash_node *e, const void *key)
{
	return container_of((struct hash_node *)(uintptr_t)e, struct held, by_id)->id ==
	       *(const uint64_t *)key;
}

struct held *check_held(struct sim_node *n, uint64_t id)
{
	struct hash_node *e = hash_find(&n->held, hash_mix(id), same_held, &id);

	return e ? container_of(e, struct held, by_id) : NULL;
}

static void set_committed(struct sim *s, struct held *h, bool committed)
{
	if (h->committed == committed)
		return;
	h->committed = committed;
	if (!h->msg)
		return;
	h->msg->n_holders += committed ? 1 : -1u;
	s->holder_gone = s->holder_gone || h->msg->n_holders == 0;
}

void check_look(struct sim *s, struct sim_node *n)
{
	struct view value;
	struct link_node *l, *next;

	n->look = false;
	n->mark++;
	for (uint64_t id = 0; store_next(n->store, STORE_BUNDLE, &id, &value);) {
		struct held *h = check_held(n, id);

		if (!h)
			h = held_new(n, id);
		h->mark = n->mark;
		if (!h->msg)
			resolve(s, h);
		set_committed(s, h, store_is_committed(n->store, id));
	}
	for (l = n->all_held.next; l != &n->all_held; l = next) {
		struct held *h = container_of(l, struct held, all);

		next = l->next;
		if (h->mark == n->mark)
			continue;
		set_committed(s, h, false);
		held_free(n, h);
	}
	if (s->cfg.script)
		wire_look(s, n);
	if (s->holder_gone)
		judge_lost(s, n);
	s->holder_gone = false;
}

static struct held *held_new(struct sim_node *n, uint64_t id)
{
	struct held *h = calloc(1, sizeof *h);
	struct view head;
	dtntime expires_ms;

	if (!h || hash_insert(&n->held, &h->by_id, hash_mix(id)) != 0)
		abort(); /* see due_set */
	h->id = id;
	list_push_back(&n->all_held, &h->all);
	h->readable = store_head(n->store, id, &head) == 0 &&
		      check_ident(head, &h->ident, &expires_ms) == 0;
	return h;
}

static void held_free(struct sim_node *n, struct held *h)
{
	hash_remove(&n->held, &h->by_id);
	list_remove(&h->all);
	free(h);
}

/* Finds the message a stored bundle is, once its sender knows its name. */
static void resolve(struct sim *s, struct held *h)
{
	bool committed = h->committed;

	if (!h->readable)
		return;
	h->committed = false;
	h->msg = check_find(s, &h->ident);
	if (h->msg)
		h->msg->was_stored = true;
	set_committed(s, h, committed);
}

/* A bundle may have come to a node before its sender was told its name, which is all we know it by: the stores
 * that did not change since then have it, too. */
static void resolve_all(struct sim *s)
{
	for (size_t i = 0; i < s->n_nodes; i++)
		for (struct link_node *l = s->node[i].all_held.next; l != &s->node[i].all_held;
			l = l->next) {
			struct held *h = container_of(l, struct held, all);

			if (!h->msg)
				resolve(s, h);
		}
}

static dtntime dtn_now(const struct sim *s)
{
	return s->cfg.dtn_at_zero + (uint64_t)(s->now / US_PER_MS);
}

static void judge_lost(struct sim *s, const struct sim_node *n)
{
	dtntime now = dtn_now(s);
	bool is_sure = false;

	for (size_t i = 0; i < s->n_msgs; i++) {
		struct sim_msg *m = s->msg[i];

		if (!m->accepted || !m->kept || m->n_holders > 0 || m->acked || m->ack_called ||
			m->excused)
			continue;
		if (!is_sure)
			resolve_all(s);
		is_sure = true;
		if (m->n_holders > 0)
			continue;
		if (!m->was_stored)
			continue; /* no store was looked at since it was accepted */
		m->excused = true;
		if (now < m->expires_ms)
			check_fail(s,
				"message %" PRIu64 " of row %u is lost: accepted, kept by custody, "
				"and after a turn of "
				"%s in no node's committed store",
				m->n, m->row, s->cfg.topo->node[n->index].name);
	}
}

/* The same bundles, in the same order, in the node's tables and in its store. */
static void judge_belief(struct sim *s, struct sim_node *n)
{
	uint64_t a = 0, b = 0;
	struct node_bundle nb;
	struct view value;
	bool has_a, has_b;

	do {
		has_a = node_next_bundle(n->node, &a, &nb);
		has_b = store_next(n->store, STORE_BUNDLE, &b, &value);
		if (has_a != has_b || (has_a && a != b)) {
			check_fail(s,
				"%s believes in bundle %" PRIu64 ", its store has bundle %" PRIu64,
				s->cfg.topo->node[n->index].name, has_a ? a : 0, has_b ? b : 0);
			return;
		}
	} while (has_a);
}

/* -- names */

static uint64_t ident_hash(const struct ident *id)
{
	uint64_t v[4] = {id->node, id->service, id->created_ms, id->seq};

	return hash_u64s((struct hash_key){1, 2}, v, 4);
}

static bool same_ident(const struct hash_node *e, const void *key)
{
	const struct sim_msg *m =
		container_of((struct hash_node *)(uintptr_t)e, struct sim_msg, by_id);

	return memcmp(&m->ident, key, sizeof m->ident) == 0;
}

struct sim_msg *check_find(struct sim *s, const struct ident *id)
{
	struct hash_node *e = hash_find(&s->by_id, ident_hash(id), same_ident, id);

	return e ? container_of(e, struct sim_msg, by_id) : NULL;
}

void check_name(struct sim *s, struct sim_msg *m)
{
	const struct sim_msg *other = check_find(s, &m->ident);

	if (other) {
		check_fail(s,
			"message %" PRIu64 " of row %u has the identity of message %" PRIu64
			" of row %u",
			m->n, m->row, other->n, other->row);
		return;
	}
	if (hash_insert(&s->by_id, &m->by_id, ident_hash(&m->ident)) != 0)
		abort(); /* see due_set */
	s->node[s->last].look = true;
}

int check_ident(struct view head, struct ident *id, dtntime *expires_ms)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct bundle b;
	int err;

	rules.allow_no_primary_crc = rules.allow_foreign = true; /* its BIB was accepted */
	err = bundle_read_head(&b, head, &rules, &fault);
	if (err)
		return err;
	*id = (struct ident){b.source.node, b.source.service, b.created_ms, b.seq};
	*expires_ms = u64_add_sat(b.created_ms, b.lifetime_ms);
	return 0;
}

/* -- the trace: counts only */

void check_trace(struct sim *s, struct sim_node *n)
{
	for (uint64_t i = n->trace_seen; i < n->trace.head; i++)
		trace_one(s, n, &n->trace.ring[i & (n->trace.cap - 1)]);
	n->trace_seen = n->trace.head;
}

static bool same_seen(const struct hash_node *e, const void *key)
{
	return container_of((struct hash_node *)(uintptr_t)e, struct seen, by_id)->id ==
	       *(const uint64_t *)key;
}

static struct sim_msg *seen_msg(struct sim *s, struct sim_node *n, uint64_t id)
{
	struct hash_node *e = hash_find(&n->seen, hash_mix(id), same_seen, &id);

	return e ? check_find(s, &container_of(e, struct seen, by_id)->ident) : NULL;
}

static void seen_add(struct sim_node *n, const uint64_t a[TRACE_ARGS])
{
	struct seen *e;

	if (hash_find(&n->seen, hash_mix(a[0]), same_seen, &a[0]))
		return;
	e = calloc(1, sizeof *e);
	if (!e || hash_insert(&n->seen, &e->by_id, hash_mix(a[0])) != 0)
		abort(); /* see due_set */
	e->id = a[0];
	e->ident = (struct ident){a[1], a[2], a[3], a[4]};
}

/* A way a message took; asked or noted. */
static bool has_path(struct sim_msg *m, uint64_t path, bool note)
{
	for (size_t i = 0; i < m->n_paths; i++)
		if (m->paths[i] == path)
			return true;
	if (!note)
		return false;
	if (m->n_paths == m->cap_paths) {
		m->cap_paths = m->cap_paths ? 2 * m->cap_paths : 8;
		m->paths = reallocarray(m->paths, m->cap_paths, sizeof *m->paths);
		if (!m->paths)
			abort(); /* see due_set */
	}
	m->paths[m->n_paths++] = path;
	return false;
}

/* A message goes out or comes in on a link; comes it from where it was sent, then it has returned. */
static void trace_path(struct sim *s, struct sim_node *n, uint64_t id, uint64_t link, bool out)
{
	struct sim_msg *m = seen_msg(s, n, id);

	if (!m || link >= n->n_links)
		return;
	if (has_path(m, (uint64_t)n->index << 32 | s->dir[n->dir[link]].to, out) && !out)
		s->counts.returned++;
}

static void trace_one(struct sim *s, struct sim_node *n, const struct trace_rec *r)
{
	switch (r->ev) {
	case EV_bundle_seen:
		seen_add(n, r->a);
		break;
	case EV_bundle_forwarded:
		trace_path(s, n, r->a[0], r->a[2], true);
		break;
	case EV_bundle_received:
		n->taking += r->a[4] != 0;
		trace_path(s, n, r->a[0], r->a[1], false);
		break;
	case EV_bundle_duplicate:
		trace_path(s, n, r->a[0], r->a[1], false);
		break;
	case EV_custody_signalled:
		n->signals_due++;
		n->taking -= n->taking > 0;
		break;
	case EV_custody_signal_tx:
		n->signals_due -= (int64_t)(r->a[2] + r->a[3]);
		break;
	default:
		break;
	}
}
