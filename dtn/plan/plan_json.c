/*
 * plan_json: contact plans in JSON: our own form and HDTN's. owlt-plan(5).
 *
 * Own: {"reference":"2026-01-01T00:00:00Z","contacts":[{"from":1,"to":"ipn:2.0","start":0,"end":60,
 * "rate":"1M","owlt":"5s" or [[t,owlt],...],"confidence":1,"bidirectional":true}]}. Rates are bits/s. An
 * unknown key is an error. HDTN: {"contacts":[{"contact":0,"source":1,"dest":2,"startTime":0,"endTime":60,
 * "rateBitsPerSec":1000000,"owlt":1}]}, one direction each; unknown keys are a warning there.
 */
#include "dtn/plan/build.h"
#include "dtn/plan/value.h"

#include <stdio.h>

#define JSON_PATH_MAX 96

static void write_contact(const struct plan *p, const struct contact *c, struct json_writer *w);
static void write_owlt(const struct owlt_point *v, uint32_t n, struct json_writer *w);
static void own_contact(struct plan_build *b, const struct json *v, uint32_t k);
static int own_owlt(struct plan_build *b, const struct json *v, struct owlt_point *pt, uint32_t *n);
static void hdtn_contact(struct plan_build *b, const struct json *v, uint32_t k);
static int seconds_of(const struct json *v, mono *out);

int plan_read_own(const struct json *doc, struct view text, const char *prefix, struct plan **out,
	struct plan_notes *notes)
{
	static const char *const known[] = {"reference", "contacts", NULL};
	const struct json *list = json_get(doc, "contacts"), *ref = json_get(doc, "reference");
	const char *unknown = value_unknown_key(doc, known);
	char path[JSON_PATH_MAX];
	struct plan_build b;
	uint32_t k = 0;

	if (plan_build_begin(&b, notes))
		return -ENOMEM;
	snprintf(path, sizeof path, "%s%scontacts", prefix, *prefix ? "." : "");
	if (json_type(list) != JSON_ARRAY)
		plan_build_note(&b, 0, -E_TYPE, "a plan needs an array \"contacts\"");
	if (unknown)
		plan_build_note(
			&b, 0, -E_UNKNOWN, "unknown key \"%.60s\" (reference, contacts)", unknown);
	if (ref && (!json_text(ref) || plan_parse_rfc3339(json_text(ref), &b.plan->reference_ms)))
		plan_build_note(
			&b, 0, -E_SYNTAX, "\"reference\" must be UTC such as 2026-01-01T00:00:00Z");
	b.prefix = path;
	b.text = text;
	if (json_type(list) == JSON_ARRAY)
		for (const struct json *v = json_first(list); v; v = json_next(v), k++)
			own_contact(&b, v, k);
	return plan_build_finish(&b, out);
}

int plan_read_hdtn(
	const struct json *doc, struct view text, struct plan **out, struct plan_notes *notes)
{
	const struct json *list = json_get(doc, "contacts");
	struct plan_build b;
	uint32_t k = 0;

	if (plan_build_begin(&b, notes))
		return -ENOMEM;
	b.prefix = "contacts";
	b.text = text;
	if (json_type(list) != JSON_ARRAY)
		plan_build_note(&b, 0, -E_TYPE, "a plan needs an array \"contacts\"");
	else
		for (const struct json *v = json_first(list); v; v = json_next(v), k++)
			hdtn_contact(&b, v, k);
	return plan_build_finish(&b, out);
}

void plan_write_json(const struct plan *p, const char *key, struct json_writer *w)
{
	char text[64];

	jw_object(w, key);
	if (p->reference_ms) {
		plan_print_utc(p->reference_ms, text, sizeof text);
		jw_text(w, "reference", view_text(text));
	}
	jw_array(w, "contacts");
	for (size_t i = 0; i < p->n_contacts; i++)
		write_contact(p, &p->contact[i], w);
	jw_array_end(w);
	jw_object_end(w);
}

static void write_contact(const struct plan *p, const struct contact *c, struct json_writer *w)
{
	char text[EID_TEXT_MAX];

	jw_object(w, NULL);
	names_print(&p->names, c->from, text, sizeof text);
	jw_text(w, "from", view_text(text));
	names_print(&p->names, c->to, text, sizeof text);
	jw_text(w, "to", view_text(text));
	jw_double(w, "start", (double)c->start / 1e6);
	if (c->end != MONO_NEVER)
		jw_double(w, "end", (double)c->end / 1e6);
	jw_u64(w, "rate", c->rate_bps);
	write_owlt(&p->owlt[c->owlt_first], c->n_owlt, w);
	if (c->confidence < 1)
		jw_double(w, "confidence", c->confidence);
	jw_object_end(w);
}

static void write_owlt(const struct owlt_point *v, uint32_t n, struct json_writer *w)
{
	if (n == 1) {
		jw_double(w, "owlt", (double)v->owlt_us / 1e6);
		return;
	}
	jw_array(w, "owlt");
	for (; n > 0; n--, v++) {
		jw_array(w, NULL);
		jw_double(w, NULL, (double)v->at / 1e6);
		jw_double(w, NULL, (double)v->owlt_us / 1e6);
		jw_array_end(w);
	}
	jw_array_end(w);
}

