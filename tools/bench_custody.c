/*
 * owlt bench custody: what the promise costs. Two owltd with stores on disk: N bundles of 1 kB with custody are
 * given to the first while its contact is closed; when it opens they are sent, accepted durably by the second,
 * signalled, and released by the first. The rate counts until the last release; CPU is that of all threads of a
 * node from the opening on. Beside it the machine's own limits: bare sendmmsg to recvmmsg of as many bytes, and
 * a bare preallocated log with one fdatasync a batch of the size that the second node met. Then the time that one
 * lone bundle takes until it is told durable, beside a bare fdatasync. Start reading at bench_custody.
 */
#include "dtn/io/udp.h"
#include "tools/bench_pair.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_BUNDLES 20000
#define PAYLOAD 1000
#define RECORD 1216 /* bytes of log that a bundle takes */
#define STALL_NS UINT64_C(12000000000)
#define BARE_FILE (64 << 20)
#define BARE_NS 300000000u
#define LONE 200

static int measure(struct out *o, struct pair *p, const char *name, double *batch);
static int lone(struct out *o, struct pair *p);
static int bare_udp(struct out *o, const struct pair *p);
static int bare_log(struct out *o, double batch);
static int bare_open(char dir[BENCH_DIR], uint8_t *zeros, size_t size);

int bench_custody(struct out *o)
{
	static const struct {
		const char *config, *name;
		bool offload;
	} rows[] = {{"\"custody\":{\"signal_count\":10},", "a signal for 10", false},
		{"\"custody\":{\"signal_count\":100},", "a signal for 100", false},
		{"\"custody\":{\"signal_count\":100},", "for 100, offload", true}};
	struct pair p = {.rate = "1G", .disk = true};
	int code = pair_init(&p);
	double batch = 1;

	for (size_t i = 0; !code && i < sizeof rows / sizeof rows[0]; i++) {
		p.config = rows[i].config;
		p.offload = rows[i].offload;
		code = pair_start(&p);
		if (!code)
			code = measure(o, &p, rows[i].name, &batch);
		if (!code && i == 0)
			code = lone(o, &p);
		pair_stop(&p);
	}
	code = code ? code : bare_udp(o, &p);
	return code ? code : bare_log(o, batch);
}

static double used_us(const struct pair_cpu *from, const struct pair_cpu *to)
{
	return to->loop - from->loop + to->others - from->others;
}

