/*
 * emulator: see emulator.h. One loop: take what came in (batches of 64), deliver what is due, wait.
 *
 * A frame's time of sending is the kernel's stamp of its arrival here, so that being scheduled late
 * adds no error to the model; only the hand-over can be late, and that is measured and reported.
 * Waiting: a timer to 60 us before the next frame is due, then looking at the clock until it is. Looking
 * is paid from an account that fills with a quarter of real time, so two cores are never kept busy by it, also
 * under SCHED_FIFO; with an empty account the timer is set to the moment itself.
 *
 * Anything that is not an IPv4 UDP datagram, whole, from the link's one address to its other is what a
 * kernel said by itself: dropped and counted.
 *
 * Start reading at emulator_run(), then turn().
 */
#include "netns/emulator.h"
#include "netns/address.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SPIN_NS (60 * NS_PER_US)
#define SPIN_ACCOUNT_NS NS_PER_MS
#define FLUSH_NS (100 * NS_PER_MS)
#define REPORT_NS NS_PER_S
#define ETHERNET_BYTES 14u

struct loop {
	int signal_fd, timer_fd;
	int64_t armed;   /* what the timer is set to */
	int64_t account; /* ns of looking at the clock that we may do */
	int64_t paid_at;
	int64_t flush_at, report_at;
	bool is_stopping;
};

static int set_up(struct emulator *e, struct loop *l);
static int set_up_process(const struct emulator_cfg *cfg, struct loop *l);
static int set_up_dirs(struct emulator *e);
static void set_up_dir(struct emulator *e, unsigned link, unsigned way);
static int set_up_capture(struct emulator *e);
static int wait_for_start(struct emulator *e);
static int turn(struct emulator *e, struct loop *l);
static int take_all(struct emulator *e);
static void take(struct emulator *e, const struct wire_frame *f);
static bool is_expected(const struct emulator_dir *d, struct view frame);
static void pass(struct emulator *e, unsigned dir, const struct wire_frame *f);
static void start_copies(
	struct emulator *e, unsigned dir, const struct link_fate *fate, struct flight *copy[2]);
static unsigned deliver(struct emulator *e);
static void delivered(struct emulator *e, struct flight *x, bool is_sent, int64_t now);
static void record(struct emulator *e, unsigned dir, const struct capture_frame *f);
static void keep_house(struct emulator *e, struct loop *l);
static void wait_for_work(struct emulator *e, struct loop *l);
static void arm(struct loop *l, int64_t at);
static void read_signals(struct emulator *e, struct loop *l);
static void tear_down(struct emulator *e, struct loop *l);

int emulator_run(const struct emulator_cfg *cfg)
{
	struct emulator e = {.cfg = cfg};
	struct loop l = {.signal_fd = -1, .timer_fd = -1, .armed = -1};
	int status = EMULATOR_FAILED;
	int err = set_up(&e, &l);

	if (!err)
		err = wait_for_start(&e);
	while (!err && !l.is_stopping)
		err = turn(&e, &l);
	if (!err) {
		if (e.capture && !e.has_capture_failed)
			err = capture_flush(e.capture);
		if (!err)
			err = emulator_report(&e);
		if (!err)
			status = cfg->shared->is_balanced ? EMULATOR_OK : EMULATOR_UNBALANCED;
	}
	if (err && err != -EPIPE) /* EPIPE: the runner has given up, and says why */
		fprintf(stderr, "owlt lab: link emulator: %s\n", err_text(err));
	tear_down(&e, &l);
	return status;
}

static int set_up(struct emulator *e, struct loop *l)
{
	const struct emulator_cfg *cfg = e->cfg;
	uint64_t capacity = 0;
	int err = set_up_process(cfg, l);

	flights_init(&e->flights, cfg->memory_limit);
	if (!err)
		err = measure_capacity(cfg->ns_fd, &capacity);
	if (err)
		return err;
	cfg->shared->capacity = capacity;
	cfg->shared->is_balanced = true;
	err = wire_open(&e->wire, 0, WIRE_LARGE);
	if (!err)
		err = set_up_dirs(e);
	if (!err)
		err = set_up_capture(e);
	if (!err && write(cfg->ready_fd, "", 1) != 1)
		err = -errno;
	return err;
}

