/*
 * flooder: datagrams of a peer gone mad. They carry the peer's address and port as their source (raw
 * socket, CAP_NET_RAW), so that they pass owltd's source filter and reach its parser.
 *
 *   flooder FROM_PORT TO_PORT PID SEED GOOD...    PID: the receiver; GOOD: files with one bundle each, every block with a CRC
 *
 * Commands on standard input, one a line:
 *   burst N     N datagrams, made before, as fast as they go. Prints "rate R": N by the time until the
 *               receiver's socket was empty again
 *   drain N     the same, given to the socket while the receiver is stopped (SIGSTOP), and timed from its
 *               going on: what it could receive if sending cost nothing
 *   flood N R   N datagrams at R a second. Prints "at K" at each fiftieth of it and then
 *               "took SECONDS held TIMES"
 *   counts      what was sent so far: "ignored WORD N", "rejected RULE N", "keepalive N", "sent N", and
 *               "drops N" of the receiver's socket
 * What a datagram must count as is known when it is made: the first octet tells by RFC 7122 3.2 and
 * 3.5.2 (here anew, not udpcl.c's), and what begins like a bundle by bundle_read(), which other tests
 * judge. A datagram that would be a good bundle ends the program with 3.
 * A flood never overfills the receiver's socket: half full, it waits, and tells how often.
 */
#include "bundle/bundle.h"
#include "bundle/rule.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 32
#define BURST_MAX 4096
#define DATAGRAM_MAX 60000
#define HEADERS (sizeof(struct iphdr) + sizeof(struct udphdr))
#define GOOD_MAX 64
#define QUEUE_HALF (8 << 20) /* owltd asks for 8 MiB, which Linux doubles */

enum kind { KIND_KEEPALIVE, KIND_IGNORED, KIND_REJECTED };
static const char *const words[] = {
	"not-a-bundle", "padding", "bpv6", "dtls", "extension-map", "empty"};
#define WORDS (sizeof words / sizeof words[0])

struct flooder {
	int fd;
	uint16_t from, to;
	pid_t receiver;
	uint64_t random[2];
	struct view good[GOOD_MAX];
	unsigned n_good, small; /* the first `small` are below 2 KiB */
	struct bundle_rules rules;
	uint64_t sent, keepalives, ignored[WORDS], rejected[RULES];
};

