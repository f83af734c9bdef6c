/*
 * log: event lines into bundles, observations, contact states and marks. A node names a bundle by its
 * local id; bundle_seen tells whose it is, and bundle_fragment, which may follow, that it is a fragment,
 * so the identity is looked up only when the id is first used for something else.
 *
 * Only the rows of the handler table are looked at; every other event is skipped, whatever its fields
 * (a newer node's log stays readable). Start reading at dataset_line.
 */
#include "dtn/dataset/local.h"

#include <stdio.h>
#include <stdlib.h>

/* A local id of one node. */
struct ds_local {
	struct hash_node in_table;
	node_id node;
	uint64_t id;
	struct ds_bundle told;    /* what the log said so far; identity and shape */
	struct ds_bundle *bundle; /* NULL until needed */
	int64_t t_queued, planned_arrival;
	uint32_t n_queued, hop_count;
	bool custody;
};

struct local_key {
	node_id node;
	uint64_t id;
};

/* One line on its way through a handler. */
struct entry {
	struct dataset *d;
	const struct line *line;
	node_id node;
	int64_t t;
	int64_t clock_err_ms; /* NO_TIME: not told */
};

struct handler {
	const char *ev;
	int (*take)(struct entry *e);
};

static int take_node_start(struct entry *e);
static int take_link_open(struct entry *e);
static int take_link_close(struct entry *e);
static int take_seen(struct entry *e);
static int take_shape(struct entry *e);
static int take_class(struct entry *e);
static int take_fragment(struct entry *e);
static int take_sourced(struct entry *e);
static int take_received(struct entry *e);
static int take_queued(struct entry *e);
static int take_forwarded(struct entry *e);
static int take_fragment_made(struct entry *e);
static int take_delivered(struct entry *e);
static int take_deleted(struct entry *e);
static int take_custody_retx(struct entry *e);

static const struct handler handlers[] = {
	{"node_start", take_node_start},
	{"link_open", take_link_open},
	{"link_close", take_link_close},
	{"bundle_seen", take_seen},
	{"bundle_shape", take_shape},
	{"bundle_class", take_class},
	{"bundle_fragment", take_fragment},
	{"bundle_sourced", take_sourced},
	{"bundle_received", take_received},
	{"bundle_duplicate", take_received},
	{"bundle_queued", take_queued},
	{"bundle_forwarded", take_forwarded},
	{"fragment_made", take_fragment_made},
	{"bundle_delivered", take_delivered},
	{"bundle_deleted", take_deleted},
	{"custody_retx", take_custody_retx},
};

static bool entry_open(struct entry *e);
static int64_t time_of(const struct entry *e, const char *key);
static node_id node_of(const struct line *l, const char *key);
static struct ds_local *local_find(const struct entry *e);
static struct ds_local *local_named(const struct entry *e, const char *field);
static struct ds_bundle *local_bundle(struct dataset *d, struct ds_local *l);
static void tell(struct ds_bundle *b, const struct ds_bundle *told);
static bool link_peer(const struct entry *e, uint32_t *link, node_id *peer);
static struct ds_contact *contact_of(const struct entry *e, int64_t slack_us);
static int put_mark(struct entry *e, enum ds_mark_kind kind, uint32_t bundle);
static bool same_local(const struct hash_node *n, const void *key);
static struct ds_local *local_of(const struct hash_node *n);

int dataset_line(struct dataset *d, struct view text)
{
	struct line line;
	struct entry e = {.d = d, .line = &line};
	int r = 0;

	d->lines++;
	if (line_scan(text, &line) < 0 || !entry_open(&e)) {
		d->bad_lines++;
		return 0;
	}
	d->has_log = true;
	local_saw(d, e.t);
	for (size_t k = 0; k < sizeof handlers / sizeof *handlers; k++)
		if (line_is(&line, "ev", handlers[k].ev))
			r = handlers[k].take(&e);
	d->line_node = e.node;
	d->line_ns = e.t;
	d->line_was_stop = line_is(&line, "ev", "node_stop");
	return r ? r : d->err;
}

