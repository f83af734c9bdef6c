/*
 * owlt bench udp: two owltd on 127.0.0.1 with memory stores. N bundles are given to the first while
 * its contact is closed; when it opens they leave as fast as they can, and what the second one counts
 * is the node-to-node rate. CPU is what /proc says of both processes meanwhile. Beside it: the bare
 * limit, one process calling sendmmsg and another recvmmsg with datagrams of the same size.
 * Loss is what the receiver's socket did not keep: nothing is paced here. Start reading at bench_udp.
 */
#include "dtn/client/owlt.h"
#include "dtn/io/udp.h"
#include "tools/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPEN_S 4 /* the contact begins this long after the lab */
#define BARE_NS 400000000u
#define PINGS 100

struct pair {
	char dir[64];
	char daemon[4096]; /* owltd beside owlt */
	int port;
	uint64_t mono0_ns;
	pid_t pid[2];
	struct owlt *node[2];
};

static int find_daemon(struct pair *p);
static int measure(struct out *o, struct pair *p, size_t payload, size_t n);
static int bare(struct out *o, struct pair *p, size_t payload);
static int ping(struct out *o, struct pair *p);
static int pair_start(struct pair *p);
static void pair_stop(struct pair *p);

int bench_udp(struct out *o)
{
	static const struct {
		size_t payload, n;
	} rows[] = {{100, 20000}, {1000, 20000}, {10000, 6000}, {60000, 1500}};
	struct pair p = {.port = 20000 + getpid() % 20000};
	int code = find_daemon(&p);

	for (size_t i = 0; !code && i < sizeof rows / sizeof rows[0]; i++) {
		code = pair_start(&p);
		if (!code)
			code = measure(o, &p, rows[i].payload, rows[i].n);
		if (!code && i == 0)
			code = ping(o, &p);
		pair_stop(&p);
		if (!code)
			code = bare(o, &p, rows[i].payload);
	}
	return code;
}

/* -- two daemons */

static int find_daemon(struct pair *p)
{
	ssize_t n = readlink("/proc/self/exe", p->daemon, sizeof p->daemon - 8);
	char *slash;

	p->daemon[n > 0 ? n : 0] = 0;
	slash = strrchr(p->daemon, '/');
	if (!slash)
		return out_fail("bench udp: /proc/self/exe cannot be read");
	memcpy(slash + 1, "owltd", 6);
	return access(p->daemon, X_OK)
		       ? out_fail("bench udp: %s is not there; run make all", p->daemon)
		       : 0;
}

static int put_file(const struct pair *p, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", p->dir, name);
	f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f))
		return out_fail("bench udp: %s: %s", path, err_text(errno));
	return 0;
}

static int put_config(const struct pair *p, int k)
{
	char text[1024], name[32];

	snprintf(text, sizeof text,
		"{\"node\":{\"id\":\"ipn:%d.0\"},\"control\":{\"socket\":\"%s/"
		"%d.sock\"},\"plan\":\"%s/plan\","
		"\"lab\":{\"run\":\"%s/"
		"run\"},\"log\":{\"level\":\"error\"},\"agent\":{\"echo_per_s\":100000},"
		"\"links\":[{\"name\":\"l\",\"local\":\"127.0.0.1:%d\",\"remote\":\"127.0.0.1:%d\","
		"\"peer\":\"ipn:%d.0\"}]}",
		k + 1, p->dir, k, p->dir, p->dir, p->port + k, p->port + 1 - k, 2 - k);
	snprintf(name, sizeof name, "%d.json", k);
	return put_file(p, name, text);
}

/* Starts owltd and waits for its "ready". */
static int spawn(struct pair *p, int k)
{
	char config[128], line[16] = "", sock[128];
	int pipes[2], err;

	snprintf(config, sizeof config, "%s/%d.json", p->dir, k);
	snprintf(sock, sizeof sock, "%s/%d.sock", p->dir, k);
	if (pipe2(pipes, O_CLOEXEC))
		return out_fail("bench udp: pipe: %s", err_text(errno));
	p->pid[k] = fork();
	if (p->pid[k] == 0) {
		dup2(pipes[1], 1);
		execl(p->daemon, p->daemon, "-c", config, (char *)NULL);
		_exit(127);
	}
	close(pipes[1]);
	if (p->pid[k] < 0 || read(pipes[0], line, sizeof line - 1) < 5) {
		close(pipes[0]);
		return out_fail("bench udp: owltd did not start");
	}
	close(pipes[0]);
	err = owlt_open(sock, &p->node[k]);
	return err ? out_fail("bench udp: %s: %s", sock, owlt_error_text(err)) : 0;
}

