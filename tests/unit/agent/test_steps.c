/* Security of large data in steps: protect.c at the source, steps.c at the destination (RFC 9172 5.1,
 * 5.2): what a turn of the loop does, what passes in between, and every way in which a check can end. */
#include "tests/unit/agent/kit.h"

#include "bundle/admin.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const node_id n1[] = {1}, n2[] = {2};

#define MAC "1f0a8c5d7be2493b6c11d4e8a09f3752c6b81e40d97a2f63e5048bc2716dfa39"
#define MAC2 "2f0a8c5d7be2493b6c11d4e8a09f3752c6b81e40d97a2f63e5048bc2716dfa30"
#define AES "80c3d1f2a4b5968778695a4b3c2d1e0f00112233445566778899aabbccddeeff"
#define AES2 "90c3d1f2a4b5968778695a4b3c2d1e0f00112233445566778899aabbccddeeff"
#define SIZE 20000u
#define STEP 1000u

static uint8_t data[SIZE];

static void key(struct side *s, const char *id, const char *kind, const char *secret)
{
	struct security_lab_key *k = &s->cfg.security.lab_key[s->cfg.security.n_lab_keys++];

	snprintf(k->id, sizeof k->id, "%s", id);
	snprintf(k->kind, sizeof k->kind, "%s", kind);
	snprintf(k->secret, sizeof k->secret, "%s", secret);
	k->sha = 256;
	k->context = strncmp(kind, "kek", 3) == 0 ? 2 : 0;
}

/* "role operation block key [context]" */
static void rule(struct side *s, const char *text)
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
}

static void prepare(struct side *s, node_id node, const node_id *peers, node_id via)
{
	side_init(s, node, peers, 1, via);
	trace_fini(&s->trace);
	cr_assert_eq(trace_init(&s->trace, 4096), 0);
	s->cfg.max_whole_bytes = 1 << 20;
	s->cfg.security.max_bytes = 1 << 20;
	s->cfg.security.step_bytes = STEP;
	s->cfg.security.max_running = 2;
	s->cfg.security.failures_per_s = 1000;
	s->cfg.security.keep_unverified = true;
	key(s, "mac", "hmac", MAC);
	key(s, "mac2", "hmac", MAC2);
	key(s, "aes", "aes256", AES);
	key(s, "aes2", "aes256", AES2);
	key(s, "kek", "kek256", AES);
	key(s, "ed", "ed25519", AES2);
	key(s, "es", "es256", MAC);
}

/* Two nodes with their rules, NULL at the end of each. */
static void pair_of(
	struct side *a, struct side *b, const char *const *at_a, const char *const *at_b)
{
	for (size_t i = 0; i < SIZE; i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	prepare(a, 1, n2, 2);
	prepare(b, 2, n1, 1);
	while (*at_a)
		rule(a, *at_a++);
	while (*at_b)
		rule(b, *at_b++);
}

static void start(struct side *a, struct side *b)
{
	side_start(a, n2, 1);
	side_start(b, n1, 1);
	cr_assert_eq(side_send(a, 1, 99, HOUR_MS, false), 0); /* the first block of numbers */
	side_commit(a, 0);
	side_listen(a);
	a->heard = 0;
}

static void stop(struct side *a, struct side *b)
{
	struct store_stats st;
	struct side *s[2] = {a, b};

	for (unsigned k = 0; k < 2; k++) {
		side_commit(s[k], 0);
		agent_free(s[k]->agent);
		s[k]->agent = NULL;
		store_stats(s[k]->store, &st);
		cr_expect_eq(st.staged_bytes, 0, "nothing stays open");
		side_fini(s[k]);
	}
}

static const struct agent_send large = {
	.source = {.scheme = EID_SCHEME_IPN, .node = 1, .service = 9},
	.dest = {.scheme = EID_SCHEME_IPN, .node = 2, .service = 5},
	.report_to = {.scheme = EID_SCHEME_IPN},
	.lifetime_ms = HOUR_MS,
	.priority = 1,
	.crc_type = CRC_32C};

/* One turn of the loop: is there anything to do at once? */
static bool turn(struct side *s)
{
	bool due = agent_deadline(s->agent) <= s->now;

	store_turn(s->store);
	agent_tick(s->agent, s->now);
	return due;
}

static unsigned turns(struct side *s)
{
	unsigned n = 0;

	while (turn(s))
		cr_assert_lt(++n, 1000);
	return n;
}

/* All of data but `short_by` bytes through an open send, in parts of 3000; the turns that it took. */
static unsigned feed(struct side *a, uint64_t request, size_t from, size_t short_by)
{
	unsigned n = 0;

	for (size_t at = from; at < SIZE - short_by;) {
		size_t k = SIZE - short_by - at < 3000 ? SIZE - short_by - at : 3000;
		struct view v = view_of(data + at, k);
		int err = agent_send_part(a->agent, a->now, request, &v);

		cr_assert(err == 0 || err == -E_AGAIN, "%s", err_name(err));
		cr_assert_leq(k - v.n, STEP, "more than a step in a turn");
		at += k - v.n;
		if (err == -E_AGAIN || at == SIZE - short_by)
			cr_assert(turn(a) || at == SIZE - short_by, "the loop shall not sleep");
		n++;
	}
	return n;
}

static unsigned send_large(struct side *a)
{
	uint64_t request;
	unsigned n;

	cr_assert_eq(agent_send_open(a->agent, a->now, &large, SIZE, &request), 0);
	n = feed(a, request, 0, 0);
	side_commit(a, 0);
	side_listen(a);
	return n;
}

/* As fragments to b, the last byte of the last one's payload changed if asked for. */
static void carry(struct side *a, struct side *b, bool tamper)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct flight f[16];
	struct bundle piece;
	unsigned n = 0;

