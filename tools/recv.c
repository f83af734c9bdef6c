/*
 * owlt recv: takes bundles for an endpoint, owlt-recv(1). A bundle is acknowledged when its file is
 * written, fsynced and renamed; chunks (owlt-chunk(5)) when they are in the file's part. Then, and
 * only then, the node may forget it. Payloads pass through one buffer, whatever their size.
 * Start reading at cmd_recv.
 */
#include "dtn/io/file.h"
#include "tools/commands.h"
#include "tools/chunk.h"
#include "tools/connect.h"
#include "tools/opt.h"
#include "tools/out.h"
#include "tools/progress.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CREDIT 16
#define ROOM 262144

struct args {
	const char *socket, *dir;
	uint64_t n;
	int64_t timeout_us;
	bool keep, json;
};

#define AT(field) offsetof(struct args, field)

static const struct opt opts[] = {
	{"count", 'n', OPT_U64, AT(n), "N",
		"end after N bundles; a file joined from chunks counts as one", NULL},
	{"output", 'o', OPT_TEXT, AT(dir), "DIR", "write files SOURCE-MS-SEQ.bin into this folder",
		NULL},
	{"timeout", 0, OPT_DURATION, AT(timeout_us), "D", "end after this lab time", NULL},
	{"keep", 0, OPT_FLAG, AT(keep), NULL, "keep the registration when this command ends", NULL},
	CONNECT_OPT(struct args),
	{"json", 0, OPT_FLAG, AT(json), NULL, "one JSON line per bundle (needs -o)", NULL}, {0}};

static const struct opt_command command = {"recv", "EID", "receive bundles for an endpoint", opts,
	"With -n 1 and without -o the payload goes to standard output. Chunks of a file are "
	"joined,\n"
	"verified and, after an interruption, continued. Exit 0: N bundles came, 1: fewer, 2: no "
	"node."};

struct job {
	struct owlt *node;
	const struct args *a;
	struct out out;
	char own_dir[64]; /* chunks on their way to standard output */
	uint64_t n;       /* done */
	uint8_t *room;    /* ROOM bytes of a payload */
	struct progress line;
	bool is_joining; /* the line is about the chunks of a file */
};

/* A payload on its way out of the node, in pieces. */
struct payload {
	const struct owlt_event *ev;
	uint64_t off, end;
};

static int receive(struct job *j, const char *eid);
static int take(struct job *j, const struct owlt_event *ev);

int cmd_recv(int argc, char **argv)
{
	struct args a = {.n = UINT64_MAX, .timeout_us = INT64_MAX};
	struct opt_rest rest = opt_read(&command, argc, argv, &a, 1, 1);
	struct eid eid;
	struct job j = {.a = &a};
	int code, end;

	if (rest.done)
		return rest.code;
	if (eid_parse(rest.argv[0], &eid))
		return out_fail(
			"recv: \"%s\" is no endpoint ID; one looks like ipn:2.1", rest.argv[0]);
	if (eid_is_admin(&eid))
		return out_fail(
			"recv: \"%s\" is the node's own; name a service of it, as in ipn:2.1",
			rest.argv[0]);
	if (a.n == 0)
		return out_fail("recv: --count: at least 1");
	if (!a.dir && (a.n != 1 || a.json))
		return out_fail("recv: -o DIR says where the files go; only with -n 1, and without "
				"--json, may one payload go to standard output");
	if (a.dir && mkdir(a.dir, 0755) && errno != EEXIST)
		return out_fail("recv: %s: %s", a.dir, owlt_error_text(-errno));
	j.room = malloc(ROOM);
	j.node = j.room ? connect_node("recv", a.socket) : NULL;
	if (!j.node) {
		free(j.room);
		return EXIT_USAGE;
	}
	out_begin(&j.out, a.json);
	progress_begin(&j.line, "recv");
	code = receive(&j, rest.argv[0]);
	progress_clear(&j.line);
	if (*j.own_dir)
		rmdir(j.own_dir);
	owlt_close(j.node);
	free(j.room);
	end = out_end(&j.out);
	return end ? end : code;
}

