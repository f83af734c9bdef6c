/*
 * owltd: the node as a program, owltd(8). Foreground; "ready" on standard output (and READY=1 to
 * systemd) when applications and peers are served; SIGTERM drains, a second one stops at once.
 * What is opened here is closed here, in the opposite order. Start reading at main, then turn.c.
 */
#include "dtn/daemon/daemon.h"

#include "dtn/io/signal.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define OWLT_VERSION "0.2.0"
#define EXIT_USAGE 2
#define HELP_BYTES (256u << 10)
#define PLAN_BYTES (64u << 20)

struct args {
	const char *file;
	bool check, help_config, roff;
};

static int read_args(int argc, char **argv, struct args *a);
static int print_help(bool roff);
static int open_keys(struct daemon *d, const struct args *args);
static int open_plan(struct daemon *d);
static int start(struct daemon *d);
static void stop(struct daemon *d);
static void tell_systemd(const char *state);

int main(int argc, char **argv)
{
	struct args args = {0};
	struct daemon *d = calloc(1, sizeof *d);
	int code = read_args(argc, argv, &args), err;

	if (code >= 0 || !d) {
		free(d);
		return code >= 0 ? code : EXIT_USAGE;
	}
	d->signal_fd = d->listen_fd = d->loop.fd = d->log.file.fd = -1;
	err = daemon_cfg_load(&d->cfg, args.file, environ);
	if (!err)
		err = open_keys(d, &args);
	if (!err && args.check)
		err = open_plan(d);
	if (err || args.check) {
		if (!err)
			puts("configuration ok");
		plan_free(d->plan);
		keyring_free(d->keys);
		free(d);
		return err ? EXIT_USAGE : 0;
	}
	err = start(d);
	if (!err) {
		puts("ready");
		fflush(stdout);
		tell_systemd("READY=1");
		err = daemon_run(d);
		tell_systemd("STOPPING=1");
	}
	stop(d);
	keyring_free(d->keys);
	free(d);
	return err ? EXIT_USAGE : 0;
}

/* Rules without keys at hand (a command is not run for a check) are checked by themselves. */
static int open_keys(struct daemon *d, const struct args *args)
{
	int err = keys_open(&d->cfg, !args->check, &d->keys);
	const struct agent_cfg *cfg = &d->cfg.node.agent;
	bool has_keys = d->keys || args->check || cfg->security.n_lab_keys > 0;

	if (!err && !has_keys && (cfg->security.n_rules > 0 || custody_has_keys(cfg))) {
		fprintf(stderr, "owltd: %s without security.keys\n",
			cfg->security.n_rules > 0 ? "security.rules" : "custody.neighbours[].key");
		return -E_CONFIG;
	}
	return err ? err : daemon_cfg_security(&d->cfg, args->file, d->keys);
}

static int read_args(int argc, char **argv, struct args *a)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
		{"check-config", no_argument, NULL, 'k'}, {"help-config", no_argument, NULL, 'H'},
		{"roff", no_argument, NULL, 'r'}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'}, {0}};
	int o;

	while ((o = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			a->file = optarg;
			break;
		case 'k':
			a->check = true;
			break;
		case 'H':
			a->help_config = true;
			break;
		case 'r':
			a->roff = true;
			break;
		case 'V':
			puts("owltd " OWLT_VERSION);
			return 0;
		case 'h':
			puts("usage: owltd [-c FILE] [--check-config] [--help-config] [--version]\n"
			     "The node of Owlt, a delay-tolerant network stack. Settings come from "
			     "FILE and from\n"
			     "OWLT_ variables; --help-config lists them, owltd.conf(5) explains "
			     "them.");
			return 0;
		default:
			fputs("owltd --help tells what there is\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "owltd: unexpected argument \"%s\"; see owltd --help\n",
			argv[optind]);
		return EXIT_USAGE;
	}
	return a->help_config ? print_help(a->roff) : -1;
}