void local_saw(struct dataset *d, int64_t t)
{
	if (d->first_ns == NO_TIME || t < d->first_ns)
		d->first_ns = t;
	if (d->last_ns == NO_TIME || t > d->last_ns)
		d->last_ns = t;
}

void local_free_all(struct dataset *d)
{
	struct hash_node *n = hash_next(&d->locals, NULL);

	while (n) {
		struct hash_node *next = hash_next(&d->locals, n);

		free(local_of(n));
		n = next;
	}
}

int local_grow(void **array, size_t *cap, size_t n, size_t size)
{
	size_t more = *cap ? *cap * 2 : 256;
	void *p;

	if (n < *cap)
		return 0;
	p = realloc(*array, more * size);
	if (!p)
		return -ENOMEM;
	*array = p;
	*cap = more;
	return 0;
}

/* Who tells it and when; lab time 0 is learnt from the first line if nobody told it before. */
static bool entry_open(struct entry *e)
{
	int64_t t_us, dtn_ms, base_ns, limit = INT64_MAX / 2000;
	bool has_dtn = line_i64(e->line, "dtn_ms", &dtn_ms);

	e->node = node_of(e->line, "node");
	if (e->node == NODE_NONE || !line_i64(e->line, "t_us", &t_us) || t_us > limit ||
		t_us < -limit || dtn_ms > INT64_MAX / 4000000 || dtn_ms < 0)
		return false;
	base_ns = e->d->base_ns;
	if (base_ns == NO_TIME)
		base_ns = DTN_EPOCH_UNIX_S * 1000000000 +
			  (has_dtn ? (dtn_ms - t_us / US_PER_MS) * 1000000 : 0);
	if (base_ns < 0)
		return false; /* no lab began before 1970: one of the two is wrong */
	e->d->base_ns = base_ns;
	e->t = base_ns + t_us * 1000;
	e->clock_err_ms = NO_TIME;
	if (has_dtn)
		e->clock_err_ms = dtn_ms - (e->t / 1000000 - DTN_EPOCH_UNIX_S * 1000);
	return true;
}

/* A start without a stop before it: the node was killed after its last line. */
static int take_node_start(struct entry *e)
{
	enum ds_mark_kind kind = DS_MARK_START;

	for (size_t k = 0; k < e->d->n_marks; k++)
		if (e->d->mark[k].node == e->node && e->d->mark[k].kind == DS_MARK_START)
			kind = DS_MARK_RESTART;
	if (kind == DS_MARK_RESTART && e->d->line_node == e->node && !e->d->line_was_stop) {
		struct entry crash = *e;
		int r;

		crash.t = e->d->line_ns;
		r = put_mark(&crash, DS_MARK_CRASH, NO_INDEX);
		if (r < 0)
			return r;
	}
	return put_mark(e, kind, NO_INDEX);
}

static int take_link_open(struct entry *e)
{
	/* The opening may be told a little before the plan's time by a clock that runs ahead. */
	struct ds_contact *c = contact_of(e, US_PER_S);

	if (c && c->t_up == NO_TIME)
		c->t_up = e->t;
	return 0;
}

static int take_link_close(struct entry *e)
{
	struct ds_contact *c = contact_of(e, 0);
	uint64_t n;

	if (!c || c->t_up == NO_TIME)
		return 0;
	c->t_down = e->t;
	if (line_u64(e->line, "n_queued", &n))
		c->n_queued = n < NO_INDEX ? (uint32_t)n : NO_INDEX - 1;
	return 0;
}

