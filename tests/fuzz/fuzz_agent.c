/*
 * One agent driven by bytes and time: the input is a row of steps (a step octet and its arguments),
 * which are bundles made from a few octets, changed, signed, or free, time going on, contacts, commits that
 * succeed, fail or are lost in a crash, registrations, credit, acknowledgements, sends at once and in
 * pieces. Limits are small so that they are met.
 *
 * After each step: the store holds what the agent believes; limits hold; what was acknowledged does
 * not come again before it expires; every send request is answered once. At the end the same input is
 * played again and must give the same counts.
 */
#include "bundle/admin.h"
#include "bundle/bibe.h"
#include "bundle/bpsec.h"
#include "bundle/fragment.h"
#include "bundle/ccs.h"
#include "dtn/agent/agent.h"
#include "dtn/node/config.h"
#include "tests/fuzz/bundle_mutate.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DTN0 UINT64_C(820000000000)
#define LIFE_MAX_MS UINT64_C(86400000)
#define FLYING_MAX 8
#define ACKED_MAX 64
#define REGS 3
#define OPEN_MAX 4

/* A delivery that was acknowledged for good: not again before `until`. */
struct acked {
	uint64_t source, service, created, seq;
	mono until;
};

struct secured {
	struct node_cfg cfg;
	struct keyring *ring;
	struct bpsec *worker;
};

struct play {
	const uint8_t *p, *end;
	struct agent_cfg cfg;
	const struct secured *secured;
	struct store_limits limits;
	struct store *store;
	struct store_batch *batch;
	struct route *route;
	struct trace trace;
	struct agent *agent;
	mono now;
	uint64_t flying[FLYING_MAX];
	unsigned n_flying;
	uint32_t reg[REGS];
	struct {
		uint64_t id;
		uint32_t reg;
		struct acked what;
	} handed[ACKED_MAX];
	unsigned n_handed;
	struct acked acked[ACKED_MAX];
	unsigned n_acked;
	uint64_t open[OPEN_MAX]; /* requests in pieces */
	unsigned n_asked, n_answered;
	uint64_t sum; /* of what came out */
};

static unsigned u8(struct play *f)
{
	return f->p < f->end ? *f->p++ : 0;
}

static struct view take(struct play *f, size_t n)
{
	size_t left = (size_t)(f->end - f->p);
	struct view v = view_of(f->p, n < left ? n : left);

	f->p += v.n;
	return v;
}

static void mix(struct play *f, uint64_t v)
{
	f->sum = (f->sum ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	f->sum ^= f->sum >> 29;
}

static void start(struct play *f)
{
	struct agent_deps deps = {.store = f->store,
		.route = f->route,
		.trace = &f->trace,
		.seed = 7,
		.self = eid_ipn(2, 0),
		.dtn_at_zero = DTN0,
		.clock_is_accurate = true,
		.keys = f->secured->ring};

	assert(agent_new(&f->cfg, &deps, f->now, &f->agent) == 0);
	for (node_id n = 1; n < 6; n += 2)
		assert(agent_neighbour(f->agent, n) >= 0);
	agent_changed(f->agent, f->now);
}

static unsigned neighbour(struct play *f, unsigned k)
{
	return (unsigned)agent_neighbour(f->agent, 1 + 2 * (k % 3));
}

static struct acked delivery(struct play *f, const struct agent_event *ev)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct acked w = {0};
	struct bundle b;

	rules.allow_no_primary_crc = rules.allow_no_age = rules.allow_short_dtn =
		rules.allow_foreign = true;
	assert(bundle_read_head(&b, ev->head, &rules, &fault) == 0);
	w = (struct acked){b.source.node, b.source.service, b.created_ms, b.seq, f->now};
	/* known until it expires, by its clock (an age could end it earlier) */
	if (!b.has_age && b.created_ms && b.created_ms >= DTN0 && b.lifetime_ms < LIFE_MAX_MS &&
		b.created_ms - DTN0 < LIFE_MAX_MS)
		w.until = (mono)(b.created_ms - DTN0 + b.lifetime_ms) * US_PER_MS;
	return w;
}

