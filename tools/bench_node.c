/*
 * owlt bench node: a whole relay node in this process, between two links without a plan and with a
 * memory store. Batches of 64 bundles are put in on link 0 and taken out on link 1, with the store's
 * batches run in between, as owltd's turn does it; with custody the next node's signal comes back too.
 *
 * CPU time a bundle stands beside the least that any relay has to do with the same datagrams, measured
 * in turns with it: copy in, one CRC over the bytes, copy out. "Known" bundles are in the node's tables
 * meanwhile: that many wait for a node without a route, and that many have left and are remembered.
 *
 * Allocations are what memcheck counts more in a run of 11 000 bundles than in one of 1 000: what the
 * start costs falls out. On disk, LMDB allocates at checkpoints, in the writer. Start reading at
 * relay_batch().
 */
#include "tools/bench.h"

#include "bundle/ccs.h"
#include "dtn/node/config.h"
#include "dtn/node/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 64u
#define ROOM 65536u /* for one datagram */
#define ROUNDS 10u
#define BATCHES 8u /* a round */
#define SMALL 100u
#define FEW 10u /* known bundles in a loop for memcheck */
#define SHORT_RUN 1000u
#define LONG_RUN 11000u
#define DTN0 UINT64_C(820000000000)

struct load {
	size_t payload;
	bool custody;
};

struct relay {
	struct node_cfg *cfg;
	struct store *store;
	struct trace trace;
	struct node *node;
	char dir[BENCH_DIR];
	mono now;
	uint64_t seq, n_sent; /* bundles made; datagrams taken out on link 1 */
	uint8_t *in, *kept,
		*wire; /* BATCH of ROOM each: arrived, the bare limit's store, taken out */
	size_t in_len[BATCH], wire_len[BATCH];
	uint8_t payload[ROOM];
	double node_ns, bare_ns; /* CPU of the current round */
};

static int relay_open(struct relay *r, size_t known, bool on_disk);
static void relay_close(struct relay *r);
static int relay_fill(struct relay *r, size_t known, bool custody);
static int relay_batch(struct relay *r, const struct load *l, size_t n);
static int relay_check(struct relay *r, size_t known);
static int measure(struct out *o, const struct load *l, size_t known);
static int count_allocations(struct out *o);

int bench_node(struct out *o)
{
	static const struct load loads[] = {
		{SMALL, false}, {1000, false}, {10000, false}, {60000, false}, {1000, true}};
	int code = 0;

	for (size_t i = 0; !code && i < sizeof loads / sizeof loads[0]; i++) {
		code = measure(o, &loads[i], 10);
		code = code ? code : measure(o, &loads[i], 10000);
	}
	return code ? code : count_allocations(o);
}

static int measure(struct out *o, const struct load *l, size_t known)
{
	struct relay *r = calloc(1, sizeof *r);
	double node = 0, bare = 0, n = BATCH * BATCHES;
	char name[64], note[96];
	int err = r ? relay_open(r, known, false) : -ENOMEM;

	err = err ? err : relay_fill(r, known, l->custody);
	for (unsigned round = 0; !err && round < ROUNDS; round++) {
		r->node_ns = r->bare_ns = 0;
		for (unsigned k = 0; !err && k < BATCHES; k++)
			err = relay_batch(r, l, BATCH);
		node = round && node < r->node_ns ? node : r->node_ns;
		bare = round && bare < r->bare_ns ? bare : r->bare_ns;
	}
	err = err ? err : relay_check(r, known);
	relay_close(r);
	if (err)
		return out_fail("bench node: %zu B: %s", l->payload, err_text(err));
	snprintf(name, sizeof name, "relay, %zu B%s, %zu known", l->payload,
		l->custody ? ", custody" : "", known);
	snprintf(note, sizeof note,
		"of CPU a bundle; bare copy in, CRC, copy out %.0f ns: %.1f times", bare / n,
		node / bare);
	bench_figure(o, name, node / n, "ns", note);
	return 0;
}