static int receive(struct job *j, const char *eid)
{
	int64_t start = owlt_now_us(j->node), until;
	uint32_t registration;
	struct owlt_event ev;
	unsigned unsure = 0; /* acknowledgements that are not durable yet, as far as we know */
	int err = owlt_register(
		j->node, eid, j->a->n == 1 ? 1 : CREDIT, j->a->keep, NULL, &registration);

	until = j->a->timeout_us > INT64_MAX - start ? INT64_MAX : start + j->a->timeout_us;
	if (err)
		return out_no("recv: %s: %s", eid,
			err == -E_DUPLICATE ? "another program receives for it already"
					    : owlt_error_text(err));
	while (j->n < j->a->n) {
		int got = owlt_event(
			j->node, &ev, until == INT64_MAX ? -1 : owlt_wait_ms(j->node, until));

		if (got < 0)
			return out_fail("recv: %s", owlt_error_text(got));
		if (got == 0 && owlt_now_us(j->node) >= until)
			return out_no("recv: %s: %llu bundle%s in the time given", eid,
				(unsigned long long)j->n, j->n == 1 ? "" : "s");
		if (got == 0)
			continue;
		if (ev.type == OWLT_GONE)
			return out_fail("recv: the node ended the connection");
		if (ev.type == OWLT_ACKED)
			unsure--;
		if (ev.type == OWLT_DELIVERY) {
			uint64_t id = ev.id;

			err = take(j, &ev);
			if (err) {
				progress_clear(&j->line);
				return out_fail("recv: %s: %s; the node keeps what was not taken",
					j->a->dir ? j->a->dir : "standard output",
					owlt_error_text(err));
			}
			err = owlt_ack(j->node, registration, id);
			if (err)
				return out_fail("recv: %s", owlt_error_text(err));
			unsure++;
		}
	}
	/* All are durable before we go: what is still handed over meanwhile comes again. */
	while (unsure > 0 && owlt_event(j->node, &ev, 2000) == 1 && ev.type != OWLT_GONE)
		unsure -= ev.type == OWLT_ACKED;
	return EXIT_YES;
}

/* The next bytes; empty at the end. */
static int next_bytes(struct job *j, struct payload *p, struct view *v)
{
	uint64_t want = p->end - p->off < ROOM ? p->end - p->off : ROOM;
	int64_t n = (int64_t)want;

	if (p->ev->payload && want > 0)
		memcpy(j->room, (const uint8_t *)p->ev->payload + p->off, want);
	else if (want > 0)
		n = owlt_read(j->node, p->ev->registration, p->ev->id, p->off, j->room, want);
	if (n < 0)
		return (int)n;
	if ((uint64_t)n < want)
		return -E_TRUNCATED;
	p->off += want;
	if (!j->is_joining)
		progress_bytes(&j->line, NULL, p->off, p->end);
	*v = view_of(j->room, want);
	return 0;
}

static int to_stdout(struct view v)
{
	errno = 0;
	if (fwrite(v.p ? (const char *)v.p : "", 1, v.n, stdout) == v.n)
		return 0;
	return errno ? -errno : -EIO;
}

static int payload_to_stdout(struct job *j, struct payload *p)
{
	struct view v;
	int err;

	do {
		err = next_bytes(j, p, &v);
		if (!err)
			err = to_stdout(v);
	} while (!err && v.n > 0);
	return !err && fflush(stdout) ? -errno : err;
}

static int payload_to_file(struct job *j, struct payload *p, const char *path)
{
	struct file_safe f;
	struct view v;
	int err = file_safe_begin(&f, path);

	if (err)
		return err;
	do {
		err = next_bytes(j, p, &v);
		if (!err)
			err = file_safe_put(&f, v);
	} while (!err && v.n > 0);
	return file_safe_end(&f, err);
}

static void tell(struct job *j, const struct owlt_event *ev, const char *path, uint64_t bytes)
{
	j->n++;
	j->is_joining = false;
	progress_clear(&j->line);
	if (!j->a->dir)
		return;
	out_text(&j->out, "%s %llu %llu %llu %s\n", ev->source, (unsigned long long)ev->created_ms,
		(unsigned long long)ev->seq, (unsigned long long)bytes, path);
	if (!j->out.json)
		return;
	jw_object(&j->out.w, NULL);
	out_string(&j->out, "source", ev->source);
	out_string(&j->out, "dest", ev->dest);
	jw_u64(&j->out.w, "created_ms", ev->created_ms);
	jw_u64(&j->out.w, "seq", ev->seq);
	jw_u64(&j->out.w, "bytes", bytes);
	jw_bool(&j->out.w, "redelivered", ev->redelivered);
	out_string(&j->out, "file", path);
	jw_object_end(&j->out.w);
	out_line(&j->out);
}

