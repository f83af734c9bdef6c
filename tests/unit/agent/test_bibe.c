/* Bundles in bundles: bibect, owlt-bibe(7). Node 2 with a tunnel to node 3 for node 5; its peer is node 1. */
#include "tests/unit/agent/hand.h"

#include "bundle/bibe.h"
#include "bundle/events.h"

#include <criterion/criterion.h>

#define LEAST 30u /* bytes of a small bundle */

static void tunnel_start(struct side *s, unsigned record, uint64_t max_bytes)
{
	struct bibe_cfg *w = &s->cfg.bibe;

	side_init(s, 2, hand_neighbours, 3, NODE_NONE);
	trace_fini(&s->trace);
	cr_assert_eq(trace_init(&s->trace, 256), 0);
	w->n_tunnels = w->n_peers = w->tunnel[0].n_match = 1;
	strcpy(w->tunnel[0].to, "ipn:3.0");
	strcpy(w->tunnel[0].match[0].text, "ipn:5.*");
	strcpy(w->peer[0].text, "ipn:1.*");
	w->tunnel[0].record = record;
	w->max_bytes = max_bytes;
	w->max_depth = 2;
	side_start(s, hand_neighbours, 3);
	cr_assert_eq(side_send(s, 2, 99, HOUR_MS, false), 0); /* takes the first block of numbers */
	side_commit(s, 0);
	side_listen(s);
}

/* A bundle of `from` with this one inside; n bytes of it. */
static void wrap(
	struct flight *f, node_id from, uint64_t type, const struct flight *inside, size_t n)
{
	struct bundle_spec spec = hand_spec(2);
	struct bpdu p = {.type = type, .id = 0};
	uint8_t room[4096];
	struct buf b = buf_of(room, sizeof room);

	spec.source = eid_ipn(from, 0);
	spec.dest = eid_ipn(2, 0);
	spec.report_to = eid_null();
	spec.flags = BUNDLE_ADMIN;
	bpdu_write_head(&b, &p, n);
	buf_put(&b, view_of(inside->bytes, n));
	hand_make(f, &spec, buf_view(&b));
}

/* Taken out, and on its way to node 4 as if it had come over a link from node 1. */
Test(bibe, taken_out)
{
	static const uint64_t types[] = {BIBE_OLD, BIBE_ION, BIBE_NEW};

	for (size_t i = 0; i < 3; i++) {
		struct bundle_spec spec = hand_spec(4);
		struct flight in, out;
		struct bundle b;
		struct side s;

		tunnel_start(&s, 0, 2000);
		spec.has_hop = true;
		spec.hop_limit = 9;
		spec.hop_count = 3;
		hand_make(&in, &spec, view_text("data"));
		wrap(&out, 1, types[i], &in, in.n);
		side_in(&s, 4, &out);
		cr_expect_eq(count(&s, EV_tunnel_rx), 1);
		cr_assert(side_out(&s, 4, &out));
		hand_read(&out, &b);
		cr_expect(b.dest.node == 4 && b.hop_count == 4 && b.prev.node == 2);
		cr_expect_eq(b.payload.n, 4);
		side_in(&s, 4, &out);
		side_fini(&s);
	}
}

/* What is refused, told with its reason, and costs nothing. */
Test(bibe, refused)
{
	static const struct {
		node_id from;
		unsigned depth;     /* records around it */
		uint64_t max_bytes; /* of the node */
		enum why why;       /* WHY_NONE: taken */
	} rows[] = {{1, 1, 2000, WHY_NONE}, {3, 1, 2000, WHY_NONE}, {1, 2, 2000, WHY_NONE},
		{4, 1, 2000, WHY_NO_PEER}, {66, 1, 2000, WHY_NO_PEER}, {1, 3, 2000, WHY_NESTED},
		{1, 1, LEAST, WHY_OVERSIZE}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bundle_spec spec = hand_spec(4);
		uint64_t arg[TRACE_ARGS];
		struct flight f[2];
		struct side s;

		tunnel_start(&s, 0, rows[i].max_bytes);
		hand_make(&f[0], &spec, view_text("data"));
		for (unsigned k = 0; k < rows[i].depth; k++) {
			wrap(&f[1], rows[i].from, BIBE_ION, &f[0], f[0].n);
			f[0] = f[1];
		}
		side_in(&s, 4, &f[0]);
		cr_expect_eq(hand_last(&s, EV_bundle_refused, arg), rows[i].why != WHY_NONE,
			"row %zu", i);
		cr_expect(rows[i].why == WHY_NONE || arg[1] == rows[i].why);
		cr_expect_eq(stats(&s).n_bundles, 1 + (rows[i].why == WHY_NONE), "row %zu", i);
		side_fini(&s);
	}
}

