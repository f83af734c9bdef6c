/*
 * turn: the loop of owltd. One turn takes all inputs (bounded), ticks, makes one output pass, hands
 * events to applications, gives the writer a batch when it is idle, drains the trace and lets the
 * store's views go (the order node.h asks for). Nothing here decides about bundles.
 */
#include "dtn/daemon/daemon.h"

#include "bundle/events.h"
#include "dtn/io/signal.h"

#include <stdlib.h>

#define ROUNDS_MAX 4              /* receive calls per link and turn */
#define TURN_BYTES (8u << 20)     /* sent in a turn: stored bytes are in memory until its end */
#define COMMIT_AGAIN_NS 100000000 /* a full disk is not asked again in each turn */
#define PAUSE_NS 1000000          /* the first after ENOBUFS, doubled up to links_pause */
#define RECORDS_PER_DATAGRAM                                                                       \
	24 /* trace records one datagram may cause, for the promise to lose none */

static void take_inputs(struct daemon *d, const struct loop_event *ev, int n);
static void receive(struct daemon *d, unsigned link);
static void finish_batch(struct daemon *d, bool wait);
static void take_signal(struct daemon *d);
static void transmit_all(struct daemon *d);
static void transmit(struct daemon *d, unsigned link);
static void start_batch(struct daemon *d);
static bool may_end(struct daemon *d);
static int64_t wake_at(struct daemon *d);
static bool is_full(const struct daemon *d);
static void block(struct daemon *d, unsigned link, int err);
static void go_on(struct daemon *d, unsigned link);
static int64_t links_again_at(const struct daemon *d);

int daemon_run(struct daemon *d)
{
	struct loop_event ev[LOOP_EVENTS];
	struct node_event ne;

	while (!d->is_stopped) {
		int n = loop_wait(&d->loop, wake_at(d), ev);

		if (n < 0)
			return n;
		clock_now(&d->clock, &d->now);
		take_inputs(d, ev, n);
		app_turn(d);
		clock_now(&d->clock, &d->now);
		node_tick(d->node, d->now);
		transmit_all(d);
		while (node_event(d->node, &ne))
			serve_event(d, &ne);
		if (d->is_ending && may_end(d))
			d->is_stopped = true;
		start_batch(d);
		eventlog_drain(d);
		store_turn(d->store);
	}
	finish_batch(d, true);
	return 0;
}

static int64_t wake_at(struct daemon *d)
{
	int64_t at = clock_ns_at(&d->clock, node_deadline(d->node));

	int64_t idle_at = serve_deadline(d);

	if (d->is_behind)
		return 0;
	at = idle_at < at ? idle_at : at;
	idle_at = links_again_at(d);
	at = idle_at < at ? idle_at : at;
	if (is_full(d) && !writer_is_busy(d->writer) && store_wants_commit(d->store))
		at = d->commit_at_ns < at ? d->commit_at_ns : at;
	return d->is_ending && d->stop_at_ns < at ? d->stop_at_ns : at;
}

/* The last commit failed, and the store is open: it is tried again (commit.c). */
static bool is_full(const struct daemon *d)
{
	return d->commit_err == -ENOSPC || d->commit_err == -EDQUOT;
}

static void take_inputs(struct daemon *d, const struct loop_event *ev, int n)
{
	for (int i = 0; i < n; i++) {
		unsigned k = ev[i].tag.index;

		switch ((enum source)ev[i].tag.kind) {
		case SOURCE_SIGNAL:
			take_signal(d);
			break;
		case SOURCE_WRITER:
			finish_batch(d, false);
			break;
		case SOURCE_LISTEN:
			app_accept(d);
			break;
		case SOURCE_CLIENT:
			app_ready(d, k, &ev[i]);
			break;
		case SOURCE_LINK:
			if (ev[i].can_write && d->link[k].again_at_ns == 0)
				go_on(d, k);
			if (ev[i].can_read)
				receive(d, k);
			break;
		}
	}
}

static void receive(struct daemon *d, unsigned link)
{
	struct udp *u = &d->link[link].udp;

	for (int round = 0; round < ROUNDS_MAX; round++) {
		int n;

		if (trace_room(&d->trace) < UDP_DATAGRAMS * RECORDS_PER_DATAGRAM)
			eventlog_drain(d); /* no event is lost, whatever comes in */
		n = udp_receive(u, d->rx);
		if (n < 0)
			log_line(d, LOG_WARN, "link", "receive link=%s error=%s",
				d->cfg.node.link[link].name, err_name(n));
		for (int i = 0; i < n; i++) {
			bool ours;
			struct view v = udp_datagram(u, d->rx, i, &ours);

			if (ours)
				node_input(d->node, d->now, link, v);
			else
				trace_point(&d->trace, d->now, frame_ignored, link,
					WHY_OTHER_SOURCE, v.n);
		}
		if (!udp_more(d->rx))
			return;
		clock_now(&d->clock, &d->now);
	}
}

static void take_signal(struct daemon *d)
{
	int sig;

	while ((sig = signal_next(d->signal_fd)) != 0) {
		log_line(d, LOG_INFO, "node", "signal=%d", sig);
		if (d->is_ending) {
			d->is_stopped = true;
			return;
		}
		d->is_ending = true;
		d->stop_at_ns = clock_mono_ns() + d->cfg.drain_us * 1000;
	}
}

