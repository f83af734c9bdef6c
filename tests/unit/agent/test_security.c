/* BPSec as policy: RFC 9172 5.1, 7; every row of the table of events, each reason, keys, IVs. */
#include "tests/unit/agent/kit.h"

#include "bundle/bpsec.h"
#include "bundle/fragment.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const node_id n1[] = {1}, n2[] = {2};

#define MAC_1 "1f0a8c5d7be2493b6c11d4e8a09f3752c6b81e40d97a2f63e5048bc2716dfa39"
#define MAC_2 "2f0a8c5d7be2493b6c11d4e8a09f3752c6b81e40d97a2f63e5048bc2716dfa30"
#define AES_1 "80c3d1f2a4b5968778695a4b3c2d1e0f00112233445566778899aabbccddeeff"
#define AES_2 "90c3d1f2a4b5968778695a4b3c2d1e0f00112233445566778899aabbccddeeff"
#define SEED "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"

static void key(
	struct side *s, const char *id, const char *kind, unsigned context, const char *secret)
{
	struct security_lab_key *k = &s->cfg.security.lab_key[s->cfg.security.n_lab_keys++];

	snprintf(k->id, sizeof k->id, "%s", id);
	snprintf(k->kind, sizeof k->kind, "%s", kind);
	snprintf(k->secret, sizeof k->secret, "%s", secret);
	k->sha = 256;
	k->context = context;
}

/* "role operation block key [context]" */
static struct security_rule_cfg *rule(struct side *s, const char *text)
{
	static const char *const contexts[] = {
		"default", "hmac", "gcm", "cose-mac", "cose-sign", "cose-encrypt"};
	struct security_rule_cfg *r = &s->cfg.security.rule[s->cfg.security.n_rules++];
	char context[24] = "default";

	*r = (struct security_rule_cfg){.source = "*", .destination = "*", .scope = 7};
	cr_assert_geq(sscanf(text, "%15s %15s %23s %63s %23s", r->role, r->operation, r->block,
			      r->key, context),
		4);
	for (unsigned k = 0; k < 6; k++)
		if (strcmp(contexts[k], context) == 0)
			r->context = k;
	return r;
}

static void prepare(struct side *s, node_id node, const node_id *peers, size_t n, node_id via)
{
	side_init(s, node, peers, n, via);
	trace_fini(&s->trace);
	cr_assert_eq(trace_init(&s->trace, 1024), 0);
	s->cfg.security.max_bytes = 65536;
	s->cfg.security.step_bytes = 65536;
	s->cfg.security.max_running = 2;
	s->cfg.security.failures_per_s = 1000;
	s->cfg.security.keep_unverified = true;
	key(s, "mac", "hmac", 0, MAC_1);
	key(s, "mac2", "hmac", 0, MAC_2);
	key(s, "aes", "aes256", 0, AES_1);
	key(s, "aes2", "aes256", 0, AES_2);
	key(s, "kek", "kek256", 2, AES_1);
	key(s, "mkek", "kek256", 1, AES_2);
	key(s, "sign", "ed25519", 0, SEED);
}

static void pair_of(struct side *a, struct side *b)
{
	prepare(a, 1, n2, 1, 2);
	prepare(b, 2, n1, 1, 1);
}

static void start(struct side *a, struct side *b)
{
	side_start(a, n2, 1);
	side_start(b, n1, 1);
}

static void stop(struct side *a, struct side *b)
{
	side_fini(a);
	side_fini(b);
}

/* One bundle from a to the wire. */
static void fly(struct side *a, struct flight *f)
{
	cr_assert_eq(side_send(a, 2, 5, HOUR_MS, false), 0);
	side_commit(a, 0);
	side_listen(a);
	cr_assert(side_out(a, 2, f));
}

static struct bundle parsed(const struct flight *f)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct bundle b;

	rules.allow_no_primary_crc = true;
	cr_assert_eq(bundle_read(&b, view_of(f->bytes, f->n), &rules, &fault), 0);
	return b;
}