static int pair_start(struct pair *p)
{
	char text[256];
	int code;

	memset(p->pid, 0, sizeof p->pid);
	memset(p->node, 0, sizeof p->node);
	snprintf(p->dir, sizeof p->dir, "/tmp/owlt-bench-XXXXXX");
	if (!mkdtemp(p->dir))
		return out_fail("bench udp: /tmp: %s", err_text(errno));
	p->mono0_ns = bench_now_ns();
	snprintf(text, sizeof text,
		"{\"mono0_ns\":\"%llu\",\"dtn0_ms\":\"820000000000\",\"speed\":1}",
		(unsigned long long)p->mono0_ns);
	code = put_file(p, "run", text);
	snprintf(text, sizeof text,
		"{\"contacts\":[{\"from\":1,\"to\":2,\"start\":%d,\"end\":1000,\"rate\":\"40G\","
		"\"owlt\":\"0s\"},"
		"{\"from\":2,\"to\":1,\"start\":0,\"end\":1000,\"rate\":\"40G\",\"owlt\":\"0s\"}]}",
		OPEN_S);
	if (!code)
		code = put_file(p, "plan", text);
	for (int k = 0; !code && k < 2; k++) {
		code = put_config(p, k);
		if (!code)
			code = spawn(p, k);
	}
	return code;
}

static void pair_stop(struct pair *p)
{
	static const char *const files[] = {"run", "plan", "0.json", "1.json", "0.sock", "1.sock"};
	char path[128];

	for (int k = 0; k < 2; k++) {
		owlt_close(p->node[k]);
		if (p->pid[k] > 0) {
			kill(p->pid[k], SIGKILL);
			waitpid(p->pid[k], NULL, 0);
		}
	}
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", p->dir, files[i]);
		unlink(path);
	}
	rmdir(p->dir);
}

/* -- figures */

/* User and system time of a process, us. */
static double cpu_us(pid_t pid)
{
	char path[64], text[1024];
	unsigned long user = 0, sys = 0;
	FILE *f;
	char *end;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	text[fread(text, 1, sizeof text - 1, f)] = 0;
	fclose(f);
	end = strrchr(text, ')');
	if (!end || sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			    &sys) != 2)
		return 0;
	return (double)(user + sys) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

static uint64_t link_count(struct owlt *node, const char *key)
{
	const char *json;
	struct json *doc;
	unsigned line;
	uint64_t n = 0;
	size_t size;

	if (owlt_status(node, "links", &json, &size) ||
		json_parse(view_of(json, size), &doc, &line))
		return 0;
	if (json_u64(json_get(json_at(json_get(doc, "links"), 0), key), &n))
		n = 0;
	json_free(doc);
	return n;
}

/* Gives n bundles to the first node; 0 when it has them all. */
static int preload(struct pair *p, size_t payload, size_t n)
{
	struct owlt_send s = {.dest = "ipn:2.99",
		.lifetime_ms = 3600000,
		.size = payload,
		.payload = calloc(1, payload)};
	size_t sent = 0, done = 0;
	struct owlt_event ev;
	uint64_t tag;
	int err = s.payload ? 0 : -ENOMEM;

	while (!err && done < n) {
		while (!err && sent < n && sent - done < 64) {
			err = owlt_send_start(p->node[0], &s, &tag);
			sent += !err;
		}
		if (!err && owlt_event(p->node[0], &ev, 5000) != 1)
			err = -ETIMEDOUT;
		if (!err && ev.type != OWLT_ACCEPTED)
			err = ev.err ? ev.err : -ECONNRESET;
		done += !err;
	}
	free((void *)(uintptr_t)s.payload);
	return err;
}

static void pause_until(uint64_t ns)
{
	while (bench_now_ns() < ns)
		poll(NULL, 0, (int)((ns - bench_now_ns()) / 1000000 + 1));
}

