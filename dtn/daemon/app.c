/*
 * app: the sockets of applications (SOCK_SEQPACKET, mode 0660). Who is at the other end is told by
 * SO_PEERCRED once, and what that user may do is looked up once (config.h). Everything a client can
 * make us keep is bounded: registrations, open sends, deliveries (credit); a client that does not
 * read its answers is not read from either, so it stops only itself.
 * What messages mean is in serve.c. Start reading at app_ready.
 */
#include "dtn/daemon/daemon.h"

#include "dtn/client/proto.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGES_PER_TURN 32
#define QUEUE_MAX 2048u /* messages; beyond it the client is cut off */
#define QUEUE_PAUSE 64u /* messages; beyond it nothing more is read from it */

static int listen_at(struct daemon *d, const char *path);
static bool is_paused(const struct client *c);
static int read_messages(struct daemon *d, struct client *c);
static void flush(struct client *c);
static void update(struct daemon *d, unsigned slot);
static void client_free(struct daemon *d, struct client *c);

int app_open(struct daemon *d)
{
	const char *run = getenv("XDG_RUNTIME_DIR");

	d->client = calloc(d->cfg.max_clients, sizeof(struct client *));
	d->packet = malloc(PROTO_MESSAGE_MAX);
	d->input = malloc(PROTO_MESSAGE_MAX);
	if (!d->client || !d->packet || !d->input)
		return -ENOMEM;
	if (*d->cfg.socket == 0)
		snprintf(d->cfg.socket, sizeof d->cfg.socket, "%.80s/owlt/owltd.sock",
			run && *run ? run : "/run");
	return listen_at(d, d->cfg.socket);
}

void app_close(struct daemon *d)
{
	for (unsigned i = 0; d->client && i < d->cfg.max_clients; i++)
		if (d->client[i])
			client_free(d, d->client[i]);
	if (d->listen_fd >= 0) {
		close(d->listen_fd);
		unlink(d->cfg.socket);
	}
	free(d->client);
	free(d->packet);
	free(d->input);
}

void app_accept(struct daemon *d)
{
	int fd = accept4(d->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct ucred peer;
	socklen_t n = sizeof peer;
	unsigned slot = 0;
	struct client *c;

	if (fd < 0)
		return;
	while (slot < d->cfg.max_clients && d->client[slot])
		slot++;
	c = slot < d->cfg.max_clients ? calloc(1, sizeof *c) : NULL;
	if (!c || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) ||
		loop_add(&d->loop, fd, (struct loop_tag){SOURCE_CLIENT, slot})) {
		log_line(d, LOG_WARN, "app", "refused why=limit");
		free(c);
		close(fd);
		return;
	}
	c->fd = fd;
	c->last = &c->first;
	c->may = daemon_access(&d->cfg, peer.uid);
	d->client[slot] = c;
}

void app_ready(struct daemon *d, unsigned slot, const struct loop_event *ev)
{
	struct client *c = d->client[slot];

	if (!c)
		return;
	if (ev->can_write)
		flush(c);
	if (ev->can_read && !c->is_paused && read_messages(d, c))
		c->has_gone = true;
	if (ev->has_gone && !ev->can_read)
		c->has_gone = true;
}

void app_turn(struct daemon *d)
{
	for (unsigned i = 0; i < d->cfg.max_clients; i++) {
		struct client *c = d->client[i];
		struct queued *held = c ? c->held : NULL;
		struct proto_msg m;

		if (held && !writer_is_busy(d->writer)) {
			c->held = NULL;
			if (proto_read(view_of(held->bytes, held->n), &m) == 0 &&
				serve_message(d, c, &m) == -E_AGAIN)
				c->held = held;
			else
				free(held);
		}
		if (c)
			serve_idle(d, c);
		if (c)
			update(d, i);
	}
}

void app_send(struct daemon *d, struct client *c, const struct proto_msg *m, int memfd)
{
	struct buf b = buf_of(d->packet, PROTO_MESSAGE_MAX);
	struct queued *q;
	int err = -EAGAIN;

	proto_write(&b, m);
	if (buf_fits(&b) && !c->first && !c->has_gone)
		err = packet_send(c->fd, buf_view(&b), memfd);
	if (err == -EAGAIN && buf_fits(&b) && !c->has_gone && c->n_queued < QUEUE_MAX) {
		q = malloc(sizeof *q + b.len);
		if (q) {
			*q = (struct queued){.memfd = memfd, .n = b.len};
			memcpy(q->bytes, b.p, b.len);
			*c->last = q;
			c->last = &q->next;
			c->n_queued++;
			c->queued_bytes += q->n;
			return;
		}
	}
	if (err)
		c->has_gone = true;
	if (memfd >= 0)
		close(memfd);
}