	while (side_out(a, 2, &f[n]))
		cr_assert_lt(++n, 16);
	cr_assert_gt(n, 4);
	rules.allow_no_primary_crc = true;
	cr_assert_eq(bundle_read(&piece, view_of(f[n - 1].bytes, f[n - 1].n), &rules, &fault), 0);
	cr_assert(piece.flags & BUNDLE_FRAGMENT);
	if (tamper)
		f[n - 1].bytes[piece.payload.p + piece.payload.n - 1 - f[n - 1].bytes] ^= 1;
	while (n-- > 0)
		side_in(b, 1, &f[n]);
	side_commit(b, 0);
}

static void is_delivered(struct side *b, uint32_t reg)
{
	uint64_t at = 0;
	struct view v;

	side_commit(b, 0);
	side_listen(b);
	cr_assert_eq(heard(b, AGENT_DELIVERY), 1);
	while (at < SIZE) {
		cr_assert_eq(agent_read(b->agent, reg, b->last_id, at, SIZE, &v), 0);
		cr_assert_gt(v.n, 0);
		cr_assert_eq(memcmp(v.p, data + at, v.n), 0);
		at += v.n;
	}
	cr_assert_eq(agent_read(b->agent, reg, b->last_id, SIZE, 1, &v), 0);
	cr_assert_eq(v.n, 0, "the tag is not of it");
	cr_assert_eq(stats(b).n_bundles, 1, "the fragments are gone");
	cr_assert_eq(agent_ack(b->agent, b->now, reg, b->last_id), 0);
	side_commit(b, 0);
	cr_assert_eq(stats(b).n_bundles, 0);
}

/* The reason of what b deleted last; 0: nothing. */
static unsigned reason_of(struct side *b)
{
	struct trace_rec r;
	unsigned reason = 0;

	while (trace_next(&b->trace, &r))
		if (r.ev == EV_bundle_deleted)
			reason = (unsigned)r.a[1];
	return reason;
}

static const char *const source_both[] = {"source integrity primary mac",
	"source integrity payload mac", "source confidentiality payload aes", NULL};
static const char *const accept_both[] = {"acceptor integrity primary mac",
	"acceptor integrity payload mac", "acceptor confidentiality payload aes", NULL};

