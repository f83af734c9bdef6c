#include "dtn/io/clock.h"
#include "dtn/io/file.h"
#include "dtn/io/loop.h"
#include "dtn/io/udp.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void folder(char path[64])
{
	snprintf(path, 64, "/tmp/owlt-test-XXXXXX");
	cr_assert_not_null(mkdtemp(path));
}

Test(io_clock, scales_a_lab)
{
	char dir[64], path[128];
	struct clock c;
	mono last = 0, now;
	const char *text = "{\"mono0_ns\":\"1000\",\"dtn0_ms\":5,\"speed\":50}";

	folder(dir);
	snprintf(path, sizeof path, "%s/run.json", dir);
	cr_assert_eq(clock_init_lab(&c, path), -ENOENT);
	cr_assert_eq(file_write_safe(path, view_text(text)), 0);
	cr_assert_eq(clock_init_lab(&c, path), 0);
	cr_assert(c.is_lab);
	cr_assert_eq(clock_real_of(&c, 50), 1000);
	cr_assert_eq(clock_ns_at(&c, 100), 1000 + 2000 + 1);
	cr_assert_eq(clock_ns_at(&c, MONO_NEVER), INT64_MAX);
	now = clock_now(&c, &last);
	cr_assert(now > 0 && clock_ns_at(&c, now) <= clock_mono_ns() + 1000);
	last = now + 1000000000;
	cr_assert_eq(clock_now(&c, &last), now + 1000000000, "never goes back");
	cr_assert_eq(file_write_safe(path, view_text("{\"mono0_ns\":1}")), 0);
	cr_assert_eq(clock_init_lab(&c, path), -E_CONFIG);
	unlink(path);
	rmdir(dir);
}

Test(io_file, keeps_logs_small)
{
	char dir[64], path[128], old[160];
	struct file_log f;
	struct view v;

	folder(dir);
	snprintf(path, sizeof path, "%s/log", dir);
	cr_assert_eq(file_log_open(&f, path, 10, 1), 0);
	cr_assert_eq(file_log_write(&f, view_text("123456\n")), 0);
	cr_assert_eq(file_log_write(&f, view_text("abc\n")), 0);
	cr_assert_eq(file_log_write(&f, view_text("defghi\n")), 0);
	file_log_close(&f);
	cr_assert_eq(file_load(path, 100, &v), 0);
	cr_assert(view_equal(v, view_text("defghi\n")));
	free((void *)(uintptr_t)v.p);
	snprintf(old, sizeof old, "%s.1", path);
	cr_assert_eq(file_load(old, 100, &v), 0);
	cr_assert(view_equal(v, view_text("abc\n")));
	free((void *)(uintptr_t)v.p);
	cr_assert_eq(file_load(old, 3, &v), -E_LIMIT);
	unlink(path);
	unlink(old);
	rmdir(dir);
}

