/*
 * reassemble: RFC 9171 5.9. Fragments for this node are stored one by one (ENTRY_REASSEMBLY is the
 * constraint "Reassembly pending") and gathered by source and creation timestamp; of bytes that come
 * twice the earlier ones stand. When they join to the total length and all are durable, the ADU goes
 * on in the name of its fragment at offset 0 (`head`): credit, hand-over, acknowledgement and
 * tombstone are that entry's; its bytes are read from the extents, wherever they are stored. The
 * acknowledgement deletes all fragments in one commit.
 *
 * Everything comes from pools taken at the start: at a limit (reassembly.*) a fragment is refused with
 * a word, and nothing else is lost. A fragment that brings no new byte is a duplicate. If the bundle
 * itself comes while fragments wait, it wins. After a restart the same state is built from the stored
 * records in order of id, which is the order of reception.
 *
 * Invariants: an adu has at least one fragment; have.bytes counts its fragments' bytes; head is set
 * iff it was whole; entries of its list are STAGED, REASSEMBLY or ACKED. Start reading at
 * reassemble_join(); what follows when an ADU is whole is decided in adu_whole().
 */
#include "dtn/agent/extents.h"
#include "dtn/agent/state.h"

#include <stdlib.h>

struct adu {
	struct hash_node by_uid; /* first; keyed hash of uid */
	struct heap_node timer;  /* when it is given up; not once it is whole */
	uint64_t uid[2];         /* of the bundle that was fragmented */
	uint64_t total;          /* length of the ADU */
	struct extents have;
	struct link_node fragments; /* entries in order of reception, without the head */
	uint64_t n_fragments;       /* the head included */
	uint64_t n_staged;          /* of them not yet durable */
	struct bundle_entry *head;  /* it is whole: the entry that stands for it */
	struct bundle_entry
		*first; /* it is whole and is checked, or waits for that, by this entry */
	struct link_node unchecked; /* ... in the list of those that wait */
	mono since;
	bool is_stale; /* a fragment went whose bytes another one may have */
};

static struct adu *find(const struct agent *a, const uint64_t uid[2]);
static struct adu *adu_new(struct agent *a, mono now, const struct record *r);
static void adu_free(struct agent *a, struct adu *u);
static void adu_settle(struct agent *a, mono now, struct adu *u);
static void adu_whole(struct agent *a, mono now, struct adu *u);
static bool secured(struct agent *a, mono now, struct adu *u, struct bundle_entry *e);
static void check(struct agent *a, mono now, struct adu *u);
static void check_later(struct agent *a, struct adu *u);
static void check_stop(struct agent *a, struct adu *u);
static bool is_own(const struct agent *a, const struct eid *dest);
static void serve(struct agent *a, mono now, struct adu *u);
static int gather(struct agent *a, const struct adu *u, struct view *bytes);
static void rebuild(struct agent *a, struct adu *u);
static void release_rest(struct agent *a, mono now, struct adu *u, enum why why);
static void give_up(struct agent *a, mono now, struct adu *u);
static bool same_adu(const struct hash_node *n, const void *key);

int reassemble_init(struct agent *a)
{
	size_t n = a->cfg.max_adus;
	int err = pool_init(&a->adus, n, sizeof(struct adu));

	list_init(&a->unchecked);
	hash_init(&a->adu_by_uid);
	heap_init(&a->adu_timers);
	err = err ? err : pool_init(&a->extents, 2 * a->cfg.max_bundles, sizeof(struct extent));
	err = err ? err : hash_reserve(&a->adu_by_uid, n);
	err = err ? err : heap_reserve(&a->adu_timers, n);
	a->adu_room = malloc(ADMIN_RECORD_MAX);
	return err ? err : a->adu_room ? 0 : -ENOMEM;
}

void reassemble_fini(struct agent *a)
{
	hash_fini(&a->adu_by_uid);
	heap_fini(&a->adu_timers);
	pool_fini(&a->adus);
	pool_fini(&a->extents);
	free(a->adu_room);
}

/* What is known of this local bundle by what is gathered, or WHY_NONE: a fragment of an ADU that is
 * whole, a whole bundle whose ADU is, or no byte that was missing. *id: the bundle that has it. */
