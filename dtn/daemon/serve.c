/*
 * serve: what the messages of applications mean: one row a message, {type, right, function}. Answers
 * carry the request's tag; a send is answered when its bundle is durable (serve_event).
 * A source or an endpoint must be one that the user may register.
 * Start reading at serve_message.
 */
#include "dtn/daemon/daemon.h"

#include "dtn/client/owlt.h"
#include "dtn/client/proto.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STATUS_BYTES (4u << 20)
#define SMALL_BYTES 2048u /* a payload that goes along in any case: a report, for one */

enum right { RIGHT_NONE, RIGHT_READ, RIGHT_SEND, RIGHT_REGISTER };

static int serve_hello(struct daemon *d, struct client *c, const struct proto_msg *m);
static int serve_send(struct daemon *d, struct client *c, const struct proto_msg *m);
static int serve_register(struct daemon *d, struct client *c, const struct proto_msg *m);
static int serve_credit(struct daemon *d, struct client *c, const struct proto_msg *m);
static int serve_ack(struct daemon *d, struct client *c, const struct proto_msg *m);
static int serve_unregister(struct daemon *d, struct client *c, const struct proto_msg *m);
static int serve_status(struct daemon *d, struct client *c, const struct proto_msg *m);
static int serve_part(struct daemon *d, struct client *c, const struct proto_msg *m);
static int serve_cancel(struct daemon *d, struct client *c, const struct proto_msg *m);
static int serve_read(struct daemon *d, struct client *c, const struct proto_msg *m);
static int serve_give_up(struct daemon *d, struct client *c, const struct proto_msg *m);

static const struct row {
	uint64_t type;
	enum right right;
	int (*serve)(struct daemon *d, struct client *c, const struct proto_msg *m);
} rows[] = {
	{PROTO_HELLO, RIGHT_NONE, serve_hello},
	{PROTO_SEND, RIGHT_SEND, serve_send},
	{PROTO_REGISTER, RIGHT_REGISTER, serve_register},
	{PROTO_CREDIT, RIGHT_REGISTER, serve_credit},
	{PROTO_ACK, RIGHT_REGISTER, serve_ack},
	{PROTO_UNREGISTER, RIGHT_REGISTER, serve_unregister},
	{PROTO_STATUS, RIGHT_READ, serve_status},
	{PROTO_PART, RIGHT_SEND, serve_part},
	{PROTO_CANCEL, RIGHT_SEND, serve_cancel},
	{PROTO_READ, RIGHT_REGISTER, serve_read},
	{PROTO_GIVE_UP, RIGHT_SEND, serve_give_up},
};

static bool has_right(const struct client *c, enum right right);
static void pending_drop(struct client *c, uint64_t request);
static void refuse(struct daemon *d, struct client *c, uint64_t tag, int err);
static int take_eid(struct view text, char *room, struct eid *e);
static struct client *client_of(struct daemon *d, uint64_t registration);
static void deliver(struct daemon *d, const struct node_event *ev);
static void answer_send(struct daemon *d, const struct node_event *ev);

int serve_message(struct daemon *d, struct client *c, const struct proto_msg *m)
{
	int err = -E_UNKNOWN;

	if (!c->is_greeted && m->type != PROTO_HELLO) {
		refuse(d, c, m->tag, -E_STATE);
		return 0;
	}
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].type == m->type)
			err = has_right(c, rows[i].right) ? rows[i].serve(d, c, m) : -EACCES;
	if (err == -E_AGAIN)
		return err;
	if (err)
		refuse(d, c, m->tag, err);
	return 0;
}

void serve_event(struct daemon *d, const struct node_event *ev)
{
	struct client *c;

	switch (ev->type) {
	case NODE_ACCEPTED:
	case NODE_REFUSED:
		answer_send(d, ev);
		break;
	case NODE_DELIVERY:
		deliver(d, ev);
		break;
	case NODE_ACKED:
		c = client_of(d, ev->registration);
		if (c)
			app_send(d, c,
				&(struct proto_msg){.type = PROTO_ACKED,
					.registration = ev->registration,
					.id = ev->id},
				-1);
		break;
	}
}