static void is_not_again(struct play *f, const struct acked *w)
{
	struct agent_stats st;

	agent_stats(f->agent, &st);
	for (unsigned i = 0; i < f->n_acked && !st.n_evicted; i++) {
		const struct acked *k = &f->acked[i];

		assert(k->source != w->source || k->service != w->service ||
			k->created != w->created || k->seq != w->seq || f->now >= k->until);
	}
}

static void handed(struct play *f, const struct agent_event *ev)
{
	struct acked w = delivery(f, ev);
	struct view bytes;
	uint64_t at = 0;

	is_not_again(f, &w);
	while (at < ev->size_bytes &&
		agent_read(f->agent, ev->registration, ev->id, at, 64, &bytes) == 0) {
		assert(bytes.n > 0 && bytes.n <= 64 && bytes.n <= ev->size_bytes - at);
		for (size_t i = 0; i < bytes.n; i++)
			mix(f, bytes.p[i]);
		at += bytes.n;
	}
	assert(at == ev->size_bytes);
	if (f->n_handed == ACKED_MAX)
		return;
	f->handed[f->n_handed].id = ev->id;
	f->handed[f->n_handed].reg = ev->registration;
	f->handed[f->n_handed++].what = w;
}

static void was_acked(struct play *f, uint64_t id)
{
	for (unsigned i = 0; i < f->n_handed; i++)
		if (f->handed[i].id == id) {
			if (f->n_acked < ACKED_MAX)
				f->acked[f->n_acked++] = f->handed[i].what;
			f->handed[i] = f->handed[--f->n_handed];
			return;
		}
}

static void events_take(struct play *f)
{
	struct agent_event ev;

	while (agent_event(f->agent, f->now, &ev)) {
		mix(f, ev.type + ev.id * 5 + ev.seq * 77);
		if (ev.type == AGENT_DELIVERY)
			handed(f, &ev);
		else if (ev.type == AGENT_ACKED)
			was_acked(f, ev.id);
		else
			f->n_answered++;
	}
}

static bool store_agrees(struct play *f)
{
	struct agent_stats a;
	struct store_stats s;
	uint64_t id = 0, n = 0;
	struct view v;

	agent_stats(f->agent, &a);
	store_stats(f->store, &s);
	while (store_next(f->store, STORE_BUNDLE, &id, &v))
		n++;
	assert(a.n_bundles <= f->cfg.max_bundles && s.bytes <= f->limits.max_bytes);
	assert(a.n_tombstones <= 3 * f->cfg.max_tombstones);
	assert(a.n_registrations <= f->cfg.max_registrations);
	assert(a.n_queued <= a.n_bundles && a.n_waiting <= a.n_bundles);
	/* what is acknowledged has gone from the store, and from the agent with its commit */
	return f->batch || store_is_dirty(f->store) ? n <= a.n_bundles : n == a.n_bundles;
}

static void judge(struct play *f)
{
	events_take(f);
	assert(store_agrees(f));
	assert(f->n_answered <= f->n_asked);
	assert(agent_deadline(f->agent) >= 0);
}

/* -- security: no rule, a verifier, an acceptor, a source and acceptor --------------------------- */

#define RULE(name, role, op)                                                                       \
	"{\"name\":\"" name "\",\"role\":\"" role "\",\"operation\":\"" op                         \
	"\",\"source\":\"*\",\"missing\":\"keep\",\"key\":\"" op "\"}"
#define KEYS                                                                                       \
	"\"lab_keys\":[{\"id\":\"integrity\",\"kind\":\"hmac\",\"secret\":"                        \
	"\"1f0a8c5d7be2493b6c11d4e8a09f3752c6b81e40d97a2f63e5048bc2716dfa39\"},"                   \
	"{\"id\":\"confidentiality\",\"kind\":\"aes256\",\"secret\":"                              \
	"\"80c3d1f2a4b5968778695a4b3c2d1e0f00112233445566778899aabbccddeeff\"}]"

