/*
 * udpcl: UDP convergence layer, RFC 7122. One bundle is one datagram without a header (3.2); four
 * zero octets are a keepalive (3.5.2), never sent more often than every 15 s; there are no acks, so a
 * bundle counts as sent when the shell has put it on the wire.
 *
 * Congestion control (3.5.1, RFC 8085) is the contact plan's: frames leave at the cue's rate, counted
 * as captured. Two clocks do it: `pace_free` says when the next frame may start and may lie up to
 * burst_us in the past, so that a late wake-up is caught up; `wire_free` says when the last bit of
 * what was started leaves a link of that rate, and is what must lie before the contact's end less the
 * guard. Invariant: pace_free <= wire_free or no frame was started since the contact began.
 *
 * At most one bundle waits for output(); those given out wait in `flight` for sent().
 * Start reading at udpcl_send and udpcl_output.
 */
#include "convergence/udpcl.h"

#include <assert.h>
#include <stdlib.h>

#define FLIGHT_MAX 128u /* a power of two: frames given out and not yet told sent */
#define KEEPALIVE_COOKIE UINT64_MAX

struct flight {
	uint64_t id, frame_bytes;
	mono tx_end;
	bool busy;
};

struct udpcl {
	struct cl cl;
	struct cl_cfg cfg;
	struct link_cue cue;
	mono pace_free, wire_free;
	mono last_tx;   /* for keepalives */
	mono ask_again; /* when a bundle that was turned away for pacing may come; or never */
	bool has_waiting;
	struct cl_bundle waiting;
	uint64_t next_cookie;
	struct flight flight[FLIGHT_MAX];
	struct cl_event done[FLIGHT_MAX + 2]; /* ring: sent and failed */
	unsigned done_head, n_done;
	struct cl_event arrived;
	bool has_arrived;
};

#define DONE_MAX (FLIGHT_MAX + 2)

static struct udpcl *self(struct cl *c);
static const struct udpcl *self_const(const struct cl *c);
static size_t ip_overhead(const struct udpcl *u);
static size_t frame_bytes(const struct udpcl *u, uint64_t datagram);
static int64_t frame_us(const struct udpcl *u, uint64_t bytes);
static uint64_t room_before_end(const struct udpcl *u, mono now);
static mono start_frame(struct udpcl *u, mono now, uint64_t bytes);
static void put_done(struct udpcl *u, const struct cl_event *ev);
static void fail_waiting(struct udpcl *u);
static void add_part(struct pkt *p, struct view bytes, struct slice slice);
static bool output_keepalive(struct udpcl *u, mono now, struct pkt *p);
static mono keepalive_at(const struct udpcl *u);

static uint64_t udpcl_max_bundle(const struct cl *c)
{
	const struct udpcl *u = self_const(c);

	return u->cfg.mtu_bytes - ip_overhead(u);
}

static struct cl *udpcl_new(const struct cl_cfg *cfg)
{
	struct udpcl *u = calloc(1, sizeof *u);

	if (!u)
		return NULL;
	u->cl.ops = &udpcl_ops;
	u->cfg = *cfg;
	if (u->cfg.mtu_bytes == 0 || u->cfg.mtu_bytes > 65535)
		u->cfg.mtu_bytes = 65535;
	if (u->cfg.mtu_bytes <= ip_overhead(u))
		u->cfg.mtu_bytes = ip_overhead(u) + 1;
	if (u->cfg.keepalive_us > 0 && u->cfg.keepalive_us < UDPCL_KEEPALIVE_MIN_US)
		u->cfg.keepalive_us =
			UDPCL_KEEPALIVE_MIN_US; /* RFC 7122 3.5.2: MUST NOT be shorter */
	u->ask_again = MONO_NEVER;
	return &u->cl;
}

static void udpcl_free(struct cl *c)
{
	free(c);
}

static void udpcl_cue(struct cl *c, mono now, const struct link_cue *cue)
{
	struct udpcl *u = self(c);

	if (cue->tx_open && !u->cue.tx_open) {
		u->pace_free = now;
		u->wire_free = now;
		u->last_tx = now;
	}
	u->cue = *cue;
	u->ask_again = MONO_NEVER;
	if (!cue->tx_open && u->has_waiting)
		fail_waiting(u);
}

