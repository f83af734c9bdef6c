/*
 * Large data that is secured as it comes in, and checked in steps where it is whole again. Without memory
 * it is refused or waits; what comes after it is delivered.
 */
#include "dtn/agent/agent.h"
#include "dtn/node/config.h"
#include "dtn/route/route.h"
#include "tests/unit/alloc/fail.h"

#include <criterion/criterion.h>

#define DTN0 UINT64_C(820000000000)
#define SIZE 3000u
#define KEYS                                                                                       \
	"\"lab_keys\":[{\"id\":\"mac\",\"kind\":\"hmac\",\"secret\":"                              \
	"\"1f0a8c5d7be2493b6c11d4e8a09f3752c6b81e40d97a2f63e5048bc2716dfa39\"},"                   \
	"{\"id\":\"aes\",\"kind\":\"aes256\",\"secret\":"                                          \
	"\"80c3d1f2a4b5968778695a4b3c2d1e0f00112233445566778899aabbccddeeff\"}]"
#define RULES(role)                                                                                \
	"{\"security\":{\"rules\":[{\"role\":\"" role                                              \
	"\",\"operation\":\"integrity\",\"key\":\"mac\"},"                                         \
	"{\"role\":\"" role "\",\"operation\":\"confidentiality\",\"key\":\"aes\"}]," KEYS "}}"

static const uint8_t data[SIZE] = {1, 2, 3};

struct end {
	node_id node, peer;
	const char *rules;
	struct route *route;
	struct trace trace;
	struct store *store;
	struct agent *agent;
	unsigned delivered;
};

static int start(struct end *s)
{
	static struct node_cfg cfg;
	struct store_limits l = store_limits_default();
	struct eid e = eid_ipn(s->node, 5);
	struct agent_deps deps = {.route = s->route,
		.trace = &s->trace,
		.seed = 7,
		.self = eid_ipn(s->node, 0),
		.dtn_at_zero = DTN0,
		.clock_is_accurate = true};
	struct schema_error why;
	uint32_t reg;
	int err;

	err = node_cfg_defaults(&cfg, &why);
	err = err ? err : schema_json(node_parts, &cfg, view_text(s->rules), &why);
	if (err)
		return -ENOMEM;
	cfg.agent.max_bundles = cfg.agent.max_tombstones = 64;
	cfg.agent.max_registrations = cfg.agent.max_parties = 4;
	cfg.agent.max_adus = 4;
	cfg.agent.max_open_sends = 2;
	cfg.agent.source_bytes = 1000;
	cfg.agent.security.step_bytes = 1000;
	cfg.agent.security.max_running = 1;
	l.max_bytes = l.stage_bytes = 1 << 20;
	l.max_bundles = l.max_rows = 128;
	l.reserved_bytes = 1 << 10;
	s->store = NULL;
	s->agent = NULL;
	s->delivered = 0;
	err = store_mem_open(&l, &s->store);
	deps.store = s->store;
	err = err ? err : agent_new(&cfg.agent, &deps, 0, &s->agent);
	err = err ? err : agent_neighbour(s->agent, s->peer) < 0 ? -ENOMEM : 0;
	if (err)
		return err;
	agent_contact(s->agent, 0, 0, true, MONO_NEVER);
	err = agent_register(s->agent, 0, &e, &reg);
	agent_credit(s->agent, 0, reg, 16);
	return err;
}

static void stop(struct end *s)
{
	agent_free(s->agent);
	if (s->store)
		store_close(s->store);
}

static void turn(struct end *s, mono now)
{
	struct store_batch *b = store_commit_begin(s->store);
	struct agent_event ev;

	if (b)
		store_commit_end(s->store, b, store_commit_run(b));
	agent_stored(s->agent, now);
	while (agent_event(s->agent, now, &ev))
		if (ev.type == AGENT_DELIVERY) {
			cr_assert_eq(ev.size_bytes, SIZE);
			s->delivered++;
			(void)!agent_ack(s->agent, now, ev.registration, ev.id);
		}
	store_turn(s->store);
	agent_tick(s->agent, now);
}

static void feed(struct end *a, mono now)
{
	struct agent_send s = {.source = eid_ipn(1, 9),
		.dest = eid_ipn(2, 5),
		.report_to = eid_null(),
		.lifetime_ms = 3600000,
		.crc_type = CRC_32C};
	struct view rest = view_of(data, SIZE);
	uint64_t request;
	int err = agent_send_open(a->agent, now, &s, SIZE, &request);

	while (!err && rest.n > 0) {
		err = agent_send_part(a->agent, now, request, &rest);
		turn(a, now);
		err = err == -E_AGAIN ? 0 : err;
	}
}

/* One large payload from a to b; all that b could do about it is done. */
static void cross(struct end *a, struct end *b, mono now)
{
	static uint8_t head[4096], wire[4096];

	feed(a, now);
	turn(a, now);
	for (;;) {
		struct buf room = buf_of(head, sizeof head), out = buf_of(wire, sizeof wire);
		struct agent_offer o = {.max_bytes = 1200, .max_ever = 1200, .room = &room};
		struct view payload;

		if (!agent_next(a->agent, now, &o))
			break;
		if (store_payload(a->store, o.payload, &payload) != 0) {
			agent_send_failed(a->agent, now, o.id);
			break;
		}
		buf_put(&out, o.head);
		buf_put(&out, payload);
		buf_put(&out, o.tail);
		agent_sent(a->agent, now, &(struct agent_sent){.id = o.id, .tx_end = now});
		agent_receive(b->agent, now, 0, 1, buf_view(&out));
	}
	for (unsigned k = 0; k < 16; k++)
		turn(b, now);
	turn(a, now);
}

Test(alloc, large_data_is_secured, .timeout = 120)
{
	struct static_row row[2] = {{NODE_NONE, 2}, {NODE_NONE, 1}};
	struct end a = {.node = 1, .peer = 2, .rules = RULES("source")},
		   b = {.node = 2, .peer = 1, .rules = RULES("acceptor")};

	a.route = route_static_new(&row[0], 1);
	b.route = route_static_new(&row[1], 1);
	cr_assert(a.route && b.route);
	cr_assert_eq(trace_init(&a.trace, 0), 0);
	cr_assert_eq(trace_init(&b.trace, 0), 0);
	FAIL_EACH_SOFT(k)
	{
		int err = start(&a);

		b.store = NULL;
		b.agent = NULL;
		err = err ? err : start(&b);
		if (!err) {
			cross(&a, &b, US_PER_S);
			bool hit = fail_off(&k);

			cr_assert(hit || b.delivered == 1);
			for (unsigned n = 2; n < 20; n++) /* what waits tries again */
				turn(&b, n * US_PER_S);
			unsigned before = b.delivered;

			cross(&a, &b, 30 * US_PER_S);
			cr_assert_eq(b.delivered, before + 1, "allocation %u", k.at);
		}
		fail_off(&k);
		stop(&a);
		stop(&b);
		fail_judge(&k, err);
	}
	cr_assert_gt(fail_total(), 40);
	trace_fini(&a.trace);
	trace_fini(&b.trace);
	a.route->ops->free(a.route);
	b.route->ops->free(b.route);
}