/* A new local id, or one that a restarted node gives out again. */
static int take_seen(struct entry *e)
{
	struct ds_local *l = local_find(e);
	uint64_t v[2] = {e->node, 0};

	line_u64(e->line, "id", &v[1]);
	if (!l) {
		if (e->d->locals.n == e->d->limits.local_ids)
			return -E_LIMIT;
		l = calloc(1, sizeof *l);
		if (!l)
			return -ENOMEM;
		l->node = v[0];
		l->id = v[1];
		if (hash_insert(&e->d->locals, &l->in_table,
			    hash_u64s((struct hash_key){1, 2}, v, 2)) < 0) {
			free(l);
			return -ENOMEM;
		}
	}
	l->bundle = NULL;
	l->told = (struct ds_bundle){
		.src_node = node_of(e->line, "src_node"), .priority = UINT64_MAX};
	l->t_queued = l->planned_arrival = NO_TIME;
	l->n_queued = l->hop_count = NO_INDEX;
	l->custody = false;
	line_u64(e->line, "src_service", &l->told.src_service);
	line_u64(e->line, "created_ms", &l->told.created_ms);
	line_u64(e->line, "seq", &l->told.seq);
	return 0;
}

static int take_shape(struct entry *e)
{
	struct ds_local *l = local_find(e);

	if (!l)
		return 0;
	l->told.has_dst = true;
	l->told.dst_node = node_of(e->line, "dst_node");
	line_u64(e->line, "dst_service", &l->told.dst_service);
	l->told.has_shape = line_u64(e->line, "size_bytes", &l->told.size_bytes) &&
			    line_u64(e->line, "payload_bytes", &l->told.payload_bytes);
	if (l->bundle)
		tell(l->bundle, &l->told);
	return 0;
}

static int take_class(struct entry *e)
{
	struct ds_local *l = local_find(e);

	if (!l)
		return 0;
	l->told.has_class = line_u64(e->line, "lifetime_ms", &l->told.lifetime_ms) &&
			    line_u64(e->line, "crc_type", &l->told.crc_type);
	if (!line_u64(e->line, "priority", &l->told.priority))
		l->told.priority = UINT64_MAX;
	if (l->bundle)
		tell(l->bundle, &l->told);
	return 0;
}

static int take_fragment(struct entry *e)
{
	struct ds_local *l = local_find(e);

	if (!l)
		return 0;
	l->told.is_fragment = true;
	line_u64(e->line, "frag_off", &l->told.frag_off);
	line_u64(e->line, "frag_len", &l->told.frag_len);
	l->bundle = NULL;
	return 0;
}

static int take_sourced(struct entry *e)
{
	struct ds_local *l = local_find(e);
	struct ds_bundle *b = local_bundle(e->d, l);

	if (!b)
		return 0;
	if (b->t_sourced == NO_TIME)
		b->t_sourced = e->t;
	l->custody = line_flag(e->line, "custody");
	b->is_sent_custody = b->is_sent_custody || l->custody;
	return 0;
}

/* A first arrival or a duplicate: either way the bundle came in. */
static int take_received(struct entry *e)
{
	struct ds_local *l = local_find(e);
	struct ds_bundle *b = local_bundle(e->d, l);
	struct ds_obs o = {.kind = DS_LOG_RX,
		.t = e->t,
		.receiver = e->node,
		.link = NO_INDEX,
		.hop_count = NO_INDEX,
		.n_queued = NO_INDEX,
		.t_enqueue = NO_TIME,
		.t_tx_end = NO_TIME,
		.planned_arrival = NO_TIME,
		.clock_err_ms = NO_TIME};
	const struct ds_obs *last = e->d->n_obs ? &e->d->obs[e->d->n_obs - 1] : NULL;
	uint64_t hops;

	if (!b)
		return 0;
	if (!link_peer(e, &o.link, &o.sender))
		o.sender = node_of(e->line, "prev_node");
	o.bundle = b->index;
	o.custody = line_flag(e->line, "custody");
	if (line_u64(e->line, "hop_count", &hops))
		o.hop_count = hops < NO_INDEX ? (uint32_t)hops : NO_INDEX - 1;
	if (line_is(e->line, "ev", "bundle_received")) {
		l->custody = o.custody;
		l->hop_count = o.hop_count;
	} else if (last && last->kind == DS_LOG_RX && last->t == e->t && last->bundle == b->index) {
		return 0; /* the same arrival, told twice */
	}
	return dataset_observe(e->d, &o) ? 0 : e->d->err;
}

