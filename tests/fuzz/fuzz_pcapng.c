/*
 * Captures: any file is read to an end that is told, every frame lies inside it, and whatever was in it
 * makes rows that fit: the way of `owlt dataset` with a capture alone.
 */
#include "dtn/dataset/tables.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char topology[] =
	"{\"name\":\"t\",\"nodes\":[{\"name\":\"earth\",\"id\":\"ipn:1.0\"},{\"name\":\"relay\","
	"\"id\":\"ipn:2.0\"}],"
	"\"links\":[{\"name\":\"earth-relay\",\"a\":\"earth\",\"b\":\"relay\"}],"
	"\"plan\":{\"contacts\":[{\"from\":\"ipn:1.0\",\"to\":\"ipn:2.0\",\"start\":0,\"end\":100,"
	"\"rate\":\"1M\",\"owlt\":1}]}}";

static void print_rows(struct dataset *d)
{
	static char row[ROW_BYTES_MAX];
	struct tables t;

	assert(dataset_join(d) == 0);
	assert(tables_init(&t, d) == 0);
	for (unsigned table = 0; table < TABLES; table++)
		for (size_t k = 0; k < table_rows(&t, table); k++) {
			struct buf out = buf_of(row, sizeof row);

			table_row(&t, table, k, &out);
			assert(buf_finish(&out) == 0);
		}
	tables_fini(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct plan_note note[4];
	struct plan_notes notes = {.note = note, .cap = 4};
	struct pcapng_iface iface[8];
	struct pcapng_frame f;
	struct dataset *d;
	struct topo *topo;
	struct pcapng p;

	if (topo_read(view_text(topology), (struct view){0}, &topo, &notes) < 0)
		abort();
	assert(dataset_new(&d, topo, "fuzz", 800000000000) == 0);
	pcapng_open(&p, view_of(data, size), iface, 8);
	while (pcapng_next(&p, &f) == 1) {
		assert(f.bytes.n == 0 ||
			(f.bytes.p >= data && f.bytes.p + f.bytes.n <= data + size));
		assert(dataset_frame(d, &f) == 0);
	}
	assert(p.c.err <= 0 && p.n_frames <= size / 32);
	print_rows(d);
	dataset_free(d);
	topo_free(topo);
	return 0;
}
