/*
 * owlt bundle check | show | make | sign | encrypt | cancel: judging, showing and making bundles.
 * check judges the form, not the expiry; its lines are a contract ("valid", "invalid: RULE at byte N:
 * text"; rules: bundle/rule.def). Start reading at the tables at the end; making is in bundle_make.c,
 * signing in bundle_secure.c, cancelling in bundle_cancel.c, printing one in bundle_show.c.
 */
#include "tools/commands.h"
#include "tools/bundle.h"

#include "bundle/rule.h"
#include "tools/bundle_keys.h"
#include "tools/bundle_show.h"
#include "tools/opt.h"
#include "tools/out.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const struct flag_name bundle_flag_names[] = {{"fragment", BUNDLE_FRAGMENT},
	{"admin", BUNDLE_ADMIN}, {"no-fragment", BUNDLE_NO_FRAGMENT},
	{"ack-requested", BUNDLE_ACK_REQUESTED}, {"status-time", BUNDLE_STATUS_TIME},
	{"report-reception", BUNDLE_REPORT_RECEPTION},
	{"report-forwarding", BUNDLE_REPORT_FORWARDING},
	{"report-delivery", BUNDLE_REPORT_DELIVERY}, {"report-deletion", BUNDLE_REPORT_DELETION},
	{NULL, 0}};

struct check_args {
	const char *hex, *keys;
	bool json, stream, no_primary_crc, no_age, definite, short_dtn, from_outside, bplib;
};

#define AT(field) offsetof(struct check_args, field)

#define OPTS_CHECK                                                                                 \
	{"hex", 0, OPT_TEXT, AT(hex), "HEX", "the bundle as hexadecimal text instead of a file",   \
		NULL},                                                                             \
		{"stream", 0, OPT_FLAG, AT(stream), NULL,                                          \
			"several bundles one after the other; one line each", NULL},               \
		{"json", 0, OPT_FLAG, AT(json), NULL,                                              \
			"one JSON document (with --stream one a line)", NULL},                     \
		{"allow-no-primary-crc", 0, OPT_FLAG, AT(no_primary_crc), NULL,                    \
			"accept a primary block with neither CRC nor integrity block", NULL},      \
		{"allow-no-age", 0, OPT_FLAG, AT(no_age), NULL,                                    \
			"accept creation time 0 without a bundle age block", NULL},                \
		{"allow-definite", 0, OPT_FLAG, AT(definite), NULL,                                \
			"accept a definite outer array", NULL},                                    \
		{"allow-short-dtn", 0, OPT_FLAG, AT(short_dtn), NULL,                              \
			"accept dtn endpoint IDs without //", NULL},                               \
		{"from-outside", 0, OPT_FLAG, AT(from_outside), NULL,                              \
			"also refuse LocalNode (ipn:!.x) as source or destination", NULL},         \
	{                                                                                          \
		"bplib", 0, OPT_FLAG, AT(bplib), NULL,                                             \
			"custody code points of bplib: block 15, record 4", NULL                   \
	}

static const struct opt check_opts[] = {OPTS_CHECK, {0}};
static const struct opt show_opts[] = {OPTS_CHECK,
	{"keys", 0, OPT_TEXT, AT(keys), "FILE",
		"verify and decrypt with the keys of this file, and say what came of it", NULL},
	{0}};

/* Called for each bundle of the input; false stops with exit 1. */
struct look {
	struct bundle_rules rules;
	struct keyring *ring; /* NULL: none was named */
};
typedef bool (*each_fn)(
	struct out *o, const struct bundle *b, struct bundle_fault *fault, const struct look *look);

static struct bundle_rules rules_of(const struct check_args *a)
{
	struct bundle_rules rules = bundle_rules_default();

	rules.allow_no_primary_crc = a->no_primary_crc;
	rules.allow_no_age = a->no_age;
	rules.allow_definite = a->definite;
	rules.allow_short_dtn = a->short_dtn;
	rules.from_outside = a->from_outside;
	if (a->bplib)
		rules.custody = custody_codes_bplib();
	return rules;
}