/* All links, another one first in each turn: the budget is for all of them. */
static void transmit_all(struct daemon *d)
{
	unsigned n = (unsigned)d->cfg.node.n_links;

	d->budget = TURN_BYTES;
	for (unsigned i = 0; i < n && d->budget > 0; i++)
		transmit(d, (d->first_link + i) % n);
	d->is_behind = d->budget == 0;
	d->first_link = n ? (d->first_link + 1) % n : 0;
}

static uint64_t packet_bytes(const struct udp_packet *p)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < p->n_parts; i++)
		n += p->part[i].n;
	return n;
}

/* The socket is full until it can be written; where the kernel had no memory nothing tells when it has, so it
 * is asked after a pause that grows. */
static void block(struct daemon *d, unsigned link, int err)
{
	struct daemon_link *l = &d->link[link];
	struct loop_tag tag = {SOURCE_LINK, link};

	l->is_blocked = true;
	l->n_blocked++;
	if (err == -EAGAIN && loop_want(&d->loop, l->udp.fd, tag, true, true) == 0)
		return;
	l->pause_ns = l->pause_ns ? 2 * l->pause_ns : PAUSE_NS;
	if (l->pause_ns > d->cfg.links_pause_us * 1000)
		l->pause_ns = d->cfg.links_pause_us * 1000;
	l->again_at_ns = clock_mono_ns() + l->pause_ns;
}

static void go_on(struct daemon *d, unsigned link)
{
	struct daemon_link *l = &d->link[link];
	struct loop_tag tag = {SOURCE_LINK, link};

	if (l->is_blocked && l->again_at_ns == 0 &&
		loop_want(&d->loop, l->udp.fd, tag, true, false))
		log_line(d, LOG_ERROR, "link", "epoll failed");
	l->is_blocked = false;
	l->again_at_ns = 0;
}

static int64_t links_again_at(const struct daemon *d)
{
	int64_t at = LOOP_NEVER;

	for (size_t i = 0; i < d->cfg.node.n_links; i++)
		if (d->link[i].again_at_ns != 0 && d->link[i].again_at_ns < at)
			at = d->link[i].again_at_ns;
	return at;
}

/* Packets of one link, 64 a call. What the socket does not take goes back to its place; it is asked again when
 * there may be room. */
static void transmit(struct daemon *d, unsigned link)
{
	struct daemon_link *l = &d->link[link];
	uint8_t room[UDP_BATCH][64];
	struct udp_packet p[UDP_BATCH];
	uint64_t cookie[UDP_BATCH];
	uint64_t bytes;
	int n, done, err;

	if (l->again_at_ns != 0 && l->again_at_ns <= clock_mono_ns())
		go_on(d, link);
	while (!l->is_blocked && d->budget > 0) {
		for (n = 0; n < UDP_BATCH && d->budget > 0; n++) {
			struct pkt k = {.buf = room[n], .cap = sizeof room[n]};

			if (!node_output(d->node, d->now, link, &k))
				break;
			cookie[n] = k.cookie;
			p[n].n_parts = k.n_parts;
			for (unsigned i = 0; i < k.n_parts; i++)
				p[n].part[i] = k.part[i].bytes;
			bytes = packet_bytes(&p[n]);
			d->budget -= bytes < d->budget ? bytes : d->budget;
		}
		for (done = 0; done < n && !l->is_blocked;) {
			int went = udp_send(&l->udp, p + done, n - done, &err);

			for (int i = 0; i < went; i++)
				node_sent(d->node, d->now, link, cookie[done++], 0);
			if (went > 0) {
				l->pause_ns = 0;
				continue;
			}
			if (err == -EAGAIN || err == -ENOBUFS)
				block(d, link, err);
			else
				node_sent(d->node, d->now, link, cookie[done++], err);
		}
		for (; done < n; done++)
			node_sent(d->node, d->now, link, cookie[done], -EAGAIN);
		if (n < UDP_BATCH)
			return;
	}
}

static void start_batch(struct daemon *d)
{
	struct store_batch *b;

	if (writer_is_busy(d->writer) || !store_wants_commit(d->store))
		return;
	if (is_full(d) && clock_mono_ns() < d->commit_at_ns)
		return;
	b = store_commit_begin(d->store);
	if (b)
		writer_start(d->writer, b);
}

static void finish_batch(struct daemon *d, bool wait)
{
	struct store_batch *b;
	int err;

	if (!writer_take(d->writer, wait, &b, &err))
		return;
	store_commit_end(d->store, b, err);
	if (err && err != d->commit_err)
		log_line(d, LOG_ERROR, "store", "commit failed error=%s", err_name(err));
	d->commit_err = err;
	d->commit_at_ns = clock_mono_ns() + COMMIT_AGAIN_NS;
	node_stored(d->node, d->now);
}

/* SIGTERM: signals are flushed and what is staged is written, for at most cfg.drain_us. */
static bool may_end(struct daemon *d)
{
	bool drained = node_drain(d->node, d->now);

	if (drained && !writer_is_busy(d->writer) && !store_is_dirty(d->store))
		return true;
	return clock_mono_ns() >= d->stop_at_ns;
}
