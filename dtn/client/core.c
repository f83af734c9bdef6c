/*
 * core: what a connection must remember: the welcome and how many requests are open (core.h).
 */
#include "dtn/client/core.h"

static const uint64_t day_ms = 86400000;

static struct view text_of(const char *s)
{
	return s ? view_text(s) : (struct view){0};
}

int client_request(struct client_core *c, struct proto_msg *m, struct buf *out)
{
	m->tag = ++c->next_tag;
	proto_write(out, m);
	return buf_finish(out);
}

int client_hello(struct client_core *c, struct buf *out)
{
	struct proto_msg m = {.type = PROTO_HELLO, .version = PROTO_VERSION};

	return client_request(c, &m, out);
}

int client_send(struct client_core *c, const struct owlt_send *s, struct buf *out, uint64_t *tag)
{
	struct proto_msg m = {.type = PROTO_SEND,
		.dest = text_of(s->dest),
		.source = text_of(s->source),
		.report_to = text_of(s->report_to),
		.lifetime_ms = s->lifetime_ms ? s->lifetime_ms : day_ms,
		.flags = s->flags,
		.priority = s->priority,
		.crc = s->crc,
		.custody = s->custody};
	int err;

	if (c->n_open >= CORE_OPEN_MAX)
		return -EAGAIN;
	if (s->payload && s->size <= PROTO_INLINE_MAX)
		m.payload = view_of(s->payload, s->size);
	else
		m.size = s->size;
	err = client_request(c, &m, out);
	if (err)
		return err;
	c->open[c->n_open++] = m.tag;
	*tag = m.tag;
	return 0;
}

bool client_is_open(const struct client_core *c, uint64_t tag)
{
	for (unsigned i = 0; i < c->n_open; i++)
		if (c->open[i] == tag)
			return true;
	return false;
}

int client_part(const struct client_core *c, uint64_t tag, struct view bytes, struct buf *out)
{
	struct proto_msg m = {.type = PROTO_PART, .tag = tag, .payload = bytes};

	if (!client_is_open(c, tag))
		return -E_STATE;
	proto_write(out, &m);
	return buf_finish(out);
}

static void close_send(struct client_core *c, uint64_t tag)
{
	for (unsigned i = 0; i < c->n_open; i++)
		if (c->open[i] == tag) {
			c->open[i] = c->open[--c->n_open];
			return;
		}
}

int client_input(struct client_core *c, struct view packet, struct proto_msg *m)
{
	int err = proto_read(packet, m);

	if (err)
		return err;
	if (m->type == PROTO_WELCOME) {
		if (m->version != PROTO_VERSION || m->node.n >= sizeof c->node || m->speed_ppm == 0)
			return -E_VERSION;
		c->is_welcome = true;
		memcpy(c->node, m->node.p, m->node.n);
		c->node[m->node.n] = 0;
		c->mono0_ns = m->mono0_ns;
		c->dtn0_ms = m->dtn0_ms;
		c->speed_ppm = m->speed_ppm;
		return 0;
	}
	if (m->type == PROTO_ACCEPTED || m->type == PROTO_REFUSED)
		close_send(c, m->tag);
	return 1;
}

bool client_event_of(const struct proto_msg *m, struct owlt_event *ev)
{
	*ev = (struct owlt_event){.tag = m->tag,
		.err = -(int)(m->err & 0xffff),
		.registration = (uint32_t)m->registration,
		.id = m->id,
		.created_ms = m->created_ms,
		.seq = m->seq,
		.lifetime_ms = m->lifetime_ms,
		.flags = m->flags,
		.report_id = m->report_id,
		.report_no = m->report_no,
		.size = m->size,
		.redelivered = m->redelivered};
	switch (m->type) {
	case PROTO_ACCEPTED:
		ev->type = OWLT_ACCEPTED;
		return true;
	case PROTO_REFUSED:
		ev->type = OWLT_REFUSED;
		return true;
	case PROTO_DELIVERY:
		ev->type = OWLT_DELIVERY;
		return true;
	case PROTO_ACKED:
		ev->type = OWLT_ACKED;
		return true;
	default:
		return false;
	}
}