void serve_idle(struct daemon *d, struct client *c)
{
	int64_t now = c->n_streams && d->cfg.send_idle_us ? clock_mono_ns() : 0;

	for (unsigned i = 0; now && i < c->n_streams;) {
		struct stream s = c->stream[i];

		if (c->held) /* it waits for us */
			c->stream[i].moved_ns = now;
		if (c->held || now - s.moved_ns < d->cfg.send_idle_us * 1000) {
			i++;
			continue;
		}
		c->stream[i] = c->stream[--c->n_streams];
		node_send_cancel(d->node, d->now, s.request);
		pending_drop(c, s.request);
		d->n_sends_idle++;
		log_line(d, LOG_WARN, "app", "send refused why=idle missing_bytes=%llu",
			(unsigned long long)s.left);
		refuse(d, c, s.tag, -E_IDLE);
	}
}

int64_t serve_deadline(const struct daemon *d)
{
	int64_t at = INT64_MAX;

	for (unsigned k = 0; d->cfg.send_idle_us && k < d->cfg.max_clients; k++) {
		const struct client *c = d->client[k];

		for (unsigned i = 0; c && !c->held && i < c->n_streams; i++) {
			int64_t end = c->stream[i].moved_ns + d->cfg.send_idle_us * 1000;

			at = end < at ? end : at;
		}
	}
	return at;
}

static bool has_right(const struct client *c, enum right right)
{
	switch (right) {
	case RIGHT_READ:
		return c->may.read;
	case RIGHT_SEND:
		return c->may.send;
	case RIGHT_REGISTER:
		return c->may.services[0] != 0;
	default:
		return true;
	}
}

static void refuse(struct daemon *d, struct client *c, uint64_t tag, int err)
{
	app_send(d, c,
		&(struct proto_msg){.type = PROTO_REFUSED,
			.tag = tag,
			.err = (uint64_t)-err,
			.text = view_text(err_text(err))},
		-1);
}

static int serve_hello(struct daemon *d, struct client *c, const struct proto_msg *m)
{
	struct proto_msg a = {.type = PROTO_WELCOME,
		.tag = m->tag,
		.version = PROTO_VERSION,
		.node = view_text(d->cfg.node.id),
		.mono0_ns = (uint64_t)d->clock.mono0_ns,
		.dtn0_ms = d->clock.dtn0_ms,
		.speed_ppm = (uint64_t)(d->clock.speed * 1e6 + 0.5)};

	if (m->version != PROTO_VERSION)
		return -E_VERSION;
	c->is_greeted = true;
	app_send(d, c, &a, -1);
	return 0;
}

/* May the client act as this endpoint? Names of dtn services are no numbers: only "*" covers them. */
static bool may_use(const struct client *c, const struct eid *e)
{
	return e->scheme == EID_SCHEME_IPN ? access_service(&c->may, e->service)
					   : strcmp(c->may.services, "*") == 0;
}

static int read_send(const struct client *c, const struct proto_msg *m, char room[3][EID_TEXT_MAX],
	struct node_send *s)
{
	int err = take_eid(m->dest, room[0], &s->dest);

	s->source = s->report_to = eid_null();
	if (!err && m->source.n)
		err = take_eid(m->source, room[1], &s->source);
	if (!err && m->report_to.n)
		err = take_eid(m->report_to, room[2], &s->report_to);
	else if (!err)
		s->report_to = s->source;
	if (err)
		return err;
	if (!eid_is_null(&s->source) && !may_use(c, &s->source))
		return -EACCES;
	s->flags = m->flags;
	s->lifetime_ms = m->lifetime_ms;
	s->priority = m->priority > 2 ? 2 : (unsigned)m->priority;
	s->custody = m->custody;
	s->compressed = (m->flags & OWLT_COMPRESSED) != 0;
	if (s->compressed)
		s->custody_reports =
			(m->flags & OWLT_REPORT_CUSTODY_ACCEPTED ? CREB_ACCEPTANCE : 0) |
			(m->flags & OWLT_REPORT_CUSTODY_REFUSED ? CREB_REFUSAL : 0);
	if (m->crc > 3)
		return -E_RANGE;
	s->crc_type = m->crc ? (enum crc_type)(m->crc - 1) : CRC_32C;
	return 0;
}

