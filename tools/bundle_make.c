/*
 * owlt bundle make: a bundle from options. Extension blocks are numbered from 2 in the order in
 * which their options stand. What comes out is read back first: an invalid bundle is not written.
 * Start reading at bundle_make().
 */
#include "tools/bundle.h"

#include "bundle/reader.h"
#include "bundle/admin.h"
#include "bundle/cbor.h"
#include "bundle/rule.h"
#include "tools/opt.h"
#include "tools/out.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define DATA_MAX 2048 /* of one block made from --prev, --age, --hop, --cteb */

struct make_args {
	struct bundle_spec spec;
	struct block_spec block[BUNDLE_BLOCKS_MAX];
	uint8_t *data[BUNDLE_BLOCKS_MAX]; /* owned */
	bool has_source, has_dest, has_creation, hex;
	const char *payload, *report; /* FILE, -, hex:HEX; JSON */
};

#define AT(field) offsetof(struct make_args, field)

static int take_eid(void *into, const char *name, const char *arg);
static int take_creation(void *into, const char *name, const char *arg);
static int take_crc(void *into, const char *name, const char *arg);
static int take_flags(void *into, const char *name, const char *arg);
static int take_fragment(void *into, const char *name, const char *arg);
static int take_value(void *into, const char *name, const char *arg);
static int take_block(void *into, const char *name, const char *arg);

static const struct opt opts[] = {
	{"source", 0, OPT_CALL, 0, "EID", "source endpoint (required)", take_eid},
	{"dest", 0, OPT_CALL, 0, "EID", "destination endpoint (required)", take_eid},
	{"report-to", 0, OPT_CALL, 0, "EID", "where status reports go; default dtn:none", take_eid},
	{"creation", 0, OPT_CALL, 0, "MS[,SEQ]",
		"creation time in ms since 2000 (0: no clock) and sequence number; "
		"default now,0",
		take_creation},
	{"lifetime", 0, OPT_U64, AT(spec.lifetime_ms), "MS", "lifetime in ms; default 3600000",
		NULL},
	{"crc", 0, OPT_CALL, 0, "0|16|32c", "CRC of every block; default 32c", take_crc},
	{"flags", 0, OPT_CALL, 0, "0xN|NAMES",
		"bundle flags as a number, or names with commas: admin, no-fragment, "
		"ack-requested, status-time, report-reception, report-forwarding, report-delivery, "
		"report-deletion",
		take_flags},
	{"prev", 0, OPT_CALL, 0, "EID", "previous node block", take_value},
	{"age", 0, OPT_CALL, 0, "MS", "bundle age block", take_value},
	{"hop", 0, OPT_CALL, 0, "LIMIT,COUNT", "hop count block", take_value},
	{"cteb", 0, OPT_CALL, 0, "SEQ,ID,EID", "custody block: number, sequence, custodian",
		take_value},
	{"block", 0, OPT_CALL, 0, "TYPE,NUMBER,FLAGS,HEX", "any other block", take_block},
	{"fragment", 0, OPT_CALL, 0, "OFFSET,TOTAL", "makes a fragment of a larger unit",
		take_fragment},
	{"status-report", 0, OPT_TEXT, AT(report), "JSON",
		"status report as payload: {source, creation_ms, seq, reason, "
		"received, forwarded, delivered, deleted (true or ms), fragment_offset, "
		"fragment_length}",
		NULL},
	{"payload", 0, OPT_TEXT, AT(payload), "FILE|-|hex:HEX", "the payload", NULL},
	{"hex", 0, OPT_FLAG, AT(hex), NULL, "print hexadecimal text instead of bytes", NULL}, {0}};

static int make(struct make_args *a);
static int payload_read(const struct make_args *a, uint8_t **bytes, size_t *n);
static int bundle_put(const struct make_args *a, struct view payload);

int bundle_make(int argc, char **argv)
{
	static const struct opt_command cmd = {"bundle make", "",
		"Makes one bundle and writes it to standard output", opts,
		"Blocks are numbered from 2 in the order given. Exit status: 0 done, 1 the bundle "
		"would be "
		"invalid, 2 usage."};
	struct make_args *a = calloc(1, sizeof *a);
	int code;

	if (!a)
		return out_fail("no memory");
	a->spec = (struct bundle_spec){.crc_type = CRC_32C,
		.block_crc_type = CRC_32C,
		.lifetime_ms = 3600000,
		.report_to = eid_null(),
		.custody = custody_codes_ccsds(),
		.block = a->block};
	struct opt_rest rest = opt_read(&cmd, argc, argv, a, 0, 0);
	code = rest.done ? rest.code : make(a);
	for (unsigned i = 0; i < a->spec.n_blocks; i++)
		free(a->data[i]);
	free(a);
	return code;
}

