/*
 * owlt bench million: a store with a million bundles of 1 kB (OWLT_BENCH_COUNT: another number) and a node on top
 * of it. Bundles are as a relay keeps them: real bytes, the agent's record as value; every second one
 * expires an hour earlier. Printed: what putting them in costs, memory and disk a bundle, opening with
 * the files in the page cache and not, the node's start, and expiry of half of them in virtual time.
 *
 * Memory is RssAnon of this process: what it took for itself. Pages of the index that are mapped
 * (RssFile) are the page cache's, which the kernel takes back when it wants; they are printed apart.
 * Two small stores of 1 kB and of 100 kB bundles show that opening does not read payloads.
 * Start reading at bench_million().
 */
#include "tools/bench.h"

#include "bundle/base/hash.h"
#include "dtn/agent/record.h"
#include "dtn/node/config.h"
#include "dtn/node/node.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MILLION 1000000u
#define SIZES 10000u /* bundles of the stores that show that size does not matter */
#define BATCH 1000u
#define DTN0 UINT64_C(820000000000)
#define EARLY_MS (2 * 3600 * 1000)
#define LATE_MS (3 * 3600 * 1000)
#define HEADROOM 9 / 8 /* the store keeps a part of its room for signals */

struct million {
	char dir[BENCH_DIR];
	uint64_t n;
	size_t payload;
	struct store_limits limits;
	struct store *st;
	struct trace trace;
	struct node_cfg *cfg;
	struct node *node;
	uint8_t *bytes, *room;
	double wall_s, cpu_s; /* when the part that is measured began */
	uint64_t told_ns;
};

static int prepare(struct million *m, uint64_t n, size_t payload);
static void end(struct million *m);
static int fill(struct million *m);
static int open_cold_and_warm(struct million *m, struct out *o);
static int start_node(struct million *m, struct out *o);
static int expire_half(struct million *m, struct out *o);
static int opening(struct out *o, size_t payload);

int bench_million(struct out *o)
{
	const char *count = getenv("OWLT_BENCH_COUNT");
	struct million m;
	int err = prepare(&m, count ? strtoull(count, NULL, 10) & ~UINT64_C(1) : MILLION, 1000);

	err = err ? err : fill(&m);
	if (!err)
		err = open_cold_and_warm(&m, o);
	err = err ? err : start_node(&m, o);
	err = err ? err : expire_half(&m, o);
	end(&m);
	err = err ? err : opening(o, 1000);
	err = err ? err : opening(o, 100000);
	return err ? out_fail("bench million: %s; it needs some 2.5 GB in the current folder",
			     err_text(err))
		   : 0;
}

/* -- the machine */

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void watch(struct million *m)
{
	m->wall_s = (double)bench_now_ns() / 1e9;
	m->cpu_s = cpu_s();
}

static double wall_s(const struct million *m)
{
	return (double)bench_now_ns() / 1e9 - m->wall_s;
}

/* Bytes of memory of this process by the kernel's word for them. */
static double memory(const char *word)
{
	malloc_trim(0);
	FILE *f = fopen("/proc/self/status", "r");
	char line[128];
	double kb = 0;

	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, word, strlen(word)) == 0 && line[strlen(word)] == ':')
			kb = strtod(line + strlen(word) + 1, NULL);
	if (f)
		fclose(f);
	return kb * 1024;
}

/* Bytes of the files that begin so, and away with them from the page cache. */
static double files(const struct million *m, const char *prefix, bool forget)
{
	DIR *d = opendir(m->dir);
	double n = 0;

	for (struct dirent *e; d && (e = readdir(d));) {
		int fd = strncmp(e->d_name, prefix, strlen(prefix)) == 0 && e->d_name[0] != '.'
				 ? openat(dirfd(d), e->d_name, O_RDONLY | O_CLOEXEC)
				 : -1;
		struct stat sb;

		if (fd < 0)
			continue;
		if (fstat(fd, &sb) == 0)
			n += (double)sb.st_blocks * 512;
		if (forget && (fdatasync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED)))
			n = 0;
		close(fd);
	}
	if (d)
		closedir(d);
	return n;
}

static void progress(struct million *m, const char *what, uint64_t done)
{
	uint64_t now = bench_now_ns();

	if (m->told_ns == 0)
		m->told_ns = now;
	if (now - m->told_ns < 1000000000)
		return;
	m->told_ns = now;
	fprintf(stderr, "owlt: bench million: %s %llu of %llu\n", what, (unsigned long long)done,
		(unsigned long long)m->n);
}