/* All contexts; a step a turn at both ends. */
Test(steps, every_context_both_ways)
{
	static const struct {
		const char *at_a[4], *at_b[4];
		unsigned
			passes; /* at the destination: operations, and the copy of what needs none */
	} row[] = {
		{{"source integrity payload mac"}, {"acceptor integrity payload mac"}, 2},
		{{"source integrity payload mac"}, {"verifier integrity payload mac"}, 2},
		{{"source integrity primary mac"}, {"acceptor integrity primary mac"}, 1},
		{{"source confidentiality payload aes"}, {"acceptor confidentiality payload aes"},
			1},
		{{"source confidentiality payload kek"}, {"acceptor confidentiality payload kek"},
			1},
		{{"source integrity payload mac cose-mac"},
			{"acceptor integrity payload mac cose-mac"}, 2},
		{{"source integrity payload ed cose-sign"},
			{"acceptor integrity payload ed cose-sign"}, 2},
		{{"source integrity payload es cose-sign"},
			{"acceptor integrity payload es cose-sign"}, 2},
		{{"source confidentiality payload aes cose-encrypt"},
			{"acceptor confidentiality payload aes cose-encrypt"}, 1},
		{{"source integrity payload mac cose-mac",
			 "source confidentiality payload aes cose-encrypt"},
			{"acceptor integrity payload mac cose-mac",
				"acceptor confidentiality payload aes cose-encrypt"},
			2},
		{{"source integrity primary mac", "source integrity payload mac",
			 "source confidentiality payload aes"},
			{"acceptor integrity primary mac", "acceptor integrity payload mac",
				"acceptor confidentiality payload aes"},
			2},
		/* the first key is wrong: it is found out at the end of its pass */
		{{"source confidentiality payload aes"},
			{"acceptor confidentiality payload aes2",
				"acceptor confidentiality payload aes"},
			2},
	};

	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct side a, b;
		uint32_t reg;
		unsigned n;

		pair_of(&a, &b, row[i].at_a, row[i].at_b);
		start(&a, &b);
		reg = side_register(&b, 5, 10);
		n = send_large(&a);
		cr_expect(n >= SIZE / STEP, "row %zu: %u turns", i, n);
		cr_assert_eq(heard(&a, AGENT_ACCEPTED), 1);
		carry(&a, &b, false);
		cr_assert_eq(count(&b, EV_bundle_handed), 0);
		n = turns(&b);
		cr_expect(n >= row[i].passes * SIZE / STEP && n <= row[i].passes * SIZE / STEP + 3,
			"row %zu: %u turns", i, n);
		cr_assert_eq(reason_of(&b), 0, "row %zu", i);
		is_delivered(&b, reg);
		stop(&a, &b);
	}
}

/* Tampered in the last byte, a wrong key, missing, unknown: nothing is delivered, nothing stays. */
Test(steps, bad_units_end_in_their_reason)
{
	static const struct {
		const char *at_a, *at_b;
		bool tamper;
		unsigned reason;
	} row[] = {
		{"source confidentiality payload aes", "acceptor confidentiality payload aes", true,
			15},
		{"source integrity payload mac", "acceptor integrity payload mac", true, 15},
		{"source integrity payload mac", "acceptor integrity payload mac2", false, 15},
		{"source confidentiality payload aes", "acceptor confidentiality payload aes2",
			false, 15},
		{"source integrity payload ed cose-sign", "acceptor integrity payload es cose-sign",
			false, 13},
		{"source integrity payload mac", "acceptor confidentiality payload aes", false, 12},
		{"source confidentiality payload aes", "acceptor integrity primary mac", false, 13},
		{"source confidentiality payload aes",
			"acceptor confidentiality payload aes cose-encrypt", false, 13},
		{"source confidentiality payload aes", "source integrity payload mac", false, 13},
	};

	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		const char *at_a[] = {row[i].at_a, NULL}, *at_b[] = {row[i].at_b, NULL};
		struct store_stats st;
		struct side a, b;

		pair_of(&a, &b, at_a, at_b);
		start(&a, &b);
		(void)side_register(&b, 5, 10);
		send_large(&a);
		carry(&a, &b, row[i].tamper);
		turns(&b);
		side_commit(&b, 0);
		side_listen(&b);
		cr_expect_eq(reason_of(&b), row[i].reason, "row %zu", i);
		cr_expect_eq(heard(&b, AGENT_DELIVERY), 0, "row %zu", i);
		store_stats(b.store, &st);
		cr_expect_eq(st.n_bundles, 0, "row %zu", i);
		cr_expect_eq(st.bytes, 0, "row %zu", i);
		stop(&a, &b);
	}
}