/* -- the relay: ipn:2.0 between ipn:1.0 (link 0) and ipn:3.0 (link 1) */

static int relay_configure(struct relay *r, size_t known)
{
	struct schema_error e;

	r->cfg = calloc(1, sizeof *r->cfg);
	if (!r->cfg)
		return -ENOMEM;
	if (node_cfg_defaults(r->cfg, &e))
		return -E_CONFIG;
	snprintf(r->cfg->id, sizeof r->cfg->id, "ipn:2.0");
	/* so they are full, and stay so; but pairs of some batches, not all of which are durable, fit in */
	r->cfg->agent.max_tombstones = known < 4 * BATCH ? 4 * BATCH : known;
	r->cfg->n_links = 2;
	for (unsigned k = 0; k < 2; k++) {
		struct node_link_cfg *l = &r->cfg->link[k];

		snprintf(l->cl, sizeof l->cl, "udp");
		snprintf(l->peer, sizeof l->peer, "ipn:%u.0", 2 * k + 1);
		l->cl_cfg = (struct cl_cfg){.mtu_bytes = 65535, .guard_us = 1000, .burst_us = 5000};
	}
	return 0;
}

static int relay_open(struct relay *r, size_t known, bool on_disk)
{
	struct store_limits limits = store_limits_default();
	int err = relay_configure(r, known);

	r->in = calloc(BATCH, ROOM);
	r->kept = calloc(BATCH, ROOM);
	r->wire = calloc(BATCH, ROOM);
	if (!err && (!r->in || !r->kept || !r->wire))
		err = -ENOMEM;
	if (!err && on_disk)
		err = bench_dir_make(r->dir);
	if (!err)
		err = on_disk ? store_disk_open(r->dir, &limits, &r->store)
			      : store_mem_open(&limits, &r->store);
	if (!err)
		err = trace_init(&r->trace, 16384);
	if (err)
		return err;
	struct node_deps deps = {
		.store = r->store, .trace = &r->trace, .seed = 1, .dtn_at_zero = DTN0};

	return node_new(r->cfg, &deps, r->now, &r->node);
}

static void relay_close(struct relay *r)
{
	if (!r)
		return;
	node_free(r->node);
	store_close(r->store);
	trace_fini(&r->trace);
	bench_dir_remove(r->dir);
	free(r->cfg);
	free(r->in);
	free(r->kept);
	free(r->wire);
	free(r);
}

static int build(struct relay *r, const struct load *l, uint64_t to, size_t k)
{
	struct bundle_spec s = {.crc_type = CRC_32C,
		.block_crc_type = CRC_32C,
		.dest = eid_ipn(to, 1),
		.source = eid_ipn(1, 1),
		.report_to = eid_null(),
		.created_ms = DTN0 + (uint64_t)(r->now / US_PER_MS),
		.seq = ++r->seq,
		.lifetime_ms = 3600000,
		.has_prev = true,
		.prev = eid_ipn(1, 0),
		.has_age = true,
		.has_hop = true,
		.hop_limit = 30,
		.has_cteb = l->custody,
		.cteb = {.seq_no = r->seq, .seq_id = 1, .custodian = eid_ipn(1, 0)},
		.custody = custody_codes_ccsds()};
	struct buf w = buf_of(r->in + k * ROOM, ROOM);
	int err = bundle_build(&w, &s, view_of(r->payload, l->payload));

	r->in_len[k] = w.len;
	return err;
}

/* What the link takes is copied, as a socket does. */
static void take_out(struct relay *r, unsigned link)
{
	uint8_t room[64];
	struct pkt p = {.buf = room, .cap = sizeof room};

	while (node_output(r->node, r->now, link, &p)) {
		size_t k = r->n_sent % BATCH;
		struct buf w = buf_of(r->wire + k * ROOM, ROOM);

		if (link == 0)
			w = buf_of(r->kept, ROOM); /* signals to the custodian before us */
		for (unsigned i = 0; i < p.n_parts; i++)
			buf_put(&w, p.part[i].bytes);
		if (link == 1) {
			r->wire_len[k] = w.len;
			r->n_sent++;
		}
		node_sent(r->node, r->now, link, p.cookie, 0);
	}
}

