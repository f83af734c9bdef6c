/*
 * node: wires agent, store, router and layers into one node with the five verbs. What is decided
 * about bundles is in dtn/agent; what is decided about links is in links.c; here is only who calls
 * whom.
 *
 * Start reading at node_new and node_tick.
 */
#include "dtn/node/node_state.h"

#include <assert.h>
#include <stdlib.h>

static int take_id(struct node *n, const struct node_cfg *cfg);
static int make_route(struct node *n, const struct node_cfg *cfg);
static int parse_row(const struct node_route_cfg *cfg, struct static_row *row);
static bool tell_bundle(uint64_t id, const struct agent_bundle *b, struct node_bundle *out);
static int make_agent(struct node *n, const struct node_cfg *cfg, mono now);

int node_new(const struct node_cfg *cfg, const struct node_deps *deps, mono now, struct node **out)
{
	struct node *n = calloc(1, sizeof *n);
	int err;

	*out = NULL;
	if (!n)
		return -ENOMEM;
	n->deps = *deps;
	n->store = deps->store;
	n->trace = deps->trace;
	n->plan = deps->plan;
	n->last_now = now;
	n->room.p = malloc(ROOM_BYTES);
	n->room.cap = ROOM_BYTES;
	err = n->room.p ? take_id(n, cfg) : -ENOMEM;
	if (!err)
		err = make_route(n, cfg);
	if (!err)
		err = make_agent(n, cfg, now);
	if (!err)
		err = links_new(n, cfg, now);
	if (err) {
		node_free(n);
		return err;
	}
	agent_changed(n->agent, now);
	n->is_running = true;
	n->is_due_again = true; /* what the store held may leave at once */
	*out = n;
	return 0;
}

void node_free(struct node *n)
{
	if (!n)
		return;
	if (n->is_running) {
		links_totals(n);
		trace_point(
			n->trace, n->last_now, node_stop, n->is_drained ? WHY_DRAINED : WHY_KILLED);
	}
	links_free(n);
	if (n->agent)
		agent_free(n->agent);
	if (n->route)
		n->route->ops->free(n->route);
	free(n->room.p);
	free(n);
}

mono node_deadline(const struct node *n)
{
	return mono_min(agent_deadline(n->agent), links_deadline(n));
}

void node_tick(struct node *n, mono now)
{
	assert(now >= n->last_now);
	n->last_now = now;
	links_tick(n, now);
	agent_tick(n->agent, now);
}

void node_stored(struct node *n, mono now)
{
	n->last_now = now;
	agent_stored(n->agent, now);
}

bool node_event(struct node *n, struct node_event *ev)
{
	static const enum node_ev types[] = {[AGENT_ACCEPTED] = NODE_ACCEPTED,
		[AGENT_REFUSED] = NODE_REFUSED,
		[AGENT_DELIVERY] = NODE_DELIVERY,
		[AGENT_ACKED] = NODE_ACKED};
	struct agent_event a;

	if (!agent_event(n->agent, n->last_now, &a))
		return false;
	*ev = (struct node_event){.type = types[a.type],
		.request = a.request,
		.registration = a.registration,
		.id = a.id,
		.err = a.err,
		.redelivered = a.redelivered,
		.head = a.head,
		.payload = a.payload,
		.size_bytes = a.size_bytes,
		.source = a.source,
		.created_ms = a.created_ms,
		.seq = a.seq,
		.report_id = a.report_id,
		.report_no = a.report_no};
	return true;
}

static struct agent_send agent_send_of(const struct node_send *s)
{
	return (struct agent_send){.source = s->source,
		.dest = s->dest,
		.report_to = s->report_to,
		.flags = s->flags,
		.lifetime_ms = s->lifetime_ms,
		.priority = s->priority,
		.custody = s->custody,
		.compressed = s->compressed,
		.custody_reports = s->custody_reports,
		.crc_type = s->crc_type,
		.payload = s->payload,
		.n_payload = s->n_payload,
		.registration = s->registration};
}

int node_send(struct node *n, mono now, const struct node_send *s, uint64_t *request)
{
	struct agent_send a = agent_send_of(s);

	n->last_now = now;
	return agent_send(n->agent, now, &a, request);
}

int node_send_open(
	struct node *n, mono now, const struct node_send *s, uint64_t total, uint64_t *request)
{
	struct agent_send a = agent_send_of(s);

	n->last_now = now;
	return agent_send_open(n->agent, now, &a, total, request);
}

int node_send_part(struct node *n, mono now, uint64_t request, struct view *part)
{
	n->last_now = now;
	return agent_send_part(n->agent, now, request, part);
}

void node_send_cancel(struct node *n, mono now, uint64_t request)
{
	n->last_now = now;
	agent_send_cancel(n->agent, now, request);
}

int node_cancel(
	struct node *n, mono now, const struct eid *source, dtntime created_ms, uint64_t seq)
{
	n->last_now = now;
	return agent_cancel(n->agent, now, source, created_ms, seq);
}

int node_register(struct node *n, mono now, struct eid *endpoint, uint32_t *registration)
{
	n->last_now = now;
	return agent_register(n->agent, now, endpoint, registration);
}

void node_credit(struct node *n, mono now, uint32_t registration, uint64_t credit)
{
	n->last_now = now;
	agent_credit(n->agent, now, registration, credit);
}

int node_read(struct node *n, uint32_t registration, uint64_t id, uint64_t offset, uint64_t size,
	struct view *bytes)
{
	return agent_read(n->agent, registration, id, offset, size, bytes);
}

