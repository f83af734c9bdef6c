/* The lane and the log's files below the store: records moved whole or in pieces, damaged ones left where they
 * are, no room, and who may take the last segments. */
#include "dtn/store/segment.h"

#include "bundle/base/bytes.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE = 256 << 10, VALUE = 40, HEAD = 120 };

/* A log in a folder of its own, and one bundle that is in it. */
struct kit_log {
	char dir[64];
	int fd;
	struct log log;
	struct cell *value;
	uint8_t *bytes; /* head, payload and its checksums */
	struct op put, move;
};

static void kit_init(struct kit_log *k, size_t max)
{
	*k = (struct kit_log){0};
	mkdir("build", 0777);
	snprintf(k->dir, sizeof k->dir, "build/lane-test-XXXXXX");
	cr_assert(mkdtemp(k->dir));
	k->fd = open(k->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(k->fd, 0);
	cr_assert_eq(log_open(&k->log, k->fd, SIZE, max), 0);
}

static void kit_fini(struct kit_log *k)
{
	char path[128];

	for (size_t i = 0; i < k->log.n; i++) {
		snprintf(path, sizeof path, "%s/seg-%08u.log", k->dir, k->log.segment[i]->slot);
		unlink(path);
	}
	log_close(&k->log);
	close(k->fd);
	rmdir(k->dir);
	free(k->value);
	free(k->bytes);
}

static struct link_node *only(struct link_node *list, struct op *op)
{
	list_init(list);
	list_init(&op->link);
	list_push_back(list, &op->link);
	return list;
}

/* A bundle with so much payload becomes part of the log, and an operation that moves it. */
static void put(struct kit_log *k, size_t payload)
{
	struct link_node ops;

	free(k->value);
	free(k->bytes);
	k->value = malloc(sizeof *k->value + VALUE);
	k->bytes = malloc(HEAD + payload + (size_t)record_sums(payload) + 1);
	cr_assert(k->value && k->bytes);
	k->value->n = VALUE;
	memset(k->value->bytes, 'v', VALUE);
	for (size_t i = 0; i < HEAD + payload; i++)
		k->bytes[i] = (uint8_t)(i * 7 + (i >> 8));
	k->put = (struct op){.type = OP_PUT,
		.kind = STORE_BUNDLE,
		.id = 5,
		.value = k->value,
		.head = view_of(k->bytes, HEAD),
		.payload = view_of(k->bytes + HEAD, payload)};
	if (record_sums(payload))
		record_sum(k->bytes + HEAD, payload, 0, payload, k->bytes + HEAD + payload);
	cr_assert_eq(log_append(&k->log, only(&ops, &k->put), false), 0);
	k->move = (struct op){.type = OP_MOVE,
		.kind = STORE_BUNDLE,
		.id = 5,
		.value = k->value,
		.head = view_of(NULL, HEAD),
		.payload = view_of(NULL, payload),
		.from = k->put.to};
}

static int move(struct kit_log *k)
{
	struct link_node ops;

	k->move.to = (struct place){0};
	k->move.from.segment->is_bad = false;
	return lane_write(&k->log, only(&ops, &k->move), 77);
}

static void expect_moved(struct kit_log *k)
{
	const struct place *to = &k->move.to;
	struct record r;
	uint64_t size;

	cr_assert(to->segment && to->segment->is_lane);
	cr_assert_not(k->move.from.segment->is_bad);
	uint8_t *p = malloc((size_t)to->len);
	cr_assert(p);
	cr_assert_eq(segment_read(to->segment, to->off, p, to->len), 0);
	int err = record_read(view_of(p, (size_t)to->len), &r, &size);
	cr_assert_eq(err, 0, "%s", err_text(err));
	cr_assert_eq(size, to->len);
	cr_assert_eq(r.generation, to->segment->generation);
	cr_assert_eq(r.batch, 77);
	cr_assert_eq(r.id, 5);
	cr_assert(view_equal(r.value, view_of(k->value->bytes, VALUE)));
	cr_assert(view_equal(r.head, k->put.head));
	cr_assert(view_equal(r.payload, k->put.payload));
	free(p);
}

static void flip(const struct place *at, uint64_t off)
{
	uint8_t byte;

	cr_assert_eq(pread(at->segment->fd, &byte, 1, (off_t)(at->off + off)), 1);
	byte ^= 0x40;
	cr_assert_eq(pwrite(at->segment->fd, &byte, 1, (off_t)(at->off + off)), 1);
}

static const size_t payloads[] = {0, 1, 1000, RECORD_CHUNK, RECORD_CHUNK + 1, LOG_PIECE - 400,
	LOG_PIECE, 100000, 3 * LOG_PIECE + 5};

Test(lane, records_of_all_lengths_are_moved_whole)
{
	struct kit_log k;

	kit_init(&k, 60);
	for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
		put(&k, payloads[i]);
		cr_assert_eq(move(&k), 0, "%zu", payloads[i]);
		expect_moved(&k);
		cr_assert_eq(move(&k), 0, "and behind it, or into the next segment");
		expect_moved(&k);
	}
	kit_fini(&k);
}

