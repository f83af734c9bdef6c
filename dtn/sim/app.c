/*
 * app: applications of the simulation. A sender works off a traffic row: it sends, waits for the answer,
 * and sends again what was not taken or what its node died over (as a new bundle: it can't know better).
 * A receiver registers, takes at most SIM_WINDOW bundles in hand, checks every byte against what the
 * sender made from (row, number, attempt), and acknowledges a moment later; by chance it dies in between.
 *
 * What was told ACCEPTED, handed over, acknowledged and told ACKED is written down in sim_msg, from
 * which check.c judges. Start reading at app_due and app_take.
 */
#include "dtn/sim/inside.h"

#include <assert.h>
#include <stdlib.h>

#define SRC_ROW 0x10000u
#define SRC_RECEIVER 0x18000u
#define ROWS_MAX 0x8000u
#define EXPIRY_SLACK_MS 1u /* rounding */
#define RETRY_US US_PER_S  /* after "not now" */
#define ACK_AFTER_US (2 * US_PER_MS)
#define RNG_RECEIVER (UINT64_C(1) << 40)

static const char magic[8] = "OWLTSIM1";

static int row_add(struct sim *s, const struct topo_traffic *t, mono at);
static struct sim_receiver *receiver_get(struct sim *s, unsigned node, uint64_t service);
static void send_next(struct sim *s, struct sim_row *r);
static int send_one(struct sim *s, struct sim_row *r, uint64_t n);
static void retry_later(struct sim *s, unsigned row, uint64_t n);
static void answered(struct sim *s, struct sim_node *n, const struct node_event *ev);
static void handed(struct sim *s, struct sim_node *n, const struct node_event *ev);
static void acked(struct sim *s, struct sim_node *n, const struct node_event *ev);
static void receiver_wake(struct sim *s, struct sim_receiver *r);
static void receiver_register(struct sim *s, struct sim_receiver *r);
static void receiver_ack(struct sim *s, struct sim_receiver *r);
static void receiver_sleep(struct sim *s, struct sim_receiver *r);

int app_init(struct sim *s)
{
	const struct topo *t = s->cfg.topo;

	for (size_t i = 0; s->cfg.traffic && i < t->n_traffic; i++) {
		const struct topo_traffic *row = &t->traffic[i];
		int err = row_add(s, row, row->at);

		if (err)
			return err;
		for (unsigned k = 0; k < t->n_nodes; k++)
			if (t->node[k].id == row->to_node &&
				(err = sim_register(s, k, row->to_service)) != 0)
				return err;
	}
	return 0;
}

void app_fini(struct sim *s)
{
	for (size_t i = 0; i < s->n_rows; i++) {
		free(s->row[i]->retry);
		free(s->row[i]);
	}
	for (size_t i = 0; i < s->n_receivers; i++)
		free(s->receiver[i]);
	for (size_t i = 0; i < s->n_msgs; i++) {
		free(s->msg[i]->paths);
		free(s->msg[i]);
	}
	free(s->row);
	free(s->receiver);
	free(s->msg);
}

int sim_send(struct sim *s, const struct topo_traffic *t)
{
	return row_add(s, t, s->now);
}

int sim_register(struct sim *s, unsigned node, uint64_t service)
{
	struct sim_receiver *r = receiver_get(s, node, service);

	if (!r)
		return -ENOMEM;
	r->wanted = true;
	if (!r->registration)
		receiver_sleep(s, r);
	return 0;
}

void sim_unregister(struct sim *s, unsigned node, uint64_t service)
{
	struct sim_receiver *r = receiver_get(s, node, service);

	if (!r)
		return;
	r->wanted = false;
	r->n_acks = 0;
	for (unsigned k = 0; k < r->n_sent; k++)
		r->sent[k].is_orphan = true;
	if (r->registration && s->node[node].node)
		node_unregister(s->node[node].node, s->now, r->registration);
	r->registration = 0;
	due_clear(s, &r->due);
	due_set(s, &s->node[node].turn, s->now, SRC_TURN, 0);
}

void app_due(struct sim *s, struct due *d)
{
	if (d->what == DUE_SEND)
		send_next(s, container_of(d, struct sim_row, due));
	else
		receiver_wake(s, container_of(d, struct sim_receiver, due));
}