/* While a unit is checked small bundles come, are checked and delivered, and others leave. */
Test(steps, others_pass_in_between)
{
	struct side a, b;
	struct flight f;
	uint32_t reg;

	pair_of(&a, &b, source_both, accept_both);
	start(&a, &b);
	reg = side_register(&b, 6, 10);
	send_large(&a);
	carry(&a, &b, false);
	for (unsigned k = 1; k <= 10; k++) {
		cr_assert(turn(&b));
		cr_assert_eq(side_send(&a, 2, 6, HOUR_MS, false), 0);
		cr_assert_eq(side_send(&b, 1, 7, HOUR_MS, false), 0);
		side_commit(&a, 0);
		cr_assert_eq(side_pass(&a, &b), 1);
		side_commit(&b, 0);
		side_listen(&b);
		cr_assert_eq(heard(&b, AGENT_DELIVERY), k);
		cr_assert_eq(agent_ack(b.agent, b.now, reg, b.last_id), 0);
		cr_assert(side_out(&b, 1, &f));
	}
	cr_assert_geq(turns(&b), 20, "and it was not done on the way");
	side_commit(&b, 0);
	b.heard = 0;
	reg = side_register(&b, 5, 10);
	is_delivered(&b, reg);
	stop(&a, &b);
}

/* Applications that are secured and units that are checked share a step, by turns. */
Test(steps, a_step_is_shared)
{
	struct side a, b;
	struct agent_send back = large;
	uint64_t request, at = 0;
	unsigned n = 0;
	uint32_t reg;

	pair_of(&a, &b, source_both, accept_both);
	rule(&b, "source integrity payload mac2");
	start(&a, &b);
	reg = side_register(&b, 5, 10);
	send_large(&a);
	carry(&a, &b, false);
	back.source = eid_ipn(2, 5);
	back.dest = eid_ipn(1, 9);
	cr_assert_eq(agent_send_open(b.agent, b.now, &back, SIZE, &request), 0);
	while (at < SIZE) { /* as much as it is given, in each turn */
		struct view v = view_of(data + at, SIZE - at);
		int err = agent_send_part(b.agent, b.now, request, &v);

		cr_assert(err == -E_AGAIN || v.n == 0);
		cr_assert_leq(SIZE - at - v.n, STEP);
		at = SIZE - v.n;
		cr_assert(turn(&b) || at == SIZE);
		n++;
	}
	cr_expect(n >= 39 && n <= 42, "each second turn was the check's: %u", n);
	n = turns(&b);
	cr_expect(n >= 15 && n <= 25, "%u", n);
	side_commit(&b, 0);
	for (struct flight f; side_out(&b, 1, &f);)
		;
	is_delivered(&b, reg);
	stop(&a, &b);
}

/* A restart in the middle: it begins again from the stored fragments. */
Test(steps, a_restart_in_the_middle)
{
	for (unsigned when = 0; when < 45; when += 4) {
		struct side a, b;
		uint32_t reg;

		pair_of(&a, &b, source_both, accept_both);
		start(&a, &b);
		send_large(&a);
		carry(&a, &b, false);
		for (unsigned k = 0; k < when; k++)
			turn(&b);
		side_crash(&b, false, n1, 1);
		cr_assert_eq(heard(&b, AGENT_DELIVERY), 0);
		reg = side_register(&b, 5, 10);
		cr_assert_geq(turns(&b), 40);
		side_commit(&b, 0);
		is_delivered(&b, reg);
		stop(&a, &b);
	}
}

