/*
 * faulty_disk: a disk that fails, as an LD_PRELOAD library. It stands between a program and the C library and
 * keeps what was not yet synced of every file below one folder apart, so that at any call it can take it back.
 *
 *   sector   512 bytes as they are on the disk, kept from the first write after a sync. DIRTY: a sync makes
 *            the new bytes durable. LOST: a sync failed; the page counts as clean, as Linux has it, so
 *            no later sync writes it, only a new write of the same sector brings it back to DIRTY.
 *   file     its size on the disk
 *   change   a name that was made, moved or removed and whose folder was not synced since
 *
 * The real files always hold what the page cache would, so programs read what they wrote, also through
 * mmap; a loss of power puts the old sectors, sizes and names back. A process that is killed loses nothing
 * of that: the state is in memory that children share, so a store opened again by the next process still
 * stands on unsynced bytes. No real sync is ever made: nothing here tests the machine's own disk.
 *
 * This file is the disk; faulty_calls.c the calls that meet it. Start reading at faulty_disk_lose().
 */
#include "tests/store/faulty_impl.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTORS_MAX = 65536, BUCKETS = 16384, FILES_MAX = 256, CHANGES_MAX = 256 };
enum { PATH_SIZE = PATH_MAX + FAULTY_NAME };
enum sector_state { DIRTY, LOST };
enum change_type { MADE, MOVED, REMOVED, FOLDER };

struct sector {
	int32_t next_bucket, next_file; /* -1 ends */
	int32_t file;
	uint32_t state;
	uint64_t number;
	uint8_t bytes[FAULTY_SECTOR];
};

struct file {
	bool is_used, is_removed;
	char name[FAULTY_NAME];
	uint64_t size;   /* on the disk */
	int32_t sectors; /* first of its list */
};

struct change {
	enum change_type type;
	int32_t file, covered;  /* covered: the file whose name a move took */
	char name[FAULTY_NAME]; /* FOLDER: its own; MOVED: the old one */
};

/* Shared by a process and its children. */
struct disk {
	char root[PATH_MAX], held[PATH_MAX];
	struct file file[FILES_MAX];
	struct change change[CHANGES_MAX];
	int n_changes;
	int32_t bucket[BUCKETS], free;
	uint32_t n_sectors;
	struct sector sector[SECTORS_MAX];
};

static struct disk *disk;
struct armed armed;

static void changes_lose(enum fault fault, uint64_t seed);
static void file_lose(int32_t file, enum fault fault, uint64_t seed);
static void sectors_sync(int32_t file, uint64_t from, uint64_t to, bool failed);
static void file_path(int32_t file, char path[PATH_SIZE]);

