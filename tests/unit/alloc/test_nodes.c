/*
 * What runs: stores, agents, nodes, worlds, security workers. Without memory each is not made, or
 * refuses the one thing that needed it; then it goes on.
 */
#include "bundle/bpsec.h"
#include "convergence/cl.h"
#include "dtn/agent/agent.h"
#include "dtn/io/loop.h"
#include "dtn/io/writer.h"
#include "dtn/node/config.h"
#include "dtn/route/route.h"
#include "dtn/sim/world.h"
#include "tests/unit/alloc/fail.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DTN0 UINT64_C(820000000000)

static struct store_limits small(void)
{
	struct store_limits l = store_limits_default();

	l.max_bytes = 1 << 20;
	l.max_bundles = 64;
	l.max_rows = 64;
	l.stage_bytes = 1 << 18;
	l.reserved_bytes = 1 << 14;
	return l;
}

static int commit(struct store *st)
{
	struct store_batch *b = store_commit_begin(st);
	struct store_event ev;
	int err = 0;

	if (b) {
		err = store_commit_run(b);
		store_commit_end(st, b, err);
	}
	while (store_event(st, &ev))
		;
	store_turn(st);
	return err;
}

/* Puts, changes, reads and deletes; the first error. */
static int use(struct store *st)
{
	uint64_t id, first, seq, other;
	struct view part = view_text("a payload"), got;
	struct store_bundle b = {.value = view_text("value"),
		.head = view_text("head"),
		.payload = &part,
		.n_payload = 1};
	int err = store_put(st, &b, &id);

	err = err ? err : store_row_set(st, STORE_TOMB, 1, view_text("row"));
	err = err ? err : store_reserve(st, COUNTER_CREATION, 3, &first, &seq);
	if (!err && (err = store_begin(st, 2000, 0, &other)) == 0) {
		static const uint8_t bytes[2000];

		err = store_append(st, other, view_of(bytes, sizeof bytes));
		if (err)
			store_abandon(st, other);
		else
			err = store_seal(st, other, &b);
	}
	err = err ? err : commit(st);
	if (!err) {
		store_update(st, id, view_text("other value"));
		err = store_payload(st, (struct slice){.handle = id, .off = 0, .len = 9}, &got);
		cr_assert(err || view_equal(got, part));
		store_delete(st, id);
	}
	return err ? err : commit(st);
}

Test(alloc, memory_store)
{
	struct store_limits l = small();

	FAIL_EACH(k)
	{
		struct store *st = NULL;
		int err = store_mem_open(&l, &st);

		if (!err) {
			err = use(st);
			fail_off(&k);
			(void)!commit(st);
			if (err == -ENOMEM) /* it is still good for everything */
				cr_assert_eq(use(st), 0);
			store_close(st);
		}
		fail_judge(&k, err);
	}
}

static void empty_folder(const char *path)
{
	char file[512];
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.') {
			snprintf(file, sizeof file, "%s/%s", path, e->d_name);
			unlink(file);
		}
	if (d)
		closedir(d);
}

Test(alloc, disk_store, .timeout = 120)
{
	char path[] = "build/alloc-XXXXXX";
	struct store_limits l = small();

	cr_assert(mkdtemp(path));
	FAIL_EACH_SOFT(k) /* spare segments and compaction may wait */
	{
		struct store *st = NULL;
		int err = store_disk_open(path, &l, &st);

		if (!err) {
			err = use(st);
			fail_off(&k);
			store_close(st);
		}
		fail_off(&k);
		if (err) { /* what is on disk can be opened */
			cr_assert_eq(store_disk_open(path, &l, &st), 0);
			cr_assert_eq(use(st), 0);
			store_close(st);
		}
		fail_judge(&k, err);
		if (k.at % 8 == 0)
			empty_folder(path);
	}
	empty_folder(path);
	rmdir(path);
}

static struct agent_cfg agent_settings(void)
{
	static struct node_cfg cfg;
	struct schema_error e;

	cr_assert_eq(node_cfg_defaults(&cfg, &e), 0);
	cfg.agent.max_bundles = 16;
	cfg.agent.max_tombstones = 16;
	cfg.agent.max_registrations = 4;
	cfg.agent.max_parties = 4;
	cfg.agent.reports = true;
	return cfg.agent;
}

static size_t bundle_for(uint8_t *room, size_t n, uint64_t seq)
{
	struct buf b = buf_of(room, n);
	struct bundle_spec s = {.dest = eid_ipn(2, 9),
		.source = eid_ipn(1, 9),
		.report_to = eid_ipn(1, 0),
		.flags = BUNDLE_REPORT_RECEPTION,
		.crc_type = CRC_32C,
		.created_ms = DTN0,
		.seq = seq,
		.lifetime_ms = 3600000,
		.custody = custody_codes_ccsds()};

	cr_assert_eq(bundle_build(&b, &s, view_text("hello")), 0);
	return b.len;
}

