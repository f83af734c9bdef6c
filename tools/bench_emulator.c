/*
 * bench emulator: the lab's link emulator on this machine, driven as a lab drives it: two namespaces, real
 * UDP sockets, one link. Flood: frames of 1000 bytes as fast as one core sends them. Light time: datagrams
 * with their time of sending over 60 s of light time at speed 60; what they are late by is the added
 * delay (real time) and, times the speed, the clock error (lab time). OWLT_BENCH_LIGHT_S changes the 60 s.
 *
 * It runs in a child process, which moves into namespaces and takes them with it.
 */
#include "netns/address.h"
#include "netns/emulator_process.h"
#include "netns/lab.h"
#include "tools/bench.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROBES 1000
#define PROBE_GAP_NS NS_PER_MS
#define FLOOD_NS (2 * NS_PER_S)
#define FLOOD_BYTES 958 /* 1000 with its headers */
#define BATCH 32

struct rig {
	struct lab lab;
	struct lab_options opt;
	struct emulator_process emulator;
	int tx, rx; /* sockets in the two nodes */
};

static int run_all(struct out *o);
static int rig_set_up(struct rig *r, double speed, double light_s);
static int node_socket(const struct rig *r, unsigned node);
static int rig_tear_down(struct rig *r);
static int flood(struct out *o);
static void flood_for(struct rig *r, int64_t end);
static int light_time(struct out *o, double light_s);
static size_t probe(struct rig *r, double light_s, struct lateness *late);
static bool take_probe(struct rig *r, double light_s, struct lateness *late);

int bench_emulator(struct out *o)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		int code = run_all(o);

		_exit(code ? code : out_end(o));
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return out_fail("bench: emulator: the benchmark died");
	return WEXITSTATUS(status);
}

static int run_all(struct out *o)
{
	const char *light = getenv("OWLT_BENCH_LIGHT_S"), *why = "";
	enum space_rights rights;
	int err = space_get_rights(&rights, &why);

	if (err) {
		fprintf(stderr, "skip emulator: %s\n", why);
		return 0;
	}
	err = flood(o);
	if (!err)
		err = light_time(o, light ? atof(light) : 60);
	return err ? out_fail("bench: emulator: %s", err_text(err)) : 0;
}

static int rig_set_up(struct rig *r, double speed, double light_s)
{
	struct plan_notes notes = {0};
	char text[512], dir[] = "/tmp/owlt-bench-XXXXXX";
	int err;

	*r = (struct rig){
		.opt = {.no_capture = true, .seed = 1, .memory_limit = EMULATOR_MEMORY_DEFAULT},
		.emulator = {.start_fd = -1}};
	snprintf(text, sizeof text,
		"{\"name\":\"bench\",\"nodes\":[{\"name\":\"a\",\"id\":\"ipn:1.0\"},{\"name\":"
		"\"b\",\"id\":\"ipn:2.0\"}],"
		"\"links\":[{\"name\":\"l\",\"a\":\"a\",\"b\":\"b\",\"owlt\":\"%.0fms\"}]}",
		light_s * 1000);
	err = topo_read(view_text(text), (struct view){0}, &r->lab.topo, &notes);
	if (err)
		return err;
	if (!mkdtemp(dir))
		return -errno;
	snprintf(r->lab.dir, sizeof r->lab.dir, "%s", dir);
	r->lab.opt = &r->opt;
	r->lab.speed = speed;
	r->lab.node = calloc(2, sizeof *r->lab.node);
	r->lab.ifindex = calloc(1, sizeof *r->lab.ifindex);
	if (!r->lab.node || !r->lab.ifindex)
		return -ENOMEM;
	err = build_net(&r->lab);
	if (!err)
		err = emulator_process_start(&r->emulator, &r->lab, NULL, 0);
	r->lab.clock =
		(struct lab_clock){.mono0_ns = clock_now_ns(CLOCK_MONOTONIC), .speed = speed};
	if (!err)
		err = emulator_process_go(&r->emulator, &r->lab.clock);
	if (!err)
		err = r->tx = node_socket(r, 0);
	if (err >= 0)
		err = r->rx = node_socket(r, 1);
	return err < 0 ? err : 0;
}

static int node_socket(const struct rig *r, unsigned node)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(LAB_UDP_PORT)};
	const int on = 1, bytes = 8 << 20;
	int fd, err = space_enter_net(r->lab.node[node].ns_fd);

	if (err)
		return err;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
	at.sin_addr.s_addr = htonl(address_ip(0, node == 0 ? SIDE_A : SIDE_B));
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
		return -errno;
	at.sin_addr.s_addr = htonl(address_ip(0, node == 0 ? SIDE_B : SIDE_A));
	return connect(fd, (struct sockaddr *)&at, sizeof at) < 0 ? -errno : fd;
}

