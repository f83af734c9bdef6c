/*
 * fragment: bundles that leave in pieces, RFC 9171 5.8: because what is left of a contact, or a
 * layer's MTU, takes no more. The stored bundle stays one; a piece is a head made when it is offered, a
 * slice of the stored payload and a tail with the CRC of that slice. It has an id of its own, so that
 * its events are about the fragment that was on the wire.
 *
 * A cut is a bundle on its way in pieces. Its pieces are those that a layer has, or that have left
 * before an earlier one: places of the payload that are taken, in order of offset; below `done` all
 * has left. The next piece begins at the first place that is not taken, so a piece that failed is made
 * again and nothing else. The bundle is QUEUED while there is such a place, SENDING when all is with
 * the layers, and released when `done` reaches its end.
 *
 * When its contact closes, `done` goes into the record (sent_bytes): the rest may go another way, and a
 * restart repeats little. Cuts and pieces come from pools; where those are empty a bundle waits until
 * it fits whole. Start reading at fragment_offer().
 */
#include "bundle/fragment.h"
#include "dtn/agent/state.h"

#define CUTS_MAX 256u
#define PIECES_MAX 2048u
#define HOP_GROWTH 16u  /* age and hop count grow: the next node shall not have to cut again */
#define SUM_STEP 65536u /* stored bytes that are summed at a time */

struct cut {
	struct bundle_entry *entry;
	uint64_t done; /* all before this has left */
	struct link_node pieces;
};

struct piece {
	struct hash_node by_id; /* first; hash = id */
	struct link_node link;
	struct cut *cut;
	uint64_t id, off, n;
	uint16_t neighbour;
	bool is_sent;
};

static bool gap_find(const struct cut *u, uint64_t end, struct slice *gap, struct link_node **at);
static int compose(
	struct agent *a, const struct outbound *x, struct slice at, struct agent_offer *o);
static int size_fit(const struct agent *a, const struct outbound *x, struct slice *gap,
	const struct agent_offer *o);
static int sum(struct agent *a, const struct bundle *b, struct slice at, uint32_t *crc);
static struct cut *cut_take(struct agent *a, struct bundle_entry *e, uint64_t done);
static void cut_free(struct agent *a, struct cut *u);
static struct piece *piece_find(const struct agent *a, uint64_t id);
static void piece_free(struct agent *a, struct piece *p);
static void piece_tell(
	struct agent *a, mono now, const struct piece *p, const struct outbound *x, uint64_t size);
static void save(struct agent *a, const struct cut *u);
static bool any(const struct hash_node *n, const void *key);

int fragment_init(struct agent *a)
{
	int err = pool_init(&a->cuts, CUTS_MAX, sizeof(struct cut));

	hash_init(&a->piece_by_id);
	err = err ? err : pool_init(&a->pieces, PIECES_MAX, sizeof(struct piece));
	return err ? err : hash_reserve(&a->piece_by_id, PIECES_MAX);
}

void fragment_fini(struct agent *a)
{
	hash_fini(&a->piece_by_id);
	pool_fini(&a->cuts);
	pool_fini(&a->pieces);
}

/* Puts the next piece that fits into *o. 0; -E_AGAIN: none fits now; -E_TOO_BIG: none ever will, or it
 * may not be cut; -E_OVERFLOW: no room for a head in this turn; else its bytes can't be read. */
int fragment_offer(struct agent *a, mono now, struct bundle_entry *e, struct outbound *x,
	struct agent_offer *o)
{
	struct cut *u = e->flags & E_SPLIT ? e->cut : NULL;
	struct slice gap = {.off = x->r.sent_bytes, .len = x->r.payload_bytes - x->r.sent_bytes};
	struct link_node *at = NULL;
	struct piece *p;
	int err;

	if (!fragment_allowed(&x->b) || e->flags & E_CUSTODY)
		return -E_TOO_BIG;
	if (u && !gap_find(u, x->r.payload_bytes, &gap, &at))
		return -E_AGAIN;
	if (a->pieces.n_free == 0 || (!u && a->cuts.n_free == 0))
		return -E_AGAIN;
	gap.handle = entry_id(e);
	err = size_fit(a, x, &gap, o);
	err = err ? err : compose(a, x, gap, o);
	if (err != 0)
		return err;
	u = u ? u : cut_take(a, e, x->r.sent_bytes);
	p = pool_take(&a->pieces);
	*p = (struct piece){.cut = u,
		.id = seen_number(a),
		.off = gap.off,
		.n = gap.len,
		.neighbour = e->neighbour};
	list_insert_before(at ? at : &u->pieces, &p->link);
	(void)!hash_insert(&a->piece_by_id, &p->by_id, p->id);
	o->id = p->id;
	piece_tell(a, now, p, x, o->size_bytes);
	if (!gap_find(u, x->r.payload_bytes, &gap, &at))
		entry_set_state(a, e, ENTRY_SENDING);
	return 0;
}

