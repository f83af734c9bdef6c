/*
 * setup: from a topology to the settings of its nodes, the same that the lab runner writes into each
 * owltd.json: defaults, the topology's "config", the node's own "config", then identity and links.
 * Objects are walked leaf by leaf and set by path, so bounds and words are checked as for owltd. Settings
 * that only a daemon has (store, control socket, log) mean nothing here and are passed over.
 */
#include "dtn/node/config.h"
#include "dtn/sim/world.h"

#include <stdio.h>
#include <stdlib.h>

#define PATH_MAX_BYTES 96

struct setter {
	struct node_cfg *cfg;
	struct schema_error e;
};

static int set_all(struct setter *s, const struct json *v, const char *path);
static int set_leaf(struct setter *s, const struct json *v, const char *path);
static void add_links(const struct topo *t, unsigned index, struct node_cfg *cfg);

int sim_setup(const struct topo *t, struct node_cfg **out, char *why, size_t cap)
{
	struct node_cfg *cfg = calloc(t->n_nodes + 1, sizeof *cfg);

	for (unsigned i = 0; cfg && i < t->n_nodes; i++) {
		struct setter s = {.cfg = &cfg[i]};
		int err = node_cfg_defaults(&cfg[i], &s.e);

		if (err == 0)
			err = set_all(&s, t->config, "");
		if (err == 0)
			err = set_all(&s, t->node[i].config, "");
		if (err) {
			snprintf(why, cap, "settings of %s: %s: %s", t->node[i].name, s.e.path,
				s.e.text);
			free(cfg);
			return -E_CONFIG;
		}
		topo_print_id(t, i, cfg[i].id, sizeof cfg[i].id);
		add_links(t, i, &cfg[i]);
	}
	if (!cfg) {
		snprintf(why, cap, "no memory");
		return -ENOMEM;
	}
	*out = cfg;
	return 0;
}

static int set_all(struct setter *s, const struct json *v, const char *path)
{
	static const char *const elsewhere[] = {
		"store", "control", "log", "plan", "lab", "trace", "user", "app"};
	static const char *const no_files[] = {"security.keys", "security.keys_command"};
	char below[PATH_MAX_BYTES];
	unsigned k = 0;
	int err = 0;

	if (json_type(v) != JSON_OBJECT && json_type(v) != JSON_ARRAY)
		return v ? set_leaf(s, v, path) : 0;
	for (const struct json *m = json_first(v); m && err == 0; m = json_next(m)) {
		bool skip = false;

		if (json_type(v) == JSON_ARRAY)
			snprintf(below, sizeof below, "%s[%u]", path, k++);
		else
			snprintf(
				below, sizeof below, "%s%s%s", path, *path ? "." : "", json_key(m));
		for (size_t i = 0; !*path && i < sizeof elsewhere / sizeof elsewhere[0]; i++)
			skip = skip || strcmp(below, elsewhere[i]) == 0;
		for (size_t i = 0; i < sizeof no_files / sizeof no_files[0]; i++)
			skip = skip || strcmp(below, no_files[i]) == 0;
		if (!skip)
			err = set_all(s, m, below);
	}
	return err;
}

static int set_leaf(struct setter *s, const struct json *v, const char *path)
{
	char text[64];
	double number = 0;
	bool yes = false;

	if (json_text(v))
		return schema_set(node_parts, s->cfg, path, json_text(v), &s->e);
	if (json_bool(v, &yes) == 0)
		return schema_set(node_parts, s->cfg, path, yes ? "true" : "false", &s->e);
	if (json_double(v, &number) != 0)
		return schema_set(node_parts, s->cfg, path, "", &s->e);
	snprintf(text, sizeof text, "%.15g", number);
	return schema_set(node_parts, s->cfg, path, text, &s->e);
}

/* Links in the order of the topology: world.c counts them the same way. */
static void add_links(const struct topo *t, unsigned index, struct node_cfg *cfg)
{
	struct node_link_cfg def = cfg->link[0];

	cfg->n_links = 0;
	for (unsigned k = 0; k < t->n_links && cfg->n_links < NODE_LINKS_MAX; k++) {
		const struct topo_link *tl = &t->link[k];
		struct node_link_cfg *l = &cfg->link[cfg->n_links];
		const struct link_params *out = tl->a == index ? &tl->a_to_b : &tl->b_to_a;

		if (tl->a != index && tl->b != index)
			continue;
		*l = def;
		snprintf(l->name, sizeof l->name, "%s", tl->name);
		snprintf(l->cl, sizeof l->cl, "udp");
		topo_print_id(t, tl->a == index ? tl->b : tl->a, l->peer, sizeof l->peer);
		l->cl_cfg.mtu_bytes = tl->mtu_bytes;
		l->cl_cfg.guard_us = l->cl_cfg.guard_us ? l->cl_cfg.guard_us : US_PER_MS;
		l->rate_bps = out->rate_bps;
		l->owlt_us = out->owlt_us;
		cfg->n_links++;
	}
}
