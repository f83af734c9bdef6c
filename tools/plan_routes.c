/*
 * owlt plan routes: the best routes in a plan of a file, or in the one that a running node has. The node
 * hands over its plan and its clock (status "contact_plan"); the search is here, so that asking costs the
 * node no time. Start at plan_routes.
 */
#include "dtn/route/paths.h"
#include "tools/connect.h"
#include "tools/plan_text.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUTES_LIMIT 100

struct settings {
	bool json, all;
	const char *socket, *format;
	const char *from, *to, *at, *expiry, *margin, *priority;
	uint64_t limit, size_bytes, backlog_bytes;
	char node[EID_TEXT_MAX],
		now[32]; /* of the node that was asked: --from and --at if not given */
};

static void route_json(struct out *o, const struct plan *plan, const struct path *p)
{
	jw_object(&o->w, NULL);
	jw_array(&o->w, "contacts");
	for (unsigned k = 0; k < p->hops; k++) {
		const struct contact *c = p->contact[k];
		jw_object(&o->w, NULL);
		jw_u64(&o->w, "index", c->index);
		plan_put_node(o, "from", plan, c->from);
		plan_put_node(o, "to", plan, c->to);
		plan_put_time(o, "start", c->start);
		plan_put_time(o, "end", c->end);
		jw_object_end(&o->w);
	}
	jw_array_end(&o->w);
	plan_put_node(o, "next_hop", plan, p->contact[0]->to);
	plan_put_time(o, "arrival", p->arrival);
	jw_u64(&o->w, "hops", p->hops);
	plan_put_time(o, "from_time", p->from_time);
	plan_put_time(o, "to_time", p->to_time);
	jw_object_end(&o->w);
}

static void route_text(struct out *o, const struct plan *plan, const struct path *p, size_t rank)
{
	char a[EID_TEXT_MAX], b[EID_TEXT_MAX];

	names_print(&plan->names, p->contact[0]->to, a, sizeof a);
	out_text(o, "%zu. arrival %s s, %u hop%s, by %s, until %s%s\n", rank,
		plan_time_text(p->arrival, b, sizeof b), p->hops, p->hops == 1 ? "" : "s", a,
		plan_time_text(p->to_time, (char[32]){0}, 32),
		p->to_time == MONO_NEVER ? "" : " s");
	for (unsigned k = 0; k < p->hops; k++) {
		const struct contact *c = p->contact[k];
		names_print(&plan->names, c->from, a, sizeof a);
		names_print(&plan->names, c->to, b, sizeof b);
		out_text(o, "   contact %-5u %s > %s", c->index, a, b);
		out_text(o, "  %s", plan_time_text(c->start, a, sizeof a));
		out_text(o, " to %s%s\n", plan_time_text(c->end, a, sizeof a),
			c->end == MONO_NEVER ? "" : " s");
	}
}

static void routes_print(struct out *o, const struct plan *plan, const struct paths *found)
{
	if (!o->json) {
		for (size_t i = 0; i < found->n; i++)
			route_text(o, plan, &found->path[i], i + 1);
		if (found->n == 0)
			out_text(o, "no route\n");
		return;
	}
	jw_array(&o->w, NULL);
	for (size_t i = 0; i < found->n; i++)
		route_json(o, plan, &found->path[i]);
	jw_array_end(&o->w);
}

/* Settings as a query. 0, or an exit code after a message. */
static int routes_query(
	const struct plan_file *f, const struct settings *set, struct paths_query *q)
{
	static const char *const priorities[] = {"bulk", "standard", "expedited"};
	dtntime ref = f->plan->reference_ms;
	bool known = false;

	*q = (struct paths_query){.expiry = MONO_NEVER,
		.size_bytes = set->size_bytes,
		.limit = set->all || set->limit ? set->limit : 1};
	if (set->all && !set->limit)
		q->limit = ROUTES_LIMIT;
	for (int i = 0; i < 3; i++)
		known |= strcmp(set->priority, priorities[i]) == 0;
	if (!set->from || !set->to)
		return out_fail("plan routes: --from NODE and --to NODE are needed");
	if (plan_file_node(f, set->from, &q->from))
		return out_fail("plan routes: --from: '%s' is no node; use a number, ipn:N.0 or "
				"dtn://name/",
			set->from);
	if (plan_file_node(f, set->to, &q->to))
		return out_fail(
			"plan routes: --to: '%s' is no node; use a number, ipn:N.0 or dtn://name/",
			set->to);
	if (plan_parse_time(set->at ? set->at : "0", ref, &q->at) ||
		(set->expiry && plan_parse_time(set->expiry, ref, &q->expiry)))
		return out_fail("plan routes: --at and --expiry are seconds, or UTC where the plan "
				"has a reference");
	if (set->margin && strcmp(set->margin, "sabr") != 0 && strcmp(set->margin, "none") != 0)
		return out_fail(
			"plan routes: --owlt-margin is sabr or none, not '%s'", set->margin);
	if (!known)
		return out_fail("plan routes: --priority is bulk, standard or expedited, not '%s'",
			set->priority);
	if (set->backlog_bytes)
		return out_fail("plan routes: --backlog needs contact volumes, which this version "
				"does not count");
	q->margin_sabr = !set->margin || strcmp(set->margin, "sabr") == 0;
	return 0;
}

