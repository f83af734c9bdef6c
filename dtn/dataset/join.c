/*
 * join: observations into hop attempts. All observations of one bundle between one sender and one
 * receiver are a group; in it the k-th transmission is attempt k. Receptions are laid in order beside
 * the transmissions that were not dropped, and the log's forwards beside the captured frames; where
 * the numbers differ (the network duplicated a frame; a killed node did not write its last lines) the
 * nearest in time belong together.
 *
 * Invariant: with a capture the attempts are the captured frames, so they are the same without a log.
 */
#include "dtn/dataset/local.h"

#include <stdlib.h>

/* The observations of a group by kind; kinds are contiguous after sorting. */
struct group {
	struct ds_obs *obs;
	size_t first[DS_LOG_RX + 2]; /* kind k: first[k] .. first[k + 1] */
};

/* Hops of a group from `hop` on, and the observations that are to be laid beside them. */
struct pairing {
	bool is_rx; /* else log lines of the sender */
	size_t hop, hops_left;
	size_t obs, end;
};

static int by_group(const void *a, const void *b);
static void join_group(struct dataset *d, size_t from, size_t to);
static void match_rx(struct dataset *d, const struct group *g, enum ds_kind rx, size_t first_hop);
static void match_log(struct dataset *d, const struct group *g, size_t first_hop);
static void pair_up(struct dataset *d, struct pairing *p);
static size_t next_hop(const struct dataset *d, const struct pairing *p, size_t k);
static int64_t distance(const struct dataset *d, size_t obs, int64_t t);
static size_t nearest(const struct dataset *d, size_t from, size_t to, int64_t t);
static int64_t expected(const struct dataset *d, const struct pairing *p, size_t hop);
static uint32_t contact_at(const struct dataset *d, const struct ds_obs *tx);
static int finish_bundles(struct dataset *d);
static void finish_cut(struct dataset *d, const struct ds_bundle *part);
static int finish_receivers(struct dataset *d, struct ds_bundle *b, size_t from, size_t to);
static int by_bundle_time(const void *a, const void *b, void *dataset);
static int by_time(const void *a, const void *b, void *dataset);
static int by_creation(const void *a, const void *b, void *dataset);
static int by_receiver(const void *a, const void *b);

int dataset_join(struct dataset *d)
{
	size_t from = 0;

	if (d->n_obs)
		qsort(d->obs, d->n_obs, sizeof *d->obs, by_group);
	d->hop = calloc(d->n_obs + 1, sizeof *d->hop);
	d->hop_row = calloc(d->n_obs + 1, sizeof *d->hop_row);
	d->bundle_row = calloc(d->n_bundles + 1, sizeof *d->bundle_row);
	if (!d->hop || !d->hop_row || !d->bundle_row)
		return -ENOMEM;
	for (size_t k = 1; k <= d->n_obs; k++) {
		const struct ds_obs *a = &d->obs[from], *b = &d->obs[k];

		if (k < d->n_obs && a->bundle == b->bundle && a->sender == b->sender &&
			a->receiver == b->receiver)
			continue;
		join_group(d, from, k);
		from = k;
	}
	qsort_r(d->hop, d->n_hops, sizeof *d->hop, by_bundle_time, d);
	for (size_t k = 0; k < d->n_hops; k++)
		d->hop_row[k] = (uint32_t)k;
	qsort_r(d->hop_row, d->n_hops, sizeof *d->hop_row, by_time, d);
	if (finish_bundles(d) != 0)
		return -ENOMEM;
	for (size_t k = 0; k < d->n_bundles; k++)
		d->bundle_row[k] = (uint32_t)k;
	qsort_r(d->bundle_row, d->n_bundles, sizeof *d->bundle_row, by_creation, d);
	return 0;
}

struct dataset_traffic dataset_traffic(const struct dataset *d, uint32_t link, node_id sender)
{
	struct dataset_traffic n = {0};
	uint32_t last = NO_INDEX;

	for (size_t k = 0; k < d->n_hops; k++) { /* by bundle */
		const struct ds_obs *tx = &d->obs[d->hop[k].tx];

		if (tx->link != link || tx->sender != sender)
			continue;
		n.hops++;
		n.distinct += tx->bundle != last;
		last = tx->bundle;
	}
	return n;
}

/* What left becomes hops; receptions and log lines are then attached. */
static void join_group(struct dataset *d, size_t from, size_t to)
{
	enum ds_kind tx = d->has_frames ? DS_FRAME_TX : DS_LOG_TX;
	enum ds_kind rx = d->has_frames ? DS_FRAME_RX : DS_LOG_RX;
	struct group g = {.obs = d->obs};
	size_t k = from, first_hop = d->n_hops;

	for (unsigned kind = 0; kind <= DS_LOG_RX + 1; kind++) {
		while (k < to && d->obs[k].kind < kind)
			k++;
		g.first[kind] = k;
	}
	for (k = g.first[tx]; k < g.first[tx + 1]; k++)
		d->hop[d->n_hops++] = (struct ds_hop){.tx = (uint32_t)k,
			.rx = NO_INDEX,
			.log = NO_INDEX,
			.attempt_no = (uint32_t)(k - g.first[tx] + 1),
			.contact = contact_at(d, &d->obs[k])};
	match_rx(d, &g, rx, first_hop);
	if (d->has_frames)
		match_log(d, &g, first_hop);
	else
		for (k = first_hop; k < d->n_hops; k++)
			d->hop[k].log = d->hop[k].tx;
	if (d->n_hops == first_hop && g.first[rx + 1] > g.first[rx])
		d->rx_unmatched += g.first[rx + 1] - g.first[rx];
}

