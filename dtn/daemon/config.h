/*
 * config: all settings of owltd: the node's, the agent's, and its own rows.
 */
#ifndef OWLT_DAEMON_CONFIG_H
#define OWLT_DAEMON_CONFIG_H

#include "dtn/node/config.h"

#include <sys/types.h>

#define ACCESS_MAX 32
#define PATH_LEN 1023

struct access_rule {
	char uid[16]; /* a number or "*" */
	bool read, send, control;
	char services[128]; /* that may be registered: "*", "", or "5,100-199" */
};

struct daemon_cfg {
	struct node_cfg node;          /* first: node_parts count on it */
	char store_path[PATH_LEN + 1]; /* "": memory */
	struct store_limits limits;
	char socket[108];
	struct access_rule access[ACCESS_MAX];
	size_t n_access;
	uint64_t max_clients, max_open_sends;
	int64_t send_idle_us; /* real time; 0: for ever */
	char plan[PATH_LEN + 1];
	char lab_run[PATH_LEN + 1];
	char events[PATH_LEN + 1];
	uint64_t events_max_bytes, events_keep;
	char keys[PATH_LEN + 1], keys_command[PATH_LEN + 1];
	unsigned log_level;     /* enum log_level */
	int64_t drain_us;       /* real time */
	int64_t links_pause_us; /* real time */
};

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

extern const struct schema_part daemon_parts[];

/* Defaults, file (NULL: none), environment, and what is required. 0, or negative after a message
 * "FILE:LINE: path: text" on stderr. */
int daemon_cfg_load(struct daemon_cfg *cfg, const char *file, char *const *envp) MUST_USE;

/* The security rules by themselves and (not NULL) against the keys; as daemon_cfg_load(). */
int daemon_cfg_security(
	const struct daemon_cfg *cfg, const char *file, const struct keyring *keys) MUST_USE;

/* keys.c: the keys that the settings name; NULL if none are. run: also by security.keys_command. 0, or
 * negative after a message on stderr. */
int keys_open(const struct daemon_cfg *cfg, bool run, struct keyring **out) MUST_USE;

/* What a peer with this uid may do: the first rule that names it. The node's own uid and root may do all
 * that no rule forbids them; others nothing that no rule allows. */
struct access_rule daemon_access(const struct daemon_cfg *cfg, uid_t uid);
/* Does a list such as "5,100-199" hold the service? */
bool access_service(const struct access_rule *r, uint64_t service);

#endif
