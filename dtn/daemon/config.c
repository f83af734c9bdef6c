/*
 * config: owltd's own rows and the order of sources: defaults, JSON file, OWLT_ environment.
 * Start reading at daemon_cfg_load.
 */
#include "dtn/daemon/config.h"

#include "dtn/io/file.h"
#include "dtn/io/udp.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define AT(field) offsetof(struct daemon_cfg, field)
#define RULE(field) offsetof(struct access_rule, field)
#define CONFIG_MAX (16u << 20)

static int check_uid(const char *text);
static void complain_at(const char *file, struct schema_error *e);
static int check_links(const struct daemon_cfg *cfg, const char *file);
static int check_services(const char *text);
static bool next_range(const char **p, uint64_t *from, uint64_t *to);

static const char *const levels[] = {"error", "warn", "info", "debug", NULL};

static const struct schema_row access_rows[] = {
	{.path = "uid",
		.type = SCHEMA_TEXT,
		.offset = RULE(uid),
		.min = 1,
		.max = 15,
		.check = check_uid,
		.help = "User the rule is for, as a number, or * for everyone."},
	{.path = "read",
		.type = SCHEMA_BOOL,
		.offset = RULE(read),
		.def = "true",
		.help = "May ask for status."},
	{.path = "send",
		.type = SCHEMA_BOOL,
		.offset = RULE(send),
		.def = "false",
		.help = "May send bundles."},
	{.path = "register",
		.type = SCHEMA_TEXT,
		.offset = RULE(services),
		.max = 127,
		.def = "",
		.check = check_services,
		.help = "Services that may be registered and sent from: \"5,100-199\"; * for all."},
	{.path = "control",
		.type = SCHEMA_BOOL,
		.offset = RULE(control),
		.def = "false",
		.help = "May change the node."},
	{0},
};