static void own_contact(struct plan_build *b, const struct json *v, uint32_t k)
{
	static const char *const known[] = {
		"from", "to", "start", "end", "rate", "owlt", "confidence", "bidirectional", NULL};
	struct owlt_point pt[PLAN_OWLT_POINTS_MAX];
	struct contact c = {.end = MONO_NEVER, .confidence = 1};
	const char *unknown = value_unknown_key(v, known), *wrong = NULL;
	dtntime ref = b->plan->reference_ms;
	const struct json *conf = json_get(v, "confidence"), *both = json_get(v, "bidirectional");
	bool is_both = false;
	uint32_t n = 0;

	if (json_type(v) != JSON_OBJECT) {
		plan_build_note(b, k, -E_TYPE, "a contact must be an object");
		return;
	}
	if (unknown) {
		plan_build_note(b, k, -E_UNKNOWN, "unknown key \"%.60s\" in a contact", unknown);
		return;
	}
	if (value_node(json_get(v, "from"), &b->plan->names, &c.from))
		wrong = "\"from\" must be a node number, ipn:N.0 or dtn://name/";
	else if (value_node(json_get(v, "to"), &b->plan->names, &c.to))
		wrong = "\"to\" must be a node number, ipn:N.0 or dtn://name/";
	else if (value_time(json_get(v, "start"), ref, &c.start))
		wrong = "\"start\" must be seconds after the reference, or UTC where there is one";
	else if (value_time(json_get(v, "end"), ref, &c.end))
		wrong = "\"end\" must be seconds after the reference, or UTC where there is one";
	else if (!json_get(v, "rate") || value_rate(json_get(v, "rate"), &c.rate_bps))
		wrong = "\"rate\" must be bits per second such as 1000000 or \"1M\"";
	else if (own_owlt(b, json_get(v, "owlt"), pt, &n))
		wrong = "\"owlt\" must be a duration or up to 64 pairs [time, duration]";
	else if (conf && value_chance(conf, &c.confidence))
		wrong = "\"confidence\" must be between 0 and 1";
	else if (both && json_bool(both, &is_both))
		wrong = "\"bidirectional\" must be true or false";
	if (wrong) {
		plan_build_note(b, k, -E_TYPE, "%s", wrong);
		return;
	}
	plan_build_add(b, c, pt, n, k);
	if (is_both) {
		struct contact back = c;
		back.from = c.to;
		back.to = c.from;
		plan_build_add(b, back, pt, n, k);
	}
}

static int own_owlt(struct plan_build *b, const struct json *v, struct owlt_point *pt, uint32_t *n)
{
	if (json_type(v) != JSON_ARRAY) {
		*n = 1;
		pt[0] = (struct owlt_point){0};
		return v ? value_duration(v, &pt[0].owlt_us) : -E_TYPE;
	}
	for (const struct json *e = json_first(v); e; e = json_next(e)) {
		if (*n == PLAN_OWLT_POINTS_MAX)
			return -E_LIMIT;
		if (json_type(e) != JSON_ARRAY || json_size(e) != 2 ||
			value_time(json_at(e, 0), b->plan->reference_ms, &pt[*n].at) ||
			value_duration(json_at(e, 1), &pt[*n].owlt_us))
			return -E_TYPE;
		++*n;
	}
	return *n ? 0 : -E_TYPE;
}

static void hdtn_contact(struct plan_build *b, const struct json *v, uint32_t k)
{
	static const char *const known[] = {"contact", "source", "dest", "startTime", "endTime",
		"rateBitsPerSec", "rate", "owlt", NULL};
	const char *unknown = value_unknown_key(v, known);
	struct contact c = {.confidence = 1};
	struct owlt_point pt = {0};
	double mbps = 0;
	bool ok;

	if (unknown)
		plan_build_note(b, k, 0, "key \"%.60s\" is not used", unknown);
	ok = json_type(v) == JSON_OBJECT &&
	     !value_node(json_get(v, "source"), &b->plan->names, &c.from) &&
	     !value_node(json_get(v, "dest"), &b->plan->names, &c.to) &&
	     !seconds_of(json_get(v, "startTime"), &c.start) &&
	     !seconds_of(json_get(v, "endTime"), &c.end) &&
	     !value_rate(json_get(v, "rateBitsPerSec"), &c.rate_bps) &&
	     !seconds_of(json_get(v, "owlt"), &pt.owlt_us) &&
	     (!json_get(v, "rate") || !json_double(json_get(v, "rate"), &mbps));
	if (ok && c.rate_bps == 0 && mbps > 0 && mbps <= 1e9)
		c.rate_bps = (uint64_t)(mbps * 1e6);
	if (!ok)
		plan_build_note(b, k, -E_TYPE,
			"not a contact of HDTN: source, dest, startTime, endTime, "
			"rateBitsPerSec, owlt are numbers");
	else
		plan_build_add(b, c, &pt, 1, k);
}

/* HDTN: a number of seconds, absent = 0. */
static int seconds_of(const struct json *v, mono *out)
{
	return v && json_type(v) != JSON_NUMBER ? -E_TYPE : value_time(v, 0, out);
}
