/*
 * chunk: owlt-chunk(5), see chunk.h.
 */
#include "dtn/client/chunk.h"

#include "bundle/cbor.h"

#define MAGIC "owlt-chunk"
#define FILE_MAX_BYTES (UINT64_C(1) << 40)

int chunk_read(struct view front, uint64_t size, struct chunk *c, uint64_t *data_at)
{
	struct cursor cur = cursor_of(front);
	struct view magic, sum;
	uint64_t n;

	if (cbor_array(&cur) != 7)
		return -E_TYPE;
	magic = cbor_text(&cur);
	if (!cursor_ok(&cur) || !view_equal(magic, view_text(MAGIC)) || cbor_uint(&cur) != 1)
		return -E_TYPE;
	c->name = cbor_text(&cur);
	c->size = cbor_uint(&cur);
	sum = cbor_bytes(&cur);
	c->offset = cbor_uint(&cur);
	n = cbor_head(&cur, CBOR_BYTES);
	if (!cursor_ok(&cur))
		return cur.err;
	*data_at = cursor_at(&cur);
	if (n != size - *data_at || n > SIZE_MAX)
		return -E_FORM;
	c->data = (struct view){.n = (size_t)n};
	if (sum.n != SHA256_BYTES || c->name.n == 0 || c->name.n > 255 ||
		c->size > FILE_MAX_BYTES || c->offset > c->size || n > c->size - c->offset ||
		(n == 0 && c->size > 0))
		return -E_RANGE;
	memcpy(c->sum, sum.p, SHA256_BYTES);
	return 0;
}

void chunk_write_head(struct buf *b, const struct chunk *c)
{
	cbor_put_array(b, 7);
	cbor_put_text(b, view_text(MAGIC));
	cbor_put_uint(b, 1);
	cbor_put_text(b, c->name);
	cbor_put_uint(b, c->size);
	cbor_put_bytes(b, view_of(c->sum, SHA256_BYTES));
	cbor_put_uint(b, c->offset);
	cbor_put_head(b, CBOR_BYTES, c->data.n);
}
