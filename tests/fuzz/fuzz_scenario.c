/*
 * Scenario files: what is refused says so with its line; what is accepted names its topology, can be
 * compared with any trace, and is played over two fixed nodes (a story with numbers of more than
 * three digits is not: it may ask for days of work).
 */
#include "dtn/sim/scenario.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char two[] =
	"{\"name\": \"two\", \"until\": \"20s\", \"nodes\": [{\"name\": \"earth\", \"id\": "
	"\"ipn:1.0\"},"
	"{\"name\": \"mars\", \"id\": \"ipn:2.0\"}], \"links\": [{\"name\": \"earth-mars\", \"a\": "
	"\"earth\","
	"\"b\": \"mars\"}], \"plan\": {\"contacts\": [{\"from\": \"ipn:1.0\", \"to\": \"ipn:2.0\", "
	"\"start\": 3,"
	"\"end\": 15, \"rate\": \"1M\", \"owlt\": \"1s\", \"bidirectional\": true}]}}";

static bool is_long(const uint8_t *data, size_t size)
{
	size_t digits = 0;

	for (size_t i = 0; i < size && digits < 4; i++)
		digits = data[i] >= '0' && data[i] <= '9' ? digits + 1 : 0;
	return digits >= 4;
}

static void play(const struct scenario *sc)
{
	static char room[1 << 20];
	struct buf trace = buf_of(room, sizeof room);
	struct plan_note note[4];
	struct plan_notes notes = {note, 0, 4};
	struct scenario_error e = {0};
	struct topo *t;

	assert(topo_read(view_text(two), (struct view){0}, &t, &notes) == 0);
	if (scenario_play(sc, t, &trace, &e) != 0)
		assert(e.text[0] && memchr(e.text, 0, sizeof e.text));
	else
		assert(trace.len == 0 || room[0] != '!');
	topo_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char room[1 << 16];
	struct buf diff = buf_of(room, sizeof room);
	struct view text = view_of(data, size), topo, file;
	struct scenario_error e = {0};
	struct scenario *sc = NULL;

	if (scenario_parse(text, &sc, &e) != 0) {
		assert(!sc && e.text[0] && memchr(e.text, 0, sizeof e.text));
		return 0;
	}
	if (scenario_topology(sc, &topo, &file))
		assert(topo.n + file.n <= size);
	(void)scenario_matches(sc, view_text("0.000 earth node_start\n"), &diff);
	if (size < 2000)
		(void)scenario_matches(sc, text, &diff);
	if (size < 2000 && !is_long(data, size))
		play(sc);
	scenario_free(sc);
	return 0;
}