/* Wherever it is damaged. Its segment is not compacted again, and the batch goes on. */
Test(lane, a_damaged_record_stays)
{
	struct kit_log k;

	kit_init(&k, 60);
	for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
		uint64_t n = payloads[i], head = RECORD_HEADER + VALUE, all = head + HEAD + n;
		const uint64_t at[] = {0, 5, 9, 26, 30, 38, 47, RECORD_HEADER, head - 1, head,
			head + HEAD - 1, all - 1, all - (n ? n : 1), all + record_sums(n) - 1};

		put(&k, n);
		for (size_t j = 0; j < sizeof at / sizeof at[0]; j++) {
			flip(&k.put.to, at[j]);
			cr_assert_eq(move(&k), 0, "%zu at %zu", payloads[i], (size_t)at[j]);
			cr_assert_null(k.move.to.segment, "%zu at %zu", payloads[i], (size_t)at[j]);
			cr_assert(k.move.from.segment->is_bad);
			flip(&k.put.to, at[j]);
		}
		cr_assert_eq(move(&k), 0);
		expect_moved(&k);
		k.move.id = 6; /* it is another's */
		cr_assert_eq(move(&k), 0);
		cr_assert_null(k.move.to.segment);
	}
	kit_fini(&k);
}

/* Version 1 had no checksums for parts of a payload: a long record with one checksum over all. */
Test(lane, an_old_long_record_gets_its_checksums)
{
	static const size_t old[] = {RECORD_CHUNK + 1, 60000, 200000};
	struct kit_log k;

	kit_init(&k, 60);
	for (size_t i = 0; i < sizeof old / sizeof old[0]; i++) {
		struct record r = {.type = RECORD_PUT,
			.kind = STORE_BUNDLE,
			.id = 5,
			.value = {.n = VALUE},
			.head = {.n = HEAD},
			.payload = {.n = old[i]}};
		uint8_t header[RECORD_HEADER];

		put(&k, old[i]);
		r.generation = k.put.to.segment->generation;
		uint32_t crc =
			record_check(record_begin(&r, header), view_of(k.value->bytes, VALUE));
		record_seal(header, record_check(crc, view_of(k.bytes, HEAD + old[i])));
		cr_assert_eq(
			out_write_at(k.put.to.segment->fd, header, sizeof header, k.put.to.off), 0);
		cr_assert_eq(move(&k), 0);
		expect_moved(&k);
		flip(&k.put.to, RECORD_HEADER + VALUE + HEAD + old[i] / 2);
		cr_assert_eq(move(&k), 0);
		cr_assert_null(k.move.to.segment);
	}
	kit_fini(&k);
}

/* Without room a move does not happen, and a new bundle fails its batch. */
Test(lane, no_room)
{
	enum { N = 7 };
	static struct op more[N];
	struct link_node ops;
	struct kit_log k;

	kit_init(&k, 4);
	put(&k, 200000);
	k.log.promised = 2;
	cr_assert_eq(move(&k), 0);
	cr_assert_null(k.move.to.segment);
	cr_assert_not(k.move.from.segment->is_bad);
	list_init(&ops);
	for (size_t i = 0; i < N; i++) { /* together worth a flush */
		more[i] = k.put;
		more[i].flags = STORE_LONG;
		more[i].to = (struct place){0};
		list_init(&more[i].link);
		list_push_back(&ops, &more[i].link);
	}
	cr_assert_eq(log_append(&k.log, &ops, true), -ENOSPC);
	cr_assert_null(k.log.lane);
	k.log.max = 20;
	k.log.promised = 0;
	for (size_t i = 0; i < N; i++)
		more[i].to = (struct place){0};
	cr_assert_eq(log_append(&k.log, &ops, true), 0);
	for (size_t i = 0; i < N; i++)
		cr_assert(more[i].to.segment && more[i].to.segment->is_lane);
	kit_fini(&k);
}

Test(segment, the_last_ones_are_for_those_who_make_room)
{
	struct kit_log k;

	kit_init(&k, 7);
	cr_assert(log_take(&k.log, 1000, LOG_USE_PUT));
	k.log.promised = 3; /* of six */
	cr_assert(log_take(&k.log, 1000, LOG_USE_MOVE));
	cr_assert(log_take(&k.log, 1000, LOG_USE_MOVE));
	cr_assert_null(log_take(&k.log, 1000, LOG_USE_MOVE));
	cr_assert(log_take(&k.log, 1000, LOG_USE_PUT));
	cr_assert_eq(k.log.promised, 2);
	cr_assert(log_take(&k.log, 1000, LOG_USE_PUT));
	cr_assert_null(log_take(&k.log, 1000, LOG_USE_PUT));
	k.log.promised = 0;
	cr_assert(log_take(&k.log, 1000, LOG_USE_MOVE));
	cr_assert_null(log_take(&k.log, 1000, LOG_USE_MOVE));
	cr_assert(log_take(&k.log, 1000, LOG_USE_FREE));
	cr_assert_null(log_take(&k.log, 1000, LOG_USE_FREE));
	kit_fini(&k);
}

/* All files that may be made were: a free one makes way for a record longer than any. */
Test(segment, one_makes_way_for_a_long_record)
{
	struct kit_log k;

	kit_init(&k, 5);
	for (unsigned i = 0; i < 5; i++)
		cr_assert(log_take(&k.log, 1000, LOG_USE_FREE));
	log_give_back(&k.log, 1);
	cr_assert_eq(k.log.n, 5);
	struct segment *s = log_take(&k.log, 2 * SIZE + 1, LOG_USE_PUT);
	cr_assert(s);
	cr_assert_gt(s->size, 2 * SIZE);
	cr_assert_eq(k.log.n, 5);
	kit_fini(&k);
}