/* Receptions go to transmissions that were not dropped, each expected a light time after it left. */
static void match_rx(struct dataset *d, const struct group *g, enum ds_kind rx, size_t first_hop)
{
	size_t left = 0;

	for (size_t k = first_hop; k < d->n_hops; k++)
		left += !d->obs[d->hop[k].tx].drop[0];
	pair_up(d, &(struct pairing){.is_rx = true,
			   .hop = first_hop,
			   .hops_left = left,
			   .obs = g->first[rx],
			   .end = g->first[rx + 1]});
}

static void match_log(struct dataset *d, const struct group *g, size_t first_hop)
{
	size_t n_logs = g->first[DS_LOG_TX + 1] - g->first[DS_LOG_TX],
	       n_hops = d->n_hops - first_hop;

	if (n_logs > n_hops)
		d->log_only += n_logs - n_hops;
	pair_up(d, &(struct pairing){.hop = first_hop,
			   .hops_left = n_hops,
			   .obs = g->first[DS_LOG_TX],
			   .end = g->first[DS_LOG_TX + 1]});
}

/* In order on both sides. The longer side skips: observations that another one suits better (the
 * network's duplicates, lines without a frame), or hops whose successor suits the observation better. */
static void pair_up(struct dataset *d, struct pairing *p)
{
	while (p->hops_left > 0 && p->obs < p->end) {
		struct ds_hop *h = &d->hop[p->hop];
		size_t next = next_hop(d, p, p->hop + 1);
		bool skip = false;

		if (p->is_rx && d->obs[h->tx].drop[0]) {
			p->hop = next;
			continue;
		}
		if (p->end - p->obs >= p->hops_left)
			p->obs = nearest(
				d, p->obs, p->end - p->hops_left + 1, expected(d, p, p->hop));
		else
			skip = next < d->n_hops && p->hops_left > 1 &&
			       distance(d, p->obs, expected(d, p, next)) <
				       distance(d, p->obs, expected(d, p, p->hop));
		if (!skip)
			*(p->is_rx ? &h->rx : &h->log) = (uint32_t)p->obs++;
		p->hops_left--;
		p->hop = next;
	}
}

static size_t next_hop(const struct dataset *d, const struct pairing *p, size_t k)
{
	while (k < d->n_hops && p->is_rx && d->obs[d->hop[k].tx].drop[0])
		k++;
	return k;
}

static int64_t distance(const struct dataset *d, size_t obs, int64_t t)
{
	return llabs(d->obs[obs].t - t);
}

static size_t nearest(const struct dataset *d, size_t from, size_t to, int64_t t)
{
	size_t best = from;

	for (size_t k = from + 1; k < to; k++)
		if (distance(d, k, t) < distance(d, best, t))
			best = k;
	return best;
}

/* When the other end of the pairing should have happened. */
static int64_t expected(const struct dataset *d, const struct pairing *p, size_t hop)
{
	const struct ds_obs *tx = &d->obs[d->hop[hop].tx];
	const struct plan *plan = d->topo->plan;
	uint32_t contact = d->hop[hop].contact;

	if (!p->is_rx)
		return tx->t;
	if (contact)
		return tx->t + 1000 * contact_owlt_us(plan, &plan->contact[contact - 1],
					      (tx->t - d->base_ns) / 1000);
	return tx->link == NO_INDEX ? tx->t : tx->t + 1000 * d->topo->link[tx->link].a_to_b.owlt_us;
}

/* The contact that a transmission used; a stamp a little after its end still belongs to it. */
static uint32_t contact_at(const struct dataset *d, const struct ds_obs *tx)
{
	const struct plan *p = d->topo->plan;
	const struct contact *c;

	if (!p || d->base_ns == NO_TIME)
		return 0;
	c = plan_contact_at(p, tx->sender, tx->receiver, (tx->t - d->base_ns) / 1000);
	return c ? c->index : 0;
}