static int make(struct make_args *a)
{
	struct timespec now;
	uint8_t *payload = NULL;
	size_t n = 0;
	int code;

	if (!a->has_source || !a->has_dest)
		return out_fail("bundle make: --source and --dest are needed");
	if (!a->payload == !a->report)
		return out_fail("bundle make: one of --payload and --status-report is needed");
	if (!a->hex && isatty(1))
		return out_fail("bundle make: a bundle is not written to a terminal; use --hex or "
				"redirect it");
	if (!a->has_creation) {
		clock_gettime(CLOCK_REALTIME, &now);
		a->spec.created_ms = (uint64_t)(now.tv_sec - DTN_EPOCH_UNIX_S) * 1000 +
				     (uint64_t)now.tv_nsec / 1000000;
	}
	/* blocks made from values have the bundle's CRC type, wherever --crc stood */
	for (unsigned i = 0; i < a->spec.n_blocks; i++)
		a->block[i].crc_type = a->spec.block_crc_type;
	code = payload_read(a, &payload, &n);
	if (a->report)
		a->spec.flags |= BUNDLE_ADMIN;
	if (!code)
		code = bundle_put(a, view_of(payload, n));
	free(payload);
	return code;
}

/* -- the payload ----------------------------------------------------------------------------- */

/* A status kind: true, or a time. */
static int assertion_take(
	const struct json *doc, const char *key, struct status_report *r, unsigned k)
{
	const struct json *v = json_get(doc, key);

	if (json_type(v) == JSON_ABSENT)
		return 0;
	if (json_type(v) == JSON_BOOL)
		return json_bool(v, &r->asserted[k]);
	r->asserted[k] = r->has_time[k] = true;
	return json_u64(v, &r->at_ms[k]);
}

static int optional_u64(const struct json *doc, const char *key, uint64_t *out)
{
	const struct json *v = json_get(doc, key);

	return json_type(v) == JSON_ABSENT ? 0 : json_u64(v, out);
}

static int report_take(const struct json *doc, struct status_report *r)
{
	static const char *const kind[STATUS_KINDS] = {
		"received", "forwarded", "delivered", "deleted"};
	const char *source = json_text(json_get(doc, "source"));
	int err = source ? eid_parse(source, &r->source) : -E_TYPE;

	for (unsigned k = 0; !err && k < STATUS_KINDS; k++)
		err = assertion_take(doc, kind[k], r, k);
	err = err ? err : json_u64(json_get(doc, "creation_ms"), &r->created_ms);
	err = err ? err : optional_u64(doc, "seq", &r->seq);
	err = err ? err : optional_u64(doc, "reason", &r->reason);
	err = err ? err : optional_u64(doc, "fragment_offset", &r->frag_off);
	err = err ? err : optional_u64(doc, "fragment_length", &r->frag_len);
	r->is_fragment = json_type(json_get(doc, "fragment_length")) != JSON_ABSENT;
	return err;
}

static int report_write(const char *text, uint8_t **bytes, size_t *n)
{
	struct status_report r = {0};
	struct json *doc;
	unsigned line;

	if (json_parse(view_text(text), &doc, &line))
		return out_fail("bundle make: --status-report: not JSON (line %u)", line);
	int err = report_take(doc, &r);
	if (!err) {
		*bytes = malloc(DATA_MAX);
		struct buf b = buf_of(*bytes, *bytes ? DATA_MAX : 0);
		status_report_write(&b, &r);
		err = buf_finish(&b);
		*n = b.len;
	}
	json_free(doc);
	return err ? out_fail("bundle make: --status-report: %s; source and creation_ms are needed",
			     err_text(err))
		   : 0;
}

