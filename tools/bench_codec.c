/*
 * Benchmark of the codec: bundles as in our notes on the peers (1 kB payload; primary, previous
 * node, age, hop count, payload; CRC-32C on all five), hot in the cache and over 4 096 different
 * ones. Forward means: read with all checks, then write the head with the three blocks changed
 * (payload and tail are not copied, as in the node); "rendered" copies them too, as the peers'
 * figures do. Limits: the same bytes copied and run through the CRC.
 */
#include "tools/bench.h"

#include "bundle/bundle.h"
#include "bundle/rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_BUNDLES 4096u
#define PAYLOAD 1024u
#define ROOM 1280u /* bytes for one bundle */

struct codec {
	uint8_t *bytes; /* N_BUNDLES of ROOM each */
	size_t len[N_BUNDLES];
	size_t mask; /* 0: always the first bundle; N_BUNDLES - 1: all in turn */
	size_t at;
	struct bundle_rules rules;
	uint8_t out[2 * ROOM];
	uint8_t payload[PAYLOAD];
	uint64_t sum; /* keeps the compiler from leaving work out */
};

static struct view next(struct codec *x)
{
	size_t k = x->at++ & x->mask;

	return view_of(x->bytes + k * ROOM, x->len[k]);
}

static struct bundle_spec spec_of(uint64_t k)
{
	return (struct bundle_spec){.crc_type = CRC_32C,
		.block_crc_type = CRC_32C,
		.dest = eid_ipn(2 + k % 1000, 1),
		.source = eid_ipn(1 + k % 7, 1),
		.report_to = eid_ipn(1, 0),
		.created_ms = 820000000000 + k,
		.seq = k,
		.lifetime_ms = 3600000,
		.has_prev = true,
		.prev = eid_ipn(9, 0),
		.has_age = true,
		.age_ms = 1000 + k,
		.has_hop = true,
		.hop_limit = 30,
		.hop_count = 2,
		.custody = custody_codes_ccsds()};
}

static void run_parse(void *arg, size_t n)
{
	struct codec *x = arg;
	struct bundle_fault fault;
	struct bundle b;

	for (size_t i = 0; i < n; i++) {
		if (bundle_read(&b, next(x), &x->rules, &fault))
			abort();
		x->sum += b.seq;
	}
}

static void run_head(void *arg, size_t n)
{
	struct codec *x = arg;
	struct bundle_fault fault;
	struct bundle b;

	for (size_t i = 0; i < n; i++) {
		struct view v = next(x);
		if (bundle_read_head(&b, view_sub(v, 0, v.n - PAYLOAD - 6), &x->rules, &fault))
			abort();
		x->sum += b.seq;
	}
}

static void forward(struct codec *x, size_t n, bool render)
{
	struct bundle_edit e = {.set_prev = true,
		.prev = eid_ipn(7, 0),
		.set_age = true,
		.age_ms = 70000,
		.set_hop = true,
		.hop_count = 3,
		.crc_type = CRC_32C,
		.custody = custody_codes_ccsds()};
	struct bundle_fault fault;
	struct bundle b;

	for (size_t i = 0; i < n; i++) {
		struct buf w = buf_of(x->out, sizeof x->out);
		if (bundle_read(&b, next(x), &x->rules, &fault) || bundle_forward_head(&w, &b, &e))
			abort();
		if (render) {
			buf_put(&w, b.payload);
			buf_put(&w, b.tail);
		}
		x->sum += w.len;
	}
}

static void run_forward(void *arg, size_t n)
{
	forward(arg, n, false);
}

static void run_render(void *arg, size_t n)
{
	forward(arg, n, true);
}

static void run_build(void *arg, size_t n)
{
	struct codec *x = arg;
	struct bundle_spec s = spec_of(x->at);

	for (size_t i = 0; i < n; i++) {
		uint64_t k = x->at++;
		s.dest = eid_ipn(2 + k % 1000, 1);
		s.created_ms = 820000000000 + k;
		s.seq = k;
		s.age_ms = 1000 + k;
		struct buf w = buf_of(x->out, sizeof x->out);
		if (bundle_build(&w, &s, view_of(x->payload, PAYLOAD)))
			abort();
		x->sum += w.len;
	}
}

static void run_crc(void *arg, size_t n)
{
	struct codec *x = arg;

	for (size_t i = 0; i < n; i++)
		x->sum += crc32c(0, next(x));
}

static void run_crc_table(void *arg, size_t n)
{
	struct codec *x = arg;

	for (size_t i = 0; i < n; i++)
		x->sum += crc32c_table(0, next(x));
}

