/*
 * dataset: the store of what was seen: bundles by identity, observations, and the way in for captured
 * frames. The log's way in is log.c, the pairing join.c, the rows tables.c.
 *
 * Invariants: every array is bounded by dataset_limits; observations name bundles by index, never by
 * address. An interface is "LINK:NODE"; a frame that leaves it was sent by NODE to the link's other
 * end, one that enters it came from there. Start reading at dataset_frame.
 */
#include "dtn/dataset/dataset.h"

#include "dtn/dataset/local.h"

#include <stdio.h>
#include <stdlib.h>

#define TIME_MAX INT64_C(4000000000000000000) /* the year 2096; sums of two times still fit */

static bool same_bundle(const struct hash_node *n, const void *key);
static uint64_t bundle_hash(const struct ds_bundle *b);
static bool find_iface(const struct dataset *d, const char *name, uint32_t *link, unsigned *end);
static void count_frame(
	struct dataset *d, uint32_t link, unsigned end, const struct pcapng_frame *f);
static int observe_bundle(struct dataset *d, const struct bundle *b, struct ds_obs *o);
static void describe(struct ds_bundle *s, const struct bundle *b);
static char *keep_text(const struct eid *e);
static bool is_copy(const struct pcapng_frame *f);
static void drop_word(struct view comment, char out[DATASET_WORD_MAX]);

struct dataset_limits dataset_limits_default(void)
{
	return (struct dataset_limits){.bundles = 1000000,
		.observations = 8000000,
		.local_ids = 4000000,
		.marks = 1000000};
}

int dataset_new(struct dataset **out, const struct topo *topo, const char *run_id, dtntime base_ms)
{
	struct dataset *d = calloc(1, sizeof *d);
	size_t n_contacts = topo->plan ? topo->plan->n_contacts : 0;

	*out = NULL;
	if (!d)
		return -ENOMEM;
	hash_init(&d->bundles);
	hash_init(&d->locals);
	d->topo = topo;
	d->limits = dataset_limits_default();
	d->rules = bundle_rules_default();
	d->rules.allow_no_primary_crc = d->rules.allow_no_age = d->rules.allow_definite =
		d->rules.allow_short_dtn = d->rules.allow_foreign = true;
	snprintf(d->run_id, sizeof d->run_id, "%s", run_id);
	d->base_ns = NO_TIME;
	if (base_ms && base_ms < TIME_MAX / 1000000 - DTN_EPOCH_UNIX_S * 1000)
		d->base_ns = (int64_t)base_ms * 1000000 + DTN_EPOCH_UNIX_S * 1000000000;
	d->first_ns = d->last_ns = NO_TIME;
	d->contact = calloc(n_contacts + 1, sizeof *d->contact);
	d->direction = calloc(2 * topo->n_links + 1, sizeof *d->direction);
	if (!d->contact || !d->direction) {
		dataset_free(d);
		return -ENOMEM;
	}
	for (size_t k = 0; k < n_contacts; k++)
		d->contact[k] = (struct ds_contact){NO_TIME, NO_TIME, NO_INDEX};
	*out = d;
	return 0;
}

void dataset_free(struct dataset *d)
{
	if (!d)
		return;
	local_free_all(d);
	for (size_t k = 0; k < d->n_bundles; k++) {
		free(d->bundle[k]->src_text);
		free(d->bundle[k]->dst_text);
		free(d->bundle[k]);
	}
	hash_fini(&d->bundles);
	hash_fini(&d->locals);
	free(d->bundle);
	free(d->obs);
	free(d->hop);
	free(d->hop_row);
	free(d->bundle_row);
	free(d->mark);
	free(d->contact);
	free(d->direction);
	free(d);
}

