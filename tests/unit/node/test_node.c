/* The node: links, cues, the five verbs; two and three nodes with memory stores on a perfect wire.
 * */
#include "bundle/events.h"
#include "dtn/node/config.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DTN UINT64_C(820000000000)
#define SEC US_PER_S
#define BOXES 3u

/* A node with its store; link k of box i leads to box peer[k]. */
struct box {
	struct node_cfg *cfg;
	struct node *node;
	struct store *store;
	struct trace trace;
	unsigned peer[2];
	unsigned n_links;
	uint64_t accepted, delivered, acked, refused, redelivered, last_id, last_size;
	uint32_t registration;
	bool acks;
};

struct world {
	struct box box[BOXES];
	unsigned n;
	mono now;
	const struct plan *plan;
	bool (*drops)(unsigned from, uint64_t frame);
	uint64_t frames;
};

/* A line: box 0 (ipn:1.0) - box 1 (ipn:2.0) - ... */
static void world_init(struct world *w, unsigned n, const struct plan *plan)
{
	*w = (struct world){.n = n, .plan = plan};
	for (unsigned i = 0; i < n; i++) {
		struct box *x = &w->box[i];
		struct store_limits limits = store_limits_default();
		struct schema_error e;

		x->cfg = calloc(1, sizeof *x->cfg);
		cr_assert_eq(node_cfg_defaults(x->cfg, &e), 0, "%s: %s", e.path, e.text);
		snprintf(x->cfg->id, sizeof x->cfg->id, "ipn:%u.0", i + 1);
		x->cfg->agent.max_bundles = 64;
		x->cfg->agent.max_tombstones = 64;
		x->cfg->agent.signal_count = 1;
		for (unsigned k = 0; k < n; k++) {
			struct node_link_cfg *l = &x->cfg->link[x->n_links];

			if (k + 1 != i && k != i + 1)
				continue;
			snprintf(l->cl, sizeof l->cl, "udp");
			snprintf(l->peer, sizeof l->peer, "ipn:%u.0", k + 1);
			l->cl_cfg = (struct cl_cfg){
				.mtu_bytes = 65535, .guard_us = 1000, .burst_us = 5000};
			x->peer[x->n_links++] = k;
		}
		x->cfg->n_links = x->n_links;
		if (n > 1 && i != 1) {
			x->cfg->n_routes = 1;
			snprintf(x->cfg->route[0].to, sizeof x->cfg->route[0].to, "default");
			snprintf(x->cfg->route[0].next, sizeof x->cfg->route[0].next, "ipn:2.0");
		}
		cr_assert_eq(store_mem_open(&limits, &x->store), 0);
		cr_assert_eq(trace_init(&x->trace, 0), 0);
	}
}

static void box_start(struct world *w, unsigned i)
{
	struct box *x = &w->box[i];
	struct node_deps deps = {.store = x->store,
		.plan = w->plan,
		.trace = &x->trace,
		.seed = i + 1,
		.dtn_at_zero = DTN};

	cr_assert_eq(node_new(x->cfg, &deps, w->now, &x->node), 0);
}

static void world_start(struct world *w)
{
	for (unsigned i = 0; i < w->n; i++)
		box_start(w, i);
}

static void world_fini(struct world *w)
{
	for (unsigned i = 0; i < w->n; i++) {
		node_free(w->box[i].node);
		store_close(w->box[i].store);
		trace_fini(&w->box[i].trace);
		free(w->box[i].cfg);
	}
}

static void box_events(struct world *w, struct box *x)
{
	struct node_event ev;

	while (node_event(x->node, &ev)) {
		struct bundle b;
		struct bundle_fault f;
		struct bundle_rules rules = bundle_rules_default();

		x->accepted += ev.type == NODE_ACCEPTED;
		x->refused += ev.type == NODE_REFUSED;
		x->acked += ev.type == NODE_ACKED;
		if (ev.type != NODE_DELIVERY)
			continue;
		x->delivered++;
		x->redelivered += ev.redelivered;
		x->last_id = ev.id;
		cr_assert_eq(bundle_read_head(&b, ev.head, &rules, &f), 0);
		cr_assert_eq(b.flags & BUNDLE_FRAGMENT ? 0 : b.payload.n, ev.payload.len);
		x->last_size = ev.size_bytes;
		if (x->acks)
			cr_assert_eq(node_ack(x->node, w->now, ev.registration, ev.id), 0);
	}
}