static const char *const security[] = {"{}",
	"{\"security\":{\"rules\":[" RULE("v", "verifier", "integrity") "]," KEYS "}}",
	"{\"security\":{\"rules\":[" RULE("a", "acceptor", "integrity") "," RULE(
		"d", "acceptor", "confidentiality") "]," KEYS "}}",
	"{\"security\":{\"rules\":[" RULE("s", "source", "integrity") "," RULE(
		"e", "source", "confidentiality") "," RULE("a", "acceptor",
		"integrity") "," RULE("d", "acceptor", "confidentiality") "]," KEYS "}}"};

static struct secured *secured_get(unsigned k)
{
	static struct secured all[4];
	struct secured *x = &all[k];
	struct schema_error e;

	if (x->worker)
		return x;
	assert(node_cfg_defaults(&x->cfg, &e) == 0);
	assert(schema_json(node_parts, &x->cfg, view_text(security[k]), &e) == 0);
	assert(security_lab_ring(&x->cfg.agent.security, &x->ring, &e) == 0);
	x->worker = bpsec_new(x->ring);
	assert(x->worker);
	return x;
}

/* Signs or encrypts the bundle in room as another node would; its new length, or n. */
static size_t secure(struct play *f, uint8_t *room, size_t n, size_t cap)
{
	static uint8_t out[1 << 15];
	static const uint8_t iv[12] = {1};
	const struct secured *x = f->secured;
	struct bundle_rules rules = bundle_rules_default();
	unsigned how = u8(f);
	struct bpsec_how h = {.type = how & 1 ? BLOCK_BCB : BLOCK_BIB,
		.target = how & 2 && !(how & 1) ? 0 : 1,
		.crc_type = CRC_32C,
		.context = how & 1 ? BPSEC_AES_GCM : BPSEC_HMAC_SHA2,
		.source = eid_ipn(1, 0),
		.scope = how >> 2 & 7,
		.iv = view_of(iv, sizeof iv)};
	struct buf b = buf_of(out, sizeof out);
	struct bundle_fault fault;
	struct bundle in;

	h.key = keyring_find(x->ring, view_text(how & 1 ? "confidentiality" : "integrity"));
	if (!h.key || bundle_read(&in, view_of(room, n), &rules, &fault) != 0 ||
		bpsec_add(x->worker, &b, &in, &h) != 0 || b.len > cap)
		return n;
	memcpy(room, out, b.len);
	return b.len;
}

/* -- steps ------------------------------------------------------------------------------------ */

static struct eid endpoint(unsigned k)
{
	static const struct {
		node_id node;
		uint64_t service;
	} of[] = {{2, 9}, {2, 9}, {2, 0}, {2, 7}, {1, 0}, {1, 9}, {3, 9}, {5, 9}, {4, 9}, {0, 0},
		{NODE_LOCAL, 5}, {2, 10}, {2, 11}, {(UINT64_C(977000) << 32) | 100, 1}, {3, 0},
		{2, 2047}};

	return eid_ipn(of[k % 16].node, of[k % 16].service);
}

static size_t bundle_make(struct play *f, uint8_t *room, size_t n);

static size_t admin_make(struct play *f, uint8_t *room, size_t n)
{
	unsigned what = u8(f), id = u8(f);
	struct custody_codes codes = what & 2 ? custody_codes_bplib() : custody_codes_ccsds();
	struct buf b = buf_of(room, n);
	struct range run[2];
	struct ccs_sequence s = {.accepted = what & 1,
		.seq_id = what & 4 ? CUSTODY_FIXED_MAX + 1 + id % 8 : id % 3,
		.numbers = ranges_of(run, 2)};
	uint64_t first = u8(f);

	if ((first & 0xc0) == 0xc0) { /* a bundle inside */
		struct bpdu p = {.type = first & 1 ? BIBE_ION : BIBE_OLD, .id = first >> 1 & 3};
		uint8_t inside[380];
		size_t inside_n = n < 400 ? 0 : bundle_make(f, inside, sizeof inside);

		bpdu_write_head(&b, &p, inside_n);
		buf_put(&b, view_of(inside, inside_n));
		return b.len <= n ? b.len : 0;
	}
	if (what & 0x10 && first & 0x80) { /* what became of transmissions */
		struct bibe_signal answer = {.type = (first & 1 ? BIBE_ION : BIBE_OLD) + 1,
			.disposition = id % 10,
			.ids = ranges_of(run, 2)};
		uint64_t from = 1 + (first >> 1 & 15);

		(void)!ranges_add(&answer.ids, from, from + (first & 0x20 ? UINT32_MAX : 1));
		bibe_signal_write(&b, &answer);
		return b.len;
	}
	if (s.seq_id == 0)
		s.dest = what & 8 ? eid_ipn(3, 9) : eid_null();

	if (first & 0x80) {
		buf_put(&b, take(f, first & 0x3f));
		return b.len;
	}
	(void)!ranges_add(&s.numbers, first, first + 1 + u8(f));
	s.kind = (enum crs_kind)(first % CRS_KINDS);
	if (first & 0x20)
		crs_write(&b, &codes, &s, 1);
	else
		ccs_write(&b, &codes, &s, 1);
	return b.len;
}