/* Its lifetime ends while it is checked. */
Test(steps, expiry_in_the_middle)
{
	for (unsigned when = 0; when <= 45; when += 15) {
		struct store_stats st;
		struct side a, b;

		pair_of(&a, &b, source_both, accept_both);
		start(&a, &b);
		(void)side_register(&b, 5, 10);
		send_large(&a);
		carry(&a, &b, false);
		for (unsigned k = 0; k < when; k++)
			turn(&b);
		side_at(&b, b.now + 7200 * SEC);
		cr_assert_eq(reason_of(&b), REASON_EXPIRED);
		turns(&b);
		side_commit(&b, 0);
		side_listen(&b);
		cr_assert_eq(heard(&b, AGENT_DELIVERY), 0);
		store_stats(b.store, &st);
		cr_expect_eq(st.bytes, 0);
		cr_expect_eq(st.n_bundles, 0);
		stop(&a, &b);
	}
}

/* One fragment expires before the others: the check ends, what is missing may come again. */
Test(steps, a_fragment_goes_in_the_middle)
{
	struct side a, b;
	struct flight f, kept = {0};
	uint32_t reg;

	pair_of(&a, &b, source_both, accept_both);
	b.cfg.max_lifetime_us = 1800 * SEC;
	start(&a, &b);
	reg = side_register(&b, 5, 10);
	send_large(&a);
	for (unsigned k = 0; side_out(&a, 2, &f); k++) {
		if (k == 0)
			kept = f;
		side_in(&b, 1, &f);
		if (k == 0) {
			side_commit(&b, 0);
			side_at(&b, b.now + SEC); /* by our own limit it ends first */
		}
	}
	side_commit(&b, 0);
	for (unsigned k = 0; k < 10; k++)
		turn(&b);
	b.now += 1800 * SEC - SEC / 2;
	agent_tick(b.agent, b.now);
	cr_assert_eq(reason_of(&b), REASON_TRAFFIC_PARED);
	cr_assert_eq(turns(&b), 0, "it is not checked any more");
	side_in(&b, 1, &kept);
	side_commit(&b, 0);
	cr_assert_geq(turns(&b), 40);
	side_commit(&b, 0);
	is_delivered(&b, reg);
	stop(&a, &b);
}

/* No room in the stage, or in the store, for what is decrypted: the check waits. */
Test(steps, waits_for_room)
{
	for (unsigned full = 0; full < 2; full++) {
		struct side a, b;
		struct store_bundle filler = {.value = view_text("\x01"), .head = view_text("h")};
		struct view bytes = view_of(data, 15000);
		uint64_t id;
		uint32_t reg;

		pair_of(&a, &b, source_both, accept_both);
		b.limits.reserved_bytes = 0;
		if (full)
			b.limits.max_bytes = 45000;
		else
			b.limits.stage_bytes = 30000;
		start(&a, &b);
		reg = side_register(&b, 5, 10);
		send_large(&a);
		carry(&a, &b, false);
		filler.payload = &bytes;
		filler.n_payload = 1;
		cr_assert_eq(store_put(b.store, &filler, &id), 0);
		cr_assert_leq(turns(&b), 3);
		cr_assert_eq(count(&b, EV_bundle_deleted), 0);
		cr_assert_leq(agent_deadline(b.agent), b.now + SEC, "it tries again");
		cr_assert_gt(agent_deadline(b.agent), b.now, "and does not spin");
		if (full)
			store_delete(b.store, id);
		side_commit(&b, 0);
		if (full)
			side_at(&b, b.now + SEC);
		cr_assert_geq(turns(&b), 39);
		side_commit(&b, 0);
		if (!full)
			store_delete(b.store, id);
		is_delivered(&b, reg);
		stop(&a, &b);
	}
}

/* What the stage could never hold is refused at once. */
Test(steps, too_large_for_the_stage)
{
	struct side a, b;

	pair_of(&a, &b, source_both, accept_both);
	b.limits.stage_bytes = 16000;
	start(&a, &b);
	send_large(&a);
	for (struct flight f; side_out(&a, 2, &f); side_commit(&b, 0))
		side_in(&b, 1, &f);
	turns(&b);
	cr_assert_eq(reason_of(&b), REASON_DEPLETED_STORAGE);
	cr_assert_eq(stats(&b).n_bundles, 0);
	stop(&a, &b);
}