static void note_memory(struct out *o, const char *name, double bytes, double n, double mapped)
{
	char note[96];

	snprintf(note, sizeof note, "of memory a bundle; pages of the index mapped: %.0f MB",
		mapped / 1e6);
	bench_figure(o, name, n > 0 ? bytes / n : 0, "B", note);
}

/* -- a store full of bundles */

static int prepare(struct million *m, uint64_t n, size_t payload)
{
	uint64_t each = payload + 256;

	*m = (struct million){.n = n, .payload = payload, .limits = store_limits_default()};
	m->limits.max_bytes = n * each * HEADROOM + m->limits.reserved_bytes;
	m->limits.max_bundles = n * HEADROOM + 64;
	m->bytes = calloc(1, payload);
	m->room = malloc(payload + 1024);
	if (!m->bytes || !m->room)
		return -ENOMEM;
	int err = bench_dir_make(m->dir);
	return err ? err : store_disk_open(m->dir, &m->limits, &m->st);
}

static void end(struct million *m)
{
	node_free(m->node);
	store_close(m->st);
	trace_fini(&m->trace);
	bench_dir_remove(m->dir);
	free(m->cfg);
	free(m->bytes);
	free(m->room);
}

static int put(struct million *m, uint64_t i)
{
	uint64_t lifetime = i % 2 ? LATE_MS : EARLY_MS, id;
	struct bundle_spec s = {.crc_type = CRC_32C,
		.block_crc_type = CRC_32C,
		.dest = eid_ipn(9, 1),
		.source = eid_ipn(1, 1),
		.report_to = eid_null(),
		.created_ms = DTN0,
		.seq = i,
		.lifetime_ms = lifetime,
		.has_hop = true,
		.hop_limit = 30,
		.custody = custody_codes_ccsds()};
	struct bundle_rules rules = bundle_rules_default();
	struct buf w = buf_of(m->room, m->payload + 1024);
	struct bundle_fault fault;
	uint8_t value[STORE_VALUE_MAX];
	struct buf v = buf_of(value, sizeof value);
	struct bundle b;
	int err = bundle_build(&w, &s, view_of(m->bytes, m->payload));

	err = err ? err : bundle_read(&b, buf_view(&w), &rules, &fault);
	if (err)
		return err;
	struct record r = {.uid = {hash_mix(i), hash_mix(~i)},
		.received_ms = DTN0,
		.expiry_ms = DTN0 + lifetime,
		.prev_node = 1,
		.dest_scheme = EID_SCHEME_IPN,
		.dest_node = 9,
		.dest_service = 1,
		.size_bytes = w.len,
		.payload_bytes = b.payload.n,
		.tail_bytes = b.tail.n,
		.hop_limit = 30,
		.priority = 1,
		.source_node = 1};
	struct view part[2] = {b.payload, b.tail};

	record_encode(&v, &r);
	struct store_bundle sb = {.value = buf_view(&v),
		.head = b.head,
		.payload = part,
		.n_payload = 2,
		.flags = STORE_LONG};
	return store_put(m->st, &sb, &id);
}

static int commit(struct million *m)
{
	struct store_batch *b = store_commit_begin(m->st);
	struct store_event ev;
	int err = b ? store_commit_run(b) : 0;

	if (b)
		store_commit_end(m->st, b, err);
	if (m->node)
		node_stored(m->node, 0);
	else
		while (store_event(m->st, &ev))
			;
	store_turn(m->st);
	return err;
}

static int fill(struct million *m)
{
	int err = 0;

	watch(m);
	for (uint64_t i = 0; !err && i < m->n; i++) {
		err = put(m, i + 1);
		if (err == -E_AGAIN) { /* the stage is full */
			err = commit(m);
			err = err ? err : put(m, i + 1);
		}
		if (!err && ((i + 1) % BATCH == 0 || i + 1 == m->n))
			err = commit(m);
		progress(m, "put in", i);
	}
	return err;
}

static int reopen(struct million *m)
{
	store_close(m->st);
	m->st = NULL;
	watch(m);
	return store_disk_open(m->dir, &m->limits, &m->st);
}

/* -- the figures */

