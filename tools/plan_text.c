/*
 * plan_text: see plan_text.h.
 */
#include "tools/plan_text.h"

#include <stdio.h>

int plan_file_open(struct plan_file *f, const char *name, const char *format)
{
	int err = plan_file_read(f, name, format);

	plan_file_print_notes(f);
	if (err && f->notes.n)
		out_fail("%s is not a valid plan", name);
	if (err)
		plan_file_free(f);
	return err;
}

void plan_put_time(struct out *o, const char *key, mono t)
{
	if (t == MONO_NEVER)
		jw_null(&o->w, key);
	else
		jw_double(&o->w, key, (double)t / 1e6);
}

void plan_put_node(struct out *o, const char *key, const struct plan *p, node_id node)
{
	char text[EID_TEXT_MAX];

	names_print(&p->names, node, text, sizeof text);
	out_string(o, key, text);
}

const char *plan_time_text(mono t, char *s, size_t n)
{
	size_t len;

	if (t == MONO_NEVER) {
		snprintf(s, n, "never");
		return s;
	}
	snprintf(s, n, "%.6f", (double)t / 1e6);
	len = strlen(s);
	while (s[len - 1] == '0')
		s[--len] = 0;
	if (s[len - 1] == '.')
		s[len - 1] = 0;
	return s;
}
