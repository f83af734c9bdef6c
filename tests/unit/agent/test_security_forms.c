/* BPSec as policy, part two: the examples of RFC 9173 through a node, broken and unknown operations, what
 * the actions strip and keep, patterns, reports. */
#include "tests/unit/agent/kit.h"

#include "bundle/admin.h"
#include "bundle/bpsec.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const node_id n2[] = {2};

#define PLAIN "Ready to generate a 32-byte payload"
#define A1                                                                                         \
	"9f88070000820282010282028202018202820201820018281a000f4240850b02000058568101010182028202" \
	"01828201078203008181820158403bdc69b3a34a2b5d3a8554368bd1e808f606219d2a10a846eae3886ae4ec" \
	"c83c4ee550fdfb1cc636b904e2f1a73e303dcd4b6ccece003e95e8164dcc89a156e185010100005823526561" \
	"647920746f2067656e657261746520612033322d62797465207061796c6f6164ff"
#define A2                                                                                         \
	"9f88070000820282010282028202018202820201820018281a000f4240850c02010058508101020182028202" \
	"018482014c5477656c76653132313231328202018203581869c411276fecddc4780df42c8a2af89296fabf34" \
	"d7fae7008204008181820150efa4b5ac0108e3816c5606479801bc04850101000058233a09c1e63fe23a7f66" \
	"a59c7303837241e070b02619fc59c5214a22f08cd70795e73e9aff"
#define A3                                                                                         \
	"9f88070000820282010282028202018202820201820018281a000f4240850b030000585c8200020101820282" \
	"030082820105820300828182015820cac6ce8e4c5dae57988b757e49a6dd1431dc04763541b2845098265bc8" \
	"17241b81820158203ed614c0d97f49b3633627779aa18a338d212bf3c92b97759d9739cd50725596850c0401" \
	"0058348101020182028202018382014c5477656c76653132313231328202018204008181820150efa4b5ac01" \
	"08e3816c5606479801bc0485070200004319012c850101000058233a09c1e63fe23a7f66a59c7303837241e0" \
	"70b02619fc59c5214a22f08cd70795e73e9aff"
#define A4                                                                                         \
	"9f88070000820282010282028202018202820201820018281a000f4240850b0300005846438ed6208eb1c1ff" \
	"b94d952175167df0902902064a2983910c4fb2340790bf420a7d1921d5bf7c4721e02ab87a93ab1e0b75cf62" \
	"e4948727c8b5dae46ed2af05439b88029191850c0201005849820301020182028202018382014c5477656c76" \
	"653132313231328202038204078281820150220ffc45c8a901999ecc60991dd78b2981820150d2c51cb24817" \
	"92dae8b21d848cede99b8501010000582390eab6457593379298a8724e16e61f837488e127212b59ac91f8a8" \
	"6287b7d07630a122ff"

static void key(
	struct side *s, const char *id, const char *kind, unsigned long sha, const char *secret)
{
	struct security_lab_key *k = &s->cfg.security.lab_key[s->cfg.security.n_lab_keys++];

	snprintf(k->id, sizeof k->id, "%s", id);
	snprintf(k->kind, sizeof k->kind, "%s", kind);
	snprintf(k->secret, sizeof k->secret, "%s", secret);
	k->sha = sha;
	k->context = strncmp(kind, "kek", 3) == 0 ? 2 : 0;
}

/* "role operation block key" */
static struct security_rule_cfg *rule(struct side *s, const char *text)
{
	struct security_rule_cfg *r = &s->cfg.security.rule[s->cfg.security.n_rules++];

	*r = (struct security_rule_cfg){.source = "*", .destination = "*", .scope = 7};
	cr_assert_eq(
		sscanf(text, "%15s %15s %23s %63s", r->role, r->operation, r->block, r->key), 4);
	return r;
}

