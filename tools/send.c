/*
 * owlt send: hands bundles to the node, owlt-send(1). Exit 0 means that the node has every one on disk
 * (with --wait: that each was reported delivered). Data passes through one buffer, whatever its size: the
 * node makes fragments of it while it comes in, or, with --chunk, it is cut here into numbered bundles,
 * owlt-chunk(5), up to WINDOW of them on their way to the disk at a time. Standard input is spooled first,
 * because every fragment and every chunk tells the size of the whole. Start reading at cmd_send.
 */
#include "bundle/admin.h"
#include "bundle/bundle.h"
#include "bundle/ccs.h"
#include "tools/commands.h"
#include "tools/chunk.h"
#include "tools/connect.h"
#include "tools/opt.h"
#include "tools/out.h"
#include "tools/progress.h"
#include "tools/spool.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WINDOW 32
#define PIECE 65536u
#define CHUNK_DEFAULT 60000u /* fits a UDP datagram with its bundle */
#define LOOK_MS 500

struct args {
	const char *socket, *source, *report, *report_to, *priority, *crc;
	int64_t lifetime_us;
	uint64_t chunk;
	bool custody, no_fragment, compressed, wait, json;
};

#define AT(field) offsetof(struct args, field)

static const struct opt opts[] = {
	{"custody", 0, OPT_FLAG, AT(custody), NULL, "ask for custody transfer", NULL},
	{"lifetime", 0, OPT_DURATION, AT(lifetime_us), "D", "lifetime in lab time (default 1d)",
		NULL},
	{"source", 0, OPT_TEXT, AT(source), "EID",
		"source endpoint (default: a free service of the node)", NULL},
	{"report", 0, OPT_TEXT, AT(report), "LIST",
		"status reports: received,forwarded,delivered,deleted; with --compressed also "
		"accepted,refused (custody)",
		NULL},
	{"compressed", 0, OPT_FLAG, AT(compressed), NULL,
		"reports in compressed form, of many bundles in one; no fragments then", NULL},
	{"report-to", 0, OPT_TEXT, AT(report_to), "EID", "where reports go (default: the source)",
		NULL},
	{"priority", 0, OPT_TEXT, AT(priority), "P", "bulk, standard (default) or expedited", NULL},
	{"no-fragment", 0, OPT_FLAG, AT(no_fragment), NULL, "the bundles must not be fragmented",
		NULL},
	{"crc", 0, OPT_TEXT, AT(crc), "C", "0, 16 or 32c (default 32c)", NULL},
	{"chunk", 0, OPT_BYTES, AT(chunk), "SIZE",
		"cut payloads larger than this into numbered bundles (default 60000 with --custody "
		"or --no-fragment, else 0 = never)",
		NULL},
	{"wait", 0, OPT_FLAG, AT(wait), NULL, "until every bundle is reported delivered", NULL},
	CONNECT_OPT(struct args),
	{"json", 0, OPT_FLAG, AT(json), NULL, "one JSON line per bundle", NULL}, {0}};

static const struct opt_command command = {"send", "DEST [FILE]",
	"send a file or standard input as bundles", opts,
	"Without FILE, or with -, standard input is read. Prints SOURCE MS SEQ per bundle. Exit 0: "
	"the\n"
	"node has every bundle on disk (with --wait: it was reported delivered), 1: refused, 2: no "
	"node."};

/* A bundle under way. */
struct sent {
	uint64_t tag, bytes;
	uint64_t created_ms, seq;
	uint64_t report_id, report_no; /* in compressed reports; id 0: none */
	bool is_accepted, is_delivered;
};

struct job {
	struct owlt *node;
	struct owlt_send spec;
	struct out out;
	struct sent *sent;
	size_t n_sent, n_accepted, n_delivered;
	size_t n_answered; /* all before this one are accepted */
	char source[OWLT_EID_MAX];
	int fd; /* the data, and its size */
	uint64_t size;
	const char *name;
	uint8_t *room; /* one chunk, or one piece */
	int refused;   /* the first refusal, or 0 */
	struct progress line;
};