static int payload_read(const struct make_args *a, uint8_t **bytes, size_t *n)
{
	if (a->report)
		return report_write(a->report, bytes, n);
	if (strncmp(a->payload, "hex:", 4) == 0)
		return input_hex(a->payload + 4, bytes, n)
			       ? out_fail("bundle make: --payload: not hexadecimal")
			       : 0;
	return input_read(a->payload, bytes, n) ? EXIT_USAGE : 0;
}

/* -- writing --------------------------------------------------------------------------------- */

static int refused(const char *why, const char *text)
{
	return out_no("bundle make: this bundle would be invalid: %s: %s", why, text);
}

static void bytes_put(const struct make_args *a, struct view v)
{
	if (!a->hex) {
		fwrite(v.p, 1, v.n, stdout);
		return;
	}
	for (size_t i = 0; i < v.n; i++)
		printf("%02x", v.p[i]);
	putchar('\n');
}

/* Why bundle_build() did not: it says no more than no. */
static unsigned broken_rule(const struct bundle_spec *s, size_t n)
{
	unsigned rule = primary_flags_rule(s->flags, eid_is_null(&s->source));

	if (rule)
		return rule;
	if (s->source.group)
		return RULE_SOURCE_GROUP;
	if (s->created_ms == 0 && !s->has_age)
		return RULE_AGE_MISSING;
	if (s->flags & BUNDLE_FRAGMENT && n == 0)
		return RULE_FRAGMENT_EMPTY;
	if (s->flags & BUNDLE_FRAGMENT && (n > s->total_len || s->frag_off > s->total_len - n))
		return RULE_FRAGMENT_RANGE;
	return RULE_HEAD_LIMIT;
}

static int bundle_put(const struct make_args *a, struct view payload)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct bundle b;
	size_t cap = payload.n + BUNDLE_HEAD_MAX + BUNDLE_TAIL_MAX;
	struct buf out = buf_of(malloc(cap), cap);
	int code = 0;

	if (!out.p)
		return out_fail("no memory");
	rules.allow_no_primary_crc = a->spec.crc_type == CRC_NONE;
	int err = bundle_build(&out, &a->spec, payload);
	if (err == -E_RULE)
		code = refused(rule_name(broken_rule(&a->spec, payload.n)),
			rule_text(broken_rule(&a->spec, payload.n)));
	else if (err)
		code = refused(err_name(err), err_text(err));
	else if (bundle_read(&b, buf_view(&out), &rules, &fault))
		code = refused(rule_name(fault.rule), rule_text(fault.rule));
	else
		bytes_put(a, buf_view(&out));
	free(out.p);
	if (fflush(stdout) || ferror(stdout))
		return out_fail("writing to standard output failed");
	return code;
}

/* -- arguments ------------------------------------------------------------------------------- */

/* Up to n numbers with commas between; *rest = what follows the last. How many were read, or
 * negative. */
static int numbers_read(const char *arg, uint64_t *v, int n, const char **rest)
{
	int k = 0;

	while (k < n) {
		char *end;
		errno = 0;
		if (*arg < '0' || *arg > '9')
			return -E_SYNTAX;
		v[k++] = strtoull(arg, &end, arg[0] == '0' && (arg[1] | 0x20) == 'x' ? 16 : 10);
		if (errno || end == arg)
			return -E_RANGE;
		arg = end;
		if (*arg != ',')
			break;
		arg++;
	}
	*rest = arg;
	return k;
}

static int take_eid(void *into, const char *name, const char *arg)
{
	struct make_args *a = into;
	struct eid *e = strcmp(name, "source") == 0 ? &a->spec.source
			: strcmp(name, "dest") == 0 ? &a->spec.dest
						    : &a->spec.report_to;

	a->has_source |= e == &a->spec.source;
	a->has_dest |= e == &a->spec.dest;
	return eid_parse(arg, e);
}

static int take_creation(void *into, const char *name, const char *arg)
{
	struct make_args *a = into;
	uint64_t v[2] = {0};
	const char *rest = arg;

	(void)name;
	if (numbers_read(arg, v, 2, &rest) < 1 || *rest || rest[-1] == ',')
		return -E_SYNTAX;
	a->spec.created_ms = v[0];
	a->spec.seq = v[1];
	a->has_creation = true;
	return 0;
}

