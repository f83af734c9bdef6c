/* Bundles that leave in pieces, fragment.c: RFC 9171 5.8 in transit; and the ways they go, ways.c. */
#include "tests/unit/agent/kit.h"

#include "bundle/base/rng.h"
#include "dtn/agent/record.h"

#include <criterion/criterion.h>

static const node_id n2[] = {2}, n23[] = {2, 3}, n1[] = {1};
static uint8_t data[3000];

/* A piece as it was offered. */
struct got {
	uint64_t id, off, n, total;
	bool is_fragment;
	struct flight f;
};

static void open_side(struct side *s, const node_id *neighbours, size_t n)
{
	struct rng r;

	rng_init(&r, 6, 6);
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)rng_u64(&r);
	side_init(s, 1, neighbours, n, 2);
	side_start(s, neighbours, n);
	cr_assert_eq(side_send(s, 1, 99, HOUR_MS, false), 0); /* takes the first numbers */
	side_commit(s, 0);
	side_listen(s);
}

static int send_bytes(struct side *s, node_id to, size_t n, uint64_t flags, bool custody)
{
	struct view payload = view_of(data, n);
	struct agent_send a = {.source = eid_ipn(s->node, 9),
		.dest = eid_ipn(to, 5),
		.report_to = eid_ipn(s->node, 0),
		.flags = flags,
		.lifetime_ms = HOUR_MS,
		.priority = 1,
		.custody = custody,
		.crc_type = CRC_32C,
		.payload = &payload,
		.n_payload = 1};

	return agent_send(s->agent, s->now, &a, &s->last_request);
}

/* The next of at most `max` bytes; it is with the layer. */
static bool take(struct side *s, node_id to, uint64_t max, uint64_t max_ever, struct got *g)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	uint8_t room[4096];
	struct buf b = buf_of(room, sizeof room), out = buf_of(g->f.bytes, sizeof g->f.bytes);
	struct agent_offer o = {.neighbour = (unsigned)agent_neighbour(s->agent, to),
		.max_bytes = max,
		.max_ever = max_ever,
		.room = &b};
	struct view payload;
	struct bundle r;

	if (!agent_next(s->agent, s->now, &o))
		return false;
	cr_assert_leq(o.size_bytes, max);
	cr_assert_eq(store_payload(s->store, o.payload, &payload), 0);
	buf_put(&out, o.head);
	buf_put(&out, payload);
	buf_put(&out, o.tail);
	g->f.n = out.len;
	g->f.id = g->id = o.id;
	cr_assert_eq(out.len, o.size_bytes);
	cr_assert_eq(
		bundle_read(&r, buf_view(&out), &rules, &fault), 0, "%s", rule_name(fault.rule));
	g->is_fragment = r.flags & BUNDLE_FRAGMENT;
	g->off = g->is_fragment ? r.frag_off : 0;
	g->n = r.payload.n;
	g->total = g->is_fragment ? r.total_len : r.payload.n;
	cr_assert_eq(memcmp(r.payload.p, data + g->off, r.payload.n), 0);
	return true;
}

static void sent(struct side *s, const struct got *g)
{
	agent_sent(s->agent, s->now,
		&(struct agent_sent){.id = g->id, .frame_bytes = g->f.n + 42, .tx_end = s->now});
}

/* Several pieces are with the layer at once; they may be told sent in any order. */
Test(fragment, pieces_in_flight)
{
	struct got g[8];
	struct side s;
	size_t n = 0;

	open_side(&s, n2, 1);
	cr_assert_eq(send_bytes(&s, 2, 1000, 0, false), 0);
	while (take(&s, 2, 350, 4000, &g[n])) {
		cr_assert(g[n].is_fragment);
		cr_assert_eq(g[n].off, n == 0 ? 0 : g[n - 1].off + g[n - 1].n);
		cr_assert_eq(g[n].total, 1000);
		n++;
	}
	cr_assert(n >= 4 && n <= 5);
	cr_assert_eq(g[n - 1].off + g[n - 1].n, 1000);
	cr_assert_eq(count(&s, EV_fragment_made), n);
	cr_assert_eq(count(&s, EV_bundle_fragment), n);
	for (size_t i = n; i-- > 0;) {
		cr_assert_eq(stats(&s).n_bundles, 2);
		sent(&s, &g[i]);
	}
	cr_assert_eq(stats(&s).n_bundles, 1);
	cr_assert_eq(count(&s, EV_bundle_forwarded), n);
	cr_assert_eq(count(&s, EV_bundle_released), n + 1);
	sent(&s, &g[0]);
	agent_send_failed(s.agent, s.now, g[1].id);
	cr_assert_eq(count(&s, EV_bundle_forwarded), n, "told twice");
	side_fini(&s);
}