static int read_words(const struct args *a, struct owlt_send *s);
static int open_data(struct job *j, const char *name);
static int prepare(struct job *j, const struct args *a);
static int send_all(struct job *j, const struct args *a);
static int wait_all(struct job *j, const struct args *a);
static int pump(struct job *j, int timeout_ms);

int cmd_send(int argc, char **argv)
{
	struct args a = {.lifetime_us = 86400 * INT64_C(1000000), .chunk = UINT64_MAX};
	struct opt_rest rest = opt_read(&command, argc, argv, &a, 1, 2);
	struct job j = {.fd = -1};
	int code, end;

	if (rest.done)
		return rest.code;
	if (a.chunk == UINT64_MAX)
		a.chunk = a.custody || a.no_fragment || a.compressed ? CHUNK_DEFAULT : 0;
	j.spec = (struct owlt_send){.dest = rest.argv[0],
		.lifetime_ms = (uint64_t)a.lifetime_us / 1000,
		.custody = a.custody,
		.flags = (a.no_fragment ? OWLT_NO_FRAGMENT : 0) |
			 (a.compressed ? OWLT_COMPRESSED : 0)};
	code = read_words(&a, &j.spec);
	if (!code)
		code = open_data(&j, rest.argc > 1 ? rest.argv[1] : "-");
	if (code)
		return code;
	j.node = connect_node("send", a.socket);
	if (!j.node)
		return EXIT_USAGE;
	out_begin(&j.out, a.json);
	progress_begin(&j.line, "send");
	code = prepare(&j, &a);
	if (!code)
		code = send_all(&j, &a);
	progress_clear(&j.line);
	if (!code && a.wait)
		code = wait_all(&j, &a);
	progress_clear(&j.line);
	free(j.sent);
	free(j.room);
	close(j.fd);
	owlt_close(j.node);
	end = out_end(&j.out);
	return end ? end : code;
}

static int read_reports(const char *list, uint64_t *flags)
{
	static const struct {
		const char *word;
		uint64_t flag;
	} words[] = {{"received", OWLT_REPORT_RECEIVED}, {"forwarded", OWLT_REPORT_FORWARDED},
		{"delivered", OWLT_REPORT_DELIVERED}, {"deleted", OWLT_REPORT_DELETED},
		{"accepted", OWLT_REPORT_CUSTODY_ACCEPTED},
		{"refused", OWLT_REPORT_CUSTODY_REFUSED}};
	const size_t n_words = sizeof words / sizeof words[0];

	while (list && *list) {
		size_t n = strcspn(list, ","), i = 0;

		while (i < n_words &&
			(strlen(words[i].word) != n || strncmp(words[i].word, list, n) != 0))
			i++;
		if (i == n_words)
			return out_fail("send: --report: \"%.*s\" is none of received, forwarded, "
					"delivered, deleted, accepted, refused",
				(int)n, list);
		*flags |= words[i].flag;
		list += n + (list[n] == ',');
	}
	return 0;
}

static int read_words(const struct args *a, struct owlt_send *s)
{
	static const char *const priorities[] = {"bulk", "standard", "expedited"};
	static const char *const crcs[] = {"0", "16", "32c"};
	struct eid e;
	unsigned k = 0;

	const char *const eids[] = {s->dest, a->source, a->report_to};

	for (k = 0; k < 3; k++)
		if (eids[k] && eid_parse(eids[k], &e))
			return out_fail(
				"send: \"%s\" is no endpoint ID; one looks like ipn:2.1", eids[k]);
	k = 0;
	while (a->priority && k < 3 && strcmp(priorities[k], a->priority) != 0)
		k++;
	if (k == 3)
		return out_fail("send: --priority: bulk, standard or expedited");
	s->priority = a->priority ? k : 1;
	for (k = 0; a->crc && k < 3 && strcmp(crcs[k], a->crc) != 0;)
		k++;
	if (k == 3)
		return out_fail("send: --crc: 0, 16 or 32c");
	s->crc = a->crc ? k + 1 : 0;
	if (a->wait)
		s->flags |= OWLT_REPORT_DELIVERED;
	if (read_reports(a->report, &s->flags))
		return EXIT_USAGE;
	if (!a->compressed &&
		s->flags & (OWLT_REPORT_CUSTODY_ACCEPTED | OWLT_REPORT_CUSTODY_REFUSED))
		return out_fail("send: --report: accepted and refused are told in compressed "
				"reports only: --compressed");
	if (a->lifetime_us < 1000)
		return out_fail("send: --lifetime: at least 1ms");
	if (a->compressed && !a->report && !a->wait)
		return out_fail("send: --compressed: which reports? --report or --wait");
	return 0;
}

