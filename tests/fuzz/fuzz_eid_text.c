/*
 * Endpoint IDs as text, and the same bytes as CBOR: what is accepted survives printing, parsing and
 * writing.
 */
#include "bundle/eid.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(const struct eid *e)
{
	char text[EID_TEXT_MAX];
	uint8_t out[EID_TEXT_MAX + 32];
	struct eid parsed, read;
	struct buf b = buf_of(out, sizeof out);
	struct cursor c;

	assert(eid_print(e, text, sizeof text) < sizeof text);
	if (!eid_is_known_scheme(e))
		return;
	assert(eid_parse(text, &parsed) == 0);
	assert(eid_equal(e, &parsed));
	eid_write(&b, e);
	assert(buf_finish(&b) == 0);
	c = cursor_of(buf_view(&b));
	eid_read(&c, &read, NULL);
	assert(cursor_finish(&c) == 0 && eid_equal(e, &read));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct cursor c = cursor_of(view_of(data, size));
	struct eid e;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = 0;
	if (eid_parse(text, &e) == 0)
		again(&e);
	(void)!eid_parse_node(text, &e);
	eid_read(&c, &e, NULL);
	if (cursor_finish(&c) == 0)
		again(&e);
	free(text);
	return 0;
}