/* A bundle from a few octets of the input. */
static size_t bundle_make(struct play *f, uint8_t *room, size_t n)
{
	static const uint64_t life[] = {0, 1, 1000, 60000, 3600000, 86400000, UINT64_MAX, 5000};
	unsigned a = u8(f), k = u8(f), t = u8(f);
	struct custody_codes codes = custody_codes_ccsds();
	struct buf out = buf_of(room, n);
	uint8_t payload[400] = {0};
	struct view data = view_of(payload, u8(f) + 1u);
	struct block_spec other = {.type = 200 + (t & 3),
		.flags = t >> 3,
		.crc_type = CRC_32C,
		.data = view_text("other")};
	struct bundle_spec s = {.dest = endpoint(a & 15),
		.source = endpoint(a >> 4),
		.report_to = k & 1 ? eid_ipn(5, 9) : eid_null(),
		.flags = (k & 2 ? BUNDLE_REPORTS : 0) | (k & 4 ? BUNDLE_NO_FRAGMENT : 0),
		.crc_type = CRC_32C,
		.block_crc_type = t & 4 ? CRC_NONE : CRC_32C,
		.created_ms = DTN0 + (uint64_t)(t >> 5) * 1000,
		.seq = k >> 6,
		.lifetime_ms = life[(k >> 3) & 7],
		.has_age = t & 2,
		.age_ms = t,
		.has_hop = t & 1,
		.hop_limit = 4,
		.hop_count = t >> 6,
		.has_creb = (t & 0x18) == 0x10,
		.creb = {.seq_no = k, .seq_id = t & 1, .flags = a, .has_flags = k & 1},
		.custody = codes,
		.block = &other,
		.n_blocks = (t & 0x18) == 0x18};

	if ((a & 15) == 2 || (a & 15) == 14) {
		s.flags = BUNDLE_ADMIN;
		data.n = admin_make(f, payload, sizeof payload);
	} else if ((a & 0xf) == 1) { /* a fragment */
		s.flags = (s.flags | BUNDLE_FRAGMENT) & ~(uint64_t)BUNDLE_NO_FRAGMENT;
		s.total_len = 64 + 32 * (u8(f) & 7u);
		s.frag_off = u8(f) * 8 % s.total_len;
		data.n = data.n > s.total_len - s.frag_off ? s.total_len - s.frag_off : data.n;
		memset(payload, u8(f), data.n);
	} else if ((t & 0x18) == 0x10 && !(s.flags & BUNDLE_FRAGMENT)) {
		s.has_cteb = true;
		s.cteb = (struct cteb){
			.seq_no = k, .seq_id = k % 3, .custodian = eid_ipn(1 + 2 * (k % 3), 0)};
		if (t & 0x80)
			s.custody = custody_codes_bplib();
	}
	if (bundle_build(&out, &s, data) != 0 || !buf_fits(&out))
		return 0;
	return out.len;
}

