#include "tests/unit/agent/kit.h"

#include "bundle/ccs.h"

#include <criterion/criterion.h>

struct agent_cfg kit_cfg(void)
{
	return (struct agent_cfg){
		.max_bundles = 64,
		.max_tombstones = 64,
		.max_old_pairs = 128,
		.max_registrations = 4,
		.max_lifetime_us = 400 * 86400 * US_PER_S,
		.hop_limit = 8,
		.add_previous_node = true,
		.crc_type = CRC_32C,
		.source_bytes = 100,
		.max_send_bytes = 1 << 20,
		.max_whole_bytes = 2000,
		.max_open_sends = 3,
		.min_bytes = 16,
		.max_adus = 4,
		.max_adu_bytes = 1 << 20,
		.max_adu_fragments = 40,
		.max_adu_us = 86400 * SEC,
		.reports_per_s = 10,
		.max_future_us = 3600 * SEC,
		.max_blocks = BUNDLE_BLOCKS_MAX,
		.max_parties = 64,
		.source_percent = 100,
		.echo = true,
		.echo_service = {7, 128, 2047},
		.echo_per_s = 2,
		.max_reported = 64,
		.custody_accept = true,
		.custody_seq_id = 1,
		.signal_count = 10,
		.signal_delay_us = 5 * SEC,
		.signal_lifetime_us = 86400 * SEC,
		.custody_interval_us = 60 * SEC,
		.custody_margin_us = 2 * SEC,
	};
}

void side_init(struct side *s, node_id node, const node_id *neighbours, size_t n, node_id via)
{
	struct static_row row[8];
	size_t rows = 0;

	*s = (struct side){.node = node, .cfg = kit_cfg(), .limits = store_limits_default()};
	for (size_t i = 0; i < n; i++)
		row[rows++] = (struct static_row){neighbours[i], neighbours[i]};
	if (via != NODE_NONE)
		row[rows++] = (struct static_row){NODE_NONE, via};
	s->route = route_static_new(row, rows);
	cr_assert(s->route);
	cr_assert_eq(trace_init(&s->trace, 0), 0);
}

void side_start(struct side *s, const node_id *neighbours, size_t n)
{
	struct agent_deps deps = {.route = s->route,
		.trace = &s->trace,
		.seed = 7,
		.self = eid_ipn(s->node, 0),
		.dtn_at_zero = KIT_DTN + (uint64_t)s->clock_ms,
		.clock_is_accurate = !s->no_clock};

	if (!s->store)
		cr_assert_eq(store_mem_open(&s->limits, &s->store), 0);
	deps.store = s->store;
	cr_assert_eq(agent_new(&s->cfg, &deps, s->now, &s->agent), 0);
	for (size_t i = 0; i < n; i++) {
		int k = agent_neighbour(s->agent, neighbours[i]);

		cr_assert_geq(k, 0);
		agent_contact(s->agent, s->now, (unsigned)k, true, MONO_NEVER);
	}
	agent_changed(s->agent, s->now);
}

void side_fini(struct side *s)
{
	agent_free(s->agent);
	store_close(s->store);
	s->route->ops->free(s->route);
	trace_fini(&s->trace);
}

void side_crash(struct side *s, bool running_survives, const node_id *neighbours, size_t n)
{
	agent_free(s->agent);
	store_mem_crash(s->store, running_survives);
	side_start(s, neighbours, n);
}

void side_commit(struct side *s, int err)
{
	struct store_batch *b = store_commit_begin(s->store);

	store_turn(s->store);
	if (!b)
		return;
	if (err == 0)
		err = store_commit_run(b);
	store_commit_end(s->store, b, err);
	agent_stored(s->agent, s->now);
}

void side_listen(struct side *s)
{
	struct agent_event ev;

	while (agent_event(s->agent, s->now, &ev)) {
		s->heard += UINT64_C(1) << (8 * ev.type);
		s->last_id = ev.id;
		s->last_err = ev.err;
		if (ev.type == AGENT_DELIVERY)
			s->redelivered = ev.redelivered;
	}
}

void side_at(struct side *s, mono now)
{
	cr_assert_geq(now, s->now);
	s->now = now;
	agent_tick(s->agent, now);
}

int side_send(struct side *s, node_id to, uint64_t service, uint64_t lifetime_ms, bool custody)
{
	struct view payload = view_text("hello, far away");
	struct agent_send a = {.source = eid_ipn(s->node, 9),
		.dest = eid_ipn(to, service),
		.report_to = eid_null(),
		.lifetime_ms = lifetime_ms,
		.priority = 1,
		.custody = custody,
		.crc_type = CRC_32C,
		.payload = &payload,
		.n_payload = 1};

	return agent_send(s->agent, s->now, &a, &s->last_request);
}

