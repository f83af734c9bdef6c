/*
 * hops: hops.csv and bundles.csv, from the joined hops. Columns that a capture can't tell are set from
 * the sender's log line, so they stay empty without one; all others come out the same with and without
 * the logs. Start at hops_row; the path of a bundle is walked back from its first arrival.
 */
#include "dtn/dataset/tables.h"

#include "dtn/dataset/uid.h"

#include <stdio.h>

/* The columns that describe a bundle lie in the same order in both tables. */
#define DESCRIBED(name) ((unsigned)bundles_##name - (unsigned)bundles_bundle_uid)

static void describe(
	const struct tables *t, const struct ds_bundle *b, unsigned first, struct row *r);
static void fill_times(const struct dataset *d, const struct ds_hop *h, struct row *r);
static void fill_log(const struct ds_obs *log, struct row *r);
static void fill_end(const struct ds_bundle *b, struct row *r);
static void fill_path(const struct tables *t, const struct ds_bundle *b, struct row *r);
static void fill_oracles(const struct tables *t, const struct ds_bundle *b, struct row *r);
static const struct ds_hop *arrival(
	const struct dataset *d, const struct ds_bundle *b, node_id at, int64_t by);
static bool oracle(struct route *route, const struct dataset *d, const struct ds_bundle *b,
	int64_t t0, double *ms);
static int64_t created_ns(const struct ds_bundle *b);

void hops_row(const struct tables *t, size_t k, struct row *r)
{
	const struct dataset *d = t->d;
	const struct ds_hop *h = &d->hop[d->hop_row[k]];
	const struct ds_obs *tx = &d->obs[h->tx],
			    *log = h->log == NO_INDEX ? NULL : &d->obs[h->log];
	const struct ds_bundle *b = d->bundle[tx->bundle];
	const struct ds_hop *in;

	row_text(r, hops_run_id, d->run_id);
	describe(t, b, hops_bundle_uid, r);
	row_u64(r, hops_attempt_no, h->attempt_no);
	row_node(r, hops_node, d->topo, tx->sender);
	if (tx->sender != b->src_node && (in = arrival(d, b, tx->sender, tx->t)))
		row_node(r, hops_prev_node, d->topo, d->obs[in->tx].sender);
	row_node(r, hops_next_node, d->topo, tx->receiver);
	if (h->contact)
		row_u64(r, hops_contact_id, h->contact);
	fill_times(d, h, r);
	row_text(r, hops_outcome, tx->drop[0] ? "lost" : "sent");
	row_u64(r, hops_rx_truth, h->rx != NO_INDEX);
	row_text(r, hops_refuse_reason, tx->drop);
	row_u64(r, hops_retx, h->attempt_no > 1);
	if (b->has_class && b->created_ms)
		row_i64(r, hops_residual_lifetime_ms,
			(int64_t)b->lifetime_ms - (tx->t - created_ns(b)) / 1000000);
	if (tx->hop_count != NO_INDEX)
		row_u64(r, hops_hop_count, tx->hop_count);
	row_u64(r, hops_custody, tx->custody);
	if (tx->kind == DS_FRAME_TX) {
		row_text(r, hops_pcap_file, "frames.pcapng");
		row_u64(r, hops_pcap_frame, tx->frame);
	}
	if (log)
		fill_log(log, r);
}

void bundles_row(const struct tables *t, size_t k, struct row *r)
{
	const struct dataset *d = t->d;
	const struct ds_bundle *b = d->bundle[d->bundle_row[k]];

	row_text(r, bundles_run_id, d->run_id);
	describe(t, b, bundles_bundle_uid, r);
	row_u64(r, bundles_n_tx_total, b->n_hops);
	row_u64(r, bundles_n_copies, b->n_receivers);
	row_u64(r, bundles_n_dup, b->n_rx - b->n_receivers);
	row_text(r, bundles_end_reason, b->end_reason);
	fill_end(b, r);
	fill_path(t, b, r);
	fill_oracles(t, b, r);
}

static void describe(
	const struct tables *t, const struct ds_bundle *b, unsigned first, struct row *r)
{
	char text[EID_TEXT_MAX], uid[UID_HEX];

	dataset_print_eid(text, sizeof text, b->src_text, b->src_node, b->src_service);
	if (uid_make(&(struct uid_of){text, b->created_ms, b->seq, b->is_fragment, b->frag_off,
			     b->frag_len},
		    uid) == 0)
		row_text(r, first, uid);
	row_u64(r, first + DESCRIBED(src_node), b->src_node);
	row_text(r, first + DESCRIBED(src_eid), text);
	if (b->has_dst) {
		dataset_print_eid(text, sizeof text, b->dst_text, b->dst_node, b->dst_service);
		row_u64(r, first + DESCRIBED(dst_node), b->dst_node);
		row_text(r, first + DESCRIBED(dst_eid), text);
		row_u64(r, first + DESCRIBED(service), b->dst_service);
	}
	row_u64(r, first + DESCRIBED(creation_ms), b->created_ms);
	row_u64(r, first + DESCRIBED(seq), b->seq);
	if (b->is_fragment)
		row_u64(r, first + DESCRIBED(frag_off), b->frag_off);
	if (b->has_class) {
		row_u64(r, first + DESCRIBED(lifetime_ms), b->lifetime_ms);
		row_u64(r, first + DESCRIBED(crc_type), b->crc_type);
	}
	if (b->has_shape) {
		row_u64(r, first + DESCRIBED(size_b), b->size_bytes);
		row_u64(r, first + DESCRIBED(payload_b), b->payload_bytes);
	}
	if (b->priority != UINT64_MAX)
		row_u64(r, first + DESCRIBED(priority), b->priority);
	if (t->d->has_frames && b->in_capture)
		row_u64(r, first + DESCRIBED(bpsec), b->bpsec);
}