static struct stream *stream_of(struct client *c, uint64_t tag)
{
	for (unsigned i = 0; i < c->n_streams; i++)
		if (c->stream[i].tag == tag)
			return &c->stream[i];
	return NULL;
}

static void pending_add(struct client *c, uint64_t request, uint64_t tag)
{
	c->pending[c->n_pending].request = request;
	c->pending[c->n_pending++].tag = tag;
}

/* The send ended without an answer from the node. */
static void pending_drop(struct client *c, uint64_t request)
{
	for (unsigned i = 0; i < c->n_pending; i++)
		if (c->pending[i].request == request)
			c->pending[i--] = c->pending[--c->n_pending];
}

/* More bytes of a payload. What was taken before the stage was full is not taken again when the
 * message is served again. */
static int feed(struct daemon *d, struct client *c, struct stream *s, struct view payload)
{
	struct view rest = view_sub(payload, c->n_taken, payload.n - c->n_taken);
	uint64_t request = s->request, had = rest.n;
	int err = node_send_part(d->node, d->now, request, &rest);

	s->left -= err && err != -E_AGAIN ? 0 : had - rest.n;
	s->moved_ns = clock_mono_ns();
	c->n_taken = err == -E_AGAIN ? payload.n - rest.n : 0;
	if (err == -E_AGAIN || (!err && s->left > 0))
		return err;
	*s = c->stream[--c->n_streams];
	if (err)
		pending_drop(c, request);
	return err;
}

static int open_stream(
	struct daemon *d, struct client *c, const struct node_send *s, const struct proto_msg *m)
{
	uint64_t size = m->payload.n ? m->payload.n : m->size, request;
	int err = c->n_streams < d->cfg.max_open_sends
			  ? node_send_open(d->node, d->now, s, size, &request)
			  : -E_LIMIT;

	if (err)
		return err;
	pending_add(c, request, m->tag);
	c->stream[c->n_streams++] = (struct stream){request, m->tag, size, clock_mono_ns()};
	return 0;
}

/* With a payload beyond a fragment's the message opens a stream and is its only part. */
static int serve_send(struct daemon *d, struct client *c, const struct proto_msg *m)
{
	char room[3][EID_TEXT_MAX];
	struct node_send s = {.payload = &m->payload, .n_payload = 1};
	bool is_large = m->payload.n > d->cfg.node.agent.source_bytes;
	struct stream *stream = is_large ? stream_of(c, m->tag) : NULL;
	uint64_t request;
	int err = read_send(c, m, room, &s);

	if (d->is_ending)
		return -E_CLOSED;
	if (!err && !stream && c->n_pending == CLIENT_PENDING)
		return -E_AGAIN;
	if (!err && m->payload.n && m->size)
		return -E_FORM; /* either all of it, or how much there will be */
	s.registration = c->n_registrations ? c->registration[0] : 0; /* for the trace */
	c->last_send = m->tag;
	if (!err && !stream && (m->size > 0 || is_large)) {
		err = open_stream(d, c, &s, m);
		stream = stream_of(c, m->tag);
	} else if (!err && !stream) {
		err = node_send(d->node, d->now, &s, &request);
		if (!err)
			pending_add(c, request, m->tag);
	}
	return err || !is_large ? err : feed(d, c, stream, m->payload);
}

/* Parts behind a refusal were on their way already. */
static int serve_part(struct daemon *d, struct client *c, const struct proto_msg *m)
{
	struct stream *s = stream_of(c, m->tag);

	if (!s)
		return m->tag <= c->last_send ? 0 : -E_STATE;
	return feed(d, c, s, m->payload);
}

/* RFC 9171 5.12/1: for whoever may send from that source. */
static int serve_give_up(struct daemon *d, struct client *c, const struct proto_msg *m)
{
	char room[EID_TEXT_MAX];
	struct eid source;
	int err = take_eid(m->source, room, &source);

	if (!err && !may_use(c, &source))
		err = -EACCES;
	if (!err)
		err = node_cancel(d->node, d->now, &source, m->created_ms, m->seq);
	if (!err)
		app_send(d, c, &(struct proto_msg){.type = PROTO_DONE, .tag = m->tag}, -1);
	return err;
}