/* The commit of what was accepted fails: nothing was delivered, it is checked again and delivered. */
Test(steps, a_failed_commit)
{
	struct side a, b;
	uint32_t reg;

	pair_of(&a, &b, source_both, accept_both);
	start(&a, &b);
	reg = side_register(&b, 5, 10);
	send_large(&a);
	carry(&a, &b, false);
	turns(&b);
	side_commit(&b, -ENOSPC);
	side_listen(&b);
	cr_assert_eq(heard(&b, AGENT_DELIVERY), 0);
	cr_assert_eq(turns(&b), 0, "not at once");
	side_at(&b, b.now + 2 * SEC);
	cr_assert_geq(turns(&b), 39);
	side_commit(&b, 0);
	is_delivered(&b, reg);
	stop(&a, &b);
}

/* The bundle comes whole while its fragments are checked: it wins, and is delivered once. */
Test(steps, the_whole_bundle_comes_meanwhile)
{
	for (unsigned when = 0; when <= 40; when += 8) {
		static uint8_t head_room[8192], wire[32768];
		struct buf room = buf_of(head_room, sizeof head_room),
			   out = buf_of(wire, sizeof wire);
		struct side a, b;
		struct agent_offer o = {
			.max_bytes = sizeof wire, .max_ever = sizeof wire, .room = &room};
		struct view payload;
		uint32_t reg;

		pair_of(&a, &b, source_both, accept_both);
		start(&a, &b);
		reg = side_register(&b, 5, 10);
		send_large(&a);
		cr_assert(agent_next(a.agent, a.now, &o));
		cr_assert_eq(store_payload(a.store, o.payload, &payload), 0);
		buf_put(&out, o.head);
		buf_put(&out, payload);
		buf_put(&out, o.tail);
		agent_send_failed(a.agent, a.now, o.id);
		side_at(&a, a.now + 2 * SEC);
		carry(&a, &b, false);
		for (unsigned k = 0; k < when; k++)
			turn(&b);
		agent_receive(b.agent, b.now, 0, 1, buf_view(&out));
		turns(&b);
		side_commit(&b, 0);
		is_delivered(&b, reg);
		stop(&a, &b);
	}
}

/* More units than are checked at a time wait for each other. */
Test(steps, some_at_a_time)
{
	struct side a, b;
	unsigned n;

	pair_of(&a, &b, source_both, accept_both);
	b.cfg.max_adus = 5;
	start(&a, &b);
	(void)side_register(&b, 5, 10);
	for (unsigned k = 0; k < 5; k++) {
		send_large(&a);
		carry(&a, &b, false);
	}
	n = turns(&b);
	cr_assert(n >= 200 && n <= 215, "%u", n);
	side_commit(&b, 0);
	side_commit(&b, 0);
	side_listen(&b);
	cr_assert_eq(heard(&b, AGENT_DELIVERY), 5);
	stop(&a, &b);
}

/* An ADU above security.max_bytes is refused, at both ends. */
Test(steps, too_large_at_all)
{
	struct side a, b;
	uint64_t request;

	pair_of(&a, &b, source_both, accept_both);
	b.cfg.security.max_bytes = SIZE - 1;
	start(&a, &b);
	send_large(&a);
	carry(&a, &b, false);
	cr_assert_eq(turns(&b), 0);
	cr_assert_eq(reason_of(&b), REASON_DEPLETED_STORAGE);
	cr_assert_eq(agent_send_open(a.agent, a.now, &large, (1 << 20) + 1, &request), -E_TOO_BIG);
	stop(&a, &b);
	pair_of(&a, &b, source_both, accept_both);
	a.cfg.security.max_bytes = SIZE - 1;
	start(&a, &b);
	cr_assert_eq(agent_send_open(a.agent, a.now, &large, SIZE, &request), -E_SECURED_SIZE);
	stop(&a, &b);
	pair_of(&a, &b, (const char *const[]){"source integrity payload ed cose-sign", NULL},
		accept_both);
	a.cfg.security.max_bytes = a.cfg.max_send_bytes = a.cfg.max_whole_bytes = 4 << 20;
	start(&a, &b);
	cr_assert_eq(agent_send_open(a.agent, a.now, &large, (1 << 20) + 1, &request),
		-E_SECURED_SIZE, "Ed25519 takes its message whole");
	cr_assert_eq(agent_send_open(a.agent, a.now, &large, 1 << 20, &request), 0);
	stop(&a, &b);
}

