/*
 * topo: reading the topology file. Nodes first, then links (they name nodes), the plan, traffic. Every
 * key is known or an error; each problem becomes a note with its line, and reading goes on so that one
 * run shows them all. Start at topo_read.
 */
#include "dtn/plan/topo.h"

#include "dtn/plan/build.h"
#include "dtn/plan/value.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define TRAFFIC_MAX 4096u

struct reader {
	struct topo *t;
	struct view text;
	struct plan_notes *notes;
	const struct topo_node **by_name; /* sorted */
	int err;
};

typedef void read_fn(struct reader *r, const struct json *v, unsigned k);

static void problem(struct reader *r, int err, const char *path, const char *text);
static void problem_at(
	struct reader *r, const char *list, unsigned k, const char *key, const char *text);
static void read_top(struct reader *r);
static void read_list(struct reader *r, const char *key, unsigned max, read_fn *one);
static read_fn read_node, read_link, read_traffic;
static void index_names(struct reader *r);
static int params_read(const struct json *v, struct link_params *p, const char **key);
static void read_plan(struct reader *r, struct view plan_text);
static void check_plan(struct reader *r);

const char *topo_plan_file(const struct json *doc)
{
	return json_text(json_get(doc, "plan"));
}

int topo_read(struct view text, struct view plan_text, struct topo **out, struct plan_notes *notes)
{
	struct reader r = {.t = calloc(1, sizeof *r.t), .text = text, .notes = notes};
	unsigned line = 0;

	*out = NULL;
	if (!r.t) {
		plan_note(notes, 0, true, "out of memory");
		return -ENOMEM;
	}
	r.err = json_parse(text, &r.t->doc, &line);
	if (r.err) {
		plan_note(notes, line, true, "%s", json_error_text(r.err));
	} else {
		read_top(&r);
		read_list(&r, "nodes", TOPO_NODES_MAX, read_node);
		index_names(&r);
		read_list(&r, "links", TOPO_LINKS_MAX, read_link);
		read_list(&r, "traffic", TRAFFIC_MAX, read_traffic);
		read_plan(&r, plan_text);
	}
	free(r.by_name);
	if (r.err)
		topo_free(r.t);
	else
		*out = r.t;
	return r.err;
}

void topo_free(struct topo *t)
{
	if (!t)
		return;
	free(t->node);
	free(t->link);
	free(t->traffic);
	plan_free(t->plan);
	names_free(&t->names);
	json_free(t->doc);
	free(t);
}

size_t topo_print_id(const struct topo *t, size_t k, char *out, size_t cap)
{
	return names_print(&t->names, t->node[k].id, out, cap);
}

size_t topo_node_index(const struct topo *t, const char *name_or_id)
{
	struct eid e;
	bool is_id;

	for (size_t i = 0; i < t->n_nodes; i++)
		if (strcmp(t->node[i].name, name_or_id) == 0)
			return i;
	is_id = eid_parse_node(name_or_id, &e) == 0;
	for (size_t i = 0; is_id && i < t->n_nodes; i++)
		if (t->node[i].id == e.node)
			return i;
	return SIZE_MAX;
}

static void problem(struct reader *r, int err, const char *path, const char *text)
{
	unsigned line = r->notes->n < r->notes->cap ? json_line(r->text, path) : 0;

	if (err && !r->err)
		r->err = err;
	plan_note(r->notes, line, err != 0, "%s: %s", path, text);
}

static void problem_at(
	struct reader *r, const char *list, unsigned k, const char *key, const char *text)
{
	char path[120];

	snprintf(path, sizeof path, "%s[%u]%s%.64s", list, k, key ? "." : "", key ? key : "");
	problem(r, -E_CONFIG, path, text);
}

/* Copies a name of letters, digits, '-', '_' and '.' that begins with a letter or digit. */
static bool name_copy(const struct json *v, char *out)
{
	const char *s = json_text(v);

	if (!s || !isalnum((unsigned char)s[0]) || strlen(s) >= TOPO_NAME_MAX)
		return false;
	for (const char *p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("-_.", *p))
			return false;
	strcpy(out, s);
	return true;
}