static int serve_cancel(struct daemon *d, struct client *c, const struct proto_msg *m)
{
	struct stream *s = stream_of(c, m->tag);

	if (!s)
		return 0; /* its answer is on its way */
	node_send_cancel(d->node, d->now, s->request);
	pending_drop(c, s->request);
	*s = c->stream[--c->n_streams];
	return -ECANCELED;
}

static int serve_register(struct daemon *d, struct client *c, const struct proto_msg *m)
{
	char room[EID_TEXT_MAX];
	struct eid e = eid_ipn(node_self(d->node), 0);
	struct proto_msg a = {.type = PROTO_REGISTERED, .tag = m->tag};
	uint32_t registration;
	int err = m->dest.n ? take_eid(m->dest, room, &e) : 0;

	if (err)
		return err;
	if (c->n_registrations == CLIENT_REGISTRATIONS)
		return -E_LIMIT;
	if (m->dest.n && !may_use(c, &e))
		return -EACCES;
	err = node_register(d->node, d->now, &e, &registration);
	if (err)
		return err;
	c->registration[c->n_registrations++] = registration;
	a.registration = registration;
	a.dest = view_of(room, eid_print(&e, room, sizeof room));
	app_send(d, c, &a, -1);
	node_credit(d->node, d->now, registration,
		m->credit > PROTO_CREDIT_MAX ? PROTO_CREDIT_MAX : m->credit);
	return 0;
}

/* Its index among the client's own, or -1. */
static int find_registration(const struct client *c, uint64_t registration)
{
	for (unsigned i = 0; i < c->n_registrations; i++)
		if (c->registration[i] == registration)
			return (int)i;
	return -1;
}

static int serve_credit(struct daemon *d, struct client *c, const struct proto_msg *m)
{
	if (find_registration(c, m->registration) < 0)
		return -E_UNKNOWN;
	node_credit(d->node, d->now, (uint32_t)m->registration,
		m->credit > PROTO_CREDIT_MAX ? PROTO_CREDIT_MAX : m->credit);
	app_send(d, c, &(struct proto_msg){.type = PROTO_DONE, .tag = m->tag}, -1);
	return 0;
}

static int serve_ack(struct daemon *d, struct client *c, const struct proto_msg *m)
{
	if (find_registration(c, m->registration) < 0)
		return -E_UNKNOWN;
	return node_ack(d->node, d->now, (uint32_t)m->registration, m->id);
}

static int serve_unregister(struct daemon *d, struct client *c, const struct proto_msg *m)
{
	int k = find_registration(c, m->registration);

	if (k < 0)
		return -E_UNKNOWN;
	node_unregister(d->node, d->now, (uint32_t)m->registration);
	c->registration[k] = c->registration[--c->n_registrations];
	app_send(d, c, &(struct proto_msg){.type = PROTO_DONE, .tag = m->tag}, -1);
	return 0;
}

static int serve_status(struct daemon *d, struct client *c, const struct proto_msg *m)
{
	struct buf b = buf_of(malloc(STATUS_BYTES), STATUS_BYTES);
	struct proto_msg a = {.type = PROTO_REPORT, .tag = m->tag};
	int err, fd = -1;

	if (!b.p)
		return -ENOMEM;
	err = control_status(d, m->text, &b);
	if (!err && b.len > PROTO_INLINE_MAX) {
		struct view v = buf_view(&b);

		fd = packet_memfd(v);
		a.size = v.n;
		err = fd < 0 ? fd : 0;
	} else if (!err) {
		a.payload = buf_view(&b);
	}
	if (!err)
		app_send(d, c, &a, fd);
	free(b.p);
	return err;
}

static int serve_read(struct daemon *d, struct client *c, const struct proto_msg *m)
{
	struct proto_msg a = {.type = PROTO_PIECE, .tag = m->tag};
	uint64_t n = m->size < PROTO_INLINE_MAX ? m->size : PROTO_INLINE_MAX;
	int err = -E_UNKNOWN;

	if (find_registration(c, m->registration) >= 0)
		err = node_read(
			d->node, (uint32_t)m->registration, m->id, m->offset, n, &a.payload);
	if (!err)
		app_send(d, c, &a, -1);
	return err;
}