/* Everything that can happen now, as the head of node.h says. Returns how many frames went. */
static uint64_t world_turn(struct world *w)
{
	uint64_t before = w->frames;

	for (unsigned round = 0; round < 8; round++)
		for (unsigned i = 0; i < w->n; i++) {
			struct box *x = &w->box[i];
			uint8_t room[2048], wire[65536];
			struct pkt p = {.buf = room, .cap = sizeof room};
			struct store_batch *b;

			node_tick(x->node, w->now);
			for (unsigned k = 0; k < x->n_links; k++)
				while (node_output(x->node, w->now, k, &p)) {
					struct buf out = buf_of(wire, sizeof wire);
					struct box *y = &w->box[x->peer[k]];

					for (unsigned j = 0; j < p.n_parts; j++)
						buf_put(&out, p.part[j].bytes);
					node_sent(x->node, w->now, k, p.cookie, 0);
					w->frames++;
					if (w->drops && w->drops(i, w->frames))
						continue;
					for (unsigned j = 0; j < y->n_links; j++)
						if (y->peer[j] == i)
							node_input(
								y->node, w->now, j, buf_view(&out));
				}
			box_events(w, x);
			b = store_commit_begin(x->store);
			if (b) {
				store_commit_end(x->store, b, store_commit_run(b));
				node_stored(x->node, w->now);
			}
			box_events(w, x);
			store_turn(x->store);
		}
	return w->frames - before;
}

static void world_at(struct world *w, mono now)
{
	cr_assert_geq(now, w->now);
	w->now = now;
	world_turn(w);
}

static int box_send(struct world *w, unsigned from, unsigned to, size_t size, bool custody)
{
	static uint8_t zero[60000];
	struct view p = view_of(zero, size);
	struct node_send s = {.source = eid_ipn(from + 1, 9),
		.dest = eid_ipn(to + 1, 5),
		.report_to = eid_null(),
		.lifetime_ms = 3600000,
		.priority = 1,
		.custody = custody,
		.crc_type = CRC_32C,
		.payload = &p,
		.n_payload = 1};
	uint64_t request;

	return node_send(w->box[from].node, w->now, &s, &request);
}

static void box_register(struct world *w, unsigned i, uint64_t credit)
{
	struct eid e = eid_ipn(i + 1, 5);

	cr_assert_eq(node_register(w->box[i].node, w->now, &e, &w->box[i].registration), 0);
	node_credit(w->box[i].node, w->now, w->box[i].registration, credit);
	w->box[i].acks = true;
}

static struct node_stats box_stats(const struct world *w, unsigned i)
{
	struct node_stats st;

	node_stats(w->box[i].node, &st);
	return st;
}

Test(node, two_and_three_nodes)
{
	static const struct {
		unsigned n;
		bool custody;
		size_t size;
	} t[] = {{2, false, 0}, {2, false, 60000}, {2, true, 100}, {3, false, 100},
		{3, true, 60000}};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct world w;

		world_init(&w, t[i].n, NULL);
		world_start(&w);
		box_register(&w, t[i].n - 1, 4);
		for (int k = 0; k < 10; k++)
			cr_assert_eq(box_send(&w, 0, t[i].n - 1, t[i].size, t[i].custody), 0);
		world_turn(&w);
		world_at(&w, 2 * SEC);
		cr_assert_eq(w.box[0].accepted, 10, "row %zu", i);
		cr_assert_eq(w.box[t[i].n - 1].acked, 10, "row %zu: %" PRIu64, i,
			w.box[t[i].n - 1].acked);
		for (unsigned k = 0; k < t[i].n; k++)
			cr_assert_eq(box_stats(&w, k).n_bundles, 0, "row %zu box %u", i, k);
		world_fini(&w);
	}
}

static bool drop_third(unsigned from, uint64_t frame)
{
	(void)from;
	return frame % 3 == 0;
}

Test(node, custody_over_a_lossy_wire)
{
	struct world w;

	world_init(&w, 3, NULL);
	w.drops = drop_third;
	world_start(&w);
	box_register(&w, 2, 4);
	for (int k = 0; k < 10; k++)
		cr_assert_eq(box_send(&w, 0, 2, 100, true), 0);
	for (int k = 1; k < 20; k++)
		world_at(&w, k * 61 * SEC);
	cr_assert_eq(w.box[2].acked, 10);
	cr_assert_eq(w.box[2].delivered, 10, "nothing twice");
	cr_assert_gt(
		w.box[0].trace.count[EV_custody_retx] + w.box[1].trace.count[EV_custody_retx], 0);
	for (unsigned k = 0; k < 3; k++)
		cr_assert_eq(box_stats(&w, k).n_bundles, 0);
	world_fini(&w);
}