int dataset_frame(struct dataset *d, const struct pcapng_frame *f)
{
	struct frame frame;
	enum frame_kind kind = frame_read(f->bytes, &d->rules, &frame);
	struct ds_obs o = {.hop_count = NO_INDEX,
		.n_queued = NO_INDEX,
		.t_enqueue = NO_TIME,
		.t_tx_end = NO_TIME,
		.planned_arrival = NO_TIME,
		.clock_err_ms = NO_TIME};
	unsigned end;
	const struct topo_link *l;

	d->frames[kind]++;
	d->has_frames = true;
	if (!find_iface(d, f->iface->name, &o.link, &end) || f->direction == PCAPNG_UNKNOWN ||
		f->t_ns > TIME_MAX) {
		d->unknown_ifaces++;
		return 0;
	}
	count_frame(d, o.link, end, f);
	drop_word(f->comment, o.drop);
	if (kind != FRAME_BUNDLE || (o.drop[0] && f->direction == PCAPNG_INBOUND))
		return 0; /* the kernel refused a frame at the receiver's end: it did not come in */
	l = &d->topo->link[o.link];
	o.kind = f->direction == PCAPNG_OUTBOUND ? DS_FRAME_TX : DS_FRAME_RX;
	end ^= o.kind == DS_FRAME_RX; /* now the sender's end */
	o.sender = d->topo->node[end ? l->b : l->a].id;
	o.receiver = d->topo->node[end ? l->a : l->b].id;
	if (o.kind == DS_FRAME_RX && is_copy(f))
		o.kind = DS_FRAME_COPY;
	o.t = f->t_ns;
	/* A capture that counts from lab time 0, not from 1970. */
	if (o.t < DTN_EPOCH_UNIX_S * 1000000000 && d->base_ns != NO_TIME)
		o.t += d->base_ns;
	o.frame = f->number;
	o.frame_bytes = f->full_bytes;
	return observe_bundle(d, &frame.bundle, &o);
}

/* Latches the first error; dataset_line() and dataset_frame() tell it. */
static void *no_room(struct dataset *d, int err)
{
	if (!d->err)
		d->err = err;
	return NULL;
}

struct ds_bundle *dataset_find(const struct dataset *d, const struct ds_bundle *id)
{
	struct hash_node *n = hash_find(&d->bundles, bundle_hash(id), same_bundle, id);

	return n ? container_of_bundle(n) : NULL;
}

struct ds_bundle *dataset_bundle(struct dataset *d, const struct ds_bundle *id)
{
	uint64_t hash = bundle_hash(id);
	struct ds_bundle *b = dataset_find(d, id);

	if (b)
		return b;
	if (d->n_bundles == d->limits.bundles)
		return no_room(d, -E_LIMIT);
	if (local_grow((void **)&d->bundle, &d->cap_bundles, d->n_bundles, sizeof *d->bundle) < 0)
		return no_room(d, -ENOMEM);
	b = calloc(1, sizeof *b);
	if (!b)
		return no_room(d, -ENOMEM);
	*b = (struct ds_bundle){.src_node = id->src_node,
		.src_service = id->src_service,
		.created_ms = id->created_ms,
		.seq = id->seq,
		.is_fragment = id->is_fragment,
		.frag_off = id->frag_off,
		.frag_len = id->frag_len,
		.t_sourced = NO_TIME,
		.t_app = NO_TIME,
		.t_delivered = NO_TIME,
		.priority = UINT64_MAX,
		.index = (uint32_t)d->n_bundles};
	if (hash_insert(&d->bundles, &b->in_table, hash) < 0) {
		free(b);
		return no_room(d, -ENOMEM);
	}
	return d->bundle[d->n_bundles++] = b;
}

struct ds_obs *dataset_observe(struct dataset *d, const struct ds_obs *o)
{
	if (d->n_obs == d->limits.observations)
		return no_room(d, -E_LIMIT);
	if (local_grow((void **)&d->obs, &d->cap_obs, d->n_obs, sizeof *d->obs) < 0)
		return no_room(d, -ENOMEM);
	local_saw(d, o->t);
	d->obs[d->n_obs] = *o;
	return &d->obs[d->n_obs++];
}

size_t dataset_print_eid(char *out, size_t cap, const char *text, node_id node, uint64_t service)
{
	struct eid e = eid_ipn(node, service);
	char node_text[EID_TEXT_MAX];
	int n;

	if (!text && !(node & NODE_DTN_BIT))
		return node == NODE_NONE ? (size_t)snprintf(out, cap, "dtn:none")
					 : eid_print(&e, out, cap);
	if (!text)
		node_print(node, node_text, sizeof node_text);
	n = snprintf(out, cap, "%s", text ? text : node_text);
	return n < 0 ? 0 : (size_t)n < cap ? (size_t)n : cap - 1;
}

static bool find_iface(const struct dataset *d, const char *name, uint32_t *link, unsigned *end)
{
	const char *colon = strrchr(name, ':');
	size_t node, n = colon ? (size_t)(colon - name) : 0;

	if (!colon || (node = topo_node_index(d->topo, colon + 1)) == SIZE_MAX)
		return false;
	for (size_t k = 0; k < d->topo->n_links; k++) {
		const struct topo_link *l = &d->topo->link[k];

		if (strncmp(l->name, name, n) != 0 || l->name[n] != '\0' ||
			(l->a != node && l->b != node))
			continue;
		*link = (uint32_t)k;
		*end = l->b == node;
		return true;
	}
	return false;
}