/* -- helpers */

/* A socket that nobody listens on any more is removed first. */
static int listen_at(struct daemon *d, const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char folder[sizeof a.sun_path];
	int probe, err = 0;

	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	snprintf(folder, sizeof folder, "%s", path);
	mkdir(dirname(folder),
		0755); /* the usual place may not be there yet; bind() tells otherwise */
	d->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->listen_fd < 0 || probe < 0)
		return -errno;
	if (connect(probe, (struct sockaddr *)(void *)&a, sizeof a) == 0)
		err = -EADDRINUSE;
	else if (errno == ECONNREFUSED)
		unlink(path);
	close(probe);
	if (!err && bind(d->listen_fd, (struct sockaddr *)(void *)&a, sizeof a))
		err = -errno;
	if (!err && (chmod(path, 0660) || listen(d->listen_fd, 64)))
		err = -errno;
	if (!err)
		return loop_add(&d->loop, d->listen_fd, (struct loop_tag){SOURCE_LISTEN, 0});
	close(d->listen_fd);
	d->listen_fd = -1;
	return err;
}

/* Keeps a message that has to be tried again after the next commit. */
static int hold(struct client *c, struct view packet)
{
	struct queued *q = malloc(sizeof *q + packet.n);

	if (!q)
		return -ENOMEM;
	*q = (struct queued){.memfd = -1, .n = packet.n};
	memcpy(q->bytes, packet.p, packet.n);
	c->held = q;
	return 0;
}

/* It has to wait for us, or we for it. */
static bool is_paused(const struct client *c)
{
	return c->held || c->n_queued >= QUEUE_PAUSE || c->queued_bytes >= QUEUE_PAUSE_BYTES ||
	       c->n_pending >= CLIENT_PENDING;
}

/* Negative: the connection is to be closed. */
static int read_messages(struct daemon *d, struct client *c)
{
	int n = 1, memfd = -1;

	for (int k = 0; n > 0 && k < MESSAGES_PER_TURN && !is_paused(c); k++) {
		struct proto_msg m;
		struct view v;

		n = packet_receive(c->fd, d->input, PROTO_MESSAGE_MAX, &memfd);
		if (memfd >= 0)
			close(memfd); /* nothing of that kind is asked for */
		if (n <= 0)
			break;
		v = view_of(d->input, (size_t)n);
		if (proto_read(v, &m))
			n = -E_FORM;
		else if (serve_message(d, c, &m) == -E_AGAIN && hold(c, v))
			n = -ENOMEM;
		else if (m.type == PROTO_STATUS || m.type == PROTO_GIVE_UP ||
			 m.type == PROTO_REGISTER || m.type == PROTO_UNREGISTER)
			break; /* they go over all bundles: one a turn, the others are served first */
	}
	return n > 0 || n == -EAGAIN || n == -EINTR ? 0 : n == 0 ? -ECONNRESET : n;
}

static void flush(struct client *c)
{
	while (c->first) {
		struct queued *q = c->first;
		int err = packet_send(c->fd, view_of(q->bytes, q->n), q->memfd);

		if (err == -EAGAIN)
			return;
		if (err)
			c->has_gone = true;
		c->first = q->next;
		if (!c->first)
			c->last = &c->first;
		c->n_queued--;
		c->queued_bytes -= q->n;
		if (q->memfd >= 0)
			close(q->memfd);
		free(q);
	}
}

/* Asks for what is wanted of the socket, and ends connections that have gone. */
static void update(struct daemon *d, unsigned slot)
{
	struct client *c = d->client[slot];
	bool pause = is_paused(c);

	if (c->has_gone) {
		loop_remove(&d->loop, c->fd);
		client_free(d, c);
		d->client[slot] = NULL;
		return;
	}
	c->is_paused = pause;
	if (loop_want(&d->loop, c->fd, (struct loop_tag){SOURCE_CLIENT, slot}, !pause,
		    c->first != NULL))
		c->has_gone = true;
}

static void queued_free(struct queued *q)
{
	if (q && q->memfd >= 0)
		close(q->memfd);
	free(q);
}

static void client_free(struct daemon *d, struct client *c)
{
	for (unsigned i = 0; i < c->n_registrations; i++)
		node_unregister(d->node, d->now, c->registration[i]);
	for (unsigned i = 0; i < c->n_streams; i++)
		node_send_cancel(d->node, d->now, c->stream[i].request);
	while (c->first) {
		struct queued *q = c->first;

		c->first = q->next;
		queued_free(q);
	}
	queued_free(c->held);
	close(c->fd);
	free(c);
}
