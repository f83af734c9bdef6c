/*
 * kv: the index on disk: rows (kind, id) -> at most 512 bytes in one LMDB file. One thread writes between
 * kv_begin() and kv_commit() or kv_abort(). One thread reads meanwhile, what was committed before: it calls
 * kv_refresh() after each commit, before the next kv_begin(), and while nobody is in kv_commit().
 */
#ifndef OWLT_STORE_KV_H
#define OWLT_STORE_KV_H

#include "bundle/base/err.h"
#include "bundle/base/view.h"

struct kv;

/* Opens or makes the file; it grows up to max_bytes, or somewhat beyond what it has already. -errno, -ENOSPC,
 * -E_CORRUPT, -E_VERSION. */
int kv_open(const char *file, uint64_t max_bytes, struct kv **out) MUST_USE;
void kv_close(struct kv *kv);
/* Outside transactions: so many bytes more are allocated for the file, if the disk has them. */
void kv_room(struct kv *kv, uint64_t bytes);
int kv_begin(struct kv *kv) MUST_USE;
/* Makes all since kv_begin() durable, or nothing. */
int kv_commit(struct kv *kv) MUST_USE;
void kv_abort(struct kv *kv);
/* Readers see what was committed until now. */
int kv_refresh(struct kv *kv) MUST_USE;
/* A row as it was at the last kv_refresh(). The view lives until the second commit from now. -E_UNKNOWN. */
int kv_read(struct kv *kv, uint8_t kind, uint64_t id, struct view *value) MUST_USE;
/* Within a transaction. */
int kv_get(struct kv *kv, uint8_t kind, uint64_t id, struct view *value) MUST_USE;
int kv_put(struct kv *kv, uint8_t kind, uint64_t id, struct view value) MUST_USE;
/* The same; quicker, and pages stay full, when the row is often behind all others. */
int kv_append(struct kv *kv, uint8_t kind, uint64_t id, struct view value) MUST_USE;
int kv_delete(struct kv *kv, uint8_t kind, uint64_t id) MUST_USE; /* a missing row is fine */
/* All rows in order; stops at the first that `row` answers with an error. */
int kv_each(struct kv *kv, int (*row)(void *arg, uint8_t kind, uint64_t id, struct view value),
	void *arg) MUST_USE;

#endif
