/*
 * owlt dataset: the tables of a run (owlt-dataset(5)), or its picture. The work is in dtn/dataset;
 * here files are opened, written beside and renamed, and summed up. Start at cmd_dataset.
 */
#include "tools/opt.h"
#include "tools/out.h"
#include "tools/run_dir.h"

#include "bundle/crypto.h"
#include "dtn/dataset/picture.h"
#include "dtn/dataset/tables.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct options {
	const char *dir, *picture, *split;
	bool json;
};

#define AT(member) offsetof(struct options, member)
static const struct opt opts[] = {
	{"output", 'o', OPT_TEXT, AT(dir), "DIR", "where the tables go (default RUN_DIR/dataset)",
		NULL},
	{"picture", 'p', OPT_TEXT, AT(picture), "FILE.svg",
		"draw the event log instead of making tables", NULL},
	{"split", 's', OPT_TEXT, AT(split), "NAME",
		"which split the run belongs to: train, test, ... (default none)", NULL},
	{"json", 0, OPT_FLAG, AT(json), NULL, "the summary as one JSON document", NULL},
	{0},
};

static const struct opt_command command = {"dataset", "RUN_DIR",
	"join a run's capture and event logs into tables", opts,
	"Writes contacts.csv, hops.csv, bundles.csv and schema.json. The capture alone gives every "
	"delivery and\n"
	"hop attempt; columns that only a log knows stay empty without events/. A run without a "
	"capture (a\n"
	"simulation) is read from its event logs. Exit 1: the frames of a link do not balance.\n"};

/* What was written, for schema.json and the summary. */
struct written {
	size_t rows[TABLES];
	char sha256[TABLES][SHA256_HEX];
};

/* A file on its way: text goes out by the buffer, its hash with it. */
struct table_file {
	FILE *f;
	struct sha256 sum;
	char path[RUN_PATH_MAX], beside[RUN_PATH_MAX + 8];
	char row[ROW_BYTES_MAX];
};

static int make_tables(const struct run_dir *run, const struct options *o);
static int draw(const struct run_dir *run, const char *path);
static int feed(const struct run_dir *run, struct dataset *d, bool frames);
static int write_tables(
	const struct dataset *d, const char *dir, const struct options *o, struct written *w);
static int write_table(
	const struct tables *t, enum ds_table table, const char *dir, struct written *w);
static int write_schema(
	const struct dataset *d, const char *dir, const struct options *o, const struct written *w);
static int save(const char *dir, const char *name, struct view text);
static bool summarize(const struct dataset *d, const char *dir, bool json, const struct written *w);
static bool is_balanced(const struct ds_direction *dir);
static void print_text(const struct dataset *d, const char *dir, const struct written *w);
static void print_json(
	struct out *o, const struct dataset *d, const char *dir, const struct written *w, bool ok);
static void print_json_direction(struct out *o, const struct dataset *d, size_t k);

int cmd_dataset(int argc, char **argv); /* the table of main.c names it */

int cmd_dataset(int argc, char **argv)
{
	struct options o = {0};
	struct opt_rest rest = opt_read(&command, argc, argv, &o, 1, 1);
	struct run_dir run;
	int code;

	if (rest.done)
		return rest.code;
	if (run_dir_open(&run, rest.argv[0]) < 0) {
		run_dir_close(&run);
		return EXIT_USAGE;
	}
	code = o.picture ? draw(&run, o.picture) : make_tables(&run, &o);
	run_dir_close(&run);
	return code;
}

static int make_tables(const struct run_dir *run, const struct options *o)
{
	struct written w = {0};
	struct dataset *d;
	char dir[RUN_PATH_MAX];
	int code = EXIT_USAGE;

	if (o->dir)
		snprintf(dir, sizeof dir, "%s", o->dir);
	else
		run_dir_path(run, "dataset", dir);
	if (mkdir(dir, 0777) < 0 && errno != EEXIST)
		return out_fail("%s: %s", dir, strerror(errno));
	if (dataset_new(&d, run->topo, run->name, run->dtn0_ms) < 0)
		return out_fail("out of memory");
	if (feed(run, d, true) == 0 && write_tables(d, dir, o, &w) == 0)
		code = summarize(d, dir, o->json, &w) ? EXIT_YES : EXIT_NO;
	dataset_free(d);
	return code;
}

/* The picture is drawn from the event log, also where there is a capture. */
static int draw(const struct run_dir *run, const char *path)
{
	size_t cap = PICTURE_BYTES_MAX;
	struct dataset *d;
	struct buf svg;
	char *text;
	int code = EXIT_USAGE;

	if (dataset_new(&d, run->topo, run->name, run->dtn0_ms) < 0)
		return out_fail("out of memory");
	text = malloc(cap);
	svg = buf_of(text, cap);
	if (text && feed(run, d, false) == 0) {
		picture_draw(d, &svg);
		if (buf_finish(&svg) < 0)
			code = out_fail("%s: the picture would exceed %u MiB", path,
				PICTURE_BYTES_MAX >> 20);
		else
			code = save(NULL, path, buf_view(&svg)) < 0 ? EXIT_USAGE : EXIT_YES;
	}
	free(text);
	dataset_free(d);
	return code;
}