static int take_queued(struct entry *e)
{
	struct ds_local *l = local_find(e);
	uint64_t n;

	if (!l)
		return 0;
	l->t_queued = e->t;
	l->planned_arrival = time_of(e, "arrival_us");
	l->n_queued = line_u64(e->line, "n_queued", &n) && n < NO_INDEX ? (uint32_t)n : NO_INDEX;
	return 0;
}

static int take_forwarded(struct entry *e)
{
	struct ds_local *l = local_find(e);
	struct ds_bundle *b = local_bundle(e->d, l);
	struct ds_obs o = {.kind = DS_LOG_TX,
		.t = e->t,
		.sender = e->node,
		.link = NO_INDEX,
		.t_tx_end = time_of(e, "tx_end_us"),
		.clock_err_ms = e->clock_err_ms};
	uint64_t n;

	if (!b)
		return 0;
	if (!link_peer(e, &o.link, &o.receiver))
		o.receiver = node_of(e->line, "next_node");
	o.bundle = b->index;
	o.t_enqueue = l->t_queued;
	o.planned_arrival = l->planned_arrival;
	o.n_queued = l->n_queued;
	o.hop_count = l->hop_count;
	o.custody = l->custody;
	if (line_u64(e->line, "frame_bytes", &n) && n < NO_INDEX)
		o.frame_bytes = (uint32_t)n;
	return dataset_observe(e->d, &o) ? 0 : e->d->err;
}

/* A piece of a bundle that was queued, or came, as a whole. */
static int take_fragment_made(struct entry *e)
{
	struct ds_local *l = local_find(e);
	const struct ds_local *whole = local_named(e, "whole");

	if (!l || !whole)
		return 0;
	l->t_queued = whole->t_queued;
	l->planned_arrival = whole->planned_arrival;
	l->n_queued = whole->n_queued;
	l->hop_count = whole->hop_count;
	return 0;
}

static int take_delivered(struct entry *e)
{
	struct ds_bundle *b = local_bundle(e->d, local_find(e));

	if (!b)
		return 0;
	if (b->t_app == NO_TIME)
		b->t_app = e->t;
	snprintf(b->end_reason, sizeof b->end_reason, "delivered");
	return put_mark(e, DS_MARK_APP, b->index);
}

static int take_deleted(struct entry *e)
{
	struct ds_bundle *b = local_bundle(e->d, local_find(e));
	struct view why = line_get(e->line, "reason");
	size_t n = why.n < DATASET_WORD_MAX - 1 ? why.n : DATASET_WORD_MAX - 1;

	if (!b || strcmp(b->end_reason, "delivered") == 0)
		return 0;
	memset(b->end_reason, 0, sizeof b->end_reason);
	if (n > 0)
		memcpy(b->end_reason, why.p, n);
	return 0;
}

static int take_custody_retx(struct entry *e)
{
	struct ds_bundle *b = local_bundle(e->d, local_find(e));

	return b ? put_mark(e, DS_MARK_RETX, b->index) : 0;
}

/* A lab time in microseconds; NO_TIME when absent, null or beyond what fits. */
static int64_t time_of(const struct entry *e, const char *key)
{
	int64_t us;

	if (!line_i64(e->line, key, &us) || us > INT64_MAX / 2000 || us < -(INT64_MAX / 2000))
		return NO_TIME;
	return e->d->base_ns + us * 1000;
}

/* The node of an EID text; what node_print makes of a dtn node is understood too. */
static node_id node_of(const struct line *l, const char *key)
{
	static const char lead[] = "dtn-node:";
	struct view v = line_get(l, key);
	char text[128];
	struct eid e;

	if (!v.p || v.n >= sizeof text)
		return NODE_NONE;
	memcpy(text, v.p, v.n);
	text[v.n] = '\0';
	if (strncmp(text, lead, sizeof lead - 1) == 0)
		return strtoull(text + sizeof lead - 1, NULL, 16) | NODE_DTN_BIT;
	return eid_parse_node(text, &e) == 0 ? e.node : NODE_NONE;
}

static struct ds_local *local_find(const struct entry *e)
{
	return local_named(e, "id");
}