void app_take(struct sim *s, struct sim_node *n)
{
	struct node_event ev;

	while (n->node && node_event(n->node, &ev)) {
		switch (ev.type) {
		case NODE_ACCEPTED:
		case NODE_REFUSED:
			answered(s, n, &ev);
			break;
		case NODE_DELIVERY:
			handed(s, n, &ev);
			break;
		case NODE_ACKED:
			acked(s, n, &ev);
			break;
		}
		(void)decide_point(s, n, POINT_TOLD,
			UINT32_C(1) << (ev.type == NODE_DELIVERY ? ABOUT_HAND
					: ev.type == NODE_ACKED  ? ABOUT_ACK
								 : ABOUT_SEND));
	}
}

void app_node_up(struct sim *s, struct sim_node *n)
{
	for (size_t i = 0; i < s->n_receivers; i++)
		if (s->receiver[i]->node == n->index)
			receiver_sleep(s, s->receiver[i]);
}

/* Senders never hear of what was not answered; receivers forget what they had not acknowledged. What they
 * had, and the store still holds, will come again; what it no longer holds was durable. */
void app_node_down(struct sim *s, struct sim_node *n)
{
	struct link_node *l;

	check_look(s, n);
	while ((l = list_pop_front(&n->pending))) {
		struct sim_msg *m = container_of(l, struct sim_msg, pending);

		m->unknown = true;
		s->counts.unanswered++;
		retry_later(s, m->row, m->n);
	}
	for (size_t i = 0; i < s->n_receivers; i++) {
		struct sim_receiver *r = s->receiver[i];

		if (r->node != n->index)
			continue;
		for (unsigned k = 0; k < r->n_sent; k++) {
			struct sim_msg *m = r->sent[k].msg;

			m->ack_called = check_held(n, r->sent[k].id) == NULL;
			m->acked = m->ack_called;
			s->counts.delivered += m->acked;
		}
		r->registration = 0;
		r->n_acks = r->n_sent = 0;
		due_clear(s, &r->due);
	}
}

/* What applications that are gone had acknowledged. */
void app_look(struct sim *s, struct sim_node *n)
{
	for (size_t i = 0; i < s->n_receivers; i++) {
		struct sim_receiver *r = s->receiver[i];

		for (unsigned k = 0; r->node == n->index && k < r->n_sent; k++) {
			if (!r->sent[k].is_orphan || store_is_durable(n->store, r->sent[k].id))
				continue;
			r->sent[k].msg->acked = true;
			s->counts.delivered++;
			r->sent[k--] = r->sent[--r->n_sent];
		}
	}
}

/* -- sending */

static int row_add(struct sim *s, const struct topo_traffic *t, mono at)
{
	struct sim_row *r = calloc(1, sizeof *r);
	struct sim_row **row = reallocarray(s->row, s->n_rows + 1, sizeof(struct sim_row *));

	if (row)
		s->row = row;
	if (!r || !row || s->n_rows == ROWS_MAX) {
		free(r);
		return r && row ? -E_LIMIT : -ENOMEM;
	}
	r->t = *t;
	r->t.at = at;
	r->index = (unsigned)s->n_rows;
	s->row[s->n_rows++] = r;
	due_init(&r->due, DUE_SEND, t->from);
	due_set(s, &r->due, at, SRC_ROW + r->index, 0);
	return 0;
}

static void row_sleep(struct sim *s, unsigned row)
{
	struct sim_row *r = s->row[row];
	mono at = s->now + RETRY_US;

	if (r->n_retry == 0) {
		if (r->n_next >= r->t.count)
			return;
		at = mono_add(r->t.at, muldiv_i64(r->t.every_us, (int64_t)r->n_next, 1));
	}
	due_set(s, &r->due, at, SRC_ROW + row, r->n_attempts);
}

static void send_next(struct sim *s, struct sim_row *r)
{
	unsigned row = r->index;
	bool again = r->n_retry > 0;
	uint64_t n = again ? r->retry[0] : r->n_next;
	int err = s->node[r->t.from].node ? send_one(s, r, n) : -E_AGAIN;

	if (err == -E_AGAIN || err == -E_FULL) {
		due_set(s, &r->due, s->now + RETRY_US, SRC_ROW + row, r->n_attempts);
		return;
	}
	if (err)
		s->counts.refused++;
	if (again)
		memmove(r->retry, r->retry + 1, --r->n_retry * sizeof *r->retry);
	else
		r->n_next++;
	row_sleep(s, row);
}

