/*
 * opt: command-line options from tables. A table parses, and prints --help, the OPTIONS section of
 * the man page (--help-man) and the words for completion (--help-words), so the three can't differ.
 *
 * Options may stand anywhere before "--"; "--name value" and "--name=value" are the same.
 */
#ifndef OWLT_TOOLS_OPT_H
#define OWLT_TOOLS_OPT_H

#include "bundle/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opt_type {
	OPT_FLAG,     /* bool, no argument */
	OPT_TEXT,     /* const char *, borrowed from argv */
	OPT_U64,      /* uint64_t, decimal or 0x hex */
	OPT_BYTES,    /* uint64_t: 64Ki */
	OPT_DURATION, /* int64_t us: 250ms 10s, bare = seconds */
	OPT_RATE,     /* uint64_t bits per second */
	OPT_REAL,     /* double */
	OPT_CALL,     /* take() is called with each argument in the order given */
};

struct opt {
	const char *name; /* without dashes */
	char letter;      /* short form, or 0 */
	enum opt_type type;
	size_t offset;    /* of the value in the caller's struct */
	const char *arg;  /* what the argument is called in help; NULL for flags */
	const char *help; /* one sentence without a full stop */
	/* OPT_CALL: 0, or negative = not valid */
	int (*take)(void *into, const char *name, const char *arg);
};

struct opt_command {
	const char *name;       /* "send", "bundle make" */
	const char *operands;   /* "DEST [FILE]", shown behind [OPTIONS] */
	const char *summary;    /* one sentence */
	const struct opt *opts; /* ended by name == NULL */
	const char *detail;     /* further paragraphs of --help, or NULL */
};

/* Where opt_read stopped: the operands, or an exit code to return at once. */
struct opt_rest {
	int argc;    /* operands */
	char **argv; /* argv itself, permuted: operands are argv[0 .. argc-1] */
	int code;    /* valid when done */
	bool done;   /* help was printed (code 0), or an error was (code 2) */
};

/* Reads argv[1..] into the struct at `into` (its defaults are already there). Checks that there are
 * at least min and at most max operands (max < 0: any number). */
struct opt_rest opt_read(
	const struct opt_command *cmd, int argc, char **argv, void *into, int min, int max);

/* A table of subcommands, ended by name == NULL. run gets argv[0] = its own name. */
struct subcommand {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
};

/* Runs the subcommand that argv[1] names; --help, --help-man and --help-words list them. `title` is
 * what stands before it on the command line: "owlt" or "owlt bundle". Exit code. */
int opt_dispatch(const char *title, const struct subcommand *table, int argc, char **argv);

#endif
