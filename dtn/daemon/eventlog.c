/*
 * eventlog: the drain of the trace: every record as a JSON line into log.events, and those that matter
 * to people as lines "level area key=value" on standard error. Peer text is escaped by the JSON
 * writer; at most LINES_PER_S lines a second are printed, the rest is counted.
 */
#include "dtn/daemon/daemon.h"

#include "bundle/events.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_MAX_BYTES 8192u
#define LINES_PER_S 2000
#define RING_RECORDS 16384

static void count_reason(struct reasons *n, const struct trace_rec *r);
static enum log_level level_of(const struct trace_rec *r);
static void print_line(struct daemon *d, enum log_level level, const char *area, struct view json);
static const char *link_name(const void *arg, unsigned link);
static size_t node_text(const void *arg, node_id node, char *out, size_t cap);

int eventlog_open(struct daemon *d)
{
	int err = trace_init(&d->trace, RING_RECORDS);

	d->log.file.fd = -1;
	d->log.buf = malloc(LOG_BUFFER);
	if (err || !d->log.buf)
		return -ENOMEM;
	/* Touched now, so that memory in use does not grow with the first flood. */
	memset(d->trace.ring, 0, d->trace.cap * sizeof d->trace.ring[0]);
	memset(d->log.buf, ' ', LOG_BUFFER);
	if (*d->cfg.events)
		err = file_log_open(&d->log.file, d->cfg.events, d->cfg.events_max_bytes,
			(unsigned)d->cfg.events_keep);
	return err;
}

void eventlog_close(struct daemon *d)
{
	if (d->log.buf)
		eventlog_drain(d);
	file_log_close(&d->log.file);
	free(d->log.buf);
	trace_fini(&d->trace);
}

static void write_out(struct daemon *d, struct buf *out)
{
	bool failed_before = d->log.file.err != 0;
	int err = file_log_write(&d->log.file, buf_view(out));

	if (err && !failed_before)
		log_line(d, LOG_ERROR, "log", "events file=%s error=%s", d->cfg.events,
			err_name(err));
	out->len = 0;
}

void eventlog_drain(struct daemon *d)
{
	struct event_ctx ctx = {.node = d->cfg.node.id,
		.dtn_at_zero = d->clock.dtn0_ms,
		.link_name = link_name,
		.node_text = node_text,
		.arg = d};
	struct buf out = buf_of(d->log.buf, LOG_BUFFER);
	struct trace_rec r;

	while (trace_next(&d->trace, &r)) {
		enum log_level level = level_of(&r);
		size_t at = out.len;

		count_reason(&d->reasons, &r);
		if (d->log.file.fd < 0 && level > d->cfg.log_level)
			continue;
		ctx.real_ns = clock_unix_ns_at(&d->clock, r.at);
		events_print_json(&out, &r, &ctx);
		if (level <= d->cfg.log_level)
			print_line(d, level, event_row((unsigned)r.ev)->name,
				view_of(out.p + at, out.len - at));
		if (out.len > LOG_BUFFER - LINE_MAX_BYTES)
			write_out(d, &out);
	}
	write_out(d, &out);
}

static void add_one(uint64_t *count, size_t most, uint64_t reason)
{
	count[reason < most ? reason : 0]++;
}

static void count_reason(struct reasons *n, const struct trace_rec *r)
{
	switch ((enum trace_ev)r->ev) {
	case EV_bundle_rejected:
		add_one(n->rejected, RULES, r->a[1]);
		break;
	case EV_bundle_refused:
		add_one(n->refused, WHY_LAST, r->a[1]);
		break;
	case EV_frame_ignored:
		add_one(n->ignored, WHY_LAST, r->a[1]);
		break;
	case EV_security_checked:
		add_one(n->security, WHY_LAST, r->a[1]);
		break;
	default:
		break;
	}
}

static bool may_print(struct daemon *d)
{
	int64_t second = clock_mono_ns() / 1000000000;

	if (second != d->log.second) {
		if (d->log.n_left_out)
			fprintf(stderr, "warn log n_left_out=%u\n", d->log.n_left_out);
		d->log.second = second;
		d->log.n_lines = d->log.n_left_out = 0;
	}
	if (d->log.n_lines++ < LINES_PER_S)
		return true;
	d->log.n_left_out++;
	return false;
}

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_line(struct daemon *d, enum log_level level, const char *area, const char *fmt, ...)
{
	va_list ap;

	if (level > d->cfg.log_level || !may_print(d))
		return;
	fprintf(stderr, "%s %s ", level_names[level], area);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static enum log_level level_of(const struct trace_rec *r)
{
	switch ((enum trace_ev)r->ev) {
	case EV_commit_done:
		return r->a[1] ? LOG_ERROR : LOG_DEBUG;
	case EV_bundle_refused:
	case EV_custody_refused:
		return LOG_WARN;
	case EV_node_start:
	case EV_node_stop:
	case EV_link_open:
	case EV_link_close:
	case EV_bundle_deleted:
	case EV_app_registered:
	case EV_app_gone:
		return LOG_INFO;
	default:
		return LOG_DEBUG;
	}
}

/* {"a":1,"b":"x"} as: level area a=1 b="x". The line is flat, so only keys have quotes before a colon. */
static void print_line(struct daemon *d, enum log_level level, const char *area, struct view json)
{
	char line[LINE_MAX_BYTES];
	size_t n = 0, i = 1;
	bool in_text = false;

	if (!may_print(d))
		return;
	while (i < json.n && json.p[i] != '}' && n < sizeof line - 2) {
		const uint8_t *colon = memchr(json.p + i, ':', json.n - i);

		if (json.p[i] != '"' || !colon)
			break;
		for (i++; json.p[i] != '"' && n < sizeof line - 2;
			i++) /* our own names: no escapes */
			line[n++] = (char)json.p[i];
		line[n++] = '=';
		for (i += 2; i < json.n && n < sizeof line - 2; i++) {
			if (!in_text && (json.p[i] == ',' || json.p[i] == '}'))
				break;
			if (json.p[i] == '"' && json.p[i - 1] != '\\')
				in_text = !in_text;
			line[n++] = (char)json.p[i];
		}
		i += json.p[i] == ',';
		line[n++] = ' ';
	}
	fprintf(stderr, "%s %.*s %.*s\n", level_names[level], (int)strcspn(area, "_"), area,
		(int)(n ? n - 1 : 0), line);
}

static const char *link_name(const void *arg, unsigned link)
{
	const struct daemon *d = arg;

	if (link == EVENT_LINK_TUNNEL)
		return "tunnel";
	return link < d->cfg.node.n_links ? d->cfg.node.link[link].name : "?";
}

static size_t node_text(const void *arg, node_id node, char *out, size_t cap)
{
	const struct daemon *d = arg;

	return names_print(&d->names, node, out, cap);
}
