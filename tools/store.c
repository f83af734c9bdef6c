/*
 * owlt store check | ls | show | rm | export | import: a node's store while the node does not run, owlt-store(1).
 * The last two are in store_files.c. Start reading at cmd_store().
 */
#include "tools/store.h"

#include "tools/bundle_show.h"
#include "tools/commands.h"
#include "tools/opt.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>

struct args {
	bool json, quarantine, custody, expired, force;
	const char *source, *dest;
};

#define AT(field) offsetof(struct args, field)
#define JSON_OPT                                                                                   \
	{                                                                                          \
		"json", 0, OPT_FLAG, AT(json), NULL, "one JSON document", NULL                     \
	}

static int store_check_all(int argc, char **argv);
static int store_ls(int argc, char **argv);
static int store_show(int argc, char **argv);
static int store_rm(int argc, char **argv);

int cmd_store(int argc, char **argv)
{
	static const struct subcommand table[] = {
		{"check", store_check_all, "verify every stored byte"},
		{"ls", store_ls, "list the bundles"}, {"show", store_show, "show one bundle"},
		{"rm", store_rm, "delete bundles"},
		{"export", store_export, "write bundles to files"},
		{"import", store_import, "put bundles from files in"}, {0}};

	return opt_dispatch("owlt store", table, argc, argv);
}

/* -- check */

struct check {
	struct store *st;
	struct out o;
	const struct args *a;
	uint64_t n_damaged, n_custody, n_aside;
};

/* Checksums, then whether the record and the bytes fit each other. */
static int check_one(struct check *c, uint64_t id, struct stored *s)
{
	int err = store_check(c->st, id);
	int form = stored_read(c->st, id, s);

	return err ? err : form;
}

static void check_tell(struct check *c, const struct stored *s, int err)
{
	bool custody = s->r.flags & RECORD_CUSTODY;

	c->n_damaged++;
	c->n_custody += custody;
	out_text(&c->o, "damaged: %" PRIu64 ", %" PRIu64 " bytes%s: %s\n", s->id, s->r.size_bytes,
		custody ? ", in custody" : "", err_text(err));
	if (!c->o.json)
		return;
	jw_object(&c->o.w, NULL);
	jw_u64(&c->o.w, "id", s->id);
	jw_u64(&c->o.w, "size_bytes", s->r.size_bytes);
	jw_bool(&c->o.w, "custody", custody);
	out_string(&c->o, "error", err_name(err));
	jw_object_end(&c->o.w);
}

static int check_each(struct check *c, struct stored_progress *p)
{
	uint64_t id = 0, told;
	struct stored s;
	struct view v;
	int code = 0;

	while (!code && store_next(c->st, STORE_BUNDLE, &id, &v)) {
		int err = check_one(c, id, &s);

		if (err) {
			progress_clear(&p->line);
			check_tell(c, &s, err);
		}
		if (err && c->a->quarantine) {
			store_delete(c->st, id);
			code = stored_commit("check", c->st);
		}
		while (store_damaged(c->st, &told))
			;
		stored_progress(p, s.r.size_bytes);
		store_turn(c->st);
	}
	return code;
}

static void check_sum(struct check *c, const struct store_stats *was)
{
	struct store_stats now;

	store_stats(c->st, &now);
	c->n_aside = now.n_quarantined - was->n_quarantined;
	out_text(&c->o,
		"%" PRIu64 " bundles, %" PRIu64 " bytes, %" PRIu64 " other rows: ", was->n_bundles,
		was->bytes, was->n_rows);
	if (c->n_damaged == 0)
		out_text(&c->o, "all as written\n");
	else
		out_text(&c->o, "%" PRIu64 " damaged, %" PRIu64 " of them in custody%s\n",
			c->n_damaged, c->n_custody,
			c->a->quarantine
				? "; set aside"
				: "; --quarantine sets them aside, a running node does so too");
	if (!c->o.json)
		return;
	jw_array_end(&c->o.w);
	jw_u64(&c->o.w, "n_bundles", was->n_bundles);
	jw_u64(&c->o.w, "stored_bytes", was->bytes);
	jw_u64(&c->o.w, "n_rows", was->n_rows);
	jw_u64(&c->o.w, "n_damaged", c->n_damaged);
	jw_u64(&c->o.w, "n_custody_damaged", c->n_custody);
	jw_u64(&c->o.w, "n_set_aside", c->n_aside);
	jw_object_end(&c->o.w);
}