static bool readable(const struct flight *f)
{
	return memmem(f->bytes, f->n, "hello, far away", 15) != NULL;
}

/* What the receiver made of it: 0 delivered, else the reason with which it was deleted. */
static unsigned end_of(struct side *b)
{
	struct trace_rec r;
	unsigned reason = 0;

	side_commit(b, 0);
	side_listen(b);
	while (trace_next(&b->trace, &r))
		if (r.ev == EV_bundle_deleted)
			reason = (unsigned)r.a[1];
	if (reason == 0)
		cr_assert_eq(heard(b, AGENT_DELIVERY), 1, "%u", heard(b, AGENT_DELIVERY));
	else
		cr_assert_eq(heard(b, AGENT_DELIVERY), 0);
	return reason;
}

/* a's rules, b's rules; b's end. */
static unsigned crossing(const char *const *at_a, const char *const *at_b, struct flight *f)
{
	struct side a, b;
	unsigned reason;

	pair_of(&a, &b);
	for (; *at_a; at_a++)
		rule(&a, *at_a);
	for (; *at_b; at_b++)
		rule(&b, *at_b);
	start(&a, &b);
	(void)side_register(&b, 5, 10);
	fly(&a, f);
	side_in(&b, 1, f);
	reason = end_of(&b);
	if (reason == 0) {
		struct view head;
		struct bundle got;
		struct bundle_fault fault;
		struct bundle_rules rules = bundle_rules_default();

		rules.allow_no_primary_crc = true;
		cr_assert_eq(store_head(b.store, b.last_id, &head), 0);
		cr_assert_eq(bundle_read_head(&got, head, &rules, &fault), 0);
		struct view payload;
		cr_assert_eq(store_payload(b.store, (struct slice){b.last_id, 0, got.payload.n},
				     &payload),
			0);
		cr_assert(view_equal(payload, view_text("hello, far away")));
	}
	stop(&a, &b);
	return reason;
}

/* RFC 9172 5.1; RFC 9173 3.8, 4.8; all contexts. RFC 9171 8/1, 8/2 */
Test(security, every_context_both_ways)
{
	static const struct {
		const char *at_a[3], *at_b[3];
		bool readable;
	} row[] = {
		{{"source integrity payload mac"}, {"acceptor integrity payload mac"}, true},
		{{"source integrity primary mac"}, {"acceptor integrity primary mac"}, true},
		{{"source integrity payload mkek"}, {"acceptor integrity payload mkek"}, true},
		{{"source confidentiality payload aes"}, {"acceptor confidentiality payload aes"},
			false},
		{{"source confidentiality payload kek"}, {"acceptor confidentiality payload kek"},
			false},
		{{"source integrity payload mac cose-mac"},
			{"acceptor integrity payload mac cose-mac"}, true},
		{{"source integrity payload sign cose-sign"},
			{"acceptor integrity payload sign cose-sign"}, true},
		{{"source integrity primary sign cose-sign"},
			{"acceptor integrity primary sign cose-sign"}, true},
		{{"source confidentiality payload aes cose-encrypt"},
			{"acceptor confidentiality payload aes cose-encrypt"}, false},
		/* BCB over BIB */
		{{"source integrity payload mac", "source confidentiality payload aes"},
			{"acceptor integrity payload mac", "acceptor confidentiality payload aes"},
			false},
		/* a verifier at the destination accepts */
		{{"source integrity payload mac"}, {"verifier integrity payload mac"}, true},
	};

	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct flight f;

		cr_assert_eq(crossing(row[i].at_a, row[i].at_b, &f), 0, "row %zu", i);
		cr_assert_eq(readable(&f), row[i].readable, "row %zu", i);
	}
}