/* Balance of a direction: tx + copied = rx + dropped, by each reason, + in flight at the end. */
static void count_frame(
	struct dataset *d, uint32_t link, unsigned end, const struct pcapng_frame *f)
{
	bool is_rx = f->direction == PCAPNG_INBOUND;
	struct ds_direction *dir = &d->direction[2 * link + (end ^ is_rx)];
	char why[DATASET_WORD_MAX];

	drop_word(f->comment, why);
	if (!is_rx)
		dir->frames_tx++;
	else if (!why[0])
		dir->frames_rx++;
	if (is_rx && is_copy(f))
		dir->frames_copied++;
	if (!why[0])
		return;
	dir->frames_dropped++;
	for (size_t k = 0; k < sizeof dir->drop / sizeof *dir->drop; k++) {
		struct ds_drop *drop = &dir->drop[k];

		if (drop->n && strcmp(drop->why, why) != 0)
			continue;
		memcpy(drop->why, why, sizeof why);
		drop->n++;
		return;
	}
}

static int observe_bundle(struct dataset *d, const struct bundle *b, struct ds_obs *o)
{
	struct ds_bundle id = {.src_node = b->source.node,
		.src_service = b->source.service,
		.created_ms = b->created_ms,
		.seq = b->seq,
		.is_fragment = b->flags & BUNDLE_FRAGMENT};
	struct ds_bundle *s;

	if (id.is_fragment) {
		id.frag_off = b->frag_off;
		id.frag_len = b->payload.n;
	}
	s = dataset_bundle(d, &id);
	if (!s)
		return -E_LIMIT;
	if (!s->in_capture)
		describe(s, b);
	o->bundle = s->index;
	o->custody = b->has_cteb;
	if (b->has_hop)
		o->hop_count = (uint32_t)b->hop_count;
	return dataset_observe(d, o) ? 0 : d->err;
}

/* The first sight of a bundle in the capture tells what it looks like. */
static void describe(struct ds_bundle *s, const struct bundle *b)
{
	s->in_capture = s->has_dst = s->has_shape = s->has_class = true;
	s->dst_node = b->dest.node;
	s->dst_service = b->dest.service;
	s->size_bytes = b->head.n + b->payload.n + b->tail.n;
	s->payload_bytes = b->payload.n;
	s->lifetime_ms = b->lifetime_ms;
	s->crc_type = b->crc_type;
	s->bpsec = bundle_block(b, BLOCK_BIB) || bundle_block(b, BLOCK_BCB);
	s->is_sent_custody = b->has_cteb;
	s->src_text = keep_text(&b->source);
	s->dst_text = keep_text(&b->dest);
}

/* ipn texts are printed when needed; NULL also when there is no memory, which only costs the name. */
static char *keep_text(const struct eid *e)
{
	char text[EID_TEXT_MAX];

	if (e->scheme == EID_SCHEME_IPN || eid_is_null(e))
		return NULL;
	eid_print(e, text, sizeof text);
	return strdup(text);
}

static bool is_copy(const struct pcapng_frame *f)
{
	return view_equal(f->comment, view_text("duplicate"));
}

/* "drop: loss" > "loss"; anything else is no reason. */
static void drop_word(struct view comment, char out[DATASET_WORD_MAX])
{
	static const char lead[] = "drop: ";
	size_t n = sizeof lead - 1, len;

	memset(out, 0, DATASET_WORD_MAX);
	if (comment.n <= n || memcmp(comment.p, lead, n) != 0)
		return;
	len = comment.n - n < DATASET_WORD_MAX - 1 ? comment.n - n : DATASET_WORD_MAX - 1;
	for (size_t k = 0; k < len; k++) {
		char ch = (char)comment.p[n + k];

		out[k] = (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '-' ? ch
											   : '_';
	}
}

static uint64_t bundle_hash(const struct ds_bundle *b)
{
	uint64_t v[] = {b->src_node, b->src_service, b->created_ms, b->seq, b->is_fragment,
		b->frag_off, b->frag_len};

	return hash_u64s((struct hash_key){0x6f776c74, 0x64617461}, v, sizeof v / sizeof *v);
}

static bool same_bundle(const struct hash_node *n, const void *key)
{
	const struct ds_bundle *a = container_of_bundle(n), *b = key;

	return a->src_node == b->src_node && a->src_service == b->src_service &&
	       a->created_ms == b->created_ms && a->seq == b->seq &&
	       a->is_fragment == b->is_fragment && a->frag_off == b->frag_off &&
	       a->frag_len == b->frag_len;
}