void faulty_disk_begin(const char *dir)
{
	if (!disk)
		disk = mmap(NULL, sizeof *disk, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (disk == MAP_FAILED)
		faulty_complain("no memory");
	memset(disk, 0, offsetof(struct disk, sector));
	memset(disk->bucket, 0xff, sizeof disk->bucket);
	disk->free = -1;
	snprintf(disk->root, sizeof disk->root, "%s", dir);
	snprintf(disk->held, sizeof disk->held, "%.*s.held", PATH_MAX - 8, dir);
	mkdir(disk->held, 0700);
}

void faulty_disk_arm(enum fault fault, uint64_t at, uint64_t seed)
{
	armed = (struct armed){.fault = fault, .at = at, .seed = seed, .is_counting = true};
}

int faulty_disk_disarm(void)
{
	armed.fault = FAULT_NOTHING;
	armed.is_counting = false;
	return armed.is_hit;
}

uint64_t faulty_disk_calls(void)
{
	return armed.n;
}

int64_t faulty_disk_live(void)
{
	return armed.live;
}

void faulty_disk_lose(enum fault fault, uint64_t seed)
{
	armed.fault = FAULT_NOTHING;
	changes_lose(fault, seed);
	for (int32_t i = 0; i < FILES_MAX; i++)
		if (disk->file[i].is_used)
			file_lose(i, fault, seed);
}

void faulty_complain(const char *what)
{
	dprintf(2, "faulty_disk: %s\n", what);
	_exit(99);
}

uint64_t faulty_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static bool coin(uint64_t seed, uint64_t a, uint64_t b)
{
	return faulty_mix(seed + faulty_mix(a + 1) * 3 + faulty_mix(b + 7)) & 1;
}

/* -- sectors */

static int32_t *bucket_of(int32_t file, uint64_t number)
{
	return &disk->bucket[faulty_mix((uint64_t)file << 40 ^ number) % BUCKETS];
}

static struct sector *sector_find(int32_t file, uint64_t number)
{
	for (int32_t i = *bucket_of(file, number); i >= 0; i = disk->sector[i].next_bucket)
		if (disk->sector[i].file == file && disk->sector[i].number == number)
			return &disk->sector[i];
	return NULL;
}

static struct sector *sector_add(int32_t file, uint64_t number)
{
	int32_t i = disk->free, *bucket = bucket_of(file, number);

	if (i >= 0)
		disk->free = disk->sector[i].next_file;
	else if (disk->n_sectors < SECTORS_MAX)
		i = (int32_t)disk->n_sectors++;
	else
		faulty_complain("too much is unsynced");
	struct sector *s = &disk->sector[i];
	*s = (struct sector){.file = file,
		.number = number,
		.next_bucket = *bucket,
		.next_file = disk->file[file].sectors};
	*bucket = disk->file[file].sectors = i;
	return s;
}

/* Takes s, which its caller took from the file's list, out of its bucket. */
static void sector_free(struct sector *s)
{
	int32_t *at = bucket_of(s->file, s->number), i = (int32_t)(s - disk->sector);

	while (*at != i)
		at = &disk->sector[*at].next_bucket;
	*at = s->next_bucket;
	s->next_file = disk->free;
	disk->free = i;
}

/* The descriptor may be for writing only. */
static void read_old(int fd, int32_t file, uint8_t *old, size_t n, uint64_t off)
{
	char path[PATH_SIZE];
	ssize_t got = real_pread(fd, old, n, (off_t)off);

	if (got < 0) {
		file_path(file, path);
		fd = real_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
		got = real_pread(fd, old, n, (off_t)off);
		real_close(fd);
	}
	if (got < 0)
		faulty_complain("old bytes can't be read");
	memset(old + got, 0, n - (size_t)got);
}

void faulty_writes(int fd, int32_t file, uint64_t off, uint64_t n)
{
	static uint8_t old[64 * FAULTY_SECTOR];
	uint64_t end = (off + n + FAULTY_SECTOR - 1) / FAULTY_SECTOR, run;

	for (uint64_t first = off / FAULTY_SECTOR; first < end; first += run) {
		run = end - first < 64 ? end - first : 64;
		read_old(fd, file, old, run * FAULTY_SECTOR, first * FAULTY_SECTOR);
		for (uint64_t k = 0; k < run; k++) {
			struct sector *s = sector_find(file, first + k);

			if (!s) {
				s = sector_add(file, first + k);
				memcpy(s->bytes, old + k * FAULTY_SECTOR, FAULTY_SECTOR);
			}
			s->state = DIRTY;
		}
	}
}

void faulty_synced(int fd, int32_t file, uint64_t off, uint64_t n, bool failed)
{
	uint64_t to = n == UINT64_MAX ? n : (off + n + FAULTY_SECTOR - 1) / FAULTY_SECTOR;
	struct stat sb;

	sectors_sync(file, off / FAULTY_SECTOR, to, failed);
	if (!failed && fstat(fd, &sb) == 0)
		disk->file[file].size = (uint64_t)sb.st_size;
}

/* Of a file's sectors from..to: a sync made the DIRTY ones durable, or failed and lost them. */
static void sectors_sync(int32_t file, uint64_t from, uint64_t to, bool failed)
{
	int32_t *at = &disk->file[file].sectors;

	while (*at >= 0) {
		struct sector *s = &disk->sector[*at];
		bool is_in = s->number >= from && s->number < to && s->state == DIRTY;

		if (is_in && !failed) {
			*at = s->next_file;
			sector_free(s);
			continue;
		}
		if (is_in)
			s->state = LOST;
		at = &s->next_file;
	}
}

/* -- files */

static void path_of(const char *name, char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "%s/%s", disk->root, name);
}