/* RFC 9172 7.1: each reason. */
Test(security, each_reason)
{
	static const struct {
		const char *at_a[3], *at_b[3];
		unsigned reason;
	} row[] = {
		{{"source integrity payload mac"}, {"acceptor integrity payload mac2"}, 15},
		{{"source integrity primary mac"}, {"acceptor integrity primary mac2"}, 15},
		{{"source confidentiality payload aes"}, {"acceptor confidentiality payload aes2"},
			15},
		{{"source confidentiality payload kek"}, {"acceptor confidentiality payload aes"},
			13},
		{{NULL}, {"acceptor integrity payload mac"}, 12},
		{{NULL}, {"acceptor integrity primary mac"}, 12},
		{{NULL}, {"acceptor confidentiality payload aes"}, 12},
		{{"source integrity payload mac"},
			{"acceptor integrity payload mac", "acceptor confidentiality payload aes"},
			12},
		/* no rule: a BCB can't be read, a BIB is as good as none */
		{{"source confidentiality payload aes"}, {NULL}, 13},
		{{"source integrity payload mac"}, {NULL}, 0},
		{{"source integrity payload mac"}, {"acceptor integrity payload sign cose-sign"},
			13},
		{{"source integrity payload mac"},
			{"acceptor integrity payload mac2", "acceptor integrity payload mac"}, 0},
	};

	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct flight f;

		cr_assert_eq(crossing(row[i].at_a, row[i].at_b, &f), row[i].reason, "row %zu", i);
	}
}

/* The receiver of what a secured, with rules of its own; the caller stops both. */
static void two(struct side *a, struct side *b, const char *const *at_a, const char *const *at_b)
{
	pair_of(a, b);
	for (; *at_a; at_a++)
		rule(a, *at_a);
	for (; *at_b; at_b++)
		rule(b, *at_b);
}

static const char *const source_all[] = {"source integrity primary mac",
	"source integrity payload mac", "source confidentiality payload aes", NULL};
static const char *const accept_all[] = {"acceptor integrity primary mac",
	"acceptor integrity payload mac", "acceptor confidentiality payload aes", NULL};

/* RFC 9173 3.8.1, 4.8.1; RFC 9172 3.8, 3.9: one target a block, CRCs off, flag on the payload's BCB. */
Test(security, what_a_source_emits)
{
	struct side a, b;
	struct flight f;
	struct bundle got;
	struct bpsec_op op[BPSEC_OPS_MAX];
	struct bundle_fault fault;
	unsigned n = 0;

	two(&a, &b, source_all, accept_all);
	start(&a, &b);
	fly(&a, &f);
	got = parsed(&f);
	cr_assert_eq(bpsec_check(&got, &fault), 0);
	cr_assert_eq(got.crc_type, CRC_NONE);
	cr_assert_eq(got.block[got.n_blocks - 1].crc_type, CRC_NONE);
	cr_assert_eq(bpsec_list(&got, op, &n), 0);
	cr_assert_eq(n, 3, "two BCBs, the BIB of the primary block; the other BIB is encrypted");
	for (unsigned i = 0; i < n; i++) {
		const struct block *k = &got.block[op[i].block];

		cr_assert_eq(op[i].target, 0);
		cr_assert_eq(op[i].source.node, 1);
		if (op[i].type == BLOCK_BCB && op[i].number == 1)
			cr_assert(k->flags & BLOCK_REPLICATE);
		cr_assert_not(k->flags & BLOCK_DISCARD);
	}
	cr_assert_eq(count(&a, EV_security_added), 4);
	stop(&a, &b);
}

/* Every bit of the payload and of the security blocks: nothing is delivered. */
Test(security, tampered)
{
	struct side a, b;
	struct flight f, bad;
	struct bundle got;
	size_t from, n_deleted = 0, n = 0;

	two(&a, &b, source_all, accept_all);
	b.cfg.security.failures_per_s = 100000;
	start(&a, &b);
	(void)side_register(&b, 5, 10);
	fly(&a, &f);
	got = parsed(&f);
	from = (size_t)(got.payload.p - f.bytes);
	for (size_t bit = 0; bit < 8 * got.payload.n; bit++, n++) {
		bad = f;
		bad.bytes[from + bit / 8] ^= (uint8_t)(1u << bit % 8);
		side_in(&b, 1, &bad);
	}
	n_deleted = count(&b, EV_bundle_deleted);
	cr_assert_eq(n_deleted, n);
	cr_assert_eq(end_of(&b), 15);
	side_in(&b, 1, &f);
	side_commit(&b, 0);
	side_listen(&b);
	cr_assert_eq(heard(&b, AGENT_DELIVERY), 1, "the good one still comes through");
	stop(&a, &b);
}

