/*
 * Endpoint IDs as text: RFC 9171 4.2.5.1.1 (dtn), RFC 9758 4 and 6.1 (ipn: decimal, no leading
 * zeros, allocator 0 left out, "!" for LocalNode).
 *
 * Text comes from people, so ipn:0.5 is refused here (-E_RANGE) though its encoding is read as
 * null. Start reading at eid_parse().
 */
#include "bundle/cbor.h"
#include "bundle/eid.h"
#include "bundle/eid_dtn.h"

#include <inttypes.h>
#include <stdio.h>

static int ipn_parse(const char *text, struct eid *e);
static int dtn_parse(const char *text, struct eid *e);
static int number_parse(const char **at, uint64_t max, uint64_t *out);
static size_t text_copy(const char *text, size_t n, char *out, size_t cap);

/* RFC 9171 4.2.5.1.1/d5, 4.2.5.1.2/d4 */
int eid_parse(const char *text, struct eid *e)
{
	*e = (struct eid){0};
	if (strncmp(text, "ipn:", 4) == 0)
		return ipn_parse(text + 4, e);
	if (strncmp(text, "dtn:", 4) == 0)
		return dtn_parse(text + 4, e);
	return -E_SYNTAX;
}

int eid_parse_node(const char *text, struct eid *e)
{
	uint64_t n;

	if (*text >= '0' && *text <= '9') {
		int err = number_parse(&text, UINT32_MAX, &n);
		if (err || *text)
			return err ? err : -E_SYNTAX;
		*e = eid_ipn(n, 0);
		return n ? 0 : -E_RANGE;
	}
	int err = eid_parse(text, e);
	if (!err && !eid_is_admin(e))
		return -E_RANGE;
	return err;
}

/* RFC 9171 4.2.5.1.2/d1; RFC 9758 3.2.2/1, 3.4.1/1, 4/2, 4.1/1 */
static int ipn_parse(const char *text, struct eid *e)
{
	uint64_t v[3] = {0};
	unsigned k = 0;
	int err = 0;

	bool local = *text == '!'; /* RFC 9758 3.4.2 */

	e->scheme = EID_SCHEME_IPN;
	if (local) {
		v[k++] = NODE_LOCAL;
		text++;
	}
	while (!err && (k == 0 || *text == '.')) {
		text += k > 0;
		err = k < 3 ? number_parse(&text, UINT64_MAX, &v[k++]) : -E_SYNTAX;
	}
	if (err || *text || k < 2 || (local && k != 2))
		return err ? err : -E_SYNTAX;
	if (v[0] > UINT32_MAX || (k == 3 && v[1] > UINT32_MAX))
		return -E_RANGE;
	e->node = k == 3 ? v[0] << 32 | v[1] : v[0];
	e->service = v[k - 1];
	return e->node == NODE_NONE && e->service != 0 ? -E_RANGE : 0;
}

/* RFC 9171 4.2.5.1.1/d1 */
static int dtn_parse(const char *text, struct eid *e)
{
	int err;

	e->scheme = EID_SCHEME_DTN;
	if (strcmp(text, "none") == 0)
		return 0;
	e->ssp = view_text(text);
	err = eid_dtn_split(e, false);
	return err == -E_FORM ? -E_SYNTAX : err;
}

/* Decimal without leading zeros; *at moves behind it. RFC 9758 4/1 */
static int number_parse(const char **at, uint64_t max, uint64_t *out)
{
	const char *p = *at;
	uint64_t v = 0;

	if (*p < '0' || *p > '9' || (p[0] == '0' && p[1] >= '0' && p[1] <= '9'))
		return -E_SYNTAX;
	for (; *p >= '0' && *p <= '9'; p++) {
		unsigned digit = (unsigned)(*p - '0');
		if (v > (max - digit) / 10)
			return -E_RANGE;
		v = v * 10 + digit;
	}
	*at = p;
	*out = v;
	return 0;
}

static size_t ipn_print(node_id node, uint64_t service, char *text, size_t cap)
{
	uint64_t alloc = node >> 32, number = node & UINT32_MAX;
	int n;

	if (node == NODE_LOCAL)
		n = snprintf(text, cap, "ipn:!.%" PRIu64, service);
	else if (alloc)
		n = snprintf(
			text, cap, "ipn:%" PRIu64 ".%" PRIu64 ".%" PRIu64, alloc, number, service);
	else
		n = snprintf(text, cap, "ipn:%" PRIu64 ".%" PRIu64, number, service);
	return (size_t)n < cap ? (size_t)n : cap - 1;
}

/* "scheme-N:HEX" */
static size_t unknown_print(const struct eid *e, char *out, size_t cap)
{
	int head = snprintf(out, cap, "scheme-%" PRIu64 ":", e->scheme);
	size_t n = (size_t)head < cap ? (size_t)head : cap - 1;

	for (size_t i = 0; i < e->ssp.n && n + 2 < cap; i++, n += 2)
		snprintf(out + n, cap - n, "%02x", e->ssp.p[i]);
	return n;
}

/* RFC 9758 4/3 */
size_t eid_print(const struct eid *e, char *out, size_t cap)
{
	char text[EID_TEXT_MAX];
	uint8_t joined[EID_SSP_MAX];
	size_t n;

	if (e->scheme == EID_SCHEME_IPN) {
		n = ipn_print(e->node, e->service, text, sizeof text);
	} else if (e->scheme != EID_SCHEME_DTN) {
		n = unknown_print(e, text, sizeof text);
	} else if (e->node == NODE_NONE) {
		n = (size_t)snprintf(text, sizeof text, "dtn:none");
	} else {
		struct view ssp = eid_ssp_text(e, joined);
		n = (size_t)snprintf(
			text, sizeof text, "dtn:%.*s", (int)ssp.n, (const char *)ssp.p);
	}
	return text_copy(text, n, out, cap);
}

size_t node_print(node_id node, char *out, size_t cap)
{
	char text[64];
	size_t n;

	if (node == NODE_NONE)
		n = (size_t)snprintf(text, sizeof text, "dtn:none");
	else if (node & NODE_DTN_BIT)
		n = (size_t)snprintf(text, sizeof text, "dtn-node:%016" PRIx64, node);
	else
		n = ipn_print(node, 0, text, sizeof text);
	return text_copy(text, n, out, cap);
}

static size_t text_copy(const char *text, size_t n, char *out, size_t cap)
{
	if (cap == 0)
		return 0;
	if (n >= cap)
		n = cap - 1;
	memcpy(out, text, n);
	out[n] = 0;
	return n;
}