static int store_check_all(int argc, char **argv)
{
	static const struct opt opts[] = {
		{"quarantine", 0, OPT_FLAG, AT(quarantine), NULL,
			"take damaged bundles out; their bytes are kept in DIR/quarantine", NULL},
		JSON_OPT, {0}};
	static const struct opt_command cmd = {"store check", "DIR",
		"Reads all of a store and verifies every checksum, and the index against the log",
		opts, "Exit status: 0 all as written, 1 something is damaged, 2 usage or in use."};
	struct args a = {0};
	struct opt_rest rest = opt_read(&cmd, argc, argv, &a, 1, 1);
	struct check c = {.a = &a};
	struct store_stats was;

	if (rest.done)
		return rest.code;
	int code = stored_open("check", rest.argv[0], &c.st);
	if (code)
		return code;
	store_stats(c.st, &was);
	struct stored_progress p = {.command = "store check", .of = was.n_bundles};
	out_begin(&c.o, a.json);
	if (a.json) {
		jw_object(&c.o.w, NULL);
		jw_array(&c.o.w, "damaged");
	}
	code = check_each(&c, &p);
	progress_clear(&p.line);
	check_sum(&c, &was);
	store_close(c.st);
	int end = out_end(&c.o);
	return code ? code : end ? end : c.n_damaged ? EXIT_NO : EXIT_YES;
}

/* -- ls */

static bool wanted(
	const struct args *a, const struct stored *s, const char *source, const char *dest)
{
	return (!a->source || fnmatch(a->source, source, 0) == 0) &&
	       (!a->dest || fnmatch(a->dest, dest, 0) == 0) &&
	       (!a->custody || s->r.flags & RECORD_CUSTODY) &&
	       (!a->expired || s->r.expiry_ms <= stored_now());
}

static const char *state_of(const struct record *r, int err)
{
	return err                          ? "damaged"
	       : r->flags & RECORD_IMPORTED ? "imported"
	       : r->flags & RECORD_LOCAL    ? "local"
					    : "stored";
}

static bool ls_one(struct out *o, const struct args *a, const struct stored *s, int err)
{
	char source[EID_TEXT_MAX] = "-", dest[EID_TEXT_MAX] = "-", expiry[TIME_TEXT];
	bool custody = s->r.flags & RECORD_CUSTODY;
	const char *state = state_of(&s->r, err);

	if (!err) {
		eid_print(&s->b.source, source, sizeof source);
		eid_print(&s->b.dest, dest, sizeof dest);
	}
	if (!wanted(a, s, source, dest))
		return false;
	time_text(s->r.expiry_ms, expiry);
	out_text(o, "%-8" PRIu64 " %-20s %-20s %10" PRIu64 " bytes  expires %s  %s%s\n", s->id,
		source, dest, s->r.size_bytes, expiry, state, custody ? " custody" : "");
	if (!o->json)
		return true;
	jw_object(&o->w, NULL);
	jw_u64(&o->w, "id", s->id);
	if (!err) {
		out_string(o, "source", source);
		out_string(o, "destination", dest);
		jw_u64(&o->w, "creation_ms", s->b.created_ms);
		jw_u64(&o->w, "seq", s->b.seq);
	}
	jw_u64(&o->w, "size_bytes", s->r.size_bytes);
	jw_u64(&o->w, "expiry_ms", s->r.expiry_ms);
	jw_bool(&o->w, "custody", custody);
	out_string(o, "state", state);
	jw_object_end(&o->w);
	out_line(o);
	return true;
}

static int store_ls(int argc, char **argv)
{
	static const struct opt opts[] = {
		{"source", 0, OPT_TEXT, AT(source), "GLOB", "only these sources: 'ipn:2.*'", NULL},
		{"dest", 0, OPT_TEXT, AT(dest), "GLOB", "only these destinations", NULL},
		{"custody", 0, OPT_FLAG, AT(custody), NULL, "only those in custody", NULL},
		{"expired", 0, OPT_FLAG, AT(expired), NULL, "only those whose lifetime has ended",
			NULL},
		{"json", 0, OPT_FLAG, AT(json), NULL, "one JSON line a bundle", NULL}, {0}};
	static const struct opt_command cmd = {"store ls", "DIR",
		"Lists the bundles of a store: id, source, destination, size, expiry (ms since "
		"2000), "
		"custody",
		opts, NULL};
	struct args a = {0};
	struct opt_rest rest = opt_read(&cmd, argc, argv, &a, 1, 1);
	uint64_t id = 0;
	struct store *st;
	struct stored s;
	struct view v;
	struct out o;

	if (rest.done)
		return rest.code;
	int code = stored_open("ls", rest.argv[0], &st);
	if (code)
		return code;
	out_begin(&o, a.json);
	while (store_next(st, STORE_BUNDLE, &id, &v)) {
		int err = stored_read(st, id, &s);

		ls_one(&o, &a, &s, err);
		store_turn(st);
	}
	store_close(st);
	return out_end(&o);
}