/* What is often given in the place of a bundle: said, besides the verdict. */
static void input_hint(const char *name, const char *file, struct view v)
{
	static const uint8_t captures[][4] = {{0xd4, 0xc3, 0xb2, 0xa1}, {0x4d, 0x3c, 0xb2, 0xa1},
		{0xa1, 0xb2, 0xc3, 0xd4}, {0xa1, 0xb2, 0x3c, 0x4d}, {0x0a, 0x0d, 0x0d, 0x0a}};

	for (size_t i = 0; v.n >= 4 && i < sizeof captures / sizeof captures[0]; i++)
		if (memcmp(v.p, captures[i], 4) == 0)
			out_fail("%s: %s is a capture of frames; tshark -r %s -Y bpv7 -V shows the "
				 "bundles in it",
				name, file, file);
	if (v.n >= 4 && (memcmp(v.p, "9f88", 4) == 0 || memcmp(v.p, "9f89", 4) == 0))
		out_fail("%s: %s is a bundle in hexadecimal text; --hex takes that", name, file);
}

/* The input that the arguments name; 0 or EXIT_USAGE. */
static int input_open(const char *name, const struct check_args *a, const struct opt_rest *rest,
	uint8_t **bytes, size_t *n)
{
	if (a->hex && rest->argc)
		return out_fail("%s: either --hex or a file, not both", name);
	if (a->hex)
		return input_hex(a->hex, bytes, n) ? out_fail("%s: --hex: not hexadecimal", name)
						   : 0;
	if (!rest->argc && isatty(0))
		return out_fail("%s: which bundle? a file, - or --hex", name);
	if (input_read(rest->argc ? rest->argv[0] : "-", bytes, n))
		return EXIT_USAGE;
	input_hint(name, rest->argc ? rest->argv[0] : "standard input", view_of(*bytes, *n));
	return 0;
}

static int for_each(struct view input, const struct check_args *a, struct keyring *ring,
	struct out *o, each_fn each)
{
	struct look look = {rules_of(a), ring};
	bool good = true;

	do {
		struct bundle b;
		struct bundle_fault fault;
		size_t used = input.n;
		int err = a->stream ? bundle_read_first(&b, input, &look.rules, &fault, &used)
				    : bundle_read(&b, input, &look.rules, &fault);
		good = each(o, err ? NULL : &b, &fault, &look);
		input = view_sub(input, used, input.n - used);
	} while (good && input.n);
	return good ? EXIT_YES : EXIT_NO;
}

static int judge(const struct opt_command *cmd, int argc, char **argv, each_fn each)
{
	struct check_args a = {0};
	struct opt_rest rest = opt_read(cmd, argc, argv, &a, 0, 1);
	struct keyring *ring = NULL;
	uint8_t *bytes = NULL;
	size_t n = 0;
	struct out o;
	int code, end = 0;

	if (rest.done)
		return rest.code;
	if (a.keys && keys_load(a.keys, &ring))
		return EXIT_USAGE;
	code = input_open(cmd->name, &a, &rest, &bytes, &n);
	if (!code) {
		out_begin(&o, a.json);
		code = for_each(view_of(bytes, n), &a, ring, &o, each);
		end = out_end(&o);
	}
	free(bytes);
	keyring_free(ring);
	return end ? end : code;
}

static bool each_check(
	struct out *o, const struct bundle *b, struct bundle_fault *fault, const struct look *look)
{
	(void)look;
	if (b && bpsec_check(b, fault))
		b = NULL;
	if (o->json) {
		jw_object(&o->w, NULL);
		jw_bool(&o->w, "valid", b != NULL);
		if (!b) {
			out_string(o, "rule", rule_name(fault->rule));
			jw_u64(&o->w, "offset", fault->at);
			out_string(o, "text", rule_text(fault->rule));
		} else {
			jw_null(&o->w, "rule");
			jw_null(&o->w, "offset");
			jw_null(&o->w, "text");
		}
		jw_object_end(&o->w);
		out_line(o);
	} else if (b) {
		out_text(o, "valid\n");
	} else {
		out_text(o, "invalid: %s at byte %zu: %s\n", rule_name(fault->rule), fault->at,
			rule_text(fault->rule));
	}
	return b != NULL;
}

