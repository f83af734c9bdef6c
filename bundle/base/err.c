/*
 * err: names and sentences for error numbers. The list is err.def.
 */
#include "bundle/base/err.h"

#include <string.h>

struct err_row {
	const char *name;
	const char *text;
};

static const struct err_row rows[] = {
#define ERR(name, text) {#name, text},
#include "bundle/base/err.def"
#undef ERR
};

static const struct err_row *row_of(int err)
{
	int at = (err < 0 ? -err : err) - ERR_BASE;
	int n = (int)(sizeof rows / sizeof rows[0]);

	return at >= 0 && at < n ? &rows[at] : NULL;
}

const char *err_name(int err)
{
	const struct err_row *row = row_of(err);
	const char *name = row ? row->name : strerrorname_np(err < 0 ? -err : err);

	return name ? name : "UNKNOWN_ERROR";
}

const char *err_text(int err)
{
	const struct err_row *row = row_of(err);
	const char *text = row ? row->text : strerrordesc_np(err < 0 ? -err : err);

	return text ? text : "unknown error";
}