struct datagram {
	size_t n;
	enum kind kind;
	unsigned reason;
	uint8_t *bytes; /* headers, then payload; room for the largest */
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* xorshift128+ */
static uint64_t draw(struct flooder *f)
{
	uint64_t a = f->random[0], b = f->random[1];

	f->random[0] = b;
	a ^= a << 23;
	f->random[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
	return f->random[1] + b;
}

static size_t below(struct flooder *f, size_t n)
{
	return (size_t)(draw(f) >> 11) % n;
}

/* -- what a datagram is */

static unsigned word_of(const uint8_t *p, size_t n)
{
	if (n == 0)
		return 5;
	if (p[0] == 0)
		return 1;
	if (p[0] == 6)
		return 2;
	if ((p[0] >= 20 && p[0] <= 26) || (p[0] >= 32 && p[0] <= 63))
		return 3;
	return p[0] >> 5 == 5 ? 4 : 0; /* CBOR major type 5: a map */
}

static void judge(const struct flooder *f, struct datagram *d)
{
	const uint8_t *p = d->bytes + HEADERS;
	struct bundle_fault fault;
	struct bundle b;

	if (d->n == 4 && memcmp(p, "\0\0\0\0", 4) == 0) {
		d->kind = KIND_KEEPALIVE;
	} else if (d->n == 0 || p[0] >> 5 != 4) { /* CBOR major type 4: an array */
		d->kind = KIND_IGNORED;
		d->reason = word_of(p, d->n);
	} else {
		d->kind = KIND_REJECTED;
		if (bundle_read(&b, view_of(p, d->n), &f->rules, &fault) == 0) {
			fprintf(stderr, "flooder: made a good bundle of %zu bytes\n", d->n);
			exit(3);
		}
		d->reason = fault.rule;
	}
}

/* -- making them: 40 % mutated, 30 % truncated, 25 % random, the rest keepalives and BPv6 octets. One in
 * 64 is from the large bundles, up to 60000 bytes. */

static struct view pick(struct flooder *f)
{
	if (f->small == f->n_good || below(f, 64))
		return f->good[below(f, f->small)];
	return f->good[f->small + below(f, f->n_good - f->small)];
}

static void put_random(struct flooder *f, struct datagram *d)
{
	static const uint8_t first[] = {0x9f, 0x00, 0x06, 0x16, 0xa1};
	uint8_t *p = d->bytes + HEADERS;
	uint64_t x;

	d->n = below(f, 256) ? 10 + below(f, 1500) : below(f, DATAGRAM_MAX);
	for (size_t i = 0; i < d->n; i += 8) { /* the room is a multiple of 8 */
		x = draw(f);
		memcpy(p + i, &x, 8);
	}
	if (d->n && below(f, 4) == 0)
		p[0] = first[below(f, sizeof first)];
}

static void make(struct flooder *f, struct datagram *d)
{
	uint8_t *p = d->bytes + HEADERS;
	size_t what = below(f, 100);
	struct view g = pick(f);

	if (what < 70) {
		d->n = what < 40 ? g.n : below(f, g.n);
		memcpy(p, g.p, d->n);
		if (what < 40) /* one octet: no CRC-16 misses that */
			p[below(f, g.n)] ^= (uint8_t)(1 + below(f, 255));
	} else if (what < 95) {
		put_random(f, d);
	} else if (what < 97) {
		d->n = 4;
		memset(p, 0, 4);
	} else {
		put_random(f, d);
		p[0] = 6;
		d->n += d->n == 0;
	}
	judge(f, d);
}

static uint32_t sum_words(uint32_t sum, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	uint64_t s = sum;
	uint16_t w;

	for (; n > 1; n -= 2, p += 2) {
		memcpy(&w, p, 2);
		s += w;
	}
	if (n)
		s += htons((uint16_t)(p[0] << 8));
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint32_t)s;
}

/* IPv4 (the kernel fills in its checksum, RFC 791) and UDP with its checksum (RFC 768). */
static void put_headers(const struct flooder *f, struct datagram *d)
{
	size_t udp_bytes = sizeof(struct udphdr) + d->n;
	struct iphdr ip = {.version = 4,
		.ihl = 5,
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		.tot_len = htons((uint16_t)(HEADERS + d->n)),
		.saddr = htonl(INADDR_LOOPBACK),
		.daddr = htonl(INADDR_LOOPBACK)};
	struct udphdr udp = {
		.source = htons(f->from), .dest = htons(f->to), .len = htons((uint16_t)udp_bytes)};
	uint32_t sum;

	memcpy(d->bytes, &ip, sizeof ip);
	memcpy(d->bytes + sizeof ip, &udp, sizeof udp);
	sum = sum_words(htons(IPPROTO_UDP) + udp.len, &ip.saddr, 8);
	sum = sum_words(sum, d->bytes + sizeof ip, udp_bytes);
	udp.check = (uint16_t)~sum ? (uint16_t)~sum : 0xffff;
	memcpy(d->bytes + sizeof ip, &udp, sizeof udp);
}

/* -- sending */

static void count(struct flooder *f, const struct datagram *d)
{
	f->sent++;
	if (d->kind == KIND_KEEPALIVE)
		f->keepalives++;
	else
		(d->kind == KIND_IGNORED ? f->ignored : f->rejected)[d->reason]++;
}

static void send_all(struct flooder *f, const struct datagram *d, int n)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct mmsghdr msg[BATCH] = {0};
	struct iovec iov[BATCH];

	for (int i = 0; i < n; i++) {
		iov[i] = (struct iovec){d[i].bytes, HEADERS + d[i].n};
		msg[i].msg_hdr = (struct msghdr){.msg_name = &to,
			.msg_namelen = sizeof to,
			.msg_iov = &iov[i],
			.msg_iovlen = 1};
	}
	for (int done = 0; done < n;) {
		int went = sendmmsg(f->fd, msg + done, (unsigned)(n - done), 0);

		if (went < 0) {
			perror("flooder: sendmmsg");
			exit(2);
		}
		for (; went > 0; went--)
			count(f, &d[done++]);
	}
}

/* Bytes that wait in the receiver's socket, and how many datagrams it lost. */
static size_t queue_of(const struct flooder *f, uint64_t *drops)
{
	FILE *udp = fopen("/proc/net/udp", "r");
	char line[256];
	unsigned port;
	size_t bytes, found = 0;

	while (udp && fgets(line, sizeof line, udp))
		if (sscanf(line, " %*d: 0100007F:%x %*x:%*x %*x %*x:%zx", &port, &bytes) == 2 &&
			port == f->to) {
			line[strcspn(line, "\n")] = 0;
			for (size_t n = strlen(line); n && line[n - 1] == ' ';)
				line[--n] = 0;
			found = bytes;
			if (drops)
				*drops = strtoull(strrchr(line, ' '), NULL, 10);
		}
	if (udp)
		fclose(udp);
	return found;
}