/* What an application gives up half way, or the end of the agent, leaves nothing. */
Test(steps, given_up_at_the_source)
{
	struct side a, b;
	struct store_stats st;
	uint64_t request, before;
	struct view v;

	pair_of(&a, &b, source_both, accept_both);
	start(&a, &b);
	store_stats(a.store, &st);
	before = st.bytes;
	for (unsigned k = 0; k < 5; k++) { /* more often than there are places */
		cr_assert_eq(agent_send_open(a.agent, a.now, &large, SIZE, &request), 0);
		feed(&a, request, 0, SIZE - 4000 * k);
		store_stats(a.store, &st);
		cr_assert_geq(st.staged_bytes, SIZE);
		agent_send_cancel(a.agent, a.now, request);
		side_commit(&a, 0);
		store_stats(a.store, &st);
		cr_assert_eq(st.staged_bytes, 0);
		cr_assert_eq(st.bytes, before);
	}
	v = view_of(data, 1);
	cr_assert_eq(agent_send_part(a.agent, a.now, request, &v), -E_UNKNOWN);
	cr_assert_eq(agent_send_open(a.agent, a.now, &large, SIZE, &request), 0);
	feed(&a, request, 0, 1);
	v = view_of(data, 2);
	cr_assert_eq(agent_send_part(a.agent, a.now, request, &v), -E_RANGE, "more than announced");
	cr_assert_eq(agent_send_open(a.agent, a.now, &large, SIZE, &request), 0);
	feed(&a, request, 0, 1);
	cr_assert_eq(stats(&a).n_bundles, 1, "its own from the start");
	stop(&a, &b);
}

/* The stage is full: the application is told to come again; no entry is left for it: refused. */
Test(steps, no_room_at_the_source)
{
	struct side a, b;
	struct store_bundle filler = {.value = view_text("\x01"), .head = view_text("h")};
	struct view bytes = view_of(data, 15000);
	uint64_t request, id;
	uint32_t reg;

	pair_of(&a, &b, source_both, accept_both);
	a.limits.stage_bytes = 32000;
	start(&a, &b);
	filler.payload = &bytes;
	filler.n_payload = 1;
	cr_assert_eq(store_put(a.store, &filler, &id), 0);
	cr_assert_eq(agent_send_open(a.agent, a.now, &large, SIZE, &request), -E_AGAIN);
	side_commit(&a, 0);
	store_delete(a.store, id);
	side_commit(&a, 0);
	reg = side_register(&b, 5, 10);
	send_large(&a);
	cr_assert_eq(heard(&a, AGENT_ACCEPTED), 1);
	carry(&a, &b, false);
	turns(&b);
	is_delivered(&b, reg);
	/* another: all entries are taken before its last byte comes */
	side_commit(&a, 0);
	cr_assert_eq(agent_send_open(a.agent, a.now, &large, SIZE, &request), 0);
	feed(&a, request, 0, 1);
	side_fill(&a, 2, true);
	bytes = view_of(data, 1);
	cr_assert_eq(agent_send_part(a.agent, a.now, request, &bytes), -E_FULL);
	stop(&a, &b);
}

/* Custody of large secured data: the pair is given when it is sealed, and no sooner is it ours. */
Test(steps, custody_of_what_is_sealed)
{
	struct agent_send with_custody = large;
	struct side a, b;
	uint64_t request;

	pair_of(&a, &b, source_both, accept_both);
	start(&a, &b);
	with_custody.custody = true;
	cr_assert_eq(agent_send_open(a.agent, a.now, &with_custody, SIZE, &request), 0);
	feed(&a, request, 0, 1);
	cr_assert_eq(stats(&a).n_custody_held, 0);
	feed(&a, request, SIZE - 1, 0);
	cr_assert_eq(stats(&a).n_custody_held, 1);
	cr_assert_eq(agent_queued(a.agent, 0), 0, "it waits for its commit");
	side_commit(&a, 0);
	cr_assert_eq(agent_queued(a.agent, 0), 1);
	side_listen(&a);
	cr_assert_eq(heard(&a, AGENT_ACCEPTED), 1);
	stop(&a, &b);
}