/* Where a file is now: under its name, or removed and kept. */
static void file_path(int32_t file, char path[PATH_SIZE])
{
	if (disk->file[file].is_removed)
		snprintf(path, PATH_SIZE, "%s/%d", disk->held, (int)file);
	else
		path_of(disk->file[file].name, path);
}

bool faulty_has_root(void)
{
	return disk && disk->root[0];
}

/* A last component "." or "..", as of a folder that is opened. */
static void drop_dots(char *name)
{
	char *slash = strrchr(name, '/');

	if (!slash || (strcmp(slash, "/.") && strcmp(slash, "/..")))
		return;
	bool is_up = slash[2] == '.';
	*slash = '\0';
	if (is_up)
		*(strrchr(name, '/') ? strrchr(name, '/') : name) = '\0';
}

bool faulty_name(const char *folder, const char *path, char name[FAULTY_NAME])
{
	char full[2 * PATH_MAX];
	size_t n = faulty_has_root() ? strlen(disk->root) : 0;

	if (n == 0)
		return false;
	if (path[0] != '/' && folder)
		snprintf(full, sizeof full, "%s/%s%s%s", disk->root, folder, *folder ? "/" : "",
			path);
	else
		snprintf(full, sizeof full, "%s", path);
	if (strncmp(full, disk->root, n) != 0 || (full[n] != '/' && full[n] != '\0'))
		return false;
	while (full[n] == '/')
		n++;
	snprintf(name, FAULTY_NAME, "%.*s", FAULTY_NAME - 1, full + n);
	drop_dots(name);
	return true;
}

int32_t faulty_find(const char *name)
{
	for (int32_t i = 0; i < FILES_MAX; i++)
		if (disk->file[i].is_used && !disk->file[i].is_removed &&
			strcmp(disk->file[i].name, name) == 0)
			return i;
	return NO_FILE;
}

int32_t faulty_add(const char *name, uint64_t size)
{
	for (int32_t i = 0; i < FILES_MAX; i++) {
		if (disk->file[i].is_used)
			continue;
		disk->file[i] = (struct file){.is_used = true, .size = size, .sectors = -1};
		snprintf(disk->file[i].name, FAULTY_NAME, "%s", name);
		return i;
	}
	faulty_complain("too many files");
}

/* Forgets a file that is gone for good. */
static void file_drop(int32_t file)
{
	char path[PATH_SIZE];

	while (disk->file[file].sectors >= 0) {
		struct sector *s = &disk->sector[disk->file[file].sectors];

		disk->file[file].sectors = s->next_file;
		sector_free(s);
	}
	file_path(file, path);
	remove(path);
	disk->file[file].is_used = false;
}

/* -- names */

static void change_add(enum change_type type, int32_t file, int32_t covered, const char *name)
{
	if (disk->n_changes == CHANGES_MAX)
		faulty_complain("too many names changed");
	struct change *c = &disk->change[disk->n_changes++];
	*c = (struct change){.type = type, .file = file, .covered = covered};
	snprintf(c->name, FAULTY_NAME, "%s", name);
}

/* Takes a file out of its folder, or puts it back there. */
static void hold(int32_t file, bool is_removed)
{
	char from[PATH_SIZE], to[PATH_SIZE];

	file_path(file, from);
	disk->file[file].is_removed = is_removed;
	file_path(file, to);
	real_rename(from, to);
}

void faulty_made(int32_t file)
{
	change_add(MADE, file, NO_FILE, "");
}

void faulty_made_folder(const char *name)
{
	change_add(FOLDER, NO_FILE, NO_FILE, name);
}