/* Node 1, which is where the examples go (ipn:1.2), with their keys. */
static void prepare(struct side *s)
{
	static const char k1[] = "1a2b1a2b1a2b1a2b1a2b1a2b1a2b1a2b";

	side_init(s, 1, n2, 1, 2);
	trace_fini(&s->trace);
	cr_assert_eq(trace_init(&s->trace, 1024), 0);
	s->cfg.security.max_bytes = 65536;
	s->cfg.security.step_bytes = 65536;
	s->cfg.security.max_running = 2;
	s->cfg.security.failures_per_s = 1000;
	s->cfg.allow_no_primary_crc = s->cfg.allow_no_age = true;
	key(s, "k256", "hmac", 256, k1);
	key(s, "k384", "hmac", 384, k1);
	key(s, "k512", "hmac", 512, k1);
	key(s, "wrong", "hmac", 256, "00112233445566778899aabbccddeeff");
	key(s, "kek", "kek128", 0, "6162636465666768696a6b6c6d6e6f70");
	key(s, "cek", "aes128", 0, "71776572747975696f70617364666768");
	key(s, "a256", "aes256", 0,
		"71776572747975696f7061736466676871776572747975696f70617364666768");
}

static struct view hex(const char *text, uint8_t *out)
{
	size_t n = strlen(text) / 2;

	for (size_t i = 0; i < n; i++) {
		unsigned v;

		cr_assert_eq(sscanf(text + 2 * i, "%2x", &v), 1);
		out[i] = (uint8_t)v;
	}
	return view_of(out, n);
}

/* 0: delivered with the payload as it was signed; else the reason. */
static unsigned end_of(struct side *s, struct view bytes)
{
	struct trace_rec r;
	unsigned reason = 0;

	(void)side_register(s, 2, 10);
	agent_receive(s->agent, s->now, 0, 2, bytes);
	side_commit(s, 0);
	side_listen(s);
	while (trace_next(&s->trace, &r))
		if (r.ev == EV_bundle_deleted)
			reason = (unsigned)r.a[1];
	cr_assert_eq(heard(s, AGENT_DELIVERY), reason == 0, "reason %u", reason);
	return reason;
}

static void is_plain(struct side *s)
{
	struct view payload;
	struct slice all = {s->last_id, 0, strlen(PLAIN)};

	cr_assert_eq(store_payload(s->store, all, &payload), 0);
	cr_assert(view_equal(payload, view_text(PLAIN)));
}

/* RFC 9173 A.1 to A.4: several targets in one block, two sources, BCB over BIB, wrapped keys. */
Test(security_forms, examples_of_rfc_9173)
{
	static const struct {
		const char *bundle, *rule[3];
	} row[] = {
		{A1, {"acceptor integrity payload k512"}},
		{A2, {"acceptor confidentiality payload kek"}},
		{A3, {"acceptor integrity primary k256", "acceptor integrity 7 k256",
			     "acceptor confidentiality payload cek"}},
		{A4, {"acceptor integrity payload k384", "acceptor confidentiality payload a256"}},
	};
	uint8_t bytes[512];

	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct side s;
		struct view head;
		struct bundle b;
		struct bundle_fault fault;
		struct bundle_rules rules = bundle_rules_default();

		prepare(&s);
		for (size_t k = 0; k < 3 && row[i].rule[k]; k++)
			rule(&s, row[i].rule[k]);
		side_start(&s, n2, 1);
		cr_assert_eq(end_of(&s, hex(row[i].bundle, bytes)), 0, "A.%zu", i + 1);
		is_plain(&s);
		rules.allow_no_primary_crc = rules.allow_no_age = true;
		cr_assert_eq(store_head(s.store, s.last_id, &head), 0);
		cr_assert_eq(bundle_read_head(&b, head, &rules, &fault), 0);
		cr_assert_not(bundle_block(&b, BLOCK_BIB), "accepted: it goes (RFC 9172 5.1.2)");
		cr_assert_not(bundle_block(&b, BLOCK_BCB));
		side_fini(&s);
	}
}