/* 0, or what is wrong with the emulator's counters. */
static int rig_tear_down(struct rig *r)
{
	char path[LAB_PATH_MAX];
	int status = emulator_process_stop(&r->emulator);

	close(r->tx);
	close(r->rx);
	for (unsigned k = 0; k < 2; k++)
		close(r->lab.node[k].ns_fd);
	close(r->lab.links_ns);
	rundir_path(&r->lab, "links.json", NULL, path);
	unlink(path);
	rmdir(r->lab.dir);
	topo_free(r->lab.topo);
	free(r->lab.node);
	free(r->lab.ifindex);
	return WIFEXITED(status) && WEXITSTATUS(status) == EMULATOR_OK ? 0 : -E_RULE;
}

static int flood(struct out *o)
{
	struct rig r;
	int64_t start, end;
	uint64_t before, after, overrun;
	char note[96];
	int err = rig_set_up(&r, 1, 0.02);

	if (err)
		return err;
	bench_figure(o, "emulator.trial", (double)r.emulator.shared->capacity, "frames/s",
		"1400 B, one thread, at start");
	start = clock_now_ns(CLOCK_MONOTONIC);
	flood_for(&r, start + FLOOD_NS);
	end = clock_now_ns(CLOCK_MONOTONIC);
	err = rig_tear_down(&r); /* the last report is exact */
	before = r.emulator.shared->frames_in;
	after = r.emulator.shared->frames_out;
	overrun = r.emulator.shared->overrun;
	snprintf(note, sizeof note,
		"1000 B, sent as fast as one core can; %llu of %llu lost before it",
		(unsigned long long)overrun, (unsigned long long)(before + overrun));
	bench_figure(
		o, "emulator.flood", (double)after * 1e9 / (double)(end - start), "frames/s", note);
	return err;
}

/* One core sends; the emulator has the other. What arrives is left to overflow the receiver's socket. */
static void flood_for(struct rig *r, int64_t end)
{
	static char bytes[FLOOD_BYTES];
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof bytes};
	struct mmsghdr msg[BATCH];

	for (unsigned k = 0; k < BATCH; k++)
		msg[k] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	while (clock_now_ns(CLOCK_MONOTONIC) < end)
		if (sendmmsg(r->tx, msg, BATCH, 0) < 0)
			poll(&(struct pollfd){.fd = r->tx, .events = POLLOUT}, 1, 1);
}

static int light_time(struct out *o, double light_s)
{
	static const double speed = 60;
	struct lateness late = {0};
	struct rig r;
	char note[96];
	size_t got;
	int err = rig_set_up(&r, speed, light_s);

	if (err)
		return err;
	got = probe(&r, light_s, &late);
	err = rig_tear_down(&r);
	snprintf(note, sizeof note, "light time %g s at speed 60, %zu of %d arrived, counters %s",
		light_s, got, PROBES, err ? "DO NOT BALANCE" : "balanced");
	bench_figure(o, "emulator.delay.p50", (double)lateness_quantile_ns(&late, 0.5) / 1e3, "us",
		note);
	bench_figure(o, "emulator.delay.p99", (double)lateness_quantile_ns(&late, 0.99) / 1e3, "us",
		"real time");
	bench_figure(o, "emulator.clock.p50",
		(double)lateness_quantile_ns(&late, 0.5) * speed / 1e6, "ms", "lab time");
	bench_figure(o, "emulator.clock.p99",
		(double)lateness_quantile_ns(&late, 0.99) * speed / 1e6, "ms", "lab time");
	return err;
}

/* Sends and takes until all have arrived or one more light time has gone by; how many came. */
static size_t probe(struct rig *r, double light_s, struct lateness *late)
{
	int64_t next = clock_now_ns(CLOCK_MONOTONIC),
		light_ns = (int64_t)(light_s / r->lab.speed * 1e9);
	int64_t end = next + PROBES * PROBE_GAP_NS + 2 * light_ns + NS_PER_S;
	size_t n_sent = 0, got = 0;

	while (got < PROBES && clock_now_ns(CLOCK_MONOTONIC) < end) {
		int64_t now = clock_now_ns(CLOCK_MONOTONIC);
		struct timespec wait = {.tv_nsec = PROBE_GAP_NS / 4};

		if (n_sent < PROBES && now >= next) {
			next += PROBE_GAP_NS;
			n_sent += send(r->tx, &now, sizeof now, 0) == sizeof now;
		}
		ppoll(&(struct pollfd){.fd = r->rx, .events = POLLIN}, 1, &wait, NULL);
		while (take_probe(r, light_s, late))
			got++;
	}
	return got;
}

static bool take_probe(struct rig *r, double light_s, struct lateness *late)
{
	char control[CMSG_SPACE(sizeof(struct timespec))];
	int64_t sent = 0, offset = clock_now_ns(CLOCK_REALTIME) - clock_now_ns(CLOCK_MONOTONIC);
	struct iovec iov = {.iov_base = &sent, .iov_len = sizeof sent};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control};
	struct cmsghdr *c;
	struct timespec ts;

	if (recvmsg(r->rx, &m, 0) != sizeof sent)
		return false;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_TIMESTAMPNS) {
		memcpy(&ts, CMSG_DATA(c), sizeof ts);
		lateness_add(late, ts.tv_sec * NS_PER_S + ts.tv_nsec - offset - sent -
					   (int64_t)(light_s / r->lab.speed * 1e9));
	}
	return true;
}