Test(node, killed_relay_comes_back)
{
	struct world w;
	struct box *relay = &w.box[1];

	world_init(&w, 3, NULL);
	world_start(&w);
	for (int k = 0; k < 5; k++)
		cr_assert_eq(box_send(&w, 0, 2, 100, true), 0);
	/* Half a turn by hand would be another test's: here it is killed at every whole one. */
	world_turn(&w);
	for (unsigned i = 0; i < 3; i++) {
		node_free(relay->node);
		store_mem_crash(relay->store, i == 1);
		box_start(&w, 1);
		world_at(&w, (i + 1) * 61 * SEC);
	}
	box_register(&w, 2, 4);
	world_turn(&w);
	cr_assert_eq(w.box[2].acked, 5);
	cr_assert_eq(w.box[2].delivered, 5);
	world_fini(&w);
}

/* 1 -> 2 open 10 s to 20 s with 4 s of light time, 2 -> 1 from 12 s to 22 s. */
static struct plan *plan_make(void)
{
	static const char text[] =
		"{\"contacts\":["
		"{\"from\":\"ipn:1.0\",\"to\":\"ipn:2.0\",\"start\":\"10s\",\"end\":\"20s\","
		"\"rate\":\"8M\",\"owlt\":\"4s\"},"
		"{\"from\":\"ipn:2.0\",\"to\":\"ipn:1.0\",\"start\":\"12s\",\"end\":\"22s\","
		"\"rate\":\"8M\",\"owlt\":\"4s\"}]}";
	struct plan_note note[4];
	struct plan_notes notes = {.note = note, .cap = 4};
	struct plan *p;

	cr_assert_eq(plan_read(view_text(text), PLAN_OWLT, &p, &notes), 0, "%s",
		notes.n ? note[0].text : "");
	return p;
}

Test(node, plan_becomes_cues)
{
	static const struct {
		mono at;
		bool tx, rx;
	} t[] = {{0, 0, 0}, {10 * SEC - 1, 0, 0}, {10 * SEC, 1, 0}, {16 * SEC, 1, 1},
		{20 * SEC - 1, 1, 1}, {20 * SEC, 0, 1}, {26 * SEC - 1, 0, 1}, {26 * SEC, 0, 0}};
	struct plan *plan = plan_make();
	struct world w;

	world_init(&w, 2, plan);
	world_start(&w);
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct node_link_stats st;

		node_tick(w.box[0].node, t[i].at);
		node_link_stats(w.box[0].node, 0, &st);
		cr_assert_eq(st.tx_open, t[i].tx, "row %zu", i);
		cr_assert_eq(st.rx_open, t[i].rx, "row %zu", i);
		if (t[i].tx)
			cr_assert_eq(st.until, 20 * SEC);
		w.now = t[i].at;
	}
	cr_assert_eq(w.box[0].trace.count[EV_link_open], 1);
	cr_assert_eq(w.box[0].trace.count[EV_link_close], 1);
	world_fini(&w);
	plan_free(plan);
}

Test(node, waits_for_the_contact_and_its_end)
{
	struct plan *plan = plan_make();
	struct world w;
	mono at;

	world_init(&w, 2, plan);
	world_start(&w);
	box_register(&w, 1, 4);
	cr_assert_eq(box_send(&w, 0, 1, 100, false), 0);
	cr_assert_eq(world_turn(&w), 0);
	cr_assert_eq(box_stats(&w, 0).n_queued, 1);
	at = node_deadline(w.box[0].node);
	cr_assert_eq(at, 10 * SEC, "%" PRId64, at);
	world_at(&w, at);
	cr_assert_eq(w.frames, 1);
	cr_assert_eq(w.box[1].acked, 1);
	/* 60 kB take 60 ms: in the last 20 ms a piece of it leaves, and nothing behind it. */
	world_at(&w, 20 * SEC - 20000);
	cr_assert_eq(box_send(&w, 0, 1, 60000, false), 0);
	cr_assert_eq(box_send(&w, 0, 1, 100, false), 0);
	cr_assert_eq(world_turn(&w), 1);
	world_at(&w, 20 * SEC);
	cr_assert_eq(w.box[0].trace.count[EV_fragment_made], 1);
	cr_assert_eq(box_stats(&w, 0).n_waiting, 2, "no contact is left");
	world_at(&w, 3700 * SEC);
	cr_assert_eq(box_stats(&w, 0).n_bundles, 0);
	world_fini(&w);
	plan_free(plan);
}

/* What the store held may leave at once: a restart in an open contact must not wait for the next event. */
Test(node, takes_a_turn_at_once_after_its_start)
{
	struct plan *plan = plan_make();
	struct world w;

	world_init(&w, 2, plan);
	world_start(&w);
	cr_assert_leq(node_deadline(w.box[0].node), w.now);
	node_tick(w.box[0].node, w.now);
	cr_assert_gt(node_deadline(w.box[0].node), w.now);
	world_fini(&w);
	plan_free(plan);
}