enum why reassemble_known(struct agent *a, const struct arrival *in, uint64_t *id)
{
	const struct bundle *b = in->b;
	struct adu *u = find(a, in->adu_uid);
	bool fragment = b->flags & BUNDLE_FRAGMENT;

	if (!u || (!u->head && !fragment))
		return WHY_NONE;
	if (u->head) {
		*id = entry_id(u->head);
		return WHY_STORED;
	}
	if (u->is_stale) /* else reassemble_join() would find out that there is nothing new */
		rebuild(a, u);
	if (b->total_len != u->total || extents_missing(&u->have, b->frag_off, b->payload.n) > 0)
		return WHY_NONE;
	*id = extents_from(&u->have, b->frag_off)->id;
	return WHY_COVERED;
}

/* May this fragment be taken? WHY_NONE, or why not. */
enum why reassemble_allow(
	const struct agent *a, const struct eid *dest, const uint64_t uid[2], uint64_t total)
{
	const struct adu *u = find(a, uid);

	if (u)
		return u->total != total                            ? WHY_TOTAL_CONFLICT
		       : u->n_fragments >= a->cfg.max_adu_fragments ? WHY_ADU_FRAGMENTS
								    : WHY_NONE;
	if (total > a->cfg.max_adu_bytes || (is_own(a, dest) && total > ADMIN_RECORD_MAX))
		return WHY_ADU_TOO_BIG;
	return a->adus.n_free == 0 ? WHY_ADU_LIMIT : WHY_NONE;
}

/* A stored fragment for this node joins its ADU. 0, -E_LIMIT (see reassemble_allow), -E_DUPLICATE: it
 * brings nothing new. RFC 9171 5.7-1, 5.7-1/2, 5.7-1/2b, 5.9/d1 */
int reassemble_join(struct agent *a, mono now, struct bundle_entry *e, const struct record *r)
{
	struct adu *u = find(a, r->adu_uid);
	uint64_t added;

	if (!u)
		u = adu_new(a, now, r);
	if (!u || u->total != r->total_len)
		return -E_LIMIT;
	if (u->is_stale)
		rebuild(a, u);
	added = extents_add(&u->have, &a->extents, r->frag_off, r->payload_bytes, entry_id(e));
	if (added == 0)
		return -E_DUPLICATE;
	e->adu = u;
	e->flags |= E_SPLIT;
	list_push_back(&u->fragments, &e->link);
	u->n_staged += e->state == ENTRY_STAGED;
	if (u->n_fragments++ == 0)
		trace_point(a->trace, now, adu_begun, entry_id(e), u->total, a->adu_by_uid.n);
	return 0;
}

/* Its commit is done. */
void reassemble_committed(struct agent *a, mono now, struct bundle_entry *e)
{
	struct adu *u = e->adu;
	struct link_node *next = e->link.next;

	entry_set_state(a, e, ENTRY_REASSEMBLY);
	list_insert_before(next, &e->link); /* its place in the order of reception */
	u->n_staged--;
	adu_settle(a, now, u);
}

/* A whole bundle for this node is durable: fragments of it are no longer needed. */
void reassemble_replaced(struct agent *a, mono now, const struct bundle_entry *e)
{
	struct adu *u;

	if (a->adu_by_uid.n == 0)
		return;
	u = find(a, entry_record(a, e).uid);
	if (u && !u->head)
		release_rest(a, now, u, WHY_REPLACED);
}

/* The entry of a fragment goes. */
void reassemble_forget(struct agent *a, mono now, struct bundle_entry *e)
{
	struct adu *u = e->adu;
	struct record r = entry_record(a, e);

	e->flags &= (uint8_t)~E_SPLIT;
	extents_drop(&u->have, &a->extents, r.frag_off, r.payload_bytes, entry_id(e));
	u->n_fragments--;
	u->n_staged -= e->state == ENTRY_STAGED;
	u->is_stale = true;
	check_stop(a, u);
	if (u->head == e) {
		u->head = NULL;
		if (u->n_fragments > 0)
			release_rest(a, now, u, WHY_REASSEMBLED);
		else
			adu_free(a, u);
		return;
	}
	list_remove(&e->link);
	if (u->head) /* no longer whole */
		delete_entry(a, now, u->head, REASON_CANCELLED);
	else if (u->n_fragments == 0)
		adu_free(a, u);
}