/* Each truncated bundle inside a good one is refused like one on a link. */
Test(bibe, cut)
{
	struct bundle_spec spec = hand_spec(4);
	struct flight in, out;
	struct side s;

	tunnel_start(&s, 0, 2000);
	hand_make(&in, &spec, view_text("data"));
	for (size_t n = 0; n < in.n; n++) {
		wrap(&out, 1, BIBE_ION, &in, n);
		side_in(&s, 4, &out);
	}
	cr_expect_eq(count(&s, EV_tunnel_rx), in.n);
	cr_expect_eq(count(&s, EV_bundle_rejected), in.n);
	cr_expect_eq(stats(&s).n_bundles, 1);
	side_fini(&s);
}

/* Time inside counts in the age of a bundle whose source has no clock, RFC 9171 4.4.2. */
Test(bibe, age)
{
	struct bundle_spec spec = hand_spec(4);
	struct flight in, out;
	struct bundle b;
	struct side s;

	tunnel_start(&s, 0, 2000);
	spec.created_ms = 0;
	spec.has_age = true;
	spec.age_ms = 500;
	hand_make(&in, &spec, view_text("data"));
	wrap(&out, 1, BIBE_ION, &in, in.n);
	side_at(&s, 7 * SEC);
	side_in(&s, 4, &out);
	cr_assert(side_out(&s, 4, &out));
	hand_read(&out, &b);
	cr_expect_eq(b.age_ms, 7500);
	side_fini(&s);
}

/* Put in: what leaves for node 3 is a bundle of ours with the other inside, as it would leave on a link. */
Test(bibe, put_in)
{
	static const uint64_t types[] = {BIBE_ION, BIBE_OLD, BIBE_NEW};

	for (unsigned i = 0; i < 3; i++) {
		struct bundle_spec spec = hand_spec(5);
		struct bundle_rules rules = bundle_rules_default();
		struct bundle_fault fault;
		struct bundle b, inside;
		struct flight out;
		struct side s;
		struct bpdu p;

		tunnel_start(&s, i, 2000);
		hand_in(&s, &spec);
		cr_expect_eq(stats(&s).n_bundles, 2);
		cr_assert_leq(agent_deadline(s.agent), s.now);
		side_at(&s, 0);
		cr_expect_eq(count(&s, EV_tunnel_tx), 1);
		cr_expect_eq(stats(&s).n_bundles, 3, "it stays until the one around is durable");
		side_commit(&s, 0);
		cr_expect_eq(stats(&s).n_bundles, 2, "one went, one came");
		cr_expect_eq(count(&s, EV_bundle_forwarded), 1);
		cr_assert(side_out(&s, 3, &out));
		hand_read(&out, &b);
		cr_expect(b.flags & BUNDLE_ADMIN && b.source.node == 2 && eid_is_admin(&b.dest));
		cr_expect_eq(b.lifetime_ms, HOUR_MS);
		cr_assert_eq(bpdu_read(b.payload, &p), 0);
		cr_expect(p.type == types[i] && p.id == 0 && p.when == 0);
		cr_assert_eq(bundle_read(&inside, p.bundle, &rules, &fault), 0);
		cr_expect(
			inside.dest.node == 5 && inside.source.node == 1 && inside.prev.node == 2);
		cr_expect_eq(inside.payload.n, 4);
		side_fini(&s);
	}
}

/* Not into a tunnel: what is for its far end, what came from there, what is for others. */
Test(bibe, not_in)
{
	for (int i = 0; i < 3; i++) {
		struct bundle_spec spec = hand_spec(i == 0 ? 3 : i == 1 ? 5 : 4);
		struct flight in, out;
		struct side s;

		tunnel_start(&s, 0, 2000);
		hand_make(&in, &spec, view_text("data"));
		wrap(&out, 3, BIBE_ION, &in, in.n);
		side_in(&s, 4, &out);
		side_at(&s, 0);
		cr_expect_eq(count(&s, EV_tunnel_rx), 1);
		cr_expect_eq(count(&s, EV_tunnel_tx), 0, "row %d", i);
		side_fini(&s);
	}
}