/* Standard output gets the file when it is whole. */
static int spill(struct job *j, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (!err && (n = read(fd, j->room, ROOM)) != 0)
		err = n < 0 ? -errno : to_stdout(view_of(j->room, (size_t)n));
	close(fd);
	unlink(path);
	return !err && fflush(stdout) ? -errno : err;
}

static int put_chunk(struct job *j, const char *dir, const struct chunk *c, struct payload *p)
{
	uint64_t start = p->off;
	struct view v;
	int err;

	do {
		uint64_t at = p->off - start;

		err = next_bytes(j, p, &v);
		if (!err)
			err = chunk_put(dir, c, at, v);
	} while (!err && v.n > 0);
	return err;
}

static int take_chunk(struct job *j, struct chunk *c, struct payload *p)
{
	char path[PATH_MAX], name[256], shown[3 * sizeof name + 4];
	const char *dir = j->a->dir;
	uint64_t got = 0;
	int rc;

	if (!dir && !*j->own_dir) {
		snprintf(j->own_dir, sizeof j->own_dir, "/tmp/owlt-recv-XXXXXX");
		if (!mkdtemp(j->own_dir))
			return -errno;
	}
	memcpy(name, c->name.p, c->name.n); /* it lies in the room that the data comes to */
	c->name.p = (const uint8_t *)name;
	if (!j->is_joining)
		progress_begin(&j->line, "recv");
	j->is_joining = true;
	rc = put_chunk(j, dir ? dir : j->own_dir, c, p);
	if (!rc)
		rc = chunk_done(dir ? dir : j->own_dir, c, path, &got);
	chunk_file_name(c->name, shown, sizeof shown);
	progress_bytes(&j->line, shown, got, c->size);
	if (rc == -E_CRC) {
		j->is_joining = false;
		progress_clear(&j->line);
		fprintf(stderr,
			"owlt: recv: %.*s: the joined file does not have its checksum; thrown "
			"away\n",
			(int)c->name.n, name);
		return 0;
	}
	if (rc != 1)
		return rc;
	rc = dir ? 0 : spill(j, path);
	tell(j, p->ev, path, c->size);
	return rc;
}

/* Two bundles without a source may have the same time and number and be different ones (RFC 9171 4.2.3): neither
 * takes the other's file. */
static int choose_path(
	const struct job *j, const struct owlt_event *ev, const char *name, char path[PATH_MAX])
{
	const char *dir = j->a->dir ? j->a->dir : "";
	bool is_nobody = strcmp(ev->source, "dtn:none") == 0 || strcmp(ev->source, "ipn:0.0") == 0;
	int n = snprintf(path, PATH_MAX, "%s/%s.bin", dir, name);

	for (unsigned k = 2; is_nobody && *dir && n < PATH_MAX && access(path, F_OK) == 0; k++)
		n = snprintf(path, PATH_MAX, "%s/%s-%u.bin", dir, name, k);
	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int take(struct job *j, const struct owlt_event *ev)
{
	char name[OWLT_EID_MAX + 64], safe[3 * OWLT_EID_MAX + 256], path[PATH_MAX];
	struct payload p = {ev, 0, ev->size < CHUNK_HEAD_MAX ? ev->size : CHUNK_HEAD_MAX};
	struct view front;
	struct chunk c;
	int err = next_bytes(j, &p, &front);

	if (err)
		return err;
	if (!j->is_joining)
		progress_begin(&j->line, "recv");
	p.end = ev->size;
	if (chunk_read(front, ev->size, &c, &p.off) == 0)
		return take_chunk(j, &c, &p);
	p.off = 0;
	snprintf(name, sizeof name, "%s-%llu-%llu", ev->source, (unsigned long long)ev->created_ms,
		(unsigned long long)ev->seq);
	chunk_file_name(view_text(name), safe, sizeof safe);
	err = choose_path(j, ev, safe, path);
	if (err)
		return err;
	err = j->a->dir ? payload_to_file(j, &p, path) : payload_to_stdout(j, &p);
	if (!err)
		tell(j, ev, path, ev->size);
	return err;
}