static int turn(struct relay *r)
{
	int err = 0;

	for (unsigned pass = 0; !err && pass < 2; pass++) {
		node_tick(r->node, r->now);
		take_out(r, 0);
		take_out(r, 1);
		struct store_batch *b = store_commit_begin(r->store);
		if (b) {
			err = store_commit_run(b);
			store_commit_end(r->store, b, err);
			node_stored(r->node, r->now);
		}
		store_turn(r->store);
	}
	return err;
}

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int put_in(struct relay *r, size_t n)
{
	double from = cpu_ns();
	int err;

	for (size_t k = 0; k < n; k++)
		node_input(r->node, r->now, 0, view_of(r->in + k * ROOM, r->in_len[k]));
	err = turn(r);
	r->node_ns += cpu_ns() - from;
	return err;
}

static void bare(struct relay *r, size_t n)
{
	double from = cpu_ns();

	for (size_t k = 0; k < n; k++) {
		uint8_t *kept = r->kept + k * ROOM, *wire = r->wire + k * ROOM;
		uint32_t crc;

		memcpy(kept, r->in + k * ROOM, r->in_len[k]);
		crc = crc32c(0, view_of(kept, r->in_len[k]));
		memcpy(wire, kept, r->in_len[k]);
		__asm__ volatile("" : : "r"(wire), "r"(crc) : "memory");
	}
	r->bare_ns += cpu_ns() - from;
}

/* The next node accepts custody of the last n datagrams: one signal with the numbers we gave them. */
static int custody_accepted(struct relay *r, size_t n)
{
	struct range runs[BATCH];
	struct ccs_sequence s = {.accepted = true, .seq_id = 1, .numbers = ranges_of(runs, BATCH)};
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_spec signal = {.crc_type = CRC_32C,
		.block_crc_type = CRC_32C,
		.flags = BUNDLE_ADMIN,
		.dest = eid_ipn(2, 0),
		.source = eid_ipn(3, 0),
		.report_to = eid_null(),
		.created_ms = DTN0 + (uint64_t)(r->now / US_PER_MS),
		.seq = ++r->seq,
		.lifetime_ms = 3600000};
	uint8_t record[1024];
	struct buf rec = buf_of(record, sizeof record), w = buf_of(r->in, ROOM);
	int err = 0;

	for (uint64_t i = r->n_sent - n; !err && i < r->n_sent; i++) {
		struct view v = view_of(r->wire + i % BATCH * ROOM, r->wire_len[i % BATCH]);
		struct bundle_fault f;
		struct bundle b;

		err = bundle_read(&b, v, &rules, &f);
		err = err ? err : ranges_add(&s.numbers, b.cteb.seq_no, b.cteb.seq_no + 1);
	}
	ccs_write(&rec, &rules.custody, &s, 1);
	err = err ? err : bundle_build(&w, &signal, buf_view(&rec));
	if (err)
		return err;
	double from = cpu_ns();

	node_input(r->node, r->now, 1, buf_view(&w));
	err = turn(r);
	r->node_ns += cpu_ns() - from;
	return err;
}

static void forget_trace(struct relay *r)
{
	struct trace_rec rec;

	while (trace_next(&r->trace, &rec))
		;
}

/* n <= BATCH bundles go through; all of them have left at the end. */
static int relay_batch(struct relay *r, const struct load *l, size_t n)
{
	uint64_t before = r->n_sent;
	int err = 0;

	r->now += US_PER_MS;
	for (size_t k = 0; !err && k < n; k++)
		err = build(r, l, 3, k);
	if (err)
		return err;
	bare(r, n);
	err = put_in(r, n);
	if (!err && r->n_sent - before != n)
		err = -E_STATE;
	if (!err && l->custody)
		err = custody_accepted(r, n);
	forget_trace(r);
	return err;
}

