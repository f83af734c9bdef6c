/*
 * owlt send: hands bundles to the node, owlt-send(1). Exit 0 means that the node has every one on disk
 * (with --wait: that each was reported delivered). Payloads larger than --chunk are cut, owlt-chunk(5).
 * Up to WINDOW bundles are on their way to the disk at a time. Start reading at cmd_send.
 */
#include "bundle/admin.h"
#include "bundle/bundle.h"
#include "tools/commands.h"
#include "tools/chunk.h"
#include "tools/connect.h"
#include "tools/opt.h"
#include "tools/out.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW 32
#define STREAM_MAX (UINT64_C(1) << 30)

struct args {
	const char *socket, *source, *report, *report_to, *priority, *crc;
	int64_t lifetime_us;
	uint64_t chunk;
	bool custody, no_fragment, wait, json;
};

#define AT(field) offsetof(struct args, field)

static const struct opt opts[] = {
	{"custody", 0, OPT_FLAG, AT(custody), NULL, "ask for custody transfer", NULL},
	{"lifetime", 0, OPT_DURATION, AT(lifetime_us), "D", "lifetime in lab time (default 1d)",
		NULL},
	{"source", 0, OPT_TEXT, AT(source), "EID",
		"source endpoint (default: a free service of the node)", NULL},
	{"report", 0, OPT_TEXT, AT(report), "LIST",
		"status reports: received,forwarded,delivered,deleted", NULL},
	{"report-to", 0, OPT_TEXT, AT(report_to), "EID", "where reports go (default: the source)",
		NULL},
	{"priority", 0, OPT_TEXT, AT(priority), "P", "bulk, standard (default) or expedited", NULL},
	{"no-fragment", 0, OPT_FLAG, AT(no_fragment), NULL, "the bundles must not be fragmented",
		NULL},
	{"crc", 0, OPT_TEXT, AT(crc), "C", "0, 16 or 32c (default 32c)", NULL},
	{"chunk", 0, OPT_BYTES, AT(chunk), "SIZE",
		"cut payloads larger than this into numbered bundles (default 60000; 0 = never)",
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
	bool is_accepted, is_delivered;
};

struct job {
	struct owlt *node;
	struct owlt_send spec;
	struct out out;
	struct sent *sent;
	size_t n_sent, n_accepted, n_delivered;
	char source[OWLT_EID_MAX];
	uint8_t *room; /* one chunk */
	uint8_t *read; /* what came from a stream */
	int refused;   /* the first refusal, or 0 */
};

static int read_words(const struct args *a, struct owlt_send *s);
static int load(struct job *j, const char *name, struct view *v);
static int prepare(struct job *j, const struct args *a);
static int send_all(struct job *j, const struct args *a, const char *name, struct view v);
static int wait_all(struct job *j, const struct args *a);
static int pump(struct job *j, int timeout_ms);

int cmd_send(int argc, char **argv)
{
	struct args a = {.lifetime_us = 86400 * INT64_C(1000000), .chunk = 60000};
	struct opt_rest rest = opt_read(&command, argc, argv, &a, 1, 2);
	struct job j = {0};
	const char *file;
	struct view v;
	int code, end;

	if (rest.done)
		return rest.code;
	file = rest.argc > 1 ? rest.argv[1] : "-";
	j.spec = (struct owlt_send){.dest = rest.argv[0],
		.lifetime_ms = (uint64_t)a.lifetime_us / 1000,
		.custody = a.custody,
		.flags = a.no_fragment ? OWLT_NO_FRAGMENT : 0};
	code = read_words(&a, &j.spec);
	if (!code)
		code = load(&j, file, &v);
	if (code)
		return code;
	j.node = connect_node("send", a.socket);
	if (!j.node)
		return EXIT_USAGE;
	out_begin(&j.out, a.json);
	code = prepare(&j, &a);
	if (!code)
		code = send_all(&j, &a, file, v);
	if (!code && a.wait)
		code = wait_all(&j, &a);
	free(j.sent);
	free(j.room);
	free(j.read);
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
		{"delivered", OWLT_REPORT_DELIVERED}, {"deleted", OWLT_REPORT_DELETED}};

	while (list && *list) {
		size_t n = strcspn(list, ","), i = 0;

		while (i < 4 &&
			(strlen(words[i].word) != n || strncmp(words[i].word, list, n) != 0))
			i++;
		if (i == 4)
			return out_fail("send: --report: \"%.*s\" is none of received, forwarded, "
					"delivered, deleted",
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

	if (eid_parse(s->dest, &e))
		return out_fail("send: \"%s\" is no endpoint ID; one looks like ipn:2.1", s->dest);
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
	return read_reports(a->report, &s->flags);
}

static int load_stream(struct job *j, int fd, const char *name, struct view *v)
{
	size_t cap = 65536, n = 0;
	uint8_t *p = malloc(cap);
	ssize_t got = 1;

	while (p && got > 0 && n < STREAM_MAX) {
		if (n == cap)
			p = realloc(p, cap *= 2); /* on failure the program ends */
		got = p ? read(fd, p + n, cap - n) : 0;
		n += got > 0 ? (size_t)got : 0;
	}
	if (!p || got != 0)
		return out_fail("send: %s: %s", name,
			n >= STREAM_MAX ? "larger than 1 GiB" : "cannot be read");
	j->read = p;
	*v = view_of(p, n);
	return 0;
}

static int load(struct job *j, const char *name, struct view *v)
{
	struct stat st;
	void *at;
	int fd;

	*v = (struct view){0};
	if (strcmp(name, "-") == 0)
		return load_stream(j, 0, "standard input", v);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return out_fail("send: %s: %s", name, owlt_error_text(-errno));
	if (!S_ISREG(st.st_mode))
		return load_stream(j, fd, name, v);
	if (st.st_size > 0) {
		at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (at == MAP_FAILED)
			return out_fail("send: %s: %s", name, owlt_error_text(-errno));
		*v = view_of(at, (size_t)st.st_size);
	}
	close(fd);
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

static int start(struct job *j, struct view payload, uint64_t bytes)
{
	struct sent *s = &j->sent[j->n_sent];
	int err = 0;

	while (!err && !j->refused && j->n_sent - j->n_accepted >= WINDOW)
		err = pump(j, -1);
	if (err || j->refused)
		return err;
	j->spec.payload = payload.p;
	j->spec.size = payload.n;
	*s = (struct sent){.bytes = bytes};
	err = owlt_send_start(j->node, &j->spec, &s->tag);
	j->n_sent += !err;
	return err;
}

static int send_chunks(struct job *j, const struct args *a, const char *name, struct view v)
{
	const char *slash = strrchr(name, '/');
	struct chunk c = {.name = view_text(slash ? slash + 1 : name), .size = v.n};
	int err = sha256_of(v, c.sum);

	if (strcmp(name, "-") == 0)
		c.name = view_text("stdin");
	if (c.name.n > 255)
		c.name.n = 255;
	for (uint64_t off = 0; !err && !j->refused && off < v.n; off += a->chunk) {
		struct buf b = buf_of(j->room, a->chunk + CHUNK_HEAD_MAX);

		c.offset = off;
		c.data = view_sub(v, off, v.n - off < a->chunk ? v.n - off : a->chunk);
		chunk_write(&b, &c);
		err = buf_finish(&b);
		if (!err)
			err = start(j, buf_view(&b), c.data.n);
	}
	return err;
}

static int send_all(struct job *j, const struct args *a, const char *name, struct view v)
{
	bool cut = a->chunk > 0 && v.n > a->chunk;
	size_t n = cut ? (v.n + a->chunk - 1) / a->chunk : 1;
	int err;

	j->sent = calloc(n, sizeof j->sent[0]);
	j->room = malloc(cut ? a->chunk + CHUNK_HEAD_MAX : 1);
	if (!j->sent || !j->room)
		return out_fail("send: out of memory");
	err = cut ? send_chunks(j, a, name, v) : start(j, v, v.n);
	while (!err && !j->refused && j->n_accepted < j->n_sent)
		err = pump(j, -1);
	if (err)
		return err == -ECONNRESET
			       ? out_fail("send: the node ended the connection")
			       : out_no("send: %s: %s", j->spec.dest, owlt_error_text(err));
	if (j->refused)
		return out_no("send: %s: refused: %s", j->spec.dest, owlt_error_text(j->refused));
	return 0;
}

static int wait_all(struct job *j, const struct args *a)
{
	int64_t until = owlt_now_us(j->node) + a->lifetime_us;
	int err = 0;

	while (!err && j->n_delivered < j->n_sent && owlt_now_us(j->node) < until)
		err = pump(j, owlt_wait_ms(j->node, until));
	if (err)
		return out_fail("send: %s", owlt_error_text(err));
	if (j->n_delivered < j->n_sent)
		return out_no("send: %zu of %zu bundles were not reported delivered",
			j->n_sent - j->n_delivered, j->n_sent);
	return 0;
}

static void accepted(struct job *j, const struct owlt_event *ev)
{
	for (size_t i = 0; i < j->n_sent; i++) {
		struct sent *s = &j->sent[i];
		char id[OWLT_EID_MAX + 64];

		if (s->tag != ev->tag)
			continue;
		s->is_accepted = true;
		s->created_ms = ev->created_ms;
		s->seq = ev->seq;
		j->n_accepted++;
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

/* A status report for one of ours? RFC 9171 6.1.1 */
static void reported(struct job *j, const struct owlt_event *ev)
{
	struct status_report r;
	struct cursor c;
	uint64_t type;

	if (!(ev->flags & BUNDLE_ADMIN) || admin_open(view_of(ev->payload, ev->size), &type, &c) ||
		type != ADMIN_STATUS_REPORT)
		return;
	status_report_read(&c, &r);
	if (!cursor_ok(&c) || !r.asserted[STATUS_DELIVERED])
		return;
	for (size_t i = 0; i < j->n_sent; i++) {
		struct sent *s = &j->sent[i];

		if (s->created_ms != r.created_ms || s->seq != r.seq || s->is_delivered)
			continue;
		s->is_delivered = true;
		j->n_delivered++;
	}
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