static int take_crc(void *into, const char *name, const char *arg)
{
	struct make_args *a = into;
	static const char *const word[] = {"0", "16", "32c"};

	(void)name;
	for (unsigned k = 0; k < 3; k++) {
		if (strcmp(arg, word[k]) != 0)
			continue;
		a->spec.crc_type = a->spec.block_crc_type = (enum crc_type)k;
		return 0;
	}
	return -E_SYNTAX;
}

static int take_flags(void *into, const char *name, const char *arg)
{
	struct make_args *a = into;
	const char *rest;
	uint64_t v;

	(void)name;
	if (*arg >= '0' && *arg <= '9') {
		if (numbers_read(arg, &v, 1, &rest) != 1 || *rest)
			return -E_SYNTAX;
		a->spec.flags |= v;
		return 0;
	}
	while (*arg) {
		size_t n = strcspn(arg, ",");
		const struct flag_name *f = bundle_flag_names;
		while (f->name && (strlen(f->name) != n || strncmp(f->name, arg, n) != 0))
			f++;
		if (!f->name)
			return -E_SYNTAX;
		a->spec.flags |= f->flag;
		arg += n + (arg[n] == ',');
	}
	return 0;
}

static int take_fragment(void *into, const char *name, const char *arg)
{
	struct make_args *a = into;
	uint64_t v[2];
	const char *rest;

	(void)name;
	if (numbers_read(arg, v, 2, &rest) != 2 || *rest)
		return -E_SYNTAX;
	a->spec.flags |= BUNDLE_FRAGMENT;
	a->spec.frag_off = v[0];
	a->spec.total_len = v[1];
	return 0;
}

/* Adds a block; data is owned from here on. */
static int block_add(struct make_args *a, struct block_spec k, uint8_t *data)
{
	if (a->spec.n_blocks == BUNDLE_BLOCKS_MAX - 1) {
		free(data);
		return -E_LIMIT;
	}
	a->data[a->spec.n_blocks] = data;
	a->block[a->spec.n_blocks++] = k;
	return 0;
}

/* The data that --prev, --age, --hop or --cteb asks for. 0 or negative. */
static int value_write(struct buf *b, char kind, const char *arg)
{
	uint64_t v[2];
	const char *rest = "";
	struct eid e;
	int want = kind == 'a' ? 1 : 2;

	if (kind == 'p') {
		int err = eid_parse(arg, &e);
		if (!err)
			eid_write(b, &e);
		return err;
	}
	if (numbers_read(arg, v, want, &rest) != want)
		return -E_SYNTAX;
	if (kind == 'c') {
		int err = rest[-1] == ',' ? eid_parse(rest, &e) : -E_SYNTAX;
		if (!err)
			cteb_write(
				b, &(struct cteb){.seq_no = v[0], .seq_id = v[1], .custodian = e});
		return err;
	}
	if (*rest || rest[-1] == ',')
		return -E_SYNTAX;
	if (kind == 'h')
		cbor_put_array(b, 2);
	for (int k = 0; k < want; k++)
		cbor_put_uint(b, v[k]);
	return 0;
}

static int take_value(void *into, const char *name, const char *arg)
{
	struct make_args *a = into;
	uint8_t *data = malloc(DATA_MAX);
	struct buf b = buf_of(data, DATA_MAX);
	struct block_spec k = {.flags = *name == 'c' ? BLOCK_REPLICATE : 0};

	if (!data)
		return -ENOMEM;
	int err = value_write(&b, *name, arg);
	if (!err)
		err = buf_finish(&b);
	if (err) {
		free(data);
		return err;
	}
	k.type = *name == 'p'   ? BLOCK_PREVIOUS_NODE
		 : *name == 'a' ? BLOCK_AGE
		 : *name == 'h' ? BLOCK_HOP_COUNT
				: a->spec.custody.cteb_type;
	k.data = view_of(data, b.len);
	return block_add(a, k, data);
}

static int take_block(void *into, const char *name, const char *arg)
{
	uint64_t v[3];
	const char *rest = arg;
	uint8_t *data;
	size_t n;

	(void)name;
	if (numbers_read(arg, v, 3, &rest) != 3 || rest[-1] != ',')
		return -E_SYNTAX;
	int err = input_hex(rest, &data, &n);
	if (err)
		return err;
	struct block_spec k = {
		.type = v[0], .number = v[1], .flags = v[2], .data = view_of(data, n)};
	return block_add(into, k, data);
}