static const struct schema_row daemon_rows[] = {
	{.path = "store.path",
		.type = SCHEMA_TEXT,
		.offset = AT(store_path),
		.max = PATH_LEN,
		.def = "",
		.help = "Folder of the store; without it bundles are kept in memory only."},
	{.path = "store.max_bytes",
		.type = SCHEMA_BYTES,
		.offset = AT(limits.max_bytes),
		.min = 1 << 20,
		.def = "1Gi",
		.unit = "bytes",
		.help = "Stored bundles at most."},
	{.path = "store.max_bundles",
		.type = SCHEMA_U64,
		.offset = AT(limits.max_bundles),
		.min = 16,
		.max = 1 << 24,
		.def = "1048576",
		.help = "Stored bundles at most."},
	{.path = "store.max_rows",
		.type = SCHEMA_U64,
		.offset = AT(limits.max_rows),
		.min = 64,
		.max = 1 << 26,
		.def = "2097152",
		.help = "Other rows: tombstones, custody pairs."},
	{.path = "store.stage_bytes",
		.type = SCHEMA_BYTES,
		.offset = AT(limits.stage_bytes),
		.min = 1 << 20,
		.def = "64Mi",
		.unit = "bytes",
		.help = "Waiting for their commit at most."},
	{.path = "store.reserved_bytes",
		.type = SCHEMA_BYTES,
		.offset = AT(limits.reserved_bytes),
		.def = "16Mi",
		.unit = "bytes",
		.help = "Kept free for signals when the store is full."},
	{.path = "store.min_free_bytes",
		.type = SCHEMA_BYTES,
		.offset = AT(limits.min_free_bytes),
		.def = "64Mi",
		.unit = "bytes",
		.help = "Free room in the store's file system below which new bundles are "
			"refused."},
	{.path = "control.socket",
		.type = SCHEMA_TEXT,
		.offset = AT(socket),
		.max = 107,
		.def = "",
		.help = "Socket of applications; default $XDG_RUNTIME_DIR/owlt/owltd.sock, else "
			"/run/owlt/owltd.sock."},
	{.path = "control.max_clients",
		.type = SCHEMA_U64,
		.offset = AT(max_clients),
		.min = 1,
		.max = 256,
		.def = "64",
		.help = "Connections of applications at a time."},
	{.path = "control.max_open_sends",
		.type = SCHEMA_U64,
		.offset = AT(max_open_sends),
		.min = 1,
		.max = 64,
		.def = "8",
		.help = "Payloads above 64 KiB that a connection may have on their way in at a "
			"time."},
	{.path = "control.send_idle",
		.type = SCHEMA_DURATION,
		.offset = AT(send_idle_us),
		.min = 0,
		.max = 365 * 86400 * US_PER_S,
		.def = "5m",
		.unit = "s",
		.help = "A payload on its way in of which nothing came for so long is refused, and "
			"what it held is free again; real time, also in a lab. 0 = never."},
	{.path = "control.access",
		.type = SCHEMA_LIST,
		.offset = AT(access),
		.max = ACCESS_MAX,
		.rows = access_rows,
		.size = sizeof(struct access_rule),
		.count_offset = AT(n_access),
		.help = "Who may do what: the first rule that names the peer's user. Without one "
			"the node's "
			"own user and root may do everything, others nothing."},
	{.path = "plan",
		.type = SCHEMA_TEXT,
		.offset = AT(plan),
		.max = PATH_LEN,
		.def = "",
		.help = "Contact plan; without it every link is always open."},
	{.path = "lab.run",
		.type = SCHEMA_TEXT,
		.offset = AT(lab_run),
		.max = PATH_LEN,
		.def = "",
		.help = "run.json of the lab, which tells lab time."},
	{.path = "log.events",
		.type = SCHEMA_TEXT,
		.offset = AT(events),
		.max = PATH_LEN,
		.def = "",
		.help = "File for every event, one JSON line each."},
	{.path = "log.events_max",
		.type = SCHEMA_BYTES,
		.offset = AT(events_max_bytes),
		.def = "4Gi",
		.unit = "bytes",
		.help = "Size at which a new event file is begun; 0 = no limit."},
	{.path = "log.events_keep",
		.type = SCHEMA_U64,
		.offset = AT(events_keep),
		.max = 100,
		.def = "1",
		.help = "Old event files that stay."},
	{.path = "log.level",
		.type = SCHEMA_ENUM,
		.offset = AT(log_level),
		.words = levels,
		.def = "info",
		.help = "Lines on standard error: level area key=value."},
	{.path = "security.keys",
		.type = SCHEMA_TEXT,
		.offset = AT(keys),
		.max = PATH_LEN,
		.def = "",
		.help = "Key file of the security rules, owlt-keys(5); refused if others may read "
			"it."},
	{.path = "security.keys_command",
		.type = SCHEMA_TEXT,
		.offset = AT(keys_command),
		.max = PATH_LEN,
		.def = "",
		.help = "Instead of a file: a shell command that prints one; run once at start, 10 "
			"s "
			"at most."},
	{.path = "link_pause",
		.type = SCHEMA_DURATION,
		.offset = AT(links_pause_us),
		.min = 1000,
		.max = 10000000,
		.def = "100ms",
		.unit = "s",
		.help = "Where the kernel has no memory for what a link sends (ENOBUFS), it is "
			"asked again after 1 ms, 2 ms, and so on, up to this, in real time."},
	{.path = "drain",
		.type = SCHEMA_DURATION,
		.offset = AT(drain_us),
		.def = "5s",
		.unit = "s",
		.help = "How long SIGTERM waits at most, in real time, until nothing is pending."},
	{0},
};

const struct schema_part daemon_parts[] = {
	{node_rows, offsetof(struct daemon_cfg, node)},
	{daemon_rows, 0},
	{agent_rows, offsetof(struct daemon_cfg, node) + offsetof(struct node_cfg, agent)},
	{security_rows,
		offsetof(struct daemon_cfg, node) + offsetof(struct node_cfg, agent.security)},
	{bibe_rows, offsetof(struct daemon_cfg, node) + offsetof(struct node_cfg, agent.bibe)},
	{NULL, 0},
};

static void complain(const char *file, const struct schema_error *e)
{
	if (e->line)
		fprintf(stderr, "%s:%u: ", file, e->line);
	else
		fprintf(stderr, "%s: ", file ? file : "owltd");
	fprintf(stderr, "%s%s%s\n", e->path, *e->path ? ": " : "", e->text);
}

static int load_file(struct daemon_cfg *cfg, const char *file, struct schema_error *e)
{
	struct view text;
	int err = file_load(file, CONFIG_MAX, &text);

	if (err) {
		snprintf(e->text, sizeof e->text, "cannot be read: %s", err_text(err));
		return err;
	}
	err = schema_json(daemon_parts, cfg, text, e);
	free((void *)(uintptr_t)text.p);
	return err;
}

