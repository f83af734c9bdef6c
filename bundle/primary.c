/*
 * The primary block: RFC 9171 4.3.1 (form), 4.2.3 (flags), RFC 9758 5.4 (LocalNode).
 *
 * It is immutable: whoever forwards copies b->primary. Start reading at primary_read().
 */
#include "bundle/plain_write.h"
#include "bundle/reader.h"

#include <stddef.h>

#define VERSION 7
#define ITEMS_LEAST 8

static int general_read(struct reader *r);
static int times_read(struct reader *r);
static int primary_check(struct reader *r, size_t at);

int primary_read(struct reader *r)
{
	const uint8_t *from = r->c.p;
	size_t at = cursor_at(&r->c);
	int err = general_read(r);

	if (err)
		return err;
	reader_primary(r, from, r->c.p);
	return primary_check(r, at);
}

static int endpoint_read(struct reader *r, struct eid *e)
{
	eid_read_lenient(&r->c, e, NULL, r->rules->allow_short_dtn);
	return cursor_ok(&r->c) ? 0 : reader_error(r, &r->c, RULE_EID_FORM);
}

/* RFC 9171 4.1/4b, 4.2.1/d1, 4.2.1/1, 4.2.3/3, 4.2.3/4, 4.2.3/4b, 4.3.1/1, 4.3.1/1b, 4.3.1/4,
 * 4.3.1/4b, 4.3.1/5 */
static int general_read(struct reader *r)
{
	struct bundle *b = r->b;
	struct cursor *c = &r->c;
	const uint8_t *from = c->p;
	size_t at = cursor_at(c);
	uint64_t items, crc_type;
	int err;

	memset(b, 0, offsetof(struct bundle, block));
	if (c->p < c->end && *c->p == 0xff)
		return reader_broken(r, RULE_PRIMARY_MISSING, at);
	items = cbor_array(c);
	size_t version_at = cursor_at(c);
	if (cbor_uint(c) != VERSION && cursor_ok(c))
		return reader_broken(r, RULE_VERSION, version_at);
	b->flags = cbor_uint(c);
	size_t crc_at = cursor_at(c);
	crc_type = cbor_uint(c);
	if (!cursor_ok(c))
		return reader_error(r, c, 0);
	if (crc_type > CRC_32C)
		return reader_broken(r, RULE_CRC_TYPE, crc_at);
	b->crc_type = (enum crc_type)crc_type;
	bool fragment = b->flags & BUNDLE_FRAGMENT;
	if (items != CBOR_INDEFINITE &&
		items != ITEMS_LEAST + (fragment ? 2u : 0u) + (crc_type ? 1u : 0u))
		return reader_broken(r, RULE_PRIMARY_LENGTH, at);
	err = endpoint_read(r, &b->dest);
	err = err ? err : endpoint_read(r, &b->source);
	err = err ? err : endpoint_read(r, &b->report_to);
	err = err ? err : times_read(r);
	return err ? err : reader_crc(r, from, b->crc_type, items == CBOR_INDEFINITE);
}

/* Creation timestamp, lifetime, and a fragment's place.
 * RFC 9171 4.2.6/1, 4.2.7/1, 4.3.1/9, 4.3.1/10, 4.3.1/11, 4.3.1/12, 4.3.1/13 */
static int times_read(struct reader *r)
{
	struct bundle *b = r->b;
	struct cursor *c = &r->c;
	bool open = cbor_array_of(c, 2);

	b->created_ms = cbor_uint(c);
	b->seq = cbor_uint(c);
	cbor_array_end(c, open);
	b->lifetime_ms = cbor_uint(c);
	if (b->flags & BUNDLE_FRAGMENT) {
		b->frag_off = cbor_uint(c);
		b->total_len = cbor_uint(c);
	}
	return cursor_ok(c) ? 0 : reader_error(r, c, 0);
}

/* RFC 9171 4.2.3/1, 4.2.3/2, 4.2.3/2b */
unsigned primary_flags_rule(uint64_t flags, bool anonymous)
{
	if ((flags & BUNDLE_ADMIN) && (flags & BUNDLE_REPORTS))
		return RULE_ADMIN_REPORTS;
	if (anonymous && (flags & BUNDLE_REPORTS))
		return RULE_ANONYMOUS_REPORTS;
	if (anonymous && !(flags & BUNDLE_NO_FRAGMENT))
		return RULE_ANONYMOUS_FRAGMENT;
	return RULE_NONE;
}

static bool is_local(const struct eid *e)
{
	return e->scheme == EID_SCHEME_IPN && e->node == NODE_LOCAL;
}

/* RFC 9758 5.4/3 */
static int primary_check(struct reader *r, size_t at)
{
	const struct bundle *b = r->b;
	unsigned rule = primary_flags_rule(b->flags, eid_is_null(&b->source));

	if (rule == RULE_NONE && b->source.group)
		rule = RULE_SOURCE_GROUP;
	if (rule == RULE_NONE && r->rules->from_outside &&
		(is_local(&b->dest) || is_local(&b->source)))
		rule = RULE_LOCAL_NODE;
	return rule == RULE_NONE ? 0 : reader_broken(r, rule, at);
}

/* RFC 9171 4.3.1/1b, 4.3.1/4b */
void primary_write(struct buf *b, const struct bundle_spec *s)
{
	size_t from = b->len, n = crc_size(s->crc_type);
	bool fragment = s->flags & BUNDLE_FRAGMENT;
	uint8_t *p = buf_room(b, PLAIN_PRIMARY_ROOM);
	const uint8_t *end = p ? plain_primary_put(p, s) : NULL;

	if (end) {
		b->len += (size_t)(end - p);
		return;
	}
	cbor_put_array(b, ITEMS_LEAST + (fragment ? 2u : 0u) + (n ? 1u : 0u));
	cbor_put_uint(b, VERSION);
	cbor_put_uint(b, s->flags);
	cbor_put_uint(b, s->crc_type);
	eid_write(b, &s->dest);
	eid_write(b, &s->source);
	eid_write(b, &s->report_to);
	cbor_put_array(b, 2);
	cbor_put_uint(b, s->created_ms);
	cbor_put_uint(b, s->seq);
	cbor_put_uint(b, s->lifetime_ms);
	if (fragment) {
		cbor_put_uint(b, s->frag_off);
		cbor_put_uint(b, s->total_len);
	}
	block_crc_write(b, from, s->crc_type);
}