static int measure(struct out *o, struct pair *p, const char *name, double *batch)
{
	int err = pair_load(p, PAYLOAD, N_BUNDLES, true);
	uint64_t last_ns = p->open_ns, got = 0, before, batches;
	struct pair_cpu from[2], to[2];
	char note[200], text[64];

	if (err || bench_now_ns() > p->open_ns)
		return out_fail("bench custody: %d bundles: %s", N_BUNDLES,
			err ? owlt_error_text(err) : "giving them to the node took too long here");
	pair_wait(p);
	batches = pair_count(p, 1, "store", "n_batches");
	for (int k = 0; k < 2; k++)
		from[k] = pair_cpu(p, k);
	do {
		before = got;
		got = pair_count(p, 0, "counters", "custody_released");
		last_ns = got > before ? bench_now_ns() : last_ns;
		poll(NULL, 0, 10);
	} while (got < N_BUNDLES && bench_now_ns() < last_ns + STALL_NS);
	for (int k = 0; k < 2; k++)
		to[k] = pair_cpu(p, k);
	batches = pair_count(p, 1, "store", "n_batches") - batches;
	*batch = (double)N_BUNDLES / (double)(batches ? batches : 1);
	snprintf(text, sizeof text, "released, 1 kB, %s", name);
	snprintf(note, sizeof note, "%llu of %d; sent again %llu; %.0f a batch",
		(unsigned long long)got, N_BUNDLES,
		(unsigned long long)pair_count(p, 0, "counters", "custody_retx"), *batch);
	bench_figure(o, text, (double)got * 1e9 / (double)(last_ns - p->open_ns), "1/s", note);
	for (int k = 0; k < 2; k++) {
		snprintf(note, sizeof note, "%s; loop %.1f, writer %.1f", name,
			(to[k].loop - from[k].loop) / N_BUNDLES,
			(to[k].others - from[k].others) / N_BUNDLES);
		bench_figure(o, k ? "CPU a bundle, accepting node" : "CPU a bundle, sending node",
			used_us(&from[k], &to[k]) / N_BUNDLES, "us", note);
	}
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* One bundle with custody at a time to an idle node, until it is told durable; in turns with one record into a
 * bare log, since others may use the disk. */
static int lone(struct out *o, struct pair *p)
{
	static uint8_t bytes[1 << 16];
	double us[LONE], bare[LONE];
	char note[160], dir[BENCH_DIR];
	int fd = bare_open(dir, bytes, sizeof bytes), err = fd < 0 ? fd : 0;

	for (int i = 0; !err && i < LONE; i++) {
		uint64_t from = bench_now_ns();
		err = pair_load(p, PAYLOAD, 1, true);
		us[i] = (double)(bench_now_ns() - from) / 1e3;
		poll(NULL, 0, 3);
		from = bench_now_ns();
		if (!err &&
			(pwrite(fd, bytes, RECORD, (off_t)i * RECORD) != RECORD || fdatasync(fd)))
			err = -errno;
		bare[i] = (double)(bench_now_ns() - from) / 1e3;
		poll(NULL, 0, 3);
	}
	if (fd >= 0)
		close(fd);
	bench_dir_remove(dir);
	if (err)
		return out_fail("bench custody: a lone bundle: %s", err_text(err));
	qsort(us, LONE, sizeof us[0], by_value);
	qsort(bare, LONE, sizeof bare[0], by_value);
	snprintf(note, sizeof note,
		"least %.0f, p99 %.0f; a bare pwrite and fdatasync: p50 %.0f, least %.0f, p99 %.0f",
		us[0], us[LONE * 99 / 100], bare[LONE / 2], bare[0], bare[LONE * 99 / 100]);
	bench_figure(o, "a lone bundle until it is durable", us[LONE / 2], "us", note);
	return 0;
}

/* -- the machine's own limits */

/* A file of written blocks; -errno. */
static int bare_open(char dir[BENCH_DIR], uint8_t *zeros, size_t size)
{
	char path[BENCH_DIR + 16];
	int fd, err = bench_dir_make(dir);

	if (err)
		return err;
	snprintf(path, sizeof path, "%s/log", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	for (size_t at = 0; at + size <= BARE_FILE; at += size)
		if (pwrite(fd, zeros, size, (off_t)at) != (ssize_t)size)
			return -EIO;
	return fdatasync(fd) ? -errno : fd;
}

static double cpu_us(int who)
{
	struct rusage r;

	getrusage(who, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static int bare_log(struct out *o, double batch)
{
	char dir[BENCH_DIR], note[120];
	size_t size = (size_t)(batch < 1 ? 1 : batch) * RECORD;
	uint8_t *bytes = calloc(1, size);
	int fd = bytes ? bare_open(dir, bytes, size) : -ENOMEM, err = fd < 0 ? fd : 0;
	uint64_t from = bench_now_ns(), n = 0;
	double cpu = cpu_us(RUSAGE_SELF);

	for (off_t at = 0; !err && bench_now_ns() < from + BARE_NS; n++) {
		at = at + 2 * (off_t)size > BARE_FILE ? 0 : at + (off_t)size;
		if (pwrite(fd, bytes, size, at) != (ssize_t)size || fdatasync(fd))
			err = -errno;
	}
	double us = (double)(bench_now_ns() - from) / 1e3,
	       bundles = (double)n * (double)(size / RECORD);
	cpu = cpu_us(RUSAGE_SELF) - cpu;
	if (fd >= 0)
		close(fd);
	free(bytes);
	bench_dir_remove(dir);
	if (err)
		return out_fail("bench custody: %s", err_text(err));
	snprintf(note, sizeof note, "%zu records of %d B a fdatasync; CPU %.2f us a record",
		size / RECORD, RECORD, cpu / bundles);
	bench_figure(o, "limit: bare log", bundles * 1e6 / us, "1/s", note);
	return 0;
}

static void bare_send(struct udp *u)
{
	static const uint8_t bytes[PAYLOAD + 128];
	struct udp_packet pk[UDP_BATCH];
	uint64_t end = bench_now_ns() + BARE_NS;
	int err;

	for (int i = 0; i < UDP_BATCH; i++) {
		pk[i].n_parts = 1;
		pk[i].part[0] = view_of(bytes, sizeof bytes);
	}
	while (bench_now_ns() < end)
		(void)udp_send(u, pk, UDP_BATCH, &err);
}

static int bare_udp(struct out *o, const struct pair *p)
{
	char a[32], b[32], note[120];
	struct udp rx, tx;
	struct udp_rx *room = udp_rx_new();
	struct pollfd f = {.events = POLLIN};
	uint64_t n = 0, from = 0, last = 0;
	double cpu = cpu_us(RUSAGE_SELF);

	snprintf(a, sizeof a, "127.0.0.1:%d", p->port + 2);
	snprintf(b, sizeof b, "127.0.0.1:%d", p->port + 3);
	if (!room || udp_open(&rx, a, b) || udp_open(&tx, b, a))
		return out_fail("bench custody: sockets on %s: %s", a, err_text(errno));
	pid_t child = fork();
	if (child == 0) {
		bare_send(&tx);
		_exit(0);
	}
	f.fd = rx.fd;
	while (child > 0 && poll(&f, 1, 200) > 0) {
		int got = udp_receive(&rx, room);

		from = from ? from : bench_now_ns();
		last = bench_now_ns();
		n += got > 0 ? (uint64_t)got : 0;
	}
	if (child > 0)
		waitpid(child, NULL, 0);
	cpu = cpu_us(RUSAGE_SELF) - cpu;
	udp_close(&rx);
	udp_close(&tx);
	udp_rx_free(room);
	snprintf(note, sizeof note, "received; CPU %.2f us a datagram there",
		cpu / (double)(n ? n : 1));
	bench_figure(o, "limit: bare sendmmsg to recvmmsg",
		last > from ? (double)n * 1e9 / (double)(last - from) : 0, "1/s", note);
	return 0;
}