static void run_copy(void *arg, size_t n)
{
	struct codec *x = arg;

	for (size_t i = 0; i < n; i++) {
		struct view v = next(x);
		memcpy(x->out, v.p, v.n);
		__asm__ volatile("" : : "r"(x->out) : "memory");
		x->sum += x->out[0];
	}
}

static const struct codec_row {
	const char *name;
	void (*run)(void *arg, size_t n);
	const char *note;
	const char *loop; /* its name for --loop, or NULL */
} rows[] = {{"parse, all CRCs", run_parse, "five blocks", "parse"},
	{"read a stored head", run_head, "no CRCs", "head"},
	{"forward: parse, 3 blocks changed", run_forward, "payload not copied", "forward"},
	{"forward, rendered into one buffer", run_render, "", NULL},
	{"build and serialise", run_build, "", "build"},
	{"limit: CRC-32C of the bytes", run_crc, "`owlt bench crc` says more", NULL},
	{"limit: CRC-32C by tables", run_crc_table, "", NULL},
	{"limit: copy of the bytes", run_copy, "", NULL}};

static int bundles_make(struct codec *x)
{
	x->bytes = malloc((size_t)N_BUNDLES * ROOM);
	if (!x->bytes)
		return -ENOMEM;
	for (size_t k = 0; k < N_BUNDLES; k++) {
		struct bundle_spec s = spec_of(k);
		struct buf w = buf_of(x->bytes + k * ROOM, ROOM);
		for (size_t i = 0; i < PAYLOAD; i++)
			x->payload[i] = (uint8_t)(i * 7 + k);
		if (bundle_build(&w, &s, view_of(x->payload, PAYLOAD)))
			return -E_OVERFLOW;
		x->len[k] = w.len;
	}
	return 0;
}

static struct codec *codec_new(void)
{
	struct codec *x = calloc(1, sizeof *x);

	if (!x || bundles_make(x)) {
		out_fail("bench: no memory for %u bundles", N_BUNDLES);
		free(x);
		return NULL;
	}
	x->rules = bundle_rules_default();
	return x;
}

static void codec_free(struct codec *x)
{
	free(x->bytes);
	free(x);
}

int bench_codec(struct out *o)
{
	struct codec *x = codec_new();
	char name[64];

	if (!x)
		return EXIT_USAGE;
	for (unsigned cold = 0; cold < 2; cold++) {
		x->mask = cold ? N_BUNDLES - 1 : 0;
		for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
			snprintf(name, sizeof name, "%s%s", rows[k].name, cold ? "" : ", hot");
			bench_figure(o, name, bench_least_ns(rows[k].run, x), "ns",
				cold ? "4096 bundles in turn" : rows[k].note);
		}
	}
	codec_free(x);
	return 0;
}

int bench_codec_loop(const char *operation, size_t n)
{
	for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
		if (!rows[k].loop || strcmp(rows[k].loop, operation) != 0)
			continue;
		struct codec *x = codec_new();
		if (!x)
			return EXIT_USAGE;
		rows[k].run(x, n);
		codec_free(x);
		return 0;
	}
	return out_fail("bench: --loop %s: parse, head, forward, build, node, node-custody or "
			"node-disk",
		operation);
}

/* Instructions of a whole run of this program under callgrind; negative when there are none to be
 * had. */
static double counted(const char *self, const char *operation, unsigned n)
{
	char command[BENCH_SELF + 256], line[256];
	double instructions = -1;

	snprintf(command, sizeof command,
		"valgrind --tool=callgrind --callgrind-out-file=/dev/null '%s' bench --loop %s "
		"--count %u 2>&1",
		self, operation, n);
	FILE *f = popen(command, "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof line, f)) {
		const char *at = strstr(line, "Collected : ");
		if (at)
			instructions = strtod(at + strlen("Collected : "), NULL);
	}
	return pclose(f) == 0 ? instructions : -1;
}

int bench_instructions(struct out *o)
{
	char self[BENCH_SELF];

	if (bench_self(self))
		return out_fail("bench: this program does not know its own path");
	for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
		if (!rows[k].loop)
			continue;
		double once = counted(self, rows[k].loop, 1000),
		       twice = counted(self, rows[k].loop, 2000);
		if (once < 0 || twice < 0) {
			out_text(o, "  not counted: valgrind is not there, or failed\n");
			return 0;
		}
		bench_figure(o, rows[k].name, (twice - once) / 1000, "instr", "");
	}
	return 0;
}