static int set_up_process(const struct emulator_cfg *cfg, struct loop *l)
{
	struct sched_param prio = {.sched_priority = 1};
	sigset_t set;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	if (getppid() != cfg->parent)
		return -ESRCH;
	prctl(PR_SET_NAME, "owlt-emulator");
	prctl(PR_SET_TIMERSLACK, 1);
	cfg->shared->has_realtime =
		sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &prio) == 0;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_SETMASK, &set, NULL);
	l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return l->signal_fd < 0 || l->timer_fd < 0 ? -errno : 0;
}

static int set_up_dirs(struct emulator *e)
{
	const struct topo *t = e->cfg->topo;
	int top = 0;

	e->n_dirs = (unsigned)t->n_links * 2;
	e->dir = calloc(e->n_dirs + 1, sizeof *e->dir);
	for (unsigned k = 0; k < e->n_dirs; k++) {
		int i = e->cfg->ifindex[k / 2][k % 2];

		top = i > top ? i : top;
	}
	e->n_ifindex = (unsigned)top + 1;
	e->by_ifindex = calloc(e->n_ifindex, sizeof *e->by_ifindex);
	if (!e->dir || !e->by_ifindex)
		return -ENOMEM;
	for (unsigned k = 0; k < e->n_dirs; k++)
		set_up_dir(e, k / 2, k % 2);
	return heap_reserve(&e->flights.heap, 65536);
}

static void set_up_dir(struct emulator *e, unsigned link, unsigned way)
{
	const struct topo *t = e->cfg->topo;
	const struct topo_link *tl = &t->link[link];
	struct emulator_dir *d = &e->dir[2 * link + way];
	enum side from = way == A_TO_B ? SIDE_A : SIDE_B, to = way == A_TO_B ? SIDE_B : SIDE_A;

	d->link = link;
	d->way = way;
	d->in_ifindex = e->cfg->ifindex[link][from];
	d->out_ifindex = e->cfg->ifindex[link][to];
	d->from_ip = address_ip(link, from);
	d->to_ip = address_ip(link, to);
	d->last = INT64_MIN;
	link_init(&d->model, t->plan, t->node[way == A_TO_B ? tl->a : tl->b].id,
		t->node[way == A_TO_B ? tl->b : tl->a].id,
		way == A_TO_B ? &tl->a_to_b : &tl->b_to_a, e->cfg->seed, 2 * link + way);
	e->by_ifindex[d->in_ifindex] = 2 * link + way + 1;
}

/* Interface 2*link is side a's end, 2*link+1 side b's. */
static int set_up_capture(struct emulator *e)
{
	const struct topo *t = e->cfg->topo;
	int err;

	if (!e->cfg->capture_path)
		return 0;
	err = capture_create(
		&e->capture, e->cfg->capture_path, e->cfg->note, &e->cfg->capture_limits);
	for (unsigned k = 0; !err && k < e->n_dirs; k++) {
		const struct topo_link *l = &t->link[k / 2];
		char name[CAPTURE_NAME_MAX];

		snprintf(name, sizeof name, "%s:%s", l->name,
			t->node[k % 2 == SIDE_A ? l->a : l->b].name);
		err = capture_interface(e->capture, name);
	}
	return err ? err : capture_flush(e->capture);
}

static int wait_for_start(struct emulator *e)
{
	ssize_t n = read(e->cfg->start_fd, &e->clock, sizeof e->clock);

	if (n < 0)
		return -errno;
	return n == sizeof e->clock ? 0 : -EPIPE;
}

static int turn(struct emulator *e, struct loop *l)
{
	int err;

	wait_for_work(e, l);
	err = take_all(e);
	while (!err && deliver(e) == WIRE_BATCH)
		err = take_all(e);
	keep_house(e, l);
	if (!err && l->is_stopping)
		err = take_all(e);
	return err;
}

/* At most four batches, so that what is due is not kept waiting by a flood. */
static int take_all(struct emulator *e)
{
	struct wire_frame f[WIRE_BATCH];

	for (unsigned round = 0; round < 4; round++) {
		int n = wire_receive(e->wire, f);

		if (n < 0)
			return n;
		for (int k = 0; k < n; k++)
			take(e, &f[k]);
		if (n < (int)WIRE_BATCH)
			break;
	}
	return 0;
}

static void take(struct emulator *e, const struct wire_frame *f)
{
	unsigned i = (unsigned)f->ifindex;
	struct capture_frame record_of = {.way = CAPTURE_OUT, .bytes = f->bytes};
	unsigned dir;

	if (f->ifindex <= 0 || i >= e->n_ifindex || e->by_ifindex[i] == 0)
		return;
	dir = e->by_ifindex[i] - 1;
	if (is_expected(&e->dir[dir], f->bytes)) {
		pass(e, dir, f);
		return;
	}
	e->dir[dir].kernel_frames++;
	record_of.unix_ns = lab_clock_unix_ns(&e->clock, f->mono_ns);
	strcpy(record_of.comment, "drop: kernel");
	record(e, dir, &record_of);
}

