/*
 * owlt status: what a node knows and does, owlt-status(1). The node answers with a JSON document
 * (dtn/daemon/control.c); --json prints it as it is, else every value gets a line, and every element
 * of a list one line of key=value. Start reading at cmd_status.
 */
#include "tools/commands.h"
#include "tools/connect.h"
#include "tools/opt.h"
#include "tools/out.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct args {
	const char *socket;
	bool health, json;
};

#define AT(field) offsetof(struct args, field)

static const struct opt opts[] = {
	{"health", 0, OPT_FLAG, AT(health), NULL,
		"exit 0 if the node is ready, 1 if not, 2 if there is none", NULL},
	CONNECT_OPT(struct args), {"json", 0, OPT_FLAG, AT(json), NULL, "one JSON document", NULL},
	{0}};

static const struct opt_command command = {"status",
	"[nodes | bundles | links | custody | tunnels | plan]", "what a node knows and does", opts,
	"Without an operand: a summary and the counters that are not 0 (--json: all)."};

static int show(struct owlt *node, const char *what, const struct args *a);
static void print_members(const struct json *v, const char *prefix);
static void print_value(const struct json *v);

int cmd_status(int argc, char **argv)
{
	struct args a = {0};
	struct opt_rest rest = opt_read(&command, argc, argv, &a, 0, 1);
	struct owlt *node;
	int code;

	if (rest.done)
		return rest.code;
	node = connect_node("status", a.socket);
	if (!node)
		return EXIT_USAGE;
	code = show(node, rest.argc ? rest.argv[0] : "", &a);
	owlt_close(node);
	return code;
}

static int show(struct owlt *node, const char *what, const struct args *a)
{
	const char *text;
	struct json *doc;
	unsigned line;
	bool ready = false;
	size_t n;
	int err = owlt_status(node, a->health ? "" : what, &text, &n);

	if (err == -E_UNKNOWN)
		return out_fail("status: \"%s\" is none of nodes, bundles, links, custody, "
				"tunnels, plan",
			what);
	if (err)
		return out_fail("status: %s", owlt_error_text(err));
	if (a->json) {
		printf("%.*s\n", (int)n, text);
		if (!a->health)
			return EXIT_YES;
	}
	if (json_parse(view_of(text, n), &doc, &line))
		return out_fail("status: the node's answer cannot be read");
	if (a->health && json_bool(json_get(doc, "ready"), &ready))
		ready = false;
	if (a->health && !a->json)
		puts(ready ? "ready" : "not ready");
	else if (!a->health)
		print_members(doc, "");
	json_free(doc);
	return a->health && !ready ? EXIT_NO : EXIT_YES;
}

static void print_row(const struct json *v)
{
	const char *gap = "  ";

	if (json_type(v) != JSON_OBJECT) {
		printf("  ");
		print_value(v);
	}
	for (const struct json *m = json_type(v) == JSON_OBJECT ? json_first(v) : NULL; m;
		m = json_next(m)) {
		for (const struct json *x = json_type(m) == JSON_OBJECT ? json_first(m) : NULL; x;
			x = json_next(x), gap = " ") {
			printf("%s%s.%s=", gap, json_key(m), json_key(x));
			print_value(x);
		}
		if (json_type(m) == JSON_OBJECT)
			continue;
		printf("%s%s=", gap, json_key(m));
		print_value(m);
		gap = " ";
	}
	puts("");
}

static bool is_zero(const struct json *v)
{
	int64_t i;

	return json_i64(v, &i) == 0 && i == 0;
}

static void print_members(const struct json *v, const char *prefix)
{
	char inner[128];

	for (const struct json *m = json_first(v); m; m = json_next(m)) {
		switch (json_type(m)) {
		case JSON_OBJECT:
			snprintf(inner, sizeof inner, "%s%s.", prefix, json_key(m));
			print_members(m, inner);
			break;
		case JSON_ARRAY:
			printf("%s%s: %zu\n", prefix, json_key(m), json_size(m));
			for (const struct json *e = json_first(m); e; e = json_next(e))
				print_row(e);
			break;
		default:
			if (strcmp(prefix, "counters.") == 0 && is_zero(m))
				break;
			printf("%s%s: ", prefix, json_key(m));
			print_value(m);
			puts("");
		}
	}
}

static void print_value(const struct json *v)
{
	int64_t i;
	double d;
	bool yes;

	if (json_text(v))
		fputs(json_text(v), stdout);
	else if (json_bool(v, &yes) == 0)
		fputs(yes ? "yes" : "no", stdout);
	else if (json_i64(v, &i) == 0)
		printf("%" PRId64, i);
	else if (json_double(v, &d) == 0)
		printf("%g", d);
	else
		fputs("-", stdout);
}
