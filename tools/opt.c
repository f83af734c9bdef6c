/*
 * Option tables: see opt.h. Parsing is our own (not getopt_long) because one table must give
 * parsing, help, man page and completion, and because the messages say what to do.
 * Start reading at opt_read(), then opt_dispatch().
 */
#include "tools/opt.h"

#include "bundle/base/units.h"
#include "tools/out.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELP_COLUMNS 96
#define HELP_INDENT 33

static bool help_wanted(const struct opt_command *cmd, const char *arg);
static int option_read(const struct opt_command *cmd, int *k, int argc, char **argv, void *into);
static int value_store(const struct opt *o, const char *arg, void *into);

struct opt_rest opt_read(
	const struct opt_command *cmd, int argc, char **argv, void *into, int min, int max)
{
	struct opt_rest rest = {.argv = argv};
	bool options = true;

	for (int k = 1; k < argc && !rest.done; k++) {
		const char *arg = argv[k];
		if (options && strcmp(arg, "--") == 0) {
			options = false;
		} else if (options && help_wanted(cmd, arg)) {
			rest.done = true;
		} else if (options && arg[0] == '-' && arg[1]) {
			rest.code = option_read(cmd, &k, argc, argv, into);
			rest.done = rest.code != 0;
		} else {
			argv[rest.argc++] = argv[k];
		}
	}
	if (rest.done)
		return rest;
	if (rest.argc < min || (max >= 0 && rest.argc > max)) {
		rest.done = true;
		if (rest.argc < min)
			rest.code =
				out_fail("%s: an operand is missing; usage: owlt %s [OPTIONS] %s",
					cmd->name, cmd->name, cmd->operands);
		else
			rest.code = out_fail(
				"%s: '%s' is one operand too many; usage: owlt %s [OPTIONS] %s",
				cmd->name, rest.argv[max], cmd->name, cmd->operands);
	}
	return rest;
}

static const struct opt *option_find(const struct opt_command *cmd, const char *arg, size_t n)
{
	for (const struct opt *o = cmd->opts; o && o->name; o++) {
		if (arg[1] == '-' && strlen(o->name) == n - 2 &&
			strncmp(arg + 2, o->name, n - 2) == 0)
			return o;
		if (arg[1] != '-' && o->letter == arg[1])
			return o;
	}
	return NULL;
}

/* What an argument has to be, for the message about one that is not. */
static const char *kind_of(const struct opt *o)
{
	switch (o->type) {
	case OPT_U64:
		return "number from 0 to 2^64 - 1";
	case OPT_BYTES:
		return "size, such as 1500, 60k or 64Ki";
	case OPT_DURATION:
		return "duration, such as 250ms, 10s or 5m";
	case OPT_RATE:
		return "rate, such as 250000 or 1M";
	case OPT_REAL:
		return "number";
	default:
		return o->arg;
	}
}

/* One option at argv[*k], with its argument. 0 or an exit code. */
static int option_read(const struct opt_command *cmd, int *k, int argc, char **argv, void *into)
{
	const char *arg = argv[*k], *value = NULL;
	size_t n = strcspn(arg, "=");
	bool shortened = arg[1] != '-';
	const struct opt *o = option_find(cmd, arg, n);

	if (!o)
		return out_fail(
			"%s: unknown option %s; see owlt %s --help", cmd->name, arg, cmd->name);
	if (!shortened && arg[n] == '=')
		value = arg + n + 1;
	else if (shortened && arg[2])
		value = arg + 2;
	if (o->type == OPT_FLAG) {
		if (value)
			return out_fail("%s: --%s takes no argument", cmd->name, o->name);
		*(bool *)((char *)into + o->offset) = true;
		return 0;
	}
	if (!value && *k + 1 >= argc)
		return out_fail("%s: --%s needs %s", cmd->name, o->name, o->arg);
	if (!value)
		value = argv[++*k];
	if (o->type == OPT_CALL ? o->take(into, o->name, value) < 0
				: value_store(o, value, into) < 0)
		return out_fail("%s: --%s: '%s' is no %s", cmd->name, o->name, value, kind_of(o));
	return 0;
}

static int u64_read(const char *arg, uint64_t *out)
{
	char *end;
	int base = arg[0] == '0' && (arg[1] == 'x' || arg[1] == 'X') ? 16 : 10;

	if (arg[0] < '0' || arg[0] > '9')
		return -E_SYNTAX;
	errno = 0;
	*out = strtoull(arg, &end, base);
	return *end || errno ? -E_SYNTAX : 0;
}

static int real_read(const char *arg, double *out)
{
	char *end;

	*out = strtod(arg, &end);
	return end == arg || *end || !isfinite(*out) ? -E_SYNTAX : 0;
}

static int value_store(const struct opt *o, const char *arg, void *into)
{
	void *at = (char *)into + o->offset;

	switch (o->type) {
	case OPT_TEXT:
		*(const char **)at = arg;
		return 0;
	case OPT_U64:
		return u64_read(arg, at);
	case OPT_BYTES:
		return units_bytes(arg, at);
	case OPT_DURATION:
		return units_duration(arg, at);
	case OPT_RATE:
		return units_rate(arg, at);
	case OPT_REAL:
		return real_read(arg, at);
	default:
		return -E_TYPE;
	}
}