void faulty_moves(int32_t file, const char *name, int32_t covered)
{
	if (covered != NO_FILE)
		hold(covered, true);
	change_add(MOVED, file, covered, disk->file[file].name);
	snprintf(disk->file[file].name, FAULTY_NAME, "%s", name);
}

void faulty_remove(int32_t file)
{
	hold(file, true);
	change_add(REMOVED, file, NO_FILE, "");
}

static void change_settle(const struct change *c)
{
	if (c->type == REMOVED)
		file_drop(c->file);
	if (c->type == MOVED && c->covered != NO_FILE)
		file_drop(c->covered);
}

/* The names in it are as they are. */
void faulty_folder_synced(const char *folder)
{
	size_t len = strlen(folder);
	int n = 0;

	for (int i = 0; i < disk->n_changes; i++) {
		struct change c = disk->change[i];
		const char *name = c.type == FOLDER ? c.name : disk->file[c.file].name;
		const char *slash = strrchr(name, '/');
		size_t n_parent = slash ? (size_t)(slash - name) : 0;

		if (n_parent == len && strncmp(name, folder, len) == 0)
			change_settle(&c);
		else
			disk->change[n++] = c;
	}
	disk->n_changes = n;
}

static void folder_drop(const char *name)
{
	size_t n = strlen(name);
	char path[PATH_SIZE];

	for (int32_t i = 0; i < FILES_MAX; i++)
		if (disk->file[i].is_used && strncmp(disk->file[i].name, name, n) == 0 &&
			disk->file[i].name[n] == '/')
			file_drop(i);
	path_of(name, path);
	rmdir(path);
}

static void change_undo(const struct change *c)
{
	char path[PATH_SIZE], old[PATH_SIZE];

	switch (c->type) {
	case MADE:
		if (disk->file[c->file].is_used)
			file_drop(c->file);
		break;
	case REMOVED:
		hold(c->file, false);
		break;
	case MOVED:
		file_path(c->file, path);
		snprintf(disk->file[c->file].name, FAULTY_NAME, "%s", c->name);
		file_path(c->file, old);
		real_rename(path, old);
		if (c->covered != NO_FILE)
			hold(c->covered, false);
		break;
	case FOLDER:
		folder_drop(c->name);
		break;
	}
}

/* -- the loss of power */

/* The names' changes are undone from the last on; those before a random one may have been written. */
static void changes_lose(enum fault fault, uint64_t seed)
{
	int keep = fault == FAULT_LOSE_NONE ? 0 : disk->n_changes;

	if (fault == FAULT_LOSE_SOME)
		keep = (int)(faulty_mix(seed) % (uint64_t)(disk->n_changes + 1));
	for (int i = disk->n_changes; i-- > keep;)
		change_undo(&disk->change[i]);
	for (int i = 0; i < keep; i++)
		change_settle(&disk->change[i]);
	disk->n_changes = 0;
}

static void file_lose(int32_t file, enum fault fault, uint64_t seed)
{
	struct file *f = &disk->file[file];
	bool some = fault == FAULT_LOSE_SOME, none = fault == FAULT_LOSE_NONE;
	char path[PATH_SIZE];
	struct stat sb;

	file_path(file, path);
	int fd = real_openat(AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	while (f->sectors >= 0) {
		struct sector *s = &disk->sector[f->sectors];
		bool keep = s->state == DIRTY && !none &&
			    (!some || coin(seed, (uint64_t)file, s->number));

		if (!keep)
			(void)!real_pwrite(
				fd, s->bytes, FAULTY_SECTOR, (off_t)(s->number * FAULTY_SECTOR));
		f->sectors = s->next_file;
		sector_free(s);
	}
	bool keep_size = !none && (!some || coin(seed, (uint64_t)file, UINT64_MAX));
	if (fstat(fd, &sb) == 0 && ((uint64_t)sb.st_size < f->size || !keep_size))
		(void)!real_ftruncate(fd, (off_t)f->size);
	if (fstat(fd, &sb) == 0)
		f->size = (uint64_t)sb.st_size;
	real_close(fd);
}
