/*
 * store: what the files of `owlt store` share: a node's store, opened while no node runs.
 */
#ifndef OWLT_TOOLS_STORE_H
#define OWLT_TOOLS_STORE_H

#include "bundle/bundle.h"
#include "dtn/agent/record.h"
#include "dtn/store/store.h"
#include "tools/progress.h"
#include "tools/out.h"

/* The command as it is called in messages ("check") and its store. 0, or an exit code after a message. */
int stored_open(const char *command, const char *dir, struct store **st) MUST_USE;
/* Makes what is staged durable. 0, or an exit code after a message. */
int stored_commit(const char *command, struct store *st) MUST_USE;
/* An id from the command line. 0, or an exit code after a message. */
int stored_id(const char *command, const char *text, uint64_t *id) MUST_USE;

/* A stored bundle, read: its record, and what its head says. -E_UNKNOWN, -E_CORRUPT, -errno. */
struct stored {
	uint64_t id;
	struct record r;
	struct bundle b; /* views live until store_turn() */
};
int stored_read(struct store *st, uint64_t id, struct stored *out) MUST_USE;
/* All of it as one bundle, in memory that the caller frees; an age block says how old it is now. */
int stored_whole(struct store *st, const struct stored *s, uint8_t **bytes, size_t *n) MUST_USE;
struct bundle_rules stored_rules(const struct record *r);
dtntime stored_now(void);
/* Bundles done so far, on a terminal; of 0 = how many there are is not known. */
struct stored_progress {
	const char *command; /* "store check" */
	uint64_t n, of, bytes;
	struct progress line;
};
void stored_progress(struct stored_progress *p, uint64_t bytes);

int store_export(int argc, char **argv);
int store_import(int argc, char **argv);

#endif
