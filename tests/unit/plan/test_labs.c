/* The ready-made labs are read without a note, and every pair of their nodes has a way within three hours. */
#include "dtn/plan/topo.h"

#include <criterion/criterion.h>
#include <stdio.h>

Test(labs, are_read_without_a_note)
{
	static const char *const names[] = {
		"two-nodes", "earth-relay-mars", "leo-pass", "moon", "two-paths"};
	static char text[65536];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct plan_note note[4];
		struct plan_notes notes = {note, 0, 4};
		struct topo *t;
		char path[64];
		FILE *f;
		snprintf(path, sizeof path, "netns/labs/%s.json", names[i]);
		f = fopen(path, "r");
		cr_assert_not_null(f, "%s", path);
		size_t n = fread(text, 1, sizeof text, f);
		fclose(f);
		cr_assert_eq(topo_read(view_of(text, n), (struct view){0}, &t, &notes), 0,
			"%s:%u: %s", path, note[0].line, note[0].text);
		cr_expect_eq(notes.n, 0, "%s: %s", path, note[0].text);
		cr_expect_str_eq(t->name, names[i]);
		topo_free(t);
	}
}