/* True if the entry stands for a whole ADU: the identity of the bundle that was fragmented. */
bool reassemble_uid(const struct bundle_entry *e, uint64_t uid[2])
{
	if (!reassemble_is_part(e) || e->adu->head != e)
		return false;
	uid[0] = e->adu->uid[0];
	uid[1] = e->adu->uid[1];
	return true;
}

/* The entry that stands for a whole ADU, or is itself a bundle. */
struct bundle_entry *reassemble_head(struct bundle_entry *e)
{
	return reassemble_is_part(e) && e->adu->head ? e->adu->head : e;
}

uint64_t reassemble_size(const struct bundle_entry *e)
{
	return e->adu->total;
}

/* Where the ADU's bytes from `off` on are stored: at most n, up to the end of one extent. */
struct slice reassemble_slice(const struct bundle_entry *e, uint64_t off, uint64_t n)
{
	const struct extent *x = extents_from(&e->adu->have, off);
	uint64_t left;

	if (!x || x->off > off)
		return (struct slice){0};
	left = x->off + x->len - off;
	return (struct slice){x->id, x->at + (off - x->off), n < left ? n : left};
}

/* The ADU is acknowledged: its other fragments are deleted with it, in the same batch. */
void reassemble_acked(struct agent *a, struct bundle_entry *head)
{
	struct adu *u = head->adu;
	struct link_node *n, *next;

	for (n = u->fragments.next; n != &u->fragments; n = next) {
		struct bundle_entry *e = container_of(n, struct bundle_entry, link);

		next = n->next;
		entry_set_state(a, e, ENTRY_ACKED);
		list_insert_before(next, &e->link);
		e->expiry = MONO_NEVER;
		entry_set_due(a, e, MONO_NEVER);
		store_delete(a->store, entry_id(e));
	}
}

/* ... and that is durable. The head's entry is the caller's. */
void reassemble_done(struct agent *a, mono now, struct bundle_entry *head)
{
	struct adu *u = head->adu;

	head->flags &= (uint8_t)~E_SPLIT;
	while (!list_empty(&u->fragments)) {
		struct bundle_entry *e = container_of(u->fragments.next, struct bundle_entry, link);

		trace_point(a->trace, now, bundle_released, entry_id(e), WHY_REASSEMBLED);
		e->flags &= (uint8_t)~E_SPLIT;
		entry_free(a, e);
	}
	adu_free(a, u);
}

/* After a restart, when all entries are here again. A request to the node itself is not served twice:
 * who sent it asks again. */
void reassemble_restored(struct agent *a, mono now)
{
	struct hash_node *n = hash_next(&a->adu_by_uid, NULL);

	while (n) {
		struct adu *u = (struct adu *)(void *)n;

		n = hash_next(&a->adu_by_uid, n);
		adu_settle(a, now, u); /* it may be gone */
	}
}

void reassemble_checked(struct agent *a, mono now, struct bundle_entry *first, enum unit_end how,
	enum reason reason)
{
	struct adu *u = first->adu;

	u->first = NULL;
	if (how != UNIT_REFUSED && how != UNIT_OVER)
		return; /* its commit ends the fragments */
	for (uint64_t n = u->n_fragments; n > 0; n--) {
		struct bundle_entry *x = container_of(u->fragments.next, struct bundle_entry, link);

		if (how == UNIT_OVER)
			release_entry(a, now, x, WHY_REASSEMBLED);
		else
			delete_entry(a, now, x, reason);
	}
}

void reassemble_again(struct agent *a, mono now, const uint64_t uid[2])
{
	struct adu *u = find(a, uid);

	if (!u || u->head || u->first || u->n_staged > 0 || u->is_stale || u->have.bytes < u->total)
		return;
	u->first = entry_by_id(a, extents_from(&u->have, 0)->id);
	check_later(a, u);
	a->check_at = mono_add(now, RETRY_US);
}

mono reassemble_deadline(const struct agent *a)
{
	const struct heap_node *h = heap_min(&a->adu_timers);
	mono at = list_empty(&a->unchecked) || !security_is_free(a) ? MONO_NEVER : a->check_at;

	return h ? mono_min(h->key, at) : at;
}