static int open_cold_and_warm(struct million *m, struct out *o)
{
	double n = (double)m->n, before, wall = wall_s(m), cpu = cpu_s() - m->cpu_s;
	char note[128];

	snprintf(note, sizeof note, "batches of %u; building included: %.1f us of CPU a bundle",
		BATCH, cpu / n * 1e6);
	bench_figure(o, "put in, durable", n / wall, "1/s", note);
	store_close(m->st);
	m->st = NULL;
	snprintf(note, sizeof note, "a bundle; index %.0f B", files(m, "index", true) / n);
	bench_figure(o, "on disk", files(m, "seg-", true) / n, "B", note);
	int err = reopen(m);
	if (err)
		return err;
	bench_figure(o, "store opened, nothing in the page cache", wall_s(m), "s", "");
	store_close(m->st);
	m->st = NULL;
	before = memory("RssAnon");
	err = reopen(m);
	if (err)
		return err;
	snprintf(note, sizeof note, "%.2f s of CPU", cpu_s() - m->cpu_s);
	bench_figure(o, "store opened again", wall_s(m), "s", note);
	note_memory(o, "store", memory("RssAnon") - before, n, memory("RssFile"));
	return 0;
}

static int configure(struct million *m)
{
	struct schema_error e;

	m->cfg = calloc(1, sizeof *m->cfg);
	if (!m->cfg)
		return -ENOMEM;
	if (node_cfg_defaults(m->cfg, &e))
		return -E_CONFIG;
	snprintf(m->cfg->id, sizeof m->cfg->id, "ipn:2.0");
	m->cfg->agent.max_bundles = m->n + 16;
	m->cfg->n_links = 1;
	snprintf(m->cfg->link[0].cl, sizeof m->cfg->link[0].cl, "udp");
	snprintf(m->cfg->link[0].peer, sizeof m->cfg->link[0].peer, "ipn:3.0");
	m->cfg->link[0].cl_cfg =
		(struct cl_cfg){.mtu_bytes = 65535, .guard_us = 1000, .burst_us = 5000};
	return trace_init(&m->trace, 1024);
}

static int start_node(struct million *m, struct out *o)
{
	struct node_deps deps = {
		.store = m->st, .trace = &m->trace, .seed = 1, .dtn_at_zero = DTN0};
	double before = memory("RssAnon");
	int err = configure(m);
	char note[64];

	if (err)
		return err;
	watch(m);
	err = node_new(m->cfg, &deps, 0, &m->node);
	if (err)
		return err;
	snprintf(note, sizeof note, "%.2f s of CPU", cpu_s() - m->cpu_s);
	bench_figure(o, "node started on it", wall_s(m), "s", note);
	store_turn(m->st);
	note_memory(o, "node", memory("RssAnon") - before, (double)m->n, memory("RssFile"));
	return 0;
}

/* Nothing else is due, so half of the bundles go within one tick; what it staged is made durable then. */
static int expire_half(struct million *m, struct out *o)
{
	mono now = (mono)(EARLY_MS + 1000) * US_PER_MS;
	struct store_stats st;
	double tick, n;
	char note[128];

	watch(m);
	while (node_deadline(m->node) <= now) {
		node_tick(m->node, now);
		progress(m, "expiring half", m->n / 2);
	}
	tick = wall_s(m);
	while (store_is_dirty(m->st)) {
		int err = commit(m);
		if (err)
			return err;
	}
	store_stats(m->st, &st);
	n = (double)(m->n - st.n_bundles);
	if (st.n_bundles != m->n / 2)
		return -E_STATE;
	snprintf(note, sizeof note, "%.2f s in the node, %.2f s until durable; %.1f us of CPU each",
		tick, wall_s(m) - tick, (cpu_s() - m->cpu_s) / n * 1e6);
	bench_figure(o, "half expired", n / wall_s(m), "1/s", note);
	node_free(m->node);
	m->node = NULL;
	int err = reopen(m);
	if (err)
		return err;
	bench_figure(o, "store opened with the other half", wall_s(m), "s", "");
	return 0;
}

/* Opening a store of fewer bundles, with payloads of two sizes. */
static int opening(struct out *o, size_t payload)
{
	struct million m;
	char name[64], note[64];
	int err = prepare(&m, SIZES, payload);

	m.n = SIZES;
	err = err ? err : fill(&m);
	store_close(m.st);
	m.st = NULL;
	snprintf(note, sizeof note, "log of %.0f MB, nothing in the page cache",
		(files(&m, "index", true) + files(&m, "seg-", true)) / 1e6);
	err = err ? err : reopen(&m);
	snprintf(name, sizeof name, "opened, %u of %zu B", SIZES, payload);
	if (!err)
		bench_figure(o, name, wall_s(&m) * 1e3, "ms", note);
	end(&m);
	return err;
}