/* A piece left. True if the id is a piece's. */
bool fragment_sent(struct agent *a, mono now, const struct agent_sent *s)
{
	struct piece *p = piece_find(a, s->id);
	struct cut *u = p ? p->cut : NULL;
	node_id next;

	if (!p)
		return false;
	next = a->neighbour[p->neighbour].node;
	trace_point(a->trace, now, bundle_forwarded, p->id, next, s->link, s->frame_bytes,
		(uint64_t)s->tx_end);
	trace_point(a->trace, now, bundle_released, p->id, WHY_FORWARDED);
	hash_remove(&a->piece_by_id, &p->by_id);
	p->is_sent = true;
	while (!list_empty(&u->pieces)) {
		p = container_of(u->pieces.next, struct piece, link);
		if (!p->is_sent || p->off != u->done)
			break;
		u->done += p->n;
		piece_free(a, p);
	}
	if (u->done == entry_record(a, u->entry).payload_bytes) {
		/* RFC 9171 5.4-5: one report for all of it */
		report_entry(a, now, u->entry, STATUS_FORWARDED, REASON_NONE);
		transmission_left(
			a, now, entry_id(u->entry), next, mono_add(s->tx_end, s->owlt_us));
		release_entry(a, now, u->entry, WHY_FORWARDED);
	}
	return true;
}

/* A piece did not leave: the bundle it is of, which has its place free again; NULL: no piece's id. */
struct bundle_entry *fragment_failed(struct agent *a, mono now, uint64_t id)
{
	struct piece *p = piece_find(a, id);
	struct bundle_entry *e;

	if (!p)
		return NULL;
	e = p->cut->entry;
	trace_point(a->trace, now, bundle_rerouted, id, a->neighbour[p->neighbour].node,
		WHY_SEND_FAILED);
	trace_point(a->trace, now, bundle_released, id, WHY_SEND_FAILED);
	hash_remove(&a->piece_by_id, &p->by_id);
	piece_free(a, p);
	fragment_pause(a, e);
	return e;
}

/* Its contact closed, or failed: what has left is remembered for good. */
void fragment_pause(struct agent *a, struct bundle_entry *e)
{
	struct cut *u = e->cut;

	if (!(e->flags & E_SPLIT))
		return;
	save(a, u);
	if (list_empty(&u->pieces))
		cut_free(a, u);
}

/* The bundle goes, or becomes ours to keep: whatever is still with a layer is nobody's. */
void fragment_forget(struct agent *a, struct bundle_entry *e)
{
	struct cut *u = e->cut;

	while (!list_empty(&u->pieces)) {
		struct piece *p = container_of(u->pieces.next, struct piece, link);

		if (!p->is_sent)
			hash_remove(&a->piece_by_id, &p->by_id);
		piece_free(a, p);
	}
	cut_free(a, u);
}

/* The first place that is not taken, up to the next one that is; *at: where a piece there belongs. */
static bool gap_find(const struct cut *u, uint64_t end, struct slice *gap, struct link_node **at)
{
	const struct link_node *n = u->pieces.next;

	gap->off = u->done;
	for (; n != &u->pieces; n = n->next) {
		const struct piece *p =
			container_of((struct link_node *)(uintptr_t)n, struct piece, link);

		if (p->off > gap->off) {
			end = p->off;
			break;
		}
		gap->off = p->off + p->n;
	}
	*at = (struct link_node *)(uintptr_t)n;
	gap->len = end - gap->off;
	return gap->len > 0;
}