/* The running node's own plan, its clock and its name, as a file of that plan would be. 0, or an exit code. */
static int ask_node(struct plan_file *f, struct settings *set)
{
	struct owlt *node = connect_node("plan routes", set->socket);
	struct json *doc = NULL;
	const struct json *plan;
	const char *text;
	unsigned line;
	int64_t now = 0;
	bool margin = true;
	size_t n;
	int err;

	*f = (struct plan_file){.name = "the node's plan"};
	f->notes = (struct plan_notes){f->note, 0, PLAN_NOTES_MAX};
	if (!node)
		return EXIT_USAGE;
	err = owlt_status(node, "contact_plan", &text, &n);
	if (!err)
		err = json_parse(view_of(text, n), &doc, &line);
	plan = json_get(doc, "plan");
	if (!err && json_type(plan) == JSON_OBJECT) {
		err = plan_read_json(plan, &f->own, &f->notes);
		f->plan = f->own;
	}
	if (!err && f->plan && json_i64(json_get(doc, "plan_now_us"), &now) == 0)
		plan_time_text(now, set->now, sizeof set->now);
	if (!err && json_text(json_get(doc, "node")))
		snprintf(set->node, sizeof set->node, "%s", json_text(json_get(doc, "node")));
	if (!err && !set->margin && json_bool(json_get(doc, "margin_sabr"), &margin) == 0)
		set->margin = margin ? "sabr" : "none";
	json_free(doc);
	owlt_close(node);
	if (err == -E_LIMIT || err == -E_FULL)
		return out_fail("plan routes: the node's plan is too large to be handed over; "
				"name its file");
	if (err)
		return out_fail("plan routes: the node's plan: %s", owlt_error_text(err));
	if (!f->plan)
		return out_fail("plan routes: the node has no plan, its links are always open; "
				"name a PLAN");
	set->from = set->from ? set->from : set->node;
	set->at = set->at ? set->at : set->now;
	return 0;
}

int plan_routes(int argc, char **argv)
{
	static const struct opt opts[] = {
		{"from", 0, OPT_TEXT, offsetof(struct settings, from), "NODE",
			"where the bundle is (default: the node asked)", NULL},
		{"to", 0, OPT_TEXT, offsetof(struct settings, to), "NODE", "where it shall go",
			NULL},
		{"at", 0, OPT_TEXT, offsetof(struct settings, at), "TIME",
			"when it is ready (default 0; of a node, now)", NULL},
		{"all", 0, OPT_FLAG, offsetof(struct settings, all), NULL,
			"all loop-free routes, best first, up to --limit (default 100)", NULL},
		{"limit", 0, OPT_U64, offsetof(struct settings, limit), "N", "at most N routes",
			NULL},
		{"size", 0, OPT_BYTES, offsetof(struct settings, size_bytes), "BYTES",
			"size of the bundle (default 0)", NULL},
		{"priority", 0, OPT_TEXT, offsetof(struct settings, priority), "P",
			"bulk, standard or expedited; of no effect, as no volumes are counted yet",
			NULL},
		{"expiry", 0, OPT_TEXT, offsetof(struct settings, expiry), "TIME",
			"arrival at this time or before", NULL},
		{"backlog", 0, OPT_BYTES, offsetof(struct settings, backlog_bytes), "BYTES",
			"queued before it (only 0 so far)", NULL},
		{"owlt-margin", 0, OPT_TEXT, offsetof(struct settings, margin), "sabr|none",
			"SABR's margin on light time (default sabr; of a node, its own)", NULL},
		CONNECT_OPT(struct settings), PLAN_OPT_FORMAT(struct settings),
		PLAN_OPT_JSON(struct settings), {0}};
	static const struct opt_command cmd = {"plan routes", "[PLAN]",
		"The best routes from a node to another", opts,
		"Without PLAN the running node's own is taken. Order: arrival, fewer hops, later "
		"end, smaller next hop. Exit: 0 a route, 1 none, "
		"2 usage."};
	struct settings set = {.priority = "standard"};
	struct opt_rest rest = opt_read(&cmd, argc, argv, &set, 0, 1);
	struct paths found = {0};
	struct paths_query q;
	struct plan_file f;
	struct out o;
	int code;

	if (rest.done)
		return rest.code;
	code = rest.argc == 0                                 ? ask_node(&f, &set)
	       : plan_file_open(&f, rest.argv[0], set.format) ? EXIT_USAGE
							      : 0;
	if (!code)
		code = routes_query(&f, &set, &q);
	else if (rest.argc > 0)
		return code;
	if (!code && paths_find(f.plan, &q, &found))
		code = out_fail("plan routes: out of memory");
	if (!code) {
		out_begin(&o, set.json);
		routes_print(&o, f.plan, &found);
		code = out_end(&o) ? EXIT_USAGE : found.n ? EXIT_YES : EXIT_NO;
	}
	paths_fini(&found);
	plan_file_free(&f);
	return code;
}
