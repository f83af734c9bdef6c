/*
 * owlt bench [NAME]: what things cost on this machine. Two benchmarks at a time would measure each
 * other, so a lock file keeps them apart on the whole machine; the load average is printed first,
 * since a loaded machine makes every figure a lower bound. A new benchmark is a row here and a
 * bench_*.c.
 */
#include "tools/commands.h"
#include "tools/bench.h"

#include "tools/opt.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define LOCK "/tmp/owlt-bench.lock"
#define LEAST_NS 10000000u
#define ROUNDS 10

struct row {
	const char *name;
	int (*run)(struct out *o);
	const char *summary;
};

static const struct row rows[] = {
	{"codec", bench_codec,
		"read, forward and build bundles of 1 kB; CRC and copy as the machine's limits"},
	{"crypto", bench_crypto,
		"AES-GCM and HMAC beside bare OpenSSL; a bundle of 1 kB signed and encrypted"},
	{"crc", bench_crc, "CRCs beside their limits, and reading bundles of 10 B to 100 MB"},
	{"emulator", bench_emulator,
		"the lab's link emulator: frames/s, added delay, clock error at 60 s of light "
		"time"},
	{"store", bench_store,
		"durable commits, beside a bare pwrite and fdatasync, and beside LMDB"},
	{"million", bench_million,
		"a store of a million bundles: memory, opening, expiry of half of them"},
	{"node", bench_node,
		"a whole relay node: CPU a bundle, how it grows with its tables; allocations"},
	{"steps", bench_steps,
		"large data secured and checked in steps: the longest turn of the loop"},
	{"instructions", bench_instructions,
		"instructions of the same operations, counted by callgrind"},
	{"udp", bench_udp,
		"node to node over UDP on loopback, beside bare sendmmsg and recvmmsg; idle ping"},
	{"custody", bench_custody,
		"node to node with custody and stores on disk: rate, CPU, the lone bundle"},
	{0}};

struct args {
	bool json;
	const char *loop;
	uint64_t count;
};

static bool is_known(const char *name);
static int lock_take(void);
static int run_all(const char *name, struct out *o);
static int run_loop(const char *operation, size_t n);

int cmd_bench(int argc, char **argv)
{
	static const struct opt opts[] = {{"json", 0, OPT_FLAG, offsetof(struct args, json), NULL,
						  "one JSON line a figure", NULL},
		{"loop", 0, OPT_TEXT, offsetof(struct args, loop), "OPERATION",
			"for profilers: parse, head, forward, build, node, node-custody or "
			"node-disk, COUNT times and nothing else",
			NULL},
		{"count", 0, OPT_U64, offsetof(struct args, count), "COUNT",
			"how often; default 1000", NULL},
		{0}};
	static const struct opt_command cmd = {"bench", "[NAME]",
		"Measures what things cost here, beside the machine's limits", opts,
		"Names: codec, crypto, crc, emulator, store, million, node, steps, instructions, "
		"udp, "
		"custody;\n"
		"without one all are run. Exit 0: done, 2: usage."};
	struct args a = {.count = 1000};
	struct opt_rest rest = opt_read(&cmd, argc, argv, &a, 0, 1);
	struct out o;
	int code, end;

	if (rest.done)
		return rest.code;
	if (a.loop)
		return run_loop(a.loop, (size_t)a.count);
	if (rest.argc && !is_known(rest.argv[0]))
		return out_fail(
			"bench: no benchmark '%s'; owlt bench --help names them", rest.argv[0]);
	int lock = lock_take();
	if (lock < 0)
		return EXIT_USAGE;
	out_begin(&o, a.json);
	code = run_all(rest.argc ? rest.argv[0] : NULL, &o);
	end = out_end(&o);
	close(lock);
	return code ? code : end;
}

static bool is_known(const char *name)
{
	for (const struct row *r = rows; r->name; r++)
		if (strcmp(name, r->name) == 0)
			return true;
	return false;
}

static int run_loop(const char *operation, size_t n)
{
	int code;

	return bench_node_loop(operation, n, &code) ? code : bench_codec_loop(operation, n);
}

static int lock_take(void)
{
	int fd = open(LOCK, O_CREAT | O_RDWR | O_CLOEXEC, 0666);

	if (fd < 0) {
		out_fail("bench: %s: %s", LOCK, err_text(errno));
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	fprintf(stderr, "owlt: bench: another benchmark is running; waiting for it\n");
	if (flock(fd, LOCK_EX) == 0)
		return fd;
	out_fail("bench: %s: %s", LOCK, err_text(errno));
	close(fd);
	return -1;
}

static int run_all(const char *name, struct out *o)
{
	double load[3] = {0};
	int code = 0;

	if (getloadavg(load, 3) == 3)
		bench_figure(o, "load average", load[0], "",
			load[0] > 1 ? "others are running: times are upper bounds" : "");
	for (const struct row *r = rows; r->name; r++) {
		if (name && strcmp(name, r->name) != 0)
			continue;
		out_text(o, "%s: %s\n", r->name, r->summary);
		int err = r->run(o);
		code = code ? code : err;
	}
	return code;
}

void bench_figure(struct out *o, const char *name, double value, const char *unit, const char *note)
{
	if (o->json) {
		jw_object(&o->w, NULL);
		out_string(o, "name", name);
		jw_double(&o->w, "value", value);
		out_string(o, "unit", unit);
		out_string(o, "note", note);
		jw_object_end(&o->w);
	}
	out_text(o, "  %-40s %12.*f %-6s %s\n", name, value < 100 ? 2 : 0, value, unit, note);
	out_line(o);
}

uint64_t bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t timed(void (*run)(void *arg, size_t n), void *arg, size_t n)
{
	uint64_t from = bench_now_ns();

	run(arg, n);
	return bench_now_ns() - from;
}

double bench_least_ns(void (*run)(void *arg, size_t n), void *arg)
{
	size_t n = 1;
	uint64_t least = UINT64_MAX;

	while (n < SIZE_MAX / 2 && timed(run, arg, n) < LEAST_NS)
		n *= 2;
	for (unsigned k = 0; k < ROUNDS; k++) {
		uint64_t t = timed(run, arg, n);
		least = t < least ? t : least;
	}
	return (double)least / (double)n;
}

int bench_self(char path[BENCH_SELF])
{
	ssize_t n = readlink("/proc/self/exe", path, BENCH_SELF - 1);

	if (n < 0 || memchr(path, '\'', (size_t)n))
		return n < 0 ? -errno : -EINVAL;
	path[n] = 0;
	return 0;
}

int bench_dir_make(char dir[BENCH_DIR])
{
	snprintf(dir, BENCH_DIR, "./owlt-bench-XXXXXX");
	if (mkdtemp(dir))
		return 0;
	dir[0] = 0;
	return -errno;
}

void bench_dir_remove(const char *dir)
{
	DIR *d = dir[0] ? opendir(dir) : NULL;

	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	rmdir(dir);
}