/* A crash before the commit leaves the bundle inside, one after it the bundle around; never neither. */
Test(bibe, crash)
{
	for (int committed = 0; committed < 2; committed++) {
		struct bundle_spec spec = hand_spec(5);
		struct flight out;
		struct side s;

		tunnel_start(&s, 0, 2000);
		hand_in(&s, &spec);
		side_commit(&s, 0); /* the bundle is durable before it goes in */
		side_at(&s, 0);
		for (int k = 0; k < 2 * committed; k++)
			side_commit(&s, 0); /* the one around; then that the one inside is gone */
		side_crash(&s, false, hand_neighbours, 3);
		cr_expect_eq(stats(&s).n_bundles, 2);
		side_at(&s, 0);
		side_commit(&s, 0);
		cr_assert(side_out(&s, 3, &out));
		cr_assert(!side_out(&s, 3, &out));
		cr_expect_eq(count(&s, EV_tunnel_tx), 2 - (uint64_t)committed);
		side_fini(&s);
	}
}

/* The batch of the bundle around fails: the one inside was not sent. */
Test(bibe, commit_failed)
{
	struct bundle_spec spec = hand_spec(5);
	struct flight out;
	struct side s;

	tunnel_start(&s, 0, 2000);
	hand_in(&s, &spec);
	side_commit(&s, 0);
	side_at(&s, 0);
	cr_expect_eq(count(&s, EV_tunnel_tx), 1);
	side_commit(&s, -ENOSPC);
	cr_expect_eq(count(&s, EV_bundle_forwarded), 0);
	cr_expect_eq(stats(&s).n_bundles, 2);
	cr_expect(!side_out(&s, 3, &out));
	side_at(&s, 2 * SEC);
	side_commit(&s, 0);
	cr_expect_eq(count(&s, EV_tunnel_tx), 2);
	cr_expect_eq(count(&s, EV_bundle_forwarded), 1);
	cr_expect(side_out(&s, 3, &out));
	side_fini(&s);
}

/* No room for the bundle around: the one inside waits, and goes when there is. */
Test(bibe, full)
{
	struct bundle_spec spec = hand_spec(5);
	struct side s;

	tunnel_start(&s, 0, 2000);
	side_commit(&s, 0);
	hand_in(&s, &spec);
	while (side_send(&s, 9, 5, 60000, false) == 0)
		side_commit(&s, 0);
	side_at(&s, 0);
	cr_expect_eq(count(&s, EV_tunnel_tx), 0);
	cr_expect_gt(agent_deadline(s.agent), 0, "it does not spin");
	side_at(&s, 61 * SEC); /* the others expire */
	side_commit(&s, 0);
	side_at(&s, 62 * SEC);
	cr_expect_eq(count(&s, EV_tunnel_tx), 1);
	side_fini(&s);
}

/* Too large for a tunnel: cut first, like on a link. */
Test(bibe, fragments)
{
	struct bundle_spec spec = hand_spec(5);
	uint8_t data[900] = {0};
	struct flight f;
	struct bundle b;
	struct side s;
	unsigned n = 0;

	tunnel_start(&s, 0, 400);
	hand_make(&f, &spec, view_of(data, sizeof data));
	side_in(&s, 1, &f);
	side_at(&s, 0);
	while (side_out(&s, 3, &f)) {
		struct bpdu p;

		hand_read(&f, &b);
		cr_assert_eq(bpdu_read(b.payload, &p), 0);
		cr_expect_leq(p.bundle.n, 400);
		n++;
	}
	cr_expect_eq(n, 3);
	side_commit(&s, 0);
	cr_expect_eq(stats(&s).n_bundles, 1, "all of it went");
	side_fini(&s);
}

/* A far end that is this node, or nobody, is no setting. */
Test(bibe, settings)
{
	static const char *const bad[] = {"ipn:2.0", "dtn:none"};

	for (size_t i = 0; i < 2; i++) {
		struct agent_deps deps = {.self = eid_ipn(2, 0), .dtn_at_zero = KIT_DTN};
		struct agent_cfg cfg = kit_cfg();
		struct store_limits limits = store_limits_default();
		struct agent *a;

		cfg.bibe.n_tunnels = 1;
		strcpy(cfg.bibe.tunnel[0].to, bad[i]);
		cr_assert_eq(store_mem_open(&limits, &deps.store), 0);
		cr_expect_eq(agent_new(&cfg, &deps, 0, &a), -E_CONFIG);
		store_close(deps.store);
	}
}