/* Words in lines of HELP_COLUMNS behind `indent` columns; the cursor is there already. An empty line stays. */
static void wrap_print(const char *text, int indent)
{
	int at = indent;

	text += strspn(text, " \n");
	while (*text) {
		int n = (int)strcspn(text, " \n"), gap = at > indent;

		if (gap && at + gap + n > HELP_COLUMNS) {
			printf("\n%*s", indent, "");
			at = indent;
			gap = 0;
		}
		at += printf("%s%.*s", gap ? " " : "", n, text);
		text += n;
		n = (int)strspn(text, " \n");
		if (text[n] && strncmp(text, "\n\n", 2) == 0) {
			printf("\n\n%*s", indent, "");
			at = indent;
		}
		text += n;
	}
	puts("");
}

/* An option and its sentence, which begins a line of its own behind an option that is too long. */
static void option_print(const char *left, const char *help)
{
	printf("  %-*s", HELP_INDENT - 2, left);
	if ((int)strlen(left) + 2 >= HELP_INDENT)
		printf("\n%*s", HELP_INDENT, "");
	wrap_print(help, HELP_INDENT);
}

static void help_print(const struct opt_command *cmd)
{
	char left[96];

	printf("usage: owlt %s [OPTIONS]%s%s\n\n%c%s.\n\nOptions:\n", cmd->name,
		*cmd->operands ? " " : "", cmd->operands, toupper((unsigned char)*cmd->summary),
		cmd->summary + 1);
	for (const struct opt *o = cmd->opts; o && o->name; o++) {
		char letter[] = "    ";
		if (o->letter)
			memcpy(letter, (char[]){'-', o->letter, ',', ' '}, 4);
		snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->arg ? " " : "",
			o->arg ? o->arg : "");
		option_print(left, o->help);
	}
	option_print("-h, --help", "this text");
	if (cmd->detail) {
		puts("");
		wrap_print(cmd->detail, 0);
	}
}

/* Text for roff: "-" as a minus, backslashes and leading dots made harmless. */
static void roff_print(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '-')
			fputs("\\-", stdout);
		else if (*p == '\\')
			fputs("\\e", stdout);
		else if ((*p == '.' || *p == '\'') && (p == text || p[-1] == '\n'))
			printf("\\&%c", *p);
		else
			putchar(*p);
	}
}

static void man_print(const struct opt_command *cmd)
{
	printf(".SS owlt %s [OPTIONS] ", cmd->name);
	roff_print(cmd->operands);
	putchar('\n');
	roff_print(cmd->summary);
	puts(".");
	for (const struct opt *o = cmd->opts; o && o->name; o++) {
		fputs(".TP\n", stdout);
		if (o->letter)
			printf("\\fB\\-%c\\fR, ", o->letter);
		fputs("\\fB\\-\\-", stdout);
		roff_print(o->name);
		fputs("\\fR", stdout);
		if (o->arg) {
			fputs(" \\fI", stdout);
			roff_print(o->arg);
			fputs("\\fR", stdout);
		}
		putchar('\n');
		roff_print(o->help);
		puts(".");
	}
}

static bool help_wanted(const struct opt_command *cmd, const char *arg)
{
	if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
		help_print(cmd);
	} else if (strcmp(arg, "--version") == 0) {
		puts("owlt " OWLT_VERSION);
	} else if (strcmp(arg, "--help-man") == 0) {
		man_print(cmd);
	} else if (strcmp(arg, "--help-words") == 0) {
		for (const struct opt *o = cmd->opts; o && o->name; o++)
			printf("--%s\n", o->name);
		puts("--help");
	} else {
		return false;
	}
	return true;
}

static void subcommands_print(const char *title, const struct subcommand *table)
{
	printf("usage: %s COMMAND [OPTIONS] ...\n\n", title);
	for (const struct subcommand *s = table; s->name; s++)
		printf("  %-10s %s\n", s->name, s->summary);
	printf("\n%s COMMAND --help tells more about one.\n", title);
}

/* --help-man of a group is that of its members, one after the other. */
static int subcommands_man(const struct subcommand *table)
{
	for (const struct subcommand *s = table; s->name; s++) {
		char name[64], flag[] = "--help-man", *argv[] = {name, flag, NULL};
		snprintf(name, sizeof name, "%s", s->name);
		if (s->run)
			(void)s->run(2, argv);
	}
	return EXIT_YES;
}

int opt_dispatch(const char *title, const struct subcommand *table, int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	for (const struct subcommand *s = table; s->name; s++)
		if (strcmp(s->name, name) == 0)
			return s->run(argc - 1, argv + 1);
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		subcommands_print(title, table);
		return EXIT_YES;
	}
	if (strcmp(name, "--version") == 0) {
		puts("owlt " OWLT_VERSION);
		return EXIT_YES;
	}
	if (strcmp(name, "--help-words") == 0) {
		for (const struct subcommand *s = table; s->name; s++)
			puts(s->name);
		return EXIT_YES;
	}
	if (strcmp(name, "--help-man") == 0)
		return subcommands_man(table);
	if (!*name)
		return out_fail("which command? %s --help lists them", title);
	return out_fail("'%s' is no command of %s; %s --help lists them", name, title, title);
}