static void read_top(struct reader *r)
{
	static const char *const known[] = {"name", "speed", "until", "nodes", "links", "plan",
		"traffic", "config", "about", NULL};
	struct topo *t = r->t;
	const char *unknown = value_unknown_key(t->doc, known);
	const struct json *speed = json_get(t->doc, "speed");

	t->speed = 1;
	t->until = MONO_NEVER;
	t->config = json_get(t->doc, "config");
	if (json_type(t->doc) != JSON_OBJECT)
		problem(r, -E_TYPE, "", "a topology is an object");
	if (unknown)
		problem(r, -E_UNKNOWN, unknown, "unknown key");
	if (!name_copy(json_get(t->doc, "name"), t->name))
		problem(r, -E_CONFIG, "name",
			"a name of up to 31 letters, digits, - _ . is needed");
	if (speed && (json_double(speed, &t->speed) || !(t->speed >= 1e-3 && t->speed <= 1e6)))
		problem(r, -E_RANGE, "speed", "lab seconds per second, 0.001 to 1000000");
	if (value_duration(json_get(t->doc, "until"), &t->until) || t->until <= 0)
		problem(r, -E_RANGE, "until", "a duration such as \"60s\"");
	if (t->config && json_type(t->config) != JSON_OBJECT)
		problem(r, -E_TYPE, "config", "settings of owltd as an object");
}

static void *list_room(struct reader *r, size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	if (!p)
		problem(r, -ENOMEM, "", "out of memory");
	return p;
}

static void read_list(struct reader *r, const char *key, unsigned max, read_fn *one)
{
	const struct json *list = json_get(r->t->doc, key);
	size_t n = json_type(list) == JSON_ARRAY ? json_size(list) : 0;
	char text[64];
	unsigned k = 0;

	if (list && json_type(list) != JSON_ARRAY)
		problem(r, -E_TYPE, key, "must be an array");
	snprintf(text, sizeof text, "at most %u", max);
	if (n > max) {
		problem(r, -E_LIMIT, key, text);
		n = 0;
	}
	if (one == read_node)
		r->t->node = list_room(r, n, sizeof *r->t->node);
	else if (one == read_link)
		r->t->link = list_room(r, n, sizeof *r->t->link);
	else
		r->t->traffic = list_room(r, n, sizeof *r->t->traffic);
	if (one == read_node && n == 0)
		problem(r, -E_CONFIG, key, "at least one node is needed");
	if (n == 0 || r->err == -ENOMEM)
		return;
	for (const struct json *v = json_first(list); v; v = json_next(v))
		one(r, v, k++);
}

static void read_node(struct reader *r, const struct json *v, unsigned k)
{
	static const char *const known[] = {"name", "id", "config", NULL};
	struct topo_node *node = &r->t->node[r->t->n_nodes];
	const char *unknown = value_unknown_key(v, known);

	if (unknown)
		problem_at(r, "nodes", k, unknown, "unknown key");
	else if (!name_copy(json_get(v, "name"), node->name))
		problem_at(r, "nodes", k, "name",
			"a name of up to 31 letters, digits, - _ . is needed");
	else if (!json_get(v, "id") || value_node(json_get(v, "id"), &r->t->names, &node->id))
		problem_at(r, "nodes", k, "id", "a node ID such as \"ipn:1.0\" is needed");
	else
		r->t->n_nodes++;
	node->config = json_get(v, "config");
	if (node->config && json_type(node->config) != JSON_OBJECT)
		problem_at(r, "nodes", k, "config", "settings of owltd as an object");
}

static int name_cmp(const void *a, const void *b)
{
	return strcmp((*(const struct topo_node *const *)a)->name,
		(*(const struct topo_node *const *)b)->name);
}

static int id_cmp(const void *a, const void *b)
{
	node_id x = (*(const struct topo_node *const *)a)->id,
		y = (*(const struct topo_node *const *)b)->id;

	return (x > y) - (x < y);
}