/* RFC 9173 4.6 */
Test(security, a_replay_is_a_duplicate)
{
	struct side a, b;
	struct flight f;

	two(&a, &b, source_all, accept_all);
	start(&a, &b);
	(void)side_register(&b, 5, 10);
	fly(&a, &f);
	side_in(&b, 1, &f);
	side_in(&b, 1, &f);
	cr_assert_eq(end_of(&b), 0);
	cr_assert_eq(count(&b, EV_bundle_duplicate), 1);
	side_crash(&b, false, n1, 1);
	side_in(&b, 1, &f);
	cr_assert_eq(count(&b, EV_bundle_duplicate), 2);
	stop(&a, &b);
}

/* A failed bundle is not taken into custody, and its custodian is told so. */
Test(security, custody_of_a_failed_bundle_is_refused)
{
	struct side a, b;
	struct flight f, signal;

	two(&a, &b, source_all, accept_all);
	snprintf(b.cfg.security.rule[2].key, KEY_ID_MAX, "aes2");
	start(&a, &b);
	cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, true), 0);
	side_commit(&a, 0);
	cr_assert(side_out(&a, 2, &f));
	side_in(&b, 1, &f);
	side_commit(&b, 0);
	cr_assert_eq(stats(&b).n_bundles, 0);
	cr_assert_eq(count(&b, EV_custody_taken), 0);
	cr_assert_eq(count(&b, EV_custody_signalled), 1);
	side_at(&b, b.now + 6 * SEC);
	side_commit(&b, 0);
	cr_assert(side_out(&b, 1, &signal));
	side_in(&a, 2, &signal);
	cr_assert_eq(count(&a, EV_custody_refused), 1);
	cr_assert_eq(stats(&a).n_bundles, 1, "and is still held");
	stop(&a, &b);
}

/* Custody over secured bundles works: the custody block is nobody's target. */
Test(security, custody_of_a_good_bundle)
{
	struct side a, b;
	struct flight f, signal;

	two(&a, &b, source_all, accept_all);
	rule(&b, "source integrity payload mac2"); /* signals are signed, too */
	rule(&a, "acceptor integrity payload mac2");
	snprintf(a.cfg.security.rule[3].source, 64, "ipn:2.0");
	start(&a, &b);
	cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, true), 0);
	side_commit(&a, 0);
	cr_assert(side_out(&a, 2, &f));
	side_in(&b, 1, &f);
	side_commit(&b, 0);
	cr_assert_eq(count(&b, EV_custody_taken), 1);
	side_at(&b, b.now + 6 * SEC);
	side_commit(&b, 0);
	cr_assert(side_out(&b, 1, &signal));
	side_in(&a, 2, &signal);
	cr_assert_eq(count(&a, EV_custody_released), 1);
	stop(&a, &b);
}

/* A signal that does not have its BIB releases nothing: verification comes first. */
Test(security, an_unsigned_signal_releases_nothing)
{
	struct side a, b;
	struct flight f, forged;

	two(&a, &b, source_all, accept_all);
	rule(&a, "acceptor integrity payload mac2");
	start(&a, &b);
	cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, true), 0);
	side_commit(&a, 0);
	cr_assert(side_out(&a, 2, &f));
	signal_make(&forged, 2, 1, true, 1, (const uint64_t[2]){1, 1});
	side_in(&a, 2, &forged);
	cr_assert_eq(count(&a, EV_custody_released), 0);
	cr_assert_eq(stats(&a).n_bundles, 1);
	stop(&a, &b);
}