/* A bundle in two pieces, as a relay on the way would cut it; false: it may not be cut. */
static bool receive_cut(struct play *f, unsigned link, struct view bytes)
{
	static uint8_t room[4096];
	const struct bundle_edit edit = {.custody = custody_codes_ccsds()};
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct bundle b;

	rules.allow_no_primary_crc = true;
	if (bundle_read(&b, bytes, &rules, &fault) != 0 || !fragment_allowed(&b))
		return false;
	uint64_t at = 1 + u8(f) % (b.payload.n - 1), from[3] = {0, at, b.payload.n};
	for (unsigned k = 0; k < 2; k++) {
		struct buf out = buf_of(room, sizeof room);
		struct view part = view_sub(b.payload, from[k], from[k + 1] - from[k]);
		uint32_t crc;

		if (fragment_head(&out, &b, &edit, from[k], part.n, &crc) != 0)
			return false;
		buf_put(&out, part);
		crc = crc_update(b.block[b.n_blocks - 1].crc_type, crc, part);
		if (fragment_tail(&out, &b, crc) != 0)
			return false;
		agent_receive(f->agent, f->now, link % 3, 1 + 2 * (link % 3), buf_view(&out));
	}
	return true;
}

static void receive(struct play *f, unsigned what)
{
	static uint8_t room[2048];
	unsigned link = u8(f);
	size_t n;

	if (what == 0) {
		struct view v = take(f, u8(f) * 2u);
		agent_receive(f->agent, f->now, link % 3, 1 + 2 * (link % 3), v);
		return;
	}
	n = bundle_make(f, room, sizeof room);
	if (link & 0x40 && n)
		n = secure(f, room, n, sizeof room);
	if (what == 2 && n)
		n = mut_bundle(room, n, sizeof room, u8(f) << 8 | 1, true);
	if (what == 3 && n) {
		size_t at = (u8(f) << 3) % n;
		room[at] ^= (uint8_t)u8(f);
	}
	if (link & 0x20 && n && receive_cut(f, link, view_of(room, n)))
		return;
	agent_receive(f->agent, f->now, link % 3, link & 8 ? NODE_NONE : 1 + 2 * (link % 3),
		view_of(room, n));
}

static void advance(struct play *f, bool to_deadline)
{
	static const int64_t step[] = {
		1, 1000, 100000, 1000000, 10000000, 60000000, 3600000000, 86400000000};
	mono then = f->now + step[u8(f) & 7], due = agent_deadline(f->agent);

	if (to_deadline)
		then = due == MONO_NEVER || due < f->now ? f->now : due;
	if (then < INT64_C(1) << 50)
		f->now = then;
	agent_tick(f->agent, f->now);
}

static void commit(struct play *f, unsigned how)
{
	if (!f->batch)
		f->batch = store_commit_begin(f->store);
	if (!f->batch || how == 0) /* begun, not ended yet */
		return;
	int err = how == 1 ? -ENOSPC : how == 2 ? -EIO : store_commit_run(f->batch);
	store_commit_end(f->store, f->batch, err);
	f->batch = NULL;
	agent_stored(f->agent, f->now);
}

static void crash(struct play *f)
{
	f->n_handed = 0; /* what was only handed comes again */
	agent_free(f->agent);
	store_mem_crash(f->store, u8(f) & 1);
	f->batch = NULL;
	f->n_flying = 0;
	f->n_asked = f->n_answered = 0;
	memset(f->open, 0, sizeof f->open);
	memset(f->reg, 0, sizeof f->reg);
	start(f);
}

static void offer(struct play *f)
{
	unsigned k = u8(f), how = u8(f);
	uint8_t room[4096];
	struct buf b = buf_of(room, sizeof room);
	struct agent_offer o = {.neighbour = neighbour(f, k),
		.max_bytes = how & 4 ? 64 + how : sizeof room,
		.max_ever = how & 8 ? 128 + how : sizeof room,
		.room = &b};
	struct view payload;

	if (f->n_flying == FLYING_MAX || !agent_next(f->agent, f->now, &o))
		return;
	assert(o.size_bytes <= o.max_bytes);
	assert(store_payload(f->store, o.payload, &payload) == 0);
	assert(o.head.n + payload.n + o.tail.n == o.size_bytes);
	for (size_t i = 0; i < o.head.n; i++)
		mix(f, o.head.p[i]);
	f->flying[f->n_flying++] = o.id;
}

