/*
 * store: keeps bundles and small rows, durably. What another party may rely on waits for the commit:
 *
 *   stage      store_put, store_row ...  (loop thread; memory only, never blocks)
 *   commit     b = store_commit_begin(st)        loop thread: takes what is staged as one batch
 *              err = store_commit_run(b)         writer thread (the simulator: inline): makes it durable
 *              store_commit_end(st, b, err)      loop thread; then store_event() tells
 *   speak      STORE_COMMITTED{seq}: everything staged while store_seq() was <= seq is durable
 *
 * A batch that failed (COMMIT_FAILED) is not undone: its changes stay to be seen and are staged again, with
 * the next batch. Who refuses what had not been spoken deletes it; then it is never written. After ENOSPC
 * the store goes on; after any other error it is closed: no commit begins again, puts are -E_CLOSED.
 *
 * One batch runs at a time. Changes show at once to readers in the loop (read your own writes), also
 * while they wait for their commit. A bundle that is deleted before its batch begins is never written.
 *
 * Rows: (kind, id) -> value of at most STORE_VALUE_MAX bytes. A bundle is a row of kind STORE_BUNDLE whose
 * value is the agent's record of it, with head and payload bytes beside it. Everything is found again
 * after a restart by store_next().
 *
 * Two implementations: memory (store_mem_open; for the simulator with crashes) and disk
 * (store_disk_open; segment log with LMDB as index).
 */
#ifndef OWLT_STORE_STORE_H
#define OWLT_STORE_STORE_H

#include "bundle/base/err.h"
#include "bundle/base/slice.h"
#include "bundle/base/time.h"
#include "bundle/base/view.h"

#define STORE_VALUE_MAX 256

struct store;
struct store_batch;

enum store_kind {
	STORE_BUNDLE = 1, /* id: given by the store, never repeated, also not across restarts */
	STORE_TOMB,       /* bundle known until it expires */
	STORE_PAIR,       /* custody pair accepted */
	STORE_RESERVED, /* end of a counter's reserved numbers; only store_reserve() changes these */
	STORE_REGISTRATION,
	STORE_KINDS
};

struct store_limits {
	uint64_t max_bytes; /* stored bundles, head and payload */
	uint64_t max_bundles;
	uint64_t max_rows;    /* other rows */
	uint64_t stage_bytes; /* waiting for their commit */
	uint64_t
		reserved_bytes; /* of max_bytes, only for what is put with STORE_URGENT (and 1/64 of max_bundles) */
	uint64_t
		min_free_bytes; /* disk: with less free in its file system new bundles find no room */
	uint64_t reserve_block; /* numbers that store_reserve() makes durable at a time; 0: 65536 */
};

struct store_limits store_limits_default(void);

/* Empty memory store. */
int store_mem_open(const struct store_limits *limits, struct store **out) MUST_USE;
/* Opens or makes the store in folder `path`, recovering what a crash left. -errno, -E_CORRUPT, -E_VERSION. */
int store_disk_open(
	const char *path, const struct store_limits *limits, struct store **out) MUST_USE;
/* The same for a tool while no node runs: the folder must be a store, its segments stay as they are, and there
 * are no limits but the disk's. -ENOENT, -EBUSY (in use). */
int store_disk_open_offline(const char *path, struct store **out) MUST_USE;
/* Drops what is staged and not committed. */
void store_close(struct store *st);

/* Memory store only: the process dies and starts again. Stage is lost; a batch that was begun and not
 * ended is kept whole (running_survives) or lost whole. Views die; ids go on without repeating. */
void store_mem_crash(struct store *st, bool running_survives);

/* -- staging */

#define STORE_URGENT 1u  /* may use the reserved room (signals) */
#define STORE_LONG 2u    /* long-lived: kept apart from short-lived ones */
#define STORE_PATIENT 4u /* can wait: half of the stage stays for others */

/* A new bundle: value is the agent's record, parts are concatenated into the stored payload. The bytes are
 * copied once. *id names it. 0, -E_FULL (limit; also larger than the whole stage), -E_AGAIN (stage is full:
 * after the next commit), -E_CLOSED, -ENOMEM. */
struct store_bundle {
	struct view value, head;
	const struct view *payload;
	size_t n_payload;
	unsigned flags;
};
int store_put(struct store *st, const struct store_bundle *b, uint64_t *id) MUST_USE;
/* A payload that comes in pieces: room for `size` bytes (exactly) first; store_seal makes it a bundle
 * (b->payload is ignored), store_abandon drops it. An unsealed bundle is never committed. */
int store_begin(struct store *st, uint64_t size, unsigned flags, uint64_t *id) MUST_USE;
int store_append(struct store *st, uint64_t id, struct view piece) MUST_USE;
int store_seal(struct store *st, uint64_t id, const struct store_bundle *b) MUST_USE;
void store_abandon(struct store *st, uint64_t id);
/* What came so far of one that is not sealed; good until it is sealed or dropped. */
int store_appended(const struct store *st, uint64_t id, struct view *bytes) MUST_USE;
/* Replaces a bundle's value. Never fails for want of room. */
void store_update(struct store *st, uint64_t id, struct view value);
/* Deletes a bundle; its views stay good until store_turn(). */
void store_delete(struct store *st, uint64_t id);
/* Sets or removes another row; value at most STORE_VALUE_MAX. 0 or -E_FULL. */
int store_row_set(struct store *st, enum store_kind kind, uint64_t id, struct view value) MUST_USE;
void store_row_delete(struct store *st, enum store_kind kind, uint64_t id);