static bool unlocked_show(struct out *o, const struct bundle *b, const struct look *look)
{
	struct unlocked *u = calloc(1, sizeof *u);
	struct view whole = view_of(b->head.p, b->head.n + b->payload.n + b->tail.n);
	bool good = false;

	if (!u || bundle_unlock(u, whole, &look->rules, look->ring)) {
		out_no("bundle show: %s",
			u ? "what was decrypted makes no valid bundle" : "no memory");
	} else {
		bundle_show(o, &u->b, &look->rules.custody, u);
		good = unlocked_good(u);
	}
	if (u)
		unlocked_free(u);
	free(u);
	out_line(o);
	return good;
}

static bool each_show(
	struct out *o, const struct bundle *b, struct bundle_fault *fault, const struct look *look)
{
	if (!b) {
		out_no("bundle show: invalid: %s at byte %zu: %s", rule_name(fault->rule),
			fault->at, rule_text(fault->rule));
		return false;
	}
	if (look->ring)
		return unlocked_show(o, b, look);
	bundle_show(o, b, &look->rules.custody, NULL);
	out_line(o);
	return true;
}

static int run_check(int argc, char **argv)
{
	static const struct opt_command cmd = {"bundle check", "[FILE or -]",
		"Judges whether bytes are one bundle in the form RFC 9171 demands; its expiry is "
		"not looked at",
		check_opts,
		"Prints \"valid\" or \"invalid: RULE at byte N: text\". Exit status: 0 valid, 1 "
		"not, 2 usage."};

	return judge(&cmd, argc, argv, each_check);
}

static int run_show(int argc, char **argv)
{
	static const struct opt_command cmd = {"bundle show", "[FILE or -]",
		"Shows every block of a bundle, and its administrative record", show_opts,
		"With --keys: exit status 1 if an operation failed."};

	return judge(&cmd, argc, argv, each_show);
}

/* The rules as the man page lists them. */
static int run_rules(int argc, char **argv)
{
	static const struct opt opts[] = {
		{"json", 0, OPT_FLAG, 0, NULL, "an array of {rule, text}", NULL}, {0}};
	static const struct opt_command cmd = {
		"bundle rules", "", "Lists the rules that bundles are judged by", opts, NULL};
	bool json = false;
	struct opt_rest rest = opt_read(&cmd, argc, argv, &json, 0, 0);
	struct out o;

	if (rest.done)
		return rest.code;
	out_begin(&o, json);
	if (json)
		jw_array(&o.w, NULL);
	for (unsigned k = 1; k < RULES; k++) {
		out_text(&o, "%-24s %s\n", rule_name(k), rule_text(k));
		if (!json)
			continue;
		jw_object(&o.w, NULL);
		out_string(&o, "rule", rule_name(k));
		out_string(&o, "text", rule_text(k));
		jw_object_end(&o.w);
	}
	if (json)
		jw_array_end(&o.w);
	return out_end(&o);
}

int cmd_bundle(int argc, char **argv)
{
	static const struct subcommand table[] = {
		{"make", bundle_make, "make a bundle from options"},
		{"sign", bundle_sign, "add an integrity block"},
		{"encrypt", bundle_encrypt, "add a confidentiality block"},
		{"check", run_check, "judge a bundle's form"},
		{"show", run_show, "show every block of a bundle"},
		{"cancel", bundle_cancel, "give up a bundle that was sent from here"},
		{"rules", run_rules, "list the rules of check"}, {0}};

	return opt_dispatch("owlt bundle", table, argc, argv);
}
