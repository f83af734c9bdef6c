/*
 * owlt capture: one line per bundle as it leaves a node, from the capture that a lab writes (while it
 * grows, or afterwards) or from an interface; -w keeps the frames as pcapng (owlt-capture(5)).
 *
 * Start reading at cmd_capture(), then pump().
 */
#include "dtn/dataset/frame.h"
#include "netns/lab.h"
#include "netns/pcap.h"
#include "tools/commands.h"
#include "tools/opt.h"
#include "tools/out.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOK_MS 50 /* how often a file that grows is looked at */

struct options {
	const char *write;
	bool live, both, json;
	uint64_t count;
	struct capture_limits limits;
};

#define AT(member) offsetof(struct options, member)
static const struct opt opts[] = {
	{"write", 'w', OPT_TEXT, AT(write), "FILE", "keep the frames in FILE (pcapng)", NULL},
	{"limit", 0, OPT_BYTES, AT(limits.bytes), "SIZE", "size at which FILE ends (default 4Gi)",
		NULL},
	{"min-free", 0, OPT_BYTES, AT(limits.min_free_bytes), "SIZE",
		"free room on the disk at which FILE ends (default 256Mi)", NULL},
	{"live", 0, OPT_FLAG, AT(live), NULL, "print one line per bundle (the default without -w)",
		NULL},
	{"both", 'b', OPT_FLAG, AT(both), NULL, "also a line when a bundle arrives", NULL},
	{"count", 'n', OPT_U64, AT(count), "N", "end after N lines (with -w alone: frames)", NULL},
	{"json", 0, OPT_FLAG, AT(json), NULL, "one JSON line per bundle", NULL}, {0}};

static const struct opt_command command = {"capture", "LAB or IFACE",
	"one line per bundle of a lab or an interface, or their frames as a file", opts,
	"LAB is the name or the run directory of a lab; its capture is read from the beginning and "
	"followed until\n"
	"the lab ends. An interface of a node: owlt lab exec LAB NODE owlt capture IFACE.\n"};

/* Where frames come from: one of the two. */
struct source {
	struct capture_reader *file;
	struct pcap_source *interface;
	const char *name; /* of the interface */
	int runner_fd;    /* pidfd of the lab's runner; -1: it has ended */
	int64_t zero_ns;  /* Unix time of lab time 0 */
};

struct tap {
	const struct options *o;
	struct source src;
	struct capture *keep;
	uint32_t n_interfaces; /* made in `keep` so far */
	struct out out;
	struct bundle_rules rules;
	uint64_t n_done;
	int signal_fd;
};

static int open_source(struct source *s, const char *name);
static int open_lab(struct source *s, const struct run_info *r);
static int pump(struct tap *t);
static int next_frame(struct tap *t, struct capture_frame *f);
static bool wait_for_more(struct tap *t);
static int take(struct tap *t, const struct capture_frame *f);
static int keep(struct tap *t, const struct capture_frame *f);
static bool print(struct tap *t, const struct capture_frame *f);
static void print_text(struct tap *t, const struct capture_frame *f, const struct bundle *b);
static void print_json(struct tap *t, const struct capture_frame *f, const struct bundle *b);
static const char *end_name(const struct tap *t, const struct capture_frame *f);
static int catch_signals(void);
static int finish(struct tap *t, int err);

int cmd_capture(int argc, char **argv)
{
	struct options o = {.limits = {CAPTURE_LIMIT_DEFAULT, CAPTURE_MIN_FREE_DEFAULT}};
	struct opt_rest rest = opt_read(&command, argc, argv, &o, 1, 1);
	struct tap t = {.o = &o, .rules = bundle_rules_default(), .src = {.runner_fd = -1}};
	int err = 0;

	if (rest.done)
		return rest.code;
	if (open_source(&t.src, rest.argv[0]) != 0)
		return EXIT_USAGE;
	t.rules.allow_foreign = true;
	o.live = o.live || o.json || !o.write;
	out_begin(&t.out, o.json);
	t.signal_fd = catch_signals();
	if (o.write)
		err = capture_create(&t.keep, o.write, "owlt capture", &o.limits);
	if (err)
		out_fail("capture: %s: %s", o.write, err_text(err));
	else
		err = pump(&t);
	return finish(&t, err);
}