static int feed(const struct run_dir *run, struct dataset *d, bool frames)
{
	uint64_t n_frames = 0;
	unsigned n_logs;
	int err = run_dir_feed_events(run, d, &n_logs);

	if (err == 0 && frames)
		err = run_dir_feed_frames(run, d, &n_frames);
	if (err == 0 && n_logs == 0 && n_frames == 0) {
		out_fail("%s: neither %sevents/*.jsonl: nothing was recorded", run->path,
			frames ? "frames.pcapng nor " : "");
		return -ENOENT;
	}
	return err < 0 ? err : dataset_join(d);
}

static int write_tables(
	const struct dataset *d, const char *dir, const struct options *o, struct written *w)
{
	struct tables t;
	int err = tables_init(&t, d);

	for (unsigned table = 0; table < TABLES && err == 0; table++)
		err = write_table(&t, table, dir, w);
	tables_fini(&t);
	return err < 0 ? err : write_schema(d, dir, o, w);
}

static int table_put(struct table_file *f, const struct buf *row)
{
	sha256_update(&f->sum, buf_view(row));
	return fwrite(row->p, 1, row->len, f->f) == row->len ? 0 : -EIO;
}

static int write_table(
	const struct tables *t, enum ds_table table, const char *dir, struct written *w)
{
	struct table_file f;
	uint8_t sum[SHA256_BYTES];
	struct buf row = buf_of(f.row, sizeof f.row);
	int err = sha256_init(&f.sum);

	snprintf(f.path, sizeof f.path, "%.*s/%s.csv", RUN_PATH_MAX - 32, dir, table_name(table));
	snprintf(f.beside, sizeof f.beside, "%s.new", f.path);
	f.f = fopen(f.beside, "we");
	table_header(table, &row);
	if (f.f && err == 0)
		err = table_put(&f, &row);
	w->rows[table] = table_rows(t, table);
	for (size_t k = 0; f.f && err == 0 && k < w->rows[table]; k++) {
		row = buf_of(f.row, sizeof f.row);
		table_row(t, table, k, &row);
		err = buf_finish(&row) < 0 ? -E_OVERFLOW : table_put(&f, &row);
	}
	if (sha256_final(&f.sum, sum) == 0)
		sha256_hex(sum, sizeof sum, w->sha256[table]);
	if (!f.f || fclose(f.f) != 0 || err < 0 || rename(f.beside, f.path) < 0) {
		out_fail("%s: %s", f.path, err < 0 ? err_text(err) : strerror(errno));
		return -EIO;
	}
	return 0;
}

static int write_schema(
	const struct dataset *d, const char *dir, const struct options *o, const struct written *w)
{
	static char text[1 << 16];
	struct buf b = buf_of(text, sizeof text);
	struct json_writer j = {.out = &b};
	char file[64];

	jw_object(&j, NULL);
	jw_u64(&j, "schema_version", DATASET_SCHEMA_VERSION);
	jw_text(&j, "run_id", view_text(d->run_id));
	if (o->split)
		jw_text(&j, "split", view_text(o->split));
	else
		jw_null(&j, "split");
	jw_bool(&j, "from_capture", d->has_frames);
	jw_bool(&j, "from_log", d->has_log);
	jw_array(&j, "tables");
	for (unsigned table = 0; table < TABLES; table++) {
		jw_object(&j, NULL);
		snprintf(file, sizeof file, "%s.csv", table_name(table));
		jw_text(&j, "file", view_text(file));
		jw_u64(&j, "rows", w->rows[table]);
		jw_text(&j, "sha256", view_text(w->sha256[table]));
		table_schema(table, &j);
		jw_object_end(&j);
	}
	jw_array_end(&j);
	jw_object_end(&j);
	buf_u8(&b, '\n');
	return buf_finish(&b) < 0 ? -E_OVERFLOW : save(dir, "schema.json", buf_view(&b));
}

/* Written beside and renamed, so that a reader sees a whole file. */
static int save(const char *dir, const char *name, struct view text)
{
	char path[RUN_PATH_MAX], beside[RUN_PATH_MAX + 8];
	FILE *f;
	bool ok;

	snprintf(path, sizeof path, "%s%s%s", dir ? dir : "", dir ? "/" : "", name);
	snprintf(beside, sizeof beside, "%s.new", path);
	f = fopen(beside, "we");
	ok = f && fwrite(text.p, 1, text.n, f) == text.n;
	if (f && fclose(f) != 0)
		ok = false;
	if (ok && rename(beside, path) == 0)
		return 0;
	out_fail("%s: %s", path, strerror(errno));
	return -EIO;
}

