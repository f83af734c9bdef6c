/*
 * torture_talker: an application for tests/lab/torture.py that keeps a diary of what its node promised it. It
 * uses libowlt only, survives its node and is killed like it; one line is written for each thing that
 * happened, before what depends on it is done, so that the diary is true whenever it ends.
 *
 *   send SOCKET DIARY SEED RATE DEST...   bundles with custody to DEST in turn until SIGTERM
 *     S n dest size hash   about to be handed over      A n source ms seq   accepted
 *     R n err              refused                      (neither: the node died with the question)
 *   recv SOCKET DIARY SEED EID DIE        takes what comes until SIGTERM; kills itself once in DIE
 *     D key source ms seq redelivered size hash         handed over, bytes as made by its sender
 *     X source ms seq size                              handed over, but not a sender's bytes
 *     a key                about to acknowledge         K key               the node has it on disk
 *
 * A payload tells who made it and is made again from that, so bytes are compared at both ends. n goes on where
 * an earlier life of the diary ended. Start reading at main().
 */
#include "dtn/client/owlt.h"

#include "bundle/base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LARGEST 60000u
#define HEAD 24u
#define OPEN_MAX 48u
#define KEY_MAX 64u

struct talk {
	const char *socket, *eid;
	struct owlt *node;
	int diary;
	uint64_t seed, next;
	bool is_sender;
	char **dest;
	unsigned n_dest;
	double rate;
	long die;
	unsigned n_open;
	uint64_t tag[OPEN_MAX], number[OPEN_MAX];
	char key[OPEN_MAX][KEY_MAX];
	uint64_t id[OPEN_MAX];
	uint32_t registration;
	uint8_t payload[LARGEST], expect[LARGEST];
};

static volatile sig_atomic_t is_over;