static int open_source(struct source *s, const char *name)
{
	char why[PCAP_WHY_MAX] = "", dir[LAB_PATH_MAX];
	struct run_info r;
	int err;

	if (lab_locate(name, dir) == 0 && run_info_open(&r, name) == 0) {
		err = open_lab(s, &r);
		run_info_close(&r);
		return err;
	}
	err = pcap_source_open(&s->interface, name, why);
	s->name = name;
	if (err)
		out_fail("capture: %s: no lab of this name runs, and as an interface: %s", name,
			why);
	return err;
}

static int open_lab(struct source *s, const struct run_info *r)
{
	char path[LAB_PATH_MAX + 16];
	uint64_t dtn0 = 0;
	int err;

	snprintf(path, sizeof path, "%s/frames.pcapng", r->dir);
	err = capture_open(&s->file, path);
	if (err)
		out_fail("capture: %s: %s", path, err_text(err));
	if (json_u64(json_get(r->doc, "dtn0_ms"), &dtn0) == 0)
		s->zero_ns = ((int64_t)dtn0 + DTN_EPOCH_UNIX_S * 1000) * 1000000;
	if (r->is_running)
		s->runner_fd = (int)syscall(SYS_pidfd_open, r->runner_pid, 0);
	return err;
}

static int pump(struct tap *t)
{
	struct capture_frame f;
	int got = 0;

	for (;;) {
		while ((got = next_frame(t, &f)) > 0) {
			int err = take(t, &f);

			if (err)
				return err;
			if (t->o->count && t->n_done >= t->o->count)
				return 0;
			if (!t->o->live && capture_end(t->keep))
				return 0;
		}
		if (got < 0) {
			out_fail("capture: the frames end here: %s", err_text(got));
			return got;
		}
		fflush(stdout);
		if (!wait_for_more(t))
			return 0;
	}
}

static int next_frame(struct tap *t, struct capture_frame *f)
{
	return t->src.file ? capture_read(t->src.file, f) : pcap_source_read(t->src.interface, f);
}

/* False when nothing more will come. What the emulator wrote before its end is still read. */
static bool wait_for_more(struct tap *t)
{
	struct pollfd p[2] = {{.fd = t->signal_fd, .events = POLLIN}, {.events = POLLIN}};

	p[1].fd = t->src.file ? t->src.runner_fd : pcap_source_fd(t->src.interface);
	if (t->src.file && t->src.runner_fd < 0)
		return false;
	poll(p, 2, t->src.file ? LOOK_MS : -1);
	if (p[0].revents)
		return false;
	if (t->src.file && p[1].revents) {
		close(t->src.runner_fd);
		t->src.runner_fd = -1;
	}
	return true;
}

static int take(struct tap *t, const struct capture_frame *f)
{
	int err = t->keep ? keep(t, f) : 0;

	if (err)
		out_fail("capture: %s: %s", t->o->write, err_text(err));
	if (t->o->live)
		t->n_done += print(t, f);
	else
		t->n_done++;
	return err;
}

static int keep(struct tap *t, const struct capture_frame *f)
{
	int err = 0;

	/* A lab's interfaces all come before its first frame. */
	while (!err && t->n_interfaces <= f->interface) {
		const struct capture_frame next = {.interface = t->n_interfaces};

		err = capture_interface(t->keep, end_name(t, &next));
		t->n_interfaces++;
	}
	if (!err)
		capture_write(t->keep, f);
	return err;
}

