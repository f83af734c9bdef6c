/*
 * owlt bench steps: what a turn of the loop costs at most while large data is secured or checked: 16 MB go
 * through HMAC-SHA-256 and AES-256-GCM at one agent, cross in pieces of 60 kB, and are decrypted and
 * verified by another, both in this process with memory stores, security.step_bytes in a turn. CPU
 * time, so that others on the machine don't count; the least of some rounds. Start reading at bench_steps().
 */
#include "tools/bench.h"

#include "dtn/agent/agent.h"
#include "dtn/node/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SIZE ((size_t)16 << 20)
#define PIECE 60000u
#define WIRE 65536u
#define ROUNDS 3u
#define DTN0 UINT64_C(820000000000)
#define LAB_KEYS                                                                                   \
	"\"lab_keys\":[{\"id\":\"mac\",\"kind\":\"hmac\",\"secret\":"                              \
	"\"1f0a8c5d7be2493b6c11d4e8a09f3752c6b81e40d97a2f63e5048bc2716dfa39\"},"                   \
	"{\"id\":\"aes\",\"kind\":\"aes256\",\"secret\":"                                          \
	"\"80c3d1f2a4b5968778695a4b3c2d1e0f00112233445566778899aabbccddeeff\"}]"
#define RULES(role)                                                                                \
	"{\"send\":{\"max_whole_bytes\":\"16Mi\"},\"security\":{\"rules\":[{\"role\":\"" role      \
	"\",\"operation\":\"integrity\",\"key\":\"mac\"},{\"role\":\"" role                        \
	"\",\"operation\":\"confidentiality\",\"key\":\"aes\"}]," LAB_KEYS "}}"

/* One of the two nodes: ipn:1.0 or ipn:2.0. */
struct end {
	struct static_row row;
	struct route *route;
	struct trace trace;
	struct store *store;
	struct agent *agent;
	unsigned n_heard;
};

/* CPU of the turns of one part, in ns. */
struct turns {
	uint64_t n, all, longest;
};

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void turns_add(struct turns *t, uint64_t ns)
{
	t->n++;
	t->all += ns;
	t->longest = ns > t->longest ? ns : t->longest;
}

static int end_open(struct end *s, struct node_cfg *cfg, node_id node, const char *rules)
{
	struct store_limits limits = store_limits_default();
	struct schema_error e;
	struct agent_deps deps = {.trace = &s->trace,
		.seed = 1,
		.self = eid_ipn(node, 0),
		.dtn_at_zero = DTN0,
		.clock_is_accurate = true};
	struct eid endpoint = eid_ipn(node, 5);
	uint32_t reg;
	int err = node_cfg_defaults(cfg, &e);

	err = err ? err : schema_json(node_parts, cfg, view_text(rules), &e);
	s->row = (struct static_row){NODE_NONE, 3 - node};
	s->route = route_static_new(&s->row, 1);
	err = err ? err : s->route ? trace_init(&s->trace, 0) : -ENOMEM;
	err = err ? err : store_mem_open(&limits, &s->store);
	deps.route = s->route;
	deps.store = s->store;
	err = err ? err : agent_new(&cfg->agent, &deps, 0, &s->agent);
	err = err ? err : agent_neighbour(s->agent, 3 - node);
	if (err)
		return err;
	agent_contact(s->agent, 0, 0, true, MONO_NEVER);
	err = agent_register(s->agent, 0, &endpoint, &reg);
	agent_credit(s->agent, 0, reg, 1);
	return err;
}

static void end_close(struct end *s)
{
	agent_free(s->agent);
	if (s->store)
		store_close(s->store);
	if (s->route)
		s->route->ops->free(s->route);
	trace_fini(&s->trace);
}

/* What is staged is made durable, and what happened is taken. */
static void commit(struct end *s)
{
	struct store_batch *b = store_commit_begin(s->store);
	struct agent_event ev;

	if (b)
		store_commit_end(s->store, b, store_commit_run(b));
	agent_stored(s->agent, 0);
	while (agent_event(s->agent, 0, &ev))
		s->n_heard++;
	store_turn(s->store);
}

static int secure(struct end *a, struct view data, struct turns *t)
{
	struct agent_send s = {.source = eid_ipn(1, 5),
		.dest = eid_ipn(2, 5),
		.report_to = eid_null(),
		.lifetime_ms = 3600000,
		.crc_type = CRC_32C};
	uint64_t request;
	int err = agent_send_open(a->agent, 0, &s, data.n, &request);

	while ((!err || err == -E_AGAIN) && data.n > 0) {
		uint64_t from = cpu_ns();

		err = agent_send_part(a->agent, 0, request, &data);
		agent_tick(a->agent, 0);
		turns_add(t, cpu_ns() - from);
	}
	commit(a);
	return err;
}

static int carry(struct end *a, struct end *b, uint8_t *wire)
{
	int err = 0;

	while (!err) {
		static uint8_t head[WIRE];
		struct buf room = buf_of(head, sizeof head), out = buf_of(wire, WIRE);
		struct agent_offer o = {.max_bytes = PIECE, .max_ever = PIECE, .room = &room};
		struct view payload;

		if (!agent_next(a->agent, 0, &o))
			break;
		err = store_payload(a->store, o.payload, &payload);
		if (err)
			break;
		buf_put(&out, o.head);
		buf_put(&out, payload);
		buf_put(&out, o.tail);
		agent_sent(a->agent, 0, &(struct agent_sent){.id = o.id});
		agent_receive(b->agent, 0, 0, 1, buf_view(&out));
		commit(b);
	}
	return err;
}

static int check(struct end *b, struct turns *t)
{
	while (agent_deadline(b->agent) <= 0) {
		uint64_t from = cpu_ns();

		agent_tick(b->agent, 0);
		store_turn(b->store);
		turns_add(t, cpu_ns() - from);
	}
	commit(b);
	return b->n_heard == 1 ? 0 : -E_STATE; /* delivered */
}

static void figure(struct out *o, const char *what, const struct turns *t)
{
	char name[64], note[96];

	snprintf(name, sizeof name, "%s: longest turn", what);
	snprintf(note, sizeof note, "of CPU; in %llu turns; all of it %.1f ms",
		(unsigned long long)t->n, (double)t->all / 1e6);
	bench_figure(o, name, (double)t->longest / 1e3, "us", note);
}

int bench_steps(struct out *o)
{
	struct node_cfg *cfg = malloc(sizeof *cfg);
	uint8_t *data = calloc(1, SIZE + WIRE);
	struct turns made = {0}, checked = {0};
	int err = cfg && data ? 0 : -ENOMEM;

	for (unsigned round = 0; !err && round < ROUNDS; round++) {
		struct turns m = {0}, c = {0};
		struct end a = {0}, b = {0};

		err = end_open(&a, cfg, 1, RULES("source"));
		err = err ? err : end_open(&b, cfg, 2, RULES("acceptor"));
		err = err ? err : secure(&a, view_of(data, SIZE), &m);
		err = err ? err : carry(&a, &b, data + SIZE);
		err = err ? err : check(&b, &c);
		end_close(&a);
		end_close(&b);
		made = round && made.longest < m.longest ? made : m;
		checked = round && checked.longest < c.longest ? checked : c;
	}
	free(cfg);
	free(data);
	if (err)
		return out_fail("bench steps: %s", err_text(err));
	figure(o, "16 MB secured", &made);
	figure(o, "16 MB checked", &checked);
	return 0;
}
