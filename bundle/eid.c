/*
 * Endpoint IDs: RFC 9171 4.2.5 (dtn, ipn), RFC 9758 (three-element ipn, allocators, LocalNode).
 *
 * Reading decodes: both ipn forms and all null forms become the same struct (RFC 9758 6.4: decoded
 * values are compared). A dtn SSP in chunked text that nobody joins stays as its CBOR: then ssp
 * begins with 0x7f, which no SSP can; ssp_text() hides that from the rest. Text is in eid_text.c.
 * Start reading at eid_read().
 */
#include "bundle/eid.h"

#include "bundle/base/hash.h"
#include "bundle/cbor.h"
#include "bundle/eid_dtn.h"

#define U32_MAX UINT64_C(0xffffffff)

static void dtn_read(struct cursor *c, struct eid *e, struct buf *join, bool allow_short);
static void ipn_read(struct cursor *c, struct eid *e);

bool eid_is_known_scheme(const struct eid *e)
{
	return e->scheme == EID_SCHEME_IPN || e->scheme == EID_SCHEME_DTN;
}

/* RFC 9171 4.2.5.1.1/1, 4.2.5.1.1/d4, 4.2.5.1.2/1, 4.2.5.1.2/d3, 4.2.5.2/1; RFC 9758 5.7/1,
 * 5.7/2 */
bool eid_is_admin(const struct eid *e)
{
	return e->node != NODE_NONE && e->service == 0 && eid_is_known_scheme(e);
}

/* RFC 9171 4.2.5.1.1/d4, 4.2.5.1.2/d3 */
struct eid eid_admin(const struct eid *e)
{
	struct eid node = *e;
	size_t n = 2; /* "//" */

	if (e->scheme == EID_SCHEME_IPN)
		node.service = 0;
	if (e->scheme != EID_SCHEME_DTN || e->node == NODE_NONE || e->ssp.p[0] == EID_SSP_CHUNKED)
		return node;
	while (n < e->ssp.n && e->ssp.p[n] != '/')
		n++;
	node.ssp.n = n + (n < e->ssp.n);
	node.service = 0;
	node.group = false;
	return node;
}

/* RFC 9758 3/1, 3.2/1, 6.4/1, 6.4/2, 6.4/3 */
bool eid_equal(const struct eid *a, const struct eid *b)
{
	uint8_t ta[EID_SSP_MAX], tb[EID_SSP_MAX];

	if (eid_is_null(a) || eid_is_null(b))
		return eid_is_null(a) && eid_is_null(b);
	if (a->scheme != b->scheme || a->node != b->node || a->service != b->service)
		return false;
	if (a->scheme == EID_SCHEME_DTN)
		return view_equal(eid_ssp_text(a, ta), eid_ssp_text(b, tb));
	return a->scheme == EID_SCHEME_IPN || view_equal(a->ssp, b->ssp);
}

void eid_read(struct cursor *c, struct eid *e, struct buf *join)
{
	eid_read_lenient(c, e, join, false);
}

/* RFC 9171 4.2.5.1/2, 4.2.5.1/3, 4.2.5.1/4, 4.2.5.1/5; RFC 9758 3.4.1/1b */
void eid_read_lenient(struct cursor *c, struct eid *e, struct buf *join, bool allow_short)
{
	*e = (struct eid){0};
	/* by far the most bundles: ipn in two elements, arrays definite */
	if (cursor_left(c) >= 3 && memcmp(c->p, "\x82\x02\x82", 3) == 0) {
		c->p += 3;
		e->scheme = EID_SCHEME_IPN;
		e->node = cbor_uint(c);
		e->service = cbor_uint(c);
		if (e->node == NODE_NONE)
			e->service = 0;
		return;
	}
	bool open = cbor_array_of(c, 2);
	e->scheme = cbor_uint(c);
	if (!cursor_ok(c))
		return;
	if (e->scheme == EID_SCHEME_IPN)
		ipn_read(c, e);
	else if (e->scheme == EID_SCHEME_DTN)
		dtn_read(c, e, join, allow_short);
	else
		e->ssp = cbor_skip(c);
	if (open)
		cbor_array_end(c, open);
}

/* RFC 9171 4.2.5.1.2/2, 4.2.5.1.2/3, 4.2.5.1.2/4; RFC 9758 3.2/d1, 3.3/2, 3.4.1/d1, 5.1/2, 5.1/4,
 * 5.1/5, 6.1/1, 6.1/2, 6.1.1/1, 6.1.1/2, 6.1.1/3, 6.1.1/d1, 6.1.2/d1, 6.2/d1, 6.3/1, 7.1/1,
 * 7.1/2 */
static void ipn_read(struct cursor *c, struct eid *e)
{
	size_t at = cursor_at(c);
	uint64_t n = cbor_array(c);
	uint64_t v[3] = {0};
	unsigned k = 0;

	for (; k < 3 && cbor_more(c, &n); k++)
		v[k] = cbor_uint(c);
	if (!cursor_ok(c))
		return;
	if (k < 2 || (k == 3 && cbor_more(c, &n))) {
		cursor_fail_at(c, -E_FORM, at);
		return;
	}
	if (!cursor_ok(c))
		return;
	e->three = k == 3;
	if (e->three && (v[0] > U32_MAX || v[1] > U32_MAX)) {
		cursor_fail_at(c, -E_RANGE, at);
		return;
	}
	e->node = e->three ? v[0] << 32 | v[1] : v[0];
	/* RFC 9758 5.1: node 0 of allocator 0 is the null endpoint whatever the service */
	e->service = e->node == NODE_NONE ? 0 : v[k - 1];
}

