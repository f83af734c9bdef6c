/*
 * control: status as JSON documents, owlt-status(1). Keys keep their names; units are suffixes.
 * One table row a question. Start reading at control_status.
 */
#include "dtn/daemon/daemon.h"

#include "bundle/events.h"

#define BUNDLES_MAX 5000

static void show_summary(struct daemon *d, struct json_writer *w);
static void show_links(struct daemon *d, struct json_writer *w);
static void show_nodes(struct daemon *d, struct json_writer *w);
static void show_bundles(struct daemon *d, struct json_writer *w);
static void show_custody(struct daemon *d, struct json_writer *w);
static void show_tunnels(struct daemon *d, struct json_writer *w);
static void show_plan(struct daemon *d, struct json_writer *w);
static void show_contact_plan(struct daemon *d, struct json_writer *w);

static const struct {
	const char *name;
	void (*show)(struct daemon *d, struct json_writer *w);
} rows[] = {{"", show_summary}, {"links", show_links}, {"nodes", show_nodes},
	{"bundles", show_bundles}, {"custody", show_custody}, {"tunnels", show_tunnels},
	{"plan", show_plan}, {"contact_plan", show_contact_plan}};

int control_status(struct daemon *d, struct view what, struct buf *out)
{
	struct json_writer w = {.out = out};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (!view_equal(what, view_text(rows[i].name)))
			continue;
		jw_object(&w, NULL);
		jw_text(&w, "node", view_text(d->cfg.node.id));
		jw_i64(&w, "t_us", d->now);
		jw_u64(&w, "dtn_ms", node_dtn(d->node, d->now));
		rows[i].show(d, &w);
		jw_object_end(&w);
		return buf_finish(out);
	}
	return -E_UNKNOWN;
}

static void show_counters(struct daemon *d, struct json_writer *w)
{
	jw_object(w, "counters");
	for (unsigned i = 0; i < EV_LAST; i++)
		jw_u64(w, event_row(i)->name, d->trace.count[i]);
	jw_u64(w, "events_lost", d->trace.lost);
	jw_object_end(w);
}

static void show_reasons(struct json_writer *w, const char *key, const uint64_t *count,
	const char *(*word)(unsigned reason))
{
	unsigned n = word == rule_name ? RULES : WHY_LAST;

	jw_object(w, key);
	for (unsigned i = 0; i < n; i++)
		if (count[i])
			jw_u64(w, word(i), count[i]);
	jw_object_end(w);
}

static void show_summary(struct daemon *d, struct json_writer *w)
{
	struct node_stats s;

	eventlog_drain(d); /* counters and reasons of one moment */
	node_stats(d->node, &s);
	jw_bool(w, "ready", !d->is_ending && !s.store.is_closed);
	jw_bool(w, "lab", d->clock.is_lab);
	jw_double(w, "speed", d->clock.speed);
	jw_u64(w, "n_links", d->cfg.node.n_links);
	jw_u64(w, "n_bundles", s.n_bundles);
	jw_u64(w, "n_queued", s.n_queued);
	jw_u64(w, "n_waiting", s.n_waiting);
	jw_u64(w, "n_for_apps", s.n_for_apps);
	jw_u64(w, "n_custody_held", s.n_custody_held);
	jw_u64(w, "n_custody_sent", s.n_custody_sent);
	jw_u64(w, "n_custody_damaged", s.n_custody_damaged);
	jw_u64(w, "n_tombstones", s.n_tombstones);
	jw_u64(w, "n_pairs", s.n_pairs);
	jw_u64(w, "n_forgotten", s.n_forgotten);
	jw_u64(w, "n_sends_idle", d->n_sends_idle);
	jw_u64(w, "n_unanswered", s.n_unanswered);
	jw_object(w, "store");
	jw_u64(w, "n_bundles", s.store.n_bundles);
	jw_u64(w, "stored_bytes", s.store.bytes);
	jw_u64(w, "n_rows", s.store.n_rows);
	jw_u64(w, "staged_bytes", s.store.staged_bytes);
	jw_u64(w, "n_batches", s.store.batches);
	jw_u64(w, "n_commits_failed", s.store.commits_failed);
	jw_u64(w, "n_damaged", s.store.n_damaged);
	jw_u64(w, "n_quarantined", s.store.n_quarantined);
	jw_u64(w, "boot", s.store.boot);
	jw_u64(w, "free_bytes", s.store.free_bytes);
	jw_bool(w, "disk_short", s.store.is_short);
	jw_bool(w, "closed", s.store.is_closed);
	jw_object_end(w);
	show_counters(d, w);
	show_reasons(w, "rejected", d->reasons.rejected, rule_name);
	show_reasons(w, "refused", d->reasons.refused, why_name);
	show_reasons(w, "ignored", d->reasons.ignored, why_name);
	show_reasons(w, "security", d->reasons.security, why_name);
}