/* Custody, "must not be fragmented", too small a rest: they wait. fragment.min_bytes */
Test(fragment, what_is_not_cut)
{
	struct got g;
	struct side s;

	open_side(&s, n2, 1);
	cr_assert_eq(send_bytes(&s, 2, 1000, BUNDLE_NO_FRAGMENT, false), 0);
	cr_assert_eq(send_bytes(&s, 2, 1000, 0, true), 0);
	side_commit(&s, 0);
	cr_assert_not(take(&s, 2, 500, 4000, &g));
	cr_assert_eq(stats(&s).n_queued, 2);
	cr_assert_not(take(&s, 2, 500, 500, &g));
	cr_assert_eq(stats(&s).n_queued, 0, "never");
	cr_assert_eq(stats(&s).n_waiting, 2);
	cr_assert_eq(send_bytes(&s, 2, 1000, 0, false), 0);
	cr_assert_not(take(&s, 2, 100, 4000, &g), "less than 16 bytes would fit");
	cr_assert_eq(stats(&s).n_queued, 1);
	cr_assert_not(take(&s, 2, 60, 60, &g), "nor ever");
	cr_assert_eq(stats(&s).n_waiting, 3);
	side_fini(&s);
}

/* A piece that failed is made again, and nothing else. */
Test(fragment, one_piece_fails)
{
	struct got g[8], again;
	struct side s;
	size_t n = 0;

	open_side(&s, n2, 1);
	cr_assert_eq(send_bytes(&s, 2, 1000, 0, false), 0);
	while (take(&s, 2, 350, 4000, &g[n]))
		n++;
	sent(&s, &g[0]);
	agent_send_failed(s.agent, s.now, g[1].id);
	for (size_t i = 2; i < n; i++)
		sent(&s, &g[i]);
	cr_assert_not(take(&s, 2, 350, 4000, &again), "not at once");
	side_at(&s, 2 * SEC);
	cr_assert(take(&s, 2, 4000, 4000, &again));
	cr_assert_eq(again.off, g[1].off);
	cr_assert_eq(again.n, g[1].n);
	cr_assert_neq(again.id, g[1].id);
	cr_assert_not(take(&s, 2, 4000, 4000, &g[1]));
	sent(&s, &again);
	cr_assert_eq(stats(&s).n_bundles, 1);
	side_fini(&s);
}

/* The contact closes: the rest goes another way, also after a restart, and little is repeated. */
Test(fragment, the_rest_goes_another_way)
{
	for (int crash = 0; crash < 2; crash++) {
		struct got g[3], rest;
		struct side s;

		open_side(&s, n23, 2);
		cr_assert_eq(send_bytes(&s, 2, 2000, 0, false), 0);
		side_commit(&s, 0);
		for (size_t i = 0; i < 3; i++)
			cr_assert(take(&s, 2, 350, 4000, &g[i]));
		sent(&s, &g[0]);
		sent(&s, &g[1]);
		agent_send_failed(s.agent, s.now, g[2].id);
		agent_contact(s.agent, s.now, 0, false, s.now);
		side_commit(&s, 0);
		if (crash)
			side_crash(&s, false, n23, 2);
		else
			agent_contact(s.agent, s.now, 0, true, MONO_NEVER);
		side_at(&s, 3 * SEC);
		cr_assert(take(&s, 2, 4000, 4000, &rest));
		cr_assert(rest.is_fragment);
		cr_assert_eq(rest.off, g[2].off);
		cr_assert_eq(rest.off + rest.n, 2000);
		sent(&s, &rest);
		cr_assert_eq(stats(&s).n_bundles, 1);
		side_fini(&s);
	}
}