/* True if every direction balances: sent + copied = received + dropped + in flight, none negative. */
static bool summarize(const struct dataset *d, const char *dir, bool json, const struct written *w)
{
	struct out o;
	bool ok = true;

	out_begin(&o, json);
	for (size_t k = 0; k < 2 * d->topo->n_links; k++)
		ok = is_balanced(&d->direction[k]) && ok;
	if (json)
		print_json(&o, d, dir, w, ok);
	else
		print_text(d, dir, w);
	if (!ok)
		out_no("%s: more frames ended than were sent: the capture is not whole", d->run_id);
	return out_end(&o) == 0 && ok;
}

static bool is_balanced(const struct ds_direction *dir)
{
	return dir->frames_tx + dir->frames_copied >= dir->frames_rx + dir->frames_dropped;
}

static void print_text(const struct dataset *d, const char *dir, const struct written *w)
{
	for (unsigned table = 0; table < TABLES; table++)
		printf("%s/%s.csv: %zu rows\n", dir, table_name(table), w->rows[table]);
	for (size_t k = 0; k < 2 * d->topo->n_links; k++) {
		const struct topo_link *l = &d->topo->link[k / 2];
		const struct topo_node *from = &d->topo->node[k % 2 ? l->b : l->a];
		const struct topo_node *to = &d->topo->node[k % 2 ? l->a : l->b];
		struct dataset_traffic n = dataset_traffic(d, (uint32_t)(k / 2), from->id);
		const struct ds_direction *dir_of = &d->direction[k];

		printf("%s %s>%s: %" PRIu64 " bundles in %" PRIu64 " hop attempts", l->name,
			from->name, to->name, n.distinct, n.hops);
		if (d->has_frames)
			printf("; %" PRIu64 " frames sent, %" PRIu64 " dropped, %" PRIu64
			       " received",
				dir_of->frames_tx, dir_of->frames_dropped, dir_of->frames_rx);
		putchar('\n');
	}
	if (d->bad_lines || d->unknown_ifaces || d->rx_unmatched)
		printf("left out: %" PRIu64 " damaged lines, %" PRIu64
		       " frames of unknown interfaces, %" PRIu64
		       " arrivals whose sender's end was not captured\n",
			d->bad_lines, d->unknown_ifaces, d->rx_unmatched);
}

static void print_json(
	struct out *o, const struct dataset *d, const char *dir, const struct written *w, bool ok)
{
	jw_object(&o->w, NULL);
	jw_text(&o->w, "dataset", view_text(dir));
	jw_object(&o->w, "rows");
	for (unsigned table = 0; table < TABLES; table++)
		jw_u64(&o->w, table_name(table), w->rows[table]);
	jw_object_end(&o->w);
	jw_array(&o->w, "links");
	for (size_t k = 0; k < 2 * d->topo->n_links; k++)
		print_json_direction(o, d, k);
	jw_array_end(&o->w);
	jw_object(&o->w, "frames");
	for (unsigned kind = 0; kind < FRAME_KINDS; kind++)
		jw_u64(&o->w, frame_kind_name(kind), d->frames[kind]);
	jw_object_end(&o->w);
	jw_u64(&o->w, "event_lines", d->lines);
	jw_u64(&o->w, "bad_lines", d->bad_lines);
	jw_u64(&o->w, "unknown_interfaces", d->unknown_ifaces);
	jw_u64(&o->w, "forwards_without_frame", d->log_only);
	jw_u64(&o->w, "arrivals_without_sender", d->rx_unmatched);
	jw_bool(&o->w, "balanced", ok);
	jw_object_end(&o->w);
}

static void print_json_direction(struct out *o, const struct dataset *d, size_t k)
{
	const struct topo_link *l = &d->topo->link[k / 2];
	const struct topo_node *from = &d->topo->node[k % 2 ? l->b : l->a],
			       *to = &d->topo->node[k % 2 ? l->a : l->b];
	const struct ds_direction *dir = &d->direction[k];
	struct dataset_traffic n = dataset_traffic(d, (uint32_t)(k / 2), from->id);

	jw_object(&o->w, NULL);
	jw_text(&o->w, "link", view_text(l->name));
	jw_text(&o->w, "from", view_text(from->name));
	jw_text(&o->w, "to", view_text(to->name));
	jw_u64(&o->w, "bundles_distinct", n.distinct);
	jw_u64(&o->w, "hop_rows", n.hops);
	jw_u64(&o->w, "frames_tx", dir->frames_tx);
	jw_u64(&o->w, "frames_copied", dir->frames_copied);
	jw_u64(&o->w, "frames_rx", dir->frames_rx);
	jw_object(&o->w, "frames_dropped");
	for (size_t i = 0; i < sizeof dir->drop / sizeof *dir->drop && dir->drop[i].n; i++)
		jw_u64(&o->w, dir->drop[i].why, dir->drop[i].n);
	jw_object_end(&o->w);
	jw_i64(&o->w, "frames_in_flight",
		(int64_t)(dir->frames_tx + dir->frames_copied - dir->frames_rx -
			  dir->frames_dropped));
	jw_object_end(&o->w);
}