static void landed(struct play *f)
{
	unsigned how = u8(f);

	if (f->n_flying == 0)
		return;
	unsigned k = how % f->n_flying;
	uint64_t id = f->flying[k];
	f->flying[k] = f->flying[--f->n_flying];
	if (how & 0x80)
		agent_send_failed(f->agent, f->now, id);
	else
		agent_sent(f->agent, f->now,
			&(struct agent_sent){.id = id, .frame_bytes = 100, .tx_end = f->now});
}

static void application(struct play *f, unsigned what)
{
	unsigned k = u8(f) % REGS;
	struct eid e = eid_ipn(2, 9 + k);

	switch (what) {
	case 0:
		if (f->reg[k] == 0 && agent_register(f->agent, f->now, &e, &f->reg[k]) != 0)
			f->reg[k] = 0;
		break;
	case 1:
		if (f->reg[k])
			agent_credit(f->agent, f->now, f->reg[k], u8(f) % 5);
		break;
	case 2:
		if (f->n_handed) {
			unsigned i = u8(f) % f->n_handed;
			(void)!agent_ack(f->agent, f->now, f->handed[i].reg, f->handed[i].id);
		} else {
			(void)!agent_ack(f->agent, f->now, f->reg[k], u8(f));
		}
		break;
	default:
		if (f->reg[k])
			agent_unregister(f->agent, f->now, f->reg[k]);
		f->reg[k] = 0;
	}
}

static void send_one(struct play *f, bool in_pieces)
{
	static const uint8_t bytes[512] = {1};
	unsigned a = u8(f), k = u8(f);
	struct view payload = view_of(bytes, (k & 31) * 16u + 1);
	struct agent_send s = {.source = k & 32 ? eid_null() : eid_ipn(2, 9),
		.dest = endpoint(a),
		.report_to = eid_null(),
		.lifetime_ms = a & 16 ? 1000 : 3600000,
		.flags = a & 64 ? BUNDLE_NO_FRAGMENT : 0,
		.priority = a >> 7,
		.custody = a & 32,
		.compressed = a & 16,
		.crc_type = CRC_32C,
		.payload = &payload,
		.n_payload = 1};
	uint64_t request = 0;
	int err;

	if (in_pieces)
		err = agent_send_open(f->agent, f->now, &s, payload.n + 1, &request);
	else
		err = agent_send(f->agent, f->now, &s, &request);
	if (err)
		return;
	f->n_asked++;
	for (unsigned i = 0; in_pieces && i < OPEN_MAX; i++)
		if (!f->open[i]) {
			f->open[i] = request;
			return;
		}
	if (in_pieces)
		agent_send_cancel(f->agent, f->now, request);
}

static void part(struct play *f)
{
	static const uint8_t bytes[512] = {2};
	unsigned k = u8(f);
	uint64_t *open = &f->open[k % OPEN_MAX];
	struct view v = view_of(bytes, k);

	if (!*open)
		return;
	if (k & 0x80) {
		agent_send_cancel(f->agent, f->now, *open);
		*open = 0;
		return;
	}
	int err = agent_send_part(f->agent, f->now, *open, &v);
	if (err && err != -E_AGAIN)
		*open = 0;
}

static void step(struct play *f)
{
	unsigned op = u8(f);

	switch (op % 24) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
	case 5:
		receive(f, op % 6 > 3 ? 1 : op % 6);
		break;
	case 6:
	case 7:
		advance(f, op % 24 == 7);
		break;
	case 8:
	case 9:
	case 10:
		commit(f, 3);
		break;
	case 11:
		commit(f, op >> 5 & 3);
		break;
	case 12:
		if (u8(f) % 4 == 0)
			crash(f);
		break;
	case 13:
	case 14:
		op = u8(f);
		agent_contact(f->agent, f->now, neighbour(f, op), op & 4,
			op & 8 ? f->now + 1000000 : MONO_NEVER);
		break;
	case 15:
	case 16:
		offer(f);
		break;
	case 17:
		landed(f);
		break;
	case 18:
	case 19:
	case 20:
		application(f, op >> 4 & 3);
		break;
	case 21:
		send_one(f, op & 0x80);
		break;
	case 22:
		part(f);
		break;
	default:
		store_turn(f->store);
		agent_changed(f->agent, f->now);
	}
}