/* True if a line was printed. */
static bool print(struct tap *t, const struct capture_frame *f)
{
	struct frame frame;

	if (f->way == CAPTURE_IN && !t->o->both)
		return false;
	if (frame_read(f->bytes, &t->rules, &frame) != FRAME_BUNDLE)
		return false;
	print_text(t, f, &frame.bundle);
	if (t->o->json) {
		print_json(t, f, &frame.bundle);
		out_line(&t->out);
	}
	return true;
}

static void print_text(struct tap *t, const struct capture_frame *f, const struct bundle *b)
{
	static const char *const ways[] = {"", " in", " out", ""};
	char src[EID_TEXT_MAX], dst[EID_TEXT_MAX], frag[64] = "";
	int64_t ns = f->unix_ns - t->src.zero_ns;

	eid_print(&b->source, src, sizeof src);
	eid_print(&b->dest, dst, sizeof dst);
	if (b->flags & BUNDLE_FRAGMENT)
		snprintf(frag, sizeof frag, ", fragment at %llu of %llu",
			(unsigned long long)b->frag_off, (unsigned long long)b->total_len);
	out_text(&t->out, "%.6f %s%s: %s > %s %llu.%llu, %zu B%s%s%s%s%s\n", (double)ns / 1e9,
		end_name(t, f), ways[f->way & 3], src, dst, (unsigned long long)b->created_ms,
		(unsigned long long)b->seq, b->payload.n, b->flags & BUNDLE_ADMIN ? ", admin" : "",
		b->has_cteb ? ", custody" : "", frag, f->comment[0] ? ", " : "", f->comment);
}

static void print_json(struct tap *t, const struct capture_frame *f, const struct bundle *b)
{
	struct json_writer *w = &t->out.w;

	jw_object(w, NULL);
	jw_i64(w, "t_ns", f->unix_ns);
	out_string(&t->out, "interface", end_name(t, f));
	out_string(&t->out, "direction",
		f->way == CAPTURE_IN    ? "in"
		: f->way == CAPTURE_OUT ? "out"
					: "unknown");
	out_eid(&t->out, "source", &b->source);
	out_eid(&t->out, "dest", &b->dest);
	jw_u64(w, "created_ms", b->created_ms);
	jw_u64(w, "seq", b->seq);
	jw_u64(w, "lifetime_ms", b->lifetime_ms);
	jw_u64(w, "frame_bytes", f->bytes.n);
	jw_u64(w, "payload_bytes", b->payload.n);
	jw_bool(w, "admin", b->flags & BUNDLE_ADMIN);
	jw_bool(w, "custody", b->has_cteb);
	if (b->flags & BUNDLE_FRAGMENT)
		jw_u64(w, "frag_off", b->frag_off);
	if (f->comment[0])
		out_string(&t->out, "comment", f->comment);
	jw_object_end(w);
}

static const char *end_name(const struct tap *t, const struct capture_frame *f)
{
	const char *name =
		t->src.file ? capture_interface_name(t->src.file, f->interface) : t->src.name;

	return name ? name : "?";
}

/* Ctrl-C ends the command in order, so that FILE is whole. */
static int catch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int finish(struct tap *t, int err)
{
	const char *end = t->keep ? capture_end(t->keep) : NULL;
	uint64_t n_missed = end ? capture_missed(t->keep) : 0;
	int code = out_end(&t->out), kept = capture_close(t->keep);

	capture_reader_close(t->src.file);
	pcap_source_close(t->src.interface);
	if (t->src.runner_fd >= 0)
		close(t->src.runner_fd);
	if (t->signal_fd >= 0)
		close(t->signal_fd);
	if (kept && !err)
		return out_fail("capture: %s: %s", t->o->write, err_text(kept));
	if (end && !err)
		return out_no("capture: %s ends early: %s; at least %llu frames are not in it",
			t->o->write, end, (unsigned long long)n_missed);
	return err ? EXIT_USAGE : code;
}