int daemon_cfg_load(struct daemon_cfg *cfg, const char *file, char *const *envp)
{
	static const char *const skip[] = {"OWLT_SOCKET", NULL};
	struct schema_error e = {0};
	int err;

	memset(cfg, 0, sizeof *cfg);
	err = schema_defaults(daemon_parts, cfg, &e);
	if (!err && file)
		err = load_file(cfg, file, &e);
	if (!err)
		err = schema_env(daemon_parts, cfg, envp, skip, &e);
	if (!err)
		err = schema_complete(daemon_parts, cfg, &e);
	if (err)
		complain(file, &e);
	return err ? err : check_links(cfg, file);
}

int daemon_cfg_security(const struct daemon_cfg *cfg, const char *file, const struct keyring *keys)
{
	const struct security_cfg *s = &cfg->node.agent.security;
	struct schema_error e = {0};
	struct keyring *lab = NULL;
	int err = s->n_lab_keys > 0 ? security_lab_ring(s, &lab, &e) : 0;

	err = err ? err : security_check(s, lab ? lab : keys, &e);
	err = err ? err : custody_check(&cfg->node.agent, lab ? lab : keys, &e);
	keyring_free(lab);
	if (err)
		complain_at(file, &e);
	return err;
}

/* What is wrong with a setting that was read before: its line is looked up. */
static void complain_at(const char *file, struct schema_error *e)
{
	struct view text;

	if (file && file_load(file, CONFIG_MAX, &text) == 0) {
		e->line = json_line(text, e->path);
		free((void *)(uintptr_t)text.p);
	}
	complain(file, e);
}

static int check_address(const char *file, unsigned link, const char *end, const char *address)
{
	struct schema_error e = {0};
	union udp_address a;

	if (udp_address_parse(address, &a) == 0)
		return 0;
	snprintf(e.path, sizeof e.path, "links[%u].%s", link, end);
	snprintf(e.text, sizeof e.text, "\"%.60s\": ADDRESS:PORT in numbers is required", address);
	complain_at(file, &e);
	return -E_CONFIG;
}

static int check_links(const struct daemon_cfg *cfg, const char *file)
{
	int err = 0;

	for (unsigned i = 0; !err && i < cfg->node.n_links; i++) {
		err = check_address(file, i, "local", cfg->node.link[i].local);
		err = err ? err : check_address(file, i, "remote", cfg->node.link[i].remote);
	}
	return err;
}

struct access_rule daemon_access(const struct daemon_cfg *cfg, uid_t uid)
{
	struct access_rule all = {.read = true, .send = true, .control = true, .services = "*"};
	char text[16];

	snprintf(text, sizeof text, "%u", uid);
	for (size_t i = 0; i < cfg->n_access; i++)
		if (strcmp(cfg->access[i].uid, text) == 0 || strcmp(cfg->access[i].uid, "*") == 0)
			return cfg->access[i];
	return uid == 0 || uid == geteuid() ? all : (struct access_rule){0};
}

bool access_service(const struct access_rule *r, uint64_t service)
{
	const char *p = r->services;
	uint64_t from, to;

	if (strcmp(p, "*") == 0)
		return true;
	while (*p && next_range(&p, &from, &to))
		if (service >= from && service <= to)
			return true;
	return false;
}

static bool next_range(const char **p, uint64_t *from, uint64_t *to)
{
	char *end;

	if (**p < '0' || **p > '9')
		return false;
	*from = *to = strtoull(*p, &end, 10);
	if (*end == '-' && end[1] >= '0' && end[1] <= '9')
		*to = strtoull(end + 1, &end, 10);
	if (*end != ',' && *end != 0)
		return false;
	*p = *end == ',' ? end + 1 : end;
	return true;
}

static int check_services(const char *text)
{
	uint64_t from, to;

	if (strcmp(text, "*") == 0)
		return 0;
	while (*text)
		if (!next_range(&text, &from, &to))
			return -E_SYNTAX;
	return 0;
}

static int check_uid(const char *text)
{
	return strcmp(text, "*") == 0 || strspn(text, "0123456789") == strlen(text) ? 0 : -E_SYNTAX;
}