void reassemble_tick(struct agent *a, mono now)
{
	struct heap_node *h;

	while ((h = heap_min(&a->adu_timers)) && h->key <= now)
		give_up(a, now, container_of(h, struct adu, timer));
	while (!list_empty(&a->unchecked) && a->check_at <= now && security_is_free(a)) {
		struct adu *u = container_of(a->unchecked.next, struct adu, unchecked);

		list_remove(&u->unchecked);
		check(a, now, u);
	}
}

static struct adu *find(const struct agent *a, const uint64_t uid[2])
{
	struct hash_node *n;

	if (a->adu_by_uid.n == 0)
		return NULL;
	n = hash_find(&a->adu_by_uid, hash_u64s(a->key, uid, 2), same_adu, uid);
	return n ? container_of(n, struct adu, by_uid) : NULL;
}

static struct adu *adu_new(struct agent *a, mono now, const struct record *r)
{
	struct adu *u = pool_take(&a->adus);
	mono since = mono_min(agent_mono(a, r->received_ms), now);

	if (!u)
		return NULL;
	memset(u, 0, sizeof *u);
	u->uid[0] = r->adu_uid[0];
	u->uid[1] = r->adu_uid[1];
	u->total = r->total_len;
	u->have.salt = a->key.k0;
	u->since = since;
	list_init(&u->fragments);
	list_init(&u->unchecked);
	heap_node_init(&u->timer);
	(void)!heap_push(
		&a->adu_timers, &u->timer, mono_add(since, a->cfg.max_adu_us), ++a->last_adu);
	(void)!hash_insert(&a->adu_by_uid, &u->by_uid, hash_u64s(a->key, u->uid, 2));
	return u;
}

static void adu_free(struct agent *a, struct adu *u)
{
	extents_clear(&u->have, &a->extents);
	heap_remove(&a->adu_timers, &u->timer);
	hash_remove(&a->adu_by_uid, &u->by_uid);
	pool_give(&a->adus, u);
}

/* RFC 9171 5.9/d2; handed on only when all of it is durable. */
static void adu_settle(struct agent *a, mono now, struct adu *u)
{
	if (u->head || u->first || u->n_staged > 0 || u->have.bytes < u->total)
		return;
	if (entry_by_uid(a, u->uid))
		release_rest(a, now, u, WHY_REPLACED); /* the bundle itself came meanwhile */
	else
		adu_whole(a, now, u);
}

/* What becomes of a whole ADU. Its head is the fragment at offset 0 (5.9/1); the others wait with it
 * (5.9/2: they no longer pend) and end with it. RFC 9171 5.7-1/d1, 5.9/1, 5.9/2 */
static void adu_whole(struct agent *a, mono now, struct adu *u)
{
	struct bundle_entry *e = entry_by_id(a, extents_from(&u->have, 0)->id);

	if (secured(a, now, u, e))
		return;
	u->head = e;
	heap_remove(&a->adu_timers, &u->timer);
	list_remove(&e->link);
	trace_point(a->trace, now, adu_whole, entry_id(e), u->total, u->n_fragments,
		(uint64_t)(now - u->since));
	reassemble_go_on(a, now, e);
}

/* RFC 9172 5.2: what security rules or blocks concern is checked before anything else is done with it.
 * True: it is dealt with, or will be. What was accepted is a new bundle, which replaces the fragments when
 * it is durable; what may not be believed is deleted with them. */
static bool secured(struct agent *a, mono now, struct adu *u, struct bundle_entry *e)
{
	if (!security_concerns(a, e))
		return false;
	u->first = e;
	check(a, now, u);
	return true;
}

static void check(struct agent *a, mono now, struct adu *u)
{
	enum reason reason;
	enum unit_end how;

	heap_remove(&a->adu_timers, &u->timer); /* it is whole */
	how = security_unit(a, now, u->first, &reason);
	if (how == UNIT_BUSY)
		check_later(a, u);
	else if (how != UNIT_RUNS)
		reassemble_checked(a, now, u->first, how, reason);
}

static void check_later(struct agent *a, struct adu *u)
{
	list_push_back(&a->unchecked, &u->unchecked);
}