static void put_time(struct json_writer *w, const char *key, mono at)
{
	if (at == MONO_NEVER)
		jw_null(w, key);
	else
		jw_i64(w, key, at);
}

static void show_links(struct daemon *d, struct json_writer *w)
{
	jw_array(w, "links");
	for (unsigned i = 0; i < d->cfg.node.n_links; i++) {
		const struct node_link_cfg *l = &d->cfg.node.link[i];
		struct node_link_stats s;

		node_link_stats(d->node, i, &s);
		jw_object(w, NULL);
		jw_text(w, "name", view_text(l->name));
		jw_text(w, "peer", view_text(l->peer));
		jw_text(w, "cl", view_text(l->cl));
		jw_bool(w, "tx_open", s.tx_open);
		jw_bool(w, "rx_open", s.rx_open);
		put_time(w, "until_us", s.tx_open ? s.until : MONO_NEVER);
		jw_u64(w, "n_queued", s.n_queued);
		jw_u64(w, "frames_tx", s.frames_tx);
		jw_u64(w, "frames_rx", s.frames_rx);
		jw_u64(w, "bundles_tx", s.bundles_tx);
		jw_u64(w, "bundles_rx", s.bundles_rx);
		jw_u64(w, "keepalives_rx", s.keepalives_rx);
		jw_u64(w, "tx_bytes", s.bytes_tx);
		jw_u64(w, "rx_bytes", s.bytes_rx);
		jw_u64(w, "n_blocked", d->link[i].n_blocked);
		jw_object_end(w);
	}
	jw_array_end(w);
}

/* Nodes that are known: neighbours by links, others by the plan. */
static void show_nodes(struct daemon *d, struct json_writer *w)
{
	char text[EID_TEXT_MAX];

	jw_array(w, "neighbours");
	for (unsigned i = 0; i < d->cfg.node.n_links; i++)
		jw_text(w, NULL, view_text(d->cfg.node.link[i].peer));
	jw_array_end(w);
	jw_array(w, "plan_nodes");
	for (size_t i = 0; d->plan && i < d->plan->n_nodes; i++)
		jw_text(w, NULL,
			view_of(text, names_print(&d->names, d->plan->node[i], text, sizeof text)));
	jw_array_end(w);
}

static void put_eid(struct json_writer *w, const char *key, const struct eid *e)
{
	char text[EID_TEXT_MAX];

	jw_text(w, key, view_of(text, eid_print(e, text, sizeof text)));
}

static void show_bundle(struct daemon *d, struct json_writer *w, const struct node_bundle *b)
{
	char text[EID_TEXT_MAX];

	jw_object(w, NULL);
	jw_u64(w, "id", b->id);
	put_eid(w, "source", &b->source);
	put_eid(w, "dest", &b->dest);
	jw_u64(w, "created_ms", b->created_ms);
	jw_u64(w, "seq", b->seq);
	jw_u64(w, "size_bytes", b->size_bytes);
	jw_u64(w, "lifetime_ms", b->lifetime_ms);
	jw_text(w, "state", view_text(b->state));
	if (b->next != NODE_NONE)
		jw_text(w, "next",
			view_of(text, names_print(&d->names, b->next, text, sizeof text)));
	jw_bool(w, "custody", b->custody);
	if (b->custody) {
		jw_u64(w, "custody_seq_id", b->custody_seq_id);
		jw_u64(w, "custody_seq_no", b->custody_seq_no);
	}
	jw_object_end(w);
}

static void list_bundles(struct daemon *d, struct json_writer *w, bool custody_only)
{
	bool (*next)(const struct node *, uint64_t *, struct node_bundle *) =
		custody_only ? node_next_held : node_next_bundle;
	struct node_bundle b;
	uint64_t id = 0, n = 0, most = BUNDLES_MAX;
	struct node_stats s;

	node_stats(d->node, &s);
	if (custody_only && s.n_custody_held + s.n_custody_sent < most)
		most = s.n_custody_held + s.n_custody_sent; /* behind the last one nobody looks */
	jw_array(w, "bundles");
	for (; n < most && next(d->node, &id, &b); n++)
		show_bundle(d, w, &b);
	jw_array_end(w);
	jw_bool(w, "truncated", n == BUNDLES_MAX && next(d->node, &id, &b));
}

static void show_bundles(struct daemon *d, struct json_writer *w)
{
	list_bundles(d, w, false);
}