static void fill_times(const struct dataset *d, const struct ds_hop *h, struct row *r)
{
	row_time(r, hops_t_tx_start_ns, d->obs[h->tx].t);
	if (h->rx != NO_INDEX)
		row_time(r, hops_t_rx_peer_ns, d->obs[h->rx].t);
}

static void fill_log(const struct ds_obs *log, struct row *r)
{
	row_time(r, hops_t_enqueue_ns, log->t_enqueue);
	row_time(r, hops_t_decide_ns, log->t);
	row_time(r, hops_t_tx_end_ns, log->t_tx_end);
	row_time(r, hops_planned_arrival_ns, log->planned_arrival);
	if (log->n_queued != NO_INDEX)
		row_u64(r, hops_queue_pos, log->n_queued);
	if (log->clock_err_ms != NO_TIME)
		row_i64(r, hops_clock_err_ms, log->clock_err_ms);
}

static void fill_end(const struct ds_bundle *b, struct row *r)
{
	row_u64(r, bundles_delivered, b->t_delivered != NO_TIME);
	row_time(r, bundles_t_delivered_ns, b->t_delivered);
	if (b->t_delivered != NO_TIME && b->created_ms)
		row_f64(r, bundles_e2e_delay_ms, (double)(b->t_delivered - created_ns(b)) / 1e6);
}

/* Backwards: the arrival at the destination, then at each sender the first arrival before it sent. */
static void fill_path(const struct tables *t, const struct ds_bundle *b, struct row *r)
{
	const struct ds_hop *way[PATH_NODES_MAX];
	char path[PATH_NODES_MAX * 24] = "", contacts[PATH_NODES_MAX * 12] = "";
	unsigned n = 0, at = 0, at_contact = 0, planned = 0;
	node_id node = b->dst_node;
	int64_t by = INT64_MAX;

	if (!b->has_dst || b->t_delivered == NO_TIME)
		return;
	while (n < PATH_NODES_MAX && node != b->src_node && (way[n] = arrival(t->d, b, node, by))) {
		by = t->d->obs[way[n]->tx].t;
		node = t->d->obs[way[n++]->tx].sender;
	}
	if (node != b->src_node || n == 0)
		return;
	row_u64(r, bundles_hops, n);
	at = (unsigned)snprintf(path, sizeof path, "%llu", (unsigned long long)b->src_node);
	for (unsigned k = n; k-- > 0; planned += way[k]->contact != 0) {
		at += (unsigned)snprintf(path + at, sizeof path - at, ">%llu",
			(unsigned long long)t->d->obs[way[k]->tx].receiver);
		at_contact +=
			(unsigned)snprintf(contacts + at_contact, sizeof contacts - at_contact,
				"%s%u", k == n - 1 ? "" : ">", way[k]->contact);
	}
	row_text(r, bundles_path, path);
	if (planned == n)
		row_text(r, bundles_contact_path, contacts);
}

/* The attempt that brought a bundle to a node first, if it came before `by`. */
static const struct ds_hop *arrival(
	const struct dataset *d, const struct ds_bundle *b, node_id at, int64_t by)
{
	const struct ds_hop *first = NULL;

	for (uint32_t k = b->first_hop; k < b->first_hop + b->n_hops; k++) {
		const struct ds_hop *h = &d->hop[k];

		if (h->rx == NO_INDEX || d->obs[h->rx].receiver != at || d->obs[h->rx].t > by)
			continue;
		if (!first || d->obs[h->rx].t < d->obs[first->rx].t)
			first = h;
	}
	return first;
}

static void fill_oracles(const struct tables *t, const struct ds_bundle *b, struct row *r)
{
	int64_t t0 = created_ns(b);
	double ms;

	if (!b->created_ms || !b->has_dst)
		return;
	if (oracle(t->planned, t->d, b, t0, &ms))
		row_f64(r, bundles_plan_oracle_delay_ms, ms);
	if (!oracle(t->actual, t->d, b, t0, &ms))
		return;
	row_f64(r, bundles_actual_oracle_delay_ms, ms);
	if (b->t_delivered != NO_TIME)
		row_f64(r, bundles_regret_ms, (double)(b->t_delivered - t0) / 1e6 - ms);
}

static bool oracle(struct route *route, const struct dataset *d, const struct ds_bundle *b,
	int64_t t0, double *ms)
{
	mono from = d->base_ns == NO_TIME ? 0 : (t0 - d->base_ns) / 1000, arrives;

	if (!route || d->base_ns == NO_TIME || from < 0)
		return false;
	arrives = route->ops->earliest(route, b->src_node, b->dst_node, from);
	*ms = (double)(arrives - from) / 1e3;
	return arrives != MONO_NEVER;
}

static int64_t created_ns(const struct ds_bundle *b)
{
	return b->created_ms > INT64_MAX / 4000000
		       ? 0
		       : (int64_t)b->created_ms * 1000000 + DTN_EPOCH_UNIX_S * 1000000000;
}