static int finish_bundles(struct dataset *d)
{
	size_t k = 0;

	while (k < d->n_hops) {
		struct ds_bundle *b = d->bundle[d->obs[d->hop[k].tx].bundle];

		b->first_hop = (uint32_t)k;
		while (k < d->n_hops && d->obs[d->hop[k].tx].bundle == b->index)
			k++;
		b->n_hops = (uint32_t)k - b->first_hop;
	}
	for (size_t from = 0, to; from < d->n_obs; from = to) {
		uint32_t bundle = d->obs[from].bundle;

		for (to = from; to < d->n_obs && d->obs[to].bundle == bundle; to++)
			;
		if (finish_receivers(d, d->bundle[bundle], from, to) != 0)
			return -ENOMEM;
	}
	for (k = 0; k < d->n_bundles; k++)
		finish_cut(d, d->bundle[k]);
	for (k = 0; k < d->n_bundles && !d->has_frames; k++) {
		struct ds_bundle *b = d->bundle[k];

		if (b->t_delivered ==
			NO_TIME) /* never on a link: from one application to another */
			b->t_delivered = b->t_app;
	}
	return 0;
}

/* What an application got by the name of its first fragment is the bundle that was cut on the way. */
static void finish_cut(struct dataset *d, const struct ds_bundle *part)
{
	struct ds_bundle whole = *part, *b;

	if (!part->is_fragment || part->t_app == NO_TIME)
		return;
	whole.is_fragment = false;
	whole.frag_off = whole.frag_len = 0;
	b = dataset_find(d, &whole);
	if (!b || (b->t_app != NO_TIME && b->t_app <= part->t_app))
		return;
	b->t_app = part->t_app;
	memcpy(b->end_reason, part->end_reason, sizeof b->end_reason);
}

/* Receivers, duplicates and the first arrival at the destination. */
static int finish_receivers(struct dataset *d, struct ds_bundle *b, size_t from, size_t to)
{
	enum ds_kind rx = d->has_frames ? DS_FRAME_RX : DS_LOG_RX;
	node_id *seen = calloc(to - from, sizeof *seen);

	if (!seen)
		return -ENOMEM;
	for (size_t k = from; k < to; k++) {
		const struct ds_obs *o = &d->obs[k];

		if (o->kind != rx && o->kind != DS_FRAME_COPY)
			continue;
		seen[b->n_rx] = o->receiver;
		b->n_rx++;
		if (b->has_dst && o->receiver == b->dst_node &&
			(b->t_delivered == NO_TIME || o->t < b->t_delivered))
			b->t_delivered = o->t;
	}
	if (b->n_rx)
		qsort(seen, b->n_rx, sizeof *seen, by_receiver);
	for (uint32_t k = 0; k < b->n_rx; k++)
		b->n_receivers += (k == 0 || seen[k] != seen[k - 1]) && seen[k] != b->src_node;
	free(seen);
	return 0;
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_i64(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int by_receiver(const void *a, const void *b)
{
	return compare_u64(*(const node_id *)a, *(const node_id *)b);
}

static int by_group(const void *va, const void *vb)
{
	const struct ds_obs *a = va, *b = vb;
	int c = compare_u64(a->bundle, b->bundle);

	c = c ? c : compare_u64(a->sender, b->sender);
	c = c ? c : compare_u64(a->receiver, b->receiver);
	c = c ? c : compare_u64(a->kind, b->kind);
	c = c ? c : compare_i64(a->t, b->t);
	return c ? c : compare_u64(a->frame, b->frame);
}

static int by_bundle_time(const void *va, const void *vb, void *dataset)
{
	const struct dataset *d = dataset;
	const struct ds_obs *a = &d->obs[((const struct ds_hop *)va)->tx];
	const struct ds_obs *b = &d->obs[((const struct ds_hop *)vb)->tx];
	int c = compare_u64(a->bundle, b->bundle);

	c = c ? c : compare_i64(a->t, b->t);
	return c ? c : compare_u64((uint64_t)(a - d->obs), (uint64_t)(b - d->obs));
}

/* Bundle numbers depend on what was read first, so ties are broken by identity. */
static int by_time(const void *va, const void *vb, void *dataset)
{
	const struct dataset *d = dataset;
	const struct ds_hop *ha = &d->hop[*(const uint32_t *)va],
			    *hb = &d->hop[*(const uint32_t *)vb];
	const struct ds_obs *a = &d->obs[ha->tx], *b = &d->obs[hb->tx];
	int c = compare_i64(a->t, b->t);

	c = c ? c : compare_u64(a->frame, b->frame);
	c = c ? c : compare_u64(a->sender, b->sender);
	c = c ? c : by_creation(&a->bundle, &b->bundle, dataset);
	c = c ? c : compare_u64(a->receiver, b->receiver);
	return c ? c : compare_u64(ha->attempt_no, hb->attempt_no);
}

static int by_creation(const void *va, const void *vb, void *dataset)
{
	const struct dataset *d = dataset;
	const struct ds_bundle *a = d->bundle[*(const uint32_t *)va],
			       *b = d->bundle[*(const uint32_t *)vb];
	int c = compare_u64(a->created_ms, b->created_ms);

	c = c ? c : compare_u64(a->src_node, b->src_node);
	c = c ? c : compare_u64(a->src_service, b->src_service);
	c = c ? c : compare_u64(a->seq, b->seq);
	c = c ? c : compare_u64(a->frag_off, b->frag_off);
	c = c ? c : compare_u64(a->is_fragment, b->is_fragment);
	return c ? c : compare_u64(a->frag_len, b->frag_len);
}
