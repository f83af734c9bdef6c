/*
 * capture: writer half of capture.h. pcapng (draft-ietf-opsawg-pcapng): a Section Header Block, one
 * Interface Description Block per link end (if_name, if_tsresol 9), Enhanced Packet Blocks with
 * epb_flags (direction) and opt_comment. Numbers are in the machine's order, as the format allows.
 *
 * Blocks are put together in one buffer and leave it whole, so the file on disk ends in the middle
 * of a block only while one write() is under way; a reader takes whole blocks. The limits
 * keep room for their own note: the last frame of a cut file is an empty one that tells. How much the
 * file system has left is looked at with each write.
 *
 * Start reading at capture_write().
 */
#include "netns/capture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BUFFER_BYTES (1u << 20)
#define BLOCK_SHB 0x0a0d0d0au
#define BLOCK_IDB 1u
#define BLOCK_EPB 6u
#define OPT_COMMENT 1u
#define OPT_SHB_USERAPPL 4u
#define OPT_IF_NAME 2u
#define OPT_EPB_FLAGS 2u
#define OPT_IF_TSRESOL 9u
#define LINKTYPE_ETHERNET 1u
#define NOTE_BYTES 256u /* room kept for the note that a limit was reached */

struct capture {
	int fd, err;
	bool is_short;   /* of room in the file system */
	const char *end; /* why nothing more is written */
	struct capture_limits limits;
	uint64_t size, missed;
	size_t used;
	uint8_t buffer[BUFFER_BYTES];
};

static void put16(struct capture *c, unsigned v);
static void put32(struct capture *c, uint32_t v);
static void put_padded(struct capture *c, struct view v);
static void put_option(struct capture *c, unsigned code, struct view v);
static size_t block_begin(struct capture *c, uint32_t type);
static void block_end(struct capture *c, size_t at);
static bool make_room(struct capture *c, size_t n);
static void put_frame(struct capture *c, const struct capture_frame *f);
static void cut(struct capture *c, const struct capture_frame *f, const char *why);
static bool is_disk_short(const struct capture *c);

int capture_create(struct capture **out, const char *path, const char *note,
	const struct capture_limits *limits)
{
	struct capture *c = calloc(1, sizeof *c);
	size_t at;

	if (!c)
		return -ENOMEM;
	c->limits = *limits;
	c->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (c->fd < 0) {
		int err = -errno;

		free(c);
		return err;
	}
	c->is_short = is_disk_short(c);
	at = block_begin(c, BLOCK_SHB);
	put32(c, 0x1a2b3c4du);
	put16(c, 1);
	put16(c, 0);
	put32(c, UINT32_MAX); /* section length: not given */
	put32(c, UINT32_MAX);
	put_option(c, OPT_SHB_USERAPPL, view_text("owlt lab"));
	put_option(c, OPT_COMMENT, view_of(note, strnlen(note, 1024)));
	put32(c, 0);
	block_end(c, at);
	*out = c;
	return 0;
}

int capture_interface(struct capture *c, const char *name)
{
	const uint8_t nanoseconds = 9;
	size_t at;

	if (!make_room(c, 256))
		return c->err;
	at = block_begin(c, BLOCK_IDB);
	put16(c, LINKTYPE_ETHERNET);
	put16(c, 0);
	put32(c, 0); /* no snap length */
	put_option(c, OPT_IF_NAME, view_of(name, strnlen(name, CAPTURE_NAME_MAX)));
	put_option(c, OPT_IF_TSRESOL, view_of(&nanoseconds, 1));
	put32(c, 0);
	block_end(c, at);
	return 0;
}

void capture_write(struct capture *c, const struct capture_frame *f)
{
	size_t n = f->bytes.n + CAPTURE_COMMENT_MAX + 64;

	if (c->end || c->err || !make_room(c, n))
		c->missed++;
	else if (c->size + c->used + n + NOTE_BYTES > c->limits.bytes)
		cut(c, f, "size limit reached");
	else if (c->is_short)
		cut(c, f, "the disk is nearly full");
	else
		put_frame(c, f);
}

int capture_flush(struct capture *c)
{
	size_t done = 0;

	while (!c->err && done < c->used) {
		ssize_t n = write(c->fd, c->buffer + done, c->used - done);

		if (n < 0 && errno != EINTR)
			c->err = -errno;
		else if (n > 0)
			done += (size_t)n;
	}
	if (done > 0)
		c->is_short = is_disk_short(c);
	c->size += done;
	c->used = 0;
	return c->err;
}

uint64_t capture_missed(const struct capture *c)
{
	return c->missed;
}

const char *capture_end(const struct capture *c)
{
	return c->end;
}

int capture_close(struct capture *c)
{
	int err;

	if (!c)
		return 0;
	err = capture_flush(c);
	if (close(c->fd) < 0 && !err)
		err = -errno;
	free(c);
	return err;
}

static void put_frame(struct capture *c, const struct capture_frame *f)
{
	size_t at = block_begin(c, BLOCK_EPB);
	uint64_t t = f->unix_ns < 0 ? 0 : (uint64_t)f->unix_ns;
	uint32_t flags = (uint32_t)f->way;

	put32(c, f->interface);
	put32(c, (uint32_t)(t >> 32));
	put32(c, (uint32_t)t);
	put32(c, (uint32_t)f->bytes.n);
	put32(c, (uint32_t)f->bytes.n);
	put_padded(c, f->bytes);
	if (f->way != CAPTURE_UNKNOWN)
		put_option(c, OPT_EPB_FLAGS, view_of(&flags, sizeof flags));
	if (f->comment[0])
		put_option(c, OPT_COMMENT, view_text(f->comment));
	put32(c, 0);
	block_end(c, at);
}

static void cut(struct capture *c, const struct capture_frame *f, const char *why)
{
	struct capture_frame note = {.interface = f->interface, .unix_ns = f->unix_ns};

	c->missed++;
	c->end = why;
	snprintf(note.comment, sizeof note.comment, "capture ends here: %s", why);
	put_frame(c, &note);
}

static bool is_disk_short(const struct capture *c)
{
	struct statvfs v;

	return fstatvfs(c->fd, &v) == 0 &&
	       v.f_bavail < c->limits.min_free_bytes / (v.f_frsize ? v.f_frsize : 1);
}

static bool make_room(struct capture *c, size_t n)
{
	if (n > BUFFER_BYTES - c->used && capture_flush(c) != 0)
		return false;
	return n <= BUFFER_BYTES - c->used;
}

static size_t block_begin(struct capture *c, uint32_t type)
{
	size_t at = c->used;

	put32(c, type);
	put32(c, 0);
	return at;
}

static void block_end(struct capture *c, size_t at)
{
	uint32_t n = (uint32_t)(c->used - at + 4);

	put32(c, n);
	memcpy(c->buffer + at + 4, &n, sizeof n);
}

static void put_option(struct capture *c, unsigned code, struct view v)
{
	put16(c, code);
	put16(c, (unsigned)v.n);
	put_padded(c, v);
}

static void put_padded(struct capture *c, struct view v)
{
	if (v.n)
		memcpy(c->buffer + c->used, v.p, v.n);
	c->used += v.n;
	while (c->used % 4)
		c->buffer[c->used++] = 0;
}

static void put16(struct capture *c, unsigned v)
{
	uint16_t x = (uint16_t)v;

	memcpy(c->buffer + c->used, &x, sizeof x);
	c->used += sizeof x;
}

static void put32(struct capture *c, uint32_t v)
{
	memcpy(c->buffer + c->used, &v, sizeof v);
	c->used += sizeof v;
}