/* `known` bundles for a node that no route leads to, and as many that have gone through. */
static int relay_fill(struct relay *r, size_t known, bool custody)
{
	const struct load waiting = {SMALL, false}, passing = {SMALL, custody};
	int err = 0;

	for (size_t k = 0; !err && k < known; k++) {
		err = build(r, &waiting, 99, 0);
		err = err ? err : put_in(r, 1);
		forget_trace(r);
	}
	for (size_t k = 0; !err && k < known + BATCH; k += BATCH)
		err = relay_batch(r, &passing, BATCH);
	return err;
}

/* Nothing but the waiting ones is left. */
static int relay_check(struct relay *r, size_t known)
{
	struct node_stats st;

	node_stats(r->node, &st);
	return st.n_bundles == known && st.n_waiting == known ? 0 : -E_STATE;
}

/* -- allocations */

static const struct loop_row {
	const char *name;
	struct load load;
	bool on_disk;
	const char *figure;
} loops[] = {{"node", {1000, false}, false, "allocations, 1000 B"},
	{"node-custody", {1000, true}, false, "allocations, 1000 B, custody"},
	{"node-disk", {1000, true}, true, "allocations, 1000 B, custody, disk store"}};

bool bench_node_loop(const char *operation, size_t n, int *code)
{
	const struct loop_row *row = NULL;
	struct relay *r;
	int err;

	for (size_t k = 0; k < sizeof loops / sizeof loops[0]; k++)
		if (strcmp(loops[k].name, operation) == 0)
			row = &loops[k];
	if (!row)
		return false;
	r = calloc(1, sizeof *r);
	err = r ? relay_open(r, FEW, row->on_disk) : -ENOMEM;
	err = err ? err : relay_fill(r, FEW, row->load.custody);
	for (size_t left = n; !err && left > 0; left -= left < BATCH ? left : BATCH)
		err = relay_batch(r, &row->load, left < BATCH ? left : BATCH);
	err = err ? err : relay_check(r, FEW);
	relay_close(r);
	*code = err ? out_fail("bench node: %s", err_text(err)) : 0;
	return true;
}

/* Allocations of a whole run of this program under memcheck; negative when there are none to be had. */
static double allocations(const char *self, const char *operation, unsigned n)
{
	char command[BENCH_SELF + 256], line[256];
	double count = -1;

	snprintf(command, sizeof command,
		"valgrind --undef-value-errors=no '%s' bench --loop %s --count %u 2>&1", self,
		operation, n);
	FILE *f = popen(command, "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof line, f)) {
		const char *at = strstr(line, "total heap usage: ");

		if (!at)
			continue;
		count = 0; /* the number has commas */
		for (at += strlen("total heap usage: "); *at != ' ' && *at; at++)
			count = *at == ',' ? count : count * 10 + (*at - '0');
	}
	return pclose(f) == 0 ? count : -1;
}

static int count_allocations(struct out *o)
{
	const double n = LONG_RUN - SHORT_RUN;
	char self[BENCH_SELF], note[64];

	if (system("valgrind --version >/dev/null 2>&1") != 0) {
		out_text(o, "  allocations not measured: valgrind is missing\n");
		return 0;
	}
	if (bench_self(self))
		return out_fail("bench: this program does not know its own path");
	for (size_t k = 0; k < sizeof loops / sizeof loops[0]; k++) {
		double few = allocations(self, loops[k].name, SHORT_RUN),
		       many = allocations(self, loops[k].name, LONG_RUN);

		if (few < 0 || many < 0)
			return out_fail(
				"bench node: --loop %s failed under valgrind", loops[k].name);
		snprintf(note, sizeof note, "in 10000 bundles: %.4f a bundle", (many - few) / n);
		bench_figure(o, loops[k].figure, many - few, "", note);
	}
	return 0;
}
