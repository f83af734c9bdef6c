/*
 * tables: the rows of contacts.csv, hops.csv and bundles.csv (RFC 4180) and what schema.json says of
 * them. Columns are the rows of columns.def; a cell that nobody sets stays empty, which means null.
 */
#ifndef OWLT_DATASET_TABLES_H
#define OWLT_DATASET_TABLES_H

#include "bundle/base/json.h"
#include "dtn/dataset/dataset.h"
#include "dtn/route/route.h"

enum ds_table { TABLE_contacts, TABLE_hops, TABLE_bundles, TABLES };

enum contacts_column {
#define COL_contacts(name) contacts_##name,
#define COL_hops(name)
#define COL_bundles(name)
#define COL(table, name, type, unit, null, source) COL_##table(name)
#include "dtn/dataset/columns.def"
#undef COL_contacts
#undef COL_hops
	CONTACTS_COLUMNS
};

enum hops_column {
#define COL_contacts(name)
#define COL_hops(name) hops_##name,
#include "dtn/dataset/columns.def"
#undef COL_hops
#undef COL_bundles
	HOPS_COLUMNS
};

enum bundles_column {
#define COL_hops(name)
#define COL_bundles(name) bundles_##name,
#include "dtn/dataset/columns.def"
#undef COL_contacts
#undef COL_hops
#undef COL_bundles
#undef COL
	BUNDLES_COLUMNS
};

#define TABLE_COLUMNS_MAX 64
#define ROW_BYTES_MAX 16384
#define PATH_NODES_MAX 64

/* One row before it is text: set cells by column, then table_row prints them. */
struct row {
	struct cell {
		enum { CELL_NULL, CELL_U64, CELL_I64, CELL_F64, CELL_TEXT } kind;
		union {
			uint64_t u;
			int64_t i;
			double f;
			size_t at; /* into text */
		};
	} cell[TABLE_COLUMNS_MAX];
	char text[ROW_BYTES_MAX / 2];
	size_t used;
};

void row_u64(struct row *r, unsigned col, uint64_t v);
void row_i64(struct row *r, unsigned col, int64_t v);
void row_f64(struct row *r, unsigned col, double v);
void row_text(struct row *r, unsigned col, const char *v);
/* A time and its twin: columns col (_ns) and col + 1 (_dtn_ms); NO_TIME leaves both empty. */
void row_time(struct row *r, unsigned col, int64_t ns);
/* A node and its text: columns col and col + 1; NODE_NONE leaves both empty. */
void row_node(struct row *r, unsigned col, const struct topo *t, node_id node);

/* What happened in a contact. */
struct contact_sum {
	uint64_t bytes_tx, bytes_rx, bundles_tx, bundles_rx, bundles_retx;
	int64_t first_tx, last_tx;
	int is_up; /* 1, 0, -1: not known */
	const char *first_drop;
};

/* The joined data set with what its rows need beside it. */
struct tables {
	const struct dataset *d;
	struct contact_sum *sum;        /* of each contact */
	struct route *planned, *actual; /* oracles; NULL without a plan, or without a log */
	struct plan *actual_plan;
};

/* 0 or -ENOMEM; tables_fini() in either case. d is borrowed. */
int tables_init(struct tables *t, const struct dataset *d) MUST_USE;
void tables_fini(struct tables *t);
const char *table_name(enum ds_table table);
size_t table_rows(const struct tables *t, enum ds_table table);
void table_header(enum ds_table table, struct buf *out);
void table_row(const struct tables *t, enum ds_table table, size_t k, struct buf *out);
/* One row of each table, by position (contacts.c, hops.c, bundles.c). */
void contacts_row(const struct tables *t, size_t k, struct row *r);
void hops_row(const struct tables *t, size_t k, struct row *r);
void bundles_row(const struct tables *t, size_t k, struct row *r);
/* The members of a table in schema.json: its columns. */
void table_schema(enum ds_table table, struct json_writer *w);

#endif