/* It expires, or is given up, while pieces are with the layer. */
Test(fragment, gone_while_being_cut)
{
	struct eid source = eid_ipn(1, 9);
	struct got g[3];
	struct side s;

	open_side(&s, n2, 1);
	cr_assert_eq(send_bytes(&s, 2, 1000, 0, false), 0);
	for (size_t i = 0; i < 3; i++)
		cr_assert(take(&s, 2, 350, 4000, &g[i]));
	sent(&s, &g[1]);
	side_at(&s, (mono)HOUR_MS * US_PER_MS + 3 * SEC);
	cr_assert_eq(stats(&s).n_bundles, 0);
	sent(&s, &g[0]);
	agent_send_failed(s.agent, s.now, g[2].id);
	cr_assert_eq(count(&s, EV_bundle_forwarded), 1);
	cr_assert_eq(send_bytes(&s, 2, 1000, 0, false), 0);
	side_commit(&s, 0);
	side_listen(&s);
	cr_assert(take(&s, 2, 350, 4000, &g[0]));
	cr_assert_eq(agent_cancel(s.agent, s.now, &source, KIT_DTN + HOUR_MS + 3000, 3), 0);
	sent(&s, &g[0]);
	cr_assert_eq(stats(&s).n_bundles, 0);
	side_fini(&s);
}

/* RFC 9171 5.4-5: one report for all of it. */
Test(fragment, one_forwarding_report)
{
	struct got g;
	struct side s;

	open_side(&s, n2, 1);
	s.cfg.reports = true;
	agent_free(s.agent);
	side_start(&s, n2, 1);
	cr_assert_eq(send_bytes(&s, 2, 1000, BUNDLE_REPORT_FORWARDING, false), 0);
	while (take(&s, 2, 350, 4000, &g)) {
		cr_assert_eq(count(&s, EV_report_tx), 0);
		sent(&s, &g);
	}
	cr_assert_eq(count(&s, EV_report_tx), 1);
	side_fini(&s);
}

/* Fragments of fragments: a relay cuts what came as a fragment. A copy that comes meanwhile is one. */
Test(fragment, a_relay_cuts_again)
{
	struct side a, b, c;
	struct got g;
	uint8_t seen[2000] = {0};
	uint64_t n = 0;

	open_side(&a, n2, 1);
	side_init(&b, 2, n23, 2, 3);
	side_start(&b, n23, 2);
	side_init(&c, 3, n1, 1, 1);
	side_start(&c, n1, 1);
	cr_assert_eq(send_bytes(&a, 3, 2000, 0, false), 0);
	while (take(&a, 2, 700, 700, &g)) {
		side_in(&b, 1, &g.f);
		side_in(&b, 1, &g.f);
		sent(&a, &g);
	}
	cr_assert_gt(count(&b, EV_bundle_duplicate), 2);
	while (take(&b, 3, 300, 300, &g)) {
		cr_assert_eq(g.total, 2000);
		for (uint64_t i = g.off; i < g.off + g.n; i++)
			cr_assert_eq(seen[i]++, 0);
		side_in(&c, 2, &g.f);
		sent(&b, &g);
		n++;
	}
	cr_assert_gt(n, 8);
	for (size_t i = 0; i < 2000; i++)
		cr_assert_eq(seen[i], 1, "byte %zu", i);
	side_commit(&c, 0);
	cr_assert_eq(count(&c, EV_adu_whole), 1);
	cr_assert_eq(stats(&b).n_bundles, 0);
	side_fini(&a);
	side_fini(&b);
	side_fini(&c);
}