/* -- show */

static int show_whole(struct store *st, const struct stored *s, bool json)
{
	struct bundle_rules rules = stored_rules(&s->r);
	struct bundle_fault fault;
	struct bundle b;
	struct out o;
	uint8_t *bytes;
	size_t n;
	int err = stored_whole(st, s, &bytes, &n);

	if (err)
		return out_no("store show: %" PRIu64 ": %s", s->id, err_text(err));
	if (bundle_read(&b, view_of(bytes, n), &rules, &fault)) {
		free(bytes);
		return out_no("store show: %" PRIu64 ": %s at byte %zu: %s", s->id,
			rule_name(fault.rule), fault.at, rule_text(fault.rule));
	}
	out_begin(&o, json);
	bundle_show(&o, &b, &rules.custody, NULL);
	free(bytes);
	return out_end(&o);
}

static int store_show(int argc, char **argv)
{
	static const struct opt opts[] = {JSON_OPT, {0}};
	static const struct opt_command cmd = {"store show", "DIR ID",
		"Shows one stored bundle as owlt bundle show does", opts,
		"Exit status: 0 shown, 1 there is none or it is damaged, 2 usage or in use."};
	struct args a = {0};
	struct opt_rest rest = opt_read(&cmd, argc, argv, &a, 2, 2);
	struct store *st;
	struct stored s;
	uint64_t id;

	if (rest.done)
		return rest.code;
	int code = stored_id("show", rest.argv[1], &id);
	if (!code)
		code = stored_open("show", rest.argv[0], &st);
	if (code)
		return code;
	int err = stored_read(st, id, &s);
	code = err == -E_UNKNOWN ? out_no("store show: there is no bundle %" PRIu64, id)
	       : err             ? out_no("store show: %" PRIu64 ": %s", id, err_text(err))
				 : show_whole(st, &s, a.json);
	store_close(st);
	return code;
}

/* -- rm */

static int rm_one(struct store *st, uint64_t id, bool force)
{
	struct stored s;
	int err = stored_read(st, id, &s);

	if (err == -E_UNKNOWN)
		return out_no("store rm: there is no bundle %" PRIu64, id);
	if (s.r.flags & RECORD_CUSTODY && !force)
		return out_no("store rm: %" PRIu64
			      " is in custody: others rely on it; --force deletes it",
			id);
	store_delete(st, id);
	return EXIT_YES;
}

static int store_rm(int argc, char **argv)
{
	static const struct opt opts[] = {
		{"force", 0, OPT_FLAG, AT(force), NULL, "also bundles in custody", NULL}, {0}};
	static const struct opt_command cmd = {"store rm", "DIR ID...", "Deletes stored bundles",
		opts,
		"Exit status: 0 deleted, 1 one is unknown or in custody (the others are deleted), "
		"2 "
		"usage or in use."};
	struct args a = {0};
	struct opt_rest rest = opt_read(&cmd, argc, argv, &a, 2, -1);
	int code = 0, worst = EXIT_YES;
	struct store *st;
	uint64_t id;

	if (rest.done)
		return rest.code;
	for (int i = 1; i < rest.argc; i++)
		if (stored_id("rm", rest.argv[i], &id))
			return EXIT_USAGE;
	code = stored_open("rm", rest.argv[0], &st);
	if (code)
		return code;
	for (int i = 1; i < rest.argc && !code; i++) {
		code = stored_id("rm", rest.argv[i], &id); /* asked before: good */
		if (!code && rm_one(st, id, a.force) == EXIT_NO)
			worst = EXIT_NO;
	}
	code = stored_commit("rm", st);
	store_close(st);
	return code ? code : worst;
}