static void retry_later(struct sim *s, unsigned row, uint64_t n)
{
	struct sim_row *r = s->row[row];

	if (r->n_retry == r->cap_retry) {
		r->cap_retry = r->cap_retry ? 2 * r->cap_retry : 16;
		r->retry = reallocarray(r->retry, r->cap_retry, sizeof *r->retry);
		if (!r->retry)
			abort(); /* see due_set */
	}
	r->retry[r->n_retry++] = n;
	row_sleep(s, row);
}

static struct sim_msg *msg_new(struct sim *s)
{
	struct sim_msg *m = calloc(1, sizeof *m);

	if (s->n_msgs == s->cap_msgs) {
		s->cap_msgs = s->cap_msgs ? 2 * s->cap_msgs : 64;
		s->msg = reallocarray(s->msg, s->cap_msgs, sizeof(struct sim_msg *));
	}
	if (!m || !s->msg)
		abort(); /* see due_set */
	list_init(&m->pending);
	m->index = s->n_msgs;
	s->msg[s->n_msgs++] = m;
	return m;
}

/* What message `index` carries: its name, then bytes that follow from it. */
static void fill(const struct sim *s, const struct sim_msg *m, uint8_t *out)
{
	struct rng r;
	uint8_t head[SIM_HEAD_MIN];

	memcpy(head, magic, 8);
	be64_put(head + 8, m->index);
	be64_put(head + 16, m->n);
	be64_put(head + 24, m->size_bytes);
	rng_init(&r, s->cfg.seed, m->index);
	for (size_t at = 0; at < m->size_bytes; at += 8) {
		uint8_t word[8];

		be64_put(word, at < sizeof head ? be64_get(head + at) : rng_u64(&r));
		memcpy(out + at, word, m->size_bytes - at < 8 ? m->size_bytes - at : 8);
	}
}

static int send_one(struct sim *s, struct sim_row *r, uint64_t n)
{
	struct sim_node *node = &s->node[r->t.from];
	struct sim_msg *m = msg_new(s);
	uint8_t *payload = malloc(r->t.size_bytes + 1);
	struct view v = view_of(payload, r->t.size_bytes);
	struct node_send req = {
		.source = eid_ipn(node_self(node->node), r->t.from_service ? r->t.from_service : 1),
		.dest = eid_ipn(r->t.to_node, r->t.to_service),
		.report_to = r->t.reports ? eid_ipn(node_self(node->node), 0) : eid_null(),
		.flags = r->t.reports,
		.compressed = r->t.compressed,
		.lifetime_ms = (uint64_t)(r->t.lifetime_us / US_PER_MS),
		.priority = r->t.priority,
		.custody = r->t.custody,
		.crc_type = CRC_32C,
		.payload = &v,
		.n_payload = 1,
	};
	int err;

	if (!payload)
		abort(); /* see due_set */
	m->row = r->index;
	m->n = n;
	m->attempt = r->n_attempts++;
	m->size_bytes = r->t.size_bytes;
	m->custody = r->t.custody;
	m->kept = r->t.custody || r->t.kept;
	m->expires_ms = s->cfg.dtn_at_zero + (uint64_t)((s->now + r->t.lifetime_us) / US_PER_MS);
	fill(s, m, payload);
	err = node_send(node->node, s->now, &req, &m->request);
	if (err == 0)
		list_push_back(&node->pending, &m->pending);
	(void)decide_point(s, node, POINT_ASKED, 0);
	s->counts.sends++;
	free(payload);
	return err;
}

static void answered(struct sim *s, struct sim_node *n, const struct node_event *ev)
{
	for (struct link_node *l = n->pending.next; l != &n->pending; l = l->next) {
		struct sim_msg *m = container_of(l, struct sim_msg, pending);

		if (m->request != ev->request)
			continue;
		list_remove(l);
		if (ev->type == NODE_REFUSED) {
			retry_later(s, m->row, m->n);
			return;
		}
		s->counts.accepted++;
		m->accepted = true;
		m->ident = (struct ident){
			ev->source.node, ev->source.service, ev->created_ms, ev->seq};
		check_name(s, m);
		wire_accepted(s, n, m);
		return;
	}
	check_fail(s, "%s answers request %" PRIu64 ", which nobody made",
		s->cfg.topo->node[n->index].name, ev->request);
}

