/*
 * spool: see spool.h. What comes from a stream stays in memory while it is short; more of it goes to a file
 * without a name in TMPDIR, which is gone with the process. Start reading at spool_open().
 */
#include "tools/spool.h"

#include "dtn/client/owlt.h"
#include "tools/out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define IN_MEMORY (1u << 20)

struct spool {
	int fd;
	uint64_t size;
};

static int fill(struct spool *s, int from);
static int move_to_file(struct spool *s);
static int file_open(void);
static int put_all(int fd, const uint8_t *p, size_t n);

int spool_open(const char *command, const char *name, int *fd, uint64_t *size)
{
	bool is_stdin = strcmp(name, "-") == 0;
	int from = is_stdin ? 0 : open(name, O_RDONLY | O_CLOEXEC), err;
	struct spool s = {.fd = from};
	struct stat st;

	if (from < 0 || fstat(from, &st))
		return out_fail("%s: %s: %s", command, name, owlt_error_text(-errno));
	if (S_ISREG(st.st_mode) && !is_stdin) {
		*fd = from;
		*size = (uint64_t)st.st_size;
		return 0;
	}
	err = fill(&s, from);
	if (!is_stdin)
		close(from);
	*fd = s.fd;
	*size = s.size;
	return err ? out_fail("%s: %s: %s", command, is_stdin ? "standard input" : name,
			     owlt_error_text(err))
		   : 0;
}

/* All that the stream gives. */
static int fill(struct spool *s, int from)
{
	uint8_t room[16384];
	bool is_moved = false;
	ssize_t got;
	int err;

	s->fd = memfd_create("owlt-send", MFD_CLOEXEC);
	err = s->fd < 0 ? -errno : 0;
	while (!err && (got = read(from, room, sizeof room)) != 0) {
		if (got < 0) {
			err = errno == EINTR ? 0 : -errno;
			continue;
		}
		if (!is_moved && s->size + (uint64_t)got > IN_MEMORY) {
			err = move_to_file(s);
			is_moved = true;
		}
		if (!err)
			err = put_all(s->fd, room, (size_t)got);
		s->size += (uint64_t)got;
	}
	return err;
}

static int move_to_file(struct spool *s)
{
	int fd = file_open(), err = fd < 0 ? fd : 0;

	for (off_t off = 0; !err && (uint64_t)off < s->size;) {
		ssize_t went = sendfile(fd, s->fd, &off, s->size - (uint64_t)off);

		err = went < 0 ? -errno : went == 0 ? -EIO : 0;
	}
	if (fd >= 0 && err)
		close(fd);
	if (!err) {
		close(s->fd);
		s->fd = fd;
	}
	return err;
}

static int file_open(void)
{
	const char *dir = getenv("TMPDIR");
	int fd = open(dir && *dir ? dir : "/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	char path[] = "/tmp/owlt-send-XXXXXX";

	if (fd >= 0)
		return fd;
	fd = mkstemp(path); /* a file system that can't do without one */
	if (fd < 0)
		return -errno;
	unlink(path);
	return fd;
}

static int put_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t put = write(fd, p, n);

		if (put < 0)
			return -errno;
		p += put;
		n -= (size_t)put;
	}
	return 0;
}