Test(node, too_big_for_the_link_waits_with_its_reason)
{
	struct world w;

	world_init(&w, 2, NULL);
	w.box[0].cfg->link[0].cl_cfg.mtu_bytes = 1000;
	world_start(&w);
	cr_assert_eq(box_send(&w, 0, 1, 2000, true), 0, "custody: never cut");
	cr_assert_eq(box_send(&w, 0, 1, 100, false), 0);
	world_turn(&w);
	cr_assert_eq(w.frames, 1);
	cr_assert_eq(box_stats(&w, 0).n_waiting, 1);
	world_fini(&w);
}

/* Others are cut to it, all in one turn, and come together: RFC 9171 5.8, 5.9. */
Test(node, too_big_for_the_link_goes_in_pieces)
{
	struct world w;

	world_init(&w, 2, NULL);
	w.box[0].cfg->link[0].cl_cfg.mtu_bytes = 1000;
	world_start(&w);
	box_register(&w, 1, 4);
	cr_assert_eq(box_send(&w, 0, 1, 20000, false), 0);
	world_turn(&w);
	world_turn(&w); /* "handed", then the acknowledgement are committed */
	cr_assert_eq(w.box[0].trace.count[EV_fragment_made], w.frames);
	cr_assert_gt(w.frames, 20);
	cr_assert_lt(w.frames, 26);
	cr_assert_eq(box_stats(&w, 0).n_bundles, 0);
	cr_assert_eq(w.box[1].acked, 1);
	cr_assert_eq(w.box[1].last_size, 20000);
	cr_assert_eq(box_stats(&w, 1).n_bundles, 0);
	world_fini(&w);
}

Test(node, listing_and_drain)
{
	struct node_bundle b;
	struct world w;
	uint64_t id = 0;
	unsigned n = 0;

	world_init(&w, 2, NULL);
	world_start(&w);
	for (int k = 0; k < 3; k++)
		cr_assert_eq(box_send(&w, 0, 1, 10, true), 0);
	world_turn(&w);
	for (; node_next_bundle(w.box[1].node, &id, &b); n++) {
		cr_assert_str_eq(b.state, "app");
		cr_assert_eq(b.source.node, 1);
		cr_assert_eq(b.dest.service, 5);
	}
	cr_assert_eq(n, 3);
	cr_assert(node_drain(w.box[0].node, w.now));
	cr_assert_eq(box_send(&w, 0, 1, 10, false), -E_CLOSED);
	world_fini(&w);
}

/* RFC 9758 5.4/6, 5.4/7: LocalNode is no name for others */
Test(node, configuration_is_checked)
{
	static const struct {
		const char *id, *cl, *peer;
	} t[] = {{"ipn:0.0", "udp", "ipn:2.0"}, {"nonsense", "udp", "ipn:2.0"},
		{"ipn:1.0", "pigeon", "ipn:2.0"}, {"ipn:1.0", "udp", "dtn:none"},
		{"ipn:!.0", "udp", "ipn:2.0"}, {"ipn:1.0", "udp", "ipn:!.0"}};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct world w;
		struct node_deps deps;

		world_init(&w, 2, NULL);
		deps = (struct node_deps){.store = w.box[0].store, .dtn_at_zero = DTN};
		snprintf(w.box[0].cfg->id, sizeof w.box[0].cfg->id, "%s", t[i].id);
		snprintf(w.box[0].cfg->link[0].cl, sizeof w.box[0].cfg->link[0].cl, "%s", t[i].cl);
		snprintf(w.box[0].cfg->link[0].peer, sizeof w.box[0].cfg->link[0].peer, "%s",
			t[i].peer);
		cr_assert_eq(
			node_new(w.box[0].cfg, &deps, 0, &w.box[0].node), -E_CONFIG, "row %zu", i);
		world_fini(&w);
	}
}

/* RFC 9758 5.5/2: nodes 1 and 2 have private-use numbers; at a border none of their bundles passes. */
Test(node, link_marked_as_border)
{
	for (unsigned side = 0; side < 2; side++) {
		struct world w;

		world_init(&w, 2, NULL);
		w.box[side].cfg->link[0].border = true;
		world_start(&w);
		box_register(&w, 1, 4);
		cr_assert_eq(box_send(&w, 0, 1, 100, false), 0);
		cr_expect_eq(world_turn(&w), side, "kept in, or kept out");
		cr_expect_eq(w.box[1].trace.count[EV_bundle_refused], side);
		cr_expect_eq(w.box[1].delivered, 0);
		cr_expect_eq(box_stats(&w, 0).n_waiting, !side);
		world_fini(&w);
	}
}