/* -- receiving */

static struct sim_receiver *receiver_find(struct sim *s, unsigned node, uint32_t registration)
{
	for (size_t i = 0; i < s->n_receivers; i++)
		if (s->receiver[i]->node == node && s->receiver[i]->registration == registration)
			return s->receiver[i];
	return NULL;
}

static struct sim_receiver *receiver_get(struct sim *s, unsigned node, uint64_t service)
{
	struct sim_receiver *r;
	struct sim_receiver **all;

	for (size_t i = 0; i < s->n_receivers; i++)
		if (s->receiver[i]->node == node && s->receiver[i]->service == service)
			return s->receiver[i];
	all = reallocarray(s->receiver, s->n_receivers + 1, sizeof(struct sim_receiver *));
	if (!all)
		return NULL;
	s->receiver = all;
	r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	r->index = (unsigned)s->n_receivers;
	r->node = node;
	r->service = service;
	rng_init(&r->rng, s->cfg.seed, RNG_RECEIVER + r->index);
	due_init(&r->due, DUE_RECV, node);
	s->receiver[s->n_receivers++] = r;
	return r;
}

/* The next thing it has to do: register, or the oldest acknowledgement. */
static void receiver_sleep(struct sim *s, struct sim_receiver *r)
{
	mono at = s->now;

	if (!r->wanted || (r->registration && r->n_acks == 0)) {
		due_clear(s, &r->due);
		return;
	}
	if (r->registration)
		at = r->ack[0].at;
	else if (r->dead)
		at += US_PER_S + (mono)rng_below(&r->rng, 60 * US_PER_S);
	due_set(s, &r->due, at, SRC_RECEIVER + r->index, r->n_wakes++);
}

static void receiver_wake(struct sim *s, struct sim_receiver *r)
{
	if (!s->node[r->node].node)
		return; /* app_node_up wakes it */
	r->dead = false;
	if (r->registration)
		receiver_ack(s, r);
	else
		receiver_register(s, r);
	receiver_sleep(s, r);
}

static void receiver_register(struct sim *s, struct sim_receiver *r)
{
	struct sim_node *n = &s->node[r->node];
	struct eid e = eid_ipn(node_self(n->node), r->service);
	int err = node_register(n->node, s->now, &e, &r->registration);
	struct node_stats st;

	if (err) {
		check_fail(s, "%s refuses the registration of service %" PRIu64 ": %s",
			s->cfg.topo->node[r->node].name, r->service, err_name(err));
		r->registration = 0;
		r->wanted = false;
		return;
	}
	node_stats(n->node, &st);
	node_credit(n->node, s->now, r->registration, SIM_WINDOW);
	if (st.n_for_apps > 0)
		(void)decide_point(s, n, POINT_ASKED, UINT32_C(1) << ABOUT_CLAIM);
}

static void receiver_ack(struct sim *s, struct sim_receiver *r)
{
	while (r->n_acks > 0 && r->ack[0].at <= s->now) {
		struct sim_ack a = r->ack[0];
		int err = node_ack(s->node[r->node].node, s->now, r->registration, a.id);

		memmove(r->ack, r->ack + 1, --r->n_acks * sizeof r->ack[0]);
		if (err) {
			/* It may have expired in the application's hands. */
			if (a.expires_ms > s->cfg.dtn_at_zero + (uint64_t)(s->now / US_PER_MS))
				check_fail(s, "%s refuses an acknowledgement: %s",
					s->cfg.topo->node[r->node].name, err_name(err));
			continue;
		}
		if (!a.msg)
			continue;
		a.msg->ack_called = true;
		wire_ack_asked(s, &s->node[r->node], &a.ident, a.id);
		if (r->n_sent < sizeof r->sent / sizeof r->sent[0])
			r->sent[r->n_sent++] = a;
		else
			check_fail(s, "%u acknowledgements wait for their commit", r->n_sent);
		(void)decide_point(s, &s->node[r->node], POINT_ASKED, UINT32_C(1) << ABOUT_ACK);
	}
}

static uint8_t *gather(struct sim_node *n, const struct node_event *ev);