/* RFC 9172 5.1.2: a waypoint verifies, leaves the operation, and changes no byte of it. */
Test(security, a_waypoint_verifies_and_leaves)
{
	struct side a, r, b;
	struct flight f, onward;
	static const node_id n12[] = {1, 2};

	prepare(&a, 1, (const node_id[]){3}, 1, 3);
	prepare(&r, 3, n12, 2, NODE_NONE);
	prepare(&b, 2, (const node_id[]){3}, 1, 3);
	for (size_t i = 0; i < 3; i++) {
		rule(&a, source_all[i]);
		rule(&b, accept_all[i]);
	}
	rule(&r, "verifier integrity primary mac");
	side_start(&a, (const node_id[]){3}, 1);
	side_start(&r, n12, 2);
	side_start(&b, (const node_id[]){3}, 1);
	(void)side_register(&b, 5, 10);
	cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, false), 0);
	side_commit(&a, 0);
	cr_assert(side_out(&a, 3, &f));
	side_in(&r, 1, &f);
	cr_assert(side_out(&r, 2, &onward));
	cr_assert_eq(count(&r, EV_security_checked), 3, "verified, and two that are not its");
	side_in(&b, 3, &onward);
	cr_assert_eq(end_of(&b), 0);
	/* tampered on the way: the waypoint ends it */
	f.bytes[parsed(&f).primary.p - f.bytes + 8] ^= 1;
	side_in(&r, 1, &f);
	cr_assert_eq(count(&r, EV_bundle_deleted) + count(&r, EV_bundle_rejected), 1);
	side_fini(&a);
	side_fini(&r);
	side_fini(&b);
}

/* RFC 9173 3.8.1, 4.8.1: an acceptor that is not the destination puts a CRC back. */
Test(security, an_acceptor_on_the_way)
{
	struct side a, r;
	struct flight f, onward;
	struct bundle got;
	static const node_id n12[] = {1, 2};

	prepare(&a, 1, (const node_id[]){3}, 1, 3);
	prepare(&r, 3, n12, 2, NODE_NONE);
	for (size_t i = 0; i < 3; i++) {
		rule(&a, source_all[i]);
		rule(&r, accept_all[i]);
	}
	side_start(&a, (const node_id[]){3}, 1);
	side_start(&r, n12, 2);
	cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, false), 0);
	side_commit(&a, 0);
	cr_assert(side_out(&a, 3, &f));
	side_in(&r, 1, &f);
	cr_assert(side_out(&r, 2, &onward));
	cr_assert(readable(&onward));
	got = parsed(&onward);
	cr_assert_eq(got.block[got.n_blocks - 1].crc_type, CRC_32C);
	cr_assert_not(bundle_block(&got, BLOCK_BCB));
	cr_assert(bundle_block(&got, BLOCK_BIB), "the primary block's stays for the destination");
	side_fini(&a);
	side_fini(&r);
}

/* No rule concerns it: not a byte of the operation changes. */
Test(security, others_pass_untouched)
{
	struct side a, r;
	struct flight f, onward;
	struct bundle before, after;
	static const node_id n12[] = {1, 2};

	prepare(&a, 1, (const node_id[]){3}, 1, 3);
	prepare(&r, 3, n12, 2, NODE_NONE);
	for (size_t i = 0; i < 3; i++)
		rule(&a, source_all[i]);
	side_start(&a, (const node_id[]){3}, 1);
	side_start(&r, n12, 2);
	cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, false), 0);
	side_commit(&a, 0);
	cr_assert(side_out(&a, 3, &f));
	side_in(&r, 1, &f);
	cr_assert(side_out(&r, 2, &onward));
	before = parsed(&f);
	after = parsed(&onward);
	cr_assert(view_equal(before.payload, after.payload));
	cr_assert(view_equal(before.primary, after.primary));
	cr_assert(view_equal(
		bundle_block(&before, BLOCK_BCB)->whole, bundle_block(&after, BLOCK_BCB)->whole));
	side_fini(&a);
	side_fini(&r);
}

static void iv_of(const struct flight *f, uint8_t iv[12])
{
	struct bundle b = parsed(f);
	struct asb asb;

	cr_assert_eq(asb_read(&asb, bundle_block(&b, BLOCK_BCB)->data), 0);
	cr_assert_eq(asb_param(&asb, 1)->value.n, 13);
	memcpy(iv, asb_param(&asb, 1)->value.p + 1, 12);
}