/* RFC 9171 7.2/1 */
static bool udpcl_ready(struct cl *c, mono now, uint64_t *max_bytes)
{
	struct udpcl *u = self(c);
	uint64_t room, most = udpcl_max_bundle(c);

	*max_bytes = 0;
	if (!u->cue.tx_open || u->has_waiting || u->flight[u->next_cookie % FLIGHT_MAX].busy)
		return false;
	if (u->pace_free > now) {
		u->ask_again = u->pace_free;
		return false;
	}
	room = room_before_end(u, now);
	*max_bytes = room < most ? room : most;
	return *max_bytes > 0;
}

static int udpcl_send(struct cl *c, mono now, const struct cl_bundle *b)
{
	struct udpcl *u = self(c);
	uint64_t max_bytes;

	if (!u->cue.tx_open)
		return -E_CLOSED;
	if (b->size_bytes > udpcl_max_bundle(c))
		return -E_TOO_BIG; /* RFC 7122 3.2: never more than a datagram */
	if (!udpcl_ready(c, now, &max_bytes))
		return -E_AGAIN;
	if (b->size_bytes > max_bytes)
		return -E_TOO_BIG;
	u->waiting = *b;
	u->has_waiting = true;
	return 0;
}

static int udpcl_input(struct cl *c, mono now, struct view bytes)
{
	struct udpcl *u = self(c);
	const char *why = udpcl_classify(bytes);
	enum cl_ev type = !why                            ? CL_BUNDLE
			  : strcmp(why, "keepalive") == 0 ? CL_KEEPALIVE
							  : CL_IGNORED;

	(void)now;
	u->arrived = (struct cl_event){
		.type = type, .bytes = bytes, .frame_bytes = frame_bytes(u, bytes.n), .why = why};
	u->has_arrived = true;
	return 0;
}

const char *udpcl_classify(struct view d)
{
	static const uint8_t keepalive[4];

	if (d.n == 0)
		return "empty";
	if (view_equal(d, view_of(keepalive, sizeof keepalive)))
		return "keepalive";
	if (d.p[0] >= 0x80 && d.p[0] <= 0x9f)
		return NULL; /* a CBOR array: what is wrong inside, the bundle's rules tell */
	if (d.p[0] == 0x00)
		return "padding";
	if (d.p[0] == 0x06)
		return "bpv6";
	if ((d.p[0] >= 0x14 && d.p[0] <= 0x1a) || (d.p[0] >= 0x20 && d.p[0] <= 0x3f))
		return "dtls";
	return d.p[0] >= 0xa0 && d.p[0] <= 0xbf ? "extension-map" : "not-a-bundle";
}

static bool udpcl_output(struct cl *c, mono now, struct pkt *p)
{
	struct udpcl *u = self(c);
	struct flight *f = &u->flight[u->next_cookie % FLIGHT_MAX];

	if (u->has_waiting && u->waiting.size_bytes > room_before_end(u, now)) {
		fail_waiting(u); /* it was taken earlier, and could not end in time any more */
		return false;
	}
	if (!u->has_waiting)
		return output_keepalive(u, now, p);
	assert(!f->busy);
	p->n_parts = 0;
	add_part(p, u->waiting.head, (struct slice){0});
	add_part(p, (struct view){0}, u->waiting.payload);
	add_part(p, u->waiting.tail, (struct slice){0});
	p->frame_bytes = frame_bytes(u, u->waiting.size_bytes);
	p->cookie = u->next_cookie++;
	*f = (struct flight){.id = u->waiting.id, .frame_bytes = p->frame_bytes, .busy = true};
	f->tx_end = start_frame(u, now, p->frame_bytes);
	u->has_waiting = false;
	return true;
}

static void udpcl_sent(struct cl *c, mono now, uint64_t cookie, int err)
{
	struct udpcl *u = self(c);
	struct flight *f = &u->flight[cookie % FLIGHT_MAX];

	(void)now;
	if (cookie == KEEPALIVE_COOKIE)
		return;
	assert(f->busy);
	f->busy = false;
	put_done(u, &(struct cl_event){.type = err ? CL_SEND_FAILED : CL_SENT,
			    .id = f->id,
			    .is_full = err == -EAGAIN || err == -ENOBUFS,
			    .tx_end = f->tx_end,
			    .frame_bytes = f->frame_bytes});
}

static mono udpcl_deadline(const struct cl *c)
{
	const struct udpcl *u = self_const(c);

	return mono_min(u->ask_again, keepalive_at(u));
}

static void udpcl_tick(struct cl *c, mono now)
{
	struct udpcl *u = self(c);

	if (u->ask_again <= now)
		u->ask_again = MONO_NEVER; /* the node asks ready() again in this turn */
}