static void limits_small(struct agent_cfg *cfg)
{
	cfg->max_bundles = 12;
	cfg->max_tombstones = 16;
	cfg->max_old_pairs = 64;
	cfg->max_registrations = 2;
	cfg->max_parties = 4;
	cfg->source_bytes = 100;
	cfg->max_send_bytes = 1000;
	cfg->max_whole_bytes = 300;
	cfg->max_open_sends = 2;
	cfg->min_bytes = 8;
	cfg->max_adus = 2;
	cfg->max_adu_bytes = 1000;
	cfg->max_adu_fragments = 5;
	cfg->max_adu_us = 60 * US_PER_S;
	cfg->security.max_bytes = 2048;
	cfg->security.step_bytes = 48;
	cfg->security.max_running = 1;
	cfg->max_reported = 16;
}

/* Tunnels to a neighbour, with custody, and to another one, and one peer that nests. */
static void tunnels(struct bibe_cfg *w)
{
	w->n_tunnels = 2;
	strcpy(w->tunnel[0].to, "ipn:3.0");
	strcpy(w->tunnel[0].match[0].text, "ipn:4.*");
	strcpy(w->tunnel[1].to, "ipn:1.0");
	strcpy(w->tunnel[1].match[0].text, "*");
	w->tunnel[0].n_match = w->tunnel[1].n_match = w->n_peers = 1;
	strcpy(w->peer[0].text, "ipn:5.*");
	w->tunnel[0].custody = true;
	w->max_unanswered = 3;
	w->max_bytes = 300;
	w->max_depth = 2;
}

/* Two profiles, all sequences, a key for one of three neighbours. */
static void custody_by_neighbour(struct agent_cfg *cfg, bool has_keys)
{
	static const struct custody_neighbour n[] = {{.node = "ipn:1.0", .accept = true},
		{.node = "ipn:3.0", .accept = true, .profile = 1 + PROFILE_BPLIB},
		{.node = "ipn:5.0", .accept = true, .sequence = SEQUENCE_DESTINATION}};

	for (size_t i = 0; i < 3; i++)
		cfg->custody_neighbour[cfg->n_custody_neighbours++] = n[i];
	if (has_keys)
		memcpy(cfg->custody_neighbour[0].key, "integrity", 10);
	cfg->custody_counter = COUNTER_16;
}

static uint64_t play(const uint8_t *data, size_t size)
{
	static struct play f;
	static const struct static_row row[] = {{1, 1}, {3, 3}, {5, 5}, {4, 3}};

	memset(&f, 0, sizeof f);
	f.p = data;
	f.end = data + size;
	f.limits = store_limits_default();
	unsigned what = u8(&f);
	f.secured = secured_get(what >> 5 & 3);
	f.cfg = f.secured->cfg.agent;
	limits_small(&f.cfg);
	f.cfg.reports = what & 1;
	f.cfg.custody_accept = what & 2;
	if (what & 128)
		tunnels(&f.cfg.bibe);
	if (what & 0x80)
		custody_by_neighbour(&f.cfg, what >> 5 & 3);
	f.limits.max_bytes = what & 4 ? 4096 : 65536;
	f.limits.reserved_bytes = 512;
	f.limits.stage_bytes = what & 8 ? 2048 : 65536;
	f.limits.max_rows = what & 16 ? 8 : 256;
	f.route = route_static_new(row, 4);
	assert(f.route && trace_init(&f.trace, 0) == 0);
	assert(store_mem_open(&f.limits, &f.store) == 0);
	start(&f);
	while (f.p < f.end) {
		step(&f);
		judge(&f);
	}
	for (unsigned i = 0; i < TRACE_EVENTS_MAX; i++)
		mix(&f, f.trace.count[i]);
	(void)agent_drain(f.agent, f.now);
	if (f.batch)
		store_commit_end(f.store, f.batch, -ECANCELED);
	agent_free(f.agent);
	store_close(f.store);
	f.route->ops->free(f.route);
	trace_fini(&f.trace);
	return f.sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t sum = play(data, size);

	if (size % 4 == 0)
		assert(play(data, size) == sum);
	return 0;
}
