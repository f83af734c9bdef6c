/*
 * Readers of texts and files: each says that there is no memory, gives back what it took, and can be
 * asked again.
 */
#include "bundle/keyring.h"
#include "dtn/dataset/picture.h"
#include "dtn/dataset/tables.h"
#include "dtn/node/config.h"
#include "dtn/plan/topo.h"
#include "dtn/sim/scenario.h"
#include "tests/unit/alloc/fail.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const char topology[] =
	"{\"name\":\"t\",\"nodes\":[{\"name\":\"earth\",\"id\":\"ipn:1.0\"},{\"name\":\"mars\","
	"\"id\":\"ip"
	"n:2.0\"}],\"links\":[{\"name\":\"earth-mars\",\"a\":\"earth\",\"b\":\"mars\"}],"
	"\"traffic\":[{"
	"\"from\":\"earth\",\"to\":\"ipn:2.1\",\"size\":100,\"at\":\"1s\"}],\"config\":{\"agent\":{"
	"\"hop"
	"_limit\":7}},\"until\":\"30s\",\"plan\":{\"contacts\":[{\"from\":\"ipn:1.0\",\"to\":\"ipn:"
	"2."
	"0\",\"start\":0,\"end\":20,\"rate\":\"1M\",\"owlt\":1,\"bidirectional\":true}]}}";
static const char ionrc[] = "# two nodes\na contact +0 +60 1 2 1000\na range +0 +60 1 2 1\n"
			    "a contact +0 +60 2 1 1000\nm horizon +0\n";
static const char story[] =
	"topology two.json\nseed 7\nshow bundle_sourced bundle_delivered\n"
	"at 0 register mars 1\nat 1 send earth ipn:2.1 size 100 custody\nexpect\n";

Test(alloc, json)
{
	FAIL_EACH(k)
	{
		struct json *doc = NULL;
		unsigned line;
		int err = json_parse(view_text(topology), &doc, &line);

		json_free(doc);
		fail_judge(&k, err);
	}
	cr_assert_gt(fail_total(), 20);
}

Test(alloc, configuration)
{
	static struct node_cfg cfg;

	FAIL_EACH(k)
	{
		struct schema_error e;
		int err = node_cfg_defaults(&cfg, &e);

		err = err ? err
			  : schema_json(node_parts, &cfg,
				    view_text("{\"node\":{\"id\":\"ipn:1.0\"},\"links\":[{\"name\":"
					      "\"a\","
					      "\"peer\":\"ipn:2.0\",\"remote\":\"127.0.0.1:1\"}]}"),
				    &e);
		fail_judge(&k, err);
	}
	cr_assert_str_eq(cfg.id, "ipn:1.0");
}

static void plan_text(const char *text)
{
	FAIL_EACH_SOFT(
		k) /* the format is found by trial: when that fails it is taken for our own */
	{
		struct plan_note note[4];
		struct plan_notes notes = {note, 0, 4};
		struct plan *p = NULL;
		int err = plan_read(view_text(text), PLAN_AUTO, &p, &notes);

		cr_assert(err == 0 || p == NULL);
		plan_free(p);
		fail_judge(&k, err);
	}
}

Test(alloc, plans)
{
	plan_text(ionrc);
	plan_text("{\"contacts\":[{\"from\":\"ipn:1.0\",\"to\":\"ipn:2.0\",\"start\":0,\"end\":20,"
		  "\"rate\":\"1M\",\"owlt\":1}]}");
	plan_text(
		"{\"contacts\":[{\"contact\":0,\"source\":1,\"dest\":2,\"startTime\":0,\"endTime\":"
		"2000,\"rateBitsPerSec\":1000,\"owlt\":1}]}");
}

Test(alloc, topologies)
{
	FAIL_EACH(k)
	{
		struct plan_note note[4];
		struct plan_notes notes = {note, 0, 4};
		struct topo *t = NULL;
		int err = topo_read(view_text(topology), (struct view){0}, &t, &notes);

		cr_assert(err == 0 || t == NULL);
		topo_free(t);
		fail_judge(&k, err);
	}
}

Test(alloc, scenarios)
{
	FAIL_EACH(k)
	{
		struct scenario_error e;
		struct scenario *sc = NULL;
		int err = scenario_parse(view_text(story), &sc, &e);

		cr_assert(err == 0 || sc == NULL);
		scenario_free(sc);
		fail_judge(&k, err);
	}
}

Test(alloc, key_rings)
{
	FAIL_EACH(k)
	{
		struct keyring_fault fault;
		struct keyring *r = NULL;
		int err = keyring_parse(
			view_text("{\"keys\":[{\"id\":\"a\",\"kind\":\"aes128\",\"secret\":"
				  "\"71776572747975696f70617364666768\"}]}"),
			&r, &fault);

		keyring_free(r);
		fail_judge(&k, err);
	}
}

static const char *const lines[] = {
	"{\"t_us\":1,\"dtn_ms\":820000000000,\"node\":\"ipn:1.0\",\"ev\":\"bundle_seen\",\"id\":1,"
	"\"src_node\":\"ipn:1.0\",\"src_service\":9,\"created_ms\":820000000000,\"seq\":0}",
	"{\"t_us\":2,\"dtn_ms\":820000000000,\"node\":\"ipn:1.0\",\"ev\":\"bundle_shape\",\"id\":1,"
	"\"dst_node\":\"ipn:2.0\",\"dst_service\":1,\"size_bytes\":200,\"payload_bytes\":100}",
	"{\"t_us\":3,\"dtn_ms\":820000000000,\"node\":\"ipn:1.0\",\"ev\":\"bundle_sourced\",\"id\":"
	"1,"
	"\"registration\":0,\"custody\":false}",
	"{\"t_us\":4,\"dtn_ms\":820000000000,\"node\":\"ipn:1.0\",\"ev\":\"bundle_forwarded\","
	"\"id\":1,"
	"\"next_node\":\"ipn:2.0\",\"link\":\"earth-mars\",\"frame_bytes\":242,\"tx_end_us\":5}"};

static int tables_of(const struct topo *t)
{
	static char row[ROW_BYTES_MAX];
	struct dataset *d = NULL;
	struct tables tab = {0};
	int err = dataset_new(&d, t, "alloc", 0);

	for (unsigned i = 0; !err && i < sizeof lines / sizeof *lines; i++)
		err = dataset_line(d, view_text(lines[i]));
	err = err ? err : dataset_join(d);
	err = err ? err : tables_init(&tab, d);
	if (!err) {
		struct buf out = buf_of(row, sizeof row);

		if (table_rows(&tab, 0))
			table_row(&tab, 0, 0, &out);
	}
	tables_fini(&tab);
	dataset_free(d);
	return err;
}

Test(alloc, data_sets)
{
	struct plan_note note[4];
	struct plan_notes notes = {note, 0, 4};
	struct topo *t;

	cr_assert_eq(topo_read(view_text(topology), (struct view){0}, &t, &notes), 0);
	FAIL_EACH(k)
	{
		fail_judge(&k, tables_of(t));
	}
	topo_free(t);
}
