/*
 * kv: the one file that sees LMDB.
 *
 * The index is written only at checkpoints, in one transaction that LMDB makes durable by itself (data,
 * flush, meta page, flush). Between checkpoints nothing is written: with MDB_NOSYNC a power cut between
 * two unsynced transactions could leave a file that LMDB can't read, and the log's tail could not
 * repair it.
 *
 * MDB_NOLOCK: the store's own lock file keeps others out. The one reader is safe without LMDB's table of
 * readers: a writing transaction never uses a page again that the two committed states before it have, and
 * kv_refresh() moves the reader on after each commit, when no one writes. It copies nothing: views go into
 * the mapped file.
 */
#include "dtn/store/kv.h"

#include "bundle/base/bytes.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_SIZE 9
#define MAP_MORE (UINT64_C(16) << 20) /* to be had above twice what is used already */
#define UNWRITTEN (UINT64_C(256) << 10)

struct kv {
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *txn, *reader;
	MDB_cursor *cursor; /* of the reader: neighbours are found without a way from the root */
	uint64_t allocated; /* up to here the file has its blocks, as far as we know */
};

static int put(struct kv *kv, uint8_t kind, uint64_t id, struct view value, unsigned flags);
static void reader_close(struct kv *kv);
static int kv_err(int rc);
static MDB_val key_make(uint8_t buf[KEY_SIZE], uint8_t kind, uint64_t id);
static int env_open(struct kv *kv, const char *file, uint64_t max_bytes);
static int env_look(struct kv *kv, uint64_t max_bytes);
static uint64_t used(const struct kv *kv);

int kv_open(const char *file, uint64_t max_bytes, struct kv **out)
{
	struct kv *kv = calloc(1, sizeof *kv);
	int err = kv ? env_open(kv, file, max_bytes) : -ENOMEM;

	if (err) {
		kv_close(kv);
		return err;
	}
	*out = kv;
	return 0;
}

void kv_close(struct kv *kv)
{
	if (!kv)
		return;
	kv_abort(kv);
	reader_close(kv);
	if (kv->env)
		mdb_env_close(kv->env);
	free(kv);
}

int kv_begin(struct kv *kv)
{
	return kv_err(mdb_txn_begin(kv->env, NULL, 0, &kv->txn));
}

int kv_commit(struct kv *kv)
{
	MDB_txn *txn = kv->txn;

	kv->txn = NULL;
	return kv_err(mdb_txn_commit(txn));
}

void kv_abort(struct kv *kv)
{
	if (kv->txn)
		mdb_txn_abort(kv->txn);
	kv->txn = NULL;
}

/* Blocks of a full disk can't be had when they are needed; half as many are enough not to ask again. */
void kv_room(struct kv *kv, uint64_t bytes)
{
	uint64_t from = used(kv);
	mdb_filehandle_t fd;

	if (from + bytes / 2 <= kv->allocated || mdb_env_get_fd(kv->env, &fd))
		return;
	if (posix_fallocate(fd, (off_t)from, (off_t)bytes) == 0)
		kv->allocated = from + bytes;
}

int kv_refresh(struct kv *kv)
{
	reader_close(kv);
	int err = kv_err(mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &kv->reader));

	return err ? err : kv_err(mdb_cursor_open(kv->reader, kv->dbi, &kv->cursor));
}

int kv_read(struct kv *kv, uint8_t kind, uint64_t id, struct view *value)
{
	uint8_t buf[KEY_SIZE];
	MDB_val key = key_make(buf, kind, id), v;

	if (!kv->cursor)
		return -EIO;
	int rc = mdb_cursor_get(kv->cursor, &key, &v, MDB_SET_KEY);
	if (rc == MDB_NOTFOUND)
		return -E_UNKNOWN;
	if (rc == 0)
		*value = view_of(v.mv_data, v.mv_size);
	return kv_err(rc);
}

int kv_get(struct kv *kv, uint8_t kind, uint64_t id, struct view *value)
{
	uint8_t buf[KEY_SIZE];
	MDB_val key = key_make(buf, kind, id), v;
	int rc = mdb_get(kv->txn, kv->dbi, &key, &v);

	if (rc == MDB_NOTFOUND)
		return -E_UNKNOWN;
	if (rc == 0)
		*value = view_of(v.mv_data, v.mv_size);
	return kv_err(rc);
}

int kv_put(struct kv *kv, uint8_t kind, uint64_t id, struct view value)
{
	return put(kv, kind, id, value, 0);
}

/* Without MDB_APPEND, LMDB leaves half of each page free. */
int kv_append(struct kv *kv, uint8_t kind, uint64_t id, struct view value)
{
	int rc = put(kv, kind, id, value, MDB_APPEND);

	return rc == -EEXIST ? put(kv, kind, id, value, 0) : rc;
}