/* -- what the node tells */

static void answer_send(struct daemon *d, const struct node_event *ev)
{
	char room[EID_TEXT_MAX];

	for (unsigned i = 0; i < d->cfg.max_clients; i++) {
		struct client *c = d->client[i];

		for (unsigned k = 0; c && k < c->n_pending; k++) {
			uint64_t tag = c->pending[k].tag;

			if (c->pending[k].request != ev->request)
				continue;
			c->pending[k] = c->pending[--c->n_pending];
			if (ev->type == NODE_REFUSED) {
				refuse(d, c, tag, ev->err);
				return;
			}
			app_send(d, c,
				&(struct proto_msg){.type = PROTO_ACCEPTED,
					.tag = tag,
					.id = ev->id,
					.source = view_of(
						room, eid_print(&ev->source, room, sizeof room)),
					.created_ms = ev->created_ms,
					.seq = ev->seq,
					.report_id = ev->report_id,
					.report_no = ev->report_no},
				-1);
			return;
		}
	}
}

/* A small payload goes along; it may lie in several pieces. */
static int gather(struct daemon *d, const struct node_event *ev, struct view *payload)
{
	uint64_t n = 0;
	int err = 0;

	while (!err && n < ev->size_bytes) {
		struct view v;

		err = node_read(d->node, ev->registration, ev->id, n, ev->size_bytes - n, &v);
		if (!err && v.n == ev->size_bytes) {
			*payload = v;
			return 0;
		}
		if (!err && (v.n == 0 || v.n > ev->size_bytes - n))
			err = -E_CORRUPT;
		if (!err)
			memcpy(d->input + n, v.p, v.n);
		n += err ? 0 : v.n;
	}
	*payload = view_of(d->input, n);
	return err;
}

static void deliver(struct daemon *d, const struct node_event *ev)
{
	struct client *c = client_of(d, ev->registration);
	struct bundle_rules rules = bundle_rules_default();
	char source[EID_TEXT_MAX], dest[EID_TEXT_MAX];
	struct bundle_fault fault;
	struct bundle b;
	int err = 0;

	rules.allow_no_primary_crc = rules.allow_no_age = rules.allow_definite = true;
	rules.allow_short_dtn = rules.allow_foreign = true; /* it was checked when it came */
	if (!c || bundle_read_head(&b, ev->head, &rules, &fault))
		return;
	struct proto_msg m = {.type = PROTO_DELIVERY,
		.registration = ev->registration,
		.id = ev->id,
		.source = view_of(source, eid_print(&b.source, source, sizeof source)),
		.dest = view_of(dest, eid_print(&b.dest, dest, sizeof dest)),
		.created_ms = b.created_ms,
		.seq = b.seq,
		.lifetime_ms = b.lifetime_ms,
		.flags = b.flags & ~(uint64_t)BUNDLE_FRAGMENT, /* it is whole */
		.redelivered = ev->redelivered};
	/* Who does not read what is there already fetches its bytes later: they are in the store. */
	bool is_slow = c->queued_bytes >= QUEUE_PAUSE_BYTES && ev->size_bytes > SMALL_BYTES;

	if (ev->size_bytes <= PROTO_INLINE_MAX && !is_slow)
		err = gather(d, ev, &m.payload);
	else
		m.size = ev->size_bytes;
	if (err)
		log_line(d, LOG_ERROR, "store", "payload cannot be read id=%llu",
			(unsigned long long)ev->id);
	else
		app_send(d, c, &m, -1);
}

static int take_eid(struct view text, char *room, struct eid *e)
{
	if (text.n >= EID_TEXT_MAX || memchr(text.p ? text.p : (const uint8_t *)"", 0, text.n))
		return -E_SYNTAX;
	if (text.n)
		memcpy(room, text.p, text.n);
	room[text.n] = 0;
	return eid_parse(room, e);
}

static struct client *client_of(struct daemon *d, uint64_t registration)
{
	for (unsigned i = 0; i < d->cfg.max_clients; i++)
		if (d->client[i] && find_registration(d->client[i], registration) >= 0)
			return d->client[i];
	return NULL;
}