/* RFC 9172 5.1.1, 5.1.2: each action, on a block that may be stripped. */
Test(security_forms, drop_strip_keep)
{
	static const struct {
		unsigned failed, reason;
		bool has_age;
	} row[] = {{ACTION_DROP, 15, false}, {ACTION_STRIP, 0, false}, {ACTION_KEEP, 0, true}};
	uint8_t bytes[512];

	for (size_t i = 0; i < 3; i++) {
		struct side s;

		prepare(&s);
		rule(&s, "acceptor integrity primary k256");
		rule(&s, "acceptor integrity 7 wrong")->failed = row[i].failed;
		rule(&s, "acceptor confidentiality payload cek");
		side_start(&s, n2, 1);
		cr_assert_eq(end_of(&s, hex(A3, bytes)), row[i].reason, "row %zu", i);
		if (row[i].reason == 0) {
			struct view head;
			struct bundle b;
			struct bundle_fault fault;
			struct bundle_rules rules = bundle_rules_default();

			is_plain(&s);
			rules.allow_no_primary_crc = rules.allow_no_age = true;
			cr_assert_eq(store_head(s.store, s.last_id, &head), 0);
			cr_assert_eq(bundle_read_head(&b, head, &rules, &fault), 0);
			cr_assert_eq(b.has_age, row[i].has_age);
			cr_assert_eq(!bundle_block(&b, BLOCK_BIB), !row[i].has_age);
		}
		side_fini(&s);
	}
}

/* A block that should be signed or encrypted and is not. */
Test(security_forms, missing_on_an_extension_block)
{
	static const struct {
		const char *rule;
		unsigned missing, reason;
	} row[] = {
		{"acceptor confidentiality 7 cek", ACTION_DROP, 12},
		{"acceptor confidentiality 7 cek", ACTION_STRIP, 0},
		{"acceptor confidentiality 7 cek", ACTION_KEEP, 0},
		{"acceptor integrity 10 k256", ACTION_DROP,
			0}, /* no such block: nothing to ask for */
	};
	uint8_t bytes[512];

	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct side s;

		prepare(&s);
		s.cfg.security.keep_unverified = true;
		rule(&s, "acceptor confidentiality payload cek");
		rule(&s, row[i].rule)->missing = row[i].missing;
		side_start(&s, n2, 1);
		cr_assert_eq(end_of(&s, hex(A3, bytes)), row[i].reason, "row %zu", i);
		side_fini(&s);
	}
}

/* A.4 with its BCB once more (RFC 9172 3.2), or with another context. */
static struct view changed(const char *text, bool twice, int64_t context, uint8_t out[1024])
{
	static uint8_t bytes[512], room[256];
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct bundle b;
	struct asb asb;
	struct buf data = buf_of(room, sizeof room), w = buf_of(out, 1024);
	const struct block *bcb;
	struct bundle_change change;
	struct block_spec add;
	struct bundle_rewrite edit = {0};

	rules.allow_no_primary_crc = rules.allow_no_age = true;
	cr_assert_eq(bundle_read(&b, hex(text, bytes), &rules, &fault), 0);
	bcb = bundle_block(&b, BLOCK_BCB);
	cr_assert_eq(asb_read(&asb, bcb->data), 0);
	asb.context = context ? context : asb.context;
	asb_write(&data, &asb);
	change =
		(struct bundle_change){.block = (unsigned)(bcb - b.block), .data = buf_view(&data)};
	add = (struct block_spec){
		.type = BLOCK_BCB, .number = 9, .flags = bcb->flags, .data = bcb->data};
	edit.change = &change;
	edit.n_changes = 1;
	edit.add = &add;
	edit.n_add = twice;
	cr_assert_eq(bundle_rewrite(&w, &b, &edit, b.payload), 0);
	return buf_view(&w);
}

Test(security_forms, broken_and_unknown)
{
	static const struct {
		bool twice;
		int64_t context;
		unsigned reason;
	} row[] = {{false, 0, 0}, {true, 0, 16}, {false, 77, 13}, {false, -5, 13}};
	uint8_t out[1024];

	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct side s;

		prepare(&s);
		rule(&s, "acceptor integrity payload k384");
		rule(&s, "acceptor confidentiality payload a256");
		side_start(&s, n2, 1);
		cr_assert_eq(end_of(&s, changed(A4, row[i].twice, row[i].context, out)),
			row[i].reason, "row %zu", i);
		side_fini(&s);
	}
}

/* What a bundle came to: deleted, rejected or refused, all counted. */
static uint64_t ended(const struct side *s)
{
	return count(s, EV_bundle_deleted) + count(s, EV_bundle_rejected) +
	       count(s, EV_bundle_refused);
}

/* Every truncated prefix and every flipped bit of A.4 ends, but for bits that no operation covers: the
 * BCB's security source and context flags, unassigned block and scope flags (RFC 9173 4.7.2). */