struct life {
	struct store *store;
	struct agent *agent;
	unsigned delivered, refused;
};

static void listen(struct life *f, mono now)
{
	struct agent_event ev;

	agent_stored(f->agent, now);
	while (agent_event(f->agent, now, &ev)) {
		f->refused += ev.type == AGENT_REFUSED;
		if (ev.type == AGENT_DELIVERY) {
			f->delivered++;
			(void)!agent_ack(f->agent, now, ev.registration, ev.id);
		}
	}
}

static void turn(struct life *f, mono now)
{
	struct store_batch *b;

	listen(f, now);
	b = store_commit_begin(f->store);
	if (b)
		store_commit_end(f->store, b, store_commit_run(b));
	listen(f, now);
	store_turn(f->store);
	agent_tick(f->agent, now);
}

/* Receives, delivers, sends, forwards. */
static void live(struct life *f, mono now, uint64_t seq)
{
	static uint8_t room[8192];
	struct buf b = buf_of(room, sizeof room);
	struct view payload = view_text("out");
	struct agent_send s = {.source = eid_ipn(2, 9),
		.dest = eid_ipn(3, 1),
		.report_to = eid_null(),
		.lifetime_ms = 3600000,
		.custody = true,
		.crc_type = CRC_32C,
		.payload = &payload,
		.n_payload = 1};
	struct agent_offer o = {.neighbour = (unsigned)agent_neighbour(f->agent, 3),
		.max_bytes = 4096,
		.max_ever = 4096,
		.room = &b};
	uint64_t request;
	size_t n = bundle_for(room, sizeof room, seq);

	agent_receive(f->agent, now, 0, 1, view_of(room, n));
	(void)!agent_send(f->agent, now, &s, &request);
	turn(f, now);
	if (agent_next(f->agent, now, &o))
		agent_sent(f->agent, now, &(struct agent_sent){.id = o.id, .tx_end = now});
	turn(f, now);
	turn(f, now);
}

static int life_start(struct life *f, struct route *route, struct trace *trace)
{
	static struct store_limits l;
	struct agent_cfg cfg = agent_settings();
	struct agent_deps deps = {.route = route,
		.trace = trace,
		.seed = 7,
		.self = eid_ipn(2, 0),
		.dtn_at_zero = DTN0,
		.clock_is_accurate = true};
	struct eid e = eid_ipn(2, 9);
	uint32_t reg;
	int err;

	l = small();
	*f = (struct life){0};
	err = store_mem_open(&l, &f->store);
	deps.store = f->store;
	err = err ? err : agent_new(&cfg, &deps, 0, &f->agent);
	err = err ? err : agent_neighbour(f->agent, 3) < 0 ? -ENOMEM : 0;
	if (!err)
		agent_contact(f->agent, 0, 0, true, MONO_NEVER);
	err = err ? err : agent_register(f->agent, 0, &e, &reg);
	if (!err)
		agent_credit(f->agent, 0, reg, 16);
	return err;
}

static void life_end(struct life *f)
{
	agent_free(f->agent);
	if (f->store)
		store_close(f->store);
}

Test(alloc, agent, .timeout = 120)
{
	struct static_row row = {NODE_NONE, 3};
	struct route *route = route_static_new(&row, 1);
	struct trace trace;

	cr_assert(route);
	cr_assert_eq(trace_init(&trace, 0), 0);
	FAIL_EACH_SOFT(k)
	{
		struct life f;
		int err = life_start(&f, route, &trace);

		if (!err) {
			live(&f, US_PER_S, 1);
			bool hit = fail_off(&k);
			unsigned before = f.delivered;

			live(&f, 2 * US_PER_S, 2);
			live(&f, 3 * US_PER_S, 3);
			cr_assert_eq(f.delivered, before + 2, "allocation %u", k.at);
			cr_assert(hit || before == 1);
		}
		fail_off(&k);
		life_end(&f);
		fail_judge(&k, err);
	}
	cr_assert_gt(fail_total(), 20);
	trace_fini(&trace);
	route->ops->free(route);
}