static void nap(uint64_t ns)
{
	nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

static void burst(struct flooder *f, struct datagram *d, int n, bool stopped)
{
	uint64_t from;

	for (int i = 0; i < n; i++) {
		make(f, &d[i]);
		put_headers(f, &d[i]);
	}
	if (stopped)
		kill(f->receiver, SIGSTOP);
	from = now_ns();
	for (int i = 0; i < n; i += BATCH)
		send_all(f, d + i, n - i < BATCH ? n - i : BATCH);
	if (stopped) {
		from = now_ns();
		kill(f->receiver, SIGCONT);
	}
	while (queue_of(f, NULL) > 0)
		nap(20000);
	printf("rate %.0f\n", n * 1e9 / (double)(now_ns() - from));
}

static void flood(struct flooder *f, struct datagram *d, uint64_t n, double rate)
{
	uint64_t from = now_ns(), held = 0, told = 0;

	for (uint64_t sent = 0; sent < n;) {
		int k = n - sent < BATCH ? (int)(n - sent) : BATCH;
		uint64_t due = from + (uint64_t)((double)sent * 1e9 / rate), now;

		for (int i = 0; i < k; i++) {
			make(f, &d[i]);
			put_headers(f, &d[i]);
		}
		if (sent / BATCH % 16 == 0 && queue_of(f, NULL) > QUEUE_HALF) {
			held++;
			while (queue_of(f, NULL) > QUEUE_HALF / 4)
				nap(100000);
		}
		while ((now = now_ns()) < due)
			nap(due - now < 500000000 ? due - now : 500000000);
		send_all(f, d, k);
		sent += (uint64_t)k;
		for (; told < sent * 50 / n; told++)
			printf("at %llu\n", (unsigned long long)told);
	}
	while (queue_of(f, NULL) > 0)
		nap(100000);
	printf("took %.3f held %llu\n", (double)(now_ns() - from) / 1e9, (unsigned long long)held);
}

static void tell_counts(const struct flooder *f)
{
	uint64_t drops = 0;

	for (unsigned i = 0; i < WORDS; i++)
		if (f->ignored[i])
			printf("ignored %s %llu\n", words[i], (unsigned long long)f->ignored[i]);
	for (unsigned i = 0; i < RULES; i++)
		if (f->rejected[i])
			printf("rejected %s %llu\n", rule_name(i),
				(unsigned long long)f->rejected[i]);
	queue_of(f, &drops);
	printf("keepalive %llu\nsent %llu\ndrops %llu\nend\n", (unsigned long long)f->keepalives,
		(unsigned long long)f->sent, (unsigned long long)drops);
}

static void load(struct flooder *f, const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *p = malloc(DATAGRAM_MAX + 8);
	size_t n = file && p ? fread(p, 1, DATAGRAM_MAX, file) : 0;

	if (n < 10 || f->n_good == GOOD_MAX) {
		fprintf(stderr, "flooder: %s cannot be used\n", path);
		exit(2);
	}
	fclose(file);
	f->good[f->n_good++] = view_of(p, n);
	if (n < 2048 && f->small == f->n_good - 1)
		f->small = f->n_good;
}

int main(int argc, char **argv)
{
	struct flooder f = {.rules = bundle_rules_default()};
	struct datagram *d = calloc(BURST_MAX, sizeof *d);
	char line[128];
	unsigned long long n;
	double rate;

	if (argc < 6 || !d)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	f.fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW); /* implies IP_HDRINCL */
	if (f.fd < 0) {
		perror("flooder: raw socket");
		return 4;
	}
	f.rules.from_outside = true;
	f.from = (uint16_t)atoi(argv[1]);
	f.to = (uint16_t)atoi(argv[2]);
	f.receiver = atoi(argv[3]);
	f.random[0] = strtoull(argv[4], NULL, 10) * 0x9e3779b97f4a7c15u + 1;
	f.random[1] = 0xbf58476d1ce4e5b9u;
	for (int i = 5; i < argc; i++)
		load(&f, argv[i]);
	for (int i = 0; i < BURST_MAX; i++) /* only what is used becomes memory */
		if (!(d[i].bytes = malloc(HEADERS + DATAGRAM_MAX + 8)))
			return 2;
	puts("ready");
	while (fgets(line, sizeof line, stdin)) {
		if (sscanf(line, "burst %llu", &n) == 1 && n <= BURST_MAX)
			burst(&f, d, (int)n, false);
		else if (sscanf(line, "drain %llu", &n) == 1 && n <= BURST_MAX)
			burst(&f, d, (int)n, true);
		else if (sscanf(line, "flood %llu %lf", &n, &rate) == 2)
			flood(&f, d, n, rate);
		else if (strncmp(line, "counts", 6) == 0)
			tell_counts(&f);
		else
			return 2;
	}
	return 0;
}