/* Custody is asked of a bundle that is on its way in pieces: from then on it is whole again. */
Test(fragment, custody_comes_later)
{
	struct bundle_spec spec = {.crc_type = CRC_32C,
		.block_crc_type = CRC_32C,
		.dest = eid_ipn(2, 5),
		.source = eid_ipn(7, 9),
		.report_to = eid_null(),
		.created_ms = KIT_DTN,
		.seq = 4,
		.lifetime_ms = HOUR_MS,
		.custody = custody_codes_ccsds(),
		.cteb = {.seq_no = 5, .seq_id = 1, .custodian = eid_ipn(7, 0)}};
	struct flight f;
	struct got g[2];
	struct side s;

	open_side(&s, n2, 1);
	for (int custody = 0; custody < 2; custody++) {
		struct buf out = buf_of(f.bytes, sizeof f.bytes);

		spec.has_cteb = custody;
		spec.flags = custody ? BUNDLE_NO_FRAGMENT : 0;
		cr_assert_eq(bundle_build(&out, &spec, view_of(data, 1000)), 0);
		f.n = out.len;
		side_in(&s, NODE_NONE, &f);
		if (!custody)
			cr_assert(take(&s, 2, 400, 4000, &g[0]));
	}
	side_commit(&s, 0);
	cr_assert_eq(count(&s, EV_custody_taken), 1);
	sent(&s, &g[0]);
	side_fini(&s);
}

/* Any order of offers, failures, contacts and crashes: in the end every byte has left. */
Test(fragment, random)
{
	for (uint64_t seed = 1; seed <= 120; seed++) {
		struct got fly[12];
		size_t n_fly = 0, total;
		bool left[3000] = {false};
		struct side s;
		struct rng r;

		open_side(&s, n2, 1);
		rng_init(&r, seed, 3);
		total = 100 + rng_below(&r, 2900);
		cr_assert_eq(send_bytes(&s, 2, total, 0, false), 0);
		side_commit(&s, 0);
		for (int i = 0; i < 5000 && stats(&s).n_bundles > 1; i++) {
			size_t k = n_fly ? rng_below(&r, n_fly) : 0;

			switch (rng_below(&r, 12)) {
			case 0:
				if (n_fly) {
					agent_send_failed(s.agent, s.now, fly[k].id);
					fly[k] = fly[--n_fly];
				}
				break;
			case 1:
				agent_contact(s.agent, s.now, 0, false, s.now);
				agent_contact(s.agent, s.now, 0, true, MONO_NEVER);
				break;
			case 2:
				if (rng_below(&r, 4) == 0) {
					side_commit(&s, 0);
					side_crash(&s, false, n2, 1);
					n_fly = 0;
				}
				break;
			case 3:
				side_at(&s, s.now + SEC);
				break;
			case 4:
				side_commit(&s, 0);
				break;
			case 5:
			case 6:
			case 7:
				if (n_fly == 0)
					break;
				for (uint64_t b = 0; b < fly[k].n; b++)
					left[fly[k].off + b] = true;
				sent(&s, &fly[k]);
				fly[k] = fly[--n_fly];
				break;
			default:
				if (n_fly < 12 &&
					take(&s, 2, 150 + rng_below(&r, 500), 4000, &fly[n_fly]))
					n_fly++;
			}
		}
		cr_assert_eq(stats(&s).n_bundles, 1, "seed %d", (int)seed);
		for (size_t b = 0; b < total; b++)
			cr_assert(left[b], "seed %d: byte %d", (int)seed, (int)b);
		side_fini(&s);
	}
}

/* -- ways.c, with a router that counts how often it is asked */

struct asked {
	struct route base;
	unsigned n;
};

/* Contacts 1 to 3 to nodes 2, 3, 2; the last is far away and carries anything. */
static int asked_find(struct route *r, const struct route_query *q, struct route_choice *out)
{
	static const struct route_choice all[] = {
		{.next = 2, .contact = 1, .volume_bytes = 3000, .arrival = 10 * SEC},
		{.next = 3, .contact = 2, .volume_bytes = 3000, .arrival = 20 * SEC},
		{.next = 2, .contact = 3, .volume_bytes = UINT64_MAX, .arrival = 900 * SEC}};

	((struct asked *)(void *)r)->n++;
	for (size_t i = 0; i < 3; i++) {
		bool no = all[i].arrival <= q->at;

		for (unsigned k = 0; k < q->n_closed; k++)
			no |= q->closed[k] == all[i].contact;
		for (unsigned k = 0; k < q->n_exclude; k++)
			no |= q->exclude[k] == all[i].next;
		*out = all[i];
		if (!no)
			return 0;
	}
	return -E_NO_CONTACT;
}

