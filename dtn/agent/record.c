/*
 * record: the stored value of a bundle, one version octet and then numbers of eight octets in the
 * order of the struct. A new version appends fields, which stay as they are when an older one is
 * read; an unknown version is refused, and restore.c then gives the bundle up rather than guess.
 */
#include "dtn/agent/record.h"

#include "bundle/base/cursor.h"

static void put(struct buf *b, uint64_t v);
static uint64_t take(struct cursor *c);

/* clang-format off */
#define RECORD_FIELDS(F) \
	F(flags) F(uid[0]) F(uid[1]) F(received_ms) F(expiry_ms) F(age_ms) F(prev_node) \
	F(dest_scheme) F(dest_service) F(dest_node) F(size_bytes) F(payload_bytes) F(tail_bytes) \
	F(discard) F(hop_limit) F(hop_count) F(priority) F(own_seq_id) F(own_seq_no)
#define RECORD_FIELDS_2(F) \
	F(source_node)
#define RECORD_FIELDS_3(F) \
	F(frag_off) F(total_len) F(adu_uid[0]) F(adu_uid[1]) F(sent_bytes)
/* clang-format on */

void record_encode(struct buf *b, const struct record *r)
{
	buf_u8(b, RECORD_VERSION);
#define F(field) put(b, r->field);
	RECORD_FIELDS(F)
	RECORD_FIELDS_2(F)
	RECORD_FIELDS_3(F)
#undef F
}

int record_decode(struct view value, struct record *r)
{
	struct cursor c = cursor_of(value);
	unsigned version = cursor_u8(&c);

	*r = (struct record){0};
	if (version < 1 || version > RECORD_VERSION)
		return cursor_ok(&c) ? -E_VERSION : c.err;
#define F(field) r->field = take(&c);
	RECORD_FIELDS(F)
	if (version >= 2) {
		RECORD_FIELDS_2(F)
	}
	if (version >= 3) {
		RECORD_FIELDS_3(F)
	}
#undef F
	return cursor_finish(&c);
}

static void put(struct buf *b, uint64_t v)
{
	uint8_t *p = buf_grow(b, 8);

	if (p)
		be64_put(p, v);
}

static uint64_t take(struct cursor *c)
{
	struct view v = cursor_take(c, 8);

	return v.p ? be64_get(v.p) : 0;
}