static const char page_head[] =
	".TH OWLTD.CONF 5 \"\" \"Owlt " OWLT_VERSION "\" \"Owlt\"\n"
	".SH NAME\nowltd.conf \\- settings of owltd\n"
	".SH DESCRIPTION\n"
	"One JSON object; a dot in a name below is a level of nesting, [] an element of a list.\n"
	"Unknown names are errors; owltd \\-\\-check\\-config tells FILE:LINE: path: what is "
	"wrong.\n"
	"Durations are 250ms, 10s, 5m, 1h, 2d (a bare number is seconds), sizes 64Ki or 1M, rates "
	"256k or\n"
	"10M bits per second. Every setting can be given by environment too, which wins over the "
	"file:\n"
	"OWLT_STORE__PATH, OWLT_LINKS__0__REMOTE; an OWLT_ variable that names no setting is an "
	"error.\n"
	".SH EXAMPLE\n.nf\n"
	"{\"node\": {\"id\": \"ipn:1.0\"}, \"store\": {\"path\": \"/var/lib/owlt\"},\n"
	" \"links\": [{\"name\": \"b\", \"cl\": \"udp\", \"peer\": \"ipn:2.0\",\n"
	"   \"local\": \"192.0.2.1:4556\", \"remote\": \"192.0.2.2:4556\"}]}\n"
	".fi\n.SH SETTINGS\n";

static int print_help(bool roff)
{
	struct buf b = buf_of(malloc(HELP_BYTES), HELP_BYTES);

	if (!b.p)
		return EXIT_USAGE;
	buf_text(&b, roff ? page_head : "");
	schema_help(daemon_parts, roff, &b);
	buf_text(&b, roff ? ".SH SEE ALSO\n.BR owltd (8)\n" : "");
	fwrite(b.p, 1, buf_fits(&b) ? b.len : 0, stdout);
	free(b.p);
	return 0;
}

/* -- from a configuration to a running node */

static int fault(const char *what, const char *where, int err)
{
	fprintf(stderr, "owltd: %s %s: %s\n", what, where, err_text(err));
	return err;
}

static int open_clock(struct daemon *d)
{
	int err = 0;

	if (*d->cfg.lab_run)
		err = clock_init_lab(&d->clock, d->cfg.lab_run);
	else
		clock_init_real(&d->clock);
	if (err)
		return fault("lab.run", d->cfg.lab_run, err);
	if (d->clock.dtn0_ms == 0 && !d->clock.is_lab && d->cfg.node.clock_is_accurate) {
		fputs("owltd: the system's clock is before 2000: bundles get an age and no "
		      "creation time, as with clock.accurate false\n",
			stderr);
		d->cfg.node.clock_is_accurate = false;
	}
	d->now = INT64_MIN;
	clock_now(&d->clock, &d->now);
	return 0;
}

static int open_plan(struct daemon *d)
{
	struct plan_note note[8];
	struct plan_notes notes = {note, 0, 8};
	struct view text;
	int err;

	if (*d->cfg.plan == 0)
		return 0;
	err = file_load(d->cfg.plan, PLAN_BYTES, &text);
	if (err)
		return fault("plan", d->cfg.plan, err);
	err = plan_read(text, PLAN_AUTO, &d->plan, &notes);
	for (size_t i = 0; err && i < notes.n && i < notes.cap; i++)
		fprintf(stderr, "%s:%u: %s\n", d->cfg.plan, note[i].line, note[i].text);
	free((void *)(uintptr_t)text.p);
	return err;
}

/* How the nodes of the dtn scheme are called that status and events name. */
static int open_names(struct daemon *d)
{
	const struct node_cfg *n = &d->cfg.node;
	int err = names_put(&d->names, n->id);

	if (!err && d->plan)
		err = names_join(&d->names, &d->plan->names);
	for (size_t i = 0; !err && i < n->n_links; i++)
		err = names_put(&d->names, n->link[i].peer);
	for (size_t i = 0; !err && i < n->agent.n_custody_neighbours; i++)
		err = names_put(&d->names, n->agent.custody_neighbour[i].node);
	for (size_t i = 0; !err && i < n->agent.bibe.n_tunnels; i++)
		err = names_put(&d->names, n->agent.bibe.tunnel[i].to);
	return err;
}

static int open_links(struct daemon *d)
{
	int err = 0;

	d->link = calloc(d->cfg.node.n_links + 1, sizeof d->link[0]);
	d->rx = udp_rx_new();
	if (!d->link || !d->rx)
		return -ENOMEM;
	for (unsigned i = 0; i < d->cfg.node.n_links; i++)
		d->link[i].udp.fd = -1;
	for (unsigned i = 0; !err && i < d->cfg.node.n_links; i++) {
		struct node_link_cfg *l = &d->cfg.node.link[i];

		err = udp_open(&d->link[i].udp, l->local, l->remote);
		d->link[i].udp.any_port = l->any_port;
		if (!err && l->offload)
			udp_offload(&d->link[i].udp);
		l->cl_cfg.ip6 = d->link[i].udp.local.any.sa_family == AF_INET6;
		if (!err)
			err = loop_add(
				&d->loop, d->link[i].udp.fd, (struct loop_tag){SOURCE_LINK, i});
		if (err)
			fprintf(stderr, "owltd: links[%u] %s (%s to %s): %s\n", i, l->name,
				l->local, l->remote, err_text(err));
	}
	return err;
}

