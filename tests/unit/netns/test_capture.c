/* The capture is read back as it was written; a cut, damaged or limited file does no harm. */
#include "netns/capture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define N_FRAMES 200
#define T0 INT64_C(1700000000123456789)

static void path_of(char path[64], const char *name)
{
	snprintf(path, 64, "/tmp/owlt-test-%d-%s", (int)getpid(), name);
}

static size_t size_of_frame(int k)
{
	static const size_t size[] = {60, 61, 62, 63, 1500, 65549, 0};

	return size[k % 7];
}

static struct capture *begin(const char *path, uint64_t limit)
{
	struct capture *c;

	cr_assert_eq(capture_create(
			     &c, path, "lab x, speed 10", &(struct capture_limits){.bytes = limit}),
		0);
	cr_assert_eq(capture_interface(c, "wire:left"), 0);
	cr_assert_eq(capture_interface(c, "wire:right"), 0);
	return c;
}

static void put(struct capture *c, int k)
{
	static uint8_t bytes[65549];
	struct capture_frame f = {.interface = (uint32_t)k % 2,
		.unix_ns = T0 + k,
		.way = k % 2 ? CAPTURE_IN : CAPTURE_OUT,
		.bytes = view_of(bytes, size_of_frame(k))};

	memset(bytes, k, size_of_frame(k));
	if (k % 3 == 0)
		snprintf(f.comment, sizeof f.comment, "drop: %d", k);
	capture_write(c, &f);
}

static void expect(struct capture_reader *r, int k)
{
	struct capture_frame f;
	char comment[32] = "";

	cr_assert_eq(capture_read(r, &f), 1, "frame %d", k);
	if (k % 3 == 0)
		snprintf(comment, sizeof comment, "drop: %d", k);
	cr_assert_eq(f.interface, (uint32_t)k % 2);
	cr_assert_eq(f.unix_ns, T0 + k);
	cr_assert_eq(f.way, k % 2 ? CAPTURE_IN : CAPTURE_OUT);
	cr_assert_str_eq(f.comment, comment);
	cr_assert_eq(f.bytes.n, size_of_frame(k));
	for (size_t i = 0; i < f.bytes.n; i++)
		cr_assert_eq(f.bytes.p[i], (uint8_t)k);
	cr_assert_str_eq(
		capture_interface_name(r, f.interface), k % 2 ? "wire:right" : "wire:left");
}

Test(capture, reads_back_what_was_written)
{
	struct capture_reader *r;
	struct capture_frame f;
	struct capture *c;
	char path[64];

	path_of(path, "whole");
	c = begin(path, CAPTURE_LIMIT_DEFAULT);
	for (int k = 0; k < N_FRAMES; k++)
		put(c, k);
	cr_assert_eq(capture_missed(c), 0);
	cr_assert_eq(capture_close(c), 0);
	cr_assert_eq(capture_open(&r, path), 0);
	for (int k = 0; k < N_FRAMES; k++)
		expect(r, k);
	cr_assert_eq(capture_read(r, &f), 0);
	cr_assert_null(capture_interface_name(r, 2));
	capture_reader_close(r);
	unlink(path);
}

Test(capture, is_followed_while_it_grows)
{
	struct capture_reader *r;
	struct capture_frame f;
	struct capture *c;
	char path[64];

	path_of(path, "grows");
	c = begin(path, CAPTURE_LIMIT_DEFAULT);
	cr_assert_eq(capture_flush(c), 0);
	cr_assert_eq(capture_open(&r, path), 0);
	for (int k = 0; k < 30; k++) {
		cr_assert_eq(capture_read(r, &f), 0);
		put(c, k);
		cr_assert_eq(capture_flush(c), 0);
		expect(r, k);
	}
	capture_reader_close(r);
	cr_assert_eq(capture_close(c), 0);
	unlink(path);
}

Test(capture, ends_at_its_limit_and_says_so)
{
	struct capture_reader *r;
	struct capture_frame f, last = {0};
	struct capture *c;
	char path[64];
	FILE *file;
	int n = 0;

	path_of(path, "limit");
	c = begin(path, 200000);
	for (int k = 0; k < N_FRAMES; k++)
		put(c, k);
	cr_assert_eq(capture_flush(c), 0);
	cr_assert_gt(capture_missed(c), 0);
	cr_assert_eq(capture_open(&r, path), 0);
	while (capture_read(r, &f) == 1) {
		last = f;
		n++;
	}
	cr_assert_eq((uint64_t)n - 1 + capture_missed(c), N_FRAMES);
	cr_assert_not_null(strstr(last.comment, "size limit"));
	capture_reader_close(r);
	cr_assert_eq(capture_close(c), 0);
	file = fopen(path, "r");
	fseek(file, 0, SEEK_END);
	cr_assert_leq(ftell(file), 200000);
	fclose(file);
	unlink(path);
}

/* No disk has so much free room. */
Test(capture, leaves_the_disk_its_room)
{
	struct capture_limits limits = {
		.bytes = CAPTURE_LIMIT_DEFAULT, .min_free_bytes = UINT64_MAX};
	struct capture_reader *r;
	struct capture_frame f;
	struct capture *c;
	char path[64];

	path_of(path, "short");
	cr_assert_eq(capture_create(&c, path, "x", &limits), 0);
	cr_assert_eq(capture_interface(c, "wire:left"), 0);
	cr_assert_eq(capture_interface(c, "wire:right"), 0);
	cr_assert_null(capture_end(c));
	for (int k = 0; k < 5; k++)
		put(c, k);
	cr_assert_eq(capture_missed(c), 5);
	cr_assert_not_null(strstr(capture_end(c), "nearly full"));
	cr_assert_eq(capture_close(c), 0);
	cr_assert_eq(capture_open(&r, path), 0);
	cr_assert_eq(capture_read(r, &f), 1);
	cr_assert_str_eq(f.comment, "capture ends here: the disk is nearly full");
	cr_assert_eq(capture_read(r, &f), 0);
	capture_reader_close(r);
	unlink(path);
}

/* Reads a file of these bytes to its end; the last answer. */
static int read_bytes(const uint8_t *p, size_t n)
{
	struct capture_reader *r;
	struct capture_frame f;
	char path[64];
	FILE *file;
	int got;

	path_of(path, "bytes");
	file = fopen(path, "w");
	fwrite(p, 1, n, file);
	fclose(file);
	cr_assert_eq(capture_open(&r, path), 0);
	do
		got = capture_read(r, &f);
	while (got > 0);
	capture_reader_close(r);
	unlink(path);
	return got;
}

Test(capture, survives_prefixes_and_damage)
{
	static uint8_t bytes[4096];
	struct capture *c;
	char path[64];
	FILE *file;
	size_t n;

	path_of(path, "damage");
	c = begin(path, CAPTURE_LIMIT_DEFAULT);
	for (int k = 0; k < 4; k++)
		put(c, k);
	cr_assert_eq(capture_close(c), 0);
	file = fopen(path, "r");
	n = fread(bytes, 1, sizeof bytes, file);
	fclose(file);
	unlink(path);
	for (size_t k = 0; k < n; k++)
		cr_assert_eq(read_bytes(bytes, k), 0, "prefix %zu", k);
	for (size_t k = 0; k < n; k++) {
		bytes[k] ^= 0xff;
		cr_assert_leq(read_bytes(bytes, n), 0);
		bytes[k] ^= 0xff;
	}
}