static int measure(struct out *o, struct pair *p, size_t payload, size_t n)
{
	uint64_t open_ns = p->mono0_ns + OPEN_S * UINT64_C(1000000000), last_ns = open_ns, got = 0,
		 before;
	double cpu[2];
	char note[160], name[64];
	int err = preload(p, payload, n);

	if (err || bench_now_ns() > open_ns)
		return out_fail("bench udp: %zu bundles of %zu B: %s", n, payload,
			err ? owlt_error_text(err) : "giving them to the node took too long here");
	pause_until(open_ns);
	for (int k = 0; k < 2; k++)
		cpu[k] = cpu_us(p->pid[k]);
	do {
		before = got;
		got = link_count(p->node[1], "bundles_rx");
		last_ns = got > before ? bench_now_ns() : last_ns;
		poll(NULL, 0, 10);
	} while (got < n && bench_now_ns() < last_ns + 500000000);
	for (int k = 0; k < 2; k++)
		cpu[k] = cpu_us(p->pid[k]) - cpu[k];
	snprintf(name, sizeof name, "node to node, %zu B", payload);
	snprintf(note, sizeof note,
		"%zu bundles, CPU us a bundle: sender %.1f, receiver %.1f; lost %llu", n,
		cpu[0] / (double)n, cpu[1] / (double)(got ? got : 1),
		(unsigned long long)(n - got));
	bench_figure(o, name, (double)got * 1e9 / (double)(last_ns - open_ns), "1/s", note);
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int ping(struct out *o, struct pair *p)
{
	char source[OWLT_EID_MAX], note[80];
	struct owlt_send s = {
		.dest = "ipn:2.7", .source = source, .lifetime_ms = 60000, .size = 64};
	uint8_t payload[64] = {0};
	double us[PINGS];
	struct owlt_event ev;
	uint32_t reg;
	uint64_t tag, from;
	int err = owlt_register(p->node[0], "", 64, false, source, &reg), n = 0;

	s.payload = payload;
	while (!err && n < PINGS) {
		from = bench_now_ns();
		err = owlt_send_start(p->node[0], &s, &tag);
		while (!err && owlt_event(p->node[0], &ev, 2000) == 1 && ev.type != OWLT_DELIVERY)
			;
		if (err || ev.type != OWLT_DELIVERY)
			return out_fail("bench udp: no answer to a ping");
		us[n++] = (double)(bench_now_ns() - from) / 1e3;
		err = owlt_ack(p->node[0], reg, ev.id);
		poll(NULL, 0, 2);
	}
	if (err)
		return out_fail("bench udp: ping: %s", owlt_error_text(err));
	qsort(us, PINGS, sizeof us[0], by_value);
	snprintf(note, sizeof note, "median of %d, idle, memory store; p99 %.0f", PINGS,
		us[PINGS * 99 / 100]);
	bench_figure(o, "ping round trip", us[PINGS / 2], "us", note);
	return 0;
}

/* -- the machine's own limit */

static void bare_send(struct udp *u, size_t payload)
{
	static const uint8_t bytes[65536];
	struct udp_packet pk[UDP_BATCH];
	uint64_t end = bench_now_ns() + BARE_NS;
	int err;

	for (int i = 0; i < UDP_BATCH; i++) {
		pk[i].n_parts = 1;
		pk[i].part[0] = view_of(bytes, payload);
	}
	while (bench_now_ns() < end)
		(void)udp_send(u, pk, UDP_BATCH, &err);
}

static int bare(struct out *o, struct pair *p, size_t payload)
{
	char a[32], b[32], name[64];
	struct udp rx, tx;
	struct udp_rx *room = udp_rx_new();
	uint64_t n = 0, from = 0, last = 0;
	pid_t child;

	snprintf(a, sizeof a, "127.0.0.1:%d", p->port + 2);
	snprintf(b, sizeof b, "127.0.0.1:%d", p->port + 3);
	if (!room || udp_open(&rx, a, b) || udp_open(&tx, b, a))
		return out_fail("bench udp: sockets on %s: %s", a, err_text(errno));
	child = fork();
	if (child == 0) {
		bare_send(&tx, payload);
		_exit(0);
	}
	do {
		struct pollfd f = {.fd = rx.fd, .events = POLLIN};
		int got = udp_receive(&rx, room);

		if (got > 0) {
			from = from ? from : bench_now_ns();
			last = bench_now_ns();
			n += (uint64_t)got;
		} else if (poll(&f, 1, 200) == 0) {
			break;
		}
	} while (child > 0);
	if (child > 0)
		waitpid(child, NULL, 0);
	udp_close(&rx);
	udp_close(&tx);
	udp_rx_free(room);
	snprintf(name, sizeof name, "bare sendmmsg to recvmmsg, %zu B", payload);
	bench_figure(o, name, last > from ? (double)n * 1e9 / (double)(last - from) : 0, "1/s",
		"received");
	return 0;
}
