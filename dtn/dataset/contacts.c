/*
 * contacts: contacts.csv and what the other tables need of contacts: sums over their hops, whether each
 * came up, and the oracles (earliest arrival over the plan, and over the contacts as they came up).
 *
 * Invariant: history columns count only contacts that had ended, by plan, when this one began.
 */
#include "dtn/dataset/tables.h"

#include <stdlib.h>

/* Of larger plans no history is made: it costs the square of the contacts. */
#define HISTORY_CONTACTS_MAX 20000u

struct history {
	uint64_t up, down;
};

static void sum_hops(struct tables *t);
static void judge_up(struct tables *t);
static int make_oracles(struct tables *t);
static int copy_plan(const struct plan *p, struct plan **out);
static void fill_state(const struct tables *t, size_t k, struct row *r);
static void fill_traffic(const struct contact_sum *s, struct row *r);
static void fill_history(const struct tables *t, size_t k, struct row *r);
static void fill_truth(const struct tables *t, const struct contact *c, struct row *r);
static int64_t lab_ns(const struct tables *t, mono at);

int tables_init(struct tables *t, const struct dataset *d)
{
	size_t n = d->topo->plan ? d->topo->plan->n_contacts : 0;

	*t = (struct tables){.d = d, .sum = calloc(n + 1, sizeof *t->sum)};
	if (!t->sum)
		return -ENOMEM;
	if (n == 0)
		return 0;
	sum_hops(t);
	judge_up(t);
	return make_oracles(t);
}

void tables_fini(struct tables *t)
{
	free(t->sum);
	if (t->planned)
		t->planned->ops->free(t->planned);
	if (t->actual)
		t->actual->ops->free(t->actual);
	if (t->actual_plan) {
		free(t->actual_plan->contact);
		free((void *)t->actual_plan->by_from);
		free(t->actual_plan);
	}
	*t = (struct tables){0};
}

void contacts_row(const struct tables *t, size_t k, struct row *r)
{
	const struct plan *p = t->d->topo->plan;
	const struct contact *c = &p->contact[k];

	row_text(r, contacts_run_id, t->d->run_id);
	row_u64(r, contacts_period_no, 0);
	row_u64(r, contacts_contact_id, c->index);
	row_u64(r, contacts_plan_version, 1);
	row_node(r, contacts_src_node, t->d->topo, c->from);
	row_node(r, contacts_dst_node, t->d->topo, c->to);
	row_time(r, contacts_t_start_plan_ns, lab_ns(t, c->start));
	row_time(r, contacts_t_end_plan_ns, lab_ns(t, c->end));
	row_u64(r, contacts_rate_bps_plan, c->rate_bps);
	row_f64(r, contacts_owlt_ms, (double)contact_owlt_us(p, c, c->start) / 1e3);
	row_text(r, contacts_kind, "planned");
	row_text(r, contacts_cl, "udp");
	row_f64(r, contacts_planned_confidence, c->confidence);
	fill_state(t, k, r);
	fill_traffic(&t->sum[k], r);
	if (p->n_contacts <= HISTORY_CONTACTS_MAX)
		fill_history(t, k, r);
	fill_truth(t, c, r);
}

static void sum_hops(struct tables *t)
{
	const struct dataset *d = t->d;

	for (size_t k = 0; k < d->topo->plan->n_contacts; k++)
		t->sum[k].first_tx = t->sum[k].last_tx = NO_TIME;
	for (size_t k = 0; k < d->n_hops; k++) {
		const struct ds_hop *h = &d->hop[d->hop_row[k]];
		const struct ds_obs *tx = &d->obs[h->tx];
		struct contact_sum *s = h->contact ? &t->sum[h->contact - 1] : NULL;

		if (!s)
			continue;
		s->bytes_tx += tx->frame_bytes;
		s->bundles_tx++;
		s->bundles_retx += h->attempt_no > 1;
		if (h->rx != NO_INDEX) {
			s->bytes_rx += tx->frame_bytes;
			s->bundles_rx++;
		}
		if (s->first_tx == NO_TIME)
			s->first_tx = tx->t;
		s->last_tx = tx->t;
		if (tx->drop[0] && !s->first_drop)
			s->first_drop = tx->drop;
	}
}