/* RFC 9173 4.3.1, 4.6: over crashes with and without the batch, and before the block is durable. */
Test(security, an_iv_never_repeats)
{
	struct side a, b;
	static uint8_t iv[64][12];
	unsigned n = 0;

	two(&a, &b, (const char *const[]){"source confidentiality payload aes", NULL}, accept_all);
	start(&a, &b);
	for (unsigned boot = 0; boot < 6; boot++) {
		struct flight f;

		for (unsigned i = 0; i < 4; i++) {
			cr_assert_eq(side_send(&a, 2, 5, HOUR_MS, false), 0);
			if (i == 0)
				cr_assert_eq(side_pass(&a, &b), 0, "waits for the number's block");
			if (boot % 2 == 0 || i == 0)
				side_commit(&a, 0);
			while (side_out(&a, 2, &f))
				iv_of(&f, iv[n++]);
		}
		side_crash(&a, boot % 3 == 0, n2, 1);
		while (side_out(&a, 2, &f))
			; /* what had been stored leaves with the bytes it had */
	}
	cr_assert_geq(n, 12);
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < i; k++)
			cr_assert_neq(memcmp(iv[i] + 4, iv[k] + 4, 8), 0, "%u %u", i, k);
	stop(&a, &b);
}

/* What is larger than one step is refused with its own word, before anything is stored. */
Test(security, too_large_for_a_rule)
{
	struct side a, b;
	static uint8_t big[70000];
	struct view payload = view_of(big, sizeof big);
	struct agent_send s = {.source = eid_ipn(1, 9),
		.dest = eid_ipn(2, 5),
		.report_to = eid_null(),
		.lifetime_ms = HOUR_MS,
		.priority = 1,
		.crc_type = CRC_32C,
		.payload = &payload,
		.n_payload = 1};
	uint64_t request;

	two(&a, &b, source_all, accept_all);
	a.cfg.source_bytes = 60000;
	a.cfg.max_send_bytes = 1 << 20;
	a.cfg.max_open_sends = 2;
	start(&a, &b);
	cr_assert_eq(agent_send(a.agent, 0, &s, &request), -E_SECURED_SIZE);
	s.n_payload = 0;
	cr_assert_eq(agent_send_open(a.agent, 0, &s, sizeof big, &request), -E_SECURED_SIZE);
	cr_assert_eq(stats(&a).n_bundles, 0);
	stop(&a, &b);
}

/* RFC 9173 4.6: failures with a key are limited and counted; time brings them back. */
Test(security, failures_are_limited)
{
	struct side a, b;
	struct flight f, bad;
	size_t at;

	two(&a, &b, source_all, accept_all);
	b.cfg.security.failures_per_s = 3;
	start(&a, &b);
	(void)side_register(&b, 5, 10);
	fly(&a, &f);
	bad = f;
	at = (size_t)(parsed(&f).payload.p - f.bytes);
	bad.bytes[at] ^= 1;
	for (int i = 0; i < 5; i++)
		side_in(&b, 1, &bad);
	side_in(&b, 1, &f);
	cr_assert_eq(end_of(&b), 15, "the key is not tried for now");
	side_at(&b, b.now + 2 * SEC);
	side_in(&b, 1, &f);
	side_commit(&b, 0);
	side_listen(&b);
	cr_assert_eq(heard(&b, AGENT_DELIVERY), 1);
	stop(&a, &b);
}

/* Bundles between endpoints of this node have no security, and need none. */
Test(security, nothing_for_bundles_that_stay)
{
	struct side a, b;

	two(&a, &b, source_all, accept_all);
	for (size_t i = 0; i < 3; i++)
		rule(&a, accept_all[i]);
	start(&a, &b);
	(void)side_register(&a, 8, 10);
	cr_assert_eq(side_send(&a, 1, 8, HOUR_MS, false), 0);
	side_commit(&a, 0);
	side_listen(&a);
	side_commit(&a, 0);
	side_listen(&a);
	cr_assert_eq(heard(&a, AGENT_DELIVERY), 1);
	cr_assert_eq(count(&a, EV_security_added), 0);
	stop(&a, &b);
}