static struct ds_local *local_named(const struct entry *e, const char *field)
{
	struct local_key key = {.node = e->node};
	uint64_t v[2];
	struct hash_node *n;

	if (!line_u64(e->line, field, &key.id))
		return NULL;
	v[0] = key.node;
	v[1] = key.id;
	n = hash_find(&e->d->locals, hash_u64s((struct hash_key){1, 2}, v, 2), same_local, &key);
	e->d->unknown_ids += !n;
	return n ? local_of(n) : NULL;
}

static struct ds_bundle *local_bundle(struct dataset *d, struct ds_local *l)
{
	if (!l || l->bundle)
		return l ? l->bundle : NULL;
	l->bundle = dataset_bundle(d, &l->told);
	if (l->bundle)
		tell(l->bundle, &l->told);
	return l->bundle;
}

/* Fills in what is not known yet: the capture and the first log that tells come first. */
static void tell(struct ds_bundle *b, const struct ds_bundle *told)
{
	if (!b->has_dst && told->has_dst) {
		b->has_dst = true;
		b->dst_node = told->dst_node;
		b->dst_service = told->dst_service;
	}
	if (!b->has_shape && told->has_shape) {
		b->has_shape = true;
		b->size_bytes = told->size_bytes;
		b->payload_bytes = told->payload_bytes;
	}
	if (!b->has_class && told->has_class) {
		b->has_class = true;
		b->lifetime_ms = told->lifetime_ms;
		b->crc_type = told->crc_type;
	}
	if (b->priority == UINT64_MAX)
		b->priority = told->priority;
}

/* The topology's link of that name that ends at this node, and who is at its other end. */
static bool link_peer(const struct entry *e, uint32_t *link, node_id *peer)
{
	struct view name = line_get(e->line, "link");
	const struct topo *t = e->d->topo;

	for (size_t k = 0; name.p && k < t->n_links; k++) {
		node_id a = t->node[t->link[k].a].id, b = t->node[t->link[k].b].id;

		if (!view_equal(name, view_text(t->link[k].name)) || (a != e->node && b != e->node))
			continue;
		*link = (uint32_t)k;
		*peer = a == e->node ? b : a;
		return true;
	}
	return false;
}

/* The planned contact from this node to the peer of the line, open now or opening within the slack. */
static struct ds_contact *contact_of(const struct entry *e, int64_t slack_us)
{
	const struct plan *p = e->d->topo->plan;
	mono at = (e->t - e->d->base_ns) / 1000;
	node_id peer = node_of(e->line, "peer");
	const struct contact *c = NULL;

	if (!p)
		return NULL;
	if (slack_us == 0) { /* a close: the last contact that began before it */
		for (size_t k = 0; k < p->n_contacts; k++)
			if (p->contact[k].from == e->node && p->contact[k].to == peer &&
				p->contact[k].start <= at && (!c || p->contact[k].start > c->start))
				c = &p->contact[k];
	} else {
		c = plan_contact_at(p, e->node, peer, at);
		if (!c)
			c = plan_contact_next(p, e->node, peer, at);
		if (c && c->start - at > slack_us)
			c = NULL;
	}
	return c ? &e->d->contact[c - p->contact] : NULL;
}

static int put_mark(struct entry *e, enum ds_mark_kind kind, uint32_t bundle)
{
	struct dataset *d = e->d;

	if (d->n_marks == d->limits.marks)
		return -E_LIMIT;
	if (local_grow((void **)&d->mark, &d->cap_marks, d->n_marks, sizeof *d->mark) < 0)
		return -ENOMEM;
	d->mark[d->n_marks++] = (struct ds_mark){kind, e->node, bundle, e->t};
	return 0;
}

static bool same_local(const struct hash_node *n, const void *key)
{
	const struct ds_local *l = local_of(n);
	const struct local_key *k = key;

	return l->node == k->node && l->id == k->id;
}

static struct ds_local *local_of(const struct hash_node *n)
{
	return (struct ds_local *)(void *)((char *)(uintptr_t)n -
					   offsetof(struct ds_local, in_table));
}