static bool is_expected(const struct emulator_dir *d, struct view frame)
{
	const uint8_t *ip = frame.p + ETHERNET_BYTES;
	unsigned fragment;

	if (frame.n < ETHERNET_BYTES + 28 || frame.p[12] != 0x08 || frame.p[13] != 0x00)
		return false;
	fragment = ((unsigned)ip[6] << 8 | ip[7]) & 0x3fff; /* more fragments, offset */
	return ip[0] >> 4 == 4 && ip[9] == 17 && fragment == 0 && be32_get(ip + 12) == d->from_ip &&
	       be32_get(ip + 16) == d->to_ip;
}

static void pass(struct emulator *e, unsigned dir, const struct wire_frame *f)
{
	struct emulator_dir *d = &e->dir[dir];
	mono now = lab_clock_us(&e->clock, f->mono_ns);
	struct link_fate fate = {0};
	struct capture_frame sent = {.way = CAPTURE_OUT,
		.bytes = f->bytes,
		.unix_ns = lab_clock_unix_ns(&e->clock, f->mono_ns)};
	struct flight *copy[2];

	if (e->cfg->shared->is_cut[d->link]) {
		d->lost_cut++;
		strcpy(sent.comment, "drop: cut");
		record(e, dir, &sent);
		return;
	}
	copy[0] = flights_get(&e->flights, f->bytes.n);
	copy[1] = NULL;
	if (copy[0])
		copy[1] = flights_get(&e->flights, f->bytes.n);
	if (!copy[1]) {
		d->lost_memory++;
		strcpy(sent.comment, "drop: memory");
	} else {
		now = now > d->last ? now : d->last;
		d->last = now;
		link_send(&d->model, now, f->bytes.n, &fate);
		if (fate.drop != LINK_PASSED)
			snprintf(sent.comment, sizeof sent.comment, "drop: %s",
				link_drop_name(fate.drop));
	}
	record(e, dir, &sent);
	for (unsigned k = 0; k < fate.n; k++)
		memcpy(copy[k]->bytes, f->bytes.p, f->bytes.n);
	start_copies(e, dir, &fate, copy);
}

static void start_copies(
	struct emulator *e, unsigned dir, const struct link_fate *fate, struct flight *copy[2])
{
	unsigned kept = fate->n_flips < 8 ? fate->n_flips : 8;

	for (unsigned k = 0; k < 2; k++) {
		struct flight *x = copy[k];

		if (k >= fate->n) {
			flights_put(&e->flights, x);
			continue;
		}
		x->dir = dir;
		x->is_copy = k > 0;
		x->n_flips = k == 0 ? fate->n_flips : 0;
		for (unsigned i = 0; k == 0 && i < kept; i++)
			x->bytes[fate->flip[i] / 8] ^= (uint8_t)(0x80 >> fate->flip[i] % 8);
		if (flights_start(&e->flights, x, fate->deliver_at[k]) != 0) {
			delivered(e, x, false, 0);
			flights_put(&e->flights, x);
		}
	}
}

/* Hands over what is due, one batch; how many. */
static unsigned deliver(struct emulator *e)
{
	mono now = lab_clock_us(&e->clock, clock_now_ns(CLOCK_MONOTONIC));
	struct flight *batch[WIRE_BATCH], *x;
	struct wire_frame f[WIRE_BATCH];
	bool is_sent[WIRE_BATCH];
	int64_t after;
	unsigned n = 0;

	while (n < WIRE_BATCH && (x = flights_first(&e->flights)) && x->due.key <= now) {
		flights_land(&e->flights, x);
		f[n] = (struct wire_frame){
			.ifindex = e->dir[x->dir].out_ifindex, .bytes = view_of(x->bytes, x->n)};
		batch[n++] = x;
	}
	if (n == 0)
		return 0;
	wire_send(e->wire, f, n, is_sent);
	after = clock_now_ns(CLOCK_MONOTONIC);
	for (unsigned k = 0; k < n; k++) {
		delivered(e, batch[k], is_sent[k], after);
		flights_put(&e->flights, batch[k]);
	}
	return n;
}