static int open_data(struct job *j, const char *name)
{
	const char *slash = strrchr(name, '/');

	j->name = strcmp(name, "-") == 0 ? "stdin" : slash ? slash + 1 : name;
	return spool_open("send", name, &j->fd, &j->size);
}

/* Exactly n bytes at off. */
static int read_at(struct job *j, uint64_t off, uint8_t *to, size_t n)
{
	while (n > 0) {
		ssize_t got = pread(j->fd, to, n, (off_t)off);

		if (got <= 0)
			return got < 0 ? -errno : -E_TRUNCATED; /* it has become shorter */
		to += got;
		off += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

/* A source of our own, registered where reports are to come to it. */
static int prepare(struct job *j, const struct args *a)
{
	uint32_t registration;
	int err = 0;

	j->spec.report_to = a->report_to;
	if (a->source && !a->wait)
		snprintf(j->source, sizeof j->source, "%s", a->source);
	else
		err = owlt_register(
			j->node, a->source ? a->source : "", 16, false, j->source, &registration);
	if (err)
		return out_no("send: source %s: %s", a->source ? a->source : "(a free service)",
			owlt_error_text(err));
	j->spec.source = j->source;
	return 0;
}

/* A place for one more bundle, when fewer than WINDOW wait for the disk. */
static int next_sent(struct job *j, uint64_t bytes, struct sent **out)
{
	int err = 0;

	while (!err && !j->refused && j->n_sent - j->n_accepted >= WINDOW)
		err = pump(j, -1);
	*out = &j->sent[j->n_sent];
	**out = (struct sent){.bytes = bytes};
	return err;
}

static int start(struct job *j, struct view payload, uint64_t bytes)
{
	struct sent *s;
	int err = next_sent(j, bytes, &s);

	if (err || j->refused)
		return err;
	j->spec.payload = payload.n ? (const void *)payload.p : "";
	j->spec.size = payload.n;
	err = owlt_send_start(j->node, &j->spec, &s->tag);
	j->n_sent += !err;
	return err;
}

static int sum_data(struct job *j, uint8_t sum[SHA256_BYTES])
{
	struct sha256 s;
	int err = sha256_init(&s), end;

	for (uint64_t off = 0; !err && off < j->size; off += PIECE) {
		size_t n = j->size - off < PIECE ? (size_t)(j->size - off) : PIECE;

		err = read_at(j, off, j->room, n);
		if (!err)
			sha256_update(&s, view_of(j->room, n));
	}
	end = sha256_final(&s, sum);
	return err ? err : end;
}

static int send_chunks(struct job *j, uint64_t size)
{
	struct chunk c = {.name = view_text(j->name), .size = j->size};
	int err = sum_data(j, c.sum);

	if (c.name.n > 255)
		c.name.n = 255;
	for (uint64_t off = 0; !err && !j->refused && off < j->size; off += size) {
		struct buf b = buf_of(j->room, size + CHUNK_HEAD_MAX);

		c.offset = off;
		c.data = (struct view){.n = (size_t)(j->size - off < size ? j->size - off : size)};
		chunk_write_head(&b, &c);
		if (buf_fits(&b))
			err = read_at(j, off, j->room + b.len, c.data.n);
		b.len += c.data.n;
		if (!err)
			err = start(j, buf_view(&b), c.data.n);
		progress_bytes(&j->line, NULL, off + c.data.n, j->size);
	}
	return err;
}

/* The node stores it while it comes. */
static int send_stream(struct job *j)
{
	struct sent *s;
	int err = next_sent(j, j->size, &s);

	j->spec.size = j->size;
	if (!err)
		err = owlt_send_open(j->node, &j->spec, &s->tag);
	j->n_sent += !err;
	for (uint64_t off = 0; !err && off < j->size; off += PIECE) {
		size_t n = j->size - off < PIECE ? (size_t)(j->size - off) : PIECE;

		err = read_at(j, off, j->room, n);
		if (!err)
			err = owlt_send_part(j->node, s->tag, j->room, n);
		progress_bytes(&j->line, NULL, off + n, j->size);
	}
	return err == -ECANCELED ? 0 : err; /* the event tells why */
}

static int send_small(struct job *j)
{
	int err = read_at(j, 0, j->room, (size_t)j->size);

	return err ? err : start(j, view_of(j->room, (size_t)j->size), j->size);
}

static int refused(const struct job *j, const struct args *a, int err)
{
	bool is_whole = a->custody || a->no_fragment || a->compressed;

	if (err == -E_TOO_BIG && is_whole)
		return out_no(
			"send: %s: refused: %s as one bundle, and %s; cut it with --chunk SIZE "
			"(60000 fits a UDP datagram)",
			j->spec.dest, owlt_error_text(err),
			a->custody      ? "custody bundles are never fragmented"
			: a->compressed ? "nor are those with compressed reports"
					: "--no-fragment forbids fragments");
	if (err == -E_TOO_BIG)
		return out_no(
			"send: %s: refused: %s: above the node's send.max_bytes, or "
			"send.max_whole_bytes where it secures the data; --chunk SIZE cuts it",
			j->spec.dest, owlt_error_text(err));
	return out_no("send: %s: refused: %s", j->spec.dest, owlt_error_text(err));
}

static int send_all(struct job *j, const struct args *a)
{
	bool cut = a->chunk > 0 && j->size > a->chunk;
	size_t n = cut ? (size_t)((j->size + a->chunk - 1) / a->chunk) : 1;
	int err;

	j->sent = calloc(n, sizeof j->sent[0]);
	j->room = malloc((cut && a->chunk > PIECE ? a->chunk : PIECE) + CHUNK_HEAD_MAX);
	if (!j->sent || !j->room)
		return out_fail("send: out of memory");
	err = cut ? send_chunks(j, a->chunk) : j->size > PIECE ? send_stream(j) : send_small(j);
	while (!err && !j->refused && j->n_accepted < j->n_sent)
		err = pump(j, -1);
	if (err)
		return err == -ECONNRESET ? out_fail("send: the node ended the connection")
					  : out_fail("send: %s: %s", j->name, owlt_error_text(err));
	return j->refused ? refused(j, a, j->refused) : 0;
}

static int wait_all(struct job *j, const struct args *a)
{
	int64_t until = owlt_now_us(j->node) + a->lifetime_us;
	int err = 0;

	while (!err && j->n_delivered < j->n_sent && owlt_now_us(j->node) < until) {
		int ms = owlt_wait_ms(j->node, until);

		err = pump(j, j->line.is_terminal && (ms < 0 || ms > LOOK_MS) ? LOOK_MS : ms);
		if (progress_due(&j->line))
			progress_print(&j->line, "%zu of %zu bundles reported delivered",
				j->n_delivered, j->n_sent);
	}
	progress_clear(&j->line);
	if (err)
		return out_fail("send: %s", owlt_error_text(err));
	if (j->n_delivered < j->n_sent)
		return out_no("send: %zu of %zu bundles were not reported delivered within their "
			      "lifetime (a node reports only where agent.reports is on)",
			j->n_sent - j->n_delivered, j->n_sent);
	return 0;
}

static void accepted(struct job *j, const struct owlt_event *ev)
{
	while (j->n_answered < j->n_sent && j->sent[j->n_answered].is_accepted)
		j->n_answered++;
	for (size_t i = j->n_answered; i < j->n_sent; i++) {
		struct sent *s = &j->sent[i];
		char id[OWLT_EID_MAX + 64];

		if (s->tag != ev->tag)
			continue;
		s->is_accepted = true;
		s->created_ms = ev->created_ms;
		s->seq = ev->seq;
		s->report_id = ev->report_id;
		s->report_no = ev->report_no;
		j->n_accepted++;
		progress_clear(&j->line);
		out_text(&j->out, "%s %llu %llu\n", ev->source, (unsigned long long)ev->created_ms,
			(unsigned long long)ev->seq);
		if (!j->out.json)
			return;
		snprintf(id, sizeof id, "%s-%llu-%llu", ev->source,
			(unsigned long long)ev->created_ms, (unsigned long long)ev->seq);
		jw_object(&j->out.w, NULL);
		out_string(&j->out, "bundle_id", id);
		out_string(&j->out, "source", ev->source);
		jw_u64(&j->out.w, "created_ms", ev->created_ms);
		jw_u64(&j->out.w, "seq", ev->seq);
		jw_u64(&j->out.w, "bytes", s->bytes);
		jw_object_end(&j->out.w);
		out_line(&j->out);
		return;
	}
}

static void delivered(struct job *j, struct sent *s)
{
	j->n_delivered += !s->is_delivered;
	s->is_delivered = true;
}

/* By its numbers: those of this node, whose own reports they are whoever asked for them. */
static void reported_compressed(struct job *j, struct view record)
{
	const struct custody_codes codes[] = {custody_codes_ccsds(), custody_codes_bplib()};
	struct range run[CCS_RUNS_MAX];
	struct ccs_sequence q = {.numbers = ranges_of(run, CCS_RUNS_MAX)};
	struct ccs_reader r;
	struct eid us;

	if (eid_parse_node(owlt_node(j->node), &us) ||
		(crs_open(&r, record, &codes[0]) && crs_open(&r, record, &codes[1])))
		return;
	for (; ccs_next(&r, &q); q.numbers = ranges_of(run, CCS_RUNS_MAX))
		for (size_t i = 0; q.kind == CRS_DELIVERED && i < j->n_sent; i++) {
			struct sent *s = &j->sent[i];

			if (s->report_id != 0 && s->report_id == q.seq_id &&
				(!q.has_source || q.source.node == us.node) &&
				ranges_has(&q.numbers, s->report_no))
				delivered(j, s);
		}
}

/* A report about one of ours? RFC 9171 6.1.1; CCSDS 734.6, signals and reports */
static void reported(struct job *j, const struct owlt_event *ev)
{
	struct view record = view_of(ev->payload, ev->payload ? ev->size : 0);
	struct status_report r;
	struct cursor c;
	uint64_t type;

	if (!(ev->flags & BUNDLE_ADMIN) || admin_open(record, &type, &c))
		return;
	if (type != ADMIN_STATUS_REPORT) {
		reported_compressed(j, record);
		return;
	}
	status_report_read(&c, &r);
	for (size_t i = 0; cursor_ok(&c) && r.asserted[STATUS_DELIVERED] && i < j->n_sent; i++)
		if (j->sent[i].created_ms == r.created_ms && j->sent[i].seq == r.seq)
			delivered(j, &j->sent[i]);
}

/* One event, or none within the time. */
static int pump(struct job *j, int timeout_ms)
{
	struct owlt_event ev;
	int n = owlt_event(j->node, &ev, timeout_ms);

	if (n <= 0)
		return n;
	switch (ev.type) {
	case OWLT_ACCEPTED:
		accepted(j, &ev);
		return 0;
	case OWLT_REFUSED:
		if (!j->refused)
			j->refused = ev.err ? ev.err : -E_REFUSED;
		return 0;
	case OWLT_DELIVERY:
		reported(j, &ev);
		return owlt_ack(j->node, ev.registration, ev.id);
	case OWLT_GONE:
		return -ECONNRESET;
	default:
		return 0;
	}
}
