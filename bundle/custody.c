/*
 * Custody formats: CTEB, CREB and the compressed custody signal of CCSDS 734.6 and
 * draft-flentge-dtn-bpv7-custody-transfer (D.3 to D.5 of our notes).
 *
 * Two dialects of the signal exist: a list of sequences per disposition (ccsds, ION), and one bare
 * sequence (bplib). Both are always read; codes->bare_sequence says which is written. A sequence is
 * [reference, first, range]; a reference is a sequence id > 0 or an EID, which is an array too, so
 * the reader looks at the item counts to tell them apart: an EID has two items, a sequence three.
 * Start reading at ccs_open() and ccs_next().
 */
#include "bundle/custody.h"

#include "bundle/cbor.h"
#include "bundle/limits.h"

#include <assert.h>

#define DISPOSITION_ACCEPTED 1
#define DISPOSITION_REFUSED (-1)

static bool disposition_next(struct ccs_reader *r);
static bool sequence_read(struct cursor *c, struct ccs_sequence *s);
static uint64_t array_size(struct cursor c);

struct custody_codes custody_codes_ccsds(void)
{
	return (struct custody_codes){
		.cteb_type = 13, .creb_type = 14, .ccs_type = 13, .crs_type = 14};
}

struct custody_codes custody_codes_bplib(void)
{
	return (struct custody_codes){.cteb_type = 15,
		.creb_type = 16,
		.ccs_type = 4,
		.crs_type = 3,
		.bare_sequence = true};
}

void cteb_read(struct cursor *c, struct cteb *t)
{
	bool open = cbor_array_of(c, 3);

	t->seq_no = cbor_uint(c);
	t->seq_id = cbor_uint(c);
	eid_read(c, &t->custodian, NULL);
	cbor_array_end(c, open);
}

void cteb_write(struct buf *b, const struct cteb *t)
{
	cbor_put_array(b, 3);
	cbor_put_uint(b, t->seq_no);
	cbor_put_uint(b, t->seq_id);
	eid_write(b, &t->custodian);
}

void creb_read(struct cursor *c, struct creb *r)
{
	uint64_t n = cbor_array(c);

	*r = (struct creb){0};
	if (!cbor_more(c, &n)) {
		cursor_fail(c, -E_FORM);
		return;
	}
	r->seq_no = cbor_uint(c);
	bool more = cbor_more(c, &n); /* once it said no it must not be asked again */
	if (more)
		r->seq_id = cbor_uint(c);
	r->has_flags = more && cbor_more(c, &n);
	if (r->has_flags)
		r->flags = cbor_uint(c);
	r->has_reporter = r->has_flags && cbor_more(c, &n);
	if (r->has_reporter)
		eid_read(c, &r->reporter, NULL);
	r->has_report_to = r->has_reporter && cbor_more(c, &n);
	if (r->has_report_to)
		eid_read(c, &r->report_to, NULL);
	if (r->has_report_to && cbor_more(c, &n))
		cursor_fail(c, -E_FORM);
}

void creb_write(struct buf *b, const struct creb *r)
{
	unsigned n = r->has_report_to  ? 5
		     : r->has_reporter ? 4
		     : r->has_flags    ? 3
		     : r->seq_id       ? 2
				       : 1;

	cbor_put_array(b, n);
	cbor_put_uint(b, r->seq_no);
	if (n > 1)
		cbor_put_uint(b, r->seq_id);
	if (n > 2)
		cbor_put_uint(b, r->flags);
	if (n > 3)
		eid_write(b, &r->reporter);
	if (n > 4)
		eid_write(b, &r->report_to);
}

int ccs_open(struct ccs_reader *r, struct view record, const struct custody_codes *codes)
{
	*r = (struct ccs_reader){.c = cursor_of(record)};
	r->open = cbor_array_of(&r->c, 2);
	uint64_t type = cbor_uint(&r->c);
	if (cursor_ok(&r->c) && type != codes->ccs_type)
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
		if (!disposition_next(r))
			return false;
	}
	if (r->bare)
		r->in_list = false;
	if (++r->n_seqs > CCS_SEQUENCES_MAX)
		cursor_fail(c, -E_LIMIT);
	s->accepted = r->accepted;
	return sequence_read(c, s);
}

/* Goes into the next disposition's value; false at the record's end (or on error). */
static bool disposition_next(struct ccs_reader *r)
{
	struct cursor *c = &r->c, look;

	if (!cbor_more(c, &r->maps_left)) {
		cbor_array_end(c, r->open);
		(void)cursor_finish(c);
		return false;
	}
	size_t at = cursor_at(c);
	int64_t key = cbor_int(c);
	r->accepted = key == DISPOSITION_ACCEPTED;
	if (cursor_ok(c) && key != DISPOSITION_ACCEPTED && key != DISPOSITION_REFUSED)
		cursor_fail_at(c, -E_RANGE, at);
	if (r->seen[r->accepted])
		cursor_fail_at(c, -E_DUPLICATE, at);
	r->seen[r->accepted] = true;
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

static bool sequence_read(struct cursor *c, struct ccs_sequence *s)
{
	bool open = cbor_array_of(c, 3);
	size_t at = cursor_at(c);

	s->numbers.n = 0;
	s->seq_id = 0;
	s->dest = eid_null();
	if (cbor_peek(c) == CBOR_ARRAY) {
		eid_read(c, &s->dest, NULL);
	} else {
		s->seq_id = cbor_uint(c);
		if (s->seq_id == 0)
			cursor_fail_at(c, -E_RANGE, at);
	}
	uint64_t first = cbor_uint(c);
	at = cursor_at(c);
	if (cbor_peek(c) == CBOR_ARRAY) {
		range_list_read(c, first, &s->numbers);
	} else {
		uint64_t n = cbor_uint(c);
		if (n == 0 || n > UINT64_MAX - first)
			cursor_fail_at(c, -E_RANGE, at);
		else if (cursor_ok(c) && ranges_add(&s->numbers, first, first + n))
			cursor_fail_at(c, -E_LIMIT, at);
	}
	cbor_array_end(c, open);
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
	cbor_put_array(b, 3);
	if (s->seq_id)
		cbor_put_uint(b, s->seq_id);
	else
		eid_write(b, &s->dest);
	cbor_put_uint(b, s->numbers.run[0].from);
	range_write(b, &s->numbers, always_list);
}

void ccs_write(
	struct buf *b, const struct custody_codes *codes, const struct ccs_sequence *s, size_t n)
{
	size_t count[2] = {0}; /* refused, accepted */

	for (size_t i = 0; i < n; i++)
		count[s[i].accepted]++;
	assert(!codes->bare_sequence || (count[0] <= 1 && count[1] <= 1));
	cbor_put_array(b, 2);
	cbor_put_uint(b, codes->ccs_type);
	cbor_put_map(b, count[0] && count[1] ? 2 : count[0] || count[1] ? 1 : 0);
	for (int accepted = 1; accepted >= 0; accepted--) {
		if (count[accepted] == 0)
			continue;
		cbor_put_int(b, accepted ? DISPOSITION_ACCEPTED : DISPOSITION_REFUSED);
		if (!codes->bare_sequence)
			cbor_put_array(b, count[accepted]);
		for (size_t i = 0; i < n; i++)
			if (s[i].accepted == (bool)accepted)
				sequence_write(b, &s[i], codes->bare_sequence);
	}
}