static void delivered(struct emulator *e, struct flight *x, bool is_sent, int64_t now)
{
	struct emulator_dir *d = &e->dir[x->dir];
	struct capture_frame got = {.way = CAPTURE_IN,
		.unix_ns = lab_clock_unix_ns(&e->clock, now),
		.bytes = view_of(x->bytes, x->n)};

	link_arrived(&d->model, x->n);
	if (!is_sent) {
		d->lost_interface++;
		return;
	}
	lateness_add(&e->lateness, now - lab_clock_mono_ns(&e->clock, x->due.key));
	if (x->n_flips)
		snprintf(got.comment, sizeof got.comment, "bit errors: %u", x->n_flips);
	if (x->is_copy)
		strcpy(got.comment, "duplicate");
	record(e, x->dir, &got);
}

/* The end that sees it: the sender's for what goes out, the receiver's for what comes in. */
static void record(struct emulator *e, unsigned dir, const struct capture_frame *f)
{
	const struct emulator_dir *d = &e->dir[dir];
	unsigned from = d->way == A_TO_B ? SIDE_A : SIDE_B;
	struct capture_frame r = *f;

	r.interface = 2 * d->link + (f->way == CAPTURE_OUT ? from : 1 - from);
	if (e->capture)
		capture_write(e->capture, &r);
}

static void keep_house(struct emulator *e, struct loop *l)
{
	int64_t now = clock_now_ns(CLOCK_MONOTONIC);

	if (now >= l->flush_at) {
		l->flush_at = now + FLUSH_NS;
		if (e->capture && !e->has_capture_failed && capture_flush(e->capture) != 0) {
			e->has_capture_failed = true; /* it ends, not the lab; frames are counted */
			fprintf(stderr,
				"owlt lab: the capture could not be written and ends here\n");
		}
	}
	if (now >= l->report_at) {
		l->report_at = now + REPORT_NS;
		if (emulator_report(e) != 0)
			l->report_at = now + 10 * REPORT_NS;
	}
}

/* Until a frame comes in, one is due, it is time for the house, or a signal. */
static void wait_for_work(struct emulator *e, struct loop *l)
{
	struct pollfd p[3] = {{.fd = wire_fd(e->wire), .events = POLLIN},
		{.fd = l->timer_fd, .events = POLLIN}, {.fd = l->signal_fd, .events = POLLIN}};
	struct flight *x = flights_first(&e->flights);
	int64_t due = x ? lab_clock_mono_ns(&e->clock, x->due.key) : INT64_MAX;
	int64_t now = clock_now_ns(CLOCK_MONOTONIC);
	int64_t house = l->flush_at < l->report_at ? l->flush_at : l->report_at;

	l->account += (now - l->paid_at) / 4;
	l->paid_at = now;
	if (l->account > SPIN_ACCOUNT_NS)
		l->account = SPIN_ACCOUNT_NS;
	if (due - now <= SPIN_NS && l->account >= due - now) {
		while (now < due)
			now = clock_now_ns(CLOCK_MONOTONIC);
		l->account -= now - l->paid_at;
		l->paid_at = now;
		poll(p + 2, 1, 0);
	} else {
		if (due != INT64_MAX && l->account >= SPIN_NS)
			due -= SPIN_NS;
		arm(l, due < house ? due : house);
		poll(p, 3, -1);
	}
	if (p[2].revents)
		read_signals(e, l);
}

static void arm(struct loop *l, int64_t at)
{
	struct itimerspec t = {.it_value = {.tv_sec = at / NS_PER_S, .tv_nsec = at % NS_PER_S}};
	uint64_t expired;

	if (read(l->timer_fd, &expired, sizeof expired) > 0)
		l->armed = -1;
	if (at == l->armed)
		return;
	l->armed = at;
	timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &t, NULL);
}

static void read_signals(struct emulator *e, struct loop *l)
{
	struct signalfd_siginfo si;

	while (read(l->signal_fd, &si, sizeof si) == sizeof si)
		if (si.ssi_signo == SIGTERM)
			l->is_stopping = true;
		else if (emulator_report(e) != 0)
			l->report_at = 0;
}

static void tear_down(struct emulator *e, struct loop *l)
{
	capture_close(e->capture);
	wire_close(e->wire);
	flights_fini(&e->flights);
	free(e->dir);
	free(e->by_ifindex);
	if (l->signal_fd >= 0)
		close(l->signal_fd);
	if (l->timer_fd >= 0)
		close(l->timer_fd);
}