/* Up: the log says so, or something came through. Down: it was over and its sender's log is silent. */
static void judge_up(struct tables *t)
{
	const struct plan *p = t->d->topo->plan;

	for (size_t k = 0; k < p->n_contacts; k++) {
		bool has_begun =
			t->d->last_ns != NO_TIME && lab_ns(t, p->contact[k].start) <= t->d->last_ns;

		if (t->d->contact[k].t_up != NO_TIME || t->sum[k].bundles_rx > 0)
			t->sum[k].is_up = 1;
		else
			t->sum[k].is_up = t->d->has_log && has_begun ? 0 : -1;
	}
}

static int make_oracles(struct tables *t)
{
	const struct plan *p = t->d->topo->plan;
	int r;

	t->planned = route_cpr_new(p, false);
	if (!t->planned)
		return -ENOMEM;
	if (!t->d->has_log)
		return 0;
	r = copy_plan(p, &t->actual_plan);
	if (r < 0)
		return r;
	for (size_t k = 0; k < p->n_contacts; k++) {
		struct contact *c = &t->actual_plan->contact[k];
		const struct ds_contact *log = &t->d->contact[k];

		if (t->sum[k].is_up == 0)
			c->end = c->start;
		if (log->t_up != NO_TIME && (log->t_up - t->d->base_ns) / 1000 > c->start)
			c->start = (log->t_up - t->d->base_ns) / 1000;
		if (c->start > c->end)
			c->start = c->end;
	}
	t->actual = route_cpr_new(t->actual_plan, false);
	return t->actual ? 0 : -ENOMEM;
}

/* Contacts of its own, all else borrowed; the order by node stays good enough: starts move only later. */
static int copy_plan(const struct plan *p, struct plan **out)
{
	struct plan *q = malloc(sizeof *q);
	struct contact *contact = calloc(p->n_contacts, sizeof *contact);
	const struct contact **by_from = calloc(p->n_contacts, sizeof *by_from);

	if (!q || !contact || !by_from) {
		free(q);
		free(contact);
		free((void *)by_from);
		return -ENOMEM;
	}
	*q = *p;
	memcpy(contact, p->contact, p->n_contacts * sizeof *contact);
	for (size_t k = 0; k < p->n_contacts; k++)
		by_from[k] = contact + (p->by_from[k] - p->contact);
	q->contact = contact;
	q->by_from = by_from;
	*out = q;
	return 0;
}

static void fill_state(const struct tables *t, size_t k, struct row *r)
{
	const struct contact *c = &t->d->topo->plan->contact[k];
	const struct ds_contact *log = &t->d->contact[k];
	int64_t start = lab_ns(t, c->start);

	row_time(r, contacts_t_up_ns, log->t_up);
	row_time(r, contacts_t_down_ns, log->t_down);
	if (t->sum[k].is_up >= 0)
		row_u64(r, contacts_up, (uint64_t)t->sum[k].is_up);
	if (log->t_up == NO_TIME)
		return;
	row_f64(r, contacts_detect_ms, (double)(log->t_up - start) / 1e6);
	if (log->t_down != NO_TIME && c->end != MONO_NEVER && c->end > c->start)
		row_f64(r, contacts_up_frac,
			(double)(log->t_down - log->t_up) / 1e3 / (double)(c->end - c->start));
}

