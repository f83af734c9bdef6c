/*
 * Event logs: any text is taken line by line, damaged lines are counted, and what was understood makes
 * rows and a picture that fit.
 */
#include "dtn/dataset/picture.h"
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

static void print_all(struct dataset *d)
{
	static char row[ROW_BYTES_MAX], svg[1 << 20];
	struct buf picture = buf_of(svg, sizeof svg);
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
	picture_draw(d, &picture);
	assert(buf_finish(&picture) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct plan_note note[4];
	struct plan_notes notes = {.note = note, .cap = 4};
	const uint8_t *at = data, *end = data + size;
	struct dataset *d;
	struct topo *topo;

	if (topo_read(view_text(topology), (struct view){0}, &topo, &notes) < 0)
		abort();
	assert(dataset_new(&d, topo, "fuzz", 0) == 0);
	while (at < end) {
		const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));

		stop = stop ? stop : end;
		assert(dataset_line(d, view_of(at, (size_t)(stop - at))) == 0);
		at = stop + 1;
	}
	print_all(d);
	dataset_free(d);
	topo_free(topo);
	return 0;
}