/* Names and ids must differ; afterwards by_name serves the links. */
static void index_names(struct reader *r)
{
	size_t n = r->t->n_nodes;

	r->by_name = calloc(n + 1, sizeof(const struct topo_node *));
	if (!r->by_name) {
		problem(r, -ENOMEM, "", "out of memory");
		return;
	}
	for (size_t i = 0; i < n; i++)
		r->by_name[i] = &r->t->node[i];
	qsort(r->by_name, n, sizeof(const struct topo_node *), id_cmp);
	for (size_t i = 1; i < n; i++)
		if (r->by_name[i]->id == r->by_name[i - 1]->id)
			problem(r, -E_DUPLICATE, "nodes", "two nodes have the same id");
	qsort(r->by_name, n, sizeof(const struct topo_node *), name_cmp);
	for (size_t i = 1; i < n; i++)
		if (strcmp(r->by_name[i]->name, r->by_name[i - 1]->name) == 0)
			problem(r, -E_DUPLICATE, "nodes", "two nodes have the same name");
}

static bool node_of(struct reader *r, const struct json *v, unsigned *index)
{
	const char *s = json_text(v);
	struct topo_node key;
	const struct topo_node *k = &key, **found = NULL;
	size_t i;

	if (!s || !r->by_name)
		return false;
	if (strlen(s) < TOPO_NAME_MAX) {
		strcpy(key.name, s);
		found = bsearch(
			&k, r->by_name, r->t->n_nodes, sizeof(const struct topo_node *), name_cmp);
	}
	i = found ? (size_t)(*found - r->t->node) : topo_node_index(r->t, s);
	*index = (unsigned)i;
	return i != SIZE_MAX;
}

static const char *const link_keys[] = {"name", "a", "b", "a_to_b", "b_to_a", "mtu", "rate", "owlt",
	"loss", "bit_error_rate", "duplicate", "reorder", "reorder_delay", "queue", NULL};

static void read_link(struct reader *r, const struct json *v, unsigned k)
{
	struct topo_link *l = &r->t->link[r->t->n_links];
	const struct json *ab = json_get(v, "a_to_b"), *ba = json_get(v, "b_to_a");
	const char *key = value_unknown_key(v, link_keys);
	struct link_params both = link_params_default();

	if (key) {
		problem_at(r, "links", k, key, "unknown key");
		return;
	}
	if (!node_of(r, json_get(v, "a"), &l->a) || !node_of(r, json_get(v, "b"), &l->b) ||
		l->a == l->b) {
		problem_at(r, "links", k, NULL, "\"a\" and \"b\" must name two nodes");
		return;
	}
	if (json_get(v, "name") ? !name_copy(json_get(v, "name"), l->name)
				: snprintf(l->name, sizeof l->name, "%s-%s", r->t->node[l->a].name,
					  r->t->node[l->b].name) >= (int)sizeof l->name)
		problem_at(r, "links", k, "name",
			"a name of up to 31 letters, digits, - _ . is needed");
	if (params_read(v, &both, &key))
		problem_at(r, "links", k, key, "not a value for this key");
	l->a_to_b = l->b_to_a = both;
	key = NULL;
	if (ab && (value_unknown_key(ab, link_keys + 5) || params_read(ab, &l->a_to_b, &key)))
		problem_at(r, "links", k, "a_to_b", key ? key : "unknown key");
	key = NULL;
	if (ba && (value_unknown_key(ba, link_keys + 5) || params_read(ba, &l->b_to_a, &key)))
		problem_at(r, "links", k, "b_to_a", key ? key : "unknown key");
	l->mtu_bytes = l->a_to_b.mtu_bytes < l->b_to_a.mtu_bytes ? l->a_to_b.mtu_bytes
								 : l->b_to_a.mtu_bytes;
	r->t->n_links++;
}

