/*
 * owlt ping: echo requests as bundles, owlt-ping(1). The payload is a number and the lab time of
 * sending; the echo service sends it back as it is. Times are lab time. Start reading at cmd_ping.
 */
#include "bundle/base/bytes.h"
#include "tools/commands.h"
#include "tools/connect.h"
#include "tools/opt.h"
#include "tools/out.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define ECHO_SERVICE 7
#define ECHO_BYTES 65536
#define STAMP 24 /* magic, number, time */
#define MAGIC UINT64_C(0x6f776c7470696e67)

struct args {
	const char *socket;
	uint64_t count, size;
	int64_t interval_us, wait_us;
	bool json;
};

#define AT(field) offsetof(struct args, field)

static const struct opt opts[] = {
	{"count", 'c', OPT_U64, AT(count), "N", "end after N requests", NULL},
	{"interval", 'i', OPT_DURATION, AT(interval_us), "D", "between requests (default 1s)",
		NULL},
	{"wait", 'W', OPT_DURATION, AT(wait_us), "D", "for the last answer at most (default 10s)",
		NULL},
	{"size", 's', OPT_BYTES, AT(size), "BYTES", "of payload, at least 24 (default 64)", NULL},
	CONNECT_OPT(struct args),
	{"json", 0, OPT_FLAG, AT(json), NULL, "one JSON line per answer, then the totals", NULL},
	{0}};

static const struct opt_command command = {"ping", "EID",
	"send echo requests and measure round trips", opts,
	"An EID without a service means the echo service 7. All times are lab time. Exit 0: at "
	"least\n"
	"one answer, 1: none, 2: error."};

struct job {
	struct owlt *node;
	const struct args *a;
	struct out out;
	char dest[OWLT_EID_MAX], source[OWLT_EID_MAX];
	uint8_t *payload;
	uint64_t n_sent, n_got;
	double min, max, sum, sum2; /* ms */
};

static volatile sig_atomic_t is_stopped; /* set by SIGINT */

static int name_dest(const char *text, char out[OWLT_EID_MAX]);
static bool is_own(const struct job *j);
static int run(struct job *j);
static void print_totals(struct job *j, int64_t took_us);

static void on_signal(int sig)
{
	(void)sig;
	is_stopped = 1;
}

int cmd_ping(int argc, char **argv)
{
	struct args a = {
		.count = UINT64_MAX, .interval_us = 1000000, .wait_us = 10000000, .size = 64};
	struct opt_rest rest = opt_read(&command, argc, argv, &a, 1, 1);
	struct sigaction on = {.sa_handler = on_signal};
	struct job j = {.a = &a, .min = INFINITY};
	struct eid e;
	int64_t start;
	int err, end;

	if (rest.done)
		return rest.code;
	if (name_dest(rest.argv[0], j.dest))
		return out_fail(
			"ping: \"%s\" is no endpoint ID; one looks like ipn:2.7", rest.argv[0]);
	if (a.size < STAMP || a.size > ECHO_BYTES)
		return out_fail("ping: --size: %d to %d bytes, which is what a node answers", STAMP,
			ECHO_BYTES);
	if (a.count == 0 || a.interval_us <= 0)
		return out_fail("ping: --%s: above 0", a.count ? "interval" : "count");
	if (eid_parse(j.dest, &e) == 0 && e.scheme == EID_SCHEME_DTN && eid_is_admin(&e))
		return out_fail("ping: %s: echo services are numbers of ipn nodes; of a dtn node "
				"name an endpoint where an application answers",
			j.dest);
	j.node = connect_node("ping", a.socket);
	if (!j.node)
		return EXIT_USAGE;
	if (is_own(&j)) {
		owlt_close(j.node);
		return out_fail("ping: %s is of the node that would ask, and no node answers "
				"itself; owlt status --health tells whether it is ready",
			j.dest);
	}
	sigaction(SIGINT, &on, NULL);
	j.payload = calloc(1, a.size);
	out_begin(&j.out, a.json);
	start = owlt_now_us(j.node);
	out_text(&j.out, "PING %s: %llu bytes of payload\n", j.dest, (unsigned long long)a.size);
	err = j.payload ? run(&j) : -ENOMEM;
	print_totals(&j, owlt_now_us(j.node) - start);
	free(j.payload);
	owlt_close(j.node);
	end = out_end(&j.out);
	if (err)
		return out_fail("ping: %s", owlt_error_text(err));
	return end ? end : j.n_got ? EXIT_YES : EXIT_NO;
}

static int name_dest(const char *text, char out[OWLT_EID_MAX])
{
	struct eid e;
	int err = eid_parse_node(text, &e);

	if (err)
		err = eid_parse(text, &e);
	if (err)
		return err;
	if (e.scheme == EID_SCHEME_IPN && e.service == 0)
		e.service = ECHO_SERVICE;
	eid_print(&e, out, OWLT_EID_MAX);
	return 0;
}

/* What the clock gives, without the noise of binary fractions. */
static double thousandths(double ms)
{
	return round(ms * 1e3) / 1e3;
}

static bool is_own(const struct job *j)
{
	struct eid dest, self;

	return eid_parse(j->dest, &dest) == 0 && eid_parse(owlt_node(j->node), &self) == 0 &&
	       dest.node == self.node;
}

