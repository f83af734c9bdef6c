/*
 * Compressed custody and reporting signals of CCSDS 734.6 and
 * draft-flentge-dtn-bpv7-custody-transfer (D.5 of our notes).
 *
 * Two dialects exist: a list of sequences per key of the map (ccsds, ION), and one bare sequence
 * (bplib). Both are always read; codes->bare_sequence says which is written. A sequence is
 * [reference, first, range, ?block source]; a reference is a sequence id > 0 or an EID, which is an
 * array too, so the reader looks at the item counts to tell them apart: an EID has two items, a
 * sequence three or four. The two signals differ in record type, keys, and the fourth item, which a
 * CCS never has: its receiver is the block source. Start reading at signal_open() and ccs_next().
 */
#include "bundle/ccs.h"

#include "bundle/cbor.h"
#include "bundle/limits.h"

#include <assert.h>

static int signal_open(struct ccs_reader *r, uint64_t record_type);
static void signal_write(struct buf *b, const struct custody_codes *codes,
	const struct ccs_sequence *s, size_t n, bool is_report);
static bool key_next(struct ccs_reader *r);
static bool sequence_read(struct ccs_reader *r, struct ccs_sequence *s);
static uint64_t array_size(struct cursor c);

/* Keys of the maps in the order in which they are written. */
static const int8_t ccs_keys[] = {1, -1}; /* accepted, refused */
static const int8_t crs_keys[CRS_KINDS] = {0, 1, 2, 3, 4, 5};

static unsigned n_keys(bool is_report)
{
	return is_report ? CRS_KINDS : sizeof ccs_keys;
}

static int key_at(bool is_report, unsigned k)
{
	return is_report ? crs_keys[k] : ccs_keys[k];
}

int ccs_open(struct ccs_reader *r, struct view record, const struct custody_codes *codes)
{
	*r = (struct ccs_reader){.c = cursor_of(record)};
	return signal_open(r, codes->ccs_type);
}

int crs_open(struct ccs_reader *r, struct view record, const struct custody_codes *codes)
{
	*r = (struct ccs_reader){.c = cursor_of(record), .is_report = true};
	return signal_open(r, codes->crs_type);
}

void ccs_write(
	struct buf *b, const struct custody_codes *codes, const struct ccs_sequence *s, size_t n)
{
	signal_write(b, codes, s, n, false);
}

void crs_write(
	struct buf *b, const struct custody_codes *codes, const struct ccs_sequence *s, size_t n)
{
	signal_write(b, codes, s, n, true);
}

static int signal_open(struct ccs_reader *r, uint64_t record_type)
{
	r->open = cbor_array_of(&r->c, 2);
	uint64_t type = cbor_uint(&r->c);
	if (cursor_ok(&r->c) && type != record_type)
		return -E_TYPE;
	if (cbor_peek(&r->c) == CBOR_TAG) /* an earlier draft tagged the map */
		(void)cbor_head(&r->c, CBOR_TAG);
	r->maps_left = cbor_map(&r->c);
	if (r->maps_left == 0)
		cursor_fail(&r->c, -E_FORM);
	return r->c.err;
}

bool ccs_next(struct ccs_reader *r, struct ccs_sequence *s)
{
	struct cursor *c = &r->c;

	while (!r->in_list || !(r->bare || cbor_more(c, &r->seqs_left))) {
		r->in_list = false;
		if (!key_next(r))
			return false;
	}
	if (r->bare)
		r->in_list = false;
	if (++r->n_seqs > CCS_SEQUENCES_MAX)
		cursor_fail(c, -E_LIMIT);
	s->accepted = !r->is_report && r->key == 0;
	s->kind = r->is_report ? (enum crs_kind)r->key : CRS_RECEIVED;
	return sequence_read(r, s);
}

/* Goes into the value of the map's next key; false at the record's end (or on error). */
static bool key_next(struct ccs_reader *r)
{
	struct cursor *c = &r->c, look;
	unsigned n = n_keys(r->is_report);

	if (!cbor_more(c, &r->maps_left)) {
		cbor_array_end(c, r->open);
		(void)cursor_finish(c);
		return false;
	}
	size_t at = cursor_at(c);
	int64_t key = cbor_int(c);
	for (r->key = 0; r->key < n && key_at(r->is_report, r->key) != key;)
		r->key++;
	if (r->key == n)
		cursor_fail_at(c, -E_RANGE, at);
	if (r->seen >> r->key & 1)
		cursor_fail_at(c, -E_DUPLICATE, at);
	r->seen |= 1u << r->key;
	look = *c;
	if (cbor_array(&look) == 0)
		cursor_fail(c, look.err ? look.err : -E_FORM);
	/* first element: an array of three or four is a sequence in a list; a number or an EID
	 * begins a bare one */
	r->bare = cbor_peek(&look) != CBOR_ARRAY || array_size(look) == 2;
	r->seqs_left = r->bare ? 0 : cbor_array(c);
	r->in_list = cursor_ok(c);
	return r->in_list;
}