/* Shortens the place to what fits now: not less than fragment.min_bytes, or all of it. */
static int size_fit(const struct agent *a, const struct outbound *x, struct slice *gap,
	const struct agent_offer *o)
{
	struct buf count = {0};
	uint64_t fixed, least = gap->len < a->cfg.min_bytes ? gap->len : a->cfg.min_bytes;
	uint32_t crc;
	int err = fragment_head(&count, &x->b, &x->edit, gap->off, gap->len, &crc);

	if (err != 0 && err != -E_OVERFLOW)
		return err;
	fixed = count.len + fragment_tail_size(&x->b);
	if (o->max_ever < fixed + least)
		return -E_TOO_BIG;
	if (o->max_bytes < fixed + least)
		return -E_AGAIN;
	if (gap->len <= o->max_bytes - fixed)
		return 0;
	gap->len = o->max_bytes - fixed;
	if (o->max_bytes == o->max_ever && gap->len >= least + HOP_GROWTH)
		gap->len -= HOP_GROWTH;
	return 0;
}

static int compose(
	struct agent *a, const struct outbound *x, struct slice at, struct agent_offer *o)
{
	struct buf room = buf_of(o->room->p + o->room->len, o->room->cap - o->room->len);
	uint32_t crc;
	int err = fragment_head(&room, &x->b, &x->edit, at.off, at.len, &crc);

	if (err != 0)
		return err;
	o->head = buf_view(&room);
	err = sum(a, &x->b, at, &crc);
	err = err ? err : fragment_tail(&room, &x->b, crc);
	if (err != 0)
		return err;
	o->tail = view_of(room.p + o->head.n, room.len - o->head.n);
	o->room->len += room.len;
	o->payload = at;
	o->size_bytes = room.len + at.len;
	return 0;
}

/* The payload CRC goes on over stored bytes. */
static int sum(struct agent *a, const struct bundle *b, struct slice at, uint32_t *crc)
{
	enum crc_type type = b->block[b->n_blocks - 1].crc_type;

	for (uint64_t done = 0; type != CRC_NONE && done < at.len;) {
		uint64_t n = at.len - done < SUM_STEP ? at.len - done : SUM_STEP;
		struct view v;

		int err = store_payload(a->store, (struct slice){at.handle, at.off + done, n}, &v);
		if (err != 0)
			return damaged_err(err);
		*crc = crc_update(type, *crc, v);
		done += n;
	}
	return 0;
}

static struct cut *cut_take(struct agent *a, struct bundle_entry *e, uint64_t done)
{
	struct cut *u = pool_take(&a->cuts);

	assert(u);
	*u = (struct cut){.entry = e, .done = done};
	list_init(&u->pieces);
	e->cut = u;
	e->flags |= E_SPLIT;
	return u;
}

static void cut_free(struct agent *a, struct cut *u)
{
	u->entry->flags &= (uint8_t)~E_SPLIT;
	pool_give(&a->cuts, u);
}

static struct piece *piece_find(const struct agent *a, uint64_t id)
{
	struct hash_node *n =
		a->piece_by_id.n > 0 ? hash_find(&a->piece_by_id, id, any, NULL) : NULL;

	return n ? container_of(n, struct piece, by_id) : NULL;
}

static void piece_free(struct agent *a, struct piece *p)
{
	list_remove(&p->link);
	pool_give(&a->pieces, p);
}

/* Its identity, and which bundle it was made of. */
static void piece_tell(
	struct agent *a, mono now, const struct piece *p, const struct outbound *x, uint64_t size)
{
	const struct bundle *b = &x->b;
	bool again = b->flags & BUNDLE_FRAGMENT;
	struct bundle shown = {.source = b->source,
		.dest = b->dest,
		.created_ms = b->created_ms,
		.seq = b->seq,
		.lifetime_ms = b->lifetime_ms,
		.crc_type = b->crc_type,
		.flags = b->flags | BUNDLE_FRAGMENT,
		.frag_off = (again ? b->frag_off : 0) + p->off,
		.total_len = again ? b->total_len : b->payload.n,
		.payload = {.n = p->n}};

	seen_emit(a, now, p->id, &shown, (unsigned)x->r.priority, size);
	trace_point(a->trace, now, fragment_made, p->id, entry_id(p->cut->entry), shown.frag_off,
		p->n, a->neighbour[p->neighbour].node);
}

static void save(struct agent *a, const struct cut *u)
{
	struct record r = entry_record(a, u->entry);

	if (r.sent_bytes == u->done)
		return;
	r.sent_bytes = u->done;
	entry_save(a, u->entry, &r);
}

static bool any(const struct hash_node *n, const void *key)
{
	(void)n;
	(void)key;
	return true;
}
