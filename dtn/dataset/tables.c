/*
 * tables: columns, cells and their text. Each row is collected in cells by column number, so the order
 * of columns.def is the order of the file whatever the order of the code. Fields are quoted only where
 * RFC 4180 2.6 asks for it; lines end in CRLF (2.1).
 */
#include "dtn/dataset/tables.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

struct column {
	enum ds_table table;
	const char *name, *type, *unit, *null, *source;
};

static const struct column columns[] = {
#define COL(table, name, type, unit, null, source)                                                 \
	{TABLE_##table, #name, #type, unit, null, #source},
#include "dtn/dataset/columns.def"
#undef COL
};

#define N_COLUMNS (sizeof columns / sizeof *columns)

static_assert(CONTACTS_COLUMNS <= TABLE_COLUMNS_MAX && HOPS_COLUMNS <= TABLE_COLUMNS_MAX &&
		      BUNDLES_COLUMNS <= TABLE_COLUMNS_MAX,
	"every column has a cell");

static void print_cell(const struct row *r, const struct cell *c, struct buf *out);
static void print_text(const char *text, struct buf *out);

const char *table_name(enum ds_table table)
{
	static const char *const name[TABLES] = {"contacts", "hops", "bundles"};

	return name[table];
}

size_t table_rows(const struct tables *t, enum ds_table table)
{
	switch (table) {
	case TABLE_contacts:
		return t->d->topo->plan ? t->d->topo->plan->n_contacts : 0;
	case TABLE_hops:
		return t->d->n_hops;
	default:
		return t->d->n_bundles;
	}
}

void table_header(enum ds_table table, struct buf *out)
{
	bool first = true;

	for (size_t k = 0; k < N_COLUMNS; k++) {
		if (columns[k].table != table)
			continue;
		if (!first)
			buf_u8(out, ',');
		first = false;
		buf_text(out, columns[k].name);
	}
	buf_text(out, "\r\n");
}

void table_row(const struct tables *t, enum ds_table table, size_t k, struct buf *out)
{
	static void (*const fill[TABLES])(const struct tables *, size_t, struct row *) = {
		contacts_row, hops_row, bundles_row};
	static const size_t n_columns[TABLES] = {CONTACTS_COLUMNS, HOPS_COLUMNS, BUNDLES_COLUMNS};
	struct row r;

	r.used = 0;
	memset(r.cell, 0, sizeof r.cell);
	fill[table](t, k, &r);
	for (size_t col = 0; col < n_columns[table]; col++) {
		if (col > 0)
			buf_u8(out, ',');
		print_cell(&r, &r.cell[col], out);
	}
	buf_text(out, "\r\n");
}

void table_schema(enum ds_table table, struct json_writer *w)
{
	jw_array(w, "columns");
	for (size_t k = 0; k < N_COLUMNS; k++) {
		if (columns[k].table != table)
			continue;
		jw_object(w, NULL);
		jw_text(w, "name", view_text(columns[k].name));
		jw_text(w, "type", view_text(columns[k].type));
		jw_text(w, "unit", view_text(columns[k].unit));
		jw_text(w, "null", view_text(columns[k].null));
		jw_text(w, "source", view_text(columns[k].source));
		jw_object_end(w);
	}
	jw_array_end(w);
}

void row_u64(struct row *r, unsigned col, uint64_t v)
{
	r->cell[col].kind = CELL_U64;
	r->cell[col].u = v;
}

void row_i64(struct row *r, unsigned col, int64_t v)
{
	r->cell[col].kind = CELL_I64;
	r->cell[col].i = v;
}

void row_f64(struct row *r, unsigned col, double v)
{
	r->cell[col].kind = CELL_F64;
	r->cell[col].f = v;
}

/* A text that does not fit any more is left out: paths are bounded, so this does not happen. */
void row_text(struct row *r, unsigned col, const char *v)
{
	size_t n = strlen(v) + 1;

	if (n == 1 || n > sizeof r->text - r->used)
		return;
	memcpy(r->text + r->used, v, n);
	r->cell[col].kind = CELL_TEXT;
	r->cell[col].at = r->used;
	r->used += n;
}

void row_time(struct row *r, unsigned col, int64_t ns)
{
	if (ns == NO_TIME)
		return;
	row_i64(r, col, ns);
	row_i64(r, col + 1, ns / 1000000 - DTN_EPOCH_UNIX_S * 1000);
}

void row_node(struct row *r, unsigned col, const struct topo *t, node_id node)
{
	char text[EID_TEXT_MAX];

	if (node == NODE_NONE)
		return;
	row_u64(r, col, node);
	names_print(&t->names, node, text, sizeof text);
	row_text(r, col + 1, text);
}

static void print_cell(const struct row *r, const struct cell *c, struct buf *out)
{
	char text[40];

	switch (c->kind) {
	case CELL_NULL:
		return;
	case CELL_U64:
		snprintf(text, sizeof text, "%" PRIu64, c->u);
		break;
	case CELL_I64:
		snprintf(text, sizeof text, "%" PRId64, c->i);
		break;
	case CELL_F64:
		snprintf(text, sizeof text, "%.10g", c->f);
		break;
	case CELL_TEXT:
		print_text(r->text + c->at, out);
		return;
	}
	buf_text(out, text);
}

static void print_text(const char *text, struct buf *out)
{
	if (!strpbrk(text, ",\"\r\n")) {
		buf_text(out, text);
		return;
	}
	buf_u8(out, '"');
	for (; *text; text++) {
		if (*text == '"')
			buf_u8(out, '"');
		buf_u8(out, (uint8_t)*text);
	}
	buf_u8(out, '"');
}
