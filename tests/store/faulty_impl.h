/*
 * faulty_impl: what the files of the fault layer share.
 */
#ifndef OWLT_TESTS_STORE_FAULTY_IMPL_H
#define OWLT_TESTS_STORE_FAULTY_IMPL_H

#include "tests/store/faulty_disk.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define FAULTY_SECTOR 512
#define FAULTY_NAME 96 /* of a file below the root */
#define NO_FILE -1

/* The next function of that name: the C library's. */
#define REAL(ret, name, ...)                                                                       \
	static ret (*real)(__VA_ARGS__);                                                           \
	if (!real)                                                                                 \
	real = (ret(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

struct armed {
	enum fault fault;
	uint64_t at, n, seed;
	bool is_hit, is_counting;
	int64_t live; /* allocations */
};
extern struct armed armed; /* of this process */

void faulty_complain(const char *what) __attribute__((noreturn));
uint64_t faulty_mix(uint64_t x);
/* Is there a root? The path as a name below it; false: it is elsewhere. `folder`: what a relative path
 * begins at, NULL: not a watched folder. */
bool faulty_has_root(void);
bool faulty_name(const char *folder, const char *path, char name[FAULTY_NAME]);
int32_t faulty_find(const char *name);
int32_t faulty_add(const char *name, uint64_t size);
/* Names: a file or folder was made, moved (over `covered`), is to be removed; a folder was synced. */
void faulty_made(int32_t file);
void faulty_made_folder(const char *name);
void faulty_moves(int32_t file, const char *name, int32_t covered);
void faulty_remove(int32_t file);
void faulty_folder_synced(const char *folder);
/* Bytes off..off+n of an open file are about to change. */
void faulty_writes(int fd, int32_t file, uint64_t off, uint64_t n);
/* They are on the disk now, with the file's size; or a sync of them failed. n may be UINT64_MAX. */
void faulty_synced(int fd, int32_t file, uint64_t off, uint64_t n, bool failed);

ssize_t real_pread(int fd, void *p, size_t n, off_t off);
ssize_t real_pwrite(int fd, const void *p, size_t n, off_t off);
int real_openat(int dir, const char *path, int flags, mode_t mode);
int real_close(int fd);
int real_rename(const char *a, const char *b);
int real_ftruncate(int fd, off_t size);

#endif
