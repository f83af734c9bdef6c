/* owlt-chunk(5): what stands before a chunk's data. */
#include "dtn/client/chunk.h"

#include <criterion/criterion.h>

static struct chunk a_chunk(const char *name)
{
	struct chunk c = {
		.name = view_text(name), .size = 100000, .offset = 60000, .data.n = 40000};

	for (size_t i = 0; i < SHA256_BYTES; i++)
		c.sum[i] = (uint8_t)(i * 7);
	return c;
}

static struct buf written(uint8_t *room, size_t cap, const struct chunk *c)
{
	struct buf b = buf_of(room, cap);

	chunk_write_head(&b, c);
	return b;
}

Test(chunk, reads_what_it_writes)
{
	uint8_t room[CHUNK_HEAD_MAX];
	struct chunk c = a_chunk("file.bin"), r;
	struct buf b = written(room, sizeof room, &c);
	uint64_t at;

	cr_assert(buf_fits(&b));
	cr_assert_eq(chunk_read(buf_view(&b), b.len + 40000, &r, &at), 0);
	cr_assert(at == b.len && r.size == 100000 && r.offset == 60000 && r.data.n == 40000);
	cr_assert(view_equal(r.name, c.name) && memcmp(r.sum, c.sum, sizeof r.sum) == 0);
	for (size_t n = 0; n < b.len; n++)
		cr_assert_lt(chunk_read(view_of(room, n), n, &r, &at), 0, "prefix of %zu", n);
	cr_assert_eq(chunk_read(buf_view(&b), b.len + 39999, &r, &at), -E_FORM);
	cr_assert_eq(chunk_read(buf_view(&b), b.len + 40001, &r, &at), -E_FORM);
}

Test(chunk, the_longest_name_fits_the_head)
{
	uint8_t room[CHUNK_HEAD_MAX];
	char name[257];
	struct chunk c, r;
	struct buf b;
	uint64_t at;

	memset(name, 'n', sizeof name);
	name[255] = 0;
	c = a_chunk(name);
	c.size = c.offset = UINT64_C(1) << 40;
	c.offset -= 40000;
	b = written(room, sizeof room, &c);
	cr_assert(buf_fits(&b));
	cr_assert_eq(chunk_read(buf_view(&b), b.len + 40000, &r, &at), 0);
	name[255] = 'n';
	name[256] = 0;
	c.name = view_text(name);
	b = written(room, sizeof room, &c);
	cr_assert_eq(chunk_read(buf_view(&b), b.len + 40000, &r, &at), -E_RANGE);
}

/* Anything else is an ordinary payload. */
Test(chunk, what_is_out_of_range_is_no_chunk)
{
	uint8_t room[CHUNK_HEAD_MAX];
	const struct {
		uint64_t size, offset, n;
	} bad[] = {{100, 101, 1}, {100, 100, 1}, {100, 0, 101}, {100, 50, 0},
		{(UINT64_C(1) << 40) + 1, 0, 5}, {100, UINT64_MAX, 1}};
	struct chunk r;
	uint64_t at;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct chunk c = a_chunk("x");
		struct buf b;

		c.size = bad[i].size;
		c.offset = bad[i].offset;
		c.data.n = (size_t)bad[i].n;
		b = written(room, sizeof room, &c);
		cr_assert_lt(chunk_read(buf_view(&b), b.len + bad[i].n, &r, &at), 0, "case %zu", i);
	}
	cr_assert_lt(chunk_read(view_text("hello"), 5, &r, &at), 0);
	cr_assert_lt(chunk_read((struct view){0}, 0, &r, &at), 0);
}