/* The message that a delivered payload is, judged by its bytes; NULL and a fault if it is none. */
static struct sim_msg *recognise(
	struct sim *s, struct sim_node *n, const struct node_event *ev, const struct ident *id)
{
	struct sim_msg *m = check_find(s, id);
	struct view v = {.n = ev->size_bytes};
	uint8_t *want, *got = gather(n, ev);

	if (!got) {
		check_fail(s, "the payload of a delivery can't be read");
		return NULL;
	}
	v.p = got;
	if (!m && v.n >= SIM_HEAD_MIN && memcmp(v.p, magic, 8) == 0 &&
		be64_get(v.p + 8) < s->n_msgs)
		m = s->msg[be64_get(v.p + 8)];
	if (!m) {
		free(got);
		return NULL; /* too small to name a message that was never answered */
	}
	want = malloc(m->size_bytes + 1);
	if (!want)
		abort(); /* see due_set */
	fill(s, m, want);
	if (!view_equal(v, view_of(want, m->size_bytes)))
		check_fail(s, "message %" PRIu64 " of row %u was delivered with other bytes", m->n,
			m->row);
	free(want);
	free(got);
	return m;
}

/* The payload in one piece, read as an application would; NULL: it can't be. */
static uint8_t *gather(struct sim_node *n, const struct node_event *ev)
{
	uint8_t *bytes = malloc(ev->size_bytes + 1);
	struct view v;

	if (!bytes)
		abort(); /* see due_set */
	for (uint64_t at = 0; at < ev->size_bytes; at += v.n) {
		int err = node_read(n->node, ev->registration, ev->id, at, ev->size_bytes - at, &v);

		if (err != 0 || v.n == 0) {
			free(bytes);
			return NULL;
		}
		memcpy(bytes + at, v.p, v.n);
	}
	return bytes;
}

static void handed(struct sim *s, struct sim_node *n, const struct node_event *ev)
{
	struct sim_receiver *r = receiver_find(s, n->index, ev->registration);
	struct sim_ack a = {.id = ev->id, .at = s->now + ACK_AFTER_US};
	bool accurate =
		s->cfg.node[n->index].clock_is_accurate; /* else it can't know what time it is */
	struct ident id;

	if (!r || r->n_acks >= SIM_WINDOW) {
		check_fail(s, "%s hands over more than was asked for",
			s->cfg.topo->node[n->index].name);
		return;
	}
	if (check_ident(ev->head, &id, &a.expires_ms) != 0) {
		check_fail(s, "the head of a delivery can't be read");
		return;
	}
	a.ident = id;
	a.msg = recognise(s, n, ev, &id);
	if (a.msg) /* a node without a clock writes no creation time: the sender knows when it was */
		a.expires_ms = a.msg->expires_ms;
	if (accurate && a.expires_ms + EXPIRY_SLACK_MS < node_dtn(n->node, s->now))
		check_fail(s, "%s hands over a bundle that has expired",
			s->cfg.topo->node[n->index].name);
	if (a.msg && a.msg->acked)
		check_fail(s, "message %" PRIu64 " of row %u is delivered twice", a.msg->n,
			a.msg->row);
	if (a.msg && a.msg->n_handed++ > 0 && !ev->redelivered)
		check_fail(s, "message %" PRIu64 " of row %u is handed over again unmarked",
			a.msg->n, a.msg->row);
	s->counts.redelivered += ev->redelivered;
	if (decide_app_dies(s, n) ||
		(s->now < s->cfg.faults.until && rng_chance(&r->rng, s->cfg.faults.app_dies_p))) {
		s->counts.app_deaths++;
		sim_unregister(s, r->node, r->service);
		r->wanted = r->dead = true;
	} else {
		r->ack[r->n_acks++] = a;
	}
	receiver_sleep(s, r);
}

static void acked(struct sim *s, struct sim_node *n, const struct node_event *ev)
{
	for (size_t i = 0; i < s->n_receivers; i++) {
		struct sim_receiver *r = s->receiver[i];

		for (unsigned k = 0; r->node == n->index && k < r->n_sent; k++) {
			struct sim_msg *m = r->sent[k].msg;

			if (r->sent[k].id != ev->id)
				continue;
			if (m->acked)
				check_fail(s, "message %" PRIu64 " of row %u is acknowledged twice",
					m->n, m->row);
			m->acked = true;
			wire_acked(s, n, m, ev->id);
			r->sent[k] = r->sent[--r->n_sent];
			s->counts.delivered++;
			return;
		}
	}
}