/* Cuts a bundle in two with the format's own tools. */
static void cut(const struct flight *f, struct flight piece[2], size_t at)
{
	struct bundle b = parsed(f);
	const struct bundle_edit edit = {.custody = custody_codes_ccsds()};
	const uint64_t from[3] = {0, at, b.payload.n};

	for (unsigned k = 0; k < 2; k++) {
		struct buf out = buf_of(piece[k].bytes, sizeof piece[k].bytes);
		struct view bytes = view_sub(b.payload, from[k], from[k + 1] - from[k]);
		uint32_t crc;

		cr_assert_eq(fragment_head(&out, &b, &edit, from[k], bytes.n, &crc), 0);
		buf_put(&out, bytes);
		crc = crc_update(b.block[b.n_blocks - 1].crc_type, crc, bytes);
		cr_assert_eq(fragment_tail(&out, &b, crc), 0);
		piece[k].n = out.len;
	}
}

static void with_reassembly(struct side *s)
{
	s->cfg.max_adus = 4;
	s->cfg.max_adu_bytes = 1 << 20;
	s->cfg.max_adu_fragments = 16;
	s->cfg.max_adu_us = 3600 * SEC;
}

/* RFC 9172 5.2: what was cut on the way is checked when it is whole, in either order. */
Test(security, fragments_are_checked_when_they_are_whole)
{
	for (unsigned order = 0; order < 2; order++) {
		struct side a, b;
		struct flight f, piece[2];
		struct view payload;

		two(&a, &b, source_all, accept_all);
		with_reassembly(&b);
		start(&a, &b);
		(void)side_register(&b, 5, 10);
		fly(&a, &f);
		cut(&f, piece, 6);
		side_in(&b, 1, &piece[order]);
		side_commit(&b, 0);
		side_in(&b, 1, &piece[!order]);
		side_commit(&b, 0);
		cr_assert_eq(end_of(&b), 0);
		cr_assert_eq(store_payload(b.store, (struct slice){b.last_id, 0, 15}, &payload), 0);
		cr_assert(view_equal(payload, view_text("hello, far away")));
		cr_assert_eq(stats(&b).n_bundles, 1, "the fragments are gone");
		side_in(&b, 1, &piece[0]);
		side_in(&b, 1, &f);
		cr_assert_geq(count(&b, EV_bundle_duplicate), 1);
		cr_assert_eq(heard(&b, AGENT_DELIVERY), 1);
		stop(&a, &b);
	}
}

/* Tampered, unsigned or too large: nothing of it is delivered. */
Test(security, bad_fragments_are_deleted)
{
	static const struct {
		const char *at_a, *at_b;
		size_t flip;
		unsigned reason;
	} row[] = {
		{"source confidentiality payload aes", "acceptor confidentiality payload aes", 0,
			0},
		{"source confidentiality payload aes", "acceptor confidentiality payload aes", 1,
			15},
		{"source integrity payload mac", "acceptor integrity payload mac2", 0, 15},
		{"source integrity payload mac", "acceptor confidentiality payload aes", 0, 12},
		{"source confidentiality payload aes", "acceptor integrity primary mac", 0, 13},
		{"source confidentiality payload aes", "source integrity payload mac", 0, 13},
	};

	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct side a, b;
		struct flight f, piece[2];

		pair_of(&a, &b);
		rule(&a, row[i].at_a);
		rule(&b, row[i].at_b);
		with_reassembly(&b);
		start(&a, &b);
		(void)side_register(&b, 5, 10);
		fly(&a, &f);
		cut(&f, piece, 6);
		if (row[i].flip)
			piece[1].bytes[piece[1].n - 2] ^= 1;
		side_in(&b, 1, &piece[0]);
		side_in(&b, 1, &piece[1]);
		side_commit(&b, 0);
		side_commit(&b, 0);
		cr_assert_eq(end_of(&b), row[i].reason, "row %zu", i);
		cr_assert_eq(stats(&b).n_bundles, row[i].reason == 0);
		stop(&a, &b);
	}
}