Test(io_udp, reads_addresses)
{
	static const char *const good[] = {"127.0.0.1:4556", "[::1]:4556", "[2001:db8::1]:1"};
	static const char *const bad[] = {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",
		"1.2.3:4", "127.0.0.1:70000", "::1:4556", "[::1:4556", "[]:1", "[:1",
		"localhost:1"};
	union udp_address a;

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		cr_assert_eq(udp_address_parse(good[i], &a), 0, "%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_assert_eq(udp_address_parse(bad[i], &a), -E_SYNTAX, "%s", bad[i]);
}

/* A socket on a free port whose remote is `to`. */
static void open_free(struct udp *u, const struct udp *to)
{
	char local[32], remote[32];

	snprintf(remote, sizeof remote, "127.0.0.1:%d", to ? ntohs(to->local.v4.sin_port) : 9);
	for (int port = 20000 + getpid() % 10000;; port++) {
		snprintf(local, sizeof local, "127.0.0.1:%d", port);
		if (udp_open(u, local, remote) == 0)
			return;
	}
}

Test(io_udp, carries_datagrams_and_knows_strangers)
{
	struct udp a, b, stranger;
	struct udp_rx *rx = udp_rx_new();
	struct udp_packet p = {
		.part = {{(const uint8_t *)"ab", 2}, {(const uint8_t *)"c", 1}}, .n_parts = 2};
	struct loop l;
	struct loop_event ev[LOOP_EVENTS];
	int err, n = 0;
	bool ours;

	open_free(&a, NULL);
	open_free(&b, &a);
	open_free(&stranger, &a);
	a.remote = b.local;
	cr_assert_eq(loop_open(&l), 0);
	cr_assert_eq(loop_add(&l, a.fd, (struct loop_tag){3, 7}), 0);
	cr_assert_eq(loop_wait(&l, clock_mono_ns() + 1000, ev), 0);
	cr_assert_eq(udp_send(&b, &p, 1, &err), 1);
	cr_assert_eq(udp_send(&stranger, &p, 1, &err), 1);
	cr_assert_eq(loop_wait(&l, LOOP_NEVER, ev), 1);
	cr_assert(ev[0].tag.kind == 3 && ev[0].tag.index == 7 && ev[0].can_read);
	while (n < 2) {
		int got = udp_receive(&a, rx);

		cr_assert_geq(got, 0);
		for (int i = 0; i < got; i++, n++) {
			struct view v = udp_datagram(&a, rx, i, &ours);

			cr_assert(view_equal(v, view_text("abc")));
			cr_assert_eq(ours, n == 0);
			a.any_port = true;
			(void)udp_datagram(&a, rx, i, &ours);
			cr_assert(ours, "same address, another port");
			a.any_port = false;
		}
	}
	loop_close(&l);
	udp_close(&a);
	udp_close(&b);
	udp_close(&stranger);
	udp_rx_free(rx);
}

/* What `from` sends is what `to` gets, one by one and in order. */
static void sizes_arrive(struct udp *from, struct udp *to, const size_t *size, int n)
{
	static uint8_t bytes[UDP_BATCH][2000];
	struct udp_rx *rx = udp_rx_new();
	struct udp_packet p[UDP_BATCH];
	int err, sent = 0, got = 0;
	bool ours;

	for (int i = 0; i < n; i++) {
		memset(bytes[i], i + 1, sizeof bytes[i]);
		p[i].n_parts = 2;
		p[i].part[0] = view_of(bytes[i], size[i] / 3);
		p[i].part[1] = view_of(bytes[i], size[i] - size[i] / 3);
	}
	while (sent < n) {
		int went = udp_send(from, p + sent, n - sent, &err);
		cr_assert_gt(went, 0, "%d", err);
		sent += went;
	}
	while (got < n) {
		int more = udp_receive(to, rx);
		cr_assert_geq(more, 0);
		for (int i = 0; i < more; i++, got++) {
			struct view v = udp_datagram(to, rx, i, &ours);
			cr_assert(ours && v.n == size[got], "%d has %zu bytes", got, v.n);
			cr_assert(v.n == 0 || (v.p[0] == got + 1 && v.p[v.n - 1] == got + 1));
		}
	}
	cr_assert_eq(udp_receive(to, rx), 0);
	udp_rx_free(rx);
}

Test(io_udp, carries_runs_as_single_datagrams)
{
	static const size_t equal[] = {1200, 1200, 1200, 1200, 1200, 1200, 700, 1200, 1200, 0, 5, 5,
		5, 9, 9, 1},
			    long_run[] = {[0 ... 63] = 1100}, one[] = {3};
	struct udp a, b;

	for (int way = 0; way < 4; way++) {
		open_free(&a, NULL);
		open_free(&b, &a);
		a.remote = b.local;
		if (way & 1)
			udp_offload(&a);
		if (way & 2)
			udp_offload(&b);
		sizes_arrive(&b, &a, equal, sizeof equal / sizeof equal[0]);
		sizes_arrive(&b, &a, long_run, 64);
		sizes_arrive(&b, &a, one, 1);
		udp_close(&a);
		udp_close(&b);
	}
}

/* A datagram that no IP packet holds fails by itself, in a run, too. */
Test(io_udp, tells_which_of_a_run_fails)
{
	static uint8_t bytes[66000];
	struct udp a, b;
	int err;

	open_free(&a, NULL);
	open_free(&b, &a);
	udp_offload(&b);
	struct udp_packet p[3] = {{.part = {{bytes, 65600}}, .n_parts = 1},
		{.part = {{bytes, 100}}, .n_parts = 1}, {.part = {{bytes, 100}}, .n_parts = 1}};
	cr_assert_eq(udp_send(&b, p, 3, &err), 0);
	cr_assert_eq(err, -EMSGSIZE);
	cr_assert_eq(udp_send(&b, p + 1, 2, &err), 2);
	udp_close(&a);
	udp_close(&b);
}
