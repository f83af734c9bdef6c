/*
 * capture_read: reader half of capture.h, for files of the lab's own writer (one section, this
 * machine's byte order, blocks below 128 KiB) and any other like them. It takes whole blocks only, so a file
 * that still grows can be followed: capture_read() gives 0 at its end and goes on later. Input is not trusted.
 */
#include "netns/capture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define BLOCK_MAX (128u << 10)
#define BLOCK_SHB 0x0a0d0d0au
#define BLOCK_IDB 1u
#define BLOCK_EPB 6u

struct capture_reader {
	int fd;
	bool has_section;
	char (*name)[CAPTURE_NAME_MAX];
	uint32_t n_names, cap_names;
	size_t from, to; /* bytes in the buffer not yet taken */
	uint8_t buffer[2 * BLOCK_MAX];
};

static int next_block(struct capture_reader *r, struct view *block);
static int fill(struct capture_reader *r);
static int read_section(struct capture_reader *r, struct view body);
static int read_interface(struct capture_reader *r, struct view body);
static int read_frame(const struct capture_reader *r, struct view body, struct capture_frame *f);
static bool next_option(struct view *options, unsigned *code, struct view *value);
static uint32_t get32(const uint8_t *p);
static unsigned get16(const uint8_t *p);

int capture_open(struct capture_reader **out, const char *path)
{
	struct capture_reader *r = calloc(1, sizeof *r);

	if (!r)
		return -ENOMEM;
	r->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (r->fd < 0) {
		int err = -errno;

		free(r);
		return err;
	}
	*out = r;
	return 0;
}

int capture_read(struct capture_reader *r, struct capture_frame *f)
{
	for (;;) {
		struct view block, body;
		int got = next_block(r, &block);

		if (got <= 0)
			return got;
		body = view_sub(block, 8, block.n - 12);
		switch (get32(block.p)) {
		case BLOCK_SHB:
			got = read_section(r, body);
			break;
		case BLOCK_IDB:
			got = read_interface(r, body);
			break;
		case BLOCK_EPB:
			got = read_frame(r, body, f);
			return got ? got : 1;
		default:
			got = 0;
		}
		if (got)
			return got;
	}
}

const char *capture_interface_name(const struct capture_reader *r, uint32_t interface)
{
	return interface < r->n_names ? r->name[interface] : NULL;
}

void capture_reader_close(struct capture_reader *r)
{
	if (!r)
		return;
	close(r->fd);
	free(r->name);
	free(r);
}

/* 1 and a whole block, 0 when there is none yet, or an error. */
static int next_block(struct capture_reader *r, struct view *block)
{
	for (;;) {
		const uint8_t *p = r->buffer + r->from;
		size_t have = r->to - r->from;
		uint32_t n = have >= 12 ? get32(p + 4) : 12;
		int got;

		if (have >= 12 && (n < 12 || n % 4 || n > BLOCK_MAX))
			return -E_FORM;
		if (have >= n) {
			if (get32(p + n - 4) != n)
				return -E_FORM;
			if (!r->has_section && get32(p) != BLOCK_SHB)
				return -E_FORM;
			*block = view_of(p, n);
			r->from += n;
			return 1;
		}
		got = fill(r);
		if (got <= 0)
			return got;
	}
}

static int fill(struct capture_reader *r)
{
	ssize_t n;

	if (r->from > 0) {
		memmove(r->buffer, r->buffer + r->from, r->to - r->from);
		r->to -= r->from;
		r->from = 0;
	}
	n = read(r->fd, r->buffer + r->to, sizeof r->buffer - r->to);
	if (n < 0)
		return -errno;
	r->to += (size_t)n;
	return n > 0;
}

static int read_section(struct capture_reader *r, struct view body)
{
	if (r->has_section || body.n < 16 || get32(body.p) != 0x1a2b3c4du)
		return -E_FORM;
	r->has_section = true;
	return 0;
}

static int read_interface(struct capture_reader *r, struct view body)
{
	struct view options, value;
	unsigned code;
	char *name;

	if (body.n < 8)
		return -E_FORM;
	if (r->n_names == CAPTURE_INTERFACES_MAX)
		return -E_LIMIT;
	if (r->n_names == r->cap_names) {
		uint32_t cap = r->cap_names ? 2 * r->cap_names : 16;
		void *p = realloc(r->name, (size_t)cap * sizeof *r->name);

		if (!p)
			return -ENOMEM;
		r->name = p;
		r->cap_names = cap;
	}
	name = r->name[r->n_names++];
	memset(name, 0, CAPTURE_NAME_MAX);
	options = view_sub(body, 8, body.n - 8);
	while (next_option(&options, &code, &value))
		if (code == 2)
			memcpy(name, value.p,
				value.n < CAPTURE_NAME_MAX ? value.n : CAPTURE_NAME_MAX - 1);
	return 0;
}

static int read_frame(const struct capture_reader *r, struct view body, struct capture_frame *f)
{
	struct view options, value;
	size_t n, padded;
	unsigned code;

	if (body.n < 20)
		return -E_FORM;
	*f = (struct capture_frame){.interface = get32(body.p)};
	n = get32(body.p + 12);
	padded = (n + 3) & ~(size_t)3;
	if (padded > body.n - 20 || f->interface >= r->n_names)
		return -E_FORM;
	f->unix_ns = (int64_t)((uint64_t)get32(body.p + 4) << 32 | get32(body.p + 8));
	f->bytes = view_sub(body, 20, n);
	options = view_sub(body, 20 + padded, body.n - 20 - padded);
	while (next_option(&options, &code, &value)) {
		if (code == 2 && value.n == 4)
			f->way = (enum capture_way)(get32(value.p) & 3);
		else if (code == 1)
			memcpy(f->comment, value.p,
				value.n < sizeof f->comment ? value.n : sizeof f->comment - 1);
	}
	return 0;
}

static bool next_option(struct view *options, unsigned *code, struct view *value)
{
	size_t n, padded;

	if (options->n < 4)
		return false;
	*code = get16(options->p);
	n = get16(options->p + 2);
	padded = (n + 3) & ~(size_t)3;
	if (*code == 0 || padded > options->n - 4)
		return false;
	*value = view_sub(*options, 4, n);
	*options = view_sub(*options, 4 + padded, options->n - 4 - padded);
	return true;
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static unsigned get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof v);
	return v;
}