Test(alloc, node, .timeout = 60)
{
	static struct node_cfg cfg;
	struct schema_error e;
	struct store_limits l = small();
	struct trace trace;

	cr_assert_eq(node_cfg_defaults(&cfg, &e), 0);
	cr_assert_eq(schema_json(node_parts, &cfg,
			     view_text("{\"node\":{\"id\":\"ipn:1.0\"},\"links\":[{\"name\":\"a\","
				       "\"peer\":"
				       "\"ipn:2.0\",\"remote\":\"127.0.0.1:1\"}]}"),
			     &e),
		0);
	cfg.agent.max_bundles = cfg.agent.max_tombstones = 16;
	FAIL_EACH(k)
	{
		struct store *st = NULL;
		struct node *n = NULL;
		int err = trace_init(&trace, 16);

		if (!err) {
			err = store_mem_open(&l, &st);
			if (!err) {
				struct node_deps deps = {.store = st,
					.trace = &trace,
					.seed = 7,
					.dtn_at_zero = DTN0};
				err = node_new(&cfg, &deps, 0, &n);
				node_free(n);
				store_close(st);
			}
			trace_fini(&trace);
		}
		fail_judge(&k, err);
	}
}

Test(alloc, world, .timeout = 120)
{
	struct plan_note note[4];
	struct plan_notes notes = {note, 0, 4};
	struct topo *t;

	cr_assert_eq(
		topo_read(
			view_text(
				"{\"name\":\"t\",\"nodes\":[{\"name\":\"a\",\"id\":\"ipn:1.0\"},"
				"{\"name\":\"b\",\"id\":\"ipn:2.0\"}],\"links\":[{\"name\":\"a-b\","
				"\"a\":\"a\",\"b\":\"b\"}],\"until\":\"5s\","
				"\"config\":{\"agent\":{\"max_bundles\":16,\"max_tombstones\":16}}"
				"}"),
			(struct view){0}, &t, &notes),
		0);
	FAIL_EACH(k)
	{
		struct node_cfg *cfg = NULL;
		struct sim *s = NULL;
		char why[200];
		int err = sim_setup(t, &cfg, why, sizeof why);

		if (!err) {
			struct sim_cfg c = {.topo = t,
				.node = cfg,
				.seed = 1,
				.dtn_at_zero = DTN0,
				.faults = {.until = MONO_NEVER}};
			err = sim_new(&c, &s);
			if (!err)
				sim_free(s);
		}
		free(cfg);
		fail_judge(&k, err);
	}
	topo_free(t);
}

Test(alloc, routes_and_layers)
{
	struct plan_note note[4];
	struct plan_notes notes = {note, 0, 4};
	struct plan *p;

	cr_assert_eq(plan_read(view_text("a contact +0 +60 1 2 1000\na range +0 +60 1 2 1\n"),
			     PLAN_AUTO, &p, &notes),
		0);
	FAIL_EACH(k)
	{
		struct route *r = route_cpr_new(p, true);
		struct route_query q = {.from = 1, .to = 2, .expiry = MONO_NEVER, .size_bytes = 10};
		struct route_choice c;
		int err = r ? r->ops->find(r, &q, &c) : -ENOMEM;

		if (r)
			r->ops->free(r);
		fail_judge(&k, err);
	}
	FAIL_EACH(k)
	{
		struct cl_cfg cfg = {.mtu_bytes = 1500};
		struct cl *c = cl_find("udp")->new (&cfg);

		if (c)
			c->ops->free(c);
		fail_judge(&k, c ? 0 : -ENOMEM);
	}
	plan_free(p);
}

Test(alloc, security)
{
	static const char text[] =
		"{\"keys\":[{\"id\":\"a\",\"kind\":\"hmac\",\"sha\":256,\"secret\":"
		"\"1a2b1a2b1a2b1a2b1a2b1a2b1a2b1a2b\"}]}";
	static uint8_t room[8192], out[32768];
	struct keyring_fault fault;
	struct keyring *ring;
	struct bundle_fault bf;
	struct bundle_rules rules = bundle_rules_default();
	struct bundle b;
	size_t n = bundle_for(room, sizeof room, 1);

	cr_assert_eq(keyring_parse(view_text(text), &ring, &fault), 0);
	cr_assert_eq(bundle_read(&b, view_of(room, n), &rules, &bf), 0);
	FAIL_EACH(k)
	{
		struct bpsec *x = bpsec_new(ring);
		struct buf w = buf_of(out, sizeof out);
		struct bpsec_how how = {.type = BLOCK_BIB,
			.target = 1,
			.crc_type = CRC_32C,
			.context = BPSEC_HMAC_SHA2,
			.source = eid_ipn(1, 0),
			.key = keyring_at(ring, 0),
			.scope = BPSEC_SCOPE_ALL};
		int err = x ? bpsec_add(x, &w, &b, &how) : -ENOMEM;

		bpsec_free(x);
		fail_judge(&k, err);
	}
	keyring_free(ring);
}

Test(alloc, loop_and_writer)
{
	FAIL_EACH(k)
	{
		struct writer *w = NULL;
		int err = writer_open(&w);

		if (!err)
			writer_close(w);
		fail_judge(&k, err);
	}
}