/* "loss": a chance, or the model of Gilbert and Elliott. */
static int loss_read(const struct json *v, struct link_params *p)
{
	static const char *const known[] = {"model", "p", "r", "good", "bad", NULL};
	const char *model = json_text(json_get(v, "model"));

	if (json_type(v) != JSON_OBJECT) {
		p->loss = v ? LOSS_UNIFORM : p->loss;
		return value_chance(v, &p->loss_p);
	}
	if (!model || value_unknown_key(v, known))
		return -E_CONFIG;
	if (strcmp(model, "uniform") == 0) {
		p->loss = LOSS_UNIFORM;
		return json_get(v, "p") ? value_chance(json_get(v, "p"), &p->loss_p) : -E_CONFIG;
	}
	p->loss = LOSS_GILBERT;
	if (strcmp(model, "gilbert") != 0 || !json_get(v, "p") || !json_get(v, "r") ||
		value_chance(json_get(v, "p"), &p->ge_p) ||
		value_chance(json_get(v, "r"), &p->ge_r) ||
		value_chance(json_get(v, "good"), &p->ge_good) ||
		value_chance(json_get(v, "bad"), &p->ge_bad))
		return -E_CONFIG;
	return 0;
}

/* 0, or negative and the key that is wrong. */
static int params_read(const struct json *v, struct link_params *p, const char **key)
{
	int err;

	if (json_type(v) != JSON_OBJECT) {
		*key = "must be an object";
		return -E_TYPE;
	}
	*key = "loss";
	if ((err = loss_read(json_get(v, *key), p)) != 0)
		return err;
	if ((err = value_bytes(json_get(v, *key = "mtu"), &p->mtu_bytes)) != 0 ||
		p->mtu_bytes < 68 || p->mtu_bytes > 65535)
		return err ? err : -E_RANGE;
	if ((err = value_rate(json_get(v, *key = "rate"), &p->rate_bps)) != 0 ||
		p->rate_bps > PLAN_RATE_MAX)
		return err ? err : -E_RANGE;
	if ((err = value_duration(json_get(v, *key = "owlt"), &p->owlt_us)) != 0 ||
		p->owlt_us > PLAN_OWLT_MAX)
		return err ? err : -E_RANGE;
	if ((err = value_chance(json_get(v, *key = "bit_error_rate"), &p->bit_error_rate)) != 0 ||
		(err = value_chance(json_get(v, *key = "duplicate"), &p->duplicate_p)) != 0 ||
		(err = value_chance(json_get(v, *key = "reorder"), &p->reorder_p)) != 0 ||
		(err = value_duration(json_get(v, *key = "reorder_delay"), &p->reorder_us)) != 0 ||
		(err = value_bytes(json_get(v, *key = "queue"), &p->queue_bytes)) != 0)
		return err;
	return p->reorder_us > PLAN_OWLT_MAX ? -E_RANGE : 0;
}