int node_ack(struct node *n, mono now, uint32_t registration, uint64_t id)
{
	n->last_now = now;
	return agent_ack(n->agent, now, registration, id);
}

void node_unregister(struct node *n, mono now, uint32_t registration)
{
	n->last_now = now;
	agent_unregister(n->agent, now, registration);
}

bool node_drain(struct node *n, mono now)
{
	n->last_now = now;
	n->is_drained = agent_drain(n->agent, now);
	return n->is_drained;
}

void node_stats(const struct node *n, struct node_stats *out)
{
	struct agent_stats a;

	agent_stats(n->agent, &a);
	*out = (struct node_stats){.n_bundles = a.n_bundles,
		.n_queued = a.n_queued,
		.n_waiting = a.n_waiting,
		.n_for_apps = a.n_for_apps,
		.n_custody_held = a.n_custody_held,
		.n_custody_sent = a.n_custody_sent,
		.n_unanswered = a.n_unanswered,
		.n_custody_damaged = a.n_damaged_custody,
		.n_tombstones = a.n_tombstones,
		.n_pairs = a.n_pairs,
		.n_forgotten = a.n_evicted};
	store_stats(n->store, &out->store);
}

size_t node_tunnels(const struct node *n, struct tunnel_stats out[BIBE_TUNNELS_MAX])
{
	return agent_tunnels(n->agent, out);
}

size_t node_custodians(const struct node *n, struct custodian_stats out[CUSTODIANS_MAX])
{
	return agent_custodians(n->agent, out);
}

node_id node_self(const struct node *n)
{
	return n->self.node;
}

dtntime node_dtn(const struct node *n, mono now)
{
	return agent_dtn(n->agent, now);
}

bool node_next_bundle(const struct node *n, uint64_t *id, struct node_bundle *out)
{
	struct agent_bundle b;

	return agent_next_bundle(n->agent, id, &b) && tell_bundle(*id, &b, out);
}

bool node_next_held(const struct node *n, uint64_t *id, struct node_bundle *out)
{
	struct agent_bundle b;

	return agent_next_held(n->agent, id, &b) && tell_bundle(*id, &b, out);
}

static bool tell_bundle(uint64_t id, const struct agent_bundle *b, struct node_bundle *out)
{
	*out = (struct node_bundle){.id = id,
		.source = b->source,
		.dest = b->dest,
		.created_ms = b->created_ms,
		.seq = b->seq,
		.size_bytes = b->size_bytes,
		.lifetime_ms = b->lifetime_ms,
		.next = b->next,
		.state = b->state,
		.custody = b->custody,
		.custody_seq_id = b->custody_seq_id,
		.custody_seq_no = b->custody_seq_no};
	return true;
}

static int take_id(struct node *n, const struct node_cfg *cfg)
{
	memcpy(n->id, cfg->id, sizeof n->id);
	if (eid_parse_node(n->id, &n->self) || n->self.node == NODE_LOCAL)
		return -E_CONFIG;
	return n->self.node == NODE_NONE || n->self.node == NODE_LOCAL ? -E_CONFIG : 0;
}

/* The plan routes where there is one; else the static rows, and every neighbour by itself. */
static int make_route(struct node *n, const struct node_cfg *cfg)
{
	struct static_row *row;
	size_t n_rows = 0;
	int err = 0;

	if (n->plan) {
		n->route = route_cpr_new(n->plan, cfg->margin_sabr);
		return n->route ? 0 : -ENOMEM;
	}
	row = calloc(cfg->n_links + cfg->n_routes + 1, sizeof *row);
	if (!row)
		return -ENOMEM;
	for (size_t i = 0; !err && i < cfg->n_routes; i++)
		err = parse_row(&cfg->route[i], &row[n_rows++]);
	for (size_t i = 0; !err && i < cfg->n_links; i++) {
		struct node_route_cfg self = {0};

		memcpy(self.to, cfg->link[i].peer, sizeof self.to);
		memcpy(self.next, cfg->link[i].peer, sizeof self.next);
		err = parse_row(&self, &row[n_rows++]);
	}
	if (!err)
		n->route = route_static_new(row, n_rows);
	free(row);
	return err ? err : n->route ? 0 : -ENOMEM;
}

static int parse_row(const struct node_route_cfg *cfg, struct static_row *row)
{
	struct eid to = eid_null(), next;

	if (strcmp(cfg->to, "default") != 0 && eid_parse_node(cfg->to, &to))
		return -E_CONFIG;
	if (eid_parse_node(cfg->next, &next))
		return -E_CONFIG;
	*row = (struct static_row){to.node, next.node};
	return 0;
}

static int make_agent(struct node *n, const struct node_cfg *cfg, mono now)
{
	struct agent_deps deps = {.store = n->store,
		.route = n->route,
		.trace = n->trace,
		.seed = n->deps.seed,
		.keys = n->deps.keys,
		.self = n->self,
		.dtn_at_zero = n->deps.dtn_at_zero,
		.plan_zero = n->deps.plan_zero,
		.clock_offset_ms = cfg->clock_offset_ms,
		.clock_drift_ppm = cfg->clock_drift_ppm,
		.clock_is_accurate = cfg->clock_is_accurate};
	int err;

	memcpy(deps.secret, n->deps.secret, sizeof deps.secret);
	err = agent_new(&cfg->agent, &deps, now, &n->agent);
	memset(n->deps.secret, 0, sizeof n->deps.secret);
	n->deps.keys = NULL;
	return err;
}