static mono asked_earliest(struct route *r, node_id from, node_id to, mono at)
{
	(void)r, (void)from, (void)to;
	return at;
}

static void asked_free(struct route *r)
{
	(void)r;
}

/* A contact whose volume is promised is passed over; a short-lived bundle does not wait for a far one;
 * a contact that closes on many bundles asks a few times. */
Test(ways, volume_is_promised_once)
{
	static const struct route_ops ops = {"asked", asked_find, asked_earliest, asked_free};
	struct asked router = {.base = {&ops}};
	struct side s;
	unsigned before;

	side_init(&s, 1, n23, 2, 2);
	s.route->ops->free(s.route);
	s.route = &router.base;
	side_start(&s, n23, 2);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(send_bytes(&s, 9, 800, 0, false), 0);
	side_commit(&s, 0);
	cr_assert_eq(agent_queued(s.agent, 0), 3);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(send_bytes(&s, 9, 800, 0, false), 0);
	cr_assert_eq(agent_queued(s.agent, 0), 3);
	cr_assert_eq(agent_queued(s.agent, 1), 3, "what the first has no room for");
	for (int i = 0; i < 20; i++)
		cr_assert_eq(send_bytes(&s, 9, 800, 0, false), 0);
	cr_assert_eq(agent_queued(s.agent, 0), 23, "the third contact, to the first neighbour");
	before = router.n;
	cr_assert_eq(side_send(&s, 9, 5, 30 * 1000, false), 0); /* gone before that one comes */
	cr_assert_eq(agent_queued(s.agent, 0) + agent_queued(s.agent, 1), 27);
	side_commit(&s, 0);
	before = router.n;
	side_at(&s, 11 * SEC);
	agent_contact(s.agent, s.now, 0, false, s.now);
	cr_assert_leq(router.n - before, 2 * 3, "24 bundles of two sizes");
	cr_assert_eq(agent_queued(s.agent, 0) + agent_queued(s.agent, 1), 27);
	side_fini(&s);
}

/* Records of earlier versions are read: what they lack is 0. */
Test(record, versions)
{
	static const size_t fields[] = {19, 20, 25};
	const struct record full = {.flags = RECORD_LOCAL,
		.own_seq_no = 7,
		.source_node = 8,
		.frag_off = 9,
		.total_len = 10,
		.adu_uid = {11, 12},
		.sent_bytes = 13};
	uint8_t room[STORE_VALUE_MAX];
	struct buf b = buf_of(room, sizeof room);
	struct record r;

	record_encode(&b, &full);
	cr_assert_eq(b.len, 1 + 8 * fields[2]);
	for (unsigned version = 1; version <= RECORD_VERSION; version++) {
		size_t n = 1 + 8 * fields[version - 1];

		room[0] = (uint8_t)version;
		memset(&r, 0, sizeof r);
		cr_assert_eq(record_decode(view_of(room, n), &r), 0);
		cr_expect(r.own_seq_no == 7 && r.flags == RECORD_LOCAL);
		cr_expect_eq(r.source_node, version >= 2 ? 8 : 0);
		cr_expect_eq(r.sent_bytes, version >= 3 ? 13 : 0);
		cr_expect_eq(r.adu_uid[1], version >= 3 ? 12 : 0);
		for (size_t k = 0; k < n; k++)
			cr_expect_eq(record_decode(view_of(room, k), &r), -E_TRUNCATED);
		cr_expect_eq(record_decode(view_of(room, n + 1), &r), -E_TRAILING);
	}
	room[0] = RECORD_VERSION + 1;
	cr_expect_eq(record_decode(buf_view(&b), &r), -E_VERSION);
}