Test(security_forms, nothing_but_the_original)
{
	uint8_t good[512], bytes[512];
	size_t n = hex(A4, good).n, n_through = 0;
	const uint8_t *source = memmem(good, n, "\x02\x01\x82\x02\x82\x02\x01\x83", 8);
	struct side s;

	prepare(&s);
	s.cfg.security.failures_per_s = 1000000;
	rule(&s, "acceptor integrity payload k384");
	rule(&s, "acceptor confidentiality payload a256");
	side_start(&s, n2, 1);
	cr_assert(source);
	for (size_t i = 0; i < n; i++)
		agent_receive(s.agent, s.now, 0, 2, view_of(good, i));
	cr_assert_eq(ended(&s), n);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		uint64_t before = ended(&s);
		size_t at = bit / 8;

		memcpy(bytes, good, n);
		bytes[at] ^= (uint8_t)(1u << bit % 8);
		agent_receive(s.agent, s.now, 0, 2, view_of(bytes, n));
		if (ended(&s) > before)
			continue;
		n_through++;
		cr_assert((good + at >= source + 1 && good + at < source + 8) ||
				  (bit % 8 >= 3 && (good[at] < 2 || good[at] == 7)),
			"byte %zu bit %zu", at, bit % 8);
	}
	cr_assert_lt(n_through, 40);
	side_fini(&s);
}

/* What asks for a report of its deletion gets the reason. RFC 9172 7.1 */
Test(security_forms, the_reason_is_reported)
{
	struct side s;
	struct flight f, report;
	struct view payload = view_text("unsigned");
	struct buf out = buf_of(f.bytes, sizeof f.bytes);
	struct bundle_spec spec = {.flags = BUNDLE_REPORT_DELETION,
		.crc_type = CRC_32C,
		.block_crc_type = CRC_32C,
		.dest = eid_ipn(1, 2),
		.source = eid_ipn(2, 1),
		.report_to = eid_ipn(2, 1),
		.created_ms = KIT_DTN,
		.seq = 4,
		.lifetime_ms = HOUR_MS};
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct bundle b;
	struct status_report r;
	struct cursor c;
	uint64_t type;

	prepare(&s);
	s.cfg.reports = true;
	rule(&s, "acceptor integrity payload k384");
	side_start(&s, n2, 1);
	cr_assert_eq(bundle_build(&out, &spec, payload), 0);
	cr_assert_eq(end_of(&s, buf_view(&out)), 12);
	cr_assert(side_out(&s, 2, &report));
	cr_assert_eq(bundle_read(&b, view_of(report.bytes, report.n), &rules, &fault), 0);
	cr_assert_eq(admin_open(b.payload, &type, &c), 0);
	status_report_read(&c, &r);
	cr_assert(r.asserted[STATUS_DELETED]);
	cr_assert_eq(r.reason, REASON_SECURITY_MISSING);
	side_fini(&s);
}

Test(security_forms, patterns)
{
	static const struct {
		const char *pattern, *eid;
		bool matches;
	} row[] = {{"*", "ipn:1.2", true}, {"*", "dtn:none", true}, {"ipn:1.2", "ipn:1.2", true},
		{"ipn:1.2", "ipn:1.3", false}, {"ipn:1.*", "ipn:1.0", true},
		{"ipn:1.*", "ipn:1.77", true}, {"ipn:1.*", "ipn:11.7", false},
		{"ipn:977000.1.*", "ipn:977000.1.5", true}, {"dtn://a/*", "dtn://a/x", true},
		{"dtn://a/*", "dtn://b/x", false}, {"dtn://a/x", "dtn://a/x", true}};
	static const char *const bad[] = {"", "ipn", "ipn:*", "ipn:1.2*", "ipn:.*", "**", "dtn:*"};
	struct eid_pattern p;
	struct eid e;

	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		cr_assert_eq(eid_pattern_parse(row[i].pattern, &p), 0, "%s", row[i].pattern);
		cr_assert_eq(eid_parse(row[i].eid, &e), 0);
		cr_assert_eq(eid_pattern_has(&p, &e), row[i].matches, "%s %s", row[i].pattern,
			row[i].eid);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_assert_neq(eid_pattern_parse(bad[i], &p), 0, "%s", bad[i]);
}