static void fill_traffic(const struct contact_sum *s, struct row *r)
{
	if (s->first_drop)
		row_text(r, contacts_first_fail_reason, s->first_drop);
	row_u64(r, contacts_bytes_tx, s->bytes_tx);
	row_u64(r, contacts_bytes_rx, s->bytes_rx);
	row_u64(r, contacts_bundles_tx, s->bundles_tx);
	row_u64(r, contacts_bundles_retx, s->bundles_retx);
	if (s->bundles_tx > 0)
		row_f64(r, contacts_loss_ratio,
			1.0 - (double)s->bundles_rx / (double)s->bundles_tx);
	if (s->bundles_tx > 1 && s->last_tx > s->first_tx)
		row_f64(r, contacts_rate_bps_obs,
			(double)s->bytes_tx * 8e9 / (double)(s->last_tx - s->first_tx));
}

static void fill_history(const struct tables *t, size_t k, struct row *r)
{
	const struct plan *p = t->d->topo->plan;
	const struct contact *c = &p->contact[k];
	struct history pair = {0}, src = {0}, dst = {0}, all = {0};
	mono last_end = -1, last_up = -1;
	int last_state = -1;

	for (size_t i = 0; i < p->n_contacts; i++) {
		const struct contact *e = &p->contact[i];
		bool is_pair = e->from == c->from && e->to == c->to;
		int up = t->sum[i].is_up;

		if (e->end > c->start || up < 0)
			continue;
		*(up ? &all.up : &all.down) += 1;
		if (e->from == c->from)
			*(up ? &src.up : &src.down) += 1;
		if (e->to == c->to)
			*(up ? &dst.up : &dst.down) += 1;
		if (!is_pair)
			continue;
		*(up ? &pair.up : &pair.down) += 1;
		if (up && e->end > last_up)
			last_up = e->end;
		if (e->end > last_end) {
			last_end = e->end;
			last_state = up;
		}
	}
	row_u64(r, contacts_hist_up_pair_before, pair.up);
	row_u64(r, contacts_hist_down_pair_before, pair.down);
	row_u64(r, contacts_hist_up_src_before, src.up);
	row_u64(r, contacts_hist_down_src_before, src.down);
	row_u64(r, contacts_hist_up_dst_before, dst.up);
	row_u64(r, contacts_hist_down_dst_before, dst.down);
	row_u64(r, contacts_hist_up_global_before, all.up);
	row_u64(r, contacts_hist_down_global_before, all.down);
	if (last_state >= 0)
		row_u64(r, contacts_last_up_pair, (uint64_t)last_state);
	if (last_up >= 0)
		row_f64(r, contacts_since_last_up_s, (double)(c->start - last_up) / 1e6);
}

/* What the topology makes of the link: the emulator's and the simulator's settings. */
static void fill_truth(const struct tables *t, const struct contact *c, struct row *r)
{
	const struct topo *topo = t->d->topo;

	row_f64(r, contacts_truth_delay_ms, (double)contact_owlt_us(topo->plan, c, c->start) / 1e3);
	row_u64(r, contacts_truth_rate_bps, c->rate_bps);
	row_f64(r, contacts_truth_p_up, c->confidence);
	for (size_t k = 0; k < topo->n_links; k++) {
		const struct topo_link *l = &topo->link[k];
		node_id a = topo->node[l->a].id, b = topo->node[l->b].id;
		const struct link_params *q = a == c->from && b == c->to   ? &l->a_to_b
					      : b == c->from && a == c->to ? &l->b_to_a
									   : NULL;

		if (!q)
			continue;
		if (q->loss == LOSS_GILBERT) /* of the time in each state */
			row_f64(r, contacts_truth_loss,
				(q->ge_r * q->ge_good + q->ge_p * q->ge_bad) /
					(q->ge_p + q->ge_r > 0 ? q->ge_p + q->ge_r : 1));
		else
			row_f64(r, contacts_truth_loss, q->loss == LOSS_UNIFORM ? q->loss_p : 0);
	}
}

static int64_t lab_ns(const struct tables *t, mono at)
{
	if (t->d->base_ns == NO_TIME || at == MONO_NEVER || at > (INT64_MAX - t->d->base_ns) / 1000)
		return NO_TIME;
	return t->d->base_ns + at * 1000;
}