/* -- reading; views live until store_turn() */

/* 0, -E_UNKNOWN, -E_CORRUPT (checksum) or -errno. */
int store_value(struct store *st, enum store_kind kind, uint64_t id, struct view *value) MUST_USE;
int store_head(struct store *st, uint64_t id, struct view *head) MUST_USE;
/* Bytes of a payload; s.handle is the bundle's id. Only they, and some around them, come to memory. */
int store_payload(struct store *st, struct slice s, struct view *bytes) MUST_USE;
/* The bytes of these bundles will be read soon, and in this order: they are brought near, without waiting for
 * the disk. Cheap, and nothing is promised. */
void store_ahead(struct store *st, const uint64_t *id, size_t n);
bool store_reads_ahead(const struct store *st);
bool store_is_committed(const struct store *st, uint64_t id);
/* Would the bundle be here after a crash now? So also while its deletion waits for its commit. */
bool store_is_durable(const struct store *st, uint64_t id);
/* All rows of a kind in order of id: start with *id = 0 (so no row has id 0); false at the end. */
bool store_next(struct store *st, enum store_kind kind, uint64_t *id, struct view *value);
/* Bundles whose stored bytes turned out to be damaged: each is told once, then its owner deletes it, and what
 * the disk still has of it is set aside (quarantine.c). */
bool store_damaged(struct store *st, uint64_t *id);
bool store_has_damaged(const struct store *st);
bool store_is_damaged(const struct store *st, uint64_t id);
/* Reads all of a durable bundle and verifies its checksums. 0, -E_UNKNOWN, -E_CORRUPT, -errno. */
int store_check(struct store *st, uint64_t id) MUST_USE;
/* Once per turn of the loop: views given before are dead. */
void store_turn(struct store *st);

/* -- commit */

/* Number of the batch that is being staged; rises by one with each commit begun. */
uint64_t store_seq(const struct store *st);
/* Is anything staged? */
bool store_is_dirty(const struct store *st);
/* Is it, or has the store work of its own to do (making room)? A commit that is begun then does it. */
bool store_wants_commit(const struct store *st);
/* The staged changes as a batch; NULL if there are none, one is running, the store is closed by an error,
 * or nobody takes its events. */
struct store_batch *store_commit_begin(struct store *st);
/* The only call that may block or do I/O, and the only one for another thread. 0 or -errno. */
int store_commit_run(struct store_batch *b) MUST_USE;
void store_commit_end(struct store *st, struct store_batch *b, int err);

enum store_ev { STORE_COMMITTED, STORE_COMMIT_FAILED };
struct store_event {
	enum store_ev type;
	uint64_t seq; /* of the batch */
	int err;
};
bool store_event(struct store *st, struct store_event *ev);

/* -- numbers that never repeat */

/* n consecutive numbers of a named counter; the block they come from is durable. *seq: if not 0, they
 * may be used only after STORE_COMMITTED{*seq} (the block had to be extended). Names are small integers;
 * at most max_rows of them. 0, -E_FULL, -E_CLOSED, -ENOMEM. */
enum store_counter {
	COUNTER_CREATION = 1,
	COUNTER_CUSTODY,
	COUNTER_REGISTRATION,
	COUNTER_IV,
	COUNTER_CONTACT,   /* custody: sequence identifiers of contacts */
	COUNTER_REPORTING, /* numbers in reporting blocks */
	COUNTER_TUNNEL,    /* transmissions of encapsulated bundles */
	COUNTER_KINDS,
	COUNTER_DESTINATION = 0x10000 /* and 4095 behind it: custody by destination, custody.c */
};
int store_reserve(
	struct store *st, uint64_t counter, uint64_t n, uint64_t *first, uint64_t *seq) MUST_USE;

/* -- how full */

struct store_stats {
	uint64_t n_bundles, bytes, n_rows, staged_bytes, batches, commits_failed;
	uint64_t max_bundles, max_bytes; /* its limits */
	uint64_t n_damaged;              /* bundles found damaged since it was opened */
	uint64_t n_quarantined;          /* damaged records that are set aside, since ever */
	uint64_t boot;                   /* how often it was opened */
	uint64_t free_bytes;             /* of its file system, as seen last; memory: 0 */
	bool is_short;                   /* that is less than min_free_bytes */
	bool is_closed;                  /* by an I/O error */
	int last_err;
};
void store_stats(const struct store *st, struct store_stats *out);
/* Has its file system less free than limits.min_free_bytes? *n_free: bytes as seen last. */
bool store_is_short(const struct store *st, uint64_t *n_free);
/* Would a bundle of this size be taken now (limits, not the stage)? */
bool store_has_room(const struct store *st, uint64_t bytes, unsigned flags);

#endif