static bool udpcl_event(struct cl *c, struct cl_event *ev)
{
	struct udpcl *u = self(c);

	if (u->n_done > 0) {
		*ev = u->done[u->done_head];
		u->done_head = (u->done_head + 1) % DONE_MAX;
		u->n_done--;
		return true;
	}
	if (!u->has_arrived)
		return false;
	u->has_arrived = false;
	*ev = u->arrived;
	return true;
}

const struct cl_ops udpcl_ops = {
	.name = "udp",
	.new = udpcl_new,
	.free = udpcl_free,
	.cue = udpcl_cue,
	.ready = udpcl_ready,
	.send = udpcl_send,
	.input = udpcl_input,
	.output = udpcl_output,
	.sent = udpcl_sent,
	.deadline = udpcl_deadline,
	.tick = udpcl_tick,
	.event = udpcl_event,
	.max_bundle = udpcl_max_bundle,
	.has_acks = false,
};

static struct udpcl *self(struct cl *c)
{
	return (struct udpcl *)(void *)c;
}

static const struct udpcl *self_const(const struct cl *c)
{
	return (const struct udpcl *)(const void *)c;
}

static size_t ip_overhead(const struct udpcl *u)
{
	return u->cfg.ip6 ? 48 : 28;
}

static size_t frame_bytes(const struct udpcl *u, uint64_t datagram)
{
	return (size_t)datagram + (u->cfg.ip6 ? UDPCL_FRAME_V6 : UDPCL_FRAME_V4);
}

/* How long a frame takes on the wire, rounded up. */
static int64_t frame_us(const struct udpcl *u, uint64_t bytes)
{
	if (u->cue.rate_bps == 0)
		return 0;
	return (int64_t)((bytes * 8 * (uint64_t)US_PER_S + u->cue.rate_bps - 1) / u->cue.rate_bps);
}

/* The largest bundle whose last bit leaves before the contact's end less the guard. */
static uint64_t room_before_end(const struct udpcl *u, mono now)
{
	int64_t start = u->wire_free > now ? u->wire_free : now, left, bytes;

	if (u->cue.until == MONO_NEVER)
		return UINT64_MAX;
	left = u->cue.until - u->cfg.guard_us - start;
	if (left <= 0)
		return 0;
	if (u->cue.rate_bps == 0)
		return UINT64_MAX;
	bytes = muldiv_i64(left, (int64_t)u->cue.rate_bps, 8 * US_PER_S) -
		(int64_t)frame_bytes(u, 0);
	return bytes > 0 ? (uint64_t)bytes : 0;
}

/* Takes the wire for a frame; tells when its last bit leaves. */
static mono start_frame(struct udpcl *u, mono now, uint64_t bytes)
{
	int64_t us = frame_us(u, bytes);
	mono oldest = now - u->cfg.burst_us;

	u->pace_free = mono_add(u->pace_free > oldest ? u->pace_free : oldest, us);
	u->wire_free = mono_add(u->wire_free > now ? u->wire_free : now, us);
	u->last_tx = now;
	return u->wire_free;
}

static void put_done(struct udpcl *u, const struct cl_event *ev)
{
	assert(u->n_done < DONE_MAX);
	u->done[(u->done_head + u->n_done++) % DONE_MAX] = *ev;
}

static void fail_waiting(struct udpcl *u)
{
	u->has_waiting = false;
	put_done(u, &(struct cl_event){.type = CL_SEND_FAILED, .id = u->waiting.id});
}

static void add_part(struct pkt *p, struct view bytes, struct slice slice)
{
	if (bytes.n > 0 || slice.len > 0)
		p->part[p->n_parts++] = (struct pkt_part){.bytes = bytes, .slice = slice};
}

static bool output_keepalive(struct udpcl *u, mono now, struct pkt *p)
{
	if (keepalive_at(u) > now || room_before_end(u, now) < 4 || p->cap < 4)
		return false;
	memset(p->buf, 0, 4);
	p->n_parts = 0;
	add_part(p, view_of(p->buf, 4), (struct slice){0});
	p->frame_bytes = frame_bytes(u, 4);
	p->cookie = KEEPALIVE_COOKIE;
	start_frame(u, now, p->frame_bytes);
	return true;
}

static mono keepalive_at(const struct udpcl *u)
{
	mono at;

	if (!u->cue.tx_open || u->cfg.keepalive_us <= 0)
		return MONO_NEVER;
	at = mono_add(u->last_tx, u->cfg.keepalive_us);
	return u->cue.until != MONO_NEVER && at > u->cue.until - u->cfg.guard_us ? MONO_NEVER : at;
}
