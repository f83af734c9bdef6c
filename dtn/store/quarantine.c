/*
 * quarantine: bundles whose bytes on the disk are damaged. A reader who meets one (wrong checksum, a record that
 * is not there, bytes that can't be read twice in a row) gets an error, never the bytes; the bundle is
 * marked and told once by store_damaged(). Its owner deletes it; the batch that does so first keeps what the
 * disk still gives of the record in quarantine/ID.bin, for people, as far as QUARANTINE_BYTES go. It is
 * never a reason to stop: if the copy can't be made the bundle goes without it.
 *
 * Loop: quarantine_mark, _begin, _applied. Writer: quarantine_run, while the segment is still kept by the row.
 */
#include "dtn/store/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool keep(struct disk *d, int folder, const struct op *op);
static bool copy(int fd, const struct place *at);
static int folder_open(const struct disk *d);

void quarantine_mark(struct store *st, struct entry *e)
{
	if (e->flags & ENTRY_DAMAGED || st->n_damaged == STORE_DAMAGED_MAX)
		return; /* it will be met again */
	e->flags |= ENTRY_DAMAGED;
	st->damaged[st->n_damaged++] = e->id;
	st->stats.n_damaged++;
}

bool store_damaged(struct store *st, uint64_t *id)
{
	if (st->n_damaged == 0)
		return false;
	*id = st->damaged[--st->n_damaged];
	return true;
}

bool store_is_damaged(const struct store *st, uint64_t id)
{
	const struct entry *e = table_find(st, STORE_BUNDLE, id);

	return e && e->flags & ENTRY_DAMAGED;
}

bool store_has_damaged(const struct store *st)
{
	return st->n_damaged > 0;
}

int store_check(struct store *st, uint64_t id)
{
	struct entry *e = table_find(st, STORE_BUNDLE, id);

	if (!e || !e->is_here || e->is_open)
		return -E_UNKNOWN;
	if (!e->is_durable || !st->ops->check)
		return 0;
	int err = st->ops->check(st, e);
	if (err == -E_CORRUPT || err == -EIO)
		quarantine_mark(st, e);
	return err;
}

void quarantine_begin(struct disk *d, struct store_batch *b)
{
	d->n_aside = 0;
	d->n_set_aside = d->n_set_aside_run;
	if (d->base.stats.n_damaged == 0)
		return;
	for (struct link_node *l = b->ops.next; l != &b->ops; l = l->next) {
		struct op *op = container_of(l, struct op, link);

		if (op->type != OP_DELETE || op->kind != STORE_BUNDLE ||
			!(op->entry->flags & ENTRY_DAMAGED))
			continue;
		op->from = compact_place_of(op->entry);
		op->flags |= ENTRY_DAMAGED;
		d->n_aside++;
	}
}

void quarantine_applied(struct disk *d, const struct op *op)
{
	if (op->flags & ENTRY_DAMAGED)
		d->n_set_aside = d->n_set_aside_run;
}

void quarantine_run(struct disk *d, struct store_batch *b)
{
	if (d->n_aside == 0)
		return;
	int folder = folder_open(d);
	for (struct link_node *l = b->ops.next; l != &b->ops && folder >= 0; l = l->next) {
		struct op *op = container_of(l, struct op, link);

		if (op->flags & ENTRY_DAMAGED && op->from.segment && keep(d, folder, op))
			d->n_set_aside_run++;
	}
	if (folder >= 0) {
		(void)!fsync(folder);
		close(folder);
	}
}

void quarantine_count(struct disk *d)
{
	int fd = openat(d->dir, "quarantine", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct stat sb;

	if (!dir && fd >= 0)
		close(fd);
	for (struct dirent *e; dir && (e = readdir(dir));)
		if (e->d_name[0] != '.' && fstatat(fd, e->d_name, &sb, 0) == 0) {
			d->n_set_aside = ++d->n_set_aside_run;
			d->set_aside_bytes += (uint64_t)sb.st_size;
		}
	if (dir)
		closedir(dir);
}

static int folder_open(const struct disk *d)
{
	if (mkdirat(d->dir, "quarantine", 0750) && errno != EEXIST)
		return -errno;
	(void)!fsync(d->dir);
	return openat(d->dir, "quarantine", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The record as it lies there. A batch that failed and is run again finds its file. */
static bool keep(struct disk *d, int folder, const struct op *op)
{
	char name[32];

	if (op->from.len > QUARANTINE_BYTES - d->set_aside_bytes)
		return false;
	snprintf(name, sizeof name, "%" PRIu64 ".bin", op->id);
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return false;
	bool ok = copy(fd, &op->from) && fsync(fd) == 0;
	close(fd);
	if (ok)
		d->set_aside_bytes += op->from.len;
	else
		unlinkat(folder, name, 0);
	return ok;
}

/* What can't be read becomes zeros. */
static bool copy(int fd, const struct place *at)
{
	uint8_t piece[4096];

	for (uint64_t done = 0, n; done < at->len; done += n) {
		n = at->len - done < sizeof piece ? at->len - done : sizeof piece;
		if (segment_read(at->segment, at->off + done, piece, n))
			memset(piece, 0, n);
		if (pwrite(fd, piece, n, (off_t)done) != (ssize_t)n)
			return false;
	}
	return true;
}