static int open_store(struct daemon *d)
{
	int err = *d->cfg.store_path ? store_disk_open(d->cfg.store_path, &d->cfg.limits, &d->store)
				     : store_mem_open(&d->cfg.limits, &d->store);

	if (err == -E_CORRUPT)
		fputs("owltd: the index or the log is damaged so far that it would forget what was "
		      "promised; see owlt-store(5)\n",
			stderr);
	if (err == -ENOENT)
		fputs("owltd: the store's folder is made where it is missing, but not the one it "
		      "is in\n",
			stderr);
	return err ? fault("store.path", d->cfg.store_path, err) : 0;
}

static int open_node(struct daemon *d)
{
	struct node_deps deps = {.store = d->store,
		.plan = d->plan,
		.trace = &d->trace,
		.dtn_at_zero = d->clock.dtn0_ms};
	int err;

	if (getrandom(&deps.seed, sizeof deps.seed, 0) != sizeof deps.seed ||
		getrandom(deps.secret, sizeof deps.secret, 0) != sizeof deps.secret)
		return -EIO;
	if (d->plan && d->plan->reference_ms && !d->clock.is_lab)
		d->plan_zero =
			((int64_t)d->plan->reference_ms - (int64_t)d->clock.dtn0_ms) * US_PER_MS;
	deps.plan_zero = d->plan_zero;
	deps.keys = d->keys;
	err = node_new(&d->cfg.node, &deps, d->now, &d->node);
	keyring_free(d->keys); /* the node has its own copy of what its rules name */
	d->keys = NULL;
	return err ? fault("node", d->cfg.node.id, err) : 0;
}

static int open_rest(struct daemon *d)
{
	int err = writer_open(&d->writer);
	bool is_usual;

	if (!err)
		err = loop_add(&d->loop, writer_fd(d->writer), (struct loop_tag){SOURCE_WRITER, 0});
	if (!err)
		err = loop_add(&d->loop, d->signal_fd, (struct loop_tag){SOURCE_SIGNAL, 0});
	if (err)
		return fault("start", "", err);
	is_usual = *d->cfg.socket == 0;
	err = app_open(d);
	if (err == -EADDRINUSE)
		fputs("owltd: another owltd listens there; control.socket names another place\n",
			stderr);
	else if (err && is_usual)
		fputs("owltd: the usual place of the socket can't be used; name another in "
		      "control.socket or set XDG_RUNTIME_DIR\n",
			stderr);
	return err ? fault("control.socket", d->cfg.socket, err) : 0;
}

/* A large store has up to 1034 segments open at a time, links and applications beside. */
static void allow_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) != 0)
		fprintf(stderr, "owltd: open files: %s\n", err_text(-errno));
}

static int start(struct daemon *d)
{
	int err = signal_open();

	allow_files();

	if (err >= 0) {
		d->signal_fd = err;
		err = loop_open(&d->loop);
	}
	if (!err)
		err = open_clock(d);
	if (!err)
		err = eventlog_open(d);
	if (err)
		return fault("log.events", d->cfg.events, err);
	err = open_plan(d);
	if (!err)
		err = open_names(d);
	if (!err)
		err = open_links(d);
	if (!err)
		err = open_store(d);
	if (!err)
		err = open_node(d);
	return err ? err : open_rest(d);
}

static void stop(struct daemon *d)
{
	if (d->node)
		app_close(d);
	node_free(d->node);
	writer_close(d->writer);
	eventlog_close(d);
	if (d->store)
		store_close(d->store);
	for (unsigned i = 0; d->link && i < d->cfg.node.n_links; i++)
		udp_close(&d->link[i].udp);
	free(d->link);
	udp_rx_free(d->rx);
	plan_free(d->plan);
	names_free(&d->names);
	loop_close(&d->loop);
	if (d->signal_fd >= 0)
		close(d->signal_fd);
}

/* sd_notify(3) by hand: one datagram to the socket that NOTIFY_SOCKET names. */
static void tell_systemd(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t n = path ? strlen(path) : 0;
	int fd;

	if (n == 0 || n >= sizeof a.sun_path)
		return;
	memcpy(a.sun_path, path, n);
	if (a.sun_path[0] == '@')
		a.sun_path[0] = 0; /* abstract */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)(void *)&a,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		fprintf(stderr, "owltd: cannot tell systemd: %s\n", err_text(-errno));
	close(fd);
}
