/*
 * What the agent reads back from its store: records of bundles, tombstones, custody pairs. Any bytes
 * may stand there after a crash or another version: an agent that starts over them takes what is right,
 * gives up the rest, and goes on. Input: rows of {kind, length, value}; a bundle's head comes from a
 * fixed bundle so that a record that fits it is found.
 */
#include "dtn/agent/agent.h"
#include "dtn/agent/record.h"
#include "dtn/node/config.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void both_ways(struct view value)
{
	uint8_t room[STORE_VALUE_MAX];
	struct buf b = buf_of(room, sizeof room);
	struct record r, again;

	if (record_decode(value, &r) != 0)
		return;
	record_encode(&b, &r);
	assert(buf_fits(&b) && record_decode(buf_view(&b), &again) == 0);
	assert(again.uid[0] == r.uid[0] && again.expiry_ms == r.expiry_ms &&
		again.own_seq_no == r.own_seq_no && again.payload_bytes == r.payload_bytes);
}

static void put_bundle(struct store *st, struct view value, struct view head)
{
	static const uint8_t payload[] = {1, 2, 3, 4, 0xff};
	struct view part = view_of(payload, sizeof payload);
	struct store_bundle s = {.value = value, .head = head, .payload = &part, .n_payload = 1};
	uint64_t id;

	(void)!store_put(st, &s, &id);
}

static void fill(struct store *st, const uint8_t *data, size_t size, struct view head)
{
	uint64_t row = 1;

	while (size >= 2) {
		size_t n = data[1] < size - 2 ? data[1] : size - 2;
		struct view value = view_of(data + 2, n);

		both_ways(value);
		switch (data[0] % 6) {
		case 0:
		case 1:
			put_bundle(st, value, head);
			break;
		case 2:
			put_bundle(st, value, value);
			break;
		case 3:
			(void)!store_row_set(st, STORE_TOMB, row++, value);
			break;
		case 4:
			(void)!store_row_set(st, STORE_PAIR, row++, value);
			break;
		default:
			(void)!store_row_set(st, STORE_REGISTRATION, row++, value);
		}
		data += 2 + n;
		size -= 2 + n;
	}
}

static struct view head_make(uint8_t *room, size_t n)
{
	struct buf b = buf_of(room, n);
	uint32_t crc;
	struct bundle_spec s = {.dest = eid_ipn(3, 9),
		.source = eid_ipn(1, 9),
		.report_to = eid_null(),
		.crc_type = CRC_32C,
		.created_ms = 820000000000,
		.lifetime_ms = 3600000,
		.has_age = true,
		.custody = custody_codes_ccsds()};

	assert(bundle_build_head(&b, &s, 4, &crc) == 0);
	return buf_view(&b);
}

static void run(const struct agent_cfg *cfg, struct store *st)
{
	struct static_row row = {NODE_NONE, 3};
	struct route *route = route_static_new(&row, 1);
	struct agent_deps deps = {.store = st,
		.route = route,
		.seed = 7,
		.self = eid_ipn(2, 0),
		.dtn_at_zero = 820000000000,
		.clock_is_accurate = true};
	struct agent *a = NULL;
	uint8_t room[4096];
	struct buf b = buf_of(room, sizeof room);

	int err = agent_new(cfg, &deps, 0, &a);
	assert(route && (err == 0 || err == -E_VERSION)); /* rows of a younger release */
	if (err) {
		route->ops->free(route);
		return;
	}
	int k = agent_neighbour(a, 3);
	assert(k >= 0);
	agent_contact(a, 0, (unsigned)k, true, MONO_NEVER);
	agent_changed(a, 0);
	for (unsigned i = 0; i < 8; i++) {
		struct agent_offer o = {
			.neighbour = (unsigned)k, .max_bytes = 4096, .max_ever = 4096, .room = &b};
		struct agent_bundle seen;
		uint64_t id = 0;

		agent_tick(a, (mono)i * US_PER_S * 600);
		b.len = 0;
		if (agent_next(a, (mono)i * US_PER_S * 600, &o))
			agent_sent(a, (mono)i * US_PER_S * 600, &(struct agent_sent){.id = o.id});
		while (agent_next_bundle(a, &id, &seen))
			assert(seen.state);
		store_turn(st);
	}
	agent_free(a);
	route->ops->free(route);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct node_cfg cfg;
	struct store_limits limits = store_limits_default();
	struct schema_error e;
	struct store *st;
	uint8_t room[512];

	if (!cfg.agent.max_bundles)
		assert(node_cfg_defaults(&cfg, &e) == 0);
	cfg.agent.max_bundles = 32;
	cfg.agent.max_tombstones = 8;
	cfg.agent.max_old_pairs = 64;
	limits.max_rows = 64;
	assert(store_mem_open(&limits, &st) == 0);
	fill(st, data, size, head_make(room, sizeof room));
	struct store_batch *b = store_commit_begin(st);
	struct store_event ev;
	if (b)
		store_commit_end(st, b, store_commit_run(b));
	while (store_event(st, &ev))
		;
	run(&cfg.agent, st);
	store_close(st);
	return 0;
}