/* Items of the array that begins here, counted up to five; 0 when it is none. */
static uint64_t array_size(struct cursor c)
{
	uint64_t left = cbor_array(&c), n = 0;

	if (left != CBOR_INDEFINITE)
		return left;
	while (n < 5 && cbor_more(&c, &left)) {
		(void)cbor_skip(&c);
		n++;
	}
	return n;
}

/* [ incl, *(excl, incl) ]: an odd count of run lengths, all > 0. */
static void range_list_read(struct cursor *c, uint64_t first, struct ranges *numbers)
{
	uint64_t n = cbor_array(c), at_no = first;
	bool included = true;

	while (cbor_more(c, &n)) {
		size_t at = cursor_at(c);
		uint64_t run = cbor_uint(c);
		int err = 0;
		if (run == 0 || run > UINT64_MAX - at_no)
			err = -E_RANGE;
		else if (included)
			err = ranges_add(numbers, at_no, at_no + run);
		if (err)
			cursor_fail_at(c, err, at);
		at_no += run;
		included = !included;
	}
	if (included) /* an even count, or none */
		cursor_fail(c, -E_FORM);
}

/* The counter: an id, or the destination whose own counter it is. */
static void reference_read(struct cursor *c, struct ccs_sequence *s)
{
	size_t at = cursor_at(c);

	s->seq_id = 0;
	s->dest = eid_null();
	if (cbor_peek(c) == CBOR_ARRAY) {
		eid_read(c, &s->dest, NULL);
		return;
	}
	s->seq_id = cbor_uint(c);
	if (s->seq_id == 0)
		cursor_fail_at(c, -E_RANGE, at);
}

static void range_read(struct cursor *c, struct ccs_sequence *s)
{
	uint64_t first = cbor_uint(c);
	size_t at = cursor_at(c);

	s->numbers.n = 0;
	if (cbor_peek(c) == CBOR_ARRAY) {
		range_list_read(c, first, &s->numbers);
		return;
	}
	uint64_t n = cbor_uint(c);
	if (n == 0 || n > UINT64_MAX - first)
		cursor_fail_at(c, -E_RANGE, at);
	else if (cursor_ok(c) && ranges_add(&s->numbers, first, first + n))
		cursor_fail_at(c, -E_LIMIT, at);
}

static bool sequence_read(struct ccs_reader *r, struct ccs_sequence *s)
{
	struct cursor *c = &r->c;
	size_t at = cursor_at(c);
	uint64_t items = cbor_array(c);

	if (items != 3 && items != CBOR_INDEFINITE && !(items == 4 && r->is_report))
		cursor_fail_at(c, -E_FORM, at);
	reference_read(c, s);
	range_read(c, s);
	s->has_source = items == 4 ||
			(items == CBOR_INDEFINITE && r->is_report && cbor_peek(c) == CBOR_ARRAY);
	s->source = eid_null();
	if (s->has_source)
		eid_read(c, &s->source, NULL);
	cbor_array_end(c, items == CBOR_INDEFINITE);
	return cursor_ok(c);
}

static void range_write(struct buf *b, const struct ranges *numbers, bool always_list)
{
	const struct range *run = numbers->run;

	if (numbers->n == 1 && !always_list) {
		cbor_put_uint(b, run[0].to - run[0].from);
		return;
	}
	cbor_put_array(b, 2 * numbers->n - 1);
	for (size_t i = 0; i < numbers->n; i++) {
		if (i > 0)
			cbor_put_uint(b, run[i].from - run[i - 1].to);
		cbor_put_uint(b, run[i].to - run[i].from);
	}
}

static void sequence_write(struct buf *b, const struct ccs_sequence *s, bool always_list)
{
	assert(s->numbers.n > 0);
	cbor_put_array(b, s->has_source ? 4 : 3);
	if (s->seq_id)
		cbor_put_uint(b, s->seq_id);
	else
		eid_write(b, &s->dest);
	cbor_put_uint(b, s->numbers.run[0].from);
	range_write(b, &s->numbers, always_list);
	if (s->has_source)
		eid_write(b, &s->source);
}

static unsigned key_of(const struct ccs_sequence *s, bool is_report)
{
	return is_report ? (unsigned)s->kind : !s->accepted;
}

static void signal_write(struct buf *b, const struct custody_codes *codes,
	const struct ccs_sequence *s, size_t n, bool is_report)
{
	size_t count[CRS_KINDS] = {0}, n_used = 0;

	for (size_t i = 0; i < n; i++) {
		assert(is_report || !s[i].has_source);
		n_used += count[key_of(&s[i], is_report)]++ == 0;
	}
	cbor_put_array(b, 2);
	cbor_put_uint(b, is_report ? codes->crs_type : codes->ccs_type);
	cbor_put_map(b, n_used);
	for (unsigned k = 0; k < n_keys(is_report); k++) {
		if (count[k] == 0)
			continue;
		assert(!codes->bare_sequence || count[k] == 1);
		cbor_put_int(b, key_at(is_report, k));
		if (!codes->bare_sequence)
			cbor_put_array(b, count[k]);
		for (size_t i = 0; i < n; i++)
			if (key_of(&s[i], is_report) == k)
				sequence_write(b, &s[i], codes->bare_sequence);
	}
}
