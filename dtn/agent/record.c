/*
 * record: the stored value of a bundle, one version octet and then numbers of eight octets in the
 * order of the struct. A new version appends fields, which stay as they are when an older one is
 * read; an unknown version is refused, and restore.c then gives the bundle up rather than guess.
 */
#include "dtn/agent/record.h"

#include "bundle/base/bytes.h"

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

#define COUNT(field) +1
#define FIELDS_1 (0 RECORD_FIELDS(COUNT))
#define FIELDS_2 (FIELDS_1 RECORD_FIELDS_2(COUNT))
#define FIELDS_3 (FIELDS_2 RECORD_FIELDS_3(COUNT))
#define UID_FIELD 1 /* of RECORD_FIELDS */

void record_encode(struct buf *b, const struct record *r)
{
	uint8_t *p = buf_grow(b, 1 + 8 * FIELDS_3);

	if (!p)
		return;
	*p++ = RECORD_VERSION;
#define F(field) be64_put(p, r->field), p += 8;
	RECORD_FIELDS(F)
	RECORD_FIELDS_2(F)
	RECORD_FIELDS_3(F)
#undef F
}

/* A known version, and as long as that is: the agent reads several a bundle, and asks once a record. */
static inline int version_of(struct view value, unsigned *version)
{
	static const size_t fields[] = {0, FIELDS_1, FIELDS_2, FIELDS_3};

	if (value.n == 0)
		return -E_TRUNCATED;
	*version = value.p[0];
	if (*version < 1 || *version > RECORD_VERSION)
		return -E_VERSION;
	if (value.n != 1 + 8 * fields[*version])
		return value.n < 1 + 8 * fields[*version] ? -E_TRUNCATED : -E_TRAILING;
	return 0;
}

int record_uid(struct view value, uint64_t uid[2])
{
	unsigned version;
	int err = version_of(value, &version);

	uid[0] = err ? 0 : be64_get(value.p + 1 + 8 * UID_FIELD);
	uid[1] = err ? 0 : be64_get(value.p + 1 + 8 * (UID_FIELD + 1));
	return err;
}

int record_decode(struct view value, struct record *r)
{
	unsigned version = 0;
	int err = version_of(value, &version);

	if (err || version < RECORD_VERSION)
		*r = (struct record){0};
	if (err)
		return err;
	const uint8_t *p = value.p + 1;
#define F(field) r->field = be64_get(p), p += 8;
	RECORD_FIELDS(F)
	if (version >= 2) {
		RECORD_FIELDS_2(F)
	}
	if (version >= 3) {
		RECORD_FIELDS_3(F)
	}
#undef F
	bool in_place =
		r->frag_off <= r->total_len && r->payload_bytes <= r->total_len - r->frag_off;
	return r->flags & RECORD_FRAGMENT && (r->total_len == 0 || !in_place) ? -E_RANGE : 0;
}