static void show_custodian(struct daemon *d, struct json_writer *w, const struct custodian_stats *c)
{
	char text[EID_TEXT_MAX] = "others";

	if (c->node != NODE_NONE)
		names_print(&d->names, c->node, text, sizeof text);
	jw_object(w, NULL);
	jw_text(w, "node", view_text(text));
	jw_text(w, "profile", view_text(c->profile));
	jw_text(w, "sequence", view_text(c->sequence));
	jw_text(w, "signals", view_text(c->authenticated ? "authenticated" : "unauthenticated"));
	jw_bool(w, "accept", c->accept);
	jw_bool(w, "passes", c->passes);
	jw_u64(w, "n_held", c->n_held);
	jw_u64(w, "n_awaiting", c->n_awaiting);
	jw_u64(w, "n_taken", c->n_taken);
	jw_u64(w, "n_signals_tx", c->n_signals_tx);
	jw_u64(w, "n_signals_rx", c->n_signals_rx);
	jw_u64(w, "n_not_believed", c->n_not_believed);
	jw_object(w, "declined");
	for (unsigned k = 0; k < WHY_LAST; k++)
		if (c->declined[k])
			jw_u64(w, why_name(k), c->declined[k]);
	jw_object_end(w);
	jw_object_end(w);
}

/* Others only where there are any. */
static void list_custodians(struct daemon *d, struct json_writer *w)
{
	struct custodian_stats c[CUSTODIANS_MAX];
	size_t n = node_custodians(d->node, c);

	jw_array(w, "custodians");
	for (size_t i = 0; i < n; i++)
		if (c[i].node != NODE_NONE || c[i].n_taken || c[i].n_held || c[i].n_awaiting ||
			c[i].n_signals_rx)
			show_custodian(d, w, &c[i]);
	jw_array_end(w);
}

static void show_custody(struct daemon *d, struct json_writer *w)
{
	struct node_stats s;

	node_stats(d->node, &s);
	jw_u64(w, "n_custody_held", s.n_custody_held);
	jw_u64(w, "n_custody_sent", s.n_custody_sent);
	list_custodians(d, w);
	list_bundles(d, w, true);
}

static void show_tunnels(struct daemon *d, struct json_writer *w)
{
	struct tunnel_stats t[BIBE_TUNNELS_MAX];
	size_t n = node_tunnels(d->node, t);
	char text[EID_TEXT_MAX];

	jw_array(w, "tunnels");
	for (size_t i = 0; i < n; i++) {
		jw_object(w, NULL);
		jw_text(w, "to", view_of(text, names_print(&d->names, t[i].to, text, sizeof text)));
		jw_u64(w, "record", t[i].record);
		jw_bool(w, "custody", t[i].custody);
		jw_bool(w, "fallback", t[i].fallback);
		jw_text(w, "answers",
			view_text(t[i].authenticated ? "authenticated" : "unauthenticated"));
		jw_u64(w, "n_queued", t[i].n_queued);
		jw_u64(w, "n_sent", t[i].n_sent);
		jw_u64(w, "n_waiting", t[i].n_waiting);
		jw_u64(w, "n_answered", t[i].n_answered);
		jw_u64(w, "n_refused", t[i].n_refused);
		jw_u64(w, "n_late", t[i].n_late);
		jw_object_end(w);
	}
	jw_array_end(w);
}

static void show_plan(struct daemon *d, struct json_writer *w)
{
	char text[EID_TEXT_MAX];

	jw_array(w, "contacts");
	for (size_t i = 0; d->plan && i < d->plan->n_contacts && i < BUNDLES_MAX; i++) {
		const struct contact *c = &d->plan->contact[i];

		jw_object(w, NULL);
		jw_u64(w, "index", c->index);
		jw_text(w, "from",
			view_of(text, names_print(&d->names, c->from, text, sizeof text)));
		jw_text(w, "to", view_of(text, names_print(&d->names, c->to, text, sizeof text)));
		put_time(w, "start_us", c->start);
		put_time(w, "end_us", c->end);
		jw_u64(w, "rate_bps", c->rate_bps);
		jw_i64(w, "owlt_us", contact_owlt_us(d->plan, c, c->start));
		jw_object_end(w);
	}
	jw_array_end(w);
}

/* All of the plan in its own form, for who searches routes in it: owlt plan routes. */
static void show_contact_plan(struct daemon *d, struct json_writer *w)
{
	jw_i64(w, "plan_now_us", d->now - d->plan_zero);
	jw_bool(w, "margin_sabr", d->cfg.node.margin_sabr);
	if (!d->plan) {
		jw_null(w, "plan");
		return;
	}
	plan_write_json(d->plan, "plan", w);
}