static int send_one(struct job *j)
{
	int64_t life_us = j->a->wait_us > 60000000 ? j->a->wait_us : 60000000;
	struct owlt_send s = {.dest = j->dest,
		.source = j->source,
		.lifetime_ms = (uint64_t)life_us / 1000,
		.priority = 2,
		.payload = j->payload,
		.size = j->a->size};
	uint64_t tag;

	be64_put(j->payload, MAGIC);
	be64_put(j->payload + 8, ++j->n_sent);
	be64_put(j->payload + 16, (uint64_t)owlt_now_us(j->node));
	return owlt_send_start(j->node, &s, &tag);
}

static void got_answer(struct job *j, const struct owlt_event *ev)
{
	int64_t now = owlt_now_us(j->node);
	uint8_t p[STAMP];
	double ms;
	uint64_t seq;

	if (ev->size != j->a->size)
		return;
	if (ev->payload)
		memcpy(p, ev->payload, STAMP);
	else if (owlt_read(j->node, ev->registration, ev->id, 0, p, STAMP) != STAMP)
		return;
	if (be64_get(p) != MAGIC)
		return;
	seq = be64_get(p + 8);
	ms = (double)(now - (int64_t)be64_get(p + 16)) / 1e3;
	j->n_got++;
	j->sum += ms;
	j->sum2 += ms * ms;
	j->min = fmin(j->min, ms);
	j->max = fmax(j->max, ms);
	out_text(&j->out, "%llu bytes from %s: seq=%llu time=%.3f ms\n",
		(unsigned long long)ev->size, ev->source, (unsigned long long)seq, ms);
	if (j->out.json) {
		jw_object(&j->out.w, NULL);
		out_string(&j->out, "from", ev->source);
		jw_u64(&j->out.w, "seq", seq);
		jw_u64(&j->out.w, "bytes", ev->size);
		jw_double(&j->out.w, "time_ms", thousandths(ms));
		jw_object_end(&j->out.w);
	}
	out_line(&j->out);
}

static int take_event(struct job *j, int timeout_ms)
{
	struct owlt_event ev;
	int n = owlt_event(j->node, &ev, timeout_ms);

	if (n <= 0)
		return n == -EINTR ? 0 : n;
	switch (ev.type) {
	case OWLT_DELIVERY:
		got_answer(j, &ev);
		return owlt_ack(j->node, ev.registration, ev.id);
	case OWLT_REFUSED:
		return ev.err ? ev.err : -E_REFUSED;
	case OWLT_GONE:
		return -ECONNRESET;
	default:
		return 0;
	}
}

static int run(struct job *j)
{
	uint32_t registration;
	int64_t next, until = INT64_MAX;
	int err = owlt_register(j->node, "", 64, false, j->source, &registration);

	next = owlt_now_us(j->node);
	while (!err && !is_stopped && j->n_got < j->a->count) {
		int64_t now = owlt_now_us(j->node);

		if (now >= until)
			break;
		if (next != INT64_MAX && now >= next) {
			err = send_one(j);
			next += j->a->interval_us;
			if (j->n_sent == j->a->count) {
				until = now + j->a->wait_us;
				next = INT64_MAX;
			}
			continue;
		}
		err = take_event(j, owlt_wait_ms(j->node, next < until ? next : until));
	}
	return err;
}

static void print_totals(struct job *j, int64_t took_us)
{
	double n = j->n_got ? (double)j->n_got : 1, mean = j->sum / n;
	double mdev = sqrt(fmax(0, j->sum2 / n - mean * mean));
	double loss = j->n_sent ? 100.0 *
					  (double)(j->n_sent -
						   (j->n_got < j->n_sent ? j->n_got : j->n_sent)) /
					  (double)j->n_sent
				: 0;

	if (j->n_got == 0)
		j->min = j->max = mean = mdev = 0;
	out_text(&j->out, "\n--- %s ping statistics ---\n", j->dest);
	out_text(&j->out,
		"%llu packets transmitted, %llu received, %g%% packet loss, time %lldms\n",
		(unsigned long long)j->n_sent, (unsigned long long)j->n_got, loss,
		(long long)(took_us / 1000));
	out_text(&j->out, "rtt min/avg/max/mdev = %.3f/%.3f/%.3f/%.3f ms\n", j->min, mean, j->max,
		mdev);
	if (!j->out.json)
		return;
	jw_object(&j->out.w, NULL);
	jw_u64(&j->out.w, "n_transmitted", j->n_sent);
	jw_u64(&j->out.w, "n_received", j->n_got);
	jw_double(&j->out.w, "loss_percent", loss);
	jw_i64(&j->out.w, "time_ms", took_us / 1000);
	jw_double(&j->out.w, "rtt_min_ms", thousandths(j->min));
	jw_double(&j->out.w, "rtt_avg_ms", thousandths(mean));
	jw_double(&j->out.w, "rtt_max_ms", thousandths(j->max));
	jw_double(&j->out.w, "rtt_mdev_ms", thousandths(mdev));
	jw_object_end(&j->out.w);
	out_line(&j->out);
}