/* A fragment goes: it is no longer whole, so its time runs again. */
static void check_stop(struct agent *a, struct adu *u)
{
	if (!heap_has(&u->timer) && !u->head)
		(void)!heap_push(&a->adu_timers, &u->timer, mono_add(u->since, a->cfg.max_adu_us),
			++a->last_adu);
	if (!u->first)
		return;
	security_stop(a, u->first);
	list_remove(&u->unchecked);
	u->first = NULL;
}

/* To the application, or to the node itself. */
void reassemble_go_on(struct agent *a, mono now, struct bundle_entry *head)
{
	struct bundle b;

	if (entry_bundle(a, head, &b) && is_own(a, &b.dest))
		serve(a, now, head->adu);
	else
		deliver_arrived(a, now, head);
}

/* For the node itself: administrative records and echo requests. */
static bool is_own(const struct agent *a, const struct eid *dest)
{
	return eid_is_admin(dest) || echo_is_service(a, dest);
}

static void serve(struct agent *a, mono now, struct adu *u)
{
	struct bundle_entry *e = u->head;
	bool is_carried;
	struct bundle b;

	if (!entry_bundle(a, e, &b) || gather(a, u, &b.payload) != 0) {
		delete_entry(a, now, e, REASON_UNINTELLIGIBLE);
		return;
	}
	if (a->is_restoring) {
		release_entry(a, now, e, WHY_RESTART);
	} else if (b.flags & BUNDLE_ADMIN) {
		if (!admin_receive(a, now, entry_id(e), &(struct arrival){.b = &b},
			    &is_carried)) /* RFC 9713 4 */
			trace_point(a->trace, now, bundle_refused, 0, WHY_ADMIN_UNREADABLE,
				u->total, b.source.node, b.seq);
		release_entry(a, now, e, WHY_ADMIN_DONE);
	} else {
		echo_answer(a, now, entry_id(e), &b);
		report_entry(a, now, e, STATUS_DELIVERED, REASON_NONE);
		release_entry(a, now, e, WHY_ECHO_DONE);
	}
}

/* All bytes in one piece; only of what is small. */
static int gather(struct agent *a, const struct adu *u, struct view *bytes)
{
	struct buf b = buf_of(a->adu_room, ADMIN_RECORD_MAX);

	while (b.len < u->total) {
		struct slice s = reassemble_slice(u->head, b.len, u->total - b.len);
		struct view v;

		if (s.len == 0 || store_payload(a->store, s, &v) != 0)
			return -E_CORRUPT;
		buf_put(&b, v);
	}
	*bytes = buf_view(&b);
	return buf_finish(&b);
}

/* A fragment expired or its commit failed: others may have the bytes that it had brought first. */
static void rebuild(struct agent *a, struct adu *u)
{
	extents_clear(&u->have, &a->extents);
	for (struct link_node *n = u->fragments.next; n != &u->fragments; n = n->next) {
		struct bundle_entry *e = container_of(n, struct bundle_entry, link);
		struct record r = entry_record(a, e);

		extents_add(&u->have, &a->extents, r.frag_off, r.payload_bytes, entry_id(e));
	}
	u->is_stale = false;
}

/* All fragments but a head go; with the last one the ADU. */
static void release_rest(struct agent *a, mono now, struct adu *u, enum why why)
{
	for (uint64_t n = u->n_fragments; n > 0; n--)
		release_entry(
			a, now, container_of(u->fragments.next, struct bundle_entry, link), why);
}

/* Its time is over: what would still come is known as gone. */
static void give_up(struct agent *a, mono now, struct adu *u)
{
	struct bundle_entry *first = container_of(u->fragments.next, struct bundle_entry, link);
	struct known *k = known_add(
		a, KNOWN_GONE, (const uint64_t[4]){u->uid[0], u->uid[1], 0, 0}, first->expiry);

	k->bundle_id = entry_id(first);
	known_write(a, k);
	trace_point(a->trace, now, adu_given_up, entry_id(first), WHY_TIMEOUT, u->have.bytes,
		u->total, u->n_fragments);
	for (uint64_t n = u->n_fragments; n > 0; n--)
		delete_entry(a, now, container_of(u->fragments.next, struct bundle_entry, link),
			REASON_TRAFFIC_PARED);
}

static bool same_adu(const struct hash_node *n, const void *key)
{
	const struct adu *u = (const void *)n;

	return memcmp(u->uid, key, sizeof u->uid) == 0;
}
