/*
 * owlt: one command with subcommands. The table below is all there is: a name, its function (each
 * in tools/NAME.c), a sentence. --help, the man pages and completion come from it and from the
 * option tables.
 */
#include "tools/commands.h"
#include "tools/opt.h"
#include "tools/out.h"

#include <stdio.h>
#include <string.h>

static int run(int argc, char **argv);
static int cmd_help(int argc, char **argv);
static int completion_print(void);

#define ROW(name, text) {#name, cmd_##name, text},

int main(int argc, char **argv)
{
	int code = run(argc, argv), failed = fflush(stdout);

	/* What went through out.h was looked at there; nothing else may be lost in silence either. */
	if ((failed || ferror(stdout)) && code != EXIT_USAGE)
		return out_fail("standard output: %s",
			failed ? err_text(-errno) : "it could not all be written");
	return code;
}

static int run(int argc, char **argv)
{
	const struct subcommand table[] = {
		COMMANDS(ROW){"help", cmd_help, "help on a command"}, {0}};

	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		puts("owlt " OWLT_VERSION);
		return EXIT_YES;
	}
	if (argc > 1 && strcmp(argv[1], "--completion") == 0)
		return completion_print();
	if (argc > 2 && strcmp(argv[1], "help") == 0) {
		char flag[] = "--help", *turned[] = {argv[0], argv[2], flag, NULL, NULL};
		if (argc > 3)
			memcpy(turned + 2, (char *[]){argv[3], flag}, 2 * sizeof turned[0]);
		return run(argc > 3 ? 4 : 3, turned);
	}
	return opt_dispatch("owlt", table, argc, argv);
}

/* "owlt help" alone; with a name run() has turned it round. */
static int cmd_help(int argc, char **argv)
{
	char flag[] = "--help", *turned[] = {argv[0], flag, NULL};

	(void)argc;
	return run(2, turned);
}

/* A bash function that asks the command itself for words, so it never grows old. */
static int completion_print(void)
{
	puts("_owlt()\n"
	     "{\n"
	     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} words=() i\n"
	     "\tfor ((i = 1; i < COMP_CWORD && i < 3; i++)); do\n"
	     "\t\t[[ ${COMP_WORDS[i]} == -* ]] && break\n"
	     "\t\towlt \"${words[@]}\" --help-words 2>/dev/null | grep -qx -- \"${COMP_WORDS[i]}\" "
	     "|| break\n"
	     "\t\twords+=(\"${COMP_WORDS[i]}\")\n"
	     "\tdone\n"
	     "\tCOMPREPLY=($(compgen -W \"$(owlt \"${words[@]}\" --help-words 2>/dev/null)\" -- "
	     "\"$cur\"))\n"
	     "}\n"
	     "complete -o default -F _owlt owlt");
	return EXIT_YES;
}