int kv_delete(struct kv *kv, uint8_t kind, uint64_t id)
{
	uint8_t buf[KEY_SIZE];
	MDB_val key = key_make(buf, kind, id);
	int rc = mdb_del(kv->txn, kv->dbi, &key, NULL);

	return rc == MDB_NOTFOUND ? 0 : kv_err(rc);
}

int kv_each(struct kv *kv, int (*row)(void *arg, uint8_t kind, uint64_t id, struct view value),
	void *arg)
{
	MDB_cursor *c;
	MDB_val key, v;
	int err = kv_err(mdb_cursor_open(kv->txn, kv->dbi, &c));

	if (err)
		return err;
	int rc = mdb_cursor_get(c, &key, &v, MDB_FIRST);
	while (rc == 0 && err == 0) {
		const uint8_t *k = key.mv_data;

		err = key.mv_size == KEY_SIZE
			      ? row(arg, k[0], be64_get(k + 1), view_of(v.mv_data, v.mv_size))
			      : -E_CORRUPT;
		rc = mdb_cursor_get(c, &key, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
	if (err)
		return err;
	return rc == MDB_NOTFOUND ? 0 : kv_err(rc);
}

static int env_open(struct kv *kv, const char *file, uint64_t max_bytes)
{
	int err = kv_err(mdb_env_create(&kv->env));

	if (!err)
		err = kv_err(mdb_env_set_mapsize(kv->env, max_bytes));
	if (!err)
		err = kv_err(
			mdb_env_open(kv->env, file, MDB_NOSUBDIR | MDB_NOTLS | MDB_NOLOCK, 0640));
	if (!err)
		err = env_look(kv, max_bytes);
	if (!err)
		err = kv_begin(kv);
	if (!err)
		err = kv_err(mdb_dbi_open(kv->txn, NULL, 0, &kv->dbi));
	if (!err)
		err = kv_commit(kv);
	return err;
}

/* Pages that are in the index and not in its file are a SIGBUS. LMDB does not write pages at the end which the
 * same transaction took and freed: a few may be missing. A file that lacks more was cut. Where the limits were
 * lowered it may be larger than they allow; all of it may have to be written anew before any of it is free. */
static int env_look(struct kv *kv, uint64_t max_bytes)
{
	uint64_t n = used(kv), least = 2 * n + MAP_MORE;
	mdb_filehandle_t fd;
	struct stat sb;
	int err = kv_err(mdb_env_get_fd(kv->env, &fd));

	if (!err && fstat(fd, &sb))
		err = -errno;
	if (!err && (uint64_t)sb.st_size + UNWRITTEN < n)
		err = -E_CORRUPT;
	if (!err && (uint64_t)sb.st_size < n && ftruncate(fd, (off_t)n))
		err = -errno;
	return err || max_bytes >= least ? err : kv_err(mdb_env_set_mapsize(kv->env, least));
}

/* Bytes of the file up to the last page of the last transaction. */
static uint64_t used(const struct kv *kv)
{
	MDB_envinfo info;
	MDB_stat st;

	if (mdb_env_info(kv->env, &info) || mdb_env_stat(kv->env, &st))
		return 0;
	return ((uint64_t)info.me_last_pgno + 1) * st.ms_psize;
}

static void reader_close(struct kv *kv)
{
	if (kv->cursor)
		mdb_cursor_close(kv->cursor);
	if (kv->reader)
		mdb_txn_abort(kv->reader);
	kv->cursor = NULL;
	kv->reader = NULL;
}

static int put(struct kv *kv, uint8_t kind, uint64_t id, struct view value, unsigned flags)
{
	uint8_t buf[KEY_SIZE];
	MDB_val key = key_make(buf, kind, id);
	MDB_val v = {.mv_size = value.n, .mv_data = (void *)(uintptr_t)value.p};
	int rc = mdb_put(kv->txn, kv->dbi, &key, &v, flags);

	return rc == MDB_KEYEXIST ? -EEXIST : kv_err(rc);
}

static MDB_val key_make(uint8_t buf[KEY_SIZE], uint8_t kind, uint64_t id)
{
	buf[0] = kind;
	be64_put(buf + 1, id);
	return (MDB_val){.mv_size = KEY_SIZE, .mv_data = buf};
}

static int kv_err(int rc)
{
	if (rc >= 0)
		return -rc;
	switch (rc) {
	case MDB_MAP_FULL:
		return -ENOSPC;
	case MDB_VERSION_MISMATCH:
		return -E_VERSION;
	case MDB_CORRUPTED:
	case MDB_INVALID:
	case MDB_PAGE_NOTFOUND:
		return -E_CORRUPT;
	default:
		return -EIO;
	}
}