/* RFC 9171 4.2.5.1.1/2, 4.2.5.1.1/2b */
static void dtn_read(struct cursor *c, struct eid *e, struct buf *join, bool allow_short)
{
	size_t at = cursor_at(c);
	uint8_t text[EID_SSP_MAX];

	if (cbor_peek(c) == CBOR_UINT) { /* dtn:none, RFC 9171 4.2.5.1.1 */
		if (cbor_uint(c) != 0)
			cursor_fail_at(c, -E_RANGE, at);
		return;
	}
	if (c->p < c->end && *c->p == EID_SSP_CHUNKED) {
		e->ssp = cbor_skip(c);
		struct view whole = eid_ssp_text(e, text);
		if (cursor_ok(c) && join && whole.n <= join->cap - join->len) {
			size_t from = join->len;
			buf_put(join, whole);
			e->ssp = view_of(join->p + from, whole.n);
		}
	} else {
		e->ssp = cbor_text(c);
	}
	if (!cursor_ok(c))
		return;
	int err = eid_dtn_split(e, allow_short);
	if (err)
		cursor_fail_at(c, err, at);
}

struct view eid_ssp_text(const struct eid *e, uint8_t into[EID_SSP_MAX])
{
	struct cursor c = cursor_of(e->ssp);
	uint64_t more = CBOR_INDEFINITE;
	size_t n = 0;

	if (e->ssp.n == 0 || e->ssp.p[0] != EID_SSP_CHUNKED)
		return e->ssp;
	c.p++;
	while (cbor_more(&c, &more)) {
		struct view chunk = cbor_text(&c);
		if (chunk.n > EID_SSP_MAX - n)
			return (struct view){
				.p = into, .n = EID_SSP_MAX + 1}; /* the splitter refuses it */
		if (chunk.n)
			memcpy(into + n, chunk.p, chunk.n);
		n += chunk.n;
	}
	return view_of(into, n);
}

/* RFC 9758 6.1.2/1, 6.1.2/2 */
void eid_write(struct buf *b, const struct eid *e)
{
	uint8_t text[EID_SSP_MAX];

	cbor_put_array(b, 2);
	cbor_put_uint(b, e->scheme);
	if (e->scheme == EID_SCHEME_DTN) {
		if (e->node == NODE_NONE)
			cbor_put_uint(b, 0);
		else
			cbor_put_text(b, eid_ssp_text(e, text));
	} else if (e->scheme == EID_SCHEME_IPN) {
		cbor_put_array(b, e->three ? 3 : 2);
		if (e->three)
			cbor_put_uint(b, e->node >> 32);
		cbor_put_uint(b, e->three ? e->node & U32_MAX : e->node);
		cbor_put_uint(b, e->service);
	} else {
		buf_put(b, e->ssp);
	}
}

/* reg-name of RFC 3986 3.2.2: unreserved, sub-delims, percent-encoded. */
static bool is_name_char(uint8_t ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
	       (ch && strchr("-._~!$&'()*+,;=", ch));
}

static bool is_hex(uint8_t ch)
{
	return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f') || (ch >= 'A' && ch <= 'F');
}

/* Length of the reg-name at the start of v. */
static size_t name_length(struct view v)
{
	size_t n = 0;

	while (n < v.n) {
		if (is_name_char(v.p[n]))
			n++;
		else if (v.p[n] == '%' && v.n - n > 2 && is_hex(v.p[n + 1]) && is_hex(v.p[n + 2]))
			n += 3;
		else
			break;
	}
	return n;
}

/* RFC 9171 4.2.5.1.1/d1, 4.2.5.1.1/d3 */
int eid_dtn_split(struct eid *e, bool allow_short)
{
	static const struct hash_key no_key = {0};
	uint8_t text[EID_SSP_MAX];
	struct view v = eid_ssp_text(e, text);

	if (v.n > EID_SSP_MAX)
		return -E_LIMIT;
	if (v.n >= 2 && v.p[0] == '/' && v.p[1] == '/')
		v = view_sub(v, 2, v.n - 2);
	else if (!allow_short || v.n == 0)
		return -E_FORM;
	size_t n = name_length(v);
	if (n == v.n || v.p[n] != '/') /* the slash behind the name is required */
		return -E_FORM;
	struct view demux = view_sub(v, n + 1, v.n - n - 1);
	for (size_t i = 0; i < demux.n; i++)
		if (demux.p[i] < 0x21 || demux.p[i] > 0x7e)
			return -E_FORM;
	e->node = hash_bytes(no_key, view_sub(v, 0, n)) | NODE_DTN_BIT;
	e->service = demux.n ? hash_bytes(no_key, demux) | 1 : 0;
	e->group = demux.n && demux.p[0] == '~';
	return 0;
}