void side_fill(struct side *s, node_id to, bool commits)
{
	struct bundle_spec spec = {.flags = BUNDLE_NO_FRAGMENT,
		.crc_type = CRC_32C,
		.block_crc_type = CRC_16,
		.dest = eid_ipn(to, 98),
		.source = eid_ipn(77, 1),
		.report_to = eid_null(),
		.created_ms = KIT_DTN,
		.lifetime_ms = HOUR_MS,
		.has_hop = true,
		.hop_limit = 30,
		.hop_count = 8};
	uint64_t before;
	struct flight f;

	while (side_send(s, to, 99, HOUR_MS, false) == 0)
		if (commits)
			side_commit(s, 0);
	do {
		struct buf out = buf_of(f.bytes, sizeof f.bytes);

		before = stats(s).n_bundles;
		spec.seq++;
		cr_assert_eq(bundle_build(&out, &spec, view_text("far away")), 0);
		f.n = out.len;
		side_in(s, 77, &f);
		if (commits)
			side_commit(s, 0);
	} while (stats(s).n_bundles > before);
}

uint32_t side_register(struct side *s, uint64_t service, uint64_t credit)
{
	struct eid e = eid_ipn(s->node, service);
	uint32_t r;

	cr_assert_eq(agent_register(s->agent, s->now, &e, &r), 0);
	agent_credit(s->agent, s->now, r, credit);
	return r;
}

bool side_out(struct side *s, node_id to, struct flight *f)
{
	bool is_there = side_give(s, to, f);

	if (is_there)
		side_sent(s, f);
	return is_there;
}

void side_sent(struct side *s, const struct flight *f)
{
	agent_sent(s->agent, s->now,
		&(struct agent_sent){.id = f->id, .frame_bytes = f->n + 42, .tx_end = s->now});
}

bool side_give(struct side *s, node_id to, struct flight *f)
{
	uint8_t room[4096];
	struct buf b = buf_of(room, sizeof room), out = buf_of(f->bytes, sizeof f->bytes);
	struct agent_offer o = {.neighbour = (unsigned)agent_neighbour(s->agent, to),
		.max_bytes = sizeof room,
		.max_ever = sizeof room,
		.room = &b};
	struct view payload;

	if (!agent_next(s->agent, s->now, &o))
		return false;
	cr_assert_eq(store_payload(s->store, o.payload, &payload), 0);
	buf_put(&out, o.head);
	buf_put(&out, payload);
	buf_put(&out, o.tail);
	f->n = out.len;
	f->id = o.id;
	cr_assert_eq(out.len, o.size_bytes);
	return true;
}

void side_in(struct side *s, node_id from, const struct flight *f)
{
	agent_receive(s->agent, s->now, 0, from, view_of(f->bytes, f->n));
}

unsigned side_pass(struct side *from, struct side *to)
{
	struct flight f;
	unsigned n = 0;

	for (; side_out(from, to->node, &f); n++)
		side_in(to, from->node, &f);
	return n;
}

void signal_make(struct flight *f, node_id from, node_id to, bool accepted, uint64_t seq_id,
	const uint64_t first_n[2])
{
	struct custody_codes codes = custody_codes_ccsds();
	struct range run;
	struct ccs_sequence s = {
		.accepted = accepted, .seq_id = seq_id, .numbers = ranges_of(&run, 1)};
	uint8_t room[256];
	struct buf record = buf_of(room, sizeof room), out = buf_of(f->bytes, sizeof f->bytes);
	struct bundle_spec spec = {.flags = BUNDLE_ADMIN,
		.crc_type = CRC_32C,
		.block_crc_type = CRC_32C,
		.dest = eid_ipn(to, 0),
		.source = eid_ipn(from, 0),
		.report_to = eid_null(),
		.created_ms = KIT_DTN,
		.seq = first_n[0] ^ 77,
		.lifetime_ms = HOUR_MS,
		.custody = codes};

	cr_assert_eq(ranges_add(&s.numbers, first_n[0], first_n[0] + first_n[1]), 0);
	ccs_write(&record, &codes, &s, 1);
	cr_assert_eq(bundle_build(&out, &spec, buf_view(&record)), 0);
	f->n = out.len;
}

uint64_t count(const struct side *s, enum trace_ev ev)
{
	return s->trace.count[ev];
}

unsigned heard(const struct side *s, enum agent_ev type)
{
	return (unsigned)(s->heard >> (8 * type) & 0xff);
}

struct agent_stats stats(const struct side *s)
{
	struct agent_stats st;

	agent_stats(s->agent, &st);
	return st;
}