static void stop(int sig);
static void write_line(struct talk *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static uint64_t last_number(const char *path);
static bool connect_node(struct talk *t);
static void send_all(struct talk *t);
static void send_one(struct talk *t);
static void answer(struct talk *t, const struct owlt_event *ev);
static void receive_all(struct talk *t);
static void take(struct talk *t, const struct owlt_event *ev);
static void acknowledged(struct talk *t, const struct owlt_event *ev);
static void lost_node(struct talk *t);
static uint64_t random_of(uint64_t *state);
static size_t make_payload(uint64_t seed, uint64_t node, uint64_t n, uint8_t *out);
static uint64_t hash_of(const uint8_t *p, size_t n);
static int64_t now_us(void);

int main(int argc, char **argv)
{
	static struct talk t;
	struct sigaction act = {.sa_handler = stop};

	if (argc < 7)
		return 2;
	sigaction(SIGTERM, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
	t.is_sender = strcmp(argv[1], "send") == 0;
	t.socket = argv[2];
	t.next = last_number(argv[3]);
	t.diary = open(argv[3], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	t.seed = strtoull(argv[4], NULL, 10);
	if (t.diary < 0)
		return 2;
	if (t.is_sender) {
		t.rate = atof(argv[5]);
		t.dest = argv + 6;
		t.n_dest = (unsigned)(argc - 6);
		send_all(&t);
	} else {
		t.eid = argv[5];
		t.die = atol(argv[6]);
		receive_all(&t);
	}
	owlt_close(t.node);
	return 0;
}

static void stop(int sig)
{
	(void)sig;
	is_over = 1;
}

/* One write a line: a killed process leaves whole lines. */
static void write_line(struct talk *t, const char *format, ...)
{
	char text[512];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (write(t->diary, text, (size_t)n) != n) {
		perror("torture_talker: diary");
		_exit(3);
	}
}

static uint64_t last_number(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned long long n, most = 0;
	char line[1024];

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "S %llu", &n) == 1 && n > most)
			most = n;
	if (f)
		fclose(f);
	return most;
}

/* Waits until the node is there; false: it is time to go. */
static bool connect_node(struct talk *t)
{
	while (!t->node && !is_over) {
		int err = owlt_open(t->socket, &t->node);

		if (!err && !t->is_sender)
			err = owlt_register(t->node, t->eid, 16, true, NULL, &t->registration);
		if (err) {
			owlt_close(t->node);
			t->node = NULL;
			poll(NULL, 0, 10);
		}
	}
	return t->node != NULL;
}

/* -- sending */

static void send_all(struct talk *t)
{
	int64_t due = now_us(), pause = (int64_t)(1e6 / t->rate), end = INT64_MAX;
	struct owlt_event ev;

	while (now_us() < end && (!is_over || t->n_open > 0)) {
		int64_t now = now_us();
		int err, wait;

		if (is_over && end == INT64_MAX)
			end = now + 10000000;
		if (!t->node && !connect_node(t))
			return;
		if (due < now - 100000)
			due = now - 100000;
		if (!is_over && due <= now && t->n_open < OPEN_MAX) {
			send_one(t);
			due += pause;
			continue;
		}
		wait = due > now && !is_over ? (int)((due - now) / 1000) + 1 : 50;
		err = owlt_event(t->node, &ev, wait);
		if (err < 0 && err != -EINTR)
			lost_node(t);
		if (err == 1)
			answer(t, &ev);
		if (err == 1 && ev.type == OWLT_REFUSED)
			due = now_us() + 20000; /* full: it may be better soon */
	}
}

static void send_one(struct talk *t)
{
	uint64_t n = ++t->next, node = strtoull(owlt_node(t->node) + 4, NULL, 10), tag;
	size_t size = make_payload(t->seed, node, n, t->payload);
	struct owlt_send s = {.dest = t->dest[n % t->n_dest],
		.lifetime_ms = 7 * 86400 * 1000ull,
		.priority = (unsigned)(n % 3),
		.custody = true,
		.payload = t->payload,
		.size = size};
	char source[64];
	int err;

	snprintf(source, sizeof source, "ipn:%llu.7000", (unsigned long long)node);
	s.source = source;
	write_line(t, "S %llu %s %zu %016llx\n", (unsigned long long)n, s.dest, size,
		(unsigned long long)hash_of(t->payload, size));
	err = owlt_send_start(t->node, &s, &tag);
	if (err) {
		lost_node(t);
		return;
	}
	t->tag[t->n_open] = tag;
	t->number[t->n_open++] = n;
}

static void answer(struct talk *t, const struct owlt_event *ev)
{
	if (ev->type == OWLT_GONE) {
		lost_node(t);
		return;
	}
	for (unsigned k = 0; k < t->n_open; k++) {
		unsigned long long n = t->number[k];

		if (t->tag[k] != ev->tag)
			continue;
		if (ev->type == OWLT_ACCEPTED)
			write_line(t, "A %llu %s %llu %llu\n", n, ev->source,
				(unsigned long long)ev->created_ms, (unsigned long long)ev->seq);
		else
			write_line(t, "R %llu %d\n", n, ev->err);
		t->tag[k] = t->tag[--t->n_open];
		t->number[k] = t->number[t->n_open];
		return;
	}
}

/* -- receiving */

static void receive_all(struct talk *t)
{
	struct owlt_event ev;

	while (!is_over) {
		int err;

		if (!t->node && !connect_node(t))
			return;
		err = owlt_event(t->node, &ev, 100);
		if (err == 0 || err == -EINTR)
			continue;
		if (err < 0 || ev.type == OWLT_GONE)
			lost_node(t);
		else if (ev.type == OWLT_DELIVERY)
			take(t, &ev);
		else if (ev.type == OWLT_ACKED)
			acknowledged(t, &ev);
	}
}

/* A payload above 64 KiB is never sent here. */
static void take(struct talk *t, const struct owlt_event *ev)
{
	const uint8_t *p = ev->payload;
	uint64_t draw = t->seed ^ (uint64_t)now_us();
	char key[KEY_MAX];
	size_t size;

	if (ev->size < HEAD || ev->size > LARGEST || !p) {
		write_line(t, "X %s %llu %llu %llu\n", ev->source,
			(unsigned long long)ev->created_ms, (unsigned long long)ev->seq,
			(unsigned long long)ev->size);
		_exit(4);
	}
	size = make_payload(be64_get(p), be64_get(p + 8), be64_get(p + 16), t->expect);
	if (be64_get(p) != t->seed || size != ev->size || memcmp(t->expect, p, size) != 0) {
		write_line(t, "X %s %llu %llu %llu\n", ev->source,
			(unsigned long long)ev->created_ms, (unsigned long long)ev->seq,
			(unsigned long long)ev->size);
		_exit(4);
	}
	snprintf(key, sizeof key, "%llu.%llu", (unsigned long long)be64_get(p + 8),
		(unsigned long long)be64_get(p + 16));
	write_line(t, "D %s %s %llu %llu %d %zu %016llx\n", key, ev->source,
		(unsigned long long)ev->created_ms, (unsigned long long)ev->seq, ev->redelivered,
		size, (unsigned long long)hash_of(p, size));
	if (t->die > 0 && random_of(&draw) % (uint64_t)t->die == 0)
		raise(SIGKILL);      /* between hand-over and acknowledgement */
	if (t->n_open == OPEN_MAX) { /* more than its credit */
		write_line(t, "X credit\n");
		_exit(4);
	}
	write_line(t, "a %s\n", key);
	memcpy(t->key[t->n_open], key, sizeof key);
	t->id[t->n_open++] = ev->id;
	if (owlt_ack(t->node, ev->registration, ev->id) != 0)
		lost_node(t);
	else if (t->die > 0 && random_of(&draw) % (uint64_t)t->die == 0)
		raise(SIGKILL); /* between acknowledgement and its confirmation */
}

static void acknowledged(struct talk *t, const struct owlt_event *ev)
{
	for (unsigned k = 0; k < t->n_open; k++) {
		if (t->id[k] != ev->id)
			continue;
		write_line(t, "K %s\n", t->key[k]);
		t->id[k] = t->id[--t->n_open];
		memcpy(t->key[k], t->key[t->n_open], KEY_MAX);
		return;
	}
}

/* What it was asked is not known to be done or not. */
static void lost_node(struct talk *t)
{
	owlt_close(t->node);
	t->node = NULL;
	t->n_open = 0;
}

/* -- payloads */

static uint64_t random_of(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Mostly small, some of the largest that fit into a datagram. */
static size_t make_payload(uint64_t seed, uint64_t node, uint64_t n, uint8_t *out)
{
	uint64_t state = seed ^ node << 48 ^ n, kind = random_of(&state) % 100;
	size_t size = HEAD + random_of(&state) % (kind < 70          ? 400u
							 : kind < 98 ? 4000u
								     : LARGEST - HEAD - 7);

	for (size_t at = 0; at < size; at += 8) {
		uint64_t v = random_of(&state);

		memcpy(out + at, &v, size - at < 8 ? size - at : 8);
	}
	be64_put(out, seed);
	be64_put(out + 8, node);
	be64_put(out + 16, n);
	return size;
}

/* FNV-1a */
static uint64_t hash_of(const uint8_t *p, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t k = 0; k < n; k++)
		h = (h ^ p[k]) * 0x100000001b3u;
	return h;
}

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}