/* A restart between the check and the commit of what came out: it is done again. */
Test(security, a_restart_while_a_unit_is_checked)
{
	struct side a, b;
	struct flight f, piece[2];

	two(&a, &b, source_all, accept_all);
	with_reassembly(&b);
	start(&a, &b);
	fly(&a, &f);
	cut(&f, piece, 6);
	side_in(&b, 1, &piece[0]);
	side_in(&b, 1, &piece[1]);
	side_commit(&b, 0);
	side_crash(&b, false, n1, 1);
	(void)side_register(&b, 5, 10);
	side_commit(&b, 0);
	cr_assert_eq(end_of(&b), 0);
	stop(&a, &b);
}

/* An answer is made while its secured request still stands in our room. */
Test(security, a_secured_echo)
{
	struct side a, b;
	struct flight f;
	struct view payload;

	two(&a, &b, (const char *const[]){"source confidentiality payload aes", NULL},
		(const char *const[]){"acceptor confidentiality payload aes", NULL});
	rule(&b, "source confidentiality payload aes2");
	rule(&a, "acceptor confidentiality payload aes2");
	start(&a, &b);
	(void)side_register(&a, 9, 10);
	cr_assert_eq(side_send(&a, 2, 7, HOUR_MS, false), 0);
	side_commit(&a, 0);
	cr_assert(side_out(&a, 2, &f));
	side_in(&b, 1, &f);
	cr_assert_eq(count(&b, EV_echo_answered), 1);
	side_commit(&b, 0);
	cr_assert(side_out(&b, 1, &f));
	cr_assert_not(readable(&f));
	side_in(&a, 2, &f);
	a.heard = 0;
	side_commit(&a, 0);
	side_listen(&a);
	cr_assert_eq(heard(&a, AGENT_DELIVERY), 1);
	cr_assert_eq(store_payload(a.store, (struct slice){a.last_id, 0, 15}, &payload), 0);
	cr_assert(view_equal(payload, view_text("hello, far away")));
	stop(&a, &b);
}

/* A report is made while the bundle that it is about stands in our room. */
Test(security, a_secured_report_spoils_nothing)
{
	struct side a, b;
	struct flight f;
	struct view payload, text = view_text("hello, far away");
	struct agent_send s = {.source = eid_ipn(1, 9),
		.dest = eid_ipn(2, 5),
		.report_to = eid_ipn(1, 9),
		.flags = BUNDLE_REPORTS,
		.lifetime_ms = HOUR_MS,
		.priority = 1,
		.crc_type = CRC_32C,
		.payload = &text,
		.n_payload = 1};
	uint64_t request;

	two(&a, &b, source_all, accept_all);
	b.cfg.reports = true;
	rule(&b, "source confidentiality payload aes2");
	start(&a, &b);
	(void)side_register(&b, 5, 10);
	cr_assert_eq(agent_send(a.agent, 0, &s, &request), 0);
	side_commit(&a, 0);
	cr_assert(side_out(&a, 2, &f));
	side_in(&b, 1, &f);
	cr_assert_geq(count(&b, EV_report_tx), 1);
	cr_assert_eq(end_of(&b), 0);
	cr_assert_eq(store_payload(b.store, (struct slice){b.last_id, 0, 15}, &payload), 0);
	cr_assert(view_equal(payload, text));
	stop(&a, &b);
}

/* Erratum 9192: either form of the signed primary block is verified. */
Test(security, both_forms_of_a_signed_primary_block)
{
	for (unsigned bare = 0; bare < 2; bare++) {
		struct side a, b;
		struct flight f;

		two(&a, &b, source_all, accept_all);
		a.cfg.security.a3_bare = bare;
		start(&a, &b);
		(void)side_register(&b, 5, 10);
		fly(&a, &f);
		side_in(&b, 1, &f);
		cr_assert_eq(end_of(&b), 0);
		stop(&a, &b);
	}
}