static void read_traffic(struct reader *r, const struct json *v, unsigned k)
{
	static const char *const known[] = {"from", "to", "at", "every", "count", "size", "custody",
		"kept", "lifetime", "priority", "service", NULL};
	static const char *const priorities[] = {"bulk", "standard", "expedited"};
	struct topo_traffic *f = &r->t->traffic[r->t->n_traffic];
	const char *key = value_unknown_key(v, known), *to = json_text(json_get(v, "to"));
	const char *prio = json_text(json_get(v, "priority"));
	const struct json *count = json_get(v, "count"), *service = json_get(v, "service");
	struct eid e;

	*f = (struct topo_traffic){.every_us = US_PER_S,
		.count = 1,
		.size_bytes = 1000,
		.lifetime_us = 3600 * US_PER_S,
		.priority = 1,
		.from_service = 1};
	for (unsigned i = 0; prio && i < 3; i++)
		f->priority = strcmp(prio, priorities[i]) == 0 ? i : f->priority;
	if (key)
		problem_at(r, "traffic", k, key, "unknown key");
	else if (!node_of(r, json_get(v, "from"), &f->from))
		problem_at(r, "traffic", k, "from", "must name a node");
	else if (!to || eid_parse(to, &e) || e.node == NODE_NONE)
		problem_at(r, "traffic", k, "to", "an endpoint such as \"ipn:2.1\" is needed");
	else if (value_duration(json_get(v, "at"), &f->at) ||
		 value_duration(json_get(v, "every"), &f->every_us))
		problem_at(r, "traffic", k, "at", "\"at\" and \"every\" are durations");
	else if ((count && json_u64(count, &f->count)) ||
		 value_bytes(json_get(v, "size"), &f->size_bytes))
		problem_at(r, "traffic", k, "count", "\"count\" is a number, \"size\" bytes");
	else if (value_duration(json_get(v, "lifetime"), &f->lifetime_us) || f->lifetime_us <= 0)
		problem_at(r, "traffic", k, "lifetime", "a duration above 0");
	else if (json_get(v, "custody") && json_bool(json_get(v, "custody"), &f->custody))
		problem_at(r, "traffic", k, "custody", "true or false");
	else if (json_get(v, "kept") && json_bool(json_get(v, "kept"), &f->kept))
		problem_at(r, "traffic", k, "kept", "true or false");
	else if (json_get(v, "priority") && (!prio || strcmp(prio, priorities[f->priority]) != 0))
		problem_at(r, "traffic", k, "priority", "bulk, standard or expedited");
	else if (service && json_u64(service, &f->from_service))
		problem_at(r, "traffic", k, "service", "the sender's service number");
	else {
		f->to_node = e.node;
		f->to_service = e.service;
		r->t->n_traffic++;
	}
}

static void read_plan(struct reader *r, struct view plan_text)
{
	const struct json *plan = json_get(r->t->doc, "plan");
	int err = 0;

	if (!plan || r->err == -ENOMEM)
		return;
	if (json_type(plan) == JSON_OBJECT)
		err = plan_read_own(plan, r->text, "plan", &r->t->plan, r->notes);
	else if (json_text(plan) && plan_text.p)
		err = plan_read(plan_text, PLAN_AUTO, &r->t->plan, r->notes);
	else
		problem(r, -E_CONFIG, "plan",
			json_text(plan) ? "the file was not read" : "a file name or an object");
	if (err && !r->err)
		r->err = err;
	if (r->t->plan && names_join(&r->t->names, &r->t->plan->names))
		problem(r, -ENOMEM, "", "out of memory");
	if (r->t->plan)
		check_plan(r);
}

static int pair_cmp(const void *a, const void *b)
{
	const node_id *x = a, *y = b;

	if (x[0] != y[0])
		return x[0] < y[0] ? -1 : 1;
	return (x[1] > y[1]) - (x[1] < y[1]);
}

/* Contacts that no link can carry are worth a warning: they mislead the router. */
static void check_plan(struct reader *r)
{
	const struct topo *t = r->t;
	node_id(*pair)[2] = calloc(2 * t->n_links + 1, sizeof *pair);
	char from[64], to[64];

	if (!pair) {
		problem(r, -ENOMEM, "", "out of memory");
		return;
	}
	for (size_t i = 0; i < t->n_links; i++) {
		pair[2 * i][0] = pair[2 * i + 1][1] = t->node[t->link[i].a].id;
		pair[2 * i][1] = pair[2 * i + 1][0] = t->node[t->link[i].b].id;
	}
	qsort(pair, 2 * t->n_links, sizeof *pair, pair_cmp);
	for (size_t i = 0; i < t->plan->n_contacts; i++) {
		const struct contact *c = &t->plan->contact[i];
		node_id key[2] = {c->from, c->to};
		if (bsearch(key, pair, 2 * t->n_links, sizeof *pair, pair_cmp))
			continue;
		names_print(&t->names, c->from, from, sizeof from);
		names_print(&t->names, c->to, to, sizeof to);
		plan_note(r->notes, 0, false, "contact %u: no link joins %s and %s", c->index, from,
			to);
	}
	free(pair);
}
